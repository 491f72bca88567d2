#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Describes one node, instance, group or network.

A description is the object's properties, and sections: tables of its disks, its
instances, its parameters and so on. "confd-client describe" prints a
description as text or JSON, and confd-exporter makes a page of it.

Rule: this module decides which properties and sections an object has. Values
are as in the configuration; programs format them by the form of their column.

"""

from __future__ import annotations

import collections

from typing import Any, Callable, Iterable, Mapping, NamedTuple, Optional, \
  Sequence

from ganeti.confd import humanize
from ganeti.confd.schema import columns
from ganeti.confd.schema import naturalorder
from ganeti.confd.views import advice
from ganeti.confd.views import checks
from ganeti.confd.views import evacuation


#: Forms of values, which determine how a value is shown. The kinds of objects,
#: C{columns.KINDS}, are forms, too: such a value is the name of an object of
#: this kind, or a list of names.
TEXT = "text"
NUMBER = "number"
#: A size in MiB
SIZE = "size"
#: Seconds since the epoch
TIME = "time"
YES_NO = "bool"
#: A boolean that is only worth showing if it is true
FLAG = "flag"
#: A letter of C{columns.ROLES}
ROLE = "role"
#: A tag, or a list of tags
TAGS = "tags"
SEVERITY = "severity"
#: The value of a parameter: a string, or any other JSON value
PARAMETER = "parameter"

#: The kinds of objects that can be described
KINDS = (columns.INSTANCE, columns.NODE, columns.GROUP, columns.NETWORK)

Row = Mapping[str, Any]

#: The name of the place where parameters are set, e.g. "cluster", and the
#: parameters that are set there
_Layer = tuple[str, Any]


class Column(NamedTuple):
  """A column of a table, or a property.

  """
  #: The key of the value in JSON: the name of the object's field, or another
  #: name
  field: str
  title: str
  form: str = TEXT

  @property
  def is_number(self) -> bool:
    return self.form in (NUMBER, SIZE)

  def Word(self, value: Any) -> Any:
    """Returns the word for a value, if the column's form has words.

    @return: the value itself if there is no word for it; None if there is
      nothing to show

    """
    if self.form == FLAG and not value:
      return None
    if self.form in (YES_NO, FLAG) and isinstance(value, bool):
      return "yes" if value else "no"
    if self.form == ROLE and isinstance(value, str):
      return columns.ROLES.get(value, value)
    return value


class Section(NamedTuple):
  """A table of a description.

  """
  #: The name of the section in JSON
  name: str
  title: str
  columns: list[Column]
  rows: Sequence[Sequence[Any]]
  #: A sentence to show before the table (not in JSON); empty for none
  text: str = ""
  #: Whether the number of rows is worth showing in the title
  is_counted: bool = False


class Description(NamedTuple):
  """The description of an object.

  """
  kind: str
  name: Any
  properties: list[tuple[Column, Any]]
  sections: list[Section]


class Config(NamedTuple):
  """The configuration that an object is part of.

  """
  #: A function that returns all rows of a table, with at least the given fields
  read: Callable[[str, Sequence[str]], Sequence[Row]]
  #: The cluster's own settings, which are at the JSON pointer L{CLUSTER}; None
  #: if unknown. Without them, the effects of a node's failure are left out,
  #: since these depend on the cluster's tags.
  cluster: Any
  findings: Sequence[checks.Finding]


#: The name of the section with an object's findings
FINDINGS = "findings"

#: The JSON pointer of the cluster's own settings
CLUSTER = "/cluster"

#: The keys of the cluster's settings that descriptions need
CLUSTER_KEYS = ("beparams", "diskparams", "hvparams", "ndparams", "os_hvp",
                "osparams", "tags")

_TAGS = Column("tags", "Tags", TAGS)

#: Maps kinds of objects to the columns of a table of such objects
COLUMNS: dict[str, list[Column]] = {
  columns.NODE: [
    Column("name", "Node", columns.NODE), Column("role", "Role", ROLE),
    Column("group", "Group", columns.GROUP), Column("pip", "Primary IP"),
    Column("pinst_cnt", "Primary instances", NUMBER),
    Column("sinst_cnt", "Secondary instances", NUMBER), _TAGS],
  columns.INSTANCE: [
    Column("name", "Instance", columns.INSTANCE),
    Column("pnode", "Primary node", columns.NODE),
    Column("snodes", "Secondary nodes", columns.NODE),
    Column("admin_state", "State wanted"),
    Column("be/maxmem", "Memory", SIZE), Column("be/vcpus", "vCPUs", NUMBER),
    Column("disk_usage", "Disks", SIZE), Column("os", "OS"),
    Column("nic.ips", "IPs"), _TAGS],
  columns.GROUP: [
    Column("name", "Group", columns.GROUP),
    Column("alloc_policy", "Allocation policy"),
    Column("node_cnt", "Nodes", NUMBER),
    Column("pinst_cnt", "Primary instances", NUMBER), _TAGS],
  columns.NETWORK: [
    Column("name", "Network", columns.NETWORK), Column("network", "Subnet"),
    Column("gateway", "Gateway"), Column("network6", "IPv6 subnet"),
    Column("inst_cnt", "Instances", NUMBER),
    Column("free_count", "Free addresses", NUMBER), _TAGS],
  }

#: The properties that objects of all kinds have
_COMMON = [
  Column("name", "Name"), _TAGS, Column("uuid", "UUID"),
  Column("ctime", "Created", TIME), Column("mtime", "Changed", TIME),
  Column("serial_no", "Changes", NUMBER),
  ]

#: The sums over the primary instances of a node or group
_SUMS = [
  Column("pinst_maxmem", "Memory of primary instances", SIZE),
  Column("pinst_vcpus", "vCPUs of primary instances", NUMBER),
  Column("pinst_disk", "Disks of primary instances", SIZE),
  ]

#: Maps kinds of objects to their properties, each of which is a field of the
#: object
_PROPERTIES: dict[str, list[Column]] = {
  columns.NODE: [
    Column("role", "Role", ROLE), Column("group", "Group", columns.GROUP),
    Column("pip", "Primary IP"), Column("sip", "Secondary IP"),
    Column("offline", "Offline", YES_NO), Column("drained", "Drained", YES_NO),
    Column("vm_capable", "May have instances", YES_NO),
    Column("master_capable", "May become master", YES_NO),
    Column("powered", "Powered on, as far as known", YES_NO), *_SUMS,
    Column("sinst_maxmem", "Memory of secondary instances", SIZE),
    Column("sinst_disk", "Disks of secondary instances", SIZE), *_COMMON],
  columns.INSTANCE: [
    Column("admin_state", "State wanted"),
    Column("admin_state_source", "State set by"),
    Column("forthcoming", "Only planned", FLAG),
    Column("pnode", "Primary node", columns.NODE),
    Column("snodes", "Secondary nodes", columns.NODE),
    Column("pnode.group", "Group", columns.GROUP),
    Column("snodes.group", "Groups of secondary nodes", columns.GROUP),
    Column("be/maxmem", "Memory", SIZE), Column("be/vcpus", "vCPUs", NUMBER),
    Column("disk_usage", "Disks on each node", SIZE),
    Column("disk_template", "Disk template"),
    Column("disks_active", "Disks active", YES_NO), Column("os", "OS"),
    Column("hypervisor", "Hypervisor"), Column("network_port", "Console port"),
    *_COMMON],
  columns.GROUP: [
    Column("alloc_policy", "Allocation policy"),
    Column("node_cnt", "Nodes", NUMBER),
    Column("pinst_cnt", "Primary instances", NUMBER), *_SUMS, *_COMMON],
  columns.NETWORK: [
    Column("network", "Subnet"), Column("gateway", "Gateway"),
    Column("network6", "IPv6 subnet"), Column("gateway6", "IPv6 gateway"),
    Column("mac_prefix", "MAC prefix"),
    Column("inst_cnt", "Instances", NUMBER),
    Column("free_count", "Free addresses", NUMBER),
    Column("usable_count", "Addresses for instances", NUMBER),
    Column("used_count", "Reserved for instances", NUMBER),
    Column("external_count", "Taken by others", NUMBER),
    Column("external_reservations", "Addresses taken by others"), *_COMMON],
  }

#: Maps fields of an instance, each a list with a value for each network
#: interface, to the columns of the table of network interfaces
_NICS = {
  "nic.names": Column("name", "Name"),
  "nic.macs": Column("mac", "MAC"),
  "nic.ips": Column("ip", "IP"),
  "nic.modes": Column("mode", "Mode"),
  "nic.links": Column("link", "Link"),
  "nic.vlans": Column("vlan", "VLAN"),
  "nic.networks.names": Column("network", "Network", columns.NETWORK),
  "custom_nicparams": Column("custom_params", "Parameters of its own"),
  "nic.uuids": Column("uuid", "UUID"),
  }

#: The columns of the table of an instance's disks, each a field of the disk
_DISKS = [
  Column("index", "Disk"), Column("name", "Name"), Column("dev_type", "Type"),
  Column("size", "Size", SIZE), Column("mode", "Mode"),
  Column("nodes", "Nodes", columns.NODE), Column("volumes", "Volumes"),
  Column("port", "Port"), Column("minors", "Minors"), Column("uuid", "UUID"),
  ]

#: Maps kinds of objects to fields that the sections of a description need in
#: addition to the properties
_SECTION_FIELDS: dict[str, list[str]] = {
  columns.NODE: ["custom_ndparams"],
  columns.INSTANCE: ["custom_beparams", "custom_hvparams", "custom_osparams",
                     *_NICS],
  columns.GROUP: ["ipolicy", "custom_ipolicy", "custom_ndparams",
                  "custom_diskparams", "networks"],
  columns.NETWORK: ["group_list"],
  }

#: Maps kinds of objects to the fields that the description of an object needs
FIELDS: dict[str, list[str]] = {
  kind: [column.field for column in _PROPERTIES[kind]] + _SECTION_FIELDS[kind]
  for kind in KINDS
  }

#: Maps tables to the fields that a description shows of other objects, such as
#: a node's instances. The description of a node also needs
#: C{evacuation.FIELDS}.
OTHER_FIELDS: dict[str, list[str]] = {
  columns.NODE: [column.field for column in COLUMNS[columns.NODE]],
  columns.INSTANCE: [*(column.field for column in COLUMNS[columns.INSTANCE]),
                     "nic.macs", "nic.networks"],
  columns.GROUP: ["name", "custom_ndparams"],
  columns.NETWORK: ["name", "uuid"],
  columns.DISK: ["instance", *(column.field for column in _DISKS)],
  }


def Items(value: Any) -> list[Any]:
  """Returns the items of a list; no items if the value is not a list.

  In a broken configuration, any value may be of another type.

  """
  return [item for item in value if item is not None] \
    if isinstance(value, list) else []


def _Dict(value: Any) -> Mapping[str, Any]:
  return value if isinstance(value, dict) else {}


# Sections of objects of several kinds

def _Parameters(name: str, title: str, layers: Sequence[_Layer],
                hidden: frozenset[str] = frozenset()) -> list[Section]:
  """Lists an object's parameters, each with its source.

  @param layers: the first layer that has a parameter takes precedence
  @param hidden: names of parameters to leave out
  @return: no section if there are no parameters

  """
  found: dict[str, tuple[Any, str]] = {}
  for (source, values) in layers:
    for (key, value) in _Dict(values).items():
      if key not in hidden:
        found.setdefault(key, (value, source))
  return [Section(name, title, [
    Column("name", "Parameter"), Column("value", "Value", PARAMETER),
    Column("source", "Set for")], [(key, *found[key]) for key in sorted(found)])
          ] if found else []


def _Findings(config: Config, kind: str, name: Any) -> list[Section]:
  names = {row["name"] for row in config.read(kind, ["name"])
           if isinstance(row["name"], str)}
  found = advice.About(config.findings, name, names)
  return [Section(FINDINGS, "Findings", [
    Column("subject", "What"), Column("severity", "Severity", SEVERITY),
    Column("text", "Finding"), Column("advice", "What to do")],
    [(i.subject, i.severity, i.text, advice.FillIn(i.advice, kind, name))
     for i in found])] if found else []


def _Objects(config: Config, kind: str, wanted: Callable[[Row], bool],
             name: str, title: str, without: str) -> Section:
  """Lists other objects.

  @param wanted: tells whether a row is one of these objects
  @param without: the column to leave out, as all rows have the same value

  """
  shown = [column for column in COLUMNS[kind] if column.field != without]
  rows = config.read(kind, [column.field for column in COLUMNS[kind]])
  return Section(name, title, shown,
                 [[row[column.field] for column in shown]
                  for row in rows if wanted(row)], is_counted=True)


# Nodes

def _Failure(config: Config, name: Any) -> list[Section]:
  """Describes the effects of a node's failure on its instances.

  """
  tables = {kind: config.read(kind, fields)
            for (kind, fields) in evacuation.FIELDS.items()}
  # Make the plan for a failed node as for an offline node
  tables[columns.NODE] = [dict(row, offline=True) if row["name"] == name
                          else row for row in tables[columns.NODE]]
  plan = evacuation.Make(name, tables, _Dict(config.cluster).get("tags"), True)
  steps = [] if plan is None else plan.steps
  memory = {} if plan is None else plan.memory
  targets = collections.Counter(step.target for step in steps
                                if step.target is not None)
  lost = [step for step in steps if step.target is None]
  text = "No instance would be lost: none has this node as primary node."
  if steps:
    text = ("%s can fail over, by configuration only: no free memory of a node"
            " is known here." % humanize.Count(sum(targets.values()),
                                               "instance"))
  result = [Section("failover", "If this node fails", [
    Column("target", "Target", columns.NODE),
    Column("instances", "Instances", NUMBER), Column("memory", "Memory", SIZE)],
    [(target, count, memory.get(str(target), 0))
     for (target, count) in targets.most_common()], text)]
  if lost:
    result.append(Section(
      "nowhere_to_go", "Nowhere to go", [
        Column("instance", "Instance", columns.INSTANCE),
        Column("problem", "Problem")],
      [(step.instance, step.problem) for step in lost],
      "%s would have nowhere to go." % humanize.Count(len(lost), "instance")))
  return result


def _Node(config: Config, row: Row) -> list[Section]:
  name = row["name"]
  of_group = next((group["custom_ndparams"] for group in config.read(
    columns.GROUP, ["name", "custom_ndparams"])
                   if group["name"] == row["group"]), None)
  return [
    _Objects(config, columns.INSTANCE, lambda i: bool(i["pnode"] == name),
             "primary_instances", "Primary instances", "pnode"),
    _Objects(config, columns.INSTANCE, lambda i: name in Items(i["snodes"]),
             "secondary_instances", "Secondary instances", "snodes"),
    *(_Failure(config, name) if config.cluster is not None else []),
    *_Parameters("ndparams", "Node parameters", [
      ("node", row["custom_ndparams"]), ("group", of_group),
      ("cluster", _Dict(config.cluster).get("ndparams"))])]


# Instances

def _Nics(row: Row) -> Section:
  rows = []
  for (index, values) in enumerate(zip(*(row[field] or [] for field in _NICS))):
    named = dict(zip(_NICS, values))
    named["custom_nicparams"] = sorted(_Dict(named["custom_nicparams"]))
    rows.append([index, *named.values()])
  return Section("nics", "Network interfaces",
                 [Column("index", "NIC"), *_NICS.values()], rows)


def _Disks(config: Config, name: Any) -> Section:
  fields = [column.field for column in _DISKS]
  found = [row for row in config.read(columns.DISK, ["instance", *fields])
           if row["instance"] == name]
  found.sort(key=lambda disk: naturalorder.AnyKey(disk["index"]))
  return Section("disks", "Disks", _DISKS,
                 [[row[field] for field in fields] for row in found])


def _SameTags(config: Config, row: Row) -> list[Section]:
  """Lists other instances with tags of an instance.

  @return: no section if there are no such instances

  """
  others: dict[str, list[Any]] = {
    tag: [] for tag in Items(row["tags"]) if isinstance(tag, str)}
  for other in config.read(columns.INSTANCE, ["name", "tags"]):
    if other["name"] != row["name"]:
      for tag in Items(other["tags"]):
        if isinstance(tag, str) and tag in others:
          others[tag].append(other["name"])
  rows = [(tag, names) for (tag, names) in others.items() if names]
  return [Section("same_tags", "Same tags", [
    Column("tag", "Tag", TAGS),
    Column("instances", "Other instances", columns.INSTANCE)], rows)
          ] if rows else []


def _Instance(config: Config, row: Row) -> list[Section]:
  (os_name, hypervisor) = (str(row["os"]), str(row["hypervisor"]))
  of_cluster = _Dict(config.cluster)
  by_os = _Dict(_Dict(of_cluster.get("os_hvp")).get(os_name))
  return [
    _Nics(row), _Disks(config, row["name"]), *_SameTags(config, row),
    *_Parameters("beparams", "Backend parameters", [
      ("instance", row["custom_beparams"]),
      ("cluster", _Dict(of_cluster.get("beparams")).get("default"))]),
    *_Parameters("hvparams", "Hypervisor parameters", [
      ("instance", row["custom_hvparams"]),
      ("OS %s" % os_name, by_os.get(hypervisor)),
      ("cluster", _Dict(of_cluster.get("hvparams")).get(hypervisor))],
                 columns.HV_GLOBALS),
    *_Parameters("osparams", "OS parameters", [
      ("instance", row["custom_osparams"]),
      # All variants of an OS ("NAME+VARIANT") share the parameters of the OS
      ("cluster", _Dict(of_cluster.get("osparams")).get(
        os_name.partition("+")[0]))])]


# Groups and networks

def _Flatten(value: Any) -> dict[str, Any]:
  """Flattens the parameters of all disk templates into one dict.

  """
  return {"%s/%s" % (template, name): setting
          for (template, params) in _Dict(value).items()
          for (name, setting) in _Dict(params).items()}


def _Group(config: Config, row: Row) -> list[Section]:
  of_cluster = _Dict(config.cluster)
  uuids = Items(row["networks"])
  names = {network["uuid"]: network["name"] for network in config.read(
    columns.NETWORK, ["uuid", "name"])}
  return [
    _Objects(config, columns.NODE,
             lambda node: bool(node["group"] == row["name"]), "nodes", "Nodes",
             "group"),
    Section("networks", "Networks", [
      Column("name", "Network", columns.NETWORK), Column("uuid", "UUID")],
            [(names.get(uuid, uuid), uuid) for uuid in uuids
             if isinstance(uuid, str)]),
    *_Parameters("ipolicy", "Instance policy", [
      ("group", row["custom_ipolicy"]), ("cluster", row["ipolicy"])]),
    *_Parameters("ndparams", "Node parameters", [
      ("group", row["custom_ndparams"]),
      ("cluster", of_cluster.get("ndparams"))]),
    *_Parameters("diskparams", "Disk parameters", [
      ("group", _Flatten(row["custom_diskparams"])),
      ("cluster", _Flatten(of_cluster.get("diskparams")))])]


def _GroupRows(groups: Any) -> Iterable[Sequence[Any]]:
  """Yields group, mode, link and VLAN of each group on a network.

  """
  for item in Items(groups):
    (name, *rest) = item if isinstance(item, list) and item else [item]
    (mode, link, vlan, *_) = [*rest, None, None, None]
    yield (name, mode, link, vlan)


def _Network(config: Config, row: Row) -> list[Section]:
  rows = [(other["name"], index, ip, mac)
          for other in config.read(columns.INSTANCE, [
            "name", "nic.networks", "nic.ips", "nic.macs"])
          for (index, (uuid, ip, mac)) in enumerate(zip(
            other["nic.networks"] or [], other["nic.ips"] or [],
            other["nic.macs"] or []))
          if uuid == row["uuid"]]
  return [
    Section("groups", "Groups", [
      Column("name", "Group", columns.GROUP), Column("mode", "Mode"),
      Column("link", "Link"), Column("vlan", "VLAN")],
            list(_GroupRows(row["group_list"]))),
    Section("nics", "Interfaces of instances", [
      Column("instance", "Instance", columns.INSTANCE), Column("index", "NIC"),
      Column("ip", "IP"), Column("mac", "MAC")], rows, is_counted=True)]


_MAKE: dict[str, Callable[[Config, Row], list[Section]]] = {
  columns.NODE: _Node,
  columns.INSTANCE: _Instance,
  columns.GROUP: _Group,
  columns.NETWORK: _Network,
  }


def Describe(config: Optional[Config], kind: str, row: Row) -> Description:
  """Describes an object.

  @param config: None to describe the object's properties only
  @param kind: one of L{KINDS}
  @param row: the object's row, with L{FIELDS}
  @raise LookupError: a row lacks fields of L{FIELDS}, L{OTHER_FIELDS} or
    C{evacuation.FIELDS}

  """
  name = row["name"]
  return Description(
    kind, name, [(column, row[column.field]) for column in _PROPERTIES[kind]],
    [] if config is None else
    _Findings(config, kind, name) + _MAKE[kind](config, row))

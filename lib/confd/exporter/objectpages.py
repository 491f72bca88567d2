#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The pages about one node, instance, group or network.

Rule: each name of an object that has a page is a link to the page.

"""

from __future__ import annotations

import collections
import json

from typing import Any, Callable, Iterable, Mapping, Optional, Sequence

from ganeti.confd import humanize
from ganeti.confd.exporter import causes
from ganeti.confd.exporter import clusterstate
from ganeti.confd.exporter import layout
from ganeti.confd.exporter import markup
from ganeti.confd.exporter import pages
from ganeti.confd.exporter import rowstore
from ganeti.confd.schema import columns
from ganeti.confd.schema import naturalorder
from ganeti.confd.views import evacuation


E = markup.E

#: Most objects with the same tag, and most target nodes, that are listed
_LISTED = 10

#: The source of parameters, and the parameters
_Layer = tuple[str, Any]


def Title(kind: str, name: str) -> str:
  return "%s %s" % (kind.capitalize(), name)


def Object(state: layout.State, kind: str, name: str,
           content: markup.Content) -> str:
  """Makes the page about an object.

  @param content: from L{Content}

  """
  return layout.Page(Title(kind, name), state, kind, layout.Summary(state),
                     [layout.Problem(state), content])


def _YesNo(value: Any) -> Optional[str]:
  if isinstance(value, bool):
    return "yes" if value else "no"
  return layout.FormatValue(value)


def _FormatParameter(value: Any) -> str:
  return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _Dict(value: Any) -> Mapping[str, Any]:
  return value if isinstance(value, dict) else {}


def _Parameters(title: str, layers: Sequence[_Layer],
                hidden: frozenset[str] = frozenset()) -> markup.Content:
  """Makes the table of an object's parameters, each with its source.

  @param layers: the first layer that has a parameter takes precedence
  @param hidden: names of parameters to leave out

  """
  found: dict[str, tuple[str, Any]] = {}
  for (source, values) in layers:
    for (name, value) in _Dict(values).items():
      if name not in hidden:
        found.setdefault(name, (source, value))
  if not found:
    return None
  return [
    E("h2", title),
    layout.TableElement(
      title, layout.Headers("Parameter", "Value", "Set for"),
      [[name, _FormatParameter(value), source]
       for (name, (source, value)) in sorted(found.items())])]


def _Findings(config: clusterstate.ClusterConfig, kind: str, name: Any
              ) -> markup.Content:
  found = causes.About(config.findings, name)
  if not found:
    return None
  return [E("h2", "Findings"), layout.TableElement(
    "Findings", layout.Headers("What", "Severity", "Finding", "What to do"),
    [[i.subject, pages.Severity(i.severity), i.text,
      causes.FillIn(i.advice, kind, name)]
     for i in found[:pages.MAX_ROWS]])]


def _Rows(cluster: str, title: str, cells: Sequence[pages.Column],
          rows: Sequence[rowstore.Row]) -> markup.Content:
  """Makes a table of objects near the page's object.

  """
  content: list[markup.Content] = [E("h2", "%s (%d)" % (title, len(rows)))]
  if len(rows) > pages.MAX_ROWS:
    content.append(E("p", "The first %d of %d." % (pages.MAX_ROWS, len(rows))))
  if rows:
    content.append(layout.TableElement(
      title, [layout.Header(column.title, column.is_number)
              for column in cells],
      [[pages.Cell(column, cluster, row[column.field]) for column in cells]
       for row in rows[:pages.MAX_ROWS]]))
  return content


def _Columns(kind: str, *without: str) -> list[pages.Column]:
  return [column for column in pages.COLUMNS[kind]
          if column.field not in without]


def _Read(config: clusterstate.ClusterConfig, kind: str, *more: str
          ) -> list[dict[str, Any]]:
  """Reads all rows of a table, with the fields that L{_Rows} shows.

  """
  return config.tables[kind].Rows(list(dict.fromkeys(
    [column.field for column in pages.COLUMNS[kind]] + list(more))))


def _Find(config: clusterstate.ClusterConfig, kind: str, fields: Sequence[str],
          name: Any) -> dict[str, Any]:
  """Finds another object.

  @return: the object's row; an empty dict if there is no such object

  """
  for values in config.tables[kind].Values(["name", *fields]):
    if values[0] == name:
      return dict(zip(fields, values[1:]))
  return {}


def _Stored(row: rowstore.Row) -> list[tuple[str, markup.Content]]:
  """Returns the properties that objects of all kinds have.

  """
  return [("Name", layout.FormatValue(row["name"])),
          ("Tags", layout.TagLinks(row["tags"])), ("UUID", row["uuid"]),
          ("Created", layout.FormatTime(row["ctime"])),
          ("Changed", layout.FormatTime(row["mtime"])),
          ("Changes", layout.FormatValue(row["serial_no"]))]


# Nodes

def _EvacuationTables(config: clusterstate.ClusterConfig
                      ) -> dict[str, list[dict[str, Any]]]:
  return {kind: config.tables[kind].Rows(fields)
          for (kind, fields) in evacuation.FIELDS.items()}


def _StepRows(cluster: str, steps: Iterable[evacuation.Step]
              ) -> list[list[markup.Content]]:
  return [[layout.Link(cluster, columns.INSTANCE, step.instance),
           layout.Link(cluster, columns.NODE, step.target),
           E("code", command) if command else None, step.problem]
          for (step, command) in ((i, evacuation.Command(i)) for i in steps)]


def _Evacuation(cluster: str, plan: evacuation.Plan) -> markup.Content:
  """Shows how all instances and mirrors leave a node.

  """
  if not plan.steps:
    return [E("h2", "Evacuation"), E("p", "No instance is on this node.")]
  return [
    E("h2", "Evacuation"),
    E("p", "Commands that move every instance and mirror to another node, as"
      " \"confd-client evacuate\" prints them."),
    layout.TableElement(
      "Evacuation", layout.Headers("Instance", "Target", "Command", "Problem"),
      _StepRows(cluster, plan.steps[:pages.MAX_ROWS]))]


def _Failure(cluster: str, plan: evacuation.Plan) -> markup.Content:
  """Describes the effects of a node's failure on its instances.

  @param plan: for the primary instances, made as if the node were offline

  """
  content: list[markup.Content] = [E("h2", "If this node fails")]
  if not plan.steps:
    return content + [E("p", "No instance would be lost: none has this node as"
                        " primary node.")]
  lost = [step for step in plan.steps if step.target is None]
  targets = collections.Counter(step.target for step in plan.steps
                                if step.target is not None)
  if targets:
    content += [
      E("p", "%s can fail over, by configuration only: no free memory of a"
        " node is known here." % humanize.Count(sum(targets.values()),
                                                "instance")),
      layout.TableElement(
        "Targets", layout.Headers("Target", "Instances", "Memory",
                                  numbers=["Instances", "Memory"]),
        [[layout.Link(cluster, columns.NODE, name), count,
          humanize.FormatMebibytes(plan.memory.get(str(name), 0))]
         for (name, count) in targets.most_common(_LISTED)])]
  if lost:
    content += [
      E("p", "%s would have nowhere to go:" % humanize.Count(len(lost),
                                                             "instance")),
      E("ul", [E("li", layout.Link(cluster, columns.INSTANCE, step.instance),
                 ": %s" % step.problem if step.problem else None)
               for step in lost[:pages.MAX_ROWS]])]
  return content


def _Plans(config: clusterstate.ClusterConfig, cluster: str, name: Any
           ) -> markup.Content:
  tables = _EvacuationTables(config)
  tags = config.cluster.get("tags")
  plan = evacuation.Make(name, tables, tags)
  for row in tables[columns.NODE]:
    if row["name"] == name:
      row["offline"] = True
  failure = evacuation.Make(name, tables, tags, True)
  assert plan is not None and failure is not None
  return [_Failure(cluster, failure), _Evacuation(cluster, plan)]


def _Node(config: clusterstate.ClusterConfig, cluster: str, row: rowstore.Row
          ) -> markup.Content:
  name = row["name"]
  instances = _Read(config, columns.INSTANCE)
  group = _Find(config, columns.GROUP, ["custom_ndparams"], row["group"])
  return [
    layout.Definitions(
      ("Role", pages.FormatRole(row["role"])),
      ("Group", layout.Link(cluster, columns.GROUP, row["group"])),
      ("Primary IP", row["pip"]), ("Secondary IP", row["sip"]),
      ("Offline", _YesNo(row["offline"])), ("Drained", _YesNo(row["drained"])),
      ("May have instances", _YesNo(row["vm_capable"])),
      ("May become master", _YesNo(row["master_capable"])),
      ("Powered on, as far as known", _YesNo(row["powered"])), *_Stored(row)),
    _Findings(config, columns.NODE, name),
    _Rows(cluster, "Primary instances", _Columns(columns.INSTANCE, "pnode"),
          [i for i in instances if i["pnode"] == name]),
    _Rows(cluster, "Secondary instances", _Columns(columns.INSTANCE, "snodes"),
          [i for i in instances if name in layout.Items(i["snodes"])]),
    _Plans(config, cluster, name),
    _Parameters("Node parameters", [
      ("node", row["custom_ndparams"]), ("group", group.get("custom_ndparams")),
      ("cluster", config.cluster.get("ndparams"))])]


# Instances

_NIC_FIELDS = ["nic.names", "nic.macs", "nic.ips", "nic.modes", "nic.links",
               "nic.vlans", "nic.networks.names", "custom_nicparams",
               "nic.uuids"]


def _Nics(cluster: str, row: rowstore.Row) -> markup.Content:
  rows = []
  for (index, values) in enumerate(zip(*(row[i] or [] for i in _NIC_FIELDS))):
    (name, mac, ip, mode, link, vlan, network, own, uuid) = values
    rows.append([index, name, mac, ip, mode, link, vlan,
                 layout.Link(cluster, columns.NETWORK, network),
                 ", ".join(sorted(_Dict(own))), uuid])
  if not rows:
    return [E("h2", "Network interfaces"), E("p", "None.")]
  return [E("h2", "Network interfaces"), layout.TableElement(
    "Network interfaces",
    layout.Headers("NIC", "Name", "MAC", "IP", "Mode", "Link", "VLAN",
                   "Network", "Parameters of its own", "UUID"), rows)]


def _Disks(config: clusterstate.ClusterConfig, cluster: str, name: Any
           ) -> markup.Content:
  table = config.tables[columns.DISK]
  found = [table.Row(index) for (index, (owner, ))
           in enumerate(table.Values(["instance"])) if owner == name]
  if not found:
    return [E("h2", "Disks"), E("p", "None.")]
  found.sort(key=lambda disk: naturalorder.AnyKey(disk["index"]))
  return [E("h2", "Disks"), layout.TableElement(
    "Disks",
    layout.Headers("Disk", "Name", "Type", "Size", "Mode", "Nodes", "Volumes",
                   "Port", "Minors", "UUID", numbers=["Size"]),
    [[layout.FormatValue(disk["index"]), layout.FormatValue(disk["name"]),
      layout.FormatValue(disk["dev_type"]),
      humanize.FormatMebibytes(disk["size"]),
      layout.FormatValue(disk["mode"]),
      layout.Links(cluster, columns.NODE, disk["nodes"]),
      layout.FormatValue(disk["volumes"]), layout.FormatValue(disk["port"]),
      layout.FormatValue(disk["minors"]), layout.FormatValue(disk["uuid"])]
     for disk in found])]


def _SameTags(config: clusterstate.ClusterConfig, cluster: str,
              row: rowstore.Row) -> markup.Content:
  """Lists other instances with tags of an instance.

  """
  others: dict[Any, list[Any]] = {tag: [] for tag in layout.Items(row["tags"])
                                  if isinstance(tag, str)}
  if not others:
    return None
  for (name, tags) in config.tables[columns.INSTANCE].Values(["name", "tags"]):
    if name != row["name"]:
      for tag in layout.Items(tags):
        if isinstance(tag, str) and tag in others:
          others[tag].append(name)

  def _Names(names: list[Any]) -> markup.Content:
    more = len(names) - _LISTED
    return [layout.Links(cluster, columns.INSTANCE, names[:_LISTED]),
            " and %d more" % more if more > 0 else None,
            None if names else "no other instance"]

  return [E("h2", "Same tags"), E("dl", [
    (E("dt", layout.TagLinks([tag])), E("dd", _Names(names)))
    for (tag, names) in others.items()])]


def _Instance(config: clusterstate.ClusterConfig, cluster: str,
              row: rowstore.Row) -> markup.Content:
  name = row["name"]
  (os_name, hypervisor) = (str(row["os"]), str(row["hypervisor"]))
  of_cluster = config.cluster
  by_os = _Dict(_Dict(of_cluster.get("os_hvp")).get(os_name))
  return [
    layout.Definitions(
      ("State wanted", layout.FormatValue(row["admin_state"])),
      ("State set by", layout.FormatValue(row["admin_state_source"])),
      ("Only planned", "yes" if row["forthcoming"] else None),
      ("Primary node", layout.Link(cluster, columns.NODE, row["pnode"])),
      ("Secondary nodes", layout.Links(cluster, columns.NODE, row["snodes"])),
      ("Group", layout.Link(cluster, columns.GROUP, row["pnode.group"])),
      ("Memory", humanize.FormatMebibytes(row["be/maxmem"])),
      ("vCPUs", layout.FormatValue(row["be/vcpus"])),
      ("Disks on each node", humanize.FormatMebibytes(row["disk_usage"])),
      ("Disk template", layout.FormatValue(row["disk_template"])),
      ("Disks active", _YesNo(row["disks_active"])),
      ("OS", layout.FormatValue(row["os"])),
      ("Hypervisor", layout.FormatValue(row["hypervisor"])),
      ("Console port", layout.FormatValue(row["network_port"])),
      *_Stored(row)),
    _Findings(config, columns.INSTANCE, name),
    _Nics(cluster, row),
    _Disks(config, cluster, name),
    _SameTags(config, cluster, row),
    _Parameters("Backend parameters", [
      ("instance", row["custom_beparams"]),
      ("cluster", _Dict(of_cluster.get("beparams")).get("default"))]),
    _Parameters("Hypervisor parameters", [
      ("instance", row["custom_hvparams"]),
      ("OS %s" % os_name, by_os.get(hypervisor)),
      ("cluster", _Dict(of_cluster.get("hvparams")).get(hypervisor))],
                columns.HV_GLOBALS),
    _Parameters("OS parameters", [
      ("instance", row["custom_osparams"]),
      # Variants of an OS share its parameters
      ("cluster", _Dict(of_cluster.get("osparams")).get(
        os_name.partition("+")[0]))])]


# Groups and networks

def _Flatten(value: Any) -> dict[str, Any]:
  """Flattens the parameters of all disk templates into one dict.

  """
  return {"%s/%s" % (template, name): setting
          for (template, params) in _Dict(value).items()
          for (name, setting) in _Dict(params).items()}


def _Sum(rows: Iterable[rowstore.Row], field: str) -> int:
  """Sums up a field of the instances that are not offline.

  """
  return sum(humanize.Mebibytes(row[field]) or 0 for row in rows
             if row["admin_state"] != "offline")


def _NetworksOf(config: clusterstate.ClusterConfig, cluster: str,
                uuids: Iterable[Any]) -> markup.Content:
  names = dict(config.tables[columns.NETWORK].Values(["uuid", "name"]))
  return layout.Links(cluster, columns.NETWORK,
                      [names.get(uuid, uuid) for uuid in uuids])


def _Group(config: clusterstate.ClusterConfig, cluster: str, row: rowstore.Row
           ) -> markup.Content:
  name = row["name"]
  instances = [i for i in config.tables[columns.INSTANCE].Rows(
    ["pnode.group", "admin_state", "be/maxmem", "be/vcpus", "disk_usage"])
               if i["pnode.group"] == name]
  return [
    layout.Definitions(
      ("Allocation policy", layout.FormatValue(row["alloc_policy"])),
      ("Nodes", layout.FormatValue(row["node_cnt"])),
      ("Primary instances", E("a", len(instances), href=layout.ClusterPath(
        cluster, "instances", filter='pnode.group == "%s"' % name))),
      ("Memory of the instances that are not offline",
       humanize.FormatMebibytes(_Sum(instances, "be/maxmem"))),
      ("Their vCPUs", _Sum(instances, "be/vcpus")),
      ("Their disks", humanize.FormatMebibytes(_Sum(instances, "disk_usage"))),
      ("Networks", _NetworksOf(config, cluster,
                               layout.Items(row["networks"]))),
      *_Stored(row)),
    _Findings(config, columns.GROUP, name),
    _Rows(cluster, "Nodes", _Columns(columns.NODE, "group"),
          [i for i in _Read(config, columns.NODE) if i["group"] == name]),
    _Parameters("Instance policy", [
      ("group", row["custom_ipolicy"]), ("cluster", row["ipolicy"])]),
    _Parameters("Node parameters", [
      ("group", row["custom_ndparams"]),
      ("cluster", config.cluster.get("ndparams"))]),
    _Parameters("Disk parameters", [
      ("group", _Flatten(row["custom_diskparams"])),
      ("cluster", _Flatten(config.cluster.get("diskparams")))])]


def _OnNetwork(config: clusterstate.ClusterConfig, cluster: str, uuid: Any
               ) -> markup.Content:
  """Lists the instances on a network, with their addresses.

  """
  rows = [[layout.Link(cluster, columns.INSTANCE, name), ip, mac]
          for (name, uuids, ips, macs)
          in config.tables[columns.INSTANCE].Values(
            ["name", "nic.networks", "nic.ips", "nic.macs"])
          for (network, ip, mac) in zip(uuids or [], ips or [], macs or [])
          if network == uuid]
  content: list[markup.Content] = [
    E("h2", "Interfaces of instances (%d)" % len(rows))]
  if len(rows) > pages.MAX_ROWS:
    content.append(E("p", "The first %d of %d." % (pages.MAX_ROWS, len(rows))))
  if rows:
    content.append(layout.TableElement(
      "Interfaces of instances",
      layout.Headers("Instance", "IP", "MAC"),
      rows[:pages.MAX_ROWS]))
  return content


def _OnGroups(cluster: str, groups: Any) -> markup.Content:
  """Lists the groups on a network, each with mode, link and VLAN.

  """
  rows = []
  for item in layout.Items(groups):
    (name, *rest) = item if isinstance(item, list) and item else [item]
    (mode, link, vlan, *_) = [*rest, None, None, None]
    rows.append([layout.Link(cluster, columns.GROUP, name),
                 layout.FormatValue(mode), layout.FormatValue(link),
                 layout.FormatValue(vlan)])
  if not rows:
    return [E("h2", "Groups"), E("p", "None.")]
  return [E("h2", "Groups"), layout.TableElement(
    "Groups", layout.Headers("Group", "Mode", "Link", "VLAN"), rows)]


def _Network(config: clusterstate.ClusterConfig, cluster: str,
             row: rowstore.Row) -> markup.Content:
  return [
    layout.Definitions(
      ("Subnet", layout.FormatValue(row["network"])),
      ("Gateway", layout.FormatValue(row["gateway"])),
      ("IPv6 subnet", layout.FormatValue(row["network6"])),
      ("IPv6 gateway", layout.FormatValue(row["gateway6"])),
      ("MAC prefix", layout.FormatValue(row["mac_prefix"])),
      ("Free addresses", layout.FormatValue(row["free_count"])),
      ("Addresses for instances", layout.FormatValue(row["usable_count"])),
      ("Reserved for instances", layout.FormatValue(row["used_count"])),
      ("Taken by others", layout.FormatValue(row["external_count"])),
      ("Addresses taken by others",
       layout.FormatValue(row["external_reservations"])), *_Stored(row)),
    _Findings(config, columns.NETWORK, row["name"]),
    _OnGroups(cluster, row["group_list"]),
    _OnNetwork(config, cluster, row["uuid"])]


_MAKE: dict[str, Callable[[clusterstate.ClusterConfig, str, rowstore.Row],
                          markup.Content]] = {
  columns.NODE: _Node,
  columns.INSTANCE: _Instance,
  columns.GROUP: _Group,
  columns.NETWORK: _Network,
  }


def Content(config: clusterstate.ClusterConfig, cluster: str, kind: str,
            index: int) -> markup.Markup:
  """Makes the content of the page about an object.

  @param index: the index of the object's row in its table

  """
  row = config.tables[kind].Row(index)
  # A broken configuration may have two objects of one name
  others = [uuid for (name, uuid) in config.tables[kind].Values(
    ["name", "uuid"]) if name == row["name"] and uuid != row["uuid"]]
  note: Optional[markup.Markup] = None
  if others:
    note = E("p", "There are others of this name: ",
             layout.Links(cluster, kind, others[:_LISTED]), class_="problem")
  return markup.Join(note, _MAKE[kind](config, cluster, row))

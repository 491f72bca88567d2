#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The fields of the inventory's tables: what Ganeti's list commands know.

Facts: names, titles and types are those of Ganeti's C{gnt-instance list-fields}
and its like; what comes from the nodes themselves is left out. Parameters are
filled as Ganeti fills them: the instance's own, else the OS's for this
hypervisor, else the cluster's; a node's own, else its group's, else the
cluster's.

Rule: one entry of a table for each field. A function gets the snapshot and an
object of it, and returns a JSON value; it never raises, whatever is stored.

"""

import collections
import ipaddress

from ganeti.confd.config import lenient


#: Types of values, by Ganeti's names for them. A "unit" is a size in MiB,
#: "other" is a list, an object, or text that may be missing.
TEXT = "text"
NUMBER = "number"
FLOAT = "float"
UNIT = "unit"
BOOL = "bool"
TIMESTAMP = "timestamp"
OTHER = "other"

INSTANCE = "instance"
NODE = "node"
GROUP = "group"
NETWORK = "network"
DISK = "disk"

#: What may be asked for
KINDS = (INSTANCE, NODE, GROUP, NETWORK, DISK)

#: Fields that hold host names, which a filter compares by their beginning
HOSTNAMES = {
  INSTANCE: frozenset(["name", "pnode"]),
  NODE: frozenset(["name"]),
  DISK: frozenset(["instance"]),
  }

#: Fields whose values take more than what is stored of their own object: how
#: much, depends on the rest of the configuration. Queries for them are never
#: answered by a worker.
WIDE = {
  INSTANCE: frozenset(["beparams", "hvparams", "osparams"]),
  NODE: frozenset(["ndparams", "pinst_list", "sinst_list"]),
  GROUP: frozenset(["diskparams", "ipolicy", "ndparams", "node_list",
                    "pinst_list"]),
  NETWORK: frozenset(["external_reservations", "free_count", "group_list",
                      "inst_list", "map", "reserved_count"]),
  DISK: frozenset(),
  }

#: How many numbered fields of disks and nics there are (Ganeti's limits)
_MAX_DISKS = 16
_MAX_NICS = 8

#: What DRBD needs on each node beside the disk itself (MiB)
_DRBD_META_SIZE = 128

#: Types of disks before Ganeti 2.12, by those of today
_DISK_TYPES = {
  "lvm": "plain",
  "drbd8": "drbd",
  }
_NO_USAGE = frozenset(["diskless", "blockdev"])

#: Hypervisor parameters that only the cluster has
_HV_GLOBALS = frozenset(["migration_bandwidth", "migration_mode",
                         "migration_port", "xen_cmd"])

#: What makes a node's role in C{gnt-node list}, the first that holds; confd's
#: own request has another order
_ROLES = [
  ("master_candidate", "C"),
  ("drained", "D"),
  ("offline", "O"),
  ]

#: One field: C{title} heads its column; C{kind} is one of the types above, or
#: None if each value says what it is; C{text} tells what it is; C{get} called
#: with a snapshot and one of its objects
Field = collections.namedtuple("Field", ["name", "title", "kind", "text",
                                         "get"])


def _At(items, index):
  return items[index] if index < len(items) else None


def _SortedDict(value):
  return dict(sorted(value.items()))


def _SortedTexts(value):
  return sorted(item for item in lenient.List(value) if isinstance(item, str))


# Functions that make the functions of the tables

def _Stored(key, check=lenient.Text, default=None):
  return lambda _, item: check(item.stored.get(key), default)


def _Uuid(_, item):
  return item.uuid


def _Name(_, item):
  return item.name


def _Tags(_, item):
  return _SortedTexts(item.stored.get("tags"))


def _OwnDict(item, key):
  """What an object itself has of parameters.

  """
  return lenient.Dict(item.stored.get(key))


def _Own(key):
  return lambda _, item: _SortedDict(_OwnDict(item, key))


def _OwnUnsorted(key):
  return lambda _, item: _OwnDict(item, key)


def _Common(what):
  """The fields that all objects have.

  """
  return [
    Field("uuid", "UUID", TEXT, "UUID of the %s" % what, _Uuid),
    Field("serial_no", "SerialNo", NUMBER,
          "Number of changes of the %s" % what,
          _Stored("serial_no", lenient.Number)),
    Field("ctime", "CTime", TIMESTAMP, "Time of creation",
          _Stored("ctime", lenient.Number)),
    Field("mtime", "MTime", TIMESTAMP, "Time of the last change",
          _Stored("mtime", lenient.Number)),
    ]


def _TagsField(what):
  return Field("tags", "Tags", OTHER, "Tags of the %s" % what, _Tags)


# Parameters in layers: the first that has one counts

def _Filled(layers):
  """Merges layers of parameters.

  """
  result = {}
  for layer in reversed(layers):
    result.update(layer)
  return result


def _Lookup(layers, key):
  for layer in layers:
    if key in layer:
      return layer[key]
  return None


def _Cluster(snapshot, key):
  return lenient.Dict(snapshot.document["cluster"].get(key))


def _BeLayers(snapshot, item):
  return [_OwnDict(item, "beparams"),
          lenient.Dict(_Cluster(snapshot, "beparams").get("default"))]


def _HvLayers(snapshot, item):
  hypervisor = lenient.Text(item.stored.get("hypervisor"))
  os_name = lenient.Text(item.stored.get("os"))
  by_os = lenient.Dict(_Cluster(snapshot, "os_hvp").get(os_name))
  return [_OwnDict(item, "hvparams"),
          lenient.Dict(by_os.get(hypervisor)),
          lenient.Dict(_Cluster(snapshot, "hvparams").get(hypervisor))]


def _OsLayers(snapshot, item):
  (name, _, _) = lenient.Text(item.stored.get("os"), "").partition("+")
  return [_OwnDict(item, "osparams"),
          lenient.Dict(_Cluster(snapshot, "osparams").get(name))]


def _GroupNdLayers(snapshot, item):
  return [_OwnDict(item, "ndparams"),
          _Cluster(snapshot, "ndparams")]


def _NodeNdLayers(snapshot, item):
  layers = [_OwnDict(item, "ndparams")]
  if item.group is not None:
    layers.append(lenient.Dict(item.group.stored.get("ndparams")))
  return layers + [_Cluster(snapshot, "ndparams")]


def _BeParam(key):
  """A backend parameter; there is one size of memory before Ganeti 2.6.

  """
  def _Get(snapshot, item):
    layers = _BeLayers(snapshot, item)
    value = _Lookup(layers, key)
    if value is None and key in ("maxmem", "minmem"):
      value = _Lookup(layers, "memory")
    return value
  return _Get


def _HvParams(snapshot, item):
  params = _Filled(_HvLayers(snapshot, item))
  return _SortedDict({key: value for (key, value) in params.items()
                      if key not in _HV_GLOBALS})


#: Fields named after the parameters there are: C{layers} as above, C{defaults}
#: returns from a snapshot the dicts whose keys are the parameters; C{known}
#: are titles and types by parameter, for those that have their own
_Params = collections.namedtuple("_Params", ["prefix", "word", "layers",
                                             "defaults", "known", "hidden"])

_BE_PARAMS = _Params(
  "be/", "Backend", _BeLayers,
  lambda snapshot: [
    lenient.Dict(_Cluster(snapshot, "beparams").get("default"))],
  {
    "always_failover": (None, BOOL),
    "auto_balance": ("Auto_balance", BOOL),
    "maxmem": ("ConfigMaxMem", UNIT),
    "minmem": ("ConfigMinMem", UNIT),
    "spindle_use": (None, NUMBER),
    "vcpus": ("ConfigVCPUs", NUMBER),
    },
  # It has a field of its own, whichever name it is stored by
  frozenset(["memory"]))

_HV_PARAMS = _Params(
  "hv/", "Hypervisor", _HvLayers,
  lambda snapshot: [lenient.Dict(item)
                    for item in _Cluster(snapshot, "hvparams").values()],
  {
    "acpi": ("ACPI", BOOL),
    "boot_order": ("Boot_order", OTHER),
    "cdrom_image_path": ("CDROM_image_path", OTHER),
    "cpu_type": ("cpu_type", OTHER),
    "disk_type": ("Disk_type", OTHER),
    "initrd_path": ("Initrd_path", OTHER),
    "kernel_path": ("Kernel_path", OTHER),
    "nic_type": ("NIC_type", OTHER),
    "pae": ("PAE", BOOL),
    "pci_pass": ("pci_pass", OTHER),
    "vnc_bind_address": ("VNC_bind_address", OTHER),
    },
  _HV_GLOBALS)


def _NdParams(layers):
  return _Params(
    "ndp/", "Node", layers,
    lambda snapshot: [_Cluster(snapshot, "ndparams")],
    {
      "cpu_speed": (None, FLOAT),
      "exclusive_storage": ("ExclusiveStorage", BOOL),
      "oob_program": ("OutOfBandProgram", OTHER),
      "ovs": ("OpenvSwitch", BOOL),
      "ovs_link": ("OpenvSwitchLink", OTHER),
      "ovs_name": ("OpenvSwitchName", OTHER),
      "spindle_count": ("SpindleCount", NUMBER),
      "ssh_port": (None, NUMBER),
      },
    frozenset())


def _TypeOf(value):
  """Returns the type of a parameter that is not known by name.

  """
  for (kind, what) in [(bool, BOOL), (int, NUMBER), (float, FLOAT)]:
    if isinstance(value, kind):
      return what
  return OTHER


def _ParamField(params, key, kind=None):
  """Makes the field of a parameter.

  """
  get = _BeParam(key) if params is _BE_PARAMS else (
    lambda snapshot, item: _Lookup(params.layers(snapshot, item), key))
  name = params.prefix + key
  (title, known_kind) = params.known.get(key, (None, None))
  return Field(name, title or name, known_kind or kind,
               "%s parameter \"%s\"" % (params.word, key), get)


# Instances

def _AdminState(_, item):
  """The state wanted; up to Ganeti 2.5 it is a boolean.

  """
  state = lenient.Text(item.stored.get("admin_state"))
  if state is None:
    admin_up = lenient.Bool(item.stored.get("admin_up"))
    state = {True: "up", False: "down"}.get(admin_up)
  return state


def _AdminUp(snapshot, item):
  state = _AdminState(snapshot, item)
  return None if state is None else state == "up"


def _DisksActive(snapshot, item):
  return lenient.Bool(item.stored.get("disks_active"), _AdminUp(snapshot, item))


def _PrimaryNode(_, item):
  return item.primary.name


def _PrimaryGroup(attribute):
  return lambda _, item: getattr(item.primary.group, attribute, None)


def _SecondaryNodes(_, item):
  return [node.name for node in item.mirrors]


def _SecondaryGroups(attribute):
  return lambda _, item: [getattr(node.group, attribute)
                          for node in item.mirrors if node.group is not None]


def _DiskType(disk):
  kind = lenient.Text(disk.get("dev_type"))
  return _DISK_TYPES.get(kind, kind)


def _DiskTemplate(_, item):
  """The type of the disks, which the instance says before Ganeti 2.14.

  """
  stored = lenient.Text(item.stored.get("disk_template"))
  if stored is not None:
    return stored
  kinds = set(_DiskType(disk) for disk in item.disks)
  if len(kinds) > 1:
    return "mixed"
  return kinds.pop() if kinds else "diskless"


def _DiskUsage(_, item):
  usage = 0
  for disk in item.disks:
    kind = _DiskType(disk)
    if kind not in _NO_USAGE:
      usage += lenient.Number(disk.get("size"), 0)
    if kind == "drbd":
      usage += _DRBD_META_SIZE
  return usage


def _DiskCount(_, item):
  return len(lenient.List(item.stored.get("disks")))


def _DiskList(key, check):
  return lambda _, item: [check(disk.get(key)) for disk in item.disks]


def _DiskAt(key, check):
  def _Make(index):
    return lambda _, item: check(lenient.Dict(_At(item.disks, index)).get(key))
  return _Make


def _Nics(item):
  return [lenient.Dict(nic) for nic in lenient.List(item.stored.get("nics"))]


def _NicParam(key, builtin):
  def _Get(snapshot, nic):
    layers = [lenient.Dict(nic.get("nicparams")),
              lenient.Dict(_Cluster(snapshot, "nicparams").get("default"))]
    return lenient.Text(_Lookup(layers, key), builtin)
  return _Get


_NicMode = _NicParam("mode", "bridged")
_NicOwnVlan = _NicParam("vlan", "")


def _NicLink(snapshot, nic):
  return snapshot.NicLink(nic)


def _NicBridge(snapshot, nic):
  return (_NicLink(snapshot, nic) if _NicMode(snapshot, nic) == "bridged"
          else None)


def _NicVlan(snapshot, nic):
  return (_NicOwnVlan(snapshot, nic)
          if _NicMode(snapshot, nic) == "openvswitch" else None)


def _NicNetworkName(snapshot, nic):
  network = snapshot.networks.Resolve(nic.get("network"))
  return None if network is None else network.name


def _NicStored(key):
  return lambda _, nic: lenient.Text(nic.get(key))


#: What a nic has: name of the numbered field, its title, name and title of the
#: field with the list, text, and a function of snapshot and nic
_NIC_FIELDS = [
  ("nic.ip", "NicIP", "nic.ips", "NIC_IPs", "IP address", _NicStored("ip")),
  ("nic.uuid", "NicUUID", "nic.uuids", "NIC_UUIDs", "UUID",
   _NicStored("uuid")),
  ("nic.mac", "NicMAC", "nic.macs", "NIC_MACs", "MAC address",
   _NicStored("mac")),
  ("nic.name", "NicName", "nic.names", "NIC_Names", "Name",
   _NicStored("name")),
  ("nic.network", "NicNetwork", "nic.networks", "NIC_networks",
   "UUID of the network", _NicStored("network")),
  ("nic.network.name", "NicNetworkName", "nic.networks.names",
   "NIC_networks_names", "Name of the network", _NicNetworkName),
  ("nic.mode", "NicMode", "nic.modes", "NIC_modes", "Mode", _NicMode),
  ("nic.link", "NicLink", "nic.links", "NIC_links", "Link", _NicLink),
  ("nic.vlan", "NicVLAN", "nic.vlans", "NIC_VLANs", "VLAN", _NicVlan),
  ("nic.bridge", "NicBridge", "nic.bridges", "NIC_bridges", "Bridge",
   _NicBridge),
  ]

#: The same of a disk, with its type, key as stored and that value's check
_DISK_FIELDS = [
  ("disk.size", "Disk", "disk.sizes", "Disk_sizes", "Size", UNIT, "size",
   lenient.Number),
  ("disk.spindles", "DiskSpindles", "disk.spindles", "Disk_spindles",
   "Number of spindles", NUMBER, "spindles", lenient.Number),
  ("disk.name", "DiskName", "disk.names", "Disk_names", "Name", TEXT, "name",
   lenient.Text),
  ("disk.uuid", "DiskUUID", "disk.uuids", "Disk_UUIDs", "UUID", TEXT, "uuid",
   lenient.Text),
  ]


def _NicFields():
  def _All(get):
    return lambda snapshot, item: [get(snapshot, nic) for nic in _Nics(item)]

  def _Numbered(get, index):
    def _Get(snapshot, item):
      nic = _At(_Nics(item), index)
      return None if nic is None else get(snapshot, nic)
    return _Get

  fields = [Field("nic.count", "NICs", NUMBER, "Number of network interfaces",
                  lambda _, item: len(_Nics(item)))]
  for (name, title, names, titles, text, get) in _NIC_FIELDS:
    fields.append(Field(names, titles, OTHER,
                        "%s of each network interface" % text, _All(get)))
    fields.extend(Field("%s/%d" % (name, i), "%s/%d" % (title, i), TEXT,
                        "%s of network interface %d" % (text, i),
                        _Numbered(get, i)) for i in range(_MAX_NICS))
  return fields


def _DiskFields():
  fields = []
  for (name, title, names, titles, text, kind, key, check) in _DISK_FIELDS:
    fields.append(Field(names, titles, OTHER, "%s of each disk" % text,
                        _DiskList(key, check)))
    fields.extend(Field("%s/%d" % (name, i), "%s/%d" % (title, i), kind,
                        "%s of disk %d" % (text, i), _DiskAt(key, check)(i))
                  for i in range(_MAX_DISKS))
  return fields


_INSTANCE_FIELDS = [
  Field("name", "Instance", TEXT, "Name", _Name),
  Field("admin_state", "InstanceState", TEXT,
        "State the instance shall be in", _AdminState),
  Field("admin_state_source", "InstanceStateSource", TEXT,
        "Who set that state", _Stored("admin_state_source", default="admin")),
  Field("admin_up", "Autostart", BOOL, "Whether the instance shall be up",
        _AdminUp),
  Field("disks_active", "DisksActive", BOOL,
        "Whether the disks shall be active", _DisksActive),
  Field("forthcoming", "Forthcoming", BOOL,
        "Whether the instance is only planned",
        _Stored("forthcoming", lenient.Bool, False)),
  Field("hypervisor", "Hypervisor", TEXT, "Name of the hypervisor",
        _Stored("hypervisor")),
  Field("os", "OS", TEXT, "Operating system", _Stored("os")),
  Field("network_port", "Network_port", OTHER,
        "TCP port of the console, where there is one",
        _Stored("network_port", lenient.Number)),
  Field("pnode", "Primary_node", TEXT, "Primary node", _PrimaryNode),
  Field("pnode.group", "PrimaryNodeGroup", TEXT,
        "Name of the primary node's group", _PrimaryGroup("name")),
  Field("pnode.group.uuid", "PrimaryNodeGroupUUID", TEXT,
        "UUID of the primary node's group", _PrimaryGroup("uuid")),
  Field("snodes", "Secondary_Nodes", OTHER, "Secondary nodes",
        _SecondaryNodes),
  Field("snodes.group", "SecondaryNodesGroups", OTHER,
        "Names of the secondary nodes' groups", _SecondaryGroups("name")),
  Field("snodes.group.uuid", "SecondaryNodesGroupsUUID", OTHER,
        "UUIDs of the secondary nodes' groups", _SecondaryGroups("uuid")),
  Field("beparams", "BackendParameters", OTHER, "All backend parameters",
        lambda snapshot, item: _Filled(_BeLayers(snapshot, item))),
  Field("custom_beparams", "CustomBackendParameters", OTHER,
        "Backend parameters of its own",
        _OwnUnsorted("beparams")),
  Field("hvparams", "HypervisorParameters", OTHER,
        "All hypervisor parameters", _HvParams),
  Field("custom_hvparams", "CustomHypervisorParameters", OTHER,
        "Hypervisor parameters of its own", _Own("hvparams")),
  Field("osparams", "OpSysParameters", OTHER,
        "All operating system parameters, but for private ones",
        lambda snapshot, item: _SortedDict(_Filled(_OsLayers(snapshot,
                                                             item)))),
  Field("custom_osparams", "CustomOpSysParameters", OTHER,
        "Operating system parameters of its own, but for private ones",
        _Own("osparams")),
  Field("custom_nicparams", "CustomNicParameters", OTHER,
        "Own parameters of each network interface",
        lambda _, item: [lenient.Dict(nic.get("nicparams"))
                         for nic in _Nics(item)]),
  Field("disk_template", "Disk_template", TEXT, "Type of the disks",
        _DiskTemplate),
  Field("disk_usage", "DiskUsage", UNIT,
        "Space that the disks take on each of their nodes", _DiskUsage),
  Field("disk.count", "Disks", NUMBER, "Number of disks", _DiskCount),
  _TagsField(INSTANCE),
  ] + _Common(INSTANCE) + _NicFields() + _DiskFields()

#: Other names of some fields
_INSTANCE_ALIASES = {
  "be/memory": "be/maxmem",
  "bridge": "nic.bridge/0",
  "ip": "nic.ip/0",
  "mac": "nic.mac/0",
  "nic_link": "nic.link/0",
  "nic_mode": "nic.mode/0",
  "nic_network": "nic.network/0",
  "sda_size": "disk.size/0",
  "sdb_size": "disk.size/1",
  "vcpus": "be/vcpus",
  }


# Nodes

def _InstanceNames(attribute):
  return lambda _, item: [instance["name"]
                          for instance in getattr(item, attribute)]


def _InstanceCount(attribute):
  return lambda _, item: len(getattr(item, attribute))


def _Powered(snapshot, item):
  """Whether the node is on: nobody knows without an out-of-band program.

  """
  if not _Lookup(_NodeNdLayers(snapshot, item), "oob_program"):
    return None
  return lenient.Bool(item.stored.get("powered"), True)


def _Role(snapshot, item):
  if item is snapshot.master:
    return "M"
  for (key, role) in _ROLES:
    if item.stored.get(key) is True:
      return role
  return "R"


_NODE_FIELDS = [
  Field("name", "Node", TEXT, "Name", _Name),
  Field("pip", "PrimaryIP", TEXT, "Primary IP address",
        lambda _, item: item.primary_ip),
  Field("sip", "SecondaryIP", TEXT, "Secondary IP address",
        _Stored("secondary_ip")),
  Field("role", "Role", TEXT,
        "Role: M master, C master candidate, R regular, D drained, O offline",
        _Role),
  Field("master", "IsMaster", BOOL, "Whether it is the master",
        lambda snapshot, item: item is snapshot.master),
  Field("master_candidate", "MasterC", BOOL,
        "Whether it is a master candidate",
        _Stored("master_candidate", lenient.Bool, False)),
  Field("master_capable", "MasterCapable", BOOL,
        "Whether it may become a master candidate",
        _Stored("master_capable", lenient.Bool, True)),
  Field("vm_capable", "VMCapable", BOOL, "Whether it may have instances",
        _Stored("vm_capable", lenient.Bool, True)),
  Field("drained", "Drained", BOOL, "Whether it is drained",
        _Stored("drained", lenient.Bool, False)),
  Field("offline", "Offline", BOOL, "Whether it is offline",
        _Stored("offline", lenient.Bool, False)),
  Field("powered", "Powered", BOOL, "Whether it is powered on, as far as known",
        _Powered),
  Field("group", "Group", TEXT, "Name of its group",
        lambda _, item: getattr(item.group, "name", None)),
  Field("group.uuid", "GroupUUID", TEXT, "UUID of its group",
        _Stored("group")),
  Field("ndparams", "NodeParameters", OTHER, "All node parameters",
        lambda snapshot, item: _Filled(_NodeNdLayers(snapshot, item))),
  Field("custom_ndparams", "CustomNodeParameters", OTHER,
        "Node parameters of its own",
        _OwnUnsorted("ndparams")),
  Field("pinst_cnt", "Pinst", NUMBER, "Number of primary instances",
        _InstanceCount("primary")),
  Field("pinst_list", "PriInstances", OTHER, "Names of primary instances",
        _InstanceNames("primary")),
  Field("sinst_cnt", "Sinst", NUMBER, "Number of secondary instances",
        _InstanceCount("secondary")),
  Field("sinst_list", "SecInstances", OTHER, "Names of secondary instances",
        _InstanceNames("secondary")),
  _TagsField(NODE),
  ] + _Common(NODE)


# Groups

def _GroupPolicy(snapshot, item):
  """The policy about instances: the group's over the cluster's.

  """
  default = _Cluster(snapshot, "ipolicy")
  own = _OwnDict(item, "ipolicy")
  policy = _Filled([own, default])
  if "std" in own and "std" in default:
    policy["std"] = _Filled([lenient.Dict(own["std"]),
                             lenient.Dict(default["std"])])
  return policy


_GROUP_FIELDS = [
  Field("name", "Group", TEXT, "Name", _Name),
  Field("alloc_policy", "AllocPolicy", TEXT,
        "How readily instances are put here", _Stored("alloc_policy")),
  Field("ipolicy", "InstancePolicy", OTHER, "Whole policy about instances",
        _GroupPolicy),
  Field("custom_ipolicy", "CustomInstancePolicy", OTHER,
        "Policy about instances of its own",
        _OwnUnsorted("ipolicy")),
  Field("diskparams", "DiskParameters", OTHER, "All disk parameters",
        lambda snapshot, item: _SortedDict(_Filled(
          [_OwnDict(item, "diskparams"),
           _Cluster(snapshot, "diskparams")]))),
  Field("custom_diskparams", "CustomDiskParameters", OTHER,
        "Disk parameters of its own", _Own("diskparams")),
  Field("ndparams", "NDParams", OTHER, "All node parameters",
        lambda snapshot, item: _Filled(_GroupNdLayers(snapshot, item))),
  Field("custom_ndparams", "CustomNDParams", OTHER,
        "Node parameters of its own",
        _OwnUnsorted("ndparams")),
  Field("node_cnt", "Nodes", NUMBER, "Number of nodes",
        lambda _, item: len(item.nodes)),
  Field("node_list", "NodeList", OTHER, "Names of the nodes",
        lambda _, item: [node.name for node in item.nodes]),
  Field("pinst_cnt", "Instances", NUMBER, "Number of primary instances",
        lambda _, item: len(item.instances)),
  Field("pinst_list", "InstanceList", OTHER, "Names of primary instances",
        lambda _, item: item.instances),
  _TagsField(GROUP),
  ] + _Common(GROUP)


# Networks

def _Reservations(item, *keys):
  """Tells which of a network's addresses are taken.

  They are stored as a text with "0" and "1" for each address.

  @rtype: string
  @return: "X" for each address that is taken, "." for the others

  """
  texts = [lenient.Text(item.stored.get(key)) or "" for key in keys]
  size = max(len(text) for text in texts)
  taken = ["X" if "1" in both else "."
           for both in zip(*[text.ljust(size, "0") for text in texts])]
  return "".join(taken)


def _Map(_, item):
  return _Reservations(item, "reservations", "ext_reservations")


def _ExternalReservations(_, item):
  try:
    subnet = ipaddress.ip_network(lenient.Text(item.stored.get("network"), ""))
  except ValueError:
    return None
  marks = _Reservations(item, "ext_reservations")[:subnet.num_addresses]
  return ", ".join(str(subnet[i]) for (i, mark) in enumerate(marks)
                   if mark == "X")


def _Connections(_, item):
  """How groups are connected: name, mode, link, VLAN.

  """
  return [[group.name] + [lenient.Text(how.get(key), "-")
                          for key in ("mode", "link", "vlan")]
          for (group, how) in item.groups]


_NETWORK_FIELDS = [
  Field("name", "Network", TEXT, "Name", _Name),
  Field("network", "Subnet", TEXT, "IPv4 subnet", _Stored("network")),
  Field("gateway", "Gateway", OTHER, "IPv4 gateway", _Stored("gateway")),
  Field("network6", "IPv6Subnet", OTHER, "IPv6 subnet", _Stored("network6")),
  Field("gateway6", "IPv6Gateway", OTHER, "IPv6 gateway",
        _Stored("gateway6")),
  Field("mac_prefix", "MacPrefix", OTHER, "First half of MAC addresses",
        _Stored("mac_prefix")),
  Field("free_count", "FreeCount", NUMBER, "Number of free addresses",
        lambda snapshot, item: _Map(snapshot, item).count(".")),
  Field("reserved_count", "ReservedCount", NUMBER,
        "Number of addresses that are taken",
        lambda snapshot, item: _Map(snapshot, item).count("X")),
  Field("map", "Map", TEXT, "An X for each address that is taken", _Map),
  Field("external_reservations", "ExternalReservations", TEXT,
        "Addresses that are taken by others than instances",
        _ExternalReservations),
  Field("group_cnt", "NodeGroups", NUMBER, "Number of groups on it",
        lambda _, item: len(item.groups)),
  Field("group_list", "GroupList", OTHER,
        "Groups on it, each with mode, link and VLAN", _Connections),
  Field("inst_cnt", "Instances", NUMBER, "Number of instances on it",
        lambda _, item: len(item.instances)),
  Field("inst_list", "InstanceList", OTHER, "Names of the instances on it",
        lambda _, item: item.instances),
  _TagsField(NETWORK),
  ] + _Common(NETWORK)


# Disks

def _DiskNodes(snapshot, item):
  """The nodes a disk is on: both of DRBD's, else those that are stored.

  """
  stored = item.stored
  references = lenient.List(stored.get("nodes"))
  if _DiskType(stored) == "drbd":
    references = lenient.List(stored.get("logical_id"))[:2]
  nodes = [snapshot.nodes.Resolve(reference) for reference in references]
  names = [node.name for node in nodes if node is not None]
  if not names and item.instance is not None:
    names = [item.instance.primary.name]
  return names


_DISK_TABLE_FIELDS = [
  Field("name", "Name", TEXT, "Name, where it has one", _Name),
  Field("instance", "Instance", TEXT, "Instance that has it",
        lambda _, item: getattr(item.instance, "name", None)),
  Field("index", "Index", NUMBER, "Its number in that instance",
        lambda _, item: item.index),
  Field("dev_type", "Type", TEXT, "Type", _Stored("dev_type")),
  Field("size", "Size", UNIT, "Size", _Stored("size", lenient.Number)),
  Field("mode", "Mode", TEXT, "Mode: rw or ro", _Stored("mode")),
  Field("nodes", "Nodes", OTHER, "Nodes that it is on", _DiskNodes),
  Field("spindles", "Spindles", NUMBER, "Number of spindles",
        _Stored("spindles", lenient.Number)),
  ] + _Common(DISK)


#: A kind of objects: C{fields} by name; C{aliases} to other fields' names;
#: C{params} those named after parameters; C{directory} where they are in a
#: snapshot
_Table = collections.namedtuple("_Table", ["fields", "aliases", "params",
                                           "directory"])


def _MakeTable(fields, directory, params=(), aliases=()):
  return _Table({field.name: field for field in fields}, dict(aliases),
                params, directory)


_TABLES = {
  INSTANCE: _MakeTable(_INSTANCE_FIELDS, lambda snapshot: snapshot.instances,
                       [_BE_PARAMS, _HV_PARAMS], _INSTANCE_ALIASES),
  NODE: _MakeTable(_NODE_FIELDS, lambda snapshot: snapshot.nodes,
                   [_NdParams(_NodeNdLayers)]),
  GROUP: _MakeTable(_GROUP_FIELDS, lambda snapshot: snapshot.groups,
                    [_NdParams(_GroupNdLayers)]),
  NETWORK: _MakeTable(_NETWORK_FIELDS, lambda snapshot: snapshot.networks),
  DISK: _MakeTable(_DISK_TABLE_FIELDS, lambda snapshot: snapshot.disks),
  }


def Directory(snapshot, what):
  """Returns where a configuration's objects of a kind are.

  @return: with C{items}, by name, and C{Find}

  """
  return _TABLES[what].directory(snapshot)


def Describe(what, name):
  """Tells what is known of a field without a configuration.

  @type what: string
  @param what: one of L{KINDS}
  @type name: string
  @rtype: L{Field}
  @return: C{kind} is None where a value says what it is, and for a field that
    is not known here

  """
  table = _TABLES[what]
  real = table.aliases.get(name, name)
  field = table.fields.get(real)
  if field is None:
    for params in table.params:
      if real.startswith(params.prefix):
        field = _ParamField(params, real[len(params.prefix):])
  if field is None:
    return Field(name, name, None, "", None)
  return field._replace(name=name)


def Find(snapshot, what, name):
  """Finds a field that a configuration has.

  @type what: string
  @param what: one of L{KINDS}
  @rtype: L{Field} or None

  """
  table = _TABLES[what]
  name = table.aliases.get(name, name)
  field = table.fields.get(name)
  if field is None:
    for params in table.params:
      key = name[len(params.prefix):]
      if name.startswith(params.prefix) and key not in params.hidden and \
         (key in params.known or
          any(key in defaults for defaults in params.defaults(snapshot))):
        return _ParamField(params, key)
  return field


def All(snapshot, what):
  """Lists the fields that a configuration has.

  @type what: string
  @param what: one of L{KINDS}
  @return: rows of [name, title, type, text], by name

  """
  table = _TABLES[what]
  fields = dict(table.fields)
  for params in table.params:
    defaults = params.defaults(snapshot)
    for key in set(params.known).union(*defaults).difference(params.hidden):
      kind = _TypeOf(_Lookup(defaults, key))
      field = _ParamField(params, key, kind)
      fields[field.name] = field
  for (alias, name) in table.aliases.items():
    fields[alias] = fields[name]
  return [[name, field.title, field.kind, field.text]
          for (name, field) in sorted(fields.items())]

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The fields of the inventory's tables: names, titles and types.

Clients need no more than this description; the daemon's functions for the
values of fields are in C{config.fields}.

Facts: names, titles and types are those of Ganeti's C{gnt-instance list-fields}
and its like. Ganeti's fields with live values, which only the nodes know, are
left out.

Rule: each field has one entry in a table here, and one in C{config.fields}. A
unit test compares the names.

"""

from __future__ import annotations

from ganeti.confd import protocol
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Iterable, Optional



#: Ganeti's names for the types of fields. UNIT is a size in MiB; OTHER is a
#: list, an object, or text that may be missing.
TEXT = "text"
NUMBER = "number"
FLOAT = "float"
UNIT = "unit"
BOOL = "bool"
TIMESTAMP = "timestamp"
OTHER = "other"

KINDS = protocol.KINDS
(INSTANCE, NODE, GROUP, NETWORK, DISK) = KINDS

#: Maps the letter that tables show for the role of a node to the name of the
#: role
ROLES = {
  "M": "master",
  "C": "candidate",
  "R": "regular",
  "D": "drained",
  "O": "offline",
  }

#: The fields that hold host names. In a filter, the value of such a field may
#: be the host name's short form.
HOSTNAMES: dict[str, frozenset[str]] = {
  INSTANCE: frozenset(["name", "pnode"]),
  NODE: frozenset(["name"]),
  GROUP: frozenset(),
  NETWORK: frozenset(),
  DISK: frozenset(["instance"]),
  }

#: Ganeti's limits on the number of disks and of nics of an instance. Each disk
#: and each nic has fields of its own, such as C{disk.size/0}.
MAX_DISKS = 16
MAX_NICS = 8


class Column(NamedTuple):
  """The description of a field.

  @ivar title: the heading of its column
  @ivar kind: one of the types above; None for a field of any type
  @ivar text: explains the field to users

  """
  name: str
  title: str
  kind: Optional[str]
  text: str


class Numbered(NamedTuple):
  """The description of a group of fields for disks or network interfaces.

  A group has a field for each disk or interface of an instance, NAME/0 and so
  on, and one for the list of all, whose name and title are C{names} and
  C{titles}.

  @ivar kind: type of the numbered fields

  """
  name: str
  title: str
  names: str
  titles: str
  kind: str
  text: str


class Params(NamedTuple):
  """A group of fields for parameters, which differ between configurations.

  @ivar prefix: the beginning of the fields' names
  @ivar word: the kind of the parameters, for texts: "Backend" and so on
  @ivar known: title and type of some parameters; a title of None stands for the
    field's name

  """
  prefix: str
  word: str
  known: dict[str, tuple[Optional[str], str]]

  def Describe(self, key: str, kind: Optional[str] = None) -> Column:
    """Describes the field of a parameter.

    @param kind: type of a parameter that is not in C{known}

    """
    name = self.prefix + key
    (title, known_kind) = self.known.get(key, (None, None))
    return Column(name, title or name, known_kind or kind,
                  "%s parameter \"%s\"" % (self.word, key))


class Table(NamedTuple):
  """The fields of one kind of objects.

  @ivar columns: by name
  @ivar aliases: alternative name to name

  """
  columns: dict[str, Column]
  params: list[Params]
  aliases: dict[str, str]


def _Common(what: str) -> list[Column]:
  """Returns the fields that all kinds of objects have.

  """
  return [
    Column("uuid", "UUID", TEXT, "UUID of the %s" % what),
    Column("indexed", "Indexed", BOOL,
           "Whether the %s is stored under its UUID" % what),
    Column("serial_no", "SerialNo", NUMBER,
           "Number of changes of the %s" % what),
    Column("ctime", "CTime", TIMESTAMP, "Time of creation"),
    Column("mtime", "MTime", TIMESTAMP, "Time of the last change"),
    ]


def _Tags(what: str) -> Column:
  return Column("tags", "Tags", OTHER, "Tags of the %s" % what)


# The fields of instances

BE_PARAMS = Params("be/", "Backend", {
  "always_failover": (None, BOOL),
  "auto_balance": ("Auto_balance", BOOL),
  "maxmem": ("ConfigMaxMem", UNIT),
  "minmem": ("ConfigMinMem", UNIT),
  "spindle_use": (None, NUMBER),
  "vcpus": ("ConfigVCPUs", NUMBER),
  })

#: Hypervisor parameters that cannot be set for a single instance, but for the
#: whole cluster only
HV_GLOBALS = frozenset(["migration_bandwidth", "migration_mode",
                        "migration_port", "xen_cmd"])

HV_PARAMS = Params("hv/", "Hypervisor", {
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
  })

NICS = [
  Numbered("nic.ip", "NicIP", "nic.ips", "NIC_IPs", TEXT, "IP address"),
  Numbered("nic.uuid", "NicUUID", "nic.uuids", "NIC_UUIDs", TEXT, "UUID"),
  Numbered("nic.mac", "NicMAC", "nic.macs", "NIC_MACs", TEXT, "MAC address"),
  Numbered("nic.name", "NicName", "nic.names", "NIC_Names", TEXT, "Name"),
  Numbered("nic.network", "NicNetwork", "nic.networks", "NIC_networks", TEXT,
           "UUID of the network"),
  Numbered("nic.network.name", "NicNetworkName", "nic.networks.names",
           "NIC_networks_names", TEXT, "Name of the network"),
  Numbered("nic.network.subnet", "NicSubnet", "nic.networks.subnets",
           "NIC_subnets", TEXT, "Subnet of the network"),
  Numbered("nic.network.gateway", "NicGateway", "nic.networks.gateways",
           "NIC_gateways", TEXT, "Gateway of the network"),
  Numbered("nic.mode", "NicMode", "nic.modes", "NIC_modes", TEXT, "Mode"),
  Numbered("nic.link", "NicLink", "nic.links", "NIC_links", TEXT, "Link"),
  Numbered("nic.vlan", "NicVLAN", "nic.vlans", "NIC_VLANs", TEXT, "VLAN"),
  Numbered("nic.bridge", "NicBridge", "nic.bridges", "NIC_bridges", TEXT,
           "Bridge"),
  ]

DISKS = [
  Numbered("disk.size", "Disk", "disk.sizes", "Disk_sizes", UNIT, "Size"),
  Numbered("disk.spindles", "DiskSpindles", "disk.spindles", "Disk_spindles",
           NUMBER, "Number of spindles"),
  Numbered("disk.name", "DiskName", "disk.names", "Disk_names", TEXT, "Name"),
  Numbered("disk.uuid", "DiskUUID", "disk.uuids", "Disk_UUIDs", TEXT, "UUID"),
  ]


def _Number(items: list[Numbered], what: str, count: int) -> Iterable[Column]:
  for item in items:
    yield Column(item.names, item.titles, OTHER,
                 "%s of each %s" % (item.text, what))
    for i in range(count):
      yield Column("%s/%d" % (item.name, i), "%s/%d" % (item.title, i),
                   item.kind, "%s of %s %d" % (item.text, what, i))


_INSTANCE_COLUMNS = [
  Column("name", "Instance", TEXT, "Name"),
  Column("admin_state", "InstanceState", TEXT,
         "Desired state of the instance"),
  Column("admin_state_source", "InstanceStateSource", TEXT,
         "Who set the desired state: admin or user"),
  Column("admin_up", "Autostart", BOOL, "Whether the desired state is up"),
  Column("disks_active", "DisksActive", BOOL,
         "Whether the disks should be active"),
  Column("forthcoming", "Forthcoming", BOOL,
         "Whether the instance is planned, and does not exist yet"),
  Column("hypervisor", "Hypervisor", TEXT, "Name of the hypervisor"),
  Column("os", "OS", TEXT, "Operating system"),
  Column("network_port", "Network_port", OTHER,
         "TCP port of the console, if it has one"),
  Column("pnode", "Primary_node", TEXT, "Primary node"),
  Column("pnode.group", "PrimaryNodeGroup", TEXT,
         "Name of the primary node's group"),
  Column("pnode.group.uuid", "PrimaryNodeGroupUUID", TEXT,
         "UUID of the primary node's group"),
  Column("snodes", "Secondary_Nodes", OTHER, "Secondary nodes"),
  Column("snodes.group", "SecondaryNodesGroups", OTHER,
         "Names of the secondary nodes' groups"),
  Column("snodes.group.uuid", "SecondaryNodesGroupsUUID", OTHER,
         "UUIDs of the secondary nodes' groups"),
  Column("beparams", "BackendParameters", OTHER, "All backend parameters"),
  Column("custom_beparams", "CustomBackendParameters", OTHER,
         "Backend parameters set for the instance itself"),
  Column("hvparams", "HypervisorParameters", OTHER,
         "All hypervisor parameters"),
  Column("custom_hvparams", "CustomHypervisorParameters", OTHER,
         "Hypervisor parameters set for the instance itself"),
  Column("osparams", "OpSysParameters", OTHER,
         "All operating system parameters, without private ones"),
  Column("custom_osparams", "CustomOpSysParameters", OTHER,
         "Operating system parameters set for the instance itself, without"
         " private ones"),
  Column("custom_nicparams", "CustomNicParameters", OTHER,
         "Parameters set for each network interface itself"),
  Column("nic.count", "NICs", NUMBER, "Number of network interfaces"),
  Column("disk_template", "Disk_template", TEXT, "Type of the disks"),
  Column("disk_usage", "DiskUsage", UNIT,
         "Space that the disks use on each of their nodes"),
  Column("disk.count", "Disks", NUMBER, "Number of disks"),
  _Tags(INSTANCE),
  *_Common(INSTANCE),
  *_Number(NICS, "network interface", MAX_NICS),
  *_Number(DISKS, "disk", MAX_DISKS),
  ]

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


# The fields of nodes

ND_PARAMS = Params("ndp/", "Node", {
  "cpu_speed": (None, FLOAT),
  "exclusive_storage": ("ExclusiveStorage", BOOL),
  "oob_program": ("OutOfBandProgram", OTHER),
  "ovs": ("OpenvSwitch", BOOL),
  "ovs_link": ("OpenvSwitchLink", OTHER),
  "ovs_name": ("OpenvSwitchName", OTHER),
  "spindle_count": ("SpindleCount", NUMBER),
  "ssh_port": (None, NUMBER),
  })

def _Configured() -> list[Column]:
  """Returns the columns for the sums over a node's or a group's instances.

  """
  result = []
  for (prefix, title, which) in [("pinst", "Pri", "primary"),
                                 ("sinst", "Sec", "secondary")]:
    result += [
      Column(prefix + "_maxmem", title + "MaxMem", UNIT,
             "Sum of maxmem of %s instances, without offline ones" % which),
      Column(prefix + "_vcpus", title + "VCPUs", NUMBER,
             "Sum of vcpus of %s instances, without offline ones" % which),
      Column(prefix + "_disk", title + "Disk", UNIT,
             "Sum of disk_usage of %s instances" % which),
      ]
  return result


_NODE_COLUMNS = [
  Column("name", "Node", TEXT, "Name"),
  Column("pip", "PrimaryIP", TEXT, "Primary IP address"),
  Column("sip", "SecondaryIP", TEXT, "Secondary IP address"),
  Column("role", "Role", TEXT,
         "Role: M master, C master candidate, R regular, D drained, O offline"),
  Column("master", "IsMaster", BOOL, "Whether the node is the master"),
  Column("master_candidate", "MasterC", BOOL,
         "Whether the node is a master candidate"),
  Column("master_capable", "MasterCapable", BOOL,
         "Whether the node may become a master candidate"),
  Column("vm_capable", "VMCapable", BOOL,
         "Whether the node may have instances"),
  Column("drained", "Drained", BOOL, "Whether the node is drained"),
  Column("offline", "Offline", BOOL, "Whether the node is offline"),
  Column("powered", "Powered", BOOL,
         "Whether the node is powered on, if that is known"),
  Column("group", "Group", TEXT, "Name of the node's group"),
  Column("group.uuid", "GroupUUID", TEXT, "UUID of the node's group"),
  Column("ndparams", "NodeParameters", OTHER, "All node parameters"),
  Column("custom_ndparams", "CustomNodeParameters", OTHER,
         "Node parameters set for the node itself"),
  Column("pinst_cnt", "Pinst", NUMBER, "Number of primary instances"),
  Column("pinst_list", "PriInstances", OTHER, "Names of primary instances"),
  Column("sinst_cnt", "Sinst", NUMBER, "Number of secondary instances"),
  Column("sinst_list", "SecInstances", OTHER, "Names of secondary instances"),
  *_Configured(),
  _Tags(NODE),
  *_Common(NODE),
  ]


_GROUP_COLUMNS = [
  Column("name", "Group", TEXT, "Name"),
  Column("alloc_policy", "AllocPolicy", TEXT,
         "Allocation policy: whether new instances are put into the group"),
  Column("ipolicy", "InstancePolicy", OTHER,
         "Instance policy, with the cluster's defaults"),
  Column("custom_ipolicy", "CustomInstancePolicy", OTHER,
         "Instance policy set for the group itself"),
  Column("diskparams", "DiskParameters", OTHER, "All disk parameters"),
  Column("custom_diskparams", "CustomDiskParameters", OTHER,
         "Disk parameters set for the group itself"),
  Column("ndparams", "NDParams", OTHER, "All node parameters"),
  Column("custom_ndparams", "CustomNDParams", OTHER,
         "Node parameters set for the group itself"),
  Column("networks", "Networks", OTHER,
         "UUIDs of the networks connected to the group"),
  Column("node_cnt", "Nodes", NUMBER, "Number of nodes"),
  Column("node_list", "NodeList", OTHER, "Names of the nodes"),
  Column("pinst_cnt", "Instances", NUMBER, "Number of primary instances"),
  Column("pinst_list", "InstanceList", OTHER, "Names of primary instances"),
  *_Configured(),
  _Tags(GROUP),
  *_Common(GROUP),
  ]


_NETWORK_COLUMNS = [
  Column("name", "Network", TEXT, "Name"),
  Column("network", "Subnet", TEXT, "IPv4 subnet"),
  Column("gateway", "Gateway", OTHER, "IPv4 gateway"),
  Column("network6", "IPv6Subnet", OTHER, "IPv6 subnet"),
  Column("gateway6", "IPv6Gateway", OTHER, "IPv6 gateway"),
  Column("mac_prefix", "MacPrefix", OTHER, "First half of MAC addresses"),
  Column("free_count", "FreeCount", NUMBER, "Number of free addresses"),
  Column("reserved_count", "ReservedCount", NUMBER,
         "Number of addresses that are taken"),
  Column("usable_count", "UsableCount", NUMBER,
         "Number of addresses that instances have or can get"),
  Column("used_count", "UsedCount", NUMBER,
         "Number of addresses that are reserved for instances"),
  Column("external_count", "ExternalCount", NUMBER,
         "Number of addresses that are reserved for other uses"),
  Column("map", "Map", TEXT, "An X for each address that is taken"),
  Column("instance_reservations", "InstanceReservations", TEXT,
         "Addresses that are reserved for instances"),
  Column("external_reservations", "ExternalReservations", TEXT,
         "Addresses that are reserved for other uses than instances"),
  Column("ip_list", "IPList", OTHER,
         "IP addresses of the instances on the network"),
  Column("group_cnt", "NodeGroups", NUMBER,
         "Number of groups connected to the network"),
  Column("group_list", "GroupList", OTHER,
         "Groups connected to the network, each with mode, link and VLAN"),
  Column("inst_cnt", "Instances", NUMBER, "Number of instances on the network"),
  Column("inst_list", "InstanceList", OTHER,
         "Names of the instances on the network"),
  _Tags(NETWORK),
  *_Common(NETWORK),
  ]


_DISK_COLUMNS = [
  Column("name", "Name", TEXT, "Name, if the disk has one"),
  Column("instance", "Instance", TEXT,
         "Name of the instance that the disk is attached to"),
  Column("index", "Index", NUMBER, "Number of the disk in that instance"),
  Column("attached", "Attached", NUMBER,
         "How many times the disk is attached; more than once is an error"),
  Column("dev_type", "Type", TEXT, "Type"),
  Column("size", "Size", UNIT, "Size"),
  Column("mode", "Mode", TEXT, "Mode: rw or ro"),
  Column("iv_name", "IvName", TEXT, "Name of the disk inside the instance"),
  Column("nodes", "Nodes", OTHER, "Nodes that store the disk"),
  Column("spindles", "Spindles", NUMBER, "Number of spindles"),
  Column("port", "Port", OTHER, "TCP port of DRBD"),
  Column("minors", "Minors", OTHER, "DRBD minors on the disk's nodes"),
  Column("minors.shared", "SharedMinors", OTHER,
         "DRBD minors that another disk has on the same node, with the node"),
  Column("vg", "VolumeGroup", TEXT, "Volume group of LVM"),
  Column("pool", "Pool", TEXT, "Pool of RBD"),
  Column("provider", "Provider", TEXT, "Provider of external storage"),
  Column("volumes", "Volumes", OTHER,
         "Logical volumes, files or images that store the disk"),
  Column("volumes.shared", "SharedVolumes", OTHER,
         "Volumes that another disk has, too"),
  Column("secret.shared", "SharedSecret", BOOL,
         "Whether another disk has the same DRBD secret"),
  *_Common(DISK),
  ]


def _MakeTable(columns: list[Column], params: Iterable[Params] = (),
               aliases: Optional[dict[str, str]] = None) -> Table:
  return Table({column.name: column for column in columns}, list(params),
               aliases or {})


#: Maps each of L{KINDS} to the table of that kind
TABLES = {
  INSTANCE: _MakeTable(_INSTANCE_COLUMNS, [BE_PARAMS, HV_PARAMS],
                       _INSTANCE_ALIASES),
  NODE: _MakeTable(_NODE_COLUMNS, [ND_PARAMS]),
  GROUP: _MakeTable(_GROUP_COLUMNS, [ND_PARAMS]),
  NETWORK: _MakeTable(_NETWORK_COLUMNS),
  DISK: _MakeTable(_DISK_COLUMNS),
  }


def Describe(what: str, name: str) -> Column:
  """Returns the description of a field of any name.

  @param what: one of L{KINDS}
  @return: a description whose type is None if the field is unknown

  """
  table = TABLES[what]
  real = table.aliases.get(name, name)
  column = table.columns.get(real)
  if column is None:
    for params in table.params:
      if real.startswith(params.prefix):
        column = params.Describe(real[len(params.prefix):])
  if column is None:
    return Column(name, name, None, "")
  return column._replace(name=name)

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Getters: compute the values of the inventory's fields from a snapshot.

Facts: parameters get their defaults as in Ganeti. The value of an instance's
parameter is the instance's own, else the OS's for the hypervisor, else the
cluster's. The value of a node's parameter is the node's own, else the group's,
else the cluster's. An own value counts even if it is empty, zero or false.
C{null} counts as a value for parameters of hypervisors, operating systems and
disks, which are dictionaries without fixed keys in Ganeti; elsewhere C{null} is
no value.

Rule 1: each field has one entry in a table here, and one in C{columns}, which
has everything about the field that does not depend on a configuration.

Rule 2: a getter is called with a snapshot and an object of the snapshot, and
returns a JSON value. No getter raises, whatever the configuration contains. (If
one did, L{inventory} would make the cell null and log the error.)

"""

from __future__ import annotations

from ganeti.confd.config import lenient
from ganeti.confd.config import redaction
from ganeti.confd.config import shared
from ganeti.confd.config import snapshot as snapshotlib
from ganeti.confd.config import volumes
from ganeti.confd.schema import columns
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Any, Callable, Iterable, Optional, Union


# Short names for the types in the annotations of this module
_Snapshot = snapshotlib.Snapshot
_Node = snapshotlib.Node
_Instance = snapshotlib.Instance
_Group = snapshotlib.Group
_Network = snapshotlib.Network
_Disk = snapshotlib.Disk

#: Size of DRBD's metadata on each node, in addition to the size of the disk
#: (MiB)
_DRBD_META_SIZE = 128

#: Maps the names that two disk types had before Ganeti 2.12 to their present
#: names
_DISK_TYPES = {
  "lvm": "plain",
  "drbd8": "drbd",
  }
#: Disk types whose size is not counted in C{disk_usage}
_NO_USAGE = frozenset(["diskless", "blockdev"])

#: The first version of the configuration's format in which all objects have
#: their UUIDs as keys
_UUID_KEYS = 2090000

#: The flags of nodes, and the role that C{gnt-node list} shows for each flag.
#: If several flags are true, the first one here determines the role; confd's
#: request NODE_ROLE_BYNAME has another order.
_ROLES = [
  ("master_candidate", "C"),
  ("drained", "D"),
  ("offline", "O"),
  ]


class Getter(NamedTuple):
  """The function that computes the values of a field.

  @ivar get: called with a snapshot and an object of the snapshot, returns a
    JSON value
  @ivar wide: whether the value depends on other objects, too, so that its size
    depends on the rest of the configuration. A worker never answers queries for
    such fields.

  """
  get: Callable[[_Snapshot, Any], Any]
  wide: bool = False


def _At(items: list[Any], index: int) -> Any:
  return items[index] if index < len(items) else None


def _SortedDict(value: lenient.Stored) -> lenient.Stored:
  return dict(sorted(value.items()))


def _SortedTexts(value: Any) -> list[str]:
  return sorted(item for item in lenient.List(value) if isinstance(item, str))


def _OwnDict(item: Any, key: str) -> lenient.Stored:
  """Returns the parameters that are stored in the object itself.

  """
  return lenient.Dict(item.stored.get(key))


def _Known(params: Any) -> lenient.Stored:
  """Leaves out null values, for parameters with fixed names in Ganeti.

  """
  stored = lenient.Dict(params)
  # If there are no nulls, as is usual, do not copy the parameters: this code
  # runs for each row
  if None not in stored.values():
    return stored
  return {key: value for (key, value) in stored.items() if value is not None}


def _OwnKnown(item: Any, key: str) -> lenient.Stored:
  return _Known(item.stored.get(key))


# Functions that make getters, for all kinds of objects

def _Stored(key: str, check: lenient.Check[Any] = lenient.Text,
            default: Any = None) -> Getter:
  return Getter(lambda _, item: check(item.stored.get(key), default))


def _Attribute(name: str, wide: bool = False) -> Getter:
  return Getter(lambda _, item: getattr(item, name), wide)


def _Length(name: str) -> Getter:
  return Getter(lambda _, item: len(getattr(item, name)))


def _Own(key: str) -> Getter:
  return Getter(lambda _, item: _OwnKnown(item, key))


def _OwnSorted(key: str) -> Getter:
  return Getter(lambda _, item: _SortedDict(_OwnDict(item, key)))


def _IsIndexed(snapshot: _Snapshot, item: Any) -> bool:
  """Whether the key of an object is its UUID (before Ganeti 2.9 its name).

  """
  own = lenient.Text(item.stored.get("uuid"))
  return (item.key is None or own is None or item.key == own or
          (snapshot.version < _UUID_KEYS and item.key == item.name))


#: The fields that all objects have
_COMMON = {
  "uuid": _Attribute("uuid"),
  "indexed": Getter(_IsIndexed),
  "serial_no": _Stored("serial_no", lenient.Number),
  "ctime": _Stored("ctime", lenient.Number),
  "mtime": _Stored("mtime", lenient.Number),
  }

_TAGS = Getter(lambda _, item: _SortedTexts(item.stored.get("tags")))


# Layers of parameters: first those of the object itself, then the defaults. A
# parameter has its value in the first layer that contains the parameter.

if TYPE_CHECKING:
  _Layers = list[lenient.Stored]


def _Merge(layers: _Layers) -> lenient.Stored:
  """Merges layers of parameters; earlier layers override later ones.

  """
  result: lenient.Stored = {}
  for layer in reversed(layers):
    result.update(layer)
  return result


def _Lookup(layers: _Layers, key: str) -> Any:
  for layer in layers:
    if key in layer:
      return layer[key]
  return None


def _Cluster(snapshot: _Snapshot, key: str) -> lenient.Stored:
  return lenient.Dict(snapshot.document["cluster"].get(key))


def _BeDefaults(snapshot: _Snapshot) -> lenient.Stored:
  return _Known(_Cluster(snapshot, "beparams").get("default"))


def _BeLayers(snapshot: _Snapshot, item: _Instance) -> _Layers:
  return [_OwnKnown(item, "beparams"), _BeDefaults(snapshot)]


def _HvLayers(snapshot: _Snapshot, item: _Instance) -> _Layers:
  hypervisor = lenient.Text(item.stored.get("hypervisor"), "")
  os_name = lenient.Text(item.stored.get("os"), "")
  by_os = lenient.Dict(_Cluster(snapshot, "os_hvp").get(os_name))
  return [_OwnDict(item, "hvparams"),
          lenient.Dict(by_os.get(hypervisor)),
          lenient.Dict(_Cluster(snapshot, "hvparams").get(hypervisor))]


def _OsLayers(snapshot: _Snapshot, item: _Instance) -> _Layers:
  (name, _, _) = lenient.Text(item.stored.get("os"), "").partition("+")
  return [_OwnDict(item, "osparams"),
          lenient.Dict(_Cluster(snapshot, "osparams").get(name))]


def _NdDefaults(snapshot: _Snapshot) -> lenient.Stored:
  return _Known(_Cluster(snapshot, "ndparams"))


def _GroupNdLayers(snapshot: _Snapshot, item: _Group) -> _Layers:
  return [_OwnKnown(item, "ndparams"), _NdDefaults(snapshot)]


def _NodeNdLayers(snapshot: _Snapshot, item: _Node) -> _Layers:
  layers = [_OwnKnown(item, "ndparams")]
  if item.group is not None:
    layers.append(_OwnKnown(item.group, "ndparams"))
  return layers + [_NdDefaults(snapshot)]


def _HvParams(snapshot: _Snapshot, item: _Instance) -> lenient.Stored:
  params = _Merge(_HvLayers(snapshot, item))
  return _SortedDict({key: value for (key, value) in params.items()
                      if key not in columns.HV_GLOBALS})


class _ParamGetters(NamedTuple):
  """Makes the getters of the fields that are named after parameters.

  @ivar params: names and types of the parameters
  @ivar layers: returns the layers of parameters of an object in a snapshot
  @ivar defaults: returns the defaults in a snapshot, dicts whose keys are
    fields in addition to C{params}
  @ivar hidden: parameters that are no fields
  @ivar older: former names of parameters, to look up if the parameter itself
    is missing

  """
  params: columns.Params
  layers: Callable[[_Snapshot, Any], _Layers]
  defaults: Callable[[_Snapshot], _Layers]
  hidden: frozenset[str] = frozenset()
  older: dict[str, str] = {}

  def Make(self, key: str) -> Getter:
    """Makes the getter of a parameter.

    """
    def _Get(snapshot: _Snapshot, item: Any) -> Any:
      layers = self.layers(snapshot, item)
      value = _Lookup(layers, key)
      if value is None and key in self.older:
        value = _Lookup(layers, self.older[key])
      return value
    return Getter(_Get)


_BE_PARAMS = _ParamGetters(
  columns.BE_PARAMS, _BeLayers, lambda snapshot: [_BeDefaults(snapshot)],
  # Before Ganeti 2.6, an instance has a single memory size, the parameter
  # "memory", which is then the value of maxmem and of minmem. The field
  # "be/memory" is no parameter, but an alias of "be/maxmem".
  hidden=frozenset(["memory"]),
  older={"maxmem": "memory", "minmem": "memory"})

_HV_PARAMS = _ParamGetters(
  columns.HV_PARAMS, _HvLayers,
  lambda snapshot: [lenient.Dict(item)
                    for item in _Cluster(snapshot, "hvparams").values()],
  hidden=columns.HV_GLOBALS)


def _NdParams(layers: Callable[[_Snapshot, Any], _Layers]) -> _ParamGetters:
  return _ParamGetters(columns.ND_PARAMS, layers,
                       lambda snapshot: [_NdDefaults(snapshot)])


def _TypeOf(value: Any) -> str:
  """Guesses the type of a parameter that is not in L{columns} from its value.

  """
  for (kind, what) in [(bool, columns.BOOL), (int, columns.NUMBER),
                       (float, columns.FLOAT)]:
    if isinstance(value, kind):
      return what
  return columns.OTHER


# Getters for the table of instances

def _AdminState(_: _Snapshot, item: _Instance) -> Optional[str]:
  """Returns the desired state; up to Ganeti 2.5 a boolean is stored instead.

  """
  state = lenient.Text(item.stored.get("admin_state"))
  if state is None:
    admin_up = lenient.Bool(item.stored.get("admin_up"))
    if admin_up is not None:
      state = "up" if admin_up else "down"
  return state


def _AdminUp(snapshot: _Snapshot, item: _Instance) -> Optional[bool]:
  state = _AdminState(snapshot, item)
  return None if state is None else state == "up"


def _IsForthcoming(item: _Instance) -> bool:
  return item.stored.get("forthcoming") is True


def _DisksActive(snapshot: _Snapshot, item: _Instance) -> Optional[bool]:
  """Tells whether the disks shall be active; Ganeti 2.7 does not store that.

  """
  # A forthcoming instance has no default, since any of its values may be
  # missing
  default = None if _IsForthcoming(item) else _AdminUp(snapshot, item)
  return lenient.Bool(item.stored.get("disks_active"), default)


def _AdminStateSource(_: _Snapshot, item: _Instance) -> Optional[str]:
  """Tells who set the state; Ganeti 2.14 and earlier do not store that.

  """
  return lenient.Text(item.stored.get("admin_state_source"),
                      None if _IsForthcoming(item) else "admin")


def _PrimaryGroup(attribute: str) -> Getter:
  return Getter(lambda _, item: getattr(item.primary.group, attribute, None))


def _SecondaryGroups(attribute: str) -> Getter:
  return Getter(lambda _, item: [getattr(node.group, attribute)
                                 for node in item.mirrors
                                 if node.group is not None])


def _DiskType(disk: lenient.Stored) -> Optional[str]:
  kind = lenient.Text(disk.get("dev_type"))
  return kind if kind is None else _DISK_TYPES.get(kind, kind)


def _DiskTemplate(_: _Snapshot, item: _Instance) -> Optional[str]:
  """Returns the type of the disks, stored in instances before Ganeti 2.14 only.

  """
  stored = lenient.Text(item.stored.get("disk_template"))
  if stored is not None:
    return stored
  kinds = set(_DiskType(disk) for disk in _Disks(item))
  if len(kinds) > 1:
    return "mixed"
  return kinds.pop() if kinds else "diskless"


def _DiskUsage(_: _Snapshot, item: _Instance) -> Optional[Union[int, float]]:
  """Adds up the space that the disks take; None if any size is no number.

  """
  sizes: list[Union[int, float]] = []
  for disk in _Disks(item):
    kind = _DiskType(disk)
    if kind not in _NO_USAGE:
      stored = disk.get("size")
      size = lenient.Number(stored, 0 if stored is None else None)
      if size is None:
        return None
      sizes.append(size)
    if kind == "drbd":
      sizes.append(_DRBD_META_SIZE)
  return lenient.Sum(sizes)


def _Disks(item: _Instance) -> list[lenient.Stored]:
  return [disk.stored for disk in item.disks]


def _Nics(item: _Instance) -> list[lenient.Stored]:
  # Do the work of lenient.Dict here, as calling it takes three times as long,
  # and seven fields use this function
  return [nic if isinstance(nic, dict) else {}
          for nic in lenient.List(item.stored.get("nics"))]


# Functions for the values of a single nic or disk; the arguments are a snapshot
# and the nic or disk as stored

if TYPE_CHECKING:
  _PartFunction = Callable[[_Snapshot, lenient.Stored], Any]


def _PartStored(key: str,
                check: lenient.Check[Any] = lenient.Text) -> _PartFunction:
  return lambda _, part: check(part.get(key))


def _NicParam(snapshot: _Snapshot, nic: lenient.Stored, key: str,
              builtin: str) -> str:
  value = lenient.Dict(nic.get("nicparams")).get(key)
  if value is None:
    default = _Cluster(snapshot, "nicparams").get("default")
    value = lenient.Dict(default).get(key)
  return lenient.Text(value, builtin)


def _NicMode(snapshot: _Snapshot, nic: lenient.Stored) -> str:
  return _NicParam(snapshot, nic, "mode", "bridged")


def _NicLink(snapshot: _Snapshot, nic: lenient.Stored) -> str:
  return snapshot.NicLink(nic)


def _NicBridge(snapshot: _Snapshot, nic: lenient.Stored) -> Optional[str]:
  return (_NicLink(snapshot, nic) if _NicMode(snapshot, nic) == "bridged"
          else None)


def _NicVlan(snapshot: _Snapshot, nic: lenient.Stored) -> Optional[str]:
  return (_NicParam(snapshot, nic, "vlan", "")
          if _NicMode(snapshot, nic) == "openvswitch" else None)


def _NicNetworkName(snapshot: _Snapshot,
                    nic: lenient.Stored) -> Optional[str]:
  network = snapshot.networks.Resolve(nic.get("network"))
  return None if network is None else network.name


def _NicNetworkStored(key: str, ipv6_key: str) -> _PartFunction:
  """Returns the getter of a value of a nic's network, for IPv4 or IPv6.

  @param key: the value's key for IPv4, or without an IP address

  """
  def _Get(snapshot: _Snapshot, nic: lenient.Stored) -> Optional[str]:
    network = snapshot.networks.Resolve(nic.get("network"))
    if network is None:
      return None
    has_ipv6 = ":" in lenient.Text(nic.get("ip"), "")
    return lenient.Text(network.stored.get(ipv6_key if has_ipv6 else key))
  return _Get


_NICS = {
  "nic.ip": _PartStored("ip"),
  "nic.uuid": _PartStored("uuid"),
  "nic.mac": _PartStored("mac"),
  "nic.name": _PartStored("name"),
  "nic.network": _PartStored("network"),
  "nic.network.name": _NicNetworkName,
  "nic.network.subnet": _NicNetworkStored("network", "network6"),
  "nic.network.gateway": _NicNetworkStored("gateway", "gateway6"),
  "nic.mode": _NicMode,
  "nic.link": _NicLink,
  "nic.vlan": _NicVlan,
  "nic.bridge": _NicBridge,
  }

_DISKS = {
  "disk.size": _PartStored("size", lenient.Number),
  "disk.spindles": _PartStored("spindles", lenient.Number),
  "disk.name": _PartStored("name"),
  "disk.uuid": _PartStored("uuid"),
  }


def _Numbered(described: list[columns.Numbered],
              functions: dict[str, _PartFunction],
              parts: Callable[[_Instance], list[lenient.Stored]],
              count: int) -> dict[str, Getter]:
  """Makes the getters of the numbered fields, and of the lists of all numbers.

  @param described: the fields, e.g. "disk.size" for "disk.size/0" and so on
  @param functions: by the name of the field without the number
  @param parts: returns the nics or disks of an instance
  @param count: makes fields with the numbers 0 to count - 1

  """
  def _All(function: _PartFunction) -> Getter:
    return Getter(lambda snapshot, item: [function(snapshot, part)
                                          for part in parts(item)])

  def _One(function: _PartFunction, index: int) -> Getter:
    def _Get(snapshot: _Snapshot, item: _Instance) -> Any:
      part = _At(parts(item), index)
      return None if part is None else function(snapshot, part)
    return Getter(_Get)

  getters = {}
  for numbered in described:
    function = functions[numbered.name]
    getters[numbered.names] = _All(function)
    for i in range(count):
      getters["%s/%d" % (numbered.name, i)] = _One(function, i)
  return getters


_INSTANCE_GETTERS = {
  "name": _Attribute("name"),
  "admin_state": Getter(_AdminState),
  "admin_state_source": Getter(_AdminStateSource),
  "admin_up": Getter(_AdminUp),
  "disks_active": Getter(_DisksActive),
  "forthcoming": _Stored("forthcoming", lenient.Bool, False),
  "hypervisor": _Stored("hypervisor"),
  "os": _Stored("os"),
  "network_port": _Stored("network_port", lenient.Number),
  "pnode": Getter(lambda _, item: item.primary.name),
  "pnode.group": _PrimaryGroup("name"),
  "pnode.group.uuid": _PrimaryGroup("uuid"),
  "snodes": Getter(lambda _, item: [node.name for node in item.mirrors]),
  "snodes.group": _SecondaryGroups("name"),
  "snodes.group.uuid": _SecondaryGroups("uuid"),
  "beparams": Getter(lambda snapshot, item: _Merge(
    _BeLayers(snapshot, item)), wide=True),
  "custom_beparams": _Own("beparams"),
  "hvparams": Getter(_HvParams, wide=True),
  "custom_hvparams": _OwnSorted("hvparams"),
  "osparams": Getter(lambda snapshot, item: _SortedDict(
    _Merge(_OsLayers(snapshot, item))), wide=True),
  "custom_osparams": _OwnSorted("osparams"),
  "custom_nicparams": Getter(lambda _, item: [
    _Known(nic.get("nicparams")) for nic in _Nics(item)]),
  "nic.count": Getter(lambda _, item: len(_Nics(item))),
  "disk_template": Getter(_DiskTemplate),
  "disk_usage": Getter(_DiskUsage),
  "disk.count": Getter(lambda _, item: len(lenient.List(
    item.stored.get("disks")))),
  "tags": _TAGS,
  **_COMMON,
  **_Numbered(columns.NICS, _NICS, _Nics, columns.MAX_NICS),
  **_Numbered(columns.DISKS, _DISKS, _Disks, columns.MAX_DISKS),
  }


# Getters for the table of nodes

def _IsUsed(instance: _Instance) -> bool:
  """Whether an instance may be started, and so takes memory and processors.

  """
  return lenient.Text(instance.stored.get("admin_state")) != "offline"


def _SumOf(instances: Callable[[Any], Any],
           get: Callable[[_Snapshot, Any], Any]) -> Getter:
  """Makes the getter of a sum over instances.

  The value is None if a value of an instance is no number.

  @param instances: returns the instances of a node or a group
  @param get: returns the value of an instance

  """
  def _Get(snapshot: _Snapshot, item: Any) -> Optional[Union[int, float]]:
    values = [lenient.Number(get(snapshot, i)) for i in instances(item)]
    known = [value for value in values if value is not None]
    return lenient.Sum(known) if len(known) == len(values) else None
  return Getter(_Get, wide=True)


def _Configured(prefix: str, instances: Callable[[Any], Any]
                ) -> dict[str, Getter]:
  """Makes the getters of the sums over the instances of a node or a group.

  @param instances: returns these instances

  """
  def _Used(item: Any) -> Iterable[_Instance]:
    return filter(_IsUsed, instances(item))

  return {
    prefix + "_maxmem": _SumOf(_Used, _BE_PARAMS.Make("maxmem").get),
    prefix + "_vcpus": _SumOf(_Used, _BE_PARAMS.Make("vcpus").get),
    prefix + "_disk": _SumOf(instances, _DiskUsage),
    }


def _InstanceNames(attribute: str) -> Getter:
  """Makes the getter of a list of instance names; skips nameless instances.

  """
  return Getter(lambda _, item: [instance.name
                                 for instance in getattr(item, attribute)
                                 if instance.name is not None],
                wide=True)


def _Powered(snapshot: _Snapshot, item: _Node) -> Optional[bool]:
  """Whether the node is powered on; unknown without an out-of-band program.

  """
  if not _Lookup(_NodeNdLayers(snapshot, item), "oob_program"):
    return None
  return lenient.Bool(item.stored.get("powered"), True)


def _Role(snapshot: _Snapshot, item: _Node) -> str:
  if item is snapshot.master:
    return "M"
  for (key, role) in _ROLES:
    if item.stored.get(key) is True:
      return role
  return "R"


_NODE_GETTERS = {
  "name": _Attribute("name"),
  "pip": _Attribute("primary_ip"),
  "sip": _Stored("secondary_ip"),
  "role": Getter(_Role),
  "master": Getter(lambda snapshot, item: item is snapshot.master),
  "master_candidate": _Stored("master_candidate", lenient.Bool, False),
  "master_capable": _Stored("master_capable", lenient.Bool, True),
  "vm_capable": _Stored("vm_capable", lenient.Bool, True),
  "drained": _Stored("drained", lenient.Bool, False),
  "offline": _Stored("offline", lenient.Bool, False),
  "powered": Getter(_Powered),
  "group": Getter(lambda _, item: getattr(item.group, "name", None)),
  "group.uuid": _Stored("group"),
  "ndparams": Getter(lambda snapshot, item: _Merge(
    _NodeNdLayers(snapshot, item)), wide=True),
  "custom_ndparams": _Own("ndparams"),
  "pinst_cnt": _Length("primary"),
  "pinst_list": _InstanceNames("primary"),
  "sinst_cnt": _Length("secondary"),
  "sinst_list": _InstanceNames("secondary"),
  **_Configured("pinst", lambda item: item.primary),
  **_Configured("sinst", lambda item: item.secondary),
  "tags": _TAGS,
  **_COMMON,
  }


# Getters for the table of groups

def _OwnPolicy(_: _Snapshot, item: _Group) -> lenient.Stored:
  policy = _OwnKnown(item, "ipolicy")
  if "std" in policy:
    policy["std"] = _Known(policy["std"])
  return policy


def _GroupPolicy(snapshot: _Snapshot, item: _Group) -> lenient.Stored:
  """Returns the instance policy: the group's values override the cluster's.

  """
  default = _Known(_Cluster(snapshot, "ipolicy"))
  own = _OwnPolicy(snapshot, item)
  policy = _Merge([own, default])
  if "std" in own and "std" in default:
    policy["std"] = _Merge([own["std"], _Known(default["std"])])
  return policy


_GROUP_GETTERS = {
  "name": _Attribute("name"),
  "alloc_policy": _Stored("alloc_policy"),
  "ipolicy": Getter(_GroupPolicy, wide=True),
  "custom_ipolicy": Getter(_OwnPolicy),
  "diskparams": Getter(lambda snapshot, item: _SortedDict(_Merge(
    [_OwnDict(item, "diskparams"), _Cluster(snapshot, "diskparams")])),
                       wide=True),
  "custom_diskparams": _OwnSorted("diskparams"),
  "ndparams": Getter(lambda snapshot, item: _Merge(
    _GroupNdLayers(snapshot, item)), wide=True),
  "custom_ndparams": _Own("ndparams"),
  "networks": Getter(lambda _, item: sorted(_OwnDict(item, "networks")),
                     wide=True),
  "node_cnt": _Length("nodes"),
  "node_list": Getter(lambda _, item: [node.name for node in item.nodes],
                      wide=True),
  "pinst_cnt": _Length("primary"),
  "pinst_list": _InstanceNames("primary"),
  **_Configured("pinst", lambda item: item.primary),
  **_Configured("sinst", lambda item: (
    instance for node in item.nodes for instance in node.secondary)),
  "tags": _TAGS,
  **_COMMON,
  }


# Getters for the table of networks

def _Reservations(item: _Network, *keys: str) -> str:
  """Makes a map of the addresses that are taken in a network.

  A network stores each map as a text with "0" or "1" for each address.

  @param keys: the keys of the maps; an address is taken if any map says so
  @return: "X" for each address that is taken, "." for the others

  """
  texts = [text for text in [lenient.Text(item.stored.get(key))
                             for key in keys] if text is not None]
  # If one of the stored maps is missing, return an empty map, as Ganeti's query
  # daemon does
  if len(texts) < len(keys):
    return ""
  size = max(len(text) for text in texts)
  taken = ["X" if "1" in both else "."
           for both in zip(*[text.ljust(size, "0") for text in texts])]
  return "".join(taken)


def _Map(_: _Snapshot, item: _Network) -> str:
  return _Reservations(item, "reservations", "ext_reservations")


def _FreeCount(item: _Network) -> int:
  return _Reservations(item, "reservations", "ext_reservations").count(".")


def _Count(key: str) -> Getter:
  """Makes the getter of the number of addresses in one of the stored maps.

  """
  return Getter(lambda _, item: _Reservations(item, key).count("X"), wide=True)


def _UsableCount(snapshot: _Snapshot, item: _Network) -> int:
  """Counts the addresses that instances have or can get.

  """
  # If one of the stored maps is missing, the number of free addresses is
  # unknown: return 0
  if not _Map(snapshot, item):
    return 0
  return _FreeCount(item) + _Reservations(item, "reservations").count("X")


def _Addresses(key: str) -> Getter:
  """Makes the getter of the addresses in one of the stored maps, as one text.

  """
  def _Get(_: _Snapshot, item: _Network) -> Optional[str]:
    # Imported here, as only the process for large answers calls this function
    import ipaddress
    try:
      subnet = ipaddress.ip_network(
        lenient.Text(item.stored.get("network"), ""), strict=False)
    except ValueError:
      return None
    marks = _Reservations(item, key)[:subnet.num_addresses]
    return ", ".join(str(subnet[i]) for (i, mark) in enumerate(marks)
                     if mark == "X")
  return Getter(_Get, wide=True)


def _Connections(_: _Snapshot, item: _Network) -> list[list[str]]:
  """Lists the groups connected to a network, as [name, mode, link, VLAN].

  """
  return [[group.name] + [lenient.Text(how.get(key), "-")
                          for key in ("mode", "link", "vlan")]
          for (group, how) in item.groups]


_NETWORK_GETTERS = {
  "name": _Attribute("name"),
  "network": _Stored("network"),
  "gateway": _Stored("gateway"),
  "network6": _Stored("network6"),
  "gateway6": _Stored("gateway6"),
  "mac_prefix": _Stored("mac_prefix"),
  "free_count": Getter(lambda _, item: _FreeCount(item), wide=True),
  "reserved_count": Getter(
    lambda snapshot, item: _Map(snapshot, item).count("X"), wide=True),
  "usable_count": Getter(_UsableCount, wide=True),
  "used_count": _Count("reservations"),
  "external_count": _Count("ext_reservations"),
  "map": Getter(_Map, wide=True),
  "instance_reservations": _Addresses("reservations"),
  "external_reservations": _Addresses("ext_reservations"),
  "ip_list": _Attribute("ips", wide=True),
  "group_cnt": _Length("groups"),
  "group_list": Getter(_Connections, wide=True),
  "inst_cnt": _Length("instances"),
  "inst_list": _Attribute("instances", wide=True),
  "tags": _TAGS,
  **_COMMON,
  }


# Getters for the table of disks

def _DiskNodes(snapshot: _Snapshot, item: _Disk) -> list[str]:
  """Returns the names of a disk's nodes.

  The nodes are those in a DRBD disk's C{logical_id}, or the stored ones for a
  disk of another type. If none of these exists, the primary node of the disk's
  instance is returned.

  """
  stored = item.stored
  references = lenient.List(stored.get("nodes"))
  if _DiskType(stored) == "drbd":
    references = lenient.List(stored.get("logical_id"))[:2]
  nodes = [snapshot.nodes.Resolve(reference) for reference in references]
  names = [node.name for node in nodes if node is not None]
  if (not names and item.instance is not None and
      item.instance.primary is not None):
    names = [item.instance.primary.name]
  return names


def _DrbdNumbers(item: _Disk, part: slice) -> list[Any]:
  """Returns numbers in a DRBD disk's logical_id; [] for a disk of another type.

  @param part: the indexes of the numbers, a slice of L{redaction}

  """
  stored = item.stored
  if stored.get("dev_type") not in redaction.DRBD_TYPES:
    return []
  return [lenient.Number(value)
          for value in lenient.List(stored.get("logical_id"))[part]]


_DISK_GETTERS = {
  "name": _Attribute("name"),
  "instance": Getter(lambda _, item: getattr(item.instance, "name", None)),
  "index": _Attribute("index"),
  "dev_type": _Stored("dev_type"),
  "size": _Stored("size", lenient.Number),
  "mode": _Stored("mode"),
  "iv_name": _Stored("iv_name"),
  "nodes": Getter(_DiskNodes),
  "attached": _Attribute("attached"),
  "port": Getter(
    lambda _, item: _At(_DrbdNumbers(item, redaction.DRBD_PORT), 0)),
  "minors": Getter(
    lambda _, item: _DrbdNumbers(item, redaction.DRBD_MINORS)),
  "vg": Getter(lambda _, item: volumes.Container(item.stored, volumes.LVM)),
  "pool": Getter(lambda _, item: volumes.Container(item.stored, volumes.RBD)),
  "provider": Getter(
    lambda _, item: volumes.Container(item.stored, volumes.EXT)),
  "volumes": Getter(lambda _, item: volumes.Volumes(item.stored)),
  "volumes.shared": Getter(shared.Volumes, wide=True),
  "minors.shared": Getter(shared.Minors, wide=True),
  "secret.shared": _Attribute("shares_secret"),
  "spindles": _Stored("spindles", lenient.Number),
  **_COMMON,
  }


class Table(NamedTuple):
  """The fields and the objects of one kind.

  @ivar getters: getters by the names of the fields
  @ivar params: the fields that are named after parameters
  @ivar directory: returns the objects of a snapshot

  """
  getters: dict[str, Getter]
  params: list[_ParamGetters]
  directory: Callable[[_Snapshot], snapshotlib.Directory[Any]]


#: Maps each kind (one of L{columns.KINDS}) to its table
TABLES = {
  columns.INSTANCE: Table(_INSTANCE_GETTERS, [_BE_PARAMS, _HV_PARAMS],
                          lambda snapshot: snapshot.instances),
  columns.NODE: Table(_NODE_GETTERS, [_NdParams(_NodeNdLayers)],
                      lambda snapshot: snapshot.nodes),
  columns.GROUP: Table(_GROUP_GETTERS, [_NdParams(_GroupNdLayers)],
                       lambda snapshot: snapshot.groups),
  columns.NETWORK: Table(_NETWORK_GETTERS, [],
                         lambda snapshot: snapshot.networks),
  columns.DISK: Table(_DISK_GETTERS, [], lambda snapshot: snapshot.disks),
  }


#: Maps each kind (one of L{columns.KINDS}) to the names of its wide fields, see
#: L{Getter.wide}
WIDE = {
  what: frozenset(name for (name, getter) in table.getters.items()
                  if getter.wide)
  for (what, table) in TABLES.items()
  }


def Objects(snapshot: _Snapshot, what: str) -> snapshotlib.Directory[Any]:
  """Returns the directory of a configuration's objects of one kind.

  @param what: one of L{columns.KINDS}

  """
  return TABLES[what].directory(snapshot)


def Find(snapshot: _Snapshot, what: str, name: str) -> Optional[Getter]:
  """Returns the getter of a field; None if the configuration has no such field.

  @param what: one of L{columns.KINDS}
  @param name: the field's name, or an alias

  """
  table = TABLES[what]
  name = columns.TABLES[what].aliases.get(name, name)
  getter = table.getters.get(name)
  if getter is None:
    for params in table.params:
      (known, prefix) = (params.params.known, params.params.prefix)
      key = name[len(prefix):]
      if name.startswith(prefix) and key not in params.hidden and \
         (key in known or
          any(key in defaults for defaults in params.defaults(snapshot))):
        return params.Make(key)
  return getter


def All(snapshot: _Snapshot, what: str) -> list[list[Optional[str]]]:
  """Lists all fields of a kind, with those of the configuration's parameters.

  @param what: one of L{columns.KINDS}
  @return: rows of [name, title, type, text], by name

  """
  table = columns.TABLES[what]
  described = dict(table.columns)
  for params in TABLES[what].params:
    defaults = params.defaults(snapshot)
    keys = set(params.params.known).union(*defaults)
    for key in keys.difference(params.hidden):
      column = params.params.Describe(key, _TypeOf(_Lookup(defaults, key)))
      described[column.name] = column
  for (alias, name) in table.aliases.items():
    described[alias] = described[name]
  return [[name, column.title, column.kind, column.text]
          for (name, column) in sorted(described.items())]

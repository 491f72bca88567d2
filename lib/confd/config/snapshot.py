#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""An immutable snapshot of the configuration, indexed for confd's requests.

L{Snapshot} is made from C{config.data}. All indexes are built when a snapshot
is made, so that no request has to search the configuration.

Facts: the keys of nodes and instances are their names before Ganeti 2.9, and
their UUIDs since then. References to nodes and instances use the same keys.
Disks are stored inside their instance before 2.12. Since then disks have a
section of their own, and an instance lists the UUIDs of its disks. Children are
always stored inside their disk.

Rule 1: reading is lenient. Values that are not needed are not checked. A needed
value that is malformed is left out with a warning, and the rest is served. Only
a configuration without version, serial number, cluster or nodes is unusable.

Rule 2: L{redaction} replaces secrets while the document is parsed, before any
other code can read them.

Rule 3: instances and disks, which are most of a large configuration, are
packed, see L{document} and L{packed}. An instance or disk is unpacked to be
indexed, and to make its row in a table.

"""

from __future__ import annotations

import bisect
import collections

from ganeti import constants
from ganeti import errors
from ganeti.confd import filestate
from ganeti.confd.config import document as documentlib
from ganeti.confd.config import lenient
from ganeti.confd.config import packed as packedlib
from ganeti.confd.config import redaction
from ganeti.confd.protocol import wire
from ganeti.confd.schema import naturalorder
from ganeti.confd.typed import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
  from typing import Callable, Iterator, Optional, Sequence, Union

  _Stored = lenient.Stored


#: The link of a nic if neither the nic nor the cluster defines one
_DEFAULT_LINK = "xen-br0"

_XEN_HYPERVISORS = frozenset(["xen-pvm", "xen-hvm"])


def _Uuid(stored: _Stored, key: str) -> str:
  uuid = lenient.Text(stored.get("uuid"))
  # If the UUID equals the key, as it nearly always does, return the key itself:
  # the second string object is then freed
  return uuid if uuid and uuid != key else key


def _DrbdDisks(disk: _Stored) -> list[_Stored]:
  """Returns the DRBD disks among a disk and all disks below it, parents first.

  """
  found = []
  todo = [disk]
  while todo:
    part = todo.pop()
    if part.get("dev_type") in redaction.DRBD_TYPES:
      found.append(part)
    children = part.get("children")
    if children and isinstance(children, list):
      todo.extend(child for child in reversed(children)
                  if isinstance(child, dict))
  return found


class _Object:
  """The base class of nodes, instances, groups, networks and disks.

  """
  __slots__: list[str] = []

  @property
  def in_table(self) -> bool:
    """Whether the object has a row in the table of its kind.

    """
    return True


class Node(_Object):
  """A node, with the instances and DRBD disks on it.

  @ivar key: the node's key in the configuration, used in references to the node
  @ivar uuid: the node's UUID, or perhaps its name before Ganeti 2.9
  @ivar group: None if the configuration does not have the node's group
  @ivar primary_ip: None if the configuration has no address for the node
  @ivar role: C{constants.CONFD_NODE_ROLE_*}
  @ivar candidate: whether the node is a master candidate (the master is one)
  @ivar primary: the instances that have this node as primary node, by name; a
    forthcoming instance may have no name
  @ivar secondary: the instances whose disks are mirrored to this node, by name
  @ivar drbd: packed JSON text of rows [node name, minor, instance name,
    "disk/N", "primary" or "secondary", peer node name], by instance name, then
    disk

  """
  __slots__ = ["name", "key", "uuid", "stored", "group", "primary_ip", "role",
               "candidate", "primary", "secondary", "_drbd", "_quoted"]

  def __init__(self, name: str, key: str, stored: _Stored,
               is_master: bool) -> None:
    self.name = name
    self.key = key
    self.uuid = _Uuid(stored, key)
    self.stored = stored
    self.group: Optional[Group] = None
    self.primary_ip = lenient.Text(stored.get("primary_ip"))
    self.candidate = is_master or stored.get("master_candidate") is True
    self.primary: list[Instance] = []
    self.secondary: list[Instance] = []
    self._drbd = bytearray()
    self._quoted = wire.EncodeJson(name)
    if is_master:
      self.role = constants.CONFD_NODE_ROLE_MASTER
    elif stored.get("drained") is True:
      self.role = constants.CONFD_NODE_ROLE_DRAINED
    elif stored.get("offline") is True:
      self.role = constants.CONFD_NODE_ROLE_OFFLINE
    elif self.candidate:
      self.role = constants.CONFD_NODE_ROLE_CANDIDATE
    else:
      self.role = constants.CONFD_NODE_ROLE_REGULAR

  def AddDrbd(self, minor: int, disk: str, is_primary: bool,
              peer: Node) -> None:
    """Adds a row to L{drbd}.

    @param disk: JSON text of the instance's name and the disk's name, with a
      comma between them

    """
    row = "%s[%s,%d,%s,\"%s\",%s]" % (
      "," if self._drbd else "", self._quoted, minor, disk,
      "primary" if is_primary else "secondary", peer._quoted)
    self._drbd += row.encode("ascii")

  @property
  def drbd(self) -> bytes:
    return b"[%b]" % self._drbd


class Instance(_Object):
  """An instance, with its disks and nodes.

  @ivar name: None for a forthcoming instance without a name
  @ivar key: the instance's key in the configuration
  @ivar uuid: the instance's UUID, or perhaps its name before Ganeti 2.9
  @ivar packed: the instance as stored, packed, see L{packed}
  @ivar disks: the instance's disks, by index
  @ivar primary: the primary node; None for a forthcoming instance without one,
    or if the configuration does not have that node
  @ivar mirrors: the other nodes of the instance's disks and their children

  """
  __slots__ = ["name", "key", "uuid", "packed", "disks", "primary", "mirrors"]

  def __init__(self, name: Optional[str], key: str, stored: _Stored,
               packed: packedlib.Packed, primary: Optional[Node]) -> None:
    self.name = name
    self.key = key
    self.uuid = _Uuid(stored, key)
    self.packed = packed
    self.primary = primary
    self.disks: Sequence[Disk] = ()
    self.mirrors: Sequence[Node] = ()

  @property
  def stored(self) -> _Stored:
    stored: _Stored = packedlib.Unpack(self.packed)
    return stored

  @property
  def in_table(self) -> bool:
    return self.name is not None and self.primary is not None


class Group(_Object):
  """A node group.

  @ivar key: the group's key in the configuration
  @ivar nodes: the group's nodes, by name
  @ivar primary: the primary instances of the group's nodes, by name

  """
  __slots__ = ["name", "key", "uuid", "stored", "nodes", "primary"]

  def __init__(self, name: str, key: str, stored: _Stored) -> None:
    self.name = name
    self.key = key
    self.uuid = _Uuid(stored, key)
    self.stored = stored
    self.nodes: list[Node] = []
    self.primary: list[Instance] = []


class Network(_Object):
  """A network to which nics may be connected.

  @ivar key: the network's key in the configuration
  @ivar groups: the groups connected to the network, each with the parameters of
    the connection, by group name
  @ivar instances: the names of the instances with a nic in the network, sorted
  @ivar ips: the addresses of those nics, by instance name, then nic

  """
  __slots__ = ["name", "key", "uuid", "stored", "groups", "instances", "ips"]

  def __init__(self, name: str, key: str, stored: _Stored) -> None:
    self.name = name
    self.key = key
    self.uuid = _Uuid(stored, key)
    self.stored = stored
    self.groups: list[tuple[Group, _Stored]] = []
    self.instances: list[str] = []
    self.ips: list[str] = []


class Disk(_Object):
  """A disk, with its instance.

  @ivar key: the disk's key in the configuration; None for a disk that is stored
    inside its instance
  @ivar uuid: None before Ganeti 2.9
  @ivar instance: None for a disk that is not attached to an instance
  @ivar index: the disk's number in its instance
  @ivar attached: the number of references from instances to the disk
  @ivar shares_secret: whether another disk has the same DRBD secret

  """
  __slots__ = ["name", "key", "uuid", "_packed", "instance", "index",
               "attached", "shares_secret"]

  def __init__(self, key: Optional[str], stored: _Stored,
               packed: packedlib.Packed = None,
               instance: Optional[Instance] = None,
               index: Optional[int] = None) -> None:
    """@param packed: the packed disk; None for a disk inside its instance

    """
    self.name = lenient.Text(stored.get("name"))
    self.key = key
    uuid = lenient.Text(stored.get("uuid"))
    self.uuid = key if uuid is None or uuid == key else uuid
    self._packed = packed
    self.instance = instance
    self.index = index
    self.attached = 1
    self.shares_secret = False

  @property
  def packed(self) -> packedlib.Packed:
    """The disk as stored, packed, see L{packed}.

    """
    return self.stored if self._packed is None else self._packed

  @property
  def stored(self) -> _Stored:
    stored: _Stored
    if self._packed is None and self.instance is not None:
      stored = self.instance.stored["disks"][self.index]
    else:
      stored = packedlib.Unpack(self._packed)
    return stored


_Item = TypeVar("_Item", bound="Union[Node, Instance, Group, Network,"
                      " Disk]")


class Directory(Generic[_Item]):
  """An index of all objects of one kind by UUID, name and short name.

  No object is found by a name that several objects have. Ganeti allows such
  names for disks.

  @ivar items: the objects with a row in the table of their kind, in the order
    of the calls of L{Add}

  """
  def __init__(self) -> None:
    self.items: list[_Item] = []
    self._by_uuid: dict[str, _Item] = {}
    #: Maps each name to the object with the name; to None if several objects
    #: have the name
    self._by_name: dict[str, Optional[_Item]] = {}
    self._names: list[str] = []

  def Add(self, key: Optional[str], item: _Item) -> None:
    """Adds an object.

    @param key: the object's key in the configuration, used in references to the
      object

    """
    if item.in_table:
      self.items.append(item)
    if key is not None:
      self._by_uuid[key] = item
    if item.uuid is not None:
      self._by_uuid[item.uuid] = item
    if item.name is not None:
      self._by_name[item.name] = None if item.name in self._by_name else item

  def Close(self) -> None:
    """Indexes short names; to be called once, after the last L{Add}.

    """
    self._names = sorted(self._by_name)

  def Resolve(self, reference: wire.Json) -> Optional[_Item]:
    """Finds the object for a reference inside the configuration.

    """
    if not isinstance(reference, str):
      return None
    return self._by_uuid.get(reference) or self._by_name.get(reference)

  def Find(self, name: str) -> Optional[_Item]:
    """Finds the object for a name in a query.

    @param name: a UUID, an exact name, or the part before a dot of exactly one
      name (tried in this order)

    """
    found = self.Resolve(name)
    if found is None and name not in self._by_name:
      prefix = name + "."
      index = bisect.bisect_left(self._names, prefix)
      matches = [full for full in self._names[index:index + 2]
                 if full.startswith(prefix)]
      if len(matches) == 1:
        found = self._by_name[matches[0]]
    return found


def _Chunks(text: bytes) -> Iterator[bytes]:
  for start in range(0, len(text), documentlib.CHUNK):
    yield text[start:start + documentlib.CHUNK]


class Snapshot:
  """One parsed and indexed configuration.

  Nodes, instances, groups and networks are sorted by name.

  @ivar size: size of the configuration's text in bytes
  @ivar document: the whole configuration as stored, without its secrets;
    instances and disks are packed, see L{packed}
  @ivar serial: the configuration's serial number
  @ivar version: the version of the configuration's format, e.g. 3000000
  @ivar warnings: texts about missing or malformed parts of the configuration,
    which are left out
  @ivar master: None if the configuration's master node is none of its nodes
  @ivar node_ips: the primary ips of all nodes, by node name
  @ivar candidate_ips: the primary ips of the master candidates, by node name
  @ivar default_link: the link of nics without a link of their own
  @ivar links: by link, a dict from each ip to the primary ip of its instance's
    primary node, or to None if that is unknown; sorted by instance name, then
    nic
  @ivar collectors: the answer to DATA_COLLECTORS
  @ivar disks: by instance, then index; disks without an instance come last

  """
  def __init__(self, config: Union[bytes, filestate.OpenFile]) -> None:
    """Parses and indexes a configuration.

    @param config: C{config.data}, its contents or the open file
    @raise filestate.ReadError: the file cannot be read
    @raise errors.ConfigurationError: the configuration is unusable; the message
      has the reason, and quotes none of the text, which could be a secret

    """
    if isinstance(config, bytes):
      text = config
      self.size = len(text)
      document = documentlib.Document(lambda: _Chunks(text))
    else:
      self.size = config.state.size
      document = documentlib.Document(config.Chunks)
    self.document = document.stored
    self._CheckDocument()
    self.serial: int = self.document["serial_no"]
    self.version: int = self.document["version"]
    self.warnings: list[str] = []
    cluster: _Stored = self.document["cluster"]

    self.groups = self._IndexSection("nodegroups", Group)
    self.master: Optional[Node] = None
    self.node_ips: list[str] = []
    self.candidate_ips: list[str] = []
    self.nodes = self._IndexNodes(cluster)
    self.networks = self._IndexNetworks()
    self.default_link = _DefaultLink(cluster)
    self.links: dict[str, dict[str, Optional[str]]] = {}
    self.disks: Directory[Disk] = Directory()
    self.instances: Directory[Instance] = Directory()
    self._IndexInstances(document)
    self._IndexDetachedDisks(document)
    self.collectors = _Collectors(cluster)

  def _CheckDocument(self) -> None:
    for key in ("version", "serial_no"):
      if lenient.Count(self.document.get(key)) is None:
        raise errors.ConfigurationError("\"%s\" is missing or no integer from 0"
                                        " to 2^63 - 1" % key)
    for key in ("cluster", "nodes"):
      if not isinstance(self.document.get(key), dict):
        raise errors.ConfigurationError("\"%s\" is missing or no object" % key)

  def _IndexNodes(self, cluster: _Stored) -> Directory[Node]:
    """Makes the nodes, and sets the attributes for the master and the ips.

    """
    directory: Directory[Node] = Directory()
    for (name, key, stored) in self._ByName("nodes"):
      is_master = cluster.get("master_node") == key
      node = Node(name, key, stored, is_master)
      node.group = self.groups.Resolve(stored.get("group"))
      if node.group is not None:
        node.group.nodes.append(node)
      if is_master:
        self.master = node
      if node.primary_ip is None:
        self.warnings.append("Node %s has no primary ip" % name)
      else:
        self.node_ips.append(node.primary_ip)
        if node.candidate:
          self.candidate_ips.append(node.primary_ip)
      directory.Add(key, node)
    directory.Close()
    if self.master is None:
      self.warnings.append("The cluster's master node is none of its nodes")
    return directory

  def _IndexSection(self, section: str,
                    make: Callable[[str, str, _Stored], _Item]
                    ) -> Directory[_Item]:
    """Makes the objects of a section of the document.

    @param make: called with name, key and stored JSON object, returns the
      object of the snapshot

    """
    directory: Directory[_Item] = Directory()
    for (name, key, stored) in self._ByName(section):
      directory.Add(key, make(name, key, stored))
    directory.Close()
    return directory

  def _IndexNetworks(self) -> Directory[Network]:
    """Makes the networks, and connects the groups to them.

    """
    directory = self._IndexSection("networks", Network)
    for group in self.groups.items:
      for (key, how) in lenient.Dict(group.stored.get("networks")).items():
        network = directory.Resolve(key)
        if network is not None:
          network.groups.append((group, lenient.Dict(how)))
    return directory

  def _ByName(self, section: str) -> list[tuple[str, str, _Stored]]:
    """Lists the named objects of a section of the document.

    @param section: "nodes", "nodegroups" or "networks"
    @return: names, keys and stored JSON objects, sorted by name

    """
    items = lenient.Dict(self.document.get(section))
    names = {key: documentlib.NameOf(stored)
             for (key, stored) in items.items()}
    named = [(names[key], key) for key in self._SortedKeys(section, names)]
    return [(name, key, items[key]) for (name, key) in named
            if isinstance(name, str)]

  def _SortedKeys(self, section: str,
                  names: dict[str, Union[str, documentlib.NoName]]
                  ) -> list[str]:
    """Sorts the objects of a section by name, and warns of those left out.

    @param section: "nodes", "instances", "nodegroups" or "networks"
    @param names: names by key
    @return: keys; those of forthcoming objects without a name come first

    """
    def _Order(key: str) -> tuple[object, str, str]:
      name = names[key]
      text = name if isinstance(name, str) else ""
      return (naturalorder.NaturalKey(text), text, key)

    keys = []
    for (key, name) in names.items():
      if (isinstance(name, documentlib.NoName) and
          name is not documentlib.NoName.FORTHCOMING):
        self.warnings.append("%s: %s %s" % (section, key, name.value))
      else:
        keys.append(key)
    keys.sort(key=_Order)
    return keys

  def _IndexInstances(self, document: documentlib.Document) -> None:
    """Makes the instances, and adds them to their nodes, groups and networks.

    Instances without a node or a name have no row in tables. In all other
    indexes, as in Ganeti, such instances are like others: their names make
    other names ambiguous, and their minors and ips are in use.

    """
    packed_instances = lenient.Dict(self.document.get("instances"))
    # Store equal tuples of nodes only once, to save memory: there are many
    # instances and few nodes
    mirrors: dict[Sequence[Node], Sequence[Node]] = {}
    for key in self._SortedKeys("instances", document.names):
      name = lenient.Text(document.names[key])
      packed = packed_instances[key]
      stored = packedlib.Parse(packed)
      primary = self.nodes.Resolve(stored.get("primary_node"))
      if primary is None and stored.get("forthcoming") is not True:
        self.warnings.append("Instance %s: its primary node is not there, left"
                             " out of tables" % name)
      instance = Instance(name, key, stored, packed, primary)
      self.instances.Add(key, instance)
      if primary is not None:
        primary.primary.append(instance)
        if primary.group is not None:
          primary.group.primary.append(instance)
      for node in self._IndexDisks(instance, stored, document):
        node.secondary.append(instance)
      instance.mirrors = mirrors.setdefault(instance.mirrors, instance.mirrors)
      self._IndexNics(instance, stored)
    self.instances.Close()

  def _IndexDetachedDisks(self, document: documentlib.Document) -> None:
    """Adds the disks that no instance of the snapshot has, and then counts the
    references from instances to each disk.

    """
    disks = lenient.Dict(self.document.get("disks"))
    for key in sorted(disks):
      if self.disks.Resolve(key) is None:
        stored = packedlib.Parse(disks[key])
        if isinstance(stored, dict):
          disk = Disk(key, stored, disks[key])
          disk.shares_secret = document.SharesSecret("disks", key)
          self.disks.Add(key, disk)
    self.disks.Close()
    attached = collections.Counter(disk.key for disk in self.disks.items
                                   if disk.instance is not None)
    for (key, name) in document.names.items():
      if name is documentlib.NoName.MISSING:
        stored = packedlib.Parse(self.document["instances"][key])
        attached.update(item for item in lenient.List(stored.get("disks"))
                        if isinstance(item, str))
    for disk in self.disks.items:
      if disk.key is not None:
        disk.attached = attached[disk.key]

  def _Disks(self, instance: Instance, stored: _Stored,
             document: documentlib.Document) -> list[tuple[Disk, _Stored]]:
    """Makes the disks of an instance.

    @param stored: the instance as stored
    @return: each disk, with the stored JSON object

    """
    stored_disks = lenient.Dict(self.document.get("disks"))
    disks: list[tuple[Disk, _Stored]] = []
    for (index, item) in enumerate(lenient.List(stored.get("disks"))):
      key = item if isinstance(item, str) else None
      packed = None if key is None else stored_disks.get(key)
      found = item if key is None else packedlib.Parse(packed)
      if isinstance(found, dict):
        disk = Disk(key, found, packed, instance, index)
        disk.shares_secret = (
          document.SharesSecret("instances", instance.key, index)
          if key is None else document.SharesSecret("disks", key))
        disks.append((disk, found))
      elif stored.get("forthcoming") is not True:
        self.warnings.append("Instance %s: disk/%d is not there, left out" %
                             (instance.name or instance.key, index))
    return disks

  def _IndexDisks(self, instance: Instance, stored: _Stored,
                  document: documentlib.Document) -> list[Node]:
    """Adds the disks of an instance, and each DRBD disk to its two nodes.

    @param stored: the instance as stored
    @return: the instance's secondary nodes, which are nodes of its disks, but
      not of their children; empty for an instance without a primary node

    """
    primary = instance.primary
    # If the instance has no name, use an empty one, as Ganeti's own daemon does
    name = instance.name or ""
    secondaries: list[Node] = []
    mirrors: list[Node] = []
    disks = self._Disks(instance, stored, document)
    for (disk, stored_disk) in disks:
      self.disks.Add(disk.key, disk)
      for part in _DrbdDisks(stored_disk):
        logical_id = lenient.List(part.get("logical_id"))
        nodes = [self.nodes.Resolve(item)
                 for item in logical_id[redaction.DRBD_NODES]]
        ends = [node for node in nodes if node is not None]
        minors = [minor for minor in logical_id[redaction.DRBD_MINORS]
                  if lenient.Count(minor) is not None]
        for node in ends:
          if node is not primary:
            if node not in mirrors:
              mirrors.append(node)
            if (part is stored_disk and primary is not None and
                node not in secondaries):
              secondaries.append(node)
        if len(ends) != 2 or len(minors) != 2:
          if part.get("forthcoming") is not True:
            self.warnings.append("Instance %s: disk/%s has no two nodes and"
                                 " minors, left out of the DRBD list" %
                                 (name or instance.uuid, disk.index))
          continue
        label = "%s,\"disk/%s\"" % (wire.EncodeJson(name), disk.index)
        (one, two) = ends
        one.AddDrbd(minors[0], label, one is primary, two)
        two.AddDrbd(minors[1], label, two is primary, one)
    instance.disks = tuple(disk for (disk, _) in disks)
    instance.mirrors = tuple(mirrors)
    return secondaries

  def _IndexNics(self, instance: Instance, stored: _Stored) -> None:
    """Adds the ips of an instance to its links and networks.

    @param stored: the instance as stored

    """
    node_ip = None
    # Leave node_ip None for an instance without a name: Ganeti's own daemon
    # finds the node of an ip by the instance's name
    if instance.primary is not None and instance.name is not None:
      node_ip = instance.primary.primary_ip
    for nic in lenient.List(stored.get("nics")):
      nic = lenient.Dict(nic)
      network = self.networks.Resolve(nic.get("network"))
      # Add the instance's name once, even if several of its nics are in this
      # network. If an earlier nic has added the name, it is the last one in the
      # list, as instances are indexed one after the other.
      if (network is not None and instance.name is not None and
          network.instances[-1:] != [instance.name]):
        network.instances.append(instance.name)
      ip = nic.get("ip")
      if isinstance(ip, str) and ip:
        if network is not None:
          network.ips.append(ip)
        ips = self.links.setdefault(self.NicLink(nic), {})
        if ips.get(ip) is None:
          ips[ip] = node_ip

  def NicLink(self, nic: _Stored) -> str:
    """Returns the link of a nic; up to Ganeti 2.0 the nic's bridge is its link.

    An empty link is valid and not replaced by the default, as network scripts
    may not need a link.

    @param nic: the nic as stored

    """
    return lenient.First(
      lenient.Text(lenient.Dict(nic.get("nicparams")).get("link")),
      lenient.Text(nic.get("bridge")), default=self.default_link)

  def FindNode(self, name: str) -> Optional[Node]:
    """Finds a node by UUID, name or short name.

    """
    return self.nodes.Find(name)

  def FindInstance(self, name: str) -> Optional[Instance]:
    """Finds an instance by UUID, name or short name.

    """
    return self.instances.Find(name)


def Load(config: filestate.OpenFile) -> Snapshot:
  """Parses and indexes a configuration.

  @param config: C{config.data}
  @raise errors.ConfigurationError: as for L{Snapshot}; the message names the
    file

  """
  try:
    return Snapshot(config)
  except filestate.ReadError:
    raise
  except errors.ConfigurationError as err:
    raise errors.ConfigurationError("%s: %s" % (config.path, err)) from err


def _DefaultLink(cluster: _Stored) -> str:
  """Returns the link of nics without a link of their own.

  Up to Ganeti 2.0 the cluster's C{default_bridge} is the default link.

  """
  nicparams = lenient.Dict(
    lenient.Dict(cluster.get("nicparams")).get("default"))
  return lenient.First(lenient.Text(nicparams.get("link")),
                       lenient.Text(cluster.get("default_bridge")),
                       default=_DEFAULT_LINK)


def _Collectors(cluster: _Stored) -> dict[str, dict[str, Union[bool, int]]]:
  """Makes the settings of the monitoring daemon's data collectors.

  The result always has all collectors of Ganeti 3.0, even those that are not
  stored. The collector of instance states, which reads Xen's instance list, is
  inactive if Xen is not enabled, as in Ganeti's own daemon. The collector that
  reads Xen's CPU load may be active without Xen.

  @return: by name {"active": bool, "interval": microseconds}

  """
  stored = lenient.Dict(cluster.get("data_collectors"))
  enabled = lenient.List(cluster.get("enabled_hypervisors"))
  hypervisors = [item for item in enabled if isinstance(item, str)]
  collectors = {}
  for name in sorted(constants.DATA_COLLECTOR_NAMES.union(stored)):
    settings = lenient.Dict(stored.get(name))
    active = settings.get("active", True) is True
    if (name == constants.DATA_COLLECTOR_INST_STATUS and
        _XEN_HYPERVISORS.isdisjoint(hypervisors)):
      active = False
    interval = lenient.Number(settings.get("interval"),
                              constants.MOND_TIME_INTERVAL * 1000000)
    # The stored interval may be a float: round half to even, as Ganeti's own
    # daemon does
    collectors[name] = {"active": active, "interval": round(interval)}
  return collectors

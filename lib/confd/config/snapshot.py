#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The configuration at one moment, indexed for confd's questions.

L{Snapshot} takes the text of C{config.data} and never changes afterwards. All
work is done when it is made, so that no query walks the configuration.

Facts: Ganeti wrote nodes and instances under their names before 2.9, under
their UUIDs since, and every reference to them follows the key. Disks stand
inside their instance before 2.12, under a key of their own since, and the
instance then lists their UUIDs; children stand inside their disk always.

Rule 1: reading is lenient. What is not needed is not looked at; what is needed
and broken is left out with a warning, and the rest is served. Only without
version, serial number, cluster or nodes is a configuration unusable.

Rule 2: secrets are taken out of the document while it is parsed, before
anything else sees it, by L{redaction}.

"""

from __future__ import annotations

import bisect
import collections
import functools

import simplejson

from ganeti import constants
from ganeti import errors
from ganeti.confd.config import lenient
from ganeti.confd.config import redaction
from ganeti.confd.protocol import wire
from ganeti.confd.schema import naturalorder
from ganeti.confd.typed import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
  from typing import Callable, Iterator, Optional, Union

  _Stored = lenient.Stored


#: The link of a nic where neither the nic nor the cluster has one
_DEFAULT_LINK = "xen-br0"

_XEN_HYPERVISORS = frozenset(["xen-pvm", "xen-hvm"])


def _NoNumber(_: str) -> None:
  return None


def _Uuid(stored: _Stored, key: str) -> str:
  return lenient.Text(stored.get("uuid")) or key


def _DiskTree(disk: wire.Json) -> Iterator[_Stored]:
  """Yields a disk and all disks below it, parents first.

  """
  todo = [disk]
  while todo:
    part = todo.pop()
    if isinstance(part, dict):
      yield part
      todo.extend(reversed(lenient.List(part.get("children"))))


class _Object:
  """The base of all objects.

  """
  __slots__: list[str] = []

  @property
  def in_table(self) -> bool:
    """Whether the object has a row in its table.

    """
    return True


class Node(_Object):
  """A node, and what is asked about it.

  @ivar key: what it is stored under, by which others refer to it
  @ivar uuid: before Ganeti 2.9 perhaps its name
  @ivar group: None if the configuration does not have it
  @ivar primary_ip: None if the configuration has none
  @ivar role: C{constants.CONFD_NODE_ROLE_*}
  @ivar candidate: whether it is a master candidate (the master is one)
  @ivar primary: the instances whose primary node it is, by name; a
    forthcoming one may have no name
  @ivar secondary: the instances whose disks are mirrored to it, by name
  @ivar drbd: rows [node name, minor, instance name, "disk/N", "primary" or
    "secondary", peer node name], by instance name, then disk

  """
  __slots__ = ["name", "key", "uuid", "stored", "group", "primary_ip", "role",
               "candidate", "primary", "secondary", "drbd"]

  def __init__(self, name: str, key: str, stored: _Stored,
               is_master: bool) -> None:
    self.name = name
    self.key = key
    self.uuid = _Uuid(stored, key)
    self.stored = stored
    self.group: Optional[Group] = None
    self.primary_ip = lenient.Text(stored.get("primary_ip"))
    self.candidate = is_master or stored.get("master_candidate") is True
    self.primary: list[_Stored] = []
    self.secondary: list[_Stored] = []
    self.drbd: list[list[wire.Json]] = []
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


class Instance(_Object):
  """An instance, and what is asked about it.

  @ivar name: None if it has none, as a forthcoming instance may
  @ivar key: what it is stored under
  @ivar uuid: before Ganeti 2.9 perhaps its name
  @ivar disks: its disks, by index
  @ivar primary: its primary node; None if it has none, as a forthcoming
    instance may, or if the configuration does not have that node
  @ivar mirrors: the other nodes that its disks and their children are on

  """
  __slots__ = ["name", "key", "uuid", "stored", "disks", "primary", "mirrors"]

  def __init__(self, name: Optional[str], key: str, stored: _Stored,
               disks: list[_Stored], primary: Optional[Node]) -> None:
    self.name = name
    self.key = key
    self.uuid = _Uuid(stored, key)
    self.stored = stored
    self.disks = disks
    self.primary = primary
    self.mirrors: list[Node] = []

  @property
  def in_table(self) -> bool:
    return self.name is not None and self.primary is not None


class Group(_Object):
  """A node group.

  @ivar key: what it is stored under
  @ivar nodes: by name
  @ivar primary: its nodes' primary instances, by name

  """
  __slots__ = ["name", "key", "uuid", "stored", "nodes", "primary"]

  def __init__(self, name: str, key: str, stored: _Stored) -> None:
    self.name = name
    self.key = key
    self.uuid = _Uuid(stored, key)
    self.stored = stored
    self.nodes: list[Node] = []
    self.primary: list[_Stored] = []


class Network(_Object):
  """A network that nics may be on.

  @ivar key: what it is stored under
  @ivar groups: the groups connected to it, and how, by name
  @ivar instances: names of the instances on it, by name
  @ivar ips: what instances have on it, by instance name, then nic

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
  """A disk, and where it belongs.

  @ivar key: what it is stored under, None if it stands inside its instance
  @ivar uuid: before Ganeti 2.9 None
  @ivar instance: None if it is attached to none
  @ivar index: its number in its instance

  """
  __slots__ = ["name", "key", "uuid", "stored", "instance", "index"]

  def __init__(self, key: Optional[str], stored: _Stored,
               instance: Optional[Instance] = None,
               index: Optional[int] = None) -> None:
    self.name = lenient.Text(stored.get("name"))
    self.key = key
    self.uuid = lenient.Text(stored.get("uuid"), key)
    self.stored = stored
    self.instance = instance
    self.index = index


_Item = TypeVar("_Item", bound="Union[Node, Instance, Group, Network,"
                      " Disk]")


class Directory(Generic[_Item]):
  """Objects of one kind by UUID, name and short name.

  Ganeti lets several disks have one name. That name finds none of them.

  @ivar items: the rows of their table, in the order in which they were added

  """
  def __init__(self) -> None:
    self.items: list[_Item] = []
    self._by_uuid: dict[str, _Item] = {}
    #: None where several have the name
    self._by_name: dict[str, Optional[_Item]] = {}
    self._names: list[str] = []

  def Add(self, key: Optional[str], item: _Item) -> None:
    """Enters an object.

    @param key: the key it is stored under, by which others refer to it

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
    """Makes short names known; to be called once, after the last L{Add}.

    """
    self._names = sorted(self._by_name)

  def Resolve(self, reference: wire.Json) -> Optional[_Item]:
    """Finds what a reference inside the configuration points at.

    """
    if not isinstance(reference, str):
      return None
    return self._by_uuid.get(reference) or self._by_name.get(reference)

  def Find(self, name: str) -> Optional[_Item]:
    """Finds what a query means.

    @param name: UUID, else exact name, else the beginning of exactly one name
      up to a dot

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


class Snapshot:
  """One configuration, ready to be asked.

  Nodes, instances, groups and networks are in the order of their names.

  @ivar size: bytes of its text
  @ivar document: the whole configuration as stored, without its secrets
  @ivar serial: the configuration's serial number
  @ivar version: its format's version, e.g. 3000000
  @ivar warnings: what was left out and why
  @ivar master: None if the configuration names none of its nodes
  @ivar node_ips: the primary ips of all nodes, by node name
  @ivar candidate_ips: the primary ips of the master candidates, by node name
  @ivar default_link: the link of nics that name none
  @ivar links: by link, a dict from ip to the primary ip of the node where that
    ip's instance lives, by instance name, then nic; None if that is not known
  @ivar collectors: the answer to DATA_COLLECTORS
  @ivar disks: by instance, then index; at the end those of no instance
  @ivar attached: how many times instances refer to a disk, by its key

  """
  def __init__(self, text: bytes) -> None:
    """Parses and indexes a configuration.

    @param text: contents of C{config.data}
    @raise errors.ConfigurationError: it is unusable; the message says why, and
      quotes nothing of it, which could be a secret

    """
    self.size = len(text)
    # id() of the logical_id of each DRBD disk whose secret another one has, too
    self._same_secret: set[int] = set()
    self.document = self._Parse(text)
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
    self.attached = self._CountAttached()
    self.instances = self._IndexInstances()
    self._IndexDetachedDisks()
    self.collectors = _Collectors(cluster)

  def _Parse(self, text: bytes) -> _Stored:
    owners: redaction.Owners = {}
    # NaN and Infinity are not JSON, and some versions of simplejson refuse them
    decoder = simplejson.JSONDecoder(
      parse_constant=_NoNumber,
      object_hook=functools.partial(redaction.Object, owners=owners))
    try:
      document = decoder.decode(text)
    except UnicodeDecodeError as err:
      raise errors.ConfigurationError("not UTF-8 at byte %d" % err.start)
    except simplejson.JSONDecodeError as err:
      raise errors.ConfigurationError("not JSON: %s" % err)
    except ValueError as err:
      raise errors.ConfigurationError("unreadable number: %s" % err)
    except RecursionError:
      raise errors.ConfigurationError("nested too deeply")
    if not isinstance(document, dict):
      raise errors.ConfigurationError("no JSON object")
    for key in ("version", "serial_no"):
      if lenient.Count(document.get(key)) is None:
        raise errors.ConfigurationError("\"%s\" is missing or no integer from 0"
                                        " to 2^63 - 1" % key)
    for key in ("cluster", "nodes"):
      if not isinstance(document.get(key), dict):
        raise errors.ConfigurationError("\"%s\" is missing or no object" % key)
    redaction.Document(document)
    self._same_secret.update(id(item) for items in owners.values()
                             if len(items) > 1 for item in items)
    return document

  def SharesSecret(self, disk: _Stored) -> bool:
    """Says whether another disk has a disk's secret.

    @param disk: as stored

    """
    return id(disk.get("logical_id")) in self._same_secret

  def _CountAttached(self) -> collections.Counter[str]:
    return collections.Counter(
      item
      for instance in lenient.Dict(self.document.get("instances")).values()
      for item in lenient.List(lenient.Dict(instance).get("disks"))
      if isinstance(item, str))

  def _IndexNodes(self, cluster: _Stored) -> Directory[Node]:
    """Makes the nodes, and enters the master and the ips.

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

    @param make: called with name, key and object as stored

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
    @return: name, key and object as stored, by name

    """
    return [(name, key, stored) for (name, key, stored)
            in self._ByNameOrNone(section) if name is not None]

  def _ByNameOrNone(self, section: str
                    ) -> list[tuple[Optional[str], str, _Stored]]:
    """Lists the objects of a section of the document.

    Forthcoming objects (Ganeti 2.16 and later) may still lack a name.

    @param section: "nodes", "instances", "nodegroups" or "networks"
    @return: name, key and object as stored, by name; those without come first

    """
    found: list[tuple[Optional[str], str, _Stored]] = []
    for (key, stored) in lenient.Dict(self.document.get(section)).items():
      if not isinstance(stored, dict):
        self.warnings.append("%s: %s is no JSON object, left out" %
                             (section, key))
        continue
      name = stored.get("name")
      if isinstance(name, str) and name:
        found.append((name, key, stored))
      elif stored.get("forthcoming") is True:
        found.append((None, key, stored))
      else:
        self.warnings.append("%s: %s has no name, left out" % (section, key))
    found.sort(key=lambda item: (naturalorder.NaturalKey(item[0] or ""),
                                 item[0] or "", item[1]))
    return found

  def _IndexInstances(self) -> Directory[Instance]:
    """Makes the instances, and enters them where they are asked for.

    Those without a node or a name have no row in tables, but they count
    wherever Ganeti counts them: their names make other names ambiguous, and
    their minors and ips are taken.

    """
    directory: Directory[Instance] = Directory()
    stored_disks = lenient.Dict(self.document.get("disks"))
    for (name, key, stored) in self._ByNameOrNone("instances"):
      primary = self.nodes.Resolve(stored.get("primary_node"))
      if primary is None and stored.get("forthcoming") is not True:
        self.warnings.append("Instance %s: its primary node is not there, left"
                             " out of tables" % name)
      disks = self._Disks(name or key, stored, stored_disks)
      instance = Instance(name, key, stored, [disk for (_, _, disk) in disks],
                          primary)
      directory.Add(key, instance)
      if primary is not None:
        primary.primary.append(stored)
        if primary.group is not None:
          primary.group.primary.append(stored)
      for node in self._IndexDisks(instance, disks):
        node.secondary.append(stored)
      self._IndexNics(instance)
    directory.Close()
    return directory

  def _IndexDetachedDisks(self) -> None:
    """Enters the disks that are attached to no instance.

    """
    disks = lenient.Dict(self.document.get("disks"))
    for (key, stored) in sorted(disks.items()):
      if isinstance(stored, dict) and self.disks.Resolve(key) is None:
        self.disks.Add(key, Disk(key, stored))
    self.disks.Close()

  def _Disks(self, name: str, stored: _Stored,
             stored_disks: _Stored
             ) -> list[tuple[int, Optional[str], _Stored]]:
    """Collects the disks of an instance.

    @param name: the instance's name, for messages
    @param stored: the instance as stored
    @param stored_disks: the configuration's disks by UUID
    @return: index, the key it is stored under, and disk as stored

    """
    disks: list[tuple[int, Optional[str], _Stored]] = []
    for (index, item) in enumerate(lenient.List(stored.get("disks"))):
      key = item if isinstance(item, str) else None
      disk = item if key is None else stored_disks.get(key)
      if isinstance(disk, dict):
        disks.append((index, key, disk))
      elif stored.get("forthcoming") is not True:
        self.warnings.append("Instance %s: disk/%d is not there, left out" %
                             (name, index))
    return disks

  def _IndexDisks(self, instance: Instance,
                  disks: list[tuple[int, Optional[str], _Stored]]
                  ) -> list[Node]:
    """Enters the disks of an instance, the DRBD ones at their nodes too.

    @param disks: from L{_Disks}
    @return: its secondary nodes; nodes of a disk's children are none, and
      without a primary node there are none

    """
    primary = instance.primary
    # Ganeti's daemon answers with an empty name where there is none
    name = instance.name or ""
    secondaries: list[Node] = []
    for (index, key, disk) in disks:
      self.disks.Add(key, Disk(key, disk, instance, index))
      for part in _DiskTree(disk):
        if part.get("dev_type") not in redaction.DRBD_TYPES:
          continue
        logical_id = lenient.List(part.get("logical_id"))
        nodes = [self.nodes.Resolve(item)
                 for item in logical_id[redaction.DRBD_NODES]]
        ends = [node for node in nodes if node is not None]
        minors = logical_id[redaction.DRBD_MINORS]
        for node in ends:
          if node is not primary:
            if node not in instance.mirrors:
              instance.mirrors.append(node)
            if (part is disk and primary is not None and
                node not in secondaries):
              secondaries.append(node)
        if (len(ends) != 2 or len(minors) != 2 or
            any(lenient.Count(minor) is None for minor in minors)):
          if part.get("forthcoming") is not True:
            self.warnings.append("Instance %s: disk/%d has no two nodes and"
                                 " minors, left out of the DRBD list" %
                                 (name or instance.uuid, index))
          continue
        for (node, peer, minor) in [(ends[0], ends[1], minors[0]),
                                    (ends[1], ends[0], minors[1])]:
          role = "primary" if node is primary else "secondary"
          node.drbd.append([node.name, minor, name, "disk/%d" % index, role,
                            peer.name])
    return secondaries

  def _IndexNics(self, instance: Instance) -> None:
    """Enters the ips of an instance, and itself at its networks.

    """
    node_ip = None
    # Ganeti's daemon finds the node of an ip by the instance's name
    if instance.primary is not None and instance.name is not None:
      node_ip = instance.primary.primary_ip
    for nic in lenient.List(instance.stored.get("nics")):
      nic = lenient.Dict(nic)
      network = self.networks.Resolve(nic.get("network"))
      # One after the other, so the last one shows whether it is there
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
    """Returns the link of a nic; up to Ganeti 2.0 it is its bridge.

    An empty link is a link: network scripts may need none.

    @param nic: as stored

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


def _DefaultLink(cluster: _Stored) -> str:
  """Returns the link of nics that name none.

  Up to Ganeti 2.0 it is the cluster's default_bridge.

  """
  nicparams = lenient.Dict(
    lenient.Dict(cluster.get("nicparams")).get("default"))
  return lenient.First(lenient.Text(nicparams.get("link")),
                       lenient.Text(cluster.get("default_bridge")),
                       default=_DEFAULT_LINK)


def _Collectors(cluster: _Stored) -> dict[str, dict[str, Union[bool, int]]]:
  """Makes the settings of the monitoring daemon's data collectors.

  Those that Ganeti 3.0 knows are always there, whatever is stored. One that
  reads Xen's instance list is off where Xen is not enabled, as Ganeti's own
  daemon decides; the one that reads Xen's CPU load is not asked for that.

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
    # Ganeti stores a float. Its daemon rounds half to even, as Python does.
    interval = lenient.Number(settings.get("interval"),
                              constants.MOND_TIME_INTERVAL * 1000000)
    collectors[name] = {"active": active, "interval": round(interval)}
  return collectors

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Finds what is wrong or risky, by the configuration alone.

L{CHECKS} is the table: each check has a name that stays the same, since users
switch it off by that, and yields findings.

Facts: Ganeti wants a MAC address once in a cluster, an IP address once in a
network or, without one, on a link. What "exclusion tags" are is in hbal(1):
with the cluster's tag C{htools:iextags:service}, no node shall be the primary
one of two instances that share a tag C{service:...}.

"""

from __future__ import annotations

import collections
import functools
import ipaddress

from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, \
  NamedTuple, Optional, Sequence, Set, Tuple, Union

from ganeti.confd.config import columns
from ganeti.confd.config import naturalorder


WARNING = "warning"
CRITICAL = "critical"

#: Less than this part of a network's addresses is "nearly full"
_FEW_FREE = 0.1

#: Seconds for which an instance may be forthcoming
_FORTHCOMING = 86400

#: What the tags of a cluster begin with that name exclusion tags
_EXCLUSION = "htools:iextags:"

_MIRRORED = "drbd"

Row = Mapping[str, Any]

#: The fields that are needed, by table
FIELDS: Dict[str, List[str]] = {
  columns.NODE: ["name", "group", "offline", "drained", "master",
                 "master_candidate", "master_capable"],
  columns.INSTANCE: ["name", "pnode", "snodes", "admin_state", "disk_template",
                     "disk.count", "disk.sizes", "forthcoming", "mtime",
                     "tags", "nic.ips", "nic.macs", "nic.modes", "nic.links",
                     "nic.networks", "nic.networks.names"],
  columns.NETWORK: ["name", "uuid", "network", "network6", "free_count",
                    "reserved_count"],
  columns.DISK: ["instance", "index", "dev_type", "nodes"],
  }

#: Places in the configuration that are needed, as JSON pointers
_CLUSTER_TAGS = "/cluster/tags"
_POOL_SIZE = "/cluster/candidate_pool_size"
PLACES = [_CLUSTER_TAGS, _POOL_SIZE]


class Facts(NamedTuple):
  """What is known of a cluster.

  """
  nodes: Sequence[Row]
  instances: Sequence[Row]
  networks: Sequence[Row]
  disks: Sequence[Row]
  #: What stands at L{_CLUSTER_TAGS}, None if nothing does
  cluster_tags: Any
  #: What stands at L{_POOL_SIZE}, None if nothing does
  pool_size: Any
  #: How many things a daemon left out of the configuration, since they are
  #: malformed or refer to what is not there
  warnings: int
  #: Seconds since the epoch
  now: float


def Known(tables: Mapping[str, Sequence[Row]], places: Mapping[str, Any],
          statistics: Mapping[str, Any], now: float) -> Facts:
  """Puts together what was asked for.

  @param tables: with L{FIELDS}
  @param places: what stands at each of L{PLACES}, None where nothing does
  @param statistics: an answer to STATS
  @param now: seconds since the epoch
  @raise LookupError: something is not there

  """
  return Facts(tables[columns.NODE], tables[columns.INSTANCE],
               tables[columns.NETWORK], tables[columns.DISK],
               places[_CLUSTER_TAGS], places[_POOL_SIZE],
               # A daemon of an older version does not tell
               statistics["config"].get("warnings", 0), now)


class Finding(NamedTuple):
  """Something that is wrong or risky.

  """
  #: Which check has found it, one of L{CHECKS}
  check: str
  #: L{WARNING} or L{CRITICAL}
  severity: str
  #: What it is about, e.g. the name of an instance
  subject: str
  text: str
  #: What to do
  advice: str


class _Check(NamedTuple):
  severity: str
  #: What it looks for, for documents and help
  text: str
  advice: str
  #: Yields pairs of subject and text
  find: Callable[[Facts], Iterator[Tuple[str, str]]]


CHECKS: Dict[str, _Check] = {}

_Find = Callable[[Facts], Iterator[Tuple[str, str]]]


def _Enter(name: str, severity: str, text: str, advice: str
           ) -> Callable[[_Find], _Find]:
  """Enters a function in L{CHECKS}.

  """
  def _Decorate(find: _Find) -> _Find:
    CHECKS[name] = _Check(severity, text, advice, find)
    return find
  return _Decorate


def _Nodes(facts: Facts, flag: str) -> Set[str]:
  """Returns the names of the nodes that have a flag.

  """
  return {node["name"] for node in facts.nodes if node[flag]}


def _Join(names: Iterable[str]) -> str:
  return ", ".join(sorted(names, key=naturalorder.NaturalKey))


@_Enter("instance-on-offline-node", CRITICAL,
        "An instance shall be up, and its primary node is offline",
        "gnt-instance failover --ignore-consistency INSTANCE where it is"
        " mirrored; else bring the node back, or gnt-instance stop"
        " --ignore-offline INSTANCE")
def _InstanceOnOfflineNode(facts: Facts) -> Iterator[Tuple[str, str]]:
  offline = _Nodes(facts, "offline")
  for instance in facts.instances:
    if instance["admin_state"] == "up" and instance["pnode"] in offline:
      yield (instance["name"], "shall be up, but its primary node %s is offline"
             % instance["pnode"])


@_Enter("instance-on-drained-node", WARNING,
        "An instance's primary node is drained",
        "gnt-instance migrate INSTANCE, or gnt-node modify --drained=no NODE")
def _InstanceOnDrainedNode(facts: Facts) -> Iterator[Tuple[str, str]]:
  drained = _Nodes(facts, "drained")
  for instance in facts.instances:
    if instance["pnode"] in drained:
      yield (instance["name"], "its primary node %s is drained" %
             instance["pnode"])


@_Enter("mirror-offline", WARNING,
        "An instance's disks have their other side on an offline node",
        "gnt-instance replace-disks -n NODE INSTANCE, or bring the node back")
def _MirrorOffline(facts: Facts) -> Iterator[Tuple[str, str]]:
  offline = _Nodes(facts, "offline")
  for instance in facts.instances:
    gone = offline.intersection(instance["snodes"])
    if gone and instance["pnode"] not in offline:
      yield (instance["name"], "the other side of its disks is on %s, which is"
             " offline" % _Join(gone))


def _MirroredDisks(facts: Facts) -> Iterator[Tuple[str, List[str]]]:
  """Yields whose a mirrored disk is, and the nodes it is on.

  """
  for disk in facts.disks:
    # "drbd8" before Ganeti 2.12
    if (disk["instance"] is not None and
        str(disk["dev_type"]).startswith(_MIRRORED)):
      yield ("%s, disk/%s" % (disk["instance"], disk["index"]), disk["nodes"])


@_Enter("mirror-missing", WARNING,
        "A mirrored disk is on one node only",
        "gnt-cluster verify says more; the configuration was changed by hand")
def _MirrorMissing(facts: Facts) -> Iterator[Tuple[str, str]]:
  for (subject, nodes) in _MirroredDisks(facts):
    if len(nodes) < 2:
      yield (subject, "is mirrored, but only on %s" %
             (_Join(nodes) or "no node"))


@_Enter("primary-is-secondary", CRITICAL,
        "Both sides of a mirrored disk are on one node",
        "gnt-cluster verify says more; the configuration was changed by hand")
def _PrimaryIsSecondary(facts: Facts) -> Iterator[Tuple[str, str]]:
  for (subject, nodes) in _MirroredDisks(facts):
    if len(nodes) > len(set(nodes)):
      yield (subject, "has both sides on %s" % nodes[0])


@_Enter("exclusion-tag", WARNING,
        "Two instances that the cluster's exclusion tags keep apart have one"
        " primary node",
        "gnt-instance migrate one of them, or let hbal(1) find where to")
def _ExclusionTag(facts: Facts) -> Iterator[Tuple[str, str]]:
  tags = facts.cluster_tags if isinstance(facts.cluster_tags, list) else []
  prefixes = tuple(tag[len(_EXCLUSION):] + ":" for tag in tags
                   if isinstance(tag, str) and tag.startswith(_EXCLUSION))
  together: Dict[Tuple[str, str], List[str]] = collections.defaultdict(list)
  for instance in facts.instances:
    for tag in instance["tags"]:
      if tag.startswith(prefixes):
        together[instance["pnode"], tag].append(instance["name"])
  for ((node, tag), names) in together.items():
    if len(names) > 1:
      yield (node, "is the primary node of %s, which share the exclusion tag"
             " %s" % (_Join(names), tag))


@_Enter("network-full", CRITICAL,
        "A network has no free address",
        "gnt-network add a further one, or gnt-network modify"
        " --remove-reserved-ips")
def _NetworkFull(facts: Facts) -> Iterator[Tuple[str, str]]:
  for network in facts.networks:
    if network["reserved_count"] and not network["free_count"]:
      yield (network["name"], "all of its %d addresses are taken" %
             network["reserved_count"])


@_Enter("network-nearly-full", WARNING,
        "Less than a tenth of a network's addresses is free",
        "gnt-network add a further one in time")
def _NetworkNearlyFull(facts: Facts) -> Iterator[Tuple[str, str]]:
  for network in facts.networks:
    free = network["free_count"]
    total = free + network["reserved_count"]
    if 0 < free < _FEW_FREE * total:
      yield (network["name"], "%d of its %d addresses %s free" %
             (free, total, "is" if free == 1 else "are"))


class _Nic(NamedTuple):
  owner: str
  ip: Optional[str]
  mac: Optional[str]
  mode: str
  link: str
  network: Optional[str]
  network_name: Optional[str]

  @property
  def where(self) -> str:
    """In what its address has to be the only one.

    """
    if self.network_name is not None:
      return "network %s" % self.network_name
    return "link %s" % self.link


def _Nics(facts: Facts) -> Iterator[_Nic]:
  for instance in facts.instances:
    parts = zip(*(instance[name] for name in (
      "nic.ips", "nic.macs", "nic.modes", "nic.links", "nic.networks",
      "nic.networks.names")))
    for (index, nic) in enumerate(parts):
      yield _Nic("%s, nic/%d" % (instance["name"], index), *nic)


def _FindTwice(values: Iterable[Tuple[Any, str]]
               ) -> Iterator[Tuple[Any, List[str]]]:
  """Yields each value that several have, and whose it is.

  """
  owners: Dict[Any, List[str]] = collections.defaultdict(list)
  for (value, owner) in values:
    owners[value].append(owner)
  for (value, names) in owners.items():
    if len(names) > 1:
      yield (value, names)


# Many have the same
@functools.lru_cache(maxsize=None)
def _Network(text: Optional[str]
             ) -> Union[ipaddress.IPv4Network, ipaddress.IPv6Network, None]:
  try:
    return ipaddress.ip_network(text or "")
  except ValueError:
    return None


def _Address(text: Optional[str]
             ) -> Union[ipaddress.IPv4Address, ipaddress.IPv6Address, None]:
  try:
    return ipaddress.ip_address(text or "")
  except ValueError:
    return None


@_Enter("duplicate-ip", CRITICAL,
        "An IP address is used twice in a network or on a link",
        "gnt-instance modify --net N:ip=ADDRESS INSTANCE for one of them")
def _DuplicateIp(facts: Facts) -> Iterator[Tuple[str, str]]:
  nics = [((nic.where, _Address(nic.ip) or nic.ip), nic.owner)
          for nic in _Nics(facts) if nic.ip]
  for ((where, address), owners) in _FindTwice(nics):
    yield (str(address), "is used in %s by %s" % (where, "; ".join(owners)))


@_Enter("duplicate-mac", CRITICAL,
        "A MAC address is used twice",
        "gnt-instance modify --net N:mac=generate INSTANCE for one of them")
def _DuplicateMac(facts: Facts) -> Iterator[Tuple[str, str]]:
  nics = [(nic.mac.lower(), nic.owner) for nic in _Nics(facts) if nic.mac]
  for (address, owners) in _FindTwice(nics):
    yield (address, "is used by %s" % "; ".join(owners))


@_Enter("address-outside-network", WARNING,
        "A network interface's address is not of its network",
        "gnt-instance modify --net N:ip=pool INSTANCE, or another network")
def _AddressOutside(facts: Facts) -> Iterator[Tuple[str, str]]:
  networks = {network["name"]: network for network in facts.networks}
  for nic in _Nics(facts):
    network = networks.get(nic.network_name)
    address = _Address(nic.ip)
    if network is None or address is None:
      continue
    text = network["network" if address.version == 4 else "network6"]
    subnet = _Network(text)
    # Where the network is not of that kind at all, nobody looks at it
    if subnet is not None and address not in subnet:
      yield (nic.owner, "its address %s is not in network %s, %s" %
             (nic.ip, nic.network_name, text))


@_Enter("few-candidates", WARNING,
        "There are fewer master candidates than the cluster wants, and nodes"
        " that could be one",
        "gnt-node modify --auto-promote --master-candidate=yes NODE")
def _FewCandidates(facts: Facts) -> Iterator[Tuple[str, str]]:
  if not isinstance(facts.pool_size, int):
    return
  able = [node for node in facts.nodes
          if (node["master"] or node["master_capable"]) and
          not node["offline"] and not node["drained"]]
  count = sum(1 for node in able if node["master"] or node["master_candidate"])
  wanted = min(facts.pool_size, len(able))
  if count < wanted:
    yield ("cluster", "has %d master candidates and could have %d; the pool"
           " size is %d" % (count, wanted, facts.pool_size))


@_Enter("missing-reference", CRITICAL,
        "Something refers to what is not there",
        "gnt-cluster verify says more, and ganeti-confd --check on a node; the"
        " configuration was changed by hand, or a job was broken off")
def _MissingReference(facts: Facts) -> Iterator[Tuple[str, str]]:
  if facts.warnings:
    yield ("configuration", "%d %s left out, being malformed or without what"
           " %s to" % ((facts.warnings, ) +
                       (("thing is", "it refers") if facts.warnings == 1 else
                        ("things are", "they refer"))))
  for node in facts.nodes:
    if node["group"] is None and any(i["group"] is not None
                                     for i in facts.nodes):
      yield (node["name"], "its group is not there")
  for nic in _Nics(facts):
    if nic.network is not None and nic.network_name is None:
      yield (nic.owner, "its network %s is not there" % nic.network)


@_Enter("forthcoming", WARNING,
        "An instance was planned more than a day ago, and never made",
        "gnt-instance add --commit INSTANCE, or gnt-instance remove INSTANCE")
def _Forthcoming(facts: Facts) -> Iterator[Tuple[str, str]]:
  for instance in facts.instances:
    since = instance["mtime"]
    if instance["forthcoming"] and (
        since is None or facts.now - since > _FORTHCOMING):
      yield (instance["name"], "is only planned, since more than a day")


def Check(facts: Facts, ignore: Iterable[str] = ()) -> List[Finding]:
  """Looks for all that is wrong or risky.

  @param ignore: names of checks to leave out
  @return: what is critical first, then in the order of L{CHECKS}
  @raise LookupError: rows lack fields of L{FIELDS}
  @raise TypeError: values are of other types than the fields have

  """
  ignored = set(ignore)
  found = [Finding(name, check.severity, subject, text, check.advice)
           for (name, check) in CHECKS.items() if name not in ignored
           for (subject, text) in check.find(facts)]
  return sorted(found, key=lambda finding: finding.severity != CRITICAL)

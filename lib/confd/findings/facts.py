#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""All that is known of a cluster, in which findings are looked for.

The modules of findings have each a table C{FIELDS}, the fields that they need
of each kind of objects, and a list C{PLACES}, the places in the configuration,
as JSON pointers.

"""

from __future__ import annotations

import collections

from typing import Any, Container, Dict, FrozenSet, Iterable, Iterator, List, \
  Mapping, NamedTuple, Sequence, Set, Tuple

from ganeti.confd.schema import columns
from ganeti.confd.schema import naturalorder


Row = Mapping[str, Any]

#: The place of what belongs to the cluster as a whole
CLUSTER = "/cluster"

#: Today's names of disks' types, by those of before Ganeti 2.12
_DISK_TYPES = {
  "drbd8": "drbd",
  "lvm": "plain",
  }

#: How much of a value is shown (characters)
_QUOTED = 60


class Facts(NamedTuple):
  """What is known of a cluster.

  """
  #: The rows of each kind of objects
  tables: Mapping[str, Sequence[Row]]
  #: What stands at each place, None if nothing does
  places: Mapping[str, Any]
  #: How many things a daemon left out of the configuration, since they are
  #: malformed or refer to what is not there
  warnings: int
  #: Whether a newer configuration could not be loaded
  stale: bool
  #: Seconds since the epoch
  now: float

  @property
  def nodes(self) -> Sequence[Row]:
    return self.tables[columns.NODE]

  @property
  def instances(self) -> Sequence[Row]:
    return self.tables[columns.INSTANCE]

  @property
  def networks(self) -> Sequence[Row]:
    return self.tables[columns.NETWORK]

  @property
  def groups(self) -> Sequence[Row]:
    return self.tables[columns.GROUP]

  @property
  def disks(self) -> Sequence[Row]:
    return self.tables[columns.DISK]

  @property
  def cluster(self) -> Mapping[str, Any]:
    """What stands at L{CLUSTER}.

    """
    return Object(self.places[CLUSTER])


def Backend(known: Facts) -> Iterator[Tuple[Row, Mapping[str, Any]]]:
  """Yields each instance, and its backend parameters.

  Filling them here takes less than asking for them.

  """
  default = _Backend(Object(Object(known.cluster.get("beparams")
                                   ).get("default")))
  for instance in known.instances:
    own = instance["custom_beparams"]
    yield (instance, dict(default, **_Backend(own)) if own else default)


def _Backend(stored: Mapping[str, Any]) -> Mapping[str, Any]:
  """Reads parameters of before Ganeti 2.6, when there was one size of memory.

  """
  memory = stored.get("memory")
  if memory is None:
    return stored
  return dict({"maxmem": memory, "minmem": memory}, **stored)


def Object(value: Any) -> Mapping[str, Any]:
  """Returns a JSON object; anything else counts as an empty one.

  """
  return value if isinstance(value, dict) else {}


def IsIn(value: Any, choices: Container[str]) -> bool:
  """Says whether a value, which may be of any type, is one of some texts.

  """
  return isinstance(value, str) and value in choices


def Quote(value: Any) -> str:
  """Writes a value for people.

  """
  text = repr(value)
  return text if len(text) <= _QUOTED else text[:_QUOTED] + "..."


def DiskSubject(disk: Row) -> str:
  """Names a disk by its instance and index.

  """
  if disk["instance"] is None:
    return "a disk of no instance"
  return "%s, disk/%s" % (disk["instance"], disk["index"])


def DiskType(disk: Row) -> str:
  """Returns the type of a disk, by its name of today.

  """
  kind = str(disk["dev_type"])
  return _DISK_TYPES.get(kind, kind)


def DiskTypes(disks: Sequence[Row]) -> Dict[str, FrozenSet[str]]:
  """Returns the types of each instance's disks, by the instances' names.

  @param disks: with instance and dev_type

  """
  types: Dict[str, FrozenSet[str]] = {}
  # Instances with one type share the set
  single: Dict[str, FrozenSet[str]] = {}
  for disk in disks:
    name = disk["instance"]
    if name is not None:
      kind = DiskType(disk)
      kinds = single.setdefault(kind, frozenset([kind]))
      types[name] = types[name] | kinds if name in types else kinds
  return types


def NodesWith(facts: Facts, flag: str) -> Set[str]:
  """Returns the names of the nodes that have a flag.

  """
  return {node["name"] for node in facts.nodes if node[flag]}


def ExclusiveNodes(known: Facts) -> Set[str]:
  """Returns the names of the nodes with exclusive storage.

  @param known: with the field ndp/exclusive_storage of nodes

  """
  return {node["name"] for node in known.nodes
          if node["ndp/exclusive_storage"] is True}


def Join(names: Iterable[str]) -> str:
  """Writes names for people, in their order.

  """
  return ", ".join(sorted(names, key=naturalorder.NaturalKey))


#: How many items of a long list are written
_SOME = 5


def JoinSome(items: Sequence[str]) -> str:
  """Writes the first few of a list that may be long.

  """
  text = ", ".join(items[:_SOME])
  if len(items) > _SOME:
    text += " and %d more" % (len(items) - _SOME)
  return text


def FindTwice(values: Iterable[Tuple[Any, str]]
              ) -> Iterator[Tuple[Any, List[str]]]:
  """Yields each value that several have, and whose it is.

  """
  owners: Dict[Any, List[str]] = collections.defaultdict(list)
  for (value, owner) in values:
    owners[value].append(owner)
  for (value, names) in owners.items():
    if len(names) > 1:
      yield (value, names)

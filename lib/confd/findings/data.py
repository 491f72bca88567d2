#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The data of a configuration that checks look at, and helpers for checks.

Each module of checks lists the data that it needs: C{FIELDS}, the fields by
table, and C{POINTERS}, the JSON pointers of other values.

"""

from __future__ import annotations

import collections

from typing import Any, Container, Iterable, Iterator, Mapping, NamedTuple, \
  Sequence

from ganeti.confd.schema import columns
from ganeti.confd.schema import naturalorder


Row = Mapping[str, Any]

#: The JSON pointer of the cluster's own settings
CLUSTER = "/cluster"

#: Maps the names that disk types had before Ganeti 2.12 to their present names
_DISK_TYPES = {
  "drbd8": "drbd",
  "lvm": "plain",
  }

#: Values in findings are cut to this many characters
_QUOTED = 60


class ConfigData(NamedTuple):
  """The data of a configuration that checks look at.

  """
  #: Rows by table
  tables: Mapping[str, Sequence[Row]]
  #: Values by JSON pointer, None for a pointer to no value
  values: Mapping[str, Any]
  #: The number of objects that the daemon left out of the configuration:
  #: malformed objects, and objects that refer to missing ones
  warnings: int
  #: Whether the daemon could not load a newer configuration, and uses an old
  #: one
  stale: bool
  #: The time of the check, in seconds since the epoch
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
    """The cluster's own settings.

    """
    return Object(self.values[CLUSTER])


def Backend(config: ConfigData) -> Iterator[tuple[Row, Mapping[str, Any]]]:
  """Yields each instance with its filled backend parameters.

  Filling the parameters here is faster than asking the daemon for filled ones.

  """
  default = _Backend(Object(Object(config.cluster.get("beparams")
                                   ).get("default")))
  for instance in config.instances:
    own = instance["custom_beparams"]
    yield (instance, dict(default, **_Backend(own)) if own else default)


def _Backend(stored: Mapping[str, Any]) -> Mapping[str, Any]:
  """Converts parameters from before Ganeti 2.6, which had one memory size.

  """
  memory = stored.get("memory")
  if memory is None:
    return stored
  return dict({"maxmem": memory, "minmem": memory}, **stored)


def Object(value: Any) -> Mapping[str, Any]:
  """Returns the value if it is a JSON object, else an empty object.

  """
  return value if isinstance(value, dict) else {}


def IsIn(value: Any, choices: Container[str]) -> bool:
  """Tells whether a value of any type is one of the strings in C{choices}.

  """
  return isinstance(value, str) and value in choices


def Quote(value: Any) -> str:
  """Formats a value for a finding.

  """
  text = repr(value)
  return text if len(text) <= _QUOTED else text[:_QUOTED] + "..."


def DiskSubject(disk: Row) -> str:
  """Returns the subject of a finding about a disk: its instance and index.

  """
  if disk["instance"] is None:
    return "a disk of no instance"
  return "%s, disk/%s" % (disk["instance"], disk["index"])


def DiskType(disk: Row) -> str:
  """Returns the present name of a disk's type.

  """
  kind = str(disk["dev_type"])
  return _DISK_TYPES.get(kind, kind)


def DiskTypes(disks: Sequence[Row]) -> dict[str, frozenset[str]]:
  """Returns the disk types of each instance, by the instance's name.

  @param disks: with the fields instance and dev_type

  """
  types: dict[str, frozenset[str]] = {}
  # Maps each disk type to a set that contains only this type. Instances whose
  # disks all have the type share the set, to save memory.
  single: dict[str, frozenset[str]] = {}
  for disk in disks:
    name = disk["instance"]
    if name is not None:
      kind = DiskType(disk)
      kinds = single.setdefault(kind, frozenset([kind]))
      types[name] = types[name] | kinds if name in types else kinds
  return types


def NodesWith(config: ConfigData, flag: str) -> set[str]:
  """Returns the names of the nodes whose C{flag} is true.

  """
  return {node["name"] for node in config.nodes if node[flag]}


def ExclusiveNodes(config: ConfigData) -> set[str]:
  """Returns the names of the nodes with exclusive storage.

  @param config: with the field ndp/exclusive_storage of nodes

  """
  return {node["name"] for node in config.nodes
          if node["ndp/exclusive_storage"] is True}


def Join(names: Iterable[str]) -> str:
  """Joins names by commas, in natural order.

  """
  return ", ".join(sorted(names, key=naturalorder.NaturalKey))


#: L{JoinSome} lists at most this many items
_SOME = 5


def JoinSome(items: Sequence[str]) -> str:
  """Joins the first few items of a list, and says how many more there are.

  """
  text = ", ".join(items[:_SOME])
  if len(items) > _SOME:
    text += " and %d more" % (len(items) - _SOME)
  return text


def FindTwice(values: Iterable[tuple[Any, str]]
              ) -> Iterator[tuple[Any, list[str]]]:
  """Yields each value that has several owners, and the owners.

  @param values: pairs of value and owner

  """
  owners: dict[Any, list[str]] = collections.defaultdict(list)
  for (value, owner) in values:
    owners[value].append(owner)
  for (value, names) in owners.items():
    if len(names) > 1:
      yield (value, names)

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What is known of a cluster, where findings are looked for.

The modules of findings have each a table C{FIELDS}, the fields that they need
of each kind of objects, and a list C{PLACES}, the places in the configuration,
as JSON pointers.

"""

from __future__ import annotations

import collections

from typing import Any, Dict, Iterable, Iterator, List, Mapping, NamedTuple, \
  Sequence, Set, Tuple

from ganeti.confd.config import columns
from ganeti.confd.config import naturalorder


Row = Mapping[str, Any]


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


def NodesWith(facts: Facts, flag: str) -> Set[str]:
  """Returns the names of the nodes that have a flag.

  """
  return {node["name"] for node in facts.nodes if node[flag]}


def Join(names: Iterable[str]) -> str:
  """Writes names for people, in their order.

  """
  return ", ".join(sorted(names, key=naturalorder.NaturalKey))


#: How many of many are named
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

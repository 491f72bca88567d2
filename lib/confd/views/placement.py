#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Which instances are on which nodes: what drawings of a cluster show.

"""

from __future__ import annotations

import collections

from typing import Counter, Dict, List, NamedTuple, Sequence, Tuple

from ganeti.confd import humanize
from ganeti.confd.schema import columns
from ganeti.confd.schema import naturalorder


#: The fields of L{Node} and L{Instance}, in their order, by table
FIELDS: Dict[str, List[str]] = {
  columns.NODE: ["name", "role", "group", "sinst_cnt"],
  columns.INSTANCE: ["name", "pnode", "snodes", "admin_state", "be/maxmem"],
  }


class Node(NamedTuple):
  """A node; the types are those of a configuration that is whole.

  """
  name: str
  role: str
  group: str
  secondary: int


class Instance(NamedTuple):
  """An instance; the types are those of a configuration that is whole.

  """
  name: str
  primary: str
  secondaries: List[str]
  state: str
  memory: int


class Load(NamedTuple):
  """What nodes carry as primary nodes, by their names.

  """
  instances: Counter[str]
  #: Configured memory in MiB, of all instances that are not offline
  memory: Counter[str]


def ByGroup(nodes: Sequence[Node]) -> List[Tuple[str, List[Node]]]:
  """Sorts nodes by group; those without one come under "-".

  """
  groups: Dict[str, List[Node]] = {}
  for node in nodes:
    groups.setdefault(node.group or "-", []).append(node)
  return sorted(groups.items(),
                key=lambda item: naturalorder.NaturalKey(item[0]))


def Sum(instances: Sequence[Instance]) -> Load:
  """Sums up what nodes carry.

  """
  counts: Counter[str] = collections.Counter(i.primary for i in instances)
  memory: Counter[str] = collections.Counter()
  for instance in instances:
    if instance.state != "offline":
      memory[instance.primary] += humanize.Mebibytes(instance.memory) or 0
  return Load(counts, memory)

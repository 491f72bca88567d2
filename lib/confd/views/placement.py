#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The placement of instances on nodes, for drawings of a cluster.

"""

from __future__ import annotations

import collections

from typing import Counter, Iterable, NamedTuple, Sequence

from ganeti.confd import humanize
from ganeti.confd.schema import columns
from ganeti.confd.schema import naturalorder


#: Maps tables to the fields with the values of L{NodeSummary} and
#: L{InstanceSummary}, in the same order
FIELDS: dict[str, list[str]] = {
  columns.NODE: ["name", "role", "group", "sinst_cnt"],
  columns.INSTANCE: ["name", "pnode", "snodes", "admin_state", "be/maxmem"],
  }


class NodeSummary(NamedTuple):
  """A node. In a broken configuration the values may have other types.

  """
  name: str
  role: str
  group: str
  secondary: int


class InstanceSummary(NamedTuple):
  """An instance. In a broken configuration the values may have other types.

  """
  name: str
  primary: str
  secondaries: list[str]
  state: str
  memory: int


class Load(NamedTuple):
  """The load that the primary instances put on each node.

  """
  #: Maps nodes to the number of their primary instances
  instances: Counter[str]
  #: Maps nodes to the MiB of memory that is configured for their primary
  #: instances; offline instances do not count
  memory: Counter[str]


def ByGroup(nodes: Sequence[NodeSummary]
            ) -> list[tuple[str, list[NodeSummary]]]:
  """Returns the nodes by group; nodes without a group are in the group "-".

  """
  groups: dict[str, list[NodeSummary]] = {}
  for node in nodes:
    groups.setdefault(node.group or "-", []).append(node)
  return sorted(groups.items(),
                key=lambda item: naturalorder.NaturalKey(item[0]))


def Sum(instances: Sequence[InstanceSummary]) -> Load:
  """Sums up the load of each node.

  """
  counts: Counter[str] = collections.Counter(i.primary for i in instances)
  memory: Counter[str] = collections.Counter()
  for instance in instances:
    if instance.state != "offline":
      memory[instance.primary] += humanize.Mebibytes(instance.memory) or 0
  return Load(counts, memory)


class ShortNames:
  """Leaves out the domain that most names have.

  """
  def __init__(self, names: Iterable[str]) -> None:
    names = [str(name) for name in names]
    domains: Counter[str] = collections.Counter(
      name.partition(".")[2] for name in names)
    domains.pop("", None)
    self._domain = max(domains, key=lambda i: domains[i], default="")
    #: Names without a domain; no other name is ever shortened to one of them
    self._taken = {name for name in names if "." not in name}

  def Short(self, name: str) -> str:
    (short, _, domain) = str(name).partition(".")
    if short and domain == self._domain and short not in self._taken:
      return short
    return str(name)

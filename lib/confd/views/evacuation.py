#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What has to move before a node can be taken away, and where it can go.

Facts: an instance with DRBD disks can run on its secondary node only. Disks
that all nodes of a group reach (an RBD pool, a shared directory, a block device
of the group, or none at all) let it run on any of them. Disks of one node, as
with the templates plain and file, tie it there: it can be copied elsewhere
while it is down, but not fail over. An instance that has its mirror on the node
goes on running, and needs a new mirror.

"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, \
  Set

from ganeti.confd.config import columns


#: What has to be done
MIGRATE = "migrate"
FAIL_OVER = "failover"
REPLACE_MIRROR = "replace-disks"
MOVE = "move"

#: The templates of disks that are mirrored, in Ganeti's words, and of those
#: that any node of the group reaches
_MIRRORED = frozenset(["drbd"])
_SHARED = frozenset(["blockdev", "diskless", "ext", "gluster", "rbd",
                     "sharedfile"])

Row = Mapping[str, Any]

#: The fields that are needed, by table
FIELDS: Dict[str, List[str]] = {
  columns.NODE: ["name", "group", "offline", "drained", "vm_capable"],
  columns.INSTANCE: ["name", "pnode", "snodes", "admin_state", "disk_template",
                     "be/maxmem"],
  }


class Step(NamedTuple):
  """What has to be done for an instance.

  """
  instance: str
  #: L{MIGRATE}, L{FAIL_OVER}, L{REPLACE_MIRROR} or L{MOVE}, which are commands
  #: of gnt-instance
  action: str
  #: Whether it can be done and the instance served meanwhile, but for moments
  possible: bool
  #: The nodes it can go to, empty if there are none
  targets: List[str]
  disk_template: str
  #: Memory that it needs there, in MiB; 0 where it needs none; None if the
  #: configuration does not say
  memory: Optional[int]
  #: In words, why it cannot go; None if it can
  problem: Optional[str]


class Plan(NamedTuple):
  """All that has to be done.

  """
  node: str
  steps: List[Step]
  #: MiB that come to nodes which are the only ones their instances can go to
  memory: Dict[str, int]


def _Usable(nodes: Sequence[Row], node: str) -> Dict[Optional[str], List[str]]:
  """Lists nodes that can take instances, by group.

  """
  usable: Dict[Optional[str], List[str]] = {}
  for row in nodes:
    if (row["name"] != node and row["vm_capable"] and not row["offline"] and
        not row["drained"]):
      usable.setdefault(row["group"], []).append(row["name"])
  return usable


def _PrimaryStep(row: Row, is_gone: bool, usable: Set[str],
                 others: Sequence[str]) -> Step:
  """Says what has to be done for an instance on the node.

  @param is_gone: whether the node is offline already
  @param usable: nodes that can take instances
  @param others: those of the node's group

  """
  template = str(row["disk_template"])
  is_up = row["admin_state"] == "up"
  action = MIGRATE if is_up and not is_gone else FAIL_OVER
  targets: List[str] = []
  problem = None
  if template in _MIRRORED:
    targets = [name for name in row["snodes"] if name in usable]
    if not targets:
      problem = ("its secondary node %s cannot take it" % row["snodes"][0]
                 if row["snodes"] else "it has no secondary node")
  elif template in _SHARED:
    targets = list(others)
    if not targets:
      problem = "no other node of the group can take it"
  else:
    action = MOVE
    targets = list(others)
    problem = "its disks (%s) are on this node only" % template
  return Step(row["name"], action, problem is None, targets, template,
              row["be/maxmem"] if is_up else 0, problem)


def _SecondaryStep(row: Row, others: Sequence[str]) -> Step:
  """Says what has to be done for an instance that has its mirror on the node.

  """
  targets = [name for name in others if name != row["pnode"]]
  problem = None if targets else "no third node of the group can take it"
  return Step(row["name"], REPLACE_MIRROR, problem is None, targets,
              str(row["disk_template"]), 0, problem)


def Make(node: str, nodes: Sequence[Row], instances: Sequence[Row],
         primary_only: bool = False) -> Optional[Plan]:
  """Makes a plan.

  @param node: full name of the node
  @param primary_only: whether mirrors may stay
  @return: None if there is no such node
  @raise LookupError: rows lack fields of L{FIELDS}

  """
  mine = next((row for row in nodes if row["name"] == node), None)
  if mine is None:
    return None
  by_group = _Usable(nodes, node)
  usable = {name for names in by_group.values() for name in names}
  others = by_group.get(mine["group"], [])
  steps = [_PrimaryStep(row, mine["offline"], usable, others)
           for row in instances if row["pnode"] == node]
  if not primary_only:
    steps += [_SecondaryStep(row, others) for row in instances
              if node in row["snodes"]]
  return Plan(node, steps, _Memory(steps))


def _Memory(steps: Sequence[Step]) -> Dict[str, int]:
  """Sums up the memory that comes to each node.

  """
  memory: Dict[str, int] = {}
  for step in steps:
    if (step.possible and isinstance(step.memory, int) and
        len(step.targets) == 1):
      memory[step.targets[0]] = memory.get(step.targets[0], 0) + step.memory
  return memory


def Command(step: Step) -> Optional[str]:
  """Writes the command of Ganeti's that does a step.

  @return: None if none can

  """
  if not step.targets:
    return None
  if step.action == REPLACE_MIRROR:
    return "gnt-instance replace-disks -n %s %s" % (
      step.targets[0] if len(step.targets) == 1 else "NODE", step.instance)
  if step.action == MOVE or len(step.targets) > 1:
    return "gnt-instance %s -n NODE %s" % (step.action, step.instance)
  return "gnt-instance %s %s" % (step.action, step.instance)

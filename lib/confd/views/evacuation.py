#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What has to move before a node can be taken away, and where it can go.

Facts, from Ganeti's C{cmdlib/instance_migration.py}, C{cmdlib/instance.py} and
C{cmdlib/instance_storage.py}: which command moves an instance depends on the
set of its disks' types.

  - All of them types that every node of the group reaches, or no disk at all:
    "migrate" and "failover", with a target node; without one, Ganeti asks an
    allocator.
  - All DRBD: "migrate" and "failover" to the secondary node, and no other. If
    the secondary node is the one to go, "replace-disks" makes a new mirror,
    copied from the primary node, which has to be online.
  - All plain or file: "move" stops the instance and copies its disks, from a
    node that is online.
  - Other mixtures: no command.

A migration needs an instance that runs, on a hypervisor that can migrate. If
the backend parameter always_failover is set, Ganeti makes a failover of every
migration. A forthcoming instance has nothing to copy: Ganeti lets it fail over,
and refuses to move it.

"""

from __future__ import annotations

import collections

from typing import Any, Counter, Dict, FrozenSet, List, Mapping, NamedTuple, \
  Optional, Sequence, Set, Tuple

from ganeti.confd import humanize
from ganeti.confd.findings import facts
from ganeti.confd.findings import htoolstags
from ganeti.confd.schema import columns
from ganeti.confd.views import shellwords


#: What has to be done
MIGRATE = "migrate"
FAIL_OVER = "failover"
REPLACE_MIRROR = "replace-disks"
MOVE = "move"

#: Types of disks, in sets that Ganeti treats alike
_MIRRORED = frozenset(["drbd"])
_SHARED = frozenset(["blockdev", "ext", "gluster", "rbd", "sharedfile"])
_LOCAL = frozenset(["file", "plain"])

_CANNOT_MIGRATE = frozenset(["chroot", "lxc"])

Row = Mapping[str, Any]

#: The fields that are needed, by table
FIELDS: Dict[str, List[str]] = {
  columns.NODE: ["name", "group.uuid", "offline", "drained", "vm_capable",
                 "tags"],
  columns.INSTANCE: ["name", "pnode", "snodes", "admin_state", "disk_template",
                     "forthcoming", "hypervisor", "tags", "be/always_failover",
                     "be/maxmem"],
  columns.DISK: ["instance", "dev_type"],
  }

#: Place in the configuration that is needed, as a JSON pointer
CLUSTER_TAGS = "/cluster/tags"


class Step(NamedTuple):
  """What has to be done for an instance.

  """
  instance: str
  #: L{MIGRATE}, L{FAIL_OVER}, L{REPLACE_MIRROR} or L{MOVE}, which are commands
  #: of gnt-instance; None if none of them can
  action: Optional[str]
  #: Whether it can be done and the instance served meanwhile, but for moments
  possible: bool
  #: The node it shall go to, one of the targets; None if there are none
  target: Optional[str]
  #: The nodes it can go to, empty if there are none
  targets: List[str]
  disk_template: str
  #: Memory that it needs there, in MiB; 0 where it needs none; None if the
  #: configuration does not say
  memory: Optional[int]
  #: In words, why it cannot go, or has to be shut down; None if it can
  problem: Optional[str]


class Plan(NamedTuple):
  """All that has to be done.

  """
  node: str
  steps: List[Step]
  #: MiB that come to each node
  memory: Dict[str, int]


class _Loads:
  """The loads of nodes, with all that the steps so far bring there.

  """
  def __init__(self, instances: Sequence[Row], rules: htoolstags.Rules) -> None:
    self._rules = rules
    #: Memory in MiB of instances that have a node as primary or as secondary
    self._primary: Counter[str] = collections.Counter()
    self._secondary: Counter[str] = collections.Counter()
    #: Primary nodes and exclusion tags of instances on them
    self._tags: Set[Tuple[str, str]] = set()
    for row in instances:
      self._Add(row, row["pnode"])
      for name in row["snodes"]:
        self._secondary[name] += self._Memory(row)

  @staticmethod
  def _Memory(row: Row) -> int:
    if row["admin_state"] == "offline":
      return 0
    return humanize.Mebibytes(row["be/maxmem"]) or 0

  def _Add(self, row: Row, node: str) -> None:
    self._primary[node] += self._Memory(row)
    self._tags.update((node, tag)
                      for tag in self._rules.ExclusionTags(row["tags"]))

  def Choose(self, row: Row, targets: Sequence[str],
             as_mirror: bool = False) -> Optional[str]:
    """Chooses where an instance goes, and remembers that.

    Targets on which no exclusion tag would stand twice come first, then those
    with the least memory of instances.

    @param as_mirror: whether only its mirror goes there

    """
    if not targets:
      return None
    if as_mirror:
      target = min(targets, key=lambda name: self._secondary[name])
      self._secondary[target] += self._Memory(row)
      return target
    tags = self._rules.ExclusionTags(row["tags"])
    target = min(targets, key=lambda name: (
      sum((name, tag) in self._tags for tag in tags), self._primary[name]))
    self._Add(row, target)
    return target


class _Node(NamedTuple):
  """The node to be taken away, and the others.

  """
  row: Row
  #: By name, the nodes that can take instances
  usable: Mapping[str, Row]
  #: Names of those usable nodes that are in the node's group
  others: Sequence[str]
  rules: htoolstags.Rules

  def Migratable(self, targets: Sequence[str]) -> List[str]:
    """Lists those targets to which migration tags let instances migrate.

    """
    return [name for name in targets
            if self.rules.MayMigrate(self.row["tags"],
                                     self.usable[name]["tags"])]


def _WhyNotUsable(row: Row) -> Optional[str]:
  """Says why a node can take no instances; None if it can.

  """
  if row["offline"]:
    return "is offline"
  if row["drained"]:
    return "is drained"
  if not row["vm_capable"]:
    return "is not vm_capable"
  return None


def _WhyNoCommand(row: Row, types: FrozenSet[str]) -> str:
  return ("no command moves %s instance with disks of these types: %s" %
          ("a forthcoming" if row["forthcoming"] else "an",
           ", ".join(sorted(types))))


def _SecondaryTargets(row: Row, node: _Node, nodes: Mapping[str, Row]
                      ) -> Tuple[List[str], Optional[str]]:
  """Says whether an instance's secondary node can take it.

  @return: that node, or nothing and why

  """
  if not row["snodes"]:
    return ([], "it has no secondary node")
  if len(row["snodes"]) > 1:
    return ([], "its mirrors are on several nodes: %s" %
            ", ".join(row["snodes"]))
  (name, ) = row["snodes"]
  if name in node.usable:
    return ([name], None)
  reason = _WhyNotUsable(nodes[name]) if name in nodes else "is not there"
  return ([], "its secondary node %s %s" % (name, reason))


def _WhyDown(row: Row, node: _Node, targets: Sequence[str]) -> Optional[str]:
  """Says why an instance that runs has to be shut down to go; None if not.

  """
  if row["hypervisor"] in _CANNOT_MIGRATE:
    return ("it is shut down meanwhile: hypervisor %s cannot migrate" %
            row["hypervisor"])
  if row["be/always_failover"]:
    return "it is shut down meanwhile: its always_failover is set"
  if targets and not node.Migratable(targets):
    return "it is shut down meanwhile: migration tags keep it from migrating"
  return None


def _PrimaryStep(row: Row, types: FrozenSet[str], node: _Node,
                 nodes: Mapping[str, Row], loads: _Loads) -> Step:
  """Says what has to be done for an instance on the node.

  @param types: of its disks

  """
  is_up = row["admin_state"] == "up"
  action: Optional[str] = FAIL_OVER
  targets: List[str] = []
  problem: Optional[str] = None
  if types <= _SHARED:
    targets = list(node.others)
    if not targets:
      problem = "no other node of the group can take it"
  elif types <= _MIRRORED:
    (targets, problem) = _SecondaryTargets(row, node, nodes)
  elif types <= _LOCAL and not row["forthcoming"]:
    where = "its disks (%s) are on this node only" % ", ".join(sorted(types))
    if node.row["offline"]:
      (action, problem) = (None, where + ", which is offline")
    else:
      (action, targets) = (MOVE, list(node.others))
      problem = where + ("" if targets else
                         ", and no other node of the group can take it")
  else:
    action = None
    problem = _WhyNoCommand(row, types)
  if action == FAIL_OVER and is_up and not (node.row["offline"] or
                                            row["forthcoming"]):
    why_down = _WhyDown(row, node, targets)
    if why_down is None:
      action = MIGRATE
      targets = node.Migratable(targets)
    problem = problem or why_down
  return Step(row["name"], action, problem is None,
              loads.Choose(row, targets), targets, str(row["disk_template"]),
              row["be/maxmem"] if is_up else 0, problem)


def _SecondaryStep(row: Row, types: FrozenSet[str], node: _Node,
                   nodes: Mapping[str, Row], loads: _Loads) -> Step:
  """Says what has to be done for an instance that has its mirror on the node.

  """
  action: Optional[str] = None
  targets: List[str] = []
  problem: Optional[str] = None
  if not types or not types <= _MIRRORED:
    problem = _WhyNoCommand(row, types)
  elif len(row["snodes"]) > 1:
    problem = "its mirrors are on several nodes: %s" % ", ".join(row["snodes"])
  elif row["pnode"] not in nodes or nodes[row["pnode"]]["offline"]:
    problem = ("its primary node %s is offline, from which a new mirror would"
               " be copied" % row["pnode"])
  else:
    action = REPLACE_MIRROR
    targets = [name for name in node.others if name != row["pnode"]]
    if not targets:
      problem = "no third node of the group can take its mirror"
  return Step(row["name"], action, problem is None,
              loads.Choose(row, targets, as_mirror=True), targets,
              str(row["disk_template"]), 0, problem)


def Make(node: str, tables: Mapping[str, Sequence[Row]], cluster_tags: Any,
         primary_only: bool = False) -> Optional[Plan]:
  """Makes a plan.

  @param node: full name of the node
  @param tables: with L{FIELDS}
  @param cluster_tags: what stands at L{CLUSTER_TAGS}, None if nothing does
  @param primary_only: whether mirrors may stay
  @return: None if there is no such node
  @raise LookupError: rows lack fields of L{FIELDS}

  """
  nodes = {row["name"]: row for row in tables[columns.NODE]}
  if node not in nodes:
    return None
  mine = nodes[node]
  usable = {name: row for (name, row) in nodes.items()
            if name != node and _WhyNotUsable(row) is None}
  others = [name for (name, row) in usable.items()
            if row["group.uuid"] == mine["group.uuid"]]
  rules = htoolstags.Parse(cluster_tags)
  leaving = _Node(mine, usable, others, rules)
  instances = tables[columns.INSTANCE]
  loads = _Loads(instances, rules)
  types = facts.DiskTypes(tables[columns.DISK])
  nothing: FrozenSet[str] = frozenset()
  steps = [_PrimaryStep(row, types.get(row["name"], nothing), leaving, nodes,
                        loads)
           for row in instances if row["pnode"] == node]
  if not primary_only:
    steps += [_SecondaryStep(row, types.get(row["name"], nothing), leaving,
                             nodes, loads)
              for row in instances if node in row["snodes"]]
  steps = [_Checked(step) for step in steps]
  return Plan(node, steps, _Memory(steps))


def _Memory(steps: Sequence[Step]) -> Dict[str, int]:
  """Sums up the memory that comes to each node.

  """
  memory: Dict[str, int] = {}
  for step in steps:
    size = humanize.Mebibytes(step.memory)
    if step.target is not None and size:
      memory[step.target] = memory.get(step.target, 0) + size
  return memory


def Command(step: Step) -> Optional[str]:
  """Writes the command of Ganeti's that does a step.

  Ganeti asks whether it shall go on unless there is "-f", as in the commands
  that hbal(1) prints; "replace-disks" does not ask.

  @return: a line for a shell; None if no command can, or if no line can hold
    the names

  """
  if step.action is None or step.target is None:
    return None
  if step.action == REPLACE_MIRROR:
    options = ["-n", step.target]
  elif step.disk_template in _MIRRORED:
    options = ["-f"]
  else:
    options = ["-f", "-n", step.target]
  return shellwords.Line(["gnt-instance", step.action] + options,
                         [step.instance])


def _Checked(step: Step) -> Step:
  """Makes a step impossible if its names fit into no line for a shell.

  """
  if step.target is None or Command(step) is not None:
    return step
  return step._replace(possible=False, problem=(
    "its name or that of node %s cannot stand in a command line" %
    step.target))

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Plans the evacuation of a node: which instances move, how and where to.

Facts, from Ganeti's C{cmdlib/instance_migration.py}, C{cmdlib/instance.py} and
C{cmdlib/instance_storage.py}: the command that moves an instance depends on its
disk types.

  - All disks are on shared storage, or there are no disks: "migrate" and
    "failover" take a target node. Without a target node Ganeti asks an
    allocator.
  - All disks are DRBD: "migrate" and "failover" go to the secondary node only.
    If the secondary node is evacuated, "replace-disks" makes a new mirror on
    another node. The data come from the primary node, which has to be online.
  - All disks are plain or file: "move" stops the instance and copies its disks.
    The instance's present node has to be online.
  - With any other mixture of types no command moves the instance.

A migration needs a running instance and a hypervisor that can migrate. If the
backend parameter always_failover is set, Ganeti does a failover in place of
each migration. Ganeti fails a forthcoming instance over, but refuses to move
it, as it has no disks to copy.

"""

from __future__ import annotations

import collections

from typing import Any, Counter, Iterator, Mapping, NamedTuple, Optional, \
  Sequence

from ganeti.confd import humanize
from ganeti.confd.findings import data
from ganeti.confd.findings import htoolstags
from ganeti.confd.schema import columns
from ganeti.confd.views import shellwords


#: Actions, which are commands of gnt-instance
MIGRATE = "migrate"
FAIL_OVER = "failover"
REPLACE_MIRROR = "replace-disks"
MOVE = "move"

#: Sets of disk types; a plan treats all types of a set alike, as Ganeti does
_MIRRORED = frozenset(["drbd"])
_SHARED = frozenset(["blockdev", "ext", "gluster", "rbd", "sharedfile"])
_LOCAL = frozenset(["file", "plain"])

_CANNOT_MIGRATE = frozenset(["chroot", "lxc"])

Row = Mapping[str, Any]

#: The fields that a plan needs, by table
FIELDS: dict[str, list[str]] = {
  columns.NODE: ["name", "group.uuid", "offline", "drained", "vm_capable",
                 "tags"],
  columns.INSTANCE: ["name", "pnode", "snodes", "admin_state", "disk_template",
                     "forthcoming", "hypervisor", "tags", "be/always_failover",
                     "be/maxmem"],
  columns.DISK: ["instance", "dev_type"],
  }

#: The JSON pointer of the cluster's tags, which a plan needs
CLUSTER_TAGS = "/cluster/tags"


class Step(NamedTuple):
  """The step by which one instance leaves the node.

  """
  instance: str
  #: L{MIGRATE}, L{FAIL_OVER}, L{REPLACE_MIRROR} or L{MOVE}; None if no command
  #: moves the instance
  action: Optional[str]
  #: Whether the action is possible, and need not shut down a running instance
  possible: bool
  #: The proposed target node, one of C{targets}; None if there are no targets
  target: Optional[str]
  #: The nodes that can take the instance
  targets: list[str]
  disk_template: str
  #: The memory that the instance needs on the target node (MiB); 0 if the
  #: instance is down; None if the configuration does not say
  memory: Optional[int]
  #: A sentence that says why C{possible} is false; None if it is true
  problem: Optional[str]


class Plan(NamedTuple):
  """The steps of an evacuation.

  """
  node: str
  steps: list[Step]
  #: MiB of memory that the steps add to each target node
  memory: dict[str, int]

  @property
  def nowhere(self) -> list[Step]:
    """The steps of the instances that have nowhere to go.

    """
    return [step for step in self.steps if not step.possible]


class _Loads:
  """The load of each node after the steps planned so far.

  """
  def __init__(self, instances: Sequence[Row], rules: htoolstags.Rules) -> None:
    self._rules = rules
    #: MiB of memory of each node's primary instances, and of its secondary
    #: instances
    self._primary: Counter[str] = collections.Counter()
    self._secondary: Counter[str] = collections.Counter()
    #: Pairs of a node and an exclusion tag of one of its primary instances
    self._tags: set[tuple[str, str]] = set()
    for row in instances:
      self._Add(row, row["pnode"])
      for name in row["snodes"]:
        self._secondary[name] += self._Memory(row)

  @staticmethod
  def _Memory(row: Row) -> int:
    if row["admin_state"] == "offline":
      return 0
    return humanize.Mebibytes(row["be/maxmem"]) or 0

  def Copy(self) -> _Loads:
    """Returns a copy, which a further plan may change.

    """
    result = _Loads([], self._rules)
    result._primary.update(self._primary)
    result._secondary.update(self._secondary)
    result._tags.update(self._tags)
    return result

  def _Add(self, row: Row, node: str) -> None:
    self._primary[node] += self._Memory(row)
    self._tags.update((node, tag)
                      for tag in self._rules.ExclusionTags(row["tags"]))

  def Choose(self, row: Row, targets: Sequence[str],
             as_mirror: bool = False) -> Optional[str]:
    """Chooses the target of an instance, and adds the instance to its load.

    The best target has the fewest of the instance's exclusion tags already, and
    among equals the least memory of instances.

    @param as_mirror: whether only the instance's mirror goes to the target

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


class _Evacuated(NamedTuple):
  """The node to be evacuated, and the nodes that can take its instances.

  """
  row: Row
  #: The nodes of the cluster that can take instances, by name
  usable: Mapping[str, Row]
  #: The names of the usable nodes in the evacuated node's group
  others: list[str]
  rules: htoolstags.Rules

  def Migratable(self, targets: Sequence[str]) -> list[str]:
    """Returns the targets to which migration tags permit a migration.

    """
    return [name for name in targets
            if self.rules.MayMigrate(self.row["tags"],
                                     self.usable[name]["tags"])]


def _WhyNotUsable(row: Row) -> Optional[str]:
  """Returns the reason why a node can take no instances; None if it can.

  """
  if row["offline"]:
    return "is offline"
  if row["drained"]:
    return "is drained"
  if not row["vm_capable"]:
    return "is not vm_capable"
  return None


def _WhyNoCommand(row: Row, types: frozenset[str]) -> str:
  return ("no command moves %s instance with disks of these types: %s" %
          ("a forthcoming" if row["forthcoming"] else "an",
           ", ".join(sorted(types))))


def _SecondaryTargets(row: Row, node: _Evacuated, nodes: Mapping[str, Row]
                      ) -> tuple[list[str], Optional[str]]:
  """Tells whether an instance's secondary node can take the instance.

  @return: the node and None, or no node and the reason

  """
  if not row["snodes"]:
    return ([], "it has no secondary node")
  if len(row["snodes"]) > 1:
    return ([], "its mirrors are on several nodes: %s" %
            ", ".join(row["snodes"]))
  (name, ) = row["snodes"]
  if name in node.usable:
    return ([name], None)
  reason = _WhyNotUsable(nodes[name]) if name in nodes else "does not exist"
  return ([], "its secondary node %s %s" % (name, reason))


def _WhyDown(row: Row, node: _Evacuated, targets: Sequence[str]
             ) -> Optional[str]:
  """Returns why a running instance has to be shut down for the step, or None.

  """
  if row["hypervisor"] in _CANNOT_MIGRATE:
    return ("it is shut down meanwhile: hypervisor %s cannot migrate" %
            row["hypervisor"])
  if row["be/always_failover"]:
    return "it is shut down meanwhile: its always_failover is set"
  if targets and not node.Migratable(targets):
    return "it is shut down meanwhile: migration tags keep it from migrating"
  return None


def _PrimaryStep(row: Row, types: frozenset[str], node: _Evacuated,
                 nodes: Mapping[str, Row], loads: _Loads) -> Step:
  """Plans the step of an instance whose primary node is evacuated.

  @param types: the instance's disk types

  """
  is_up = row["admin_state"] == "up"
  action: Optional[str] = FAIL_OVER
  targets: list[str] = []
  problem: Optional[str] = None
  if types <= _SHARED:
    # All steps share this list: a copy for each instance would take much memory
    # in a large group
    targets = node.others
    if not targets:
      problem = "no other node of the group can take it"
  elif types <= _MIRRORED:
    (targets, problem) = _SecondaryTargets(row, node, nodes)
  elif types <= _LOCAL and not row["forthcoming"]:
    where = "its disks (%s) are on this node only" % ", ".join(sorted(types))
    if node.row["offline"]:
      (action, problem) = (None, where + ", which is offline")
    else:
      (action, targets) = (MOVE, node.others)
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


def _SecondaryStep(row: Row, types: frozenset[str], node: _Evacuated,
                   nodes: Mapping[str, Row], loads: _Loads) -> Step:
  """Plans the step of an instance whose secondary node is evacuated.

  """
  action: Optional[str] = None
  targets: list[str] = []
  problem: Optional[str] = None
  if not types or not types <= _MIRRORED:
    problem = _WhyNoCommand(row, types)
  elif len(row["snodes"]) > 1:
    problem = "its mirrors are on several nodes: %s" % ", ".join(row["snodes"])
  elif row["pnode"] not in nodes or nodes[row["pnode"]]["offline"]:
    problem = ("its primary node %s is offline, so a new mirror cannot be"
               " copied from it" % row["pnode"])
  else:
    action = REPLACE_MIRROR
    targets = [name for name in node.others if name != row["pnode"]]
    if not targets:
      problem = "no third node of the group can take its mirror"
  return Step(row["name"], action, problem is None,
              loads.Choose(row, targets, as_mirror=True), targets,
              str(row["disk_template"]), 0, problem)


def _Leaving(row: Row, nodes: Mapping[str, Row], rules: htoolstags.Rules
             ) -> _Evacuated:
  """Collects the nodes that can take the instances of a node.

  """
  usable = {name: other for (name, other) in nodes.items()
            if name != row["name"] and _WhyNotUsable(other) is None}
  others = [name for (name, other) in usable.items()
            if other["group.uuid"] == row["group.uuid"]]
  return _Evacuated(row, usable, others, rules)


def MakeFailures(tables: Mapping[str, Sequence[Row]], cluster_tags: Any
                 ) -> Iterator[Plan]:
  """Plans, for each node, the failover of its primary instances if it fails.

  The plan for a failed node is the plan for an offline node. Plans of a large
  cluster take much memory, so they are not all made at once.

  @param tables: see L{Make}
  @param cluster_tags: see L{Make}
  @return: yields a plan for each node, in the order of the table
  @raise LookupError: rows lack fields of L{FIELDS}

  """
  nodes = {row["name"]: row for row in tables[columns.NODE]}
  rules = htoolstags.Parse(cluster_tags)
  types = data.DiskTypes(tables[columns.DISK])
  nothing: frozenset[str] = frozenset()
  loads = _Loads(tables[columns.INSTANCE], rules)
  instances: dict[str, list[Row]] = {name: [] for name in nodes}
  for row in tables[columns.INSTANCE]:
    if row["pnode"] in instances:
      instances[row["pnode"]].append(row)
  for (name, node) in nodes.items():
    failed = _Leaving(dict(node, offline=True), nodes, rules)
    after = loads.Copy()
    steps = [_Checked(_PrimaryStep(row, types.get(row["name"], nothing), failed,
                                   nodes, after))
             for row in instances[name]]
    yield Plan(name, steps, _Memory(steps))


def Make(node: str, tables: Mapping[str, Sequence[Row]], cluster_tags: Any,
         primary_only: bool = False) -> Optional[Plan]:
  """Plans the evacuation of a node.

  @param node: full name of the node
  @param tables: rows with L{FIELDS}, by table
  @param cluster_tags: the value at L{CLUSTER_TAGS}, None if there is none
  @param primary_only: whether mirrors stay on the node
  @return: None if there is no such node
  @raise LookupError: rows lack fields of L{FIELDS}

  """
  nodes = {row["name"]: row for row in tables[columns.NODE]}
  if node not in nodes:
    return None
  rules = htoolstags.Parse(cluster_tags)
  leaving = _Leaving(nodes[node], nodes, rules)
  instances = tables[columns.INSTANCE]
  loads = _Loads(instances, rules)
  types = data.DiskTypes(tables[columns.DISK])
  nothing: frozenset[str] = frozenset()
  steps = [_PrimaryStep(row, types.get(row["name"], nothing), leaving, nodes,
                        loads)
           for row in instances if row["pnode"] == node]
  if not primary_only:
    steps += [_SecondaryStep(row, types.get(row["name"], nothing), leaving,
                             nodes, loads)
              for row in instances if node in row["snodes"]]
  steps = [_Checked(step) for step in steps]
  return Plan(node, steps, _Memory(steps))


def _Memory(steps: Sequence[Step]) -> dict[str, int]:
  """Sums up the memory that the steps add to each target node.

  """
  memory: dict[str, int] = {}
  for step in steps:
    size = humanize.Mebibytes(step.memory)
    if step.target is not None and size:
      memory[step.target] = memory.get(step.target, 0) + size
  return memory


def Command(step: Step) -> Optional[str]:
  """Formats the gnt-instance command of a step.

  A command that would ask for a confirmation gets the option "-f", as in the
  output of hbal(1). "replace-disks" does not ask.

  @return: a line for a shell; None if the step has no command, or if a name
    cannot stand in a line

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
  """Marks a step as impossible if its names cannot stand in a command line.

  """
  if step.target is None or Command(step) is not None:
    return step
  return step._replace(possible=False, problem=(
    "its name or that of node %s cannot stand in a command line" %
    step.target))

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for ganeti.confd.views.evacuation

What Ganeti accepts is compared in test/acceptance/test_evacuate.py, on a real
cluster.

"""

import itertools
import unittest

from ganeti.confd.command import cmd_evacuate
from ganeti.confd.command import plugin
from ganeti.confd.schema import columns
from ganeti.confd.views import evacuation


def _Node(name, **kwargs):
  row = {"name": name, "group.uuid": "g1", "offline": False, "drained": False,
         "vm_capable": True, "tags": []}
  row.update(kwargs)
  return row


def _Instance(name, types=(), **kwargs):
  """Makes an instance on node a, and with its mirrors on b.

  """
  row = {"name": name, "pnode": "a", "admin_state": "up",
         "snodes": ["b"] if "drbd" in types else [], "forthcoming": False,
         "disk_template": _Template(types), "hypervisor": "kvm", "tags": [],
         "be/always_failover": False, "be/maxmem": 100}
  row.update(kwargs)
  return (row, types)


def _Template(types):
  if len(set(types)) > 1:
    return "mixed"
  return types[0] if types else "diskless"


def _Tables(instances, nodes):
  return {
    columns.NODE: nodes,
    columns.INSTANCE: [row for (row, _) in instances],
    columns.DISK: [{"instance": row["name"], "dev_type": kind}
                   for (row, types) in instances for kind in types],
    }


def _Make(instances, nodes=None, tags=None, node="a", **kwargs):
  tables = _Tables(instances, nodes or [_Node(name) for name in "abc"])
  return evacuation.Make(node, tables, tags, **kwargs)


def _Step(*args, **kwargs):
  (step, ) = _Make([args[0]], *args[1:], **kwargs).steps
  return step


class TestFailures(unittest.TestCase):
  """Each node's failure is the evacuation of that node when it is offline.

  """
  def test(self):
    instances = [_Instance("i%d" % i, types, pnode=pnode, snodes=snodes,
                           **{"be/maxmem": 100 * (i + 1)})
                 for (i, (types, pnode, snodes)) in enumerate([
                   (["drbd"], "a", ["b"]), (["drbd", "drbd"], "a", ["c"]),
                   (["plain"], "a", []), (["rbd"], "a", []), ([], "b", []),
                   (["drbd"], "b", ["d"]), (["drbd"], "c", ["a"]),
                   (["drbd", "plain"], "c", ["a"]), (["file"], "d", [])])]
    nodes = [_Node("a"), _Node("b"), _Node("c", **{"group.uuid": "g2"}),
             _Node("d", drained=True), _Node("e", vm_capable=False)]
    tables = _Tables(instances, nodes)
    plans = list(evacuation.MakeFailures(tables, ["htools:iextags:service"]))
    self.assertEqual([plan.node for plan in plans], list("abcde"))
    for (index, plan) in enumerate(plans):
      failed = [dict(row, offline=True) if i == index else row
                for (i, row) in enumerate(nodes)]
      with self.subTest(node=plan.node):
        self.assertEqual(plan, evacuation.Make(
          plan.node, dict(tables, **{columns.NODE: failed}),
          ["htools:iextags:service"], primary_only=True))
    # By hand: i2 is on node a alone, and the mirror of i5 is on a drained node
    nowhere = {plan.node: [step.instance for step in plan.nowhere]
               for plan in plans}
    self.assertEqual(nowhere, {"a": ["i2"], "b": ["i5"], "c": ["i7"],
                               "d": ["i8"], "e": []})
    self.assertEqual(plans[0].memory, {"b": 500, "c": 200})
    self._CheckReport(plans)

  def _CheckReport(self, plans):
    """Checks the output of the plugin, with several limits.

    """
    for (warning, critical, state) in [
        ({}, {}, "OK"), ({"nowhere": 4}, {}, "OK"),
        ({"nowhere": 3}, {}, "WARNING"), ({"nowhere": 0}, {"nowhere": 4},
                                          "WARNING"),
        ({}, {"nowhere": 3}, "CRITICAL")]:
      limits = plugin.Limits(warning, critical)
      with self.subTest(limits=limits):
        lines = cmd_evacuate.Report(plans, limits).Format()
        self.assertEqual(lines, [
          "CONFD %s - 4 of 9 instances have nowhere to go if their primary node"
          " fails | nowhere=4;%s;%s;0;9" % (state, warning.get("nowhere", ""),
                                            critical.get("nowhere", "")),
          "a: i2", "b: i5", "c: i7", "d: i8"])
    (line, ) = cmd_evacuate.Report(plans[4:]).Format()
    self.assertTrue(line.startswith("CONFD OK - 0 of 0 "), line)
    (line, _) = cmd_evacuate.Report(plans[:1]).Format()
    self.assertTrue(line.startswith("CONFD WARNING - 1 of 4 instances has"),
                    line)


_SHARED = ["blockdev", "ext", "gluster", "rbd", "sharedfile"]
_LOCAL = ["file", "plain"]
_ALL = _SHARED + _LOCAL + ["drbd"]


class TestTypes(unittest.TestCase):
  """Which command it is, by the set of the disks' types.

  """
  def _Command(self, types, **kwargs):
    return evacuation.Command(_Step(_Instance("i", types, **kwargs)))

  def testEachPair(self):
    for types in itertools.chain([()], itertools.product(_ALL),
                                 itertools.product(_ALL, _ALL)):
      with self.subTest(types=types):
        kinds = set(types)
        step = _Step(_Instance("i", types))
        if kinds <= set(_SHARED):
          expected = ("gnt-instance migrate -f -n b i", True)
        elif kinds == {"drbd"}:
          expected = ("gnt-instance migrate -f i", True)
        elif kinds <= set(_LOCAL):
          expected = ("gnt-instance move -f -n b i", False)
        else:
          expected = (None, False)
          self.assertEqual(
            (step.action, step.problem),
            (None, "no command moves an instance with disks of these types: %s"
             % ", ".join(sorted(kinds))))
        self.assertEqual((evacuation.Command(step), step.possible), expected)
        self.assertEqual(step.possible, step.problem is None)

  def testDown(self):
    for state in ("down", "offline"):
      self.assertEqual(self._Command(["rbd"], admin_state=state),
                       "gnt-instance failover -f -n b i")
      self.assertEqual(self._Command(["drbd"], admin_state=state),
                       "gnt-instance failover -f i")
      self.assertEqual(self._Command(["plain"], admin_state=state),
                       "gnt-instance move -f -n b i")

  def testOldNames(self):
    step = _Step(_Instance("i", ["drbd8"], snodes=["b"], disk_template="drbd"))
    self.assertEqual(evacuation.Command(step), "gnt-instance migrate -f i")
    step = _Step(_Instance("i", ["lvm"], disk_template="plain"))
    self.assertEqual(evacuation.Command(step), "gnt-instance move -f -n b i")

  def testForthcoming(self):
    """A forthcoming instance fails over, or nothing can be done.

    """
    for state in ("up", "down"):
      for types in itertools.chain([()], itertools.product(_ALL)):
        with self.subTest(types=types, state=state):
          step = _Step(_Instance("i", types, forthcoming=True,
                                 admin_state=state))
          command = {"drbd": "gnt-instance failover -f i", "file": None,
                     "plain": None}.get(_Template(types),
                                        "gnt-instance failover -f -n b i")
          self.assertEqual((evacuation.Command(step), step.possible),
                           (command, command is not None))
    # A forthcoming instance has a place for its mirror as well
    step = _Step(_Instance("i", ["drbd"], forthcoming=True), node="b")
    self.assertEqual(evacuation.Command(step),
                     "gnt-instance replace-disks -n c i")


class TestShutDown(unittest.TestCase):
  """Instances that run, and cannot migrate.

  """
  def _Check(self, text, *args, **kwargs):
    step = _Step(*args, **kwargs)
    self.assertEqual((step.action, step.possible), ("failover", False))
    self.assertIn("it is shut down meanwhile", step.problem)
    self.assertIn(text, step.problem)

  def testHypervisor(self):
    for name in ("lxc", "chroot"):
      self._Check(name, _Instance("i", ["rbd"], hypervisor=name))
      # No problem where it is down anyway
      step = _Step(_Instance("i", ["rbd"], hypervisor=name,
                             admin_state="down"))
      self.assertEqual((step.action, step.possible), ("failover", True))
    for name in ("kvm", "fake", "xen-pvm", "xen-hvm"):
      step = _Step(_Instance("i", ["rbd"], hypervisor=name))
      self.assertEqual((step.action, step.possible), ("migrate", True))

  def testAlwaysFailover(self):
    self._Check("always_failover", _Instance("i", ["drbd"],
                                             **{"be/always_failover": True}))

  def testMigrationTags(self):
    tags = ["htools:migration:hv", "htools:allowmigration:hv:1::hv:2", "x"]
    nodes = [_Node("a", tags=["hv:1", "x"]), _Node("b", tags=["hv:3"]),
             _Node("c", tags=["hv:2"])]
    # Where it may migrate to is preferred to what is nearer
    step = _Step(_Instance("i", ["rbd"]), nodes, tags)
    self.assertEqual((step.action, step.targets), ("migrate", ["c"]))
    # The disk's mirror is elsewhere
    self._Check("migration tags", _Instance("i", ["drbd"]), nodes, tags)
    # No tag of the cluster's makes a restriction of them
    step = _Step(_Instance("i", ["drbd"]), nodes, ["htools:migration:vh"])
    self.assertEqual(step.action, "migrate")
    step = _Step(_Instance("i", ["rbd"], admin_state="down"), nodes, tags)
    self.assertEqual((step.action, step.targets), ("failover", ["b", "c"]))

  def testMalformedTags(self):
    for tags in (None, 17, {}, [17, None, "htools:migration:"],
                 ["htools:allowmigration:"]):
      with self.subTest(tags=tags):
        step = _Step(_Instance("i", ["rbd"]), None, tags)
        self.assertEqual(step.action, "migrate")


class TestNodes(unittest.TestCase):
  """Which nodes can take instances.

  """
  def testUnusable(self):
    for (flags, reason) in [({"offline": True}, "is offline"),
                            ({"drained": True}, "is drained"),
                            ({"vm_capable": False}, "is not vm_capable")]:
      with self.subTest(flags=flags):
        nodes = [_Node("a"), _Node("b", **flags), _Node("c")]
        for types in ([], ["rbd"], ["plain"]):
          self.assertEqual(_Step(_Instance("i", types), nodes).targets, ["c"])
        step = _Step(_Instance("i", ["drbd"]), nodes)
        self.assertEqual((evacuation.Command(step), step.problem),
                         (None, "its secondary node b " + reason))

  def testOtherGroup(self):
    nodes = [_Node("a"), _Node("b", **{"group.uuid": "g2"})]
    for types in (["rbd"], ["plain"]):
      step = _Step(_Instance("i", types), nodes)
      self.assertEqual((evacuation.Command(step), step.possible),
                       (None, False))
      self.assertIn("no other node of the group", step.problem)
    # Where its disks are, there it can go
    step = _Step(_Instance("i", ["drbd"]), nodes)
    self.assertEqual((step.action, step.targets), ("migrate", ["b"]))

  def testSourceOffline(self):
    nodes = [_Node("a", offline=True), _Node("b"), _Node("c")]
    step = _Step(_Instance("i", ["plain"]), nodes)
    self.assertEqual((step.action, evacuation.Command(step)), (None, None))
    self.assertIn("offline", step.problem)
    for hypervisor in ("kvm", "lxc"):
      step = _Step(_Instance("i", ["drbd"], hypervisor=hypervisor), nodes)
      self.assertEqual((evacuation.Command(step), step.problem),
                       ("gnt-instance failover -f i", None))

  def testMirrors(self):
    row = _Instance("i", ["drbd"])
    step = _Step(row, node="b")
    self.assertEqual((evacuation.Command(step), step.memory),
                     ("gnt-instance replace-disks -n c i", 0))
    self.assertEqual(_Make([row], node="b", primary_only=True).steps, [])
    # A new mirror is copied from the primary node
    step = _Step(row, [_Node("a", offline=True), _Node("b"), _Node("c")],
                 node="b")
    self.assertEqual(evacuation.Command(step), None)
    self.assertIn("primary node a is offline", step.problem)
    step = _Step(row, [_Node("a"), _Node("b")], node="b")
    self.assertIn("no third node", step.problem)
    # Of one that goes, it does not matter
    step = _Step(row, [_Node("a"), _Node("b", offline=True), _Node("c")],
                 node="b")
    self.assertEqual(step.targets, ["c"])
    for types in (["drbd", "plain"], ["drbd", "rbd"]):
      step = _Step(_Instance("i", types), node="b")
      self.assertEqual((step.action, evacuation.Command(step)), (None, None))

  def testStrangeMirrors(self):
    for (snodes, node) in [([], "a"), (["b", "c"], "a"), (["b", "c"], "b"),
                           (["gone"], "a")]:
      step = _Step(_Instance("i", ["drbd"], snodes=snodes), node=node)
      self.assertEqual((evacuation.Command(step), step.possible),
                       (None, False))
      self.assertTrue(step.problem)

  def testNoSuchNode(self):
    self.assertIsNone(_Make([], node="z"))


class TestChoice(unittest.TestCase):
  """Which of several nodes an instance goes to.

  """
  def testMemory(self):
    plan = _Make([
      _Instance("i1", ["rbd"]), _Instance("i2", ["rbd"]),
      _Instance("i3", ["rbd"], admin_state="down"),
      _Instance("i4", ["rbd"], **{"be/maxmem": None}),
      _Instance("j1", ["rbd"], pnode="b", **{"be/maxmem": 150}),
      # Of an instance that is offline, nothing is needed
      _Instance("j2", ["rbd"], pnode="c", admin_state="offline")])
    self.assertEqual([(step.instance, step.target) for step in plan.steps],
                     [("i1", "c"), ("i2", "c"), ("i3", "b"), ("i4", "c")])
    self.assertEqual(plan.memory, {"c": 200})
    self.assertEqual(plan.steps[0].targets, ["b", "c"])

  def testMirrors(self):
    nodes = [_Node(name) for name in "abcd"]
    plan = _Make([_Instance("i1", ["drbd"]), _Instance("i2", ["drbd"]),
                  _Instance("i3", ["drbd"]),
                  _Instance("j", ["drbd"], snodes=["c"])], nodes, node="b")
    self.assertEqual([step.target for step in plan.steps], ["d", "c", "d"])

  def testExclusionTags(self):
    plan = _Make([
      _Instance("i1", ["rbd"], tags=["dns:1"]),
      _Instance("i2", ["rbd"], tags=["dns:1"]),
      _Instance("i3", ["rbd"], tags=["other:1"]),
      _Instance("j", ["rbd"], pnode="c", tags=["other:1"],
                **{"be/maxmem": 5000})], None, ["htools:iextags:dns"])
    self.assertEqual([step.target for step in plan.steps], ["b", "c", "b"])


class TestNames(unittest.TestCase):
  def testQuoted(self):
    step = _Step(_Instance("a;b", ["rbd"]))
    self.assertEqual(evacuation.Command(step),
                     "gnt-instance migrate -f -n b 'a;b'")

  def testNoLine(self):
    step = _Step(_Instance("a\nb", ["rbd"]))
    self.assertEqual((evacuation.Command(step), step.possible), (None, False))
    self.assertIn("cannot stand in a command line", step.problem)


if __name__ == "__main__":
  unittest.main()

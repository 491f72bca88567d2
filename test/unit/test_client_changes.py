#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The differences between two answers.

"""

import unittest

from ganeti import constants
from ganeti.confd.clientlib import changes
from ganeti.confd.clientlib import replies


def _Difference(rtype, query, old, new):
  change = changes.Compare(
    replies.Reply(new, 18, [], {}), 17,
    changes.OfQuestion(rtype, query, old),
    changes.OfQuestion(rtype, query, new))
  return (change.came, change.went, change.changed)


class TestOfQuestion(unittest.TestCase):
  def _Check(self, rtype, query, old, new, came, went, changed):
    self.assertEqual(_Difference(rtype, query, old, new), (came, went, changed))
    self.assertEqual(_Difference(rtype, query, new, new), ({}, {}, {}))

  def testSingleValue(self):
    self._Check(constants.CONFD_REQ_NODE_ROLE_BYNAME, "node1", 1, 2,
                {}, {}, {None: (1, 2)})

  def testTexts(self):
    self._Check(constants.CONFD_REQ_NODE_PIP_LIST, None, ["a", "b"],
                ["b", "c"], {"c": "c"}, {"a": "a"}, {})

  def testTwice(self):
    """Two instances may have the same IP.

    """
    self._Check(constants.CONFD_REQ_INSTANCES_IPS_LIST, None, ["a", "a"],
                ["a"], {}, {("a", 2): "a"}, {})

  def testMaster(self):
    self._Check(constants.CONFD_REQ_CLUSTER_MASTER, {"3": [0, 1]},
                ["node1", "192.0.2.100"], ["node2", "192.0.2.100"],
                {}, {}, {0: ("node1", "node2")})
    self._Check(constants.CONFD_REQ_CLUSTER_MASTER, None, "node1", "node2",
                {}, {}, {None: ("node1", "node2")})

  def testIps(self):
    query = {constants.CONFD_REQQ_IPLIST: ["a", "b"]}
    self._Check(constants.CONFD_REQ_NODE_PIP_BY_INSTANCE_IP, query,
                [[0, "x"], [0, "y"]], [[0, "x"], [1, 0]],
                {}, {}, {"b": ([0, "y"], [1, 0])})

  def testDrbd(self):
    old = ["node1", 0, "inst1", "disk/0", "primary", "node2"]
    new = ["node1", 0, "inst1", "disk/0", "secondary", "node2"]
    self._Check(constants.CONFD_REQ_NODE_DRBD, "node1", [old], [new],
                {}, {}, {("node1", 0): (old, new)})

  def testInstances(self):
    instance = {"uuid": "u", "name": "inst1"}
    self._Check(constants.CONFD_REQ_NODE_INSTANCES, "node1", [[instance], []],
                [[], [instance]], {("secondary", "u"): instance},
                {("primary", "u"): instance}, {})

  def testDisks(self):
    (old, new) = ({"uuid": "u", "size": 1}, {"uuid": "u", "size": 2})
    self._Check(constants.CONFD_REQ_INSTANCE_DISKS, "inst1", [old], [new],
                {}, {}, {"u": (old, new)})

  def testObject(self):
    self._Check(constants.CONFD_REQ_CONFIG_QUERY, "/cluster", {"a": 1, "b": 2},
                {"a": 3, "c": 4}, {"c": 4}, {"b": 2}, {"a": (1, 3)})

  def testOtherForms(self):
    """A malformed answer is followed nevertheless.

    """
    for rtype in constants.CONFD_REQS:
      for query in [None, {}, "x"]:
        for answer in [None, 5, "x", [], ["x"], [[1]], [{}], {}, [None],
                       [[], [5]]]:
          self.assertEqual(_Difference(rtype, query, answer, answer),
                           ({}, {}, {}))


if __name__ == "__main__":
  unittest.main()

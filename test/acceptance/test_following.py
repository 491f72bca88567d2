#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Whatever Ganeti changes, the answers of all master candidates follow.

"""

import unittest

import testutils
from testutils import PING, NODE_ROLE, NODE_OF_IP, MASTER, NODE_IPS
from testutils import INSTANCE_IPS

from cluster import changing
from cluster import cluster
from cluster import commands
from cluster import ours
from cluster.changing import INSTANCE, INSTANCE_IP
from cluster.changing import ROLE_CANDIDATE, ROLE_DRAINED, ROLE_MASTER
from cluster.changing import ROLE_OFFLINE, ROLE_REGULAR


def _OneIp(ip):
  return {"1": ip}


class TestInstances(changing.TestCase):
  """gnt-instance.

  """
  def _CheckIsOn(self, node, ip=INSTANCE_IP):
    self.CheckAnswer(node.address, NODE_OF_IP, _OneIp(ip))

  def _CheckIsUnknown(self, ip):
    for node in self.nodes:
      reply = testutils.WaitFor(
        lambda node=node: changing.Ask(node, NODE_OF_IP, _OneIp(ip)),
        "%s answers" % node.name)
      self.assertEqual((reply["status"], reply["answer"]), testutils.UNKNOWN)

  def testAddAndRemove(self):
    ip = "10.77.1.2"
    self._CheckIsUnknown(ip)
    self.cluster.AddInstance("inst2.example.com", self.node3, ["ip=" + ip])
    try:
      self._CheckIsOn(self.node3, ip)
      self.CheckAnswer([INSTANCE_IP, ip], INSTANCE_IPS)
    finally:
      self.Gnt("gnt-instance", "remove", "-f", "inst2.example.com")
    self.CheckAnswer([INSTANCE_IP], INSTANCE_IPS)
    self._CheckIsUnknown(ip)

  def testFailoverAndMigrate(self):
    self._CheckIsOn(self.node1)
    self.Gnt("gnt-instance", "failover", "-f", "-n", self.node2.name, INSTANCE)
    try:
      self._CheckIsOn(self.node2)
      commands.Check(self, self.nodes)
    finally:
      self.Gnt("gnt-instance", "migrate", "-f", "-n", self.node1.name, INSTANCE)
    self._CheckIsOn(self.node1)

  def _ModifyNet(self, ip):
    # Without --force, Ganeti 3.1 asks
    self.Gnt("gnt-instance", "modify", "--force", "--net=0:modify,ip=" + ip,
             INSTANCE)

  def testModifyNet(self):
    ip = "10.77.1.3"
    self._ModifyNet(ip)
    try:
      self._CheckIsOn(self.node1, ip)
      self._CheckIsUnknown(INSTANCE_IP)
    finally:
      self._ModifyNet(INSTANCE_IP)
    self._CheckIsOn(self.node1)


class TestNodes(changing.TestCase):
  """gnt-node.

  """
  def _Modify(self, *args):
    self.Gnt("gnt-node", "modify", *args, self.node3.name)

  def _CheckRole(self, role, candidates):
    """Checks the third node's role.

    """
    self.CheckAnswer(role, NODE_ROLE, self.node3.name, nodes=candidates)
    self.CheckFollow(candidates)

  def testCandidate(self):
    self._CheckRole(ROLE_CANDIDATE, self.nodes)
    commands.Check(self, self.nodes)
    self._Modify("--master-candidate=no")
    try:
      self._CheckRole(ROLE_REGULAR, [self.node1, self.node2])
      commands.Check(self, [self.node1, self.node2], ["few-candidates"])
      self.CheckSilent(self.node3)
    finally:
      self._Modify("--master-candidate=yes")
    self._CheckRole(ROLE_CANDIDATE, self.nodes)

  def testOffline(self):
    """The others know it; the node itself is not told.

    """
    self._Modify("--offline=yes")
    try:
      self._CheckRole(ROLE_OFFLINE, [self.node1, self.node2])
      commands.Check(self, [self.node1, self.node2])
    finally:
      self._Modify("--force", "--offline=no")
    self._CheckRole(ROLE_CANDIDATE, self.nodes)

  def testDrained(self):
    self._Modify("--drained=yes")
    try:
      self._CheckRole(ROLE_DRAINED, [self.node1, self.node2])
      commands.Check(self, [self.node1, self.node2])
      self.CheckSilent(self.node3)
    finally:
      self._Modify("--drained=no")
    self._CheckRole(ROLE_CANDIDATE, self.nodes)

  def testRemoveAndAdd(self):
    self.Gnt("gnt-node", "remove", self.node3.name)
    try:
      others = [self.node1, self.node2]
      self.CheckAnswer([node.address for node in others], NODE_IPS,
                       nodes=others)
      commands.Check(self, others)
      self.assertIsNone(changing.Ask(self.node3, PING,
                                     key=changing.Key(self.node1)))
    finally:
      self.Gnt("gnt-node", "add", "--no-ssh-key-check", self.node3.name)
      # The watcher, which cron runs every five minutes
      self.node3.Run("ganeti-watcher")
    self.CheckAnswer([node.address for node in self.nodes], NODE_IPS)
    self.CheckFollow()


class TestCluster(changing.TestCase):
  """gnt-cluster.

  """
  def testRedistributeConfiguration(self):
    """A candidate that has lost its file, or has an old one, gets it again.

    """
    path = changing.DATA_DIR + "/config.data"
    old = self.node3.Read(path)
    self.node2.Run("rm", path)
    self.CheckSilent(self.node2)
    self.Gnt("gnt-cluster", "redist-conf")
    self.CheckFollow()
    self.node3.Write(path, old)
    self.Gnt("gnt-cluster", "redist-conf")
    self.CheckFollow()

  def _FailOver(self, node):
    """Makes another node the master.

    Ganeti tells so before the new master's daemons are up.

    """
    self.Gnt("gnt-cluster", "master-failover", node=node)
    self.master = node

  def testMasterFailover(self):
    self.CheckAnswer(self.node1.name, MASTER)
    self._FailOver(self.node2)
    try:
      self.CheckAnswer([self.node2.name, cluster.MASTER_IP,
                        self.node2.address], MASTER, {"3": [0, 1, 2]})
      self.CheckAnswer(ROLE_MASTER, NODE_ROLE, self.node2.name)
      self.CheckAnswer(ROLE_CANDIDATE, NODE_ROLE, self.node1.name)
      commands.Check(self, self.nodes)
    finally:
      self._FailOver(self.node1)
    self.CheckAnswer(ROLE_MASTER, NODE_ROLE, self.node1.name)
    self.CheckOurs()
    for node in self.nodes:
      ours.Util(node, "check", ours.NAME)


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Changing over from the packaged daemon, and clusters that have both.

"""

import unittest

import testutils
from testutils import MASTER, NODE_OF_IP

from cluster import changing
from cluster import debian
from cluster import ours
from cluster.changing import INSTANCE, INSTANCE_IP


class TestChangeOver(changing.TestCase):
  """In the order that the guide gives: the master first.

  """
  def _CheckClients(self, node):
    """Checks what clients that ask all candidates make of the replies.

    On the master, as scripts do that come with Ganeti.

    @param node: where the instance is

    """
    for (rtype, query, answer) in [
      (NODE_OF_IP, {"1": INSTANCE_IP}, node.address),
      (MASTER, None, self.node1.name),
      ]:
      for i in self.nodes:
        testutils.WaitFor(
          lambda: (changing.Ask(i, rtype, query) or {}).get("answer") == answer,
          "the answer of %s" % i.name)
    program = ("import sys; sys.path.insert(0, %r)\n"
               "from ganeti.confd import client\n"
               "with client.Client() as asker:\n"
               "  print(asker.NodeOfInstanceIp(%r).answer)\n"
               "  print(asker.MasterNode().answer)\n"
               "  print(asker.Serial().answer)\n" %
               (debian.PYTHON_DIR, INSTANCE_IP))
    self.assertEqual(
      self.node1.Run("/usr/bin/python3", "-c", program).stdout.split(),
      [node.address, self.node1.name,
       str(changing.Config(self.master)["serial_no"])])
    self.assertIn("Master: OK", self.Gnt(
      debian.CONFD_CLIENT, "-r", "1", "-a", self.node1.address).stdout)

  def _Replace(self, node):
    ours.Put(node)
    ours.Restart(node)
    self.CheckOurs([node])

  def testChangeOver(self):
    for node in self.nodes:
      ours.TakeAway(node)
      self.addCleanup(self._PutBack, node)
      ours.Restart(node)
      self.CheckPackaged([node])

    self._Replace(self.node1)
    self.CheckPackaged([self.node2])
    self.CheckPackaged([self.node3])
    # The hook is content with a packaged daemon
    self.assertEqual(self.node1.Run(ours.HOOK).stdout, "")
    self._CheckClients(self.node1)
    # At once after a change the master's answer counts, be others slow or not
    self.Gnt("gnt-instance", "failover", "-f", "-n", self.node2.name, INSTANCE)
    self.addCleanup(self.Gnt, "gnt-instance", "migrate", "-f", "-n",
                    self.node1.name, INSTANCE)
    self._CheckClients(self.node2)
    self.assertEqual(self.node1.Run(ours.HOOK).stdout, "")

    self._Replace(self.node2)
    self.CheckPackaged([self.node3])
    self._CheckClients(self.node2)
    self.assertEqual(self.node2.Run(ours.HOOK).stdout, "")

    self._Replace(self.node3)
    self._CheckClients(self.node2)
    self.CheckFollow()

  def _PutBack(self, node):
    """Puts ours in place again where the test did not come to that.

    """
    if not node.Run("test", "-e", ours.HOOK, check=False).returncode == 0:
      self._Replace(node)


if __name__ == "__main__":
  unittest.main()

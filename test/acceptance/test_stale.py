#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""A candidate with an old configuration makes no client believe old answers.

The candidate is cut off during a failover, and then back: it answers from its
old file until Ganeti sends it a new one. The packaged daemon runs beside ours
on all nodes, on another port, with the same files: both see the same.

"""

import json
import os
import subprocess
import unittest

import testutils
from testutils import NODE_OF_IP

from cluster import changing
from cluster import debian
from cluster import ours
from cluster.changing import INSTANCE, INSTANCE_IP

_ROOT = "/tmp/packaged"

_PACKAGED_PORT = 1914

_QUESTION = (NODE_OF_IP, {"1": INSTANCE_IP})

#: How often each client asks
_TIMES = 20


class TestStale(changing.TestCase):
  def setUp(self):
    changing.TestCase.setUp(self)
    self.daemons = [(node, self._StartPackaged(node)) for node in self.nodes]
    self.addCleanup(self._StopPackaged)
    for node in self.nodes:
      self._Ask(node, _PACKAGED_PORT)

  @staticmethod
  def _StartPackaged(node):
    node.Run("mkdir", "-p", *[_ROOT + "/var/%s/ganeti" % i
                              for i in ("run", "log")])
    node.Run("mkdir", "-p", _ROOT + "/var/lib")
    node.Run("ln", "-sfn", changing.DATA_DIR, _ROOT + changing.DATA_DIR)
    return node.Popen(changing.PACKAGED_DIR + "/ganeti-confd", "-f",
                      "--no-user-checks",
                      "-p", str(_PACKAGED_PORT), env={"GANETI_ROOTDIR": _ROOT},
                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

  def _StopPackaged(self):
    for (node, process) in self.daemons:
      node.Terminate(process)

  @staticmethod
  def _Ask(node, port):
    """Asks a node where the instance is, until there is an answer.

    @rtype: tuple of (string, int)
    @return: answer and serial

    """
    reply = testutils.WaitFor(
      lambda: changing.Ask(node, *_QUESTION, port=port),
      "%s answers at port %d" % (node.name, port))
    return (reply["answer"], reply["serial"])

  def _FailOverWithout(self, absent, target):
    """Has the instance fail over while a node is cut off.

    """
    self.cluster.SetCable(absent, False)
    try:
      self.Gnt("gnt-instance", "failover", "-f", "-n", target.name, INSTANCE)
      # Ganeti first tries in vain to send the new configuration to the one
      # node. When the other has it, that is over.
      testutils.WaitFor(
        lambda: changing.Config(target) == changing.Config(self.master),
        "the new configuration has arrived", timeout=60)
      # The node is back before Ganeti's node daemon is
      ours.Util(absent, "stop", "ganeti-noded")
    finally:
      self.cluster.SetCable(absent, True)

  def _Distribute(self, absent):
    """Has Ganeti send its configuration to all nodes, and tells if it arrived.

    On a busy machine the node daemon may not listen yet, or take too long; the
    configuration is not sent a second time by itself.

    """
    self.Gnt("gnt-cluster", "redist-conf")
    return changing.Config(absent) == changing.Config(self.master)

  def _AskWithDebians(self, node):
    """Asks all candidates with Debian's Python client.

    @rtype: list
    @return: what it takes for the answers

    """
    spec = {
      "peers": [i.address for i in self.nodes],
      "port": changing.PORT,
      "key": changing.DATA_DIR + "/hmac.key",
      "requests": [_QUESTION] * _TIMES,
      }
    script = os.path.join(testutils.SRCDIR, "test", "cluster",
                          "debian_client.py")
    # With Debian's library, which is ours elsewhere
    result = node.Run("unshare", "--mount", "sh", "-c",
                      "mount --bind %s/confd $(readlink -f %s)/ganeti/confd &&"
                      " exec /usr/bin/python3 -B %s" %
                      (changing.PACKAGED_DIR, debian.PYTHON_DIR, script),
                      stdin=json.dumps(spec))
    return [i["reply"]["answer"] for i in json.loads(result.stdout)]

  def _AskWithOurs(self, node):
    """Asks with our client, as configured on a node.

    """
    program = ("import sys; sys.path.insert(0, %r)\n"
               "from ganeti.confd import client\n"
               "for _ in range(%d):\n"
               "  with client.Client() as asker:\n"
               "    print(asker.NodeOfInstanceIp(%r).answer)\n" %
               (debian.PYTHON_DIR, _TIMES, INSTANCE_IP))
    return node.Run("/usr/bin/python3", "-B", "-c", program).stdout.split()

  def testCutOffDuringFailover(self):
    (old, new) = (self.node1.address, self.node2.address)
    (there, absent) = (self.node2, self.node3)
    self._FailOverWithout(absent, there)
    try:
      testutils.WaitFor(lambda: changing.Ask(absent, *_QUESTION,
                                             source=self.node1),
                        "the absent node is back")
      for port in (changing.PORT, _PACKAGED_PORT):
        testutils.WaitFor(lambda: self._Ask(there, port)[0] == new,
                          "the new answer at port %d" % port)
      # The packaged daemon's replies: nobody can tell which is the old one
      (packaged, packaged_old) = (self._Ask(there, _PACKAGED_PORT),
                                  self._Ask(absent, _PACKAGED_PORT))
      self.assertEqual((packaged[0], packaged_old[0]), (new, old))
      self.assertEqual(packaged[1], packaged_old[1])
      # Ours
      (reply, reply_old) = (self._Ask(there, changing.PORT),
                            self._Ask(absent, changing.PORT))
      self.assertEqual((reply[0], reply_old[0]), (new, old))
      self.assertGreater(reply[1], reply_old[1])

      # So ours never misleads Debian's client, which keeps the reply with the
      # highest serial number, not even on the very node that was away
      for node in self.nodes:
        self.assertEqual(set(self._AskWithDebians(node)), {new})
        self.assertEqual(set(self._AskWithOurs(node)), {new})
      # All that was so to the end
      self.assertEqual(self._Ask(absent, changing.PORT)[0], old)
    finally:
      ours.Util(absent, "start", "ganeti-noded")
      self.Gnt("gnt-instance", "migrate", "-f", "-n", self.node1.name, INSTANCE)
      testutils.WaitFor(lambda: self._Distribute(absent),
                        "the absent node has the new configuration")


if __name__ == "__main__":
  unittest.main()

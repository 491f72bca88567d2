#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

""""gnt-cluster verify" says what is wrong with confd, and ends accordingly.

"""

import re
import unittest

import testutils

from cluster import changing
from cluster import ours

_FAILED = "Script cluster-verify-post.d/confd failed, output:"

_STOP = "kill -STOP $(cat %s)" % ours.PID_FILE
_CONTINUE = "kill -CONT $(cat %s)" % ours.PID_FILE

_BLOCK = """
table inet confd-test {
  chain input {
    type filter hook input priority 0;
    iifname eth0 udp dport 1814 drop
  }
}
"""


class TestVerify(changing.TestCase):
  def _Verify(self):
    """Runs "gnt-cluster verify".

    @rtype: tuple of (int, list)
    @return: its exit code, and what the hook printed on all nodes

    """
    result = self.Gnt("gnt-cluster", "verify", *changing.VERIFY_IGNORES,
                      check=False)
    # Each node's hook prints one line, which begins with the time here; before
    # that they stood among the warnings
    faults = [re.sub(r"^.*\d  +", "", block.splitlines()[1]).strip()
              for block in result.stdout.split(_FAILED)[1:]]
    self.assertEqual("ganeti-confd" in result.stdout, bool(faults),
                     result.stdout)
    for fault in faults:
      self.assertTrue(re.match(r"node\d\.example\.com: ganeti-confd [ -~]+\Z",
                               fault), fault)
    return (result.returncode, sorted(faults))

  def _CheckFaults(self, *expected):
    (code, faults) = self._Verify()
    self.assertEqual(code, 1)
    self.assertEqual([fault for fault in faults
                      if not any(text in fault for text in expected)], [])
    for text in expected:
      self.assertIn(text, "\n".join(faults))

  def testWell(self):
    self.assertEqual(self._Verify(), (0, []))

  def testTakesLittleTime(self):
    for node in self.nodes:
      with testutils.Within(10 * 0.3):
        result = node.Run(ours.HOOK)
      self.assertEqual((result.stdout, result.stderr), ("", ""))

  def testStopped(self):
    ours.Util(self.node2, "stop", ours.NAME)
    try:
      self._CheckFaults(
        "node2.example.com: ganeti-confd does not answer at 10.77.0.2: nothing"
        " listens there",
        "node2.example.com: ganeti-confd does not answer the master at"
        " 10.77.0.2: nothing listens there")
    finally:
      ours.Util(self.node2, "start", ours.NAME)

  def testStale(self):
    """A daemon that has not noticed that its file was replaced.

    """
    self.node3.Run("sh", "-c", _STOP)
    try:
      self.Gnt("gnt-cluster", "add-tags", "tested")
      self._CheckFaults(
        "node3.example.com: ganeti-confd answers from another configuration"
        " than /var/lib/ganeti/config.data: from one with serial",
        "node3.example.com: ganeti-confd answers from a configuration that is"
        " older than the master's: serial")
    finally:
      self.node3.Run("sh", "-c", _CONTINUE)
      self.Gnt("gnt-cluster", "remove-tags", "tested")

  def testWrongKey(self):
    path = changing.DATA_DIR + "/hmac.key"
    key = self.node2.Read(path)
    self.node2.Write(path, b"0123456789abcdef0123456789abcdef\n")
    try:
      self._CheckFaults("node2.example.com: ganeti-confd does not answer the"
                        " master at 10.77.0.2: it has another key")
    finally:
      self.node2.Write(path, key)

  def testBlockedPort(self):
    """The node itself has nothing to complain about.

    """
    self.node2.Run("nft", "-f", "-", stdin=_BLOCK)
    try:
      self._CheckFaults("node2.example.com: ganeti-confd does not answer the"
                        " master at 10.77.0.2: it has another key or no"
                        " configuration, or a firewall is between them")
    finally:
      self.node2.Run("nft", "delete", "table", "inet", "confd-test")

  def testNoCandidate(self):
    """A node that is no candidate need not answer.

    """
    self.Gnt("gnt-node", "modify", "--master-candidate=no", self.node3.name)
    try:
      ours.Util(self.node3, "stop", ours.NAME)
      for node in (self.node1, self.node3):
        self.assertEqual(node.Run(ours.HOOK).stdout, "")
    finally:
      ours.Util(self.node3, "start", ours.NAME)
      self.Gnt("gnt-node", "modify", "--master-candidate=yes", self.node3.name)


if __name__ == "__main__":
  unittest.main()

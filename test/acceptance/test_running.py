#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Ganeti starts, stops and restarts our daemon as if it were its own.

"""

import unittest

import testutils
from testutils import PING

from cluster import changing
from cluster import ours

_DEFAULTS = "/etc/default/ganeti"
_INIT = "/etc/init.d/ganeti"


class TestRunning(changing.TestCase):
  """On the third node.

  """
  def setUp(self):
    changing.TestCase.setUp(self)
    self.node = self.node3

  def _Answers(self, **kwargs):
    testutils.WaitFor(lambda: changing.Ask(self.node, PING, **kwargs),
                      "the daemon answers")

  def _CheckIsGone(self):
    self.assertEqual(ours.Processes(self.node), [])
    self.assertIsNone(changing.Ask(self.node, PING))

  def _KillAll(self):
    """Kills the daemon's first process, and waits for the others.

    """
    pid = self.node.Read(ours.PID_FILE).decode("ascii").strip()
    self.node.Run("kill", "-KILL", pid)
    testutils.WaitFor(lambda: not ours.Processes(self.node), "all are gone")

  def testStopAllAndStartAll(self):
    ours.Util(self.node, "stop-all")
    self._CheckIsGone()
    ours.Util(self.node, "start-all")
    self._Answers()
    self.CheckOurs()

  def testInitScript(self):
    self.node.Run(_INIT, "stop", ours.NAME)
    self._CheckIsGone()
    self.node.Run(_INIT, "start", ours.NAME)
    self._Answers()
    old = ours.Processes(self.node)
    self.node.Run(_INIT, "restart", ours.NAME)
    self._Answers()
    self.assertTrue(set(old).isdisjoint(ours.Processes(self.node)))

  def testWatcherRestarts(self):
    self._KillAll()
    self.node.Run("ganeti-watcher")
    self._Answers()
    self.CheckOurs()

  def testArguments(self):
    """Debian's file with options for the daemons.

    """
    defaults = self.node.Read(_DEFAULTS)
    self.assertIn(b'CONFD_ARGS=""\n', defaults)
    port = 1914
    self.node.Write(_DEFAULTS, defaults.replace(
      b'CONFD_ARGS=""', b'CONFD_ARGS="-p %d --syslog=no --workers 1"' % port))
    try:
      ours.Restart(self.node)
      self._Answers(port=port)
      self.assertIsNone(changing.Ask(self.node, PING))
    finally:
      self.node.Write(_DEFAULTS, defaults)
      ours.Restart(self.node)
    self._Answers()

  def testStartAllAfterKill(self):
    """After kill -9 the packaged daemon keeps all of a node from starting.

    Killed processes leave a pid file behind that start-stop-daemon refuses to
    look into. Ours leaves none.

    """
    self._KillAll()
    ours.Util(self.node, "start-all")
    self._Answers()
    ours.Util(self.node, "check", "ganeti-mond")

    ours.Util(self.node, "stop-all")
    ours.TakeAway(self.node)
    try:
      ours.Util(self.node, "start-all")
      self._Answers()
      self._KillAll()
      ours.Util(self.node, "stop", "ganeti-mond")
      result = ours.Util(self.node, "start-all", check=False)
      self.assertNotEqual(result.returncode, 0)
      self.assertIn("insecure", result.stderr)
      self.assertIsNone(changing.Ask(self.node, PING))
      # The monitoring daemon is started after confd
      self.assertNotEqual(ours.Util(self.node, "check", "ganeti-mond",
                                    check=False).returncode, 0)
    finally:
      self.node.Run("rm", "-f", ours.PID_FILE)
      ours.Put(self.node)
      ours.Util(self.node, "start-all")
    self._Answers()
    self.CheckOurs()


if __name__ == "__main__":
  unittest.main()

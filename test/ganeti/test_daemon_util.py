#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The daemon in the packaged one's place, started and stopped by Ganeti.

On a node of its own, so that the machine stays as it is. Ganeti's daemon-util
starts daemons with start-stop-daemon, as their users, and finds them by their
pid files and process names.

"""

import unittest

import testutils

from cluster import cluster
from cluster import debian
from cluster import ours


_DATA_DIR = "/var/lib/ganeti"

#: The command of an installation configured with Debian's users
_INSTALL = r"""
set -e
d=/usr/local/lib/confd-test
mkdir $d
cp -rL @BUILDDIR@/modules/ganeti $d/ganeti
sed -i -e 's|^CONFD_USER = .*|CONFD_USER = "gnt-confd"|' \
  -e 's|^CONFD_GROUP = .*|CONFD_GROUP = "gnt-confd"|' $d/ganeti/_autoconf.py
sed "s|@BUILDDIR@/modules|$d|g" @BUILDDIR@/daemons/ganeti-confd >$d/ganeti-confd
chmod -R go=rX,u=rwX $d
chmod 755 $d/ganeti-confd
mv $d/ganeti-confd /usr/sbin/ganeti-confd
rm -f @LOG_FILE@
"""

#: Made by L{setUpModule}
CLUSTER = NODE = None


def setUpModule():
  """Makes a cluster of one node, with this daemon in place of the packaged one.

  """
  # pylint: disable=W0603
  global CLUSTER, NODE
  reason = cluster.WhyNot()
  if reason is not None:
    raise unittest.SkipTest(reason)
  CLUSTER = cluster.Cluster(node_count=1, shared=[testutils.BUILDDIR,
                                                  testutils.SRCDIR])
  try:
    CLUSTER.Start()
    CLUSTER.Init()
    NODE = CLUSTER.master
    NODE.Run(ours.DAEMON_UTIL, "stop", ours.NAME)
    NODE.Run("sh", "-c", _INSTALL.replace("@BUILDDIR@", testutils.BUILDDIR)
             .replace("@LOG_FILE@", ours.LOG_FILE))
  except BaseException:
    CLUSTER.Stop()
    raise


def tearDownModule():
  CLUSTER.Stop()


def _Exists(path):
  return NODE.Run("test", "-e", path, check=False).returncode == 0


def _Processes():
  """Lists the daemon's processes.

  @rtype: list of (string, string)
  @return: number and user of all processes of that name

  """
  lines = NODE.Run("ps", "-o", "pid=,user:32=", "-C", ours.NAME,
                   check=False).stdout.splitlines()
  return [tuple(line.split()) for line in lines]


class DaemonUtilTest(unittest.TestCase):
  def setUp(self):
    self._Util("start")

  def tearDown(self):
    NODE.Run(ours.DAEMON_UTIL, "stop", ours.NAME, check=False)

  @staticmethod
  def _Util(action, check=True):
    return NODE.Run(ours.DAEMON_UTIL, action, ours.NAME, check=check)

  def _CheckServes(self):
    # The packaged command, whose own test that is
    output = NODE.Run(debian.CONFD_CLIENT, "-a", "127.0.0.1").stdout
    self.assertIn("Ping: OK", output)

  def _CheckRuns(self):
    """Checks that it runs as it should.

    """
    self.assertEqual(self._Util("check", check=False).returncode, 0)
    # The first one, a loader, and a worker to begin with
    testutils.WaitFor(lambda: len(_Processes()) >= 3, "all processes")
    found = _Processes()
    self.assertEqual({user for (_, user) in found}, {"gnt-confd"})
    pid = NODE.Read(ours.PID_FILE).decode("ascii").strip()
    self.assertIn(pid, [number for (number, _) in found])
    self._CheckServes()

  def _CheckIsGone(self):
    self.assertFalse(_Exists(ours.PID_FILE))
    self.assertEqual(_Processes(), [])
    self.assertNotEqual(self._Util("check", check=False).returncode, 0)

  def testStartAndStop(self):
    self._CheckRuns()
    before = NODE.Read(ours.PID_FILE)
    self._Util("check-and-start")
    self.assertEqual(NODE.Read(ours.PID_FILE), before)
    self._Util("stop")
    self._CheckIsGone()
    self.assertEqual(self._Util("stop").returncode, 0)
    # At once after a stop: the port is free
    for _ in range(3):
      self._Util("start")
      self._Util("stop")
    self._CheckIsGone()
    self._Util("check-and-start")
    self._CheckRuns()

  def testRotateLogs(self):
    self._CheckRuns()
    NODE.Run("mv", ours.LOG_FILE, ours.LOG_FILE + ".1")
    self._Util("rotate-logs")
    testutils.WaitFor(lambda: _Exists(ours.LOG_FILE) and
                      b"Loaded" in NODE.Read(ours.LOG_FILE), "a new log")
    self._CheckServes()

  def _Kill(self):
    """Kills the first process, and waits for the others.

    """
    pid = NODE.Read(ours.PID_FILE).decode("ascii").strip()
    NODE.Run("kill", "-KILL", pid)
    testutils.WaitFor(lambda: not _Processes(), "all processes end")
    self.assertFalse(_Exists(ours.PID_FILE))

  def testStartAllAfterKill(self):
    self._CheckRuns()
    # start-all is no good for daemons that run as others than root: for those
    # start-stop-daemon is as strict as for the dead
    for name in ("ganeti-luxid", "ganeti-rapi", "ganeti-wconfd"):
      NODE.Run(ours.DAEMON_UTIL, "stop", name)
    self._Kill()
    NODE.Run(ours.DAEMON_UTIL, "start-all")
    self._CheckRuns()
    # daemon-util went on to the daemons that come after confd
    for name in ("ganeti-wconfd", "ganeti-luxid"):
      NODE.Run(ours.DAEMON_UTIL, "check", name)
    NODE.Run("gnt-cluster", "info")

  def testPidFileOfTheDead(self):
    # Why it must not be left behind
    self._Util("stop")
    NODE.Run("sh", "-c", "echo 999999 >%s && chown gnt-confd: %s" %
             (ours.PID_FILE, ours.PID_FILE))
    try:
      result = self._Util("start", check=False)
      self.assertEqual(result.returncode, 2)
      self.assertIn("insecure", result.stderr)
    finally:
      NODE.Run("rm", ours.PID_FILE)

  def testWithoutConfiguration(self):
    self._Util("stop")
    config = _DATA_DIR + "/config.data"
    NODE.Run("mv", config, config + ".away")
    try:
      self.assertEqual(self._Util("start").returncode, 0)
      self.assertEqual(self._Util("check").returncode, 0)
      self._Kill()
      self.assertEqual(self._Util("start").returncode, 0)
    finally:
      NODE.Run("mv", config + ".away", config)
    self._CheckRuns()

  def testWithoutKey(self):
    self._Util("stop")
    key = _DATA_DIR + "/hmac.key"
    NODE.Run("mv", key, key + ".away")
    try:
      result = self._Util("start", check=False)
      self.assertNotIn(result.returncode, (0, 11))
      self.assertIn("Cannot read the HMAC key", result.stderr)
      # The process that has said so is about to end
      testutils.WaitFor(lambda: not _Processes(), "it is gone")
      self._CheckIsGone()
    finally:
      NODE.Run("mv", key + ".away", key)

  def testMasterChangesItsConfiguration(self):
    def _Serial():
      return NODE.Run("grep", "-c", "Loaded", ours.LOG_FILE, check=False).stdout

    self._CheckRuns()
    before = _Serial()
    NODE.Run("gnt-cluster", "add-tags", "tested")
    testutils.WaitFor(lambda: _Serial() != before, "it is loaded")
    self._CheckServes()


if __name__ == "__main__":
  unittest.main()

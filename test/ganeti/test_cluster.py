#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The cluster the other tests run on: its nodes, and what is left of them.

"""

import os
import signal
import subprocess
import sys
import unittest

import testutils

from cluster import cluster

#: Starts a cluster, says which processes it has, and stays
_HOLD_CLUSTER = """
import sys, time
from cluster import cluster
clu = cluster.Cluster(node_count=2)
clu.Start()
process = clu.master.Popen("sleep", "600")
while "sleep" not in clu.master.Run("ps", "-A").stdout:
  pass
print(" ".join(str(node.pid) for node in clu.nodes), flush=True)
time.sleep(600)
"""


def setUpModule():
  """Skips all where no cluster can be built.

  """
  reason = cluster.WhyNot()
  if reason is not None:
    raise unittest.SkipTest(reason)


def _NamespaceOf(pid):
  """Returns the process namespace a process is in, None if it is gone.

  """
  try:
    return os.readlink("/proc/%s/ns/pid" % pid)
  except OSError:
    return None


def _ProcessesIn(namespaces):
  """Returns the numbers of all processes in some process namespaces.

  """
  return [pid for pid in os.listdir("/proc")
          if pid.isdigit() and _NamespaceOf(pid) in namespaces]


def _Mounts():
  """Returns what is mounted where, as this process sees it.

  Without images of file systems: a cluster mounts none, but tests that run
  beside this one do.

  """
  with open("/proc/self/mounts", encoding="utf-8") as mounts:
    return [line for line in mounts if not line.startswith("/dev/loop")]


class TestNodes(unittest.TestCase):
  """Nodes, before there is Ganeti on them.

  """
  @classmethod
  def setUpClass(cls):
    cls.mounts = _Mounts()
    cls.cluster = cluster.Cluster(node_count=2, shared=[testutils.SRCDIR])
    try:
      cls.cluster.Start()
    except BaseException:
      cls.cluster.Stop()
      raise
    (cls.node1, cls.node2) = cls.cluster.nodes

  @classmethod
  def tearDownClass(cls):
    cls.cluster.Stop()

  def testNames(self):
    """Each has its own name, and is found under it.

    """
    for node in self.cluster.nodes:
      self.assertEqual(node.Run("hostname").stdout.strip(), node.name)
      self.assertEqual(self.node1.Run("getent", "hosts", node.name)
                       .stdout.split()[0], node.address)

  def testRun(self):
    """Input, output, exit code, environment; a failure is an error.

    """
    result = self.node1.Run("sh", "-c", "cat; echo $MORE; pwd; exit 3",
                            stdin="in", env={"MORE": "more"}, check=False)
    self.assertEqual((result.returncode, result.stdout), (3, "inmore\n/\n"))
    self.assertRaises(cluster.ClusterError, self.node1.Run, "false")

  def testTimeLimit(self):
    """A command that takes too long is ended.

    """
    result = self.node1.Run("sleep", "600", timeout=0.2, check=False)
    self.assertEqual(result.returncode, 124)

  def testSecureShell(self):
    """The nodes let each other in.

    """
    self.assertEqual(self.node1.Run("ssh", self.node2.name, "hostname").stdout,
                     self.node2.name + "\n")

  def testCable(self):
    """A node can be cut off.

    """
    ssh = ["ssh", "-o", "ConnectTimeout=1", self.node2.address, "true"]
    self.cluster.SetCable(self.node2, False)
    try:
      self.assertEqual(self.node1.Run(*ssh, check=False).returncode, 255)
    finally:
      self.cluster.SetCable(self.node2, True)
    testutils.WaitFor(lambda: self.node1.Run(*ssh, check=False)
                      .returncode == 0, "the node is back")

  def testNoWayOut(self):
    """The nodes reach each other and nothing else.

    """
    for node in self.cluster.nodes:
      self.assertEqual(node.Run("ip", "route", "show", "default").stdout, "")
      self.assertEqual(node.Run("ip", "-6", "route", "show", "default").stdout,
                       "")

  def testFilesAreItsOwn(self):
    """A node's files, the package database too, are seen by that node only.

    """
    for directory in ("/var/lib/dpkg", "/usr/sbin", "/etc", "/srv", "/root",
                      "/tmp"):
      with self.subTest(directory=directory):
        path = os.path.join(directory, "from-node1")
        self.node1.Run("touch", path)
        self.assertTrue(os.path.exists(self.node1.Path(path)))
        self.assertFalse(os.path.exists(self.node2.Path(path)))
        self.assertFalse(os.path.exists(path))

  def testDevicesAreItsOwn(self):
    """Devices work, and a node that changes one changes nobody else's.

    """
    self.assertEqual(self.node1.Run("stat", "-c", "%a %t,%T", "/dev/null",
                                    "/dev/urandom", "/dev/tty").stdout,
                     "666 1,3\n666 1,9\n666 5,0\n")
    self.node1.Run("sh", "-c", "head -c 1 /dev/urandom >/dev/null &&"
                   " echo >/dev/stdout")
    for device in ("null", "full"):
      path = "/dev/" + device
      mode = os.stat(path).st_mode
      self.node1.Run("chmod", "600", path)
      self.assertEqual(os.stat(path).st_mode, mode)
      self.assertEqual(os.stat(self.node2.Path(path)).st_mode, mode)

  def testSharedIsReadOnly(self):
    """The nodes read what is shared with them, and do not write to it.

    """
    name = os.path.join("test", "ganeti", os.path.basename(__file__))
    path = os.path.join(testutils.SRCDIR, name)
    self.assertEqual(self.node1.Read(path), testutils.ReadFile(path))
    result = self.node1.Run("touch", path + ".new", check=False)
    self.assertIn("Read-only", result.stderr)

  def testTerminate(self):
    """A command beside the caller is ended, and it is known when it has.

    """
    # A signal to "timeout" before it waits would end it alone
    process = self.node1.Popen("sh", "-c",
                               "trap 'touch /run/ended; exit 4' TERM;"
                               "until grep -q '^State:.S' /proc/$PPID/status;"
                               "do :; done;"
                               "touch /run/started; while :; do sleep 0.05;"
                               " done", stderr=subprocess.DEVNULL)
    testutils.WaitFor(lambda: os.path.exists(self.node1.Path("/run/started")),
                      "the command runs")
    self.assertEqual(self.node1.Terminate(process), 4)
    self.assertTrue(os.path.exists(self.node1.Path("/run/ended")))

  def testMounts(self):
    """The caller sees none of the nodes' mounts.

    """
    self.assertEqual(_Mounts(), self.mounts)


class TestEnd(unittest.TestCase):
  """Nothing is left of a cluster, however it ends.

  """
  def _CheckGone(self, namespaces):
    testutils.WaitFor(lambda: not _ProcessesIn(namespaces),
                      "all processes are gone")

  def testStop(self):
    """After an orderly end.

    """
    with cluster.Cluster(node_count=2) as clu:
      process = clu.master.Popen("sleep", "600")
      namespaces = [_NamespaceOf(node.pid) for node in clu.nodes]
      self.assertGreaterEqual(len(_ProcessesIn(namespaces)), 2)
    self.assertFalse(_ProcessesIn(namespaces))
    testutils.WaitForExit(process, "the command")
    clu.Stop()

  def testDiscard(self):
    """After a test that left it in any state.

    """
    once = cluster.Once(cluster.Cluster.Start, lambda: [])
    first = once.Get()
    self.addCleanup(first.Stop)
    self.assertIs(once.Get(), first)
    once.Discard()
    second = once.Get()
    self.addCleanup(second.Stop)
    # Stopped
    self.assertFalse(first.nodes)
    self.assertTrue(second.nodes)
    self.assertIs(once.Get(), second)

  def testFailure(self):
    """After a failure in the middle, which says what went wrong.

    """
    clu = cluster.Cluster(node_count=2, shared=["/nonexistent/directory"])
    with self.assertRaises(cluster.ClusterError) as caught:
      clu.__enter__() # pylint: disable=C2801
    self.assertIn("/nonexistent/directory", str(caught.exception))

  def testKilled(self):
    """After the process that made it was killed.

    """
    mounts = _Mounts()
    env = dict(os.environ, PYTHONPATH=os.path.join(testutils.SRCDIR, "test"))
    process = subprocess.Popen([sys.executable, "-c", _HOLD_CLUSTER], env=env,
                               stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    try:
      pids = process.stdout.readline().split()
      namespaces = [_NamespaceOf(int(pid)) for pid in pids]
      self.assertEqual(len(namespaces), 2)
      self.assertNotIn(None, namespaces)
    finally:
      process.send_signal(signal.SIGKILL)
      process.wait()
      process.stdout.close()
    self._CheckGone(namespaces)
    self.assertEqual(_Mounts(), mounts)


if __name__ == "__main__":
  unittest.main()

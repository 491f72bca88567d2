#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Upgrades around Debian's packages, on a node of a real cluster.

For C{devel/check-packages}, which makes the system that this runs in, Debian
12, and has put there: in C{/debs/new} the packages, in C{/debs/old} those of a
version before, in C{/debs/ganeti} Ganeti's with a higher version, and in apt's
cache what Debian 13 has.

"""

import os
import random
import re
import signal
import subprocess
import unittest

import testutils

from cluster import changing
from cluster import cluster
from cluster import ours


_DEBS = "/debs"

_TREE = ["/usr/share/ganeti", "/usr/lib/ganeti", "/usr/bin", "/usr/sbin",
         "/usr/lib/python3/dist-packages", "/usr/lib/systemd/system",
         "/usr/share/man", "/usr/share/doc", "/etc/ganeti", "/etc/default"]

_NODE = "ganeti-confd-python"

_ALL = [_NODE, "ganeti-confd-client", "ganeti-confd-exporter",
        "ganeti-confd-doc"]

_DPKG_LOG = "/var/log/dpkg.log"

#: Files of /proc that verify misses on kernels without CONFIG_MAGIC_SYSRQ.
#: Nothing can be put there.
_NO_SYSRQ = "the file /proc/sysrq-trigger"


def _Kill(pid, name=None):
  """Kills a process with kill -9, if it is there and has that name.

  """
  try:
    with open("/proc/%d/comm" % pid, encoding="ascii") as comm:
      if name in (None, comm.read().strip()):
        os.kill(pid, signal.SIGKILL)
  except OSError:
    pass


@unittest.skipUnless(os.path.isdir(_DEBS), "not in devel/check-packages")
class TestUpgrades(unittest.TestCase):
  """A cluster of one node for each test.

  """
  def setUp(self):
    reason = cluster.WhyNot()
    if reason is not None:
      self.skipTest(reason)
    self.cluster = cluster.Cluster(node_count=1, shared=[
      testutils.SRCDIR, testutils.BUILDDIR])
    self.addCleanup(self.cluster.Stop)
    self.cluster.Start()
    self.node = self.cluster.master
    # Without this, nothing is started where there is no init
    self.node.Write("/usr/sbin/policy-rc.d", b"#!/bin/sh\nexit 0\n")
    self.node.Run("chmod", "+x", "/usr/sbin/policy-rc.d")
    self.cluster.Init()
    self.cluster.StartDaemons()

  def _Run(self, *argv, **kwargs):
    kwargs.setdefault("timeout", 900)
    return self.node.Run(*argv, env={"DEBIAN_FRONTEND": "noninteractive"},
                         **kwargs)

  def _Install(self, name):
    """Installs packages from a directory of ours.

    """
    self._Run("apt-get", "install", "-y", "--allow-downgrades",
              *self._Packages(name))

  @staticmethod
  def _Packages(name):
    directory = os.path.join(_DEBS, name)
    return sorted(os.path.join(directory, i) for i in os.listdir(directory)
                  if i.endswith(".deb"))

  def _Tree(self, command):
    """Saves the state of the file system, or compares it.

    @return: what is different, but for when modules were compiled

    """
    result = self._Run(
      "/usr/bin/python3", os.path.join(testutils.SRCDIR, "test", "install",
                                       "treestate.py"),
      command, "/run/tree", *_TREE, check=False)
    return [line for line in result.stdout.splitlines()
            if not re.search(r"\.pyc: was \[.*\], is \[", line)]

  def _CheckOurs(self):
    """Checks that ours answers, and that verify is content.

    """
    def _Answers():
      reply = changing.Ask(self.node, 65)
      return reply is not None and reply["status"] == 0 and reply
    testutils.WaitFor(_Answers, "ours answers")
    self._Verify()

  def _CheckTheirs(self):
    testutils.WaitFor(lambda: changing.Ask(self.node, 0), "Ganeti's answers")
    self.assertRegex(ours.Executable(self.node),
                     "^/usr/lib/ganeti/3.[01]/usr/sbin/ganeti-confd$")
    self._Verify()

  def _Verify(self):
    result = self._Run("gnt-cluster", "verify", *changing.VERIFY_IGNORES,
                       check=False)
    self.assertEqual(result.returncode, 0, result)
    self.assertNotIn("confd", result.stdout)

  def _Purge(self):
    self._Run("apt-get", "purge", "-y", *_ALL)

  def testWithinSeries(self):
    self._Tree("save")
    self._CheckTheirs()
    self._Install("old")
    self._CheckOurs()
    # The module has gone, with the diversion of its name
    self.assertIn("/older.py ", self._Run("dpkg-divert", "--list",
                                          _NODE).stdout)
    self._Install("new")
    self._CheckOurs()
    self.assertNotIn("/older.py ", self._Run("dpkg-divert", "--list",
                                             _NODE).stdout)
    self._Run("apt-get", "remove", "-y", _NODE)
    self._CheckTheirs()
    self._Install("new")
    self._CheckOurs()
    self._Purge()
    self._CheckTheirs()
    self.assertEqual(self._Tree("compare"), [])

    # Ganeti's package below it, with a module that has one of our names
    self._Install("ganeti")
    self._CheckTheirs()
    self._Tree("save")
    self._Install("new")
    self._CheckOurs()
    self._Install("ganeti")
    self._Run("dpkg", "--force-downgrade", "-i", *self._Cached("3.0"))
    self._Install("ganeti")
    ours.Util(self.node, "start-all", check=False)
    self._CheckOurs()
    aside = "/usr/share/ganeti/3.0/ganeti/confd/localnode.py.distrib"
    self.assertIn("newer", self.node.Read(aside).decode("ascii"))
    self._Purge()
    self._CheckTheirs()
    self.assertEqual([line for line in self._Tree("compare")
                      if "__pycache__" not in line], [])
    self.assertEqual(self._Run("dpkg", "--verify", "ganeti", "ganeti-3.0",
                               "ganeti-haskell-3.0").stdout, "")

  def _LogSize(self):
    return len(self.node.Read(_DPKG_LOG).splitlines())

  def _Interrupted(self, argv, lines, whole):
    """Runs a command, kills dpkg in the middle, and mends.

    @type lines: int
    @param lines: how many lines dpkg has written to its log by then
    @param whole: whether all is killed that runs, as when a node loses power

    """
    until = self._LogSize() + lines
    process = self.node.Popen(*argv, env={"DEBIAN_FRONTEND": "noninteractive"},
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    while process.poll() is None and self._LogSize() < until:
      pass
    pids = testutils.ProcessTree(process.pid)[1:]
    for pid in pids:
      _Kill(pid, None if whole else "dpkg")
    process.wait()
    # A script that dpkg ran may go on
    testutils.WaitFor(lambda: not any(os.path.exists("/proc/%d" % pid)
                                      for pid in pids), "all ends")
    last = self.node.Read(_DPKG_LOG).decode("utf-8").splitlines()[-1]
    mended = self._Run("dpkg", "--configure", "-a", check=False)
    fixed = self._Run("apt-get", "install", "-f", "-y", check=False)
    print("%s after %s lines, %r: %s, %s, %s" %
          (" ".join(argv[:2]), lines, last, process.returncode,
           mended.returncode, fixed.returncode))
    # Repeat the action with dpkg. Apt does not know packages that are purged
    # already, regards a package that was not unpacked completely as installed,
    # and refuses to reinstall some of those ("Internal Error, No file name").
    if argv[1] == "install":
      self._Run("dpkg", "--install", *self._Packages("new"))
    else:
      self._Run("dpkg", "--purge", *_ALL)
    self.assertEqual(self._Run("dpkg", "--audit").stdout, "")

  def testInterrupted(self):
    """Power fails, or dpkg is killed, at points that are never the same.

    """
    self._Install("new")
    self._Purge()
    self._CheckTheirs()
    self._Tree("save")
    install = ["apt-get", "install", "-y", "--allow-downgrades"]
    new = self._Packages("new")
    purge = ["apt-get", "purge", "-y", *_ALL]
    for i in range(6):
      self._Interrupted(install + new, random.randint(1, 30), i % 2 == 0)
      self._CheckOurs()
      self._Run(*install, *self._Packages("old"))
      self._Interrupted(install + new, random.randint(1, 40), i % 2 == 1)
      self._CheckOurs()
      self._Interrupted(purge, random.randint(1, 24), i % 2 == 0)
      self._CheckTheirs()
      self.assertEqual(self._Tree("compare"), [])

  def _Cached(self, series):
    """Lists Debian's own packages of a series of Ganeti.

    """
    result = self._Run("sh", "-c", "ls /debs/debian/ganeti_%s* /debs/debian/"
                       "ganeti-%s_* /debs/debian/ganeti-haskell-%s_*" %
                       (series, series, series))
    return result.stdout.split()

  def testNextDebian(self):
    """To Debian 13 and Ganeti 3.1, with ours there all the time.

    """
    self._Install("new")
    self._CheckOurs()
    pid = self.node.Read(ours.PID_FILE)
    self.node.Write("/etc/apt/sources.list", self.node.Read(
      "/debs/trixie.list"))
    self._Run("apt-get", "-y", "-o", "Dpkg::Options::=--force-confold",
              "--no-download", "-o", "Dir::State::lists=/debs/lists",
              "dist-upgrade", timeout=1800)
    self.assertTrue(self._Run("python3", "--version").stdout.startswith(
      "Python 3.13"))
    self.assertEqual(self._Run("dpkg", "-s", *_ALL).stdout.count(
      "\nStatus: install ok installed\n"), len(_ALL))
    self._Run("confd-exporter", "--version")
    # Nothing has stopped it, nor would it miss Python 3.11
    self.assertEqual(self.node.Read(ours.PID_FILE), pid)
    self.assertEqual(changing.Ask(self.node, 65)["status"], 0)
    ours.Restart(self.node)
    testutils.WaitFor(lambda: changing.Ask(self.node, 65), "ours answers")
    self.assertTrue(ours.Executable(self.node).endswith("/python3.13"))
    # Ganeti's link goes to the other series
    if "3.0" in self._Run("readlink", "/etc/ganeti/share").stdout:
      # At its end it verifies
      result = self._Run("gnt-cluster", "upgrade", "--to", "3.1", check=False)
      self.assertEqual([line for line in result.stdout.splitlines()
                        if "ERROR" in line and _NO_SYSRQ not in line], [])
      self.assertNotIn("arning", result.stdout + result.stderr)
      self.assertIn("Hooks Results", result.stdout + result.stderr)
      if os.path.exists("/proc/sysrq-trigger"):
        self.assertEqual(result.returncode, 0, result)
    self._CheckOurs()
    self.assertIn("/usr/share/ganeti/3.1", self._Run(
      "readlink", "/etc/ganeti/share").stdout)
    self._Purge()
    self._CheckTheirs()
    self.assertEqual(self._Run("sh", "-c", "dpkg-divert --list | grep confd;"
                               " find /usr /etc -name '*.distrib'").stdout, "")
    self.assertEqual(self._Run("dpkg", "--verify", "ganeti",
                               "ganeti-3.1").stdout, "")


if __name__ == "__main__":
  unittest.main()

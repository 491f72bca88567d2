#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Upgrades around Debian's package of the daemon, on a node of a real cluster.

For C{devel/check-packages}, which makes the system that this runs in, Debian
12, and has put there: in C{/debs/new} the packages, in C{/debs/old} those of a
version before, in C{/debs/ganeti} Ganeti's with a higher version, and in apt's
cache what Debian 13 has.

"""

import os
import re
import unittest

import testutils

from cluster import changing
from cluster import cluster
from cluster import ours


_DEBS = "/debs"

_TREE = ["/usr/share/ganeti", "/usr/lib/ganeti", "/usr/sbin",
         "/usr/lib/python3/dist-packages", "/usr/share/man/man8",
         "/etc/ganeti/hooks", "/etc/default"]

_NODE = "ganeti-confd-python"


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
    directory = os.path.join(_DEBS, name)
    self._Run("apt-get", "install", "-y", "--allow-downgrades", *sorted(
      os.path.join(directory, i) for i in os.listdir(directory)
      if i.endswith(".deb") and not i.startswith(("ganeti-confd-doc",
                                                  "ganeti-confd-exp"))))

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
    pid = self.node.Read(ours.PID_FILE).decode("ascii").strip()
    exe = self.node.Run("readlink", "/proc/%s/exe" % pid).stdout.strip()
    self.assertRegex(exe, "^/usr/lib/ganeti/3.[01]/usr/sbin/ganeti-confd$")
    self._Verify()

  def _Verify(self):
    result = self._Run("gnt-cluster", "verify", *changing.VERIFY_IGNORES,
                       check=False)
    self.assertEqual(result.returncode, 0, result)
    self.assertNotIn("confd", result.stdout)

  def _Purge(self):
    self._Run("apt-get", "purge", "-y", _NODE, "ganeti-confd-client")

  def testWithinSeries(self):
    self._Tree("save")
    self._CheckTheirs()
    self._Install("old")
    self._CheckOurs()
    # Its module has gone, with the diversion of its name
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
    self.assertIn("newer", self.node.Read(
      "/usr/share/ganeti/3.0/ganeti/confd/wire.py.distrib").decode("ascii"))
    self._Purge()
    self._CheckTheirs()
    self.assertEqual([line for line in self._Tree("compare")
                      if "__pycache__" not in line], [])
    self.assertEqual(self._Run("dpkg", "--verify", "ganeti", "ganeti-3.0",
                               "ganeti-haskell-3.0").stdout, "")

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
    self.node.Write("/etc/apt/sources.list", self.node.Read(
      "/debs/trixie.list"))
    self._Run("apt-get", "-y", "-o", "Dpkg::Options::=--force-confold",
              "--no-download", "-o", "Dir::State::lists=/debs/lists",
              "dist-upgrade", timeout=1800)
    self.assertTrue(self._Run("python3", "--version").stdout.startswith(
      "Python 3.13"))
    self.assertIn("ok installed", self._Run("dpkg", "-s", _NODE).stdout)
    self._Run("gnt-cluster", "--version")
    # Ganeti's link goes to the other series
    if "3.0" in self._Run("readlink", "/etc/ganeti/share").stdout:
      # At its end it verifies, and does not know what is missing in namespaces
      result = self._Run("gnt-cluster", "upgrade", "--to", "3.1", check=False)
      self.assertIn("Unpausing the watcher", result.stdout, result)
    ours.Util(self.node, "start-all", check=False)
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

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of the tarball, and of what is built from it.

"""

import os
import shutil
import subprocess
import tarfile
import unittest

import buildutils


class TestTarball(unittest.TestCase):
  """The contents of the tarball.

  """
  @classmethod
  def setUpClass(cls):
    cls.workdir = buildutils.Workdir()
    cls.addClassCleanup(cls.workdir.Remove)
    cls.tarball = buildutils.MakeTarball(cls.workdir)
    with tarfile.open(cls.tarball) as tar:
      cls.files = set(member.name.partition("/")[2] for member in tar
                      if member.isfile())

  @staticmethod
  def _TrackedFiles():
    output = subprocess.check_output(
      ["git", "-c", "safe.directory=*", "ls-files", "-z"],
      cwd=buildutils.SRCDIR)
    return set(name for name in os.fsdecode(output).split("\0") if name)

  def testHasTrackedFiles(self):
    tracked = self._TrackedFiles()
    self.assertIn("Makefile.am", tracked)
    # A link to lib, for a checkout. In the tarball links become what they lead
    # to.
    self.assertIn("ganeti", tracked)
    self.assertEqual(sorted(tracked - self.files - {"ganeti"}), [],
                     "not listed in Makefile.am")

  def testHasNothingElse(self):
    # Files that autogen.sh and make have made for those who build from the
    # tarball
    made = set(["configure", "Makefile.in", "aclocal.m4",
                "autotools/install-sh", "autotools/missing",
                "doc/ganeti-confd.8", "doc/confd-client.1",
                "doc/confd-exporter.8"])
    self.assertEqual(sorted(made - self.files), [])
    self.assertEqual(sorted(self.files - made - self._TrackedFiles()), [],
                     "listed in Makefile.am, but not known to git")


class TestBuild(unittest.TestCase):
  """Builds from the tarball.

  """
  def setUp(self):
    self.workdir = buildutils.Workdir()
    self.addCleanup(self.workdir.Remove)
    self.tarball = buildutils.MakeTarball(self.workdir)
    self.srcdir = buildutils.Unpack(self.tarball, self.workdir.Path("src"))

  def _CheckRuns(self, builddir):
    """Runs everything in place.

    """
    for name in ["daemons/ganeti-confd", "tools/confd-client"]:
      path = os.path.join(builddir, name)
      with open(path, encoding="utf-8") as fd:
        self.assertEqual(fd.readline(), "#!%s\n" % buildutils.PYTHON)
      self.assertIn(buildutils.Version(), buildutils.Run([path, "--version"])
                    if "daemons" in name else buildutils.Version())
      buildutils.Run([path, "--help"])
    output = buildutils.Run(
      [buildutils.PYTHON, "-c", "import ganeti.confd.client as client;"
       " print(client.__file__)"],
      env={"PYTHONPATH": builddir + "/modules"})
    self.assertEqual(output.strip(),
                     os.path.join(builddir, "modules/ganeti/confd/client.py"))

  def testInTree(self):
    buildutils.Configure(self.srcdir, self.srcdir)
    self._CheckRuns(self.srcdir)

  def testVpath(self):
    # From a relative path, with the man pages as they are
    builddir = os.path.join(self.srcdir, "b")
    buildutils.Configure("..", builddir, "RST2MAN=false")
    self._CheckRuns(builddir)
    buildutils.Run(["make", "-s", "distclean"], cwd=builddir)
    self.assertEqual([files for (_, _, files) in os.walk(builddir) if files],
                     [])

  def testOverFlat(self):
    # The source was updated under a build tree, to have sub-packages
    srcdir = buildutils.FlatTree(self.workdir.Path("flat"))
    builddir = self.workdir.Path("b")
    buildutils.Configure(srcdir, builddir)
    self.assertTrue(os.path.exists(os.path.join(builddir,
                                                "ganeti/confd/daemon.py")))
    buildutils.Run([buildutils.PYTHON, "-m", "compileall", "-q",
                    builddir + "/ganeti"])
    shutil.rmtree(srcdir)
    shutil.move(self.srcdir, srcdir)
    # All are new, and none newer than what is made of it
    buildutils.Run(["sh", "-c", "touch now; find flat | xargs touch -r now"],
                   cwd=self.workdir.path)
    buildutils.Run(["make", "-s"], cwd=builddir)
    self._CheckRuns(builddir)
    links = set(name for (_, _, files) in os.walk(builddir + "/modules")
                for name in files if name.endswith(".py"))
    self.assertIn("verifyhook.py", links)
    self.assertNotIn("verify.py", links)
    # A sub-package that is no more
    room = os.path.join(builddir, "modules/ganeti/confd/lost/__pycache__")
    os.makedirs(room)
    buildutils.Run(["make", "-s"], cwd=builddir)
    self.assertFalse(os.path.exists(os.path.dirname(room)))

  def testVersionManager(self):
    # A "python3" that comes first in PATH is not what is used
    bindir = self.workdir.Path("bin")
    os.mkdir(bindir)
    for name in ["python3", "python", "rst2man"]:
      with open(os.path.join(bindir, name), "w", encoding="utf-8") as fd:
        fd.write("#!/bin/sh\nexit 1\n")
      os.chmod(os.path.join(bindir, name), 0o755)
    buildutils.Configure(self.srcdir, self.srcdir,
                         env={"PATH": bindir + ":/usr/bin:/bin"})
    self._CheckRuns(self.srcdir)

  def testMakesManPages(self):
    os.remove(os.path.join(self.srcdir, "doc/ganeti-confd.8"))
    builddir = self.workdir.Path("b")
    buildutils.Configure(self.srcdir, builddir)
    with open(os.path.join(builddir, "doc/ganeti-confd.8"),
              encoding="utf-8") as fd:
      self.assertIn(".SH SYNOPSIS", fd.read())

  # Suites that "make distcheck" runs when it is called here. By hand it runs
  # all of "make check"; here these suites have jobs of their own, from the tree
  # that the tarball is made of (TestTarball: it has the same files). What is
  # left to see is that tests, and the daemon with all its processes, can run in
  # such a place.
  _SUITES = "SUITES=test/unit/test_wire.py test/daemon/test_systemd.py"

  def testDistcheckAsNobody(self):
    # Root could write into the read-only source without being told
    env = {"HOME": self.workdir.Path("home"), "TMPDIR": self.workdir.Path("t")}
    for path in env.values():
      os.mkdir(path)
    for path in list(env.values()) + [self.workdir.Path("src")]:
      buildutils.Run(["chown", "-R", "nobody:nogroup", path])
    kwargs = {"cwd": self.srcdir, "env": env, "user": "nobody",
              "group": "nogroup", "extra_groups": []}
    buildutils.Run(["./configure", "-q"], **kwargs)
    output = buildutils.Run(["make", "distcheck", self._SUITES], **kwargs)
    self._CheckDistcheck(output)

  def testDistcheckAsRoot(self):
    buildutils.Run(["./configure", "-q"], cwd=self.srcdir)
    output = buildutils.Run(["make", "distcheck", self._SUITES],
                            cwd=self.srcdir)
    self._CheckDistcheck(output)

  def _CheckDistcheck(self, output):
    self.assertIn("ready for distribution", output)
    for title in ["test/unit test_wire", "test/daemon test_systemd"]:
      self.assertRegex(output, r"\n== %s: [1-9][0-9]* passed, 0 failed, " %
                       title)
    self.assertRegex(output, r"\n[1-9][0-9]* passed, 0 failed, ")

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of a checkout in which neither configure nor make has run.

"""

import glob
import os
import re
import subprocess
import unittest

import buildutils


#: Texts of a test module that may need something that make makes: programs of
#: its own, or the place of such a thing
_NEEDS_PLACES_RE = re.compile("subprocess|BUILDDIR|MODULEDIR|completing")

#: Files that only a built tree has
_NEEDS_MAKE = "the completion has not been made: make"


class TestCheckout(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    if not os.path.exists(os.path.join(buildutils.SRCDIR, ".git")):
      raise unittest.SkipTest("this is no checkout")
    cls.workdir = buildutils.Workdir()
    cls.addClassCleanup(cls.workdir.Remove)
    cls.tree = cls.workdir.Path("tree")
    subprocess.run(["git", "-c", "safe.directory=*", "checkout-index", "-a",
                    "--prefix=%s/" % cls.tree], cwd=buildutils.SRCDIR,
                   check=True)

  def _Files(self):
    """Lists what is in the tree, less what Python and the tests keep there.

    """
    return sorted(
      os.path.join(directory, name)
      for (directory, _, names) in os.walk(self.tree) for name in names
      if not re.search(r"/(__pycache__|\.(hypothesis|mypy_cache|pytest_cache))"
                       r"(/|$)", directory))

  def testNose2(self):
    before = self._Files()
    nose2 = [buildutils.PYTHON, "-m", "nose2", "-v", "-s", "test/unit"]
    # Collecting imports all; whatever is imported is found then. Other missing
    # files are for the modules that start programs.
    output = buildutils.Run(nose2 + ["--plugin", "nose2.plugins.collect",
                                     "--collect-only"], cwd=self.tree)
    self.assertGreater(len(re.findall(r"(?m)^test\w+ \(", output)), 600)
    modules = []
    for path in sorted(glob.glob(os.path.join(self.tree, "test/unit/test_*"))):
      with open(path, encoding="utf-8") as fd:
        if _NEEDS_PLACES_RE.search(fd.read()):
          modules.append(os.path.basename(path)[:-len(".py")])
    self.assertGreater(len(modules), 8)
    output = buildutils.Run(nose2 + modules, cwd=self.tree)
    self.assertGreater(int(re.search(r"^Ran ([0-9]+) tests", output,
                                     re.M).group(1)), 100)
    # All that is skipped has to be built first
    skipped = re.findall(r"\.\.\. skipped (.*)", output)
    self.assertEqual({text.strip("'\"") for text in skipped}, {_NEEDS_MAKE})
    self.assertEqual(self._Files(), before)

  def testPytest(self):
    # Collecting imports all; a file more shows that programs find the modules
    output = buildutils.Run([buildutils.PYTHON, "-m", "pytest", "-q",
                             "--collect-only", "test/unit"], cwd=self.tree)
    self.assertGreater(int(re.search(r"^([0-9]+) tests collected", output,
                                     re.M).group(1)), 600)
    buildutils.Run([buildutils.PYTHON, "-m", "pytest", "-q",
                    "test/unit/test_seam.py", "test/unit/test_wire.py"],
                   cwd=self.tree)

  def testImports(self):
    """Type checkers and editors find the package in the top directory.

    """
    buildutils.Run([buildutils.PYTHON, "-m", "mypy", "-p", "ganeti"],
                   cwd=self.tree)
    output = buildutils.Run(
      [buildutils.PYTHON, "-c", "from ganeti import pathutils, constants\n"
       "from ganeti.confd import client\nprint(pathutils.CONFD_HMAC_KEY,"
       " constants.CONFD_USER, client.__version__, client.__file__)"],
      cwd=self.tree)
    self.assertEqual(output.split(), [
      "/var/lib/ganeti/hmac.key", "root", buildutils.Version(),
      os.path.join(self.tree, "ganeti/confd/client.py")])

  def testBuiltInTree(self):
    """The package that make makes is another one than that for editors.

    """
    tree = self.workdir.Path("built")
    buildutils.Run(["cp", "-a", self.tree, tree])
    buildutils.Run(["./autogen.sh"], cwd=tree)
    buildutils.Configure(tree, tree, "--localstatedir=/srv/var")
    self.assertIn(buildutils.Version(), buildutils.Run(
      [os.path.join(tree, "daemons/ganeti-confd"), "--version"]))
    where = []
    for modules in (tree, os.path.join(tree, "modules")):
      where += buildutils.Run(
        [buildutils.PYTHON, "-c", "from ganeti import pathutils\n"
         "print(pathutils.DATA_DIR)"], env={"PYTHONPATH": modules}).split()
    self.assertEqual(where, ["/var/lib/ganeti", "/srv/var/lib/ganeti"])
    buildutils.Run(["make", "-s", "clean"], cwd=tree)
    self.assertEqual(os.readlink(os.path.join(tree, "ganeti")), "lib")
    # The sources are as they were
    buildutils.Run(["diff", "-r", "-x", "__pycache__", self.tree + "/lib",
                    tree + "/lib"])


if __name__ == "__main__":
  unittest.main()

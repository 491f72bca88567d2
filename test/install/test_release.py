#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of devel/release: what it refuses, and what it makes without a tag.

"""

import os
import re
import subprocess
import unittest

import buildutils


class TestRelease(unittest.TestCase):
  """On a copy of the tree, with a repository of its own.

  """
  def setUp(self):
    if not os.path.exists(os.path.join(buildutils.SRCDIR, ".git")):
      self.skipTest("this is no checkout")
    self.workdir = buildutils.Workdir()
    self.addCleanup(self.workdir.Remove)
    self.tree = self.workdir.Path("tree")
    names = subprocess.check_output(
      ["git", "-c", "safe.directory=*", "ls-files", "-z"],
      cwd=buildutils.SRCDIR)
    os.mkdir(self.tree)
    subprocess.run("tar -c --null -T - | tar -x --no-same-owner -C %s" %
                   buildutils.Quote(self.tree), shell=True, input=names,
                   cwd=buildutils.SRCDIR, check=True)
    self.dist = self.workdir.Path("dist")
    self._Git("init", "-q")
    self._Edit("NEWS", r"\((unreleased|released [0-9-]+)\)",
               "(released 2026-11-30)")
    self._Commit()

  def _Git(self, *args):
    buildutils.Run(["git", "-c", "user.name=x", "-c", "user.email=x@localhost"]
                   + list(args), cwd=self.tree)

  def _Commit(self):
    self._Git("add", "-A")
    self._Git("commit", "-q", "-m", "x")

  def _Edit(self, name, pattern, replacement):
    path = os.path.join(self.tree, name)
    with open(path, encoding="utf-8") as fd:
      text = fd.read()
    with open(path, "w", encoding="utf-8") as fd:
      fd.write(re.sub(pattern, replacement, text, count=1))

  def _Release(self, *args):
    return buildutils.Try([os.path.join(self.tree, "devel/release"),
                           "--dry-run"] + list(args))

  def testRefuses(self):
    version = buildutils.Version()
    self._Git("tag", "v" + version)
    self._Edit("NEWS", "released 2026-11-30", "unreleased")
    self._Edit("debian/changelog", r"\(.*-1\)", "(0.0.9-1)")
    (exit_code, output) = self._Release(self.dist)
    self.assertEqual(exit_code, 1, output)
    for text in ["changes that are not committed",
                 "there is a tag v%s already" % version,
                 "NEWS has \"(unreleased)\" below the version",
                 "debian/changelog begins with 0.0.9, not with " + version]:
      self.assertIn(text, output)
    self.assertFalse(os.path.exists(self.dist))

  def testUsage(self):
    for args in [["--help"], ["--dry-run", "--dry-run"], [self.dist, "x"]]:
      (exit_code, output) = buildutils.Try(
        [os.path.join(self.tree, "devel/release")] + args)
      self.assertEqual(exit_code, 1, output)
      self.assertIn("usage: ", output)

  def testNothingIsMixed(self):
    os.mkdir(self.dist)
    with open(os.path.join(self.dist, "old.tar.gz"), "wb"):
      pass
    (exit_code, output) = self._Release(self.dist)
    self.assertEqual(exit_code, 1, output)
    self.assertIn("release: %s is not empty\n" % self.dist, output)

  def testNoKey(self):
    """That the tag cannot be signed is found before all that takes long.

    """
    (exit_code, output) = buildutils.Try(
      [os.path.join(self.tree, "devel/release"), self.dist],
      env={"GNUPGHOME": self.workdir.Path("none"),
           "GIT_COMMITTER_NAME": "x", "GIT_COMMITTER_EMAIL": "x@localhost",
           "GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x@localhost"})
    self.assertEqual(exit_code, 1, output)
    self.assertIn("release: the tag cannot be signed", output)
    self.assertFalse(os.path.exists(self.dist))

  def testDryRun(self):
    if os.getuid() == 0:
      # Packages need root; the tree need not be its own
      buildutils.Run(["chown", "-R", "nobody", self.tree])
    (exit_code, output) = self._Release(self.dist)
    self.assertEqual(exit_code, 0, output)
    version = buildutils.Version()
    for name in ["ganeti-confd-%s.tar.gz" % version,
                 "ganeti_confd_client-%s-py3-none-any.whl" % version,
                 "here/ganeti-confd-python_%s-1_all.deb" % version]:
      self.assertRegex(output, r"\n[0-9a-f]{64} +\./%s\n" % re.escape(name))
    buildutils.Run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=self.dist)
    self.assertEqual(buildutils.Run(["git", "-c", "safe.directory=*", "tag"],
                                    cwd=self.tree), "")


if __name__ == "__main__":
  unittest.main()

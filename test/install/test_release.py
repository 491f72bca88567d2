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
import packages


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
    self._Edit("debian/changelog", r"(?m)^( -- .*>  ).*$",
               r"\1Tue, 01 Dec 2099 12:00:00 +0000")
    (exit_code, output) = self._Release(self.dist)
    self.assertEqual(exit_code, 1, output)
    for text in ["changes that are not committed",
                 "there is a tag v%s already" % version,
                 "NEWS has \"(unreleased)\" below the version",
                 "debian/changelog begins with 0.0.9, not with " + version,
                 "debian/changelog is yet to come: Tue, 01 Dec 2099 "]:
      with self.subTest(text=text):
        self.assertIn(text, output)
    self.assertFalse(os.path.exists(self.dist))

  def testKeepsPromises(self):
    """No name that the last release has promised is gone.

    """
    self._Git("tag", "v1.0.0")
    self._Edit("lib/confd/_version.py", "VERSION = .*", "VERSION = \"1.7.0\"")
    self._Edit("test/promised", "python Client\n", "")
    (exit_code, output) = self._Release(self.dist)
    self.assertEqual(exit_code, 1, output)
    self.assertIn("v1.0.0 has promised, and test/promised has not:\n"
                  "python Client\n", output)
    self._Edit("lib/confd/_version.py", "VERSION = .*", "VERSION = \"2.0.0\"")
    self.assertNotIn("promised", self._Release(self.dist)[1])

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
    """A tag that cannot be signed is found before all that takes long.

    """
    (exit_code, output) = buildutils.Try(
      [os.path.join(self.tree, "devel/release"), self.dist],
      env={"GNUPGHOME": self.workdir.Path("none"),
           "GIT_COMMITTER_NAME": "x", "GIT_COMMITTER_EMAIL": "x@localhost",
           "GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x@localhost"})
    self.assertEqual(exit_code, 1, output)
    self.assertIn("release: the tag cannot be signed", output)
    self.assertFalse(os.path.exists(self.dist))

  def testWithoutWhat(self):
    for args in [["--without"], ["--without", "sleep"]]:
      (exit_code, output) = self._Release(*args)
      self.assertEqual(exit_code, 1, output)
      self.assertIn("--without takes one of: check check-trixie", output)

  def _Stub(self, name, script):
    """Puts a script in the place of one that takes long.

    """
    path = os.path.join(self.tree, name)
    with open(path, "w", encoding="ascii") as fd:
      fd.write("#!/bin/sh\nset -e\n" + script)
    os.chmod(path, 0o755)

  def _ReleaseInEarnest(self, *args, bare=0, pythons=0, fuzz=0, trixie=None):
    """Makes a release, with stubs for all that takes long.

    @param bare: exit code of the check in a bare system
    @param pythons: exit code of devel/check-pythons
    @param fuzz: exit code of test/fuzz/run
    @param trixie: the rest of the script that is devel/check-trixie
    @return: exit code, output, and what has run: the checks in their order,
      then those that run beside them

    """
    ran = self.workdir.Path("ran")
    for (name, script, number) in [
        ("devel/check", "", 0), ("devel/check-bare", "exit %d" % bare, 0),
        ("devel/check-trixie", trixie or "", 0),
        ("devel/check-pythons", "echo 'Python 3.9: skipped: there is none'\n"
         "exit %d" % pythons, 0), ("devel/check-packages", "", 1)]:
      self._Stub(name, "echo %s >>%s-%d\n%s\n" % (name, ran, number, script))
    self._Stub("devel/build-deb", "mkdir $2; cp %s $2/ganeti-confd_%s.orig"
               ".tar.gz\n" % (buildutils.MakeTarball(self.workdir),
                              buildutils.Version()))
    self._Stub("test/soak/run", "echo soak $3 $4 >>%s-2; test -e $2/Makefile\n"
               "echo '{\"left out\": [\"full disk\"]}' >$6\n" % ran)
    self._Stub("test/fuzz/run", "echo fuzz $3 $4 >>%s-3; exit %d\n" %
               (ran, fuzz))
    self._Commit()
    key = self.workdir.Path("key")
    buildutils.Run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key])
    for (name, value) in [("gpg.format", "ssh"), ("user.signingKey", key),
                          ("user.name", "x"), ("user.email", "x@localhost")]:
      self._Git("config", name, value)
    (exit_code, output) = buildutils.Try(
      [os.path.join(self.tree, "devel/release"), *args, self.dist])
    lines = []
    for number in range(4):
      with open("%s-%d" % (ran, number), encoding="ascii") as fd:
        lines.extend(fd.read().splitlines())
    return (exit_code, output, lines)

  def testCiFallsBack(self):
    """Where no bare system can be made, CI tests the machine, and says so.

    """
    for (bare, check, code, lines) in [
        (0, 0, 0, ["bare"]), (1, 0, 1, ["bare"]),
        (75, 0, 0, ["bare", "check", "Run on this machine", "5 passed"]),
        (75, 1, 1, ["bare", "check", "Run on this machine", "5 passed"])]:
      with self.subTest(bare=bare, check=check):
        self._Stub("devel/check-bare", "echo bare; exit %d\n" % bare)
        self._Stub("devel/check", "echo check; echo 5 passed; exit %d\n" %
                   check)
        (exit_code, output) = buildutils.Try(
          [os.path.join(self.tree, ".ci/run")])
        self.assertEqual(exit_code, code, output)
        found = output.splitlines()
        self.assertEqual(len(found), len(lines), output)
        for (line, begin) in zip(found, lines):
          self.assertTrue(line.startswith(begin), output)

  @unittest.skipIf(os.getuid() != 0, "it needs root")
  def testInEarnest(self):
    """All steps, in order; and what was left out.

    """
    version = buildutils.Version()
    (exit_code, output, ran) = self._ReleaseInEarnest(
      "--without", "check-trixie", bare=75, fuzz=75)
    self.assertEqual(exit_code, 0, output)
    self.assertEqual(ran, [
      "devel/check-bare", "devel/check", "devel/check-pythons",
      "devel/check-packages", "soak --seconds 3600", "fuzz --seconds 3600"])
    left_out = ("Left out:\n  check: the bare system, which cannot be made"
                " here; the reason is above. All tests ran on the machine"
                " itself\n"
                "  check-trixie\n  check-pythons: Python 3.9: there is none\n"
                "  soak: these faults: full disk\n"
                "  fuzz: cannot be made here; the reason is above\n")
    self.assertIn(left_out, output)
    self.assertIn("\nTagged v%s; it is not pushed\n" % version, output)
    tag = buildutils.Run(["git", "cat-file", "tag", "v" + version],
                         cwd=self.tree)
    self.assertIn("\n\nganeti-confd %s\n\n%s" % (version, left_out), tag)
    self.assertIn("-----BEGIN SSH SIGNATURE-----", tag)
    self.assertTrue(os.path.exists(os.path.join(
      self.dist, "ganeti-confd-%s.tar.gz" % version)))

  @unittest.skipIf(os.getuid() != 0, "it needs root")
  def testFailsWithACheck(self):
    """All checks run, whichever fail; and all that failed are named.

    """
    (exit_code, output, ran) = self._ReleaseInEarnest(pythons=1, fuzz=1)
    self.assertEqual(exit_code, 1, output)
    self.assertEqual(len(ran), 6, ran)
    self.assertIn("release: failed: check-pythons fuzz; there is no release,"
                  " and no tag\n", output)
    self.assertFalse(os.path.exists(self.dist))
    self.assertEqual(buildutils.Run(["git", "tag"], cwd=self.tree), "")

  @unittest.skipIf(os.getuid() != 0, "it needs root")
  def testSignal(self):
    """Nothing is left behind after a signal, though soak and fuzzing are over.

    """
    path = self.workdir.Path("path")
    (exit_code, output, _) = self._ReleaseInEarnest(
      trixie="realpath $0 >%s; sleep 1; kill -TERM $PPID\n" % path)
    self.assertEqual(exit_code, 1, output)
    self.assertNotIn("No such process", output)
    with open(path, encoding="utf-8") as fd:
      directory = os.path.dirname(os.path.dirname(os.path.dirname(
        fd.read().strip())))
    self.assertIn("/ganeti-confd-release.", directory)
    self.assertFalse(os.path.exists(directory))

  def testDryRun(self):
    # devel/build-deb has made these packages, too, for the tests of packages
    (debs, ) = {os.path.dirname(path) for path in packages.Build().values()}
    self._Stub("devel/build-deb",
               "test $1 = here; cp -R %s $2\n" % buildutils.Quote(debs))
    self._Commit()
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

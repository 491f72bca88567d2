#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Each program in doc/testing.rst, and each test there, runs as it stands.

"""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import unittest

import testutils


_PAGE = os.path.join(testutils.SRCDIR, "doc", "testing.rst")

_BLOCK_RE = re.compile(r"^\.\. code-block:: (\w+)\n\n((?:  .*\n|\n)+)",
                       re.MULTILINE)
_FILE_RE = re.compile(r"# (\w+\.py)\n")


class TestPage(unittest.TestCase):
  maxDiff = None

  def setUp(self):
    directory = tempfile.TemporaryDirectory()
    self.addCleanup(directory.cleanup)
    self.tmpdir = directory.name
    text = testutils.ReadFile(_PAGE).decode("ascii")
    self.blocks = [(kind, "".join(line[2:] or "\n" for line in
                                  block.strip("\n").splitlines(True)) + "\n")
                   for (kind, block) in _BLOCK_RE.findall(text)]
    self.files = {}
    for (_, block) in self.blocks:
      match = _FILE_RE.match(block)
      if match:
        self.files[match.group(1)] = block
        testutils.WriteFile(os.path.join(self.tmpdir, match.group(1)),
                            block.encode("ascii"))

  def _Run(self, args):
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(
      [self.tmpdir, testutils.MODULEDIR]))
    result = testutils.Run(
      [sys.executable, "-B", "-W", "error"] + args, env=env, cwd=self.tmpdir,
      check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT, encoding="utf-8",
      timeout=10 * testutils.PATIENCE)
    return (result.returncode, result.stdout)

  def testPrograms(self):
    count = 0
    for ((_, program), (kind, expected)) in zip(self.blocks, self.blocks[1:]):
      if kind == "text":
        count += 1
        with self.subTest(program=program):
          self.assertEqual(self._Run(["-c", program]), (0, expected))
    self.assertEqual(count, sum(kind == "text" for (kind, _) in self.blocks))
    self.assertGreater(count, 2)

  def testUnittest(self):
    (code, output) = self._Run(["-m", "unittest", "-v", "test_placement"])
    self.assertEqual(code, 0, output)
    self.assertIn("Ran 3 tests", output)

  @unittest.skipIf(importlib.util.find_spec("pytest") is None,
                   "pytest is not installed (Debian: python3-pytest)")
  def testPytest(self):
    (code, output) = self._Run(["-m", "pytest", "-p", "no:cacheprovider",
                                "test_with_pytest.py"])
    self.assertEqual(code, 0, output)
    self.assertIn("2 passed", output)

  def testFixture(self):
    """It has ten lines at most, as it is to be copied.

    """
    self.assertLessEqual(
      len([i for i in self.files["conftest.py"].splitlines() if i]), 10)


if __name__ == "__main__":
  unittest.main()

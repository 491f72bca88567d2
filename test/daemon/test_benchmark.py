#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The benchmark works; what it measures here is of no interest"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import testutils


_RUN = os.path.join(testutils.SRCDIR, "test", "benchmark", "run")


def _Run(*args, **env):
  """Runs the benchmark.

  @return: tuple of exit code and output

  """
  result = subprocess.run(
    [sys.executable, _RUN, "--builddir", testutils.BUILDDIR] + list(args),
    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False,
    env=dict(os.environ, **env))
  return (result.returncode, result.stdout.decode("utf-8"))


@unittest.skipUnless(shutil.which("cc"), "there is no C compiler")
class TestBenchmark(unittest.TestCase):
  def testQuick(self):
    with tempfile.TemporaryDirectory() as directory:
      path = os.path.join(directory, "results.json")
      (code, output) = _Run("--quick", "--json", path)
      self.assertEqual(code, 0, output)
      results = json.loads(testutils.ReadFile(path).decode("ascii"))
    for size in results["sizes"].values():
      for outcomes in size["throughput"].values():
        self.assertIn("ours", outcomes)
      self.assertGreater(size["reloads"]["ours"]["seconds"], 0)
      self.assertEqual(size["reloading"]["ours"]["reloading"]["lost"], 0)
      for outcome in size.get("parts", {}).values():
        self.assertEqual(outcome["items"], outcome["expected"])
    self.assertRegex(output, "(?m)^role of a node +ours +[1-9]")
    self.assertRegex(output, "(?m)^Measure +Goal +Measured")


class TestErrors(unittest.TestCase):
  def testNoCompiler(self):
    (code, output) = _Run("--quick", CC="no-such-compiler")
    self.assertEqual(code, 1, output)
    self.assertIn("apt-get install gcc", output)

  def testNoSuchSize(self):
    (code, output) = _Run("--size", "2/x")
    self.assertEqual(code, 2, output)
    self.assertIn("NODES/INSTANCES", output)

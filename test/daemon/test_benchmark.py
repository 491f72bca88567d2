#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The benchmark works; what it measures here is of no interest"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import testutils

from cluster import debian

# Where the benchmark's modules find each other
sys.path.append(os.path.join(testutils.SRCDIR, "test", "benchmark"))

# pylint: disable=C0413
import measures
import report
import servers


#: Seconds after which the benchmark is taken for hung
_TIMEOUT = 300

#: Sleeps in a thread of its own, 200 times a second
_SLEEPER = """
import threading, time
def _Sleep():
  while True:
    time.sleep(0.005)
threading.Thread(target=_Sleep).start()
"""

_RUN = os.path.join(testutils.SRCDIR, "test", "benchmark", "run")


def _Run(*args, **env):
  """Runs the benchmark.

  @return: tuple of exit code and output

  """
  result = testutils.Run(
    [sys.executable, _RUN, "--builddir", testutils.BUILDDIR] + list(args),
    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=_TIMEOUT,
    check=False, env=dict(os.environ, **env))
  return (result.returncode, result.stdout.decode("utf-8"))


@unittest.skipUnless(shutil.which("cc"), "there is no C compiler")
class TestBenchmark(unittest.TestCase):
  def testQuick(self):
    with tempfile.TemporaryDirectory() as directory:
      path = os.path.join(directory, "results.json")
      (code, output) = _Run("--quick", "--json", path)
      self.assertEqual(code, 0, output)
      results = json.loads(testutils.ReadFile(path).decode("ascii"))
    (least, *_) = results["sizes"].values()
    self.assertGreater(least["command"]["confd-client ping"]["seconds"], 0)
    (readers, ) = least["readers"].values()
    self.assertEqual(len(readers), 2)
    # On a busy machine, a server may answer nothing while it is measured
    self.assertGreater(sum(outcomes["ours"]["rate"] for outcomes in
                           least["throughput"].values()), 0)
    for size in results["sizes"].values():
      self.assertGreater(size["rest"]["ours"]["processes"], 2)
      self.assertGreater(size["rest"]["ours"]["peak"], 0)
      for outcomes in size["throughput"].values():
        self.assertIn("ours", outcomes)
      self.assertGreater(size["reloads"]["ours"]["seconds"], 0)
      # On a busy machine a reload may lose some, see test_generations
      self.assertIn("lost", size["reloading"]["ours"]["reloading"])
      self.assertGreater(size["following"]["told"], 0)
      self.assertGreater(size["following"]["polled"], 0)
      for outcome in size.get("parts", {}).values():
        self.assertEqual(outcome["items"], outcome["expected"])
    self.assertRegex(output, "(?m)^role of a node +ours +[0-9]")
    self.assertRegex(output, "(?m)^Measure +Goal +Measured")

  @unittest.skipUnless(servers.HasDebian(), "Debian's daemon is not installed")
  @unittest.skipUnless(os.path.exists(debian.CONFD_CLIENT),
                       "Ganeti's confd-client is not installed")
  def testAgainstDebian(self):
    (code, output) = _Run("--quick", "--debian-limit=10", "--size=3/10",
                          "--only=rest", "--only=reloads", "--only=reloading",
                          "--only=command")
    self.assertEqual(code, 0, output)
    for line in ["At rest", "Reloads", "Reloading without pause"]:
      self.assertRegex(output, r"(?m)^%s .*\n=.*\nours .*\nDebian's .*\n"
                       r"ratio +[0-9]" % line)
    # The goals that were set for the smallest cluster
    goals = re.findall(r"(?m)^(.*?) +<= .* (met|MISSED)$", output)
    self.assertEqual(len(goals), 8, output)


class TestThreads(unittest.TestCase):
  def testRun(self):
    result = testutils.Run(
      [sys.executable, os.path.join(os.path.dirname(_RUN), "threads"),
       "--builddir", testutils.BUILDDIR, "--rounds=1", "--questions=10"],
      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=_TIMEOUT,
      check=False, encoding="utf-8")
    self.assertEqual(result.returncode, 0, result.stdout)
    self.assertRegex(result.stdout, "(?m)^directly: [0-9.]+ times")
    self.assertRegex(result.stdout, "(?m)^with delays .*: [0-9.]+ times")


class _Process(servers._Measured):
  """Any process, to be looked at as a daemon.

  """
  def __init__(self, proc):
    self.proc = proc


class TestLooking(unittest.TestCase):
  """Measurements of processes are right"""

  def testActivity(self):
    with subprocess.Popen([sys.executable, "-c", _SLEEPER]) as proc:
      try:
        process = _Process(proc)
        # The program has started when its second thread is there
        path = "/proc/%d/task" % proc.pid
        testutils.WaitFor(lambda: len(os.listdir(path)) == 2, "a thread")
        (sleeps, cpu) = process.Activity()
        testutils.WaitFor(lambda: process.Activity()[0] >= sleeps + 50,
                          "its sleeps are counted")
        self.assertGreater(process.Activity()[1], cpu)
      finally:
        proc.kill()

  def testPeak(self):
    class _Server:
      memory = 2
      looks = 0

      def Memory(self):
        self.looks += 1
        return self.memory

    server = _Server()

    def _Take(memory):
      server.memory = memory
      looks = server.looks
      testutils.WaitFor(lambda: server.looks >= looks + 2, "it is looked at")

    def _Reload():
      _Take(7)
      _Take(3)

    self.assertEqual(measures._Peak(server, _Reload), 7)


class TestReport(unittest.TestCase):
  def testNoAnswers(self):
    """On a busy machine, a server may answer nothing while it is measured.

    The other goals were not measured.

    """
    rates = {name: {"rate": 0.0} for name in (report.OURS, report.ECHO)}
    rows = report._GoalRows({"3/10": {"throughput": {measures.ROLE: rates}}})
    against = [row for row in rows if "against an echo" in row[0]]
    self.assertEqual([row[2:] for row in against], [["1", "met"]])


class TestErrors(unittest.TestCase):
  def testNoCompiler(self):
    (code, output) = _Run("--quick", CC="no-such-compiler")
    self.assertEqual(code, 1, output)
    self.assertIn("apt-get install gcc", output)

  def testNoSuchSize(self):
    (code, output) = _Run("--size", "2/x")
    self.assertEqual(code, 2, output)
    self.assertIn("NODES/INSTANCES", output)

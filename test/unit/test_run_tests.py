#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for test/run-tests, on suites that are made for it.

"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import unittest
from unittest import mock

import processes
import schedule
import testutils
import timelimits


_RUN_TESTS = os.path.join(testutils.SRCDIR, "test", "run-tests")

#: Root has this right in a container without a network of its own
_WITHOUT_DEVICES = ["setpriv", "--bounding-set=-net_admin",
                    "--inh-caps=-net_admin"]

_HEAD = """
import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
import unittest

class Test(unittest.TestCase):
"""


class TestRunTests(unittest.TestCase):
  def setUp(self):
    workdir = tempfile.TemporaryDirectory()
    self.addCleanup(workdir.cleanup)
    self.srcdir = workdir.name
    self.suite = os.path.join(self.srcdir, "test", "suite")
    os.makedirs(self.suite)

  def _Write(self, name, text):
    """Writes a file of tests, the methods of one class.

    """
    testutils.WriteFile(
      os.path.join(self.suite, "test_%s.py" % name),
      (_HEAD + textwrap.indent(textwrap.dedent(text), "  ")).encode("ascii"))

  def _Run(self, *args, suite="test/suite", prefix=()):
    """Runs a suite.

    @param prefix: a command that runs the command after it
    @rtype: tuple of (int, string)
    @return: exit code and output

    """
    result = testutils.Run(
      [*prefix, sys.executable, _RUN_TESTS, "--builddir", self.srcdir,
       "--srcdir", self.srcdir, *args, os.path.join(self.srcdir, suite)],
      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT, timeout=30 * testutils.PATIENCE,
      encoding="utf-8")
    return (result.returncode, result.stdout)

  def testCounts(self):
    self._Write("good", """
      def testGood(self):
        pass
      @unittest.skip("no reason")
      def testSkipped(self):
        self.fail()
      @unittest.expectedFailure
      def testExpected(self):
        self.fail()
      """)
    self._Write("bad", """
      def testSub(self):
        for i in range(3):
          with self.subTest(i=i):
            self.assertNotEqual(i, 1)
      def testError(self):
        raise KeyError("x")
      """)
    (code, output) = self._Run()
    self.assertEqual(code, 1)
    self.assertEqual(output.splitlines()[-1], "2 passed, 2 failed, 1 skipped")
    self.assertIn("\n== Failed\ntest_bad.Test.testError\n"
                  "test_bad.Test.testSub\n", output)
    self.assertIn("test_good.Test.testSkipped: no reason", output)

  def testSkipsAreRefused(self):
    self._Write("skips", """
      @unittest.skip("no reason")
      def testSkipped(self):
        pass
      """)
    self.assertEqual(self._Run()[0], 0)
    self.assertEqual(self._Run("--no-skips")[0], 1)

  def testQuick(self):
    """Is without files that take long, which are known by their names.

    """
    self.suite = os.path.join(self.srcdir, "test", "daemon")
    os.mkdir(self.suite)
    for name in ["soak", "other"]:
      self._Write(name, """
        def test(self):
          pass
        """)
    for (args, count) in [([], 2), (["--quick"], 1)]:
      (code, output) = self._Run(*args, suite="test/daemon")
      self.assertEqual(code, 0, output)
      self.assertEqual(output.splitlines()[-1],
                       "%d passed, 0 failed, 0 skipped" % count)

  def testQuickHasTheRestOfASuite(self):
    """The unit tests take long together, and are what a quick run is for.

    """
    modules = {name for name in os.listdir(os.path.dirname(__file__))
               if name.startswith("test_") and name.endswith(".py")}
    jobs = schedule.Jobs(testutils.SRCDIR, ["test/unit"], quick=True)
    self.assertEqual(modules - {name + ".py" for job in jobs
                                for name in job.names},
                     {"test_completion_quoting.py", "test_run_tests.py"})
    names = [name for job in jobs for name in job.names]
    self.assertEqual(len(names), len(set(names)))
    # One process would take longer than all the rest of the run
    self.assertEqual(len(jobs), 3)

  def testNoTest(self):
    self._Write("empty", "pass")
    (code, output) = self._Run()
    self.assertEqual(code, 1)
    self.assertEqual(output.splitlines()[-1], "0 passed, 1 failed, 0 skipped")

  def testSideBySide(self):
    # Each waits for the other
    for (name, other) in [("one", "two"), ("two", "one")]:
      self._Write(name, """
        def testMeets(self):
          for i in range(20):
            print("%(name)s", i, flush=True)
          open(os.path.join(os.environ["CONFD_SRCDIR"], "%(name)s"), "w")
          while not os.path.exists(
              os.path.join(os.environ["CONFD_SRCDIR"], "%(other)s")):
            time.sleep(0.01)
        """ % {"name": name, "other": other})
    (code, output) = self._Run("--jobs=2")
    self.assertEqual(code, 0, output)
    # The outputs of both do not mix
    printed = re.findall("(?m)^(one|two) [0-9]+$", output)
    self.assertIn(printed, [["one"] * 20 + ["two"] * 20,
                            ["two"] * 20 + ["one"] * 20])

  def testTakesTooLong(self):
    """A test that hangs fails, says where, and the next test begins.

    """
    self._Write("hangs", """
      import testutils

      class Running:
        def Output(self):
          return "the cause"

      def testHangs(self):
        self.testutils.RUNNING.append(self.Running())
        self.addCleanup(self.testutils.RUNNING.clear)
        proc = subprocess.Popen(["sleep", "1236"])
        self.addCleanup(proc.wait)
        self.addCleanup(proc.kill)
        with contextlib.redirect_stderr(io.StringIO()):
          proc.wait()

      def testIsNotCaught(self):
        # None has no method Output, so the description fails, too
        self.testutils.RUNNING.append(None)
        self.addCleanup(self.testutils.RUNNING.clear)
        while True:
          try:
            time.sleep(1000)
          except Exception:
            pass

      def testWorks(self):
        pass
      """)
    (code, output) = self._Run("--timeout=3", "--job-timeout=300")
    self.assertEqual(code, 1, output)
    self.assertEqual(output.splitlines()[-1], "1 passed, 2 failed, 0 skipped")
    self.assertRegex(output, 'test_hangs.py", line [0-9]+ in testHangs')
    self.assertRegex(output, "(?m)^ *[0-9]+ S .*sleep 1236")
    self.assertIn("\nRunning has printed:\nthe cause\n", output)
    self.assertRegex(output, r"_TookTooLong: The test took [0-9]+ seconds")

  def testHangsForGood(self):
    """A job whose test handles no signal is killed.

    """
    self._Write("hangs", """
      def testFails(self):
        self.fail("known before the end")

      def testHangs(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
        time.sleep(1000)
      """)
    self._Write("works", """
      def testWorks(self):
        pass
      """)
    # Time enough for the jobs to start, and for the first test to fail
    (code, output) = self._Run("--timeout=3", "--job-timeout=15")
    self.assertEqual(code, 1, output)
    self.assertIn("test/suite test_hangs: was killed as it took too long, in"
                  " test_hangs.Test.testHangs\n", output)
    self.assertRegex(output, 'test_hangs.py", line [0-9]+ in testHangs')
    self.assertIn("== What runs\n", output)
    self.assertIn("AssertionError: known before the end\n", output)
    self.assertEqual(output.splitlines()[-1], "1 passed, 2 failed, 0 skipped")

  def testDies(self):
    self._Write("dies", """
      def testDies(self):
        os.kill(os.getpid(), signal.SIGKILL)
      """)
    (code, output) = self._Run()
    self.assertEqual(code, 1)
    self.assertIn("test/suite test_dies: broke off with exit code -9, in"
                  " test_dies.Test.testDies\n", output)

  def testNetwork(self):
    """Tests cannot send anything to another machine.

    """
    if testutils.Run([sys.executable, "-c",
                      "import loopback; exit(not loopback.Enter())"],
                     env=dict(os.environ, PYTHONPATH=os.path.dirname(
                       testutils.__file__))).returncode:
      self.skipTest("namespaces are not permitted")
    self._Write("network", """
      def test(self):
        import socket
        ids = (os.getuid(), os.getgid())
        self.assertEqual(ids, %r)
        self.assertEqual([name for (_, name) in socket.if_nameindex()], ["lo"])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
          with self.assertRaisesRegex(OSError, "unreachable"):
            sock.sendto(b"x", ("192.0.2.1", 1814))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
          sock.bind(("127.0.0.1", 0))
          sock.sendto(b"x", sock.getsockname())
          self.assertEqual(sock.recv(1), b"x")
      """ % ((os.getuid(), os.getgid()), ))
    (code, output) = self._Run()
    self.assertEqual(code, 0, output)

  def testNetworkIsNotPermitted(self):
    """Tests stay in the machine's network if their own cannot be set up.

    """
    if testutils.Run(_WITHOUT_DEVICES + ["true"],
                     stderr=subprocess.DEVNULL).returncode:
      self.skipTest("this user has no capabilities to give up")
    self._Write("network", """
      def test(self):
        self.assertEqual(os.readlink("/proc/self/ns/net"), %r)
      """ % os.readlink("/proc/self/ns/net"))
    (code, output) = self._Run(prefix=_WITHOUT_DEVICES)
    self.assertEqual(code, 0, output)
    self.assertEqual(output.count("Namespaces are not permitted"), 1, output)
    self.assertNotIn("Traceback", output)

  def testThreadFails(self):
    """A test whose thread ends by an exception fails, and says why at once.

    """
    self._Write("threads", """
      def _Start(self, function):
        thread = threading.Thread(target=function)
        thread.start()
        thread.join()

      def testFails(self):
        self._Start(lambda: [][0])

      def testWaits(self):
        import testutils
        self.addCleanup(testutils.WaitFor, lambda: True, "the clean-up")
        self._Start(lambda: {}["missing"])
        testutils.WaitFor(lambda: False, "what never happens", timeout=1e6)

      def testWorks(self):
        self._Start(sys.exit)

      @classmethod
      def tearDownClass(cls):
        cls._Start(cls, lambda: 1 / 0)
      """)
    (code, output) = self._Run()
    self.assertEqual(code, 1, output)
    self.assertEqual(output.splitlines()[-1], "1 passed, 3 failed, 0 skipped")
    self.assertIn("\n== Failed\n"
                  "test_threads.Test.testFails\n"
                  "test_threads.Test.testWaits\n"
                  "a thread, after the last test\n", output)
    self.assertIn("IndexError: list index out of range\n", output)
    self.assertRegex(output, "(?s)AssertionError: A thread of the test has"
                     " ended by an exception:\n.*KeyError: 'missing'\n")
    self.assertIn("ZeroDivisionError: division by zero\n", output)

  def testLeavesProcess(self):
    # The process has a session of its own, as a daemon has. Popen returns when
    # the process has its new name.
    self._Write("leaves", """
      def testLeaves(self):
        subprocess.Popen(["sleep", "1234"], start_new_session=True)
      """)
    # Meanwhile it is nobody else's
    self._Write("other", """
      def testOther(self):
        time.sleep(1)
      """)
    (code, output) = self._Run("--jobs=2")
    self.assertEqual(code, 0, output)
    self.assertEqual(re.findall("(?m)^.* left a process.*$", output), [
      "test/suite test_leaves left a process behind: sleep 1234"])

  def testIsEnded(self):
    self._Write("waits", """
      def testWaits(self):
        subprocess.Popen(["sleep", "1235"])
        open(os.path.join(os.environ["CONFD_SRCDIR"], "pids"), "w").write(
          "%d" % os.getpid())
        time.sleep(1000)
      """)
    with subprocess.Popen(
        [sys.executable, _RUN_TESTS, "--builddir", self.srcdir,
         "--srcdir", self.srcdir, "test/suite"], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as proc:
      self.addCleanup(proc.kill)
      path = os.path.join(self.srcdir, "pids")
      pid = int(testutils.WaitFor(
        lambda: os.path.exists(path) and testutils.ReadFile(path),
        "the test runs"))
      pids = testutils.ProcessTree(proc.pid)
      self.assertIn(pid, pids)
      self.assertGreaterEqual(len(pids), 4)
      proc.terminate()
      self.assertEqual(testutils.WaitForExit(proc, "the run"), 1)
    processes.WaitForEnd(pids)


class TestWaitFor(unittest.TestCase):
  def testWhy(self):
    """The error has the end of what runs meanwhile has printed by then.

    """
    printed = ["x" * 10000]
    running = mock.Mock(Output=lambda: "\n".join(printed))
    testutils.RUNNING.append(running)
    self.addCleanup(testutils.RUNNING.remove, running)
    with self.assertRaises(AssertionError) as context:
      testutils.WaitFor(lambda: printed.append("the cause"), "an event",
                        timeout=0)
    self.assertRegex(str(context.exception),
                     r"(?s)\AWaited 0\.\d seconds in vain: an event\n"
                     r"Mock has printed:\nx{1,3000}\n.*the cause\Z")


class TestRun(unittest.TestCase):
  """Programs that take too long say what they do.

  """
  def testOutput(self):
    result = testutils.Run(["cat"], input="text\n", stdout=subprocess.PIPE,
                           encoding="utf-8")
    self.assertEqual((result.returncode, result.stdout, result.stderr),
                     (0, "text\n", None))

  def testFails(self):
    with self.assertRaises(AssertionError) as context:
      testutils.Run(["sh", "-c", "echo the cause; exit 3"], check=True,
                    stdout=subprocess.PIPE)
    self.assertIn("Exit code 3", str(context.exception))
    self.assertIn("the cause", str(context.exception))

  def testHangs(self):
    """The hanging program is a child, and has printed something before.

    """
    text = self._Hang("""\
      import pathlib, sys, time
      print("begun", flush=True)
      pathlib.Path(sys.argv[1]).touch()
      time.sleep(1237)
      """)
    self.assertIn("Took more than", text)
    self.assertIn("begun\n", text)
    self.assertRegex(text, r'line 4 in <module>')

  def testStacksTakeLong(self):
    """The hanging program is killed when it has printed its stacks.

    Python first restores the signal's default action.

    """
    text = self._Hang("""\
      import os, pathlib, signal, sys, time
      def _Print(*_):
        signal.signal(signal.SIGABRT, signal.SIG_DFL)
        time.sleep(1)
        print("the stacks", flush=True)
        os.abort()
      signal.signal(signal.SIGABRT, _Print)
      pathlib.Path(sys.argv[1]).touch()
      time.sleep(1240)
      """)
    self.assertIn("the stacks\n", text)

  def _Hang(self, script):
    """Runs a Python program until it hangs.

    @param script: touches the file of its argument before it hangs
    @return: the text of the error

    """
    with tempfile.TemporaryDirectory() as directory:
      (path, begun) = [os.path.join(directory, name)
                       for name in ["script.py", "begun"]]
      testutils.WriteFile(path, textwrap.dedent(script).encode("ascii"))
      with subprocess.Popen(
          ["sh", "-c", "%s %s %s; true" % (sys.executable, path, begun)],
          env=testutils.WithStacks(), stdout=subprocess.PIPE,
          stderr=subprocess.STDOUT, encoding="utf-8") as proc:
        try:
          testutils.WaitFor(lambda: os.path.exists(begun), "the script hangs")
          with self.assertRaises(AssertionError) as context:
            testutils.Communicate(proc, 0.1)
        finally:
          proc.kill()
    return str(context.exception)

  def testInputIsReadLate(self):
    """The program reads a long input after the first limit.

    """
    with mock.patch.object(timelimits, "Stretched",
                           lambda _: testutils.PATIENCE):
      result = testutils.Run(["sh", "-c", "sleep 0.5; wc -c"],
                             input=b"x" * 200000, stdout=subprocess.PIPE,
                             timeout=0.1)
    self.assertEqual(result.stdout.split(), [b"200000"])

  def testIsInterrupted(self):
    """No process is left behind by another exception, such as run-tests' own.

    """
    pids = []
    def _Interrupt(proc, _):
      testutils.WaitFor(
        lambda: len(testutils.ProcessTree(proc.pid)) == 2, "sleep runs")
      pids.extend(testutils.ProcessTree(proc.pid))
      raise KeyboardInterrupt
    with mock.patch.object(timelimits, "Communicate", _Interrupt), \
         self.assertRaises(KeyboardInterrupt):
      testutils.Run(["sh", "-c", "sleep 1241; true"])
    processes.WaitForEnd(pids)

  def testPipeIsKept(self):
    """A process that is no descendant any more keeps the pipe open.

    """
    with mock.patch.object(timelimits, "PATIENCE", 0.5), \
         self.assertRaises(AssertionError) as context:
      testutils.Run(["sh", "-c", "sleep 1239 & echo pid: $!"],
                    stdout=subprocess.PIPE, timeout=2)
    (pid, ) = re.findall("pid: ([0-9]+)", str(context.exception))
    os.kill(int(pid), signal.SIGKILL)

  def testWaitForExit(self):
    script = "import sys, time; print('begun', flush=True); time.sleep(1238)"
    with subprocess.Popen([sys.executable, "-c", script],
                          env=testutils.WithStacks(), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, encoding="utf-8") as proc:
      self.assertEqual(proc.stdout.readline(), "begun\n")
      with mock.patch.object(timelimits.WaitFor, "__defaults__", (1, )), \
           self.assertRaisesRegex(AssertionError,
                                  r"(?s)the program ends.*sleep\(1238\)"):
        testutils.WaitForExit(proc, "the program")
      self.assertIn('line 1 in <module>', proc.stdout.read())
    self.assertEqual(proc.returncode, -signal.SIGABRT)


class TestFreePort(unittest.TestCase):
  def testNobodyElseGetsIt(self):
    # Each process takes all it is given from a block of its own
    script = ("import testutils; print([testutils.FreePort()"
              " for _ in range(100)], flush=True); input()")
    procs = []
    for _ in range(3):
      proc = subprocess.Popen([sys.executable, "-c", script],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              encoding="ascii")
      self.addCleanup(proc.stdout.close)
      self.addCleanup(proc.communicate, "\n")
      procs.append(proc)
    ports = [int(port) for proc in procs
             for port in re.findall("[0-9]+", proc.stdout.readline())]
    self.assertEqual((len(ports), len(set(ports))), (300, 300))


if __name__ == "__main__":
  unittest.main()

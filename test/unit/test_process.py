#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for ganeti.confd.daemon.process: real processes, pipes and signals"""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
import unittest
from unittest import mock

import processes
import testutils

from ganeti.confd.daemon import process


def _Run(script, before=()):
  """Runs a program of its own, as signals and children are a process's own.

  @param before: a command that runs it
  @return: what it prints

  """
  return testutils.Run(
    [*before, sys.executable, "-c", textwrap.dedent(script)], check=True,
    stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, encoding="ascii",
    timeout=3 * testutils.PATIENCE).stdout


class TestWait(unittest.TestCase):
  def setUp(self):
    self.pipes = [os.pipe() for _ in range(2)]
    for pipe in self.pipes:
      for fd in pipe:
        self.addCleanup(self._Close, fd)

  @staticmethod
  def _Close(fd):
    with contextlib.suppress(OSError):
      os.close(fd)

  def testReadable(self):
    ((first, _), (second, writer)) = self.pipes
    self.assertEqual(process.Wait([first, second], 0), [])
    os.write(writer, b"x")
    self.assertEqual(process.Wait([first, second], None), [second])

  def testEnd(self):
    ((first, _), (second, writer)) = self.pipes
    os.close(writer)
    self.assertEqual(process.Wait([first, second], None), [second])

  def testObjects(self):
    class _Source:
      """Something with a descriptor."""
      def __init__(self, fd):
        self._fd = fd

      def fileno(self):
        return self._fd

    sources = [_Source(reader) for (reader, _) in self.pipes]
    os.write(self.pipes[1][1], b"x")
    self.assertEqual(process.Wait(sources, 0), [sources[1]])

  def testTimeout(self):
    # A deadline has passed when the wait returns
    started = time.monotonic()
    self.assertEqual(process.Wait([self.pipes[0][0]], 0.0301), [])
    self.assertGreaterEqual(time.monotonic() - started, 0.0301)
    self.assertEqual(process.Wait([], -1), [])

  def testLargeDescriptor(self):
    (_, hard) = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2000:
      self.skipTest("not so many open files are permitted")
    print(_Run("""
      import fcntl, os, resource
      from ganeti.confd.daemon import process
      (soft, hard) = resource.getrlimit(resource.RLIMIT_NOFILE)
      resource.setrlimit(resource.RLIMIT_NOFILE, (2000, hard))
      (reader, writer) = os.pipe()
      large = fcntl.fcntl(reader, fcntl.F_DUPFD, 1500)
      os.write(writer, b"x")
      assert process.Wait([large], 0) == [large]
      """))


class TestFork(unittest.TestCase):
  def testEnds(self):
    self.assertEqual(_Run("""
      import os, signal
      from ganeti.confd.daemon import process

      def _Raise():
        raise ValueError

      for function in (lambda: None, lambda: os._exit(7), _Raise,
                       lambda: os.kill(os.getpid(), signal.SIGKILL)):
        pid = process.Fork(function, [])
        (found, status) = os.waitpid(pid, 0)
        assert found == pid
        print(process.DescribeEnd(os.waitstatus_to_exitcode(status)))
      """).splitlines(),
                     ["exit code 0", "exit code 7", "exit code 70",
                      "killed by signal 9"])

  def testDescriptors(self):
    self.assertEqual(_Run("""
      import os
      from ganeti.confd.daemon import process

      (reader, writer) = os.pipe()
      (ours, theirs) = os.pipe()

      def _Main():
        for fd in (reader, writer, ours, theirs):
          try:
            os.fstat(fd)
            os.write(theirs, b"open ")
          except OSError:
            os.write(theirs, b"closed ")

      os.waitpid(process.Fork(_Main, [writer, ours]), 0)
      print(os.read(ours, 100).decode())
      """).split(), ["open", "closed", "closed", "open"])

  def testSignals(self):
    # The parent's handlers are not the child's
    self.assertEqual(_Run("""
      import os, signal
      from ganeti.confd.daemon import process

      queue = process.SignalQueue([signal.SIGTERM, signal.SIGHUP,
                                   signal.SIGCHLD])

      def _Main():
        for name in ("SIGTERM", "SIGCHLD", "SIGHUP", "SIGINT", "SIGUSR1"):
          print(name, signal.getsignal(getattr(signal, name)).name, flush=True)
        assert not signal.pthread_sigmask(signal.SIG_BLOCK, [])

      pid = process.Fork(_Main, [])
      os.waitpid(pid, 0)
      assert process.Wait([queue], 5) == [queue]
      assert queue.Read() == {signal.SIGCHLD}
      assert queue.Read() == set()
      """).splitlines(),
                     ["SIGTERM SIG_DFL", "SIGCHLD SIG_DFL", "SIGHUP SIG_IGN",
                      "SIGINT SIG_IGN", "SIGUSR1 SIG_IGN"])

  def testGroup(self):
    # One is stopped, and the first has ended already
    _Run("""
      import os, signal, time
      from ganeti.confd.daemon import process

      (reader, writer) = os.pipe()

      def _Grandchild():
        os.kill(os.getpid(), signal.SIGSTOP)

      def _Main():
        process.Fork(_Grandchild, [])
        process.Fork(signal.pause, [])
        os.kill(os.getpid(), signal.SIGKILL)

      pid = process.Fork(_Main, [reader], new_group=True)
      os.close(writer)
      assert os.getpgid(pid) == pid != os.getpgid(0)
      os.waitpid(pid, 0)
      assert not process.Wait([reader], 0.2)
      process.KillGroup(pid)
      # The last of them has closed it
      assert process.Wait([reader], 10) == [reader]
      assert os.read(reader, 1) == b""
      process.KillGroup(pid)
      """)

  def testReap(self):
    _Run("""
      import os, time
      from ganeti.confd.daemon import process

      assert process.Reap() == []
      pids = {process.Fork(lambda: None, []) for _ in range(3)}
      ended = []
      while len(ended) < 3:
        ended.extend(process.Reap())
        time.sleep(0.01)
      assert ended and {pid for (pid, _) in ended} == pids, ended
      assert {code for (_, code) in ended} == {0}
      """)


class TestDieWithWriter(unittest.TestCase):
  def testAmidAComputation(self):
    _Run("""
      import os, signal
      from ganeti.confd.daemon import process

      for close_first in (False, True):
        (reader, writer) = os.pipe()

        def _Main():
          os.close(writer)
          if close_first:
            process.Wait([reader], None)
          process.DieWithWriter(reader)
          print("waits", flush=True)
          while True:
            pass

        pid = process.Fork(_Main, [])
        os.close(reader)
        if not close_first:
          assert os.waitpid(pid, os.WNOHANG) == (0, 0)
        os.close(writer)
        (_, status) = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) in (-signal.SIGIO,
                                                     -signal.SIGKILL)
      """)

  def testOutlive(self):
    self.assertEqual(_Run("""
      import os
      from ganeti.confd.daemon import process

      (reader, writer) = os.pipe()

      def _Main():
        os.close(writer)
        process.DieWithWriter(reader)
        process.OutliveWriter(reader)
        os.write(done, b"x")
        process.Wait([reader], None)
        print("lives", flush=True)

      (wait, done) = os.pipe()
      pid = process.Fork(_Main, [])
      os.read(wait, 1)
      os.close(writer)
      (_, status) = os.waitpid(pid, 0)
      assert status == 0
      """), "lives\n")


class TestOomScore(unittest.TestCase):
  def testThereAndBack(self):
    # Without root's capabilities, too; as another user, it might not be able to
    # read a Python of root's own
    script = """
      import os
      from ganeti.confd.daemon import process

      before = process.ReadOomScore()
      process.SetOomScore(process.OOM_FIRST)
      print(process.ReadOomScore())
      process.SetOomScore(before)
      assert process.ReadOomScore() == before
      process.SetOomScore(None)
      """
    self.assertEqual(_Run(script), "1000\n")
    if os.geteuid() == 0:
      self.assertEqual(
        _Run(script, ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]),
        "1000\n")


class TestEnd(unittest.TestCase):
  def testStopped(self):
    with subprocess.Popen(["sleep", "1000"]) as proc:
      proc.send_signal(signal.SIGSTOP)
      testutils.WaitFor(lambda: processes.Status(proc.pid, "State")[0] == "T",
                        "it is stopped")
      with mock.patch.object(process, "_END_TIMEOUT", testutils.PATIENCE):
        process.End(proc.pid)
      self.assertFalse(processes.IsAlive(proc.pid))
      proc.returncode = -signal.SIGKILL

  def testLimited(self):
    """A child that does not end is left behind.

    """
    with subprocess.Popen(["sleep", "1000"]) as proc:
      with mock.patch.object(process, "_END_TIMEOUT", 0.01):
        process.AwaitEnd(proc.pid)
      self.assertTrue(processes.IsAlive(proc.pid))
      proc.kill()

  def testWaitedFor(self):
    with subprocess.Popen(["true"]) as proc:
      proc.wait()
      process.AwaitEnd(proc.pid)


if __name__ == "__main__":
  unittest.main()

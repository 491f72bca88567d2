#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for ganeti.confd.exporter.forked"""

import asyncio
import os
import signal
import unittest
from unittest import mock

import processes
import testutils

from ganeti.confd.exporter import forked


def _Spin():
  while True:
    pass


def _Raise(err):
  raise err


class TestRun(unittest.TestCase):
  def setUp(self):
    self.files = os.listdir("/proc/self/fd")
    self.children = processes.Children(os.getpid())

  def _CheckNothingLeft(self):
    self.assertEqual(processes.Children(os.getpid()), self.children)
    self.assertLessEqual(len(os.listdir("/proc/self/fd")), len(self.files))

  def _Run(self, function, **limits):
    try:
      return asyncio.run(forked.Run(function, forked.Limits(**limits)))
    finally:
      self._CheckNothingLeft()

  def testResults(self):
    # Small ones, those with a mapping, and more than a pipe holds
    for size in (0, 1, (1 << 17) - 1, 1 << 17, 5000001):
      with self.subTest(size):
        data = os.urandom(size)
        self.assertEqual(self._Run(lambda data=data: data), data)

  def testBadRequest(self):
    for text in ("wrong", "", "w" * 1000000, "\u20ac"):
      with self.assertRaises(forked.BadRequest) as caught:
        self._Run(lambda text=text: _Raise(forked.BadRequest(text)))
      self.assertEqual(str(caught.exception), text)

  def testFailures(self):
    for (function, limits, text) in [
        (_Spin, {"cpu_time": 0.1}, "It takes too long"),
        # A process that waits for a disk uses no processor time
        (signal.pause, {"wall_time": 0.1},
         r"It has not ended after 0\.1 s \(check whether a disk"),
        (lambda: bytes(1 << 30), {"memory": 1 << 26}, "too much memory"),
        (lambda: bytes(1001), {"size": 1000}, "It is too large"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), {},
         "ended by signal 9"),
        (lambda: os._exit(7), {},  # pylint: disable=W0212
         "ended by itself, with exit code 7")]:
      with self.subTest(text), self.assertRaisesRegex(forked.Failed, text):
        self._Run(function, **limits)

  def testFault(self):
    """A programming error is logged, with its traceback.

    """
    with self.assertLogs(level="ERROR") as logs, \
         self.assertRaises(forked.Failed):
      self._Run(lambda: _Raise(ZeroDivisionError("a\udcffb")))
    (record, ) = logs.records
    self.assertIn("ZeroDivisionError", record.exc_text)

  def testCancelled(self):
    """The process ends with the task that waits for it.

    """
    async def _Main():
      task = asyncio.ensure_future(forked.Run(_Spin))
      await asyncio.sleep(0.05)
      task.cancel()
      with self.assertRaises(asyncio.CancelledError):
        await task
    asyncio.run(_Main())
    self._CheckNothingLeft()


class TestStart(unittest.TestCase):
  def test(self):
    """A process that stays has its end of the socket, and no other descriptor.

    """
    def _Main(sock):
      sock.sendall(b" ".join(
        os.readlink("/proc/self/fd/" + name).encode()
        for name in os.listdir("/proc/self/fd")
        if int(name) > 2 and os.path.exists("/proc/self/fd/" + name)))
      sock.shutdown(1)
      # Until the other end is closed
      sock.recv(1)
      os._exit(7)  # pylint: disable=W0212

    with open("/dev/null", "rb"):
      (pid, sock) = forked.Start(_Main)
    with sock:
      with sock.makefile("rb") as stream:
        data = stream.read()
      self.assertRegex(data, rb"\Asocket:\[[0-9]+\]\Z")
    self.assertEqual(os.WEXITSTATUS(os.waitpid(pid, 0)[1]), 7)

  def testEnd(self):
    (pid, sock) = forked.Start(lambda _: _Spin())
    with sock:
      self.assertEqual(forked.End(pid), "signal 9")


class TestEnd(unittest.TestCase):
  def testHanging(self):
    """A process that cannot be killed does not block the server.

    """
    pid = os.fork()
    if pid == 0:
      _Spin()
    self.assertFalse(forked.IsHanging())
    # Only a disk that does not answer keeps a process alive after SIGKILL
    with mock.patch.object(forked, "_WaitForEnd", return_value=False), \
         mock.patch.object(os, "waitpid", return_value=(0, 0)):
      self.assertIn("waits for the system", forked.End(pid))
      # Perhaps the machine is busy
      with mock.patch.object(forked, "_HANGING_TIME", 1e9):
        self.assertFalse(forked.IsHanging())
      with mock.patch.object(forked, "_HANGING_TIME", 0):
        self.assertTrue(forked.IsHanging())
    with mock.patch.object(forked, "_HANGING_TIME", 0):
      testutils.WaitFor(lambda: not forked.IsHanging(), "the process is gone")
    with self.assertRaises(ChildProcessError):
      os.waitpid(pid, 0)


if __name__ == "__main__":
  unittest.main()

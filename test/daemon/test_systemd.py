#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of what systemd is told, and of the unit.

"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

import processes
import testutils


UNIT = os.path.join(testutils.BUILDDIR, "doc/examples/ganeti-confd.service")

#: systemd's measure of what a service may do, times ten: 0 nothing, 100 all
EXPOSURE_LIMIT = 20


class NotifyTest(unittest.TestCase):
  """A socket in systemd's place.

  """
  def setUp(self):
    self.directory = tempfile.mkdtemp(prefix="ganeti-confd-test.")
    self.addCleanup(shutil.rmtree, self.directory)
    path = os.path.join(self.directory, "notify")
    self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    self.addCleanup(self.sock.close)
    self.sock.bind(path)
    self.sock.settimeout(testutils.PATIENCE)
    self.env = {"NOTIFY_SOCKET": path}

  def _Daemon(self, config, watchdog=0):
    if watchdog:
      self.env["WATCHDOG_USEC"] = str(int(watchdog * 1000000))
    return testutils.Daemon(config, env=self.env)

  def _Await(self, text):
    while True:
      received = self.sock.recv(4096).decode("ascii")
      if received == text:
        return

  def testReadyWhenItServes(self):
    with self._Daemon(testutils.MakeConfig()) as daemon:
      self._Await("READY=1")
      daemon.Ask(0)
      daemon.proc.send_signal(signal.SIGTERM)
      self._Await("STOPPING=1")
      self.assertEqual(testutils.WaitForExit(daemon.proc, "the daemon"), 0)
      daemon.Kill()
      daemon.proc = None

  def testReadyWithoutConfiguration(self):
    with self._Daemon(None):
      self._Await("READY=1")

  def testWatchdogIsFedByAnswers(self):
    with self._Daemon(testutils.MakeConfig(), watchdog=1) as daemon:
      self._Await("READY=1")
      before = daemon.Answer(65)[1]["queries"]["ping"]
      for _ in range(3):
        self._Await("WATCHDOG=1")
      self.assertGreater(daemon.Answer(65)[1]["queries"]["ping"], before)

  def testWatchdogIsNotFedWithoutAnswers(self):
    with self._Daemon(testutils.MakeConfig(), watchdog=1) as daemon:
      self._Await("WATCHDOG=1")
      found = processes.Find(daemon)
      with processes.Paused(found.loader, *found.workers):
        self.sock.setblocking(False)
        # A question takes longer to fail than the watchdog's interval
        self._AwaitFailures(daemon, 1)
        self._Drain()
        self._AwaitFailures(daemon, 3)
        self.assertEqual(self._Drain(), [])

  def testWatchdogIsFedWithoutConfiguration(self):
    with self._Daemon(None, watchdog=1):
      for _ in range(3):
        self._Await("WATCHDOG=1")

  @staticmethod
  def _AwaitFailures(daemon, number):
    testutils.WaitFor(
      lambda: daemon.Log().count("Asking myself for the watchdog") >= number,
      "questions of the watchdog without an answer")

  def _Drain(self):
    received = []
    while True:
      try:
        received.append(self.sock.recv(4096))
      except BlockingIOError:
        return received


@unittest.skipUnless(shutil.which("systemd-analyze"),
                     "no systemd-analyze (Debian package systemd)")
class UnitTest(unittest.TestCase):
  def setUp(self):
    self.directory = tempfile.mkdtemp(prefix="ganeti-confd-test.")
    self.addCleanup(shutil.rmtree, self.directory)
    self.unit = os.path.join(self.directory, "ganeti-confd.service")
    shutil.copy(UNIT, self.unit)

  def _Analyze(self, *args):
    return testutils.Run(["systemd-analyze"] + list(args) + [self.unit],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         encoding="utf-8", check=False,
                         timeout=10 * testutils.PATIENCE)

  def testVerify(self):
    # The units of Ganeti that it names, and a program that is there
    for (name, text) in [
      ("ganeti-node.target", "[Unit]\nDescription=Ganeti\n"),
      ("ganeti-common.service",
       "[Service]\nType=oneshot\nExecStart=/bin/true\n"),
      ]:
      testutils.WriteFile(os.path.join(self.directory, name),
                          text.encode("ascii"))
    text = testutils.ReadFile(self.unit).decode("utf-8")
    program = os.path.join(testutils.BUILDDIR, "daemons", "ganeti-confd")
    (before, line) = text.split("ExecStart=", 1)
    testutils.WriteFile(self.unit, ("%sExecStart=%s %s" % (
      before, program, line.split(" ", 1)[1])).encode("utf-8"))
    result = self._Analyze("verify", "--man=no")
    complaints = [line for line in result.stdout.splitlines()
                  if "ganeti" in line]
    self.assertEqual((result.returncode, complaints), (0, []))

  def testSecurity(self):
    result = self._Analyze("security", "--offline=yes",
                           "--threshold=%d" % EXPOSURE_LIMIT)
    self.assertEqual(result.returncode, 0, result.stdout[-2000:])

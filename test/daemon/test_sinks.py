#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of logs that nobody reads: the daemon goes on, and counts what is lost.

"""

import fcntl
import os
import select
import signal
import socket
import stat
import unittest

import adversity
import testutils
from testutils import PING, STATS, NOBODY


def _Config(serial):
  return testutils.MakeConfig(serial_no=serial)


class _Daemon(adversity.DaemonWithStderr):
  """One that may run as another user.

  """
  as_nobody = False

  def CommandLine(self, args):
    if os.geteuid() == 0 and self.as_nobody:
      return (["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY,
               "--clear-groups"] + testutils.Daemon.CommandLine(self, args))
    return testutils.Daemon.CommandLine(self, args)


class StderrTest(unittest.TestCase):
  def _CheckGoesOn(self, daemon):
    """Checks a daemon that cannot log.

    """
    for serial in (2, 3):
      daemon.WriteConfig(_Config(serial))
      if daemon.as_nobody:
        os.chmod(daemon.config_file, 0o644)
      daemon.WaitForSerial(serial)
    self.assertGreater(daemon.Answer(STATS)[1]["log"]["lost"], 2)

  def _CheckPipe(self, as_nobody):
    (read_fd, write_fd) = os.pipe()
    self.addCleanup(os.close, read_fd)
    self.addCleanup(os.close, write_fd)
    adversity.FillUp(write_fd)
    daemon = _Daemon(_Config(1))
    self.addCleanup(daemon.Kill)
    daemon.as_nobody = as_nobody
    daemon.stderr = write_fd
    if as_nobody and os.geteuid() == 0:
      for (path, _, names) in os.walk(daemon.root):
        for name in [path] + [os.path.join(path, name) for name in names]:
          os.chown(name, NOBODY, NOBODY)
    daemon.Start()
    self._CheckGoesOn(daemon)
    # Another's mode is left alone
    self.assertFalse(fcntl.fcntl(write_fd, fcntl.F_GETFL) & os.O_NONBLOCK)
    # Somebody reads again, and is told
    os.set_blocking(read_fd, False)
    text = b""

    def _IsTold():
      nonlocal text
      try:
        text += os.read(read_fd, 1 << 16)
      except BlockingIOError:
        daemon.proc.send_signal(signal.SIGHUP)
      return b" messages were lost" in text

    testutils.WaitFor(_IsTold, "it is said how many were lost")
    daemon.Stop()

  def testPipe(self):
    self._CheckPipe(False)

  @unittest.skipUnless(os.geteuid() == 0, "must be root to be another user")
  def testPipeOfAnotherUser(self):
    # The log cannot be opened anew
    self._CheckPipe(True)

  def testSocket(self):
    # As systemd gives it
    (near, far) = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with near, far:
      adversity.FillUp(far.fileno())
      daemon = _Daemon(_Config(1))
      self.addCleanup(daemon.Kill)
      daemon.stderr = far.fileno()
      daemon.Start()
      self._CheckGoesOn(daemon)
      daemon.Stop()

  def testClosedPipe(self):
    (read_fd, write_fd) = os.pipe()
    daemon = _Daemon(_Config(1))
    self.addCleanup(daemon.Kill)
    daemon.stderr = write_fd
    os.close(read_fd)
    daemon.Start()
    os.close(write_fd)
    self._CheckGoesOn(daemon)
    daemon.Stop()


class SyslogTest(unittest.TestCase):
  """A socket in the place of /dev/log that nobody reads.

  """
  def testFull(self):
    with adversity.FullSyslog() as (sock, env):
      with testutils.Daemon(_Config(1), args=["--syslog", "-d"],
                            env=env) as daemon:
        for serial in (2, 3):
          daemon.WriteConfig(_Config(serial))
          daemon.WaitForSerial(serial)
        self.assertGreater(daemon.Answer(STATS)[1]["log"]["lost"], 2)
        # The file has it all
        self.assertIn("serial number 3", daemon.Log())
        while b"messages were lost" not in sock.recv(4096):
          if not select.select([sock], [], [], 0)[0]:
            daemon.proc.send_signal(signal.SIGHUP)
            sock.settimeout(testutils.PATIENCE)


class FileTest(unittest.TestCase):
  def testFifo(self):
    daemon = testutils.Daemon(_Config(1))
    self.addCleanup(daemon.Kill)
    os.mkfifo(daemon.log_file)
    with self.assertRaisesRegex(AssertionError, "Cannot write the log file"):
      daemon.Start()
    reader = os.open(daemon.log_file, os.O_RDONLY | os.O_NONBLOCK)
    self.addCleanup(os.close, reader)
    writer = os.open(daemon.log_file, os.O_WRONLY)
    self.addCleanup(os.close, writer)
    adversity.FillUp(writer)
    daemon.Start()
    daemon.WriteConfig(_Config(2))
    testutils.WaitFor(lambda: daemon.Ask(PING)["serial"] == 2, "a change")
    # Not removed, and nothing else in its place
    self.assertTrue(stat.S_ISFIFO(os.stat(daemon.log_file).st_mode))
    daemon.Stop()

  def testSymbolicLink(self):
    daemon = testutils.Daemon(_Config(1))
    self.addCleanup(daemon.Kill)
    victim = os.path.join(daemon.root, "victim")
    testutils.WriteFile(victim, b"precious")
    for path in (daemon.log_file, daemon.pid_file):
      os.symlink(victim, path)
      with self.assertRaisesRegex(AssertionError, "Cannot write the"):
        daemon.Start()
      self.assertEqual(testutils.ReadFile(victim), b"precious")
      self.assertEqual(os.stat(victim).st_mode & 0o777, 0o640)
      os.unlink(path)


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for ganeti.confd.daemon.pidfile; the rest is tested with the daemon"""

import os
import resource
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import testutils

from ganeti import errors
from ganeti.confd.daemon import pidfile


_TRY_LOCK = """
import fcntl, sys
with open(sys.argv[1], "r+") as stream:
  fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
"""


class TestPidFile(unittest.TestCase):
  def setUp(self):
    directory = tempfile.TemporaryDirectory()
    self.addCleanup(directory.cleanup)
    self.path = os.path.join(directory.name, "ganeti-confd.pid")
    self.pid_file = pidfile.PidFile(self.path)

  def _IsLocked(self):
    """Tells whether another process finds the file locked.

    """
    return subprocess.run([sys.executable, "-c", _TRY_LOCK, self.path],
                          stderr=subprocess.DEVNULL,
                          check=False).returncode != 0

  def testCannotBeWritten(self):
    """What would be left is an empty file, with which nothing starts.

    """
    (soft, hard) = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
      with self.assertRaisesRegex(errors.ConfigurationError,
                                  "Cannot write the pid file " + self.path):
        self.pid_file.Acquire()
    finally:
      resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    self.assertFalse(os.path.exists(self.path))
    self.pid_file.Acquire()
    self.assertEqual(testutils.ReadFile(self.path), b"%d\n" % os.getpid())
    self.pid_file.Remove()

  def testLockedUntilRemoved(self):
    """A new daemon that starts meanwhile would lose its file.

    """
    self.pid_file.Acquire()
    locked = []

    def _Unlink(path, unlink=os.unlink):
      locked.append(self._IsLocked())
      unlink(path)

    with mock.patch("os.unlink", _Unlink):
      self.pid_file.RemoveOf(os.getpid())
    self.assertEqual(locked, [True])
    self.assertFalse(os.path.exists(self.path))


if __name__ == "__main__":
  unittest.main()

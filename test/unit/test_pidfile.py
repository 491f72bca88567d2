#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for ganeti.confd.daemon.pidfile; the rest is tested with the daemon"""

import os
import resource
import signal
import subprocess
import sys
import tempfile
import unittest

import processes
import testutils

from ganeti import errors
from ganeti.confd.daemon import pidfile


#: Has a pid file, a keeper and a child that holds the keeper's pipe
_HOLD = """
import os, signal, sys
from ganeti.confd.daemon import pidfile
pid_file = pidfile.PidFile(sys.argv[1])
pid_file.Acquire()
keeper = pidfile.Keeper(pid_file)
keeper.Start()
print(keeper.pid, flush=True)
child = os.fork()
if child:
  print(child, flush=True)
else:
  os.close(pid_file.fileno())
signal.pause()
"""


class TestPidFile(unittest.TestCase):
  def setUp(self):
    directory = tempfile.TemporaryDirectory()
    self.addCleanup(directory.cleanup)
    self.path = os.path.join(directory.name, "ganeti-confd.pid")
    self.pid_file = pidfile.PidFile(self.path)

  def testCannotBeWritten(self):
    """An empty pid file would be left, with which nothing starts.

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

  def testHeldByAnother(self):
    self.pid_file.Acquire()
    self.addCleanup(self.pid_file.Remove)
    with self.assertRaisesRegex(errors.ConfigurationError,
                                "running already, as process %d " %
                                os.getpid()):
      pidfile.PidFile(self.path).Acquire()

  def testLeftBehind(self):
    testutils.WriteFile(self.path, b"123456789\n")
    self.pid_file.Acquire()
    self.assertEqual(testutils.ReadFile(self.path), b"%d\n" % os.getpid())
    self.pid_file.Remove()
    self.assertFalse(os.path.exists(self.path))

  def testSymbolicLink(self):
    victim = self.path + ".victim"
    testutils.WriteFile(victim, b"precious")
    os.symlink(victim, self.path)
    with self.assertRaisesRegex(errors.ConfigurationError,
                                "Cannot write the pid file"):
      self.pid_file.Acquire()
    self.assertEqual(testutils.ReadFile(victim), b"precious")

  def testNoRegularFile(self):
    os.mkfifo(self.path)
    with self.assertRaisesRegex(errors.ConfigurationError, "no regular file"):
      self.pid_file.Acquire()


#: Has a keeper that cannot be one
_NO_SHELL = """
import os, sys
from ganeti.confd.daemon import pidfile
pidfile._SHELL = "/none/sh"
pid_file = pidfile.PidFile(sys.argv[1])
pid_file.Acquire()
keeper = pidfile.Keeper(pid_file)
keeper.Start()
os.waitpid(keeper.pid, 0)
"""


class TestKeeper(unittest.TestCase):
  """The keeper of a process that is killed.

  """
  def setUp(self):
    directory = tempfile.TemporaryDirectory()
    self.addCleanup(directory.cleanup)
    # As odd a name as there can be
    self.path = os.path.join(directory.name, "-pid file'\"$(false)\n;")

  def _Start(self):
    """Starts a process that has the file and a keeper.

    @return: the process, and the keeper's process id

    """
    proc = subprocess.Popen([sys.executable, "-c", _HOLD, self.path],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    self.addCleanup(proc.wait)
    self.addCleanup(proc.stdout.close)
    self.addCleanup(proc.kill)
    return (proc, int(proc.stdout.readline()))

  @staticmethod
  def _Kill(proc):
    """Kills all that holds the keeper's pipe.

    """
    child = int(proc.stdout.readline())
    proc.kill()
    proc.wait()
    os.kill(child, signal.SIGKILL)

  def testRemoves(self):
    (proc, keeper) = self._Start()
    self.assertEqual(testutils.ReadFile(self.path), b"%d\n" % proc.pid)
    testutils.WaitFor(lambda: processes.IsKeeper(keeper), "its name")
    self._Kill(proc)
    testutils.WaitFor(lambda: not os.path.exists(self.path), "its removal")
    testutils.WaitFor(lambda: not processes.IsAlive(keeper), "its end")

  @unittest.skipIf(os.getuid() != 0, "mounting needs root")
  def testReadOnlyProc(self):
    """As in some containers: it has another name there.

    """
    proc = subprocess.Popen(["unshare", "--mount", "sh", "-e", "-c",
                             "mount --bind /proc /proc;"
                             "mount -o remount,bind,ro /proc;"
                             "exec \"$@\"", "-",
                             sys.executable, "-c", _HOLD, self.path],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
    with proc:
      self.addCleanup(proc.kill)
      proc.stdout.readline()
      self._Kill(proc)
      testutils.WaitFor(lambda: not os.path.exists(self.path), "its removal")
      self.assertEqual(proc.stderr.read(), b"")

  def testNoShell(self):
    result = subprocess.run([sys.executable, "-c", _NO_SHELL, self.path],
                            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            check=True)
    self.assertEqual(result.stderr, b"ERROR:root:Cannot run /none/sh: No such"
                     b" file or directory\n")

  def testLeavesAnotherFileAlone(self):
    (proc, keeper) = self._Start()
    # Somebody has removed ours, and another daemon was started
    os.unlink(self.path)
    testutils.WriteFile(self.path, b"another\n")
    self._Kill(proc)
    testutils.WaitFor(lambda: not processes.IsAlive(keeper), "its end")
    self.assertEqual(testutils.ReadFile(self.path), b"another\n")

  def testNextOneWaitsForTheRemoval(self):
    """A new daemon that starts meanwhile would lose its file.

    """
    (proc, keeper) = self._Start()
    child = int(proc.stdout.readline())
    proc.kill()
    proc.wait()
    try:
      # As long as something of the old daemon lives
      with self.assertRaisesRegex(errors.ConfigurationError,
                                  "as process %d " % proc.pid):
        pidfile.PidFile(self.path).Acquire()
    finally:
      os.kill(child, signal.SIGKILL)
    pid_file = pidfile.PidFile(self.path)
    pid_file.Acquire()
    testutils.WaitFor(lambda: not processes.IsAlive(keeper), "its end")
    self.assertEqual(testutils.ReadFile(self.path), b"%d\n" % os.getpid())
    pid_file.Remove()


if __name__ == "__main__":
  unittest.main()

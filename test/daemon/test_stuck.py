#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of processes that cannot go on, or cannot end, and of want of memory.

"""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import adversity
import processes
import testutils
from testutils import PING, STATS


def _Config(serial, instances=0):
  return testutils.MakeConfig(
    serial_no=serial,
    instances=[testutils.MakeInstance(index, 1) for index in range(instances)])


@contextlib.contextmanager
def _Watched(config):
  """Runs a daemon with a watchdog.

  @return: the daemon, and the socket in systemd's place

  """
  with tempfile.TemporaryDirectory() as directory, \
       socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
    path = os.path.join(directory, "notify")
    sock.bind(path)
    sock.settimeout(testutils.PATIENCE)
    env = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "600000"}
    with testutils.Daemon(config, args=["--workers=1"], env=env) as daemon:
      yield (daemon, sock)


class StuckTest(unittest.TestCase):
  def _CheckAnswers(self, daemon, seconds):
    """Checks that a daemon comes to answer again.

    """
    def _Answers():
      with daemon.Asker() as asker:
        try:
          asker.Ask(PING, timeout=0.2)
        except testutils.NoReply:
          return False
      return True

    testutils.WaitFor(_Answers, "an answer", timeout=10 * seconds)

  def testChildWhoseLoaderDies(self):
    with testutils.Daemon(_Config(1), args=["--workers=2"]) as daemon:
      found = processes.Find(daemon, 2)
      with adversity.Stopped(found.workers):
        os.kill(found.loader, signal.SIGKILL)
        self._CheckAnswers(daemon, 0.5)
        processes.WaitForEnd(found.workers)
      self.assertIn("The serving processes died", daemon.Log())
      self.assertEqual(daemon.Answer(STATS)[1]["restarts"]["generations"], 1)

  def testStopWhileOneIsStuck(self):
    daemon = testutils.Daemon(_Config(1), args=["--workers=2"])
    self.addCleanup(daemon.Kill)
    daemon.Start()
    found = processes.Find(daemon, 2)
    with adversity.Stopped(found.workers):
      os.kill(found.loader, signal.SIGKILL)
      daemon.proc.terminate()
      self.assertEqual(testutils.WaitForExit(daemon.proc, "the daemon"), 0)
      processes.WaitForEnd(found.workers)
      # The port is free, and so is the pid file
      with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((daemon.address, daemon.port))
      self.assertFalse(os.path.exists(daemon.pid_file))

  def _CheckIsNotFed(self, daemon, sock):
    """Checks that the watchdog is not fed by questions without an answer.

    """
    self._AwaitTrialFails(daemon)
    # A question that was under way
    self._Drain(sock)
    self._AwaitTrialFails(daemon)
    time.sleep(0.2)
    self.assertEqual(self._Drain(sock), [])

  @staticmethod
  def _AwaitTrialFails(daemon):
    def _Count():
      return daemon.Log().count("Asking myself for the watchdog")

    before = _Count()
    testutils.WaitFor(lambda: _Count() > before, "nobody answers the daemon")

  @staticmethod
  def _Drain(sock):
    sock.setblocking(False)
    received = []
    try:
      while True:
        received.append(sock.recv(100))
    except BlockingIOError:
      sock.settimeout(testutils.PATIENCE)
      return received

  def testWatchdogIsNotFedForThem(self):
    with _Watched(_Config(1)) as (daemon, sock):
      found = processes.Find(daemon)
      while sock.recv(100) != b"WATCHDOG=1":
        pass
      with adversity.Stopped(found.readers):
        self._CheckIsNotFed(daemon, sock)
      self.assertEqual(sock.recv(100), b"WATCHDOG=1")

  def testWatchdogBesideABrokenConfiguration(self):
    """The serving generation is asked, with the key that it serves with.

    """
    with _Watched(_Config(1)) as (daemon, sock):
      found = processes.Find(daemon)
      daemon.WriteConfig(b"{")
      testutils.WriteFile(daemon.key_file, b"short")
      testutils.WaitFor(lambda: "Cannot load" in daemon.Log(), "a failure")
      time.sleep(0.4)
      self._Drain(sock)
      self.assertEqual(sock.recv(100), b"WATCHDOG=1")
      with adversity.Stopped(found.readers):
        self._CheckIsNotFed(daemon, sock)


class NameTest(unittest.TestCase):
  def testKillByName(self):
    """The effect of "pkill -9 ganeti-confd", on this daemon alone.

    """
    daemon = testutils.Daemon(_Config(1), args=["--workers=2"])
    self.addCleanup(daemon.Kill)
    daemon.Start()
    pids = processes.Find(daemon, 2).All()
    for command in (["pkill", "-9", "ganeti-confd"],
                    ["pkill", "-9", "-f", "ganeti-confd"]):
      with self.subTest(command=command):
        pgrep = ["pgrep"] + command[2:]
        matched = set(map(int, subprocess.run(
          pgrep, stdout=subprocess.PIPE, check=True).stdout.split()))
        self.assertEqual(len(matched.intersection(pids)), len(pids) - 1)
    for pid in pids:
      # Some go with the first
      with contextlib.suppress(ProcessLookupError):
        if not processes.IsKeeper(pid):
          os.kill(pid, signal.SIGKILL)
    daemon.proc.wait()
    testutils.WaitFor(lambda: not os.path.exists(daemon.pid_file),
                      "the pid file is removed")
    processes.WaitForEnd(pids)
    # The same directory, the same port
    daemon.Start()
    daemon.Ask(PING)


class DescriptorsTest(unittest.TestCase):
  def testMany(self):
    """More than select(2) could look at.

    """
    (_, hard) = resource.getrlimit(resource.RLIMIT_NOFILE)
    number = 1100
    if hard != resource.RLIM_INFINITY and hard < number + 100:
      self.skipTest("not so many open files are permitted")

    class _Daemon(testutils.Daemon):
      """The daemon with many open files from the start.

      """
      def CommandLine(self, args):
        return (["prlimit", "--nofile=%d:" % (number + 100), "bash", "-c",
                 "for i in {1..%d}; do exec {fd}</dev/null; done;"
                 " exec \"$@\"" % number, "bash"] +
                testutils.Daemon.CommandLine(self, args))

    with _Daemon(_Config(1)) as daemon:
      self.assertGreater(len(os.listdir("/proc/%d/fd" % daemon.proc.pid)),
                         number)
      daemon.WriteConfig(_Config(2))
      daemon.WaitForSerial(2)
      os.kill(processes.Find(daemon).loader, signal.SIGKILL)
      daemon.WaitForSerial(2)

  @unittest.skipUnless(os.geteuid() == 0, "must be root to limit the daemon")
  def testNoneLeftForSystemd(self):
    with _Watched(None) as (daemon, sock):
      while sock.recv(100) != b"READY=1":
        pass
      limits = resource.prlimit(daemon.proc.pid, resource.RLIMIT_NOFILE)
      resource.prlimit(daemon.proc.pid, resource.RLIMIT_NOFILE,
                       (3, limits[1]))
      for _ in range(5):
        while sock.recv(100) != b"WATCHDOG=1":
          pass


class MemoryTest(unittest.TestCase):
  """Memory runs out while a larger configuration is loaded.

  """
  def testWhatServesStays(self):
    # The serving loader is larger than the loading one when memory runs out
    group = adversity.MemoryGroup()
    self.addCleanup(group.Remove)
    daemon = testutils.Daemon(_Config(1, 20000), args=["--workers=2"])
    self.addCleanup(daemon.Kill)
    daemon.Start()
    found = processes.Find(daemon, 2)
    group.Add(testutils.ProcessTree(daemon.proc.pid))
    # The next one takes more than that; what is there already does not count.
    # The kernel weighs scores by the limit: with much less than what serves
    # takes, they would not matter.
    group.Limit(32 * adversity.MEGABYTE)
    large = _Config(2, 60000)
    daemon.WriteConfig(large)
    for tries in (1, 2, 3):
      testutils.WaitFor(
        lambda: daemon.Answer(STATS)[1]["reloads"]["failed"] >= tries,
        "loading fails")
      daemon.proc.send_signal(signal.SIGHUP)
    self.assertEqual(daemon.Ask(PING)["serial"], 1)
    now = processes.Find(daemon, spare=False)
    self.assertEqual(now.loader, found.loader)
    # One may have gone by itself, after a quiet time
    self.assertLessEqual(set(now.workers), set(found.workers))
    # The process for large answers counts as a worker. The kernel may kill it,
    # too, if the memory of the killed loader is not free yet.
    self.assertEqual(daemon.Answer(STATS)[1]["restarts"]["generations"], 0)
    # Said once, however often it is tried
    log = daemon.Log()
    self.assertEqual(log.count("Cannot load the configuration"), 1, log)
    self.assertIn("(killed by signal 9)", log)
    self.assertIn("The last good one is served on", log)
    # And loaded as soon as there is room
    group.Limit(None)
    daemon.proc.send_signal(signal.SIGHUP)
    daemon.WaitForSerial(2)
    daemon.Stop()


class CoarseStampsTest(unittest.TestCase):
  """A file system whose time stamps are whole seconds.

  """
  def testChangeWithinASecond(self):
    with contextlib.ExitStack() as stack:
      daemon = testutils.Daemon()
      stack.callback(daemon.Kill)
      stack.enter_context(adversity.CoarseStamps(daemon.datadir))
      self._CheckChanges(daemon)

  def _CheckChanges(self, daemon):
    testutils.WriteFile(daemon.key_file, testutils.KEY)
    daemon.WriteConfig(_Config(10))
    daemon.Start()
    for serial in range(11, 17, 2):
      # At the beginning of a second there is time for both
      time.sleep(1.05 - time.time() % 1)
      daemon.WriteConfig(_Config(serial))
      daemon.WaitForSerial(serial)
      before = os.stat(daemon.config_file)
      with open(daemon.config_file, "r+b") as stream:
        text = stream.read()
        # Inotify is heard, but what it tells of looks the same
        stream.seek(0)
        stream.write(text.replace(b'"serial_no": %d,' % serial,
                                  b'"serial_no": %d,' % (serial + 1)))
      after = os.stat(daemon.config_file)
      if (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns,
                                                 after.st_ino):
        self.assertEqual(before.st_size, after.st_size)
      daemon.WaitForSerial(serial + 1)
    daemon.Stop()


if __name__ == "__main__":
  unittest.main()

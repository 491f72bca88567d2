#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of what an attacker can use up, and of what the daemon may do.

"""

import os
import re
import tempfile
import textwrap
import threading
import time
import unittest

import processes
import testutils
from testutils import PING, CONFIG, QUERY, STATS, NOBODY


#: Bytes of log that an attack may cause
_LOG_GROWTH = 2000


def _Forged(count):
  """Makes datagrams that look right and are signed with another key.

  Every other one has the label of a reader's key, each its own.

  """
  return [testutils.PackMessage(b"x" * 32, testutils.MakeMessage(PING),
                                label="a%d:all:never" % number
                                if number % 2 else None)
          for number in range(count)]


def _Stats(daemon):
  """Asks for statistics until there is an answer.

  The queue may be full, and who makes such answers may go with its generation.

  """
  def _Ask():
    with daemon.Asker() as asker:
      try:
        return asker.Ask(STATS, timeout=0.5)["answer"]
      except testutils.NoReply:
        return None

  return testutils.WaitFor(_Ask, "statistics")


class _Flood(threading.Thread):
  """Sends datagrams until it is told to stop, as fast as it can.

  @ivar sent: how many

  """
  def __init__(self, daemon, datagrams):
    threading.Thread.__init__(self, daemon=True)
    self._asker = daemon.Asker()
    self._datagrams = datagrams
    self._stop_it = False
    self.sent = 0

  def run(self):
    while not self._stop_it:
      for datagram in self._datagrams:
        try:
          self._asker.Send(datagram)
        except OSError:
          # The queue of the interface is full
          continue
        self.sent += 1

  def Stop(self):
    self._stop_it = True
    self.join()
    self._asker.Close()


class FloodTest(unittest.TestCase):
  def testForgedDatagramsStarveNobody(self):
    with testutils.Daemon(testutils.MakeConfig(),
                          args=["--workers=2"]) as daemon:
      def _Ask():
        """Asks as clients do: the same again until there is a reply.

        @return: number of tries, and seconds

        """
        message = testutils.MakeMessage(PING)
        started = time.monotonic()
        with daemon.Asker() as asker:
          for tries in range(1, 300):
            asker.Send(testutils.PackMessage(daemon.key, message))
            reply = asker.Receive(timeout=0.1)
            if reply is not None:
              self.assertEqual(testutils.UnpackReply(daemon.key, reply)[0],
                               message["rsalt"])
              return (tries, time.monotonic() - started)
        raise AssertionError("No reply in %.1f s" %
                             (time.monotonic() - started))

      _Ask()
      before = len(daemon.Log())
      floods = [_Flood(daemon, _Forged(100)),
                _Flood(daemon, [b"plj0" + b"[" * 1000, b"x" * 1400])]
      for flood in floods:
        flood.start()
      try:
        testutils.WaitFor(lambda: _Stats(daemon)["dropped"]["hmac"] > 1000,
                          "the flood has begun")
        asked = [_Ask() for _ in range(15)]
      finally:
        for flood in floods:
          flood.Stop()
      worst = max(seconds for (_, seconds) in asked)
      # The daemon may learn a second later how many datagrams the kernel has
      # dropped
      time.sleep(1.1)
      dropped = _Stats(daemon)["dropped"]
      print("%d datagrams sent, dropped: %s; 15 questions: at most %d tries,"
            " %.0f ms" % (sum(flood.sent for flood in floods), dropped,
                          max(tries for (tries, _) in asked), 1000 * worst))
      # The kernel's queue is a few thousand datagrams: less than a second
      self.assertLess(worst, testutils.Stretched(10 * 1.0))
      # Nothing is lost sight of: what came in was counted once, authentic
      # tries that found the queue full included
      self.assertLessEqual(sum(dropped[name] for name in
                               ("hmac", "json", "fourcc", "overflow")),
                           sum(flood.sent for flood in floods) +
                           sum(tries for (tries, _) in asked))
      self.assertLess(len(daemon.Log()) - before, _LOG_GROWTH)
      self.assertNotIn("Traceback", daemon.Log())

  def testLogOfAttacks(self):
    # Neither with all that may be said: one attacker would fill the disk
    with testutils.Daemon(testutils.MakeConfig(filler="x" * 4000),
                          args=["-d", "--workers=2"]) as daemon:
      daemon.Ask(PING)
      before = len(daemon.Log())
      captured = testutils.PackMessage(
        testutils.KEY, testutils.MakeMessage(CONFIG, "/filler"))
      bad = [b"", b"x", b"plj0{}", captured[:-2] + b"0}", captured]
      bad.extend(_Forged(5))
      bad.append(testutils.PackMessage(testutils.KEY,
                                       testutils.MakeMessage(PING), "5"))
      bad.append(testutils.PackMessage(testutils.KEY,
                                       testutils.MakeMessage(PING, rsalt="")))
      with daemon.Asker() as asker:
        for _ in range(100):
          for datagram in bad:
            asker.Send(datagram)
          daemon.Ask(PING)
      self.assertLess(len(daemon.Log()) - before, _LOG_GROWTH)

  def testOverflowIsCounted(self):
    with testutils.Daemon(testutils.MakeConfig(),
                          args=["--workers=1"]) as daemon:
      found = processes.Find(daemon)
      self.assertEqual(daemon.Answer(STATS)[1]["dropped"]["overflow"], 0)
      # While nobody reads
      with processes.Paused(found.readers[0]), daemon.Asker() as asker:
        for _ in range(10000):
          asker.Send(b"x" * 1000)

      def _Counted():
        dropped = _Stats(daemon)["dropped"]
        return dropped["overflow"] and dropped["fourcc"] + dropped["overflow"]

      # The daemon may learn a second later how many datagrams the kernel has
      # dropped
      testutils.WaitFor(lambda: _Counted() == 10000, "each is counted")

  @unittest.skipUnless(testutils.HasIpv6(), "there is no IPv6")
  def testOverflowIpv6(self):
    with testutils.Daemon(testutils.MakeConfig(), address="::1") as daemon:
      self.assertEqual(daemon.Answer(STATS)[1]["dropped"]["overflow"], 0)


class KeyModeTest(unittest.TestCase):
  def _Warnings(self, daemon):
    return re.findall("WARNING The HMAC key .* has mode ([0-7]+)",
                      daemon.Log())

  def testModes(self):
    daemon = testutils.Daemon(testutils.MakeConfig())
    self.addCleanup(daemon.Kill)
    os.chmod(daemon.key_file, 0o444)
    daemon.Start()
    self.assertEqual(self._Warnings(daemon), ["0444"])
    expected = ["0444"]
    for (mode, bad) in [(0o440, False), (0o400, False), (0o660, True),
                        (0o600, False), (0o604, True), (0o640, False),
                        (0o601, True)]:
      with self.subTest(mode="%o" % mode):
        reloads = _Stats(daemon)["reloads"]["good"]
        os.chmod(daemon.key_file, mode)
        if bad:
          expected.append("%04o" % mode)
          testutils.WaitFor(lambda: self._Warnings(daemon) == expected,
                            "a warning of mode %04o" % mode)
        else:
          testutils.WaitFor(
            lambda: _Stats(daemon)["reloads"]["good"] > reloads, "it is seen")
    # Written again, it is as bad as before
    testutils.WriteFile(daemon.key_file, b"0123456789abcdef\n", mode=0o601)
    daemon.key = b"0123456789abcdef\n"
    with daemon.Asker() as asker:
      testutils.WaitFor(lambda: self._IsAnswered(asker), "the new key")
    self.assertEqual(self._Warnings(daemon), expected)
    daemon.Stop()

  def _IsAnswered(self, asker):
    try:
      asker.Ask(PING, timeout=0.2)
    except testutils.NoReply:
      return False
    return True


class PrivilegeTest(unittest.TestCase):
  @unittest.skipUnless(os.geteuid() == 0, "must be root to be somebody else")
  def testNoneAreKept(self):
    class _Daemon(testutils.Daemon):
      """The daemon as another user, as start-stop-daemon starts it.

      """
      def CommandLine(self, args):
        for (path, _, names) in os.walk(self.root):
          for name in [path] + [os.path.join(path, name) for name in names]:
            os.chown(name, NOBODY, NOBODY)
        return (["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY,
                 "--clear-groups"] + testutils.Daemon.CommandLine(self, args))

    with _Daemon(testutils.MakeConfig(), args=["--workers=2"]) as daemon:
      pids = processes.Find(daemon, 2).All()
      self.assertEqual(len(pids), 7)
      for pid in pids:
        for name in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
          self.assertEqual(int(processes.Status(pid, name), 16), 0)
        self.assertEqual(processes.Status(pid, "Uid").split(),
                         ["%d" % NOBODY] * 4)
        self._CheckFiles(pid, daemon)
      # Others cannot read it
      self.assertEqual(os.stat(daemon.log_file).st_mode & 0o007, 0)

  def _CheckFiles(self, pid, daemon):
    """Checks that a process can write to nothing but its log and pid file.

    """
    for fd in os.listdir("/proc/%d/fd" % pid):
      try:
        target = os.readlink("/proc/%d/fd/%s" % (pid, fd))
        info = testutils.ReadFile("/proc/%d/fdinfo/%s" % (pid, fd)).decode()
      except FileNotFoundError:
        # The file was open for a moment only
        continue
      self.assertNotIn(os.path.basename(target), ("config.data", "hmac.key"))
      (flags, ) = re.findall("(?m)^flags:\t([0-7]+)$", info)
      if (int(flags, 8) & os.O_ACCMODE != os.O_RDONLY and
          target.startswith(daemon.root)):
        self.assertIn(target, [daemon.log_file, daemon.pid_file,
                               os.path.join(daemon.root, "output")])

  def testNicenessIsNotNeeded(self):
    # As where a filter of system calls forbids it
    with tempfile.TemporaryDirectory() as directory:
      testutils.WriteFile(
        os.path.join(directory, "sitecustomize.py"),
        textwrap.dedent("""\
          import os

          def _Nice(_):
            raise PermissionError(1, "Operation not permitted")

          os.nice = _Nice
          """).encode("ascii"))
      with testutils.Daemon(testutils.MakeConfig(),
                            env={"PYTHONPATH": directory}) as daemon:
        # A table is made by the process that lowers its priority
        query = {"what": "node", "fields": ["name"]}
        self.assertEqual(daemon.Answer(QUERY, query)[0], 0)
        self.assertEqual(daemon.Answer(STATS)[0], 0)
        self.assertEqual(daemon.Answer(STATS)[1]["restarts"]["workers"], 0)

  def testFilesAreOnlyRead(self):
    # Also while they are read: there is no way to write to them
    with tempfile.TemporaryDirectory() as directory:
      record = os.path.join(directory, "record")
      testutils.WriteFile(
        os.path.join(directory, "sitecustomize.py"),
        textwrap.dedent("""\
          import os
          import sys

          fd = os.open(%r, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

          def _Hook(event, args):
            if event == "open" and str(args[0]).startswith("/"):
              os.write(fd, b"%%d %%s\\n" %% (args[2], str(args[0]).encode()))

          sys.addaudithook(_Hook)
          """ % record).encode("ascii"))
      with testutils.Daemon(testutils.MakeConfig(),
                            env={"PYTHONPATH": directory}) as daemon:
        daemon.Answer(STATS)
        opened = [line.split(" ", 1) for line in
                  testutils.ReadFile(record).decode("utf-8").splitlines()]
        for (flags, path) in opened:
          if path in (daemon.config_file, daemon.key_file):
            self.assertEqual(int(flags) & os.O_ACCMODE, os.O_RDONLY)
        self.assertLessEqual({daemon.config_file, daemon.key_file},
                             {path for (_, path) in opened})
        written = {path for (flags, path) in opened
                   if int(flags) & os.O_ACCMODE != os.O_RDONLY}
        written = {path for path in written
                   if path not in (record, os.devnull) and
                   "__pycache__" not in path and
                   not path.startswith("/proc/self/")}
        self.assertLessEqual(written, {daemon.log_file, daemon.pid_file})


class CommandLineTest(unittest.TestCase):
  """Nothing we write puts a key where every user of a machine can read it."""

  _SUGGESTION_RE = re.compile("--hmac[ =][\"'$`]")

  def _Texts(self):
    for name in ["README", "INSTALL", "NEWS", "doc", "tools", "daemons"]:
      path = os.path.join(testutils.SRCDIR, name)
      if os.path.isdir(path):
        for (directory, _, names) in os.walk(path):
          for item in names:
            yield os.path.join(directory, item)
      else:
        yield path

  def testNoSecretIsSuggested(self):
    self.assertTrue(self._SUGGESTION_RE.search("--hmac \"$(cat hmac.key)\""))
    paths = list(self._Texts())
    self.assertGreater(len(paths), 8)
    for path in paths:
      with self.subTest(path=path):
        text = testutils.ReadFile(path).decode("utf-8")
        self.assertIsNone(self._SUGGESTION_RE.search(text))


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of files that are broken, half-written, moved or gone, and of limits.

Each with the real daemon, which has to serve on from what it has, or to fall
silent where there is nothing to serve, and to recover by itself.

"""

import ctypes
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import textwrap
import time
import unittest

import adversity
import processes
import testutils
from testutils import PING, STATS, NOBODY


NEW_KEY = b"0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c\n"

#: Seconds until a daemon is silent, or has taken a change
GOAL = 1.0


# From linux/fcntl.h and linux/fs.h
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def _Text(serial):
  """Returns the text of a configuration.

  """
  return json.dumps(testutils.MakeConfig(serial_no=serial)).encode("ascii")


def _Exchange(path, other):
  """Exchanges two files of any kind, so that none is absent for a moment.

  """
  # glibc has the function since 2.28
  libc = ctypes.CDLL(None, use_errno=True)
  if libc.renameat2(_AT_FDCWD, os.fsencode(path), _AT_FDCWD, os.fsencode(other),
                    _RENAME_EXCHANGE):
    raise OSError(ctypes.get_errno(), "renameat2 of %s and %s" % (path, other))


def _Clear(path):
  """Removes a file of any kind.

  """
  if os.path.isdir(path) and not os.path.islink(path):
    os.rmdir(path)
  else:
    os.unlink(path)


def _Stop(daemon):
  """Stops a daemon, in order if it was started.

  """
  if daemon.proc is None:
    daemon.Kill()
  else:
    daemon.Stop()


class _FaultTest(unittest.TestCase):
  def _Daemon(self, config=_Text(1), cls=testutils.Daemon, **kwargs):
    daemon = cls(config, **kwargs)
    self.addCleanup(_Stop, daemon)
    daemon.Start()
    return daemon

  def _WaitForLog(self, daemon, text):
    testutils.WaitFor(lambda: text in daemon.Log(), "%r in the log" % text)

  def _Reloads(self, daemon):
    return daemon.Answer(STATS)[1]["reloads"]

  def _AwaitSilence(self, daemon):
    def _IsSilent():
      # Of its own: a late answer must not be taken for that to another question
      with daemon.Asker() as asker:
        try:
          asker.Ask(PING, timeout=0.2)
        except testutils.NoReply:
          return True
      return False

    testutils.WaitFor(_IsSilent, "the daemon is silent", timeout=10 * GOAL)

  def _AwaitSerial(self, daemon, serial):
    """Waits until a configuration is served that has just been put in place.

    """
    with testutils.Within(10 * GOAL):
      daemon.WaitForSerial(serial)


class BrokenTest(_FaultTest):
  def _CheckServedOn(self, daemon, serial):
    """Checks that a broken file harms nobody, and is logged once.

    """
    self._WaitForLog(daemon, "Cannot load the configuration")
    failed = self._Reloads(daemon)["failed"]
    for more in (1, 2):
      # Tried again, it is as broken as before
      daemon.proc.send_signal(signal.SIGHUP)
      testutils.WaitFor(
        lambda: self._Reloads(daemon)["failed"] >= failed + more,
        "it is tried again")
      self.assertEqual(daemon.Ask(PING)["serial"], serial)
    self.assertEqual(daemon.Log().count("Cannot load the configuration"), 1)
    self.assertIn("The last good one is served on", daemon.Log())
    self.assertNotIn("Traceback", daemon.Log())

  def _Contents(self, contents, message):
    daemon = self._Daemon()
    daemon.WriteConfig(contents)
    self._CheckServedOn(daemon, 1)
    self.assertIn(message, daemon.Log())
    daemon.WriteConfig(_Text(2))
    self._AwaitSerial(daemon, 2)

  def testTruncated(self):
    self._Contents(_Text(2)[:500], "config.data: ")

  def testNotJson(self):
    self._Contents(b"\x00\xff rubbish", "config.data: ")

  def testNoObject(self):
    self._Contents(b"[1, 2]", "config.data: ")

  def testEmpty(self):
    self._Contents(b"", "config.data: ")

  def testDeep(self):
    self._Contents(b"[" * 200000, "config.data: ")

  def testNoRegularFile(self):
    def _Fifo(path):
      os.mkfifo(path)

    def _Device(path):
      os.symlink("/dev/zero", path)

    def _Socket(path):
      # Paths of sockets must be short
      directory = tempfile.mkdtemp()
      self.addCleanup(shutil.rmtree, directory)
      name = os.path.join(directory, "s")
      with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(name)
      os.rename(name, path)

    daemon = self._Daemon()
    serial = 1
    for (make, message) in [(os.mkdir, "Is a directory"),
                            (_Fifo, "is no regular file"),
                            (_Device, "is no regular file"),
                            (_Socket, "Cannot read")]:
      with self.subTest(make=make.__name__):
        other = daemon.config_file + ".other"
        make(other)
        _Exchange(other, daemon.config_file)
        self._WaitForLog(daemon, message)
        self.assertEqual(daemon.Ask(PING)["serial"], serial)
        serial += 1
        _Exchange(other, daemon.config_file)
        _Clear(other)
        daemon.WriteConfig(_Text(serial))
        self._AwaitSerial(daemon, serial)

  def testBrokenFromTheStart(self):
    daemon = testutils.Daemon(b"{")
    self.addCleanup(_Stop, daemon)
    daemon.Start(wait=False)
    self._WaitForLog(daemon, "Nothing is served")
    with self.assertRaises(testutils.NoReply):
      daemon.Ask(PING, timeout=0.2)
    daemon.WriteConfig(_Text(1))
    self._AwaitSerial(daemon, 1)

  def testServingProcessesDieBesideIt(self):
    """The log's last word is what holds.

    """
    daemon = self._Daemon()
    loader = processes.Find(daemon).loader
    daemon.WriteConfig(b"{")
    self._WaitForLog(daemon, "The last good one is served on")
    os.kill(loader, signal.SIGKILL)
    self._WaitForLog(daemon, "Nothing is served")
    self._AwaitSilence(daemon)
    daemon.WriteConfig(_Text(2))
    self._AwaitSerial(daemon, 2)

  def testProgrammingError(self):
    # As if the snapshot could not cope with something
    directory = tempfile.mkdtemp(prefix="ganeti-confd-test.")
    self.addCleanup(shutil.rmtree, directory)
    testutils.WriteFile(
      os.path.join(directory, "sitecustomize.py"),
      textwrap.dedent("""\
        from ganeti.confd.config import snapshot

        def _Snapshot(config, real=snapshot.Snapshot):
          if b"poison" in b"".join(config.Chunks()):
            raise TypeError("not swallowed")
          return real(config)

        snapshot.Snapshot = _Snapshot
        """).encode("ascii"))
    path = os.pathsep.join([directory, testutils.MODULEDIR])
    daemon = self._Daemon(env={"PYTHONPATH": path})
    daemon.WriteConfig(_Text(2) + b"poison")
    self._CheckServedOn(daemon, 1)
    self.assertIn("programming error; please report it, as ganeti-confd(8)"
                  " says: TypeError('not"
                  " swallowed') in sitecustomize.py, line 5", daemon.Log())
    daemon.WriteConfig(_Text(3))
    self._AwaitSerial(daemon, 3)

  def testTriedAgainByItself(self):
    daemon = self._Daemon()
    started = time.monotonic()
    daemon.WriteConfig(b"{")
    testutils.WaitFor(lambda: self._Reloads(daemon)["failed"] == 2,
                      "two failures")
    # Every ten seconds
    self.assertGreater(time.monotonic() - started, 5)
    self.assertEqual(daemon.Log().count("Cannot load the configuration"), 1)


class ChangeTest(_FaultTest):
  def testWrittenInPlace(self):
    daemon = self._Daemon()
    with open(daemon.config_file, "wb") as stream:
      stream.write(_Text(2))
    self._AwaitSerial(daemon, 2)

  def testHalfWrittenInPlace(self):
    daemon = self._Daemon()
    text = _Text(2)
    with open(daemon.config_file, "wb", buffering=0) as stream:
      stream.write(text[:1000])
      self._WaitForLog(daemon, "Cannot load the configuration")
      self.assertEqual(daemon.Ask(PING)["serial"], 1)
      stream.write(text[1000:])
    self._AwaitSerial(daemon, 2)

  def testRemovedAndBack(self):
    for path in ("config_file", "key_file"):
      with self.subTest(path=path):
        daemon = self._Daemon()
        path = getattr(daemon, path)
        contents = testutils.ReadFile(path)
        os.unlink(path)
        self._AwaitSilence(daemon)
        self._WaitForLog(daemon, "No %s: this node is no master candidate" %
                         path)
        # The processes are gone too; what comes in now is thrown away
        testutils.WaitFor(
          lambda: len(testutils.ProcessTree(daemon.proc.pid)) == 2,
          "only the keeper is left")
        with daemon.Asker() as asker:
          for _ in range(50):
            asker.Send(testutils.PackMessage(daemon.key,
                                             testutils.MakeMessage(PING)))
          daemon.WaitForEmptyQueue()
          self.assertIsNone(asker.Receive(0))
          testutils.WriteFile(path, contents)
          self._AwaitSerial(daemon, 1)
          self.assertIsNone(asker.Receive(0))
        self.assertGreaterEqual(
          daemon.Answer(STATS)[1]["dropped"]["unconfigured"], 50)
        self.assertEqual(daemon.Log().count("no master candidate"), 1)

  def testRemovedWhileItIsLoaded(self):
    with adversity.HeldLoads() as held:
      daemon = self._Daemon(env=held.env)
      held.Hold()
      daemon.WriteConfig(_Text(2))
      held.WaitForLoader()
      os.unlink(daemon.config_file)
      self._AwaitSilence(daemon)
      testutils.WaitFor(lambda: len(processes.Children(daemon.proc.pid)) == 1,
                        "only the keeper is left")
      self.assertNotIn("did not finish", daemon.Log())
      held.Release()
      daemon.WriteConfig(_Text(3))
      daemon.WaitForSerial(3)

  def testSymbolicLinkToFile(self):
    daemon = self._Daemon()
    other = os.path.join(daemon.root, "elsewhere")
    os.mkdir(other)
    target = os.path.join(other, "config")
    testutils.WriteFile(target, _Text(2))
    link = os.path.join(daemon.datadir, "link")
    os.symlink(target, link)
    os.rename(link, daemon.config_file)
    self._AwaitSerial(daemon, 2)
    # Of that inotify says nothing
    testutils.WriteFile(target, _Text(3))
    self._AwaitSerial(daemon, 3)
    # A link to nothing is no configuration
    os.unlink(target)
    self._AwaitSilence(daemon)
    testutils.WriteFile(target, _Text(4))
    self._AwaitSerial(daemon, 4)

  def testSymbolicLinkToDirectory(self):
    daemon = testutils.Daemon(_Text(1))
    self.addCleanup(_Stop, daemon)
    first = daemon.datadir + ".1"
    second = daemon.datadir + ".2"
    os.rename(daemon.datadir, first)
    os.symlink(first, daemon.datadir)
    daemon.Start()
    shutil.copytree(first, second)
    testutils.WriteFile(os.path.join(second, "config.data"), _Text(2))
    link = daemon.datadir + ".link"
    os.symlink(second, link)
    os.rename(link, daemon.datadir)
    self._AwaitSerial(daemon, 2)
    testutils.WriteFile(os.path.join(second, "config.data"), _Text(3))
    self._AwaitSerial(daemon, 3)

  def testDirectoryReplaced(self):
    daemon = self._Daemon()
    new = daemon.datadir + ".new"
    shutil.copytree(daemon.datadir, new)
    testutils.WriteFile(os.path.join(new, "config.data"), _Text(2))
    os.rename(daemon.datadir, daemon.datadir + ".old")
    os.rename(new, daemon.datadir)
    self._AwaitSerial(daemon, 2)
    daemon.WriteConfig(_Text(3))
    self._AwaitSerial(daemon, 3)

  def testDirectoryGoneAndBack(self):
    daemon = self._Daemon()
    os.rename(daemon.datadir, daemon.datadir + ".away")
    self._AwaitSilence(daemon)
    os.rename(daemon.datadir + ".away", daemon.datadir)
    self._AwaitSerial(daemon, 1)
    daemon.WriteConfig(_Text(2))
    self._AwaitSerial(daemon, 2)

  def testAnyTimeOfTheFile(self):
    daemon = self._Daemon()
    # After, before, and the same as that of the one it replaces
    for (serial, mtime) in enumerate([4e9, 0, 0], 2):
      path = os.path.join(daemon.datadir, "new")
      testutils.WriteFile(path, _Text(serial))
      os.utime(path, (mtime, mtime))
      os.rename(path, daemon.config_file)
      self._AwaitSerial(daemon, serial)


class ClockTest(_FaultTest):
  """The daemon with a clock that can be set.

  """
  def setUp(self):
    self.directory = tempfile.mkdtemp(prefix="ganeti-confd-test.")
    self.addCleanup(shutil.rmtree, self.directory)
    self.offset_file = os.path.join(self.directory, "offset")
    self._Set(0)
    testutils.WriteFile(
      os.path.join(self.directory, "sitecustomize.py"),
      textwrap.dedent("""\
        import time

        def _Time(real=time.time):
          with open(%r) as stream:
            return real() + int(stream.read())

        time.time = _Time
        """ % self.offset_file).encode("ascii"))

  def _Set(self, offset):
    testutils.WriteFile(self.offset_file, b"%d" % offset)

  def testJumps(self):
    daemon = self._Daemon(env={"PYTHONPATH": self.directory})
    day = 86400
    serial = 1
    for offset in [day, -day, 0]:
      with self.subTest(offset=offset):
        self._Set(offset)
        # The clock decides on requests
        for (shift, replied) in [(offset, True), (offset - 290, True),
                                 (offset + 290, True), (offset + 310, False),
                                 (offset - 310, False)]:
          message = testutils.PackMessage(daemon.key,
                                          testutils.MakeMessage(PING),
                                          "%d" % (time.time() + shift))
          with daemon.Asker() as asker:
            data = asker.AskRaw(message, testutils.PATIENCE if replied else 0.1)
          self.assertEqual(data is not None, replied)
        # And on nothing else
        for _ in range(2):
          serial += 1
          daemon.WriteConfig(_Text(serial))
          self._AwaitAnswer(daemon, offset, serial)

  def _AwaitAnswer(self, daemon, offset, serial):
    def _Serial():
      with daemon.Asker() as asker:
        data = asker.AskRaw(
          testutils.PackMessage(daemon.key, testutils.MakeMessage(PING),
                                "%d" % (time.time() + offset)))
        return testutils.UnpackReply(daemon.key, data)[1]["serial"] == serial

    testutils.WaitFor(_Serial, "serial %d" % serial, timeout=10 * GOAL)


class KeyTest(_FaultTest):
  def _Replies(self, daemon, key, timeout=0.2):
    """Tells whether requests signed with a key are answered soon.

    """
    with testutils.Asker(key, daemon.address, daemon.port) as asker:
      try:
        asker.Ask(PING, timeout=timeout)
      except testutils.NoReply:
        return False
    return True

  def _CheckReplies(self, daemon, key):
    """Checks that requests signed with a key are answered, if not soon.

    """
    self.assertTrue(self._Replies(daemon, key, testutils.PATIENCE))

  def _CheckChanged(self, daemon):
    testutils.WaitFor(lambda: self._Replies(daemon, NEW_KEY), "the new key",
                      timeout=10 * GOAL)
    self.assertFalse(self._Replies(daemon, testutils.KEY))
    self.assertFalse(self._Replies(daemon, b""))

  def testByRename(self):
    daemon = self._Daemon()
    testutils.WriteFile(daemon.key_file, NEW_KEY)
    self._CheckChanged(daemon)

  def testInPlace(self):
    daemon = self._Daemon()
    with open(daemon.key_file, "wb") as stream:
      stream.write(NEW_KEY)
    self._CheckChanged(daemon)

  def testWhileALoaderHangs(self):
    """However long loading takes, the new key counts.

    """
    with adversity.HeldLoads() as held:
      daemon = self._Daemon(env=held.env)
      held.Hold()
      daemon.WriteConfig(_Text(2))
      loader = held.WaitForLoader()
      testutils.WriteFile(daemon.key_file, NEW_KEY)
      testutils.WaitFor(lambda: self._Replies(daemon, NEW_KEY), "the new key")
      self.assertFalse(self._Replies(daemon, testutils.KEY))
      self.assertTrue(processes.IsAlive(loader))

  def testTouchedWhileAWorkerDies(self):
    """The loader learns of both at once.

    """
    daemon = self._Daemon(args=["--workers=1"])
    found = processes.Find(daemon, 1)
    daemon.WriteConfig(b"broken")
    self._WaitForLog(daemon, "not JSON")
    with processes.Paused(found.loader):
      testutils.WriteFile(daemon.key_file, testutils.KEY)
      daemon.WriteConfig(b"[]")
      self._WaitForLog(daemon, "no JSON object")
      # The supervisor tells it of the key after that line
      time.sleep(0.2)
      os.kill(found.workers[0], signal.SIGKILL)
      processes.WaitForEnd(found.workers)
    testutils.WaitFor(
      lambda: processes.Find(daemon, 1, spare=False).workers != found.workers,
      "the worker is replaced")
    daemon.Ask(PING)

  def testHalfWritten(self):
    daemon = self._Daemon()
    with open(daemon.key_file, "wb", buffering=0) as stream:
      self._WaitForLog(daemon, "has 0 bytes, at least 16")
      self.assertFalse(self._Replies(daemon, b""))
      self._CheckReplies(daemon, testutils.KEY)
      stream.write(NEW_KEY[:15])
      self._WaitForLog(daemon, "has 15 bytes, at least 16")
      self.assertFalse(self._Replies(daemon, NEW_KEY[:15]))
      self._CheckReplies(daemon, testutils.KEY)
      stream.write(NEW_KEY[15:])
    self._CheckChanged(daemon)

  def testHalfIsReplaced(self):
    daemon = self._Daemon()
    # Long enough for a key
    with open(daemon.key_file, "wb", buffering=0) as stream:
      stream.write(NEW_KEY[:20])
      testutils.WaitFor(lambda: self._Replies(daemon, NEW_KEY[:20]), "half")
      stream.write(NEW_KEY[20:])
    self._CheckChanged(daemon)
    self.assertFalse(self._Replies(daemon, NEW_KEY[:20]))

  def testEmptyIsNeverUsed(self):
    daemon = self._Daemon()
    testutils.WriteFile(daemon.key_file, b"")
    self._WaitForLog(daemon, "has 0 bytes, at least 16")
    self.assertFalse(self._Replies(daemon, b""))
    self._CheckReplies(daemon, testutils.KEY)
    self.assertNotIn("Traceback", daemon.Log())

  def testEmptyWhileTheConfigurationIsAbsent(self):
    daemon = self._Daemon(None)
    testutils.WriteFile(daemon.key_file, b"")
    daemon.WriteConfig(_Text(1))
    self._WaitForLog(daemon, "has 0 bytes, at least 16")
    self.assertFalse(self._Replies(daemon, b""))
    testutils.WriteFile(daemon.key_file, NEW_KEY)
    self._CheckChanged(daemon)

  def testBesideABrokenConfiguration(self):
    daemon = self._Daemon(_Text(5), args=["--workers=2"])
    workers = processes.Find(daemon, 2).workers
    testutils.WriteFile(daemon.config_file, b"{")
    self._WaitForLog(daemon, "Cannot load the configuration")
    # Neither half a key nor the same once more
    for key in (b"short", testutils.KEY):
      testutils.WriteFile(daemon.key_file, key)
      time.sleep(2 * GOAL)
      self._CheckReplies(daemon, testutils.KEY)
    self.assertEqual(processes.Find(daemon, 2, spare=False).workers, workers)
    testutils.WriteFile(daemon.key_file, NEW_KEY)
    self._CheckChanged(daemon)
    self._WaitForLog(daemon, "served with the new key")
    daemon.key = NEW_KEY
    with daemon.Asker() as asker:
      self.assertEqual(asker.Ask(PING)["serial"], 5)
      self.assertEqual(asker.Answer(65)[1]["restarts"],
                       {"workers": 0, "generations": 0})
    # A new worker has it, too
    os.kill(processes.Find(daemon, 2, spare=False).workers[0], signal.SIGKILL)
    self._WaitForLog(daemon, "replaced in")
    processes.Find(daemon, 2, spare=False)
    self.assertFalse(self._Replies(daemon, testutils.KEY))
    testutils.WriteFile(daemon.config_file, _Text(6))
    testutils.WaitFor(lambda: "serial number 6," in daemon.Log(), "6 is loaded")
    self._CheckChanged(daemon)

  def testLongerThanABlock(self):
    # HMAC takes the digest of such keys
    key = NEW_KEY * 10
    daemon = self._Daemon(key=key)
    self._CheckReplies(daemon, key)


class _NobodysDaemon(testutils.Daemon):
  """The daemon as a user without privileges.

  """
  def __init__(self, *args, **kwargs):
    testutils.Daemon.__init__(self, *args, **kwargs)
    if os.geteuid() == 0:
      self.Own()

  def Own(self):
    for (path, _, names) in os.walk(self.root):
      for name in [path] + [os.path.join(path, name) for name in names]:
        os.chown(name, NOBODY, NOBODY)

  def WriteConfig(self, config):
    testutils.Daemon.WriteConfig(self, config)
    if os.geteuid() == 0:
      os.chown(self.config_file, NOBODY, NOBODY)

  def CommandLine(self, args):
    argv = testutils.Daemon.CommandLine(self, args)
    if os.geteuid() == 0:
      argv = ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY,
              "--clear-groups"] + argv
    return argv


def _LimitNobody(pid, limit):
  """Sets a limit of a process of that user.

  """
  subprocess.run(["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY,
                  "--clear-groups", "prlimit", "--pid=%d" % pid, limit],
                 check=True)


class PermissionTest(_FaultTest):
  def testUnreadable(self):
    for (name, what) in [("config_file", ""), ("key_file", "the HMAC key ")]:
      with self.subTest(name=name):
        daemon = self._Daemon(cls=_NobodysDaemon)
        path = getattr(daemon, name)
        os.chmod(path, 0)
        self._WaitForLog(daemon, "Cannot read %s%s: Permission denied" %
                         (what, path))
        self.assertEqual(daemon.Ask(PING)["serial"], 1)
        before = self._Reloads(daemon)["good"]
        os.chmod(path, 0o600)
        testutils.WaitFor(lambda: self._Reloads(daemon)["good"] > before,
                          "it is read again")
        self.assertEqual(daemon.Log().count("Permission denied"), 1)

  def testDirectoryUnreadable(self):
    daemon = self._Daemon(cls=_NobodysDaemon)
    os.chmod(daemon.datadir, 0)
    self._WaitForLog(daemon, "Permission denied")
    # An unreadable directory does not mean that there is no file
    self.assertEqual(daemon.Ask(PING)["serial"], 1)
    os.chmod(daemon.datadir, 0o700)
    daemon.WriteConfig(_Text(2))
    self._AwaitSerial(daemon, 2)


class LimitTest(_FaultTest):
  """Limits of the system are reached.

  """
  @staticmethod
  def _Limit(name, number, pid=None):
    """Sets a limit, of another user namespace.

    """
    command = ["sh", "-c", "echo %d >/proc/sys/user/%s" % (number, name)]
    if pid is not None:
      command = ["nsenter", "-t", str(pid), "--user",
                 "--preserve-credentials"] + command
    subprocess.run(command, check=True)

  def testInotify(self):
    class _Daemon(testutils.Daemon):
      """The daemon in a user namespace, whose limits are its own.

      """
      limit = None

      def CommandLine(self, args):
        return (["unshare", "--user", "--map-root-user", "sh", "-c",
                 "echo 0 >/proc/sys/user/%s && exec \"$@\"" % self.limit,
                 "sh"] + testutils.Daemon.CommandLine(self, args))

    if subprocess.run(["unshare", "--user", "--map-root-user", "true"],
                      check=False, stderr=subprocess.DEVNULL).returncode:
      self.skipTest("user namespaces are not permitted")
    for name in ("max_inotify_instances", "max_inotify_watches"):
      with self.subTest(limit=name):
        _Daemon.limit = name
        daemon = self._Daemon(cls=_Daemon)
        # By looking
        for serial in (2, 3):
          daemon.WriteConfig(_Text(serial))
          self._AwaitSerial(daemon, serial)
        self._Limit(name, 100, daemon.proc.pid)
        self._WaitForLog(daemon, "inotify works again on %s" % daemon.datadir)
        self.assertEqual(daemon.Log().count("inotify does not work"), 1)
        daemon.WriteConfig(_Text(4))
        self._AwaitSerial(daemon, 4)

  @unittest.skipUnless(os.geteuid() == 0, "must be root to limit nobody")
  def testProcesses(self):
    daemon = self._Daemon(cls=_NobodysDaemon, args=["--workers=2"])
    found = processes.Find(daemon, 2)
    (before, _) = resource.prlimit(0, resource.RLIMIT_NPROC)
    # Soft limits only, as its own user may
    _LimitNobody(found.supervisor, "--nproc=1:")
    _LimitNobody(found.loader, "--nproc=1:")
    # Otherwise that would load it
    os.kill(found.spare, signal.SIGKILL)
    self._WaitForLog(daemon, "Cannot start a spare loader")
    daemon.WriteConfig(_Text(2))
    self._WaitForLog(daemon, "No process to load it with")
    os.kill(found.workers[0], signal.SIGKILL)
    self._WaitForLog(daemon, "Cannot start a worker")
    os.kill(found.keeper, signal.SIGKILL)
    self._WaitForLog(daemon, "Cannot start the process that keeps the pid file")
    self.assertEqual(daemon.Ask(PING)["serial"], 1)
    if before == resource.RLIM_INFINITY:
      before = "unlimited"
    _LimitNobody(found.supervisor, "--nproc=%s:" % before)
    _LimitNobody(found.loader, "--nproc=%s:" % before)
    daemon.WriteConfig(_Text(3))
    self._AwaitSerial(daemon, 3)
    processes.Find(daemon, 2)

  @unittest.skipUnless(os.geteuid() == 0, "must be root to limit the daemon")
  def testFiles(self):
    daemon = self._Daemon()
    found = processes.Find(daemon)
    limits = resource.prlimit(daemon.proc.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.proc.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    # Otherwise that would load it
    os.kill(found.spare, signal.SIGKILL)
    self._WaitForLog(daemon, "Cannot start a spare loader: Too many open files")
    daemon.WriteConfig(_Text(2))
    self._WaitForLog(daemon, "No process to load it with: Too many open files")
    self.assertEqual(daemon.Ask(PING)["serial"], 1)
    resource.prlimit(daemon.proc.pid, resource.RLIMIT_NOFILE, limits)
    daemon.WriteConfig(_Text(3))
    self._AwaitSerial(daemon, 3)

  def testLogOutOfReach(self):
    daemon = self._Daemon(cls=_NobodysDaemon)
    # Messages meanwhile are lost, and nothing else
    os.rename(daemon.logdir, daemon.logdir + ".away")
    daemon.proc.send_signal(signal.SIGHUP)
    daemon.WriteConfig(_Text(2))
    self._AwaitSerial(daemon, 2)
    os.rename(daemon.logdir + ".away", daemon.logdir)
    daemon.WriteConfig(_Text(3))
    self._AwaitSerial(daemon, 3)
    self._WaitForLog(daemon, "serial number 3")

  def testLogRemovedFromUnwritableDirectory(self):
    daemon = self._Daemon(cls=_NobodysDaemon)
    os.unlink(daemon.log_file)
    os.chmod(daemon.logdir, 0o555)
    daemon.proc.send_signal(signal.SIGHUP)
    daemon.WriteConfig(_Text(2))
    self._AwaitSerial(daemon, 2)
    # Messages that went into a file without a name are lost, and counted
    self.assertGreater(daemon.Answer(STATS)[1]["log"]["lost"], 0)
    os.chmod(daemon.logdir, 0o755)
    daemon.WriteConfig(_Text(3))
    self._AwaitSerial(daemon, 3)
    self._WaitForLog(daemon, "serial number 3")

  def testDiskFull(self):
    daemon = self._Daemon(args=["--log-file=/dev/full"])
    for serial in (2, 3):
      daemon.WriteConfig(_Text(serial))
      self._AwaitSerial(daemon, serial)


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Causes faults of the machine, for tests of the daemon.

A function that needs root or a feature of the kernel raises
C{unittest.SkipTest} if the machine lacks that.

"""

import contextlib
import ctypes
import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import textwrap
import unittest

import processes
import testutils


# From linux/ptrace.h and linux/wait.h
_PTRACE_DETACH = 17
_PTRACE_SEIZE = 0x4206
_PTRACE_INTERRUPT = 0x4207
_WALL = 0x40000000

MEGABYTE = 1 << 20


def _Trace(request, pid):
  """Makes a ptrace request without data to a process.

  """
  libc = ctypes.CDLL(None, use_errno=True)
  libc.ptrace.argtypes = [ctypes.c_long] * 4
  libc.ptrace.restype = ctypes.c_long
  if libc.ptrace(request, pid, 0, 0) == -1:
    number = ctypes.get_errno()
    raise OSError(number, "ptrace: %s" % os.strerror(number))


@contextlib.contextmanager
def Stopped(pids):
  """Stops processes by ptrace, until they are killed or the body ends.

  SIGSTOP would not do: the kernel continues a process stopped by SIGSTOP when
  its loader dies.

  @raise OSError: a process is gone, or may not be traced

  """
  seized = []
  try:
    for pid in pids:
      _Trace(_PTRACE_SEIZE, pid)
      seized.append(pid)
      _Trace(_PTRACE_INTERRUPT, pid)
      testutils.WaitFor(lambda: processes.Status(pid, "State")[0] == "t",
                        "process %d is stopped" % pid)
    yield
  finally:
    for pid in seized:
      try:
        _Trace(_PTRACE_DETACH, pid)
      except OSError:
        # The process is dead, and its tracer has to reap it
        with contextlib.suppress(ChildProcessError):
          os.waitpid(pid, os.WNOHANG | _WALL)


class MemoryGroup:
  """A control group whose memory can be limited.

  """
  def __init__(self):
    root = "/sys/fs/cgroup"
    for (parent, names) in [
        (os.path.join(root, "memory"),
         ("memory.limit_in_bytes", "memory.usage_in_bytes",
          "memory.oom_control", "-1")),
        (root, ("memory.max", "memory.current", "memory.events", "max"))]:
      self._path = os.path.join(parent, "ganeti-confd-test.%d" % os.getpid())
      try:
        os.mkdir(self._path)
      except OSError:
        continue
      (self._limit, self._usage, self._events, self._none) = names
      if os.path.exists(os.path.join(self._path, self._limit)):
        return
      os.rmdir(self._path)
    raise unittest.SkipTest("memory cannot be limited (no root, or no control"
                            " group)")

  def _Write(self, name, value):
    with open(os.path.join(self._path, name), "w", encoding="ascii") as stream:
      stream.write(str(value))

  def _Read(self, name):
    return testutils.ReadFile(os.path.join(self._path, name)).decode("ascii")

  def Add(self, tree):
    """Adds processes to the group, except those that have ended.

    @param tree: process ids, as from L{testutils.ProcessTree}

    """
    for pid in tree:
      with contextlib.suppress(ProcessLookupError):
        self._Write("cgroup.procs", pid)

  def Limit(self, size):
    """Limits the memory of all processes in the group.

    @param size: in bytes; None for no limit

    """
    self._Write(self._limit, self._none if size is None else size)

  def Usage(self):
    """Returns how much memory the group uses, in bytes.

    """
    return int(self._Read(self._usage))

  def Kills(self):
    """Returns how many processes the kernel has killed for want of memory.

    """
    for line in self._Read(self._events).splitlines():
      (name, value) = line.split()
      if name == "oom_kill":
        return int(value)
    raise unittest.SkipTest("the kernel does not count whom it kills")

  def Remove(self):
    """Removes the group, as soon as its processes have ended.

    """
    def _Remove():
      with contextlib.suppress(OSError):
        os.rmdir(self._path)
      return not os.path.exists(self._path)

    testutils.WaitFor(_Remove, "the control group is empty")


@contextlib.contextmanager
def CoarseStamps(path):
  """Mounts a file system whose time stamps are whole seconds at a directory.

  """
  if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
    raise unittest.SkipTest("no file system can be made")
  image = path + ".image"
  with open(image, "wb") as stream:
    stream.truncate(128 * MEGABYTE)
  # Inodes of 128 bytes have no room for fractions of a second
  subprocess.run(["mkfs.ext4", "-q", "-I", "128", image], check=True,
                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
  if subprocess.run(["mount", "-o", "loop", image, path], check=False,
                    stderr=subprocess.DEVNULL).returncode:
    raise unittest.SkipTest("no file system can be mounted")
  try:
    yield
  finally:
    subprocess.run(["umount", "--lazy", path], check=True)


def FillUp(fd):
  """Writes to a descriptor until it takes no more.

  """
  flags = fcntl.fcntl(fd, fcntl.F_GETFL)
  os.set_blocking(fd, False)
  for size in (4096, 1):
    try:
      while True:
        os.write(fd, b"-" * size)
    except BlockingIOError:
      pass
  # Restore the flags: they belong to the open file description, which other
  # processes share
  fcntl.fcntl(fd, fcntl.F_SETFL, flags)


#: Code for L{Patched}: a generation that is finishing is never killed, and a
#: daemon that stops leaves no process behind, however slowly they run on a busy
#: machine. A killed generation would lose the requests that it holds.
PATIENT = """\
from ganeti.confd.daemon import loader, policy, process, supervisor
loader._FINISH_TIME = loader._FINISH_FORWARDED_TIME = %(seconds)s
policy._FINISH_TIMEOUT = policy._END_TIMEOUT = 3 * %(seconds)s
process._END_TIMEOUT = supervisor._STOP_TIMEOUT = 9 * %(seconds)s
""" % {"seconds": testutils.PATIENCE}


@contextlib.contextmanager
def Patched(*codes):
  """Makes a daemon's processes run some code before anything else.

  @param codes: Python code, which may change modules
  @return: the environment with which the daemon runs the code

  """
  with tempfile.TemporaryDirectory() as directory:
    testutils.WriteFile(
      os.path.join(directory, "sitecustomize.py"),
      "".join(textwrap.dedent(code) for code in codes).encode("ascii"))
    yield {"PYTHONPATH": os.pathsep.join([directory, testutils.MODULEDIR])}


class HeldLoads:
  """Makes a daemon's loads wait, for tests of what happens meanwhile.

  Use as a context manager. Loads wait between L{Hold} and L{Release}; a spare
  loader's warm-up does not.

  @ivar env: the environment with which a daemon's loads can be made to wait

  """
  def __init__(self, busy=False):
    """@param busy: whether loads use processor time while they wait

    """
    self._stack = contextlib.ExitStack()
    directory = self._stack.enter_context(tempfile.TemporaryDirectory())
    self._hold = os.path.join(directory, "hold")
    self._pids = os.path.join(directory, "pids")
    os.mkdir(self._pids)
    self.env = self._stack.enter_context(Patched("""\
      import os
      import signal
      import time
      from ganeti.confd.config import snapshot

      def _Snapshot(config, real=snapshot.Snapshot):
        if signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
          return real(config)
        if os.path.exists(%r):
          open(os.path.join(%r, str(os.getpid())), "w").close()
        while os.path.exists(%r):
          %s
        return real(config)

      snapshot.Snapshot = _Snapshot
      """ % (self._hold, self._pids, self._hold,
             "pass" if busy else "time.sleep(0.01)")))

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self._stack.close()

  def Hold(self):
    """Makes all loads wait from now on, each after reading the files.

    """
    testutils.WriteFile(self._hold, b"")

  def WaitForLoader(self):
    """Waits until a load is held.

    @return: the loader's process id

    """
    def _Waiting():
      return [pid for pid in map(int, os.listdir(self._pids))
              if processes.IsAlive(pid)]
    return testutils.WaitFor(_Waiting, "a load waits")[0]

  def Release(self):
    """Makes all loads continue.

    """
    os.unlink(self._hold)


@contextlib.contextmanager
def FullSyslog():
  """Makes a socket that is full, for a daemon to use in place of /dev/log.

  @return: the socket, and the environment with which the daemon uses it

  """
  with tempfile.TemporaryDirectory() as directory, \
       socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, \
       socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
    path = os.path.join(directory, "log")
    sock.bind(path)
    other.connect(path)
    other.setblocking(False)
    try:
      while True:
        other.send(b"-")
    except BlockingIOError:
      pass
    with Patched("""\
                 from ganeti.confd.daemon import log
                 log._SYSLOG_SOCKET = %r
                 """ % path) as env:
      yield (sock, env)


class DaemonWithStderr(testutils.Daemon):
  """A daemon that logs to a standard error of the test's choice, too.

  @ivar stderr: the descriptor of the standard error

  """
  stderr = None

  def Start(self, wait=True):
    self.port = testutils.FreePort(self.address)
    args = ["-f", "-d", "--no-user-checks", "-p", str(self.port), "-b",
            self.address] + self._args
    self.proc = subprocess.Popen(self.CommandLine(args),
                                 env=self.Environment(), cwd="/",
                                 stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=self.stderr)
    testutils.WaitFor(self.IsUp, "the daemon answers")

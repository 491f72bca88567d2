#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The measured servers: our daemon, the packaged one, and an echo of datagrams.

All servers have the same interface: as context managers, they start and stop;
they are asked at C{address} and C{port}; and methods return the activity and
the memory of their processes.

"""

import glob
import os
import re
import socket
import subprocess
import sys
import time

import processes
import testutils

from cluster import debian


#: Seconds until a daemon answers for the first time. The packaged one takes
#: long with a large configuration.
_START_TIME = 120

_ECHO = """
import socket, sys
sock = socket.socket(fileno=%d)
while True:
  (data, address) = sock.recvfrom(65536)
  sock.sendto(data, address)
"""

_SLEEPS_RE = re.compile(rb"^voluntary_ctxt_switches:\s+(\d+)$", re.MULTILINE)


class _Measured:
  """The base class of all servers.

  """
  def Pid(self):
    return self.proc.pid

  def Cpu(self):
    """Returns the CPU time of the server's processes so far, in seconds.

    See L{processes.CpuSeconds}.

    """
    return processes.CpuSeconds(self.Pid())

  def Activity(self):
    """Returns how much the server's processes have done, with high resolution.

    The result covers living processes and threads only. The difference of two
    results is meaningful if none of these has ended in between.

    @return: tuple of how often the processes went to sleep, and their CPU time
      in seconds

    """
    sleeps = 0
    nanoseconds = 0
    for pid in testutils.ProcessTree(self.Pid()):
      for task in glob.glob("/proc/%d/task/*" % pid):
        status = testutils.ReadFile(os.path.join(task, "status"))
        sleeps += int(_SLEEPS_RE.search(status).group(1))
        schedstat = testutils.ReadFile(os.path.join(task, "schedstat"))
        nanoseconds += int(schedstat.split()[0])
    return (sleeps, nanoseconds / 1e9)

  def Processes(self):
    """Returns the number of the server's processes.

    """
    return len(testutils.ProcessTree(self.Pid()))

  def Memory(self):
    """Returns the memory usage of the server's processes, in bytes.

    See L{processes.TreeMemory}.

    """
    return processes.TreeMemory(self.Pid())

  def Settle(self, timeout=60):
    """Waits until the server is idle.

    """
    deadline = time.monotonic() + timeout
    before = self.Cpu()
    while time.monotonic() < deadline:
      time.sleep(0.5)
      now = self.Cpu()
      if now - before < 0.1:
        return
      before = now


class _Daemon(_Measured):
  """A daemon on a configuration.

  """
  def Start(self, wait=True):
    super().Start(wait=False)
    if wait:
      testutils.WaitFor(self._IsReady, "the daemon answers",
                        timeout=_START_TIME)

  def _IsReady(self):
    """Tells whether the daemon answers from a configuration.

    The packaged daemon answers with an error until it has a configuration.

    """
    if not self._IsBound():
      return False
    with self.Asker() as asker:
      try:
        return asker.Ask(0, timeout=0.5)["status"] == 0
      except testutils.NoReply:
        return False


class Ours(_Daemon, testutils.Daemon):
  def __init__(self, config, workers=None):
    """@type config: bytes
    @param workers: number of workers, None for the default

    """
    args = [] if workers is None else ["--workers", str(workers)]
    testutils.Daemon.__init__(self, config, args=args)


class Debian(_Daemon, debian.Daemon):
  def __init__(self, config):
    """@type config: bytes

    """
    debian.Daemon.__init__(self, config)


class Echo(_Measured):
  """A Python program that only echoes datagrams: the upper limit of all rates.

  """
  def __init__(self):
    self.address = "127.0.0.1"
    self.port = None
    self.proc = None

  def __enter__(self):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
      sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
      sock.bind((self.address, 0))
      self.port = sock.getsockname()[1]
      self.proc = subprocess.Popen(
        [sys.executable, "-c", _ECHO % sock.fileno()],
        pass_fds=[sock.fileno()])
    return self

  def __exit__(self, *_):
    self.proc.kill()
    self.proc.wait()


def HasDebian():
  """Tells whether the packaged daemon is there to compare with.

  """
  return os.access(debian.CONFD, os.X_OK)

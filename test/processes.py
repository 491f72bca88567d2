#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The kernel's view of processes, for tests of the daemon.

Names of the daemon's processes: the supervisor has three children, the keeper
of the pid file, a loader and a spare loader. The loader's children are the
workers and the process for large answers. Workers are started under load; while
there is none, the loader answers. For a moment after each load of the files,
the loader has one more child: the check, which compares the files with what was
loaded.

Any process may end between two calls, and the check at any time. Functions that
take a process id say what they return for a process that is gone. Tests get the
daemon's processes from L{Find}, which leaves the check out; a process that
L{testutils.ProcessTree} lists may be gone when the next line runs.

"""

import contextlib
import os
import signal
import socket
import typing

import testutils
from testutils import IsAlive, QUERY


#: Score of the process that the kernel ends first when memory runs out
_OOM_FIRST = 1000

#: Errors when a process's files in /proc are read after its end: from open(2)
#: and from read(2)
_GONE = (FileNotFoundError, ProcessLookupError)


class Processes(typing.NamedTuple):
  """The processes of a daemon that serves.

  """
  supervisor: int
  keeper: int
  loader: int
  #: The spare loader; None for a moment after a load, and while the newest
  #: configuration cannot be loaded
  spare: typing.Optional[int]
  workers: typing.List[int]
  #: The process for large answers; None before the first of them
  large: typing.Optional[int]

  def All(self):
    """Lists the ids of all processes, parents before children.

    """
    return [pid for pid in (self.supervisor, self.keeper, self.loader,
                            self.spare, *self.workers, self.large)
            if pid is not None]

  @property
  def readers(self):
    """The processes that take datagrams off the socket.

    """
    return self.workers or [self.loader]


def _Stat(pid):
  """Returns the fields of a process's C{stat} after its name.

  @return: None if the process is gone

  """
  try:
    text = testutils.ReadFile("/proc/%d/stat" % pid)
  except _GONE:
    return None
  return text.decode("ascii", "replace").rpartition(")")[2].split()


def WaitForEnd(pids):
  """Waits until processes have ended.

  """
  testutils.WaitFor(lambda: not any(IsAlive(pid) for pid in pids),
                    "processes %s end" % pids)


@contextlib.contextmanager
def Paused(*pids):
  """Pauses processes by SIGSTOP while the body runs.

  The body begins when all are stopped: on a busy machine, a process may run for
  a while after the signal was sent.

  """
  try:
    for pid in pids:
      os.kill(pid, signal.SIGSTOP)
    for pid in pids:
      testutils.WaitFor(lambda pid=pid: Status(pid, "State")[0] == "T",
                        "process %d is paused" % pid)
    yield
  finally:
    for pid in pids:
      with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def MakeBusy(daemon):
  """Puts a daemon under load: many datagrams without replies, a large answer.

  """
  family = socket.AF_INET6 if ":" in daemon.address else socket.AF_INET
  with socket.socket(family, socket.SOCK_DGRAM) as sock:
    for _ in range(2000):
      sock.sendto(b"x", (daemon.address, daemon.port))
  with daemon.Asker() as asker:
    asker.Send(testutils.PackMessage(daemon.key, testutils.MakeMessage(
      QUERY, {"what": "node", "fields": ["name"]})))


def Find(daemon, workers=None, spare=True):
  """Waits until a daemon has all its processes.

  @param daemon: a L{testutils.Daemon}, or the supervisor's process id
  @param workers: the daemon's limit of workers: the daemon is put under load
    until all of them and the process for large answers run; None for those that
    run already, if any
  @param spare: whether the daemon has a spare loader; there is none if the last
    configuration could not be loaded
  @rtype: L{Processes}

  """
  pid = daemon if isinstance(daemon, int) else daemon.proc.pid

  def _Find():
    found = Look(pid)
    if found and (found.spare is not None) != spare:
      return None
    if workers is None or (found and found.large and
                           len(found.workers) == workers):
      return found
    MakeBusy(daemon)
    return None

  return testutils.WaitFor(_Find, "all processes of %s" % pid)


def Look(pid):
  """Returns a daemon's processes at this moment.

  @param pid: the supervisor's process id
  @rtype: L{Processes}
  @return: None if nothing serves at the moment, if there are two generations,
    or if a process has just been started

  """
  # Include zombies: at the daemon's start, the process that asked for inotify's
  # watch is a child until it is reaped
  children = _AllChildren(pid)
  keepers = [child for child in children if IsKeeper(child)]
  spares = [child for child in children if IsSpare(child)]
  loaders = [child for child in children if child not in keepers + spares]
  if [len(keepers), len(loaders)] != [1, 1] or len(spares) > 1:
    return None
  own = OomScore(loaders[0])
  if own in (None, _OOM_FIRST):
    return None
  workers = []
  large = []
  for child in Children(loaders[0]):
    score = OomScore(child)
    if _IsWorker(child):
      workers.append(child)
    elif score is None or score == own < _OOM_FIRST:
      # The child was just started: it has the loader's score until it sets its
      # own
      return None
    elif score < _OOM_FIRST:
      large.append(child)
  if len(large) > 1:
    return None
  return Processes(pid, keepers[0], loaders[0], spares[0] if spares else None,
                   workers, large[0] if large else None)


def IsKeeper(pid):
  """Tells whether a process is the keeper of a pid file.

  """
  try:
    return testutils.ReadFile("/proc/%d/comm" % pid) == b"pid-keeper\n"
  except _GONE:
    return False


def Loading(pid):
  """Returns the processes of a daemon that load a configuration.

  @param pid: the supervisor's process id

  """
  return [child for child in Children(pid)
          if OomScore(child) == _OOM_FIRST and not IsSpare(child) and
          IsAlive(child)]


def IsSpare(pid):
  """Tells whether a process is a loader that waits for the order to load.

  """
  try:
    ignored = int(Status(pid, "SigIgn"), 16)
  except _GONE:
    return False
  # A spare loader ignores SIGTERM, as the keeper does; a loader that loads or
  # serves finishes on SIGTERM
  return bool(ignored >> (signal.SIGTERM - 1) & 1) and not IsKeeper(pid)


def OomScore(pid):
  """Returns a process's C{oom_score_adj}; None if the process is gone.

  """
  try:
    return int(testutils.ReadFile("/proc/%d/oom_score_adj" % pid))
  except _GONE:
    return None


def IsCheck(pid):
  """Tells whether a child of a loader is the check.

  """
  # The score is not enough: a worker has the same one until the loader has
  # loaded
  return OomScore(pid) == _OOM_FIRST and not _IsWorker(pid)


def _IsWorker(pid):
  """Tells whether a child of a loader is a worker, and so waits for datagrams.

  """
  return "anon_inode:[eventpoll]" in OpenFiles(pid)


def OpenFiles(pid):
  """Returns the names of a process's open files; none if the process is gone.

  """
  names = []
  path = "/proc/%d/fd" % pid
  with contextlib.suppress(*_GONE):
    for name in os.listdir(path):
      # Skip only the file that was closed meanwhile
      with contextlib.suppress(*_GONE):
        names.append(os.readlink(os.path.join(path, name)))
  return names


def _AllChildren(pid):
  """Returns the children of a process, including zombies, oldest first.

  """
  try:
    text = testutils.ReadFile("/proc/%d/task/%d/children" % (pid, pid))
  except _GONE:
    return []
  return list(map(int, text.split()))


def Children(pid):
  """Returns the living children of a process, oldest first.

  """
  return [child for child in _AllChildren(pid) if IsAlive(child)]


def CpuSeconds(pid):
  """Returns the processor time of a process and its descendants, in seconds.

  The sum includes descendants that have ended.

  """
  ticks = 0
  for process in testutils.ProcessTree(pid):
    fields = _Stat(process)
    if fields:
      ticks += sum(map(int, fields[11:15]))
  return ticks / os.sysconf("SC_CLK_TCK")


def Status(pid, name):
  """Returns a value of a process's C{status}.

  @rtype: string
  @raise OSError: the process is gone

  """
  for line in testutils.ReadFile("/proc/%d/status" % pid).decode().splitlines():
    (key, _, value) = line.partition(":")
    if key == name:
      return value.strip()
  raise AssertionError("No %s of process %d" % (name, pid))


def Memory(pid, name):
  """Returns a value of a process's C{smaps_rollup}, in bytes.

  @param name: C{Pss}, C{Rss} or C{Private_Dirty}
  @raise OSError: the process is gone

  """
  text = testutils.ReadFile("/proc/%d/smaps_rollup" % pid).decode("ascii")
  for line in text.splitlines():
    if line.startswith(name + ":"):
      return int(line.split()[1]) * 1024
  raise AssertionError("No %s of process %d" % (name, pid))


def TreeMemory(pid):
  """Returns the memory of a process and all its descendants, in bytes.

  Pages that several processes share count once (PSS). Processes that end or
  start during the measurement may be missing from the sum.

  """
  total = 0
  for process in testutils.ProcessTree(pid):
    try:
      total += Memory(process, "Pss")
    except _GONE:
      continue
  return total

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What the kernel tells about processes, for tests of the daemon.

The daemon's processes, as the tests name them: the supervisor has the keeper of
the pid file and a loader as its children; the loader's children are the
workers and the process for large answers. At first there is one worker; the
others come when there is much to do. For a moment after a change, there is one
that looks at the files again.

"""

import collections
import os
import socket

import testutils


#: Request type
QUERY = 64

#: The processes of a daemon that serves; C{workers} is a list
Processes = collections.namedtuple("Processes", ["supervisor", "keeper",
                                                 "loader", "workers", "large"])


def _Stat(pid):
  """Returns the fields of a process's C{stat} after its name.

  @return: None if it is gone

  """
  try:
    text = testutils.ReadFile("/proc/%d/stat" % pid)
  except (FileNotFoundError, ProcessLookupError):
    return None
  return text.decode("ascii", "replace").rpartition(")")[2].split()


def IsAlive(pid):
  """Tells whether a process runs; one that waits to be collected does not.

  """
  fields = _Stat(pid)
  return fields is not None and fields[0] not in ("Z", "X")


def WaitForEnd(pids):
  """Waits until processes have ended.

  """
  testutils.WaitFor(lambda: not any(IsAlive(pid) for pid in pids),
                    "processes %s end" % pids)


def _MakeBusy(daemon):
  """Gives a daemon much to do, but nothing to answer, and a long question.

  """
  family = socket.AF_INET6 if ":" in daemon.address else socket.AF_INET
  with socket.socket(family, socket.SOCK_DGRAM) as sock:
    for _ in range(2000):
      sock.sendto(b"x", (daemon.address, daemon.port))
  with daemon.Asker() as asker:
    asker.Send(testutils.PackMessage(daemon.key, testutils.MakeMessage(
      QUERY, {"what": "node", "fields": ["name"]})))


def Find(daemon, workers=None):
  """Finds a daemon's processes, once they are all there.

  @param daemon: a L{testutils.Daemon}, or the supervisor's process id
  @param workers: how many workers it may have: it gets so much to do that all
    of them come, and the process for large answers too; None for those that
    there are
  @rtype: L{Processes}

  """
  pid = daemon if isinstance(daemon, int) else daemon.proc.pid

  def _Find():
    found = Look(pid)
    if workers is None or (found and found.large and
                           len(found.workers) == workers):
      return found
    _MakeBusy(daemon)
    return None

  return testutils.WaitFor(_Find, "all processes of %s" % pid)


def Look(pid):
  """Looks at a daemon's processes.

  @param pid: the supervisor's process id
  @rtype: L{Processes}
  @return: None if at the moment nothing serves, or not only one generation is
    there

  """
  # One that has ended and was not collected counts, too: at the start, that is
  # the one that asked for inotify's watch
  children = _AllChildren(pid)
  keepers = [child for child in children if IsKeeper(child)]
  loaders = [child for child in children if Children(child)]
  if len(children) != 2 or len(keepers) != 1 or len(loaders) != 1:
    return None
  serving = [child for child in Children(loaders[0]) if not IsCheck(child)]
  workers = [child for child in serving if _IsWorker(child)]
  large = [child for child in serving if child not in workers]
  if not workers or len(large) > 1:
    return None
  return Processes(pid, keepers[0], loaders[0], workers,
                   large[0] if large else None)


def IsKeeper(pid):
  """Tells whether a process is one that keeps a pid file.

  """
  try:
    return testutils.ReadFile("/proc/%d/comm" % pid) == b"pid-keeper\n"
  except (FileNotFoundError, ProcessLookupError):
    return False


def IsCheck(pid):
  """Tells whether a child of a loader is one that looks at the files again.

  """
  try:
    text = testutils.ReadFile("/proc/%d/oom_score_adj" % pid)
  except (FileNotFoundError, ProcessLookupError):
    return True
  # A worker that waits for its turn has that, too
  return int(text) == 1000 and not _IsWorker(pid)


def _IsWorker(pid):
  """Tells whether a process waits for datagrams.

  The one that makes large answers leaves the receiving to the others.

  """
  return "anon_inode:[eventpoll]" in OpenFiles(pid)


def OpenFiles(pid):
  """Returns the names of what a process has open, as the kernel has them.

  """
  names = []
  path = "/proc/%d/fd" % pid
  try:
    for name in os.listdir(path):
      names.append(os.readlink(os.path.join(path, name)))
  except (FileNotFoundError, ProcessLookupError):
    pass
  return names


def _AllChildren(pid):
  """Returns the children of a process, oldest first, dead ones too.

  """
  try:
    text = testutils.ReadFile("/proc/%d/task/%d/children" % (pid, pid))
  except (FileNotFoundError, ProcessLookupError):
    return []
  return list(map(int, text.split()))


def Children(pid):
  """Returns the living children of a process, oldest first.

  """
  return [child for child in _AllChildren(pid) if IsAlive(child)]


def CpuSeconds(pid):
  """Returns the processor time of a process and all it has or had as children.

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

  """
  for line in testutils.ReadFile("/proc/%d/status" % pid).decode().splitlines():
    (key, _, value) = line.partition(":")
    if key == name:
      return value.strip()
  raise AssertionError("No %s of process %d" % (name, pid))


def Memory(pid, name):
  """Returns a value of a process's C{smaps_rollup}, in bytes.

  @param name: C{Pss}, C{Rss} or C{Private_Dirty}

  """
  text = testutils.ReadFile("/proc/%d/smaps_rollup" % pid).decode("ascii")
  for line in text.splitlines():
    if line.startswith(name + ":"):
      return int(line.split()[1]) * 1024
  raise AssertionError("No %s of process %d" % (name, pid))


def TreeMemory(pid):
  """Returns the memory of a process and all its descendants, in bytes.

  Pages that several of them share count once (PSS). A process that ends during
  the measurement may be missing from the sum, and so may one that starts.

  """
  total = 0
  for process in testutils.ProcessTree(pid):
    try:
      total += Memory(process, "Pss")
    except (FileNotFoundError, ProcessLookupError):
      continue
  return total

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What the kernel tells about processes, for tests of the daemon.

The daemon's processes, as the tests name them: the supervisor has the keeper of
the pid file and a loader as its children; the loader's children are the
workers and, last, the process for large answers. (The keeper has no children,
and nobody else is without when the daemon serves.)

"""

import collections
import os

import testutils


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


def Find(daemon, workers):
  """Finds a daemon's processes, once they are all there.

  @param daemon: a L{testutils.Daemon}, or the supervisor's process id
  @param workers: how many workers it has
  @rtype: L{Processes}

  """
  pid = daemon if isinstance(daemon, int) else daemon.proc.pid

  def _Find():
    children = Children(pid)
    loaders = [child for child in children if Children(child)]
    if len(children) != 2 or len(loaders) != 1:
      return None
    serving = Children(loaders[0])
    if len(serving) != workers + 1:
      return None
    children.remove(loaders[0])
    # The one that makes large answers leaves the receiving to the others
    large = [child for child in serving if OpenPipes(child) == _LARGE_PIPES]
    if len(large) != 1:
      return None
    serving.remove(large[0])
    return Processes(pid, children[0], loaders[0], serving, large[0])

  return testutils.WaitFor(_Find, "all processes of %s" % pid)


#: The status pipe, the keeper's, and the one it dies with; workers lack the
#: last
_LARGE_PIPES = 3


def OpenPipes(pid):
  """Counts the pipes that a process has open.

  """
  pipes = set()
  path = "/proc/%d/fd" % pid
  try:
    for name in os.listdir(path):
      target = os.readlink(os.path.join(path, name))
      if target.startswith("pipe:"):
        pipes.add(target)
  except (FileNotFoundError, ProcessLookupError):
    return 0
  return len(pipes)


def Children(pid):
  """Returns the living children of a process, oldest first.

  """
  try:
    text = testutils.ReadFile("/proc/%d/task/%d/children" % (pid, pid))
  except (FileNotFoundError, ProcessLookupError):
    return []
  return [child for child in map(int, text.split()) if IsAlive(child)]


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

  @param name: C{Pss} or C{Rss}

  """
  text = testutils.ReadFile("/proc/%d/smaps_rollup" % pid).decode("ascii")
  for line in text.splitlines():
    if line.startswith(name + ":"):
      return int(line.split()[1]) * 1024
  raise AssertionError("No %s of process %d" % (name, pid))

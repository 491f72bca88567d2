#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Makes the answer to a STATS request: the daemon's memory, counters and state.

Facts: /proc/PID/smaps_rollup has the proportional set size (PSS) of a process:
a page that N processes share counts as 1/N page in each of them, so the sum
over all processes is the memory that the daemon takes.
/proc/PID/task/PID/children lists a process's children. /proc/net/udp has the
number of datagrams that the kernel has dropped for each socket, nearly always
because the socket's receive queue was full. The alternative, SO_RXQ_OVFL, costs
time for every datagram.

"""

from __future__ import annotations

import os
import socket
import time

from ganeti.confd import _version
from ganeti.confd import filestate
from ganeti.confd.daemon import setup as setuplib
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any, Callable, Iterator, Optional


#: Time for which values from /proc are cached (seconds), as reading them may
#: take milliseconds
_CACHE_TIME = 1.0

#: Indexes of columns in /proc/net/udp
_INODE_COLUMN = 9
_DROPS_COLUMN = -1


def _Descendants(pid: int) -> Iterator[int]:
  """Yields the ids of a process and all its descendants.

  """
  yield pid
  try:
    with open("/proc/%d/task/%d/children" % (pid, pid),
              encoding="ascii") as children:
      pids = [int(child) for child in children.read().split()]
  except OSError:
    # The process has ended, or the kernel does not list the children of
    # processes
    return
  for child in pids:
    yield from _Descendants(child)


def _Memory(pid: int) -> Optional[int]:
  """Returns the memory that a process and its descendants take, in bytes.

  @return: None if the kernel does not provide it

  """
  total = 0
  for process in _Descendants(pid):
    try:
      with open("/proc/%d/smaps_rollup" % process, encoding="ascii") as rollup:
        total += sum(int(line.split()[1]) for line in rollup
                     if line.startswith("Pss:"))
    except (FileNotFoundError, ProcessLookupError):
      # The process has ended, or is a zombie: skip it. If the process is the
      # daemon's supervisor, which has not ended, the kernel lacks smaps_rollup.
      if process == pid:
        return None
    except OSError:
      # The kernel does not permit reading the file (EACCES and the like)
      return None
  return total * 1024


def _Overflow(sock: socket.socket) -> Optional[int]:
  """Returns how many datagrams for a socket the kernel has dropped.

  @return: None if the kernel does not provide it

  """
  name = "udp6" if sock.family == socket.AF_INET6 else "udp"
  inode = str(os.fstat(sock.fileno()).st_ino)
  try:
    with open("/proc/net/" + name, encoding="ascii") as table:
      for line in table:
        columns = line.split()
        if columns[_INODE_COLUMN] == inode:
          return int(columns[_DROPS_COLUMN])
  except OSError:
    pass
  return None


class Stats:
  """Collects the values of the answer to STATS.

  """
  def __init__(self, setup: setuplib.Setup, serial: int, warnings: int,
               config_state: filestate.State, digest: str,
               load_time: float, pending: Callable[[], int]) -> None:
    """@param serial: the loaded configuration's serial number
    @param warnings: number of the loaded configuration's warnings
    @param config_state: state of the loaded file
    @param digest: L{filestate.Digest} of the file's content
    @param load_time: seconds that loading the file took
    @param pending: returns how many WAIT requests are pending

    """
    self._setup = setup
    self._pending = pending
    self._config = {
      "serial": serial,
      "warnings": warnings,
      "inode": config_state.inode,
      "mtime": config_state.mtime_ns / 1e9,
      "size": config_state.size,
      "digest": digest,
      "load_time": load_time,
      }
    self._loaded = time.monotonic()
    self._read_at = self._loaded - 2 * _CACHE_TIME
    self._memory: Optional[int] = None
    self._overflow: Optional[int] = None

  def Collect(self) -> dict[str, Any]:
    """Returns the answer to a STATS request.

    Times are in seconds, sizes in bytes. C{memory} and C{overflow}, the
    datagrams dropped from the socket's receive queue, are None if the kernel
    does not provide them, and may be a second old. Counters are current, and
    are sums over all processes since the daemon's start.

    """
    now = time.monotonic()
    if now - self._read_at > _CACHE_TIME:
      self._read_at = now
      self._memory = _Memory(self._setup.supervisor)
      self._overflow = _Overflow(self._setup.sock)
    answer: dict[str, Any] = {
      "version": _version.VERSION,
      "uptime": now - self._setup.started,
      "workers": self._setup.workers,
      "memory": self._memory,
      "config": dict(self._config, age=now - self._loaded),
      }
    for (name, value) in self._setup.counters.Sum().items():
      (group, _, item) = name.partition(" ")
      answer.setdefault(group, {})[item] = value
    answer["config"]["stale"] = bool(answer["config"]["stale"])
    answer["dropped"]["overflow"] = self._overflow
    answer["waiting"]["now"] = self._pending()
    return answer

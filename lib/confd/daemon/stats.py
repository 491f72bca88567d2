#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What the daemon tells about itself: the answer to a STATS request.

Facts: /proc/PID/smaps_rollup has a process's proportional share of memory:
pages that several share are divided among them, so that the sum is what the
daemon takes. /proc/PID/task/PID/children lists a process's children.
/proc/net/udp has for each socket how many datagrams the kernel has dropped,
nearly always because its queue was full; to be told with each datagram
(SO_RXQ_OVFL) would cost each datagram something.

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


#: Seconds for which what the system was asked for is kept: it may take
#: milliseconds to tell
_KEEP = 1.0

#: Where the columns are in /proc/net/udp
_INODE_COLUMN = 9
_DROPS_COLUMN = -1


def _Descendants(pid: int) -> Iterator[int]:
  """Yields a process and all that descend from it.

  """
  yield pid
  try:
    with open("/proc/%d/task/%d/children" % (pid, pid),
              encoding="ascii") as children:
      pids = [int(child) for child in children.read().split()]
  except OSError:
    # It ended, or the kernel does not tell
    return
  for child in pids:
    yield from _Descendants(child)


def _Memory(pid: int) -> Optional[int]:
  """Returns the memory that a process and its descendants take, in bytes.

  @return: None where the kernel does not tell

  """
  total = 0
  for process in _Descendants(pid):
    try:
      with open("/proc/%d/smaps_rollup" % process, encoding="ascii") as rollup:
        total += sum(int(line.split()[1]) for line in rollup
                     if line.startswith("Pss:"))
    except (FileNotFoundError, ProcessLookupError):
      # It ended meanwhile, or waits to be collected
      if process == pid:
        return None
    except OSError:
      # Not ours to look at, any more
      return None
  return total * 1024


def _Overflow(sock: socket.socket) -> Optional[int]:
  """Returns how many datagrams the kernel has dropped that were for a socket.

  @return: None where the kernel does not tell

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
  """Collects what there is to tell.

  """
  def __init__(self, setup: setuplib.Setup, serial: int, warnings: int,
               config_state: filestate.State, digest: str,
               load_time: float, kept: Callable[[], int]) -> None:
    """@param serial: the loaded configuration's serial number
    @param warnings: how many things were left out of it
    @param config_state: that of the loaded file
    @param digest: L{filestate.Digest} of what was in it
    @param load_time: seconds that loading it took
    @param kept: tells how many questions are kept

    """
    self._setup = setup
    self._kept = kept
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
    self._looked = self._loaded - 2 * _KEEP
    self._memory: Optional[int] = None
    self._overflow: Optional[int] = None

  def Collect(self) -> dict[str, Any]:
    """Returns the answer to a STATS request.

    Times are in seconds, sizes in bytes; C{memory} and what was dropped by an
    C{overflow} of the socket's queue are None where the system does not tell,
    and may be a second old. Counters are those of all processes since the
    start, and of this moment.

    """
    now = time.monotonic()
    if now - self._looked > _KEEP:
      self._looked = now
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
    answer["waiting"]["now"] = self._kept()
    return answer

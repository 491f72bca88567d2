#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Processes and signals, for the supervisor and the loaders.

Rule: a signal handler only queues the signal. The event loop of each process
reads the queue and acts.

"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import math
import os
import select
import signal
import time

from ganeti import confd
from ganeti.confd.typed import TYPE_CHECKING, cast

if TYPE_CHECKING:
  from typing import Callable, Iterable, NoReturn, Optional, Protocol, \
    TypeVar, Union


#: All signals that any process of the daemon handles
_SIGNALS = frozenset([signal.SIGTERM, signal.SIGINT, signal.SIGHUP,
                      signal.SIGUSR1, signal.SIGCHLD, signal.SIGIO])

#: Signals that children ignore. A terminal sends SIGINT and SIGHUP to the whole
#: process group, but only the supervisor may act on them and on SIGUSR1.
#: SIGTTOU comes when a background process writes to its terminal, and would
#: stop the process.
_IGNORED_BY_CHILDREN = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1,
                        signal.SIGTTOU)

_OOM_SCORE_FILE = "/proc/self/oom_score_adj"

#: The OOM score of a process that is to be killed first when memory runs out
OOM_FIRST = 1000

#: Maximum time to wait for the end of a killed process, and time between two
#: checks whether the process has ended (seconds). The wait has a limit because
#: a process that waits for a disk does not end before the disk answers.
_END_TIMEOUT = 2.0
_END_PAUSE = 0.001


if TYPE_CHECKING:
  class _HasFileno(Protocol):
    def fileno(self) -> int:
      """Returns a descriptor."""

  _Source = TypeVar("_Source", bound=Union[int, _HasFileno])


def Wait(sources: Iterable[_Source], timeout: Optional[float]) -> list[_Source]:
  """Waits until a source is readable, or at end of file.

  This function uses poll(), as C{select.select} is limited to descriptors below
  1,024.

  @param timeout: seconds; None to wait for ever
  @return: the sources that are readable or at end of file

  """
  poller = select.poll()
  by_fd = {}
  for source in sources:
    fd = source if isinstance(source, int) else \
      cast("_HasFileno", source).fileno()
    by_fd[fd] = source
    poller.register(fd, select.POLLIN)
  # Round up to whole milliseconds: otherwise poll() would return just before
  # the deadline
  ready = poller.poll(None if timeout is None else
                      max(0, math.ceil(timeout * 1000)))
  return [by_fd[fd] for (fd, _) in ready]


def HoldSignals() -> None:
  """Blocks all signals until the first L{SignalQueue} is made.

  To be called before this process creates anything that has to be removed: the
  default action of a signal would end the process without the removal.

  """
  signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


class SignalQueue:
  """Signals as a readable descriptor.

  """
  def __init__(self, signums: Iterable[int]) -> None:
    (self._read_fd, self._write_fd) = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    self.fds = [self._read_fd, self._write_fd]
    signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
    for signum in signums:
      signal.signal(signum, lambda _signum, _frame: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

  def fileno(self) -> int:
    return self._read_fd

  def Read(self) -> set[int]:
    """Returns the numbers of all queued signals, and empties the queue.

    """
    try:
      return set(os.read(self._read_fd, 4096))
    except BlockingIOError:
      return set()


def Fork(function: Callable[[], None], close_fds: Iterable[int],
         new_group: bool = False) -> int:
  """Runs a function in a new process, which ends when the function returns.

  The child starts with the default action for every signal, except that the
  child ignores L{_IGNORED_BY_CHILDREN}.

  @param close_fds: descriptors of the parent that the child closes
  @param new_group: whether the child leads a new process group, for
    L{KillGroup}
  @return: the child's process id
  @raise OSError: the system has too many processes, or the like

  """
  # Block signals during the fork. Until the child has reset its signal
  # handlers, a signal to the child would be written to the parent's queue.
  mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
  try:
    pid = os.fork()
    if not pid:
      _RunChild(function, close_fds, new_group, mask)
  finally:
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
  if new_group:
    # Set the group in the parent and in the child, as either may run first
    with contextlib.suppress(OSError):
      os.setpgid(pid, pid)
  return pid


def _RunChild(function: Callable[[], None], close_fds: Iterable[int],
              new_group: bool, mask: Iterable[int]) -> NoReturn:
  """The child's part of L{Fork}.

  @param mask: the signals that were blocked in the parent

  """
  status = os.EX_SOFTWARE
  try:
    if new_group:
      os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    for signum in _SIGNALS:
      signal.signal(signum, signal.SIG_DFL)
    for ignored in _IGNORED_BY_CHILDREN:
      signal.signal(ignored, signal.SIG_IGN)
    for fd in close_fds:
      os.close(fd)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    function()
    status = os.EX_OK
  except Exception: # pylint: disable=W0718
    logging.exception("Process %d ends because of a programming error;"
                      " %s", os.getpid(), confd.PLEASE_REPORT)
  finally:
    # Do not run the parent's exit handlers, and do not take the time to free a
    # large heap
    os._exit(status)


def DieWithWriter(fd: int) -> None:
  """Makes the kernel kill this process when a pipe's last writer is gone.

  The kernel ends the process even in the middle of a long computation, in which
  the process could not poll the pipe. Data written to the pipe has the same
  effect.

  @param fd: the read end of the pipe; no other process may read from it

  """
  fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
  flags = fcntl.fcntl(fd, fcntl.F_GETFL)
  fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_ASYNC)
  if Wait([fd], 0):
    os.kill(os.getpid(), signal.SIGKILL)


def OutliveWriter(fd: int) -> None:
  """Undoes L{DieWithWriter}.

  """
  flags = fcntl.fcntl(fd, fcntl.F_GETFL)
  fcntl.fcntl(fd, fcntl.F_SETFL, flags & ~os.O_ASYNC)


def IgnoreTermination() -> None:
  """Ignores SIGTERM, in a process that ends by itself after the others.

  """
  signal.signal(signal.SIGTERM, signal.SIG_IGN)


def KillGroup(pid: int) -> None:
  """Kills all processes of a group that L{Fork} made, even stopped ones.

  To be called only while one of the processes is known to exist: otherwise the
  kernel may have given the number to another group.

  @param pid: the process id of the group's leader

  """
  with contextlib.suppress(ProcessLookupError):
    os.killpg(pid, signal.SIGKILL)


def End(pid: int) -> None:
  """Kills a child and waits for its end, see L{AwaitEnd}.

  @param pid: process id of a child that was not waited for yet

  """
  os.kill(pid, signal.SIGKILL)
  AwaitEnd(pid)


def AwaitEnd(pid: int) -> None:
  """Waits L{_END_TIMEOUT} at most for the end of a child that was killed.

  @param pid: process id of a child, which may have been waited for already

  """
  deadline = time.monotonic() + _END_TIMEOUT
  with contextlib.suppress(ChildProcessError):
    while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
      time.sleep(_END_PAUSE)


def Reap() -> list[tuple[int, int]]:
  """Waits for all children that have ended, without blocking.

  @return: process ids, each with its exit code, or minus the signal's number

  """
  ended: list[tuple[int, int]] = []
  while True:
    try:
      (pid, status) = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
      return ended
    if pid == 0:
      return ended
    ended.append((pid, os.waitstatus_to_exitcode(status)))


def DescribeEnd(code: Optional[int]) -> str:
  """Describes how a process ended, for a log message.

  @param code: from L{Reap}; None if unknown

  """
  if code is None:
    return "for an unknown reason"
  if code < 0:
    return "killed by signal %d" % -code
  return "exit code %d" % code


def StepBack(niceness: int) -> None:
  """Lowers the scheduling priority of this process.

  @param niceness: added to the nice value

  """
  try:
    os.nice(niceness)
  except OSError as err:
    # The error may be that a system call filter forbids nice()
    logging.debug("Cannot set the niceness: %s", err)


def ReadOomScore() -> Optional[int]:
  """Returns this process's oom_score_adj.

  @return: from -1000 (never killed when memory runs out) to 1000 (killed
    first); None if the file cannot be read

  """
  try:
    with open(_OOM_SCORE_FILE, encoding="ascii") as score:
      return int(score.read())
  except (OSError, ValueError) as err:
    logging.debug("Cannot read %s: %s", _OOM_SCORE_FILE, err)
    return None


def SetOomScore(score: Optional[int]) -> None:
  """Sets this process's oom_score_adj.

  Any process may raise its score, and lower it to the former value again.

  @param score: as from L{ReadOomScore}

  """
  if score is None:
    return
  try:
    with open(_OOM_SCORE_FILE, "w", encoding="ascii") as stream:
      stream.write(str(score))
  except OSError as err:
    logging.debug("Cannot set %s: %s", _OOM_SCORE_FILE, err)

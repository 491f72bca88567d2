#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Processes and signals, as the supervisor and the loaders use them.

Rule: signals only queue; whoever waits in its one loop acts on them.

"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import math
import os
import select
import signal
from typing import Callable, Iterable, List, NoReturn, Optional, Protocol, \
  Set, Tuple, TypeVar, Union, cast

from ganeti import confd


#: Signals that mean something to one of our processes
_SIGNALS = frozenset([signal.SIGTERM, signal.SIGINT, signal.SIGHUP,
                      signal.SIGUSR1, signal.SIGCHLD, signal.SIGIO])

#: Signals for the process group in the terminal's foreground, which are the
#: supervisor's to act on; and the one for writing to it from another group
_IGNORED_BY_CHILDREN = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1,
                        signal.SIGTTOU)

_OOM_SCORE_FILE = "/proc/self/oom_score_adj"

#: The score of a process that is to go first when memory runs out
OOM_FIRST = 1000


class _HasFileno(Protocol):
  def fileno(self) -> int:
    """Returns a descriptor."""


_Source = TypeVar("_Source", bound=Union[int, _HasFileno])


def Wait(sources: Iterable[_Source], timeout: Optional[float]) -> List[_Source]:
  """Waits until something can be read, or has come to its end.

  Unlike C{select.select}, with descriptors of any number.

  @param timeout: seconds; None for any time
  @return: those of the sources of which that is so

  """
  poller = select.poll()
  by_fd = {}
  for source in sources:
    fd = source if isinstance(source, int) else \
      cast(_HasFileno, source).fileno()
    by_fd[fd] = source
    poller.register(fd, select.POLLIN)
  # Up, so that what is due is due afterwards
  ready = poller.poll(None if timeout is None else
                      max(0, math.ceil(timeout * 1000)))
  return [by_fd[fd] for (fd, _) in ready]


def HoldSignals() -> None:
  """Has signals wait for the first L{SignalQueue}.

  From the moment on when their default, a sudden end, would leave something
  behind.

  """
  signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


class SignalQueue:
  """Signals as something to read.

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

  def Read(self) -> Set[int]:
    """Takes all signals out of the queue.

    """
    try:
      return set(os.read(self._read_fd, 4096))
    except BlockingIOError:
      return set()


def Fork(function: Callable[[], None], close_fds: Iterable[int],
         new_group: bool = False) -> int:
  """Runs a function in a new process, which ends with it.

  The child starts with every signal at its default, but those for the process
  group's foreground ignored.

  @param close_fds: descriptors of the parent that the child must not hold
  @param new_group: whether it is to be the first of a new process group, for
    L{KillGroup}
  @return: the child's process id
  @raise OSError: there are too many processes, or the like

  """
  # A signal between fork and the child's own dispositions would be queued
  # with the parent's
  mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
  try:
    pid = os.fork()
    if not pid:
      _RunChild(function, close_fds, new_group, mask)
  finally:
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
  if new_group:
    # Whoever of the two comes first
    with contextlib.suppress(OSError):
      os.setpgid(pid, pid)
  return pid


def _RunChild(function: Callable[[], None], close_fds: Iterable[int],
              new_group: bool, mask: Iterable[int]) -> NoReturn:
  """Does what L{Fork} says, in the new process.

  @param mask: the signals that were blocked before

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
    # Without the parent's exit handlers, and without taking a large heap
    # apart first
    os._exit(status)


def DieWithWriter(fd: int) -> None:
  """Has this process killed when the last writer of a pipe is gone.

  Unlike a look at the pipe now and then, this ends a computation that takes
  long. Anything written to the pipe has the same effect.

  @param fd: the pipe's read end, this process being its only reader

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
  """Lets this process go on when its group is told to end.

  For one that ends by itself, when the others have.

  """
  signal.signal(signal.SIGTERM, signal.SIG_IGN)


def KillGroup(pid: int) -> None:
  """Kills all processes of a group that L{Fork} has made.

  Stopped ones, too. To be called only while one of them is known to be there:
  then the number is not another group's.

  @param pid: the process id of its first process

  """
  with contextlib.suppress(ProcessLookupError):
    os.killpg(pid, signal.SIGKILL)


def End(pid: int) -> None:
  """Kills a child and collects it.

  @param pid: of a child that was not collected yet

  """
  os.kill(pid, signal.SIGKILL)
  os.waitpid(pid, 0)


def Reap() -> List[Tuple[int, int]]:
  """Collects the children that have ended.

  @return: process ids, each with its exit code, or minus the signal's number

  """
  ended: List[Tuple[int, int]] = []
  while True:
    try:
      (pid, status) = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
      return ended
    if pid == 0:
      return ended
    ended.append((pid, os.waitstatus_to_exitcode(status)))


def DescribeEnd(code: Optional[int]) -> str:
  """Says in words how a process ended.

  @param code: from L{Reap}; None if that is not known

  """
  if code is None:
    return "for an unknown reason"
  if code < 0:
    return "killed by signal %d" % -code
  return "exit code %d" % code


def StepBack(niceness: int) -> None:
  """Lets other processes go first.

  """
  try:
    os.nice(niceness)
  except OSError as err:
    # Filters of system calls may forbid it
    logging.debug("Cannot set the niceness: %s", err)


def ReadOomScore() -> Optional[int]:
  """Returns how readily this process is killed when memory runs out.

  @return: -1000 (never) to 1000 (first of all); None where the kernel does not
    tell

  """
  try:
    with open(_OOM_SCORE_FILE, encoding="ascii") as score:
      return int(score.read())
  except (OSError, ValueError) as err:
    logging.debug("Cannot read %s: %s", _OOM_SCORE_FILE, err)
    return None


def SetOomScore(score: Optional[int]) -> None:
  """Says how readily this process is to be killed when memory runs out.

  A process may raise its score, and go back to what it had before.

  @param score: as from L{ReadOomScore}

  """
  if score is None:
    return
  try:
    with open(_OOM_SCORE_FILE, "w", encoding="ascii") as stream:
      stream.write(str(score))
  except OSError as err:
    logging.debug("Cannot set %s: %s", _OOM_SCORE_FILE, err)

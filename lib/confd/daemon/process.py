#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Processes and signals, as the supervisor and the loaders use them.

Rule: signals only queue; whoever waits in its one loop acts on them.

"""

import fcntl
import logging
import os
import select
import signal


#: Signals that mean something to one of our processes
_SIGNALS = frozenset([signal.SIGTERM, signal.SIGINT, signal.SIGHUP,
                      signal.SIGUSR1, signal.SIGCHLD, signal.SIGIO])


def HoldSignals():
  """Has signals wait for the first L{SignalQueue}.

  From the moment on when their default, a sudden end, would leave something
  behind.

  """
  signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


class SignalQueue:
  """Signals as something to read.

  """
  def __init__(self, signums):
    """@param signums: the signals to queue

    """
    (self._read_fd, self._write_fd) = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    self.fds = [self._read_fd, self._write_fd]
    signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
    for signum in signums:
      signal.signal(signum, lambda _signum, _frame: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

  def fileno(self):
    return self._read_fd

  def Read(self):
    """Takes all signals out of the queue.

    @rtype: set of ints

    """
    try:
      return set(os.read(self._read_fd, 4096))
    except BlockingIOError:
      return set()


def Fork(function, close_fds):
  """Runs a function in a new process, which ends with it.

  The child starts with every signal at its default, but those for the process
  group's foreground, which are the supervisor's to act on, ignored.

  @type function: callable without arguments
  @type close_fds: list of ints
  @param close_fds: descriptors of the parent that the child must not hold
  @rtype: int
  @return: the child's process id

  """
  # A signal between the fork and the child's own dispositions would be queued
  # with the parent's
  mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
  try:
    pid = os.fork()
    if pid:
      return pid
    status = os.EX_SOFTWARE
    try:
      signal.set_wakeup_fd(-1)
      for signum in _SIGNALS:
        signal.signal(signum, signal.SIG_DFL)
      for signum in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(signum, signal.SIG_IGN)
      for fd in close_fds:
        os.close(fd)
      signal.pthread_sigmask(signal.SIG_SETMASK, mask)
      function()
      status = os.EX_OK
    except Exception: # pylint: disable=W0718
      logging.exception("Process %d ends because of a programming error;"
                        " please report it", os.getpid())
    finally:
      # Without the parent's exit handlers, and without taking a large heap
      # apart first
      os._exit(status)
  finally:
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def DieWithWriter(fd):
  """Has this process killed when the last writer of a pipe is gone.

  Unlike a look at the pipe now and then, this ends a computation that takes
  long. Anything written to the pipe has the same effect.

  @type fd: int
  @param fd: the pipe's end to read from, this process being its only reader

  """
  fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
  flags = fcntl.fcntl(fd, fcntl.F_GETFL)
  fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_ASYNC)
  (gone, _, _) = select.select([fd], [], [], 0)
  if gone:
    os.kill(os.getpid(), signal.SIGKILL)


def OutliveWriter(fd):
  """Undoes L{DieWithWriter}.

  """
  flags = fcntl.fcntl(fd, fcntl.F_GETFL)
  fcntl.fcntl(fd, fcntl.F_SETFL, flags & ~os.O_ASYNC)


def IgnoreTermination():
  """Lets this process go on when its group is told to end.

  For one that ends by itself, when the others have.

  """
  signal.signal(signal.SIGTERM, signal.SIG_IGN)


def End(pid):
  """Kills a child and collects it.

  @type pid: int
  @param pid: of a child that was not collected yet

  """
  os.kill(pid, signal.SIGKILL)
  os.waitpid(pid, 0)


def Reap():
  """Collects the children that have ended.

  @rtype: list of (int, int)
  @return: process ids, each with its exit code, or minus the signal's number

  """
  ended = []
  while True:
    try:
      (pid, status) = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
      return ended
    if pid == 0:
      return ended
    ended.append((pid, os.waitstatus_to_exitcode(status)))


def DescribeEnd(code):
  """Says in words how a process ended.

  @type code: int
  @param code: from L{Reap}
  @rtype: string

  """
  if code < 0:
    return "killed by signal %d" % -code
  return "exit code %d" % code


def StepBack(niceness):
  """Lets other processes go first.

  @type niceness: int

  """
  try:
    os.nice(niceness)
  except OSError as err:
    # Filters of system calls may forbid it
    logging.debug("Cannot set the niceness: %s", err)


def PreferForOomKill(score):
  """Makes this process a better choice when memory runs out.

  @type score: int
  @param score: 0 (as any other) to 1000 (first of all)

  """
  try:
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as adjust:
      adjust.write(str(score))
  except OSError as err:
    logging.debug("Cannot set oom_score_adj: %s", err)

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The daemon's pid file, and the keeper, the process that removes it.

Facts: Ganeti's daemon-util starts and stops daemons by their pid files. A stale
pid file that root does not own makes start-stop-daemon fail, and with it the
start of all of Ganeti's daemons. So the file has to be removed however the
daemon ends, even by kill -9.

The lock (flock) belongs to the open file description, which the supervisor and
the keeper share, and no other process. So a new daemon can start as soon as
these two are gone, even if other processes of the old daemon are left.

"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
import time

from ganeti import errors
from ganeti.confd.daemon import process
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Iterable, Optional


#: Maximum time for which a new daemon tries to lock the pid file, and time
#: between two attempts (seconds): the keeper of a daemon that has ended may
#: still have the lock
_PATIENCE = 1.0
_PAUSE = 0.02

#: The keeper's descriptors: the read end of a pipe, which is at end of file
#: when the daemon has ended; and the locked pid file
_PIPE_FD = 0
_FILE_FD = 3

#: Shell script of the keeper, which removes the pid file when the daemon has
#: ended. If a user has removed the file that the daemon had locked, the path
#: may lead to another daemon's pid file: the script removes only the locked
#: file. The shell's command line does not contain the daemon's name, so that
#: "pkill -f" with that name spares the keeper. The first line of the script
#: renames the process, and fails where /proc is read-only, as in some
#: containers.
_SHELL = "/bin/sh"
_NAME = "pid-keeper"
_SCRIPT = """
{ printf %s >/proc/$$/comm; } 2>/dev/null
read -r line
[ /proc/$$/fd/%d -ef "$PIDFILE" ] && exec rm -f -- "$PIDFILE"
""" % (_NAME, _FILE_FD)


class PidFile:
  """A locked file with the process id of the daemon.

  """
  def __init__(self, path: str) -> None:
    self.path = path
    self._fd = -1

  def fileno(self) -> int:
    """Returns the descriptor of the locked file, or -1.

    """
    return self._fd

  def Acquire(self) -> None:
    """Locks the file and writes this process's id into it.

    @raise errors.ConfigurationError: another process has the lock, or the file
      cannot be written

    """
    deadline = time.monotonic() + _PATIENCE
    while True:
      try:
        self._fd = self._OpenLocked()
        break
      except BlockingIOError:
        # The lock may be held by the keeper of a killed daemon, which is about
        # to end: try again until the deadline
        if time.monotonic() > deadline:
          raise errors.ConfigurationError("The daemon is running already, as"
                                          " process %s (%s is locked)" %
                                          (self._ReadPid(), self.path))
        time.sleep(_PAUSE)
      except OSError as err:
        raise errors.ConfigurationError("Cannot write the pid file %s: %s" %
                                        (self.path, err.strerror))
    try:
      os.fchmod(self._fd, 0o644)
      os.ftruncate(self._fd, 0)
      os.write(self._fd, b"%d\n" % os.getpid())
    except OSError as err:
      self.Remove()
      raise errors.ConfigurationError("Cannot write the pid file %s: %s" %
                                      (self.path, err.strerror))

  def Remove(self) -> None:
    """Removes the file and releases the lock.

    """
    try:
      os.unlink(self.path)
    except OSError as err:
      logging.error("Cannot remove the pid file %s: %s", self.path,
                    err.strerror)
    os.close(self._fd)
    self._fd = -1

  def _ReadPid(self) -> str:
    try:
      with open(self.path, encoding="ascii", errors="replace") as stream:
        return stream.read(20).strip() or "unknown"
    except OSError:
      return "unknown"

  def _OpenLocked(self) -> int:
    """Opens and locks the file.

    @return: a descriptor
    @raise BlockingIOError: another process has it locked

    """
    while True:
      # O_NOFOLLOW: a symbolic link could lead to any file of the system
      fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC |
                   os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
      try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
          raise OSError(errno.EINVAL, "It is no regular file")
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.stat(self.path), status):
          return fd
      except FileNotFoundError:
        # The former owner of the lock removed the file between open() and
        # stat(): try again
        pass
      except OSError:
        os.close(fd)
        raise
      os.close(fd)


class Keeper:
  """The process that removes the pid file of a daemon that was killed.

  The keeper is a shell that waits until all other processes of the daemon have
  ended: all of them hold the write end of a pipe, none writes to it, and the
  keeper reads end of file when the last one is gone.

  @ivar pid: process id, None while there is no process
  @ivar write_fd: the pipe's write end, closed in processes that the keeper must
    not wait for

  """
  def __init__(self, pid_file: PidFile) -> None:
    self._pid_file = pid_file
    (self._read_fd, self.write_fd) = os.pipe2(os.O_CLOEXEC)
    self.pid: Optional[int] = None

  def OpenFds(self) -> Iterable[int]:
    """Returns the descriptors that other processes must close.

    """
    return [self._read_fd, self._pid_file.fileno()]

  def Start(self) -> None:
    """Starts the process, or starts it again after it died.

    @raise OSError: the system has too many processes, or the like

    """
    def _Main() -> None:
      process.IgnoreTermination()
      # Pass two descriptors to the shell; all others are close-on-exec
      os.dup2(self._read_fd, _PIPE_FD)
      os.dup2(self._pid_file.fileno(), _FILE_FD)
      # Needed if the pid file has the number _FILE_FD already: dup2() of a
      # descriptor to itself leaves it close-on-exec
      os.set_inheritable(_FILE_FD, True)
      os.chdir("/")
      try:
        os.execve(_SHELL, [_NAME, "-c", _SCRIPT],
                  {"PIDFILE": self._pid_file.path, "PATH": "/usr/bin:/bin"})
      except OSError as err:
        # The error may be that a sandbox forbids execve()
        logging.error("Cannot run %s: %s", _SHELL, err.strerror)
        os._exit(os.EX_UNAVAILABLE)

    self.pid = process.Fork(_Main, [], new_group=True)

  def Stop(self) -> None:
    """Ends the process, before the next daemon writes its own pid file.

    """
    if self.pid:
      process.End(self.pid)
      self.pid = None

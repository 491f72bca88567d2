#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The daemon's pid file, and the process that removes it.

Facts: Ganeti's daemon-util starts and stops daemons by it. One left behind by
a process that died, and not owned by root, makes start-stop-daemon refuse, and
with it the start of all of Ganeti's daemons. So it has to go with the daemon,
however that ends.

Its lock (flock) is that of the open file, which the daemon's first process and
the keeper share and nobody else: a new daemon can start as soon as both have
closed it, be other processes left or not.

"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
import time
from typing import Iterable, Optional

from ganeti import errors
from ganeti.confd.daemon import process


#: Seconds for which another daemon's keeper may take to remove the file
_PATIENCE = 1.0
_PAUSE = 0.02

#: The keeper's descriptors: a pipe that ends with the daemon, and the file
_PIPE_FD = 0
_FILE_FD = 3

#: What the keeper does. The file may be another daemon's by now, if somebody
#: has removed ours; while it is ours, nobody else can lock it. There is no word
#: of the daemon's name in its command line: who kills all processes by that
#: name (pkill) still needs the keeper. Where /proc is read-only, as in some
#: containers, the keeper has the name of the shell.
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
    """Returns the descriptor of the file that this process holds.

    """
    return self._fd

  def Acquire(self) -> None:
    """Locks the file and writes this process's id into it.

    @raise errors.ConfigurationError: another process holds it, or it cannot be
      written

    """
    deadline = time.monotonic() + _PATIENCE
    while True:
      try:
        self._fd = self._OpenLocked()
        break
      except BlockingIOError:
        # Perhaps the keeper of a daemon that was killed is about to go
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
    """Removes the file, which this process holds, and lets go of it.

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
      # A symbolic link's target may be anybody's
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
        # Its last owner has removed it meanwhile
        pass
      except OSError:
        os.close(fd)
        raise
      os.close(fd)


class Keeper:
  """Removes the pid file of a daemon that was killed.

  A small process that waits for all others of the daemon to end. It is told by
  a pipe that all of them may write to, and nobody does.

  @ivar pid: process id, None while there is no process
  @ivar write_fd: the pipe's write end; to be closed by a process that shall not
    be waited for

  """
  def __init__(self, pid_file: PidFile) -> None:
    self._pid_file = pid_file
    (self._read_fd, self.write_fd) = os.pipe2(os.O_CLOEXEC)
    self.pid: Optional[int] = None

  def OpenFds(self) -> Iterable[int]:
    """Returns the descriptors that no other process must hold.

    """
    return [self._read_fd, self._pid_file.fileno()]

  def Start(self) -> None:
    """Starts the process, the first time or again.

    @raise OSError: there are too many processes, or the like

    """
    def _Main() -> None:
      process.IgnoreTermination()
      # All others are closed by execve
      os.dup2(self._read_fd, _PIPE_FD)
      os.dup2(self._pid_file.fileno(), _FILE_FD)
      # Where it had that number before
      os.set_inheritable(_FILE_FD, True)
      os.chdir("/")
      try:
        os.execve(_SHELL, [_NAME, "-c", _SCRIPT],
                  {"PIDFILE": self._pid_file.path, "PATH": "/usr/bin:/bin"})
      except OSError as err:
        # A sandbox may forbid it
        logging.error("Cannot run %s: %s", _SHELL, err.strerror)
        os._exit(os.EX_UNAVAILABLE)

    self.pid = process.Fork(_Main, [], new_group=True)

  def Stop(self) -> None:
    """Ends the process, which would look at the file of the next daemon.

    """
    if self.pid:
      process.End(self.pid)
      self.pid = None

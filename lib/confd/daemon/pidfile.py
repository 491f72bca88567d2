#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The daemon's pid file.

Facts: Ganeti's daemon-util starts and stops daemons by it. One left behind by
a process that died, and not owned by root, makes start-stop-daemon refuse, and
with it the start of all of Ganeti's daemons. So it has to go with the daemon,
however that ends.

The lock on it is a POSIX one: it is the process's own, and ends with it. (An
flock would be inherited, and a child that lives on would keep a new daemon
from starting.)

"""

import fcntl
import logging
import os
import select

from ganeti import errors
from ganeti.confd.daemon import process


class PidFile:
  """A locked file with the process id of the daemon.

  """
  def __init__(self, path):
    """@type path: string

    """
    self._path = path
    self._stream = None

  def Acquire(self):
    """Locks the file and writes this process's id into it.

    @raise errors.ConfigurationError: another process holds it, or it cannot be
      written

    """
    self._stream = self._OpenLocked(os.O_CREAT)
    try:
      os.fchmod(self._stream.fileno(), 0o644)
      self._stream.truncate(0)
      os.write(self._stream.fileno(), b"%d\n" % os.getpid())
    except OSError as err:
      self.Remove()
      raise errors.ConfigurationError("Cannot write the pid file %s: %s" %
                                      (self._path, err.strerror))

  def Remove(self):
    """Removes the file, which this process holds.

    """
    self._Unlink()
    self._stream.close()

  def RemoveOf(self, pid):
    """Removes the file if it is that of a process that is dead.

    @type pid: int
    @param pid: id of that process

    """
    try:
      stream = self._OpenLocked(0)
    except errors.ConfigurationError:
      # It is gone, or a new daemon has it
      return
    with stream:
      if stream.read().strip() == str(pid):
        # Before any stream of this file is closed, and be it an inherited one:
        # the lock goes with the first
        self._Unlink()

  def _Unlink(self):
    try:
      os.unlink(self._path)
    except OSError as err:
      logging.error("Cannot remove the pid file %s: %s", self._path,
                    err.strerror)

  def _OpenLocked(self, flags):
    """Opens and locks the file.

    @param flags: more flags for C{os.open}
    @return: stream to read and write

    """
    while True:
      try:
        fd = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | flags, 0o644)
        stream = open(fd, "r+", encoding="ascii", errors="replace")
      except OSError as err:
        raise errors.ConfigurationError("Cannot write the pid file %s: %s" %
                                        (self._path, err.strerror))
      try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        status = os.stat(self._path)
      except FileNotFoundError:
        # Its last owner removed it between our two steps
        stream.close()
        continue
      except OSError:
        pid = stream.read().strip()
        stream.close()
        raise errors.ConfigurationError("The daemon is running already, as"
                                        " process %s (%s is locked)" %
                                        (pid or "unknown", self._path))
      if os.path.samestat(status, os.fstat(fd)):
        return stream
      stream.close()


class Keeper:
  """Removes the pid file of a daemon that was killed.

  A process that waits for all others of the daemon to end. It is told by a
  pipe that everybody but itself may write to, and nobody does.

  @ivar pid: process id, None while there is no process
  @ivar write_fd: the end of the pipe that is to write to; for a process that
    shall not be waited for to close

  """
  def __init__(self, pid_file):
    """@type pid_file: L{PidFile}

    """
    self._pid_file = pid_file
    (self._read_fd, self.write_fd) = os.pipe2(os.O_CLOEXEC)
    self.pid = None

  def Start(self, close_fds):
    """Starts the process, the first time or again.

    @param close_fds: descriptors of this process that it must not hold

    """
    daemon = os.getpid()

    def _Main():
      process.IgnoreTermination()
      select.select([self._read_fd], [], [])
      self._pid_file.RemoveOf(daemon)

    self.pid = process.Fork(_Main, close_fds + [self.write_fd])

  def Stop(self):
    """Ends the process, which would look at the file of the next daemon.

    """
    if self.pid:
      process.End(self.pid)
      self.pid = None

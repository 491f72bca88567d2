#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Notices that a file has changed.

Fact: inotify only hints. It says nothing of a symbolic link's target, and it
may be unavailable. The truth is the state of the files
(L{filestate.FileState}), which whoever uses a L{Watch} compares at each hint,
and every L{Watch.interval} seconds without one.

Fact: what inotify watches belongs to the open file, not to the process that
asked for it. So a child imports pyinotify, asks for the watch, hands the
descriptor back and ends, and the memory of pyinotify with it.

"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time

from ganeti.confd.daemon import backoff
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Callable, Optional, Tuple


#: Seconds between two looks at the files where inotify does not work, and where
#: it does
_POLL_INTERVAL = 0.5
_SAFETY_INTERVAL = 5.0

#: Delays before inotify is tried again; each try takes a process that imports
#: pyinotify, which runs ldconfig to find the C library
_RETRY_DELAY = (5.0, 60.0, 5.0)

#: More than the kernel's default limit of 16,384 events takes (bytes)
_EVENTS_SIZE = 1 << 20

#: The longest text that the child sends (bytes)
_MAX_TEXT = 4096

#: What the child sends with the descriptor: the reason for a failure where the
#: text arrives alone
_LOST = b"too many open files"


def _Open(directory: str, connection: socket.socket) -> None:
  """Asks for a watch, in the child.

  @param connection: where the descriptor goes to, or why there is none

  """
  try:
    import pyinotify
    manager = pyinotify.WatchManager()
    # IN_MODIFY is not among them: a file being written in place would be read
    # half. Its end comes with IN_CLOSE_WRITE, or with a look at its state.
    manager.add_watch(
      directory,
      pyinotify.IN_CLOSE_WRITE | pyinotify.IN_MOVED_TO |
      pyinotify.IN_MOVED_FROM | pyinotify.IN_DELETE | pyinotify.IN_ATTRIB |
      pyinotify.IN_MOVE_SELF | pyinotify.IN_DELETE_SELF | pyinotify.IN_ONLYDIR,
      quiet=False)
  except Exception as err: # pylint: disable=W0718
    # Whatever a library raises, the files are looked at without it
    connection.send(str(err).encode("utf-8", "backslashreplace")[:_MAX_TEXT]
                    or b"?")
  else:
    socket.send_fds(connection, [_LOST], [manager.get_fd()])


class Watch:
  """Watches a directory for changes of its files.

  @ivar pid: the process id of the child that asks for the watch; None while
    there is none. To be set to None when the child has been collected.

  """
  def __init__(self, directory: str,
               fork: Callable[[Callable[[], None]], int]) -> None:
    """@param fork: runs a function in a child that has none of the daemon's
      descriptors but those of this object, and returns the child's process id

    """
    self._directory = directory
    self._fork = fork
    self._fd = -1
    #: The connection to the child, which may take long
    self._connection: Optional[socket.socket] = None
    self.pid: Optional[int] = None
    #: The directory that is, or is to be, watched: device and inode
    self._watched: Optional[Tuple[int, int]] = None
    self._backoff = backoff.Backoff(*_RETRY_DELAY)
    self._not_before = 0.0
    self._warned = False

  def fileno(self) -> int:
    """Returns the descriptor to wait for, or -1 if there is none.

    """
    return self._connection.fileno() if self._connection else self._fd

  @property
  def interval(self) -> float:
    """Seconds after which the files have to be looked at without a hint.

    """
    return _SAFETY_INTERVAL if self._fd >= 0 else _POLL_INTERVAL

  def Renew(self) -> None:
    """Begins to watch, if need be again; to be called now and then.

    """
    try:
      status = os.stat(self._directory)
      directory: Optional[Tuple[int, int]] = (status.st_dev, status.st_ino)
    except OSError:
      directory = None
    if directory == self._watched and self.fileno() >= 0:
      return
    now = time.monotonic()
    if now < self._not_before and self._watched is None:
      return
    self.Close()
    try:
      (self._connection, other) = socket.socketpair(socket.AF_UNIX,
                                                    socket.SOCK_SEQPACKET)
    except OSError as err:
      self._NoteFailure(err.strerror)
      return
    with other:
      try:
        self.pid = self._fork(lambda: _Open(self._directory, other))
      except OSError as err:
        self._NoteFailure(err.strerror)
      else:
        self._watched = directory

  def Read(self) -> None:
    """Takes what has come: the watch, or events.

    The events not through pyinotify's notifier: what they say is not needed,
    and there may be thousands to take apart.

    """
    if self._connection:
      self._TakeWatch(self._connection)
    else:
      os.read(self._fd, _EVENTS_SIZE)

  def _TakeWatch(self, connection: socket.socket) -> None:
    """Takes the descriptor that the child sends.

    """
    try:
      (text, fds, _, _) = socket.recv_fds(connection, _MAX_TEXT, 1,
                                          socket.MSG_CMSG_CLOEXEC)
    except OSError as err:
      self._NoteFailure(err.strerror)
      return
    if not fds:
      self._NoteFailure(text.decode("utf-8", "replace") or
                        "the process that asks for it died")
      return
    connection.close()
    self._connection = None
    (self._fd, ) = fds
    if self._warned:
      logging.info("inotify works again on %s", self._directory)
      self._warned = False

  def Close(self) -> None:
    if self._connection:
      self._connection.close()
      self._connection = None
    if self.pid is not None:
      os.kill(self.pid, signal.SIGKILL)
      self.pid = None
    if self._fd >= 0:
      os.close(self._fd)
      self._fd = -1
    self._watched = None

  def _NoteFailure(self, reason: str) -> None:
    self.Close()
    now = time.monotonic()
    self._not_before = now + self._backoff.Failed(now)
    if not self._warned:
      logging.warning("inotify does not work on %s (%s); looking every %s"
                      " seconds instead. See fs.inotify in sysctl(8).",
                      self._directory, reason, _POLL_INTERVAL)
      self._warned = True

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Watches a directory with inotify, to notice early that a file has changed.

Rule: an inotify event is only a hint. The user of a L{Watch} compares the state
of the files (L{filestate.FileState}) at each event, and every L{Watch.interval}
seconds without an event. The reason: inotify does not report changes of a
symbolic link's target, and may be unavailable.

Fact: an inotify watch belongs to the open file description, not to the process
that created it. So a child imports pyinotify, adds the watch, sends the
descriptor back and exits, which frees the memory of pyinotify.

"""

from __future__ import annotations

import logging
import os
import socket
import time

from ganeti.confd.daemon import backoff
from ganeti.confd.daemon import process
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Callable, Optional


#: Seconds between two checks of the files: while inotify does not work, and
#: while inotify works, since inotify does not report all changes
_POLL_INTERVAL = 0.5
_SAFETY_INTERVAL = 5.0

#: The delays before inotify is tried again, as arguments of L{backoff.Backoff}
#: (seconds). Each attempt is expensive: it starts a process that imports
#: pyinotify, which runs ldconfig to find the C library.
_RETRY_DELAY = (5.0, 60.0, 5.0)

#: Size of the buffer for events, in bytes: large enough for 16,384 events, the
#: kernel's default limit on queued events
_EVENTS_SIZE = 1 << 20

#: Maximum length of an error message from the child (bytes)
_MAX_TEXT = 4096

#: Text that the child sends along with the descriptor. If the daemon has too
#: many open files, the kernel drops the descriptor, and the daemon receives
#: only the text. So the text is the error message for this case.
_NO_DESCRIPTOR = b"too many open files"


def _Open(directory: str, connection: socket.socket) -> None:
  """Adds the inotify watch; runs in the child.

  @param connection: socket to send the descriptor to, or an error message

  """
  try:
    import pyinotify
    manager = pyinotify.WatchManager()
    # Do not ask for IN_MODIFY: the daemon would read a file that is only half
    # written. IN_CLOSE_WRITE reports that the writing has ended.
    manager.add_watch(
      directory,
      pyinotify.IN_CLOSE_WRITE | pyinotify.IN_MOVED_TO |
      pyinotify.IN_MOVED_FROM | pyinotify.IN_DELETE | pyinotify.IN_ATTRIB |
      pyinotify.IN_MOVE_SELF | pyinotify.IN_DELETE_SELF | pyinotify.IN_ONLYDIR,
      quiet=False)
  except Exception as err: # pylint: disable=W0718
    # Catch exceptions of all types, as pyinotify raises several. Whatever the
    # error is, the daemon polls the files instead.
    connection.send(str(err).encode("utf-8", "backslashreplace")[:_MAX_TEXT]
                    or b"?")
  else:
    socket.send_fds(connection, [_NO_DESCRIPTOR], [manager.get_fd()])


class Watch:
  """Watches a directory for changes of its files.

  @ivar pid: process id of the child that adds the watch; None while there is no
    child. The caller sets it to None after waitpid() for the child.

  """
  def __init__(self, directory: str,
               fork: Callable[[Callable[[], None]], int]) -> None:
    """@param fork: runs a function in a child, and returns the child's process
      id. The child closes the daemon's descriptors, except for this object's.

    """
    self._directory = directory
    self._fork = fork
    self._fd = -1
    #: Socket from which to read the child's reply; None if no reply is expected
    self._connection: Optional[socket.socket] = None
    self.pid: Optional[int] = None
    #: Device and inode of the directory that is watched, or that the child is
    #: about to watch; None for no watch
    self._watched: Optional[tuple[int, int]] = None
    self._backoff = backoff.Backoff(*_RETRY_DELAY)
    self._not_before = 0.0
    self._warned = False

  def fileno(self) -> int:
    """Returns the descriptor to poll for reading, or -1 if there is none.

    """
    return self._connection.fileno() if self._connection else self._fd

  @property
  def interval(self) -> float:
    """Seconds without an event after which the files have to be checked.

    """
    return _SAFETY_INTERVAL if self._fd >= 0 else _POLL_INTERVAL

  def Renew(self) -> None:
    """Starts watching unless the directory is watched already.

    To be called in each turn of the event loop: the directory may have been
    replaced, or watching may have failed.

    """
    try:
      status = os.stat(self._directory)
      directory: Optional[tuple[int, int]] = (status.st_dev, status.st_ino)
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
    """Reads the descriptor: the child's reply, or events.

    Events are read and discarded, without pyinotify's notifier: the content is
    not needed, and parsing thousands of events would take time.

    """
    if self._connection:
      self._TakeWatch(self._connection)
    else:
      os.read(self._fd, _EVENTS_SIZE)

  def _TakeWatch(self, connection: socket.socket) -> None:
    """Receives the inotify descriptor, or an error message, from the child.

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
      process.End(self.pid)
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

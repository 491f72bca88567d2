#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Notices that a file has changed.

Fact: inotify only hints. It says nothing of a symbolic link's target, and it
may be unavailable. The truth is the state of the files
(L{filestate.FileState}), which whoever uses a L{Watch} compares at each hint,
and every L{Watch.interval} seconds without one.

"""

from __future__ import annotations

import logging
import os
import time
from typing import Any, Optional, Tuple

import pyinotify

from ganeti.confd.daemon import backoff


#: Seconds between two looks at the files where inotify does not work, and where
#: it does
_POLL_INTERVAL = 0.5
_SAFETY_INTERVAL = 5.0

#: Delays before inotify is tried again; each time pyinotify runs ldconfig, to
#: find the C library
_RETRY_DELAY = (5.0, 5.0, 5.0)

# IN_MODIFY is not among them: a file being written in place would be read
# half. Its end comes with IN_CLOSE_WRITE, or with a look at its state.
_EVENTS = (pyinotify.IN_CLOSE_WRITE | pyinotify.IN_MOVED_TO |
           pyinotify.IN_MOVED_FROM | pyinotify.IN_DELETE | pyinotify.IN_ATTRIB |
           pyinotify.IN_MOVE_SELF | pyinotify.IN_DELETE_SELF |
           pyinotify.IN_ONLYDIR)

#: More than the kernel's default limit of 16,384 events takes (bytes)
_EVENTS_SIZE = 1 << 20


class Watch:
  """Watches a directory for changes of its files.

  """
  def __init__(self, directory: str) -> None:
    self._directory = directory
    self._manager: Any = None
    #: The directory that is watched: device and inode
    self._watched: Optional[Tuple[int, int]] = None
    self._backoff = backoff.Backoff(*_RETRY_DELAY)
    self._not_before = 0.0
    self._warned = False

  def fileno(self) -> int:
    """Returns the descriptor to wait for, or -1 if there is none.

    """
    return int(self._manager.get_fd()) if self._manager else -1

  @property
  def interval(self) -> float:
    """Seconds after which the files have to be looked at without a hint.

    """
    return _SAFETY_INTERVAL if self._manager else _POLL_INTERVAL

  def Renew(self) -> None:
    """Begins to watch, if need be again; to be called now and then.

    """
    try:
      status = os.stat(self._directory)
      directory: Optional[Tuple[int, int]] = (status.st_dev, status.st_ino)
    except OSError:
      directory = None
    if directory == self._watched and self._manager:
      return
    now = time.monotonic()
    if now < self._not_before and self._watched is None:
      return
    self.Close()
    try:
      manager = pyinotify.WatchManager()
    except (OSError, pyinotify.PyinotifyError) as err:
      self._NoteFailure(err, now)
      return
    try:
      manager.add_watch(self._directory, _EVENTS, quiet=False)
    except pyinotify.WatchManagerError as err:
      manager.close()
      self._NoteFailure(err, now)
      return
    self._manager = manager
    self._watched = directory
    if self._warned:
      logging.info("inotify works again on %s", self._directory)
      self._warned = False

  def Read(self) -> None:
    """Takes the events that have come.

    Not through pyinotify's notifier: what they say is not needed, and there
    may be thousands to take apart.

    """
    os.read(self._manager.get_fd(), _EVENTS_SIZE)

  def Close(self) -> None:
    if self._manager:
      self._manager.close()
      self._manager = None
      self._watched = None

  def _NoteFailure(self, reason: Exception, now: float) -> None:
    self._not_before = now + self._backoff.Failed(now)
    if not self._warned:
      logging.warning("inotify does not work on %s (%s); looking every %s"
                      " seconds instead. See fs.inotify in sysctl(8).",
                      self._directory, reason, _POLL_INTERVAL)
      self._warned = True

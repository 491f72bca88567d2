#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Notices that a file has changed.

Fact: inotify only hints. It says nothing of a symbolic link's target or of a
directory that was moved away, and it may be unavailable. The truth is the
state of the files (L{filestate.FileState}), which whoever uses a L{Watch}
compares at each hint, and every L{POLL_INTERVAL} without one.

"""

import logging
import os
import time

import pyinotify


#: Seconds between two looks at the files where inotify is silent
POLL_INTERVAL = 0.5

#: Seconds between two tries to get inotify to work; each makes pyinotify run
#: ldconfig, to find the C library
_RETRY_INTERVAL = 5

# IN_MODIFY is not among them: a file being written in place would be read
# half. Its end comes with IN_CLOSE_WRITE, or with a look at its state.
_EVENTS = (pyinotify.IN_CLOSE_WRITE | pyinotify.IN_MOVED_TO |
           pyinotify.IN_MOVED_FROM | pyinotify.IN_DELETE | pyinotify.IN_ATTRIB |
           pyinotify.IN_ONLYDIR)

#: More than the kernel's default limit of 16,384 events takes (bytes)
_EVENTS_SIZE = 1 << 20


class Watch:
  """Watches a directory for changes of its files.

  """
  def __init__(self, directory):
    """@type directory: string

    """
    self._directory = directory
    self._manager = None
    self._watched = None
    self._not_before = 0
    self._warned = False

  def fileno(self):
    """Returns the descriptor to wait for, or -1 if there is none.

    """
    return self._manager.get_fd() if self._manager else -1

  def Renew(self):
    """Begins to watch, if need be again; to be called now and then.

    """
    try:
      status = os.stat(self._directory)
      directory = (status.st_dev, status.st_ino)
    except OSError:
      directory = None
    now = time.monotonic()
    if now < self._not_before or (directory == self._watched and self._manager):
      return
    self.Close()
    self._not_before = now + _RETRY_INTERVAL
    try:
      manager = pyinotify.WatchManager()
    except (OSError, pyinotify.PyinotifyError) as err:
      self._Warn(err)
      return
    try:
      manager.add_watch(self._directory, _EVENTS, quiet=False)
    except pyinotify.WatchManagerError as err:
      manager.close()
      self._Warn(err)
      return
    self._manager = manager
    self._watched = directory
    self._not_before = 0
    if self._warned:
      logging.info("inotify works again on %s", self._directory)
      self._warned = False

  def Read(self):
    """Takes the events that have come.

    Not through pyinotify's notifier: what they say is not needed, and there
    may be thousands to take apart.

    """
    os.read(self._manager.get_fd(), _EVENTS_SIZE)

  def Close(self):
    if self._manager:
      self._manager.close()
      self._manager = None

  def _Warn(self, reason):
    if not self._warned:
      logging.warning("inotify does not work on %s (%s); looking every %s"
                      " seconds instead. See fs.inotify in sysctl(8).",
                      self._directory, reason, POLL_INTERVAL)
      self._warned = True

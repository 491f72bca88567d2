#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Which contents a file has, and reading it whole.

"""

from __future__ import annotations

import errno
import hashlib
import os
import stat

from typing import NamedTuple, Optional, Union

from ganeti import errors


class State(NamedTuple):
  """Which contents a file has.

  Differs when the file was replaced, written to or made accessible. Times are
  in nanoseconds.

  """
  device: int
  inode: int
  mtime_ns: int
  ctime_ns: int
  size: int


class Inaccessible(NamedTuple):
  """Why the system does not say which contents a file has.

  """
  errno: int


def FileState(path: str) -> Optional[Union[State, Inaccessible]]:
  """Tells which contents a file has, without reading them.

  @return: None if there is no such file

  """
  try:
    return StateOf(os.stat(path))
  except OSError as err:
    if err.errno in (errno.ENOENT, errno.ENOTDIR):
      return None
    # The system's errors have a number, which type checkers do not know
    return Inaccessible(err.errno or errno.EIO)


def StateOf(status: os.stat_result) -> State:
  return State(status.st_dev, status.st_ino, status.st_mtime_ns,
               status.st_ctime_ns, status.st_size)


def Digest(contents: bytes) -> str:
  """Returns what tells contents apart, whatever the file's times are.

  """
  return hashlib.blake2b(contents, digest_size=16).hexdigest()


def ReadFile(path: str) -> tuple[bytes, State]:
  """Reads a regular file.

  @raise errors.ConfigurationError: it cannot be read, or changed meanwhile

  """
  try:
    # A FIFO in the file's place would block
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as stream:
      status = os.fstat(fd)
      if not stat.S_ISREG(status.st_mode):
        raise errors.ConfigurationError("%s is no regular file" % path)
      contents = stream.read()
      # Not the time of the last change of its status: a new file that is
      # renamed over this one changes that, and no contents
      now = os.fstat(fd)
      if (now.st_size, now.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
        raise errors.ConfigurationError("%s changed while it was read" % path)
  except OSError as err:
    raise errors.ConfigurationError("Cannot read %s: %s" %
                                    (path, err.strerror))
  return (contents, StateOf(status))

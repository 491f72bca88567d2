#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Replaces a file as a whole, so that nobody ever sees half of it.

The new contents are written to a file of their own in the same directory, are
on the disk, and take the old one's name. What fails before that leaves the old
file as it is; who is killed before that leaves the other file behind, whose
name begins with a dot, too.

Facts:
  - A program that reads all files of a directory leaves out those whose name
    begins with a dot (dnsmasq, systemd), or wants another end of the name.
  - Changing the owner takes set-user-ID bits away, so the mode comes after.

"""

from __future__ import annotations

import contextlib
import os
import stat
import uuid

from typing import Callable, Optional

from ganeti import errors


#: No file that is exported is longer (bytes)
_MAX_SIZE = 1 << 28


def _Read(path: str) -> bytes:
  with open(path, "rb") as fobj:
    return fobj.read(_MAX_SIZE)


def _Status(path: str) -> Optional[os.stat_result]:
  """Returns what the system knows of a file; None if it is not there.

  @raise errors.ConfdClientError: the file is none that may be replaced

  """
  try:
    status = os.stat(path)
  except FileNotFoundError:
    return None
  if not stat.S_ISREG(status.st_mode):
    raise errors.ConfdClientError("%s: not a regular file" % path)
  if status.st_size > _MAX_SIZE:
    raise errors.ConfdClientError("%s: has %d bytes, and is no file that was"
                                  " exported" % (path, status.st_size))
  return status


def _KeepRights(fd: int, path: str, old: os.stat_result) -> None:
  """Gives a new file the owner, the group and the mode of the old one.

  """
  new = os.fstat(fd)
  if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
    try:
      os.fchown(fd, old.st_uid, old.st_gid)
    except PermissionError as err:
      raise errors.ConfdClientError(
        "%s: cannot be replaced with its owner and group kept" % path) from err
  # Windows has no such thing
  if hasattr(os, "fchmod"):
    os.fchmod(fd, stat.S_IMODE(old.st_mode))


def _Write(path: str, data: bytes, old: Optional[os.stat_result]) -> None:
  (directory, name) = os.path.split(path)
  other = os.path.join(directory, ".%s.%s" % (name[:200], uuid.uuid4()))
  # Nobody else may read it before its rights are those of the old one
  mode = 0o666 if old is None else 0o600
  fobj = open(other, "xb",
              opener=lambda name, flags: os.open(name, flags, mode))
  try:
    with fobj:
      if old is not None:
        _KeepRights(fobj.fileno(), path, old)
      fobj.write(data)
      fobj.flush()
      os.fsync(fobj.fileno())
    os.replace(other, path)
  except BaseException:
    with contextlib.suppress(OSError):
      os.unlink(other)
    raise
  # Not every filesystem can; the file is there in any case
  with contextlib.suppress(OSError):
    fd = os.open(directory, os.O_RDONLY)
    try:
      os.fsync(fd)
    finally:
      os.close(fd)


def Replace(path: str, make: Callable[[Optional[bytes]], Optional[bytes]]
            ) -> bool:
  """Replaces a file, or makes it, if that changes something.

  A symbolic link stays, and the file that it points to is replaced.

  @param make: makes the new contents; gets the old ones, None if there is no
    file; returns None if they need not change
  @return: whether the file has changed
  @raise errors.ConfdClientError: it is no regular file, or larger than any that
    is exported, or its owner cannot be kept
  @raise OSError: anything else; C{filename} is the path

  """
  try:
    real = os.path.realpath(path)
    old = _Status(real)
    data = make(None if old is None else _Read(real))
    if data is None:
      return False
    _Write(real, data, old)
  except OSError as err:
    raise OSError(err.errno, err.strerror, path) from err
  return True

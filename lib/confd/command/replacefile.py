#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Replaces a file atomically: other programs see the old or the new contents.

The new contents are written to a temporary file in the same directory and
flushed to the disk; then the temporary file is renamed. If anything fails
before the renaming, the old file stays as it is. If the program is killed
before the renaming, the temporary file stays as well.

Facts:
  - The temporary file's name begins with a dot. Programs that read all files of
    a directory ignore such names (dnsmasq, systemd), or require a suffix that
    this name does not have.
  - A change of the owner clears set-user-ID bits. So the owner is set before
    the mode.

"""

from __future__ import annotations

import contextlib
import os
import stat
import uuid

from typing import Callable, Optional

from ganeti import errors


#: Do not replace a file of more bytes than this: no exported file is so large
_MAX_SIZE = 1 << 28


def _Read(path: str) -> bytes:
  with open(path, "rb") as fobj:
    return fobj.read(_MAX_SIZE)


def _Status(path: str) -> Optional[os.stat_result]:
  """Returns the status of a file; None if there is no file.

  @raise errors.ConfdClientError: the file must not be replaced

  """
  try:
    status = os.stat(path)
  except FileNotFoundError:
    return None
  if not stat.S_ISREG(status.st_mode):
    raise errors.ConfdClientError("%s: not a regular file" % path)
  if status.st_size > _MAX_SIZE:
    raise errors.ConfdClientError("%s: has %d bytes, too many for an exported"
                                  " file" % (path, status.st_size))
  return status


def _KeepRights(fd: int, path: str, old: os.stat_result) -> None:
  """Gives the new file the owner, group and mode of the old one.

  """
  new = os.fstat(fd)
  if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
    try:
      os.fchown(fd, old.st_uid, old.st_gid)
    except PermissionError as err:
      raise errors.ConfdClientError(
        "%s: cannot replace the file and keep its owner and group" %
        path) from err
  # Windows does not have fchmod
  if hasattr(os, "fchmod"):
    os.fchmod(fd, stat.S_IMODE(old.st_mode))


def _Write(path: str, data: bytes, old: Optional[os.stat_result]) -> None:
  (directory, name) = os.path.split(path)
  temporary = os.path.join(directory, ".%s.%s" % (name[:200], uuid.uuid4()))
  # Other users must not read the new file before it has the old file's rights
  mode = 0o666 if old is None else 0o600
  fobj = open(temporary, "xb",
              opener=lambda name, flags: os.open(name, flags, mode))
  try:
    with fobj:
      if old is not None:
        _KeepRights(fobj.fileno(), path, old)
      fobj.write(data)
      fobj.flush()
      os.fsync(fobj.fileno())
    os.replace(temporary, path)
  except BaseException:
    with contextlib.suppress(OSError):
      os.unlink(temporary)
    raise
  # Ignore errors: some file systems cannot flush a directory, and the file has
  # been replaced already
  with contextlib.suppress(OSError):
    fd = os.open(directory, os.O_RDONLY)
    try:
      os.fsync(fd)
    finally:
      os.close(fd)


def Replace(path: str, make: Callable[[Optional[bytes]], Optional[bytes]]
            ) -> bool:
  """Creates a file, or replaces it if its contents change.

  A symbolic link stays, and the file that it points to is replaced.

  @param make: called with the old contents, or None if there is no file;
    returns the new contents, or None if the file need not change
  @return: whether the file has changed
  @raise errors.ConfdClientError: the file is no regular file, is too large, or
    would get another owner
  @raise OSError: the file cannot be written; C{filename} is the path

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

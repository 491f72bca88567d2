#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The state of a file: whether its contents changed; and reading whole files.

"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat

from ganeti import errors
from ganeti.confd.protocol import digests
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import BinaryIO, Iterator, Optional, Union


#: Bytes that are read at a time
_CHUNK = 1 << 20

# O_NONBLOCK: a FIFO in the file's place must not block open(). Some systems
# that clients run on lack these flags.
_FLAGS = (os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) |
          getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))


class State(NamedTuple):
  """Identifies the contents of a file.

  Two states differ if the file was replaced, written to or had its permissions
  changed in between. Times are in nanoseconds.

  """
  device: int
  inode: int
  mtime_ns: int
  ctime_ns: int
  size: int


class Inaccessible(NamedTuple):
  """Takes the place of a L{State} where stat() fails.

  @ivar errno: why, an error number of the system

  """
  errno: int


def FileState(path: str) -> Optional[Union[State, Inaccessible]]:
  """Returns the state of a file, without reading it.

  @return: None if there is no such file

  """
  try:
    return StateOf(os.stat(path))
  except OSError as err:
    if err.errno in (errno.ENOENT, errno.ENOTDIR):
      return None
    # For type checkers, which allow an OSError without a number
    return Inaccessible(err.errno or errno.EIO)


def StateOf(status: os.stat_result) -> State:
  return State(status.st_dev, status.st_ino, status.st_mtime_ns,
               status.st_ctime_ns, status.st_size)


def Digest(contents: bytes) -> str:
  """Returns a hash of contents, by which two of them can be compared.

  """
  return _NewDigest(contents).hexdigest()


def _NewDigest(contents: bytes = b"") -> digests.blake2b:
  return digests.blake2b(contents, digest_size=16)


@contextlib.contextmanager
def _Opened(path: str, what: str) -> Iterator[tuple[BinaryIO, State]]:
  """Opens a regular file.

  @param what: description of the file for error messages: empty, or words that
    end with a blank
  @return: the file and its state
  @raise errors.ConfigurationError: the file cannot be read, or is not regular

  """
  try:
    fd = os.open(path, _FLAGS)
    with open(fd, "rb") as stream:
      status = os.fstat(fd)
      if not stat.S_ISREG(status.st_mode):
        raise errors.ConfigurationError("%s is no regular file" % path)
      yield (stream, StateOf(status))
  except OSError as err:
    raise errors.ConfigurationError("Cannot read %s%s: %s" %
                                    (what, path, err.strerror))


def _Chunks(path: str, stream: BinaryIO, state: State) -> Iterator[bytes]:
  """Yields a file's contents in chunks.

  A single read() of a file that is larger than the memory left would keep the
  kernel from killing the process.

  @param state: the file's state when it was opened
  @raise errors.ConfigurationError: the file has changed since then

  """
  # Ask for one byte more than the size: if it comes, the file has grown
  left = state.size + 1
  while left:
    chunk = stream.read(min(left, _CHUNK))
    if not chunk:
      break
    left -= len(chunk)
    yield chunk
  now = StateOf(os.fstat(stream.fileno()))
  # The ctime is left out: the rename of another file over this one changes it,
  # and leaves these contents as they are
  if left != 1 or (now.size, now.mtime_ns) != (state.size, state.mtime_ns):
    raise errors.ConfigurationError("%s changed while it was read" % path)


def ReadFile(path: str, limit: Optional[int] = None,
             what: str = "") -> tuple[bytes, State]:
  """Reads a regular file.

  @param limit: largest size allowed, in bytes; None only in processes that the
    OOM killer may end
  @param what: description of the file, see L{_Opened}
  @raise errors.ConfigurationError: the file cannot be read, is larger than the
    limit, or changed during the reading

  """
  with _Opened(path, what) as (stream, state):
    if limit is not None and state.size > limit:
      raise errors.ConfigurationError("%s has %d bytes, and may have %d at most"
                                      % (path, state.size, limit))
    contents = io.BytesIO()
    for chunk in _Chunks(path, stream, state):
      contents.write(chunk)
  return (contents.getvalue(), state)


def DigestFile(path: str, size: Optional[int] = None) -> Optional[str]:
  """Returns the L{Digest} of a regular file, in little memory.

  @param size: expected size in bytes; None for any
  @return: None if the file has another size
  @raise errors.ConfigurationError: the file cannot be read, or changed during
    the reading

  """
  digest = _NewDigest()
  with _Opened(path, "") as (stream, state):
    if size is not None and state.size != size:
      return None
    for chunk in _Chunks(path, stream, state):
      digest.update(chunk)
  return digest.hexdigest()

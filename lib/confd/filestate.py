#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Which contents a file has; and reading files, with a limit.

"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import stat

from typing import BinaryIO, Iterator, NamedTuple, Optional, Union

from ganeti import errors


#: Bytes that are read at a time
_CHUNK = 1 << 20

# Opening a FIFO in the file's place would block. Not every system that a client
# runs on has these flags.
_FLAGS = (os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) |
          getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))


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
  return _NewDigest(contents).hexdigest()


def _NewDigest(contents: bytes = b"") -> hashlib.blake2b:
  return hashlib.blake2b(contents, digest_size=16)


@contextlib.contextmanager
def _Opened(path: str, what: str) -> Iterator[tuple[BinaryIO, State]]:
  """Opens a regular file.

  @param what: what it is, for messages: empty, or words with a blank at the end
  @return: the file and its state
  @raise errors.ConfigurationError: it cannot be read

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
  """Reads what a file had when it was opened.

  One call for all of it would keep the kernel from ending a process that has no
  memory left for it.

  @raise errors.ConfigurationError: it has changed meanwhile

  """
  # Read one byte more than the size: getting it means that the file has grown
  left = state.size + 1
  while left:
    chunk = stream.read(min(left, _CHUNK))
    if not chunk:
      break
    left -= len(chunk)
    yield chunk
  now = StateOf(os.fstat(stream.fileno()))
  # Not the time of the last change of its status: a new file that is renamed
  # over this one changes that, and no contents
  if left != 1 or (now.size, now.mtime_ns) != (state.size, state.mtime_ns):
    raise errors.ConfigurationError("%s changed while it was read" % path)


def ReadFile(path: str, limit: Optional[int] = None,
             what: str = "") -> tuple[bytes, State]:
  """Reads a regular file.

  @param limit: how many bytes it may have; None is for processes that may die
    of what they read
  @param what: what it is, as L{_Opened} has it
  @raise errors.ConfigurationError: it cannot be read, has more than that, or
    changed meanwhile

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
  """Returns the L{Digest} of a regular file without having all of it.

  @param size: how many bytes it has to have; None for any number
  @return: None if it has another size
  @raise errors.ConfigurationError: it cannot be read, or changed meanwhile

  """
  digest = _NewDigest()
  with _Opened(path, "") as (stream, state):
    if size is not None and state.size != size:
      return None
    for chunk in _Chunks(path, stream, state):
      digest.update(chunk)
  return digest.hexdigest()

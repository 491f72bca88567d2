#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The state of a file: whether its contents changed; and reading whole files.

"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from ganeti import errors
from ganeti.confd.protocol import digests
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import BinaryIO, Iterator, Optional, Union


#: Maximum number of bytes that are read at a time
_CHUNK = 1 << 18

# O_NONBLOCK: open() must not block if the path leads to a FIFO. O_NONBLOCK,
# O_CLOEXEC and O_BINARY each exist on some systems only.
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
  """Takes the place of a L{State} if stat() fails.

  @ivar errno: the system's error number

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
    # The error always has a number. EIO is there for type checkers, which do
    # not know that.
    return Inaccessible(err.errno or errno.EIO)


def StateOf(status: os.stat_result) -> State:
  return State(status.st_dev, status.st_ino, status.st_mtime_ns,
               status.st_ctime_ns, status.st_size)


def Digest(contents: bytes) -> str:
  """Returns a hash by which the contents of two files can be compared.

  """
  return _NewDigest(contents).hexdigest()


def _NewDigest(contents: bytes = b"") -> digests.blake2b:
  return digests.blake2b(contents, digest_size=16)


class ReadError(errors.ConfigurationError):
  """A file cannot be read; the message names the file.

  """


class OpenFile:
  """A regular file that is open for reading.

  @ivar state: the file's state when it was opened

  """
  def __init__(self, path: str, stream: BinaryIO, state: State) -> None:
    self.path = path
    self.state = state
    self._stream = stream
    self._digest = _NewDigest()

  def Chunks(self) -> Iterator[bytes]:
    """Yields the contents in chunks, from the beginning.

    The chunks are small, as a single read() of a file that is larger than the
    free memory would keep the kernel from killing the process.

    @raise ReadError: the file has changed since it was opened

    """
    self._stream.seek(0)
    self._digest = _NewDigest()
    # Try to read one byte more than the size that the file had when it was
    # opened: if the byte can be read, the file has grown
    left = self.state.size + 1
    while left:
      chunk = self._stream.read(min(left, _CHUNK))
      if not chunk:
        break
      left -= len(chunk)
      self._digest.update(chunk)
      yield chunk
    now = StateOf(os.fstat(self._stream.fileno()))
    # Compare size and mtime, but not ctime: a rename that puts another file in
    # this one's place changes the ctime, but not the contents
    if left != 1 or ((now.size, now.mtime_ns) !=
                     (self.state.size, self.state.mtime_ns)):
      raise ReadError("%s changed while it was read" % self.path)

  def Digest(self) -> str:
    """Returns the L{Digest} of the contents, once L{Chunks} has yielded all.

    """
    return self._digest.hexdigest()


@contextlib.contextmanager
def Open(path: str, what: str = "") -> Iterator[OpenFile]:
  """Opens a regular file.

  @param what: description of the file for error messages: empty, or words that
    end with a blank
  @raise ReadError: the file is not regular, or an operation on it failed

  """
  try:
    fd = os.open(path, _FLAGS)
    with open(fd, "rb") as stream:
      status = os.fstat(fd)
      if not stat.S_ISREG(status.st_mode):
        raise ReadError("%s is no regular file" % path)
      yield OpenFile(path, stream, StateOf(status))
  except OSError as err:
    raise ReadError("Cannot read %s%s: %s" % (what, path, err.strerror))


def ReadFile(path: str, limit: int, what: str = "") -> tuple[bytes, State]:
  """Reads a regular file.

  @param limit: largest size allowed, in bytes
  @param what: description of the file, see L{Open}
  @raise ReadError: the file cannot be read, is larger than the limit, or
    changed during the reading

  """
  with Open(path, what) as opened:
    if opened.state.size > limit:
      raise ReadError("%s has %d bytes, and may have %d at most" %
                      (path, opened.state.size, limit))
    return (b"".join(opened.Chunks()), opened.state)


def DigestFile(path: str, size: Optional[int] = None) -> Optional[str]:
  """Returns the L{Digest} of a regular file, in little memory.

  @param size: expected size in bytes; None for any
  @return: None if the file has another size
  @raise ReadError: the file cannot be read, or changed during the reading

  """
  with Open(path) as opened:
    if size is not None and opened.state.size != size:
      return None
    for _ in opened.Chunks():
      pass
    return opened.Digest()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Writes log messages to a file, syslog or a terminal, without ever blocking.

Rule: a message whose write would block, or fails, is dropped and counted. When
writing works again, the log says how many messages were lost.

Facts: a write to a pipe, a terminal or a socket blocks while the other end does
not read, and a supervisor that is blocked supervises nothing. O_NONBLOCK is a
flag of the open file description, which other processes share, such as the
shell on the same terminal. So an inherited descriptor is not made non-blocking:
the file is opened again, or polled before each write.

"""

from __future__ import annotations

import errno
import logging
import os
import select
import socket
import stat
import syslog

from ganeti import constants
from ganeti import errors
from ganeti.confd import loglines
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import MutableSequence, Optional


_FORMAT = "%(asctime)s: " + constants.CONFD + \
  " pid=%(process)d %(levelname)s %(message)s"
_SYSLOG_FORMAT = constants.CONFD + \
  "[%(process)d]: %(levelname)s %(message)s"
_SYSLOG_SOCKET = "/dev/log"

#: Largest write, in bytes: PIPE_BUF. If poll() reports a pipe as writable, a
#: write of PIPE_BUF bytes does not block, see pipe(7).
_MAX_WRITE = 4096


class _Handler(logging.Handler):
  """The base of the handlers here: formats messages, and counts lost ones.

  """
  def __init__(self, text_format: str) -> None:
    super().__init__()
    self.setFormatter(loglines.Formatter(text_format))
    #: Number of messages lost since the last one that was written
    self._lost = 0
    #: The counter of lost messages: a row of counters, and the index in the row
    self._row: Optional[MutableSequence[int]] = None
    self._index = 0

  def CountIn(self, row: MutableSequence[int], index: int) -> None:
    """Sets the counter of lost messages for this process.

    """
    self._row = row
    self._index = index
    # Forget the messages that were lost before the fork: the parent reports
    # them
    self._lost = 0

  def emit(self, record: logging.LogRecord) -> None:
    try:
      if self._lost:
        self._WriteRecord(logging.makeLogRecord(dict(
          record.__dict__, levelno=logging.WARNING, levelname="WARNING",
          msg="%d messages were lost" % self._lost, args=None, exc_info=None,
          exc_text=None)))
        self._lost = 0
      self._WriteRecord(record)
    except Exception: # pylint: disable=W0718
      self._lost += 1
      if self._row is not None:
        self._row[self._index] += 1

  def _WriteRecord(self, record: logging.LogRecord) -> None:
    """Writes a message.

    @raise OSError: the write failed, or would have blocked

    """
    raise NotImplementedError

  def _Encode(self, record: logging.LogRecord) -> bytes:
    return self.format(record).encode("utf-8", "backslashreplace")


def _Write(fd: int, data: bytes) -> None:
  """Writes all data to a non-blocking descriptor.

  @raise OSError: the write failed, or would have blocked

  """
  while data:
    data = data[os.write(fd, data[:_MAX_WRITE]):]


class _FileHandler(_Handler):
  """Writes to a log file, which may be renamed or removed at any time.

  """
  def __init__(self, path: str) -> None:
    """@raise OSError: the file cannot be opened

    """
    super().__init__(_FORMAT)
    self._path = path
    self._fd = -1
    self._Open()

  def _Open(self) -> None:
    # O_NOFOLLOW: the target of a symbolic link could be any file of the system.
    # O_NONBLOCK: a FIFO in the file's place must not block.
    fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT |
                 os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC,
                 0o640)
    if self._fd < 0:
      self._fd = fd
    else:
      # Make the old descriptor refer to the new file, so that self._fd stays
      # valid
      os.dup2(fd, self._fd, inheritable=False)
      os.close(fd)

  def Reopen(self) -> None:
    """Opens the file again if the path leads to another file now, or to none.

    """
    try:
      now = os.stat(self._path)
    except OSError:
      now = None
    try:
      if now is None or not os.path.samestat(now, os.fstat(self._fd)):
        self._Open()
    except OSError:
      # Ignore the error: the next message tries again to open the file
      pass

  def _WriteRecord(self, record: logging.LogRecord) -> None:
    self.Reopen()
    if os.fstat(self._fd).st_nlink == 0:
      # The open file was removed, and no new file could be created. A message
      # in the removed file would be lost, so report an error.
      raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    _Write(self._fd, self._Encode(record) + b"\n")


class _SyslogHandler(_Handler):
  """Writes to syslog.

  """
  def __init__(self) -> None:
    """@raise OSError: no syslog daemon listens

    """
    super().__init__(_SYSLOG_FORMAT)
    self._socket: Optional[socket.socket] = None
    self._Connect()

  def _Connect(self) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
      sock.connect(_SYSLOG_SOCKET)
    except OSError:
      sock.close()
      raise
    self._socket = sock
    return sock

  def _WriteRecord(self, record: logging.LogRecord) -> None:
    priority = syslog.LOG_DAEMON | _SYSLOG_PRIORITIES[record.levelno]
    data = b"<%d>%s\0" % (priority, self._Encode(record))
    sock = self._socket or self._Connect()
    try:
      sock.send(data, socket.MSG_DONTWAIT)
    except BlockingIOError:
      raise
    except OSError:
      # The syslog daemon was restarted, and has another socket: connect again
      self._socket = None
      sock.close()
      self._Connect().send(data, socket.MSG_DONTWAIT)


_SYSLOG_PRIORITIES = {
  logging.DEBUG: syslog.LOG_DEBUG,
  logging.INFO: syslog.LOG_INFO,
  logging.WARNING: syslog.LOG_WARNING,
  logging.ERROR: syslog.LOG_ERR,
  logging.CRITICAL: syslog.LOG_CRIT,
  }


class _StderrHandler(_Handler):
  """Writes to standard error: a terminal, a pipe, a socket or a file.

  """
  def __init__(self) -> None:
    super().__init__(_FORMAT)
    self._fd = 2
    self._socket: Optional[socket.socket] = None
    self._blocks = False
    try:
      if stat.S_ISSOCK(os.fstat(2).st_mode):
        self._socket = socket.socket(fileno=os.dup(2))
      else:
        self._fd = os.open("/proc/self/fd/2", os.O_WRONLY | os.O_APPEND |
                           os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
      # The file cannot be opened a second time, in non-blocking mode, since it
      # belongs to another user. So poll the descriptor before each write.
      self._blocks = True

  def _WriteRecord(self, record: logging.LogRecord) -> None:
    data = self._Encode(record) + b"\n"
    if self._socket is not None:
      self._socket.sendall(data, socket.MSG_DONTWAIT)
      return
    while data:
      if self._blocks:
        self._CheckWritable()
      data = data[os.write(self._fd, data[:_MAX_WRITE]):]

  def _CheckWritable(self) -> None:
    """Polls whether a write would block.

    If another process fills the pipe between this poll and the write, the write
    does block. The log blocks in no other case.

    @raise BlockingIOError: a write would block

    """
    poller = select.poll()
    poller.register(self._fd, select.POLLOUT)
    if not any(events & select.POLLOUT for (_, events) in poller.poll(0)):
      raise BlockingIOError()


class Log:
  """The daemon's log.

  """
  def __init__(self, path: Optional[str], syslog: bool, debug: bool) -> None:
    """@param path: path of the log file, None for none
    @param debug: whether to log messages of level DEBUG, too
    @raise errors.ConfigurationError: the file or syslog cannot be opened

    """
    self._handlers: list[_Handler] = []
    self._file: Optional[_FileHandler] = None
    if path is not None:
      try:
        self._file = _FileHandler(path)
      except OSError as err:
        raise errors.ConfigurationError("Cannot write the log file %s: %s" %
                                        (path, err.strerror))
      self._Add(self._file)
    if syslog:
      try:
        self._Add(_SyslogHandler())
      except OSError as err:
        raise errors.ConfigurationError("Cannot log to syslog (%s): %s" %
                                        (_SYSLOG_SOCKET, err.strerror))
    logging.getLogger().setLevel(logging.DEBUG if debug else logging.INFO)

  def _Add(self, handler: _Handler) -> None:
    self._handlers.append(handler)
    logging.getLogger().addHandler(handler)

  def AddTerminal(self) -> None:
    """Adds a handler that writes messages to standard error.

    """
    self._Add(_StderrHandler())

  def CountIn(self, row: MutableSequence[int], index: int) -> None:
    """Sets the counter of lost messages for this process.

    @param row: from L{counters.Counters.Row}
    @param index: the counter's index in the row

    """
    for handler in self._handlers:
      handler.CountIn(row, index)

  def Reopen(self) -> None:
    """Opens the log file again if another file has its name now.

    """
    if self._file:
      self._file.Reopen()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Where log messages go: a file, syslog, a terminal; nobody waits for them.

Facts: whoever writes to a pipe, a terminal or a socket waits while nobody reads
at the other end, and a supervisor that waits is no supervisor. Whether writing
waits is a mode of what is open, which others share, such as a terminal with its
shell: so what was inherited is opened anew, or asked before each write.

Rule: a message that would have to wait is lost, and counted. So is one that
cannot be written. How many were lost is said when writing works again.

"""

from __future__ import annotations

import errno
import logging
import os
import select
import socket
import stat
import syslog
from typing import List, MutableSequence, Optional

from ganeti import constants
from ganeti import errors
from ganeti.confd import loglines


_FORMAT = "%(asctime)s: " + constants.CONFD + \
  " pid=%(process)d %(levelname)s %(message)s"
_SYSLOG_FORMAT = constants.CONFD + \
  "[%(process)d]: %(levelname)s %(message)s"
_SYSLOG_SOCKET = "/dev/log"

#: What is written at a time at most (bytes): a pipe that takes anything takes
#: so much (pipe(7), PIPE_BUF)
_MAX_WRITE = 4096


class _Handler(logging.Handler):
  """Writes a line for each message, and waits for nobody.

  """
  def __init__(self, text_format: str) -> None:
    super().__init__()
    self.setFormatter(loglines.Formatter(text_format))
    #: How many messages were lost since one was written
    self._lost = 0
    #: Where lost messages are counted: a row, and the place in it
    self._row: Optional[MutableSequence[int]] = None
    self._index = 0

  def CountIn(self, row: MutableSequence[int], index: int) -> None:
    """Says where this process counts what is lost, from here on.

    """
    self._row = row
    self._index = index
    # Those that the parent lost are the parent's to tell of
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

    @raise OSError: it cannot be written, or would have to wait

    """
    raise NotImplementedError

  def _Encode(self, record: logging.LogRecord) -> bytes:
    return self.format(record).encode("utf-8", "backslashreplace")


def _Write(fd: int, data: bytes) -> None:
  """Writes to a descriptor that does not wait.

  @raise OSError: that cannot be, or not without waiting

  """
  while data:
    data = data[os.write(fd, data[:_MAX_WRITE]):]


class _FileHandler(_Handler):
  """A log file, which may be renamed, removed or out of reach at any time.

  """
  def __init__(self, path: str) -> None:
    """@raise OSError: it cannot be opened

    """
    super().__init__(_FORMAT)
    self._path = path
    self._fd = -1
    self._Open()

  def _Open(self) -> None:
    # A symbolic link's target may be anybody's. With O_NONBLOCK, one that is a
    # FIFO does not wait either.
    fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT |
                 os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC,
                 0o640)
    if self._fd < 0:
      self._fd = fd
    else:
      # Other processes know it by its number
      os.dup2(fd, self._fd, inheritable=False)
      os.close(fd)

  def Reopen(self) -> None:
    """Opens the file again if it is another one by now.

    """
    try:
      now = os.stat(self._path)
    except OSError:
      now = None
    try:
      if now is None or not os.path.samestat(now, os.fstat(self._fd)):
        self._Open()
    except OSError:
      # The next message tries again
      pass

  def _WriteRecord(self, record: logging.LogRecord) -> None:
    self.Reopen()
    if os.fstat(self._fd).st_nlink == 0:
      # It was removed, and no other can be made: nobody would ever read this
      raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    _Write(self._fd, self._Encode(record) + b"\n")


class _SyslogHandler(_Handler):
  """The system's log.

  """
  def __init__(self) -> None:
    """@raise OSError: there is none

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
      # It was started anew, with another socket
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
  """Standard error: a terminal, a pipe, a socket, a file.

  """
  def __init__(self) -> None:
    super().__init__(_FORMAT)
    self._fd = 2
    self._socket: Optional[socket.socket] = None
    self._waits = False
    try:
      if stat.S_ISSOCK(os.fstat(2).st_mode):
        self._socket = socket.socket(fileno=os.dup(2))
      else:
        self._fd = os.open("/proc/self/fd/2", os.O_WRONLY | os.O_APPEND |
                           os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
      # It is another user's, who has passed it on
      self._waits = True

  def _WriteRecord(self, record: logging.LogRecord) -> None:
    data = self._Encode(record) + b"\n"
    if self._socket is not None:
      self._socket.sendall(data, socket.MSG_DONTWAIT)
      return
    while data:
      if self._waits:
        self._CheckTakesMore()
      data = data[os.write(self._fd, data[:_MAX_WRITE]):]

  def _CheckTakesMore(self) -> None:
    """Asks whether there is room.

    Another process may take it before this one does: that is the one case in
    which a message may be waited with.

    @raise BlockingIOError: there is none

    """
    poller = select.poll()
    poller.register(self._fd, select.POLLOUT)
    if not any(events & select.POLLOUT for (_, events) in poller.poll(0)):
      raise BlockingIOError()


class Log:
  """The daemon's log.

  """
  def __init__(self, path: Optional[str], syslog: bool, debug: bool) -> None:
    """@param path: of the log file, None for none
    @param debug: whether to log more
    @raise errors.ConfigurationError: one of them cannot be written to

    """
    self._handlers: List[_Handler] = []
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
    """Writes to standard error, too.

    """
    self._Add(_StderrHandler())

  def CountIn(self, row: MutableSequence[int], index: int) -> None:
    """Says where this process counts messages that are lost.

    @param row: from L{counters.Counters.Row}
    @param index: the counter's place in it

    """
    for handler in self._handlers:
      handler.CountIn(row, index)

  def Reopen(self) -> None:
    """Opens the log file again if it is another one by now.

    """
    if self._file:
      self._file.Reopen()

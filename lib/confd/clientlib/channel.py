#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The client's sockets, one for each address family in use.

Facts: the sockets are not connected, since one of them asks all candidates. A
socket that is not connected hears that nothing listens at a port only through
its error queue (ip(7), IP_RECVERR), which returns the address the datagram was
sent to. Other systems than Linux have no such queue; there, a time-out tells.

A thread that waits for a socket does not notice that another one closes it.
Linux wakes it up when the socket is shut down, also one that is not connected,
and although shutdown(2) says that this is an error.

Rule: each call does a bounded amount of work, whatever comes in.

"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import sys
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

from ganeti import errors
from ganeti.confd.clientlib import talk

# None where there is no such queue
_ERROR_QUEUE = getattr(socket, "MSG_ERRQUEUE", None)

# Linux's numbers; Python's socket module lacks them before 3.14
_IP_RECVERR = 11
_IPV6_RECVERR = 25

_RECVERR = {
  int(socket.AF_INET): (socket.IPPROTO_IP, _IP_RECVERR),
  int(socket.AF_INET6): (socket.IPPROTO_IPV6, _IPV6_RECVERR),
  }

_MAX_DATAGRAM = 65536

#: What is asked for to hold replies until they are read, in bytes; the kernel
#: may grant less
_RECEIVE_BUFFER = 1 << 20

#: Unlike select, poll takes a socket of any number; Windows has select only
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)

#: Seconds that L{Channel.Wait} takes at most, so that poll can count them
_MAX_WAIT = 3600.0

_REFUSED = "nothing listens there"


class Undelivered(NamedTuple):
  """A datagram that did not arrive, by the network's word.

  """
  address: talk.SocketAddress
  reason: str


def _Describe(number: Optional[int]) -> str:
  if number == errno.ECONNREFUSED:
    return _REFUSED
  return os.strerror(number or 0)


class Channel:
  """Sends to and receives from addresses of any family; never blocks.

  @ivar on_socket: None, or a function that is called with each new socket
  @ivar closed: whether L{Close} was called

  """
  def __init__(self) -> None:
    self.on_socket: Optional[Callable[[socket.socket], None]] = None
    self.closed = False
    self._sockets: Dict[int, socket.socket] = {}
    self._pid = 0

  def Sockets(self) -> List[socket.socket]:
    """Returns the sockets that are open.

    """
    return list(self._sockets.values())

  def CheckOpen(self) -> None:
    """@raise errors.ProgrammerError: L{Close} was called

    """
    if self.closed:
      raise errors.ProgrammerError("This client is closed: nothing can be asked"
                                   " with it after Close() or the end of its"
                                   " \"with\"")

  def _Socket(self, family: int) -> socket.socket:
    self.CheckOpen()
    sock = self._sockets.get(family)
    if sock is None:
      sock = socket.socket(family, socket.SOCK_DGRAM)
      sock.setblocking(False)
      if _ERROR_QUEUE is not None:
        (level, option) = _RECVERR[family]
        sock.setsockopt(level, option, 1)
      sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
      self._sockets[family] = sock
      self._pid = os.getpid()
      if self.on_socket is not None:
        self.on_socket(sock)
    return sock

  def Send(self, datagram: talk.Datagram) -> Optional[str]:
    """Sends a datagram.

    @return: why it cannot be sent there; a datagram that is lost for another
      reason is no error, it will be sent again

    """
    try:
      sock = self._Socket(datagram.family)
    except OSError as err:
      return _Describe(err.errno)
    # The first error may be that of a datagram sent before
    for last in (False, True):
      try:
        sock.sendto(datagram.data, datagram.address)
      except (BlockingIOError, InterruptedError):
        pass
      except OSError as err:
        if last:
          return _Describe(err.errno)
        continue
      break
    return None

  @staticmethod
  def Next(sock: socket.socket) -> Optional[Tuple[bytes, talk.SocketAddress]]:
    """Takes one datagram from a socket.

    @return: the datagram and where it is from; None if there is no more

    """
    # The first error may be that of a datagram sent before, which is in the
    # error queue too
    for _ in range(2):
      try:
        return sock.recvfrom(_MAX_DATAGRAM)
      except BlockingIOError:
        break
      except OSError:
        pass
    return None

  @staticmethod
  def NextUndelivered(sock: socket.socket) -> Optional[Undelivered]:
    """Takes one error from a socket.

    @return: None if there is no more

    """
    if _ERROR_QUEUE is None:
      return None
    try:
      (_, control, _, address) = sock.recvmsg(0, 512, _ERROR_QUEUE)
    except OSError:
      return None
    number = errno.EHOSTUNREACH
    for (_, _, data) in control:
      number = int.from_bytes(data[:4], sys.byteorder)
    return Undelivered(address, _Describe(number))

  def Wait(self, timeout: float) -> List[socket.socket]:
    """Waits until something comes in.

    @param timeout: seconds
    @raise errors.ProgrammerError: L{Close} was called, before or meanwhile

    """
    sockets = {sock.fileno(): sock for sock in self.Sockets()}
    # What is closed from here on ends the wait
    self.CheckOpen()
    with _Selector() as selector:
      for fd in sockets:
        selector.register(fd, selectors.EVENT_READ)
      ready = selector.select(min(max(0.0, timeout), _MAX_WAIT))
    self.CheckOpen()
    return [sockets[key.fd] for (key, _) in ready]

  def Renew(self) -> None:
    """Closes all sockets; others are opened when they are needed.

    """
    for sock in self.Sockets():
      sock.close()
    self._sockets.clear()

  def Close(self) -> None:
    """Closes all sockets for good, and wakes up who waits for them.

    """
    self.closed = True
    # After a fork they are the other process's, too
    if self._pid == os.getpid():
      for sock in self.Sockets():
        with contextlib.suppress(OSError):
          sock.shutdown(socket.SHUT_RDWR)
    self.Renew()

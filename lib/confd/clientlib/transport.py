#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The client's sockets: sends what operations return, and passes replies on.

There is one socket for each address family in use. A reply is passed to the
operation whose id is the first part of the reply's salt, however many
operations are running.

Rule 1: an operation gets only replies that L{forms} has found well-formed. In
place of a malformed reply, the operation gets a description of the fault.

Rule 2: each call does a bounded amount of work, in datagrams and in seconds. So
a flood of garbage delays no time-out.

Facts: the sockets are not connected, since one of them serves all candidates.
An unconnected socket learns that nothing listens at a port only through its
error queue (ip(7), IP_RECVERR), which names the destination of the datagram.
Other systems than Linux have no such queue: there, the question just times out.

A thread that waits for a socket does not notice that another thread closes it.
On Linux shutdown(2) wakes the waiting thread, also for an unconnected socket,
although the call returns an error.

"""

from __future__ import annotations

import collections
import contextlib
import errno
import math
import os
import select
import socket
import sys
import time

from ganeti import errors
from ganeti.confd.clientlib import candidates
from ganeti.confd.clientlib import endpoint
from ganeti.confd.clientlib import forms
from ganeti.confd.clientlib import logs
from ganeti.confd.clientlib import operation
from ganeti.confd.protocol import wire
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Callable, Optional


#: One call of L{Transport.Receive} stops reading after this many datagrams, or
#: after this many seconds
_MAX_READ_DATAGRAMS = 64
_MAX_READ_SECONDS = 0.02

#: Replies to this many operations that have ended are still recognized, since a
#: late reply shows that its candidate is alive
_MAX_LATE = 1024

# None on systems whose sockets have no error queue
_ERROR_QUEUE = getattr(socket, "MSG_ERRQUEUE", None)

# Linux's values of these constants, which Python's socket module lacks before
# 3.14
_IP_RECVERR = 11
_IPV6_RECVERR = 25

_RECVERR = {
  int(socket.AF_INET): (socket.IPPROTO_IP, _IP_RECVERR),
  int(socket.AF_INET6): (socket.IPPROTO_IPV6, _IPV6_RECVERR),
  }

_MAX_DATAGRAM = 65536

#: Size of the receive buffer to request, in bytes; the kernel may grant less
_RECEIVE_BUFFER = 1 << 20

#: Maximum time-out of L{Transport.Wait} (seconds): poll() takes a 32-bit number
#: of milliseconds
_MAX_WAIT = 3600.0

REFUSED = "nothing listens there"


class Undelivered(NamedTuple):
  """A report of the network that a datagram was not delivered.

  """
  address: endpoint.SocketAddress
  reason: str


def _Describe(number: Optional[int]) -> str:
  if number == errno.ECONNREFUSED:
    return REFUSED
  return os.strerror(number or 0)


def _Select(fds: list[int], timeout: float) -> list[int]:
  """Waits until a file descriptor is readable or has an error.

  The objects of C{selectors} would take a tenth of the time of a question.

  @param timeout: seconds
  @return: the file descriptors that are readable or have an error

  """
  if not hasattr(select, "poll"):
    # Windows has no poll. Other systems use poll, since select takes only small
    # file descriptors.
    return select.select(fds, [], [], timeout)[0]
  poller = select.poll()
  for fd in fds:
    poller.register(fd, select.POLLIN)
  # Round up: with 0 in place of a fraction of a millisecond, the caller would
  # busy-wait until its time is over
  return [fd for (fd, _) in poller.poll(math.ceil(timeout * 1000))]


class Transport:
  """Sends datagrams of operations, and passes replies to them; blocks only in
  L{Wait} and L{Sleep}.

  @ivar Now: a function that returns the time, in seconds of a monotonic clock;
    a method would cost a further call for each of the many readings
  @ivar key: the key that requests are signed with
  @ivar operations: the running operations, by id
  @ivar on_socket: None, or a function that is called with each new socket
  @ivar on_errors: None, or a function that is called with a socket after
    pending errors of the socket were read
  @ivar closed: whether L{Close} was called

  """
  def __init__(self, known: candidates.Candidates, key: wire.Key) -> None:
    """@param known: its L{candidates.Candidates.Undelivered} is called for each
      datagram that was not delivered

    """
    self.Now: Callable[[], float] = time.monotonic
    self.key = key
    self.operations: dict[str, operation.Operation] = {}
    self.on_socket: Optional[Callable[[socket.socket], None]] = None
    self.on_errors: Optional[Callable[[socket.socket], None]] = None
    self.closed = False
    self._known = known
    self._late: collections.OrderedDict[str, operation.LateReplies] = \
      collections.OrderedDict()
    self._had_error = False
    self._rejected = 0
    self._rejected_before: dict[str, int] = {}
    self._sockets: dict[int, socket.socket] = {}
    self._pid = 0

  def Sleep(self, seconds: float) -> None:
    time.sleep(seconds)

  # Operations

  def Begin(self, current: operation.Operation) -> None:
    """Starts to pass replies to an operation.

    """
    self.operations[current.id] = current
    self._rejected_before[current.id] = self._rejected

  def End(self, current: operation.Operation) -> None:
    """Ends an operation.

    """
    current.Finish(self.Now())
    current.unauthentic += (self._rejected -
                            self._rejected_before.pop(current.id))
    del self.operations[current.id]
    late = current.LateReplies()
    if late is not None:
      self._late[current.id] = late
      if len(self._late) > _MAX_LATE:
        self._late.popitem(last=False)

  def Send(self, current: operation.Operation) -> None:
    """Sends the datagrams that an operation has to send now.

    """
    now = self.Now()
    datagrams = current.Outgoing(self.key, now, time.time())
    if datagrams:
      if current.was_sent and logs.IsDebugging():
        logs.Debug("Sending again, or to further candidates: %s, to %s",
                   current.description,
                   ", ".join(str(i.address[0]) for i in datagrams))
      current.was_sent = True
    for datagram in datagrams:
      reason = self.SendDatagram(datagram)
      if reason is not None:
        self._known.Undelivered(datagram.address, reason, now)

  def Receive(self, sock: socket.socket) -> set[operation.Operation]:
    """Reads datagrams from a socket, within the limits of rule 2.

    @return: the operations that want L{Send} to be called

    """
    wanting: set[operation.Operation] = set()
    self._had_error = False
    now = self.Now()
    ends = now + _MAX_READ_SECONDS
    for _ in range(_MAX_READ_DATAGRAMS):
      received = self.ReadDatagram(sock)
      if received is None:
        break
      (datagram, address) = received
      self._Dispatch(datagram, address, now, wanting)
      now = self.Now()
      if now >= ends:
        break
    for _ in range(_MAX_READ_DATAGRAMS):
      undelivered = self.ReadError(sock)
      if undelivered is None:
        break
      self._had_error = True
      self._known.Undelivered(undelivered.address, undelivered.reason, now)
    if self.on_errors is not None and self._had_error:
      self.on_errors(sock) # pylint: disable=E1102
    return wanting

  def _Dispatch(self, datagram: bytes, address: endpoint.SocketAddress,
                now: float, wanting: set[operation.Operation]) -> None:
    """Passes a datagram to its operation.

    @param wanting: the operation is added if it wants L{Send} to be called

    """
    fault: Optional[str] = None
    try:
      reply = wire.ParseReply(datagram, self.key)
      salt = reply.salt
    except wire.Malformed as err:
      (salt, fault) = (err.salt, str(err))
    except wire.Rejected:
      self._rejected += 1
      return
    (ident, _, _) = salt.partition("-")
    current = self.operations.get(ident)
    if current is None:
      late = self._late.get(ident)
      if late is not None:
        late.Receive(salt, address)
      return
    request = current.Salts().get(salt)
    if request is None:
      return
    if fault is None:
      fault = forms.Fault(current.Question(request), reply)
    if (current.Receive(request, reply, address, now) if fault is None else
        current.ReceiveMalformed(request, fault, address, now)):
      wanting.add(current)

  # Sockets

  def Sockets(self) -> list[socket.socket]:
    """Returns the open sockets.

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

  def SendDatagram(self, datagram: operation.Datagram) -> Optional[str]:
    """Sends one datagram.

    @return: why a datagram cannot be sent to this address; None if the datagram
      was sent, or is lost for a passing reason: its operation retransmits it

    """
    try:
      sock = self._Socket(datagram.family)
    except OSError as err:
      return _Describe(err.errno)
    # Try twice: the first sendto may raise the pending error of an earlier
    # datagram, and does not send this datagram then
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

  def ReadDatagram(self, sock: socket.socket
                   ) -> Optional[tuple[bytes, endpoint.SocketAddress]]:
    """Reads one datagram.

    @return: the datagram and its sender; None if there is none

    """
    # Try twice: the first recvfrom may raise the pending error of an earlier
    # datagram. L{ReadError} returns this error as well, unless the socket's
    # error queue was full.
    for _ in range(2):
      try:
        return sock.recvfrom(_MAX_DATAGRAM)
      except BlockingIOError:
        break
      except OSError:
        self._had_error = True
    return None

  def ReadError(self, sock: socket.socket) -> Optional[Undelivered]:
    """Reads one error from a socket's error queue.

    @return: None if there is none

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

  def Wait(self, timeout: float) -> list[socket.socket]:
    """Waits until a socket is readable.

    @param timeout: seconds
    @raise errors.ProgrammerError: L{Close} was called, before or meanwhile

    """
    sockets = {sock.fileno(): sock for sock in self.Sockets()}
    # Check only now that the file descriptors are read: if another thread calls
    # Close() after this check, its shutdown of the sockets ends the wait
    self.CheckOpen()
    ready = _Select(list(sockets), min(max(0.0, timeout), _MAX_WAIT))
    self.CheckOpen()
    return [sockets[fd] for fd in ready]

  def Forked(self) -> None:
    """Starts without sockets and operations in the child after a fork.

    With shared sockets, parent and child would take each other's replies.

    """
    self._CloseSockets()
    self.operations.clear()

  def _CloseSockets(self) -> None:
    for sock in self.Sockets():
      sock.close()
    self._sockets.clear()

  def Close(self) -> None:
    """Closes all sockets for good, and wakes up threads that wait for them.

    """
    self.closed = True
    # Do not shut sockets down in the child after a fork: shutdown would act on
    # the parent's sockets, too
    if self._pid == os.getpid():
      for sock in self.Sockets():
        with contextlib.suppress(OSError):
          sock.shutdown(socket.SHUT_RDWR)
    self._CloseSockets()

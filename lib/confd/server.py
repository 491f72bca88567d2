#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The serving side of the protocol: a socket, one snapshot, one key.

A L{Server} receives a datagram, verifies its signature, looks up the answer,
signs the reply and sends it. Each server has one snapshot for all its life, so
its caches never have to be invalidated.

Rule: the socket is never set non-blocking. O_NONBLOCK and time-outs are
properties of the open file description, which all processes of the daemon
share.

Rule: sendmsg never blocks (MSG_DONTWAIT). A reply to an address on the local
network that no host has stays in the socket's send queue for three seconds, the
time that address resolution takes to fail. If such replies fill the queue,
sendmsg would block, and no client would get an answer.

"""

from __future__ import annotations

import functools
import itertools
import logging
import socket
import struct
import time

from ganeti import constants
from ganeti.confd.serving import answers
from ganeti.confd.serving import counters
from ganeti.confd.serving import replay
from ganeti.confd.serving import responder
from ganeti.confd.serving import waiting
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any, Iterable, Mapping, MutableSequence, Optional


#: Size of the socket's receive buffer, and of its send buffer (bytes); the
#: kernel reduces both to the system's limits
_QUEUE_SIZE = 4 << 20

# IP_PKTINFO has this number in linux/in.h; Python's socket module has no such
# constant before 3.14
_IP_PKTINFO = 8

_PKTINFO4 = struct.Struct("=I4s4s")
_PKTINFO6 = struct.Struct("=16sI")
_CONTROL_SIZE = socket.CMSG_SPACE(_PKTINFO4.size) + \
  socket.CMSG_SPACE(_PKTINFO6.size)

#: Header of a request that is forwarded to another process: address, port, flow
#: information and scope of the client; then the length of the control data for
#: the reply, and the control data
_FORWARDED = struct.Struct("=16sHIIB20s")

_DROPPED_BUSY = counters.INDEX[counters.DROPPED_BUSY]
_DROPPED_REPLAYED = counters.INDEX[counters.DROPPED_REPLAYED]
_DROPPED_UNSENT = counters.INDEX[counters.DROPPED_UNSENT]
_WAITING = {
  waiting.Verdict.ADDED: counters.INDEX[counters.WAITING_KEPT],
  waiting.Verdict.COPY: _DROPPED_REPLAYED,
  }


def OpenSocket(address: str, port: int) -> socket.socket:
  """Opens the socket that all processes of the daemon share.

  Neither SO_REUSEADDR nor SO_REUSEPORT is set: bind() of a second daemon on the
  same port must fail, instead of taking the datagrams away from the first one.

  @param address: the IPv4 or IPv6 address to listen on
  @raise OSError: the port is in use, or the like

  """
  family = socket.AF_INET6 if ":" in address else socket.AF_INET
  sock = socket.socket(family, socket.SOCK_DGRAM)
  try:
    # Ask for PKTINFO, the address that a request was sent to: the reply has to
    # come from the same address. Otherwise the kernel would send replies from
    # the node's first address, even if the requests went to the cluster's
    # master IP.
    if family == socket.AF_INET6:
      sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
      sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _QUEUE_SIZE)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _QUEUE_SIZE)
    sock.bind((address, port))
  except OSError:
    sock.close()
    raise
  return sock


def SetReceiveTimeout(sock: socket.socket, seconds: float) -> None:
  """Sets the receive time-out of the socket, for all processes that share it.

  @param seconds: more than 0

  """
  sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO,
                  struct.pack("@ll", 0, int(seconds * 1000000)))


@functools.lru_cache(maxsize=64)
def _FromAddressAsked(*ancillary: tuple[int, int, bytes]) -> waiting.Control:
  """Makes the control data for a reply from the address that was asked.

  The result is cached, as a node has few addresses.

  @param ancillary: ancillary data of the request
  @return: ancillary data for the reply

  """
  for (level, kind, data) in ancillary:
    if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
      (_, local, _) = _PKTINFO4.unpack(data)
      return [(level, kind, _PKTINFO4.pack(0, local, bytes(4)))]
    if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
      (local, _) = _PKTINFO6.unpack(data)
      return [(level, kind, _PKTINFO6.pack(local, 0))]
  return []


def _PackForwarded(datagram: bytes, control: waiting.Control,
                   address: tuple[Any, ...]) -> bytes:
  """Makes the message that forwards a request to another process.

  @param address: the client's socket address, as a tuple of Python's sockets

  """
  (host, port, *more) = address
  (flow, scope) = more or (0, 0)
  family = socket.AF_INET6 if more else socket.AF_INET
  # Cut off the scope ("%eth0"), since the header has a field for the scope
  packed = socket.inet_pton(family, host.partition("%")[0])
  data = control[0][2] if control else b""
  return _FORWARDED.pack(packed, port, flow, scope, len(data),
                         data) + datagram


@functools.lru_cache(maxsize=64)
def _ControlOf(family: int, data: bytes) -> waiting.Control:
  """Makes control data out of the field of a forwarded request.

  The result is cached, so that all pending replies share one list.

  @param data: control data from the header of the forwarded request

  """
  if not data:
    return []
  if family == socket.AF_INET6:
    return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, data)]
  return [(socket.IPPROTO_IP, _IP_PKTINFO, data)]


def _UnpackForwarded(message: bytes, family: int
                     ) -> tuple[bytes, waiting.Control, tuple[Any, ...]]:
  """Parses a message of L{_PackForwarded}.

  @param family: the socket's address family
  @return: datagram, control data, the client's address

  """
  (packed, port, flow, scope, size, data) = _FORWARDED.unpack_from(message)
  address: tuple[Any, ...]
  if family == socket.AF_INET6:
    address = (socket.inet_ntop(family, packed), port, flow, scope)
  else:
    address = (socket.inet_ntop(family, packed[:4]), port)
  return (message[_FORWARDED.size:], _ControlOf(family, data[:size]), address)


class Server:
  """Receives datagrams, and sends the replies.

  """
  def __init__(self, sock: socket.socket, source: responder.Source, key: bytes,
               row: MutableSequence[int], replays: replay.ReplayTable) -> None:
    """@param sock: from L{OpenSocket}
    @param row: counters to count in, from L{counters.Counters.Row}

    """
    self._sock = sock
    self._responder = responder.Responder(source, key, row, replays)
    self._row = row
    self._replays = replays
    self._waiting = waiting.Waiting()

  def ServeOne(self, delegates: Mapping[answers.Delegate, socket.socket],
               flags: int = 0) -> bool:
    """Answers one datagram of the shared socket.

    @param delegates: the sockets to forward requests to; the process at the
      other end calls L{ServeForwarded}
    @param flags: for recvmsg
    @return: False if no datagram came within the socket's receive time-out

    """
    try:
      (datagram, ancillary, _, address) = self._sock.recvmsg(
        constants.MAX_UDP_DATA_SIZE + 1, _CONTROL_SIZE, flags)
    except BlockingIOError:
      return False
    control = _FromAddressAsked(*ancillary)
    reply = self._responder.Respond(datagram, time.time())
    if type(reply) is bytes:
      self._Send(reply, control, address)
    elif type(reply) is answers.Delegate:
      try:
        delegates[reply].send(_PackForwarded(datagram, control, address))
      except OSError:
        # Drop the request, because the queue to the other process is full: the
        # client retransmits the request
        self._row[_DROPPED_BUSY] += 1
    return True

  def ServeForwarded(self, sock: socket.socket, flags: int = 0) -> bool:
    """Answers one request that a worker has forwarded, or makes it pending.

    @param sock: socket that the workers send to
    @param flags: for recv
    @return: False if no request is there, or all workers have ended

    """
    try:
      message = sock.recv(_FORWARDED.size + constants.MAX_UDP_DATA_SIZE, flags)
    except BlockingIOError:
      return False
    if not message:
      return False
    (datagram, control, address) = _UnpackForwarded(message, self._sock.family)
    reply = self._responder.Respond(datagram, time.time(), forwarded=True)
    if isinstance(reply, waiting.Deferred):
      reply = self._Defer(reply, (control, address))
    if isinstance(reply, bytes):
      self._Send(reply, control, address)
    return True

  def _Defer(self, deferred: waiting.Deferred, client: waiting.Client
             ) -> Optional[bytes]:
    """Adds the reply to a WAIT request to the pending ones.

    @return: None, or an error reply to send at once if there is no room

    """
    verdict = self._waiting.Add(deferred, client, time.monotonic())
    if verdict in _WAITING:
      self._row[_WAITING[verdict]] += 1
    if verdict is waiting.Verdict.REFUSED:
      return self._responder.Refuse(deferred.request)
    return None

  @property
  def pending(self) -> int:
    """How many WAIT requests are pending.

    """
    return len(self._waiting)

  @property
  def next_due(self) -> Optional[float]:
    """When the next WAIT request has to be answered (monotonic time), or None.

    """
    return self._waiting.NextDue()

  def AnswerDue(self) -> None:
    """Answers the pending WAIT requests that are due.

    """
    self._SendAll(self._waiting.TakeDue(time.monotonic()))

  def AnswerAll(self, seconds: float) -> None:
    """Answers all pending WAIT requests, the oldest first.

    @param seconds: time limit; requests that are not answered by then get no
      answer

    """
    deadline = time.monotonic() + seconds
    self._SendAll(itertools.takewhile(
      lambda _: time.monotonic() < deadline, self._waiting.TakeAll()))

  def _SendAll(self,
               pending: Iterable[tuple[bytes, waiting.Client]]) -> None:
    for (reply, (control, address)) in pending:
      self._responder.CountAnswered()
      self._Send(reply, control, address)

  def _Send(self, reply: bytes, control: waiting.Control,
            address: tuple[Any, ...]) -> None:
    try:
      self._sock.sendmsg([reply], control, socket.MSG_DONTWAIT, address)
    except BlockingIOError:
      # The send queue is full of replies that cannot be delivered, perhaps
      # because of an attack with forged source addresses. An attacker cannot
      # sign requests, and so has to replay captured ones: limit replays more
      # strictly.
      self._row[_DROPPED_UNSENT] += 1
      self._replays.LimitShort(time.time())
    except OSError as err:
      # Log no warning, as the daemon is not at fault: the client is
      # unreachable, or a firewall forbids the reply
      self._row[_DROPPED_UNSENT] += 1
      logging.debug("Cannot send %d bytes to %s: %s", len(reply), address[0],
                    err)

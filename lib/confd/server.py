#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The serving end: a socket, one snapshot, one key.

A datagram comes in, is proved authentic, looked up, signed, sent. What serves
a snapshot never sees another one: whatever is kept here is right as long as it
lives.

Facts: modes of the socket (O_NONBLOCK, time-outs) are everybody's, so it is
never set non-blocking. What is sent to an address on the local network that
nobody has stays in the socket's queue for three seconds; where that is full,
sendmsg would wait, and everybody with it, so it never waits.

"""

from __future__ import annotations

import functools
import itertools
import logging
import socket
import struct
import time

from ganeti import constants
from ganeti.confd import answers
from ganeti.confd import counters
from ganeti.confd import replay
from ganeti.confd import responder
from ganeti.confd import waiting
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any, Iterable, List, Mapping, MutableSequence, Optional, \
    Tuple


#: The kernel's queues of datagrams, each way, as far as the system allows
#: (bytes)
_QUEUE_SIZE = 4 << 20

# Python has no name for it before 3.14 (linux/in.h)
_IP_PKTINFO = 8

_PKTINFO4 = struct.Struct("=I4s4s")
_PKTINFO6 = struct.Struct("=16sI")
_CONTROL_SIZE = socket.CMSG_SPACE(_PKTINFO4.size) + \
  socket.CMSG_SPACE(_PKTINFO6.size)

#: Goes before a request that is left to another process: the client's address,
#: port, flow information and scope, and the control data of the reply, of a
#: length that stands before it
_FORWARDED = struct.Struct("=16sHIIB20s")

_DROPPED_BUSY = counters.INDEX[counters.DROPPED_BUSY]
_DROPPED_REPLAYED = counters.INDEX[counters.DROPPED_REPLAYED]
_DROPPED_UNSENT = counters.INDEX[counters.DROPPED_UNSENT]
_WAITING = {
  waiting.Verdict.KEPT: counters.INDEX[counters.WAITING_KEPT],
  waiting.Verdict.COPY: _DROPPED_REPLAYED,
  }

if TYPE_CHECKING:
  #: What socket.sendmsg takes: level, kind, data
  _Control = List[Tuple[int, int, bytes]]


def OpenSocket(address: str, port: int) -> socket.socket:
  """Opens the socket that all processes of the daemon share.

  Neither SO_REUSEADDR nor SO_REUSEPORT: a second daemon on the same port must
  fail, not take the datagrams.

  @param address: the IPv4 or IPv6 address to listen on
  @raise OSError: among others, the port is taken

  """
  family = socket.AF_INET6 if ":" in address else socket.AF_INET
  sock = socket.socket(family, socket.SOCK_DGRAM)
  try:
    # A cluster's master ip is a second address of its node: without the
    # address asked, the system would answer from the first
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
  """Sets how long recvmsg waits for a datagram, in all processes.

  @param seconds: more than 0

  """
  sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO,
                  struct.pack("@ll", 0, int(seconds * 1000000)))


@functools.lru_cache(maxsize=64)
def _FromAddressAsked(*ancillary: Tuple[int, int, bytes]) -> _Control:
  """Makes a reply leave from the address that was asked.

  There are few of those, so the outcome is kept.

  @param ancillary: what came with the request
  @return: what to send with the reply

  """
  for (level, kind, data) in ancillary:
    if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
      (_, local, _) = _PKTINFO4.unpack(data)
      return [(level, kind, _PKTINFO4.pack(0, local, bytes(4)))]
    if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
      (local, _) = _PKTINFO6.unpack(data)
      return [(level, kind, _PKTINFO6.pack(local, 0))]
  return []


def _PackForwarded(datagram: bytes, control: _Control,
                   address: Tuple[Any, ...]) -> bytes:
  """Makes the message that leaves a request to another process.

  @param address: the client's, as Python has socket addresses

  """
  (host, port, *more) = address
  (flow, scope) = more or (0, 0)
  family = socket.AF_INET6 if more else socket.AF_INET
  # The scope has a place of its own
  packed = socket.inet_pton(family, host.partition("%")[0])
  data = control[0][2] if control else b""
  return _FORWARDED.pack(packed, port, flow, scope, len(data),
                         data) + datagram


@functools.lru_cache(maxsize=64)
def _ControlOf(family: int, data: bytes) -> _Control:
  """Makes control data; the same list for all that are kept.

  @param data: that of a message from another process

  """
  if not data:
    return []
  if family == socket.AF_INET6:
    return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, data)]
  return [(socket.IPPROTO_IP, _IP_PKTINFO, data)]


def _UnpackForwarded(message: bytes, family: int
                     ) -> Tuple[bytes, _Control, Tuple[Any, ...]]:
  """Takes such a message apart.

  @param family: the socket's address family
  @return: datagram, control data, address

  """
  (packed, port, flow, scope, size, data) = _FORWARDED.unpack_from(message)
  address: Tuple[Any, ...]
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

  def ServeOne(self, elsewhere: Mapping[answers.Elsewhere, socket.socket],
               flags: int = 0) -> bool:
    """Answers one datagram of the shared socket.

    @param elsewhere: the sockets that L{ServeForwarded} reads at their other
      ends
    @param flags: for recvmsg
    @return: False if there was none for as long as the socket waits

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
    elif type(reply) is answers.Elsewhere:
      try:
        elsewhere[reply].send(_PackForwarded(datagram, control, address))
      except OSError:
        # Its queue is full; the client asks again
        self._row[_DROPPED_BUSY] += 1
    return True

  def ServeForwarded(self, sock: socket.socket, flags: int = 0) -> bool:
    """Answers, or keeps, one of those that workers leave to this process.

    @param flags: for recv
    @return: False if there is none, or the workers are gone

    """
    try:
      message = sock.recv(_FORWARDED.size + constants.MAX_UDP_DATA_SIZE, flags)
    except BlockingIOError:
      return False
    if not message:
      return False
    (datagram, control, address) = _UnpackForwarded(message, self._sock.family)
    reply = self._responder.Respond(datagram, time.time(), forwarded=True)
    if isinstance(reply, responder.Later):
      reply = self._Keep(reply, control, address)
    if isinstance(reply, bytes):
      self._Send(reply, control, address)
    return True

  def _Keep(self, later: responder.Later, control: _Control,
            address: Tuple[Any, ...]) -> Optional[bytes]:
    """Keeps a question.

    @return: what to answer at once if that is not possible

    """
    verdict = self._waiting.Keep(
      waiting.Ready(later.reply, control, address), later.request.sent,
      time.monotonic() + later.seconds)
    if verdict in _WAITING:
      self._row[_WAITING[verdict]] += 1
    if verdict is waiting.Verdict.REFUSED:
      return self._responder.Refuse(later)
    return None

  @property
  def kept(self) -> int:
    """How many questions are kept.

    """
    return len(self._waiting)

  @property
  def next_due(self) -> Optional[float]:
    """When the next of them has to be answered (monotonic time).

    """
    return self._waiting.NextDue()

  def AnswerDue(self) -> None:
    """Answers those that have been kept for as long as they asked for.

    """
    self._AnswerKept(self._waiting.TakeDue(time.monotonic()))

  def AnswerAll(self, seconds: float) -> None:
    """Answers all that are kept, the oldest first.

    @param seconds: after which those that are left get no answer

    """
    deadline = time.monotonic() + seconds
    self._AnswerKept(itertools.takewhile(
      lambda _: time.monotonic() < deadline, self._waiting.TakeAll()))

  def _AnswerKept(self, kept: Iterable[waiting.Ready]) -> None:
    for (reply, control, address) in kept:
      self._responder.CountAnswered()
      self._Send(reply, control, address)

  def _Send(self, reply: bytes, control: _Control,
            address: Tuple[Any, ...]) -> None:
    try:
      self._sock.sendmsg([reply], control, socket.MSG_DONTWAIT, address)
    except BlockingIOError:
      # The queue is full of replies that cannot be delivered. Whoever asked for
      # them can make up addresses, but no requests.
      self._row[_DROPPED_UNSENT] += 1
      self._replays.BeWary(time.time())
    except OSError as err:
      # Unreachable clients and firewalls are nobody's fault here
      self._row[_DROPPED_UNSENT] += 1
      logging.debug("Cannot send %d bytes to %s: %s", len(reply), address[0],
                    err)

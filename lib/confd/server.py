#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The serving end: a socket, one snapshot, one key.

A datagram comes in, is proved authentic, looked up, signed, sent. What serves
a snapshot never sees another one: whatever is kept here is right as long as it
lives.

Facts: several processes block in recvmsg on one socket; the kernel wakes one
of them per datagram, in turn. Modes of the socket (O_NONBLOCK, time-outs) are
everybody's, so it is never set non-blocking: it has a receive time-out, after
which each process looks around. What is sent to an address on the local network
that nobody has stays in the socket's queue for three seconds; where that is
full, sendmsg would wait, and everybody with it, so it never waits.

"""

import collections
import functools
import logging
import pickle
import socket
import struct
import time

from ganeti import constants
from ganeti.confd import counters
from ganeti.confd import parts
from ganeti.confd import protocol
from ganeti.confd import querylib
from ganeti.confd import replay
from ganeti.confd import wire


#: Seconds that a process waits for a datagram before it looks around
RECEIVE_TIMEOUT = 0.05

#: The kernel's queues of datagrams, each way, as far as the system allows
#: (bytes)
_QUEUE_SIZE = 4 << 20

#: Answers of more items than this are made outside the workers. Making one of
#: this size takes less than 10 ms.
_LARGE_ITEMS = 5000

#: What a cache of serialised answers may hold (bytes): so much, which is enough
#: for the disks of 10,000 instances, or as much as the configuration's file has
_CACHE_SIZE = 32 << 20
#: What an answer takes in it besides its text
_CACHE_OVERHEAD = 500

#: What is kept of answers cut into parts; at least the last one is (bytes)
_PARTS_SIZE = 256 << 20

# Python has no name for it before 3.14 (linux/in.h)
_IP_PKTINFO = 8

_PKTINFO4 = struct.Struct("=I4s4s")
_PKTINFO6 = struct.Struct("=16sI")
_CONTROL_SIZE = socket.CMSG_SPACE(_PKTINFO4.size) + \
  socket.CMSG_SPACE(_PKTINFO6.size)

_INTERNAL_ERROR = (constants.CONFD_REPL_STATUS_ERROR,
                   constants.CONFD_ERROR_INTERNAL)
_BAD_ARGUMENT = (constants.CONFD_REPL_STATUS_ERROR,
                 constants.CONFD_ERROR_ARGUMENT)
_TOO_LARGE = (constants.CONFD_REPL_STATUS_ERROR, protocol.ERROR_TOO_LARGE)

_STATUS_COUNTER = {
  constants.CONFD_REPL_STATUS_OK: counters.INDEX[counters.OK],
  constants.CONFD_REPL_STATUS_ERROR: counters.INDEX[counters.ERROR],
  constants.CONFD_REPL_STATUS_NOTIMPLEMENTED:
    counters.INDEX[counters.NOT_IMPLEMENTED],
  }
_QUERY_COUNTER = {number: counters.INDEX[counters.QueryName(kind)]
                  for (kind, number) in protocol.REQUEST_TYPES.items()}
_UNKNOWN_TYPE = counters.INDEX[counters.UNKNOWN_TYPE]
_REPLY_TOO_LARGE = counters.INDEX[counters.TOO_LARGE]
_DROPPED = {reason: counters.INDEX[counters.DroppedName(reason)]
            for reason in wire.REJECT_REASONS}
_DROPPED_BUSY = counters.INDEX[counters.DROPPED_BUSY]
_DROPPED_REPLAYED = counters.INDEX[counters.DROPPED_REPLAYED]
_DROPPED_UNSENT = counters.INDEX[counters.DROPPED_UNSENT]

#: What L{Responder.Respond} returns for an answer to be made elsewhere: by a
#: L{LargeResponder}, or by a L{StatsResponder}
LARGE = object()
STATS = object()

#: An answer, ready to be packed with any salt
_Answer = collections.namedtuple("_Answer", ["status", "message", "too_large"])


def OpenSocket(address, port):
  """Opens the socket that all processes of the daemon share.

  Neither SO_REUSEADDR nor SO_REUSEPORT: a second daemon on the same port must
  fail, not take the datagrams.

  @type address: string
  @param address: the IPv4 or IPv6 address to listen on
  @type port: int
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
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO,
                    struct.pack("@ll", 0, int(RECEIVE_TIMEOUT * 1000000)))
    sock.bind((address, port))
  except OSError:
    sock.close()
    raise
  return sock


@functools.lru_cache(maxsize=64)
def _FromAddressAsked(*ancillary):
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


def _IsLarge(answer):
  """Tells whether an answer has more than L{_LARGE_ITEMS} items.

  A long text counts as several.

  """
  items = 0
  # It grows on the way
  todo = [[answer]]
  for value in todo:
    # No isinstance: every new answer comes through here, and JSON has no
    # subclasses
    if type(value) is dict:
      value = value.values()
    items += len(value)
    if items > _LARGE_ITEMS:
      return True
    for item in value:
      kind = type(item)
      if kind is str:
        items += len(item) >> 6
      elif kind is dict or kind is list or kind is tuple:
        todo.append(item)
  return items > _LARGE_ITEMS


class Responder:
  """Makes replies of datagrams, with one snapshot and one key.

  This one does so for a worker: it leaves to others what would keep the next
  datagram waiting. No socket, no clock.

  """
  def __init__(self, snapshot, key, row, replays):
    """@type snapshot: L{snapshot.Snapshot}
    @type key: bytes
    @param row: counters to count in, from L{counters.Counters.Row}
    @type replays: L{replay.ReplayTable}

    """
    self._snapshot = snapshot
    self._key = key
    self._row = row
    self._replays = replays
    self._cache = {}
    self._cache_size = 0
    self._cache_limit = max(_CACHE_SIZE, snapshot.size)
    self._too_large = self._Encode(_TOO_LARGE)._replace(too_large=True)
    self._failed = set()
    self._wary_until = 0

  def BeWary(self, now):
    """Has copies of a request answered only a few times, be the reply short.

    For as long as the requests seen so far are good.

    @type now: number
    @param now: the time, in seconds since the epoch

    """
    self._wary_until = now + replay.WINDOW

  def Respond(self, datagram, now):
    """Makes the reply to a datagram.

    What a question asked before costs is all in here and in L{wire}: half of
    it is taking the request apart and proving it authentic, a quarter signing
    the reply.

    @type datagram: bytes
    @type now: number
    @param now: the time, in seconds since the epoch
    @return: bytes to send; None for silence; L{LARGE} or L{STATS} for what
      has to be asked of another responder

    """
    try:
      request = wire.ParseRequest(datagram, self._key, now)
    except wire.Rejected as err:
      # Not a word: neither to whoever sent it nor in the log
      self._row[_DROPPED[err.reason]] += 1
      return None

    # Serialised once for all who ask the same: saves 3 to 40 microseconds
    answer = None
    query = request.query
    if request.part is None and (query is None or type(query) is str):
      answer = self._cache.get((request.type, query))
    if answer is None:
      answer = self._MakeAnswer(request)
    if answer is LARGE or answer is STATS:
      return answer

    # The key and most of the message are prepared: only the salt is new
    reply = wire.PackReply(self._key, request.rsalt, answer.message)
    if len(reply) > replay.FREE_SIZE or now < self._wary_until:
      if len(reply) > constants.MAX_UDP_DATA_SIZE:
        answer = self._too_large
        reply = wire.PackReply(self._key, request.rsalt, answer.message)
        if len(reply) > constants.MAX_UDP_DATA_SIZE:
          # A salt that leaves no room for any reply at all
          self._row[_DROPPED[wire.BAD_RSALT]] += 1
          return None
      # Short ones are little use to whoever replays, and need no looking up
      if not self._replays.Allows(request.signature, now):
        self._row[_DROPPED_REPLAYED] += 1
        return None

    # Nobody else writes to this row: no lock
    self._row[_QUERY_COUNTER.get(request.type, _UNKNOWN_TYPE)] += 1
    self._row[_STATUS_COUNTER[answer.status]] += 1
    if answer.too_large:
      self._row[_REPLY_TOO_LARGE] += 1
    return reply

  def _MakeAnswer(self, request):
    """Returns the answer to a request, whatever happens.

    @rtype: L{_Answer}, or L{LARGE}, or L{STATS}

    """
    try:
      return self._Answer(request)
    except Exception: # pylint: disable=W0718
      # Also what is nested so deeply that it can just be read, not written
      if request.type not in self._failed:
        self._failed.add(request.type)
        logging.exception("Cannot answer a request of type %s because of a"
                          " programming error; please report it",
                          request.type)
      return self._Encode(_INTERNAL_ERROR)

  def _Answer(self, request):
    """Makes an answer that is not in the cache under its question.

    @rtype: L{_Answer}, or L{LARGE}, or L{STATS}

    """
    if request.type == protocol.REQ_STATS:
      return STATS
    if request.part is not None or querylib.TakesLong(request):
      return LARGE

    result = querylib.Answer(self._snapshot, request)
    key = None
    if request.query is None or isinstance(request.query, str):
      key = (request.type, request.query)
    elif isinstance(result[1], str):
      # Instances' ips are many, their nodes' are few
      key = (None, ) + result
      answer = self._cache.get(key)
      if answer is not None:
        return answer
    if _IsLarge(result[1]):
      if key:
        # Such questions are few, and finding out takes long
        self._cache[key] = LARGE
      return LARGE
    answer = self._Encode(result)
    if key:
      self._Remember(key, answer)
    return answer

  def _Encode(self, result, part=None):
    """Serialises an answer.

    @param result: tuple of status and answer
    @type part: L{wire.Part} or None
    @rtype: L{_Answer}

    """
    (status, value) = result
    text = wire.EncodeReply(status, value, self._snapshot.serial, part)
    if len(text) > constants.MAX_UDP_DATA_SIZE:
      return self._too_large
    return _Answer(status, wire.Prepare(text), False)

  def _Remember(self, key, answer):
    size = _CACHE_OVERHEAD + len(answer.message.data) + \
      len(answer.message.head) + len(key[-1] or "")
    if self._cache_size + size > self._cache_limit:
      self._cache.clear()
      self._cache_size = 0
    self._cache[key] = answer
    self._cache_size += size


class LargeResponder(Responder):
  """Makes the replies that take long, and those in parts.

  It has a process of its own, so that the copy of a large answer that is kept
  for its parts is the only one.

  """
  def __init__(self, snapshot, key, row, replays):
    Responder.__init__(self, snapshot, key, row, replays)
    self._parts = collections.OrderedDict()
    self._parts_size = 0

  def _Answer(self, request):
    """Makes any answer that workers leave to this one.

    @rtype: L{_Answer}

    """
    if request.part is None:
      return self._AnswerLong(request)
    number = request.part
    if not wire.IsPlainInt(number) or number < 0:
      return self._Encode(_BAD_ARGUMENT)
    key = self._Key(request)
    cut = self._parts.get(key)
    if cut is None:
      result = querylib.Answer(self._snapshot, request)
      if result[0] != constants.CONFD_REPL_STATUS_OK:
        return self._Encode(result)
      cut = parts.Parts(wire.EncodeJson(result[1]))
      self._RememberParts(key, cut)
    self._parts.move_to_end(key)
    if number >= len(cut):
      return self._Encode(_BAD_ARGUMENT)
    return self._Encode((constants.CONFD_REPL_STATUS_OK, cut.Get(number)),
                        wire.Part(number, len(cut), cut.sha256))

  @staticmethod
  def _Key(request):
    # None of those of the cache of what does not take long
    return ("long", request.type, wire.EncodeJson(request.query))

  def _AnswerLong(self, request):
    """Answers what takes long, and keeps it, cut if it has to be.

    @rtype: L{_Answer}

    """
    key = self._Key(request)
    answer = self._cache.get(key)
    if answer is not None:
      return answer
    if key in self._parts:
      return self._too_large
    result = querylib.Answer(self._snapshot, request)
    if result[0] != constants.CONFD_REPL_STATUS_OK:
      return self._Encode(result)
    text = wire.EncodeJson(result[1])
    if len(text) > constants.MAX_UDP_DATA_SIZE:
      self._RememberParts(key, parts.Parts(text))
      return self._too_large
    answer = self._Encode(result)
    self._Remember(key, answer)
    return answer

  def _RememberParts(self, key, cut):
    self._parts[key] = cut
    self._parts_size += cut.size + len(key[-1])
    while self._parts_size > _PARTS_SIZE and len(self._parts) > 1:
      (old_key, old) = self._parts.popitem(last=False)
      self._parts_size -= old.size + len(old_key[-1])


class StatsResponder(Responder):
  """Makes the replies about the daemon itself.

  Looking at the memory of processes takes long. Yet whoever watches the daemon
  must not wait for large answers as well.

  """
  def __init__(self, snapshot, key, row, replays, stats):
    """@param stats: L{stats.Stats}

    """
    Responder.__init__(self, snapshot, key, row, replays)
    self._stats = stats

  def _Answer(self, request):
    if request.part is not None:
      # It would be another one for each part
      return self._Encode(_BAD_ARGUMENT)
    return self._Encode((constants.CONFD_REPL_STATUS_OK,
                         self._stats.Collect()))


class Server:
  """Serves datagrams until it is told to finish.

  """
  def __init__(self, sock, responder, row):
    """@param sock: from L{OpenSocket}
    @type responder: L{Responder}
    @param row: counters to count in

    """
    self._sock = sock
    self._responder = responder
    self._row = row

  def Serve(self, finished, elsewhere):
    """Answers what comes in on the shared socket.

    @type finished: callable without arguments
    @param finished: asked between datagrams; True ends this
    @type elsewhere: dict
    @param elsewhere: from L{LARGE} and L{STATS} to the sockets that
      L{ServeForwarded} reads at their other ends

    """
    while not finished():
      try:
        (datagram, ancillary, _, address) = \
          self._sock.recvmsg(constants.MAX_UDP_DATA_SIZE + 1, _CONTROL_SIZE)
      except BlockingIOError:
        continue
      control = _FromAddressAsked(*ancillary)
      reply = self._responder.Respond(datagram, time.time())
      if type(reply) is bytes:
        self._Send(reply, control, address)
      elif reply is not None:
        try:
          elsewhere[reply].send(pickle.dumps((datagram, control, address)))
        except OSError:
          # Its queue is full; the client asks again
          self._row[_DROPPED_BUSY] += 1

  def ServeForwarded(self, sock):
    """Answers one of those that workers leave to this process.

    @rtype: bool
    @return: False if the workers are gone

    """
    message = sock.recv(1 << 17)
    if not message:
      return False
    (datagram, control, address) = pickle.loads(message)
    reply = self._responder.Respond(datagram, time.time())
    if reply:
      self._Send(reply, control, address)
    return True

  def _Send(self, reply, control, address):
    try:
      self._sock.sendmsg([reply], control, socket.MSG_DONTWAIT, address)
    except BlockingIOError:
      # Full of replies that cannot be delivered; they were asked for by somebody
      # who can make up addresses, but no requests
      self._row[_DROPPED_UNSENT] += 1
      self._responder.BeWary(time.time())
    except OSError as err:
      # Unreachable clients and firewalls are nobody's fault here
      self._row[_DROPPED_UNSENT] += 1
      logging.debug("Cannot send %d bytes to %s: %s", len(reply), address[0],
                    err)

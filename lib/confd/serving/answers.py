#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The sources of answers: three classes, each used in a process of its own.

L{Quick} is used by workers. An answer that takes less than 10 ms is made at
once; for any other, L{Quick} returns which process makes it (L{Delegate}).
L{Large} makes answers that take longer, and answers in parts. L{Loader} makes
the answers about the daemon itself, and those to WAIT requests.

L{responder.Responder} tries the methods of a source in the order of their cost:
C{cached} is a cache look-up, C{Known} costs as much as a few look-ups, and
C{Make} may cost more. This module uses no socket and no clock.

"""

from __future__ import annotations

import collections
import enum
import json
import sys

from ganeti import constants
from ganeti.confd import protocol
from ganeti.confd import querylib
from ganeti.confd.config import snapshot as snapshotlib
from ganeti.confd.protocol import parts
from ganeti.confd.protocol import wire
from ganeti.confd.serving import counters
from ganeti.confd.serving import replay
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Any, Callable, Hashable, Optional, Union


#: Maximum number of items in an answer that a worker makes, which takes the
#: worker less than 10 ms. The process for large answers makes longer ones.
_LARGE_ITEMS = 5000

#: Limit on a cache of serialised answers (bytes), which is enough for the disks
#: of 10,000 instances. The size of the configuration file is the limit if the
#: file is larger.
_CACHE_SIZE = 32 << 20
#: Memory that a cached answer takes in addition to its text and its key (bytes)
_CACHE_OVERHEAD = 500

#: Limit on the cache of answers that are split into parts (bytes); the latest
#: answer is cached even if it is larger
_PARTS_SIZE = 256 << 20


# Allow Infinity in cache keys. If a number in a query is too large for a float,
# it is parsed as infinity; the cache key of such a query must differ from the
# cache key of a query with null.
_EncodeKey: Callable[[Any], str] = json.JSONEncoder(
  allow_nan=True, separators=(",", ":")).encode


#: The errors that are counted separately, with the index of each error's
#: counter
_COUNTED = [
  (protocol.TOO_LARGE, counters.INDEX[counters.TOO_LARGE]),
  (protocol.NOT_PERMITTED, counters.INDEX[counters.NOT_PERMITTED]),
  (protocol.TOO_MANY, counters.INDEX[counters.TOO_MANY]),
  ]


class Answer(NamedTuple):
  """A serialised answer, from which a reply with any salt can be packed.

  """
  status: int
  message: wire.Message
  #: Index of a counter to be incremented in addition to the counter of the
  #: status; None for no other counter
  counter: Optional[int]
  #: Whether short replies with this answer (see L{replay.EXEMPT_SIZE}) are
  #: exempt from the limit of L{replay}
  exempt_if_short: bool
  #: Maximum time to wait for a change of the serial number before the answer is
  #: sent (seconds); 0 to send the answer at once
  wait: int = 0


class Delegate(enum.Enum):
  """The process that a worker delegates a request to.

  """
  LARGE = "large"
  LOADER = "loader"


if TYPE_CHECKING:
  Outcome = Union[Answer, Delegate]


def Encode(result: querylib.Result, serial: int,
           part: Optional[wire.Part] = None) -> Answer:
  """Serialises an answer.

  @param result: status and answer
  @param serial: the configuration's serial number

  """
  (status, value) = result
  text = wire.EncodeReply(status, value, serial, part)
  if len(text) > constants.MAX_UDP_DATA_SIZE:
    return Encode(protocol.TOO_LARGE, serial)
  counter = None
  if status == constants.CONFD_REPL_STATUS_ERROR:
    for (error, index) in _COUNTED:
      if result == error:
        counter = index
  return Answer(status, wire.Prepare(text), counter,
                len(text) <= replay.EXEMPT_SIZE)


class _Key(NamedTuple):
  """Key of the caches: a request without its salt and time stamp.

  """
  type: Optional[int]
  #: The query itself if it is a string or None; else its JSON text, as bytes
  query: Union[str, bytes, None]


class _Cache:
  """A cache of outcomes, which is cleared when a limit in bytes is reached.

  @ivar get: returns the outcome for a key, or None

  """
  def __init__(self, limit: int) -> None:
    self._limit = limit
    self._size = 0
    self._outcomes: dict[Hashable, Outcome] = {}
    self.get: Callable[[Hashable], Optional[Outcome]] = self._outcomes.get

  def Put(self, key: _Key, outcome: Outcome) -> None:
    size = _CACHE_OVERHEAD + sys.getsizeof(key.query)
    if isinstance(outcome, Answer):
      size += len(outcome.message.data) + len(outcome.message.head)
    if self._size + size > self._limit:
      self._outcomes.clear()
      self._size = 0
    if key not in self._outcomes:
      self._size += size
    self._outcomes[key] = outcome


def _KeyOf(request: wire.Request) -> _Key:
  """Makes the cache key of a request.

  @raise RecursionError: the query is nested too deeply to be serialised, though
    it could be parsed

  """
  if request.type not in protocol.ALL_REQUESTS:
    return _Key(None, None)
  query = request.query
  if query is None or request.type in querylib.IGNORES_QUERY:
    return _Key(request.type, None)
  if isinstance(query, str):
    return _Key(request.type, query)
  return _Key(request.type, _EncodeKey(query).encode("ascii"))


def _IsLarge(answer: Any) -> bool:
  """Tells whether an answer has more than L{_LARGE_ITEMS} items.

  A long string, or a long piece of JSON text, counts as several items.

  """
  items = 0
  todo: list[Any] = [[answer]]
  while todo:
    value = todo.pop()
    # Compare types, which is quicker than isinstance, since each new answer is
    # measured here. No subclass is missed: the values of answers are of JSON's
    # own types.
    if type(value) is dict:
      value = value.values()
    items += len(value)
    if items > _LARGE_ITEMS:
      return True
    for item in value:
      kind = type(item)
      if kind is str or kind is bytes:
        items += len(item) >> 6
      elif kind is dict or kind is list or kind is tuple:
        todo.append(item)
  return items > _LARGE_ITEMS


class Quick:
  """The source for workers: quick answers are made, others are delegated.

  """
  def __init__(self, snapshot: snapshotlib.Snapshot) -> None:
    self.serial = snapshot.serial
    self._snapshot = snapshot
    self._cache = _Cache(max(_CACHE_SIZE, snapshot.size))
    self.cached: Callable[[Any], Optional[Outcome]] = self._cache.get
    # Maps status and address to the answer, for answers that are the address of
    # one node. There are few nodes, so this cache stays small even if clients
    # ask for many instances.
    self._addresses: dict[querylib.Result, Answer] = {}

  def Known(self, request: wire.Request) -> Optional[Outcome]:
    """Returns an outcome that costs no more than some look-ups, or None.

    """
    if request.part is not None:
      return None
    if querylib.IsOneAddress(request):
      # Do not use the cache: making this answer is as quick as looking it up
      return self._AnswerAddress(request)
    return self._cache.get(_KeyOf(request))

  def _AnswerAddress(self, request: wire.Request) -> Answer:
    result = querylib.Answer(self._snapshot, request)
    answer = self._addresses.get(result)
    if answer is None:
      answer = self._addresses[result] = Encode(result, self.serial)
    return answer

  def Make(self, request: wire.Request) -> Outcome:
    """Makes an answer, or returns the process that makes it.

    """
    if request.type == protocol.REQ_STATS:
      return Delegate.LOADER
    if request.part is not None:
      if request.type == protocol.REQ_WAIT:
        # Refuse a request for a part of an answer to WAIT: the serial number
        # may change between the requests for two parts
        return Encode(protocol.BAD_ARGUMENT, self.serial)
      return Delegate.LARGE
    outcome = self._Make(request)
    self._cache.Put(_KeyOf(request), outcome)
    return outcome

  def _Make(self, request: wire.Request) -> Outcome:
    if querylib.TakesLong(request):
      return Delegate.LARGE
    if querylib.SecondsToWait(self.serial, request):
      return Delegate.LOADER
    result = querylib.Answer(self._snapshot, request)
    if _IsLarge(result[1]):
      return Delegate.LARGE
    try:
      answer = Encode(result, self.serial)
    except (TypeError, ValueError, RecursionError):
      if request.type != protocol.REQ_QUERY:
        raise
      # A cell of the table cannot be encoded. The process for large answers
      # encodes each cell separately, and puts null in the place of that cell.
      return Delegate.LARGE
    if request.type == protocol.REQ_WAIT:
      # Limit copies of WAIT even if the reply is short. Otherwise the limit on
      # copies of a pending WAIT would end with a change of the serial number,
      # after which each copy gets a short reply at once.
      answer = answer._replace(exempt_if_short=False)
    return answer


class Large:
  """The source for answers that take long, and for answers in parts.

  A generation has one process with this source, so that a large answer is
  cached only once. An answer is made in pieces, and each piece is compressed
  before the next one is made.

  """
  def __init__(self, snapshot: snapshotlib.Snapshot) -> None:
    self.serial = snapshot.serial
    self._snapshot = snapshot
    # The cache of short outcomes: errors, and answers that fit into one
    # datagram
    self._cache = _Cache(max(_CACHE_SIZE, snapshot.size))
    self.cached: Callable[[Any], Optional[Outcome]] = self._cache.get
    self._parts: "collections.OrderedDict[_Key, parts.Parts]" = \
      collections.OrderedDict()
    self._parts_size = 0

  def Known(self, request: wire.Request) -> Optional[Outcome]:
    """Returns an outcome that costs no more than some look-ups, or None.

    """
    if request.part is not None:
      return None
    return self._cache.get(_KeyOf(request))

  def Make(self, request: wire.Request) -> Outcome:
    """Makes any answer that workers delegate to this source.

    """
    number = request.part
    if not (number is None or wire.IsPlainInt(number) and number >= 0):
      return Encode(protocol.BAD_ARGUMENT, self.serial)
    key = _KeyOf(request)
    cut = self._Cut(request, key)
    if isinstance(cut, Answer):
      return cut
    if number is None:
      return self._Whole(cut, key)
    if number >= len(cut):
      return Encode(protocol.BAD_ARGUMENT, self.serial)
    return Encode((constants.CONFD_REPL_STATUS_OK, cut.Get(number)),
                  self.serial, wire.Part(number, len(cut), cut.sha256))

  def _Cut(self, request: wire.Request,
           key: _Key) -> Union[parts.Parts, Answer]:
    """Returns an answer cut into parts, or an error.

    """
    cut = self._parts.get(key)
    if cut is not None:
      self._parts.move_to_end(key)
      return cut
    known = self._cache.get(key)
    if (isinstance(known, Answer) and
        known.status != constants.CONFD_REPL_STATUS_OK):
      return known
    result = querylib.AnswerInPieces(self._snapshot, request)
    if isinstance(result, querylib.Pieces):
      try:
        cut = parts.Parts(result.texts)
      except parts.TooLarge:
        result = protocol.TOO_LARGE
      else:
        self._Remember(key, cut)
        return cut
    answer = Encode(result, self.serial)
    self._cache.Put(key, answer)
    return answer

  def _Whole(self, cut: parts.Parts, key: _Key) -> Answer:
    """Returns an answer in one datagram, or the error TOO_LARGE.

    """
    if cut.text_size > constants.MAX_UDP_DATA_SIZE:
      return Encode(protocol.TOO_LARGE, self.serial)
    answer = Encode((constants.CONFD_REPL_STATUS_OK,
                     wire.DecodeJson(cut.Text())), self.serial)
    if answer.status == constants.CONFD_REPL_STATUS_OK:
      self._cache.Put(key, answer)
    return answer

  def _Remember(self, key: _Key, cut: parts.Parts) -> None:
    self._parts[key] = cut
    self._parts_size += self._SizeOf(key, cut)
    while self._parts_size > _PARTS_SIZE and len(self._parts) > 1:
      self._parts_size -= self._SizeOf(*self._parts.popitem(last=False))

  @staticmethod
  def _SizeOf(key: _Key, cut: parts.Parts) -> int:
    return _CACHE_OVERHEAD + sys.getsizeof(key.query) + cut.size


class Loader:
  """The source for STATS and WAIT requests.

  The loader answers STATS, since reading the memory sizes of processes takes
  long, and would delay a worker. In the process for large answers, a STATS
  request would have to wait behind others.

  """
  def __init__(self, serial: int,
               collect: Callable[[], dict[str, Any]]) -> None:
    """@param collect: makes the answer to STATS

    """
    self.serial = serial
    self._collect = collect
    self._unchanged = Encode((constants.CONFD_REPL_STATUS_OK, serial), serial)
    # Cache nothing: the answer to STATS is different each time
    self.cached: Callable[[Any], Optional[Outcome]] = lambda _: None

  def Known(self, _: wire.Request) -> Optional[Outcome]:
    return None

  def Make(self, request: wire.Request) -> Outcome:
    if request.part is not None:
      # Refuse a request for a part of an answer: the loader makes the answer
      # anew for each request, so the parts would not fit together
      return Encode(protocol.BAD_ARGUMENT, self.serial)
    if request.type == protocol.REQ_WAIT:
      seconds = querylib.SecondsToWait(self.serial, request)
      return self._unchanged._replace(wait=seconds)
    return Encode((constants.CONFD_REPL_STATUS_OK, self._collect()),
                  self.serial)

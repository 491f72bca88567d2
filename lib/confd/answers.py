#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Where answers come from: three sources, each with a process of its own.

L{Quick} is a worker's: it makes what takes less than 10 ms, and says of
anything else who has to make it. L{Large} makes what takes longer, and answers
in parts. L{Loader} tells about the daemon itself, and has time to wait.

L{responder.Responder} asks a source in this order: C{remembered} is a look-up,
C{Known} costs a few at most, C{Make} may cost more. No socket, no clock.

"""

from __future__ import annotations

import collections
import enum
import sys

import simplejson

from ganeti import constants
from ganeti.confd import counters
from ganeti.confd import protocol
from ganeti.confd import querylib
from ganeti.confd import replay
from ganeti.confd.config import snapshot as snapshotlib
from ganeti.confd.protocol import parts
from ganeti.confd.protocol import wire
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Any, Callable, Dict, Hashable, List, Optional, Union


#: Answers of more items than this are made outside the workers. Making one of
#: this size takes less than 10 ms.
_LARGE_ITEMS = 5000

#: What a cache of serialised answers may hold (bytes): so much, which is enough
#: for the disks of 10,000 instances, or as much as the configuration's file has
_CACHE_SIZE = 32 << 20
#: What an answer takes in it besides its text and its question
_CACHE_OVERHEAD = 500

#: What is kept of answers cut into parts; at least the last one is (bytes)
_PARTS_SIZE = 256 << 20


# A number too large for a float is infinite here; it must not be taken for the
# null that replies have in its place
_EncodeKey: Callable[[Any], str] = simplejson.JSONEncoder(
  allow_nan=True, namedtuple_as_object=False, separators=(",", ":")).encode


#: Errors with a counter of their own
_COUNTED = [
  (protocol.TOO_LARGE, counters.INDEX[counters.TOO_LARGE]),
  (protocol.NOT_PERMITTED, counters.INDEX[counters.NOT_PERMITTED]),
  (protocol.TOO_MANY, counters.INDEX[counters.TOO_MANY]),
  ]


class Answer(NamedTuple):
  """An answer, ready to be packed with any salt.

  """
  status: int
  message: wire.Message
  #: Index of the counter that counts it besides that of its status
  counter: Optional[int]
  #: Whether a reply with this answer, if it is short (L{replay.FREE_SIZE}), is
  #: sent for any number of copies of a request
  may_be_short: bool


class Elsewhere(enum.Enum):
  """Who else makes an answer.

  """
  LARGE = "large"
  LOADER = "loader"


class Later(NamedTuple):
  """An answer that is to be kept, for so many seconds.

  """
  answer: Answer
  seconds: int


if TYPE_CHECKING:
  Outcome = Union[Answer, Elsewhere, Later]


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
                len(text) <= replay.FREE_SIZE)


class _Key(NamedTuple):
  """A question, as caches know it.

  """
  type: Optional[int]
  #: Bytes are the JSON text of any other query than a text
  query: Union[str, bytes, None]


class _Cache:
  """Outcomes by question, within a bound in bytes.

  @ivar get: returns the outcome of a question, or None

  """
  def __init__(self, limit: int) -> None:
    self._limit = limit
    self._size = 0
    self._outcomes: Dict[Hashable, Outcome] = {}
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
  """Makes the key of a question.

  @raise RecursionError: it is nested so deeply that it can just be read

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

  A long text counts as several, also one that is JSON.

  """
  items = 0
  todo: List[Any] = [[answer]]
  while todo:
    value = todo.pop()
    # No isinstance: every new answer comes through here, and JSON has no
    # subclasses
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
  """What a worker answers itself.

  """
  def __init__(self, snapshot: snapshotlib.Snapshot) -> None:
    self.serial = snapshot.serial
    self._snapshot = snapshot
    self._cache = _Cache(max(_CACHE_SIZE, snapshot.size))
    self.remembered: Callable[[Any], Optional[Outcome]] = self._cache.get
    # By the address itself: instances' are many, their nodes' are few
    self._addresses: Dict[querylib.Result, Answer] = {}

  def Known(self, request: wire.Request) -> Optional[Outcome]:
    """Returns what is known without work.

    """
    if request.part is not None:
      return None
    if querylib.IsOneAddress(request):
      # As quick as a look-up
      return self._AnswerAddress(request)
    return self._cache.get(_KeyOf(request))

  def _AnswerAddress(self, request: wire.Request) -> Answer:
    result = querylib.Answer(self._snapshot, request)
    answer = self._addresses.get(result)
    if answer is None:
      answer = self._addresses[result] = Encode(result, self.serial)
    return answer

  def Make(self, request: wire.Request) -> Outcome:
    """Makes an answer, or says who does.

    """
    if request.type == protocol.REQ_STATS:
      return Elsewhere.LOADER
    if request.part is not None:
      if request.type == protocol.REQ_WAIT:
        # The parts would not come from the same moment
        return Encode(protocol.BAD_ARGUMENT, self.serial)
      return Elsewhere.LARGE
    outcome = self._Make(request)
    self._cache.Put(_KeyOf(request), outcome)
    return outcome

  def _Make(self, request: wire.Request) -> Outcome:
    if querylib.TakesLong(request):
      return Elsewhere.LARGE
    if querylib.SecondsToWait(self.serial, request):
      return Elsewhere.LOADER
    result = querylib.Answer(self._snapshot, request)
    if _IsLarge(result[1]):
      return Elsewhere.LARGE
    try:
      answer = Encode(result, self.serial)
    except (TypeError, ValueError, RecursionError):
      if request.type != protocol.REQ_QUERY:
        raise
      # Some cell cannot be encoded. The process for large answers leaves out
      # single cells.
      return Elsewhere.LARGE
    if request.type == protocol.REQ_WAIT:
      # Copies of a captured WAIT must not gain more replies once the serial has
      # moved on than before, however short the answer is
      answer = answer._replace(may_be_short=False)
    return answer


class Large:
  """What takes long, and answers in parts.

  There is one process for these, so that the copy of a large answer that is
  kept for its parts is the only one. An answer is made in pieces, of which each
  is compressed before the next one is made.

  """
  def __init__(self, snapshot: snapshotlib.Snapshot) -> None:
    self.serial = snapshot.serial
    self._snapshot = snapshot
    # Errors, and answers that fit into a datagram
    self._cache = _Cache(max(_CACHE_SIZE, snapshot.size))
    self.remembered: Callable[[Any], Optional[Outcome]] = self._cache.get
    self._parts: "collections.OrderedDict[_Key, parts.Parts]" = \
      collections.OrderedDict()
    self._parts_size = 0

  def Known(self, request: wire.Request) -> Optional[Outcome]:
    """Returns what is known without work.

    """
    if request.part is not None:
      return None
    return self._cache.get(_KeyOf(request))

  def Make(self, request: wire.Request) -> Outcome:
    """Makes any answer that workers leave to this source.

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
    """Returns an answer, cut, or an error.

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
        self._Keep(key, cut)
        return cut
    answer = Encode(result, self.serial)
    self._cache.Put(key, answer)
    return answer

  def _Whole(self, cut: parts.Parts, key: _Key) -> Answer:
    """Returns an answer in one datagram, or that it is too large for that.

    """
    if cut.text_size > constants.MAX_UDP_DATA_SIZE:
      return Encode(protocol.TOO_LARGE, self.serial)
    answer = Encode((constants.CONFD_REPL_STATUS_OK,
                     wire.DecodeJson(cut.Text())), self.serial)
    if answer.status == constants.CONFD_REPL_STATUS_OK:
      self._cache.Put(key, answer)
    return answer

  def _Keep(self, key: _Key, cut: parts.Parts) -> None:
    self._parts[key] = cut
    self._parts_size += self._SizeOf(key, cut)
    while self._parts_size > _PARTS_SIZE and len(self._parts) > 1:
      self._parts_size -= self._SizeOf(*self._parts.popitem(last=False))

  @staticmethod
  def _SizeOf(key: _Key, cut: parts.Parts) -> int:
    return _CACHE_OVERHEAD + sys.getsizeof(key.query) + cut.size


class Loader:
  """What the daemon tells about itself, and what is kept.

  Looking at the memory of processes takes long. Yet whoever watches the daemon
  must not wait for large answers as well. Nor must workers wait for anything.

  """
  def __init__(self, serial: int,
               collect: Callable[[], Dict[str, Any]]) -> None:
    """@param collect: makes the answer

    """
    self.serial = serial
    self._collect = collect
    self._unchanged = Encode((constants.CONFD_REPL_STATUS_OK, serial), serial)
    # Each time it is another answer
    self.remembered: Callable[[Any], Optional[Outcome]] = lambda _: None

  def Known(self, _: wire.Request) -> Optional[Outcome]:
    return None

  def Make(self, request: wire.Request) -> Outcome:
    if request.part is not None:
      # It would be another answer for each part
      return Encode(protocol.BAD_ARGUMENT, self.serial)
    if request.type == protocol.REQ_WAIT:
      seconds = querylib.SecondsToWait(self.serial, request)
      return Later(self._unchanged, seconds) if seconds else self._unchanged
    return Encode((constants.CONFD_REPL_STATUS_OK, self._collect()),
                  self.serial)

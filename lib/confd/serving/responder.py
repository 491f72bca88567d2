#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Makes the reply to a datagram: verifies, looks up the answer, signs.

Rule: a replayed request costs one HMAC and a look-up. If the answer is not
cached, or the reply is long, L{replay} is asked whether to answer, before an
answer is made or the request is delegated to another process.

"""

from __future__ import annotations

import logging

from ganeti import confd
from ganeti import constants
from ganeti.confd import protocol
from ganeti.confd.protocol import readers
from ganeti.confd.protocol import wire
from ganeti.confd.serving import answers
from ganeti.confd.serving import counters
from ganeti.confd.serving import replay
from ganeti.confd.serving import waiting
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any, Callable, MutableSequence, Optional, Protocol, Union


_STATUS_COUNTER = {
  constants.CONFD_REPL_STATUS_OK: counters.INDEX[counters.OK],
  constants.CONFD_REPL_STATUS_ERROR: counters.INDEX[counters.ERROR],
  constants.CONFD_REPL_STATUS_NOTIMPLEMENTED:
    counters.INDEX[counters.NOT_IMPLEMENTED],
  }
_QUERY_COUNTER: dict[Optional[int], int] = {
  number: counters.INDEX[counters.QueryName(kind)]
  for (kind, number) in protocol.REQUEST_TYPES.items()}
_UNKNOWN_TYPE = counters.INDEX[counters.UNKNOWN_TYPE]
_DROPPED = {reason: counters.INDEX[counters.DroppedName(reason)]
            for reason in wire.REJECT_REASONS}
# Local names for values of other modules: looking up a local name is quicker
_Answer = answers.Answer
_EXEMPT_SIZE = replay.EXEMPT_SIZE
_DROPPED_REPLAYED = counters.INDEX[counters.DROPPED_REPLAYED]


if TYPE_CHECKING:
  class Source(Protocol):
    """A source of answers, see L{answers}.

    """
    serial: int

    @property
    def cached(self) -> Callable[[Any], Optional[answers.Outcome]]:
      """A function that looks an outcome up in a cache, by type and query.

      The query has to be None or a string.

      """

    def Known(self, request: wire.Request) -> Optional[answers.Outcome]:
      """Returns an outcome that costs no more than some look-ups, or None.

      """

    def Make(self, request: wire.Request) -> answers.Outcome:
      """Makes an answer, or returns the process that makes it.

      """


class Responder:
  """Makes the replies to datagrams, with one source of answers and one key.

  The keys of readers are derived from that key. This class uses no socket and
  no clock.

  """
  def __init__(self, source: Source, key: bytes, row: MutableSequence[int],
               replays: replay.ReplayTable) -> None:
    """@param row: counters to count in, from L{counters.Counters.Row}

    """
    self._source = source
    self._cached = source.cached
    self._known = source.Known
    self._key = key
    self._readers = readers.Readers(key)
    self._row = row
    self._replays = replays
    self._strict_until = replays.strict_until
    self._too_large = answers.Encode(protocol.TOO_LARGE, source.serial)
    self._not_permitted = answers.Encode(protocol.NOT_PERMITTED, source.serial)
    self._too_many = answers.Encode(protocol.TOO_MANY, source.serial)
    self._bad_argument = answers.Encode(protocol.BAD_ARGUMENT, source.serial)
    self._failed: set[Optional[int]] = set()

  def Respond(self, datagram: bytes, now: float, forwarded: bool = False
              ) -> Union[bytes, answers.Delegate, waiting.Deferred, None]:
    """Makes the reply to a datagram.

    This function and L{wire} determine the cost of a request whose answer is
    cached: parsing the request and verifying its signature take half of the
    time, signing the reply a quarter.

    @param now: the time, in seconds since the epoch
    @param forwarded: whether a worker forwarded the datagram; if so, the worker
      has asked L{replay}
    @return: the reply, to be sent now or later; None to send nothing; or the
      process that makes the answer

    """
    try:
      request = wire.ParseRequest(datagram, self._key, now, self._readers)
    except wire.Rejected as err:
      # Count the datagram, but neither reply nor log: an attacker without a key
      # could flood a victim with replies, or fill the log
      self._row[_DROPPED[err.reason]] += 1
      return None

    (rtype, query, rsalt, part, signature, sent, reader) = request
    # The key to sign the reply with. A call of _KeyOf would return the same,
    # but costs time.
    key: wire.Key = self._key if reader is None else reader
    outcome = None if reader is None else self._Forbid(reader, request, now)
    # Look up most requests in the cache directly: a call of _known would
    # cost time
    if outcome is None and part is None and (query is None or
                                             type(query) is str):
      outcome = self._cached((rtype, query))
    if outcome is None:
      try:
        outcome = self._known(request)
      except Exception: # pylint: disable=W0718
        # Ignore the error here: it occurs again in _Make below, where it is
        # logged
        pass
    answer = reply = None
    # Compare types, which is quicker than isinstance
    if type(outcome) is _Answer and outcome.exempt_if_short:
      answer = outcome
      reply = wire.PackReply(key, rsalt, answer.message)
    if (reply is None or answer is None or len(reply) > _EXEMPT_SIZE or
        now < self._strict_until[0]):
      # Limit the number of replies to copies of this request, in any of three
      # cases: the answer costs more than a look-up; the reply is so long that
      # an attacker gains by replays; or short replies are limited, too, at
      # present
      if not (forwarded or self._replays.Allows(signature, sent)):
        self._row[_DROPPED_REPLAYED] += 1
        return None
      if outcome is None:
        outcome = self._Make(request)
      if isinstance(outcome, answers.Delegate):
        return outcome
      if outcome.wait:
        return self._Defer(outcome, request)
      (answer, reply) = self._Pack(outcome, key, rsalt)
      if reply is None:
        self._row[_DROPPED[wire.BAD_RSALT]] += 1
        return None

    self._Count(rtype, answer)
    return reply

  def _Count(self, rtype: Optional[int], answer: answers.Answer) -> None:
    # No lock is needed: no other process writes to this row of counters
    row = self._row
    row[_QUERY_COUNTER.get(rtype, _UNKNOWN_TYPE)] += 1
    row[_STATUS_COUNTER[answer.status]] += 1
    if answer.counter is not None:
      row[answer.counter] += 1

  def CountAnswered(self) -> None:
    """Counts the reply to a WAIT request that has been pending.

    """
    self._row[_QUERY_COUNTER[protocol.REQ_WAIT]] += 1
    self._row[_STATUS_COUNTER[constants.CONFD_REPL_STATUS_OK]] += 1

  def _Forbid(self, reader: wire.ReaderKey, request: wire.Request,
              now: float) -> Optional[answers.Outcome]:
    """Checks a reader's permission, before the request is looked up or made.

    @return: an error; None if the reader may ask this

    """
    label = reader.label
    if label.May(request.type, request.query) and not label.HasEnded(now):
      return None
    return self._not_permitted

  def _Defer(self, answer: answers.Answer, request: wire.Request
             ) -> Union[bytes, waiting.Deferred, None]:
    """Makes the reply to a WAIT request, or an error.

    The reply is signed now, not when it is sent: a change of the configuration
    makes all pending replies due at the same time.

    """
    (_, reply) = self._Pack(answer, self._KeyOf(request), request.rsalt)
    if reply is not None and len(reply) <= waiting.MAX_REPLY_SIZE:
      return waiting.Deferred(reply, request, answer.wait)
    return self._Fail(self._bad_argument, request)

  def Refuse(self, request: wire.Request) -> Optional[bytes]:
    """Makes the error reply to a WAIT request when the table is full.

    """
    return self._Fail(self._too_many, request)

  def _Fail(self, answer: answers.Answer,
            request: wire.Request) -> Optional[bytes]:
    """Makes an error reply, and counts it.

    """
    (answer, reply) = self._Pack(answer, self._KeyOf(request), request.rsalt)
    if reply is None:
      self._row[_DROPPED[wire.BAD_RSALT]] += 1
    else:
      self._Count(request.type, answer)
    return reply

  def _KeyOf(self, request: wire.Request) -> wire.Key:
    return self._key if request.reader is None else request.reader

  def _Pack(self, answer: answers.Answer, key: wire.Key, rsalt: str
            ) -> tuple[answers.Answer, Optional[bytes]]:
    """Packs an answer into a reply, or the error TOO_LARGE instead.

    @return: the answer in the reply, and the reply; None as the reply if the
      request's salt is so long that no reply fits into a datagram

    """
    reply = wire.PackReply(key, rsalt, answer.message)
    if len(reply) > constants.MAX_UDP_DATA_SIZE:
      answer = self._too_large
      reply = wire.PackReply(key, rsalt, answer.message)
      if len(reply) > constants.MAX_UDP_DATA_SIZE:
        return (answer, None)
    return (answer, reply)

  def _Make(self, request: wire.Request) -> answers.Outcome:
    """Has the source make an answer; an exception becomes INTERNAL_ERROR.

    """
    try:
      return self._source.Make(request)
    except Exception: # pylint: disable=W0718
      # The exception is a programming error, or a RecursionError: a query that
      # could be parsed may be nested too deeply to be serialised
      if request.type not in self._failed:
        self._failed.add(request.type)
        logging.exception("Cannot answer a request of type %s because of a"
                          " programming error; %s", request.type,
                          confd.PLEASE_REPORT)
      return answers.Encode(protocol.INTERNAL_ERROR, self._source.serial)

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""From a datagram to its reply: proved authentic, looked up, signed.

Rule: a copy of a request costs its HMAC and a look-up. What is not known yet,
and what is answered at length, asks L{replay} first, before anything is made or
left to another process.

"""

from __future__ import annotations

import logging

from ganeti import confd
from ganeti import constants
from ganeti.confd import answers
from ganeti.confd import counters
from ganeti.confd import protocol
from ganeti.confd import replay
from ganeti.confd import waiting
from ganeti.confd.protocol import readers
from ganeti.confd.protocol import wire
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Any, Callable, Dict, MutableSequence, Optional, Protocol, \
    Set, Tuple, Union


_STATUS_COUNTER = {
  constants.CONFD_REPL_STATUS_OK: counters.INDEX[counters.OK],
  constants.CONFD_REPL_STATUS_ERROR: counters.INDEX[counters.ERROR],
  constants.CONFD_REPL_STATUS_NOTIMPLEMENTED:
    counters.INDEX[counters.NOT_IMPLEMENTED],
  }
_QUERY_COUNTER: Dict[Optional[int], int] = {
  number: counters.INDEX[counters.QueryName(kind)]
  for (kind, number) in protocol.REQUEST_TYPES.items()}
_UNKNOWN_TYPE = counters.INDEX[counters.UNKNOWN_TYPE]
_DROPPED = {reason: counters.INDEX[counters.DroppedName(reason)]
            for reason in wire.REJECT_REASONS}
# Looked up less often than in a module
_Answer = answers.Answer
_FREE_SIZE = replay.FREE_SIZE
_DROPPED_REPLAYED = counters.INDEX[counters.DROPPED_REPLAYED]


if TYPE_CHECKING:
  class Source(Protocol):
    """Where answers come from, see L{answers}.

    """
    serial: int

    @property
    def remembered(self) -> Callable[[Any], Optional[answers.Outcome]]:
      """A look-up, by type and query, of what has been asked before.

      For queries that are None or a text.

      """

    def Known(self, request: wire.Request) -> Optional[answers.Outcome]:
      """Returns what is known without work.

      """

    def Make(self, request: wire.Request) -> answers.Outcome:
      """Makes an answer, or says who does.

      """


class Later(NamedTuple):
  """A reply that is to be kept.

  @ivar seconds: for how long at most
  @ivar request: for L{Responder.Refuse}

  """
  reply: bytes
  seconds: int
  request: wire.Request


class Responder:
  """Makes replies of datagrams, with one source of answers and one key.

  And with what is derived from that key for readers.

  No socket, no clock.

  """
  def __init__(self, source: Source, key: bytes, row: MutableSequence[int],
               replays: replay.ReplayTable) -> None:
    """@param row: counters to count in, from L{counters.Counters.Row}

    """
    self._source = source
    self._remembered = source.remembered
    self._known = source.Known
    self._key = key
    self._readers = readers.Readers(key)
    self._row = row
    self._replays = replays
    self._wary_until = replays.wary_until
    self._too_large = answers.Encode(protocol.TOO_LARGE, source.serial)
    self._not_permitted = answers.Encode(protocol.NOT_PERMITTED, source.serial)
    self._too_many = answers.Encode(protocol.TOO_MANY, source.serial)
    self._bad_argument = answers.Encode(protocol.BAD_ARGUMENT, source.serial)
    self._failed: Set[Optional[int]] = set()

  def Respond(self, datagram: bytes, now: float, forwarded: bool = False
              ) -> Union[bytes, answers.Elsewhere, Later, None]:
    """Makes the reply to a datagram.

    What a question asked before costs is all in here and in L{wire}: half of
    it is taking the request apart and proving it authentic, a quarter signing
    the reply.

    @param now: the time, in seconds since the epoch
    @param forwarded: whether it comes from a worker, which has asked L{replay}
    @return: bytes to send, now or later; None for silence; or who else makes
      the answer

    """
    try:
      request = wire.ParseRequest(datagram, self._key, now, self._readers)
    except wire.Rejected as err:
      # Not a word: neither to whoever sent it nor in the log
      self._row[_DROPPED[err.reason]] += 1
      return None

    (rtype, query, rsalt, part, signature, sent, reader) = request
    # As in _KeyOf
    key: wire.Key = self._key if reader is None else reader
    outcome = None if reader is None else self._Forbid(reader, request, now)
    # Most questions need no more than this
    if outcome is None and part is None and (query is None or
                                             type(query) is str):
      outcome = self._remembered((rtype, query))
    if outcome is None:
      try:
        outcome = self._known(request)
      except Exception: # pylint: disable=W0718
        # The source will say so again when it has to make the answer
        pass
    answer = reply = None
    # No isinstance, which takes longer
    if type(outcome) is _Answer and outcome.may_be_short:
      answer = outcome
      reply = wire.PackReply(key, rsalt, answer.message)
    if (reply is None or answer is None or len(reply) > _FREE_SIZE or
        now < self._wary_until[0]):
      # It costs more, or is of more use to whoever sends copies
      if not (forwarded or self._replays.Allows(signature, sent)):
        self._row[_DROPPED_REPLAYED] += 1
        return None
      if outcome is None:
        outcome = self._Make(request)
      if isinstance(outcome, answers.Elsewhere):
        return outcome
      if isinstance(outcome, answers.Later):
        return self._PackLater(outcome, request)
      (answer, reply) = self._Pack(outcome, key, rsalt)
      if reply is None:
        self._row[_DROPPED[wire.BAD_RSALT]] += 1
        return None

    self._Count(rtype, answer)
    return reply

  def _Count(self, rtype: Optional[int], answer: answers.Answer) -> None:
    # Nobody else writes to this row: no lock
    row = self._row
    row[_QUERY_COUNTER.get(rtype, _UNKNOWN_TYPE)] += 1
    row[_STATUS_COUNTER[answer.status]] += 1
    if answer.counter is not None:
      row[answer.counter] += 1

  def CountAnswered(self) -> None:
    """Counts the reply to a question that was kept.

    """
    self._row[_QUERY_COUNTER[protocol.REQ_WAIT]] += 1
    self._row[_STATUS_COUNTER[constants.CONFD_REPL_STATUS_OK]] += 1

  def _Forbid(self, reader: wire.ReaderKey, request: wire.Request,
              now: float) -> Optional[answers.Outcome]:
    """Refuses what a reader may not ask, before it is looked at.

    @return: None for what he may

    """
    label = reader.label
    if label.May(request.type, request.query) and not label.HasEnded(now):
      return None
    return self._not_permitted

  def _PackLater(self, outcome: answers.Later,
                 request: wire.Request) -> Union[bytes, Later, None]:
    """Makes a reply that is to be kept, or an error.

    It is signed now: now there is time, and none when many are to be told.

    """
    (_, reply) = self._Pack(outcome.answer, self._KeyOf(request), request.rsalt)
    if reply is not None and len(reply) <= waiting.MAX_REPLY_SIZE:
      return Later(reply, outcome.seconds, request)
    return self._Fail(self._bad_argument, request)

  def Refuse(self, later: Later) -> Optional[bytes]:
    """Makes the reply to a question that there is no room for.

    """
    return self._Fail(self._too_many, later.request)

  def _Fail(self, answer: answers.Answer,
            request: wire.Request) -> Optional[bytes]:
    """Makes the reply with an error.

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
            ) -> Tuple[answers.Answer, Optional[bytes]]:
    """Makes the reply with an answer, or that it is too large.

    @return: the answer in the reply, and the reply; None for a salt that leaves
      no room for any reply at all

    """
    reply = wire.PackReply(key, rsalt, answer.message)
    if len(reply) > constants.MAX_UDP_DATA_SIZE:
      answer = self._too_large
      reply = wire.PackReply(key, rsalt, answer.message)
      if len(reply) > constants.MAX_UDP_DATA_SIZE:
        return (answer, None)
    return (answer, reply)

  def _Make(self, request: wire.Request) -> answers.Outcome:
    """Has an answer made, whatever happens.

    """
    try:
      return self._source.Make(request)
    except Exception: # pylint: disable=W0718
      # Also what is nested so deeply that it can just be read, not written
      if request.type not in self._failed:
        self._failed.add(request.type)
        logging.exception("Cannot answer a request of type %s because of a"
                          " programming error; %s", request.type,
                          confd.PLEASE_REPORT)
      return answers.Encode(protocol.INTERNAL_ERROR, self._source.serial)

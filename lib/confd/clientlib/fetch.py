#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""One answer that does not fit a datagram, fetched in parts.

Rule 1: all parts are from one candidate. The first one says how many there are
and the hash of the whole; then several are asked for at a time.

Rule 2: the daemon may load a new configuration meanwhile, and for a moment two
generations of it answer. A part with a lower serial than one that has come is
dropped and asked for again; a higher serial or another hash starts the answer
again, L{_MAX_RESTARTS} times at most.

Rule 3: as for L{exchange}, no socket and no clock. The time to wait starts
again with each part that comes; but all in all they come at L{_LEAST_RATE} or
faster, or the fetch is given up.

"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Tuple

from ganeti import constants
from ganeti import errors
from ganeti.confd.clientlib import exchange
from ganeti.confd.clientlib import forms
from ganeti.confd.clientlib import talk
from ganeti.confd.protocol import parts
from ganeti.confd.protocol import wire


#: How many parts are under way at a time: they fit a socket's usual buffer
_WINDOW = 32

_MAX_RESTARTS = 5

#: Parts per second, after the first seconds, for which nothing is asked
_LEAST_RATE = 10.0
_FREE_TIMEOUTS = 2


class _Asked(talk.Asked):
  """A part that is under way.

  """
  def __init__(self, number: int, salt: str, now: float) -> None:
    talk.Asked.__init__(self, salt, now)
    self.number = number


class Fetch(talk.Talk):
  """One answer, in parts.

  """
  def __init__(self, rtype: int, query: object,
               source: Tuple[exchange.Candidate, List[talk.Address]],
               serial: int, now: float, timeout: float,
               max_memory: int = parts.MAX_MEMORY,
               progress: Optional[Callable[[int, Optional[int]], None]] = None
               ) -> None:
    """Makes the question for the first part; nothing is sent yet.

    @param query: any JSON value
    @param source: whom to ask, at which addresses
    @param serial: that of the reply that said the answer is too large
    @param timeout: seconds to wait for the next part
    @param max_memory: see L{parts.Assembly}
    @param progress: called now and then with how many parts have come, and of
      how many (None while that is not known)

    """
    talk.Talk.__init__(self)
    self._rtype = rtype
    self._query = query
    (self._candidate, self._addresses) = source
    self._serial = serial
    self._started = now
    self._timeout = timeout
    self._max_memory = max_memory
    self._progress = progress
    self._deadline = now + timeout
    self._assembly: Optional[parts.Assembly] = None
    self._asked: Dict[int, _Asked] = {}
    self._by_salt: Dict[str, _Asked] = {}
    self._Ask(0, now)
    self._next = 1
    self._received = 0
    self._restarts = 0
    self._error: Optional[wire.ParsedReply] = None
    self._broken: Optional[errors.ConfdClientError] = None
    self._answer: object = None

  def _Ask(self, number: int, now: float) -> None:
    asked = _Asked(number, self._NewSalt(), now)
    self._asked[number] = asked
    self._by_salt[asked.salt] = asked

  def Salts(self) -> Dict[str, _Asked]:
    return self._by_salt

  def Outgoing(self, key: wire.Key, now: float, timestamp: float
               ) -> List[talk.Datagram]:
    if self._progress is not None:
      self._progress(*self.Progress())
    if self._assembly is not None:
      while len(self._asked) < _WINDOW and self._next < self._assembly.count:
        if not self._assembly.Has(self._next):
          self._Ask(self._next, now)
        self._next += 1
    result: List[talk.Datagram] = []
    for asked in self._asked.values():
      if asked.pace.IsDue(now):
        datagram = wire.PackRequest(key, timestamp, self._rtype, self._query,
                                    asked.salt, asked.number)
        result.extend(talk.Datagram(family, address, datagram)
                      for (family, address) in self._addresses)
    return result

  @property
  def wakeup(self) -> float:
    return min([asked.pace.next for asked in self._asked.values()] +
               [self._deadline])

  def _Have(self) -> int:
    return 0 if self._assembly is None else len(self._assembly)

  def Progress(self) -> Tuple[int, Optional[int]]:
    """Tells how far it is.

    @return: how many parts have come, and of how many as far as is known

    """
    return (self._Have(), None if self._assembly is None else
            self._assembly.count)

  def Question(self, asked: _Asked) -> forms.Question:
    return forms.Question(self._rtype, self._query, asked.number)

  def Receive(self, asked: _Asked, reply: wire.ParsedReply,
              address: talk.SocketAddress, now: float) -> bool:
    if (self._asked.get(asked.number) is not asked or
        not self._candidate.IsAt(exchange.SourceOf(address)) or
        reply.serial < self._serial or self.Done(now)):
      return False
    before = (self._restarts, self._Have())
    try:
      self._Take(asked, reply, now)
    except parts.Broken as err:
      self._broken = self._Malformed(str(err))
    except errors.ConfdClientError as err:
      self._broken = err
    if (self._restarts, self._Have()) != before:
      self._received += 1
      latest = (self._started + _FREE_TIMEOUTS * self._timeout +
                self._received / _LEAST_RATE)
      self._deadline = min(now + self._timeout, latest)
    return True

  def ReceiveMalformed(self, asked: _Asked, fault: str,
                       address: talk.SocketAddress, now: float) -> bool:
    if (self._asked.get(asked.number) is not asked or
        not self._candidate.IsAt(exchange.SourceOf(address)) or
        self.Done(now)):
      return False
    self._broken = self._Malformed(fault)
    return True

  def _Malformed(self, fault: str) -> errors.ConfdClientError:
    return exchange.Malformed(self._rtype, self._query,
                              {self._candidate.name: fault})

  def _Take(self, asked: _Asked, reply: wire.ParsedReply, now: float) -> None:
    """Takes a reply that is not old.

    @raise errors.ConfdClientError: it is no part, or of too large an answer

    """
    newer = reply.serial > self._serial
    self._serial = reply.serial
    if reply.part is None:
      if newer and asked.number > 0:
        # The new answer may have no such part; it has a first one
        self._Restart(None)
        self._Ask(0, now)
      else:
        self._error = reply
      return
    if self._assembly is None:
      self._assembly = self._MakeAssembly(reply.part)
    elif (newer or reply.part.sha256 != self._assembly.sha256 or
          reply.part.total != self._assembly.count):
      self._Restart(self._MakeAssembly(reply.part))
    if reply.part.number == asked.number and self._assembly is not None:
      self._assembly.Add(asked.number, reply.answer)
      self._asked.pop(asked.number, None)
      self._by_salt.pop(asked.salt, None)

  def _MakeAssembly(self, part: wire.Part) -> parts.Assembly:
    return parts.Assembly(part.total, part.sha256, self._max_memory)

  def _Restart(self, assembly: Optional[parts.Assembly]) -> None:
    """Begins anew.

    @param assembly: what to put the parts into; None if that is not known

    """
    self._restarts += 1
    self._assembly = assembly
    self._asked.clear()
    self._by_salt.clear()
    self._next = 0 if assembly is not None else 1

  def Done(self, now: float) -> bool:
    return (self._error is not None or self._broken is not None or
            self._restarts > _MAX_RESTARTS or now >= self._deadline or
            self._IsComplete())

  def _IsComplete(self) -> bool:
    return (self._assembly is not None and
            len(self._assembly) == self._assembly.count)

  def Finish(self, now: float) -> None:
    """Ends the fetch.

    """

  def Unpack(self) -> None:
    """Makes the answer of its parts, which may take a while.

    @raise exchange.MalformedAnswer: the parts do not fit together, or make an
      answer of another form than it should have
    @raise errors.ConfdClientError: the answer is too large

    """
    if self._broken is None and self._assembly is not None and \
       self._IsComplete():
      try:
        answer = self._assembly.Answer()
      except parts.Broken as err:
        raise self._Malformed(str(err)) from err
      fault = forms.AnswerFault(self._rtype, self._query, answer)
      if fault is not None:
        raise self._Malformed(fault)
      self._answer = answer

  def Result(self, reply: exchange.Reply[Any], now: float
             ) -> exchange.Reply[Any]:
    """Returns what the fetch came to.

    @param reply: the one that said the answer is too large
    @raise exchange.NoAnswer: parts are missing
    @raise exchange.MalformedAnswer: what came is no part
    @raise exchange.ErrorAnswer: the answer has become an error
    @raise errors.ConfdClientError: it changed too often, or is too large

    """
    if self._broken is not None:
      raise self._broken
    question = exchange.DescribeRequest(self._rtype, self._query)
    best = reply.candidates[0]._replace(serial=self._serial)
    if self._error is not None:
      best = best._replace(status=self._error.status,
                           answer=self._error.answer)
      raise exchange.ErrorAnswer(
        exchange.DescribeError(self._rtype, self._query, best),
        reply._replace(serial=self._serial,
                       candidates=[best] + reply.candidates[1:]))
    if self._restarts > _MAX_RESTARTS:
      raise errors.ConfdClientError("The answer to %s changed %d times while it"
                                    " was fetched from %s" %
                                    (question, self._restarts, best.address))
    if not self._IsComplete():
      raise exchange.NoAnswer(self._DescribeLack(question, best.address, now))
    best = best._replace(status=constants.CONFD_REPL_STATUS_OK,
                         answer=self._answer)
    return reply._replace(answer=self._answer, serial=self._serial,
                          candidates=[best] + reply.candidates[1:])

  def _DescribeLack(self, question: str, address: str, now: float) -> str:
    """Says what is missing, and why as far as that can be told.

    """
    (have, count) = self.Progress()
    text = ("The answer to %s from %s is incomplete after %.1f seconds:"
            " %d of %s parts came" %
            (question, address, now - self._started, have,
             "an unknown number of" if count is None else count))
    if self._candidate.trouble:
      text += " (%s)" % self._candidate.trouble
    return text

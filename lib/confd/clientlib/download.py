#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The download of an answer that does not fit a datagram, part by part.

Rule 1: all parts are from one candidate. The reply with the first part has the
number of parts and the hash of the whole; the other parts are then requested,
up to L{_WINDOW} at a time.

Rule 2: a part with a lower serial than an earlier one is ignored, and requested
again by a retransmit; a higher serial or another hash restarts the download,
L{_MAX_RESTARTS} times at most. Reason: the daemon may load a new configuration
during the download, and for a moment two generations of its processes answer.

Rule 3: each part restarts the time-out. But the download fails if the average
rate of parts falls below L{_MIN_RATE}.

"""

from __future__ import annotations

import math
from typing import Any, Optional

from ganeti import constants
from ganeti import errors
from ganeti.confd.clientlib import endpoint
from ganeti.confd.clientlib import forms
from ganeti.confd.clientlib import operation
from ganeti.confd.clientlib import replies
from ganeti.confd.clientlib import typenames
from ganeti.confd.clientlib.mastercandidate import Candidate
from ganeti.confd.protocol import parts
from ganeti.confd.protocol import wire


#: Maximum number of requests for parts in flight: a receive buffer of the usual
#: size has room for the replies to this many requests
_WINDOW = 32

_MAX_RESTARTS = 5

#: A download that has received N parts fails after _FREE_TIMEOUTS time-outs
#: plus N / _MIN_RATE seconds
_MIN_RATE = 10.0
_FREE_TIMEOUTS = 2


class _PartRequest(operation.PendingRequest):
  """The request for a part, in flight.

  """
  def __init__(self, number: int, salt: str, now: float) -> None:
    operation.PendingRequest.__init__(self, salt, now)
    self.number = number


class Download(operation.Operation):
  """An answer in parts.

  """
  def __init__(self, rtype: int, query: object,
               source: tuple[Candidate, list[endpoint.Address]],
               serial: int, now: float, timeout: float,
               max_memory: int = parts.MAX_MEMORY,
               progress: Optional[typenames.ProgressCallback] = None,
               ends: float = math.inf) -> None:
    """Makes the request for the first part; nothing is sent yet.

    @param query: any JSON value
    @param source: the candidate, and the addresses to use
    @param serial: the serial of the reply that said the answer is too large
    @param timeout: seconds to wait for the next part
    @param max_memory: see L{parts.Assembly}
    @param progress: called now and then with the number of parts so far, and
      the number of all parts (None while that is not known)
    @param ends: when to give up

    """
    operation.Operation.__init__(self)
    # Use OpenSSL's hash functions, which are faster than Python's own: a
    # download hashes each part and the whole answer
    wire.UseOpenSsl()
    self._rtype = rtype
    self._query = query
    (self._candidate, self._addresses) = source
    self._serial = serial
    self._started = now
    self._timeout = timeout
    self._max_memory = max_memory
    self._progress = progress
    self._ends = ends
    self._deadline = min(ends, now + timeout)
    self._assembly: Optional[parts.Assembly] = None
    self._requests: dict[int, _PartRequest] = {}
    self._by_salt: dict[str, _PartRequest] = {}
    self._RequestPart(0, now)
    self._next = 1
    self._received = 0
    self._restarts = 0
    self._error: Optional[wire.ParsedReply] = None
    self._broken: Optional[errors.ConfdClientError] = None
    self._answer: object = None

  def _RequestPart(self, number: int, now: float) -> None:
    request = _PartRequest(number, self._NewSalt(), now)
    self._requests[number] = request
    self._by_salt[request.salt] = request

  def Salts(self) -> dict[str, _PartRequest]:
    return self._by_salt

  def Outgoing(self, key: wire.Key, now: float, timestamp: float
               ) -> list[operation.Datagram]:
    if self._progress is not None:
      self._progress(*self.Progress())
    if self._assembly is not None:
      while len(self._requests) < _WINDOW and self._next < self._assembly.count:
        if not self._assembly.Has(self._next):
          self._RequestPart(self._next, now)
        self._next += 1
    result: list[operation.Datagram] = []
    for request in self._requests.values():
      if request.timer.IsDue(now):
        datagram = wire.PackRequest(key, timestamp, self._rtype, self._query,
                                    request.salt, request.number)
        result.extend(operation.Datagram(family, address, datagram)
                      for (family, address) in self._addresses)
    return result

  @property
  def wakeup(self) -> float:
    return min([i.timer.next for i in self._requests.values()] +
               [self._deadline])

  def _Have(self) -> int:
    return 0 if self._assembly is None else len(self._assembly)

  def Progress(self) -> tuple[int, Optional[int]]:
    """Returns the progress of the download.

    @return: the number of parts so far, and the number of all parts, None while
      that is not known

    """
    return (self._Have(), None if self._assembly is None else
            self._assembly.count)

  @property
  def description(self) -> str:
    return "parts of %s" % replies.DescribeRequest(self._rtype, self._query)

  def Question(self, request: _PartRequest) -> forms.Question:
    return forms.Question(self._rtype, self._query, request.number)

  def _IsExpected(self, request: _PartRequest, address: endpoint.SocketAddress,
                  now: float) -> bool:
    """Tells whether a reply is for a part in flight, and from the candidate.

    """
    return (self._requests.get(request.number) is request and
            self._candidate.IsAt(endpoint.Of(address)) and not self.Done(now))

  def Receive(self, request: _PartRequest, reply: wire.ParsedReply,
              address: endpoint.SocketAddress, now: float) -> bool:
    if (reply.serial < self._serial or
        not self._IsExpected(request, address, now)):
      return False
    before = (self._restarts, self._Have())
    try:
      self._Take(request, reply, now)
    except parts.Broken as err:
      self._broken = self._MalformedError(str(err))
    except errors.ConfdClientError as err:
      self._broken = err
    if (self._restarts, self._Have()) != before:
      self._received += 1
      latest = (self._started + _FREE_TIMEOUTS * self._timeout +
                self._received / _MIN_RATE)
      self._deadline = min(now + self._timeout, latest, self._ends)
    return True

  def ReceiveMalformed(self, request: _PartRequest, fault: str,
                       address: endpoint.SocketAddress, now: float) -> bool:
    if not self._IsExpected(request, address, now):
      return False
    self._broken = self._MalformedError(fault)
    return True

  def _MalformedError(self, fault: str) -> errors.ConfdClientError:
    return replies.MalformedError(self._rtype, self._query,
                                  {self._candidate.name: fault})

  def _Take(self, request: _PartRequest, reply: wire.ParsedReply, now: float
            ) -> None:
    """Takes a reply that is not stale.

    @raise errors.ConfdClientError: the reply is no part, or a part of an answer
      that is too large

    """
    newer = reply.serial > self._serial
    self._serial = reply.serial
    if reply.part is None:
      if newer and request.number > 0:
        # The answer from the new configuration may be an error, or may have too
        # few parts for this request. Request the first part, to find out.
        self._Restart(None)
        self._RequestPart(0, now)
      else:
        self._error = reply
      return
    if self._assembly is None:
      self._assembly = self._MakeAssembly(reply.part)
    elif (newer or reply.part.sha256 != self._assembly.sha256 or
          reply.part.total != self._assembly.count):
      self._Restart(self._MakeAssembly(reply.part))
    if reply.part.number == request.number and self._assembly is not None:
      self._assembly.Add(request.number, reply.answer)
      self._requests.pop(request.number, None)
      self._by_salt.pop(request.salt, None)

  def _MakeAssembly(self, part: wire.Part) -> parts.Assembly:
    return parts.Assembly(part.total, part.sha256, self._max_memory)

  def _Restart(self, assembly: Optional[parts.Assembly]) -> None:
    """Restarts the download.

    @param assembly: the new answer; None while its number of parts and hash are
      not known

    """
    self._restarts += 1
    self._assembly = assembly
    self._requests.clear()
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
    """Ends the download.

    """

  def Unpack(self) -> None:
    """Joins and parses the parts, which may take a while.

    @raise replies.MalformedAnswer: the parts do not fit together, or the answer
      is malformed
    @raise errors.ConfdClientError: the answer is too large

    """
    if self._broken is None and self._assembly is not None and \
       self._IsComplete():
      try:
        answer = self._assembly.Answer()
      except parts.Broken as err:
        raise self._MalformedError(str(err)) from err
      fault = forms.AnswerFault(self._rtype, self._query, answer)
      if fault is not None:
        raise self._MalformedError(fault)
      self._answer = answer

  def Result(self, reply: replies.Reply[Any], now: float
             ) -> replies.Reply[Any]:
    """Returns the answer, after L{Unpack}.

    @param reply: the reply that said the answer is too large
    @raise replies.NoAnswer: parts are missing
    @raise replies.MalformedAnswer: a reply was no part of the answer
    @raise replies.ErrorAnswer: the answer has become an error
    @raise errors.ConfdClientError: the answer changed too often, or is too
      large

    """
    if self._broken is not None:
      raise self._broken
    question = replies.DescribeRequest(self._rtype, self._query)
    best = reply.candidates[0]._replace(serial=self._serial)
    if self._error is not None:
      best = best._replace(status=self._error.status,
                           answer=self._error.answer)
      raise replies.MakeError(
        self._rtype, self._query,
        reply._replace(serial=self._serial,
                       candidates=[best] + reply.candidates[1:]))
    if self._restarts > _MAX_RESTARTS:
      raise errors.ConfdClientError("The answer to %s changed %d times while it"
                                    " was fetched from %s" %
                                    (question, self._restarts, best.address))
    if not self._IsComplete():
      raise replies.NoAnswer(
        self._DescribeLack(question, best.address, now),
        asked=[best.address],
        silent={best.address: self._candidate.last_error},
        seconds=now - self._started, unauthentic=self.unauthentic)
    best = best._replace(status=constants.CONFD_REPL_STATUS_OK,
                         answer=self._answer)
    return reply._replace(answer=self._answer, serial=self._serial,
                          candidates=[best] + reply.candidates[1:])

  def _DescribeLack(self, question: str, address: str, now: float) -> str:
    """Describes what is missing, and why as far as that is known.

    """
    (have, count) = self.Progress()
    text = ("The answer to %s from %s is incomplete after %.1f seconds:"
            " %d of %s parts came" %
            (question, address, now - self._started, have,
             "an unknown number of" if count is None else count))
    if self._candidate.last_error:
      text += " (%s)" % self._candidate.last_error
    return text

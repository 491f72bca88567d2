#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Waits until a candidate's configuration has another serial.

Facts: a daemon that gets a WAIT with another serial than its own answers with
its serial at once. Otherwise the daemon keeps the request, and answers when new
processes replace its processes, as for a new configuration, or when the time in
the request is over. Either answer has the unchanged serial, so a new WAIT has
to follow. Retransmits of a WAIT are kept once. A daemon that is killed forgets
the requests that it keeps, and a daemon that keeps too many refuses more.
Ganeti's own daemon does not know WAIT: it refuses the request, or is silent.

Rule 1: each candidate gets a WAIT with the candidate's own serial. So a
candidate that is behind is waited for like the others, and each answers only
when there is something new.

The states of a candidate, and what leads from one to the next::

  state    request in flight              next, and when
  -------  -----------------------------  -----------------------------------
  PROBING  a WAIT with serial -1: each    WAITING: the candidate answers
           daemon that knows WAIT         POLLING: it refuses, is silent for
           answers at once                  PATIENCE, or sends something
                                            malformed
  WAITING  a WAIT with the candidate's    WAITING: the serial is a new one, or
           serial                           the time in the request is over
                                          PROBING: an answer before that time
                                            has the same serial: the daemon may
                                            be stopping, and Ganeti's own may
                                            replace it
                                          POLLING: as above, but silence counts
                                            from the time in the request
  POLLING  the question for the serial,   PROBING: _PROBE_AGAIN seconds are
           each second                      over, or the candidate answers
                                            after _LOST seconds of silence

Rule 2: a WAIT is retransmitted every few seconds, since it may be lost, or
forgotten by the daemon. Each new WAIT has a salt of its own, which its
retransmits share, and only the first reply with a salt counts.

Rule 3: an answer of Ganeti's own daemon does not tell which configuration it is
from. So it may be older than the serial that another candidate has reported,
and a candidate that reaches this serial ends the round. The state of that
candidate does not matter: the daemon there may have been replaced meanwhile.

Rule 4: no socket and no clock, as in all operations.

"""

from __future__ import annotations

import enum
import math
from typing import Any, Callable, Optional, Sequence

from ganeti import constants
from ganeti.confd import protocol
from ganeti.confd.clientlib import endpoint
from ganeti.confd.clientlib import forms
from ganeti.confd.clientlib import operation
from ganeti.confd.clientlib import quorum
from ganeti.confd.clientlib.mastercandidate import Candidate
from ganeti.confd.protocol import wire


#: Seconds for which a daemon is asked to keep a WAIT: less than 30 seconds,
#: after which firewalls forget a UDP flow. The value is low, since a daemon's
#: death may be noticed only when this time is over.
_KEPT = 10

#: For candidates that do not know WAIT: seconds between two questions for the
#: serial, and seconds until the next probe, which finds out whether the
#: candidate knows WAIT by now
_POLL = 1.0
_PROBE_AGAIN = 30.0

#: A candidate that answers after more than this many seconds of silence is
#: probed, since another daemon may have been started there
_LOST = 5.0

#: An answer to a WAIT is early if it comes within _EARLY seconds. After more
#: than _FREE_EARLY early answers in a row, the next WAIT is delayed. _EARLY is
#: also a tolerance: an answer that comes at most _EARLY seconds too soon counts
#: as one that comes when the time in the request is over.
_EARLY = 0.5
_FREE_EARLY = 4

#: A round of waiting ends after this many seconds, so that the client can ask
#: for the list of candidates again
_ROUND = 30.0

#: A serial that no configuration has: a WAIT with this serial is answered at
#: once
_NO_SERIAL = -1


class Outcome(enum.Enum):
  """The outcome of a round.

  """
  #: A candidate has reported a higher serial
  MOVED = "moved"
  #: The answer that is followed may be from an older configuration, and a
  #: candidate has reached the newest known serial (rule 3)
  JOINED = "joined"
  #: All candidates that answer have lower serials than the newest known serial
  BEHIND = "behind"
  #: No candidate answers
  LOST = "lost"
  #: No change and no error in this round
  QUIET = "quiet"


class _State(enum.Enum):
  """The state of a candidate, see the table above.

  """
  PROBING = "probing"
  WAITING = "waiting"
  POLLING = "polling"


#: Maps a candidate's state to the first and the longest interval between
#: retransmits (seconds)
_RETRANSMIT = {
  _State.PROBING: (0.25, 5.0),
  _State.WAITING: (5.0, 5.0),
  _State.POLLING: (_POLL, _POLL),
  }


class _Request:
  """The request in flight to a candidate.

  @ivar started: when it is sent for the first time
  @ivar next: when it is sent next

  """
  def __init__(self, state: _State, salt: str, at: float) -> None:
    self.salt = salt
    self.started = self.next = at
    (self._interval, self._max_interval) = _RETRANSMIT[state]

  def Sent(self, now: float) -> None:
    self.next = now + self._interval
    self._interval = min(2 * self._interval, self._max_interval)


class _Watched:
  """A candidate, and its state.

  @ivar serial: the serial that the candidate has reported last
  @ivar reported: the serial that it has reported last in this round
  @ivar joined: whether the candidate has reported another serial than before in
    this round
  @ivar alive_until: until when the candidate counts as one that answers

  """
  def __init__(self, candidate: Candidate) -> None:
    self.candidate = candidate
    self.state = _State.PROBING
    self.request = _Request(self.state, "", 0.0)
    self.serial: Optional[int] = None
    self.reported: Optional[int] = None
    self.joined = False
    self.alive_until = 0.0
    self._probe_at = 0.0
    self._answered_at = -math.inf
    self._early_answers = 0

  def _Enter(self, state: _State, salt: str, at: float) -> None:
    """Enters a state, perhaps the same one, with a new request.

    """
    self.state = state
    self.request = _Request(state, salt, at)

  def Poll(self, salt: str, now: float) -> None:
    """Enters POLLING.

    """
    self._probe_at = now + _PROBE_AGAIN
    self._Enter(_State.POLLING, salt, now)

  @property
  def times_out_at(self) -> float:
    """When the state ends if no reply comes.

    """
    if self.state is _State.POLLING:
      return self._probe_at
    if self.state is _State.PROBING:
      return self.request.started + quorum.PATIENCE
    return self.alive_until

  def Begin(self, new_salt: Callable[[], str], now: float) -> None:
    """Begins a round, or goes on with one that was interrupted.

    Replies between two rounds were not received, so a request is sent again.

    """
    self.alive_until = now + 2 * quorum.PATIENCE
    if self.state is _State.PROBING:
      self._Enter(_State.PROBING, new_salt(), now)
    elif self.state is _State.WAITING:
      if now >= self.request.started + _KEPT:
        self._Enter(_State.WAITING, new_salt(), now)
      self.alive_until += self.request.started + _KEPT - now
    self.request.next = now

  def End(self) -> None:
    """Ends a round.

    """
    self.reported = None
    self.joined = False

  def CheckTimeout(self, new_salt: Callable[[], str], now: float) -> None:
    """Changes the state if no reply came in time.

    """
    if now < self.times_out_at:
      return
    if self.state is _State.POLLING:
      self._Enter(_State.PROBING, new_salt(), now)
    else:
      self.Poll(new_salt(), now)

  def IsBehind(self, serial: int) -> bool:
    """Tells whether the candidate has a lower serial.

    In POLLING, only a serial that was reported in this round counts: with an
    earlier one, the round would end before the candidate is asked again.

    """
    known = self.reported if self.state is _State.POLLING else self.serial
    return known is not None and known < serial

  def WaitQuery(self, now: float) -> tuple[int, Any]:
    """Returns the type and the query of the WAIT to send.

    A retransmit has only the time that is left: a daemon that has forgotten the
    first request counts the time from the retransmit.

    """
    return (protocol.REQ_WAIT, {
      "serial": (_NO_SERIAL if self.state is _State.PROBING else self.serial),
      "seconds": max(1, math.ceil(self.request.started + _KEPT - now)),
      })

  def Report(self, serial: int, salt: str, now: float) -> None:
    """Handles a serial that the candidate has reported.

    @param salt: for the next request

    """
    self.joined = self.joined or serial != self.serial
    took = now - self.request.started
    was_lost = now - self._answered_at > _LOST
    may_end = (self.state is _State.WAITING and serial == self.serial and
               took < _KEPT - _EARLY)
    self.serial = self.reported = serial
    self._answered_at = now
    self.alive_until = now + 2 * quorum.PATIENCE
    if self.state is _State.POLLING:
      if was_lost:
        self._Enter(_State.PROBING, salt, now)
      else:
        self._Enter(_State.POLLING, salt, now + _POLL)
      return
    self.alive_until += _KEPT
    self._early_answers = self._early_answers + 1 if took < _EARLY else 0
    self._Enter(_State.PROBING if may_end else _State.WAITING, salt,
                now if self._early_answers <= _FREE_EARLY else now + _POLL)


class SerialWatch(operation.Operation):
  """Waits at several candidates, in rounds.

  Between two rounds no replies are received.

  """
  def __init__(self) -> None:
    operation.Operation.__init__(self)
    self._outcome: Optional[Outcome] = None
    self._is_answer_certain = True
    self._watched: dict[frozenset[endpoint.Endpoint], _Watched] = {}
    self._by_salt: dict[str, _Watched] = {}
    self._serial = _NO_SERIAL
    self._poll: tuple[int, Any] = quorum.SERIAL_QUESTION
    self._now = 0.0
    self._ends = 0.0

  def Begin(self, candidates: Sequence[Candidate], serial: int,
            is_answer_certain: bool, poll: tuple[int, Any], now: float
            ) -> SerialWatch:
    """Begins a round.

    If the last round was interrupted, so that its outcome was not taken, that
    round goes on.

    @param candidates: the candidates to wait at
    @param serial: the serial that is known already
    @param is_answer_certain: whether the answer is known to be from the
      configuration with this serial (rule 3)
    @param poll: the type and the query of the question for the serial
    @return: itself

    """
    watched = {}
    for candidate in candidates:
      if candidate.addresses:
        one = (self._watched.get(candidate.endpoints) or _Watched(candidate))
        one.candidate = candidate
        one.Begin(self._NewSalt, now)
        watched[candidate.endpoints] = one
    self._watched = watched
    self._by_salt = {i.request.salt: i for i in watched.values()}
    self._serial = serial
    self._is_answer_certain = is_answer_certain
    self._poll = poll
    self._now = now
    self._ends = now + _ROUND
    return self

  def IsKnown(self, candidate: Candidate) -> bool:
    """Tells whether a candidate took part in the last round.

    """
    return candidate.endpoints in self._watched

  def Salts(self) -> dict[str, _Watched]:
    return self._by_salt

  def Outgoing(self, key: wire.Key, now: float, timestamp: float
               ) -> list[operation.Datagram]:
    result: list[operation.Datagram] = []
    for one in self._watched.values():
      one.CheckTimeout(self._NewSalt, now)
      if one.request.next <= now:
        (rtype, query) = (self._poll if one.state is _State.POLLING else
                          one.WaitQuery(now))
        datagram = wire.PackRequest(key, timestamp, rtype, query,
                                    one.request.salt)
        result.extend(operation.Datagram(family, address, datagram)
                      for (family, address) in one.candidate.addresses)
        one.request.Sent(now)
    self._by_salt = {i.request.salt: i for i in self._watched.values()}
    self._now = now
    return result

  @property
  def wakeup(self) -> float:
    times = [self._ends]
    for one in self._watched.values():
      times += [one.request.next, one.times_out_at]
      if one.alive_until > self._now:
        times.append(one.alive_until)
    return min(times)

  @property
  def description(self) -> str:
    return "wait for another serial than %d" % self._serial

  def Question(self, request: _Watched) -> forms.Question:
    if request.state is _State.POLLING:
      return forms.Question(*self._poll)
    return forms.Question(protocol.REQ_WAIT, None)

  def Receive(self, request: _Watched, reply: wire.ParsedReply,
              address: endpoint.SocketAddress, now: float) -> bool:
    if not request.candidate.IsAt(endpoint.Of(address)):
      return False
    del self._by_salt[request.request.salt]
    request.candidate.Answered()
    polling = request.state is _State.POLLING
    if reply.status == constants.CONFD_REPL_STATUS_OK:
      if not polling:
        request.candidate.ReportedSerial()
      is_answer = polling and self._poll == quorum.SERIAL_QUESTION
      request.Report(reply.answer if is_answer else reply.serial,
                     self._NewSalt(), now)
    elif not polling:
      request.Poll(self._NewSalt(), now)
    return True

  def ReceiveMalformed(self, request: _Watched, fault: str,
                       address: endpoint.SocketAddress, now: float) -> bool:
    if not request.candidate.IsAt(endpoint.Of(address)):
      return False
    del self._by_salt[request.request.salt]
    if request.state is not _State.POLLING:
      request.Poll(self._NewSalt(), now)
    return True

  def TakeOutcome(self) -> tuple[Optional[Outcome], int]:
    """Ends the round.

    @return: the outcome; the highest serial that a candidate has reported in
      the round

    """
    result = (self._outcome, self._HighestReported())
    self._outcome = None
    for one in self._watched.values():
      one.End()
    return result

  def _HighestReported(self) -> int:
    return max((i.reported for i in self._watched.values()
                if i.reported is not None), default=_NO_SERIAL)

  def _FindOutcome(self, now: float) -> Optional[Outcome]:
    watched = self._watched.values()
    if self._HighestReported() > self._serial:
      return Outcome.MOVED
    if not self._is_answer_certain and any(
        i.joined and i.reported == self._serial for i in watched):
      return Outcome.JOINED
    alive = [i for i in watched if now < i.alive_until]
    if not alive:
      return Outcome.LOST
    if all(i.IsBehind(self._serial) for i in alive):
      return Outcome.BEHIND
    return Outcome.QUIET if now >= self._ends else None

  def Done(self, now: float) -> bool:
    self._outcome = self._FindOutcome(now)
    return self._outcome is not None

  def Finish(self, now: float) -> None:
    """Ends the round: marks candidates that do not answer as silent.

    Later questions do not wait for silent candidates.

    """
    for one in self._watched.values():
      if now >= one.alive_until:
        one.candidate.Missed()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Which serials the candidates have: they tell when theirs changes.

Facts: a daemon that is asked WAIT with another serial than its own answers with
its serial at once. Else it keeps the question, and answers when its processes
give way to others, and when the time is over that the question allows; with the
unchanged serial in both cases, so that it has to be asked again. It keeps a
question once, however often it is sent. One that is killed forgets what it
keeps, and one that keeps too many refuses. The packaged daemon does not know
WAIT: it refuses, or is silent.

Rule 1: each candidate is waited at with the serial that it has itself. So one
that is behind is waited at like the others, and each says something only when
there is something new.

Rule 2: a candidate is first asked for its serial, by a WAIT that it has to
answer at once; so is one whose answer may have been a daemon's last word, since
the next one may be the packaged daemon. Who refuses that, is silent, or gives a
malformed answer, is asked for the serial every second instead, and is offered
the WAIT again later.

Rule 3: a WAIT is sent again every few seconds, since it may be lost or
forgotten. Each has a salt of its own, and the first reply to it counts.

No socket and no clock here, as in L{talk}.

"""

from __future__ import annotations

import enum
import math
from typing import Any, Callable, Dict, FrozenSet, List, Optional, Sequence, \
  Tuple

from ganeti import constants
from ganeti.confd import protocol
from ganeti.confd.clientlib import exchange
from ganeti.confd.clientlib import forms
from ganeti.confd.clientlib import talk
from ganeti.confd.protocol import wire


#: Seconds that a daemon is to keep a question. Firewalls forget after 30 that
#: there was one, and a daemon that is gone is found out later by so much.
_KEPT = 10

#: Seconds until it is sent again: usually, and first where it is to be answered
#: at once
_RESEND = 5.0
_RESEND_FIRST = 0.25

#: Seconds between two questions to whoever is not waited at, and until it is
#: offered a WAIT again
_POLL = 1.0
_OFFER = 30.0

#: Seconds of silence after which it may be another daemon that speaks again
_LOST = 5.0

#: An answer before that many seconds is early. Who answers early again and
#: again is not asked again at once.
_EARLY = 0.5
_FREE_EARLY = 4

#: Seconds after which a round ends, so that the candidates are learned again
_ROUND = 30.0

#: A serial that no configuration has
_NO_SERIAL = -1


class Outcome(enum.Enum):
  """What a round has come to.

  """
  #: A candidate has told a higher serial
  MOVED = "moved"
  #: Another candidate has got the serial, one whose answers do not tell theirs
  JOINED = "joined"
  #: All candidates that answer have lower serials
  BEHIND = "behind"
  #: Nobody answers
  LOST = "lost"
  #: Nothing has happened
  QUIET = "quiet"


class _Place:
  """How far one candidate is.

  @ivar serial: what it has told last
  @ivar told: likewise, in this round
  @ivar joined: whether it has changed to that in this round
  @ivar polled: whether it is asked for the serial, and not waited at
  @ivar next: when to send
  @ivar alive_until: until when it counts among those that answer

  """
  def __init__(self, candidate: exchange.Candidate) -> None:
    self.candidate = candidate
    self.serial: Optional[int] = None
    self.told: Optional[int] = None
    self.joined = False
    self.polled = False
    self.salt = ""
    self.next = 0.0
    self.alive_until = 0.0
    # Whether the question is one to which any serial is new
    self._is_offer = True
    self._asked_at = 0.0
    self._pause = _RESEND
    self._offer_at = 0.0
    self._heard_at = -math.inf
    self._early = 0

  @property
  def turns_at(self) -> float:
    """When something else is to be asked, if nothing comes.

    """
    if self.polled:
      return self._offer_at
    if self._is_offer:
      return self._asked_at + exchange.PATIENCE
    return self.alive_until

  def _Ask(self, salt: str, at: float, pause: float) -> None:
    """Begins a new question.

    """
    self.salt = salt
    self._asked_at = self.next = at
    self._pause = pause

  def _Offer(self, salt: str, at: float) -> None:
    self.polled = False
    self._is_offer = True
    self._Ask(salt, at, _RESEND_FIRST)

  def Poll(self, salt: str, now: float) -> None:
    """Goes over to asking for the serial.

    """
    self.polled = True
    self._offer_at = now + _OFFER
    self._Ask(salt, now, _POLL)

  def Begin(self, new_salt: Callable[[], str], now: float) -> None:
    """Begins a round.

    Nobody has listened before; a candidate that has spoken is asked again.

    """
    self.told = None
    self.joined = False
    self.alive_until = now + 2 * exchange.PATIENCE
    if self.polled:
      self.next = now
    elif self._is_offer:
      self._Offer(new_salt(), now)
    else:
      if now >= self._asked_at + _KEPT:
        self._Ask(new_salt(), now, _RESEND)
      self.next = now
      self.alive_until += self._asked_at + _KEPT - now

  def Pass(self, new_salt: Callable[[], str], now: float) -> None:
    """Lets time pass.

    """
    if now < self.turns_at:
      return
    if self.polled:
      self._Offer(new_salt(), now)
    else:
      self.Poll(new_salt(), now)

  def Wait(self, now: float) -> Tuple[int, Any]:
    """Returns a WAIT: type and query.

    Whatever is sent again has less time, or it would never be over.

    """
    return (protocol.REQ_WAIT, {
      "serial": _NO_SERIAL if self._is_offer else self.serial,
      "seconds": max(1, math.ceil(self._asked_at + _KEPT - now)),
      })

  def Sent(self, now: float) -> None:
    self.next = now + self._pause
    if not self.polled:
      self._pause = min(2 * self._pause, _RESEND)

  def Tell(self, serial: int, salt: str, now: float) -> None:
    """Takes note of what the candidate has told.

    """
    self.joined = self.joined or (self.polled and
                                  self.serial not in (None, serial))
    took = now - self._asked_at
    # It may have been its last word
    may_end = (serial == self.serial and not self._is_offer and
               took < _KEPT - _EARLY)
    self.serial = self.told = serial
    self.alive_until = now + 2 * exchange.PATIENCE
    was_lost = now - self._heard_at > _LOST
    self._heard_at = now
    if self.polled:
      if was_lost:
        self._Offer(salt, now)
      else:
        self._Ask(salt, now + _POLL, _POLL)
      return
    self.alive_until += _KEPT
    self._early = self._early + 1 if took < _EARLY else 0
    at = now if self._early <= _FREE_EARLY else now + _POLL
    if may_end:
      self._Offer(salt, at)
    else:
      self._is_offer = False
      self._Ask(salt, at, _RESEND)


class Waiting(talk.Talk):
  """Waits at several candidates, in rounds; between them, nobody listens.

  @ivar outcome: what the last round has come to

  """
  def __init__(self) -> None:
    talk.Talk.__init__(self)
    self.outcome: Optional[Outcome] = None
    self._places: Dict[FrozenSet[exchange.Source], _Place] = {}
    self._by_salt: Dict[str, _Place] = {}
    self._serial = _NO_SERIAL
    self._poll: Tuple[int, Any] = exchange.SERIAL_QUESTION
    self._now = 0.0
    self._ends = 0.0

  def Begin(self, candidates: Sequence[exchange.Candidate], serial: int,
            poll: Tuple[int, Any], now: float) -> Waiting:
    """Begins a round.

    @param candidates: whom to wait at
    @param serial: the one that is known
    @param poll: what to ask for the serial, type and query
    @return: itself

    """
    places = {}
    for candidate in candidates:
      if candidate.addresses:
        place = self._places.get(candidate.sources) or _Place(candidate)
        place.candidate = candidate
        place.Begin(self._NewSalt, now)
        places[candidate.sources] = place
    self._places = places
    self._by_salt = {i.salt: i for i in places.values()}
    self._serial = serial
    self._poll = poll
    self._now = now
    self._ends = now + _ROUND
    return self

  def IsKnown(self, candidate: exchange.Candidate) -> bool:
    """Tells whether a candidate was waited at in the last round.

    """
    return candidate.sources in self._places

  def Salts(self) -> Dict[str, _Place]:
    return self._by_salt

  def Outgoing(self, key: wire.Key, now: float, timestamp: float
               ) -> List[talk.Datagram]:
    result: List[talk.Datagram] = []
    for place in self._places.values():
      place.Pass(self._NewSalt, now)
      if place.next <= now:
        (rtype, query) = self._poll if place.polled else place.Wait(now)
        datagram = wire.PackRequest(key, timestamp, rtype, query, place.salt)
        result.extend(talk.Datagram(family, address, datagram)
                      for (family, address) in place.candidate.addresses)
        place.Sent(now)
    self._by_salt = {i.salt: i for i in self._places.values()}
    self._now = now
    return result

  @property
  def wakeup(self) -> float:
    times = [self._ends]
    for place in self._places.values():
      times += [place.next, place.turns_at]
      if place.alive_until > self._now:
        times.append(place.alive_until)
    return min(times)

  def Question(self, asked: _Place) -> forms.Question:
    if asked.polled:
      return forms.Question(*self._poll)
    return forms.Question(protocol.REQ_WAIT, None)

  def Receive(self, asked: _Place, reply: wire.ParsedReply,
              address: talk.SocketAddress, now: float) -> bool:
    if not asked.candidate.IsAt(exchange.SourceOf(address)):
      return False
    del self._by_salt[asked.salt]
    asked.candidate.silent = False
    asked.candidate.trouble = None
    if reply.status == constants.CONFD_REPL_STATUS_OK:
      if not asked.polled:
        asked.candidate.tells_serial = True
      is_answer = asked.polled and self._poll == exchange.SERIAL_QUESTION
      asked.Tell(reply.answer if is_answer else reply.serial, self._NewSalt(),
                 now)
    elif not asked.polled:
      asked.Poll(self._NewSalt(), now)
    return True

  def ReceiveMalformed(self, asked: _Place, fault: str,
                       address: talk.SocketAddress, now: float) -> bool:
    if not asked.candidate.IsAt(exchange.SourceOf(address)):
      return False
    del self._by_salt[asked.salt]
    if not asked.polled:
      asked.Poll(self._NewSalt(), now)
    return True

  @property
  def told(self) -> int:
    """The highest serial that was told in this round.

    """
    return max((i.told for i in self._places.values() if i.told is not None),
               default=_NO_SERIAL)

  def _Outcome(self, now: float) -> Optional[Outcome]:
    places = self._places.values()
    if self.told > self._serial:
      return Outcome.MOVED
    if any(i.joined and i.told == self._serial for i in places):
      return Outcome.JOINED
    alive = [i for i in places if now < i.alive_until]
    if not alive:
      return Outcome.LOST
    if all(i.serial is not None and i.serial < self._serial for i in alive):
      return Outcome.BEHIND
    return Outcome.QUIET if now >= self._ends else None

  def Done(self, now: float) -> bool:
    self.outcome = self._Outcome(now)
    return self.outcome is not None

  def Finish(self, now: float) -> None:
    """Ends the round: remembers who is silent, whom no question waits for then.

    """
    for place in self._places.values():
      if now >= place.alive_until:
        place.candidate.silent = True

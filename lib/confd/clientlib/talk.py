#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What a question on its way is, for those that run it.

A talk says what is to be sent and when, is handed what comes back, and knows
when it is done. L{exchange.Exchange} and L{fetch.Fetch} are talks. The drivers
(L{sync}, L{aio}) run them without knowing which it is.

No socket and no clock here. Times are seconds of a clock that does not jump,
and are passed in.

"""

from __future__ import annotations

import abc
import os
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ganeti.confd.clientlib import forms
from ganeti.confd.protocol import wire


#: A socket's address as Python has it: (host, port), or (host, port, flow
#: information, scope id) with IPv6
SocketAddress = Tuple[Any, ...]

#: Seconds from the first datagram to the second; from there on each pause is
#: longer than the one before, up to a limit
_RESEND_FIRST = 0.1
_RESEND_FACTOR = 1.5
_RESEND_MAX = 1.0


class Address(NamedTuple):
  """Where a candidate can be reached.

  """
  #: C{socket.AF_INET} or C{socket.AF_INET6}
  family: int
  address: SocketAddress


class Datagram(NamedTuple):
  """What is to be sent, and where to.

  """
  family: int
  address: SocketAddress
  data: bytes


class Pace:
  """When to send something, and when to send it again.

  @ivar next: the next time to send

  """
  def __init__(self, now: float) -> None:
    self.next = now
    self._pause = _RESEND_FIRST

  def IsDue(self, now: float) -> bool:
    """Tells whether it is time to send; if so, the next time is set.

    """
    if self.next > now:
      return False
    self.next = now + self._pause
    self._pause = min(self._pause * _RESEND_FACTOR, _RESEND_MAX)
    return True


class Asked:
  """Something that has been asked for, and waits for its reply.

  @ivar salt: what the reply is known by
  @ivar started: when it was asked for the first time

  """
  def __init__(self, salt: str, now: float) -> None:
    self.salt = salt
    self.started = now
    self.pace = Pace(now)


class Talk(abc.ABC):
  """A question on its way, or a part of one.

  Whoever runs it sends what L{Outgoing} returns, hands in what comes back, and
  calls L{Outgoing} again at the time L{wakeup}, until L{Done}.

  @ivar id: what all its salts begin with: unguessable, or a reply sent again
    would be taken for a new one
  @ivar forged: how many datagrams came meanwhile that were not authentic

  """
  def __init__(self) -> None:
    self.id = os.urandom(16).hex()
    self.forged = 0
    self._salts_made = 0

  def _NewSalt(self) -> str:
    self._salts_made += 1
    return "%s-%d" % (self.id, self._salts_made)

  @abc.abstractmethod
  def Salts(self) -> Dict[str, Any]:
    """Returns what is asked for, by salt.

    """

  @abc.abstractmethod
  def Outgoing(self, key: wire.Key, now: float, timestamp: float
               ) -> List[Datagram]:
    """Returns what is to be sent at this moment.

    @param timestamp: seconds since the epoch, by which the receiver proves
      that the request is new

    """

  @property
  @abc.abstractmethod
  def wakeup(self) -> float:
    """When L{Outgoing} and L{Done} want to be called again.

    """

  @abc.abstractmethod
  def Question(self, asked: Any) -> forms.Question:
    """Returns what is asked.

    @param asked: of L{Salts}

    """

  @abc.abstractmethod
  def Receive(self, asked: Any, reply: wire.ParsedReply, address: SocketAddress,
              now: float) -> bool:
    """Takes note of an authentic reply to what L{Question} returns.

    @param asked: of L{Salts}, by the reply's salt
    @param reply: of the form that it should have
    @param address: where the reply is from
    @return: whether L{Outgoing} and L{Done} want to be called now

    """

  @abc.abstractmethod
  def ReceiveMalformed(self, asked: Any, fault: str, address: SocketAddress,
                       now: float) -> bool:
    """Takes note of an authentic reply of another form than it should have.

    @param fault: what is wrong with it
    @return: as L{Receive} does

    """

  @abc.abstractmethod
  def Done(self, now: float) -> bool:
    """Tells whether there is nothing more to wait for.

    """

  @abc.abstractmethod
  def Finish(self, now: float) -> None:
    """Ends the talk.

    """

  def Late(self) -> Optional[Latecomers]:
    """Returns what is to be kept when the talk is over.

    """
    return None


class Latecomers(abc.ABC):
  """What becomes of replies that come when a talk is over.

  """
  @abc.abstractmethod
  def Receive(self, salt: str, address: SocketAddress) -> None:
    """Takes note of an authentic reply.

    """

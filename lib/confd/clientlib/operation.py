#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The interface of state machines that send requests and take replies.

L{quorum.QuorumQuery}, L{download.Download} and L{serialwatch.SerialWatch} are
operations. The drivers (L{sync}, L{aio}) run any of them through this interface
alone.

Rule: an operation has no socket and no clock. Times are passed in, in seconds
of a monotonic clock.

"""

from __future__ import annotations

import abc
import os

from ganeti.confd.clientlib import endpoint
from ganeti.confd.clientlib import forms
from ganeti.confd.protocol import wire
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Any, Optional


#: Seconds from the first datagram to the first retransmit. Each further
#: interval is longer than the previous one by the factor, up to the maximum.
_RESEND_FIRST = 0.1
_RESEND_FACTOR = 1.5
_RESEND_MAX = 1.0


class Datagram(NamedTuple):
  """A datagram to be sent, and its destination.

  """
  family: int
  address: endpoint.SocketAddress
  data: bytes


class RetransmitTimer:
  """When to send a datagram, and when to send it again.

  @ivar next: the next time to send

  """
  def __init__(self, now: float) -> None:
    self.next = now
    self._interval = _RESEND_FIRST

  def IsDue(self, now: float) -> bool:
    """Tells whether it is time to send; if so, sets the next time.

    """
    if self.next > now:
      return False
    self.next = now + self._interval
    self._interval = min(self._interval * _RESEND_FACTOR, _RESEND_MAX)
    return True


class PendingRequest:
  """A request without a reply so far.

  @ivar salt: the salt that the reply will have
  @ivar started: when the request was made

  """
  def __init__(self, salt: str, now: float) -> None:
    self.salt = salt
    self.started = now
    self.timer = RetransmitTimer(now)


class Operation(abc.ABC):
  """Requests in flight, and the replies to them so far.

  The driver sends what L{Outgoing} returns, passes replies in, and calls
  L{Outgoing} again at the time L{wakeup}, until L{Done}.

  @ivar id: the first part of all salts of the operation; random, since a
    replayed reply with a guessable salt would pass for a new one
  @ivar unauthentic: how many datagrams without a valid signature arrived during
    the operation
  @ivar was_sent: whether a datagram was sent already: further datagrams are
    retransmits, or go to further candidates

  """
  def __init__(self) -> None:
    self.was_sent = False
    self.id = os.urandom(16).hex()
    self.unauthentic = 0
    self._salts_made = 0

  def _NewSalt(self) -> str:
    self._salts_made += 1
    return "%s-%d" % (self.id, self._salts_made)

  @property
  @abc.abstractmethod
  def description(self) -> str:
    """The question, for log messages.

    """

  @abc.abstractmethod
  def Salts(self) -> dict[str, Any]:
    """Returns the pending requests, by salt.

    """

  @abc.abstractmethod
  def Outgoing(self, key: wire.Key, now: float, timestamp: float
               ) -> list[Datagram]:
    """Returns the datagrams to be sent now.

    @param timestamp: seconds since the epoch, for the salt of the datagrams, by
      which a daemon recognises old requests

    """

  @property
  @abc.abstractmethod
  def wakeup(self) -> float:
    """When to call L{Outgoing} and L{Done} again.

    """

  @abc.abstractmethod
  def Question(self, request: Any) -> forms.Question:
    """Returns the question that a pending request asks.

    @param request: from L{Salts}

    """

  @abc.abstractmethod
  def Receive(self, request: Any, reply: wire.ParsedReply,
              address: endpoint.SocketAddress, now: float) -> bool:
    """Handles an authentic and well-formed reply.

    @param request: the pending request with the reply's salt, from L{Salts}
    @param address: the sender of the reply
    @return: whether to call L{Outgoing} and L{Done} now

    """

  @abc.abstractmethod
  def ReceiveMalformed(self, request: Any, fault: str,
                       address: endpoint.SocketAddress, now: float) -> bool:
    """Handles an authentic reply that is malformed.

    @param fault: what is wrong with the reply
    @return: the same as L{Receive}

    """

  @abc.abstractmethod
  def Done(self, now: float) -> bool:
    """Tells whether the operation has nothing more to wait for.

    """

  @abc.abstractmethod
  def Finish(self, now: float) -> None:
    """Ends the operation.

    """

  def LateReplies(self) -> Optional[LateReplies]:
    """Returns the handler of replies that come after the end, if any.

    """
    return None


class LateReplies(abc.ABC):
  """Handles replies that come after the end of their operation.

  """
  @abc.abstractmethod
  def Receive(self, salt: str, address: endpoint.SocketAddress) -> None:
    """Handles an authentic reply.

    """

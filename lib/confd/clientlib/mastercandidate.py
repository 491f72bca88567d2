#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""One master candidate: its addresses, and what its replies have shown of it.

"""

from __future__ import annotations

import math

from ganeti.confd.clientlib import endpoint
from ganeti.confd.clientlib import logs
from ganeti.confd.clientlib import silence
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any, Iterable, Optional


#: A candidate's daemon counts as Ganeti's own for this many seconds after a
#: ping has found Ganeti's own daemon there: replacing the daemon takes longer
_PACKAGED_FOR = 0.25

#: A candidate is logged when it has left this many questions in a row without
#: an answer: a few replies may be lost by chance. Only one question in
#: _COUNTED_EVERY seconds counts, so that a program that asks often does not log
#: a candidate after a moment of silence.
_LOGGED_AT = 7
_COUNTED_EVERY = 30.0


class Candidate:
  """A master candidate.

  The operations report what happens (L{Answered}, L{Missed}, L{LeftUnanswered},
  L{Unlisted}, L{Listed}, L{Undelivered}, L{Pinged}, L{ReportedSerial}); the
  attributes are the outcome of that.

  @ivar name: the address as it was given
  @ivar addresses: the addresses to send to; none if the name cannot be resolved
  @ivar endpoints: the same addresses, in the form in which they are compared
  @ivar ips: the same addresses without ports

  """
  def __init__(self, name: str, addresses: Iterable[tuple[int, Any]],
               error: Optional[str] = None) -> None:
    """@param error: why the name cannot be resolved

    """
    self.name = name
    self.addresses = [endpoint.Address(*item) for item in addresses]
    self.endpoints = frozenset(endpoint.Of(i.address) for i in self.addresses)
    self.ips = frozenset(i.ip for i in self.endpoints)
    self._last_error = error
    self._silent = False
    self._untested = False
    self._unlisted = False
    self._reports_serial: Optional[bool] = None
    self._undelivered: dict[endpoint.Endpoint, float] = {}
    self._pinged_at = -math.inf
    # The number of unanswered questions that count, and the times of the first
    # and the last of these questions
    self._unanswered = 0
    self._unanswered_since = 0.0
    self._counted_at = -math.inf

  @property
  def silent(self) -> bool:
    """Whether no answer is expected: the candidate did not answer the last
    request, or was learned and never asked.

    """
    return self._silent or self._untested

  @property
  def missed(self) -> bool:
    """Whether the candidate did not answer the last request.

    """
    return self._silent

  @property
  def unlisted(self) -> bool:
    """Whether the cluster's list lacked the candidate when it was silent last.

    """
    return self._unlisted

  @property
  def last_error(self) -> Optional[str]:
    """Why the last datagram was not delivered, or the name not resolved; None
    if there was no such error, or a reply after it.

    """
    return self._last_error

  @property
  def reports_serial(self) -> Optional[bool]:
    """Whether the candidate's replies have the configuration's serial.

    False for Ganeti's own daemon, which puts serials of single objects into its
    replies; None if unknown.

    """
    return self._reports_serial

  def IsAt(self, other: endpoint.Endpoint) -> bool:
    """Tells whether an address is one of the candidate's.

    """
    return other in self.endpoints

  def Answered(self) -> None:
    """Notes that the candidate has replied.

    """
    self._silent = self._untested = self._unlisted = False
    self._last_error = None
    if self._unanswered:
      if self._unanswered >= _LOGGED_AT:
        logs.Info("%s answers again", self.name)
      self._unanswered = 0
      self._counted_at = -math.inf

  def Untested(self) -> None:
    """Notes that the candidate was learned, and not asked so far.

    Its address may be out of reach.

    """
    self._untested = True

  def Missed(self) -> None:
    """Notes that no usable reply came in time.

    """
    self._silent = True
    self._unlisted = False

  def LeftUnanswered(self, now: float, reason: Optional[str], is_reader: bool
                     ) -> None:
    """Notes a question that another candidate has answered, but not this one.

    A candidate that leaves questions unanswered for minutes is logged, once
    until it answers.

    @param reason: why there is no answer; None if unknown
    @param is_reader: whether a reader's key is used

    """
    if now < self._counted_at + _COUNTED_EVERY:
      return
    if not self._unanswered:
      self._unanswered_since = now
    self._unanswered += 1
    self._counted_at = now
    if self._unanswered == _LOGGED_AT:
      logs.Warn("%s has not answered for %d seconds, while others have: %s",
                self.name, now - self._unanswered_since,
                reason or "silence means %s" % silence.Causes(is_reader))

  def Unlisted(self) -> None:
    """Notes that the candidate is silent, and not on the cluster's list.

    """
    self._silent = self._unlisted = True

  def Listed(self) -> None:
    """Notes that the candidate is on the cluster's list.

    """
    self._unlisted = False

  def Undelivered(self, other: endpoint.Endpoint, reason: str, now: float
                  ) -> None:
    """Notes that a datagram to one of the addresses was not delivered.

    """
    self._undelivered[other] = now
    self._last_error = reason

  def UndeliveredSince(self, other: endpoint.Endpoint, since: float) -> bool:
    """Tells whether L{Undelivered} was called for an address since a time.

    """
    return self._undelivered.get(other, since - 1) >= since

  def ReportedSerial(self) -> None:
    """Notes a reply whose serial is certainly the configuration's.

    """
    self._reports_serial = True

  def Pinged(self, serial: int, now: float) -> None:
    """Notes the serial in a reply to a ping, which identifies the daemon.

    """
    self._reports_serial = serial != 0
    self._pinged_at = now

  def IsPackaged(self, now: float) -> bool:
    """Tells whether a recent ping has found Ganeti's own daemon.

    """
    return (self._reports_serial is False and
            now < self._pinged_at + _PACKAGED_FOR)

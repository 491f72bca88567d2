#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Exponential backoff: how long to wait before a failed action is repeated.

The module has no clock. Callers pass the time in, in seconds, from a monotonic
clock.

"""

from __future__ import annotations


class Backoff:
  """Delays that double while failures follow each other closely.

  The first failure after a quiet time causes no delay, the second one a delay
  of C{first} seconds, and each further one twice the delay before, up to
  C{most}. A quiet time is C{forget} seconds without a failure after the last
  delay.

  """
  def __init__(self, first: float, most: float, forget: float) -> None:
    self._first = first
    self._most = most
    self._forget = forget
    #: The delay after the next failure, unless a quiet time resets the delay to
    #: 0
    self._next = 0.0
    self._quiet_at = 0.0

  def Failed(self, now: float) -> float:
    """Records a failure.

    @return: seconds to wait

    """
    if now >= self._quiet_at:
      self._next = 0.0
    delay = self._next
    self._next = min(self._most, max(self._first, 2 * delay))
    self._quiet_at = now + delay + self._forget
    return delay

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""How long to wait before something that failed is tried again.

No clock; time is passed in, in seconds, from a clock that does not jump.

"""

from __future__ import annotations


class Backoff:
  """Delays that grow while failures follow each other closely.

  The first failure after a quiet time costs no delay, the next one C{first}
  seconds, and each further one twice as many, up to C{most}. It was quiet if
  for C{forget} seconds beyond the last delay nothing failed.

  """
  def __init__(self, first: float, most: float, forget: float) -> None:
    self._first = first
    self._most = most
    self._forget = forget
    #: The delay after the next failure
    self._next = 0.0
    self._quiet_at = 0.0

  def Failed(self, now: float) -> float:
    """Takes note of a failure.

    @return: seconds to wait

    """
    if now >= self._quiet_at:
      self._next = 0.0
    delay = self._next
    self._next = min(self._most, max(self._first, 2 * delay))
    self._quiet_at = now + delay + self._forget
    return delay

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Limits how often copies of one request are answered.

An attacker that captures an authentic request can replay it, from a forged
source address, for as long as the request's time stamp is accepted. Each copy
would cost the daemon the work of an answer, and a victim the reply. Hence the
rule: a request whose answer costs more than a look-up, or is long, is answered
L{LIMIT} times. The same limit holds for questions that wait, kept or not; and
for short replies too while many replies cannot be delivered.

An honest client never reaches the limit: a client that repeats a question signs
the current time again, so the request is another one after a second at the
latest, and no client sends more than a few requests a second.

Facts: two copies of a request have the signature in common; the rest of the
datagram can be encoded differently. A signature is uniformly distributed, so
some of its bits serve as its hash. The time stamp is signed too, so all copies
of a request fall into the same division of the table. All workers share the
table, as copies may reach any of them, and the table outlives generations, as
reloads are frequent. The table has no lock: two workers at the same moment may
count one copy where there were two.

The table is divided by the requests' time stamps, into divisions of ten
seconds. So a request can be evicted only by requests of the same ten seconds,
and a division's memory is returned to the system when the division is reused.
Requests that were seen once are evicted before those seen more often.

"""

import mmap

from ganeti import constants


#: How often copies of one request are answered
LIMIT = 16

#: Largest reply that is not limited, in bytes. A replay of it gains an attacker
#: little: a captured request has 200 bytes or more.
FREE_SIZE = 1232

#: Seconds for which a time stamp may be accepted, by any clock within the skew
WINDOW = 2 * constants.CONFD_MAX_CLOCK_SKEW

#: Seconds of time stamps that share a division, and the number of divisions,
#: more than L{WINDOW} needs
_PERIOD = 10
_DIVISIONS = 64
#: Cells of a division, and of a bucket; a request takes one cell of its bucket
PLACES = 1 << 14
_BUCKET = 8

_ITEM = 8
#: A cell is 0, or the first 59 bits of a signature and the number of answers
_COUNT_MASK = (1 << 5) - 1
_MARK_DIGITS = 16
_MARK_MASK = (1 << 64) - 1 - _COUNT_MASK
#: The digits of the signature that choose the bucket
_BUCKET_DIGITS = slice(_MARK_DIGITS, _MARK_DIGITS + 8)

#: Items of the header, which is the first page of the table. It has the number
#: of the period that each division holds; then, at index _WARY, the time until
#: which replies up to L{FREE_SIZE} are limited like longer ones.
_HEAD = mmap.PAGESIZE // _ITEM
_WARY = _DIVISIONS
_DIVISION_SIZE = PLACES * _ITEM


class ReplayTable:
  """How often each request was answered.

  @ivar wary_until: a sequence of one item, the time until which short replies
    are limited too (seconds since the epoch)

  """
  def __init__(self) -> None:
    self._memory = mmap.mmap(-1, (_HEAD + _DIVISIONS * PLACES) * _ITEM)
    self._cells = memoryview(self._memory).cast("Q")
    self.wary_until = self._cells[_WARY:_WARY + 1]

  def BeWary(self, now: float) -> None:
    """Has short replies limited too, until requests seen so far have expired.

    """
    self._cells[_WARY] = int(now) + WINDOW + 1

  def Allows(self, signature: str, sent: int) -> bool:
    """Counts a copy of a request, and tells whether it may be answered.

    @param signature: the request's signature, in hex
    @param sent: the time stamp in the request, in seconds since the epoch

    """
    cells = self._cells
    # Add 1, as the period of a division that was never used is 0
    period = 1 + sent // _PERIOD
    division = period % _DIVISIONS
    if cells[division] != period:
      self._Clear(division)
      cells[division] = period

    mark = int(signature[:_MARK_DIGITS], 16) & _MARK_MASK
    bucket = int(signature[_BUCKET_DIGITS], 16) % (PLACES // _BUCKET)
    first = _HEAD + division * PLACES + bucket * _BUCKET
    least = LIMIT + 1
    place = first
    for index in range(first, first + _BUCKET):
      cell = cells[index]
      count = cell & _COUNT_MASK
      if count < least:
        (place, least) = (index, count)
      if count == 0:
        # A bucket's cells are filled from the first on
        break
      if cell & _MARK_MASK == mark:
        if count >= LIMIT:
          return False
        cells[index] = cell + 1
        return True
    cells[place] = mark | 1
    return True

  def _Clear(self, division: int) -> None:
    """Clears a division, and returns its memory to the system.

    """
    start = (_HEAD + division * PLACES) * _ITEM
    try:
      self._memory.madvise(mmap.MADV_REMOVE, start, _DIVISION_SIZE)
    except (AttributeError, OSError):
      # The kernel does not support MADV_REMOVE: overwrite the pages instead
      self._cells[start // _ITEM:start // _ITEM + PLACES] = \
        memoryview(bytes(_DIVISION_SIZE)).cast("Q")

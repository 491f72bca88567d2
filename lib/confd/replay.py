#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Limits how often one and the same request is worked for.

Whoever sees an authentic request on the wire can send it again, from an address
that is not his, for as long as its time is accepted. The daemon would do the
work again, and send its reply to a victim. So what costs more than a look-up,
or is answered at length, is remembered here and done L{LIMIT} times. So are
questions that wait, kept or not, and short replies, for as long as too many of
them cannot be delivered.

Honest clients are never refused: a client that asks again signs with the time
again, which makes it another request at the latest after a second, and none
sends more than a few in a second.

Facts: the signature is what two copies of a request have in common; all else
in a datagram may be written in another way. It is as good as random, so that
some of its bits are a hash of it. The time that a request was sent at is signed
too: copies that come later look where the first one looked. Requests are
remembered in memory that all workers share, since a captured request meets each
of them, and that outlives generations, since reloads are frequent. It has no
lock: two workers at the same moment may count one where there were two.

The memory is divided by the time that requests were sent at, a division for ten
seconds. So a request can only be forgotten for others that were sent in the
same ten seconds; and a division's memory goes back to the system when the next
ten seconds need it. A request that was seen once makes room for another one
before one that was seen more often does.

"""

import mmap

from ganeti import constants


#: How often a request is worked for
LIMIT = 16

#: Replies up to this size cost the sender of a copy as much as the victim: a
#: captured request has 200 or more (bytes)
FREE_SIZE = 1232

#: Seconds for which a request may be accepted, by this or another's clock
WINDOW = 2 * constants.CONFD_MAX_CLOCK_SKEW

#: Seconds that share a division, and the number of divisions: more than the
#: window needs
_PERIOD = 10
_DIVISIONS = 64
#: Places of a division, and of a bucket: a request has one of its bucket's
PLACES = 1 << 14
_BUCKET = 8

_ITEM = 8
#: A place is 0, or the first 59 bits of a signature and the number of answers
_COUNT_MASK = (1 << 5) - 1
_MARK_DIGITS = 16
_MARK_MASK = (1 << 64) - 1 - _COUNT_MASK
#: Other bits of the signature say which bucket
_BUCKET_DIGITS = slice(_MARK_DIGITS, _MARK_DIGITS + 8)

#: The first page says what the divisions are for, then until when to be wary
_HEAD = mmap.PAGESIZE // _ITEM
_WARY = _DIVISIONS
_DIVISION_SIZE = PLACES * _ITEM


class ReplayTable:
  """The requests that were worked for.

  @ivar wary_until: a single item, the time until which short replies are
    limited too (seconds since the epoch)

  """
  def __init__(self) -> None:
    self._memory = mmap.mmap(-1, (_HEAD + _DIVISIONS * PLACES) * _ITEM)
    self._cells = memoryview(self._memory).cast("Q")
    self.wary_until = self._cells[_WARY:_WARY + 1]

  def BeWary(self, now: float) -> None:
    """Has short replies limited too.

    For as long as the requests seen so far are good.

    """
    self._cells[_WARY] = int(now) + WINDOW + 1

  def Allows(self, signature: str, sent: int) -> bool:
    """Tells whether a request may be worked for once more.

    @param signature: the request's, in hex
    @param sent: the time in the request, in seconds since the epoch

    """
    cells = self._cells
    # Not 0, as in what is not used yet
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
        # They are filled from the first on
        break
      if cell & _MARK_MASK == mark:
        if count >= LIMIT:
          return False
        cells[index] = cell + 1
        return True
    cells[place] = mark | 1
    return True

  def _Clear(self, division: int) -> None:
    """Forgets a division, and gives its memory back.

    """
    start = (_HEAD + division * PLACES) * _ITEM
    try:
      self._memory.madvise(mmap.MADV_REMOVE, start, _DIVISION_SIZE)
    except (AttributeError, OSError):
      # The system cannot give it back
      self._cells[start // _ITEM:start // _ITEM + PLACES] = \
        memoryview(bytes(_DIVISION_SIZE)).cast("Q")

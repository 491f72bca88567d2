#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Limits how often one and the same request is answered at length.

Whoever sees an authentic request on the wire can send it again, from an address
that is not his, for as long as its time is accepted: the daemon would send its
reply to a victim. Where the reply is hardly longer than the request that gains
nothing. Where it is long, the request is remembered here, and answered
L{LIMIT} times. So are short replies, for as long as too many cannot be
delivered.

Honest clients are never refused: a client that asks again signs with the time
again, which makes it another request at the latest after a second, and none
sends more than a few in a second.

Facts: the signature is what two copies of a request have in common; all else
in a datagram may be written in another way. It is as good as random, so that
some of its bits are a hash of it. Requests are remembered in memory that all
workers share, since a captured request meets each of them, and that outlives
generations, since reloads are frequent. It has no lock: two workers at the same
moment may count one where there were two.

"""

import mmap

from ganeti import constants


#: Replies to one request, within the time that the request is accepted
LIMIT = 16

#: Replies up to this size are not limited (bytes): a captured request has 200
#: or more, and each costs the sender as much as the victim
FREE_SIZE = 1232

#: Seconds for which a request may be accepted, by this or another's clock
WINDOW = 2 * constants.CONFD_MAX_CLOCK_SKEW

#: Requests remembered. If there are more, the oldest of those that could be in
#: its place is forgotten.
_SLOTS = 1 << 16
_PROBES = 8

_ITEM = 8
_SIGNATURE_DIGITS = 16
_COUNT_BITS = 8


class ReplayTable:
  """The requests that were answered at length.

  Each has two cells: a part of its signature, and the time of its first answer
  with the number of answers.

  """
  def __init__(self):
    size = 2 * _SLOTS * _ITEM
    self._cells = memoryview(mmap.mmap(-1, size)).cast("Q")

  def Allows(self, signature, now):
    """Tells whether a request may be answered at length once more.

    @type signature: string
    @param signature: the request's, in hex
    @type now: number
    @param now: the time, in seconds since the epoch
    @rtype: bool

    """
    cells = self._cells
    mark = int(signature[:_SIGNATURE_DIGITS], 16)
    now = int(now)
    (oldest, oldest_time) = (None, None)
    for probe in range(_PROBES):
      index = 2 * ((mark + probe) % _SLOTS)
      (since, count) = divmod(cells[index + 1], 1 << _COUNT_BITS)
      if count == 0 or abs(now - since) > WINDOW:
        since = -1
      elif cells[index] == mark:
        if count >= LIMIT:
          return False
        cells[index + 1] += 1
        return True
      if oldest is None or since < oldest_time:
        (oldest, oldest_time) = (index, since)
    cells[oldest] = mark
    cells[oldest + 1] = (now << _COUNT_BITS) | 1
    return True

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Limits how often copies of one request are answered.

An attacker that captures an authentic request can replay it, from a forged
source address, for as long as the request's time stamp is accepted. Each copy
would cost the daemon the work of an answer, and flood a victim with replies.
Hence the rule: a request whose answer costs more than a look-up, or is long, is
answered L{LIMIT} times. The same limit holds for WAIT requests, pending or not;
and for short replies too while many replies cannot be delivered.

An honest client never reaches the limit: a client signs the current time again
whenever it retransmits, so the request is a different one after a second at the
latest, and no client sends more than a few requests a second.

Facts: two copies of a request have the signature in common; the rest of the
datagram can be encoded differently. A signature is uniformly distributed, so
some of its bits serve as its hash. The time stamp is signed too, so all copies
of a request fall into the same partition of the table. All workers share the
table, as copies may reach any of them, and the table outlives generations, as
reloads are frequent. The table has no lock: two workers at the same moment may
count one copy where there were two.

The table is divided by the requests' time stamps, into partitions of ten
seconds. So a request can be evicted only by requests of the same ten seconds,
and when a partition is reused, its memory is returned to the system first.
Requests that were seen once are evicted before those seen more often.

"""

import mmap

from ganeti import constants


#: Maximum number of copies of one request that are answered
LIMIT = 16

#: Maximum size of a reply that is exempt from the limit (bytes). An attacker
#: gains little by replays if the reply is that short: a request has 200 bytes
#: or more.
EXEMPT_SIZE = 1232

#: Length of the time in which a request with a given time stamp is accepted
#: (seconds)
WINDOW = 2 * constants.CONFD_MAX_CLOCK_SKEW

#: Requests whose time stamps fall into the same period (seconds) share a
#: partition of the table. All partitions together cover more than L{WINDOW}.
_PERIOD = 10
_PARTITIONS = 64
#: Number of slots in a partition, and number of slots in a bucket. A request
#: takes a slot of the bucket that its signature chooses.
SLOTS = 1 << 14
_BUCKET = 8

_SLOT_SIZE = 8
#: A slot that is in use has a tag, which is the first 59 bits of a request's
#: signature, and the number of times that the request was answered. A free slot
#: is 0.
_COUNT_MASK = (1 << 5) - 1
_TAG_DIGITS = 16
_TAG_MASK = (1 << 64) - 1 - _COUNT_MASK
#: The digits of the signature that choose the bucket
_BUCKET_DIGITS = slice(_TAG_DIGITS, _TAG_DIGITS + 8)

#: Number of items in the table's header, which takes one page. The first items
#: are the numbers of the periods that the partitions hold. The item at the
#: index _STRICT_UNTIL is a time: until then, no reply is exempt from the limit.
_HEADER = mmap.PAGESIZE // _SLOT_SIZE
_STRICT_UNTIL = _PARTITIONS
_PARTITION_SIZE = SLOTS * _SLOT_SIZE


class ReplayTable:
  """Counts how often each request was answered.

  @ivar strict_until: a sequence of one item, the time until which short replies
    are limited too (seconds since the epoch)

  """
  def __init__(self) -> None:
    self._memory = mmap.mmap(-1, (_HEADER + _PARTITIONS * SLOTS) * _SLOT_SIZE)
    self._slots = memoryview(self._memory).cast("Q")
    self.strict_until = self._slots[_STRICT_UNTIL:_STRICT_UNTIL + 1]

  def LimitShort(self, now: float) -> None:
    """Limits short replies too, until all requests seen so far have expired.

    """
    self._slots[_STRICT_UNTIL] = int(now) + WINDOW + 1

  def Allows(self, signature: str, sent: int) -> bool:
    """Counts a copy of a request, and tells whether it may be answered.

    @param signature: the request's signature, in hex
    @param sent: the time stamp in the request, in seconds since the epoch

    """
    slots = self._slots
    # Add 1, so that no period has the number 0, which stands for a partition
    # that was never used
    period = 1 + sent // _PERIOD
    partition = period % _PARTITIONS
    if slots[partition] != period:
      self._Clear(partition)
      slots[partition] = period

    tag = int(signature[:_TAG_DIGITS], 16) & _TAG_MASK
    bucket = int(signature[_BUCKET_DIGITS], 16) % (SLOTS // _BUCKET)
    first = _HEADER + partition * SLOTS + bucket * _BUCKET
    least = LIMIT + 1
    chosen = first
    for index in range(first, first + _BUCKET):
      slot = slots[index]
      count = slot & _COUNT_MASK
      if count < least:
        (chosen, least) = (index, count)
      if count == 0:
        # The request is not in the table: this slot is free, and so are all
        # later slots of the bucket, which is filled in order
        break
      if slot & _TAG_MASK == tag:
        if count >= LIMIT:
          return False
        slots[index] = slot + 1
        return True
    slots[chosen] = tag | 1
    return True

  def _Clear(self, partition: int) -> None:
    """Clears a partition, and returns its memory to the system.

    """
    start = (_HEADER + partition * SLOTS) * _SLOT_SIZE
    try:
      self._memory.madvise(mmap.MADV_REMOVE, start, _PARTITION_SIZE)
    except (AttributeError, OSError):
      # The kernel does not support MADV_REMOVE: overwrite the pages instead
      self._slots[start // _SLOT_SIZE:start // _SLOT_SIZE + SLOTS] = \
        memoryview(bytes(_PARTITION_SIZE)).cast("Q")

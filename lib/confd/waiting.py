#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Questions that wait: what was asked, and is to be answered later.

A client asks to be told when the configuration is no longer the one with a
serial number (request WAIT). Its reply is made and signed at once, and kept
here until the generation of processes finishes, or the client's time is over.

Rule 1: a kept question takes less than 1 kB, and there is a limit for all and
for each address, so that nobody can take the memory or everybody's places.

Rule 2: who asks again with the time again renews what is kept, and a copy of a
captured request does not. The reply tells which it is: it has the salt that the
client asked for, signed with the client's key. So two requests with the same
reply are the same question, and the later one of them counts.

No socket, no clock.

"""

from __future__ import annotations

import enum
import math

from ganeti.confd.protocol import wire
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Any, Dict, Iterator, List, Optional, Tuple


#: Longest time that a client may ask for (seconds)
MAX_SECONDS = 60

#: How many questions are kept, of all and of one address
MAX_KEPT = 4096
MAX_KEPT_OF_ADDRESS = 64

#: Longest reply that is kept (bytes). It has room for a salt of 48 characters.
MAX_REPLY_SIZE = 512

#: Those due in the same so many seconds are answered together, at their end
_TICK = 0.25


class Query(NamedTuple):
  """What a client asks for.

  """
  serial: int
  seconds: int


def ParseQuery(query: wire.Json) -> Optional[Query]:
  """Reads the query of a request.

  @return: None if it is malformed

  """
  if not isinstance(query, dict) or set(query) != {"serial", "seconds"}:
    return None
  (serial, seconds) = (query["serial"], query["seconds"])
  if not (wire.IsPlainInt(serial) and wire.IsPlainInt(seconds) and
          0 < seconds <= MAX_SECONDS):
    return None
  return Query(serial, seconds)


class Verdict(enum.Enum):
  """What became of a question.

  """
  KEPT = "kept"
  RENEWED = "renewed"
  COPY = "copy"
  REFUSED = "refused"


class Ready(NamedTuple):
  """A reply that is to be sent now.

  @ivar control: as it was given
  @ivar address: likewise

  """
  reply: bytes
  control: List[Tuple[int, int, bytes]]
  address: Tuple[Any, ...]


class _Kept(NamedTuple):
  """What is kept beside a reply.

  """
  #: The time in the request (seconds since the epoch)
  sent: int
  #: The last one that it waits for
  tick: int
  control: List[Tuple[int, int, bytes]]
  address: Tuple[Any, ...]


class Waiting:
  """The questions that are kept.

  """
  def __init__(self) -> None:
    # By reply
    self._kept: Dict[bytes, _Kept] = {}
    # The replies of each tick, in the order of dictionaries
    self._ticks: Dict[int, Dict[bytes, None]] = {}
    self._of_address: Dict[str, int] = {}

  def __len__(self) -> int:
    return len(self._kept)

  def Keep(self, ready: Ready, sent: int, due: float) -> Verdict:
    """Keeps a question, if there is room.

    @param ready: the reply and where it goes
    @param sent: the time in the request, in seconds since the epoch
    @param due: when it is to be answered, whatever happens (monotonic time)

    """
    (reply, control, address) = ready
    host = address[0]
    before = self._kept.get(reply)
    if before is not None:
      if sent <= before.sent:
        return Verdict.COPY
      # Its place is free; where it comes from another address, that one may
      # have none
      self._Remove(reply)
    if (len(self._kept) >= MAX_KEPT or
        self._of_address.get(host, 0) >= MAX_KEPT_OF_ADDRESS):
      return Verdict.REFUSED
    tick = math.ceil(due / _TICK)
    self._kept[reply] = _Kept(sent, tick, control, address)
    self._ticks.setdefault(tick, {})[reply] = None
    self._of_address[host] = self._of_address.get(host, 0) + 1
    return Verdict.KEPT if before is None else Verdict.RENEWED

  def _Remove(self, reply: bytes) -> _Kept:
    kept = self._kept.pop(reply)
    replies = self._ticks[kept.tick]
    del replies[reply]
    if not replies:
      del self._ticks[kept.tick]
    host = kept.address[0]
    self._of_address[host] -= 1
    if not self._of_address[host]:
      del self._of_address[host]
    return kept

  def NextDue(self) -> Optional[float]:
    """Returns when the next one is due (monotonic time), None for never.

    """
    return min(self._ticks) * _TICK if self._ticks else None

  def TakeDue(self, now: float) -> Iterator[Ready]:
    """Yields those that are due, and forgets them.

    @param now: monotonic time

    """
    for tick in sorted(tick for tick in self._ticks if tick * _TICK <= now):
      for reply in list(self._ticks[tick]):
        kept = self._Remove(reply)
        yield Ready(reply, kept.control, kept.address)

  def TakeAll(self) -> Iterator[Ready]:
    """Yields all of them, and forgets them.

    """
    kept = self._kept
    self._kept = {}
    self._ticks = {}
    self._of_address = {}
    for (reply, item) in kept.items():
      yield Ready(reply, item.control, item.address)

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The table of pending WAIT requests.

With the request WAIT, a client asks for a reply as soon as the configuration
has another serial number than the given one. The reply is made and signed at
once, and stays in this table until the generation finishes, or until the
seconds in the request have passed.

Rule 1: a pending request takes less than 1 kB of memory, and the number of
pending requests is limited, in total and for each client address. So no client
can exhaust the memory, or take the places of all others.

Rule 2: the same request with a later time stamp renews the pending one, and
keeps the earlier one of the two deadlines: a client that retransmits a request
unchanged gets its reply in time. A replayed request, whose time stamp is not later, is
ignored. Requests are the same if their replies are: a reply contains the salt
that the client chose, and is signed with the client's key.

This module uses no socket and no clock.

"""

from __future__ import annotations

import enum
import math

from ganeti.confd.protocol import wire
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Any, Iterator, Optional


#: Longest wait that a client may ask for, in seconds
MAX_SECONDS = 60

#: Limits on pending requests: of all clients, and of one client address
MAX_KEPT = 4096
MAX_KEPT_OF_ADDRESS = 64

#: Longest pending reply, in bytes: enough for a salt of 48 characters
MAX_REPLY_SIZE = 512

#: Granularity of deadlines, in seconds: requests that are due within the same
#: tick are answered together, at its end
_TICK = 0.25


class Query(NamedTuple):
  """The query of a WAIT request.

  @ivar serial: serial number that the client knows
  @ivar seconds: longest wait

  """
  serial: int
  seconds: int


def ParseQuery(query: wire.Json) -> Optional[Query]:
  """Parses the query of a WAIT request.

  @return: None if the query is malformed

  """
  if not isinstance(query, dict) or set(query) != {"serial", "seconds"}:
    return None
  (serial, seconds) = (query["serial"], query["seconds"])
  if not (wire.IsPlainInt(serial) and wire.IsPlainInt(seconds) and
          0 < seconds <= MAX_SECONDS):
    return None
  return Query(serial, seconds)


class Verdict(enum.Enum):
  """The result of L{Waiting.Keep}.

  """
  KEPT = "kept"
  RENEWED = "renewed"
  COPY = "copy"
  REFUSED = "refused"


class Ready(NamedTuple):
  """A reply, with all that is needed to send it.

  @ivar control: ancillary data for sendmsg
  @ivar address: socket address of the client

  """
  reply: bytes
  control: list[tuple[int, int, bytes]]
  address: tuple[Any, ...]


class _Kept(NamedTuple):
  """Data about a pending reply.

  """
  #: Time stamp of the request, in seconds since the epoch
  sent: int
  #: Number of the tick at whose end the reply is due
  tick: int
  control: list[tuple[int, int, bytes]]
  address: tuple[Any, ...]


class Waiting:
  """The pending requests, by their replies and by their deadlines.

  """
  def __init__(self) -> None:
    # Pending requests by their signed replies
    self._kept: dict[bytes, _Kept] = {}
    # Replies by the tick when they are due; a dictionary as an ordered set
    self._ticks: dict[int, dict[bytes, None]] = {}
    self._of_address: dict[str, int] = {}

  def __len__(self) -> int:
    return len(self._kept)

  def Keep(self, ready: Ready, sent: int, due: float) -> Verdict:
    """Adds a request to the table, or renews it, if there is room.

    @param ready: the reply to send
    @param sent: time stamp of the request, in seconds since the epoch
    @param due: latest time to send the reply (monotonic time)

    """
    (reply, control, address) = ready
    host = address[0]
    tick = math.ceil(due / _TICK)
    before = self._kept.get(reply)
    if before is not None:
      if sent <= before.sent:
        return Verdict.COPY
      # Remove the pending request first: if the renewal comes from another
      # address, that address may have reached its limit
      self._Remove(reply)
      tick = min(tick, before.tick)
    if (len(self._kept) >= MAX_KEPT or
        self._of_address.get(host, 0) >= MAX_KEPT_OF_ADDRESS):
      return Verdict.REFUSED
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
    """Returns when the next reply is due (monotonic time), or None.

    """
    return min(self._ticks) * _TICK if self._ticks else None

  def TakeDue(self, now: float) -> Iterator[Ready]:
    """Removes and yields the replies that are due.

    @param now: monotonic time

    """
    for tick in sorted(tick for tick in self._ticks if tick * _TICK <= now):
      for reply in list(self._ticks[tick]):
        kept = self._Remove(reply)
        yield Ready(reply, kept.control, kept.address)

  def TakeAll(self) -> Iterator[Ready]:
    """Removes and yields all replies.

    """
    kept = self._kept
    self._kept = {}
    self._ticks = {}
    self._of_address = {}
    for (reply, item) in kept.items():
      yield Ready(reply, item.control, item.address)

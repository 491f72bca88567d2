#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The table of pending WAIT requests.

With the request WAIT, a client asks for a reply as soon as the configuration
has another serial number than the request gives. The reply is made and signed
at once, and stays in this table until the generation finishes, or until the
seconds in the request have passed.

Rule 1: a pending request takes less than 1 kB of memory, and the number of
pending requests is limited, in total and for each client address. So no client
can exhaust the memory, or the limit for all others.

Rule 2: the same request with a later time stamp renews the pending one, and
keeps the earlier one of the two deadlines: a client that retransmits a request
unchanged gets its reply in time. A replayed request, whose time stamp is not
later, is ignored. Requests are the same if their replies are: a reply contains
the salt that the client chose, and is signed with the client's key.

This module uses no socket and no clock.

"""

from __future__ import annotations

import enum
import math

from ganeti.confd.protocol import wire
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Any, Iterator, Optional

  #: Ancillary data in the form that socket.sendmsg takes: level, type, data
  Control = list[tuple[int, int, bytes]]

  #: A client: the ancillary data to send with a reply, and the client's address
  Client = tuple[Control, tuple[Any, ...]]


#: Maximum time that a client may ask to wait (seconds)
MAX_SECONDS = 60

#: Maximum number of pending requests: of all clients together, and of one
#: client address
MAX_PENDING = 4096
MAX_PENDING_OF_ADDRESS = 64

#: Maximum size of a pending reply (bytes), enough for a salt of 48 characters
MAX_REPLY_SIZE = 512

#: Granularity of deadlines (seconds): requests that are due within the same
#: tick are answered together, at the tick's end
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
  """The result of L{Waiting.Add}.

  """
  ADDED = "added"
  RENEWED = "renewed"
  COPY = "copy"
  REFUSED = "refused"


class Deferred(NamedTuple):
  """A signed reply that is sent later than it was made.

  @ivar seconds: the longest wait

  """
  reply: bytes
  request: wire.Request
  seconds: int


class _Pending(NamedTuple):
  """Data about a pending reply.

  """
  #: Time stamp of the request, in seconds since the epoch
  sent: int
  #: Number of the tick at whose end the reply is due
  tick: int
  client: Client


class Waiting:
  """The pending requests, by their replies and by their deadlines.

  """
  def __init__(self) -> None:
    # Maps each signed reply to its pending request
    self._pending: dict[bytes, _Pending] = {}
    # Maps the number of a tick to the replies that are due at the tick's end.
    # Each inner dictionary serves as an ordered set of replies.
    self._ticks: dict[int, dict[bytes, None]] = {}
    self._of_address: dict[str, int] = {}

  def __len__(self) -> int:
    return len(self._pending)

  def Add(self, deferred: Deferred, client: Client, now: float) -> Verdict:
    """Adds a reply, or renews it if it is pending already.

    @param now: monotonic time

    """
    (reply, sent) = (deferred.reply, deferred.request.sent)
    (_, (host, *_)) = client
    tick = math.ceil((now + deferred.seconds) / _TICK)
    before = self._pending.get(reply)
    if before is not None:
      if sent <= before.sent:
        return Verdict.COPY
      # Remove the pending request before the limits are checked, so that its
      # renewal does not count twice. The limits hold for a renewal, too, since
      # it may come from another address.
      self._Remove(reply)
      tick = min(tick, before.tick)
    if (len(self._pending) >= MAX_PENDING or
        self._of_address.get(host, 0) >= MAX_PENDING_OF_ADDRESS):
      return Verdict.REFUSED
    self._pending[reply] = _Pending(sent, tick, client)
    self._ticks.setdefault(tick, {})[reply] = None
    self._of_address[host] = self._of_address.get(host, 0) + 1
    return Verdict.ADDED if before is None else Verdict.RENEWED

  def _Remove(self, reply: bytes) -> _Pending:
    removed = self._pending.pop(reply)
    replies = self._ticks[removed.tick]
    del replies[reply]
    if not replies:
      del self._ticks[removed.tick]
    (_, (host, *_)) = removed.client
    self._of_address[host] -= 1
    if not self._of_address[host]:
      del self._of_address[host]
    return removed

  def NextDue(self) -> Optional[float]:
    """Returns when the next reply is due (monotonic time), or None.

    """
    return min(self._ticks) * _TICK if self._ticks else None

  def TakeDue(self, now: float) -> Iterator[tuple[bytes, Client]]:
    """Removes and yields the replies that are due.

    @param now: monotonic time

    """
    for tick in sorted(tick for tick in self._ticks if tick * _TICK <= now):
      for reply in list(self._ticks[tick]):
        yield (reply, self._Remove(reply).client)

  def TakeAll(self) -> Iterator[tuple[bytes, Client]]:
    """Removes and yields all replies.

    """
    pending = self._pending
    self._pending = {}
    self._ticks = {}
    self._of_address = {}
    for (reply, item) in pending.items():
      yield (reply, item.client)

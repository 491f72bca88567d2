#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The daemon's counters, shared by its processes.

A counter's full name is the name of its group, a space, and its own name.

An anonymous shared mapping, made before the first fork, holds a row of 64 bit
numbers for each process, so each number has one writer and needs no lock. Rows
outlive processes: the process that takes over a row goes on counting in it.

"""

from __future__ import annotations

import mmap

from ganeti.confd import protocol
from ganeti.confd.protocol import wire
from ganeti.confd.typed import TYPE_CHECKING, cast

if TYPE_CHECKING:
  from typing import MutableSequence


def QueryName(kind: str) -> str:
  return "queries %s" % kind


def DroppedName(reason: str) -> str:
  return "dropped %s" % reason


OK = "replies ok"
ERROR = "replies error"
NOT_IMPLEMENTED = "replies not-implemented"
TOO_LARGE = "replies too-large"
#: Requests that were refused because the reader's key lacks the right, or has
#: expired
NOT_PERMITTED = "replies not-permitted"
#: WAIT requests that were refused because too many were pending
TOO_MANY = "replies too-many"
#: Datagrams that came while no configuration or no key was loaded
DROPPED_UNCONFIGURED = DroppedName("unconfigured")
#: Authentic requests that were dropped because the queue to another process,
#: which should answer them, was full
DROPPED_BUSY = DroppedName("busy")
#: Copies of a request that were dropped because the request had been answered
#: often enough, see L{replay}
DROPPED_REPLAYED = DroppedName("replayed")
#: Replies that the kernel did not send, because of a full send queue or another
#: error
DROPPED_UNSENT = DroppedName("unsent")
RELOADS = "reloads good"
RELOADS_FAILED = "reloads failed"
#: A flag, not a count: 1 while the newest configuration cannot be loaded, else
#: 0
CONFIG_STALE = "config stale"
WORKER_RESTARTS = "restarts workers"
GENERATION_RESTARTS = "restarts generations"
#: WAIT requests that were kept to be answered later, see L{waiting}
WAITING_KEPT = "waiting kept"
#: Log messages that were lost: writing them failed, or would have blocked
LOG_LOST = "log lost"
UNKNOWN_TYPE = QueryName("unknown")

#: All counters, in the order in which they are shown
NAMES = (
  [QueryName(kind) for kind in protocol.REQUEST_TYPES] +
  [UNKNOWN_TYPE, OK, ERROR, NOT_IMPLEMENTED, TOO_LARGE, NOT_PERMITTED,
   TOO_MANY] +
  [DroppedName(reason) for reason in wire.REJECT_REASONS] +
  [DROPPED_UNCONFIGURED, DROPPED_BUSY, DROPPED_REPLAYED, DROPPED_UNSENT,
   RELOADS, RELOADS_FAILED, CONFIG_STALE, WORKER_RESTARTS,
   GENERATION_RESTARTS, WAITING_KEPT, LOG_LOST])

#: Maps the name of each counter to its index in a row
INDEX = {name: index for (index, name) in enumerate(NAMES)}

_ITEM = 8


class Counters:
  """Rows of counters.

  """
  def __init__(self, rows: int) -> None:
    self._rows = rows
    self._cells = memoryview(mmap.mmap(-1, rows * len(NAMES) * _ITEM)).cast("Q")

  def Row(self, row: int) -> MutableSequence[int]:
    """Returns one row, for the process that writes it.

    @return: len(L{NAMES}) integers

    """
    cells = self._cells[row * len(NAMES):(row + 1) * len(NAMES)]
    # For type checkers a memoryview is a Sequence, which cannot be written to
    return cast("MutableSequence[int]", cells)

  def Sum(self) -> dict[str, int]:
    """Returns the counters summed over all rows.

    @return: by name, in the order of L{NAMES}

    """
    return {name: sum(self._cells[INDEX[name]::len(NAMES)].tolist())
            for name in NAMES}

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Makes answers in forked processes, and keeps them until their data change.

An answer is made once, even if many clients ask for it at the same time. The
number of answers that are made at a time is limited; others are queued.

Rule: the limit includes all memory. A cached answer costs the bytes of its body
and of its key, and L{_OVERHEAD}; a cached error costs the same, with its text
as the body. A new configuration evicts all answers made from the old one.

An answer stays in memory until the slowest client has received it. If evicted
answers that are still being sent leave no room for others, the connections of
the slowest clients are closed.

"""

from __future__ import annotations

import asyncio
import collections
import sys

from typing import Any, Callable, Mapping, NamedTuple, OrderedDict, Union

from ganeti.confd.exporter import forked


#: Memory of a cached answer in addition to its body and its key (bytes)
_OVERHEAD = 1000

#: After a connection is closed, wait at most this many iterations of the event
#: loop until the connection releases its answer
_TURNS = 20

#: A function that closes the connection of the slowest client whose answer
#: satisfies a predicate. The function returns whether there was such a client.
Cut = Callable[[Callable[[Any], bool]], bool]

#: The cache key of an answer
Key = tuple[str, ...]

#: The clusters that an answer is about, each with its configuration's version
Version = tuple[tuple[str, int], ...]


class Busy(Exception):
  """Too many answers wait to be made, or are being sent.

  """


class Limits(NamedTuple):
  """Limits of a cache's memory and work.

  """
  #: Maximum size of all cached answers (bytes)
  kept: int
  #: Another answer is made only if all answers in memory, cached or being sent,
  #: take at most this many bytes, or at most twice the size of the cached ones
  held: int
  #: Maximum number of answers that are being made or are queued
  waiting: int
  #: Maximum number of answers that are made at the same time
  parallel: int = 1
  #: Limits of the process that makes an answer
  process: forked.Limits = forked.Limits()


class Body:
  """The bytes of an answer, counted until this object is deleted.

  """
  __slots__ = ("data", "_count")

  def __init__(self, data: Union[bytes, memoryview],
               count: Callable[[int], None] = lambda _: None) -> None:
    """@param count: called with the number of bytes, and with the negative of
      that number when the answer is deleted

    """
    self.data = data
    self._count = count
    count(len(data))

  def IsCountedBy(self, count: Callable[[int], None]) -> bool:
    return self._count == count

  def __del__(self) -> None:
    self._count(-len(self.data))


class _Entry(NamedTuple):
  """A cached answer, or the text of a cached error.

  """
  version: Version
  outcome: Union[Body, str]
  #: The size of the body and the key, plus L{_OVERHEAD} (bytes)
  size: int


class _Making:
  """An answer that is being made.

  @ivar requests: number of requests that wait for it

  """
  def __init__(self, task: asyncio.Task[Body]) -> None:
    self.task = task
    self.requests = 0


class Cache:
  """Makes and keeps answers.

  """
  def __init__(self, limits: Limits, cut: Cut = lambda _: False) -> None:
    self._limits = limits
    self._cut = cut
    # Cached answers, the least recently used one first
    self._kept: OrderedDict[Key, _Entry] = collections.OrderedDict()
    self._size = 0
    self._making: dict[tuple[Key, Version], _Making] = {}
    self._turns = asyncio.Semaphore(limits.parallel)
    self._held = 0

  async def Get(self, key: Key, version: Version, make: Callable[[], bytes]
                ) -> Body:
    """Returns an answer.

    @param version: the current version; older cached answers are not used
    @param make: see L{forked.Run}, whose errors are raised
    @raise Busy: there is too much to do

    """
    entry = self._kept.get(key)
    if entry is not None and entry.version == version:
      self._kept.move_to_end(key)
      if isinstance(entry.outcome, str):
        # Make a new exception for each request: a cached exception would keep
        # all stack frames through which it was ever raised
        raise forked.BadRequest(entry.outcome)
      return entry.outcome
    making = self._making.get((key, version))
    if making is None:
      await self._MakeRoom()
      # During the wait, another request may have begun to make the same answer
      making = self._making.get((key, version))
    if making is None:
      if len(self._making) >= self._limits.waiting:
        raise Busy()
      making = _Making(asyncio.ensure_future(self._Make(key, version, make)))
      self._making[key, version] = making
      making.task.add_done_callback(
        lambda task: self._Made((key, version), task))
    making.requests += 1
    try:
      # asyncio.wait does not cancel the task if this request is cancelled;
      # other requests may wait for the same answer
      await asyncio.wait([making.task])
      return making.task.result()
    finally:
      making.requests -= 1
      if not making.requests:
        making.task.cancel()

  async def _MakeRoom(self) -> None:
    """Cuts off slow clients while answers take too much memory.

    @raise Busy: no connection can be closed to free memory

    """
    while self._held > max(self._limits.held, 2 * self._size):
      held = self._held
      if not self._cut(self._IsInTheWay):
        raise Busy()
      for _ in range(_TURNS):
        if self._held < held:
          break
        await asyncio.sleep(0)

  def _IsInTheWay(self, owner: Any) -> bool:
    """Tells whether an object is an evicted answer that is still being sent.

    """
    return (isinstance(owner, Body) and owner.IsCountedBy(self._Count) and
            all(entry.outcome is not owner for entry in self._kept.values()))

  async def _Make(self, key: Key, version: Version, make: Callable[[], bytes]
                  ) -> Body:
    async with self._turns:
      try:
        body = Body(await forked.Run(make, self._limits.process), self._Count)
      except forked.BadRequest as err:
        self._Keep(key, version, str(err), len(str(err)))
        raise
      self._Keep(key, version, body, len(body.data))
      return body

  def _Made(self, which: tuple[Key, Version], task: asyncio.Task[Body]
            ) -> None:
    del self._making[which]
    if not task.cancelled():
      # Retrieve the exception, as perhaps no request waits for this task any
      # more: asyncio logs exceptions that are never retrieved
      task.exception()

  def _Count(self, size: int) -> None:
    self._held += size

  def _Keep(self, key: Key, version: Version,
            outcome: Union[Body, str], size: int) -> None:
    self._Drop(key)
    size += _OVERHEAD + sum(map(sys.getsizeof, key))
    self._kept[key] = _Entry(version, outcome, size)
    self._size += size
    # Keep the newest answer even if it alone exceeds the limit; otherwise it
    # would be made again for each request
    while self._size > self._limits.kept and len(self._kept) > 1:
      self._Drop(next(iter(self._kept)))

  def _Drop(self, key: Key) -> None:
    entry = self._kept.pop(key, None)
    if entry is not None:
      self._size -= entry.size

  def DropOld(self, current: Mapping[str, int]) -> None:
    """Evicts answers that were made from other versions than the current ones.

    @param current: each cluster's current version

    """
    old: list[Key] = [key for (key, entry) in self._kept.items()
                      if not current.items() >= set(entry.version)]
    for key in old:
      self._Drop(key)

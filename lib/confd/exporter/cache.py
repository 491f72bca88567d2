#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Makes answers in forked processes, and keeps them until their data change.

An answer is made once, however many clients ask for it at once. Only so many
answers are made at a time; others wait for their turn.

Rule: everything counts. An answer that is kept costs its bytes, those of its
key, and L{_OVERHEAD}; so does the text of an error. With a new configuration,
all answers that were made of the old one are dropped.

An answer stays in memory until the slowest client has taken it. Where answers
that are no longer kept leave no room for others, the slowest clients are cut
off.

"""

from __future__ import annotations

import asyncio
import collections
import sys

from typing import Any, Callable, Mapping, NamedTuple, OrderedDict, Union

from ganeti.confd.exporter import forked


#: Memory of a cached answer in addition to its body and its key (bytes)
_OVERHEAD = 1000

#: Turns of the event loop until a connection that was cut has gone
_TURNS = 20

#: Cuts off the slowest client that is being sent an answer for which a function
#: returns True; returns whether there was one
Cut = Callable[[Callable[[Any], bool]], bool]

#: Which answer
Key = tuple[str, ...]

#: The clusters that an answer is about, each with its configuration's version
Version = tuple[tuple[str, int], ...]


class Busy(Exception):
  """Too many answers wait to be made, or are being sent.

  """


class Limits(NamedTuple):
  """How much a cache may hold, and do.

  """
  #: Bytes that are kept
  kept: int
  #: Bytes of all answers in memory, kept or being sent, above which no other is
  #: made; or twice the bytes that are kept, where that is more
  held: int
  #: Answers that are being made, or wait for that
  waiting: int
  #: Answers that are made at a time
  parallel: int = 1
  #: The most that making one answer may take
  process: forked.Limits = forked.Limits()


class Body:
  """An answer, counted until the last connection that sends it is done.

  """
  __slots__ = ("data", "_count")

  def __init__(self, data: Union[bytes, memoryview],
               count: Callable[[int], None] = lambda _: None) -> None:
    """@param count: is called with the number of bytes, and when the answer is
      deleted with the negative of that

    """
    self.data = data
    self._count = count
    count(len(data))

  def IsCountedBy(self, count: Callable[[int], None]) -> bool:
    return self._count == count

  def __del__(self) -> None:
    self._count(-len(self.data))


class _Entry(NamedTuple):
  """An answer that is kept, or the reason why there is none.

  """
  version: Version
  outcome: Union[Body, str]
  #: The cost, by the rule of this module (bytes)
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
    # The least recently used one is first
    self._kept: OrderedDict[Key, _Entry] = collections.OrderedDict()
    self._size = 0
    self._making: dict[tuple[Key, Version], _Making] = {}
    self._turns = asyncio.Semaphore(limits.parallel)
    self._held = 0

  async def Get(self, key: Key, version: Version, make: Callable[[], bytes]
                ) -> Body:
    """Returns an answer.

    @param version: an answer of another version is not used
    @param make: see L{forked.Run}, whose errors are raised
    @raise Busy: there is too much to do

    """
    entry = self._kept.get(key)
    if entry is not None and entry.version == version:
      self._kept.move_to_end(key)
      if isinstance(entry.outcome, str):
        # An exception that was kept and raised again would keep all frames that
        # it has passed
        raise forked.BadRequest(entry.outcome)
      return entry.outcome
    making = self._making.get((key, version))
    if making is None:
      await self._MakeRoom()
      # Another request may have begun to make it meanwhile
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
      # Other requests may wait for the same answer when this one is cancelled
      await asyncio.wait([making.task])
      return making.task.result()
    finally:
      making.requests -= 1
      if not making.requests:
        making.task.cancel()

  async def _MakeRoom(self) -> None:
    """Cuts off slow clients where too much is held.

    @raise Busy: no client is in the way

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
    """Tells whether something is an answer that is held for clients only.

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
      # asyncio complains about an exception that no request is left to get
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
    """Drops answers that are of other versions.

    @param current: each cluster's version

    """
    old: list[Key] = [key for (key, entry) in self._kept.items()
                      if not current.items() >= set(entry.version)]
    for key in old:
      self._Drop(key)

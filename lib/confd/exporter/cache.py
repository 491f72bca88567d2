#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Makes answers, and keeps them until what they were made of changes.

Each is made once, however many ask for it at once, and one after the other.

Rule: everything counts. Each answer that is kept costs its bytes, those of the
question, and L{_OVERHEAD}; so does the text of an error. Answers of an old
configuration are forgotten as soon as there is a new one.

An answer stays in memory for as long as the slowest client takes it. Where such
answers leave no room for others, the slowest clients are cut off.

"""

from __future__ import annotations

import asyncio
import collections
import sys

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, \
  OrderedDict, Tuple, Union

from ganeti.confd.exporter import aside


#: Memory for an answer beside its texts (bytes)
_OVERHEAD = 1000

#: How often all else gets its turn until a connection that was cut has gone
_TURNS = 20

#: Cuts the slowest client that takes an answer, of those answers of which a
#: function says that they are meant; returns whether there was one
Cut = Callable[[Callable[[Any], bool]], bool]

#: Which answer
Key = Tuple[str, ...]

#: Clusters that an answer is made of, each with the version of its facts
Version = Tuple[Tuple[str, int], ...]


class Busy(Exception):
  """There is too much to do.

  """


class Limits(NamedTuple):
  """How much there may be.

  """
  #: Bytes that are kept
  kept: int
  #: Bytes of answers, kept or still being sent, with which nothing more is made
  held: int
  #: Answers that wait to be made
  waiting: int


class Body:
  """An answer.

  It is counted until the last connection that sends it is done.

  """
  __slots__ = ("data", "_count")

  def __init__(self, data: bytes, count: Callable[[int], None] = lambda _: None
               ) -> None:
    """@param count: called with the bytes that are more now, and when the
      answer goes with their negative

    """
    self.data = data
    self._count = count
    count(len(data))

  def IsCountedBy(self, count: Callable[[int], None]) -> bool:
    return self._count == count

  def __del__(self) -> None:
    self._count(-len(self.data))


EMPTY = Body(b"")


class _Kept(NamedTuple):
  """An answer that was made, or why there is none.

  """
  version: Version
  #: The answer, or a text that says why there is none
  outcome: Union[Body, str]
  #: The cost, by the rule of this module (bytes)
  size: int


class _Making:
  """An answer that is being made.

  @ivar asking: how many wait for it

  """
  def __init__(self, task: asyncio.Task[Body]) -> None:
    self.task = task
    self.asking = 0


class Cache:
  """Makes and keeps answers.

  """
  def __init__(self, limits: Limits, cut: Cut = lambda _: False) -> None:
    self._limits = limits
    self._cut = cut
    # The least recently used one is first
    self._kept: OrderedDict[Key, _Kept] = collections.OrderedDict()
    self._size = 0
    self._making: Dict[Tuple[Key, Version], _Making] = {}
    self._lock = asyncio.Lock()
    self._held = 0

  async def Get(self, key: Key, version: Version, make: Callable[[], bytes]
                ) -> Body:
    """Returns an answer.

    @param version: what stands for all that it is made of; an answer of another
      version is not used
    @param make: see L{aside.Make}, whose errors are raised
    @raise Busy: there is too much to do

    """
    kept = self._kept.get(key)
    if kept is not None and kept.version == version:
      self._kept.move_to_end(key)
      if isinstance(kept.outcome, str):
        # An exception that is raised again keeps all frames that it has passed
        raise aside.BadRequest(kept.outcome)
      return kept.outcome
    making = self._making.get((key, version))
    if making is None:
      await self._MakeRoom()
      # Somebody else may have begun meanwhile
      making = self._making.get((key, version))
    if making is None:
      if len(self._making) >= self._limits.waiting:
        raise Busy()
      making = _Making(asyncio.ensure_future(self._Make(key, version, make)))
      self._making[key, version] = making
      making.task.add_done_callback(
        lambda task: self._Made((key, version), task))
    making.asking += 1
    try:
      # Not cancelled with this request: others may wait for the same answer
      await asyncio.wait([making.task])
      return making.task.result()
    finally:
      making.asking -= 1
      if not making.asking:
        making.task.cancel()

  async def _MakeRoom(self) -> None:
    """Cuts off slow clients where too much is held.

    @raise Busy: there are none to cut off

    """
    while self._held > self._limits.held:
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
            all(kept.outcome is not owner for kept in self._kept.values()))

  async def _Make(self, key: Key, version: Version, make: Callable[[], bytes]
                  ) -> Body:
    async with self._lock:
      try:
        body = Body(await aside.Make(make), self._Count)
      except aside.BadRequest as err:
        self._Keep(key, version, str(err), len(str(err)))
        raise
      self._Keep(key, version, body, len(body.data))
      return body

  def _Made(self, which: Tuple[Key, Version], task: asyncio.Task[Body]
            ) -> None:
    del self._making[which]
    if not task.cancelled():
      # Perhaps no request is left to get the exception, and asyncio would
      # complain
      task.exception()

  def _Count(self, size: int) -> None:
    self._held += size

  def _Keep(self, key: Key, version: Version,
            outcome: Union[Body, str], size: int) -> None:
    self._Forget(key)
    size += _OVERHEAD + sum(map(sys.getsizeof, key))
    self._kept[key] = _Kept(version, outcome, size)
    self._size += size
    # Keep at least one answer: a single large one would be made at each request
    while self._size > self._limits.kept and len(self._kept) > 1:
      self._Forget(next(iter(self._kept)))

  def _Forget(self, key: Key) -> None:
    kept = self._kept.pop(key, None)
    if kept is not None:
      self._size -= kept.size

  def ForgetOld(self, current: Mapping[str, int]) -> None:
    """Forgets what is not of the versions that there are now.

    """
    old: List[Key] = [key for (key, kept) in self._kept.items()
                      if not current.items() >= set(kept.version)]
    for key in old:
      self._Forget(key)

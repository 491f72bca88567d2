#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Keeps answers until what they were made of changes.

Each is made once, however many ask for it at once, and one after the other.

"""

from __future__ import annotations

import asyncio
import collections
import weakref

from typing import Callable, Hashable, OrderedDict

from ganeti.confd.exporter import aside


#: Most answers that are waited for
_MAX_WAITING = 10

#: Bytes that are kept, and bytes with which nothing more is made: there are
#: those, too, that are not kept any more, but still on their way
_MAX_KEPT = 16 << 20
_MAX_HELD = 64 << 20


class Busy(Exception):
  """There is too much to do.

  """


class Body:
  """An answer.

  """
  __slots__ = ("data", "__weakref__")

  def __init__(self, data: bytes) -> None:
    self.data = data


class _Entry:
  """An answer that is there, or will be.

  @ivar version: what it is made of
  @ivar asking: how many wait for it

  """
  def __init__(self, version: Hashable, made: asyncio.Task[Body]) -> None:
    self.version = version
    self.made = made
    self.asking = 0


class Cache:
  """Makes and keeps answers.

  """
  def __init__(self) -> None:
    self._entries: OrderedDict[Hashable, _Entry] = collections.OrderedDict()
    self._lock = asyncio.Lock()
    self._waiting = 0
    # They are counted until the last who sends them is done
    self._bodies: weakref.WeakSet[Body] = weakref.WeakSet()

  async def Get(self, key: Hashable, version: Hashable,
                make: Callable[[], bytes]) -> Body:
    """Returns an answer.

    @param key: which one
    @param version: what stands for all that it is made of; an answer of another
      version is not used
    @param make: see L{aside.Make}, whose errors are raised
    @raise Busy: there is too much to do

    """
    entry = self._entries.get(key)
    if entry is None or entry.version != version:
      if (self._waiting >= _MAX_WAITING or
          sum(len(body.data) for body in self._bodies) > _MAX_HELD):
        raise Busy()
      self._waiting += 1
      entry = _Entry(version, asyncio.ensure_future(self._Make(make)))
      entry.made.add_done_callback(self._Done)
      self._entries[key] = entry
    self._entries.move_to_end(key)
    entry.asking += 1
    try:
      # Others may want it when this one has gone
      return await asyncio.shield(entry.made)
    except aside.Failed:
      # Another time, it may work
      self._Forget(key, entry)
      raise
    finally:
      entry.asking -= 1
      if not entry.asking and not entry.made.done():
        entry.made.cancel()
        self._Forget(key, entry)
      self._Trim()

  def _Forget(self, key: Hashable, entry: _Entry) -> None:
    if self._entries.get(key) is entry:
      del self._entries[key]

  async def _Make(self, make: Callable[[], bytes]) -> Body:
    async with self._lock:
      body = Body(await aside.Make(make))
    self._bodies.add(body)
    return body

  def _Done(self, _: asyncio.Task[Body]) -> None:
    self._waiting -= 1

  def _Trim(self) -> None:
    """Forgets what was asked for longest ago, if it is too much.

    """
    kept = 0
    for (key, entry) in reversed(list(self._entries.items())):
      if entry.made.done():
        if entry.made.cancelled() or entry.made.exception() is not None:
          size = 1 << 10
        else:
          size = len(entry.made.result().data)
        kept += size
        # One is always kept, or it would be made again and again
        if kept > _MAX_KEPT and kept > size:
          del self._entries[key]

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The driver of an C{AsyncClient} that has a fake: time-outs take no time.

The rules are those of L{network}. A turn of L{Driver} does the first of these
that is possible: it reads the datagrams that have arrived, ends the waits whose
time is over, does the test's next step, or makes the clock jump.

"""

from __future__ import annotations

import asyncio
import socket
from typing import Callable, Optional, TypeVar

from ganeti.confd.clientlib import aio
from ganeti.confd.clientlib import operation
from ganeti.confd.clientlib import transport as transportlib
from ganeti.confd.testing import network


_Value = TypeVar("_Value")


def _Resolve(future: asyncio.Future[None]) -> None:
  if not future.done():
    future.set_result(None)


class Driver(aio.Driver):
  """Performs the steps of a question, on the event loop and a fake's clock.

  """
  _transport: network.Transport

  def __init__(self, transport: transportlib.Transport) -> None:
    aio.Driver.__init__(self, transport)
    self._transport.on_change = self._Wake
    #: Maps each running pause to the time when the pause ends
    self._pauses: dict[asyncio.Future[None], float] = {}
    self._turn: Optional[asyncio.TimerHandle] = None
    self._jump: Optional[asyncio.TimerHandle] = None

  def _WatchAgain(self, _: socket.socket) -> None:
    # A fake's transport has no socket to watch
    pass

  async def Wait(self, loop: asyncio.AbstractEventLoop,
                 current: operation.Operation) -> None:
    waiter: asyncio.Future[None] = loop.create_future()
    self._waiters[current] = waiter
    self._Schedule(loop)
    try:
      await waiter
    finally:
      del self._waiters[current]

  async def Pause(self, seconds: float) -> None:
    loop = self._Loop()
    pause: asyncio.Future[None] = loop.create_future()
    self._pauses[pause] = self.Now() + seconds
    self._Schedule(loop)
    try:
      await pause
    finally:
      del self._pauses[pause]

  async def Call(self, function: Callable[[], _Value]) -> _Value:
    return function()

  async def CallOnce(self, function: Callable[[float], None], deadline: float
                     ) -> None:
    function(deadline)

  def _Wake(self) -> None:
    """Schedules a turn; may be called in any thread.

    """
    if self._loop is not None and not self._loop.is_closed():
      self._loop.call_soon_threadsafe(self._Schedule, self._loop)

  def _Schedule(self, loop: asyncio.AbstractEventLoop) -> None:
    """Schedules a turn, unless there is one already.

    """
    if self._turn is None:
      self._turn = loop.call_later(0, self._Turn, loop)

  def _Turn(self, loop: asyncio.AbstractEventLoop) -> None:
    self._turn = None
    transport = self._transport
    if transport.closed:
      for future in (*self._pauses, *self._waiters.values()):
        _Resolve(future)
      return
    if transport.has_arrived:
      self._Readable(transport.INBOX)
      self._Schedule(loop)
      return
    if self._EndWaits():
      self._Schedule(loop)
      return
    resting = [i for i in self._waiters if transport.Rests(i)]
    if (resting or (self._pauses and transport.has_failed)) and \
       transport.DoStep():
      self._Schedule(loop)
    elif self._jump is None and self._Times():
      self._jump = loop.call_later(
        network.JUMP_TO_POLL if resting else network.JUMP, self._Jump, loop)

  def _Times(self) -> list[float]:
    """Returns the times to which the clock may jump.

    """
    transport = self._transport
    times = [i.wakeup for i in self._waiters if not transport.IsPending(i)]
    times.extend(self._pauses.values())
    if transport.next_arrival is not None:
      times.append(transport.next_arrival)
    return times

  def _Jump(self, loop: asyncio.AbstractEventLoop) -> None:
    """Makes the clock jump, unless a datagram has arrived.

    """
    self._jump = None
    times = self._Times()
    if times and not self._transport.has_arrived:
      self._transport.Advance(min(times))
    self._Schedule(loop)

  def _EndWaits(self) -> bool:
    """Ends the waits and pauses whose time is over.

    @return: whether a wait or a pause has ended

    """
    now = self.Now()
    ended = [waiter for (current, waiter) in self._waiters.items()
             if current.wakeup <= now]
    ended.extend(pause for (pause, end) in self._pauses.items() if end <= now)
    for future in ended:
      _Resolve(future)
    if ended:
      self._transport.Tick()
    return bool(ended)

  def Close(self) -> None:
    aio.Driver.Close(self)
    self._Wake()

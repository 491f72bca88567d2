#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The client for asyncio: the calls of the synchronous client, to be awaited.

Any number of questions may be in flight at once, over one socket for each
address family; the salt of a reply tells its question. A question that is
cancelled leaves nothing in the event loop.

Rule: L{_Gate} admits a limited number of operations at a time. Fact: thousands
of datagrams sent at once overflow the queues of kernels and daemons, and
retransmits of lost datagrams make the congestion worse.

"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import functools
import socket
import warnings
from typing import Any, Callable, Deque, Optional, TypeVar

from ganeti import errors
from ganeti.confd.clientlib import operation
from ganeti.confd.clientlib import questions
from ganeti.confd.clientlib import session
from ganeti.confd.clientlib import transport as transportlib


#: L{_Gate} admits at most _AT_ONCE operations at a time, not counting
#: operations that have run for more than _COUNTED seconds
_AT_ONCE = 64
_COUNTED = 0.1

#: A call in a thread gets this fraction of the time until the deadline as its
#: time-out: the result takes a moment to get from the thread to the event loop
_CALL_SHARE = 0.9

#: L{Driver._ReadRest} reads for at most _READ_SECONDS in each period of
#: _READ_PERIOD seconds
_READ_PERIOD = 0.2
_READ_SECONDS = 0.02

_Value = TypeVar("_Value")
_Operation = TypeVar("_Operation", bound=operation.Operation)


class _Gate:
  """A semaphore whose waiters have deadlines, first come first served.

  """
  def __init__(self, places: int) -> None:
    self._free = places
    self._queue: Deque[asyncio.Future[bool]] = collections.deque()

  async def Enter(self, loop: asyncio.AbstractEventLoop, timeout: float
                  ) -> bool:
    """Waits for a place.

    @param timeout: for how long, in seconds
    @return: whether a place was free in time; L{Leave} releases the place

    """
    if self._free and not self._queue:
      self._free -= 1
      return True
    turn: asyncio.Future[bool] = loop.create_future()
    self._queue.append(turn)
    timer = loop.call_later(max(0, timeout), _Resolve, turn, False)
    try:
      return await turn
    except asyncio.CancelledError:
      if turn.done() and not turn.cancelled() and turn.result():
        self.Leave()
      raise
    finally:
      timer.cancel()

  def Leave(self) -> None:
    """Releases a place.

    """
    while self._queue:
      turn = self._queue.popleft()
      if not turn.done():
        turn.set_result(True)
        return
    self._free += 1


def _Resolve(future: asyncio.Future[_Value], value: _Value) -> None:
  if not future.done():
    future.set_result(value)


class _Place:
  """A place within the gate, released after L{_COUNTED} seconds at the latest.

  """
  def __init__(self, gate: _Gate, loop: asyncio.AbstractEventLoop) -> None:
    self._gate: Optional[_Gate] = gate
    self._timer = loop.call_later(_COUNTED, self.Leave)

  def Leave(self) -> None:
    self._timer.cancel()
    if self._gate is not None:
      self._gate.Leave()
      self._gate = None


class Driver(session.Driver):
  """Performs the steps of a question on asyncio's event loop.

  """
  def __init__(self, transport: transportlib.Transport) -> None:
    session.Driver.__init__(self, transport)
    transport.on_socket = self._Watch
    transport.on_errors = self._WatchAgain
    self._loop: Optional[asyncio.AbstractEventLoop] = None
    self._gate = _Gate(_AT_ONCE)
    self._waiters: dict[operation.Operation, asyncio.Future[None]] = {}
    self._calls: dict[Callable[..., Any], asyncio.Future[Any]] = {}
    self._period_ends = 0.0
    self._read_seconds = 0.0

  def _Loop(self) -> asyncio.AbstractEventLoop:
    """Returns the running event loop.

    @raise errors.ProgrammerError: the client was used in another loop before,
      or the running event loop is not asyncio's

    """
    try:
      loop = asyncio.get_running_loop()
    except RuntimeError:
      raise errors.ProgrammerError("An AsyncClient needs asyncio's event loop,"
                                   " which is not running here; under trio, use"
                                   " a Client in a thread, by"
                                   " trio.to_thread.run_sync") from None
    if self._loop is None:
      self._loop = loop
    elif self._loop is not loop:
      raise errors.ProgrammerError("This client belongs to another event loop:"
                                   " each needs one of its own")
    return loop

  def _Watch(self, sock: socket.socket) -> None:
    self._Loop().add_reader(sock, self._Readable, sock)

  def _WatchAgain(self, sock: socket.socket) -> None:
    """Makes the event loop poll a socket after its errors have been read.

    uvloop stops polling a socket that has a pending error. Adding the reader
    again starts the polling again; any other event loop is not affected.

    """
    loop = self._Loop()
    loop.remove_reader(sock)
    loop.add_reader(sock, self._Readable, sock)

  def _Readable(self, sock: socket.socket) -> None:
    for current in self._transport.Receive(sock):
      waiter = self._waiters.get(current)
      if waiter is not None:
        _Resolve(waiter, None)

  def _ReadRest(self) -> None:
    """Reads the datagrams that have arrived by the end of an operation.

    All operations share one budget of time: thousands of them may end at the
    same moment, and a flood of garbage would block the event loop.

    """
    begins = self.Now()
    if begins >= self._period_ends:
      self._period_ends = begins + _READ_PERIOD
      self._read_seconds = 0.0
    if self._read_seconds < _READ_SECONDS:
      for sock in self._transport.Sockets():
        self._Readable(sock)
      self._read_seconds += self.Now() - begins

  async def Run(self, make: Callable[[float], _Operation], deadline: float
                ) -> _Operation:
    loop = self._Loop()
    place = None
    if await self._gate.Enter(loop, deadline - self.Now()):
      place = _Place(self._gate, loop)
    try:
      # The client may have been closed during the wait for the gate
      self._transport.CheckOpen()
      current = make(self.Now())
      await self._Run(loop, current)
    finally:
      if place is not None:
        place.Leave()
    return current

  async def _Run(self, loop: asyncio.AbstractEventLoop,
                 current: operation.Operation) -> None:
    self._transport.Begin(current)
    try:
      while not current.Done(self.Now()):
        self._transport.Send(current)
        await self.Wait(loop, current)
        self._transport.CheckOpen()
      # Also read the replies that have arrived by now: one of them may be
      # fresher than all replies read so far
      self._ReadRest()
    finally:
      self._transport.End(current)

  async def Wait(self, loop: asyncio.AbstractEventLoop,
                 current: operation.Operation) -> None:
    """Waits for a reply to an operation, or for the time of its wakeup.

    """
    waiter: asyncio.Future[None] = loop.create_future()
    self._waiters[current] = waiter
    timer = loop.call_later(max(0, current.wakeup - self.Now()), _Resolve,
                            waiter, None)
    try:
      await waiter
    finally:
      timer.cancel()
      del self._waiters[current]

  async def Pause(self, seconds: float) -> None:
    await asyncio.sleep(seconds)

  async def Call(self, function: Callable[[], _Value]) -> _Value:
    return await self._Loop().run_in_executor(None, function)

  async def CallOnce(self, function: Callable[[float], None], deadline: float
                     ) -> None:
    loop = self._Loop()
    call = self._calls.get(function)
    if call is None:
      now = self.Now()
      call = loop.run_in_executor(None, function,
                                  now + (deadline - now) * _CALL_SHARE)
      self._calls[function] = call
      call.add_done_callback(functools.partial(self._Called, function))
    await asyncio.wait([call], timeout=max(0, deadline - self.Now()))
    if call.done():
      call.result()

  def _Called(self, function: Callable[..., Any], call: asyncio.Future[Any]
              ) -> None:
    self._calls.pop(function, None)
    if not call.cancelled():
      # Retrieve the exception: asyncio would log an exception that is not
      # retrieved
      call.exception()

  def CloseLater(self) -> None:
    """Closes the client, in any thread: the garbage collector may run in any.

    """
    if self._loop is None or self._loop.is_closed():
      self._transport.Close()
      return
    with contextlib.suppress(RuntimeError):
      # Another thread may close the loop after the check above: then
      # call_soon_threadsafe raises RuntimeError
      self._loop.call_soon_threadsafe(self.Close)

  def Close(self) -> None:
    for sock in self._transport.Sockets():
      if self._loop is not None and not self._loop.is_closed():
        self._loop.remove_reader(sock)
    self._transport.Close()
    for waiter in self._waiters.values():
      if not waiter.get_loop().is_closed():
        _Resolve(waiter, None)


class AsyncClient(questions.Questions):
  """Asks the master candidates, and returns the freshest answer or raises.

  Use a client within one event loop, and close it, as "async with" does.

  """
  _DRIVER = Driver

  async def __aenter__(self) -> AsyncClient:
    return self

  async def __aexit__(self, *_: object) -> None:
    self.Close()

  def close(self) -> None:
    """Does the same as Close(); contextlib.closing calls this name.

    """
    self.Close()

  async def aclose(self) -> None: # pylint: disable=C0103
    """Does the same as Close(); contextlib.aclosing calls this name.

    """
    self.Close()

  def __del__(self, warn: Callable[..., None] = warnings.warn) -> None:
    # There is no driver if the constructor has raised an exception
    driver = getattr(self, "_driver", None)
    if isinstance(driver, Driver) and self._transport.Sockets():
      warn("unclosed %r: use \"async with\", or call aclose()" % self,
           ResourceWarning, source=self)
      driver.CloseLater()

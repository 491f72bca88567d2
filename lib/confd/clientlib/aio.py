#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The client for asyncio: the calls of the synchronous one, to be awaited.

Any number of questions may be under way at once, over one socket for each
address family; replies find theirs by their salts. A question that is
cancelled is forgotten, and nothing of it is left in the event loop.

Fact: thousands of datagrams sent at once do not fit the queues of kernels and
daemons. What is lost there is sent again, which makes it more. So questions
wait for their turn, see L{_Gate}.

"""

from __future__ import annotations

import asyncio
import collections
import functools
import socket
import time
from typing import Any, Callable, Deque, Dict, Optional, Sequence, TypeVar, \
  Union

from ganeti import errors
from ganeti.confd.clientlib import dialogue
from ganeti.confd.clientlib import post as postlib
from ganeti.confd.clientlib import questions
from ganeti.confd.clientlib import talk
from ganeti.confd.protocol import parts


#: How many questions wait for their first replies at a time, and how long one
#: is counted that gets none (seconds)
_AT_ONCE = 64
_COUNTED = 0.1

#: Of the time to wait for a call in a thread, so much is the call's own: its
#: result takes a moment to come here
_CALL_SHARE = 0.9

#: Of each so many seconds, so many are for reading when questions end
_READ_PERIOD = 0.2
_READ_SECONDS = 0.02

_Value = TypeVar("_Value")
_Talk = TypeVar("_Talk", bound=talk.Talk)


class _Gate:
  """Lets some in at a time, the others in their order.

  """
  def __init__(self, places: int) -> None:
    self._free = places
    self._queue: Deque[asyncio.Future[bool]] = collections.deque()

  async def Enter(self, loop: asyncio.AbstractEventLoop, deadline: float
                  ) -> bool:
    """Waits for a place.

    @param deadline: until when, by C{time.monotonic}
    @return: whether there was one in time, to be given back by L{Leave}

    """
    if self._free and not self._queue:
      self._free -= 1
      return True
    turn: asyncio.Future[bool] = loop.create_future()
    self._queue.append(turn)
    timer = loop.call_later(max(0, deadline - time.monotonic()), _Resolve, turn,
                            False)
    try:
      return await turn
    except asyncio.CancelledError:
      if turn.done() and not turn.cancelled() and turn.result():
        self.Leave()
      raise
    finally:
      timer.cancel()

  def Leave(self) -> None:
    """Gives a place back.

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
  """A place within the gate, given back once.

  """
  def __init__(self, gate: _Gate, loop: asyncio.AbstractEventLoop) -> None:
    self._gate: Optional[_Gate] = gate
    self._timer = loop.call_later(_COUNTED, self.Leave)

  def Leave(self) -> None:
    self._timer.cancel()
    if self._gate is not None:
      self._gate.Leave()
      self._gate = None


class _Driver(dialogue.Driver):
  """Leaves the waiting to an event loop.

  """
  def __init__(self, post: postlib.Post) -> None:
    dialogue.Driver.__init__(self, post)
    post.channel.on_socket = self._Watch
    self._loop: Optional[asyncio.AbstractEventLoop] = None
    self._gate = _Gate(_AT_ONCE)
    self._waiters: Dict[talk.Talk, asyncio.Future[None]] = {}
    self._calls: Dict[Callable[..., Any], asyncio.Future[Any]] = {}
    self._period_ends = 0.0
    self._read_seconds = 0.0

  def _Loop(self) -> asyncio.AbstractEventLoop:
    """Returns the event loop.

    @raise errors.ProgrammerError: it is another one than before

    """
    loop = asyncio.get_running_loop()
    if self._loop is None:
      self._loop = loop
    elif self._loop is not loop:
      raise errors.ProgrammerError("This client belongs to another event loop:"
                                   " each needs one of its own")
    return loop

  def _Watch(self, sock: socket.socket) -> None:
    self._Loop().add_reader(sock, self._Readable, sock)

  def _Readable(self, sock: socket.socket) -> None:
    for current in self._post.Receive(sock):
      waiter = self._waiters.get(current)
      if waiter is not None:
        _Resolve(waiter, None)

  def _ReadRest(self) -> None:
    """Reads what has come in by the end of a question.

    Thousands may end at the same moment: together they read for a moment only,
    or garbage would keep the event loop from going on.

    """
    begins = time.monotonic()
    if begins >= self._period_ends:
      self._period_ends = begins + _READ_PERIOD
      self._read_seconds = 0.0
    if self._read_seconds < _READ_SECONDS:
      for sock in self._post.channel.Sockets():
        self._Readable(sock)
      self._read_seconds += time.monotonic() - begins

  async def Run(self, make: Callable[[float], _Talk], deadline: float) -> _Talk:
    loop = self._Loop()
    place = None
    if await self._gate.Enter(loop, deadline):
      place = _Place(self._gate, loop)
    try:
      # It may have been closed meanwhile
      self._post.channel.CheckOpen()
      current = make(time.monotonic())
      await self._Run(loop, current)
    finally:
      if place is not None:
        place.Leave()
    return current

  async def _Run(self, loop: asyncio.AbstractEventLoop, current: talk.Talk
                 ) -> None:
    self._post.Begin(current)
    try:
      while not current.Done(time.monotonic()):
        self._post.Send(current)
        await self._Wait(loop, current)
        self._post.channel.CheckOpen()
      # What has come in meanwhile counts
      self._ReadRest()
    finally:
      self._post.End(current)

  async def _Wait(self, loop: asyncio.AbstractEventLoop, current: talk.Talk
                  ) -> None:
    """Waits until something comes in for a talk, or it is time for it.

    """
    waiter: asyncio.Future[None] = loop.create_future()
    self._waiters[current] = waiter
    timer = loop.call_later(max(0, current.wakeup - time.monotonic()), _Resolve,
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
      now = time.monotonic()
      call = loop.run_in_executor(None, function,
                                  now + (deadline - now) * _CALL_SHARE)
      self._calls[function] = call
      call.add_done_callback(functools.partial(self._Called, function))
    await asyncio.wait([call], timeout=max(0, deadline - time.monotonic()))
    if call.done():
      call.result()

  def _Called(self, function: Callable[..., Any], call: asyncio.Future[Any]
              ) -> None:
    self._calls.pop(function, None)
    if not call.cancelled():
      # Or asyncio would log it where nobody waits any more
      call.exception()

  def Close(self) -> None:
    for sock in self._post.channel.Sockets():
      if self._loop is not None and not self._loop.is_closed():
        self._loop.remove_reader(sock)
    self._post.channel.Close()
    for waiter in self._waiters.values():
      if not waiter.get_loop().is_closed():
        _Resolve(waiter, None)


class AsyncClient(questions.Questions):
  """Asks the master candidates, and returns the freshest answer or raises.

  To be used within one event loop; has to be closed, as C{async with} does.

  """
  def __init__(self, peers: Optional[Sequence[str]] = None,
               key: Union[bytes, str, None] = None,
               key_file: Optional[str] = None,
               port: Optional[int] = None,
               timeout: Optional[float] = None,
               coverage: int = 0,
               max_memory: int = parts.MAX_MEMORY,
               cluster: Optional[str] = None) -> None:
    """Makes a client; the arguments are those of L{sync.Client}.

    """
    questions.Questions.__init__(
      self, _Driver, peers=peers, key=key, key_file=key_file, port=port,
      timeout=timeout, coverage=coverage, max_memory=max_memory,
      cluster=cluster)

  async def __aenter__(self) -> AsyncClient:
    return self

  async def __aexit__(self, *_: object) -> None:
    self.Close()

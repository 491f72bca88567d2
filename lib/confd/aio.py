#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The client for asyncio: the calls of the synchronous one, to be awaited.

Any number of questions may be under way at once, over one socket for each
address family; replies find theirs by their salts. A question that is
cancelled is forgotten, and nothing of it is left in the event loop.

"""

import asyncio
import time

from ganeti.confd import channel
from ganeti.confd import dialogue
from ganeti.confd import exchange
from ganeti.confd import fetch


class AsyncClient(dialogue.Dialogue):
  """Asks the master candidates, and returns the freshest answer or raises.

  To be used within one event loop; has to be closed, as C{async with} does.

  """
  def __init__(self, *args, **kwargs):
    dialogue.Dialogue.__init__(self, *args, **kwargs)
    self._channel = channel.Channel(self._Watch)
    self._waiters = set()
    self._loop = None

  async def __aenter__(self):
    return self

  async def __aexit__(self, *_):
    self.Close()

  def Close(self):
    """Closes the sockets.

    """
    for sock in self._channel.Sockets():
      if not self._loop.is_closed():
        self._loop.remove_reader(sock)
    self._channel.Close()

  def _Watch(self, sock):
    """Has the event loop look after a socket.

    """
    self._loop = asyncio.get_running_loop()
    self._loop.add_reader(sock, self._Readable, sock)

  def _Readable(self, sock):
    self._Incoming(*self._channel.Receive(sock))
    for waiter in self._waiters:
      self._Wake(waiter)

  async def _Perform(self, steps):
    loop = asyncio.get_running_loop()
    try:
      while True:
        step = next(steps)
        if isinstance(step, (exchange.Exchange, fetch.Fetch)):
          await self._Run(step)
        elif callable(step):
          # It resolves names and reads files
          await loop.run_in_executor(None, step)
        else:
          await asyncio.sleep(step)
    except StopIteration as stop:
      return stop.value

  async def _Run(self, current):
    """Runs an exchange or a fetch.

    """
    self._running.append(current)
    try:
      while not current.Done(time.monotonic()):
        for (family, address, datagram) in self._Outgoing(current):
          reason = self._channel.Send(family, address, datagram)
          if reason is not None:
            self._Undelivered(family, address, reason)
        await self._Sleep(current.wakeup - time.monotonic())
      # What has come in meanwhile counts
      for sock in self._channel.Sockets():
        self._Readable(sock)
    finally:
      current.Finish(time.monotonic())
      self._running.remove(current)

  async def _Sleep(self, seconds):
    """Waits until something comes in, or time has passed.

    """
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()
    self._waiters.add(waiter)
    timer = loop.call_later(max(0, seconds), self._Wake, waiter)
    try:
      await waiter
    finally:
      timer.cancel()
      self._waiters.discard(waiter)

  @staticmethod
  def _Wake(waiter):
    if not waiter.done():
      waiter.set_result(None)

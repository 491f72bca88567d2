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

from ganeti.confd.clientlib import channel
from ganeti.confd.clientlib import dialogue
from ganeti.confd.clientlib import exchange
from ganeti.confd.clientlib import fetch


class AsyncClient(dialogue.Dialogue):
  """Asks the master candidates, and returns the freshest answer or raises.

  To be used within one event loop; has to be closed, as C{async with} does.

  """
  def __init__(self, *args, **kwargs):
    dialogue.Dialogue.__init__(self, *args, **kwargs)
    self._channel = channel.Channel(self._Watch)
    self._waiters = {}
    self._loop = None
    self._lock = None

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
    for current in self._Incoming(*self._channel.Receive(sock)):
      if current in self._waiters:
        self._Wake(self._waiters[current])

  async def _Perform(self, steps):
    if self._lock is None:
      self._lock = asyncio.Lock()
    try:
      while True:
        step = next(steps)
        if isinstance(step, (exchange.Exchange, fetch.Fetch)):
          await self._Run(step)
        elif callable(step):
          # One at a time, as they change this object
          async with self._lock:
            await asyncio.get_running_loop().run_in_executor(None, step)
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
        await self._Wait(current)
      # What has come in meanwhile counts
      for sock in self._channel.Sockets():
        self._Readable(sock)
    finally:
      current.Finish(time.monotonic())
      self._running.remove(current)

  async def _Wait(self, current):
    """Waits until something comes in for an exchange, or it is time for it.

    """
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()
    self._waiters[current] = waiter
    timer = loop.call_later(max(0, current.wakeup - time.monotonic()),
                            self._Wake, waiter)
    try:
      await waiter
    finally:
      timer.cancel()
      del self._waiters[current]

  @staticmethod
  def _Wake(waiter):
    if not waiter.done():
      waiter.set_result(None)

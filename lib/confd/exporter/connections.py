#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Connections of the web server, and what limits them.

Rule 1: a connection has a fixed price. All connections are read through one
buffer. Bytes are kept only until the request is complete; later ones are thrown
away, and after L{_LINGER_SIZE} not read any more. Of an answer, no more than
L{_WRITE_SIZE} are copied for a connection. The system's buffers are limited.

Rule 2: there is a time for the request to come, and one for the answer to be
taken.

Rule 3: a new connection always has room. Where there are too many, the one goes
that has made no progress for longest: it is made, its request is complete, some
of the answer is taken. Bytes of a request are no progress.

Rule 4: what is not HTTP gets a short answer and no line in the log.

"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import socket

from typing import Any, Awaitable, Callable, Dict, List, Optional, \
  OrderedDict

from ganeti.confd.exporter import http1


#: Most connections
MAX_CONNECTIONS = 400

#: Connections that are accepted before anything else is done
_ACCEPT = 50

#: Seconds until a request has come, and until an answer has been taken
_REQUEST_TIME = 10.0
_ANSWER_TIME = 60.0

#: Seconds, and bytes, for a client to be done with what it sends when it has
#: got its answer: a connection that is closed before is reset, and the answer
#: may be lost
_LINGER_TIME = 1.0
_LINGER_SIZE = 1 << 16

#: Bytes that are read, and written, at once
_READ_SIZE = 1 << 14
_WRITE_SIZE = 1 << 15

#: The system's buffers for a connection (bytes); Linux takes twice as much
_BUFFERS = {
  socket.SO_RCVBUF: 1 << 14,
  socket.SO_SNDBUF: 1 << 16,
  }

#: Makes the answer to a request
Answer = Callable[[http1.Request], Awaitable[http1.Response]]


class _Connection(asyncio.BufferedProtocol):
  """One connection.

  @ivar owner: what stays in memory until the answer is sent; None while no
    answer is being sent

  """
  def __init__(self, connections: Connections, answer: Answer) -> None:
    self._connections = connections
    self._answer = answer
    self._exchange = http1.Exchange()
    self._timer: Optional[asyncio.TimerHandle] = None
    self._task: Optional[asyncio.Task[None]] = None
    self._transport: Any = None
    #: Bytes that came behind the request
    self._surplus = 0
    #: Whether there was more to come when the request was refused
    self._is_cut = False
    #: Done when the transport has room again; None while it has
    self._room: Optional[asyncio.Future[None]] = None
    self.owner: Any = None

  # The names are those of asyncio

  def connection_made(self, transport: asyncio.BaseTransport) -> None:
    # Asyncio's types do not say which transport that is
    made: Any = transport
    # Writing pauses whenever the system does not take all at once
    made.set_write_buffer_limits(0)
    self._transport = made
    self._Expect(_REQUEST_TIME)
    self._connections.Add(self)

  def connection_lost(self, exc: Optional[BaseException]) -> None:
    self._Expect(None)
    self._connections.Remove(self)
    if self._task is not None:
      self._task.cancel()
      # A task that was cancelled knows where. If it were known here, each would
      # keep the other, and the answer, until garbage is collected
      self._task = None

  def get_buffer(self, sizehint: int) -> bytearray:
    return self._connections.buffer

  def buffer_updated(self, nbytes: int) -> None:
    if self._task is not None:
      self._surplus += nbytes
      if self._surplus > _LINGER_SIZE:
        self._transport.pause_reading()
      return
    response = None
    request = None
    try:
      request = self._exchange.Receive(
        bytes(memoryview(self._connections.buffer)[:nbytes]))
    except http1.Refused as err:
      self._is_cut = True
      response = err.response
    if request is not None or response is not None:
      self._connections.Progress(self)
      self._Expect(None)
      self._task = asyncio.ensure_future(self._Run(request, response))

  def eof_received(self) -> bool:
    # A client that has closed looks like one that has only said everything: the
    # answer is given up
    return False

  def pause_writing(self) -> None:
    self._room = asyncio.get_running_loop().create_future()

  def resume_writing(self) -> None:
    if self._room is not None and not self._room.done():
      self._room.set_result(None)
    self._room = None

  def _Expect(self, seconds: Optional[float]) -> None:
    """Sets the time after which the connection is cut; None for never.

    """
    if self._timer is not None:
      self._timer.cancel()
      self._timer = None
    if seconds is not None:
      self._timer = asyncio.get_running_loop().call_later(seconds, self.Cut)

  def Cut(self) -> None:
    """Ends the connection at once.

    """
    self.owner = None
    self._transport.abort()

  async def _Run(self, request: Optional[http1.Request],
                 response: Optional[http1.Response]) -> None:
    """Answers.

    @param response: if there was no proper request

    """
    try:
      if response is None:
        assert request is not None
        response = await self._answer(request)
      await self._Send(response)
      await self._Finish()
    except Exception:  # pylint: disable=W0718
      logging.exception("Programming error")
      self.Cut()

  async def _Send(self, response: http1.Response) -> None:
    self._Expect(_ANSWER_TIME)
    self.owner = response.owner
    try:
      await self._Write(self._exchange.Head(response))
      if self._exchange.wants_body:
        for part in response.parts:
          view = memoryview(part)
          for start in range(0, len(view), _WRITE_SIZE):
            await self._Write(self._exchange.Data(
              bytes(view[start:start + _WRITE_SIZE])))
        if response.stream is not None:
          self._connections.Listen(self)
          async for data in response.stream:
            # A client that does not take it is cut off
            self._Expect(_ANSWER_TIME)
            await self._Write(self._exchange.Data(data))
      await self._Write(self._exchange.End())
    finally:
      self.owner = None
      if response.stream is not None:
        await response.stream.aclose()

  async def _Write(self, data: bytes) -> None:
    """Writes, and waits until the system has taken it.

    """
    if self._transport.is_closing():
      # The connection is lost; this task is cancelled in a moment
      await asyncio.get_running_loop().create_future()
    self._transport.write(data)
    # The transport keeps the rest
    del data
    if self._room is not None:
      await self._room
    self._connections.Progress(self)

  async def _Finish(self) -> None:
    """Closes the connection when the answer has been sent.

    """
    if self._is_cut or self._surplus:
      # The client may have reset the connection just now
      with contextlib.suppress(OSError):
        self._transport.write_eof()
      await asyncio.sleep(_LINGER_TIME)
    self._transport.close()


def _Bind(address: str, port: int) -> List[socket.socket]:
  """Makes the sockets that connections come to.

  @raise OSError: the address cannot be had

  """
  sockets: List[socket.socket] = []
  with contextlib.ExitStack() as stack:
    # Not by asyncio, which starts a thread for a name
    for (family, kind, protocol, _, name) in dict.fromkeys(
        socket.getaddrinfo(address, port, type=socket.SOCK_STREAM,
                           flags=socket.AI_PASSIVE)):
      sock = stack.enter_context(socket.socket(family, kind, protocol))
      sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
      if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
      # Connections have what their socket has
      for (option, size) in _BUFFERS.items():
        sock.setsockopt(socket.SOL_SOCKET, option, size)
      sock.bind(name)
      sockets.append(sock)
    stack.pop_all()
  return sockets


class Connections:
  """All connections.

  @ivar buffer: all reading goes through this

  """
  def __init__(self, answer: Answer) -> None:
    self._answer = answer
    self.buffer = bytearray(_READ_SIZE)
    #: The one that has made no progress for longest is first
    self._active: OrderedDict[_Connection, None] = collections.OrderedDict()
    #: The connections that are told of events
    self._listening: Dict[_Connection, None] = {}

  async def Serve(self, address: str, port: int) -> List[socket.socket]:
    """Begins to serve.

    @return: where connections come to
    @raise OSError: the address cannot be had

    """
    sockets = _Bind(address, port)
    for sock in sockets:
      # "backlog" is how many connections asyncio accepts at a time
      await asyncio.get_running_loop().create_server(
        lambda: _Connection(self, self._answer), sock=sock, backlog=_ACCEPT)
      sock.listen(2 * MAX_CONNECTIONS)
    return sockets

  def Add(self, connection: _Connection) -> None:
    if len(self._active) + len(self._listening) >= MAX_CONNECTIONS:
      # Now, and not when the system says that it has gone
      (victim, _) = self._active.popitem(last=False)
      victim.Cut()
    self._active[connection] = None

  def Progress(self, connection: _Connection) -> None:
    """Notes that a request has come, or some of the answer was taken.

    """
    if connection in self._active:
      self._active.move_to_end(connection)

  def Listen(self, connection: _Connection) -> None:
    """Notes that the rest of the answer are events.

    """
    if connection in self._active:
      del self._active[connection]
      self._listening[connection] = None

  def Remove(self, connection: _Connection) -> None:
    self._active.pop(connection, None)
    self._listening.pop(connection, None)

  def CutSlowest(self, is_meant: Callable[[Any], bool]) -> bool:
    """Cuts a connection on which an answer is being sent. Of several, that is
    the one that has made no progress for longest.

    @param is_meant: tells of an answer's owner whether those count that take it
    @return: whether there was one

    """
    for connection in self._active:
      if connection.owner is not None and is_meant(connection.owner):
        connection.Cut()
        return True
    return False

  def CutAll(self) -> None:
    for connection in [*self._active, *self._listening]:
      connection.Cut()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The web server's connections and their limits.

Rule 1: the memory for a connection is limited. All connections are read through
one buffer. Bytes are kept until the request is complete; bytes after the
request are dropped, and reading stops after L{_LINGER_SIZE} bytes. At most
L{_WRITE_SIZE} bytes of a response are copied for a connection. The kernel's
buffers are limited, too.

Rule 2: a client has limited time to send its request, and to take the response.

Rule 3: a new connection is always accepted. If there are too many connections,
the one without progress for the longest time is closed. A connection makes
progress when it is accepted, when its request is complete, and whenever the
client takes a part of the response, but not by bytes of an incomplete request.

Rule 4: bytes that are not HTTP get a short response and no line in the log.

"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import socket

from typing import Any, Awaitable, Callable, Optional, OrderedDict

from ganeti.confd.exporter import http1


#: Maximum number of connections at the same time
MAX_CONNECTIONS = 400

#: Maximum number of connections that asyncio accepts in one iteration of the
#: event loop
_ACCEPT = 50

#: Seconds within which a client has to send its request; seconds within which
#: it has to take the response, or one event of an event stream
_REQUEST_TIME = 10.0
_ANSWER_TIME = 60.0

#: After the response, bytes that a client sends after its request are read and
#: dropped, for L{_LINGER_TIME} seconds and up to L{_LINGER_SIZE} bytes. A
#: connection that is closed with unread bytes is reset, and the client may lose
#: the response.
_LINGER_TIME = 1.0
_LINGER_SIZE = 1 << 16

#: Maximum numbers of bytes that are read, and written, at once
_READ_SIZE = 1 << 14
_WRITE_SIZE = 1 << 15

#: The kernel's buffers for a connection (bytes); Linux doubles these values
_BUFFERS = {
  socket.SO_RCVBUF: 1 << 14,
  socket.SO_SNDBUF: 1 << 16,
  }

#: A function that makes the response to a request
Answer = Callable[[http1.Request], Awaitable[http1.Response]]


class _Lost(Exception):
  """The connection was lost while the response was being sent.

  """


class _Connection(asyncio.BufferedProtocol):
  """One connection.

  @ivar owner: the response's C{owner} while the response is being sent, else
    None

  """
  def __init__(self, connections: Connections, answer: Answer) -> None:
    self._connections = connections
    self._answer = answer
    self._exchange = http1.Exchange()
    self._timer: Optional[asyncio.TimerHandle] = None
    self._task: Optional[asyncio.Task[None]] = None
    self._transport: Any = None
    #: The number of bytes that came after the request
    self._surplus = 0
    #: Whether the request was refused, perhaps before all of it was read
    self._is_cut = False
    #: Completes when the transport can take more data; None while it can
    self._room: Optional[asyncio.Future[None]] = None
    self.owner: Any = None

  # asyncio prescribes the names of the next methods

  def connection_made(self, transport: asyncio.BaseTransport) -> None:
    # asyncio annotates the parameter with a class that lacks some methods used
    # here
    made: Any = transport
    # Pause writing whenever the kernel does not take everything at once
    made.set_write_buffer_limits(0)
    self._transport = made
    self._Expect(_REQUEST_TIME)
    self._connections.Add(self)

  def connection_lost(self, exc: Optional[BaseException]) -> None:
    self._Expect(None)
    self._connections.Remove(self)
    # End the wait in C{_Write}: Python may lose the cancellation below, and the
    # task would then wait for ever
    self.resume_writing()
    if self._task is not None:
      self._task.cancel()
      # Break a reference cycle, which would keep the response in memory until
      # garbage collection: the cancelled task's traceback refers to this object
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
    # Give up the response: a client that shuts down its sending side cannot be
    # told from one that has closed the connection
    return False

  def pause_writing(self) -> None:
    self._room = asyncio.get_running_loop().create_future()

  def resume_writing(self) -> None:
    if self._room is not None and not self._room.done():
      self._room.set_result(None)
    self._room = None

  def _Expect(self, seconds: Optional[float]) -> None:
    """Cuts the connection after some seconds; None for never.

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
    """Sends a response.

    @param request: None if the request was refused
    @param response: None if the response has yet to be made

    """
    try:
      if response is None:
        assert request is not None
        response = await self._answer(request)
      await self._Send(response)
      await self._Finish()
    except _Lost:
      pass
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
            # Close the connection if the client does not read an event in time
            self._Expect(_ANSWER_TIME)
            await self._Write(self._exchange.Data(data))
      await self._Write(self._exchange.End())
    finally:
      self.owner = None
      if response.stream is not None:
        await response.stream.aclose()

  async def _Write(self, data: bytes) -> None:
    """Writes, and waits until the kernel has taken everything.

    @raise _Lost: the connection is lost. The cancellation of this task does not
      suffice: asyncio.wait_for() of Python 3.11 loses a cancellation that comes
      together with its result.

    """
    if self._transport.is_closing():
      raise _Lost
    self._transport.write(data)
    # Free this memory: the transport has a copy of the bytes not yet sent
    del data
    if self._room is not None:
      await self._room
    self._connections.Progress(self)

  async def _Finish(self) -> None:
    """Closes the connection after the response.

    """
    if self._is_cut or self._surplus:
      # Ignore errors: the client may have reset the connection
      with contextlib.suppress(OSError):
        self._transport.write_eof()
      await asyncio.sleep(_LINGER_TIME)
    self._transport.close()


def _Bind(address: str, port: int) -> list[socket.socket]:
  """Makes the listening sockets, one for each address of a name.

  @raise OSError: the address cannot be bound

  """
  sockets: list[socket.socket] = []
  with contextlib.ExitStack() as stack:
    # Resolve the name here: asyncio would start a thread for that, and the
    # server must have one thread only (C{forked})
    for (family, kind, protocol, _, name) in dict.fromkeys(
        socket.getaddrinfo(address, port, type=socket.SOCK_STREAM,
                           flags=socket.AI_PASSIVE)):
      sock = stack.enter_context(socket.socket(family, kind, protocol))
      sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
      if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
      # Connections inherit these options from the listening socket
      for (option, size) in _BUFFERS.items():
        sock.setsockopt(socket.SOL_SOCKET, option, size)
      sock.bind(name)
      sockets.append(sock)
    stack.pop_all()
  return sockets


class Connections:
  """All connections.

  @ivar buffer: for reading from any connection

  """
  def __init__(self, answer: Answer) -> None:
    self._answer = answer
    self.buffer = bytearray(_READ_SIZE)
    #: Connections without an event stream. The first one has made no progress
    #: for the longest time.
    self._active: OrderedDict[_Connection, None] = collections.OrderedDict()
    #: The connections with event streams
    self._listening: dict[_Connection, None] = {}

  async def Serve(self, address: str, port: int) -> list[socket.socket]:
    """Begins to serve.

    @return: the listening sockets
    @raise OSError: the address cannot be bound

    """
    sockets = _Bind(address, port)
    for sock in sockets:
      # asyncio passes "backlog" to listen(), and also accepts this many
      # connections at a time. So the length of the kernel's queue is set
      # afterwards, by listen() below.
      await asyncio.get_running_loop().create_server(
        lambda: _Connection(self, self._answer), sock=sock, backlog=_ACCEPT)
      sock.listen(2 * MAX_CONNECTIONS)
    return sockets

  def Add(self, connection: _Connection) -> None:
    if len(self._active) + len(self._listening) >= MAX_CONNECTIONS:
      # Remove the connection now: asyncio calls C{connection_lost} only later
      (victim, _) = self._active.popitem(last=False)
      victim.Cut()
    self._active[connection] = None

  def Progress(self, connection: _Connection) -> None:
    """Notes progress, see rule 3.

    """
    if connection in self._active:
      self._active.move_to_end(connection)

  def Listen(self, connection: _Connection) -> None:
    """Notes that a connection has an event stream, and is not to be cut.

    """
    if connection in self._active:
      del self._active[connection]
      self._listening[connection] = None

  def Remove(self, connection: _Connection) -> None:
    self._active.pop(connection, None)
    self._listening.pop(connection, None)

  def CutSlowest(self, is_meant: Callable[[Any], bool]) -> bool:
    """Of some connections, cuts the one without progress for the longest time.

    @param is_meant: function from the C{owner} of a response that is being sent
      to whether the connection may be cut
    @return: whether a connection was cut

    """
    for connection in self._active:
      if connection.owner is not None and is_meant(connection.owner):
        connection.Cut()
        return True
    return False

  def CutAll(self) -> None:
    for connection in [*self._active, *self._listening]:
      connection.Cut()

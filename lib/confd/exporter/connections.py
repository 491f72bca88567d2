#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Connections of the web server, and what limits them.

Rule 1: one request for each connection, which is then closed. What comes after
the request is thrown away.

Rule 2: there is a time for the request to come, and one for the answer to be
taken. Where there are too many connections, the one goes that has waited
longest for its request; if there is none, the new one.

Rule 3: what is not HTTP gets a short answer and no line in the log.

"""

from __future__ import annotations

import asyncio
import collections
import logging

from typing import Any, Optional, OrderedDict

from aiohttp import web


#: Most connections
MAX_CONNECTIONS = 400

#: Seconds until a request has come, and until an answer has been taken
_REQUEST_TIME = 10.0
ANSWER_TIME = 60.0

#: Longest line of a request, the path with it, and most headers
_MAX_LINE = 8190
_MAX_HEADERS = 64

#: What all answers have
HEADERS = {
  "Content-Security-Policy":
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Cache-Control": "no-cache",
  }

#: The library tells in its log what it cannot read, with a traceback
_SILENT = logging.getLogger("aiohttp.server")
_SILENT.disabled = True


def Error(status: int, reason: str) -> web.Response:
  """Makes the answer that there is none.

  """
  response = web.Response(status=status, text="%d %s\n" % (status, reason),
                          headers=HEADERS)
  response.force_close()
  return response


class Connection(web.RequestHandler):
  """One connection.

  """
  def __init__(self, server: web.Server, connections: Connections,
               loop: asyncio.AbstractEventLoop) -> None:
    # The library's types do not know that there need not be a log of requests
    no_log: Any = None
    web.RequestHandler.__init__(
      self, server, loop=loop, access_log=no_log, logger=_SILENT,
      auto_decompress=False, lingering_time=0, max_line_size=_MAX_LINE,
      max_field_size=_MAX_LINE, max_headers=_MAX_HEADERS)
    self._connections = connections
    self._timer: Optional[asyncio.TimerHandle] = None
    self._task: Optional[asyncio.Task[Any]] = None
    self.has_request = False

  def connection_made(self, transport: asyncio.BaseTransport) -> None:
    super().connection_made(transport)
    self.Expect(_REQUEST_TIME)
    self._connections.Add(self)

  def connection_lost(self, exc: Optional[BaseException]) -> None:
    self.Expect(None)
    self._connections.Remove(self)
    if self._task is not None:
      self._task.cancel()
    super().connection_lost(exc)

  def data_received(self, data: bytes) -> None:
    if not self.has_request:
      super().data_received(data)

  def Expect(self, seconds: Optional[float]) -> None:
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
    if self.transport is not None:
      self.transport.abort()

  def Begin(self, task: Optional[asyncio.Task[Any]] = None) -> None:
    """Notes that the request has come.

    @param task: what answers, until it is done or the client has gone

    """
    self.has_request = True
    self._task = task
    self.Expect(None)

  # The name is the library's
  def handle_error(self, request: web.BaseRequest, status: int = 500,
                   exc: Optional[BaseException] = None,
                   message: Optional[str] = None) -> web.StreamResponse:
    """Answers what is no request.

    """
    self.Begin()
    self.Expect(ANSWER_TIME)
    # The client may have gone, which is nobody's error
    if status == 500 and not isinstance(exc, ConnectionError):
      logging.error("Programming error", exc_info=exc)
    return Error(status, "Bad Request" if status == 400 else "Error")


class Connections:
  """All connections.

  """
  def __init__(self) -> None:
    # Oldest first
    self._all: OrderedDict[Connection, None] = collections.OrderedDict()

  def Factory(self, server: web.Server) -> Any:
    """Returns what makes the protocol of a new connection.

    """
    loop = asyncio.get_running_loop()
    return lambda: Connection(server, self, loop)

  def Add(self, connection: Connection) -> None:
    if len(self._all) >= MAX_CONNECTIONS:
      # One that has not said yet what it wants, if there is one
      victim = next((i for i in self._all if not i.has_request), connection)
      # Now, and not when the system says that it has gone
      self.Remove(victim)
      victim.Cut()
      if victim is connection:
        return
    self._all[connection] = None

  def Remove(self, connection: Connection) -> None:
    self._all.pop(connection, None)

  def CutAll(self) -> None:
    for connection in list(self._all):
      connection.Cut()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""HTTP/1.1, as little of it as a server of pages needs: bytes in, bytes out.

The library h11 parses requests and writes answers. Facts about h11 0.14:

  - A head that is incomplete is kept, and parsed once it is complete.
  - A C{Content-Length} of more than 4,300 digits raises C{ValueError}.
  - Of HTTP/1.1, a request without C{Host} or with two of them is an error.

Rule 1: limits come before the parser, which gets no more than L{MAX_HEAD} bytes
and L{MAX_LINES} lines of one connection, however they come.

Rule 2: one request for each connection, and nothing that needs state: no body,
no C{Expect}, no other protocol, no absolute URL as the target.

Rule 3: no error that is made here repeats what was sent.

No I/O.

"""

from __future__ import annotations

import http
import urllib.parse

from typing import Any, AsyncGenerator, Dict, Mapping, NamedTuple, Optional, \
  Sequence, Tuple

import h11


#: Most bytes and lines of a request. A filter of 1,000 characters takes up to
#: 12,000 bytes in an URL.
MAX_HEAD = 1 << 14
MAX_LINES = 100

METHODS = frozenset(["GET", "HEAD"])

#: Headers of all answers
HEADERS = {
  "Content-Security-Policy":
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Cache-Control": "no-cache",
  "Connection": "close",
  }

TEXT_TYPE = "text/plain; charset=utf-8"


class Request(NamedTuple):
  """What is asked for.

  """
  method: str
  #: The parts of the path, decoded; of "/c/nodes": ("", "c", "nodes")
  path: Tuple[str, ...]
  #: The first one of each name
  query: Dict[str, str]
  #: By name, in lower case
  headers: Mapping[str, str]


class Response(NamedTuple):
  """An answer.

  """
  status: int
  content_type: str
  #: The parts of the body
  parts: Sequence[bytes] = ()
  #: Beside L{HEADERS}, or instead of one of them
  headers: Mapping[str, str] = {}
  #: A body that has no end
  stream: Optional[AsyncGenerator[bytes, None]] = None
  #: An object to be kept until the answer is sent: the cache counts it
  owner: Any = None


class Refused(Exception):
  """A request that is not answered but by an error.

  @ivar response: that error

  """
  def __init__(self, status: int, text: Optional[str] = None, **headers: str
               ) -> None:
    """@param text: what the error says; the phrase of the status if None
    @param headers: with underscores for dashes

    """
    Exception.__init__(self, status)
    if text is None:
      text = http.HTTPStatus(status).phrase
    self.response = Response(
      status, TEXT_TYPE, [("%d %s\n" % (status, text)).encode("utf-8")],
      {name.replace("_", "-"): value for (name, value) in headers.items()})


def _ParseTarget(target: str) -> Tuple[Tuple[str, ...], Dict[str, str]]:
  """Takes path and query out of the target of a request.

  """
  (path, _, query) = target.partition("?")
  parameters: Dict[str, str] = {}
  for (name, value) in urllib.parse.parse_qsl(query, keep_blank_values=True):
    parameters.setdefault(name, value)
  return (tuple(map(urllib.parse.unquote, path.split("/"))), parameters)


class Exchange:
  """A request, and the answer to it.

  """
  def __init__(self) -> None:
    self._connection = h11.Connection(h11.SERVER,
                                      max_incomplete_event_size=MAX_HEAD)
    self._size = 0
    self._lines = 0
    self._method = ""

  def Receive(self, data: bytes) -> Optional[Request]:
    """Takes what has come.

    @return: None until the request is complete; not to be called again then
    @raise Refused: the request is wrong

    """
    data = data[:MAX_HEAD - self._size]
    self._size += len(data)
    self._lines += data.count(b"\n")
    if self._lines > MAX_LINES:
      raise Refused(431)
    try:
      self._connection.receive_data(data)
      event = self._connection.next_event()
      if event is h11.NEED_DATA and self._size < MAX_HEAD:
        return None
      if not isinstance(event, h11.Request):
        raise Refused(431 if self._lines else 414)
      self._method = event.method.decode("ascii")
      has_body = not isinstance(self._connection.next_event(), h11.EndOfMessage)
    except (h11.RemoteProtocolError, ValueError):
      raise Refused(400) from None
    return self._Accept(event, has_body)

  def _Accept(self, event: h11.Request, has_body: bool) -> Request:
    """Makes a request of what h11 has read.

    @raise Refused: it is one of those that are not served

    """
    if event.http_version not in (b"1.0", b"1.1"):
      raise Refused(505)
    if self._method not in METHODS:
      raise Refused(405, Allow=", ".join(sorted(METHODS)))
    if has_body:
      raise Refused(413)
    if event.target[:1] != b"/":
      raise Refused(400)
    headers = {name.decode("ascii"): value.decode("latin-1")
               for (name, value) in event.headers}
    if "expect" in headers:
      raise Refused(417)
    return Request(self._method, *_ParseTarget(event.target.decode("ascii")),
                   headers)

  def Head(self, response: Response) -> bytes:
    """Makes what an answer begins with.

    """
    headers = {**HEADERS, "Content-Type": response.content_type,
               **response.headers}
    if response.stream is None:
      headers["Content-Length"] = str(sum(map(len, response.parts)))
    return self._Send(h11.Response(
      status_code=response.status, headers=list(headers.items()),
      reason=http.HTTPStatus(response.status).phrase))

  @property
  def wants_body(self) -> bool:
    return self._method != "HEAD"

  def Data(self, data: bytes) -> bytes:
    """Makes some of the body.

    """
    return self._Send(h11.Data(data=data))

  def End(self) -> bytes:
    return self._Send(h11.EndOfMessage())

  def _Send(self, event: Any) -> bytes:
    return self._connection.send(event) or b""

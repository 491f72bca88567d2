#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The part of HTTP/1.1 that the server needs: bytes in, bytes out, no I/O.

The library h11 parses requests and formats responses. Facts about h11 0.14:

  - h11 buffers an incomplete head, and parses the head when it is complete.
  - A C{Content-Length} of more than 4,300 digits raises C{ValueError}.
  - An HTTP/1.1 request without C{Host}, or with two of them, is an error.

Rule 1: limits are enforced before parsing: the parser gets no more than
L{MAX_HEAD} bytes and L{MAX_LINES} lines from one connection.

Rule 2: a connection has one request. Requests that would need more state are
refused: those with a body, C{Expect}, another protocol or an absolute URL.

Rule 3: errors made here do not repeat what the client has sent.

"""

from __future__ import annotations

import http
import urllib.parse

from typing import Any, AsyncGenerator, Mapping, NamedTuple, Optional, \
  Sequence, Union

import h11

from ganeti.confd.exporter import compress


#: Maximum numbers of bytes and of lines of a request. A filter of 1,000
#: characters takes up to 12,000 bytes in a URL.
MAX_HEAD = 1 << 14
MAX_LINES = 100

METHODS = frozenset(["GET", "HEAD"])

#: Headers of all responses
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
  """A request.

  """
  method: str
  #: The segments of the path, decoded: ("", "c", "nodes") of "/c/nodes"
  path: tuple[str, ...]
  #: The parameters in the URL, by name; if several parameters have the same
  #: name, the first one
  query: dict[str, str]
  #: Headers, by name in lower case
  headers: Mapping[str, str]


class Response(NamedTuple):
  """A response.

  """
  status: int
  content_type: str
  #: The body, in parts
  parts: Sequence[Union[bytes, memoryview]] = ()
  #: Headers that are added to L{HEADERS}, or override some of them
  headers: Mapping[str, str] = {}
  #: Yields further parts of a body without an end, such as an event stream
  stream: Optional[AsyncGenerator[bytes, None]] = None
  #: The object that holds the bytes of the body. The connection refers to it
  #: until the response is sent, so that the cache counts these bytes until
  #: then.
  owner: Any = None
  #: The body from which C{web} makes C{parts}, compressed if the client accepts
  #: that; None if C{parts} are given
  packed: Optional[Sequence[compress.Part]] = None


class Refused(Exception):
  """A request is refused.

  @ivar response: the response with the error

  """
  def __init__(self, status: int, text: Optional[str] = None, **headers: str
               ) -> None:
    """@param text: the error's text; None for the status's standard phrase
    @param headers: the response's further headers, named with underscores in
      place of dashes

    """
    Exception.__init__(self, status)
    if text is None:
      text = http.HTTPStatus(status).phrase
    self.response = Response(
      status, TEXT_TYPE, [("%d %s\n" % (status, text)).encode("utf-8")],
      {name.replace("_", "-"): value for (name, value) in headers.items()})


def _ParseTarget(target: str) -> tuple[tuple[str, ...], dict[str, str]]:
  """Parses path and query in the target of a request.

  """
  (path, _, query) = target.partition("?")
  parameters: dict[str, str] = {}
  for (name, value) in urllib.parse.parse_qsl(query, keep_blank_values=True):
    parameters.setdefault(name, value)
  return (tuple(map(_Unquote, path.split("/"))), parameters)


def _Unquote(segment: str) -> str:
  """Decodes a segment of a path.

  Names in a configuration may have lone surrogates, as JSON strings can.

  """
  data = urllib.parse.unquote_to_bytes(segment)
  try:
    return data.decode("utf-8", "surrogatepass")
  except UnicodeDecodeError:
    return data.decode("utf-8", "replace")


class Exchange:
  """A request and its response.

  """
  def __init__(self) -> None:
    self._connection = h11.Connection(h11.SERVER,
                                      max_incomplete_event_size=MAX_HEAD)
    self._size = 0
    self._lines = 0
    self._method = ""

  def Receive(self, data: bytes) -> Optional[Request]:
    """Takes bytes of the request.

    @return: the request, after which this method must not be called again;
      None while the request is incomplete
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
    """Turns h11's event into a request.

    @raise Refused: requests of this kind are not served

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
    """Formats the head of a response.

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
    """Formats a part of the body.

    """
    return self._Send(h11.Data(data=data))

  def End(self) -> bytes:
    return self._Send(h11.EndOfMessage())

  def _Send(self, event: Any) -> bytes:
    return self._connection.send(event) or b""

# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of ganeti.confd.exporter.http1"""

import unittest

import inputs
from inputs import hypothesis, needs_hypothesis, st

try:
  from ganeti.confd.exporter import http1
except ImportError:
  http1 = None


_HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"

#: Bytes that mean something to a parser
_PIECES = [b"GET ", b"HEAD ", b"POST ", b"/", b"?", b"%", b"a", b"=", b" ",
           b"HTTP/1.1", b"HTTP/1.0", b"\r\n", b"\n", b"\r", b"\0", b"\xff",
           b"Host: a", b"Expect: x", b"Content-Length: ", b"1", b"-", b":",
           b"Transfer-Encoding: chunked", b"\t", b"9" * 5000, _HEAD]


def _Receive(data, step=None):
  """Returns what comes of some bytes: a request, a status, or None.

  @param step: how many come at once

  """
  exchange = http1.Exchange()
  step = step or len(data) or 1
  for start in range(0, len(data), step):
    try:
      request = exchange.Receive(data[start:start + step])
    except http1.Refused as err:
      return err.response.status
    if request is not None:
      return request
  return None


@unittest.skipUnless(http1, "no h11 (Debian package python3-h11)")
class TestReceive(unittest.TestCase):
  def testRequest(self):
    data = (b"GET /c/no%64es%2f?b=%C3%A4+x&a=1&a=2&c=&%ED=%FF HTTP/1.1\r\n"
            b"HOST:  localhost \r\nx: \xff\r\n\r\n")
    expected = http1.Request(
      "GET", ("", "c", "nodes/"),
      {"b": "\u00e4 x", "a": "1", "c": "", "\ufffd": "\ufffd"},
      {"host": "localhost", "x": "\u00ff"})
    for step in (None, 1, 7):
      self.assertEqual(_Receive(data, step), expected)
    # Bytes after the request do not matter
    self.assertEqual(_Receive(data + b"GET / HTTP/1.1\r\n\r\n" * 9), expected)
    for data in [b"HEAD / HTTP/1.0\r\n\r\n",
                 _HEAD + b"Content-Length: 0\r\n\r\n",
                 _HEAD + b"Upgrade: x\r\nConnection: upgrade\r\n\r\n"]:
      self.assertEqual(_Receive(data).path, ("", ""), data)

  def testRefused(self):
    for (status, data) in [
        (400, b"\r\n"), (400, b"\x16\x03\x01"), (400, b"GET /\r\n\r\n"),
        (400, _HEAD + b"Host: localhost\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\n\r\n"),
        (400, _HEAD + b"x\r\n\r\n"), (400, _HEAD + b"x : y\r\n\r\n"),
        (400, _HEAD + b"x: a\0b\r\n\r\n"),
        (400, _HEAD + b"Content-Length: x\r\n\r\n"),
        (400, _HEAD + b"Content-Length: %s\r\n\r\n" % (b"9" * 5000)),
        (400, _HEAD.replace(b"/", b"http://evil/", 1) + b"\r\n"),
        (400, _HEAD.replace(b"/", b"*", 1) + b"\r\n"),
        (405, b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"),
        (405, b"POST / HTTP/1.1\r\nHost: a\r\n\r\n"),
        (405, b"get / HTTP/1.1\r\nHost: a\r\n\r\n"),
        (413, _HEAD + b"Content-Length: 1\r\n\r\n"),
        (413, _HEAD + b"Transfer-Encoding: chunked\r\n\r\n"),
        (414, b"GET /" + b"a" * http1.MAX_HEAD),
        (417, _HEAD + b"Expect: 100-continue\r\n\r\n"),
        (417, _HEAD + b"Expect: \xff\r\n\r\n"),
        (431, _HEAD + b"x: " + b"a" * http1.MAX_HEAD),
        (431, _HEAD + b"x: y\r\n" * http1.MAX_LINES),
        (505, b"GET / HTTP/2.0\r\nHost: a\r\n\r\n")]:
      with self.subTest(data[:60]):
        for step in (None, 1, 100):
          self.assertEqual(_Receive(data, step), status)

  def testLimits(self):
    """A request may be as large as the limits, and not a byte or a line more.

    """
    end = b"\r\n\r\n"
    for (name, before) in [("x: ", _HEAD + b"x: "),
                           ("target", b"GET /")]:
      after = end if name == "x: " else b" HTTP/1.1\r\nHost: a" + end
      room = http1.MAX_HEAD - len(before) - len(after)
      for step in (None, 1000):
        self.assertIsInstance(
          _Receive(before + b"a" * room + after, step), http1.Request)
        self.assertIn(_Receive(before + b"a" * (room + 1) + after, step),
                      (400, 414, 431))
    lines = http1.MAX_LINES - _HEAD.count(b"\n") - 1
    self.assertIsInstance(_Receive(_HEAD + b"x: y\r\n" * lines + b"\r\n"),
                          http1.Request)
    self.assertEqual(_Receive(_HEAD + b"x: y\r\n" * (lines + 1) + b"\r\n"), 431)

  @needs_hypothesis
  @inputs.Settings(300)
  @hypothesis.given(st.lists(st.sampled_from(_PIECES) | st.binary(max_size=5)),
                    st.integers(1, 50))
  def testAnything(self, pieces, step):
    """Nothing else is raised, and how it comes does not matter.

    """
    for data in (b"".join(pieces), _HEAD + b"".join(pieces) + b"\r\n\r\n"):
      (at_once, bit_by_bit) = (_Receive(data), _Receive(data, step))
      if isinstance(at_once, http1.Request):
        self.assertEqual(at_once, bit_by_bit)
      else:
        self.assertNotIsInstance(bit_by_bit, http1.Request)


@unittest.skipUnless(http1, "no h11 (Debian package python3-h11)")
class TestAnswer(unittest.TestCase):
  def _Exchange(self, data):
    exchange = http1.Exchange()
    try:
      self.assertTrue(exchange.Receive(data))
    except http1.Refused:
      pass
    return exchange

  def testBody(self):
    response = http1.Response(200, "text/x", [b"ab", b"", b"c"],
                              {"Cache-Control": "other"})
    exchange = self._Exchange(_HEAD + b"\r\n")
    head = exchange.Head(response)
    self.assertRegex(head, rb"\AHTTP/1.1 200 OK\r\n(.+\r\n)+\r\n\Z")
    for line in [b"Content-Length: 3", b"Cache-Control: other",
                 b"Connection: close", b"Content-Type: text/x",
                 b"X-Content-Type-Options: nosniff"]:
      with self.subTest(line=line):
        self.assertEqual(head.count(b"\r\n%s\r\n" % line), 1, head)
    self.assertEqual([exchange.Data(part) for part in response.parts],
                     response.parts)
    self.assertEqual(exchange.End(), b"")
    exchange = self._Exchange(_HEAD.replace(b"GET", b"HEAD") + b"\r\n")
    self.assertEqual(exchange.Head(response), head)
    self.assertFalse(exchange.wants_body)
    self.assertEqual(exchange.End(), b"")

  def testRefused(self):
    """An error can be sent whatever has come.

    """
    for data in [b"\0", b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", b"x\r\n\r\n",
                 _HEAD + b"Expect: <b>\r\n\r\n"]:
      exchange = http1.Exchange()
      with self.assertRaises(http1.Refused) as caught:
        exchange.Receive(data)
      response = caught.exception.response
      self.assertIn(b"\r\nContent-Security-Policy: default-src 'none'",
                    exchange.Head(response))
      self.assertNotIn(b"<b>", b"".join(response.parts))
      exchange.Data(response.parts[0])
      exchange.End()
    response = http1.Refused(503, "\u00e4", Retry_After="5").response
    self.assertEqual((response.parts, response.headers),
                     ([b"503 \xc3\xa4\n"], {"Retry-After": "5"}))


if __name__ == "__main__":
  unittest.main()

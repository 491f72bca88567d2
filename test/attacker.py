#!/usr/bin/python3
#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""A client that leaves a web server neither time nor memory for others.

Usage: attacker.py KIND PORT CONNECTIONS SECONDS

The program keeps CONNECTIONS connections to 127.0.0.1 open for SECONDS seconds,
replaces each connection that is closed, and sends as much as the server takes.
Nothing is read. A line is printed as soon as all connections have sent
something, and another one at the end, with the numbers of connections and
bytes.

"""

import itertools
import select
import socket
import sys
import time


_HEAD = b"GET %s HTTP/1.1\r\nHost: localhost\r\n"

#: Seconds between two bytes of a connection of the kind "drip"
_PAUSE = 0.05


def _Forever(data):
  return itertools.repeat(data * (1 + (1 << 16) // len(data)))


#: Kinds of attacks, each with a function from the number of a connection to the
#: pieces of data that the connection sends
KINDS = {
  # Requests whose answers are not read
  "pipeline": lambda _: _Forever(_HEAD % b"/healthz" + b"\r\n"),
  "errors": lambda _: _Forever(_HEAD % b"/nothing" + b"\r\n"),
  "expect": lambda _: _Forever(_HEAD % b"/" + b"Expect: \xff\r\n\r\n"),
  "metrics": lambda _: [_HEAD % b"/metrics" + b"\r\n"],
  "filters": lambda number: [
    _HEAD % (b"/c/instances.json?filter=name%%20!=%%20%%22%d%%22" % number) +
    b"\r\n"],
  "objects": lambda number: [
    _HEAD % (b"/c/instance/inst%d.example.com" % (number % 1000 + 1)) +
    b"\r\n"],
  "pages": lambda number: [
    _HEAD % (b"/c/%s?page=%d" % ((b"map", b"findings")[number % 2], number)) +
    b"\r\n"],
  "searches": lambda number: [
    _HEAD % (b"/search?q=inst%d" % number) + b"\r\n"],
  "history": lambda number: [
    _HEAD % ((b"/c/history?before=%d", b"/c/history.json?name=inst%d",
              b"/c/instance/gone%d")[number % 3] % (number + 1)) + b"\r\n"],
  "nothing": lambda number: [_HEAD % (b"/c/%d" % number) + b"\r\n"],
  # Requests that never end
  "drip": lambda _: itertools.chain([_HEAD % b"/healthz" + b"x: "],
                                    itertools.repeat(b"y")),
  "headers": lambda _: itertools.chain([_HEAD % b"/healthz"],
                                       _Forever(b"x: y\r\n")),
  "header": lambda _: itertools.chain([_HEAD % b"/healthz" + b"x: "],
                                      _Forever(b"y")),
  "line": lambda _: itertools.chain([b"GET /"], _Forever(b"y")),
  "body": lambda _: itertools.chain(
    [_HEAD % b"/healthz" + b"Content-Length: 1000000000\r\n\r\n"],
    _Forever(b"y")),
  "chunks": lambda _: itertools.chain(
    [_HEAD % b"/healthz" + b"Transfer-Encoding: chunked\r\n\r\n"],
    _Forever(b"1\r\ny\r\n")),
  # No requests at all
  "silence": lambda _: [],
  "garbage": lambda _: _Forever(b"\x16\x03\x01\0"),
  }


class _Attack:
  """Some connections.

  """
  def __init__(self, kind, port, count):
    self._kind = kind
    self._port = port
    self._poll = select.poll()
    #: By descriptor: a connection, the iterator of its data, and the unsent
    #: rest of the current piece
    self._all = {}
    #: By descriptor of a connection that pauses: when the pause ends
    self._due = {}
    self.connections = 0
    self.bytes = 0
    for _ in range(count):
      self._Connect()

  def _Connect(self):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    sock.connect_ex(("127.0.0.1", self._port))
    self._all[sock.fileno()] = [sock, iter(KINDS[self._kind](self.connections)),
                                b""]
    self._poll.register(sock, select.POLLOUT)
    self.connections += 1

  def _Close(self, number):
    (sock, _, _) = self._all.pop(number)
    self._due.pop(number, None)
    self._poll.unregister(sock)
    sock.close()
    self._Connect()

  def _Send(self, number):
    state = self._all[number]
    state[2] = state[2] or next(state[1], b"")
    try:
      count = state[0].send(state[2]) if state[2] else 0
    except BlockingIOError:
      return
    self.bytes += count
    state[2] = state[2][count:]
    if self._kind == "drip":
      self._due[number] = time.monotonic() + _PAUSE
    if not count or number in self._due:
      # Poll a connection that pauses, or has sent all, for its end only
      self._poll.modify(number, select.POLLRDHUP)

  def Step(self):
    for (number, events) in self._poll.poll(20):
      try:
        if events & (select.POLLRDHUP | select.POLLHUP | select.POLLERR):
          self._Close(number)
        elif events & select.POLLOUT:
          self._Send(number)
      except OSError:
        self._Close(number)
    now = time.monotonic()
    for number in [number for (number, due) in self._due.items() if due <= now]:
      del self._due[number]
      self._poll.modify(number, select.POLLOUT)


def Main():
  (kind, port, count, seconds) = sys.argv[1:]
  attack = _Attack(kind, int(port), int(count))
  end = time.monotonic() + float(seconds)
  ready = time.monotonic() + 1
  is_ready = False
  while time.monotonic() < end:
    attack.Step()
    if not is_ready and time.monotonic() > ready:
      is_ready = True
      print("ready", flush=True)
  print("%d connections, %d bytes" % (attack.connections, attack.bytes))


if __name__ == "__main__":
  Main()

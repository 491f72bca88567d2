# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of ganeti.confd.exporter.connections"""

import asyncio
import contextlib
import logging
import socket
import struct
import unittest
from unittest import mock

try:
  from ganeti.confd.exporter import cache
  from ganeti.confd.exporter import connections
  from ganeti.confd.exporter import forked
  from ganeti.confd.exporter import http1
except ImportError:
  cache = connections = forked = http1 = None


@unittest.skipUnless(connections, "no h11 (Debian package python3-h11)")
class TestConnections(unittest.TestCase):
  def _Run(self, answer, talk):
    """Serves on a port of this machine.

    @param answer: coroutine function, makes the answer to a request
    @param talk: coroutine function, gets a socket that is connected

    """
    async def _Main():
      everybody = connections.Connections(answer)
      (server, ) = await everybody.Serve("127.0.0.1", 0)
      with server, socket.socket() as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock,
                                                      server.getsockname())
        await talk(sock)
        everybody.CutAll()
    asyncio.run(_Main())

  def _CheckLog(self, answer):
    """Asks, and looks that nothing is logged.

    @param answer: coroutine function, makes the answer; is called with the
      client's socket, and closes that some time

    """
    clients = []

    async def _Answer(_):
      return await answer(clients[0])

    async def _Talk(sock):
      clients.append(sock)
      # With HTTP/1.0, nothing is sent at the end of a stream
      sock.send(b"GET / HTTP/1.0\r\n\r\n")
      while sock.fileno() != -1:
        await asyncio.sleep(0.01)
      await asyncio.sleep(0.1)

    with self.assertLogs(level=logging.WARNING) as caught:
      logging.warning("the only one")
      self._Run(_Answer, _Talk)
    self.assertEqual(len(caught.records), 1, caught.output)

  @staticmethod
  def _Reset(sock):
    """Resets a connection; the server's Linux takes note of that at once.

    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("@ii", 1, 0))
    sock.close()

  def testReset(self):
    """A client that resets the connection just before it is closed is no error.

    """
    async def _Answer(sock):
      more = asyncio.Event()

      def _SendMore():
        sock.send(b"more")
        more.set()
      asyncio.get_running_loop().call_soon(_SendMore)

      async def _Stream():
        yield b"x"
        await more.wait()
        # The server reads it meanwhile
        await asyncio.sleep(0.05)
        self._Reset(sock)
      return http1.Response(200, "text/plain", stream=_Stream())
    self._CheckLog(_Answer)

  def testCancellationIsLost(self):
    """A task ends with its connection, even if a cancellation is swallowed.

    """
    tasks = []

    async def _Answer(sock):
      tasks.append(asyncio.current_task())
      self._Reset(sock)
      with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(1000)
      return http1.Response(200, "text/plain", [b"x"])
    self._CheckLog(_Answer)
    # asyncio.run() cancels the tasks that are left
    self.assertFalse(tasks[0].cancelled())

  def testSlow(self):
    """Clients that take nothing of long answers do not keep others waiting.

    """
    limits = cache.Limits(kept=1 << 20, held=1 << 22, waiting=3)
    size = 1 << 20
    statuses = []

    async def _RunHere(make, _):
      return make()

    async def _Main():
      def _Cut(is_meant):
        return everybody.CutSlowest(is_meant)

      answers = cache.Cache(limits, _Cut)

      async def _Answer(request):
        try:
          body = await answers.Get(request.path, (), lambda: bytes(size))
        except cache.Busy:
          return http1.Response(503, "text/plain")
        return http1.Response(200, "text/plain", [body.data], owner=body)

      everybody = connections.Connections(_Answer)
      (server, ) = await everybody.Serve("127.0.0.1", 0)
      loop = asyncio.get_running_loop()
      slow = []
      with server:
        for number in range(40):
          sock = socket.socket()
          sock.setblocking(False)
          slow.append(sock)
          await loop.sock_connect(sock, server.getsockname())
          await loop.sock_sendall(sock, b"GET /%d HTTP/1.0\r\n\r\n" % number)
          statuses.append((await loop.sock_recv(sock, 12))[-3:])
        # The last one has been sent something just now
        answer = b""
        while len(answer) < size:
          data = await loop.sock_recv(slow[-1], size)
          self.assertTrue(data)
          answer += data
        everybody.CutAll()
      for sock in slow:
        sock.close()

    with mock.patch.object(forked, "Run", _RunHere):
      asyncio.run(_Main())
    self.assertEqual(statuses, 40 * [b"200"])

  def testLost(self):
    """Nothing is logged where a client is gone before it gets a long answer.

    """
    async def _Answer(sock):
      self._Reset(sock)
      return http1.Response(200, "text/plain", 100 * [bytes(100000)])
    self._CheckLog(_Answer)


if __name__ == "__main__":
  unittest.main()

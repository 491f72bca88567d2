# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of ganeti.confd.exporter.connections"""

import asyncio
import logging
import socket
import struct
import unittest

try:
  from ganeti.confd.exporter import connections
  from ganeti.confd.exporter import http1
except ImportError:
  connections = http1 = None


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

  def testReset(self):
    """A client that resets the connection just before it is closed is no error.

    """
    done = []
    clients = []

    async def _Answer(_):
      more = asyncio.Event()
      asyncio.get_running_loop().call_soon(_SendMore, more)

      async def _Stream():
        yield b"x"
        await more.wait()
        # The server reads it meanwhile
        await asyncio.sleep(0.05)
        # Linux takes note of that at once
        clients[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                              struct.pack("@ii", 1, 0))
        clients[0].close()
        done.append(True)
      return http1.Response(200, "text/plain", stream=_Stream())

    def _SendMore(more):
      clients[0].send(b"more")
      more.set()

    async def _Talk(sock):
      clients.append(sock)
      # With HTTP/1.0, nothing is sent at the end of a stream
      sock.send(b"GET / HTTP/1.0\r\n\r\n")
      while not done:
        await asyncio.sleep(0.01)
      await asyncio.sleep(0.1)

    with self.assertLogs(level=logging.WARNING) as caught:
      logging.warning("the only one")
      self._Run(_Answer, _Talk)
    self.assertEqual(len(caught.records), 1, caught.output)


  def testLost(self):
    """Nothing is logged where a client is gone before it gets a long answer.

    """
    done = []
    clients = []

    async def _Answer(_):
      clients[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            struct.pack("@ii", 1, 0))
      clients[0].close()
      done.append(True)
      return http1.Response(200, "text/plain", 100 * [bytes(100000)])

    async def _Talk(sock):
      clients.append(sock)
      sock.send(b"GET / HTTP/1.0\r\n\r\n")
      while not done:
        await asyncio.sleep(0.01)
      await asyncio.sleep(0.1)

    with self.assertLogs(level=logging.WARNING) as caught:
      logging.warning("the only one")
      self._Run(_Answer, _Talk)
    self.assertEqual(len(caught.records), 1, caught.output)


if __name__ == "__main__":
  unittest.main()

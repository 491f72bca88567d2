#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Ganeti's interface of the client: requests, callbacks, expiry.

Ganeti's own unit tests of it run in test/ganeti.

"""

import inspect
import json
import select
import socket
import sys
import threading
import unittest
from unittest import mock

import testutils

from ganeti import confd
from ganeti import constants
from ganeti import errors
from ganeti.confd import client
from ganeti.confd.protocol import wire


class _Server:
  """A socket that a test answers from as it likes.

  """
  def __init__(self, address="127.0.0.1"):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    self.sock = socket.socket(family, socket.SOCK_DGRAM)
    self.sock.bind((address, testutils.FreePort(address)))
    self.sock.settimeout(testutils.PATIENCE)
    self.port = self.sock.getsockname()[1]

  def Receive(self, key=testutils.KEY):
    """Returns a request and where it is from.

    """
    (datagram, address) = self.sock.recvfrom(65536)
    return (wire.ParseRequest(datagram, key, client.time.time()), address)

  def Reply(self, address, rsalt, serial, answer=3000000, status=0,
            key=testutils.KEY):
    msg = json.dumps({"protocol": 1, "status": status, "answer": answer,
                      "serial": serial})
    self.sock.sendto(testutils.PackText(key, rsalt, msg), address)


class _ClientTest(unittest.TestCase):
  def setUp(self):
    self.ups = []
    self.server = _Server()
    self.addCleanup(self.server.sock.close)

  def _Client(self, callback=None, key=testutils.KEY, peers=("127.0.0.1", ),
              **kwargs):
    result = client.ConfdClient(key, list(peers), callback or self.ups.append,
                                port=self.server.port, **kwargs)
    self.addCleanup(result._socket.close)
    return result


class TestNames(unittest.TestCase):
  def testSignatures(self):
    for (function, names) in [
      (client.ConfdClient.__init__,
       "self hmac_key peers callback port logger"),
      (client.ConfdClient.UpdatePeerList, "self peers"),
      (client.ConfdClient.SendRequest, "self request args coverage async_"),
      (client.ConfdClient.HandleResponse, "self payload ip port"),
      (client.ConfdClient.FlushSendQueue, "self"),
      (client.ConfdClient.ReceiveReply, "self timeout"),
      (client.ConfdClient.WaitForReply, "self salt timeout"),
      (client.ConfdClient.ExpireRequests, "self"),
      (client.ConfdFilterCallback.__init__, "self callback logger"),
      (client.ConfdCountingCallback.__init__, "self callback logger"),
      (client.ConfdCountingCallback.RegisterQuery, "self salt"),
      (client.StoreResultCallback.GetResponse, "self salt"),
      (client.GetConfdClient, "callback"),
      (client.ConfdAsyncUDPClient.__init__, "self client family"),
      (client.ConfdAsyncUDPClient.enqueue_send, "self address port payload"),
      ]:
      with self.subTest(function=function, names=names):
        self.assertEqual(list(inspect.signature(function).parameters),
                         names.split(), function)

  def testConstants(self):
    self.assertEqual((client.UPCALL_REPLY, client.UPCALL_EXPIRE), (1, 2))
    self.assertEqual(client.CONFD_UPCALL_TYPES, frozenset([1, 2]))

  def testMagic(self):
    self.assertEqual(confd.PackMagic(b"x"), b"plj0x")
    self.assertEqual(confd.UnpackMagic(b"plj0x"), b"x")
    for data in [b"", b"plj", b"plj1x"]:
      self.assertRaises(errors.ConfdMagicError, confd.UnpackMagic, data)

  def testAsyncioIsImportedLazily(self):
    code = ("import sys; from ganeti.confd import client;"
            "assert 'asyncio' not in sys.modules;"
            "client.AsyncClient;"
            "assert 'asyncio' in sys.modules;"
            "from ganeti.confd.client import AsyncClient")
    testutils.Run([sys.executable, "-c", code], check=True, timeout=60)

  def testVersion(self):
    self.assertRegex(client.__version__, r"^\d+\.\d+")

  def testUnknownName(self):
    with self.assertRaises(AttributeError):
      client.NoSuchName # pylint: disable=W0104


class TestRequest(unittest.TestCase):
  def testDefaults(self):
    request = client.ConfdClientRequest(type=0)
    self.assertEqual(request.protocol, 1)
    self.assertIsNone(request.query)
    self.assertNotEqual(request.rsalt, client.ConfdClientRequest(type=0).rsalt)

  def testTypes(self):
    for rtype in list(range(12)) + [64, 65]:
      client.ConfdClientRequest(type=rtype)
    for rtype in [-1, 12, 63, "0", None]:
      with self.subTest(rtype=rtype):
        with self.assertRaisesRegex(errors.ConfdClientError, repr(rtype)):
          client.ConfdClientRequest(type=rtype)

  def testToDict(self):
    request = client.ConfdClientRequest(type=1, query="node1", rsalt="abc")
    self.assertEqual(request.ToDict(), {"protocol": 1, "type": 1,
                                        "query": "node1", "rsalt": "abc"})

  def testUnknownAttribute(self):
    with self.assertRaisesRegex(errors.ProgrammerError, "colour"):
      client.ConfdClientRequest(type=1, colour="red")


class TestConfdClient(_ClientTest):
  def testReply(self):
    asker = self._Client()
    request = client.ConfdClientRequest(type=1, query="node1")
    asker.SendRequest(request, args=("a", 1), async_=False)
    (received, address) = self.server.Receive()
    self.assertEqual((received.type, received.query, received.rsalt),
                     (1, "node1", request.rsalt))
    self.server.Reply(address, request.rsalt, 7, 4)
    self.assertTrue(asker.ReceiveReply())
    (up, ) = self.ups
    self.assertEqual((up.salt, up.type, up.orig_request, up.server_ip,
                      up.server_port, up.extra_args, up.client),
                     (request.rsalt, client.UPCALL_REPLY, request, "127.0.0.1",
                      self.server.port, ("a", 1), asker))
    reply = up.server_reply
    self.assertEqual((reply.protocol, reply.status, reply.answer, reply.serial),
                     (1, 0, 4, 7))
    self.assertEqual(asker.WaitForReply(request.rsalt), (False, 1, 1))

  def testKeyAsText(self):
    asker = self._Client(key=testutils.KEY.decode("ascii"))
    asker.SendRequest(client.ConfdClientRequest(type=0))
    self.server.Receive()
    asker = self._Client(key="schl\u00fcssel")
    asker.SendRequest(client.ConfdClientRequest(type=0))
    self.server.Receive(key="schl\u00fcssel".encode("utf-8"))

  def testIpv6(self):
    if not testutils.HasIpv6():
      self.skipTest("no IPv6")
    self.server = _Server("::1")
    self.addCleanup(self.server.sock.close)
    asker = self._Client(peers=["::1"])
    request = client.ConfdClientRequest(type=0)
    asker.SendRequest(request)
    (_, address) = self.server.Receive()
    self.server.Reply(address, request.rsalt, 7, 3000000)
    self.assertTrue(asker.ReceiveReply())
    self.assertEqual(self.ups[0].server_ip, "::1")

  def testAnyDatagramIsHandled(self):
    asker = self._Client()
    request = client.ConfdClientRequest(type=0)
    asker.SendRequest(request)
    (_, address) = self.server.Receive()
    for datagram in [b"", b"nonsense", b"plj0{}"]:
      self.server.sock.sendto(datagram, address)
      self.assertTrue(asker.ReceiveReply())
    self.server.Reply(address, request.rsalt, 7, key=b"a key of another one")
    self.assertTrue(asker.ReceiveReply())
    self.server.Reply(address, "unknown", 7)
    self.assertTrue(asker.ReceiveReply())
    self.assertFalse(asker.ReceiveReply(timeout=0))
    self.assertEqual(self.ups, [])

  def testMalformedReply(self):
    """A malformed reply is as good as none, and another one may follow.

    """
    asker = self._Client(logger=mock.Mock())
    request = client.ConfdClientRequest(type=1, query="node1")
    asker.SendRequest(request)
    (_, address) = self.server.Receive()
    for (answer, status, serial) in [("x", 0, 5), (5, 0, 5), (None, 1, 5),
                                     (4, 3, 5), (4, 0, -1), (4, "0", 5),
                                     (4, 0, 1 << 63)]:
      self.server.Reply(address, request.rsalt, serial, answer, status)
      self.assertTrue(asker.ReceiveReply())
    self.assertEqual(self.ups, [])
    said = [args[0] % args[1:] for (args, _) in
            asker._logger.debug.call_args_list]
    self.assertEqual(len(said), 7)
    self.assertIn('127.0.0.1 not taken: malformed: answer: "x" instead of',
                  said[0])
    self.server.Reply(address, request.rsalt, 7, 4)
    self.assertTrue(asker.ReceiveReply())
    self.assertEqual([up.server_reply.answer for up in self.ups], [4])

  def testFileno(self):
    asker = self._Client()
    request = client.ConfdClientRequest(type=0)
    asker.SendRequest(request)
    self.assertEqual(select.select([asker], [], [], 0)[0], [])
    (_, address) = self.server.Receive()
    self.server.Reply(address, request.rsalt, 7)
    self.assertEqual(select.select([asker], [], [], 20)[0], [asker])

  def testWaitForReply(self):
    asker = self._Client()
    self.assertEqual(asker.WaitForReply("unknown"), (True, 0, 0))
    request = client.ConfdClientRequest(type=0)
    asker.SendRequest(request)
    self.assertEqual(asker.WaitForReply(request.rsalt, timeout=0.05),
                     (True, 1, 0))

  def testExpiry(self):
    with mock.patch.object(client, "time") as clock:
      clock.time.return_value = 1700000000.0
      asker = self._Client()
      request = client.ConfdClientRequest(type=0)
      asker.SendRequest(request, args="extra")
      clock.time.return_value += constants.CONFD_CLIENT_EXPIRE_TIMEOUT - 0.1
      asker.ExpireRequests()
      self.assertEqual(self.ups, [])
      clock.time.return_value += 0.1
      asker.ExpireRequests()
    (up, ) = self.ups
    self.assertEqual((up.type, up.salt, up.orig_request, up.extra_args,
                      up.server_reply),
                     (client.UPCALL_EXPIRE, request.rsalt, request, "extra",
                      None))

  def testWaitsByAClockThatNobodySets(self):
    """Ganeti's unit tests replace C{time} by something without monotonic().

    """
    asker = self._Client()
    request = client.ConfdClientRequest(type=0)
    with mock.patch.object(client, "time", mock.Mock(spec=["time"])) as clock:
      # The clock is set back again and again
      clock.time.side_effect = range(1700000000, 0, -3600)
      asker.SendRequest(request)
      waiting = threading.Thread(target=asker.WaitForReply, daemon=True,
                                 args=(request.rsalt, 0.05))
      waiting.start()
      waiting.join(testutils.PATIENCE)
      self.assertFalse(waiting.is_alive())

  def testRefusesWrongUse(self):
    for (kwargs, kind, text) in [
      ({"peers": []}, errors.ConfdClientError, "empty"),
      ({"peers": ["node1"]}, errors.ConfdClientError, "node1"),
      ({"peers": ["192.0.2.1", "::1"]}, errors.ConfdClientError, "both"),
      ({"callback": 5}, errors.ProgrammerError, "5"),
      ]:
      with self.assertRaisesRegex(kind, text):
        self._Client(**kwargs)
    with self.assertRaises(errors.ProgrammerError):
      client.ConfdClient(testutils.KEY, "192.0.2.1", self.ups.append)

  def testRefusesWrongRequests(self):
    asker = self._Client()
    request = client.ConfdClientRequest(type=0)
    with self.assertRaisesRegex(errors.ConfdClientError, "2"):
      asker.SendRequest(request, coverage=2)
    asker.SendRequest(request)
    with self.assertRaisesRegex(errors.ConfdClientError, request.rsalt):
      asker.SendRequest(request)
    request = client.ConfdClientRequest(type=0)
    request.rsalt = None
    with self.assertRaises(errors.ConfdClientError):
      asker.SendRequest(request)
    request = client.ConfdClientRequest(type=0, query="x" * 70000)
    with self.assertRaisesRegex(errors.ConfdClientError, "too big"):
      asker.SendRequest(request)

  def testSendingNeverRaises(self):
    # No network, or nobody there: as good as lost
    asker = self._Client(peers=["255.255.255.255"])
    asker.SendRequest(client.ConfdClientRequest(type=0))


class TestUdpClient(unittest.TestCase):
  """The socket under the name, and with the methods, of Ganeti's main branch.

  """
  def setUp(self):
    self.got = []
    handler = mock.Mock(spec=["HandleResponse"])
    handler.HandleResponse = lambda *args: self.got.append(args)
    self.handler = handler
    self.server = _Server()
    self.addCleanup(self.server.sock.close)

  def _Open(self, kind):
    result = kind(self.handler, socket.AF_INET)
    self.addCleanup(result.close)
    return result

  def _Received(self):
    return self.server.sock.recvfrom(65536)[0]

  def _Nothing(self):
    return not select.select([self.server.sock], [], [], 0)[0]

  def testQueue(self):
    udp = self._Open(client.UDPClient)
    self.assertFalse(udp.writable())
    for payload in ["t\u00e4xt", b"\0\1", b"third"]:
      udp.enqueue_send("127.0.0.1", self.server.port, payload)
    self.assertTrue(udp.writable())
    self.assertTrue(self._Nothing())
    udp.handle_write()
    self.assertEqual(self._Received(), "t\u00e4xt".encode("utf-8"))
    self.assertTrue(self._Nothing())
    udp.flush_send_queue()
    self.assertFalse(udp.writable())
    self.assertEqual([self._Received(), self._Received()], [b"\0\1", b"third"])

  def testOldNameSendsAtOnce(self):
    udp = self._Open(client.ConfdAsyncUDPClient)
    udp.enqueue_send("127.0.0.1", self.server.port, b"x")
    self.assertFalse(udp.writable())
    self.assertEqual(self._Received(), b"x")

  def testTooLarge(self):
    for kind in (client.UDPClient, client.ConfdAsyncUDPClient):
      udp = self._Open(kind)
      udp.enqueue_send("127.0.0.1", self.server.port,
                       b"x" * constants.MAX_UDP_DATA_SIZE)
      for payload in ("x", b"x", "\u00fc"):
        with self.assertRaises(errors.UdpDataSizeError):
          udp.enqueue_send("127.0.0.1", self.server.port,
                           payload * (constants.MAX_UDP_DATA_SIZE + 1))

  def testReceives(self):
    udp = self._Open(client.UDPClient)
    self.assertIs(udp.process_next_packet(timeout=0), False)
    udp.enqueue_send("127.0.0.1", self.server.port, b"x")
    udp.flush_send_queue()
    (_, address) = self.server.sock.recvfrom(10)
    self.server.sock.sendto(b"y", address)
    self.assertIs(udp.process_next_packet(timeout=testutils.PATIENCE), True)
    self.assertEqual(self.got, [(b"y", "127.0.0.1", self.server.port)])

  def testEitherNameCanBeReplaced(self):
    for name in ("UDPClient", "ConfdAsyncUDPClient"):
      with mock.patch.object(client, name) as kind:
        asker = client.ConfdClient(testutils.KEY, ["127.0.0.1"], len)
        self.assertIs(asker._socket, kind.return_value)
        asker.SendRequest(client.ConfdClientRequest(type=0))
        self.assertEqual(kind.return_value.enqueue_send.call_count, 1)


def _Up(serial, answer, salt="s", status=0):
  return client.ConfdUpcallPayload(
    salt=salt, type=client.UPCALL_REPLY,
    server_reply=wire.ParsedReply(1, status, answer, serial, salt))


class TestCallbacks(unittest.TestCase):
  def setUp(self):
    self.ups = []

  def testFilter(self):
    logger = mock.Mock()
    callback = client.ConfdFilterCallback(self.ups.append, logger=logger)
    for (serial, answer, passes, consistent) in [
      (5, "a", True, True),
      (5, "a", False, True),
      (4, "b", False, True),
      (6, "a", False, True),
      (7, "b", True, True),
      (7, "c", False, False),
      (8, "d", True, False),
      ]:
      before = len(self.ups)
      callback(_Up(serial, answer))
      self.assertEqual(len(self.ups) - before, int(passes), (serial, answer))
      self.assertEqual(callback.consistent["s"], consistent)
    self.assertEqual(logger.warning.call_count, 1)
    callback(client.ConfdUpcallPayload(salt="s", type=client.UPCALL_EXPIRE))
    self.assertEqual(self.ups[-1].type, client.UPCALL_EXPIRE)
    self.assertEqual(callback.consistent, {})

  def testCounting(self):
    callback = client.ConfdCountingCallback(self.ups.append)
    callback.RegisterQuery("s")
    callback.RegisterQuery("t")
    with self.assertRaisesRegex(errors.ProgrammerError, "t"):
      callback.RegisterQuery("t")
    callback(_Up(1, "x"))
    self.assertFalse(callback.AllAnswered())
    callback(_Up(1, "x", salt="unregistered"))
    self.assertFalse(callback.AllAnswered())
    callback(client.ConfdUpcallPayload(salt="t", type=client.UPCALL_EXPIRE))
    self.assertTrue(callback.AllAnswered())
    self.assertEqual(len(self.ups), 3)

  def testStore(self):
    callback = client.StoreResultCallback()
    self.assertEqual(callback.GetResponse("s"), (False, None))
    (first, second) = (_Up(1, "x"), _Up(2, "y"))
    callback(first)
    callback(second)
    callback(client.ConfdUpcallPayload(salt="s", type=client.UPCALL_EXPIRE))
    self.assertEqual(callback.GetResponse("s"), (True, second))

  def testCallbacksMustBeCallable(self):
    for kind in [client.ConfdFilterCallback, client.ConfdCountingCallback]:
      self.assertRaises(errors.ProgrammerError, kind, None)


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The client, and somebody on the network who wishes it no good.

The attacker has no key, but sees datagrams, carries copies of them elsewhere,
forges ICMP errors and sends garbage. The candidates are made up, their sockets
and datagrams are real.

"""

import asyncio
import contextlib
import json
import socket
import threading
import time
import unittest
from unittest import mock

import testutils

from ganeti import constants
from ganeti.confd import client
from ganeti.confd.clientlib import transport


class _Candidate:
  """Answers in a thread of its own, after a while.

  @ivar serial: of its configuration
  @ivar silent: whether it does not answer

  """
  def __init__(self, serial, address="127.0.0.1", delay=0.0, hurry=None):
    """@param delay: how long an answer takes, in seconds
    @param hurry: called with a datagram and the client's address before that

    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    self.sock = socket.socket(family, socket.SOCK_DGRAM)
    self.sock.bind((address, testutils.FreePort(address)))
    self.address = self.sock.getsockname()
    self.peer = "%s:%d" % (address, self.address[1])
    self.serial = serial
    self.silent = False
    self._delay = delay
    self._hurry = hurry
    self._thread = threading.Thread(target=self._Run, daemon=True)
    self._thread.start()

  def Stop(self):
    with socket.socket(self.sock.family, socket.SOCK_DGRAM) as sock:
      sock.sendto(b"", self.address)
    self._thread.join()
    self.sock.close()

  def Reply(self, datagram):
    """Makes the reply to a request.

    """
    request = json.loads(json.loads(datagram[4:])["msg"])
    answer = {constants.CONFD_REQ_PING: 3000000,
              constants.CONFD_REQ_MC_PIP_LIST: []}.get(
                request["type"], "serial %d" % self.serial)
    return testutils.PackMessage(testutils.KEY, {
      "protocol": 1, "status": 0, "answer": answer, "serial": self.serial},
                                 salt=request["rsalt"])

  def _Run(self):
    while True:
      (datagram, address) = self.sock.recvfrom(65536)
      if not datagram:
        return
      if self._hurry is not None:
        self._hurry(datagram, address)
      time.sleep(self._delay)
      if not self.silent:
        self.sock.sendto(self.Reply(datagram), address)


class _Test(unittest.TestCase):
  def _Candidate(self, *args, **kwargs):
    candidate = _Candidate(*args, **kwargs)
    self.addCleanup(candidate.Stop)
    return candidate

  def _Client(self, *candidates, **kwargs):
    asker = client.Client([i.peer for i in candidates], key=testutils.KEY,
                          **kwargs)
    self.addCleanup(asker.Close)
    return asker


class TestCarriedElsewhere(_Test):
  """A copy of a request, answered where nobody was asked.

  """
  def testOldDaemonThatIsNoCandidate(self):
    old = self._Candidate(4, address="127.0.0.9")
    fresh = self._Candidate(5, delay=0.05,
                            hurry=lambda *args: self._Carry(old, *args))
    reply = self._Client(fresh).MasterNode()
    self.assertEqual((reply.answer, reply.serial), ("serial 5", 5))

  def testOldDaemonAtAnotherPort(self):
    old = self._Candidate(4)
    fresh = self._Candidate(5, delay=0.05,
                            hurry=lambda *args: self._Carry(old, *args))
    self.assertEqual(self._Client(fresh).MasterNode().serial, 5)

  def testOldDaemonThatIsACandidate(self):
    """A candidate counts once, however many requests it has answered.

    """
    old = self._Candidate(4, address="127.0.0.9")
    fresh = [self._Candidate(5, address="127.0.0.%d" % i, delay=0.05,
                             hurry=lambda *args: self._Carry(old, *args))
             for i in (2, 3)]
    reply = self._Client(old, *fresh).MasterNode()
    self.assertEqual(reply.serial, 5)
    self.assertIn((old.peer, 4), [(i.address, i.serial)
                                  for i in reply.candidates])

  @staticmethod
  def _Carry(old, datagram, address):
    """Has a daemon answer a copy to the one who has asked.

    """
    old.sock.sendto(old.Reply(datagram), address)

  def testNameWithSeveralAddresses(self):
    """A reply may come from another address of the machine that was asked.

    """
    second = self._Candidate(4, address="127.0.0.3")
    first = self._Candidate(5, address="127.0.0.2", delay=1,
                            hurry=lambda *args: self._Carry(second, *args))
    found = [(socket.AF_INET, 2, 17, "", i.address) for i in (first, second)]
    real = socket.getaddrinfo

    def _Lookup(host, port, *args, **kwargs):
      return found if host == "node1" else real(host, port, *args, **kwargs)
    with mock.patch.object(socket, "getaddrinfo", _Lookup):
      with client.Client(["node1"], key=testutils.KEY) as asker:
        reply = asker.MasterNode()
    self.assertEqual([i.server for i in reply.candidates], ["127.0.0.3"])

  def testAddressesOfOneMachineThatAreBothGiven(self):
    """Ganeti's daemon, asked at the master's address, answers from the node's.

    """
    node = self._Candidate(5, address="127.0.0.2")
    master = self._Candidate(0, address="127.0.0.100")
    master.serial = node.serial
    master.sock = _SendsFrom(master.sock, node.sock)
    asker = self._Client(master, node)
    for _ in range(3):
      reply = asker.MasterNode()
      self.assertEqual([(i.address, i.server) for i in reply.candidates],
                       [(node.peer, "127.0.0.2")])
    # Asked alone it is not heard; it is said why
    with self.assertRaisesRegex(client.NoAnswer, "ignored replies from"
                                " 127.0.0.2: not a candidate's address"):
      self._Client(master, timeout=5).MasterNode()

  def testIpv6(self):
    if not testutils.HasIpv6():
      self.skipTest("no IPv6")
    peers = ["[::1]:%d" % self._Candidate(5, address="::1").address[1],
             "[::ffff:127.0.0.1]:%d" % self._Candidate(4).address[1]]
    with client.Client(peers, key=testutils.KEY) as asker:
      reply = asker.MasterNode()
    self.assertEqual([(i.server, i.serial) for i in reply.candidates],
                     [("::1", 5), ("127.0.0.1", 4)])


class TestIcmp(unittest.TestCase):
  def testForgedErrorEndsNoWait(self):
    output = testutils.RunInNetwork(_FORGE)
    self.assertEqual(output.split(), ["5"] * 5)

  def testNothingListens(self):
    """All candidates are dead: that is known long before the time is over.

    """
    peers = ["127.0.0.%d:%d" % (i, testutils.FreePort("127.0.0.%d" % i))
             for i in (1, 2, 3)]
    with client.Client(peers, key=testutils.KEY, timeout=600) as asker:
      with self.assertRaisesRegex(client.NoAnswer, "nothing listens there"):
        asker.Ping()


#: The older candidate answers at once, the other one after 50 ms; meanwhile
#: somebody forges that nothing listens there
_FORGE = """
  import socket
  import struct
  import subprocess
  import sys

  import testutils

  sys.path.insert(0, testutils.SRCDIR + "/test/daemon")
  import test_client_enemy as enemy

  from ganeti.confd import client

  def Checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
      total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff

  def Forge(_, asker):
    udp = struct.pack("!HHHH", asker[1], fresh.address[1], 8, 0)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0,
                     socket.inet_aton("127.0.0.1"),
                     socket.inet_aton("127.0.0.2"))
    head = struct.pack("!BBHI", 3, 3, 0, 0)
    head = struct.pack("!BBHI", 3, 3, Checksum(head + ip + udp), 0)
    raw.sendto(head + ip + udp, ("127.0.0.1", 0))

  subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
  raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
  raw.bind(("127.0.0.2", 0))
  old = enemy._Candidate(4)
  fresh = enemy._Candidate(5, address="127.0.0.2", delay=0.05, hurry=Forge)
  for _ in range(5):
    with client.Client([old.peer, fresh.peer], key=testutils.KEY) as asker:
      print(asker.MasterNode().serial)
  # The forged error has arrived, else this test tells nothing
  fresh.silent = True
  with client.Client([fresh.peer], key=testutils.KEY, timeout=5) as asker:
    try:
      asker.MasterNode()
    except client.NoAnswer as err:
      assert "nothing listens there" in str(err), err
  old.Stop()
  fresh.Stop()
"""


class _SendsFrom:
  """A socket whose datagrams leave from another one.

  """
  def __init__(self, sock, other):
    self._sock = sock
    self.sendto = other.sendto

  def __getattr__(self, name):
    return getattr(self._sock, name)


class TestFlood(_Test):
  """Garbage at the client's port, as fast as it can be sent.

  """
  def _Post(self, asker):
    return asker._questions._transport

  def testATurnIsBounded(self):
    fresh = self._Candidate(5)
    asker = self._Client(fresh)
    asker.Ping()
    post = self._Post(asker)
    (sock, ) = post.Sockets()
    target = ("127.0.0.1", sock.getsockname()[1])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as garbage:
      for _ in range(3 * transport._MAX_READ_DATAGRAMS):
        garbage.sendto(b"plj0{}", target)
    before = post._rejected
    post.Receive(sock)
    self.assertLessEqual(post._rejected - before, transport._MAX_READ_DATAGRAMS)
    self.assertTrue(post.Wait(0))
    self.assertEqual(asker.Ping().serial, 5)

  def testTimeOutsHold(self):
    """The flood ends with the question, not the question with the flood.

    """
    done = threading.Event()
    flooding = threading.Event()

    garbage = b"plj0" + b"[" * 60000

    def _Flood(_, address):
      if not flooding.is_set():
        flooding.set()
        # The first one comes before the time-out on any machine
        silent.sock.sendto(garbage, ("127.0.0.1", address[1]))
        for _ in range(2):
          thread = threading.Thread(target=_Send, args=(address, ))
          thread.start()
          self.addCleanup(thread.join)

    def _Send(address):
      ends = time.monotonic() + testutils.PATIENCE
      with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        while not done.is_set() and time.monotonic() < ends:
          # The interface's queue may be full
          with contextlib.suppress(OSError):
            sock.sendto(garbage, ("127.0.0.1", address[1]))

    self.addCleanup(done.set)
    for ask in (self._AskBlocking, self._AskAsync):
      flooding.clear()
      done.clear()
      silent = self._Candidate(5, hurry=_Flood)
      silent.silent = True
      with self.assertRaisesRegex(client.NoAnswer, "not authentic"):
        ask(silent)
      # The flood was still going on
      self.assertTrue(flooding.is_set())
      done.set()

  def testManyEndAtOnce(self):
    """Each of them looks at what has come in, but not for long.

    """
    silent = self._Candidate(5)
    silent.silent = True
    # More than can be sent during the test, and each takes a while to refuse
    turns = []

    def _Receive(post, sock):
      turns.append(sock)
      time.sleep(transport._MAX_READ_SECONDS)
      return receive(post, sock)
    receive = transport.Transport.Receive

    async def _AskMany():
      async with client.AsyncClient([silent.peer], key=testutils.KEY,
                                    timeout=0.5) as asker:
        results = await asyncio.gather(*[asker.Ping() for _ in range(1000)],
                                       return_exceptions=True)
        self.assertEqual({type(i) for i in results}, {client.NoAnswer})
    with mock.patch.object(transport.Transport, "Receive", _Receive):
      asyncio.run(_AskMany())
    # By the clock it would be a few; a slow machine gets time for more
    self.assertLess(len(turns), 500)

  def _AskBlocking(self, candidate):
    self._Client(candidate, timeout=testutils.Stretched(0.5)).Ping()

  def _AskAsync(self, candidate):
    async def _Ask():
      async with client.AsyncClient(
          [candidate.peer], key=testutils.KEY,
          timeout=testutils.Stretched(0.5)) as asker:
        await asker.Ping()
    asyncio.run(_Ask())


class TestMany(_Test):
  def testThousandsAtOnce(self):
    async def _Run(peers):
      # The addresses that could be learned are no loopback addresses
      async with client.AsyncClient(peers, key=testutils.KEY, timeout=120,
                                    learn=False) as asker:
        return await asyncio.gather(*[asker.NodeRole("node1")
                                      for _ in range(6000)],
                                    return_exceptions=True)
    daemons = [testutils.Daemon(testutils.MakeConfig()) for _ in range(3)]
    for daemon in daemons:
      self.addCleanup(daemon.Kill)
      daemon.Start()
    replies = asyncio.run(_Run(["127.0.0.1:%d" % i.port for i in daemons]))
    failed = [i for i in replies if isinstance(i, Exception)]
    self.assertEqual((len(failed), failed[:1]), (0, []))

  def testNoneIsForgotten(self):
    """Each question is answered once, when all of them are under way.

    """
    count = 1500
    asked = {}

    def _Remember(datagram, address):
      asked.setdefault(json.loads(datagram[4:])["msg"], (datagram, address))
    candidate = self._Candidate(5, hurry=_Remember)
    candidate.silent = True

    async def _Run():
      async with client.AsyncClient([candidate.peer], key=testutils.KEY,
                                    timeout=600) as asker:
        tasks = [asyncio.ensure_future(asker.MasterNode())
                 for _ in range(count)]
        while len(asked) < count:
          await asyncio.sleep(0.01)
        # A few at a time, so that the kernel drops none
        waiting = list(asked.values())
        for done in range(0, count, 50):
          for (datagram, address) in waiting[done:done + 50]:
            candidate.sock.sendto(candidate.Reply(datagram), address)
          ends = time.monotonic() + testutils.PATIENCE
          while sum(task.done() for task in tasks) < done + 50:
            self.assertLess(time.monotonic(), ends, "forgotten after %d" % done)
            await asyncio.sleep(0.01)
        return await asyncio.gather(*tasks)
    replies = asyncio.run(_Run())
    self.assertEqual([i.serial for i in replies], [5] * count)

  def testSilenceKeepsNobodyFromBeingAsked(self):
    """The time-outs hold for those that wait for their turn, too.

    """
    async def _Run(peer):
      async with client.AsyncClient([peer], key=testutils.KEY,
                                    timeout=1) as asker:
        return await asyncio.gather(*[asker.NodeRole("node%d" % i)
                                      for i in range(300)],
                                    return_exceptions=True)
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    self.addCleanup(silent.close)
    silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    silent.bind(("127.0.0.1", 0))
    results = asyncio.run(_Run("127.0.0.1:%d" % silent.getsockname()[1]))
    self.assertEqual({type(i) for i in results}, {client.NoAnswer})


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""How a candidate may be written, and what addresses that is.

"""

import asyncio
import socket
import threading
import time
import unittest
from unittest import mock

import testutils

from ganeti import errors
from ganeti.confd import client
from ganeti.confd.clientlib import candidates
from ganeti.confd.clientlib import endpoint


class TestParse(unittest.TestCase):
  def testForms(self):
    for (text, expected) in [
      ("192.0.2.1", ("192.0.2.1", 1814)),
      ("192.0.2.1:99", ("192.0.2.1", 99)),
      ("node1.example.com", ("node1.example.com", 1814)),
      ("node1:65535", ("node1", 65535)),
      ("::1", ("::1", 1814)),
      ("2001:db8::1:99", ("2001:db8::1:99", 1814)),
      ("[::1]", ("::1", 1814)),
      ("[2001:db8::1]:99", ("2001:db8::1", 99)),
      ("fe80::1%eth0", ("fe80::1%eth0", 1814)),
      (" node1 ", ("node1", 1814)),
      ]:
      with self.subTest(text=text):
        self.assertEqual(endpoint.Parse(text, 1814), expected, text)

  def testMalformed(self):
    for text in ["", " ", ":", ":99", "node1:", "node1:x", "node1:0",
                 "node1:65536", "node1:-1", "node1:9999999999", "[::1",
                 "[::1]99", "[::1]:", "[]:99", "node1: 99", "node1:\u0663"]:
      with self.subTest(text=text):
        with self.assertRaises(errors.ConfdClientError, msg=text):
          endpoint.Parse(text, 1814)

  def testErrorNamesTheValue(self):
    with self.assertRaisesRegex(errors.ConfdClientError, "'x' in 'node1:x'"):
      endpoint.Parse("node1:x", 1814)


def _Resolve(peer, timeout=testutils.PATIENCE):
  (candidate, ) = candidates.Resolver().ResolveAll(
    [peer], 1814, time.monotonic() + timeout)
  return candidate


class TestResolver(unittest.TestCase):
  def testAddresses(self):
    self.assertEqual(_Resolve("192.0.2.1:99").addresses,
                     [(socket.AF_INET, ("192.0.2.1", 99))])
    self.assertEqual(_Resolve("2001:db8::1").addresses,
                     [(socket.AF_INET6, ("2001:db8::1", 1814, 0, 0))])

  def testThisMachine(self):
    """The replies come from the loopback address.

    """
    self.assertEqual(_Resolve("0.0.0.0").addresses,
                     [(socket.AF_INET, ("127.0.0.1", 1814))])
    self.assertEqual(_Resolve("[::]:99").addresses,
                     [(socket.AF_INET6, ("::1", 99, 0, 0))])

  def testNameStandsForAllItsAddresses(self):
    found = [(socket.AF_INET6, 2, 17, "", ("2001:db8::1", 1814, 0, 0)),
             (socket.AF_INET, 2, 17, "", ("192.0.2.1", 1814)),
             (socket.AF_INET, 2, 17, "", ("192.0.2.1", 1814))]
    with mock.patch.object(socket, "getaddrinfo", return_value=found):
      candidate = _Resolve("node1")
    self.assertEqual(candidate.name, "node1")
    self.assertEqual(candidate.addresses, [
      (socket.AF_INET6, ("2001:db8::1", 1814, 0, 0)),
      (socket.AF_INET, ("192.0.2.1", 1814))])

  def testLocalhost(self):
    hosts = [host for (_, (host, *_)) in _Resolve("localhost").addresses]
    self.assertTrue(set(hosts) <= {"127.0.0.1", "::1"}, hosts)
    self.assertIn("127.0.0.1", hosts)

  def testUnknownName(self):
    candidate = _Resolve("no-such-host.invalid")
    self.assertEqual(candidate.addresses, [])
    self.assertIn("cannot be resolved", candidate.last_error)

  def testNotEvenAName(self):
    for text in ["x" * 300, "a..b", "\udc80"]:
      self.assertEqual(_Resolve(text).addresses, [], text)

  def testEachMachineOnce(self):
    found = candidates.Resolver().ResolveAll(
      ["192.0.2.1", "192.0.2.2", "192.0.2.1:1814", "192.0.2.1:1815"], 1814,
      time.monotonic() + testutils.PATIENCE)
    self.assertEqual([i.name for i in found],
                     ["192.0.2.1", "192.0.2.2", "192.0.2.1:1815"])


class TestLearn(unittest.TestCase):
  def testIsCandidateAgain(self):
    """At any port: the list has addresses only."""
    known = candidates.Candidates(["192.0.2.1", "192.0.2.2:99"], 1814)
    known.Refresh(time.monotonic() + testutils.PATIENCE)
    for candidate in known.Everyone():
      candidate.Unlisted()
    known.Learn(["192.0.2.2"])
    self.assertEqual(
      {i.name: i.unlisted for i in known.Everyone()},
      {"192.0.2.1": True, "192.0.2.2:99": False, "192.0.2.2": False})


class TestSlowNameService(unittest.TestCase):
  def setUp(self):
    self.go_on = threading.Event()
    self.addCleanup(self.go_on.set)
    self.asked = []
    real = socket.getaddrinfo

    def _Slow(host, port, **kwargs):
      if kwargs.get("flags") == socket.AI_NUMERICHOST:
        return real(host, port, **kwargs)
      self.asked.append(host)
      self.go_on.wait()
      return [(socket.AF_INET, 2, 17, "", ("192.0.2.7", port))]
    patcher = mock.patch.object(socket, "getaddrinfo", _Slow)
    patcher.start()
    self.addCleanup(patcher.stop)

  def _Resolve(self, resolver, peers, timeout):
    return resolver.ResolveAll(peers, 1814, time.monotonic() + timeout)

  def testIsNotWaitedForWithoutEnd(self):
    resolver = candidates.Resolver()
    (candidate, ) = self._Resolve(resolver, ["node1"], 0.05)
    self.assertEqual(candidate.addresses, [])
    self.assertIn("has not answered yet", candidate.last_error)
    self.assertTrue(resolver.busy)
    # The resolver is asked once, however often the client is
    self._Resolve(resolver, ["node1"], 0.05)
    self.assertEqual(self.asked, ["node1"])
    self.go_on.set()
    (candidate, ) = self._Resolve(resolver, ["node1"], testutils.PATIENCE)
    self.assertEqual(candidate.addresses,
                     [(socket.AF_INET, ("192.0.2.7", 1814))])
    self.assertFalse(resolver.busy)

  def testOthersDoNotWaitForIt(self):
    with mock.patch.object(candidates, "_NAME_PATIENCE", 0.05):
      found = self._Resolve(candidates.Resolver(), ["node1", "192.0.2.1"], 1e9)
    self.assertEqual([len(i.addresses) for i in found], [0, 1])

  def testOthersWaitForItOnce(self):
    """Not again at each question, as long as the name service hangs.

    """
    resolver = candidates.Resolver()
    waits = []

    def _WaitFor(predicate, timeout):
      waits.append(timeout)
      return real(predicate, timeout)
    real = resolver._changed.wait_for
    with mock.patch.object(candidates, "_NAME_PATIENCE", 1.0), \
         mock.patch.object(resolver._changed, "wait_for", _WaitFor):
      for _ in range(2):
        self._Resolve(resolver, ["node1", "192.0.2.1"], 1e9)
    self.assertGreater(waits[0], 0)
    self.assertEqual(waits[1:], [0])

  def testTheTimeOutOfACallHolds(self):
    with client.Client(["node1"], key=testutils.KEY, timeout=0.1) as asker:
      with self.assertRaisesRegex(client.NoAnswer, "node1: cannot be resolved"):
        asker.Ping()

  def testTheTimeOutOfACallHoldsInAsyncio(self):
    async def _Ask():
      # A tenth of it is for the thread's word to come here
      async with client.AsyncClient(["node1"], key=testutils.KEY,
                                    timeout=5) as asker:
        with self.assertRaisesRegex(client.NoAnswer, "cannot be resolved"):
          await asker.Ping()
    asyncio.run(_Ask())


if __name__ == "__main__":
  unittest.main()

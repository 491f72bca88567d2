#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The client's calls, several daemons, and a network that is bad.

Three daemons with different serials are behind a relay that loses, doubles and
delays datagrams. The configurations list the relay's addresses as those of the
master candidates.

"""

import asyncio
import collections
import contextlib
import re
import threading
import time
import unittest
from unittest import mock

import relay
import testutils

from ganeti import errors
from ganeti.confd import client
from ganeti.confd.clientlib import transport


_SERIALS = [100, 101, 102]

_FRONTS = ["127.0.1.1", "127.0.1.2", "127.0.1.3"]

#: Number of calls after which the result counts as evidence
_ENOUGH_CALLS = 500


def _Config(serial):
  nodes = [testutils.MakeNode(i + 1, master_candidate=True, primary_ip=front)
           for (i, front) in enumerate(_FRONTS)]
  config = testutils.MakeConfig(nodes=nodes, serial_no=serial)
  config["cluster"]["cluster_name"] = "serial%d.example.com" % serial
  return config


def _Name(serial):
  return "serial%d.example.com" % serial


_daemons = []
_port = None


def setUpModule():
  global _port # pylint: disable=W0603
  for serial in _SERIALS:
    daemon = testutils.Daemon(_Config(serial))
    _daemons.append(daemon)
    daemon.Start()
  _port = testutils.FreePort(_FRONTS[0])


def tearDownModule():
  for daemon in _daemons:
    daemon.Stop()
  _daemons.clear()


def _Relay(**kwargs):
  return relay.Relay(dict(((front, _port), (daemon.address, daemon.port))
                          for (front, daemon) in zip(_FRONTS, _daemons)),
                     **kwargs)


def _Arguments(**kwargs):
  result = {"peers": _FRONTS, "port": _port, "key": testutils.KEY}
  result.update(kwargs)
  return result


class TestBadNetwork(unittest.TestCase):
  def _CheckReply(self, reply):
    """Checks what can be seen from the reply alone.

    """
    self.assertEqual(reply.answer, _Name(reply.serial))
    self.assertEqual(reply.serial, max(i.serial for i in reply.candidates))
    addresses = [i.address for i in reply.candidates]
    self.assertEqual(len(addresses), len(set(addresses)))

  def _AskMany(self, count, at_once, **kwargs):
    """Asks many questions over asyncio, some of them at the same time.

    @rtype: list
    @return: replies and exceptions

    """
    async def _Run():
      limit = asyncio.Semaphore(at_once)

      async def _One():
        # A client of its own: it knows nothing yet
        async with limit, client.AsyncClient(**_Arguments(**kwargs)) as asker:
          return await asker.Config("/cluster/cluster_name")

      return await asyncio.gather(*[_One() for _ in range(count)],
                                  return_exceptions=True)
    return asyncio.run(_Run())

  def testTwentyPercentLossEachWay(self):
    with _Relay(loss=0.2):
      results = self._AskMany(2000, 100)
    failed = [i for i in results if isinstance(i, Exception)]
    self.assertLessEqual(len(failed), 2, failed[:5])
    for reply in results:
      if not isinstance(reply, Exception):
        self._CheckReply(reply)

  def testOneCandidateAtTwentyPercentLoss(self):
    with _Relay(loss=0.2):
      results = self._AskMany(1000, 200, peers=_FRONTS[:1])
    failed = [i for i in results if isinstance(i, Exception)]
    self.assertLessEqual(len(failed), 1, failed[:5])

  def testConcurrentQuestionsOverOneSocket(self):
    async def _Run():
      # As long as that takes on a busy machine
      async with client.AsyncClient(
          **_Arguments(timeout=3 * testutils.PATIENCE)) as asker:
        questions = [asker.Config("/cluster/cluster_name") if i % 2 else
                     asker.Config("/nodes/%s/primary_ip" %
                                  testutils.Uuid("a", i % 3 + 1))
                     for i in range(2000)]
        return await asyncio.gather(*questions)
    with _Relay(loss=0.1, double=0.3, delay=0.02):
      results = asyncio.run(_Run())
    for (i, reply) in enumerate(results):
      if i % 2:
        self._CheckReply(reply)
      else:
        # Many are decided: node i % 3 has the same address in all of them
        self.assertEqual(reply.answer, _FRONTS[i % 3])

  def testFreshestOfWhatCameIn(self):
    """The relay's own record tells what came in before a call returned.

    """
    problems = []
    lock = threading.Lock()
    calls = collections.Counter()
    looked = threading.local()
    wait = transport.Transport.Wait

    def _Wait(*args):
      looked.last = time.monotonic()
      ready = wait(*args)
      # All that is there by now is read next. If nothing was ready, a reply may
      # have come since, as this thread waits for Python's lock.
      if ready:
        looked.last = time.monotonic()
      return ready

    def _IsEnough():
      # The test is none if the freshest reply always comes first
      return (sum(calls.values()) > _ENOUGH_CALLS and calls[_SERIALS[1]] and
              calls[_SERIALS[2]])

    def _Ask(deadline, bad_network):
      # Some machines need longer
      while (time.monotonic() < deadline or not _IsEnough() and
             time.monotonic() < deadline + 10 * testutils.PATIENCE):
        started = time.monotonic()
        with client.Client(**_Arguments()) as asker:
          reply = asker.Config("/cluster/cluster_name")
          (sock, ) = asker._questions._transport.Sockets()
          port = sock.getsockname()[1]
        came = [i.serial for i in list(bad_network.delivered)
                if i.client[1] == port and i.asked >= started and
                i.time < looked.last]
        with lock:
          calls[reply.serial] += 1
          if reply.answer != _Name(reply.serial):
            problems.append((reply.answer, reply.serial))
          if came and max(came) > reply.serial:
            problems.append((reply, came))

    # On a busy machine, the time for reading may be over before all is read
    enough = mock.patch.object(transport, "_MAX_READ_SECONDS",
                               testutils.PATIENCE)
    with enough, mock.patch.object(transport.Transport, "Wait", _Wait), \
         _Relay(loss=0.15, double=0.2, delay=0.05) as bad_network:
      deadline = time.monotonic() + 6
      threads = [threading.Thread(target=_Ask, args=(deadline, bad_network))
                 for _ in range(16)]
      for thread in threads:
        thread.start()
      for thread in threads:
        thread.join()
    self.assertEqual(problems, [])
    self.assertTrue(_IsEnough(), calls)

  @staticmethod
  def _AreKnown(asker):
    asker.Learn()
    return all(i.reports_serial for i in asker._questions._known.Everyone())

  def testAnswersDoNotGoBack(self):
    with _Relay(loss=0.2, double=0.2, delay=0.02):
      with client.Client(**_Arguments()) as asker:
        # Before a candidate was pinged, its daemon may be the packaged one,
        # whose serials are not compared. A busy machine answers the first pings
        # too late.
        testutils.WaitFor(lambda: self._AreKnown(asker), "all are known")
        highest = 0
        for _ in range(40):
          reply = asker.Config("/cluster/cluster_name")
          self._CheckReply(reply)
          self.assertGreaterEqual(reply.serial, highest)
          highest = reply.serial
    self.assertEqual(highest, _SERIALS[-1])

  def testOneWithoutAnswerIsNotWaitedForTwice(self):
    with _Relay() as good_network:
      good_network.cut.update((front, _port) for front in _FRONTS[:2])
      with client.Client(**_Arguments()) as asker:
        asker.Ping()
        with testutils.Within(0.5):
          for _ in range(20):
            reply = asker.Config("/cluster/cluster_name")
        self.assertEqual(reply.serial, _SERIALS[2])
        self.assertEqual(sorted(reply.silent), _FRONTS[:2])

  def testStaleIsIgnoredUntilRestored(self):
    with _Relay() as good_network:
      with client.Client(**_Arguments(timeout=1.5, coverage=-1)) as asker:
        for _ in range(3):
          asker.Serial()
        # Only the older ones are left
        good_network.cut.add((_FRONTS[2], _port))
        started = time.monotonic()
        err = testutils.AwaitStale(
          lambda: asker.Config("/cluster/cluster_name"))
        self.assertIn("serial 101", str(err))
        self.assertIn("serial 102 was seen", str(err))

        def _Ask():
          with contextlib.suppress(client.StaleAnswer, client.NoAnswer):
            return asker.Config("/cluster/cluster_name")
          return None

        reply = testutils.WaitFor(_Ask, "an answer", timeout=30)
        self.assertEqual(reply.serial, _SERIALS[1])
        self.assertGreaterEqual(time.monotonic() - started, 10)
        self.assertLess(time.monotonic() - started, testutils.Stretched(30))

  def testNobodyAnswers(self):
    with _Relay(loss=1.0):
      with client.Client(**_Arguments(timeout=0.5)) as asker:
        with self.assertRaises(client.NoAnswer) as context, \
             testutils.Within(10 * 0.5):
          asker.Ping()
    self.assertIsInstance(context.exception, errors.ConfdClientError)
    for text in _FRONTS:
      self.assertIn(text, str(context.exception))
    # As long as it took, which may be longer on a busy machine
    (seconds, ) = re.findall(r" in ([0-9.]+) seconds", str(context.exception))
    self.assertGreaterEqual(float(seconds), 0.5)


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The library's Status and Stats: a cluster with every kind of candidate.

"""

import asyncio
import contextlib
import socket
import unittest
from unittest import mock

import clientcommand
import packaged
import testutils

from ganeti import constants
from ganeti.confd import client
from ganeti.confd.clientlib import session


#: Two with this project's daemon, one with one like the packaged one, and one
#: where nothing listens
_ADDRESSES = ["127.0.14.%d" % i for i in (1, 2, 3, 4)]


def _Config(serial):
  nodes = [testutils.MakeNode(i + 1, primary_ip=address, master_candidate=True)
           for (i, address) in enumerate(_ADDRESSES)]
  return testutils.MakeConfig(nodes, serial_no=serial)


class TestCluster(unittest.TestCase):
  def setUp(self):
    self.port = testutils.FreePort(_ADDRESSES[0])
    for (address, serial) in [(_ADDRESSES[0], 20), (_ADDRESSES[1], 17)]:
      daemon = testutils.Daemon(_Config(serial), address=address,
                                port=self.port)
      self.addCleanup(daemon.Stop)
      daemon.Start()
    self.packaged = packaged.Confd(
      packaged.Answers(lambda: 20, {constants.CONFD_REQ_MC_PIP_LIST:
                                    _ADDRESSES}),
      address=_ADDRESSES[2], port=self.port)
    self.addCleanup(self.packaged.Stop)
    self.arguments = {"peers": _ADDRESSES[:1], "key": testutils.KEY,
                      "port": self.port}

  def _Both(self, name):
    """Calls a method of both clients.

    """
    async def _Await():
      async with client.AsyncClient(**self.arguments) as asker:
        return await getattr(asker, name)()
    with client.Client(**self.arguments) as asker:
      yield getattr(asker, name)()
    yield asyncio.run(_Await())

  def testStatus(self):
    for status in self._Both("Status"):
      self.assertIsInstance(status, client.ClusterStatus)
      self.assertEqual(
        [(i.address, i.name, i.role, i.answers, i.serial, i.behind, i.version,
          i.daemon) for i in status.candidates],
        [("127.0.14.1", "node1.example.com", "master", True, 20, 0, 3000000,
          client.__version__),
         ("127.0.14.3", "node3.example.com", "candidate", True, 20, 0, 3000000,
          None),
         ("127.0.14.2", "node2.example.com", "candidate", True, 17, 3, 3000000,
          client.__version__),
         ("127.0.14.4", "node4.example.com", "candidate", False, None, None,
          None, None)])
      self.assertEqual([i.problem for i in status.candidates],
                       [None, None, "its configuration is 3 changes behind",
                        "nothing listens there"])
      self.assertTrue(all(i.round_trip > 0 for i in status.candidates[:3]))
      self.assertEqual((status.serial, status.silent),
                       (20, {"127.0.14.4": "nothing listens there"}))
    # The packaged daemon has no statistics, and would be waited for
    self.assertNotIn(65, [rtype for (rtype, _) in self.packaged.requests])

  def testStats(self):
    for stats in self._Both("Stats"):
      self.assertIsInstance(stats, client.ClusterStats)
      # The client learns the candidates from the second question on
      (first, *others) = stats.daemons
      self.assertEqual((first.address, first.version, first.serial),
                       ("127.0.14.1", client.__version__, 20))
      self.assertEqual(others, [])
      # Asking whether it is up was a ping
      self.assertGreater(first.counters["queries"]["ping"], 0)
      self.assertEqual(first.counters["dropped"]["hmac"], 0)
      self.assertNotIn("config", first.counters)
      self.assertEqual(first.everything["workers"], first.workers)
      self.assertGreater(first.uptime, first.age)
      self.assertEqual((stats.failed, stats.silent, stats.serial), ([], {}, 20))

  def testStatsOfAll(self):
    self.arguments["peers"] = _ADDRESSES
    (stats, _) = self._Both("Stats")
    self.assertEqual([(i.address, i.serial) for i in stats.daemons],
                     [("127.0.14.1", 20), ("127.0.14.2", 17)])
    self.assertEqual(stats.silent,
                     {"127.0.14.3": "Ganeti's own daemon answers there, and"
                      " does not have this question",
                      "127.0.14.4": "nothing listens there"})


class TestPackaged(unittest.TestCase):
  """Ganeti's own daemons only.

  """
  def _Status(self, answers):
    with packaged.Confd(packaged.Answers(lambda: 20, answers)) as confd, \
        client.Client([confd.peer], key=testutils.KEY) as asker:
      (row, ) = asker.Status().candidates
    return (row.packaged, row.serial, row.problem, row.name, row.role)

  # On a busy machine, a reply may take longer than a client waits
  @mock.patch.object(session, "_SURVEY_PATIENCE", testutils.PATIENCE)
  def testMaster(self):
    """The master is named, as these daemons know it.

    """
    for (address, expected) in [
        ("127.0.0.1", ("node1.example.com", "master")),
        ("192.0.2.1", (None, None))]:
      answer = ["node1.example.com", "192.0.2.100", address]
      self.assertEqual(
        self._Status({constants.CONFD_REQ_CLUSTER_MASTER: answer}),
        (True, 20, None, *expected))

  def testSilence(self):
    """The state is known without the master, too.

    """
    self.assertEqual(self._Status({}), (True, 20, None, None, None))


class TestUnlisted(unittest.TestCase):
  """Settings with nodes that are no master candidates any more.

  At one nothing listens, and one is silent: a socket that nobody reads.

  """
  _GONE = ["127.0.14.8", "127.0.14.9"]

  def setUp(self):
    self.port = testutils.FreePort(_ADDRESSES[0])
    nodes = [testutils.MakeNode(1, primary_ip=_ADDRESSES[0],
                                master_candidate=True),
             testutils.MakeNode(2, primary_ip=self._GONE[0])]
    self.daemon = testutils.Daemon(testutils.MakeConfig(nodes, serial_no=5),
                                   address=_ADDRESSES[0], port=self.port)
    self.addCleanup(self.daemon.Stop)
    self.daemon.Start()
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    self.addCleanup(silent.close)
    silent.bind((self._GONE[1], self.port))
    self.peers = [_ADDRESSES[0], *self._GONE]
    self.words = ["-a", ",".join(self.peers), "-p", str(self.port),
                  "--hmac-file", self.daemon.key_file]

  def _Until(self, ask, what):
    """Asks until the answer is as expected.

    On a busy machine the client's patience may be over before it has the list,
    or any answer.

    @param ask: makes a client, asks, and returns whether the answer is right

    """
    def _IsRight():
      with contextlib.suppress(client.ConfdClientError):
        return ask()
      return False
    testutils.WaitFor(_IsRight, "%s: a silent one is known to be no candidate" %
                      what)

  def _FirstSilent(self, gone, name, *args):
    """Asks both clients a first question, and returns the silent candidates.

    """
    arguments = {"peers": [_ADDRESSES[0], gone], "key": testutils.KEY,
                 "port": self.port}

    async def _Await():
      async with client.AsyncClient(**arguments) as asker:
        return (await getattr(asker, name)(*args)).silent
    with client.Client(**arguments) as asker:
      return [getattr(asker, name)(*args).silent, asyncio.run(_Await())]

  def testFirstQuestion(self):
    """Also the first question does not wait until its time is over, so that it
    has another reason of silence than the network's.

    """
    for question in [("Ping", ), ("MasterCandidates", ),
                     ("List", "node", ["name"])]:
      for gone in self._GONE:
        self._Until(
          lambda gone=gone, question=question: (
            self._FirstSilent(gone, *question) ==
            2 * [{gone: "is no master candidate"}]), question[0])

  def testStats(self):
    def _IsRight():
      with client.Client(self.peers, key=testutils.KEY,
                         port=self.port) as asker:
        stats = asker.Stats()
      return (([i.address for i in stats.daemons], stats.silent) ==
              ([_ADDRESSES[0]],
               dict.fromkeys(self._GONE, "is no master candidate")))
    self._Until(_IsRight, "Stats")

  def testStatus(self):
    """The exit code of confd-client is the same as without these nodes."""
    def _IsRight():
      with client.Client(self.peers, key=testutils.KEY,
                         port=self.port) as asker:
        status = asker.Status()
      return status.hints == [] and (
        [(i.address, i.answers, i.listed, i.problem)
         for i in status.candidates] ==
        [(_ADDRESSES[0], True, True, None),
         (self._GONE[0], False, False,
          "is no master candidate: its role is regular"),
         (self._GONE[1], False, False, "is no master candidate")])

    self._Until(_IsRight, "Status")
    for args in ([], ["--nagios"]):
      self._Until(
        lambda args=args: clientcommand.Run("status", *args,
                                            *self.words).returncode == 0,
        "status %s" % args)

  def testCommands(self):
    for args in (["ping"], ["list", "nodes"], ["stats"]):
      self._Until(
        lambda args=args: "is no master candidate" in clientcommand.Run(
          *args, "--json", *self.words).stdout, args[0])

  def testBehindNat(self):
    """The list tells nothing if its addresses are others than the given ones:
    the candidates there may be up.

    """
    # The client sends to the address on the list: a loopback address
    daemon = testutils.Daemon(
      testutils.MakeConfig([testutils.MakeNode(1, primary_ip="127.0.14.10",
                                               master_candidate=True)]),
      address="127.0.14.7", port=self.port)
    self.addCleanup(daemon.Stop)
    daemon.Start()
    peers = ["127.0.14.7", self._GONE[1]]
    with client.Client(peers, key=testutils.KEY, port=self.port) as asker:
      self.assertEqual(asker.Ping().silent, {self._GONE[1]: None})
      status = asker.Status()
    self.assertEqual([(i.address, i.listed) for i in status.candidates
                      if i.address in peers],
                     [("127.0.14.7", True), (self._GONE[1], True)])

  def testOtherPort(self):
    """The list has no ports, and tells nothing about them."""
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    self.addCleanup(silent.close)
    silent.bind((_ADDRESSES[0], 0))
    other = "%s:%d" % silent.getsockname()
    with client.Client([_ADDRESSES[0], other], key=testutils.KEY,
                       port=self.port) as asker:
      self.assertEqual([(i.address, i.listed)
                        for i in asker.Status().candidates],
                       [(_ADDRESSES[0], True), (other, True)])

  def testDoesNotLearn(self):
    """A client that does not learn does not believe the list at all: not even
    if it has one of the given addresses.

    """
    peers = [_ADDRESSES[0], self._GONE[1]]
    with client.Client(peers, key=testutils.KEY, port=self.port,
                       learn=False) as asker:
      self.assertEqual(asker.Ping().silent, {self._GONE[1]: None})
      self.assertEqual(asker.Stats().silent, {self._GONE[1]: None})
      self.assertEqual([(i.address, i.listed)
                        for i in asker.Status().candidates],
                       [(peers[0], True), (peers[1], True)])


if __name__ == "__main__":
  unittest.main()

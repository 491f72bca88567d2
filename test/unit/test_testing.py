#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of ganeti.confd.testing: a fake cluster for the tests of programs"""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from unittest import mock

import testutils

from ganeti import constants
from ganeti import errors
from ganeti.confd import client
from ganeti.confd import testing
from ganeti.confd.clientlib import system


_CONFIG = testing.MakeConfig(nodes=3, instances={"web1": "node1"})

_getaddrinfo = socket.getaddrinfo


def _LookUp(*args, **kwargs):
  """Converts addresses, and refuses to ask a name service.

  """
  assert kwargs.get("flags") == socket.AI_NUMERICHOST, args
  return _getaddrinfo(*args, **kwargs)


@contextlib.contextmanager
def _NoNetwork(sockets=False):
  """Has what leads out of the process raise.

  @param sockets: whether sockets may be made, as asyncio does

  """
  with mock.patch.object(socket, "getaddrinfo", _LookUp):
    with (contextlib.nullcontext() if sockets else
          mock.patch.object(socket, "socket",
                            side_effect=AssertionError("a socket"))):
      yield


def _Move(node):
  """Makes a change: the instance gets another primary node.

  """
  def _Change(config):
    testing.Find(config, "instances", "web1")["primary_node"] = \
      testing.Find(config, "nodes", node)["uuid"]
  return _Change


def _Offline(config):
  testing.Find(config, "nodes", "node3")["offline"] = True


class _TestCase(unittest.TestCase):
  def setUp(self):
    self.fake = testing.Fake(_CONFIG)
    self.fake.Start()
    self.addCleanup(self.fake.Stop)

  def _Client(self, *args, **kwargs):
    confd = client.Client(*args, **kwargs)
    self.addCleanup(confd.Close)
    return confd


class TestConfig(unittest.TestCase):
  def testForms(self):
    text = json.dumps(_CONFIG).encode("ascii")
    with tempfile.NamedTemporaryFile() as stream:
      stream.write(text)
      stream.flush()
      for config in [_CONFIG, text, stream.name]:
        with testing.Fake(config), client.Client() as confd:
          self.assertEqual(confd.MasterNode().answer, "node1.example.com")

  def testIsCopied(self):
    config = testing.MakeConfig()
    with testing.Fake(config) as fake, client.Client() as confd:
      config["cluster"]["master_node"] = None
      fake.config["cluster"]["master_node"] = None
      self.assertEqual(confd.MasterNode().answer, "node1.example.com")

  def testMade(self):
    config = testing.MakeConfig(["a", "b.example.org"], {"i": "b.example.org"},
                                candidates=1)
    with testing.Fake(config) as fake, client.Client() as confd:
      self.assertEqual([i.name for i in fake.candidates], ["a.example.com"])
      self.assertEqual(confd.PrimaryNodes().answer,
                       {"i.example.com": "b.example.org"})
      self.assertEqual(confd.NodeOfInstanceIp("203.0.113.1").answer,
                       "192.0.2.2")

  def testWrong(self):
    for (kwargs, text) in [
        ({"nodes": 2, "candidates": 3}, "2 nodes, 3"),
        ({"nodes": 0}, "0 nodes"),
        ({"nodes": 100}, "99"),
        ({"instances": {"web": "node7"}}, "'node7' of the instance 'web'")]:
      with self.assertRaisesRegex(ValueError, text):
        testing.MakeConfig(**kwargs)
    with self.assertRaises(OSError):
      testing.Fake("/nonexistent/config.data")
    for config in [b"{", {}, dict(_CONFIG, nodes={})]:
      with self.assertRaises(errors.ConfigurationError):
        testing.Fake(config)
    with self.assertRaisesRegex(ValueError, "nosuch"):
      testing.Fake(may=["nosuch"])

  def testFind(self):
    config = testing.MakeConfig(["node1", "node1.example.org"], {})
    node = testing.Find(config, "nodes", "node1.example.org")
    self.assertEqual(node["primary_ip"], "192.0.2.2")
    self.assertIs(testing.Find(config, "nodes", node["uuid"]), node)
    for name in ["node1", "node", "nosuch"]:
      with self.assertRaisesRegex(LookupError,
                                  "node1.example.com, node1.example.org"):
        testing.Find(config, "nodes", name)


class TestClient(_TestCase):
  def testNothingOutside(self):
    """No socket, no name service, no files: also with names and a key file.

    """
    with _NoNetwork(), \
         mock.patch("builtins.open", side_effect=AssertionError("open")):
      for (args, kwargs) in [
          ((), {}),
          ((["confd.example.net"], ), {"key_file": "/etc/nosuch.key"}),
          ((["node2:1815"], ), {"key": b"k" * 16, "port": 7}),
          ((), {"cluster": "fsn"})]:
        with client.Client(*args, **kwargs) as confd:
          self.assertEqual(confd.MasterNode().answer, "node1.example.com")
          self.assertTrue(all(i.answers for i in confd.Status().candidates))

  def testNames(self):
    for (name, address) in [("node1", "192.0.2.1"),
                            ("node2.example.com", "192.0.2.2"),
                            ("cluster.example.com", "192.0.2.1"),
                            ("192.0.2.100", "192.0.2.1"),
                            ("192.0.2.2", "192.0.2.2")]:
      reply = self._Client([name]).Ping()
      self.assertEqual([(i.address, i.server) for i in reply.candidates],
                       [(name, address)])
    # No candidate
    with self.assertRaises(client.NoAnswer):
      self._Client(["node3"]).Ping()
    with self.assertRaisesRegex(errors.ConfdClientError, "Not a port"):
      self._Client(["node3:x"]).Ping()
    with self.assertRaisesRegex(errors.ConfdClientError, "Nobody to ask"):
      self._Client([]).Ping()

  def testWrongArguments(self):
    """The client's own checks are still there.

    """
    with self.assertRaises(errors.ProgrammerError):
      client.Client("node1")
    with self.assertRaises(errors.ProgrammerError):
      self._Client().NodeRole(7)

  def testNoTimePasses(self):
    """A question takes its time-out, whatever that is, in no time.

    """
    self.fake.Silence()
    confd = self._Client(timeout=600)
    with testutils.Within(60):
      with self.assertRaisesRegex(client.NoAnswer, "in 600.0 seconds"):
        confd.NodeRole("node1")

  def testTimeDoesNotPassByItself(self):
    """A test's result does not depend on how long the machine takes.

    """
    confd = self._Client()
    later = time.monotonic() + 3600
    with mock.patch("time.monotonic", return_value=later):
      self.assertEqual(confd.Ping().candidates[0].round_trip, 0.0)

  def testEnds(self):
    """Afterwards clients are what they were.

    """
    self.fake.Stop()
    self.assertEqual(system.choosers, [])
    self.assertIs(type(system.Choose(None)), system.System)
    # Twice does no harm
    self.fake.Stop()

  def testClosesClients(self):
    confd = self._Client()
    confd.Ping()
    self.fake.Stop()
    with self.assertRaises(errors.ProgrammerError):
      confd.Ping()

  def testClusters(self):
    """Several fakes for a program with several clusters.

    """
    with testing.Fake(testing.MakeConfig(["ams1"], {}, 1), cluster="ams"), \
         testing.Fake(testing.MakeConfig(["fsn1"], {}, 1), cluster="fsn"):
      self.assertEqual([self._Client(cluster=name).MasterNode().answer
                        for name in ["ams", "fsn", "other"]],
                       ["ams1.example.com", "fsn1.example.com",
                        "node1.example.com"])

  def testReader(self):
    with testing.Fake(may=["ping", "list/nodes"]):
      confd = self._Client()
      self.assertEqual(confd.reader.name, "testing")
      self.assertEqual(confd.Ping().answer, 3000000)
      self.assertEqual(len(confd.List("nodes", ["name"]).answer), 3)
      with self.assertRaises(client.ErrorAnswer) as caught:
        confd.NodeRole("node1")
      self.assertEqual(caught.exception.code, 4)

  def testLargeAnswers(self):
    """Answers in parts are fetched as from a daemon.

    """
    config = testing.MakeConfig()
    for item in config["nodes"].values():
      item["tags"] = [os.urandom(15).hex() for _ in range(3000)]
    with testing.Fake(config) as fake:
      answer = self._Client().Config("/nodes").answer
      self.assertEqual(answer, config["nodes"])
      (asked, ) = [i for i in fake.asked if i.question == "config"]
      self.assertEqual(asked.query, "/nodes")

  def testFork(self):
    confd = self._Client()
    confd.Ping()
    pid = os.fork()
    if pid == 0:
      code = 1
      try:
        code = 0 if confd.NodeRole("node1").answer == 0 else 2
      finally:
        os._exit(code)
    self.assertEqual(os.waitpid(pid, 0)[1], 0)
    self.assertEqual(confd.NodeRole("node2").answer,
                     constants.CONFD_NODE_ROLE_CANDIDATE)


class TestOrders(_TestCase):
  def testSilence(self):
    confd = self._Client()
    self.fake.Candidate("node1").Silence()
    reply = confd.Ping()
    self.assertEqual([i.address for i in reply.candidates], ["192.0.2.2"])
    self.assertEqual(list(reply.silent), ["192.0.2.1"])
    self.fake.Recover()
    self.assertEqual(len(confd.Status().candidates), 2)
    self.assertTrue(all(i.answers for i in confd.Status().candidates))

  def testRefuse(self):
    self.fake.Refuse()
    with self.assertRaisesRegex(client.NoAnswer, "nothing listens there"):
      self._Client().Ping()

  def testDelay(self):
    self.fake.Candidate("node1").Delay(2.5)
    confd = self._Client(coverage=-1)
    (quick, ) = [i for i in confd.Status().candidates
                 if i.name == "node2.example.com"]
    self.assertEqual(quick.round_trip, 0.0)
    (slow, ) = self._Client(["node1"]).Ping().candidates
    self.assertEqual(slow.round_trip, 2.5)

  def testErrors(self):
    confd = self._Client()
    for (answer, code) in [("no memory", "no memory"), (4, 4)]:
      self.fake.Fail(answer, only="node-role", times=1)
      with self.assertRaises(client.ErrorAnswer) as caught:
        confd.NodeRole("node1")
      self.assertEqual(caught.exception.code, code)
      self.assertEqual(confd.NodeRole("node1").answer, 0)

  def testAnswer(self):
    confd = self._Client()
    self.fake.Answer(4, "node-role")
    self.assertEqual(confd.NodeRole("node1").answer, 4)
    self.fake.Answer(["no role"], "node-role")
    with self.assertRaises(client.MalformedAnswer):
      confd.NodeRole("node1")

  def testTimes(self):
    """The first datagram to each candidate is lost.

    """
    self.fake.Silence(times=1)
    (first, second) = self._Client().Ping().candidates
    self.assertEqual(first.round_trip, second.round_trip)
    self.assertGreater(first.round_trip, 0)

  def testStale(self):
    confd = self._Client()
    self.fake.Change(_Offline)
    self.assertEqual(confd.NodeRole("node3").answer, 2)
    # Only from the second question on a client knows that serials tell the age
    self.assertEqual(confd.NodeRole("node3").answer, 2)
    self.fake.GoBack()
    with self.assertRaises(client.StaleAnswer):
      confd.NodeRole("node3")
    # By then a restored configuration
    self.assertEqual(confd.NodeRole("node3").answer, 4)
    self.fake.Recover()
    self.assertEqual(confd.NodeRole("node3").serial, 2)

  def testBehind(self):
    self.assertEqual(self.fake.Change(_Offline, at=["node2"]), 2)
    self.assertEqual([i.serial for i in self.fake.candidates], [1, 2])
    reply = self._Client().NodeRole("node3")
    self.assertEqual(reply.serial, 2)
    self.assertEqual([(i.address, i.behind) for i in reply.candidates],
                     [("192.0.2.2", 0), ("192.0.2.1", 1)])

  def testSerials(self):
    self.assertEqual(self.fake.Change(dict(_CONFIG, serial_no=77)), 77)
    self.assertEqual(self.fake.Change(lambda config: None), 78)
    self.assertEqual(self.fake.Change(dict(_CONFIG, serial_no=5)), 5)
    self.assertEqual(self.fake.serial, 5)

  def testUnusableChange(self):
    with self.assertRaises(errors.ConfigurationError):
      self.fake.Change({"serial_no": 3})
    with self.assertRaises(LookupError):
      self.fake.Change(_Offline, at=["node3"])
    self.assertEqual(self._Client().Serial().answer, 1)

  def testCandidatesChange(self):
    def _Promote(config):
      testing.Find(config, "nodes", "node3")["master_candidate"] = True
      testing.Find(config, "nodes", "node2")["master_candidate"] = False
    confd = self._Client()
    confd.Ping()
    self.fake.Change(_Promote)
    self.assertEqual([i.name for i in self.fake.candidates],
                     ["node1.example.com", "node3.example.com"])
    self.fake.Pass(1)
    confd.Ping()
    confd.Ping()
    self.assertEqual({i.name for i in confd.Status().candidates if i.answers},
                     {"node1.example.com", "node3.example.com"})

  def testUnknownNames(self):
    with self.assertRaisesRegex(ValueError, "'nodes-role'.*node-role"):
      self.fake.Silence(only="nodes-role")
    with self.assertRaisesRegex(ValueError, "'nosuch'"):
      self.fake.Count("nosuch")
    with self.assertRaisesRegex(LookupError, "node1.example.com"):
      self.fake.Candidate("node3")


class TestAsked(_TestCase):
  def testAsked(self):
    confd = self._Client(["node1", "node2"])
    self.fake.Silence(times=2)
    confd.NodeRole("node3")
    confd.NodeRole("node3")
    confd.List("nodes", ["name"])
    self.assertEqual(self.fake.Count("node-role"), 2)
    self.assertEqual(self.fake.Count("list"), 1)
    self.assertEqual(self.fake.Count("query"), 1)
    (first, _) = [i for i in self.fake.asked if i.question == "node-role"]
    self.assertEqual((first.query, first.reader, sorted(first.candidates)),
                     ("node3", None, ["node1.example.com",
                                      "node2.example.com"]))
    self.assertEqual(self.fake.Count(), len(self.fake.asked))
    # A copy
    self.fake.asked[0].candidates.clear()
    self.assertTrue(self.fake.asked[0].candidates)
    self.fake.Forget()
    self.assertEqual(self.fake.asked, [])

  def testReader(self):
    with testing.Fake(may=["node-role"]) as fake:
      self._Client().NodeRole("node1")
      self.assertEqual([i.reader for i in fake.asked], ["testing"])


class TestFollow(_TestCase):
  def _Follow(self, confd, **kwargs):
    return confd.Follow("instances", ["name", "pnode"], **kwargs)

  def testBetween(self):
    """Changes by hand, between two steps of the iteration; more than ten.

    """
    following = self._Follow(self._Client())
    self.assertEqual(list(next(following).came), ["web1.example.com"])
    for index in range(12):
      self.fake.Change(_Move("node%d" % (2 - index % 2)))
      change = next(following)
      self.assertEqual(change.reply.serial, index + 2)
      self.assertEqual(list(change.changed), ["web1.example.com"])
    self.assertEqual(self.fake.Count("list"), 13)

  def testSteps(self):
    heard = []
    confd = self._Client()
    self.fake.Then(
      lambda: self.fake.Change(_Move("node2")),
      lambda: self.fake.Change(_Offline),
      lambda: self.fake.Change(_Move("node1"), at=["node2"]),
      self.fake.Silence,
      self.fake.Recover,
      lambda: self.fake.Change(_Move("node3")),
      self.fake.CloseClients)
    serials = [change.reply.serial for change
               in self._Follow(confd, on_error=heard.append)]
    # Nothing that is followed changes with serial 3
    self.assertEqual(serials, [1, 2, 4, 5])
    self.assertEqual([type(i) for i in heard], [client.NoAnswer, type(None)])

  def testErrorsAreHeard(self):
    """An error that a change makes the client find.

    """
    heard = []

    def _Break():
      self.fake.Fail("broken")
      self.fake.Change(_Offline)
    self.fake.Then(_Break, self.fake.Recover, self.fake.CloseClients)
    for _ in self._Follow(self._Client(), on_error=heard.append):
      pass
    self.assertEqual([type(i) for i in heard],
                     [client.ErrorAnswer, type(None)])

  def testStepRaises(self):
    def _Interrupt():
      raise KeyboardInterrupt()
    self.fake.Then(_Interrupt, lambda: self.fake.Change(_Move("node2")))
    following = self._Follow(self._Client())
    next(following)
    with self.assertRaises(KeyboardInterrupt):
      next(following)
    # The iteration may go on
    self.assertEqual(next(following).reply.serial, 2)

  def testOtherQuestions(self):
    confd = self._Client()
    self.fake.Then(lambda: self.fake.Change(_Offline), self.fake.CloseClients)
    self.assertEqual([change.reply.answer for change in
                      confd.FollowCall(lambda asker: asker.NodeRole("node3"))],
                     [4, 2])

  def testReaderWithoutWait(self):
    """Where a client asks for the serial again and again.

    """
    with testing.Fake(_CONFIG, may=["ping", "list"]) as fake:
      fake.Then(lambda: fake.Change(_Move("node2")),
                lambda: fake.Change(_Move("node1")), fake.CloseClients)
      self.assertEqual([change.reply.serial for change
                        in self._Follow(self._Client())], [1, 2, 3])

  def testWouldWaitForEver(self):
    """In a process with one thread.

    """
    program = """if True:
      from ganeti.confd import client, testing
      with testing.Fake(may=%s) as fake, client.Client() as confd:
        following = confd.Follow("nodes", ["name"])
        next(following)
        %s
        try:
          next(following)
        except AssertionError as err:
          print(err)
      """
    for (may, order, expected) in [
        (None, "pass", "waits for a change"),
        (["ping", "list"], "pass", "waits for a change"),
        (None, "fake.Silence()", "would try for ever")]:
      output = testutils.Run(
        [sys.executable, "-c", program % (may, order)], check=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="ascii",
        timeout=10 * testutils.PATIENCE).stdout
      self.assertIn(expected, output)

  def testThread(self):
    """The test's changes reach a follower in another thread.

    """
    seen = []
    arrived = threading.Semaphore(0)

    def _Run():
      with client.Client() as confd:
        for change in self._Follow(confd):
          seen.append(change.reply.serial)
          arrived.release()
    thread = threading.Thread(target=_Run)
    thread.start()
    for index in range(20):
      self.assertTrue(arrived.acquire(timeout=10 * testutils.PATIENCE))
      if index % 5 == 4:
        # While the other one asks nothing, too
        testutils.WaitFor(lambda: len(seen) == index + 1, "all were seen")
      self.fake.Change(_Move("node%d" % (2 - index % 2)))
    self.assertTrue(arrived.acquire(timeout=10 * testutils.PATIENCE))
    self.fake.Stop()
    thread.join()
    self.assertEqual(seen[0], 1)
    self.assertEqual(seen[-1], 21)

  def testRestsWithoutWork(self):
    """A follower in a thread neither asks nor counts while nothing changes.

    """
    started = threading.Event()

    def _Run():
      with client.Client() as confd:
        for _ in self._Follow(confd):
          started.set()
    thread = threading.Thread(target=_Run)
    thread.start()
    self.assertTrue(started.wait(10 * testutils.PATIENCE))
    # A question of another client has a clock of its own
    self.fake.Silence(only="node-role")
    with self.assertRaises(client.NoAnswer):
      self._Client(timeout=3600).NodeRole("node1")
    self.assertEqual(self.fake.Count("list"), 1)
    self.fake.Stop()
    thread.join()

  def testManyThreads(self):
    """Each with a client; all get their answers.

    """
    wrong = []

    def _Run(name):
      with client.Client() as confd:
        for _ in range(50):
          if confd.NodeOfInstanceIp("203.0.113.1").answer != "192.0.2.1":
            wrong.append(name)
    threads = [threading.Thread(target=_Run, args=(i, )) for i in range(8)]
    for thread in threads:
      thread.start()
    for thread in threads:
      thread.join()
    self.assertEqual(wrong, [])
    self.assertEqual(self.fake.Count("node-of-ip"), 400)


class TestAsync(_TestCase):
  # anext() is there since Python 3.10
  # pylint: disable=C2801

  def _Run(self, function):
    return asyncio.run(asyncio.wait_for(function(), 20 * testutils.PATIENCE))

  def testQuestions(self):
    async def _Main():
      async with client.AsyncClient() as confd:
        answered = await asyncio.gather(*[
          confd.NodeRole("node%d" % (1 + i % 3)) for i in range(200)])
        self.assertEqual([i.answer for i in answered[:3]], [0, 1, 4])
        self.assertEqual(len(confd._driver._waiters), 0)
        self.fake.Silence(only="node-role")
        failed = await asyncio.gather(
          *[confd.NodeRole("node1") for _ in range(20)], confd.Ping(),
          return_exceptions=True)
        self.assertEqual({type(i) for i in failed[:-1]}, {client.NoAnswer})
        self.assertEqual(failed[-1].answer, 3000000)
        self.fake.Recover()
        self.fake.Candidate("node1").Delay(1.5)
        reply = await confd.NodeRole("node1")
        self.assertEqual({i.round_trip for i in reply.candidates} - {0.0},
                         {1.5} if len(reply.candidates) == 2 else set())
    with _NoNetwork(sockets=True):
      self._Run(_Main)

  def testCancel(self):
    async def _Main():
      async with client.AsyncClient() as confd:
        following = confd.Follow("instances", ["name", "pnode"])
        await following.__anext__()
        with self.assertRaises(asyncio.TimeoutError):
          await asyncio.wait_for(following.__anext__(), 0.01)
        self.fake.Change(_Move("node2"))
        self.assertEqual((await following.__anext__()).reply.serial, 2)
    self._Run(_Main)

  def testSteps(self):
    heard = []

    async def _Main():
      self.fake.Then(
        lambda: self.fake.Change(_Move("node2")),
        self.fake.Silence,
        self.fake.Recover,
        lambda: self.fake.Change(_Move("node3")),
        self.fake.CloseClients)
      async with client.AsyncClient() as confd:
        return [change.reply.serial async for change in confd.Follow(
          "instances", ["name", "pnode"], on_error=heard.append)]
    self.assertEqual(self._Run(_Main), [1, 2, 3])
    self.assertEqual([type(i) for i in heard], [client.NoAnswer, type(None)])

  def testChangeInThread(self):
    """The test's thread makes changes, the loop runs in another one.

    """
    seen = []
    arrived = threading.Semaphore(0)

    async def _Main():
      async with client.AsyncClient() as confd:
        async for change in confd.Follow("instances", ["name", "pnode"]):
          seen.append(change.reply.serial)
          arrived.release()
    thread = threading.Thread(target=lambda: self._Run(_Main))
    thread.start()
    for index in range(5):
      self.assertTrue(arrived.acquire(timeout=10 * testutils.PATIENCE))
      self.fake.Change(_Move("node%d" % (2 - index % 2)))
    self.assertTrue(arrived.acquire(timeout=10 * testutils.PATIENCE))
    self.fake.Stop()
    thread.join()
    self.assertEqual(seen, [1, 2, 3, 4, 5, 6])

  def testFollowerBesideQuestions(self):
    """A question that nobody answers has time pass for the follower as well.

    """
    async def _Main():
      async with client.AsyncClient() as confd:
        following = confd.Follow("instances", ["name", "pnode"])
        await following.__anext__()
        waiting = asyncio.ensure_future(following.__anext__())
        self.fake.Silence(only="node-role")
        for _ in range(5):
          with self.assertRaises(client.NoAnswer):
            await confd.NodeRole("node1")
        self.assertFalse(waiting.done())
        self.fake.Change(_Move("node2"))
        self.assertEqual((await waiting).reply.serial, 2)
    self._Run(_Main)


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The client's calls, over real sockets, with daemons that a test makes up.

"""

import asyncio
import contextlib
import functools
import gc
import inspect
import os
import socket
import tempfile
import threading
import time
import unittest
from unittest import mock

import packaged
import testutils

from ganeti import constants
from ganeti import errors
from ganeti.confd import client
from ganeti.confd import localnode
from ganeti.confd import protocol
from ganeti.confd.clientlib import aio
from ganeti.confd.clientlib import candidates
from ganeti.confd.clientlib import questions
from ganeti.confd.clientlib import quorum
from ganeti.confd.clientlib import session
from ganeti.confd.protocol import parts
from ganeti.confd.protocol import readerkey
from ganeti.confd.protocol import wire


def _Fixed(status, answer, serial):
  return lambda rtype, query: (status, answer, serial)


def _WaitingLonger(function):
  """Decorates a test all of whose candidates answer, sooner or later.

  On a busy machine, some take longer than a client waits when it has an answer.

  """
  for (module, name) in [(quorum, "PATIENCE"), (quorum, "_ERRORS_PATIENCE"),
                         (session, "_SURVEY_PATIENCE")]:
    function = mock.patch.object(module, name, testutils.PATIENCE)(function)
  return function


class _Test(unittest.TestCase):
  def _Confd(self, answer, **kwargs):
    confd = packaged.Confd(answer, **kwargs)
    self.addCleanup(confd.Stop)
    return confd

  def _Client(self, *confds, **kwargs):
    arguments = {"peers": [i.peer for i in confds], "key": testutils.KEY,
                 "timeout": 5}
    arguments.update(kwargs)
    asker = client.Client(**arguments)
    self.addCleanup(asker.Close)
    return asker


class TestQuestions(_Test):
  def testHelpers(self):
    answers = []
    confd = self._Confd(lambda rtype, query: (0, answers[0], 5))
    asker = self._Client(confd)
    for (name, args, query, *answers) in [
      ("Ping", [], (0, None), 3000000),
      ("NodeRole", ["node1"], (1, "node1"), 4),
      ("NodeOfInstanceIp", ["192.0.2.1"], (2, {"1": "192.0.2.1"}), "10.0.0.1"),
      ("NodeOfInstanceIp", ["192.0.2.1", "br1"],
       (2, {"1": "192.0.2.1", "0": "br1"}), "10.0.0.1"),
      ("MasterNode", [], (3, None), "node1"),
      ("NodeIps", [], (4, None), ["10.0.0.1"]),
      ("MasterCandidates", [], (5, None), []),
      ("InstanceIps", [], (6, None), ["10.0.0.1"]),
      ("InstanceIps", ["br1"], (6, "br1"), ["10.0.0.1"]),
      ("InstanceDisks", ["inst1"], (9, "inst1"), [{"size": 5}]),
      ("Config", ["/cluster"], (10, "/cluster"), [None, {}]),
      ("Collectors", [], (11, None), {"lv": {"active": True, "interval": 5}}),
      ]:
      reply = getattr(asker, name)(*args)
      self.assertEqual(reply.answer, answers[0], name)
      self.assertEqual(reply.serial, 5)
      self.assertIn(query, confd.requests)
    self.assertEqual(confd.refused, [])

  def testBothClientsHaveTheSame(self):
    for (name, question) in inspect.getmembers(questions.Questions,
                                               inspect.iscoroutinefunction):
      if name.startswith("_"):
        continue
      blocking = getattr(client.Client, name)
      self.assertFalse(inspect.iscoroutinefunction(blocking))
      self.assertTrue(inspect.iscoroutinefunction(getattr(client.AsyncClient,
                                                          name)))
      self.assertEqual(inspect.signature(blocking),
                       inspect.signature(question))
      self.assertEqual(blocking.__doc__, question.__doc__)
      # The call's results, and its errors
      self.assertIn("@return", blocking.__doc__, name)
      self.assertIn("@raise", blocking.__doc__, name)
      self.assertTrue(inspect.signature(question).return_annotation is None or
                      inspect.signature(question).return_annotation)
    self.assertEqual(inspect.signature(client.Client),
                     inspect.signature(client.AsyncClient))

  def testRecords(self):
    """An answer of a fixed form has names, and is a tuple; or it is an error.

    """
    minor = ["node1", 2, "inst1", "disk/0", "primary", "node2"]
    instance = {"name": "inst1"}
    for (name, args, query, answer, expected) in [
      ("MasterInfo", [], [3, {"3": [0, 1, 2]}],
       ["node1", "192.0.2.100", "192.0.2.1"],
       client.MasterInfo("node1", "192.0.2.100", "192.0.2.1")),
      ("NodeDrbd", ["node1"], [7, "node1"], [minor],
       [client.DrbdMinor(*minor)]),
      ("NodeInstances", ["node1"], [8, "node1"], [[instance], []],
       client.NodeInstances([instance], [])),
      ("NodesOfInstanceIps", [["10.0.0.1"]], [2, {"2": ["10.0.0.1"]}],
       [[1, 0]], [client.NodeOfIp(1, 0)]),
      ("Fields", ["nodes"], [64, {"what": "node"}],
       {"fields": [["name", "Node", "text", "Node name"]]},
       [client.Field("name", "Node", "text", "Node name")]),
      ]:
      answers = [answer]
      confd = self._Confd(lambda *_, answers=answers: (0, answers[0], 5))
      asker = self._Client(confd)
      reply = getattr(asker, name)(*args)
      self.assertEqual(reply.answer, expected)
      self.assertIs(type(reply.answer), type(expected))
      self.assertIn(tuple(query), confd.requests)
      for answers[0] in (None, 5, "text", [], [[]], [None, 1, 2, 3], {"a": 1},
                         {"fields": [[1]]}):
        if name == "NodeDrbd" and answers[0] == []:
          continue
        with self.assertRaisesRegex(client.MalformedAnswer, confd.peer,
                                    msg=(name, answers)):
          getattr(asker, name)(*args)

  def testTablesOfOneMoment(self):
    """Parts of several versions are asked for again, but not for ever.

    """
    asked = []

    def _Answer(changes, rtype, query):
      if rtype != protocol.REQ_QUERY:
        return (0, [], 0)
      serial = 10 + min(len(asked), changes)
      asked.append(query["what"])
      value = serial if query["what"] == "disk" else "serial %d" % serial
      return (0, {"fields": query["fields"], "rows": [[value]]}, serial)
    for (changes, expected_serial, expected) in [
      (0, 10, 2), (1, 11, 4), (3, 13, 6), (99, 14, 6)]:
      asked.clear()
      asker = self._Client(self._Confd(functools.partial(_Answer, changes)))
      reply = asker.Tables({"nodes": ["name"], "disk": ["size"]})
      self.assertEqual(asked, ["node", "disk"] * (expected // 2), changes)
      self.assertEqual(reply.serial, expected_serial)
      last = 10 + min(expected - 1, changes)
      self.assertEqual(reply.answer, {
        "nodes": [{"name": "serial %d" % expected_serial}],
        "disk": [{"size": last}]})

  def testNodesOfInstanceIpsInPortions(self):
    """At most 4,096 bytes a request; the packaged daemon adds a third item.

    """
    def _Answer(rtype, query):
      if rtype != constants.CONFD_REQ_NODE_PIP_BY_INSTANCE_IP:
        return (0, [], 0)
      ips = query["2"]
      return (0, [[0, "node of " + ip, 9] for ip in ips],
              10 if "10.0.0.0" in ips else 12)
    confd = self._Confd(_Answer)
    asker = self._Client(confd)
    ips = ["10.0.%d.%d" % (i // 250, i % 250) for i in range(3000)]
    reply = asker.NodesOfInstanceIps(ips, link="br1")
    self.assertEqual(reply.answer, [(0, "node of " + ip) for ip in ips])
    self.assertEqual(reply.answer[5].node_ip, "node of 10.0.0.5")
    self.assertEqual(reply.serial, 10)
    lists = [query for (rtype, query) in confd.requests if rtype == 2]
    self.assertGreater(len(lists), 10)
    self.assertEqual(set(query["0"] for query in lists), {"br1"})
    self.assertEqual(confd.refused, [])

  def testNoIps(self):
    asker = self._Client(self._Confd(_Fixed(0, [], 5)))
    self.assertEqual(asker.NodesOfInstanceIps([]).answer, [])

  def testMalformedAnswer(self):
    for answer in [None, 5, "x", [5], [[0]], [[0, "x"], [0, "y"]], {"a": 1}]:
      asker = self._Client(self._Confd(_Fixed(0, answer, 5)))
      with self.assertRaisesRegex(client.MalformedAnswer, "answer"):
        asker.NodesOfInstanceIps(["192.0.2.1"])

  def testRequestTooLarge(self):
    confd = self._Confd(_Fixed(0, 3000000, 5))
    with self.assertRaisesRegex(errors.ConfdClientError, "more than 4096"):
      self._Client(confd).NodeRole("x" * 5000)
    self.assertEqual(confd.requests, [])


class TestLargest(unittest.TestCase):
  def testLabelAndPart(self):
    """The largest requests fit into a datagram in any case: with the longest
    label of a reader's key, and with the number of the last part.

    """
    label = readerkey.Make("x" * 63, ["ping"], None)
    for right in sorted(readerkey.RIGHTS - {"list"}):
      with contextlib.suppress(ValueError):
        label = readerkey.Make(label.name, label.what | {right}, None)
    self.assertGreater(len(label.text), 200)
    key = wire.ReaderKey(label, readerkey.Derive(testutils.KEY, label))
    last = protocol.MAX_ANSWER // parts.PART_SIZE

    def _Split(count):
      names = ["instance%d.example.com" % i for i in range(count)]
      return session.SplitQuery(protocol.REQ_QUERY, {"what": "instance"},
                                "names", names)
    # One name more would need two requests
    most = next(i for i in range(1500, 9000) if len(_Split(i + 1)) == 2)
    (query, ) = _Split(most)
    size = len(wire.PackRequest(key, 1700000000, protocol.REQ_QUERY, query,
                                "-" * 38, last))
    self.assertLessEqual(size, constants.MAX_UDP_DATA_SIZE)
    self.assertGreater(size, constants.MAX_UDP_DATA_SIZE - 150)


class TestMalformed(_Test):
  """Candidates whose answers have another form than they should have."""

  @_WaitingLonger
  def testDoesNotBeatAnother(self):
    """However fresh it says it is, and however soon it answers.

    """
    for (status, odd, serial) in [(0, 5, 999), (0, None, 999), (1, [], 999),
                                  (3, "x", 999), (0, "x", -1), (0, "x", True),
                                  (0, "x", 1 << 63), ("0", "x", 999)]:
      broken = self._Confd(_Fixed(status, odd, serial))
      good = self._Confd(_Fixed(0, "good", 1))
      asker = self._Client(broken, good)
      reply = asker.MasterNode()
      self.assertIn("malformed answer: ", reply.silent[broken.peer])
      for _ in range(3):
        self.assertEqual((reply.answer, reply.serial), ("good", 1))
        self.assertEqual([i.address for i in reply.candidates], [good.peer])
        reply = asker.MasterNode()
      (replies, silent) = asker.Survey(3)
      self.assertEqual([i.answer for i in replies], ["good"])
      self.assertIn("malformed answer: ", silent[broken.peer])

  @_WaitingLonger
  def testReserve(self):
    """Candidates in reserve are asked at once.

    """
    broken = [self._Confd(_Fixed(0, 5, 9)) for _ in range(4)]
    good = self._Confd(_Fixed(0, "good", 1))
    with testutils.Within(5):
      asker = self._Client(*broken, good, coverage=1)
      for _ in range(5):
        self.assertEqual(asker.MasterNode().answer, "good")

  def testError(self):
    one = self._Confd(_Fixed(0, 5, 9))
    other = self._Confd(_Fixed(0, ["x"], 9))
    with self.assertRaises(client.MalformedAnswer) as context:
      self._Client(one, other).MasterNode()
    self.assertEqual(context.exception.faults, {
      one.peer: "answer: 5 instead of a text",
      other.peer: "answer: a list of 1 instead of a text"})
    self.assertIn("Malformed answer to master from", str(context.exception))
    self.assertIn("%s (answer: 5 instead of a text)" % one.peer,
                  str(context.exception))

  def testAnotherThatIsSilent(self):
    """A better answer gets longer than a second, but not all the time there is.

    """
    confds = [self._Confd(_Fixed(0, 5, 9)), self._Confd(lambda *_: None)]
    with self.assertRaises(client.MalformedAnswer), testutils.Within(20):
      self._Client(*confds, timeout=60).MasterNode()

  def testNoUsableConfigurationSaysMore(self):
    confds = [self._Confd(_Fixed(0, 5, 9)), self._Confd(_Fixed(1, "none", 0))]
    with self.assertRaisesRegex(client.ErrorAnswer, "none"):
      self._Client(*confds).MasterNode()

  @_WaitingLonger
  def testAsync(self):
    broken = self._Confd(_Fixed(0, 5, 999))
    good = self._Confd(_Fixed(0, "good", 1))

    async def _Ask():
      async with client.AsyncClient([broken.peer, good.peer],
                                    key=testutils.KEY) as asker:
        reply = await asker.MasterNode()
        self.assertEqual(reply.answer, "good")
      async with client.AsyncClient([broken.peer], key=testutils.KEY) as asker:
        with self.assertRaises(client.MalformedAnswer):
          await asker.MasterNode()
    asyncio.run(_Ask())

  def testPing(self):
    """A malformed reply to a ping shows nothing of its daemon.

    """
    now = {"pong": 3000000, "serial": 9}

    def _Answer(rtype, _):
      return (0, {0: now["pong"], 3: "node1"}.get(rtype, []), now["serial"])
    asker = self._Client(self._Confd(_Answer), timeout=3)
    self.assertEqual(asker.Ping().serial, 9)
    now.update(pong="pong", serial=5)
    testutils.AwaitStale(asker.MasterNode)


class TestCandidates(_Test):
  @_WaitingLonger
  def testNoConfigurationNeverWins(self):
    broken = self._Confd(_Fixed(1, "Cannot load configuration from x", 999))
    good = self._Confd(lambda *_: (0, "good", 1))
    asker = self._Client(broken, good)
    for _ in range(10):
      self.assertEqual(asker.MasterNode().answer, "good")

  def testErrorAnswer(self):
    asker = self._Client(self._Confd(_Fixed(1, 0, 5)))
    with self.assertRaises(client.ErrorAnswer) as context:
      asker.NodeRole("node7")
    self.assertEqual((context.exception.status, context.exception.code), (1, 0))
    self.assertEqual(context.exception.reply.serial, 5)
    self.assertIn('node-role "node7": unknown entry', str(context.exception))
    self.assertIsInstance(context.exception, errors.ConfdClientError)

  def testNothingListens(self):
    port = testutils.FreePort()
    with self.assertRaisesRegex(client.NoAnswer, "nothing listens there"), \
         testutils.Within(3):
      self._Client(peers=["127.0.0.1:%d" % port]).Ping()

  def testAnotherKey(self):
    confd = self._Confd(_Fixed(0, 3000000, 5),
                        key=b"another key, long enough\n")
    with self.assertRaisesRegex(client.NoAnswer, "another key"):
      self._Client(confd, timeout=3).Ping()

  def testForgedRepliesAreNoted(self):
    confd = self._Confd(_Fixed(0, 3000000, 5))
    pack = confd._Pack

    def _Forge(*args):
      confd.key = b"another key, long enough\n"
      try:
        return pack(*args)
      finally:
        confd.key = testutils.KEY
    setattr(confd, "_Pack", _Forge)
    with self.assertRaisesRegex(client.NoAnswer, "not authentic"):
      self._Client(confd, timeout=3).Ping()

  def testBothFamiliesAtOnce(self):
    if not testutils.HasIpv6():
      self.skipTest("no IPv6")
    four = self._Confd(_Fixed(0, "four", 4))
    six = self._Confd(_Fixed(0, "six", 6), address="::1")
    reply = self._Client(four, six).MasterNode()
    self.assertEqual(reply.answer, "six")
    self.assertEqual(sorted(i.address for i in reply.candidates),
                     sorted([four.peer, six.peer]))

  @_WaitingLonger
  def testLocalhost(self):
    for address in ["127.0.0.1", "::1"]:
      if ":" in address and not testutils.HasIpv6():
        continue
      confd = self._Confd(_Fixed(0, 3000000, 5), address=address)
      found = [(socket.AF_INET6, 2, 17, "", ("::1", confd.port, 0, 0)),
               (socket.AF_INET, 2, 17, "", ("127.0.0.1", confd.port))]
      with mock.patch.object(socket, "getaddrinfo", return_value=found):
        asker = self._Client(peers=["localhost:%d" % confd.port])
        with testutils.Within(5):
          self.assertEqual(asker.Ping().candidates[0].server, address)

  def testOneUnknownNameAmongOthers(self):
    confd = self._Confd(_Fixed(0, 3000000, 5))
    reply = self._Client(peers=["no-such-host.invalid", confd.peer]).Ping()
    self.assertIn("cannot be resolved", reply.silent["no-such-host.invalid"])

  def testCoverage(self):
    confds = [self._Confd(_Fixed(0, 3000000, 5)) for _ in range(8)]
    for (coverage, asked) in [(0, 6), (-1, 8), (3, 3)]:
      for confd in confds:
        del confd.requests[:]
      self._Client(*confds, coverage=coverage).Ping()

      # The client retransmits to candidates that do not answer at once
      def _Asked():
        return sum(bool(i.requests) for i in confds)

      testutils.WaitFor(lambda: _Asked() >= asked, "all are asked")
      time.sleep(0.02)
      self.assertEqual(_Asked(), asked)
    with self.assertRaisesRegex(errors.ConfdClientError, "Coverage 9.* 8"):
      self._Client(*confds, coverage=9).Ping()

  def testWrongArguments(self):
    for (kwargs, kind, text) in [
      ({"peers": "node1"}, errors.ProgrammerError, "node1"),
      ({"coverage": -2}, errors.ProgrammerError, "-2"),
      ({"max_memory": 0}, errors.ProgrammerError, "max_memory"),
      ({"key": b"short"}, errors.ConfigurationError, "5 bytes"),
      ({"key": None, "key_file": "/nonexistent"}, errors.ConfigurationError,
       "/nonexistent"),
      ]:
      with self.assertRaisesRegex(kind, text):
        self._Client(**kwargs)
    with self.assertRaisesRegex(errors.ConfdClientError, "empty"):
      self._Client(peers=[]).Ping()


class TestClosed(_Test):
  def _Descriptors(self):
    return len(os.listdir("/proc/self/fd"))

  def testNothingCanBeAsked(self):
    confd = self._Confd(_Fixed(0, 3000000, 5))
    for used in (False, True):
      before = self._Descriptors()
      with client.Client([confd.peer], key=testutils.KEY) as asker:
        if used:
          asker.Ping()
      asker.Close()
      del confd.requests[:]
      for (name, *args) in [("Ping", ), ("Learn", ), ("Survey", 0),
                            ("List", "node", ["name"]),
                            ("NodesOfInstanceIps", [])]:
        with self.assertRaisesRegex(errors.ProgrammerError, "is closed"):
          getattr(asker, name)(*args)
      self.assertEqual(self._Descriptors(), before)
    time.sleep(0.1)
    self.assertEqual(confd.requests, [])

  def testNothingCanBeAskedInAsyncio(self):
    confd = self._Confd(_Fixed(0, 3000000, 5))

    async def _Ask():
      before = self._Descriptors()
      async with client.AsyncClient([confd.peer], key=testutils.KEY) as asker:
        await asker.Ping()
      for call in (asker.Ping, asker.Learn, lambda: asker.Survey(0)):
        with self.assertRaisesRegex(errors.ProgrammerError, "is closed"):
          await call()
      self.assertEqual(self._Descriptors(), before)
    asyncio.run(_Ask())

  def testQuestionsUnderWayEnd(self):
    silent = self._Confd(lambda *_: None)

    async def _Ask():
      asker = client.AsyncClient([silent.peer], key=testutils.KEY, timeout=600)
      # More than are let in at a time
      asking = [asyncio.ensure_future(asker.Ping()) for _ in range(200)]
      # The socket is open when the first request was sent
      while not silent.requests:
        await asyncio.sleep(0.01)
      before = self._Descriptors()
      asker.Close()
      results = await asyncio.wait_for(
        asyncio.gather(*asking, return_exceptions=True), testutils.PATIENCE)
      self.assertEqual({type(i) for i in results}, {errors.ProgrammerError})
      self.assertLess(self._Descriptors(), before)
      self.assertEqual(asker._transport.operations, {})
    asyncio.run(_Ask())

  def testOneLoop(self):
    confd = self._Confd(_Fixed(0, 3000000, 5))
    asker = client.AsyncClient([confd.peer], key=testutils.KEY)
    asyncio.run(asker.Ping())
    with self.assertRaisesRegex(errors.ProgrammerError, "another event loop"):
      asyncio.run(asker.Ping())
    asker.Close()

  def testWithoutAsyncio(self):
    """A coroutine in the event loop of another library, such as trio's."""
    confd = self._Confd(_Fixed(0, 3000000, 5))
    asker = client.AsyncClient([confd.peer], key=testutils.KEY)
    async def _Follow():
      async for _ in asker.Follow("nodes", ["name"]):
        pass
    # Another library's loop, too, drives a coroutine by this method
    for question in (asker.Ping(), _Follow()):
      with self.assertRaisesRegex(errors.ProgrammerError,
                                  "asyncio's event loop.*to_thread"):
        question.send(None)
    # The client is not bound to any loop by the attempt
    self.assertEqual(asyncio.run(asker.Ping()).answer, 3000000)
    asker.Close()

  def testOneThreadAtATime(self):
    problems = []

    def _Answer(*_):
      try:
        asker.Ping()
      except errors.ProgrammerError as err:
        problems.append(str(err))
      return (0, 3000000, 5)
    confd = self._Confd(_Answer)
    asker = self._Client(confd)
    asker.Ping()
    self.assertIn("each thread needs one of its own", problems[0])
    # The client goes on working
    asker.Ping()


class TestForked(_Test):
  """A client that two processes have.

  """
  def _InChild(self, function):
    """Runs a function in a forked process.

    @return: what it has returned, or the exception, as text

    """
    (reader, writer) = os.pipe()
    pid = os.fork()
    if pid == 0:
      try:
        os.write(writer, str(function()).encode("utf-8"))
      except BaseException as err: # pylint: disable=W0703
        os.write(writer, repr(err).encode("utf-8"))
      finally:
        os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as fobj:
      result = fobj.read()
    os.waitpid(pid, 0)
    return result

  def testEachHasSocketsOfItsOwn(self):
    """Or one would take the replies that the other waits for.

    """
    confd = self._Confd(_Fixed(0, "node1", 5))
    asker = self._Client(confd)
    asker.MasterNode()

    def _Port():
      self.assertEqual(asker.MasterNode().answer, "node1")
      (sock, ) = asker._questions._transport.Sockets()
      return sock.getsockname()[1]
    before = _Port()
    self.assertRegex(self._InChild(_Port), r"^\d+$")
    self.assertNotEqual(self._InChild(_Port), str(before))
    self.assertEqual(_Port(), before)

  def testForkedWhileAThreadAsks(self):
    answering = threading.Event()
    confd = self._Confd(lambda *_: (0, "node1", 5) if answering.is_set() else
                        None)
    asker = self._Client(confd, timeout=testutils.PATIENCE)
    thread = threading.Thread(target=asker.MasterNode)
    thread.start()
    self.addCleanup(thread.join)
    self.addCleanup(answering.set)
    testutils.WaitFor(lambda: confd.requests, "a request")
    child = threading.Timer(0.5, answering.set)
    child.start()
    self.addCleanup(child.join)
    self.assertEqual(self._InChild(lambda: asker.MasterNode().answer), "node1")

  def testForkedWhileANameIsResolved(self):
    """The thread that does so is not in the new process.

    """
    confd = self._Confd(_Fixed(0, "node1", 5))
    resolving = threading.Event()
    ends = threading.Event()
    self.addCleanup(ends.set)
    parent = os.getpid()
    real = socket.getaddrinfo

    def _Lookup(host, port, *args, **kwargs):
      if host != "node1":
        return real(host, port, *args, **kwargs)
      if kwargs.get("flags"):
        raise socket.gaierror(socket.EAI_NONAME, "no address")
      resolving.set()
      if os.getpid() == parent:
        ends.wait(testutils.PATIENCE)
      return real("127.0.0.1", port, *args, **kwargs)
    with mock.patch.object(socket, "getaddrinfo", _Lookup):
      asker = self._Client(peers=["node1:%d" % confd.port], timeout=3)
      self.assertRaises(client.NoAnswer, asker.MasterNode)
      self.assertTrue(resolving.is_set())
      self.assertEqual(self._InChild(lambda: asker.MasterNode().answer),
                       "node1")


class TestLearning(_Test):
  """Candidates that are learned have the same port, so addresses differ.

  """
  def setUp(self):
    self.serial = 10
    self.list = ["127.0.2.1", "127.0.2.2"]
    self.port = testutils.FreePort("127.0.2.1")
    self.confds = dict((address, self._Confd(self._Answer, address=address,
                                             port=self.port))
                       for address in ["127.0.2.1", "127.0.2.2", "127.0.2.3"])

  def _Answer(self, rtype, _):
    if rtype == constants.CONFD_REQ_MC_PIP_LIST:
      return (0, self.list, self.serial)
    return (0, 3000000, self.serial)

  def _Answering(self, asker):
    reply = asker.Ping()
    time.sleep(0.05)
    return sorted(set(i.address for i in asker.Survey(0)[0]) |
                  set(i.address for i in reply.candidates))

  @_WaitingLonger
  def testLearnsAsTheSerialMoves(self):
    asker = self._Client(peers=["127.0.2.1"], port=self.port)
    asker.Ping()
    self.assertEqual(self._Answering(asker), ["127.0.2.1", "127.0.2.2"])
    self.list = ["127.0.2.2", "127.0.2.3"]
    self.serial = 11
    with mock.patch.object(candidates, "_LEARN_MIN", 0):
      asker.Ping()
      # The one that was given stays
      self.assertEqual(self._Answering(asker),
                       ["127.0.2.1", "127.0.2.2", "127.0.2.3"])

  def testSurvivesTheOneThatWasGiven(self):
    asker = self._Client(peers=["127.0.2.1"], port=self.port)
    asker.Ping()
    asker.Ping()
    self.confds["127.0.2.1"].Stop()
    self.addCleanup(setattr, self.confds["127.0.2.1"], "Stop", lambda: None)
    reply = asker.Ping()
    self.assertEqual([i.address for i in reply.candidates], ["127.0.2.2"])

  @_WaitingLonger
  def testDoesNotWaitForLearnedOnesOutOfReach(self):
    self.list = ["127.0.2.1", "127.0.2.9"]
    asker = self._Client(peers=["127.0.2.1"], port=self.port)
    with testutils.Within(5):
      for _ in range(5):
        asker.Ping()

  @_WaitingLonger
  def testRereadsSsconf(self):
    with mock.patch.object(localnode, "ReadSsconf") as read:
      read.return_value = ["127.0.2.1"]
      self.list = []
      asker = self._Client(peers=None, port=self.port)
      asker.Ping()
      read.return_value = ["127.0.2.3"]
      self.serial = 11
      with mock.patch.object(candidates, "_LEARN_MIN", 0):
        asker.Ping()
      self.assertEqual(self._Answering(asker), ["127.0.2.3"])

  def testRereadsTheKey(self):
    with tempfile.TemporaryDirectory() as tmpdir:
      path = os.path.join(tmpdir, "key")
      testutils.WriteFile(path, testutils.KEY)
      asker = self._Client(peers=["127.0.2.1"], port=self.port, key=None,
                           key_file=path, timeout=3)
      asker.Ping()
      new_key = b"a new key, which is long enough\n"
      for confd in self.confds.values():
        confd.key = new_key
      with self.assertRaises(client.NoAnswer):
        asker.Ping()
      testutils.WriteFile(path, b"short")
      with self.assertRaises(client.NoAnswer):
        asker.Ping()
      testutils.WriteFile(path, new_key)
      asker.Ping()

  def testNonsenseForAListIsIgnored(self):
    asker = self._Client(peers=["127.0.2.1"], port=self.port)
    with mock.patch.object(candidates, "_LEARN_MIN", 0):
      for nonsense in [None, 5, "127.0.2.2", ["nonsense"], [None], {"a": 1}]:
        self.list = nonsense
        self.serial += 1
        asker.Ping()
        asker.Ping()


class TestAsync(_Test):
  def _Run(self, function, *confds, **kwargs):
    async def _Main():
      arguments = {"peers": [i.peer for i in confds], "key": testutils.KEY,
                   "timeout": 5}
      arguments.update(kwargs)
      async with client.AsyncClient(**arguments) as asker:
        return await function(asker)
    return asyncio.run(_Main())

  def testConcurrent(self):
    confd = self._Confd(lambda rtype, query: (0, [rtype, query], 5))

    async def _Ask(asker):
      replies = await asyncio.gather(*[asker.Config("node%d" % i)
                                       for i in range(200)])
      self.assertEqual([i.answer[1] for i in replies],
                       ["node%d" % i for i in range(200)])
      self.assertEqual(len(asker._transport.Sockets()), 1)
    self._Run(_Ask, confd)

  def testErrors(self):
    confd = self._Confd(_Fixed(1, 0, 5))

    async def _Ask(asker):
      with self.assertRaises(client.ErrorAnswer):
        await asker.NodeRole("node1")
    self._Run(_Ask, confd)

  def testNoAnswer(self):
    confd = self._Confd(lambda *_: None)

    async def _Ask(asker):
      with self.assertRaises(client.NoAnswer):
        await asker.Ping()
    self._Run(_Ask, confd, timeout=0.2)

  def testTimeoutOfAsyncio(self):
    confd = self._Confd(lambda *_: None)

    async def _Ask(asker):
      with self.assertRaises(asyncio.TimeoutError), testutils.Within(5):
        await asyncio.wait_for(asker.Ping(), 0.2)
      self.assertEqual(asker._transport.operations, {})
      self.assertEqual(asker._driver._waiters, {})
    self._Run(_Ask, confd)

  def testCancelOneOfTwo(self):
    confd = self._Confd(lambda rtype, query:
                        None if query == "silent" else (0, query, 5))

    async def _Ask(asker):
      silent = asyncio.ensure_future(asker.Config("silent"))
      await asyncio.sleep(0.05)
      other = asyncio.ensure_future(asker.Config("other"))
      silent.cancel()
      with self.assertRaises(asyncio.CancelledError):
        await silent
      self.assertEqual((await other).answer, "other")
      self.assertEqual(asker._transport.operations, {})
    self._Run(_Ask, confd)

  def testResolvesWithoutBlocking(self):
    confd = self._Confd(_Fixed(0, 3000000, 5))
    real = socket.getaddrinfo
    (resolving, others) = (threading.Event(), threading.Event())
    found = []

    def _Slow(*args, **kwargs):
      resolving.set()
      # While nothing else runs, this takes all the time there is
      found.append(others.wait(testutils.PATIENCE / 2))
      return real(*args, **kwargs)

    async def _Ask(asker):
      question = asyncio.ensure_future(asker.Ping())
      while not resolving.is_set():
        await asyncio.sleep(0.01)
      others.set()
      await question
    with mock.patch.object(socket, "getaddrinfo", _Slow):
      self._Run(_Ask, confd, timeout=testutils.PATIENCE)
    self.assertEqual(set(found), {True})

  def testManyAtOnceResolveOnce(self):
    confd = self._Confd(_Fixed(0, 3000000, 5))
    calls = []
    real = socket.getaddrinfo

    def _Count(*args, **kwargs):
      calls.append(args)
      return real(*args, **kwargs)

    async def _Ask(asker):
      await asyncio.gather(*[asker.Ping() for _ in range(100)])
    with mock.patch.object(socket, "getaddrinfo", _Count):
      self._Run(_Ask, confd)
    # Once, and once more if a question begins after another one's answer: it
    # learns the candidates
    self.assertIn(len(calls), [1, 2])

  def testErrorThatNobodyWaitsFor(self):
    """asyncio does not log the error when it is forgotten.

    """
    problems = []

    async def _AskNobody():
      asyncio.get_running_loop().set_exception_handler(
        lambda _, context: problems.append(context["message"]))
      async with client.AsyncClient([], key=testutils.KEY) as asker:
        task = asyncio.ensure_future(asker.Ping())
        await asyncio.sleep(0)
        calls = list(asker._driver._calls.values())
        self.assertEqual(len(calls), 1)
        task.cancel()
        await asyncio.wait(calls)
        del task, calls
      gc.collect()
    asyncio.run(_AskNobody())
    self.assertEqual(problems, [])

  def testAFewAtATime(self):
    """More requests would overflow queues, and cause retransmits.

    """
    under_way = []
    askers = []

    def _Answer(*_):
      under_way.append(len(askers[0]._transport.operations))
      return (0, 3000000, 5)

    async def _Ask(asker):
      askers.append(asker)
      await asyncio.gather(*[asker.Ping() for _ in range(300)])
      # All places were given back
      self.assertEqual(asker._driver._gate._free, aio._AT_ONCE)
    with mock.patch.object(aio, "_COUNTED", 600):
      self._Run(_Ask, self._Confd(_Answer))
    self.assertLessEqual(max(under_way), aio._AT_ONCE)

  def testPlacesAreGivenBack(self):
    """By those that get no answer, too, and by those that are cancelled.

    """
    confd = self._Confd(lambda rtype, query:
                        None if query == "silent" else (0, query, 5))

    async def _Ask(asker):
      silent = [asyncio.ensure_future(asker.Config("silent"))
                for _ in range(3 * aio._AT_ONCE)]
      await asyncio.sleep(0.05)
      for task in silent[::2]:
        task.cancel()
      other = await asyncio.wait_for(asker.Config("other"),
                                     testutils.PATIENCE)
      self.assertEqual(other.answer, "other")
      for task in silent:
        task.cancel()
      await asyncio.gather(*silent, return_exceptions=True)
      await asyncio.sleep(0.01)
      self.assertEqual(asker._driver._gate._free, aio._AT_ONCE)
      self.assertEqual(asker._transport.operations, {})
    self._Run(_Ask, confd, timeout=600)

  def testCloseAfterTheLoop(self):
    confd = self._Confd(_Fixed(0, 3000000, 5))
    asker = client.AsyncClient([confd.peer], key=testutils.KEY)
    asyncio.run(asker.Ping())
    asker.Close()


if __name__ == "__main__":
  unittest.main()

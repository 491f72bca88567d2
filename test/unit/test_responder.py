#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of the responder with each source of answers, without sockets.

"""

import gc
import json
import logging
import sys
import tracemalloc
import unittest
from unittest import mock

import testutils
from testutils import PING, NODE_ROLE, NODE_OF_IP, MASTER, NODE_IPS, CONFIG
from testutils import QUERY, STATS, WAIT

from ganeti.confd import protocol
from ganeti.confd import querylib
from ganeti.confd.config import snapshot
from ganeti.confd.protocol import parts
from ganeti.confd.serving import answers
from ganeti.confd.serving import counters
from ganeti.confd.serving import replay
from ganeti.confd.serving import responder


KEY = testutils.KEY
NOW = 1700000000


LIMIT = 16

LARGE = answers.Delegate.LARGE


def _Snapshot(**kwargs):
  config = testutils.MakeConfig(
    nodes=[testutils.MakeNode(index, master_candidate=index == 1)
           for index in range(1, 4)],
    instances=[testutils.MakeInstance(
      index, 1 + index % 3, nics=["198.51.100.%d" % index])
               for index in range(30)], **kwargs)
  return snapshot.Snapshot(json.dumps(config).encode("ascii"))


class _Test(unittest.TestCase):
  #: The label of the reader's key that is asked with, None for the cluster's
  label = None

  def setUp(self):
    self.snap = _Snapshot(filler=["x" * 4000], many=[0] * 6000)
    self.replays = replay.ReplayTable()
    self.row = counters.Counters(1).Row(0)
    self.sent = 0

  def Responder(self, source):
    return responder.Responder(source, KEY, self.row, self.replays)

  def Worker(self):
    return self.Responder(answers.Quick(self.snap))

  def Large(self):
    return self.Responder(answers.Large(self.snap))

  def Pack(self, rtype, query=None, **kwargs):
    """Makes another request each time."""
    self.sent += 1
    kwargs.setdefault("rsalt", "salt%d" % self.sent)
    return testutils.PackMessage(
      KEY, testutils.MakeMessage(rtype, query, **kwargs), str(NOW), self.label)

  def Ask(self, asked, rtype, query=None, now=NOW, **kwargs):
    """Returns the message of the reply, or what came in its place."""
    reply = asked.Respond(self.Pack(rtype, query, **kwargs), now)
    if not isinstance(reply, bytes):
      return reply
    more = ("part", "parts", "sha256") if "part" in kwargs else ()
    try:
      return testutils.UnpackReply(KEY, reply, more, self.label)[1]
    except AssertionError:
      return testutils.UnpackReply(KEY, reply, label=self.label)[1]

  def Count(self, name):
    return self.row[counters.INDEX[name]]


class TestReplies(_Test):
  def testOk(self):
    worker = self.Worker()
    for _ in range(2):
      self.assertEqual(self.Ask(worker, PING),
                       {"protocol": 1, "status": 0, "answer": 3000000,
                        "serial": 17})
    self.assertEqual(self.Count("queries ping"), 2)
    self.assertEqual(self.Count("replies ok"), 2)

  def testErrors(self):
    worker = self.Worker()
    for (rtype, query, status, answer, name) in [
        (NODE_ROLE, "nobody", 1, 0, "replies error"),
        (CONFIG, "/nothing", 1, 2, "replies error"),
        (12, None, 2, None, "replies not-implemented")]:
      for count in (1, 2):
        before = self.Count(name)
        reply = self.Ask(worker, rtype, query)
        self.assertEqual((reply["status"], reply["answer"]), (status, answer))
        self.assertEqual(self.Count(name), before + 1, count)
    self.assertEqual(self.Count("queries unknown"), 2)

  def testSilence(self):
    worker = self.Worker()
    for (datagram, reason) in [
        (b"x", "fourcc"), (b"plj0{", "json"),
        (testutils.PackMessage(b"k" * 20, testutils.MakeMessage(PING)), "hmac"),
        (testutils.PackMessage(KEY, testutils.MakeMessage(PING),
                               str(NOW - 301)), "clock")]:
      self.assertIsNone(worker.Respond(datagram, NOW))
      self.assertEqual(self.Count("dropped %s" % reason), 1)

  def testProgrammingError(self):
    """One is logged once, and gets an answer."""
    worker = self.Worker()
    with mock.patch.object(answers.querylib, "Answer", side_effect=KeyError), \
         self.assertLogs(level=logging.ERROR) as logs:
      for query in ["/cluster", "/nodes", {"1": "198.51.100.1"}]:
        reply = self.Ask(worker, CONFIG, query)
        self.assertEqual((reply["status"], reply["answer"]), (1, 1))
      self.assertEqual(len(logs.output), 1)
      # Also where an answer is looked up
      self.assertEqual(self.Ask(worker, NODE_OF_IP,
                                {"1": "198.51.100.1"})["answer"], 1)

  def _Unescaped(self, rtype, query, rsalt):
    """Makes a request that is shorter than a client would make it."""
    text = json.dumps(testutils.MakeMessage(rtype, query, rsalt=rsalt),
                      ensure_ascii=False)
    return b"plj0" + json.dumps(
      {"msg": text, "salt": str(NOW),
       "hmac": testutils.Sign(KEY, str(NOW) + text)},
      ensure_ascii=False).encode("utf-8")

  def testSaltWithoutRoom(self):
    worker = self.Worker()
    for rtype in (PING, CONFIG):
      self.assertIsNone(worker.Respond(
        self._Unescaped(rtype, "/filler", 10300 * "\xe9"), NOW))
    self.assertEqual(self.Count("dropped rsalt"), 2)
    # Room for the error only
    (_, message) = testutils.UnpackReply(KEY, worker.Respond(
      self._Unescaped(CONFIG, "/filler", 10000 * "\xe9"), NOW))
    self.assertEqual(message["answer"], protocol.ERROR_TOO_LARGE)


class TestReaders(_Test):
  """Requests with a reader's key."""

  #: A question of each type, and what may be asked with a part
  QUESTIONS = [(number, None) for number in range(12)] + [
    (QUERY, {"what": "node"}), (QUERY, {"what": "instance"}), (STATS, None),
    (12, None)]

  def _All(self):
    """Makes one responder of each kind."""
    about_itself = answers.Loader(17, lambda: {"x": 1})
    return [self.Worker(), self.Large(), self.Responder(about_itself)]

  def _IsRefused(self, asked, *args, **kwargs):
    reply = self.Ask(asked, *args, **kwargs)
    return (isinstance(reply, dict) and
            (reply["status"], reply["answer"]) == (1, 4))

  def testSameAnswers(self):
    """Permitted questions are answered as with the cluster's key."""
    for (rtype, query, part) in [
        (PING, None, None), (NODE_ROLE, "node1", None),
        (NODE_ROLE, "nobody", None),
        (NODE_OF_IP, {"1": "198.51.100.1"}, None), (CONFIG, "/filler", None),
        (CONFIG, "/many", None), (PING, None, 0), (STATS, None, None),
        (QUERY, {"what": "node"}, None), (12, None, None),
        (CONFIG, "/filler", 0)]:
      kwargs = {} if part is None else {"part": part}
      for asked in self._All()[:2]:
        replies = []
        for self.label in [None, "a:all:never", None, "a:all:20991231"]:
          replies.append(self.Ask(asked, rtype, query, **kwargs))
        self.assertEqual(replies, replies[:1] * 4)
        self.assertFalse(replies[0] in [None, {}])
    self.assertEqual(self.Count("replies not-permitted"), 0)

  def testRefused(self):
    """No process answers, whatever the cluster's key was answered before."""
    refused = 0
    for asked in self._All():
      for (rtype, query) in self.QUESTIONS:
        self.label = None
        self.Ask(asked, rtype, query)
        for (label, mine) in [
            ("a:ping:never", PING), ("a:config:never", CONFIG),
            ("a:list/nodes:never", QUERY), ("a:stats:never", STATS)]:
          self.label = label
          permitted = rtype == mine and query != {"what": "instance"}
          for kwargs in [{}, {"part": 0}, {"part": [[]]}]:
            self.assertEqual(self._IsRefused(asked, rtype, query, **kwargs),
                             not permitted, (label, rtype, query, kwargs))
            refused += not permitted
    self.assertEqual(self.Count("replies not-permitted"), refused)
    self.assertGreaterEqual(self.Count("replies error"), refused)

  def testNothingIsMadeForTheRefused(self):
    self.label = "a:ping:never"
    for asked in self._All():
      with mock.patch.object(asked._source, "Make") as make:
        self.assertTrue(self._IsRefused(asked, CONFIG, "/many"))
        self.assertTrue(self._IsRefused(asked, STATS))
        self.assertFalse(make.called)

  def testEnd(self):
    """By the daemon's clock, whatever the request says of its own."""
    self.label = "a:ping:20231114"
    (last, first) = (1700006399, 1700006400)
    with mock.patch(__name__ + ".NOW", last):
      for asked in self._All():
        self.assertFalse(self._IsRefused(asked, PING, now=last))
        self.assertTrue(self._IsRefused(asked, PING, now=first))
        self.assertTrue(self._IsRefused(asked, PING, now=first, part=0))
        self.assertFalse(self._IsRefused(asked, PING, now=last))

  def testSilence(self):
    """Labels that are forged, or none, are counted as forged."""
    for (count, label) in enumerate(["a:all:never", "a:ping", "", 5, None], 1):
      datagram = testutils.PackEnvelope(dict(json.loads(
        self.Pack(PING)[4:]), key=label))
      for asked in self._All():
        self.assertIsNone(asked.Respond(datagram, NOW))
      self.assertEqual(self.Count("dropped hmac"), 3 * count)

  def testCopies(self):
    """The limits are the same ones, for what is permitted and what is not."""
    self.label = "a:config,node-role:never"
    worker = self.Worker()
    for (rtype, query, limited) in [
        (NODE_ROLE, "node1", False), (PING, None, False),
        (CONFIG, "/filler", True), (CONFIG, "/many", True)]:
      datagram = self.Pack(rtype, query)
      got = sum(worker.Respond(datagram, NOW) is not None for _ in range(50))
      self.assertEqual(got, LIMIT if limited else 50)
    self.replays.LimitShort(NOW)
    for rtype in (NODE_ROLE, PING):
      datagram = self.Pack(rtype, "node1")
      got = sum(worker.Respond(datagram, NOW) is not None for _ in range(50))
      self.assertEqual(got, LIMIT)

  def testRoom(self):
    """An answer that just fits a datagram does not with a label."""
    size = 0
    for expected in [0, 61440]:
      self.snap = _Snapshot(text="x" * size)
      reply = self.Worker().Respond(self.Pack(CONFIG, "/text", rsalt="s"), NOW)
      size = 61440 - len(reply)
      self.assertEqual(len(reply), expected or len(reply))
    worker = self.Worker()
    for (label, error) in [(None, False), ("a:all:never", True)]:
      self.label = label
      reply = self.Ask(worker, CONFIG, "/text", rsalt="s")
      self.assertEqual(reply["answer"] == protocol.ERROR_TOO_LARGE, error)
    self.assertEqual(self.Count("replies too-large"), 1)


class TestCopies(_Test):
  """The work for copies of a request."""

  def _Copies(self, asked, datagram, count=100, **kwargs):
    """Returns how many copies got something else than silence."""
    return sum(asked.Respond(datagram, NOW, **kwargs) is not None
               for _ in range(count))

  def testShortAndKnown(self):
    worker = self.Worker()
    self.assertEqual(self._Copies(worker, self.Pack(PING)), 100)
    self.assertEqual(self.Count("dropped replayed"), 0)

  def testWait(self):
    """A question that waits, also when there is nothing to wait for any more.

    """
    worker = self.Worker()
    for query in [{"serial": 1, "seconds": 60}, {"serial": "x"}]:
      # Somebody has asked it
      self.assertIsNotNone(worker.Respond(self.Pack(WAIT, query), NOW))
      datagram = self.Pack(WAIT, query)
      self.assertEqual(self._Copies(worker, datagram), LIMIT)
      # Nor do others answer it
      self.assertEqual(self._Copies(self.Worker(), datagram), 0)

  def testLong(self):
    worker = self.Worker()
    self.assertEqual(self._Copies(worker, self.Pack(CONFIG, "/filler")), LIMIT)
    self.assertEqual(self.Count("dropped replayed"), 100 - LIMIT)

  def testElsewhere(self):
    """Answers for another process to make are not left to it more often."""
    worker = self.Worker()
    network = {"what": "network", "fields": ["map"], "names": ["a"]}
    for (rtype, query, part) in [
        (QUERY, {"what": "node", "fields": ["name"]}, None),
        (QUERY, network, None), (STATS, None, None), (CONFIG, "/many", None),
        (PING, None, 0)]:
      with self.subTest(rtype=rtype, query=query):
        datagram = self.Pack(rtype, query,
                             part=testutils.MISSING if part is None else part)
        self.assertIsInstance(worker.Respond(datagram, NOW), answers.Delegate)
        self.assertEqual(self._Copies(worker, datagram), LIMIT - 1)

  def testForwarded(self):
    """A worker has asked already, so the other process does not."""
    large = self.Large()
    datagram = self.Pack(QUERY, {"what": "node", "fields": ["uuid"]})
    self.assertEqual(self._Copies(large, datagram, forwarded=True), 100)
    # The other process makes the same answer
    self.assertEqual(self._Copies(large, datagram, LIMIT), LIMIT)

  def testNothingIsMadeAgain(self):
    """Copies cost a look-up, whatever was asked, also once it is answered.

    """
    worker = self.Worker()
    questions = [
      (NODE_ROLE, "nobody"), (CONFIG, "/filler"), (CONFIG, "/many"),
      (CONFIG, "/nothing"), (NODE_OF_IP, {"2": ["198.51.100.1"]}),
      (NODE_OF_IP, {"2": 5}), (MASTER, {"3": [0, "1"]}), (MASTER, [[]]),
      (QUERY, {"what": "node", "fields": ["name"], "names": ["node1"]}),
      (QUERY, {"what": "node", "fields": ["name"], "names": ["x"]}),
      (QUERY, {"what": "instance", "fields": ["hvparams"], "names": ["x"]}),
      (QUERY, {"what": "node"}), (12, {"x": 1}), (PING, ["x"])]
    for (rtype, query) in questions:
      datagram = self.Pack(rtype, query)
      first = worker.Respond(datagram, NOW)
      self.assertIsNotNone(first)
      with mock.patch.object(worker._source, "Make") as make:
        for _ in range(2):
          self.assertEqual(worker.Respond(datagram, NOW), first)
        # Somebody else asks the same
        self.assertIsNotNone(self.Ask(worker, rtype, query))
        self.assertFalse(make.called, (rtype, query))

  def testNothingIsMadeForCopies(self):
    """Answers that are not kept are not made more often than permitted."""
    worker = self.Worker()
    datagram = self.Pack(CONFIG, "/filler")
    with mock.patch.object(worker._source, "Known", return_value=None), \
         mock.patch.object(worker._source, "Make",
                           wraps=worker._source.Make) as make:
      worker._known = worker._source.Known
      worker._cached = lambda _: None
      self._Copies(worker, datagram)
      self.assertEqual(make.call_count, LIMIT)

  def testWary(self):
    """Where replies cannot be delivered, short ones are limited too.

    In all processes, and in those that come after them.

    """
    (worker, other) = (self.Worker(), self.Worker())
    self.Ask(worker, PING)
    self.replays.LimitShort(NOW)
    datagram = self.Pack(PING)
    self.assertEqual(self._Copies(worker, datagram), LIMIT)
    self.assertEqual(self._Copies(other, datagram), 0)
    self.assertEqual(self._Copies(self.Worker(), datagram), 0)

  def testPartsAreNotLimitedToEachOther(self):
    large = self.Large()
    for _ in range(50):
      self.assertEqual(self.Ask(large, CONFIG, "/many", part=0)["part"], 0)


class TestQuick(_Test):
  """Which answers a worker makes, and what it keeps of them."""

  def testElsewhere(self):
    worker = self.Worker()
    # A type that nobody knows is none of those that others answer
    self.assertEqual(self.Ask(worker, 12)["status"], 2)
    for (rtype, query, expected) in [
        (STATS, None, answers.Delegate.LOADER), (CONFIG, "/many", LARGE),
        (QUERY, {"what": "node", "fields": ["name"]}, LARGE)]:
      self.assertIs(self.Ask(worker, rtype, query), expected)
    self.assertIs(self.Ask(worker, PING, part=0), LARGE)
    reply = self.Ask(worker, QUERY, {"what": "node", "fields": ["name"],
                                     "names": ["node1"]})
    self.assertEqual(reply["answer"],
                     {"fields": ["name"], "rows": [["node1.example.com"]]})

  def _Sizes(self, source):
    cache = source._cache
    return (len(cache._outcomes), cache._size)

  def testMadeUpArguments(self):
    """Questions that ignore their argument leave one entry in the cache."""
    source = answers.Quick(self.snap)
    worker = self.Responder(source)
    for rtype in (PING, NODE_IPS, 5, 11, 77):
      (before, _) = self._Sizes(source)
      for query in [None, "", "x", 1, 1.5, {}, [], {"a": "b"}] + list(range(9)):
        self.Ask(worker, rtype, query)
      (after, _) = self._Sizes(source)
      self.assertEqual(after, before + 1, rtype)
    for rtype in range(1000, 1020):
      self.Ask(worker, rtype)
    self.assertEqual(self._Sizes(source)[0], after)

  def testBound(self):
    """Whatever is asked, no more is kept than there may be."""
    with mock.patch.object(answers, "_CACHE_SIZE", 100000):
      source = answers.Quick(_Snapshot(many=[0] * 6000))
    source._cache._limit = 100000
    worker = self.Responder(source)
    smile = "\U0001f600"
    for index in range(300):
      for (rtype, query) in [
          (NODE_ROLE, "x%d" % index), (NODE_ROLE, "%d" % index + 100 * smile),
          (MASTER, {"3": [index]}), (CONFIG, "/many/" + "0" * index),
          (QUERY, {"what": "node", "fields": ["name"],
                   "names": None, "x": index})]:
        self.Ask(worker, rtype, query)
        cache = source._cache
        size = sum(sys.getsizeof(key.query) + answers._CACHE_OVERHEAD +
                   (len(outcome.message.data) + len(outcome.message.head)
                    if isinstance(outcome, answers.Answer) else 0)
                   for (key, outcome) in cache._outcomes.items())
        self.assertEqual(cache._size, size)
        self.assertLessEqual(size, 100000)

  def testOverhead(self):
    """The size that is counted for an answer is the memory that it takes.

    """
    limit = 1 << 20
    for (name, key, value) in [
        ("neither is long", str, lambda i: ""),
        ("long questions", lambda i: "%05d" % i * 200, lambda i: ""),
        ("wide questions", lambda i: "\U0001f600%d" % i * 9, lambda i: ""),
        ("questions of bytes", lambda i: b"%05d" % i * 20, lambda i: ""),
        ("long answers", str, lambda i: "%05d" % i * 200)]:
      with self.subTest(name):
        gc.collect()
        tracemalloc.start()
        try:
          before = tracemalloc.get_traced_memory()[0]
          cache = answers._Cache(limit)
          for i in range(3000):
            cache.Put(answers._Key(NODE_ROLE, key(i)),
                      answers.Encode((0, value(i)), 17))
            if i % 100 == 0:
              taken = tracemalloc.get_traced_memory()[0] - before
              self.assertLess(taken, max(cache._size, limit // 10))
        finally:
          tracemalloc.stop()

  def testAddresses(self):
    """Questions for one address leave nothing behind but their few answers.

    """
    source = answers.Quick(self.snap)
    worker = self.Responder(source)
    for index in range(30):
      reply = self.Ask(worker, NODE_OF_IP, {"1": "198.51.100.%d" % index})
      self.assertEqual((reply["status"], reply["answer"]),
                       (0, "192.0.2.%d" % (1 + index % 3)))
      for query in [{"1": "x%d" % index}, {"1": "x", "0": index}]:
        self.assertEqual(self.Ask(worker, NODE_OF_IP, query)["status"], 1)
    self.assertEqual(self._Sizes(source), (0, 0))
    self.assertEqual(len(source._addresses), 5)

  def testLikeTheUncached(self):
    """A question is never taken for another one."""
    worker = self.Worker()
    for query in [{"3": [0]}, {"3": ["0"]}, {"3": [True]}, {"3": [0.0]},
                  "{\"3\":[0]}", {"3": []}, {"3": None}, {}, "", None, "x"]:
      for _ in range(2):
        message = self.Ask(worker, MASTER, query)
        self.assertEqual(
          (message["status"], message["answer"]),
          querylib.Answer(self.snap, mock.Mock(type=MASTER, query=query)))
    # Python would write such a number in another way
    for (number, expected) in [("1e999", (1, 2)), ("null", (0, [])),
                               ("-1e999", (1, 2))]:
      text = json.dumps(testutils.MakeMessage(NODE_OF_IP, {"1": "number"}))
      reply = worker.Respond(testutils.PackText(
        KEY, str(NOW), text.replace("\"number\"", number)), NOW)
      (_, message) = testutils.UnpackReply(KEY, reply)
      self.assertEqual((message["status"], message["answer"]), expected)


class TestLarge(_Test):
  def testWholeAndParts(self):
    large = self.Large()
    query = {"what": "instance", "fields": ["name", "uuid"]}
    expected = querylib.Answer(self.snap, mock.Mock(type=QUERY, query=query))
    with mock.patch.object(answers.querylib, "AnswerInPieces",
                           wraps=querylib.AnswerInPieces) as make:
      for _ in range(3):
        self.assertEqual(self.Ask(large, QUERY, query)["answer"], expected[1])
        reply = self.Ask(large, QUERY, query, part=0)
        self.assertEqual((reply["part"], reply["parts"]), (0, 1))
      self.assertEqual(make.call_count, 1)
    assembly = parts.Assembly(1, reply["sha256"])
    assembly.Add(0, reply["answer"])
    self.assertEqual(assembly.Answer(), expected[1])

  def testTooLargeForOneDatagram(self):
    self.snap = _Snapshot(filler=["%d" % index for index in range(20000)])
    large = self.Large()
    with mock.patch.object(answers.querylib, "AnswerInPieces",
                           wraps=querylib.AnswerInPieces) as make:
      for _ in range(2):
        reply = self.Ask(large, CONFIG, "/filler")
        self.assertEqual((reply["status"], reply["answer"]), (1, 3))
      count = self.Ask(large, CONFIG, "/filler", part=0)["parts"]
      self.assertGreater(count, 10)
      self.assertEqual(self.Ask(large, CONFIG, "/filler", part=count)["answer"],
                       2)
      self.assertEqual(make.call_count, 1)
    self.assertEqual(self.Count("replies too-large"), 2)

  def testBadParts(self):
    large = self.Large()
    for part in (-1, True, "0", 1.0, [], 10 ** 30):
      with self.subTest(part=part):
        reply = self.Ask(large, CONFIG, "/cluster", part=part)
        self.assertEqual((reply["status"], reply["answer"]), (1, 2), part)

  def testTooLargeForParts(self):
    """An endless answer is not made to the end; its parts are refused, too."""
    large = self.Large()
    query = {"what": "instance", "fields": ["name", "uuid"]}
    with mock.patch.object(protocol, "MAX_ANSWER", 1000), \
         mock.patch.object(answers.querylib, "AnswerInPieces",
                           wraps=querylib.AnswerInPieces) as make:
      for part in (testutils.MISSING, 0, 1):
        reply = self.Ask(large, QUERY, query, part=part)
        self.assertEqual((reply["status"], reply["answer"]), (1, 3))
      self.assertEqual(make.call_count, 1)

  def testErrorsAreKept(self):
    large = self.Large()
    query = {"what": "instance", "fields": ["no"]}
    with mock.patch.object(answers.querylib, "AnswerInPieces",
                           wraps=querylib.AnswerInPieces) as make:
      for part in (testutils.MISSING, 0, testutils.MISSING):
        reply = self.Ask(large, QUERY, query, part=part)
        self.assertEqual(reply["answer"],
                         {"error": 2, "unknown": "field", "value": "no"})
      self.assertEqual(make.call_count, 1)

  def testBound(self):
    """Of answers in parts the last ones are kept, and always one."""
    source = answers.Large(self.snap)
    large = self.Responder(source)
    with mock.patch.object(answers, "_PARTS_SIZE", 3000):
      for index in range(20):
        self.Ask(large, CONFIG, "/instances/%s" % testutils.Uuid("b", index))
        self.assertLessEqual(source._parts_size, 3000)
        self.assertEqual(source._parts_size, sum(
          source._SizeOf(*item) for item in source._parts.items()))
      self.assertGreater(len(source._parts), 1)
      self.Ask(large, CONFIG, "/instances/" + 5000 * "0")
      self.Ask(large, CONFIG, "")
    with mock.patch.object(answers, "_PARTS_SIZE", 10):
      self.Ask(large, CONFIG, "/cluster")
      self.assertEqual(len(source._parts), 1)


class TestStatistics(_Test):
  def test(self):
    collect = mock.Mock(return_value={"x": 1})
    asked = self.Responder(answers.Loader(17, collect))
    for _ in range(2):
      reply = self.Ask(asked, STATS)
      self.assertEqual((reply["answer"], reply["serial"]), ({"x": 1}, 17))
    self.assertEqual(self.Ask(asked, STATS, part=0)["answer"], 2)
    self.assertEqual(collect.call_count, 2)


if __name__ == "__main__":
  unittest.main()

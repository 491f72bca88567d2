#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Exceptions and results have data, and can be pickled, copied, made by hand.

"""

import copy
import datetime
import inspect
import os
import pickle
import re
import subprocess
import sys
import unittest

import packaged
import testutils

from ganeti import constants
from ganeti import errors
from ganeti.confd import client
from ganeti.confd import testing
from ganeti.confd.clientlib import replies
from ganeti.confd.protocol import readerkey


_CANDIDATE = client.CandidateReply("a", "192.0.2.1", 1, 0, 5, 0.1, 0)

_REPLY = client.Reply(0, 5, [_CANDIDATE], {"b": None})

#: Exceptions with all their arguments: class, and attributes after the text
_EXCEPTIONS = [
  (client.NoAnswer, {"asked": ["a", "b"], "silent": {"a": "why", "b": None},
                     "seconds": 1.5, "unauthentic": 3}),
  (client.StaleAnswer, {"asked": ["a"], "silent": {"b": None}, "seconds": 1.5,
                        "unauthentic": 0, "serial": 4, "min_serial": 5}),
  (client.MalformedAnswer, {"faults": {"a": "no list"}}),
  (client.ErrorAnswer, {"reply": _REPLY, "unknown": "node", "value": "n"}),
  (client.ErrorAnswer, {"status": 2, "code": None}),
  (client.NotPermitted, {"reply": _REPLY}),
  (client.RequestTooLarge, {"size": 5000, "limit": 4096}),
  (client.AnswerTooLarge, {"needed": 5000, "limit": 4096}),
  (client.FilterError, {"filter": "a ==", "line": 1, "column": 5,
                        "field": None}),
  (client.ConfdClientError, {}),
  ]

#: Results, made by hand
_RESULTS = [
  _CANDIDATE, _REPLY, client.MasterInfo("node1", "192.0.2.100", "192.0.2.1"),
  client.NodeOfIp(0, "192.0.2.1"),
  client.DrbdMinor("node1", 0, "inst1", "disk/0", "primary", "node2"),
  client.NodeInstances([{"name": "a"}], []),
  client.Field("name", "Name", "text", "The name"),
  client.Changed(1, 2), client.Change(_REPLY, None, {"a": 1}, {}, {}),
  client.CandidateStatus("a", True, 0.1, 5, 0, 3000000, None),
  client.ClusterStatus(5, [], [_CANDIDATE], {"b": None}),
  client.DaemonStats("a", "1.0", 1.5, 1, 2, 3, 4.5, 5.5, {}, {}),
  client.ClusterStats(5, [], [_CANDIDATE], {}),
  readerkey.Make("grafana", ["ping"], datetime.date(2099, 12, 31)),
  ]


def _Copies(value):
  """Yields copies of a value, made in all ways.

  """
  yield copy.copy(value)
  yield copy.deepcopy(value)
  for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
    yield pickle.loads(pickle.dumps(value, protocol))


def _PublicClasses():
  return [getattr(client, name)
          for name in sorted({*vars(client), *client._ON_DEMAND})
          if inspect.isclass(getattr(client, name))]


class TestCopies(unittest.TestCase):
  def testExceptions(self):
    for (cls, attributes) in _EXCEPTIONS:
      for err in (cls("text\nof \u2603", **attributes), cls("text"), cls()):
        with self.subTest(err=repr(err)):
          for other in _Copies(err):
            self.assertIs(type(other), cls)
            self.assertEqual(str(other), str(err))
            self.assertEqual(other.args, err.args)
            self.assertEqual(vars(other), vars(err))
      with self.subTest(cls=cls):
        err = cls("text", **attributes)
        self.assertEqual({name: getattr(err, name) for name in attributes},
                         attributes)

  def testResults(self):
    for value in _RESULTS:
      with self.subTest(value=value):
        for other in _Copies(value):
          self.assertIs(type(other), type(value))
          self.assertEqual(other, value)

  def testAll(self):
    """The tables above have all public exceptions and results."""
    tested = {cls for (cls, _) in _EXCEPTIONS} | {type(i) for i in _RESULTS}
    wanted = {cls for cls in _PublicClasses()
              if issubclass(cls, (Exception, tuple))}
    self.assertEqual(wanted - tested, set())

  def testDataOfOneAreNotThoseOfAnother(self):
    """Default values are not shared."""
    client.NoAnswer().silent["a"] = None
    client.MalformedAnswer().faults["a"] = "x"
    self.assertEqual((client.NoAnswer().silent,
                      client.MalformedAnswer().faults), ({}, {}))

  def testByHand(self):
    """A test of a program makes an error with what the program looks at."""
    err = client.ErrorAnswer("no such node", code=0, unknown="node", value="x")
    self.assertEqual((err.status, err.code, err.reply.answer), (1, 0, 0))
    self.assertEqual(err.reply.candidates[0].status, 1)


#: Asks in another process, and writes the exception as a pool of processes does
_WORKER = """
import pickle
import sys
from ganeti.confd import client

with client.Client([sys.argv[1]], key=bytes.fromhex(sys.argv[2])) as confd:
  try:
    confd.NodeRole("node77")
  except client.ErrorAnswer as err:
    pickle.dump(err, sys.stdout.buffer)
"""


class TestData(unittest.TestCase):
  """The data of exceptions that the calls raise."""
  def _Candidate(self, answer, **kwargs):
    confd = packaged.Confd(answer, **kwargs)
    self.addCleanup(confd.Stop)
    return confd

  def _Raises(self, cls, ask, *candidates, **kwargs):
    arguments = {"peers": [i.peer for i in candidates], "key": testutils.KEY}
    arguments.update(kwargs)
    with client.Client(**arguments) as confd, \
         self.assertRaises(cls) as context:
      ask(confd)
    return context.exception

  def testUnknown(self):
    """The kind and the name of what does not exist, by question."""
    def _Table(confd):
      return confd.List("node", ["nme"])
    unknown_field = {"error": 0, "unknown": "field", "value": "nme"}
    for (ask, code, unknown, value) in [
        (lambda confd: confd.NodeRole("x"), 0, "node", "x"),
        (lambda confd: confd.NodeDrbd("x"), 0, "node", "x"),
        (lambda confd: confd.NodeInstances("x"), 0, "node", "x"),
        (lambda confd: confd.InstanceDisks("x"), 0, "instance", "x"),
        (lambda confd: confd.NodeOfInstanceIp("192.0.2.9"), 0, "ip",
         "192.0.2.9"),
        (lambda confd: confd.Query(2, "192.0.2.9"), 0, "ip", "192.0.2.9"),
        (lambda confd: confd.Config("/x"), 2, "path", "/x"),
        (_Table, unknown_field, "field", "nme"),
        (lambda confd: confd.List("nod", ["name"]),
         {"error": 2, "unknown": "what", "value": "nod"}, "table", "nod"),
        # No object is missing
        (lambda confd: confd.NodeRole("x"), 1, None, None),
        (lambda confd: confd.MasterNode(), 0, None, None),
        (_Table, {"error": 2, "duplicate": "field", "value": "nme"}, None,
         None),
        (_Table, 2, None, None),
        ]:
      with self.subTest(code=code, unknown=unknown):
        candidate = self._Candidate(lambda *_, code=code: (1, code, 5))
        err = self._Raises(client.ErrorAnswer, ask, candidate)
        self.assertEqual((err.unknown, err.value), (unknown, value))
        self.assertEqual((err.status, err.code), (1, code))
        for other in _Copies(err):
          self.assertEqual(vars(other), vars(err))

  def testNotPermitted(self):
    candidate = self._Candidate(lambda *_: (1, 4, 5))
    err = self._Raises(client.NotPermitted, lambda confd: confd.MasterNode(),
                       candidate)
    self.assertEqual((err.status, err.code), (1, 4))
    self.assertIn("not permitted", str(err))
    self.assertIsInstance(err, client.ErrorAnswer)

  def testNoAnswer(self):
    silent = self._Candidate(lambda *_: None)
    dead = "127.0.0.1:%d" % testutils.FreePort()
    err = self._Raises(client.NoAnswer, lambda confd: confd.Ping(),
                       peers=[silent.peer, dead], timeout=4)
    self.assertEqual(sorted(err.asked), sorted([silent.peer, dead]))
    self.assertEqual(err.silent,
                     {silent.peer: None, dead: "nothing listens there"})
    self.assertGreaterEqual(err.seconds, 4)
    self.assertEqual(err.unauthentic, 0)

  def testSecondsInText(self):
    """The time counts from the call: here two questions are asked in it.

    """
    with testing.Fake() as fake, client.Client(timeout=4) as confd:
      confd.Ping()
      fake.Silence()
      # The client learns the candidates first, which takes a second
      with self.assertRaises(client.NoAnswer) as context:
        confd.MasterNode()
    err = context.exception
    self.assertGreaterEqual(err.seconds, 4)
    self.assertIn(" in %.1f seconds " % err.seconds, str(err))

  def testUnauthentic(self):
    def _Forge(*_):
      candidate.key = b"another key, long enough\n"
      return (0, 3000000, 5)
    candidate = self._Candidate(_Forge)
    err = self._Raises(client.NoAnswer, lambda confd: confd.Ping(), candidate,
                       timeout=5)
    self.assertEqual(err.unauthentic, 1)

  def testStale(self):
    answers = [7, 5]
    candidate = self._Candidate(
      lambda rtype, query: (0, "node1" if rtype == 3 else 3000000, answers[0]))

    with client.Client([candidate.peer], key=testutils.KEY,
                       timeout=5) as confd:
      confd.MasterNode()
      confd.Ping()
      del answers[0]
      err = testutils.AwaitStale(confd.MasterNode)
    self.assertEqual((err.serial, err.min_serial), (5, 7))
    self.assertEqual(err.asked, [candidate.peer])

  def testStaleSeconds(self):
    """The time counts from the call, not from the last of its requests."""
    with testing.Fake() as fake, client.Client(timeout=8) as confd:
      confd.Ping()
      fake.Change(lambda config: config["cluster"].update(tags=["a"]))
      # The serials of the second reply and of later ones are believed
      confd.Ping()
      confd.Ping()
      fake.GoBack()
      with self.assertRaises(client.StaleAnswer) as context:
        confd.MasterNode()
    # The pause before a next request, of a second, would end after the time-out
    self.assertGreaterEqual(context.exception.seconds, 7)

  def testAllAttempts(self):
    """All candidates whose answer in parts did not come are in the error."""
    # A candidate that says so to each question, and sends no parts
    peers = [self._Candidate(lambda *_: (1, 3, 5)).peer for _ in range(2)]
    with client.Client(peers, key=testutils.KEY, timeout=1.5,
                       learn=False) as confd:
      def _Ask():
        with self.assertRaises(client.NoAnswer) as context:
          confd.Config("")
        # On a busy machine, a candidate may be late with its first reply, too
        return all("from %s is incomplete" % peer in str(context.exception)
                   for peer in peers) and context.exception
      err = testutils.WaitFor(_Ask, "both candidates send no parts")
    self.assertGreaterEqual(err.seconds, 3)
    self.assertEqual(sorted(err.asked), sorted(peers))
    self.assertEqual(err.silent, dict.fromkeys(peers))
    for other in _Copies(err):
      self.assertEqual((str(other), vars(other)), (str(err), vars(err)))

  def testRequestTooLarge(self):
    err = self._Raises(client.RequestTooLarge,
                       lambda confd: confd.NodeRole("x" * 10000), peers=["a"])
    self.assertGreater(err.size, 10000)
    self.assertLess(err.limit, err.size)
    self.assertIn(str(err.size), str(err))

  def testFilter(self):
    for (text, line, column, field) in [
        ("name ==", 1, 8, None), ("name == 5 and\n  role = ", 2, 10, None)]:
      with self.subTest(text):
        err = self._Raises(client.FilterError,
                           lambda confd, text=text: confd.List("node", ["name"],
                                                               text),
                           peers=["a"])
        self.assertEqual((err.filter, err.line, err.column, err.field),
                         (text, line, column, field))
    candidate = self._Candidate(
      lambda *_: (0, {"fields": ["name", "mtotal"], "rows": [["a", "b"]]}, 5))
    err = self._Raises(client.FilterError,
                       lambda confd: confd.List("node", ["name"], "mtotal > 5"),
                       candidate)
    self.assertEqual((err.filter, err.line, err.column, err.field),
                     ("mtotal > 5", None, None, "mtotal"))

  def testOfAnotherProcess(self):
    """An exception of a worker process reaches the program whole."""
    candidate = self._Candidate(
      lambda rtype, query: (1, constants.CONFD_ERROR_UNKNOWN_ENTRY, 5))
    output = testutils.Run(
      [sys.executable, "-c", _WORKER, candidate.peer, testutils.KEY.hex()],
      check=True, stdout=subprocess.PIPE, timeout=300,
      env=dict(os.environ, PYTHONPATH=testutils.MODULEDIR)).stdout
    err = pickle.loads(output)
    self.assertIsInstance(err, client.ErrorAnswer)
    self.assertEqual((err.unknown, err.value), ("node", "node77"))
    self.assertEqual(err.reply.serial, 5)


class TestPage(unittest.TestCase):
  def testAttributes(self):
    """doc/client.rst has each attribute of each result and exception."""
    page = testutils.ReadFile(os.path.join(testutils.SRCDIR, "doc",
                                           "client.rst")).decode("utf-8")
    # The rows of its tables: a name in the first column, and all that follows
    rows = dict(re.findall(r"^``(\w+)`` +(.*(?:\n {18,}.*)*)", page, re.M))
    wanted = [(type(i).__name__, i._fields) for i in _RESULTS]
    wanted += [(cls.__name__, set(vars(cls(**attributes))) -
                set(vars(cls.__mro__[1]()))) for (cls, attributes) in
               _EXCEPTIONS if cls is not client.ConfdClientError]
    for (name, attributes) in wanted:
      if name == "Changed":
        name = "Change"
      for attribute in attributes:
        with self.subTest(cls=name, attribute=attribute):
          self.assertIn("``%s``" % attribute, rows[name])


class TestHierarchy(unittest.TestCase):
  def testBase(self):
    """Exceptions about answers have one base, under a public name."""
    self.assertIs(client.ConfdClientError, errors.ConfdClientError)
    for cls in _PublicClasses():
      if issubclass(cls, Exception) and cls is not client.FilterError:
        self.assertTrue(issubclass(cls, client.ConfdClientError), cls)
    self.assertIs(client.NotPermitted.__mro__[1], client.ErrorAnswer)
    self.assertTrue(issubclass(client.StaleAnswer, client.NoAnswer))
    self.assertIs(replies.NoAnswer, client.NoAnswer)


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of readers' keys with real daemons: rights, renewal, floods.

"""

import base64
import contextlib
import itertools
import json
import time
import unittest
import zlib

import labels
import processes
import testutils
from testutils import PING, NODE_ROLE, CONFIG, QUERY, STATS, WAIT, NOT_PERMITTED


NEW_KEY = b"another key, and long enough\n"

#: How often one request is worked for
LIMIT = 16

#: How many more copies may be answered where two workers ask at once
_SLACK = 2


def _Config(**kwargs):
  return testutils.MakeConfig(
    nodes=[testutils.MakeNode(1), testutils.MakeNode(2)],
    instances=[testutils.MakeInstance(index, 1 + index % 2,
                                      osparams_private={"x": "s3cret"})
               for index in range(500)], **kwargs)


class TestRights(unittest.TestCase):
  """The answers to the key of each label, and the refusals."""

  @classmethod
  def setUpClass(cls):
    cls.daemon = testutils.Daemon(_Config(), args=["--workers=2"])
    cls.addClassCleanup(cls.daemon.Kill)
    cls.daemon.Start()

  def _Answer(self, label, rtype, query=None, **kwargs):
    with self.daemon.Asker(label) as asker:
      return asker.Answer(rtype, query, **kwargs)

  def testRights(self):
    """Whichever process answers."""
    names = {"what": "instance", "fields": ["name"]}
    some = dict(names, names=["inst1"])
    questions = [
      ("ping", PING, None), ("node-role", NODE_ROLE, "node1"),
      ("config", CONFIG, "/cluster/tags"), ("config", CONFIG, "/instances"),
      ("list/instances", QUERY, some), ("list/instances", QUERY, names),
      ("list/nodes", QUERY, {"what": "node"}), ("stats", STATS, None),
      ("wait", WAIT, {"serial": 1, "seconds": 60})]
    for (right, rtype, query) in questions:
      expected = self.daemon.Answer(rtype, query)
      for (other, _, _) in questions:
        answer = self._Answer("a:%s:never" % other, rtype, query)
        if other != right:
          self.assertEqual(answer, NOT_PERMITTED, (other, rtype, query))
        elif rtype == STATS:
          self.assertEqual(answer[1].keys(), expected[1].keys())
        else:
          self.assertEqual(answer, expected)
      self.assertEqual(self._Answer("a:all:20201231", rtype, query),
                       NOT_PERMITTED)
    self.assertEqual(self._Answer("a:list:never", QUERY, {"what": "node"})[0],
                     0)
    self.assertEqual(self._Answer("a:ping:never", 12), NOT_PERMITTED)
    self.assertEqual(self._Answer("a:all:never", 12), (2, None))
    self.assertGreater(
      self.daemon.Answer(STATS)[1]["replies"]["not-permitted"], 50)

  def testParts(self):
    """All parts of a large answer, without its secrets."""
    label = "backup:config:20991231"
    self.assertEqual(self._Answer(label, CONFIG, ""), (1, 3))
    data = b""
    with self.daemon.Asker(label) as asker:
      (number, total) = (0, 1)
      while number < total:
        message = testutils.MakeMessage(CONFIG, "", part=number)
        reply = asker.AskMessage(message, more=("part", "parts", "sha256"))
        total = reply["parts"]
        data += base64.b64decode(reply["answer"])
        number += 1
    self.assertGreater(total, 5)
    text = zlib.decompress(data)
    self.assertEqual(len(json.loads(text)["instances"]), 500)
    self.assertNotIn(b"s3cret", text)
    self.assertIn(b"<redacted>", text)
    for (label, rtype, query) in [("a:ping:never", CONFIG, ""),
                                  ("a:config:20201231", CONFIG, ""),
                                  ("a:list/nodes:never", QUERY,
                                   {"what": "instance", "fields": ["name"]})]:
      self.assertEqual(self._Answer(label, rtype, query, part=0),
                       NOT_PERMITTED)

  def testSilence(self):
    """A wrong label, or a signature with something else."""
    message = testutils.MakeMessage(PING)
    salt = "%d" % time.time()
    bad = ["", "a", "a:ping", "a:stats,ping:never", "a:all:20200230", "\xe4",
           "\ud800:all:never", "x" * 60000, ":" * 50000, None, 5, 1.5, True,
           ["a:all:never"], {"a:all:never": 1}, "a:all:never\n"]
    before = self.daemon.Answer(STATS)[1]["dropped"]
    log = self.daemon.Log()
    for label in bad:
      datagram = testutils.PackMessage(
        testutils.KEY, message, salt,
        label if isinstance(label, str) else "a:all:never")
      datagram = testutils.PackEnvelope(dict(json.loads(datagram[4:]),
                                             key=label))
      self.assertTrue(self.daemon.IsIgnored(datagram), repr(label)[:50])
    good = {label: json.loads(testutils.PackMessage(
      testutils.KEY, message, salt, label)[4:])
            for label in [None, "a:ping:never", "b:ping:never"]}
    for (mine, envelope) in good.items():
      for label in good:
        if label != mine:
          moved = {key: value for (key, value) in
                   dict(envelope, key=label).items() if value is not None}
          self.assertTrue(self.daemon.IsIgnored(testutils.PackEnvelope(moved)))
    after = self.daemon.Answer(STATS)[1]["dropped"]
    self.assertEqual(after["hmac"] - before["hmac"], len(bad) + 6)
    self.assertEqual(self.daemon.Log(), log)

  def testCopies(self):
    """A reader's captured request is worked for as often as any."""
    for label in ["a:config:never", None]:
      datagram = testutils.PackMessage(
        testutils.KEY, testutils.MakeMessage(CONFIG, "/nodes", part=0),
        label=label)
      before = self.daemon.Answer(STATS)[1]["dropped"]["replayed"]
      with self.daemon.Asker() as asker:
        got = 0
        for _ in range(100):
          # Some may find the other process busy
          asker.Send(datagram)
          got += asker.Receive(timeout=0 if got else 1) is not None
        testutils.WaitFor(
          lambda least=before + 100 - LIMIT - _SLACK:
          self.daemon.Answer(STATS)[1]["dropped"]["replayed"] >= least,
          "copies are dropped")
        while asker.Receive(timeout=0.2) is not None:
          got += 1
      self.assertGreater(got, 0)
      self.assertLessEqual(got, LIMIT + _SLACK)


class TestRenewal(unittest.TestCase):
  """With the cluster's key all readers' keys end."""

  def _IsAnswered(self, daemon, key, timeout=0.5):
    with testutils.Asker(key, daemon.address, daemon.port,
                         label="a:ping:never") as asker:
      try:
        asker.Ask(PING, timeout=timeout)
      except testutils.NoReply:
        return False
      return True

  def testRenewal(self):
    """Also where the configuration cannot be loaded meanwhile."""
    with testutils.Daemon(_Config(), args=["--workers=2"]) as daemon:
      for (old, new, text) in [(testutils.KEY, NEW_KEY, None),
                               (NEW_KEY, testutils.KEY, b"{")]:
        if text is not None:
          testutils.WriteFile(daemon.config_file, text)
          testutils.WaitFor(
            lambda: "Cannot load the configuration" in daemon.Log(),
            "the failure")
        self.assertTrue(self._IsAnswered(daemon, old, testutils.PATIENCE))
        testutils.WriteFile(daemon.key_file, new)
        testutils.WaitFor(lambda key=new: self._IsAnswered(daemon, key),
                          "the new key")
        self.assertFalse(self._IsAnswered(daemon, old))
        # Each worker has it
        for _ in range(20):
          self.assertTrue(self._IsAnswered(daemon, new, testutils.PATIENCE))


class TestFlood(unittest.TestCase):
  """Forged labels. How fast they may come is in test_limits."""

  def _Forged(self):
    """Yields forged datagrams without end, each with another label.

    """
    head = testutils.PackEnvelope({
      "msg": json.dumps(testutils.MakeMessage(PING)),
      "salt": "%d" % time.time(), "hmac": "0123456789" * 4,
      "key": "LABEL"}).split(b"LABEL")
    what = [b"all", b"ping", b"list/nodes,ping,stats", b"x" * 300, b""]
    for number in itertools.count():
      yield (b"a%d:%s:never" % (number, what[number % len(what)])).join(head)

  def testForgedLabels(self):
    """Forged labels take no memory, write no log and starve nobody."""
    forged = self._Forged()
    with testutils.Daemon(_Config(), args=["--workers=1", "-d"]) as daemon:
      (worker, ) = processes.Find(daemon, 1).workers
      with contextlib.ExitStack() as stack:
        askers = [stack.enter_context(daemon.Asker(label))
                  for label in labels.SOME[:3] + [None]]
        memory = []
        for batches in [40, 260]:
          for number in range(batches):
            # Not more than the queue takes: none of the others is lost
            for datagram in itertools.islice(forged, 100):
              askers[0].Send(datagram)
            self.assertEqual(askers[number % 4].Ask(PING)["status"], 0)
          memory.append(processes.Memory(worker, "Rss"))
        self.assertEqual(daemon.Answer(STATS)[1]["dropped"]["hmac"], 30000)
      # 26,000 labels, at a kilobyte for each and its key
      self.assertLess(memory[1] - memory[0], 2 << 20)
      self.assertEqual(processes.Find(daemon, 1).workers, [worker])
      self.assertLess(len(daemon.Log()), 2000)


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The messages that a program's log gets from the client.

"""

import asyncio
import gc
import logging
import os
import subprocess
import sys
import tempfile
import time
import unittest
import warnings
from unittest import mock

import packaged
import testutils
import timelimits

from ganeti.confd import client
from ganeti.confd import testing
from ganeti.confd.clientlib import follow


_KEY2 = b"another key, which is long enough\n"


class _Test(unittest.TestCase):
  def _Candidate(self, answer, **kwargs):
    confd = packaged.Confd(answer, **kwargs)
    self.addCleanup(confd.Stop)
    return confd

  def _Client(self, *peers, **kwargs):
    kwargs.setdefault("key", testutils.KEY)
    confd = client.Client(peers, **kwargs)
    self.addCleanup(confd.Close)
    return confd


class TestMessages(_Test):
  def testSilence(self):
    """Retransmits, a candidate that falls silent, and its return."""
    answers = [(0, "node1", 5)]
    good = self._Candidate(lambda *_: (0, "node1", 5))
    other = self._Candidate(lambda *_: answers[0])
    confd = self._Client(good.peer, other.peer, learn=False)
    confd.MasterNode()
    answers[0] = None
    with self.assertLogs("ganeti.confd", "DEBUG") as logged:
      confd.MasterNode()
    text = "\n".join(logged.output)
    self.assertRegex(text, "Sending again, or to further candidates: [a-z-]+,"
                     " to 127.0.0.1")
    self.assertIn("%s does not answer: the reason is unknown" % other.peer,
                  text)
    answers[0] = (0, "node1", 5)

    def _IsBack():
      with self.assertLogs("ganeti.confd", "DEBUG") as logged:
        logging.getLogger("ganeti.confd").debug("at least one message")
        confd.MasterNode()
      return any("%s answers again" % other.peer in line
                 for line in logged.output)
    testutils.WaitFor(_IsBack, "the candidate is back")

  def testLearned(self):
    lists = [["127.0.0.1", "127.0.0.2"]]
    candidate = self._Candidate(
      lambda rtype, query: (0, lists[0] if rtype == 5 else "node1", 5))
    confd = self._Client(candidate.peer)
    confd.MasterNode()
    for (lists[0], text) in [
        (["127.0.0.1", "127.0.0.2"], "%s, 127.0.0.2; no candidates any more:"
         " none" % candidate.peer),
        (["127.0.0.1"], "none; no candidates any more: 127.0.0.2")]:
      with self.assertLogs("ganeti.confd", "DEBUG") as logged:
        testutils.WaitFor(
          lambda logged=logged, text=text: confd.Learn() or (
            "Learned candidates: " + text in "\n".join(logged.output)), text)

  def testStaleAndRestored(self):
    serials = [7]
    candidate = self._Candidate(
      lambda rtype, query: (0, "node1" if rtype == 3 else 3000000, serials[0]))
    confd = self._Client(candidate.peer, timeout=60)
    confd.Ping()
    confd.Ping()
    serials[0] = 5
    with self.assertLogs("ganeti.confd", "DEBUG") as logged:
      self.assertEqual(confd.MasterNode().serial, 5)
    self.assertRegex("\n".join(logged.output), "All answers to master.* are"
                     " older than serial 7; asking again")
    warned = [i.getMessage() for i in logged.records
              if i.levelno == logging.WARNING]
    self.assertEqual(warned, [
      "All candidates have lower serials than 7 by now, such as 5: an older"
      " configuration was restored"])

  def testRestoredBetweenQuestions(self):
    """The warning comes once, whichever question shows the restored state.

    Learning the candidates, before the program's question, shows it here.

    """
    with testing.Fake() as fake, client.Client() as confd:
      def _ChangeIt():
        fake.Change(lambda config: config["cluster"].update(tags=["a"]))
        return confd.Ping().serial
      first = confd.Ping().serial
      self.assertGreater(_ChangeIt(), first)
      # The serials of the second reply and of later ones are believed
      confd.Ping()
      fake.GoBack()
      with self.assertLogs("ganeti.confd", "WARNING") as logged:
        with self.assertRaises(client.StaleAnswer):
          confd.MasterNode()
        for _ in range(3):
          fake.Pass(5)
          self.assertEqual(confd.MasterNode().serial, first)
    self.assertEqual([i.getMessage() for i in logged.records], [
      "All candidates have lower serials than %d by now, such as %d: an older"
      " configuration was restored" % (first + 1, first)])

  def testSilentForLong(self):
    """A candidate that is silent for minutes, and its return, once each.

    """
    with testing.Fake() as fake, client.Client() as confd:
      def _Ask(seconds):
        """Asks twice a minute, and returns the messages but those for DEBUG.

        """
        with self.assertLogs("ganeti.confd", "INFO") as logged:
          logging.getLogger("ganeti.confd").info("at least one message")
          for _ in range(seconds // 30):
            confd.MasterNode()
            fake.Pass(31)
        return logged.output[1:]
      _Ask(60)
      self.assertGreater(len(fake.candidates), 1)
      for i in range(2):
        with self.subTest(i):
          fake.Candidate("node2").Refuse()
          self.assertEqual(_Ask(120), [])
          (line, ) = _Ask(1200)
          self.assertRegex(line, r"^WARNING:ganeti.confd:192\.0\.2\.2 has not"
                           r" answered for (1[89]|2\d)\d seconds, while others"
                           r" have: nothing listens there$")
          fake.Recover()
          self.assertEqual(_Ask(1200),
                           ["INFO:ganeti.confd:192.0.2.2 answers again"])
      fake.Candidate("node2").Silence()
      self.assertIn("while others have: silence means the host or the daemon is"
                    " down, another key,", "".join(_Ask(1200)))

  def testSilentWithoutEvidence(self):
    """No warning if nobody answers, or after few questions.

    """
    with testing.Fake() as fake, client.Client(timeout=3) as confd, \
         self.assertLogs("ganeti.confd", "INFO") as logged:
      logging.getLogger("ganeti.confd").info("at least one message")
      confd.MasterNode()
      fake.Silence()
      for _ in range(40):
        with self.assertRaises(client.NoAnswer):
          confd.MasterNode()
        fake.Pass(31)
      fake.Recover()
      confd.MasterNode()
      fake.Candidate("node2").Silence()
      for _ in range(3):
        confd.MasterNode()
        fake.Pass(3600)
    self.assertEqual(len(logged.output), 1, logged.output)

  def testKey(self):
    """A new key, and one that cannot be read, each once."""
    candidate = self._Candidate(lambda *_: (0, "node1", 5))
    (fd, path) = tempfile.mkstemp()
    os.close(fd)
    self.addCleanup(os.unlink, path)
    testutils.WriteFile(path, testutils.KEY)
    confd = self._Client(candidate.peer, key=None, key_file=path)
    confd.MasterNode()
    testutils.WriteFile(path, b"short")
    with self.assertLogs("ganeti.confd", "DEBUG") as logged:
      for _ in range(3):
        confd.Learn()
    warned = [i.getMessage() for i in logged.records
              if i.levelno == logging.WARNING]
    self.assertEqual(len(warned), 1, warned)
    self.assertRegex(warned[0], "The old key remains in use: .*" + path)
    testutils.WriteFile(path, _KEY2)
    candidate.key = _KEY2
    with self.assertLogs("ganeti.confd", "DEBUG") as logged:
      for _ in range(2):
        confd.Learn()
    self.assertEqual("\n".join(logged.output).count("There is a new key"), 1)

  def testFollow(self):
    """An error that lasts is logged once, unless the program has on_error."""
    state = {"fails": False}

    def _Answer(rtype, _):
      if state["fails"]:
        return None
      return (0, {0: 3000000, 3: "node1"}.get(rtype, 5), 5)

    def _Items(answer):
      if state["fails"]:
        raise ValueError("nothing to see")
      return {"a": answer}
    candidate = self._Candidate(_Answer)
    for on_error in (None, lambda _: None):
      with self.subTest(on_error=on_error):
        now = [1000.0]
        state["fails"] = False
        confd = self._Client(candidate.peer)
        following = confd.FollowCall(lambda i: i.MasterNode(), _Items, on_error)
        next(following)
        changes = following._changes
        with self.assertLogs("ganeti.confd", "WARNING") as logged:
          logging.getLogger("ganeti.confd").warning("at least one message")
          for seconds in (0.0, 59.0, 2.0, 100.0, 100.0):
            now[0] += seconds
            with mock.patch.object(changes._client.driver, "Now",
                                            lambda now=now: now[0]):
              changes._LogError(ValueError("nothing to see"))
          changes._LogError(None)
        self.assertEqual([i.getMessage() for i in logged.records[1:]],
                         ["No changes can be seen for 61 seconds: nothing to"
                          " see", "There are answers again"]
                         if on_error is None else [])
    self.assertLessEqual(follow._LOGGED_AFTER, 60)


class TestQuiet(_Test):
  def testNothingByDefault(self):
    """Neither a message on stderr, nor an import of logging."""
    program = """
import sys
from ganeti.confd import client
from ganeti.confd.clientlib import logs
logs.Warn("not seen")
assert "logging" not in sys.modules
import logging
logs.Warn("not seen either")
logs.Debug("nor this")
logging.getLogger("ganeti.confd").addHandler(logging.StreamHandler(sys.stdout))
logs.Warn("seen %s", "once")
"""
    result = testutils.Run(
      [sys.executable, "-c", program], check=True, encoding="utf-8",
      stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
      env=dict(os.environ, PYTHONPATH=testutils.MODULEDIR), timeout=300)
    self.assertEqual(result.stdout, "seen once\n")


class TestForgotten(_Test):
  def _Forget(self, main):
    """Returns the warnings after an AsyncClient was forgotten.

    """
    with warnings.catch_warnings(record=True) as caught:
      warnings.simplefilter("always")
      asyncio.run(main())
      gc.collect()
    return ["%s: %s" % (i.category.__name__, i.message) for i in caught]

  def testForgotten(self):
    """The warning names the client, and the sockets are closed."""
    candidate = self._Candidate(lambda *_: (0, "node1", 5))

    async def _Ask(close):
      confd = client.AsyncClient([candidate.peer], key=testutils.KEY)
      await confd.MasterNode()
      if close:
        await confd.aclose()
      sockets.extend(confd._transport.Sockets())
      # A cycle, so that only the garbage collector finds the client
      confd.self = confd
    for (close, count) in [(False, 1), (True, 0)]:
      with self.subTest(close=close):
        sockets = []
        found = self._Forget(lambda close=close: _Ask(close))
        self.assertEqual(len(found), count, found)
        for text in found:
          self.assertRegex(text, "ResourceWarning: unclosed <.*AsyncClient")
        self.assertEqual([sock.fileno() for sock in sockets], [-1] * count)

  def testForgottenInALoop(self):
    """While the loop runs, the reader is removed in the loop's thread."""
    candidate = self._Candidate(lambda *_: (0, "node1", 5))

    async def _Main():
      confd = client.AsyncClient([candidate.peer], key=testutils.KEY)
      await confd.MasterNode()
      (sock, ) = confd._transport.Sockets()
      del confd
      # A thread of the executor, which read the candidates and the key for the
      # client, may refer to the client a little longer
      deadline = time.monotonic() + timelimits.PATIENCE
      while sock.fileno() != -1 and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
      self.assertEqual(sock.fileno(), -1)
      # The next socket may have the same number
      async with client.AsyncClient([candidate.peer],
                                    key=testutils.KEY) as confd:
        self.assertEqual((await confd.MasterNode()).answer, "node1")
    found = self._Forget(_Main)
    self.assertEqual(len(found), 1, found)

  def testNotMade(self):
    """A constructor that fails leaves nothing to warn of."""
    with warnings.catch_warnings():
      warnings.simplefilter("error")
      with self.assertRaises(client.ConfdClientError.__mro__[1]):
        client.AsyncClient(key=b"short")
      gc.collect()


if __name__ == "__main__":
  unittest.main()

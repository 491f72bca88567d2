#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Our client and daemon do what doc/protocol.rst says of clients and daemons.

The page has numbers of this project's client, and names the questions that a
small daemon has to answer. Here candidates that a test makes count what the
client sends them.

"""

import json
import os
import re
import subprocess
import time
import unittest

import clientcommand
import fakecandidate
import testutils
from testutils import PING, MASTER, MC_IPS, CONFIG, WAIT

from ganeti.confd import client
from ganeti.confd.clientlib import operation


_SERIAL = 1234

_NOT_IMPLEMENTED = {"status": 2, "answer": None}

#: Seconds for which candidates count; the upper limits below are for this time
_COUNTED = 7


def _Page():
  return testutils.ReadFile(os.path.join(testutils.SRCDIR, "doc",
                                         "protocol.rst")).decode("utf-8")


def _Numbers(page):
  """Reads the table of "When to ask again".

  @return: dict of numbers by the words in the first column

  """
  (_, _, text) = page.partition("\nWhen to ask again\n")
  match = re.search(r"^(=+) =+\n(.*?)\n=+ =+$", text, re.MULTILINE | re.DOTALL)
  width = len(match.group(1))
  return {line[:width].rstrip(): float(line[width:].split()[0])
          for line in match.group(2).splitlines()}


def _Smallest(message):
  """Answers what the smallest useful daemon answers, as the page has it.

  @return: what is special in the reply's message, a dict

  """
  question = (message["type"], message.get("query"))
  if question[0] == PING:
    return {"answer": 3000000}
  if question == (MASTER, None):
    return {"answer": "node1.example.com"}
  if question[0] == MC_IPS:
    return {"answer": ["127.0.0.1"]}
  if question == (CONFIG, "/serial_no"):
    return {"answer": _SERIAL}
  return _NOT_IMPLEMENTED


def _KeepsWait(message):
  """Answers as this project's daemon does, for as long as nothing changes.

  """
  if message["type"] == WAIT:
    known = message["query"]["serial"] == _SERIAL
    return None if known else {"answer": _SERIAL}
  return _Smallest(message)


class _TestCase(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    cls.page = _Page()
    cls.numbers = _Numbers(cls.page)

  def _Candidate(self, answer):
    """Starts a candidate.

    @type answer: f(dict)
    @param answer: takes the message of a request, and returns what is special
      in that of the reply, a dict; None for silence

    """
    def _Datagrams(message):
      special = answer(message)
      if special is None:
        return []
      return [fakecandidate.Reply(message, **dict({"serial": _SERIAL},
                                                  **special))]
    candidate = fakecandidate.Candidate(_Datagrams)
    self.addCleanup(candidate.Stop)
    return candidate

  def _Client(self, *candidates, **kwargs):
    asker = client.Client(["127.0.0.1:%d" % i.port for i in candidates],
                          key=testutils.KEY, **kwargs)
    self.addCleanup(asker.Close)
    return asker


class TestClient(_TestCase):
  def testSchedule(self):
    """The page's times are those of the page's table, and the client's.

    """
    (times, ) = re.findall(r"at\s+the\s+times ::\n\n +([0-9. ]+)\n", self.page)
    pause = self.numbers["Pause after the first datagram"]
    expected = [0.0]
    while expected[-1] + pause < self.numbers["Time for an answer"]:
      expected.append(expected[-1] + pause)
      pause = min(pause * self.numbers["Each further pause"],
                  self.numbers["Longest pause"])
    for (written, computed) in zip(map(float, times.split()), expected):
      self.assertAlmostEqual(written, computed, delta=0.006)
    self.assertEqual(len(times.split()), len(expected))
    self.assertIn("gets %d datagrams within the ten seconds" % len(expected),
                  re.sub(r"\s+", " ", self.page))
    timer = operation.RetransmitTimer(0.0)
    for computed in expected:
      self.assertAlmostEqual(timer.next, computed)
      self.assertTrue(timer.IsDue(timer.next))

  def testSilence(self):
    """A silent candidate gets no more datagrams, all with one salt.

    """
    candidate = self._Candidate(lambda _: None)
    with self.assertRaises(client.NoAnswer):
      self._Client(candidate).MasterNode()
    self.assertEqual(len({i["rsalt"] for (_, i) in candidate.requests}), 1)
    self.assertGreater(len(candidate.requests), 2)
    self.assertLessEqual(len(candidate.requests), 14)

  def testWhomItAsks(self):
    """Of eight candidates six get the question.

    """
    candidates = [self._Candidate(_Smallest) for _ in range(8)]
    self._Client(*candidates).MasterNode()

    def _Asked():
      return len([i for i in candidates if i.requests])
    testutils.WaitFor(lambda: _Asked() >= 6, "six have got the question")
    self.assertEqual(_Asked(), 6)
    self.assertIn("should ask six candidates", self.page)

  def testPartsInFlight(self):
    """So many parts are asked for, when none comes but the first.

    """
    def _Answer(message):
      if "part" not in message:
        return {"status": 1, "answer": 3}
      if message["part"] == 0:
        return {"answer": "eA==", "part": 0, "parts": 100, "sha256": "0" * 64}
      return None
    candidate = self._Candidate(_Answer)
    in_flight = int(self.numbers["Parts in flight"])

    def _AllAreAskedFor():
      # A busy machine may not get to all of them before the time-out
      with self.assertRaises(client.NoAnswer):
        self._Client(candidate, timeout=2).Config("")
      numbers = {i["part"] for (_, i) in candidate.requests if "part" in i}
      self.assertLessEqual(numbers, set(range(in_flight + 1)))
      return len(numbers) == in_flight + 1

    testutils.WaitFor(_AllAreAskedFor, "all parts in flight")
    self.assertIn("should have %d parts in flight" % in_flight, self.page)

  def testWatch(self):
    """How often a client that waits for a change asks.

    """
    keeping = self._Candidate(_KeepsWait)
    polled = self._Candidate(_Smallest)
    for candidate in [keeping, polled]:
      process = subprocess.Popen(
        [clientcommand.PROGRAM, "-a", "127.0.0.1", "-p", str(candidate.port),
         "watch"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=clientcommand.Environment(CONFD_KEY_FILE=self._KeyFile()))
      self.addCleanup(process.wait)
      self.addCleanup(process.terminate)

    def _Copies():
      kept = [i["rsalt"] for (_, i) in keeping.requests if i["type"] == WAIT and
              i["query"]["serial"] == _SERIAL]
      return max(map(kept.count, kept), default=0)

    def _Polls():
      return len({i["rsalt"] for (_, i) in polled.requests
                  if (i["type"], i.get("query")) == (CONFIG, "/serial_no")})
    testutils.WaitFor(lambda: _Copies() > 0 and _Polls() > 0,
                      "both are watched")
    started = time.monotonic()
    (copies, polls) = (_Copies(), _Polls())
    time.sleep(_COUNTED)
    (more_copies, more_polls) = (_Copies() - copies, _Polls() - polls)
    counted = time.monotonic() - started
    # One each at the beginning and at the end
    self.assertLessEqual(
      more_copies, counted / self.numbers["WAIT: pause between two copies"] + 2)
    self.assertLessEqual(
      more_polls,
      counted / self.numbers["Without WAIT: pause between two polls"] + 2)
    testutils.WaitFor(lambda: _Copies() > copies, "WAIT is sent again")
    testutils.WaitFor(lambda: _Polls() > polls + 1, "the serial is asked for")

  def _KeyFile(self):
    daemon = testutils.Daemon()
    self.addCleanup(daemon.Kill)
    return daemon.key_file


class TestDaemon(_TestCase):
  def testSmallest(self):
    """Our command finds nothing wrong with the smallest useful daemon.

    """
    self.assertIn("The smallest useful daemon answers 0, 3 without a query, 5,"
                  " and 10 for the pointer ``/serial_no``",
                  re.sub(r"\s+", " ", self.page))
    candidate = self._Candidate(_Smallest)
    daemon = testutils.Daemon()
    self.addCleanup(daemon.Kill)

    def _Run(*args):
      return clientcommand.Outcome(
        "-a", "127.0.0.1", "-p", str(candidate.port), "--hmac-file",
        daemon.key_file, *args)
    self.assertEqual(_Run("master"), (0, "node1.example.com\n", ""))
    self.assertEqual(_Run("mc-ips"), (0, "127.0.0.1\n", ""))
    (code, output, error) = _Run("--json", "status")
    self.assertEqual((code, error), (0, ""))
    (row, ) = json.loads(output)["answer"]
    self.assertEqual((row["serial"], row["problem"]), (_SERIAL, None))
    # Others are refused at once
    (code, _, error) = _Run("node-role", "node1")
    self.assertEqual(code, 1)
    self.assertIn("not implemented", error)

  def testReplacedWait(self):
    """The earlier end counts, of the kept question and of its replacement."""
    with testutils.Daemon(testutils.MakeConfig(serial_no=5)) as daemon:
      now = int(time.time())
      for (number, both) in enumerate([(60, 1), (1, 60)]):
        for (later, seconds) in enumerate(both):
          query = {"serial": 5, "seconds": seconds}
          daemon.asker.Send(testutils.PackMessage(
            testutils.KEY, testutils.MakeMessage(WAIT, query,
                                                 "rsalt %d" % number),
            salt="%d" % (now + later)))
        self.assertIsNotNone(daemon.asker.Receive(timeout=50))

  def testRetransmittedWait(self):
    """Copies of a WAIT, sent more often than it ends, do not restart its time.

    """
    query = {"serial": 5, "seconds": 2}
    with testutils.Daemon(testutils.MakeConfig(serial_no=5)) as daemon:
      for later in range(120):
        daemon.asker.Send(testutils.PackMessage(
          testutils.KEY, testutils.MakeMessage(WAIT, query, "the same rsalt"),
          salt="%d" % (int(time.time()) + later)))
        if daemon.asker.Receive(timeout=1):
          break
      else:
        self.fail("120 copies, one a second, and no reply")

  def testKeepsHash(self):
    """The same answer has the same hash when the serial number has changed.

    """
    config = testutils.MakeConfig(serial_no=5)
    with testutils.Daemon(config) as daemon:
      def _First(rtype, query):
        reply = daemon.asker.AskMessage(
          testutils.MakeMessage(rtype, query, part=0),
          more=("part", "parts", "sha256"))
        return (reply["serial"], reply["sha256"])
      before = [_First(MC_IPS, None), _First(CONFIG, "")]
      daemon.WriteConfig(dict(config, serial_no=6))
      daemon.WaitForSerial(6)
      after = [_First(MC_IPS, None), _First(CONFIG, "")]
    self.assertEqual([serial for (serial, _) in before + after], [5, 5, 6, 6])
    self.assertEqual(before[0][1], after[0][1])
    self.assertNotEqual(before[1][1], after[1][1])


if __name__ == "__main__":
  unittest.main()

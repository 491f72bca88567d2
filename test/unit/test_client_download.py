#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Fetching an answer in parts: no socket, and a clock of the test's own.

"""

import random
import socket
import string
import unittest

import testutils

from ganeti import errors
from ganeti.confd.clientlib import download
from ganeti.confd.clientlib import mastercandidate
from ganeti.confd.clientlib import replies
from ganeti.confd.protocol import parts
from ganeti.confd.protocol import wire


def _Answer(seed, size=60000):
  chance = random.Random(seed)
  return ["".join(chance.choice(string.ascii_letters) for _ in range(50))
          for _ in range(size // 50)]


class _Daemon:
  """A daemon's side of it.

  """
  def __init__(self, serial, answer):
    self.Load(serial, answer)

  def Load(self, serial, answer):
    self.serial = serial
    self.answer = answer
    self.cut = parts.Parts(wire.EncodeJson(answer))

  def Reply(self, request):
    """@return: L{wire.ParsedReply}

    """
    if request.part >= len(self.cut):
      return wire.ParsedReply(1, 1, 2, self.serial, request.rsalt)
    part = wire.Part(request.part, len(self.cut), self.cut.sha256)
    return wire.ParsedReply(1, 0, self.cut.Get(request.part), self.serial,
                      request.rsalt, part)


class TestFetch(unittest.TestCase):
  def setUp(self):
    self.now = 100.0
    self.answer = _Answer(1)
    self.daemon = _Daemon(5, self.answer)
    self.candidate = mastercandidate.Candidate(
      "node1", [(socket.AF_INET, ("192.0.2.1", 1814))])
    self.download = self._Fetch()
    self.address = ("192.0.2.1", 1814)
    first = replies.CandidateReply("node1", "192.0.2.1", 1, 3, 5, 0.001, 0)
    self.first = replies.Reply(3, 5, [first], {})
    self.sent = 0

  def _Fetch(self, timeout=10.0):
    return download.Download(10, "/x",
                             (self.candidate, self.candidate.addresses), 5,
                             self.now, timeout)

  def _Run(self, meddle=lambda reply: [reply]):
    """Runs it to its end.

    @param meddle: makes replies of a reply

    """
    while not self.download.Done(self.now):
      for (_, _, datagram) in self.download.Outgoing(testutils.KEY, self.now,
                                                  1700000000):
        self.sent += 1
        request = wire.ParseRequest(datagram, testutils.KEY, 1700000000)
        for reply in meddle(self.daemon.Reply(request)):
          asked = self.download.Salts().get(reply.salt)
          if asked is not None:
            self.download.Receive(asked, reply, self.address, self.now)
      self.now = max(self.now + 0.001,
                     min(self.download.wakeup, self.now + 0.1))
    self.download.Finish(self.now)
    self.download.Unpack()
    return self.download.Result(self.first, self.now)

  def testAll(self):
    reply = self._Run()
    self.assertEqual(reply.answer, self.answer)
    self.assertEqual(reply.serial, 5)
    self.assertEqual((reply.candidates[0].status, reply.candidates[0].answer),
                     (0, self.answer))
    self.assertEqual(self.sent, len(self.daemon.cut))

  def testOnePart(self):
    self.daemon.Load(5, "small")
    self.assertEqual(self._Run().answer, "small")

  def testLossDoublesAndOrder(self):
    chance = random.Random(1)
    held = []

    def _Meddle(reply):
      held.append(reply)
      chance.shuffle(held)
      if len(held) < 5 and chance.random() < 0.9:
        return []
      (result, held[:]) = (held * 2, [])
      return [i for i in result if chance.random() > 0.3]
    self.assertEqual(self._Run(_Meddle).answer, self.answer)

  def testNewGenerationStartsAgain(self):
    for size in (40000, 60000, 90000):
      self.setUp()
      new = _Answer(2, size)

      def _Meddle(reply):
        if self.sent == 30:
          self.daemon.Load(6, new)
        return [reply]
      reply = self._Run(_Meddle)
      self.assertEqual((reply.answer, reply.serial), (new, 6))

  def testOldGenerationIsDropped(self):
    """Two generations answer for a moment.

    """
    old = _Daemon(4, _Answer(3))
    chance = random.Random(1)

    def _Meddle(reply):
      if chance.random() < 0.5:
        part = wire.Part(reply.part.number, len(old.cut), old.cut.sha256)
        return [reply._replace(serial=4, part=part,
                               answer=old.cut.Get(reply.part.number))]
      return [reply]
    reply = self._Run(_Meddle)
    self.assertEqual((reply.answer, reply.serial), (self.answer, 5))

  def testChangesTooOften(self):
    def _Meddle(reply):
      if self.sent % 30 == 0:
        self.daemon.Load(self.daemon.serial + 1, _Answer(self.sent))
      return [reply]
    with self.assertRaisesRegex(errors.ConfdClientError,
                                '"/x" changed 6 times .* node1'):
      self._Run(_Meddle)

  def testBecomesAnError(self):
    def _Meddle(reply):
      if self.sent > 30:
        return [wire.ParsedReply(1, 1, 0, 6, reply.salt)]
      return [reply]
    with self.assertRaises(replies.ErrorAnswer) as context:
      self._Run(_Meddle)
    self.assertEqual(context.exception.code, 0)
    self.assertEqual(context.exception.reply.serial, 6)

  def testStops(self):
    started = self.now
    with self.assertRaisesRegex(replies.NoAnswer, "node1 is incomplete after"
                                " 1[01].. seconds: 30 of "):
      self._Run(lambda reply: [reply] if self.sent <= 30 else [])
    self.assertLess(self.now - started, 11)

  def _Trickle(self, pause):
    """Lets one part come in so many seconds.

    """
    last = []

    def _Meddle(reply):
      if not last or self.now - last[-1] > pause:
        last.append(self.now)
        return [reply]
      return []
    return _Meddle

  def testTimeStartsAgainWithEachPart(self):
    self.download = self._Fetch(timeout=20.0)
    started = self.now
    self.assertEqual(self._Run(self._Trickle(0.2)).answer, self.answer)
    self.assertGreater(self.now - started, 21)

  def testATrickleIsGivenUp(self):
    """One part in nine seconds would take ten minutes, or days.

    """
    started = self.now
    with self.assertRaisesRegex(replies.NoAnswer, "incomplete after 2.* of 70"
                                " parts came"):
      self._Run(self._Trickle(9))
    self.assertLess(self.now - started, 25)

  def testWrongHash(self):
    part = wire.Part(0, 1, "0" * 40)
    with self.assertRaisesRegex(errors.ConfdClientError, "hash"):
      self._Run(lambda reply: [reply._replace(part=part)])

  def testTooManyParts(self):
    part = wire.Part(0, 10 ** 12, "0" * 64)
    with self.assertRaisesRegex(errors.ConfdClientError, "too large"):
      self._Run(lambda reply: [reply._replace(part=part)])
    self.assertEqual(self.sent, 1)

  def testOtherPartThanAsked(self):
    """A part that lies is no progress.

    """
    started = self.now

    def _Meddle(reply):
      part = reply.part._replace(
        number=(reply.part.number + 1) % reply.part.total)
      return [reply._replace(part=part)]
    with self.assertRaisesRegex(replies.NoAnswer, "0 of"):
      self._Run(_Meddle)
    self.assertLess(self.now - started, 11)

  def testProgress(self):
    self.assertEqual(self.download.Progress(), (0, None))
    seen = []

    def _Meddle(reply):
      seen.append(self.download.Progress())
      return [reply]
    self._Run(_Meddle)
    count = len(self.daemon.cut)
    self.assertEqual(seen, [(0, None)] + [(i, count) for i in range(1, count)])
    self.assertEqual(self.download.Progress(), (count, count))

  def testNoBase64(self):
    with self.assertRaisesRegex(errors.ConfdClientError, "base64"):
      self._Run(lambda reply: [reply._replace(answer="\u00fc")])


if __name__ == "__main__":
  unittest.main()

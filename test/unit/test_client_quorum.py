#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""One question to several candidates: no socket, and a clock of the test's own.

"""

import socket
import unittest

import testutils

from ganeti import constants
from ganeti.confd.clientlib import endpoint
from ganeti.confd.clientlib import mastercandidate
from ganeti.confd.clientlib import quorum
from ganeti.confd.clientlib import replies
from ganeti.confd.protocol import wire


def _Candidate(index, silent=False, reports_serial=False):
  candidate = mastercandidate.Candidate(
    "node%d" % index, [(socket.AF_INET, ("192.0.2.%d" % index, 1814))])
  if silent:
    candidate.Missed()
  if reports_serial:
    candidate.ReportedSerial()
  return candidate


class _Run:
  """A query, and a clock that the test moves.

  """
  def __init__(self, candidates, reserve=(), query=(0, None), timeout=10,
               **kwargs):
    self.now = 1000.0
    self.candidates = candidates
    self.query = quorum.QuorumQuery(query[0], query[1], candidates, reserve,
                                    self.now, self.now + timeout, **kwargs)
    self.sent = []
    self.Step()

  def Step(self):
    """Does what a driver does.

    """
    if not self.query.Done(self.now):
      for (_, (host, *_), datagram) in \
          self.query.Outgoing(testutils.KEY, self.now, 1700000000):
        request = wire.ParseRequest(datagram, testutils.KEY, 1700000000)
        self.sent.append((self.now - 1000, host, request))

  def Advance(self, seconds):
    """Lets time pass.

    @rtype: bool
    @return: whether the query is done

    """
    end = self.now + seconds
    while not self.done and self.query.wakeup <= end:
      self.now = max(self.now, self.query.wakeup)
      self.Step()
    self.now = max(self.now, end)
    return self.done

  @property
  def done(self):
    return self.query.Done(self.now)

  def Reply(self, index, serial, answer="x", status=0, delay=0.001):
    """Hands a candidate's reply in.

    """
    self.now += delay
    for asked in list(self.query.Salts().values()):
      if asked.candidate is self.candidates[index]:
        self.query.Receive(asked,
                           wire.ParsedReply(1, status, answer, serial,
                                            asked.salt),
                           asked.candidate.addresses[0].address, self.now)

  def Refuse(self, index):
    """Has the network say that nothing listens at a candidate.

    """
    candidate = self.candidates[index]
    for source in candidate.endpoints:
      candidate.Undelivered(source, "refused", self.now)

  def Result(self):
    self.query.Finish(self.now)
    return self.query.Result(self.now)


def _Packaged(index):
  """Makes a candidate that a ping has just shown to have a packaged daemon.

  """
  candidate = _Candidate(index)
  candidate.Pinged(0, 1000.0)
  return candidate


def _Candidates(count):
  return [_Candidate(i) for i in range(1, count + 1)]


class TestSending(unittest.TestCase):
  def testEachHasItsOwnSalt(self):
    run = _Run(_Candidates(3))
    self.assertEqual(len(run.sent), 3)
    self.assertEqual(len(set(request.rsalt for (_, _, request) in run.sent)), 3)

  def testResendsHaveTheSameSaltAndAreSpaced(self):
    run = _Run(_Candidates(1))
    self.assertFalse(run.Advance(9.9))
    self.assertEqual(len(set(request.rsalt for (_, _, request) in run.sent)), 1)
    times = [sent for (sent, _, _) in run.sent]
    pauses = [b - a for (a, b) in zip(times, times[1:])]
    self.assertAlmostEqual(pauses[0], 0.1)
    self.assertEqual(pauses, sorted(pauses))
    self.assertLessEqual(max(pauses), 1.0001)
    # 20 % loss each way: 0.36 ** 11 fail
    self.assertGreaterEqual(len(times), 11)
    self.assertTrue(run.Advance(0.2))

  def testResendsAreSignedAnew(self):
    current = quorum.QuorumQuery(0, None, _Candidates(1), [], 0.0, 10.0)
    for (now, timestamp) in [(0.0, 1700000000), (0.2, 1700000600)]:
      ((_, _, datagram), ) = current.Outgoing(testutils.KEY, now, timestamp)
      wire.ParseRequest(datagram, testutils.KEY, timestamp)

  def testWhoHasRepliedIsNotAskedAgain(self):
    run = _Run(_Candidates(2))
    run.Reply(0, 5)
    run.Advance(0.5)
    self.assertEqual([(host, request.type) for (_, host, request) in run.sent
                      ].count(("192.0.2.1", 0)), 1)

  def testAllAddressesOfACandidate(self):
    run = _Run([mastercandidate.Candidate("node1", [
      (socket.AF_INET, ("192.0.2.1", 1814)),
      (socket.AF_INET6, ("::1", 1814, 0, 0))])])
    self.assertEqual(sorted(host for (_, host, _) in run.sent),
                     ["192.0.2.1", "::1"])
    self.assertEqual(len(set(request.rsalt for (_, _, request) in run.sent)), 1)


class TestEnough(unittest.TestCase):
  def testNeededReplies(self):
    self.assertEqual([quorum.NeededReplies(i) for i in range(1, 9)],
                     [1, 2, 2, 3, 3, 4, 4, 5])

  def testEnds(self):
    for (count, needed) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4)]:
      with self.subTest(count=count, needed=needed):
        run = _Run(_Candidates(count))
        for index in range(needed):
          self.assertFalse(run.done)
          run.Reply(index, 5)
        self.assertTrue(run.done, count)

  def testDuplicateCountsOnce(self):
    run = _Run(_Candidates(3))
    run.Reply(0, 5)
    run.Reply(0, 6)
    self.assertFalse(run.done)
    run.Reply(1, 5)
    reply = run.Result()
    self.assertEqual(reply.serial, 5)
    self.assertEqual(len(reply.candidates), 2)

  def testPatience(self):
    run = _Run(_Candidates(2))
    run.Reply(0, 5)
    self.assertFalse(run.Advance(0.9))
    self.assertTrue(run.Advance(0.2))
    reply = run.Result()
    self.assertEqual(reply.silent, {"node2": None})
    self.assertTrue(run.candidates[1].silent)

  def testNotWaitedFor(self):
    """A candidate is not silent because others were quicker.

    """
    learned = _Candidate(5)
    learned.Untested()
    run = _Run([*_Candidates(4), learned])
    for index in range(3):
      run.Reply(index, 5)
    self.assertTrue(run.done)
    self.assertEqual(run.Result().silent, {})
    self.assertFalse(run.candidates[3].silent)

  def testNotWaitedForButRefused(self):
    run = _Run(_Candidates(4))
    run.Refuse(3)
    for index in range(3):
      run.Reply(index, 5)
    self.assertEqual(run.Result().silent, {"node4": "refused"})

  def testSlowAnswerGivesOthersAsLong(self):
    run = _Run(_Candidates(2))
    run.Advance(2)
    run.Reply(0, 5)
    self.assertFalse(run.Advance(1.9))
    self.assertTrue(run.Advance(0.2))

  def testNobodyWaitsForTheSilent(self):
    run = _Run([_Candidate(1), _Candidate(2, silent=True)])
    self.assertEqual(len(run.sent), 2)
    run.Reply(0, 5)
    self.assertTrue(run.done)

  def testTheSilentAreWaitedForIfThereIsNobodyElse(self):
    run = _Run([_Candidate(1, silent=True), _Candidate(2, silent=True)])
    run.Reply(1, 5)
    self.assertTrue(run.done)
    self.assertFalse(run.candidates[1].silent)

  def testAnErrorEndsNoPatience(self):
    """Anybody who can send the client a datagram can forge such a reply.

    """
    run = _Run(_Candidates(2))
    run.Refuse(1)
    self.assertFalse(run.done)
    run.Reply(0, 5)
    self.assertFalse(run.Advance(0.9))
    run.Reply(1, 6)
    self.assertTrue(run.done)
    self.assertEqual(run.Result().serial, 6)
    self.assertFalse(run.candidates[1].silent)

  def testAnErrorExplainsSilence(self):
    run = _Run(_Candidates(2))
    run.Refuse(1)
    run.Reply(0, 5)
    self.assertTrue(run.Advance(1.01))
    self.assertEqual(run.Result().silent, {"node2": "refused"})
    self.assertTrue(run.candidates[1].silent)

  def testAnErrorMakesResendsRarer(self):
    counts = []
    for refused in (False, True):
      run = _Run(_Candidates(2))
      if refused:
        run.Refuse(1)
      run.Advance(1)
      counts.append([host for (_, host, _) in run.sent].count("192.0.2.2"))
    self.assertLess(counts[1], counts[0])
    # One of them was lost, another one comes within patience
    self.assertGreaterEqual(counts[1], 2)

  def testUnreachableMayComeBack(self):
    run = _Run(_Candidates(1))
    run.Refuse(0)
    self.assertFalse(run.Advance(0.5))
    run.Reply(0, 5)
    self.assertTrue(run.done)
    self.assertEqual(run.Result().serial, 5)

  def testNothingListensAnywhere(self):
    run = _Run(_Candidates(1))
    run.Refuse(0)
    self.assertTrue(run.Advance(1.01))
    with self.assertRaisesRegex(replies.NoAnswer, "node1: refused"):
      run.Result()

  def testReserve(self):
    candidates = _Candidates(8)
    run = _Run(candidates[:6], candidates[6:])
    run.candidates = candidates
    run.Advance(0.9)
    self.assertNotIn("192.0.2.7", [host for (_, host, _) in run.sent])
    run.Advance(0.2)
    self.assertIn("192.0.2.7", [host for (_, host, _) in run.sent])
    run.Reply(7, 5)
    self.assertFalse(run.done)
    self.assertTrue(run.Advance(1))
    self.assertEqual(run.Result().serial, 5)

  def testEverybody(self):
    run = _Run(_Candidates(3), wait_for_all=True, patience=3.0)
    run.Reply(0, 5)
    run.Reply(1, 5)
    self.assertFalse(run.Advance(2.9))
    self.assertTrue(run.Advance(0.2))


class TestUnlisted(unittest.TestCase):
  """Candidates that the cluster's list lacks are not waited for long (rule 8).

  """
  _LIST = constants.CONFD_REQ_MC_PIP_LIST

  def _Receive(self, run, index, ips, serial=5, status=0):
    """Hands in a reply to the question for the list, if it is pending.

    """
    for request in list(run.query.Salts().values()):
      if (run.query.Question(request) == (self._LIST, None, None) and
          request.candidate is run.candidates[index]):
        run.query.Receive(request, wire.ParsedReply(1, status, ips, serial,
                                                    request.salt),
                          request.candidate.addresses[0].address, run.now)

  def _Asked(self, run):
    """Returns the candidates that were asked for the list.

    """
    return {host for (_, host, request) in run.sent
            if request.type == self._LIST}

  def testUnlisted(self):
    for kwargs in ({}, {"wait_for_all": True}):
      with self.subTest(**kwargs):
        candidates = _Candidates(2)
        run = _Run(candidates, **kwargs)
        run.Reply(0, 5)
        self.assertFalse(run.Advance(0.05))
        self.assertEqual(self._Asked(run), set())
        self.assertFalse(run.Advance(0.1))
        self.assertEqual(self._Asked(run), {"192.0.2.1"})
        self._Receive(run, 0, ["192.0.2.1", "192.0.2.77"])
        # An answer may still be on its way
        self.assertFalse(run.Advance(0.05))
        self.assertTrue(run.Advance(0.1))
        self.assertEqual(run.Result().silent,
                         {"node2": "is no master candidate"})
        # Further questions do not wait for it, and have the same reason
        again = _Run(candidates, **kwargs)
        again.Reply(0, 5)
        if not kwargs:
          self.assertTrue(again.done)
          self.assertEqual(again.Result().silent,
                           {"node2": "is no master candidate"})

  def testReasonEnds(self):
    """With an answer, and with a wait in which no list confirms the reason.

    """
    for answers in (True, False):
      with self.subTest(answers=answers):
        candidates = _Candidates(2)
        candidates[1].Unlisted()
        run = _Run(candidates, wait_for_all=True)
        run.Reply(0, 5)
        if answers:
          run.Reply(1, 5)
        self.assertTrue(run.Advance(1.1))
        self.assertEqual(run.Result().silent,
                         {} if answers else {"node2": None})
        self.assertFalse(candidates[1].unlisted)

  def testItself(self):
    """The question for the list needs no second one."""
    run = _Run(_Candidates(2), query=(self._LIST, None))
    run.Reply(0, 5, answer=["192.0.2.1"])
    self.assertTrue(run.Advance(0.3))
    self.assertEqual([i.rsalt for (_, host, i) in run.sent
                      if host == "192.0.2.1"], [run.sent[0][2].rsalt])

  def testLateAnswerCounts(self):
    candidates = _Candidates(3)
    run = _Run(candidates, wait_for_all=True)
    run.Reply(0, 5)
    run.Advance(0.15)
    self._Receive(run, 0, ["192.0.2.1", "192.0.2.2"])
    self.assertFalse(run.Advance(0.3))
    run.Reply(2, 7)
    self.assertFalse(run.done)
    run.Reply(1, 5)
    self.assertTrue(run.done)
    reply = run.Result()
    self.assertEqual((reply.serial, reply.silent), (7, {}))
    self.assertFalse(candidates[2].missed)

  @staticmethod
  def _TwoAnswer(count):
    """Makes a query which the first two candidates answer, and asks for lists.

    @param count: number of candidates

    """
    run = _Run(_Candidates(count))
    run.Reply(0, 5)
    run.Reply(1, 5)
    run.Advance(0.15)
    return run

  def testQuorumOfTheListed(self):
    """With two of five candidates gone, three are left: two are enough."""
    run = self._TwoAnswer(5)
    for index in (0, 1):
      self._Receive(run, index, ["192.0.2.%d" % i for i in (1, 2, 3)])
    self.assertTrue(run.Advance(0.15))

  def testWaitsForTheListed(self):
    run = _Run(_Candidates(3))
    run.Reply(0, 5)
    run.Advance(0.15)
    self._Receive(run, 0, ["192.0.2.1", "192.0.2.2"])
    self.assertFalse(run.Advance(0.8))
    self.assertTrue(run.Advance(0.1))

  def testListsThatDoNotCount(self):
    """Errors, others' lists, lists of other addresses, of stale candidates."""
    for (what, kwargs, serial, ips, status) in [
        ("no list", {}, 5, None, 0),
        ("an error", {}, 5, ["192.0.2.1"], 1),
        ("the other is on it", {}, 5, ["192.0.2.1", "192.0.2.2"], 0),
        ("behind NAT", {}, 5, ["10.0.0.1", "10.0.0.3"], 0),
        ("stale", {"min_serial": 6}, 5, ["192.0.2.1"], 0)]:
      with self.subTest(what):
        candidates = [_Candidate(i, reports_serial=True) for i in (1, 2)]
        run = _Run(candidates, **kwargs)
        run.Reply(0, serial)
        run.Advance(0.15)
        if ips is not None:
          self._Receive(run, 0, ips, serial, status)
        self.assertFalse(run.Advance(0.8))
        self.assertFalse(candidates[1].missed)

  def testOneListIsEnough(self):
    """A candidate is waited for if any of the lists has it."""
    run = self._TwoAnswer(4)
    self._Receive(run, 0, ["192.0.2.1", "192.0.2.2"])
    self._Receive(run, 1, ["192.0.2.1", "192.0.2.2", "192.0.2.3"])
    self.assertTrue(run.Advance(0.15))
    self.assertEqual(list(run.Result().silent), ["node4"])

  def testEachListIsAwaited(self):
    """An old list that is there first does not decide."""
    for last in (["192.0.2.%d" % i for i in (1, 2, 3)], None):
      with self.subTest(last=last):
        run = _Run(_Candidates(4), wait_for_all=True)
        run.Reply(0, 4)
        run.Reply(1, 5)
        run.Advance(0.15)
        self._Receive(run, 0, ["192.0.2.1", "192.0.2.2"], serial=4)
        self.assertFalse(run.Advance(0.3))
        # The last one may be an error
        self._Receive(run, 1, last, status=0 if last else 1)
        self.assertEqual(run.done, not last)
        if last:
          run.Reply(2, 5)
          self.assertFalse(run.done)
          run.Step()
          self._Receive(run, 2, last)
          self.assertFalse(run.done)
          self.assertTrue(run.Advance(0.5))
          self.assertEqual(run.Result().silent,
                           {"node4": "is no master candidate"})

  def testLaterList(self):
    """A candidate that only a later list has is asked again."""
    candidates = _Candidates(3)
    run = _Run(candidates, wait_for_all=True)
    run.Reply(0, 4)
    run.Advance(0.15)
    self._Receive(run, 0, ["192.0.2.1", "192.0.2.2"], serial=4)
    self.assertFalse(run.Advance(0.2))
    sent = len([host for (_, host, _) in run.sent if host == "192.0.2.3"])
    self.assertFalse(run.Advance(0.4))
    self.assertEqual(len([host for (_, host, _) in run.sent
                          if host == "192.0.2.3"]), sent)
    run.Reply(1, 5)
    self.assertFalse(run.done)
    run.Step()
    self._Receive(run, 1, ["192.0.2.1", "192.0.2.2", "192.0.2.3"])
    self.assertFalse(run.Advance(0.1))
    self.assertGreater(len([host for (_, host, _) in run.sent
                            if host == "192.0.2.3"]), sent)
    run.Reply(2, 5)
    self.assertTrue(run.done)
    self.assertEqual(run.Result().silent, {})

  def testMalformed(self):
    run = _Run(_Candidates(2))
    run.Reply(0, 5)
    run.Advance(0.15)
    for request in list(run.query.Salts().values()):
      if run.query.Question(request) == (self._LIST, None, None):
        run.query.ReceiveMalformed(request, "bad", ("192.0.2.1", 1814), run.now)
    self.assertFalse(run.Advance(0.8))
    # No busy loop, and no further question for the list
    self.assertLess(len(run.sent), 20)
    self.assertTrue(run.Advance(0.1))

  def testSlowNetwork(self):
    """The list is asked for as soon as there is an answer; an answer that
    takes a little longer is awaited.

    """
    run = _Run(_Candidates(2))
    run.Advance(0.39)
    run.Reply(0, 5)
    run.Step()
    self.assertEqual(self._Asked(run), {"192.0.2.1"})
    self._Receive(run, 0, ["192.0.2.1"])
    self.assertFalse(run.Advance(0.38))
    self.assertTrue(run.Advance(0.02))
    self.assertEqual(run.Result().silent, {"node2": "is no master candidate"})

  def testWithoutLists(self):
    """Addresses that differ from those on the list: not even one that is the
    same makes the others no candidates. Neither does the answer to a question
    for the list.

    """
    for query in ((0, None), (self._LIST, None)):
      for kwargs in ({}, {"wait_for_all": True}):
        with self.subTest(query=query, **kwargs):
          candidates = _Candidates(2)
          run = _Run(candidates, query=query, with_lists=False, **kwargs)
          run.Reply(0, 5, answer=["192.0.2.1", "10.0.0.2"])
          self.assertFalse(run.Advance(0.9))
          self.assertEqual({request.type for (_, _, request) in run.sent},
                           {query[0]})
          self.assertTrue(run.Advance(0.2))
          self.assertEqual(run.Result().silent, {"node2": None})

  def testAnyAddressCounts(self):
    """A name has two addresses, and the answer is from the one that is not on
    the list.

    """
    both = mastercandidate.Candidate("node1", [
      (socket.AF_INET6, ("2001:db8::1", 1814, 0, 0)),
      (socket.AF_INET, ("192.0.2.1", 1814))])
    run = _Run([both, _Candidate(2)])
    run.Reply(0, 5)
    run.Advance(0.15)
    for request in list(run.query.Salts().values()):
      if run.query.Question(request) == (self._LIST, None, None):
        run.query.Receive(request, wire.ParsedReply(1, 0, ["192.0.2.1"], 5,
                                                    request.salt),
                          ("2001:db8::1", 1814, 0, 0), run.now)
    self.assertTrue(run.Advance(0.15))
    self.assertEqual(run.Result().silent, {"node2": "is no master candidate"})

  def testLooksAgain(self):
    """The time passes between the look and the sending of requests."""
    run = _Run(_Candidates(2))
    run.Reply(0, 5)
    run.Advance(0.15)
    self._Receive(run, 0, ["192.0.2.1"])
    self.assertFalse(run.query.Done(1000.2499))
    run.query.Outgoing(testutils.KEY, 1000.2501, 1700000000)
    self.assertLessEqual(run.query.wakeup, 1000.2501)
    self.assertTrue(run.query.Done(1000.2501))


class TestUnsupported(unittest.TestCase):
  """A question that Ganeti's own daemon does not have (rule 6).

  """
  def _Probe(self, run, index, serial):
    """Answers the ping of a candidate.

    """
    (probe, ) = [i for i in run.query.Salts().values()
                 if (run.query.Question(i).rtype == 0 and
                     i.candidate is run.candidates[index])]
    run.query.Receive(probe, wire.ParsedReply(1, 0, 3000000, serial,
                                              probe.salt),
                      probe.candidate.addresses[0].address, run.now)

  def testAllPackaged(self):
    run = _Run(_Candidates(2), query=(64, {"what": "node"}))
    self.assertFalse(run.Advance(0.45))
    self.assertEqual({request.type for (_, _, request) in run.sent}, {64})
    self.assertFalse(run.Advance(0.1))
    self.assertEqual([request.type for (_, _, request) in run.sent].count(0), 2)
    self._Probe(run, 0, 0)
    self.assertFalse(run.done)
    self._Probe(run, 1, 0)
    self.assertTrue(run.done)
    with self.assertRaises(replies.NoAnswer) as caught:
      run.Result()
    text = str(caught.exception)
    self.assertEqual(text.count("Ganeti's own daemon answers there, and does"
                                " not have this question"), 2)
    self.assertNotIn("silence", text)
    # The candidates are as good as before for other questions
    self.assertFalse(any(i.silent for i in run.candidates))

  def testSlowDaemonOfOurs(self):
    run = _Run(_Candidates(1), query=(64, {"what": "node"}))
    run.Advance(0.6)
    self._Probe(run, 0, 17)
    self.assertFalse(run.Advance(3))
    run.Reply(0, 17, [])
    self.assertTrue(run.done)
    self.assertEqual(run.Result().serial, 17)

  def testMixed(self):
    run = _Run(_Candidates(2), query=(64, {"what": "node"}))
    run.Advance(0.6)
    self._Probe(run, 0, 0)
    run.Reply(1, 17, [])
    self.assertTrue(run.done)
    self.assertEqual(run.Result().serial, 17)

  def _List(self, run, index, ips):
    """Answers the question for the list of candidates.

    """
    (listing, ) = [i for i in run.query.Salts().values()
                   if (run.query.Question(i).rtype == 5 and
                       i.candidate is run.candidates[index])]
    run.query.Receive(listing, wire.ParsedReply(1, 0, ips, 3, listing.salt),
                      listing.candidate.addresses[0].address, run.now)

  def testBesideOneThatIsGone(self):
    """The list of Ganeti's own daemon shows that nobody else can answer.

    """
    for (ips, is_gone) in [(["192.0.2.1"], True),
                           (["192.0.2.1", "192.0.2.2"], False),
                           # Behind NAT
                           (["198.51.100.1"], False)]:
      with self.subTest(ips):
        run = _Run(_Candidates(2), query=(64, {"what": "node"}))
        run.Advance(0.6)
        self._Probe(run, 0, 0)
        run.Step()
        self._List(run, 0, ips)
        self.assertEqual(run.done, is_gone)
        run.Advance(5)
        with self.assertRaises(replies.NoAnswer) as caught:
          run.Result()
        self.assertEqual(caught.exception.silent["node2"],
                         "is no master candidate" if is_gone else None)

  def _RunWithReserve(self):
    """Runs until a list has come that lacks the candidate in reserve.

    """
    candidates = _Candidates(3)
    run = _Run(candidates[:2], reserve=candidates[2:],
               query=(64, {"what": "node"}))
    run.Advance(0.6)
    self._Probe(run, 0, 0)
    run.Step()
    self._List(run, 0, ["192.0.2.1"])
    run.candidates = candidates
    return run

  def testReserve(self):
    """A candidate in reserve is asked, though an old list may lack it.

    """
    run = self._RunWithReserve()
    self.assertFalse(run.Advance(0.1))
    self.assertIn("192.0.2.3", [host for (_, host, _) in run.sent])
    run.Reply(2, 17, [])
    run.Advance(5)
    self.assertEqual(run.Result().serial, 17)

  def testSilentReserve(self):
    """A candidate in reserve that the list lacks is not waited for long.

    """
    run = self._RunWithReserve()
    self.assertTrue(run.Advance(0.5))
    with self.assertRaises(replies.NoAnswer) as caught:
      run.Result()
    self.assertEqual(caught.exception.silent["node3"],
                     "is no master candidate")

  def testAnswerAfterTheList(self):
    """With an answer, the list of the daemon that answers decides.

    """
    run = _Run(_Candidates(3), query=(64, {"what": "node"}))
    run.Advance(0.6)
    self._Probe(run, 0, 0)
    run.Step()
    self._List(run, 0, ["192.0.2.1", "192.0.2.2"])
    self.assertFalse(run.done)
    run.Reply(1, 17, [])
    run.Step()
    self._List(run, 1, ["192.0.2.1", "192.0.2.2", "192.0.2.3"])
    self.assertFalse(run.done)
    run.Reply(2, 18, [])
    self.assertTrue(run.done)
    self.assertEqual(run.Result().serial, 18)

  def testLost(self):
    """A ping that is lost is sent again.

    """
    run = _Run(_Candidates(1), query=(64, {"what": "node"}))
    run.Advance(2)
    times = [sent for (sent, _, request) in run.sent if request.type == 0]
    self.assertGreater(len(times), 2)

  def testOldQuestions(self):
    """Ganeti's own daemon has them: nothing is found out.

    """
    run = _Run(_Candidates(1), query=(10, "/serial_no"))
    run.Advance(3)
    self.assertEqual({request.type for (_, _, request) in run.sent}, {10})


class TestSource(unittest.TestCase):
  """The source address says whose a reply is.

  """
  def _Receive(self, run, asked, address, serial):
    """Hands in a reply to what one candidate was asked, from somewhere.

    """
    salts = run.query.Salts()
    (salt, ) = [salt for (salt, item) in salts.items()
                if item.candidate is run.candidates[asked]]
    run.query.Receive(salts[salt], wire.ParsedReply(1, 0, "x", serial, salt),
                      address, run.now)

  def testFromElsewhere(self):
    run = _Run(_Candidates(1))
    for address in [("192.0.2.9", 1814), ("192.0.2.1", 1815),
                    ("::ffff:192.0.2.9", 1814, 0, 0)]:
      self._Receive(run, 0, address, 4)
      self.assertFalse(run.done)
    self.assertTrue(run.Advance(10))
    with self.assertRaisesRegex(replies.NoAnswer, "ignored replies from"
                                " 192.0.2.1, 192.0.2.9: not a candidate's"):
      run.Result()

  def testAnyAddressOfTheCandidate(self):
    candidate = mastercandidate.Candidate("node1", [
      (socket.AF_INET, ("192.0.2.1", 1814)),
      (socket.AF_INET, ("192.0.2.100", 1814))])
    run = _Run([candidate])
    self._Receive(run, 0, ("192.0.2.100", 1814), 5)
    self.assertTrue(run.done)
    self.assertEqual(run.Result().candidates[0].server, "192.0.2.100")
    (found, addresses) = run.query.BestSource()
    self.assertIs(found, candidate)
    self.assertEqual([i.address[0] for i in addresses], ["192.0.2.100"])

  def testAnotherCandidatesAddress(self):
    """The reply is that candidate's, and counts once.

    """
    run = _Run(_Candidates(3))
    self._Receive(run, 0, ("192.0.2.2", 1814), 4)
    self._Receive(run, 1, ("192.0.2.2", 1814), 4)
    self.assertFalse(run.done)
    run.Reply(0, 5)
    self.assertTrue(run.done)
    self.assertEqual([(i.address, i.server, i.serial)
                      for i in run.Result().candidates],
                     [("node1", "192.0.2.1", 5), ("node2", "192.0.2.2", 4)])

  def testIpv6(self):
    for (asked, other, same) in [
      (("2001:db8::1", 1814, 0, 0), ("2001:DB8:0::1", 1814, 7, 0), True),
      (("2001:db8::1", 1814, 0, 2), ("2001:db8::1", 1814, 0, 0), True),
      (("2001:db8::1", 1814, 0, 0), ("2001:db8::1", 1815, 0, 0), False),
      (("fe80::1", 1814, 0, 2), ("fe80::1", 1814, 0, 2), True),
      (("fe80::1", 1814, 0, 2), ("fe80::1%eth0", 1814, 0, 2), True),
      (("fe80::1", 1814, 0, 2), ("fe80::1", 1814, 0, 3), False),
      (("::ffff:192.0.2.1", 1814, 0, 0), ("192.0.2.1", 1814), True),
      ]:
      with self.subTest(asked=asked, other=other):
        self.assertEqual(endpoint.Of(asked) == endpoint.Of(other),
                         same, (asked, other))


class TestBest(unittest.TestCase):
  def testHighestSerialWins(self):
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
      run = _Run(_Candidates(3))
      for index in order:
        run.Reply(index, 10 + index, "answer%d" % index)
      reply = run.Result()
      self.assertEqual((reply.answer, reply.serial), ("answer2", 12))
      self.assertEqual([i.behind for i in reply.candidates], [0, 1, 2])
      self.assertEqual([i.address for i in reply.candidates],
                       ["node3", "node2", "node1"])

  def testFreshErrorWinsOverOldAnswer(self):
    run = _Run(_Candidates(2))
    run.Reply(0, 10)
    run.Reply(1, 11, constants.CONFD_ERROR_UNKNOWN_ENTRY, status=1)
    with self.assertRaises(replies.ErrorAnswer) as context:
      run.Result()
    self.assertEqual(context.exception.code, 0)
    self.assertIn("unknown entry", str(context.exception))
    self.assertIn("serial 11", str(context.exception))

  def testTextNeverWins(self):
    run = _Run(_Candidates(2))
    run.Reply(0, 999, "Cannot load configuration", status=1)
    self.assertFalse(run.done)
    run.Reply(1, 3)
    self.assertTrue(run.done)
    self.assertEqual(run.Result().serial, 3)

  def testTextIsNotEnough(self):
    run = _Run(_Candidates(3))
    run.Reply(0, 0, "Cannot load configuration", status=1)
    run.Reply(1, 0, "Cannot load configuration", status=1)
    self.assertFalse(run.done)
    run.Reply(2, 3)
    self.assertEqual(run.Result().serial, 3)

  def testOnlyTexts(self):
    run = _Run(_Candidates(2))
    run.Reply(0, 0, "Cannot load configuration", status=1)
    self.assertFalse(run.Advance(2.9))
    self.assertTrue(run.Advance(0.2))
    with self.assertRaisesRegex(replies.ErrorAnswer, "Cannot load"):
      run.Result()

  def testTooLarge(self):
    run = _Run(_Candidates(1), query=(10, "/instances"))
    run.Reply(0, 3, 3, status=1)
    with self.assertRaisesRegex(replies.ErrorAnswer,
                                'config "/instances": .* does not fit'):
      run.Result()

  def testNotImplemented(self):
    run = _Run(_Candidates(1))
    run.Reply(0, 3, None, status=2)
    with self.assertRaisesRegex(replies.ErrorAnswer, "not implemented"):
      run.Result()

  def testSerialQuestion(self):
    """The packaged daemon says the cluster object's serial beside it.

    """
    run = _Run(_Candidates(2), query=quorum.SERIAL_QUESTION)
    run.Reply(0, 400, 400)
    run.Reply(1, 8, 500)
    reply = run.Result()
    self.assertEqual((reply.answer, reply.serial), (500, 500))


class TestFloor(unittest.TestCase):
  def testStaleIsNoAnswer(self):
    run = _Run(_Candidates(3), min_serial=10)
    run.Reply(0, 9)
    run.Reply(1, 9)
    self.assertFalse(run.done)
    self.assertTrue(run.query.AllStale())
    run.Reply(2, 10)
    self.assertTrue(run.done)
    self.assertFalse(run.query.AllStale())
    self.assertEqual(run.Result().serial, 10)

  def testStaleWithTheHigherSerial(self):
    """Serials of the packaged daemon's replies tell nothing.

    """
    run = _Run([_Candidate(1), _Packaged(2)], query=(1, "node1"),
               min_serial=100)
    run.Reply(0, 90, answer="old")
    run.Reply(1, 5, answer="new")
    self.assertTrue(run.Advance(2))
    reply = run.Result()
    self.assertEqual(reply.answer, "new")
    self.assertEqual([(i.answer, i.behind) for i in reply.candidates],
                     [("new", 0), ("old", 0)])

  def testOnlyStale(self):
    run = _Run(_Candidates(2), min_serial=10)
    run.Reply(0, 9)
    run.Reply(1, 8)
    self.assertTrue(run.done)
    with self.assertRaisesRegex(replies.StaleAnswer, "serial 9 .*serial 10"):
      run.Result()

  def testPackagedDaemonsSerialsTellNothing(self):
    run = _Run([_Packaged(1)], query=(3, None), min_serial=10)
    run.Reply(0, 2)
    self.assertFalse(run.query.AllStale())
    self.assertEqual(run.Result().serial, 2)

  def testPingShowsWhoTells(self):
    run = _Run(_Candidates(2))
    run.Reply(0, 0, 3000000)
    run.Reply(1, 7, 3000000)
    self.assertEqual([i.reports_serial for i in run.candidates], [False, True])


class TestWhichDaemon(unittest.TestCase):
  """Replies below min_serial: is it a packaged daemon by now?

  """
  def _Run(self, candidates, **kwargs):
    kwargs.setdefault("query", (1, "node1"))
    return _Run(candidates, min_serial=100, **kwargs)

  def _Pings(self, run):
    """Returns to whom pings were sent, and forgets them.

    """
    run.Step()
    result = [host for (_, host, request) in run.sent if request.type == 0]
    run.sent = []
    return result

  def testAnsweredByPackaged(self):
    run = self._Run([_Candidate(1, reports_serial=True)])
    run.Reply(0, 5, answer="from the daemon before?")
    self.assertFalse(run.done)
    self.assertTrue(run.query.AllStale())
    self.assertEqual(self._Pings(run), ["192.0.2.1"])
    run.Reply(0, 0, answer=3000000)
    # The question again, with another salt
    self.assertFalse(run.done)
    run.Step()
    self.assertEqual([request.type for (_, _, request) in run.sent], [1])
    run.Reply(0, 5, answer="new")
    self.assertTrue(run.done)
    self.assertEqual(run.Result().answer, "new")

  def testFarAway(self):
    """A ping whose reply takes longer than it counts.

    """
    run = self._Run([_Candidate(1)])
    for (serial, answer) in [(5, "old"), (0, 3000000), (5, "new")]:
      run.Step()
      run.Reply(0, serial, answer, delay=1.5)
    self.assertTrue(run.done)
    self.assertEqual(run.Result().answer, "new")

  def testAnsweredByOurs(self):
    for candidate in [_Candidate(1, reports_serial=True), _Candidate(1)]:
      run = self._Run([candidate])
      run.Reply(0, 99)
      self.assertEqual(self._Pings(run), ["192.0.2.1"])
      run.Reply(0, 99, answer=3000000)
      self.assertTrue(run.done)
      self.assertTrue(run.query.AllStale())
      self.assertEqual(self._Pings(run), [])

  def testPackagedIsOursByNow(self):
    """The daemon that a candidate has is not believed for long.

    """
    run = self._Run([_Packaged(1)])
    run.Reply(0, 99, delay=1.1)
    self.assertFalse(run.done)
    self.assertEqual(self._Pings(run), ["192.0.2.1"])
    self.assertTrue(run.query.AllStale())
    run.Reply(0, 99, answer=3000000)
    self.assertTrue(run.done)
    self.assertTrue(run.query.AllStale())

  def testPingWithoutReply(self):
    run = self._Run([_Candidate(1)], timeout=5)
    run.Reply(0, 99)
    self.assertTrue(run.Advance(5))
    self.assertGreater(len(self._Pings(run)), 3)
    self.assertTrue(run.query.AllStale())

  def testOthersDoNotWait(self):
    run = self._Run(_Candidates(3))
    run.Reply(0, 99)
    run.Reply(1, 100)
    run.Reply(2, 100)
    self.assertTrue(run.done)

  def testWhileAnotherIsSilent(self):
    run = self._Run(_Candidates(3))
    for (serial, answer) in [(5, "old"), (0, 3000000), (5, "new")]:
      for index in range(2):
        run.Reply(index, serial, answer)
      run.Step()
    self.assertTrue(run.done)
    self.assertEqual(run.Result().answer, "new")

  def testNoReason(self):
    """No ping to whoever is fresh, has no answer, or tells by the answer.

    """
    for (query, serial, answer, status) in [
      ((1, "node1"), 100, 0, 0),
      ((1, "node1"), 0, "no such node", 1),
      (quorum.SERIAL_QUESTION, 5, 99, 0),
      ((0, None), 99, 3000000, 0),
      ((0, None), 0, 3000000, 0),
      ]:
      run = self._Run(_Candidates(2), query=query)
      run.sent = []
      run.Reply(0, serial, answer, status)
      self.assertEqual(self._Pings(run), [])
    run = _Run(_Candidates(2), query=(1, "node1"))
    run.Reply(0, 5)
    self.assertEqual(self._Pings(run), [])

  def testReplyFromElsewhere(self):
    """Of another candidate, or of nobody who was asked.

    """
    run = self._Run(_Candidates(2))
    run.Reply(0, 99)
    run.Step()
    (ping, ) = [asked for asked in run.query.Salts().values()
                if asked not in run.query._requests]
    for host in ["192.0.2.2", "192.0.2.99"]:
      run.query.Receive(ping, wire.ParsedReply(1, 0, 3000000, 0, ping.salt),
                           (host, 1814), run.now)
    self.assertEqual([i.reports_serial for i in run.candidates], [None, None])
    self.assertTrue(run.query.AllStale())

  def testSaltsAreNew(self):
    """A reply to another ping has none of them.

    """
    salts = set()
    for _ in range(2):
      run = self._Run([_Candidate(1)])
      for (serial, answer) in [(5, "old"), (0, 3000000), (5, "new")]:
        run.Step()
        run.Reply(0, serial, answer)
      salts.update(request.rsalt for (_, _, request) in run.sent)
    self.assertEqual(len(salts), 6)


class TestNoAnswer(unittest.TestCase):
  def testSaysWhoAndWhy(self):
    run = _Run(_Candidates(2), query=(1, "node7"), timeout=5)
    run.query.unauthentic = 4
    run.Refuse(1)
    self.assertTrue(run.Advance(5))
    with self.assertRaises(replies.NoAnswer) as context:
      run.Result()
    for text in ["node1", "node2: refused", 'node-role "node7"', "5.0 seconds",
                 "4 replies were not authentic", "five minutes", "another key"]:
      with self.subTest(text=text):
        self.assertIn(text, str(context.exception))

  def testNameWithoutAddress(self):
    candidate = mastercandidate.Candidate("nowhere", [],
                                          "cannot be resolved: x")
    run = _Run([candidate])
    self.assertTrue(run.done)
    with self.assertRaisesRegex(replies.NoAnswer,
                                "nowhere: cannot be resolved: x"):
      run.Result()
    self.assertEqual(run.sent, [])


if __name__ == "__main__":
  unittest.main()

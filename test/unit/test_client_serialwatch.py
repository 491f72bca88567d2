#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Waiting at candidates: no socket, and a clock of the test's own.

"""

import itertools
import socket
import unittest

import testutils

from ganeti.confd.clientlib import mastercandidate
from ganeti.confd.clientlib import serialwatch
from ganeti.confd.clientlib.serialwatch import Outcome
from ganeti.confd.protocol import wire


_WAIT = 66
_SERIAL = (10, "/serial_no")

_NOT_IMPLEMENTED = (2, None)
_TOO_MANY = (1, 5)


class _Daemon:
  """A candidate: what it answers to a WAIT, and when.

  """
  def __init__(self, index, serial, knows=True):
    self.candidate = mastercandidate.Candidate(
      "node%d" % index, [(socket.AF_INET, ("192.0.2.%d" % index, 1814))])
    self.serial = serial
    self.knows = knows
    self.alive = True
    self.refusal = None
    #: Salt of the question that is kept, and until when it is
    self.kept = None

  def Ask(self, request, now):
    """@return: status and answer, or None

    """
    if not self.alive:
      return None
    if request.type != _WAIT:
      assert (request.type, request.query) == _SERIAL
      return (0, self.serial)
    if self.refusal is not None:
      return self.refusal
    if not self.knows:
      return None
    if request.query["serial"] != self.serial:
      return (0, self.serial)
    self.kept = (request.rsalt, now + request.query["seconds"])
    return None


class _World:
  """Waiting, daemons, and a clock that the test moves.

  @ivar is_certain: whether the answer is known to be from the configuration
    with the serial C{serial}

  """
  def __init__(self, *daemons, serial=17, is_certain=True):
    self.now = 1000.0
    self.daemons = list(daemons)
    self.serial = serial
    self.is_certain = is_certain
    self.sent = []
    self.watch = serialwatch.SerialWatch()
    self.Resume()

  def Begin(self):
    """Ends the present round, and begins the next one.

    @return: the outcome of the present round, and the highest serial in it

    """
    result = self.watch.TakeOutcome()
    self.Resume()
    return result

  def Resume(self):
    """Begins the first round, or goes on after an interruption.

    """
    self.watch.Begin([i.candidate for i in self.daemons], self.serial,
                     self.is_certain, _SERIAL, self.now)

  def _Reply(self, daemon, salt, outcome):
    (status, answer) = outcome
    asked = self.watch.Salts().get(salt)
    if asked is None:
      return
    self.watch.Receive(
      asked, wire.ParsedReply(1, status, answer, daemon.serial, salt),
      daemon.candidate.addresses[0].address, self.now)

  def _Step(self):
    for datagram in self.watch.Outgoing(testutils.KEY, self.now, 1700000000):
      request = wire.ParseRequest(datagram.data, testutils.KEY, 1700000000)
      (daemon, ) = [i for i in self.daemons
                    if i.candidate.addresses[0].address == datagram.address]
      self.sent.append((self.now, daemon, request))
      outcome = daemon.Ask(request, self.now)
      if outcome is not None:
        self._Reply(daemon, request.rsalt, outcome)

  def Change(self, daemon, serial):
    """Has a daemon load a configuration: what it keeps is answered before.

    """
    (old, daemon.serial) = (daemon.serial, serial)
    self.Finish(daemon, old)

  def Finish(self, daemon, serial):
    if daemon.kept is not None:
      ((salt, _), daemon.kept) = (daemon.kept, None)
      self._Reply(daemon, salt, (0, serial))

  def Advance(self, seconds):
    """Lets time pass, or less if something comes out.

    @return: the outcome, or None

    """
    end = self.now + seconds
    steps = 0
    while not self.watch.Done(self.now):
      self._Step()
      if self.watch.Done(self.now):
        break
      times = [self.watch.wakeup] + [i.kept[1] for i in self.daemons
                                       if i.kept is not None]
      if min(times) > end:
        self.now = end
        return None
      assert steps < 1000 * seconds + 100, "it spins"
      steps += 1
      self.now = max(self.now, min(times))
      for daemon in self.daemons:
        if daemon.kept is not None and daemon.kept[1] <= self.now:
          self.Finish(daemon, daemon.serial)
    # Find the outcome without ending the round
    return self.watch._outcome

  def Settle(self, seconds=3):
    """Lets time pass, in as many rounds as it takes.

    """
    end = self.now + seconds
    while self.Advance(end - self.now) is not None:
      self.Begin()

  def Sent(self, daemon, since):
    """@return: list of (seconds, request)

    """
    return [(when - since, request) for (when, whom, request) in self.sent
            if whom is daemon and when >= since]


class TestWaiting(unittest.TestCase):
  def testMoved(self):
    (one, two) = (_Daemon(1, 17), _Daemon(2, 17))
    world = _World(one, two)
    self.assertIsNone(world.Advance(3))
    self.assertIsNotNone(one.kept)
    self.assertIsNotNone(two.kept)
    world.Change(two, 18)
    self.assertIs(world.Advance(0), Outcome.MOVED)
    # The other one follows, and nothing else is news
    world.serial = 18
    self.assertEqual(world.Begin(), (Outcome.MOVED, 18))
    self.assertIsNone(world.Advance(1))
    world.Change(one, 18)
    self.assertIsNone(world.Advance(5))
    self.assertIsNotNone(one.kept)
    world.Change(one, 19)
    self.assertIs(world.Advance(0), Outcome.MOVED)

  def testInterrupted(self):
    """A change that was reported before an interruption is not lost.

    """
    for is_certain in (True, False):
      with self.subTest(is_certain):
        (one, two) = (_Daemon(1, 17), _Daemon(2, 16))
        world = _World(one, two, is_certain=is_certain)
        world.Settle()
        (serial, outcome) = ((18, Outcome.MOVED) if is_certain else
                             (17, Outcome.JOINED))
        world.Change(two, serial)
        world.Resume()
        self.assertIs(world.Advance(0), outcome)
        self.assertEqual(world.Begin(), (outcome, serial))

  def testReachesTheSerial(self):
    """Whatever state a candidate is in when it reaches the serial, and
    whichever daemon takes the place of the other one, the question is asked
    again if the answer may be older.

    """
    for is_certain in (False, True):
      for (knew, knows) in itertools.product([False, True], repeat=2):
        states = set()
        # Polled each second; probed at the start and every 30 seconds
        for seconds in (0, 0.5, 1.2, 3, 31.5, 40):
          with self.subTest(seconds, is_certain=is_certain, knew=knew,
                            knows=knows):
            (one, two) = (_Daemon(1, 17), _Daemon(2, 16, knows=knew))
            # Lose the first requests
            two.alive = seconds > 0
            world = _World(one, two, is_certain=is_certain)
            world.Settle(seconds)
            states.add(world.watch._watched[two.candidate.endpoints].state)
            two.kept = None
            (two.alive, two.knows, two.serial) = (True, knows, 17)
            outcomes = []
            for _ in range(20):
              outcomes.append(world.Advance(2))
              if outcomes[-1] is not None:
                world.Begin()
            if is_certain:
              self.assertNotIn(Outcome.JOINED, outcomes)
            else:
              self.assertIn(Outcome.JOINED, outcomes)
            self.assertLess(outcomes.count(Outcome.JOINED), 3)
        self.assertGreaterEqual(len(states), 2)

  def testQuietCostsLittle(self):
    daemon = _Daemon(1, 17)
    world = _World(daemon)
    for _ in range(10):
      self.assertIs(world.Advance(60), Outcome.QUIET)
      world.Begin()
    self.assertAlmostEqual(world.now, 1300)
    self.assertLess(len(world.sent), 75)
    # No firewall forgets it
    times = [when for (when, _, _) in world.sent]
    self.assertLess(max(b - a for (a, b) in zip(times, times[1:])), 20)

  def testBehindIsWaitedAt(self):
    (one, two) = (_Daemon(1, 17), _Daemon(2, 9))
    world = _World(one, two)
    start = world.now
    self.assertIsNone(world.Advance(20))
    self.assertLess(len(world.Sent(two, start)), 10)
    self.assertEqual(world.Sent(two, start)[-1][1].query["serial"], 9)
    # From one old configuration to another
    world.Change(two, 10)
    self.assertIsNone(world.Advance(5))
    world.Change(two, 18)
    self.assertIs(world.Advance(0), Outcome.MOVED)

  def testAllBehind(self):
    (one, two) = (_Daemon(1, 17), _Daemon(2, 9))
    world = _World(one, two)
    self.assertIsNone(world.Advance(3))
    world.Change(one, 9)
    self.assertIs(world.Advance(0), Outcome.BEHIND)

  def testLastThatIsNotBehindDies(self):
    (one, two) = (_Daemon(1, 17), _Daemon(2, 9))
    world = _World(one, two)
    self.assertIsNone(world.Advance(3))
    one.alive = False
    one.kept = None
    self.assertIs(world.Advance(15), Outcome.BEHIND)

  def testDeadIsKnownToBeSilent(self):
    """Questions that come after a round wait for no candidate that has died.

    """
    (one, two) = (_Daemon(1, 17), _Daemon(2, 17))
    world = _World(one, two)
    self.assertIsNone(world.Advance(3))
    one.alive = False
    one.kept = None
    self.assertIsNone(world.Advance(18))
    world.Change(two, 18)
    self.assertIs(world.Advance(0), Outcome.MOVED)
    world.watch.Finish(world.now)
    self.assertEqual([i.candidate.silent for i in (one, two)], [True, False])
    # Until it answers again
    one.alive = True
    one.serial = 18
    world.serial = 18
    world.is_certain = False
    world.Begin()
    self.assertIs(world.Advance(5), Outcome.JOINED)
    self.assertFalse(one.candidate.silent)

  def testLost(self):
    daemon = _Daemon(1, 17)
    world = _World(daemon)
    daemon.alive = False
    self.assertIs(world.Advance(3), Outcome.LOST)
    daemon.alive = True
    world.Begin()
    self.assertIsNone(world.Advance(3))
    daemon.alive = False
    daemon.kept = None
    self.assertIs(world.Advance(15), Outcome.LOST)
    # Only asked now and then meanwhile, and waited at when it is back
    world.Begin()
    daemon.alive = True
    self.assertIsNone(world.Advance(3))
    self.assertIsNotNone(daemon.kept)

  def testKilledAndBack(self):
    """The daemon has forgotten the question that it kept.

    """
    daemon = _Daemon(1, 17)
    world = _World(daemon)
    self.assertIsNone(world.Advance(1))
    (salt, _) = daemon.kept
    daemon.kept = None
    self.assertIsNone(world.Advance(6))
    self.assertEqual(daemon.kept[0], salt)

  def testLastWordOfAStoppedDaemon(self):
    """The next daemon is there a moment later.

    """
    daemon = _Daemon(1, 17)
    world = _World(daemon)
    self.assertIsNone(world.Advance(1))
    daemon.alive = False
    world.Finish(daemon, 17)
    self.assertIsNone(world.Advance(0.5))
    daemon.alive = True
    self.assertIsNone(world.Advance(1))
    self.assertIsNotNone(daemon.kept)

  def testLastWordBeforeThePackagedDaemon(self):
    """A daemon without WAIT is not waited at for as long as one that keeps it.

    """
    daemon = _Daemon(1, 17)
    world = _World(daemon)
    self.assertIsNone(world.Advance(3))
    daemon.knows = False
    world.Finish(daemon, 17)
    self.assertIsNone(world.Advance(0.5))
    daemon.serial = 18
    self.assertIs(world.Advance(2.5), Outcome.MOVED)

  def testPackagedDaemons(self):
    for refusal in [None, _NOT_IMPLEMENTED]:
      (one, two) = (_Daemon(1, 17, knows=False), _Daemon(2, 17, knows=False))
      one.refusal = two.refusal = refusal
      world = _World(one, two, is_certain=False)
      start = world.now
      self.assertIs(world.Advance(8), Outcome.JOINED)
      world.Begin()
      self.assertIsNone(world.Advance(8))
      polls = [i for i in world.Sent(one, start) if i[1].type == _SERIAL[0]]
      self.assertGreater(len(polls), 5)
      one.serial = 18
      self.assertIs(world.Advance(1.5), Outcome.MOVED)
      # The packaged daemon's answers do not tell how old they are: each that
      # comes later is told
      world.serial = 18
      world.Begin()
      self.assertIsNone(world.Advance(2))
      two.serial = 18
      self.assertIs(world.Advance(1.5), Outcome.JOINED)
      world.Begin()
      self.assertIsNone(world.Advance(5))
      # Ours takes its place
      one.refusal = None
      one.knows = True
      for _ in range(2):
        world.Advance(25)
        world.Begin()
      self.assertIsNotNone(one.kept)
      self.assertIsNone(two.kept)

  def testTooMany(self):
    daemon = _Daemon(1, 17)
    world = _World(daemon)
    self.assertIsNone(world.Advance(1))
    daemon.kept = None
    daemon.refusal = _TOO_MANY
    # When it is sent again
    self.assertIsNone(world.Advance(8))
    start = world.now
    self.assertIsNone(world.Advance(5))
    sent = [request.type for (_, request) in world.Sent(daemon, start)]
    self.assertEqual(set(sent), {_SERIAL[0]})
    self.assertIn(len(sent), (5, 6))
    daemon.serial = 18
    self.assertIs(world.Advance(1.5), Outcome.MOVED)

  def testAnswersWithoutEnd(self):
    """A daemon that always answers at once is not asked again at once.

    """
    daemon = _Daemon(1, 17)
    world = _World(daemon)
    self.assertIsNone(world.Advance(1))
    daemon.refusal = (0, 17)
    daemon.kept = None
    world.Begin()
    start = world.now
    self.assertIsNone(world.Advance(20))
    self.assertLess(len(world.Sent(daemon, start)), 30)

  def testOneReplyCounts(self):
    """A copy of an old reply says nothing.

    """
    daemon = _Daemon(1, 17)
    world = _World(daemon)
    self.assertIsNone(world.Advance(1))
    old = [request.rsalt for (_, _, request) in world.sent]
    world.Change(daemon, 18)
    self.assertIs(world.Advance(0), Outcome.MOVED)
    self.assertFalse(set(old) & set(world.watch.Salts()))
    self.assertEqual({i.partition("-")[0] for i in old}, {world.watch.id})

  def testRestored(self):
    """A serial that was told before the lower one was believed is no news.

    """
    (one, two) = (_Daemon(1, 17), _Daemon(2, 17))
    world = _World(one, two)
    self.assertIsNone(world.Advance(1))
    two.alive = False
    world.Change(one, 9)
    world.serial = 9
    world.Begin()
    self.assertIsNone(world.Advance(5))
    self.assertIsNotNone(one.kept)

  def testRepliesFromElsewhere(self):
    daemon = _Daemon(1, 17)
    world = _World(daemon)
    ((salt, asked), ) = world.watch.Salts().items()
    self.assertFalse(world.watch.Receive(
      asked, wire.ParsedReply(1, 0, 99, 99, salt), ("192.0.2.77", 1814),
      world.now))
    self.assertIsNone(world.Advance(1))


if __name__ == "__main__":
  unittest.main()

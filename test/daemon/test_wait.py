#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of questions that the daemon keeps until its configuration changes.

"""

import itertools
import os
import signal
import time
import unittest

import adversity
import processes
import testutils
from testutils import PING, STATS, WAIT, BAD_ARGUMENT, NOT_PERMITTED, TOO_MANY


#: How many questions are kept, of all and of one address, as the manual says
MAX_KEPT = 4096
MAX_OF_ADDRESS = 64

#: No test waits for so long
LONG = 60

_KEY = b"9d1f6a0b4c7e8d2f3a5b6c7d8e9f0a1b\n"


class _Test(unittest.TestCase):
  def setUp(self):
    self.config = testutils.MakeConfig(serial_no=100)
    patched = adversity.Patched(adversity.PATIENT)
    env = patched.__enter__() # pylint: disable=C2801
    self.addCleanup(patched.__exit__, None, None, None)
    self.daemon = testutils.Daemon(self.config, args=["--workers=2"], env=env)
    self.daemon.__enter__() # pylint: disable=C2801
    self.addCleanup(self.daemon.Kill)

  def _Asker(self, source=None, label=None):
    asker = testutils.Asker(self.daemon.key, self.daemon.address,
                            self.daemon.port, source=source, label=label)
    self.addCleanup(asker.Close)
    return asker

  def _Request(self, rsalt, serial=100, seconds=LONG, label=None, later=0):
    """Makes a request.

    @param later: seconds that are added to its time

    """
    return testutils.PackMessage(
      self.daemon.key,
      testutils.MakeMessage(WAIT, {"serial": serial, "seconds": seconds},
                            rsalt=rsalt),
      "%d" % (time.time() + later), label)

  def _Stats(self):
    def _Ask():
      # A worker that is killed takes what it holds with it
      with self.daemon.Asker() as asker:
        try:
          return asker.Ask(STATS, timeout=1)["answer"]
        except testutils.NoReply:
          return None

    return testutils.WaitFor(_Ask, "statistics")

  def _Kept(self):
    return self._Stats()["waiting"]["now"]

  def _AwaitKept(self, count):
    testutils.WaitFor(lambda: self._Kept() == count, "%d are kept" % count)

  def _Change(self, serial=101):
    self.config["serial_no"] = serial
    self.daemon.WriteConfig(self.config)

  def _Told(self, asker, timeout=testutils.PATIENCE):
    """Returns salt, status, answer and serial number of the next reply.

    None if there is none.

    """
    data = asker.Receive(timeout)
    if data is None:
      return None
    (salt, reply) = testutils.UnpackReply(self.daemon.key, data,
                                          label=asker.label)
    return (salt, reply["status"], reply["answer"], reply["serial"])

  def _IsLeftOut(self, asker):
    """Tells whether no reply comes before one to a later question does.

    """
    asker.Send(testutils.PackMessage(
      self.daemon.key, testutils.MakeMessage(PING, rsalt="later"),
      label=asker.label))
    return self._Told(asker)[0] == "later"


class WaitTest(_Test):
  def testAtOnce(self):
    """A client with another serial, or with a wrong question, does not wait."""
    for serial in (99, 101, -1, 10 ** 40):
      self.assertEqual(self.daemon.Answer(WAIT, {"serial": serial,
                                                 "seconds": LONG}), (0, 100))
    good = {"serial": 100, "seconds": LONG}
    for query in [None, "", 100, [100, LONG], {}, {"serial": 100},
                  {"seconds": LONG}, dict(good, seconds=61),
                  dict(good, seconds=0), dict(good, seconds=True),
                  dict(good, seconds=1.5), dict(good, serial=100.0),
                  dict(good, serial=True), dict(good, more=1)]:
      with self.subTest(query=query):
        self.assertEqual(self.daemon.Answer(WAIT, query), BAD_ARGUMENT, query)
    for more in ({"part": 0}, {"rsalt": "x" * 400}):
      self.assertEqual(self.daemon.Answer(WAIT, good, **more), BAD_ARGUMENT)
    stats = self._Stats()
    self.assertEqual(stats["waiting"], {"kept": 0, "now": 0})
    self.assertEqual(stats["queries"]["wait"], 20)

  def testTimeIsOver(self):
    (short, long, asker) = (self._Asker(), self._Asker(), self._Asker())
    begin = time.monotonic()
    long.Send(self._Request("long", seconds=2))
    short.Send(self._Request("short", seconds=1))
    for (asker, rsalt, seconds) in [(short, "short", 1), (long, "long", 2)]:
      self.assertEqual(self._Told(asker), (rsalt, 0, 100, 100))
      self.assertGreaterEqual(time.monotonic() - begin, seconds)
    stats = self._Stats()
    self.assertEqual(stats["waiting"], {"kept": 2, "now": 0})
    self.assertEqual(stats["queries"]["wait"], 2)

  def testChanges(self):
    """A client that asks again after each reply sees each configuration."""
    askers = [self._Asker("127.0.0.%d" % number) for number in range(2, 8)]
    for serial in (100, 101, 102):
      for (number, asker) in enumerate(askers):
        asker.Send(self._Request("x%d.%d" % (number, serial), serial))
      self._AwaitKept(len(askers))
      # None is told without a reason
      self.assertIsNone(self._Told(askers[0], 0.1))
      self._Change(serial + 1)
      for (number, asker) in enumerate(askers):
        self.assertEqual(self._Told(asker),
                         ("x%d.%d" % (number, serial), 0, serial, serial))
        # The next generation answers that
        asker.Send(self._Request("y%d" % serial, serial))
        self.assertEqual(self._Told(asker),
                         ("y%d" % serial, 0, serial + 1, serial + 1))

  def testSameConfiguration(self):
    """To load the same again tells all, and leads to no questions without end.

    """
    asker = self._Asker()
    asker.Send(self._Request("a"))
    self._AwaitKept(1)
    self.daemon.proc.send_signal(signal.SIGHUP)
    self.assertEqual(self._Told(asker), ("a", 0, 100, 100))
    asker.Send(self._Request("b"))
    self._AwaitKept(1)
    self.assertIsNone(self._Told(asker, 0.5))
    self._Change()
    self.assertEqual(self._Told(asker), ("b", 0, 100, 100))

  def testReaders(self):
    """Readers are told with their own key, if they may ask that."""
    (may, may_not) = (self._Asker(label="fw:wait:never"),
                      self._Asker(label="fw:ping:never"))
    may.Send(self._Request("a", label=may.label))
    may_not.Send(self._Request("a", label=may_not.label))
    self.assertEqual(self._Told(may_not), ("a", *NOT_PERMITTED, 100))
    # The same salt with another key is another question
    everybody = self._Asker()
    everybody.Send(self._Request("a"))
    self._AwaitKept(2)
    self._Change()
    for asker in (may, everybody):
      self.assertEqual(self._Told(asker), ("a", 0, 100, 100))


class CopiesTest(_Test):
  def testCopies(self):
    """However many copies there are of a question, it gets one reply."""
    (asker, thief) = (self._Asker(), self._Asker("127.0.0.9"))
    captured = self._Request("a")
    asker.Send(captured)
    self._AwaitKept(1)
    for _ in range(1000):
      thief.Send(captured)
      thief.Send(captured + b" ")
    testutils.WaitFor(
      lambda: self._Stats()["dropped"]["replayed"] >= 1000 or
      self._Stats()["dropped"]["overflow"], "copies are dropped")
    self.assertEqual(self._Stats()["waiting"], {"kept": 1, "now": 1})
    self._Change()
    self.assertEqual(self._Told(asker), ("a", 0, 100, 100))
    self.daemon.WaitForSerial(101)
    self.assertTrue(self._IsLeftOut(thief))

  def testRenewed(self):
    """A question that is sent again with the current time is kept once.

    An older copy does not bring back what was.

    """
    (asker, thief) = (self._Asker(), self._Asker("127.0.0.9"))
    requests = [self._Request("a", later=later) for later in range(4)]
    for request in requests:
      asker.Send(request)
    testutils.WaitFor(lambda: self._Stats()["waiting"]["kept"], "it is kept")
    for request in requests:
      thief.Send(request)
    testutils.WaitFor(lambda: self._Stats()["dropped"]["replayed"] == 4,
                      "copies are dropped")
    self.assertEqual(self._Stats()["waiting"], {"kept": 1, "now": 1})
    self._Change()
    self.assertEqual(self._Told(asker), ("a", 0, 100, 100))
    self.daemon.WaitForSerial(101)
    self.assertTrue(self._IsLeftOut(thief))
    self.assertTrue(self._IsLeftOut(asker))

  def testBounds(self):
    """So many are kept of an address, and of all; they are told once."""
    addresses = MAX_KEPT // MAX_OF_ADDRESS
    askers = [self._Asker("127.0.1.%d" % number)
              for number in range(1, addresses + 1)]
    for (number, asker) in enumerate(askers, 1):
      tries = itertools.count()

      def _Ask(asker=asker, tries=tries, number=number):
        # Questions that the loader had no time for are asked again
        later = next(tries)
        for name in range(MAX_OF_ADDRESS):
          asker.Send(self._Request("%d/%d" % (number, name), later=later))
        return self._Kept() == number * MAX_OF_ADDRESS

      testutils.WaitFor(_Ask, "all of an address are kept")
      if number == 1:
        asker.Send(self._Request("one too many"))
        self.assertEqual(self._Told(asker), ("one too many", *TOO_MANY, 100))
    other = self._Asker("127.0.2.1")
    other.Send(self._Request("no room"))
    self.assertEqual(self._Told(other), ("no room", *TOO_MANY, 100))
    self.assertEqual(self._Stats()["replies"]["too-many"], 2)
    # Everything else is answered as ever
    self.assertEqual(self.daemon.Answer(PING), (0, 3000000))
    self._Change()
    self.daemon.WaitForSerial(101)
    self.assertEqual(self._Kept(), 0)
    # On a busy machine the last ones may be left out: others wait, too
    told = 0
    for (number, asker) in enumerate(askers, 1):
      replies = list(iter(lambda asker=asker: self._Told(asker, 0), None))
      self.assertEqual(len(set(replies)), len(replies))
      self.assertLessEqual(set(replies),
                           {("%d/%d" % (number, name), 0, 100, 100)
                            for name in range(MAX_OF_ADDRESS)})
      told += len(replies)
    self.assertGreater(told, MAX_OF_ADDRESS)
    self.assertNotIn("did not finish", self.daemon.Log())


class EndTest(_Test):
  """The fate of kept questions when something else ends."""

  def testStop(self):
    askers = [self._Asker() for _ in range(20)]
    for (number, asker) in enumerate(askers):
      asker.Send(self._Request("q%d" % number))
    self._AwaitKept(20)
    self.daemon.proc.send_signal(signal.SIGTERM)
    for (number, asker) in enumerate(askers):
      self.assertEqual(self._Told(asker), ("q%d" % number, 0, 100, 100))
    self.assertEqual(testutils.WaitForExit(self.daemon.proc, "the daemon"), 0)

  def testNoConfiguration(self):
    asker = self._Asker()
    asker.Send(self._Request("a"))
    self._AwaitKept(1)
    os.unlink(self.daemon.config_file)
    self.assertEqual(self._Told(asker), ("a", 0, 100, 100))

  def testKill(self):
    """A loader that is killed forgets; to ask again is to be kept again."""
    asker = self._Asker()
    asker.Send(self._Request("a"))
    self._AwaitKept(1)
    os.kill(processes.Find(self.daemon).loader, signal.SIGKILL)
    testutils.WaitFor(lambda: self._Stats()["restarts"]["generations"] == 1,
                      "it is replaced")
    self.assertEqual(self._Kept(), 0)
    self.assertTrue(self._IsLeftOut(asker))
    asker.Send(self._Request("a", later=1))
    self._AwaitKept(1)
    self._Change()
    self.assertEqual(self._Told(asker), ("a", 0, 100, 100))

  def testWorkersComeAndGo(self):
    """The worker that took the question does not matter."""
    asker = self._Asker()
    asker.Send(self._Request("a"))
    self._AwaitKept(1)
    for pid in processes.Find(self.daemon, 2).workers:
      os.kill(pid, signal.SIGKILL)
    testutils.WaitFor(lambda: self._Stats()["restarts"]["workers"] >= 1,
                      "they are replaced")
    self.assertEqual(self._Kept(), 1)
    self._Change()
    self.assertEqual(self._Told(asker), ("a", 0, 100, 100))

  def testKey(self):
    """A client with the old key gets no further reply."""
    asker = self._Asker()
    asker.Send(self._Request("a"))
    self._AwaitKept(1)
    testutils.WriteFile(self.daemon.key_file, _KEY)
    self.daemon.key = _KEY
    self.daemon.WaitForSerial(100)
    self.assertEqual(self._Kept(), 0)
    asker.Send(self._Request("b"))
    self._AwaitKept(1)
    self._Change()
    # The first that came is signed with the new one
    self.assertEqual(self._Told(asker), ("b", 0, 100, 100))


if __name__ == "__main__":
  unittest.main()

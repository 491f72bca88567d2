#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for ganeti.confd.daemon.policy: each transition, without a process"""

import logging
import unittest

from ganeti.confd import filestate
from ganeti.confd.daemon import messages
from ganeti.confd.daemon import policy
from ganeti.confd.serving import counters


CONFIG = "/config.data"
KEY = "/hmac.key"


def _State(number):
  return filestate.State(1, number, number, number, 100)


def _Files(config=1, key=1):
  """Makes states of files, each by a number; None for a missing one.

  """
  return messages.Files(*(None if number is None else _State(number)
                          for number in (config, key)))


class _PolicyTest(unittest.TestCase):
  """A policy, what it has said, and a clock.

  """
  def setUp(self):
    self.policy = policy.Policy(CONFIG, KEY)
    self.now = 1000.0
    #: The messages to the log, and the counters
    self.log = []
    self.counted = []

  def _Actions(self):
    """Takes the actions that do something, as text.

    """
    found = []
    for action in self.policy.TakeActions():
      if isinstance(action, policy.Say):
        self.log.append((action.level, action.text))
      elif isinstance(action, policy.Count):
        self.counted.append(action.counter)
      elif isinstance(action, policy.Order):
        found.append("%s %d" % ({
          messages.SERVE: "serve",
          messages.RENEW_KEY: "renew key",
          messages.CHECK: "check",
          }[action.order], action.number))
      else:
        found.append("%s %d" % (type(action).__name__.lower(), action.number))
    return found

  def _Said(self):
    """Takes what was said to the log.

    """
    log = self.log
    self.log = []
    return " / ".join(text for (_, text) in log)

  def _Look(self, files=_Files()):
    self.policy.FilesSeen(files, self.now)
    return self._Actions()

  def _Started(self, number, spare=False):
    self.policy.Started(number, 100 + number, spare)

  def _Loading(self, number):
    self.policy.Said(number, messages.Loading(), self.now)
    return self._Actions()

  def _Ready(self, number, files=_Files(), serial=1, cpu=0.0, racy=0.0,
             warnings=(), more=0):
    self.policy.Said(number, messages.Ready(serial, files, "%02x" % number,
                                            cpu, racy, list(warnings), more),
                     self.now)
    return self._Actions()

  def _Failed(self, number, reason="broken", files=_Files(), cpu=0.0):
    self.policy.Said(number, messages.Failed(reason, files, cpu), self.now)
    return self._Actions()

  def _Gone(self, number, how="exit code 0"):
    self.policy.Gone(number, how, self.now)
    return self._Actions()

  def _LoaderDied(self, number, how="killed by signal 9"):
    self.policy.LoaderDied(number, how, self.now)
    return self._Actions()

  def _Pass(self, seconds):
    self.now += seconds
    self.policy.TimePassed(self.now)
    return self._Actions()

  def _Serve(self, files=_Files(), **kwargs):
    """Brings the first generation up to serving.

    """
    self.assertEqual(self._Look(files), ["start 1"])
    self._Started(1)
    self.assertEqual(self._Ready(1, files, **kwargs), ["serve 1"])

  def _Replace(self, number, files, **kwargs):
    """Replaces a generation by the next one.

    """
    self.assertEqual(self._Look(files), ["start %d" % (number + 1)])
    self._Started(number + 1)
    self.assertEqual(self._Ready(number + 1, files, **kwargs),
                     ["finish %d" % number])
    self.assertEqual(self._Gone(number), ["serve %d" % (number + 1)])


class TestLoading(_PolicyTest):
  def testHandOverBeforeLog(self):
    self._Serve()
    self._Pass(1)
    self._Look(_Files(2))
    self._Started(2)
    self.policy.Said(2, messages.Ready(1, _Files(2), "02", 0.0, 0.0, ["w"], 0),
                     self.now)
    # Clients wait for the one, and nobody for the other
    kinds = [type(action) for action in self.policy.TakeActions()]
    self.assertEqual(kinds[0], policy.Finish)
    self.assertIn(policy.Say, kinds)

  def testStart(self):
    self.assertTrue(self.policy.CanLoad(self.now))
    self.assertEqual(self._Look(), ["start 1"])
    self._Started(1)
    self.assertTrue(self.policy.starting)
    self.assertFalse(self.policy.CanLoad(self.now))
    self.assertIsNone(self.policy.served_key)
    # Loading for the first time is no fault
    self.assertTrue(self.policy.may_be_silent)
    self.assertFalse(self.policy.discards)
    # Nothing is started beside it
    self.assertEqual(self._Look(_Files(2)), [])
    self.assertEqual(self._Ready(1, serial=42, cpu=0.5), ["serve 1"])
    self.assertFalse(self.policy.starting)
    self.assertFalse(self.policy.may_be_silent)
    self.assertEqual(self.policy.served_key, "01")
    self.assertEqual(self.counted, [counters.RELOADS])
    self.assertEqual(self.log, [(logging.INFO, "Loaded /config.data: serial"
                                 " number 42, 0.500 s of CPU time")])

  def testUnchanged(self):
    self._Serve()
    for _ in range(3):
      self.assertEqual(self._Look(), [])
      self.assertEqual(self._Pass(100), [])

  def testChange(self):
    self._Serve()
    self.now += 10
    self._Replace(1, _Files(2))
    self.assertEqual(self.policy.served_key, "02")
    self.now += 10
    # The key alone
    self.assertEqual(self._Look(_Files(2, 2)), ["start 3", "renew key 2"])
    self._Started(3)
    self.assertEqual(self._Ready(3, _Files(2, 2)), ["finish 2"])
    self.assertEqual(self._Gone(2), ["serve 3"])
    self.assertEqual(self._Look(_Files(2, 2)), [])

  def testNewKeyWaitsForNoLoading(self):
    self._Serve(cpu=10.0)
    self.now += 1
    # Too early to load again
    self.assertEqual(self._Look(_Files(1, 2)), ["renew key 1"])
    self.assertEqual(self._Look(_Files(1, 2)), [])
    self.assertEqual(self._Pass(50), [])
    self.assertEqual(self._Look(_Files(1, 2)), ["start 2"])
    self._Started(2)
    # While something is loaded, and while that waits for the old one's end
    self.assertEqual(self._Look(_Files(1, 3)), ["renew key 1"])
    self.assertEqual(self._Ready(2, _Files(1, 2)), ["finish 1"])
    self.assertEqual(self._Look(_Files(1, 3)), ["renew key 2"])
    self.assertEqual(self._Look(_Files(1, 4)), ["renew key 2"])
    self.assertEqual(self._Gone(1), ["serve 2"])

  def testChangedWhileItWasLoaded(self):
    # The files that were read are newer than those that were seen: no need to
    # load again
    self.assertEqual(self._Look(_Files(1)), ["start 1"])
    self._Started(1)
    self.assertEqual(self._Ready(1, _Files(2)), ["serve 1"])
    self.now += 1
    self.assertEqual(self._Look(_Files(2)), [])
    self.assertEqual(self._Look(_Files(3)), ["start 2"])

  def testOneAtATime(self):
    self._Serve()
    self.now += 1
    self.assertEqual(self._Look(_Files(2)), ["start 2"])
    self._Started(2)
    self.now += 1
    self.assertEqual(self._Look(_Files(3)), [])
    self.assertEqual(self._Ready(2, _Files(2)), ["finish 1"])
    # Nor beside one that waits to serve
    self.assertEqual(self._Look(_Files(3)), [])
    self.assertEqual(self._Gone(1), ["serve 2"])
    self.assertEqual(self._Look(_Files(3)), ["start 3"])

  def testSpacedOut(self):
    self._Serve()
    self.assertFalse(self.policy.CanLoad(self.now))
    self.assertEqual(self._Look(_Files(2)), [])
    self.assertEqual(self.policy.Wakeup(self.now), 1000.25)
    self.now += 0.25
    self.assertEqual(self._Look(_Files(2)), ["start 2"])

  def testSpacedOutByCost(self):
    # Two seconds of a core: ten of the clock, from the start on
    self._Look()
    self._Started(1)
    self.now += 3
    self._Ready(1, cpu=2.0)
    self.now += 6.9
    self.assertEqual(self._Look(_Files(2)), [])
    self.now += 0.1
    self.assertEqual(self._Look(_Files(2)), ["start 2"])

  def testHangup(self):
    self._Serve(cpu=100.0)
    self.assertEqual(self._Look(), [])
    self.policy.Hangup()
    self.assertEqual(self._Look(), ["start 2"])
    self.assertEqual(self._Look(), [])

  def testHangupWhileLoading(self):
    self._Look()
    self._Started(1)
    self.policy.Hangup()
    self.assertEqual(self._Look(), [])
    self._Ready(1)
    # The failure counts for what began after it
    self.assertEqual(self._Look(), ["start 2"])

  def testNoProcess(self):
    self._Look()
    self.policy.CannotStart(1, "Too many", self.now)
    self.assertEqual(self._Actions(), [])
    self.assertIn("No process to load it with: Too many. Nothing is served",
                  self._Said())
    self.assertEqual(self.counted, [counters.RELOADS_FAILED])
    # At once, as nobody serves; from then on not at once
    self.now += 0.25
    self.assertEqual(self._Look(), ["start 2"])
    self.policy.CannotStart(2, "Too many", self.now)
    self.assertEqual(self.policy.Wakeup(self.now), self.now + 0.1)
    # The message was logged before
    self._Actions()
    self.assertEqual(self._Said(), "")

  def testNoProcessWhileServing(self):
    self._Serve()
    self.now += 1
    self._Look(_Files(2))
    self.policy.CannotStart(2, "Too many", self.now)
    self._Actions()
    self.assertIn("The last good one is served on", self._Said())
    self.assertEqual(self._Pass(9), [])
    self.assertEqual(self._Look(_Files(2)), [])
    self._Pass(1)
    self.assertEqual(self._Look(_Files(2)), ["start 3"])

  def testWarnings(self):
    self._Serve(warnings=["odd"], more=2)
    self.assertEqual([text for (level, text) in self.log
                      if level == logging.WARNING],
                     ["/config.data: odd", "/config.data: 2 more like these"])
    self._Said()
    # Once, as long as they are the same
    self.now += 1
    self._Replace(1, _Files(2), warnings=["odd"], more=2)
    self.assertNotIn("odd", self._Said())
    self.now += 1
    self._Replace(2, _Files(3), warnings=["other"])
    self.assertIn("other", self._Said())


class TestSpare(_PolicyTest):
  """A loader that was there before it was needed.

  """
  def _Call(self):
    self._Serve()
    self.now += 10
    self.assertEqual(self._Look(_Files(2)), ["start 2"])
    self._Started(2, spare=True)

  def testWhenItIsWanted(self):
    self.assertFalse(self.policy.wants_spare)
    self.assertEqual(self.policy.next_number, 1)
    self._Look()
    self._Started(1)
    self.assertFalse(self.policy.wants_spare)
    self._Ready(1)
    self.assertTrue(self.policy.wants_spare)
    self.assertEqual(self.policy.next_number, 2)
    self.now += 1
    self._Look(_Files(2))
    self._Started(2)
    self.assertFalse(self.policy.wants_spare)
    self._Ready(2, _Files(2))
    self.assertFalse(self.policy.wants_spare)
    self.policy.Said(1, messages.Stopped(), self.now)
    # The processes of the old one have not ended yet
    self.assertFalse(self.policy.wants_spare)
    self._Gone(1)
    self.assertTrue(self.policy.wants_spare)
    self.now += 1
    self._Look(_Files(3))
    self._Started(3)
    self._Failed(3, files=_Files(3))
    self._Gone(3)
    # A load would fail again
    self.assertFalse(self.policy.wants_spare)
    self.now += 1
    self._Look(_Files(4))
    self._Started(4)
    self._Ready(4, _Files(4))
    self._Gone(2)
    self.assertTrue(self.policy.wants_spare)
    self._Look(_Files(None))
    self.assertFalse(self.policy.wants_spare)

  def testBegins(self):
    self._Call()
    self.assertFalse(self.policy.CanLoad(self.now))
    self.assertEqual(self._Look(_Files(3)), [])
    self.assertEqual(self.policy.Wakeup(self.now + 0.5), self.now + 1)
    self.assertEqual(self._Pass(0.9), [])
    self.assertEqual(self._Loading(2), [])
    # From now on it has as much time as any other
    self.assertEqual(self._Pass(299), [])
    self.assertEqual(self._Ready(2, _Files(2)), ["finish 1"])
    self.assertEqual(self._Gone(1), ["serve 2"])

  def testIsReadyWithoutBeginning(self):
    # Nothing that is out of order is believed
    self._Call()
    self.assertEqual(self._Ready(2, _Files(2)), [])
    self.assertEqual(self.policy.served_key, "01")

  def testDoesNotBegin(self):
    # Somebody has stopped it
    self._Call()
    self._Said()
    self.assertEqual(self._Pass(1), ["kill 2"])
    self.assertIn("Process 102, the spare loader, does not begin", self._Said())
    # Another is started at once
    self.assertEqual(self._Look(_Files(2)), ["start 3"])
    self._Started(3)
    self.assertEqual(self._Ready(3, _Files(2)), ["finish 1"])
    self.assertEqual(self._Gone(1), [])
    self.assertEqual(self._Gone(2), ["serve 3"])
    self.assertEqual(self.counted, [counters.RELOADS] * 2)

  def testDies(self):
    for die in (self._Gone, self._LoaderDied):
      with self.subTest(how=die.__name__):
        self.setUp()
        self._Call()
        self._Said()
        die(2)
        # Nothing has failed that anybody would have to know of
        self.assertEqual(self._Said(), "")
        self.assertEqual(self._Look(_Files(2)), ["start 3"])
        self.assertEqual(self.counted, [counters.RELOADS])

  def testTheOldOneDiesMeanwhile(self):
    self._Call()
    self.assertEqual(self._Gone(1), [])
    self.assertTrue(self.policy.starting)
    self.assertTrue(self.policy.may_be_silent)
    self.assertEqual(self._Look(_Files(2)), [])
    self._Loading(2)
    self.assertEqual(self._Ready(2, _Files(2)), ["serve 2"])

  def testFilesGo(self):
    self._Call()
    self.assertEqual(self._Look(_Files(None)), ["finish 1", "finish 2"])
    # Reports of a killed generation are too late
    self.assertEqual(self._Loading(2), [])
    self._Gone(1)
    self._Gone(2)
    self.assertFalse(self.policy.busy)

  def testStop(self):
    self._Call()
    self.policy.Stop(self.now)
    self.assertEqual(self._Actions(), ["finish 1", "finish 2"])


class TestFailing(_PolicyTest):
  def testFromTheStart(self):
    self._Look()
    self._Started(1)
    self.assertEqual(self._Failed(1), ["finish 1"])
    self.assertEqual(self.log, [(
      logging.ERROR, "Cannot load the configuration: broken. Nothing is served;"
      " tried again when it changes, and every 10 s.")])
    self.assertTrue(self.policy.may_be_silent)
    self.assertFalse(self.policy.discards)
    self._Gone(1)
    self.assertTrue(self.policy.discards)
    self.assertEqual(self.counted, [counters.RELOADS_FAILED])

  def testServedOn(self):
    self._Serve()
    self._Said()
    self.now += 1
    self._Look(_Files(2))
    self._Started(2)
    self.assertEqual(self._Failed(2, files=_Files(2)), ["finish 2"])
    self.assertIn("The last good one is served on", self._Said())
    self.assertEqual(self.policy.served_key, "01")
    self.assertFalse(self.policy.may_be_silent)
    self._Gone(2)
    # Tried again by itself; said once
    self.assertEqual(self._Look(_Files(2)), [])
    self.assertEqual(self.policy.Wakeup(self.now + 1), self.now + 10)
    self.now += 10
    self.assertEqual(self._Look(_Files(2)), ["start 3"])
    self._Started(3)
    self._Failed(3, files=_Files(2))
    self._Gone(3)
    self.assertEqual(self._Said(), "")
    # For another reason, or again after a good one, it is said
    self.now += 1
    self.assertEqual(self._Look(_Files(3)), ["start 4"])
    self._Started(4)
    self._Failed(4, "worse", files=_Files(3))
    self.assertIn("worse", self._Said())
    self._Gone(4)
    self.now += 1
    self._Look(_Files(4))
    self._Started(5)
    self.assertEqual(self._Ready(5, _Files(4)), ["finish 1"])
    self.assertEqual(self._Gone(1), ["serve 5"])
    self._Said()
    self.now += 1
    self._Look(_Files(5))
    self._Started(6)
    self._Failed(6, "worse", files=_Files(5))
    self.assertIn("worse", self._Said())

  def testNewKeyBesideABrokenConfiguration(self):
    self._Serve(_Files(1, 1))
    self.now += 1
    self._Look(_Files(2, 1))
    self._Started(2)
    self.assertEqual(self._Failed(2, files=_Files(2, 1)), ["finish 2"])
    self._Gone(2)
    self.now += 1
    self.assertEqual(self._Look(_Files(2, 2)), ["start 3", "renew key 1"])
    self._Started(3)
    self.assertEqual(self._Failed(3, files=_Files(2, 2)), ["finish 3"])
    self._Gone(3)
    self.policy.Said(1, messages.KeyRenewed("99"), self.now)
    self.assertEqual(self.policy.served_key, "99")
    # Once for each key
    self.now += 10
    self._Look(_Files(2, 2))
    self._Started(4)
    self.assertEqual(self._Failed(4, files=_Files(2, 2)), ["finish 4"])

  def testLoaderKilled(self):
    self._Serve()
    self._Said()
    for number in (2, 3):
      self.now += 10
      self._Look(_Files(2))
      self._Started(number)
      self.now += 1
      self.assertEqual(self._Gone(number, "killed by signal 9"), [])
    # The kernel kills it for want of memory, each time: that is said once
    said = self._Said()
    self.assertEqual(said.count("Cannot load"), 1)
    self.assertIn("killed by signal 9", said)
    self.assertIn("The last good one is served on", said)
    self.assertNotIn(counters.GENERATION_RESTARTS, self.counted)
    # The killed loader may have used all that time
    self.assertEqual(self._Look(_Files(3)), [])
    self.now += 3.9
    self.assertEqual(self._Look(_Files(3)), [])
    self.now += 0.1
    self.assertEqual(self._Look(_Files(3)), ["start 4"])

  def testLoaderKilledWhileNobodyServes(self):
    self._Look()
    self._Started(1)
    self._Gone(1, "killed by signal 9")
    self.now += 0.25
    self.assertEqual(self._Look(), ["start 2"])
    self._Started(2)
    self._Gone(2, "killed by signal 9")
    # Not at once any more
    self.assertEqual(self.policy.Wakeup(self.now), self.now + 0.1)

  def testLoadsForTooLong(self):
    self._Serve()
    self.now += 1
    self._Look(_Files(2))
    self._Started(2)
    self.assertEqual(self._Pass(299), [])
    self.assertEqual(self.policy.Wakeup(self.now), self.now + 1)
    self.assertEqual(self._Pass(1), ["kill 2"])
    self.assertIn("It took more than 300 seconds. The last good one is served",
                  self._Said())
    self.assertEqual(self._Gone(2, "killed by signal 9"), [])
    self.assertEqual(self._Said(), "")

  def testReadyTooLate(self):
    # A generation that was told to leave, or was killed, is not taken up again
    self._Look()
    self._Started(1)
    self.assertEqual(self._Look(_Files(None)), ["finish 1"])
    self.assertEqual(self._Ready(1), [])
    self.assertEqual(self._Failed(1), [])
    self.assertIsNone(self.policy.served_key)


class TestSilence(_PolicyTest):
  def testMissing(self):
    for (files, words) in [(_Files(None, 1), "No /config.data:"),
                           (_Files(1, None), "No /hmac.key:"),
                           (_Files(None, None),
                            "No /config.data and no /hmac.key:")]:
      with self.subTest(words=words):
        self.setUp()
        self._Serve()
        self._Said()
        self.assertEqual(self._Look(files), ["finish 1"])
        self.assertIn(words, self._Said())
        self.assertTrue(self.policy.may_be_silent)
        self.assertFalse(self.policy.discards)
        self._Gone(1)
        self.assertTrue(self.policy.discards)
        # Said once, and nothing is tried
        for _ in range(3):
          self.assertEqual(self._Pass(100), [])
          self.assertEqual(self._Look(files), [])
        self.assertEqual(self._Said(), "")
        # The same files again, unchanged
        self.assertEqual(self._Look(), ["start 2"])
        self.assertIn("are there again", self._Said())
        self.assertFalse(self.policy.discards)

  def testWhileLoading(self):
    self._Serve()
    self.now += 1
    self._Look(_Files(2))
    self._Started(2)
    self.assertEqual(self._Look(_Files(None)), ["finish 1", "finish 2"])
    self.assertEqual(self._Gone(1), [])
    self.assertEqual(self._Gone(2), [])
    self.assertFalse(self.policy.busy)

  def testWhileReady(self):
    self._Serve()
    self.now += 1
    self._Look(_Files(2))
    self._Started(2)
    self._Ready(2, _Files(2))
    self.assertEqual(self._Look(_Files(None)), ["finish 2"])
    self.assertEqual(self._Gone(1), [])
    self.assertEqual(self._Gone(2), [])

  def testFailureIsForgotten(self):
    self._Look()
    self._Started(1)
    self._Failed(1)
    self._Gone(1)
    self._Look(_Files(None))
    self._Said()
    self.now += 1
    self._Look()
    self._Started(2)
    self._Failed(2)
    self.assertIn("Cannot load", self._Said())


class TestDeath(_PolicyTest):
  def testServing(self):
    self._Serve(cpu=50.0)
    self.now += 20
    self.assertEqual(self._Gone(1, "killed by signal 9"), [])
    self.assertEqual(self.counted[1:], [counters.GENERATION_RESTARTS])
    self.assertIn("The serving processes died (killed by signal 9)",
                  self._Said())
    # At once, whatever the last load cost, and though nothing has changed
    self.assertEqual(self._Look(), ["start 2"])
    self._Started(2)
    self.assertTrue(self.policy.may_be_silent)

  def testAgainAndAgain(self):
    self._Serve()
    delays = []
    for number in range(1, 6):
      self._Gone(number)
      wakeup = self.policy.Wakeup(self.now)
      delays.append(wakeup and round(wakeup - self.now, 3))
      self.now = wakeup or self.now
      self.assertEqual(self._Look(), ["start %d" % (number + 1)])
      self._Started(number + 1)
      self._Ready(number + 1)
    self.assertEqual(delays, [None, 0.1, 0.2, 0.4, 0.8])

  def testNowAndThen(self):
    """One change a second, and a loader that dies every ten seconds.

    """
    self._Serve()
    number = 1
    for second in range(1, 51):
      self.now += 1
      if second % 10 == 0:
        self._Gone(number)
        # Each time at once
        self.assertIsNone(self.policy.Wakeup(self.now))
        self.assertEqual(self._Look(_Files(1 + second)), ["start %d" %
                                                      (number + 1)])
        self._Started(number + 1)
        self.assertEqual(self._Ready(number + 1, _Files(1 + second)),
                         ["serve %d" % (number + 1)])
      else:
        self._Replace(number, _Files(1 + second))
      number += 1

  def testWhileAnotherIsLoaded(self):
    self._Serve()
    self.now += 1
    self._Look(_Files(2))
    self._Started(2)
    self._Gone(1)
    self.assertEqual(self._Look(_Files(2)), [])
    self.assertEqual(self._Ready(2, _Files(2)), ["serve 2"])

  def testWhileTheFilesAreBroken(self):
    self._Serve()
    self.now += 1
    self._Look(_Files(2))
    self._Started(2)
    self._Failed(2, files=_Files(2))
    self._Gone(2)
    self.assertIn("The last good one is served on", self._Said())
    self._Gone(1, "killed by signal 9")
    self.assertEqual(self._Look(_Files(2)), ["start 3"])
    self._Started(3)
    self._Failed(3, files=_Files(2))
    # The log's last word is what holds
    self.assertIn("broken. Nothing is served", self._Said())
    self.assertTrue(self.policy.may_be_silent)

  def testReady(self):
    self._Serve()
    self.now += 1
    self._Look(_Files(2))
    self._Started(2)
    self.assertEqual(self._Ready(2, _Files(2)), ["finish 1"])
    self.assertEqual(self._Gone(2), [])
    self.assertEqual(self._Gone(1), [])
    self.assertEqual(self._Look(_Files(2)), ["start 3"])

  def testLoaderWhoseChildIsStopped(self):
    """The pipe of such a generation does not end.

    """
    self._Serve()
    self.now += 10
    self.assertEqual(self._LoaderDied(1), ["kill 1"])
    self.assertIn("The serving processes died", self._Said())
    self.assertIsNone(self.policy.served_key)
    self.assertEqual(self._Look(), ["start 2"])
    self._Started(2)
    # The new generation may not serve beside the other
    self.assertEqual(self._Ready(2), [])
    self.assertFalse(self.policy.may_be_silent)
    self.assertEqual(self._Gone(1), ["serve 2"])
    self.assertEqual(self.counted.count(counters.GENERATION_RESTARTS), 1)

  def testLoaderWhoseChildCannotBeKilled(self):
    self._Serve()
    self.now += 10
    self.assertEqual(self._LoaderDied(1), ["kill 1"])
    self.assertEqual(self._LoaderDied(1), [])
    self._Look()
    self._Started(2)
    self._Ready(2)
    self.assertEqual(self._Pass(0.9), [])
    self.assertEqual(self.policy.Wakeup(self.now), self.now + 0.1)
    self.assertEqual(self._Pass(0.1), ["forget 1", "serve 2"])
    self.assertIn("Process 101 or a child of it cannot be killed", self._Said())

  def testLoadingWhoseChildIsStopped(self):
    self._Look()
    self._Started(1)
    self.assertEqual(self._LoaderDied(1), ["kill 1"])
    self.assertIn("Cannot load the configuration", self._Said())
    self.assertEqual(self._Gone(1), [])
    self.assertEqual(self.counted, [counters.RELOADS_FAILED])

  def testWorker(self):
    self._Serve()
    self.policy.Said(1, messages.WorkerDied(5), self.now)
    self.assertEqual(self._Actions(), [])
    self.assertEqual(self.counted[1:], [counters.WORKER_RESTARTS])


class TestLeaving(_PolicyTest):
  def _Leave(self):
    self._Serve()
    self.now += 1
    self._Look(_Files(2))
    self._Started(2)
    self.assertEqual(self._Ready(2, _Files(2)), ["finish 1"])

  def _SayStopped(self, number):
    self.policy.Said(number, messages.Stopped(), self.now)
    return self._Actions()

  def testStopped(self):
    self._Leave()
    # The processes may take a while to end
    self.assertEqual(self._SayStopped(1), ["serve 2"])
    self.assertEqual(self.policy.served_key, "02")
    self.assertEqual(self._Gone(1), [])
    self.assertEqual(self._Pass(100), [])
    self.assertEqual(self._Said().count("did not finish"), 0)

  def testStoppedAndDoesNotEnd(self):
    self._Leave()
    self.assertEqual(self._SayStopped(1), ["serve 2"])
    self.assertEqual(self._Pass(1.9), [])
    self.assertAlmostEqual(self.policy.Wakeup(self.now), self.now + 0.1)
    # Nothing waits for it
    self.assertEqual(self._Pass(0.2), ["kill 1", "forget 1"])
    self.assertIn("Process 101 or a child of it did not finish", self._Said())
    self.assertEqual(self.policy.served_key, "02")

  def testStoppedBeforeItsChildren(self):
    self._Leave()
    self.assertEqual(self._SayStopped(1), ["serve 2"])
    self.assertEqual(self._LoaderDied(1), ["kill 1", "forget 1"])
    self.assertEqual(self.counted.count(counters.GENERATION_RESTARTS), 0)

  def testStoppedBesideTheNextChange(self):
    self._Leave()
    self.assertEqual(self._SayStopped(1), ["serve 2"])
    self.now += 0.5
    self.assertEqual(self._Look(_Files(3)), ["start 3"])
    self._Started(3)
    # A stopped generation holds nobody up, even if it does not end
    self.assertEqual(self._Ready(3, _Files(3)), ["finish 2"])
    self.assertEqual(self._SayStopped(2), ["serve 3"])
    self.assertEqual(self._Gone(1), [])
    self.assertEqual(self._Gone(2), [])

  def testStoppedUntold(self):
    # Somebody has ended it by hand: it is replaced when it is gone
    self._Serve()
    self.now += 1
    self.assertEqual(self._SayStopped(1), [])
    self.assertEqual(self._Gone(1), [])
    self.assertEqual(self.counted.count(counters.GENERATION_RESTARTS), 1)
    self.assertEqual(self._Look(), ["start 2"])

  def testStoppedTooLate(self):
    # Whatever was on its way when it was killed
    self._Leave()
    self.assertEqual(self._Pass(0.9), ["kill 1"])
    self.assertEqual(self._SayStopped(1), [])
    self.assertEqual(self._Gone(1), ["serve 2"])

  def testStopWhatHasStopped(self):
    self._Leave()
    self._SayStopped(1)
    self.policy.Stop(self.now)
    self.assertEqual(self._Actions(), ["finish 2"])
    self.assertEqual(self._SayStopped(2), [])
    self.assertTrue(self.policy.busy)
    self.assertEqual(self._Gone(2), [])
    self.assertEqual(self._Gone(1), [])
    self.assertFalse(self.policy.busy)

  def testTooLate(self):
    self._Leave()
    self.assertEqual(self._Pass(0.7), [])
    self.assertAlmostEqual(self.policy.Wakeup(self.now), self.now + 0.1)
    self.assertEqual(self._Pass(0.2), ["kill 1"])
    self.assertIn("Process 101 or a child of it did not finish", self._Said())
    self.assertEqual(self._Pass(0.5), [])
    self.assertEqual(self._Gone(1), ["serve 2"])

  def testNever(self):
    self._Leave()
    self._Pass(0.9)
    self.assertEqual(self._Pass(1.1), ["forget 1", "serve 2"])

  def testLoaderDies(self):
    # Children that do not end are killed at once
    self._Leave()
    self.assertEqual(self._LoaderDied(1), ["kill 1"])
    self.assertEqual(self._Gone(1), ["serve 2"])
    self.assertNotIn(counters.GENERATION_RESTARTS, self.counted)

  def testStop(self):
    self._Leave()
    self.policy.Stop(self.now)
    self.assertEqual(self._Actions(), ["finish 2"])
    self.assertTrue(self.policy.busy)
    self.assertEqual(self._Gone(1), [])
    self.assertEqual(self._Gone(2), [])
    self.assertFalse(self.policy.busy)

  def testStopWhatDoesNotEnd(self):
    self._Serve()
    self.policy.Stop(self.now)
    self.assertEqual(self._Actions(), ["finish 1"])
    self.assertEqual(self._Pass(0.9), ["kill 1"])
    self.assertEqual(self._Pass(1.0), ["forget 1"])
    self.assertFalse(self.policy.busy)


class TestRacy(_PolicyTest):
  """Files that changed within a tick of the clock of their stamps.

  """
  def testSame(self):
    self._Serve(racy=2.0)
    self.assertEqual(self._Pass(1.9), [])
    self.assertEqual(self._Pass(0.1), ["check 1"])
    self.policy.Said(1, messages.Checked(True), self.now)
    self.assertEqual(self._Look(), [])
    # Once
    self.assertEqual(self._Pass(100), [])

  def testAnother(self):
    self._Serve(racy=2.0)
    self._Pass(2.0)
    self.policy.Said(1, messages.Checked(False), self.now)
    self.assertEqual(self._Look(), ["start 2"])
    self._Started(2)
    self.assertEqual(self._Ready(2, racy=0.1), ["finish 1"])
    # Before it serves, there is nobody to ask
    self.assertEqual(self._Pass(0.2), [])
    self.assertEqual(self._Gone(1), ["serve 2"])
    self.assertEqual(self._Pass(0), ["check 2"])
    self.assertEqual(self._Pass(100), [])

  def testOldOneSaysSo(self):
    # The answer comes when another one has taken over
    self._Serve(racy=2.0)
    self._Pass(2.0)
    self._Replace(1, _Files(2))
    self.now += 1
    self.assertEqual(self._Look(_Files(2)), [])


if __name__ == "__main__":
  unittest.main()

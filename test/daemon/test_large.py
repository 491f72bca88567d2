#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests that large answers do not delay small ones.

"""

import os
import signal
import statistics
import time
import unittest

import processes
import testutils


NODE_ROLE = 1
NODE_INSTANCES = 8
CONFIG = 10
STATS = 65

TOO_LARGE = 3

INSTANCES = 20000


class LargeTest(unittest.TestCase):
  def _Time(self, asker):
    """Asks a small question.

    @return: seconds that it took

    """
    started = time.perf_counter()
    asker.Ask(NODE_ROLE, "node1.example.com")
    return time.perf_counter() - started

  def testLargeDoNotDelaySmall(self):
    config = testutils.MakeConfig(instances=[
      testutils.MakeInstance(index, 1, nics=["10.0.0.1"])
      for index in range(INSTANCES)])
    # Each takes long to make, the first time
    questions = [testutils.MakeMessage(CONFIG, ""),
                 testutils.MakeMessage(CONFIG, "/instances", part=0),
                 testutils.MakeMessage(NODE_INSTANCES, "node1", part=0)]
    # One worker: it would have to do both
    with testutils.Daemon(config, args=["--workers=1"]) as daemon:
      processes.Find(daemon, 1)
      with daemon.Asker() as small, daemon.Asker() as large:
        alone = [self._Time(small) for _ in range(500)]
        beside = []
        for message in questions:
          before = len(beside)
          started = time.perf_counter()
          large.Send(testutils.PackMessage(daemon.key, message))
          while True:
            beside.append(self._Time(small))
            # A processor is for those who work
            time.sleep(0.001)
            reply = large.Receive(timeout=0)
            if reply is not None:
              break
          seconds = time.perf_counter() - started
          self.assertIn(message["rsalt"].encode("ascii"), reply)
          # There was something to be delayed by
          self.assertGreater(seconds, 0.03)
          self.assertGreater(len(beside) - before, 20)
        # Too large is said at once, after the first time
        large.Ask(CONFIG, "")
        self.assertEqual(large.Answer(CONFIG, ""), (1, TOO_LARGE))

    (alone, beside) = map(sorted, (alone, beside))
    print("%d small answers beside large ones took %.2f ms, 99%% at most"
          " %.2f ms; alone %.2f and %.2f ms" %
          (len(beside),
           1000 * statistics.median(beside), 1000 * _Percentile(beside, 99),
           1000 * statistics.median(alone), 1000 * _Percentile(alone, 99)))
    self.assertLess(statistics.median(beside), 10 * statistics.median(alone))
    self.assertLess(_Percentile(beside, 99), 0.05)

  def testStatisticsDoNotWait(self):
    """Whoever watches the daemon is answered whatever else it has to do.

    """
    with testutils.Daemon(testutils.MakeConfig(),
                          args=["--workers=1"]) as daemon:
      large = processes.Find(daemon, 1).large
      os.kill(large, signal.SIGSTOP)
      try:
        with daemon.Asker() as asker:
          asker.Send(testutils.PackMessage(
            daemon.key, testutils.MakeMessage(CONFIG, "", part=0)))
          (status, stats) = daemon.Answer(STATS)
          self.assertEqual((status, stats["workers"]), (0, 1))
          self.assertIsNone(asker.Receive(timeout=0.2))
          os.kill(large, signal.SIGCONT)
          self.assertIsNotNone(asker.Receive())
      finally:
        os.kill(large, signal.SIGCONT)


def _Percentile(values, percent):
  return values[len(values) * percent // 100]


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for ganeti.confd.daemon.backoff"""

import unittest

from ganeti.confd.daemon import backoff


class TestBackoff(unittest.TestCase):
  def testAgainAndAgain(self):
    delays = backoff.Backoff(0.1, 1.0, 5.0)
    now = 100.0
    found = []
    for _ in range(7):
      delay = delays.Failed(now)
      found.append(delay)
      # The process fails as soon as it is tried
      now += delay + 0.5
    self.assertEqual(found, [0.0, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0])

  def testForgotten(self):
    delays = backoff.Backoff(0.1, 10.0, 5.0)
    for now in (0.0, 5.0, 10.0, 15.0):
      # Each time the last one is just forgotten
      self.assertEqual(delays.Failed(now), 0.0)
    self.assertEqual(delays.Failed(15.1), 0.1)
    self.assertEqual(delays.Failed(20.1), 0.2)
    # The delay itself was no quiet time
    self.assertEqual(delays.Failed(25.2), 0.4)
    self.assertEqual(delays.Failed(30.7), 0.0)

  def testConstant(self):
    delays = backoff.Backoff(5.0, 5.0, 5.0)
    self.assertEqual([delays.Failed(now) for now in (0, 1, 7, 13)],
                     [0.0, 5.0, 5.0, 5.0])


if __name__ == "__main__":
  unittest.main()

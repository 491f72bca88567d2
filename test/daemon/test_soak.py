#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Load and faults at the same time: the short form, see test/soak/run"""

import unittest

from soak import soak


class SoakTest(unittest.TestCase):
  def testShort(self):
    # The faults that no run has had so far; one run has time for each of them
    # three times, but on a slow machine
    missing = None
    for _ in range(5):
      # Less than the machine could do: it may have other tests to run
      (figures, log) = soak.Run(seconds=120, clients=2, window=4, pause=0.01,
                                fault_interval=1, copies=200)
      for (name, value) in figures.items():
        print("%-28s %s" % (name, value))
      self.assertEqual(soak.Problems(figures), [], log[-20000:])
      if figures["left out"]:
        self.skipTest("without these faults: %s" % figures["left out"])
      now = set(figures["faults not had"])
      missing = now if missing is None else missing & now
      if not missing:
        break
    self.assertEqual(missing, set())


if __name__ == "__main__":
  unittest.main()

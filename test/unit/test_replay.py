#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of the limit on what is done for one request.

"""

import hashlib
import mmap
import unittest
from unittest import mock

from ganeti import constants
from ganeti.confd.serving import replay


NOW = 1700000000


def _Signature(text):
  return hashlib.sha1(str(text).encode("ascii")).hexdigest()


class TestReplayTable(unittest.TestCase):
  def setUp(self):
    self.table = replay.ReplayTable()

  def _Count(self, signature, sent=NOW, tries=100):
    return sum(self.table.Allows(signature, sent) for _ in range(tries))

  def testLimit(self):
    self.assertEqual(self._Count(_Signature(1)), replay.LIMIT)
    self.assertEqual(self._Count(_Signature(2)), replay.LIMIT)
    self.assertEqual(self._Count(_Signature(1)), 0)

  def testWindow(self):
    """None that may be accepted is forgotten for others that may be."""
    skew = constants.CONFD_MAX_CLOCK_SKEW
    for now in (NOW, NOW + 7, skew):
      table = self.table = replay.ReplayTable()
      accepted = range(now - skew, now + skew + 1)
      for sent in accepted:
        self.assertEqual(self._Count(_Signature(sent), sent, 20), replay.LIMIT)
      for sent in accepted:
        self.assertFalse(table.Allows(_Signature(sent), sent), sent - now)

  def testMemoryIsUsedAgain(self):
    """Requests that cannot be accepted any more make room, for a whole day."""
    for sent in range(NOW, NOW + 86400, 10):
      self.assertEqual(self._Count(_Signature(1), sent, 20), replay.LIMIT)

  def testClockStepsBack(self):
    self.assertEqual(self._Count(_Signature(1)), replay.LIMIT)
    self.assertEqual(self._Count(_Signature(2), NOW - 86400), replay.LIMIT)
    self.assertEqual(self._Count(_Signature(2), NOW - 86400), 0)

  def testAtTheStartOfTheClock(self):
    self.assertEqual(self._Count(_Signature(1), 0), replay.LIMIT)
    self.assertEqual(self._Count(_Signature(1), 0), 0)
    self.assertEqual(self._Count(_Signature(1), 10 ** 12 - 1), replay.LIMIT)

  def testSameBucket(self):
    """Requests whose signatures are alike are not taken for each other.

    """
    signatures = [start + "0" * 13 + end + "0" * 25
                  for start in "01" for end in "0248"]
    for signature in signatures:
      self.assertEqual(self._Count(signature), replay.LIMIT)
    for signature in signatures:
      self.assertEqual(self._Count(signature), 0)

  def testNewRequestsAreNeverRefused(self):
    for i in range(200000):
      self.assertTrue(self.table.Allows(_Signature(i), NOW))

  def testRemembersUnderLoad(self):
    """Other requests do not displace one that is sent again and again.

    For as long as ten minutes, twice as many each second as there are slots.

    """
    for (others, seconds) in [(1000, 600), (2 * replay.SLOTS // 10, 60)]:
      table = replay.ReplayTable()
      captured = _Signature("captured")
      answered = 0
      for second in range(seconds):
        for i in range(others):
          # Cheaper than hashing a million of them
          table.Allows("%040x" % ((second * others + i + 1) *
                                  0x9e3779b97f4a7c15f39cc0605cedc8341082276b
                                  % (1 << 160)), NOW + second)
          if i % 100 == 0:
            answered += table.Allows(captured, NOW)
      self.assertEqual(answered, replay.LIMIT)

  def testMemoryIsGivenBack(self):
    """Memory that a busy time took is not kept."""
    def _Resident():
      with open("/proc/self/smaps", encoding="ascii") as smaps:
        lines = smaps.read().splitlines()
      sizes = [int(line.split()[1]) for line in lines
               if line.startswith("Rss:")]
      heads = [line for line in lines if "-" in line.split(" ")[0]]
      return sum(size for (size, head) in zip(sizes, heads)
                 if "/dev/zero" in head) * 1024

    before = _Resident()
    for second in range(0, 640):
      for i in range(200):
        self.table.Allows(_Signature((second, i)), NOW + second)
    busy = _Resident() - before
    self.assertGreater(busy, 4 << 20)
    for second in range(640, 1280):
      self.table.Allows(_Signature(second), NOW + second)
    self.assertLess(_Resident() - before, busy / 2)

  def testMemoryCannotBeGivenBack(self):
    with mock.patch.object(mmap, "MADV_REMOVE", -1):
      self.testMemoryIsUsedAgain()
      self.testWindow()

  def testShortLimited(self):
    self.assertEqual(self.table.strict_until[0], 0)
    self.table.LimitShort(NOW + 0.5)
    self.assertGreaterEqual(self.table.strict_until[0], NOW + 0.5 + 600)
    # The time is not taken for requests
    self.testWindow()


if __name__ == "__main__":
  unittest.main()

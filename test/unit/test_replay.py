#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of the limit on answers to one request.

"""

import hashlib
import unittest

from ganeti.confd import replay


def _Signature(text):
  return hashlib.sha1(str(text).encode("ascii")).hexdigest()


class TestReplayTable(unittest.TestCase):
  def setUp(self):
    self.table = replay.ReplayTable()

  def _Count(self, signature, now, tries=100):
    return sum(self.table.Allows(signature, now) for _ in range(tries))

  def testLimit(self):
    self.assertEqual(self._Count(_Signature(1), 1000.5), replay.LIMIT)
    self.assertEqual(self._Count(_Signature(2), 1000.5), replay.LIMIT)
    self.assertEqual(self._Count(_Signature(1), 1000.5), 0)

  def testWindow(self):
    signature = _Signature(1)
    self.assertEqual(self._Count(signature, 1000), replay.LIMIT)
    # As long as the request may be accepted, however often it is tried
    for now in range(1000, 1601, 10):
      self.assertEqual(self._Count(signature, now), 0)
    self.assertEqual(self._Count(signature, 1601), replay.LIMIT)

  def testAtTheStartOfTheClock(self):
    self.assertEqual(self._Count(_Signature(1), 0), replay.LIMIT)

  def testSameSlot(self):
    """Requests whose signatures begin alike are not taken for each other.

    """
    signatures = [start + "0" * 14 + end + "0" * 24
                  for start in "01" for end in "0123"]
    for signature in signatures:
      self.assertEqual(self._Count(signature, 1000), replay.LIMIT)
    for signature in signatures:
      self.assertEqual(self._Count(signature, 1000), 0)

  def testNewRequestsAreNeverRefused(self):
    for i in range(200000):
      self.assertTrue(self.table.Allows(_Signature(i), 1000))

  def testRemembersUnderLoad(self):
    captured = _Signature("captured")
    answers = 0
    for i in range(30000):
      self.table.Allows(_Signature(i), 1000)
      answers += self.table.Allows(captured, 1000)
    self.assertEqual(answers, replay.LIMIT)


if __name__ == "__main__":
  unittest.main()

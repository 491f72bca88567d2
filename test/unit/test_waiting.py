#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of what is kept for those who wait for a change.

"""

import socket
import tracemalloc
import unittest

from ganeti.confd.serving import waiting


class TestQuery(unittest.TestCase):
  def testGood(self):
    for (serial, seconds) in [(0, 1), (17, 60), (-5, 20), (10 ** 30, 1)]:
      self.assertEqual(
        waiting.ParseQuery({"serial": serial, "seconds": seconds}),
        (serial, seconds))

  def testBad(self):
    good = {"serial": 17, "seconds": 20}
    for query in [
        None, True, 17, "", "17", [], [17, 20], {}, {"serial": 17},
        {"seconds": 20}, dict(good, more=1), {"serial": 17, "seconds": 20.0},
        *[dict(good, serial=value)
          for value in (None, True, 17.0, "17", [17], {}, 1e300)],
        *[dict(good, seconds=value)
          for value in (None, True, False, 0, -1, 61, 10 ** 30, 0.5, "20",
                        [20])]]:
      with self.subTest(query=query):
        self.assertIsNone(waiting.ParseQuery(query))


def _Ready(number, host="192.0.2.1"):
  return waiting.Ready(b"reply %d" % number, [], (host, 1000 + number))


class TestWaiting(unittest.TestCase):
  def setUp(self):
    self.waiting = waiting.Waiting()

  def _Keep(self, number, host="192.0.2.1", sent=0, due=10.0):
    return self.waiting.Keep(_Ready(number, host), sent, due).value

  def _Due(self, now):
    return [item.reply for item in self.waiting.TakeDue(now)]

  def testDue(self):
    """Each when its time is over, a quarter of a second later at most.

    """
    self.assertIsNone(self.waiting.NextDue())
    for (number, due) in enumerate([10.1, 5.0, 10.2, 7.3]):
      self.assertEqual(self._Keep(number, due=due), "kept")
    for (before, now, replies) in [
        (4.9, 5.0, [b"reply 1"]), (7.29, 7.5, [b"reply 3"]),
        (10.2, 10.25, [b"reply 0", b"reply 2"])]:
      self.assertEqual(self._Due(before), [])
      self.assertLessEqual(self.waiting.NextDue(), now)
      self.assertGreater(self.waiting.NextDue(), before)
      self.assertEqual(self._Due(now), replies)
    self.assertEqual((len(self.waiting), self.waiting.NextDue()), (0, None))

  def testAll(self):
    for number in range(3):
      self._Keep(number)
    self.assertEqual(list(self.waiting.TakeAll()),
                     [_Ready(number) for number in range(3)])
    self.assertEqual((len(self.waiting), self.waiting.NextDue()), (0, None))
    self.assertEqual(self._Keep(0), "kept")

  def testRenewed(self):
    """A retransmit replaces the address, and keeps the earlier deadline."""
    again = waiting.Ready(b"reply 1", [], ("192.0.2.9", 9))
    for due in [(10, 12.0), (12, 10.0), (10, 10.0)]:
      with self.subTest(due=due):
        self.assertEqual(self._Keep(1, sent=5, due=due[0]), "kept")
        self.assertEqual(self.waiting.Keep(again, 6, due[1]).value, "renewed")
        self.assertEqual(len(self.waiting), 1)
        self.assertEqual(self._Due(9.75), [])
        self.assertEqual(list(self.waiting.TakeDue(10.0)), [again])
        self.assertEqual((len(self.waiting), self.waiting.NextDue()), (0, None))

  def testCopies(self):
    """What is not later changes nothing, wherever it comes from.

    """
    self._Keep(1, sent=5, due=10)
    for sent in (5, 4):
      copy = waiting.Ready(b"reply 1", [], ("192.0.2.9", 9))
      self.assertEqual(self.waiting.Keep(copy, sent, 20.0).value, "copy")
    self.assertEqual(list(self.waiting.TakeDue(10.0)), [_Ready(1)])
    self.assertEqual(len(self.waiting), 0)

  def testBoundOfAddress(self):
    for number in range(64):
      self.assertEqual(self._Keep(number), "kept")
    self.assertEqual(self._Keep(64), "refused")
    # To ask again is no further one
    self.assertEqual(self._Keep(1, sent=1), "renewed")
    self.assertEqual(self._Keep(64, "192.0.2.2", due=5), "kept")
    # Who is renewed from another address counts there
    self.assertEqual(self._Keep(1, "192.0.2.2", sent=2), "renewed")
    self.assertEqual(self._Keep(65), "kept")
    # Where there is no room, that is the end of it
    for number in range(100, 162):
      self.assertEqual(self._Keep(number, "192.0.2.2"), "kept")
    self.assertEqual(self._Keep(2, "192.0.2.2", sent=1), "refused")
    self.assertEqual(self._Keep(2), "kept")
    self.assertEqual(self._Keep(66), "refused")
    self._Due(10)
    self.assertEqual(self._Keep(66), "kept")

  def testBound(self):
    for number in range(4096):
      self.assertEqual(self._Keep(number, "10.0.0.%d" % (number // 64)), "kept")
    self.assertEqual(self._Keep(5000, "192.0.2.1"), "refused")
    self.assertEqual(self._Keep(7, "10.0.0.0", sent=1), "renewed")
    self._Due(10)
    self.assertEqual(self._Keep(5000, "192.0.2.1"), "kept")

  def testMemory(self):
    """A kept question takes less than 1 kB, with the longest of replies.

    """
    control = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, bytes(20))]

    def _Fill(again):
      for number in range(4096):
        reply = b"%0*d" % (waiting.MAX_REPLY_SIZE, number)
        address = ("2001:db8:1234:5678:9abc:def0:%x:1" % (number // 64),
                   10000 + number, 0, 0)
        self.waiting.Keep(waiting.Ready(reply, control, address),
                          10 ** 9 + again, 10.0 + again)

    tracemalloc.start()
    self.addCleanup(tracemalloc.stop)
    _Fill(0)
    (taken, _) = tracemalloc.get_traced_memory()
    self.assertLess(taken / 4096, 1024)
    # Nothing is left of what was renewed
    for again in range(1, 20):
      _Fill(again)
    self.assertEqual(len(self.waiting), 4096)
    (now, _) = tracemalloc.get_traced_memory()
    self.assertLess(now / 4096, 1024)
    for _ in self.waiting.TakeAll():
      pass
    (left, _) = tracemalloc.get_traced_memory()
    self.assertLess(left, taken / 10)


if __name__ == "__main__":
  unittest.main()

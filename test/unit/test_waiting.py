#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of the table of pending WAIT requests.

"""

import socket
import tracemalloc
import unittest

from ganeti.confd import protocol
from ganeti.confd.protocol import wire
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


def _Reply(number):
  return b"reply %d" % number


def _Client(number, host="192.0.2.1"):
  return ([], (host, 1000 + number))


def _Deferred(reply, sent, seconds):
  return waiting.Deferred(
    reply, wire.Request(protocol.REQ_WAIT, None, "salt", sent=sent), seconds)


class TestWaiting(unittest.TestCase):
  def setUp(self):
    self.waiting = waiting.Waiting()

  def _Add(self, number, host="192.0.2.1", sent=0, due=10.0):
    return self.waiting.Add(_Deferred(_Reply(number), sent, due),
                            _Client(number, host), 0.0).value

  def _Due(self, now):
    return [reply for (reply, _) in self.waiting.TakeDue(now)]

  def testDue(self):
    """Each when its time is over, a quarter of a second later at most.

    """
    self.assertIsNone(self.waiting.NextDue())
    for (number, due) in enumerate([10.1, 5.0, 10.2, 7.3]):
      self.assertEqual(self._Add(number, due=due), "added")
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
      self._Add(number)
    self.assertEqual(list(self.waiting.TakeAll()),
                     [(_Reply(number), _Client(number)) for number in range(3)])
    self.assertEqual((len(self.waiting), self.waiting.NextDue()), (0, None))
    self.assertEqual(self._Add(0), "added")

  def testRenewed(self):
    """A retransmit replaces the address, and keeps the earlier deadline."""
    client = ([], ("192.0.2.9", 9))
    for due in [(10, 12.0), (12, 10.0), (10, 10.0)]:
      with self.subTest(due=due):
        self.assertEqual(self._Add(1, sent=5, due=due[0]), "added")
        self.assertEqual(
          self.waiting.Add(_Deferred(_Reply(1), 6, due[1] - 2.0), client,
                           2.0).value, "renewed")
        self.assertEqual(len(self.waiting), 1)
        self.assertEqual(self._Due(9.75), [])
        self.assertEqual(list(self.waiting.TakeDue(10.0)),
                         [(_Reply(1), client)])
        self.assertEqual((len(self.waiting), self.waiting.NextDue()), (0, None))

  def testCopies(self):
    """A question that is not later changes nothing, wherever it comes from.

    """
    self._Add(1, sent=5, due=10)
    for sent in (5, 4):
      self.assertEqual(
        self.waiting.Add(_Deferred(_Reply(1), sent, 20), ([], ("192.0.2.9", 9)),
                         0.0).value, "copy")
    self.assertEqual(list(self.waiting.TakeDue(10.0)),
                     [(_Reply(1), _Client(1))])
    self.assertEqual(len(self.waiting), 0)

  def testBoundOfAddress(self):
    for number in range(64):
      self.assertEqual(self._Add(number), "added")
    self.assertEqual(self._Add(64), "refused")
    # To ask again is no further one
    self.assertEqual(self._Add(1, sent=1), "renewed")
    self.assertEqual(self._Add(64, "192.0.2.2", due=5), "added")
    # A question that is renewed from another address counts there
    self.assertEqual(self._Add(1, "192.0.2.2", sent=2), "renewed")
    self.assertEqual(self._Add(65), "added")
    # Without room, no further question is kept
    for number in range(100, 162):
      self.assertEqual(self._Add(number, "192.0.2.2"), "added")
    self.assertEqual(self._Add(2, "192.0.2.2", sent=1), "refused")
    self.assertEqual(self._Add(2), "added")
    self.assertEqual(self._Add(66), "refused")
    self._Due(10)
    self.assertEqual(self._Add(66), "added")

  def testBound(self):
    for number in range(4096):
      self.assertEqual(self._Add(number, "10.0.0.%d" % (number // 64)), "added")
    self.assertEqual(self._Add(5000, "192.0.2.1"), "refused")
    self.assertEqual(self._Add(7, "10.0.0.0", sent=1), "renewed")
    self._Due(10)
    self.assertEqual(self._Add(5000, "192.0.2.1"), "added")

  def testMemory(self):
    """A pending request takes less than 1 kB, with the longest of replies.

    """
    control = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, bytes(20))]

    def _Fill(again):
      for number in range(4096):
        reply = b"%0*d" % (waiting.MAX_REPLY_SIZE, number)
        address = ("2001:db8:1234:5678:9abc:def0:%x:1" % (number // 64),
                   10000 + number, 0, 0)
        self.waiting.Add(_Deferred(reply, 10 ** 9 + again, 10),
                         (control, address), float(again))

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

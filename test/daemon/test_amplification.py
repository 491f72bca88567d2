#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests that a captured request is of little use to whoever sends it again.

"""

import signal
import unittest

import testutils


PING = 0
CONFIG = 10
STATS = 65

#: Replies to one request, as the manual says
LIMIT = 16


class AmplificationTest(unittest.TestCase):
  def setUp(self):
    self.daemon = testutils.Daemon(
      testutils.MakeConfig(filler=["x" * 4000]), args=["--workers=2"])
    self.daemon.__enter__()
    self.addCleanup(self.daemon.Kill)

  def _Replay(self, datagram, times):
    """Sends a datagram again and again, as from another client.

    @return: number of replies

    """
    replies = 0
    with self.daemon.Asker() as other:
      for _ in range(times):
        other.Send(datagram)
        # Each is dealt with before the next one: this one's reply comes last
        # but one at the latest
        self.daemon.Ask(PING)
        replies += other.Receive(timeout=0.005) is not None
      while other.Receive(timeout=0.2) is not None:
        replies += 1
    return replies

  def testLongAnswersAreLimited(self):
    captured = testutils.PackMessage(testutils.KEY,
                                     testutils.MakeMessage(CONFIG, "/filler"))
    self.assertEqual(self._Replay(captured, 40), LIMIT)
    dropped = self.daemon.Answer(STATS)[1]["dropped"]["replayed"]
    self.assertEqual(dropped, 40 - LIMIT)

    # New processes know it too, also when it is written differently
    before = self.daemon.Answer(STATS)[1]["reloads"]["good"]
    self.daemon.proc.send_signal(signal.SIGHUP)
    testutils.WaitFor(
      lambda: self.daemon.Answer(STATS)[1]["reloads"]["good"] > before,
      "the configuration is loaded again")
    self.assertEqual(self._Replay(captured, 20), 0)
    self.assertEqual(self._Replay(captured + b" ", 20), 0)

  def testShortAnswersAreNot(self):
    captured = testutils.PackMessage(testutils.KEY,
                                     testutils.MakeMessage(PING))
    self.assertEqual(self._Replay(captured, 3 * LIMIT), 3 * LIMIT)

  def testNewRequestsAreNot(self):
    for _ in range(3 * LIMIT):
      self.assertEqual(self.daemon.Answer(CONFIG, "/filler")[0], 0)


if __name__ == "__main__":
  unittest.main()

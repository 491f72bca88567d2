#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for ganeti.confd.exporter.collector"""

import asyncio
import unittest
from unittest import mock

import testutils

from ganeti import errors
from ganeti.confd.exporter import collector


class TestTrouble(unittest.TestCase):
  """Any error becomes a problem, and the cluster is asked again.

  """
  def _Run(self, raised):
    """Asks a cluster with a client that always raises the same.

    @return: the cluster's problem, and the log

    """
    asked = []

    def _MakeClient():
      asked.append(1)
      raise raised

    sent = []
    cluster = collector.Cluster("fsn", _MakeClient, sent.append)

    async def _Watch():
      task = asyncio.ensure_future(cluster.Run())
      deadline = asyncio.get_running_loop().time() + testutils.PATIENCE
      # Two questions are repeated, each after some time
      while len(asked) < 6 and not task.done():
        self.assertLess(asyncio.get_running_loop().time(), deadline)
        await asyncio.sleep(0.01)
      self.assertFalse(task.done())
      task.cancel()
      with self.assertRaises(asyncio.CancelledError):
        await task

    with mock.patch.object(collector, "RETRY", (0.01, 0.01)), \
         self.assertLogs(level="WARNING") as logs:
      asyncio.run(_Watch())
    self.assertEqual(sent, [collector.Problem("fsn", cluster.problem)])
    return (cluster.problem, logs.records)

  def testExpected(self):
    for raised in [errors.ConfdClientError("nobody answers"),
                   OSError("nobody answers")]:
      with self.subTest(raised=raised):
        (problem, records) = self._Run(raised)
        self.assertEqual(problem, "nobody answers")
        self.assertEqual(len(records), 1)
        self.assertFalse(records[0].exc_info)

  def testFaults(self):
    for raised in [RecursionError("too deep"), TypeError("no text"),
                   UnicodeError("\ud800"), AssertionError()]:
      with self.subTest(raised=raised):
        (problem, records) = self._Run(raised)
        self.assertIn("a programming error (%s)" % type(raised).__name__,
                      problem)
        # Once, with the traceback
        self.assertEqual(len(records), 1)
        self.assertIs(records[0].exc_info[1], raised)


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for ganeti.confd.exporter.collector"""

import asyncio
import logging
import threading
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


class TestNameCluster(unittest.TestCase):
  def testRepeated(self):
    """What two clients of a cluster warn of is logged once, with the cluster.

    """
    logger = logging.getLogger("test_exporter_collector")
    logger.addFilter(collector.NameCluster())

    class _Client:
      async def __aenter__(self):
        logger.warning("the key in %s is gone", "x")
        raise OSError("nothing answers")

      async def __aexit__(self, *_):
        pass

    async def _Run():
      tasks = [asyncio.ensure_future(collector.Cluster(
        name, _Client, lambda _: None).Run()) for name in ("fsn", "dus")]
      # Both clients of both clusters come to their first pause
      await asyncio.sleep(0)
      await asyncio.sleep(0)
      for task in tasks:
        task.cancel()
      await asyncio.gather(*tasks, return_exceptions=True)

    with self.assertLogs(logger) as logs, self.assertLogs():
      asyncio.run(_Run())
    self.assertEqual(sorted(i.getMessage() for i in logs.records),
                     ["Cluster dus: the key in x is gone",
                      "Cluster fsn: the key in x is gone"])

  def testLater(self):
    """A message is logged again when it comes again a minute later.

    """
    one = collector.NameCluster()
    with mock.patch.object(collector.time, "monotonic",
                           side_effect=[1.0, 60.9, 61.0]):
      self.assertEqual([one.filter(logging.makeLogRecord({"msg": "a"}))
                        for _ in range(3)], [True, False, True])


  def testThreads(self):
    """If two threads log at once, none of the messages is forgotten.

    """
    one = collector.NameCluster()
    taken = [one.filter(logging.makeLogRecord({"msg": "first"}))]

    class _Time(float):
      """A time whose comparison logs in another thread.

      """
      def __sub__(self, other):
        if not threads:
          threads.append(threading.Thread(target=_LogInThread))
          threads[0].start()
          # The other thread ends here, unless it waits for this one
          threads[0].join(0.2)
        return float(self) - other

    def _LogInThread():
      taken.append(one.filter(logging.makeLogRecord({"msg": "second"})))

    threads = []
    with mock.patch.object(collector.time, "monotonic",
                           return_value=_Time(collector.time.monotonic())):
      taken.append(one.filter(logging.makeLogRecord({"msg": "third"})))
    threads[0].join()
    self.assertEqual(taken, [True, True, True])
    for text in ("first", "second", "third"):
      self.assertFalse(one.filter(logging.makeLogRecord({"msg": text})))


if __name__ == "__main__":
  unittest.main()

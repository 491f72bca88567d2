# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of ganeti.confd.exporter.cache"""

import asyncio
import gc
import tracemalloc
import unittest
from unittest import mock

from ganeti.confd.exporter import cache
from ganeti.confd.exporter import forked
from ganeti.confd.exporter import watcher

try:
  from ganeti.confd.exporter import web
except ImportError:
  web = None


_OLD = (("c", 1), ("d", 1))
_NEW = (("c", 2), ("d", 1))
_LIMITS = cache.Limits(kept=1 << 20, held=1 << 20, waiting=3)


async def _RunHere(make, _):
  """Takes the place of L{forked.Run}, without a process.

  """
  await asyncio.sleep(0)
  return make()


def _Refuse():
  raise forked.BadRequest("wrong " * 10)


class TestCache(unittest.TestCase):
  def setUp(self):
    self.made = []
    patch = mock.patch.object(forked, "Run", _RunHere)
    patch.start()
    self.addCleanup(patch.stop)

  def _Run(self, function, limits=_LIMITS):
    async def _Main():
      # The cache's semaphore belongs to the event loop
      await function(cache.Cache(limits))
    asyncio.run(_Main())

  def _Get(self, answers, key, version=_OLD, data=b"x"):
    def _Note():
      self.made.append(key)
      return data
    return answers.Get((key, ), version, _Note)

  def testKept(self):
    async def _Test(answers):
      for version in (_OLD, _OLD, _NEW, _NEW):
        await self._Get(answers, "a", version)
      self.assertEqual(self.made, ["a", "a"])
      for _ in range(2):
        with self.assertRaises(forked.BadRequest):
          await answers.Get(("b", ), _OLD, _Refuse)
    self._Run(_Test)

  def testTogether(self):
    async def _Test(answers):
      bodies = await asyncio.gather(*[self._Get(answers, "a")
                                      for _ in range(20)])
      self.assertEqual(len(set(map(id, bodies))), 1)
      self.assertEqual(self.made, ["a"])
    self._Run(_Test)

  def testBusy(self):
    async def _Test(answers):
      results = await asyncio.gather(
        *[self._Get(answers, str(i)) for i in range(5)], return_exceptions=True)
      self.assertEqual([isinstance(i, cache.Busy) for i in results],
                       [False] * 3 + [True] * 2)
      # An answer above the limit keeps no others out while it is kept
      body = await self._Get(answers, "large", _OLD, b"x" * (2 << 20))
      await self._Get(answers, "large")
      await self._Get(answers, "other")
      # While it is being sent, it counts, though it is not kept any more
      with self.assertRaises(cache.Busy):
        await self._Get(answers, "third")
      await self._Get(answers, "other")
      answers.DropOld(dict(_NEW))
      with self.assertRaises(cache.Busy):
        await self._Get(answers, "third")
      del body
      await self._Get(answers, "third")
    self._Run(_Test)

  def testDropOld(self):
    """Answers of old versions are dropped at once, without a request.

    """
    async def _Test(answers):
      for version in (_OLD, _NEW):
        for number in range(50):
          await self._Get(answers, "%s %d" % (version, number), version,
                          bytes(100))
      answers.DropOld(dict(_NEW))
      self.made.clear()
      for number in range(50):
        await self._Get(answers, "%s %d" % (_NEW, number), _NEW)
      self.assertEqual(self.made, [])
      await self._Get(answers, "%s %d" % (_OLD, 0))
      self.assertEqual(len(self.made), 1)
    self._Run(_Test)

  def testGone(self):
    """An answer for which no request waits any more is not made.

    """
    async def _Test(answers):
      async with answers._turns:  # pylint: disable=W0212
        waiting = [asyncio.ensure_future(self._Get(answers, "a"))
                   for _ in range(2)]
        await asyncio.sleep(0)
        for task in waiting:
          task.cancel()
        await asyncio.wait(waiting)
      await self._Get(answers, "b")
      self.assertEqual(self.made, ["b"])
    self._Run(_Test)

  def testMemory(self):
    """The memory is bounded whatever is long: questions, answers or neither.

    """
    cases = {
      "questions": lambda i: ("%09d" % i * 500, b""),
      "wide questions": lambda i: ("\U0001f600%09d" % i * 100, b""),
      "answers": lambda i: (str(i), b"x" * 4000),
      "neither": lambda i: (str(i), b""),
      "refused": lambda i: ("%09d" % i * 500, None),
      "refused again": lambda _: ("a", None),
      }
    for (name, case) in cases.items():
      with self.subTest(name):
        async def _Test(answers, case=case):
          for number in range(3000):
            (key, data) = case(number)
            try:
              await answers.Get(
                (key, ), _OLD,
                _Refuse if data is None else lambda data=data: data + b"")
            except forked.BadRequest:
              pass
          gc.collect()
          size = tracemalloc.get_traced_memory()[0] - before
          self.assertLess(size, 1.5 * _LIMITS.kept)
        gc.collect()
        tracemalloc.start()
        try:
          before = tracemalloc.get_traced_memory()[0]
          self._Run(_Test)
        finally:
          tracemalloc.stop()


@unittest.skipUnless(web, "no prometheus_client or no h11 (Debian packages"
                     " python3-prometheus-client, python3-h11)")
class TestServer(unittest.TestCase):
  def testDropOld(self):
    """A new configuration makes all caches drop old answers.

    """
    async def _Test():
      known = [watcher.Watcher(name) for name in ("c", "d")]
      web.Server(known, True)
      with mock.patch.object(cache.Cache, "DropOld") as forget:
        known[1].SetConfig(mock.sentinel.config)
      self.assertEqual(forget.call_args_list,
                       [mock.call({"c": 0, "d": 1})] * 3)
    asyncio.run(_Test())


if __name__ == "__main__":
  unittest.main()

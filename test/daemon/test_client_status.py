#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The library's Status and Stats: a cluster with every kind of candidate.

"""

import asyncio
import unittest

import packaged
import testutils

from ganeti import constants
from ganeti.confd import client


#: Two with this project's daemon, one with one like the packaged one, and one
#: where nothing listens
_ADDRESSES = ["127.0.14.%d" % i for i in (1, 2, 3, 4)]


def _Config(serial):
  nodes = [testutils.MakeNode(i + 1, primary_ip=address, master_candidate=True)
           for (i, address) in enumerate(_ADDRESSES)]
  return testutils.MakeConfig(nodes, serial_no=serial)


class TestCluster(unittest.TestCase):
  def setUp(self):
    self.port = testutils.FreePort(_ADDRESSES[0])
    for (address, serial) in [(_ADDRESSES[0], 20), (_ADDRESSES[1], 17)]:
      daemon = testutils.Daemon(_Config(serial), address=address,
                                port=self.port)
      self.addCleanup(daemon.Stop)
      daemon.Start()
    self.packaged = packaged.Confd(
      packaged.Answers(lambda: 20, {constants.CONFD_REQ_MC_PIP_LIST:
                                    _ADDRESSES}),
      address=_ADDRESSES[2], port=self.port)
    self.addCleanup(self.packaged.Stop)
    self.arguments = {"peers": _ADDRESSES[:1], "key": testutils.KEY,
                      "port": self.port}

  def _Both(self, name):
    """Calls a method of both clients.

    """
    async def _Await():
      async with client.AsyncClient(**self.arguments) as asker:
        return await getattr(asker, name)()
    with client.Client(**self.arguments) as asker:
      yield getattr(asker, name)()
    yield asyncio.run(_Await())

  def testStatus(self):
    for status in self._Both("Status"):
      self.assertIsInstance(status, client.ClusterStatus)
      self.assertEqual(
        [(i.address, i.name, i.role, i.answers, i.serial, i.behind, i.version,
          i.daemon) for i in status.candidates],
        [("127.0.14.1", "node1.example.com", "master", True, 20, 0, 3000000,
          client.__version__),
         ("127.0.14.3", "node3.example.com", "candidate", True, 20, 0, 3000000,
          None),
         ("127.0.14.2", "node2.example.com", "candidate", True, 17, 3, 3000000,
          client.__version__),
         ("127.0.14.4", "node4.example.com", "candidate", False, None, None,
          None, None)])
      self.assertEqual([i.problem for i in status.candidates],
                       [None, None, "its configuration is 3 changes behind",
                        "nothing listens there"])
      self.assertTrue(all(i.round_trip > 0 for i in status.candidates[:3]))
      self.assertEqual((status.serial, status.silent),
                       (20, {"127.0.14.4": "nothing listens there"}))
    # The packaged daemon has no statistics, and would be waited for
    self.assertNotIn(65, [rtype for (rtype, _) in self.packaged.requests])

  def testStats(self):
    for stats in self._Both("Stats"):
      self.assertIsInstance(stats, client.ClusterStats)
      # The client learns the candidates from the second question on
      (first, *others) = stats.daemons
      self.assertEqual((first.address, first.version, first.serial),
                       ("127.0.14.1", client.__version__, 20))
      self.assertEqual(others, [])
      # Asking whether it is up was a ping
      self.assertGreater(first.counters["queries"]["ping"], 0)
      self.assertEqual(first.counters["dropped"]["hmac"], 0)
      self.assertNotIn("config", first.counters)
      self.assertEqual(first.everything["workers"], first.workers)
      self.assertGreater(first.uptime, first.age)
      self.assertEqual((stats.failed, stats.silent, stats.serial), ([], {}, 20))

  def testStatsOfAll(self):
    self.arguments["peers"] = _ADDRESSES
    (stats, _) = self._Both("Stats")
    self.assertEqual([(i.address, i.serial) for i in stats.daemons],
                     [("127.0.14.1", 20), ("127.0.14.2", 17)])
    self.assertEqual(stats.silent,
                     {"127.0.14.3": "Ganeti's own daemon answers there, and"
                      " does not have this question",
                      "127.0.14.4": "nothing listens there"})


if __name__ == "__main__":
  unittest.main()

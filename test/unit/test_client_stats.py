#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The library's view of daemons' statistics.

"""

import unittest

from ganeti.confd.clientlib import clusterstats
from ganeti.confd.clientlib import replies
from ganeti.confd.clientlib import silence


def _Reply(address, answer, status=0):
  return replies.CandidateReply(address, address, status, answer, 5, 0.001, 0)


class TestGather(unittest.TestCase):
  def testByAddress(self):
    """192.0.2.2 comes before 192.0.2.10; an error is no counters.

    """
    result = clusterstats.Gather(
      [_Reply("192.0.2.10", {}), _Reply("192.0.2.2", {}),
       _Reply("192.0.2.3", 4, status=1), _Reply("192.0.2.4", "text")],
      {"192.0.2.12": None, "192.0.2.5": "nothing listens there"})
    self.assertEqual([i.address for i in result.daemons],
                     ["192.0.2.2", "192.0.2.10"])
    self.assertEqual([i.address for i in result.failed],
                     ["192.0.2.3", "192.0.2.4"])
    self.assertEqual(list(result.silent), ["192.0.2.5", "192.0.2.12"])
    # An address of the settings may be no master candidate any more
    silent = {"192.0.2.5": silence.UNLISTED, "192.0.2.12": None}
    self.assertEqual(clusterstats.Gather([], silent).missing, ["192.0.2.12"])
    self.assertEqual(result.serial, 5)

  def testNobody(self):
    result = clusterstats.Gather([], {"192.0.2.1": None})
    self.assertEqual((result.serial, result.daemons), (None, []))


class TestRead(unittest.TestCase):
  def testOtherVersions(self):
    """A value that is missing or of another type is None; new values are kept.

    """
    answer = {"version": 5, "uptime": "long", "memory": None, "config": [],
              "queries": {"ping": 3, "new": "x"}, "dropped": {"overflow": None},
              "novel": {"things": 7}, "workers": 2}
    result = clusterstats.Read("192.0.2.1", answer)
    self.assertEqual((result.version, result.uptime, result.memory,
                      result.serial, result.age, result.load_time,
                      result.workers),
                     (None, None, None, None, None, None, 2))
    self.assertEqual(result.counters, {"queries": {"ping": 3},
                                       "dropped": {"overflow": None},
                                       "novel": {"things": 7}})
    self.assertEqual(result.everything, answer)


if __name__ == "__main__":
  unittest.main()

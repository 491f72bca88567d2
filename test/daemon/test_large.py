#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests that large answers do not delay small ones.

"""

import json
import statistics
import time
import unittest

import processes
import testutils
from testutils import NODE_ROLE, NODE_INSTANCES, CONFIG, QUERY, STATS
from testutils import BAD_ARGUMENT, TOO_LARGE


INSTANCES = 20000


class LargeTest(unittest.TestCase):
  def _Time(self, asker):
    """Asks a small question.

    @return: seconds that it took

    """
    started = time.perf_counter()
    asker.Ask(NODE_ROLE, "node1.example.com")
    return time.perf_counter() - started

  def testLargeDoNotDelaySmall(self):
    config = testutils.MakeConfig(instances=[
      testutils.MakeInstance(index, 1, nics=["10.0.0.1"])
      for index in range(INSTANCES)])
    # Each takes long to make, the first time
    questions = [testutils.MakeMessage(CONFIG, ""),
                 testutils.MakeMessage(CONFIG, "/instances", part=0),
                 testutils.MakeMessage(NODE_INSTANCES, "node1", part=0)]
    # The only worker would have to do both
    with testutils.Daemon(config, args=["--workers=1"]) as daemon:
      making = processes.Find(daemon, 1).large
      with daemon.Asker() as small, daemon.Asker() as large:
        for message in questions:
          # The process that makes large answers does not get far, be the
          # machine quick or slow, until small questions have been answered
          with processes.Paused(making):
            large.Send(testutils.PackMessage(daemon.key, message))
            beside = [self._Time(small) for _ in range(20)]
            self.assertIsNone(large.Receive(timeout=0))
          # At full speed both share what a machine has
          reply = None
          while reply is None:
            beside.append(self._Time(small))
            # A processor is for those who work
            time.sleep(0.001)
            reply = large.Receive(timeout=0)
          self.assertIn(message["rsalt"].encode("ascii"), reply)
          print("%d small answers beside a large one took %.2f ms, at most"
                " %.2f ms" % (len(beside), 1000 * statistics.median(beside),
                              1000 * max(beside)))
        # Too large is said at once, after the first time
        large.Ask(CONFIG, "")
        self.assertEqual(large.Answer(CONFIG, ""), TOO_LARGE)

  def testStatisticsDoNotWait(self):
    """A request for statistics is answered whatever else the daemon has to do.

    """
    with testutils.Daemon(testutils.MakeConfig(),
                          args=["--workers=1"]) as daemon:
      large = processes.Find(daemon, 1).large
      with daemon.Asker() as asker:
        with processes.Paused(large):
          asker.Send(testutils.PackMessage(
            daemon.key, testutils.MakeMessage(CONFIG, "", part=0)))
          (status, stats) = daemon.Answer(STATS)
          self.assertEqual((status, stats["workers"]), (0, 1))
          self.assertIsNone(asker.Receive(timeout=0.2))
        self.assertIsNotNone(asker.Receive())


class GreedyTest(unittest.TestCase):
  """A client with the key asks for as much as goes into a request."""

  def testNothingTwice(self):
    """An answer that is small as long as nothing stands twice stays small."""
    networks = {testutils.Uuid("1", 1): {
      "name": "net1", "uuid": testutils.Uuid("1", 1), "network": "10.1.0.0/16",
      "ext_reservations": "1" * 65536}}
    with testutils.Daemon(testutils.MakeConfig(networks=networks),
                          args=["--workers=1"]) as daemon:
      found = processes.Find(daemon, 1)
      daemon.Ask(QUERY, {"what": "group", "fields": ["name"]})
      before = _Peaks(found)
      for (what, fields, names, answer) in [
          ("group", ["ipolicy"] * 2350, ["default"] * 2600, "ipolicy"),
          ("group", ["ipolicy"], ["default"] * 2600, "default"),
          ("network", ["external_reservations"] * 990, ["net1"],
           "external_reservations"),
          ("network", ["external_reservations"] * 990, None,
           "external_reservations")]:
        query = {"what": what, "fields": fields}
        if names is not None:
          query["names"] = names
        # As short as a request can be
        text = json.dumps(testutils.MakeMessage(QUERY, query),
                          separators=(",", ":"))
        for _ in range(2):
          reply = daemon.AskRaw(testutils.PackText(
            daemon.key, "%d" % time.time(), text))
          (_, message) = testutils.UnpackReply(daemon.key, reply)
          self.assertEqual(message["status"], 1)
          self.assertEqual(message["answer"].get("value"), answer)
          self.assertEqual(message["answer"]["error"],
                           BAD_ARGUMENT[1])
        daemon.Ask(STATS)
      self.assertLess(_Peaks(found) - before, 16 << 20)

  def testTableInPieces(self):
    """A table of 100 MB does not take as much to make."""
    params = {"p%d" % number: "v" * 100 for number in range(400)}
    config = testutils.MakeConfig(
      instances=[testutils.MakeInstance(number, 1) for number in range(2200)],
      cluster={"hvparams": {"kvm": params}})
    with testutils.Daemon(config, args=["--workers=1"]) as daemon:
      found = processes.Find(daemon, 1)
      before = _Peaks(found)
      query = {"what": "instance", "fields": ["name", "hvparams"]}
      self.assertEqual(daemon.Answer(QUERY, query), TOO_LARGE)
      grown = _Peaks(found) - before
      print("made a table of 100 MB with %.1f MB" % (grown / 1e6))
      self.assertLess(grown, 40 << 20)


def _Peaks(found):
  """Returns the most memory that workers and the like ever had, in bytes.

  @type found: L{processes.Processes}

  """
  return 1024 * sum(int(processes.Status(pid, "VmHWM").split()[0])
                    for pid in found.workers + [found.large])


if __name__ == "__main__":
  unittest.main()

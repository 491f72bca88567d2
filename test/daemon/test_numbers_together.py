#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of programs with numbers that are fine alone and not together.

Two disks of an instance have sizes whose sum Python cannot make, or cannot
write. All that tells of this instance's neighbour tells it all the same.

"""

import csv
import io
import json
import unittest

import clientcommand
import testutils
import webserver
from testutils import MakeConfig, MakeDisk, MakeInstance, MakeNode

try:
  import prometheus_client
except ImportError:
  prometheus_client = None


_LARGE = 10 ** 400
_LONGEST = 10 ** 4300 - 1


def _Config():
  return MakeConfig(
    nodes=[MakeNode(1, master_candidate=True, primary_ip="127.0.3.1")],
    instances=[
      MakeInstance(1, 1, disks=[1, 2], beparams={"maxmem": _LONGEST}),
      MakeInstance(2, 1, disks=[3, 4], beparams={"maxmem": _LONGEST}),
      MakeInstance(3, 1, disks=[5], beparams={"maxmem": 512})],
    disks=[MakeDisk(1, size=_LARGE), MakeDisk(2, size=1.5),
           MakeDisk(3, size=_LONGEST), MakeDisk(4, size=_LONGEST),
           MakeDisk(5, size=2048)])


class NumbersTest(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    cls.daemon = testutils.Daemon(_Config(), address="127.0.3.1")
    try:
      cls.daemon.Start()
    except BaseException:
      cls.daemon.Kill()
      raise

  @classmethod
  def tearDownClass(cls):
    cls.daemon.Stop()

  def _Run(self, *args):
    result = clientcommand.Run(*args, daemon=self.daemon)
    self.assertEqual((result.returncode, result.stderr), (0, ""), args)
    return result.stdout

  def testDiskUsage(self):
    rows = csv.reader(io.StringIO(self._Run(
      "list", "instances", "-o", "name,disk_usage", "--csv")))
    self.assertEqual(list(rows), [
      ["name", "disk_usage"], ["inst1.example.com", ""],
      ["inst2.example.com", ""], ["inst3.example.com", "2048"]])

  def testCommands(self):
    fields = ",".join(row["name"] for row in json.loads(self._Run(
      "list-fields", "instances", "--json"))["answer"])
    for args in [
        ["list", "instances", "-o", fields],
        ["list", "instances", "-o", fields, "--csv"],
        ["list", "instances", "-o", fields, "--json"],
        ["list", "instances", "inst1", "inst3", "-o", fields],
        ["list", "disks", "--units", "g"], ["map"], ["map", "--svg"],
        ["map", "--dot"]]:
      with self.subTest(args=args):
        self.assertIn("inst3" if "list" in args and "disks" not in args else "",
                      self._Run(*args))
    self.assertNotIn("programming error", self.daemon.Log())

  @unittest.skipIf(prometheus_client is None,
                   "prometheus-client is not installed")
  def testExporter(self):
    with webserver.Exporter(webserver.Settings("c", [self.daemon])) as exporter:
      testutils.WaitFor(lambda: exporter.Metric("ganeti_up", cluster="c") == 1,
                        "the cluster is up")
      self.assertEqual(
        [exporter.Metric("ganeti_instance_disk_bytes", cluster="c",
                         instance="inst%d.example.com" % i) for i in (1, 2, 3)],
        [None, None, 2 << 30])
      for path in ["/c/", "/c/instances", "/c/instances.json", "/c/map",
                   "/c/map.svg", "/c/nodes", "/sd/instances"]:
        answer = exporter.Ask(path)
        self.assertEqual(answer.status, 200, path)
      self.assertNotIn("Traceback", exporter.Output())


if __name__ == "__main__":
  unittest.main()

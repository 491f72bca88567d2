#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of the command "stats": tables and Prometheus.

"""

import sys
import unittest
from unittest import mock

from ganeti import errors
from ganeti.confd.command import cmd_stats

try:
  import prometheus_client
  from prometheus_client import parser
except ImportError:
  prometheus_client = None


#: As daemons answer; the second one is of a version with another counter
ANSWERS = {
  "192.0.2.1": {
    "version": "0.1.0",
    "uptime": 12.34567,
    "workers": 2,
    "memory": None,
    "config": {"serial": 17, "size": 1000, "inode": 5},
    "queries": {"ping": 3, "master": 0},
    "dropped": {"hmac": 1, "overflow": None},
    },
  "192.0.2.2": {
    "version": "0.2.0",
    "config": {"serial": 18},
    "queries": {"ping": 4, "other": 1},
    },
  }


class TestTable(unittest.TestCase):
  def testTable(self):
    (headers, rows) = cmd_stats.Compare(ANSWERS)
    self.assertEqual(headers, ["Value", "192.0.2.1", "192.0.2.2"])
    self.assertEqual(rows, [
      ["version", "0.1.0", "0.2.0"],
      ["uptime", "12.346", None],
      ["workers", 2, None],
      ["memory", None, None],
      ["config serial", 17, 18],
      ["config size", 1000, None],
      ["config inode", 5, None],
      ["queries ping", 3, 4],
      ["queries master", 0, None],
      ["dropped hmac", 1, None],
      ["dropped overflow", None, None],
      ["queries other", None, 1],
      ])


@unittest.skipUnless(prometheus_client, "no prometheus_client (Debian package"
                     " python3-prometheus-client)")
class TestPrometheus(unittest.TestCase):
  def testSamples(self):
    text = cmd_stats.Prometheus({"": (ANSWERS, ["192.0.2.3"])})
    samples = {(sample.name, tuple(sorted(sample.labels.items()))):
               sample.value
               for family in parser.text_string_to_metric_families(text)
               for sample in family.samples}
    first = ("candidate", "192.0.2.1")
    second = ("candidate", "192.0.2.2")
    for (name, labels, value) in [
      ("up", [first], 1),
      ("up", [second], 1),
      ("up", [("candidate", "192.0.2.3")], 0),
      ("info", [first, ("version", "0.1.0")], 1),
      ("uptime_seconds", [first], 12.34567),
      ("config_serial", [second], 18),
      ("queries_total", [first, ("type", "ping")], 3),
      ("queries_total", [second, ("type", "other")], 1),
      ("dropped_total", [first, ("reason", "hmac")], 1),
      ]:
      with self.subTest(name=name, labels=labels):
        self.assertEqual(samples["ganeti_confd_" + name, tuple(labels)], value)
    self.assertNotIn(("ganeti_confd_memory_bytes", (first, )), samples)


class TestWithoutPrometheus(unittest.TestCase):
  def testClearError(self):
    with mock.patch.dict(sys.modules, {"prometheus_client": None}):
      self.assertRaisesRegex(errors.ConfdClientError,
                             "python3-prometheus-client",
                             cmd_stats.Prometheus, {"": (ANSWERS, [])})


if __name__ == "__main__":
  unittest.main()

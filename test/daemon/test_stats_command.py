#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of "confd-client stats" with real daemons.

"""

import json
import os
import unittest

import clientcommand
import packaged
import testutils
from testutils import PING

from ganeti.confd.clientlib import silence
from ganeti.confd.protocol import keyfile
from ganeti.confd.protocol import readerkey


class StatsCommandTest(unittest.TestCase):
  def setUp(self):
    self.daemon = testutils.Daemon(testutils.MakeConfig())
    self.addCleanup(self.daemon.Stop)
    self.daemon.Start()

  def _Run(self, *args, addresses=None):
    return clientcommand.Run("-a", addresses or self.daemon.address, "stats",
                             *args, daemon=self.daemon)

  def testTable(self):
    for _ in range(3):
      self.daemon.Ask(PING)
    result = self._Run("--no-headers", "--separator=|")
    self.assertEqual((result.returncode, result.stderr), (0, ""))
    rows = dict(line.split("|") for line in result.stdout.splitlines())
    # One of the pings was the question whether the daemon is up
    self.assertGreaterEqual(int(rows["queries ping"]), 4)
    self.assertEqual(rows["config serial"], "17")
    self.assertEqual(rows["config inode"],
                     str(os.stat(self.daemon.config_file).st_ino))

  def testJson(self):
    result = self._Run("--json")
    reply = json.loads(result.stdout)
    self.assertEqual((reply["serial"], reply["silent"]), (17, {}))
    self.assertEqual([i["address"] for i in reply["candidates"]],
                     [self.daemon.address])
    answer = reply["answer"][self.daemon.address]
    status = os.stat(self.daemon.config_file)
    self.assertEqual(answer["config"]["size"], status.st_size)
    self.assertAlmostEqual(answer["config"]["mtime"], status.st_mtime, 3)

  def testPrometheus(self):
    result = self._Run("--prometheus")
    self.assertEqual((result.returncode, result.stderr), (0, ""))
    self.assertIn("ganeti_confd_config_serial{candidate=\"%s\"} 17.0\n" %
                  self.daemon.address, result.stdout)

  def testSomeAreSilent(self):
    silent = "127.0.0.1:%d" % testutils.FreePort()
    addresses = "%s,%s" % (self.daemon.address, silent)
    result = self._Run(addresses=addresses)
    self.assertEqual(result.returncode, 1)
    self.assertRegex(result.stderr, r"\A.*: nothing listens there\n\Z")
    self.assertIn("queries ping", result.stdout)
    result = self._Run("--json", addresses=addresses)
    self.assertEqual(result.returncode, 1)
    self.assertEqual(json.loads(result.stdout)["silent"],
                     {silent: "nothing listens there"})

  def testSilence(self):
    """The causes are those that other commands name.

    """
    path = os.path.join(self.daemon.root, "reader.key")
    label = readerkey.Make("me", ["mc-ips", "stats"], None)
    testutils.WriteFile(path, keyfile.Format(testutils.KEY, label)
                        .encode("ascii"))
    for (options, is_reader, more) in [
        ([], False, "; or Ganeti's own daemon, which has no statistics"),
        (["--hmac-file=" + path], True, "")]:
      with packaged.Confd(lambda *_: None) as confd:
        result = self._Run("--timeout=0.3", *options, addresses=confd.peer)
      self.assertEqual((result.returncode, result.stdout), (3, ""))
      self.assertIn("%s: silent: %s%s. \"confd-client status\" says how to"
                    " find the cause\n" % (
                      confd.peer, silence.Causes(is_reader), more),
                    result.stderr)

  def testPrometheusWhileSomeAreSilent(self):
    """A series that vanishes is no alarm, and exit code 1 drops the others.

    """
    silent = "127.0.0.1:%d" % testutils.FreePort()
    result = self._Run("--prometheus",
                       addresses="%s,%s" % (self.daemon.address, silent))
    self.assertEqual(result.returncode, 0)
    self.assertIn("nothing listens there", result.stderr)
    for line in ["up{candidate=\"%s\"} 0.0" % silent,
                 "up{candidate=\"%s\"} 1.0" % self.daemon.address,
                 "config_serial{candidate=\"%s\"} 17.0" % self.daemon.address]:
      self.assertIn("ganeti_confd_%s\n" % line, result.stdout)

  def testAllAreSilent(self):
    silent = "127.0.0.1:%d" % testutils.FreePort()
    result = self._Run(addresses=silent)
    self.assertEqual((result.returncode, result.stdout), (3, ""))
    result = self._Run("--prometheus", addresses=silent)
    self.assertEqual(result.returncode, 0)
    self.assertIn("ganeti_confd_up{candidate=\"%s\"} 0.0\n" % silent,
                  result.stdout)

  def testWrongUse(self):
    result = clientcommand.Run("--prometheus", "ping")
    self.assertEqual(result.returncode, 2)
    self.assertIn("ping has no option --prometheus, which belongs to the"
                  " command stats", result.stderr)


if __name__ == "__main__":
  unittest.main()

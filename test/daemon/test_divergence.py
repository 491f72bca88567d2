#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Candidates that have not what their serial numbers say.

Two masters that both go on (a failover without voting), and a candidate that
cannot load the newest configuration: status, check and metrics tell.

"""

import copy
import itertools
import json
import os
import random
import threading
import unittest

import clientcommand
import testutils

from ganeti.confd import client


_ADDRESSES = ["127.0.16.%d" % i for i in (1, 2, 3)]

#: How many changes a healthy cluster goes through
_CHANGES = 25


def _Config(serial, master=1, **kwargs):
  nodes = [testutils.MakeNode(i + 1, primary_ip=address, master_candidate=True)
           for (i, address) in enumerate(_ADDRESSES)]
  config = testutils.MakeConfig(nodes, serial_no=serial, **kwargs)
  config["cluster"]["master_node"] = testutils.Uuid("a", master)
  return config


class _TestCase(unittest.TestCase):
  def setUp(self):
    self.port = testutils.FreePort(_ADDRESSES[0])
    self.daemons = []

  def _Start(self, *configs):
    for (address, config) in zip(_ADDRESSES, configs):
      daemon = testutils.Daemon(config, address=address, port=self.port)
      self.addCleanup(daemon.Stop)
      daemon.Start()
      self.daemons.append(daemon)

  def _Run(self, *args):
    """Runs confd-client.

    @return: exit code and standard output

    """
    result = clientcommand.Run("-t", "10", *args, daemon=self.daemons[0])
    self.assertEqual(result.stderr, "")
    return (result.returncode, result.stdout)

  def _Client(self):
    return client.Client(_ADDRESSES[:1], key=testutils.KEY, port=self.port)


class TestDivergence(_TestCase):
  def testTwoMasters(self):
    """Two that have one serial and different masters.

    """
    other = _Config(700, master=2, instances=[testutils.MakeInstance(1, 2)])
    self._Start(_Config(700), other, _Config(690))
    (code, output) = self._Run("status", "--nagios")
    self.assertEqual(code, 2, output)
    self.assertIn("CONFD CRITICAL - 3 of 3 master candidates answer, serial"
                  " 700; ", output)
    problem = ("its configuration is another than that of %s, with the same"
               " serial number; its master is node%d.example.com, and there it"
               " is node%d.example.com")
    self.assertIn("127.0.16.1: " + problem % ("127.0.16.2", 1, 2), output)
    self.assertIn("127.0.16.2: " + problem % ("127.0.16.1", 2, 1), output)
    self.assertIn("127.0.16.3: its configuration is 10 changes behind", output)
    # No limit of what is counted has to do with it
    (code, _) = self._Run("status", "--nagios", "-w", "silent=9,behind=99")
    self.assertEqual(code, 2)
    (code, output) = self._Run("status")
    self.assertEqual(code, 1)
    self.assertIn(problem % ("127.0.16.2", 1, 2), output)
    (_, output) = self._Run("status", "--json")
    self.assertEqual([(row["address"], row["diverges"])
                      for row in json.loads(output)["answer"]],
                     [("127.0.16.1", True), ("127.0.16.2", True),
                      ("127.0.16.3", False)])

  def testTwoMastersThatWentOn(self):
    """Of two masters one has made more changes: the other says who it is.

    """
    self._Start(_Config(703, master=2), _Config(700), _Config(699, master=2))
    with self._Client() as asker:
      rows = asker.Status().candidates
    self.assertEqual([i.problem for i in rows], [
      None,
      "its configuration is 3 changes behind; its master is node1.example.com,"
      " and that of the freshest one is node2.example.com",
      "its configuration is 4 changes behind"])
    self.assertEqual([i.diverges for i in rows], [False] * 3)

  def testOlderOnes(self):
    """Two candidates that are behind may differ, too.

    """
    self._Start(_Config(701), _Config(700, tags=["a"]), _Config(700))
    with self._Client() as asker:
      status = asker.Status()
    self.assertEqual([(i.address, i.diverges) for i in status.candidates],
                     [("127.0.16.1", False), ("127.0.16.2", True),
                      ("127.0.16.3", True)])
    for (row, other) in zip(status.candidates[1:], (3, 2)):
      self.assertEqual(row.problem, "its configuration is 1 change behind; its"
                       " configuration is another than that of 127.0.16.%d,"
                       " with the same serial number" % other)

  def testHealthyClusterChanges(self):
    """While changes are being distributed, nothing diverges.

    Whatever is asked between two of the copies.

    """
    config = _Config(100)
    self._Start(config, config, config)
    ended = threading.Event()
    seen = set()

    def _Distribute():
      chance = random.Random(1)
      for serial in itertools.count(101):
        # Until the client has seen two configurations, on a slow machine
        if ended.is_set() or serial > 100 + _CHANGES and len(seen) > 1:
          break
        changed = copy.deepcopy(config)
        changed.update(serial_no=serial, mtime=float(serial))
        for daemon in self.daemons:
          daemon.WriteConfig(changed)
          ended.wait(chance.random() / 5)

    def _Run():
      try:
        _Distribute()
      finally:
        ended.set()

    thread = threading.Thread(target=_Run)
    thread.start()
    self.addCleanup(thread.join)
    self.addCleanup(ended.set)
    with self._Client() as asker:
      while not ended.is_set():
        status = asker.Status()
        seen.add(status.serial)
        for row in status.candidates:
          self.assertFalse(row.diverges, status)
          self.assertFalse(row.stale, status)

  def testReader(self):
    """A key that is not for STATS tells nothing of it, and is no alarm.

    """
    self._Start(_Config(700), _Config(700, tags=["a"]))
    path = os.path.join(self.daemons[0].root, "reader.key")
    clientcommand.Run("make-key", "--hmac-file", self.daemons[0].key_file,
                      "--may=mc-ips,ping", "--until=never", "x", path,
                      check=True)
    (code, output) = self._Run("status", "--hmac-file", path, "--json")
    self.assertEqual([row["diverges"] for row in json.loads(output)["answer"]
                      if row["answers"]], [False, False], output)
    self.assertEqual(code, 1)


class TestStale(_TestCase):
  def _Stale(self):
    return [daemon.Answer(65)[1]["config"]["stale"] for daemon in self.daemons]

  def testCannotLoad(self):
    """One candidate cannot load the newest configuration, and says so.

    """
    config = _Config(20)
    self._Start(config, config)
    self.assertEqual(self._Stale(), [False, False])
    good = testutils.ReadFile(self.daemons[0].config_file)
    testutils.WriteFile(self.daemons[0].config_file, good[:-100])
    testutils.WaitFor(lambda: self._Stale() == [True, False],
                      "the daemon tells that it cannot load the file")
    problem = "it could not load the newest configuration: its log says why"
    (code, output) = self._Run("status", "--nagios", "-w", "silent=1")
    self.assertEqual(code, 2, output)
    self.assertIn("127.0.16.1: " + problem, output)
    with self._Client() as asker:
      rows = asker.Status().candidates
    self.assertEqual([(i.address, i.stale, i.problem) for i in rows[:2]],
                     [("127.0.16.1", True, problem),
                      ("127.0.16.2", False, None)])
    self._Check(["configuration-stale"])
    # A generation that is started only now says so, too
    self.daemons[1].WriteConfig(_Config(21))
    testutils.WaitFor(lambda: self.daemons[1].Ask(0)["serial"] == 21, "21")
    with self._Client() as asker:
      rows = asker.Status().candidates
    self.assertEqual(rows[1].problem, "its configuration is 1 change behind; " +
                     problem)
    self.daemons[0].WriteConfig(_Config(21))
    testutils.WaitFor(lambda: self._Stale() == [False, False],
                      "the daemon tells that it has loaded the file")
    self._Check([])

  def _Check(self, expected):
    """Looks for the check's findings, asking the first daemon alone.

    """
    (_, output) = self._Run("check", "--json")
    self.assertEqual([i["check"] for i in json.loads(output)["answer"]
                      ["findings"]], expected)


if __name__ == "__main__":
  unittest.main()

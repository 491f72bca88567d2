#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of the daemon with files that do not fit into memory.

"""

import contextlib
import os
import time
import unittest

import adversity
import processes
import testutils
from testutils import PING, STATS


_KEY_2 = b"another-key-of-this-cluster-012345\n"


def _Config(serial):
  return testutils.MakeConfig(serial_no=serial)


def _MakeHuge(path):
  """Puts a file of 4 GiB, which takes no room on the disk, in another's place.

  """
  other = path + ".new"
  with open(other, "wb") as stream:
    stream.truncate(4 << 30)
  os.rename(other, path)


class MemoryTest(unittest.TestCase):
  """Whatever size a file has, what serves lives on.

  """
  def setUp(self):
    self.group = adversity.MemoryGroup()
    self.addCleanup(self.group.Remove)
    stack = contextlib.ExitStack()
    self.addCleanup(stack.close)
    # The files are looked at again so late that the test has changed them
    env = stack.enter_context(adversity.Patched("""\
      from ganeti.confd.daemon import loader
      loader._RacySeconds = lambda *_: 3.0
      """))
    self.daemon = testutils.Daemon(_Config(1), args=["--workers=2"], env=env)
    self.addCleanup(self.daemon.Kill)
    self.daemon.Start()
    self.found = processes.Find(self.daemon, 2)
    self.group.Add(testutils.ProcessTree(self.daemon.proc.pid))
    # Memory that was taken before the processes were added does not count
    self.group.Limit(64 * adversity.MEGABYTE)

  def _WaitForLog(self, text):
    testutils.WaitFor(lambda: text in self.daemon.Log(), "%r in the log" % text)

  def _CheckServes(self, serial):
    self.assertEqual(self.daemon.Ask(PING)["serial"], serial)
    self.assertEqual(self.daemon.Answer(STATS)[1]["restarts"],
                     {"workers": 0, "generations": 0})
    self.assertNotIn("died", self.daemon.Log())

  def testKey(self):
    _MakeHuge(self.daemon.key_file)
    self._WaitForLog("%s has 4294967296 bytes, and may have 1048576 at most" %
                     self.daemon.key_file)
    self._CheckServes(1)
    self.assertEqual(processes.Find(self.daemon, spare=False).loader,
                     self.found.loader)
    self.assertEqual(self.group.Kills(), 0)
    # A good one is used at once
    testutils.WriteFile(self.daemon.key_file, _KEY_2)
    self._WaitForLog("served with the new key")
    self.daemon.key = _KEY_2
    with self.daemon.Asker() as asker:
      self.assertEqual(asker.Ask(PING)["serial"], 1)

  def testConfigurationAfterGoodOne(self):
    self.daemon.WriteConfig(_Config(2))
    self.daemon.WaitForSerial(2)
    loader = processes.Find(self.daemon).loader
    _MakeHuge(self.daemon.config_file)
    self._WaitForLog("(killed by signal 9)")
    # Time for the serving loader to look at the file again
    time.sleep(4)
    self._CheckServes(2)
    self.assertEqual(processes.Find(self.daemon, spare=False).loader, loader)
    self.daemon.WriteConfig(_Config(3))
    self.daemon.WaitForSerial(3)
    self._CheckServes(3)


class CheckTest(unittest.TestCase):
  """The process that looks at the files again, and does not get to an end.

  """
  @contextlib.contextmanager
  def _Daemon(self):
    """Runs a daemon that reads a configuration for ever when it does so.

    @return: it, and the process that reads

    """
    with adversity.Patched(adversity.PATIENT, """\
           import time
           from ganeti.confd import filestate
           from ganeti.confd.daemon import loader
           loader._RacySeconds = lambda *_: 0.1
           filestate.DigestFile = lambda *_: time.sleep(600)
           """) as env, \
         testutils.Daemon(_Config(1), args=["--workers=1"], env=env) as daemon:
      def _Find():
        found = processes.Look(daemon.proc.pid)
        return found and [pid for pid in processes.Children(found.loader)
                          if processes.IsCheck(pid)]

      (pid, ) = testutils.WaitFor(_Find, "a process looks at the files")
      yield (daemon, pid)

  def _Reloads(self, daemon):
    return daemon.Answer(STATS)[1]["reloads"]["good"]

  def testItsDeath(self):
    with self._Daemon() as (daemon, pid):
      loader = processes.Find(daemon).loader
      before = self._Reloads(daemon)
      os.kill(pid, 9)
      # A file that could not be looked at counts as changed
      testutils.WaitFor(lambda: self._Reloads(daemon) > before, "a reload")
      self.assertNotEqual(processes.Find(daemon).loader, loader)
      self.assertEqual(daemon.Answer(STATS)[1]["restarts"],
                       {"workers": 0, "generations": 0})

  def testItHoldsNobodyUp(self):
    with self._Daemon() as (daemon, pid):
      # All else of the generation works
      self.assertEqual(daemon.Answer(STATS)[1]["config"]["serial"], 1)
      daemon.WriteConfig(_Config(2))
      daemon.WaitForSerial(2)
      processes.WaitForEnd([pid])
      self.assertNotIn("did not finish", daemon.Log())


if __name__ == "__main__":
  unittest.main()

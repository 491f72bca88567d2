#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The hook of "gnt-cluster verify", asking the real daemon.

"This node" is 127.0.0.1, the other candidates are what a test makes of other
such addresses. On a real cluster it is tested in test/acceptance.

"""

import contextlib
import io
import os
import re
import signal
import threading
import unittest
from concurrent import futures
from unittest import mock

import packaged
import processes
import testutils

from ganeti import constants
from ganeti import errors
from ganeti.confd import localnode
from ganeti.confd.command import verifyhook


OWN = "127.0.0.1"
OTHER = "127.0.0.2"

CONFIG = testutils.MakeConfig()
SERIAL = CONFIG["serial_no"]


#: How often verify runs while the configuration changes
_MANY = 12


def _ManyTimes(function):
  """Calls a function several times, some of them at once.

  @return: list of what it returned

  """
  with futures.ThreadPoolExecutor(4) as pool:
    return [future.result()
            for future in [pool.submit(function) for _ in range(_MANY)]]


@contextlib.contextmanager
def _Changing(daemons, rate):
  """Changes configurations all the time, as often a second as is said.

  """
  done = threading.Event()

  def _Change():
    serial = SERIAL
    while not done.wait(1 / rate):
      serial += 1
      for daemon in daemons:
        daemon.WriteConfig(dict(CONFIG, serial_no=serial))

  thread = threading.Thread(target=_Change)
  thread.start()
  try:
    yield
  finally:
    done.set()
    thread.join()


class _Test(unittest.TestCase):
  def setUp(self):
    self.candidates = [OWN]
    self.daemon = testutils.Daemon(CONFIG, args=["--workers=2"])
    self.addCleanup(self._Stop)
    ssconf = {
      constants.SS_NODE_PRIMARY_IPS: ["one.example.com 127.0.0.1",
                                      "two.example.com 127.0.0.2"],
      constants.SS_MASTER_NODE: ["two.example.com"],
      }

    def _ReadSsconf(name):
      if name == constants.SS_MASTER_CANDIDATES_IPS:
        return self.candidates
      return ssconf[name]

    for (name, function) in [
      ("ReadSsconf", _ReadSsconf),
      ("ConfigFile", lambda: self.daemon.config_file),
      ("HmacKeyFile", lambda: self.daemon.key_file),
      ]:
      patch = mock.patch.object(localnode, name, function)
      patch.start()
      self.addCleanup(patch.stop)
    patch = mock.patch.object(verifyhook, "_IsOwnAddress", lambda ip: ip == OWN)
    patch.start()
    self.addCleanup(patch.stop)

  def _Stop(self):
    if self.daemon.proc is not None and self.daemon.proc.poll() is None:
      self.daemon.Stop()
    else:
      self.daemon.Kill()

  def _Check(self, master=None):
    return verifyhook.Check(master, port=self.daemon.port)

  def _Other(self, answer, **kwargs):
    """Adds another candidate.

    """
    confd = packaged.Confd(answer, address=OTHER, port=self.daemon.port,
                           **kwargs)
    self.addCleanup(confd.Stop)
    self.candidates.append(OTHER)
    return confd


class TestOwn(_Test):
  """A candidate that is not the master looks at itself only.

  """
  def testWell(self):
    self.daemon.Start()
    with testutils.Within(10 * 0.3):
      self.assertEqual(self._Check(), [])

  def testWellAfterChange(self):
    """A change a moment ago is no fault.

    """
    self.daemon.Start()
    for serial in range(SERIAL + 1, SERIAL + 4):
      self.daemon.WriteConfig(dict(CONFIG, serial_no=serial))
      self.assertEqual(self._Check(), [])

  def testWellWhileChanging(self):
    """Changes all the time are no fault, be they ten or thirty a second.

    """
    self.daemon.Start()
    for rate in (10, 30):
      with _Changing([self.daemon], rate):
        self.assertEqual(_ManyTimes(self._Check), [[]] * _MANY)

  def testStopped(self):
    self.daemon.port = testutils.FreePort()
    self.assertEqual(self._Check(), [
      "one.example.com: ganeti-confd does not answer at 127.0.0.1: nothing"
      " listens there"])

  def testOtherKey(self):
    self.daemon.Start()
    self.daemon.key_file = os.path.join(self.daemon.datadir, "other.key")
    testutils.WriteFile(self.daemon.key_file, b"0123456789abcdef0123456789\n")
    (fault, ) = self._Check()
    self.assertEqual(fault, "one.example.com: ganeti-confd does not answer at"
                     " 127.0.0.1: it has another key than %s, or no"
                     " configuration" % self.daemon.key_file)

  def testNoKey(self):
    self.daemon.Start()
    self.daemon.key_file += ".missing"
    (fault, ) = self._Check()
    self.assertIn("one.example.com: Cannot read the HMAC key", fault)

  def testStale(self):
    """The daemon has not loaded the file that is there.

    """
    self.daemon.Start()
    self.daemon.WriteConfig(b"broken")
    (fault, ) = self._Check()
    self.assertTrue(re.match(
      r"one.example.com: ganeti-confd answers from another configuration than"
      r" \S+/config.data: from one with serial %d, last changed 20\d\d-[-0-9]+"
      r" [0-9:]+; see its log\Z" % SERIAL, fault), fault)

  def testStaleWithSameTimes(self):
    """The file looks as before, but something else is in it.

    """
    self.daemon.Start()
    # A daemon that does not notice changes of the file
    self.daemon.proc.send_signal(signal.SIGSTOP)
    self.addCleanup(self.daemon.proc.send_signal, signal.SIGCONT)
    self.assertEqual(self._Check(), [])
    path = self.daemon.config_file
    before = os.stat(path)
    text = testutils.ReadFile(path)
    with open(path, "r+b") as config:
      config.write(text.replace(b"node1.example.com", b"node2.example.com"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = os.stat(path)
    self.assertEqual((before.st_ino, before.st_mtime_ns, before.st_size),
                     (after.st_ino, after.st_mtime_ns, after.st_size))
    (fault, ) = self._Check()
    self.assertIn("ganeti-confd answers from another configuration", fault)

  def testStaleWhileChanging(self):
    """The daemon has stopped to follow a file that changes all the time.

    """
    self.daemon.Start()
    self.daemon.proc.send_signal(signal.SIGSTOP)
    self.addCleanup(self.daemon.proc.send_signal, signal.SIGCONT)
    self.daemon.WriteConfig(dict(CONFIG, serial_no=SERIAL - 1))
    with _Changing([self.daemon], 30):
      (fault, ) = self._Check()
    self.assertIn("ganeti-confd answers from another configuration", fault)

  def testSilentOnce(self):
    """A daemon that answers when asked once more is not silent.

    """
    self.daemon.Start()
    silent = []
    real = verifyhook.Checker._AskOnce

    def _Ask(checker, addresses, *args):
      if not silent:
        silent.append(True)
        return ({}, {address: None for address in addresses})
      return real(checker, addresses, *args)

    with mock.patch.object(verifyhook.Checker, "_AskOnce", _Ask):
      self.assertEqual(self._Check(), [])

  def testOlderDaemon(self):
    """One that was not restarted after an upgrade; its STATS tell less.

    """
    def _Answer(rtype, _):
      if rtype == constants.CONFD_REQ_PING:
        return (0, 3000000, SERIAL)
      return (0, {"version": "0.0.9", "config": {"serial": SERIAL,
                                                 "load_time": 0.1}}, SERIAL)

    with packaged.Confd(_Answer) as confd:
      self.daemon.port = confd.port
      self.assertEqual(self._Check(), [
        "one.example.com: ganeti-confd is of an older version than what is"
        " installed (it says 0.0.9); restart it"])

  def testNoStatistics(self):
    """Not taken for another key.

    """
    self.daemon.Start()
    loader = processes.Find(self.daemon, 2).loader
    with processes.Paused(loader), \
         mock.patch.object(verifyhook, "_TIMEOUT", 2.0):
      self.assertEqual(self._Check(), [
        "one.example.com: ganeti-confd does not answer at 127.0.0.1: it does"
        " answer other questions; see its log"])

  def testNoConfiguration(self):
    self.daemon.Start()
    os.unlink(self.daemon.config_file)
    (fault, ) = self._Check()
    self.assertTrue(fault.startswith("one.example.com: "), fault)
    self.assertIn("a master candidate, but there is no such file", fault)

  def testNoCandidate(self):
    """There is nothing to check, be there a daemon or not.

    """
    self.candidates = [OTHER]
    self.daemon.port = testutils.FreePort()
    self.assertEqual(self._Check(), [])

  def testOthersAreNotAsked(self):
    self.daemon.Start()
    other = self._Other(lambda rtype, query: None)
    self.assertEqual(self._Check(), [])
    self.assertEqual(other.requests, [])

  def testPackaged(self):
    """The packaged daemon is not asked for what it does not know.

    """
    with packaged.Confd(packaged.Answers(lambda: SERIAL)) as confd:
      self.daemon.port = confd.port
      self.assertEqual(self._Check(), [])
      self.assertEqual(confd.requests, [(constants.CONFD_REQ_PING, None)])

  def testPackagedWithoutConfiguration(self):
    with packaged.Confd(lambda rtype, query: (1, "no config", 0)) as confd:
      self.daemon.port = confd.port
      self.assertEqual(self._Check(), ["one.example.com: ganeti-confd answers"
                                       " with an error: no config"])


class TestOthers(_Test):
  """The master looks at the other candidates too.

  """
  def setUp(self):
    _Test.setUp(self)
    self.daemon.Start()

  def _CheckMaster(self):
    return self._Check("one.example.com")

  def testWell(self):
    self._Other(packaged.Answers(lambda: SERIAL))
    with testutils.Within(10 * 0.3):
      self.assertEqual(self._CheckMaster(), [])

  def testMasterIsWhoTheNodeThinks(self):
    """Without Ganeti's variables, as when it is run by hand.

    """
    self._Other(packaged.Answers(lambda: 1))
    self.assertEqual(self._Check(), [])
    with mock.patch.object(verifyhook, "_IsOwnAddress", lambda ip: ip == OTHER):
      self.assertIn("one.example.com: ganeti-confd answers from a configuration"
                    " that is newer than the master's: serial %d, not 1" %
                    SERIAL, self._Check())

  def testLate(self):
    """A daemon that is late only for a while is well.

    """
    serials = [SERIAL - 1, SERIAL - 1]
    self._Other(packaged.Answers(lambda: serials.pop() if serials else SERIAL))
    self.assertEqual(self._CheckMaster(), [])

  def testMasterLate(self):
    """The other way round.

    """
    config = dict(CONFIG, serial_no=SERIAL + 1)
    self._Other(packaged.Answers(
      lambda: self.daemon.WriteConfig(config) or SERIAL + 1))
    self.assertEqual(self._CheckMaster(), [])

  def testStale(self):
    self._Other(packaged.Answers(lambda: SERIAL - 1))
    self.assertEqual(self._CheckMaster(), [
      "two.example.com: ganeti-confd answers from a configuration that is older"
      " than the master's: serial %d, not %d" % (SERIAL - 1, SERIAL)])

  def testNewer(self):
    self._Other(packaged.Answers(lambda: SERIAL + 1))
    self.assertEqual(self._CheckMaster(), [
      "two.example.com: ganeti-confd answers from a configuration that is newer"
      " than the master's: serial %d, not %d" % (SERIAL + 1, SERIAL)])

  def testWellWhileChanging(self):
    """Serials differ at each look.

    """
    other = testutils.Daemon(CONFIG, address=OTHER, port=self.daemon.port,
                             args=["--workers=2"])
    self.candidates.append(OTHER)
    with other:
      with _Changing([self.daemon, other], 30):
        self.assertEqual(_ManyTimes(self._CheckMaster), [[]] * _MANY)

  def testStopped(self):
    self.candidates.append(OTHER)
    self.assertEqual(self._CheckMaster(), [
      "two.example.com: ganeti-confd does not answer the master at 127.0.0.2:"
      " nothing listens there"])

  def testSilent(self):
    """Another key looks no different from a firewall.

    """
    self._Other(packaged.Answers(lambda: SERIAL), key=b"0123456789abcdef\n")
    self.assertEqual(self._CheckMaster(), [
      "two.example.com: ganeti-confd does not answer the master at 127.0.0.2:"
      " it has another key or no configuration, or a firewall is between them"])

  def testOwnFaultIsToldOnce(self):
    """And what the others do is told nevertheless.

    """
    self._Other(lambda rtype, query: (1, "no config", 0))
    self.daemon.proc.terminate()
    testutils.WaitForExit(self.daemon.proc, "the daemon")
    faults = self._CheckMaster()
    self.assertEqual(len(faults), 2, faults)
    self.assertIn("one.example.com: ganeti-confd does not answer", faults[0])
    self.assertEqual(faults[1], "two.example.com: ganeti-confd answers with an"
                     " error: no config")


class TestMain(unittest.TestCase):
  """The output as Ganeti shows it.

  """
  def _Run(self, check):
    output = io.StringIO()
    with mock.patch.object(verifyhook, "Check", check):
      with contextlib.redirect_stdout(output):
        code = verifyhook.Main()
    return (code, output.getvalue())

  def testWell(self):
    self.assertEqual(self._Run(lambda _: []), (0, ""))

  def testFaults(self):
    """A line for each, and only ASCII.

    """
    self.assertEqual(self._Run(lambda _: ["a: \xe4\nb", "c"]),
                     (1, "a: \\xe4 b\nc\n"))

  def testError(self):
    def _Check(_):
      raise errors.ConfigurationError("no good")
    (code, output) = self._Run(_Check)
    self.assertEqual(code, 1)
    self.assertTrue(output.endswith(": no good\n"), output)

  def testMasterFromEnvironment(self):
    with mock.patch.dict(os.environ, {"GANETI_MASTER": "node7"}):
      self.assertEqual(self._Run(lambda master: [master]), (1, "node7\n"))


class TestOwnAddress(unittest.TestCase):
  def testLoopback(self):
    self.assertTrue(verifyhook._IsOwnAddress("127.0.0.1"))
    if testutils.HasIpv6():
      self.assertTrue(verifyhook._IsOwnAddress("::1"))

  def testOthers(self):
    # From documentation's range; with or without a way to get there
    for address in ("192.0.2.1", "2001:db8::1", "name.example.com", ""):
      self.assertFalse(verifyhook._IsOwnAddress(address), address)


if __name__ == "__main__":
  unittest.main()

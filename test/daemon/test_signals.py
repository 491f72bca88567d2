#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of signals, logs and counters, with the real daemon.

"""

import contextlib
import ctypes
import os
import select
import shutil
import signal
import socket
import tempfile
import time
import unittest

import adversity
import processes
import testutils
from testutils import PING, NODE_ROLE, MASTER, NODE_IPS, STATS

from ganeti.confd import filestate


#: Seconds that stopping takes at most
STOP_GOAL = 1.0


def _Config(serial=1, **kwargs):
  return testutils.MakeConfig(serial_no=serial, **kwargs)


class _PatientTest(unittest.TestCase):
  """The base class of tests whose daemons finish their generations in any case.

  @ivar env: the environment for the daemons

  """
  def setUp(self):
    # On a busy machine, a process may not get a processor in time to finish
    patched = adversity.Patched(adversity.PATIENT)
    self.env = patched.__enter__() # pylint: disable=C2801
    self.addCleanup(patched.__exit__, None, None, None)


class StopTest(_PatientTest):
  def _Stop(self, daemon, signum):
    tree = testutils.ProcessTree(daemon.proc.pid)
    with testutils.Within(10 * STOP_GOAL):
      daemon.proc.send_signal(signum)
      self.assertEqual(testutils.WaitForExit(daemon.proc, "the daemon"), 0)
    # In order: none is left when the first process ends
    self.assertEqual([pid for pid in tree if processes.IsAlive(pid)], [])
    self.assertFalse(os.path.exists(daemon.pid_file))
    self.assertTrue(daemon.Log().endswith(" INFO Stopped\n"))
    for word in ("Traceback", "ERROR", "WARNING"):
      self.assertNotIn(word, daemon.Log() + daemon.Output())

  def testSignals(self):
    for signum in (signal.SIGTERM, signal.SIGINT):
      for config in (_Config(), None):
        with self.subTest(signum=signum, config=config is not None):
          daemon = testutils.Daemon(config, args=["--workers=2"],
                                    env=self.env)
          self.addCleanup(daemon.Kill)
          daemon.Start()
          if config:
            processes.Find(daemon, 2)
          self._Stop(daemon, signum)

  def testAmidTheStart(self):
    for _ in range(10):
      daemon = testutils.Daemon(_Config())
      self.addCleanup(daemon.Kill)
      daemon.Start(wait=False)
      # At once when somebody can find it by its pid file
      testutils.WaitFor(lambda: os.path.exists(daemon.pid_file) and
                        os.stat(daemon.pid_file).st_size, "a pid file")
      self._Stop(daemon, signal.SIGTERM)

  def testAmidALoad(self):
    with adversity.HeldLoads() as held:
      daemon = testutils.Daemon(_Config(), args=["--workers=1"], env=held.env)
      self.addCleanup(daemon.Kill)
      daemon.Start()
      processes.Find(daemon, 1)
      held.Hold()
      daemon.WriteConfig(_Config(2))
      held.WaitForLoader()
      self._Stop(daemon, signal.SIGTERM)

  def testAtAnyMomentOfAReload(self):
    for milliseconds in range(0, 20, 2):
      with self.subTest(milliseconds=milliseconds):
        daemon = testutils.Daemon(_Config(), args=["--workers=2"],
                                  env=self.env)
        self.addCleanup(daemon.Kill)
        daemon.Start()
        daemon.WriteConfig(_Config(2))
        daemon.proc.send_signal(signal.SIGHUP)
        time.sleep(milliseconds / 1000)
        self._Stop(daemon, signal.SIGTERM)

  def testWholeGroup(self):
    # As from a terminal, or from whoever stops all processes of a service
    for signum in (signal.SIGINT, signal.SIGTERM):
      with self.subTest(signum=signum):
        daemon = testutils.Daemon(_Config(), args=["--workers=2"])
        self.addCleanup(daemon.Kill)
        daemon.Start()
        processes.Find(daemon, 2)
        tree = testutils.ProcessTree(daemon.proc.pid)
        for pid in tree:
          # The first one ends the others
          with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)
        self.assertEqual(testutils.WaitForExit(daemon.proc, "the daemon"), 0)
        processes.WaitForEnd(tree)
        self.assertFalse(os.path.exists(daemon.pid_file))
        self.assertNotIn("Traceback", daemon.Log() + daemon.Output())

  def testManySignals(self):
    with testutils.Daemon(_Config(), args=["--workers=1"],
                          env=self.env) as daemon:
      for _ in range(300):
        for signum in (signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD):
          daemon.proc.send_signal(signum)
      daemon.Ask(PING)
      daemon.WriteConfig(_Config(2))
      daemon.WaitForSerial(2)


class SleepTest(unittest.TestCase):
  """A signal that comes just before a process sleeps acts at once.

  Python calls its signal handlers only between two instructions. If the kernel
  delivers a signal just before a system call that waits, the call is not
  interrupted, and the handler is called after the wait. Here, a second thread
  of the process gets the signal, which has the same effect.

  """
  #: A second thread for each process; no wait of a process ends by itself
  CODE = """\
    import os
    import signal
    import threading
    from ganeti.confd.daemon import inotify, loader, worker

    inotify._SAFETY_INTERVAL = worker._IDLE = 86400.0
    # No check of the files soon after a load
    loader._FINE_GRAIN = loader._COARSE_GRAIN = 0.0

    def _RunThread():
      # While a process forks, it blocks signals
      signal.pthread_sigmask(signal.SIG_SETMASK, [])
      threading.Event().wait()

    def _StartThread():
      threading.Thread(target=_RunThread, daemon=True).start()

    os.register_at_fork(after_in_child=_StartThread)
    _StartThread()
    """

  #: Code for a worker that does not end when it is idle
  PERMANENT = """\
    from ganeti.confd.daemon import loader
    loader._LONG_LOAD = 0.0
    """

  @contextlib.contextmanager
  def _Daemon(self, *codes):
    with adversity.Patched(self.CODE, *codes) as env:
      daemon = testutils.Daemon(_Config(), args=["--workers=1"], env=env)
      self.addCleanup(daemon.Kill)
      daemon.Start()
      yield daemon
      daemon.Kill()

  def _Deliver(self, pid, signum):
    """Sends a signal to the second thread of a process, when that sleeps.

    """
    testutils.WaitFor(lambda: processes.Status(pid, "State")[0] == "S",
                      "process %d sleeps" % pid)
    (other, ) = [int(name) for name in os.listdir("/proc/%d/task" % pid)
                 if int(name) != pid]
    self.assertEqual(ctypes.CDLL(None).tgkill(pid, other, signum), 0)

  def testSupervisor(self):
    with self._Daemon() as daemon:
      for (signum, text) in [(signal.SIGUSR1, "Counter reloads good: 1\n"),
                             (signal.SIGHUP, "Reopened the log")]:
        with self.subTest(signum=signum):
          self._Deliver(daemon.proc.pid, signum)
          testutils.WaitFor(lambda text=text: text in daemon.Log(), text)

  def testSupervisorStops(self):
    for signum in (signal.SIGTERM, signal.SIGINT):
      with self.subTest(signum=signum), self._Daemon() as daemon:
        self._Deliver(daemon.proc.pid, signum)
        self.assertEqual(testutils.WaitForExit(daemon.proc, "the daemon"), 0)

  def testLoader(self):
    for (name, workers) in [("alone", None), ("with a worker", 1)]:
      with self.subTest(name), self._Daemon() as daemon:
        loader = processes.Find(daemon, workers).loader
        self._Deliver(loader, signal.SIGTERM)
        processes.WaitForEnd([loader])

  def testWorker(self):
    for (name, workers, codes) in [("ends when idle", 1, []),
                                   ("permanent", None, [self.PERMANENT])]:
      with self.subTest(name), self._Daemon(*codes) as daemon:
        (worker, ) = processes.Find(daemon, workers).workers
        daemon.WaitForEmptyQueue()
        self._Deliver(worker, signal.SIGTERM)
        processes.WaitForEnd([worker])

  def testLoaderThatAwaitsWorkers(self):
    """SIGTERM is not lost while a loader waits for its workers to finish.

    """
    with self._Daemon(adversity.PATIENT) as daemon:
      found = processes.Find(daemon, 1)
      (worker, ) = found.workers
      # No other generation takes over, as this configuration cannot be loaded
      daemon.WriteConfig(b"{")
      testutils.WaitFor(lambda: "Cannot load" in daemon.Log(), "an error")
      with processes.Paused(worker):
        # With a new key, the loader replaces its workers
        daemon.key = b"another key of the cluster"
        testutils.WriteFile(daemon.key_file, daemon.key)
        testutils.WaitFor(
          lambda: int(processes.Status(worker, "ShdPnd"), 16) >>
          (signal.SIGTERM - 1) & 1, "the worker is told to finish")
        self._Deliver(found.loader, signal.SIGTERM)
        testutils.WaitFor(lambda: processes.Status(found.loader,
                                                   "State")[0] == "S",
                          "the loader waits again")
      processes.WaitForEnd([found.loader])

  def testLoaderThatIsOrderedToServe(self):
    """SIGTERM is not lost if it comes together with the order to serve.

    """
    with self._Daemon(adversity.PATIENT) as daemon:
      supervisor = daemon.proc.pid
      old = processes.Find(daemon).loader
      with contextlib.ExitStack() as stack:
        with processes.Paused(old):
          daemon.WriteConfig(_Config(2))
          testutils.WaitFor(lambda: "serial number 2," in daemon.Log(),
                            "another loader is ready")
          (new, ) = [pid for pid in processes.Loading(supervisor) if pid != old]
          stack.enter_context(processes.Paused(new))
        processes.WaitForEnd([old])
        # When the supervisor handles this signal, it has handled the end of the
        # old generation, and so ordered the new one to serve
        os.kill(supervisor, signal.SIGUSR1)
        testutils.WaitFor(lambda: "Counter log lost:" in daemon.Log(),
                          "the supervisor has handled the old loader's end")
        os.kill(new, signal.SIGTERM)
      processes.WaitForEnd([new])


class LogTest(_PatientTest):
  def testHangupReopensAndReloads(self):
    with testutils.Daemon(_Config(), args=["--workers=1"],
                          env=self.env) as daemon:
      old = processes.Find(daemon, 1)
      reloads = daemon.Answer(STATS)[1]["reloads"]["good"]
      os.rename(daemon.log_file, daemon.log_file + ".1")
      daemon.proc.send_signal(signal.SIGHUP)
      testutils.WaitFor(lambda: "Loaded" in daemon.Log(), "a new log")
      # Nothing has changed, but the processes are new
      testutils.WaitFor(
        lambda: daemon.Answer(STATS)[1]["reloads"]["good"] == reloads + 1,
        "a reload")
      self.assertNotEqual(processes.Find(daemon, 1).loader, old.loader)
      # Everybody writes to the new one
      (worker, ) = processes.Find(daemon, 1).workers
      os.kill(worker, signal.SIGKILL)
      testutils.WaitFor(lambda: "Worker %d died" % worker in daemon.Log(),
                        "the worker's death in the new log")

  def testHangupWithoutConfiguration(self):
    with testutils.Daemon(env=self.env) as daemon:
      testutils.WaitFor(lambda: "silent until" in daemon.Log(), "the start")
      os.rename(daemon.log_file, daemon.log_file + ".1")
      daemon.proc.send_signal(signal.SIGHUP)
      testutils.WaitFor(lambda: "Reopened the log" in daemon.Log(), "a new log")
      daemon.WriteConfig(_Config(2))
      daemon.WaitForSerial(2)

  def testUsr1LogsCounters(self):
    with testutils.Daemon(_Config(), env=self.env) as daemon:
      # The wait for the daemon's start was a ping or more
      pings = daemon.Answer(STATS)[1]["queries"]["ping"]
      for _ in range(7):
        daemon.Ask(PING)
      daemon.proc.send_signal(signal.SIGUSR1)
      testutils.WaitFor(lambda: "Counter queries ping: " in daemon.Log() and
                        "Counter restarts generations: " in daemon.Log(),
                        "the counters in the log")
      self.assertIn("Counter queries ping: %d\n" % (pings + 7), daemon.Log())
      self.assertIn("Counter reloads good: 1\n", daemon.Log())

  def testForm(self):
    with testutils.Daemon(_Config(), env=self.env) as daemon:
      for line in daemon.Log().splitlines():
        self.assertRegex(line, r"\A\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}: "
                         r"ganeti-confd pid=\d+ [A-Z]+ \S")
      # In the foreground, the same on the terminal; a line comes to both by and
      # by
      testutils.WaitFor(lambda: daemon.Output() == daemon.Log(),
                        "the same on the terminal")


class SyslogTest(unittest.TestCase):
  """A socket in the place of /dev/log.

  """
  def setUp(self):
    directory = tempfile.mkdtemp(prefix="ganeti-confd-test.")
    self.addCleanup(shutil.rmtree, directory)
    path = os.path.join(directory, "log")
    self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    self.addCleanup(self.sock.close)
    self.sock.bind(path)
    self.sock.settimeout(testutils.PATIENCE)
    testutils.WriteFile(os.path.join(directory, "sitecustomize.py"), (
      "from ganeti.confd.daemon import log\n"
      "log._SYSLOG_SOCKET = %r\n" % path).encode("ascii"))
    self.env = {"PYTHONPATH": os.pathsep.join([directory, testutils.MODULEDIR])}

  def testForms(self):
    for (args, told, has_file) in [([], False, True),
                                   (["--syslog=no"], False, True),
                                   (["--syslog"], True, True),
                                   (["--syslog=yes"], True, True),
                                   (["--syslog=only"], True, False)]:
      with self.subTest(args=args):
        with testutils.Daemon(_Config(), args=args, env=self.env) as daemon:
          if told:
            # Facility "daemon", level "info"
            self.assertRegex(self.sock.recv(4096).decode("ascii"),
                             r"\A<30>ganeti-confd\[%d\]: INFO ganeti-confd .*"
                             r" listens on 127\.0\.0\.1, UDP port %d\0?\Z" %
                             (daemon.proc.pid, daemon.port))
            self.assertIn(b": INFO Loaded ", self.sock.recv(4096))
          self.assertEqual(os.path.exists(daemon.log_file), has_file)
        if told:
          self.assertIn(b": INFO Stopped", self.sock.recv(4096))
        self.assertFalse(select.select([self.sock], [], [], 0)[0])


class CountersTest(_PatientTest):
  """Requests are counted exactly, whichever process counts them.

  """
  def _Ask(self, asker, daemon):
    """Asks some of each kind, and forges some of each kind.

    @return: what has to be counted for it

    """
    counted = {"queries ping": 40, "queries node-role": 31,
               "queries master": 20, "queries node-ips": 11,
               "queries unknown": 5, "replies ok": 40 + 20 + 11 + 30,
               "replies error": 1, "replies not-implemented": 5,
               "dropped fourcc": 12, "dropped json": 13, "dropped hmac": 14,
               "dropped clock": 15, "dropped rsalt": 16, "dropped size": 3}
    for _ in range(40):
      asker.Ask(PING)
    for _ in range(30):
      asker.Ask(NODE_ROLE, "node1.example.com")
    asker.Ask(NODE_ROLE, "nobody")
    for _ in range(20):
      asker.Ask(MASTER, None)
    for _ in range(11):
      asker.Ask(NODE_IPS)
    for _ in range(5):
      asker.Ask(77)
    good = testutils.PackMessage(daemon.key, testutils.MakeMessage(PING))
    for _ in range(12):
      asker.Send(b"plj1" + good[4:])
    for _ in range(13):
      asker.Send(b"plj0{")
    for _ in range(14):
      asker.Send(testutils.PackMessage(b"x" * 32, testutils.MakeMessage(PING)))
    for _ in range(15):
      asker.Send(testutils.PackMessage(
        daemon.key, testutils.MakeMessage(PING), "%d" % (time.time() - 310)))
    for _ in range(16):
      asker.Send(testutils.PackMessage(daemon.key,
                                       testutils.MakeMessage(PING, rsalt="")))
    for _ in range(3):
      asker.Send(b"plj0" + b" " * 61440)
    return counted

  def _Counters(self, daemon):
    (_, stats) = daemon.Answer(STATS)
    return {"%s %s" % (group, name): value
            for group in ("queries", "replies", "dropped", "restarts")
            for (name, value) in stats[group].items()}

  def _BringUpWorkers(self, asker, daemon):
    """Gives a daemon so much to do that it has workers.

    @return: how many datagrams that are no requests it took; all are counted

    """
    before = self._Counters(daemon)["dropped fourcc"]
    sent = 0
    while not processes.Find(daemon).workers:
      for _ in range(1000):
        asker.Send(b"x")
      sent += 1000
      testutils.WaitFor(
        lambda: self._Counters(daemon)["dropped fourcc"] == before + sent,
        "all is counted")
    return sent

  def testSums(self):
    with testutils.Daemon(_Config(), args=["--workers=3"],
                          env=self.env) as daemon:
      before = self._Counters(daemon)
      expected = {}
      with daemon.Asker() as asker:
        # With other processes each time
        for serial in (2, 3, 4, 5):
          for (name, number) in self._Ask(asker, daemon).items():
            expected[name] = expected.get(name, 0) + number
          # Datagrams that were sent may still wait in the queue
          testutils.WaitFor(
            lambda: (self._Counters(daemon)["dropped size"] -
                     before["dropped size"] == expected["dropped size"]),
            "all is counted")
          daemon.WriteConfig(_Config(serial))
          daemon.WaitForSerial(serial)
        expected["dropped fourcc"] += self._BringUpWorkers(asker, daemon)
        worker = processes.Find(daemon).workers[0]
        os.kill(worker, signal.SIGKILL)
        processes.WaitForEnd([worker])
        # The supervisor counts, and has to hear of it
        testutils.WaitFor(lambda: self._Counters(daemon)["restarts workers"] >
                          before["restarts workers"], "the death is counted")
        processes.Find(daemon)
        for (name, number) in self._Ask(asker, daemon).items():
          expected[name] += number
        expected["restarts workers"] = 1
        testutils.WaitFor(
          lambda: (self._Counters(daemon)["dropped size"] -
                   before["dropped size"] == expected["dropped size"]),
          "all is counted")
        after = self._Counters(daemon)
      difference = {name: after[name] - before[name] for name in after
                    if after[name] != before[name]}
      # How often statistics were asked for and how often it was seen whether
      # the serial has changed is nobody's business
      asked = difference.pop("queries stats")
      waited = difference["queries ping"] - expected["queries ping"]
      self.assertGreaterEqual(waited, 4)
      expected["queries ping"] += waited
      expected["replies ok"] += waited + asked
      self.assertEqual(difference, expected)

  def testFileAndTimes(self):
    started = time.monotonic()
    with testutils.Daemon(_Config(41), args=["--workers=2"],
                          env=self.env) as daemon:
      (status, stats) = daemon.Answer(STATS)
      self.assertEqual(status, 0)
      state = os.stat(daemon.config_file)
      config = stats["config"]
      self.assertEqual((config["serial"], config["inode"], config["size"]),
                       (41, state.st_ino, state.st_size))
      self.assertAlmostEqual(config["mtime"], state.st_mtime, places=3)
      self.assertEqual(config["digest"],
                       filestate.Digest(testutils.ReadFile(daemon.config_file)))
      self.assertGreater(config["load_time"], 0)
      self.assertLess(config["age"], stats["uptime"])
      self.assertLess(stats["uptime"], time.monotonic() - started)
      self.assertEqual(stats["workers"], 2)
      daemon.WriteConfig(_Config(42))
      daemon.WaitForSerial(42)
      (_, later) = daemon.Answer(STATS)
      self.assertEqual(later["config"]["serial"], 42)
      self.assertGreater(later["uptime"], stats["uptime"])
      self.assertEqual(later["reloads"]["good"], stats["reloads"]["good"] + 1)


if __name__ == "__main__":
  unittest.main()

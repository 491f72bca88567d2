#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of reloads, and of processes that die.

Real processes, sockets and signals. Times are goals, and tests assert ten times
as much.

"""

import contextlib
import os
import random
import select
import signal
import socket
import statistics
import tempfile
import threading
import time
import unittest

import adversity
import processes
import testutils
from testutils import PING, QUERY, STATS


#: Reloads under load, and questions that each client has under way
RELOADS = 200
CLIENTS = 6
WINDOW = 3

#: Answers that each client gets between two reloads, at least
_ANSWERS = 2

#: Seconds that a question waits at most for the hand-over
GAP_GOAL = 0.06
#: Seconds until all processes are gone when the supervisor was killed
END_GOAL = 1.0


def _Config(serial, instances=0):
  return testutils.MakeConfig(
    serial_no=serial,
    instances=[testutils.MakeInstance(index, 1, nics=["10.%d.%d.%d" % (
      index >> 16, index >> 8 & 255, index & 255)])
               for index in range(instances)])


def _IsFree(address, port):
  with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    try:
      sock.bind((address, port))
    except OSError:
      return False
  return True


class _Client:
  """A client that always has some questions under way, and sends none twice.

  """
  def __init__(self, daemon):
    self._asker = daemon.Asker()
    self.fileno = self._asker.fileno
    self._sent = {}
    self.answered = 0
    self.serial = 0
    self.went_back = 0
    self.worst = 0.0
    for _ in range(WINDOW):
      self._Send()

  def _Send(self):
    message = testutils.MakeMessage(random.choice([0, 3, 4, 5]))
    self._sent[message["rsalt"]] = time.monotonic()
    self._asker.Send(testutils.PackMessage(self._asker.key, message))

  def Receive(self, again=True):
    """Takes one reply.

    @param again: whether to ask again

    """
    (salt, reply) = testutils.UnpackReply(self._asker.key,
                                          self._asker.Receive())
    self.worst = max(self.worst, time.monotonic() - self._sent.pop(salt))
    self.answered += 1
    if reply["serial"] < self.serial:
      self.went_back += 1
    self.serial = reply["serial"]
    if again:
      self._Send()

  def IsWaiting(self):
    return bool(self._sent)

  def Close(self):
    """Returns how many requests got no reply.

    """
    self._asker.Close()
    return len(self._sent)


def _Turn(clients):
  """Takes what has come in.

  """
  (ready, _, _) = select.select(clients, [], [], testutils.PATIENCE)
  if not ready:
    raise AssertionError("Nobody gets an answer any more")
  for client in ready:
    client.Receive()


def _Finish(clients):
  """Waits for the replies to all that was sent.

  @return: how many requests got none

  """
  while True:
    waiting = [client for client in clients if client.IsWaiting()]
    (ready, _, _) = select.select(waiting, [], [],
                                  testutils.PATIENCE if waiting else 0)
    if not ready:
      return sum(client.Close() for client in clients)
    for client in ready:
      client.Receive(again=False)


class ReloadTest(unittest.TestCase):
  def testNoneLostAndNoSerialGoesBack(self):
    with adversity.Patched(adversity.PATIENT) as env, \
         testutils.Daemon(_Config(1), args=["--workers=3"], env=env) as daemon:
      clients = [_Client(daemon) for _ in range(CLIENTS)]
      for serial in range(2, 2 + RELOADS):
        daemon.WriteConfig(_Config(serial))
        # SIGHUP does not wait for the 250 ms between two reloads
        daemon.proc.send_signal(signal.SIGHUP)
        while min(client.serial for client in clients) < serial:
          _Turn(clients)
        # On a quick machine a reload is over after a few answers
        goals = {client: client.answered + _ANSWERS for client in clients}
        while any(client.answered < goal for (client, goal) in goals.items()):
          _Turn(clients)
      lost = _Finish(clients)
      reloads = daemon.Answer(STATS)[1]["reloads"]
    worst = max(client.worst for client in clients)
    answered = sum(client.answered for client in clients)
    print("%d answers over %d reloads; longest wait %.1f ms" %
          (answered, reloads["good"], 1000 * worst))
    self.assertEqual(lost, 0)
    self.assertEqual([client.went_back for client in clients], [0] * CLIENTS)
    self.assertGreaterEqual(reloads["good"], RELOADS)
    self.assertEqual(reloads["failed"], 0)
    self.assertLess(worst, testutils.Stretched(10 * GAP_GOAL))

  def testFirstChangeIsLoadedAtOnce(self):
    with testutils.Daemon(_Config(1)) as daemon:
      for serial in range(2, 7):
        # A quiet time
        time.sleep(0.3)
        with testutils.Within(10 * 0.1):
          daemon.WriteConfig(_Config(serial))
          daemon.WaitForSerial(serial)

  def testReloadsAreSpacedOut(self):
    with testutils.Daemon(_Config(1)) as daemon:
      before = daemon.Answer(STATS)[1]["reloads"]["good"]
      started = time.monotonic()
      serial = 1

      def _Reloads():
        return daemon.Answer(STATS)[1]["reloads"]["good"] - before

      # A slow machine takes longer for a second reload
      while time.monotonic() - started < 2 or _Reloads() < 2:
        serial += 1
        daemon.WriteConfig(_Config(serial))
        time.sleep(0.005)
      daemon.WaitForSerial(serial)
      reloads = _Reloads()
      self.assertLessEqual(reloads, (time.monotonic() - started) / 0.25 + 1)

  def testOldGenerationGoes(self):
    with testutils.Daemon(_Config(1), args=["--workers=2"]) as daemon:
      old = processes.Find(daemon, 2)
      daemon.WriteConfig(_Config(2))
      daemon.WaitForSerial(2)
      new = processes.Find(daemon, 2)
      self.assertEqual(new.keeper, old.keeper)
      processes.WaitForEnd([old.loader, old.large] + old.workers)
      self.assertFalse(set(new.workers + [new.loader, new.large]) &
                       set(old.workers + [old.loader, old.large]))

  def testStoppedWorkerDoesNotHoldUpTheNext(self):
    with testutils.Daemon(_Config(1), args=["--workers=2"]) as daemon:
      # The paused worker cannot finish, and is killed
      old = processes.Find(daemon, 2)
      with processes.Paused(old.workers[0]):
        daemon.WriteConfig(_Config(2))
        daemon.WaitForSerial(2)
        processes.WaitForEnd(old.workers)

  def testStoppedLoaderDoesNotHoldUpTheNext(self):
    with testutils.Daemon(_Config(1), args=["--workers=2"]) as daemon:
      old = processes.Find(daemon, 2)
      with processes.Paused(old.loader):
        daemon.WriteConfig(_Config(2))
        daemon.WaitForSerial(2)
        processes.WaitForEnd([old.loader] + old.workers)
      # Said once, however long it takes
      self.assertEqual(daemon.Log().count("did not finish"), 1)


class BoundTest(unittest.TestCase):
  """The cost of reloads, however fast files change.

  """
  INSTANCES = 30000
  SECONDS = 6

  def _Storm(self, daemon, change, enough=lambda: True):
    """Changes a file all the time, and measures.

    @param enough: asked when it may end; on a busy machine it takes longer
    @return: tuple of seconds of processor time, and of time that passed

    """
    generations = []
    stop = threading.Event()

    def _Count():
      while not stop.wait(0.02):
        generations.append(len(processes.Children(daemon.proc.pid)) - 1)

    counter = threading.Thread(target=_Count)
    counter.start()
    try:
      cpu = processes.CpuSeconds(daemon.proc.pid)
      started = time.monotonic()
      while time.monotonic() - started < self.SECONDS or not enough():
        self.assertLess(time.monotonic() - started,
                        testutils.Stretched(10 * self.SECONDS))
        for _ in range(10):
          change()
        time.sleep(0.001)
      seconds = time.monotonic() - started
      cpu = processes.CpuSeconds(daemon.proc.pid) - cpu
    finally:
      stop.set()
      counter.join()
    # More than two exist only for a moment, when an old one ends slowly
    self.assertLessEqual(statistics.median(generations), 2)
    return (cpu, seconds)

  def testReloadsTakeAQuarterOfACore(self):
    with testutils.Daemon(_Config(1, self.INSTANCES)) as daemon:
      time.sleep(1)
      load_time = daemon.Answer(STATS)[1]["config"]["load_time"]
      before = daemon.Answer(STATS)[1]["reloads"]["good"]
      # Two files by turns, which is cheap for who changes
      names = [os.path.join(daemon.datadir, name) for name in ("even", "odd")]
      for name in names:
        testutils.WriteFile(name, testutils.ReadFile(daemon.config_file))
      new = os.path.join(daemon.datadir, "new")

      def _Replace():
        names.reverse()
        os.link(names[0], new)
        os.rename(new, daemon.config_file)

      def _Reloads():
        return daemon.Answer(STATS)[1]["reloads"]["good"] - before

      (cpu, seconds) = self._Storm(daemon, _Replace, lambda: _Reloads() > 1)
      reloads = _Reloads()
      print("%d reloads of %.2f s each took %.2f of a core" %
            (reloads, load_time, cpu / seconds))
      self.assertEqual(daemon.Answer(STATS)[1]["reloads"]["failed"], 0)
      # One more may have begun than has been paid for
      self.assertLess(cpu, 0.25 * seconds + 2 * load_time)

  def testOtherFilesCostLittle(self):
    with testutils.Daemon(_Config(1)) as daemon:
      other = os.path.join(daemon.datadir, "other")
      testutils.WriteFile(other, b"")
      (cpu, seconds) = self._Storm(daemon, lambda: os.utime(other))
      print("Changes of another file took %.2f of a core" % (cpu / seconds))
      self.assertLess(cpu, 0.25 * seconds)


class WorkersTest(unittest.TestCase):
  def testLoadIsShared(self):
    workers = 4
    with testutils.Daemon(_Config(1), args=["--workers=4"]) as daemon:
      pids = processes.Find(daemon, workers).workers
      before = [processes.CpuSeconds(pid) for pid in pids]

      def _AllHaveWorked():
        # Copies of one request, which has a short answer
        with daemon.Asker() as asker:
          ping = testutils.PackMessage(daemon.key, testutils.MakeMessage(PING))
          for _ in range(5000):
            asker.Send(ping)
        return all(processes.CpuSeconds(pid) > then
                   for (pid, then) in zip(pids, before))

      testutils.WaitFor(_AllHaveWorked, "each worker has its share")
      self.assertEqual(processes.Find(daemon).workers, pids)

  def testNoneIsNeededForLittle(self):
    with testutils.Daemon(_Config(1), args=["--workers=4"]) as daemon:
      for _ in range(300):
        daemon.Ask(PING)
        # Far from what one could do
        time.sleep(0.002)
      self.assertEqual(processes.Find(daemon).workers, [])

  def testComeAndGo(self):
    """None is lost when the loader takes over, and when it hands over.

    """
    with contextlib.ExitStack() as stack:
      # A worker may have gone before it was seen, so each leaves a file
      came = stack.enter_context(tempfile.TemporaryDirectory())
      env = stack.enter_context(adversity.Patched(adversity.PATIENT, """\
        import os
        from ganeti.confd.daemon import worker

        worker._IDLE = 0.05

        def _Run(self, real=worker.Worker.Run):
          open(os.path.join(%r, str(os.getpid())), "w").close()
          real(self)

        worker.Worker.Run = _Run
        """ % came))
      daemon = stack.enter_context(
        testutils.Daemon(_Config(1), args=["--workers=2"], env=env))
      lost = answered = 0
      for _ in range(5):
        clients = [_Client(daemon) for _ in range(CLIENTS)]
        before = len(os.listdir(came))

        def _WorkersCome():
          processes.MakeBusy(daemon)
          # The queue has room for that and the clients' questions, once
          daemon.Ask(PING)
          for _ in range(10):
            _Turn(clients)
          return len(os.listdir(came)) > before

        testutils.WaitFor(_WorkersCome, "workers come")
        lost += _Finish(clients)
        answered += sum(client.answered for client in clients)
        testutils.WaitFor(lambda: not processes.Find(daemon).workers,
                          "the workers go")
        daemon.Ask(PING)
      self.assertEqual(lost, 0)
      print("%d answers while workers came and went" % answered)
      self.assertEqual(daemon.Answer(STATS)[1]["restarts"],
                       {"workers": 0, "generations": 0})

  def testOneStaysWhereLoadingTakesLong(self):
    """The last worker is replaced at once, the loader only by loading again.

    """
    with testutils.Daemon(_Config(1, 20000), args=["--workers=2"]) as daemon:
      found = processes.Find(daemon)
      (worker, ) = found.workers
      for signum in (signal.SIGTERM, signal.SIGKILL):
        os.kill(worker, signum)
        processes.WaitForEnd([worker])
        testutils.WaitFor(lambda: processes.Find(daemon).workers, "another one")
        (worker, ) = processes.Find(daemon).workers
        self.assertEqual(daemon.Ask(PING)["serial"], 1)
      self.assertEqual(processes.Find(daemon).loader, found.loader)

  def testEndedByHand(self):
    """A worker that was told to end, and the datagram that wakes it.

    """
    with testutils.Daemon(_Config(1), args=["--workers=3"]) as daemon:
      processes.Find(daemon, 3)
      for _ in range(3):
        # Time to fall asleep
        time.sleep(0.3)
        ended = processes.Find(daemon).workers[0]
        os.kill(ended, signal.SIGTERM)
        time.sleep(0.1)
        # Not from one of the next tries
        daemon.Ask(PING)
        processes.WaitForEnd([ended])

  def testEndedByHandAmidSleep(self):
    with testutils.Daemon(_Config(1), args=["--workers=3"]) as daemon:
      workers = processes.Find(daemon, 3).workers
      time.sleep(0.3)
      for pid in workers:
        os.kill(pid, signal.SIGTERM)
      # Nothing else wakes them
      processes.WaitForEnd(workers)
      daemon.Ask(PING)

  def testQuietDaemonSleeps(self):
    """No process polls: events wake the processes that they concern.

    """
    with testutils.Daemon(_Config(1), args=["--workers=2"]) as daemon:
      found = processes.Find(daemon, 2)
      pids = found.All()

      def _WakeUps():
        return sum(int(processes.Status(pid, "voluntary_ctxt_switches"))
                   for pid in pids)

      def _IsQuiet():
        before = _WakeUps()
        time.sleep(3)
        return _WakeUps() - before < 10

      # The processes were woken up to bring them all up, and may still be busy
      # with it. A process that polls is never quiet.
      daemon.WaitForEmptyQueue()
      testutils.WaitFor(_IsQuiet, "no process polls")

  def testMemoryIsShared(self):
    # Large enough for the memory of each process by itself not to count
    with testutils.Daemon(_Config(1, 40000), args=["--workers=4"]) as daemon:
      found = processes.Find(daemon, 4)
      for index in range(1000):
        daemon.Ask(9, "inst%d" % index)
      total = processes.TreeMemory(daemon.proc.pid)
      one = processes.Memory(found.loader, "Rss")
      print("%.1f MB for all processes, with a loader of %.1f MB" %
            (total / 1e6, one / 1e6))
      # Four workers without sharing would take more than four times as much
      self.assertLess(total, 2 * one)
      told = daemon.Answer(STATS)[1]["memory"]
      self.assertLess(abs(told - total), 0.2 * total)

  def testNames(self):
    with testutils.Daemon(_Config(1), args=["--workers=2"]) as daemon:
      pids = processes.Find(daemon, 2).All()
      self.assertEqual(len(pids), 7)
      for pid in pids:
        name = b"ganeti-confd"
        if processes.IsKeeper(pid):
          # "pkill ganeti-confd" must not match the keeper
          name = b"pid-keeper"
          self.assertNotIn(b"ganeti-confd",
                           testutils.ReadFile("/proc/%d/cmdline" % pid))
        self.assertEqual(testutils.ReadFile("/proc/%d/comm" % pid),
                         name + b"\n")

  def testOomScores(self):
    own = processes.OomScore(os.getpid())
    with adversity.HeldLoads() as held, \
         testutils.Daemon(_Config(1), args=["--workers=2"],
                          env=held.env) as daemon:
      found = processes.Find(daemon, 2)
      for pid in (found.supervisor, found.keeper, found.loader, *found.workers):
        self.assertEqual(processes.OomScore(pid), own)
      # The process for large answers can be replaced without anybody noticing
      self.assertGreater(processes.OomScore(found.large), own)
      # A loading process is killed before all others, and so is the spare
      # loader
      self.assertEqual(processes.OomScore(found.spare), 1000)
      held.Hold()
      daemon.WriteConfig(_Config(2))
      loader = held.WaitForLoader()
      self.assertEqual(processes.OomScore(loader), 1000)
      held.Release()
      daemon.WaitForSerial(2)
      testutils.WaitFor(lambda: processes.OomScore(loader) == own, "its score")


class DeathTest(unittest.TestCase):
  """kill -9 of each process.

  """
  def testWorker(self):
    with testutils.Daemon(_Config(1), args=["--workers=2"]) as daemon:
      found = processes.Find(daemon, 2)
      os.kill(found.workers[0], signal.SIGKILL)
      processes.WaitForEnd(found.workers[:1])
      # The other serves on
      daemon.Ask(PING)
      again = testutils.WaitFor(
        lambda: len(set(processes.Find(daemon, 2).workers) -
                    set(found.workers)) == 1, "the worker is replaced")
      self.assertTrue(again)
      self.assertEqual(processes.Find(daemon, 2).loader, found.loader)
      # The supervisor counts, and has to hear of it
      testutils.WaitFor(lambda: daemon.Answer(STATS)[1]["restarts"] ==
                        {"workers": 1, "generations": 0}, "it is counted")
      self.assertIn("Worker %d died (killed by signal 9)" % found.workers[0],
                    daemon.Log())

  def testLarge(self):
    with testutils.Daemon(_Config(1), args=["--workers=2"]) as daemon:
      found = processes.Find(daemon, 2)
      os.kill(found.large, signal.SIGKILL)
      testutils.WaitFor(
        lambda: processes.Find(daemon, 2).large != found.large,
        "the process for large answers is replaced")
      query = {"what": "node", "fields": ["name"]}
      self.assertEqual(daemon.Answer(QUERY, query)[0], 0)
      # And its successor goes with its generation
      daemon.WriteConfig(_Config(2))
      daemon.WaitForSerial(2)

  def testBackOff(self):
    # On a slow machine, more time than usual may pass between two deaths
    with adversity.Patched("""\
           from ganeti.confd.daemon import loader
           loader._RESPAWN_DELAY = (0.1, 10.0, 600.0)
           """) as env, \
         testutils.Daemon(_Config(1), args=["--workers=2"], env=env) as daemon:
      other = processes.Find(daemon, 2).workers[1]
      for _ in range(5):
        found = processes.Find(daemon, 2)
        (pid, ) = set(found.workers) - {other}
        os.kill(pid, signal.SIGKILL)
        # Datagrams that the killed worker has taken off the queue are lost
        processes.WaitForEnd([pid])
        daemon.Ask(PING)
      delays = testutils.WaitFor(
        lambda: daemon.Log().count("replaced in") == 5 and
        [line.split("replaced in ")[1] for line in daemon.Log().splitlines()
         if "replaced in" in line], "five deaths are logged")
      self.assertEqual(delays, ["0.0 s", "0.1 s", "0.2 s", "0.4 s", "0.8 s"])

  def testLoader(self):
    with testutils.Daemon(_Config(1), args=["--workers=2"]) as daemon:
      found = processes.Find(daemon, 2)
      os.kill(found.loader, signal.SIGKILL)
      with testutils.Within(10 * 0.2):
        processes.WaitForEnd(found.workers + [found.large])
        daemon.Ask(PING)
      processes.Find(daemon, 2)
      self.assertEqual(daemon.Answer(STATS)[1]["restarts"],
                       {"workers": 0, "generations": 1})
      self.assertEqual(daemon.Log().count("The serving processes died"), 1)

  def testSpare(self):
    with testutils.Daemon(_Config(1), args=["--workers=1"]) as daemon:
      found = processes.Find(daemon)
      os.kill(found.spare, signal.SIGKILL)
      testutils.WaitFor(lambda: processes.Find(daemon).spare != found.spare,
                        "it is replaced")
      self.assertIn("The spare loader died (killed by signal 9); tried again in"
                    " 0 s", daemon.Log())
      self.assertEqual(processes.Find(daemon).loader, found.loader)
      self.assertEqual(daemon.Answer(STATS)[1]["restarts"],
                       {"workers": 0, "generations": 0})
      daemon.WriteConfig(_Config(2))
      daemon.WaitForSerial(2)

  def testSpareThatIsStopped(self):
    """Another process loads; nobody notices before it is needed.

    """
    with testutils.Daemon(_Config(1), args=["--workers=1"]) as daemon:
      def _IsReplaced():
        spare = processes.Find(daemon).spare
        serial = daemon.Ask(PING)["serial"] + 1
        with processes.Paused(spare):
          daemon.WriteConfig(_Config(serial))
          daemon.WaitForSerial(serial)
        return not processes.IsAlive(spare)

      # A spare loader that is not prepared yet is neither used nor missed
      testutils.WaitFor(_IsReplaced, "the stopped spare loader is killed")
      processes.Find(daemon)
      self.assertEqual(daemon.Answer(STATS)[1]["restarts"],
                       {"workers": 0, "generations": 0})
      self.assertEqual(daemon.Answer(STATS)[1]["reloads"]["failed"], 0)

  def testSpareIsUsed(self):
    with testutils.Daemon(_Config(1), args=["--workers=1"]) as daemon:
      def _IsUsed():
        found = processes.Find(daemon)
        serial = daemon.Ask(PING)["serial"] + 1
        daemon.WriteConfig(_Config(serial))
        daemon.WaitForSerial(serial)
        return processes.Find(daemon).loader == found.spare

      # A spare loader is not used before it is prepared
      testutils.WaitFor(_IsUsed, "the spare loader serves")

  def testSpareGoesWithTheConfiguration(self):
    with testutils.Daemon(_Config(1)) as daemon:
      found = processes.Find(daemon)
      os.unlink(daemon.config_file)
      processes.WaitForEnd([found.loader, found.spare])
      daemon.WriteConfig(_Config(2))
      daemon.WaitForSerial(2)
      processes.Find(daemon)

  def testSpareAfterHangup(self):
    """The old spare loader would write to the old log.

    """
    with testutils.Daemon(_Config(1)) as daemon:
      found = processes.Find(daemon)
      daemon.proc.send_signal(signal.SIGHUP)
      processes.WaitForEnd([found.loader, found.spare])

  def testLoaderAtAnyMomentOfAReload(self):
    for milliseconds in range(0, 24, 2):
      with self.subTest(milliseconds=milliseconds):
        with testutils.Daemon(_Config(1), args=["--workers=1"]) as daemon:
          processes.Find(daemon, 1)
          daemon.WriteConfig(_Config(2))
          daemon.proc.send_signal(signal.SIGHUP)
          time.sleep(milliseconds / 1000)
          # The last child is the loader of the newest generation, which may
          # just take the place of another one
          with contextlib.suppress(ProcessLookupError):
            os.kill(processes.Children(daemon.proc.pid)[-1], signal.SIGKILL)
          with testutils.Within(10 * 0.5):
            while daemon.AskRaw(testutils.PackMessage(
                daemon.key, testutils.MakeMessage(PING)), timeout=0.2) is None:
              pass
          daemon.WriteConfig(_Config(3))
          daemon.WaitForSerial(3)

  def testEverybodyButTheSupervisor(self):
    with testutils.Daemon(_Config(1), args=["--workers=2"]) as daemon:
      found = processes.Find(daemon, 2)
      victims = testutils.ProcessTree(daemon.proc.pid)[1:]
      for pid in victims:
        # Some go with the loader
        with contextlib.suppress(ProcessLookupError):
          os.kill(pid, signal.SIGKILL)
      processes.WaitForEnd(victims)
      daemon.Ask(PING)
      self.assertNotEqual(processes.Find(daemon, 2).keeper, found.keeper)

  def _KillSupervisor(self, daemon, tree):
    daemon.proc.kill()
    started = time.monotonic()
    daemon.proc.wait()
    processes.WaitForEnd(tree)
    seconds = time.monotonic() - started
    self.assertLess(seconds, testutils.Stretched(10 * END_GOAL))
    self.assertFalse(os.path.exists(daemon.pid_file))
    # The port is free for the next daemon; "tree" may lack a process that was
    # just being started
    testutils.WaitFor(lambda: _IsFree(daemon.address, daemon.port),
                      "its port is free")
    return seconds

  def testSupervisor(self):
    daemon = testutils.Daemon(_Config(1), args=["--workers=2"])
    self.addCleanup(daemon.Kill)
    daemon.Start()
    processes.Find(daemon, 2)
    seconds = self._KillSupervisor(daemon,
                                   testutils.ProcessTree(daemon.proc.pid))
    print("All processes gone %.0f ms after the supervisor" % (1000 * seconds))
    self.assertNotIn("Traceback", daemon.Log() + daemon.Output())
    # The same directory, the same port
    daemon.Start()
    daemon.Ask(PING)

  def testSupervisorWithoutConfiguration(self):
    daemon = testutils.Daemon()
    self.addCleanup(daemon.Kill)
    daemon.Start()
    testutils.WaitFor(
      lambda: any(map(processes.IsKeeper, processes.Children(daemon.proc.pid))),
      "the keeper")
    self._KillSupervisor(daemon, testutils.ProcessTree(daemon.proc.pid))

  def testSupervisorAfterKeeper(self):
    daemon = testutils.Daemon(_Config(1), args=["--workers=1"])
    self.addCleanup(daemon.Kill)
    daemon.Start()
    found = processes.Find(daemon, 1)
    os.kill(found.keeper, signal.SIGKILL)
    testutils.WaitFor(
      lambda: processes.Find(daemon, 1).keeper != found.keeper,
      "the keeper is replaced")
    self.assertIn("Process %d, which keeps the pid file, died" % found.keeper,
                  daemon.Log())
    self._KillSupervisor(daemon, testutils.ProcessTree(daemon.proc.pid))

  def testSupervisorAtAnyMoment(self):
    for milliseconds in range(0, 24, 3):
      with self.subTest(milliseconds=milliseconds):
        daemon = testutils.Daemon(_Config(1), args=["--workers=1"])
        self.addCleanup(daemon.Kill)
        daemon.Start()
        processes.Find(daemon, 1)
        daemon.WriteConfig(_Config(2))
        daemon.proc.send_signal(signal.SIGHUP)
        time.sleep(milliseconds / 1000)
        os.kill(daemon.proc.pid, signal.SIGSTOP)
        tree = testutils.ProcessTree(daemon.proc.pid)
        self._KillSupervisor(daemon, tree)
        self.assertNotIn("Traceback", daemon.Log() + daemon.Output())

  def testSupervisorWhileALoaderIsBusy(self):
    with adversity.HeldLoads(busy=True) as held:
      daemon = testutils.Daemon(_Config(1), args=["--workers=1"], env=held.env)
      self.addCleanup(daemon.Kill)
      daemon.Start()
      processes.Find(daemon, 1)
      held.Hold()
      daemon.proc.send_signal(signal.SIGHUP)
      loader = held.WaitForLoader()
      tree = testutils.ProcessTree(daemon.proc.pid)
      self.assertIn(loader, tree)
      seconds = self._KillSupervisor(daemon, tree)
      print("All processes gone %.0f ms after the supervisor, amid a load" %
            (1000 * seconds))


if __name__ == "__main__":
  unittest.main()

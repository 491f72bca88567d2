#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Causes faults of a daemon under load.

Each fault is a generator, which yields the seconds to wait before its next
step. All generators run in one thread. The configuration and the key change all
the time; other faults happen one at a time, so that the effect of each can be
checked.

Each new configuration has the next multiple of ten as its serial number, and is
then changed in place twice within the same second: one byte is overwritten, the
last digit of the serial number. If time stamps have whole seconds, only the
contents distinguish these versions. The daemon must never answer from a
configuration whose serial number ends in L{TOO_LARGE}.

"""

import contextlib
import os
import random
import signal
import statistics
import time

import adversity
import processes
import testutils


_PING = 0
_STATS = 65

#: Last digit of the serial numbers of configurations too large for the memory
TOO_LARGE = 9

#: Seconds between two new configurations, and between two changes in place
_CHANGE_INTERVAL = 1.0
_IN_PLACE_INTERVAL = 0.15

#: Seconds between two checks whether an expected effect has occurred
_LOOK = 0.05

#: Most seconds until an expected effect; a later one is a problem
_PATIENCE = 60.0

#: Most seconds for which a process is stopped that has to continue afterwards
_MOMENT = 0.4

#: Most seconds that loading a small configuration takes
_SHORTLY = 0.01

#: To make the daemon run out of memory: the limit in addition to its memory
#: usage (bytes), and the number of empty objects (at least 64 bytes each) in a
#: configuration that exceeds the limit
_ROOM = 48 * adversity.MEGABYTE
_BALLAST = 3000000

#: Seconds before a configuration that does not fit is replaced
_TOO_LARGE_SECONDS = 4.0

#: Most seconds at the start that are ignored when growth is measured
_WARM_UP = 20


class _TimeIsOver(Exception):
  """The time is over: no other fault is to begin.

  """


class Faults:
  """All changes and faults.

  @ivar counts: the numbers of changes and faults, by name
  @ivar problems: expected effects that have not occurred, as texts
  @ivar serial: the serial number of the last configuration

  """
  def __init__(self, daemon, make_config, memory, seconds, interval):
    """@param make_config: function from serial number to configuration
    @param memory: the L{adversity.MemoryGroup} with the daemon, or None
    @param seconds: the duration of the whole run
    @param interval: seconds between two faults

    """
    self._daemon = daemon
    self._make_config = make_config
    self._memory = memory
    self._interval = interval
    self._started = time.monotonic()
    self._end = self._started + seconds
    self._samples = []
    # Whether the configuration has to stay as it is
    self._hold = False
    self.serial = 10
    self.settled_after = 0.0
    self.counts = dict.fromkeys([
      "configurations written", "written in place", "workers killed",
      "spare loaders killed", "spare loaders stopped",
      "all workers killed",
      "loaders killed", "loaders killed while loading",
      "loaders killed, workers traced", "stopped for a moment",
      "stopped for good", "configurations that do not fit"], 0)
    self.problems = []
    self._faults = self._DoFaults()
    # Generators, each with the time of its next step
    self._running = {
      generator: self._started for generator in (
        self._ChangeConfig(), self._ChangeKey(seconds), self._faults,
        self._Sample())}

  def Next(self):
    """Runs the generators whose next step is due.

    """
    for (generator, due) in list(self._running.items()):
      now = time.monotonic()
      if now < due:
        continue
      try:
        self._running[generator] = now + next(generator)
      except StopIteration:
        del self._running[generator]

  @property
  def busy(self):
    """Whether a fault is under way, or more faults are to come.

    """
    return self._faults in self._running

  def End(self):
    """Ends all generators, which undo their faults.

    """
    for generator in self._running:
      generator.close()
    self._running = {}

  # Changes during the whole run

  def _ChangeConfig(self):
    while True:
      yield _CHANGE_INTERVAL - 2 * _IN_PLACE_INTERVAL
      if self._hold:
        continue
      self._WriteConfig()
      for _ in range(2):
        yield _IN_PLACE_INTERVAL
        if not self._hold:
          self._WriteInPlace()

  def _WriteConfig(self):
    self.serial += 10 - self.serial % 10
    self.counts["configurations written"] += 1
    self._daemon.WriteConfig(self._make_config(self.serial))

  def _WriteInPlace(self):
    path = self._daemon.config_file
    place = testutils.ReadFile(path).index(b'"serial_no": %d' % self.serial)
    self.serial += 1
    self.counts["written in place"] += 1
    with open(path, "r+b", buffering=0) as stream:
      stream.seek(place + len('"serial_no": %d' % self.serial) - 1)
      stream.write(b"%d" % (self.serial % 10))

  def _ChangeKey(self, seconds):
    for _ in range(2):
      yield seconds / 3
      self._daemon.key = os.urandom(20).hex().encode("ascii") + b"\n"
      testutils.WriteFile(self._daemon.key_file, self._daemon.key)

  def _DoFaults(self):
    """Does one fault after the other, all of them again and again.

    """
    targets = ("worker", "loader", "large")
    faults = [self._KillAllWorkers, self._KillLoader, self._KillSpare,
              self._StopSpare, self._KillWhileLoading, self._KillTraced]
    faults += [lambda target=target: self._StopForAMoment(target)
               for target in targets]
    faults += [lambda target=target: self._StopForGood(target)
               for target in targets]
    if self._memory:
      faults.append(self._RunOutOfMemory)
    while True:
      random.shuffle(faults)
      for fault in faults:
        for either in (self._KillWorker, fault):
          yield self._interval
          try:
            self._CheckTime()
            yield from either()
          except _TimeIsOver:
            return
          finally:
            self._hold = False

  def _CheckTime(self):
    if time.monotonic() >= self._end:
      raise _TimeIsOver()

  # Observing the daemon

  def _Look(self, target="worker"):
    """Waits until a single generation serves, and has a process of some kind.

    @param target: the kind of process
    @return: the process's id, and L{processes.Processes}

    """
    while True:
      found = processes.Look(self._daemon.proc.pid)
      if found and target == "worker" and not found.workers:
        # The load of few clients may not make the daemon start a worker
        processes.MakeBusy(self._daemon)
      pid = found and {
        "worker": random.choice(found.workers) if found.workers else None,
        "loader": found.loader, "large": found.large,
        "spare": found.spare}[target]
      if pid:
        return (pid, found)
      self._CheckTime()
      yield 0.01

  def _Settle(self):
    """Keeps the configuration unchanged, and waits until it is served.

    """
    self._hold = True
    started = time.monotonic()
    while not self._IsSettled():
      if time.monotonic() - started > _PATIENCE:
        self.problems.append("serial number %d is not served" % self.serial)
        return
      yield _LOOK
    self.settled_after = max(self.settled_after, time.monotonic() - started)

  def _IsSettled(self):
    reply = self._Ask(_PING)
    return (reply is not None and reply["serial"] == self.serial and
            processes.Look(self._daemon.proc.pid) is not None)

  def _Ask(self, rtype):
    with self._daemon.Asker() as asker:
      try:
        return asker.Ask(rtype, timeout=0.2)
      except (testutils.NoReply, AssertionError):
        return None

  def _AwaitEnd(self, pids):
    """Waits until the daemon has ended some of its processes.

    """
    started = time.monotonic()
    while any(map(processes.IsAlive, pids)):
      if time.monotonic() - started > _PATIENCE:
        self.problems.append("%s are still there" % pids)
        return
      yield _LOOK

  @staticmethod
  def _Signal(pid, signum):
    """Sends a signal.

    @return: whether the process existed

    """
    try:
      os.kill(pid, signum)
    except ProcessLookupError:
      # The process ended by itself, with its generation
      return False
    return True

  # Faults, one at a time

  def _KillWorker(self):
    (pid, _) = yield from self._Look()
    self.counts["workers killed"] += self._Signal(pid, signal.SIGKILL)

  def _KillAllWorkers(self):
    """Kills all workers at once, so that the loader has to answer.

    """
    (_, found) = yield from self._Look()
    for pid in found.workers:
      self.counts["workers killed"] += self._Signal(pid, signal.SIGKILL)
    self.counts["all workers killed"] += 1

  def _KillLoader(self):
    yield from self._Settle()
    (pid, _) = yield from self._Look("loader")
    self.counts["loaders killed"] += self._Signal(pid, signal.SIGKILL)
    yield from self._Settle()

  def _KillSpare(self):
    (spare, _) = yield from self._Look("spare")
    self.counts["spare loaders killed"] += self._Signal(spare, signal.SIGKILL)

  def _StopSpare(self):
    """Stops the spare loader, so that another process has to load.

    """
    (spare, _) = yield from self._Look("spare")
    try:
      self.counts["spare loaders stopped"] += self._Signal(spare,
                                                           signal.SIGSTOP)
      yield from self._AwaitEnd([spare])
    finally:
      self._Signal(spare, signal.SIGCONT)

  def _KillWhileLoading(self):
    """Kills the spare loader as soon as it may have been told to load.

    """
    (spare, _) = yield from self._Look("spare")
    self._WriteConfig()
    yield random.uniform(0, _SHORTLY)
    self.counts["loaders killed while loading"] += self._Signal(spare,
                                                                signal.SIGKILL)

  def _KillTraced(self):
    """Kills a loader whose workers a debugger has stopped.

    """
    yield from self._Settle()
    (_, found) = yield from self._Look()
    try:
      with adversity.Stopped(found.workers):
        if self._Signal(found.loader, signal.SIGKILL):
          self.counts["loaders killed, workers traced"] += 1
        yield from self._AwaitEnd(found.workers)
    except OSError:
      # A worker ended by itself, after a time without load
      pass
    yield from self._Settle()

  def _StopForAMoment(self, target):
    (pid, _) = yield from self._Look(target)
    try:
      self.counts["stopped for a moment"] += self._Signal(pid, signal.SIGSTOP)
      yield random.uniform(0.05, _MOMENT)
    finally:
      self._Signal(pid, signal.SIGCONT)

  def _StopForGood(self, target):
    """Stops a process, which the daemon has to end with its generation.

    """
    (pid, _) = yield from self._Look(target)
    try:
      self.counts["stopped for good"] += self._Signal(pid, signal.SIGSTOP)
      yield from self._AwaitEnd([pid])
    finally:
      self._Signal(pid, signal.SIGCONT)

  def _RunOutOfMemory(self):
    """Writes a configuration that does not fit into memory, and later one that
    does.

    """
    yield from self._Settle()
    (loader, _) = yield from self._Look("loader")
    kills = self._memory.Kills()
    try:
      self._memory.Limit(self._memory.Usage() + _ROOM)
      self.serial += TOO_LARGE - self.serial % 10
      self.counts["configurations that do not fit"] += 1
      text = self._make_config(self.serial)
      self._daemon.WriteConfig(
        text[:-1] + b', "ballast": [%s]}' % b",".join([b"{}"] * _BALLAST))
      yield _TOO_LARGE_SECONDS
      started = time.monotonic()
      while self._memory.Kills() == kills:
        if time.monotonic() - started > _PATIENCE:
          self.problems.append("memory did not run out")
          break
        yield _LOOK
      # The generation from before has to be alive still
      if not processes.IsAlive(loader):
        self.problems.append("what served was killed for want of memory")
      self._WriteConfig()
      yield from self._Settle()
    finally:
      self._memory.Limit(None)

  # Growth

  def _Sample(self):
    while True:
      pids = testutils.ProcessTree(self._daemon.proc.pid)
      memory = processes.TreeMemory(self._daemon.proc.pid)
      with contextlib.suppress(OSError):
        files = len(os.listdir("/proc/%d/fd" % self._daemon.proc.pid))
        self._samples.append((time.monotonic() - self._started, memory, files,
                              len(pids)))
      yield 1.0

  def Growth(self, seconds):
    """Measures memory, descriptors and processes in the first and last third.

    @return: dict of figures

    """
    warm = min(_WARM_UP, seconds / 10)
    samples = [sample for sample in self._samples if sample[0] >= warm]
    third = max(1, len(samples) // 3)
    figures = {}
    for (name, index) in [("memory", 1), ("descriptors", 2), ("processes", 3)]:
      for (when, chosen) in [("first", samples[:third]),
                             ("last", samples[-third:])]:
        # The median ignores moments at which two generations overlap
        figures["%s, %s third" % (name, when)] = statistics.median(
          sample[index] for sample in chosen)
      figures["%s, most" % name] = max(sample[index] for sample in samples)
    return figures

  def Kills(self):
    """Returns how many processes the kernel killed for want of memory.

    """
    return self._memory.Kills() if self._memory else 0

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Faults that happen to a daemon under load.

Each fault is a generator: it does something, says how many seconds it has to
wait by yielding them, and goes on. All run in one thread. The configuration and
the key change all the time; other faults follow each other, one at a time, so
that it is known what each of them has to lead to.

A configuration is replaced by one with another ten as its serial number, and
within the same second written to in place, twice: one byte, the last digit of
the serial number. Where time stamps have whole seconds, nothing but its
contents tells these apart. Such as end in L{TOO_LARGE} must never be answered
from.

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

#: Last digit of the serial numbers of configurations that do not fit
TOO_LARGE = 9

#: Seconds between two configurations, and between writing to one in place
_CHANGE_INTERVAL = 1.0
_IN_PLACE_INTERVAL = 0.15

#: Seconds between two looks at what something has led to
_LOOK = 0.05

#: Seconds after which something has failed to happen
_PATIENCE = 60.0

#: Seconds for which something is stopped that is to go on, at most
_MOMENT = 0.4

#: Seconds in which a small configuration is loaded, at most
_SHORTLY = 0.01

#: How much memory may be taken on top of what is, and how much makes sure of
#: more: empty objects (at least 64 bytes each)
_ROOM = 48 * adversity.MEGABYTE
_BALLAST = 3000000

#: Seconds for which a configuration that does not fit is there
_TOO_LARGE_SECONDS = 4.0

#: Seconds that are not looked at when it comes to growth, at most
_WARM_UP = 20


class _TimeIsOver(Exception):
  """No other fault is to begin.

  """


class Faults:
  """All that happens.

  @ivar counts: what was done, by name
  @ivar problems: what has not led to what it has to
  @ivar serial: of the last configuration

  """
  def __init__(self, daemon, make_config, memory, seconds, interval):
    """@param make_config: function from serial number to configuration
    @param memory: an L{adversity.MemoryGroup} that the daemon is in, or None
    @param seconds: how long all will take
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
    # Each with the time at which it goes on
    self._running = {
      generator: self._started for generator in (
        self._ChangeConfig(), self._ChangeKey(seconds), self._faults,
        self._Sample())}

  def Next(self):
    """Does what is due.

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
    """Whether faults are still to come, or to be made good.

    """
    return self._faults in self._running

  def End(self):
    """Ends all that happens, whatever it leaves behind.

    """
    for generator in self._running:
      generator.close()
    self._running = {}

  # Changes that go on all the time

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

  # Looking at the daemon

  def _Look(self, target="worker"):
    """Waits until all that serves is one generation with such a process.

    @return: the process's id, and L{processes.Processes}

    """
    while True:
      found = processes.Look(self._daemon.proc.pid)
      if found and target == "worker" and not found.workers:
        # The clients may be too few to need one
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
    """Has the configuration stay as it is, and waits until it is served.

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
    """Waits until the daemon has got rid of processes.

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

    @return: whether the process was there

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
    """Leaves the answering to the loader.

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
    """Stops it, for another process to load in its place.

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
      # One went by itself, after a quiet time
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
    """Stops a process, for the next generation to get rid of it.

    """
    (pid, _) = yield from self._Look(target)
    try:
      self.counts["stopped for good"] += self._Signal(pid, signal.SIGSTOP)
      yield from self._AwaitEnd([pid])
    finally:
      self._Signal(pid, signal.SIGCONT)

  def _RunOutOfMemory(self):
    """Writes a configuration that does not fit, and some time later one that
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
      # The same generation still serves
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
    """Compares the first third with the last.

    @return: dict of figures

    """
    warm = min(_WARM_UP, seconds / 10)
    samples = [sample for sample in self._samples if sample[0] >= warm]
    third = max(1, len(samples) // 3)
    figures = {}
    for (name, index) in [("memory", 1), ("descriptors", 2), ("processes", 3)]:
      for (when, chosen) in [("first", samples[:third]),
                             ("last", samples[-third:])]:
        # Two generations overlap for a moment: the middle is what it has
        figures["%s, %s third" % (name, when)] = statistics.median(
          sample[index] for sample in chosen)
      figures["%s, most" % name] = max(sample[index] for sample in samples)
    return figures

  def Kills(self):
    """Returns how many processes the kernel killed for want of memory.

    """
    return self._memory.Kills() if self._memory else 0

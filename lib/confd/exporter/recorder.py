#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The server's side of the history: passes each configuration to a process that
records it.

Rule 1: the server itself never opens the file of the history. It locks another
file (L{TakeLock}) before anything is written. One process at a time writes.

Rule 2: no failure has an effect on anything but the history. A failure is
logged once, and shown on pages. As C{history} compares with the state that was
recorded last, the next attempt makes up for a failure.

"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import functools
import logging
import os
import pickle
import time

from typing import Any, Callable, IO, NamedTuple, Optional, Sequence

from ganeti import confd
from ganeti import errors
from ganeti.confd.exporter import clusterstate
from ganeti.confd.exporter import forked
from ganeti.confd.exporter import history
from ganeti.confd.exporter import watcher as watcherlib


#: Seconds from a failure to write until the next attempt
_RETRY = 10.0

#: After this many seconds without a change, a cluster's state is noted in the
#: file as still current
_CONFIRM = 300.0

#: Seconds within which the server notices that a cluster no longer answers
_NOTICE = 60.0

#: The recorder looks at the clock at least this often, also while another
#: process writes (seconds). If the recorder has not run for L{_NOTICE} seconds,
#: the process or the host was stopped.
_TICK = 20.0

#: Limits of the process that writes. The wall-clock limit is lower than the
#: default, so that a disk that does not answer is noticed soon: the other
#: clusters wait for the process.
_LIMITS = forked.Limits(cpu_time=60.0, wall_time=120.0, memory=4 << 30,
                        size=1 << 20)

#: The name of the lock's file is the name of the history's file with this
#: suffix
_LOCK = ".lock"


class Options(NamedTuple):
  """The path of the history's file, and the limits of its contents.

  """
  path: str
  limits: history.Limits


def TakeLock(path: str) -> IO[bytes]:
  """Makes sure that no other confd-exporter writes to the file.

  @return: keeps the lock as long as it is open
  @raise errors.ConfigurationError: another process has the lock
  @raise forked.BadRequest: the file of the lock cannot be opened or locked; the
    text says why

  """
  name = path + _LOCK
  try:
    # Do not lock the history's file: the lock would conflict with SQLite's
    # locks
    lock = open(os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600),
                "r+b", buffering=0)
  except OSError as err:
    raise forked.BadRequest(history.Explain(name, err)) from err
  try:
    # Forked processes do not inherit this lock, so the lock ends with the
    # server
    fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except OSError as err:
    lock.close()
    if err.errno in (errno.EACCES, errno.EAGAIN):
      raise errors.ConfigurationError(
        "Another confd-exporter writes the history in %s; each needs a file of"
        " its own" % path) from err
    raise forked.BadRequest(history.Explain(name, err)) from err
  return lock


#: A function that writes to the file. Its argument is a function that tells
#: whether this process may still write.
_Write = Callable[[Callable[[], bool]], Any]


def CheckDisk(path: str) -> None:
  """Checks that no earlier process still waits for the disk.

  Otherwise a disk that does not answer would get more and more processes.

  @raise forked.Failed: there is such a process

  """
  if forked.IsHanging():
    raise forked.Failed("%s: a process waits for the system (check the disk and"
                        " file system)" % path)


def _InProcess(server: int, write: _Write) -> bytes:
  """Writes to the file, in a process of its own.

  @param server: the process id of the server
  @raise forked.BadRequest: nothing was written; the text says why

  """
  try:
    # Do not write if the server has ended: another server may already have
    # written a later state
    return pickle.dumps(write(lambda: os.getppid() == server))
  except RecursionError as err:
    raise forked.BadRequest("A value is nested too deeply") from err


class _Stop(NamedTuple):
  """A period in which this process, or the whole host, was stopped.

  """
  #: When the process last ran before the stop, as far as known (this host's
  #: clock)
  last_run: float
  #: When the process ran again after the stop (monotonic clock)
  end: float


class _Failure:
  """The result of an attempt to write that has failed.

  """


class _Progress:
  """The configuration that was recorded last, and the one to be recorded next.

  @ivar version: the version of the configuration to be recorded; 0 for none
  @ivar moment: the times of this configuration
  @ivar recorded: the version that was recorded last; 0 for none
  @ivar serial: the serial of the configuration that was recorded last
  @ivar due: when the next attempt, or the next confirmation that the recorded
    state is still current, is due (monotonic clock)
  @ivar failed: whether the last attempt has failed
  @ivar problem: why the last attempt has failed, or could not keep all changes

  """
  def __init__(self) -> None:
    self.version = 0
    self.moment = history.Moment(0.0, None)
    self.recorded = 0
    self.serial: Optional[int] = None
    self.due = 0.0
    self.failed = False
    self.problem: Optional[str] = None


class Recorder:
  """Records the configurations of clusters.

  @ivar version: a number that changes with the history

  """
  def __init__(self, watchers: Sequence[watcherlib.Watcher], options: Options
               ) -> None:
    self.version = 0
    self.options = options
    self._watchers = watchers
    self._progress = {i.cluster: _Progress() for i in watchers}
    self._news = asyncio.Event()
    self._lock: Optional[IO[bytes]] = None
    #: When this process was last known to run (this host's clock); the latest
    #: stop of this process that was longer than L{_NOTICE}
    self._ran = time.time()
    self._stop: Optional[_Stop] = None
    for watcher in watchers:
      watcher.listeners.append(functools.partial(self._Note, watcher))
      watcher.SetHistory(clusterstate.HistoryState(None, None, None, True))

  def Lock(self) -> None:
    """Takes the lock, unless this process has it.

    @raise errors.ConfigurationError: see L{TakeLock}
    @raise forked.BadRequest: likewise

    """
    if self._lock is None:
      self._lock = TakeLock(self.options.path)

  def _Now(self) -> float:
    """Returns the time, and notes whether this process did not run for a while.

    """
    now = time.time()
    if now - self._ran > _NOTICE:
      self._stop = _Stop(self._ran, time.monotonic())
    self._ran = now
    return now

  def _Note(self, watcher: watcherlib.Watcher) -> None:
    """Notes that there is a new configuration.

    """
    progress = self._progress[watcher.cluster]
    now = self._Now()
    # If this program has seen no earlier configuration, the time until which
    # the previous configuration was current is not known
    known_until = None
    if watcher.version > 1:
      known_until = self._KnownUntil(watcher, now)
    progress.version = watcher.version
    progress.moment = history.Moment(now, known_until)
    if not progress.failed:
      progress.due = 0.0
    self._news.set()

  def _KnownUntil(self, watcher: watcherlib.Watcher, now: float) -> float:
    """Returns the time at which the configuration was surely current.

    """
    age = watcher.state.age or 0.0
    known_until = now - age - _NOTICE if age else now
    if (self._stop is not None and
        time.monotonic() - self._stop.end < _NOTICE):
      # Perhaps the cluster has not answered since the stop, so the
      # configuration was surely current only until the stop
      known_until = min(known_until, self._stop.last_run)
    return known_until

  async def Run(self) -> None:
    """Records until this task is cancelled, and then gives up the lock.

    """
    ticking = asyncio.ensure_future(self._Tick())
    try:
      while True:
        with contextlib.suppress(asyncio.TimeoutError):
          await asyncio.wait_for(self._news.wait(), self._Pause())
        self._news.clear()
        await self._WriteDue()
    finally:
      ticking.cancel()
      if self._lock is not None:
        self._lock.close()

  async def _Tick(self) -> None:
    """Looks at the clock until this task is cancelled.

    """
    while True:
      self._Now()
      await asyncio.sleep(_TICK)

  async def _WriteDue(self) -> None:
    """Records, or confirms, the state of each cluster for which that is due.

    """
    for watcher in self._watchers:
      progress = self._progress[watcher.cluster]
      if not progress.version or progress.due > time.monotonic():
        continue
      if progress.recorded != progress.version:
        await self._Record(watcher, progress)
      else:
        await self._Confirm(watcher, progress)

  def _Pause(self) -> Optional[float]:
    """Returns the time until there is work without any news (seconds).

    @return: None if there is no work without news

    """
    due = [i.due for i in self._progress.values() if i.version]
    return max(0.0, min(due) - time.monotonic()) if due else None

  async def _Record(self, watcher: watcherlib.Watcher, progress: _Progress
                    ) -> None:
    (version, moment) = (progress.version, progress.moment)
    config = watcher.state.config
    assert config is not None
    if progress.recorded != version - 1:
      # The stored state is older than the previous configuration, which was not
      # recorded. So C{known_until}, the time until which the previous
      # configuration was current, does not apply to the stored state.
      moment = moment._replace(known_until=None)
    moment = moment._replace(serial=progress.serial)
    recorded = await self._Try(watcher, progress, functools.partial(
      history.Record, self.options.path, watcher.cluster, config, moment,
      self.options.limits))
    if isinstance(recorded, history.Recorded):
      (progress.recorded, progress.serial) = (version, config.serial)
      if progress.version != version:
        # Record without delay the newer configuration that has come during the
        # write
        progress.due = 0.0
      self.version += 1
      self._SetProblem(watcher, recorded.problem)
      watcher.SetHistory(clusterstate.HistoryState(
        recorded.changes, recorded.began, recorded.problem, True))

  async def _Confirm(self, watcher: watcherlib.Watcher, progress: _Progress
                     ) -> None:
    now = self._Now()
    known_until = self._KnownUntil(watcher, now)
    moment = history.Moment(now, known_until, progress.serial)
    confirmed = await self._Try(watcher, progress, functools.partial(
      history.Touch, self.options.path, watcher.cluster, moment,
      self.options.limits))
    if not isinstance(confirmed, history.Confirmed):
      return
    if confirmed.is_stored:
      self._SetProblem(watcher, confirmed.problem)
      return
    # The file does not have the current state, as it is a new file, or a
    # backup. Record the state without delay, so that the next change is found.
    # The state's time is that of the cluster's last answer.
    progress.moment = history.Moment(known_until, None)
    (progress.recorded, progress.due) = (0, 0.0)

  async def _Try(self, watcher: watcherlib.Watcher, progress: _Progress,
                 write: _Write) -> Any:
    """Writes to the file.

    @return: the result of C{write}, or a L{_Failure}

    """
    try:
      CheckDisk(self.options.path)
      self.Lock()
      data = await forked.Run(functools.partial(_InProcess, os.getpid(), write),
                              _LIMITS)
    except (forked.BadRequest, forked.Failed, errors.ConfigurationError) as err:
      problem = str(err)
    except Exception:  # pylint: disable=W0718
      logging.exception("Programming error")
      problem = "a programming error; %s" % confd.PLEASE_REPORT
    else:
      self._SetFailed(progress, False)
      progress.due = time.monotonic() + _CONFIRM
      return pickle.loads(data)
    self._SetFailed(progress, True)
    progress.due = time.monotonic() + _RETRY
    self._SetProblem(watcher, "Changes are not recorded: %s" % problem)
    return _Failure()

  def _SetFailed(self, progress: _Progress, failed: bool) -> None:
    """Notes whether an attempt to write has failed.

    """
    if failed != progress.failed:
      progress.failed = failed
      if not any(i.failed for i in self._progress.values()):
        logging.info("History: changes are recorded again")

  def _SetProblem(self, watcher: watcherlib.Watcher, problem: Optional[str]
                  ) -> None:
    """Logs a problem, once for all clusters with it, and shows it on pages.

    """
    progress = self._progress[watcher.cluster]
    if problem == progress.problem:
      return
    known = [i.problem for i in self._progress.values()]
    progress.problem = problem
    if problem is not None and problem not in known:
      logging.warning("History: %s", problem)
    state = watcher.state.history
    assert state is not None
    watcher.SetHistory(state._replace(problem=problem,
                                      is_recorded=not progress.failed))

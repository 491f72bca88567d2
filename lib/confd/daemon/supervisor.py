#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The daemon's first process: it watches files and replaces generations.

It never parses the configuration, so nothing that is in there can end it. It
holds the socket, which every generation inherits: a new one starts to read when
the old one has stopped, and what comes in between waits in the socket's queue.
So no request is lost, and the serial number never goes back.

What has to be done is L{policy}'s to say; here it is found out what has
happened, and done. The loop waits in one place (L{Supervisor._Wait}) only.

"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time

from ganeti import errors
from ganeti.confd import counters
from ganeti.confd import filestate
from ganeti.confd import localnode
from ganeti.confd.daemon import backoff
from ganeti.confd.daemon import generation
from ganeti.confd.daemon import inotify
from ganeti.confd.daemon import messages
from ganeti.confd.daemon import pidfile
from ganeti.confd.daemon import policy
from ganeti.confd.daemon import process
from ganeti.confd.daemon import setup as setuplib
from ganeti.confd.daemon import systemd
from ganeti.confd.daemon import watchdog
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any, Callable, Dict, List, Optional


#: Delays before the keeper of the pid file is started again
_KEEPER_DELAY = (5.0, 5.0, 5.0)

#: Delays before a spare loader that died is replaced
_SPARE_DELAY = (1.0, 10.0, 10.0)

#: Seconds that the end of the daemon may take; then what is left is left
_STOP_TIMEOUT = 3.0

#: How often, and how many seconds apart, it is asked how a loader ended
_EXIT_TRIES = 20
_EXIT_PAUSE = 0.001

#: Seconds between two looks at the key while nothing can be loaded
_KEY_INTERVAL = 0.25

#: Datagrams thrown away at a time where there is nothing to answer with
_DRAIN_BATCH = 1000


class Supervisor:
  """Sees to it that the newest usable configuration is served.

  """
  def __init__(self, setup: setuplib.Setup, keeper: pidfile.Keeper,
               notifier: systemd.Notifier,
               reopen_logs: Callable[[], None]) -> None:
    self._setup = setup
    self._keeper = keeper
    self._notifier = notifier
    self._reopen_logs = reopen_logs
    self._row = setup.counters.Row(0)
    self._policy = policy.Policy(setup.config_file, setup.key_file)
    self._watch = inotify.Watch(os.path.dirname(setup.config_file),
                                self._ForkHelper)
    self._signals = process.SignalQueue([signal.SIGTERM, signal.SIGINT,
                                         signal.SIGHUP, signal.SIGUSR1,
                                         signal.SIGCHLD])
    #: Generations by their numbers, those that are leaving too
    self._generations: Dict[int, generation.Generation] = {}
    #: The key's file when its mode was looked at, and what was said of that
    self._key_state: Any = None
    self._key_warning: Optional[str] = None
    self._keeper_backoff = backoff.Backoff(*_KEEPER_DELAY)
    self._keeper_due = 0.0
    #: A loader that waits for the order to load, and whether it does so already
    self._spare: Optional[generation.Generation] = None
    self._spare_prepared = False
    self._spare_backoff = backoff.Backoff(*_SPARE_DELAY)
    self._spare_due = 0.0
    self._spare_failure: Optional[str] = None
    self._stop = False
    self._told_ready = False
    #: The process that asks for the watchdog, and when the next one is due
    self._trial_pid: Optional[int] = None
    self._trial_due = time.monotonic()

  def Run(self) -> None:
    """Runs the daemon until it is told to stop.

    """
    while not self._stop:
      if not self._keeper.pid and time.monotonic() >= self._keeper_due:
        self._StartKeeper()
      self._watch.Renew()
      self._LookAtFiles()
      self._Act()
      self._KeepSpare(time.monotonic())
      self._Notify(time.monotonic())
      self._Wait()
    self._notifier.Stopping()
    self._Shutdown()

  # Files

  def _LookAtFiles(self) -> None:
    files = messages.Files(filestate.FileState(self._setup.config_file),
                           filestate.FileState(self._setup.key_file))
    if files.key != self._key_state:
      self._key_state = files.key
      self._CheckKeyMode()
    self._policy.FilesSeen(files, time.monotonic())

  def _CheckKeyMode(self) -> None:
    """Says who else can get at the key, once.

    """
    warning = localnode.KeyWarning(self._setup.key_file)
    if warning and warning != self._key_warning:
      logging.warning(warning)
    self._key_warning = warning

  # What is to be done

  def _Act(self) -> None:
    """Does what the policy says.

    """
    actions = self._policy.TakeActions()
    while actions:
      # The counter is up to date before any generation is told to serve
      self._row[counters.INDEX[counters.CONFIG_STALE]] = int(self._policy.stale)
      for action in actions:
        self._Do(action)
      # What was done may have had consequences
      actions = self._policy.TakeActions()

  def _Do(self, action: policy.Action) -> None:
    if isinstance(action, policy.Say):
      logging.log(action.level, "%s", action.text)
    elif isinstance(action, policy.Count):
      self._row[counters.INDEX[action.counter]] += 1
    elif isinstance(action, policy.Start):
      self._Start(action.number)
    else:
      item = self._generations[action.number]
      if isinstance(action, policy.Order):
        item.Order(action.order)
      elif isinstance(action, policy.Finish):
        item.Finish()
      elif isinstance(action, policy.Kill):
        item.Kill()
      else:
        self._Close(item)

  def _Start(self, number: int) -> None:
    """Starts a generation: has the spare loader load, or another process.

    """
    item = self._spare
    if item and item.number == number and self._spare_prepared:
      self._spare = None
      self._spare_failure = None
      item.Order(messages.LOAD)
      self._generations[number] = item
      self._policy.Started(number, item.pid, spare=True)
      return
    # It would be no quicker than another, and its number is taken
    self._DropSpare()
    try:
      item = generation.Generation(self._setup, number, self._OwnFds())
    except OSError as err:
      self._policy.CannotStart(number, str(err.strerror), time.monotonic())
    else:
      self._generations[number] = item
      self._policy.Started(number, item.pid)

  def _Close(self, item: generation.Generation) -> None:
    item.Close()
    del self._generations[item.number]

  # The spare loader

  def _KeepSpare(self, now: float) -> None:
    """Sees to it that a spare loader is there when it may be of use.

    """
    if not self._policy.busy:
      # Nothing is served, nor may be for long
      self._DropSpare()
    elif (self._spare is None and self._policy.wants_spare and
          now >= self._spare_due):
      try:
        self._spare = generation.Generation(
          self._setup, self._policy.next_number, self._OwnFds(), spare=True)
        self._spare_prepared = False
      except OSError as err:
        self._NoteSpareFailed("Cannot start a spare loader: %s" % err.strerror)

  def _NoteSpareFailed(self, what: str) -> None:
    """Plans the next try to start a spare loader.

    @param what: is written to the log unless it was before, and no spare loader
      was of use since

    """
    now = time.monotonic()
    delay = self._spare_backoff.Failed(now)
    self._spare_due = now + delay
    if what != self._spare_failure:
      self._spare_failure = what
      logging.error("%s; tried again in %d s, without further messages", what,
                    delay)

  def _DropSpare(self) -> None:
    if self._spare:
      self._spare.Kill()
      self._spare.Close()
      self._spare = None

  def _ReadSpare(self, item: generation.Generation) -> None:
    """Takes note of what the spare loader says, or that it is gone.

    """
    (found, gone) = item.Read()
    if found:
      self._spare_prepared = True
    if gone:
      self._AwaitExit(item)
      self._spare = None
      item.Close()
      self._NoteSpareFailed("The spare loader died (%s)" %
                            process.DescribeEnd(item.exit_code))

  def _OwnFds(self) -> List[int]:
    """Returns the descriptors that a new process must not inherit.

    """
    fds = [*self._signals.fds, *self._keeper.OpenFds()]
    if self._watch.fileno() >= 0:
      fds.append(self._watch.fileno())
    for item in self._AllGenerations():
      fds.extend(item.OpenFds())
    return fds

  def _AllGenerations(self) -> List[generation.Generation]:
    """Returns all generations, and what is to become one.

    """
    return [*self._generations.values(), *filter(None, [self._spare])]

  def _ForkHelper(self, function: Callable[[], None]) -> int:
    """Runs a function in a child that the daemon need not wait for.

    The child may take long: it must not keep the port, nor the keeper.

    @return: process id
    @raise OSError: there are too many processes, or the like

    """
    return process.Fork(function, [*self._OwnFds(), self._setup.sock.fileno(),
                                   self._keeper.write_fd])

  def _StartKeeper(self) -> None:
    """Starts the process that keeps the pid file, or tries to.

    """
    try:
      self._keeper.Start()
    except OSError as err:
      logging.error("Cannot start the process that keeps the pid file: %s;"
                    " tried again in %d s", err.strerror, self._DelayKeeper())

  def _DelayKeeper(self) -> float:
    """Plans the next try to start that process.

    @return: seconds until then

    """
    now = time.monotonic()
    delay = self._keeper_backoff.Failed(now)
    self._keeper_due = now + delay
    return delay

  # systemd

  def _Notify(self, now: float) -> None:
    """Tells systemd how the daemon is.

    A node that has nothing to serve is as well as one that serves: restarting
    the daemon there would help nobody.

    """
    if not self._told_ready and not self._policy.starting:
      self._told_ready = True
      self._notifier.Ready()
    if self._notifier.interval is None or now < self._trial_due:
      return
    self._trial_due = now + self._notifier.interval
    key = self._policy.served_key
    if key is not None:
      if self._trial_pid is None:
        self._StartTrial(bytes.fromhex(key))
    elif self._policy.silence_is_right:
      self._notifier.Alive()

  def _StartTrial(self, key: bytes) -> None:
    """Starts a process that asks this daemon a question.

    """
    address = self._setup.sock.getsockname()

    def _Main() -> None:
      try:
        watchdog.Ask(address, key)
      except errors.GenericError as err:
        logging.warning("Asking myself for the watchdog: %s", err)
        os._exit(os.EX_UNAVAILABLE)

    try:
      self._trial_pid = self._ForkHelper(_Main)
    except OSError as err:
      logging.error("Cannot start a process for the watchdog: %s",
                    err.strerror)

  # What happens

  def _Wait(self) -> None:
    """Waits for something to happen, and tells the policy.

    """
    now = time.monotonic()
    timeout = self._watch.interval
    can_load = self._policy.CanLoad(now)
    if not can_load:
      timeout = min(timeout, _KEY_INTERVAL)
    spare_due = self._spare_due if self._policy.wants_spare else None
    for due in (self._policy.Wakeup(now), self._keeper_due, spare_due,
                self._trial_due if self._notifier.interval else None):
      if due is not None and now < due:
        timeout = min(timeout, due - now)
    generations = list(self._generations.values())
    spare = self._spare
    sources: List[Any] = [self._signals, *self._AllGenerations()]
    # Hints are of no use while nothing can be loaded, and there may be many
    if self._watch.fileno() >= 0 and can_load:
      sources.append(self._watch)
    if self._policy.discards:
      sources.append(self._setup.sock)
    readable = process.Wait(sources, timeout)
    for item in generations:
      if item in readable:
        self._ReadMessages(item)
    # What was read may have led to its use
    if spare and spare in readable and spare is self._spare:
      self._ReadSpare(spare)
    if self._watch in readable:
      self._watch.Read()
    if self._setup.sock in readable:
      self._Drain()
    self._HandleSignals()
    self._policy.TimePassed(time.monotonic())
    self._Act()

  def _ReadMessages(self, item: generation.Generation) -> None:
    """Passes on what a generation says, or that it is gone.

    """
    (found, gone) = item.Read()
    now = time.monotonic()
    for message in found:
      self._policy.Said(item.number, message, now)
    if gone:
      if not item.finishing:
        self._AwaitExit(item)
      how = process.DescribeEnd(item.exit_code)
      self._Close(item)
      self._policy.Gone(item.number, how, now)
    self._Act()

  def _AwaitExit(self, item: generation.Generation) -> None:
    """Waits for a loader that has closed all it had, to know how it ends.

    """
    for _ in range(_EXIT_TRIES):
      self._HandleEnds(process.Reap())
      if item.exit_code is not None:
        return
      time.sleep(_EXIT_PAUSE)

  def _Drain(self) -> None:
    """Throws away what nobody can answer.

    """
    for _ in range(_DRAIN_BATCH):
      try:
        self._setup.sock.recv(1, socket.MSG_DONTWAIT)
      except BlockingIOError:
        return
      self._row[counters.INDEX[counters.DROPPED_UNCONFIGURED]] += 1

  def _HandleSignals(self) -> None:
    signums = self._signals.Read()
    if signal.SIGCHLD in signums:
      self._HandleEnds(process.Reap())
      self._FindLostLoaders()
    if signal.SIGUSR1 in signums:
      self._LogCounters()
    if signal.SIGHUP in signums:
      self._reopen_logs()
      # Also where nothing has changed: that makes processes with the new log
      logging.info("Reopened the log; loading the configuration again")
      self._DropSpare()
      self._policy.Hangup()
    if signums & {signal.SIGTERM, signal.SIGINT}:
      self._stop = True

  def _HandleEnds(self, ended: List[Any]) -> None:
    """Takes note of children that have ended.

    @param ended: from L{process.Reap}

    """
    for (pid, code) in ended:
      for item in self._AllGenerations():
        if pid == item.pid:
          item.exit_code = code
      if pid == self._keeper.pid:
        self._keeper.pid = None
        logging.error("Process %d, which keeps the pid file, died (%s);"
                      " replaced in %d s", pid, process.DescribeEnd(code),
                      self._DelayKeeper())
      elif pid == self._watch.pid:
        self._watch.pid = None
      elif pid == self._trial_pid:
        self._trial_pid = None
        if code == os.EX_OK:
          self._notifier.Alive()

  def _FindLostLoaders(self) -> None:
    """Looks for loaders that died while a child of theirs lives.

    A child that is stopped or cannot end would hold the status pipe for ever.

    """
    for item in list(self._generations.values()):
      if item.exit_code is None:
        continue
      # Most often all of them are gone, and the pipe says so
      self._ReadMessages(item)
      if item.number in self._generations:
        self._policy.LoaderDied(item.number,
                                process.DescribeEnd(item.exit_code),
                                time.monotonic())

  def _LogCounters(self) -> None:
    for (name, value) in self._setup.counters.Sum().items():
      logging.info("Counter %s: %d", name, value)

  def _Shutdown(self) -> None:
    """Ends all generations.

    """
    deadline = time.monotonic() + _STOP_TIMEOUT
    self._DropSpare()
    self._policy.Stop(time.monotonic())
    self._Act()
    while self._policy.busy and time.monotonic() < deadline:
      self._Wait()
    if self._trial_pid:
      process.End(self._trial_pid)
    self._watch.Close()
    # Last, as what is killed before needs it
    self._keeper.Stop()
    # Free for the next daemon before the pid file goes
    self._setup.sock.close()

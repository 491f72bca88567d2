#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The daemon's first process: it watches files and replaces generations.

Rule: the supervisor never parses the configuration, so that no content of that
file can crash it.

Rule: the supervisor opens the UDP socket, and every generation inherits it. A
new generation starts to read when the old one has stopped reading; datagrams
that arrive in between wait in the socket's queue. So no request is lost, and
the serial number in replies never decreases.

Rule: L{policy} decides. This module reports events to the policy, and carries
out the actions that the policy returns. The event loop blocks only in
L{Supervisor._Wait}, and for a limited time while a process that was killed, or
has closed its pipe, comes to its end.

"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time

from ganeti import errors
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
from ganeti.confd.serving import counters
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any, Callable, Optional


#: The delays before the keeper of the pid file is started again, as arguments
#: of L{backoff.Backoff} (seconds)
_KEEPER_DELAY = (5.0, 5.0, 5.0)

#: The delays before a spare loader that died is replaced, as arguments of
#: L{backoff.Backoff} (seconds)
_SPARE_DELAY = (1.0, 10.0, 10.0)

#: Time limit for the shutdown, in seconds; generations that have not ended by
#: then are left behind
_STOP_TIMEOUT = 3.0

#: Number of attempts to get a loader's exit code, and time between two attempts
#: (seconds). A loader whose status pipe is at end of file may need a moment
#: more to end.
_EXIT_TRIES = 20
_EXIT_PAUSE = 0.001

#: Time between two checks of the key file's state while a change would not be
#: loaded at once (seconds)
_KEY_INTERVAL = 0.25

#: Maximum number of datagrams to discard in one turn of the event loop, while
#: no configuration can be served
_DRAIN_BATCH = 1000


class Supervisor:
  """Runs the generations, so that the newest usable configuration is served.

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
    #: Maps the number of each generation to its handle; generations that were
    #: told to finish are included
    self._generations: dict[int, generation.Generation] = {}
    #: State of the key file when its mode was last checked, and the warning
    #: about the mode; None for no warning
    self._key_state: Any = None
    self._key_warning: Optional[str] = None
    self._keeper_backoff = backoff.Backoff(*_KEEPER_DELAY)
    self._keeper_due = 0.0
    #: The spare loader, and whether it has reported that it waits for the order
    #: to load
    self._spare: Optional[generation.Generation] = None
    self._spare_prepared = False
    self._spare_backoff = backoff.Backoff(*_SPARE_DELAY)
    self._spare_due = 0.0
    self._spare_failure: Optional[str] = None
    self._stop = False
    self._ready_sent = False
    #: Process id of the child that sends this daemon a request for systemd's
    #: watchdog, None for no child; and the time to start the next such child
    #: (monotonic clock)
    self._probe_pid: Optional[int] = None
    self._probe_due = time.monotonic()

  def Run(self) -> None:
    """Runs the daemon until SIGTERM or SIGINT.

    """
    while not self._stop:
      if not self._keeper.pid and time.monotonic() >= self._keeper_due:
        self._StartKeeper()
      self._watch.Renew()
      self._CheckFiles()
      self._Act()
      self._KeepSpare(time.monotonic())
      self._Notify(time.monotonic())
      self._Wait()
    self._notifier.Stopping()
    self._Shutdown()

  # The state of the configuration file and the key file

  def _CheckFiles(self) -> None:
    files = messages.Files(filestate.FileState(self._setup.config_file),
                           filestate.FileState(self._setup.key_file))
    if files.key != self._key_state:
      self._key_state = files.key
      self._CheckKeyMode()
    self._policy.FilesSeen(files, time.monotonic())

  def _CheckKeyMode(self) -> None:
    """Logs each new warning about the mode of the key file once.

    """
    warning = localnode.KeyWarning(self._setup.key_file)
    if warning and warning != self._key_warning:
      logging.warning(warning)
    self._key_warning = warning

  # Carrying out the policy's actions

  def _Act(self) -> None:
    """Carries out the policy's actions.

    """
    actions = self._policy.TakeActions()
    while actions:
      # Set the counter CONFIG_STALE before an action tells a generation to
      # serve, so that its first answer to STATS has the new value
      self._row[counters.INDEX[counters.CONFIG_STALE]] = int(self._policy.stale)
      for action in actions:
        self._Do(action)
      # Take the actions that the policy has added while the actions above were
      # carried out
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
    """Starts a generation: with the spare loader if prepared, else a new one.

    """
    item = self._spare
    if item and item.number == number and self._spare_prepared:
      self._spare = None
      self._spare_failure = None
      item.Order(messages.LOAD)
      self._generations[number] = item
      self._policy.Started(number, item.pid, spare=True)
      return
    # Start a new process. First kill any spare loader: it cannot be used now,
    # and may have been started under the same generation number.
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

  # Starting, reading from and ending the spare loader

  def _KeepSpare(self, now: float) -> None:
    """Starts the spare loader if the policy wants one, or ends it.

    """
    if not self._policy.busy:
      # There may be no generation for a long time: free the memory of the spare
      # loader
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

    @param what: message for the log, which is not repeated until a spare loader
      was used

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
    """Reads messages of the spare loader, or the end of file if it died.

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

  def _OwnFds(self) -> list[int]:
    """Returns the descriptors that a new process must not inherit.

    """
    fds = [*self._signals.fds, *self._keeper.OpenFds()]
    if self._watch.fileno() >= 0:
      fds.append(self._watch.fileno())
    for item in self._AllGenerations():
      fds.extend(item.OpenFds())
    return fds

  def _AllGenerations(self) -> list[generation.Generation]:
    """Returns all generations, and the spare loader, if there is one.

    """
    return [*self._generations.values(), *filter(None, [self._spare])]

  def _ForkHelper(self, function: Callable[[], None]) -> int:
    """Runs a function in a child that may outlive the daemon.

    The child closes the UDP socket and the keeper's pipe: as long as it held
    them, the next daemon could not bind the port, and the pid file would stay.

    @return: process id
    @raise OSError: there are too many processes, or the like

    """
    return process.Fork(function, [*self._OwnFds(), self._setup.sock.fileno(),
                                   self._keeper.write_fd])

  def _StartKeeper(self) -> None:
    """Starts the keeper of the pid file; a failure is logged and tried again.

    """
    try:
      self._keeper.Start()
    except OSError as err:
      logging.error("Cannot start the process that keeps the pid file: %s;"
                    " tried again in %d s", err.strerror, self._DelayKeeper())

  def _DelayKeeper(self) -> float:
    """Plans the next try to start the keeper.

    @return: seconds until that try

    """
    now = time.monotonic()
    delay = self._keeper_backoff.Failed(now)
    self._keeper_due = now + delay
    return delay

  # Notifications to systemd, and the requests for its watchdog

  def _Notify(self, now: float) -> None:
    """Sends systemd the daemon's readiness, and the watchdog's keep-alive.

    The keep-alive is sent if the daemon answers a request; or while the daemon
    has nothing that could be served, when a restart would not help.

    """
    if not self._ready_sent and not self._policy.starting:
      self._ready_sent = True
      self._notifier.Ready()
    if self._notifier.interval is None or now < self._probe_due:
      return
    self._probe_due = now + self._notifier.interval
    key = self._policy.served_key
    if key is not None:
      if self._probe_pid is None:
        self._StartProbe(bytes.fromhex(key))
    elif self._policy.may_be_silent:
      self._notifier.Alive()

  def _StartProbe(self, key: bytes) -> None:
    """Starts a child that sends this daemon a request, for the watchdog.

    """
    address = self._setup.sock.getsockname()

    def _Main() -> None:
      try:
        watchdog.Ask(address, key)
      except errors.GenericError as err:
        logging.warning("Asking myself for the watchdog: %s", err)
        os._exit(os.EX_UNAVAILABLE)

    try:
      self._probe_pid = self._ForkHelper(_Main)
    except OSError as err:
      logging.error("Cannot start a process for the watchdog: %s",
                    err.strerror)

  # Waiting for events, and handling them

  def _Wait(self) -> None:
    """Waits for events or a deadline, handles them, and informs the policy.

    """
    now = time.monotonic()
    timeout = self._watch.interval
    can_load = self._policy.CanLoad(now)
    if not can_load:
      timeout = min(timeout, _KEY_INTERVAL)
    spare_due = self._spare_due if self._policy.wants_spare else None
    for due in (self._policy.Wakeup(now), self._keeper_due, spare_due,
                self._probe_due if self._notifier.interval else None):
      if due is not None and now < due:
        timeout = min(timeout, due - now)
    generations = list(self._generations.values())
    spare = self._spare
    sources: list[Any] = [self._signals, *self._AllGenerations()]
    # Do not wait for inotify while a change would not be loaded at once:
    # thousands of events might wake the loop for nothing
    if self._watch.fileno() >= 0 and can_load:
      sources.append(self._watch)
    if self._policy.discards:
      sources.append(self._setup.sock)
    readable = process.Wait(sources, timeout)
    for item in generations:
      if item in readable:
        self._ReadMessages(item)
    # Skip a process that is no longer the spare loader: because of the messages
    # just read, the policy may have ordered the process to load
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
    """Passes a generation's messages, or its end of file, to the policy.

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
    """Waits a moment for the exit code of a loader that has closed its pipe.

    """
    for _ in range(_EXIT_TRIES):
      self._HandleEnds(process.Reap())
      if item.exit_code is not None:
        return
      time.sleep(_EXIT_PAUSE)

  def _Drain(self) -> None:
    """Discards datagrams that no generation can answer, and counts them.

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
      # Besides reopening the log, SIGHUP loads the configuration again, even if
      # it has not changed
      logging.info("Reopened the log; loading the configuration again")
      self._DropSpare()
      self._policy.Hangup()
    if signums & {signal.SIGTERM, signal.SIGINT}:
      self._stop = True

  def _HandleEnds(self, ended: list[Any]) -> None:
    """Handles children that have ended, the pid file's keeper among them.

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
      elif pid == self._probe_pid:
        self._probe_pid = None
        if code == os.EX_OK:
          self._notifier.Alive()

  def _FindLostLoaders(self) -> None:
    """Reports to the policy each loader that died and left a child behind.

    The end of file of the status pipe is no sufficient sign: a child that is
    stopped (SIGSTOP), or cannot end, would hold the pipe open for ever.

    """
    for item in list(self._generations.values()):
      if item.exit_code is None:
        continue
      # Read the status pipe first. Usually the loader's children have ended,
      # too, so that the pipe is at end of file, and _ReadMessages reports the
      # generation's end.
      self._ReadMessages(item)
      if item.number in self._generations:
        self._policy.LoaderDied(item.number,
                                process.DescribeEnd(item.exit_code),
                                time.monotonic())

  def _LogCounters(self) -> None:
    for (name, value) in self._setup.counters.Sum().items():
      logging.info("Counter %s: %d", name, value)

  def _Shutdown(self) -> None:
    """Ends all processes, and closes the socket.

    """
    deadline = time.monotonic() + _STOP_TIMEOUT
    spare = self._spare
    self._DropSpare()
    self._policy.Stop(time.monotonic())
    self._Act()
    while self._policy.busy and time.monotonic() < deadline:
      self._Wait()
    if spare:
      # Wait for the end of the killed spare loader: until then it holds the UDP
      # socket, and the next daemon could not bind the port
      process.AwaitEnd(spare.pid)
    if self._probe_pid:
      process.End(self._probe_pid)
    self._watch.Close()
    # Stop the keeper last: if the supervisor is killed during the shutdown, the
    # keeper has to remove the pid file
    self._keeper.Stop()
    # Close the socket before the pid file is removed: a daemon that is started
    # then finds the port free
    self._setup.sock.close()

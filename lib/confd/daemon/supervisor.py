#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The daemon's first process: it watches files and replaces generations.

It never parses the configuration, so nothing that is in there can end it. It
holds the socket, which every generation inherits: a new one starts to read when
the old one is gone, and what comes in between waits in the socket's queue. So
no request is lost, and the serial number never goes back.

"""

import logging
import os
import select
import signal
import socket
import time

from ganeti import constants
from ganeti import errors
from ganeti.confd import counters
from ganeti.confd import filestate
from ganeti.confd import localnode
from ganeti.confd.daemon import generation
from ganeti.confd.daemon import inotify
from ganeti.confd.daemon import process
from ganeti.confd.daemon import systemd


#: Seconds between the starts of two generations
_RELOAD_INTERVAL = constants.CONFD_CONFIG_RELOAD_RATELIMIT / 1000000

#: Reloading takes at most a quarter of a core. What the loader reports is
#: without the forks and the end of its generation, hence more than four.
_RELOAD_CPU_FACTOR = 5

#: Seconds until files that could not be loaded are tried again, unchanged
_RETRY_INTERVAL = 10

#: Seconds until a generation that died is replaced: doubled each time
_RESTART_DELAY = (0.1, 10.0)
#: Seconds that a generation has to serve to have the delay forgotten
_RESTART_FORGET = 5.0

#: Seconds until it is tried again to start the keeper of the pid file
_KEEPER_INTERVAL = 5

#: Seconds after which a loader that says nothing is killed
_LOAD_TIMEOUT = 300

#: Seconds after which a generation that was told to finish is killed
_FINISH_TIMEOUT = 0.8
#: Seconds within which the children of a loader that was killed are gone
_ORPHANS_TIMEOUT = 0.1

#: Datagrams thrown away at a time where there is nothing to answer with
_DRAIN_BATCH = 1000


class Supervisor:
  """Sees to it that the newest usable configuration is served.

  """
  def __init__(self, setup, keeper, notifier, reopen_logs):
    """@type setup: L{generation.Setup}
    @type keeper: L{pidfile.Keeper}
    @type notifier: L{systemd.Notifier}
    @type reopen_logs: callable without arguments

    """
    self._setup = setup
    self._keeper = keeper
    self._notifier = notifier
    self._reopen_logs = reopen_logs
    self._row = setup.counters.Row(0)
    self._watch = inotify.Watch(os.path.dirname(setup.config_file))
    self._signals = process.SignalQueue([signal.SIGTERM, signal.SIGINT,
                                         signal.SIGHUP, signal.SIGUSR1,
                                         signal.SIGCHLD])
    self._number = 0
    #: The generation that answers, and the one that is to replace it
    self._serving = None
    self._loading = None
    #: Whether the one that is loading has said that it is ready
    self._ready = False
    #: Generations that were told to finish
    self._leaving = []
    #: What was loaded last, or tried to be, as from _FileStates
    self._tried = None
    self._failure = None
    self._warnings = []
    #: The key's file when its mode was looked at, and what was said of that
    self._key_state = None
    self._key_warning = None
    self._not_before = 0
    self._retry_at = None
    self._restart_delay = 0
    self._keeper_due = 0
    self._silent = False
    self._hangup = False
    self._stop = False
    self._told_ready = False
    self._next_trial = time.monotonic()
    self._trial_pid = None

  def Run(self):
    """Runs the daemon until it is told to stop.

    """
    while not self._stop:
      if not self._keeper.pid and time.monotonic() >= self._keeper_due:
        self._StartKeeper()
      self._watch.Renew()
      self._CheckFiles()
      self._Notify(time.monotonic())
      self._Wait()
    self._notifier.Stopping()
    self._Shutdown()

  def _FileStates(self):
    return (filestate.FileState(self._setup.config_file),
            filestate.FileState(self._setup.key_file))

  def _Generations(self):
    return [item for item in [self._serving, self._loading] + self._leaving
            if item]

  def _OwnFds(self):
    """Returns the descriptors that a new process must not inherit.

    """
    fds = list(self._signals.fds)
    if self._watch.fileno() >= 0:
      fds.append(self._watch.fileno())
    for item in self._Generations():
      fds.extend(item.OpenFds())
    return fds

  def _StartKeeper(self):
    """Starts the process that keeps the pid file, or tries to.

    """
    # The port is free when nobody serves any more
    try:
      self._keeper.Start(self._OwnFds() + [self._setup.sock.fileno()])
    except OSError as err:
      self._keeper_due = time.monotonic() + _KEEPER_INTERVAL
      logging.error("Cannot start the process that keeps the pid file: %s;"
                    " tried again in %d s", err.strerror, _KEEPER_INTERVAL)

  # Files

  def _CheckFiles(self):
    """Compares the files with what is served, and acts on it.

    """
    states = self._FileStates()
    if states[1] != self._key_state:
      self._key_state = states[1]
      self._CheckKeyMode()
    if None in states:
      self._FallSilent(states)
      return
    if self._silent:
      self._silent = False
      logging.info("Configuration and key are there again")
    now = time.monotonic()
    if self._loading:
      return
    if (states != self._tried or self._hangup or
        (self._retry_at is not None and now >= self._retry_at)):
      if now >= self._not_before:
        self._Load(states, now)

  def _CheckKeyMode(self):
    """Says who else can get at the key, once.

    """
    warning = localnode.KeyWarning(self._setup.key_file)
    if warning and warning != self._key_warning:
      logging.warning(warning)
    self._key_warning = warning

  def _FallSilent(self, states):
    """Ends whatever serves, since there is nothing left to serve.

    """
    if self._loading:
      self._NoteLost(self._loading)
    for item in (self._serving, self._loading):
      if item:
        self._Leave(item)
    self._serving = None
    self._loading = None
    self._tried = None
    self._retry_at = None
    self._failure = None
    if not self._silent:
      self._silent = True
      paths = [self._setup.config_file, self._setup.key_file]
      missing = [path for (path, state) in zip(paths, states) if state is None]
      logging.info("No %s: this node is no master candidate; silent until it"
                   " is there", " and no ".join(missing))

  def _Load(self, states, now):
    """Starts a generation.

    """
    self._number += 1
    self._hangup = False
    self._tried = states
    self._retry_at = None
    self._not_before = now + _RELOAD_INTERVAL
    self._ready = False
    try:
      self._loading = generation.Generation(self._setup, self._number,
                                            self._OwnFds())
    except OSError as err:
      self._Failed("No process to load it with: %s" % err.strerror)
      self._RetrySoon()

  # Generations

  def _Leave(self, item):
    item.Finish()
    self._leaving.append(item)

  def _HandleGeneration(self, item):
    """Acts on what a generation says, or on its end.

    """
    (messages, gone) = item.Read()
    for message in messages:
      if "ready" in message:
        self._HandleReady(item, message)
      elif "failed" in message:
        self._HandleFailed(item, message)
      elif "died" in message:
        self._row[counters.INDEX[counters.WORKER_RESTARTS]] += 1
    if gone:
      self._HandleGone(item)
    self._HandOver()

  def _NoteCost(self, item, message):
    """Spaces out the next load by what this one cost.

    """
    self._not_before = max(self._not_before, item.started +
                           _RELOAD_CPU_FACTOR * message["cpu"])
    self._tried = tuple(tuple(state) if state else None
                        for state in message["state"])

  def _NoteLost(self, item):
    """Spaces out the next load where a loader ended without a word.

    It may have used all the time that passed.

    """
    now = time.monotonic()
    cost = _RELOAD_CPU_FACTOR * (now - item.started)
    self._not_before = max(self._not_before,
                           min(item.started + cost, now + _RETRY_INTERVAL))

  def _HandleReady(self, item, message):
    if item is not self._loading:
      return
    self._NoteCost(item, message)
    (_, item.key_state) = self._tried
    self._ready = True
    self._failure = None
    self._row[counters.INDEX[counters.RELOADS]] += 1
    logging.info("Loaded %s: serial number %d, %.3f s of CPU time",
                 self._setup.config_file, message["ready"], message["cpu"])
    if message["warnings"] != self._warnings:
      self._warnings = message["warnings"]
      for text in self._warnings:
        logging.warning("%s: %s", self._setup.config_file, text)
      if message["more_warnings"]:
        logging.warning("%s: %d more like these", self._setup.config_file,
                        message["more_warnings"])
    if self._serving:
      self._Leave(self._serving)
      self._serving = None

  def _HandleFailed(self, item, message):
    if item is not self._loading:
      return
    self._NoteCost(item, message)
    self._Leave(item)
    self._Failed(message["failed"])

  def _Failed(self, text):
    """Notes that the files could not be loaded; logged once per reason.

    """
    self._row[counters.INDEX[counters.RELOADS_FAILED]] += 1
    self._retry_at = time.monotonic() + _RETRY_INTERVAL
    self._loading = None
    if text != self._failure:
      self._failure = text
      logging.error("Cannot load the configuration: %s. %s; tried again when"
                    " it changes, and every %d s.", text,
                    "The last good one is served on" if self._serving else
                    "Nothing is served", _RETRY_INTERVAL)
    # The old key may be known to the wrong people: a new one counts whatever
    # the configuration looks like
    (_, key_state) = self._tried
    if self._serving and self._serving.key_state != key_state:
      self._serving.RenewKey(key_state)

  def _HandleGone(self, item):
    item.Close()
    if item in self._leaving:
      self._leaving.remove(item)
      return
    if item is self._loading and not self._ready:
      self._NoteLost(item)
      self._Failed("The loading process, %d, died" % item.pid)
      self._RetrySoon()
      return
    # It served, or was about to
    self._row[counters.INDEX[counters.GENERATION_RESTARTS]] += 1
    logging.error("The serving processes died; starting new ones")
    if item is self._serving:
      self._serving = None
    else:
      self._loading = None
    if self._loading:
      # That will serve
      return
    self._tried = None
    now = time.monotonic()
    if item.told_to_serve and now - item.told_to_serve > _RESTART_FORGET:
      self._restart_delay = 0
    # Whatever the last load cost: nobody answers
    self._not_before = now + self._NextDelay()

  def _NextDelay(self):
    """Returns how long to wait before another generation is started.

    """
    delay = self._restart_delay
    (first, most) = _RESTART_DELAY
    self._restart_delay = min(most, max(first, 2 * delay))
    return delay

  def _RetrySoon(self):
    """Has loading tried again soon if nobody answers meanwhile.

    """
    if not self._serving:
      self._retry_at = time.monotonic() + self._NextDelay()

  def _HandOver(self):
    """Lets a generation that is ready serve, when the old one is gone.

    """
    if self._loading and self._ready and not self._leaving:
      self._serving = self._loading
      self._loading = None
      self._serving.Go()

  def _KillOverdue(self, now):
    for item in self._leaving:
      if now - item.told_to_finish > _FINISH_TIMEOUT and item.Kill():
        logging.error("Process %d did not finish and was killed", item.pid)
    if (self._loading and not self._ready and
        now - self._loading.started > _LOAD_TIMEOUT and self._loading.Kill()):
      logging.error("Process %d had been loading for %d s and was killed",
                    self._loading.pid, _LOAD_TIMEOUT)

  # systemd

  def _Notify(self, now):
    """Tells systemd how the daemon is.

    A node that has nothing to serve is as well as one that serves: restarting
    the daemon there would help nobody.

    """
    if not self._told_ready and (self._serving or not self._loading):
      self._told_ready = True
      self._notifier.Ready()
    if self._notifier.interval and now >= self._next_trial:
      self._next_trial = now + self._notifier.interval
      # Where the files cannot be used it is not the key's on disk that serves,
      # and what serves must not be restarted
      if not self._serving or self._failure:
        self._notifier.Alive()
      elif not self._trial_pid:
        address = self._setup.sock.getsockname()
        # A trial may take long: it must not keep the port, nor the keeper
        close_fds = self._OwnFds() + [self._setup.sock.fileno(),
                                      self._keeper.write_fd]
        try:
          self._trial_pid = process.Fork(lambda: self._Trial(address),
                                         close_fds)
        except OSError as err:
          logging.error("Cannot start a process for the watchdog: %s",
                        err.strerror)

  def _Trial(self, address):
    try:
      systemd.Try(address, self._setup.key_file)
    except errors.GenericError as err:
      logging.warning("Asking myself for the watchdog: %s", err)
      os._exit(os.EX_UNAVAILABLE)

  # The loop

  def _Wait(self):
    """Waits for something to happen, and acts on it.

    """
    now = time.monotonic()
    # Between generations the queue is kept for the next one, if it is known
    # what that could serve
    drain = not self._Generations() and (self._silent or self._failure)
    timeout = inotify.POLL_INTERVAL
    for due in (self._not_before, self._retry_at or 0):
      if now < due:
        timeout = min(timeout, due - now)
    generations = self._Generations()
    sources = [self._signals] + generations
    # Hints are of no use while nothing can follow from them, and there may be
    # many
    if self._watch.fileno() >= 0 and not (
        self._loading or now < self._not_before):
      sources.append(self._watch)
    if drain:
      sources.append(self._setup.sock)
    (readable, _, _) = select.select(sources, [], [], timeout)
    for item in generations:
      if item in readable:
        self._HandleGeneration(item)
    if self._watch in readable:
      self._watch.Read()
    if self._setup.sock in readable:
      self._Drain()
    self._HandleSignals()
    self._KillOverdue(time.monotonic())

  def _Drain(self):
    """Throws away what nobody can answer.

    """
    for _ in range(_DRAIN_BATCH):
      try:
        self._setup.sock.recv(1, socket.MSG_DONTWAIT)
      except BlockingIOError:
        return
      self._row[counters.INDEX[counters.DROPPED_UNCONFIGURED]] += 1

  def _HandleSignals(self):
    signums = self._signals.Read()
    if signal.SIGCHLD in signums:
      self._HandleChildren(process.Reap())
    if signal.SIGUSR1 in signums:
      self._LogCounters()
    if signal.SIGHUP in signums:
      self._HandleHangup()
    if signums & {signal.SIGTERM, signal.SIGINT}:
      self._stop = True

  def _HandleChildren(self, ended):
    # Generations tell of their end by their pipes
    for (pid, code) in ended:
      for item in self._Generations():
        if pid == item.pid:
          item.reaped = True
      if pid == self._keeper.pid:
        logging.error("Process %d, which keeps the pid file, died (%s);"
                      " replaced", pid, process.DescribeEnd(code))
        self._keeper.pid = None
      elif pid == self._trial_pid:
        self._trial_pid = None
        if code == os.EX_OK:
          self._notifier.Alive()

  def _HandleHangup(self):
    self._reopen_logs()
    logging.info("Reopened the log; loading the configuration again")
    # Also where nothing has changed: that makes processes with the new log
    self._hangup = True
    self._not_before = 0

  def _LogCounters(self):
    for (name, value) in self._setup.counters.Sum().items():
      logging.info("Counter %s: %d", name, value)

  def _Shutdown(self):
    """Ends all generations.

    """
    for item in (self._serving, self._loading):
      if item:
        self._Leave(item)
    self._AwaitEnd(_FINISH_TIMEOUT)
    for item in self._leaving:
      item.Kill()
    self._AwaitEnd(_ORPHANS_TIMEOUT)
    if self._trial_pid:
      process.End(self._trial_pid)
    # Last, as what is killed before needs it
    self._keeper.Stop()
    # Free for the next daemon before the pid file goes
    self._setup.sock.close()

  def _AwaitEnd(self, seconds):
    """Waits until the generations that were told to finish are gone.

    """
    deadline = time.monotonic() + seconds
    while self._leaving:
      left = deadline - time.monotonic()
      if left <= 0:
        return
      (readable, _, _) = select.select(self._leaving, [], [], left)
      for item in readable:
        if item.Read()[1]:
          item.Close()
          self._leaving.remove(item)

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The supervisor's decisions: when to load, which generation serves or ends.

L{Policy} has no effects of its own. Callers report events to it, with the time
in seconds from a monotonic clock, and it returns a list of actions. So every
decision can be tested without a process or a pause.

The states of a generation, and the transitions between them::

  state     the generation ...             next, and when
  --------  -----------------------------  -----------------------------------
  CALLED    has a spare loader, which was  LOADING: the loader reports Loading
            ordered to load                LEAVING: a file is gone
                                           KILLED: no report in time, or the
                                             loader died; another is started
  LOADING   reads the files                READY: the loader reports Ready
                                           LEAVING: the loader reports Failed,
                                             or a file is gone
                                           KILLED: no report in time, or the
                                             loader died
  READY     could serve, and waits until   SERVING: no other generation is
            the old one has stopped          LEAVING or KILLED any more
                                           LEAVING: a file is gone
                                           KILLED: the loader died
  SERVING   answers                        LEAVING: a newer one is READY, or
                                             a file is gone
                                           KILLED: the loader died
  LEAVING   was told to finish             STOPPED: the loader reports Stopped
                                           KILLED: no report in time, or the
                                             loader died before its children
  STOPPED   neither reads nor answers      none: the rest is killed and the
            any more; its processes end      generation forgotten if they do
                                             not end in time, or if the loader
                                             ended before its children
  KILLED    was killed as a whole          none: the generation is forgotten
                                             after a while, even if a process
                                             is left

In each state a generation is forgotten as soon as no process of it is left. At
most one generation is SERVING, and at most one is CALLED, LOADING or READY. A
new generation starts as CALLED if a spare loader is prepared, and otherwise as
LOADING.

Rule 1: an unusable configuration or key never replaces one that is served. A
generation that died is replaced at once, with a back-off if that happens again
and again.

Rule 2: no generation serves while the configuration or the key is missing.

Rule 3: every wait for a process has a time limit.

"""

from __future__ import annotations

import enum
import logging

from ganeti import constants
from ganeti.confd.daemon import backoff
from ganeti.confd.daemon import messages
from ganeti.confd.serving import counters
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Iterator, Optional, Union


#: Minimum time between the starts of two generations (seconds)
_RELOAD_INTERVAL = constants.CONFD_CONFIG_RELOAD_RATELIMIT / 1000000

#: Minimum time between the starts of two loads, as a multiple of the CPU time
#: of the earlier load: reloading must take at most a quarter of a core. The
#: factor is more than four because the CPU time that a loader reports includes
#: neither the forks nor the end of its generation.
_RELOAD_CPU_FACTOR = 5

#: Files that could not be loaded are tried again after this time (seconds),
#: even if they have not changed
_RETRY_INTERVAL = 10

#: The delays before a generation that died is replaced, as arguments of
#: L{backoff.Backoff} (seconds)
_RESTART_DELAY = (0.1, 10.0, 5.0)

#: A spare loader that was ordered to load, and has not begun after this time
#: (seconds), is killed: a user may have stopped the process (SIGSTOP)
_BEGIN_TIMEOUT = 1.0

#: A loader that reports nothing within this time is killed (seconds)
_LOAD_TIMEOUT = 300

#: A generation that was told to finish, and has not stopped after this time, is
#: killed (seconds)
_FINISH_TIMEOUT = 0.8

#: A generation that has stopped, and still has processes after this time, is
#: killed (seconds). Only the daemon's shutdown waits for such a generation.
_END_TIMEOUT = 2.0

#: After this time (seconds), the daemon no longer waits for the end of a
#: generation that was killed. A killed process that waits for a disk
#: (uninterruptible sleep) may exist for ever, but never runs the daemon's code
#: again.
_KILL_TIMEOUT = 1.0


class Start(NamedTuple):
  """Start a generation, then call L{Policy.Started} or L{Policy.CannotStart}.

  """
  number: int


class Order(NamedTuple):
  """Send one of L{messages}' orders to a generation's loader.

  """
  number: int
  order: bytes


class Finish(NamedTuple):
  """Tell a generation to answer its pending requests and to end.

  """
  number: int


class Kill(NamedTuple):
  """Kill all processes of a generation.

  """
  number: int


class Forget(NamedTuple):
  """Stop waiting for the end of a generation.

  """
  number: int


class Say(NamedTuple):
  """Write a text to the log, at one of C{logging}'s levels.

  """
  level: int
  text: str


class Count(NamedTuple):
  """Increment a counter, by its name in L{counters}.

  """
  counter: str


if TYPE_CHECKING:
  Action = Union[Start, Order, Finish, Kill, Forget, Say, Count]


class State(enum.Enum):
  """The states of a generation, see the table in the module's docstring.

  """
  CALLED = "called"
  LOADING = "loading"
  READY = "ready"
  SERVING = "serving"
  LEAVING = "leaving"
  STOPPED = "stopped"
  KILLED = "killed"


#: States of a generation that is going to serve
_COMING = (State.CALLED, State.LOADING, State.READY)


class _Generation:
  """A generation's record in the policy.

  """
  def __init__(self, number: int, now: float) -> None:
    self.number = number
    self.state = State.LOADING
    #: Time at which the generation entered its present state, and time at which
    #: it was started
    self.since = now
    self.started = now
    #: Process id of the loader; 0 until the loader is started
    self.pid = 0
    #: The key that the generation signs with, in hex, and the key file's state
    self.key = ""
    self.key_state: object = None
    #: Time at which to check whether the files still have the contents that
    #: were loaded; None for no check
    self.check_at: Optional[float] = None


class Policy:
  """The state machine of all generations.

  """
  def __init__(self, config_file: str, key_file: str) -> None:
    self._paths = (config_file, key_file)
    self._generations: dict[int, _Generation] = {}
    self._number = 0
    self._actions: list[Action] = []
    #: The paths of the missing files, as text for the log; None if both the
    #: configuration and the key exist
    self._missing: Optional[str] = None
    #: The state of the files at the last attempt to load them
    self._tried: Optional[messages.Files] = None
    self._hangup = False
    #: The error of the last load; None if the last load succeeded
    self._failure: Optional[str] = None
    #: The last log message about a failure to load the files, so that the same
    #: message is not logged again
    self._failure_said: Optional[str] = None
    self._warnings: list[str] = []
    #: No generation is started before this time
    self._not_before = 0.0
    #: Time of the next attempt to load files that were unusable; None for no
    #: such attempt
    self._retry_at: Optional[float] = None
    self._restarts = backoff.Backoff(*_RESTART_DELAY)

  # Output: the actions that the supervisor has to carry out, and when to call
  # again

  def TakeActions(self) -> list[Action]:
    """Returns the actions to be done, in this order, and empties the list.

    """
    actions = self._actions
    self._actions = []
    return actions

  def Wakeup(self, now: float) -> Optional[float]:
    """Returns the next time at which L{TimePassed} has to be called.

    """
    times = [self._not_before]
    if self._retry_at is not None:
      times.append(self._retry_at)
    for item in self._generations.values():
      deadline = self._Deadline(item)
      if deadline is not None:
        times.append(deadline)
      if item.check_at is not None and item.state is State.SERVING:
        times.append(item.check_at)
    return min((time for time in times if time > now), default=None)

  # Output: the present state of the generations

  @property
  def served_key(self) -> Optional[str]:
    """The key of the SERVING generation, in hex; None if there is none.

    """
    serving = self._Find(State.SERVING)
    return serving.key if serving else None

  @property
  def stale(self) -> bool:
    """Whether the newest files could not be loaded.

    """
    return self._failure is not None

  @property
  def may_be_silent(self) -> bool:
    """Whether requests get no reply, through no fault of the daemon.

    No generation serves then, as a file is missing or unusable, or as a load is
    in progress.

    """
    return (self._Find(State.SERVING) is None and
            (self._missing is not None or self._failure is not None or
             self._Find(State.CALLED, State.LOADING) is not None))

  @property
  def discards(self) -> bool:
    """Whether the supervisor has to discard incoming datagrams.

    Between two generations, datagrams stay in the socket's queue for the next
    one, unless no generation follows, as the files are missing or unusable.

    """
    return (not self._generations and
            (self._missing is not None or self._failure is not None))

  @property
  def starting(self) -> bool:
    """Whether a generation is going to serve, and none serves yet.

    """
    return (self._Find(State.SERVING) is None and
            self._Find(*_COMING) is not None)

  @property
  def busy(self) -> bool:
    """Whether there is any generation, in any state.

    """
    return bool(self._generations)

  @property
  def wants_spare(self) -> bool:
    """Whether a spare loader should be started now.

    While one generation replaces another, a spare loader would only delay the
    replacement. While the files are unusable, its warm-up would fail.

    """
    return not self.stale and (
      [item.state for item in self._generations.values()] == [State.SERVING])

  @property
  def next_number(self) -> int:
    """The number of the next generation to be started.

    """
    return self._number + 1

  def CanLoad(self, now: float) -> bool:
    """Returns whether a change of the files would be loaded at once.

    """
    return now >= self._not_before and self._Find(*_COMING) is None

  def _Find(self, *states: State) -> Optional[_Generation]:
    for item in self._generations.values():
      if item.state in states:
        return item
    return None

  # Input: the events that the supervisor has seen

  def FilesSeen(self, files: messages.Files, now: float) -> None:
    """Handles the present state of the files.

    """
    if None in files:
      self._StopServing(files, now)
      return
    if self._missing is not None:
      self._missing = None
      self._Say(logging.INFO, "Configuration and key are there again")
    if self.CanLoad(now) and (
        files != self._tried or self._hangup or
        (self._retry_at is not None and now >= self._retry_at)):
      self._Load(files, now)
    self._FollowKey(files.key)

  def Hangup(self) -> None:
    """Handles SIGHUP: the files are loaded again, changed or not.

    """
    self._hangup = True
    self._not_before = 0.0

  def Started(self, number: int, pid: int, spare: bool = False) -> None:
    """Records that a generation was started.

    @param pid: process id of the loader
    @param spare: whether the loader is the spare one, which was told to load

    """
    item = self._generations[number]
    item.pid = pid
    if spare:
      item.state = State.CALLED

  def CannotStart(self, number: int, reason: str, now: float) -> None:
    """Handles a failure to start a generation.

    """
    del self._generations[number]
    self._LoadFailed("No process to load it with: %s" % reason, now)
    self._RetrySoon(now)

  def Said(self, number: int, message: messages.Message, now: float) -> None:
    """Handles a message from a generation.

    """
    item = self._generations[number]
    if isinstance(message, messages.Ready):
      if item.state is State.LOADING:
        self._HandleReady(item, message, now)
    elif isinstance(message, messages.Failed):
      if item.state is State.LOADING:
        self._RecordCost(item, message)
        self._Leave(item, now)
        self._LoadFailed(message.reason, now)
    elif isinstance(message, messages.Loading):
      if item.state is State.CALLED:
        self._Enter(item, State.LOADING, now)
    elif isinstance(message, messages.WorkerDied):
      self._Count(counters.WORKER_RESTARTS)
    elif isinstance(message, messages.KeyRenewed):
      item.key = message.key
    elif isinstance(message, messages.Stopped):
      # Ignore the message Stopped if the generation was not told to finish: its
      # processes end by themselves, and L{Gone} then plans a replacement
      if item.state is State.LEAVING:
        self._Enter(item, State.STOPPED, now)
    elif (isinstance(message, messages.Checked) and not message.same and
          item.state is State.SERVING):
      # Forget the state of the files, so that they are loaded again: the
      # contents have changed, but the state has not
      self._tried = None
    self._HandOver(now)

  def LoaderDied(self, number: int, how: str, now: float) -> None:
    """Handles the death of a loader that has left a child behind.

    @param how: as from L{process.DescribeEnd}

    """
    item = self._generations[number]
    active = self._IsActive(item)
    state = item.state
    if state is State.STOPPED:
      self._KillStopped(item)
    elif state is not State.KILLED:
      self._Kill(item, now)
    if active:
      self._Replace(item, state, how, now)
    self._HandOver(now)

  def Gone(self, number: int, how: str, now: float) -> None:
    """Handles the end of the last process of a generation.

    @param how: how the loader ended, as from L{process.DescribeEnd}

    """
    item = self._generations.pop(number)
    if self._IsActive(item):
      self._Replace(item, item.state, how, now)
    self._HandOver(now)

  def TimePassed(self, now: float) -> None:
    """Handles all deadlines that have passed.

    """
    for item in list(self._generations.values()):
      deadline = self._Deadline(item)
      if deadline is not None and now >= deadline:
        self._HandleOverdue(item, now)
    self._HandOver(now)
    # Look for due checks only after the hand-over: a generation that the
    # hand-over has just made SERVING may be due for a check, too
    for item in self._generations.values():
      if (item.state is State.SERVING and item.check_at is not None and
          now >= item.check_at):
        item.check_at = None
        self._actions.append(Order(item.number, messages.CHECK))

  def Stop(self, now: float) -> None:
    """Tells all generations to finish.

    """
    for item in self._Active():
      self._Leave(item, now)

  # Transitions from state to state, and the actions that follow from them

  def _Say(self, level: int, text: str) -> None:
    self._actions.append(Say(level, text))

  def _Count(self, counter: str) -> None:
    self._actions.append(Count(counter))

  @staticmethod
  def _IsActive(item: _Generation) -> bool:
    return item.state is State.SERVING or item.state in _COMING

  @staticmethod
  def _Deadline(item: _Generation) -> Optional[float]:
    """Returns the time by which a state has to end; None for no limit.

    """
    seconds = {
      State.CALLED: _BEGIN_TIMEOUT,
      State.LOADING: _LOAD_TIMEOUT,
      State.LEAVING: _FINISH_TIMEOUT,
      State.STOPPED: _END_TIMEOUT,
      State.KILLED: _KILL_TIMEOUT,
      }.get(item.state)
    return None if seconds is None else item.since + seconds

  def _Enter(self, item: _Generation, state: State, now: float) -> None:
    item.state = state
    item.since = now

  def _Leave(self, item: _Generation, now: float) -> None:
    self._Enter(item, State.LEAVING, now)
    self._actions.append(Finish(item.number))

  def _Kill(self, item: _Generation, now: float) -> None:
    self._Enter(item, State.KILLED, now)
    self._actions.append(Kill(item.number))

  def _KillStopped(self, item: _Generation) -> None:
    """Kills the remaining processes of a generation that has stopped.

    The generation is forgotten at once, as nothing waits for those processes.

    """
    self._actions.append(Kill(item.number))
    self._Forget(item)

  def _Forget(self, item: _Generation) -> None:
    self._actions.append(Forget(item.number))
    del self._generations[item.number]

  def _Active(self) -> Iterator[_Generation]:
    for item in list(self._generations.values()):
      if self._IsActive(item):
        yield item

  def _StopServing(self, files: messages.Files, now: float) -> None:
    """Tells all generations to finish because a file is missing.

    """
    for item in self._Active():
      if item.state is State.LOADING:
        self._RecordLost(item, now)
      self._Leave(item, now)
    self._tried = None
    self._retry_at = None
    self._failure = None
    self._failure_said = None
    missing = " and no ".join(path for (path, state) in zip(self._paths, files)
                              if state is None)
    if self._missing is None:
      self._Say(logging.INFO, "No %s: this node is no master candidate; silent"
                " until it is there" % missing)
    self._missing = missing

  def _FollowKey(self, key_state: object) -> None:
    """Orders generations with an old key to read the new one at once.

    The old key may have leaked, so generations must stop using it even while a
    load takes long, is delayed, or fails.

    @param key_state: the state of the key's file

    """
    for item in self._generations.values():
      if (item.state in (State.READY, State.SERVING) and
          item.key_state != key_state):
        item.key_state = key_state
        self._actions.append(Order(item.number, messages.RENEW_KEY))

  def _Load(self, files: messages.Files, now: float) -> None:
    self._number += 1
    self._hangup = False
    self._tried = files
    self._retry_at = None
    self._not_before = now + _RELOAD_INTERVAL
    self._generations[self._number] = _Generation(self._number, now)
    self._actions.append(Start(self._number))

  def _RecordCost(self, item: _Generation,
                  message: Union[messages.Ready, messages.Failed]) -> None:
    """Delays the next load by the cost of this one, and records its files.

    The files that were read may be newer than those at the loader's start.

    """
    self._not_before = max(self._not_before,
                           item.started + _RELOAD_CPU_FACTOR * message.cpu)
    self._tried = message.files

  def _RecordLost(self, item: _Generation, now: float) -> None:
    """Delays the next load after a loader that ended without a report.

    The loader may have used the processor for all the time that passed.

    """
    cost = _RELOAD_CPU_FACTOR * (now - item.started)
    self._not_before = max(self._not_before,
                           min(item.started + cost, now + _RETRY_INTERVAL))

  def _HandleReady(self, item: _Generation, message: messages.Ready,
                   now: float) -> None:
    self._RecordCost(item, message)
    item.key = message.key
    item.key_state = message.files.key
    if message.racy_seconds > 0:
      item.check_at = now + message.racy_seconds
    self._Enter(item, State.READY, now)
    # Tell the old generation to finish before the messages below are logged: it
    # can then finish while the supervisor writes to the log
    serving = self._Find(State.SERVING)
    if serving:
      self._Leave(serving, now)
    self._failure = None
    self._failure_said = None
    self._retry_at = None
    self._Count(counters.RELOADS)
    config_file = self._paths[0]
    self._Say(logging.INFO, "Loaded %s: serial number %d, %.3f s of CPU time" %
              (config_file, message.serial, message.cpu))
    if message.warnings != self._warnings:
      self._warnings = message.warnings
      for text in message.warnings:
        self._Say(logging.WARNING, "%s: %s" % (config_file, text))
      if message.more_warnings:
        self._Say(logging.WARNING, "%s: %d more like these" %
                  (config_file, message.more_warnings))

  def _LoadFailed(self, reason: str, now: float) -> None:
    """Handles a failure to load the files, and logs it once per reason.

    """
    self._Count(counters.RELOADS_FAILED)
    self._retry_at = now + _RETRY_INTERVAL
    serving = self._Find(State.SERVING)
    text = ("Cannot load the configuration: %s. %s; tried again when it"
            " changes, and every %d s." %
            (reason, "The last good one is served on" if serving else
             "Nothing is served", _RETRY_INTERVAL))
    self._failure = reason
    if text != self._failure_said:
      self._failure_said = text
      self._Say(logging.ERROR, text)

  def _RetrySoon(self, now: float) -> None:
    """Plans an early retry, with a back-off, if no generation serves.

    """
    if self._Find(State.SERVING) is None:
      self._retry_at = now + self._restarts.Failed(now)

  def _Replace(self, item: _Generation, state: State, how: str,
               now: float) -> None:
    """Plans the replacement of a generation that died.

    @param item: the generation, whose state may have changed since
    @param state: the state in which the generation died

    """
    if state is State.CALLED:
      self._StartAnother(now)
      return
    if state is State.LOADING:
      self._RecordLost(item, now)
      self._LoadFailed("the process that loads it ended (%s). If there was no"
                       " memory left, the kernel's log says so" % how, now)
      self._RetrySoon(now)
      return
    self._Count(counters.GENERATION_RESTARTS)
    self._Say(logging.ERROR, "The serving processes died (%s); starting new"
              " ones" % how)
    if self._Find(*_COMING) is not None:
      # Plan no load: another generation is about to replace this one
      return
    self._tried = None
    # Load as soon as the backoff permits: no generation serves, so the longer
    # pause after an expensive load must not delay the replacement
    self._not_before = now + self._restarts.Failed(now)

  def _StartAnother(self, now: float) -> None:
    """Plans a load by a new process instead of the spare loader, at once.

    The spare loader had not begun to load, so its failure says nothing about
    the files.

    """
    self._tried = None
    self._not_before = now

  def _HandleOverdue(self, item: _Generation, now: float) -> None:
    """Ends a state whose deadline has passed.

    """
    if item.state is State.CALLED:
      self._Say(logging.ERROR, "Process %d, the spare loader, does not begin to"
                " load; another process does" % item.pid)
      self._Kill(item, now)
      self._StartAnother(now)
    elif item.state is State.LOADING:
      self._Kill(item, now)
      self._RecordLost(item, now)
      self._LoadFailed("It took more than %d seconds" % _LOAD_TIMEOUT, now)
      self._RetrySoon(now)
    elif item.state in (State.LEAVING, State.STOPPED):
      self._Say(logging.ERROR, "Process %d or a child of it did not finish;"
                " they are killed" % item.pid)
      if item.state is State.LEAVING:
        self._Kill(item, now)
      else:
        self._KillStopped(item)
    else:
      self._Say(logging.ERROR, "Process %d or a child of it cannot be killed;"
                " the daemon no longer waits for it. State D in ps(1) means"
                " that it waits for a disk or the like." % item.pid)
      self._Forget(item)

  def _HandOver(self, now: float) -> None:
    """Orders a READY generation to serve, once the old ones have stopped.

    """
    ready = self._Find(State.READY)
    if ready and self._Find(State.LEAVING, State.KILLED) is None:
      self._Enter(ready, State.SERVING, now)
      self._actions.append(Order(ready.number, messages.SERVE))

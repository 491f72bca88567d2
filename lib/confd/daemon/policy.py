#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What the supervisor decides: when to load, who serves, who has to go.

Nothing here does anything: L{Policy} is told what has happened and what time it
is (in seconds, from a clock that does not jump), and says what to do, as a list
of actions. So every decision can be tested without a process or a pause.

The states of a generation, and what leads from one to the next::

  state     it ...                         next, and when
  --------  -----------------------------  -----------------------------------
  CALLED    is a spare one that was told   LOADING: it says that it has begun
            to load                        LEAVING: the files are gone
                                           KILLED: it does not begin, or its
                                             loader died; another is started
  LOADING   reads the files                READY: it says that it is ready
                                           LEAVING: it says that it failed, or
                                             the files are gone
                                           KILLED: it takes too long, or its
                                             loader died
  READY     could serve, and waits until   SERVING: no other one is LEAVING or
            the old one has stopped          KILLED any more
                                           LEAVING: the files are gone
                                           KILLED: its loader died
  SERVING   answers                        LEAVING: a newer one is READY, or
                                             the files are gone
                                           KILLED: its loader died
  LEAVING   was told to finish             STOPPED: it says that it has
                                           KILLED: it does not in time, or its
                                             loader died before its children
  STOPPED   neither reads nor answers      none: it is killed and forgotten if
            any more; its processes end      it does not end in time, or its
                                             loader ended before its children
  KILLED    was killed, each process       none: it is forgotten after a while,
                                             though a process may not be gone

In each state a generation is forgotten as soon as no process of it is left. At
most one is SERVING, and at most one CALLED, LOADING or READY. A new one is
LOADING at once, or CALLED if a spare loader is at hand.

Rule 1: what cannot be used never replaces what serves. What died is replaced at
once, unless it dies again and again.

Rule 2: where there is no configuration or no key, nobody serves.

Rule 3: waiting for a process has a limit, always.

"""

from __future__ import annotations

import enum
import logging

from ganeti import constants
from ganeti.confd import counters
from ganeti.confd.daemon import backoff
from ganeti.confd.daemon import messages
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Dict, Iterator, List, Optional, Union


#: Seconds between the starts of two generations
_RELOAD_INTERVAL = constants.CONFD_CONFIG_RELOAD_RATELIMIT / 1000000

#: Reloading takes at most a quarter of a core. What the loader reports is
#: without the forks and the end of its generation, hence more than four.
_RELOAD_CPU_FACTOR = 5

#: Seconds until files that could not be loaded are tried again, unchanged
_RETRY_INTERVAL = 10

#: Delays before a generation that died is replaced, see L{backoff.Backoff}
_RESTART_DELAY = (0.1, 10.0, 5.0)

#: Seconds after which a spare loader that does not begin to load is killed:
#: somebody may have stopped it long before
_BEGIN_TIMEOUT = 1.0

#: Seconds after which a loader that says nothing is killed
_LOAD_TIMEOUT = 300

#: Seconds after which a generation that was told to finish is killed
_FINISH_TIMEOUT = 0.8

#: Seconds after which a generation that has stopped is killed: only the end of
#: the daemon waits for it
_END_TIMEOUT = 2.0

#: Seconds after which a generation that was killed is no longer waited for.
#: The kernel lets none of its processes run again, but one that waits for a
#: disk may hold what it has open.
_KILL_TIMEOUT = 1.0


class Start(NamedTuple):
  """Start a generation; the answer is L{Policy.Started} or
  L{Policy.CannotStart}.

  """
  number: int


class Order(NamedTuple):
  """Tell a generation's loader something, one of L{messages}' orders.

  """
  number: int
  order: bytes


class Finish(NamedTuple):
  """Let a generation answer what it holds, and go.

  """
  number: int


class Kill(NamedTuple):
  """Kill all processes of a generation.

  """
  number: int


class Forget(NamedTuple):
  """Wait no longer for the end of a generation.

  """
  number: int


class Say(NamedTuple):
  """Write to the log, at one of C{logging}'s levels.

  """
  level: int
  text: str


class Count(NamedTuple):
  """Count something, by its name of L{counters}.

  """
  counter: str


if TYPE_CHECKING:
  Action = Union[Start, Order, Finish, Kill, Forget, Say, Count]


class State(enum.Enum):
  """See the table above.

  """
  CALLED = "called"
  LOADING = "loading"
  READY = "ready"
  SERVING = "serving"
  LEAVING = "leaving"
  STOPPED = "stopped"
  KILLED = "killed"


#: States of a generation that is to serve as soon as it can
_COMING = (State.CALLED, State.LOADING, State.READY)


class _Generation:
  """What is known of a generation.

  """
  def __init__(self, number: int, now: float) -> None:
    self.number = number
    self.state = State.LOADING
    #: When it came into that state, and into the first one
    self.since = now
    self.started = now
    #: Process id of its loader; 0 until that is started
    self.pid = 0
    #: The key that it serves with, in hex, and the state of the key's file
    self.key = ""
    self.key_state: object = None
    #: When it has to look whether the files really are what it has loaded
    self.check_at: Optional[float] = None


class Policy:
  """The state of all generations, and what is to be done.

  """
  def __init__(self, config_file: str, key_file: str) -> None:
    self._paths = (config_file, key_file)
    self._generations: Dict[int, _Generation] = {}
    self._number = 0
    self._actions: List[Action] = []
    #: Which files are not there, in words
    self._missing: Optional[str] = None
    #: What was loaded last, or tried to be
    self._tried: Optional[messages.Files] = None
    self._hangup = False
    #: Why the files could not be loaded, None if they could
    self._failure: Optional[str] = None
    #: What the log has last said of that
    self._failure_said: Optional[str] = None
    self._warnings: List[str] = []
    #: No generation is started before this time
    self._not_before = 0.0
    #: When files that could not be loaded are tried again
    self._retry_at: Optional[float] = None
    self._restarts = backoff.Backoff(*_RESTART_DELAY)

  # What to do

  def TakeActions(self) -> List[Action]:
    """Returns what is to be done, in this order, and forgets it.

    """
    actions = self._actions
    self._actions = []
    return actions

  def Wakeup(self, now: float) -> Optional[float]:
    """Returns the next time that L{TimePassed} has to be called at.

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

  # How it is

  @property
  def served_key(self) -> Optional[str]:
    """The key that questions are answered with, in hex; None if nobody answers.

    """
    serving = self._Find(State.SERVING)
    return serving.key if serving else None

  @property
  def stale(self) -> bool:
    """Whether the newest files could not be loaded.

    """
    return self._failure is not None

  @property
  def silence_is_right(self) -> bool:
    """Whether nobody answers, and nobody could.

    """
    return (self._Find(State.SERVING) is None and
            (self._missing is not None or self._failure is not None or
             self._Find(State.CALLED, State.LOADING) is not None))

  @property
  def discards(self) -> bool:
    """Whether what comes in is to be thrown away.

    Between two generations it is kept for the next one, if it is known what
    that could serve.

    """
    return (not self._generations and
            (self._missing is not None or self._failure is not None))

  @property
  def starting(self) -> bool:
    """Whether something is being loaded and nothing serves yet.

    """
    return (self._Find(State.SERVING) is None and
            self._Find(*_COMING) is not None)

  @property
  def busy(self) -> bool:
    """Whether there are generations.

    """
    return bool(self._generations)

  @property
  def wants_spare(self) -> bool:
    """Whether this is the time to start a spare loader.

    While one generation replaces another, that would only hold it up. And what
    cannot be loaded is not loaded once more for nothing.

    """
    return not self.stale and (
      [item.state for item in self._generations.values()] == [State.SERVING])

  @property
  def next_number(self) -> int:
    """The number of the generation that is started next.

    """
    return self._number + 1

  def CanLoad(self, now: float) -> bool:
    """Tells whether a change of the files would lead to anything now.

    """
    return now >= self._not_before and self._Find(*_COMING) is None

  def _Find(self, *states: State) -> Optional[_Generation]:
    for item in self._generations.values():
      if item.state in states:
        return item
    return None

  # What has happened

  def FilesSeen(self, files: messages.Files, now: float) -> None:
    """Takes note of the state of the files.

    """
    if None in files:
      self._FallSilent(files, now)
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
    """Has the files loaded again, changed or not.

    """
    self._hangup = True
    self._not_before = 0.0

  def Started(self, number: int, pid: int, spare: bool = False) -> None:
    """Takes note of the process id of a generation's loader.

    @param spare: whether it was there before, and was told to load

    """
    item = self._generations[number]
    item.pid = pid
    if spare:
      item.state = State.CALLED

  def CannotStart(self, number: int, reason: str, now: float) -> None:
    """Takes note that a generation could not be started.

    """
    del self._generations[number]
    self._LoadFailed("No process to load it with: %s" % reason, now)
    self._RetrySoon(now)

  def Said(self, number: int, message: messages.Message, now: float) -> None:
    """Takes note of a generation's message.

    """
    item = self._generations[number]
    if isinstance(message, messages.Ready):
      if item.state is State.LOADING:
        self._HandleReady(item, message, now)
    elif isinstance(message, messages.Failed):
      if item.state is State.LOADING:
        self._NoteCost(item, message)
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
      # One that was not told to finish is replaced when it is gone
      if item.state is State.LEAVING:
        self._Enter(item, State.STOPPED, now)
    elif (isinstance(message, messages.Checked) and not message.same and
          item.state is State.SERVING):
      # As if it had never been loaded
      self._tried = None
    self._HandOver(now)

  def LoaderDied(self, number: int, how: str, now: float) -> None:
    """Takes note that a loader died, while a child of it is left.

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
    """Takes note that no process of a generation is left.

    @param how: how its loader ended

    """
    item = self._generations.pop(number)
    if self._IsActive(item):
      self._Replace(item, item.state, how, now)
    self._HandOver(now)

  def TimePassed(self, now: float) -> None:
    """Does what is due.

    """
    for item in list(self._generations.values()):
      deadline = self._Deadline(item)
      if deadline is not None and now >= deadline:
        self._HandleOverdue(item, now)
    self._HandOver(now)
    # Afterwards: one that was READY when this was due has to look, too
    for item in self._generations.values():
      if (item.state is State.SERVING and item.check_at is not None and
          now >= item.check_at):
        item.check_at = None
        self._actions.append(Order(item.number, messages.CHECK))

  def Stop(self, now: float) -> None:
    """Has all generations finish.

    """
    for item in self._Active():
      self._Leave(item, now)

  # What follows from it

  def _Say(self, level: int, text: str) -> None:
    self._actions.append(Say(level, text))

  def _Count(self, counter: str) -> None:
    self._actions.append(Count(counter))

  @staticmethod
  def _IsActive(item: _Generation) -> bool:
    return item.state is State.SERVING or item.state in _COMING

  @staticmethod
  def _Deadline(item: _Generation) -> Optional[float]:
    """Returns when a state has to end, None for never.

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
    """Kills what is left of a generation that has stopped.

    Nothing waits for the end of its processes.

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

  def _FallSilent(self, files: messages.Files, now: float) -> None:
    """Ends whatever serves, since there is nothing left to serve.

    """
    for item in self._Active():
      if item.state is State.LOADING:
        self._NoteLost(item, now)
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
    """Has a new key used at once.

    The old one may be known to the wrong people: they must not have it for as
    long as loading takes, or has to wait, or cannot succeed.

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

  def _NoteCost(self, item: _Generation,
                message: Union[messages.Ready, messages.Failed]) -> None:
    """Spaces out the next load by what this one cost.

    What it has read may be newer than what it was started for.

    """
    self._not_before = max(self._not_before,
                           item.started + _RELOAD_CPU_FACTOR * message.cpu)
    self._tried = message.files

  def _NoteLost(self, item: _Generation, now: float) -> None:
    """Spaces out the next load where a loader ended without a word.

    It may have used all the time that passed.

    """
    cost = _RELOAD_CPU_FACTOR * (now - item.started)
    self._not_before = max(self._not_before,
                           min(item.started + cost, now + _RETRY_INTERVAL))

  def _HandleReady(self, item: _Generation, message: messages.Ready,
                   now: float) -> None:
    self._NoteCost(item, message)
    item.key = message.key
    item.key_state = message.files.key
    if message.young > 0:
      item.check_at = now + message.young
    self._Enter(item, State.READY, now)
    # Before anything is written to the log, which may take as long
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
    """Acts on files that could not be loaded; logged once per reason.

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
    """Has loading tried again soon if nobody answers meanwhile.

    """
    if self._Find(State.SERVING) is None:
      self._retry_at = now + self._restarts.Failed(now)

  def _Replace(self, item: _Generation, state: State, how: str,
               now: float) -> None:
    """Sees to it that another generation takes the place of one that died.

    @param item: the generation, which is in another state already
    @param state: the state in which it died

    """
    if state is State.CALLED:
      self._StartAnother(now)
      return
    if state is State.LOADING:
      self._NoteLost(item, now)
      self._LoadFailed("the process that loads it ended (%s). If there was no"
                       " memory left, the kernel's log says so" % how, now)
      self._RetrySoon(now)
      return
    self._Count(counters.GENERATION_RESTARTS)
    self._Say(logging.ERROR, "The serving processes died (%s); starting new"
              " ones" % how)
    if self._Find(*_COMING) is not None:
      # That will serve
      return
    self._tried = None
    # Whatever the last load cost: nobody answers
    self._not_before = now + self._restarts.Failed(now)

  def _StartAnother(self, now: float) -> None:
    """Has the files loaded by another process than the spare one.

    That one has not even begun, so nothing is wrong with the files.

    """
    self._tried = None
    self._not_before = now

  def _HandleOverdue(self, item: _Generation, now: float) -> None:
    """Ends a state that has lasted too long.

    """
    if item.state is State.CALLED:
      self._Say(logging.ERROR, "Process %d, the spare loader, does not begin to"
                " load; another process does" % item.pid)
      self._Kill(item, now)
      self._StartAnother(now)
    elif item.state is State.LOADING:
      self._Kill(item, now)
      self._NoteLost(item, now)
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
                " going on without waiting for it. Its state in ps(1) says what"
                " it waits for: with D, that is a disk or the like." % item.pid)
      self._Forget(item)

  def _HandOver(self, now: float) -> None:
    """Lets a generation that is ready serve, when the old ones have stopped.

    """
    ready = self._Find(State.READY)
    if ready and self._Find(State.LEAVING, State.KILLED) is None:
      self._Enter(ready, State.SERVING, now)
      self._actions.append(Order(ready.number, messages.SERVE))

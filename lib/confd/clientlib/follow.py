#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Iterators over the changes of an answer.

Rule 1: L{serialwatch} waits at as many candidates as C{coverage} says,
preferably those that answer: first the candidate that the last answer is from,
then those that took part in the last round. As soon as one of them reports a
higher serial, the question is asked as usual, with that serial as the minimum.
So the first candidate with a change is enough. The replies of Ganeti's own
daemon do not have the configuration's serial, and may be stale: after such a
reply the question is asked again whenever a candidate has reached the serial.

Rule 2: while all candidates that answer are behind, or no candidate answers,
the client asks for the serial as for any other answer. The errors of that
question are reported, and its answer decides whether an older configuration was
restored.

Rule 3: the first question raises its errors. After that, no answer ends the
iteration, whatever its contents are, and whichever error of L{_RETRIED} these
cause in a function of the caller. If the object of the question is unknown by
now, the change is that the object has gone. After any other error of
L{_RETRIED} the question is asked again, so changes are reported later. Misuse
is raised: the use of a client in two threads, or in another event loop. Other
exceptions are raised as well, since the caller or a signal handler has raised
them.

Rule 4: between two calls for the next change, the iterator runs no task, sends
no datagram and stores no data. The next call returns all changes since the last
one as a single change. A call that is interrupted loses no change, and the
iteration may go on.

Rule 5: the question is asked at most L{_MAX_QUESTIONS} times a second, even if
candidates report new serials more often.

"""

from __future__ import annotations

import collections
import os
from typing import Any, AsyncIterator, Awaitable, Callable, Coroutine, Deque, \
  Iterator, NamedTuple, Optional

from ganeti import constants
from ganeti import errors
from ganeti.confd.clientlib import candidates
from ganeti.confd.clientlib import changes
from ganeti.confd.clientlib import filters
from ganeti.confd.clientlib import logs
from ganeti.confd.clientlib import replies
from ganeti.confd.clientlib import serialwatch
from ganeti.confd.clientlib import session
from ganeti.confd.clientlib.changes import Change
from ganeti.confd.clientlib.mastercandidate import Candidate
from ganeti.confd.clientlib.typenames import ErrorCallback
from ganeti.confd.protocol import wire


#: Seconds until a retry after an error
_TRY_AGAIN = 1.0

#: An error that lasts for this many seconds is logged
_LOGGED_AFTER = 60.0

#: The question is asked at most _MAX_QUESTIONS times in a period of
#: _MAX_QUESTIONS_PERIOD seconds
_MAX_QUESTIONS = 10
_MAX_QUESTIONS_PERIOD = 1.0

#: Exceptions after which the question is asked again (rule 3). An unexpected
#: answer may cause any of them in the functions that process it.
_RETRIED = (errors.GenericError, ArithmeticError, AttributeError, LookupError,
            RecursionError, TypeError, ValueError)

#: Codes of errors that mean that the object of the question no longer exists.
#: ARGUMENT is one of them: the question was answered before, so its JSON
#: pointer is valid, but leads to no value any more.
_GONE = (constants.CONFD_ERROR_UNKNOWN_ENTRY, constants.CONFD_ERROR_ARGUMENT)


class Seen(NamedTuple):
  """An answer, and its items by key.

  """
  reply: replies.Reply[Any]
  items: changes.Items


#: A function that asks the question whose answers are followed
Subject = Callable[[], Awaitable[Seen]]


class TableSubject:
  """A question for a table.

  An object that the question names may be removed later: then the change is
  that the object has gone, and there is no error.

  """
  def __init__(self, ask: Callable[[list[str], Optional[filters.Filter],
                                    Optional[list[str]]],
                                   Awaitable[replies.Reply[list[list[Any]]]]],
               fields: list[str], key: str,
               condition: Optional[filters.Filter],
               names: Optional[list[str]], named: bool) -> None:
    """@param key: the field that identifies objects
    @param named: whether a row is a dictionary

    """
    self._named = named
    self._ask = ask
    self._width = len(fields)
    self._fields = fields if key in fields else [*fields, key]
    self._key = self._fields.index(key)
    self._condition = condition
    self._names = names
    self._started = False

  async def __call__(self) -> Seen:
    (condition, names) = (self._condition, self._names)
    while True:
      try:
        reply = await self._ask(self._fields, condition, names)
        break
      except replies.ErrorAnswer as err:
        if not (self._started and isinstance(err.code, dict) and
                err.code.get("unknown") == "name"):
          raise
        if names is not None and err.code.get("value") in names:
          names = [i for i in names if i != err.code["value"]]
        elif names is None and condition is not None:
          condition = condition.AsCondition()
        else:
          raise
    self._started = True
    rows: list[Any] = [row[:self._width] for row in reply.answer]
    if self._named:
      rows = [dict(zip(self._fields, row)) for row in rows]
    return Seen(reply.With(rows),
                changes.ByKeys([row[self._key] for row in reply.answer], rows))


class FollowedClient(NamedTuple):
  """The parts of a client that an iterator uses.

  """
  #: A function that asks for the serial
  serial: Callable[[], Awaitable[replies.Reply[int]]]
  #: A function that returns the type and the query of the request for the
  #: serial
  serial_question: Callable[[], tuple[int, Any]]
  #: A function that prepares the client for a question, see L{session.Session}
  prepare: Callable[[], Awaitable[None]]
  driver: session.Driver
  known: candidates.Candidates
  freshness: session.Freshness
  is_closed: Callable[[], bool]
  coverage: int


class _Changes:
  """The changes of one subject, one after the other.

  @ivar _ask: whether to ask the question next
  @ivar _ask_serial: whether to ask for the serial before that
  @ivar _source: the name of the candidate that the last answer is from
  @ivar _is_certain: whether the last answer is known to be from the
    configuration with the serial C{_serial}
  @ivar undelivered: the change that L{Next} returns next, or None. An iterator
    that returns the change sets this to None in its last step, so that an
    interruption before that step loses no change.
  @ivar _raised: the last exception that the C{on_error} function has raised
  @ivar _asked_at: the times of the latest questions

  """
  def __init__(self, client: FollowedClient, subject: Subject,
               on_error: Optional[ErrorCallback]) -> None:
    self._client = client
    self._subject = subject
    self._on_error = on_error
    self._watch = serialwatch.SerialWatch()
    self._pid = os.getpid()
    self._serial: Optional[int] = None
    self._source: Optional[str] = None
    self._is_certain = True
    self._items: changes.Items = {}
    self.undelivered: Optional[Change] = None
    self._started = False
    self._ask = True
    self._ask_serial = True
    self._has_failed = False
    self._failed_at: Optional[float] = None
    self._is_logged = False
    self._raised: Optional[Exception] = None
    self._busy = False
    self._asked_at: Deque[float] = collections.deque(maxlen=_MAX_QUESTIONS)

  async def Next(self) -> Optional[Change]:
    """Waits for the next change, which stays in C{undelivered}.

    @return: None if the client was closed
    @raise errors.ProgrammerError: another call is waiting already

    """
    if self._busy:
      raise errors.ProgrammerError("Another call is waiting already for the"
                                   " next change: each needs an iterator of its"
                                   " own")
    self._busy = True
    try:
      while (self.undelivered is None and
             not (self._started and self._client.is_closed())):
        try:
          await self._Step()
        except errors.ProgrammerError:
          if not (self._started and self._client.is_closed()):
            raise
        except _RETRIED as err:
          # Raise an error of the first question (rule 3), and an exception that
          # the caller's C{on_error} function has raised to end the iteration
          if not self._started or err is self._raised:
            raise
          self._ask_serial = True
          self._SetError(err)
          await self._client.driver.Pause(_TRY_AGAIN)
      return self.undelivered
    finally:
      self._busy = False

  def _SetError(self, err: Optional[Exception]) -> None:
    changes_now = self._has_failed != (err is not None)
    self._has_failed = err is not None
    self._LogError(err)
    if changes_now and self._on_error is not None:
      try:
        self._on_error(err)
      except Exception as raised:
        self._raised = raised
        raise

  def _LogError(self, err: Optional[Exception]) -> None:
    """Logs an error that lasts, unless there is an C{on_error} function.

    """
    if err is None:
      if self._is_logged:
        logs.Warn("There are answers again")
      (self._failed_at, self._is_logged) = (None, False)
      return
    now = self._client.driver.Now()
    if self._failed_at is None:
      self._failed_at = now
    elif (now - self._failed_at >= _LOGGED_AFTER and self._on_error is None and
          not self._is_logged):
      self._is_logged = True
      logs.Warn("No changes can be seen for %d seconds: %s",
                now - self._failed_at, err)

  async def _Step(self) -> None:
    """Asks for the serial, waits, or asks the question.

    """
    if self._ask_serial:
      reply = await self._client.serial()
      self._ask = self._ask or reply.serial != self._serial
      self._ask_serial = False
    elif not self._ask:
      await self._Wait()
      return
    if self._ask:
      await self._AskQuestion()
    else:
      self._SetError(None)

  async def _Wait(self) -> None:
    """Waits until it is time to ask the question, or for the serial.

    """
    client = self._client
    if self._pid != os.getpid():
      # In the child after a fork, use new salts: the parent still uses the
      # salts of the old operation
      self._pid = os.getpid()
      self._watch = serialwatch.SerialWatch()
    await client.prepare()
    await client.driver.Run(
      lambda now: self._watch.Begin(self._ToWatch(), self._serial or 0,
                                    self._is_certain, client.serial_question(),
                                    now), 0)
    (outcome, reported) = self._watch.TakeOutcome()
    if outcome is serialwatch.Outcome.MOVED:
      client.freshness.Seen(reported)
      self._ask = True
    elif outcome is serialwatch.Outcome.JOINED:
      self._ask = True
    elif outcome is serialwatch.Outcome.BEHIND:
      await client.driver.Pause(_TRY_AGAIN)
      self._ask_serial = True
    elif outcome is serialwatch.Outcome.LOST:
      # The candidates may be silent because the key was replaced: read the key
      # file again
      client.known.refresh = True
      self._ask_serial = True

  def _ToWatch(self) -> list[Candidate]:
    """Chooses the candidates to wait at (rule 1).

    """
    everyone = self._client.known.Everyone()
    everyone.sort(key=lambda i: (i.silent, i.name != self._source,
                                 not self._watch.IsKnown(i)))
    count = candidates.CountToAsk(self._client.coverage, len(everyone),
                                  "candidates")
    return everyone[:count]

  async def _AskQuestion(self) -> None:
    """Asks the question, and compares the answer.

    """
    if len(self._asked_at) == _MAX_QUESTIONS:
      pause = (self._asked_at[0] + _MAX_QUESTIONS_PERIOD -
               self._client.driver.Now())
      if pause > 0:
        await self._client.driver.Pause(pause)
    self._asked_at.append(self._client.driver.Now())
    try:
      (reply, items) = await self._subject()
    except replies.ErrorAnswer as err:
      if not (self._started and wire.IsPlainInt(err.code) and
              err.code in _GONE):
        raise
      reply = err.reply.With(None)
      items = {}
    change = changes.Compare(reply, self._serial, self._items, items)
    is_new = not (self._started and changes.IsEmpty(change))
    source = reply.candidates[0].address
    is_certain = any(i.reports_serial for i in self._client.known.Everyone()
                     if i.name == source)
    serial = self._client.freshness.serial = (
      reply.serial if is_certain else self._client.freshness.min_serial or 0)
    self._SetError(None)
    # Assign in a single statement: if the call is interrupted before, nothing
    # has changed, and the next call does the same again
    (self.undelivered, self._started, self._items, self._serial, self._source,
     self._is_certain, self._ask) = (change if is_new else None, True, items,
                                     serial, source, is_certain, False)


class AsyncFollowing(AsyncIterator[Change]):
  """Changes, to be awaited one after the other.

  The iteration may go on after a wait was cancelled, for example by a time-out.

  """
  def __init__(self, client: FollowedClient, subject: Subject,
               on_error: Optional[ErrorCallback]) -> None:
    """@param on_error: see Follow()

    """
    self._changes = _Changes(client, subject, on_error)

  def __aiter__(self) -> AsyncFollowing:
    return self

  async def __anext__(self) -> Change:
    change = await self._changes.Next()
    self._changes.undelivered = None
    if change is None:
      raise StopAsyncIteration
    return change


class Following(Iterator[Change]):
  """Changes, one after the other; each step blocks until the next one.

  """
  def __init__(self, following: AsyncFollowing,
               perform: Callable[
                 [Coroutine[Any, Any, Optional[Change]]],
                 Optional[Change]]) -> None:
    """@param perform: runs a coroutine to its end

    """
    self._changes = following._changes # pylint: disable=W0212
    self._perform = perform

  def __iter__(self) -> Following:
    return self

  def __next__(self) -> Change:
    change = self._perform(self._changes.Next())
    self._changes.undelivered = None
    if change is None:
      raise StopIteration
    return change

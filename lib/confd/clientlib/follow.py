#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Following a question: its answer, and what is different each time it changes.

Rule 1: as many candidates are waited at as are asked (C{coverage}), preferably
those that answer and were waited at before; see L{serials}. As soon as one of
them tells a higher serial, the question is asked in the usual way, and older
answers do not count. So the first candidate that has a change is enough, and
nobody waits for the others. Candidates whose answers do not tell their serial
(the packaged daemon's) may answer from before: so the question is asked again
when one of them has got there, too.

Rule 2: where all candidates that answer are behind, or nobody answers, the
serial is asked for in the usual way until that is over. It decides whether a
configuration was restored, and has an error for whoever wants to know.

Rule 3: at the start, errors are raised, as by the question itself. From then on
no answer ends a following, whatever it holds and whatever a function that is
called with it makes of it. An object that the question is about, and that is
unknown by now, is gone. With any other error (L{_TROUBLE}) the question is
tried again, and changes only show later. Misuse is raised: of a client that
others use, or in another event loop. So is every exception of another class,
which the caller or a handler of a signal has raised.

Rule 4: nothing happens while nobody asks for the next change: no task, no
datagram, nothing that grows. What has changed meanwhile is one change. Who is
interrupted while waiting has missed nothing, and may go on.

Rule 5: a candidate that tells a new serial again and again, for whichever
reason, makes nobody ask more than L{_LOOKS} times a second.

"""

from __future__ import annotations

import collections
import os
import time
from typing import Any, AsyncIterator, Awaitable, Callable, Coroutine, Deque, \
  Iterator, List, NamedTuple, Optional, Tuple

from ganeti import constants
from ganeti import errors
from ganeti.confd.clientlib import candidates
from ganeti.confd.clientlib import changes
from ganeti.confd.clientlib import dialogue
from ganeti.confd.clientlib import exchange
from ganeti.confd.clientlib import filters
from ganeti.confd.clientlib import serials
from ganeti.confd.protocol import wire


#: Seconds until what went wrong is tried again
_TRY_AGAIN = 1.0

#: How often the question is asked in so many seconds, at most
_LOOKS = 10
_LOOKS_SECONDS = 1.0

#: Exceptions that an answer may bring about, see rule 3
_TROUBLE = (errors.GenericError, ArithmeticError, AttributeError, LookupError,
            RecursionError, TypeError, ValueError)

#: Errors that something is unknown. A question that was all right at the start
#: can be malformed only if a place in the configuration is not there any more.
_GONE = (constants.CONFD_ERROR_UNKNOWN_ENTRY, constants.CONFD_ERROR_ARGUMENT)

#: Is called with what goes wrong, and with None when it is over
Trouble = Callable[[Optional[Exception]], None]


class Seen(NamedTuple):
  """An answer, and what is in it.

  """
  reply: exchange.Reply[Any]
  items: changes.Items


#: Asks for what is followed
Subject = Callable[[], Awaitable[Seen]]


class Table:
  """Asks for a table that is followed.

  Objects that were asked for by name and are not there any more are no error.

  """
  def __init__(self, ask: Callable[[List[str], Optional[filters.Filter],
                                    Optional[List[str]]],
                                   Awaitable[exchange.Reply[List[List[Any]]]]],
               fields: List[str], key: str,
               condition: Optional[filters.Filter],
               names: Optional[List[str]], named: bool) -> None:
    """@param key: the field by which objects are known
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
      except exchange.ErrorAnswer as err:
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
    rows: List[Any] = [row[:self._width] for row in reply.answer]
    if self._named:
      rows = [dict(zip(self._fields, row)) for row in rows]
    return Seen(reply.With(rows),
                changes.ByKeys([row[self._key] for row in reply.answer], rows))


class Asker(NamedTuple):
  """What a client does for those that follow.

  """
  #: Asks for the serial
  serial: Callable[[], Awaitable[exchange.Reply[int]]]
  #: What that is, type and query
  serial_question: Callable[[], Tuple[int, Any]]
  #: Does what comes before each question
  prepare: Callable[[], Awaitable[None]]
  driver: dialogue.Driver
  known: candidates.Candidates
  freshness: dialogue.Freshness
  is_closed: Callable[[], bool]
  coverage: int


class _Changes:
  """The changes of one subject, one after the other.

  """
  def __init__(self, asker: Asker, subject: Subject,
               trouble: Optional[Trouble]) -> None:
    self._asker = asker
    self._subject = subject
    self._trouble = trouble
    self._waiting = serials.Waiting()
    self._pid = os.getpid()
    self._serial: Optional[int] = None
    self._items: changes.Items = {}
    self._started = False
    # Whether to ask the question, and whether for the serial before
    self._ask = True
    self._ask_serial = True
    self._is_troubled = False
    # The last exception of the function that is told of trouble
    self._raised: Optional[Exception] = None
    self._busy = False
    # When the question was asked the last times
    self._looks: Deque[float] = collections.deque(maxlen=_LOOKS)

  async def Next(self) -> Optional[changes.Change]:
    """Waits for the next change.

    @return: None if the client was closed
    @raise errors.ProgrammerError: somebody is waiting already

    """
    if self._busy:
      raise errors.ProgrammerError("Somebody is waiting already for the next"
                                   " change: each needs an iterator of its own")
    self._busy = True
    try:
      while not (self._started and self._asker.is_closed()):
        try:
          change = await self._Step()
        except errors.ProgrammerError:
          if not (self._started and self._asker.is_closed()):
            raise
        except _TROUBLE as err:
          # Rule 3. The function that is told of trouble may end a following.
          if not self._started or err is self._raised:
            raise
          self._ask_serial = True
          self._SetTrouble(err)
          await self._asker.driver.Pause(_TRY_AGAIN)
        else:
          if change is not None:
            return change
      return None
    finally:
      self._busy = False

  def _SetTrouble(self, err: Optional[Exception]) -> None:
    changes_now = self._is_troubled != (err is not None)
    self._is_troubled = err is not None
    if changes_now and self._trouble is not None:
      try:
        self._trouble(err)
      except Exception as raised:
        self._raised = raised
        raise

  async def _Step(self) -> Optional[changes.Change]:
    """Goes on by one step.

    """
    if self._ask_serial:
      reply = await self._asker.serial()
      self._ask = self._ask or reply.serial != self._serial
      self._ask_serial = False
    elif not self._ask:
      await self._Wait()
      return None
    if self._ask:
      return await self._Look()
    self._SetTrouble(None)
    return None

  async def _Wait(self) -> None:
    """Waits until there is something to ask.

    """
    asker = self._asker
    if self._pid != os.getpid():
      # The process before waits with the same salts
      self._pid = os.getpid()
      self._waiting = serials.Waiting()
    await asker.prepare()
    await asker.driver.Run(
      lambda now: self._waiting.Begin(self._Places(), self._serial or 0,
                                      asker.serial_question(), now), 0)
    outcome = self._waiting.outcome
    if outcome is serials.Outcome.MOVED:
      asker.freshness.Tell(self._waiting.told)
      self._ask = True
    elif outcome is serials.Outcome.JOINED:
      self._ask = True
    elif outcome is serials.Outcome.BEHIND:
      await asker.driver.Pause(_TRY_AGAIN)
      self._ask_serial = True
    elif outcome is serials.Outcome.LOST:
      # There may be another key
      asker.known.refresh = True
      self._ask_serial = True

  def _Places(self) -> List[exchange.Candidate]:
    """Chooses whom to wait at.

    """
    everyone = self._asker.known.Everyone()
    everyone.sort(key=lambda i: (i.silent, not self._waiting.IsKnown(i)))
    count = exchange.CountToAsk(self._asker.coverage, len(everyone),
                                "candidates")
    return everyone[:count]

  async def _Look(self) -> Optional[changes.Change]:
    """Asks the question, and compares.

    """
    now = time.monotonic()
    if len(self._looks) == _LOOKS and now < self._looks[0] + _LOOKS_SECONDS:
      await self._asker.driver.Pause(self._looks[0] + _LOOKS_SECONDS - now)
    self._looks.append(time.monotonic())
    try:
      (reply, items) = await self._subject()
    except exchange.ErrorAnswer as err:
      if not (self._started and wire.IsPlainInt(err.code) and
              err.code in _GONE):
        raise
      reply = err.reply.With(None)
      items = {}
    change = changes.Compare(reply, self._serial, self._items, items)
    is_new = not (self._started and changes.IsEmpty(change))
    serial = self._asker.freshness.serial = self._SerialOf(reply)
    self._SetTrouble(None)
    # Whatever interrupts before that, it is asked and told again
    (self._ask, self._started, self._items, self._serial) = (False, True, items,
                                                             serial)
    return change if is_new else None

  def _SerialOf(self, reply: exchange.Reply[Any]) -> int:
    """Returns the serial of the configuration that an answer is from.

    """
    source = reply.candidates[0].address
    if any(i.tells_serial for i in self._asker.known.Everyone()
           if i.name == source):
      return reply.serial
    return self._asker.freshness.floor or 0


class AsyncFollowing(AsyncIterator[changes.Change]):
  """Changes, to be awaited one after the other.

  Whoever stops to wait, be it for a time-out, may go on later.

  """
  def __init__(self, asker: Asker, subject: Subject,
               trouble: Optional[Trouble]) -> None:
    """@param trouble: see L{questions.Questions.Follow}

    """
    self._changes = _Changes(asker, subject, trouble)

  def __aiter__(self) -> AsyncFollowing:
    return self

  async def __anext__(self) -> changes.Change:
    change = await self._changes.Next()
    if change is None:
      raise StopAsyncIteration
    return change


class Following(Iterator[changes.Change]):
  """Changes, one after the other. Each is waited for.

  """
  def __init__(self, following: AsyncFollowing,
               perform: Callable[[Coroutine[Any, Any, changes.Change]],
                                 changes.Change]) -> None:
    self._following = following
    self._perform = perform

  def __iter__(self) -> Following:
    return self

  def __next__(self) -> changes.Change:
    try:
      return self._perform(self._following.__anext__())
    except StopAsyncIteration:
      raise StopIteration from None

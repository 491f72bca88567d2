#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""A master candidate without a daemon: from a datagram to the reply.

The daemon's own code (L{ganeti.confd.serving}) makes the answers, unless the
test has ordered another behaviour, such as silence, an error or a delay.

"""

from __future__ import annotations

import time

from ganeti import constants
from ganeti.confd import _version
from ganeti.confd import filestate
from ganeti.confd import protocol
from ganeti.confd.config import snapshot as snapshotlib
from ganeti.confd.protocol import readers
from ganeti.confd.protocol import wire
from ganeti.confd.serving import answers
from ganeti.confd.serving import counters
from ganeti.confd.serving import replay
from ganeti.confd.serving import responder
from ganeti.confd.serving import waiting
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Any, Callable, Iterable, Optional, Union

  #: The names of the questions for which a test orders a fault; None for all
  #: questions
  Only = Union[str, Iterable[str], None]


#: Maps the names of questions in tests to types of requests. The names are the
#: protocol's, and "list", the clients' name for a query for tables.
QUESTIONS = dict(protocol.REQUEST_TYPES, list=protocol.REQ_QUERY)


def QuestionName(rtype: Optional[int]) -> str:
  """Returns the name of a type of requests.

  """
  for (name, number) in reversed(list(QUESTIONS.items())):
    if number == rtype:
      return name
  return "type %s" % rtype


def QuestionTypes(only: Only) -> Optional[frozenset[int]]:
  """Returns the types of requests that have the given names.

  @return: None for all types
  @raise ValueError: there is no question of that name

  """
  if only is None:
    return None
  names = [only] if isinstance(only, str) else list(only)
  for name in names:
    if name not in QUESTIONS:
      raise ValueError("No question is called '%s'; there are: %s" %
                       (name, ", ".join(QUESTIONS)))
  return frozenset(QUESTIONS[name] for name in names)


class State:
  """A loaded configuration, shared by the candidates that have it.

  @raise errors.ConfigurationError: the configuration is unusable

  """
  def __init__(self, text: bytes) -> None:
    self.text = text
    self.snapshot = snapshotlib.Snapshot(text)
    self.digest = filestate.Digest(text)
    self.quick = answers.Quick(self.snapshot)
    self.large = answers.Large(self.snapshot)

  @property
  def serial(self) -> int:
    return self.snapshot.serial


class Outcome(NamedTuple):
  """The result of handling a datagram.

  @ivar reply: None if nothing is sent, or not now
  @ivar delay: seconds until the reply arrives
  @ivar refused: whether the sender learns that nothing listens there (ICMP)
  @ivar deferred: the reply to a WAIT, to be sent when the serial changes
  @ivar request: None if the datagram is not authentic
  @ivar is_ordered: whether the test has ordered the answer

  """
  reply: Optional[bytes] = None
  delay: float = 0.0
  refused: bool = False
  deferred: Optional[waiting.Deferred] = None
  request: Optional[wire.Request] = None
  is_ordered: bool = False


class _Fault(NamedTuple):
  """The behaviour that replaces or delays an answer.

  @ivar answer: status and answer of a reply; None for silence

  """
  answer: Optional[tuple[int, Any]] = None
  delay: float = 0.0
  refused: bool = False


class _Order:
  """A fault, and the requests that it is for.

  @ivar left: for how many more requests; None for all

  """
  def __init__(self, fault: _Fault, only: Only, times: Optional[int]) -> None:
    self.fault = fault
    self.left = times
    self._types = QuestionTypes(only)

  def IsFor(self, rtype: Optional[int]) -> bool:
    return self.left != 0 and (self._types is None or rtype in self._types)


class Orders:
  """The orders that a test can give to one candidate, or to all.

  The methods that replace or delay answers have two parameters: "only" has the
  names of the questions that the order is for (such as "node-role", "list" or
  "wait"; None for all), and "times" the number of requests to each candidate
  (None for all, until Recover()). Of several orders for a question, the last
  one applies. An unknown name raises ValueError.

  """
  def _Each(self) -> Iterable[Candidate]:
    raise NotImplementedError()

  def _Order(self, fault: _Fault, only: Only, times: Optional[int]) -> None:
    order = _Order(fault, only, times)
    for candidate in self._Each():
      candidate.Take(_Order(order.fault, only, times))

  def Silence(self, only: Only = None, times: Optional[int] = None) -> None:
    """Does not answer, as when the host is down.

    Pending WAITs are forgotten, as when a daemon is killed, if the order is for
    "wait" as well, and without "times".

    """
    self._Order(_Fault(), only, times)

  def Refuse(self, only: Only = None, times: Optional[int] = None) -> None:
    """Does not answer, and the client learns that nothing listens there.

    """
    self._Order(_Fault(refused=True), only, times)

  def Delay(self, seconds: float, only: Only = None,
            times: Optional[int] = None) -> None:
    """Answers late.

    @param seconds: by the client's time, which a test does not have to wait for

    """
    self._Order(_Fault(delay=seconds), only, times)

  def Fail(self, answer: Any = "failed", only: Only = None,
           times: Optional[int] = None) -> None:
    """Answers with an error.

    @param answer: a text, or a number: constants.CONFD_ERROR_* and those in
      doc/protocol.rst, such as 4 for "not permitted"

    """
    self._Order(_Fault((constants.CONFD_REPL_STATUS_ERROR, answer)), only,
                times)

  def Answer(self, answer: Any, only: Only, times: Optional[int] = None
             ) -> None:
    """Answers with a given value, which may be malformed.

    @param answer: any JSON value

    """
    self._Order(_Fault((constants.CONFD_REPL_STATUS_OK, answer)), only, times)

  def Recover(self) -> None:
    """Answers again, from the newest configuration.

    """
    for candidate in self._Each():
      candidate.Clear()

  def GoBack(self) -> None:
    """Answers from the configuration before the newest.

    If there was no configuration before, the answers are those of the newest
    one, with a lower serial.

    """
    for candidate in self._Each():
      candidate.LoadEarlier()


class Candidate(Orders):
  """A master candidate of a Fake.

  @ivar name: the full name of the node
  @ivar address: the primary IP address of the node

  """
  def __init__(self, name: str, address: str, key: bytes, state: State,
               replays: replay.ReplayTable) -> None:
    """@param key: the cluster's key
    @param replays: the replay table, which candidates may share

    """
    self.name = name
    self.address = address
    self._key = key
    self._readers = readers.Readers(key)
    self._replays = replays
    self._counters = counters.Counters(1)
    self._row = self._counters.Row(0)
    self._orders: list[_Order] = []
    self._started = time.monotonic()
    #: Functions that return the newest configuration and the previous one
    self.newest: Callable[[], State] = lambda: state
    self.earlier: Callable[[], State] = lambda: state
    #: Called when the candidate's answers change. The arguments are the
    #: candidate, and whether its pending WAITs are answered (True) or forgotten
    #: (False).
    self.on_change: Callable[[Candidate, bool], None] = lambda *_: None
    self._Load(state)

  def __repr__(self) -> str:
    return "<Candidate %s, serial %d>" % (self.name, self.serial)

  def _Each(self) -> Iterable[Candidate]:
    return [self]

  @property
  def serial(self) -> int:
    """The serial of the configuration that the candidate answers from.

    """
    return self._state.serial

  def _Load(self, state: State) -> None:
    self._state = state
    self._loaded = time.monotonic()
    self._main = self._Responder(state.quick)
    self._delegates = {
      answers.Delegate.LARGE: self._Responder(state.large),
      answers.Delegate.LOADER: self._Responder(
        answers.Loader(state.serial, self._Stats)),
      }

  def _Responder(self, source: responder.Source) -> responder.Responder:
    return responder.Responder(source, self._key, self._row, self._replays)

  def Load(self, state: State) -> None:
    """Answers from another configuration.

    """
    if state is not self._state:
      self._Load(state)
      self._row[counters.INDEX[counters.RELOADS]] += 1
      self.on_change(self, True)

  def LoadEarlier(self) -> None:
    self.Load(self.earlier())

  def Take(self, order: _Order) -> None:
    """Follows an order from now on.

    """
    self._orders.append(order)
    if order.left is None and order.fault.answer is None and \
       order.fault.delay == 0.0 and order.IsFor(protocol.REQ_WAIT):
      self.on_change(self, False)

  def Clear(self) -> None:
    """Forgets all orders, and loads the newest configuration.

    """
    self._orders.clear()
    self.Load(self.newest())

  def Receive(self, datagram: bytes) -> Outcome:
    """Handles a datagram.

    """
    now = time.time()
    try:
      request = wire.ParseRequest(datagram, self._key, now, self._readers)
    except wire.Rejected:
      # Let the daemon's code count the datagram as dropped
      self._main.Respond(datagram, now)
      return Outcome()
    delay = 0.0
    for order in reversed(self._orders):
      if order.IsFor(request.type):
        if order.left is not None:
          order.left -= 1
        fault = order.fault
        if fault.delay:
          delay = fault.delay
          break
        if fault.answer is None:
          return Outcome(refused=fault.refused, request=request)
        message = answers.Encode(fault.answer, self.serial).message
        key: wire.Key = (self._key if request.reader is None else
                         request.reader)
        return Outcome(wire.PackReply(key, request.rsalt, message),
                       request=request, is_ordered=True)
    reply = self._main.Respond(datagram, now)
    if isinstance(reply, answers.Delegate):
      reply = self._delegates[reply].Respond(datagram, now, forwarded=True)
    if isinstance(reply, waiting.Deferred):
      return Outcome(deferred=reply, delay=delay, request=request)
    assert not isinstance(reply, answers.Delegate)
    return Outcome(reply, delay, request=request)

  def Refused(self, request: wire.Request) -> Optional[bytes]:
    """Returns the reply to a WAIT that exceeds the limit of pending ones.

    """
    return self._delegates[answers.Delegate.LOADER].Refuse(request)

  def CountAnswered(self) -> None:
    """Counts the reply to a WAIT that was deferred.

    """
    self._main.CountAnswered()

  def _Stats(self) -> dict[str, Any]:
    """Makes the answer to STATS, in the form of the daemon's.

    """
    now = time.monotonic()
    answer: dict[str, Any] = {
      "version": _version.VERSION,
      "uptime": now - self._started,
      "workers": 1,
      "memory": None,
      "config": {
        "serial": self.serial,
        "warnings": len(self._state.snapshot.warnings),
        "inode": 0,
        "mtime": 0.0,
        "size": len(self._state.text),
        "digest": self._state.digest,
        "load_time": 0.0,
        "age": now - self._loaded,
        },
      }
    for (name, value) in self._counters.Sum().items():
      (group, _, item) = name.partition(" ")
      answer.setdefault(group, {})[item] = value
    answer["config"]["stale"] = bool(answer["config"]["stale"])
    answer["dropped"]["overflow"] = None
    answer["waiting"]["now"] = 0
    return answer

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""How one question comes to its answer.

What a question takes (reading files and resolving names, one exchange or
several, pauses) is written once, as coroutines that wait for nothing but the
steps of a L{Driver}. There are two: C{sync}'s takes each step at once and
blocks meanwhile, so that a coroutine runs to its end without ever being
suspended; C{aio}'s leaves the waiting to asyncio's event loop.

Facts about serials: this project's daemon puts the configuration's serial into
each reply. The packaged daemon puts those of single objects there, and 0 into
the reply to a ping, by which it is known; whether a reply of it is old cannot
be told. Either daemon may take the other's place at any time: L{exchange} finds
out anew which one it is, wherever that decides whether a reply is old.

Rule 1: a serial that goes back is ignored, unless all candidates that answer
say so for L{RESTORED_AFTER} seconds (a configuration was restored).

Rule 2: the time for an answer counts from the call. Files, names and learning
the candidates are within it. Parts of an answer have the rule of L{fetch}.

Rule 3: where one candidate does not send all parts of an answer, or they make
none that can be used, the other candidates are asked.

"""

from __future__ import annotations

import abc
import time
from typing import Any, Callable, Collection, Dict, List, Optional, Sequence, \
  Tuple, TypeVar, Union

from ganeti import constants
from ganeti import errors
from ganeti.confd import localnode
from ganeti.confd import protocol
from ganeti.confd.clientlib import arguments
from ganeti.confd.clientlib import candidates
from ganeti.confd.clientlib import exchange
from ganeti.confd.clientlib import post as postlib
from ganeti.confd.clientlib import talk
from ganeti.confd.protocol import keyfile
from ganeti.confd.protocol import parts as partslib
from ganeti.confd.protocol import readerkey
from ganeti.confd.protocol import wire


#: Seconds after which all candidates' word is taken for a lower serial
RESTORED_AFTER = 10.0

#: How much of the time for an answer each of the two questions may take by
#: which the candidates are learned
_LEARN_SHARE = 0.25

#: Seconds that silent candidates get where each one's answer matters
_SURVEY_PATIENCE = 3.0

#: Seconds between asking candidates that are stale again, growing to a limit
_STALE_PAUSE_FIRST = 0.1
_STALE_PAUSE_MAX = 1.0

#: How many candidates an answer in parts is fetched from until one of them
#: does not fall silent meanwhile
_MAX_SOURCES = 5

_Value = TypeVar("_Value")
_Talk = TypeVar("_Talk", bound=talk.Talk)
_Progress = Callable[[int, Optional[int]], None]


class Driver(abc.ABC):
  """The steps of a question, which are all that it waits for.

  """
  def __init__(self, post: postlib.Post) -> None:
    self._post = post

  @abc.abstractmethod
  async def Run(self, make: Callable[[float], _Talk], deadline: float) -> _Talk:
    """Runs a talk to its end, when it is its turn.

    @param make: makes the talk; is called with the time
    @param deadline: until when there is time to wait for its turn

    """

  @abc.abstractmethod
  async def Pause(self, seconds: float) -> None:
    """Lets time pass.

    """

  @abc.abstractmethod
  async def Call(self, function: Callable[[], _Value]) -> _Value:
    """Calls a function that takes long.

    """

  @abc.abstractmethod
  async def CallOnce(self, function: Callable[[float], None], deadline: float
                     ) -> None:
    """Calls a function that may block, unless a call of it is under way.

    Waits for either until the deadline.

    @param function: called with the deadline

    """

  @abc.abstractmethod
  def Close(self) -> None:
    """Closes the sockets, and ends what is under way.

    """


class Freshness:
  """Which serials are known, and which answers are old by that.

  @ivar serial: of the configuration, as far as that can be told
  @ivar floor: answers with a lower one are stale

  """
  def __init__(self) -> None:
    self.serial: Optional[int] = None
    self.floor: Optional[int] = None
    # Since when all are stale: the answers to the question for the serial,
    # True, of which the packaged daemon's may be, and to all others, False
    self._low_since: Dict[bool, float] = {}

  def Judge(self, current: exchange.Exchange, now: float) -> bool:
    """Weighs the outcome of an exchange against what is known.

    @return: whether its result may be used

    """
    if current.AllStale():
      since = self._low_since.setdefault(current.is_serial_question, now)
      if now - since < RESTORED_AFTER:
        return False
      self.floor = current.floor = None
      self._low_since.clear()
    best = current.Best()
    if best is None:
      # Silence is nobody's word
      self._low_since.clear()
      return False
    (serial, counts) = best
    if counts or self.serial is None:
      self.serial = serial
    if counts:
      self.floor = max(serial, self.floor or 0)
      self._low_since.clear()
    else:
      self._low_since.pop(False, None)
    return True

  def Tell(self, serial: int) -> None:
    """Takes note of a higher serial that a candidate has told.

    """
    self.floor = max(serial, self.floor or 0)


def _MaxRequest(rtype: int) -> int:
  """Returns the size of the largest request that a daemon takes.

  One that knows this project's own requests takes larger ones, too.

  """
  if rtype == protocol.REQ_QUERY:
    return int(constants.MAX_UDP_DATA_SIZE)
  return protocol.MAX_PORTABLE_REQUEST


def _Size(rtype: int, query: Any) -> int:
  """Returns the size of a request, in bytes.

  """
  return len(wire.PackRequest(b"", time.time(), rtype, query, "-" * 36))


def Portions(rtype: int, query: Dict[str, Any], key: str,
             items: Optional[Sequence[Any]]) -> List[Dict[str, Any]]:
  """Cuts a list of arguments into such that each fits a request.

  @param items: to go under C{key} into the query; None for not at all
  @return: list of queries

  """
  if items is None:
    return [query]
  whole = dict(query, **{key: items})
  if len(items) < 2 or _Size(rtype, whole) <= _MaxRequest(rtype):
    return [whole]
  middle = len(items) // 2
  return (Portions(rtype, query, key, items[:middle]) +
          Portions(rtype, query, key, items[middle:]))


def Joined(replies: Sequence[exchange.Reply[Any]]) -> exchange.Reply[Any]:
  """Makes one reply of those to L{Portions}.

  @param replies: their answers are lists
  @return: the last one, with all answers and the lowest serial

  """
  joined = replies[-1]._replace(serial=min(i.serial for i in replies))
  return joined.With([row for reply in replies for row in reply.answer])


class Dialogue:
  """A client: whom it asks, with which key, and what it knows by now.

  @ivar progress: None, or a function that is called now and then while an
    answer comes in parts, with how many have come and of how many (None while
    that is not known)

  """
  def __init__(self, make_driver: Callable[[postlib.Post], Driver],
               peers: Optional[Sequence[str]] = None,
               key: Union[bytes, str, None] = None,
               key_file: Optional[str] = None,
               port: Optional[int] = None,
               timeout: Optional[float] = None,
               coverage: int = 0,
               max_memory: int = partslib.MAX_MEMORY,
               cluster: Optional[str] = None) -> None:
    """Makes a client; the other arguments are those of L{sync.Client}.

    """
    given = arguments.OptionalTexts("peers", peers)
    key_path = arguments.OptionalPath("key_file", key_file)
    cluster_name = arguments.OptionalText("cluster", cluster)
    if cluster_name is not None:
      # Few have any
      from ganeti.confd.clientlib import settings
      chosen = settings.Choose(cluster_name)
      given = chosen.addresses if given is None else given
      key_path = key_path or chosen.key_file
      port = chosen.port if port is None else port
      timeout = chosen.timeout if timeout is None else timeout
    if port is None:
      port = localnode.DefaultPort()
    if timeout is None:
      timeout = constants.CONFD_CLIENT_EXPIRE_TIMEOUT
    self.progress: Optional[_Progress] = None
    self._timeout = arguments.Seconds("timeout", timeout)
    self._coverage = arguments.Integer("coverage", coverage, -1)
    self._max_memory = arguments.Integer("max_memory", max_memory, 1)
    self._known = candidates.Candidates(given, arguments.Port("port", port))
    self._freshness = Freshness()
    self._key_file: Optional[str] = None
    if key is None:
      self._key_file = key_path or localnode.HmacKeyFile()
      secret = localnode.ReadAnyKey(self._key_file)
    else:
      secret = keyfile.Parse(arguments.Key("key", key), "the argument")
    self._post = postlib.Post(self._known, secret)
    self._driver = make_driver(self._post)

  def Close(self) -> None:
    """Closes the sockets. Nothing can be asked any more.

    """
    self._driver.Close()

  @property
  def reader(self) -> Optional[readerkey.Label]:
    """The label of the reader's key that is asked with; None for the cluster's.

    """
    return keyfile.LabelOf(self._post.key)

  def MayAsk(self, rtype: int, query: Any = None) -> bool:
    """Tells whether the key is for a question.

    """
    return self.reader is None or self.reader.May(rtype, query)

  @property
  def serial_question(self) -> Tuple[int, Any]:
    """What to ask for the configuration's serial, which the reply then has.

    For a reader, a ping: that right gives less away than the one to see the
    configuration. Only this project's daemon answers him, whose reply to a ping
    has the serial.

    """
    if self.reader is not None and self.MayAsk(constants.CONFD_REQ_PING):
      return (constants.CONFD_REQ_PING, None)
    return exchange.SERIAL_QUESTION

  def Forked(self) -> None:
    """Is called in a new process, which has a copy of everything.

    What waits for replies or names waits in the old one. With its sockets each
    of the two would take replies that the other waits for.

    """
    self._post.channel.Renew()
    self._post.talks.clear()
    self._known.Forked()

  async def _Ask(self, rtype: int, query: Any) -> exchange.Reply[Any]:
    """Asks a question, and returns the answer, however long.

    """
    self._CheckSize(rtype, query)
    deadline = time.monotonic() + self._timeout
    await self._Prepare(deadline)
    failed: List[exchange.Candidate] = []
    while True:
      current = await self._AskFresh(rtype, query, deadline, failed)
      try:
        return current.Result(time.monotonic())
      except (exchange.NoAnswer, exchange.MalformedAnswer):
        self._known.refresh = True
        raise
      except exchange.ErrorAnswer as err:
        if (err.status, err.code) == protocol.NOT_PERMITTED:
          # There may be a newer key by now
          self._known.refresh = True
        if (err.status, err.code) != protocol.TOO_LARGE:
          raise
        reply = err.reply
      source = current.BestSource()
      try:
        return await self._Fetch(rtype, query, source, reply)
      except exchange.ErrorAnswer:
        raise
      except errors.ConfdClientError:
        # Rule 3
        source[0].silent = True
        failed.append(source[0])
        if len(failed) == _MAX_SOURCES or all(i.silent
                                              for i in self._known.Everyone()):
          self._known.refresh = True
          raise
      deadline = time.monotonic() + self._timeout

  async def _Fetch(self, rtype: int, query: Any,
                   source: Tuple[exchange.Candidate, List[talk.Address]],
                   reply: exchange.Reply[Any]) -> exchange.Reply[Any]:
    """Fetches an answer in parts.

    @param source: from whom, see L{exchange.Exchange.BestSource}
    @param reply: the one that said that it is too large

    """
    # Few answers are that long
    from ganeti.confd.clientlib import fetch
    now = time.monotonic()
    parts = await self._driver.Run(
      lambda now: fetch.Fetch(rtype, query, source, reply.serial, now,
                              self._timeout, self._max_memory, self.progress),
      now + self._timeout)
    await self._driver.Call(parts.Unpack)
    return parts.Result(reply, time.monotonic())

  async def _AskFresh(self, rtype: int, query: Any, deadline: float,
                      failed: Collection[exchange.Candidate]
                      ) -> exchange.Exchange:
    """Asks until one of the answers is not stale, or the time is over.

    @param failed: candidates that are not asked

    """
    pause = _STALE_PAUSE_FIRST
    while True:
      (asked, reserve) = self._known.Pick(self._coverage, failed)
      floor = self._freshness.floor
      current = await self._driver.Run(
        lambda now: exchange.Exchange(rtype, query, asked, reserve, now,
                                      deadline, floor), deadline)
      now = time.monotonic()
      if (self._freshness.Judge(current, now) or not current.AllStale() or
          now + pause >= deadline):
        return current
      await self._driver.Pause(pause)
      pause = min(pause * 2, _STALE_PAUSE_MAX)

  async def _AskAll(self, rtype: int, query: Any,
                    only: Optional[Collection[str]]
                    ) -> Tuple[List[exchange.CandidateReply],
                               Dict[str, Optional[str]]]:
    """Asks all candidates, and waits for each of them.

    """
    self._CheckSize(rtype, query)
    deadline = time.monotonic() + self._timeout
    await self._Prepare(deadline)
    asked = [i for i in self._known.Everyone()
             if only is None or i.name in only]
    current = await self._driver.Run(
      lambda now: exchange.Exchange(rtype, query, asked, [], now, deadline,
                                    everybody=True, patience=_SURVEY_PATIENCE),
      deadline)
    return (current.AllReplies(), current.Silent())

  @staticmethod
  def _CheckSize(rtype: int, query: Any) -> None:
    size = _Size(rtype, query)
    if size > _MaxRequest(rtype):
      raise errors.ConfdClientError("The request %s has %d bytes, more than %d"
                                    % (exchange.DescribeRequest(rtype, query),
                                       size, _MaxRequest(rtype)))

  async def _Prepare(self, deadline: float) -> None:
    """Does what comes before a question.

    """
    self._post.channel.CheckOpen()
    if self._known.refresh:
      await self._driver.CallOnce(self._Refresh, deadline)
    if self._known.IsLearningDue(self._freshness.serial, time.monotonic()):
      await self._LearnCandidates(deadline)

  def _Refresh(self, deadline: float) -> None:
    """Reads what may have changed: the candidates and the key.

    """
    self._known.Refresh(deadline)
    if self._key_file is not None:
      try:
        self._post.key = localnode.ReadAnyKey(self._key_file)
      except errors.ConfigurationError:
        # It is being replaced at this moment; the old one may still do
        pass

  async def _LearnCandidates(self, deadline: float) -> None:
    """Learns who the candidates are.

    """
    self._known.BeginLearning(self._freshness.serial, time.monotonic())
    await self._driver.CallOnce(self._Refresh, deadline)
    if not self.MayAsk(constants.CONFD_REQ_MC_PIP_LIST):
      # Those that were given have to do
      return
    listing = await self._AskEveryone(constants.CONFD_REQ_MC_PIP_LIST, deadline)
    try:
      self._known.Learn(listing.Result(time.monotonic()).answer)
    except errors.ConfdClientError:
      pass
    if listing.AllReplies() and self.MayAsk(constants.CONFD_REQ_PING):
      await self._AskEveryone(constants.CONFD_REQ_PING, deadline)

  async def _AskEveryone(self, rtype: int, deadline: float
                         ) -> exchange.Exchange:
    """Asks for as many answers as come quickly.

    """
    now = time.monotonic()
    deadline = min(deadline, now + min(exchange.PATIENCE,
                                       self._timeout * _LEARN_SHARE))
    floor = self._freshness.floor
    current = await self._driver.Run(
      lambda now: exchange.Exchange(rtype, None, self._known.Everyone(), [],
                                    now, deadline, floor), deadline)
    self._freshness.Judge(current, time.monotonic())
    return current

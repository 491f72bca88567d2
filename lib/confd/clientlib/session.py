#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""A client's state from question to question, and the steps of a question.

All steps of a question (reading files, resolving names, one query or several,
pauses) are written once, as coroutines that await nothing but methods of a
L{Driver}. The driver of C{sync} blocks in each step, so the coroutine runs to
its end without being suspended; the driver of C{aio} awaits asyncio's event
loop.

Facts about serials: this project's daemon puts the configuration's serial into
each reply. Ganeti's own daemon puts serials of single objects there, and 0 into
the reply to a ping, which identifies that daemon; its replies do not tell
whether they are stale. Either daemon may replace the other at any time:
L{quorum} identifies the daemon again wherever that decides whether a reply is
stale.

Rule 1: a reply with a lower serial than before is stale (L{quorum}, rules 2 and
5). But if all answers are stale for L{RESTORED_AFTER} seconds, an older
configuration was restored, and the lower serials are accepted.

Rule 2: the time-out counts from the call. Reading files, resolving names and
learning the candidates are part of it. L{download} has its own rule for parts.

Rule 3: if one candidate does not send all parts of an answer, or sends parts
that do not fit together, the other candidates are asked.

"""

from __future__ import annotations

import abc
import math
import time

from ganeti import constants
from ganeti import errors
from ganeti.confd import localnode
from ganeti.confd import protocol
from ganeti.confd.clientlib import arguments
from ganeti.confd.clientlib import endpoint
from ganeti.confd.clientlib import logs
from ganeti.confd.clientlib import operation
from ganeti.confd.clientlib import quorum
from ganeti.confd.clientlib import replies
from ganeti.confd.clientlib import system as systemlib
from ganeti.confd.clientlib import transport as transportlib
from ganeti.confd.clientlib.mastercandidate import Candidate
from ganeti.confd.protocol import keyfile
from ganeti.confd.protocol import parts
from ganeti.confd.protocol import readerkey
from ganeti.confd.protocol import wire
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any, Callable, Collection, Optional, Sequence, TypeVar, \
    Union
  from ganeti.confd.clientlib import typenames


#: If all candidates report lower serials than before for this many seconds, the
#: lower serials are accepted (rule 1)
RESTORED_AFTER = 10.0

#: Fraction of the time-out that each of two questions may take: the question
#: for the list of candidates, and the ping that finds which candidates answer
_LEARN_SHARE = 0.25

#: Seconds to wait for silent candidates in L{Session._AskAll}
_SURVEY_PATIENCE = 1.5

#: Seconds until candidates with stale answers are asked again: the first pause,
#: which doubles each time, and the longest pause
_STALE_PAUSE_FIRST = 0.1
_STALE_PAUSE_MAX = 1.0

#: After downloads from this many candidates have failed, the client gives up
_MAX_SOURCES = 5

#: Bytes that the label of a reader's key and the number of a part add to a
#: request. Daemons that know labels and parts accept larger requests than
#: L{protocol.MAX_PORTABLE_REQUEST}.
_MAX_ADDED = readerkey.MAX_LABEL + 50

if TYPE_CHECKING:
  _Value = TypeVar("_Value")
  _Operation = TypeVar("_Operation", bound=operation.Operation)


class Driver(abc.ABC):
  """The steps that a question awaits.

  @ivar Now: the transport's clock

  """
  def __init__(self, transport: transportlib.Transport) -> None:
    self._transport = transport
    self.Now = transport.Now

  @abc.abstractmethod
  async def Run(self, make: Callable[[float], _Operation], deadline: float
                ) -> _Operation:
    """Waits for a turn, and runs an operation to its end.

    @param make: makes the operation; is called with the time
    @param deadline: until when to wait for the turn

    """

  @abc.abstractmethod
  async def Pause(self, seconds: float) -> None:
    """Sleeps.

    """

  @abc.abstractmethod
  async def Call(self, function: Callable[[], _Value]) -> _Value:
    """Calls a function that takes long.

    """

  @abc.abstractmethod
  async def CallOnce(self, function: Callable[[float], None], deadline: float
                     ) -> None:
    """Calls a function that may block, and waits for the end of the call, until
    the deadline at most.

    If the function is running already, there is no second call.

    @param function: called with the deadline

    """

  @abc.abstractmethod
  def Close(self) -> None:
    """Closes the sockets, and ends all running operations.

    """


class Freshness:
  """The serials seen so far, by which answers are judged to be stale.

  @ivar serial: of the configuration, as far as that is known
  @ivar min_serial: answers with a lower serial are stale

  """
  def __init__(self) -> None:
    self.serial: Optional[int] = None
    self.min_serial: Optional[int] = None
    # The time when answers began to be stale; None if the last answer was
    # fresh. Answers to SERIAL_QUESTION have a time of their own: they can be
    # stale even if they are from Ganeti's own daemon.
    self._serial_stale_since: Optional[float] = None
    self._other_stale_since: Optional[float] = None

  def _StaleSince(self, is_serial_question: bool, now: float) -> float:
    """Returns the time since when all answers are stale, first setting it to
    now if there is none.

    """
    if is_serial_question:
      if self._serial_stale_since is None:
        self._serial_stale_since = now
      return self._serial_stale_since
    if self._other_stale_since is None:
      self._other_stale_since = now
    return self._other_stale_since

  def _NotStale(self) -> None:
    self._serial_stale_since = self._other_stale_since = None

  def Accept(self, current: quorum.QuorumQuery, now: float) -> bool:
    """Updates the serials from the replies to a query.

    @return: whether the query's result may be used

    """
    if current.AllStale():
      since = self._StaleSince(current.is_serial_question, now)
      if now - since < RESTORED_AFTER:
        return False
      self.min_serial = current.min_serial = None
      self._NotStale()
    best = current.BestSerial()
    if best is None:
      # No candidate has answered, so there is no evidence of stale replies:
      # restart the period of RESTORED_AFTER
      self._NotStale()
      return False
    (serial, is_certain) = best
    if is_certain or self.serial is None:
      self.serial = serial
    if is_certain:
      self.Seen(serial)
      self._NotStale()
    else:
      self._other_stale_since = None
    return True

  def Seen(self, serial: int) -> None:
    """Notes a serial of the configuration that a candidate has reported.

    """
    self.min_serial = max(serial, self.min_serial or 0)


def _MaxRequest(rtype: int) -> int:
  """Returns the largest L{_Size} of a request that a daemon accepts.

  This project's daemon, which alone knows QUERY, accepts larger requests.

  """
  if rtype == protocol.REQ_QUERY:
    return int(constants.MAX_UDP_DATA_SIZE) - _MAX_ADDED
  return protocol.MAX_PORTABLE_REQUEST


def _Size(rtype: int, query: Any) -> int:
  """Returns the size of a request that has neither a label nor a part, in
  bytes.

  """
  return wire.RequestSize(time.time(), rtype, query, "-" * 36)


def _Signature(key: wire.Key) -> bytes:
  """Returns bytes by which keys can be compared.

  """
  return wire.PackRequest(key, 0, 0, None, "")


def SplitQuery(rtype: int, query: dict[str, Any], key: str,
               items: Optional[Sequence[Any]]) -> list[dict[str, Any]]:
  """Splits a query with a long list into queries that each fit a request.

  @param items: the list, which goes under C{key} into the query; None for a
    query without it
  @return: list of queries

  """
  if items is None:
    return [query]
  whole = dict(query, **{key: items})
  if len(items) < 2 or _Size(rtype, whole) <= _MaxRequest(rtype):
    return [whole]
  middle = len(items) // 2
  return (SplitQuery(rtype, query, key, items[:middle]) +
          SplitQuery(rtype, query, key, items[middle:]))


def JoinReplies(answered: Sequence[replies.Reply[Any]]) -> replies.Reply[Any]:
  """Joins the replies to the queries of L{SplitQuery}.

  @param answered: the replies, whose answers are lists
  @return: the last reply, with all answers and the lowest serial

  """
  joined = answered[-1]._replace(serial=min(i.serial for i in answered))
  return joined.With([row for reply in answered for row in reply.answer])


class Session:
  """A client: its candidates, its key, and the serials it has seen.

  A subclass sets "_DRIVER".

  @ivar progress: None, or a function that is called now and then while an
    answer is downloaded in parts, with the number of parts so far and the
    number of all parts (None while that is not known)

  """
  _DRIVER: type[Driver]

  def __init__(self, peers: Optional[Sequence[str]] = None,
               key: Union[bytes, str, None] = None,
               key_file: Optional[str] = None,
               port: Optional[int] = None,
               timeout: Optional[float] = None,
               coverage: int = 0,
               max_memory: int = parts.MAX_MEMORY,
               cluster: Optional[str] = None,
               learn: bool = True,
               deadline: Optional[float] = None) -> None:
    """Makes a client; nothing is sent yet.

    @param peers: names or addresses of the master candidates, with or without
      a port; None for those that this node knows
    @param key: the contents of a key file, the cluster's or a reader's
    @param key_file: the path of that file, if "key" is not given; None for the
      place of the cluster's key on a node
    @param port: the port of the peers without one; None for the default
    @param timeout: how long to wait for an answer, in seconds; for an answer in
      parts, how long to wait for the next part; None for 10
    @param coverage: how many candidates to ask; 0 for
      constants.CONFD_DEFAULT_REQ_COVERAGE or all if they are fewer, -1 for all
    @param max_memory: how much memory an answer in parts may take, in bytes
      (about); 1.6 GB by default
    @param cluster: the name of a cluster in the files that confd-client(1)
      describes, whose settings replace those arguments above that are not
      given; empty for the default cluster of environment and files; None to
      read no such file
    @param learn: whether to learn from the cluster's list of candidates which
      others there are, and which are none any more; False if the cluster's own
      addresses do not lead to it from here, as behind NAT or in a container
    @param deadline: how long a question may take in all, with all parts of the
      answer and all attempts, in seconds; None for no limit
    @raise errors.ConfigurationError: there is no usable key, or the settings
      are wrong
    @raise errors.ProgrammerError: an argument is wrong

    """
    given = arguments.OptionalTexts("peers", peers)
    key_path = arguments.OptionalPath("key_file", key_file)
    cluster_name = arguments.OptionalText("cluster", cluster)
    self._system = systemlib.Choose(cluster_name)
    if cluster_name is not None:
      chosen = self._system.Settings(
        cluster_name, given is not None and (key is not None or
                                             key_path is not None))
      given = chosen.addresses if given is None else given
      key_path = key_path or chosen.key_file
      port = chosen.port if port is None else port
      timeout = chosen.timeout if timeout is None else timeout
    if port is None:
      port = localnode.DefaultPort()
    if timeout is None:
      timeout = constants.CONFD_CLIENT_EXPIRE_TIMEOUT
    self.progress: Optional[typenames.ProgressCallback] = None
    self._timeout = arguments.Seconds("timeout", timeout)
    self._deadline = (math.inf if deadline is None else
                      arguments.Seconds("deadline", deadline))
    self._learn = arguments.Boolean("learn", learn)
    self._coverage = arguments.Integer("coverage", coverage, -1)
    self._max_memory = arguments.Integer("max_memory", max_memory, 1)
    self._known = self._system.Candidates(given, arguments.Port("port", port))
    self._freshness = Freshness()
    self._pings_for_serial = False
    self._key_file: Optional[str] = None
    self._key_error: Optional[errors.ConfigurationError] = None
    self._logged_silent: dict[str, Optional[str]] = {}
    if key is None:
      self._key_file = key_path or localnode.HmacKeyFile()
    secret = self._system.Key(
      None if key is None else arguments.Key("key", key), key_path)
    self._transport = self._system.Transport(self._known, secret)
    self._driver = self._system.Driver(self._DRIVER, self._transport)

  def Close(self) -> None:
    """Closes the sockets. Nothing can be asked any more.

    """
    self._driver.Close()

  @property
  def reader(self) -> Optional[readerkey.Label]:
    """The label of the reader's key in use; None for the cluster's key.

    """
    return keyfile.LabelOf(self._transport.key)

  def MayAsk(self, rtype: int, query: Any = None) -> bool:
    """Tells whether the key has the right for a question.

    """
    return self.reader is None or self.reader.May(rtype, query)

  @property
  def serial_question(self) -> tuple[int, Any]:
    """Type and query of a question whose reply has the configuration's serial.

    With a reader's key that permits it, the question is a ping: the right for
    it gives less away than the right to see the configuration. Only this
    project's daemon replies to readers, and its reply to a ping has the serial.
    The question is a ping, too, if the daemons have not implemented the usual
    question for the serial.

    """
    if self._pings_for_serial or (self.reader is not None and
                                  self.MayAsk(constants.CONFD_REQ_PING)):
      return (constants.CONFD_REQ_PING, None)
    return quorum.SERIAL_QUESTION

  def Forked(self) -> None:
    """Drops the parent's sockets and lookups; called in the child after a fork.

    """
    self._transport.Forked()
    self._known.Forked()

  async def _AskSerial(self) -> replies.Reply[int]:
    """Asks for the serial number of the configuration.

    """
    try:
      reply = await self._Ask(*self.serial_question)
    except replies.ErrorAnswer as err:
      if (err.status != constants.CONFD_REPL_STATUS_NOTIMPLEMENTED or
          self._pings_for_serial or
          not self.MayAsk(constants.CONFD_REQ_PING)):
        raise
      reply = await self._Ask(constants.CONFD_REQ_PING, None)
      if not reply.serial:
        raise
      self._pings_for_serial = True
    if self._pings_for_serial and not reply.serial:
      # Serial 0 in a reply to a ping identifies Ganeti's own daemon, which has
      # replaced this project's daemon: ask the question for the serial instead
      self._pings_for_serial = False
      reply = await self._Ask(*self.serial_question)
    return reply._replace(answer=reply.serial)

  async def _Ask(self, rtype: int, query: Any) -> replies.Reply[Any]:
    """Asks a question, and returns the answer of any length.

    """
    self._CheckSize(rtype, query)
    started = self._driver.Now()
    failed: dict[Candidate, errors.ConfdClientError] = {}
    try:
      return await self._Attempt(rtype, query, started, failed)
    except replies.NoAnswer as err:
      err.seconds = self._driver.Now() - started
      replies.AddAttempts(err, {source.name: attempt for (source, attempt)
                                in failed.items()})
      raise

  async def _Attempt(self, rtype: int, query: Any, started: float,
                     failed: dict[Candidate, errors.ConfdClientError]
                     ) -> replies.Reply[Any]:
    """Asks a question, until a candidate sends all parts of the answer.

    @param started: the time of the program's call
    @param failed: gets the candidates whose downloads have failed, and why,
      but for the last one's, which is raised

    """
    ends = started + self._deadline
    deadline = min(ends, self._driver.Now() + self._timeout)
    await self._Prepare(deadline)
    while True:
      current = await self._AskFresh(rtype, query, deadline, failed)
      try:
        return current.Result(self._driver.Now(), started)
      except (replies.NoAnswer, replies.MalformedAnswer):
        self._known.refresh = True
        raise
      except replies.ErrorAnswer as err:
        if (err.status, err.code) == protocol.NOT_PERMITTED:
          # Read the key file again: it may have a key with more rights by now
          self._known.refresh = True
        if (err.status, err.code) != protocol.TOO_LARGE:
          raise
        reply = err.reply
      source = current.BestSource()
      try:
        return await self._Download(rtype, query, source, reply, ends)
      except replies.ErrorAnswer:
        raise
      except errors.ConfdClientError as err:
        source[0].Missed()
        now = self._driver.Now()
        if (len(failed) + 1 == _MAX_SOURCES or now >= ends or
            all(i.silent for i in self._known.Everyone())):
          self._known.refresh = True
          raise
        # Leave this candidate out when the question is asked again (rule 3)
        failed[source[0]] = err
      deadline = min(ends, now + self._timeout)

  async def _Download(self, rtype: int, query: Any,
                      source: tuple[Candidate, list[endpoint.Address]],
                      reply: replies.Reply[Any], ends: float
                      ) -> replies.Reply[Any]:
    """Downloads an answer in parts.

    @param source: see L{quorum.QuorumQuery.BestSource}
    @param reply: the reply that said the answer is too large
    @param ends: when to give up

    """
    # Imported here: few answers are long enough for a download
    from ganeti.confd.clientlib import download
    now = self._driver.Now()
    current = await self._driver.Run(
      lambda now: download.Download(rtype, query, source, reply.serial, now,
                                    self._timeout, self._max_memory,
                                    self.progress, ends),
      min(ends, now + self._timeout))
    await self._driver.Call(current.Unpack)
    return current.Result(reply, self._driver.Now())

  async def _AskFresh(self, rtype: int, query: Any, deadline: float,
                      failed: Collection[Candidate]) -> quorum.QuorumQuery:
    """Repeats a query until an answer is not stale, or the time is over.

    @param failed: candidates that are not asked

    """
    pause = _STALE_PAUSE_FIRST
    while True:
      (asked, reserve) = self._known.Pick(self._coverage, failed)
      min_serial = self._freshness.min_serial
      current = await self._driver.Run(
        lambda now: quorum.QuorumQuery(rtype, query, asked, reserve, now,
                                       deadline, min_serial,
                                       with_lists=self._learn), deadline)
      now = self._driver.Now()
      is_fresh = self._Accept(current, now)
      if logs.IsDebugging():
        self._Log(current, min_serial)
      if is_fresh or not current.AllStale() or now + pause >= deadline:
        return current
      await self._driver.Pause(pause)
      pause = min(pause * 2, _STALE_PAUSE_MAX)

  def _Accept(self, current: quorum.QuorumQuery, now: float) -> bool:
    """Updates the serials from the replies to a query, and logs if an older
    configuration was restored.

    @return: see L{Freshness.Accept}

    """
    before = self._freshness.min_serial
    is_fresh = self._freshness.Accept(current, now)
    if before is not None and (self._freshness.min_serial or 0) < before:
      logs.Warn("All candidates have lower serials than %d by now, such as %s:"
                " an older configuration was restored", before,
                self._freshness.serial)
    return is_fresh

  def _Log(self, current: quorum.QuorumQuery, min_serial: Optional[int]
           ) -> None:
    """Logs, for debugging, what a query has shown of the candidates.

    @param min_serial: as in L{Freshness}, before the query

    """
    if current.AllStale():
      logs.Debug("All answers to %s are older than serial %s; asking again",
                 current.description, min_serial)
    silent = {i.name: i.last_error for i in self._known.Everyone() if i.missed}
    for name in sorted(silent.keys() - self._logged_silent.keys()):
      logs.Debug("%s does not answer: %s", name,
                 silent[name] or "the reason is unknown")
    for name in sorted(self._logged_silent.keys() - silent.keys()):
      logs.Debug("%s answers again, or is no candidate any more", name)
    self._logged_silent = silent

  async def _AskAll(self, rtype: int, query: Any,
                    only: Optional[Collection[str]]
                    ) -> tuple[list[replies.CandidateReply],
                               dict[str, Optional[str]]]:
    """Asks all candidates, and waits for each of them.

    """
    self._CheckSize(rtype, query)
    deadline = self._driver.Now() + min(self._timeout, self._deadline)
    await self._Prepare(deadline)
    asked = [i for i in self._known.Everyone()
             if only is None or i.name in only]
    current = await self._driver.Run(
      lambda now: quorum.QuorumQuery(rtype, query, asked, [], now, deadline,
                                     wait_for_all=True,
                                     patience=_SURVEY_PATIENCE,
                                     with_lists=self._learn),
      deadline)
    return (current.AllReplies(), current.Silent())

  @staticmethod
  def _CheckSize(rtype: int, query: Any) -> None:
    if query is None:
      # Any request without a query is small enough
      return
    (size, limit) = (_Size(rtype, query), _MaxRequest(rtype))
    if size > limit:
      raise replies.RequestTooLarge(
        "The request %s has %d bytes, more than %d" %
        (replies.DescribeRequest(rtype, query), size, limit), size, limit)

  async def _Prepare(self, deadline: float) -> None:
    """Prepares for a question: reads files, and learns candidates, if due.

    """
    self._transport.CheckOpen()
    if self._known.refresh:
      await self._driver.CallOnce(self._Refresh, deadline)
    if self._known.IsLearningDue(self._freshness.serial, self._driver.Now()):
      await self._LearnCandidates(deadline)

  def _Refresh(self, deadline: float) -> None:
    """Reads the candidates and the key again.

    """
    self._known.Refresh(deadline)
    if self._key_file is not None:
      try:
        key = self._system.Key(None, self._key_file)
      except errors.ConfigurationError as err:
        # Keep the old key: the file may be incomplete because a program is
        # writing it
        if self._key_error is None:
          logs.Warn("The old key remains in use: %s", err)
        self._key_error = err
        return
      self._key_error = None
      if _Signature(key) != _Signature(self._transport.key):
        logs.Debug("There is a new key in %s", self._key_file)
      self._transport.key = key

  async def _LearnCandidates(self, deadline: float, with_ping: bool = True
                             ) -> None:
    """Asks the candidates for the list of candidates.

    @param with_ping: whether to ping the candidates as well, to find out which
      of them answer

    """
    self._known.BeginLearning(self._freshness.serial, self._driver.Now())
    await self._driver.CallOnce(self._Refresh, deadline)
    if not self.MayAsk(constants.CONFD_REQ_MC_PIP_LIST):
      # Without the right to ask for the list, no candidates can be learned
      return
    if self._learn:
      listing = await self._AskQuickly(constants.CONFD_REQ_MC_PIP_LIST,
                                       deadline)
      try:
        self._known.Learn(listing.Result(self._driver.Now()).answer)
      except errors.ConfdClientError:
        pass
      with_ping = with_ping and bool(listing.AllReplies())
    if with_ping and self.MayAsk(constants.CONFD_REQ_PING):
      await self._AskQuickly(constants.CONFD_REQ_PING, deadline)

  async def _AskQuickly(self, rtype: int, deadline: float
                        ) -> quorum.QuorumQuery:
    """Asks all candidates, with a short time-out.

    """
    now = self._driver.Now()
    deadline = min(deadline, now + min(quorum.PATIENCE,
                                       self._timeout * _LEARN_SHARE))
    min_serial = self._freshness.min_serial
    current = await self._driver.Run(
      lambda now: quorum.QuorumQuery(rtype, None, self._known.Everyone(), [],
                                     now, deadline, min_serial,
                                     with_lists=self._learn), deadline)
    self._Accept(current, self._driver.Now())
    return current

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The collector: the process that asks the clusters' daemons.

The client library resolves names in threads. The server must have one thread,
as it forks (C{forked}); so the collector is another process. The collector
sends all news to the server as messages, over a socket; C{collecting} has the
other end. The collector ends when the server does.

The collector follows the serial number of each cluster: the daemons report a
change at once, and the server then fetches the configuration. The collector
also polls the state of the candidates, every few seconds.

"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import pickle
import socket
import struct
import threading
import time

from typing import Any, Awaitable, Callable, Mapping, NamedTuple, Optional

from ganeti import confd
from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd.exporter import clusterstate
from ganeti.confd.protocol import readerkey


#: Seconds between two questions for the candidates' state
_CANDIDATES_INTERVAL = 15.0

#: Back-off after an error (seconds): the first delay and the longest one
RETRY = (1.0, 15.0)

#: The errors to expect when a cluster is asked; any other exception is a bug
#: in this program
EXPECTED = (errors.GenericError, OSError)

#: The name of the client library's logger
_LIBRARY = "ganeti.confd"

#: A message of the client library is not logged again within this time
#: (seconds)
_SAME_INTERVAL = 60.0

#: The cluster that the current task follows
_following: contextvars.ContextVar[str] = contextvars.ContextVar("following")

#: The header of a message between collector and server: the message's size
_HEADER = struct.Struct("!Q")

#: The arguments with which the clients for a cluster are made
Settings = Mapping[str, Any]


class Change(NamedTuple):
  """Tells the server of a new configuration; the server answers by L{Taken}.

  """
  cluster: str
  serial: int


class CandidatesState(NamedTuple):
  """Tells the server the state of the candidates.

  """
  cluster: str
  candidates: clusterstate.Candidates


class Problem(NamedTuple):
  """Tells the server why a cluster does not answer, or that it answers again.

  """
  cluster: str
  #: Why the cluster does not answer; None if it answers
  text: Optional[str]


class Reader(NamedTuple):
  """Tells the server the label of the key that the cluster is asked with.

  """
  cluster: str
  #: The label of a reader's key; None for the cluster's own key
  label: Optional[readerkey.Label]


class Taken(NamedTuple):
  """Tells the collector that the server has tried to fetch a configuration.

  """
  cluster: str
  #: Why no configuration could be fetched; None if one was fetched
  error: Optional[str]


class NameCluster(logging.Filter):
  """Adds the cluster to the library's messages, and drops repeated ones.

  Each cluster has two clients, which log the same messages. Messages about a
  key's file come from a thread, which does not know the cluster; these messages
  name the file.

  """
  def __init__(self) -> None:
    logging.Filter.__init__(self)
    #: The time at which each message was logged last. The lock guards this
    #: dictionary: any thread may call the filters of a logger, and C{logging}
    #: does not lock them.
    self._logged: dict[str, float] = {}
    self._lock = threading.Lock()

  # The library C{logging} prescribes the name
  def filter(self, record: logging.LogRecord) -> bool:
    text = record.getMessage()
    cluster = _following.get("")
    if cluster:
      text = "Cluster %s: %s" % (cluster, text)
    now = time.monotonic()
    with self._lock:
      self._logged = {known: logged for (known, logged) in self._logged.items()
                      if now - logged < _SAME_INTERVAL}
      if text in self._logged:
        return False
      self._logged[text] = now
    (record.msg, record.args) = ("%s", (text, ))
    return True


def Send(writer: asyncio.StreamWriter, message: Any) -> None:
  """Sends a message.

  """
  data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
  writer.write(_HEADER.pack(len(data)))
  writer.write(data)


async def Receive(reader: asyncio.StreamReader) -> Any:
  """Receives a message.

  Unpickling is safe, as both ends are this program, run by one user.

  @raise asyncio.IncompleteReadError: the other process has ended
  @raise OSError: the other process has ended

  """
  (size, ) = _HEADER.unpack(await reader.readexactly(_HEADER.size))
  return pickle.loads(await reader.readexactly(size))


class Cluster:
  """Follows the state of a cluster.

  @ivar problem: why the cluster does not answer; None while it answers

  """
  def __init__(self, name: str, make_client: Callable[
      [], clientlib.AsyncClient], send: Callable[[Any], None]) -> None:
    """@param send: sends a message to the server

    """
    self.problem: Optional[str] = "not asked yet"
    self._name = name
    self._make_client = make_client
    self._send = send
    self._has_config = False
    #: Completes with the server's answer to a L{Change}
    self._taken: Optional[asyncio.Future[Optional[str]]] = None

  async def Run(self) -> None:
    """Asks until the task that runs this method is cancelled.

    """
    _following.set(self._name)
    await asyncio.gather(
      self._Repeat(self._FollowConfig, self._SetProblem),
      # Ignore errors here: C{_FollowConfig} reports why a cluster does not
      # answer, and L{CandidatesState} says which candidates are silent
      self._Repeat(self._FollowCandidates, lambda err: None))

  async def _Repeat(self, follow: Callable[[clientlib.AsyncClient],
                                           Awaitable[None]],
                    set_problem: Callable[[Optional[Exception]], None]) -> None:
    """Calls a function that follows a cluster, and again after each error.

    @param follow: the function; each call gets a new client

    """
    (delay, most) = RETRY
    while True:
      started = time.monotonic()
      try:
        async with self._make_client() as asker:
          await follow(asker)
      except Exception as err: # pylint: disable=W0718
        set_problem(err)
      if time.monotonic() - started > most:
        delay = RETRY[0]
      await asyncio.sleep(delay)
      delay = min(2 * delay, most)

  def _SetProblem(self, err: Optional[Exception]) -> None:
    """Notes why the cluster does not answer.

    @param err: None if the cluster answers again

    """
    problem = None
    fault: Optional[Exception] = None
    if isinstance(err, EXPECTED):
      problem = str(err)
    elif err is not None:
      fault = err
      problem = ("no answer can be used, because of a programming error (%s);"
                 " %s" % (type(err).__name__, confd.PLEASE_REPORT))
    if problem == self.problem:
      return
    if problem is None:
      logging.info("Cluster %s: answers", self._name)
    elif self.problem is None or not self._has_config:
      # Log only the first error of a series: later ones mostly have the same
      # cause. Before the first configuration, log each error that differs from
      # the one before.
      logging.warning("Cluster %s: %s", self._name, problem, exc_info=fault)
    self.problem = problem
    self._send(Problem(self._name, problem))

  async def _FollowConfig(self, asker: clientlib.AsyncClient) -> None:
    """Tells the server of the configuration, at the start and when it changes.

    @raise errors.ConfdClientError: the server could not fetch a configuration

    """
    async def _AskSerial(confd: Any) -> clientlib.Reply[int]:
      reply = await confd.Ping()
      result: clientlib.Reply[int] = reply.With(reply.serial)
      return result

    async for change in asker.FollowCall(
        _AskSerial, lambda serial: {"serial": serial}, self._SetProblem):
      self._taken = asyncio.get_running_loop().create_future()
      self._send(Change(self._name, change.reply.answer))
      error = await self._taken
      if error is not None:
        raise errors.ConfdClientError(error)
      self._has_config = True
      self._SetProblem(None)

  def Taken(self, error: Optional[str]) -> None:
    """Notes the server's answer to a change.

    """
    if self._taken is not None and not self._taken.done():
      self._taken.set_result(error)

  async def _FollowCandidates(self, asker: clientlib.AsyncClient) -> None:
    """Asks for the candidates' state every few seconds.

    """
    self._send(Reader(self._name, asker.reader))
    while True:
      self._send(CandidatesState(
        self._name, await clusterstate.AskCandidates(asker)))
      await asyncio.sleep(_CANDIDATES_INTERVAL)


async def _Collect(sock: socket.socket, settings: Mapping[str, Settings]
                   ) -> None:
  """Asks all clusters until the server is gone.

  """
  (reader, writer) = await asyncio.open_connection(sock=sock)
  clusters: dict[str, Cluster] = {
    name: Cluster(name, functools.partial(clientlib.AsyncClient, **arguments),
                  functools.partial(Send, writer))
    for (name, arguments) in settings.items()}

  async def _Listen() -> None:
    while True:
      message = await Receive(reader)
      clusters[message.cluster].Taken(message.error)

  tasks = [asyncio.ensure_future(cluster.Run())
           for cluster in clusters.values()]
  listening = asyncio.ensure_future(_Listen())
  (done, _) = await asyncio.wait([listening, *tasks],
                                 return_when=asyncio.FIRST_COMPLETED)
  for task in done:
    task.result()


def Main(settings: Mapping[str, Settings], sock: socket.socket) -> None:
  """Runs the collector, in a process of its own.

  @param settings: arguments of each cluster's clients, by the cluster's name

  """
  logging.getLogger(_LIBRARY).addFilter(NameCluster())
  try:
    # Do without asyncio.run, which would wait at its end for threads that
    # resolve names
    asyncio.new_event_loop().run_until_complete(_Collect(sock, settings))
  except (EOFError, OSError):
    # Ignore the error: the server has ended
    pass
  except Exception:  # pylint: disable=W0718
    logging.exception("Programming error")

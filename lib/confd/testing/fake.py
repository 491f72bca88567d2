#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""A fake cluster for the clients of a program.

"""

from __future__ import annotations

import collections
import copy
import json
import threading
import weakref

from ganeti import errors
from ganeti.confd.clientlib import candidates as candidateslib
from ganeti.confd.clientlib import endpoint
from ganeti.confd.clientlib import settings as settingslib
from ganeti.confd.clientlib import system
from ganeti.confd.clientlib import transport as transportlib
from ganeti.confd.clientlib.mastercandidate import Candidate as _Known
from ganeti.confd.config import snapshot as snapshotlib
from ganeti.confd.protocol import keyfile
from ganeti.confd.protocol import readerkey
from ganeti.confd.protocol import wire
from ganeti.confd.serving import replay
from ganeti.confd.testing import candidate as candidatelib
from ganeti.confd.testing import configuration
from ganeti.confd.testing import network
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  import os
  from typing import Any, Callable, Deque, Iterable, Mapping, Optional, \
    Sequence, TypeVar, Union

  _Driver = TypeVar("_Driver")



#: The key of a fake cluster, which looks like a key that Ganeti has made
KEY = b"00000000-ganeti-confd-testing-00000000\n"


class Asked(NamedTuple):
  """A question that a client has asked.

  Retransmits, and requests to several candidates, count as one question.

  """
  #: the question's name, such as C{node-role}, C{list} or C{wait}
  #: (doc/protocol.rst)
  question: str
  #: the question's query, as it was sent; any JSON value
  query: Any
  #: the name of the reader whose key was used; None for the cluster's key
  reader: Optional[str]
  #: the names of the candidates that got the request
  candidates: list[str]


class _System(system.System):
  """The machine of the clients of a fake: no files, no names, no network.

  """
  def __init__(self, fake: Fake) -> None:
    self._fake = fake

  def Settings(self, cluster: str, is_complete: bool) -> settingslib.Cluster:
    return settingslib.Cluster()

  def Key(self, key: Optional[bytes], path: Optional[str]) -> wire.Key:
    return self._fake.client_key

  def Candidates(self, given: Optional[list[str]], port: int
                 ) -> candidateslib.Candidates:
    return _Candidates(self._fake, given, port)

  def Transport(self, known: candidateslib.Candidates, key: wire.Key
                ) -> transportlib.Transport:
    transport = network.Transport(known, key, self._fake)
    self._fake.Connected(transport)
    return transport

  def Driver(self, make: Callable[[transportlib.Transport], _Driver],
             transport: transportlib.Transport) -> _Driver:
    if make.__module__ == "ganeti.confd.clientlib.aio":
      # Imported here: asyncio takes long to import
      from ganeti.confd.testing import aio
      driver: Any = aio.Driver
      made: _Driver = driver(transport)
      return made
    return make(transport)


class _Candidates(candidateslib.Candidates):
  """Candidates whose names and addresses lead to the candidates of a fake.

  """
  def __init__(self, fake: Fake, given: Optional[list[str]], port: int
               ) -> None:
    candidateslib.Candidates.__init__(self, given, port)
    self._fake = fake

  def Find(self, given: Optional[Sequence[str]], port: int, deadline: float
           ) -> list[_Known]:
    if given is None:
      given = [i.address for i in self._fake.candidates]
    if not given:
      raise errors.ConfdClientError("Nobody to ask: the list is empty")
    found: list[_Known] = []
    known: set[endpoint.Address] = set()
    for peer in given:
      (host, peer_port) = endpoint.Parse(peer, port)
      addresses = [address for ip in self._fake.Resolve(host)
                   for address in candidateslib.ResolveNumeric(ip, peer_port)]
      if not known.issuperset(addresses):
        known.update(addresses)
        found.append(_Known(peer, addresses))
    return found


class Fake(candidatelib.Orders):
  """A fake cluster: its master candidates answer the clients of a program.

  Use a fake as a context manager, or call Start() and Stop(). In between, each
  new Client and AsyncClient asks the fake, in whatever thread the client is
  made. A node's name or address leads to that node, and any other name or
  address to all candidates. Key files and settings are not read. Clients of
  Ganeti's own interface (ConfdClient) do not ask the fake.

  Each client has a clock of its own, which moves only while the client waits,
  and then jumps to the end of the wait. So a question without an answer takes
  its whole time-out by the client's clock, but only some milliseconds of real
  time. A client that follows an answer waits until the test makes a change: in
  another thread, in another task, or as a step, see Then().

  The methods of the base class order a behaviour of all candidates in place of
  answers; the same methods of a Candidate are for that candidate alone.

  """
  def __init__(self,
               config: Union[str, os.PathLike[str], bytes, Mapping[str, Any],
                             None] = None,
               may: Optional[Iterable[str]] = None,
               cluster: Optional[str] = None) -> None:
    """Makes a cluster.

    @param config: the path of a file config.data, its contents, or the same as
      a dictionary; None for MakeConfig() without arguments
    @param may: the rights of a reader's key, named as for confd-client(1)
      make-key, which all clients then have; None for the cluster's key
    @param cluster: the name of the cluster in the settings; only clients made
      with that name ask the fake. None for all clients.
    @raise errors.ConfigurationError: the configuration is unusable, or has no
      master candidate with an address
    @raise OSError: the file cannot be read
    @raise ValueError: there is no such right

    """
    self.changed = threading.Condition()
    self.client_key: wire.Key = KEY
    if may is not None:
      label = readerkey.Make("testing", may, None)
      self.client_key = keyfile.Parse(
        keyfile.Format(KEY, label).encode("ascii"), "the argument")
    self._cluster = cluster
    self._replays = replay.ReplayTable()
    self._asked: dict[Any, Asked] = {}
    self._steps: Deque[Callable[[], object]] = collections.deque()
    self._transports: weakref.WeakSet[network.Transport] = weakref.WeakSet()
    self._by_address: dict[str, candidatelib.Candidate] = {}
    self._newest = candidatelib.State(configuration.Text(
      configuration.MakeConfig() if config is None else config))
    self._earlier = _LowerSerial(self._newest)
    self._UpdateCandidates()

  # Activation

  def __enter__(self) -> Fake:
    self.Start()
    return self

  def __exit__(self, *_: object) -> None:
    self.Stop()

  def Start(self) -> None:
    """Makes each new client ask the fake.

    """
    system.choosers.append(self._Choose)

  def Stop(self) -> None:
    """Makes new clients ordinary ones again, and closes the fake's clients.

    Iterators over changes end, in other threads, too.

    """
    if self._Choose in system.choosers:
      system.choosers.remove(self._Choose)
    self.CloseClients()

  def CloseClients(self) -> None:
    """Closes all clients of the fake. Iterators over changes end.

    This method may be a step, see Then().

    """
    for transport in list(self._transports):
      transport.Close()

  def _Choose(self, cluster: Optional[str]) -> Optional[system.System]:
    if self._cluster is None or self._cluster == cluster:
      return _System(self)
    return None

  # The configuration

  @property
  def config(self) -> dict[str, Any]:
    """A copy of the newest configuration.

    """
    config: dict[str, Any] = json.loads(self._newest.text)
    return config

  @property
  def serial(self) -> int:
    """The serial of the newest configuration.

    """
    return self._newest.serial

  @property
  def candidates(self) -> list[candidatelib.Candidate]:
    """The master candidates, by name.

    """
    return sorted(self._by_address.values(), key=lambda i: i.name)

  def Candidate(self, name: str) -> candidatelib.Candidate:
    """Returns a master candidate.

    @param name: the name of the node, or its first part; or its address
    @raise LookupError: there is no such candidate

    """
    found = [i for i in self.candidates if name in (i.name, i.address)] or \
            [i for i in self.candidates if i.name.startswith(name + ".")]
    if len(found) != 1:
      raise LookupError("No master candidate '%s', or more than one: %s" % (
        name, ", ".join(i.name for i in self.candidates)))
    return found[0]

  def Change(self,
             change: Union[str, os.PathLike[str], bytes, Mapping[str, Any],
                           Callable[[dict[str, Any]], object]],
             at: Optional[Iterable[str]] = None) -> int:
    """Changes the configuration, as Ganeti's master does.

    Clients that follow an answer see the change. A change may make and remove
    master candidates. A candidate that was ordered to go back (GoBack()) gets
    the new configuration like the others.

    @param change: a function that is called with the newest configuration, a
      dictionary, and changes that; or a new configuration, as the constructor
      takes one. The serial number (serial_no) is raised by one if the change
      has left it the same.
    @param at: the names of the candidates that get the new configuration, as
      Candidate() takes them; None for all. The others are behind.
    @return: the new serial number
    @raise errors.ConfigurationError: the new configuration is unusable; the old
      one stays
    @raise LookupError: there is no such candidate

    """
    config = self.config
    if callable(change):
      change(config)
    else:
      config = json.loads(configuration.Text(change))
    if config.get("serial_no") == self.serial:
      config["serial_no"] += 1
    state = candidatelib.State(configuration.Text(config))
    only = None if at is None else {self.Candidate(name).name for name in at}
    with self.changed:
      self._earlier = self._newest
      self._newest = state
      self._UpdateCandidates()
      for candidate in self.candidates:
        if only is None or candidate.name in only:
          candidate.Load(state)
    return state.serial

  def _UpdateCandidates(self) -> None:
    """Makes the candidates of the newest configuration, and removes others.

    """
    nodes = {node.primary_ip: node
             for node in self._newest.snapshot.nodes.items
             if node.candidate and node.primary_ip is not None}
    if not nodes:
      raise errors.ConfigurationError("The configuration has no master"
                                      " candidate with an address")
    for (address, node) in nodes.items():
      if address not in self._by_address:
        candidate = candidatelib.Candidate(node.name, address, KEY,
                                           self._newest, self._replays)
        candidate.newest = lambda: self._newest
        candidate.earlier = lambda: self._earlier
        candidate.on_change = self._OnChange
        self._by_address[address] = candidate
    for address in set(self._by_address) - set(nodes):
      self._OnChange(self._by_address.pop(address), False)

  def _OnChange(self, candidate: candidatelib.Candidate, answer: bool) -> None:
    with self.changed:
      for transport in list(self._transports):
        transport.Changed(candidate, answer)

  # Methods for tests: steps, time, and the questions so far

  def _Each(self) -> Iterable[candidatelib.Candidate]:
    return self.candidates

  def Then(self, *steps: Callable[[], object]) -> None:
    """Adds steps, functions without arguments, that are called one by one.

    The next step is called when a client that follows an answer can only wait
    for a change, or has got an error and is about to try again. If a step
    raises an exception, even KeyboardInterrupt, the client's caller gets the
    exception. If there are no more steps and no other threads, a client that
    would wait for ever raises AssertionError. (An AsyncClient keeps waiting,
    since other tasks may make a change.)

    """
    self._steps.extend(steps)

  def Pass(self, seconds: float) -> None:
    """Advances the clocks of all clients, as if they were not used for a time.

    Clients learn the candidates again after a second if the configuration has
    changed, and otherwise after 30 seconds.

    """
    with self.changed:
      for transport in list(self._transports):
        transport.Advance(transport.Now() + seconds)
        transport.Wake()

  @property
  def asked(self) -> list[Asked]:
    """The questions so far, including those for the list of candidates.

    """
    with self.changed:
      return copy.deepcopy(list(self._asked.values()))

  def Count(self, question: Optional[str] = None) -> int:
    """Returns how many questions were asked.

    @param question: as in fake.asked; None for all
    @raise ValueError: there is no question of that name

    """
    types = candidatelib.QuestionTypes(question)
    with self.changed:
      return sum(1 for i in self._asked.values()
                 if types is None or
                 candidatelib.QUESTIONS.get(i.question) in types)

  def Forget(self) -> None:
    """Forgets the questions so far.

    """
    with self.changed:
      self._asked.clear()

  # Methods that the clients' transports call

  def Connected(self, transport: network.Transport) -> None:
    """Notes the transport of a new client.

    """
    with self.changed:
      self._transports.add(transport)

  def Resolve(self, host: str) -> list[str]:
    """Returns the addresses that a name or an address leads to.

    """
    snapshot = self._newest.snapshot
    if host in self._by_address or host in snapshot.node_ips:
      return [host]
    cluster = snapshot.document["cluster"]
    node: Optional[snapshotlib.Node] = snapshot.FindNode(host)
    if host in (cluster.get("master_ip"), cluster.get("cluster_name")):
      node = snapshot.master
    if node is not None and node.primary_ip is not None:
      return [node.primary_ip]
    return [i.address for i in self.candidates]

  def CandidateAt(self, ip: str) -> Optional[candidatelib.Candidate]:
    """Returns the candidate with an address.

    """
    return self._by_address.get(ip)

  def Note(self, request: wire.Request, candidate: candidatelib.Candidate
           ) -> None:
    """Notes an authentic request.

    """
    if request.part is not None:
      # Do not note a request for a part of an answer: the request for the whole
      # answer has been noted already
      return
    key = (request.rsalt.partition("-")[0], request.type,
           wire.EncodeJson(request.query))
    asked = self._asked.get(key)
    if asked is None:
      reader = keyfile.LabelOf(self.client_key)
      asked = self._asked[key] = Asked(
        candidatelib.QuestionName(request.type), request.query,
        reader and reader.name, [])
    if candidate.name not in asked.candidates:
      asked.candidates.append(candidate.name)

  def NextStep(self) -> Optional[Callable[[], object]]:
    """Removes and returns the next step; None if there is none.

    """
    try:
      return self._steps.popleft()
    except IndexError:
      return None


def _LowerSerial(state: candidatelib.State) -> candidatelib.State:
  """Returns the same configuration with a lower serial.

  """
  config = json.loads(state.text)
  config["serial_no"] = max(0, state.serial - 1)
  return candidatelib.State(configuration.Text(config))

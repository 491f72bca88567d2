#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The list of candidates, best ones first; and the addresses of their names.

A name stands for all its addresses: requests go to each of them, and a reply
from any of them is the candidate's.

Rule: from the second question on, a client learns the candidates by asking for
the cluster's own list, and asks for the list again when the serial has changed,
and every L{_LEARN_MAX} seconds. Learned candidates come first. The given
candidates stay, since the learned addresses may be out of reach from here.

"""

from __future__ import annotations

import os
import socket
import threading
import time

from ganeti import constants
from ganeti import errors
from ganeti.confd import localnode
from ganeti.confd.clientlib import endpoint
from ganeti.confd.clientlib import logs
from ganeti.confd.clientlib.mastercandidate import Candidate
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any, Collection, Optional, Sequence


#: Seconds until the client asks again for the list of candidates: at least
#: _LEARN_MIN, even if the serial has changed, and at most _LEARN_MAX
_LEARN_MIN = 1.0
_LEARN_MAX = 30.0

#: Seconds to wait for the lookup of a candidate's name if the address of
#: another candidate is known
_NAME_PATIENCE = 1.0


def CountToAsk(coverage: int, known: int, whom: str) -> int:
  """Returns the number of candidates to ask.

  @param coverage: a number; 0 for C{constants.CONFD_DEFAULT_REQ_COVERAGE} or
    all if they are fewer, -1 for all
  @param known: the number of candidates
  @param whom: the word for candidates in the error message
  @raise errors.ConfdClientError: the coverage is more than the number

  """
  if coverage == -1:
    return known
  if coverage == 0:
    return min(known, int(constants.CONFD_DEFAULT_REQ_COVERAGE))
  if coverage > known:
    raise errors.ConfdClientError("Coverage %d is more than the number of %s,"
                                  " %d" % (coverage, whom, known))
  return coverage


def _Addresses(found: Sequence[tuple[Any, ...]]) -> list[endpoint.Address]:
  """Extracts the addresses from the result of C{getaddrinfo}, each once.

  """
  return list(dict.fromkeys(
    endpoint.Address(int(family), address)
    for (family, _, _, _, address) in found
    if family in (socket.AF_INET, socket.AF_INET6)))


class _Lookup:
  """The lookup of a name, in a thread of its own.

  A slow lookup is left running, and a later question uses its result: the
  system's resolver has no time-out that a program could set.

  """
  def __init__(self, host: str, port: int, changed: threading.Condition
               ) -> None:
    """Starts the lookup.

    @param changed: notified at the end of the lookup

    """
    self.done = False
    self.started = time.monotonic()
    self.addresses: list[endpoint.Address] = []
    self.error: Optional[str] = "the name service has not answered yet"
    self._host = host
    self._port = port
    self._changed = changed
    # Use a daemon thread: a slow lookup must not keep the program from ending
    threading.Thread(target=self._Run, daemon=True).start()

  def _Run(self) -> None:
    addresses: list[endpoint.Address] = []
    error: Optional[str] = None
    try:
      addresses = _Addresses(socket.getaddrinfo(self._host, self._port,
                                                type=socket.SOCK_DGRAM))
    except (OSError, UnicodeError) as err:
      error = getattr(err, "strerror", None) or str(err)
    with self._changed:
      (self.addresses, self.error, self.done) = (addresses, error, True)
      self._changed.notify_all()


class Resolver:
  """Resolves names, within a time limit.

  """
  def __init__(self) -> None:
    self._changed = threading.Condition()
    self._lookups: dict[tuple[str, int], _Lookup] = {}

  @property
  def busy(self) -> bool:
    """Whether there are lookups without a result so far.

    """
    return bool(self._lookups)

  def ResolveAll(self, peers: Sequence[str], port: int, deadline: float
                 ) -> list[Candidate]:
    """Resolves the names of several candidates.

    @param port: the port of peers without one
    @param deadline: when to give up, by C{time.monotonic}; a slow name is given
      up earlier if there is another candidate
    @return: the candidates in the order given, without those whose addresses
      are all among the addresses of earlier ones. A candidate whose name does
      not resolve has no addresses, but an error.
    @raise errors.ConfdClientError: malformed text

    """
    parsed = [endpoint.Parse(peer, port) for peer in peers]
    with self._changed:
      numeric = {key: ResolveNumeric(*key) for key in parsed}
      for key in parsed:
        if not numeric[key] and key not in self._lookups:
          self._lookups[key] = _Lookup(key[0], key[1], self._changed)
      lookups = {key: self._lookups[key] for key in parsed if not numeric[key]}
      self._Wait(list(lookups.values()), any(numeric.values()), deadline)
      for (key, lookup) in lookups.items():
        if lookup.done:
          del self._lookups[key]
      result: list[Candidate] = []
      known: set[endpoint.Address] = set()
      for (peer, key) in zip(peers, parsed):
        error = None
        addresses = numeric[key]
        if key in lookups:
          addresses = lookups[key].addresses
          error = lookups[key].error
        if error is not None:
          error = "cannot be resolved: %s" % error
        if addresses and known.issuperset(addresses):
          continue
        known.update(addresses)
        result.append(Candidate(peer, addresses, error))
      return result

  def _Wait(self, lookups: list[_Lookup], have: bool, deadline: float) -> None:
    """Waits for lookups.

    @param have: whether there is a candidate already

    """
    def _AllDone() -> bool:
      return all(i.done for i in lookups)

    # Count _NAME_PATIENCE from the start of the newest lookup, not from now: an
    # earlier question may have waited for the lookup already
    latest = max((i.started for i in lookups if not i.done), default=0.0)
    soon = min(deadline, latest + _NAME_PATIENCE)
    self._changed.wait_for(_AllDone, max(0, soon - time.monotonic()))
    if not have:
      self._changed.wait_for(
        lambda: _AllDone() or any(i.addresses for i in lookups),
        max(0, deadline - time.monotonic()))


def ResolveNumeric(host: str, port: int) -> list[endpoint.Address]:
  """Converts the text of an IP address.

  @return: empty if the text is a name

  """
  try:
    # Pass bytes: given a str, getaddrinfo would import Python's codec for
    # international domain names, with its large tables
    return _Addresses(socket.getaddrinfo(host.encode("ascii"), port,
                                         type=socket.SOCK_DGRAM,
                                         flags=socket.AI_NUMERICHOST))
  except (OSError, UnicodeError):
    return []


class Candidates:
  """The candidates that were given, and those that were learned.

  @ivar refresh: whether L{Refresh} is due
  @ivar port: the port of addresses without one

  """
  def __init__(self, given: Optional[list[str]], port: int) -> None:
    """Makes an empty list, which L{Refresh} fills.

    @param given: None for the candidates that this node knows

    """
    self.refresh = True
    self._given = given
    self.port = port
    self._resolver = Resolver()
    self._configured: list[Candidate] = []
    self._learned: list[Candidate] = []
    self._learned_at: Optional[float] = None
    self._learned_serial: Optional[int] = None

  def Forked(self) -> None:
    """Drops the threads of lookups, which a child does not have after a fork.

    """
    self._resolver = Resolver()

  def Refresh(self, deadline: float) -> None:
    """Reads the node's files and resolves the names again.

    @raise errors.ConfdClientError: there is no candidate

    """
    self._configured = self._Reuse(self.Find(self._given, self.port, deadline))
    # If lookups are still running, let the next question refresh the list
    # again, with their results
    self.refresh = self._resolver.busy

  def Find(self, given: Optional[Sequence[str]], port: int, deadline: float
           ) -> list[Candidate]:
    """Returns the candidates that were given, with their addresses.

    @param given: None for the candidates that this node knows
    @param port: the port of candidates that were given without one
    @param deadline: see L{Resolver.ResolveAll}
    @raise errors.ConfdClientError: there is no candidate

    """
    peers = localnode.MasterCandidates() if given is None else given
    if not peers:
      raise errors.ConfdClientError("Nobody to ask: the list is empty")
    return self._resolver.ResolveAll(peers, port, deadline)

  def _Reuse(self, found: list[Candidate]) -> list[Candidate]:
    """Replaces candidates by known ones with the same addresses.

    """
    known = {i.endpoints: i for i in self._learned + self._configured
             if i.addresses}
    return [known.get(i.endpoints, i) for i in found]

  def Everyone(self) -> list[Candidate]:
    """Returns all candidates, the preferred ones first.

    """
    result = list(self._learned)
    known = set(i for candidate in result for i in candidate.endpoints)
    result.extend(i for i in self._configured
                  if not i.addresses or known.isdisjoint(i.endpoints))
    # Put candidates that are equally good in random order
    result.sort(key=lambda i: (i.silent, i not in self._learned,
                               os.urandom(8)))
    return result

  def IsGiven(self, name: str) -> bool:
    """Tells whether a candidate was given or is in this node's files, rather
    than only learned.

    @param name: the C{name} of one of L{Everyone}

    """
    given = set(i for candidate in self._configured
                for i in candidate.endpoints)
    return any(i in self._configured or not given.isdisjoint(i.endpoints)
               for i in self._learned + self._configured if i.name == name)

  def Pick(self, coverage: int, failed: Collection[Candidate] = ()
           ) -> tuple[list[Candidate], list[Candidate]]:
    """Chooses the candidates to ask.

    @param coverage: see L{CountToAsk}
    @param failed: candidates that are not asked
    @return: the candidates to ask, and the candidates in reserve

    """
    everyone = self.Everyone()
    count = CountToAsk(coverage, len(everyone), "candidates")
    left = [i for i in everyone if i not in failed]
    return (left[:count], left[count:])

  def IsLearningDue(self, serial: Optional[int], now: float) -> bool:
    """Tells whether it is time to learn the candidates.

    @param serial: of the configuration; None if unknown

    """
    if serial is None:
      return False
    if self._learned_at is None:
      return True
    age = now - self._learned_at
    return (age >= _LEARN_MAX or
            (age >= _LEARN_MIN and serial != self._learned_serial))

  def BeginLearning(self, serial: Optional[int], now: float) -> None:
    self._learned_at = now
    self._learned_serial = serial
    self.refresh = True

  def Learn(self, answer: Any) -> None:
    """Replaces the learned candidates, if an answer is a list of addresses.

    @param answer: any JSON value

    """
    ips = endpoint.Ips(answer)
    if ips is None:
      return
    port = self._LearnedPort()
    learned: list[Candidate] = []
    for ip in ips:
      candidate = Candidate(ip, ResolveNumeric(ip, port))
      candidate.Untested()
      learned.append(candidate)
    old = {i.name for i in self._learned}
    self._learned = self._Reuse(learned)
    for candidate in self._learned + self._configured:
      if not candidate.ips.isdisjoint(ips):
        candidate.Listed()
    new = {i.name for i in self._learned}
    if old != new:
      logs.Debug("Learned candidates: %s; no candidates any more: %s",
                 ", ".join(sorted(new - old)) or "none",
                 ", ".join(sorted(old - new)) or "none")

  def _LearnedPort(self) -> int:
    """Returns the port for learned candidates: the port that all given ones
    have, or the client's port if the given ones have different ports.

    """
    ports = {endpoint.Parse(peer, self.port)[1] for peer in self._given or []}
    return ports.pop() if len(ports) == 1 else self.port

  def Undelivered(self, address: endpoint.SocketAddress, reason: str,
                  now: float) -> None:
    """Notes an address to which a datagram was not delivered.

    """
    if len(address) < 2:
      # The kernel has not reported to which address the datagram was sent
      return
    destination = endpoint.Of(address)
    for candidate in self._learned + self._configured:
      if candidate.IsAt(destination):
        candidate.Undelivered(destination, reason, now)

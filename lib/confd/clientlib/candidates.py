#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Whom to ask: from "node2.example.com:1815" to candidates, best ones first.

A candidate is given as a name or an address of either family, with or without
a port: C{HOST}, C{HOST:PORT}, C{[V6ADDRESS]:PORT}, C{[V6ADDRESS]}. A name
stands for all its addresses; they are those of one machine, and all are tried.

Rule: from the second question on, the candidates are learned from their own
lists, again when the serial has moved. Learned ones come first; those that
were given stay, since the learned addresses may be out of reach from here.

"""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import Any, Collection, Dict, List, Optional, Sequence, Set, Tuple

from ganeti import errors
from ganeti.confd import localnode
from ganeti.confd import numerals
from ganeti.confd.clientlib import exchange
from ganeti.confd.clientlib import talk


#: Seconds until the candidates are learned again, at least and at most
_LEARN_MIN = 1.0
_LEARN_MAX = 30.0

#: Seconds that names get to be resolved, where there is another candidate
_NAME_PATIENCE = 1.0

#: Asked for all of this machine's addresses, its own loopback one answers
_LOOPBACK = {
  "0.0.0.0": "127.0.0.1",
  "::": "::1",
  }


def _ParsePort(text: str, peer: str) -> int:
  try:
    return numerals.Port(text)
  except ValueError:
    raise errors.ConfdClientError("Not a port: '%s' in '%s'" %
                                  (text, peer)) from None


def Parse(peer: str, port: int) -> Tuple[str, int]:
  """Takes a candidate's text apart.

  @param port: where the text has none
  @raise errors.ConfdClientError: it does not have one of the forms

  """
  peer = peer.strip()
  (host, colon, rest) = peer.rpartition(":")
  if peer.startswith("["):
    (host, bracket, rest) = peer[1:].partition("]")
    if not bracket or (rest and not rest.startswith(":")):
      raise errors.ConfdClientError("Not an address: '%s'" % peer)
    if rest:
      port = _ParsePort(rest[1:], peer)
  elif colon and ":" not in host:
    port = _ParsePort(rest, peer)
  else:
    host = peer
  if not host or "\0" in host:
    raise errors.ConfdClientError("Not an address: %r" % peer)
  return (_LOOPBACK.get(host, host), port)


def _Addresses(found: Sequence[Tuple[Any, ...]]) -> List[talk.Address]:
  """Takes the addresses out of what C{getaddrinfo} returns, each once.

  """
  return list(dict.fromkeys(
    talk.Address(int(family), address) for (family, _, _, _, address) in found
    if family in (socket.AF_INET, socket.AF_INET6)))


class _Lookup:
  """A name that is being resolved, in a thread of its own.

  The system's resolver cannot be told when to give up. So the thread is left
  behind where it takes too long, and asked again later.

  """
  def __init__(self, host: str, port: int, changed: threading.Condition
               ) -> None:
    """Starts to look a name up.

    @param changed: is notified when it is done

    """
    self.done = False
    self.started = time.monotonic()
    self.addresses: List[talk.Address] = []
    self.trouble: Optional[str] = "the name service has not answered yet"
    self._host = host
    self._port = port
    self._changed = changed
    # It may not keep the program from ending
    threading.Thread(target=self._Run, daemon=True).start()

  def _Run(self) -> None:
    addresses: List[talk.Address] = []
    trouble: Optional[str] = None
    try:
      addresses = _Addresses(socket.getaddrinfo(self._host, self._port,
                                                type=socket.SOCK_DGRAM))
    except (OSError, UnicodeError) as err:
      trouble = getattr(err, "strerror", None) or str(err)
    with self._changed:
      (self.addresses, self.trouble, self.done) = (addresses, trouble, True)
      self._changed.notify_all()


class Resolver:
  """Finds addresses of names, and does not wait longer than it is told.

  """
  def __init__(self) -> None:
    self._changed = threading.Condition()
    self._lookups: Dict[Tuple[str, int], _Lookup] = {}

  @property
  def busy(self) -> bool:
    """Whether there are names that may still be resolved.

    """
    return bool(self._lookups)

  def ResolveAll(self, peers: Sequence[str], port: int, deadline: float
                 ) -> List[exchange.Candidate]:
    """Finds the addresses of several candidates.

    @param port: where they have none
    @param deadline: when to give up, by C{time.monotonic}; names that take
      long are not waited for where there is another candidate
    @return: in the order given; a machine that was given twice is there once.
      Without addresses, and with a reason, if the name does not resolve.
    @raise errors.ConfdClientError: malformed text

    """
    parsed = [Parse(peer, port) for peer in peers]
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
      result: List[exchange.Candidate] = []
      known: Set[talk.Address] = set()
      for (peer, key) in zip(peers, parsed):
        trouble = None
        addresses = numeric[key]
        if key in lookups:
          addresses = lookups[key].addresses
          trouble = lookups[key].trouble
        if trouble is not None:
          trouble = "cannot be resolved: %s" % trouble
        if addresses and known.issuperset(addresses):
          continue
        known.update(addresses)
        result.append(exchange.Candidate(peer, addresses, trouble))
      return result

  def _Wait(self, lookups: List[_Lookup], have: bool, deadline: float) -> None:
    """Waits until names are resolved.

    @param have: whether there is a candidate already

    """
    def _AllDone() -> bool:
      return all(i.done for i in lookups)

    # One that was waited for at the question before is not waited for again
    latest = max((i.started for i in lookups if not i.done), default=0.0)
    soon = min(deadline, latest + _NAME_PATIENCE)
    self._changed.wait_for(_AllDone, max(0, soon - time.monotonic()))
    if not have:
      self._changed.wait_for(
        lambda: _AllDone() or any(i.addresses for i in lookups),
        max(0, deadline - time.monotonic()))


def ResolveNumeric(host: str, port: int) -> List[talk.Address]:
  """Makes an address of its text.

  @return: nothing if it is a name

  """
  try:
    # For a text Python would load its tables of international names
    return _Addresses(socket.getaddrinfo(host.encode("ascii"), port,
                                         type=socket.SOCK_DGRAM,
                                         flags=socket.AI_NUMERICHOST))
  except (OSError, UnicodeError):
    return []


class Candidates:
  """The candidates that are known, and what is known of them.

  @ivar refresh: whether L{Refresh} is due

  """
  def __init__(self, given: Optional[List[str]], port: int) -> None:
    """Makes a list without candidates, for L{Refresh} to fill.

    @param given: None for those that this node knows

    """
    self.refresh = True
    self._given = given
    self._port = port
    self._resolver = Resolver()
    self._configured: List[exchange.Candidate] = []
    self._learned: List[exchange.Candidate] = []
    self._learned_at: Optional[float] = None
    self._learned_serial: Optional[int] = None

  def Forked(self) -> None:
    """Forgets the threads that resolve names: a new process has none.

    """
    self._resolver = Resolver()

  def Refresh(self, deadline: float) -> None:
    """Reads what may have changed: files on a node, and names' addresses.

    @raise errors.ConfdClientError: there is nobody to ask

    """
    peers = self._given
    if peers is None:
      peers = localnode.MasterCandidates()
    if not peers:
      raise errors.ConfdClientError("Nobody to ask: the list is empty")
    found = self._resolver.ResolveAll(peers, self._port, deadline)
    self._configured = self._Reuse(found)
    # What is not there yet is looked at again at the next question
    self.refresh = self._resolver.busy

  def _Reuse(self, found: List[exchange.Candidate]) -> List[exchange.Candidate]:
    """Keeps what is known of candidates that are still the same.

    """
    known = {i.sources: i for i in self._learned + self._configured
             if i.addresses}
    return [known.get(i.sources, i) for i in found]

  def Everyone(self) -> List[exchange.Candidate]:
    """Returns all candidates there are, those to prefer first.

    """
    result = list(self._learned)
    known = set(source for i in result for source in i.sources)
    result.extend(i for i in self._configured
                  if not i.addresses or known.isdisjoint(i.sources))
    # By chance among those that are as good as each other
    result.sort(key=lambda i: (i.silent, i not in self._learned,
                               os.urandom(8)))
    return result

  def IsGiven(self, name: str) -> bool:
    """Tells whether a candidate was given, or this node knows it, and it is not
    only one that the cluster has named.

    @param name: as L{Everyone} has it

    """
    given = set(source for i in self._configured for source in i.sources)
    return any(i in self._configured or not given.isdisjoint(i.sources)
               for i in self._learned + self._configured if i.name == name)

  def Pick(self, coverage: int, failed: Collection[exchange.Candidate] = ()
           ) -> Tuple[List[exchange.Candidate], List[exchange.Candidate]]:
    """Chooses whom to ask.

    @param coverage: see L{exchange.CountToAsk}
    @param failed: candidates that are not asked
    @return: those to ask, and the others

    """
    everyone = self.Everyone()
    count = exchange.CountToAsk(coverage, len(everyone), "candidates")
    left = [i for i in everyone if i not in failed]
    return (left[:count], left[count:])

  def IsLearningDue(self, serial: Optional[int], now: float) -> bool:
    """Tells whether it is time to learn the candidates.

    @param serial: the configuration's, as far as it is known

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
    """Takes over a list of master candidates, if it is one.

    @param answer: of any form

    """
    # A single question does not come here
    import ipaddress
    try:
      ips = [str(ipaddress.ip_address(ip)) for ip in answer]
    except (TypeError, ValueError):
      return
    learned: List[exchange.Candidate] = []
    for ip in dict.fromkeys(ips):
      candidate = exchange.Candidate(ip, ResolveNumeric(ip, self._port))
      # Nobody waits for it before it has answered for the first time
      candidate.silent = True
      learned.append(candidate)
    self._learned = self._Reuse(learned)

  def Undelivered(self, address: talk.SocketAddress, reason: str, now: float
                  ) -> None:
    """Takes note of an address that something could not be delivered to.

    """
    if len(address) < 2:
      # The kernel did not say
      return
    source = exchange.SourceOf(address)
    for candidate in self._learned + self._configured:
      if candidate.IsAt(source):
        candidate.Refuse(source, reason, now)

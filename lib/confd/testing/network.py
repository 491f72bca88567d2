#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The transport of a client that has a fake: an inbox, and a clock of its own.

Facts: a candidate's reply is in the inbox as soon as the request was sent. So a
client that finds its inbox empty can only wait for a delayed reply, for a
change, or for the end of a time-out.

Rule 1: a client's clock moves only while the client waits. If nothing can
arrive before the time-out, the clock jumps to the time-out. So a time-out takes
no real time, and no test depends on how busy the machine is. Each client has
its own clock: with a common one, the time-out of one client would end the waits
of all.

Rule 2: the clock stands still while the client has nothing to wait for but a
change that a candidate will report (a pending WAIT).

Rule 3: a client rests if it follows an answer and can only wait for a change,
or if it pauses after an error. When a client rests, its clock moves on by a
second, and the next step of the test is done (L{fake.Fake.Then}).

Rule 4: if there are other threads, a jump of the clock takes a millisecond of
real time, in which these run. So a client that retries for ever uses little CPU
time.

"""

from __future__ import annotations

import heapq
import itertools
import threading
import time

from ganeti import errors
from ganeti.confd import protocol
from ganeti.confd.clientlib import candidates
from ganeti.confd.clientlib import endpoint
from ganeti.confd.clientlib import operation
from ganeti.confd.clientlib import quorum
from ganeti.confd.clientlib import replies
from ganeti.confd.clientlib import serialwatch
from ganeti.confd.clientlib import transport as transportlib
from ganeti.confd.protocol import wire
from ganeti.confd.serving import waiting
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
  import socket
  from typing import Callable, Optional, Protocol
  from ganeti.confd.testing import candidate as candidatelib

  class Network(Protocol):
    """The interface of L{fake.Fake} for the transports of its clients.

    """
    #: The lock of all data that clients, candidates and the test share. Each
    #: change of the data notifies the waiting threads.
    changed: threading.Condition

    def CandidateAt(self, ip: str) -> Optional[candidatelib.Candidate]:
      """Returns the candidate with an address.

      """

    def Note(self, request: wire.Request,
             candidate: candidatelib.Candidate) -> None:
      """Notes an authentic request.

      """

    def NextStep(self) -> Optional[Callable[[], object]]:
      """Removes and returns the test's next step; None if there is none.

      """


#: How long a jump of the client's clock takes in real time (seconds): normally,
#: and while the client polls candidates for the serial
JUMP = 0.001
JUMP_TO_POLL = 0.02

#: Seconds by which the clock moves on after each time-out (L{Transport.Tick})
_TICK = 1e-6

#: Seconds by which the client's clock moves before each step of the test
_STEP = 1.0

#: A thread waits for at most this many seconds at a time, and then looks for
#: signals: some systems cannot interrupt a wait without a time-out
_LOOK = 0.5

#: The time at which each client's clock starts. With 0, code that takes a
#: duration for a time might work by chance.
_START = 1000.0


def _Ident(salt: str) -> str:
  """Returns the id of the operation that a salt belongs to.

  """
  return salt.partition("-")[0]


class _Arrival(NamedTuple):
  """A reply in the inbox, which is sorted by the attributes in this order.

  @ivar ident: the id of the operation; empty for the reply to a WAIT, and for
    an answer that the test has ordered

  """
  time: float
  number: int
  datagram: bytes
  sender: endpoint.SocketAddress
  ident: str


class Transport(transportlib.Transport):
  """Passes datagrams to the candidates of a fake, and replies back.

  @ivar network: the fake
  @ivar on_change: None, or a function that is called, by any thread, when
    something has arrived or was closed

  """
  def __init__(self, known: candidates.Candidates, key: wire.Key,
               network: Network) -> None:
    transportlib.Transport.__init__(self, known, key)
    self.on_change: Optional[Callable[[], None]] = None
    self.network = network
    self.Now = self._Read
    self._now = _START
    self._inbox: list[_Arrival] = []
    self._numbers = itertools.count()
    self._undelivered: list[transportlib.Undelivered] = []
    #: The WAITs that each candidate keeps for this client
    self._waiting: dict[candidatelib.Candidate, waiting.Waiting] = {}
    #: Maps the id of an operation to the number of its WAITs that candidates
    #: keep
    self._pending: dict[str, int] = {}
    #: The ids of operations that have got an answer since the last jump of the
    #: clock, not counting answers to a WAIT
    self._answered: set[str] = set()
    self._has_failed = False

  # The clock

  def _Read(self) -> float:
    """Takes the place of the real clock.

    """
    return self._now

  def Advance(self, to: float) -> None:
    """Advances the clock, and answers the WAITs whose time is over.

    """
    with self.network.changed:
      if to > self._now:
        self._now = to
        self._answered.clear()
      for (candidate, table) in self._waiting.items():
        for (reply, client) in table.TakeDue(self._now):
          self._Answer(candidate, reply, client)

  def Tick(self) -> None:
    """Advances the clock by L{_TICK}.

    Otherwise a wait whose end is rounded down would begin again for ever.

    """
    self._now += _TICK

  def Sleep(self, seconds: float) -> None:
    until = self._now + seconds
    if not (self._has_failed and self.DoStep()):
      if self._has_failed and _IsAlone():
        raise AssertionError(
          "The client has got an error, and would try for ever: no other"
          " thread is there to change that, and no step is left, see"
          " Fake.Then")
      if not _IsAlone():
        time.sleep(min(JUMP, seconds))
    self.Advance(until)

  # Operations

  def End(self, current: operation.Operation) -> None:
    transportlib.Transport.End(self, current)
    if isinstance(current, quorum.QuorumQuery):
      self._has_failed = False
      try:
        current.Result(self._now)
      except replies.StaleAnswer:
        # A stale answer is no failure, since the client soon asks again by
        # itself
        pass
      except errors.ConfdClientError:
        self._has_failed = True

  @property
  def has_failed(self) -> bool:
    """Whether the last question got an error or no answer.

    """
    return self._has_failed

  def IsPending(self, current: operation.Operation) -> bool:
    """Tells whether a candidate keeps a WAIT of an operation.

    """
    return bool(self._pending.get(current.id))

  def Rests(self, current: operation.Operation) -> bool:
    """Tells whether an operation has nothing to wait for but a change (rule 3).

    """
    return self.IsPending(current) or (
      isinstance(current, serialwatch.SerialWatch) and
      current.id in self._answered)

  # Datagrams

  def SendDatagram(self, datagram: operation.Datagram) -> Optional[str]:
    self.CheckOpen()
    with self.network.changed:
      candidate = self.network.CandidateAt(datagram.address[0])
      if candidate is None:
        # No candidate has this address: lose the datagram, as a firewall does
        return None
      outcome = candidate.Receive(datagram.data)
      if outcome.request is not None:
        self.network.Note(outcome.request, candidate)
      if outcome.refused:
        self._undelivered.append(transportlib.Undelivered(
          datagram.address, transportlib.REFUSED))
      elif outcome.deferred is not None:
        self._Defer(candidate, outcome.deferred, datagram.address)
      elif outcome.reply is not None:
        ident = ""
        if outcome.request and not (
            outcome.is_ordered or outcome.request.type == protocol.REQ_WAIT):
          ident = _Ident(outcome.request.rsalt)
        self._Arrive(outcome.reply, datagram.address, outcome.delay, ident)
    return None

  def _Arrive(self, reply: bytes, sender: endpoint.SocketAddress,
              delay: float = 0.0, ident: str = "") -> None:
    heapq.heappush(self._inbox, _Arrival(
      self._now + delay, next(self._numbers), reply, sender, ident))

  def _Defer(self, candidate: candidatelib.Candidate,
             deferred: waiting.Deferred, address: endpoint.SocketAddress
             ) -> None:
    table = self._waiting.setdefault(candidate, waiting.Waiting())
    ident = _Ident(deferred.request.rsalt)
    # Count each operation as a client with its own address, so that the
    # daemon's limit of WAITs for one address does not apply
    verdict = table.Add(deferred, ([], (ident, address)), self._now)
    if verdict is waiting.Verdict.REFUSED:
      reply = candidate.Refused(deferred.request)
      if reply is not None:
        self._Arrive(reply, address)
    elif verdict is waiting.Verdict.ADDED:
      self._pending[ident] = self._pending.get(ident, 0) + 1

  def _Answer(self, candidate: candidatelib.Candidate, reply: bytes,
              client: waiting.Client) -> None:
    """Answers a pending WAIT.

    """
    (_, (ident, address)) = client
    self._pending[ident] -= 1
    candidate.CountAnswered()
    self._Arrive(reply, address)

  def Changed(self, candidate: candidatelib.Candidate, answer: bool) -> None:
    """Ends the pending WAITs at a candidate.

    @param answer: whether the WAITs are answered, rather than forgotten

    """
    table = self._waiting.get(candidate)
    if table is None:
      return
    for (reply, client) in list(table.TakeAll()):
      if answer:
        self._Answer(candidate, reply, client)
      else:
        (_, (ident, _)) = client
        self._pending[ident] -= 1
        # Do not let the client count as resting before it has noticed the loss
        # of its WAIT
        self._answered.discard(ident)
    self.Wake()

  def Wake(self) -> None:
    """Wakes the client, whatever it waits for.

    """
    self.network.changed.notify_all()
    if self.on_change is not None:
      self.on_change()

  @property
  def next_arrival(self) -> Optional[float]:
    """When the next reply arrives; None if none is on its way.

    """
    return self._inbox[0].time if self._inbox else None

  @property
  def has_arrived(self) -> bool:
    """Whether there is something to read.

    """
    return bool(self._undelivered or
                (self._inbox and self._inbox[0].time <= self._now))

  def ReadDatagram(self, _: socket.socket
                   ) -> Optional[tuple[bytes, endpoint.SocketAddress]]:
    with self.network.changed:
      if not self._inbox or self._inbox[0].time > self._now:
        return None
      arrival = heapq.heappop(self._inbox)
      self._answered.add(arrival.ident)
    return (arrival.datagram, arrival.sender)

  def ReadError(self, _: socket.socket) -> Optional[transportlib.Undelivered]:
    with self.network.changed:
      return self._undelivered.pop() if self._undelivered else None

  # Waiting

  #: Placeholder for a socket, in calls of L{Receive}
  INBOX = cast("socket.socket", None)

  def DoStep(self) -> bool:
    """Does the test's next step, if there is one.

    Call this method without the lock, since a step may do anything.

    @return: whether there was a step

    """
    step = self.network.NextStep()
    if step is None:
      return False
    self.Advance(self._now + _STEP)
    step()
    return True

  def Wait(self, timeout: float) -> list[socket.socket]:
    until = self._now + max(0.0, timeout)
    while True:
      with self.network.changed:
        self.CheckOpen()
        if self.has_arrived:
          return [self.INBOX]
        if self._now >= until:
          self.Tick()
          return []
        running = list(self.operations.values())
        rests = any(map(self.Rests, running))
      if rests:
        if self.DoStep():
          continue
        if _IsAlone():
          raise AssertionError(
            "The client waits for a change, and would wait for ever: no other"
            " thread is there to make one, and no step is left, see Fake.Then")
      with self.network.changed:
        if not (self.has_arrived or self.closed):
          self._WaitOrJump(until, any(map(self.IsPending, running)), rests)

  def _WaitOrJump(self, until: float, is_pending: bool, rests: bool) -> None:
    """Waits for a change, or makes the clock jump.

    """
    if is_pending:
      self.network.changed.wait(_LOOK)
      return
    if not _IsAlone():
      self.network.changed.wait(JUMP_TO_POLL if rests else JUMP)
    if not (self.has_arrived or self.closed):
      arrival = self.next_arrival
      self.Advance(until if arrival is None else min(until, arrival))

  def Close(self) -> None:
    self.closed = True
    with self.network.changed:
      self.Wake()


def _IsAlone() -> bool:
  """Tells whether this is the only thread.

  """
  return threading.active_count() == 1

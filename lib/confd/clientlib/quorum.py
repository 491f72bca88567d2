#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""One question to several master candidates, until a quorum has answered.

Facts: datagrams get lost, duplicated and reordered, and a candidate may hold an
older configuration than another. A candidate without a usable configuration is
silent; Ganeti's own daemon sends an error with a text instead, which it also
does for some questions it cannot answer. An ICMP error ("nothing listens
there") can be forged by anybody who can send a datagram to the client, and a
request can be copied to another daemon by anybody on the network path.

Rule 1: each candidate has a salt of its own, the same in all retransmits of the
question. A reply belongs to the candidate whose address it is from: the one
that the salt was sent to, or else another one that was asked. Replies from
other addresses are ignored. Only a candidate's first reply counts.

Rule 2: the best reply is the one with the highest serial. An error with a text
is worse than any other reply. A reply below C{min_serial}, the highest serial
that the client has seen, is stale, and no answer (but see rule 5). In a reply
to L{SERIAL_QUESTION}, from either daemon, the answer itself is the serial.

Rule 3: the quorum is L{NeededReplies} answers. The client waits for silent
candidates for L{PATIENCE} seconds; after that, a single answer is enough.
Without an answer by then, the candidates in reserve are asked as well.

Rule 4: an ICMP error never shortens that wait. Retransmits to the address in
the error become rarer, and the error is given as the reason of silence. If
there was an error for all addresses of all candidates without an answer, the
wait for a first answer ends when L{PATIENCE} is over.

Rule 5: replies of Ganeti's own daemon are never stale, and either daemon may
replace the other at any time. So a candidate with a reply below C{min_serial}
is pinged once, unless a recent ping has found Ganeti's own daemon there
(L{mastercandidate.Candidate.IsPackaged}). Until the ping is answered, the reply
is stale. If the ping finds Ganeti's own daemon, the question is asked again,
since the reply may be from the daemon that was replaced. No ping is sent with a
reader's key: only this project's daemon replies to readers.

Rule 6: a question that only this project's daemon knows is never answered by
Ganeti's own. So a candidate that is silent for L{_PROBE_AFTER} seconds is
pinged, while the question is retransmitted. If the ping finds Ganeti's own
daemon, the client does not wait for the candidate any more.

Rule 7: a malformed reply is no answer, and nothing in it is used. The client
does not wait for its candidate any more, and the fault is given as the reason
of a missing answer.

Rule 8: the client does not wait long for a node of somebody's settings that is
no master candidate any more. If a candidate is silent for L{_LIST_AFTER}
seconds, the candidates that have answered are asked for the cluster's list of
candidates. (Without an answer, the candidates where a ping of rule 6 has found
Ganeti's own daemon are asked.) A silent candidate that is on none of these
lists is waited for only until L{_UNLISTED_PATIENCE} seconds after the first
request to it, but after each answer for at least the round-trip time of that
answer. The lists count only if a candidate that was asked for its list is on
one of them, by any of its addresses: behind NAT the candidates have other
addresses than on the lists. The lists do not count either while one of them is
missing: an old list lacks candidates that a newer one has. No list is asked for
with a reader's key that does not permit that question, nor if the cluster's own
addresses do not lead to it from here.

"""

from __future__ import annotations

from ganeti import constants
from ganeti.confd import protocol
from ganeti.confd.clientlib import endpoint
from ganeti.confd.clientlib import forms
from ganeti.confd.clientlib import keyrights
from ganeti.confd.clientlib import operation
from ganeti.confd.clientlib import replies
from ganeti.confd.clientlib import silence
from ganeti.confd.clientlib.mastercandidate import Candidate
from ganeti.confd.protocol import keyfile
from ganeti.confd.protocol import readerkey
from ganeti.confd.protocol import wire
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Any, Iterable, Optional, Sequence, Union


#: The type and the query of the question for the configuration's serial
SERIAL_QUESTION = (constants.CONFD_REQ_CONFIG_QUERY, "/serial_no")

#: Seconds to wait for silent candidates after another candidate has answered
PATIENCE = 1.0

#: Extra wait if no reply so far is usable: each is malformed, stale or an error
#: from Ganeti's own daemon (seconds)
_ERRORS_PATIENCE = 2.0

#: After an ICMP error for an address, nothing is sent there for this many
#: seconds
_UNDELIVERED_PAUSE = 0.5

#: Seconds of silence after which a candidate is pinged (rule 6)
_PROBE_AFTER = 0.5

#: Seconds from the start of a question until the client asks for the list of
#: candidates, and from the first request to a candidate that is not on the list
#: until the client stops waiting for it (rule 8). The second time is not
#: shorter, since an old list lacks new candidates, whose answers are the
#: freshest.
_LIST_AFTER = 0.1
_UNLISTED_PATIENCE = 0.25

#: The reason of a candidate's silence if a ping finds Ganeti's own daemon there
#: (rule 6)
_UNSUPPORTED = ("Ganeti's own daemon answers there, and does not have this"
                " question")

#: The ping (rules 5 and 6), and the question for the list of candidates (rule
#: 8)
_PING = forms.Question(constants.CONFD_REQ_PING, None)
_LIST = forms.Question(constants.CONFD_REQ_MC_PIP_LIST, None)

#: The error message about ignored replies has at most this many addresses
_MAX_IGNORED = 3


def NeededReplies(count: int) -> int:
  """Returns the quorum of a number of candidates.

  All of one or two candidates, all but one of three or four, and a majority of
  five or more: the freshest of so many replies is unlikely to be stale.

  """
  if count < 3:
    return count
  if count < 5:
    return count - 1
  return count // 2 + 1


class _SideRequest(operation.PendingRequest):
  """A ping of rule 5 or 6, or the question of rule 8.

  """
  def __init__(self, question: forms.Question, candidate: Candidate, salt: str,
               now: float) -> None:
    operation.PendingRequest.__init__(self, salt, now)
    self.question = question
    self.candidate = candidate


class _Request(operation.PendingRequest):
  """The question to one candidate, and the reply.

  @ivar ping: the ping of rule 5 while it is pending
  @ivar identified: whether that ping was answered
  @ivar probe: the ping of rule 6 while it is pending
  @ivar unsupported: whether Ganeti's own daemon has answered that ping
  @ivar listing: the question of rule 8 while it is pending
  @ivar listed: the addresses on the list of rule 8; None without a list
  @ivar unlisted: whether no list of rule 8 has the candidate, which is silent
  @ivar fault: what was wrong with a malformed reply
  @ivar endpoint: the sender of the reply

  """
  def __init__(self, candidate: Candidate, salt: str, now: float) -> None:
    operation.PendingRequest.__init__(self, salt, now)
    self.candidate = candidate
    self.ping: Optional[_SideRequest] = None
    self.identified = False
    self.probe: Optional[_SideRequest] = None
    self.unsupported = False
    self.listing: Optional[_SideRequest] = None
    self.listed: Optional[frozenset[str]] = None
    self.unlisted = False
    self.reply: Optional[wire.ParsedReply] = None
    self.fault: Optional[str] = None
    self.endpoint: Optional[endpoint.Endpoint] = None
    self.round_trip = 0.0

  def AskAgain(self, salt: str, now: float) -> None:
    """Drops the reply, and starts over with a new salt.

    """
    self.salt = salt
    self.timer = operation.RetransmitTimer(now)
    self.reply = None

  @property
  def pending(self) -> Optional[Union[_Request, _SideRequest]]:
    """The request that the candidate has not answered yet, if any.

    """
    if self.unsupported or self.unlisted:
      return None
    return self if self.silent else self.ping

  @property
  def silent(self) -> bool:
    """Whether there is no reply, well-formed or not.

    """
    return self.reply is None and self.fault is None

  def WhySilent(self) -> Optional[str]:
    """Returns the reason why there is no usable reply, if that is known.

    """
    if self.unsupported:
      return _UNSUPPORTED
    if self.fault is not None:
      return "malformed answer: %s" % self.fault
    if self.unlisted or self.candidate.unlisted:
      return silence.UNLISTED
    return self.candidate.last_error

  @property
  def unreachable(self) -> bool:
    """Whether there was an ICMP error for each of the candidate's addresses.

    """
    return all(self.candidate.UndeliveredSince(i, self.started)
               for i in self.candidate.endpoints)


def _Listed(reply: wire.ParsedReply) -> frozenset[str]:
  """Returns the addresses in a reply to the question for the candidates.

  @return: empty if the reply is an error

  """
  if reply.status != constants.CONFD_REPL_STATUS_OK:
    return frozenset()
  return frozenset(endpoint.Ips(reply.answer) or ())


class _LateReplies(operation.LateReplies):
  """Handles late replies, which show that their candidates are alive.

  """
  def __init__(self, requests: Iterable[_Request]) -> None:
    self._candidates = {i.salt: i.candidate for i in requests}

  def Receive(self, salt: str, address: endpoint.SocketAddress) -> None:
    candidate = self._candidates.get(salt)
    if candidate is not None and candidate.IsAt(endpoint.Of(address)):
      candidate.Answered()


class _Answered(NamedTuple):
  """A request with its reply.

  """
  request: _Request
  reply: wire.ParsedReply


class QuorumQuery(operation.Operation):
  """One question to several candidates.

  """
  def __init__(self, rtype: int, query: Any, candidates: Sequence[Candidate],
               reserve: Iterable[Candidate], now: float, deadline: float,
               min_serial: Optional[int] = None, wait_for_all: bool = False,
               patience: float = PATIENCE, with_lists: bool = True) -> None:
    """Makes a request for each candidate; nothing is sent yet.

    @param query: any JSON value
    @param candidates: the candidates to ask at once
    @param reserve: the candidates to ask if none of those answers
    @param min_serial: replies with a lower serial are stale
    @param wait_for_all: whether to wait for all candidates, not for a quorum
    @param patience: how long to wait for silent candidates, in seconds
    @param with_lists: whether the cluster's lists of candidates tell for which
      candidates to wait (rule 8)

    """
    operation.Operation.__init__(self)
    self.min_serial = min_serial
    self._rtype = rtype
    self._query = query
    self._question = forms.Question(rtype, query)
    self._reserve = list(reserve)
    self._started = now
    self._deadline = deadline
    self._patience = patience
    self._patience_ends = now + patience
    self._requests: list[_Request] = []
    self._by_salt: dict[str, Union[_Request, _SideRequest]] = {}
    self._AddRequests(candidates, now)
    self._wait_for_all = wait_for_all
    # For rule 8: whether to use the cluster's lists, whether asking for them is
    # still due, and when waiting for unlisted candidates ends
    self._with_lists = with_lists
    self._is_list_due = with_lists
    self._unlisted_patience_ends = now + _UNLISTED_PATIENCE
    # The time when Done was called last
    self._looked = now
    self._is_probe_due = rtype >= protocol.REQ_QUERY
    self._sent = False
    self._reader: Optional[readerkey.Label] = None
    self._lacks_newline = False
    # The timestamp in the latest requests (seconds since the epoch)
    self._timestamp = 0.0
    self._ignored_senders: set[str] = set()
    # The candidates from which an answer is expected: all that are not silent,
    # or all if every one is silent. Their number determines the quorum.
    self._expected = [i for i in candidates if not i.silent] or list(candidates)
    self._quorum = NeededReplies(len(self._expected))

  def _AddRequests(self, candidates: Iterable[Candidate], now: float) -> None:
    for candidate in candidates:
      request = _Request(candidate, self._NewSalt(), now)
      self._requests.append(request)
      self._by_salt[request.salt] = request

  def Salts(self) -> dict[str, Union[_Request, _SideRequest]]:
    return self._by_salt

  def Outgoing(self, key: wire.Key, now: float, timestamp: float
               ) -> list[operation.Datagram]:
    self._reader = keyfile.LabelOf(key)
    self._lacks_newline = isinstance(key, bytes) and not key.endswith(b"\n")
    self._timestamp = timestamp
    result: list[operation.Datagram] = []
    if self._with_lists and now >= self._started + _LIST_AFTER:
      self._is_list_due = False
      self._AskForLists(now)
    if self._is_probe_due and now >= self._started + _PROBE_AFTER:
      self._is_probe_due = False
      self._Probe(now)
    for pending in self._InFlight():
      if pending.timer.IsDue(now):
        (rtype, query, _) = self.Question(pending)
        datagram = wire.PackRequest(key, timestamp, rtype, query, pending.salt)
        candidate = pending.candidate
        result.extend(
          operation.Datagram(family, address, datagram)
          for (family, address) in candidate.addresses
          if not candidate.UndeliveredSince(endpoint.Of(address),
                                            max(pending.started,
                                                now - _UNDELIVERED_PAUSE)))
    self._sent = self._sent or bool(result)
    return result

  def _InFlight(self) -> list[Union[_Request, _SideRequest]]:
    """Returns the requests that are not answered yet.

    """
    return [pending for i in self._requests
            for pending in (i.pending, i.probe, i.listing)
            if pending is not None]

  @property
  def wakeup(self) -> float:
    times = [i.timer.next for i in self._InFlight()]
    times.append(self._deadline)
    if self._is_probe_due:
      times.append(self._started + _PROBE_AFTER)
    if self._reserve or self._wait_for_all or self._fresh:
      times.append(self._patience_ends)
    if self._is_list_due:
      times.append(self._started + _LIST_AFTER)
    if self._with_lists and self._looked < self._unlisted_patience_ends:
      times.append(self._unlisted_patience_ends)
    return min(times)

  def _Probe(self, now: float) -> None:
    """Pings the silent candidates (rule 6).

    """
    # With a reader's key a ping is useless: Ganeti's own daemon does not reply
    # to readers
    for request in self._requests if self._reader is None else ():
      if request.pending is request:
        request.probe = self._MakeSideRequest(_PING, request, now)

  def _AskForLists(self, now: float) -> None:
    """Asks the candidates that have answered for the list (rule 8).

    """
    if (all(i.pending is not i for i in self._requests) or
        not (self._reader is None or
             self._reader.May(_LIST.rtype, _LIST.query))):
      return
    for request in self._answering:
      if request.listing is None and request.listed is None:
        request.listing = self._MakeSideRequest(_LIST, request, now)

  def _MakeSideRequest(self, question: forms.Question, request: _Request,
                       now: float) -> _SideRequest:
    result = _SideRequest(question, request.candidate, self._NewSalt(), now)
    self._by_salt[result.salt] = result
    return result

  def Question(self, request: Union[_Request, _SideRequest]) -> forms.Question:
    return (request.question if isinstance(request, _SideRequest) else
            self._question)

  def Receive(self, request: Union[_Request, _SideRequest],
              reply: wire.ParsedReply, address: endpoint.SocketAddress,
              now: float) -> bool:
    sender = endpoint.Of(address)
    owner = self._Owner(request, sender)
    if owner is None:
      return False
    owner.candidate.Answered()
    if isinstance(request, _SideRequest):
      for one in self._requests:
        if one.probe is request:
          return self._ReceiveProbe(one, reply, now)
        if one.listing is request:
          one.listing = None
          one.listed = _Listed(reply)
          return self.Done(now)
      return self._ReceivePing(owner, reply, now)
    owner.unlisted = False
    if owner.pending is not owner:
      return False
    if (self.is_serial_question and wire.IsPlainInt(reply.answer) and
        reply.status == constants.CONFD_REPL_STATUS_OK):
      reply = reply._replace(serial=reply.answer)
    owner.reply = reply
    owner.endpoint = sender
    owner.round_trip = now - owner.started
    # Wait for the other candidates at least as long again as this reply took,
    # since the network may be slow
    self._patience_ends = max(self._patience_ends,
                              now + owner.round_trip)
    self._unlisted_patience_ends = max(self._unlisted_patience_ends,
                                       now + owner.round_trip)
    if self._reader is not None:
      # Only this project's daemon replies to readers, so the reply has the
      # configuration's serial
      owner.candidate.ReportedSerial()
    elif self._rtype == constants.CONFD_REQ_PING:
      owner.candidate.Pinged(reply.serial, now)
    elif (self._IsLow(reply) and not owner.identified and
          not owner.candidate.IsPackaged(now)):
      owner.ping = self._MakeSideRequest(_PING, owner, now)
      # Return True, so that the ping is sent now
      return True
    if self._question == _LIST:
      owner.listed = _Listed(reply)
    return self.Done(now) or now >= self._started + _LIST_AFTER

  def ReceiveMalformed(self, request: Union[_Request, _SideRequest], fault: str,
                       address: endpoint.SocketAddress, now: float) -> bool:
    owner = self._Owner(request, endpoint.Of(address))
    if owner is None:
      return False
    if owner.probe is request:
      owner.probe = None
    elif owner.listing is request:
      owner.listing = None
      owner.listed = frozenset()
    elif isinstance(request, _SideRequest):
      # Count a ping with a malformed reply as answered. The reply does not tell
      # which daemon runs there, but the reply to a second ping would not
      # either.
      owner.ping = None
      owner.identified = True
    elif owner.pending is owner:
      owner.fault = fault
    return self.Done(now)

  def _ReceiveProbe(self, probed: _Request, reply: wire.ParsedReply, now: float
                    ) -> bool:
    """Handles a reply to a ping of rule 6.

    """
    probed.probe = None
    probed.candidate.Pinged(reply.serial, now)
    probed.unsupported = (probed.pending is probed and
                          not probed.candidate.reports_serial)
    # Return True in any case, so that the question of rule 8 is sent now
    return True

  def _ReceivePing(self, owner: _Request, reply: wire.ParsedReply, now: float
                   ) -> bool:
    """Handles a reply to a ping of rule 5.

    """
    if owner.ping is None:
      return False
    owner.ping = None
    owner.identified = True
    owner.candidate.Pinged(reply.serial, now)
    if not owner.candidate.reports_serial:
      del self._by_salt[owner.salt]
      owner.AskAgain(self._NewSalt(), now)
      self._by_salt[owner.salt] = owner
    return True

  def _Owner(self, request: Union[_Request, _SideRequest],
             sender: endpoint.Endpoint) -> Optional[_Request]:
    """Finds by a reply's sender which request the reply belongs to (rule 1).

    @return: None if no candidate that was asked has this address

    """
    there = [i for i in self._requests if i.candidate.IsAt(sender)]
    if not there and len(self._ignored_senders) < _MAX_IGNORED:
      self._ignored_senders.add(sender.ip)
    return next((i for i in there if i.candidate is request.candidate),
                there[0] if there else None)

  @property
  def description(self) -> str:
    return replies.DescribeRequest(self._rtype, self._query)

  @property
  def is_serial_question(self) -> bool:
    """Whether the question is L{SERIAL_QUESTION}.

    """
    return (self._rtype, self._query) == SERIAL_QUESTION

  def _IsLow(self, reply: wire.ParsedReply) -> bool:
    """Tells whether a reply would be an answer but for its low serial.

    """
    return (self.min_serial is not None and reply.serial < self.min_serial and
            not self.is_serial_question and
            not replies.IsUnusable(reply.status, reply.answer))

  @property
  def _fresh(self) -> list[_Request]:
    """The requests whose replies are answers.

    """
    return [i for i in self._requests
            if i.reply is not None and not self._IsStale(i) and
            not replies.IsUnusable(i.reply.status, i.reply.answer)]

  @property
  def _answering(self) -> list[_Request]:
    """The requests to the candidates whose lists decide (rule 8).

    """
    return self._fresh or [i for i in self._requests if i.unsupported]

  def _IsStale(self, request: _Request) -> bool:
    return (self.min_serial is not None and request.reply is not None and
            request.reply.serial < self.min_serial and
            (request.candidate.reports_serial is not False or
             request.ping is not None or self.is_serial_question))

  def Done(self, now: float) -> bool:
    """Tells whether the query has nothing more to wait for.

    When it is time to ask the candidates in reserve, adds requests for them.

    """
    self._looked = now
    if self._with_lists and now >= self._started + _UNLISTED_PATIENCE:
      self._FindUnlisted(now)
    fresh = len(self._fresh)
    if fresh >= self._quorum and not self._wait_for_all:
      return True
    waiting = [i for i in self._requests
               if i.pending is not None and i.candidate.addresses]
    if now >= self._deadline or not (waiting or self._reserve):
      return True
    impatient = now >= self._patience_ends
    if self._wait_for_all:
      return impatient or (now >= self._started + PATIENCE and
                           all(i.unreachable for i in waiting))
    if fresh:
      return impatient or all(i.candidate.silent for i in waiting)
    if self._reserve:
      if impatient or not waiting:
        self._AddRequests(self._reserve, now)
        self._reserve = []
        self._patience_ends = now + self._patience
      return False
    if any(i.pending is not i for i in self._requests):
      # None of the replies so far is usable: each is malformed, stale, or an
      # error with a text from Ganeti's own daemon
      return now >= self._patience_ends + _ERRORS_PATIENCE
    return impatient and all(i.unreachable for i in waiting)

  def _FindUnlisted(self, now: float) -> None:
    """Finds the silent candidates that are on no list (rule 8).

    With each further answer, there is a further list that may have them, and
    perhaps more time to wait for them.

    """
    answering = self._answering
    listed = {ip for request in answering for ip in request.listed or ()}
    decides = (now >= self._unlisted_patience_ends and
               all(i.listed is not None for i in answering) and
               any(not listed.isdisjoint(i.candidate.ips) for i in answering))
    for request in self._requests:
      request.unlisted = (
        decides and request.silent and bool(request.candidate.addresses) and
        now >= request.started + _UNLISTED_PATIENCE and
        listed.isdisjoint(request.candidate.ips))
    unlisted = [i.candidate for i in self._requests if i.unlisted]
    self._quorum = NeededReplies(
      max(1, sum(i not in unlisted for i in self._expected)))

  def Finish(self, now: float) -> None:
    """Ends the query: marks candidates without a usable reply as silent.

    """
    lacking = [i for i in self._requests if i.reply is None]
    for request in lacking:
      if request.unsupported:
        continue
      if len(lacking) < len(self._requests):
        request.candidate.LeftUnanswered(now, request.WhySilent(),
                                         self._reader is not None)
      if request.unlisted:
        request.candidate.Unlisted()
      elif request.fault is not None or now - request.started >= PATIENCE:
        request.candidate.Missed()

  def LateReplies(self) -> operation.LateReplies:
    return _LateReplies(self._requests)

  def AllStale(self) -> bool:
    """Tells whether there are answers, all of them stale.

    """
    return not self._fresh and any(
      i.reply is not None and
      not replies.IsUnusable(i.reply.status, i.reply.answer)
      for i in self._requests)

  def BestSerial(self) -> Optional[tuple[int, bool]]:
    """Returns how fresh the best answer is.

    @return: the best answer's serial, and whether that is known to be the
      configuration's; None without an answer

    """
    fresh = self._fresh
    if not fresh:
      return None
    best = self._Ranked(fresh)[0]
    return (best.reply.serial,
            bool(best.request.candidate.reports_serial) or
            self.is_serial_question)

  def BestSource(self) -> tuple[Candidate, list[endpoint.Address]]:
    """Returns the candidate of the best answer.

    @return: the candidate, and those of its addresses that answer

    """
    best = self._Ranked(self._fresh)[0].request
    return (best.candidate,
            [i for i in best.candidate.addresses
             if endpoint.Of(i.address) == best.endpoint])

  def _Ranked(self, requests: Iterable[_Request]) -> list[_Answered]:
    """Sorts the requests with a reply, the best reply first.

    """
    answered = [_Answered(i, i.reply) for i in requests if i.reply is not None]
    answered.sort(key=lambda i: i.request.candidate.name)
    answered.sort(key=self._Rank, reverse=True)
    return answered

  def _Rank(self, answered: _Answered) -> tuple[bool, bool, int, bool]:
    """Returns the sort key of a reply; the best reply has the highest one.

    """
    reply = answered.reply
    return (not replies.IsUnusable(reply.status, reply.answer),
            not self._IsStale(answered.request), reply.serial,
            reply.status == int(constants.CONFD_REPL_STATUS_OK))

  def Silent(self) -> dict[str, Optional[str]]:
    """Returns the candidates without a well-formed reply.

    Candidates that were not waited for, as enough others had answered, are left
    out.

    @return: address to reason, None if unknown

    """
    lacking = [i for i in self._requests if i.reply is None]
    if not (self._wait_for_all or len(lacking) == len(self._requests)):
      lacking = [i for i in lacking
                 if i.fault is not None or i.candidate.missed or
                 i.candidate.last_error is not None]
    return {i.candidate.name: i.WhySilent() for i in lacking}

  def AllReplies(self) -> list[replies.CandidateReply]:
    """Returns all well-formed replies, the best one first.

    """
    ranked = self._Ranked(self._requests)
    return [replies.CandidateReply(request.candidate.name,
                                   request.endpoint.ip if request.endpoint
                                   else "",
                                   reply.status, reply.answer, reply.serial,
                                   request.round_trip,
                                   max(0, ranked[0].reply.serial -
                                       reply.serial))
            for (request, reply) in ranked]

  def Result(self, now: float, started: Optional[float] = None
             ) -> replies.Reply[Any]:
    """Returns the answer.

    @param started: the time of the program's call, from which the time in an
      error counts; None for the start of this query
    @raise replies.NoAnswer: no reply is an answer
    @raise replies.MalformedAnswer: all replies are malformed
    @raise replies.ErrorAnswer: the best reply is an error

    """
    seconds = now - (self._started if started is None else started)
    candidates = self.AllReplies()
    if not candidates:
      faults = {i.candidate.name: i.fault for i in self._requests
                if i.fault is not None}
      if faults:
        raise replies.MalformedError(self._rtype, self._query, faults)
      raise replies.NoAnswer(self._DescribeSilence(seconds),
                             **self._Lack(seconds))
    reply = replies.Reply(candidates[0].answer, candidates[0].serial,
                          candidates, self.Silent())
    if self.AllStale():
      question = replies.DescribeRequest(self._rtype, self._query)
      raise replies.StaleAnswer(
        "Only old answers to %s: serial %d from %s, but serial %s was seen"
        " before" % (question, reply.serial,
                     ", ".join(i.address for i in candidates),
                     self.min_serial),
        serial=reply.serial, min_serial=self.min_serial or 0,
        **self._Lack(seconds))
    if candidates[0].status != constants.CONFD_REPL_STATUS_OK:
      hint = ("" if self._reader is None else
              "; %s" % keyrights.Describe(self._reader, self._timestamp))
      raise replies.MakeError(self._rtype, self._query, reply, hint)
    return reply

  def _Lack(self, seconds: float) -> dict[str, Any]:
    """Returns the arguments of L{replies.NoAnswer} besides the text.

    """
    return {
      "asked": [i.candidate.name for i in self._requests],
      "silent": self.Silent(),
      "seconds": seconds,
      "unauthentic": self.unauthentic,
      }

  def _DescribeSilence(self, seconds: float) -> str:
    """Explains why there is no answer, as far as that is known.

    """
    text = ("No answer to %s from %s" %
            (replies.DescribeRequest(self._rtype, self._query),
             ", ".join(i.candidate.name for i in self._requests) or "anybody"))
    if self._sent:
      text += " in %.1f seconds" % seconds
    reasons = ["%s: %s" % item for item in self.Silent().items() if item[1]]
    if self.unauthentic:
      reasons.append("%d replies were not authentic (another key?)" %
                     self.unauthentic)
    if self._ignored_senders:
      reasons.append("ignored replies from %s: not a candidate's address; add"
                     " it with --address if it is one" %
                     ", ".join(sorted(self._ignored_senders)))
    if not self._sent and any(i.candidate.addresses for i in self._requests):
      reasons.append("nothing could be sent in time")
    elif not all(i.unreachable or i.unsupported for i in self._requests):
      ports = {i.port for request in self._requests
               for i in request.candidate.endpoints}
      reasons.append("silence %smeans %s" % (
        "at UDP port %d " % ports.pop() if len(ports) == 1 else "",
        silence.Causes(self._reader is not None)))
      if self._lacks_newline:
        reasons.append("the key does not end in a newline, which is a part of"
                       " Ganeti's keys; \"$(cat hmac.key)\" removes it")
    return "%s (%s)" % (text, "; ".join(reasons))

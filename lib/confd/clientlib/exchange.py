#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""One question to several master candidates, until enough have answered.

Facts: datagrams get lost, come twice and out of order, and a candidate may
hold an older configuration than another. A candidate without a usable
configuration is silent; the packaged daemon sends an error with a text
instead, which it also does for some questions it cannot answer. Whoever can
send us a datagram can forge an ICMP error ("nothing listens there"), and
whoever sees a request can carry a copy of it to a daemon that nobody asked.

Rule 1: no socket and no clock here; time is passed in, in seconds, from a
clock that does not jump (except for the time in a request's salt).

Rule 2: each candidate has a salt of its own, the same in all resends of the
question. A reply is that of the candidate whose address it is from: the one
that its salt was sent to, or else another one that was asked. Replies from
anywhere else do not count. A candidate's first reply is the one that counts.

Rule 3: the best reply is the one with the highest serial. An error with a text
is worse than any other reply. Replies below the floor (the serial that the
asker knows to exist) are stale, and no answer, but for those of rule 6. The
answer to L{SERIAL_QUESTION} is the serial that counts, whatever daemon it is
from.

Rule 4: enough is what L{NeededReplies} says of the candidates asked. Those
that do not answer get L{PATIENCE} seconds, then any answer is enough. Without
an answer by then, the candidates in reserve are asked as well.

Rule 5: an ICMP error shortens no patience. It makes resends to its address
rarer, explains silence, and ends the wait for a first answer when patience is
over, if there was one for each address.

Rule 6: a packaged daemon's replies are never stale, and either daemon may take
the other's place at any time. So a candidate whose reply is below the floor is
pinged once, unless a ping has shown within L{_PACKAGED_FOR} seconds that it has
the packaged one; until it answers, its reply is stale. Where the ping shows the
packaged daemon, the question is asked again: the reply may be from the daemon
before. To readers only this project's daemon replies, and nobody is pinged.

Rule 7: a malformed reply is as good as none. Nobody waits for its candidate any
more, nothing in it counts, and it explains why there is no answer.

"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Dict, Generic, Iterable, List, \
  NamedTuple, Optional, Sequence, Set, Tuple, TypeVar, Union

from ganeti import constants
from ganeti import errors
from ganeti.confd import protocol
from ganeti.confd.clientlib import forms
from ganeti.confd.clientlib import reader
from ganeti.confd.clientlib import talk
from ganeti.confd.protocol import keyfile
from ganeti.confd.protocol import readerkey
from ganeti.confd.protocol import wire


#: The configuration's serial, asked for by name
SERIAL_QUESTION = (constants.CONFD_REQ_CONFIG_QUERY, "/serial_no")

#: Seconds that silent candidates get, where another one has answered
PATIENCE = 1.0

#: Seconds that they get on top where all answers are errors with a text
_LAST_HOPE = 2.0

#: Seconds without a resend to an address after an ICMP error for it
_REFUSED_PAUSE = 0.5

#: Seconds for which a ping shows that a candidate has the packaged daemon. It
#: takes as long at least to replace one.
_PACKAGED_FOR = 0.25

#: The question of rule 6
_PING = forms.Question(constants.CONFD_REQ_PING, None)

#: How many addresses that were not asked are remembered, for a message
_MAX_STRANGERS = 3

#: Of a question, so much stands in a message (characters)
_MAX_DESCRIPTION = 80

_REQUEST_NAMES = {number: name
                  for (name, number) in protocol.REQUEST_TYPES.items()}

_ERRORS = {
  constants.CONFD_ERROR_UNKNOWN_ENTRY: "unknown entry",
  constants.CONFD_ERROR_INTERNAL: "internal error",
  constants.CONFD_ERROR_ARGUMENT: "wrong argument",
  protocol.ERROR_TOO_LARGE: "the answer does not fit a datagram",
  protocol.ERROR_NOT_PERMITTED: "not permitted",
  }


_Answer = TypeVar("_Answer")
_Other = TypeVar("_Other")


class CandidateReply(NamedTuple):
  """What one candidate replied.

  """
  #: as it was given or learned
  address: str
  #: the IP address that the reply is from
  server: str
  #: C{constants.CONFD_REPL_STATUS_*}
  status: int
  #: any JSON value
  answer: Any
  #: of the configuration, but for those of the packaged daemon
  serial: int
  #: seconds from the first datagram to the reply
  round_trip: float
  #: how much lower than the freshest reply's the serial is
  behind: int


class _Reply(NamedTuple):
  #: any JSON value
  answer: Any
  #: of the configuration that the answer is from
  serial: int
  #: who replied, the freshest first
  candidates: List[CandidateReply]
  #: who had not answered when the call returned, or only by malformed replies,
  #: and why as far as that is known, else None
  silent: Dict[str, Optional[str]]


# Before Python 3.11 a NamedTuple cannot be generic itself
class Reply(_Reply, Generic[_Answer]):
  """What a question came to.

  """
  __slots__ = ()

  #: what the question says; any JSON value where it says nothing
  answer: _Answer

  if TYPE_CHECKING:
    # pylint: disable=W0613
    def __new__(cls, answer: _Answer, serial: int,
                candidates: List[CandidateReply],
                silent: Dict[str, Optional[str]]) -> Reply[_Answer]: ...

  def With(self, answer: _Other) -> Reply[_Other]:
    """Returns the same with another answer.

    """
    return Reply(answer, self.serial, self.candidates, self.silent)


class NoAnswer(errors.ConfdClientError):
  """No candidate gave an authentic answer in time.

  """


class MalformedAnswer(errors.ConfdClientError):
  """All answers have another form than they should have.

  @ivar faults: what is wrong, by the address of the candidate

  """
  def __init__(self, text: str, faults: Dict[str, str]) -> None:
    errors.ConfdClientError.__init__(self, text)
    self.faults = faults


class StaleAnswer(NoAnswer):
  """All answers are older than one that was seen before.

  """


class ErrorAnswer(errors.ConfdClientError):
  """The freshest answer is an error.

  @ivar status: C{constants.CONFD_REPL_STATUS_*}
  @ivar code: C{constants.CONFD_ERROR_*}, L{protocol.ERROR_TOO_LARGE},
    L{protocol.ERROR_NOT_PERMITTED}, a text, what L{inventory} says of a word,
    or None with the status "not implemented"
  @ivar reply: the L{Reply}

  """
  def __init__(self, text: str, reply: Reply[Any]) -> None:
    errors.ConfdClientError.__init__(self, text)
    self.reply = reply
    self.status = reply.candidates[0].status
    self.code = reply.candidates[0].answer


def CountToAsk(coverage: int, known: int, whom: str) -> int:
  """Tells how many to ask.

  @param coverage: a number; 0 for C{constants.CONFD_DEFAULT_REQ_COVERAGE} or
    all if they are fewer, -1 for all
  @param known: how many there are
  @param whom: what they are, for the message
  @raise errors.ConfdClientError: there are not so many

  """
  if coverage == -1:
    return known
  if coverage == 0:
    return min(known, int(constants.CONFD_DEFAULT_REQ_COVERAGE))
  if coverage > known:
    raise errors.ConfdClientError("Coverage %d is more than the number of %s,"
                                  " %d" % (coverage, whom, known))
  return coverage


def NeededReplies(count: int) -> int:
  """Tells how many of the candidates asked have to answer.

  All of one or two, all but one of three or four, more than half of more: the
  freshest of so many is unlikely to be old.

  """
  if count < 3:
    return count
  if count < 5:
    return count - 1
  return count // 2 + 1


def Malformed(rtype: int, query: Any, faults: Dict[str, str]
              ) -> MalformedAnswer:
  """Makes the error about answers of another form than they should have.

  @param faults: what is wrong, by the address of the candidate

  """
  return MalformedAnswer("Malformed answer to %s from %s" % (
    DescribeRequest(rtype, query),
    "; ".join("%s (%s)" % item for item in faults.items())), faults)


def IsUnusable(status: int, answer: Any) -> bool:
  """Tells whether a reply only says that its candidate cannot answer.

  """
  return (isinstance(answer, str) and
          status == int(constants.CONFD_REPL_STATUS_ERROR))


def DescribeRequest(rtype: int, query: Any) -> str:
  """Names a question in a message.

  """
  name = _REQUEST_NAMES.get(rtype, "request type %s" % rtype)
  if query is None:
    return name
  if isinstance(query, dict):
    # Tables may be asked for with any number of names
    query = query["what"] if "what" in query else list(query.values())
  text = wire.EncodeJson(query)
  if len(text) > _MAX_DESCRIPTION:
    text = text[:_MAX_DESCRIPTION] + "..."
  return "%s %s" % (name, text)


def DescribeError(rtype: int, query: Any, best: CandidateReply) -> str:
  """Says what error an answer is.

  """
  if best.status == constants.CONFD_REPL_STATUS_NOTIMPLEMENTED:
    text = "not implemented there"
  elif (rtype == constants.CONFD_REQ_CONFIG_QUERY and
        best.answer == constants.CONFD_ERROR_ARGUMENT):
    text = "no such place in the configuration"
    if not str(query).startswith("/"):
      text += "; one begins with a slash, like /cluster/cluster_name"
  elif wire.IsPlainInt(best.answer):
    text = _ERRORS.get(best.answer, "error %d" % best.answer)
  elif isinstance(best.answer, dict) and "unknown" in best.answer:
    # See the inventory
    text = "unknown %s '%s'" % (best.answer["unknown"],
                                best.answer.get("value"))
  elif isinstance(best.answer, dict) and "duplicate" in best.answer:
    text = "%s '%s' twice" % (best.answer["duplicate"],
                              best.answer.get("value"))
  else:
    text = "%s" % (best.answer, )
  return ("%s: %s (%s, serial %d)" %
          (DescribeRequest(rtype, query), text, best.address, best.serial))


class Source(NamedTuple):
  """What is compared of a socket's address, of either family.

  """
  #: as text; that of IPv4 in IPv6 (::ffff:192.0.2.1) is the IPv4 one
  ip: str
  port: int
  #: the interface of a link-local address, which is unique on its link only;
  #: else 0
  scope: int


def SourceOf(address: talk.SocketAddress) -> Source:
  """Takes what counts from a socket's address.

  """
  (host, port) = address[:2]
  if len(address) == 2:
    return Source(host, port, 0)
  # For IPv4 it is not needed
  import ipaddress
  ip = ipaddress.IPv6Address(host.partition("%")[0])
  if ip.ipv4_mapped is not None:
    return Source(str(ip.ipv4_mapped), port, 0)
  return Source(str(ip), port, address[3] if ip.is_link_local else 0)


class Candidate:
  """One machine that may be asked.

  @ivar name: the address as it was given
  @ivar addresses: where it is reached; nowhere if the name cannot be resolved
  @ivar sources: what they are compared by
  @ivar trouble: why the last datagram could not be delivered, or None
  @ivar silent: whether it did not answer when it was last asked
  @ivar tells_serial: whether it puts the configuration's serial into its
    replies (the packaged daemon puts others there); None if unknown

  """
  def __init__(self, name: str, addresses: Iterable[Tuple[int, Any]],
               trouble: Optional[str] = None) -> None:
    self.name = name
    self.addresses = [talk.Address(*item) for item in addresses]
    self.sources = frozenset(SourceOf(i.address) for i in self.addresses)
    self.trouble = trouble
    self.silent = False
    self.tells_serial: Optional[bool] = None
    self._refused: Dict[Source, float] = {}
    self._pinged_at = -math.inf

  def IsAt(self, source: Source) -> bool:
    """Tells whether an address is one of the candidate's.

    """
    return source in self.sources

  def Pinged(self, serial: int, now: float) -> None:
    """Takes note of the serial in a reply to a ping: it shows which daemon the
    candidate has.

    """
    self.tells_serial = serial != 0
    self._pinged_at = now

  def IsPackaged(self, now: float) -> bool:
    """Tells whether a ping has shown lately that it has the packaged daemon.

    """
    return (self.tells_serial is False and
            now < self._pinged_at + _PACKAGED_FOR)

  def Refuse(self, source: Source, reason: str, now: float) -> None:
    """Takes note of an address that a datagram was not delivered to.

    """
    self._refused[source] = now
    self.trouble = reason

  def RefusedSince(self, source: Source, since: float) -> bool:
    """Tells whether L{Refuse} was called for an address lately.

    """
    return self._refused.get(source, since - 1) >= since


class _Ping(talk.Asked):
  """What rule 6 asks a candidate.

  """
  def __init__(self, candidate: Candidate, salt: str, now: float) -> None:
    talk.Asked.__init__(self, salt, now)
    self.candidate = candidate


class _Asked(talk.Asked):
  """How far one candidate is with the question.

  @ivar ping: the ping that its reply has given reason to, until it is answered
  @ivar recognized: whether it is
  @ivar fault: what was wrong with its reply, if that was malformed

  """
  def __init__(self, candidate: Candidate, salt: str, now: float) -> None:
    talk.Asked.__init__(self, salt, now)
    self.candidate = candidate
    self.ping: Optional[_Ping] = None
    self.recognized = False
    self.reply: Optional[wire.ParsedReply] = None
    self.fault: Optional[str] = None
    self.source: Optional[Source] = None
    self.round_trip = 0.0

  def AskAgain(self, salt: str, now: float) -> None:
    """Forgets the reply.

    """
    self.salt = salt
    self.pace = talk.Pace(now)
    self.reply = None

  @property
  def awaited(self) -> Optional[Union[_Asked, _Ping]]:
    """What the candidate has not replied to yet.

    """
    return self if self.reply is None and self.fault is None else self.ping

  @property
  def unreachable(self) -> bool:
    """Whether the question is said not to have arrived anywhere.

    """
    return all(self.candidate.RefusedSince(source, self.started)
               for source in self.candidate.sources)


class _Latecomers(talk.Latecomers):
  """Late replies show that their candidates live.

  """
  def __init__(self, asked: Iterable[_Asked]) -> None:
    self._candidates = {i.salt: i.candidate for i in asked}

  def Receive(self, salt: str, address: talk.SocketAddress) -> None:
    candidate = self._candidates.get(salt)
    if candidate is not None and candidate.IsAt(SourceOf(address)):
      candidate.silent = False
      candidate.trouble = None


class _Replied(NamedTuple):
  """Who has replied what.

  """
  asked: _Asked
  reply: wire.ParsedReply


class Exchange(talk.Talk):
  """One question to several candidates.

  """
  def __init__(self, rtype: int, query: Any, candidates: Sequence[Candidate],
               reserve: Iterable[Candidate], now: float, deadline: float,
               floor: Optional[int] = None, everybody: bool = False,
               patience: float = PATIENCE) -> None:
    """Makes a salt for each candidate; nothing is sent yet.

    @param query: any JSON value
    @param candidates: who is asked at once
    @param reserve: who is asked if none of those answers
    @param floor: replies with a lower serial are stale
    @param everybody: whether to wait for all candidates, not just for enough
    @param patience: how long those that do not answer get, in seconds

    """
    talk.Talk.__init__(self)
    self.floor = floor
    self._rtype = rtype
    self._query = query
    self._question = forms.Question(rtype, query)
    self._reserve = list(reserve)
    self._started = now
    self._deadline = deadline
    self._patience = patience
    self._patience_ends = now + patience
    self._asked: List[_Asked] = []
    self._by_salt: Dict[str, Union[_Asked, _Ping]] = {}
    self._Ask(candidates, now)
    self._everybody = everybody
    self._sent = False
    self._reader: Optional[readerkey.Label] = None
    self._strangers: Set[str] = set()
    # Nobody waits for those that were silent before, if there are others
    self._needed = NeededReplies(
      len([i for i in candidates if not i.silent]) or len(candidates))

  def _Ask(self, candidates: Iterable[Candidate], now: float) -> None:
    for candidate in candidates:
      asked = _Asked(candidate, self._NewSalt(), now)
      self._asked.append(asked)
      self._by_salt[asked.salt] = asked

  def Salts(self) -> Dict[str, Union[_Asked, _Ping]]:
    return self._by_salt

  def Outgoing(self, key: wire.Key, now: float, timestamp: float
               ) -> List[talk.Datagram]:
    self._reader = keyfile.LabelOf(key)
    result: List[talk.Datagram] = []
    for i in self._asked:
      asked = i.awaited
      if asked is not None and asked.pace.IsDue(now):
        (rtype, query, _) = self.Question(asked)
        datagram = wire.PackRequest(key, timestamp, rtype, query, asked.salt)
        candidate = asked.candidate
        result.extend(
          talk.Datagram(family, address, datagram)
          for (family, address) in candidate.addresses
          if not candidate.RefusedSince(SourceOf(address),
                                        max(asked.started,
                                            now - _REFUSED_PAUSE)))
    self._sent = self._sent or bool(result)
    return result

  @property
  def wakeup(self) -> float:
    times = [i.awaited.pace.next for i in self._asked if i.awaited is not None]
    times.append(self._deadline)
    if self._reserve or self._everybody or self._fresh:
      times.append(self._patience_ends)
    return min(times)

  def Question(self, asked: Union[_Asked, _Ping]) -> forms.Question:
    return _PING if isinstance(asked, _Ping) else self._question

  def Receive(self, asked: Union[_Asked, _Ping], reply: wire.ParsedReply,
              address: talk.SocketAddress, now: float) -> bool:
    source = SourceOf(address)
    owner = self._Owner(asked, source)
    if owner is None:
      return False
    owner.candidate.silent = False
    owner.candidate.trouble = None
    if isinstance(asked, _Ping):
      return self._ReceivePing(owner, reply, now)
    if owner.awaited is not owner:
      return False
    if (self.is_serial_question and wire.IsPlainInt(reply.answer) and
        reply.status == constants.CONFD_REPL_STATUS_OK):
      reply = reply._replace(serial=reply.answer)
    owner.reply = reply
    owner.source = source
    owner.round_trip = now - owner.started
    # An answer that took long gives the others as long again
    self._patience_ends = max(self._patience_ends,
                              now + owner.round_trip)
    if self._reader is not None:
      # The packaged daemon knows no readers
      owner.candidate.tells_serial = True
    elif self._rtype == constants.CONFD_REQ_PING:
      owner.candidate.Pinged(reply.serial, now)
    elif (self._IsLow(reply) and not owner.recognized and
          not owner.candidate.IsPackaged(now)):
      owner.ping = _Ping(owner.candidate, self._NewSalt(), now)
      self._by_salt[owner.ping.salt] = owner.ping
      # It is to be sent
      return True
    return self.Done(now)

  def ReceiveMalformed(self, asked: Union[_Asked, _Ping], fault: str,
                       address: talk.SocketAddress, now: float) -> bool:
    owner = self._Owner(asked, SourceOf(address))
    if owner is None:
      return False
    if isinstance(asked, _Ping):
      # A malformed reply to a ping shows nothing, nor would another one
      owner.ping = None
      owner.recognized = True
    elif owner.awaited is owner:
      owner.fault = fault
    return self.Done(now)

  def _ReceivePing(self, owner: _Asked, reply: wire.ParsedReply, now: float
                   ) -> bool:
    """Takes note of a reply to a ping of rule 6.

    """
    if owner.ping is None:
      return False
    owner.ping = None
    owner.recognized = True
    owner.candidate.Pinged(reply.serial, now)
    if not owner.candidate.tells_serial:
      del self._by_salt[owner.salt]
      owner.AskAgain(self._NewSalt(), now)
      self._by_salt[owner.salt] = owner
    return True

  def _Owner(self, asked: Union[_Asked, _Ping], source: Source
             ) -> Optional[_Asked]:
    """Finds whose reply it is that came from an address.

    @return: None if nobody was asked there

    """
    there = [i for i in self._asked if i.candidate.IsAt(source)]
    if not there and len(self._strangers) < _MAX_STRANGERS:
      self._strangers.add(source.ip)
    return next((i for i in there if i.candidate is asked.candidate),
                there[0] if there else None)

  @property
  def is_serial_question(self) -> bool:
    """Whether the question is L{SERIAL_QUESTION}.

    """
    return (self._rtype, self._query) == SERIAL_QUESTION

  def _IsLow(self, reply: wire.ParsedReply) -> bool:
    """Tells whether a reply is below the floor, and would be an answer.

    """
    return (self.floor is not None and reply.serial < self.floor and
            not self.is_serial_question and
            not IsUnusable(reply.status, reply.answer))

  @property
  def _fresh(self) -> List[_Asked]:
    """The candidates asked whose replies are answers.

    """
    return [asked for asked in self._asked
            if asked.reply is not None and not self._IsStale(asked) and
            not IsUnusable(asked.reply.status, asked.reply.answer)]

  def _IsStale(self, asked: _Asked) -> bool:
    return (self.floor is not None and asked.reply is not None and
            asked.reply.serial < self.floor and
            (asked.candidate.tells_serial is not False or
             asked.ping is not None or self.is_serial_question))

  def Done(self, now: float) -> bool:
    """Tells whether there is nothing more to wait for.

    Calls the reserve in when it is time to.

    """
    waiting = [asked for asked in self._asked
               if asked.awaited is not None and asked.candidate.addresses]
    if now >= self._deadline or not (waiting or self._reserve):
      return True
    impatient = now >= self._patience_ends
    if self._everybody:
      return impatient or (now >= self._started + PATIENCE and
                           all(i.unreachable for i in waiting))
    fresh = len(self._fresh)
    if fresh:
      return (impatient or fresh >= self._needed or
              all(i.candidate.silent for i in waiting))
    if self._reserve:
      if impatient or not waiting:
        self._Ask(self._reserve, now)
        self._reserve = []
        self._patience_ends = now + self._patience
      return False
    if any(i.awaited is not i for i in self._asked):
      # Errors with a text, or malformed: the others get longer to have a better
      # answer
      return now >= self._patience_ends + _LAST_HOPE
    return impatient and all(i.unreachable for i in waiting)

  def Finish(self, now: float) -> None:
    """Ends the exchange: remembers who was silent.

    """
    for asked in self._asked:
      if asked.fault is not None or (asked.reply is None and
                                     now - asked.started >= PATIENCE):
        asked.candidate.silent = True

  def Late(self) -> talk.Latecomers:
    return _Latecomers(self._asked)

  def AllStale(self) -> bool:
    """Tells whether there are answers, all of them stale.

    """
    replied = [i for i in self._asked if i.reply is not None and
               not IsUnusable(i.reply.status, i.reply.answer)]
    return bool(replied) and all(self._IsStale(i) for i in replied)

  def Best(self) -> Optional[Tuple[int, bool]]:
    """Returns how fresh the best answer is.

    @return: the serial of the best answer, and whether it is known to be the
      configuration's

    """
    fresh = self._fresh
    if not fresh:
      return None
    best = self._Ranked(fresh)[0]
    return (best.reply.serial,
            bool(best.asked.candidate.tells_serial) or self.is_serial_question)

  def BestSource(self) -> Tuple[Candidate, List[talk.Address]]:
    """Returns where the best answer is from.

    @return: the candidate, and those of its addresses that answer

    """
    best = self._Ranked(self._fresh)[0]
    return (best.asked.candidate,
            [i for i in best.asked.candidate.addresses
             if SourceOf(i.address) == best.asked.source])

  def _Ranked(self, asked: Iterable[_Asked]) -> List[_Replied]:
    """Sorts who has replied by the reply, the best one first.

    """
    replied = [_Replied(i, i.reply) for i in asked if i.reply is not None]
    replied.sort(key=lambda i: i.asked.candidate.name)
    replied.sort(key=self._Rank, reverse=True)
    return replied

  def _Rank(self, replied: _Replied) -> Tuple[bool, bool, int, bool]:
    """The key to sort replies by, the best one last.

    """
    reply = replied.reply
    return (not IsUnusable(reply.status, reply.answer),
            not self._IsStale(replied.asked), reply.serial,
            reply.status == int(constants.CONFD_REPL_STATUS_OK))

  def Silent(self) -> Dict[str, Optional[str]]:
    """Returns who did not answer, or only by malformed replies.

    @return: address to reason or None

    """
    return {i.candidate.name: i.candidate.trouble if i.fault is None else
            "malformed answer: %s" % i.fault
            for i in self._asked if i.reply is None}

  def AllReplies(self) -> List[CandidateReply]:
    """Returns all replies that came, the best one first.

    """
    ranked = self._Ranked(self._asked)
    return [CandidateReply(asked.candidate.name,
                           asked.source.ip if asked.source else "",
                           reply.status, reply.answer, reply.serial,
                           asked.round_trip,
                           max(0, ranked[0].reply.serial - reply.serial))
            for (asked, reply) in ranked]

  def Result(self, now: float) -> Reply[Any]:
    """Returns what the question came to.

    @raise NoAnswer: none that counts
    @raise MalformedAnswer: all replies are malformed
    @raise ErrorAnswer: the best reply is an error

    """
    candidates = self.AllReplies()
    faults = {i.candidate.name: i.fault for i in self._asked
              if i.fault is not None}
    if faults and not candidates:
      raise Malformed(self._rtype, self._query, faults)
    if not candidates:
      raise NoAnswer(self._DescribeSilence(now))
    reply = Reply(candidates[0].answer, candidates[0].serial, candidates,
                  self.Silent())
    if self.AllStale():
      question = DescribeRequest(self._rtype, self._query)
      raise StaleAnswer("Only old answers to %s: serial %d from %s, but serial"
                        " %s was seen before" %
                        (question, reply.serial,
                         ", ".join(i.address for i in candidates),
                         self.floor))
    if candidates[0].status != constants.CONFD_REPL_STATUS_OK:
      text = DescribeError(self._rtype, self._query, candidates[0])
      if (self._reader is not None and
          (reply.candidates[0].status, reply.answer) == protocol.NOT_PERMITTED):
        text += "; %s" % reader.Describe(self._reader)
      raise ErrorAnswer(text, reply)
    return reply

  def _DescribeSilence(self, now: float) -> str:
    """Says who did not answer, and why as far as that can be told.

    """
    text = ("No answer to %s from %s" %
            (DescribeRequest(self._rtype, self._query),
             ", ".join(i.candidate.name for i in self._asked) or "anybody"))
    if self._sent:
      text += " in %.1f seconds" % (now - self._started)
    reasons = ["%s: %s" % item for item in self.Silent().items() if item[1]]
    if self.forged:
      reasons.append("%d replies were not authentic (another key?)" %
                     self.forged)
    if self._strangers:
      reasons.append("there were replies from %s, where nobody was asked: they"
                     " count if that is among the candidates' addresses" %
                     ", ".join(sorted(self._strangers)))
    if not self._sent and any(i.candidate.addresses for i in self._asked):
      reasons.append("nothing could be sent in time")
    elif not all(i.unreachable for i in self._asked):
      reasons.append("silence means another key, clocks more than %d seconds"
                     " apart, no master candidate, no configuration that can be"
                     " used, a firewall, or no such host%s" %
                     (constants.CONFD_MAX_CLOCK_SKEW,
                      reader.SILENCE if self._reader is not None else ""))
    return "%s (%s)" % (text, "; ".join(reasons))

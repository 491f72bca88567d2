#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""One question to several master candidates, until enough have answered.

Facts: datagrams get lost, come twice and out of order, and a candidate may
hold an older configuration than another. A candidate without a usable
configuration is silent; the packaged daemon sends an error with a text
instead, which it also does for some questions it cannot answer.

Rule 1: no socket and no clock here; time is passed in, in seconds, from a
clock that does not jump (except for the time in a request's salt).

Rule 2: each candidate has a salt of its own, the same in all resends of the
question. What counts is HMAC and salt, not the address a reply is from; the
first reply to a salt is the candidate's reply, further ones are duplicates.

Rule 3: the best reply is the one with the highest serial. An error with a text
is worse than any other reply. Replies below the floor (the serial that the
asker knows to exist) are stale, and no answer. The answer to
L{SERIAL_QUESTION} is the serial that counts, whatever daemon it is from.

Rule 4: enough is what L{NeededReplies} says of the candidates asked. Those
that do not answer get L{PATIENCE} seconds, then any answer is enough. Without
an answer by then, the candidates in reserve are asked as well.

"""

import collections
import uuid

from ganeti import constants
from ganeti import errors
from ganeti.confd import protocol
from ganeti.confd import wire


#: The configuration's serial, asked for by name
SERIAL_QUESTION = (constants.CONFD_REQ_CONFIG_QUERY, "/serial_no")

#: Seconds that silent candidates get, where another one has answered
PATIENCE = 1.0

#: Seconds that they get on top where all answers are errors with a text
_LAST_HOPE = 2.0

#: Seconds from the first datagram to the second; from there on each pause is
#: longer than the one before, up to a limit
_RESEND_FIRST = 0.1
_RESEND_FACTOR = 1.5
_RESEND_MAX = 1.0

#: Of a question, so much stands in a message (characters)
_MAX_DESCRIPTION = 80

_REQUEST_NAMES = dict((number, name)
                      for (name, number) in protocol.REQUEST_TYPES.items())

_ERRORS = {
  constants.CONFD_ERROR_UNKNOWN_ENTRY: "unknown entry",
  constants.CONFD_ERROR_INTERNAL: "internal error",
  constants.CONFD_ERROR_ARGUMENT: "wrong argument",
  protocol.ERROR_TOO_LARGE: "the answer does not fit a datagram",
  }


#: What one candidate replied: C{address} as it was given or learned; C{server}
#: the IP address the reply is from; C{status}, C{answer} and C{serial} as on
#: the wire; C{round_trip} the seconds from the first datagram to the reply;
#: C{behind} how much lower than the freshest reply's the serial is
CandidateReply = collections.namedtuple("CandidateReply", [
  "address", "server", "status", "answer", "serial", "round_trip", "behind"])

#: What a question came to: C{answer}; C{serial} of the configuration it is
#: from; C{candidates} a list of L{CandidateReply}, the freshest first;
#: C{silent} a dictionary: the addresses that had not answered when the call
#: returned, and why not as far as it is known, else None
Reply = collections.namedtuple("Reply", ["answer", "serial", "candidates",
                                         "silent"])


class NoAnswer(errors.ConfdClientError):
  """No candidate gave an authentic answer in time.

  """


class StaleAnswer(NoAnswer):
  """All answers are older than one that was seen before.

  """


class ErrorAnswer(errors.ConfdClientError):
  """The freshest answer is an error.

  @ivar status: C{constants.CONFD_REPL_STATUS_*}
  @ivar code: C{constants.CONFD_ERROR_*}, L{protocol.ERROR_TOO_LARGE}, a text,
    what L{inventory} says of a word, or None with the status "not
    implemented"
  @ivar reply: the L{Reply}

  """
  def __init__(self, text, reply):
    errors.ConfdClientError.__init__(self, text)
    self.reply = reply
    self.status = reply.candidates[0].status
    self.code = reply.candidates[0].answer


def CountToAsk(coverage, known, whom):
  """Tells how many to ask.

  @type coverage: int
  @param coverage: a number; 0 for C{constants.CONFD_DEFAULT_REQ_COVERAGE} or
    all if they are fewer, -1 for all
  @type known: int
  @param known: how many there are
  @type whom: string
  @param whom: what they are, for the message
  @raise errors.ConfdClientError: there are not so many

  """
  count = {
    0: min(known, constants.CONFD_DEFAULT_REQ_COVERAGE),
    -1: known,
    }.get(coverage, coverage)
  if count > known:
    raise errors.ConfdClientError("Coverage %d is more than the number of %s,"
                                  " %d" % (count, whom, known))
  return count


def NeededReplies(count):
  """Tells how many of the candidates asked have to answer.

  All of one or two, all but one of three or four, more than half of more: the
  freshest of so many is unlikely to be old.

  @type count: int
  @rtype: int

  """
  if count < 3:
    return count
  if count < 5:
    return count - 1
  return count // 2 + 1


def IsUnusable(status, answer):
  """Tells whether a reply only says that its candidate cannot answer.

  """
  return status == constants.CONFD_REPL_STATUS_ERROR and isinstance(answer, str)


def DescribeRequest(rtype, query):
  """Names a question in a message.

  @rtype: string

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


def DescribeError(rtype, query, best):
  """Says what error an answer is.

  @type best: L{CandidateReply}
  @rtype: string

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
  else:
    text = "%s" % (best.answer, )
  return ("%s: %s (%s, serial %d)" %
          (DescribeRequest(rtype, query), text, best.address, best.serial))


class Candidate:
  """One machine that may be asked.

  @ivar name: the address as it was given
  @ivar addresses: list of (family, socket address); none if the name cannot
    be resolved
  @ivar trouble: why the last datagram could not be delivered, or None
  @ivar silent: whether it did not answer when it was last asked
  @ivar tells_serial: whether it puts the configuration's serial into its
    replies (the packaged daemon puts others there); None if unknown

  """
  def __init__(self, name, addresses, trouble=None):
    self.name = name
    self.addresses = addresses
    self.trouble = trouble
    self.silent = False
    self.tells_serial = None


class Pace:
  """When to send something, and when to send it again.

  @ivar next: the next time to send

  """
  def __init__(self, now):
    self.next = now
    self._pause = _RESEND_FIRST

  def IsDue(self, now):
    """Tells whether it is time to send; if so, the next time is set.

    """
    if self.next > now:
      return False
    self.next = now + self._pause
    self._pause = min(self._pause * _RESEND_FACTOR, _RESEND_MAX)
    return True


class _Asked:
  """How far one candidate is with the question.

  """
  def __init__(self, candidate, now):
    self.candidate = candidate
    self.salt = str(uuid.uuid4())
    self.started = now
    self.pace = Pace(now)
    self.undelivered = set()
    self.reply = None
    self.server = None
    self.round_trip = None

  @property
  def unreachable(self):
    """Whether it is known that the question did not arrive.

    """
    return self.undelivered.issuperset(self.candidate.addresses)


class Exchange:
  """One question to several candidates.

  Whoever runs it sends what L{Outgoing} returns, hands in what comes back, and
  calls L{Outgoing} again at the time L{wakeup}, until L{Done}.

  """
  def __init__(self, rtype, query, candidates, reserve, now, deadline,
               floor=None, everybody=False, patience=PATIENCE):
    """Initializes this class.

    @type rtype: int
    @param query: any JSON value
    @type candidates: list of L{Candidate}
    @param candidates: who is asked at once
    @type reserve: list of L{Candidate}
    @param reserve: who is asked if none of those answers
    @type deadline: float
    @type floor: int or None
    @param floor: replies with a lower serial are stale
    @type everybody: bool
    @param everybody: whether to wait for all candidates, not just for enough
    @type patience: float
    @param patience: how long those that do not answer get, in seconds

    """
    self.floor = floor
    self.forged = 0
    self._rtype = rtype
    self._query = query
    self._reserve = list(reserve)
    self._started = now
    self._deadline = deadline
    self._patience = patience
    self._patience_ends = now + patience
    self._asked = [_Asked(candidate, now) for candidate in candidates]
    self._everybody = everybody
    # Nobody waits for those that were silent before, if there are others
    self._needed = NeededReplies(
      len([i for i in candidates if not i.silent]) or len(candidates))

  def Salts(self):
    """Returns the salts of the candidates asked so far.

    """
    return dict((asked.salt, asked) for asked in self._asked)

  def Outgoing(self, key, now, timestamp):
    """Returns what is to be sent at this moment.

    @type key: bytes
    @type timestamp: number
    @param timestamp: seconds since the epoch, by which the receiver proves
      that the request is new
    @rtype: list of (family, socket address, datagram)

    """
    result = []
    for asked in self._asked:
      if asked.reply is None and asked.pace.IsDue(now):
        datagram = wire.PackRequest(key, timestamp, self._rtype, self._query,
                                    asked.salt)
        result.extend((family, address, datagram)
                      for (family, address) in asked.candidate.addresses)
    return result

  @property
  def wakeup(self):
    """When L{Outgoing} and L{Done} want to be called again.

    """
    times = [asked.pace.next for asked in self._asked if asked.reply is None]
    times.append(self._deadline)
    if self._reserve or self._fresh:
      times.append(self._patience_ends)
    return min(times)

  def Receive(self, asked, reply, server, now):
    """Takes note of an authentic reply.

    @param asked: of L{Salts}, by the reply's salt
    @type reply: L{wire.ParsedReply}
    @type server: string
    @param server: the IP address it is from

    """
    asked.candidate.silent = False
    asked.candidate.trouble = None
    if asked.reply is not None:
      return
    if (self._IsSerialQuestion() and wire.IsPlainInt(reply.answer) and
        reply.status == constants.CONFD_REPL_STATUS_OK):
      reply = reply._replace(serial=reply.answer)
    asked.reply = reply
    asked.server = server
    asked.round_trip = now - asked.started
    # An answer that took long gives the others as long again
    self._patience_ends = max(self._patience_ends,
                              now + asked.round_trip)
    if self._rtype == constants.CONFD_REQ_PING:
      asked.candidate.tells_serial = reply.serial != 0

  def _IsSerialQuestion(self):
    return (self._rtype, self._query) == SERIAL_QUESTION

  def Undelivered(self, family, address, reason):
    """Takes note of an address that the question cannot be delivered to.

    @type reason: string

    """
    for asked in self._asked:
      if (family, address) in asked.candidate.addresses:
        asked.undelivered.add((family, address))
        asked.candidate.trouble = reason

  @property
  def _fresh(self):
    """The candidates asked whose replies are answers.

    """
    return [asked for asked in self._asked
            if asked.reply is not None and not self._IsStale(asked) and
            not IsUnusable(asked.reply.status, asked.reply.answer)]

  def _IsStale(self, asked):
    return (self.floor is not None and asked.reply.serial < self.floor and
            (asked.candidate.tells_serial is not False or
             self._IsSerialQuestion()))

  def Done(self, now):
    """Tells whether there is nothing more to wait for.

    Calls the reserve in when it is time to.

    @rtype: bool

    """
    waiting = [asked for asked in self._asked
               if asked.reply is None and asked.candidate.addresses]
    if now >= self._deadline or not (waiting or self._reserve):
      return True
    impatient = now >= self._patience_ends
    unreachable = all(i.unreachable for i in waiting)
    if self._everybody:
      return impatient or (unreachable and now >= self._started + PATIENCE)
    fresh = len(self._fresh)
    if fresh:
      return (impatient or fresh >= self._needed or
              all(i.unreachable or i.candidate.silent for i in waiting))
    if self._reserve:
      if impatient or not waiting:
        self._asked.extend(_Asked(candidate, now)
                           for candidate in self._reserve)
        self._reserve = []
        self._patience_ends = now + self._patience
      return False
    if any(i.reply is not None for i in self._asked):
      # Errors with a text: the others get longer to have a better answer
      return now >= self._patience_ends + _LAST_HOPE
    return impatient and unreachable

  def Finish(self, now):
    """Ends the exchange: remembers who was silent.

    """
    for asked in self._asked:
      if asked.reply is None and (asked.unreachable or
                                  now - asked.started >= PATIENCE):
        asked.candidate.silent = True

  def AllStale(self):
    """Tells whether there are answers, all of them stale.

    """
    replied = [i for i in self._asked if i.reply is not None and
               not IsUnusable(i.reply.status, i.reply.answer)]
    return bool(replied) and all(self._IsStale(i) for i in replied)

  def Best(self):
    """Returns how fresh the best answer is.

    @rtype: tuple of (int, bool), or None
    @return: the serial of the best answer, and whether it is known to be the
      configuration's

    """
    fresh = self._fresh
    if not fresh:
      return None
    best = max(fresh, key=self._Rank)
    return (best.reply.serial,
            best.candidate.tells_serial or self._IsSerialQuestion())

  def Source(self):
    """Returns where the best answer is from.

    @rtype: tuple of (L{Candidate}, list)
    @return: the candidate, and those of its addresses that answer

    """
    best = self._Ranked(self._fresh)[0]
    addresses = best.candidate.addresses
    return (best.candidate,
            [i for i in addresses if i[1][0] == best.server] or addresses)

  def _Rank(self, asked):
    """The key to sort replies by, the best one last.

    """
    reply = asked.reply
    return (not IsUnusable(reply.status, reply.answer),
            not self._IsStale(asked), reply.serial,
            reply.status == constants.CONFD_REPL_STATUS_OK)

  def _Ranked(self, asked):
    """Sorts who has replied by the reply, the best one first.

    """
    result = sorted(asked, key=lambda i: i.candidate.name)
    result.sort(key=self._Rank, reverse=True)
    return result

  def Silent(self):
    """Returns who did not answer.

    @rtype: dict; address to reason or None

    """
    return dict((i.candidate.name, i.candidate.trouble)
                for i in self._asked if i.reply is None)

  def AllReplies(self):
    """Returns all replies that came, the best one first.

    @rtype: list of L{CandidateReply}

    """
    replied = self._Ranked(i for i in self._asked if i.reply is not None)
    return [CandidateReply(i.candidate.name, i.server, i.reply.status,
                           i.reply.answer, i.reply.serial, i.round_trip,
                           max(0, replied[0].reply.serial - i.reply.serial))
            for i in replied]

  def Result(self, now):
    """Returns what the question came to.

    @rtype: L{Reply}
    @raise NoAnswer: none that counts
    @raise ErrorAnswer: the best reply is an error

    """
    candidates = self.AllReplies()
    if not candidates:
      raise NoAnswer(self._DescribeSilence(now))
    reply = Reply(candidates[0].answer, candidates[0].serial, candidates,
                  self.Silent())
    if self.AllStale():
      question = DescribeRequest(self._rtype, self._query)
      raise StaleAnswer("Only old answers to %s: serial %d from %s, but serial"
                        " %d was seen before" %
                        (question, reply.serial,
                         ", ".join(i.address for i in candidates),
                         self.floor))
    if candidates[0].status != constants.CONFD_REPL_STATUS_OK:
      raise ErrorAnswer(DescribeError(self._rtype, self._query, candidates[0]),
                        reply)
    return reply

  def _DescribeSilence(self, now):
    """Says who did not answer, and why as far as that can be told.

    """
    text = ("No answer to %s from %s in %.1f seconds" %
            (DescribeRequest(self._rtype, self._query),
             ", ".join(i.candidate.name for i in self._asked),
             now - self._started))
    reasons = ["%s: %s" % item for item in self.Silent().items() if item[1]]
    if self.forged:
      reasons.append("%d replies were not authentic (another key?)" %
                     self.forged)
    if not all(i.unreachable for i in self._asked):
      reasons.append("silence means another key, clocks more than %d seconds"
                     " apart, no master candidate, a firewall, or no such host"
                     % constants.CONFD_MAX_CLOCK_SKEW)
    return "%s (%s)" % (text, "; ".join(reasons))

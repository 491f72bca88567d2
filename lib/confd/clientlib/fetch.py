#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""One answer that does not fit a datagram, fetched in parts.

Rule 1: all parts are from one candidate. The first one says how many there are
and the hash of the whole; then several are asked for at a time.

Rule 2: the daemon may load a new configuration meanwhile, and for a moment two
generations of it answer. A part with a lower serial than one that has come is
dropped and asked for again; a higher serial or another hash starts the answer
again, L{_MAX_RESTARTS} times at most.

Rule 3: as for L{exchange}, no socket and no clock. The time to wait starts
again with each part that comes.

"""

import uuid

from ganeti import constants
from ganeti import errors
from ganeti.confd import parts
from ganeti.confd import wire
from ganeti.confd.clientlib import exchange


#: How many parts are under way at a time: they fit a socket's usual buffer
_WINDOW = 32

_MAX_RESTARTS = 5


class _Asked:
  """A part that is under way.

  """
  def __init__(self, number, now):
    self.number = number
    self.salt = str(uuid.uuid4())
    self.pace = exchange.Pace(now)


class Fetch:
  """One answer, in parts; is run as an L{exchange.Exchange} is.

  """
  def __init__(self, rtype, query, source, serial, now, timeout):
    """Initializes this class.

    @type source: tuple of (L{exchange.Candidate}, list)
    @param source: whom to ask, at which addresses
    @type serial: int
    @param serial: that of the reply that said the answer is too large
    @type timeout: float
    @param timeout: seconds to wait for the next part

    """
    self.forged = 0
    self._rtype = rtype
    self._query = query
    (self._candidate, self._addresses) = source
    self._serial = serial
    self._timeout = timeout
    self._deadline = now + timeout
    self._assembly = None
    self._asked = {0: _Asked(0, now)}
    self._next = 1
    self._restarts = 0
    self._error = None
    self._broken = None
    self._answer = None

  def Salts(self):
    """Returns the salts of the parts under way.

    """
    return dict((asked.salt, asked) for asked in self._asked.values())

  def Outgoing(self, key, now, timestamp):
    """Returns what is to be sent at this moment.

    See L{exchange.Exchange.Outgoing}.

    """
    if self._assembly is not None:
      while len(self._asked) < _WINDOW and self._next < self._assembly.count:
        if not self._assembly.Has(self._next):
          self._asked[self._next] = _Asked(self._next, now)
        self._next += 1
    result = []
    for asked in self._asked.values():
      if asked.pace.IsDue(now):
        datagram = wire.PackRequest(key, timestamp, self._rtype, self._query,
                                    asked.salt, asked.number)
        result.extend((family, address, datagram)
                      for (family, address) in self._addresses)
    return result

  @property
  def wakeup(self):
    """When L{Outgoing} and L{Done} want to be called again.

    """
    return min([asked.pace.next for asked in self._asked.values()] +
               [self._deadline])

  def _Have(self):
    return 0 if self._assembly is None else len(self._assembly)

  def Progress(self):
    """Tells how far it is.

    @rtype: tuple of (int, int or None)
    @return: how many parts have come, and of how many as far as is known

    """
    return (self._Have(), None if self._assembly is None else
            self._assembly.count)

  def Receive(self, asked, reply, _server, now):
    """Takes note of an authentic reply.

    @param asked: of L{Salts}, by the reply's salt
    @type reply: L{wire.ParsedReply}

    """
    if (self._asked.get(asked.number) is not asked or
        reply.serial < self._serial or self.Done(now)):
      return
    (restarts, have) = (self._restarts, self._Have())
    try:
      self._Take(asked, reply, now)
    except errors.ConfdClientError as err:
      self._broken = err
    if (self._restarts, self._Have()) != (restarts, have):
      self._deadline = now + self._timeout

  def _Take(self, asked, reply, now):
    """Takes a reply that is not old.

    @raise errors.ConfdClientError: it cannot be one of ours

    """
    newer = reply.serial > self._serial
    self._serial = reply.serial
    if reply.part is None:
      if newer and asked.number > 0:
        # The new answer may have no such part; it has a first one
        self._Restart(None)
        self._asked[0] = _Asked(0, now)
      else:
        self._error = reply
      return
    if self._assembly is None:
      self._assembly = parts.Assembly(reply.part.total, reply.part.sha256)
    elif (newer or reply.part.sha256 != self._assembly.sha256 or
          reply.part.total != self._assembly.count):
      self._Restart(parts.Assembly(reply.part.total, reply.part.sha256))
    if reply.part.number == asked.number:
      self._assembly.Add(asked.number, reply.answer)
      self._asked.pop(asked.number, None)

  def _Restart(self, assembly):
    """Begins anew.

    @param assembly: what to put the parts into; None if that is not known

    """
    self._restarts += 1
    self._assembly = assembly
    self._asked = {}
    self._next = 0 if assembly is not None else 1

  def Undelivered(self, family, address, reason):
    """Takes note of an address that nothing can be delivered to.

    @type reason: string

    """
    if (family, address) in self._addresses:
      self._candidate.trouble = reason

  def Done(self, now):
    """Tells whether there is nothing more to wait for.

    @rtype: bool

    """
    return (self._error is not None or self._broken is not None or
            self._restarts > _MAX_RESTARTS or now >= self._deadline or
            self._IsComplete())

  def _IsComplete(self):
    return (self._assembly is not None and
            len(self._assembly) == self._assembly.count)

  def Finish(self, now):
    """Ends the fetch.

    """

  def Unpack(self):
    """Makes the answer of its parts, which may take a while.

    @raise errors.ConfdClientError: they do not fit together

    """
    if self._IsComplete():
      self._answer = self._assembly.Answer()

  def Result(self, reply):
    """Returns what the fetch came to.

    @type reply: L{exchange.Reply}
    @param reply: the one that said the answer is too large
    @rtype: L{exchange.Reply}
    @raise exchange.NoAnswer: parts are missing
    @raise exchange.ErrorAnswer: the answer has become an error
    @raise errors.ConfdClientError: it changed too often

    """
    if self._broken is not None:
      raise self._broken
    question = exchange.DescribeRequest(self._rtype, self._query)
    best = reply.candidates[0]._replace(serial=self._serial)
    if self._error is not None:
      best = best._replace(status=self._error.status,
                           answer=self._error.answer)
      raise exchange.ErrorAnswer(
        exchange.DescribeError(self._rtype, self._query, best),
        reply._replace(serial=self._serial,
                       candidates=[best] + reply.candidates[1:]))
    if self._restarts > _MAX_RESTARTS:
      raise errors.ConfdClientError("The answer to %s changed %d times while it"
                                    " was fetched from %s" %
                                    (question, self._restarts, best.address))
    if not self._IsComplete():
      raise exchange.NoAnswer("No further part of the answer to %s from %s in"
                              " %.1f seconds, after %d%s" %
                              (question, best.address, self._timeout,
                               self._Have(), self._candidate.trouble and
                               " (%s)" % self._candidate.trouble or ""))
    best = best._replace(status=constants.CONFD_REPL_STATUS_OK,
                         answer=self._answer)
    return reply._replace(answer=self._answer, serial=self._serial,
                          candidates=[best] + reply.candidates[1:])

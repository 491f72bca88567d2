#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Between talks and sockets: what goes out, and whose is what comes in.

Replies find their talk by the first part of their salts. A talk under way is
never forgotten, however many there are.

Rule 1: a talk is handed only replies that L{forms} has passed. Of any other, a
talk is told what is wrong.

Rule 2: what is done at a time is bounded, in datagrams and in seconds, so that
a flood of garbage keeps nobody's time-out from being kept.

"""

from __future__ import annotations

import collections
import socket
import time
from typing import Dict, Optional, Set

from ganeti.confd.clientlib import candidates
from ganeti.confd.clientlib import channel
from ganeti.confd.clientlib import forms
from ganeti.confd.clientlib import talk
from ganeti.confd.protocol import wire


#: How much is taken from a socket at a time
_TURN_DATAGRAMS = 64
_TURN_SECONDS = 0.02

#: How many past questions are kept: a late reply shows that its candidate lives
_MAX_LATE = 1024


class Post:
  """Sends what talks have to say, and hands them what comes.

  @ivar key: what is signed with
  @ivar talks: those under way, by their id

  """
  def __init__(self, known: candidates.Candidates, key: wire.Key
               ) -> None:
    """@param known: who is told what could not be delivered

    """
    self.key = key
    self.channel = channel.Channel()
    self.talks: Dict[str, talk.Talk] = {}
    self._known = known
    self._late: collections.OrderedDict[str, talk.Latecomers] = \
      collections.OrderedDict()
    self._rejected = 0
    self._rejected_before: Dict[str, int] = {}

  def Begin(self, current: talk.Talk) -> None:
    """Begins a talk: replies will find it.

    """
    self.talks[current.id] = current
    self._rejected_before[current.id] = self._rejected

  def End(self, current: talk.Talk) -> None:
    """Ends a talk.

    """
    current.Finish(time.monotonic())
    current.forged += self._rejected - self._rejected_before.pop(current.id)
    del self.talks[current.id]
    late = current.Late()
    if late is not None:
      self._late[current.id] = late
      if len(self._late) > _MAX_LATE:
        self._late.popitem(last=False)

  def Send(self, current: talk.Talk) -> None:
    """Sends what a talk has to say now.

    """
    now = time.monotonic()
    for datagram in current.Outgoing(self.key, now, time.time()):
      reason = self.channel.Send(datagram)
      if reason is not None:
        self._known.Undelivered(datagram.address, reason, now)

  def Receive(self, sock: socket.socket) -> Set[talk.Talk]:
    """Takes what has come in from a socket, or some of it.

    @return: the talks that want to be looked at

    """
    wanting: Set[talk.Talk] = set()
    now = time.monotonic()
    ends = now + _TURN_SECONDS
    for _ in range(_TURN_DATAGRAMS):
      received = self.channel.Next(sock)
      if received is None:
        break
      (datagram, address) = received
      self._Take(datagram, address, now, wanting)
      now = time.monotonic()
      if now >= ends:
        break
    for _ in range(_TURN_DATAGRAMS):
      undelivered = self.channel.NextUndelivered(sock)
      if undelivered is None:
        break
      self._known.Undelivered(undelivered.address, undelivered.reason, now)
    return wanting

  def _Take(self, datagram: bytes, address: talk.SocketAddress, now: float,
            wanting: Set[talk.Talk]) -> None:
    """Takes one datagram.

    """
    fault: Optional[str] = None
    try:
      reply = wire.ParseReply(datagram, self.key)
      salt = reply.salt
    except wire.Malformed as err:
      (salt, fault) = (err.salt, str(err))
    except wire.Rejected:
      self._rejected += 1
      return
    (ident, _, _) = salt.partition("-")
    current = self.talks.get(ident)
    if current is None:
      late = self._late.get(ident)
      if late is not None:
        late.Receive(salt, address)
      return
    asked = current.Salts().get(salt)
    if asked is None:
      return
    if fault is None:
      fault = forms.Fault(current.Question(asked), reply)
    if (current.Receive(asked, reply, address, now) if fault is None else
        current.ReceiveMalformed(asked, fault, address, now)):
      wanting.add(current)

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Asks a daemon many questions, some of which get no reply.

Daemons answer nearly in the order in which they are asked. So a question is
repeated if a later one was answered before it. All questions that still have no
reply are asked once more together, and their replies are waited for: on a busy
machine, Ganeti's daemon may answer a ping long before another question.

"""

import json
import time

import testutils

#: How many questions are on their way at a time. The replies have to fit into a
#: socket's buffer.
_WINDOW = 16

#: Seconds to wait for the last replies, on an idle machine
_LAST_WAIT = 0.5

#: Stands for the answer of a question that got no reply
SILENCE = ("silence", None, None)

#: Stands for a reply that is not valid JSON, as Ganeti's daemon may send if
#: names are not ASCII
UNREADABLE = ("unreadable", None, None)

def UnpackGanetis(_, datagram):
  """Unpacks a reply of Ganeti's daemon, like L{testutils.UnpackReply} for ours.

  The signature is not checked: Ganeti's daemon truncates each character that is
  not ASCII to the lowest byte of its code point, which the signature does not
  match.

  """
  envelope = json.loads(datagram[4:].decode("latin-1"), strict=False)
  try:
    message = json.loads(envelope["msg"], strict=False)
  except ValueError:
    message = dict(zip(("status", "answer", "serial"), UNREADABLE))
  return (envelope["salt"], message)


class Asker:
  """A socket to one daemon.

  """
  def __init__(self, daemon, unpack=testutils.UnpackReply):
    """@type daemon: L{testutils.Daemon}
    @param unpack: function from key and datagram to salt and message

    """
    self._unpack = unpack
    self._key = daemon.key
    self._asker = daemon.Asker()
    self._count = 0

  def Close(self):
    self._asker.Close()

  def _Send(self, question):
    """Sends a question.

    @return: the salt of the reply

    """
    (rtype, query) = question
    self._count += 1
    rsalt = "%d" % self._count
    self._asker.Send(testutils.PackMessage(
      self._key, testutils.MakeMessage(rtype, query, rsalt=rsalt),
      salt="%d" % time.time()))
    return rsalt

  def _Receive(self, timeout=testutils.PATIENCE):
    """Receives a reply.

    @return: salt and message

    """
    datagram = self._asker.Receive(timeout)
    if datagram is None:
      raise testutils.NoReply("No reply in %s seconds" % timeout)
    return self._unpack(self._key, datagram)

  def _AskSome(self, questions):
    """Asks a few questions, then sends a ping, and collects the replies.

    @return: list of the reply to each question, or None if no reply came

    """
    salts = [self._Send(question) for question in questions]
    replies = {}
    for _ in range(2):
      ping = self._Send((0, None))
      while ping not in replies:
        (salt, message) = self._Receive()
        replies[salt] = message
      if all(salt in replies for salt in salts):
        break
    return [replies.get(salt) for salt in salts]

  def Ask(self, questions):
    """Asks questions.

    @param questions: pairs of type and query
    @return: list of the reply to each question, or L{SILENCE}

    """
    replies = []
    for start in range(0, len(questions), _WINDOW):
      some = questions[start:start + _WINDOW]
      for (question, reply) in zip(some, self._AskSome(some)):
        if reply is None:
          # Ask again: the reply may have been late or lost
          (reply, ) = self._AskSome([question])
        replies.append(reply)
    self._AskSilent(questions, replies)
    return [SILENCE if reply is None else
            (reply["status"], reply["answer"], reply["serial"])
            for reply in replies]

  def _AskSilent(self, questions, replies):
    """Asks the questions without a reply a last time, and waits.

    @param replies: list of the reply to each question, or None; received
      replies are stored in the list

    """
    indices = [i for (i, reply) in enumerate(replies) if reply is None]
    for start in range(0, len(indices), _WINDOW):
      by_salt = {self._Send(questions[i]): i
                 for i in indices[start:start + _WINDOW]}
      deadline = time.monotonic() + testutils.Stretched(_LAST_WAIT)
      while by_salt and time.monotonic() < deadline:
        datagram = self._asker.Receive(max(0.01, deadline - time.monotonic()))
        if datagram is None:
          break
        (salt, message) = self._unpack(self._key, datagram)
        if salt in by_salt:
          replies[by_salt.pop(salt)] = message

  def Value(self, pointer):
    """Returns the value at a JSON pointer into the daemon's configuration.

    """
    (reply, ) = self.Ask([(10, pointer)])
    return reply[1] if reply[0] == 0 else None

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""A confd that is as strict as the packaged one, and sends a test's answers.

Like the packaged confd, this one answers a request of at most 4,096 bytes with
exactly four keys, and is silent otherwise.

"""

import json
import select
import socket
import threading

import testutils

from ganeti import constants


_MAX_REQUEST = 4096

#: Serial in the packaged daemon's replies: an object's, not the configuration's
OBJECT_SERIAL = 3


def Answers(serial, answers=None):
  """Makes a function that answers as the packaged daemon does, for L{Confd}.

  The function returns None for any other request, which gets no reply.

  @type serial: f()
  @param serial: returns the configuration's serial
  @type answers: dict or None
  @param answers: answers to requests other than a ping and the question for the
    serial, by type of request

  """
  def _Answer(rtype, query):
    if rtype == constants.CONFD_REQ_PING:
      return (0, 3000000, 0)
    if (rtype, query) == (constants.CONFD_REQ_CONFIG_QUERY, "/serial_no"):
      return (0, serial(), OBJECT_SERIAL)
    if answers is not None and rtype in answers:
      return (0, answers[rtype], OBJECT_SERIAL)
    return None
  return _Answer


class Confd:
  """Answers in a thread of its own.

  @ivar requests: list of (type, query), in the order they came
  @ivar refused: list of datagrams that got no reply
  @ivar replies: list of datagrams that were sent
  @ivar replays: datagrams to send before each reply

  """
  def __init__(self, answer, key=testutils.KEY, address="127.0.0.1", port=None):
    """Starts to answer.

    @type answer: f(int, query)
    @param answer: returns (status, answer, serial), or None for silence

    """
    self.requests = []
    self.refused = []
    self.replies = []
    self.replays = []
    self.key = key
    self._answer = answer
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    self._sock = socket.socket(family, socket.SOCK_DGRAM)
    # Do not let the kernel choose the port: another test's client might still
    # send to that port
    self.port = testutils.FreePort(address) if port is None else port
    self._sock.bind((address, self.port))
    self.peer = ("[%s]:%d" if ":" in address else "%s:%d") % (address,
                                                             self.port)
    self._stop = False
    self._thread = threading.Thread(target=self._Run, daemon=True)
    self._thread.start()

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.Stop()

  def SetAnswer(self, answer):
    """Replaces the function that answers, as if another daemon were started.

    """
    self._answer = answer

  def Stop(self):
    self._stop = True
    self._thread.join()
    self._sock.close()

  def _Run(self):
    while not self._stop:
      if select.select([self._sock], [], [], 0.05)[0]:
        (datagram, client) = self._sock.recvfrom(65536)
        message = self._Parse(datagram)
        if message is None:
          self.refused.append(datagram)
          continue
        self.requests.append((message["type"], message["query"]))
        reply = self._answer(message["type"], message["query"])
        for datagram in self.replays:
          self._sock.sendto(datagram, client)
        if reply is not None:
          self.replies.append(self._Pack(message["rsalt"], *reply))
          self._sock.sendto(self.replies[-1], client)

  def _Parse(self, datagram):
    envelope = json.loads(datagram[4:].decode("ascii"))
    message = json.loads(envelope["msg"])
    if (len(datagram) <= _MAX_REQUEST and
        sorted(envelope) == ["hmac", "msg", "salt"] and
        sorted(message) == ["protocol", "query", "rsalt", "type"] and
        envelope["hmac"] == testutils.Sign(self.key, envelope["salt"] +
                                           envelope["msg"])):
      return message
    return None

  def _Pack(self, rsalt, status, answer, serial):
    return testutils.PackText(self.key, rsalt, json.dumps(
      {"protocol": 1, "status": status, "answer": answer, "serial": serial}))

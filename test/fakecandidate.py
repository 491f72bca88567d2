#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""A master candidate that records requests, and sends a test's datagrams.

Unlike L{packaged.Confd}, this candidate may send any datagrams, and accepts any
requests.

"""

import json
import select
import socket
import threading

import testutils


def Reply(message, answer="good", status=0, serial=5, salt=None,
          key=testutils.KEY, label=None, **kwargs):
  """Makes the reply to a request.

  @param message: the request's message, a dict
  @param kwargs: further keys of the reply's message

  """
  return testutils.PackText(
    key, message["rsalt"] if salt is None else salt,
    json.dumps(dict(kwargs, protocol=1, status=status, answer=answer,
                    serial=serial)), label)


class Candidate:
  """Answers in a thread of its own, until L{Stop}.

  @ivar requests: list of (salt, message) of the received requests

  """
  def __init__(self, answer, address="127.0.0.1", port=None):
    """Starts to answer.

    @type answer: f(dict)
    @param answer: takes the message of a request and returns the datagrams to
      send, a list

    """
    self.requests = []
    self._answer = answer
    self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    # Do not let the kernel choose the port: another test's client might still
    # send to that port
    self.port = testutils.FreePort(address) if port is None else port
    self._sock.bind((address, self.port))
    (self._wake, self._waker) = socket.socketpair()
    self._thread = threading.Thread(target=self._Run)
    self._thread.start()

  def Stop(self):
    """Ends the thread.

    """
    self._waker.close()
    self._thread.join()
    self._wake.close()
    self._sock.close()

  def _Run(self):
    while True:
      (ready, _, _) = select.select([self._sock, self._wake], [], [])
      if self._wake in ready:
        return
      try:
        (datagram, client) = self._sock.recvfrom(65536)
        envelope = json.loads(datagram[4:])
        message = json.loads(envelope["msg"])
        self.requests.append((envelope["salt"], message))
        for reply in self._answer(message):
          self._sock.sendto(reply, client)
      except ConnectionRefusedError:
        # The client has ended
        pass

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""A bad network for tests: a UDP relay that loses, doubles and delays.

Each route has a front, which is the address that clients ask, and the address
of a daemon. The relay records each reply that it delivers to a client, for
tests to compare with the client's results.

"""

import collections
import heapq
import json
import random
import resource
import select
import socket
import threading
import time


#: A delivered reply: C{time}, when the relay sent it to the client; C{asked},
#: when the first request with the reply's salt came, both by C{time.monotonic};
#: C{client}, the address of the client's socket
Delivered = collections.namedtuple("Delivered", ["time", "asked", "client",
                                                 "serial"])


class Relay:
  """Passes datagrams on, or loses, doubles or delays them.

  @ivar loss: probability that a datagram is lost, in each direction
  @ivar double: probability that a datagram is delivered twice
  @ivar delay: longest delay in seconds; a datagram may overtake another
  @ivar cut: front addresses whose datagrams are all lost
  @ivar limit: number of replies after which no further one is delivered; None
    for no limit
  @ivar delivered: list of L{Delivered}

  """
  def __init__(self, routes, loss=0.0, double=0.0, delay=0.0, seed=1):
    """Starts the relay.

    @type routes: dict
    @param routes: front (address, port) to the daemon's (address, port)

    """
    # Raise the limit: the relay has a socket for each socket of a client
    (_, hard) = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    self.loss = loss
    self.double = double
    self.delay = delay
    self.cut = set()
    self.limit = None
    self.delivered = []
    self._random = random.Random(seed)
    self._routes = {}
    self._clients = {}
    self._asked = {}
    self._pending = []
    self._poll = select.poll()
    self._sockets = {}
    self._count = 0
    for (front, back) in routes.items():
      sock = self._Open(front)
      self._routes[sock] = (front, back)
    self._stop = False
    self._thread = threading.Thread(target=self._Run, daemon=True)
    self._thread.start()

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.Stop()

  def Stop(self):
    self._stop = True
    self._thread.join()
    for sock in self._sockets.values():
      sock.close()

  def _Open(self, address):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    sock.bind(address)
    sock.setblocking(False)
    self._sockets[sock.fileno()] = sock
    self._poll.register(sock, select.POLLIN)
    return sock

  def _Run(self):
    while not self._stop:
      wait = 50
      if self._pending:
        wait = max(0, (self._pending[0][0] - time.monotonic()) * 1000)
      for (fd, _) in self._poll.poll(min(wait, 50)):
        self._Receive(self._sockets[fd])
      while self._pending and self._pending[0][0] <= time.monotonic():
        self._Deliver(*heapq.heappop(self._pending)[2:])

  def _Receive(self, sock):
    while True:
      try:
        (data, address) = sock.recvfrom(65536)
      except OSError:
        return
      if sock in self._routes:
        (front, back) = self._routes[sock]
        self._asked.setdefault(_Parse(data)[1]["rsalt"], time.monotonic())
        key = (sock, address)
        if key not in self._clients:
          back_sock = self._Open(("127.0.0.1", 0))
          # Receive from the daemon only: another test's client may still send
          # to the previous owner of a port that the kernel has chosen
          back_sock.connect(back)
          self._clients[key] = back_sock
          self._clients[back_sock] = (front, key)
        self._Roll(front, self._clients[key], back, data, None)
      else:
        (front, (front_sock, client)) = self._clients[sock]
        self._Roll(front, front_sock, client, data, client)

  def _Roll(self, front, sock, target, data, client):
    """Loses a datagram, or schedules its copies.

    """
    if front in self.cut or self._random.random() < self.loss:
      return
    copies = 2 if self._random.random() < self.double else 1
    for _ in range(copies):
      when = time.monotonic() + self._random.random() * self.delay
      self._count += 1
      heapq.heappush(self._pending,
                     (when, self._count, sock, target, data, client))

  def _Deliver(self, sock, target, data, client):
    if (client is not None and self.limit is not None and
        len(self.delivered) >= self.limit):
      return
    try:
      sock.sendto(data, target)
    except OSError:
      return
    if client is not None:
      (salt, message) = _Parse(data)
      self.delivered.append(Delivered(time.monotonic(), self._asked[salt],
                                      client, message["serial"]))


def _Parse(data):
  """Takes a datagram apart.

  @rtype: tuple of (string, dict)
  @return: salt and message

  """
  envelope = json.loads(data[4:])
  return (envelope["salt"], json.loads(envelope["msg"]))

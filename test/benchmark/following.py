#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Measures how soon waiting clients are told of a change, and the costs.

Facts: the kernel stamps each datagram when it arrives (SO_TIMESTAMPNS), so the
speed of this program does not matter. A daemon keeps at most 64 questions from
one address, so many clients need several addresses.

"""

import json
import random
import socket
import statistics
import struct
import time

import measures
import testutils

from ganeti.confd import protocol


_OF_ADDRESS = 64

#: Option for time stamps (asm-generic/socket.h), which has a name in Python
#: from 3.14 on; a time stamp is seconds and nanoseconds
_SO_TIMESTAMPNS = 35
_STAMP = struct.Struct("@ll")

#: Seconds for which questions wait for a change, and the time-out of all waits
#: of this program
_SECONDS = 60
_PATIENCE = 60

#: Seconds between two questions of a client that polls
_POLL = 1.0


def _Pack(rtype, query, rsalt):
  return testutils.PackMessage(testutils.KEY,
                               testutils.MakeMessage(rtype, query, rsalt=rsalt))


def _Serial(server):
  with server.Asker() as asker:
    return asker.Ask(0)["serial"]


def _Kept(server):
  with server.Asker() as asker:
    return asker.Answer(protocol.REQ_STATS)[1]["waiting"]["now"]


class _Clients:
  """Many clients that wait.

  """
  def __init__(self, server, count):
    self._server = server
    self._count = count
    self._round = 0
    self._socks = []
    for number in range((count + _OF_ADDRESS - 1) // _OF_ADDRESS):
      sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
      self._socks.append(sock)
      sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
      sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
      sock.bind(("127.1.0.%d" % (1 + number), 0))
      sock.connect((server.address, server.port))

  def __enter__(self):
    return self

  def __exit__(self, *_):
    for sock in self._socks:
      sock.close()

  def Ask(self):
    """Sends a question for each client, and waits until all are kept.

    """
    query = {"serial": _Serial(self._server), "seconds": _SECONDS}
    self._round += 1

    def _Ask():
      # Send all questions again, as the daemon may have dropped some that came
      # too fast; it keeps each question once, however many copies come
      for number in range(self._count):
        self._socks[number // _OF_ADDRESS].send(
          _Pack(protocol.REQ_WAIT, query, "%d.%d" % (self._round, number)))
        if number % _OF_ADDRESS == 0:
          time.sleep(0.005)
      return _Kept(self._server) >= self._count

    testutils.WaitFor(_Ask, "all clients wait", timeout=_PATIENCE)

  def Told(self):
    """Returns when each client was told, in seconds since the epoch.

    """
    times = []
    deadline = time.monotonic() + _PATIENCE
    while len(times) < self._count and time.monotonic() < deadline:
      for sock in self._socks:
        while True:
          try:
            (_, ancillary, _, _) = sock.recvmsg(2048, 256, socket.MSG_DONTWAIT)
          except BlockingIOError:
            break
          (whole, nano) = _STAMP.unpack(ancillary[0][2][:_STAMP.size])
          times.append(whole + nano / 1e9)
      time.sleep(0.001)
    return times


def _Follow(server, changes):
  """Makes a change, and waits for it with a question that the daemon keeps.

  @return: seconds from the rename until the new serial number is known

  """
  query = {"serial": _Serial(server), "seconds": _SECONDS}
  with server.Asker() as asker:
    asker.Send(_Pack(protocol.REQ_WAIT, query, "follower"))
    testutils.WaitFor(lambda: _Kept(server) == 1, "it waits")
    (_, start) = changes.Change()
    while True:
      data = asker.Receive(_PATIENCE)
      if data is None:
        raise measures.BenchmarkError("A client that waits is not told")
      (_, reply) = testutils.UnpackReply(testutils.KEY, data)
      if reply["answer"] != query["serial"]:
        return time.monotonic() - start
      asker.Send(_Pack(protocol.REQ_WAIT, query, "again"))


def _Poll(server, changes):
  """Makes a change, and polls for it each second.

  @return: seconds, as for L{_Follow}

  """
  serial = _Serial(server)
  due = time.monotonic() + random.random() * _POLL
  (_, start) = changes.Change()
  while True:
    time.sleep(max(0, due - time.monotonic()))
    due += _POLL
    if _Serial(server) != serial:
      return time.monotonic() - start


def _CpuPerMinute(server, seconds):
  (_, before) = server.Activity()
  time.sleep(seconds)
  return (server.Activity()[1] - before) * 60 / seconds


def Following(generator, server, changes, requests, options, clients, say):
  """Measures how soon waiting clients are told of a change, and the costs.

  @param requests: small requests, for measuring latencies
  @param options: C{rounds}, C{seconds} of each run and C{idle}, the seconds for
    measuring the processor time
  @param clients: the number of waiting clients
  @return: dict: C{told} and C{polled} (seconds from rename to knowing the new
    serial number, by waiting and by polling, medians), C{first} and C{spread}
    (seconds from rename to the first client that is told, and from the first
    client to the last; of the median round), C{cpu} (extra seconds of processor
    time in a minute), C{p99} and C{idle_p99} (latencies in microseconds, with
    and without waiting clients)

  """
  outcomes = {"told": [], "polled": []}

  def _Settled():
    server.Settle()
    # Wait long enough: a daemon may delay loading changes in quick succession
    time.sleep(0.5 + 6 * max(outcomes["told"], default=0))

  # A single round if C{options.rounds} is 1, which only tests the program
  rounds = 3 * options.rounds - 2
  for _ in range(rounds):
    for (name, function) in [("told", _Follow), ("polled", _Poll)]:
      _Settled()
      outcomes[name].append(function(server, changes))
  result = {name: statistics.median(times)
            for (name, times) in outcomes.items()}
  latencies = {"p99": [], "idle_p99": []}
  (first, spread) = ([], [])
  with _Clients(server, clients) as waiting:
    for number in range(options.rounds):
      _Settled()
      if number == 0:
        result["cpu"] = -_CpuPerMinute(server, options.idle)
      latencies["idle_p99"].append(generator.Run(
        server, requests, options.seconds, rate=measures.LATENCY_RATE)["p99"])
      waiting.Ask()
      latencies["p99"].append(generator.Run(
        server, requests, options.seconds, rate=measures.LATENCY_RATE)["p99"])
      if number == 0:
        server.Settle()
        result["cpu"] += _CpuPerMinute(server, options.idle)
      before = time.time()
      changes.Change()
      times = waiting.Told()
      if len(times) < clients:
        raise measures.BenchmarkError("Only %d of %d were told" %
                                      (len(times), clients))
      first.append(min(times) - before)
      spread.append(max(times) - min(times))
  result.update({name: statistics.median(values)
                 for (name, values) in latencies.items()})
  result.update(clients=clients, first=statistics.median(first),
                spread=statistics.median(spread))
  say("told after %.4f s, by polling after %.4f s; %s" %
      (result["told"], result["polled"], json.dumps(result)))
  return result

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""A follower while daemons are replaced, stopped and killed at random.

The daemons are simulated, with a clock of the simulation's own: a sequence of
minutes takes milliseconds. Each sequence is made from a seed, which a failure
names: salts and the candidates' order, too, are made from it.

"""

import functools
import heapq
import itertools
import os
import random
import sys
import time
import unittest
import warnings

from unittest import mock

import testutils

from ganeti import constants
from ganeti.confd import client
from ganeti.confd import protocol
from ganeti.confd.clientlib import system
from ganeti.confd.clientlib import transport
from ganeti.confd.protocol import wire


#: How many sequences are tried
_SEQUENCES = 60

#: Seconds that a sequence takes, and within which all is settled after it
_LASTS = 8.0
_SETTLES = 60.0

#: Upper limit for the datagrams that a follower sends in a second in which
#: nothing happens, for each candidate
_MAX_RATE = 4

_OURS = "ours"
_PACKAGED = "packaged"
_DOWN = "down"
_DAEMONS = (_OURS, _OURS, _PACKAGED, _PACKAGED, _DOWN)


class _Node:
  """A candidate, with one of the daemons or none.

  @ivar serial: the serial of its configuration
  @ivar stopped: whether the daemon's processes are stopped (SIGSTOP)

  """
  def __init__(self, address):
    self.address = address
    self.daemon = _OURS
    self.serial = 1
    self.stopped = False
    self.queue = []
    self.waits = {}


class _Simulation:
  """Daemons, the network and the clock.

  The answer to the question for the master is a text that names the serial. The
  serial in a reply of Ganeti's own daemon is that of an object, which is not
  higher than that of the configuration.

  @ivar sent: the time and the destination of each datagram of the client

  """
  def __init__(self, rand, loss):
    """@param loss: the share of datagrams that are lost

    """
    self.now = 1000.0
    self.rand = rand
    self.loss = loss
    self.nodes = {address: _Node(address)
                  for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3")}
    self.sent = []
    self.arrived = []
    self.interrupt_at = None
    self._events = []
    self._order = itertools.count()

  def At(self, when, function):
    heapq.heappush(self._events, (when, next(self._order), function))

  def Advance(self, until):
    """Lets time pass until something has arrived, or a moment.

    """
    while self._events and self._events[0][0] <= until and not self.arrived:
      (self.now, _, function) = heapq.heappop(self._events)
      function()
      if self.interrupt_at is not None and self.now >= self.interrupt_at:
        self.interrupt_at = None
        raise KeyboardInterrupt
    if not self.arrived:
      self.now = max(self.now, until)

  def Send(self, datagram, address):
    """Delivers a datagram to a daemon, unless it is lost.

    """
    self.sent.append((self.now, address[0]))
    node = self.nodes.get(address[0])
    if node is not None and self.rand.random() >= self.loss:
      self.At(self.now + 0.0005, lambda: self._Arrive(node, datagram))

  def _Arrive(self, node, datagram):
    if node.stopped:
      node.queue.append(datagram)
    elif node.daemon != _DOWN:
      self._Answer(node, datagram)

  def _Answer(self, node, datagram):
    request = wire.ParseRequest(datagram, testutils.KEY, time.time())
    asked = (request.type, request.query)
    packaged = node.daemon == _PACKAGED
    if request.type == protocol.REQ_WAIT:
      if packaged:
        if self.rand.random() < 0.5:
          self._Reply(node, request, "unknown type", status=1, serial=0)
      elif request.query["serial"] != node.serial:
        self._Reply(node, request, node.serial)
      else:
        node.waits[request.rsalt] = (request,
                                     self.now + request.query["seconds"])
        self.At(self.now + request.query["seconds"],
                lambda: self._WaitIsOver(node, request.rsalt))
    elif asked == (constants.CONFD_REQ_CONFIG_QUERY, "/serial_no"):
      self._Reply(node, request, node.serial)
    elif request.type == constants.CONFD_REQ_PING:
      self._Reply(node, request, 3000000, serial=0 if packaged else None)
    elif request.type == constants.CONFD_REQ_MC_PIP_LIST:
      self._Reply(node, request, sorted(self.nodes))
    else:
      self._Reply(node, request, "master of serial %d" % node.serial,
                  serial=(self.rand.randint(0, node.serial) if packaged else
                          None))

  def _Reply(self, node, request, answer, status=0, serial=None):
    if self.rand.random() >= self.loss:
      reply = wire.EncodeReply(status, answer,
                               node.serial if serial is None else serial)
      datagram = wire.PackReply(testutils.KEY, request.rsalt,
                                wire.Prepare(reply))
      self.At(self.now + 0.0005, lambda: self.arrived.append(
        (datagram, (node.address, constants.DEFAULT_CONFD_PORT))))

  def _WaitIsOver(self, node, rsalt):
    (request, ends) = node.waits.get(rsalt, (None, 0))
    if request is not None and self.now >= ends:
      self.EndWaits(node, rsalt)

  def EndWaits(self, node, *rsalts):
    """Answers WAITs that a daemon of ours keeps; by default, all.

    """
    for rsalt in rsalts or list(node.waits):
      (request, _) = node.waits.pop(rsalt)
      if not node.stopped:
        self._Reply(node, request, node.serial)

  # What happens to daemons

  def SetSerial(self, node, serial):
    node.serial = max(serial, node.serial)
    self.EndWaits(node)

  def Replace(self, node, daemon, killed):
    """Replaces a daemon by another one, or by none.

    @param killed: whether the old daemon is killed, rather than stopped

    """
    if not killed:
      self.EndWaits(node)
    node.waits.clear()
    node.queue.clear()
    node.stopped = False
    node.daemon = daemon

  def Continue(self, node):
    node.stopped = False
    queue = list(node.queue)
    node.queue.clear()
    for datagram in queue:
      self._Arrive(node, datagram)


class _Transport(transport.Transport):
  """The client's transport, on a simulation's network and clock.

  """
  def __init__(self, known, key, simulation):
    transport.Transport.__init__(self, known, key)
    self._simulation = simulation
    self.Now = lambda: simulation.now

  def Sleep(self, seconds):
    until = self.Now() + seconds
    while self.Now() < until:
      # What arrives while the client sleeps is read later
      (later, self._simulation.arrived) = (self._simulation.arrived, [])
      self._simulation.Advance(until)
      self._simulation.arrived[:0] = later
      if self._simulation.arrived:
        self._simulation.now = max(self._simulation.now, until)

  def SendDatagram(self, datagram):
    self._simulation.Send(datagram.data, datagram.address)

  def Wait(self, timeout):
    self._simulation.Advance(self.Now() + max(0.0, timeout))
    return [None] if self._simulation.arrived else []

  def ReadDatagram(self, sock):
    if self._simulation.arrived:
      return self._simulation.arrived.pop(0)
    return None

  def ReadError(self, sock):
    return None


class _System(system.System):
  def __init__(self, simulation):
    self._simulation = simulation

  def Transport(self, known, key):
    return _Transport(known, key, self._simulation)


class _Over(BaseException):
  """The end of the time for which a sequence is followed.

  """


class _Sequence:
  """A follower, and what happens to the daemons meanwhile.

  """
  def __init__(self, seed, loss=0.03):
    self._rand = random.Random(seed)
    self.simulation = _Simulation(self._rand, loss)
    # The client's salts and the order of equally good candidates
    self.random = mock.patch.object(os, "urandom", self._rand.randbytes)
    self.seen = None
    self.interrupted = 0

    def _Choose(_):
      return _System(self.simulation)
    system.choosers.append(_Choose)
    try:
      self.client = client.Client(list(self.simulation.nodes),
                                  key=testutils.KEY)
    finally:
      system.choosers.remove(_Choose)
    self.changes = self.client.FollowQuery(constants.CONFD_REQ_CLUSTER_MASTER,
                                           on_error=lambda _: None)

  def Plan(self, lasts):
    """Plans what happens: changes of the configuration, each of which reaches
    each node at a time of its own, and about that time daemons that are
    replaced, stopped or killed.

    @return: the last serial

    """
    (simulation, rand) = (self.simulation, self._rand)
    serial = 1
    for node in simulation.nodes.values():
      node.daemon = rand.choice(_DAEMONS)
    for _ in range(rand.randrange(1, 5)):
      at = simulation.now + rand.uniform(0, lasts)
      serial += rand.choice([1, 1, 2])
      for node in simulation.nodes.values():
        simulation.At(at + rand.choice([0.0, 0.01, 0.5, 3.0]),
                      functools.partial(simulation.SetSerial, node, serial))
        for _ in range(rand.randrange(3)):
          action = rand.choice([
            functools.partial(simulation.Replace, node, rand.choice(_DAEMONS),
                              rand.random() < 0.5),
            functools.partial(simulation.Replace, node, rand.choice(_DAEMONS),
                              rand.random() < 0.5),
            functools.partial(setattr, node, "stopped", True),
            functools.partial(simulation.Continue, node)])
          # Soon after the change, while the client asks; or at any time
          simulation.At(at + rand.choice([rand.uniform(0, 0.005),
                                          rand.uniform(-1.5, 3)]), action)
    return serial

  def Settle(self, serial):
    """Lets all nodes have a serial, and daemons that run.

    """
    for node in self.simulation.nodes.values():
      self.simulation.Continue(node)
      if node.daemon == _DOWN:
        self.simulation.Replace(node, self._rand.choice([_OURS, _PACKAGED]),
                                True)
      node.serial = serial
      self.simulation.EndWaits(node)

  def Follow(self, until, interrupt=True):
    """Follows until a time of the simulation.

    @param interrupt: whether the follower is interrupted now and then

    """
    over = []

    def _End():
      over.append(True)
      raise _Over
    self.simulation.At(until, _End)
    while not over:
      self.simulation.interrupt_at = None
      if interrupt and self._rand.random() < 0.5:
        self.simulation.interrupt_at = (self.simulation.now +
                                        self._rand.uniform(0, 5))
      try:
        if interrupt and self._rand.random() < 0.5:
          InterruptAfter(self._rand.randrange(self._rand.choice([60, 600,
                                                                 3000])))
        self.seen = next(self.changes).reply.answer
      except KeyboardInterrupt:
        self.interrupted += 1
      except client.ConfdClientError:
        # The first question raises its errors
        pass
      except _Over:
        pass
      finally:
        sys.setprofile(None)


def InterruptAfter(count):
  """Interrupts the library in one of its functions, as a signal may.

  @param count: after how many beginnings and ends of functions
  @return: a function that returns how many are left

  """
  left = count

  def _Count(frame, event, _):
    nonlocal left
    code = frame.f_code
    # At the end of __next__, the change is the caller's. Python ignores
    # exceptions at the end of a generator that was not used up. A module is
    # executed in the first sequence only.
    if (event in ("call", "return") and
        code.co_name not in ("__next__", "<genexpr>", "<module>") and
        os.path.join("confd", "clientlib") in code.co_filename):
      left -= 1
      if left < 0:
        # An exception ends the profiling
        raise KeyboardInterrupt
  sys.setprofile(_Count)
  return lambda: left


class TestReplaced(unittest.TestCase):
  def _Try(self, seed):
    """Tries one sequence.

    @return: how often the follower was interrupted, and what it sent

    """
    sequence = _Sequence(seed)
    simulation = sequence.simulation
    with sequence.random, sequence.client:
      serial = sequence.Plan(_LASTS)
      if seed % 4 == 3:
        # An older configuration is restored at the end
        serial -= 1
      sequence.Follow(simulation.now + _LASTS + 4, interrupt=seed % 2 == 0)
      sequence.Settle(serial)
      sequence.Follow(simulation.now + _SETTLES / 2, interrupt=seed % 2 == 0)
      sequence.Follow(simulation.now + _SETTLES / 2, interrupt=False)
      self.assertEqual(sequence.seen, "master of serial %d" % serial)
      sent = len(simulation.sent)
      sequence.Follow(simulation.now + _SETTLES, interrupt=False)
      self.assertEqual(sequence.seen, "master of serial %d" % serial)
      self.assertLess(len(simulation.sent) - sent,
                      _MAX_RATE * _SETTLES * len(simulation.nodes))
    return (sequence.interrupted, simulation.sent)

  def test(self):
    interrupted = 0
    # What is logged is of no concern here
    with self.assertLogs("ganeti.confd"):
      for seed in range(_SEQUENCES):
        with self.subTest(seed=seed):
          interrupted += self._Try(seed)[0]
    # The sequences do have what they should
    self.assertGreater(interrupted, 0)

  def testIsRepeatable(self):
    """A seed whose sequence fails makes the same sequence again."""
    with self.assertLogs("ganeti.confd"):
      for seed in range(4):
        with self.subTest(seed=seed):
          self.assertEqual(self._Try(seed), self._Try(seed))

  def testChangeIsNotLost(self):
    """The follower is interrupted in each function while it gets a change."""
    def _End():
      raise _Over

    def _Follow(count):
      """Returns whether the follower was interrupted, and how many beginnings
      and ends of functions were left.

      """
      sequence = _Sequence(0, loss=0.0)
      simulation = sequence.simulation
      with sequence.random, sequence.client:
        next(sequence.changes)
        for node in simulation.nodes.values():
          simulation.SetSerial(node, 2)
        # A follower that has lost the change would wait for ever
        simulation.At(simulation.now + _SETTLES, _End)
        left = InterruptAfter(count)
        try:
          change = next(sequence.changes)
          interrupted = False
        except KeyboardInterrupt:
          change = None
          interrupted = True
        finally:
          sys.setprofile(None)
        if change is None:
          try:
            change = next(sequence.changes)
          except _Over:
            self.fail("The change is lost")
        self.assertEqual(change.reply.answer, "master of serial 2")
        return (interrupted, count - left())

    (interrupted, whole) = _Follow(1 << 30)
    self.assertEqual((interrupted, whole > 100), (False, True))
    # At the end each of them matters
    steps = [*range(0, whole - 100, 10), *range(whole - 100, whole)]
    with warnings.catch_warnings():
      # An interruption may come just before a coroutine begins
      warnings.simplefilter("ignore", RuntimeWarning)
      for count in steps:
        with self.subTest(count=count):
          _Follow(count)


if __name__ == "__main__":
  unittest.main()

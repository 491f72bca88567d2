#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests that a captured request is of little use to whoever sends it again.

"""

import contextlib
import itertools
import signal
import threading
import time
import unittest

import testutils
from testutils import PING, NODE_ROLE, NODE_OF_IP, MASTER, CONFIG, QUERY, STATS
from testutils import WAIT


#: How often one request is worked for, as the manual says
LIMIT = 16


#: To be run in a network of its own. No host answers at the other end of its
#: one cable: the kernel keeps what is sent there for three seconds. The system
#: lets root send from any address.
_UNREACHABLE = '''
import socket
import subprocess
import threading
import adversity
import testutils

IP_TRANSPARENT = 19

for command in ["link set lo up", "link add out type veth peer name nowhere",
                "addr add 10.99.0.1/24 dev out", "link set out up",
                "link set nowhere up"]:
  subprocess.run(["ip"] + command.split(), check=True)

ended = threading.Event()

def Attack(daemon):
  captured = testutils.PackMessage(daemon.key,
                                   testutils.MakeMessage(testutils.PING))
  socks = []
  for number in range(2, 200):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
    sock.bind(("10.99.0.%d" % number, 0))
    sock.connect((daemon.address, daemon.port))
    socks.append(sock)
  while not ended.wait(0.01):
    for sock in socks:
      sock.send(captured)
    # On a slow machine, honest requests would find the receive queue full
    daemon.WaitForEmptyQueue()

def Dropped(daemon):
  with daemon.Asker() as asker:
    try:
      return asker.Ask(testutils.STATS, timeout=0.5)["answer"]["dropped"]
    except testutils.NoReply:
      return None

# The send queue is full when it holds some hundred replies
with adversity.Patched("""
       from ganeti.confd import server
       server._QUEUE_SIZE = 1 << 18
       """) as env, \
     testutils.Daemon(testutils.MakeConfig(), address="10.99.0.1",
                      args=["--workers=2"], env=env) as daemon:
  attacker = threading.Thread(target=Attack, args=(daemon, ))
  attacker.start()
  try:
    # Until the first replies are three seconds old, the send queue is full
    for counter in ("unsent", "replayed"):
      testutils.WaitFor(lambda: (Dropped(daemon) or {}).get(counter),
                        "datagrams are counted as %s" % counter)
    for _ in range(200):
      daemon.Ask(testutils.PING)
  finally:
    ended.set()
    attacker.join()
  assert "did not finish" not in daemon.Log(), daemon.Log()
'''


class AmplificationTest(unittest.TestCase):
  def setUp(self):
    # Two at the same time would let a few more copies pass, see test_readers
    self.daemon = testutils.Daemon(
      testutils.MakeConfig(filler=["x" * 4000]), args=["--workers=1"])
    self.daemon.__enter__() # pylint: disable=C2801
    self.addCleanup(self.daemon.Kill)

  def _Replay(self, datagram, times):
    """Sends a datagram again and again, as from another client.

    @return: number of replies; all others were dropped as replayed

    """
    replies = 0
    before = self._Replayed()
    with self.daemon.Asker() as other:
      for _ in range(times):
        other.Send(datagram)
        # The one worker has dealt with it before it answers this
        self.daemon.Ask(PING)

      def _IsEachDealtWith():
        nonlocal replies
        while other.Receive(timeout=0.005) is not None:
          replies += 1
        return replies + self._Replayed() - before >= times

      testutils.WaitFor(_IsEachDealtWith, "each copy is dealt with")
      # None gets a second reply
      self.assertIsNone(other.Receive(timeout=0.2))
    self.assertEqual(replies + self._Replayed() - before, times)
    return replies

  def _Replayed(self):
    return self.daemon.Answer(STATS)[1]["dropped"]["replayed"]

  def testLongAnswersAreLimited(self):
    captured = testutils.PackMessage(testutils.KEY,
                                     testutils.MakeMessage(CONFIG, "/filler"))
    self.assertEqual(self._Replay(captured, 40), LIMIT)

    # New processes know it too, also when it is written differently
    before = self.daemon.Answer(STATS)[1]["reloads"]["good"]
    self.daemon.proc.send_signal(signal.SIGHUP)
    testutils.WaitFor(
      lambda: self.daemon.Answer(STATS)[1]["reloads"]["good"] > before,
      "the configuration is loaded again")
    self.assertEqual(self._Replay(captured, 20), 0)
    self.assertEqual(self._Replay(captured + b" ", 20), 0)

  def testShortAnswersAreNot(self):
    captured = testutils.PackMessage(testutils.KEY,
                                     testutils.MakeMessage(PING))
    self.assertEqual(self._Replay(captured, 3 * LIMIT), 3 * LIMIT)

  def testAddressesThatNobodyHas(self):
    """Replies that cannot be delivered keep nobody waiting.

    """
    testutils.RunInNetwork(_UNREACHABLE)

  def _Waiting(self):
    return self.daemon.Answer(STATS)[1]["waiting"]

  def testQuestionsThatWait(self):
    """Copies of one that waits are kept once at a time, and so often in all.

    """
    captured = testutils.PackMessage(
      testutils.KEY, testutils.MakeMessage(WAIT, {"serial": 17, "seconds": 1}))
    replies = 0
    started = time.monotonic()
    with self.daemon.Asker() as other:
      # Each second there is room for the next one
      for _ in range(3):
        for _ in range(4):
          other.Send(captured)
        replies += other.Receive() is not None
        self.assertIsNone(other.Receive(timeout=0))
      for _ in range(2 * LIMIT):
        other.Send(captured)
      self.daemon.WaitForEmptyQueue()
      testutils.WaitFor(lambda: not self._Waiting()["now"], "none is kept")
      kept = self._Waiting()["kept"]
      while replies < kept:
        self.assertIsNotNone(other.Receive())
        replies += 1
      self.assertIsNone(other.Receive(timeout=0.2))
    # On a slow machine, some copies are read only when there is room again
    self.assertLessEqual(replies, 1 + time.monotonic() - started)

  def testQuestionsThatWaitedLongAgo(self):
    """Copies of one that would be answered at once by now."""
    captured = testutils.PackMessage(
      testutils.KEY, testutils.MakeMessage(WAIT, {"serial": 17, "seconds": 60}))
    self.daemon.asker.Send(captured)
    self.daemon.WriteConfig(testutils.MakeConfig(serial_no=18))
    self.assertIsNotNone(self.daemon.asker.Receive())
    self.daemon.WaitForSerial(18)
    # One time of these was used up by the client itself
    self.assertEqual(self._Replay(captured, 3 * LIMIT), LIMIT - 1)

  def testNewRequestsAreNot(self):
    for _ in range(3 * LIMIT):
      self.assertEqual(self.daemon.Answer(CONFIG, "/filler")[0], 0)


#: Copies a second, and from how many addresses
_COPIES = 400
_ADDRESSES = 8

#: Copies a second of what takes as long to read as it is long
_LONG_COPIES = 100

#: Seconds after which a client that asks again and again has given up
_GIVEN_UP = testutils.PATIENCE


class _Copies(threading.Thread):
  """Sends copies of captured requests, in turn, from several addresses.

  @ivar sent: how many

  """
  def __init__(self, daemon, captured, rate):
    threading.Thread.__init__(self, daemon=True)
    self._rate = rate
    self._askers = [testutils.Asker(daemon.key, daemon.address, daemon.port,
                                    source="127.0.0.%d" % (2 + number))
                    for number in range(_ADDRESSES)]
    self._captured = captured
    self._ended = threading.Event()
    self.sent = 0

  def run(self):
    begin = time.monotonic()
    askers = itertools.cycle(self._askers)
    for datagram in itertools.cycle(self._captured):
      # Sleeping is not exact, so it is made up for
      while (time.monotonic() - begin) * self._rate > self.sent:
        # The interface's queue may be full
        with contextlib.suppress(OSError):
          next(askers).Send(datagram)
          self.sent += 1
      if self._ended.wait(1 / self._rate):
        return

  def Stop(self):
    self._ended.set()
    self.join()
    for asker in self._askers:
      asker.Close()


class FloodOfCopiesTest(unittest.TestCase):
  """Copies of what takes long, while others ask."""

  def setUp(self):
    networks = {
      testutils.Uuid("1", number): {
        "name": "net%d" % number, "uuid": testutils.Uuid("1", number),
        "network": "10.%d.0.0/16" % number, "reservations": "0" * 65536,
        "ext_reservations": "1" * 65536}
      for number in range(2)}
    nodes = [testutils.MakeNode(number, master_candidate=number == 1)
             for number in range(1, 41)]
    instances = [testutils.MakeInstance(number, 1 + number % 40,
                                        nics=["10.0.%d.%d" % divmod(number,
                                                                    250)])
                 for number in range(4000)]
    self.daemon = testutils.Daemon(
      testutils.MakeConfig(nodes, instances, networks=networks,
                           filler=["x" * 4000]), args=["--workers=2"])
    self.daemon.Start()
    self.addCleanup(self.daemon.Stop)

  def _Ask(self, rtype, query):
    """Asks as clients do: again and again until there is a reply.

    @return: seconds that it took, and the answer

    """
    begin = time.monotonic()
    salts = set()
    with self.daemon.Asker() as asker:
      while time.monotonic() - begin < _GIVEN_UP:
        message = testutils.MakeMessage(rtype, query)
        salts.add(message["rsalt"])
        asker.Send(testutils.PackMessage(asker.key, message))
        # On a slow machine, the reply may be that to an earlier try
        data = asker.Receive(timeout=0.3)
        if data is not None:
          (salt, reply) = testutils.UnpackReply(asker.key, data)
          self.assertIn(salt, salts)
          return (time.monotonic() - begin, (reply["status"], reply["answer"]))
    raise AssertionError("No answer to %s %s in %.1f s" %
                         (rtype, query, _GIVEN_UP))

  def _Dropped(self):
    return sum(self._Ask(STATS, None)[1][1]["dropped"].values())

  def _Flood(self, questions, rate=_COPIES, seconds=3.0):
    """Sends copies of questions while others ask."""
    captured = [testutils.PackMessage(self.daemon.key,
                                      testutils.MakeMessage(rtype, query))
                for (rtype, query) in questions]
    before = self._Dropped()
    copies = _Copies(self.daemon, captured, rate)
    copies.start()
    took = []
    try:
      begin = time.monotonic()
      while time.monotonic() - begin < seconds:
        for (rtype, query, expected) in [
            (PING, None, 3000000), (NODE_ROLE, "node7", 4),
            (NODE_OF_IP, {"1": "10.0.1.5"}, "192.0.2.16")]:
          (more, answer) = self._Ask(rtype, query)
          self.assertEqual(answer, (0, expected))
          took.append(more)
        (more, (status, _)) = self._Ask(STATS, None)
        took.append(more)
        self.assertEqual(status, 0)
        time.sleep(0.02)
    finally:
      copies.Stop()
    (after, _) = self._Ask(PING, None)
    # Somebody else asks the same
    (again, _) = self._Ask(*questions[0])
    print("%d copies; %d answers, %.0f ms at most; %.0f and %.0f ms after" %
          (copies.sent, len(took), 1000 * max(took), 1000 * after,
           1000 * again))
    self.assertLess(after, testutils.Stretched(5 * 1.0))
    self.daemon.WaitForEmptyQueue()
    # All copies are dropped but the first ones of each request; two workers may
    # count two copies as one. The daemon learns within a second how many
    # datagrams found the queue full.
    testutils.WaitFor(
      lambda: self._Dropped() - before >=
      copies.sent - 2 * LIMIT * len(captured),
      "%d copies are dropped" % copies.sent)

  def testTables(self):
    nodes = ["node%d" % number for number in range(1, 41)]
    self._Flood([
      (QUERY, {"what": "network", "names": ["net1"],
               "fields": ["external_reservations"]}),
      (QUERY, {"what": "network", "names": ["net0"], "fields": ["map"]}),
      (QUERY, {"what": "node", "names": nodes,
               "fields": ["pinst_list", "sinst_list"]}),
      (QUERY, {"what": "instance", "fields": ["name", "hvparams"]})])

  def testObjects(self):
    """Long questions that are objects."""
    self._Flood([
      (NODE_OF_IP, {"2": ["10.0.1.%d" % (number % 250)
                          for number in range(1000)]}),
      (MASTER, {"3": [0, "1", 2] * 500}),
      (QUERY, {"what": "instance", "fields": ["name", "be/vcpus", "tags"],
               "names": ["inst%d" % number for number in range(300)]})],
                _LONG_COPIES)

  def testStatistics(self):
    self._Flood([(STATS, None)])


if __name__ == "__main__":
  unittest.main()

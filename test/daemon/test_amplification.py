#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests that a captured request is of little use to whoever sends it again.

"""

import json
import signal
import unittest

import testutils


PING = 0
CONFIG = 10
STATS = 65

#: Replies to one request, as the manual says
LIMIT = 16


#: To be run in a network of its own. Nobody answers at the other end of its one
#: cable: the kernel keeps what is sent there for three seconds. The system lets
#: root send from any address.
_UNREACHABLE = """
import json
import socket
import subprocess
import threading
import testutils

PING = 0
STATS = 65
IP_TRANSPARENT = 19

for command in ["link set lo up", "link add out type veth peer name nowhere",
                "addr add 10.99.0.1/24 dev out", "link set out up",
                "link set nowhere up"]:
  subprocess.run(["ip"] + command.split(), check=True)

ended = threading.Event()

def Attack(daemon):
  captured = testutils.PackMessage(daemon.key, testutils.MakeMessage(PING))
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

def Dropped(daemon):
  with daemon.Asker() as asker:
    try:
      return asker.Ask(STATS, timeout=0.5)["answer"]["dropped"]
    except testutils.NoReply:
      return None

with testutils.Daemon(testutils.MakeConfig(), address="10.99.0.1",
                      args=["--workers=2"]) as daemon:
  attacker = threading.Thread(target=Attack, args=(daemon, ))
  attacker.start()
  try:
    # Its queue is full until the first replies are three seconds old
    testutils.WaitFor(lambda: (Dropped(daemon) or {}).get("replayed"),
                      "copies of a short request are noticed")
    for _ in range(200):
      daemon.Ask(PING)
    dropped = Dropped(daemon)
  finally:
    ended.set()
    attacker.join()
  assert "did not finish" not in daemon.Log(), daemon.Log()
print(json.dumps(dropped))
"""


class AmplificationTest(unittest.TestCase):
  def setUp(self):
    self.daemon = testutils.Daemon(
      testutils.MakeConfig(filler=["x" * 4000]), args=["--workers=2"])
    self.daemon.__enter__() # pylint: disable=C2801
    self.addCleanup(self.daemon.Kill)

  def _Replay(self, datagram, times):
    """Sends a datagram again and again, as from another client.

    @return: number of replies

    """
    replies = 0
    with self.daemon.Asker() as other:
      for _ in range(times):
        other.Send(datagram)
        # Each is dealt with before the next one: this one's reply comes last
        # but one at the latest
        self.daemon.Ask(PING)
        replies += other.Receive(timeout=0.005) is not None
      while other.Receive(timeout=0.2) is not None:
        replies += 1
    return replies

  def testLongAnswersAreLimited(self):
    captured = testutils.PackMessage(testutils.KEY,
                                     testutils.MakeMessage(CONFIG, "/filler"))
    self.assertEqual(self._Replay(captured, 40), LIMIT)
    dropped = self.daemon.Answer(STATS)[1]["dropped"]["replayed"]
    self.assertEqual(dropped, 40 - LIMIT)

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
    dropped = json.loads(testutils.RunInNetwork(_UNREACHABLE))
    self.assertGreater(dropped["unsent"], 0)
    self.assertGreater(dropped["replayed"], 0)

  def testNewRequestsAreNot(self):
    for _ in range(3 * LIMIT):
      self.assertEqual(self.daemon.Answer(CONFIG, "/filler")[0], 0)


if __name__ == "__main__":
  unittest.main()

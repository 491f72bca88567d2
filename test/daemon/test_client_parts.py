#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Answers that do not fit a datagram, from the real daemon.

"""

import asyncio
import json
import threading
import unittest

import clientcommand
import processes
import relay
import testutils

from ganeti.confd import client


def _Config(serial, instances=600):
  # Clients learn the address on the list, and send to it
  return testutils.MakeConfig(
    [testutils.MakeNode(1, primary_ip="127.0.0.1", master_candidate=True)],
    serial_no=serial,
    instances=[testutils.MakeInstance(i, 1,
                                      nics=["10.0.%d.%d" % divmod(i, 250)],
                                      tags=["serial%d" % serial])
               for i in range(1, instances + 1)])


class TestParts(unittest.TestCase):
  def setUp(self):
    self.config = _Config(17)
    self.daemon = testutils.Daemon(self.config)
    self.addCleanup(self.daemon.Stop)
    self.daemon.Start()

  def _Peers(self):
    return ["127.0.0.1:%d" % self.daemon.port]

  def testFetchesIt(self):
    with client.Client(self._Peers(), key=testutils.KEY) as asker:
      reply = asker.Config("/instances")
      self.assertEqual(reply.answer, self.config["instances"])
      self.assertEqual(reply.serial, 17)
      (primary, secondary) = asker.NodeInstances("node1").answer
      self.assertEqual((len(primary), secondary), (600, []))

  def testAsync(self):
    async def _Run():
      async with client.AsyncClient(self._Peers(),
                                    key=testutils.KEY) as asker:
        return await asyncio.gather(*(
          [asker.Config("/instances") for _ in range(3)] +
          [asker.MasterNode() for _ in range(50)]))
    replies = asyncio.run(_Run())
    for reply in replies[:3]:
      self.assertEqual(reply.answer, self.config["instances"])
    self.assertEqual(set(reply.answer for reply in replies[3:]),
                     {"node1.example.com"})

  def testCommand(self):
    result = clientcommand.Run("config", "/instances", daemon=self.daemon,
                               check=True)
    self.assertEqual(json.loads(result.stdout), self.config["instances"])

  def testDiesWhileItIsFetched(self):
    daemons = [testutils.Daemon(self.config) for _ in range(2)]
    for daemon in daemons:
      self.addCleanup(daemon.Kill)
      daemon.Start()
    peers = ["127.0.0.1:%d" % i.port for i in daemons]
    killed = []

    def _KillSource(have, _):
      if have and not killed:
        (port, ) = [i.address[1]
                    for current in
                    asker._questions._transport.operations.values()
                    for i in current._addresses]
        (daemon, ) = [i for i in daemons if i.port == port]
        daemon.Kill()
        killed.append(daemon)

    def _KillAll(*_):
      # The serving processes notice a moment later, and answer until then
      pids = [pid for i in daemons for pid in testutils.ProcessTree(i.proc.pid)]
      for daemon in daemons:
        daemon.Kill()
      processes.WaitForEnd(pids)

    with client.Client(peers, key=testutils.KEY,
                       timeout=testutils.PATIENCE) as asker:
      asker.progress = _KillSource
      reply = asker.Config("/instances")
      self.assertEqual(len(killed), 1)
      self.assertEqual(reply.answer, self.config["instances"])
      # When nobody is left
      asker.progress = _KillAll
      with self.assertRaises(client.NoAnswer):
        asker.Config("/instances")

  def testChangesWhileItIsFetched(self):
    front = ("127.0.1.9", testutils.FreePort("127.0.1.9"))
    configs = dict((serial, _Config(serial)) for serial in range(18, 26))
    stop = threading.Event()

    def _Change():
      for serial in sorted(configs):
        # The client gives up what has changed six times, and may be slow
        while serial > (serials[-1] if serials else 17) + 4:
          if stop.wait(0.1):
            return
        if stop.wait(0.4):
          return
        self.daemon.WriteConfig(configs[serial])
    configs[17] = self.config
    changer = threading.Thread(target=_Change)
    serials = []
    with relay.Relay({front: ("127.0.0.1", self.daemon.port)}, loss=0.05,
                     double=0.1, delay=0.02):
      changer.start()
      try:
        with client.Client(["%s:%d" % front], key=testutils.KEY) as asker:
          while not serials or serials[-1] < 21:
            reply = asker.Config("/instances")
            self.assertEqual(reply.answer, configs[reply.serial]["instances"])
            serials.append(reply.serial)
      finally:
        stop.set()
        changer.join()
    self.assertEqual(serials, sorted(serials))


if __name__ == "__main__":
  unittest.main()

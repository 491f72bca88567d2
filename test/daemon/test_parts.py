#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Very large answers, through a network that loses one datagram in twenty"""

import asyncio
import json
import threading
import unittest

import clientcommand
import relay
import testutils

from ganeti.confd import client


_LOSS = 0.05

_FRONT = "127.0.1.21"

_LINK = "many"
_IPS = ["10.%d.%d.%d" % (i >> 16, i >> 8 & 255, i & 255)
        for i in range(100000)]

#: As many instances as make C{/instances} about 5 MB
_INSTANCES = 8000


def _Config():
  return testutils.MakeConfig(
    instances=[testutils.MakeInstance(i, 1, nics=["192.0.2.1"])
               for i in range(_INSTANCES)])


def _ConfigOfIps():
  return testutils.MakeConfig(instances=[
    testutils.MakeInstance(1, 1, nics=[(ip, _LINK) for ip in _IPS])])


class _Test(unittest.TestCase):
  def _Start(self, config):
    self.daemon = testutils.Daemon(config)
    self.addCleanup(self.daemon.Stop)
    self.daemon.Start()
    self.front = (_FRONT, testutils.FreePort(_FRONT))
    self.peer = "%s:%d" % self.front
    self.relay = relay.Relay({self.front: ("127.0.0.1", self.daemon.port)},
                             loss=_LOSS)
    self.addCleanup(self.relay.Stop)

  def _Client(self, kind=client.Client):
    return kind([self.peer], key=testutils.KEY)


class TestInstanceIps(_Test):
  def test(self):
    self._Start(_ConfigOfIps())
    with self._Client() as asker:
      self.assertEqual(asker.InstanceIps(_LINK).answer, _IPS)


class TestConfig(_Test):
  def setUp(self):
    self.config = _Config()
    self.expected = self.config["instances"]
    self.assertGreater(len(json.dumps(self.expected)), 4500000)
    self._Start(self.config)

  def testSynchronous(self):
    with self._Client() as asker:
      self.assertEqual(asker.Config("/instances").answer, self.expected)

  def testAsync(self):
    async def _Ask():
      async with self._Client(client.AsyncClient) as asker:
        return await asyncio.gather(
          asker.Config("/instances"), asker.NodeInstances("node1"),
          *[asker.MasterNode() for _ in range(20)])
    (instances, of_node, *masters) = asyncio.run(_Ask())
    self.assertEqual(instances.answer, self.expected)
    self.assertEqual(len(of_node.answer[0]), _INSTANCES)
    self.assertEqual({reply.answer for reply in masters},
                     {"node1.example.com"})

  def testNewConfigurationMidway(self):
    new = _Config()
    new["serial_no"] += 1
    for instance in new["instances"].values():
      instance["tags"] = ["new"]

    def _Change():
      testutils.WaitFor(lambda: len(self.relay.delivered) == self.relay.limit,
                        "the answer is coming")
      self.daemon.WriteConfig(new)
      self.daemon.WaitForSerial(new["serial_no"])
      self.relay.limit = None
    changer = threading.Thread(target=_Change)
    # No further part arrives before the new configuration is served
    self.relay.limit = 100
    changer.start()
    try:
      with self._Client() as asker:
        reply = asker.Config("/instances")
    finally:
      changer.join()
    self.assertEqual(reply.serial, new["serial_no"])
    self.assertEqual(reply.answer, new["instances"])

  def testCommandShowsProgress(self):
    """Only on a terminal, and there it is gone in the end.

    """
    command = ["-a", self.peer, "--hmac-file", self.daemon.key_file, "config",
               "/instances"]
    self.relay.delay = 0.4
    with clientcommand.Terminal() as terminal:
      result = clientcommand.Run(*command, stderr=terminal.fd,
                                 timeout=30 * testutils.PATIENCE)
    self.assertEqual(result.returncode, 0)
    self.assertEqual(json.loads(result.stdout), self.expected)
    shown = terminal.shown.decode("ascii")
    self.assertRegex(shown, r"\rThe answer is long: part [1-9]\d* of [1-9]\d*"
                     "\033\\[K\r")
    self.assertTrue(shown.endswith("\r\033[K"), shown[-40:])

    result = clientcommand.Run(*command, check=True,
                               timeout=30 * testutils.PATIENCE)
    self.assertEqual(result.stderr, "")
    self.assertEqual(json.loads(result.stdout), self.expected)


if __name__ == "__main__":
  unittest.main()

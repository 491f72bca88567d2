#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The client's calls, while the packaged daemon and ours take turns.

"""

import asyncio
import threading
import unittest

import packaged
import testutils

from ganeti import constants
from ganeti.confd import client
from ganeti.confd import protocol
from ganeti.confd.clientlib import exchange


_SERIAL = 100

_LOW = packaged.OBJECT_SERIAL

#: Much less than what it takes until a lower serial is believed (seconds)
_TIMEOUT = 4

_PING = (constants.CONFD_REQ_PING, None)


_Answer = packaged.Answers(
  lambda: _SERIAL, {constants.CONFD_REQ_CLUSTER_MASTER: "packaged.example.com"})


class TestTurns(unittest.TestCase):
  def setUp(self):
    self.port = testutils.FreePort("127.0.0.1")

  def _Ours(self):
    return testutils.Daemon(testutils.MakeConfig(serial_no=_SERIAL),
                            port=self.port)

  def _Packaged(self, answer=_Answer):
    return packaged.Confd(answer, port=self.port)

  def _Client(self, make=client.Client, **kwargs):
    kwargs.setdefault("timeout", _TIMEOUT)
    return make(["127.0.0.1:%d" % self.port], key=testutils.KEY, **kwargs)

  def _LearnOurs(self, confd):
    """Has a client know ours, and its serial.

    """
    with self._Ours():
      for _ in range(3):
        self.assertEqual(confd.MasterNode().serial, _SERIAL)

  def testThereAndBack(self):
    with self._Client() as confd:
      for _ in range(2):
        self._LearnOurs(confd)
        with self._Packaged():
          for _ in range(3):
            reply = confd.MasterNode()
            self.assertEqual(reply.answer, "packaged.example.com")
            self.assertEqual(reply.serial, _LOW)
            self.assertEqual(confd.Serial().answer, _SERIAL)

  def testAsyncio(self):
    async def _Run():
      async with self._Client(client.AsyncClient) as confd:
        with self._Ours():
          for _ in range(3):
            await confd.MasterNode()
        with self._Packaged():
          self.assertEqual((await confd.MasterNode()).serial, _LOW)

    asyncio.run(_Run())

  def testFollow(self):
    """Who waited at ours does not wait at one that knows no waiting.

    """
    serial = _SERIAL
    answers = {constants.CONFD_REQ_CLUSTER_MASTER: "packaged.example.com"}
    masters = []

    def _Run(confd):
      for change in confd.FollowQuery(constants.CONFD_REQ_CLUSTER_MASTER):
        masters.append(change.reply.answer)

    with self._Client() as confd:
      with self._Ours() as ours:
        thread = threading.Thread(target=_Run, args=(confd, ), daemon=True)
        thread.start()
        testutils.WaitFor(
          lambda: ours.Ask(protocol.REQ_STATS)["answer"]["waiting"]["now"] == 1,
          "the question is kept")
      with self._Packaged(packaged.Answers(lambda: serial, answers)) as other:
        testutils.WaitFor(lambda: exchange.SERIAL_QUESTION in other.requests,
                          "it is asked for the serial")
        self.assertNotIn(_SERIAL, [
          query["serial"] for (rtype, query) in other.requests
          if rtype == protocol.REQ_WAIT])
        serial += 1
        testutils.WaitFor(lambda: masters[-1:] == ["packaged.example.com"],
                          "the change")
        confd.Close()
    thread.join()

  def testOldConfigurationOfOurs(self):
    """It is asked who it is, once for each question, and stays old.

    """
    def _Old(rtype, _):
      # The reply to a ping has a serial, as ours has
      return (0, 3000000 if rtype == constants.CONFD_REQ_PING else "old", _LOW)

    with self._Client(timeout=2) as confd:
      self._LearnOurs(confd)
      with self._Packaged(_Old) as old:
        for count in [1, 2]:
          self.assertRaises(client.StaleAnswer, confd.MasterNode)
          self.assertEqual(old.requests.count(_PING), count)

  def testNoPing(self):
    """Without a reply to it, nobody is taken for the packaged daemon.

    """
    def _Old(rtype, _):
      return None if rtype == constants.CONFD_REQ_PING else (0, "old", _LOW)

    with self._Client(timeout=2) as confd:
      self._LearnOurs(confd)
      with self._Packaged(_Old):
        self.assertRaises(client.StaleAnswer, confd.MasterNode)


if __name__ == "__main__":
  unittest.main()

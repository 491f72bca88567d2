#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The client's calls, while the packaged daemon and ours take turns.

"""

import asyncio
import threading
import time
import unittest
from unittest import mock

import packaged
import testutils

from ganeti import constants
from ganeti.confd import client
from ganeti.confd import protocol
from ganeti.confd.clientlib import quorum
from ganeti.confd.clientlib import session


_SERIAL = 100

_LOW = packaged.OBJECT_SERIAL

#: Much less than what it takes until a lower serial is believed (seconds)
_TIMEOUT = 4

#: No less than a ping counts (seconds)
_COUNTS = 0.3

_PING = (constants.CONFD_REQ_PING, None)

_ANSWERS = {constants.CONFD_REQ_CLUSTER_MASTER: "packaged.example.com"}

_Answer = packaged.Answers(lambda: _SERIAL, _ANSWERS)


def _Old(rtype, _):
  """Answers as ours does, from an old configuration.

  """
  return (0, 3000000 if rtype == constants.CONFD_REQ_PING else "old", _LOW)


class TestTurns(unittest.TestCase):
  def setUp(self):
    self.port = testutils.FreePort("127.0.0.1")

  def _Ours(self):
    # Clients learn the address on the list, and send to it
    nodes = [testutils.MakeNode(1, primary_ip="127.0.0.1",
                                master_candidate=True)]
    return testutils.Daemon(testutils.MakeConfig(nodes, serial_no=_SERIAL),
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

  def _CheckIsStale(self, confd, ask):
    """Checks that an answer is refused, as it is at the client's time-out.

    """
    with mock.patch.object(confd._questions, "_timeout", 1):
      testutils.AwaitStale(ask)

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
    """A client that waited at our daemon does not wait at one without WAIT.

    """
    serial = _SERIAL
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
      with self._Packaged(packaged.Answers(lambda: serial, _ANSWERS)) as other:
        testutils.WaitFor(lambda: quorum.SERIAL_QUESTION in other.requests,
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
    """The daemon is pinged with each question, ever more rarely, and stays old.

    """
    with self._Client() as confd:
      self._LearnOurs(confd)
      with self._Packaged(_Old) as old:
        self._CheckIsStale(confd, confd.MasterNode)
      self.assertIn(_PING, old.requests)
      self.assertLess(len(old.requests), 40)

  def testOldConfigurationInPackagedsPlace(self):
    """The result of a ping a moment ago may not be true any more.

    """
    with self._Client() as confd:
      self._LearnOurs(confd)
      with self._Packaged():
        confd.MasterNode()
      time.sleep(_COUNTS)
      with self._Packaged(_Old):
        self._CheckIsStale(confd, confd.MasterNode)

  def testReplacedBeforeThePing(self):
    """The answer of the daemon that replies to the ping counts.

    """
    turned = threading.Event()

    def _Turning(rtype, query):
      if rtype == constants.CONFD_REQ_PING:
        turned.set()
      return (_Answer if turned.is_set() else _Old)(rtype, query)

    with self._Client() as confd:
      self._LearnOurs(confd)
      with self._Packaged(_Turning):
        self.assertEqual(confd.MasterNode().answer, "packaged.example.com")

  def testReplayedPing(self):
    """A reply of the packaged daemon that is sent again changes nothing.

    """
    with self._Client() as confd:
      self._LearnOurs(confd)
      with self._Packaged() as other:
        confd.Ping()
        confd.MasterNode()
        # Replies of the packaged daemon, which may be sent again
        replies = list(other.replies)
      self.assertGreater(len(replies), 1)
      self._LearnOurs(confd)
      time.sleep(_COUNTS)
      with self._Packaged(_Old) as old:
        old.replays = replies
        self._CheckIsStale(confd, confd.MasterNode)

  def testRestored(self):
    """Beside other questions, which the packaged daemon always answers.

    """
    with mock.patch.object(session, "RESTORED_AFTER", 3), \
         self._Client() as confd:
      self._LearnOurs(confd)
      with self._Packaged(packaged.Answers(lambda: _SERIAL - 1, _ANSWERS)):
        self._CheckIsStale(confd, confd.Serial)

        def _Serial():
          self.assertEqual(confd.MasterNode().serial, _LOW)
          try:
            return confd.Serial()
          except client.StaleAnswer:
            return None
        self.assertEqual(testutils.WaitFor(_Serial, "the serial").answer,
                         _SERIAL - 1)

  def testNoPing(self):
    """Without a reply to it, nobody is taken for the packaged daemon.

    """
    def _Silent(rtype, _):
      return None if rtype == constants.CONFD_REQ_PING else (0, "old", _LOW)

    with self._Client() as confd:
      self._LearnOurs(confd)
      with self._Packaged(_Silent):
        self._CheckIsStale(confd, confd.MasterNode)


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Permitted and forbidden uses of a client in threads and event loops.

"""

import asyncio
import os
import socket
import threading
import time
import unittest

import packaged
import testutils

from ganeti import errors
from ganeti.confd import client
from ganeti.confd.clientlib import operation
from ganeti.confd.clientlib import transport


class _Test(unittest.TestCase):
  """Tests with a daemon that answers when it is told to.

  """
  def setUp(self):
    self.asked = threading.Event()
    self.go_on = threading.Event()
    # First of all, so that it is done before the daemon's thread is waited for
    confd = packaged.Confd(self._Answer)
    self.addCleanup(confd.Stop)
    self.addCleanup(self.go_on.set)
    self.arguments = {"peers": [confd.peer], "key": testutils.KEY,
                      "timeout": testutils.PATIENCE}

  def _Answer(self, rtype, query):
    self.asked.set()
    self.go_on.wait()
    return (0, [rtype, query], 5)

  def _Start(self, function):
    """Runs a function in a thread.

    @return: the thread, and what it returns or raises, in a list

    """
    results = []

    def _Run():
      try:
        results.append(function())
      except errors.GenericError as err:
        results.append(err)
    thread = threading.Thread(target=_Run)
    thread.start()
    return (thread, results)


class TestThreads(_Test):
  def testTwoAtOnce(self):
    """The second one gets an error at once, the first one its answer.

    """
    with client.Client(**self.arguments) as asker:
      (thread, results) = self._Start(lambda: asker.Config("node1"))
      self.assertTrue(self.asked.wait(testutils.PATIENCE))
      for _ in range(5):
        with self.assertRaisesRegex(errors.ProgrammerError,
                                    "each thread needs one of its own"):
          asker.Config("node2")
      self.go_on.set()
      thread.join()
      self.assertEqual(results[0].answer, [10, "node1"])
      # Now it is free
      self.assertEqual(asker.Config("node2").answer, [10, "node2"])

  def testManyOneAfterTheOther(self):
    self.go_on.set()
    turn = threading.Lock()
    with client.Client(**self.arguments) as asker:
      def _Ask():
        with turn:
          return asker.Config("node1").answer
      started = [self._Start(_Ask) for _ in range(20)]
      for (thread, results) in started:
        thread.join()
        self.assertEqual(results, [[10, "node1"]])

  def testClosedByAnother(self):
    """A waiting call ends when the client is closed, and not at its time-out.

    """
    asker = client.Client(**self.arguments)
    (thread, results) = self._Start(lambda: asker.Config("node1"))
    self.assertTrue(self.asked.wait(testutils.PATIENCE))
    asker.Close()
    thread.join(testutils.PATIENCE / 2)
    self.assertFalse(thread.is_alive())
    self.assertIsInstance(results[0], errors.ProgrammerError)
    self.assertIn("is closed", str(results[0]))


class TestTransport(unittest.TestCase):
  """A thread waits, and another one closes the client.

  """
  def setUp(self):
    self.transport = transport.Transport(None, testutils.KEY)
    self.addCleanup(self.transport.Close)
    self.transport.SendDatagram(operation.Datagram(
      socket.AF_INET, ("127.0.0.1", testutils.FreePort()), b""))
    (self.sock, ) = self.transport.Sockets()
    # The error that nobody listens there
    testutils.WaitFor(lambda: self.transport.ReadError(self.sock),
                      "the error is there")

  def testWakesUp(self):
    caught = []

    def _Wait():
      try:
        self.transport.Wait(3600)
      except errors.ProgrammerError as err:
        caught.append(err)
    thread = threading.Thread(target=_Wait, daemon=True)
    thread.start()
    time.sleep(0.2)
    self.transport.Close()
    thread.join(testutils.PATIENCE)
    self.assertEqual(len(caught), 1)
    self.assertRaises(errors.ProgrammerError, self.transport.Wait, 3600)

  def testFork(self):
    """The new process closes nothing of the old one's.

    """
    pid = os.fork()
    if not pid:
      self.transport.Close()
      os._exit(0)
    os.waitpid(pid, 0)
    self.transport.ReadDatagram(self.sock)
    self.assertEqual(self.transport.Wait(0), [])


class TestEventLoops(_Test):
  def testAnotherThreadsLoop(self):
    """One that is under way in its own loop is not disturbed.

    """
    async def _Main():
      async with client.AsyncClient(**self.arguments) as asker:
        question = asyncio.ensure_future(asker.Config("node1"))
        await asyncio.get_running_loop().run_in_executor(None, self.asked.wait)

        async def _Ask():
          return await asker.Config("node2")
        (thread, results) = self._Start(lambda: asyncio.run(_Ask()))
        await asyncio.get_running_loop().run_in_executor(None, thread.join)
        self.go_on.set()
        return (results[0], (await question).answer)

    (error, answer) = asyncio.run(_Main())
    self.assertIsInstance(error, errors.ProgrammerError)
    self.assertIn("another event loop", str(error))
    self.assertEqual(answer, [10, "node1"])

  def testFromAnotherThread(self):
    """The way that the documentation names.

    """
    self.go_on.set()

    async def _Main():
      async with client.AsyncClient(**self.arguments) as asker:
        loop = asyncio.get_running_loop()

        def _Ask():
          future = asyncio.run_coroutine_threadsafe(asker.Config("node1"),
                                                    loop)
          return future.result().answer
        return await loop.run_in_executor(None, _Ask)
    self.assertEqual(asyncio.run(_Main()), [10, "node1"])


if __name__ == "__main__":
  unittest.main()

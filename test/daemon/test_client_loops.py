#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""AsyncClient in each kind of event loop, while some candidates are down.

Four master candidates: two daemons run, one is stopped (its processes do not
run, so requests to it are lost), and one is dead (each request to it causes an
ICMP error).

"""

# Python 3.9 has no anext()
# pylint: disable=C2801

import asyncio
import unittest

import processes
import testutils

from ganeti.confd import client

try:
  import uvloop
except ImportError:
  uvloop = None


#: Seconds that a test may take in one event loop
_TIMEOUT = 10 * testutils.PATIENCE

_ADDRESSES = ["127.0.2.1", "127.0.2.2", "127.0.2.3", "127.0.2.4"]


def _Config(serial, primary):
  """Makes a configuration with an instance on one of the nodes.

  """
  nodes = [testutils.MakeNode(i + 1, master_candidate=True, primary_ip=address)
           for (i, address) in enumerate(_ADDRESSES)]
  return testutils.MakeConfig(
    nodes=nodes, serial_no=serial,
    instances=[testutils.MakeInstance(1, primary)])


def _EagerTasks():
  loop = asyncio.new_event_loop()
  # pylint: disable=E1101
  loop.set_task_factory(asyncio.eager_task_factory)
  return loop


#: Functions that make an event loop, and whether it is in asyncio's debug mode
_LOOPS = {
  "asyncio": (asyncio.new_event_loop, False),
  "asyncio, debug mode": (asyncio.new_event_loop, True),
  }
if uvloop is not None:
  _LOOPS["uvloop"] = (uvloop.new_event_loop, False)
  _LOOPS["uvloop, debug mode"] = (uvloop.new_event_loop, True)
if hasattr(asyncio, "eager_task_factory"):
  # From Python 3.12 on
  _LOOPS["eager tasks"] = (_EagerTasks, False)


@unittest.skipUnless(uvloop, "no uvloop (Debian: python3-uvloop)")
class TestLoops(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    cls.port = testutils.FreePort(_ADDRESSES[0])
    cls.daemons = []
    for address in _ADDRESSES[:3]:
      daemon = testutils.Daemon(_Config(1, 1), address=address, port=cls.port)
      cls.daemons.append(daemon)
      cls.addClassCleanup(daemon.Kill)
      daemon.Start()
    (cls.stopped, *cls.running) = cls.daemons
    paused = processes.Paused(*processes.Find(cls.stopped).All())
    paused.__enter__()
    cls.addClassCleanup(paused.__exit__, None, None, None)
    cls.serial = 1

  def _Write(self, primary):
    """Gives the running daemons a new configuration.

    """
    TestLoops.serial += 1
    for daemon in self.running:
      daemon.WriteConfig(_Config(self.serial, primary))

  def _InEachLoop(self, main):
    for (name, (make, debug)) in _LOOPS.items():
      with self.subTest(name):
        loop = make()
        loop.set_debug(debug)
        # Log no slow callbacks: all are slow on a busy machine
        loop.slow_callback_duration = testutils.PATIENCE
        problems = []
        loop.set_exception_handler(
          lambda _, context, problems=problems: problems.append(context))
        try:
          loop.run_until_complete(asyncio.wait_for(self._Run(main),
                                                   _TIMEOUT))
        finally:
          loop.close()
        self.assertEqual(problems, [])

  async def _Run(self, main):
    before = asyncio.all_tasks()
    async with client.AsyncClient(_ADDRESSES, key=testutils.KEY, coverage=-1,
                                  port=self.port,
                                  timeout=3600) as confd:
      await main(confd)
      self.assertEqual(asyncio.all_tasks(), before)

  def testManyQuestions(self):
    async def _Main(confd):
      for _ in range(3):
        # If the loop no longer polls, nothing reads the reply: the question
        # takes an hour
        await confd.MasterNode()
      for _ in range(2):
        asked = await asyncio.gather(*[confd.NodeRole("node%d" % (i % 4 + 1))
                                       for i in range(200)])
        # Otherwise the dead candidate has caused no error
        self.assertIn("nothing listens there", asked[-1].silent.values())
    self._InEachLoop(_Main)

  def testFollow(self):
    async def _Main(confd):
      follower = confd.Follow("instances", ["name", "pnode"])
      await follower.__anext__()
      for primary in (2, 3, 4):
        waiting = asyncio.ensure_future(follower.__anext__())
        # Keeps requests and errors coming while the follower waits
        await confd.MasterNode()
        self._Write(primary)
        change = await waiting
        self.assertEqual(change.reply.answer[0][1],
                         "node%d.example.com" % primary)
    self._InEachLoop(_Main)


if __name__ == "__main__":
  unittest.main()

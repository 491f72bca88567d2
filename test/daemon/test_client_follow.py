#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The client library follows real daemons: it misses nothing, and is told once.

"""

# Python 3.9 has no anext()
# pylint: disable=C2801

import asyncio
import contextlib
import os
import queue
import signal
import sys
import threading
import time
import unittest

import packaged
import testutils

from ganeti import constants
from ganeti import errors
from ganeti.confd import client
from ganeti.confd.clientlib import transport
from ganeti.confd.protocol import keyfile
from ganeti.confd.protocol import readerkey


_ADDRESSES = ["127.0.15.1", "127.0.15.2"]

_FIELDS = ["name", "pnode"]


def _Config(serial, nodes, **kwargs):
  """Makes a configuration.

  @param nodes: the instances' primary nodes, by the numbers of instances

  """
  return testutils.MakeConfig(
    nodes=[testutils.MakeNode(i, primary_ip=address, master_candidate=True)
           for (i, address) in enumerate(_ADDRESSES, 1)] +
          [testutils.MakeNode(i) for i in (3, 4)],
    instances=[testutils.MakeInstance(index, node, nics=["192.0.2.%d" % index])
               for (index, node) in nodes.items()], serial_no=serial, **kwargs)


def _Name(index):
  return "inst%d.example.com" % index


def _Row(index, node):
  return [_Name(index), "node%d.example.com" % node]


class _Errors:
  """Notes the errors that a follower reports.

  """
  def __init__(self):
    self.said = []

  def __call__(self, err):
    self.said.append(err)


class _Follower(threading.Thread):
  """Follows in a thread, and collects what it gets.

  """
  def __init__(self, confd, make):
    threading.Thread.__init__(self, daemon=True)
    self.seen = queue.Queue()
    self._confd = confd
    self._make = make
    self.start()

  def run(self):
    for change in self._make(self._confd):
      self.seen.put(change)
    self.seen.put(None)

  def Next(self):
    """Waits for the next change, and returns it.

    """
    testutils.WaitFor(lambda: not self.seen.empty(), "the next change",
                      timeout=3 * testutils.PATIENCE)
    return self.seen.get()


class _TestCase(unittest.TestCase):
  def _Start(self, *configs):
    port = testutils.FreePort(_ADDRESSES[0])
    self.daemons = []
    for (address, config) in zip(_ADDRESSES, configs):
      daemon = testutils.Daemon(config, address=address, port=port)
      self.daemons.append(daemon)
      self.addCleanup(daemon.Kill)
      daemon.Start()
    self.port = port

  def _Write(self, serial, nodes, **kwargs):
    for daemon in self.daemons:
      daemon.WriteConfig(_Config(serial, nodes, **kwargs))

  def _Client(self, make=client.Client, **kwargs):
    kwargs.setdefault("peers", _ADDRESSES[:len(self.daemons)])
    return make(key=testutils.KEY, port=self.port, **kwargs)

  def _GiveUpLater(self, confd):
    """Has a test that waits for a lost change fail, and not wait for ever.

    """
    timer = threading.Timer(5 * testutils.PATIENCE, confd.Close)
    self.addCleanup(timer.cancel)
    timer.start()

  def _Follow(self, make, **kwargs):
    """Starts a follower; the client is closed at the end.

    """
    confd = self._Client(**kwargs)
    follower = _Follower(confd, make)
    self.addCleanup(confd.Close)
    return follower

  def _Kill(self, daemon):
    """Kills a daemon with all its processes.

    """
    tree = testutils.ProcessTree(daemon.proc.pid)
    for pid in tree:
      with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    daemon.proc.wait()


class TestTable(_TestCase):
  def setUp(self):
    self._Start(_Config(17, {1: 1, 2: 2}), _Config(17, {1: 1, 2: 2}))

  def _CheckStart(self, change):
    self.assertEqual(change.reply.answer, [_Row(1, 1), _Row(2, 2)])
    self.assertEqual((change.reply.serial, change.old_serial), (17, None))
    self.assertEqual(change.came, {_Name(1): _Row(1, 1), _Name(2): _Row(2, 2)})
    self.assertEqual((change.went, change.changed), ({}, {}))

  def testRight(self):
    """With a key that is not for it, the error names what is missing."""
    key = keyfile.Format(testutils.KEY,
                         readerkey.Make("fw", ["list/instances"], None))
    with client.Client(key=key, port=self.port, peers=_ADDRESSES) as confd:
      with self.assertRaisesRegex(client.ErrorAnswer, "wait.*: not permitted"):
        next(confd.Follow("instances", _FIELDS))

  def testChanges(self):
    """Each is told once, and what changes elsewhere is not.

    """
    follower = self._Follow(lambda confd: confd.Follow("instances", _FIELDS))
    self._CheckStart(follower.Next())
    self._Write(18, {1: 3, 2: 2})
    change = follower.Next()
    self.assertEqual((change.reply.serial, change.old_serial), (18, 17))
    self.assertEqual(change.reply.answer, [_Row(1, 3), _Row(2, 2)])
    self.assertEqual((change.came, change.went), ({}, {}))
    self.assertEqual(change.changed, {_Name(1): (_Row(1, 1), _Row(1, 3))})
    self.assertEqual(change.changed[_Name(1)].new, _Row(1, 3))
    self._Write(19, {1: 3, 2: 2})
    for daemon in self.daemons:
      daemon.WaitForSerial(19)
    # By the first candidate that has it
    self.daemons[1].WriteConfig(_Config(20, {2: 2, 4: 1}))
    change = follower.Next()
    self.assertEqual(change.reply.serial, 20)
    self.assertIn(change.old_serial, (18, 19))
    self.assertEqual((change.came, change.went, change.changed),
                     ({_Name(4): _Row(4, 1)}, {_Name(1): _Row(1, 3)}, {}))
    # The others follow, which is nothing new
    self._Write(20, {2: 2, 4: 1})
    self.daemons[0].WaitForSerial(20)
    self._Write(21, {2: 2})
    change = follower.Next()
    self.assertEqual((change.reply.serial, change.went),
                     (21, {_Name(4): _Row(4, 1)}))
    self.assertTrue(follower.seen.empty())

  def testWaitsWithoutAsking(self):
    """No follower polls: the daemons keep a question each.

    """
    follower = self._Follow(lambda confd: confd.Follow("instances", _FIELDS))
    follower.Next()
    for daemon in self.daemons:
      testutils.WaitFor(
        lambda: daemon.Ask(65)["answer"]["waiting"]["now"] == 1,
        "the question is kept")
    started = time.monotonic()
    before = [sum(i.Ask(65)["answer"]["queries"].values())
              for i in self.daemons]
    time.sleep(2)
    after = [sum(i.Ask(65)["answer"]["queries"].values())
             for i in self.daemons]
    # Allow for the second STATS request itself, and for WAIT requests that are
    # retransmitted: once soon, and every five seconds
    limit = 3 + (time.monotonic() - started) // 5
    for (old, new) in zip(before, after):
      self.assertLessEqual(new - old, limit)

  def testConditions(self):
    """A filter, names, hidden keys.

    """
    made = [
      lambda confd: confd.Follow("instance", ["pnode"],
                                 filter='pnode == "node1"'),
      lambda confd: confd.Follow("instance", ["pnode"],
                                 names=["inst2", "inst1"]),
      lambda confd: confd.Follow("instance", ["pnode"],
                                 filter='name == "inst1" or name == "inst2"'),
      ]
    followers = [self._Follow(make) for make in made]
    (one, two) = (["node1.example.com"], ["node2.example.com"])
    self.assertEqual([i.Next().came for i in followers],
                     [{_Name(1): one}, {_Name(1): one, _Name(2): two},
                      {_Name(1): one, _Name(2): two}])
    # One that is unknown by now is gone, and may come back
    self._Write(18, {2: 1})
    changes = [i.Next() for i in followers]
    self.assertEqual([i.came for i in changes], [{_Name(2): one}, {}, {}])
    self.assertEqual([i.went for i in changes], [{_Name(1): one}] * 3)
    self.assertEqual([i.changed for i in changes],
                     [{}, {_Name(2): (two, one)}, {_Name(2): (two, one)}])
    self._Write(19, {1: 2})
    self.assertEqual([i.Next().reply.answer for i in followers],
                     [[], [two], [two]])
    self._Write(20, {1: 1, 2: 2})
    self.assertEqual([i.Next().reply.answer for i in followers],
                     [[one], [two, one], [one, two]])

  def testWhatGoesWrongAtTheStart(self):
    with self._Client() as confd:
      for args in [("instances", "name"), (5, []), ("instances", ["name"], 5),
                   ("instances", ["name"], None, "inst1")]:
        with self.assertRaises(errors.ProgrammerError):
          confd.Follow(*args)
      with self.assertRaises(client.FilterError):
        confd.Follow("instances", ["name"], "name ==")
      for (args, kwargs) in [(("instances", ["nothing"]), {}),
                             (("cats", ["name"]), {}),
                             (("nodes", ["name"]), {"names": ["node9"]})]:
        with self.assertRaises(client.ErrorAnswer):
          next(confd.Follow(*args, **kwargs))
      with self.assertRaises(client.ErrorAnswer):
        next(confd.FollowQuery(constants.CONFD_REQ_NODE_ROLE_BYNAME, "node9"))
      following = confd.Follow("instances", ["name"])
    with self.assertRaises(errors.ProgrammerError):
      next(following)
    with self._Client(peers=["127.0.15.9"], timeout=0.2) as confd:
      with self.assertRaises(client.NoAnswer):
        next(confd.Follow("instances", ["name"]))

  def testBusyConsumer(self):
    """All changes meanwhile are one change, and nothing is older.

    """
    with self._Client() as confd:
      following = confd.Follow("instances", _FIELDS)
      self._CheckStart(next(following))
      for serial in range(18, 30):
        self._Write(serial, {1: 1 + serial % 4, 2: 2})
        time.sleep(0.02)
      # Others may ask meanwhile
      testutils.WaitFor(lambda: confd.Serial().serial == 29, "the last one")
      change = next(following)
      self.assertEqual((change.old_serial, change.reply.serial), (17, 29))
      self.assertEqual(change.changed, {_Name(1): (_Row(1, 1), _Row(1, 2))})

  def testInterrupted(self):
    """An interrupted iteration may go on, and a handler may close the client.

    """
    class _Alarm(Exception):
      pass

    def _Raise(*_):
      raise _Alarm

    with self._Client() as confd:
      following = confd.Follow("instances", _FIELDS)
      self._CheckStart(next(following))
      self.addCleanup(signal.signal, signal.SIGALRM,
                      signal.signal(signal.SIGALRM, _Raise))
      self._AlarmWhenItWaits()
      with self.assertRaises(_Alarm):
        next(following)
      self._Write(18, {2: 2})
      self.assertEqual(next(following).went, {_Name(1): _Row(1, 1)})
      signal.signal(signal.SIGALRM, lambda *_: confd.Close())
      self._AlarmWhenItWaits()
      self.assertEqual(list(following), [])

  def _AlarmWhenItWaits(self):
    """Sends this thread a signal once it waits for what comes in.

    """
    ident = threading.get_ident()

    def _Waits():
      frame = sys._current_frames()[ident]
      return frame.f_code is transport._Select.__code__

    def _Alarm():
      testutils.WaitFor(_Waits, "the other thread waits")
      signal.pthread_kill(ident, signal.SIGALRM)

    thread = threading.Thread(target=_Alarm)
    thread.start()
    self.addCleanup(thread.join)

  def testInterruptedInTheMiddle(self):
    """Nothing is lost by what is raised while a change is made out.

    """
    class _Error(Exception):
      pass

    class _Item:
      """Raises when it is compared.

      """
      fails = True

      def __init__(self, value):
        self.value = value

      def __eq__(self, other):
        if _Item.fails:
          _Item.fails = False
          raise _Error
        return self.value == other.value

    with self._Client() as confd:
      following = confd.FollowCall(
        lambda confd: confd.Instances(),
        lambda names: {None: _Item(len(names))})
      self.assertEqual(next(following).came[None].value, 2)
      self._Write(18, {1: 1})
      with self.assertRaises(_Error):
        next(following)
      self._GiveUpLater(confd)
      self.assertEqual(next(following).changed[None].new.value, 1)

  def testErrorCallbackRaises(self):
    """Neither is anything by what is raised when it is told of an error.

    """
    class _Error(Exception):
      pass

    def _Raise(_):
      raise _Error

    with self._Client(timeout=5) as confd:
      following = confd.Follow("instances", _FIELDS, on_error=_Raise)
      self._CheckStart(next(following))
      for daemon in self.daemons:
        self._Kill(daemon)
      with self.assertRaises(_Error):
        next(following)
      self._Write(18, {2: 2})
      for daemon in self.daemons:
        daemon.Start()
      with self.assertRaises(_Error):
        next(following)
      self._GiveUpLater(confd)
      self.assertEqual(next(following).went, {_Name(1): _Row(1, 1)})

  def testFork(self):
    """Both processes go on, each for itself.

    """
    with self._Client() as confd:
      following = confd.Follow("instances", _FIELDS)
      self._CheckStart(next(following))
      self._Write(18, {1: 3, 2: 2})
      self.assertEqual(next(following).reply.serial, 18)
      (readable, writable) = os.pipe()
      pid = os.fork()
      if pid == 0:
        try:
          os.write(writable, b"%d" % next(following).reply.serial)
        finally:
          os._exit(0)
      os.close(writable)
      time.sleep(0.3)
      self._Write(19, {2: 2})
      self.assertEqual(next(following).reply.serial, 19)
      self.assertEqual(os.read(readable, 10), b"19")
      os.close(readable)
      os.waitpid(pid, 0)


class TestQuestions(_TestCase):
  def testFollow(self):
    self._Start(_Config(17, {1: 1}))
    made = [
      lambda confd: confd.FollowQuery(10, "/serial_no"),
      lambda confd: confd.FollowQuery(constants.CONFD_REQ_NODE_ROLE_BYNAME,
                                      "node3"),
      lambda confd: confd.FollowCall(
        lambda confd: confd.NodeOfInstanceIp("192.0.2.1")),
      lambda confd: confd.FollowCall(
        lambda confd: confd.NodesOfInstanceIps(["192.0.2.1", "192.0.2.2"]),
        lambda rows: dict(zip("ab", rows))),
      ]
    followers = [self._Follow(make) for make in made]
    known = (0, _ADDRESSES[0])
    self.assertEqual([i.Next().came for i in followers],
                     [{None: 17}, {None: 4}, {None: _ADDRESSES[0]},
                      {"a": known, "b": (1, 0)}])
    nodes = [testutils.MakeNode(i, primary_ip=address, master_candidate=True)
             for (i, address) in enumerate(_ADDRESSES, 1)]
    self._Write(18, {})
    changes = [i.Next() for i in (followers[0], *followers[2:])]
    self.assertEqual([i.reply.answer for i in changes],
                     [18, None, [(1, 0), (1, 0)]])
    self.assertEqual([i.changed for i in changes],
                     [{None: (17, 18)}, {}, {"a": (known, (1, 0))}])
    self.assertEqual(changes[1].went, {None: _ADDRESSES[0]})
    self.daemons[0].WriteConfig(testutils.MakeConfig(nodes=nodes, serial_no=19))
    change = followers[1].Next()
    self.assertEqual((change.reply.answer, change.went), (None, {None: 4}))
    self.daemons[0].WriteConfig(_Config(20, {1: 1}))
    self.assertEqual([followers[i].Next().came for i in (1, 2)],
                     [{None: 4}, {None: _ADDRESSES[0]}])


class TestFaults(_TestCase):
  def testKilledStaleAndRestored(self):
    self._Start(_Config(17, {1: 1}), _Config(17, {1: 1}))
    errors_seen = _Errors()
    follower = self._Follow(
      lambda confd: confd.Follow("instances", _FIELDS, on_error=errors_seen),
      timeout=5)
    follower.Next()
    (one, two) = self.daemons
    # The questions that a daemon keeps are lost with it
    self._Kill(one)
    two.WriteConfig(_Config(18, {1: 2}))
    self.assertEqual(follower.Next().reply.serial, 18)
    # The daemon is back, and stale
    testutils.WaitFor(lambda: self._Restart(one), "it starts again")
    # One hangs
    self.addCleanup(self._Signal, two, signal.SIGCONT)
    self._Signal(two, signal.SIGSTOP)
    one.WriteConfig(_Config(19, {1: 3}))
    self.assertEqual(follower.Next().reply.serial, 19)
    self._Signal(two, signal.SIGCONT)
    self.assertEqual(errors_seen.said, [])
    # All are gone
    for daemon in self.daemons:
      self._Kill(daemon)
    testutils.WaitFor(lambda: errors_seen.said, "nobody answers", timeout=60)
    self.assertIsInstance(errors_seen.said[0], client.NoAnswer)
    # Back with what was the truth before, which is not believed at once
    self._Write(9, {1: 4})
    started = time.monotonic()
    for daemon in self.daemons:
      testutils.WaitFor(lambda: self._Restart(daemon), "it starts again")
    change = follower.Next()
    self.assertGreater(time.monotonic() - started, 5)
    self.assertEqual((change.old_serial, change.reply.serial), (19, 9))
    self.assertEqual(change.changed, {_Name(1): (_Row(1, 3), _Row(1, 4))})
    testutils.WaitFor(lambda: errors_seen.said[-1] is None, "it is over")
    self._Write(10, {1: 1})
    self.assertEqual(follower.Next().reply.serial, 10)
    self.assertTrue(follower.seen.empty())

  @staticmethod
  def _Signal(daemon, number):
    for pid in testutils.ProcessTree(daemon.proc.pid):
      with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)

  @staticmethod
  def _Restart(daemon):
    try:
      daemon.Start()
    except AssertionError:
      # The daemon's port is not free yet
      return False
    return True

  def testBesideOthers(self):
    """One candidate does not know how to wait.

    """
    self._Start(_Config(17, {1: 1}))
    serial = 17
    answers = {constants.CONFD_REQ_NODE_PIP_BY_INSTANCE_IP: _ADDRESSES[0],
               constants.CONFD_REQ_MC_PIP_LIST: _ADDRESSES}
    other = packaged.Confd(packaged.Answers(lambda: serial, answers),
                           address=_ADDRESSES[1], port=self.port)
    self.addCleanup(other.Stop)
    follower = self._Follow(
      lambda confd: confd.FollowCall(
        lambda confd: confd.NodeOfInstanceIp("192.0.2.1")), peers=_ADDRESSES)
    self.assertEqual(follower.Next().reply.answer, _ADDRESSES[0])
    # First the one, then the other
    self._Write(18, {1: 2})
    change = follower.Next()
    self.assertEqual((change.reply.answer, change.reply.serial),
                     (_ADDRESSES[1], 18))
    answers[constants.CONFD_REQ_NODE_PIP_BY_INSTANCE_IP] = "192.0.2.3"
    serial = 19
    self._Kill(self.daemons[0])
    self.assertEqual(follower.Next().reply.answer, "192.0.2.3")


class TestSmallDaemon(unittest.TestCase):
  def testSerialOfPing(self):
    """A daemon with tables need not answer the question for the serial."""
    state = {"serial": 5, "node": "node1"}

    def _Answer(rtype, query):
      if rtype == constants.CONFD_REQ_PING:
        return (0, 3000000, state["serial"])
      if rtype == 64:
        return (0, {"fields": query["fields"], "rows": [["a", state["node"]]]},
                state["serial"])
      return (2, None, state["serial"])

    with packaged.Confd(_Answer) as daemon, \
         client.Client([daemon.peer], key=testutils.KEY) as confd:
      self.assertEqual(confd.Serial()[:2], (5, 5))
      following = confd.Follow("instance", ["name", "pnode"])
      self.assertEqual(next(following).came, {"a": ["a", "node1"]})
      state.update(serial=6, node="node2")
      change = next(following)
      self.assertEqual((change.reply.serial, change.old_serial), (6, 5))
      self.assertEqual(change.changed, {"a": (["a", "node1"], ["a", "node2"])})
      (row, ) = confd.Status().candidates
      self.assertEqual((row.serial, row.problem), (6, None))
      # Ganeti's own daemon takes over: its replies to pings have no serial
      daemon.SetAnswer(packaged.Answers(lambda: 7))
      self.assertEqual(confd.Serial().answer, 7)


class TestAsync(_TestCase):
  def setUp(self):
    self._Start(_Config(17, {1: 1}), _Config(17, {1: 1}))

  def _Run(self, main):
    """Runs a coroutine; nothing may be left of it.

    """
    async def _Main():
      async with self._Client(client.AsyncClient) as confd:
        await main(confd)
      self.assertEqual(len(asyncio.all_tasks()), 1)
    asyncio.run(_Main(), debug=True)

  def testChanges(self):
    async def _Main(confd):
      following = confd.Follow("instances", _FIELDS)
      change = await following.__anext__()
      self.assertEqual(change.came, {_Name(1): _Row(1, 1)})
      # A cancelled wait goes on later, and other questions work meanwhile
      with self.assertRaises(asyncio.TimeoutError):
        await asyncio.wait_for(following.__anext__(), 0.3)
      self.assertEqual((await confd.MasterNode()).answer, "node1.example.com")
      first = asyncio.ensure_future(following.__anext__())
      await asyncio.sleep(0.1)
      with self.assertRaises(errors.ProgrammerError):
        await following.__anext__()
      self._Write(18, {1: 3})
      self.assertEqual((await first).reply.serial, 18)
      self._Write(19, {1: 4})
      async for change in following:
        self.assertEqual(change.reply.serial, 19)
        break
      # Many at once
      followings = [confd.Follow("instances", _FIELDS) for _ in range(20)]
      for i in followings:
        await i.__anext__()
      waiting = [asyncio.ensure_future(i.__anext__()) for i in followings]
      await asyncio.sleep(0.5)
      self._Write(20, {1: 2})
      self.assertEqual([i.reply.serial for i in await asyncio.gather(*waiting)],
                       [20] * 20)
    self._Run(_Main)

  def testCloseAndCancel(self):
    async def _Main(confd):
      async def _Consume(seen):
        async for i in confd.Follow("instances", _FIELDS):
          seen.append(i)
        return seen
      both = ([], [])
      (cancelled, ended) = [asyncio.ensure_future(_Consume(i)) for i in both]
      ends = time.monotonic() + 60
      while not all(both) and time.monotonic() < ends:
        await asyncio.sleep(0.05)
      cancelled.cancel()
      with self.assertRaises(asyncio.CancelledError):
        await cancelled
      confd.Close()
      self.assertEqual(len(await asyncio.wait_for(ended, 20)), 1)
    self._Run(_Main)


if __name__ == "__main__":
  unittest.main()

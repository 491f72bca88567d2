#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Our client and confd-client against Debian's daemon, and against both.

Debian's daemon runs on the configuration of a real cluster, with what such a
cluster cannot have added.

"""

import asyncio
import json
import re
import tempfile
import threading
import time
import unittest

import clientcommand
import exampleclient
import testutils

from cluster import debian
from cluster import grow
from cluster import shared

from ganeti.confd import client
from ganeti.confd.protocol import keyfile
from ganeti.confd.protocol import readerkey


CONFIG_DATA = None
KEY = None
DEBIAN = None


def setUpModule():
  global CONFIG_DATA, KEY, DEBIAN # pylint: disable=W0603
  shared.Require()
  (real, KEY) = shared.Configuration()
  CONFIG_DATA = grow.Grow(real, link=shared.LINKS[1])
  DEBIAN = debian.Daemon(CONFIG_DATA, key=KEY)
  DEBIAN.Start()


def tearDownModule():
  if DEBIAN is not None:
    DEBIAN.Kill()


def _Peer(daemon):
  return "127.0.0.1:%d" % daemon.port


def _Run(*args):
  return clientcommand.Outcome(*args, daemon=DEBIAN)


class TestCommand(unittest.TestCase):
  def testQuestions(self):
    for (args, pattern) in [
      ("ping", r"configuration version 3\.\d \(3\d\d0000\)\n"),
      ("master", r"node1\.example\.com\n"),
      ("master-info", r"Node +MasterIP +NodeIP\nnode1\.example\.com"
       r" 10\.77\.0\.100 10\.77\.0\.1\n"),
      ("node-role node1.example.com", "master\n"),
      ("node-role node4", "offline\n"),
      ("node-role node5.example.com", "drained\n"),
      ("node-ips", r"(?s).*10\.77\.0\.1\n.*"),
      ("mc-ips", r"(?s).*10\.77\.0\.1\n.*"),
      ("instance-ips", r"(?s).*10\.77\.1\.12\n.*"),
      ("node-of-ip 10.77.1.12", r"10\.77\.0\.1\n"),
      ("node-of-ip 10.77.1.12 192.0.2.99",
       r"IP +Node\n10\.77\.1\.12 10\.77\.0\.1\n192\.0\.2\.99 +-\n"),
      ("node-instances node1", r"(?s)Instance +Role.*inst12\.example\.com"
       r" +primary .*"),
      ("node-drbd node1", r"(?s)Node +Minor Instance.*node1\.example\.com"
       r" +\d+ .*"),
      ("instance-disks inst10", r"(?s)Disk Type .*   0 file .*"),
      ("config /cluster/cluster_name", r"cluster\.example\.com\n"),
      ("collectors", r"(?s).*\nlv +yes +5\n.*"),
      ]:
      with self.subTest(args=args, pattern=pattern):
        (code, output, problems) = _Run(*args.split())
        self.assertEqual((code, problems), (0, ""), args)
        self.assertTrue(re.fullmatch(pattern, output), (args, output))

  def testErrors(self):
    (code, output, problems) = _Run("node-role", "node77")
    self.assertEqual((code, output), (1, ""))
    self.assertIn("node77 not found", problems)
    (code, _, problems) = _Run("config", "/nothing")
    self.assertEqual(code, 1)
    self.assertIn("the configuration has nothing at this JSON pointer",
                  problems)

  def testSelfTest(self):
    (code, output, problems) = _Run("-r", "2")
    self.assertEqual((code, problems), (0, ""))
    self.assertIn("Instance IP to node IP query: OK", output)

  def testStatus(self):
    """The packaged daemon is asked for the serial by its JSON pointer.

    """
    (_, output, _) = _Run("--no-headers", "-t", "5", "status")
    self.assertRegex(
      output, r"(?m)^127\.0\.0\.1 +- +- +Ganeti's +yes +[0-9.]+ms +%d +0 " %
      CONFIG_DATA["serial_no"])

  def testTooLargeForIt(self):
    (code, _, problems) = _Run("-t", "0.5", "node-instances",
                               grow.CROWDED_NODE)
    self.assertEqual(code, 3)
    self.assertIn("No answer", problems)


class TestCalls(unittest.TestCase):
  def _Client(self, *daemons, **kwargs):
    asker = client.Client([_Peer(i) for i in daemons], key=KEY, **kwargs)
    self.addCleanup(asker.Close)
    return asker

  def testManyIps(self):
    ips = ["10.%d.%d.%d" % (i % 3, i // 250, i % 250) for i in range(2000)]
    ips[1234] = "10.77.1.12"
    answer = self._Client(DEBIAN).NodesOfInstanceIps(ips).answer
    self.assertEqual(len(answer), 2000)
    self.assertEqual([tuple(i) for i in answer if i[0] == 0],
                     [(0, "10.77.0.1")])

  def testManyQuestionsToOneClient(self):
    """Serials that differ from question to question are no serials going back.

    """
    asker = self._Client(DEBIAN)
    for _ in range(3):
      self.assertGreater(asker.MasterNode().serial, 0)
      asker.NodeInstances("node1")
      self.assertEqual(asker.Ping().serial, 0)
      self.assertEqual(asker.Serial().serial, CONFIG_DATA["serial_no"])

  def testMixedCluster(self):
    """Ours always looks fresher than the packaged one.

    """
    config = dict(CONFIG_DATA, serial_no=CONFIG_DATA["serial_no"] + 1)
    config["cluster"] = dict(config["cluster"], cluster_name="new.example.com")
    with testutils.Daemon(config, key=KEY) as ours:
      asker = self._Client(DEBIAN, ours)
      for _ in range(20):
        reply = asker.Config("/cluster/cluster_name")
        self.assertEqual(reply.answer, "new.example.com")
      self.assertEqual(reply.serial, config["serial_no"])
      # Our daemon gives answers that are too large for the packaged one
      (primary, _) = asker.NodeInstances(grow.CROWDED_NODE).answer
      self.assertGreaterEqual(len(primary), grow.CROWD)

  def testWithoutConfiguration(self):
    """A daemon without a configuration says so in an error, which never wins.

    """
    with testutils.Daemon(CONFIG_DATA, key=KEY) as ours:
      broken = debian.Daemon(b"nonsense", key=KEY)
      self.addCleanup(broken.Kill)
      broken.Start(wait=False)
      testutils.WaitFor(lambda: self._IsBroken(broken), "an error with a text")
      asker = self._Client(broken, ours)
      for _ in range(10):
        self.assertEqual(asker.MasterNode().answer, "node1.example.com")
      with self.assertRaises(client.ErrorAnswer) as context:
        self._Client(broken).MasterNode()
      self.assertIsInstance(context.exception.code, str)

  def _IsBroken(self, daemon):
    try:
      self._Client(daemon, timeout=0.5).Ping()
    except client.ErrorAnswer:
      return True
    except client.NoAnswer:
      pass
    time.sleep(0.1)
    return False


class _Cluster:
  """Candidates, each of them with the packaged daemon or ours.

  """
  ADDRESSES = ["127.0.51.%d" % i for i in (1, 2, 3)]

  def __init__(self):
    self.port = testutils.FreePort(self.ADDRESSES[0])
    self.config = CONFIG_DATA
    self._running = {}

  def Start(self, address, make):
    """Has a candidate's daemon replaced.

    """
    if address in self._running:
      # As a package's scripts do
      self._running[address].proc.terminate()
      self._running[address].proc.wait()
      self._running.pop(address).Kill()
    daemon = make(self.config, key=KEY, address=address, port=self.port)
    self._running[address] = daemon
    daemon.Start()
    return daemon

  def Stop(self):
    for daemon in self._running.values():
      daemon.Kill()

  def Turns(self):
    """Replaces one after the other, there and back and there.

    After each step, and before it is finished, it is the caller's turn.

    """
    for make in [debian.Daemon, testutils.Daemon, debian.Daemon]:
      for address in self.ADDRESSES:
        self.Start(address, make)
        yield


class TestTurns(unittest.TestCase):
  """Each daemon takes the other's place while clients ask.

  No client waits as long as it takes until lower serials are believed.

  """
  _TIMEOUT = 4

  def setUp(self):
    self.cluster = _Cluster()
    self.addCleanup(self.cluster.Stop)
    self.serial = CONFIG_DATA["serial_no"]

  def _Client(self, make=client.Client, **kwargs):
    kwargs.setdefault("key", KEY)
    kwargs.setdefault("timeout", self._TIMEOUT)
    return make(_Cluster.ADDRESSES, port=self.cluster.port, **kwargs)

  def testCalls(self):
    with self._Client() as asker, self._Client(coverage=1) as other:
      for (count, _) in enumerate(self.cluster.Turns(), 1):
        for confd in (asker, other):
          for _ in range(3):
            self.assertEqual(confd.MasterNode().answer, "node1.example.com")
            self.assertEqual(confd.Serial().answer, self.serial)
        if count % len(_Cluster.ADDRESSES) == 0:
          self.assertEqual(asker.Status().serial, self.serial)

  def testAsyncio(self):
    async def _Run():
      async with self._Client(client.AsyncClient) as confd:
        for _ in self.cluster.Turns():
          replies = await asyncio.gather(*[confd.MasterNode()
                                           for _ in range(10)])
          self.assertEqual({i.answer for i in replies}, {"node1.example.com"})

    asyncio.run(_Run())

  def testCallback(self):
    """Ganeti's interface knows no serial of the question before.

    """
    store = client.StoreResultCallback()
    confd = client.ConfdClient(KEY, _Cluster.ADDRESSES,
                               client.ConfdFilterCallback(store),
                               port=self.cluster.port)
    for (count, _) in enumerate(self.cluster.Turns(), 1):
      request = client.ConfdClientRequest(type=3)
      confd.SendRequest(request)
      confd.WaitForReply(request.rsalt, timeout=1)
      (came, up) = store.GetResponse(request.rsalt)
      self.assertTrue(came, count)
      self.assertEqual(up.server_reply.answer, "node1.example.com")

  def testReader(self):
    """The packaged daemon is silent to readers; one of ours is enough.

    """
    key = keyfile.Format(KEY, readerkey.Make("me", ["all"], None))
    with self._Client(key=key) as confd:
      self.cluster.Start(_Cluster.ADDRESSES[0], testutils.Daemon)
      for _ in self.cluster.Turns():
        self.cluster.Start(_Cluster.ADDRESSES[0], testutils.Daemon)
        self.assertEqual(confd.MasterNode().serial, self.serial)

  def testFollowing(self):
    """Changes while the daemons were replaced are told.

    """
    seen = []
    changed = threading.Event()

    def _Follow(confd):
      for change in confd.FollowCall(lambda confd:
                                     confd.Config("/cluster/cluster_name")):
        seen.append(change.reply.answer)
        changed.set()

    for _ in zip(range(3), self.cluster.Turns()):
      pass
    with self._Client() as confd:
      thread = threading.Thread(target=_Follow, args=(confd, ))
      thread.start()
      try:
        testutils.WaitFor(lambda: seen, "the first answer")
        for (number, make) in enumerate([testutils.Daemon, debian.Daemon]):
          name = "cluster%d.example.com" % number
          self.cluster.config = dict(
            CONFIG_DATA, serial_no=self.serial + number + 1,
            cluster=dict(CONFIG_DATA["cluster"], cluster_name=name))
          for address in _Cluster.ADDRESSES:
            self.cluster.Start(address, make)
          testutils.WaitFor(lambda: seen[-1] == name, name)
      finally:
        confd.Close()
        thread.join()

  def testOldConfigurationOfOurs(self):
    """Whatever the others are, it does not win.

    """
    old = dict(CONFIG_DATA, serial_no=self.serial - 1,
               cluster=dict(CONFIG_DATA["cluster"], cluster_name="old"))
    with self._Client(timeout=2) as confd:
      for _ in zip(range(6), self.cluster.Turns()):
        confd.Serial()
      self.cluster.config = old
      self.cluster.Start(_Cluster.ADDRESSES[2], testutils.Daemon)
      self.cluster.config = CONFIG_DATA
      question = "/cluster/cluster_name"
      self.assertEqual(confd.Config(question).answer, "cluster.example.com")
      for address in _Cluster.ADDRESSES[:2]:
        self.cluster.Start(address, debian.Daemon)
        self.assertEqual(confd.Config(question).answer, "cluster.example.com")


@exampleclient.needs_compiler
class TestExample(unittest.TestCase):
  """The client in C that was written after doc/protocol.rst.

  """
  @classmethod
  def setUpClass(cls):
    directory = tempfile.TemporaryDirectory()
    cls.addClassCleanup(directory.cleanup)
    cls.program = exampleclient.Compile(directory.name)

  def _Ask(self, rtype, query, *addresses):
    return exampleclient.Run(self.program, DEBIAN.key_file, DEBIAN.port, rtype,
                             json.dumps(query), ("127.0.0.1", ) + addresses)

  def testQuestions(self):
    for (rtype, query) in [
      (0, None), (1, "node1.example.com"), (1, "node4.example.com"),
      (2, {"1": "10.77.1.12"}), (3, None), (3, {"3": [0, 1, 2]}), (4, None),
      (5, None), (6, None), (7, "node1.example.com"),
      (8, "node1.example.com"), (9, "inst1.example.com"),
      (10, "/cluster/cluster_name"), (11, None)]:
      with self.subTest(rtype=rtype, query=query):
        (status, answer) = DEBIAN.Answer(rtype, query)
        (code, output, error) = self._Ask(rtype, query)
        if status == 0:
          self.assertEqual((code, json.loads(output), error), (0, answer, ""))
        else:
          self.assertEqual((code, output), (1, ""))
          self.assertEqual(error, "confd-ask: status %d, answer %s\n" %
                           (status, json.dumps(answer)))

  def testBothDaemons(self):
    """Our daemon has the higher serial, and the last word.

    """
    config = dict(CONFIG_DATA, cluster=dict(CONFIG_DATA["cluster"],
                                            cluster_name="ours.example.com"))
    with testutils.Daemon(config, key=KEY, address="127.0.0.2",
                          port=DEBIAN.port):
      (code, output, _) = self._Ask(10, "/cluster/cluster_name", "127.0.0.2")
    self.assertEqual((code, output), (0, '"ours.example.com"\n'))

  def testCopies(self):
    """The daemon replies to each copy of a request.

    """
    datagram = testutils.PackMessage(KEY, testutils.MakeMessage(0))
    replies = {DEBIAN.AskRaw(datagram) for _ in range(3)}
    self.assertEqual(len(replies), 1)
    self.assertNotIn(None, replies)

  def testUnknownNode(self):
    """An error that is a text is printed where no other answer comes.

    """
    (code, output, error) = self._Ask(1, "nosuch")
    self.assertEqual((code, output), (1, ""))
    self.assertIn("status 1, answer \"", error)


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The protocol, asked of the real daemon over UDP"""

import base64
import hashlib
import json
import time
import unittest
import zlib

import oldconfigs
import reference
import testutils
from testutils import MISSING, MakeConfig, MakeDisk, MakeDrbd, MakeInstance
from testutils import MakeMessage, MakeNode
from testutils import BAD_ARGUMENT, TOO_LARGE, UNKNOWN, NOT_IMPLEMENTED


KEY = testutils.KEY

OK = 0

SERIAL = 17

#: The protocol's limit of a datagram
MAX_SIZE = 61440

#: Length of a text of the configuration whose reply just fits
LONG = 61000

#: Text that cannot be compressed well
NOISE = [hashlib.sha1(b"%d" % i).hexdigest() for i in range(2000)]


def _Config():
  return MakeConfig(
    nodes=[
      MakeNode(10, master_candidate=True),
      MakeNode(2, master_candidate=True),
      MakeNode(3, offline=True, master_candidate=True),
      MakeNode(1, drained=True, offline=True),
      MakeNode(4),
      MakeNode(5, name="n\xf6de.example.com"),
      ],
    instances=[
      MakeInstance(10, 2, disks=[1, 2], nics=["198.51.100.10", None,
                                              ("198.51.100.11", "br1")],
                   osparams_private={"password": "hunter2"}),
      MakeInstance(9, 10, disks=[3], nics=["2001:db8::9", "198.51.100.9"]),
      MakeInstance(1, 3, disks=[4], nics=[("198.51.100.10", "br1")],
                   tags=["\u4f8b"]),
      ],
    disks=[
      MakeDrbd(1, 2, 10, 1, 2, secret="hunter2", children=[MakeDisk(11)]),
      MakeDrbd(2, 4, 2, 3, 4, secret="hunter2"),
      MakeDisk(3),
      MakeDisk(4, children=[MakeDrbd(5, 3, 1, 5, 6, secret="hunter2")]),
      ],
    cluster={"osparams_private_cluster": {"os": {"x": "hunter2"}},
             "data_collectors": {"lv": {"active": False, "interval": 1.0},
                                 "new": {"active": True, "interval": 2}}})


class _Tests:
  """The tests, for one address family.

  @cvar ADDRESS: where the daemon listens

  """
  ADDRESS = None

  @classmethod
  def setUpClass(cls):
    if ":" in cls.ADDRESS and not testutils.HasIpv6(): # pylint: disable=E1135
      raise unittest.SkipTest("this machine has no IPv6")
    cls.config = _Config()
    # For answers that do not fit
    stored = dict(cls.config, long="x" * LONG, longer="x" * (MAX_SIZE + 1),
                  many=["item"] * 100000, noise=NOISE)
    cls.daemon = testutils.Daemon(stored, address=cls.ADDRESS)
    cls.daemon.__enter__() # pylint: disable=C2801

  @classmethod
  def tearDownClass(cls):
    log = cls.daemon.Log() + cls.daemon.Output()
    cls.daemon.Stop()
    # Whatever was sent, nothing went wrong
    for word in ["Traceback", " ERROR ", " WARNING ", "hunter2"]:
      assert word not in log, log

  def Check(self, rtype, expected):
    """Asks a list of questions.

    @param expected: list of (query, (status, answer))

    """
    for (query, answer) in expected:
      with self.subTest(rtype=rtype, query=repr(query)[:80]):
        reply = self.daemon.Ask(rtype, query)
        self.assertEqual((reply["status"], reply["answer"]), answer)
        self.assertEqual(reply["serial"], SERIAL)

  def testEverything(self):
    # Each object by each of its names, each link and ip, each place of the
    # configuration
    count = 0
    for (rtype, query, expected) in reference.Reference(
      self.config).Questions():
      if (rtype, query) == (10, ""):
        # The whole of it is too large
        continue
      reply = self.daemon.Ask(rtype, query)
      self.assertEqual([reply["status"], reply["answer"]],
                       json.loads(json.dumps(expected)),
                       "Type %s, query %r" % (rtype, query))
      self.assertEqual(reply["serial"], SERIAL)
      count += 1
    self.assertGreater(count, 500)

  def testPing(self):
    self.Check(0, [(query, (OK, 3000000)) for query in
                   [MISSING, None, "", "x", 5, True, [1], {"x": [None]}]])

  def testNodeRole(self):
    self.Check(1, [
      ("node10.example.com", (OK, 0)), ("node10", (OK, 0)),
      (testutils.Uuid("a", 10), (OK, 0)), ("node2", (OK, 1)),
      ("node3.example", (OK, 2)), ("node1", (OK, 3)), ("node4", (OK, 4)),
      ("n\xf6de", (OK, 4))])
    # Never an argument error, whose number is that of a role
    self.Check(1, [(query, UNKNOWN) for query in [
      MISSING, None, "", "no", "node", "NODE1", 2, True, [], ["node1"], {},
      {"1": "node1"}, 1.5, "\ud800", "x" * 50000]])

  def testNodeOfIp(self):
    ip = "198.51.100.10"
    self.Check(2, [
      ({"1": ip}, (OK, "192.0.2.2")), (ip, (OK, "192.0.2.2")),
      ({"1": ip, "0": "br0"}, (OK, "192.0.2.2")),
      ({"1": ip, "0": None}, (OK, "192.0.2.2")),
      ({"1": ip, "0": "br1"}, (OK, "192.0.2.3")),
      ({"1": ip, "2": [1]}, (OK, "192.0.2.2")),
      ({"1": ip, "0": "no"}, UNKNOWN), ({"1": "x"}, UNKNOWN), ("", UNKNOWN),
      ({"2": [ip, "x", "2001:db8::9", ip]},
       (OK, [[0, "192.0.2.2"], [1, 0], [0, "192.0.2.10"], [0, "192.0.2.2"]])),
      ({"2": [ip], "0": "br1"}, (OK, [[0, "192.0.2.3"]])),
      ({"2": []}, (OK, [])), ({"2": None}, (OK, [])), ({}, (OK, [])),
      ({"0": "br1"}, (OK, [])), ({"1": None, "2": []}, (OK, []))])
    self.Check(2, [(query, BAD_ARGUMENT) for query in [
      MISSING, None, 5, True, 1.5, [], [ip], {"1": 5}, {"1": [ip]}, {"1": {}},
      {"2": ip}, {"2": [5]}, {"2": [None]}, {"2": {}}, {"2": 0},
      {"1": ip, "0": 5}, {"2": [ip], "0": []}]])

  def testClusterMaster(self):
    values = ["node10.example.com", "192.0.2.100", "192.0.2.10"]
    self.Check(3, [
      (MISSING, (OK, values[0])), (None, (OK, values[0])),
      ("", (OK, values[0])),
      ({"3": [0, 1, 2]}, (OK, values)), ({"3": ["0", "1", "2"]}, (OK, values)),
      ({"3": [2, "0", 2]}, (OK, [values[2], values[0], values[2]])),
      ({"3": []}, (OK, [])), ({"3": None}, (OK, [])), ({}, (OK, [])),
      ({"1": 5}, (OK, []))])
    self.Check(3, [(query, BAD_ARGUMENT) for query in [
      "x", "0", 0, True, [], [0], {"3": 0}, {"3": "0"}, {"3": {}}, {"3": [3]},
      {"3": ["3"]}, {"3": [-1]}, {"3": [0, None]}, {"3": [True]}, {"3": [0.0]},
      {"3": ["00"]}, {"3": [[]]}]])

  def testLists(self):
    for query in [MISSING, None, "x", 5, [], {"0": "br1"}]:
      self.Check(4, [(query, (OK, ["192.0.2.%d" % i
                                   for i in [1, 2, 3, 4, 10, 5]]))])
      self.Check(5, [(query, (OK, ["192.0.2.%d" % i for i in [2, 3, 10]]))])
    default = ["2001:db8::9", "198.51.100.9", "198.51.100.10"]
    self.Check(6, [
      (MISSING, (OK, default)), (None, (OK, default)), ("br0", (OK, default)),
      ("br1", (OK, ["198.51.100.10", "198.51.100.11"])),
      ("", (OK, [])), ("no", (OK, []))])
    self.Check(6, [(query, BAD_ARGUMENT)
                   for query in [5, False, 1.5, [], ["br0"], {},
                                 {"0": "br0"}]])

  def testNodesAndInstances(self):
    for rtype in [7, 8, 9]:
      self.Check(rtype, [(query, UNKNOWN) for query in
                         ["", "no", "node", "inst", "example.com", "\ud800"]])
      self.Check(rtype, [(query, BAD_ARGUMENT) for query in
                         [MISSING, None, 5, True, 1.5, [], {}, ["node1"]]])
    self.Check(7, [
      ("node2", (OK, [
        ["node2.example.com", 1, "inst10.example.com", "disk/0", "primary",
         "node10.example.com"],
        ["node2.example.com", 4, "inst10.example.com", "disk/1", "primary",
         "node4.example.com"]])),
      ("node1", (OK, [
        ["node1.example.com", 6, "inst1.example.com", "disk/0", "secondary",
         "node3.example.com"]])),
      ("n\xf6de", (OK, []))])

  def testConfigQuery(self):
    self.Check(10, [
      ("/serial_no", (OK, SERIAL)), ("/version", (OK, 3000000)),
      ("/cluster/nicparams/default/link", (OK, "br0")),
      ("/cluster/tags", (OK, [])),
      ("/nodes/%s/name" % testutils.Uuid("a", 5),
       (OK, "n\xf6de.example.com")),
      ("/instances/%s/osparams_private/password" % testutils.Uuid("b", 10),
       (OK, "<redacted>")),
      ("/disks/%s/logical_id/5" % testutils.Uuid("d", 1), (OK, "<redacted>"))])
    self.Check(10, [(query, BAD_ARGUMENT) for query in [
      MISSING, None, 5, True, [], {}, "x", "cluster", "/x", "/cluster/", "//",
      "/cluster/~2", "/many/-", "/many/00", "/many/100000", "/many/" + "9" * 99,
      "/version/0"]])

  def testNotImplemented(self):
    for rtype in [12, 63, 67, 1000, -1, 10 ** 30, "0", "", 0.0, 1.5, True,
                  False, None, [], {}, MISSING]:
      self.Check(rtype, [("node2", NOT_IMPLEMENTED)])
    for version in [0, 2, -1, "1", 1.0, True, None, [], {}, MISSING, 10 ** 30]:
      for rtype in [0, 3, 1000]:
        reply = self.daemon.Ask(rtype, protocol=version)
        self.assertEqual((reply["status"], reply["answer"]), NOT_IMPLEMENTED)
        self.assertEqual(reply["serial"], SERIAL)

  def testExtraKeys(self):
    reply = self.daemon.Ask(3, None, more=[1], answer="x", serial=99)
    self.assertEqual((reply["status"], reply["answer"], reply["serial"]),
                     (OK, "node10.example.com", SERIAL))

  def testRsalt(self):
    for rsalt in ["x", " ", "\0", "0", "\xe9\u4f8b\U0001f600", "\"\\", "\u2028",
                  "x" * 50000, "\xe9" * 5000]:
      with self.subTest(rsalt=rsalt):
        reply = self.daemon.Ask(0, rsalt=rsalt)
        self.assertEqual(reply["status"], OK)

  def testRsaltThatNoReplyCanCarry(self):
    # Written without escapes it fits a request, but a reply is ASCII
    message = json.dumps(MakeMessage(0, rsalt="\xe9" * 25000),
                         ensure_ascii=False)
    salt = "%d" % time.time()
    datagram = b"plj0" + json.dumps({
      "msg": message, "salt": salt, "hmac": testutils.Sign(KEY, salt + message),
      }, ensure_ascii=False).encode("utf-8")
    self.assertLess(len(datagram), MAX_SIZE)
    self.assertTrue(self.daemon.IsIgnored(datagram))

  def testForms(self):
    # Whatever JSON allows
    now = "%d" % time.time()
    message = json.dumps(MakeMessage(0, rsalt="form"))
    good = testutils.PackText(KEY, now, message)
    signature = testutils.Sign(KEY, now + message)
    for datagram in [
      good, good + b"\n ", b"plj0 \n" + good[4:],
      good.replace(signature.encode(), signature.upper().encode()),
      testutils.PackEnvelope({"hmac": signature, "more": [{}], "salt": now,
                              "msg": message}),
      testutils.PackText(KEY, now, " %s\n" % message),
      testutils.PackText(KEY, "0" + now, message),
      testutils.PackText(KEY, "00" + now, message),
      testutils.PackText(KEY, now, message.replace(" ", "")),
      ]:
      with self.subTest(datagram=datagram):
        data = self.daemon.AskRaw(datagram)
        (salt, reply) = testutils.UnpackReply(KEY, data)
        self.assertEqual((salt, reply["answer"]), ("form", 3000000))

  def testClock(self):
    # Some seconds off the limit, since time goes by
    for skew in [-280, -1, 1, 280]:
      message = MakeMessage(0, rsalt="clock")
      data = self.daemon.AskRaw(testutils.PackMessage(
        KEY, message, salt="%d" % (time.time() + skew)))
      self.assertEqual(testutils.UnpackReply(KEY, data)[0], "clock")

  def testLargestRequest(self):
    for size in [4096, 4097, MAX_SIZE - 1, MAX_SIZE]:
      message = MakeMessage(10, "/")
      message["query"] += "x" * (
        size - len(testutils.PackMessage(KEY, message)))
      self.assertEqual(len(testutils.PackMessage(KEY, message)), size)
      reply = self.daemon.asker.AskMessage(message)
      self.assertEqual((reply["status"], reply["answer"]), BAD_ARGUMENT)
    # Many ips in one request
    ips = ["198.51.100.10", "x"] * 1500
    self.Check(2, [({"2": ips}, (OK, [[0, "192.0.2.2"], [1, 0]] * 1500))])

  def testLargestReply(self):
    def _Size(rsalt):
      return len(self.daemon.AskRaw(testutils.PackMessage(
        KEY, MakeMessage(10, "/long", rsalt=rsalt))))

    room = MAX_SIZE - _Size("x")
    self.assertGreater(room, 0)
    rsalt = "x" * (1 + room)
    self.assertEqual(_Size(rsalt), MAX_SIZE)
    reply = self.daemon.Ask(10, "/long", rsalt=rsalt)
    self.assertEqual((reply["status"], reply["answer"]), (OK, "x" * LONG))
    reply = self.daemon.Ask(10, "/long", rsalt=rsalt + "x")
    self.assertEqual((reply["status"], reply["answer"]), TOO_LARGE)
    # The limit was about that salt only
    reply = self.daemon.Ask(10, "/long", rsalt=rsalt)
    self.assertEqual(reply["status"], OK)

  def testTooLarge(self):
    start = time.monotonic()
    for path in ["/longer", "/many", "", "/longer", "/many", ""]:
      self.Check(10, [(path, TOO_LARGE)])
    self.Check(3, [({"3": [0] * 9000}, TOO_LARGE)])
    # At once
    self.assertLess(time.monotonic() - start, testutils.Stretched(5))

  def _AskPart(self, rtype, query, number, keys=("part", "parts", "sha256"),
               **kwargs):
    """Asks for a part of an answer.

    @return: the length of the reply, and its message

    """
    data = self.daemon.AskRaw(testutils.PackMessage(
      KEY, MakeMessage(rtype, query, part=number, **kwargs)))
    (_, reply) = testutils.UnpackReply(KEY, data, more=keys)
    self.assertEqual(reply["serial"], SERIAL)
    return (len(data), reply)

  def testParts(self):
    for (rtype, query, expected) in [
      (10, "/longer", "x" * (MAX_SIZE + 1)), (10, "/noise", NOISE),
      (2, {"2": [""] * 9500}, [[1, 0]] * 9500), (0, None, 3000000),
      (10, "/nodes", self.config["nodes"])]:
      (_, first) = self._AskPart(rtype, query, 0)
      self.assertEqual(first["part"], 0)
      data = b""
      for number in range(first["parts"]):
        (size, reply) = self._AskPart(rtype, query, number)
        # A size that any network carries in one piece
        self.assertLessEqual(size, 1232)
        self.assertEqual((reply["status"], reply["part"], reply["parts"],
                          reply["sha256"]),
                         (OK, number, first["parts"], first["sha256"]))
        # The same question, the same bytes
        self.assertEqual(self._AskPart(rtype, query, number)[1], reply)
        data += base64.b64decode(reply["answer"], validate=True)
      self.assertEqual(hashlib.sha256(data).hexdigest(), first["sha256"])
      self.assertEqual(json.loads(zlib.decompress(data)), expected)
      for number in [first["parts"], -1, "0", True, 0.0, [], {}, 10 ** 30]:
        (_, reply) = self._AskPart(rtype, query, number, keys=())
        self.assertEqual((reply["status"], reply["answer"]), BAD_ARGUMENT)

  def testPartsOfErrors(self):
    # The plain error
    for (rtype, query, expected) in [
      (1, "no", UNKNOWN), (10, "/no", BAD_ARGUMENT), (7, 5, BAD_ARGUMENT),
      (1000, None, NOT_IMPLEMENTED), ("0", None, NOT_IMPLEMENTED),
      # Counters do not stand still
      (65, None, BAD_ARGUMENT)]:
      (_, reply) = self._AskPart(rtype, query, 0, keys=())
      self.assertEqual((reply["status"], reply["answer"]), expected)
    (_, reply) = self._AskPart(10, "/many", 0, keys=(), protocol=2)
    self.assertEqual((reply["status"], reply["answer"]), NOT_IMPLEMENTED)

  def testNullIsNoPart(self):
    self.assertEqual(self.daemon.Answer(0, part=None), (OK, 3000000))

  def testStats(self):
    for query in [MISSING, None, "x", [], 5]:
      with self.subTest(query=query):
        (status, answer) = self.daemon.Answer(65, query)
        self.assertEqual(status, OK)
        self.assertIsInstance(answer, dict)

  def _Silent(self):
    """Makes datagrams that get no reply.

    """
    now = int(time.time())
    message = MakeMessage(0)
    text = json.dumps(message)
    good = testutils.PackMessage(KEY, message)
    signature = testutils.Sign(KEY, "%d" % now + text)

    def _Envelope(**kwargs):
      envelope = dict({"msg": text, "salt": "%d" % now, "hmac": signature},
                      **kwargs)
      return testutils.PackEnvelope({key: value for (key, value) in
                                     envelope.items() if value is not MISSING})

    # Fourcc
    for datagram in [b"", b"\0", b"p", b"plj", good[4:], b"plj1" + good[4:],
                     b"PLJ0" + good[4:], b" " + good, b"\xff" * 100,
                     b"x" * 65000]:
      yield datagram
    # JSON
    for rest in [b"", b"{}", b"null", b"[]", b"{", b"x", b"\xff",
                 good[4:-1], good[4:] * 2, good[4:] + b"x",
                 b"[" * 60000, b"{\"msg\":" * 8000, b"9" * 60000,
                 b"{\"msg\": 1e999999}",
                 good[4:].replace(b"{", b"{\"x\": NaN, ", 1),
                 good[4:].replace(b"\"salt\"", b"\"s\xff\"")]:
      yield b"plj0" + rest
    for name in ["msg", "salt", "hmac"]:
      for value in [MISSING, None, True, 5, 1.5, [], {}]:
        yield _Envelope(**{name: value})
    yield testutils.PackEnvelope({
      "msg": text, "salt": now, "hmac": testutils.Sign(KEY, "%d" % now + text)})
    for bad in ["", "x", "null", "[]", "3", "{", text + "x", "[" * 20000,
                text.replace("{", "{\"x\": Infinity, ", 1)]:
      yield testutils.PackText(KEY, "%d" % now, bad)
    # HMAC
    for bad in ["", "0" * 40, signature[:-1], signature + "0",
                signature + "\n", " " + signature, "0x" + signature[2:],
                signature[::-1], "\xe9" * 40, "\uff10" * 40, "\ud800" * 40]:
      yield _Envelope(hmac=bad)
    yield _Envelope(msg=text.replace("0", "3"))
    yield _Envelope(salt="%d" % (now - 1))
    yield _Envelope(msg="\ud800")
    yield _Envelope(salt="\ud800")
    for key in [b"another key of 32 bytes.........", KEY[:-1], KEY + b"\n",
                b"", KEY.upper()]:
      yield testutils.PackMessage(key, message)
    # Clock: the test may have taken some seconds until here
    now = int(time.time())
    for salt in ["", "x", " %d" % now, "%d " % now, "+%d" % now, "%d\n" % now,
                 "%d.0" % now, "-%d" % now, "0x%x" % now, "000%d" % now,
                 "9" * 12, "9" * 13, "1" * 5000, "0", "%d" % (now - 310),
                 "%d" % (now + 310), "%d" % (now * 1000),
                 "".join(chr(0xff10 + int(i)) for i in "%d" % now)]:
      yield testutils.PackMessage(KEY, message, salt=salt)
    # Salt of the reply
    for rsalt in [MISSING, None, "", 0, 5, True, 1.5, [], ["x"], {}, "\ud800",
                  "x\udfff"]:
      yield testutils.PackMessage(KEY, {
        key: value for (key, value) in dict(message, rsalt=rsalt).items()
        if value is not MISSING})
    # Size
    message = MakeMessage(10, "/")
    size = len(testutils.PackMessage(KEY, message))
    message["query"] += "x" * (MAX_SIZE + 1 - size)
    yield testutils.PackMessage(KEY, message)
    message["query"] += "x" * (65000 - MAX_SIZE)
    yield testutils.PackMessage(KEY, message)

  def testSilence(self):
    # Proper requests follow each datagram, and only these requests get replies
    count = 0
    for datagram in self._Silent():
      if not self.daemon.IsIgnored(datagram):
        self.fail("There was a reply to %r" % datagram[:200])
      count += 1
    self.assertGreater(count, 100)

  def testManyAtOnce(self):
    # Each client gets its own replies
    askers = [self.daemon.Asker() for _ in range(20)]
    try:
      for _ in range(5):
        sent = []
        for (index, asker) in enumerate(askers):
          message = MakeMessage([0, 3, 4, 1000][index % 4], None)
          asker.Send(testutils.PackMessage(KEY, message))
          sent.append(message["rsalt"])
        for (index, (asker, rsalt)) in enumerate(zip(askers, sent)):
          (salt, reply) = testutils.UnpackReply(KEY, asker.Receive())
          self.assertEqual(salt, rsalt)
          self.assertEqual(reply["status"], [0, 0, 0, 2][index % 4])
    finally:
      for asker in askers:
        asker.Close()


class TestIpv4(_Tests, unittest.TestCase):
  ADDRESS = "127.0.0.1"


class TestIpv6(_Tests, unittest.TestCase):
  ADDRESS = "::1"


class TestAddresses(unittest.TestCase):
  def testReplyComesFromTheAddressAsked(self):
    # The socket that asks is connected, and sees nothing else
    with testutils.Daemon(_Config(), address="0.0.0.0") as daemon:
      for address in ["127.0.0.1", "127.0.0.2", "127.9.9.9"]:
        with testutils.Asker(KEY, address, daemon.port) as asker:
          self.assertEqual(asker.Answer(0), (OK, 3000000))
          # The large ones are made elsewhere
          self.assertEqual(asker.Answer(2, {"2": ["x"] * 3000})[0], OK)

  def testAllOfIpv6(self):
    if not testutils.HasIpv6():
      self.skipTest("this machine has no IPv6")
    with testutils.Daemon(_Config(), address="::") as daemon:
      self.assertEqual(daemon.Answer(0), (OK, 3000000))


class TestKeys(unittest.TestCase):
  """The key is the file's bytes, at least 16 of them."""

  def testBytes(self):
    for key in [b"0123456789abcdef", b"0123456789abcde\n", b"\0\xff\r\n" * 4,
                b" " * 20, b"k" * 64, b"k" * 65, b"k" * 5000 + b"\n\n"]:
      with self.subTest(key=key[:20]):
        with testutils.Daemon(_Config(), key=key) as daemon:
          self.assertEqual(daemon.Answer(0), (OK, 3000000))
          # Newlines count
          for other in [key + b"\n", key[:-1]]:
            self.assertTrue(daemon.IsIgnored(
              testutils.PackMessage(other, MakeMessage(0))))

  def testUnusable(self):
    for key in [None, b"", b"\n", b"0123456789abcde"]:
      with self.subTest(key=key):
        daemon = testutils.Daemon(_Config(), key=key)
        try:
          daemon.Start(wait=False)
          self.assertNotEqual(
            testutils.WaitForExit(daemon.proc, "the daemon"), 0)
          self.assertIn("hmac.key", daemon.Output())
        finally:
          daemon.Kill()


class TestConfigurations(unittest.TestCase):
  """Configurations of all releases, one after the other in one daemon."""

  def testReleases(self):
    configs = [oldconfigs.Make(release) for release in oldconfigs.RELEASES]
    configs.append(oldconfigs.MakeFrom20())
    configs.extend(json.loads(testutils.ReadFile(path))
                   for (_, path) in testutils.Samples())
    with testutils.Daemon(configs[0]) as daemon:
      for (index, config) in enumerate(configs):
        config["serial_no"] = 1000 + index
        daemon.WriteConfig(config)
        daemon.WaitForSerial(1000 + index)
        master = config["cluster"]["master_node"]
        node = config["nodes"][master]
        for (rtype, query, expected) in [
          (0, None, config["version"]), (1, node["name"], 0), (1, master, 0),
          (3, None, node["name"]),
          (3, {"3": [1, 2]}, [config["cluster"]["master_ip"],
                              node["primary_ip"]]),
          (10, "/serial_no", 1000 + index)]:
          self.assertEqual(daemon.Answer(rtype, query), (OK, expected))

  def testNoConfiguration(self):
    with testutils.Daemon() as daemon:
      with daemon.Asker() as early:
        for rtype in [0, 4, 1000]:
          early.Send(testutils.PackMessage(KEY, MakeMessage(rtype)))
        self.assertIsNone(early.Receive(timeout=0.3))
        daemon.WriteConfig(_Config())
        daemon.WaitForSerial(SERIAL)
        # Requests that came before are not answered afterwards
        self.assertIsNone(early.Receive(timeout=0))
        self.assertEqual(early.Answer(0), (OK, 3000000))

  def testUnusableConfiguration(self):
    for text in [b"", b"{", json.dumps(dict(_Config(), version="x")).encode()]:
      daemon = testutils.Daemon(text)
      try:
        daemon.Start(wait=False)
        testutils.WaitFor(daemon.Log, "the daemon writes its log")
        with daemon.Asker() as asker:
          try:
            self.assertIsNone(asker.AskRaw(
              testutils.PackMessage(KEY, MakeMessage(0)), timeout=0.3))
          except ConnectionRefusedError:
            # The daemon does not listen yet
            pass
        daemon.WriteConfig(_Config())
        daemon.WaitForSerial(SERIAL)
        daemon.Stop()
      finally:
        daemon.Kill()


if __name__ == "__main__":
  unittest.main()

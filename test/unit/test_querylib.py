#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for ganeti.confd.querylib"""

import itertools
import json
import unittest

import testutils
from testutils import MakeConfig, MakeDisk, MakeDrbd, MakeInstance, MakeNode
from testutils import Uuid
from testutils import BAD_ARGUMENT, UNKNOWN
from ganeti.confd import querylib
from ganeti.confd.config import snapshot
from ganeti.confd.protocol import wire


#: No type takes these
NO_QUERIES = [True, False, 0, 1, 1.5, [], ["x"], [[]]]


def Snapshot(config):
  return snapshot.Snapshot(json.dumps(config).encode("ascii"))


def Answer(snap, rtype, query=None):
  """Asks a snapshot as the wire would.

  @return: status and answer, as a client would see them

  """
  request = wire.ParseRequest(
    testutils.PackMessage(testutils.KEY, testutils.MakeMessage(rtype, query),
                          salt="0"), testutils.KEY, 0)
  (status, answer) = querylib.Answer(snap, request)
  reply = json.loads(wire.EncodeReply(status, answer, snap.serial))
  return (reply["status"], reply["answer"])


class _TestCase(unittest.TestCase):
  """Checks tables of answers."""

  def Check(self, config, rtype, expected):
    """Asks for each query of a list.

    @param expected: list of (query, (status, answer))

    """
    snap = config if isinstance(config, snapshot.Snapshot) else Snapshot(config)
    for (query, answer) in expected:
      with self.subTest(rtype=rtype, query=query):
        self.assertEqual(Answer(snap, rtype, query), answer)

  def CheckBadArguments(self, rtype, queries):
    self.Check(MakeConfig(), rtype,
               [(query, BAD_ARGUMENT) for query in queries])


class TestPing(_TestCase):
  def test(self):
    for version in [2010000, 3000000, 3010000]:
      self.Check(MakeConfig(version=version), 0, [
        (query, (0, version)) for query in NO_QUERIES + [None, "x", {"0": 1}]])


class TestNames(_TestCase):
  """How nodes and instances are named in a query."""

  #: As (query, index of the object found)
  NAMES = ["web.example.com", "web1.example.com", "web1.example.net",
           "web2.example.com", "web2", "web3.a.example.com", "mail",
           "UPPER.example.com", "n\xf6de.example.com"]
  EXPECTED = [
    ("web.example.com", 0), ("web", 0), ("web.example", 0),
    # Two of them
    ("web1", None), ("web1.example", None), ("web1.example.com", 1),
    ("web1.example.net", 2),
    # An exact name wins over the short form of another
    ("web2", 4), ("web2.example", 3), ("web2.example.com", 3),
    ("web3", 5), ("web3.a", 5), ("web3.a.example", 5),
    ("mail", 6),
    # Up to a dot
    ("mai", None), ("web3.a.", None), ("web.", None), ("web.example.co", None),
    ("web3.", None), ("", None), (".", None), ("example.com", None),
    # Case counts, and so does every byte
    ("upper", None), ("upper.example.com", None), ("UPPER", 7),
    (" web3", None), ("web3 ", None), ("web*", None), ("nope", None),
    ("n\xf6de", 8), ("no\u0308de", None), ("\ud800", None), ("web3\0", None),
    ("x" * 10000, None),
    ]

  def _Expected(self, kind, found):
    result = []
    for (query, index) in self.EXPECTED:
      result.append((query, UNKNOWN if index is None else (0, found[index])))
    for (index, value) in enumerate(found):
      uuid = Uuid(kind, index)
      result.extend([(uuid, (0, value)), (uuid.upper(), UNKNOWN),
                     (uuid[:-1], UNKNOWN), (uuid + ".", UNKNOWN),
                     (uuid.replace("-", ""), UNKNOWN)])
    return result

  def testNodes(self):
    nodes = [MakeNode(index, name=name)
             for (index, name) in enumerate(self.NAMES)]
    instances = [MakeInstance(index, index) for index in range(len(nodes))]
    disks = [MakeDrbd(index, index, (index + 1) % len(nodes))
             for index in range(len(nodes))]
    for (index, instance) in enumerate(instances):
      instance["disks"] = [disks[index]["uuid"]]
    config = MakeConfig(nodes=nodes, instances=instances, disks=disks)
    # The first one is the master, by whatever name
    self.Check(config, 1, self._Expected("a", [0] + [4] * (len(nodes) - 1)))

    count = len(nodes)
    self.Check(config, 7, self._Expected("a", [
      sorted([[nodes[i]["name"], 0, "inst%d.example.com" % i, "disk/0",
               "primary", nodes[(i + 1) % count]["name"]],
              [nodes[i]["name"], 0, "inst%d.example.com" % ((i - 1) % count),
               "disk/0", "secondary", nodes[(i - 1) % count]["name"]]],
             key=lambda row: row[2])
      for i in range(count)]))
    for disk in disks:
      disk["logical_id"][5] = "<redacted>"
    self.Check(config, 8, self._Expected("a", [
      [[instances[i]], [instances[(i - 1) % count]]] for i in range(count)]))

  def testInstances(self):
    disks = [MakeDisk(index) for index in range(len(self.NAMES))]
    instances = [MakeInstance(index, 1, name=name, disks=[index])
                 for (index, name) in enumerate(self.NAMES)]
    self.Check(MakeConfig(instances=instances, disks=disks), 9,
               self._Expected("b", [[disk] for disk in disks]))

  def testUuidWins(self):
    # A node whose name is another one's UUID
    nodes = [MakeNode(1), MakeNode(2, name=Uuid("a", 3)),
             MakeNode(3, offline=True),
             MakeNode(4, name=Uuid("a", 1) + ".x", drained=True)]
    self.Check(MakeConfig(nodes=nodes), 1, [
      (Uuid("a", 3), (0, 2)), (Uuid("a", 2), (0, 4)), (Uuid("a", 1), (0, 0)),
      (Uuid("a", 4), (0, 3))])

  def testNodesAreNoInstances(self):
    config = MakeConfig(instances=[MakeInstance(1, 1)])
    self.Check(config, 9, [("node1", UNKNOWN), (Uuid("a", 1), UNKNOWN)])
    for rtype in [1, 7, 8]:
      self.Check(config, rtype, [("inst1", UNKNOWN), (Uuid("b", 1), UNKNOWN)])


class TestNodeRole(_TestCase):
  def testEveryCombination(self):
    # Precedence: master, drained, offline, candidate, regular
    roles = {
      (False, False, False): 4,
      (True, False, False): 1,
      (False, True, False): 2,
      (True, True, False): 2,
      (False, False, True): 3,
      (True, False, True): 3,
      (False, True, True): 3,
      (True, True, True): 3,
      }
    self.assertEqual(len(roles),
                     len(list(itertools.product([False, True], repeat=3))))
    for ((candidate, offline, drained), role) in roles.items():
      node = MakeNode(2, master_candidate=candidate, offline=offline,
                      drained=drained)
      names = ["node2.example.com", "node2", Uuid("a", 2)]
      self.Check(MakeConfig(nodes=[MakeNode(1), node]), 1,
                 [(name, (0, role)) for name in names])
      # The master is the master, whatever its flags
      self.Check(MakeConfig(nodes=[node]), 1,
                 [(name, (0, 0)) for name in names])

  def testNeverAnArgumentError(self):
    # A client that ignores the status would read "offline"
    config = MakeConfig(nodes=[MakeNode(1), MakeNode(2, offline=True)])
    self.Check(config, 1, [(query, UNKNOWN) for query in NO_QUERIES +
                           [None, {}, {"1": "node2"}, "", "\ud800",
                            ["node2.example.com"]]])


class TestNodeOfIp(_TestCase):
  CONFIG = MakeConfig(
    nodes=[MakeNode(1), MakeNode(2, offline=True), MakeNode(3, drained=True)],
    instances=[
      MakeInstance(1, 1, nics=["198.51.100.1", ("198.51.100.2", "br1"),
                               "2001:db8::61"]),
      MakeInstance(2, 2, nics=[("198.51.100.1", "br1"), None]),
      MakeInstance(3, 3, nics=[("198.51.100.3", "br0"), ("10.1.1.1", "")])])

  ONE = (0, "192.0.2.1")
  TWO = (0, "192.0.2.2")
  THREE = (0, "192.0.2.3")

  def testOneIp(self):
    expected = [
      ({"1": "198.51.100.1"}, self.ONE),
      ({"1": "198.51.100.1", "0": "br0"}, self.ONE),
      ({"1": "198.51.100.1", "0": None}, self.ONE),
      ({"1": "198.51.100.1", "0": "br1"}, self.TWO),
      ({"1": "198.51.100.2", "0": "br1"}, self.ONE),
      ({"1": "198.51.100.2"}, UNKNOWN),
      ({"1": "198.51.100.3"}, self.THREE),
      ({"1": "198.51.100.1", "0": "br2"}, UNKNOWN),
      ({"1": "198.51.100.1", "0": ""}, UNKNOWN),
      # Ips are text
      ({"1": "2001:db8::61"}, self.ONE),
      ({"1": "2001:db8:0::61"}, UNKNOWN),
      ({"1": "198.51.100.001"}, UNKNOWN),
      ({"1": ""}, UNKNOWN),
      ({"1": "\ud800"}, UNKNOWN),
      # A node's own ip is nobody's
      ({"1": "192.0.2.1"}, UNKNOWN),
      # Other keys do not matter
      ({"1": "198.51.100.1", "2": ["198.51.100.3"]}, self.ONE),
      ({"1": "198.51.100.1", "2": 5, "3": [7], "x": None}, self.ONE),
      # As in Ganeti 2.1
      ("198.51.100.1", self.ONE), ("198.51.100.2", UNKNOWN), ("", UNKNOWN),
      ]
    self.Check(self.CONFIG, 2, expected)

  def testList(self):
    ips = ["198.51.100.3", "198.51.100.2", "198.51.100.1", "198.51.100.1", ""]
    self.Check(self.CONFIG, 2, [
      ({"2": ips}, (0, [[0, "192.0.2.3"], [1, 0], [0, "192.0.2.1"],
                        [0, "192.0.2.1"], [1, 0]])),
      ({"2": ips[1:3], "0": "br1"}, (0, [[0, "192.0.2.1"], [0, "192.0.2.2"]])),
      ({"2": ips[:1], "0": "br2"}, (0, [[1, 0]])),
      ({"1": None, "2": ips[:1], "0": None}, (0, [[0, "192.0.2.3"]])),
      ({"2": []}, (0, [])), ({"2": None}, (0, [])), ({}, (0, [])),
      ({"0": "br1"}, (0, [])), ({"1": None}, (0, [])), ({"3": [0]}, (0, [])),
      ({"": 1}, (0, [])),
      ])

  def testBadArguments(self):
    self.CheckBadArguments(2, NO_QUERIES + [
      None,
      {"1": 5}, {"1": True}, {"1": False}, {"1": []}, {"1": {}},
      {"1": ["198.51.100.1"]}, {"1": 0},
      {"2": "198.51.100.1"}, {"2": {}}, {"2": 5}, {"2": True}, {"2": False},
      {"2": [5]}, {"2": [None]}, {"2": ["198.51.100.1", []]}, {"2": ""},
      {"0": 5, "1": "x"}, {"0": [], "1": "x"}, {"0": {}, "2": []},
      {"0": False, "2": []}])


class TestClusterMaster(_TestCase):
  NAME = "node1.example.com"
  VALUES = [NAME, "192.0.2.100", "192.0.2.1"]

  def testName(self):
    self.Check(MakeConfig(), 3, [(None, (0, self.NAME)), ("", (0, self.NAME))])

  def testFields(self):
    (name, ip, node_ip) = self.VALUES
    self.Check(MakeConfig(), 3, [
      ({"3": [0]}, (0, [name])), ({"3": [1]}, (0, [ip])),
      ({"3": [2]}, (0, [node_ip])),
      ({"3": [2, 1, 0, 0]}, (0, [node_ip, ip, name, name])),
      ({"3": ["0", "1", "2"]}, (0, self.VALUES)),
      ({"3": ["2", 0]}, (0, [node_ip, name])),
      ({"3": [0], "1": 5, "x": []}, (0, [name])),
      ({"3": []}, (0, [])), ({"3": None}, (0, [])), ({}, (0, [])),
      ({"1": "x"}, (0, [])), ({"0": [1]}, (0, [])),
      ])

  def testBadArguments(self):
    fields = [3, -1, "3", "", "00", "01", " 0", "0 ", "+0", "-0", "0.0", "x",
              "\uff10", "name", 0.0, 1.0, True, False, None, [], [0], {}]
    self.CheckBadArguments(3, NO_QUERIES + ["x", " ", "0", "node1"] +
                           [{"3": [field]} for field in fields] +
                           [{"3": [0, field]} for field in fields] +
                           [{"3": value} for value in
                            [0, "0", "", {}, {"0": 1}, True, False, "012"]])


class TestLists(_TestCase):
  """The lists of ips."""

  def testNodeIps(self):
    nodes = [MakeNode(10), MakeNode(2), MakeNode(1), MakeNode(30), MakeNode(4)]
    self.Check(MakeConfig(nodes=nodes), 4, [
      (query, (0, ["192.0.2.%d" % i for i in [1, 2, 4, 10, 30]]))
      for query in NO_QUERIES + [None, "x", {"0": 1}]])

  def testNaturalOrder(self):
    names = ["a", "a1", "a1.b", "a1.b2", "a1.b10", "a1b", "a2", "a02b", "a10",
             "a10.b", "a100", "ab", "b", "b1c2d10", "b1c10d2",
             "b99999999999999999999"]
    nodes = [MakeNode(index + 1, name=name)
             for (index, name) in enumerate(names)]
    expected = [node["primary_ip"] for node in nodes]
    for order in [nodes, nodes[::-1], nodes[5:] + nodes[:5]]:
      self.Check(MakeConfig(nodes=order), 4, [(None, (0, expected))])

  def testCandidateIps(self):
    nodes = [
      MakeNode(20),
      MakeNode(10, master_candidate=True),
      MakeNode(9, master_candidate=True, offline=True),
      MakeNode(8, master_candidate=True, drained=True),
      MakeNode(7, offline=True),
      MakeNode(6),
      ]
    # The master is a candidate even without the flag
    self.Check(MakeConfig(nodes=nodes), 5, [
      (query, (0, ["192.0.2.%d" % i for i in [8, 9, 10, 20]]))
      for query in NO_QUERIES + [None, "x", {"0": 1}]])

  def testInstanceIps(self):
    instances = [
      MakeInstance(10, 1, nics=["198.51.100.101", ("198.51.100.102", "br0")]),
      MakeInstance(2, 1, nics=["198.51.100.23", ("198.51.100.22", "br1"), None,
                               "198.51.100.21", "198.51.100.2"]),
      MakeInstance(1, 1, nics=[("198.51.100.11", "br1"),
                               ("198.51.100.12", "br2")]),
      ]
    default = [23, 21, 2, 101, 102]
    expected = [
      (None, default), ("br0", default), ("br1", [11, 22]), ("br2", [12]),
      ("br3", []), ("", []), ("BR0", []), (" br0", []), ("\ud800", [])]
    config = MakeConfig(instances=instances)
    self.Check(config, 6, [
      (link, (0, ["198.51.100.%d" % i for i in ips]))
      for (link, ips) in expected])
    self.Check(config, 6, [(query, BAD_ARGUMENT)
                           for query in NO_QUERIES + [{}, {"0": "br0"}]])

  def testAnotherDefaultLink(self):
    config = MakeConfig(instances=[
      MakeInstance(1, 1, nics=["198.51.100.1", ("198.51.100.2", "br0")])])
    config["cluster"]["nicparams"]["default"]["link"] = "br9"
    self.Check(config, 6, [(None, (0, ["198.51.100.1"])),
                           ("br9", (0, ["198.51.100.1"])),
                           ("br0", (0, ["198.51.100.2"]))])
    self.Check(config, 2, [({"1": "198.51.100.1"}, (0, "192.0.2.1")),
                           ({"1": "198.51.100.2"}, UNKNOWN)])


class TestNodeDrbd(_TestCase):
  def testOrder(self):
    # By instance name, then disk
    disks = [MakeDrbd(1, 1, 2, 5, 15), MakeDrbd(2, 2, 1, 6, 16),
             MakeDrbd(3, 1, 3, 4, 14), MakeDrbd(4, 3, 1, 3, 13), MakeDisk(5)]
    instances = [
      MakeInstance(10, 1, disks=[1, 5]),
      MakeInstance(9, 1, disks=[5, 3, 2]),
      MakeInstance(8, 3, disks=[4]),
      ]
    config = MakeConfig(nodes=[MakeNode(i) for i in [1, 2, 3, 4]],
                        instances=instances, disks=disks)
    (n1, n2, n3) = ["node%d.example.com" % i for i in [1, 2, 3]]
    (i8, i9, i10) = ["inst%d.example.com" % i for i in [8, 9, 10]]
    self.Check(config, 7, [
      ("node1", (0, [[n1, 13, i8, "disk/0", "secondary", n3],
                     [n1, 4, i9, "disk/1", "primary", n3],
                     # The order of a disk's nodes does not matter
                     [n1, 16, i9, "disk/2", "primary", n2],
                     [n1, 5, i10, "disk/0", "primary", n2]])),
      ("node2", (0, [[n2, 6, i9, "disk/2", "secondary", n1],
                     [n2, 15, i10, "disk/0", "secondary", n1]])),
      ("node3", (0, [[n3, 3, i8, "disk/0", "primary", n1],
                     [n3, 14, i9, "disk/1", "secondary", n1]])),
      ("node4", (0, [])),
      ])

  def testChildrenCount(self):
    child = MakeDrbd(2, 1, 2, 7, 8)
    deep = MakeDisk(3, children=[MakeDisk(4), MakeDrbd(5, 2, 3, 1, 2)])
    instance = MakeInstance(1, 1, disks=[1, 3])
    config = MakeConfig(nodes=[MakeNode(i) for i in [1, 2, 3]],
                        instances=[instance],
                        disks=[MakeDrbd(1, 1, 3, 9, 10, children=[child]),
                               deep])
    (n1, n2, n3) = ["node%d.example.com" % i for i in [1, 2, 3]]
    name = "inst1.example.com"
    self.Check(config, 7, [
      ("node1", (0, [[n1, 9, name, "disk/0", "primary", n3],
                     [n1, 7, name, "disk/0", "primary", n2]])),
      ("node2", (0, [[n2, 8, name, "disk/0", "secondary", n1],
                     # Neither end is where the instance is
                     [n2, 1, name, "disk/1", "secondary", n3]])),
      ("node3", (0, [[n3, 10, name, "disk/0", "secondary", n1],
                     [n3, 2, name, "disk/1", "secondary", n2]])),
      ])
    # Children make no node a secondary one of the instance
    snap = Snapshot(config)
    self.assertEqual([len(Answer(snap, 8, node)[1][1])
                      for node in ["node1", "node2", "node3"]], [0, 0, 1])

  def testBadArguments(self):
    self.CheckBadArguments(7, NO_QUERIES + [None, {}, {"1": "node1"}])


class TestNodeInstances(_TestCase):
  def testOrder(self):
    instances = [
      MakeInstance(10, 1, disks=[1, 2, 3]),
      MakeInstance(9, 2, disks=[4]),
      MakeInstance(2, 1, disks=[5]),
      MakeInstance(1, 2),
      MakeInstance(3, 2, disks=[6]),
      ]
    disks = [MakeDrbd(1, 1, 2), MakeDrbd(2, 1, 2), MakeDrbd(3, 1, 3),
             MakeDrbd(4, 2, 1), MakeDisk(5), MakeDrbd(6, 1, 2)]
    config = MakeConfig(nodes=[MakeNode(i) for i in [1, 2, 3, 4]],
                        instances=instances, disks=disks)
    (i10, i9, i2, i1, i3) = instances
    self.Check(config, 8, [
      # An instance with two disks on a node is there once
      ("node1", (0, [[i2, i10], [i3, i9]])),
      ("node2", (0, [[i1, i3, i9], [i10]])),
      ("node3", (0, [[], [i10]])),
      ("node4", (0, [[], []])),
      ])

  def testObjectsAsStored(self):
    instance = MakeInstance(1, 1, nics=["198.51.100.1"], unknown={"x": [None]},
                            ctime=1.5, tags=["z", "a"], forthcoming=False,
                            osparams={"x": "n\xf6"}, network_port=11003)
    self.Check(MakeConfig(instances=[instance]), 8, [
      ("node1", (0, [[instance], []]))])

  def testBadArguments(self):
    self.CheckBadArguments(8, NO_QUERIES + [None, {}, {"1": "node1"}])


class TestInstanceDisks(_TestCase):
  def testOrder(self):
    disks = [MakeDisk(1, iv_name="disk/2"), MakeDisk(2, unknown=[1.5, None]),
             MakeDisk(3, children=[MakeDisk(4)])]
    config = MakeConfig(instances=[MakeInstance(1, 1, disks=[3, 1, 2]),
                                   MakeInstance(2, 1)], disks=disks)
    self.Check(config, 9, [
      ("inst1", (0, [disks[2], disks[0], disks[1]])), ("inst2", (0, []))])

  def testInline(self):
    disks = [MakeDisk(2), MakeDisk(1)]
    instance = MakeInstance(1, 1)
    instance["disks"] = disks
    config = MakeConfig(instances=[instance])
    del config["disks"]
    self.Check(config, 9, [("inst1", (0, disks))])

  def testBadArguments(self):
    self.CheckBadArguments(9, NO_QUERIES + [None, {}, {"1": "inst1"}])


class TestConfigQuery(_TestCase):
  def testRfc6901(self):
    # The examples of section 5; the whole document is tested below
    document = {
      "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4,
      "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8,
      }
    self.Check(MakeConfig(**document), 10, [
      ("/foo", (0, ["bar", "baz"])), ("/foo/0", (0, "bar")), ("/", (0, 0)),
      ("/a~1b", (0, 1)), ("/c%d", (0, 2)), ("/e^f", (0, 3)), ("/g|h", (0, 4)),
      ("/i\\j", (0, 5)), ("/k\"l", (0, 6)), ("/ ", (0, 7)), ("/m~0n", (0, 8))])

  def testWholeDocument(self):
    config = MakeConfig(instances=[MakeInstance(1, 1)])
    self.Check(config, 10, [("", (0, config))])

  def testEscapes(self):
    config = MakeConfig(x={"~1": 1, "/": 2, "~": 3, "~0": 4, "~01": 5, "//": 6,
                           "": {"": {"": 7}}, "a": {"~~": 8}})
    self.Check(config, 10, [
      ("/x/~01", (0, 1)), ("/x/~1", (0, 2)), ("/x/~0", (0, 3)),
      ("/x/~00", (0, 4)), ("/x/~001", (0, 5)), ("/x/~1~1", (0, 6)),
      ("/x///", (0, 7)), ("/x/", (0, {"": {"": 7}})), ("/x/a/~0~0", (0, 8)),
      # A tilde before anything else is no pointer
      ("/x/~", BAD_ARGUMENT), ("/x/~2", BAD_ARGUMENT), ("/x/~~", BAD_ARGUMENT),
      ("/x/a~", BAD_ARGUMENT), ("/~x", BAD_ARGUMENT), ("/x~/a", BAD_ARGUMENT),
      ("/x/~/", BAD_ARGUMENT), ("/x/~01/", BAD_ARGUMENT)])

  def testIndexes(self):
    config = MakeConfig(x=list(range(100, 112)))
    good = [("/x/%d" % i, (0, 100 + i)) for i in range(12)]
    bad = ["00", "01", "-", "-1", "+1", " 1", "1 ", "1.0", "1e0", "0x1", "1x",
           "", "12", "1_0", "\uff11", "\u0661", "\xb2", "18446744073709551617",
           "4294967296", "9" * 5000, "0" * 5000, "1\n", "x", "~01"]
    self.Check(config, 10, good)
    self.Check(config, 10, [("/x/" + token, BAD_ARGUMENT) for token in bad])
    # An object's keys are not numbers
    self.Check(MakeConfig(x={"01": 1, "-": 2, "": 3}), 10, [
      ("/x/01", (0, 1)), ("/x/-", (0, 2)), ("/x/", (0, 3)),
      ("/x/0", BAD_ARGUMENT), ("/x/1", BAD_ARGUMENT)])

  def testNowhere(self):
    config = MakeConfig(x=[[], {}, "text", 5, None, True])
    self.Check(config, 10, [
      (path, BAD_ARGUMENT) for path in [
        "x", " ", "//", "/x ", "/X", "/x/0/0", "/x/1/0", "/x/2/0", "/x/3/0",
        "/x/4/0", "/x/5/0", "/x/6", "#/x", "#", "/cluster/cluster_name/",
        "/cluster/", "/cluster//x", "cluster", "/\ud800", "/%78",
        "/x/0/" + "/" * 20000]])
    self.Check(config, 10, [
      ("/x/0", (0, [])), ("/x/1", (0, {})), ("/x/2", (0, "text")),
      ("/x/3", (0, 5)), ("/x/4", (0, None)), ("/x/5", (0, True))])

  def testBadArguments(self):
    self.CheckBadArguments(10, NO_QUERIES + [None, {}, {"0": "/cluster"},
                                             ["cluster"]])


class TestDataCollectors(_TestCase):
  NAMES = ["cpu-avg-load", "diskstats", "drbd", "inst-status-xen", "lv",
           "xen-cpu-avg-load"]
  DEFAULT = {"active": True, "interval": 5000000}

  def _Check(self, expected, hypervisors=("xen-pvm",), **kwargs):
    """@param expected: what differs from the default

    """
    answer = {name: self.DEFAULT for name in self.NAMES}
    answer.update(expected)
    cluster = dict(kwargs, enabled_hypervisors=list(hypervisors))
    self.Check(MakeConfig(cluster=cluster), 11, [
      (query, (0, answer)) for query in [None, "x", {}, [], 5]])

  def testNothingStored(self):
    self._Check({})
    self._Check({}, data_collectors={})
    self._Check({}, data_collectors=None)

  def testStored(self):
    stored = {name: {"active": index % 2 == 0, "interval": 1000000 + index}
              for (index, name) in enumerate(self.NAMES)}
    self._Check(stored, data_collectors=stored)

  def testSomeStored(self):
    off = {"active": False, "interval": 1}
    self._Check({"lv": off}, data_collectors={"lv": off})
    self._Check({"lv": {"active": False, "interval": 5000000},
                 "drbd": {"active": True, "interval": 7}},
                data_collectors={"lv": {"active": False},
                                 "drbd": {"interval": 7}, "diskstats": {}})

  def testOthers(self):
    other = {"active": False, "interval": 12}
    self._Check({"kvm-rss": other}, data_collectors={"kvm-rss": other})

  def testIntervalIsAnInteger(self):
    # Rounded as Ganeti's daemon rounds: half to even
    for (stored, interval) in [(5000000.0, 5000000), (0.0, 0), (1.4, 1),
                               (1.5, 2), (2.5, 2), (999999.9, 1000000),
                               (-1.5, -2), (1e15, 10 ** 15)]:
      self._Check({"lv": {"active": True, "interval": interval}},
                  data_collectors={"lv": {"active": True,
                                          "interval": stored}})

  def testXen(self):
    off = {"active": False, "interval": 5000000}
    for (hypervisors, expected) in [
      (["xen-pvm"], {}), (["xen-hvm"], {}), (["kvm", "xen-hvm"], {}),
      (["kvm"], {"inst-status-xen": off}), ([], {"inst-status-xen": off}),
      (["xen"], {"inst-status-xen": off}),
      (["fake", "lxc", "chroot"], {"inst-status-xen": off})]:
      with self.subTest(hypervisors=hypervisors):
        self._Check(expected, hypervisors=hypervisors)
    # Stored as off stays off, and the interval is kept either way
    stored = {"inst-status-xen": {"active": False, "interval": 9},
              "xen-cpu-avg-load": {"active": False, "interval": 8}}
    self._Check(stored, data_collectors=stored)
    stored = {"inst-status-xen": {"active": True, "interval": 9}}
    self._Check({"inst-status-xen": {"active": False, "interval": 9}},
                hypervisors=["kvm"], data_collectors=stored)


class TestUnknownTypes(_TestCase):
  def test(self):
    snap = Snapshot(MakeConfig())
    for rtype in [None, -1, 12, 13, 63, 67, 10 ** 30, 2 ** 32, 2 ** 64, True,
                  False, 0.0, 1.0, "0", "ping", [], {}, [0]]:
      for query in [None, "node1"]:
        with self.subTest(rtype=rtype):
          self.assertEqual(Answer(snap, rtype, query), (2, None))


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Debian's ganeti-confd and ours, asked the same about the same cluster.

The configuration is a real cluster's, grown by what a cluster without disks
and with few nodes cannot have. Every answer must be the same, but for the
differences this project has chosen. Each of those has a test of its own, named
testDiffers..., which shows both sides.

"""

import copy
import json
import os
import time
import unittest

import testutils
from testutils import PING, NODE_ROLE, NODE_OF_IP, MASTER, NODE_IPS, MC_IPS
from testutils import INSTANCE_IPS, NODE_DRBD, NODE_INSTANCES, INSTANCE_DISKS
from testutils import CONFIG, COLLECTORS

from cluster import debian
from cluster import grow
from cluster import shared


#: Request types whose query is a node's or an instance's name
NODE_TYPES = [NODE_ROLE, NODE_DRBD, NODE_INSTANCES]
NAME_TYPES = NODE_TYPES + [INSTANCE_DISKS]

(OK, ERROR, NOT_IMPLEMENTED) = range(3)
(UNKNOWN_ENTRY, _, ARGUMENT, TOO_LARGE) = range(4)

MISSING = testutils.MISSING

#: Largest datagram, of ours and of Debian's client
MAX_DATAGRAM = 61440
#: Largest request Debian's daemon reads
DEBIAN_MAX_REQUEST = 4096

REDACTED = "<redacted>"

#: Largest error of rounding a time (seconds)
TIME_DEVIATION = 2e-6

#: Made by L{setUpModule}
CONFIG_DATA = KEY = DEBIAN = OURS = None


def setUpModule():
  """Makes the configuration and starts both daemons on it.

  """
  # pylint: disable=W0603
  global CONFIG_DATA, KEY, DEBIAN, OURS
  shared.Require()
  (real, KEY) = shared.Configuration()
  CONFIG_DATA = grow.Grow(real, link=shared.LINKS[1])
  try:
    DEBIAN = debian.Daemon(CONFIG_DATA, key=KEY)
    DEBIAN.Start()
    OURS = testutils.Daemon(CONFIG_DATA, key=KEY)
    OURS.Start()
  except BaseException:
    tearDownModule()
    raise


def tearDownModule():
  """Ends both daemons.

  """
  for daemon in (DEBIAN, OURS):
    if daemon is not None:
      daemon.Kill()


def _Redact(value, private=False):
  """Takes the secrets out of an answer of Debian's.

  @param value: objects of the configuration, or the whole of it
  @param private: whether all of it is secret
  @return: a copy in which each secret reads C{"<redacted>"}

  """
  if isinstance(value, dict):
    result = dict((key, _Redact(item, private or
                                key.startswith("osparams_private")))
                  for (key, item) in value.items())
    if value.get("dev_type") == "drbd":
      result["logical_id"][5] = REDACTED
    return result
  if isinstance(value, list):
    return [_Redact(item, private) for item in value]
  return REDACTED if private else value


def _Settle(debian, ours, key=None):
  """Replaces Debian's times by ours where they are the same but for rounding.

  See L{TestOtherConfigurations.testDiffersTimes}.

  @param debian: an answer, or a part of it
  @param ours: the same part of our answer
  @param key: the key it stands under
  @return: Debian's answer with our times

  """
  if isinstance(debian, dict) and isinstance(ours, dict):
    return dict((name, _Settle(item, ours.get(name), name))
                for (name, item) in debian.items())
  if isinstance(debian, list) and isinstance(ours, list):
    return ([_Settle(i, j) for (i, j) in zip(debian, ours)] +
            debian[len(ours):])
  if (key in ("ctime", "mtime") and isinstance(ours, float) and
      abs(debian - ours) < TIME_DEVIATION):
    return ours
  return debian


def _NaturalKey(name):
  """Returns a sort key that puts node2 before node10.

  Good for the names of the tests, whose only digits are at the end of a label.

  """
  return [(label.rstrip("0123456789"),
           int(label[len(label.rstrip("0123456789")):] or -1))
          for label in name.split(".")]


def _Named(kind):
  """Returns the objects of a part of the configuration, by name.

  @param kind: "nodes" or "instances"

  """
  return sorted(CONFIG_DATA[kind].values(),
                key=lambda obj: _NaturalKey(obj["name"]))


def _Nodes():
  return _Named("nodes")


def _Instances():
  return _Named("instances")


def _ShortNames(objects):
  """Returns all short names, whether they are ambiguous or not.

  """
  names = set()
  for obj in objects:
    labels = obj["name"].split(".")
    names.update(".".join(labels[:count]) for count in range(1, len(labels)))
  return sorted(names)


def _Links():
  """Returns all links of nics, one that has none, and the empty string.

  """
  links = set(["", "nowhere", _DefaultLink()])
  for inst in _Instances():
    for nic in inst["nics"]:
      links.update([_LinkOf(nic)])
  return sorted(links)


def _DefaultLink():
  return CONFIG_DATA["cluster"]["nicparams"]["default"]["link"]


def _LinkOf(nic):
  return nic["nicparams"].get("link", _DefaultLink())


def _Ips():
  """Returns the addresses of all nics, each once, and one that is nobody's.

  """
  ips = set(["192.0.2.250"])
  for inst in _Instances():
    ips.update(nic["ip"] for nic in inst["nics"] if "ip" in nic)
  return sorted(ips)


def _MasterUuid():
  return CONFIG_DATA["cluster"]["master_node"]


class _PeerTestCase(unittest.TestCase):
  """Asks both daemons.

  """
  maxDiff = None

  def _Ours(self, req_type, query=MISSING, **extra):
    """Asks ours, and checks what holds for each of its replies.

    @rtype: tuple; (int, any)
    @return: status and answer

    """
    reply = OURS.Ask(req_type, query, **extra)
    self.assertEqual(reply["serial"], CONFIG_DATA["serial_no"])
    return (reply["status"], reply["answer"])

  def _Debian(self, req_type, query=MISSING, **extra):
    """Asks Debian's.

    @rtype: tuple; (int, any)
    @return: status and answer

    """
    return DEBIAN.Answer(req_type, query, **extra)

  def _DebianIsSilent(self, req_type, query=MISSING, **extra):
    """Checks that Debian's does not answer.

    """
    message = testutils.MakeMessage(req_type, query, **extra)
    with DEBIAN.Asker() as asker:
      self.assertTrue(asker.IsIgnored(testutils.PackMessage(KEY, message)),
                      "Debian's answers: %s" % message)

  def _Same(self, req_type, query=MISSING, status=OK):
    """Checks that both answer the same.

    @param status: the expected status
    @return: the answer

    """
    debian = self._Debian(req_type, query)
    ours = self._Ours(req_type, query)
    self.assertEqual((debian[0], _Settle(_Redact(debian[1]), ours[1])), ours,
                     "Request type %s, query %r" % (req_type, query))
    self.assertEqual(ours[0], status)
    return ours[1]

  def _SameAfter(self, change, req_type, query=MISSING):
    """Checks that both answer the same, but for a known difference.

    @param change: function that makes the expected answer of Debian's

    """
    (status, answer) = self._Debian(req_type, query)
    self.assertEqual(status, OK)
    ours = self._Ours(req_type, query)
    self.assertEqual((OK, _Settle(change(answer), ours[1])), ours,
                     "Request type %s, query %r" % (req_type, query))
    return ours[1]


class TestSame(_PeerTestCase):
  """Requests that both answer alike.

  """
  def testPing(self):
    """The configuration's version, whatever the query.

    """
    for query in (MISSING, None, "", "node1.example.com", {}, {"1": "x"}):
      with self.subTest(query=query):
        self.assertEqual(self._Same(PING, query), CONFIG_DATA["version"])

  def testNodeRoleByName(self):
    """Every node; together they have every role.

    """
    roles = set()
    for node in _Nodes():
      roles.add(self._Same(NODE_ROLE, node["name"]))
    self.assertEqual(roles, set(range(5)))

  def testNodeRoleByUuidAndShortName(self):
    """Every node but the master, about which they differ.

    """
    for node in _Nodes():
      if node["uuid"] != _MasterUuid():
        self._Same(NODE_ROLE, node["uuid"])
    for name in ("node2", "node2.example", "node4", "node10", "store",
                 "store.example"):
      self._Same(NODE_ROLE, name)

  def testNodeOfIp(self):
    """Every address on every link, and on the default link.

    """
    found = set()
    for ip in _Ips():
      for link in _Links() + [None, MISSING]:
        query = {"1": ip}
        if link is not MISSING:
          query["0"] = link
        (status, answer) = self._Debian(NODE_OF_IP, query)
        self.assertEqual((status, answer), self._Ours(NODE_OF_IP, query),
                         "Query %r" % query)
        if status == OK:
          found.add(answer)
        else:
          self.assertEqual((status, answer), (ERROR, UNKNOWN_ENTRY))
    self.assertGreater(len(found), 5)

  def testNodeOfIpWinsOverList(self):
    """With both "1" and "2", only "1" counts; null is as good as missing.

    """
    ip = _Ips()[0]
    self._Same(NODE_OF_IP, {"1": "10.77.1.61", "2": ["10.77.1.64"]})
    self._Same(NODE_OF_IP, {"1": "10.77.1.61", "2": None, "3": None})
    self._Same(NODE_OF_IP, {"1": "", "2": [ip]}, status=ERROR)

  def testNodeOfIpIsText(self):
    """Addresses are compared as text.

    """
    self._Same(NODE_OF_IP, {"1": "2001:db8::61", "0": "v6"})
    for ip in ("2001:DB8::61", "2001:db8:0::61", " 2001:db8::61"):
      self._Same(NODE_OF_IP, {"1": ip, "0": "v6"}, status=ERROR)

  def testNodeOfNoIp(self):
    """No list is an empty list.

    """
    for query in ({}, {"2": []}, {"2": None}, {"1": None}, {"0": "200"},
                  {"0": "nowhere", "2": []}):
      with self.subTest(query=query):
        self.assertEqual(self._Same(NODE_OF_IP, query), [])

  def testNodeOfIpWithoutArgument(self):
    """No query at all.

    """
    for query in (MISSING, None):
      self.assertEqual(self._Same(NODE_OF_IP, query, status=ERROR), ARGUMENT)

  def testMaster(self):
    """The name, without a query.

    """
    for query in (MISSING, None):
      self.assertEqual(self._Same(MASTER, query), "node1.example.com")

  def testMasterFields(self):
    """Fields in every order, also repeated.

    """
    for fields in ([0], [1], [2], [0, 1, 2], [2, 1, 0], [1, 1, 0], []):
      with self.subTest(fields=fields):
        self.assertEqual(len(self._Same(MASTER, {"3": fields})), len(fields))
    for query in ({}, {"3": None}, {"1": "10.77.1.10"}):
      self.assertEqual(self._Same(MASTER, query), [])

  def testMasterWithText(self):
    """A string that is not empty is no query about the master.

    """
    self.assertEqual(self._Same(MASTER, "node1", status=ERROR), ARGUMENT)

  def testNodeDrbd(self):
    """Every node, by all its names, and each DRBD disk from both ends.

    """
    rows = []
    for node in _Nodes():
      answer = self._SameAfter(self._ByInstance, NODE_DRBD, node["name"])
      rows.extend(answer)
      self.assertEqual(self._Ours(NODE_DRBD, node["uuid"]), (OK, answer))
      self._SameAfter(self._ByInstance, NODE_DRBD, node["uuid"])
    self.assertEqual(len(rows), 2 * 6)
    for name in ("node1", "node3", "node10", "node2.example"):
      self._SameAfter(self._ByInstance, NODE_DRBD, name)

  @staticmethod
  def _ByInstance(rows):
    """Sorts Debian's rows as ours are; see L{TestOrder}.

    """
    return sorted(rows, key=lambda row: _NaturalKey(row[2]))

  @staticmethod
  def _ByName(answer):
    """Sorts Debian's instances as ours are; see L{TestOrder}.

    """
    return [_Redact(sorted(i, key=lambda inst: _NaturalKey(inst["name"])))
            for i in answer]

  def testNodeInstances(self):
    """Every node by all its names.

    """
    primary = []
    secondary = []
    for node in _Nodes():
      if node["name"] == grow.CROWDED_NODE:
        continue
      for name in (node["name"], node["uuid"]):
        answer = self._SameAfter(self._ByName, NODE_INSTANCES, name)
      primary.extend(answer[0])
      secondary.extend(answer[1])
    self.assertEqual(len(primary), len(_Instances()) - grow.CROWD)
    self.assertEqual(len(secondary), 4)
    for name in ("node1", "node2", "node6.example.com"):
      self._SameAfter(self._ByName, NODE_INSTANCES, name)

  def testInstanceDisks(self):
    """Every instance by all its names, disks of every kind.

    """
    kinds = set()
    for inst in _Instances():
      answer = self._Same(INSTANCE_DISKS, inst["name"])
      kinds.update(disk["dev_type"] for disk in answer)
      self.assertEqual(self._Same(INSTANCE_DISKS, inst["uuid"]), answer)
      self.assertEqual([disk["uuid"] for disk in answer], inst["disks"])
    self.assertEqual(kinds, set(["drbd", "plain", "file"]))
    for name in ("inst10", "mirror10", "nested.example", "web"):
      self._Same(INSTANCE_DISKS, name)

  def testInstanceIps(self):
    """Every link: the same addresses. For their order see L{TestOrder}.

    """
    for link in _Links() + [None, MISSING]:
      (status, debian) = self._Debian(INSTANCE_IPS, link)
      self.assertEqual(status, OK)
      (status, ours) = self._Ours(INSTANCE_IPS, link)
      self.assertEqual((OK, debian), (status, sorted(ours)), "Link %r" % link)

  def testCollectors(self):
    """The monitoring daemon's settings, whatever the query.

    """
    for query in (MISSING, None, "", "x", {}):
      with self.subTest(query=query):
        self.assertEqual(len(self._Same(COLLECTORS, query)), 6)

  def testIgnoredQueries(self):
    """The lists of nodes look at no query.

    """
    for req_type in (NODE_IPS, MC_IPS):
      for query in (MISSING, None, "", "x", {}, {"0": "200"}):
        self.assertEqual(sorted(self._Debian(req_type, query)[1]),
                         sorted(self._Ours(req_type, query)[1]))


class TestConfigQuery(_PeerTestCase):
  """JSON pointers.

  """
  def _Paths(self, value, ours, path=""):
    """Yields the pointers to all values inside a value.

    @param ours: the same value without secrets
    @return: tuples of pointer, value, and value without secrets

    """
    yield (path, value, ours)
    if isinstance(value, dict):
      for key in value:
        name = key.replace("~", "~0").replace("/", "~1")
        for i in self._Paths(value[key], ours[key], "%s/%s" % (path, name)):
          yield i
    elif isinstance(value, list):
      for (idx, item) in enumerate(value):
        for i in self._Paths(item, ours[idx], "%s/%d" % (path, idx)):
          yield i

  def testEveryValue(self):
    """Every value that fits, on every level, is the stored one.

    """
    config = copy.deepcopy(CONFIG_DATA)
    for (uuid, inst) in CONFIG_DATA["instances"].items():
      # All alike, there for their number only
      if inst["name"].startswith("crowd"):
        del config["instances"][uuid]
    count = 0
    for (path, value, ours) in self._Paths(config, _Redact(config)):
      if path not in ("", "/instances"):
        (status, answer) = self._Debian(CONFIG, path)
        answer = _Settle(answer, value, path.split("/")[-1])
        self.assertEqual((status, answer), (OK, value), path)
        self.assertEqual(self._Ours(CONFIG, path), (OK, ours), path)
        count += 1
    self.assertGreater(count, 1000)

  def testEscapes(self):
    """"~1" is a slash, "~0" a tilde, in this order only.

    """
    base = "/cluster/osparams/"
    self.assertEqual(self._Same(CONFIG, base + "other~1os/a~0b"), "escaped")
    for path in ("other/os", "other~01os", "other~1os/a~b", "other~1os/a~01b",
                 "other~1os/a~2b", "other~1os/a~"):
      self._Same(CONFIG, base + path, status=ERROR)

  def testNowhere(self):
    """Pointers that lead nowhere, or are none.

    """
    name = "/cluster/cluster_name"
    for path in ("/nope", "/", "//", "cluster", " /version", "/version ",
                 "/Version", name + "/", name + "/0", name + "/name",
                 "/cluster/", "/cluster/tags/2", "/cluster/tags/-",
                 "/cluster/tags/-1", "/cluster/tags/+1", "/cluster/tags/",
                 "/cluster/tags/x", "/cluster/tags/ 1", "/cluster/tags/0/0",
                 "/version/0", "/nodes/node1.example.com", "/maintenance"):
      with self.subTest(path=path):
        self.assertEqual(self._Same(CONFIG, path, status=ERROR), ARGUMENT)

  def testDiffersWholeDocument(self):
    """The empty pointer is the whole document, and no error as in Debian's.

    As it does not fit into a datagram, ours says just that.

    """
    self.assertEqual(self._Debian(CONFIG, ""), (ERROR, ARGUMENT))
    self.assertEqual(self._Ours(CONFIG, ""), (ERROR, TOO_LARGE))

  def testDiffersIndexes(self):
    """Array indexes are read strictly (RFC 6901, section 4).

    Debian's takes leading zeros, ignores what follows the digits, and counts
    modulo 2 ** 64.

    """
    tags = CONFIG_DATA["cluster"]["tags"]
    for (index, debian) in [("00", 0), ("01", 1), ("1x", 1), ("1 ", 1),
                            ("1.0", 1), ("1e0", 1), (str(2 ** 64), 0),
                            (str(2 ** 64 + 1), 1)]:
      with self.subTest(index=index, debian=debian):
        path = "/cluster/tags/%s" % index
        self.assertEqual(self._Debian(CONFIG, path), (OK, tags[debian]))
        self.assertEqual(self._Ours(CONFIG, path), (ERROR, ARGUMENT))

  def testDiffersMalformedPointers(self):
    """A wrong escape or an empty key is not the end of the pointer.

    """
    for path in ("/version~", "/version~x/y", "/cluster/cluster_name~2",
                 "/nodes//x", "/filters//"):
      with self.subTest(path=path):
        cut = self._Ours(CONFIG, path.partition("~")[0].partition("//")[0])
        (status, answer) = self._Debian(CONFIG, path)
        self.assertEqual((status, _Settle(_Redact(answer), cut[1])), cut)
        self.assertEqual(status, OK)
        self.assertEqual(self._Ours(CONFIG, path), (ERROR, ARGUMENT))


class TestOrder(_PeerTestCase):
  """Ours sorts by name, naturally; Debian's in other ways.

  """
  def _CheckNodeIps(self, req_type, nodes):
    """Checks a list of nodes' addresses.

    @param nodes: the nodes that are on the list, by name

    """
    expected = [node["primary_ip"] for node in nodes]
    self.assertEqual(self._Ours(req_type), (OK, expected))
    (status, debian) = self._Debian(req_type)
    self.assertEqual(status, OK)
    self.assertNotEqual(debian, expected)
    self.assertEqual(sorted(debian), sorted(expected))

  def testDiffersNodeIps(self):
    """All nodes.

    """
    self._CheckNodeIps(NODE_IPS, _Nodes())

  def testDiffersCandidateIps(self):
    """All master candidates, the master among them.

    A candidate that is offline or drained is one nevertheless.

    """
    self._CheckNodeIps(MC_IPS,
                       [node for node in _Nodes() if node["master_candidate"]])

  def testDiffersInstanceIps(self):
    """By instance, then nic; Debian's by the address as text.

    """
    for link in _Links():
      expected = [nic["ip"] for inst in _Instances() for nic in inst["nics"]
                  if "ip" in nic and _LinkOf(nic) == link]
      self.assertEqual(self._Ours(INSTANCE_IPS, link), (OK, expected))
      self.assertEqual(self._Debian(INSTANCE_IPS, link),
                       (OK, sorted(expected)))
      if link == _DefaultLink():
        self.assertNotEqual(sorted(expected), expected)

  def testDiffersNodeDrbd(self):
    """By instance name, then disk; Debian's by the instance's UUID.

    """
    (status, ours) = self._Ours(NODE_DRBD, "node3.example.com")
    self.assertEqual(status, OK)
    self.assertEqual([(row[2], row[3]) for row in ours],
                     [("mirror2.example.com", "disk/0"),
                      ("mirror10.example.com", "disk/0")])
    (_, debian) = self._Debian(NODE_DRBD, "node3.example.com")
    self.assertEqual(debian, sorted(ours, key=lambda row:
                                    grow.Uuid(row[2])))
    self.assertNotEqual(debian, ours)

  def testDiffersNodeInstances(self):
    """By name; Debian's by UUID.

    """
    differ = 0
    for node in _Nodes():
      if node["name"] != grow.CROWDED_NODE:
        (_, ours) = self._Ours(NODE_INSTANCES, node["name"])
        (_, debian) = self._Debian(NODE_INSTANCES, node["name"])
        differ += (_Settle(_Redact(debian), ours) != ours)
        for instances in ours:
          names = [inst["name"] for inst in instances]
          self.assertEqual(names, sorted(names, key=_NaturalKey))
        for instances in debian:
          uuids = [inst["uuid"] for inst in instances]
          self.assertEqual(uuids, sorted(uuids))
    self.assertGreater(differ, 0)


class TestDifferences(_PeerTestCase):
  """Where ours answers otherwise than Debian's, on purpose.

  """
  def testDiffersSerial(self):
    """Always the configuration's; Debian's: whatever object was looked at.

    """
    serial = CONFIG_DATA["serial_no"]
    cluster_serial = CONFIG_DATA["cluster"]["serial_no"]
    node = grow.FindNode(CONFIG_DATA, "node4.example.com")
    inst = grow.FindInstance(CONFIG_DATA, "mirror1.example.com")
    for (req_type, query, debian) in [
      (PING, None, 0),
      (NODE_ROLE, node["name"], cluster_serial),
      (NODE_OF_IP, {"1": "10.77.1.61"}, cluster_serial),
      (NODE_OF_IP, {"1": "192.0.2.250"}, 0),
      (MASTER, None, cluster_serial),
      (NODE_IPS, None, cluster_serial),
      (MC_IPS, None, cluster_serial),
      (INSTANCE_IPS, None, cluster_serial),
      (NODE_DRBD, node["name"], node["serial_no"]),
      (NODE_INSTANCES, node["name"], node["serial_no"]),
      (INSTANCE_DISKS, inst["name"], inst["serial_no"]),
      (CONFIG, "/version", cluster_serial),
      (CONFIG, "/nope", 0),
      (COLLECTORS, None, cluster_serial),
      ]:
      with self.subTest(req_type=req_type, query=query):
        self.assertNotEqual(debian, serial)
        self.assertEqual(DEBIAN.Ask(req_type, query)["serial"], debian)
        self.assertEqual(OURS.Ask(req_type, query)["serial"], serial)

  def testDiffersMasterFieldsAsText(self):
    """Ganeti's own confd-client sends numbers as text; Debian's is silent.

    """
    numbers = [2, 0, 1]
    query = {"3": [str(number) for number in numbers]}
    self._DebianIsSilent(MASTER, query)
    self.assertEqual(self._Ours(MASTER, query),
                     self._Ours(MASTER, {"3": numbers}))
    self.assertEqual(self._Ours(MASTER, query)[0], OK)

  def testDiffersMasterOfEmptyText(self):
    """An empty string is no query.

    """
    self.assertEqual(self._Debian(MASTER, ""), (ERROR, ARGUMENT))
    self.assertEqual(self._Ours(MASTER, ""), (OK, "node1.example.com"))

  def testDiffersNodeOfIpList(self):
    """A list's items are pairs; Debian's adds each one's serial.

    """
    serial = CONFIG_DATA["cluster"]["serial_no"]
    for link in _Links() + [None, MISSING]:
      query = {"2": _Ips() + _Ips()[:2]}
      if link is not MISSING:
        query["0"] = link
      (status, debian) = self._Debian(NODE_OF_IP, query)
      self.assertEqual(status, OK)
      for item in debian:
        self.assertIn((len(item), item[0], item[2]),
                      [(3, OK, serial), (3, ERROR, 0)])
      self.assertEqual(self._Ours(NODE_OF_IP, query),
                       (OK, [item[:2] for item in debian]))

  def testDiffersNodeOfBareIp(self):
    """An address alone, as in Ganeti 2.1, is a query.

    """
    for ip in _Ips():
      self.assertEqual(self._Debian(NODE_OF_IP, ip), (ERROR, ARGUMENT))
      self.assertEqual(self._Ours(NODE_OF_IP, ip),
                       self._Ours(NODE_OF_IP, {"1": ip}))

  def testDiffersMasterByUuidAndShortName(self):
    """The master is the master by any name.

    """
    for name in (_MasterUuid(), "node1", "node1.example"):
      self.assertEqual(self._Debian(NODE_ROLE, name), (OK, 1))
      self.assertEqual(self._Ours(NODE_ROLE, name), (OK, 0))

  def testDiffersUnknownNames(self):
    """An unknown or ambiguous name has an error number; Debian's has a text.

    """
    for req_type in NAME_TYPES:
      for name in ("nope", "", "node", "node1.", "NODE1.EXAMPLE.COM",
                   "node1.example.com.", "mirror1.", "inst10.example.org"):
        (status, answer) = self._Debian(req_type, name)
        self.assertEqual(status, ERROR)
        self.assertIn("%s not found" % name, answer)
        self.assertEqual(self._Ours(req_type, name), (ERROR, UNKNOWN_ENTRY))
    ambiguous = [(req_type, "node6") for req_type in NODE_TYPES]
    ambiguous.append((INSTANCE_DISKS, "mirror1"))
    for (req_type, name) in ambiguous:
      (status, answer) = self._Debian(req_type, name)
      self.assertEqual(status, ERROR)
      self.assertIn("multiple matches", answer)
      self.assertEqual(self._Ours(req_type, name), (ERROR, UNKNOWN_ENTRY))

  def testShortNames(self):
    """Every short name there is: both find the same, or both find nothing.

    """
    for (objects, req_types) in [(_Nodes(), [NODE_DRBD, NODE_ROLE]),
                                 (_Instances(), [INSTANCE_DISKS])]:
      for name in _ShortNames(objects):
        for req_type in req_types:
          debian = self._Debian(req_type, name)
          ours = self._Ours(req_type, name)
          self.assertEqual(debian[0], ours[0], name)
          if req_type == INSTANCE_DISKS and ours[0] == OK:
            self.assertEqual(_Settle(_Redact(debian[1]), ours[1]), ours[1])

  def testDiffersNoName(self):
    """No name at all, where one is needed.

    A role never has error 2, as that is also the role "offline", and
    ganeti-watcher does not look at the status.

    """
    for query in (MISSING, None, {}):
      for req_type in NAME_TYPES + [CONFIG]:
        (status, answer) = self._Debian(req_type, query)
        self.assertEqual(status, ERROR)
        self.assertIn("Invalid query type", answer)
        expected = UNKNOWN_ENTRY if req_type == NODE_ROLE else ARGUMENT
        self.assertEqual(self._Ours(req_type, query), (ERROR, expected))

  def testDiffersLinkInDict(self):
    """A list of addresses takes its link alone, not in a dict.

    """
    for query in ({}, {"0": "200"}):
      self.assertEqual(self._Debian(INSTANCE_IPS, query),
                       (ERROR, "Invalid query type"))
      self.assertEqual(self._Ours(INSTANCE_IPS, query), (ERROR, ARGUMENT))

  def _CheckMalformed(self, req_type, query):
    """Checks that a query is an error to ours, and to Debian's no request.

    """
    self._DebianIsSilent(req_type, query)
    expected = UNKNOWN_ENTRY if req_type == NODE_ROLE else ARGUMENT
    self.assertEqual(self._Ours(req_type, query), (ERROR, expected),
                     "Request type %s, query %r" % (req_type, query))

  def testDiffersMalformedQueries(self):
    """A query of the wrong type gets an answer.

    """
    for req_type in NAME_TYPES + [NODE_OF_IP, MASTER, INSTANCE_IPS, CONFIG]:
      self._CheckMalformed(req_type, ["node1.example.com"])
    for query in ({"1": 5}, {"0": 200, "1": "10.77.1.10"}, {"2": "10.77.1.10"},
                  {"2": [5]}, {"2": [None]}, {"2": ["10.77.1.10", {}]}):
      self._CheckMalformed(NODE_OF_IP, query)
    for query in ({"3": [3]}, {"3": [-1]}, {"3": [True]}, {"3": [None]},
                  {"3": 0}, {"3": "0"}, {"3": {}}, {"3": ["x"]}, {"3": [[]]}):
      self._CheckMalformed(MASTER, query)

  def testDiffersIgnoredQueries(self):
    """A query that does not matter may be anything.

    """
    for req_type in (PING, NODE_IPS, MC_IPS, COLLECTORS):
      for query in ([1], {"x": 1}):
        self._DebianIsSilent(req_type, query)
        self.assertEqual(self._Ours(req_type, query), self._Ours(req_type))

  def testDiffersUnknownQueryKeys(self):
    """Unknown keys of a query are ignored.

    """
    self._DebianIsSilent(NODE_OF_IP, {"1": "10.77.1.61", "9": 1})
    self.assertEqual(self._Ours(NODE_OF_IP, {"1": "10.77.1.61", "9": 1}),
                     self._Ours(NODE_OF_IP, {"1": "10.77.1.61"}))
    self._DebianIsSilent(MASTER, {"3": [0], "x": 1})
    self.assertEqual(self._Ours(MASTER, {"3": [0], "x": 1}),
                     (OK, ["node1.example.com"]))

  def testDiffersUnusedQueryKeys(self):
    """Keys that the request type has no use for may be anything.

    """
    self._DebianIsSilent(MASTER, {"3": [0], "1": 5})
    self.assertEqual(self._Ours(MASTER, {"3": [0], "1": 5}),
                     (OK, ["node1.example.com"]))

  def testDiffersFractions(self):
    """A number with a fraction is no field; Debian's rounds it.

    """
    self.assertEqual(self._Debian(MASTER, {"3": [0.0]}),
                     (OK, ["node1.example.com"]))
    self.assertEqual(self._Ours(MASTER, {"3": [0.0]}), (ERROR, ARGUMENT))

  def testDiffersUnknownKeys(self):
    """Unknown keys of a request are ignored.

    """
    self._DebianIsSilent(PING, extra=1)
    self.assertEqual(self._Ours(PING, extra=1), self._Ours(PING))

  def testDiffersUnknownTypes(self):
    """An unknown request type is not implemented.

    """
    for req_type in (12, 63, -1, 1000000, "0", None, True, [0]):
      with self.subTest(req_type=req_type):
        self._DebianIsSilent(req_type)
        self.assertEqual(self._Ours(req_type), (NOT_IMPLEMENTED, None))

  def testDiffersProtocol(self):
    """Another protocol is not implemented; Debian's takes any number.

    """
    for protocol in (0, 2):
      self.assertEqual(self._Debian(PING, protocol=protocol)[0], OK)
      self.assertEqual(self._Ours(PING, protocol=protocol),
                       (NOT_IMPLEMENTED, None))
    for protocol in ("1", None):
      self._DebianIsSilent(PING, protocol=protocol)
      self.assertEqual(self._Ours(PING, protocol=protocol),
                       (NOT_IMPLEMENTED, None))

  def testDiffersEmptySalt(self):
    """A reply with an empty salt would fit any request: silence.

    """
    message = testutils.MakeMessage(PING, rsalt="")
    self.assertEqual(DEBIAN.asker.AskMessage(message)["status"], OK)
    self.assertTrue(OURS.IsIgnored(testutils.PackMessage(KEY, message)))

  def testSilence(self):
    """Datagrams that are no requests to either of them.

    """
    def _Pack(salt=None, key=KEY, **extra):
      return testutils.PackMessage(key, testutils.MakeMessage(PING, **extra),
                                   salt=salt)

    good = _Pack()
    now = int(time.time())
    for (what, datagram) in [
      ("empty", b""),
      ("fourcc only", good[:4]),
      ("no fourcc", good[4:]),
      ("other fourcc", b"plj1" + good[4:]),
      ("cut", good[:-1]),
      ("other key", _Pack(key=b"x" * 41)),
      ("no newline in the key", _Pack(key=KEY.rstrip(b"\n"))),
      ("junk behind", good + b"x"),
      ("list", testutils.PackEnvelope([])),
      ("nothing in it", testutils.PackEnvelope({})),
      ("an hour old", _Pack(salt="%d" % (now - 3600))),
      ("an hour ahead", _Pack(salt="%d" % (now + 3600))),
      ("no time", _Pack(salt="now")),
      ("a time with a fraction", _Pack(salt="%d.0" % now)),
      ("a time with a sign", _Pack(salt="+%d" % now)),
      ("a time with a space", _Pack(salt="%d " % now)),
      ("no rsalt", _Pack(rsalt=MISSING)),
      ("rsalt 5", _Pack(rsalt=5)),
      ("message no JSON", testutils.PackText(KEY, "%d" % now, "ping")),
      ("message a list", testutils.PackText(KEY, "%d" % now, "[]")),
      ("signature cut", testutils.PackEnvelope({
        "msg": "{}", "salt": "%d" % now,
        "hmac": testutils.Sign(KEY, "%d{}" % now)[:39]})),
      ]:
      with self.subTest(what=what, datagram=datagram):
        for (who, daemon) in (("Debian's", DEBIAN), ("Ours", OURS)):
          with daemon.Asker() as asker:
            self.assertTrue(asker.IsIgnored(datagram),
                            "%s answers: %s" % (who, what))

  def testSignatureInUpperCase(self):
    """Hexadecimal digits in either case.

    """
    msg = json.dumps(testutils.MakeMessage(PING))
    salt = "%d" % time.time()
    datagram = testutils.PackEnvelope({
      "msg": msg, "salt": salt,
      "hmac": testutils.Sign(KEY, salt + msg).upper()})
    for daemon in (DEBIAN, OURS):
      self.assertIsNotNone(daemon.AskRaw(datagram))

  def testDiffersTimeFormat(self):
    """The time is digits only; Debian's takes more ways to write a number.

    """
    for form in (" %d", "(%d)", "0x%x"):
      datagram = testutils.PackMessage(KEY, testutils.MakeMessage(PING),
                                       salt=form % int(time.time()))
      self.assertIsNotNone(DEBIAN.AskRaw(datagram))
      self.assertTrue(OURS.IsIgnored(datagram))

  def testDiffersUnknownEnvelopeKeys(self):
    """Ours ignores unknown keys beside message and signature, too.

    """
    msg = json.dumps(testutils.MakeMessage(PING))
    salt = "%d" % time.time()
    datagram = testutils.PackEnvelope({
      "msg": msg, "salt": salt, "hmac": testutils.Sign(KEY, salt + msg),
      "more": 1})
    self.assertTrue(DEBIAN.IsIgnored(datagram))
    self.assertIsNotNone(OURS.AskRaw(datagram))

  def testDiffersReaders(self):
    """Debian's has no readers' keys: it is silent, whatever the label says.

    """
    message = testutils.MakeMessage(PING, "")
    for (label, answer) in [("a:all:never", None), ("a:ping:20991231", None),
                            ("a:stats:never", 4), ("a:all:20200101", 4)]:
      datagram = testutils.PackMessage(KEY, message, label=label)
      self.assertTrue(DEBIAN.IsIgnored(datagram))
      (_, reply) = testutils.UnpackReply(KEY, OURS.AskRaw(datagram),
                                         label=label)
      self.assertEqual(reply["status"], OK if answer is None else ERROR)
      self.assertEqual(reply["answer"], answer or reply["answer"])
    # Nor does it take a label beside its own key's signature
    for label in ["a:all:never", None, 5]:
      datagram = testutils.PackEnvelope(dict(json.loads(
        testutils.PackMessage(KEY, message)[4:]), key=label))
      self.assertTrue(DEBIAN.IsIgnored(datagram))
      self.assertTrue(OURS.IsIgnored(datagram))

  def testDiffersRequestSize(self):
    """Ours reads more than the 4,096 bytes of Debian's.

    """
    size = len(testutils.PackMessage(KEY, testutils.MakeMessage(PING, "")))
    fits = "x" * (DEBIAN_MAX_REQUEST - size)
    self._Same(PING, fits)
    self._DebianIsSilent(PING, fits + "x")
    self._Ours(PING, fits + "x")
    self._Ours(PING, "x" * (MAX_DATAGRAM - size))

  def testDiffersTooLarge(self):
    """An answer that does not fit: ours says so, Debian's is silent.

    """
    for (req_type, query) in [(NODE_INSTANCES, grow.CROWDED_NODE),
                              (CONFIG, "/instances")]:
      self._DebianIsSilent(req_type, query)
      self.assertEqual(self._Ours(req_type, query), (ERROR, TOO_LARGE))

  def testDiffersSecrets(self):
    """No secret leaves ours; what is beside it and its shape do.

    """
    nested = grow.Uuid("nested.example.com")
    mirror = "/disks/%s" % grow.Uuid("disk mirror1-0")
    for (req_type, query) in [
      (NODE_INSTANCES, "node6.example.com"),
      (INSTANCE_DISKS, "mirror1.example.com"),
      (INSTANCE_DISKS, "nested.example.com"),
      (CONFIG, "/disks"),
      (CONFIG, mirror),
      (CONFIG, mirror + "/logical_id"),
      (CONFIG, mirror + "/logical_id/5"),
      (CONFIG, "/disks/%s/children/0" % grow.Uuid("disk nested-0")),
      (CONFIG, "/instances/%s" % nested),
      (CONFIG, "/instances/%s/osparams_private" % nested),
      (CONFIG, "/instances/%s/osparams_private/password" % nested),
      (CONFIG, "/cluster"),
      (CONFIG, "/cluster/osparams_private_cluster"),
      (CONFIG, "/cluster/osparams_private_cluster/noop"),
      (CONFIG, "/cluster/osparams_private_cluster/noop/root_password"),
      ]:
      with self.subTest(req_type=req_type, query=query):
        (status, debian) = self._Debian(req_type, query)
        self.assertEqual(status, OK)
        self.assertIn(grow.SECRET, json.dumps(debian))
        (status, ours) = self._Ours(req_type, query)
        self.assertEqual(status, OK)
        text = json.dumps(ours)
        self.assertNotIn(grow.SECRET, text)
        self.assertIn(REDACTED, text)
    self.assertEqual(self._Ours(CONFIG, "/instances/%s/osparams_private" %
                                nested),
                     (OK, {"password": REDACTED, "token": REDACTED}))
    # Not everything: only the last item of the logical id is secret
    self.assertEqual(self._Ours(CONFIG, mirror + "/logical_id/2"), (OK, 11000))
    self.assertEqual(self._Ours(CONFIG, "/instances/%s/osparams" % nested),
                     (OK, {"release": "stable"}))


class TestOtherConfigurations(unittest.TestCase):
  """Both daemons on other configurations, started for each of them.

  """
  maxDiff = None

  def _Start(self, config, **kwargs):
    """Starts both daemons.

    @param config: the configuration, None for none
    @param kwargs: for both daemons
    @return: tuple of Debian's and ours

    """
    pair = []
    for cls in (debian.Daemon, testutils.Daemon):
      daemon = cls(config, key=KEY, **kwargs)
      self.addCleanup(daemon.Kill)
      daemon.Start()
      pair.append(daemon)
    return tuple(pair)

  def testDiffersNoConfiguration(self):
    """A daemon without configuration: ours is silent, Debian's complains.

    """
    (debians, ours) = self._Start(None)
    # Debian's daemon runs, and still has to notice that the file is gone
    reply = debians.Ask(PING)
    self.assertEqual((reply["status"], reply["serial"]), (ERROR, 0))
    self.assertIsInstance(reply["answer"], str)
    with ours.Asker() as asker:
      self.assertRaises(testutils.NoReply, asker.Ask, PING, timeout=1)

  @unittest.skipUnless(testutils.HasIpv6(), "no IPv6")
  def testIpv6(self):
    """Over IPv6.

    """
    for daemon in self._Start(CONFIG_DATA, address="::1"):
      self.assertEqual(daemon.Answer(PING), (OK, CONFIG_DATA["version"]))
      self.assertEqual(daemon.Answer(MASTER), (OK, "node1.example.com"))

  def _Move(self, config, name):
    """Changes an instance's primary node in a configuration.

    @param name: the node's name
    @return: tuple of a question about it and the answer

    """
    node = grow.FindNode(config, name)
    inst = grow.FindInstance(config, "mirror1.example.com")
    inst["primary_node"] = node["uuid"]
    config["serial_no"] += 1
    return ((NODE_OF_IP, {"1": "10.77.1.61"}), (OK, node["primary_ip"]))

  def _WaitForAnswer(self, daemon, question, answer):
    testutils.WaitFor(lambda: daemon.Answer(*question) == answer,
                      "%s answers %r" % (type(daemon), answer))

  def testChange(self):
    """Both follow when the file is replaced.

    """
    config = copy.deepcopy(CONFIG_DATA)
    pair = self._Start(config)
    for name in ("node3.example.com", "node5.example.com",
                 "node6.example.com"):
      (question, answer) = self._Move(config, name)
      for daemon in pair:
        daemon.WriteConfig(config)
      for daemon in pair:
        self._WaitForAnswer(daemon, question, answer)

  def testDiffersChangeInPlace(self):
    """Ours follows also when the file is written in place.

    Debian's looks at inode, size and the whole seconds of the time: two
    changes within a second are one to it.

    """
    config = copy.deepcopy(CONFIG_DATA)
    (debians, ours) = self._Start(config)
    (question, before) = self._Move(config, "node3.example.com")
    for daemon in (debians, ours):
      daemon.WriteConfig(config)
      self._WaitForAnswer(daemon, question, before)
    (question, after) = self._Move(config, "node5.example.com")
    for daemon in (debians, ours):
      stat = os.stat(daemon.config_file)
      with open(daemon.config_file, "w", encoding="ascii") as outfile:
        json.dump(config, outfile)
        outfile.flush()
        os.utime(daemon.config_file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    self._WaitForAnswer(ours, question, after)
    time.sleep(0.5)
    self.assertEqual(debians.Answer(*question), before)

  def _Collectors(self, collectors, hypervisors):
    """Asks both for the collectors of a cluster with these settings.

    """
    config = copy.deepcopy(CONFIG_DATA)
    config["cluster"]["data_collectors"] = collectors
    config["cluster"]["enabled_hypervisors"] = hypervisors
    (debians, ours) = self._Start(config)
    return (debians.Ask(COLLECTORS)["answer"], ours.Ask(COLLECTORS)["answer"])

  def testCollectors(self):
    """Stored or not, with Xen or without.

    The interval is stored as a fraction by Ganeti 2.16, and rounded.

    """
    def _Every(*intervals):
      names = ["lv", "drbd", "diskstats", "cpu-avg-load"]
      return dict((name, {"active": True, "interval": interval})
                  for (name, interval) in zip(names, intervals))

    off = {"active": False, "interval": 7000000}
    on = {"active": True, "interval": 6000000.0}
    for (collectors, hypervisors, xen) in [
      ({}, ["fake"], False),
      ({}, ["kvm", "xen-hvm"], True),
      ({"inst-status-xen": on, "xen-cpu-avg-load": on, "lv": off}, ["kvm"],
       False),
      ({"inst-status-xen": on, "xen-cpu-avg-load": off}, ["xen-pvm"], True),
      ({"inst-status-xen": off, "diskstats": on}, ["xen-pvm"], False),
      (_Every(1.5, 2.5, 4999999.9, 0.25), ["fake"], False),
      (_Every(-1.5, 5000000.5, 5000001.5, 1e15), ["fake"], False),
      ]:
      with self.subTest(collectors=collectors, hypervisors=hypervisors):
        (debian, ours) = self._Collectors(collectors, hypervisors)
        self.assertEqual(debian, ours)
        # Equal numbers, and of one type
        self.assertEqual(json.dumps(debian, sort_keys=True),
                         json.dumps(ours, sort_keys=True))
        self.assertEqual(len(ours), 6)
        self.assertIs(ours["inst-status-xen"]["active"], xen)

  def testDiffersOtherCollectors(self):
    """A collector that Ganeti 3.0 does not know is answered if it is stored.

    """
    other = {"active": True, "interval": 1000}
    (debian, ours) = self._Collectors({"kvm-inst-rss": other}, ["fake"])
    self.assertEqual(ours.pop("kvm-inst-rss"), other)
    self.assertEqual(debian, ours)

  def testDiffersSameIpTwice(self):
    """Of instances with one address on one link, the first by name has it.

    Debian's takes the last by UUID. Both list the address once.

    """
    config = copy.deepcopy(CONFIG_DATA)
    nics = [{"mac": "aa:00:00:00:00:01", "ip": "10.77.9.9", "nicparams": {},
             "uuid": grow.Uuid("twice")}]
    names = ["twice1.example.com", "twice2.example.com", "twice3.example.com"]
    nodes = ["node1.example.com", "node2.example.com", "node3.example.com"]
    for (name, node) in zip(names, nodes):
      grow.AddInstance(config, name, node, nics=nics)
    last = max(zip(names, nodes), key=lambda pair: grow.Uuid(pair[0]))
    (debians, ours) = self._Start(config)
    for (daemon, node) in ((debians, last[1]), (ours, nodes[0])):
      self.assertEqual(daemon.Ask(NODE_OF_IP, {"1": "10.77.9.9"})["answer"],
                       grow.FindNode(config, node)["primary_ip"])
      self.assertEqual(daemon.Ask(INSTANCE_IPS)["answer"].count("10.77.9.9"), 1)

  def _SameIps(self, pair, link=MISSING):
    """Checks that both know the same ips on a link, and their nodes.

    @return: the ips, sorted

    """
    (debians, ours) = [daemon.Answer(INSTANCE_IPS, link) for daemon in pair]
    self.assertEqual(debians[0], OK)
    self.assertEqual((ours[0], sorted(ours[1])), (OK, debians[1]))
    for ip in ours[1]:
      query = {"1": ip} if link is MISSING else {"0": link, "1": ip}
      (debian_node, our_node) = [daemon.Answer(NODE_OF_IP, query)
                                 for daemon in pair]
      self.assertEqual(debian_node, our_node, query)
    return debians[1]

  @staticmethod
  def _Nics(*nics):
    """Makes nics of pairs of ip and nicparams.

    """
    return [{"mac": "aa:00:00:fd:00:%02x" % index, "ip": ip,
             "nicparams": nicparams, "uuid": grow.Uuid("given %d" % index)}
            for (index, (ip, nicparams)) in enumerate(nics)]

  def testEmptyLinks(self):
    """An empty link is one, the nic's own and the cluster's; null is none.

    """
    nics = self._Nics(
      ("10.77.9.1", {}), ("10.77.9.2", {"link": ""}),
      ("10.77.9.3", {"link": "", "mode": "routed"}),
      ("10.77.9.4", {"link": None, "mode": None}), ("10.77.9.5", {"link": "x"}))
    for (default, expected) in [
      ("dflt", (["10.77.9.1", "10.77.9.4"], ["10.77.9.2", "10.77.9.3"])),
      ("", (["10.77.9.1", "10.77.9.2", "10.77.9.3", "10.77.9.4"], ) * 2)]:
      config = copy.deepcopy(CONFIG_DATA)
      config["instances"] = {}
      config["cluster"]["nicparams"] = {
        "default": {"mode": "routed", "link": default, "vlan": ""}}
      grow.AddInstance(config, "nets.example.com", "node2.example.com",
                       nics=nics)
      pair = self._Start(config)
      self.assertEqual((self._SameIps(pair), self._SameIps(pair, "")), expected)
      self.assertEqual(self._SameIps(pair, default), expected[0])
      self.assertEqual(self._SameIps(pair, "x"), ["10.77.9.5"])
      self.assertEqual(self._SameIps(pair, "xen-br0"), [])

  def testForthcoming(self):
    """A forthcoming instance may lack everything: what it has is taken.

    """
    config = copy.deepcopy(CONFIG_DATA)
    def _Drbd(name, *args):
      return grow.DrbdDisk(config, name, 0, *(
        [grow.FindNode(config, "node%d.example.com" % i)["uuid"]
         for i in (2, 3)] + list(args)))

    def _Add(name, lacks, ip, **kwargs):
      instance = grow.AddInstance(
        config, name, "node2.example.com", forthcoming=True,
        nics=self._Nics((ip, {})), **kwargs)
      for key in lacks:
        del instance[key]
      return instance

    homeless = _Add("soon.example", ["primary_node"], "10.77.9.1",
                    disks=[_Drbd("soon", 11200, (20, 21))])
    grow.AddInstance(config, "soon.example.com", "node1.example.com")
    _Add("named", ["os", "hypervisor", "admin_state", "admin_state_source",
                   "disks_active"], "10.77.9.2")
    nameless = _Add("x", ["name"], "10.77.9.3",
                    disks=[_Drbd("x", 11201, (22, 23))])
    (debians, ours) = pair = self._Start(config)

    self.assertEqual(debians.Ask(INSTANCE_DISKS, "soon")["status"], ERROR)
    self.assertEqual(ours.Answer(INSTANCE_DISKS, "soon"),
                     (ERROR, UNKNOWN_ENTRY))
    for name in ("soon.example", homeless["uuid"], nameless["uuid"],
                 "soon.example.com", "named"):
      answers = [daemon.Answer(INSTANCE_DISKS, name) for daemon in pair]
      self.assertEqual((answers[0][0], _Settle(_Redact(answers[0][1]),
                                               answers[1][1])), answers[1])
      self.assertEqual((answers[1][0], len(answers[1][1])),
                       (OK, 0 if name in ("soon.example.com", "named") else 1))
    for (node, minors) in [("node2.example.com", {20, 22}),
                           ("node3.example.com", {21, 23})]:
      rows = [sorted(daemon.Ask(NODE_DRBD, node)["answer"]) for daemon in pair]
      self.assertEqual(rows[0], rows[1])
      self.assertLessEqual(minors, {row[1] for row in rows[0]})
      found = [[sorted(item["uuid"] for item in instances) for instances
                in daemon.Ask(NODE_INSTANCES, node)["answer"]]
               for daemon in pair]
      self.assertEqual(found[0], found[1])
    ips = self._SameIps(pair)
    self.assertLessEqual({"10.77.9.1", "10.77.9.2", "10.77.9.3"}, set(ips))

  def testDiffersForthcomingWithoutNode(self):
    """Of instances with one ip, one without a node never hides one with.

    Debian's takes the last by UUID, and then finds no node.

    """
    config = copy.deepcopy(CONFIG_DATA)
    nics = self._Nics(("10.77.9.9", {}))
    homeless = grow.AddInstance(config, "aaa.example.com", "node2.example.com",
                                nics=nics, forthcoming=True)
    del homeless["primary_node"]
    config["instances"].pop(homeless["uuid"])
    homeless["uuid"] = "ffffffff-ffff-4fff-afff-ffffffffffff"
    config["instances"][homeless["uuid"]] = homeless
    grow.AddInstance(config, "zzz.example.com", "node3.example.com", nics=nics)
    (debians, ours) = self._Start(config)
    self.assertEqual(debians.Answer(NODE_OF_IP, {"1": "10.77.9.9"}),
                     (ERROR, UNKNOWN_ENTRY))
    self.assertEqual(
      ours.Answer(NODE_OF_IP, {"1": "10.77.9.9"}),
      (OK, grow.FindNode(config, "node3.example.com")["primary_ip"]))

  def testDiffersEmptyIp(self):
    """An empty ip is none.

    """
    config = copy.deepcopy(CONFIG_DATA)
    grow.AddInstance(config, "empty.example.com", "node2.example.com",
                     nics=self._Nics(("", {"link": "empty"})))
    (debians, ours) = self._Start(config)
    self.assertEqual(debians.Answer(INSTANCE_IPS, "empty"), (OK, [""]))
    self.assertEqual(ours.Answer(INSTANCE_IPS, "empty"), (OK, []))
    query = {"0": "empty", "1": ""}
    self.assertEqual(debians.Ask(NODE_OF_IP, query)["status"], OK)
    self.assertEqual(ours.Answer(NODE_OF_IP, query), (ERROR, UNKNOWN_ENTRY))

  def testDiffersObjectsAsStored(self):
    """Objects are answered as they are stored, by 8, 9 and 10.

    Debian's writes them anew: what is missing and has a default is there, and
    what is null is not.

    """
    config = copy.deepcopy(CONFIG_DATA)
    disk = grow.DrbdDisk(
      config, "bare", 0, grow.FindNode(config, "node1.example.com")["uuid"],
      grow.FindNode(config, "node2.example.com")["uuid"], 11300, (30, 31))
    del disk["mode"]
    disk["name"] = None
    instance = grow.AddInstance(config, "bare.example.com",
                                "node6.example.com", disks=[disk])
    del instance["hvparams"]
    instance["network_port"] = None
    (debians, ours) = self._Start(config)

    def _Instance(daemon):
      (primary, _) = daemon.Ask(NODE_INSTANCES, "node6.example.com")["answer"]
      return [i for i in primary if i["name"] == "bare.example.com"][0]

    def _Disk(daemon):
      return daemon.Ask(INSTANCE_DISKS, "bare")["answer"][0]

    def _Both(daemon):
      return [(_Instance(daemon),
               daemon.Ask(CONFIG, "/instances/" + instance["uuid"])["answer"]),
              (_Disk(daemon),
               daemon.Ask(CONFIG, "/disks/" + disk["uuid"])["answer"])]

    for (index, stored, added, null) in [
      (0, instance, {"hvparams": {}}, "network_port"),
      (1, disk, {"mode": "rw"}, "name")]:
      for answer in _Both(ours)[index]:
        self.assertEqual(answer, _Redact(stored))
      expected = dict(stored, **added)
      del expected[null]
      for answer in _Both(debians)[index]:
        self.assertEqual(_Settle(answer, expected), expected)

  def testDiffersBothSidesOnOneNode(self):
    """A mirror with both sides on one node has two minors there, no secondary.

    """
    config = copy.deepcopy(CONFIG_DATA)
    node = grow.FindNode(config, "node3.example.com")["uuid"]
    grow.AddInstance(
      config, "narrow.example.com", "node3.example.com",
      disks=[grow.DrbdDisk(config, "narrow", 0, node, node, 11300, (30, 31))])
    (debians, ours) = self._Start(config)
    for (daemon, minors, secondary) in ((debians, [30], True),
                                        (ours, [30, 31], False)):
      self.assertEqual([row[1] for row in daemon.Ask(NODE_DRBD, node)["answer"]
                        if row[2] == "narrow.example.com"], minors)
      found = ["narrow.example.com" in [item["name"] for item in instances]
               for instances in daemon.Ask(NODE_INSTANCES, node)["answer"]]
      self.assertEqual(found, [True, secondary])

  def testDiffersMasterNowhere(self):
    """Without a master node there is a master IP, and nodes have roles.

    """
    config = copy.deepcopy(CONFIG_DATA)
    config["cluster"]["master_node"] = "nowhere"
    (debians, ours) = self._Start(config)
    for (question, answer) in [
      ((NODE_ROLE, "node1.example.com"), (OK, 1)),
      ((NODE_ROLE, "node5.example.com"), (OK, 3)),
      ((MASTER, None), (ERROR, UNKNOWN_ENTRY)),
      ((MASTER, {"3": [0]}), (ERROR, UNKNOWN_ENTRY)),
      ((MASTER, {"3": [1]}), (OK, [config["cluster"]["master_ip"]])),
      ((MASTER, {"3": []}), (OK, []))]:
      with self.subTest(question=question, answer=answer):
        (status, text) = debians.Answer(*question)
        self.assertEqual(status, ERROR)
        self.assertIn("nowhere", text)
        self.assertEqual(ours.Answer(*question), answer)

  def testDiffersNoNicparams(self):
    """Without the cluster's nicparams the default link is Ganeti's own.

    Debian's does not answer what has to do with links.

    """
    config = copy.deepcopy(CONFIG_DATA)
    config["cluster"]["nicparams"] = {}
    (debians, ours) = self._Start(config)
    for (question, answer) in [
      ((INSTANCE_IPS, "v6"), ["2001:db8::61"]),
      ((NODE_OF_IP, {"1": "2001:db8::61", "0": "v6"}),
       grow.FindNode(config, "node6.example.com")["primary_ip"])]:
      with debians.Asker() as asker:
        self.assertRaises(testutils.NoReply, asker.Ask, *question, timeout=1)
      self.assertEqual(ours.Answer(*question), (OK, answer))
    self.assertEqual(ours.Answer(INSTANCE_IPS), ours.Answer(INSTANCE_IPS,
                                                            "xen-br0"))

  def testDiffersOtherThanAscii(self):
    """Names of any characters can be asked for by both.

    In its answers, Debian's cuts each character to its last eight bits.

    """
    config = copy.deepcopy(CONFIG_DATA)
    config["cluster"]["tags"] = ["caf\u00e9 \u20ac"]
    grow.AddInstance(config, "caf\u00e9.example.com", "node2.example.com",
                     nics=self._Nics(("10.77.9.1", {"link": "\u20ac"})))
    (debians, ours) = pair = self._Start(config)
    for question in ((INSTANCE_DISKS, "caf\u00e9"), (INSTANCE_IPS, "\u20ac"),
                     (NODE_OF_IP, {"0": "\u20ac", "1": "10.77.9.1"})):
      answers = [daemon.Answer(*question) for daemon in pair]
      self.assertEqual(answers[0][0], OK)
      self.assertEqual(answers[0], answers[1])
    datagram = testutils.PackMessage(KEY, testutils.MakeMessage(
      CONFIG, "/cluster/tags"))
    self.assertIn(b"[\\\"caf\xe9 \xac\\\"]", debians.AskRaw(datagram))
    self.assertEqual(ours.Answer(CONFIG, "/cluster/tags"),
                     (OK, config["cluster"]["tags"]))

  def testDiffersNameTwice(self):
    """A name that two have finds none; Debian's takes the last by UUID.

    """
    config = copy.deepcopy(CONFIG_DATA)
    for i in (1, 2):
      instance = grow.AddInstance(config, "twin%d" % i, "node2.example.com")
      instance["name"] = "twin.example.com"
    (debians, ours) = self._Start(config)
    for name in ("twin.example.com", "twin"):
      self.assertEqual(debians.Answer(INSTANCE_DISKS, name), (OK, []))
      self.assertEqual(ours.Answer(INSTANCE_DISKS, name),
                       (ERROR, UNKNOWN_ENTRY))
    for i in (1, 2):
      self.assertEqual(ours.Answer(INSTANCE_DISKS, grow.Uuid("twin%d" % i)),
                       (OK, []))

  def testDiffersOtherUuid(self):
    """An object under another UUID than its own is found by both.

    """
    config = copy.deepcopy(CONFIG_DATA)
    key = grow.FindNode(config, "node5.example.com")["uuid"]
    other = config["nodes"][key]["uuid"] = grow.Uuid("elsewhere")
    (debians, ours) = self._Start(config)
    self.assertEqual(debians.Ask(NODE_ROLE, other)["status"], ERROR)
    for (daemon, name) in [(debians, key), (ours, key), (ours, other)]:
      self.assertEqual(daemon.Answer(NODE_ROLE, name), (OK, 3))

  def testDiffersMasterNoCandidate(self):
    """The master is on the list of candidates, whatever its flag says.

    """
    config = copy.deepcopy(CONFIG_DATA)
    master = config["nodes"][_MasterUuid()]
    master["master_candidate"] = False
    (debians, ours) = self._Start(config)
    self.assertNotIn(master["primary_ip"], debians.Ask(MC_IPS)["answer"])
    self.assertIn(master["primary_ip"], ours.Ask(MC_IPS)["answer"])

  def testReferencesToNowhere(self):
    """An instance whose primary node is not there has disks and addresses.

    """
    config = copy.deepcopy(CONFIG_DATA)
    grow.FindInstance(config, "web")["primary_node"] = "nowhere"
    pair = self._Start(config)
    for daemon in pair:
      self.assertEqual(daemon.Answer(INSTANCE_DISKS, grow.Uuid("web")),
                       (OK, []))
      self.assertEqual(daemon.Answer(NODE_OF_IP, {"1": "10.77.1.71"}),
                       (ERROR, UNKNOWN_ENTRY))
    self.assertIn("10.77.1.71", self._SameIps(pair))

  def testDiffersLostDisks(self):
    """A disk that is not there is left out.

    To Debian's, one lost disk takes all others of its instance with it.

    """
    config = copy.deepcopy(CONFIG_DATA)
    grow.FindInstance(config, "mirror1.example.com")["disks"].append("lost")
    (debians, ours) = self._Start(config)
    mirror = (INSTANCE_DISKS, "mirror1.example.com")
    self.assertEqual(debians.Ask(*mirror)["status"], ERROR)
    self.assertEqual(len(ours.Ask(*mirror)["answer"]), 2)
    drbd = (NODE_DRBD, "node1.example.com")
    self.assertEqual(len(debians.Ask(*drbd)["answer"]), 1)
    self.assertEqual(len(ours.Ask(*drbd)["answer"]), 3)

  def testDiffersAlmostTooLarge(self):
    """Ganeti's clients read no more; Debian's sends what the kernel takes.

    """
    config = copy.deepcopy(CONFIG_DATA)
    config["cluster"]["tags"] = ["x" * (MAX_DATAGRAM + 1000)]
    (debians, ours) = self._Start(config)
    datagram = debians.AskRaw(testutils.PackMessage(KEY, testutils.MakeMessage(
      CONFIG, "/cluster/tags")))
    self.assertGreater(len(datagram), MAX_DATAGRAM)
    self.assertEqual(ours.Answer(CONFIG, "/cluster/tags"), (ERROR, TOO_LARGE))

  def testDiffersTimes(self):
    """Times are answered as they are stored; Debian's computes them anew.

    """
    stored = 1795232720.855669
    config = copy.deepcopy(CONFIG_DATA)
    config["ctime"] = stored
    (debians, ours) = self._Start(config)
    (status, answer) = debians.Answer(CONFIG, "/ctime")
    self.assertEqual(status, OK)
    self.assertNotEqual(answer, stored)
    self.assertLess(abs(answer - stored), TIME_DEVIATION)
    self.assertEqual(ours.Answer(CONFIG, "/ctime"), (OK, stored))

  def testDiffersMirrorElsewhere(self):
    """A disk mirrored between two nodes that are not the primary one.

    To ours both are secondary; Debian's looks at the first only.

    """
    config = copy.deepcopy(CONFIG_DATA)
    ends = [grow.FindNode(config, "node%d.example.com" % i)["uuid"]
            for i in (2, 3)]
    grow.AddInstance(config, "elsewhere.example.com", "node1.example.com",
                     disks=[grow.DrbdDisk(config, "elsewhere", 0, ends[0],
                                          ends[1], 11100, (0, 0))])
    (debians, ours) = self._Start(config)
    for (daemon, expected) in ((debians, [True, False]), (ours, [True, True])):
      found = []
      for uuid in ends:
        (_, secondary) = daemon.Ask(NODE_INSTANCES, uuid)["answer"]
        found.append("elsewhere.example.com" in
                     [inst["name"] for inst in secondary])
      self.assertEqual(found, expected)

  def testDiffersUnknownObjectKeys(self):
    """One key it does not know makes a whole file unusable to Debian's.

    """
    config = copy.deepcopy(CONFIG_DATA)
    grow.FindInstance(config, "web")["from_the_future"] = 1
    (debians, ours) = self._Start(config)
    self.assertEqual(debians.Ask(PING)["status"], ERROR)
    self.assertEqual(ours.Ask(CONFIG, "/instances/%s/from_the_future" %
                              grow.Uuid("web"))["answer"], 1)


if __name__ == "__main__":
  unittest.main()

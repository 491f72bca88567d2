#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for ganeti.confd.config.snapshot"""

import copy
import json
import os
import tempfile
import tracemalloc
import unittest

import nextconfig
import oldconfigs
import reference
import testutils
from testutils import MakeConfig, MakeDisk, MakeDrbd, MakeInstance, MakeNode
from testutils import Uuid
from ganeti import errors
from ganeti.confd import filestate
from ganeti.confd import protocol
from ganeti.confd import querylib
from ganeti.confd.config import snapshot
from ganeti.confd.protocol import wire
from ganeti.confd.schema import naturalorder


UNKNOWN = (1, 0)

SECRET = "t0p-s3cret"


def Snapshot(config):
  return snapshot.Snapshot(json.dumps(config).encode("ascii"))


def Request(rtype, query=None):
  """Makes a request as it comes from the wire.

  """
  return wire.ParseRequest(
    testutils.PackMessage(testutils.KEY, testutils.MakeMessage(rtype, query),
                          salt="0"), testutils.KEY, 0)


def Answer(snap, rtype, query=None):
  """Asks a snapshot.

  @return: status and answer, as a client would see them

  """
  (status, answer) = querylib.Answer(snap, Request(rtype, query))
  reply = json.loads(wire.EncodeReply(status, answer, snap.serial))
  return (reply["status"], reply["answer"])


class _TestCase(unittest.TestCase):
  def Check(self, config, expected):
    """Asks a configuration a list of questions.

    @param expected: list of (type, query, (status, answer))

    """
    snap = Snapshot(config)
    for (rtype, query, answer) in expected:
      with self.subTest(rtype=rtype, query=query):
        self.assertEqual(Answer(snap, rtype, query), answer)
    return snap


def AsJson(value):
  return json.loads(json.dumps(value))


class TestReleases(unittest.TestCase):
  """Every release's configuration, every question, compared with the slow way.

  """
  def _Check(self, config):
    snap = Snapshot(config)
    self.assertEqual(snap.warnings, [])
    self.assertEqual(snap.serial, config["serial_no"])
    count = 0
    for (rtype, query, expected) in reference.Reference(config).Questions():
      count += 1
      answer = Answer(snap, rtype, query)
      if answer != AsJson(list(expected)) and answer != tuple(
        AsJson(list(expected))):
        self.fail("Type %s, query %r: %r, not %r" %
                  (rtype, query, answer, expected))
    self.assertGreater(count, 200)

  @staticmethod
  def _Grow(config):
    """Gives a sample what it lacks: ips, names that sort, secrets.

    """
    config = copy.deepcopy(config)
    for (index, instance) in enumerate(config["instances"].values()):
      nics = instance["nics"]
      nics.append({"mac": "", "nicparams": {},
                   "ip": "198.51.100.%d" % (10 + index)})
      nics.append({"ip": "198.51.100.%d" % (200 - index), "mac": "",
                   "nicparams": {"link": "br%d" % (index % 2)}})
      nics.append({"mac": "", "nicparams": {"mode": "routed"},
                   "ip": "2001:db8::%d" % index})
      instance["osparams_private"] = {"a": SECRET, "b": {"c": [SECRET, {}]}}
    config["cluster"]["osparams_private_cluster"] = {"os": {"x": SECRET}}
    config["cluster"]["data_collectors"] = {
      "lv": {"active": False, "interval": 1.0},
      "new": {"active": True, "interval": 5}}
    return config

  def testMainBranch(self):
    config = nextconfig.Make()
    self._Check(config)
    snap = Snapshot(config)
    self.assertEqual(Answer(snap, 0), (0, nextconfig.VERSION))
    for (link, ips) in nextconfig.LINKS.items():
      self.assertEqual(Answer(snap, 6, link), (0, ips))
    self.assertEqual(Answer(snap, 6), (0, nextconfig.LINKS[""]))

  def testSamples(self):
    samples = testutils.Samples()
    if not samples:
      self.skipTest("Ganeti's test suite is not installed"
                    " (Debian: ganeti-testsuite)")
    self.assertEqual([version for (version, _) in samples
                      if version not in [(2, i) for i in range(7, 17)] +
                      [(3, 0), (3, 1)]], [])
    for (version, path) in samples:
      with self.subTest(version=version):
        config = json.loads(testutils.ReadFile(path))
        self._Check(config)
        self._Check(self._Grow(config))

  def testOldReleases(self):
    for release in oldconfigs.RELEASES:
      with self.subTest(release=release):
        self._Check(oldconfigs.Make(release))
        self._Check(self._Grow(oldconfigs.Make(release)))

  def testThisRelease(self):
    self._Check(MakeConfig(
      nodes=[MakeNode(i, offline=i == 3, master_candidate=i % 2 == 0)
             for i in [3, 20, 1, 2]],
      instances=[MakeInstance(i, [1, 2, 3, 20][i % 4], disks=[i],
                              nics=["198.51.100.%d" % i, None,
                                    ("198.51.100.%d" % (2 * i), "br%d" % i)])
                 for i in [12, 3, 10, 1, 2, 101]],
      disks=[MakeDrbd(i, [1, 2, 3, 20][i % 4], [2, 3, 20, 1][i % 4], i, i + 1)
             for i in [1, 2, 3, 10, 12, 101]]))


class TestOldReleases(_TestCase):
  """The same cluster in the formats of six releases, by hand-made answers."""

  def _Expected(self, config):
    instances = config["instances"]
    for (name, role) in oldconfigs.ROLES.items():
      yield (1, name, (0, role))
      yield (1, name.partition(".")[0], (0, role))
    yield (4, None, (0, oldconfigs.NODE_IPS))
    yield (5, None, (0, oldconfigs.CANDIDATE_IPS))
    yield (3, None, (0, oldconfigs.MASTER))
    yield (3, {"3": [0, 1, 2]}, (0, [oldconfigs.MASTER, oldconfigs.MASTER_IP,
                                     oldconfigs.NODE_IPS[0]]))
    for (link, ips) in oldconfigs.LINKS.items():
      yield (6, link, (0, ips))
      yield (2, {"0": link, "2": ips}, (0, [[0, "192.0.2.2"] for _ in ips]))
    yield (6, None, (0, oldconfigs.LINKS[oldconfigs.DEFAULT_LINK]))
    for (name, rows) in oldconfigs.DRBD.items():
      yield (7, name, (0, rows))
    for (name, names) in oldconfigs.INSTANCES.items():
      yield (8, name, (0, [[reference.Redact(instances[i]) for i in part]
                           for part in names]))
    for (name, instance) in instances.items():
      yield (9, name, (0, reference.Redact(instance["disks"])))
      yield (10, "/instances/%s/primary_node" % name,
             (0, instance["primary_node"]))
    yield (0, None, (0, config["version"]))

  def _Check(self, config):
    for objects in [config["nodes"], config["instances"]]:
      for item in objects.values():
        self.assertEqual(Answer(Snapshot(config), 1, item.get("uuid", "?"))[0],
                         int(not (objects is config["nodes"] and
                                  "uuid" in item)))
    snap = self.Check(config, self._Expected(config))
    self.assertEqual(snap.serial, oldconfigs.SERIAL)
    self.assertEqual(snap.warnings, [])
    whole = json.dumps(Answer(snap, 10, ""))
    for secret in oldconfigs.SECRETS:
      self.assertNotIn(secret, whole)
      self.assertIn(secret, json.dumps(config))

  def testAll(self):
    for release in oldconfigs.RELEASES:
      with self.subTest(release=release):
        self._Check(oldconfigs.Make(release))

  def testNotYetWritten(self):
    self._Check(oldconfigs.MakeFrom20())

  def testDefaultBridge(self):
    config = oldconfigs.MakeFrom20()
    for instance in config["instances"].values():
      for nic in instance["nics"]:
        nic.pop("bridge")
    config["cluster"]["default_bridge"] = "br5"
    self.Check(config, [(6, None, (0, sum(oldconfigs.LINKS.values(), [])[:1] +
                                   ["203.0.113.22", "198.51.100.21",
                                    "198.51.100.10"])),
                        (6, "br5", Answer(Snapshot(config), 6))])

  def testNicparamsComeBeforeBridge(self):
    config = oldconfigs.Make(1)
    config["instances"]["web2.example.com"]["nics"] = [
      {"ip": "198.51.100.1", "bridge": "br1", "nicparams": {"link": "br2"}},
      {"ip": "198.51.100.2", "bridge": "br1", "nicparams": {}},
      {"ip": "198.51.100.3", "bridge": None, "nicparams": {"link": None}}]
    self.Check(config, [(6, "br2", (0, ["198.51.100.1"])),
                        (6, "br1", (0, ["198.51.100.2"])),
                        (6, None, (0, ["198.51.100.3", "198.51.100.10"]))])

  def testShortDrbdIds(self):
    # Before Ganeti 2.0 a disk had neither minors nor secret
    config = oldconfigs.Make(1)
    disk = config["instances"]["mail.example.com"]["disks"][0]
    disk["logical_id"] = disk["logical_id"][:3]
    snap = self.Check(config, [
      (7, "node2", (0, [])), (7, "node1", (0, oldconfigs.DRBD[
        "node1.example.com"][1:])),
      (9, "mail", (0, reference.Redact(
        config["instances"]["mail.example.com"]["disks"])))])
    self.assertEqual(len(snap.warnings), 1)
    # The disk has two nodes all the same
    (_, (_, secondary)) = Answer(snap, 8, "node2")
    self.assertEqual([item["name"] for item in secondary], ["mail.example.com"])


class TestSecrets(unittest.TestCase):
  """Private OS parameters and DRBD's secrets stay in the daemon."""

  def _Drbd(self, index):
    return dict(MakeDrbd(index, 1, 2, secret=SECRET),
                physical_id=["10.0.0.1", 11000, "10.0.0.2", 11000, 0, SECRET])

  def _Params(self):
    """Private parameters in every shape.

    """
    return {
      "text": SECRET,
      "number": 424242424242,
      "float": 4242.4242,
      "truth": True,
      "none": None,
      "empty": "",
      "list": [SECRET, [SECRET, {"x": SECRET}], [], {}],
      "dict": {"a": {"b": {"c": [SECRET]}}, "e": {}},
      }

  REDACTED = {
    "text": "<redacted>",
    "number": "<redacted>",
    "float": "<redacted>",
    "truth": "<redacted>",
    "none": "<redacted>",
    "empty": "<redacted>",
    "list": "<redacted>",
    "dict": "<redacted>",
    }

  def _Config(self):
    deep = MakeDisk(3, children=[
      MakeDisk(4), dict(self._Drbd(5), children=[
        self._Drbd(6), MakeDisk(7, children=[self._Drbd(8)])])])
    inline = dict(self._Drbd(9), children=[self._Drbd(10)])
    instances = [
      MakeInstance(1, 1, disks=[1, 3], osparams_private=self._Params()),
      MakeInstance(2, 2, disks=[2], osparams_private=self._Params(),
                   osparams_private_cluster=self._Params()),
      MakeInstance(3, 1, disks=[], osparams_private=SECRET),
      MakeInstance(4, 1, osparams_private=[SECRET]),
      # Of these, nothing but type 10 can see anything
      MakeInstance(5, 99, osparams_private=self._Params()),
      MakeInstance(6, 1, osparams_private=self._Params(), name=None,
                   forthcoming=True),
      ]
    instances[3]["disks"] = [inline]
    instances[4]["disks"] = [inline]
    del instances[5]["name"]
    return MakeConfig(
      nodes=[MakeNode(1), MakeNode(2)], instances=instances,
      # Disk 2 has no type of its own that needs a secret, disk 77 no instance
      disks=[self._Drbd(1), dict(self._Drbd(2), dev_type="drbd8"), deep,
             self._Drbd(77), dict(self._Drbd(78), dev_type="unknown"),
             dict(self._Drbd(79), forthcoming=True)],
      cluster={"osparams_private_cluster": {"debootstrap": self._Params(),
                                            "other": SECRET},
               "osparams_private": self._Params()})

  def _Everything(self, config):
    """Asks everything, and yields the answers.

    """
    snap = Snapshot(config)
    names = [None, "", "node1", "node2", "br0"]
    names.extend(item["name"] for item in config["instances"].values()
                 if "name" in item)
    names.extend(config["instances"])
    for rtype in range(12):
      for name in names:
        yield Answer(snap, rtype, name)

    paths = [("", json.loads(wire.EncodeJson(snap.document)))]
    while paths:
      (path, value) = paths.pop()
      yield Answer(snap, 10, path)
      for (key, item) in (value.items() if isinstance(value, dict) else
                          enumerate(value) if isinstance(value, list) else []):
        paths.append(("%s/%s" % (path, key), item))

  def testNothingLeaves(self):
    config = self._Config()
    text = json.dumps(config)
    for secret in [SECRET, "424242424242", "4242.4242"]:
      self.assertIn(secret, text)
    count = 0
    for answer in self._Everything(config):
      count += 1
      text = json.dumps(answer)
      for secret in [SECRET, "424242424242", "4242.4242"]:
        self.assertNotIn(secret, text)
    self.assertGreater(count, 500)

  def testNamesStay(self):
    snap = Snapshot(self._Config())
    for (path, expected) in [
      ("/instances/%s/osparams_private" % Uuid("b", 1), self.REDACTED),
      ("/instances/%s/osparams_private" % Uuid("b", 3), "<redacted>"),
      ("/instances/%s/osparams_private" % Uuid("b", 4), "<redacted>"),
      ("/instances/%s/osparams_private/dict" % Uuid("b", 2), "<redacted>"),
      ("/instances/%s/osparams_private" % Uuid("b", 6), self.REDACTED),
      ("/cluster/osparams_private_cluster",
       {"debootstrap": self.REDACTED, "other": "<redacted>"}),
      ("/cluster/osparams_private_cluster/debootstrap/text", "<redacted>"),
      ("/disks/%s/logical_id" % Uuid("d", 1),
       [Uuid("a", 1), Uuid("a", 2), 11000, 0, 0, "<redacted>"]),
      ("/disks/%s/physical_id" % Uuid("d", 1),
       ["10.0.0.1", 11000, "10.0.0.2", 11000, 0, "<redacted>"]),
      ("/disks/%s/logical_id/5" % Uuid("d", 77), "<redacted>"),
      ]:
      with self.subTest(path=path):
        self.assertEqual(Answer(snap, 10, path), (0, expected))
    (primary, _) = Answer(snap, 8, "node1")[1]
    self.assertEqual(primary[0]["osparams_private"], self.REDACTED)
    (disk, _) = Answer(snap, 9, "inst1")[1]
    self.assertEqual(disk["logical_id"][5], "<redacted>")

  def testEmptyStaysEmpty(self):
    config = MakeConfig(instances=[MakeInstance(1, 1, osparams_private={})])
    self.assertEqual(Answer(Snapshot(config), 10, ""), (0, config))

  def testOthersStay(self):
    # Public parameters, and disks of other types
    disks = [MakeDisk(1, logical_id=["xenvg", "x"]),
             MakeDisk(2, dev_type="rbd", logical_id=["rbd", "x"]),
             MakeDisk(3, dev_type="ext", logical_id=["p", "x"]),
             MakeDisk(4, logical_id=None), MakeDisk(5, logical_id=[])]
    config = MakeConfig(disks=disks, instances=[
      MakeInstance(1, 1, osparams={"password": "x"}, disks=[1, 2, 3, 4, 5])],
      cluster={"osparams": {"debootstrap": {"x": "y"}}})
    self.assertEqual(Answer(Snapshot(config), 10, ""), (0, config))

  def testErrorsQuoteNothing(self):
    whole = json.dumps(self._Config())
    for text in [whole[:-1], whole[:whole.index(SECRET) + 5], whole + "x",
                 whole.replace(SECRET, SECRET + "\n"),
                 whole.replace(SECRET, SECRET + "\\x"),
                 whole.replace("\"" + SECRET, SECRET),
                 whole.replace(SECRET, SECRET + "\\ud8"),
                 whole.replace("\"serial_no\": 17", "\"serial_no\": \"%s\"" %
                               SECRET)]:
      with self.subTest(text=text):
        with self.assertRaises(errors.ConfigurationError) as caught:
          snapshot.Snapshot(text.encode("ascii"))
        self.assertNotIn(SECRET, str(caught.exception))

  def testWarningsQuoteNothing(self):
    config = self._Config()
    config["disks"][Uuid("d", 1)]["logical_id"] = [None, None, None, None,
                                                   None, SECRET]
    config["disks"][Uuid("d", 2)]["logical_id"] = {"x": SECRET}
    snap = Snapshot(config)
    self.assertTrue(snap.warnings)
    self.assertNotIn(SECRET, "\n".join(snap.warnings))


class TestUnusable(unittest.TestCase):
  def _Check(self, text):
    with self.assertRaises(errors.ConfigurationError) as caught:
      snapshot.Snapshot(text)
    self.assertTrue(str(caught.exception))
    self.assertNotIn("\n", str(caught.exception))

  def testNoConfiguration(self):
    good = json.dumps(MakeConfig()).encode("ascii")
    snapshot.Snapshot(good)
    for text in [b"", b" ", b"\n", b"x", b"null", b"[]", b"5", b"\"x\"", b"{}",
                 b"[" * 100000, b"{\"x\":" * 100000, b"\0" * 1000, good[:-1],
                 good[1:], good + good, good + b"x", b"\xff" + good,
                 good.replace(b"cluster.example", b"cl\xff"),
                 good.replace(b"cluster.example", b"cl\nx"),
                 good.decode().encode("utf-16")]:
      with self.subTest(text=text[:40]):
        self._Check(text)

  def testWhatIsNeeded(self):
    for key in ["version", "serial_no", "cluster", "nodes"]:
      for value in [testutils.MISSING, None, True, False, 1.5, "", "5", [],
                    [1], {} if key in ["version", "serial_no"] else 5]:
        with self.subTest(key=key, value=value):
          config = MakeConfig()
          if value is testutils.MISSING:
            del config[key]
          else:
            config[key] = value
          self._Check(json.dumps(config).encode("ascii"))


class TestLenient(_TestCase):
  """A broken value that is not needed does no harm."""

  WRONG = [None, True, 0, -1, 1.5, "", "x", [], [None], ["x"], {}, {"x": None},
           {"x": []}, [[]], [{}], 10 ** 400]

  def _Full(self):
    """A configuration that has everything.

    """
    return MakeConfig(
      nodes=[MakeNode(1), MakeNode(2)],
      instances=[MakeInstance(1, 1, disks=[1], nics=["198.51.100.1"])],
      disks=[MakeDrbd(1, 1, 2, 3, 4, children=[MakeDisk(2)])],
      cluster={"data_collectors": {"lv": {"active": True, "interval": 5}}})

  REQUESTS = [Request(rtype, query) for (rtype, query) in [
    (0, None), (1, "node1"), (1, "x"), (2, {"1": "198.51.100.1"}),
    (2, {"2": ["198.51.100.1"], "0": "br0"}), (3, None), (3, {"3": [0]}),
    (3, {"3": ["1"]}), (3, {"3": [2]}), (4, None), (5, None), (6, None),
    (6, "br0"), (7, "node1"), (7, Uuid("a", 2)), (8, "node1"), (8, "node2"),
    (9, "inst1"), (9, Uuid("b", 1)), (10, ""), (10, "/nodes/x"), (11, None)]]

  def _AskAll(self, config):
    """Asks everything; any answer will do, but there must be one.

    """
    snap = Snapshot(config)
    for text in snap.warnings:
      self.assertIsInstance(text, str)
    for request in self.REQUESTS:
      (status, answer) = querylib.Answer(snap, request)
      self.assertIn(status, [0, 1])
      wire.EncodeReply(status, answer, snap.serial)

  def testWrongTypesEverywhere(self):
    paths = []

    def _Walk(value, path):
      paths.append(path)
      if isinstance(value, dict):
        for (key, item) in value.items():
          _Walk(item, path + [key])
      elif isinstance(value, list):
        for (index, item) in enumerate(value):
          _Walk(item, path + [index])

    config = self._Full()
    for (key, value) in config.items():
      _Walk(value, [key])
    self.assertGreater(len(paths), 120)
    for path in paths:
      for wrong in self.WRONG + [testutils.MISSING]:
        broken = copy.deepcopy(config)
        parent = broken
        for key in path[:-1]:
          parent = parent[key]
        if wrong is testutils.MISSING:
          del parent[path[-1]]
        else:
          parent[path[-1]] = wrong
        try:
          self._AskAll(broken)
        except errors.ConfigurationError:
          self.assertIn(path[0], ["version", "serial_no", "cluster", "nodes"])
          self.assertEqual(len(path), 1)
        except Exception as err:
          raise AssertionError("%s = %r: %r" % (path, wrong, err)) from err

  def testRestIsServed(self):
    # One broken object of each kind beside one in order
    good = self._Full()
    expected = [
      (1, "node1", (0, 0)), (1, "node2", (0, 4)),
      (2, {"1": "198.51.100.1"}, (0, "192.0.2.1")),
      (3, None, (0, "node1.example.com")), (6, None, (0, ["198.51.100.1"])),
      (4, None, (0, ["192.0.2.1", "192.0.2.2"])),
      (5, None, (0, ["192.0.2.1"])),
      (7, "node2", (0, [["node2.example.com", 4, "inst1.example.com", "disk/0",
                         "secondary", "node1.example.com"]])),
      (8, "node2", (0, [[], [reference.Redact(
        good["instances"][Uuid("b", 1)])]])),
      (9, "inst1", (0, [reference.Redact(good["disks"][Uuid("d", 1)])])),
      ]
    self.Check(good, expected)
    for kind in ["nodes", "instances", "disks", "networks", "nodegroups",
                 "filters", "maintenance", "unheard-of"]:
      for wrong in self.WRONG:
        with self.subTest(kind=kind, wrong=wrong):
          config = copy.deepcopy(good)
          config.setdefault(kind, {})["broken"] = wrong
          snap = self.Check(config, expected)
          self.assertEqual(len(snap.warnings),
                           int(kind in ["nodes", "instances", "networks",
                                        "nodegroups"]))

  def testMissingSections(self):
    for kind in ["instances", "disks", "nodegroups", "networks", "filters",
                 "ctime", "mtime"]:
      config = MakeConfig()
      del config[kind]
      snap = self.Check(config, [(4, None, (0, ["192.0.2.1"])),
                                 (6, None, (0, []))])
      self.assertEqual(snap.warnings, [])
    self.Check({"version": 1, "serial_no": 2, "cluster": {}, "nodes": {}}, [
      (0, None, (0, 1)), (1, "x", UNKNOWN), (2, {"1": "x"}, UNKNOWN),
      (2, {}, (0, [])), (4, None, (0, [])), (5, None, (0, [])),
      (6, None, (0, [])), (7, "x", UNKNOWN), (8, "x", UNKNOWN),
      (9, "x", UNKNOWN), (10, "/nodes", (0, {}))])

  def testMissingNodeFlags(self):
    node = {"name": "node2.example.com", "primary_ip": "192.0.2.2"}
    config = MakeConfig(nodes=[MakeNode(1)])
    config["nodes"]["x"] = node
    self.Check(config, [(1, "node2", (0, 4)), (1, "x", (0, 4)),
                        (4, None, (0, ["192.0.2.1", "192.0.2.2"]))])

  def testNodeWithoutIp(self):
    for wrong in [None, 5, []]:
      config = MakeConfig(
        nodes=[MakeNode(1), MakeNode(2, primary_ip=wrong,
                                     master_candidate=True)],
        instances=[MakeInstance(1, 2, nics=["198.51.100.1"])])
      snap = self.Check(config, [
        (1, "node2", (0, 1)), (4, None, (0, ["192.0.2.1"])),
        (5, None, (0, ["192.0.2.1"])), (6, None, (0, ["198.51.100.1"])),
        (2, {"1": "198.51.100.1"}, UNKNOWN),
        (8, "node2", (0, [[config["instances"][Uuid("b", 1)]], []]))])
      self.assertEqual(len(snap.warnings), 1)

  def testNoDefaultLink(self):
    # Ganeti's own default
    for nicparams in [None, {}, {"default": {}}, {"default": {"link": None}}]:
      self.Check(MakeConfig(
        instances=[MakeInstance(1, 1, nics=["198.51.100.1"])],
        cluster={"nicparams": nicparams}), [
          (6, None, (0, ["198.51.100.1"])),
          (6, "xen-br0", (0, ["198.51.100.1"]))])

  def testEmptyLink(self):
    # An own value counts by being there, and so does the cluster's
    own = [MakeInstance(1, 1, nics=["198.51.100.1", ("198.51.100.2", ""),
                                    ("198.51.100.3", "br1")])]
    for (default, on_default, on_empty) in [
      ("br0", ["198.51.100.1"], ["198.51.100.2"]),
      ("", ["198.51.100.1", "198.51.100.2"],
       ["198.51.100.1", "198.51.100.2"])]:
      self.Check(MakeConfig(instances=own, cluster={
        "nicparams": {"default": {"link": default}}}), [
          (6, None, (0, on_default)), (6, default, (0, on_default)),
          (6, "", (0, on_empty)), (6, "br1", (0, ["198.51.100.3"])),
          (6, "xen-br0", (0, [])),
          (2, {"0": "", "1": "198.51.100.2"}, (0, "192.0.2.1")),
          (2, {"0": "", "1": "198.51.100.3"}, UNKNOWN)])

  def testDanglingPrimaryNode(self):
    disks = [MakeDrbd(1, 1, 2), MakeDrbd(2, 9, 1)]
    instances = [MakeInstance(1, 1, disks=[1], nics=["198.51.100.1"]),
                 MakeInstance(2, 9, disks=[2], nics=["198.51.100.2"])]
    config = MakeConfig(nodes=[MakeNode(1), MakeNode(2)], instances=instances,
                        disks=disks)
    snap = self.Check(config, [
      (9, "inst2", (0, reference.Redact([disks[1]]))),
      (2, {"1": "198.51.100.2"}, UNKNOWN),
      (6, None, (0, ["198.51.100.1", "198.51.100.2"])),
      (2, {"1": "198.51.100.1"}, (0, "192.0.2.1")),
      (8, "node1", (0, [[instances[0]], []])),
      (10, "/instances/%s" % Uuid("b", 2), (0, instances[1]))])
    self.assertEqual(len(snap.warnings), 2)
    self.assertIn("inst2.example.com: its primary node is", snap.warnings[0])
    self.assertIn("inst2.example.com: disk/0 has no two", snap.warnings[1])

  def testDanglingDisk(self):
    config = MakeConfig(
      nodes=[MakeNode(1), MakeNode(2)],
      instances=[MakeInstance(1, 1, disks=[1, 2, 3], nics=["198.51.100.1"])],
      disks=[MakeDrbd(1, 1, 2, 7, 8), MakeDisk(3)])
    snap = self.Check(config, [
      (9, "inst1", (0, reference.Redact([config["disks"][Uuid("d", 1)],
                                         config["disks"][Uuid("d", 3)]]))),
      (2, {"1": "198.51.100.1"}, (0, "192.0.2.1")),
      (7, "node2", (0, [["node2.example.com", 8, "inst1.example.com", "disk/0",
                         "secondary", "node1.example.com"]]))])
    self.assertEqual(len(snap.warnings), 1)

  def testDiskIndexIsThePlace(self):
    # A disk that is not there still has its place
    config = MakeConfig(
      nodes=[MakeNode(1), MakeNode(2)],
      instances=[MakeInstance(1, 1, disks=[1, 2])],
      disks=[MakeDrbd(2, 1, 2, 7, 8)])
    self.Check(config, [
      (7, "node2", (0, [["node2.example.com", 8, "inst1.example.com", "disk/1",
                         "secondary", "node1.example.com"]]))])

  def testDanglingSecondaryNode(self):
    instance = MakeInstance(1, 1, disks=[1, 2], nics=["198.51.100.1"])
    config = MakeConfig(nodes=[MakeNode(1), MakeNode(2)], instances=[instance],
                        disks=[MakeDrbd(1, 1, 9, 3, 4),
                               MakeDrbd(2, 1, 2, 5, 6)])
    (n1, n2) = ["node1.example.com", "node2.example.com"]
    snap = self.Check(config, [
      (2, {"1": "198.51.100.1"}, (0, "192.0.2.1")),
      (7, "node1", (0, [[n1, 5, "inst1.example.com", "disk/1", "primary",
                         n2]])),
      (8, "node1", (0, [[instance], []])), (8, "node2", (0, [[], [instance]]))])
    self.assertEqual(len(snap.warnings), 1)

  def testNoMaster(self):
    for master in ["nobody", None, 5, [], {}]:
      with self.subTest(master=master):
        snap = self.Check(MakeConfig(cluster={"master_node": master}), [
          (1, "node1", (0, 1)), (3, None, UNKNOWN), (3, {"3": [0]}, UNKNOWN),
          (3, {"3": [1]}, (0, ["192.0.2.100"])), (3, {"3": []}, (0, [])),
          (5, None, (0, ["192.0.2.1"]))])
        self.assertEqual(len(snap.warnings), 1)

  def testForthcoming(self):
    # An instance that is not there yet may lack name, nodes and disks; no
    # warnings
    nameless = MakeInstance(1, 1, disks=[1], nics=["198.51.100.1"],
                            forthcoming=True)
    del nameless["name"]
    homeless = MakeInstance(2, 1, disks=[2, 3],
                            nics=["198.51.100.2", "198.51.100.3"],
                            forthcoming=True)
    del homeless["primary_node"]
    complete = MakeInstance(3, 1, disks=[4, 77, 5], nics=["198.51.100.3"],
                            forthcoming=True)
    disks = [MakeDisk(1), MakeDisk(2, forthcoming=True), MakeDrbd(3, 1, 2),
             MakeDrbd(4, 1, 2, 5, 6, forthcoming=True),
             MakeDisk(5, dev_type="drbd", forthcoming=True)]
    del disks[1]["logical_id"]
    del disks[4]["logical_id"]
    config = MakeConfig(nodes=[MakeNode(1), MakeNode(2)], disks=disks,
                        instances=[nameless, homeless, complete])
    (n1, n2) = ["node1.example.com", "node2.example.com"]
    snap = self.Check(config, [
      (9, "inst3", (0, reference.Redact([disks[3], disks[4]]))),
      (9, "inst2", (0, reference.Redact([disks[1], disks[2]]))),
      (9, Uuid("b", 2), (0, reference.Redact([disks[1], disks[2]]))),
      (9, Uuid("b", 1), (0, [disks[0]])),
      # Ganeti's daemon assigns minors to instances in the same way
      (7, "node1", (0, [
        [n1, 0, "inst2.example.com", "disk/1", "secondary", n2],
        [n1, 5, "inst3.example.com", "disk/0", "primary", n2]])),
      (8, "node1", (0, [[nameless, complete], []])),
      (8, "node2", (0, [[], [complete]])),
      (6, None, (0, ["198.51.100.1", "198.51.100.2", "198.51.100.3"])),
      (2, {"1": "198.51.100.1"}, UNKNOWN), (2, {"1": "198.51.100.2"}, UNKNOWN),
      # Of those who have an ip, the one that has a node
      (2, {"1": "198.51.100.3"}, (0, "192.0.2.1"))])
    self.assertEqual(snap.warnings, [])
    # Without a name or a node there is no row
    self.assertEqual([item.name for item in snap.instances.items],
                     ["inst3.example.com"])
    self.assertEqual(
      Answer(snap, protocol.REQ_QUERY, {"what": "disk", "fields":
                                        ["uuid", "instance", "nodes"]})[1]
      ["rows"],
      [[disks[0]["uuid"], None, [n1]],
       [disks[1]["uuid"], "inst2.example.com", []],
       [disks[2]["uuid"], "inst2.example.com", [n1, n2]],
       [disks[3]["uuid"], "inst3.example.com", [n1, n2]],
       [disks[4]["uuid"], "inst3.example.com", [n1]]])
    rows = Answer(snap, protocol.REQ_QUERY, {
      "what": "node", "fields": ["pinst_cnt", "pinst_list", "sinst_list"]})[1]
    self.assertEqual(rows["rows"], [
      [2, ["inst3.example.com"], []], [0, [], ["inst3.example.com"]]])
    rows = Answer(snap, protocol.REQ_QUERY, {
      "what": "group", "fields": ["pinst_cnt", "pinst_list"]})[1]
    self.assertEqual(rows["rows"], [[2, ["inst3.example.com"]]])

  def testForthcomingNames(self):
    # The name of an instance without a node makes a beginning ambiguous
    homeless = MakeInstance(1, 1, name="web.example.com", forthcoming=True,
                            disks=[1])
    del homeless["primary_node"]
    config = MakeConfig(
      disks=[MakeDisk(1), MakeDisk(2)],
      instances=[homeless,
                 MakeInstance(2, 1, name="web.example.com.test", disks=[2])])
    snap = self.Check(config, [
      (9, "web", UNKNOWN), (9, "web.example", UNKNOWN),
      (9, "web.example.com", (0, [MakeDisk(1)])),
      (9, "web.example.com.test", (0, [MakeDisk(2)]))])
    for (name, rows) in [("web.example.com", None), ("web", None),
                         ("web.example.com.test", [["web.example.com.test"]])]:
      (status, answer) = Answer(snap, protocol.REQ_QUERY, {
        "what": "instance", "fields": ["name"], "names": [name]})
      self.assertEqual((status, answer.get("rows")), (rows is None, rows))

  def testNames(self):
    for name in ["", None, 5, ["x"], {}]:
      with self.subTest(name=name):
        config = MakeConfig(nodes=[MakeNode(1), dict(MakeNode(2), name=name)])
        snap = self.Check(config, [(4, None, (0, ["192.0.2.1"]))])
        self.assertEqual(len(snap.warnings), 1)

  def testEmptyUuid(self):
    config = MakeConfig(nodes=[MakeNode(1), MakeNode(2)])
    config["nodes"][Uuid("a", 2)]["uuid"] = ""
    self.Check(config, [(1, "", UNKNOWN), (1, Uuid("a", 2), (0, 4))])

  def testDuplicateKeys(self):
    # Ganeti writes no such files; but one of them it must be
    text = json.dumps(MakeConfig())
    text = text.replace("\"serial_no\": 17",
                        "\"serial_no\": 16, \"serial_no\": 17")
    self.assertIn(snapshot.Snapshot(text.encode("ascii")).serial, [16, 17])

  def testNoNumbers(self):
    # Some versions of the JSON module refuse these
    for value in ["NaN", "Infinity", "-Infinity", "1e999"]:
      text = json.dumps(MakeConfig(x=["value"]))
      text = text.replace("\"value\"", value)
      snap = snapshot.Snapshot(text.encode("ascii"))
      self.assertEqual(Answer(snap, 10, "/x"), (0, [None]))

  def testIntervals(self):
    for value in ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e400",
                  "null", "true", "\"5\"", "[]", "{}"]:
      with self.subTest(value=value):
        text = json.dumps(MakeConfig(
          cluster={"data_collectors": {"lv": {"active": True,
                                              "interval": "value"}}}))
        text = text.replace("\"value\"", value)
        snap = snapshot.Snapshot(text.encode("ascii"))
        self.assertEqual(Answer(snap, 11)[1]["lv"],
                         {"active": True, "interval": 5000000}, value)

  def testHugeNumbers(self):
    """A number of more than 64 bits counts as missing.

    """
    for value in [10 ** 400, 1 << 63, 1e300, -1e19]:
      for drbd in ({"minor_a": value}, {"minor_b": value}):
        config = MakeConfig(
          nodes=[MakeNode(1), MakeNode(2)], disks=[MakeDrbd(1, 1, 2, **drbd)],
          instances=[MakeInstance(1, 1, disks=[1])],
          cluster={"data_collectors": {
            "lv": {"active": True, "interval": value}}})
        snap = Snapshot(config)
        self.assertEqual(Answer(snap, 11)[1]["lv"]["interval"], 5000000, value)
        self.assertEqual(Answer(snap, 7, "node1"), (0, []))
        self.assertEqual(len(snap.warnings), 1)

  def testNumbersThatHaveToBeThere(self):
    for key in ("version", "serial_no"):
      for value in [-1, 1 << 63, 10 ** 400, 1.0, True, "1", None]:
        with self.assertRaisesRegex(errors.ConfigurationError,
                                    '"%s" is missing or no integer' % key):
          Snapshot(MakeConfig(**{key: value}))
      for value in [0, (1 << 63) - 1]:
        Snapshot(MakeConfig(**{key: value}))

  def testMasterIpThatIsNone(self):
    snap = Snapshot(MakeConfig(cluster={"master_ip": 5}))
    self.assertEqual(Answer(snap, 3, {"3": [1]}), (1, 0))

  def testNonAscii(self):
    name = "n\xf6de.\u4f8b.example"
    config = MakeConfig(nodes=[MakeNode(1, name=name)],
                        x={"\xe9": "\U0001f600"})
    for text in [json.dumps(config),
                 json.dumps(config, ensure_ascii=False)]:
      snap = snapshot.Snapshot(text.encode("utf-8"))
      self.assertEqual(Answer(snap, 3), (0, name))
      self.assertEqual(Answer(snap, 10, "/x/\xe9"), (0, "\U0001f600"))

  def testLoneSurrogates(self):
    config = MakeConfig(nodes=[MakeNode(1, name="\ud800.example.com")],
                        x={"\udc00": "\ud800"})
    self.Check(config, [(3, None, (0, "\ud800.example.com")),
                        (1, "\ud800", (0, 0)), (10, "/x/\udc00",
                                                (0, "\ud800"))])

  def testDeepNesting(self):
    # Too deep is an error of the configuration, not of the program
    def _Nested(depth):
      return "{\"x\":[" * depth + "1" + "]}" * depth

    served = 0
    for depth in list(range(10, 600, 10)) + [2000, 50000]:
      for place in ["x", "osparams"]:
        config = MakeConfig(instances=[
          MakeInstance(1, 1, osparams_private={"y": "secret"})], x="x")
        text = json.dumps(config).replace(
          "\"x\": \"x\"" if place == "x" else "\"secret\"",
          ("\"x\": " if place == "x" else "") + _Nested(depth))
        try:
          snap = snapshot.Snapshot(text.encode("ascii"))
        except errors.ConfigurationError:
          continue
        self.assertEqual(Answer(snap, 4), (0, ["192.0.2.1"]))
        served += 1
    self.assertGreater(served, 5)


class TestImmutable(unittest.TestCase):
  def testQueriesChangeNothing(self):
    config = MakeConfig(
      nodes=[MakeNode(1), MakeNode(2)],
      instances=[MakeInstance(1, 1, disks=[1], nics=["198.51.100.1"])],
      disks=[MakeDrbd(1, 1, 2)])
    snap = Snapshot(config)
    before = wire.EncodeJson(snap.document)
    questions = list(reference.Reference(config).Questions())
    answers = [Answer(snap, rtype, query) for (rtype, query, _) in questions]
    self.assertEqual([Answer(snap, rtype, query)
                      for (rtype, query, _) in questions[::-1]], answers[::-1])
    self.assertEqual(wire.EncodeJson(snap.document), before)

  def testEqualConfigurationsEqualAnswers(self):
    # Whatever the order of keys in the file
    config = MakeConfig(
      nodes=[MakeNode(i) for i in range(1, 12)],
      instances=[MakeInstance(i, 1 + i % 11, disks=[i],
                              nics=["198.51.100.%d" % i])
                 for i in range(1, 30)],
      disks=[MakeDrbd(i, 1 + i % 11, 1 + (i + 1) % 11) for i in range(1, 30)])

    def _Reverse(value):
      if isinstance(value, dict):
        return {key: _Reverse(item)
                for (key, item) in reversed(list(value.items()))}
      return value

    one = Snapshot(config)
    two = Snapshot(_Reverse(config))
    for (rtype, query, _) in reference.Reference(config).Questions():
      self.assertEqual(Answer(one, rtype, query), Answer(two, rtype, query))


class TestFiles(unittest.TestCase):
  """Loads files, whose text is read in chunks."""

  def setUp(self):
    (fd, self.path) = tempfile.mkstemp(prefix="ganeti-confd-test.")
    os.close(fd)
    self.addCleanup(os.unlink, self.path)

  def _Load(self, text, meanwhile=lambda: None):
    """Loads a text as a file.

    @param meanwhile: called between opening the file and reading it
    @return: the snapshot and the digest of what was read

    """
    testutils.WriteFile(self.path, text)
    with filestate.Open(self.path) as opened:
      meanwhile()
      return (snapshot.Load(opened), opened.Digest())

  def testDigest(self):
    """A text that has to be parsed as a whole is read twice."""
    for before in (b"", b"\xef\xbb\xbf"):
      text = before + json.dumps(MakeConfig(serial_no=7)).encode("ascii")
      with self.subTest(before=before):
        (snap, digest) = self._Load(text)
        self.assertEqual((snap.serial, snap.size), (7, len(text)))
        self.assertEqual(digest, filestate.Digest(text))

  def testErrors(self):
    good = json.dumps(MakeConfig()).encode("ascii")
    for (text, meanwhile, expected) in [
        (good[:-1], lambda: None, "%s: not JSON: "),
        (b"{}", lambda: None, "%s: \"version\" is missing"),
        # A part of the file that is no JSON text by itself, and more of it
        (good, lambda: os.truncate(self.path, 20), "%s changed while"),
        (good, lambda: os.truncate(self.path, 1 << 20), "%s changed while")]:
      with self.subTest(expected=expected):
        with self.assertRaises(errors.ConfigurationError) as caught:
          self._Load(text, meanwhile)
        self.assertTrue(str(caught.exception).startswith(expected % self.path),
                        str(caught.exception))
        self.assertEqual(str(caught.exception).count(self.path), 1)

  def testMemory(self):
    """Most of the text is not in memory at any time."""
    text = json.dumps(MakeConfig(
      instances=[MakeInstance(i, 1, disks=[i], tags=["x" * 3000])
                 for i in range(1500)],
      disks=[MakeDrbd(i, 1, 2) for i in range(1500)])).encode("ascii")
    tracemalloc.start()
    self.addCleanup(tracemalloc.stop)
    result = self._Load(text)
    (kept, peak) = tracemalloc.get_traced_memory()
    self.assertGreater(kept, 1500 * 3000)
    self.assertLess(peak - kept, len(text) / 2)
    del result


class TestNaturalKey(unittest.TestCase):
  def test(self):
    names = ["", "0", "1", "2", "10", "10a", "a", "a1", "a2", "a10", "a10b1",
             "a10b02", "a10b3", "ab", "b", "b9", "b10.x", "\xe9"]
    self.assertEqual(sorted(names[::-1], key=naturalorder.NaturalKey), names)

  def testOnlyAsciiDigits(self):
    for name in ["\uff11", "\xb2", "\u0661", "1" * 10000, "a" + "9" * 5000]:
      naturalorder.NaturalKey(name)


if __name__ == "__main__":
  unittest.main()

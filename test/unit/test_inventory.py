#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tables of instances, nodes, groups, networks and disks.

Tests of test/ganeti compare the values with Ganeti's; here it is the query's
form, old configurations, and what stays hidden.

"""

import json
import unittest
from unittest import mock

import nextconfig
import oldconfigs
import testutils
from testutils import QUERY

from testutils import MakeConfig, MakeDisk, MakeDrbd, MakeInstance, MakeNode
from testutils import Uuid

from ganeti.confd import protocol
from ganeti.confd import querylib
from ganeti.confd.config import fields as fieldslib
from ganeti.confd.config import inventory
from ganeti.confd.config import snapshot
from ganeti.confd.protocol import wire
from ganeti.confd.schema import columns

(OK, ERROR) = range(2)
(UNKNOWN_ENTRY, _, ARGUMENT) = range(3)


def _Snapshot(config):
  return snapshot.Snapshot(json.dumps(config).encode("ascii"))


def _Config():
  """A configuration with something of everything.

  """
  nodes = [MakeNode(1, master_candidate=True), MakeNode(2, offline=True),
           MakeNode(10, drained=True, group=Uuid("c", 2))]
  instances = [
    MakeInstance(1, 1, disks=[1, 2], nics=["198.51.100.1"], tags=["b", "a"],
                 osparams_private={"password": "s3cret"},
                 hvparams={"kernel_path": "/own"}, beparams={"vcpus": 2}),
    MakeInstance(10, 2, nics=[("198.51.100.10", "br9"), None]),
    MakeInstance(2, 1, name="inst2.example.org", hypervisor="xen-pvm"),
    ]
  instances[1]["nics"][1]["network"] = Uuid("9", 1)
  config = MakeConfig(nodes, instances,
                      [MakeDrbd(1, 1, 2), MakeDisk(2, name="data", size=512),
                       MakeDisk(3)],
                      cluster={
                        "beparams": {"default": {"maxmem": 128, "vcpus": 1}},
                        "hvparams": {
                          "kvm": {"kernel_path": "/cluster", "acpi": True,
                                  "speed": 9, "migration_mode": "live"},
                          "xen-pvm": {"xen_cmd": "xl"}},
                        "os_hvp": {"debootstrap+default": {
                          "kvm": {"acpi": False, "kernel_path": "/os"}}},
                        "osparams": {"debootstrap": {"dhcp": "yes"}},
                        "ndparams": {"ssh_port": 22, "oob_program": ""}},
                      networks={Uuid("9", 1): {
                        "name": "net1", "uuid": Uuid("9", 1),
                        "network": "10.0.0.0/29",
                        "reservations": "11000001",
                        "ext_reservations": "10000001"}})
  config["nodegroups"][Uuid("c", 2)] = {
    "name": "rack2", "uuid": Uuid("c", 2), "ndparams": {"ssh_port": 2222},
    "networks": {Uuid("9", 1): {"mode": "routed", "link": "r1"}}}
  return config


class TestTables(unittest.TestCase):
  """Descriptions of fields and the functions of their values fit together.

  """
  def testSameNames(self):
    self.assertEqual(set(columns.TABLES), set(columns.KINDS))
    self.assertEqual(set(fieldslib.TABLES), set(columns.KINDS))
    for what in columns.KINDS:
      described = columns.TABLES[what]
      table = fieldslib.TABLES[what]
      self.assertEqual(set(described.columns), set(table.getters), what)
      self.assertEqual(described.params,
                       [params.params for params in table.params], what)
      self.assertLessEqual(columns.HOSTNAMES[what], set(described.columns))

  def testEachNameOnce(self):
    for (what, table) in columns.TABLES.items():
      self.assertTrue(set(table.columns).isdisjoint(table.aliases), what)
      for name in table.aliases.values():
        self.assertNotEqual(columns.Describe(what, name).text, "", name)


class TestQuery(unittest.TestCase):
  def setUp(self):
    self.snap = _Snapshot(_Config())

  def _Ask(self, what, fields, **kwargs):
    query = dict({"what": what, "fields": fields}, **kwargs)
    return querylib.Answer(self.snap, wire.Request(QUERY, query, "salt"))

  def _Rows(self, *args, **kwargs):
    (status, answer) = self._Ask(*args, **kwargs)
    self.assertEqual(status, OK, answer)
    self.assertEqual(sorted(answer), ["fields", "rows"])
    return answer["rows"] # pylint: disable=E1136

  def testWholeTable(self):
    self.assertEqual(
      self._Ask("instance", ["name", "pnode"]),
      (OK, {"fields": ["name", "pnode"],
            "rows": [["inst1.example.com", "node1.example.com"],
                     ["inst2.example.org", "node1.example.com"],
                     ["inst10.example.com", "node2.example.com"]]}))
    self.assertEqual(self._Rows("node", ["name", "role"]),
                     [["node1.example.com", "M"], ["node2.example.com", "O"],
                      ["node10.example.com", "D"]])
    self.assertEqual(self._Rows("group", ["name", "node_cnt", "pinst_list"]),
                     [["default", 2, ["inst1.example.com", "inst2.example.org",
                                      "inst10.example.com"]],
                      ["rack2", 1, []]])
    self.assertEqual(self._Rows("network", ["name", "map", "inst_list",
                                            "external_reservations",
                                            "group_list"]),
                     [["net1", "XX.....X", ["inst10.example.com"],
                       "10.0.0.0, 10.0.0.7", [["rack2", "routed", "r1",
                                               "-"]]]])

  def testConfigured(self):
    """Sums over primary and secondary instances; offline ones take no memory.

    """
    config = testutils.MakeConfig(
      nodes=[testutils.MakeNode(1), testutils.MakeNode(2)],
      disks=[testutils.MakeDrbd(1, 1, 2, size=1000),
             testutils.MakeDrbd(2, 1, 2, size=500)],
      instances=[
        testutils.MakeInstance(1, 1, disks=[1],
                               beparams={"maxmem": 512, "vcpus": 2}),
        testutils.MakeInstance(2, 1, disks=[2], admin_state="offline",
                               beparams={"maxmem": 4096, "vcpus": 8}),
        testutils.MakeInstance(3, 2, beparams={"maxmem": 256, "vcpus": 1})])
    self.snap = _Snapshot(config)
    fields = ["maxmem", "vcpus", "disk"]
    primary = ["pinst_" + name for name in fields]
    secondary = ["sinst_" + name for name in fields]
    self.assertEqual(self._Rows("node", primary + secondary),
                     [[512, 2, 1756, 0, 0, 0], [256, 1, 0, 512, 2, 1756]])
    self.assertEqual(self._Rows("group", primary + secondary),
                     [[768, 3, 1756, 512, 2, 1756]])
    # A value that is no number makes the sum unknown
    config["instances"][testutils.Uuid("b", 3)]["beparams"]["maxmem"] = "x"
    self.snap = _Snapshot(config)
    self.assertEqual(self._Rows("node", ["pinst_maxmem"]), [[512], [None]])

  def testStorage(self):
    """Where a disk is: volume group, pool or provider.

    """
    drbd = testutils.MakeDrbd(1, 1, 2)
    drbd["children"] = [{"dev_type": "plain", "logical_id": ["xenvg", "x"],
                         "children": [], "size": 1}]
    disks = [drbd]
    for (index, kind, place) in [(2, "plain", ["vg2", "y"]),
                                 (3, "rbd", ["rbd", "z"]),
                                 (4, "ext", ["san", "w"]),
                                 (5, "file", ["loop", "/f"])]:
      disks.append(testutils.MakeDisk(index, dev_type=kind, logical_id=place))
    self.snap = _Snapshot(testutils.MakeConfig(
      nodes=[testutils.MakeNode(1), testutils.MakeNode(2)], instances=[],
      disks=disks))
    self.assertEqual(
      sorted(self._Rows("disk", ["dev_type", "vg", "pool", "provider"])),
      [["drbd", "xenvg", None, None], ["ext", None, None, "san"],
       ["file", None, None, None], ["plain", "vg2", None, None],
       ["rbd", None, "rbd", None]])

  def testDisks(self):
    fields = ["uuid", "name", "instance", "index", "dev_type", "size", "mode",
              "nodes", "spindles", "serial_no"]
    both = ["node1.example.com", "node2.example.com"]
    self.assertEqual(self._Rows("disk", fields), [
      [Uuid("d", 1), None, "inst1.example.com", 0, "drbd", 1024, "rw", both,
       None, 1],
      [Uuid("d", 2), "data", "inst1.example.com", 1, "plain", 512, "rw",
       ["node1.example.com"], None, 1],
      [Uuid("d", 3), None, None, None, "plain", 1024, "rw", [], None, 1]])
    self.assertEqual(self._Rows("disk", ["index"],
                                names=[Uuid("d", 1), "data"]), [[0], [1]])

  def _Of(self, config, what, *names):
    """Lists fields of all objects of a kind, by their UUIDs.

    """
    self.snap = _Snapshot(config)
    return {row[0]: row[1] if len(names) == 1 else row[1:]
            for row in self._Rows(what, ["uuid", *names])}

  def _Disks(self, config, *names):
    return self._Of(config, "disk", *names)

  def testIndexed(self):
    """An object that is not stored under its own UUID.

    """
    config = _Config()
    for (what, section, key) in [
        ("instance", "instances", Uuid("b", 10)),
        ("node", "nodes", Uuid("a", 2)),
        ("group", "nodegroups", Uuid("c", 2)),
        ("network", "networks", Uuid("9", 1)), ("disk", "disks", Uuid("d", 3))]:
      before = self._Of(config, what, "indexed")
      self.assertEqual(set(before.values()), {True})
      broken = json.loads(json.dumps(config))
      broken[section][key]["uuid"] = Uuid("f", 17)
      after = self._Of(broken, what, "indexed")
      self.assertEqual({uuid for uuid in after if not after[uuid]},
                       {Uuid("f", 17)})
      del broken[section][key]["uuid"]
      self.assertEqual(self._Of(broken, what, "indexed"), before)

  def testWronglyIndexedDisk(self):
    """A disk that is attached stands there once, whatever its own UUID is.

    """
    config = _Config()
    config["disks"][Uuid("d", 2)]["uuid"] = Uuid("f", 17)
    self.snap = _Snapshot(config)
    rows = self._Rows("disk", ["uuid", "instance", "index", "indexed"])
    self.assertEqual([row for row in rows if row[0] == Uuid("f", 17)],
                     [[Uuid("f", 17), "inst1.example.com", 1, False]])

  def testAttached(self):
    config = _Config()
    self.assertEqual(self._Disks(config, "attached"),
                     {Uuid("d", 1): 1, Uuid("d", 2): 1, Uuid("d", 3): 0})
    config["instances"][Uuid("b", 2)]["disks"] = [Uuid("d", 2), Uuid("d", 2)]
    # An instance that is only planned, and is in no table
    config["instances"][Uuid("b", 10)].update(
      forthcoming=True, primary_node=None, disks=[Uuid("d", 3)])
    self.assertEqual(self._Disks(config, "attached"),
                     {Uuid("d", 1): 1, Uuid("d", 2): 3, Uuid("d", 3): 1})

  def testDrbd(self):
    config = _Config()
    config["disks"][Uuid("d", 1)]["logical_id"][3:5] = [7, 0]
    nothing = [None, []]
    self.assertEqual(self._Disks(config, "port", "minors"), {
      Uuid("d", 1): [11000, [7, 0]], Uuid("d", 2): nothing,
      Uuid("d", 3): nothing})
    for items in (None, 17, [], ["x"] * 6, [None] * 6):
      config["disks"][Uuid("d", 1)]["logical_id"] = items
      self._Disks(config, "port", "minors", "volumes", "volumes.shared",
                  "secret.shared")

  def testSecrets(self):
    config = _Config()
    config["disks"][Uuid("d", 4)] = MakeDrbd(4, 1, 2, secret="other")
    self.assertEqual(set(self._Disks(config, "secret.shared").values()),
                     {False})
    config["disks"][Uuid("d", 5)] = MakeDrbd(5, 1, 2, secret="other")
    shared = self._Disks(config, "secret.shared")
    self.assertEqual({uuid for uuid in shared if shared[uuid]},
                     {Uuid("d", 4), Uuid("d", 5)})
    # None at all is no secret that is shared
    for index in (4, 5):
      config["disks"][Uuid("d", index)]["logical_id"][5] = ""
    self.assertEqual(set(self._Disks(config, "secret.shared").values()),
                     {False})

  def testVolumes(self):
    def _Add(index, kind, logical_id, **kwargs):
      config["disks"][Uuid("d", index)] = MakeDisk(
        index, dev_type=kind, logical_id=logical_id, **kwargs)
    config = _Config()
    child = MakeDisk(90, logical_id=["xenvg", "data"])
    config["disks"][Uuid("d", 1)]["children"] = [child, "malformed"]
    for (index, kind, logical_id) in [
        (4, "file", ["loop", "/srv/a"]), (5, "blockdev", ["manual", "/dev/b"]),
        (6, "rbd", ["pool", "image"]), (7, "ext", ["provider", "name"]),
        (8, "gluster", ["loop", "c"]), (9, "lvm", ["xenvg", "old"])]:
      _Add(index, kind, logical_id)
    self.assertEqual(self._Disks(config, "volumes"), {
      Uuid("d", 1): ["xenvg/data"], Uuid("d", 2): ["xenvg/disk2"],
      Uuid("d", 3): ["xenvg/disk3"], Uuid("d", 4): ["/srv/a"],
      Uuid("d", 5): ["/dev/b"], Uuid("d", 6): ["pool/image"],
      Uuid("d", 7): ["provider/name"], Uuid("d", 8): ["c"],
      Uuid("d", 9): ["xenvg/old"]})
    self.assertEqual(set(map(tuple, self._Disks(
      config, "volumes.shared").values())), {()})
    # Each node may have one of that name
    (here, there) = ([Uuid("a", 10)], [Uuid("a", 2)])
    _Add(10, "plain", ["xenvg", "x"], nodes=here)
    _Add(11, "plain", ["xenvg", "x"], nodes=there)
    self.assertEqual(set(map(tuple, self._Disks(
      config, "volumes.shared").values())), {()})
    # Of DRBD, both nodes have both
    _Add(12, "plain", ["xenvg", "data"], nodes=there)
    _Add(13, "rbd", ["pool", "image"])
    _Add(14, "plain", ["xenvg", "x"], nodes=here)
    self.assertEqual(
      {uuid: names for (uuid, names) in
       self._Disks(config, "volumes.shared").items() if names},
      {Uuid("d", 1): ["xenvg/data"], Uuid("d", 12): ["xenvg/data"],
       Uuid("d", 6): ["pool/image"], Uuid("d", 13): ["pool/image"],
       Uuid("d", 10): ["xenvg/x"], Uuid("d", 14): ["xenvg/x"]})
    # A disk that is attached twice has its volumes alone
    config = _Config()
    config["instances"][Uuid("b", 2)]["disks"] = [Uuid("d", 2)]
    self.assertEqual(set(map(tuple, self._Disks(
      config, "volumes.shared").values())), {()})

  def testNames(self):
    # UUID, name and short name, in the order asked
    names = [Uuid("b", 10), "inst1", "inst2.example.org", "inst1.example.com"]
    self.assertEqual(self._Rows("instance", ["name"], names=names),
                     [["inst10.example.com"], ["inst1.example.com"],
                      ["inst2.example.org"], ["inst1.example.com"]])
    self.assertEqual(self._Rows("instance", ["name"], names=[]), [])
    self.assertEqual(self._Rows("group", ["uuid"], names=["rack2"]),
                     [[Uuid("c", 2)]])

  def testFilled(self):
    self.assertEqual(
      self._Rows("instance", ["hv/kernel_path", "hv/acpi", "hv/speed",
                              "be/vcpus", "be/maxmem", "vcpus", "be/memory"]),
      [["/own", False, 9, 2, 128, 2, 128],
       [None, None, None, 1, 128, 1, 128],
       ["/os", False, 9, 1, 128, 1, 128]])
    self.assertEqual(
      self._Rows("instance", ["hvparams", "beparams", "osparams"],
                 names=["inst1"]),
      [[{"acpi": False, "kernel_path": "/own", "speed": 9},
        {"maxmem": 128, "vcpus": 2}, {"dhcp": "yes"}]])
    self.assertEqual(self._Rows("node", ["ndp/ssh_port", "powered"]),
                     [[22, None], [22, None], [2222, None]])

  def testEmptyCounts(self):
    """A value counts if it is there, also an empty one; null is none."""
    config = _Config()
    config["cluster"]["nicparams"]["default"] = {
      "mode": "routed", "link": "100", "vlan": "5"}
    nics = config["instances"][Uuid("b", 1)]["nics"]
    nics[:] = [{"nicparams": params} for params in [
      {}, {"link": ""}, {"link": None, "mode": None, "vlan": None},
      {"mode": "openvswitch", "vlan": ""}, {"mode": "openvswitch"},
      {"mode": "bridged", "link": ""}, {"mode": "ext"}]]
    config["cluster"]["beparams"]["default"].update(always_failover=True)
    config["instances"][Uuid("b", 1)].update(
      beparams={"vcpus": 0, "always_failover": False, "maxmem": None},
      hvparams={"kernel_path": "", "acpi": None})
    config["nodes"][Uuid("a", 10)]["ndparams"] = {"ssh_port": None,
                                                  "oob_program": ""}
    config["cluster"]["ndparams"]["oob_program"] = "/bin/oob"
    config["cluster"]["ipolicy"] = {"std": {"cpu-count": 1, "nic-count": 2},
                                    "vcpu-ratio": 4.0, "spindle-ratio": 32.0}
    config["nodegroups"][Uuid("c", 2)]["ipolicy"] = {
      "std": {"cpu-count": 0, "nic-count": None}, "vcpu-ratio": 0,
      "spindle-ratio": None}
    self.snap = _Snapshot(config)
    self.assertEqual(
      self._Rows("instance", ["nic.links", "nic.modes", "nic.vlans",
                              "nic.bridges", "custom_nicparams"],
                 names=["inst1"]),
      [[["100", "", "100", "100", "100", "", "100"],
        ["routed", "routed", "routed", "openvswitch", "openvswitch", "bridged",
         "ext"],
        [None, None, None, "", "5", None, None],
        [None, None, None, None, None, "", None],
        [{}, {"link": ""}, {}, {"mode": "openvswitch", "vlan": ""},
         {"mode": "openvswitch"}, {"mode": "bridged", "link": ""},
         {"mode": "ext"}]]])
    self.assertEqual(
      self._Rows("instance", ["nic_link", "bridge", "nic.link/1", "be/vcpus",
                              "be/always_failover", "be/maxmem",
                              "hv/kernel_path", "hv/acpi", "beparams",
                              "custom_beparams"],
                 names=["inst1"]),
      [["100", None, "", 0, False, 128, "", None,
        {"vcpus": 0, "always_failover": False, "maxmem": 128},
        {"vcpus": 0, "always_failover": False}]])
    self.assertEqual(
      self._Rows("node", ["ndp/ssh_port", "powered", "ndp/oob_program",
                          "custom_ndparams"], names=["node10", "node1"]),
      [[2222, None, "", {"oob_program": ""}], [22, True, "/bin/oob", {}]])
    self.assertEqual(
      self._Rows("group", ["ipolicy", "custom_ipolicy"], names=["rack2"]),
      [[{"std": {"cpu-count": 0, "nic-count": 2}, "vcpu-ratio": 0,
         "spindle-ratio": 32.0},
        {"std": {"cpu-count": 0}, "vcpu-ratio": 0}]])

  def testAddresses(self):
    """The addresses of a network that instances have, or can get."""
    config = _Config()
    network = config["networks"][Uuid("9", 1)]
    nic = config["instances"][Uuid("b", 10)]["nics"][1]
    fields = ["free_count", "reserved_count", "usable_count", "used_count",
              "external_count", "instance_reservations",
              "external_reservations", "ip_list"]
    for (changes, ip, expected) in [
      ({"reservations": "01100000", "ext_reservations": "10010001"},
       "10.0.0.2", [3, 5, 5, 2, 3, "10.0.0.1, 10.0.0.2",
                    "10.0.0.0, 10.0.0.3, 10.0.0.7", ["10.0.0.2"]]),
      # An address that both have is an instance's
      ({"reservations": "01000000", "ext_reservations": "11000001"}, None,
       [5, 3, 6, 1, 3, "10.0.0.1", "10.0.0.0, 10.0.0.1, 10.0.0.7", []]),
      ({"reservations": "00000000", "ext_reservations": "11111111"}, None,
       [0, 8, 0, 0, 8, "", ", ".join("10.0.0.%d" % i for i in range(8)), []]),
      # Bits beyond the prefix do not count
      ({"network": "10.0.0.5/29", "reservations": "01000000"}, None,
       [0, 8, 1, 1, 8, "10.0.0.1",
        ", ".join("10.0.0.%d" % i for i in range(8)), []]),
      ({"ext_reservations": None}, None, [0, 0, 0, 1, 0, "10.0.0.1", "", []])]:
      network.update(changes)
      nic["ip"] = ip
      self.snap = _Snapshot(config)
      self.assertEqual(self._Rows("network", fields), [expected])
    self.assertEqual(self._Rows("group", ["name", "networks"]),
                     [["default", []], ["rack2", [Uuid("9", 1)]]])

  def testNicNetworks(self):
    """Subnet and gateway are those for the kind of the interface's address."""
    config = _Config()
    config["networks"][Uuid("9", 1)].update(
      gateway="10.0.0.1", network6="2001:db8::/64", gateway6="2001:db8::1")
    instance = config["instances"][Uuid("b", 10)]
    for (ip, expected) in [
        ("10.0.0.2", ["10.0.0.0/29", "10.0.0.1"]),
        (None, ["10.0.0.0/29", "10.0.0.1"]),
        ("2001:db8::2", ["2001:db8::/64", "2001:db8::1"]),
        (5, ["10.0.0.0/29", "10.0.0.1"])]:
      instance["nics"][1]["ip"] = ip
      self.snap = _Snapshot(config)
      (row, ) = [row for row in self._Rows("instance", [
        "name", "nic.networks.subnets", "nic.networks.gateways",
        "nic.network.subnet/1", "nic.network.gateway/1"])
                 if row[0] == instance["name"]]
      self.assertEqual(row[1:], [[None, expected[0]], [None, expected[1]],
                                 *expected])
    config["networks"][Uuid("9", 1)].update(network=5, gateway=[], gateway6={})
    self.snap = _Snapshot(config)
    self.assertEqual([row for row in self._Rows("instance", [
      "nic.networks.gateways", "nic.network.subnet/1"]) if row[0][1:]],
                     [[[None, None], None]])

  def testForthcoming(self):
    """Values that a forthcoming instance lacks are not made up."""
    config = _Config()
    instance = MakeInstance(7, 1, forthcoming=True)
    for key in ("admin_state", "admin_state_source", "disks_active", "os",
                "hypervisor"):
      del instance[key]
    config["instances"][instance["uuid"]] = instance
    self.snap = _Snapshot(config)
    fields = ["admin_state", "admin_state_source", "admin_up", "disks_active",
              "os", "hypervisor"]
    self.assertEqual(self._Rows("instance", fields, names=["inst7"]),
                     [[None] * 6])
    # Before Ganeti 2.8 and 2.15, real ones lack these
    instance.update(forthcoming=False, admin_state="up")
    self.snap = _Snapshot(config)
    self.assertEqual(self._Rows("instance", fields[:4], names=["inst7"]),
                     [["up", "admin", True, True]])

  def testDuplicates(self):
    """Nothing stands twice: an answer would be longer than the tables are."""
    for (fields, names, what, word) in [
        (["name", "uuid", "name"], None, "field", "name"),
        (["name", "no", "no"], None, "field", "no"),
        (["name"], ["inst1", "inst2.example.org", "inst1"], "name", "inst1"),
        (["uuid", "uuid"], ["inst1", "inst1"], "field", "uuid")]:
      self.assertEqual(self._Ask("instance", fields, names=names),
                       (ERROR, {"error": ARGUMENT, "duplicate": what,
                                "value": word}))

  def testTooManyCells(self):
    """Where there are so many that a table would be too large, none is made.

    """
    query = {"what": "instance", "fields": ["name", "uuid"]}
    count = len(self.snap.instances.items)
    with mock.patch.object(inventory, "_MAX_CELLS", 2 * count):
      self.assertEqual(inventory.Answer(self.snap, query)[0], OK)
    with mock.patch.object(inventory, "_MAX_CELLS", 2 * count - 1):
      self.assertEqual(inventory.Answer(self.snap, query), protocol.TOO_LARGE)

  def testTexts(self):
    """The text made row by row is that of the whole answer."""
    for names in (None, [], ["inst1"]):
      query = {"what": "instance", "fields": ["name", "tags"], "names": names}
      table = inventory.Select(self.snap, query)
      self.assertEqual("".join(table.Texts()),
                       wire.EncodeJson(inventory.Answer(self.snap, query)[1]))

  def testUnknown(self):
    self.assertEqual(self._Ask("instances", ["name"]),
                     (ERROR, {"error": ARGUMENT, "unknown": "what",
                              "value": "instances"}))
    for field in ["nosuch", "hv/nosuch", "hv/xen_cmd", "hv/migration_mode",
                  "be/", "nic.ip/8", "disk.size/16", "oper_ram", "status", "",
                  "osparams_private", "console"]:
      with self.subTest(field=field):
        self.assertEqual(self._Ask("instance", ["name", field]),
                         (ERROR, {"error": ARGUMENT, "unknown": "field",
                                  "value": field}))
    for name in ["inst", "", "inst3", "INST1"]:
      self.assertEqual(self._Ask("instance", ["name"], names=["inst1", name]),
                       (ERROR, {"error": UNKNOWN_ENTRY, "unknown": "name",
                                "value": name}))

  def testMalformed(self):
    for query in [None, "instance", [], 1, {}, {"what": None}, {"what": 1},
                  {"what": "node", "fields": "name"},
                  {"what": "node", "fields": [1]},
                  {"what": "node", "fields": ["name"], "names": "node1"},
                  {"what": "node", "fields": ["name"], "names": [None]}]:
      with self.subTest(query=query):
        self.assertEqual(inventory.Answer(self.snap, query), (ERROR, ARGUMENT))

  def testFields(self):
    for what in columns.KINDS:
      (status, answer) = self._Ask(what, None)
      self.assertEqual(status, OK)
      rows = answer["fields"] # pylint: disable=E1136
      names = [row[0] for row in rows]
      self.assertEqual(names, sorted(set(names)))
      self.assertGreater(len(self._Rows(what, names)), 0)
      for (name, title, kind, text) in rows:
        self.assertRegex(name, r"^[a-z0-9/._]+$")
        self.assertNotIn(" ", title)
        self.assertIn(kind, ["text", "number", "float", "unit", "bool",
                             "timestamp", "other"])
        self.assertRegex(text, r"^[A-Z].*[^.]$")
        described = columns.Describe(what, name)
        self.assertEqual((described.name, described.title), (name, title))
        self.assertIn(described.kind, [kind, None])
      # The answer goes into one datagram, with room for more parameters
      self.assertLess(len(json.dumps(json.dumps(answer))), 45000)

  def testHidden(self):
    for what in columns.KINDS:
      names = [row[0] for row in self._Ask(what, None)[1]["fields"]]
      text = json.dumps(self._Rows(what, names))
      self.assertNotIn("s3cret", text)
      self.assertNotIn("password", text)

  def testNameOfType(self):
    self.assertEqual(protocol.REQUEST_TYPES["query"], QUERY)


class TestOldConfigurations(unittest.TestCase):
  """All fields can be asked of each release's configuration.

  """
  def _Check(self, config):
    snap = snapshot.Snapshot(config if isinstance(config, bytes) else
                             json.dumps(config).encode("ascii"))
    rows = {}
    for what in columns.KINDS:
      (status, answer) = inventory.Answer(snap, {"what": what})
      self.assertEqual(status, OK)
      names = [row[0] for row in answer["fields"]]
      (status, answer) = inventory.Answer(snap, {"what": what,
                                                 "fields": names})
      self.assertEqual(status, OK)
      json.dumps(answer)
      rows[what] = [dict(zip(names, row)) for row in answer["rows"]]
    return rows

  def testMainBranch(self):
    rows = self._Check(nextconfig.Make())
    self.assertEqual([(row["nic.modes"], row["nic.links"], row["nic.bridges"])
                      for row in rows["instance"]],
                     [(["ext", "routed"], ["", ""], [None, None]),
                      (["bridged", "ext"], ["br0", ""], ["br0", None])])
    self.assertEqual([row["diskparams"]["rbd"]["user-id"]
                      for row in rows["group"]], ["ganeti"])
    self.assertEqual({row["dev_type"] for row in rows["disk"]}, {"rbd"})

  def testOldReleases(self):
    for release in oldconfigs.RELEASES:
      with self.subTest(release):
        rows = self._Check(oldconfigs.Make(release))
        self.assertTrue(rows["node"])
        for row in rows["instance"]:
          for field in ["name", "pnode", "admin_state", "be/maxmem",
                        "disk_template", "os", "hypervisor"]:
            self.assertIsNotNone(row[field], field)
        for row in rows["disk"]:
          self.assertIsNotNone(row["instance"])
          self.assertGreater(row["size"], 0)
          self.assertTrue(row["nodes"])

  def testSamples(self):
    for (version, path) in testutils.Samples():
      with self.subTest(version):
        rows = self._Check(testutils.ReadFile(path))
        self.assertTrue(rows["instance"])
        for row in rows["instance"]:
          self.assertIsNotNone(row["pnode.group"])
          self.assertIsNotNone(row["be/maxmem"])
          self.assertIsNotNone(row["disk_template"])


class TestWide(unittest.TestCase):
  """Which fields take more than what is stored of their own object.

  """
  @staticmethod
  def _Config(size):
    """Makes a configuration with an object of each kind and much beside it.

    """
    params = {"p%d" % i: "x" * 50 for i in range(size)}
    config = MakeConfig(
      [MakeNode(i) for i in range(1, 4 + size)],
      [MakeInstance(i, 1, disks=[i], nics=["198.51.100.%d" % (i % 250)])
       for i in range(1 + size)],
      [MakeDrbd(i, 1, 2) for i in range(1 + size)],
      cluster={"beparams": {"default": params}, "hvparams": {"kvm": params},
               "osparams": {"debootstrap": params}, "ndparams": params,
               "diskparams": {"drbd": params}, "ipolicy": params,
               "os_hvp": {"debootstrap+default": {"kvm": params}},
               "nicparams": {"default": dict(params, link="br0")}})
    for instance in config["instances"].values():
      for nic in instance["nics"]:
        nic["network"] = Uuid("2", 1)
    config["networks"] = {Uuid("2", 1): {
      "name": "net1", "uuid": Uuid("2", 1), "network": "10.0.0.0/24",
      "reservations": "1" * 200, "ext_reservations": "1" * 200}}
    for i in range(1, 1 + size):
      config["nodegroups"][Uuid("c", i)] = {
        "name": "group%d" % i, "uuid": Uuid("c", i),
        "networks": {Uuid("2", 1): {"mode": "bridged", "link": "br0"}}}
    return config

  def testNoneIsMissing(self):
    """The value of any other field stays as it is when the rest grows."""
    names = {"instance": Uuid("b", 0), "node": Uuid("a", 1),
             "group": Uuid("c", 1), "network": Uuid("2", 1),
             "disk": Uuid("d", 0)}
    (small, large) = (_Snapshot(self._Config(size)) for size in (1, 100))
    for (what, name) in names.items():
      wide = set()
      for field in columns.TABLES[what].columns:
        query = {"what": what, "fields": [field], "names": [name]}
        (before, after) = (
          wire.EncodeJson(inventory.Answer(snap, query)[1]["rows"])
          for snap in (small, large))
        # Numbers may get another digit or two
        if len(after) > len(before) + 5:
          wide.add(field)
          self.assertIn(field, fieldslib.WIDE[what], what)
      if what not in ("disk", "network"):
        self.assertTrue(wide, what)

  def testReservations(self):
    """Making these takes as long as a network is large."""
    for field in ("map", "external_reservations", "free_count",
                  "reserved_count"):
      self.assertIn(field, fieldslib.WIDE["network"])


class TestLong(unittest.TestCase):
  """Which queries are answered outside the workers.

  """
  def setUp(self):
    self.snap = _Snapshot(_Config())

  def testTakesLong(self):
    for (query, expected) in [
        ({"what": "node", "fields": ["name"]}, True),
        ({"what": "node", "fields": ["name"], "names": None}, True),
        ({"what": "node", "fields": ["name"], "names": ["a"]}, False),
        ({"what": "node", "fields": ["name"] * 40, "names": ["a"] * 40}, True),
        ({"what": "node", "fields": ["pinst_cnt"], "names": ["a"]}, False),
        ({"what": "node", "fields": ["pinst_list"], "names": ["a"]}, True),
        ({"what": "network", "fields": ["name", "map"], "names": ["a"]}, True),
        ({"what": "disk", "fields": ["name", "map"], "names": ["a"]}, False),
        ({"what": [], "fields": [[]], "names": ["a"]}, False),
        ({"what": "node"}, False), (None, False), ([], False),
        ({"fields": 1, "names": 1}, False)]:
      with self.subTest(query=query):
        self.assertEqual(inventory.TakesLong(query), expected, query)
    request = wire.Request(0, {"what": "node", "fields": ["name"]}, "salt")
    self.assertFalse(querylib.TakesLong(request))


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for ganeti.confd.views.whohas"""

import unittest

from ganeti.confd.views import whohas


def _Rows(fields, rows):
  return [dict(zip(fields, row)) for row in rows]


_NODES = _Rows(whohas.NODE_FIELDS, [
  ["node1.example.com", "192.0.2.1", "198.51.100.1"],
  ["node2.example.com", "192.0.2.2", "192.0.2.2"],
  ])

_INSTANCES = _Rows(whohas.INSTANCE_FIELDS, [
  ["a", "node1.example.com", ["node2.example.com", "gone"],
   [None, "back"], ["192.0.2.51", "2001:db8::5"],
   ["aa:00:00:00:00:01", "AA:00:00:00:00:02"], ["bridged", "routed"],
   ["br0", "100"], [None, "lan"]],
  ["b", None, [], ["x"], ["192.0.2.51"], ["aa:00:00:00:00:03"], ["bridged"],
   ["br1"], [None]],
  ["c", "node1.example.com", [], [], [], [], [], [], []],
  ])


class TestParse(unittest.TestCase):
  def test(self):
    for (word, expected) in [
      ("192.0.2.1", (whohas.IP, "192.0.2.1")),
      ("2001:DB8:0:0::0:1", (whohas.IP, "2001:db8::1")),
      ("::ffff:192.0.2.1", (whohas.IP, "192.0.2.1")),
      ("AA:00:00:10:00:0F", (whohas.MAC, "aa:00:00:10:00:0f")),
      ("aa-00-00-10-00-0f", (whohas.MAC, "aa:00:00:10:00:0f")),
      ("aa00.0010.000F", (whohas.MAC, "aa:00:00:10:00:0f")),
      ("aa:00-00:10:00:0f", (whohas.NAME, "aa:00-00:10:00:0f")),
      ("aa:00:00:10:00", (whohas.NAME, "aa:00:00:10:00")),
      ("aa000010000f", (whohas.NAME, "aa000010000f")),
      ("192.0.2.300", (whohas.NAME, "192.0.2.300")),
      ("192.0.2", (whohas.NAME, "192.0.2")),
      ("Web1", (whohas.NAME, "Web1")),
      ("", (whohas.NAME, "")),
      ("tag:web", (whohas.TAG, "web")),
      ("TAG:service:Web", (whohas.TAG, "service:Web")),
      ("tag:", (whohas.NAME, "tag:")),
      ("tag:192.0.2.1", (whohas.TAG, "192.0.2.1")),
      ]:
      with self.subTest(word=word):
        self.assertEqual(whohas.Parse(word), expected, word)


class TestFind(unittest.TestCase):
  @staticmethod
  def _Find(word, instances=(), **kwargs):
    return whohas.Find(whohas.Parse(word), instances, _NODES, **kwargs)

  def testInstancesWith(self):
    rows = _Rows(["name", "nic.ips"],
                 [["a", ["192.0.2.51", None, 5, "x"]], ["b", ["2001:DB8::5"]],
                  ["c", []], ["d", ["192.0.2.51"]]])
    for (word, expected) in [("192.0.2.51", ["a", "d"]),
                             ("2001:db8:0::5", ["b"]), ("192.0.2.5", [])]:
      self.assertEqual(whohas.InstancesWith(whohas.Parse(word), rows), expected)

  def testAddressTwice(self):
    """Only the nics that have it, of all instances.

    """
    (first, second) = self._Find("192.0.2.51", _INSTANCES)
    self.assertEqual(first, whohas.Match(
      "instance", "a", "192.0.2.51",
      whohas.Nic(0, None, "aa:00:00:00:00:01", "bridged", "br0", None),
      whohas.NodeIps("node1.example.com", "192.0.2.1", "198.51.100.1"),
      [whohas.NodeIps("node2.example.com", "192.0.2.2", "192.0.2.2"),
       whohas.NodeIps("gone", None, None)]))
    self.assertEqual((second.name, second.nic.name, second.nic.link,
                      second.node, second.secondaries),
                     ("b", "x", "br1", None, []))

  def testMac(self):
    (found, ) = self._Find("aa-00-00-00-00-02", _INSTANCES)
    self.assertEqual((found.name, found.ip, found.nic.number, found.nic.name,
                      found.nic.network),
                     ("a", "2001:db8::5", 1, "back", "lan"))

  def testName(self):
    """All nics, and what has none.

    """
    found = self._Find("a", _INSTANCES[:1])
    self.assertEqual([i.nic.number for i in found], [0, 1])
    (found, ) = self._Find("c", _INSTANCES[2:])
    self.assertEqual((found.name, found.ip, found.nic), ("c", None, None))
    self.assertEqual(found.node.primary_ip, "192.0.2.1")

  def testNodes(self):
    def _Short(*args, **kwargs):
      return [(i.what, i.name, i.ip) for i in self._Find(*args, **kwargs)]
    (node1, node2) = [row["name"] for row in _NODES]
    self.assertEqual(_Short("192.0.2.1"), [("primary IP", node1, "192.0.2.1")])
    self.assertEqual(_Short("198.51.100.1"),
                     [("secondary IP", node1, "198.51.100.1")])
    # The result is the same for both
    self.assertEqual(_Short("192.0.2.2"), [("primary IP", node2, "192.0.2.2")])
    self.assertEqual(_Short("node1", named=node1),
                     [("primary IP", node1, "192.0.2.1"),
                      ("secondary IP", node1, "198.51.100.1")])
    self.assertEqual(_Short("192.0.2.2", master=(node1, "192.0.2.2")),
                     [("primary IP", node2, "192.0.2.2"),
                      ("master IP", node1, "192.0.2.2")])
    self.assertEqual(_Short("aa:00:00:00:00:01"), [])

  def testJson(self):
    (found, ) = self._Find("c", _INSTANCES[2:])
    self.assertEqual(whohas.AsDict(found), {
      "what": "instance", "name": "c", "ip": None, "nic": None,
      "node": {"name": "node1.example.com", "primary_ip": "192.0.2.1",
               "secondary_ip": "198.51.100.1"}, "secondaries": [],
      "disk": None})


class TestIsMeant(unittest.TestCase):
  def test(self):
    for (field, value, text, expected) in [
        ("name", "web1.example.com", "web1", True),
        ("name", "web1.example.com", "WEB1.Example.com", True),
        ("name", "web1.example.com", "web", False),
        ("uuid", "ab.cd", "ab", False),
        ("volumes", "xenvg/disk1", "xenvg/disk1", True),
        ("volumes", "xenvg/disk1", "disk1", True),
        ("volumes", "xenvg/disk1", "isk1", False),
        ("volumes", "xenvg/disk1", "xenvg", False),
        # A path is no volume group
        ("volumes", "/srv/ganeti/file-storage/a/disk0", "disk0", False),
        ("volumes", "/srv/disk0", "/srv/disk0", True),
        ("tags", "a/b", "b", False),
        ("volumes", "x", "", False), ("name", "", "", False)]:
      self.assertEqual(whohas.IsMeant(field, value, text), expected,
                       (field, value, text))


class TestFindOther(unittest.TestCase):
  _TABLES = {
    "instance": [dict(row, tags=tags, **{"nic.uuids": uuids})
                 for (row, tags, uuids) in zip(
                   _INSTANCES, [["web", 5], [], ["n-3"]],
                   [["n-1", "n-2"], [None], []])],
    "node": [dict(row, tags=["web"]) for row in _NODES],
    "group": [{"name": "web", "uuid": "g-1", "tags": []}],
    "network": [{"name": "lan", "uuid": "w-1", "tags": ["Web"]}],
    "disk": _Rows(["uuid", "name", "volumes", "instance", "index"], [
      ["d-1", None, ["xenvg/data"], "a", 0],
      ["d-2", "web", ["xenvg/meta", "other/data"], "a", 1],
      ["d-3", None, ["x/data"], None, None]]),
    }

  def test(self):
    for (word, expected) in [
        ("tag:web", [("instance", "a", None, None),
                     ("node", "node1.example.com", None, None),
                     ("node", "node2.example.com", None, None),
                     ("network", "lan", None, None)]),
        ("web", [("instance", "a", None, None), ("instance", "a", None, 1),
                 ("node", "node1.example.com", None, None),
                 ("node", "node2.example.com", None, None),
                 ("group", "web", None, None), ("network", "lan", None, None)]),
        ("N-2", [("instance", "a", 1, None)]),
        # A UUID of another interface, and a tag
        ("n-3", [("instance", "c", None, None)]),
        ("tag:n-2", []),
        ("xenvg/data", [("instance", "a", None, 0)]),
        ("data", [("instance", "a", None, 0), ("instance", "a", None, 1),
                  ("disk", "d-3", None, None)]),
        ("d-2", [("instance", "a", None, 1)]), ("tag:d-2", []),
        ("g-1", [("group", "web", None, None)]),
        ("lan", [("network", "lan", None, None)]),
        ("nothing", []), ("", [])]:
      found = whohas.FindOther(whohas.Parse(word), self._TABLES)
      self.assertEqual([(i.what, i.name, i.nic and i.nic.number,
                         i.disk and i.disk.number) for i in found], expected,
                       word)

  def testWithoutTables(self):
    """Tables that the key does not permit are missing.

    """
    tables = {kind: self._TABLES[kind] for kind in ("instance", "node")}
    self.assertEqual(whohas.FindOther(whohas.Parse("data"), tables), [])
    self.assertEqual(len(whohas.FindOther(whohas.Parse("web"), tables)), 3)


if __name__ == "__main__":
  unittest.main()

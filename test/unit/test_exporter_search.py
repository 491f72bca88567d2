#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of ganeti.confd.exporter.search"""

import tracemalloc
import unittest

import inputs
import testutils  # pylint: disable=W0611
from inputs import TEXTS, hypothesis, needs_hypothesis, st

from ganeti.confd.exporter import clusterstate
from ganeti.confd.exporter import forked
from ganeti.confd.exporter import rowstore
from ganeti.confd.exporter import search
from ganeti.confd.schema import columns


_SETTINGS = inputs.Settings(100)


def _Config(name, master_ip, **tables):
  """Makes a configuration; fields that are not given are empty.

  """
  return clusterstate.ClusterConfig(17, name, 3000000, 5.5, {
    kind: rowstore.Table(
      [{**dict.fromkeys(clusterstate.Fields(kind)), **row}
       for row in tables.get(kind, [])], clusterstate.Fields(kind))
    for kind in columns.KINDS}, [], {"master_ip": master_ip, "tags": ["prod"]})


def _Instance(name, ip, mac, *tags, **more):
  return {"name": name, "uuid": "uuid-" + name, "nic.ips": [ip, None],
          "nic.macs": [mac, None], "tags": list(tags), "os": "debian",
          "admin_state": "up", **more}


_CLUSTERS = {
  "fsn": _Config(
    "cluster1.example.com", "192.0.2.100",
    node=[{"name": "node1.example.com", "uuid": "n1", "pip": "192.0.2.1",
           "sip": "10.0.0.1", "role": "M", "tags": []},
          {"name": "node2.example.com", "uuid": "n2", "pip": "192.0.2.2",
           "sip": "10.0.0.2", "role": "O", "tags": ["rack:7"]}],
    instance=[
      _Instance("web1.example.com", "198.18.0.7", "aa:00:00:12:34:56", "web"),
      _Instance("web10.example.com", "198.18.0.70", "aa:00:00:12:34:57",
                "web", "service:shop"),
      _Instance("db1.example.com", "2001:db8::7", "aa:00:00:12:34:58", "web2",
                admin_state="down")],
    disk=[{"instance": "db1.example.com", "uuid": "d-1", "name": "data",
           "volumes": ["xenvg/abc.disk0"]},
          {"instance": None, "uuid": "d-2", "volumes": []},
          {"instance": "web10.example.com", "uuid": "d-3",
           "volumes": ["xenvg/abc.disk0.old"]}],
    group=[{"name": "default", "uuid": "g1", "tags": []}],
    network=[{"name": "lan", "uuid": "w1", "network": "198.18.0.0/24",
              "gateway": "198.18.0.1", "tags": []}]),
  "dus": _Config(
    "cluster2.example.com", "192.0.2.200",
    instance=[_Instance("web1.example.org", "198.18.0.7", "bb:00:00:12:34:56",
                        "Web")]),
  }

#: What is typed, what is found, and whether a page opens at once
_QUERIES = [
  ("node1", ["node1.example.com"], True),
  ("NODE1.example.com.", ["node1.example.com"], True),
  # An exact hit comes before one with the word as a part
  ("web10.example.com", ["web10.example.com"], True),
  ("web1", ["web1.example.com", "web1.example.org", "web10.example.com"],
   False),
  ("fsn web1", ["web1.example.com", "web10.example.com"], True),
  ("web1*", ["web1.example.com", "web1.example.org", "web10.example.com"],
   False),
  ("w?b10*", ["web10.example.com"], True),
  ("198.18.0.70", ["web10.example.com", "lan"], True),
  ("198.18.0.7", ["web1.example.com", "web1.example.org", "lan"], False),
  ("198.18.0.99", ["lan"], True),
  ("198.18.0.", ["web1.example.com", "web1.example.org", "web10.example.com",
                 "lan"], False),
  ("198.18.0.0/24", ["lan", "web1.example.com", "web1.example.org",
                     "web10.example.com"], True),
  ("2001:DB8:0::7", ["db1.example.com"], True),
  ("AA-00-00-12-34-56", ["web1.example.com"], True),
  ("aa00.0012.3457", ["web10.example.com"], True),
  ("12-34-56", ["web1.example.com", "web1.example.org"], False),
  ("10.0.0.2", ["node2.example.com"], True),
  ("uuid-db1.example.com", ["db1.example.com"], True),
  ("d-1", ["db1.example.com"], True),
  ("xenvg/abc", ["db1.example.com", "web10.example.com"], False),
  # A volume without its volume group identifies the disk
  ("abc.disk0", ["db1.example.com", "web10.example.com"], True),
  ("tag:web", ["web1.example.com", "web1.example.org", "web10.example.com"],
   False),
  ("shop", ["web10.example.com"], True),
  ("service:shop", ["web10.example.com"], True),
  ("rack:7", ["node2.example.com"], True),
  ("offline", ["node2.example.com"], True),
  ("master node", ["node1.example.com"], True),
  ("down instances", ["db1.example.com"], True),
  ("debian example.org", ["web1.example.org"], True),
  ("prod", ["dus", "fsn"], False),
  ("cluster2", ["dus"], True),
  ("192.0.2.100", ["fsn"], True),
  ("cluster", ["dus", "fsn"], False),
  ("lan", ["lan"], True),
  ("nothing", [], False),
  ("web1 nothing", [], False),
  ("", [], False),
  ("*", None, False),
  ]


class TestSearch(unittest.TestCase):
  def testMemory(self):
    """The rows of a large cluster are not all in memory at once.

    """
    config = _Config(
      "large", "192.0.2.1",
      instance=[_Instance("inst%d" % i, "198.18.0.%d" % i, "aa:%d" % i,
                          "tag%d" % i) for i in range(10000)],
      disk=[{"instance": "inst%d" % (i // 2), "uuid": "d%d" % i,
             "volumes": ["xenvg/%d" % i]} for i in range(20000)])

    def _Peak(function):
      tracemalloc.start()
      try:
        function()
        return tracemalloc.get_traced_memory()[1]
      finally:
        tracemalloc.stop()

    rows = _Peak(lambda: [
      config.tables[kind].Rows(fields) for (kind, fields) in [
        (columns.INSTANCE, ["name", "uuid", "nic.ips", "nic.macs", "tags"]),
        (columns.DISK, ["instance", "uuid", "name", "volumes"])]])
    self.assertLess(_Peak(lambda: search.Search({"c": config}, "nosuch")),
                    rows * 2 / 3)

  def testQueries(self):
    for (text, names, opens) in _QUERIES:
      with self.subTest(text):
        hits = search.Search(_CLUSTERS, text)
        if names is not None:
          self.assertEqual(sorted(hit.name for hit in hits), sorted(names))
        self.assertEqual(search.Single(hits) is not None, opens)

  def testOrder(self):
    """Exact hits come first, then kinds, then names in natural order.

    """
    self.assertEqual([hit.name for hit in search.Search(_CLUSTERS, "web1")],
                     ["web1.example.com", "web1.example.org",
                      "web10.example.com"])
    self.assertEqual([hit.kind for hit in search.Search(_CLUSTERS, "e")][0],
                     search.CLUSTER)

  def testPlaces(self):
    """A hit tells where each word was found.

    """
    (hit, ) = search.Search(_CLUSTERS, "shop WEB10 instance")
    self.assertEqual(hit.places, [("tag", "service:shop"),
                                  ("name", "web10.example.com")])
    (hit, ) = search.Search(_CLUSTERS, "master")
    self.assertEqual(hit.places, [("role", "master")])

  def testTooLong(self):
    with self.assertRaises(forked.BadRequest):
      search.Search(_CLUSTERS, "x" * (search.MAX_LENGTH + 1))

  def testTag(self):
    for tag in ("a", "service:shop", "tag:x"):
      self.assertTrue(search.IsForTag(search.TagSearch(tag)))
    self.assertFalse(search.IsForTag("web"))

  def testMayBeName(self):
    for word in ("web1", "web1.example.com", "uuid-1", "Upper"):
      self.assertTrue(search.MayBeName(word), word)
    for word in ("tag:web", "web*", "w?b", "192.0.2.0/24", "192.0.2.7",
                 "2001:db8::7", "aa:00:00:12:34:56", "12:34", "Offline", "up",
                 "node", "VMs"):
      self.assertFalse(search.MayBeName(word), word)

  @needs_hypothesis
  @_SETTINGS
  @hypothesis.given(TEXTS, st.lists(TEXTS, max_size=3))
  def testAnything(self, name, words):
    """Any words can be searched for, among any names.

    """
    config = _Config(name, name, instance=[_Instance(name, name, name, name)],
                     node=[{"name": name, "tags": [name, 5, None],
                            "role": name, "pip": name}],
                     network=[{"name": name, "network": name}])
    search.Search({name: config}, " ".join(words)[:search.MAX_LENGTH])
    # A name without spaces is found by itself
    if len(name.split()) == 1 and name.split()[0] == name and \
       not set(name) & set("*?./:[") and len(name) <= search.MAX_LENGTH and \
       name.lower().upper() == name.upper():
      self.assertIn(name, [hit.name for hit in
                           search.Search({"c": config}, name)])


if __name__ == "__main__":
  unittest.main()

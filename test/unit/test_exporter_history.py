#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for ganeti.confd.exporter.history and differences"""

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import tempfile
import time
import unittest
from unittest import mock

import testutils

from ganeti import errors
from ganeti.confd.exporter import clusterstate
from ganeti.confd.exporter import differences
from ganeti.confd.exporter import forked
from ganeti.confd.exporter import history
from ganeti.confd.exporter import historypage
from ganeti.confd.exporter import recorder
from ganeti.confd.exporter import rowstore
from ganeti.confd.exporter import watcher
from ganeti.confd.schema import columns

_LIMITS = history.Limits(400, 1 << 30)

_DAY = 86400


def _Row(kind, number, **values):
  row = dict.fromkeys(clusterstate.Fields(kind))
  row.update(name="%s%d" % (kind, number), uuid="%s-%d" % (kind[0], number))
  row.update(values)
  return row


def _Instance(index, **values):
  return _Row(columns.INSTANCE, index, **{
    "pnode": "node1", "snodes": ["node2"], "admin_state": "up",
    "tags": ["b", "a"], "custom_beparams": {"maxmem": 1024},
    "nic.uuids": ["x-%d" % index], "nic.names": [None],
    "nic.macs": ["aa:00:00:00:00:01"], "nic.ips": ["198.18.0.1"],
    "nic.networks.names": ["network1"], "custom_nicparams": [{"link": "br0"}],
    **values})


def _Disk(number, owner, **values):
  return _Row(columns.DISK, number, instance="instance%d" % owner, **{
    "index": 0, "size": 1024, "mode": "rw", "dev_type": "drbd", **values})


def _Config(serial=17, cluster=None, **tables):
  rows = {
    columns.NODE: [_Row(columns.NODE, 1, role="M", group="group1"),
                   _Row(columns.NODE, 2, role="R", group="group1")],
    columns.INSTANCE: [_Instance(1), _Instance(2)],
    columns.GROUP: [_Row(columns.GROUP, 1)],
    columns.NETWORK: [_Row(columns.NETWORK, 1)],
    columns.DISK: [_Disk(1, 1), _Disk(2, 2)],
    }
  rows.update(tables)
  return clusterstate.ClusterConfig(
    serial, "cluster.example.com", 3000000, 5.5,
    {kind: rowstore.Table(found, clusterstate.Fields(kind))
     for (kind, found) in rows.items()}, [], cluster or {})


def _States(config):
  return {key: differences.Dump(state)
          for (key, state) in differences.States(config)}


def _Compare(old, new):
  """Lists the changes, each without its UUID.

  """
  return [(i.kind, i.name, i.action, i.field, i.old, i.new)
          for i in differences.Compare(_States(old), _States(new))]


class TestCompare(unittest.TestCase):
  def testNothing(self):
    self.assertEqual(_Compare(_Config(), _Config(18)), [])
    # The order of tags and parameters means nothing
    self.assertEqual(_Compare(
      _Config(instance=[_Instance(1, tags=["a", "b"], custom_hvparams={
        "a": 1, "b": 2})]),
      _Config(instance=[_Instance(1, tags=["b", "a"], custom_hvparams={
        "b": 2, "a": 1})])), [])

  def testFields(self):
    for (kind, values, field, old, new) in [
        (columns.INSTANCE, {"pnode": "node2"}, "pnode", "node1", "node2"),
        (columns.INSTANCE, {"snodes": []}, "snodes", ["node2"], []),
        (columns.INSTANCE, {"tags": ["a", "c"]}, "tags", ["a", "b"],
         ["a", "c"]),
        (columns.INSTANCE, {"custom_beparams": {"maxmem": 512}}, "be/maxmem",
         1024, 512),
        (columns.INSTANCE, {"custom_beparams": {}}, "be/maxmem", 1024, None),
        (columns.INSTANCE, {"custom_osparams": {"a": {"b": "c"}}}, "os/a/b",
         None, "c"),
        (columns.INSTANCE, {"nic.ips": ["198.18.0.9"]}, "nic/0/ip",
         "198.18.0.1", "198.18.0.9"),
        (columns.INSTANCE, {"custom_nicparams": [{"link": "br1"}]},
         "nic/0/link", "br0", "br1"),
        (columns.INSTANCE, {"name": "instance9"}, "name", "instance1",
         "instance9"),
        (columns.NODE, {"role": "O"}, "role", None, "O"),
        (columns.GROUP, {"custom_ipolicy": {"std": {"disk-count": 1}}},
         "ipolicy/std/disk-count", None, 1),
        (columns.NETWORK, {"gateway": "198.18.0.1"}, "gateway", None,
         "198.18.0.1")]:
      make = _Instance if kind == columns.INSTANCE else (
        lambda index, kind=kind, **values: _Row(kind, index, **values))
      disks = [_Disk(1, int(values.get("name", "1")[-1]))]
      with self.subTest(field=field):
        self.assertEqual(
          _Compare(_Config(**{kind: [make(1)], columns.DISK: [_Disk(1, 1)]}),
                   _Config(**{kind: [make(1, **values)],
                              columns.DISK: disks})),
          [(kind, values.get("name", kind + "1"), "changed", field, old, new)])

  def testCluster(self):
    self.assertEqual(
      _Compare(_Config(cluster={"beparams": {"default": {"maxmem": 1}},
                                "tags": ["b", "a"]}),
               _Config(cluster={"beparams": {"default": {"maxmem": 2}},
                                "tags": ["a", "b"]})),
      [("cluster", "cluster.example.com", "changed", "beparams/default/maxmem",
        1, 2)])

  def testNewName(self):
    """The new name of an object is one change, whatever refers to it.

    """
    new = _Config(
      node=[_Row(columns.NODE, 1, role="M", group="other", name="node9"),
            _Row(columns.NODE, 2, role="R", group="other")],
      group=[_Row(columns.GROUP, 1, name="other")],
      network=[_Row(columns.NETWORK, 1, name="lan")],
      instance=[_Instance(1, pnode="node9",
                          **{"nic.networks.names": ["lan"]}),
                _Instance(2, pnode="node2", snodes=["node9"],
                          **{"nic.networks.names": ["lan"]})])
    self.assertEqual(
      [i[1:] for i in _Compare(_Config(), new)],
      [("other", "changed", "name", "group1", "other"),
       ("lan", "changed", "name", "network1", "lan"),
       ("node9", "changed", "name", "node1", "node9"),
       ("instance2", "changed", "pnode", "node1", "node2"),
       ("instance2", "changed", "snodes", ["node2"], ["node9"])])

  def testParts(self):
    """A disk is followed to another index, and to another instance.

    """
    old = _Config(disk=[_Disk(1, 1), _Disk(2, 1, index=1, size=2048)])
    values = {"name": "disk1", "dev_type": "drbd", "size": 1024, "mode": "rw",
              "spindles": None}
    self.assertEqual(
      _Compare(old, _Config(disk=[_Disk(2, 1, size=2048)])),
      [("instance", "instance1", "changed", "disk/0", values, None)])
    self.assertEqual(
      _Compare(old, _Config(disk=[_Disk(1, 2), _Disk(2, 1, size=4096)])),
      [("instance", "instance1", "changed", "disk/0", values, None),
       ("instance", "instance1", "changed", "disk/0/size", 2048, 4096),
       ("instance", "instance2", "changed", "disk/0", None, values)])

  def testPresence(self):
    (added, ) = _Compare(_Config(instance=[]), _Config(instance=[_Instance(1)]))
    self.assertEqual(added[:5], ("instance", "instance1", "added", None, None))
    self.assertEqual((added[5]["pnode"], added[5]["disk/0/size"]),
                     ("node1", 1024))
    (removed, ) = _Compare(_Config(instance=[_Instance(1)]),
                           _Config(instance=[]))
    self.assertEqual(removed[2:], ("removed", None, added[5], None))

  def testLaterVersion(self):
    """A field that an earlier version did not record is no change.

    """
    new = _Config(instance=[_Instance(1, pnode="node2", hypervisor="kvm"),
                            _Instance(2)])
    states = _States(_Config())
    old = {}
    for (key, text) in states.items():
      (name, values, parts) = json.loads(text)
      values.pop("hypervisor", None)
      for (_, found) in parts.values():
        found.pop("mode", None)
        found.pop("mac", None)
      old[key] = json.dumps((name, values, parts))
    self.assertNotEqual(old, states)
    self.assertEqual([(i.name, i.field, i.old, i.new) for i in
                      differences.Compare(old, _States(new))],
                     [("instance1", "pnode", "node1", "node2")])

  def testBroken(self):
    """Objects may have no UUID, or the same one, and any values.

    """
    odd = [_Instance(1, uuid=None), _Instance(2, uuid="i-1"),
           _Instance(3, uuid="i-1", tags=7, snodes=None,
                     custom_beparams=[1], **{"nic.uuids": None})]
    config = _Config(instance=odd, cluster={"tags": [None, 1], "a": {"b": {}}})
    self.assertEqual(_Compare(config, config), [])
    self.assertEqual(len(_Compare(_Config(instance=[]), config)), 4)
    deep = {}
    for _ in range(50):
      deep = {"a": deep}
    self.assertEqual([i[3] for i in _Compare(_Config(), _Config(instance=[
      _Instance(1, custom_hvparams=deep), _Instance(2)]))], ["hv/a/a/a/a"])


class _TestCase(unittest.TestCase):
  def setUp(self):
    self.directory = tempfile.mkdtemp(prefix="ganeti-confd-test.")
    self.addCleanup(shutil.rmtree, self.directory)
    self.path = os.path.join(self.directory, "history")

  def _Record(self, config, now=1000.0, known_until=None, cluster="c",
              limits=_LIMITS, serial=None):
    return history.Record(self.path, cluster, config,
                          history.Moment(now, known_until, serial), limits)

  def _Read(self, cluster="c", **selection):
    return history.Read(self.path, cluster, history.Selection(
      **{"limit": 1000, **selection}))

  def _Entries(self, cluster="c", **selection):
    return self._Read(cluster, **selection).entries

  def _Execute(self, statement):
    with contextlib.closing(sqlite3.connect(self.path)) as connection:
      with connection:
        connection.execute(statement)

  def _Moves(self, nodes, **arguments):
    """Records an instance's moves, one a day.

    """
    for (day, node) in enumerate(nodes):
      self._Record(_Config(17 + day, instance=[
        _Instance(1, pnode="node%d" % node)]), day * _DAY, **arguments)


class TestRecord(_TestCase):
  def testFile(self):
    old = os.umask(0)
    self.addCleanup(os.umask, old)
    self.assertEqual(self._Record(_Config()), history.Recorded(0, 1000.0, None))
    self.assertEqual(os.stat(self.path).st_mode & 0o7777, 0o600)
    # One file has everything, and can be copied
    self.assertEqual(os.listdir(self.directory), ["history"])
    with sqlite3.connect(self.path) as connection:
      self.assertEqual(connection.execute(
        "PRAGMA integrity_check").fetchone(), ("ok", ))
    connection.close()

  def testPaths(self):
    """The file may have any name.

    """
    for path in ("/" + self.path, self.path + "%41?mode=ro#a&b=c d",
                 self.path + "\udcff"):
      self.path = path
      self._Moves([1, 2])
      self.assertEqual(len(self._Entries()), 1)
      self.assertTrue(os.path.exists(path))

  def testSizes(self):
    """Only sizes are shown as sizes.

    """
    self._Record(_Config(cluster={
      "beparams": {"default": {"maxmem": 2048}}, "osparams": {"size": 10}}))
    self._Record(_Config(cluster={
      "beparams": {"default": {"maxmem": 3072}}, "osparams": {"size": 11}},
                         disk=[_Disk(1, 1, size=2048), _Disk(2, 2)],
                         instance=[_Instance(1, custom_beparams={
                           "maxmem": 4096}, custom_osparams={"size": 12}),
                                   _Instance(2)]))
    text = str(historypage.Content(self._Read(), "c", None,
                                   history.Selection(1)))
    for part in ("beparams/default/maxmem changed from 2.0 GiB to 3.0 GiB",
                 "osparams/size changed from 10 to 11",
                 "be/maxmem changed from 1.0 GiB to 4.0 GiB",
                 "os/size set to 12",
                 "disk/0/size changed from 1.0 GiB to 2.0 GiB"):
      self.assertIn(part, text)

  def testUsual(self):
    """Of an object that is added, the usual values are not shown.

    """
    usual = {"vm_capable": True, "master_capable": True}
    for (number, values, is_shown) in [
        (1, usual, False), (2, {**usual, "vm_capable": False}, True),
        (3, {**usual, "master_capable": False}, True)]:
      self._Record(_Config(instance=[], disk=[], node=[]))
      self._Record(_Config(instance=[], disk=[], node=[
        _Row(columns.NODE, number, role="R", **values)]))
      text = str(historypage.Content(self._Read(limit=1), "c", None,
                                     history.Selection(1)))
      self.assertIn("added, with role regular", text)
      with self.subTest(values=values):
        self.assertEqual("may " in text, is_shown)
        self.assertNotIn(" yes", text)
        self.assertEqual(text.count(" no"), int(is_shown))

  def testTimes(self):
    """Changes are dated by the time when the old state was current last.

    """
    self._Record(_Config())
    serial = 17
    for (now, known_until, since) in [
        # It was followed all the time
        (2000.0, 2000.0, None),
        # The program did not run since the last record, or since another time
        (3000.0, None, 2000.0), (4000.0, 3500.0, 3500.0),
        # The stored state is later than the lower bound
        (4100.0, 3900.0, 4000.0),
        # A short restart, and a clock that was set back
        (4103.0, None, None), (50.0, 50.0, None), (60.0, 10.0, 50.0)]:
      self._Record(_Config(int(now), instance=[_Instance(
        1, pnode="node%d" % now), _Instance(2)]), now, known_until,
                   serial=serial)
      serial = int(now)
      entry = self._Entries()[0]
      self.assertEqual((entry.time, entry.since, entry.serial, entry.new),
                       (now, since, int(now), "node%d" % now))
    # A confirmed state
    for (name, known_until, serial, is_stored) in [
        ("c", 190.0, 60, True), ("c", 10.0, 60, True),
        ("none", 10.0, 60, False),
        # The state of a backup is not the current one
        ("c", 195.0, 61, False)]:
      self.assertEqual(history.Touch(
        self.path, name, history.Moment(200.0, known_until, serial), _LIMITS),
                       history.Confirmed(is_stored, None))
    self._Record(_Config(), 300.0, 300.0, serial=61)
    self.assertEqual(self._Entries()[0].since, 190.0)

  def testClockSetBack(self):
    """A stored time in the future is by a clock that was set back since.

    """
    def _Since(now, known_until, serial):
      self._Record(_Config(now, instance=[_Instance(1, pnode="node%d" % now)]),
                   now, known_until, serial=serial)
      return self._Entries()[0].since

    self._Record(_Config(9000), 9000.0)
    # The program did not run meanwhile: nobody knows for how long
    self.assertEqual(_Since(5000, None, None), 9000.0)
    self._Record(_Config(9000), 9000.0)
    # The program ran, and the cluster was silent, or was not
    self.assertEqual(_Since(5000, 4000.0, 9000), 4000.0)
    self._Record(_Config(9000), 9000.0)
    self.assertIsNone(_Since(5000, 5000.0, 9000))
    # A confirmation replaces the time in the future
    self._Record(_Config(9000), 9000.0)
    history.Touch(self.path, "c", history.Moment(6000.0, 6000.0, 9000), _LIMITS)
    self.assertEqual(_Since(7000, None, None), 6000.0)

  def testPermittedAgain(self):
    """Changes of a kind are dated by the last time when it was permitted.

    """
    lacking = ["list/instances"]
    without = {columns.INSTANCE: [], columns.DISK: []}
    self._Record(_Config(17), 1000.0)
    self._Record(_Config(18, **without)._replace(lacking=lacking), 2000.0,
                 1900.0, serial=17)
    self._Record(_Config(19, **without)._replace(lacking=lacking), 3000.0,
                 3000.0, serial=18)
    self.assertEqual(self._Entries(), [])
    nodes = [_Row(columns.NODE, 1, role="M", group="group1"),
             _Row(columns.NODE, 2, role="O", group="group1")]
    recorded = self._Record(
      _Config(20, node=nodes, instance=[_Instance(1, pnode="node2"),
                                        _Instance(2)]), 4000.0, 4000.0,
      serial=19)
    self.assertEqual(recorded.changes, 2)
    self.assertEqual(
      {(i.name, i.since, i.time, i.old_serial, i.serial)
       for i in self._Entries()},
      {("instance1", 1900.0, 4000.0, 17, 20), ("node2", None, 4000.0, 19, 20)})
    # From then on, the kind is like the others
    self._Record(_Config(21, node=nodes), 5000.0, 5000.0, serial=20)
    entry = self._Entries()[0]
    self.assertEqual((entry.name, entry.since, entry.old_serial),
                     ("instance1", None, 20))

  def testSerials(self):
    """A serial number may be beyond the integers of SQLite.

    """
    limit = (1 << 63) - 1
    for (serial, stored) in [(limit, limit), (limit + 1, limit),
                             (10 ** 400, limit), (-10 ** 400, -limit)]:
      with self.subTest(serial):
        self._Record(_Config(), cluster=str(serial))
        self._Record(_Config(serial, instance=[]), cluster=str(serial))
        self.assertEqual({i.serial for i in self._Entries(str(serial))},
                         {stored})
        self.assertTrue(history.Touch(
          self.path, str(serial), history.Moment(1.0, 1.0, serial),
          _LIMITS).is_stored)

  def testSelections(self):
    self._Moves([1, 2, 3, 2])
    self.assertEqual([(i.old, i.new) for i in self._Entries(name="node2")],
                     [("node3", "node2"), ("node2", "node3"),
                      ("node1", "node2")])
    self.assertEqual(self._Entries(name="node2", kind="instance"), [])
    self.assertEqual(self._Entries(name="node"), [])
    self.assertEqual(self._Entries("another"), [])
    for word in ("instance1", "i-1"):
      self.assertEqual(len(self._Entries(name=word, kind="instance")), 3)
    self.assertEqual(self._Entries(kind="node"), [])
    found = self._Read(limit=2)
    self.assertEqual((len(found.entries), found.has_more), (2, True))
    found = self._Read(limit=2, before=found.entries[-1].id)
    self.assertEqual((len(found.entries), found.has_more), (1, False))
    # Both names of an object lead to its change
    self._Record(_Config(30, instance=[
      _Instance(1, pnode="node2", name="x.example.com")], disk=[]))
    for word in ("x.example.com", "instance1"):
      self.assertIn("x.example.com", [i.new for i in self._Entries(name=word)])
    self.assertEqual(self._Entries(name="x"), [])
    self.assertTrue(self._Entries(name="x", is_short=True))
    self.assertEqual(self._Entries(name="x.", is_short=True), [])

  def testHostile(self):
    """Any text, and any number, comes back as it was.

    """
    texts = ["\ud800", "nul\0", "'; DROP TABLE entry; --", "%_", "\u20ac", ""]
    self._Record(_Config(instance=[]))
    self._Record(_Config(instance=[
      _Instance(index, name=text, uuid=text + "u", tags=[text],
                custom_hvparams={text: 10 ** 400})
      for (index, text) in enumerate(texts)], network=[
        _Row(columns.NETWORK, 1, name=None, gateway=[{}])]))
    self.assertLessEqual(set(texts), {i.name for i in self._Entries()})
    for text in texts:
      if text:
        (entry, ) = self._Entries(name=text)
        self.assertEqual((entry.new["tags"], entry.new["hv/" + text]),
                         ([text], 10 ** 400))
    # Long values are cut off
    self._Record(_Config(instance=[_Instance(
      7, custom_hvparams={"a": "b" * 10000}, tags=["c" * 10000])]))
    (entry, ) = self._Entries(name="instance7")
    self.assertLess(len(json.dumps(entry.new)), 5000)
    self.assertTrue(entry.new["hv/a"].endswith("b..."))

  def testRights(self):
    """Objects that the key does not permit to see are neither gone nor new.

    """
    nothing = {kind: [] for kind in columns.KINDS}
    lacking = ["config", "stats", "list/instances"]
    node = _Row(columns.NODE, 1, role="M", group="group1")
    for (config, changes) in [
        # Neither instances nor the cluster are permitted, and then all
        (_Config(instance=[])._replace(lacking=lacking), 0), (_Config(), 0),
        # No objects are permitted, or no disks, and then all, with two changes
        (_Config(**nothing)._replace(lacking=["config", "stats", "list"]), 0),
        (_Config(disk=[], node=[node])._replace(lacking=["list/disks"]), 1),
        (_Config(node=[node], instance=[_Instance(1)]), 2)]:
      self.assertEqual(self._Record(config).changes, changes)
    self.assertEqual([(i.name, i.action) for i in self._Entries()],
                     [("instance2", "removed"), ("node2", "removed")])

  def testDays(self):
    self._Moves([1, 2, 3, 4], limits=history.Limits(2, 1 << 30))
    self.assertEqual([i.new for i in self._Entries()], ["node4", "node3",
                                                        "node2"])
    # The age is the one before the latest change
    history.Touch(self.path, "c", history.Moment(4 * _DAY, None),
                  history.Limits(2, 1 << 30))
    self.assertEqual(len(self._Entries()), 3)
    self._Record(_Config(21, instance=[_Instance(1, pnode="node5")]), 4 * _DAY,
                 limits=history.Limits(2, 1 << 30))
    self.assertEqual([i.new for i in self._Entries()], ["node5", "node4",
                                                        "node3"])
    self.assertEqual(self._Read().began, 0)
    # Nothing is left of an entry
    with sqlite3.connect(self.path) as connection:
      self.assertEqual(connection.execute(
        "SELECT COUNT(*) FROM mention WHERE entry NOT IN"
        " (SELECT id FROM entry)").fetchone(), (0, ))
    connection.close()

  def testClock(self):
    """A wrong clock alone deletes nothing, nor does a clock that was late.

    """
    self._Moves([1, 2, 3, 4])
    for now in (1000 * _DAY, 4 * _DAY):
      history.Touch(self.path, "c", history.Moment(now, None), _LIMITS)
      self.assertEqual(len(self._Entries()), 3)
    # A change is recorded by a clock that is late, and one when it is right
    for (serial, now) in [(30, -1000 * _DAY), (31, 5 * _DAY)]:
      self._Record(_Config(serial, instance=[
        _Instance(1, pnode="node%d" % serial)]), now)
      history.Touch(self.path, "c", history.Moment(6 * _DAY, None), _LIMITS)
    self.assertEqual(len(self._Entries()), 5)
    # A later change tells that all of these are too old
    self._Record(_Config(34, instance=[]), 900 * _DAY)
    self.assertEqual({i.serial for i in self._Entries()}, {34})

  def testSize(self):
    """The file stays as small as it has to be; the latest changes are kept.

    """
    limits = history.Limits(400, 500000)
    self._Record(_Config(1), cluster="quiet", limits=limits)
    self._Record(_Config(2, instance=[]), cluster="quiet", limits=limits)
    sizes = []
    for serial in range(1, 30):
      recorded = self._Record(_Config(serial, instance=[
        _Instance(index, pnode="node%d" % serial) for index in range(100)]),
                              limits=limits)
      self.assertIsNone(recorded.problem)
      sizes.append(os.stat(self.path).st_size)
    self.assertLessEqual(max(sizes), limits.size)
    self.assertGreater(sizes[-1], limits.size / 2)
    entries = self._Entries()
    self.assertEqual((entries[0].new, recorded.changes), ("node29", 28 * 100))
    self.assertLess(len(entries), 28 * 100)
    # A cluster that changes all the time displaces its own history only
    self.assertEqual(len(self._Entries("quiet")), 2)
    # A lower limit makes the file smaller, as far as possible
    history.Touch(self.path, "c", history.Moment(2000.0, None),
                  history.Limits(400, 300000))
    self.assertLessEqual(os.stat(self.path).st_size, 300000)
    problem = history.Touch(self.path, "c", history.Moment(2000.0, None),
                            history.Limits(400, 1)).problem
    self.assertIn("choose a larger --history-size", problem)
    self.assertEqual(self._Entries(), [])
    # The state of a large cluster displaces its own history only
    self.assertEqual(len(self._Entries("quiet")), 2)

  def testReplay(self):
    """The changes in order lead from the first state to the last one.

    """
    rand = random.Random(7)

    def _Some(make):
      return [make(index) for index in range(4) if rand.random() < 0.8]

    def _Random():
      choose = rand.choice
      return _Config(rand.randrange(100), instance=_Some(lambda index: (
        _Instance(index, pnode=choose(["node1", "node2"]),
                  admin_state=choose(["up", "down"]),
                  tags=choose([[], ["a"]]), custom_hvparams=choose(
                    [None, {}, {"a": 1}, {"a": {"b": 2}}])))),
                     node=_Some(lambda index: _Row(
                       columns.NODE, index, role=choose("MRO"))), disk=[])

    def _Values(config):
      return {(kind, state.name): {
        **{field: value for (field, value) in state.values.items()
           if value not in (None, [], "")},
        **{"%s/%s" % (name, field): value
           for (name, values) in state.parts.values()
           for (field, value) in values.items() if value is not None}}
              for ((kind, _), state) in differences.States(config)}

    config = _Random()
    values = _Values(config)
    self._Record(config)
    for _ in range(50):
      config = _Random()
      self._Record(config)
    for entry in reversed(self._Entries()):
      key = (entry.kind, entry.name)
      if entry.action == "removed":
        self.assertEqual(values.pop(key), entry.old)
      elif entry.action == "added":
        self.assertNotIn(key, values)
        values[key] = entry.new
      else:
        old = values[key].pop(entry.field, None)
        self.assertEqual(old or None, entry.old or None)
        if entry.new not in (None, [], ""):
          values[key][entry.field] = entry.new
    self.assertEqual(values, _Values(config))


class TestFailures(_TestCase):
  def _CheckFails(self, text):
    """Checks that nothing can be written, and that the error is explained.

    """
    for call in (lambda: self._Record(_Config()),
                 lambda: history.Touch(self.path, "c",
                                       history.Moment(1.0, 1.0), _LIMITS)):
      with self.assertRaises(forked.BadRequest) as caught:
        call()
      self.assertIn(text, str(caught.exception))
      self.assertIn(self.path, str(caught.exception))
      self.assertTrue(str(caught.exception).endswith(")"), caught.exception)

  def testNotOurs(self):
    """No other file is changed or deleted.

    """
    for (content, text) in [
        (b"root:x:0:0:\n" * 1000, "not a database"),
        (b"SQLite format 3\0" + b"\xff" * 5000, "")]:
      testutils.WriteFile(self.path, content)
      self._CheckFails(text)
      with self.assertRaises(forked.BadRequest):
        self._Read()
      self.assertEqual(testutils.ReadFile(self.path), content)
    for (script, text) in [
        ("CREATE TABLE a (b)", "another program's"),
        ("PRAGMA auto_vacuum = INCREMENTAL; CREATE TABLE a (b)",
         "another program's"),
        ("PRAGMA application_id = 7", "another program's"),
        ("PRAGMA application_id = %d; PRAGMA user_version = 2" %
         history._APPLICATION, "version 2")]:  # pylint: disable=W0212
      os.unlink(self.path)
      connection = sqlite3.connect(self.path)
      connection.executescript(script)
      connection.close()
      content = testutils.ReadFile(self.path)
      self._CheckFails(text)
      with self.assertRaises(forked.BadRequest):
        self._Read()
      self.assertEqual(testutils.ReadFile(self.path), content)

  def testNoFile(self):
    # There is nothing to read, yet
    self.assertEqual(self._Read(), history.Found([], False, None))
    testutils.WriteFile(self.path, b"")
    self.assertEqual(self._Read(), history.Found([], False, None))
    os.unlink(self.path)
    os.mkdir(self.path)
    self._CheckFails("Is a directory")
    self.path = os.path.join(self.directory, "none", "history")
    self._CheckFails("No such file or directory")

  def testDamaged(self):
    """Whatever bytes of the file are damaged, the error says so.

    """
    self._Record(_Config())
    for serial in range(18, 28):
      self._Record(_Config(serial, instance=[
        _Instance(index, pnode="node%d" % (serial % 3))
        for index in range(30)]))
    good = testutils.ReadFile(self.path)
    rand = random.Random(1)
    failures = 0
    for _ in range(200):
      bad = bytearray(good)
      for _ in range(rand.choice([1, 10, 3000])):
        bad[rand.randrange(len(bad))] = rand.randrange(256)
      testutils.WriteFile(self.path, bytes(bad[:rand.choice(
        [len(bad), rand.randrange(len(bad))])]))
      for call in (self._Read, lambda: self._Read(name="node1"),
                   lambda: self._Record(_Config(99))):
        try:
          call()
        except forked.BadRequest:
          failures += 1
    self.assertGreater(failures, 100)

  def testDamagedValues(self):
    """A value of another type is said to be damaged, wherever it is.

    """
    self._Moves([1, 2])
    good = testutils.ReadFile(self.path)
    for (table, columns_) in [
        ("cluster", ["serial", "began", "seen", "kinds"]),
        ("state", ["kind", "uuid", "value"]),
        ("step", ["since", "time", "old_serial", "serial"]),
        ("entry", ["kind", "name", "action", "field", "old", "new"])]:
      for column in columns_:
        for value in ("'x'", "x'ff00'", "7", "1e999", "-1e300", "1e15"):
          testutils.WriteFile(self.path, good)
          self._Execute("UPDATE OR REPLACE %s SET %s = %s" % (table, column,
                                                              value))
          config = _Config(99, instance=[_Instance(1, pnode="node9")])
          with self.subTest(table=table, column=column, value=value):
            for call in (self._Read, lambda: self._Record(config)):
              # Whatever is not refused can be shown
              with contextlib.suppress(forked.BadRequest):
                found = call()
                time.gmtime(found.began)
                if isinstance(found, history.Found):
                  historypage.Content(found, "c", config,
                                      history.Selection(1))
                  json.loads(b"{%s}" % historypage.Json(
                    found, "c", history.Selection(1)))
    for (statement, call) in [
        ("UPDATE cluster SET seen = 'x'", lambda: self._Record(_Config(99))),
        ("UPDATE cluster SET kinds = x'00'", lambda: self._Record(_Config(99))),
        ("UPDATE cluster SET began = 'x'", self._Read),
        ("UPDATE step SET time = 1e999", self._Read)]:
      testutils.WriteFile(self.path, good)
      self._Execute(statement)
      with self.assertRaisesRegex(forked.BadRequest,
                                  r"contents are damaged \(move it away"):
        call()

  def testNotAnymore(self):
    """A process whose server has ended writes nothing.

    """
    self._Record(_Config())
    with self.assertRaises(forked.BadRequest):
      history.Record(self.path, "c", _Config(18, instance=[]),
                     history.Moment(1.0, None), _LIMITS, lambda: False)
    self.assertEqual(self._Entries(), [])

  def testKilled(self):
    """After kill -9 at any time, each change is there once.

    """
    self._Record(_Config(0, instance=[_Instance(0)]))
    for turn in range(10):
      (reader, writer) = os.pipe()
      pid = os.fork()
      if pid == 0:
        try:
          last = self._Entries(limit=1)
          serial = last[0].serial if last else 0
          while True:
            serial += 1
            self._Record(_Config(serial, instance=[
              _Instance(0, pnode="moved%d" % serial)]))
            os.write(writer, b"%d\n" % serial)
        finally:
          os._exit(1)  # pylint: disable=W0212
      os.close(writer)
      with open(reader, "rb") as stream:
        first = int(stream.readline())
        time.sleep(turn / 500)
        os.kill(pid, signal.SIGKILL)
        told = [first] + [int(line) for line in stream.read().split(b"\n")[:-1]]
      os.waitpid(pid, 0)
      serials = [i.serial for i in self._Entries(limit=100000)]
      # The last one may be there without having been told
      self.assertGreaterEqual(serials[0], told[-1])
      self.assertEqual(serials, list(range(serials[0], 0, -1)))
      connection = sqlite3.connect(self.path)
      self.assertEqual(connection.execute(
        "PRAGMA integrity_check").fetchall(), [("ok", )])
      connection.close()


class TestRecorder(_TestCase):
  def _SetBack(self, seconds):
    """Makes the stored state older.

    @return: the time when that state was current last

    """
    connection = sqlite3.connect(self.path)
    with connection:
      connection.execute("UPDATE cluster SET seen = seen - ?", (seconds, ))
      ((seen, ), ) = connection.execute("SELECT seen FROM cluster")
    connection.close()
    return seen

  async def _Until(self, task, is_there):
    """Waits for something that a recorder's task does.

    """
    deadline = time.monotonic() + testutils.PATIENCE
    while not is_there():
      self.assertFalse(task.done())
      self.assertTrue(time.monotonic() < deadline or time.monotonic() <
                      deadline + testutils.Stretched(testutils.PATIENCE))
      await asyncio.sleep(0.01)

  async def _CheckStop(self, recording, move):
    """Checks the times after this process was stopped for a while.

    @param move: makes a change, and returns the entry

    """
    # pylint: disable=W0212
    self._SetBack(1000)
    stopped = recording._ran = time.time() - 500
    self.assertEqual((await move(8)).since, stopped)
    # The cluster may have been silent until now
    self._SetBack(1000)
    self.assertEqual((await move(9)).since, stopped)
    # The stop was long ago
    self._SetBack(1000)
    recording._stop = recording._stop._replace(
      end=recording._stop.end - 100)
    self.assertIsNone((await move(10)).since)

  async def _Follow(self):
    found = watcher.Watcher("c")
    recording = recorder.Recorder([found], recorder.Options(self.path, _LIMITS))
    task = asyncio.ensure_future(recording.Run())

    async def _WaitFor(is_there):
      await self._Until(task, lambda: is_there(found.state.history))

    async def _Move(node):
      """Takes a configuration with a move, and returns the entry.

      """
      before = found.state.history.changes
      found.SetConfig(_Config(node, instance=[_Instance(
        1, pnode="node%d" % node)]))
      await _WaitFor(lambda state: state.changes == before + 1)
      entry = self._Entries()[0]
      self.assertEqual(entry.new, "node%d" % node)
      return entry

    found.SetConfig(_Config(instance=[_Instance(1)]))
    await _WaitFor(lambda state: state.changes == 0)
    # The cluster has answered all the time
    self._SetBack(1000)
    self.assertIsNone((await _Move(2)).since)
    # The cluster did not answer for a moment, which was noticed later
    self._SetBack(1000)
    found.SetProblem("no answer")
    await asyncio.sleep(0.01)
    entry = await _Move(3)
    self.assertLess(entry.since, entry.time - 60)
    self.assertGreater(entry.since, entry.time - 900)
    found.SetProblem(None)
    await self._CheckStop(recording, _Move)
    # Nothing was recorded for a while
    seen = self._SetBack(1000)
    connection = sqlite3.connect(self.path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    with mock.patch.object(history, "_PATIENCE", 0.01):
      found.SetConfig(_Config(4))
      await _WaitFor(lambda state: state.problem is not None)
      self.assertIn("is locked (another program has it open",
                    found.state.history.problem)
      self.assertFalse(found.state.history.is_recorded)
      found.SetConfig(_Config(5, instance=[_Instance(1, pnode="node5")]))
    connection.execute("ROLLBACK")
    connection.close()
    await _WaitFor(lambda state: state.changes == 6)
    (entry, ) = self._Entries(limit=1)
    self.assertEqual((entry.since, entry.new), (seen, "node5"))
    self.assertIsNone(found.state.history.problem)
    # A limit that is too low does not delay anything
    recording.options = recorder.Options(self.path, history.Limits(400, 1))
    found.SetConfig(_Config(6, instance=[]))
    await _WaitFor(lambda state: state.changes == 7)
    self.assertIn("--history-size", found.state.history.problem)
    self.assertTrue(found.state.history.is_recorded)
    found.SetConfig(_Config(7))
    await _WaitFor(lambda state: state.changes == 9)
    # A limit that is reached no more is no news of the recording
    recording.options = recorder.Options(self.path, _LIMITS)
    found.SetConfig(_Config(8, instance=[]))
    await _WaitFor(lambda state: state.problem is None)
    self.assertFalse(task.done())
    task.cancel()

  def test(self):
    """A change is dated by the time when its cluster answered last.

    """
    with mock.patch.object(recorder, "_RETRY", 0.01), \
         self.assertLogs(level="INFO") as logs:
      asyncio.run(self._Follow())
    self.assertEqual([i.levelname for i in logs.records], ["WARNING", "INFO",
                                                           "WARNING"])

  async def _WriteForLong(self):
    # pylint: disable=W0212
    recording = recorder.Recorder([], recorder.Options(self.path, _LIMITS))
    is_writing = asyncio.Event()

    async def _Write():
      is_writing.set()
      await asyncio.Event().wait()

    with mock.patch.object(recording, "_WriteDue", _Write), \
         mock.patch.object(recorder, "_TICK", 0.01):
      recording._news.set()
      task = asyncio.ensure_future(recording.Run())
      await self._Until(task, is_writing.is_set)
      before = recording._ran
      await self._Until(task, lambda: recording._ran > before)
      task.cancel()

  def testLongWrite(self):
    """A write that takes long is not taken for a stop of this process.

    """
    asyncio.run(self._WriteForLong())

  async def _Replace(self):
    found = watcher.Watcher("c")
    recording = recorder.Recorder([found], recorder.Options(self.path, _LIMITS))
    task = asyncio.ensure_future(recording.Run())

    async def _Recorded(is_there):
      await self._Until(task, is_there)

    def _SetNode(node):
      found.SetConfig(_Config(node, instance=[
        _Instance(1, pnode="node%d" % node)]))

    def _Confirm():
      """Makes the confirmation due, while nothing is being written.

      """
      # pylint: disable=W0212
      recording._progress["c"].due = 0.0
      recording._news.set()

    _SetNode(1)
    await _Recorded(lambda: found.state.history.changes == 0)
    backup = testutils.ReadFile(self.path)
    # The file is moved away, and then there is a change
    os.rename(self.path, self.path + ".old")
    _Confirm()
    await _Recorded(lambda: self._Read().began is not None)
    _SetNode(2)
    await _Recorded(lambda: found.state.history.changes == 1)
    (entry, ) = self._Entries()
    self.assertEqual((entry.old, entry.new), ("node1", "node2"))
    # A backup is put back: the change is found again
    testutils.WriteFile(self.path + ".new", backup)
    os.rename(self.path + ".new", self.path)
    _Confirm()
    await _Recorded(self._Entries)
    self.assertEqual([(i.old, i.new) for i in self._Entries()],
                     [("node1", "node2")])
    task.cancel()

  def testReplaced(self):
    """A file that was moved away, or replaced by a backup, loses no change.

    """
    asyncio.run(self._Replace())

  def _TakesLock(self):
    """Tells whether another process can take the lock.

    """
    pid = os.fork()
    if pid == 0:
      code = 2
      try:
        with recorder.TakeLock(self.path):
          code = 0
      except errors.ConfigurationError:
        code = 1
      finally:
        os._exit(code)  # pylint: disable=W0212
    return os.waitpid(pid, 0)[1] == 0

  def testLock(self):
    with recorder.TakeLock(self.path):
      self.assertFalse(self._TakesLock())
    self.assertTrue(self._TakesLock())

  async def _LockLater(self):
    found = watcher.Watcher("c")
    recording = recorder.Recorder([found], recorder.Options(self.path, _LIMITS))
    task = asyncio.ensure_future(recording.Run())

    async def _WaitFor(is_there):
      await self._Until(task, lambda: is_there(found.state.history))

    found.SetConfig(_Config())
    await _WaitFor(lambda state: "make its directory" in (state.problem or ""))
    os.mkdir(os.path.dirname(self.path))
    with mock.patch.object(recorder, "TakeLock", side_effect=
                           errors.ConfigurationError("Another has it")):
      await _WaitFor(lambda state: "Another has it" in (state.problem or ""))
      self.assertFalse(os.path.exists(self.path))
    await _WaitFor(lambda state: state.changes == 0)
    self.assertIsNone(found.state.history.problem)
    self.assertFalse(self._TakesLock())
    task.cancel()
    with self.assertRaises(asyncio.CancelledError):
      await task
    self.assertTrue(self._TakesLock())

  def testLockLater(self):
    """Nothing is written without the lock, which may be to be had later.

    """
    self.path = os.path.join(self.directory, "none", "history")
    with mock.patch.object(recorder, "_RETRY", 0.01), \
         self.assertLogs(level="INFO"):
      asyncio.run(self._LockLater())


if __name__ == "__main__":
  unittest.main()

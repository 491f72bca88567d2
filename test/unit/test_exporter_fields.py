#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The fields that filters of confd-exporter know.

The values are compared with those that the daemon computes, and the fields that
are missing with the manual page.

"""

import json
import os
import re
import unittest

import testutils

from ganeti.confd import querylib
from ganeti.confd.config import snapshot
from ganeti.confd.exporter import clusterstate
from ganeti.confd.exporter import derivedfields
from ganeti.confd.exporter import rowfilter
from ganeti.confd.exporter import rowstore
from ganeti.confd.protocol import wire
from ganeti.confd.schema import columns


#: The kinds of objects that have filters
_KINDS = [columns.INSTANCE, columns.NODE, columns.GROUP, columns.NETWORK]

#: A word for the name of any parameter
_ANY = "NAME"


def _Config():
  """Makes a configuration in which fields have all sorts of values.

  """
  instances = [
    testutils.MakeInstance(i, 1, disks=disks, nics=nics, admin_state=state)
    for (i, (disks, nics, state)) in enumerate([
      ([1, 2, 77], ["192.0.2.1", ("192.0.2.2", "br9"), None], "up"),
      ([], [], "down"), ([3], [None] * 8, "offline"), ([], [None], "up")], 1)]
  # The last one is of an old release, and its nics are malformed
  del instances[3]["admin_state"]
  instances[3].update(admin_up=True, nics=[5, {"nicparams": 6}])
  for (nic, mode) in zip(instances[2]["nics"], ["bridged", "routed",
                                                "openvswitch", "x", 5]):
    nic.update(nicparams={"mode": mode, "link": "l", "vlan": ".7"}, name="eth")
  network = testutils.Uuid("9", 1)
  instances[0]["nics"][1]["network"] = network
  config = testutils.MakeConfig(
    [testutils.MakeNode(1, master_candidate=True), testutils.MakeNode(2)],
    instances, [testutils.MakeDrbd(1, 1, 2), testutils.MakeDisk(2, size=512),
                testutils.MakeDisk(3, size=None)],
    networks={network: {"name": "net1", "uuid": network,
                        "network": "198.51.100.0/29"}})
  (group, ) = config["nodegroups"].values()
  group["networks"] = {network: {"mode": "routed", "link": "r1"}}
  return config


def _Example():
  return json.loads(testutils.ReadFile(os.path.join(
    testutils.SRCDIR, "doc", "examples", "cluster.json")))


def _Tables(config, kind):
  """Makes the exporter's table of some objects, and the daemon's rows.

  @return: the table; and for each row the values of all fields, by name

  """
  names = [*columns.TABLES[kind].columns, *columns.TABLES[kind].aliases,
           *("be/" + name for name in columns.BE_PARAMS.known
             if kind == columns.INSTANCE),
           *("ndp/" + name for name in columns.ND_PARAMS.known
             if kind in (columns.NODE, columns.GROUP))]
  (status, answer) = querylib.Answer(
    snapshot.Snapshot(json.dumps(config).encode("ascii")),
    wire.Request(testutils.QUERY, {"what": kind, "fields": names}, "salt"))
  assert status == 0, answer
  rows = [dict(zip(names, row))
          for row in answer["rows"]] # pylint: disable=E1136
  assert rows
  return (rowstore.Table(rows, clusterstate.Fields(kind)), rows)


class TestFields(unittest.TestCase):
  def testDerived(self):
    """Derived fields have the daemon's values.

    """
    for config in (_Config(), _Example()):
      for kind in _KINDS:
        (table, rows) = _Tables(config, kind)
        for name in derivedfields.TABLES[kind]:
          with self.subTest(kind=kind, field=name):
            self.assertEqual(
              list(rowfilter._Values(table, kind, ["name", name])),
              [[row["name"], row[name]] for row in rows])

  def testFilters(self):
    """The examples of confd-client(1) work, and sorting by a derived field.

    """
    (table, _) = _Tables(_Example(), columns.INSTANCE)
    tables = {columns.INSTANCE: table}
    config = clusterstate.ClusterConfig(1, "c", 3000000, None, tables, [])
    for (condition, names) in [
        ("be/maxmem >= 1024 and not admin_up", ["mail1.example.com"]),
        ("nic.count > 1", ["db1.example.com", "test1.example.com"]),
        # A condition on a missing value is true
        ("disk.size/0 == 0 or vcpus == 0", ["build1.example.com"])]:
      with self.subTest(condition=condition):
        found = rowfilter.Select(config, columns.INSTANCE, condition,
                                 "-nic.count", ["name"])
        self.assertEqual([row["name"] for row in found.rows], names)

  def testPage(self):
    """The manual page lists the fields that filters do not know.

    """
    page = testutils.ReadFile(os.path.join(
      testutils.SRCDIR, "doc", "confd-exporter.rst")).decode("utf-8")
    section = page.partition("\nFILTERS\n=======\n")[2].partition("\n=====")[0]
    listed = {}
    for (kinds, text) in re.findall(r"^(\w.*)\n((?:  .*\n)+)", section, re.M):
      for kind in kinds.split(", "):
        listed[kind[:-1]] = set(re.findall(r"\*([^*]+)\*", text))
    missing = {}
    for kind in _KINDS:
      known = {*clusterstate.Fields(kind), *derivedfields.TABLES[kind]}
      table = columns.TABLES[kind]
      names = {*table.columns, *table.aliases, *(
        params.prefix + name for params in table.params
        for name in (params.known if set(
          params.prefix + i for i in params.known) <= known else [_ANY]))}
      missing[kind] = {re.sub(r"/\d+$", "/N", name) for name in names - known}
    self.assertEqual(listed, missing)


if __name__ == "__main__":
  unittest.main()

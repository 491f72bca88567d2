#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for ganeti.confd.views.checks, and evacuation, on odd configurations

Each value of a configuration is replaced by values of other types. The findings
do not matter here; but something has to come of it, since one odd value must
not hide all other findings.

"""

import copy
import json
import unittest

import configfaults

from testutils import MakeConfig, MakeDisk, MakeDrbd, MakeInstance, MakeNode
from testutils import Uuid

from ganeti.confd import querylib
from ganeti.confd.config import snapshot
from ganeti.confd.protocol import wire
from ganeti.confd.schema import columns
from ganeti.confd.views import checks
from ganeti.confd.views import evacuation

_ODD = [None, -1, 1.5, True, "", "x", [], {}, [[1]], {"a": []}]


def _Config():
  """Makes a small configuration with something of everything.

  """
  drbd = MakeDrbd(1, 1, 2, children=[MakeDisk(11), MakeDisk(12)])
  instances = [
    MakeInstance(1, 1, disks=[1], nics=[("198.51.100.1", "br7")],
                 beparams={"maxmem": 512, "vcpus": 1}, network_port=11003,
                 tags=["service:dns"]),
    MakeInstance(2, 2, disks=[2], forthcoming=True)]
  instances[0]["nics"][0]["network"] = Uuid("9", 1)
  config = MakeConfig(
    [MakeNode(1, master_candidate=True, tags=["hv:1"],
              ndparams={"ssh_port": 22}),
     MakeNode(2)], instances,
    [drbd, MakeDisk(2, dev_type="rbd", logical_id=["rbd", "x"], spindles=1)],
    cluster={
      "tags": ["htools:iextags:service", "htools:migration:hv",
               "htools:allowmigration:hv:1::hv:2"],
      "candidate_pool_size": 1, "highest_used_port": 12000,
      "tcpudp_port_pool": [11005], "hvparams": {"kvm": {}},
      "enabled_disk_templates": ["drbd", "rbd"],
      "beparams": {"default": {"maxmem": 128, "minmem": 128, "vcpus": 1,
                               "spindle_use": 1}},
      "ndparams": {"ssh_port": 22, "exclusive_storage": False},
      "diskparams": {"rbd": {"access": "userspace"}},
      "ipolicy": configfaults.Policy(**{"disk-templates": ["drbd", "rbd"]})},
    networks={Uuid("9", 1): {
      "name": "net1", "uuid": Uuid("9", 1), "network": "198.51.100.0/29",
      "reservations": "01000000", "ext_reservations": "10000001"}})
  (group, ) = config["nodegroups"].values()
  group.update(ipolicy={"vcpu-ratio": 2.0}, ndparams={"spindle_count": 1},
               networks={Uuid("9", 1): {"mode": "bridged", "link": "br7"}})
  return config


def _Tables(snap, fields):
  """Lists fields as a client gets them.

  """
  tables = {}
  for (what, names) in fields.items():
    query = {"what": what, "fields": list(names)}
    (status, answer) = querylib.Answer(snap, wire.Request(64, query, "salt"))
    assert status == 0, answer
    # pylint: disable=E1136
    tables[what] = [dict(zip(names, row)) for row in
                    json.loads(json.dumps(answer["rows"]))]
  return tables


def _Places(value, path=()):
  """Yields the path of each value inside another.

  """
  if path:
    yield path
  if isinstance(value, (dict, list)):
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
      yield from _Places(value[key], path + (key, ))


def _Replace(config, path, value):
  """Replaces a value of a copy of a configuration.

  """
  config = copy.deepcopy(config)
  parent = config
  for key in path[:-1]:
    parent = parent[key]
  parent[path[-1]] = copy.deepcopy(value)
  return config


def _Load(config):
  return snapshot.Snapshot(json.dumps(config).encode("ascii"))


def _Check(snap):
  known = checks.Read(_Tables(snap, checks.FIELDS),
                       {place: snap.document.get(place.strip("/"))
                        for place in checks.POINTERS},
                       {"config": {"warnings": 0}}, 1700000000.5)
  return checks.Check(known)


class TestOdd(unittest.TestCase):
  def setUp(self):
    config = _Config()
    self.snaps = []
    needed = ("version", "serial_no", "cluster", "nodes")
    for (index, path) in enumerate(_Places(config)):
      if path in {(key, ) for key in needed}:
        continue
      # Each place gets some of them, and each of them gets everywhere
      for odd in _ODD[index % 2::2]:
        self.snaps.append((path, odd, _Load(_Replace(config, path, odd))))

  def test(self):
    self.assertGreater(len(self.snaps), 700)
    self.assertEqual(_Check(_Load(_Config())), [])
    found = set()
    for (path, odd, snap) in self.snaps:
      with self.subTest(path=path, odd=odd):
        found.update(finding.check for finding in _Check(snap))
        tables = _Tables(snap, evacuation.FIELDS)
        for node in tables[columns.NODE]:
          plan = evacuation.Make(node["name"], tables,
                                 snap.document["cluster"].get("tags"))
          for step in plan.steps:
            self.assertEqual(evacuation.Command(step) is None,
                             step.target is None)
    # Odd values are all but harmless
    self.assertGreater(len(found), 12)


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The base configuration, from which all others are generated.

The configuration has objects of every kind, but few of them, so that asking
about everything takes little time. All names, addresses and UUIDs are fixed: a
seed generates the same configurations on any machine.

"""

import testutils

from cluster import grow
from cluster import variety

#: An instance that is planned only, by what it lacks
_FORTHCOMING = [
  ("planned1.example.com", []),
  ("planned2.example.com", ["primary_node"]),
  ("planned3.example.com", ["name"]),
  ("planned4.example.com", ["name", "primary_node", "os", "hypervisor"]),
  # Makes the short name of "web.example.com" ambiguous
  ("web.example.org", ["primary_node"]),
  ]

#: Instances whose disks have one node at most, by the disks' types
_DISK_TYPES = [
  ("ceph.example.com", ["rbd", "ext"]),
  ("files.example.com", ["sharedfile", "file"]),
  ("device.example.com", ["blockdev", "gluster"]),
  ]

_LOGICAL_IDS = {
  "rbd": ["rbd", "ceph.disk0"],
  "ext": ["provider", "ceph.disk1"],
  "sharedfile": ["loop", "/srv/shared/disk0"],
  "file": ["loop", "/srv/files/disk1"],
  "blockdev": ["manual", "/dev/disk/by-id/device"],
  "gluster": ["loop", "/srv/gluster/disk1"],
  }


def _MakeDisk(config, dev_type, index, **kwargs):
  disk = grow.PlainDisk(config, "base " + dev_type, [], 128)
  disk.update({"dev_type": dev_type, "logical_id": _LOGICAL_IDS[dev_type],
               "iv_name": "disk/%d" % index}, **kwargs)
  return disk


def _AddForthcoming(config):
  """Adds planned instances, one of which has a disk with a DRBD minor.

  """
  for (index, (name, lacking)) in enumerate(_FORTHCOMING):
    instance = grow.AddInstance(
      config, name, "node3.example.com", forthcoming=True, disks_active=False,
      admin_state="down",
      nics=[grow.Nic(name, "10.77.5.%d" % index, mode="bridged", link="br0")])
    for key in lacking:
      del instance[key]
  disk = grow.DrbdDisk(config, "planned2-0", 0,
                       grow.FindNode(config, "node1.example.com")["uuid"],
                       grow.FindNode(config, "node3.example.com")["uuid"],
                       11020, (17, 18))
  disk["forthcoming"] = True
  config["disks"][disk["uuid"]] = disk
  planned2 = config["instances"][grow.Uuid("planned2.example.com")]
  planned2["disks"] = [disk["uuid"]]


def Make(ganeti):
  """Makes the configuration.

  @type ganeti: L{judges.Ganeti}

  """
  nodes = [testutils.MakeNode(index, master_candidate=index < 3)
           for index in (1, 2, 3)]
  config = testutils.MakeConfig(nodes=nodes)
  config["cluster"].update(ctime=config["ctime"], mtime=config["mtime"],
                           mac_prefix="aa:00:00", candidate_pool_size=10,
                           volume_group_name="xenvg", highest_used_port=11999,
                           file_storage_dir="/srv/files",
                           master_netdev="eth0", rsahostkeypub="",
                           dsahostkeypub="", zeroing_image="",
                           data_collectors={})
  for group in config["nodegroups"].values():
    group.update(ctime=config["ctime"], mtime=config["mtime"], tags=[])
  config = variety.Vary(ganeti.Complete(config), crowd=0)
  for (name, types) in _DISK_TYPES:
    grow.AddInstance(
      config, name, "node2.example.com", hypervisor="kvm",
      nics=[grow.Nic(name, None)],
      disks=[_MakeDisk(config, dev_type, index)
             for (index, dev_type) in enumerate(types)])
  _AddForthcoming(config)
  return config

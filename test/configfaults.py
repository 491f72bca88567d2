#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Faults of configurations: functions that add a fault to a sound one.

The sound configuration is that of test/daemon/test_check.py, which has four
nodes, instances on nodes 1, 2 and 4, and a DRBD disk of the first instance on
nodes 1 and 3.

"""

from testutils import MakeDisk, MakeDrbd, Uuid


def _Node(config, index, **kwargs):
  node = config["nodes"][Uuid("a", index)]
  node.update(kwargs)
  return node


def _Instance(config, index, **kwargs):
  instance = config["instances"][Uuid("b", index)]
  instance.update(kwargs)
  return instance


def _Disk(config, index, **kwargs):
  disk = config["disks"][Uuid("d", index)]
  disk.update(kwargs)
  return disk


def _AddDisk(config, instance, disk):
  config["disks"][disk["uuid"]] = disk
  _Instance(config, instance)["disks"].append(disk["uuid"])


def _AddDrbd(config, **kwargs):
  """Gives the second instance a DRBD disk, on the nodes of the first one.

  """
  _Instance(config, 2, primary_node=Uuid("a", 3))
  disk = MakeDrbd(2, 3, 1, 5, 5, secret="another")
  disk["logical_id"][2] = 11001
  disk.update(kwargs)
  _AddDisk(config, 2, disk)
  return disk


def _Leave(config, index):
  """Moves the instances of a node to node 2.

  """
  for instance in config["instances"].values():
    if instance.get("primary_node") == Uuid("a", index):
      instance["primary_node"] = Uuid("a", 2)


def _Cluster(config, **kwargs):
  config["cluster"].update(kwargs)


def Policy(**kwargs):
  """Makes an instance policy that all instances satisfy.

  """
  least = {"cpu-count": 1, "disk-count": 0, "disk-size": 1, "memory-size": 1,
           "nic-count": 0, "spindle-use": 1}
  greatest = {"cpu-count": 8, "disk-count": 8, "disk-size": 9999,
              "memory-size": 9999, "nic-count": 8, "spindle-use": 9}
  return dict({"minmax": [{"min": least, "max": greatest}],
               "std": dict(least), "disk-templates": ["drbd", "diskless"],
               "vcpu-ratio": 4.0, "spindle-ratio": 32.0}, **kwargs)


def _SetPolicy(config, **kwargs):
  _Cluster(config, ipolicy=Policy(**kwargs),
           beparams={"default": {"maxmem": 1024, "minmem": 512, "vcpus": 1,
                                 "spindle_use": 1}})
  return config["cluster"]["ipolicy"]


def _Group(config):
  (group, ) = config["nodegroups"].values()
  return group


def _AddGroup(config, name):
  group = dict(_Group(config), name=name, uuid=Uuid("c", 2))
  config["nodegroups"][group["uuid"]] = group


# Nodes

def _MasterNoCandidate(config):
  _Node(config, 1, master_candidate=False)
  _Node(config, 4, master_candidate=True)


def _DrainedAndOffline(config):
  _Leave(config, 4)
  _Node(config, 4, drained=True, offline=True)


def _DrainedCandidate(config):
  _Leave(config, 4)
  _Node(config, 4, drained=True, master_candidate=True)


def _NodesWithOneIp(config):
  _Node(config, 3, primary_ip="192.0.2.2")


def _SecondaryIpOfAnother(config):
  _Node(config, 3, secondary_ip="192.0.2.2")


def _NodeWithMasterIp(config):
  _Cluster(config, master_ip="192.0.2.3")


# Names and UUIDs

def _InstancesWithOneName(config):
  _Instance(config, 5, name="inst4.example.com")


def _NodesWithOneName(config):
  _Leave(config, 4)
  _Node(config, 4, name="node2.example.com")


def _GroupsWithOneName(config):
  _AddGroup(config, _Group(config)["name"])


def _GroupLikeUuid(config):
  _Group(config)["name"] = Uuid("C", 7).upper()


def _WrongUuid(config):
  _Instance(config, 4, uuid=Uuid("b", 5))


def _WrongUuidOfDisk(config):
  _Disk(config, 1, uuid=Uuid("d", 9))


def _WrongUuidOfNode(config):
  _Node(config, 2, uuid=Uuid("a", 9))


# Ports

def _DrbdsOnOnePort(config):
  _AddDrbd(config)["logical_id"][2] = 11000


def _ConsoleOnDrbdPort(config):
  _Instance(config, 4, network_port=11000)


def _FreePortInUse(config):
  _Cluster(config, tcpudp_port_pool=[11005, 11000])


def _HighestPort(config):
  _Cluster(config, highest_used_port=10999)


# Disks

def _Elsewhere(config):
  _Instance(config, 1, primary_node=Uuid("a", 4))


def _LocalElsewhere(config):
  _AddDisk(config, 4, MakeDisk(2, nodes=[Uuid("a", 2)]))


def _SeveralMirrors(config):
  disk = MakeDrbd(2, 1, 2, 5, 5, secret="another", iv_name="disk/1")
  disk["logical_id"][2] = 11001
  _AddDisk(config, 1, disk)


def _SplitGroups(config):
  _AddGroup(config, "rack2")
  _Node(config, 3, group=Uuid("c", 2))


def _AttachedTwice(config):
  _AddDisk(config, 4, MakeDisk(2))
  _Instance(config, 5)["disks"] = [Uuid("d", 2)]


def _Detached(config):
  config["disks"][Uuid("d", 2)] = MakeDisk(2)


def _IvName(config):
  _Disk(config, 1, iv_name="disk/1")


def _Mode(config):
  _Disk(config, 1, mode="w")


def _OneMinor(config):
  _AddDrbd(config)["logical_id"][3:5] = [0, 7]


def _OneSecret(config):
  _AddDrbd(config)["logical_id"][5] = _Disk(config, 1)["logical_id"][5]


def _OneVolume(config):
  _AddDisk(config, 4, MakeDisk(2, logical_id=["xenvg", "x"]))
  _AddDisk(config, 5, MakeDisk(3, logical_id=["xenvg", "x"]))


def _Exclusive(config):
  _Group(config)["ndparams"] = {"exclusive_storage": True}


def _NoSpindles(config):
  _AddGroup(config, "rack2")
  config["nodegroups"][Uuid("c", 2)]["ndparams"] = {"exclusive_storage": True}
  _Node(config, 4, group=Uuid("c", 2))
  _AddDisk(config, 4, MakeDisk(2))


# Instances

def _Incapable(config):
  _Node(config, 3, vm_capable=False)


def _NoSuchHypervisor(config):
  _Instance(config, 4, hypervisor="xen-pvm")


def _NoSuchTemplate(config):
  _Cluster(config, enabled_disk_templates=["diskless", "plain"])


def _MemoryBounds(config):
  _Instance(config, 4, beparams={"minmem": 512, "maxmem": 128})


def _NodeAddress(config):
  _Instance(config, 5)["nics"] = _Instance(config, 4)["nics"]
  _Instance(config, 4)["nics"] = []
  _Instance(config, 5)["nics"][0]["ip"] = "192.0.2.3"


# Parameters and policies

def _Nothing(config):
  _Cluster(config, enabled_hypervisors=[], enabled_disk_templates=[])


def _NoParameters(config):
  _Cluster(config, hvparams={"xen-pvm": {}})


def _Backend(config):
  _Instance(config, 4, beparams={"vcpus": "many", "colour": 1,
                                 "maxmem": "1.5g"})


def _ClusterBackend(config):
  _Cluster(config, beparams={"default": {"vcpus": None}})


def _NicMode(config):
  _Instance(config, 3)["nics"][0]["nicparams"] = {"mode": "bridge"}
  _Instance(config, 3)["nics"][0]["ip"] = "203.0.113.3"


def _NicModeFalse(config):
  # Ganeti reads the value False as an empty text
  _Instance(config, 3)["nics"][0]["nicparams"] = {"mode": False}
  _Instance(config, 3)["nics"][0]["ip"] = "203.0.113.3"


def _NicLink(config):
  _Instance(config, 3)["nics"][0]["nicparams"] = {"link": ""}


def _NodeParameter(config):
  _Node(config, 4, ndparams={"spindle_count": "x"})


def _GlobalOfNode(config):
  _Node(config, 4, ndparams={"exclusive_storage": False})


def _Access(config):
  _Cluster(config, diskparams={"rbd": {"access": "magic"}})


def _PolicyRange(config):
  _SetPolicy(config)["minmax"][0]["min"]["cpu-count"] = 9


def _PolicyStd(config):
  _SetPolicy(config)["std"]["memory-size"] = 10000


def _PolicyIncomplete(config):
  del _SetPolicy(config)["minmax"][0]["max"]["nic-count"]


def _PolicyKey(config):
  _SetPolicy(config, colour=1)


def _PolicyRatio(config):
  _SetPolicy(config, **{"vcpu-ratio": "x"})


def _PolicyOfGroup(config):
  _SetPolicy(config)
  _Group(config)["ipolicy"] = {"disk-templates": []}
  for section in ("instances", "disks", "networks"):
    config[section].clear()
  _Group(config)["networks"] = {}


def _TooLarge(config):
  _SetPolicy(config)
  _Instance(config, 4, beparams={"maxmem": 16384, "vcpus": 9})


def _ForbiddenType(config):
  _SetPolicy(config, **{"disk-templates": ["drbd"]})


_INSTANCES = ["inst%d.example.com" % index for index in range(1, 7)]

#: For each fault, the name of the check that finds it, the function that makes
#: it, and the subjects of the findings
FAULTS = [
  ("master-no-candidate", _MasterNoCandidate, ["node1.example.com"]),
  ("node-state", _DrainedAndOffline, ["node4.example.com"]),
  ("node-state", _DrainedCandidate, ["node4.example.com"]),
  ("duplicate-node-ip", _NodesWithOneIp, ["192.0.2.2"]),
  ("duplicate-node-ip", _SecondaryIpOfAnother, ["192.0.2.2"]),
  ("duplicate-node-ip", _NodeWithMasterIp, ["192.0.2.3"]),
  ("duplicate-name", _InstancesWithOneName, ["inst4.example.com"]),
  ("duplicate-name", _NodesWithOneName, ["node2.example.com"]),
  ("duplicate-name", _GroupsWithOneName, ["default"]),
  ("group-name", _GroupLikeUuid, ["group " + Uuid("C", 7).upper()]),
  ("wrong-uuid", _WrongUuid, ["instance inst4.example.com"]),
  ("wrong-uuid", _WrongUuidOfDisk, ["inst1.example.com, disk/0"]),
  ("wrong-uuid", _WrongUuidOfNode, ["node node2.example.com"]),
  ("duplicate-port", _DrbdsOnOnePort, ["port 11000"]),
  ("duplicate-port", _ConsoleOnDrbdPort, ["port 11000"]),
  ("duplicate-port", _FreePortInUse, ["port 11000"]),
  ("highest-port", _HighestPort, ["cluster"]),
  ("disk-elsewhere", _Elsewhere, ["inst1.example.com, disk/0"]),
  ("disk-elsewhere", _LocalElsewhere, ["inst4.example.com, disk/0"]),
  ("several-mirrors", _SeveralMirrors, ["inst1.example.com"]),
  ("split-groups", _SplitGroups, ["inst1.example.com"]),
  ("disk-attached-twice", _AttachedTwice,
   ["inst4.example.com, disk/0", "inst5.example.com, disk/0"]),
  ("disk-detached", _Detached, ["cluster"]),
  ("disk-name", _IvName, ["inst1.example.com, disk/0"]),
  ("disk-mode", _Mode, ["inst1.example.com, disk/0"]),
  ("duplicate-minor", _OneMinor, ["node3.example.com"]),
  ("duplicate-secret", _OneSecret,
   ["inst1.example.com, disk/0", "inst2.example.com, disk/0"]),
  ("duplicate-volume", _OneVolume, ["xenvg/x"]),
  ("exclusive-storage", _Exclusive,
   ["inst1.example.com, disk/0", "inst1.example.com, disk/0"]),
  ("exclusive-storage", _NoSpindles, ["inst4.example.com, disk/0"]),
  ("instance-on-incapable-node", _Incapable, ["inst1.example.com"]),
  ("not-enabled", _NoSuchHypervisor, ["inst4.example.com"]),
  ("not-enabled", _NoSuchTemplate, ["inst1.example.com"]),
  ("memory-bounds", _MemoryBounds, ["inst4.example.com"]),
  ("instance-has-node-address", _NodeAddress, ["inst5.example.com, nic/0"]),
  ("nothing-enabled", _Nothing, ["cluster", "cluster"]),
  ("nothing-enabled", _NoParameters, ["cluster"]),
  ("invalid-parameter", _Backend, ["inst4.example.com", "inst4.example.com"]),
  ("invalid-parameter", _ClusterBackend, ["cluster"]),
  ("invalid-parameter", _NicMode, ["inst3.example.com, nic/0"]),
  ("invalid-parameter", _NicModeFalse, ["inst3.example.com, nic/0"]),
  ("invalid-parameter", _NicLink, ["inst3.example.com, nic/0"]),
  ("invalid-parameter", _NodeParameter, ["node4.example.com"]),
  ("invalid-parameter", _GlobalOfNode, ["node4.example.com"]),
  ("invalid-parameter", _Access, ["cluster"]),
  ("invalid-policy", _PolicyRange, ["cluster", "cluster"]),
  ("invalid-policy", _PolicyStd, ["cluster"]),
  ("invalid-policy", _PolicyIncomplete, ["cluster"]),
  ("invalid-policy", _PolicyKey, ["cluster"]),
  ("invalid-policy", _PolicyRatio, ["cluster"]),
  ("invalid-policy", _PolicyOfGroup, ["group default"]),
  ("policy-violation", _TooLarge, ["inst4.example.com"]),
  ("policy-violation", _ForbiddenType, _INSTANCES[1:]),
  ]

#: Faults that cause findings of other checks, too
MORE = {
  _Elsewhere: {"several-mirrors"},
  _PolicyRange: {"policy-violation"},
  }

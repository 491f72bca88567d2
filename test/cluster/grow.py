#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Adds to a real configuration the objects that a fake cluster cannot have.

A cluster under the fake hypervisor has no DRBD, and its few nodes cannot take
every role at once. All added objects have the form in which Ganeti 3.0 writes
them, including defaults, so Ganeti's own daemon accepts the result, and answers
with the objects as stored.

All names, addresses and UUIDs are fixed, so a failure can be repeated; the
UUIDs are chosen so that their order is neither that of the names nor of the
addresses.

"""

import copy
import hashlib

#: Value of every added secret; no answer may ever contain it
SECRET = "tops3cret"

#: The node with more instances than fit in a datagram, the number of instances,
#: and their link
CROWDED_NODE = "node12.example.com"
CROWD = 120
CROWDED_LINK = "crowd"

_NODES = [
  # (name, master_candidate, offline, drained)
  ("node4.example.com", False, True, False),
  ("node5.example.com", False, False, True),
  ("node6.example.com", False, False, False),
  # Before node2 in the order of characters, after node6 in natural order
  ("node10.example.com", True, False, False),
  # Offline and drained: drained takes precedence
  ("node11.example.com", False, True, True),
  # Candidate, and offline or drained: the latter take precedence
  ("node12.example.com", True, True, False),
  ("node13.example.com", True, False, True),
  # Makes "node6" ambiguous
  ("node6.example.org", False, False, False),
  # A full name that is also the short form of the next one
  ("store", False, False, False),
  ("store.example.com", False, False, False),
  ]


def Uuid(name):
  """Makes a UUID that depends only on a name.

  """
  digest = hashlib.sha1(name.encode("utf-8")).hexdigest()
  return "-".join([digest[0:8], digest[8:12], "4" + digest[13:16],
                   "a" + digest[17:20], digest[20:32]])


def FindNode(config, name):
  """Returns a node's object by its full name.

  """
  return _FindByName(config["nodes"], name)


def FindInstance(config, name):
  """Returns an instance's object by its full name.

  """
  return _FindByName(config["instances"], name)


def _FindByName(table, name):
  for obj in table.values():
    if obj["name"] == name:
      return obj
  raise KeyError(name)


def _AddNodes(config):
  """Adds nodes of every role.

  """
  master = config["nodes"][config["cluster"]["master_node"]]
  for idx, (name, candidate, offline, drained) in enumerate(_NODES):
    node = copy.deepcopy(master)
    node.update({
      "name": name,
      # Addresses descend, so that their order is not taken for that of names
      "primary_ip": "198.51.100.%d" % (99 - idx),
      "secondary_ip": "203.0.113.%d" % (99 - idx),
      "master_candidate": candidate,
      "offline": offline,
      "drained": drained,
      "uuid": Uuid(name),
      "serial_no": 100 + idx,
      })
    config["nodes"][node["uuid"]] = node


def Nic(name, ip, **nicparams):
  """Makes a nic.

  @param ip: address or None
  @param nicparams: the nic's own parameters; without "link" the nic is on the
      cluster's default link

  """
  digest = hashlib.sha1(name.encode("utf-8")).hexdigest()
  nic = {
    "mac": "aa:00:00:%s:%s:%s" % (digest[0:2], digest[2:4], digest[4:6]),
    "nicparams": nicparams,
    "uuid": Uuid("nic " + name),
    }
  if ip is not None:
    nic["ip"] = ip
  return nic


def _Stamp(config, obj, uuid, serial):
  """Adds the fields that every object has.

  """
  obj.update({
    "uuid": uuid,
    "serial_no": serial,
    "ctime": config["ctime"],
    "mtime": config["mtime"],
    })
  return obj


def PlainDisk(config, name, nodes, size):
  """Makes a logical volume.

  """
  return _Stamp(config, {
    "logical_id": ["xenvg", name],
    "dev_type": "plain",
    "children": [],
    "nodes": nodes,
    "iv_name": "",
    "size": size,
    "mode": "rw",
    "params": {},
    }, Uuid("disk " + name), 1)


def DrbdDisk(config, name, index, pnode, snode, port, minors):
  """Makes a DRBD disk with its two children.

  @param index: the disk's number in its instance
  @param pnode: UUID of a node
  @param snode: UUID of the other node
  @type minors: tuple; (int, int)
  @param minors: the minors on the two nodes

  """
  nodes = [pnode, snode]
  return _Stamp(config, {
    "logical_id": [pnode, snode, port, minors[0], minors[1],
                   SECRET + name],
    "dev_type": "drbd",
    "children": [
      PlainDisk(config, name + ".disk_data", nodes, 1024),
      PlainDisk(config, name + ".disk_meta", nodes, 128),
      ],
    "nodes": nodes,
    "iv_name": "disk/%d" % index,
    "size": 1024,
    "mode": "rw",
    "params": {},
    }, Uuid("disk " + name), 2)


def AddInstance(config, name, pnode, nics=(), disks=(), **more):
  """Adds an instance.

  @type pnode: string
  @param pnode: the full name of the primary node
  @param disks: whole disk objects, which are stored in the disk table
  @param more: further fields, which override the usual ones
  @return: the instance's object

  """
  inst = _Stamp(config, {
    "name": name,
    "primary_node": FindNode(config, pnode)["uuid"],
    "os": "noop",
    "hypervisor": "fake",
    "hvparams": {},
    "beparams": {},
    "osparams": {},
    "osparams_private": {},
    "admin_state": "up",
    "admin_state_source": "admin",
    "nics": list(nics),
    "disks": [disk["uuid"] for disk in disks],
    "disks_active": True,
    "tags": [],
    }, Uuid(name), 7)
  inst.update(more)
  for disk in disks:
    config["disks"][disk["uuid"]] = disk
  config["instances"][inst["uuid"]] = inst
  return inst


def _AddInstances(config, link):
  """Adds instances with disks, nics and secrets of every kind.

  @param link: a link that is not the cluster's default

  """
  def _Drbd(name, index, pnode, snode, port, minors):
    return DrbdDisk(config, name, index, FindNode(config, pnode)["uuid"],
                    FindNode(config, snode)["uuid"], port, minors)

  # Two mirrored disks, node2 as primary
  AddInstance(
    config, "mirror1.example.com", "node2.example.com",
    nics=[Nic("mirror1 0", "10.77.1.61"),
          Nic("mirror1 1", "10.77.2.61", mode="routed", link=link),
          # A nic without an address is on no list
          Nic("mirror1 2", None, mode="bridged", link="br0")],
    disks=[_Drbd("mirror1-0", 0, "node2.example.com", "node1.example.com",
                 11000, (0, 0)),
           _Drbd("mirror1-1", 1, "node2.example.com", "node1.example.com",
                 11001, (1, 1))],
    serial_no=31)

  # After a failover: the primary node is the second one in logical_id
  AddInstance(
    config, "mirror2.example.com", "node3.example.com",
    nics=[Nic("mirror2 0", "10.77.1.62", link=link, mode="routed"),
          # The same address on two links belongs to two instances
          Nic("mirror2 1", "10.77.1.61", link=link, mode="routed")],
    disks=[_Drbd("mirror2-0", 0, "node2.example.com", "node3.example.com",
                 11002, (2, 0))],
    tags=["production", "web"], serial_no=12)

  # Mirrored to two nodes, with a plain disk in between
  AddInstance(
    config, "mirror10.example.com", "node10.example.com",
    nics=[Nic("mirror10 0", "10.77.1.9")],
    disks=[_Drbd("mirror10-0", 0, "node10.example.com", "node3.example.com",
                 11003, (0, 7)),
           PlainDisk(config, "mirror10-1", [Uuid("node10.example.com")],
                      256),
           _Drbd("mirror10-2", 2, "node5.example.com", "node10.example.com",
                 11004, (1, 8))])

  # DRBD as a child of another disk
  nested = PlainDisk(config, "nested-0", [Uuid("node6.example.com")], 512)
  nested["children"] = [
    _Drbd("nested-0-child", 0, "node6.example.com", "node1.example.com",
          11005, (4, 4)),
    ]
  AddInstance(
    config, "nested.example.com", "node6.example.com", disks=[nested],
    nics=[Nic("nested 0", "2001:db8::61", mode="routed", link="v6"),
          Nic("nested 1", "192.0.2.61", mode="bridged", link="br0")],
    osparams={"release": "stable"},
    osparams_private={"password": SECRET, "token": SECRET + "2"},
    hvparams={"migration_mode": "live"},
    beparams={"vcpus": 2}, network_port=11010)

  # On the offline node, and on the drained one
  AddInstance(config, "asleep.example.com", "node4.example.com",
              nics=[Nic("asleep 0", "10.77.1.64")], admin_state="down",
              disks_active=False)
  AddInstance(config, "moving.example.com", "node5.example.com",
              nics=[Nic("moving 0", "10.77.1.65")])

  # An ambiguous short name, and a full name that is another's short form
  AddInstance(config, "mirror1.example.org", "node1.example.com")
  AddInstance(config, "web", "node1.example.com",
              nics=[Nic("web 0", "10.77.1.71")])
  AddInstance(config, "web.example.com", "node2.example.com",
              nics=[Nic("web 1", "10.77.1.72")])


def _AddCrowd(config, count):
  """Adds many instances to a node.

  """
  for idx in range(count):
    AddInstance(config, "crowd%d.example.com" % idx, CROWDED_NODE,
                nics=[Nic("crowd%d" % idx, "10.77.%d.%d" %
                           (100 + idx // 200, 1 + idx % 200),
                           mode="routed", link=CROWDED_LINK)])


def Grow(config, link="300", crowd=CROWD):
  """Returns a grown copy of a configuration.

  @type config: dict
  @param config: a real configuration, of a cluster with the nodes
      node1.example.com to node3.example.com
  @type link: string
  @param link: a link that is not the cluster's default
  @param crowd: the number of instances on L{CROWDED_NODE}
  @rtype: dict

  """
  config = copy.deepcopy(config)
  _AddNodes(config)
  _AddInstances(config, link)
  _AddCrowd(config, crowd)
  config["cluster"]["osparams_private_cluster"] = {
    "noop": {"root_password": SECRET},
    "other/os": {"a~b": SECRET, "c": SECRET},
    }
  config["cluster"]["osparams"] = {
    "noop": {"release": "oldstable"},
    "other/os": {"a~b": "escaped"},
    }
  config["cluster"]["tags"] = ["a~b/c", "second"]
  config["serial_no"] += 1000
  return config

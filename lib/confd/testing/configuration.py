#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Small configurations for tests, in the form of C{config.data}.

"""

from __future__ import annotations

import json
import os
import uuid

from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any, Mapping, Sequence, Union

  #: A configuration: the path of a C{config.data}, its text, or the dictionary
  #: that the text stands for
  Config = Union[str, "os.PathLike[str]", bytes, Mapping[str, Any]]


#: The domain of the nodes and instances of L{MakeConfig}
DOMAIN = "example.com"

_TIME = 1760000000.0

#: Format strings for the addresses of nodes and instances (RFC 5737)
_NODE_IP = "192.0.2.%d"
_INSTANCE_IP = "203.0.113.%d"
_MAX_OBJECTS = 99

#: The instances that L{MakeConfig} makes by default, with their primary nodes
_INSTANCES = {"web1": "node1", "web2": "node2", "mail1": "node2"}


def Text(config: Config) -> bytes:
  """Returns the contents of C{config.data}.

  @raise OSError: the file cannot be read

  """
  if isinstance(config, bytes):
    return config
  if isinstance(config, (str, os.PathLike)):
    with open(config, "rb") as stream:
      return stream.read()
  return json.dumps(config).encode("ascii")


def _FullName(name: str) -> str:
  return name if "." in name else "%s.%s" % (name, DOMAIN)


def _Uuid(name: str) -> str:
  """Returns the same UUID for the same name each time.

  """
  return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def _Stored(name: str, **more: Any) -> dict[str, Any]:
  """Returns an object with the keys that all objects have, and some more.

  """
  return dict({"name": name, "uuid": _Uuid(name), "serial_no": 1,
               "ctime": _TIME, "mtime": _TIME}, **more)


def _Node(index: int, name: str, group: str, is_candidate: bool
          ) -> dict[str, Any]:
  return _Stored(
    name, primary_ip=_NODE_IP % index, secondary_ip=_NODE_IP % index,
    master_candidate=is_candidate, offline=False, drained=False,
    master_capable=True, vm_capable=True, powered=True, group=group,
    ndparams={}, tags=[])


def _Disk(index: int, name: str, node: str) -> dict[str, Any]:
  disk = _Stored("%s.disk0" % name)
  del disk["name"]
  return dict(disk, dev_type="plain", iv_name="disk/0", mode="rw", size=10240,
              logical_id=["xenvg", "disk%d" % index], nodes=[node], params={})


def _Instance(index: int, name: str, node: str, disk: str) -> dict[str, Any]:
  return _Stored(
    name, primary_node=node, admin_state="up", admin_state_source="admin",
    hypervisor="kvm", os="debootstrap+default", disks=[disk],
    disks_active=True, disk_template="plain", beparams={}, hvparams={},
    osparams={}, osparams_private={}, tags=[],
    nics=[{"ip": _INSTANCE_IP % index, "mac": "aa:00:00:00:00:%02x" % index,
           "nicparams": {}, "uuid": _Uuid("%s.nic0" % name)}])


def MakeConfig(nodes: Union[int, Sequence[str]] = 3,
               instances: Union[Mapping[str, str], None] = None,
               candidates: int = 2) -> dict[str, Any]:
  """Makes a small configuration of Ganeti 3.0.

  Names without a dot get the domain example.com. The first node is the
  master, and has the address 192.0.2.1; the others follow. The first instance
  has the address 203.0.113.1. Each instance has one disk of 10 GiB, without a
  mirror. The serial number is 1.

  @param nodes: how many nodes, named node1, node2 and so on; or their names
  @param instances: by name, the name of the primary node; None for three
    instances: web1, web2 and mail1
  @param candidates: how many nodes, the first ones, are master candidates
  @return: a new dictionary, in the form of the file config.data
  @raise ValueError: an instance's node is none of the nodes, or there are more
    than 99 objects of a kind

  """
  if isinstance(nodes, int):
    nodes = ["node%d" % (index + 1) for index in range(nodes)]
  names = [_FullName(name) for name in nodes]
  if not 1 <= candidates <= len(names):
    raise ValueError("Of %d nodes, %d cannot be master candidates" %
                     (len(names), candidates))
  if instances is None:
    instances = {name: node if _FullName(node) in names else names[0]
                 for (name, node) in _INSTANCES.items()}
  if max(len(names), len(instances)) > _MAX_OBJECTS:
    raise ValueError("More than %d nodes or instances" % _MAX_OBJECTS)
  group = _Stored("default", alloc_policy="preferred", networks={}, ndparams={},
                  diskparams={}, ipolicy={}, tags=[])
  made_nodes = [_Node(index + 1, name, group["uuid"], index < candidates)
                for (index, name) in enumerate(names)]
  made_instances = []
  disks = []
  for (index, (short, node)) in enumerate(instances.items()):
    name = _FullName(short)
    if _FullName(node) not in names:
      raise ValueError("The node '%s' of the instance '%s' is none of the nodes"
                       % (node, short))
    disk = _Disk(index + 1, name, _Uuid(_FullName(node)))
    disks.append(disk)
    made_instances.append(_Instance(index + 1, name, _Uuid(_FullName(node)),
                                    disk["uuid"]))
  cluster = _Stored(
    "cluster", cluster_name=_FullName("cluster"), master_node=
    made_nodes[0]["uuid"], master_ip=_NODE_IP % 100, master_netdev="eth0",
    enabled_hypervisors=["kvm"], enabled_disk_templates=["plain", "diskless"],
    beparams={"default": {"always_failover": False, "auto_balance": True,
                          "maxmem": 1024, "minmem": 1024, "spindle_use": 1,
                          "vcpus": 1}},
    hvparams={"kvm": {}}, os_hvp={}, osparams={}, osparams_private_cluster={},
    ndparams={}, diskparams={}, ipolicy={}, tags=[], data_collectors={},
    nicparams={"default": {"mode": "bridged", "link": "br0", "vlan": ""}},
    volume_group_name="xenvg")
  del cluster["name"]
  return {
    "version": 3000000,
    "serial_no": 1,
    "ctime": _TIME,
    "mtime": _TIME,
    "cluster": cluster,
    "nodegroups": {group["uuid"]: group},
    "networks": {},
    "filters": {},
    "nodes": {item["uuid"]: item for item in made_nodes},
    "instances": {item["uuid"]: item for item in made_instances},
    "disks": {item["uuid"]: item for item in disks},
    }


def Find(config: Mapping[str, Any], section: str, name: str) -> dict[str, Any]:
  """Finds an object in a configuration, by its name.

  @param config: a configuration, in the form of the file config.data
  @param section: "nodes", "instances", "nodegroups", "networks" or "disks"
  @param name: the full name, its first part, or the UUID
  @return: the object itself, not a copy: a change of it changes the
    configuration
  @raise LookupError: no object, or more than one, has that name; the message
    has all names

  """
  stored: Mapping[str, Any] = config[section]
  found: list[dict[str, Any]] = [
    item for (key, item) in stored.items()
    if name in (key, item.get("uuid"), item.get("name"))] or [
    item for item in stored.values()
    if str(item.get("name")).startswith(name + ".")]
  if len(found) == 1:
    return found[0]
  raise LookupError("No '%s' among the %s, or more than one: %s" % (
    name, section, ", ".join(sorted(str(item.get("name") or key)
                                    for (key, item) in stored.items()))))

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Configurations of any size, as Ganeti 3.0 stores them.

The configurations have all keys, since the packaged daemon refuses one with any
key missing. Each instance has a mirrored disk and a nic on the default link.
The configuration depends only on the arguments of L{Make}.

"""

import hashlib
import ipaddress
import json


_TIME = 1700000000.25

_LINK = "br0"

#: The number of master candidates, which are the first nodes; the first one is
#: the master
_CANDIDATES = 10

_FIRST_NODE_IP = ipaddress.ip_address("10.1.0.1")
_FIRST_INSTANCE_IP = ipaddress.ip_address("10.64.0.1")

_KVM = {
  "acpi": True, "boot_order": "disk", "cpu_mask": "all", "disk_type":
  "paravirtual", "kernel_args": "ro", "kernel_path": "", "migration_mode":
  "live", "nic_type": "paravirtual", "root_path": "/dev/vda1",
  "serial_console": True, "vnc_bind_address": "",
  }

_CLUSTER = {
  "cluster_name": "cluster.example.com",
  "rsahostkeypub": "A" * 544,
  "dsahostkeypub": "",
  "ssh_key_type": "rsa",
  "ssh_key_bits": 2048,
  "highest_used_port": 64000,
  "tcpudp_port_pool": [],
  "mac_prefix": "aa:00:00",
  "volume_group_name": "vg",
  "drbd_usermode_helper": "/bin/true",
  "reserved_lvs": [],
  "master_ip": "10.0.0.1",
  "master_netdev": "eth0",
  "master_netmask": 32,
  "primary_ip_family": 2,
  "use_external_mip_script": False,
  "file_storage_dir": "/srv/file",
  "shared_file_storage_dir": "/srv/shared",
  "gluster_storage_dir": "/srv/gluster",
  "enabled_hypervisors": ["kvm"],
  "enabled_disk_templates": ["drbd", "plain", "diskless"],
  "hvparams": {"kvm": _KVM},
  "os_hvp": {},
  "beparams": {"default": {
    "always_failover": False, "auto_balance": True, "maxmem": 1024, "minmem":
    1024, "spindle_use": 1, "vcpus": 1}},
  "osparams": {},
  "osparams_private_cluster": {},
  "nicparams": {"default": {"link": _LINK, "mode": "bridged", "vlan": ""}},
  "ndparams": {
    "cpu_speed": 1, "exclusive_storage": False, "oob_program": "", "ovs":
    False, "ovs_link": "", "ovs_name": "switch1", "spindle_count": 1,
    "ssh_port": 22},
  "diskparams": {"drbd": {}, "plain": {}, "diskless": {}},
  "tags": [],
  "candidate_pool_size": _CANDIDATES,
  "candidate_certs": {},
  "modify_etc_hosts": False,
  "modify_ssh_setup": False,
  "maintain_node_health": True,
  "uid_pool": [],
  "default_iallocator": "hail",
  "default_iallocator_params": {},
  "hidden_os": [],
  "blacklisted_os": [],
  "prealloc_wipe_disks": False,
  "ipolicy": {},
  "hv_state_static": {},
  "disk_state_static": {},
  "max_running_jobs": 20,
  "max_tracked_jobs": 25,
  "install_image": "",
  "instance_communication_network": "",
  "zeroing_image": "",
  "compression_tools": ["gzip"],
  "enabled_user_shutdown": False,
  "data_collectors": {
    name: {"active": True, "interval": 5000000}
    for name in ["cpu-avg-load", "diskstats", "drbd", "inst-status-xen", "lv",
                 "xen-cpu-avg-load"]},
  }

_LIMITS = ["cpu-count", "disk-count", "disk-size", "memory-size", "nic-count",
           "spindle-use"]

_IPOLICY = {
  "minmax": [{"min": dict.fromkeys(_LIMITS, 1),
              "max": dict.fromkeys(_LIMITS, 1 << 20)}],
  "std": dict.fromkeys(_LIMITS, 1),
  "disk-templates": ["drbd", "plain", "diskless"],
  "spindle-ratio": 32.0,
  "vcpu-ratio": 4.0,
  }


def _Uuid(kind, number=0):
  digest = hashlib.sha1(b"%s %d" % (kind.encode("ascii"), number)).hexdigest()
  return "-".join([digest[:8], digest[8:12], "4" + digest[13:16],
                   "a" + digest[17:20], digest[20:32]])


def _Object(uuid, **kwargs):
  """Makes an object with the keys that all objects have.

  """
  return dict(kwargs, uuid=uuid, ctime=_TIME, mtime=_TIME, serial_no=1)


def NodeName(number):
  return "node%d.example.com" % (number + 1)


def NodeIp(number):
  return str(_FIRST_NODE_IP + number)


def InstanceIp(number):
  return str(_FIRST_INSTANCE_IP + number)


def InstanceName(number):
  return "instance%d.example.com" % (number + 1)


def _NodesOf(number, nodes):
  """Returns the numbers of the two nodes of an instance.

  """
  primary = number % nodes
  # Spread the mirrors of a node's instances over all other nodes
  return (primary, (primary + 1 + number // nodes % (nodes - 1)) % nodes)


def InstancesOf(node, nodes, instances):
  """Returns how many instances have a node as primary or secondary.

  """
  return sum(1 for number in range(instances)
             if node in _NodesOf(number, nodes))


def _Node(number):
  return _Object(
    _Uuid("node", number), name=NodeName(number), primary_ip=NodeIp(number),
    secondary_ip=NodeIp(number), master_candidate=number < _CANDIDATES,
    offline=False, drained=number % 50 == 49, group=_Uuid("group"),
    master_capable=True, vm_capable=True, powered=True, ndparams={}, tags=[])


def _Disk(number, primary, secondary):
  """Makes a mirrored disk, with its two child disks.

  """
  def _Volume(suffix, size):
    return _Object(
      _Uuid("volume" + suffix, number), dev_type="plain", size=size,
      logical_id=["vg", "%s.disk0%s" % (_Uuid("lv", number), suffix)],
      children=[], nodes=[primary, secondary], iv_name="", mode="rw",
      params={})

  secret = hashlib.sha1(b"secret %d" % number).hexdigest()
  return _Object(
    _Uuid("disk", number), dev_type="drbd", size=10240, iv_name="disk/0",
    logical_id=[primary, secondary, 11000 + number, 2 * number,
                2 * number + 1, secret],
    children=[_Volume("_data", 10240), _Volume("_meta", 128)],
    nodes=[primary, secondary], mode="rw", params={})


def _Instance(number, primary):
  nic = {
    "mac": "aa:00:00:%02x:%02x:%02x" % (number >> 16, number >> 8 & 255,
                                        number & 255),
    "ip": InstanceIp(number),
    "nicparams": {},
    "uuid": _Uuid("nic", number),
    }
  return _Object(
    _Uuid("instance", number), name=InstanceName(number), primary_node=primary,
    os="debootstrap+default", hypervisor="kvm", hvparams={},
    beparams={"maxmem": 2048, "minmem": 1024}, osparams={},
    osparams_private={}, admin_state="up", admin_state_source="admin",
    nics=[nic], disks=[_Uuid("disk", number)], disks_active=True, tags=[])


def Make(nodes, instances, serial=1, drained=False):
  """Makes a configuration.

  @type nodes: int
  @param nodes: number of nodes; at least two, if there are instances
  @type instances: int
  @type drained: bool
  @param drained: whether the second node is drained, so that its role changes
  @rtype: dict

  """
  uuids = [_Uuid("node", number) for number in range(nodes)]
  config = {
    "version": 3000000,
    "serial_no": serial,
    "ctime": _TIME,
    "mtime": _TIME,
    "cluster": _Object(_Uuid("cluster"), **_CLUSTER),
    "nodegroups": {_Uuid("group"): _Object(
      _Uuid("group"), name="default", members=[], ndparams={}, ipolicy={},
      diskparams={}, networks={}, alloc_policy="preferred", tags=[])},
    "nodes": {uuids[number]: _Node(number) for number in range(nodes)},
    "instances": {},
    "disks": {},
    "networks": {},
    "filters": {},
    }
  config["cluster"].update(master_node=uuids[0], ipolicy=_IPOLICY)
  config["nodes"][uuids[1]]["drained"] = drained
  for number in range(instances):
    (primary, secondary) = _NodesOf(number, nodes)
    config["instances"][_Uuid("instance", number)] = _Instance(
      number, uuids[primary])
    config["disks"][_Uuid("disk", number)] = _Disk(number, uuids[primary],
                                                   uuids[secondary])
  return config


def Write(config):
  """Returns the text of C{config.data}, without spaces, as Ganeti writes it.

  @rtype: bytes

  """
  return json.dumps(config, separators=(",", ":")).encode("ascii")

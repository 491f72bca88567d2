#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Configurations as Ganeti 2.1 to 2.6 wrote them.

Ganeti's own test suite has those of later releases. All configurations here
describe the same small cluster, so that the same questions have the same
answers. L{_Base} makes the oldest one; each of the functions after it upgrades
a configuration to the next release.

Facts: up to 2.8, nodes and instances are stored under their names, and all
references are names. Keys without a value are not written. Keys that a release
introduced are missing until that release's master daemon has written the file
once, so a file just upgraded looks like that of the release before. Ganeti 2.0
had one bridge for each nic, and a default bridge in the cluster.

"""

MASTER = "node1.example.com"
MASTER_IP = "192.0.2.100"
DEFAULT_LINK = "xen-br0"
SERIAL = 4711

#: Secrets that no answer may show
SECRETS = ["9a1c1b7e6b7c3c1d8f7a-one", "0f7d5b3e9c2a4a6f8e1d-two"]

#: All primary ips, by node name
NODE_IPS = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.10"]
CANDIDATE_IPS = ["192.0.2.1", "192.0.2.2"]

#: Roles: master, candidate, offline, drained
ROLES = {
  "node1.example.com": 0,
  "node2.example.com": 1,
  "node3.example.com": 2,
  "node10.example.com": 3,
  }

#: The instances' ips by link, by instance name, then nic
LINKS = {
  DEFAULT_LINK: ["198.51.100.2", "198.51.100.21", "198.51.100.10"],
  "xen-br7": ["203.0.113.22"],
  }

#: Answers to NODE_DRBD
DRBD = {
  "node1.example.com": [
    ["node1.example.com", 0, "mail.example.com", "disk/0", "primary",
     "node2.example.com"],
    ["node1.example.com", 1, "mail.example.com", "disk/1", "primary",
     "node3.example.com"],
    ],
  "node2.example.com": [
    ["node2.example.com", 3, "mail.example.com", "disk/0", "secondary",
     "node1.example.com"],
    ],
  "node3.example.com": [
    ["node3.example.com", 0, "mail.example.com", "disk/1", "secondary",
     "node1.example.com"],
    ],
  "node10.example.com": [],
  }

#: Primary and secondary instances
INSTANCES = {
  "node1.example.com": (["mail.example.com"], []),
  "node2.example.com": (["web2.example.com", "web10.example.com"],
                        ["mail.example.com"]),
  "node3.example.com": ([], ["mail.example.com"]),
  "node10.example.com": ([], []),
  }

_TIME = 1267441200.25
_GROUP = "a2f4d6f0-1f0b-4d25-8c84-6b3b4c1a9f10"


def _Node(index, **kwargs):
  node = {
    "name": "node%d.example.com" % index,
    "primary_ip": "192.0.2.%d" % index,
    "secondary_ip": "10.0.0.%d" % index,
    "serial_no": index,
    "master_candidate": False,
    "offline": False,
    "drained": False,
    "uuid": "00000000-0000-4000-8000-%012d" % index,
    "ctime": _TIME,
    "mtime": _TIME + index,
    }
  node.update(kwargs)
  return node


def _Lv(name, size):
  return {
    "dev_type": "lvm",
    "logical_id": ["xenvg", name],
    "physical_id": ["xenvg", name],
    "size": size,
    }


def _Drbd(index, secondary, minor, port):
  secret = SECRETS[index]
  return {
    "dev_type": "drbd8",
    "iv_name": "disk/%d" % index,
    "mode": "rw",
    "size": 10240,
    "logical_id": ["node1.example.com", "node%d.example.com" % secondary, port,
                   index, minor, secret],
    "physical_id": ["10.0.0.1", port, "10.0.0.%d" % secondary, port, index,
                    secret],
    "children": [_Lv("mail.disk%d_data" % index, 10240),
                 _Lv("mail.disk%d_meta" % index, 128)],
    }


def _Instance(number, name, node, disk_template, disks, nics):
  return {
    "name": name,
    "uuid": "11111111-0000-4000-8000-%012d" % number,
    "primary_node": node,
    "os": "debootstrap",
    "hypervisor": "xen-pvm",
    "hvparams": {},
    "beparams": {"memory": 512},
    "admin_up": True,
    "disk_template": disk_template,
    "disks": disks,
    "nics": nics,
    "serial_no": 2,
    "ctime": _TIME,
    "mtime": _TIME,
    "tags": ["web"],
    }


def _Nic(ip, **kwargs):
  nic = {"mac": "aa:00:00:4b:1c:%02x" % int(ip.rpartition(".")[2])}
  nic.update(kwargs)
  nic["ip"] = ip
  return nic


def _Base():
  """Makes a configuration of Ganeti 2.1, just upgraded from 2.0.

  Two nics are still in the old form.

  """
  nodes = [_Node(1, master_candidate=True), _Node(2, master_candidate=True),
           _Node(3, offline=True), _Node(10, drained=True)]
  instances = [
    _Instance(1, "web10.example.com", "node2.example.com", "plain",
              [dict(_Lv("web10.disk0", 1024), iv_name="disk/0", mode="rw")],
              [_Nic("198.51.100.10", bridge="xen-br0")]),
    _Instance(2, "web2.example.com", "node2.example.com", "file",
              [{"dev_type": "file", "iv_name": "disk/0", "mode": "rw",
                "size": 1024,
                "logical_id": ["loop", "/srv/ganeti/web2/disk0"],
                "physical_id": ["loop", "/srv/ganeti/web2/disk0"]}],
              [_Nic("198.51.100.2", nicparams={}),
               {"mac": "aa:00:00:00:00:01", "nicparams": {}},
               _Nic("203.0.113.22", bridge="xen-br7"),
               _Nic("198.51.100.21", nicparams={"mode": "bridged",
                                                "link": "xen-br0"})]),
    _Instance(3, "mail.example.com", "node1.example.com", "drbd",
              [_Drbd(0, 2, 3, 11000), _Drbd(1, 3, 0, 11001)], []),
    ]
  return {
    "version": 2010000,
    "serial_no": SERIAL,
    "ctime": _TIME,
    "mtime": _TIME,
    "cluster": {
      "cluster_name": "cluster.example.com",
      "master_node": MASTER,
      "master_ip": MASTER_IP,
      "master_netdev": "xen-br0",
      "serial_no": 12,
      "uuid": "22222222-0000-4000-8000-000000000001",
      "ctime": _TIME,
      "mtime": _TIME,
      "rsahostkeypub": "AAAAB3NzaC1yc2E",
      "highest_used_port": 11001,
      "tcpudp_port_pool": [],
      "mac_prefix": "aa:00:00",
      "volume_group_name": "xenvg",
      "file_storage_dir": "/srv/ganeti/file-storage",
      "candidate_pool_size": 10,
      "enabled_hypervisors": ["xen-pvm"],
      "hvparams": {"xen-pvm": {"kernel_path": "/boot/vmlinuz-2.6-xenU"}},
      "beparams": {"default": {"memory": 128, "vcpus": 1,
                               "auto_balance": True}},
      "nicparams": {"default": {"mode": "bridged", "link": DEFAULT_LINK}},
      "modify_etc_hosts": True,
      },
    "nodes": {node["name"]: node for node in nodes},
    "instances": {instance["name"]: instance for instance in instances},
    }


def _To22(config):
  """Adds OS parameters, user-id pools, reserved volumes; migrates nics.

  """
  config["cluster"].update({
    "drbd_usermode_helper": "/bin/true",
    "default_iallocator": "",
    "maintain_node_health": False,
    "modify_ssh_setup": True,
    "os_hvp": {},
    "osparams": {"debootstrap": {"suite": "lenny"}},
    "reserved_lvs": [],
    "uid_pool": [[5000, 5010]],
    })
  for instance in config["instances"].values():
    instance["osparams"] = {}
    for nic in instance["nics"]:
      nic.setdefault("nicparams", {})
      if "bridge" in nic:
        nic["nicparams"] = {"mode": "bridged", "link": nic.pop("bridge")}


def _To23(config):
  """Adds node groups and IPv6.

  """
  config["cluster"].update({
    "blacklisted_os": [],
    "hidden_os": [],
    "prealloc_wipe_disks": False,
    "primary_ip_family": 2,
    })
  config["nodegroups"] = {
    _GROUP: {"name": "default", "uuid": _GROUP, "serial_no": 1,
             "ctime": _TIME, "mtime": _TIME},
    }
  for node in config["nodes"].values():
    node.update({"group": _GROUP, "master_capable": True, "vm_capable": True})


def _To24(config):
  """Adds node parameters and out-of-band management.

  """
  config["cluster"]["ndparams"] = {"oob_program": ""}
  config["nodegroups"][_GROUP].update({"alloc_policy": "preferred",
                                       "ndparams": {}})
  for node in config["nodes"].values():
    node.update({"ndparams": {}, "powered": True})


def _To25(config):
  """Adds shared file storage and tags of groups.

  """
  config["cluster"]["shared_file_storage_dir"] = ""
  config["nodegroups"][_GROUP]["tags"] = ["rack1"]


def _To26(config):
  """Adds instance policies and disk parameters; names administrative states.

  """
  config["cluster"].update({
    "disk_state_static": {},
    "diskparams": {"drbd": {"resync-rate": 61440}, "plain": {"stripes": 1}},
    "hv_state_static": {},
    "ipolicy": {"disk-templates": ["drbd", "plain", "file"],
                "vcpu-ratio": 4.0},
    "master_netmask": 32,
    "use_external_mip_script": False,
    })
  config["nodegroups"][_GROUP].update({"diskparams": {}, "ipolicy": {}})
  for node in config["nodes"].values():
    node.update({"disk_state_static": {}, "hv_state_static": {}})
  for instance in config["instances"].values():
    instance["admin_state"] = "up" if instance.pop("admin_up") else "down"
    for disk in instance["disks"]:
      disk["params"] = {}
      for child in disk.get("children", []):
        child["params"] = {}


_STEPS = [_To22, _To23, _To24, _To25, _To26]

#: Minor release numbers that L{Make} knows
RELEASES = range(1, 2 + len(_STEPS))


def Make(release):
  """Makes the configuration of a release.

  @param release: the N of 2.N
  @rtype: dict

  """
  config = _Base()
  for step in _STEPS[:release - 1]:
    step(config)
  config["version"] = 2000000 + 10000 * release
  return config


def MakeFrom20():
  """Makes a configuration that Ganeti 2.1's master daemon has not written yet.

  The default link is the cluster's bridge, and no object has a UUID.

  """
  config = Make(1)
  cluster = config["cluster"]
  cluster["default_bridge"] = cluster.pop("nicparams")["default"]["link"]
  cluster["default_hypervisor"] = cluster["enabled_hypervisors"][0]
  for instance in config["instances"].values():
    for nic in instance["nics"]:
      nic["bridge"] = (nic.pop("nicparams", {}).get("link") or
                       nic.get("bridge", DEFAULT_LINK))
  for objects in [config["nodes"], config["instances"]]:
    for item in objects.values():
      del item["uuid"]
  del cluster["uuid"]
  return config

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""A configuration with objects and values of every kind.

"""

import copy

from cluster import grow


def _Group(config, name, **kwargs):
  group = copy.deepcopy(next(iter(config["nodegroups"].values())))
  group.update({"name": name, "uuid": grow.Uuid("group " + name),
                "networks": {}, "serial_no": 4}, **kwargs)
  config["nodegroups"][group["uuid"]] = group
  return group


def _Network(config, name, network, taken, **kwargs):
  result = {"name": name, "uuid": grow.Uuid("network " + name),
            "network": network, "reservations": taken, "ext_reservations":
            taken[0] + "0" * (len(taken) - 2) + taken[-1],
            "serial_no": 3, "ctime": config["ctime"],
            "mtime": config["mtime"], "tags": []}
  result.update(kwargs)
  config["networks"][result["uuid"]] = result
  return result


def _Nic(index, ip=None, nicparams=None, **kwargs):
  nic = {"mac": "aa:00:00:fe:00:%02x" % index, "nicparams": nicparams or {},
         "uuid": grow.Uuid("variety nic %d" % index)}
  if ip is not None:
    nic["ip"] = ip
  nic.update(kwargs)
  return nic


def _Disk(config, index, dev_type, logical_id, **kwargs):
  disk = {"uuid": grow.Uuid("variety disk %d" % index), "dev_type": dev_type,
          "logical_id": logical_id, "children": [], "nodes": [],
          "iv_name": "disk/%d" % index, "mode": "rw", "params": {},
          "serial_no": index, "ctime": config["ctime"],
          "mtime": config["mtime"]}
  disk.update(kwargs)
  return disk


def Vary(config, crowd=grow.CROWD):
  """Returns a copy of a configuration, with more additions than L{grow.Grow}'s.

  The keys of all objects are in the order in which Ganeti writes them.

  @type config: dict
  @param config: as for L{grow.Grow}
  @param crowd: as for L{grow.Grow}

  """
  config = grow.Grow(config, crowd=crowd)
  cluster = config["cluster"]
  rack1 = _Group(config, "rack1", tags=["x", "y"], alloc_policy="last_resort",
                 ndparams={"oob_program": "/bin/true", "spindle_count": 3},
                 diskparams={"drbd": {"resync-rate": 1}},
                 ipolicy={"std": {"cpu-count": 2}, "spindle-ratio": 5,
                          "vcpu-ratio": 2.5, "disk-templates": ["plain"]})
  rack10 = _Group(config, "rack10", alloc_policy="unallocable",
                  ipolicy={"minmax": cluster["ipolicy"]["minmax"] * 2})
  _Group(config, "empty", ndparams={"oob_program": "", "spindle_count": None},
         ipolicy={"std": {"cpu-count": None, "nic-count": 2},
                  "vcpu-ratio": None, "disk-templates": []})
  for (name, group) in [("node2.example.com", rack1),
                        ("node4.example.com", rack1),
                        ("node10.example.com", rack10)]:
    grow.FindNode(config, name)["group"] = group["uuid"]
  grow.FindNode(config, "node3.example.com").update(
    ndparams={"oob_program": "/bin/false", "ovs": True, "ssh_port": 2222},
    tags=["b", "a"], powered=False)
  grow.FindNode(config, "node5.example.com").update(
    ndparams={"oob_program": "", "spindle_count": None,
              "exclusive_storage": True}, vm_capable=False,
    master_capable=False)

  wide = _Network(config, "wide", "10.9.0.0/28", "1111000000000001",
                  gateway="10.9.0.1", network6="2001:db8::/64",
                  gateway6="2001:db8::1", mac_prefix="aa:bb:cc",
                  tags=["net", "big"])
  bare = _Network(config, "bare10", "10.10.0.0/29", "10000001")
  # Networks that lack half of their address pool have no map and no count
  for (name, key) in [("half1", "reservations"), ("half2", "ext_reservations")]:
    half = _Network(config, name, "10.11.0.0/29", "11000001")
    del half[key]
  rack1["networks"] = {
    wide["uuid"]: {"mode": "bridged", "link": "br7", "vlan": ""},
    bare["uuid"]: {"mode": "openvswitch", "link": "sw1", "vlan": ".7"}}
  rack10["networks"] = {wide["uuid"]: {"mode": "routed", "link": "r7"}}

  grow.AddInstance(
    config, "nets.example.com", "node2.example.com",
    nics=[_Nic(0, "10.9.0.2", {"mode": "bridged", "link": "br7"},
               network=wide["uuid"], name="eth0"),
          _Nic(1, "10.10.0.2",
               {"mode": "openvswitch", "link": "sw1", "vlan": ".7"},
               network=bare["uuid"]),
          _Nic(2, None, {"mode": "bridged"}),
          _Nic(3, "10.9.0.3", network=wide["uuid"]),
          # Empty values override the defaults, null ones do not
          _Nic(4, "10.77.3.4", {"mode": "bridged", "link": ""}),
          _Nic(5, "10.77.3.5", {"mode": None, "link": None, "vlan": ""}),
          _Nic(6, "10.77.3.6", {"mode": "openvswitch", "vlan": ""})],
    hypervisor="kvm", os="debootstrap+sid",
    hvparams={"vnc_bind_address": "0.0.0.0", "vga": "", "cpu_cores": 4,
              "acpi": False, "migration_mode": "non-live"},
    beparams={"minmem": 512, "maxmem": 4096, "vcpus": 4, "auto_balance": False,
              "always_failover": True, "spindle_use": 3},
    osparams={"a": "1"}, network_port=11023, tags=["b", "a", "zz top"],
    admin_state="offline", admin_state_source="user")
  grow.AddInstance(
    config, "xen1.example.com", "node10.example.com", hypervisor="xen-pvm",
    os="debootstrap+sid", beparams={"maxmem": 1536, "vcpus": None},
    hvparams={"cpu_weight": 17, "kernel_args": ""}, admin_state="down", ctime=0,
    mtime=1234567890.123456,
    disks=[_Disk(config, 0, "file", ["loop", "/srv/f"], size=1536, mode="ro",
                 name="root", spindles=2),
           _Disk(config, 1, "plain", ["xenvg", "xen1"], size=2000000)])
  for instance in config["instances"].values():
    for nic in instance["nics"]:
      nic["nicparams"] = {key: nic["nicparams"][key]
                          for key in ("mode", "link", "vlan")
                          if key in nic["nicparams"]}
  cluster["os_hvp"] = {
    "debootstrap+sid": {"kvm": {"kernel_path": "/os/kernel", "vga": "std"},
                        "xen-pvm": {"kernel_args": "single"}},
    "noop": {"kvm": {}}}
  cluster["osparams"] = {"debootstrap": {"a": "0", "b": "2"},
                         "noop": {"release": "oldstable"}}
  cluster["beparams"]["default"]["minmem"] = 64
  cluster["ndparams"]["spindle_count"] = 2
  config["serial_no"] += 1
  return config

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Makes configurations from a base one: single mutations, and odd ones.

A mutation changes one place. A place is a path into the configuration; places
whose paths differ in UUIDs and numbers only are of one kind, such as
C{instances/*/nics/*/ip}, and each kind is mutated in every possible way. Odd
configurations have several changes that people might make on purpose or by
accident.

Ganeti may reject a generated configuration; nothing here predicts that.

"""

import copy
import re
import typing

from cluster import grow

_UUID_RE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")

#: Stands for the value of a place that is to be removed
_ABSENT = object()

#: Names in scripts and forms that are not ASCII
UNICODE_NAMES = ["b\xfccher.example.com",
                 "\u0444\u0430\u0439\u043b.example.com", "x\u0301.example.com",
                 "\U0001f600.example.com"]


class Case(typing.NamedTuple):
  """A configuration, and a description of its peculiarity.

  """
  name: str
  config: dict


# Single mutations

#: Places that are not mutated: each configuration needs a serial number that
#: differs from the previous one, and our daemon needs a version
_NO_PLACES = [("serial_no", ), ("version", )]


def _KindOf(path):
  """Names the kind of a place.

  """
  return "/".join("*" if isinstance(part, int) or _UUID_RE.match(part) else
                  part for part in path)


def _Places(value, path=()):
  """Lists all places of a configuration except its root, with their values.

  """
  if isinstance(value, dict):
    items = value.items()
  elif isinstance(value, list):
    items = enumerate(value)
  else:
    return
  for (key, item) in items:
    yield (path + (key, ), item)
    yield from _Places(item, path + (key, ))


def _Others(value, peers):
  """Yields values that may replace the value at a place.

  @param value: the value at the place
  @param peers: the values at other places of the same kind
  @return: pairs of description and value

  """
  yield ("left out", _ABSENT)
  yield ("null", None)
  if isinstance(value, bool):
    yield ("the opposite", not value)
  elif isinstance(value, (int, float)):
    yield ("0", 0)
    yield ("one more", value + 1)
    yield ("negative", -1)
    yield ("a fraction", value + 0.75)
    yield ("large", 2 ** 53 + 1)
    yield ("a text", str(value))
  elif isinstance(value, str):
    yield ("empty", "")
    yield ("another", value + "0")
    yield ("in capitals", value.upper())
    yield ("not ASCII", UNICODE_NAMES[0])
  elif isinstance(value, list):
    yield ("empty", [])
    yield ("backwards", value[::-1])
    yield ("twice", value * 2)
  elif isinstance(value, dict):
    yield ("empty", {})
  for peer in peers:
    if peer != value:
      yield ("that of another", copy.deepcopy(peer))
      break


def _Replace(config, path, value):
  """Returns a copy of a configuration with another value at a place.

  """
  config = copy.deepcopy(config)
  place = config
  for key in path[:-1]:
    place = place[key]
  if value is _ABSENT:
    del place[path[-1]]
  else:
    place[path[-1]] = value
  return config


#: Kinds of places with many similar members, of which only some are mutated
_ALIKE = re.compile(r"(cluster/hvparams/[^/]+/)[^/]+\Z|"
                    r"(cluster/diskparams/[^/]+/)[^/]+\Z")


def _Kinds(config, rng):
  """Groups the places of a configuration.

  @return: dict from kind to the places of that kind, as (path, value)

  """
  kinds = {}
  for (path, value) in _Places(config):
    if path in _NO_PLACES:
      continue
    kinds.setdefault(_KindOf(path), []).append((path, value))
  alike = {}
  for kind in kinds:
    match = _ALIKE.match(kind)
    if match:
      alike.setdefault(match.group(match.lastindex), []).append(kind)
  for members in alike.values():
    for kind in rng.sample(members, max(len(members) - 2, 0)):
      del kinds[kind]
  return kinds


def Mutations(config, rng, count=None):
  """Makes configurations each of which differs in one place.

  @param config: a configuration
  @type rng: C{random.Random}
  @param count: the number of configurations; None for all possible ones
  @return: yields L{Case}

  """
  todo = []
  for (kind, places) in _Kinds(config, rng).items():
    values = [value for (_, value) in places]
    for (number, (path, value)) in enumerate(rng.sample(places, len(places))):
      for (what, other) in _Others(value, rng.sample(values,
                                                     min(len(values), 8))):
        # By their numbers, mutate one place of each kind in each way first, and
        # then the others as far as C{count} permits
        todo.append((number, rng.random(), "%s: %s" % (kind, what), path,
                     other))
  todo.sort(key=lambda item: item[:2])
  for (_, _, name, path, other) in todo[:count]:
    yield Case("%s (%s)" % (name, "/".join(str(part) for part in path)),
               _Replace(config, path, other))


# Odd configurations: functions that change one in place

def _Pick(rng, table):
  return table[rng.choice(sorted(table))]


def _AllNics(config):
  return [nic for instance in config["instances"].values()
          for nic in instance["nics"]]


#: A nic's own values of parameters: equal to the default, different, empty or
#: absent
_OWN_NICPARAMS = {
  "mode": ["bridged", "routed", "openvswitch", None],
  "link": ["br0", "br1", "", "100", None],
  "vlan": ["", ".7", None],
  }


def _NicParams(rng):
  params = {key: rng.choice(values) for (key, values) in _OWN_NICPARAMS.items()}
  return {key: value for (key, value) in params.items() if value is not None}


def _OddNic(config, rng):
  """Gives a nic any combination of parameters, addresses and network.

  """
  nic = rng.choice(_AllNics(config))
  nic["nicparams"] = _NicParams(rng)
  for (key, values) in [
      ("ip", ["10.77.1.61", "10.9.0.2", "10.200.0.1", "2001:db8::61", "",
              None]),
      ("network", sorted(config["networks"]) + [None, None]),
      ("name", ["eth0", "", "eth0", None])]:
    value = rng.choice(values)
    if value is None:
      nic.pop(key, None)
    else:
      nic[key] = value


def _OddDefaultNic(config, rng):
  config["cluster"]["nicparams"]["default"].update(
    {"mode": "bridged", "link": "br0", "vlan": "", **_NicParams(rng)})


def _DuplicateAddress(config, rng):
  """Gives a nic's address to another nic, on the same or another link.

  """
  nics = [nic for nic in _AllNics(config) if nic.get("ip")]
  (one, other) = rng.sample(nics, 2)
  one["ip"] = other["ip"]
  if rng.random() < 0.5:
    one["nicparams"] = dict(other["nicparams"])
  if rng.random() < 0.5 and "network" in other:
    one["network"] = other["network"]


def _Rename(config, rng):
  """Gives an object a name that is odd, or the beginning of another's.

  """
  section = rng.choice(["nodes", "instances", "nodegroups", "networks"])
  objects = config[section]
  names = [item["name"] for item in objects.values() if item.get("name")]
  name = rng.choice(names)
  (first, _, rest) = name.partition(".")
  _Pick(rng, objects)["name"] = rng.choice([
    first, first + ".example", name + ".net", first + "." + "other.org", name,
    name.upper(), first.upper(), "." + name, name + ".", rest or name,
    "10." + name, first + "-x", *UNICODE_NAMES, *UNICODE_NAMES])


def _Forthcoming(config, rng):
  """Makes an instance a planned one, which may lack some fields.

  """
  instance = _Pick(rng, config["instances"])
  instance["forthcoming"] = True
  for key in ["name", "primary_node", "os", "hypervisor", "admin_state",
              "disks_active", "hvparams", "nics", "disks"]:
    if rng.random() < 0.3:
      instance.pop(key, None)
  instance.setdefault("nics", [])
  instance.setdefault("disks", [])


def _Committed(config, rng):
  """Marks an instance, perhaps a planned one, as not planned.

  """
  _Pick(rng, config["instances"])["forthcoming"] = False


def _NodeFlags(config, rng):
  node = _Pick(rng, config["nodes"])
  for key in ["offline", "drained", "master_candidate", "vm_capable",
              "master_capable", "powered"]:
    node[key] = rng.random() < 0.5


def _AnotherMaster(config, rng):
  config["cluster"]["master_node"] = rng.choice(sorted(config["nodes"]))


def _AnotherGroup(config, rng):
  """Moves some nodes into other groups.

  """
  for uuid in sorted(config["nodes"]):
    if rng.random() < 0.3:
      config["nodes"][uuid]["group"] = rng.choice(sorted(config["nodegroups"]))


def _NetworkTwin(config, rng):
  """Adds a network with the name or the range of another.

  """
  twin = copy.deepcopy(_Pick(rng, config["networks"]))
  twin["uuid"] = grow.Uuid("twin %d" % rng.randrange(1000))
  if rng.random() < 0.5:
    twin["name"] += "-x"
  size = len(twin.get("reservations") or "")
  twin["reservations"] = "".join(rng.choice("01") for _ in range(size))
  twin["ext_reservations"] = "".join(
    rng.choice("01") if bit == "1" else "0" for bit in twin["reservations"])
  for key in ["gateway", "network6", "gateway6", "mac_prefix"]:
    if rng.random() < 0.4:
      twin.pop(key, None)
  config["networks"][twin["uuid"]] = twin
  if rng.random() < 0.7:
    _Pick(rng, config["nodegroups"])["networks"][twin["uuid"]] = {
      "mode": "bridged", "link": "br0", "vlan": "", **_NicParams(rng)}


def _Pool(config, rng):
  """Changes which addresses of a network are taken.

  """
  network = _Pick(rng, config["networks"])
  for key in ["reservations", "ext_reservations"]:
    if rng.random() < 0.5:
      bits = network.get(key) or ""
      network[key] = "".join(rng.choice(["0", "1", bit, bit]) for bit in bits)


_OWN_PARAMS = {
  "beparams": {"minmem": [64, 128, 256], "maxmem": [128, 256, 4096],
               "vcpus": [1, 2, 8], "auto_balance": [True, False],
               "always_failover": [True, False], "spindle_use": [1, 2]},
  "hvparams": {"acpi": [True, False], "kernel_path": ["", "/boot/other"],
               "vnc_bind_address": ["", "0.0.0.0", "/dir"], "cpu_cores": [0, 2],
               "migration_mode": ["live"], "boot_order": ["", "disk"]},
  "osparams": {"release": ["", "stable", "oldstable"], "a": ["0", "1"],
               "b": [""]},
  }


def _Own(rng, section):
  """Makes parameters: equal to the defaults, different, empty or absent.

  """
  return {key: rng.choice(values)
          for (key, values) in _OWN_PARAMS[section].items()
          if rng.random() < 0.5}


def _InstanceParams(config, rng):
  instance = _Pick(rng, config["instances"])
  section = rng.choice(sorted(_OWN_PARAMS))
  instance[section] = _Own(rng, section)
  if rng.random() < 0.5:
    instance["hypervisor"] = rng.choice(["kvm", "xen-pvm", "xen-hvm", "fake",
                                         "lxc"])
  if rng.random() < 0.5:
    instance["os"] = rng.choice(["noop", "debootstrap+sid", "debootstrap",
                                 "debootstrap+", "+sid", "a+b+c", ""])


def _ClusterParams(config, rng):
  cluster = config["cluster"]
  choice = rng.randrange(5)
  if choice == 0:
    cluster["beparams"]["default"].update(_Own(rng, "beparams"))
  elif choice == 1:
    hypervisor = rng.choice(["kvm", "xen-pvm", "fake"])
    cluster["hvparams"].setdefault(hypervisor, {}).update(_Own(rng, "hvparams"))
  elif choice == 2:
    cluster["os_hvp"][rng.choice(["noop", "debootstrap+sid", "debootstrap"])] \
      = {hypervisor: _Own(rng, "hvparams")
         for hypervisor in ["kvm", "fake", "xen-pvm"] if rng.random() < 0.6}
  elif choice == 3:
    cluster["osparams"][rng.choice(["noop", "debootstrap", "debootstrap+sid"])]\
      = _Own(rng, "osparams")
  else:
    rng.shuffle(cluster["enabled_hypervisors"])
    del cluster["enabled_hypervisors"][rng.randrange(1, 6):]


_OWN_NDPARAMS = {
  "oob_program": ["", "/bin/true"],
  "spindle_count": [1, 2, 0],
  "exclusive_storage": [True, False],
  "ovs": [True, False],
  "ovs_name": ["", "switch1", "switch2"],
  "ovs_link": ["", "eth1"],
  "ssh_port": [22, 2222],
  "cpu_speed": [1.0, 2.5],
  }


def _NodeParams(config, rng):
  """Changes node parameters of a node, a group or the cluster.

  """
  where = rng.choice([config["cluster"], _Pick(rng, config["nodes"]),
                      _Pick(rng, config["nodegroups"])])
  own = {key: rng.choice(values) for (key, values) in _OWN_NDPARAMS.items()
         if rng.random() < 0.4}
  if where is config["cluster"]:
    where["ndparams"].update(own)
  else:
    where["ndparams"] = own


def _Policy(config, rng):
  """Changes the instance policy or the disk parameters of a group.

  """
  group = _Pick(rng, config["nodegroups"])
  cluster = config["cluster"]["ipolicy"]
  policy = {
    "std": {"cpu-count": rng.randrange(9), "memory-size": 128},
    "spindle-ratio": rng.choice([0, 1, 32.0, 0.5]),
    "vcpu-ratio": rng.choice([1, 4.0, 2.25]),
    "disk-templates": rng.choice([["plain"], ["drbd", "plain"], []]),
    "minmax": rng.choice([cluster["minmax"], cluster["minmax"] * 2, []]),
    }
  group["ipolicy"] = {key: value for (key, value) in policy.items()
                      if rng.random() < 0.5}
  group["diskparams"] = rng.choice([
    {}, {"drbd": {}}, {"drbd": {"resync-rate": 61440, "metavg": ""}},
    {"plain": {"stripes": 3}, "rbd": {"pool": "other"}}])
  group["alloc_policy"] = rng.choice(["preferred", "last_resort",
                                      "unallocable"])


def _Disks(config, rng):
  """Moves a disk to another instance, to several instances, or to none.

  """
  instance = _Pick(rng, config["instances"])
  disks = instance["disks"]
  disk = rng.choice(sorted(config["disks"]))
  choice = rng.randrange(5)
  if choice == 0:
    for other in config["instances"].values():
      if disk in other["disks"]:
        other["disks"].remove(disk)
    disks.append(disk)
  elif choice == 1 and disk not in disks:
    disks.insert(rng.randrange(len(disks) + 1), disk)
  elif choice == 2 and disks:
    disks.pop(rng.randrange(len(disks)))
  elif choice == 3:
    rng.shuffle(disks)
  else:
    config["disks"][disk].update(
      size=rng.choice([0, 1, 1023, 1024, 1536, 10 ** 7]),
      mode=rng.choice(["rw", "ro"]), name=rng.choice(["root", "root", ""]),
      spindles=rng.choice([0, 1, 5]))


def _DrbdEnds(config, rng):
  """Changes the nodes of a mirrored disk.

  """
  disks = [disk for uuid in sorted(config["disks"])
           for disk in [config["disks"][uuid]] + config["disks"][uuid].get(
             "children", [])
           if disk["dev_type"] == "drbd"]
  disk = rng.choice(disks)
  logical_id = disk["logical_id"]
  choice = rng.randrange(4)
  if choice == 0:
    logical_id[rng.randrange(2)] = rng.choice(sorted(config["nodes"]))
  elif choice == 1:
    logical_id[:2] = logical_id[1::-1]
  elif choice == 2:
    logical_id[2 + rng.randrange(3)] = rng.choice([0, 1, 11000, 11010])
  else:
    logical_id[1] = logical_id[0]


def _PrimaryNode(config, rng):
  _Pick(rng, config["instances"])["primary_node"] = rng.choice(
    sorted(config["nodes"]))


def _Tags(config, rng):
  section = rng.choice(["nodes", "instances", "nodegroups", "networks"])
  item = rng.choice([config["cluster"], _Pick(rng, config[section])])
  item["tags"] = rng.choice([[], ["a"], ["b", "a", "B"], ["a", "a"],
                             ["htools:migration:x", UNICODE_NAMES[0]],
                             ["x y", "a,b", ""]])


def _Collectors(config, rng):
  names = ["cpu-avg-load", "diskstats", "drbd", "inst-status-xen", "lv",
           "xen-cpu-avg-load"]
  config["cluster"]["data_collectors"] = {
    name: {"active": rng.random() < 0.5,
           "interval": rng.choice([5000000, 7000000.0, 0, 2500000.5, 1.75,
                                   -1.5, 1e15])}
    for name in names if rng.random() < 0.7}


def _State(config, rng):
  """Changes the administrative state of an instance.

  """
  instance = _Pick(rng, config["instances"])
  instance.update(
    admin_state=rng.choice(["up", "down", "offline"]),
    admin_state_source=rng.choice(["admin", "user"]),
    disks_active=rng.random() < 0.5,
    network_port=rng.choice([0, 11000, 11010, 65535]))
  for key in ["network_port", "admin_state_source", "serial_no"]:
    if rng.random() < 0.3:
      instance.pop(key, None)


def _Times(config, rng):
  section = rng.choice(["nodes", "instances", "nodegroups", "networks",
                        "disks"])
  item = _Pick(rng, config[section])
  for key in ["ctime", "mtime"]:
    item[key] = rng.choice([0, 1, 1795232720.855669, 1.5, 2 ** 31, 1e10,
                            1234567890.999999])


def _Removed(config, rng):
  """Removes a group, a network, a node or an instance that others refer to.

  """
  table = config[rng.choice(["nodegroups", "networks", "nodes", "disks"])]
  if len(table) > 1:
    del table[rng.choice(sorted(table))]


def _WrongKey(config, rng):
  """Stores an object under another UUID than its own.

  """
  table = config[rng.choice(["nodes", "instances", "nodegroups", "disks"])]
  uuid = rng.choice(sorted(table))
  table[grow.Uuid("wrong " + uuid)] = table.pop(uuid)


def _Addresses(config, rng):
  """Gives a node the address of another node, or the master's.

  """
  (one, other) = rng.sample(sorted(config["nodes"]), 2)
  config["nodes"][one][rng.choice(["primary_ip", "secondary_ip"])] = rng.choice(
    [config["nodes"][other]["primary_ip"], config["cluster"]["master_ip"],
     "2001:db8::1", ""])


_ODDITIES = [
  _OddNic, _OddNic, _OddNic, _OddDefaultNic, _DuplicateAddress, _Rename,
  _Rename, _Forthcoming, _Committed, _NodeFlags, _AnotherMaster, _AnotherGroup,
  _NetworkTwin, _Pool, _InstanceParams, _InstanceParams, _ClusterParams,
  _ClusterParams, _NodeParams, _Policy, _Disks, _DrbdEnds, _PrimaryNode, _Tags,
  _Collectors, _State, _Times, _Removed, _Addresses,
  _WrongKey, _Rename,
  ]


def Certain(config):
  """Makes configurations that every comparison has to include.

  Each intended difference occurs in at least one of these configurations, so
  that a test can require it.

  """
  nodes = sorted(config["nodes"])
  mirror1 = grow.Uuid("mirror1.example.com")
  web = grow.Uuid("web")

  def _TwoOfAName(odd):
    odd["nodes"][nodes[-1]]["name"] = odd["nodes"][nodes[-2]]["name"]

  def _NotAscii(odd):
    odd["instances"][mirror1]["name"] = UNICODE_NAMES[1]

  def _WrongUuid(odd):
    odd["nodes"][grow.Uuid("wrong")] = odd["nodes"].pop(nodes[-1])

  def _OtherNodes(odd):
    primary = odd["instances"][mirror1]["primary_node"]
    disk = odd["disks"][odd["instances"][mirror1]["disks"][0]]
    disk["logical_id"][:2] = [uuid for uuid in nodes if uuid != primary][:2]

  def _WithinOne(odd):
    disk = odd["disks"][odd["instances"][mirror1]["disks"][0]]
    disk["logical_id"][0] = disk["logical_id"][1]

  def _EmptyIp(odd):
    odd["instances"][web]["nics"][0]["ip"] = ""

  def _SameIp(odd):
    odd["instances"][web]["nics"][0].update(
      copy.deepcopy(odd["instances"][mirror1]["nics"][0]))

  def _NoCandidate(odd):
    odd["nodes"][odd["cluster"]["master_node"]]["master_candidate"] = False

  def _NoMaster(odd):
    odd["cluster"]["master_node"] = "none"

  def _NoDisk(odd):
    odd["instances"][mirror1]["disks"].append("none")

  def _TwoModes(odd):
    # The same address on the same link in two modes: Ganeti sees two links
    for (uuid, mode) in [(mirror1, "bridged"), (web, "routed")]:
      odd["instances"][uuid]["nics"][0].update(
        ip="10.77.8.8", nicparams={"mode": mode, "link": "br8"})

  def _Collectors(odd):
    odd["cluster"]["data_collectors"] = {
      "lv": {"active": True, "interval": 1.75},
      "drbd": {"active": False, "interval": 2.5}}

  def _Ports(odd):
    odd["cluster"]["highest_used_port"] = 11000
    odd["instances"][web]["network_port"] = 11001

  def _Addresses(odd):
    odd["nodes"][nodes[-1]]["primary_ip"] = odd["cluster"]["master_ip"]
    odd["instances"][web]["nics"][0]["mac"] = \
      odd["instances"][mirror1]["nics"][0]["mac"]

  def _States(odd):
    odd["nodes"][nodes[-1]].update(offline=True, drained=True)
    odd["cluster"]["candidate_pool_size"] = 100

  def _Groups(odd):
    (first, second, third, *_) = odd["nodegroups"].values()
    first["name"] = second["name"]
    third["name"] = third["uuid"]

  def _NoName(odd):
    odd["nodes"][nodes[-1]]["name"] = ""

  def _OddDisk(odd):
    disk = odd["disks"][odd["instances"][mirror1]["disks"][0]]
    disk["iv_name"] = "disk/7"

  def _Parameters(odd):
    odd["cluster"]["beparams"]["default"]["vcpus"] = "many"

  def _Bounds(odd):
    odd["cluster"]["ipolicy"]["minmax"][0]["min"]["cpu-count"] = 99

  for function in [_TwoOfAName, _NotAscii, _WrongUuid, _OtherNodes, _WithinOne,
                   _EmptyIp, _SameIp, _NoCandidate, _NoMaster, _NoDisk,
                   _TwoModes, _Collectors, _Ports, _Addresses, _States, _Groups,
                   _OddDisk, _Parameters, _Bounds, _NoName]:
    odd = copy.deepcopy(config)
    function(odd)
    yield Case(function.__name__.strip("_"), odd)


def Odd(config, rng, count):
  """Makes configurations with several oddities each.

  @type rng: C{random.Random}
  @return: yields L{Case}

  """
  for _ in range(count):
    odd = copy.deepcopy(config)
    # Make instances planned ones last, as those may lack the fields that the
    # other changes need
    chosen = sorted(rng.sample(range(len(_ODDITIES)), rng.randrange(2, 9)),
                    key=lambda index: _ODDITIES[index] is _Forthcoming)
    for index in chosen:
      _ODDITIES[index](odd, rng)
    yield Case(" ".join(_ODDITIES[index].__name__.strip("_")
                        for index in chosen), odd)

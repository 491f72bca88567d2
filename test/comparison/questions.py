#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Makes questions of every type and form about a configuration.

"""

import reference

(PING, NODE_ROLE, NODE_OF_IP, MASTER, NODE_IPS, MC_IPS, INSTANCE_IPS,
 NODE_DRBD, NODE_INSTANCES, INSTANCE_DISKS, CONFIG, COLLECTORS) = range(12)

#: Types whose query is the name of a node
NODE_TYPES = [NODE_ROLE, NODE_DRBD, NODE_INSTANCES]

#: Types to which the query does not matter
NO_QUERY_TYPES = [PING, NODE_IPS, MC_IPS, COLLECTORS]

#: Queries of every kind, for all types
_ANY = [
  None, True, False, 0, 1, -1, 2.5, 10 ** 20, "", " ", ".", "*", "\0", "nope",
  "node1", "NODE1.EXAMPLE.COM", "node1.example.com ", "10.77.1.61",
  "b\xfccher", "\U0001f600", "/", "~", [], [None], ["node1.example.com"], [[]],
  {}, {"x": 1}, {"0": None}, {"1": None}, {"2": None}, {"3": None},
  {"0": "", "1": "", "2": [], "3": []},
  ]

#: Queries about addresses
_OF_IP = [
  {"1": 5}, {"1": ["10.77.1.61"]}, {"1": "10.77.1.61", "0": 200},
  {"1": "10.77.1.61", "0": []}, {"1": "10.77.1.61", "0": None},
  {"1": "10.77.1.61", "9": 1}, {"1": "10.77.1.61", "x": None},
  {"1": "10.77.1.61", "3": [0]}, {"1": "10.77.1.61", "3": "0"},
  {"1": "10.77.1.61", "2": ["10.77.1.64"]}, {"1": "10.77.1.61", "2": 5},
  {"1": None, "2": ["10.77.1.64", "10.77.1.64"]}, {"2": "10.77.1.61"},
  {"2": [5]}, {"2": [None]}, {"2": ["10.77.1.61", {}]}, {"2": {}},
  {"2": ["", " 10.77.1.61", "010.77.1.61", "10.77.1.61"]},
  {"1": " 10.77.1.61"}, {"1": "2001:DB8::61", "0": "v6"},
  {"1": "2001:db8:0::61", "0": "v6"}, {"1": ""}, {"0": "nowhere"},
  {"0": 5}, {"instance_list": ["10.77.1.61"]}, {"link": "100"},
  ]

#: Queries about the master
_MASTER = [
  {"3": [0]}, {"3": [1]}, {"3": [2]}, {"3": [0, 1, 2]}, {"3": [2, 1, 0, 2]},
  {"3": []}, {"3": ["0"]}, {"3": ["2", 1, "0"]}, {"3": ["x"]}, {"3": ["00"]},
  {"3": ["+1"]}, {"3": [3]}, {"3": [-1]}, {"3": [0.0]}, {"3": [1.5]},
  {"3": [True]}, {"3": [None]}, {"3": [[]]}, {"3": 0}, {"3": "0"}, {"3": {}},
  {"3": [0], "1": 5}, {"3": [0], "1": "10.77.1.61"}, {"3": [0], "2": "x"},
  {"3": [0], "0": "br0"}, {"3": [0], "0": 5}, {"3": [0], "x": 1},
  ]

#: JSON pointers, well-formed and malformed
_POINTERS = [
  "/version", "/serial_no", "/cluster/tags", "/cluster/tags/0",
  "/cluster/tags/-", "/cluster/tags/-1", "/cluster/tags/01",
  "/cluster/tags/1x", "/cluster/tags/99", "/cluster/cluster_name",
  "/cluster/cluster_name/0", "/cluster/nicparams/default", "/cluster/nope",
  "/cluster/osparams_private_cluster", "/cluster/candidate_certs", "cluster",
  " /version", "/version/", "/version~", "/version~2", "/version~x/y",
  "//", "/nodes//x", "/Version", "/nodes/node1.example.com", "/networks",
  "/nodegroups", "/filters", "/maintenance", "/ctime", "/mtime",
  "/cluster/ipolicy", "/cluster/beparams", "/cluster/ndparams",
  "/cluster/data_collectors", "/cluster/enabled_hypervisors",
  "/cluster/hvparams/fake", "/cluster/diskparams", "/cluster/osparams",
  "/cluster/os_hvp",
  ]

#: Questions that do not depend on a configuration
FORMS = ([(rtype, query) for rtype in range(12) for query in _ANY] +
          [(rtype, query) for rtype in (NODE_OF_IP, INSTANCE_IPS)
           for query in _OF_IP] +
          [(MASTER, query) for query in _MASTER] +
          [(CONFIG, query) for query in _POINTERS] +
          [(rtype, None) for rtype in (12, 63, -1, 1000)])


def Names(objects):
  """Lists names of objects: full names, short names, and similar texts.

  """
  names = []
  for (uuid, item) in objects.items():
    names.append(uuid)
    for name in [item.get("name"), item.get("uuid")]:
      if isinstance(name, str):
        names.append(name)
        labels = name.split(".")
        names.extend(".".join(labels[:count])
                     for count in range(1, len(labels)))
  return list(dict.fromkeys(names))


def Links(config):
  """Lists all links that any rule might derive from a configuration.

  """
  links = {"", "xen-br0", "nowhere"}
  params = [config["cluster"].get("nicparams", {}).get("default", {})]
  for instance in config["instances"].values():
    params.extend(nic.get("nicparams") for nic in instance.get("nics") or [])
  for group in config["nodegroups"].values():
    params.extend((group.get("networks") or {}).values())
  links.update(item["link"] for item in params
               if isinstance(item, dict) and isinstance(item.get("link"), str))
  return sorted(links)


def Ips(config):
  ips = {"192.0.2.250", ""}
  for instance in config["instances"].values():
    ips.update(nic["ip"] for nic in instance.get("nics") or []
               if isinstance(nic.get("ip"), str))
  return sorted(ips)


def _Places(config):
  """Lists JSON pointers to all objects, and to many values in them.

  """
  for section in ("nodes", "instances", "disks", "networks", "nodegroups"):
    for (uuid, item) in config[section].items():
      pointer = "/%s/%s" % (section, reference.EscapeToken(uuid))
      yield pointer
      if isinstance(item, dict):
        for key in item:
          yield "%s/%s" % (pointer, reference.EscapeToken(key))


def Make(config, rng):
  """Makes questions about a configuration.

  The result has all questions that depend on the configuration, except that
  pointers are a sample, and a sample of the questions that do not.

  @type rng: C{random.Random}
  @return: list of pairs of type and query

  """
  result = [(rtype, None) for rtype in NO_QUERY_TYPES]
  for name in Names(config["nodes"]):
    result.extend((rtype, name) for rtype in NODE_TYPES)
  for name in Names(config["instances"]):
    result.append((INSTANCE_DISKS, name))
  ips = Ips(config)
  for link in Links(config):
    result.append((INSTANCE_IPS, link))
    result.append((NODE_OF_IP, {"0": link, "2": ips}))
    result.append((NODE_OF_IP, {"0": link, "1": rng.choice(ips)}))
  result.append((INSTANCE_IPS, None))
  result.append((NODE_OF_IP, {"2": ips}))
  result.extend((NODE_OF_IP, {"1": ip}) for ip in ips)
  result.append((MASTER, None))
  result.append((MASTER, {"3": [0, 1, 2]}))
  places = list(_Places(config))
  result.extend((CONFIG, pointer)
                for pointer in rng.sample(places, min(len(places), 25)))
  result.extend(rng.sample(FORMS, 25))
  return result

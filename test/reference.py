#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""A simple, slow implementation of the protocol's questions, as a reference.

This implementation of the protocol is as short as possible, searches the raw
configuration for each question, and uses nothing of the package under test. It
supports well-formed configurations only; leniency is tested by examples.

"""

import copy
import fractions
import re


UNKNOWN = (1, 0)
BAD_ARGUMENT = (1, 2)

#: Replacement for a secret
REDACTED = "<redacted>"

ROLES = ["master", "candidate", "offline", "drained", "regular"]

COLLECTORS = ["cpu-avg-load", "diskstats", "drbd", "inst-status-xen", "lv",
              "xen-cpu-avg-load"]


def NaturalKey(name):
  return [(0, int(part)) if part.isdigit() else (1, part)
          for part in re.findall(r"[0-9]+|[^0-9]+", name)]


def EscapeToken(text):
  """Escapes a key for use as a token of a JSON pointer.

  """
  return text.replace("~", "~0").replace("/", "~1")


def Redact(value):
  """Returns a configuration, or a part of one, without its secrets.

  """
  if isinstance(value, list):
    return [Redact(item) for item in value]
  if not isinstance(value, dict):
    return copy.copy(value)
  result = {}
  for (key, item) in value.items():
    if key == "osparams_private":
      result[key] = dict.fromkeys(item, REDACTED)
    elif key == "osparams_private_cluster":
      result[key] = dict((name, dict.fromkeys(params, REDACTED))
                         for (name, params) in item.items())
    elif key in ("logical_id", "physical_id") and len(item) == 6:
      result[key] = item[:5] + [REDACTED]
    else:
      result[key] = Redact(item)
  return result


class Reference:
  """Answers questions about one configuration.

  """
  def __init__(self, config):
    self._config = config
    self._cluster = config["cluster"]

  def _Sorted(self, kind):
    return sorted(self._config[kind].items(),
                  key=lambda item: NaturalKey(item[1]["name"]))

  def Find(self, kind, name):
    """Finds a node or an instance.

    @return: the object's key; None if there is no such object

    """
    objects = self._config[kind].items()
    for (key, item) in objects:
      if name in (key, item.get("uuid")):
        return key
    for (key, item) in objects:
      if name == item.get("name"):
        return key
    found = [key for (key, item) in objects
             if (item.get("name") or "").startswith(name + ".")]
    return found[0] if len(found) == 1 else None

  def _Disks(self, instance):
    return [self._config["disks"][disk] if isinstance(disk, str) else disk
            for disk in instance["disks"]]

  def _AllDrbd(self, disk):
    if disk["dev_type"] in ("drbd", "drbd8"):
      yield disk
    for child in disk.get("children", []):
      for item in self._AllDrbd(child):
        yield item

  def _DefaultLink(self):
    return self._cluster["nicparams"]["default"]["link"]

  def _Nics(self, link):
    """Lists (ip, instance) of all nics with an ip on a link.

    """
    for (_, instance) in self._Sorted("instances"):
      for nic in instance["nics"]:
        links = [nic.get("nicparams", {}).get("link"), nic.get("bridge"),
                 self._DefaultLink()]
        # The first link that is set takes precedence, even if it is empty
        nic_link = [item for item in links if item is not None][0]
        if nic.get("ip") and nic_link == link:
          yield (nic["ip"], instance)

  def Role(self, query):
    key = self.Find("nodes", query)
    if key is None:
      return UNKNOWN
    node = self._config["nodes"][key]
    if self._cluster["master_node"] == key:
      role = "master"
    elif node["drained"]:
      role = "drained"
    elif node["offline"]:
      role = "offline"
    elif node["master_candidate"]:
      role = "candidate"
    else:
      role = "regular"
    return (0, ROLES.index(role))

  def NodeOfIp(self, ip, link=None):
    for (nic_ip, instance) in self._Nics(
        self._DefaultLink() if link is None else link):
      if nic_ip == ip:
        node = self._config["nodes"][instance["primary_node"]]
        return (0, node["primary_ip"])
    return UNKNOWN

  def Master(self):
    node = self._config["nodes"][self._cluster["master_node"]]
    return [node["name"], self._cluster["master_ip"], node["primary_ip"]]

  def NodeIps(self):
    return (0, [node["primary_ip"] for (_, node) in self._Sorted("nodes")])

  def CandidateIps(self):
    return (0, [node["primary_ip"] for (key, node) in self._Sorted("nodes")
                if (node["master_candidate"] or
                    key == self._cluster["master_node"])])

  def InstanceIps(self, link=None):
    ips = []
    for (ip, _) in self._Nics(self._DefaultLink() if link is None else link):
      if ip not in ips:
        ips.append(ip)
    return (0, ips)

  def Drbd(self, query):
    key = self.Find("nodes", query)
    if key is None:
      return UNKNOWN
    nodes = self._config["nodes"]
    rows = []
    for (_, instance) in self._Sorted("instances"):
      for (index, disk) in enumerate(self._Disks(instance)):
        for part in self._AllDrbd(disk):
          (node_a, node_b, _, minor_a, minor_b, _) = part["logical_id"]
          for (node, minor, peer) in [(node_a, minor_a, node_b),
                                      (node_b, minor_b, node_a)]:
            if node == key:
              role = ("primary" if instance["primary_node"] == key else
                      "secondary")
              rows.append([nodes[node]["name"], minor, instance["name"],
                           "disk/%d" % index, role, nodes[peer]["name"]])
    return (0, rows)

  def NodeInstances(self, query):
    key = self.Find("nodes", query)
    if key is None:
      return UNKNOWN
    primary = []
    secondary = []
    for (_, instance) in self._Sorted("instances"):
      disks = self._Disks(instance)
      if instance["primary_node"] == key:
        primary.append(Redact(instance))
      elif any(disk["dev_type"] in ("drbd", "drbd8") and
               key in disk["logical_id"][:2] for disk in disks):
        secondary.append(Redact(instance))
    return (0, [primary, secondary])

  def InstanceDisks(self, query):
    key = self.Find("instances", query)
    if key is None:
      return UNKNOWN
    return (0, Redact(self._Disks(self._config["instances"][key])))

  def Collectors(self):
    stored = self._cluster.get("data_collectors", {})
    answer = {}
    for name in set(COLLECTORS) | set(stored):
      settings = stored.get(name, {"active": True, "interval": 5000000})
      answer[name] = {"active": settings["active"],
                      "interval": round(fractions.Fraction(
                        settings["interval"]))}
    if not set(self._cluster["enabled_hypervisors"]) & {"xen-pvm", "xen-hvm"}:
      answer["inst-status-xen"]["active"] = False
    return (0, answer)

  def Questions(self):
    """Yields all questions about the configuration, with the right answers.

    @return: yields tuples of type, query and (status, answer)

    """
    yield (0, None, (0, self._config["version"]))
    nodes = self._config["nodes"].items()
    names = ["", ".", "no", "example", "example.com"]
    for (key, node) in nodes:
      names.extend([key, node["name"], node["name"].split(".")[0],
                    node["name"] + ".", node["name"][:-1],
                    node["name"].upper(), node.get("uuid", "none")])
    for name in names:
      yield (1, name, self.Role(name))
      yield (7, name, self.Drbd(name))
      yield (8, name, self.NodeInstances(name))
    for name in list(names):
      yield (9, name, self.InstanceDisks(name))
    for (key, instance) in self._config["instances"].items():
      for name in [key, instance["name"], instance["name"].split(".")[0],
                   instance["name"][1:]]:
        yield (9, name, self.InstanceDisks(name))

    links = set([None, "nowhere"])
    ips = set(["192.0.2.254", ""])
    for (_, instance) in self._config["instances"].items():
      for nic in instance["nics"]:
        links.add(nic.get("nicparams", {}).get("link"))
        links.add(nic.get("bridge"))
        ips.add(nic.get("ip") or "0.0.0.0")
    ips = sorted(ips)
    for link in links:
      yield (6, link, self.InstanceIps(link))
      extra = {} if link is None else {"0": link}
      for ip in ips:
        yield (2, dict(extra, **{"1": ip}), self.NodeOfIp(ip, link))
        if link is None:
          yield (2, ip, self.NodeOfIp(ip))
      yield (2, dict(extra, **{"2": ips}),
             (0, [list(self.NodeOfIp(ip, link)) for ip in ips]))

    master = self.Master()
    yield (3, None, (0, master[0]))
    yield (3, "", (0, master[0]))
    yield (3, {"3": [0, 1, 2]}, (0, master))
    yield (3, {"3": ["2", 0, "1", 0]},
           (0, [master[2], master[0], master[1], master[0]]))
    yield (4, None, self.NodeIps())
    yield (5, None, self.CandidateIps())
    yield (11, None, self.Collectors())
    for question in self._Pointers(Redact(self._config), ""):
      yield question

  def _Pointers(self, value, path):
    """Yields questions for the value at each JSON pointer, with the answers.

    """
    yield (10, path, (0, value))
    if isinstance(value, dict):
      items = list(value.items())
    elif isinstance(value, list):
      items = list(enumerate(value))
      yield (10, "%s/%d" % (path, len(value)), BAD_ARGUMENT)
      yield (10, "%s/-" % path, BAD_ARGUMENT)
    else:
      items = []
      yield (10, path + "/0", BAD_ARGUMENT)
    yield (10, path + "/none such", BAD_ARGUMENT)
    for (key, item) in items:
      token = EscapeToken(str(key))
      for question in self._Pointers(item, "%s/%s" % (path, token)):
        yield question

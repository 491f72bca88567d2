#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Checks of instances and their nodes.

"""

from __future__ import annotations

import collections


from ganeti.confd.findings import addresses
from ganeti.confd.findings import data
from ganeti.confd.findings import htoolstags
from ganeti.confd.findings import registry
from ganeti.confd.schema import columns


#: The fields and JSON pointers that the checks need, see L{data}
FIELDS: dict[str, list[str]] = {
  columns.NODE: ["name", "offline", "drained", "vm_capable", "pip", "sip"],
  columns.INSTANCE: ["name", "pnode", "snodes", "admin_state", "forthcoming",
                     "mtime", "tags", "hypervisor", "custom_beparams",
                     "nic.ips", "nic.networks"],
  columns.DISK: ["instance", "dev_type"],
  }
POINTERS = [data.CLUSTER]

#: Seconds after which a forthcoming instance is reported
_FORTHCOMING = 86400


@registry.Register(
  "instance-on-offline-node", registry.CRITICAL,
  "An instance is configured to be up, but its primary node is offline",
  "gnt-instance failover --ignore-consistency INSTANCE where it is"
  " mirrored; else bring the node back, or gnt-instance stop"
  " --ignore-offline INSTANCE")
def _InstanceOnOfflineNode(config: data.ConfigData) -> registry.Found:
  offline = data.NodesWith(config, "offline")
  for instance in config.instances:
    if instance["admin_state"] == "up" and instance["pnode"] in offline:
      yield (instance["name"], "is configured to be up, but its primary node %s"
             " is offline" % instance["pnode"])


@registry.Register(
  "instance-on-drained-node", registry.WARNING,
  "An instance's primary node is drained",
  "gnt-instance migrate INSTANCE, or gnt-node modify --drained=no NODE")
def _InstanceOnDrainedNode(config: data.ConfigData) -> registry.Found:
  drained = data.NodesWith(config, "drained")
  for instance in config.instances:
    if instance["pnode"] in drained:
      yield (instance["name"], "its primary node %s is drained" %
             instance["pnode"])


@registry.Register(
  "instance-on-incapable-node", registry.CRITICAL,
  "An instance is on a node that is not vm_capable",
  "gnt-node modify --vm-capable=yes NODE, or confd-client evacuate NODE says"
  " how to move it")
def _InstanceOnIncapableNode(config: data.ConfigData) -> registry.Found:
  incapable = {node["name"] for node in config.nodes if not node["vm_capable"]}
  if not incapable:
    return
  for instance in config.instances:
    nodes = incapable.intersection([instance["pnode"], *instance["snodes"]])
    if nodes:
      yield (instance["name"], "is on %s, which is not vm_capable" %
             data.Join(nodes))


@registry.Register(
  "not-enabled", registry.WARNING,
  "An instance uses a hypervisor or a disk template that is not enabled",
  "gnt-cluster modify --enabled-hypervisors=... or"
  " --enabled-disk-templates=...")
def _NotEnabled(config: data.ConfigData) -> registry.Found:
  hypervisors = config.cluster.get("enabled_hypervisors")
  templates = config.cluster.get("enabled_disk_templates")
  if isinstance(hypervisors, list) and hypervisors:
    for instance in config.instances:
      if instance["hypervisor"] not in hypervisors:
        yield (instance["name"], "its hypervisor %s is not enabled" %
               instance["hypervisor"])
  if isinstance(templates, list) and templates:
    types = data.DiskTypes(config.disks)
    diskless = frozenset(["diskless"])
    for instance in config.instances:
      for kind in types.get(instance["name"], diskless):
        if kind not in templates:
          yield (instance["name"], "its disk template %s is not enabled" % kind)


@registry.Register(
  "memory-bounds", registry.WARNING,
  "An instance's minmem is more than its maxmem",
  "gnt-instance modify -B minmem=...,maxmem=... INSTANCE")
def _MemoryBounds(config: data.ConfigData) -> registry.Found:
  for (instance, backend) in data.Backend(config):
    (low, high) = (backend.get("minmem"), backend.get("maxmem"))
    if isinstance(low, int) and isinstance(high, int) and low > high:
      yield (instance["name"], "its minmem is %d, and its maxmem %d" %
             (low, high))


@registry.Register(
  "instance-has-node-address", registry.WARNING,
  "An instance's interface outside of Ganeti's networks has the address of a"
  " node or of the cluster",
  "gnt-instance modify --net N:modify,ip=ADDRESS INSTANCE, unless the interface"
  " is on a link without nodes")
def _InstanceHasNodeAddress(config: data.ConfigData) -> registry.Found:
  owners = dict(addresses.NodeAddresses(config))
  for instance in config.instances:
    for (index, address) in enumerate(instance["nic.ips"]):
      if address in owners and instance["nic.networks"][index] is None:
        yield ("%s, nic/%d" % (instance["name"], index),
               "has the address %s of %s" % (address, owners[address]))


@registry.Register(
  "exclusion-tag", registry.WARNING,
  "Two instances with the same exclusion tag have the same primary node",
  "gnt-instance migrate one of them; hbal(1) suggests a node")
def _ExclusionTag(config: data.ConfigData) -> registry.Found:
  rules = htoolstags.Parse(config.cluster.get("tags"))
  together: dict[tuple[str, str], list[str]] = collections.defaultdict(list)
  for instance in config.instances:
    for tag in rules.ExclusionTags(instance["tags"]):
      together[instance["pnode"], tag].append(instance["name"])
  for ((node, tag), names) in together.items():
    if len(names) > 1:
      yield (node, "is the primary node of %s, which share the exclusion tag"
             " %s" % (data.Join(names), tag))


@registry.Register(
  "forthcoming", registry.WARNING,
  "An instance has been forthcoming for more than a day",
  "gnt-instance add --commit INSTANCE, or gnt-instance remove INSTANCE")
def _Forthcoming(config: data.ConfigData) -> registry.Found:
  for instance in config.instances:
    since = instance["mtime"]
    if instance["forthcoming"] and (
        since is None or config.now - since > _FORTHCOMING):
      yield (instance["name"], "has been forthcoming for more than a day")

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Checks of disks and their mirrors.

"""

from __future__ import annotations

from typing import Iterator

from ganeti.confd import humanize
from ganeti.confd.findings import data
from ganeti.confd.findings import registry
from ganeti.confd.schema import columns


#: The fields that the checks need, see L{data}
FIELDS: dict[str, list[str]] = {
  columns.NODE: ["name", "offline", "group.uuid", "group",
                 "ndp/exclusive_storage"],
  columns.INSTANCE: ["name", "pnode", "snodes"],
  columns.DISK: ["instance", "index", "dev_type", "nodes", "size", "mode",
                 "iv_name", "attached", "minors.shared", "spindles",
                 "volumes.shared", "secret.shared"],
  }
POINTERS: list[str] = []

_MIRRORED = "drbd"

#: Disk types with all data on one node
_LOCAL = frozenset(["file", "plain"])

#: Disk types that Ganeti allows on nodes with exclusive storage
_EXCLUSIVE = frozenset(["plain"])

_MODES = frozenset(["ro", "rw"])


@registry.Register(
  "mirror-offline", registry.WARNING,
  "An instance's disks are mirrored to an offline node",
  "gnt-instance replace-disks -n NODE INSTANCE, or bring the node back")
def _MirrorOffline(config: data.ConfigData) -> registry.Found:
  offline = data.NodesWith(config, "offline")
  for instance in config.instances:
    gone = offline.intersection(instance["snodes"])
    if gone and instance["pnode"] not in offline:
      yield (instance["name"], "its disks are mirrored to %s, which is offline"
             % data.Join(gone))


def _MirroredDisks(config: data.ConfigData) -> Iterator[tuple[str, list[str]]]:
  """Yields each mirrored disk of an instance, and the disk's nodes.

  """
  for disk in config.disks:
    if disk["instance"] is not None and data.DiskType(disk) == _MIRRORED:
      yield (data.DiskSubject(disk), disk["nodes"])


@registry.Register(
  "mirror-missing", registry.WARNING,
  "A DRBD disk has no mirror: it is on one node only",
  registry.BY_HAND)
def _MirrorMissing(config: data.ConfigData) -> registry.Found:
  for (subject, nodes) in _MirroredDisks(config):
    if len(nodes) < 2:
      yield (subject, "is a DRBD disk, but is on %s only" %
             (data.Join(nodes) or "no node"))


@registry.Register(
  "primary-is-secondary", registry.CRITICAL,
  "Both sides of a mirrored disk are on one node",
  registry.BY_HAND)
def _PrimaryIsSecondary(config: data.ConfigData) -> registry.Found:
  for (subject, nodes) in _MirroredDisks(config):
    if len(nodes) > len(set(nodes)):
      yield (subject, "has both sides on %s" % nodes[0])


def _PrimaryNodes(config: data.ConfigData) -> dict[str, str]:
  return {instance["name"]: instance["pnode"] for instance in config.instances}


@registry.Register(
  "disk-elsewhere", registry.CRITICAL,
  "A disk is on other nodes than its instance",
  registry.BY_HAND_OR_JOB)
def _DiskElsewhere(config: data.ConfigData) -> registry.Found:
  primary = _PrimaryNodes(config)
  for disk in config.disks:
    nodes = disk["nodes"]
    if (disk["instance"] is not None and nodes and
        primary.get(disk["instance"]) not in nodes and
        data.DiskType(disk) in (_MIRRORED, *_LOCAL)):
      yield (data.DiskSubject(disk), "is on %s, and its instance on %s" %
             (data.Join(nodes), primary.get(disk["instance"])))


@registry.Register(
  "several-mirrors", registry.WARNING,
  "An instance's disks are mirrored to several nodes",
  "gnt-instance replace-disks -n NODE INSTANCE")
def _SeveralMirrors(config: data.ConfigData) -> registry.Found:
  for instance in config.instances:
    if len(instance["snodes"]) > 1:
      yield (instance["name"], "its disks are mirrored to several nodes: %s" %
             data.Join(instance["snodes"]))


@registry.Register(
  "split-groups", registry.WARNING,
  "An instance's disks are mirrored to a node of another group",
  "gnt-instance change-group INSTANCE, or gnt-instance replace-disks -n NODE"
  " INSTANCE")
def _SplitGroups(config: data.ConfigData) -> registry.Found:
  groups = {node["name"]: node for node in config.nodes}
  if len({node["group.uuid"] for node in config.nodes}) < 2:
    return
  for instance in config.instances:
    primary = groups[instance["pnode"]]
    for name in instance["snodes"]:
      if groups[name]["group.uuid"] != primary["group.uuid"]:
        yield (instance["name"], "is on %s in group %s, and its disks are"
               " mirrored to %s in group %s" %
               (instance["pnode"], primary["group"], name,
                groups[name]["group"]))


@registry.Register(
  "disk-attached-twice", registry.CRITICAL,
  "A disk belongs to two instances, or twice to one",
  "gnt-instance modify --disk N:detach INSTANCE for one of them")
def _DiskAttachedTwice(config: data.ConfigData) -> registry.Found:
  for disk in config.disks:
    if disk["attached"] > 1 and disk["instance"] is not None:
      yield (data.DiskSubject(disk), "is attached %s times" % disk["attached"])


@registry.Register(
  "disk-detached", registry.WARNING,
  "Disks belong to no instance",
  "gnt-instance modify --disk attach:uuid=UUID INSTANCE; confd-client list"
  " disks --filter 'attached == 0' -o uuid,name,size,volumes lists them")
def _DiskDetached(config: data.ConfigData) -> registry.Found:
  sizes = [disk["size"] for disk in config.disks if not disk["attached"]]
  if sizes:
    yield ("cluster", "%s to no instance, with %d MiB" %
           ("1 disk belongs" if len(sizes) == 1 else
            "%d disks belong" % len(sizes),
            sum(humanize.Mebibytes(size) or 0 for size in sizes)))


@registry.Register(
  "disk-name", registry.WARNING,
  "A disk's iv_name does not match its index in the instance",
  registry.BY_HAND_OR_JOB)
def _DiskName(config: data.ConfigData) -> registry.Found:
  for disk in config.disks:
    if disk["instance"] is not None and \
       disk["iv_name"] != "disk/%s" % disk["index"]:
      yield (data.DiskSubject(disk), "has the iv_name %s" %
             data.Quote(disk["iv_name"]))


@registry.Register(
  "disk-mode", registry.CRITICAL,
  "A disk can neither be read nor written: its mode is neither ro nor rw",
  "gnt-instance modify --disk N:mode=rw INSTANCE")
def _DiskMode(config: data.ConfigData) -> registry.Found:
  for disk in config.disks:
    if disk["mode"] not in _MODES:
      yield (data.DiskSubject(disk), "has the mode %s" %
             data.Quote(disk["mode"]))


@registry.Register(
  "duplicate-minor", registry.CRITICAL,
  "Two disks have the same DRBD minor on a node",
  "gnt-instance replace-disks -n NODE INSTANCE for one of them")
def _DuplicateMinor(config: data.ConfigData) -> registry.Found:
  minors = ((tuple(item), data.DiskSubject(disk)) for disk in config.disks
            for item in disk["minors.shared"])
  for ((node, minor), owners) in data.FindTwice(minors):
    yield (node, "minor %s belongs to %s" % (minor, "; ".join(owners)))


@registry.Register(
  "duplicate-secret", registry.WARNING,
  "Two DRBD disks have the same secret, so one could connect to the other's"
  " mirror",
  "gnt-instance replace-disks -n NODE INSTANCE for one of them")
def _DuplicateSecret(config: data.ConfigData) -> registry.Found:
  for disk in config.disks:
    if disk["secret.shared"]:
      yield (data.DiskSubject(disk), "has the secret of another disk")


@registry.Register(
  "duplicate-volume", registry.CRITICAL,
  "Two disks use the same logical volume, file or image",
  registry.BY_HAND_OR_JOB)
def _DuplicateVolume(config: data.ConfigData) -> registry.Found:
  volumes = ((volume, data.DiskSubject(disk)) for disk in config.disks
             for volume in disk["volumes.shared"])
  for (volume, owners) in data.FindTwice(volumes):
    yield (volume, "is used by %s" % "; ".join(owners))


@registry.Register(
  "exclusive-storage", registry.CRITICAL,
  "A disk on a node with exclusive storage is not of type plain, or has no"
  " number of spindles",
  "gnt-cluster repair-disk-sizes for the spindles; else gnt-instance move"
  " INSTANCE")
def _ExclusiveStorage(config: data.ConfigData) -> registry.Found:
  exclusive = data.ExclusiveNodes(config)
  if not exclusive:
    return
  nodes = {instance["name"]: {instance["pnode"], *instance["snodes"]}
           for instance in config.instances}
  for disk in config.disks:
    if disk["instance"] is None or \
       exclusive.isdisjoint(nodes.get(disk["instance"], ())):
      continue
    if data.DiskType(disk) not in _EXCLUSIVE:
      yield (data.DiskSubject(disk), "is of type %s" % disk["dev_type"])
    if disk["spindles"] is None:
      yield (data.DiskSubject(disk), "has no number of spindles")

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Checks of disks and their mirrors.

"""

from __future__ import annotations

from typing import Iterator

from ganeti.confd import humanize
from ganeti.confd.findings import facts
from ganeti.confd.findings import registry
from ganeti.confd.schema import columns


#: The fields that the checks need, see L{facts}
FIELDS: dict[str, list[str]] = {
  columns.NODE: ["name", "offline", "group.uuid", "group",
                 "ndp/exclusive_storage"],
  columns.INSTANCE: ["name", "pnode", "snodes"],
  columns.DISK: ["instance", "index", "dev_type", "nodes", "size", "mode",
                 "iv_name", "attached", "minors.shared", "spindles",
                 "volumes.shared", "secret.shared"],
  }
PLACES: list[str] = []

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
def _MirrorOffline(known: facts.Facts) -> registry.Found:
  offline = facts.NodesWith(known, "offline")
  for instance in known.instances:
    gone = offline.intersection(instance["snodes"])
    if gone and instance["pnode"] not in offline:
      yield (instance["name"], "its disks are mirrored to %s, which is offline"
             % facts.Join(gone))


def _MirroredDisks(known: facts.Facts) -> Iterator[tuple[str, list[str]]]:
  """Yields each mirrored disk of an instance, and the disk's nodes.

  """
  for disk in known.disks:
    if disk["instance"] is not None and facts.DiskType(disk) == _MIRRORED:
      yield (facts.DiskSubject(disk), disk["nodes"])


@registry.Register(
  "mirror-missing", registry.WARNING,
  "A DRBD disk has no mirror: it is on one node only",
  registry.BY_HAND)
def _MirrorMissing(known: facts.Facts) -> registry.Found:
  for (subject, nodes) in _MirroredDisks(known):
    if len(nodes) < 2:
      yield (subject, "is a DRBD disk, but is on %s only" %
             (facts.Join(nodes) or "no node"))


@registry.Register(
  "primary-is-secondary", registry.CRITICAL,
  "Both sides of a mirrored disk are on one node",
  registry.BY_HAND)
def _PrimaryIsSecondary(known: facts.Facts) -> registry.Found:
  for (subject, nodes) in _MirroredDisks(known):
    if len(nodes) > len(set(nodes)):
      yield (subject, "has both sides on %s" % nodes[0])


def _PrimaryNodes(known: facts.Facts) -> dict[str, str]:
  return {instance["name"]: instance["pnode"] for instance in known.instances}


@registry.Register(
  "disk-elsewhere", registry.CRITICAL,
  "A disk is on other nodes than its instance",
  registry.BY_HAND_OR_JOB)
def _DiskElsewhere(known: facts.Facts) -> registry.Found:
  primary = _PrimaryNodes(known)
  for disk in known.disks:
    nodes = disk["nodes"]
    if (disk["instance"] is not None and nodes and
        primary.get(disk["instance"]) not in nodes and
        facts.DiskType(disk) in (_MIRRORED, *_LOCAL)):
      yield (facts.DiskSubject(disk), "is on %s, and its instance on %s" %
             (facts.Join(nodes), primary.get(disk["instance"])))


@registry.Register(
  "several-mirrors", registry.WARNING,
  "An instance's disks are mirrored to several nodes",
  "gnt-instance replace-disks -n NODE INSTANCE")
def _SeveralMirrors(known: facts.Facts) -> registry.Found:
  for instance in known.instances:
    if len(instance["snodes"]) > 1:
      yield (instance["name"], "its disks are mirrored to several nodes: %s" %
             facts.Join(instance["snodes"]))


@registry.Register(
  "split-groups", registry.WARNING,
  "An instance's disks are mirrored to a node of another group",
  "gnt-instance change-group INSTANCE, or gnt-instance replace-disks -n NODE"
  " INSTANCE")
def _SplitGroups(known: facts.Facts) -> registry.Found:
  groups = {node["name"]: node for node in known.nodes}
  if len({node["group.uuid"] for node in known.nodes}) < 2:
    return
  for instance in known.instances:
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
def _DiskAttachedTwice(known: facts.Facts) -> registry.Found:
  for disk in known.disks:
    if disk["attached"] > 1 and disk["instance"] is not None:
      yield (facts.DiskSubject(disk), "is attached %s times" % disk["attached"])


@registry.Register(
  "disk-detached", registry.WARNING,
  "Disks belong to no instance",
  "gnt-instance modify --disk attach:uuid=UUID INSTANCE; confd-client list"
  " disks --filter 'attached == 0' -o uuid,name,size,volumes lists them")
def _DiskDetached(known: facts.Facts) -> registry.Found:
  sizes = [disk["size"] for disk in known.disks if not disk["attached"]]
  if sizes:
    yield ("cluster", "%s to no instance, with %d MiB" %
           ("1 disk belongs" if len(sizes) == 1 else
            "%d disks belong" % len(sizes),
            sum(humanize.Mebibytes(size) or 0 for size in sizes)))


@registry.Register(
  "disk-name", registry.WARNING,
  "A disk's iv_name does not match its index in the instance",
  registry.BY_HAND_OR_JOB)
def _DiskName(known: facts.Facts) -> registry.Found:
  for disk in known.disks:
    if disk["instance"] is not None and \
       disk["iv_name"] != "disk/%s" % disk["index"]:
      yield (facts.DiskSubject(disk), "has the iv_name %s" %
             facts.Quote(disk["iv_name"]))


@registry.Register(
  "disk-mode", registry.CRITICAL,
  "A disk can neither be read nor written: its mode is neither ro nor rw",
  "gnt-instance modify --disk N:mode=rw INSTANCE")
def _DiskMode(known: facts.Facts) -> registry.Found:
  for disk in known.disks:
    if disk["mode"] not in _MODES:
      yield (facts.DiskSubject(disk), "has the mode %s" %
             facts.Quote(disk["mode"]))


@registry.Register(
  "duplicate-minor", registry.CRITICAL,
  "Two disks have the same DRBD minor on a node",
  "gnt-instance replace-disks -n NODE INSTANCE for one of them")
def _DuplicateMinor(known: facts.Facts) -> registry.Found:
  minors = ((tuple(item), facts.DiskSubject(disk)) for disk in known.disks
            for item in disk["minors.shared"])
  for ((node, minor), owners) in facts.FindTwice(minors):
    yield (node, "minor %s belongs to %s" % (minor, "; ".join(owners)))


@registry.Register(
  "duplicate-secret", registry.WARNING,
  "Two DRBD disks have the same secret, so one could connect to the other's"
  " mirror",
  "gnt-instance replace-disks -n NODE INSTANCE for one of them")
def _DuplicateSecret(known: facts.Facts) -> registry.Found:
  for disk in known.disks:
    if disk["secret.shared"]:
      yield (facts.DiskSubject(disk), "has the secret of another disk")


@registry.Register(
  "duplicate-volume", registry.CRITICAL,
  "Two disks use the same logical volume, file or image",
  registry.BY_HAND_OR_JOB)
def _DuplicateVolume(known: facts.Facts) -> registry.Found:
  volumes = ((volume, facts.DiskSubject(disk)) for disk in known.disks
             for volume in disk["volumes.shared"])
  for (volume, owners) in facts.FindTwice(volumes):
    yield (volume, "is used by %s" % "; ".join(owners))


@registry.Register(
  "exclusive-storage", registry.CRITICAL,
  "A disk on a node with exclusive storage is not of type plain, or has no"
  " number of spindles",
  "gnt-cluster repair-disk-sizes for the spindles; else gnt-instance move"
  " INSTANCE")
def _ExclusiveStorage(known: facts.Facts) -> registry.Found:
  exclusive = facts.ExclusiveNodes(known)
  if not exclusive:
    return
  nodes = {instance["name"]: {instance["pnode"], *instance["snodes"]}
           for instance in known.instances}
  for disk in known.disks:
    if disk["instance"] is None or \
       exclusive.isdisjoint(nodes.get(disk["instance"], ())):
      continue
    if facts.DiskType(disk) not in _EXCLUSIVE:
      yield (facts.DiskSubject(disk), "is of type %s" % disk["dev_type"])
    if disk["spindles"] is None:
      yield (facts.DiskSubject(disk), "has no number of spindles")

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Findings about disks and their mirrors.

"""

from __future__ import annotations

from typing import Dict, Iterator, List, Tuple

from ganeti.confd.config import columns
from ganeti.confd.findings import facts
from ganeti.confd.findings import table


#: The fields that are needed, see L{facts}
FIELDS: Dict[str, List[str]] = {
  columns.NODE: ["name", "offline"],
  columns.INSTANCE: ["name", "pnode", "snodes"],
  columns.DISK: ["instance", "index", "dev_type", "nodes"],
  }
PLACES: List[str] = []

_MIRRORED = "drbd"


@table.Enter(
  "mirror-offline", table.WARNING,
  "An instance's disks have their other side on an offline node",
  "gnt-instance replace-disks -n NODE INSTANCE, or bring the node back")
def _MirrorOffline(known: facts.Facts) -> table.Found:
  offline = facts.NodesWith(known, "offline")
  for instance in known.instances:
    gone = offline.intersection(instance["snodes"])
    if gone and instance["pnode"] not in offline:
      yield (instance["name"], "the other side of its disks is on %s, which is"
             " offline" % facts.Join(gone))


def _MirroredDisks(known: facts.Facts) -> Iterator[Tuple[str, List[str]]]:
  """Yields whose a mirrored disk is, and the nodes it is on.

  """
  for disk in known.disks:
    # "drbd8" before Ganeti 2.12
    if (disk["instance"] is not None and
        str(disk["dev_type"]).startswith(_MIRRORED)):
      yield ("%s, disk/%s" % (disk["instance"], disk["index"]), disk["nodes"])


@table.Enter(
  "mirror-missing", table.WARNING,
  "A mirrored disk is on one node only",
  "gnt-cluster verify says more; the configuration was changed by hand")
def _MirrorMissing(known: facts.Facts) -> table.Found:
  for (subject, nodes) in _MirroredDisks(known):
    if len(nodes) < 2:
      yield (subject, "is mirrored, but only on %s" %
             (facts.Join(nodes) or "no node"))


@table.Enter(
  "primary-is-secondary", table.CRITICAL,
  "Both sides of a mirrored disk are on one node",
  "gnt-cluster verify says more; the configuration was changed by hand")
def _PrimaryIsSecondary(known: facts.Facts) -> table.Found:
  for (subject, nodes) in _MirroredDisks(known):
    if len(nodes) > len(set(nodes)):
      yield (subject, "has both sides on %s" % nodes[0])

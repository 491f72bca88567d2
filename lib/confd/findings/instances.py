#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Findings about instances and the nodes they are on.

"""

from __future__ import annotations

import collections

from typing import Dict, List, Tuple

from ganeti.confd.config import columns
from ganeti.confd.findings import facts
from ganeti.confd.findings import htoolstags
from ganeti.confd.findings import table


#: The fields and places that are needed, see L{facts}
FIELDS: Dict[str, List[str]] = {
  columns.NODE: ["name", "offline", "drained"],
  columns.INSTANCE: ["name", "pnode", "admin_state", "forthcoming", "mtime",
                     "tags"],
  }
_CLUSTER_TAGS = "/cluster/tags"
PLACES = [_CLUSTER_TAGS]

#: Seconds for which an instance may be forthcoming
_FORTHCOMING = 86400


@table.Enter(
  "instance-on-offline-node", table.CRITICAL,
  "An instance shall be up, and its primary node is offline",
  "gnt-instance failover --ignore-consistency INSTANCE where it is"
  " mirrored; else bring the node back, or gnt-instance stop"
  " --ignore-offline INSTANCE")
def _InstanceOnOfflineNode(known: facts.Facts) -> table.Found:
  offline = facts.NodesWith(known, "offline")
  for instance in known.instances:
    if instance["admin_state"] == "up" and instance["pnode"] in offline:
      yield (instance["name"], "shall be up, but its primary node %s is offline"
             % instance["pnode"])


@table.Enter(
  "instance-on-drained-node", table.WARNING,
  "An instance's primary node is drained",
  "gnt-instance migrate INSTANCE, or gnt-node modify --drained=no NODE")
def _InstanceOnDrainedNode(known: facts.Facts) -> table.Found:
  drained = facts.NodesWith(known, "drained")
  for instance in known.instances:
    if instance["pnode"] in drained:
      yield (instance["name"], "its primary node %s is drained" %
             instance["pnode"])


@table.Enter(
  "exclusion-tag", table.WARNING,
  "Two instances that the cluster's exclusion tags keep apart have one"
  " primary node",
  "gnt-instance migrate one of them, or let hbal(1) find where to")
def _ExclusionTag(known: facts.Facts) -> table.Found:
  rules = htoolstags.Parse(known.places[_CLUSTER_TAGS])
  together: Dict[Tuple[str, str], List[str]] = collections.defaultdict(list)
  for instance in known.instances:
    for tag in rules.ExclusionTags(instance["tags"]):
      together[instance["pnode"], tag].append(instance["name"])
  for ((node, tag), names) in together.items():
    if len(names) > 1:
      yield (node, "is the primary node of %s, which share the exclusion tag"
             " %s" % (facts.Join(names), tag))


@table.Enter(
  "forthcoming", table.WARNING,
  "An instance was planned more than a day ago, and never made",
  "gnt-instance add --commit INSTANCE, or gnt-instance remove INSTANCE")
def _Forthcoming(known: facts.Facts) -> table.Found:
  for instance in known.instances:
    since = instance["mtime"]
    if instance["forthcoming"] and (
        since is None or known.now - since > _FORTHCOMING):
      yield (instance["name"], "is only planned, since more than a day")

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Checks of nodes and their roles.

"""

from __future__ import annotations


from ganeti.confd.findings import addresses
from ganeti.confd.findings import data
from ganeti.confd.findings import registry
from ganeti.confd.schema import columns


#: The fields of tables, and JSON pointers into the configuration (POINTERS),
#: that the checks need, see L{data}
FIELDS: dict[str, list[str]] = {
  columns.NODE: ["name", "offline", "drained", "master", "master_candidate",
                 "master_capable", "pip", "sip"],
  }
POINTERS = [data.CLUSTER]


@registry.Register(
  "few-candidates", registry.WARNING,
  "There are fewer master candidates than the pool size, and more nodes that"
  " could be one",
  "gnt-node modify --auto-promote --master-candidate=yes NODE")
def _FewCandidates(config: data.ConfigData) -> registry.Found:
  pool_size = config.cluster.get("candidate_pool_size")
  if not isinstance(pool_size, int):
    return
  able = sum(1 for node in config.nodes
             if node["master_capable"] and not node["offline"] and
             not node["drained"])
  # Count all present candidates, as Ganeti does, even offline ones, which could
  # not be promoted now
  count = sum(1 for node in config.nodes if node["master_candidate"])
  wanted = min(pool_size, able)
  if count < wanted:
    yield ("cluster", "has %d master candidates and could have %d; the"
           " candidate pool size is %d" % (count, wanted, pool_size))


@registry.Register(
  "master-no-candidate", registry.CRITICAL,
  "The master is not a master candidate",
  "gnt-node modify --master-candidate=yes on the master")
def _MasterNoCandidate(config: data.ConfigData) -> registry.Found:
  for node in config.nodes:
    if node["master"] and not node["master_candidate"]:
      yield (node["name"], "is the master, but not a master candidate")


@registry.Register(
  "node-state", registry.WARNING,
  "A node is two of master candidate, drained and offline at once",
  "gnt-node modify sets all of them: --offline=yes, --drained=yes, or both with"
  " =no")
def _NodeState(config: data.ConfigData) -> registry.Found:
  for node in config.nodes:
    states = [name for name in ("master_candidate", "drained", "offline")
              if node[name]]
    if len(states) > 1:
      yield (node["name"], "is %s at once" % " and ".join(states))


@registry.Register(
  "duplicate-node-ip", registry.CRITICAL,
  "Two nodes, or a node and the cluster, have the same address",
  "gnt-node modify --secondary-ip=ADDRESS NODE for one of them")
def _DuplicateNodeIp(config: data.ConfigData) -> registry.Found:
  for (address, owners) in data.FindTwice(addresses.NodeAddresses(config)):
    yield (address, "is used by %s" % "; ".join(owners))

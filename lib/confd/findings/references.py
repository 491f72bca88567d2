#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Findings about references to things that are not there.

"""

from __future__ import annotations

from typing import Dict, List

from ganeti.confd.findings import facts
from ganeti.confd.findings import nics
from ganeti.confd.findings import registry
from ganeti.confd.schema import columns


#: The fields that are needed beside those of L{nics}, see L{facts}
FIELDS: Dict[str, List[str]] = {
  columns.NODE: ["name", "group"],
  columns.GROUP: ["name", "networks"],
  columns.NETWORK: ["uuid"],
  }
PLACES: List[str] = []


@registry.Register(
  "missing-reference", registry.CRITICAL,
  "Something refers to what is not there",
  "gnt-cluster verify says more, and ganeti-confd --check on a node; the"
  " configuration was changed by hand, or a job was broken off")
def _MissingReference(known: facts.Facts) -> registry.Found:
  if known.warnings:
    yield ("configuration", "%d %s left out, being malformed or without what"
           " %s to" % ((known.warnings, ) +
                       (("thing is", "it refers") if known.warnings == 1 else
                        ("things are", "they refer"))))
  for node in known.nodes:
    if node["group"] is None and any(i["group"] is not None
                                     for i in known.nodes):
      yield (node["name"], "its group is not there")
  networks = {network["uuid"] for network in known.networks}
  for group in known.groups:
    for uuid in group["networks"]:
      if uuid not in networks:
        yield ("group %s" % group["name"], "is connected to network %s, which"
               " is not there" % uuid)
  for nic in nics.Nics(known):
    if nic.network is not None and nic.network_name is None:
      yield (nic.owner, "its network %s is not there" % nic.network)

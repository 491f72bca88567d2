#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Findings about nodes and their roles.

"""

from __future__ import annotations

from typing import Dict, List

from ganeti.confd.config import columns
from ganeti.confd.findings import facts
from ganeti.confd.findings import table


#: The fields and places that are needed, see L{facts}
FIELDS: Dict[str, List[str]] = {
  columns.NODE: ["name", "offline", "drained", "master_candidate",
                 "master_capable"],
  }
_POOL_SIZE = "/cluster/candidate_pool_size"
PLACES = [_POOL_SIZE]


@table.Enter(
  "few-candidates", table.WARNING,
  "There are fewer master candidates than the cluster wants, and nodes"
  " that could be one",
  "gnt-node modify --auto-promote --master-candidate=yes NODE")
def _FewCandidates(known: facts.Facts) -> table.Found:
  pool_size = known.places[_POOL_SIZE]
  if not isinstance(pool_size, int):
    return
  # As Ganeti counts: whoever is a candidate is one, also if the node could not
  # become one now
  able = sum(1 for node in known.nodes
             if node["master_capable"] and not node["offline"] and
             not node["drained"])
  count = sum(1 for node in known.nodes if node["master_candidate"])
  wanted = min(pool_size, able)
  if count < wanted:
    yield ("cluster", "has %d master candidates and could have %d; the pool"
           " size is %d" % (count, wanted, pool_size))

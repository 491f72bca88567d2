#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Findings about networks: their pools of addresses.

"""

from __future__ import annotations

from typing import Dict, List

from ganeti.confd.config import columns
from ganeti.confd.findings import facts
from ganeti.confd.findings import table


#: The fields that are needed, see L{facts}
FIELDS: Dict[str, List[str]] = {
  columns.NETWORK: ["name", "free_count", "reserved_count"],
  }
PLACES: List[str] = []

#: Less than this part of a network's addresses is "nearly full"
_FEW_FREE = 0.1


@table.Enter(
  "network-full", table.CRITICAL,
  "A network has no free address",
  "gnt-network add a further one, or gnt-network modify"
  " --remove-reserved-ips")
def _NetworkFull(known: facts.Facts) -> table.Found:
  for network in known.networks:
    if network["reserved_count"] and not network["free_count"]:
      yield (network["name"], "all of its %d addresses are taken" %
             network["reserved_count"])


@table.Enter(
  "network-nearly-full", table.WARNING,
  "Less than a tenth of a network's addresses is free",
  "gnt-network add a further one in time")
def _NetworkNearlyFull(known: facts.Facts) -> table.Found:
  for network in known.networks:
    free = network["free_count"]
    total = free + network["reserved_count"]
    if 0 < free < _FEW_FREE * total:
      yield (network["name"], "%d of its %d addresses %s free" %
             (free, total, "is" if free == 1 else "are"))

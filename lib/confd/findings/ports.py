#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Findings about TCP ports, which Ganeti gives out in the whole cluster.

Facts: a DRBD disk has a port, and an instance may have one for its console. A
port that is given back goes into the cluster's pool; the others are taken one
after the other, and the cluster remembers the highest.

"""

from __future__ import annotations

from typing import Dict, Iterator, List, Tuple

from ganeti.confd.findings import facts
from ganeti.confd.findings import registry
from ganeti.confd.schema import columns


#: The fields and places that are needed, see L{facts}
FIELDS: Dict[str, List[str]] = {
  columns.INSTANCE: ["name", "network_port"],
  columns.DISK: ["instance", "index", "attached", "port"],
  }
PLACES = [facts.CLUSTER]


def _Ports(known: facts.Facts) -> Iterator[Tuple[int, str]]:
  """Yields each port that is used or in the pool, and what it is for.

  """
  for instance in known.instances:
    if instance["network_port"] is not None:
      yield (instance["network_port"], "the console of %s" % instance["name"])
  for disk in known.disks:
    # Ganeti does not look at detached disks; a disk that is attached twice has
    # a finding of its own
    if disk["port"] is not None and disk["attached"] == 1:
      yield (disk["port"], facts.DiskSubject(disk))
  pool = known.cluster.get("tcpudp_port_pool")
  for port in pool if isinstance(pool, list) else []:
    if isinstance(port, int):
      yield (port, "the pool of free ports")


@registry.Register(
  "duplicate-port", registry.CRITICAL,
  "A TCP port is used twice, or is used and in the pool of free ports",
  "gnt-cluster verify says more; gnt-instance replace-disks gives DRBD disks"
  " another")
def _DuplicatePort(known: facts.Facts) -> registry.Found:
  for (port, owners) in facts.FindTwice(_Ports(known)):
    yield ("port %s" % port, "is that of %s" % "; ".join(owners))


@registry.Register(
  "highest-port", registry.WARNING,
  "A port is used that is higher than the highest that Ganeti remembers, and"
  " will be given out again",
  registry.BY_HAND)
def _HighestPort(known: facts.Facts) -> registry.Found:
  remembered = known.cluster.get("highest_used_port")
  highest = max((port for (port, _) in _Ports(known)), default=0)
  if isinstance(remembered, int) and highest > remembered:
    yield ("cluster", "the highest port used is %s, and %d is remembered" %
           (highest, remembered))

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Checks of TCP ports, which Ganeti allocates for the whole cluster.

Facts: A DRBD disk has a port, and an instance may have a port for its console.
A port that is released goes into the cluster's pool of free ports. If the pool
is empty, Ganeti allocates the port after the highest port used so far, whose
number is in the configuration.

"""

from __future__ import annotations

from typing import Iterator

from ganeti.confd.findings import data
from ganeti.confd.findings import registry
from ganeti.confd.schema import columns


#: The fields and JSON pointers that the checks need, see L{data}
FIELDS: dict[str, list[str]] = {
  columns.INSTANCE: ["name", "network_port"],
  columns.DISK: ["instance", "index", "attached", "port"],
  }
POINTERS = [data.CLUSTER]


def _Ports(config: data.ConfigData) -> Iterator[tuple[int, str]]:
  """Yields each port that is used or in the pool of free ports, and its user.

  """
  for instance in config.instances:
    if instance["network_port"] is not None:
      yield (instance["network_port"], "the console of %s" % instance["name"])
  for disk in config.disks:
    # "attached" is the number of references from instances to the disk. Skip 0,
    # as Ganeti does not check the ports of detached disks; skip 2 and more, as
    # another check reports such disks.
    if disk["port"] is not None and disk["attached"] == 1:
      yield (disk["port"], data.DiskSubject(disk))
  pool = config.cluster.get("tcpudp_port_pool")
  for port in pool if isinstance(pool, list) else []:
    if isinstance(port, int):
      yield (port, "the pool of free ports")


@registry.Register(
  "duplicate-port", registry.CRITICAL,
  "A TCP port is used twice, or is used and in the pool of free ports",
  "gnt-cluster verify says more; gnt-instance replace-disks gives a DRBD disk"
  " another port")
def _DuplicatePort(config: data.ConfigData) -> registry.Found:
  for (port, owners) in data.FindTwice(_Ports(config)):
    yield ("port %s" % port, "is used by %s" % "; ".join(owners))


@registry.Register(
  "highest-port", registry.WARNING,
  "A port is higher than the highest port that the cluster remembers, and will"
  " be allocated again",
  registry.BY_HAND)
def _HighestPort(config: data.ConfigData) -> registry.Found:
  remembered = config.cluster.get("highest_used_port")
  highest = max((port for (port, _) in _Ports(config)), default=0)
  if isinstance(remembered, int) and highest > remembered:
    yield ("cluster", "the highest port used is %s, but highest_used_port is %d"
           % (highest, remembered))

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The state of a cluster: its configuration, and its master candidates.

A L{ClusterConfig} changes with the configuration only. The L{Candidates} may
change at any time, and are asked for by themselves. L{ClusterState} is all of
that at one moment.

Functions here that ask block, or need much memory, so the server itself does
not call them: the collector asks for the candidates, and a forked process for
each new configuration.

"""

from __future__ import annotations

import time

from typing import Any, Mapping, NamedTuple, Optional

from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd import protocol
from ganeti.confd.clientlib import clusterstats
from ganeti.confd.clientlib import clusterstatus
from ganeti.confd.export import prometheus_sd
from ganeti.confd.schema import columns
from ganeti.confd.views import checks
from ganeti.confd.views import placement


#: Fields that pages and metrics need, by table; C{checks}, C{placement} and
#: C{prometheus_sd} name their own
_FIELDS: dict[str, list[str]] = {
  columns.NODE: ["name", "role", "group", "offline", "drained", "vm_capable",
                 "pip", "sip", "tags", "pinst_cnt", "sinst_cnt"],
  columns.INSTANCE: ["name", "uuid", "pnode", "snodes", "pnode.group", "os",
                     "hypervisor", "admin_state", "disk_template", "be/maxmem",
                     "be/vcpus", "disk_usage", "nic.ips", "tags"],
  columns.NETWORK: ["name", "network", "network6", "free_count",
                    "reserved_count", "usable_count", "used_count",
                    "external_count"],
  columns.GROUP: ["name", "node_cnt", "pinst_cnt", "alloc_policy"],
  columns.DISK: [],
  }

#: Places of the configuration, as JSON pointers
_CLUSTER_NAME = "/cluster/cluster_name"
_MTIME = "/mtime"

#: How long the question is asked again while answers have an older serial than
#: the one already reported, and the pause between two attempts (seconds)
_BEHIND_TIME = 5.0
_BEHIND_PAUSE = 0.2

Row = Mapping[str, Any]


def Fields(kind: str) -> list[str]:
  """Lists the fields of a table that are asked for.

  """
  return list(dict.fromkeys(
    name for fields in (_FIELDS, checks.FIELDS, placement.FIELDS,
                        prometheus_sd.FIELDS)
    for name in fields.get(kind, [])))


class ClusterConfig(NamedTuple):
  """The contents of a configuration, as far as pages and metrics need them.

  """
  serial: int
  #: The cluster's own name
  name: str
  #: Of the configuration's format, e.g. 3000000
  version: int
  #: Time of the last change, in seconds since the epoch; None if not known
  mtime: Any
  #: The rows of each table, by kind
  tables: dict[str, list[Row]]
  findings: list[checks.Finding]


class Candidates(NamedTuple):
  """The state of the master candidates and their daemons.

  """
  status: clusterstatus.ClusterStatus
  stats: clusterstats.ClusterStats


class ClusterState(NamedTuple):
  """The last known state of a cluster.

  """
  #: Its name in the settings
  cluster: str
  #: The last one known; None if there was none yet
  config: Optional[ClusterConfig]
  #: As they were when they were asked last; None if they were not yet
  candidates: Optional[Candidates]
  #: Why the state may be out of date; None while the cluster answers
  problem: Optional[str]
  #: Seconds since the cluster answered last, 0 while it does; None if it never
  #: did
  age: Optional[float] = None

  @property
  def up(self) -> bool:
    """Whether the cluster answers, so that the state is up to date.

    """
    return self.problem is None


def AskConfig(asker: clientlib.Client, serial: int) -> ClusterConfig:
  """Asks for a configuration, and looks for findings.

  @param serial: older configurations are not used
  @raise errors.ConfdClientError: there is no answer, or another than expected

  """
  end = time.monotonic() + _BEHIND_TIME
  reply = asker.Tables({kind: Fields(kind) for kind in _FIELDS})
  while reply.serial < serial:
    if time.monotonic() > end:
      raise errors.ConfdClientError(
        "The candidates that answer have serial number %d, and there was %d" %
        (reply.serial, serial))
    time.sleep(_BEHIND_PAUSE)
    reply = asker.Tables({kind: Fields(kind) for kind in _FIELDS})
  values = {path: asker.Config(path, optional=True).answer
            for path in [*checks.POINTERS, _CLUSTER_NAME, _MTIME]}
  statistics = asker.Query(protocol.REQ_STATS).answer
  version = asker.Ping().answer
  rows: Mapping[str, Any] = reply.answer
  findings = checks.Check(checks.Read(rows, values, statistics, time.time()))
  # Only checks need disks, which are many, and the networks' long lists of
  # addresses
  tables: dict[str, list[Row]] = {
    **rows, columns.DISK: [],
    columns.NETWORK: [{field: row[field] for field in _FIELDS[columns.NETWORK]}
                      for row in rows[columns.NETWORK]]}
  return ClusterConfig(reply.serial, str(values[_CLUSTER_NAME]), version,
                       values[_MTIME], tables, findings)


async def AskCandidates(asker: clientlib.AsyncClient) -> Candidates:
  """Asks all candidates for their state.

  @raise errors.ConfdClientError: no candidate is known

  """
  return Candidates(await asker.Status(), await asker.Stats())

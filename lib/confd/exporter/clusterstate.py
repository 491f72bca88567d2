#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What is known of a cluster.

A L{ClusterConfig} changes with the configuration only. How the master
candidates are changes at any time, and is asked for by itself: L{Candidates}.
L{ClusterState} is all of that at one moment.

Asking happens in the collector process, and what is slow about the answers in a
process of its own, see L{Digest}.

"""

from __future__ import annotations

import pickle
import time

from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd import protocol
from ganeti.confd.clientlib import clusterstats
from ganeti.confd.clientlib import clusterstatus
from ganeti.confd.export import prometheus_sd
from ganeti.confd.exporter import forked
from ganeti.confd.schema import columns
from ganeti.confd.views import checks
from ganeti.confd.views import placement


#: Fields that pages and metrics need, by table; C{checks}, C{placement} and
#: C{prometheus_sd} name their own
_FIELDS: Dict[str, List[str]] = {
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

Row = Mapping[str, Any]


def Fields(kind: str) -> List[str]:
  """Lists the fields of a table that are asked for.

  """
  return list(dict.fromkeys(
    name for fields in (_FIELDS, checks.FIELDS, placement.FIELDS,
                        prometheus_sd.FIELDS)
    for name in fields.get(kind, [])))


class ClusterConfig(NamedTuple):
  """What a configuration says.

  """
  serial: int
  #: The cluster's own name
  name: str
  #: Of the configuration's format, e.g. 3000000
  version: int
  #: Time of the last change, in seconds since the epoch; None if not known
  mtime: Any
  #: The rows of each table, by kind
  tables: Dict[str, List[Row]]
  findings: List[checks.Finding]


class Candidates(NamedTuple):
  """How the master candidates and their daemons are.

  """
  status: clusterstatus.ClusterStatus
  stats: clusterstats.ClusterStats


class ClusterState(NamedTuple):
  """What is known of a cluster, and since when.

  """
  #: Its name in the settings
  cluster: str
  #: The last one known; None if there was none yet
  config: Optional[ClusterConfig]
  #: When they were asked last; None if they were not yet
  candidates: Optional[Candidates]
  #: Why nothing is known now; None while the cluster answers
  problem: Optional[str]
  #: Seconds since the cluster answered last, 0 while it does; None if it never
  #: did
  age: Optional[float] = None

  @property
  def up(self) -> bool:
    """Whether the cluster answers, so that all this holds now.

    """
    return self.problem is None


class _Answers(NamedTuple):
  """What a L{ClusterConfig} is made of.

  """
  serial: int
  version: int
  tables: Mapping[str, Any]
  #: Values by JSON pointer
  places: Dict[str, Any]
  statistics: Any


async def AskConfig(asker: Any) -> clientlib.Reply[bytes]:
  """Asks for all that a configuration says.

  @param asker: a C{client.AsyncClient} or its like
  @return: the answers, for L{Digest}
  @raise errors.ConfdClientError: there is no answer, or another than expected

  """
  reply = await asker.Tables({kind: Fields(kind) for kind in _FIELDS})
  places = {path: (await asker.Config(path, optional=True)).answer
            for path in [*checks.PLACES, _CLUSTER_NAME, _MTIME]}
  statistics = (await asker.Query(protocol.REQ_STATS)).answer
  version = (await asker.Ping()).answer
  try:
    data = pickle.dumps(_Answers(reply.serial, version, reply.answer, places,
                                 statistics), pickle.HIGHEST_PROTOCOL)
  except RecursionError:
    raise errors.ConfdClientError("An answer is nested too deeply") from None
  result: clientlib.Reply[bytes] = reply.With(data)
  return result


def Digest(data: bytes) -> bytes:
  """Makes a L{ClusterConfig} of answers, and looks for findings.

  @param data: as from L{AskConfig}
  @return: for C{pickle}

  """
  answers: _Answers = pickle.loads(data)
  found = checks.Check(checks.Known(answers.tables, answers.places,
                                    answers.statistics, time.time()))
  # Only checks need disks, which are many, and the networks' long lists of
  # addresses
  tables: Dict[str, List[Row]] = {
    **answers.tables, columns.DISK: [],
    columns.NETWORK: [{field: row[field] for field in _FIELDS[columns.NETWORK]}
                      for row in answers.tables[columns.NETWORK]]}
  return pickle.dumps(
    ClusterConfig(answers.serial, str(answers.places[_CLUSTER_NAME]),
                  answers.version, answers.places[_MTIME], tables, found),
    pickle.HIGHEST_PROTOCOL)


def DigestLimits(data: bytes) -> forked.Limits:
  """Returns what L{Digest} may use.

  """
  # Objects take up to ten times as much as their pickled form
  memory = 10 * len(data) + (256 << 20)
  return forked.Limits(cpu_time=60.0, memory=memory, size=memory)


async def AskCandidates(asker: clientlib.AsyncClient) -> Candidates:
  """Asks all candidates how they are.

  @raise errors.ConfdClientError: no candidate is known

  """
  return Candidates(await asker.Status(), await asker.Stats())

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The state of a cluster: its configuration, and its master candidates.

A L{ClusterConfig} changes with the configuration only. The L{Candidates} may
change at any time, and are queried separately. A L{ClusterState} is a snapshot
of both.

The server itself never calls L{AskCandidates} and L{AskConfig}, which block or
need much memory: the collector queries the candidates, and a forked process
fetches each new configuration.

"""

from __future__ import annotations

import collections
import time

from typing import Any, Mapping, NamedTuple, Optional, Sequence

from ganeti import errors
from ganeti.confd import humanize
from ganeti.confd import client as clientlib
from ganeti.confd import protocol
from ganeti.confd.clientlib import clusterstats
from ganeti.confd.clientlib import clusterstatus
from ganeti.confd.clientlib import keyrights
from ganeti.confd.export import prometheus_sd
from ganeti.confd.exporter import causes as causeslib
from ganeti.confd.exporter import rowstore
from ganeti.confd.protocol import readerkey
from ganeti.confd.schema import columns
from ganeti.confd.views import checks
from ganeti.confd.views import evacuation
from ganeti.confd.views import objects
from ganeti.confd.views import placement


#: Maps each table to the fields that the metrics and the pages with tables
#: need. Other modules have lists of their own, see L{_TABLES}.
FIELDS: dict[str, list[str]] = {
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

#: Fields that are stored for filters only. Filters can use further fields that
#: are computed from stored fields (C{derivedfields}). Fields that would take
#: much memory are not available: confd-exporter(8) lists these.
_FILTER_FIELDS: dict[str, list[str]] = {
  columns.INSTANCE: [*("be/" + name for name in columns.BE_PARAMS.known),
                     "disk.count", "disk.sizes"],
  columns.NODE: [*("ndp/" + name for name in columns.ND_PARAMS.known),
                 "sinst_vcpus"],
  columns.GROUP: [*("ndp/" + name for name in columns.ND_PARAMS.known),
                  "sinst_maxmem", "sinst_vcpus", "sinst_disk"],
  }

#: Fields that are queried but not stored, to save memory: long lists of
#: addresses, and the fields of disks that only checks need
_DROPPED: dict[str, list[str]] = {
  columns.NETWORK: ["map", "instance_reservations", "ip_list"],
  columns.DISK: ["indexed", "attached", "minors.shared", "volumes.shared",
                 "secret.shared"],
  }

#: JSON pointers into the configuration
_CLUSTER = "/cluster"
_CLUSTER_NAME = "/cluster/cluster_name"
_MTIME = "/mtime"

#: The parts of the cluster's own settings that pages need
_CLUSTER_KEYS = [*objects.CLUSTER_KEYS, "master_node", "master_ip"]

#: The rights that a reader's key needs so that pages show everything, in
#: addition to the right to ping. The rights to tables are in L{_RIGHT_OF_KIND}.
_CONFIG = "config"
_STATS = "stats"
_RIGHT_OF_KIND = {kind: "%s/%ss" % (readerkey.LIST, kind)
                  for kind in columns.KINDS}

#: While answers are older than the change that was reported, the query is
#: repeated: seconds until the query fails; seconds between two attempts
_BEHIND_TIME = 5.0
_BEHIND_PAUSE = 0.2

Row = rowstore.Row


def _Join(kind: str, *tables: Mapping[str, list[str]]) -> list[str]:
  """Merges the fields that several tables list for a kind of object.

  """
  return list(dict.fromkeys(name for fields in tables
                            for name in fields.get(kind, [])))


#: All lists of fields to query, except the lists in C{objects}, which only the
#: pages about one object need
_TABLES = (FIELDS, checks.FIELDS, placement.FIELDS, prometheus_sd.FIELDS,
           evacuation.FIELDS)


def _Asked(kind: str) -> list[str]:
  """Lists the fields of a table that are queried.

  """
  return _Join(kind, *_TABLES, objects.FIELDS, objects.OTHER_FIELDS,
               _FILTER_FIELDS)


def _Kept(kind: str, fields: list[str]) -> list[str]:
  """Leaves out the fields that are not stored.

  """
  return [name for name in fields if name not in _DROPPED.get(kind, [])]


def Fields(kind: str) -> list[str]:
  """Lists the fields of a table that are stored.

  """
  return _Kept(kind, _Asked(kind))


def JsonFields(kind: str) -> list[str]:
  """Lists the fields of rows that are served as JSON.

  """
  return _Kept(kind, _Join(kind, *_TABLES))


def _IsPermitted(kind: str, lacking: Sequence[str]) -> bool:
  return readerkey.LIST not in lacking and _RIGHT_OF_KIND[kind] not in lacking


class GroupSummary(NamedTuple):
  """A node group and the sums over the instances of its nodes.

  """
  name: str
  nodes: int
  #: The number of instances whose primary node is in the group
  instances: int
  #: Sums over the instances whose primary node is in the group, without offline
  #: instances: memory (MiB), virtual CPUs and disks (MiB)
  memory: int
  vcpus: int
  disk: int


class FailureSummary(NamedTuple):
  """Primary instances of a node, and how many are lost if the node fails.

  """
  node: str
  #: Only instances with this disk template are counted
  disk_template: str
  #: The number of the node's primary instances that have no other node to go to
  nowhere: int


class ClusterConfig(NamedTuple):
  """The contents of a configuration, as far as pages and metrics need them.

  """
  serial: int
  #: The cluster's name in the configuration
  name: str
  #: Version of the configuration's format, e.g. 3000000
  version: int
  #: When the configuration was last changed (seconds since the epoch); None if
  #: not known
  mtime: Any
  #: The rows of all objects, by kind
  tables: Mapping[str, rowstore.Table]
  findings: list[checks.Finding]
  #: The cluster's own settings (L{_CLUSTER_KEYS}), as they are in the
  #: configuration
  cluster: Mapping[str, Any] = {}
  #: The findings, grouped by cause
  causes: Sequence[causeslib.Cause] = ()
  groups: Sequence[GroupSummary] = ()
  #: The names of all nodes with the role of the master: several in a broken
  #: configuration
  masters: Sequence[str] = ()
  #: The consequences of the failure of each node; empty if the key lacks a
  #: right that the plans need
  failures: Sequence[FailureSummary] = ()
  #: The rights that the exporter's key lacks. A table that the key does not
  #: permit to ask for is empty. If any right is missing, there are no findings.
  lacking: Sequence[str] = ()

  def Knows(self, kind: str) -> bool:
    """Tells whether the key permits to ask for a table.

    """
    return _IsPermitted(kind, self.lacking)

  def Unknown(self, *kinds: str) -> list[str]:
    """Lists those tables, as rights name them, that the key may not ask for.

    """
    return [kind + "s" for kind in kinds if not self.Knows(kind)]

  @property
  def knows_cluster(self) -> bool:
    """Whether the key permits to ask for the cluster's own settings.

    """
    return _CONFIG not in self.lacking


class Candidates(NamedTuple):
  """The state of the master candidates and their daemons.

  """
  status: clusterstatus.ClusterStatus
  stats: clusterstats.ClusterStats


class HistoryState(NamedTuple):
  """The state of the recorded history.

  """
  #: The number of changes recorded so far; None if the number is not known yet
  changes: Optional[int]
  #: When the recording began, by the clock of this host; None if the time is
  #: not known yet
  began: Optional[float]
  #: Why changes are not recorded, or why not all of them are kept; None if
  #: there is no problem
  problem: Optional[str]
  #: Whether changes are recorded
  is_recorded: bool


class ClusterState(NamedTuple):
  """The last known state of a cluster.

  """
  #: The cluster's name in the settings
  cluster: str
  #: The last known configuration; None before the first one
  config: Optional[ClusterConfig]
  #: The candidates' state at the last query; None before the first query
  candidates: Optional[Candidates]
  #: Why the state may be out of date; None while the cluster answers
  problem: Optional[str]
  #: Seconds since the cluster answered last; 0 while the cluster answers; None
  #: before its first answer
  age: Optional[float] = None
  #: The label of the key that the cluster is asked with; None for the cluster's
  #: own key, and while the label is not yet known
  reader: Optional[readerkey.Label] = None
  #: The state of the recorded history; None if no history is recorded
  history: Optional[HistoryState] = None

  @property
  def up(self) -> bool:
    """Whether the cluster answers, so that the state is up to date.

    """
    return self.problem is None


def _Lacking(label: Optional[readerkey.Label]) -> list[str]:
  """Lists the rights that a key lacks.

  @param label: None for the cluster's own key

  """
  if label is None:
    return []
  tables = [right for right in _RIGHT_OF_KIND.values()
            if not keyrights.May(label, right)]
  if len(tables) == len(_RIGHT_OF_KIND):
    tables = [readerkey.LIST]
  return [right for right in (_CONFIG, _STATS)
          if not keyrights.May(label, right)] + tables


def _Explain(asker: clientlib.Client, err: clientlib.NoAnswer
             ) -> errors.ConfdClientError:
  """Tells silent candidates from candidates whose tables come too late.

  @param err: the error of a question for tables
  @return: the error to raise

  """
  if err.silent and all(err.silent.values()):
    # Keep the error, which has a reason for each candidate. For instance,
    # Ganeti's own daemon, which answers pings, has no tables.
    return err
  try:
    asker.Ping()
  except errors.ConfdClientError:
    return err
  return errors.ConfdClientError(
    "%s. A ping is answered: perhaps the cluster is large, and needs a longer"
    " \"timeout\" in the settings; or long datagrams are lost on the way" %
    str(err).rstrip("."))


def _AskTables(asker: clientlib.Client, kinds: Sequence[str], serial: int
               ) -> clientlib.Reply[Any]:
  """Asks for tables.

  @param kinds: the kinds of objects; the answer has empty tables for others
  @param serial: the least serial number of the configuration
  @raise errors.ConfdClientError: there is no answer, or an unexpected one

  """
  end = time.monotonic() + _BEHIND_TIME
  fields = {kind: _Asked(kind) for kind in kinds}
  others: dict[str, Any] = {kind: [] for kind in columns.KINDS}
  while True:
    if fields:
      try:
        tables = asker.Tables(fields)
      except clientlib.NoAnswer as err:
        raise _Explain(asker, err) from err
      reply = tables.With({**others, **tables.answer})
    else:
      reply = asker.Ping().With(others)
    if reply.serial >= serial:
      return reply
    if time.monotonic() > end:
      raise errors.ConfdClientError(
        "The candidates that answer have serial number %d, and there was %d" %
        (reply.serial, serial))
    time.sleep(_BEHIND_PAUSE)


def AskConfig(asker: clientlib.Client, serial: int) -> ClusterConfig:
  """Asks for a configuration, and looks for findings.

  @param serial: the least serial number of the configuration
  @raise errors.ConfdClientError: there is no answer, or an unexpected one

  """
  lacking = _Lacking(asker.reader)
  reply = _AskTables(asker, [kind for kind in columns.KINDS
                             if _IsPermitted(kind, lacking)], serial)
  values: dict[str, Any] = dict.fromkeys(
    {*checks.POINTERS, _CLUSTER, _CLUSTER_NAME, _MTIME})
  if _CONFIG not in lacking:
    values = {path: asker.Config(path, optional=True).answer for path in values}
  version = asker.Ping().answer
  rows: Mapping[str, Any] = reply.answer
  findings = []
  if not lacking:
    findings = checks.Check(checks.Read(
      rows, values, asker.Query(protocol.REQ_STATS).answer, time.time()))
  tables = {kind: rowstore.Table(rows[kind], Fields(kind))
            for kind in columns.KINDS}
  settings = _ClusterSettings(values[_CLUSTER])
  return ClusterConfig(
    reply.serial, str(values[_CLUSTER_NAME] or ""), version, values[_MTIME],
    tables, findings, settings,
    causeslib.Group(findings, tables), SumGroups(rows),
    [str(row["name"]) for row in rows[columns.NODE] if row["role"] == "M"],
    _SumFailures(rows, settings.get("tags"), lacking), lacking)


def SumGroups(rows: Mapping[str, Sequence[Row]]) -> list[GroupSummary]:
  """Sums up the instances of each group.

  """
  instances: dict[Any, list[Row]] = {}
  for row in rows[columns.INSTANCE]:
    instances.setdefault(row["pnode.group"], []).append(row)

  def _Sum(members: Sequence[Row], field: str) -> int:
    return sum(humanize.Mebibytes(row[field]) or 0 for row in members
               if row["admin_state"] != "offline")

  return [
    GroupSummary(group["name"], group["node_cnt"], len(members),
                 *(_Sum(members, field)
                   for field in ("be/maxmem", "be/vcpus", "disk_usage")))
    for (group, members) in ((group, instances.get(group["name"], []))
                             for group in rows[columns.GROUP])]


def _SumFailures(rows: Mapping[str, Sequence[Row]], cluster_tags: Any,
                 lacking: Sequence[str]) -> list[FailureSummary]:
  """Plans for the failure of each node, and sums up the plans.

  @param cluster_tags: see L{evacuation.Make}
  @param lacking: the rights that the key lacks

  """
  if _CONFIG in lacking or not all(_IsPermitted(kind, lacking)
                                   for kind in evacuation.FIELDS):
    return []
  result: list[FailureSummary] = []
  for plan in evacuation.MakeFailures(rows, cluster_tags):
    nowhere = collections.Counter(step.disk_template for step in plan.nowhere)
    result.extend(FailureSummary(plan.node, template, nowhere[template])
                  for template in sorted({step.disk_template
                                          for step in plan.steps}))
  return result


def _ClusterSettings(stored: Any) -> dict[str, Any]:
  """Selects those of the cluster's own settings that pages need.

  """
  if not isinstance(stored, dict):
    return {}
  return {key: stored[key] for key in _CLUSTER_KEYS if key in stored}


async def AskCandidates(asker: clientlib.AsyncClient) -> Candidates:
  """Asks all candidates for their state.

  @raise errors.ConfdClientError: no candidate is known

  """
  stats = clusterstats.ClusterStats(None, [], [], {})
  if _STATS not in _Lacking(asker.reader):
    stats = await asker.Stats()
  return Candidates(await asker.Status(), stats)

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The states of clusters as metrics for Prometheus.

L{FAMILIES} is the table of metrics of a configuration; C{views.confdmetrics}
has metrics of confd itself. Names follow the conventions of Prometheus: base
units, and C{_info} for metrics that say something by their labels. All metrics
have the label C{cluster}.

"""

from __future__ import annotations

import collections

from typing import Any, Callable, Counter, Iterator, Mapping, NamedTuple, \
  Optional, Sequence

from prometheus_client import core

from ganeti.confd.exporter import clusterstate
from ganeti.confd.exporter import rowstore
from ganeti.confd.schema import columns
from ganeti.confd.views import checks
from ganeti.confd.views import confdmetrics


_MEBIBYTE = 1 << 20

#: A sample of a metric: the values of its labels, of any type, and its number
_Sample = tuple[Sequence[Any], float]

_States = Sequence[clusterstate.ClusterState]


class _Unpacked(NamedTuple):
  """A configuration with the rows that metrics need.

  """
  config: clusterstate.ClusterConfig
  #: Rows with the fields of C{clusterstate.FIELDS}, by table
  rows: Mapping[str, Sequence[rowstore.Row]]


#: A function that yields the samples of a family
_GetSamples = Callable[[_Unpacked], Iterator[_Sample]]


class Family(NamedTuple):
  """Metrics of one name.

  """
  name: str
  text: str
  #: The names of the metrics' labels, in addition to C{cluster}
  labels: tuple[str, ...]
  samples: _GetSamples
  #: Whether the family has a metric for each instance
  per_instance: bool = False


def _Times(number: Optional[float], factor: int) -> Optional[float]:
  """Multiplies a number; returns None if the product is infinite.

  """
  return None if number is None else confdmetrics.Number(number * factor)


def _Of(kind: str, field: str, factor: int = 1) -> _GetSamples:
  """Makes a function that yields a field of each row of a table.

  """
  def _Samples(known: _Unpacked) -> Iterator[_Sample]:
    for row in known.rows[kind]:
      number = _Times(confdmetrics.Number(row[field]), factor)
      if number is not None:
        yield ([row["name"]], number)
  return _Samples


def _Info(kind: str, *fields: str) -> _GetSamples:
  """Makes a function that yields texts of each row of a table, as labels.

  """
  def _Samples(known: _Unpacked) -> Iterator[_Sample]:
    for row in known.rows[kind]:
      yield ([row["name"]] + [row[field] for field in fields], 1)
  return _Samples


def _InstanceInfo(known: _Unpacked) -> Iterator[_Sample]:
  for row in known.rows[columns.INSTANCE]:
    yield ([row["name"], row["uuid"], row["pnode"],
            ",".join(map(str, row["snodes"] or [])), row["pnode.group"],
            row["os"], row["hypervisor"], row["admin_state"],
            row["disk_template"]], 1)


def _NodeRole(known: _Unpacked) -> Iterator[_Sample]:
  for row in known.rows[columns.NODE]:
    for (letter, role) in columns.ROLES.items():
      yield ([row["name"], role], int(row["role"] == letter))


def _OnNode(field: str, factor: int = 1) -> _GetSamples:
  """Makes a function that yields sums over the primary instances of nodes.

  """
  def _Samples(known: _Unpacked) -> Iterator[_Sample]:
    if not known.config.Knows(columns.INSTANCE):
      return
    sums: dict[str, float] = collections.defaultdict(float)
    for row in known.rows[columns.INSTANCE]:
      # Leave out offline instances, which take no resources; the map does the
      # same
      if row["admin_state"] != "offline":
        sums[row["pnode"]] += confdmetrics.Number(row[field]) or 0
    for node in known.rows[columns.NODE]:
      number = _Times(sums[node["name"]], factor)
      if number is not None:
        yield ([node["name"]], number)
  return _Samples


def _WithoutFailover(known: _Unpacked) -> Iterator[_Sample]:
  for failure in known.config.failures:
    yield ([failure.node, failure.disk_template], failure.nowhere)


def _CountBy(kind: str, field: str, values: Mapping[str, str]) -> _GetSamples:
  """Makes a function that counts the rows of a table by a field.

  @param values: the field's values, and the label for each

  """
  def _Samples(known: _Unpacked) -> Iterator[_Sample]:
    if not known.config.Knows(kind):
      return
    counts: Counter[Any] = collections.Counter(
      row[field] for row in known.rows[kind])
    for (value, name) in values.items():
      yield ([name], counts[value])
  return _Samples


def _NetworkSize(known: _Unpacked) -> Iterator[_Sample]:
  for row in known.rows[columns.NETWORK]:
    counts = [confdmetrics.Number(row[field])
              for field in ("free_count", "reserved_count")]
    yield ([row["name"]], sum(i for i in counts if i is not None))


def _Findings(known: _Unpacked) -> Iterator[_Sample]:
  if known.config.lacking:
    return
  counts = collections.Counter(i.check for i in known.config.findings)
  for (name, check) in checks.CHECKS.items():
    yield ([name, check.severity], counts[name])


def _Single(get: Callable[[clusterstate.ClusterConfig], Any]) -> _GetSamples:
  """Makes a function that yields one number, if there is one.

  """
  def _Samples(known: _Unpacked) -> Iterator[_Sample]:
    number = confdmetrics.Number(get(known.config))
    if number is not None:
      yield ([], number)
  return _Samples


def _ClusterInfo(known: _Unpacked) -> Iterator[_Sample]:
  config = known.config
  (major, rest) = divmod(config.version, 1000000)
  yield ([config.name, "%d.%d" % (major, rest // 10000)], 1)


_STATES = {
  "up": "up",
  "down": "down",
  "offline": "offline",
  }

FAMILIES = [
  Family("ganeti_cluster_info", "The cluster's own name, and the version of its"
         " configuration", ("name", "version"), _ClusterInfo),
  Family("ganeti_cluster_config_serial", "Serial number of the configuration",
         (), _Single(lambda config: config.serial)),
  Family("ganeti_cluster_config_mtime_seconds", "Time of the last change of the"
         " configuration, since the epoch", (),
         _Single(lambda config: config.mtime)),
  Family("ganeti_cluster_findings", "Findings of \"confd-client check\"",
         ("check", "severity"), _Findings),
  Family("ganeti_cluster_nodes", "Nodes, by role", ("role", ),
         _CountBy(columns.NODE, "role", columns.ROLES)),
  Family("ganeti_cluster_instances", "Instances, by the state they shall be in",
         ("admin_state", ), _CountBy(columns.INSTANCE, "admin_state", _STATES)),
  Family("ganeti_group_info", "A node group", ("group", "alloc_policy"),
         _Info(columns.GROUP, "alloc_policy")),
  Family("ganeti_group_nodes", "Nodes of a group", ("group", ),
         _Of(columns.GROUP, "node_cnt")),
  Family("ganeti_group_instances", "Primary instances of a group's nodes",
         ("group", ), _Of(columns.GROUP, "pinst_cnt")),
  Family("ganeti_node_info", "A node", ("node", "group", "primary_ip",
                                        "secondary_ip"),
         _Info(columns.NODE, "group", "pip", "sip")),
  Family("ganeti_node_role", "Whether a node has a role", ("node", "role"),
         _NodeRole),
  Family("ganeti_node_offline", "Whether a node is offline", ("node", ),
         _Of(columns.NODE, "offline")),
  Family("ganeti_node_drained", "Whether a node is drained", ("node", ),
         _Of(columns.NODE, "drained")),
  Family("ganeti_node_vm_capable", "Whether a node may have instances",
         ("node", ), _Of(columns.NODE, "vm_capable")),
  Family("ganeti_node_primary_instances", "Instances that have a node as"
         " primary node", ("node", ), _Of(columns.NODE, "pinst_cnt")),
  Family("ganeti_node_secondary_instances", "Instances that have their mirror"
         " on a node", ("node", ), _Of(columns.NODE, "sinst_cnt")),
  Family("ganeti_node_instances_memory_bytes", "Configured memory of a node's"
         " primary instances, less those that are offline", ("node", ),
         _OnNode("be/maxmem", _MEBIBYTE)),
  Family("ganeti_node_instances_vcpus", "Virtual CPUs of a node's primary"
         " instances, less those that are offline", ("node", ),
         _OnNode("be/vcpus")),
  Family("ganeti_node_instances_disk_bytes", "Space that the disks of a node's"
         " primary instances take, less those that are offline", ("node", ),
         _OnNode("disk_usage", _MEBIBYTE)),
  Family("ganeti_node_instances_without_failover", "A node's primary instances"
         " that have nowhere to go if the node fails", ("node",
                                                        "disk_template"),
         _WithoutFailover),
  Family("ganeti_network_info", "A network", ("network", "subnet", "subnet6"),
         _Info(columns.NETWORK, "network", "network6")),
  Family("ganeti_network_addresses", "IPv4 addresses of a network",
         ("network", ), _NetworkSize),
  Family("ganeti_network_addresses_usable", "Addresses that instances have or"
         " can get", ("network", ), _Of(columns.NETWORK, "usable_count")),
  Family("ganeti_network_addresses_used", "Addresses that are reserved for"
         " instances", ("network", ), _Of(columns.NETWORK, "used_count")),
  Family("ganeti_network_addresses_external", "Addresses that are taken by"
         " others", ("network", ), _Of(columns.NETWORK, "external_count")),
  Family("ganeti_network_addresses_free", "Addresses that are free",
         ("network", ), _Of(columns.NETWORK, "free_count")),
  Family("ganeti_instance_info", "An instance",
         ("instance", "uuid", "primary_node", "secondary_nodes", "group", "os",
          "hypervisor", "admin_state", "disk_template"), _InstanceInfo, True),
  Family("ganeti_instance_memory_bytes", "Configured memory of an instance",
         ("instance", ), _Of(columns.INSTANCE, "be/maxmem", _MEBIBYTE), True),
  Family("ganeti_instance_vcpus", "Virtual CPUs of an instance",
         ("instance", ), _Of(columns.INSTANCE, "be/vcpus"), True),
  Family("ganeti_instance_disk_bytes", "Space that an instance's disks take on"
         " each of their nodes", ("instance", ),
         _Of(columns.INSTANCE, "disk_usage", _MEBIBYTE), True),
  ]

_CANDIDATE = ["cluster", "candidate"]


def _Daemons(states: _States) -> list[confdmetrics.Daemon]:
  daemons = []
  for state in states:
    if state.candidates is not None:
      stats = state.candidates.stats
      daemons += [confdmetrics.Daemon((state.cluster, i.address), i.everything)
                  for i in stats.daemons]
      daemons += [confdmetrics.Daemon((state.cluster, address), None)
                  for address in stats.missing]
  return daemons


def _Candidates(states: _States) -> Iterator[Any]:
  """Yields the metrics that a client derives from the candidates' replies.

  """
  behind = core.GaugeMetricFamily(
    "ganeti_confd_behind", "Changes that a candidate is behind the freshest"
    " one", labels=_CANDIDATE)
  diverges = core.GaugeMetricFamily(
    "ganeti_confd_diverges", "Whether another candidate has the same serial"
    " number and another configuration", labels=_CANDIDATE)
  seconds = core.GaugeMetricFamily(
    "ganeti_confd_round_trip_seconds", "Time that its last answer took",
    labels=_CANDIDATE)
  for state in states:
    if state.candidates is None:
      continue
    for candidate in state.candidates.status.candidates:
      labels = [state.cluster, candidate.address]
      if candidate.behind is not None:
        behind.add_metric(labels, candidate.behind)
        diverges.add_metric(labels, int(candidate.diverges))
      if candidate.round_trip is not None:
        seconds.add_metric(labels, candidate.round_trip)
  yield behind
  yield diverges
  yield seconds


def ConfigFamilies(states: _States, per_instance: bool = True
                  ) -> Iterator[Any]:
  """Yields the metrics that change with the configuration only: most metrics.

  @param per_instance: whether to have metrics for each instance

  """
  unpacked = [
    (state.cluster, _Unpacked(state.config, {
      kind: state.config.tables[kind].Rows(fields)
      for (kind, fields) in clusterstate.FIELDS.items()}))
    for state in states if state.config is not None]
  for family in FAMILIES:
    if family.per_instance and not per_instance:
      continue
    gauge = core.GaugeMetricFamily(family.name, family.text,
                                   labels=["cluster", *family.labels])
    # Of samples with the same labels, keep only the first: Prometheus refuses
    # duplicates, and in a broken configuration two objects may have the same
    # name
    seen: set[tuple[str, ...]] = set()
    for (cluster, known) in unpacked:
      for (values, number) in family.samples(known):
        labels = (cluster, *map(confdmetrics.Label, values))
        if labels not in seen:
          seen.add(labels)
          gauge.add_metric(labels, number)
    yield gauge


def LiveFamilies(states: _States) -> Iterator[Any]:
  """Yields the metrics that change at any time.

  """
  up = core.GaugeMetricFamily(
    "ganeti_up", "Whether a candidate answers for the cluster; if not, all"
    " other metrics are as they were last known", labels=["cluster"])
  age = core.GaugeMetricFamily(
    "ganeti_facts_age_seconds", "Time since a candidate answered last, 0 while"
    " one does", labels=["cluster"])
  end = core.GaugeMetricFamily(
    "ganeti_reader_key_end_seconds", "Time since the epoch when the reader's"
    " key that the cluster is asked with ends, if it does", labels=["cluster"])
  changes = core.CounterMetricFamily(
    "ganeti_history_changes", "Changes of the cluster that were recorded, if a"
    " history is", labels=["cluster"])
  recording = core.GaugeMetricFamily(
    "ganeti_history_up", "Whether changes are recorded, if a history is to be",
    labels=["cluster"])
  for state in states:
    if state.history is not None:
      if state.history.changes is not None:
        changes.add_metric([state.cluster], state.history.changes)
      recording.add_metric([state.cluster], int(state.history.is_recorded))
    if state.reader is not None and state.reader.last_day is not None:
      end.add_metric([state.cluster], state.reader.end)
    up.add_metric([state.cluster], int(state.up))
    if state.age is not None:
      age.add_metric([state.cluster], state.age)
  yield up
  yield age
  yield end
  yield changes
  yield recording
  yield from _Candidates(states)
  yield from confdmetrics.Families(core, _CANDIDATE, _Daemons(states))

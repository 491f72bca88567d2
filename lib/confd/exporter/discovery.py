#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Targets for Prometheus' service discovery by HTTP (http_sd_config).

The targets are those of C{confd-client export prometheus-sd}, of one cluster or
all. Further labels and the targets' port come from the request.

"""

from __future__ import annotations

import re

from typing import Any, Mapping

from ganeti.confd import numerals
from ganeti.confd.export import hostlist
from ganeti.confd.export import prometheus_sd
from ganeti.confd.export import sanitize
from ganeti.confd.exporter import clusterstate
from ganeti.confd.exporter import rowfilter


#: Names of the request's parameters: a filter, the targets' port, a cluster's
#: name
FILTER = "filter"
PORT = "port"
CLUSTER = "cluster"

#: The label with the cluster's name in the settings. The metrics of
#: confd-exporter have this name as their label C{cluster}, so that queries can
#: join these metrics with those of the targets.
_CLUSTER_LABEL = "__meta_ganeti_cluster_label"

#: Prefix of parameters that add a label to the targets
_LABEL = "label."
_LABEL_RE = re.compile("[a-zA-Z_][a-zA-Z0-9_]*")


def _Port(text: str) -> int:
  try:
    return numerals.Port(text)
  except ValueError:
    raise rowfilter.BadRequest("Not a port: %s" % sanitize.Show(text)) from None


def _Labels(query: Mapping[str, str]) -> dict[str, str]:
  """Collects the labels among the parameters.

  """
  labels = {}
  for (parameter, value) in query.items():
    if parameter.startswith(_LABEL):
      name = parameter[len(_LABEL):]
      if not _LABEL_RE.fullmatch(name):
        raise rowfilter.BadRequest("Not the name of a label: %s" %
                                   sanitize.Show(name))
      labels[name] = value
    elif parameter not in (FILTER, PORT, CLUSTER):
      raise rowfilter.BadRequest(
        "No such parameter: %s; there are %s, %s, %s and %sNAME" %
        (sanitize.Show(parameter), FILTER, PORT, CLUSTER, _LABEL))
  return labels


def _Ignore(_: str) -> None:
  """Discards the warning about a skipped host, which no client could show.

  """


def Targets(clusters: Mapping[str, clusterstate.ClusterConfig], kind: str,
            query: Mapping[str, str]) -> list[dict[str, Any]]:
  """Lists targets.

  @param clusters: configurations, by the cluster's name in the settings
  @param kind: C{columns.INSTANCE} or C{columns.NODE}
  @param query: the request's parameters
  @return: target groups, as Prometheus wants them
  @raise rowfilter.BadRequest: a parameter is wrong

  """
  labels = _Labels(query)
  fields = prometheus_sd.FIELDS[kind]
  result = []
  for (cluster, config) in clusters.items():
    rows = rowfilter.Select(config, kind, query.get(FILTER, ""), "",
                            fields).rows
    hosts = hostlist.Hosts(kind, fields,
                           [[row[field] for field in fields] for row in rows],
                           _Ignore)
    source = hostlist.Contents(sanitize.HostName(config.name), kind, hosts)
    if PORT in query:
      source = source._replace(target_port=_Port(query[PORT]))
    for group in prometheus_sd.Targets(source):
      group["labels"].update({_CLUSTER_LABEL: cluster, **labels})
      result.append(group)
  return result

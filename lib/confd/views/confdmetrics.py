#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The daemons' answers to STATS requests as Prometheus metrics.

The names of metrics follow the conventions of Prometheus: they end in the base
unit. The module prometheus_client.core is passed in, as it is optional.

"""

from __future__ import annotations

import math

from typing import Any, Iterator, Mapping, NamedTuple, Optional, Sequence

from ganeti.confd import printable


PREFIX = "ganeti_confd_"

#: Maps the groups of counters in the answer to STATS to their names, labels and
#: help texts in Prometheus
COUNTERS = {
  "queries": ("queries", "type", "Requests answered, by type"),
  "replies": ("replies", "status", "Replies sent, by status"),
  "dropped": ("dropped", "reason", "Datagrams without a reply, by reason"),
  "reloads": ("reloads", "result", "Configurations loaded, or not"),
  "restarts": ("restarts", "what", "Processes that died and were replaced"),
  }

#: Maps the paths of numbers in the answer to STATS that are no counters to
#: their names and help texts in Prometheus
GAUGES = {
  ("uptime", ): ("uptime_seconds", "Time since the daemon started"),
  ("workers", ): ("workers", "Processes that answer"),
  ("memory", ): ("memory_bytes", "Memory of all processes, shared memory"
                                 " counted once"),
  ("config", "serial"): ("config_serial", "Serial number of the configuration"
                                          " that is served"),
  ("config", "warnings"): ("config_warnings", "Things left out of it, as they"
                           " are malformed or refer to what is not there"),
  ("config", "stale"): ("config_stale", "Whether a newer configuration could"
                        " not be loaded"),
  ("config", "age"): ("config_age_seconds", "Time since it was loaded"),
  ("config", "load_time"): ("config_load_seconds", "Time that loading took"),
  ("config", "size"): ("config_size_bytes", "Size of its file"),
  ("config", "mtime"): ("config_mtime_seconds", "Modification time of its"
                                                " file, since the epoch"),
  }


def Label(value: Any) -> str:
  """Formats a label's value.

  """
  return "" if value is None else printable.Printable(str(value))


def Number(value: Any) -> Optional[float]:
  """Returns a value as a float, or None if it is not a finite number.

  """
  if not isinstance(value, (bool, int, float)):
    return None
  try:
    number = float(value)
  except OverflowError:
    return None
  return number if math.isfinite(number) else None


class Daemon(NamedTuple):
  """A daemon and its answer.

  """
  #: The values of the labels that identify the daemon
  labels: tuple[str, ...]
  #: The answer to STATS; None if the daemon did not answer
  answer: Optional[Mapping[str, Any]]


def Flatten(answer: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
  """Yields the path and value of each single value in an answer.

  """
  for (key, value) in answer.items():
    if isinstance(value, dict):
      for (item, inner) in value.items():
        yield ((key, item), inner)
    else:
      yield ((key, ), value)


def Families(core: Any, labels: Sequence[str], daemons: Sequence[Daemon]
             ) -> Iterator[Any]:
  """Yields families of metrics.

  @param core: the module C{prometheus_client.core}
  @param labels: the names of the labels that identify a daemon

  """
  labels = list(labels)
  answers = [(i.labels, i.answer) for i in daemons if i.answer is not None]
  up = core.GaugeMetricFamily(
    PREFIX + "up", "Whether the daemon has told its counters", labels=labels)
  for daemon in daemons:
    up.add_metric(daemon.labels, int(daemon.answer is not None))
  yield up
  info = core.GaugeMetricFamily(PREFIX + "info", "The daemon's version",
                                labels=labels + ["version"])
  for (which, answer) in answers:
    info.add_metric(which + (Label(answer.get("version")), ), 1)
  yield info
  for (path, (name, text)) in GAUGES.items():
    gauge = core.GaugeMetricFamily(PREFIX + name, text, labels=labels)
    for (which, answer) in answers:
      value = Number(dict(Flatten(answer)).get(path))
      if value is not None:
        gauge.add_metric(which, value)
    yield gauge
  for (group, (name, label, text)) in COUNTERS.items():
    counter = core.CounterMetricFamily(PREFIX + name, text,
                                       labels=labels + [label])
    for (which, answer) in answers:
      values = answer.get(group)
      for (item, value) in (values.items() if isinstance(values, dict) else ()):
        # A daemon answers None for a counter that its kernel does not have
        number = Number(value)
        if number is not None:
          counter.add_metric(which + (Label(item), ), number)
    yield counter

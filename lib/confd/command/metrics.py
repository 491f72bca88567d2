#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What daemons tell about themselves, shown: confd-client's command "stats".

The answers (L{stats.Stats.Collect}) of all candidates asked stand side by side,
or go to Prometheus. No I/O.

"""

from ganeti import errors


_PREFIX = "ganeti_confd_"

#: Groups of counters in an answer: the name and label that they have in
#: Prometheus, and what they count
_COUNTERS = {
  "queries": ("queries", "type", "Requests answered, by type"),
  "replies": ("replies", "status", "Replies sent, by status"),
  "dropped": ("dropped", "reason", "Datagrams without a reply, by reason"),
  "reloads": ("reloads", "result", "Configurations loaded, or not"),
  "restarts": ("restarts", "what", "Processes that died and were replaced"),
  }

#: Single numbers in an answer, by their path there
_GAUGES = {
  ("uptime", ): ("uptime_seconds", "Time since the daemon started"),
  ("workers", ): ("workers", "Processes that answer"),
  ("memory", ): ("memory_bytes", "Memory of all processes, shared memory"
                                 " counted once"),
  ("config", "serial"): ("config_serial", "Serial number of the configuration"
                                          " that is served"),
  ("config", "age"): ("config_age_seconds", "Time since it was loaded"),
  ("config", "load_time"): ("config_load_seconds", "Time that loading took"),
  ("config", "size"): ("config_size_bytes", "Size of its file"),
  ("config", "mtime"): ("config_mtime_seconds", "Modification time of its"
                                                " file, since the epoch"),
  }


def _Flatten(answer):
  """Yields path and value of each single value of an answer.

  """
  for (key, value) in answer.items():
    if isinstance(value, dict):
      for (item, inner) in value.items():
        yield ((key, item), inner)
    else:
      yield ((key, ), value)


def Table(answers):
  """Makes a table, one row for each value and one column for each daemon.

  @type answers: dict
  @param answers: from address to answer
  @rtype: tuple of (list of strings, list of lists)
  @return: headers and rows

  """
  values = {address: dict(_Flatten(answer))
            for (address, answer) in answers.items()}
  # Daemons may be of several versions: the rows are those of all
  paths = {path: None for flat in values.values() for path in flat}
  rows = [[" ".join(path)] + [_Cell(values[address].get(path))
                              for address in answers]
          for path in paths]
  return (["Value"] + list(answers), rows)


def _Cell(value):
  return "%.3f" % value if isinstance(value, float) else value


def Prometheus(answers):
  """Writes answers for Prometheus.

  @type answers: dict
  @param answers: from address to answer
  @rtype: string
  @raise errors.ConfdClientError: the library for that is not installed

  """
  # It is optional, and nothing else needs it
  try:
    import prometheus_client
    from prometheus_client import core
  except ImportError:
    raise errors.ConfdClientError("--prometheus needs the Python module"
                                  " prometheus_client (Debian package"
                                  " python3-prometheus-client)")
  registry = prometheus_client.CollectorRegistry()
  registry.register(_Collector(core, answers))
  return prometheus_client.generate_latest(registry).decode("utf-8")


class _Collector:
  """Answers as the library wants them.

  """
  def __init__(self, core, answers):
    self._core = core
    self._answers = answers

  def collect(self):
    info = self._core.GaugeMetricFamily(
      _PREFIX + "info", "The daemon's version", labels=["candidate", "version"])
    for (address, answer) in self._answers.items():
      info.add_metric([address, str(answer.get("version"))], 1)
    yield info
    for (path, (name, text)) in _GAUGES.items():
      gauge = self._core.GaugeMetricFamily(_PREFIX + name, text,
                                           labels=["candidate"])
      for (address, answer) in self._answers.items():
        value = dict(_Flatten(answer)).get(path)
        if value is not None:
          gauge.add_metric([address], value)
      yield gauge
    for (group, (name, label, text)) in _COUNTERS.items():
      counter = self._core.CounterMetricFamily(_PREFIX + name, text,
                                               labels=["candidate", label])
      for (address, answer) in self._answers.items():
        for (item, value) in answer.get(group, {}).items():
          if value is None:
            # The system does not tell
            continue
          counter.add_metric([address, item], value)
      yield counter

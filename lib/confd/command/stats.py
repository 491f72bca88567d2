#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "stats": what daemons tell about themselves.

The answers of all candidates (C{clientlib.stats} asks for them, C{daemon.stats}
makes them) stand side by side, or go to Prometheus.

"""

from __future__ import annotations

import argparse
import sys

from typing import Any, Iterable, Iterator, List, Mapping, Tuple

from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd import command
from ganeti.confd import protocol
from ganeti.confd.clientlib import exchange
from ganeti.confd.clientlib import stats as statslib
from ganeti.confd.command import output


#: From the address of a candidate to its answer
_Answers = Mapping[str, Mapping[str, Any]]

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
  ("config", "warnings"): ("config_warnings", "Things left out of it, as they"
                           " are malformed or refer to what is not there"),
  ("config", "age"): ("config_age_seconds", "Time since it was loaded"),
  ("config", "load_time"): ("config_load_seconds", "Time that loading took"),
  ("config", "size"): ("config_size_bytes", "Size of its file"),
  ("config", "mtime"): ("config_mtime_seconds", "Modification time of its"
                                                " file, since the epoch"),
  }


def _Flatten(answer: Mapping[str, Any]
             ) -> Iterator[Tuple[Tuple[str, ...], Any]]:
  """Yields path and value of each single value of an answer.

  """
  for (key, value) in answer.items():
    if isinstance(value, dict):
      for (item, inner) in value.items():
        yield ((key, item), inner)
    else:
      yield ((key, ), value)


def Table(answers: _Answers) -> Tuple[List[str], List[List[Any]]]:
  """Makes a table, one row for each value and one column for each daemon.

  @return: headers and rows

  """
  values = {address: dict(_Flatten(answer))
            for (address, answer) in answers.items()}
  # Daemons may be of several versions: the rows are those of all
  paths = dict.fromkeys(path for flat in values.values() for path in flat)
  rows = [[" ".join(path)] + [_Cell(values[address].get(path))
                              for address in answers]
          for path in paths]
  return (["Value"] + list(answers), rows)


def _Cell(value: Any) -> Any:
  return "%.3f" % value if isinstance(value, float) else value


def Prometheus(answers: _Answers, others: Iterable[str] = ()) -> str:
  """Writes answers for Prometheus.

  @param others: addresses of the candidates that have not answered
  @raise errors.ConfdClientError: the library for that is not installed

  """
  # It is optional, and nothing else needs it
  try:
    import prometheus_client
    from prometheus_client import core
  except ImportError:
    raise errors.ConfdClientError(
      "--prometheus needs the Python module prometheus_client (Debian package"
      " python3-prometheus-client)") from None
  registry = prometheus_client.CollectorRegistry()
  # The library knows it by its method, its types by the class
  collector: Any = _Collector(core, answers, others)
  registry.register(collector)
  text: bytes = prometheus_client.generate_latest(registry)
  return text.decode("utf-8")


class _Collector:
  """Answers as the library wants them.

  """
  def __init__(self, core: Any, answers: _Answers,
               others: Iterable[str]) -> None:
    self._core = core
    self._answers = answers
    self._others = others

  # The name is the library's
  def collect(self) -> Iterator[Any]:
    up = self._core.GaugeMetricFamily(
      _PREFIX + "up", "Whether the daemon has told its counters",
      labels=["candidate"])
    for address in self._answers:
      up.add_metric([address], 1)
    for address in self._others:
      up.add_metric([address], 0)
    yield up
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


def _Complain(stats: statslib.ClusterStats) -> None:
  """Says who has not told its counters, and why not.

  """
  for reply in stats.failed:
    output.Say(exchange.DescribeError(protocol.REQ_STATS, None, reply))
  for (address, reason) in stats.silent.items():
    output.Say("%s: %s" % (address, reason or "no answer: as from a daemon"
                           " without these counters, or see the command"
                           " status"))


def Run(asker: clientlib.Client, opts: argparse.Namespace) -> int:
  """Shows what the daemons tell about themselves.

  """
  stats = asker.Stats()
  answers = {i.address: i.everything for i in stats.daemons}
  _Complain(stats)
  if opts.prometheus:
    # Who collects this wants to see that nobody answers, too
    with output.Expecting(", ".join(answers)):
      sys.stdout.write(Prometheus(
        answers, [i.address for i in stats.failed] + list(stats.silent)))
    return command.EXIT_SUCCESS
  if not answers:
    raise clientlib.NoAnswer("No answer to stats from anybody")
  if opts.json:
    # One that has answered has told its serial
    serial: Any = stats.serial
    output.PrintReply(clientlib.Reply(answers, serial, stats.replies,
                                      stats.silent))
  else:
    with output.Expecting(", ".join(answers)):
      (headers, rows) = Table(answers)
      output.Printer(opts).Print(headers, rows, range(1, len(headers)))
  return (command.EXIT_FAILURE if stats.failed or stats.silent else
          command.EXIT_SUCCESS)

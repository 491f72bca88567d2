#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "stats": the statistics of all daemons.

C{clientlib.clusterstats} asks all candidates, and C{daemon.stats} makes the
answers. This command prints the answers side by side, or for Prometheus.

"""

from __future__ import annotations

import argparse
import sys

from typing import Any, Iterable, Iterator, Mapping, Sequence

from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd import protocol
from ganeti.confd.clientlib import clusterstats
from ganeti.confd.clientlib import replies
from ganeti.confd.clientlib import silence
from ganeti.confd.command import exitcodes
from ganeti.confd.command import multicluster
from ganeti.confd.command import output
from ganeti.confd.views import confdmetrics


#: Maps the addresses of candidates to their answers to the request STATS
_Answers = Mapping[str, Mapping[str, Any]]


def Compare(answers: _Answers) -> tuple[list[str], list[list[Any]]]:
  """Makes a table with a row for each value and a column for each daemon.

  @return: headers and rows

  """
  values = {address: dict(confdmetrics.Flatten(answer))
            for (address, answer) in answers.items()}
  # Daemons of different versions have different counters: make a row for each
  # counter that at least one daemon reports
  paths = dict.fromkeys(path for flat in values.values() for path in flat)
  rows = [[" ".join(path)] + [_Cell(values[address].get(path))
                              for address in answers]
          for path in paths]
  return (["Value"] + list(answers), rows)


def _Cell(value: Any) -> Any:
  return "%.3f" % value if isinstance(value, float) else value


def Prometheus(clusters: Mapping[str, tuple[_Answers, Iterable[str]]],
               names: Sequence[str] = ("candidate", )) -> str:
  """Formats answers for Prometheus.

  @param clusters: by cluster, the answers, and the addresses of the candidates
    that did not answer
  @param names: the names of the labels: one for the candidate, with one for the
    cluster before it if there are several clusters
  @raise errors.ConfdClientError: prometheus_client is not installed

  """
  # Import the module here: only this function needs it, and some machines do
  # not have it
  try:
    import prometheus_client
    from prometheus_client import core
  except ImportError:
    raise errors.ConfdClientError(
      "--prometheus needs the Python module prometheus_client (Debian package"
      " python3-prometheus-client)") from None
  daemons = []
  for (cluster, (answers, others)) in clusters.items():
    for (address, answer) in [*answers.items(),
                              *[(address, None) for address in others]]:
      labels = (cluster, address)[-len(names):]
      daemons.append(confdmetrics.Daemon(labels, answer))
  registry = prometheus_client.CollectorRegistry()
  # The annotation is Any: the library calls only the method collect(), but its
  # annotations require a subclass of the library's C{Collector}
  collector: Any = _Collector(core, names, daemons)
  registry.register(collector)
  text: bytes = prometheus_client.generate_latest(registry)
  return text.decode("utf-8")


class _Collector:
  """A collector of prometheus_client, for answers.

  """
  def __init__(self, core: Any, names: Sequence[str],
               daemons: Sequence[confdmetrics.Daemon]) -> None:
    self._core = core
    self._names = names
    self._daemons = daemons

  # The library C{prometheus_client} prescribes the name
  def collect(self) -> Iterator[Any]:
    return confdmetrics.Families(self._core, list(self._names), self._daemons)


def _Silent(is_reader: bool) -> str:
  """Returns the reasons that the silence of a candidate may have.

  @param is_reader: whether a reader's key is used

  """
  text = "silent: " + silence.Causes(is_reader)
  if not is_reader:
    # L{silence.Causes} names Ganeti's own daemon only for readers' keys
    text += "; or Ganeti's own daemon, which has no statistics"
  return "%s. %s" % (text, output.SEE_STATUS)


def _Complain(stats: clusterstats.ClusterStats, is_reader: bool,
              cluster: str = "") -> None:
  """Reports the candidates without an answer, and the reasons.

  @param is_reader: whether a reader's key is used
  @param cluster: the text before each message, which names the cluster

  """
  for reply in stats.failed:
    output.Say(cluster + replies.DescribeError(protocol.REQ_STATS, None, reply))
  for (address, reason) in stats.silent.items():
    output.Say("%s%s: %s" % (cluster, address, reason or _Silent(is_reader)))


def _Answered(stats: clusterstats.ClusterStats) -> _Answers:
  return {i.address: i.everything for i in stats.daemons}


def _Document(stats: clusterstats.ClusterStats) -> dict[str, Any]:
  """Makes the object for --json.

  """
  # The serial is None if no daemon has answered
  serial: Any = stats.serial
  return output.FormatReply(clientlib.Reply(_Answered(stats), serial,
                                            stats.replies, stats.silent))


def _PrintTable(answers: _Answers, opts: argparse.Namespace) -> None:
  (headers, rows) = Compare(answers)
  output.Printer(opts).Print(headers, rows, range(1, len(headers)))


def RunMultiCluster(factories: multicluster.ClientFactories,
                    opts: argparse.Namespace) -> int:
  """Prints the statistics of the daemons of several clusters.

  """
  found = multicluster.AskAll(factories, lambda client: (
    client.Stats(), client.reader is not None))
  results = {name: stats for (name, (stats, _)) in found.values.items()}
  for (name, (stats, is_reader)) in found.values.items():
    _Complain(stats, is_reader, "%s: " % name)
  if opts.prometheus:
    found.Complain()
    sys.stdout.write(Prometheus(
      {name: (_Answered(stats), stats.missing)
       for (name, stats) in results.items()}, ("cluster", "candidate")))
    return found.code
  if opts.json:
    found.PrintJson(lambda value: _Document(value[0]))
  else:
    _PrintTable({"%s:%s" % (name, address): answer
                 for (name, stats) in results.items()
                 for (address, answer) in _Answered(stats).items()}, opts)
    found.Complain()
  return max([found.code] + [
    exitcodes.NO_ANSWER if not stats.daemons else
    exitcodes.FAILURE if stats.missing else exitcodes.SUCCESS
    for stats in results.values()])


def Run(client: clientlib.Client, opts: argparse.Namespace) -> int:
  """Prints the statistics of all daemons.

  """
  stats = client.Stats()
  answers = _Answered(stats)
  _Complain(stats, client.reader is not None)
  if opts.prometheus:
    # Return success even if no daemon answers: the output then has the metric
    # "up" with the value 0 for each candidate
    sys.stdout.write(Prometheus({"": (answers, stats.missing)}))
    return exitcodes.SUCCESS
  if not answers:
    raise clientlib.NoAnswer("No answer to stats from any candidate")
  if opts.json:
    output.PrintDocument(_Document(stats))
  else:
    _PrintTable(answers, opts)
  return exitcodes.FAILURE if stats.missing else exitcodes.SUCCESS

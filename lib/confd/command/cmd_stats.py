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
from ganeti.confd.command import exitcodes
from ganeti.confd.command import output
from ganeti.confd.views import confdmetrics


#: Maps the addresses of candidates to their answers
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


def Prometheus(answers: _Answers, others: Iterable[str] = ()) -> str:
  """Formats answers for Prometheus.

  @param others: the addresses of the candidates that did not answer
  @raise errors.ConfdClientError: prometheus_client is not installed

  """
  # The module is optional, and nothing else needs it
  try:
    import prometheus_client
    from prometheus_client import core
  except ImportError:
    raise errors.ConfdClientError(
      "--prometheus needs the Python module prometheus_client (Debian package"
      " python3-prometheus-client)") from None
  daemons = [confdmetrics.Daemon((address, ), answer)
             for (address, answer) in answers.items()]
  daemons += [confdmetrics.Daemon((address, ), None) for address in others]
  registry = prometheus_client.CollectorRegistry()
  # The library only calls the method collect(), but its annotations want a
  # subclass of its own class
  collector: Any = _Collector(core, daemons)
  registry.register(collector)
  text: bytes = prometheus_client.generate_latest(registry)
  return text.decode("utf-8")


class _Collector:
  """A collector of prometheus_client, for answers.

  """
  def __init__(self, core: Any, daemons: Sequence[confdmetrics.Daemon]) -> None:
    self._core = core
    self._daemons = daemons

  # The library requires this name
  def collect(self) -> Iterator[Any]:
    return confdmetrics.Families(self._core, ["candidate"], self._daemons)


def _Complain(stats: clusterstats.ClusterStats) -> None:
  """Reports the candidates without an answer, and the reasons.

  """
  for reply in stats.failed:
    output.Say(replies.DescribeError(protocol.REQ_STATS, None, reply))
  for (address, reason) in stats.silent.items():
    output.Say("%s: %s" % (address, reason or "no answer; the packaged daemon"
                           " has no such counters, else see the command"
                           " status"))


def Run(client: clientlib.Client, opts: argparse.Namespace) -> int:
  """Prints the statistics of all daemons.

  """
  stats = client.Stats()
  answers = {i.address: i.everything for i in stats.daemons}
  _Complain(stats)
  if opts.prometheus:
    # Not an error even if no daemon answers: the output then has the metric
    # "up" with 0 for each candidate
    sys.stdout.write(Prometheus(
      answers, [i.address for i in stats.failed] + list(stats.silent)))
    return exitcodes.SUCCESS
  if not answers:
    raise clientlib.NoAnswer("No answer to stats from any candidate")
  if opts.json:
    # The serial is not None, since at least one daemon has answered
    serial: Any = stats.serial
    output.PrintReply(clientlib.Reply(answers, serial, stats.replies,
                                      stats.silent))
  else:
    (headers, rows) = Compare(answers)
    output.Printer(opts).Print(headers, rows, range(1, len(headers)))
  return (exitcodes.FAILURE if stats.failed or stats.silent else
          exitcodes.SUCCESS)

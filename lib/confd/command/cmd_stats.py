#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "stats": what daemons tell about themselves.

The answers of all candidates (C{clientlib.clusterstats} asks for them,
C{daemon.stats} makes them) stand side by side, or go to Prometheus.

"""

from __future__ import annotations

import argparse
import sys

from typing import Any, Iterable, Iterator, List, Mapping, Sequence, Tuple

from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd import protocol
from ganeti.confd.clientlib import clusterstats
from ganeti.confd.clientlib import replies
from ganeti.confd.command import exitcodes
from ganeti.confd.command import output
from ganeti.confd.views import confdmetrics


#: From the address of a candidate to its answer
_Answers = Mapping[str, Mapping[str, Any]]


def Table(answers: _Answers) -> Tuple[List[str], List[List[Any]]]:
  """Makes a table, one row for each value and one column for each daemon.

  @return: headers and rows

  """
  values = {address: dict(confdmetrics.Flatten(answer))
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
  daemons = [confdmetrics.Daemon((address, ), answer)
             for (address, answer) in answers.items()]
  daemons += [confdmetrics.Daemon((address, ), None) for address in others]
  registry = prometheus_client.CollectorRegistry()
  # The library knows it by its method, its types by the class
  collector: Any = _Collector(core, daemons)
  registry.register(collector)
  text: bytes = prometheus_client.generate_latest(registry)
  return text.decode("utf-8")


class _Collector:
  """Answers as the library wants them.

  """
  def __init__(self, core: Any, daemons: Sequence[confdmetrics.Daemon]) -> None:
    self._core = core
    self._daemons = daemons

  # The name is the library's
  def collect(self) -> Iterator[Any]:
    return confdmetrics.Families(self._core, ["candidate"], self._daemons)


def _Complain(stats: clusterstats.ClusterStats) -> None:
  """Says who has not told its counters, and why not.

  """
  for reply in stats.failed:
    output.Say(replies.DescribeError(protocol.REQ_STATS, None, reply))
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
    sys.stdout.write(Prometheus(
      answers, [i.address for i in stats.failed] + list(stats.silent)))
    return exitcodes.SUCCESS
  if not answers:
    raise clientlib.NoAnswer("No answer to stats from anybody")
  if opts.json:
    # One that has answered has told its serial
    serial: Any = stats.serial
    output.PrintReply(clientlib.Reply(answers, serial, stats.replies,
                                      stats.silent))
  else:
    (headers, rows) = Table(answers)
    output.Printer(opts).Print(headers, rows, range(1, len(headers)))
  return (exitcodes.FAILURE if stats.failed or stats.silent else
          exitcodes.SUCCESS)

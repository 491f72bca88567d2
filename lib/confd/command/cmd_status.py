#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "status": the state of the master candidates.

C{clientlib.clusterstatus} asks the candidates; this module summarizes and
prints the result.

With --nagios the state is a warning, or critical, if a count exceeds its limit.
There are two counts: the number of silent candidates, which have not answered
with a serial; and the number of changes by which the last candidate is behind,
after the library has given it a second to catch up. Nagios repeats the command,
and decides how long such a state may last.

"""

from __future__ import annotations

import argparse

from typing import Any, Mapping, NamedTuple, Optional, Sequence

from ganeti.confd import client as clientlib
from ganeti.confd.clientlib import clusterstatus
from ganeti.confd.command import cmd_question
from ganeti.confd.command import exitcodes
from ganeti.confd.command import multicluster
from ganeti.confd.command import output


OK = "OK"
WARNING = "WARNING"
CRITICAL = "CRITICAL"
UNKNOWN = "UNKNOWN"

#: The exit codes of a Nagios plugin
NAGIOS_CODES = {
  OK: 0,
  WARNING: 1,
  CRITICAL: 2,
  UNKNOWN: 3,
  }


_Rows = Sequence[clusterstatus.CandidateStatus]

_HEADERS = ["Address", "Answers", "RTT", "Serial", "Behind", "Version",
            "Problem"]
_NUMERIC = (2, 3, 4)


class Limits(NamedTuple):
  """Limits of the counts, by name (C{argtypes.LIMITS}).

  """
  warning: Mapping[str, int]
  critical: Mapping[str, int]


#: The default limits
_LIMITS = Limits({"silent": 0, "behind": 0}, {})


def _Numbers(rows: _Rows) -> dict[str, int]:
  """Returns the counts that have limits, by name.

  """
  return {
    "silent": sum(row.serial is None for row in rows),
    "behind": max((row.behind or 0 for row in rows), default=0),
    }


def _Exceeds(rows: _Rows, limits: Mapping[str, int]) -> bool:
  numbers = _Numbers(rows)
  return any(numbers[what] > limit for (what, limit) in limits.items())


def State(rows: _Rows, limits: Limits = _LIMITS) -> str:
  """Summarizes the states of all candidates.

  @return: L{CRITICAL} if no candidate answers, if configurations with the same
    serial differ, or if a critical limit is exceeded; else L{WARNING} if a
    warning limit is exceeded, if a configuration has another version, or if one
    could not be loaded; else L{OK}

  """
  if (all(row.serial is None for row in rows) or
      any(row.diverges for row in rows) or _Exceeds(rows, limits.critical)):
    return CRITICAL
  if (_Exceeds(rows, limits.warning) or
      any(row.problem for row in rows
          if row.serial is not None and (row.stale or not row.behind))):
    return WARNING
  return OK


def _ExitCode(rows: _Rows) -> int:
  if all(row.serial is None for row in rows):
    return exitcodes.NO_ANSWER
  return exitcodes.SUCCESS if State(rows) == OK else exitcodes.FAILURE


def NagiosLine(rows: _Rows, limits: Limits = _LIMITS) -> str:
  """Formats the line of a Nagios plugin.

  """
  good = [row for row in rows if row.serial is not None]
  text = "%d of %d master candidates answer" % (len(good), len(rows))
  if good:
    text += ", serial %s" % good[0].serial
  values = ["answering=%d;;;0;%d" % (len(good), len(rows))]
  # Nagios' performance data: NAME=VALUE;WARNING;CRITICAL;MIN;MAX
  values.extend("%s=%d;%s;%s;0" % (what, number, limits.warning.get(what, ""),
                                   limits.critical.get(what, ""))
                for (what, number) in _Numbers(rows).items()
                if good or what != "behind")
  if good:
    values.append("rtt=%.6fs;;;0" % max(row.round_trip or 0.0 for row in good))
  problems = ["%s: %s" % (row.address, row.problem)
              for row in rows if row.problem]
  line = "; ".join(["CONFD %s - %s" % (State(rows, limits), text)] + problems)
  return "%s | %s" % (output.NagiosText(line), " ".join(values))


def _Cells(row: clusterstatus.CandidateStatus) -> list[Any]:
  round_trip = None
  if row.round_trip is not None:
    round_trip = "%.1fms" % (row.round_trip * 1000)
  return [row.address, "yes" if row.answers else "no", round_trip, row.serial,
          row.behind, cmd_question.FormatVersion(row.version),
          row.problem or ""]


def _Colour(row: clusterstatus.CandidateStatus) -> Optional[str]:
  if row.serial is None or row.diverges:
    return "red"
  return "yellow" if row.problem else None


def _Reply(answer: clusterstatus.ClusterStatus) -> clientlib.Reply[Any]:
  """Converts the result to a reply for --json.

  """
  # The serial is None if no candidate has answered
  serial: Any = answer.serial
  return clientlib.Reply([row._asdict() for row in answer.candidates], serial,
                         answer.replies, answer.silent)


def _Only(answer: clusterstatus.ClusterStatus) -> clusterstatus.ClusterStatus:
  """Leaves out the candidates that --address does not name.

  The library asks them too, to learn the highest serial.

  """
  rows = [row for row in answer.candidates if row.given]
  addresses = {row.address for row in rows}
  return answer._replace(
    candidates=rows,
    replies=[i for i in answer.replies if i.address in addresses],
    silent={address: reason for (address, reason) in answer.silent.items()
            if address in addresses})


def RunMultiCluster(factories: multicluster.ClientFactories,
                    opts: argparse.Namespace) -> int:
  """Prints the state of the master candidates of several clusters.

  """
  answers = multicluster.AskAll(factories, clientlib.Client.Status)
  if opts.json:
    answers.PrintJson(_Reply)
  else:
    rows = [(name, row) for (name, answer) in answers.values.items()
            for row in answer.candidates]
    if rows:
      output.Printer(opts).Print(
        ["Cluster"] + _HEADERS, [[name] + _Cells(row) for (name, row) in rows],
        [i + 1 for i in _NUMERIC], [_Colour(row) for (_, row) in rows])
    answers.Complain()
  return max([answers.code] + [_ExitCode(answer.candidates)
                               for answer in answers.values.values()])


def Run(client: clientlib.Client, opts: argparse.Namespace) -> int:
  """Prints the state of the master candidates.

  """
  answer = client.Status()
  if opts.only:
    answer = _Only(answer)
  rows = answer.candidates
  if opts.nagios:
    limits = Limits({**_LIMITS.warning, **(opts.warning or {})},
                    opts.critical or {})
    print(NagiosLine(rows, limits))
    return NAGIOS_CODES[State(rows, limits)]
  if opts.json:
    output.PrintReply(_Reply(answer))
  else:
    output.Printer(opts).Print(_HEADERS, [_Cells(row) for row in rows],
                               _NUMERIC, [_Colour(row) for row in rows])
  return _ExitCode(rows)

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "status": how the master candidates are.

The library finds that out (C{clientlib.clusterstatus}); here it is summed up and
printed.

Limits are those of Nagios plugins: it is a warning, or critical, if a number is
more than its limit. What is counted is how many candidates are silent, which
is, have told no serial; and how many changes the one furthest behind is behind,
after it was given a second to catch up. How long that has been so is Nagios's
to know, which asks again.

"""

from __future__ import annotations

import argparse

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

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
  """Numbers by what is counted, one of C{argtypes.LIMITS}.

  """
  warning: Mapping[str, int]
  critical: Mapping[str, int]


#: Where the command line has none
_LIMITS = Limits({"silent": 0, "behind": 0}, {})


def _Numbers(rows: _Rows) -> Dict[str, int]:
  """Counts what there are limits of.

  """
  return {
    "silent": sum(row.serial is None for row in rows),
    "behind": max((row.behind or 0 for row in rows), default=0),
    }


def _Exceeds(rows: _Rows, limits: Mapping[str, int]) -> bool:
  numbers = _Numbers(rows)
  return any(numbers[what] > limit for (what, limit) in limits.items())


def State(rows: _Rows, limits: Limits = _LIMITS) -> str:
  """Sums a table up.

  @return: L{CRITICAL} if nobody has an answer or configurations of one serial
    number differ, or what the limits say; L{WARNING} also where a configuration
    is of another version, or could not be loaded

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
  """Makes the line that a Nagios plugin prints.

  """
  good = [row for row in rows if row.serial is not None]
  text = "%d of %d master candidates answer" % (len(good), len(rows))
  if good:
    text += ", serial %s" % good[0].serial
  values = ["answering=%d;;;0;%d" % (len(good), len(rows))]
  # VALUE;WARNING;CRITICAL;LEAST;MOST
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


def _Cells(row: clusterstatus.CandidateStatus) -> List[Any]:
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
  """Makes what is printed with --json.

  """
  # Nobody may have told a serial
  serial: Any = answer.serial
  return clientlib.Reply([row._asdict() for row in answer.candidates], serial,
                         answer.replies, answer.silent)


def _Only(answer: clusterstatus.ClusterStatus) -> clusterstatus.ClusterStatus:
  """Leaves out the candidates that were not given.

  The others have been asked all the same, for the freshest serial.

  """
  rows = [row for row in answer.candidates if row.given]
  addresses = {row.address for row in rows}
  return answer._replace(
    candidates=rows,
    replies=[i for i in answer.replies if i.address in addresses],
    silent={address: reason for (address, reason) in answer.silent.items()
            if address in addresses})


def RunMultiCluster(askers: multicluster.Askers, opts: argparse.Namespace
                    ) -> int:
  """Shows how the master candidates of several clusters are.

  """
  answers = multicluster.Ask(askers, clientlib.Client.Status)
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


def Run(asker: clientlib.Client, opts: argparse.Namespace) -> int:
  """Shows how the master candidates are.

  """
  answer = asker.Status()
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

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "status": how the master candidates are.

The library finds that out (C{clientlib.status}); here it is summed up and
printed.

"""

from __future__ import annotations

import argparse

from typing import Any, List, Optional, Sequence

from ganeti.confd import client as clientlib
from ganeti.confd import command
from ganeti.confd.clientlib import status as statuslib
from ganeti.confd.command import output
from ganeti.confd.command import questions
from ganeti.confd.command import several


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

_EXIT_CODES = {
  OK: command.EXIT_SUCCESS,
  WARNING: command.EXIT_FAILURE,
  CRITICAL: command.EXIT_NO_ANSWER,
  }


_Rows = Sequence[statuslib.CandidateStatus]

_HEADERS = ["Address", "Answers", "RTT", "Serial", "Behind", "Version",
            "Problem"]
_NUMERIC = (2, 3, 4)


def State(rows: _Rows) -> str:
  """Sums a table up.

  @return: L{OK}; L{WARNING} if something is wrong; L{CRITICAL} if nobody has
    an answer

  """
  if not any(row.serial is not None for row in rows):
    return CRITICAL
  if any(row.problem for row in rows):
    return WARNING
  return OK


def NagiosLine(rows: _Rows) -> str:
  """Makes the line that a Nagios plugin prints.

  """
  good = [row for row in rows if row.serial is not None]
  text = "%d of %d master candidates answer" % (len(good), len(rows))
  numbers = "answering=%d;;;0;%d" % (len(good), len(rows))
  if good:
    text += ", serial %s" % good[0].serial
    numbers += (" behind=%d;;;0 rtt=%.6fs;;;0" %
                (max(row.behind or 0 for row in good),
                 max(row.round_trip or 0.0 for row in good)))
  problems = ["%s: %s" % (row.address, row.problem)
              for row in rows if row.problem]
  line = "; ".join(["CONFD %s - %s" % (State(rows), text)] + problems)
  return "%s | %s" % (line.replace("|", "/").replace("\n", " "), numbers)


def _Cells(row: statuslib.CandidateStatus) -> List[Any]:
  round_trip = None
  if row.round_trip is not None:
    round_trip = "%.1fms" % (row.round_trip * 1000)
  return [row.address, "yes" if row.answers else "no", round_trip, row.serial,
          row.behind, questions.FormatVersion(row.version), row.problem or ""]


def _Colour(row: statuslib.CandidateStatus) -> Optional[str]:
  if row.serial is None:
    return "red"
  return "yellow" if row.problem else None


def _Reply(answer: statuslib.ClusterStatus) -> clientlib.Reply:
  """Makes what is printed with --json.

  """
  # Nobody may have told a serial
  serial: Any = answer.serial
  return clientlib.Reply([row._asdict() for row in answer.candidates], serial,
                         answer.replies, answer.silent)


def RunSeveral(askers: several.Askers, opts: argparse.Namespace) -> int:
  """Shows how the master candidates of several clusters are.

  """
  answers = several.Ask(askers, clientlib.Client.Status)
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
  return max([answers.code] + [_EXIT_CODES[State(answer.candidates)]
                               for answer in answers.values.values()])


def Run(asker: clientlib.Client, opts: argparse.Namespace) -> int:
  """Shows how the master candidates are.

  """
  answer = asker.Status()
  rows = answer.candidates
  state = State(rows)
  if opts.nagios:
    print(NagiosLine(rows))
    return NAGIOS_CODES[state]
  if opts.json:
    output.PrintReply(_Reply(answer))
  else:
    output.Printer(opts).Print(_HEADERS, [_Cells(row) for row in rows],
                               _NUMERIC, [_Colour(row) for row in rows])
  return _EXIT_CODES[state]

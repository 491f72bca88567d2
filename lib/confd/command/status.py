#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "status": how the master candidates are.

All master candidates are asked, those that the cluster itself lists and those
that were given. What they answer is judged by L{Judge}, which does no I/O.

A change takes a moment to reach all candidates: one that is behind is asked
again L{_SETTLE} seconds later, and is behind if it still has not what the
freshest one had at first.

"""

from __future__ import annotations

import argparse
import time

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

from ganeti import constants
from ganeti.confd import client as clientlib
from ganeti.confd import command
from ganeti.confd.clientlib import exchange
from ganeti.confd.command import output
from ganeti.confd.command import questions
from ganeti.confd.command import several
from ganeti.confd.config import naturalorder


#: Seconds
_SETTLE = 1.0

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


class Row(NamedTuple):
  """One candidate.

  """
  address: str
  answers: bool
  #: Seconds
  round_trip: Optional[float]
  serial: Optional[int]
  #: How many changes
  behind: Optional[int]
  #: Of the configuration's format
  version: Any
  #: In words; None where there is none
  problem: Optional[str]


_HEADERS = ["Address", "Answers", "RTT", "Serial", "Behind", "Version",
            "Problem"]
_NUMERIC = (2, 3, 4)

_Replies = Sequence[clientlib.CandidateReply]


def _Problem(behind: int, version: Any, freshest_version: Any
             ) -> Optional[str]:
  if behind == 1:
    return "its configuration is 1 change behind"
  if behind:
    return "its configuration is %d changes behind" % behind
  if version != freshest_version:
    return "its configuration is of another version"
  return None


def _Failure(ping: clientlib.CandidateReply,
             serial: Optional[clientlib.CandidateReply]) -> str:
  """Says why a candidate is of no use though it answers.

  @param serial: its reply to the question for the serial

  """
  if serial is None:
    return "it has answered only one of two questions"
  # The first one that is an error says why
  reply = ping if ping.status != constants.CONFD_REPL_STATUS_OK else serial
  if exchange.IsUnusable(reply.status, reply.answer):
    return "has no usable configuration"
  return "its answers are errors: %s" % (reply.answer, )


def _Order(address: str) -> List[Any]:
  """Returns what to sort addresses by: 192.0.2.2 comes before 192.0.2.10.

  """
  return naturalorder.NaturalKey(address)


def Judge(pings: _Replies, serials: _Replies,
          silent: Mapping[str, Optional[str]],
          expected: Optional[int] = None) -> List[Row]:
  """Makes a table of what the candidates answered.

  @param pings: what they said about the version
  @param serials: what they said about the serial
  @param silent: who has not answered, and why not if that is known
  @param expected: the serial they should have by now; None for the highest
  @return: the freshest first, those without an answer last

  """
  serial_of = {i.address: i for i in serials}

  def _IsGood(ping: clientlib.CandidateReply) -> bool:
    serial = serial_of.get(ping.address)
    return (serial is not None and
            ping.status == constants.CONFD_REPL_STATUS_OK and
            serial.status == constants.CONFD_REPL_STATUS_OK)

  pings = sorted(pings, key=lambda i: _Order(i.address))
  good = [i for i in pings if _IsGood(i)]
  good.sort(key=lambda i: serial_of[i.address].serial, reverse=True)
  rows = []
  for ping in good:
    serial = serial_of[ping.address].serial
    newest = serial_of[good[0].address].serial if expected is None else expected
    behind = max(0, newest - serial)
    rows.append(Row(ping.address, True, ping.round_trip, serial, behind,
                    ping.answer,
                    _Problem(behind, ping.answer, good[0].answer)))
  for ping in pings:
    if ping not in good:
      rows.append(Row(ping.address, True, ping.round_trip, None, None, None,
                      _Failure(ping, serial_of.get(ping.address))))
  for address in sorted(silent, key=_Order):
    rows.append(Row(address, False, None, None, None, None,
                    silent[address] or "no answer: host or daemon down, another"
                    " key, wrong clock, or no configuration"))
  return rows


class Answer(NamedTuple):
  """What the candidates have answered.

  """
  rows: List[Row]
  #: To the question for the serial
  replies: _Replies
  silent: Dict[str, Optional[str]]


def Ask(asker: clientlib.Client) -> Answer:
  """Asks all candidates how they are.

  """
  asker.Learn()
  (pings, silent) = asker.Survey(constants.CONFD_REQ_PING)
  answering = [i.address for i in pings]
  (serials, _) = asker.Survey(*exchange.SERIAL_QUESTION, only=answering)
  rows = Judge(pings, serials, silent)
  if any(row.behind for row in rows):
    time.sleep(_SETTLE)
    expected = max(row.serial for row in rows if row.serial is not None)
    (serials, _) = asker.Survey(*exchange.SERIAL_QUESTION, only=answering)
    rows = Judge(pings, serials, silent, expected)
  return Answer(rows, serials, silent)


def State(rows: Sequence[Row]) -> str:
  """Sums a table up.

  @return: L{OK}; L{WARNING} if something is wrong; L{CRITICAL} if nobody has
    an answer

  """
  if not any(row.serial is not None for row in rows):
    return CRITICAL
  if any(row.problem for row in rows):
    return WARNING
  return OK


def NagiosLine(rows: Sequence[Row]) -> str:
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


def _Cells(row: Row) -> List[Any]:
  round_trip = None
  if row.round_trip is not None:
    round_trip = "%.1fms" % (row.round_trip * 1000)
  return [row.address, "yes" if row.answers else "no", round_trip, row.serial,
          row.behind, questions.FormatVersion(row.version), row.problem or ""]


def _Colour(row: Row) -> Optional[str]:
  if row.serial is None:
    return "red"
  return "yellow" if row.problem else None


def _Reply(answer: Answer) -> clientlib.Reply:
  """Makes what is printed with --json.

  """
  # Nobody may have told a serial
  serial: Any = answer.rows[0].serial
  return clientlib.Reply([row._asdict() for row in answer.rows], serial,
                         list(answer.replies), answer.silent)


def RunSeveral(askers: several.Askers, opts: argparse.Namespace) -> int:
  """Shows how the master candidates of several clusters are.

  """
  answers = several.Ask(askers, Ask)
  if opts.json:
    answers.PrintJson(_Reply)
  else:
    rows = [(name, row) for (name, answer) in answers.values.items()
            for row in answer.rows]
    if rows:
      output.Printer(opts).Print(
        ["Cluster"] + _HEADERS, [[name] + _Cells(row) for (name, row) in rows],
        [i + 1 for i in _NUMERIC], [_Colour(row) for (_, row) in rows])
    answers.Complain()
  return max([answers.code] + [_EXIT_CODES[State(answer.rows)]
                               for answer in answers.values.values()])


def Run(asker: clientlib.Client, opts: argparse.Namespace) -> int:
  """Shows how the master candidates are.

  """
  answer = Ask(asker)
  rows = answer.rows
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

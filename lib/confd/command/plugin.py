#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The output of a Nagios plugin: a line with the state, then any other lines.

Fact: a bar separates the text of the first line from performance data, each of
the form C{NAME=VALUE;WARNING;CRITICAL;MIN;MAX}.

"""

from __future__ import annotations

from ganeti.confd import printable
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  import argparse
  from typing import Mapping, Optional, Sequence


OK = "OK"
WARNING = "WARNING"
CRITICAL = "CRITICAL"
UNKNOWN = "UNKNOWN"

#: The exit codes of a Nagios plugin, by state
CODES = {
  OK: 0,
  WARNING: 1,
  CRITICAL: 2,
  UNKNOWN: 3,
  }

#: The states, in order from the worst to the best
_WORST_FIRST = (CRITICAL, UNKNOWN, WARNING, OK)


class Limits(NamedTuple):
  """The limits for numbers, which have names.

  """
  warning: Mapping[str, int]
  critical: Mapping[str, int]

  def With(self, opts: argparse.Namespace) -> Limits:
    """Adds the limits of --warning and --critical, which replace others.

    """
    return Limits({**self.warning, **(opts.warning or {})},
                  {**self.critical, **(opts.critical or {})})

  def StateOf(self, numbers: Mapping[str, int]) -> str:
    """Returns the state of numbers, each of which is good up to its limit.

    """
    for (limits, state) in [(self.critical, CRITICAL), (self.warning, WARNING)]:
      if any(number > limits.get(what, number)
             for (what, number) in numbers.items()):
        return state
    return OK

  def Datum(self, what: str, number: int, most: Optional[int] = None) -> str:
    """Formats a number, which is good up to its limit, as performance data.

    @param most: the maximum; None if there is none

    """
    datum = "%s=%d;%s;%s;0" % (what, number, self.warning.get(what, ""),
                               self.critical.get(what, ""))
    return datum if most is None else "%s;%d" % (datum, most)


class Report(NamedTuple):
  """The result of a plugin.

  """
  state: str
  #: A summary without line breaks
  text: str
  #: The performance data; an item has the form NAME=VALUE;WARNING;CRITICAL
  numbers: Sequence[str] = ()
  #: The further lines of output, after the one with state and summary
  lines: Sequence[str] = ()

  @property
  def code(self) -> int:
    return CODES[self.state]

  def Format(self) -> list[str]:
    """Returns all lines.

    """
    first = Escape("CONFD %s - %s" % (self.state, self.text))
    if self.numbers:
      first += " | %s" % " ".join(self.numbers)
    return [first, *map(Escape, self.lines)]


def Escape(text: str) -> str:
  """Replaces bars and line breaks, which have a meaning to Nagios.

  """
  return printable.Printable(text).replace("|", "/")


def Join(reports: Mapping[str, Report]) -> Report:
  """Joins the reports on several clusters; the result has the worst state.

  @param reports: by cluster

  """
  state = min((report.state for report in reports.values()),
              key=_WORST_FIRST.index)
  return Report(state, "; ".join("%s %s: %s" % (name, report.state, report.text)
                                 for (name, report) in reports.items()),
                ["%s_%s" % (name, number) for (name, report) in reports.items()
                 for number in report.numbers],
                ["%s: %s" % (name, line) for (name, report) in reports.items()
                 for line in report.lines])

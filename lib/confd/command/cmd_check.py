#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "check": what is wrong or risky in a configuration.

What that is, is found by L{checks}, which knows tables and no questions. The
first line and the exit code are those of a Nagios plugin.

"""

from __future__ import annotations

import argparse
import gc
import itertools
import time

from typing import Any, List, NamedTuple, Sequence, Tuple

from ganeti.confd import client as clientlib
from ganeti.confd import humanize
from ganeti.confd import protocol
from ganeti.confd.command import argtypes
from ganeti.confd.command import output
from ganeti.confd.command import parse
from ganeti.confd.views import checks


OK = "OK"

#: Names of states and exit codes, as Nagios plugins have them
_STATES = {
  checks.CRITICAL: ("CRITICAL", 2),
  checks.WARNING: ("WARNING", 1),
  OK: ("OK", 0),
  }


class Answer(NamedTuple):
  """What there is to check.

  """
  facts: checks.Facts
  #: One of the replies
  reply: clientlib.Reply[Any]


def Ask(asker: clientlib.Client) -> Answer:
  """Asks for all that is checked.

  """
  reply = asker.Tables(checks.FIELDS)
  places = {path: asker.Config(path, optional=True).answer
            for path in checks.PLACES}
  statistics = asker.Query(protocol.REQ_STATS).answer
  return Answer(checks.Known(reply.answer, places, statistics, time.time()),
                reply)


def _Ignored(opts: argparse.Namespace) -> List[str]:
  """Takes the option --ignore apart.

  """
  names = [name.strip() for name in opts.ignore.split(",") if opts.ignore]
  for name in names:
    if name not in checks.CHECKS:
      raise parse.UsageError(
        "no such check: '%s'%s" %
        (name, argtypes.DidYouMean(name, list(checks.CHECKS))), opts.command)
  return names


def _Worst(findings: Sequence[checks.Finding]) -> Tuple[str, int]:
  """Sums findings up.

  @return: a state's name and exit code

  """
  severities = {finding.severity for finding in findings}
  for (severity, state) in _STATES.items():
    if severity in severities:
      return state
  return _STATES[OK]


def _Lines(findings: Sequence[checks.Finding], answer: Answer) -> List[str]:
  """Makes what is printed.

  """
  (state, _) = _Worst(findings)
  critical = sum(1 for i in findings if i.severity == checks.CRITICAL)
  lines = ["CONFD %s - %s in %d instances on %d nodes, serial %d |"
           " findings=%d;;;0 critical=%d;;;0" %
           (state, humanize.Count(len(findings), "finding"),
            len(answer.facts.instances), len(answer.facts.nodes),
            answer.reply.serial, len(findings), critical)]
  for (name, group) in itertools.groupby(findings, lambda i: i.check):
    check = checks.CHECKS[name]
    lines.append("%s %s: %s" % (_STATES[check.severity][0], name, check.text))
    lines.extend(output.NagiosText("  %s: %s" % (i.subject, i.text))
                 for i in group)
    lines.append("  What to do: %s" % check.advice)
  return lines


def Run(asker: clientlib.Client, opts: argparse.Namespace) -> int:
  """Says what is wrong or risky.

  @return: exit code of a Nagios plugin

  """
  ignored = _Ignored(opts)
  # The collector would look at very many objects, which have no cycles
  gc.disable()
  with output.Progress(asker):
    answer = Ask(asker)
  findings = checks.Check(answer.facts, ignored)
  (state, code) = _Worst(findings)
  if opts.json:
    output.PrintReply(answer.reply._replace(answer={
      "state": state,
      "findings": [finding._asdict() for finding in findings],
      }))
  else:
    output.Printer(opts).Print(None, [[line] for line in
                                      _Lines(findings, answer)])
  return code

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "check": finds faults and risks in a configuration.

This module asks for the data, and L{checks} looks for faults in them. The
first line and the exit code are those of a Nagios plugin.

"""

from __future__ import annotations

import argparse
import gc
import itertools
import time

from typing import Any, NamedTuple, Sequence

from ganeti.confd import client as clientlib
from ganeti.confd import humanize
from ganeti.confd import protocol
from ganeti.confd.command import argtypes
from ganeti.confd.command import output
from ganeti.confd.command import parse
from ganeti.confd.views import checks


OK = "OK"

#: Maps severities to the names and exit codes of a Nagios plugin's states
_STATES = {
  checks.CRITICAL: ("CRITICAL", 2),
  checks.WARNING: ("WARNING", 1),
  OK: ("OK", 0),
  }


class Fetched(NamedTuple):
  """The data to check.

  """
  config: checks.ConfigData
  #: The reply with the tables
  reply: clientlib.Reply[Any]


def Fetch(client: clientlib.Client) -> Fetched:
  """Asks for the data.

  """
  reply = client.Tables(checks.FIELDS)
  values = {path: client.Config(path, optional=True).answer
            for path in checks.POINTERS}
  statistics = client.Query(protocol.REQ_STATS).answer
  return Fetched(checks.Read(reply.answer, values, statistics, time.time()),
                 reply)


def _Ignored(opts: argparse.Namespace) -> list[str]:
  """Parses the value of the option --ignore.

  """
  names = [name.strip() for name in opts.ignore.split(",") if opts.ignore]
  for name in names:
    if name not in checks.CHECKS:
      raise parse.UsageError(
        "no such check: '%s'%s" %
        (name, argtypes.DidYouMean(name, list(checks.CHECKS))), opts.command)
  return names


def _Worst(findings: Sequence[checks.Finding]) -> tuple[str, int]:
  """Returns the name and exit code of the worst finding's state.

  """
  severities = {finding.severity for finding in findings}
  for (severity, state) in _STATES.items():
    if severity in severities:
      return state
  return _STATES[OK]


def _Lines(findings: Sequence[checks.Finding], fetched: Fetched) -> list[str]:
  """Formats the output.

  """
  (state, _) = _Worst(findings)
  critical = sum(1 for i in findings if i.severity == checks.CRITICAL)
  lines = ["CONFD %s - %s in %d instances on %d nodes, serial %d |"
           " findings=%d;;;0 critical=%d;;;0" %
           (state, humanize.Count(len(findings), "finding"),
            len(fetched.config.instances), len(fetched.config.nodes),
            fetched.reply.serial, len(findings), critical)]
  for (name, group) in itertools.groupby(findings, lambda i: i.check):
    check = checks.CHECKS[name]
    lines.append("%s %s: %s" % (_STATES[check.severity][0], name, check.text))
    lines.extend(output.NagiosText("  %s: %s" % (i.subject, i.text))
                 for i in group)
    lines.append("  What to do: %s" % check.advice)
  return lines


def Run(client: clientlib.Client, opts: argparse.Namespace) -> int:
  """Prints the faults and risks.

  @return: exit code of a Nagios plugin

  """
  ignored = _Ignored(opts)
  # A large cluster's rows are very many objects, and none is in a cycle
  gc.disable()
  with output.Progress(client):
    fetched = Fetch(client)
  findings = checks.Check(fetched.config, ignored)
  (state, code) = _Worst(findings)
  if opts.json:
    output.PrintReply(fetched.reply._replace(answer={
      "state": state,
      "findings": [finding._asdict() for finding in findings],
      }))
  else:
    output.Printer(opts).Print(None, [[line] for line in
                                      _Lines(findings, fetched)])
  return code

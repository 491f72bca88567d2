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

from typing import Any, Mapping, NamedTuple, Sequence

from ganeti.confd import client as clientlib
from ganeti.confd import humanize
from ganeti.confd import protocol
from ganeti.confd.command import argtypes
from ganeti.confd.command import multicluster
from ganeti.confd.command import output
from ganeti.confd.command import parse
from ganeti.confd.command import plugin
from ganeti.confd.command import result
from ganeti.confd.views import checks


#: Maps the severities of findings to the states of a Nagios plugin
_STATES = {
  checks.CRITICAL: plugin.CRITICAL,
  checks.WARNING: plugin.WARNING,
  }


class Fetched(NamedTuple):
  """The data to check.

  """
  config: checks.ConfigData
  #: The reply with the tables
  reply: clientlib.Reply[Any]


def Fetch(client: clientlib.Client, fields: Mapping[str, list[str]]
          ) -> Fetched:
  """Asks for the data.

  @param fields: the fields to ask for, by table: those of C{checks.FIELDS}, and
    more that the caller needs

  """
  reply = client.Tables(fields)
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


def _State(findings: Sequence[checks.Finding]) -> str:
  """Returns the state of the worst finding.

  """
  severities = {finding.severity for finding in findings}
  return next((state for (severity, state) in _STATES.items()
               if severity in severities), plugin.OK)


def _Report(findings: Sequence[checks.Finding], fetched: Fetched
            ) -> plugin.Report:
  """Makes the report of a plugin.

  """
  critical = sum(1 for i in findings if i.severity == checks.CRITICAL)
  lines = []
  for (name, group) in itertools.groupby(findings, lambda i: i.check):
    check = checks.CHECKS[name]
    lines.append("%s %s: %s" % (_STATES[check.severity], name, check.text))
    lines.extend("  %s: %s" % (i.subject, i.text) for i in group)
    lines.append("  What to do: %s" % check.advice)
  return plugin.Report(
    _State(findings), "%s in %s on %s, serial %d" %
    (humanize.Count(len(findings), "finding"),
     humanize.Count(len(fetched.config.instances), "instance"),
     humanize.Count(len(fetched.config.nodes), "node"), fetched.reply.serial),
    ["findings=%d;;;0" % len(findings), "critical=%d;;;0" % critical], lines)


def _Ask(client: clientlib.Client, opts: argparse.Namespace) -> result.Result:
  """Asks for the data, and looks for faults and risks in them.

  """
  ignored = _Ignored(opts)
  fetched = Fetch(client, checks.FIELDS)
  findings = checks.Check(fetched.config, ignored)
  report = _Report(findings, fetched)
  return result.Result(output.FormatReply(fetched.reply._replace(answer={
    "state": report.state,
    "findings": [finding._asdict() for finding in findings],
    })), report=report, code=report.code)


def RunMultiCluster(factories: multicluster.ClientFactories,
                    opts: argparse.Namespace) -> int:
  """Prints the faults and risks of several clusters.

  """
  _Ignored(opts)
  gc.disable()
  return multicluster.Run(factories, opts, _Ask, is_plugin=True)


def Run(client: clientlib.Client, opts: argparse.Namespace) -> int:
  """Prints the faults and risks.

  @return: exit code of a Nagios plugin

  """
  _Ignored(opts)
  # Disable garbage collection, which would only cost time: a large cluster's
  # rows are very many objects, and none of them is in a reference cycle
  gc.disable()
  return result.Run(client, opts, _Ask)

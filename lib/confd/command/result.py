#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The result of a command for one cluster, and the functions that print it.

C{multicluster} prints the results of several clusters.

"""

from __future__ import annotations

import argparse

from ganeti import errors
from ganeti.confd.command import exitcodes
from ganeti.confd.command import output
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Any, Callable, Optional, Sequence
  from ganeti.confd import client as clientlib
  from ganeti.confd.command import plugin
  from ganeti.confd.command import table


class NotFound(errors.ConfdClientError):
  """The cluster does not have the object that the user has named.

  """


class Result(NamedTuple):
  """The result of a command for one cluster.

  """
  #: The JSON object that --json prints
  document: dict[str, Any]
  #: The table that is printed without --json; None if there is nothing to print
  table: Optional[table.Table] = None
  #: The output of a Nagios plugin, printed in place of the table
  report: Optional[plugin.Report] = None
  code: int = exitcodes.SUCCESS
  #: Lines below the table, each with a key of C{table.COLOURS} or None
  below: Sequence[tuple[str, Optional[str]]] = ()
  #: Messages for standard error
  remarks: Sequence[str] = ()


def PrintBelow(lines: Sequence[tuple[str, Optional[str]]],
               opts: argparse.Namespace) -> None:
  """Prints the lines below a table, unless a program reads the table.

  """
  # Not all commands have the option --separator
  if lines and getattr(opts, "separator", None) is None:
    output.Printer(opts).Print(None, [[text] for (text, _) in lines],
                               colours=[colour for (_, colour) in lines])


def Print(result: Result, opts: argparse.Namespace) -> int:
  """Prints a result.

  @return: exit code

  """
  if opts.json:
    output.PrintDocument(result.document)
  elif result.report is not None:
    for line in result.report.Format():
      print(line)
  elif result.table is not None:
    output.Printer(opts).PrintTable(result.table)
    PrintBelow(result.below, opts)
  for text in result.remarks:
    output.Say(text)
  return result.code


def Run(client: clientlib.Client, opts: argparse.Namespace,
        ask: Callable[[clientlib.Client, argparse.Namespace], Result]) -> int:
  """Runs a command for one cluster, and prints its result.

  @param ask: is called with the two other arguments, while progress is shown
  @return: exit code

  """
  with output.Progress(client):
    result = ask(client, opts)
  return Print(result, opts)

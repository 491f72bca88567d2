#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "list": tables as C{gnt-instance list} prints them.

Facts, from Ganeti: A missing value is printed as "-". If a separator is given,
all sizes are in MiB; else each size has a unit that fits it.

"""

from __future__ import annotations

import argparse
import sys

from typing import TYPE_CHECKING, Any, Iterator, Optional, Sequence

from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd.clientlib import filters
from ganeti.confd.clientlib import tables
from ganeti.confd.command import argtypes
from ganeti.confd.command import cellformat
from ganeti.confd.command import commandline
from ganeti.confd.command import exitcodes
from ganeti.confd.command import multicluster
from ganeti.confd.command import output
from ganeti.confd.command import proposals
from ganeti.confd.schema import columns
from ganeti.confd.schema import naturalorder

if TYPE_CHECKING:
  from ganeti.confd.command import watched


#: Maps each table to the fields that are listed without --output
_DEFAULT_FIELDS = {
  columns.INSTANCE: ["name", "hypervisor", "os", "pnode", "admin_state",
                     "be/maxmem"],
  columns.NODE: ["name", "role", "group", "pinst_cnt", "sinst_cnt"],
  columns.GROUP: ["name", "node_cnt", "pinst_cnt", "alloc_policy",
                  "ndparams"],
  columns.NETWORK: ["name", "network", "gateway", "mac_prefix",
                    "group_list", "tags"],
  columns.DISK: ["uuid", "instance", "dev_type", "size", "nodes"],
  }

#: The value of --output that means the default fields and more
_WIDE = "wide"

#: Maps each table to the fields that the word "wide" of --output adds
_WIDE_FIELDS = {
  columns.INSTANCE: ["snodes", "be/vcpus", "disk_usage", "nic.ips", "tags"],
  columns.NODE: ["pip", "pinst_maxmem", "pinst_vcpus", "pinst_disk",
                 "sinst_maxmem", "sinst_disk", "tags"],
  columns.GROUP: ["pinst_maxmem", "pinst_vcpus", "pinst_disk", "sinst_maxmem",
                  "sinst_disk", "tags"],
  columns.NETWORK: ["network6", "usable_count", "used_count", "inst_cnt"],
  columns.DISK: ["index", "mode", "vg", "pool", "provider", "volumes", "name"],
  }

#: Maps tables to Ganeti's command that asks the nodes for current values
_ASKS_NODES = {
  columns.INSTANCE: "gnt-instance list",
  columns.NODE: "gnt-node list",
  }
#: Maps tables to Ganeti's fields whose values only the nodes know, and which
#: the configuration does not have
_ON_NODES_ONLY = {
  columns.INSTANCE: frozenset(["console", "oper_ram", "oper_state",
                               "oper_vcpus", "status"]),
  columns.NODE: frozenset(["bootid", "cnodes", "cnos", "csockets", "ctotal",
                           "dfree", "dtotal", "mfree", "mnode", "mtotal",
                           "spfree", "sptotal"]),
  }

_NUMERIC = (columns.NUMBER, columns.FLOAT, columns.UNIT)

_Rows = Sequence[Sequence[Any]]


class _Listing:
  """A table that is printed.

  """
  def __init__(self, what: str, fields: list[str], rows: _Rows,
               clusters: Optional[list[str]] = None) -> None:
    """Initializes this class.

    @param clusters: the cluster of each row, for the first column; None if only
      one cluster is asked

    """
    self._what = what
    self._clusters = clusters
    self._fields = fields
    self._rows = rows
    self._columns = [columns.Describe(what, name) for name in fields]

  def _Cells(self, writers: Sequence[cellformat.Writer],
             missing: Optional[str]) -> list[list[Optional[str]]]:
    cells = [[missing if value is None else write(value)
              for (write, value) in zip(writers, row)]
             for row in self._rows]
    if self._clusters is not None:
      cells = [[cluster, *row] for (cluster, row) in zip(self._clusters, cells)]
    return cells

  def _Headers(self, first: str, others: list[str]) -> list[str]:
    return others if self._clusters is None else [first, *others]

  def _IsNumeric(self, index: int) -> bool:
    kind = self._columns[index].kind
    if kind is not None:
      return kind in _NUMERIC
    present = [row[index] for row in self._rows if row[index] is not None]
    return bool(present) and all(
      isinstance(value, (int, float)) and not isinstance(value, bool)
      for value in present)

  def Print(self, opts: argparse.Namespace) -> None:
    """Prints the table in columns.

    """
    headers = self._Headers("Cluster",
                            [column.title for column in self._columns])
    # If several clusters are listed, a column with their names, which are not
    # numbers, comes before the others
    first = len(headers) - len(self._columns)
    numeric = [first + i for i in range(len(self._columns))
               if self._IsNumeric(i)]
    output.Printer(opts).Print(headers, self.Cells(opts), numeric)

  def Cells(self, opts: argparse.Namespace) -> list[list[Optional[str]]]:
    """Formats the cells of all rows for L{Print}.

    """
    unit = opts.units or ("h" if opts.separator is None else "m")
    return self._Cells([cellformat.TableWriter(self._what, column, unit)
                        for column in self._columns], None)

  def PrintCsv(self, opts: argparse.Namespace) -> None:
    import csv
    out = csv.writer(sys.stdout, lineterminator="\n")
    if opts.headers:
      out.writerow(map(cellformat.FormatCsv,
                       self._Headers("cluster", self._fields)))
    writers = [cellformat.CsvWriter(column, opts.units or "m")
               for column in self._columns]
    rows = self._Cells(writers, "")
    if self._clusters is not None:
      rows = [[cellformat.FormatCsv(row[0]), *row[1:]] for row in rows]
    out.writerows(rows)


def _ParseFields(text: Optional[str], what: str) -> list[str]:
  """Parses the value of the option --output.

  """
  if text is None:
    return list(_DEFAULT_FIELDS[what])
  if text == _WIDE:
    return _DEFAULT_FIELDS[what] + _WIDE_FIELDS[what]
  if text.startswith("+"):
    return _DEFAULT_FIELDS[what] + text[1:].split(",")
  return text.split(",")


def _Wanted(opts: argparse.Namespace) -> tuple[Any, Optional[list[str]]]:
  """Returns the filter and the names that select rows.

  As in Ganeti's commands, a filter may stand in place of a name, and names may
  be patterns, which become a filter.

  @return: the filter, parsed (C{List} and C{Follow} take that as well as a
    text), and the names; None for each that is not given
  @raise client.FilterError: the filter cannot be parsed

  """
  (condition, names) = (opts.filter, opts.names)
  if condition is None and len(names) == 1 and filters.IsFilter(names[0]):
    (condition, names) = (names[0], [])
  parsed = tables.ParsedFilter(opts.kind, condition)
  if any(filters.IsGlob(name) for name in names):
    patterns = filters.ParseArguments(names, tables.KeyField(opts.kind))
    parsed = patterns if parsed is None else parsed.And(patterns)
    names = []
  return (parsed, names or None)


def _FetchRows(client: clientlib.Client, opts: argparse.Namespace,
               fields: list[str]) -> clientlib.Reply[Any]:
  """Fetches a table.

  @return: a reply whose answer is the rows

  """
  (condition, names) = _Wanted(opts)
  asked = fields
  if opts.sort and opts.sort not in fields:
    asked = [*fields, opts.sort]
  reply = client.List(opts.kind, asked, filter=condition, names=names)
  rows = reply.answer
  if opts.sort:
    index = asked.index(opts.sort)
    rows = sorted(rows, key=lambda row: naturalorder.AnyKey(row[index]))
  if opts.reverse:
    rows = rows[::-1]
  return reply._replace(answer=[row[:len(fields)] for row in rows])


def _ExplainUnknownField(client: clientlib.Client, opts: argparse.Namespace,
                         err: clientlib.ErrorAnswer) -> clientlib.ErrorAnswer:
  """Adds a hint to the error that a field is unknown.

  """
  code = err.code
  if not (isinstance(code, dict) and code.get("unknown") == "field"):
    return err
  field = str(code.get("value"))
  if field in _ON_NODES_ONLY.get(opts.kind, ()):
    return clientlib.ErrorAnswer(
      "%s; only the nodes know that, and \"%s -o %s\" asks them" %
      (err, _ASKS_NODES[opts.kind], field), err.reply)
  try:
    known = [row[0] for row in client.Fields(opts.kind).answer]
  except errors.ConfdClientError:
    return err
  return clientlib.ErrorAnswer(
    "%s%s; \"%s list-fields %ss\" lists all fields" %
    (err, argtypes.DidYouMean(field, known), commandline.PROGRAM, opts.kind),
    err.reply)


def _Explain(client: clientlib.Client, opts: argparse.Namespace,
             err: clientlib.ErrorAnswer) -> clientlib.ErrorAnswer:
  """Adds a hint to the error that a field or a name is unknown.

  """
  return proposals.ForName(client, opts.kind,
                           _ExplainUnknownField(client, opts, err))


def _Fetch(client: clientlib.Client, opts: argparse.Namespace,
           fields: list[str]) -> clientlib.Reply[Any]:
  """Fetches a table; the error about an unknown field or name has a hint.

  """
  try:
    return _FetchRows(client, opts, fields)
  except clientlib.ErrorAnswer as err:
    raise _Explain(client, opts, err) from err


def _Named(reply: clientlib.Reply[Any], fields: list[str]
           ) -> clientlib.Reply[Any]:
  """Converts the rows of an answer to objects with the fields' names.

  """
  return reply.With(tables.Named(reply.answer, fields))


def _Print(table: _Listing, opts: argparse.Namespace) -> None:
  (table.PrintCsv if opts.csv else table.Print)(opts)


def Run(client: clientlib.Client, opts: argparse.Namespace) -> int:
  """Prints a table of objects.

  """
  fields = _ParseFields(opts.output, opts.kind)
  with output.Progress(client):
    reply = _Fetch(client, opts, fields)
  if opts.json:
    output.PrintReply(_Named(reply, fields))
  elif opts.json_lines:
    output.PrintLines(_Named(reply, fields).answer)
  else:
    _Print(_Listing(opts.kind, fields, reply.answer), opts)
  return exitcodes.SUCCESS


def Watch(client: clientlib.Client, opts: argparse.Namespace
          ) -> watched.Watched:
  """Returns a table for "watch".

  """
  from ganeti.confd.command import watched as watchedlib
  fields = _ParseFields(opts.output, opts.kind)
  (condition, names) = _Wanted(opts)
  titles = [columns.Describe(opts.kind, name).title for name in fields]

  def _Start(report_error: watched.ReportError) -> Iterator[clientlib.Change]:
    try:
      yield from client.Follow(opts.kind, fields, filter=condition, names=names,
                               on_error=report_error)
    except clientlib.ErrorAnswer as err:
      raise _Explain(client, opts, err) from err

  def _Show(rows: _Rows) -> None:
    _Listing(opts.kind, fields, rows).Print(opts)

  def _Row(row: Sequence[Any]) -> watched.Row:
    (cells, ) = _Listing(opts.kind, fields, [row]).Cells(opts)
    return watchedlib.Row(titles, cells)

  def _ToJson(rows: Optional[_Rows]) -> Any:
    return rows and tables.Named(rows, fields)

  def _RowToJson(row: Sequence[Any]) -> Any:
    return dict(zip(fields, row))

  return watchedlib.Watched(_Start, _Show, _Row, _ToJson, _RowToJson)


def RunMultiCluster(factories: multicluster.ClientFactories,
                    opts: argparse.Namespace) -> int:
  """Prints a table of the objects of several clusters.

  """
  fields = _ParseFields(opts.output, opts.kind)
  answers = multicluster.AskAll(factories,
                                lambda client: _Fetch(client, opts, fields))
  answers.DropUnknown()
  if opts.json:
    answers.PrintJson(lambda reply: output.FormatReply(_Named(reply, fields)))
    return answers.code
  if opts.json_lines:
    output.PrintLines(dict(row, cluster=name)
                      for (name, reply) in answers.values.items()
                      for row in _Named(reply, fields).answer)
    output.PrintLines({"cluster": name, "error": output.Describe(err)}
                      for (name, err) in answers.failures.items())
    return answers.code
  pairs = [(name, row) for (name, reply) in answers.values.items()
           for row in reply.answer]
  if answers.values:
    _Print(_Listing(opts.kind, fields, [row for (_, row) in pairs],
                    [name for (name, _) in pairs]), opts)
  answers.Complain()
  return answers.code

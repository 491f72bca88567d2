#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "describe": everything about one object.

This module asks for the data, and prints the description that C{views.objects}
makes of them.

"""

from __future__ import annotations

import argparse
import gc

from typing import Any, Callable, NamedTuple, Optional, Sequence

from ganeti.confd import client as clientlib
from ganeti.confd.command import cellformat
from ganeti.confd.command import cmd_check
from ganeti.confd.command import multicluster
from ganeti.confd.command import output
from ganeti.confd.command import proposals
from ganeti.confd.command import result
from ganeti.confd.command import rights
from ganeti.confd.command import table
from ganeti.confd.protocol import readerkey
from ganeti.confd.protocol import wire
from ganeti.confd.schema import columns
from ganeti.confd.views import checks
from ganeti.confd.views import evacuation
from ganeti.confd.views import objects


#: The colours of findings, by severity
_COLOURS = {
  checks.CRITICAL: "red",
  checks.WARNING: "yellow",
  }

#: A cell shows at most this many items of a list
_MANY = 10

_INDENT = "  "

#: The right to ask for the cluster's own settings
_CONFIG = "config"


class _Line(NamedTuple):
  """A line of the text.

  """
  text: str
  #: A key of C{table.COLOURS}; None for the terminal's own colour
  colour: Optional[str] = None


def _Plain(value: Any) -> str:
  if isinstance(value, (bool, dict)):
    return wire.EncodeJson(value)
  return str(value)


def _Join(value: Any) -> Optional[str]:
  """Formats a value; of a long list, only the first items.

  @return: None if there is nothing to show

  """
  if not isinstance(value, list):
    return None if value is None else _Plain(value)
  items = [_Plain(item) for item in value if item is not None]
  if len(items) > _MANY:
    items[_MANY:] = ["... (%d)" % len(items)]
  return ", ".join(items) or None


def _Size(value: Any) -> Optional[str]:
  return None if value is None else cellformat.Leniently(
    lambda size: cellformat.FormatUnit(size, "h"))(value)


def _Time(value: Any) -> Optional[str]:
  return None if value is None else cellformat.Leniently(
    cellformat.FormatTime)(value)


def _Parameter(value: Any) -> Optional[str]:
  return value if isinstance(value, str) else wire.EncodeJson(value)


#: The functions that format values, by the form of their column. All other
#: forms, such as names, are formatted by L{_Join}.
_FORMATS: dict[str, Callable[[Any], Optional[str]]] = {
  objects.SIZE: _Size,
  objects.TIME: _Time,
  objects.PARAMETER: _Parameter,
  }


def _Format(column: objects.Column, value: Any) -> Optional[str]:
  return _FORMATS.get(column.form, _Join)(column.Word(value))


def _FindingLines(section: objects.Section) -> list[_Line]:
  """Formats findings, as the command "check" prints them.

  """
  lines = [_Line(""), _Line(section.title)]
  for (subject, severity, text, advice) in section.rows:
    lines.append(_Line("%s%s: %s: %s" % (_INDENT, severity.upper(), subject,
                                         text), _COLOURS[severity]))
    lines.append(_Line("%sWhat to do: %s" % (2 * _INDENT, advice)))
  return lines


def _SectionLines(section: objects.Section) -> list[_Line]:
  """Formats a section: its title, and its table.

  """
  title = section.title
  if section.is_counted:
    title = "%s (%d)" % (title, len(section.rows))
  lines = [_Line(""), _Line(title)]
  if section.text:
    lines.append(_Line(_INDENT + section.text))
  if not section.rows:
    return lines + ([] if section.text else [_Line(_INDENT + "none")])
  (headers, *rows) = table.Format(
    [column.title for column in section.columns],
    [[_Format(column, value) for (column, value) in zip(section.columns, row)]
     for row in section.rows],
    numeric=[i for (i, column) in enumerate(section.columns)
             if column.is_number])
  return lines + [_Line(_INDENT + text) for text in (headers, *rows)]


def _Text(found: objects.Description) -> list[_Line]:
  """Formats a description as text.

  """
  # Leave out the name, which is in the first line
  cells = [(column.title, _Format(column, value))
           for (column, value) in found.properties if column.field != "name"]
  lines = [_Line("%s %s" % (found.kind, found.name))]
  lines.extend(_Line(_INDENT + text) for text in table.Format(
    None, [cell for cell in cells if cell[1]]))
  for section in found.sections:
    make = (_FindingLines if section.name == objects.FINDINGS
            else _SectionLines)
    lines.extend(make(section))
  return lines


def _Document(found: objects.Description) -> dict[str, Any]:
  """Converts a description to the object for --json.

  """
  return {
    "kind": found.kind,
    "name": found.name,
    "properties": {column.field: value
                   for (column, value) in found.properties},
    "sections": {section.name: [
      dict(zip([column.field for column in section.columns], row))
      for row in section.rows] for section in found.sections},
    }


def _Fields() -> dict[str, list[str]]:
  """Lists the fields of all objects that a description and its findings need.

  """
  every: tuple[dict[str, list[str]], ...] = (
    checks.FIELDS, evacuation.FIELDS, objects.OTHER_FIELDS)
  return {kind: list(dict.fromkeys(name for fields in every
                                   for name in fields.get(kind, [])))
          for kind in columns.KINDS}


def _AskOthers(client: clientlib.Client, lacking: Sequence[str]
               ) -> tuple[clientlib.Reply[Any], Sequence[checks.Finding]]:
  """Asks for all tables, and looks for findings if the key permits that.

  @param lacking: the rights to the configuration and to the statistics that
    the key lacks

  """
  if lacking:
    return (client.Tables(_Fields()), [])
  fetched = cmd_check.Fetch(client, _Fields())
  return (fetched.reply, checks.Check(fetched.config))


def _LeftOut(lacking: Sequence[str], has_only_properties: bool
             ) -> list[tuple[str, Optional[str]]]:
  """Tells which parts of a description are missing, and why.

  @param lacking: the rights that the key lacks
  @return: lines below the description

  """
  if not lacking:
    return []
  text = "Findings are left out"
  if has_only_properties:
    text = "Only properties are printed"
  elif _CONFIG in lacking:
    text = ("Findings, effects of a failure and the cluster's parameters are"
            " left out")
  return [("", None), ("%s, as the key does not permit %s." %
                       (text, ", ".join(lacking)), None)]


def _Ask(client: clientlib.Client, opts: argparse.Namespace) -> result.Result:
  """Asks for an object, and for all that belongs to it.

  """
  try:
    reply = client.List(opts.kind, objects.FIELDS[opts.kind], names=[opts.name],
                        named=True)
  except clientlib.ErrorAnswer as err:
    raise proposals.ForName(client, opts.kind, err) from err
  (row, ) = reply.answer
  lacking = rights.LeftOut(client.reader, opts.command)
  config = None
  if not any(right.startswith(readerkey.LIST) for right in lacking):
    (other, findings) = _AskOthers(client, lacking)
    reply = other._replace(serial=min(reply.serial, other.serial))
    tables: Any = other.answer

    def _Read(kind: str, _: Sequence[str]) -> Sequence[objects.Row]:
      rows: Sequence[objects.Row] = tables[kind]
      return rows

    settings = (None if _CONFIG in lacking else
                client.Config(objects.CLUSTER, optional=True).answer)
    config = objects.Config(_Read, settings, findings)
  found = objects.Describe(config, opts.kind, row)
  lines = _Text(found)
  return result.Result(
    output.FormatReply(reply._replace(answer=_Document(found))),
    table.Table(None, [[line.text] for line in lines],
                colours=[line.colour for line in lines], is_drawing=True),
    below=_LeftOut(lacking, config is None))


def RunMultiCluster(factories: multicluster.ClientFactories,
                    opts: argparse.Namespace) -> int:
  """Prints the descriptions of the objects that have the name.

  """
  gc.disable()
  return multicluster.Run(factories, opts, _Ask)


def Run(client: clientlib.Client, opts: argparse.Namespace) -> int:
  """Prints the description of an object.

  """
  # Disable garbage collection: no object of the tables is in a reference cycle,
  # see cmd_check
  gc.disable()
  return result.Run(client, opts, _Ask)

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "list": tables as C{gnt-instance list} prints them.

Facts: with a separator sizes are in MiB, else in a unit that fits them; a value
that an object does not have is "-"; which lists are joined by commas differs
from one of Ganeti's commands to the other, the rest is printed as Python
prints it.

"""

import csv
import time

from ganeti.confd.clientlib import filters
from ganeti.confd.config import columns as columnlib
from ganeti.confd.config import naturalorder


#: What to list by the word that the user says
KINDS = {
  "instances": columnlib.INSTANCE,
  "nodes": columnlib.NODE,
  "groups": columnlib.GROUP,
  "networks": columnlib.NETWORK,
  "disks": columnlib.DISK,
  }

#: The columns if none are named
_DEFAULT_FIELDS = {
  columnlib.INSTANCE: ["name", "hypervisor", "os", "pnode", "admin_state",
                       "be/maxmem"],
  columnlib.NODE: ["name", "role", "group", "pinst_cnt", "sinst_cnt"],
  columnlib.GROUP: ["name", "node_cnt", "pinst_cnt", "alloc_policy",
                    "ndparams"],
  columnlib.NETWORK: ["name", "network", "gateway", "mac_prefix",
                      "group_list", "tags"],
  columnlib.DISK: ["uuid", "instance", "dev_type", "size", "nodes"],
  }

#: The field that patterns for names are about
NAME_FIELDS = {
  columnlib.DISK: "uuid",
  }

_NUMERIC = frozenset([columnlib.NUMBER, columnlib.FLOAT, columnlib.UNIT])

#: What list-fields calls the types
_TYPE_NAMES = {
  columnlib.TEXT: "Text",
  columnlib.NUMBER: "Number",
  columnlib.FLOAT: "Floating-point number",
  columnlib.UNIT: "Storage size",
  columnlib.BOOL: "Boolean",
  columnlib.TIMESTAMP: "Timestamp",
  columnlib.OTHER: "Custom",
  }

#: --units: number of times that 1024 MiB are divided, and suffix
UNITS = ("h", "m", "g", "t")
_FIXED_UNITS = {
  "m": 0,
  "g": 1,
  "t": 2,
  }


def ParseFields(text, what):
  """Takes the option --output apart.

  @type text: string or None
  @rtype: list of strings

  """
  if text is None:
    return list(_DEFAULT_FIELDS[what])
  if text.startswith("+"):
    return _DEFAULT_FIELDS[what] + text[1:].split(",")
  return text.split(",")


def FormatUnit(size, unit):
  """Writes a size.

  @type size: number
  @param size: in MiB
  @param unit: one of L{UNITS}; "h" for one that fits, and says which

  """
  power = _FIXED_UNITS.get(unit)
  suffix = ""
  if power is None:
    power = 0 if size < 1024 else 1 if size < 1024 ** 2 else 2
    suffix = "MGT"[power]
  if power == 0:
    return "%s%s" % (round(size), suffix)
  return "%s%s" % (round(size / 1024 ** power, 1), suffix)


def _FormatBool(value):
  return "Y" if value else "N"


def _FormatTime(value):
  return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value))


def _JoinItems(value):
  return ",".join(str(item) for item in value)


def _JoinParams(value):
  return ", ".join("%s=%s" % item for item in value.items())


def _JoinConnections(value):
  return ", ".join("%s (%s)" % (name, ", ".join(how))
                   for (name, *how) in value)


#: How the fields with structures are written that are not as in Python
_SHAPES = {
  columnlib.INSTANCE: dict.fromkeys(
    ["tags", "disk.sizes", "nic.macs", "nic.ips", "nic.modes", "nic.links",
     "nic.bridges", "nic.networks", "snodes", "snodes.group",
     "snodes.group.uuid"], _JoinItems),
  columnlib.NODE: dict.fromkeys(["pinst_list", "sinst_list", "tags"],
                                _JoinItems),
  columnlib.GROUP: {
    "node_list": _JoinItems,
    "pinst_list": _JoinItems,
    "ndparams": _JoinParams,
    },
  columnlib.NETWORK: {
    "group_list": _JoinConnections,
    "inst_list": _JoinItems,
    "tags": _JoinItems,
    },
  columnlib.DISK: {
    "nodes": _JoinItems,
    },
  }


def _FormatAny(value):
  return _FormatBool(value) if isinstance(value, bool) else str(value)


def Leniently(write):
  """Makes a function that writes any value, also of another type.

  A broken configuration is served, and can be looked at.

  """
  def _Write(value):
    try:
      return write(value)
    except (AttributeError, OSError, OverflowError, TypeError, ValueError):
      return str(value)
  return _Write


class Table:
  """A table, ready to be printed.

  """
  def __init__(self, what, fields, rows):
    """@param what: one of L{columns.KINDS}
    @type fields: list of strings
    @type rows: list of lists

    """
    self.fields = fields
    self.rows = rows
    self._shapes = _SHAPES[what]
    self._described = [columnlib.Describe(what, name) for name in fields]

  def _Formatter(self, field, unit):
    """Returns the function that writes the values of a field.

    """
    write = self._shapes.get(field.name) or {
      columnlib.BOOL: _FormatBool,
      columnlib.UNIT: lambda size: FormatUnit(size, unit),
      columnlib.TIMESTAMP: _FormatTime,
      None: _FormatAny,
      }.get(field.kind)
    return str if write is None else Leniently(write)

  def _Cells(self, unit, missing):
    columns = []
    for (index, field) in enumerate(self._described):
      write = self._Formatter(field, unit)
      columns.append([missing if row[index] is None else write(row[index])
                      for row in self.rows])
    return [list(row) for row in zip(*columns)]

  def _IsNumeric(self, index):
    kind = self._described[index].kind
    if kind is None:
      values = [row[index] for row in self.rows if row[index] is not None]
      return bool(values) and all(
        isinstance(value, (int, float)) and not isinstance(value, bool)
        for value in values)
    return kind in _NUMERIC

  def Print(self, printer, unit):
    """Prints the table for people.

    @type printer: L{table.Printer}
    @param unit: one of L{UNITS}

    """
    numeric = [i for i in range(len(self.fields)) if self._IsNumeric(i)]
    printer.Print([field.title for field in self._described],
                  self._Cells(unit, None), numeric)

  def PrintCsv(self, stream, headers, unit):
    """Prints the table as comma-separated values.

    """
    writer = csv.writer(stream, lineterminator="\n")
    if headers:
      writer.writerow(self.fields)
    writer.writerows(self._Cells(unit, ""))

  def ToDicts(self):
    return [dict(zip(self.fields, row)) for row in self.rows]


def _SortKey(value):
  """Returns what to sort any values by: missing ones first, texts naturally.

  """
  if value is None:
    return (0, 0)
  if isinstance(value, (bool, int, float)):
    return (1, value)
  text = value if isinstance(value, str) else str(value)
  return (2, naturalorder.NaturalKey(text))


def Ask(asker, what, fields, names, condition=None, sort=None):
  """Asks for a table.

  @type asker: L{sync.Client}
  @param what: one of L{columns.KINDS}
  @type names: list of strings
  @param names: names, or patterns; a single one may be a filter
  @type condition: string or None
  @param condition: a filter
  @type sort: string or None
  @param sort: the field to sort by
  @rtype: L{exchange.Reply}
  @return: the answer is a L{Table}

  """
  if condition is None and len(names) == 1 and filters.IsFilter(names[0]):
    (condition, names) = (names[0], [])
  if any(filters.IsGlob(name) for name in names):
    # One filter can be asked for; the other one is done here
    return _AskPatterns(asker, what, fields, names, condition, sort)
  columns = fields + [sort] if sort and sort not in fields else fields
  reply = asker.List(what, columns, filter=condition, names=names or None)
  return _Finish(reply, what, fields, columns, reply.answer, sort)


def _AskPatterns(asker, what, fields, names, condition, sort):
  """Asks for the objects whose names match patterns.

  """
  patterns = filters.ParseArguments(names, NAME_FIELDS.get(what,
                                                           filters.NAME))
  needed = dict.fromkeys(patterns.fields + ([sort] if sort else []))
  columns = fields + [name for name in needed if name not in fields]
  reply = asker.List(what, columns, filter=condition)
  return _Finish(reply, what, fields, columns,
                 patterns.Select(columns, reply.answer), sort)


def _Finish(reply, what, fields, columns, rows, sort):
  if sort:
    index = columns.index(sort)
    rows = sorted(rows, key=lambda row: _SortKey(row[index]))
  if len(columns) > len(fields):
    rows = [row[:len(fields)] for row in rows]
  return reply._replace(answer=Table(what, fields, rows))


def SelectFields(rows, names):
  """Selects some of the fields that there are.

  @param rows: from L{questions.Questions.Fields}
  @type names: list of strings
  @param names: only these; none for all
  @return: tuple of rows, and list of names that are no fields

  """
  known = {row[0]: row for row in rows}
  return ([known[name] for name in names if name in known] if names else rows,
          [name for name in names if name not in known])


def PrintFields(printer, rows):
  """Prints which fields there are.

  @param rows: from L{questions.Questions.Fields}

  """
  printer.Print(["Name", "Type", "Title", "Description"],
                [[name, _TYPE_NAMES.get(kind, kind), title, text]
                 for (name, title, kind, text) in rows])

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The text of one cell, in tables and in CSV.

Facts: each of Ganeti's commands joins some lists by commas, but different
commands join different lists. All other lists and objects are printed in the
syntax of Python.

Rules for CSV, which is for programs:
  - A missing value is empty.
  - A boolean is C{true} or C{false}.
  - The items of a list are joined by commas. A list that contains lists or
    objects is JSON, and so is an object.
  - A string is escaped as in tables, so that each row is one line.
  - An apostrophe is put before a string that begins with "=", "+", "-" or "@",
    because a spreadsheet would otherwise evaluate the string as a formula
    (OWASP, "CSV Injection"). No apostrophe is put before a number.

"""

from __future__ import annotations

import math
import time

from typing import Any, Callable

from ganeti.confd import printable
from ganeti.confd.protocol import wire
from ganeti.confd.schema import columns


#: A function that formats one value as text
Writer = Callable[[Any], str]

#: A spreadsheet takes a cell for a formula if the cell begins with one of these
#: characters. OWASP also lists control characters; all control characters are
#: escaped anyway.
_FORMULA = ("=", "+", "-", "@",
            # Fullwidth forms, which some spreadsheets treat like the ASCII ones
            "\uff1d", "\uff0b", "\uff0d", "\uff20")

#: Maps units to exponents: with exponent n, the unit is 1024^n MiB
_POWERS = {
  "m": 0,
  "g": 1,
  "t": 2,
  }


def FormatUnit(size: float, unit: str) -> str:
  """Formats a size.

  @param size: in MiB
  @param unit: one of C{argtypes.UNITS}; for "h" the unit is appended

  """
  suffix = ""
  if unit == "h":
    if size < 1024:
      unit = "m"
    elif size < 1024 ** 2:
      unit = "g"
    else:
      unit = "t"
    suffix = unit.upper()
  power = _POWERS[unit]
  if power == 0:
    return "%s%s" % (round(size), suffix)
  return "%s%s" % (round(size / 1024 ** power, 1), suffix)


def Leniently(write: Writer, otherwise: Writer = str) -> Writer:
  """Returns a function that formats a value of any type.

  The daemon also serves configurations that have values of wrong types.

  @param otherwise: formats the value if C{write} raises an exception

  """
  def _Write(value: Any) -> str:
    try:
      return write(value)
    except (AttributeError, OSError, OverflowError, TypeError, ValueError):
      return otherwise(value)
  return _Write


def FormatTime(value: float) -> str:
  """Formats a time, in seconds since the epoch.

  """
  return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value))


def _FormatBool(value: Any) -> str:
  return "Y" if value else "N"


def _FormatFloat(value: float) -> str:
  """Formats a number as Ganeti's daemon does, which sends 1.0 as 1.

  """
  return str(int(value) if value == int(value) else value)


def _FormatAny(value: Any) -> str:
  return _FormatBool(value) if isinstance(value, bool) else str(value)


def _JoinItems(value: Any) -> str:
  return ",".join(str(item) for item in value)


def _JoinPairs(value: Any) -> str:
  return ",".join("%s:%s" % (one, other) for (one, other) in value)


def _JoinParams(value: Any) -> str:
  return ", ".join("%s=%s" % item for item in value.items())


def _JoinConnections(value: Any) -> str:
  return ", ".join("%s (%s)" % (name, ", ".join(how))
                   for (name, *how) in value)


#: Maps tables and their fields to functions that format a list or an object as
#: Ganeti's commands print it, where Python's str() would give another text
_STRUCTURE_WRITERS: dict[str, dict[str, Writer]] = {
  columns.INSTANCE: dict.fromkeys(
    ["tags", "disk.sizes", "nic.macs", "nic.ips", "nic.modes", "nic.links",
     "nic.bridges", "nic.networks", "snodes", "snodes.group",
     "snodes.group.uuid"], _JoinItems),
  columns.NODE: dict.fromkeys(["pinst_list", "sinst_list", "tags"],
                              _JoinItems),
  columns.GROUP: {
    "node_list": _JoinItems,
    "pinst_list": _JoinItems,
    "ndparams": _JoinParams,
    },
  columns.NETWORK: {
    "group_list": _JoinConnections,
    "inst_list": _JoinItems,
    "tags": _JoinItems,
    },
  columns.DISK: {
    "minors": _JoinItems,
    "minors.shared": _JoinPairs,
    "nodes": _JoinItems,
    "volumes": _JoinItems,
    "volumes.shared": _JoinItems,
    },
  }


def TableWriter(what: str, column: columns.Column, unit: str) -> Writer:
  """Returns the function that formats the values of a field for a table.

  @param what: one of C{columns.KINDS}

  """
  write = _STRUCTURE_WRITERS[what].get(column.name)
  if write is not None:
    return Leniently(write)
  if column.kind == columns.BOOL:
    return _FormatBool
  if column.kind == columns.UNIT:
    return Leniently(lambda size: FormatUnit(size, unit))
  if column.kind == columns.TIMESTAMP:
    return Leniently(FormatTime)
  if column.kind == columns.FLOAT:
    return Leniently(_FormatFloat)
  if column.kind is None:
    return _FormatAny
  return str


def _JoinCsv(value: Any) -> str:
  if value is None or isinstance(value, float) and not math.isfinite(value):
    return ""
  if isinstance(value, str):
    return value
  if isinstance(value, list) and not any(isinstance(item, (list, dict))
                                         for item in value):
    return ",".join(_JoinCsv(item) for item in value)
  return wire.EncodeJson(value)


def FormatCsv(value: Any) -> str:
  """Formats any JSON value for CSV.

  """
  text = printable.Printable(_JoinCsv(value))
  if isinstance(value, (str, list)) and text.startswith(_FORMULA):
    return "'" + text
  return text


def CsvWriter(column: columns.Column, unit: str) -> Writer:
  """Returns the function that formats the values of a field for CSV.

  """
  if column.kind == columns.UNIT:
    return Leniently(lambda size: FormatUnit(size, unit), FormatCsv)
  if column.kind == columns.TIMESTAMP:
    return Leniently(FormatTime, FormatCsv)
  return FormatCsv

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""How values of the inventory's fields are written, in tables and in CSV.

Facts: in a table of Ganeti's commands, which lists are joined by commas differs
from one command to the other, and what is no text or number else is printed as
Python prints it.

Rules for CSV, which is for programs: what is missing is empty; a boolean is
C{true} or C{false}; the items of a list are joined by commas, unless there are
lists or objects among them; such a list, and an object, is JSON. A text is
escaped as in tables, so that a row is a line. A text that a spreadsheet would
take for a formula, since it begins with "=", "+", "-" or "@", has an apostrophe
before it, as OWASP ("CSV Injection") has it; numbers stay as they are.

"""

from __future__ import annotations

import math
import time

from typing import Any, Callable, Dict

from ganeti.confd import printable
from ganeti.confd.protocol import wire
from ganeti.confd.schema import columns


#: Writes one value
Writer = Callable[[Any], str]

#: A spreadsheet's formula begins with one of these. The other characters that
#: OWASP names are escaped.
_FORMULA = ("=", "+", "-", "@",
            # The same in full width, which some take for them
            "\uff1d", "\uff0b", "\uff0d", "\uff20")

#: How many times the MiB of a size are divided by 1024
_POWERS = {
  "m": 0,
  "g": 1,
  "t": 2,
  }


def FormatUnit(size: float, unit: str) -> str:
  """Writes a size.

  @param size: in MiB
  @param unit: one of C{argtypes.UNITS}; "h" for one that fits, and says
    which

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
  """Makes a function that writes any value, also of another type.

  A broken configuration is served, and can be looked at.

  """
  def _Write(value: Any) -> str:
    try:
      return write(value)
    except (AttributeError, OSError, OverflowError, TypeError, ValueError):
      return otherwise(value)
  return _Write


def _FormatTime(value: float) -> str:
  return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value))


def _FormatBool(value: Any) -> str:
  return "Y" if value else "N"


def _FormatFloat(value: float) -> str:
  """Writes a number as Ganeti does, whose daemon sends 1.0 as 1.

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


#: How the fields with structures are written that are not as in Python
_SHAPES: Dict[str, Dict[str, Writer]] = {
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
  """Returns the function that writes the values of a field in a table.

  @param what: one of C{columns.KINDS}

  """
  shape = _SHAPES[what].get(column.name)
  if shape is not None:
    return Leniently(shape)
  if column.kind == columns.BOOL:
    return _FormatBool
  if column.kind == columns.UNIT:
    return Leniently(lambda size: FormatUnit(size, unit))
  if column.kind == columns.TIMESTAMP:
    return Leniently(_FormatTime)
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
  """Writes any JSON value for CSV.

  """
  text = printable.Printable(_JoinCsv(value))
  if isinstance(value, (str, list)) and text.startswith(_FORMULA):
    return "'" + text
  return text


def CsvWriter(column: columns.Column, unit: str) -> Writer:
  """Returns the function that writes the values of a field for CSV.

  """
  if column.kind == columns.UNIT:
    return Leniently(lambda size: FormatUnit(size, unit), FormatCsv)
  if column.kind == columns.TIMESTAMP:
    return Leniently(_FormatTime, FormatCsv)
  return FormatCsv

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tables in the layout of Ganeti's commands.

Columns are aligned, numbers to the right, with one blank between columns. With
a separator nothing is aligned.

Rule: each row is one line, and the separator appears only between columns,
whatever characters the values have. (Ganeti's commands, which print values
without escapes, do not keep this rule.)

"""

from __future__ import annotations

import os

from ganeti.confd import printable
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Any, Collection, Optional, Sequence, TextIO


#: Control sequences of colours (ECMA-48, SGR)
COLOURS = {
  "red": "\033[31m",
  "yellow": "\033[33m",
  }
_PLAIN = "\033[0m"


class Table(NamedTuple):
  """A table to print.

  """
  #: The titles of the columns; None for a table without titles
  headers: Optional[Sequence[str]]
  rows: Sequence[Sequence[Any]]
  #: The indexes of the columns with numbers
  numeric: Collection[int] = ()
  #: For each row a key of L{COLOURS} or None; empty for no colours
  colours: Sequence[Optional[str]] = ()
  #: Whether the rows are lines of a drawing or of a text. The drawings of
  #: several clusters are printed one after the other, and not merged into one
  #: table.
  is_drawing: bool = False


def _Paint(line: str, colour: Optional[str]) -> str:
  if colour is None:
    return line
  return COLOURS[colour] + line + _PLAIN


def _Text(value: Any) -> str:
  """Formats a cell; characters that would break the line are escaped.

  """
  return "-" if value is None else printable.Printable(str(value))


def _Place(text: str, separator: str) -> int:
  """Returns the index of the first separator that begins in a cell's text.

  A separator follows the cell. So the end of the text and the beginning of the
  following separator may together form a separator, too.

  @return: the length of the text if no separator begins in the text

  """
  return (text + separator).index(separator)


def CanHold(text: str, separator: Optional[str]) -> bool:
  """Tells whether a cell can hold a text without escapes.

  @param separator: None for an aligned table

  """
  return text.isprintable() and (separator is None or
                                 _Place(text, separator) == len(text))


def _WithoutSeparator(cell: str, separator: str) -> str:
  """Escapes each separator that begins in a cell.

  @param separator: its first character does not occur in escapes, see
    C{argtypes.Separator}

  """
  while True:
    found = _Place(cell, separator)
    if found == len(cell):
      return cell
    cell = "%s%s%s" % (cell[:found], "\\x%02x" % ord(cell[found]) if
                       ord(cell[found]) < 0x100 else
                       "\\u%04x" % ord(cell[found]), cell[found + 1:])


def Format(headers: Optional[Sequence[str]], rows: Sequence[Sequence[Any]],
           separator: Optional[str] = None,
           numeric: Collection[int] = ()) -> list[str]:
  """Formats a table.

  @param numeric: the indexes of the columns that hold numbers
  @return: the lines

  """
  cells = [[_Text(value) for value in row] for row in rows]
  if headers is not None:
    cells.insert(0, [_Text(header) for header in headers])
  if separator is not None:
    return [separator.join(_WithoutSeparator(cell, separator) for cell in row)
            for row in cells]
  widths = [max(len(value) for value in column) for column in zip(*cells)]
  lines = []
  for row in cells:
    aligned = [value.rjust(width) if i in numeric else value.ljust(width)
               for (i, (value, width)) in enumerate(zip(row, widths))]
    lines.append(" ".join(aligned).rstrip())
  return lines


class Printer:
  """Prints tables with or without headers, alignment and colours.

  """
  def __init__(self, stream: TextIO, with_headers: bool,
               separator: Optional[str]) -> None:
    self._stream = stream
    self._with_headers = with_headers
    self._separator = separator

  def Print(self, headers: Optional[Sequence[str]],
            rows: Sequence[Sequence[Any]], numeric: Collection[int] = (),
            colours: Sequence[Optional[str]] = ()) -> None:
    """Prints a table.

    @param headers: None for a table without headers
    @param colours: for each row one of L{COLOURS} or None; only used on a
      terminal

    """
    has_headers = headers is not None and self._with_headers
    lines = Format(headers if has_headers else None, rows, self._separator,
                   numeric)
    if colours and self._stream.isatty() and not os.environ.get("NO_COLOR"):
      first = len(lines) - len(rows)
      lines[first:] = [_Paint(line, colour)
                       for (line, colour) in zip(lines[first:], colours)]
    for line in lines:
      self._stream.write(line + "\n")

  def PrintTable(self, table: Table) -> None:
    self.Print(table.headers, table.rows, table.numeric, table.colours)

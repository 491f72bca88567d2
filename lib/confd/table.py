#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tables the way Ganeti's commands print them.

Columns are aligned and one blank apart, numbers to the right; with a separator
nothing is aligned.

"""


def _Text(value):
  """Makes the text of a cell; what would break the line is escaped.

  """
  text = "-" if value is None else str(value)
  return "".join(char if char.isprintable() else
                 char.encode("unicode_escape").decode("ascii")
                 for char in text)


def Format(headers, rows, separator=None, numeric=()):
  """Formats a table.

  @type headers: list of strings, or None
  @type rows: list of lists
  @type separator: string or None
  @param numeric: the indexes of the columns that hold numbers
  @rtype: list of strings
  @return: the lines

  """
  rows = [[_Text(value) for value in row] for row in rows]
  if headers is not None:
    rows.insert(0, list(headers))
  if separator is not None:
    return [separator.join(row) for row in rows]
  widths = [max(len(value) for value in column) for column in zip(*rows)]
  lines = []
  for row in rows:
    cells = [value.rjust(width) if i in numeric else value.ljust(width)
             for (i, (value, width)) in enumerate(zip(row, widths))]
    lines.append(" ".join(cells).rstrip())
  return lines

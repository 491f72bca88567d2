#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Text that can be shown, whatever a value holds.

Rule: every text that is shown to a person goes through L{Printable}, whether on
a terminal, in a table, in a log or on a page. A character that only one format
gives a meaning, such as "<" in markup, is escaped where that format is written.

"""


def Printable(text: str) -> str:
  """Escapes what breaks a line, moves a terminal, or cannot be written at all.

  Escaped is all that Python does not call printable: control characters, ends
  of lines, marks that turn the direction of writing, characters without a
  shape, lone surrogates. The result is one line.

  """
  if text.isprintable():
    return text
  return "".join(char if char.isprintable() else
                 char.encode("unicode_escape").decode("ascii")
                 for char in text)

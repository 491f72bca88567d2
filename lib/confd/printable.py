#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Escapes values so that they can be shown to a person.

Rule: every text that is shown to a person goes through L{Printable}, whether on
a terminal, in a table, in a log or on a page. Characters that have a meaning in
one format only, such as "<" in HTML, are escaped where that format is written.

"""


def Printable(text: str) -> str:
  """Escapes characters that end a line, control a terminal, or are invisible.

  The function escapes all characters that C{str.isprintable} rejects: control
  characters, line separators, bidirectional controls, unassigned code points,
  lone surrogates. The result is one line.

  """
  if text.isprintable():
    return text
  return "".join(char if char.isprintable() else
                 char.encode("unicode_escape").decode("ascii")
                 for char in text)

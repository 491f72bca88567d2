#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Text that can be shown, whatever a name holds.

"""


def Printable(text: str) -> str:
  """Escapes what would break a line, or cannot be written at all.

  That is what Python does not call printable: control characters, ends of
  lines, lone surrogates.

  """
  if text.isprintable():
    return text
  return "".join(char if char.isprintable() else
                 char.encode("unicode_escape").decode("ascii")
                 for char in text)

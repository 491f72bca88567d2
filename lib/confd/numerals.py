#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Numbers that somebody has typed: digits, and nothing else.

C{int} reads more than that: blanks around, underscores, digits of other
scripts; and it takes long for very many digits.

"""

from __future__ import annotations


#: Digits at the most
_MAX_DIGITS = 10


def Parse(text: str, least: int, most: int) -> int:
  """Reads a number within limits.

  @raise ValueError: it is none, or is beyond them

  """
  if (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and
      least <= int(text) <= most):
    return int(text)
  raise ValueError("not a number from %d to %d" % (least, most))


def Port(text: str) -> int:
  """Reads the number of a port.

  @raise ValueError: it is none

  """
  try:
    return Parse(text, 1, 65535)
  except ValueError:
    raise ValueError("not a port") from None

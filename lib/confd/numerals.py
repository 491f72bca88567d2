#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Parses numbers that a user has typed: ASCII digits, and nothing else.

C{int} is too lenient: it takes surrounding blanks, underscores, and digits of
other scripts. And C{int} is slow for very long texts: the time grows with the
square of the number of digits.

"""

from __future__ import annotations


#: Maximum number of digits of a number that is parsed
_MAX_DIGITS = 10


def Parse(text: str, least: int, most: int) -> int:
  """Parses a number.

  @param least: the smallest number allowed
  @param most: the largest number allowed
  @raise ValueError: the text is no number, or one beyond these limits

  """
  if (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and
      least <= int(text) <= most):
    return int(text)
  raise ValueError("not a number from %d to %d" % (least, most))


def Port(text: str) -> int:
  """Parses the number of a port.

  @raise ValueError: the text is no number from 1 to 65535

  """
  try:
    return Parse(text, 1, 65535)
  except ValueError:
    raise ValueError("not a port") from None

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Counts and sizes as people read them.

A client's answers may hold any number: infinity, or an integer whose sum with
another has too many digits for Python to print. Code that adds sizes up reads
each of them with L{Mebibytes} first.

"""

from __future__ import annotations

import math

from typing import Any, Optional


#: Upper limit for a plausible size of memory or disks, in MiB
_MAX_MEBIBYTES = 1 << 44


def Count(number: int, noun: str) -> str:
  """Formats a number of things: 1 node, 2 nodes.

  """
  return "%d %s%s" % (number, noun, "" if number == 1 else "s")


def Mebibytes(value: Any) -> Optional[int]:
  """Returns a size in MiB, or None if the value is no plausible size.

  """
  if type(value) is int and 0 <= value <= _MAX_MEBIBYTES:
    return value
  return None


def FormatMebibytes(size: Any) -> Optional[str]:
  """Formats a size in MiB, or returns None if the value is no finite number.

  """
  if isinstance(size, bool) or not isinstance(size, (int, float)):
    return None
  if isinstance(size, float) and not math.isfinite(size):
    return None
  for (unit, factor) in [("TiB", 1 << 20), ("GiB", 1 << 10)]:
    # The upper limit keeps the division from an OverflowError: an integer may
    # be too large for a float
    if factor <= size < 1 << 1000:
      return "%.1f %s" % (size / factor, unit)
  return "%d MiB" % size

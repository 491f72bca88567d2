#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The order of names: node2 comes before node10.

"""

from __future__ import annotations

import re

from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any, Union



# At most 18 digits count as one number, since int() of a very long number
# raises ValueError
_DIGITS_RE = re.compile("([0-9]{1,18})")


def NaturalKey(name: str) -> list[Union[str, int]]:
  """Returns the sort key of a name: node2 comes before node10.

  """
  parts: list[Union[str, int]] = _DIGITS_RE.split(name)
  parts[1::2] = map(int, parts[1::2])
  return parts


def AnyKey(value: Any) -> tuple[int, Any]:
  """Returns the sort key of any value: None first, then numbers, then texts.

  """
  if value is None:
    return (0, 0)
  if isinstance(value, (bool, int, float)):
    return (1, value)
  return (2, NaturalKey(value if isinstance(value, str) else str(value)))

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The order of names: node2 comes before node10.

"""

from __future__ import annotations

import re

from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any, Tuple, Union



# Bounded, since converting a very long number fails
_DIGITS_RE = re.compile("([0-9]{1,18})")


def NaturalKey(name: str) -> list[Union[str, int]]:
  """Returns what to sort names by, so that node2 comes before node10.

  """
  parts: list[Union[str, int]] = _DIGITS_RE.split(name)
  parts[1::2] = map(int, parts[1::2])
  return parts


def AnyKey(value: Any) -> Tuple[int, Any]:
  """Returns what to sort any values by: missing ones first, texts naturally.

  """
  if value is None:
    return (0, 0)
  if isinstance(value, (bool, int, float)):
    return (1, value)
  return (2, NaturalKey(value if isinstance(value, str) else str(value)))

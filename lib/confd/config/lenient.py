#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Type checks for values of a configuration.

Rule: a value that has another type than expected counts as missing, since the
configuration is written by another program, and may be damaged or of a newer
version. A number of more than 64 bits counts as missing, too: Ganeti writes no
such number, and a sum with such a number could overflow.

"""

from __future__ import annotations

from ganeti.confd import protocol
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any, Iterable, Optional, Protocol, TypeVar, Union, overload

  #: A JSON object as it is stored
  Stored = dict[str, Any]

  _Value_co = TypeVar("_Value_co", covariant=True)
  _Default = TypeVar("_Default")

  class Check(Protocol[_Value_co]):
    """A function that returns a value if it has a certain type, else a default.

    """
    @overload
    def __call__(self, value: Any) -> Optional[_Value_co]: ...

    @overload
    def __call__(self, value: Any,
                 default: _Default) -> Union[_Value_co, _Default]: ...


def Dict(value: Any) -> Stored:
  return value if isinstance(value, dict) else {}


def List(value: Any) -> list[Any]:
  return value if isinstance(value, list) else []


def _Typed(kind: type) -> Check[Any]:
  def _Check(value: Any, default: Any = None) -> Any:
    return value if isinstance(value, kind) else default
  return _Check


def _Bounded(least: int, *kinds: type) -> Check[Any]:
  end = protocol.NUMBER_END

  def _Check(value: Any, default: Any = None) -> Any:
    # A boolean is no number, although Python's bool is a subclass of int. NaN
    # fails the comparison, too.
    if (isinstance(value, kinds) and not isinstance(value, bool) and
        least <= value < end):
      return value
    return default
  return _Check


Text: Check[str] = _Typed(str)
Bool: Check[bool] = _Typed(bool)
Number: Check[Union[int, float]] = _Bounded(-protocol.NUMBER_END, int, float)
Count: Check[int] = _Bounded(0, int)


def Sum(values: Iterable[Union[int, float]]) -> Optional[Union[int, float]]:
  """Adds numbers of 64 bits.

  @return: None if the sum has more than 64 bits

  """
  try:
    return Number(sum(values))
  except OverflowError:
    return None


def First(*values: Optional[_Default], default: _Default) -> _Default:
  """Returns the first value that is not None, even if it is empty.

  Ganeti fills in defaults for missing parameters only: an empty value overrides
  the default.

  """
  for value in values:
    if value is not None:
      return value
  return default

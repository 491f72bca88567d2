#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Replacements for those parts of C{typing} that are needed at run time.

Rule: a module imports the names for its annotations below C{if
TYPE_CHECKING:}, which only type checkers like mypy regard as true, and imports
the names that are needed at run time from this module. For type checkers, the
names of this module are C{typing}'s.

Fact: importing C{typing} takes 4 ms of each command, and memory in each of the
daemon's processes. Annotations do not need C{typing} at run time, since C{from
__future__ import annotations} keeps them as text.

"""

from __future__ import annotations

import collections


# TYPE_CHECKING is False, but not a literal: Jedi, which completes names in
# editors, evaluates literals, and would ignore the branches for type checkers
TYPE_CHECKING = not __name__

if TYPE_CHECKING:
  from typing import Any
  from typing import Generic as Generic, NamedTuple as NamedTuple, \
    TypeVar as TypeVar, cast as cast, overload as overload
else:
  #: Attributes that Python itself sets in each class, and so in the named
  #: tuple. Of these, only C{__doc__} is copied from the class to the named
  #: tuple.
  _OWN = frozenset(["__annotations__", "__classcell__", "__dict__", "__doc__",
                    "__module__", "__qualname__", "__slots__", "__weakref__"])

  class _NamedTupleMeta(type):
    """Turns a class with annotations into a C{collections.namedtuple}.

    The result is like that of C{typing.NamedTuple}.

    """
    def __new__(mcs, name: str, bases: tuple[type, ...],
                namespace: dict[str, Any]) -> type:
      if not bases:
        return super().__new__(mcs, name, bases, namespace)
      fields = namespace.get("__annotations__", {})
      made = collections.namedtuple(
        name, fields, module=namespace["__module__"],
        defaults=[namespace[field] for field in fields if field in namespace])
      made.__annotations__ = fields
      for (key, value) in namespace.items():
        if key == "__doc__" or key not in _OWN and key not in fields:
          setattr(made, key, value)
      return made

  class NamedTuple(metaclass=_NamedTupleMeta):
    """The base of named tuples, like C{typing.NamedTuple}."""

  class Generic:
    """The base of classes with type parameters, like C{typing.Generic}."""
    __slots__ = ()

    # pylint: disable=C0103
    def __class_getitem__(cls, _: Any) -> type:
      return cls

  # pylint: disable=C0103
  def TypeVar(name: str, **_: Any) -> str:
    return name

  def cast(_: Any, value: Any) -> Any:
    return value

  def overload(function: Any) -> Any:
    return function

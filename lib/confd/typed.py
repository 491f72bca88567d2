#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What classes and calls need of C{typing} when the program runs.

Fact: to import C{typing} takes 4 ms of each command, and memory in each of the
daemon's processes. Annotations do not need it at run time, since each module
has them as text (C{from __future__ import annotations}).

Rule: a module imports the names for its annotations below C{if
TYPE_CHECKING:}, which only tools like mypy take for true, and takes the names
that are needed at run time from here. For those tools, the names here are those
of C{typing}.

"""

from __future__ import annotations

import collections


TYPE_CHECKING = False

if TYPE_CHECKING:
  from typing import Any, Dict, Tuple
  from typing import Generic as Generic, NamedTuple as NamedTuple, \
    TypeVar as TypeVar, cast as cast, overload as overload
else:
  #: What a class that is made of another one has anew
  _OWN = frozenset(["__annotations__", "__classcell__", "__dict__", "__doc__",
                    "__module__", "__qualname__", "__slots__", "__weakref__"])

  class _NamedTupleMeta(type):
    """Makes a class of named fields out of annotations, as C{typing} does.

    """
    def __new__(mcs, name: str, bases: Tuple[type, ...],
                namespace: Dict[str, Any]) -> type:
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
    """The base of classes that are data."""

  class Generic:
    """The base of classes whose contents have a type of their own."""
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

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests that what typed has at run time does what typing's does"""

from __future__ import annotations

import pickle
import subprocess
import sys
import typing
import unittest

import testutils

from ganeti.confd import typed


class _Ours(typed.NamedTuple):
  """A class of data.

  """
  name: str
  size: int = 3
  items: typing.Sequence[_Ours] = ()

  @property
  def double(self) -> int:
    return 2 * self.size

  def __str__(self) -> str:
    return "%s!" % self.name

  @classmethod
  def Make(cls, name: str) -> _Ours:
    return cls(name, 7)

  @staticmethod
  def Half(size: int) -> int:
    return size // 2


class _Theirs(typing.NamedTuple):
  """A class of data.

  """
  name: str
  size: int = 3
  items: typing.Sequence[_Theirs] = ()

  @property
  def double(self) -> int:
    return 2 * self.size

  def __str__(self) -> str:
    return "%s!" % self.name

  @classmethod
  def Make(cls, name: str) -> _Theirs:
    return cls(name, 7)

  @staticmethod
  def Half(size: int) -> int:
    return size // 2


class _Empty(typed.NamedTuple):
  name: str


_Item = typed.TypeVar("_Item", bound="str")


class _Box(typed.Generic[_Item]):
  __slots__ = ["item"]

  def __init__(self, item):
    self.item = item


class _Pair(_Ours, typed.Generic[_Item]):
  __slots__ = ()

  def Name(self):
    return super().__str__() + "?"


class TestNamedTuple(unittest.TestCase):
  def testLikeTypings(self):
    for cls in (_Ours, _Theirs):
      with self.subTest(cls):
        item = cls("x")
        self.assertEqual(item, ("x", 3, ()))
        self.assertEqual(item.double, 6)
        self.assertEqual(str(item), "x!")
        self.assertEqual(repr(item),
                         "%s(name='x', size=3, items=())" % cls.__name__)
        self.assertEqual(cls.Make("y"), ("y", 7, ()))
        self.assertEqual(cls.Half(5), 2)
        self.assertEqual(item._replace(size=4).size, 4)
        self.assertEqual(item._asdict(), {"name": "x", "size": 3, "items": ()})
        self.assertEqual(pickle.loads(pickle.dumps(item)), item)
        self.assertIs(type(pickle.loads(pickle.dumps(item))), cls)
        self.assertRaises(TypeError, cls)
        self.assertRaises(AttributeError, setattr, item, "other", 1)
        self.assertRaises(AttributeError, setattr, item, "name", 1)
        self.assertEqual(cls.__doc__, "A class of data.\n\n  ")
        self.assertEqual(cls.__mro__, (cls, tuple, object))
    for name in ("_fields", "_field_defaults", "__module__", "__slots__"):
      self.assertEqual(getattr(_Ours, name), getattr(_Theirs, name))
    self.assertEqual(list(_Ours.__annotations__),
                     list(_Theirs.__annotations__))

  def testWithoutDocstring(self):
    class _Typings(typing.NamedTuple):
      name: str

    self.assertEqual(_Empty.__doc__, _Typings.__doc__.replace("_Typings",
                                                              "_Empty"))

  def testSubclass(self):
    pair = _Pair[int]("x")
    self.assertIsInstance(pair, _Ours)
    self.assertEqual(pair.Name(), "x!?")
    self.assertRaises(AttributeError, setattr, pair, "other", 1)


class TestOthers(unittest.TestCase):
  def testGeneric(self):
    box = _Box[int](3)
    self.assertEqual(box.item, 3)
    self.assertIs(type(box), _Box)
    self.assertRaises(AttributeError, setattr, box, "other", 1)

  def testCast(self):
    self.assertEqual(typed.cast("int", "x"), "x")

  def testOverload(self):
    @typed.overload
    def _Function(item):
      return item

    self.assertEqual(_Function(3), 3)

  def testWithoutTyping(self):
    # Without site, which imports what it likes
    result = subprocess.run(
      [sys.executable, "-S", "-c", "import sys; sys.path.insert(0, %r)\n"
       "from ganeti.confd import typed\n"
       "print('typing' in sys.modules)" % testutils.MODULEDIR],
      check=True, stdout=subprocess.PIPE, encoding="ascii")
    self.assertEqual(result.stdout, "False\n")


if __name__ == "__main__":
  unittest.main()

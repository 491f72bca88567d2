#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tables as confd-client prints them.

"""

import io
import os
import unittest
from unittest import mock

import hypothesis
from hypothesis import strategies

from ganeti.confd.command import table


class _Terminal(io.StringIO):
  def isatty(self):
    return True


class TestFormat(unittest.TestCase):
  def testAligned(self):
    self.assertEqual(table.Format(["Name", "Size"], [["a", 5], ["long", 1234]],
                                  numeric=(1, )),
                     ["Name Size",
                      "a       5",
                      "long 1234"])

  def testNoBlanksAtTheEnd(self):
    self.assertEqual(table.Format(["A", "Long"], [["x", ""]]), ["A Long", "x"])

  def testSeparator(self):
    self.assertEqual(table.Format(["A", "B"], [["x", None], [1, "y"]],
                                  separator="::"),
                     ["A::B", "x::-", "1::y"])

  def testValuesWithTheSeparator(self):
    for (separator, cells, expected) in [
      ("|", ["a|b", "c"], "a\\x7cb|c"),
      ("\t", ["a\tb", "c"], "a\\tb\tc"),
      ("::", ["a::b", "c"], "a\\x3a:b::c"),
      ("::", ["a:", ":c"], "a\\x3a:::c"),
      ("|b|", ["|b", "x"], "\\x7cb|b|x"),
      ("\u732b", ["a\u732b"], "a\\u732b"),
      ]:
      with self.subTest(separator=separator, cells=cells):
        self.assertEqual(table.Format(None, [cells], separator), [expected])

  @hypothesis.given(strategies.text("|:;a\n", min_size=1).filter(
    lambda text: not text[0].isalnum()),
                    strategies.lists(strategies.text("|:;a\\\n"), min_size=1))
  def testColumnsStayWhereTheyAre(self, separator, cells):
    [line] = table.Format(None, [cells], separator)
    self.assertEqual(len(line.split(separator)), len(cells))

  def testHeaders(self):
    self.assertEqual(table.Format(["\033[2J"], []), ["\\x1b[2J"])

  def testEmpty(self):
    self.assertEqual(table.Format(["A", "B"], []), ["A B"])
    self.assertEqual(table.Format(None, []), [])

  def testControlCharacters(self):
    self.assertEqual(table.Format(None, [["a\033[0m\n\u202eb \u00e9"]]),
                     ["a\\x1b[0m\\n\\u202eb \u00e9"])


class TestPrinter(unittest.TestCase):
  def _Print(self, stream, headers=True):
    table.Printer(stream, headers, None).Print(
      ["A"], [["x"], ["y"], ["z"]], colours=["red", None, "yellow"])
    return stream.getvalue()

  def testColourOnATerminalOnly(self):
    self.assertEqual(self._Print(io.StringIO()), "A\nx\ny\nz\n")
    self.assertEqual(self._Print(_Terminal()),
                     "A\n\033[31mx\033[0m\ny\n\033[33mz\033[0m\n")

  def testWhoWantsNoColour(self):
    with mock.patch.dict(os.environ, NO_COLOR="1"):
      self.assertEqual(self._Print(_Terminal()), "A\nx\ny\nz\n")

  def testNoHeaders(self):
    self.assertEqual(self._Print(io.StringIO(), headers=False), "x\ny\nz\n")
    self.assertEqual(self._Print(_Terminal(), headers=False),
                     "\033[31mx\033[0m\ny\n\033[33mz\033[0m\n")


if __name__ == "__main__":
  unittest.main()

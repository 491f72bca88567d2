#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""How values of the inventory are written.

"""

import unittest

from ganeti.confd.command import cellformat
from ganeti.confd.schema import columns


class TestCsv(unittest.TestCase):
  def testAnyValue(self):
    for (value, expected) in [
      (None, ""),
      (True, "true"),
      (False, "false"),
      (0, "0"),
      (1.5, "1.5"),
      ("a,b", "a,b"),
      ("", ""),
      ([], ""),
      (["a", None, "b"], "a,,b"),
      ([True, 5, None], "true,5,"),
      ({}, "{}"),
      ({"a": 1, "b": None, "c": [True]}, '{"a":1,"b":null,"c":[true]}'),
      ([["a", None], "b"], '[["a",null],"b"]'),
      # No row is two, and no terminal obeys
      ("a\nb\r\t", "a\\nb\\r\\t"),
      ("\033[2J\x7f\x9b\u202e\ud800", "\\x1b[2J\\x7f\\x9b\\u202e\\ud800"),
      # Values that would be formulas
      ("=1+1", "'=1+1"),
      ("\uff1d1+1", "'\uff1d1+1"),
      ("+1", "'+1"),
      ("-1", "'-1"),
      ("@SUM(A1)", "'@SUM(A1)"),
      ("\t=1", "\\t=1"),
      (["-a", "b"], "'-a,b"),
      (-1, "-1"),
      (-1.5, "-1.5"),
      ("a=1", "a=1"),
      ]:
      with self.subTest(value=value):
        self.assertEqual(cellformat.FormatCsv(value), expected)

  def _Write(self, kind, name, value, unit="m"):
    return cellformat.CsvWriter(columns.Describe(kind, name), unit)(value)

  def testFields(self):
    self.assertEqual(self._Write(columns.INSTANCE, "be/maxmem", 1536), "1536")
    self.assertEqual(self._Write(columns.INSTANCE, "be/maxmem", 1536, "g"),
                     "1.5")
    self.assertEqual(self._Write(columns.NODE, "offline", True), "true")
    self.assertEqual(self._Write(columns.INSTANCE, "be/maxmem", {"a": None}),
                     '{"a":null}')
    self.assertEqual(self._Write(columns.NODE, "ctime", ["now"]), "now")


class TestUnits(unittest.TestCase):
  def testUnits(self):
    for (size, unit, expected) in [
      (0, "h", "0M"), (1023, "h", "1023M"), (1024, "h", "1.0G"),
      (1536, "h", "1.5G"), (1024 ** 2 - 1, "h", "1024.0G"),
      (1024 ** 2, "h", "1.0T"), (1024 ** 3, "h", "1024.0T"),
      (1536, "m", "1536"), (1536, "g", "1.5"), (1536, "t", "0.0"),
      ]:
      with self.subTest(size=size, unit=unit):
        self.assertEqual(cellformat.FormatUnit(size, unit), expected)


if __name__ == "__main__":
  unittest.main()

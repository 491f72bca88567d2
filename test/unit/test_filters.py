#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The filter language: what is parsed, what is selected, where errors point.

A test of test/ganeti compares the selection with Ganeti's.

"""

import subprocess
import sys
import unittest
from unittest import mock

from ganeti.confd.clientlib import filters


FIELDS = ["name", "pnode", "vcpus", "up", "tags", "sizes", "ip"]
ROWS = [
  ["web", "node1.example.com", 1, True, ["a", "b"], [1024], "192.0.2.1"],
  ["web.example.com", "node2.example.com", 2, False, [], [512, 1024], None],
  ["db.example.com", "node10.example.com", 4, True, ["a"], [], "192.0.2.3"],
  ]

#: A filter, and the indexes of the rows it selects
SELECTED = [
  ('vcpus == 2', [1]), ('vcpus = 2', [1]), ('vcpus=2', [1]),
  ('vcpus != 2', [0, 2]), ('vcpus < 2', [0]), ('vcpus <= 2', [0, 1]),
  ('vcpus > 2', [2]), ('vcpus >= 2', [1, 2]), ('vcpus > -1', [0, 1, 2]),
  ('vcpus == +4', [2]), ('vcpus == 99999999999999999999999999', []),
  ('up', [0, 2]), ('not up', [1]), ('not not up', [0, 2]), ('not(up)', [1]),
  ('up and vcpus == 1', [0]), ('up or vcpus == 2', [0, 1, 2]),
  ('vcpus == 1 or vcpus == 2 and up', [0]),
  ('(vcpus == 1 or vcpus == 2) and not up', [1]),
  ('not up or up', [0, 1, 2]), ('not (up or not up)', []),
  ('vcpus==1 and(up)', [0]), ("((up))and(vcpus==1)", [0]),
  ('name < "e"', [2]), ("name == 'db.example.com'", [2]),
  # A host name is equal to its beginning
  ('name == "web" and vcpus > 0', [0, 1]), ('name != "web"', [2]),
  ('pnode == "node1"', [0]), ('pnode == "node"', []),
  ('pnode != "node1"', [1, 2]), ('pnode <= "node1"', []),
  ('"a" in tags', [0, 2]), ('"a" not in tags', [1]), ("'b'in tags", [0]),
  ('"a" notin tags', [1]), ('"b" intags', [0]),
  ('1024 in sizes', [0, 1]), ('1024 not in sizes', [2]),
  ('name =~ m/^web/', [0, 1]), ('name !~ m/^web/', [2]),
  ('name =~ /^WEB$/i', [0]), ('name =~ m#com$#', [1, 2]),
  # An empty expression matches every text
  ('name =~ m//', [0, 1, 2]), ('name =~ //', [0, 1, 2]), ('name !~ m//', []),
  ('name =~ m##i and up', [0, 2]), ('up and (name =~ ||)', [0, 2]),
  ('name =~ m|web.e|s', [1]), ('name =~ m^b.e^is', [1, 2]),
  ('name=~m/web/and up', [0]), (r'ip =~ m/2\/1/', [1]),
  # Only two backslashes leave one to the expression
  (r'ip =~ m/\\d$/', [0, 1, 2]), (r'ip =~ m/\d$/', [1]),
  ('name =* "web"', [0, 1]), ('name =* "web*"', [0, 1]),
  ('name =* "*"', [0, 1, 2]), ('name =* "web.*"', [1]),
  ('name =* "w?b"', [0, 1]), ('name =* "w.b"', []), ('name !* "d*"', [0, 1]),
  ('pnode =* "node?"', [0, 1]), ('pnode =* "node*.example"', [0, 1, 2]),
  # A missing value meets every condition
  ('ip == "192.0.2.3"', [1, 2]), ('not ip == "192.0.2.3"', [0]),
  ('ip != "192.0.2.3"', [0]), ('ip !~ m/x/', [0, 2]), ('ip !* "x"', [0, 2]),
  ('vcpus == 2 and "x" not in ip', []),
  ('ip', None), ('ip < "192.0.2.1"', [1]), ('"x" in ip', None),
  # Types that do not go together
  ('vcpus', None), ('tags', None), ('name', None), ('vcpus == "2"', None),
  ('name == 2', None), ('up == 1', None), ('up == "true"', None),
  ('tags == "a"', None), ('"a" in name', None), ('1 in tags', None),
  ('"1024" in sizes', None), ('vcpus =~ m/1/', None), ('tags =* "a"', None),
  # An error is one only if it is come to
  ('vcpus > 9 and vcpus', []), ('vcpus > 0 or vcpus', [0, 1, 2]),
  ]

#: Texts that are no filters, and the column (from 1) of the error
WRONG = [
  ('', 1), ('  ', 3), ('== 1', 1), ('up and', 7), ('up or', 6), ('vcpus ==', 9),
  ('vcpus == x', 10), ('vcpus == 2.5', 11), ('(up', 4), ('up)', 3),
  ('up up', 4), ('NOT up', 5), ('up AND up', 4), ('1 == vcpus', 3),
  ('"a" tags', 5), ('"a" in', 7), ('"a" not tags', 9), ('name == "x', 9),
  ("name == 'x\"", 9), ('name =~ "x"', 9), ('name =~ m/x', 10),
  ('name =~ m/(/', 9), ('name =~ m/x/x', 9),
  ('name =* m/x/', 9), ('name =* 1', 9), ('vcpus == 1 == 1', 12),
  ('vcpus === 1', 9), ('vcpus <> 1', 8), ('up &', 4), ('_x', 1), ('1', 2),
  ('not', None), ('and', None), ('not == "x"', None), ('"a" in in', None),
  ('up and (vcpus == 1 or (name == ))', 32),
  ]


def _Parse(text):
  return filters.Parse(text, frozenset(["name", "pnode"]))


class TestFilters(unittest.TestCase):
  def testSelect(self):
    for (text, expected) in SELECTED:
      with self.subTest(text):
        parsed = _Parse(text)
        if expected is None:
          self.assertRaises(filters.FilterError, parsed.Select, FIELDS, ROWS)
        else:
          self.assertEqual(parsed.Select(FIELDS, ROWS),
                           [ROWS[i] for i in expected])

  def testErrorsPointAtThePlace(self):
    for (text, column) in WRONG:
      with self.subTest(text):
        if column is None:
          _Parse(text)
          continue
        with self.assertRaises(filters.FilterError) as caught:
          _Parse(text)
        lines = str(caught.exception).split("\n")
        self.assertTrue(lines[0].endswith(", at column %d" % column), lines)
        self.assertEqual(lines[1:], [text, " " * (column - 1) + "^"])
        self.assertNotIn("Re:", lines[0])

  def testErrorInSeveralLines(self):
    with self.assertRaises(filters.FilterError) as caught:
      _Parse("up or\n\tvcpus == x\nand up")
    self.assertEqual(str(caught.exception).split("\n")[1:],
                     ["\\tvcpus == x", "           ^"])

  def testTypeErrorNamesField(self):
    with self.assertRaises(filters.FilterError) as caught:
      _Parse("vcpus == \"2\"").Select(FIELDS, ROWS)
    self.assertIn("vcpus is 1, not a text", str(caught.exception))

  def testFields(self):
    self.assertEqual(_Parse("a and not (b == 1 or \"x\" in a/c) or d.e/0 =~"
                            " /a/ and b").fields, ["a", "b", "a/c", "d.e/0"])

  def testNames(self):
    for (text, expected) in [
        ('name == "a"', ["a"]), ('(name = "a")', ["a"]),
        ('name == "a" or (name == "c" or name == "b")', ["a", "c", "b"]),
        ('name != "a"', None), ('name == 1', None), ('pnode == "a"', None),
        ('not name == "a"', None), ('name == "a" and name == "a"', None),
        ('name == "a" or up', None), ('name =* "a"', None)]:
      with self.subTest(text=text):
        self.assertEqual(_Parse(text).Names(), expected, text)

  def testArguments(self):
    for (names, expected) in [(["web*"], [0, 1]), (["d?", "web"], [0, 1, 2]),
                              (["*.example.com"], [1, 2])]:
      parsed = filters.ParseArguments(names)
      self.assertEqual(parsed.Select(FIELDS, ROWS), [ROWS[i] for i in expected])
      self.assertEqual(parsed.fields, ["name"])

  def testManyAsterisks(self):
    # Found by fuzzing: one after the other, it took forever
    name = "a" * 60
    pattern = "*" * 80
    self.assertIsNone(filters.GlobRegexp(pattern + "(").search(name))
    self.assertIsNotNone(filters.GlobRegexp(pattern).search(name + ".b"))
    self.assertIsNotNone(filters.GlobRegexp("a**?**").search(name))

  def testArgumentKinds(self):
    for text in ["web", "web.example.com", "a_b-c"]:
      self.assertFalse(filters.IsFilter(text) or filters.IsGlob(text))
    for text in ["up and up", "a==1", "(up)", "be/vcpus", "'x'"]:
      self.assertTrue(filters.IsFilter(text))
    for text in ["*", "a?b"]:
      self.assertTrue(filters.IsGlob(text))
      self.assertFalse(filters.IsFilter(text))

  def testDeep(self):
    for text in ["(" * 5000 + "up" + ")" * 5000, "not " * 5000 + "up"]:
      try:
        self.assertEqual(len(_Parse(text).Select(FIELDS, ROWS)), 2)
      except filters.FilterError as err:
        self.assertIn("nested too deeply", str(err))
    many = " or ".join(["vcpus == 2"] * 2000)
    self.assertEqual(_Parse(many).Select(FIELDS, ROWS), [ROWS[1]])

  def testWithoutPyparsing(self):
    """Only filters need it.

    """
    with mock.patch.dict(sys.modules, pyparsing=None):
      with self.assertRaisesRegex(filters.FilterError, "python3-pyparsing"):
        _Parse("up")
      patterns = filters.ParseArguments(["web*", "db"])
      self.assertEqual(patterns.Select(FIELDS, ROWS), ROWS)
    script = ("import sys\nsys.modules['pyparsing'] = None\n"
              "import ganeti.confd.command.cli")
    subprocess.run([sys.executable, "-c", script], check=True)


if __name__ == "__main__":
  unittest.main()

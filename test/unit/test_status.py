#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The use of candidates' answers: by the library and by the command "status".

"""

import os
import unittest

import testutils

from ganeti.confd import protocol
from ganeti.confd.clientlib import clusterstatus
from ganeti.confd.clientlib import replies
from ganeti.confd.clientlib import silence
from ganeti.confd.command import cmd_status
from ganeti.confd.command import plugin
from ganeti.confd.protocol import readerkey
from ganeti.confd.serving import counters


def _Replies(*rows):
  """Makes replies of (address, answer, serial) or (address, text).

  """
  result = []
  for row in rows:
    (code, answer, serial) = (0, row[1], row[-1])
    if isinstance(row[1], str):
      (code, answer, serial) = (1, row[1], 0)
    result.append(replies.CandidateReply(row[0], row[0], code, answer, serial,
                                          0.0012, 0))
  return result


def _Pings(*rows):
  return _Replies(*[(row[0], row[1] if isinstance(row[1], str) else 3000000,
                     row[1]) for row in rows])


class TestFromReplies(unittest.TestCase):
  def _Rows(self, *rows, silent=(), **kwargs):
    return clusterstatus.FromReplies(_Pings(*rows), _Replies(*rows),
                                     dict(silent), **kwargs)

  def testWell(self):
    rows = self._Rows(("a", 5), ("b", 5))
    self.assertEqual([(i.address, i.serial, i.behind, i.problem) for i in rows],
                     [("a", 5, 0, None), ("b", 5, 0, None)])
    self.assertEqual(cmd_status.State(rows), plugin.OK)

  def testFreshestFirstSilentLast(self):
    rows = self._Rows(("a", 5), ("b", "Cannot load"), ("c", 7),
                      silent={"d": None, "e": "nothing listens there"})
    self.assertEqual([i.address for i in rows], ["c", "a", "b", "d", "e"])
    self.assertEqual([i.behind for i in rows], [0, 2, None, None, None])
    self.assertIn("2 changes behind", rows[1].problem)
    self.assertIn("no usable configuration", rows[2].problem)
    self.assertEqual(rows[3].problem, "silent")
    self.assertEqual(rows[4].problem, "nothing listens there")
    self.assertEqual(cmd_status.State(rows), plugin.WARNING)

  def testAddressesInTheirOrder(self):
    """10.80.0.2 comes before 10.80.0.10.

    """
    rows = self._Rows(("10.80.0.10", 5), ("10.80.0.2", 5),
                      ("10.80.0.12", "Cannot load"),
                      ("10.80.0.3", "Cannot load"),
                      silent={"10.80.0.11": None, "10.80.0.1": None})
    self.assertEqual([i.address for i in rows],
                     ["10.80.0.2", "10.80.0.10", "10.80.0.3", "10.80.0.12",
                      "10.80.0.1", "10.80.0.11"])

  def testOneChange(self):
    (_, row) = self._Rows(("a", 5), ("b", 4))
    self.assertEqual(row.problem, "its configuration is 1 change behind")

  def testExpected(self):
    """All have moved on; one has what the freshest had at first.

    """
    rows = self._Rows(("a", 9), ("b", 7), ("c", 6), expected=7)
    self.assertEqual([i.behind for i in rows], [0, 0, 1])

  def testAnotherVersion(self):
    pings = _Replies(("a", 3010000, 5), ("b", 3000000, 5))
    (_, row) = clusterstatus.FromReplies(pings, _Pings(("a", 5), ("b", 5)), {})
    self.assertIn("another version", row.problem)

  def testAnsweredOnlyOnce(self):
    (row, ) = clusterstatus.FromReplies(_Pings(("a", 5)), [], {})
    self.assertTrue(row.answers)
    self.assertIn("only one of two", row.problem)

  def testErrors(self):
    pings = _Replies(("a", 3000000, 0))
    for (code, answer, text) in [
        (1, 1, "its answers are errors: internal error"),
        (1, 9, "its answers are errors: error 9"),
        (2, None, "its answers are errors: not implemented there"),
        (1, "Cannot", "no usable configuration")]:
      with self.subTest(text):
        serials = [_Replies(("a", 5, 5))[0]._replace(status=code,
                                                     answer=answer)]
        (row, ) = clusterstatus.FromReplies(pings, serials, {})
        self.assertTrue(row.problem.endswith(text), row.problem)

  def testSerialOfPing(self):
    """A daemon need not implement the question for the serial."""
    pings = _Replies(("a", 3000000, 5), ("b", 3000000, 6))
    serials = [i._replace(status=2, answer=None)
               for i in _Replies(("a", 5, 5), ("b", 5, 0))]
    rows = clusterstatus.FromReplies(pings, serials, {})
    self.assertEqual([(i.address, i.serial, i.behind) for i in rows],
                     [("b", 6, 0), ("a", 5, 1)])

  def testNobody(self):
    rows = self._Rows(silent={"a": None})
    self.assertEqual(cmd_status.State(rows), plugin.CRITICAL)
    rows = self._Rows(("a", "Cannot load"))
    self.assertEqual(cmd_status.State(rows), plugin.CRITICAL)


class TestSilence(unittest.TestCase):
  """Below the table, the causes of silence that nothing has ruled out.

  """
  def _Hints(self, *rows, silent, reader=None):
    found = clusterstatus.FromReplies(_Pings(*rows), _Replies(*rows),
                                      dict(silent), reader=reader)
    return clusterstatus.Hints(found, 1814, reader)

  def testKnownReason(self):
    self.assertEqual(self._Hints(("a", 5), silent={"b": "nothing listens"}), [])

  def testOthersAnswer(self):
    hints = self._Hints(("a", 5), silent={"b": None, "c:1815": None})
    self.assertEqual(hints[0], "b, c:1815 are silent at UDP port 1814 and 1815."
                     " Others answer, so the key and the clock of this machine"
                     " are right.")
    self.assertIn('- another key: "dropped hmac" grows', hints)
    self.assertFalse([line for line in hints if "reader" in line])

  def testNobodyAnswers(self):
    hints = self._Hints(silent={"b": None}, reader=readerkey.Parse(
      "me:all:never"))
    self.assertEqual(hints[0], "b is silent at UDP port 1814.")
    self.assertIn("- Ganeti's own daemon, which does not know readers' keys: no"
                  " counter grows", hints)

  def testCounters(self):
    """The daemon has the counters that are named, and the pages have them.

    """
    page = " ".join(testutils.ReadFile(os.path.join(
      testutils.SRCDIR, "doc", "admin.rst")).decode("utf-8").split())
    for cause in silence.CAUSES:
      if cause.counter is not None:
        self.assertIn(cause.counter, counters.NAMES)
      # A cell of a table breaks a long text in two
      self.assertIn(cause.text[:40], page)
      self.assertIn("%s" % (cause.counter or "none"), page)

  def testUnlisted(self):
    """A candidate that is none any more is no problem, if it is silent.

    """
    rows = clusterstatus.FromReplies(_Pings(("a", 5), ("c", 5)),
                                     _Pings(("a", 5), ("c", 5)),
                                     {"b": None, "d": "nothing listens there"})
    rows = [row._replace(role="regular") if row.address == "d" else row
            for row in rows]
    rows = clusterstatus.MarkUnlisted(rows, ["b", "c", "d"])
    self.assertEqual([(row.address, row.listed, row.problem) for row in rows], [
      ("a", True, None), ("c", True, None),
      ("b", False, "is no master candidate"),
      ("d", False, "is no master candidate: its role is regular")])
    self.assertEqual(clusterstatus.Hints(rows, 1814, None), [])
    self.assertEqual(cmd_status.State(rows), plugin.OK)
    self.assertTrue(_NagiosLine(rows).startswith("CONFD OK - 2 of 2 "))
    # If no other one answers, that is critical all the same
    rows = clusterstatus.MarkUnlisted(clusterstatus.FromReplies(
      [], [], {"b": None}), ["b"])
    self.assertEqual(cmd_status.State(rows), plugin.CRITICAL)

  def testStale(self):
    (row, ) = clusterstatus.FromReplies(_Pings(("a", 5)), _Pings(("a", 5)), {})
    self.assertEqual(cmd_status.State([row._replace(stale=True)]),
                     plugin.CRITICAL)


class TestAddNames(unittest.TestCase):
  def testByAddressOrName(self):
    """By where the answer is from, by the address asked, by the name.

    """
    def _Row(address):
      return clusterstatus.CandidateStatus(address, False, None, None, None,
                                           None, None)

    nodes = [["node1.example.com", "192.0.2.1", "M"],
             ["node2.example.com", "192.0.2.2", "C"],
             ["node3.example.com", "2001:db8::3", "O"],
             ["node4.example.com", "192.0.2.4", "?"]]
    rows = clusterstatus.AddNames(
      [_Row(i) for i in ["master:1814", "192.0.2.2", "[2001:db8::3]:1814",
                         "node4.example.com", "192.0.2.9"]],
      {"master:1814": "192.0.2.1"}, nodes)
    self.assertEqual([(i.name, i.role) for i in rows],
                     [("node1.example.com", "master"),
                      ("node2.example.com", "candidate"),
                      ("node3.example.com", "offline"),
                      ("node4.example.com", None),
                      (None, None)])


def _NagiosLine(*args):
  (line, ) = cmd_status.Report(*args).Format()
  return line


class TestNagiosLine(unittest.TestCase):
  def testIsOneLineWithOneBar(self):
    rows = clusterstatus.FromReplies(_Pings(("a", 5)), _Pings(("a", 5)),
                                     {"b": "some|thing\nelse"})
    line = _NagiosLine(rows)
    self.assertEqual(line, "CONFD WARNING - 1 of 2 master candidates answer,"
                     " serial 5; b: some/thing\\nelse | answering=1;;;0;2"
                     " silent=1;0;;0 behind=0;0;;0 rtt=0.001200s;;;0")
    rows = clusterstatus.FromReplies([], [], {"b": "x"})
    limits = plugin.Limits({"silent": 5, "behind": 1}, {"behind": 7})
    self.assertEqual(_NagiosLine(rows, limits),
                     "CONFD CRITICAL - 0 of 1 master candidate answers; b: x |"
                     " answering=0;;;0;1 silent=1;5;;0")


class TestSeveralClusters(unittest.TestCase):
  def test(self):
    """The worst state counts, and an unknown one is worse than a warning.

    """
    reports = {"a": plugin.Report(plugin.OK, "all is well", ["n=1;;;0"]),
               "b": plugin.Report(plugin.WARNING, "so | so", ["n=2", "m=3"],
                                  ["line"]),
               "c": plugin.Report(plugin.UNKNOWN, "no key"),
               "d": plugin.Report(plugin.CRITICAL, "bad")}
    for (names, state, code) in [
      ("a", plugin.OK, 0), ("ab", plugin.WARNING, 1),
      ("abc", plugin.UNKNOWN, 3), ("dcba", plugin.CRITICAL, 2)]:
      report = plugin.Join({name: reports[name] for name in names})
      self.assertEqual((report.state, report.code), (state, code))
    report = plugin.Join({name: reports[name] for name in "ab"})
    self.assertEqual(report.Format(), [
      "CONFD WARNING - a OK: all is well; b WARNING: so / so |"
      " a_n=1;;;0 b_n=2 b_m=3", "b: line"])


class TestLimits(unittest.TestCase):
  def test(self):
    """More than a limit is too much, and the worst counts.

    """
    rows = clusterstatus.FromReplies(_Pings(("a", 9), ("b", 5)),
                                     _Pings(("a", 9), ("b", 5)),
                                     {"c": None, "d": None})
    for (warning, critical, expected) in [
      ({"silent": 2, "behind": 4}, {}, plugin.OK),
      ({"silent": 1, "behind": 4}, {}, plugin.WARNING),
      ({"silent": 2, "behind": 3}, {}, plugin.WARNING),
      ({"silent": 0, "behind": 0}, {"silent": 2, "behind": 4},
       plugin.WARNING),
      ({"silent": 0, "behind": 0}, {"silent": 1}, plugin.CRITICAL),
      ({"silent": 9, "behind": 9}, {"behind": 3}, plugin.CRITICAL),
      ]:
      limits = plugin.Limits(warning, critical)
      self.assertEqual(cmd_status.State(rows, limits), expected, limits)
      self.assertIn("CONFD %s - " % expected,
                    _NagiosLine(rows, limits))

  def testKey(self):
    """A key that ends in fewer days than the limit is a warning.

    """
    rows = clusterstatus.FromReplies(_Pings(("a", 9)), _Pings(("a", 9)), {})
    for (days, warning, critical, expected) in [
      (30, 30, {}, plugin.OK), (29, 30, {}, plugin.WARNING),
      (0, 0, {}, plugin.OK), (0, 1, {}, plugin.WARNING),
      (5, 30, {"key": 5}, plugin.WARNING),
      (4, 30, {"key": 5}, plugin.CRITICAL)]:
      limits = plugin.Limits({"key": warning}, critical)
      key = cmd_status.KeyEnd(days, "the key ends")
      with self.subTest(days=days, limits=limits):
        self.assertEqual(cmd_status.State(rows, limits, key), expected)
        line = _NagiosLine(rows, limits, key)
        self.assertTrue(line.startswith("CONFD %s - " % expected), line)
        self.assertEqual("; the key ends |" in line, expected != plugin.OK)
        self.assertTrue(line.endswith(" key=%d;%d:;%s;0" % (
          days, warning, "5:" if critical else "")), line)

  def testEndedKey(self):
    """Daemons refuse a reader whose key has ended: the state says so.

    """
    pings = [i._replace(status=protocol.NOT_PERMITTED[0],
                        answer=protocol.NOT_PERMITTED[1])
             for i in _Pings(("a", 9))]
    reader = readerkey.Parse("me:all:20200102")
    for (now, text) in [
      (0, "not permitted to ask it"),
      (reader.end, "the key of the reader 'me' has ended: its last day was"
       " 2020-01-02 (UTC)")]:
      (row, ) = clusterstatus.FromReplies(pings, pings, {}, reader=reader,
                                          now=now)
      self.assertEqual(row.problem, text)

  def testNotAllHaveOne(self):
    """Silence of all candidates is critical, and another version a warning.

    """
    limits = plugin.Limits({"silent": 9, "behind": 9}, {})
    rows = clusterstatus.FromReplies([], [], {"a": None})
    self.assertEqual(cmd_status.State(rows, limits), plugin.CRITICAL)
    rows = clusterstatus.FromReplies(
      _Replies(("a", 3010000, 5), ("b", 3000000, 5)),
      _Pings(("a", 5), ("b", 5)), {})
    self.assertEqual(cmd_status.State(rows, limits), plugin.WARNING)


if __name__ == "__main__":
  unittest.main()

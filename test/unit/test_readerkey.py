#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for readers' keys: labels, what they permit, and what they derive"""

import calendar
import datetime
import unittest

import testutils

from ganeti.confd import protocol
from ganeti.confd.protocol import readerkey
from ganeti.confd.schema import columns


ALL_TYPES = sorted(protocol.REQUEST_TYPES.values()) + [12, 999, -1, None]

GOOD = [
  "grafana:list,ping,stats:20271231", "a:all:never", "0:ping:20240229",
  "a.b_c-d:list/instances,list/nodes:never", "x:config:99991231",
  "x:ping:00010101", "x" * 63 + ":ping:never",
  "x:config,list/disks,list/groups,list/instances,list/networks,list/nodes:"
  "20300101", "n:list,node-of-ip:never", "n:list/nodes,node-of-ip:never"]

BAD = [
  # Not three parts
  "", ":", "::", "a", "a:all", "a:all:never:", ":a:all:never", "a:all::never",
  # Names
  ":all:never", "A:all:never", ".a:all:never", "-a:all:never", "_:all:never",
  "a b:all:never", "\xe4:all:never", "a\n:all:never", "a\0:all:never",
  "\ud800:all:never", "x" * 64 + ":all:never", "\uff41:all:never",
  # What
  "a::never", "a:ALL:never", "a:all,ping:never", "a:all,all:never",
  "a:ping,all:never", "a:ping,:never", "a:,ping:never", "a:ping,ping:never",
  "a:stats,ping:never", "a: ping:never", "a:ping :never", "a:ping, stats:never",
  "a:query:never", "a:10:never", "a:nothing:never", "a:pin:never",
  "a:ping;stats:never", "a:list/:never", "a:list/instance:never",
  "a:list/all:never", "a:list/list:never", "a:list,list/nodes:never",
  "a:list/nodes,list/instances:never", "a:p\u0131ng:never",
  # Until
  "a:all:", "a:all:Never", "a:all:never ", "a:all:\nnever", "a:all:never\n",
  "a:all:2027-12-31", "a:all:20271232", "a:all:20271301", "a:all:20270229",
  "a:all:20270001", "a:all:20270100", "a:all:00000101", "a:all:2027123",
  "a:all:020271231", "a:all:+2027123", "a:all:2027_231", "a:all:20271231 ",
  "a:all:" + "".join(chr(0xff10 + int(digit)) for digit in "20271231"),
  "a:all:202712\uff13\uff11", "a:all:\uff12" + "0271231",
  "a:all:\u0662\u0660\u0662\u0667\u0661\u0662\u0663\u0661",
  # Too long, whatever else it is
  "x" * 256, ":" * 60000]


class TestParse(unittest.TestCase):
  def testGood(self):
    for text in GOOD:
      with self.subTest(text=text):
        label = readerkey.Parse(text)
        self.assertEqual(label.text, text)
        self.assertEqual(
          readerkey.Make(label.name, reversed(sorted(label.what)),
                         label.last_day), label)

  def testParts(self):
    self.assertEqual(
      readerkey.Parse("grafana:list/nodes,ping:20271231"),
      ("grafana:list/nodes,ping:20271231", "grafana",
       frozenset(["list/nodes", "ping"]), datetime.date(2027, 12, 31),
       calendar.timegm((2028, 1, 1, 0, 0, 0))))
    self.assertIsNone(readerkey.Parse("a:all:never").last_day)

  def testBad(self):
    for text in BAD:
      with self.subTest(text=text[:80]):
        with self.assertRaises(ValueError) as caught:
          readerkey.Parse(text)
        # For people, on one line
        self.assertTrue(str(caught.exception).isascii())
        self.assertTrue(str(caught.exception).isprintable())
        self.assertLess(len(str(caught.exception)), 2000)

  def testLongest(self):
    """A label may name every question there is."""
    what = readerkey.RIGHTS - {"list"}
    day = datetime.date(2027, 12, 31)
    room = 255 - len(":%s:20271231" % ",".join(what))
    self.assertGreater(room, 30)
    label = readerkey.Make("x" * room, what, day)
    self.assertEqual(len(label.text), 255)
    self.assertEqual(label.what, what)
    if room < 63:
      self.assertRaises(ValueError, readerkey.Make, "x" * (room + 1), what, day)

  def testMake(self):
    self.assertEqual(
      readerkey.Make("a", ["stats", "ping", "stats"],
                     datetime.date(850, 1, 2)).text, "a:ping,stats:08500102")
    self.assertEqual(readerkey.Make("a", ["all"], None).text, "a:all:never")
    for (name, what) in [("", ["ping"]), ("a:all", ["ping"]), ("a", []),
                         ("a", ["ping,stats"]), ("a", ["all", "ping"]),
                         ("a", ["query"]), ("a", ["ping:never"])]:
      # A right with a comma or a colon in it makes another label or none
      with self.subTest(name=name, what=what):
        try:
          label = readerkey.Make(name, what, None)
        except ValueError:
          continue
        self.assertEqual(label.what, frozenset(["ping", "stats"]))

  def testRights(self):
    self.assertEqual(readerkey.RIGHTS, (
      set(protocol.REQUEST_TYPES) - {"query"} |
      {"list"} | {"list/%ss" % kind for kind in columns.KINDS}))


class TestMay(unittest.TestCase):
  def _May(self, what):
    label = readerkey.Make("a", what, None)
    return [rtype for rtype in ALL_TYPES if label.May(rtype, None)]

  def testEachQuestion(self):
    for (name, rtype) in protocol.REQUEST_TYPES.items():
      right = readerkey.LIST if name == "query" else name
      self.assertEqual(self._May([right]), [rtype])

  def testAll(self):
    self.assertEqual(self._May(["all"]), ALL_TYPES)

  def testKinds(self):
    for kind in columns.KINDS:
      right = "list/%ss" % kind
      label = readerkey.Make("a", ["ping", right], None)
      for other in columns.KINDS:
        for query in [{"what": other}, {"what": other, "fields": [kind]}]:
          self.assertEqual(label.May(64, query), other == kind)
      self.assertTrue(label.May(0, {"what": "colour"}))
      self.assertFalse(label.May(10, {"what": kind}))

  def testAnyQuery(self):
    """The query is any JSON value."""
    every = ["list/%ss" % kind for kind in columns.KINDS]
    for query in [None, True, 0, 64, 1.5, "", "node", "what", [], ["what"],
                  ["node"], {}, {"what": None}, {"what": ["node"]},
                  {"what": {"node": 1}}, {"what": "nodes"}, {"what": "list"},
                  {"what": "\ud800"}, {"what": 10 ** 400}, {"fields": "node"},
                  {"what": "Node"}, {"what": "list/nodes"}]:
      with self.subTest(query=query):
        self.assertFalse(readerkey.Make("a", every, None).May(64, query))
        self.assertTrue(readerkey.Make("a", ["list"], None).May(64, query))

  def testEnd(self):
    label = readerkey.Parse("a:all:20271231")
    end = calendar.timegm((2028, 1, 1, 0, 0, 0))
    self.assertFalse(label.HasEnded(end - 0.001))
    self.assertTrue(label.HasEnded(end))
    self.assertTrue(label.HasEnded(10 ** 12))
    self.assertTrue(readerkey.Parse("a:all:00010101").HasEnded(0))
    for (now, days) in [(end - 1, 0), (end - 86400, 0), (end - 86401, 1),
                        (end - 31 * 86400 - 1, 31), (end, 0), (10 ** 12, 0)]:
      with self.subTest(now=now, days=days):
        self.assertEqual(label.DaysLeft(now), days, now)
    self.assertIsNone(readerkey.Parse("a:all:never").DaysLeft(end))
    self.assertFalse(readerkey.Parse("a:all:never").HasEnded(10 ** 15))


class TestDerive(unittest.TestCase):
  def testKnown(self):
    """Two keys, made by other means.

    C{printf 'confd reader 1\\0%s' LABEL | openssl dgst -sha256 -mac HMAC
    -macopt hexkey:KEY}

    """
    key = b"0c5a1f0e3b7d49c2a86e9d10f4b27c35\n"
    for (text, secret) in [
        ("grafana:list/instances,ping,stats:20991231",
         b"66d908ece2308e9689c7c32dab7e3897ae652fad2bec72478a50653f1494175b"),
        ("old:all:20251010",
         b"06437ad13522882dc2ff5baa147151794b9d119be34127b9fedfed0b12cd1e45")]:
      self.assertEqual(readerkey.Derive(key, readerkey.Parse(text)), secret)

  def testEachDiffers(self):
    labels = [readerkey.Parse(text) for text in GOOD]
    secrets = {readerkey.Derive(key, label) for label in labels
               for key in [testutils.KEY, testutils.KEY.rstrip(), b"k" * 100]}
    self.assertEqual(len(secrets), 3 * len(labels))


if __name__ == "__main__":
  unittest.main()

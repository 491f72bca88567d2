#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for ganeti.confd.command.rights, and for the manual page's table"""

import datetime
import os
import re
import unittest

import testutils

from ganeti.confd import protocol
from ganeti.confd.clientlib import keyrights
from ganeti.confd.command import commandline
from ganeti.confd.command import parse
from ganeti.confd.command import rights
from ganeti.confd.protocol import readerkey


def _Page():
  return testutils.ReadFile(os.path.join(
    testutils.SRCDIR, "doc", "confd-client.rst")).decode("ascii")


def _Label(*what, until=None, name="me"):
  return readerkey.Make(name, what, until)


class TestTable(unittest.TestCase):
  def testEachCommandIsThere(self):
    names = [None, *commandline.COMMANDS]
    self.assertEqual(sorted(rights._NEEDED, key=str), sorted(names, key=str))
    for name in names:
      if name is None or commandline.COMMANDS[name].asks:
        self.assertTrue(rights.Needed(name), name)
      else:
        self.assertEqual(rights.Needed(name), [])

  def testOnlyRights(self):
    for name in rights._NEEDED:
      self.assertLessEqual(set(rights.Needed(name)), readerkey.RIGHTS)
    for (name, optional) in rights._OPTIONAL.items():
      self.assertLessEqual(set(optional), readerkey.RIGHTS)
      self.assertTrue(set(optional).isdisjoint(rights.Needed(name)))

  def testLeftOut(self):
    self.assertEqual(rights.LeftOut(None, "status"), [])
    self.assertEqual(rights.LeftOut(_Label("ping"), "status"), ["mc-ips"])
    self.assertEqual(rights.LeftOut(_Label("all"), "status"), [])
    self.assertEqual(rights.LeftOut(_Label("ping"), "ping"), [])

  def testACommandHasTheRightOfItsName(self):
    """Or its name, as a right, would not be enough for it.

    """
    for name in commandline.COMMANDS:
      if name in readerkey.RIGHTS:
        self.assertEqual(rights.Needed(name), [name])

  def testPage(self):
    # Optional rights are in parentheses
    rows = re.findall(r"^((?:\S| (?! ))+)  +((?:.*\n)(?: {19}.*\n)*)",
                      re.search(r"=\nCommand  +Questions\n=+ =+\n(.*?)=+ =+\n",
                                _Page(), re.DOTALL).group(1), re.MULTILINE)
    found = {}
    for (name, text) in rows:
      (name, what, _) = (name + " ").partition(" WHAT")
      (needed, *optional) = " ".join(text.split()).rstrip(")").split(" (")
      found[name.strip()] = (needed.split(", "), [
        right for texts in optional for right in texts.split(", ")], bool(what))
    expected = {
      name or "(none)": (["list/WHAT" if i == "list" else i
                          for i in rights.Needed(name)],
                         list(rights._OPTIONAL.get(name, [])),
                         rights.Needed(name) == ["list"])
      for name in rights._NEEDED
      if name is None or commandline.COMMANDS[name].asks}
    self.assertEqual(found, expected)

  def testQuestionsOnThePage(self):
    """Rights that have another name than a command.

    """
    others = readerkey.RIGHTS - set(commandline.COMMANDS)
    self.assertGreater(len(others), 4)
    for right in others:
      self.assertIn("*%s*" % right, _Page())


class TestExpand(unittest.TestCase):
  def test(self):
    for (words, expected) in [
      (["ping"], ["ping"]),
      (["status"], ["mc-ips", "ping"]),
      (["watch", "status", "ping"], ["mc-ips", "ping", "wait"]),
      (["map"], ["list/instances", "list/nodes"]),
      (["map", "list"], ["list"]),
      (["list-fields"], ["list"]),
      (["describe"], ["config", "list", "stats"]),
      (["who-has"], ["list/instances", "list/nodes", "master"]),
      (["master-info"], ["master"]),
      (["list/nodes", "list/disks"], ["list/disks", "list/nodes"]),
      (["ping", "all"], ["all"]),
      ]:
      with self.subTest(words=words):
        self.assertEqual(rights.Expand(words), expected)
        # The rights are in a label's order and form
        readerkey.Make("x", expected, None)

  def testUnknown(self):
    for (word, text) in [
      ("statu", "command: 'statu'; did you mean 'status'?"),
      ("stauts", "command: 'stauts'; did you mean 'status'?"),
      ("list/node", "'list/node'; did you mean 'list/nodes'?"),
      ("query", "'query'; choose from all, "),
      ("", "''; choose from all, "),
      ("make-key", "command: 'make-key'"),
      ]:
      with self.subTest(word=word, text=text):
        with self.assertRaises(ValueError) as caught:
          rights.Expand(["ping", word])
        self.assertIn(text, str(caught.exception))


class TestMissing(unittest.TestCase):
  def test(self):
    for (what, name, kind, missing) in [
      (["mc-ips"], "status", None, ["ping"]),
      (["list/nodes"], "describe", "node", []),
      (["list/nodes"], "describe", "group", ["list/groups"]),
      (["ping"], "watch", None, ["wait"]),
      (["list/nodes"], "list", "node", []),
      (["list/nodes"], "list", "disk", ["list/disks"]),
      (["list/nodes"], "list", None, ["list"]),
      (["list/nodes"], "map", None, ["list/instances"]),
      (["list"], "map", None, []),
      (["all"], None, None, []),
      (["ping"], "show-key", None, []),
      ]:
      with self.subTest(what=what, name=name):
        self.assertEqual(rights.Missing(_Label(*what), name, kind), missing)

  def testCommands(self):
    self.assertEqual(rights.Commands(_Label("list/nodes", "node-drbd")),
                     ["node-drbd", "list nodes", "list-fields nodes",
                      "describe node", "export nodes"])
    found = rights.Commands(_Label("ping", "list"))
    self.assertLess({"ping", "list", "list-fields", "map"}, set(found))
    self.assertFalse([name for name in found if " " in name])
    everything = [name for (name, command) in commandline.COMMANDS.items()
                  if command.asks]
    self.assertEqual(rights.Commands(_Label("all")), everything)
    self.assertEqual(rights.Commands(None), everything)

  def testSameAsTheDaemons(self):
    """A right is for what the daemon says it is for.

    """
    for right in readerkey.RIGHTS:
      for label in [_Label("all"), _Label("list"), _Label("list/nodes"),
                    _Label("ping")]:
        query = None
        (name, _, what) = right.partition("/")
        rtype = protocol.REQUEST_TYPES["query" if name == "list" else name]
        if what:
          query = {"what": what[:-1]}
        self.assertEqual(keyrights.May(label, right), label.May(rtype, query))


class TestCheck(unittest.TestCase):
  def _Refusal(self, label, *argv):
    with self.assertRaises(rights.NotPermitted) as caught:
      rights.Check(label, parse.Parse(argv))
    return str(caught.exception)

  def test(self):
    self.assertEqual(
      self._Refusal(_Label("mc-ips", until=datetime.date(2199, 1, 2)),
                    "status"),
      "Not permitted: the key of the reader 'me' may ask mc-ips until the end"
      " of 2199-01-02 (UTC); status needs ping as well: ask the cluster's"
      " administrator for a key made with --may mc-ips,ping")
    self.assertIn("may ask list/nodes and ping for ever; list needs list/disks"
                  " as well",
                  self._Refusal(_Label("ping", "list/nodes"), "list", "disks"))
    self.assertIn("; the self test needs instance-ips, master, ",
                  self._Refusal(_Label("ping")))
    rights.Check(_Label("list/disks"), parse.Parse(["list", "disks"]))
    rights.Check(_Label("list/instances"),
                 parse.Parse(["export", "hosts"]))
    self.assertIn("export needs list/nodes as well",
                  self._Refusal(_Label("list/instances"), "export", "hosts",
                                "nodes"))

  def testEnded(self):
    text = self._Refusal(_Label("ping", until=datetime.date(2020, 1, 2)),
                         "ping")
    self.assertEqual(text, "Not permitted: the key of the reader 'me' has"
                     " ended: its last day was 2020-01-02 (UTC); ask the"
                     " cluster's administrator for a new one, made with"
                     " confd-client make-key me --may ping --until DAY")


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Completion of confd-client in bash and zsh knows what the command knows.

"""

import os
import tempfile
import unittest

import completing
import testutils

from ganeti.confd.command import argtypes
from ganeti.confd.command import commandline
from ganeti.confd.command import parse


class _Tests:
  """The tests for one shell.

  """
  @staticmethod
  def _Shell(*args, **kwargs):
    """Starts the shell.

    """
    raise NotImplementedError

  def _Start(self, **variables):
    shell = self._Shell(**variables)
    self.addCleanup(shell.Close)
    # pylint: disable=W0201
    self._Complete = shell.Complete

  def setUp(self):
    self._Start()

  def testCommands(self):
    self.assertEqual(self._Complete(""), sorted(commandline.COMMANDS))
    self.assertEqual(self._Complete("-p", "1814", "node-o"), ["node-of-ip"])
    self.assertEqual(self._Complete("--port", "=", "1814", "stat"),
                     ["stats", "status"])
    self.assertEqual(self._Complete("-a", "node1", ":", "1814", "stat"),
                     ["stats", "status"])

  @staticmethod
  def _Options(name):
    """Returns the options that the parser of a command has.

    """
    # There is no other way to ask a parser for them
    return parse.MakeParser(name)._option_string_actions

  def testOptions(self):
    """Before the command all, after it those that it has.

    """
    everything = set()
    for name in [None, *commandline.COMMANDS]:
      options = self._Options(name)
      everything.update(options)
      # The words after "watch" may be a command, too
      if name not in (None, commandline.WATCH):
        self.assertEqual(self._Complete(name, "-"), sorted(options))
    self.assertEqual(self._Complete("-"), sorted(everything))
    self.assertEqual(self._Complete("status", "--na"), ["--nagios"])

  def testOptionsWithArguments(self):
    """After each of them the next word is its argument, and no command.

    """
    for (text, option) in commandline.AllOptions().items():
      if option.takes_value:
        self.assertNotIn("show-key", self._Complete(text, "show-k"), text)
        self.assertEqual(self._Complete(text, "x", "show-k"), ["show-key"],
                         text)

  def testArguments(self):
    self.assertEqual(self._Complete("list", ""), sorted(argtypes.KINDS))
    self.assertEqual(self._Complete("list-fields", "d"), ["disks"])
    self.assertEqual(self._Complete("list", "disks", "d"), [])
    self.assertEqual(self._Complete("list", "nodes", "--units", ""),
                     sorted(argtypes.UNITS))
    self.assertEqual(self._Complete("config", "/"), [])
    self.assertEqual(self._Complete("ping", ""), [])
    self.assertEqual(self._Complete("help", "stat"), ["stats", "status"])

  def testExport(self):
    self.assertEqual(self._Complete("export", ""), sorted(argtypes.FORMATS))
    self.assertEqual(self._Complete("export", "hosts", "n"), ["nodes"])
    self._CheckFile("export", "hosts", "-o", "/etc/passw")
    self.assertIn("printf", self._Complete("export", "--then", "print"))

  def testFields(self):
    for (words, expected) in [
      (["list", "nodes", "-o", "pinst_c"], ["pinst_cnt"]),
      (["list", "node", "-o", "name,pinst_c"], ["pinst_cnt"]),
      (["list", "nodes", "--output", "=", "+pinst_c"], ["pinst_cnt"]),
      (["list", "instances", "--sort", "be/max"], ["be/maxmem"]),
      (["list", "disks", "-o", "pinst_c"], []),
      (["list", "-o", "pinst_c"], []),
      (["list-fields", "groups", "name", "alloc"], ["alloc_policy"]),
      (["list-fields", "instances", "nic.ip"], ["nic.ips"]),
      (["make-key", "me", "--may", "collec"], ["collectors"]),
      (["check", "--ignore", "mirror-m"], ["mirror-missing"]),
      (["make-key", "me", "--may", "ping,list/no"], ["list/nodes"]),
      ]:
      with self.subTest(words=words):
        self.assertEqual(self._Complete(*words), expected, words)

  def testNames(self):
    """Names that a node has in its files, and those in the settings.

    """
    directory = tempfile.TemporaryDirectory()
    self.addCleanup(directory.cleanup)
    for (name, text) in [("ssconf_node_list", "node1\nnode2\n"),
                         ("ssconf_instance_list", "web\ndb\n"),
                         ("ssconf_master_candidates_ips", "192.0.2.1\n")]:
      testutils.WriteFile(os.path.join(directory.name, name),
                          text.encode("ascii"))
    settings = os.path.join(directory.name, "settings")
    self._Start(data=directory.name, settings=settings,
                own_settings="/dev/null/none")
    for (words, expected) in [
      (["-a", ""], ["192.0.2.1"]),
      (["--address", "=", "192"], ["192.0.2.1"]),
      (["node-role", "n"], ["node1", "node2"]),
      (["-p", "5", "node-drbd", "--json", "node1"], []),
      (["-t", "5", "node-drbd", "--json", "node1"], ["node1"]),
      (["node-role", "node1", ""], []),
      (["instance-disks", "w"], ["web"]),
      (["who-has", "w"], ["web"]),
      (["list", "nodes", ""], ["node1", "node2"]),
      (["list", "node", "node1", "n"], ["node1", "node2"]),
      (["list", "instances", "-o", "name", "d"], ["db"]),
      (["list", "networks", ""], []),
      (["list", "things", ""], []),
      ]:
      self.assertEqual(self._Complete(*words), expected, words)
    testutils.WriteFile(settings, b"[confd-client]\n[cluster fsn]\nport=5\n"
                        b"[cluster dus]\n")
    # The cluster that is asked may be another one now
    for (words, expected) in [(["--cluster", ""], ["dus", "fsn"]),
                              (["--cluster", "=", "f"], ["fsn"]),
                              (["node-role", "n"], [])]:
      self.assertEqual(self._Complete(*words), expected, words)

  def testOddFiles(self):
    """The completion waits for nothing that has no end.

    """
    directory = tempfile.TemporaryDirectory()
    self.addCleanup(directory.cleanup)
    paths = [os.path.join(directory.name, name) for name in (
      "ssconf_node_list", "ssconf_instance_list",
      "ssconf_master_candidates_ips", "settings")]
    for path in paths[:-1]:
      os.mkfifo(path)
    for (own_settings, words) in [("none", ["node-role", ""]),
                                  ("none", ["who-has", ""]),
                                  ("none", ["-a", ""]),
                                  ("ssconf_node_list", ["--cluster", ""])]:
      self._Start(data=directory.name, settings=paths[-1],
                  own_settings=os.path.join(directory.name, own_settings))
      self.assertEqual(self._Complete(*words), [])
    for path in paths:
      testutils.WriteFile(path, b"192.0.2.1\n[cluster web]\n")
      os.truncate(path, 1 << 36)
    for (words, expected) in [(["-a", "192"], ["192.0.2.1"]),
                              (["--cluster", ""], ["web"])]:
      # The own settings are one of those files
      self.assertEqual(sorted(set(self._Complete(*words))), expected, words)

  def _CheckFile(self, *words):
    """Checks that /etc/passwd is found.

    """
    found = [os.path.basename(i) for i in self._Complete(*words)]
    self.assertIn("passwd", found)

  def testProgramThatHangs(self):
    """The completion waits for no program, and shows none of its errors.

    """
    directory = tempfile.TemporaryDirectory()
    self.addCleanup(directory.cleanup)
    program = os.path.join(directory.name, "confd-client")
    testutils.WriteFile(program, b"#!/bin/sh\necho wrong >&2\n"
                        b"exec sleep 1000\n")
    os.chmod(program, 0o755)
    self._Start(program=program, data="/dev/null/none", patience=0.1)
    for words in [["node-role", ""], ["who-has", ""]]:
      self.assertEqual(self._Complete(*words), [])

  def testArgumentBehindAnEqualsSign(self):
    self._CheckFile("--hmac-file", "=", "/etc/passw")
    self.assertEqual(self._Complete("--port", "="), [])

  def testCommandOfWatch(self):
    self.assertIn("printenv", self._Complete("watch", "printe"))
    self.assertIn("printenv", self._Complete("--port", "=", "5", "watch",
                                             "printe"))


@unittest.skipUnless(completing.Bash.IsThere(), "no bash")
class TestBash(_Tests, unittest.TestCase):
  _Shell = completing.Bash


@unittest.skipUnless(completing.Zsh.IsThere(), "no zsh (Debian: zsh)")
class TestZsh(_Tests, unittest.TestCase):
  _Shell = completing.Zsh


if __name__ == "__main__":
  unittest.main()

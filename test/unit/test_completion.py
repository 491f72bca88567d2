#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Completion of confd-client in bash knows what the command knows.

"""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

import testutils

from ganeti.confd.command import commandline


_SCRIPT = os.path.join(testutils.BUILDDIR, "completion", "confd-client")


@unittest.skipUnless(shutil.which("bash"), "no bash")
class TestCompletion(unittest.TestCase):
  def _Complete(self, *words, script=_SCRIPT):
    """Completes the last word.

    @rtype: list of strings

    """
    commands = ('. "$1"; shift; COMP_WORDS=(confd-client "$@"); COMP_CWORD=$#;'
                '_confd_client; printf "%s\\n" "${COMPREPLY[@]}"')
    result = subprocess.run(["bash", "-c", commands, "bash", script] +
                            list(words), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, universal_newlines=True,
                            timeout=60, check=True)
    self.assertEqual(result.stderr, "")
    return result.stdout.split()

  def testCommands(self):
    self.assertEqual(sorted(self._Complete("")), sorted(commandline.COMMANDS))
    self.assertEqual(self._Complete("-p", "1814", "node-o"), ["node-of-ip"])
    self.assertEqual(self._Complete("--port", "=", "1814", "stat"),
                     ["stats", "status"])

  @staticmethod
  def _Options(name):
    """Returns the options that the parser of a command has.

    """
    # There is no other way to ask a parser for them
    return commandline.MakeParser(name)._option_string_actions

  def testOptions(self):
    """Before the command all, after it those that it has.

    """
    everything = set()
    for name in [None, *commandline.COMMANDS]:
      options = self._Options(name)
      everything.update(options)
      # What follows "watch" may be a command, too
      if name not in (None, commandline.WATCH):
        self.assertEqual(sorted(self._Complete(name, "-")), sorted(options))
    self.assertEqual(sorted(self._Complete("-")), sorted(everything))
    self.assertEqual(self._Complete("status", "--na"), ["--nagios"])

  def testOptionsWithArguments(self):
    """After each of them the next word is its argument, and no command.

    """
    for name in [None, *commandline.COMMANDS]:
      for (text, action) in self._Options(name).items():
        if action.nargs is None:
          self.assertNotIn("ping", self._Complete(text, "pin"), text)
          self.assertEqual(self._Complete(text, "x", "pin"), ["ping"], text)

  def testArguments(self):
    self.assertEqual(self._Complete("list", ""), list(commandline.KINDS))
    self.assertEqual(self._Complete("list-fields", "d"), ["disks"])
    self.assertEqual(self._Complete("list", "disks", "d"), [])
    self.assertEqual(self._Complete("list", "nodes", "--units", ""),
                     list(commandline.UNITS))
    self.assertEqual(self._Complete("config", "/"), [])

  def testExport(self):
    self.assertEqual(self._Complete("export", ""), list(commandline.FORMATS))
    self.assertEqual(self._Complete("export", "hosts", "n"), ["nodes"])
    self.assertIn("/etc/passwd",
                  self._Complete("export", "hosts", "-o", "/etc/passw"))
    self.assertIn("printf", self._Complete("export", "--then", "print"))

  def testFields(self):
    for (words, expected) in [
      (["list", "nodes", "-o", "pinst_c"], ["pinst_cnt"]),
      (["list", "node", "-o", "name,pinst_c"], ["name,pinst_cnt"]),
      (["list", "nodes", "--output", "=", "+pinst_c"], ["+pinst_cnt"]),
      (["list", "instances", "--sort", "be/max"], ["be/maxmem"]),
      (["list", "disks", "-o", "pinst_c"], []),
      (["list", "-o", "pinst_c"], []),
      (["list-fields", "groups", "name", "alloc"], ["alloc_policy"]),
      (["list-fields", "instances", "nic.ip"], ["nic.ips"]),
      ]:
      self.assertEqual(self._Complete(*words), expected, words)

  def testWithoutArguments(self):
    self.assertEqual(self._Complete("ping", ""), [])

  def testNames(self):
    """Those that a node has in its files, and the settings.

    """
    with tempfile.TemporaryDirectory() as directory:
      os.mkdir(os.path.join(directory, "data"))
      for (name, text) in [("node_list", "node1\nnode2\n"),
                           ("instance_list", "web\ndb\n"),
                           ("master_candidates_ips", "192.0.2.1\n")]:
        testutils.WriteFile(os.path.join(directory, "data", "ssconf_" + name),
                            text.encode("ascii"))
      with open(_SCRIPT, encoding="ascii") as script:
        (text, count) = re.subn("local (data|settings)=.*",
                                r"local \1=%s/\1" % directory, script.read())
      self.assertEqual(count, 2)
      testutils.WriteFile(os.path.join(directory, "settings"),
                          b"[confd-client]\n[cluster fsn]\nport=5\n"
                          b"[cluster dus]\n")
      here = os.path.join(directory, "completion")
      testutils.WriteFile(here, text.encode("ascii"))
      for (words, expected) in [
        (["-a", ""], ["192.0.2.1"]),
        (["--cluster", ""], ["fsn", "dus"]),
        (["--cluster", "=", "f"], ["fsn"]),
        (["--address", "=", "192"], ["192.0.2.1"]),
        (["node-role", "n"], ["node1", "node2"]),
        (["-p", "5", "node-drbd", "--json", "node1"], ["node1"]),
        (["node-role", "node1", ""], []),
        (["instance-disks", "w"], ["web"]),
        (["list", "nodes", ""], ["node1", "node2"]),
        (["list", "node", "node1", "n"], ["node1", "node2"]),
        (["list", "instances", "-o", "name", "d"], ["db"]),
        (["list", "networks", ""], []),
        ]:
        self.assertEqual(self._Complete(*words, script=here), expected, words)

  def testArgumentBehindAnEqualsSign(self):
    self.assertIn("/etc/passwd",
                  self._Complete("--hmac-file", "=", "/etc/passw"))
    self.assertEqual(self._Complete("--port", "="), [])

  def testCommandOfWatch(self):
    self.assertIn("printf", self._Complete("watch", "print"))


if __name__ == "__main__":
  unittest.main()

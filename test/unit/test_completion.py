#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Completion of confd-client in bash knows what the command knows.

"""

# Looks into what it tests
# pylint: disable=W0212

import os
import re
import shutil
import subprocess
import unittest

import testutils

from ganeti.confd.command import cli


_SCRIPT = os.path.join(testutils.BUILDDIR, "completion", "confd-client")


@unittest.skipUnless(shutil.which("bash"), "no bash")
class TestCompletion(unittest.TestCase):
  def _Complete(self, *words):
    """Completes the last word.

    @rtype: list of strings

    """
    script = ('. "$1"; shift; COMP_WORDS=(confd-client "$@"); COMP_CWORD=$#;'
              '_confd_client; printf "%s\\n" "${COMPREPLY[@]}"')
    result = subprocess.run(["bash", "-c", script, "bash", _SCRIPT] +
                            list(words), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, universal_newlines=True,
                            timeout=60, check=True)
    self.assertEqual(result.stderr, "")
    return result.stdout.split()

  def testCommands(self):
    parser = cli._BuildParser()
    commands = re.findall("^  ([a-z-]+)", parser.format_epilog(None),
                          re.MULTILINE)
    self.assertGreater(len(commands), 10)
    self.assertEqual(sorted(self._Complete("")), sorted(commands))
    self.assertEqual(self._Complete("-p", "1814", "node-o"), ["node-of-ip"])
    self.assertEqual(self._Complete("--port", "=", "1814", "stat"),
                     ["stats", "status"])

  def testOptions(self):
    parser = cli._BuildParser()
    options = [text for option in parser.option_list
               for text in option._short_opts + option._long_opts]
    self.assertEqual(sorted(self._Complete("-")), sorted(options))
    self.assertEqual(self._Complete("status", "--na"), ["--nagios"])

  def testOptionsWithArguments(self):
    """After each of them the next word is its argument, and no command.

    """
    for option in cli._BuildParser().option_list:
      if option.takes_value():
        for text in option._short_opts + option._long_opts:
          self.assertNotIn("ping", self._Complete(text, "pin"), text)
          self.assertEqual(self._Complete(text, "x", "pin"), ["ping"], text)

  def testArgumentBehindAnEqualsSign(self):
    self.assertIn("/etc/passwd",
                  self._Complete("--hmac-file", "=", "/etc/passw"))
    self.assertEqual(self._Complete("--port", "="), [])

  def testCommandOfWatch(self):
    self.assertIn("printf", self._Complete("watch", "print"))


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Completion asks a candidate for names, if that answers at once.

"""

import os
import socket
import unittest

import clientcommand
import completing
import testutils


#: Seconds that the program may take in a test, since machines may be busy
_PATIENCE = 60


class _Tests:
  @staticmethod
  def _Shell(*args, **kwargs):
    """Starts the shell.

    """
    raise NotImplementedError

  def setUp(self):
    config = testutils.ReadFile(os.path.join(testutils.SRCDIR, "doc",
                                             "examples", "cluster.json"))
    self.daemon = testutils.Daemon(config)
    self.addCleanup(self.daemon.Kill)
    self.daemon.Start()
    shell = self._Shell(program=clientcommand.PROGRAM, data="/dev/null/none",
                        settings="/dev/null/none",
                        own_settings="/dev/null/none", patience=_PATIENCE)
    self.addCleanup(shell.Close)
    # pylint: disable=W0201
    self._Complete = shell.Complete

  def test(self):
    whom = ["-p", str(self.daemon.port), "--hmac-file", "=",
            self.daemon.key_file, "-a", "127.0.0.1"]
    for (words, expected) in [
      (["node-role", "node1"], ["node1.example.com", "node10.example.com"]),
      (["instance-disks", "w"], ["web1.example.com", "web2.example.com"]),
      (["list", "instance", "-o", "name", "db"], ["db1.example.com"]),
      (["list", "networks", ""], ["service"]),
      (["list", "groups", "d"], ["default"]),
      (["list", "disks", "2af0"], ["2af02fd9-74ee-5c34-999d-4c5765535f89"]),
      (["who-has", "node3"], ["node3.example.com"]),
      (["who-has", "web1"], ["web1.example.com"]),
      ]:
      # On a busy machine an answer may take longer than 200 ms
      testutils.WaitFor(
        lambda words=words, expected=expected:
        self._Complete(*whom, *words) == expected, (words, expected))
    deaf = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    self.addCleanup(deaf.close)
    deaf.bind(("127.0.0.1", 0))
    for (what, value) in [("--hmac-file", "/nonexistent"), ("-p", "1"),
                          ("-a", "127.0.3.9"),
                          ("-p", str(deaf.getsockname()[1]))]:
      wrong = list(whom)
      place = wrong.index(what) + 1
      wrong[place + (wrong[place] == "=")] = value
      self.assertEqual(self._Complete(*wrong, "node-role", ""), [], what)


@unittest.skipUnless(completing.Bash.IsThere(), "no bash")
class TestBash(_Tests, unittest.TestCase):
  _Shell = completing.Bash


@unittest.skipUnless(completing.Zsh.IsThere(), "no zsh (Debian: zsh)")
class TestZsh(_Tests, unittest.TestCase):
  _Shell = completing.Zsh


if __name__ == "__main__":
  unittest.main()

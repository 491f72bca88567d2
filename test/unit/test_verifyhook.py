#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of ganeti.confd.command.verifyhook, without daemons"""

import contextlib
import io
import unittest

from unittest import mock

from ganeti.confd.command import verifyhook


class TestMain(unittest.TestCase):
  def testAFaultIsALineOfAscii(self):
    """Whatever was answered.

    """
    out = io.StringIO()
    faults = ["node1: it answers with an error: a\n\033[2J\x9b\u202e\x7f\u00e4",
              "node2: another"]
    with mock.patch.object(verifyhook, "Check", return_value=faults), \
        contextlib.redirect_stdout(out):
      self.assertEqual(verifyhook.Main(), 1)
    self.assertEqual(out.getvalue(),
                     "node1: it answers with an error: a"
                     " \\x1b[2J\\x9b\\u202e\\x7f\\xe4\nnode2: another\n")


if __name__ == "__main__":
  unittest.main()

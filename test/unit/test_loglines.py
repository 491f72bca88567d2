#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of ganeti.confd.loglines"""

import io
import logging
import unittest

from unittest import mock

from ganeti.confd import loglines


_HOSTILE = "a\n2026 forged\r\033[2J\x9b\u202e\ud800\x7f"
_SHOWN = "a\\n2026 forged\\r\\x1b[2J\\x9b\\u202e\\ud800\\x7f"


class TestFormatter(unittest.TestCase):
  def setUp(self):
    self.stream = io.StringIO()
    handler = logging.StreamHandler(self.stream)
    handler.setFormatter(loglines.Formatter("%(levelname)s %(message)s"))
    self.logger = logging.Logger("test")
    self.logger.addHandler(handler)

  def testMessage(self):
    self.logger.warning("name %s", _HOSTILE)
    self.assertEqual(self.stream.getvalue(), "WARNING name %s\n" % _SHOWN)

  def testException(self):
    try:
      raise ValueError(_HOSTILE)
    except ValueError:
      self.logger.exception("It failed")
    lines = self.stream.getvalue().splitlines()
    self.assertEqual(lines[:2], ["ERROR It failed",
                                 "Traceback (most recent call last):"])
    # Python's line end makes two lines of it
    self.assertEqual(lines[-2:], ["ValueError: a", _SHOWN[3:]])

  def testTracebackOfAnotherProcess(self):
    with mock.patch.object(logging, "getLogger", return_value=self.logger):
      loglines.LogTraceback("Traceback:\n  x\033[2J\nError\n")
    self.assertEqual(self.stream.getvalue(), "ERROR Programming error\n"
                     "Traceback:\n  x\\x1b[2J\nError\n")


if __name__ == "__main__":
  unittest.main()

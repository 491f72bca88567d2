#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for numbers that somebody has typed"""

import unittest

import testutils  # pylint: disable=unused-import

from ganeti.confd import numerals


class TestParse(unittest.TestCase):
  def testNumbers(self):
    self.assertEqual(numerals.Parse("0", 0, 5), 0)
    self.assertEqual(numerals.Parse("005", 0, 5), 5)
    self.assertEqual(numerals.Port("65535"), 65535)

  def testWrong(self):
    """Texts that int() takes, too.

    """
    for text in ["", "6", "-1", "+1", " 1", "1 ", "1\n", "1_0", "\u0663", "1.0",
                 "0x1", "\u00b2", "9" * 5000, "0" * 5000 + "1"]:
      with self.assertRaises(ValueError, msg=text):
        numerals.Parse(text, 0, 5)
    for text in ["0", "65536", "http"]:
      with self.assertRaisesRegex(ValueError, "^not a port$", msg=text):
        numerals.Port(text)


if __name__ == "__main__":
  unittest.main()

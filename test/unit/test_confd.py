#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for ganeti.confd, the package's own functions"""

import unittest

from ganeti import confd
from ganeti import errors


class TestMagic(unittest.TestCase):
  def testPack(self):
    self.assertEqual(confd.PackMagic(b""), b"plj0")
    self.assertEqual(confd.PackMagic(b"x\0\xff"), b"plj0x\0\xff")

  def testUnpack(self):
    for payload in [b"", b"x", b"plj0", b"{}", b"\0\xff" * 1000]:
      self.assertEqual(confd.UnpackMagic(b"plj0" + payload), payload)

  def testUnpackRefuses(self):
    for payload in [b"", b"p", b"plj", b"plj1{}", b"PLJ0{}", b" plj0{}",
                    b"0jlp", b"\xefplj0", b"{}"]:
      with self.subTest(payload=payload):
        self.assertRaises(errors.ConfdMagicError, confd.UnpackMagic, payload)

  def testIsAGanetiError(self):
    self.assertRaises(errors.GenericError, confd.UnpackMagic, b"")


class TestHTNodeDrbd(unittest.TestCase):
  """Answers to NODE_DRBD that gnt-node accepts."""

  ROW = ["node1", 0, "inst1", "disk/0", "primary", "node2"]

  def testGood(self):
    for value in [[], [self.ROW], [self.ROW] * 3,
                  [["", -1, "", "", "", ""]]]:
      self.assertTrue(confd.HTNodeDrbd(value), value)

  def testBad(self):
    bad = [None, True, 0, "", "x", {}, (), [None], [[]], [()], [{}], ["x"],
           self.ROW, [self.ROW, None], [tuple(self.ROW)],
           [self.ROW[:5]], [self.ROW + ["x"]], {"x": self.ROW}]
    for (index, item) in enumerate(self.ROW):
      for wrong in [None, 1.0, True, [], {}, b"x",
                    "0" if isinstance(item, int) else 0]:
        row = list(self.ROW)
        row[index] = wrong
        bad.append([row])
    for value in bad:
      with self.subTest(value=value):
        self.assertFalse(confd.HTNodeDrbd(value))


if __name__ == "__main__":
  unittest.main()

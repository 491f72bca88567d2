#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of ganeti.confd.exporter.compress"""

import gzip
import unittest
import zlib

import inputs
import testutils  # pylint: disable=W0611
from inputs import hypothesis, needs_hypothesis, st

from ganeti.confd.exporter import compress


_SETTINGS = inputs.Settings(100)


def _Check(test, parts):
  """Compares what clients get with the data.

  @param parts: pairs of data and whether they are packed before

  """
  expected = b"".join(data for (data, _) in parts)
  mixed = [compress.Unpack(compress.Pack(data)) if is_packed else data
           for (data, is_packed) in parts]
  stream = b"".join(compress.Gzip(mixed))
  test.assertEqual(gzip.decompress(stream), expected)
  # One member, with nothing after it, or browsers would ignore the rest
  decompressor = zlib.decompressobj(16 + zlib.MAX_WBITS)
  test.assertEqual(decompressor.decompress(stream), expected)
  test.assertTrue(decompressor.eof)
  test.assertEqual(decompressor.unused_data, b"")
  test.assertEqual(b"".join(compress.Raw(mixed)), expected)


class TestGzip(unittest.TestCase):
  def test(self):
    large = b"".join(b"%d times " % i for i in range(100000))
    for parts in [[], [(b"", True)], [(b"x", False)], [(large, True)],
                  [(b"head", False), (large, True), (b"tail", False)],
                  [(large, True), (large, True)]]:
      _Check(self, parts)
    self.assertLess(len(b"".join(compress.Gzip(
      [compress.Unpack(compress.Pack(large))]))), len(large) / 3)

  @needs_hypothesis
  @_SETTINGS
  @hypothesis.given(st.lists(st.tuples(st.binary(), st.booleans())))
  def testAnything(self, parts):
    _Check(self, parts)

  @needs_hypothesis
  @_SETTINGS
  @hypothesis.given(st.binary(), st.binary())
  def testCombine(self, first, second):
    self.assertEqual(
      compress.CombineCrc(zlib.crc32(first), zlib.crc32(second), len(second)),
      zlib.crc32(first + second))

  def testAccepted(self):
    for (header, expected) in [
        ("gzip", True), ("gzip, deflate, br", True), ("deflate,GZIP;q=0.5",
                                                      True),
        ("br;q=1.0, gzip ; q=0.001", True), ("", False), ("identity", False),
        ("gzip;q=0", False), ("gzip;q=0.000", False), ("x-gzip", False),
        ("*", False)]:
      self.assertEqual(compress.IsAccepted(header), expected, header)


if __name__ == "__main__":
  unittest.main()

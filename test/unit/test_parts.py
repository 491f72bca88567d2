#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for ganeti.confd.protocol.parts"""

import base64
import hashlib
import json
import random
import string
import tracemalloc
import unittest
import zlib
from unittest import mock

import testutils

from ganeti import errors
from ganeti.confd import protocol
from ganeti.confd.protocol import parts
from ganeti.confd.protocol import wire


#: A size that any network carries in one piece
_MAX_DATAGRAM = 1232

_CHARACTERS = string.ascii_letters + string.digits

#: A salt such as uuid.uuid4 makes
_SALT = "0b3cd9a5-2b5c-4a2f-9d6e-6f1c8f2a7b10"


def _Noise(size):
  """Makes text that cannot be compressed to much less than six bits a byte.

  """
  chance = random.Random(size)
  return "".join(chance.choices(_CHARACTERS, k=size))


def _Assemble(cut, order=None):
  """Puts an answer together.

  @type cut: L{parts.Parts}
  @param order: the order in which the parts come

  """
  assembly = parts.Assembly(len(cut), cut.sha256)
  for number in order or range(len(cut)):
    assembly.Add(number, cut.Get(number))
  return assembly.Answer()


def _Made(data, sha256=None, max_memory=parts.MAX_MEMORY):
  """Makes an assembly that is complete.

  @param data: bytes of what should be compressed text
  @param sha256: what is promised; None for the truth

  """
  if sha256 is None:
    sha256 = hashlib.sha256(data).hexdigest()
  size = parts.PART_SIZE
  pieces = [data[i:i + size] for i in range(0, len(data), size)] or [b""]
  assembly = parts.Assembly(len(pieces), sha256, max_memory)
  for (number, piece) in enumerate(pieces):
    assembly.Add(number, base64.b64encode(piece).decode("ascii"))
  return assembly


class TestRoundTrip(unittest.TestCase):
  def testAny(self):
    for value in [None, 0, "", [], {}, "x", "\u20ac", "\ud800", [1.5] * 10000,
                  {"a": [None, True]}, _Noise(10), _Noise(100000)]:
      cut = parts.Parts(wire.EncodeJson(value))
      # The client makes Unicode of what is none
      self.assertEqual(_Assemble(cut), "\ufffd" if value == "\ud800" else value)

  def testAnyOrderAndTwice(self):
    value = _Noise(20000)
    cut = parts.Parts(wire.EncodeJson(value))
    order = list(range(len(cut))) * 2
    random.Random(1).shuffle(order)
    self.assertEqual(_Assemble(cut, order), value)

  def testTheSameAgain(self):
    (cut, other) = (parts.Parts(wire.EncodeJson(_Noise(20000)))
                    for _ in range(2))
    self.assertEqual([cut.Get(i) for i in range(len(cut))],
                     [other.Get(i) for i in range(len(other))])
    self.assertEqual(cut.sha256, other.sha256)


class TestPieces(unittest.TestCase):
  """The text comes in pieces."""

  def testSameAsWhole(self):
    texts = ["[", "1", ",", "\"" + 5000 * "x" + "\"", "", "]"]
    whole = parts.Parts("".join(texts))
    cut = parts.Parts(iter(texts))
    self.assertEqual(cut.Text(), "".join(texts))
    self.assertEqual((whole.Text(), whole.text_size),
                     (cut.Text(), cut.text_size))

  def testTooLarge(self):
    """Data without an end are given up as soon as that is known."""
    made = []

    def _Endless():
      while True:
        made.append(1)
        yield "x" * 1000

    with mock.patch.object(protocol, "MAX_ANSWER", 10000):
      self.assertRaises(parts.TooLarge, parts.Parts, _Endless())
      self.assertEqual(len(made), 11)
      self.assertEqual(parts.Parts("x" * 10000).text_size, 10000)


class TestCut(unittest.TestCase):
  def testBounds(self):
    """No part is empty, none is longer than it may be, none is missing.

    """
    for size in (1, 2, parts.PART_SIZE - 1, parts.PART_SIZE,
                 parts.PART_SIZE + 1, 2 * parts.PART_SIZE - 1,
                 2 * parts.PART_SIZE, 2 * parts.PART_SIZE + 1):
      data = bytes(i % 256 for i in range(size))
      with mock.patch("zlib.compressobj") as packer:
        packer.return_value.compress.return_value = b""
        packer.return_value.flush.return_value = data
        cut = parts.Parts("")
      pieces = [base64.b64decode(cut.Get(i)) for i in range(len(cut))]
      self.assertEqual(b"".join(pieces), data)
      self.assertTrue(all(0 < len(i) <= parts.PART_SIZE for i in pieces))
      self.assertEqual(len(pieces), -(-size // parts.PART_SIZE))
      self.assertEqual(cut.size, size)
      self.assertEqual(cut.sha256, hashlib.sha256(data).hexdigest())

  def testDatagramsAreSmall(self):
    cut = parts.Parts(wire.EncodeJson(_Noise(parts.PART_SIZE * 2)))
    for (salt, serial, count) in [(_SALT, 1, len(cut)),
                                  (_SALT, 10 ** 12, 10 ** 6),
                                  ("x" * 48, 10 ** 9, 10 ** 6)]:
      text = wire.EncodeReply(0, cut.Get(0), serial,
                              wire.Part(count - 1, count, cut.sha256))
      datagram = wire.PackReply(testutils.KEY, salt, wire.Prepare(text))
      self.assertLessEqual(len(datagram), _MAX_DATAGRAM)
      # Not smaller than need be, either
      self.assertGreater(len(datagram), _MAX_DATAGRAM - 100)


class TestAssembly(unittest.TestCase):
  def testCounts(self):
    cut = parts.Parts(wire.EncodeJson(_Noise(3000)))
    assembly = parts.Assembly(len(cut), cut.sha256)
    self.assertEqual((len(assembly), assembly.Has(1)), (0, False))
    assembly.Add(1, cut.Get(1))
    assembly.Add(1, cut.Get(1))
    self.assertEqual((len(assembly), assembly.Has(1)), (1, True))

  def _Refused(self, assembly, text):
    with self.assertRaisesRegex(errors.ConfdClientError, text):
      assembly.Answer()

  def testNoBase64(self):
    for text in [None, 5, [], {}, True, "*", "x", "\u20ac", "YQ==\n", "YQ",
                 "Y Q=="]:
      assembly = parts.Assembly(1, "")
      with self.subTest(text=text):
        self.assertRaises(errors.ConfdClientError, assembly.Add, 0, text)

  def testWrongHash(self):
    data = zlib.compress(b"5")
    self.assertEqual(_Made(data).Answer(), 5)
    for sha256 in ["", "0" * 64, hashlib.sha256(b"5").hexdigest()]:
      self._Refused(_Made(data, sha256), "promised hash")

  def testPartsInWrongPlaces(self):
    cut = parts.Parts(wire.EncodeJson(_Noise(3000)))
    assembly = parts.Assembly(len(cut), cut.sha256)
    for number in range(len(cut)):
      assembly.Add(number, cut.Get(len(cut) - 1 - number))
    self._Refused(assembly, "promised hash")

  def testNotCompressed(self):
    for data in [b"", b"5", zlib.compress(b"5" * 100)[:-1],
                 zlib.compress(b"5")[1:]]:
      with self.subTest(data=data):
        self.assertRaises(errors.ConfdClientError, _Made(data).Answer)

  def testSomethingFollows(self):
    self._Refused(_Made(zlib.compress(b"5") + b"x"), "cannot be unpacked")

  def testNoJson(self):
    for text in [b"", b"{", b"5 6", b"\xff", b"NaN", b"[" * 100000]:
      with self.subTest(text=text[:10]):
        self._Refused(_Made(zlib.compress(text)), "JSON")

  def testPartTooLong(self):
    text = base64.b64encode(b"x" * (parts.PART_SIZE + 1)).decode("ascii")
    with self.assertRaisesRegex(errors.ConfdClientError, "676 bytes"):
      parts.Assembly(1, "0" * 64).Add(0, text)

  def testMoreThanFitsMemory(self):
    # Not unpacked first and measured then
    data = zlib.compress(b" " * 10 ** 7)
    limit = 3 * 10 ** 6
    with self.assertRaisesRegex(errors.ConfdClientError,
                                "has more than 2.* the limit is 3 MB"
                                " .*max_memory"):
      _Made(data, max_memory=limit).Answer()
    good = zlib.compress(json.dumps("x" * 10 ** 6).encode("ascii"))
    self.assertEqual(_Made(good, max_memory=limit).Answer(), "x" * 10 ** 6)

  def testManyValuesInAShortText(self):
    """64 MB of such a text would make 1.8 GB of objects.

    """
    for item in [b"[]", b"{}", b"[1]", b"{\"a\":1}", b"\"abc\"", b"1234567"]:
      with self.subTest(item=item):
        text = b"[%s1]" % ((item + b",") * (1 << 17))
        data = zlib.compress(text)
        tracemalloc.start()
        try:
          value = json.loads(text.decode("ascii"))
          (_, peak) = tracemalloc.get_traced_memory()
        finally:
          tracemalloc.stop()
        self.assertEqual(len(value), (1 << 17) + 1)
        # The estimated memory is not too low, nor very much too high
        with self.assertRaisesRegex(errors.ConfdClientError, "max_memory"):
          _Made(data, max_memory=peak).Answer()
        self.assertEqual(_Made(data, max_memory=4 * peak).Answer(), value)

  def testManyParts(self):
    limit = 1000 * parts.PART_SIZE
    parts.Assembly(1000, "0" * 64, limit)
    with self.assertRaisesRegex(errors.ConfdClientError,
                                "has 1001 parts, .* max_memory"):
      parts.Assembly(1001, "0" * 64, limit)

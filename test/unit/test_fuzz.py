#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Inputs that fuzzing found or kept, without the fuzzer"""

import random
import unittest
from unittest import mock

from fuzz import targets


class TestTargets(unittest.TestCase):
  def _Check(self, name):
    function = targets.TARGETS[name]
    seeds = targets.Seeds(name)
    for data in seeds + targets.ReadCorpus(name):
      with self.subTest(data=data):
        function(data)
    # And a little of what the fuzzer does: the targets cannot rot
    chance = random.Random(name)
    for _ in range(100):
      data = bytearray(chance.choice(seeds))
      for _ in range(chance.randrange(1, 5)):
        data.insert(chance.randrange(len(data) + 1), chance.randrange(256))
      with self.subTest(data=bytes(data)):
        function(bytes(data))

  def testWire(self):
    self._Check("wire")

  def testRequests(self):
    self._Check("requests")

  def testConfiguration(self):
    self._Check("configuration")

  def testParts(self):
    self._Check("parts")

  def testFilters(self):
    self._Check("filters")

  def testAll(self):
    self.assertEqual(sorted(targets.TARGETS), sorted(
      name[4:].lower() for name in dir(self)
      if name.startswith("test") and name != "testAll"))


class TestFinding(unittest.TestCase):
  """A target can fail."""

  def testAnotherAnswer(self):
    answers = []

    def _Find(real=targets.parts.Assembly.Answer):
      def _Answer(self):
        answers.append(real(self))
        return answers[-1] + ["more"]
      return _Answer

    with mock.patch.object(targets.parts.Assembly, "Answer", _Find()):
      self.assertRaises(targets.Finding, targets.TARGETS["parts"], b"")
    self.assertTrue(answers)

  def testProgrammingError(self):
    # An input of its own: other answers may be known from before
    with mock.patch.object(targets.answers.querylib, "Answer",
                           side_effect=KeyError):
      self.assertRaises(KeyError, targets.TARGETS["requests"],
                        b"\x01\x00asked once")


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for ganeti.confd.config.document and packed"""

import json
import random
import unittest
from unittest import mock

import mutations
import oddsecrets
import oldconfigs
from inputs import JSON, hypothesis, needs_hypothesis
from testutils import MakeConfig, MakeDisk, MakeDrbd, MakeInstance, MakeNode
from testutils import Uuid

from ganeti import errors
from ganeti.confd.config import document
from ganeti.confd.config import packed
from ganeti.confd.protocol import wire


def _Config():
  return MakeConfig(
    nodes=[MakeNode(1), MakeNode(2)],
    instances=[
      MakeInstance(1, 1, disks=[1, 2], nics=["198.51.100.1"],
                   beparams={"a": -0.0, "b": 1.5e300, "c": -12, "d": 1e-7},
                   tags=["\xe9", "\U0001f600"]),
      MakeInstance(2, 2, disks=[3, 4])],
    disks=[MakeDrbd(1, 1, 2, secret="one"), MakeDrbd(2, 1, 2, secret="two"),
           MakeDrbd(3, 2, 1, secret="one", children=[MakeDisk(5)]),
           MakeDisk(4)])


def _Bytes(config):
  return json.dumps(config).encode("ascii")


def _Cut(text, size):
  """Makes the function that L{document.Document} reads a text with.

  """
  return lambda: iter([text[i:i + size] for i in range(0, len(text), size)])


class _Whole(document.Document):
  """The reference: another library parses all of the text at once."""
  def _ParseByItem(self, reader):
    raise ValueError()


def _Describe(found):
  """Tells all that a document has.

  """
  sharing = [(section, key, index)
             for section in ("instances", "disks")
             for (key, stored) in _Items(found.stored.get(section))
             for index in range(_CountDisks(section, packed.Parse(stored)))
             if found.SharesSecret(section, key, index)]
  return (wire.EncodeJson(found.stored), sorted(found.names.items()),
          sharing)


def _Items(section):
  return section.items() if isinstance(section, dict) else []


def _CountDisks(section, stored):
  if section == "disks" or not isinstance(stored, dict):
    return 1
  disks = stored.get("disks")
  return len(disks) if isinstance(disks, list) else 0


class TestByItem(unittest.TestCase):
  """Parsing one item after the other is the same as parsing the whole."""

  def _Compare(self, text, size=document.CHUNK):
    results = []
    for make in (document.Document, _Whole):
      try:
        results.append(_Describe(make(_Cut(text, size))))
      except errors.ConfigurationError as err:
        results.append(str(err))
    self.assertEqual(results[0], results[1], text)
    return not isinstance(results[0], str)

  def testMutations(self):
    rng = random.Random(20261130)
    configs = [_Config(), oldconfigs.Make(6)]
    good = 0
    for _ in range(400):
      config = mutations.Mutate(rng, rng.choice(configs), rng.choice([1, 1, 4]))
      text = mutations.Text(config).encode("utf-8")
      if rng.random() < 0.5:
        # No JSON, mostly
        place = rng.randrange(len(text))
        text = text[:place] + text[place + rng.randrange(3):]
      good += self._Compare(text, rng.choice([7, 4096, document.CHUNK]))
    self.assertGreater(good, 150)

  def testOddSecrets(self):
    for (_, config) in oddsecrets.Configs():
      self.assertTrue(self._Compare(_Bytes(config)))

  def testEqualKeys(self):
    """The last of equal keys counts, also with its secret or without."""
    (one, two) = [json.dumps(_Config()["disks"][Uuid("d", i)]) for i in (1, 2)]
    base = _Bytes(_Config()).decode("ascii")
    for more in ["\"disks\":{},", "\"disks\":5,\"disks\":{\"x\":%s}," % one,
                 "\"instances\":{\"i\":{\"name\":\"x\",\"disks\":[%s,%s]}},"
                 % (two, one), "\"instances\":[],"]:
      for text in [base.replace("{", "{" + more, 1),
                   base[:-1] + "," + more[:-1] + "}"]:
        self.assertTrue(self._Compare(text.encode("ascii")))
    key = json.dumps(Uuid("d", 1))
    for values in [[one, two], [two, one], [one, "5"], ["5", one], ["{}", one],
                   [one, "{}"], [one, one]]:
      text = base.replace(
        "\"disks\": {" + key, "\"disks\": {%s,%s" % (
          ",".join("%s:%s" % (key, value) for value in values), key))
      self.assertNotEqual(text, base)
      self.assertTrue(self._Compare(text.encode("ascii")))

  def testKeysOfSecrets(self):
    """A section is an object, in which a key may mean a secret."""
    disk = _Config()["disks"][Uuid("d", 1)]
    for section in ("instances", "disks"):
      for key in ("logical_id", "physical_id", "children", "disks", "dev_type",
                  "primary_node", "osparams_private",
                  "osparams_private_cluster"):
        for value in [disk, [disk], disk["logical_id"], "s3cret", {"a": "b"},
                      5]:
          config = _Config()
          config[section][key] = value
          self.assertTrue(self._Compare(_Bytes(config)))
          config[key] = value
          self.assertTrue(self._Compare(_Bytes(config)))

  def testMark(self):
    self.assertTrue(self._Compare(b"\xef\xbb\xbf" + _Bytes(_Config())))

  def testAnyCut(self):
    """Wherever the text is cut, it is parsed item by item."""
    for config in [_Config(), oldconfigs.Make(1), {}, {"instances": {}}]:
      for text in [_Bytes(config), b" \n" + json.dumps(
          config, indent=1, ensure_ascii=False).encode("utf-8") + b"\t"]:
        expected = _Describe(_Whole(_Cut(text, len(text))))
        with mock.patch.object(document.Document, "_ParseAsWhole") as whole:
          for size in [*range(1, 20), 100, 1000, len(text)]:
            self.assertEqual(
              _Describe(document.Document(_Cut(text, size))), expected)
        whole.assert_not_called()


class TestPacked(unittest.TestCase):
  def _Check(self, value):
    kept = packed.Pack(value)
    self.assertIs(type(kept), bytes)
    for found in [packed.Parse(kept), packed.Unpack(kept)]:
      # Also the order of keys, and the difference of 0.0 and -0.0 and 0
      self.assertEqual(repr(found), repr(value))
    self.assertEqual(wire.EncodeJson(kept), wire.EncodeJson(value))

  @needs_hypothesis
  def testAny(self):
    @hypothesis.given(JSON)
    def _Try(value):
      # Infinity and NaN have a test of their own
      self._Check(wire.Finite(value))
    _Try()

  def testOdd(self):
    for value in [-0.0, 0.0, 0, 1e300, 10 ** 4000, "\ud800", "\udc00\ud800",
                  "\U0001f600", "\0\x7f\"\\", {"": [], "b": {}, "a": None}]:
      self._Check(value)
      self._Check({"x": [value]})

  def testNoText(self):
    """A value that no text stands for is kept as it is."""
    deep = []
    for _ in range(100000):
      deep = [deep]
    for value in [float("inf"), {"x": [float("-inf")]}, deep]:
      self.assertIs(packed.Pack(value), value)
      self.assertIs(packed.Unpack(value), value)
    while deep:
      # The interpreter would need as many levels to free it
      (deep, ) = deep


if __name__ == "__main__":
  unittest.main()

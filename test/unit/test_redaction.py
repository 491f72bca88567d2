#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for ganeti.confd.config.redaction"""

import copy
import functools
import json
import unittest

import oddsecrets
from inputs import hypothesis, needs_hypothesis, st
from testutils import MakeConfig, MakeDisk, MakeDrbd, MakeInstance, MakeNode
from testutils import Uuid

from ganeti.confd import querylib
from ganeti.confd.config import redaction
from ganeti.confd.config import snapshot
from ganeti.confd.protocol import wire
from ganeti.confd.schema import columns


def _Load(config):
  return snapshot.Snapshot(json.dumps(config).encode("ascii"))


def _Request(rtype, query):
  return wire.Request(rtype, query, "x", None, "0" * 40, 0, None)


def Everything(snap):
  """Yields the text of all that may be asked for.

  """
  names = [None, ""]
  for directory in (snap.nodes, snap.instances, snap.groups, snap.networks,
                    snap.disks):
    names.extend(item.name for item in directory.items)
  for rtype in range(13):
    for name in names:
      yield wire.EncodeJson(querylib.Answer(snap, _Request(rtype, name)))
  for what in columns.KINDS:
    listed = wire.EncodeJson(
      querylib.Answer(snap, _Request(64, {"what": what})))
    yield listed
    query = {"what": what,
             "fields": [row[0] for row in json.loads(listed)[1]["fields"]]}
    yield wire.EncodeJson(querylib.Answer(snap, _Request(64, query)))
    pieces = querylib.AnswerInPieces(snap, _Request(64, query))
    yield "".join(pieces.texts)
  yield "\n".join(snap.warnings)


class TestOddForms(unittest.TestCase):
  """Forms that Ganeti does not write are left out as a whole."""

  def testNothingLeaves(self):
    count = 0
    for (name, config) in oddsecrets.Configs():
      # Each is one that holds something
      self.assertIn(oddsecrets.MARK, json.dumps(config), name)
      count += 1
      for text in Everything(_Load(config)):
        self.assertNotIn(oddsecrets.MARK, text, name)
    self.assertGreater(count, 300)

  def testTextsWithoutType(self):
    """Where an object stands tells that it is a disk or an instance.

    """
    snap = _Load(MakeConfig() | {
      "disks": {"d": {"children": "s3cret"}},
      "instances": {"i": {"disks": "s3cret"}},
      })
    self.assertNotIn("s3cret", wire.EncodeJson(snap.document))

  def testTheRestIsServed(self):
    for (name, config) in oddsecrets.Configs():
      with self.subTest(name=name):
        snap = _Load(config)
        self.assertEqual(len(snap.nodes.items), 2)
        if isinstance(config["instances"], dict) and \
           Uuid("b", 2) in config["instances"]:
          self.assertIsNotNone(snap.FindInstance("inst2"))


class TestGoodForms(unittest.TestCase):
  """Forms that Ganeti writes are kept."""

  def testSecretsAlone(self):
    config = MakeConfig(
      nodes=[MakeNode(1), MakeNode(2)],
      instances=[MakeInstance(1, 1, disks=[1, 2],
                              osparams={"children": "3", "disks": "2"},
                              osparams_private={"a": "secret", "b": ""})],
      disks=[MakeDrbd(1, 1, 2, secret="secret", children=[
        MakeDisk(3), MakeDisk(4)]),
             MakeDisk(2, dev_type="rbd", logical_id=["rbd", "x"]),
             # As before Ganeti 2.0
             MakeDisk(5, dev_type="drbd8",
                      logical_id=[Uuid("a", 1), Uuid("a", 2), 11000]),
             MakeDisk(6, dev_type="drbd8", logical_id=None, physical_id=[
               "10.0.0.1", 11000, "10.0.0.2", 11000, 0, "secret"])],
      cluster={"osparams_private_cluster": {"os": {"a": "secret"}, "b": {}}})
    expected = copy.deepcopy(config)
    expected["instances"][Uuid("b", 1)]["osparams_private"] = {
      "a": "<redacted>", "b": "<redacted>"}
    expected["disks"][Uuid("d", 1)]["logical_id"][5] = "<redacted>"
    expected["disks"][Uuid("d", 6)]["physical_id"][5] = "<redacted>"
    expected["cluster"]["osparams_private_cluster"]["os"]["a"] = "<redacted>"
    self.assertEqual(wire.EncodeJson(_Load(config).document),
                     wire.EncodeJson(expected))

  def testItems(self):
    """One item after the other is the same as all of them."""
    for (name, config) in oddsecrets.Configs():
      whole = json.loads(wire.EncodeJson(_Load(config).document))
      for section in redaction.SECTIONS:
        if not isinstance(config[section], dict):
          continue
        for (key, item) in config[section].items():
          parsed = json.loads(json.dumps(item), object_hook=functools.partial(
            redaction.Object, {}))
          self.assertEqual(redaction.Item(parsed), whole[section][key], name)


def _Holders(value, path=()):
  """Lists the places at or above a secret, by their keys.

  """
  if isinstance(value, str):
    return [path] if oddsecrets.MARK in value else []
  items = (value.items() if isinstance(value, dict) else
           enumerate(value) if isinstance(value, list) else [])
  below = [found for (key, item) in items
           for found in _Holders(item, path + (key, ))]
  return ([path] if below else []) + below


def _Base():
  """A configuration that has secrets everywhere, in good forms.

  """
  secrets = oddsecrets.Secrets()

  def _Drbd(index, **kwargs):
    return MakeDrbd(index, 1, 2, secret=secrets.New(),
                    physical_id=["10.0.0.1", 1, "10.0.0.2", 1, 0,
                                 secrets.New()], **kwargs)

  return MakeConfig(
    nodes=[MakeNode(1), MakeNode(2)],
    instances=[
      MakeInstance(1, 1, disks=[1, 2],
                   osparams_private={"a": secrets.New(), "b": secrets.New()}),
      dict(MakeInstance(2, 2), disks=[_Drbd(9, children=[_Drbd(8)])])],
    disks=[_Drbd(1, children=[MakeDisk(5), _Drbd(6)]),
           MakeDisk(2, children=[_Drbd(7)])],
    cluster={"osparams_private_cluster": {"os": {"a": secrets.New()}}})


@needs_hypothesis
class TestAnyForm(unittest.TestCase):
  """Good forms of which some are changed, wherever a secret is in them."""

  @hypothesis.given(st.data())
  def testNothingLeaves(self, data):
    config = _Base()
    changed = []
    for _ in range(data.draw(st.integers(1, 3))):
      paths = [path for path in _Holders(config)
               # Without a cluster that is an object, nothing is served; and
               # what was changed already is no good form
               if len(path) > 0 and path != ("cluster", ) and
               not any(path[:len(i)] == i or i[:len(path)] == path
                       for i in changed)]
      if not paths:
        break
      path = data.draw(st.sampled_from(paths))
      changed.append(path)
      parent = config
      for key in path[:-1]:
        parent = parent[key]
      (_, parent[path[-1]]) = data.draw(st.sampled_from(list(
        oddsecrets.Wrappings(parent[path[-1]]))))
    for text in Everything(_Load(config)):
      self.assertNotIn(oddsecrets.MARK, text, changed)


if __name__ == "__main__":
  unittest.main()

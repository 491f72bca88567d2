#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of the forms of answers: lib/confd/clientlib/forms.py"""

import json
import os
import random
import unittest

import mutations
import testutils
from testutils import Uuid

from ganeti.confd import querylib
from ganeti.confd.clientlib import forms
from ganeti.confd.config import snapshot
from ganeti.confd.protocol import wire
from ganeti.confd.schema import columns


KEY = testutils.KEY

#: How many configurations are tried
_EXAMPLES = int(os.environ.get("CONFD_EXAMPLES", "150"))


def _Fault(rtype, query, answer, status=0, serial=7, part=None, **kwargs):
  """Sends an answer over the wire, and says what is wrong with it.

  """
  message = {"protocol": 1, "status": status, "answer": answer,
             "serial": serial}
  message.update(kwargs)
  try:
    reply = wire.ParseReply(
      testutils.PackText(KEY, "salt", mutations.Text(message)), KEY)
  except wire.Malformed as err:
    return str(err)
  return forms.Fault(forms.Question(rtype, query, part), reply)


def _Config():
  """Makes a configuration that has something of everything.

  """
  config = testutils.MakeConfig(
    nodes=[testutils.MakeNode(1, master_candidate=True),
           testutils.MakeNode(2, ndparams={"ssh_port": 22})],
    instances=[
      testutils.MakeInstance(1, 1, disks=[1, 2], nics=[
        ("198.51.100.1", None), (None, "br1")], tags=["a", "b"],
                             beparams={"maxmem": 512, "vcpus": 2},
                             network_port=11000),
      testutils.MakeInstance(2, 2, disks=[3], nics=["198.51.100.2"],
                             forthcoming=True)],
    disks=[testutils.MakeDrbd(1, 1, 2), testutils.MakeDisk(2, name="data"),
           testutils.MakeDisk(3), testutils.MakeDisk(4, spindles=2)],
    cluster={"beparams": {"default": {"maxmem": 128, "always_failover": True}},
             "hvparams": {"kvm": {"acpi": True, "kernel_path": "/vmlinuz"}},
             "ndparams": {"spindle_count": 1},
             "data_collectors": {"lv": {"active": True, "interval": 5e6}}})
  config["networks"] = {Uuid("9", 1): {
    "name": "net1", "uuid": Uuid("9", 1), "network": "198.51.100.0/24",
    "gateway": "198.51.100.254", "reservations": "1" + "0" * 255,
    "ext_reservations": "0" * 256, "serial_no": 1, "tags": []}}
  config["nodegroups"][Uuid("c", 1)]["networks"] = {
    Uuid("9", 1): {"mode": "bridged", "link": "br0"}}
  config["instances"][Uuid("b", 1)]["nics"][0]["network"] = Uuid("9", 1)
  return config


def _Questions(snap):
  """Lists a question of each kind.

  """
  yield from [(0, None), (3, None), (3, {"3": [0, "1", 2]}), (3, {}), (4, None),
              (5, None), (6, None), (6, "br1"), (10, ""), (10, "/serial_no"),
              (11, None), (66, {"serial": -1, "seconds": 1}), (99, None),
              (2, "198.51.100.1"), (2, {"1": "198.51.100.1", "0": "br0"}),
              (2, {"2": ["198.51.100.2", "x"]}), (2, {}), (2, 5), (64, 5),
              (64, {"what": "x"}), (64, {"what": "node", "fields": ["x"]}),
              (64, {"what": "node", "fields": ["name", "name"]}),
              (64, {"what": "node", "fields": ["name"], "names": ["x"]})]
  for name in ("node1.example.com", Uuid("a", 2), "inst1", Uuid("b", 2), "x"):
    yield from [(rtype, name) for rtype in (1, 7, 8, 9)]
  for what in columns.KINDS:
    yield (64, {"what": what})
    fields = [row[0] for row in
              querylib.inventory.fieldslib.All(snap, what)]
    yield (64, {"what": what, "fields": fields})
    for name in ("node1", "inst2", Uuid("d", 1), "default"):
      yield (64, {"what": what, "fields": fields, "names": [name]})


class TestDaemon(unittest.TestCase):
  """The daemon's answers have their form, whatever configuration it serves."""

  def _Check(self, config):
    """@return: whether the configuration can be served

    """
    try:
      snap = snapshot.Snapshot(mutations.Text(config).encode("ascii"))
    except snapshot.errors.ConfigurationError:
      return False
    for (rtype, query) in _Questions(snap):
      request = wire.Request(rtype, query, "salt")
      (status, answer) = querylib.Answer(snap, request)
      text = wire.EncodeReply(status, answer, snap.serial)
      reply = wire.ParseReply(
        wire.PackReply(KEY, "salt", wire.Prepare(text)), KEY)
      fault = forms.Fault(forms.Question(rtype, query), reply)
      # All but what is nested deeply can still be had
      if fault is None or not fault.endswith("levels of lists and objects"):
        self.assertIsNone(fault, (rtype, query, answer))
    return True

  def testSamples(self):
    for (_, path) in testutils.Samples():
      self.assertTrue(self._Check(json.loads(testutils.ReadFile(path))))
    self.assertTrue(self._Check(_Config()))

  def testMutilated(self):
    rng = random.Random(1)
    config = _Config()
    served = 0
    for _ in range(_EXAMPLES):
      served += self._Check(mutations.Mutate(rng, config, rng.randint(1, 6)))
    self.assertGreater(served, _EXAMPLES / 2)


#: Answers as they should be: type, query, answer. Answers of Ganeti's own
#: daemons of several releases are among them, and what a newer one may add.
_GOOD = [
  (0, None, 3000000), (0, None, 0), (0, None, "ok"),
  (1, "node1", 0), (1, "node1", 4),
  (2, "192.0.2.1", "node1"), (2, {"1": "192.0.2.1", "2": []}, "node1"),
  (2, {"2": ["a", "b"]}, [[0, "192.0.2.1"], [1, 0]]),
  (2, {"2": ["a", "b"]}, [[0, "192.0.2.1", 7], [1, "no such ip", 0]]),
  (2, {"1": None, "2": ["a"]}, [[2, None]]), (2, {}, []),
  (3, None, "node1"), (3, "", "node1"), (3, {"3": ["0"]}, ["node1"]),
  (3, {"3": []}, []), (3, {"3": None}, []),
  (4, None, ["192.0.2.1", "::1"]), (5, 5, []), (6, None, ["192.0.2.1"]),
  (7, "node1", [["node1", 0, "inst1", "disk/0", "primary", "node2"]]),
  (7, "node1", []),
  (8, "node1", [[], []]), (8, "node1", [[{"name": 5}, {}], [{"x": [[]]}]]),
  (9, "inst1", []), (9, "inst1", [{"size": None}]),
  (10, "", {"a": [1, {}]}), (10, "/x", None), (10, "/x", -1.5),
  (10, "/serial_no", 5), (10, 5, 5),
  (11, None, {}), (11, None, {"lv": {"active": True, "interval": 5000000.0}}),
  (11, None, {"new": {"active": False, "interval": 5, "more": []}}),
  (64, {"what": "disk"}, {"fields": [["a", "A", "text", "It is"]]}),
  (64, {"what": "disk"}, {"fields": [["a", "A", "new type", ""]], "more": 1}),
  (64, {"what": "node", "fields": []}, {"fields": [], "rows": [[], []]}),
  (64, {"what": "node", "fields": ["name", "newer"]},
   {"fields": ["name", "newer"], "rows": [["node1", {"a": []}]], "more": None}),
  (64, {"what": "instance", "fields": ["be/maxmem", "hv/acpi", "tags", "ip"]},
   {"fields": ["be/maxmem", "hv/acpi", "tags", "ip"],
    "rows": [["much", 10 ** 400, ["a"], None], [None, None, [], "::1"]]}),
  (64, {"what": "planet", "fields": ["name"]},
   {"fields": ["name"], "rows": [[5]]}),
  (65, None, {"version": "1", "config": {
    "serial": 5, "mtime": 1.5, "size": 3, "load_time": 0, "age": 1,
    "more": []}, "memory": None, "queries": {"ping": 5, "new": 6},
              "dropped": {"overflow": None}, "more": [], "new": {"x": "y"}}),
  (66, {"serial": 5, "seconds": 1}, 6),
  (67, None, {"any": [None]}), (-1, None, None),
  ]

#: Errors as they should be: type, status, answer
_GOOD_ERRORS = [
  (0, 1, 0), (0, 1, 6), (7, 1, "Cannot load configuration"), (0, 2, None),
  (99, 2, "not implemented"), (99, 2, 0),
  (64, 1, {"error": 2, "unknown": "field", "value": "x"}), (64, 1, 2),
  (64, 1, {"error": 2, "duplicate": "name", "value": "x", "more": 1}),
  (64, 1, {"error": 9}),
  ]

#: Answers that are wrong, and what is said: type, query, answer, text
_BAD = [
  (0, None, "OK", 'answer: "OK" instead of an integer'),
  (0, None, 1.0, "1.0 instead of"), (0, None, True, "true instead of"),
  (0, None, -1, "-1 instead of"), (0, None, 1 << 63, "922337203685477580"),
  (1, "node1", 5, "answer: 5 instead of the number of a role"),
  (1, "node1", False, "false"), (1, "node1", "0", '"0"'),
  (2, "x", ["192.0.2.1"], "answer: a list of 1 instead of a text"),
  (2, {"2": ["a"]}, [], "answer: a list of 0 instead of a list of 1"),
  (2, {"2": ["a"]}, [[0, 5]], r"answer\[0\]: a list of 2 instead of status"),
  (2, {"2": ["a"]}, [[0]], "status and answer"),
  (2, {"2": ["a"]}, [[True, "x"]], "status and answer"),
  (2, {"2": ["a"]}, [[1, {}]], "status and answer"),
  (2, {"2": ["a"]}, {"0": []}, "an object instead of"),
  (3, None, None, "null instead of a text"),
  (3, {"3": [0, 1]}, ["a"], "a list of 1 instead of a list of 2"),
  (3, {"3": [0, 1]}, ["a", None], r"answer\[1\]: null instead of a text"),
  (5, None, ["a", ["b"]], r"answer\[1\]: a list of 1 instead of a text"),
  (7, "x", [["n", 0, "i", "d", "p", "n"], ["n", "0", "i", "d", "p", "n"]],
   r'answer\[1\]\[1\]: "0" instead of an integer'),
  (7, "x", [["n", 0, "i", "d", "p"]], "a list of 5 instead of a list of 6"),
  (8, "x", [[], [5]], r"answer\[1\]\[0\]: 5 instead of an object"),
  (8, "x", [[]], "a list of 1 instead of a list of 2"),
  (9, "x", [None], "null instead of an object"),
  (10, "", [[[]] * 3, json.loads("[" * 120 + "]" * 120)], "at most 100 levels"),
  (10, "/serial_no", "5", '"5" instead of an integer'),
  (11, None, {"lv": {"active": 1, "interval": 5}},
   r'answer\["lv"\].active: 1 instead of true or false'),
  (11, None, {"lv": {"active": True}}, r'answer\["lv"\].interval is missing'),
  (11, None, [], "a list of 0 instead of an object"),
  (64, {"what": "disk"}, {"fields": [["a", "A", "text"]]}, "a list of 3"),
  (64, {"what": "disk"}, {"fields": None}, "answer.fields: null"),
  (64, {"what": "node", "fields": ["name"]}, [], "instead of a table"),
  (64, {"what": "node", "fields": ["name"]}, {"rows": []},
   "answer.fields is missing"),
  (64, {"what": "node", "fields": ["name"]}, {"fields": ["role"], "rows": []},
   "answer.fields: a list of 1 instead of what was asked for"),
  (64, {"what": "node", "fields": ["name"]},
   {"fields": ["name"], "rows": [["a"], ["a", "b"]]},
   "answer.rows: a list of 2 instead of rows of 1"),
  (64, {"what": "node", "fields": ["name"], "names": ["a", "b"]},
   {"fields": ["name"], "rows": [["a"]]},
   "answer.rows: a list of 1 instead of 2 rows of 1"),
  (64, {"what": "node", "fields": ["name", "tags"]},
   {"fields": ["name", "tags"], "rows": [["a", []], ["b", ["x", 5]]]},
   r"answer.rows\[1\], tags\[1\]: 5 instead of a text"),
  (64, {"what": "node", "fields": ["name"]},
   {"fields": ["name"], "rows": [[None]]},
   r"answer.rows\[0\], name: null instead of a text"),
  (64, {"what": "instance", "fields": ["disk.sizes"]},
   {"fields": ["disk.sizes"], "rows": [[[1, "2"]]]},
   "instead of a list of numbers and nulls|instead of a number or null"),
  (64, {"what": "network", "fields": ["group_list"]},
   {"fields": ["group_list"], "rows": [[[["a", "b", "c"]]]]},
   "a list of 3 instead of a list of 4"),
  (65, None, {"version": "1"}, "answer.config is missing"),
  (65, None, {"version": "1", "config": {"age": 5}},
   "answer.config.serial is missing"),
  (65, None, {"version": "1", "config": {
    "serial": 5, "mtime": 1.5, "size": 3, "load_time": None, "age": 1}},
   "answer.config.load_time: null instead of a number"),
  (65, None, {"version": "1", "queries": {"ping": "5"}, "config": {
    "serial": 5, "mtime": 1.5, "size": 3, "load_time": 1, "age": 1}},
   r'answer.queries\["ping"\]: "5" instead of an integer from 0 on or null'),
  (66, None, None, "null instead of an integer"),
  ]


class TestForms(unittest.TestCase):
  def testGood(self):
    for (rtype, query, answer) in _GOOD:
      self.assertIsNone(_Fault(rtype, query, answer), (rtype, query, answer))
    for (rtype, status, answer) in _GOOD_ERRORS:
      self.assertIsNone(_Fault(rtype, None, answer, status), (rtype, answer))

  def testBad(self):
    for (rtype, query, answer, text) in _BAD:
      fault = _Fault(rtype, query, answer)
      self.assertIsNotNone(fault, (rtype, query, answer))
      self.assertRegex(fault, text)

  def testBadErrors(self):
    for (rtype, status, answer) in [
      (0, 1, None), (0, 1, -1), (0, 1, 1.0), (0, 1, True), (0, 1, []),
      (0, 1, {"error": 2}), (64, 1, {}), (64, 1, {"error": "2"}),
      (64, 1, {"error": 2, "unknown": 5, "value": "x"}),
      (64, 1, {"error": 2, "duplicate": "name", "value": ["x"]}),
      (0, 2, []), (0, 2, True), (0, 3, 0), (0, -1, 3000000)]:
      with self.subTest(rtype=rtype, status=status):
        self.assertIsNotNone(_Fault(rtype, None, answer, status),
                             (rtype, status, answer))

  def testFrame(self):
    for (expected, kwargs) in [
      (None, {}), (None, {"serial": (1 << 63) - 1}), (None, {"more": [5]}),
      ("serial: -1 instead of", {"serial": -1}),
      ("serial: 9223372036854775808 instead", {"serial": 1 << 63}),
      ("protocol: 2 instead of 1", {"protocol": 2}),
      ("protocol: null", {"protocol": None}),
      ("protocol: true", {"protocol": True}),
      ("a whole answer instead of part 3", {"part": 3}),
      ]:
      with self.subTest(kwargs=kwargs):
        fault = _Fault(0, None, 3000000, **kwargs)
        if expected is None:
          self.assertIsNone(fault)
        else:
          self.assertIn(expected, fault or "")

  def testParts(self):
    whole = forms.Question(5, None)
    asked = forms.Question(5, None, 0)
    part = wire.Part(0, 1, "00")
    for (question, status, answer, given, expected) in [
      (asked, 0, "eJw=", part, None), (asked, 1, 2, None, None),
      (asked, 1, "text", None, None),
      (whole, 0, "eJw=", part, "a part instead of the whole answer"),
      (asked, 0, [], None, "a whole answer instead of part 0"),
      (asked, 0, [], part, "answer: a list of 0 instead of a text"),
      (asked, 1, 2, part, "an error that is a part"),
      ]:
      with self.subTest(question=question, status=status):
        reply = wire.ParsedReply(1, status, answer, 5, "salt", given)
        self.assertEqual(forms.Fault(question, reply), expected)

  def testEveryFieldHasOne(self):
    """A field whose type says too little is in the table, or a parameter.

    """
    (cells, by_kind) = forms._Tables()
    for (what, table) in columns.TABLES.items():
      self.assertEqual(set(cells[what]) - set(table.columns), set(), what)
      for column in table.columns.values():
        self.assertTrue(column.name in cells[what] or column.kind in by_kind,
                        (what, column.name))

  def testMutilated(self):
    """Whatever is there, it is good or there is a sentence in printable ASCII.

    """
    rng = random.Random(2)
    for (rtype, query, answer) in _GOOD:
      found = 0
      for other in mutations.All(answer, rng.random()):
        fault = _Fault(rtype, query, other)
        if fault is not None:
          found += 1
          self.assertRegex(fault, r"\A[\x20-\x7e]{5,400}\Z")
      if rtype in range(10):
        self.assertGreater(found, 10, (rtype, query))


if __name__ == "__main__":
  unittest.main()

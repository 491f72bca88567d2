#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Numbers that JSON can hold, and a machine's memory or disk cannot have.

Each is fine alone. Together they may be too large for a float, for what Python
writes in decimal (4,300 digits), or none at all.

"""

import argparse
import copy
import csv
import functools
import io
import json
import logging
import math
import unittest
from unittest import mock

import inputs
from inputs import hypothesis, needs_hypothesis, st
from testutils import QUERY
from testutils import MakeConfig, MakeDisk, MakeDrbd, MakeInstance, MakeNode
from testutils import Uuid

from ganeti.confd import humanize
from ganeti.confd import querylib
from ganeti.confd.command import cellformat
from ganeti.confd.command import cmd_list
from ganeti.confd.command import cmd_map
from ganeti.confd.command import output
from ganeti.confd.config import fields as fieldslib
from ganeti.confd.config import inventory
from ganeti.confd.config import lenient
from ganeti.confd.config import snapshot
from ganeti.confd.protocol import wire
from ganeti.confd.schema import columns
from ganeti.confd.schema import naturalorder
from ganeti.confd.serving import answers
from ganeti.confd.views import checks
from ganeti.confd.views import evacuation
from ganeti.confd.views import placement
from ganeti.confd.views import svg


inputs.Use(200)

#: As JSON has them; 4,300 digits are the most that Python reads
ODD = ["0", "-1", "1.5", "-0.0", "1e308", "-1e308", "1e999", "-1e999", "NaN",
       "1" + "0" * 400, "-1" + "0" * 400, "9" * 4300, "-" + "9" * 4300, "true",
       "false", "null", "\"12\"", "\"1e999\"", "[]", "[1]", "{}", "1e-400",
       "9007199254740993"]

#: The same as a client has them, from a daemon that may be none of ours
ODD_VALUES = [json.loads(text) for text in ODD]
ODD_NUMBERS = [value for value in ODD_VALUES
               if isinstance(value, (int, float))]


def _Config():
  """A configuration that has a number in each place where Ganeti has one.

  """
  return MakeConfig(
    nodes=[MakeNode(1, ndparams={"ssh_port": 22, "spindle_count": 1}),
           MakeNode(2)],
    instances=[
      MakeInstance(1, 1, disks=[1, 2, 3], beparams={
        "maxmem": 128, "minmem": 128, "vcpus": 1, "memory": 128},
                   hvparams={"vnc_port": 5}, network_port=11000),
      MakeInstance(2, 1, disks=[4], beparams={"maxmem": 256, "vcpus": 2})],
    disks=[MakeDrbd(1, 1, 2, children=[MakeDisk(5), MakeDisk(6)], spindles=1),
           MakeDisk(2, size=5), MakeDisk(3), MakeDisk(4)],
    cluster={"beparams": {"default": {"maxmem": 64}},
             "ndparams": {"spindle_count": 1},
             "data_collectors": {"lv": {"active": True, "interval": 5.5}}},
    networks={Uuid("9", 1): {"name": "net1", "uuid": Uuid("9", 1),
                             "serial_no": 1, "network": "10.0.0.0/29",
                             "reservations": "11000001"}})


def _Places(value, path=()):
  """Lists where numbers are, but for those that nothing is served without.

  """
  if path in [("version", ), ("serial_no", )]:
    return []
  if type(value) in (int, float):
    return [path]
  items = (value.items() if isinstance(value, dict) else
           enumerate(value) if isinstance(value, list) else [])
  return [found for (key, item) in items
          for found in _Places(item, path + (key, ))]


_PLACES = _Places(_Config())


def _Load(changes):
  """Makes a snapshot.

  @param changes: places to JSON texts

  """
  config = _Config()
  for (number, path) in enumerate(changes):
    parent = config
    for key in path[:-1]:
      parent = parent[key]
    parent[path[-1]] = "@%d@" % number
  text = json.dumps(config)
  for (number, odd) in enumerate(changes.values()):
    text = text.replace("\"@%d@\"" % number, odd)
  return snapshot.Snapshot(text.encode("ascii"))


def _Request(query):
  return wire.Request(QUERY, query, "x", None, "0" * 40, 0, None)


def _Fields(snap, what):
  return [row[0] for row in fieldslib.All(snap, what)]


def _Table(snap, what):
  """Asks for a whole table in both ways.

  @return: rows as dicts, by the object's UUID

  """
  fields = _Fields(snap, what)
  request = _Request({"what": what, "fields": fields})
  text = wire.EncodeReply(*querylib.Answer(snap, request), 1)
  answer = wire.DecodeJson(text)["answer"]
  pieces = querylib.AnswerInPieces(snap, request)
  assert wire.DecodeJson("".join(pieces.texts)) == answer
  rows = [dict(zip(fields, row)) for row in answer["rows"]]
  return {row["uuid"]: row for row in rows}


@needs_hypothesis
class TestDaemon(unittest.TestCase):
  @hypothesis.given(st.dictionaries(st.sampled_from(_PLACES),
                                    st.sampled_from(ODD), min_size=2,
                                    max_size=4))
  def testTogether(self, changes):
    snap = _Load(changes)
    # No function raises, and so nothing is logged
    with mock.patch.object(logging, "exception") as logged:
      for what in columns.KINDS:
        _Table(snap, what)
      json.dumps(querylib.Answer(snap, _Request("x")._replace(type=11)))
    self.assertFalse(logged.called, logged.call_args)

  @hypothesis.given(st.dictionaries(
    st.sampled_from([path for path in _PLACES
                     if path[0] in ("disks", "instances") and
                     path[1] in (Uuid("b", 1), Uuid("d", 1), Uuid("d", 2))]),
    st.sampled_from(ODD), min_size=2, max_size=4))
  def testOthersStay(self, changes):
    """Odd values of one instance are seen in no other row."""
    (before, after) = (_Load({}), _Load(changes))
    for (what, others) in [(columns.INSTANCE, [Uuid("b", 2)]),
                           (columns.DISK, [Uuid("d", 3), Uuid("d", 4)])]:
      (old, new) = (_Table(before, what), _Table(after, what))
      for uuid in others:
        self.assertEqual(old[uuid], new[uuid])
    # Nor in cells that have nothing to do with it
    for name in ["name", "pnode", "os", "nic.count", "tags"]:
      with self.subTest(name=name):
        self.assertEqual(_Table(before, "instance")[Uuid("b", 1)][name],
                         _Table(after, "instance")[Uuid("b", 1)][name])

  def testDiskUsage(self):
    for (one, two, expected) in [
        # With a size that is no number of 64 bits, the sum is not known
        ("1" + "0" * 400, "1.5", None), ("9" * 4300, "9" * 4300, None),
        ("1e308", "1e308", None), ("1e999", "-1e999", None),
        ("true", "2", None), ("\"1\"", "null", None), ("9e18", "9e18", None),
        ("1", "2", 131), ("1.5", "2", 131.5), ("null", "2", 130)]:
      with self.subTest(one=one, two=two):
        snap = _Load({("disks", Uuid("d", 1), "size"): one,
                      ("disks", Uuid("d", 2), "size"): two,
                      ("disks", Uuid("d", 3), "size"): "0"})
        rows = _Table(snap, "instance")
        self.assertEqual(rows[Uuid("b", 1)]["disk_usage"], expected, (one, two))
        self.assertEqual(rows[Uuid("b", 2)]["disk_usage"], 1024)


class TestSum(unittest.TestCase):
  def test(self):
    for (numbers, expected) in [
        ([], 0), ([1, 2], 3), ([1, 2.5], 3.5), ([10 ** 400], None),
        ([10 ** 400, 1.5], None), ([10 ** 400, -10 ** 400], 0),
        ([1e308, 1e308], None), ([math.inf, -math.inf], None),
        ([math.nan], None), ([-0.0], 0)]:
      with self.subTest(numbers=numbers):
        self.assertEqual(lenient.Sum(numbers), expected)


class TestGuard(unittest.TestCase):
  """A field's function that raises, or returns what cannot be written.

  """
  def setUp(self):
    self.snap = _Load({})
    inventory._failed.clear()
    self.addCleanup(inventory._failed.clear)

  def _Getter(self, act):
    """Makes a field's getter that does something for one instance.

    """
    def _Get(_, item):
      return act() if item.name.startswith("inst1.") else 5
    return fieldslib.Getter(_Get)

  def _Check(self, act):
    table = fieldslib.TABLES["instance"]
    query = {"what": "instance", "fields": ["name", "os", "disk_usage"]}
    expected = {"fields": query["fields"], "rows": [
      ["inst1.example.com", "debootstrap+default", None],
      ["inst2.example.com", "debootstrap+default", 5]]}
    names = dict(query, names=["inst1", "inst2"])
    with mock.patch.dict(table.getters, disk_usage=self._Getter(act)), \
         self.assertLogs(level="ERROR") as logged:
      for asked in [query, names]:
        pieces = querylib.AnswerInPieces(self.snap, _Request(asked))
        self.assertEqual(json.loads("".join(pieces.texts)), expected)
        large = answers.Large(self.snap).Make(_Request(asked))
        self.assertEqual(self._Read(large), expected)
      quick = answers.Quick(self.snap).Make(_Request(names))
      if quick is not answers.Delegate.LARGE:
        self.assertEqual(self._Read(quick), expected)
    # Once, however often it is tried
    self.assertEqual(len(logged.output), 1)
    self.assertIn("field 'disk_usage'", logged.output[0])

  def _Read(self, answer):
    self.assertEqual(answer.status, 0)
    text = json.loads("\"%s\"" % answer.message.data.decode("ascii").partition(
      "\"msg\":\"")[2]) if b"\"msg\":\"" in answer.message.data else \
      answer.message.data.decode("ascii")
    return json.loads(text)["answer"]

  def testRaises(self):
    def _Raise():
      raise OverflowError("x")
    self._Check(_Raise)

  def testRecursion(self):
    def _Recurse():
      return _Recurse()
    self._Check(_Recurse)

  def testUnwritable(self):
    self._Check(lambda: 10 ** 5000)

  def testNoJson(self):
    self._Check(lambda: {"a": object()})

  def testNoMemory(self):
    def _Raise():
      raise MemoryError
    with mock.patch.dict(fieldslib.TABLES["instance"].getters,
                         disk_usage=self._Getter(_Raise)):
      self.assertRaises(MemoryError, querylib.Answer, self.snap, _Request(
        {"what": "instance", "fields": ["disk_usage"]}))


def _NoConstant(text):
  raise AssertionError("%s is not JSON" % text)


def _NumericFields(what, row):
  """Lists the fields of a row that hold numbers.

  """
  return sorted(name for (name, value) in row.items()
                if type(value) in (int, float) or
                columns.Describe(what, name).kind in (
                  columns.NUMBER, columns.FLOAT, columns.UNIT,
                  columns.TIMESTAMP))


@needs_hypothesis
class TestClient(unittest.TestCase):
  """Clients can use tables with such numbers in them.

  """
  def _Tables(self, data, odd):
    """Makes tables, and puts odd values into two of their cells or more.

    @param odd: the values

    """
    snap = _Load({})
    tables = {what: list(_Table(snap, what).values())
              for what in columns.KINDS}
    # A column of numbers at a time: names are for others to check
    for _ in range(data.draw(st.integers(2, 5))):
      what = data.draw(st.sampled_from(columns.KINDS))
      if not tables[what]:
        continue
      row = data.draw(st.sampled_from(tables[what]))
      field = data.draw(st.sampled_from(_NumericFields(what, row)))
      row[field] = data.draw(st.sampled_from(odd))
    return tables

  @hypothesis.given(st.data())
  def testPrinting(self, data):
    for (what, rows) in self._Tables(data, ODD_VALUES).items():
      fields = list(rows[0]) if rows else []
      for units in [None, "h", "m", "g", "t"]:
        table = cmd_list._Listing(what, fields,
                                  [list(i.values()) for i in rows])
        for separator in [None, "|"]:
          opts = argparse.Namespace(units=units, separator=separator,
                                    headers=True)
          with mock.patch("sys.stdout", new=io.StringIO()) as out:
            table.Print(opts)
        with mock.patch("sys.stdout", new=io.StringIO()) as out:
          table.PrintCsv(opts)
        lines = list(csv.reader(io.StringIO(out.getvalue())))
        self.assertEqual({len(line) for line in lines}, {len(fields)})
      for field in fields:
        sorted(rows, key=lambda row, field=field:
               naturalorder.AnyKey(row[field]))
      for indent in [None, 2]:
        json.loads(output.FormatJson(rows, indent), parse_constant=_NoConstant)

  def testFindingsOfEachNumber(self):
    """One odd number at a time, in all numeric fields of all rows.

    """
    snap = _Load({})
    for odd in ODD_NUMBERS:
      tables = {}
      for what in columns.KINDS:
        rows = [dict(row) for row in _Table(snap, what).values()] * 2
        for row in rows:
          row.update((name, odd) for name in _NumericFields(what, row))
        tables[what] = rows
      with self.subTest(odd=str(odd)[:20]):
        places = dict.fromkeys(checks.POINTERS, {"tcpudp_port_pool": [1]})
        checks.Check(checks.Read(tables, places, {"config": {}}, 1700000000))

  @hypothesis.given(st.data())
  def testViews(self, data):
    tables = self._Tables(data, ODD_NUMBERS)
    nodes = [placement.NodeSummary(*[row[field] for field in
                                     placement.FIELDS[columns.NODE]])
             for row in tables[columns.NODE]]
    instances = [
      placement.InstanceSummary(*[row[field] for field in
                                  placement.FIELDS[columns.INSTANCE]])
      for row in tables[columns.INSTANCE]]
    svg.Draw(nodes, instances, "title")
    cmd_map.Text(nodes, instances)
    cmd_map.Dot(nodes, instances)
    evacuation.Make("node1.example.com", tables, [])
    for places in [{place: None for place in checks.POINTERS},
                   {place: data.draw(st.sampled_from(ODD_VALUES))
                    for place in checks.POINTERS}]:
      checks.Check(checks.Read(tables, places, {"config": {}}, 1700000000))
    for row in tables[columns.INSTANCE]:
      for value in row.values():
        humanize.FormatMebibytes(value)

  @hypothesis.given(st.sampled_from(ODD_VALUES), st.sampled_from(ODD_VALUES))
  def testValues(self, one, two):
    for unit in "hmgt":
      cellformat.Leniently(functools.partial(cellformat.FormatUnit,
                                             unit=unit))(one)
    sorted([one, two, 5, "x"], key=naturalorder.AnyKey)
    cellformat.FormatCsv([one, two])
    cellformat.FormatCsv({"x": [copy.copy(one)]})

  @hypothesis.given(st.data())
  def testMetrics(self, data):
    try:
      from ganeti.confd.exporter import clusterstate
      from ganeti.confd.exporter import metrics
      from ganeti.confd.exporter import rowstore
      from prometheus_client import exposition
    except ImportError:
      self.skipTest("prometheus-client is not installed")
    tables = {kind: rowstore.Table(rows, rows[0] if rows else [])
              for (kind, rows) in self._Tables(data, ODD_VALUES).items()}
    config = clusterstate.ClusterConfig(17, "cluster", 3000000, 5.5, tables, [])
    state = mock.Mock(cluster="x", config=config, candidates=None)
    families = list(metrics.ConfigFamilies([state]))

    class _Registry:
      def collect(self):
        return families

    text = exposition.generate_latest(_Registry()).decode("utf-8")
    self.assertNotRegex(text, "(?m)^[^#].* [+-]?(Inf|NaN)$")
    # The other instance is there, whatever became of this one
    self.assertEqual(text.count("ganeti_instance_info{"), 2)


if __name__ == "__main__":
  unittest.main()

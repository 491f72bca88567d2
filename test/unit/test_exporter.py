#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of what ganeti.confd.exporter makes of what it knows"""

import asyncio
import datetime
import html.parser
import unittest
import urllib.parse
from unittest import mock

import inputs
import testutils
from inputs import TEXTS, hypothesis, needs_hypothesis, st

from ganeti import errors
from ganeti.confd import client
from ganeti.confd import humanize
from ganeti.confd.clientlib import clusterstats
from ganeti.confd.clientlib import clusterstatus
from ganeti.confd.clientlib import silence
from ganeti.confd.exporter import cache
from ganeti.confd.exporter import causes
from ganeti.confd.exporter import clusterstate
from ganeti.confd.exporter import discovery
from ganeti.confd.exporter import markup
from ganeti.confd.exporter import forked
from ganeti.confd.exporter import layout
from ganeti.confd.exporter import lookup
from ganeti.confd.exporter import paging
from ganeti.confd.exporter import rowfilter
from ganeti.confd.exporter import rowstore
from ganeti.confd.exporter import watcher
from ganeti.confd.protocol import readerkey
from ganeti.confd.schema import columns
from ganeti.confd.views import advice
from ganeti.confd.views import checks
from ganeti.confd.views import confdmetrics
from ganeti.confd.views import shellwords

try:
  from ganeti.confd.exporter import findingspage
  from ganeti.confd.exporter import http1
  from ganeti.confd.exporter import mappage
  from ganeti.confd.exporter import metrics
  from ganeti.confd.exporter import objectpages
  from ganeti.confd.exporter import pages
  from ganeti.confd.exporter import web
except ImportError:
  findingspage = http1 = mappage = metrics = objectpages = pages = web = None


_SETTINGS = inputs.Settings(100)

#: Elements and attributes of the pages about objects
_TAGS = frozenset(["a", "code", "dd", "div", "dl", "dt", "h2", "li", "p",
                   "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"])
_ATTRIBUTES = frozenset(["aria-label", "class", "data-title", "href", "role",
                         "scope"])


def _Row(kind, **values):
  row = {field: None for field in clusterstate.Fields(kind)}
  row.update(values)
  return row


def _Instance(name, **values):
  row = _Row(columns.INSTANCE, name=name, uuid="u-" + name, pnode="node1",
             snodes=["node2"], admin_state="up", disk_template="drbd",
             tags=["a", "b"])
  row.update({"be/maxmem": 512, "be/vcpus": 2, "disk_usage": 1024,
              "pnode.group": "default", "nic.networks": [],
              "nic.ips": ["192.0.2.51"], "os": "debian", "hypervisor": "kvm"},
             **values)
  return row


def _Node(name, **values):
  return _Row(columns.NODE, name=name, **dict(
    {"role": "M", "group": "default", "offline": False, "drained": False,
     "vm_capable": True, "pip": "192.0.2.1", "pinst_cnt": 1, "sinst_cnt": 0,
     "tags": []}, **values))


def _Config(**values):
  tables = {
    columns.NODE: [_Node("node1"), _Node("node2", role="R")],
    columns.INSTANCE: [_Instance("inst2"), _Instance("inst10"),
                       _Instance("inst3", pnode="node2", admin_state="offline",
                                 **{"be/maxmem": "much"})],
    columns.NETWORK: [_Row(columns.NETWORK, name="net", free_count=3,
                           reserved_count=13, usable_count=5, used_count=2,
                           external_count=11)],
    columns.GROUP: [_Row(columns.GROUP, name="default", node_cnt=2,
                         pinst_maxmem=1024, pinst_cnt=3)],
    columns.DISK: [],
    }
  tables.update(values)
  packed = {kind: rowstore.Table(rows, clusterstate.Fields(kind))
            for (kind, rows) in tables.items()}
  findings = [checks.Finding("forthcoming", "warning", "inst2", "text",
                             "advice")]
  return clusterstate.ClusterConfig(
    17, "cluster.example.com", 3000000, 5.5, packed, findings, {},
    causes.Group(findings, packed), clusterstate.SumGroups(tables), ["node1"],
    [clusterstate.FailureSummary("node1", "drbd", 2),
     clusterstate.FailureSummary("node2", "plain", 0)])


_STATUSES = [
  clusterstatus.CandidateStatus("192.0.2.1", True, 0.001, 17, 0, 3000000, None),
  clusterstatus.CandidateStatus("192.0.2.2", False, None, None, None, None,
                                "silent"),
  ]


def _Candidates():
  return clusterstate.Candidates(
    clusterstatus.ClusterStatus(17, _STATUSES, [], {}),
    clusterstats.ClusterStats(17, [clusterstats.Read("192.0.2.1", {
      "version": "1.2", "config": {"serial": 17}, "queries": {"ping": 3}})], [],
                              {"192.0.2.2": None}))


class _Parser(html.parser.HTMLParser):
  """Reads a page as a browser would, if a strict one.

  """
  def __init__(self, text):
    html.parser.HTMLParser.__init__(self)
    self.tags = []
    self.attributes = set()
    self.texts = []
    self.links = []
    self._open = []
    self.feed(text)
    self.close()
    assert not self._open, "not closed: %s" % self._open

  def handle_starttag(self, tag, attrs):
    self.tags.append(tag)
    self.attributes.update(name for (name, _) in attrs)
    self.links += [value for (name, value) in attrs if name == "href"]
    if tag not in ("meta", "link", "input"):
      self._open.append(tag)

  def handle_endtag(self, tag):
    assert self._open.pop() == tag, tag

  def handle_data(self, data):
    self.texts.append(data)


class TestMarkup(unittest.TestCase):
  def test(self):
    self.assertEqual(markup.E("p", "<b>", markup.E("i", 'x"'), None, [1, "&"],
                              class_="a\"b", hidden=True, id=None),
                     '<p class="a&quot;b" hidden>&lt;b&gt;<i>x&quot;</i>1&amp;'
                     '</p>')
    self.assertEqual(markup.E("input", name="x"), '<input name="x">')

  @needs_hypothesis
  @_SETTINGS
  @hypothesis.given(TEXTS)
  def testAnyText(self, text):
    made = markup.E("p", text, title=text)
    self.assertEqual(_Parser(made).tags, ["p"])
    made.encode("utf-8")


class TestSelect(unittest.TestCase):
  def _Names(self, condition="", order=""):
    chosen = rowfilter.Select(_Config(), columns.INSTANCE, condition, order,
                              ["name"])
    self.assertEqual(chosen.total, 3)
    return [row["name"] for row in chosen.rows]

  def testFilter(self):
    self.assertEqual(self._Names(), ["inst2", "inst10", "inst3"])
    self.assertEqual(self._Names('pnode == "node1"'), ["inst2", "inst10"])
    self.assertEqual(self._Names(' "a" in tags and name =~ m/3$/ '), ["inst3"])

  def testSort(self):
    self.assertEqual(self._Names(order="name"), ["inst2", "inst3", "inst10"])
    self.assertEqual(self._Names(order="-name"), ["inst10", "inst3", "inst2"])
    # Texts among numbers, and what is missing
    self.assertEqual(self._Names(order="be/maxmem")[-1], "inst3")
    self._Names(order="network_port" if "network_port" in
                clusterstate.Fields(columns.INSTANCE) else "uuid")

  def testWrong(self):
    for (condition, order, text) in [
        ("nothing == 5", "", "no field \"nothing\""),
        ("", "-nothing", "no field \"nothing\""),
        ("name ==", "", ""),
        ("tags", "", "cannot be applied"),
        ("(" * 200, "", ""),
        ("name == \"%s\"" % ("x" * rowfilter.MAX_FILTER), "", "more than")]:
      with self.subTest(condition=condition, order=order):
        with self.assertRaises(rowfilter.BadRequest) as caught:
          self._Names(condition, order)
        self.assertIn(text, str(caught.exception))

  def testSizes(self):
    for (size, text) in [(5, "5 MiB"), (1536, "1.5 GiB"), (None, None),
                         (3 << 20, "3.0 TiB"), ("x", None), (True, None)]:
      with self.subTest(size=size, text=text):
        self.assertEqual(humanize.FormatMebibytes(size), text)


class TestDiscovery(unittest.TestCase):
  def _Targets(self, kind=columns.INSTANCE, **query):
    return discovery.Targets({"fsn": _Config()}, kind, query)

  def test(self):
    groups = self._Targets(filter='name == "inst2"', port="9111",
                           **{"label.job": "guests"})
    (group, ) = groups
    self.assertEqual(group["targets"], ["192.0.2.51:9111"])
    self.assertEqual(group["labels"]["job"], "guests")
    self.assertEqual(group["labels"]["__meta_ganeti_cluster"],
                     "cluster.example.com")
    self.assertEqual(group["labels"]["__meta_ganeti_cluster_label"], "fsn")
    self.assertEqual(group["labels"]["__meta_ganeti_node"], "node1")
    self.assertEqual(
      [i["targets"] for i in self._Targets(columns.NODE)],
      [["192.0.2.1:9100"], ["192.0.2.1:9100"]])

  def testWrong(self):
    for query in [{"port": "0"}, {"port": "x"}, {"port": "65536"},
                  {"label.a-b": "x"}, {"label.": "x"}, {"nothing": "x"},
                  {"filter": "nothing"}]:
      with self.subTest(query=query):
        with self.assertRaises(rowfilter.BadRequest):
          self._Targets(**query)


@unittest.skipIf(metrics is None, "prometheus_client is not installed (Debian:"
                 " python3-prometheus-client)")
class TestMetrics(unittest.TestCase):
  def _Samples(self, up=True, per_instance=True):
    states = [clusterstate.ClusterState("fsn", _Config(), _Candidates(),
                                        None if up else "No answer"),
              clusterstate.ClusterState("dus", None, None, "No answer")]
    samples = {}
    for family in [*metrics.ConfigFamilies(states, per_instance),
                   *metrics.LiveFamilies(states)]:
      for sample in family.samples:
        key = (sample.name, ) + tuple(sorted(sample.labels.items()))
        self.assertNotIn(key, samples)
        samples[key] = sample.value
    return samples

  @staticmethod
  def _Get(metric, samples, **labels):
    return samples.get((metric, ) + tuple(sorted(labels.items())))

  def testValues(self):
    samples = self._Samples()
    for (metric, labels, value) in [
        ("ganeti_up", {}, 1),
        ("ganeti_cluster_nodes", {"role": "master"}, 1),
        ("ganeti_cluster_nodes", {"role": "offline"}, 0),
        ("ganeti_cluster_instances", {"admin_state": "up"}, 2),
        ("ganeti_cluster_findings", {"check": "forthcoming",
                                     "severity": "warning"}, 1),
        ("ganeti_cluster_findings", {"check": "duplicate-ip",
                                     "severity": "critical"}, 0),
        ("ganeti_cluster_config_mtime_seconds", {}, 5.5),
        ("ganeti_node_role", {"node": "node2", "role": "regular"}, 1),
        ("ganeti_node_role", {"node": "node2", "role": "master"}, 0),
        ("ganeti_node_offline", {"node": "node2"}, 0),
        # MiB; what is offline takes nothing
        ("ganeti_node_instances_memory_bytes", {"node": "node1"}, 1 << 30),
        ("ganeti_node_instances_memory_bytes", {"node": "node2"}, 0),
        ("ganeti_node_instances_without_failover",
         {"node": "node1", "disk_template": "drbd"}, 2),
        ("ganeti_node_instances_without_failover",
         {"node": "node2", "disk_template": "plain"}, 0),
        ("ganeti_instance_memory_bytes", {"instance": "inst2"}, 512 << 20),
        # No number, no sample
        ("ganeti_instance_memory_bytes", {"instance": "inst3"}, None),
        ("ganeti_network_addresses", {"network": "net"}, 16),
        ("ganeti_network_addresses_free", {"network": "net"}, 3),
        ("ganeti_network_addresses_usable", {"network": "net"}, 5),
        ("ganeti_network_addresses_used", {"network": "net"}, 2),
        ("ganeti_network_addresses_external", {"network": "net"}, 11),
        ("ganeti_confd_up", {"candidate": "192.0.2.1"}, 1),
        ("ganeti_confd_up", {"candidate": "192.0.2.2"}, 0),
        ("ganeti_confd_behind", {"candidate": "192.0.2.1"}, 0),
        ("ganeti_confd_diverges", {"candidate": "192.0.2.1"}, 0),
        ("ganeti_confd_diverges", {"candidate": "192.0.2.2"}, None),
        ("ganeti_confd_queries_total", {"candidate": "192.0.2.1",
                                        "type": "ping"}, 3),
        ("ganeti_cluster_info", {"name": "cluster.example.com",
                                 "version": "3.0"}, 1)]:
      with self.subTest(metric, labels=labels):
        self.assertEqual(self._Get(metric, samples, cluster="fsn", **labels),
                         value)
    self.assertEqual(self._Get("ganeti_up", samples, cluster="dus"), 0)

  def testWithoutInstances(self):
    names = {key[0] for key in self._Samples(per_instance=False)}
    self.assertFalse([i for i in names if i.startswith("ganeti_instance_")])
    self.assertIn("ganeti_node_offline", names)

  def testPage(self):
    """The page has all of them, with their labels.

    """
    expected = {"ganeti_up": {"cluster"},
                "ganeti_facts_age_seconds": {"cluster"},
                "ganeti_reader_key_end_seconds": {"cluster"},
                "ganeti_history_changes_total": {"cluster"},
                "ganeti_history_up": {"cluster"},
                "ganeti_confd_behind": {"cluster", "candidate"},
                "ganeti_confd_diverges": {"cluster", "candidate"},
                "ganeti_confd_round_trip_seconds": {"cluster", "candidate"},
                "ganeti_confd_up": {"cluster", "candidate"},
                "ganeti_confd_info": {"cluster", "candidate", "version"}}
    for family in metrics.FAMILIES:
      expected[family.name] = {"cluster", *family.labels}
    for gauge in confdmetrics.GAUGES.values():
      expected[confdmetrics.PREFIX + gauge[0]] = {"cluster", "candidate"}
    for counter in confdmetrics.COUNTERS.values():
      expected["%s%s_total" % (confdmetrics.PREFIX, counter[0])] = {
        "cluster", "candidate", counter[1]}
    self.assertEqual(testutils.MetricsPage(), expected)


class TestAskConfig(unittest.TestCase):
  def testSlowTables(self):
    """The error tells silence from an answer that takes too long.

    """
    silence = client.NoAnswer("No answer from 192.0.2.1.", seconds=2.04,
                              silent={"192.0.2.1": None})
    packaged = client.NoAnswer(
      "Ganeti's own daemon answers there", seconds=1.0,
      silent={"192.0.2.1": "Ganeti's own daemon answers there"})
    slow = ("No answer from 192.0.2.1. A ping is answered: perhaps the cluster"
            " is large, and needs a longer \"timeout\" in the settings; or long"
            " datagrams are lost on the way")
    for (error, ping, text) in [
        (silence, mock.DEFAULT, slow),
        (silence, silence, "No answer from 192.0.2.1."),
        (packaged, mock.DEFAULT, "Ganeti's own daemon answers there")]:
      asker = mock.Mock(reader=None)
      asker.Tables.side_effect = error
      asker.Ping.side_effect = [ping]
      with self.assertRaises(errors.ConfdClientError) as caught:
        clusterstate.AskConfig(asker, 1)
      self.assertEqual(str(caught.exception), text)


@unittest.skipIf(pages is None, "prometheus_client is not installed (Debian:"
                 " python3-prometheus-client)")
class TestPages(unittest.TestCase):
  def _State(self, config=None, problem=None, age=1.0):
    return clusterstate.ClusterState("fsn", config, _Candidates(), problem, age)

  def _Table(self, state, kind, condition, order):
    rows = None
    if state.config is not None:
      try:
        rows = pages.Rows(state.config, kind, "fsn", condition, order)
      except rowfilter.BadRequest as err:
        rows = pages.Error(str(err))
    return pages.Table(state, kind, condition, order, rows)

  def _Map(self, state):
    config = state.config
    return mappage.Map(state, "",
                       config and mappage.Boxes(config, "fsn", "", ""))

  def testOverview(self):
    parsed = _Parser(pages.Overview(self._State(_Config())))
    text = "\n".join(parsed.texts)
    for word in ["WARNING", "cluster.example.com", "192.0.2.2", "silent",
                 "advice"]:
      with self.subTest(word=word):
        self.assertIn(word, text)

  def testOverviewSums(self):
    page = _Parser(pages.Overview(self._State(_Config())))
    self.assertIn("/fsn/node/node1", page.links)
    text = "|".join(page.texts)
    # The instance that is offline takes nothing
    self.assertIn("default|2|3|1.0 GiB|4|2.0 GiB", text)
    self.assertIn("1970-01-01 00:00:05 UTC", text)

  def testCauses(self):
    """Findings are grouped by their cause, with advice once.

    """
    def _Make(check, subject, text, advice="see INSTANCE"):
      return checks.Finding(check, "warning", subject, text, advice)
    findings = [
      _Make("instance-on-drained-node", "inst2", "node1 is drained"),
      _Make("forthcoming", "inst2, nic/0", "text of its own"),
      _Make("instance-on-drained-node", "inst10", "node1 is drained"),
      _Make("memory-bounds", "inst3", "low"),
      _Make("memory-bounds", "node2", "high"),
      _Make("few-candidates", "cluster", "few")]
    config = _Config()
    found = causes.Group(findings, config.tables)
    self.assertEqual(
      [(cause.title, [(i.text, i.kind, i.name, i.finding)
                      for i in cause.subjects], cause.advice)
       for cause in found],
      [("node1 is drained", [("inst2", "instance", "inst2", None),
                             ("inst10", "instance", "inst10", None)],
        "see INSTANCE"),
       ("text of its own", [("inst2, nic/0", "instance", "inst2", None)],
        "see INSTANCE"),
       (checks.CHECKS["memory-bounds"].text,
        [("inst3", "instance", "inst3", "low"),
         ("node2", "node", "node2", "high")], "see INSTANCE"),
       ("few", [("cluster", None, None, None)], "see INSTANCE")])
    page = _Parser(pages.Overview(self._State(config._replace(
      findings=findings, causes=found))))
    self.assertIn("What to do: see inst2", "".join(page.texts))
    self.assertIn("node1 is drained (2 findings)", "".join(page.texts))
    self.assertEqual(page.tags.count("details"), 4)
    self.assertLessEqual({"/fsn/instance/inst10", "/fsn/node/node2"},
                         set(page.links))

  def testManyFindings(self):
    """A cluster with thousands of findings has a short overview.

    """
    findings = [checks.Finding("memory-bounds", "warning", "inst%d" % i,
                               "text %d of the finding" % (i // 30),
                               "what to do about it") for i in range(3000)]
    config = _Config()
    text = pages.Overview(self._State(config._replace(
      findings=findings, causes=causes.Group(findings, config.tables))))
    self.assertIn("40 causes more", text)
    self.assertLess(len(text), 200000)

  def _Findings(self, findings):
    config = _Config()
    return config._replace(findings=findings, causes=causes.Group(
      findings, config.tables))

  def testLongFinding(self):
    """Pages cut a text with thousands of names; the answer in JSON does not.

    """
    text = "is used by " + "; ".join("inst%d" % i for i in range(10000))
    (subject, advice) = (10000 * "s", 10000 * "a")
    config = self._Findings([
      checks.Finding("duplicate-port", "critical", "port 11000", text, "x"),
      checks.Finding("memory-bounds", "warning", subject, text, advice),
      checks.Finding("forthcoming", "warning", "inst2", text, advice)])
    overview = pages.Overview(self._State(config))
    self.assertIn("/fsn/findings?check=duplicate-port",
                  _Parser(overview).links)
    for page in [overview, findingspage.Rows(config, "fsn", "", ""),
                 objectpages.Content(config, "fsn", columns.INSTANCE, 0)]:
      self.assertLess(len(page), 20000)
      self.assertIn("inst1; inst2", page)
    self.assertEqual([i["text"] for i in findingspage.Json(config, "")],
                     3 * [text])

  def testFindings(self):
    """The page of findings has all of them, or those of a check.

    """
    config = self._Findings([
      checks.Finding("memory-bounds", "warning", "inst%d" % i, "text %d" % i,
                     "change INSTANCE")
      for i in range(2 * paging.MAX_ROWS + 1)] + [
        checks.Finding("few-candidates", "critical", "cluster", "few", "more")])
    seen = []
    for (number, count) in [("", 200), ("2", 200), ("3", 1)]:
      page = findingspage.Rows(config, "fsn", "memory-bounds", number)
      texts = [i for i in _Parser(page).texts if i.startswith("text ")]
      self.assertEqual(len(texts), count)
      self.assertIn("401 of 402", page)
      self.assertLess(len(page), 200000)
      seen += texts
    self.assertEqual(len(set(seen)), 401)
    page = _Parser(findingspage.Rows(config, "fsn", "", "3"))
    self.assertIn("few", page.texts)
    self.assertIn("/fsn/findings?page=2", page.links)
    page = _Parser(findingspage.Rows(config, "fsn", "memory-bounds", ""))
    self.assertIn("/fsn/instance/inst2", page.links)
    self.assertIn("change inst2", page.texts)
    self.assertEqual([i["subject"] for i
                      in findingspage.Json(config, "few-candidates")],
                     ["cluster"])
    with self.assertRaises(rowfilter.BadRequest) as caught:
      findingspage.Rows(config, "fsn", "", "4")
    self.assertIn("the pages are 1 to 3", str(caught.exception))
    for make in (lambda: findingspage.Rows(config, "fsn", "few", ""),
                 lambda: findingspage.Json(config, "few")):
      with self.assertRaises(rowfilter.BadRequest) as caught:
        make()
      self.assertIn("no check \"few\"", str(caught.exception))

  def testProblems(self):
    """Each page says which candidates cannot be trusted.

    """
    base = self._State(self._Findings([]))
    confd = _Candidates()
    for (changes, word, text) in [
        ({}, "OK", None),
        ({"diverges": True}, "CRITICAL", "the same serial number: 192.0.2.1."),
        ({"diverges": True, "name": "node1"}, "CRITICAL",
         "the same serial number: node1."),
        ({"stale": True}, "WARNING", "serve an older one: 192.0.2.1.")]:
      state = base._replace(candidates=confd._replace(
        status=confd.status._replace(
          candidates=[_STATUSES[0]._replace(**changes)])))
      # The state is in the head of each page, and on the overview once more
      for (page, count) in [
          (pages.Overview(state), 2), (self._Map(state), 1),
          (self._Table(state, columns.NODE, "", ""), 1),
          (findingspage.Findings(state, "", None), 1),
          (objectpages.Object(state, columns.NODE, "x", None), 1)]:
        self.assertEqual(_Parser(page).texts.count(word), count, word)
        self.assertEqual("class=\"problem" in page, text is not None)
        self.assertIn(text or "", page)
    many = confd.status._replace(candidates=[
      _STATUSES[0]._replace(name="node%d" % i, stale=True) for i in range(9)])
    self.assertIn("node4 and 4 more", pages.Overview(
      base._replace(candidates=confd._replace(status=many))))

  def testMap(self):
    """Boxes have names, roles, states, memory and mirrors, all as links.

    """
    config = _Config(**{
      columns.NODE: [_Node("node1.example.com", sinst_cnt=0),
                     _Node("node2.example.com", role="O", sinst_cnt=3)],
      columns.INSTANCE: [
        _Instance("inst%d.example.com" % i, pnode="node1.example.com",
                  snodes=["node2.example.com"],
                  admin_state="down" if i == 2 else "up") for i in range(3)]})
    text = mappage.Boxes(config, "fsn", "", "")
    page = _Parser(text)
    words = "".join(page.texts)
    for expected in ["node1master", "2 up, 1 down, 1.5 GiB", "inst2 (down)",
                     "Mirrors on node2 (3): all on one node", "node2offline",
                     "no instances", "3 mirrors here",
                     "default: 2 nodes, 3 instances"]:
      self.assertIn(expected, words)
    for link in ["instance/inst0.example.com", "node/node2.example.com",
                 "group/default"]:
      self.assertIn("/fsn/" + link, page.links)
    self.assertIn("inst1.example.com, up, 512 MiB, mirrored to"
                  " node2.example.com", text)

  def testLargeMap(self):
    """A page of a large cluster's map is small, with or without groups.

    """
    for (nodes, groups, instances) in [(200, 1, 10000), (200, 5, 10000),
                                       (450, 3, 300), (100, 1, 300)]:
      config = _Config(**{
        columns.GROUP: [_Row(columns.GROUP, name="group%d" % i)
                        for i in range(groups)],
        columns.NODE: [_Node("node%d.fsn.example.com" % i, sinst_cnt=50,
                             group="group%d" % (i % groups))
                       for i in range(nodes)],
        columns.INSTANCE: [
          _Instance("web%d.fsn.example.com" % i,
                    pnode="node%d.fsn.example.com" % (i % nodes),
                    snodes=["node%d.fsn.example.com" % (i * 7 % nodes)],
                    admin_state="down" if i % 9 == 0 else "up")
          for i in range(instances)]})
      seen = []
      for number in range(1, 1 - -nodes // paging.MAX_ROWS):
        text = mappage.Map(self._State(config), "", mappage.Boxes(
          config, "fsn", "", str(number)))
        self.assertLess(len(text), 200000)
        seen += [i for i in _Parser(text).links
                 if i.startswith("/fsn/instance/")]
      self.assertEqual(len(set(seen)), instances if instances <= 300 else 0)
      one = mappage.Boxes(config, "fsn", "group0", "")
      self.assertIn("group0: %d nodes" % -(-nodes // groups),
                    "".join(_Parser(one).texts))
      self.assertNotIn("group1", one)
    for (group, number) in [("nothing", ""), ("", "2"), ("", "0")]:
      with self.assertRaises(rowfilter.BadRequest):
        mappage.Boxes(config, "fsn", group, number)

  def testTooLarge(self):
    """An answer beyond a limit says which one, and is logged once.

    """
    watched = watcher.Watcher("fsn")
    server = web.Server([watched], True)
    # pylint: disable=W0212
    server._plain = cache.Cache(cache.Limits(
      kept=1 << 20, held=1 << 20, waiting=9,
      process=forked.Limits(size=1 << 20)))
    watched.SetConfig(_Config(**{columns.INSTANCE: [
      _Instance("inst%d" % i) for i in range(5000)]}))
    request = http1.Request("GET", ("", "metrics"), {}, {"host": "localhost"})

    def _Ask():
      return asyncio.run(server.Answer(request))
    with self.assertLogs(level="WARNING") as logs:
      for _ in range(3):
        answer = _Ask()
        self.assertEqual(answer.status, 503)
        self.assertIn(b"more than 1 MiB", answer.parts[0])
        self.assertIn(b"--no-instances", answer.parts[0])
    self.assertEqual(len(logs.output), 1)
    self.assertIn("\"/metrics\" cannot be answered", logs.output[0])
    # A smaller configuration can be answered again
    watched.SetConfig(_Config())
    self.assertEqual(_Ask().status, 200)

  def testFillIn(self):
    for (name, expected) in [
        ("inst1", "x inst1 y"), ("a b", "x 'a b' y"), ("-f", "x -- -f y"),
        ("a\nb", "x INSTANCE y"), (None, "x INSTANCE y"),
        ("\\1", "x '\\1' y")]:
      self.assertEqual(advice.FillIn("x INSTANCE y", columns.INSTANCE, name),
                       expected)

  def testAbout(self):
    """A name that looks like a part of another object is no part of it.

    """
    findings = [checks.Finding("x", "warning", subject, "text", "advice")
                for subject in ("web1", "web1, disk/x", "web1, nic/0", "web2")]
    for (names, name, expected) in [
        ({"web1"}, "web1", ["web1", "web1, disk/x", "web1, nic/0"]),
        ({"web1", "web1, disk/x"}, "web1", ["web1", "web1, nic/0"]),
        ({"web1", "web1, disk/x"}, "web1, disk/x", ["web1, disk/x"]),
        ({"web1"}, ["web1"], [])]:
      self.assertEqual([finding.subject for finding in
                        advice.About(findings, name, names)], expected)

  @staticmethod
  def _Advices(page):
    """Returns a page's texts, those with advice among them.

    """
    return [text.replace("What to do: ", "") for text in _Parser(page).texts]

  def testHostileNames(self):
    """No page changes the quotes around a name in a command.

    """
    command = "gnt-instance modify INSTANCE"
    longest = "'" * 50
    for name in ["x INSTANCE;reboot #", "INSTANCE", "'INSTANCE'", longest,
                 "x" * 280 + " ;reboot", "-INSTANCE", "=INSTANCE NODE"]:
      expected = "gnt-instance modify " + shellwords.Line([], [name])
      if len(expected) > 280:
        expected = command
      for count in (1, 2):
        findings = [checks.Finding("forthcoming", "warning", name,
                                   "text %d" % i, command)
                    for i in range(count)]
        config = _Config(**{columns.INSTANCE: [_Instance(name)]})
        config = config._replace(findings=findings, causes=causes.Group(
          findings, config.tables))
        overview = pages.Overview(self._State(config))
        for (page, times) in [
            (findingspage.Rows(config, "fsn", "", ""), count),
            (objectpages.Content(config, "fsn", columns.INSTANCE, 0), count),
            (overview, 1)]:
          shown = expected if page != overview or count == 1 else command
          self.assertEqual([i for i in self._Advices(page)
                            if i.startswith("gnt-instance modify")],
                           times * [shown], (name, count))

  def testAdviceIsWhole(self):
    """The advice of no check is cut, even with the longest name.

    """
    name = "'" * 50
    for (check, known) in checks.CHECKS.items():
      for (kind, make) in [(columns.INSTANCE, _Instance),
                           (columns.NODE, _Node)]:
        findings = [checks.Finding(check, "warning", name, "text",
                                   known.advice)]
        config = _Config(**{kind: [make(name)]})
        config = config._replace(findings=findings, causes=causes.Group(
          findings, config.tables))
        expected = advice.FillIn(known.advice, kind, name)
        for page in (findingspage.Rows(config, "fsn", "", ""),
                     objectpages.Content(config, "fsn", kind, 0),
                     pages.Overview(self._State(config))):
          self.assertIn(expected, self._Advices(page), check)

  def testDivergence(self):
    """Two configurations of one serial number are critical.

    """
    state = self._State(_Config())
    self.assertIn("WARNING", pages.Clusters([state]))
    rows = [_STATUSES[0]._replace(diverges=True, problem="another one")]
    confd = _Candidates()
    state = state._replace(candidates=confd._replace(
      status=confd.status._replace(candidates=rows)))
    self.assertIn("CRITICAL", pages.Clusters([state]))
    self.assertIn("another one", pages.Overview(state))
    families = {i.name: i for i in metrics.LiveFamilies([state])}
    self.assertEqual([i.value for i
                      in families["ganeti_confd_diverges"].samples], [1])

  def testNoCandidate(self):
    """An address that is no master candidate any more is no problem.

    """
    confd = _Candidates()
    fine = _Config()._replace(findings=[], causes=[])
    for (listed, reason) in [(True, None), (False, silence.UNLISTED)]:
      rows = [_STATUSES[0], _STATUSES[1]._replace(
        listed=listed, problem=reason or "silent")]
      state = clusterstate.ClusterState("fsn", fine, clusterstate.Candidates(
        confd.status._replace(candidates=rows),
        confd.stats._replace(silent={"192.0.2.2": reason})), None)
      page = pages.Overview(state)
      self.assertEqual("WARNING" in page, listed)
      self.assertEqual("1 of 2 master candidates" in page, listed)
      self.assertIn(reason or "silent", page)
      families = {i.name: i for i in metrics.LiveFamilies([state])}
      self.assertEqual([i.value for i in families["ganeti_confd_up"].samples],
                       [1, 0] if listed else [1])

  def testHints(self):
    """Each line about the causes of silence is a line of the page.

    """
    confd = _Candidates()
    hints = ["one is silent.", "the causes:", "- another <key>"]
    page = pages.Overview(clusterstate.ClusterState(
      "fsn", _Config(), confd._replace(status=confd.status._replace(
        hints=hints)), None))
    texts = _Parser(page).texts
    self.assertEqual([i for i in texts if i in hints], hints)

  def testKeyEnds(self):
    """A key that ends soon is a warning.

    """
    confd = _Candidates()
    state = clusterstate.ClusterState(
      "fsn", _Config()._replace(findings=[], causes=[]),
      confd._replace(status=confd.status._replace(candidates=_STATUSES[:1])),
      None)
    today = datetime.datetime.now(datetime.timezone.utc).date()
    for (days, is_warning) in [(0, True), (20, True), (40, False),
                               (None, False)]:
      last_day = None if days is None else today + datetime.timedelta(days)
      page = pages.Overview(state._replace(reader=readerkey.Make(
        "web", ["ping"], last_day)))
      self.assertEqual("WARNING" in page, is_warning, days)
      self.assertEqual("The key of the reader" in page, is_warning, days)

  def testKeyHasEnded(self):
    """With a key that has ended, the cluster is not said to be silent.

    """
    state = self._State(None, "Not permitted", None)
    today = datetime.datetime.now(datetime.timezone.utc).date()
    for (days, word) in [(-2, "KEY ENDED"), (2, "NO ANSWER"),
                         (None, "NO ANSWER")]:
      last_day = None if days is None else today + datetime.timedelta(days)
      self.assertEqual(layout.Judge(state._replace(reader=readerkey.Make(
        "web", ["ping"], last_day))), ("critical", word))

  def testNothingKnown(self):
    state = self._State(None, "No answer", None)
    for text in [pages.Overview(state), self._Map(state),
                 pages.Clusters([state]),
                 self._Table(state, columns.NODE, "", "")]:
      self.assertIn("No answer", text)
    self.assertIn("NO ANSWER", pages.Clusters([state]))

  def testOld(self):
    """A state that may be out of date is shown with its age.

    """
    state = self._State(_Config(), "No answer", 7200.0)
    for text in [pages.Overview(state), self._Map(state),
                 self._Table(state, columns.NODE, "", "")]:
      self.assertIn("what was known 2 hours ago", text)

  def testTable(self):
    state = self._State(_Config())
    text = self._Table(state, columns.INSTANCE, 'name == "inst2"', "pnode")
    parsed = _Parser(text)
    self.assertIn("inst2", parsed.texts)
    self.assertNotIn("inst10", parsed.texts)
    self.assertIn("1 of 3", "".join(parsed.texts))
    # Once more, it is sorted the other way round
    self.assertIn("sort=-pnode", text)
    self.assertIn("no field",
                  self._Table(state, columns.NODE, "x == 1", ""))

  def testManyRows(self):
    config = _Config(**{columns.INSTANCE: [
      _Instance("inst%d.example.com" % i,
                tags=["service%d" % tag for tag in range(20)])
      for i in range(2 * paging.MAX_ROWS + 5)]})

    def _Get(number, condition=""):
      return pages.Rows(config, columns.INSTANCE, "fsn", condition, "-pnode",
                        number)
    names = []
    for (number, count, turn) in [
        ("", paging.MAX_ROWS, ["2", "3"]), ("2", paging.MAX_ROWS, ["1", "3"]),
        ("3", 5, ["1", "2"])]:
      page = _Parser(_Get(number))
      names += [text for text in page.texts if text.startswith("inst")]
      self.assertEqual(page.tags.count("tr"), count + 1)
      self.assertEqual(
        sorted({link.rpartition("=")[2] for link in page.links
                if "page=" in link and "sort=-pnode" in link}), turn)
      self.assertLess(len(_Get(number)), 200000)
    # Every row is on one page
    self.assertEqual(len(set(names)), 2 * paging.MAX_ROWS + 5)
    self.assertEqual(_Parser(_Get("", 'name == "inst7"')).tags.count("tr"), 2)
    for number in ("0", "4", "-1", "x", "1e3", "\ud800", "9" * 5000):
      with self.assertRaises(rowfilter.BadRequest) as caught:
        _Get(number)
      self.assertIn("the pages are 1 to 3", str(caught.exception))
    self.assertEqual(_Parser(_Get("1", 'name == "x"')).tags.count("tr"), 1)

  def _Object(self, config, kind, index=0):
    return _Parser(objectpages.Content(config, "fsn", kind, index))

  def testObjects(self):
    """Each kind's page has what the configuration says, and links.

    """
    config = _Config(**{
      columns.DISK: [_Row(columns.DISK, instance="inst2", index=0, size=1024,
                          dev_type="drbd", nodes=["node1", "node2"],
                          volumes=["xenvg/disk0"], minors=[0, 3])],
      })
    for (kind, texts, links) in [
        (columns.NODE, ["master", "Primary instances (2)", "192.0.2.1",
                        "gnt-instance migrate -f inst2"],
         ["/fsn/group/default", "/fsn/instance/inst10", "/fsn/node/node2"]),
        (columns.INSTANCE, ["xenvg/disk0", "1.0 GiB", "debian", "Same tags"],
         ["/fsn/node/node1", "/fsn/node/node2", "/fsn/group/default",
          "/fsn/instance/inst10"]),
        (columns.GROUP, ["Nodes (2)", "1.0 GiB"],
         ["/fsn/node/node1", "/fsn/node/node2"]),
        (columns.NETWORK, ["Taken by others", "11"], [])]:
      with self.subTest(kind):
        page = self._Object(config, kind)
        text = "\n".join(page.texts)
        for expected in texts:
          self.assertIn(expected, text)
        self.assertLessEqual(set(links), set(page.links))

  def testNoEmptyProperty(self):
    """A property without a value is left out; all tags are shown.

    """
    tags = ["service%d" % i for i in range(20)]
    for (snodes, expected) in [([], False), (["node2"], True)]:
      text = objectpages.Content(_Config(**{columns.INSTANCE: [_Instance(
        "inst2", snodes=snodes, disk_template="plain", tags=tags,
        **{"snodes.group": []})]}), "fsn", columns.INSTANCE, 0)
      self.assertNotIn("<dd></dd>", text)
      self.assertEqual("<dt>Secondary nodes</dt>" in text, expected)
      self.assertLessEqual(set(tags), set(_Parser(text).texts))

  def testManyValues(self):
    """Thousands of tags and long parameters do not make a page large.

    """
    config = _Config(**{
      columns.INSTANCE: [_Instance(
        "inst%d" % i, tags=["tag%d" % tag for tag in range(3000)],
        custom_osparams={"script": 100000 * "x"}) for i in range(2)]})
    for page in [objectpages.Content(config, "fsn", columns.INSTANCE, 0),
                 pages.Rows(config, columns.INSTANCE, "fsn", "", ""),
                 pages.Overview(self._State(config._replace(
                   cluster={"tags": ["tag%d" % i for i in range(3000)]})))]:
      self.assertLess(len(page), 200000)

  def testFailure(self):
    """An instance without a mirror has nowhere to go if its node fails.

    """
    config = _Config(**{
      columns.INSTANCE: [_Instance("inst2", snodes=[], disk_template="plain"),
                         _Instance("inst3")],
      columns.DISK: [_Row(columns.DISK, instance="inst2", dev_type="plain"),
                     _Row(columns.DISK, instance="inst3", dev_type="drbd")]})
    text = "".join(self._Object(config, columns.NODE).texts)
    (_, _, failure) = text.partition("If this node fails")
    self.assertIn("1 instance can fail over", failure)
    self.assertIn("1 instance would have nowhere to go.InstanceProbleminst2",
                  failure)

  def testParameters(self):
    """Parameters are shown with their source, the nearest one first.

    """
    config = _Config(**{columns.INSTANCE: [_Instance(
      "inst2", custom_hvparams={"acpi": False}, custom_osparams={"a": "own"},
      custom_beparams={"vcpus": 3}, os="debian+x")]})._replace(cluster={
        "hvparams": {"kvm": {"acpi": True, "kernel_args": "ro", "cdrom": "",
                             "migration_port": 8102}},
        "os_hvp": {"debian+x": {"kvm": {"kernel_args": "rw"}}},
        "osparams": {"debian": {"a": "inherited", "b": "too"}},
        "beparams": {"default": {"vcpus": 1, "maxmem": 128}}})
    cells = "|".join(self._Object(config, columns.INSTANCE).texts)
    for row in ["acpi|false|instance", "kernel_args|rw|OS debian+x",
                "a|own|instance", "b|too|cluster", "vcpus|3|instance",
                "maxmem|128|cluster"]:
      with self.subTest(row=row):
        self.assertIn(row, cells)
    self.assertNotIn("migration_port", cells)

  def testAdvice(self):
    """A finding stands on the page of its object, with the name filled in.

    """
    def _Make(subject):
      return _Config()._replace(findings=[checks.Finding(
        "forthcoming", "warning", subject, "text",
        "gnt-instance remove INSTANCE")])
    for (subject, expected) in [("inst2", True), ("inst2, nic/0", True),
                                ("inst2, disk/1", True), ("inst10", False)]:
      text = "".join(self._Object(_Make(subject), columns.INSTANCE).texts)
      self.assertEqual("gnt-instance remove inst2" in text, expected, subject)

  def testSameName(self):
    """The page of one of two objects of one name has a link to the other.

    """
    config = _Config(**{columns.INSTANCE: [
      _Instance("same", uuid="u-1"), _Instance("same", uuid="u-2")]})
    for (index, other) in [(0, "u-2"), (1, "u-1")]:
      self.assertIn("/fsn/instance/" + other,
                    self._Object(config, columns.INSTANCE, index).links)

  def testManyInstances(self):
    """The page of a node with hundreds of instances is small.

    """
    names = ["node%d.fsn.example.com" % i for i in (1, 2)]
    config = _Config(**{
      columns.NODE: [_Node(name) for name in names],
      columns.INSTANCE: [
        _Instance("web%d.fsn.example.com" % i, pnode=names[i % 2],
                  snodes=[names[(i + 1) % 2]]) for i in range(600)]})
    text = objectpages.Content(config, "fsn", columns.NODE, 0)
    self.assertLess(len(text), 190000)
    words = "".join(_Parser(text).texts)
    for title in ("Primary instances (300)", "Secondary instances (300)"):
      self.assertIn(title + "The first 100 of 300. All", words)
    self.assertIn("confd-client evacuate node1.fsn.example.com prints all.",
                  words)

  def testAllRows(self):
    """A table that is cut has a link to all of its rows, whatever the names.

    """
    # No filter can have the last two names
    for (name, has_link) in [
        ("node1.fsn.example.com", True), ("a\" or name != \"", True),
        ("it's", True), ("\" or '", False), ("a\\", False), ("a\nb", False)]:
      others = {"pnode": "x", "snodes": ["x"], "nic.networks.names": ["x"]}
      mine = {"pnode": name, "snodes": [name], "nic.networks": ["u"],
              "nic.ips": [None], "nic.macs": [None],
              "nic.networks.names": [name]}
      config = _Config(**{
        columns.NODE: [_Node(name, group=name), _Node("x", group="x"), *(
          _Node("n%d" % i, group=name) for i in range(1, 150))],
        columns.INSTANCE: [_Instance("other", **others), *(
          _Instance("web%d" % i, **mine) for i in range(150))],
        columns.GROUP: [_Row(columns.GROUP, name=name, pinst_cnt=1)],
        columns.NETWORK: [_Row(columns.NETWORK, name=name, uuid="u")]})
      for (kind, count) in [(columns.NODE, 2), (columns.GROUP, 1),
                            (columns.NETWORK, 1)]:
        page = _Parser(objectpages.Content(config, "fsn", kind, 0))
        found = [urllib.parse.urlsplit(link) for link in page.links
                 if "filter=pnode.group" not in link and "filter=" in link]
        with self.subTest(name, kind=kind):
          self.assertEqual(len(found), count if has_link else 0)
          for link in found:
            selected = rowfilter.Select(
              config, layout.TABLES[link.path.rpartition("/")[2]],
              urllib.parse.parse_qs(link.query)["filter"][0], "", ["name"])
            self.assertEqual(len(selected.rows), 150)

  def testFind(self):
    """Names come before UUIDs, and UUIDs before short names.

    """
    config = _Config(**{
      columns.NODE: [_Node("node1.example.com", uuid="u1"),
                     _Node("node1", uuid="u2"), _Node("u1", uuid="u3"),
                     _Node("Node2.example.com", uuid="u4"),
                     _Node(None, uuid="u5")],
      columns.INSTANCE: [_Instance("node2.example.org")]})
    for (word, kinds, names) in [
        ("node1", lookup.KINDS, ["node1"]), ("u1", lookup.KINDS, ["u1"]),
        ("u2", lookup.KINDS, ["node1"]), ("u5", lookup.KINDS, [None]),
        ("node2", lookup.KINDS, ["Node2.example.com", "node2.example.org"]),
        ("NODE2", [columns.NODE], ["Node2.example.com"]),
        ("node", lookup.KINDS, []), ("", lookup.KINDS, [])]:
      self.assertEqual([i.name for i in lookup.FindObjects(config, kinds,
                                                           word)], names, word)

  @needs_hypothesis
  @_SETTINGS
  @hypothesis.given(st.lists(TEXTS, min_size=5, max_size=5))
  def testAnyObject(self, texts):
    """No name on the page of an object becomes markup, or leads elsewhere.

    """
    (name, tag, os_name, network, value) = texts
    config = _Config(**{
      columns.INSTANCE: [_Instance(
        name, pnode=name, snodes=[tag], tags=[tag, value], os=os_name,
        custom_hvparams={value: tag}, **{
          field: [value] for field in ["nic.names", "nic.macs", "nic.ips",
                                       "nic.modes", "nic.links", "nic.vlans",
                                       "nic.networks.names", "nic.uuids",
                                       "custom_nicparams", "nic.networks"]})],
      columns.NODE: [_Node(name, group=tag, custom_ndparams={name: value})],
      columns.DISK: [_Row(columns.DISK, instance=name, nodes=[name],
                          dev_type=value)],
      columns.GROUP: [_Row(columns.GROUP, name=tag, networks=[network])],
      columns.NETWORK: [_Row(columns.NETWORK, name=network, uuid=network,
                             group_list=[[tag, value, value, value]])]})
    for kind in lookup.KINDS:
      page = self._Object(config, kind)
      self.assertLessEqual(set(page.tags), _TAGS)
      self.assertLessEqual(page.attributes, _ATTRIBUTES)
      for link in page.links:
        # Two slashes would be another server
        self.assertRegex(link, r"\A/(fsn/[^/]|search\?q=tag%3A)")
        link.encode("ascii")

  @needs_hypothesis
  @_SETTINGS
  @hypothesis.given(TEXTS)
  def testAnyPath(self, name):
    """A link to an object is decoded to its name.

    """
    path = layout.ObjectPath("fsn", columns.NODE, name)
    exchange = http1.Exchange()
    if path is not None:
      request = exchange.Receive(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" %
                                 path.encode("ascii"))
      self.assertEqual(request.path, ("", "fsn", "node", name))

  @needs_hypothesis
  @_SETTINGS
  @hypothesis.given(st.lists(TEXTS, min_size=5, max_size=5))
  def testAnyNames(self, texts):
    """No name becomes markup.

    """
    (name, tag, os_name, problem, condition) = texts
    config = _Config(**{
      columns.INSTANCE: [_Instance(name, pnode=name, tags=[tag], os=os_name)],
      columns.NODE: [_Node(name, group=tag)]})
    findings = [checks.Finding("forthcoming", "warning", name, tag, os_name),
                checks.Finding("forthcoming", "warning", tag, tag, os_name)]
    config = config._replace(
      name=name, findings=findings, masters=[name],
      causes=causes.Group(findings[:1], config.tables))
    # Two subjects of one cause
    twice = config._replace(causes=causes.Group(findings, config.tables))
    page = _Parser(pages.Overview(self._State(twice)))
    self.assertFalse(set(page.tags) & {"b", "img", "svg"})
    plain = self._State(_Config(**{columns.INSTANCE: [_Instance("x")],
                                   columns.NODE: [_Node("y")]}), "x")
    state = self._State(config, problem or "x")
    for page in [pages.Overview, lambda state: pages.Clusters([state]),
                 lambda state: self._Table(state, columns.NODE, "", ""),
                 lambda state: self._Table(state, columns.INSTANCE, "", "")]:
      (usual, hostile) = (_Parser(page(plain)), _Parser(page(state)))
      # Names that no path can have are no links, and no name has no title
      (expected, found) = ([tag for tag in page.tags
                            if tag not in ("a", "div", "dt", "dd")]
                           for page in (usual, hostile))
      self.assertEqual(found, expected)
      self.assertLessEqual(hostile.attributes, usual.attributes)
      page(state).encode("utf-8")
    wrong = _Parser(self._Table(plain, columns.NODE, condition, condition))
    self.assertFalse(set(wrong.tags) & {"b", "img", "svg"})
    self._Map(state).encode("utf-8")


if __name__ == "__main__":
  unittest.main()

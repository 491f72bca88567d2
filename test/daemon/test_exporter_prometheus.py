#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-exporter and a real Prometheus, with the examples of settings"""

import datetime
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
import urllib.parse
import urllib.request

import testutils
import webserver

from ganeti.confd.protocol import keyfile
from ganeti.confd.protocol import readerkey


_EXAMPLES = os.path.join(testutils.SRCDIR, "doc", "examples")
_DASHBOARD = os.path.join(_EXAMPLES, "grafana-dashboard.json")
_RULES = os.path.join(_EXAMPLES, "confd-rules.yml")

#: Where the examples have confd-exporter
_ADDRESS = "127.0.0.1:9814"

#: Most lines of a panel
_LINES = 20

#: The variables that Grafana replaces
_VARIABLES = {
  "$cluster": ".*",
  "$group": ".*",
  "$node": ".*",
  "$__rate_interval": "1m",
  }


def _Config():
  """Makes a configuration that has something of everything.

  """
  # The candidate is asked, and that does not leave the machine
  nodes = [testutils.MakeNode(1, primary_ip="127.0.0.1",
                              master_candidate=True),
           testutils.MakeNode(2, drained=True),
           # More nodes than a panel has lines
           *(testutils.MakeNode(i, offline=True) for i in range(3, 31))]
  instances = [testutils.MakeInstance(i, i, disks=[i],
                                      beparams={"maxmem": 512 * i, "vcpus": i})
               for i in (1, 2)]
  network = {"name": "net", "uuid": testutils.Uuid("9", 1), "serial_no": 1,
             "network": "192.0.2.0/28", "gateway": None, "network6": None,
             "gateway6": None, "mac_prefix": None, "tags": [],
             "reservations": "1" + 14 * "0" + "1",
             "ext_reservations": 16 * "0"}
  return testutils.MakeConfig(nodes, instances,
                              [testutils.MakeDrbd(1, 1, 2),
                               testutils.MakeDisk(2)],
                              networks={network["uuid"]: network})


def _KeyThatEnds(daemon):
  """Makes a reader's key with a last day, which the dashboard shows.

  @return: the path of the key's file

  """
  path = os.path.join(daemon.root, "exporter.key")
  testutils.WriteFile(path, keyfile.Format(testutils.KEY, readerkey.Make(
    "exporter", ["all"], datetime.date(2999, 12, 31))).encode("ascii"))
  return path


def _Graphs():
  """Lists the titles of the panels that draw lines.

  """
  return {panel["title"]
          for panel in json.loads(testutils.ReadFile(_DASHBOARD))["panels"]
          if panel["type"] == "timeseries"}


def _Queries():
  """Lists the queries of the dashboard, and that of the page about metrics.

  @return: pairs of a title and a query

  """
  page = testutils.ReadFile(os.path.join(testutils.SRCDIR, "doc",
                                         "metrics.rst")).decode("ascii")
  dashboard = json.loads(testutils.ReadFile(_DASHBOARD))
  found = [(panel["title"], target["expr"]) for panel in dashboard["panels"]
           for target in panel.get("targets", [])]
  found.append(("metrics.rst", page[page.rindex("::\n") + 3:].strip()))
  for variable in dashboard["templating"]["list"]:
    if variable["type"] == "query":
      (metric, label) = re.fullmatch(r"label_values\((.*), (\w+)\)",
                                     variable["query"]["query"]).groups()
      found.append((variable["name"], "count by (%s) (%s)" % (label, metric)))
  return found


class _Prometheus:
  """A Prometheus that has the example of a configuration.

  """
  def __init__(self, server):
    """@type server: L{webserver.Exporter}

    """
    self._root = tempfile.mkdtemp(prefix="ganeti-confd-prometheus.")
    self._url = "http://127.0.0.1:%d" % testutils.FreePort()
    self._proc = None
    text = testutils.ReadFile(os.path.join(
      _EXAMPLES, "prometheus.yml")).decode("ascii")
    job = "  - job_name: node\n"
    assert text.count(_ADDRESS) == 2 and text.count(job) == 1
    # The nodes' exporters are behind a proxy, at a port where nothing listens
    text = text.replace(_ADDRESS, "127.0.0.1:%d" % server.port).replace(
      job, job + "    proxy_url: http://127.0.0.1:1\n")
    text = "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\n" + text
    self._config = os.path.join(self._root, "prometheus.yml")
    testutils.WriteFile(self._config, text.encode("ascii"))
    shutil.copy(_RULES, self._root)

  def __enter__(self):
    try:
      with open(os.path.join(self._root, "output"), "wb") as output:
        self._proc = subprocess.Popen(
          ["prometheus", "--config.file", self._config,
           "--storage.tsdb.path", os.path.join(self._root, "data"),
           "--web.listen-address", self._url.partition("//")[2]],
          cwd=self._root, stdin=subprocess.DEVNULL, stdout=output,
          stderr=output)
      testutils.WaitFor(self._IsUp, "Prometheus is up",
                        6 * testutils.PATIENCE)
    except BaseException:
      self.__exit__()
      raise
    return self

  def __exit__(self, *_):
    if self._proc is not None:
      self._proc.kill()
      self._proc.wait()
    shutil.rmtree(self._root)

  def _IsUp(self):
    if self._proc.poll() is not None:
      raise AssertionError(testutils.ReadFile(
        os.path.join(self._root, "output")))
    try:
      return self._Get("/-/ready")
    except OSError:
      return False

  def _Get(self, path, **query):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(self._url + path + "?" + urllib.parse.urlencode(query),
                     timeout=testutils.PATIENCE) as reply:
      return reply.read()

  def Ask(self, path, **query):
    """Asks Prometheus' interface for programs.

    """
    reply = json.loads(self._Get("/api/v1/" + path, **query))
    assert reply["status"] == "success", reply
    return reply["data"]

  def Query(self, query):
    """Evaluates a query.

    @return: list of (labels, number)

    """
    return [(i["metric"], float(i["value"][1]))
            for i in self.Ask("query", query=query)["result"]]


@unittest.skipIf(shutil.which("prometheus") is None, "there is no prometheus"
                 " (Debian package prometheus)")
class TestPrometheus(unittest.TestCase):
  def testScraped(self):
    """Values, targets and alerts arrive, and all queries of the dashboard work.

    """
    config = _Config()
    with testutils.Daemon(config) as daemon, \
         webserver.Exporter(webserver.Settings(
           "fsn", [daemon], _KeyThatEnds(daemon))) as server:
      server.WaitForSerial("fsn", config["serial_no"])
      with _Prometheus(server) as prometheus:
        self._CheckTargets(prometheus)
        self._CheckValues(prometheus)
        for (title, query) in _Queries():
          with self.subTest(title, query=query):
            for (variable, value) in _VARIABLES.items():
              query = query.replace(variable, value)
            found = testutils.WaitFor(lambda q=query: prometheus.Query(q),
                                      query)
            if title in _Graphs():
              self.assertLessEqual(len(found), _LINES)
        self._CheckAlerts(prometheus)

  def _CheckTargets(self, prometheus):
    def _Nodes():
      return [i for i in prometheus.Ask("targets", state="active")[
        "activeTargets"] if i["labels"]["job"] == "node"]
    found = testutils.WaitFor(_Nodes, "there are targets")
    # The offline node's target is left out
    self.assertEqual(
      sorted((i["labels"]["node"], i["labels"]["cluster"], i["scrapeUrl"])
             for i in found),
      # One has an address that says nothing elsewhere
      [("node1.example.com", "fsn", "http://node1.example.com:9100/metrics"),
       ("node2.example.com", "fsn", "http://192.0.2.2:9100/metrics")])

  def _CheckValues(self, prometheus):
    testutils.WaitFor(lambda: prometheus.Query("ganeti_confd_up == 1"),
                      "metrics arrive")
    for (query, expected) in [
        ("ganeti_up", 1),
        ("ganeti_cluster_config_serial", 17),
        ("ganeti_network_addresses_free{network=\"net\"}", 14),
        ("sum(ganeti_cluster_nodes)", 30),
        # The mirror is on a node that is drained
        ("ganeti_node_instances_without_failover{node=\"node1.example.com\"}",
         1),
        # The exporter's own label, and no "exported_instance"
        ("ganeti_instance_memory_bytes{instance=\"inst2.example.com\"}",
         1 << 30)]:
      with self.subTest(query):
        # On a busy machine, a single scrape may fail
        values = testutils.WaitFor(lambda query=query: prometheus.Query(query),
                                   query)
        self.assertEqual([value for (_, value) in values], [expected])

  def _CheckAlerts(self, prometheus):
    """The rules are evaluated without errors.

    """
    def _Rules():
      rules = [rule for group in prometheus.Ask("rules")["groups"]
               for rule in group["rules"]]
      return {i["name"]: i for i in rules} if all(
        i["health"] != "unknown" for i in rules) else None
    rules = testutils.WaitFor(_Rules, "the rules are evaluated")
    self.assertEqual({i["health"] for i in rules.values()}, {"ok"})
    # On a busy machine, a single scrape may fail
    for name in ["GanetiNoAnswer", "ConfdExporterDown"]:
      testutils.WaitFor(lambda name=name: not _Rules()[name]["alerts"],
                        "no alert %s" % name)

  def testAlerts(self):
    """The alerts are for what they say, by promtool.

    """
    # The series that an alert is for, a value that raises it, one that does not
    cases = {
      "ConfdExporterDown": ("up{job=\"confd-exporter\"}", 0, 1),
      "GanetiNoAnswer": ("ganeti_up{cluster=\"fsn\"}", 0, 1),
      # Promtool's clock begins at 0
      "GanetiReaderKeyEnds": ("ganeti_reader_key_end_seconds", 86400,
                              40 * 86400),
      "GanetiReaderKeyEnded": ("ganeti_reader_key_end_seconds", 60, 86400),
      "GanetiFinding": (
        "ganeti_cluster_findings{check=\"x\", severity=\"critical\"}", 1, 0),
      "GanetiNoFailover": (
        "ganeti_node_instances_without_failover{disk_template=\"drbd\"}", 1, 0),
      "GanetiNetworkNearlyFull": ("ganeti_network_addresses_free", 1, 2),
      "GanetiCandidateBehind": ("ganeti_confd_behind", 1, 0),
      "GanetiCandidatesDiverge": ("ganeti_confd_diverges", 1, 0),
      "GanetiCandidateStale": ("ganeti_confd_config_stale", 1, 0),
      "GanetiCandidateSilent": ("ganeti_confd_up", 0, 1),
      "GanetiHistoryNotRecorded": ("ganeti_history_up", 0, 1),
      }
    severe = {"ConfdExporterDown", "GanetiNoAnswer", "GanetiReaderKeyEnded",
              "GanetiFinding", "GanetiCandidatesDiverge"}
    # The same with the time when the reader's key ends. The key of another
    # cluster, and that of another exporter, make no difference.
    end = "ganeti_reader_key_end_seconds{cluster=\"%s\", instance=\"%s\"}"
    with_key = [("GanetiReaderKeyEnds", "ganeti_reader_key_end_seconds", 60, {},
                 False)]
    with_key += [("GanetiNoFailover", "ganeti_node_instances_without_failover"
                  "{disk_template=\"%s\"}" % template, 1, {}, False)
                 for template in ("file", "plain")]
    for (name, metric) in [("GanetiNoAnswer", "ganeti_up"),
                           ("GanetiCandidateSilent", "ganeti_confd_up")]:
      for (cluster, instance, value, is_raised) in [
          ("fsn", "a", 60, False), ("fsn", "a", 86400, True),
          ("dus", "a", 60, True), ("fsn", "b", 60, True)]:
        with_key.append((
          name, metric + "{cluster=\"fsn\", instance=\"a\"}", 0,
          {end % (cluster, instance): value}, is_raised))
    names = re.findall("alert: (.*)",
                       testutils.ReadFile(_RULES).decode("ascii"))
    self.assertEqual(sorted(cases), sorted(names))
    tests = []
    networks = {"ganeti_network_addresses": 256,
                "ganeti_network_addresses_usable": 16}
    without_key = [
      (name, series, value, networks, is_raised)
      for (name, (series, bad, good)) in cases.items()
      for (value, is_raised) in [(bad, True), (good, False)]]
    for (name, series, value, others, is_raised) in without_key + with_key:
      tests.append({
        "interval": "1m",
        "input_series": [{"series": i, "values": "%dx120" % number}
                         for (i, number) in [(series, value), *others.items()]],
        "promql_expr_test": [{
          "expr": "count(ALERTS{alertname=\"%s\", alertstate=\"firing\","
                  " severity=\"%s\"}) or vector(0)" % (
                    name, "critical" if name in severe else "warning"),
          "eval_time": "90m",
          "exp_samples": [{"labels": "{}", "value": int(is_raised)}]}]})
    with tempfile.TemporaryDirectory() as directory:
      path = os.path.join(directory, "tests.yml")
      # JSON is YAML
      testutils.WriteFile(path, json.dumps({
        "rule_files": [_RULES], "evaluation_interval": "1m",
        "tests": tests}).encode("ascii"))
      for words in [["test", "rules", path], ["check", "rules", _RULES],
                    ["check", "config",
                     os.path.join(_EXAMPLES, "prometheus.yml")]]:
        result = subprocess.run(["promtool", *words], check=False,
                                stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)
        self.assertEqual(result.returncode, 0, result.stdout.decode("utf-8"))


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Whatever the configuration holds, what is printed is text, and has its form.

Where Ganeti's format has a string, this configuration has one with all that
means something to a terminal, a shell, a spreadsheet, a browser or a reader of
lines. All that the programs write is looked at byte by byte.

"""

import csv
import io
import json
import re
import shlex
import subprocess
import unittest

from xml.etree import ElementTree

import clientcommand
import testutils
import webserver

from ganeti.confd.command import commandline


_HOSTILE = ("$(id);`id`|id&'\"<b>\\x,=\t\n\r\x00\x07\x08\x0c\x1b[2J\x1b]0;x\x07"
            "\x7f\x9b2J\u202e\u200b\u2028\ufeff\u00a0")

#: Where no word of a command line can be one
_MORE_HOSTILE = _HOSTILE + "\ud800"

#: Of what a value may begin with, too
_STARTS = ["=cmd ", "-rf ", "+1 ", "@x ", "\t=", "\r=", "--", "~", "#", ""]

#: The values of these have a form that other parts of a configuration rest on
_KEPT = frozenset([
  "admin_state", "alloc_policy", "cluster_name", "dev_type", "disk_template",
  "mac", "mac_prefix", "master_ip", "master_netdev", "mode", "primary_ip",
  "secondary_ip", "network", "gateway", "reservations", "ext_reservations",
  "ip", "uuid", "primary_node", "master_node", "group", "nodes", "disks",
  "logical_id", "iv_name",
  ])

#: Forms of output, each an option of some commands
_FORMS = ["--json", "--json-lines", "--csv", "--separator=|", "--dot", "--svg",
          "--nagios", "--prometheus"]


class _Spoiler:
  """Puts hostile text into a configuration.

  """
  def __init__(self):
    self._count = 0

  def _Text(self, text, more):
    self._count += 1
    start = _STARTS[self._count % len(_STARTS)]
    return start + text + (_MORE_HOSTILE if more else
                           _HOSTILE.replace("\x00", ""))

  def Spoil(self, value, key=None):
    if key in _KEPT and not isinstance(value, dict):
      return value
    if isinstance(value, dict):
      return {name: self.Spoil(item, name) for (name, item) in value.items()}
    if isinstance(value, list):
      return [self.Spoil(item) for item in value]
    if isinstance(value, str):
      return self._Text(value, key != "name")
    return value


def _Config():
  nodes = [testutils.MakeNode(1, master_candidate=True, tags=["a"],
                              primary_ip="127.0.3.1"),
           testutils.MakeNode(2, offline=True, tags=["b"]),
           testutils.MakeNode(3, drained=True)]
  instances = [
    testutils.MakeInstance(1, 1, disks=[1], nics=["192.0.2.51"], tags=["c"]),
    testutils.MakeInstance(2, 2, nics=["192.0.2.51", "192.0.2.52"],
                           tags=["d", "e"]),
    testutils.MakeInstance(3, 1, nics=[("192.0.2.53", "br7")]),
    ]
  config = testutils.MakeConfig(nodes=nodes, instances=instances,
                                disks=[testutils.MakeDrbd(1, 1, 2)])
  return _Spoiler().Spoil(config)


class _TestCase(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    cls.config = _Config()
    cls.daemon = testutils.Daemon(cls.config, address="127.0.3.1")
    cls.addClassCleanup(cls.daemon.Stop)
    cls.daemon.Start()
    cls.nodes = [i["name"] for i in cls.config["nodes"].values()]
    cls.instances = [i["name"] for i in cls.config["instances"].values()]

  def _Run(self, *args):
    """Runs confd-client, and looks at what it writes.

    @return: exit code, standard output and standard error

    """
    result = clientcommand.Run(*args, daemon=self.daemon, encoding=None)
    self.assertNotIn(b"Traceback", result.stderr)
    return (result.returncode, self._CheckText(result.stdout, args),
            self._CheckText(result.stderr, args))

  def _CheckText(self, data, what):
    """Checks that it is lines of text, and no more.

    """
    text = data.decode("utf-8")
    # Lines of nftables are indented
    rest = {char for char in re.sub("(?m)^\t+", "", text)
            if not char.isprintable() and char != "\n"}
    self.assertEqual(rest, set(), "%s: %r" % (what, text[:2000]))
    return text


class TestCommands(_TestCase):
  def _Arguments(self, name):
    """Lists arguments with which a command has something to print.

    """
    (node, instance) = (self.nodes[0], self.instances[0])
    return {
      "node-role": [[node]],
      "node-of-ip": [["192.0.2.51", "192.0.2.52"], ["192.0.2.53"]],
      "node-instances": [[i] for i in self.nodes],
      "node-drbd": [[i] for i in self.nodes],
      "instance-disks": [[i] for i in self.instances],
      "instance-ips": [[], [_HOSTILE.replace("\x00", "")]],
      "config": [[""], ["/cluster"], ["/instances"], ["/nodes"]],
      "describe": [["node", node], ["instance", instance]],
      "evacuate": [["--all"]] + [[i] for i in self.nodes],
      "list": [[kind, "-o", "+tags"] for kind in
               ("instances", "nodes", "groups", "networks")] + [
                 ["disks"], ["instances", "-o", "name,os,hvparams,beparams,"
                             "nic.links,osparams,pnode,snodes,pnode.group"]],
      "list-fields": [["nodes"]],
      "who-has": [["192.0.2.51"], [instance], [node], ["192.0.2.100"]],
      "export": [[i] for i in ("ansible", "dnsmasq", "hosts", "nftables",
                               "prometheus-sd", "ssh-config")],
      }.get(name, [[]])

  def testAll(self):
    """Each command in each form.

    """
    for (name, command) in commandline.COMMANDS.items():
      if name in ("watch", "make-key", "show-key", "clusters"):
        continue
      flags = {flag for option in command.Options() for flag in option.flags}
      forms = [[]] + [[form] for form in _FORMS
                      if form.partition("=")[0] in flags]
      for words in self._Arguments(name):
        options = []
        if words[1:2] == ["-o"]:
          (words, options) = (words[:1], words[1:])
        elif words == ["--all"]:
          (words, options) = ([], words)
        for form in forms:
          if form == ["--nagios"] and words:
            # Only "evacuate --all" is a plugin
            continue
          (code, output, _) = self._Run(name, *options, *form, "--", *words)
          self.assertIn(code, (0, 1, 2), (name, words))
          self._CheckForm(name, form, output)

  def _CheckForm(self, name, form, output):
    if form == ["--json"]:
      json.loads(output)
    elif form == ["--json-lines"]:
      for line in output.splitlines():
        json.loads(line)
    elif form == ["--svg"]:
      self.assertIn("cmd", "".join(ElementTree.fromstring(output).itertext()))
    elif form == ["--nagios"]:
      lines = output.splitlines()
      self.assertEqual([line.count("|") for line in lines],
                       [1] + [0] * (len(lines) - 1))
      # "evacuate" has a line for each node, too
      self.assertLessEqual(len(lines) - 1,
                           len(self.nodes) if name == "evacuate" else 0)
    elif form == ["--separator=|"]:
      self.assertLessEqual(len({line.count("|")
                                for line in output.splitlines()}), 1, name)
    elif form == ["--csv"]:
      rows = list(csv.reader(io.StringIO(output)))
      self.assertEqual(len(rows), output.count("\n"))
      self.assertEqual({len(row) for row in rows}, {len(rows[0])})
      for row in rows[1:]:
        for cell in row:
          self.assertFalse(cell.startswith(("=", "+", "-", "@", "\t", "\r")),
                           cell)

  def testSelfTest(self):
    (_, output, _) = self._Run("-r", "1")
    self.assertIn("- Master: OK (", output)

  def testRows(self):
    """A table has a line for each thing, and in it as many cells as columns.

    """
    for separator in ["|", ",", "\t", "; ", "$(", " ", "=",
                      "::", "<b>", "\u00e9", "-"]:
      result = clientcommand.Run(
        "--separator", separator, "list", "instances", "-o",
        "name,os,tags,pnode,nic.links", daemon=self.daemon, check=True)
      lines = result.stdout.split("\n")
      self.assertEqual(lines.pop(), "")
      self.assertEqual([line.count(separator) for line in lines], [4] * 4,
                       lines)

  def testWrongWords(self):
    """Neither does what is typed reach the terminal as it is.

    """
    text = _HOSTILE.replace("\x00", "")
    for args in [
      [text], ["--", text], ["node-role", text], ["list", text],
      ["list", "nodes", text], ["list", "nodes", "-o", text],
      ["list", "nodes", "-F", text], ["list", "nodes", "-F", "name == " + text],
      ["list", "nodes", "--sort", text], ["--port", text, "ping"],
      ["--hmac-file", text, "ping"], ["-a", text, "ping"], ["--" + text],
      ["--cluster", text, "ping"], ["config", text], ["config", "/" + text],
      ["check", "--ignore", text], ["status", "--nagios", "-w", text],
      ["status", "--nagios", "-a", text], ["who-has", text],
      ["export", text], ["export", "hosts", "-o", "/dev/null/" + text],
      ["watch", text], ["watch", "list", text], ["-" + text, "ping"],
      ["make-key", text, "--may=ping", "--until=never"],
      ["make-key", "me", "--may", text, "--until=never"],
      ["make-key", "me", "--may=ping", "--until", text],
      ["show-key", text], ["list-fields", "nodes", text], ["--hmac", text],
      ["node-of-ip", text], ["ping", text],
      ["ping", "--json", text], ["--separator", "a" + text, "ping"],
      ]:
      with self.subTest(args=args):
        (code, _, problems) = self._Run(*args)
        self.assertNotEqual(code, 0, args)
        self.assertLessEqual(problems.count("\n"), 6, problems)

  def testEvacuation(self):
    """Commands for a shell keep names as words, or are left out.

    """
    for node in self.nodes:
      (_, output, _) = self._Run("evacuate", "--json", "--", node)
      for step in json.loads(output)["answer"]["steps"]:
        if step["command"] is not None:
          self.assertTrue(step["command"].isprintable())
          words = shlex.split(step["command"])
          self.assertIn(words[-1], self.instances)


class TestEvacuationWithSeparator(unittest.TestCase):
  def test(self):
    """No command is escaped, which would make another one of it.

    """
    names = ["a'; $(id); '", "b|\"`id`", "c $HOME"]
    config = testutils.MakeConfig(
      [testutils.MakeNode(i, master_candidate=True) for i in (1, 2)],
      [testutils.MakeInstance(i, 1, name=name, disks=[i])
       for (i, name) in enumerate(names, 1)],
      [testutils.MakeDrbd(i, 1, 2) for i in range(1, len(names) + 1)])
    shown = 0
    with testutils.Daemon(config) as daemon:
      for separator in ["|", "'", "\"", "\"'", " ", "$", "; ", "-", "'|", "&"]:
        result = clientcommand.Run(
          "evacuate", "--no-headers", "--separator", separator,
          "node1.example.com", daemon=daemon, check=True)
        rows = [line.split(separator) for line in result.stdout.splitlines()]
        self.assertEqual([len(row) for row in rows], [6] * len(names))
        for (name, row) in zip(names, rows):
          # No command is a dash, which may be the separator
          if row[4] not in ("-", "\\x2d"):
            self.assertEqual(shlex.split(row[4])[-1], name)
            shown += 1
    # All with an ampersand, for one
    self.assertGreaterEqual(shown, len(names))


class TestDaemon(_TestCase):
  def testLog(self):
    """A message is one line.

    """
    # Much in it refers to what is not there
    config = json.loads(json.dumps(self.config))
    for instance in config["instances"].values():
      instance["primary_node"] = "x" + _MORE_HOSTILE
    with testutils.Daemon(config) as daemon:
      log = self._CheckText(daemon.Log().encode("utf-8"), "log")
      self.assertIn("Instance =cmd inst", log)
      for line in log.splitlines():
        self.assertRegex(line, r"^\d{4}-\d\d-\d\d ")
      path = daemon.config_file
      result = testutils.Run(daemon.CommandLine(["--check", path]),
                             env=daemon.Environment(), timeout=60,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             check=False)
      for data in (result.stdout, result.stderr):
        self._CheckText(data, "--check")


class TestExporter(_TestCase):
  def test(self):
    """A browser and Prometheus get text, too.

    """
    with webserver.Exporter({"one": self.daemon}) as exporter:
      exporter.WaitForSerial("one", self.config["serial_no"])
      for path in ["/", "/one/", "/one/nodes", "/one/instances", "/one/map",
                   "/one/check", "/metrics", "/sd/instances", "/sd/nodes",
                   "/one/instances?filter=%1b%5b2J%0a%7f",
                   "/one/nodes?sort=%1b%0d%0aX:%20y", "/%1b%5b2J", "/%0d%0aX"]:
        answer = exporter.Ask(path)
        self._CheckText(answer.body, path)
        for (name, value) in answer.headers.items():
          self.assertTrue((name + value).isprintable(), (path, name, value))
        if "html" in answer.headers["content-type"]:
          self.assertNotIn("<b>", answer.text)
      self._CheckText(exporter.Output().encode("utf-8"), "standard error")


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The examples of confd-client's manual page, on the example cluster.

The JSON that the page shows is what is printed, and as the schema in doc has
it. All other examples find something.

"""

import json
import os
import re
import shlex
import subprocess
import tempfile
import unittest

import clientcommand
import testutils

from ganeti.confd.command import commandline
from ganeti.confd.command import parse

try:
  import jsonschema
except ImportError:
  jsonschema = None


#: Examples whose output on the page shows the form only
_FORM_ONLY = ["map", "status", "-r 5"]

#: Examples for other tests: the command does not end by itself, or is about a
#: file
_NOT_HERE = ["watch", "watch list nodes node2 -o name,role",
             "show-key grafana.key"]


def _Examples():
  """Returns the examples of answers on the page.

  @return: list of (command line without program, JSON value)

  """
  page = testutils.ReadFile(os.path.join(testutils.SRCDIR, "doc",
                                         "confd-client.rst")).decode("ascii")
  (section, ) = re.findall(r"\nJSON\n====\n(.*?)\nEXIT STATUS\n", page,
                           re.DOTALL)
  examples = re.findall(r"^  \$ confd-client (.*)\n((?:  (?!\$ ).*\n)+)",
                        section, re.MULTILINE)
  return [(words, json.loads(text)) for (words, text) in examples]


def _Form(value):
  """Returns the names in a value, and of lists only the first item's.

  """
  if isinstance(value, dict):
    return {name: _Form(item) for (name, item) in value.items()}
  if isinstance(value, list):
    return [_Form(item) for item in value[:1]]
  return None


def _Schema(name):
  """Returns the schema of a command's output.

  """
  schema = json.loads(testutils.ReadFile(os.path.join(
    testutils.SRCDIR, "doc", "confd-client.schema.json")))
  if name is None:
    return schema
  return {"$schema": schema["$schema"],
          "$ref": "#/definitions/commands/%s" % name,
          "definitions": schema["definitions"]}


def _Command(words):
  """Returns the name of the command in a command line, as the schema has it.

  """
  return parse.Parse(shlex.split(words)).command or "self-test"


@unittest.skipIf(jsonschema is None,
                 "jsonschema is not installed (Debian: python3-jsonschema)")
class TestSchema(unittest.TestCase):
  def _IsValid(self, name, value):
    return jsonschema.Draft7Validator(_Schema(name)).is_valid(value)

  def testItself(self):
    jsonschema.Draft7Validator.check_schema(_Schema(None))
    commands = set(_Schema(None)["definitions"]["commands"])
    self.assertEqual(commands, {"self-test", *(
      name for (name, command) in commandline.COMMANDS.items()
      if any("--json" in option.flags for option in command.Options()))})

  def testRefuses(self):
    reply = {"answer": "x", "serial": 5, "candidates": [], "silent": {}}
    self.assertTrue(self._IsValid("master", reply))
    self.assertTrue(self._IsValid(None, reply))
    self.assertTrue(self._IsValid("master", {"error": "x"}))
    self.assertFalse(self._IsValid("master", {"error": "x", "answer": "x"}))
    self.assertFalse(self._IsValid("master", dict(reply, answer=5)))
    self.assertFalse(self._IsValid("master", dict(reply, more=5)))
    self.assertFalse(self._IsValid("master", dict(reply, candidates=[{}])))
    self.assertFalse(self._IsValid("master", {"clusters": {"a": reply}}))
    self.assertFalse(self._IsValid("node-role", reply))
    self.assertFalse(self._IsValid("list", {"clusters": {"a": {}}}))
    self.assertTrue(self._IsValid("clusters", {
      "clusters": {"a": dict(reply, answer=5), "b": {"error": "x"}}}))

  def testRefusesEvents(self):
    """Each example of a question has all four of its fields.

    """
    reply = {"serial": 5, "candidates": [], "silent": {}}
    event = {"old": None, "serial": 5, "time": 1}
    more = {"now": 5, "came": {}, "went": {},
            "changed": {"": {"old": 4, "new": 5}}}
    for (answer, is_valid) in [
        (event, True),
        ({**event, **more}, True),
        ({**event, "time": 1.5}, False),
        ({**event, "more": 1}, False),
        ({"serial": 5, "time": 1}, False),
        ({**event, **more, "changed": {"": {"old": 4}}}, False),
        ({**event, **more, "went": []}, False),
        *(({**event, **{i: value for (i, value) in more.items() if i != name}},
           False)
          for name in more),
        ]:
      self.assertEqual(self._IsValid("watch", dict(reply, answer=answer)),
                       is_valid, answer)

  def testExamples(self):
    """The answers on the page.

    """
    for (words, answer) in _Examples():
      if not words.startswith("--json"):
        answer = {"answer": answer, "serial": 1, "candidates": [], "silent": {}}
      with self.subTest(words):
        jsonschema.validate(answer, _Schema(_Command(words)))


class TestJson(unittest.TestCase):
  @staticmethod
  def _Run(daemon, words):
    result = clientcommand.Run("-t", "10", "--json", *shlex.split(words),
                               daemon=daemon)
    value = json.loads(result.stdout)
    if jsonschema is not None:
      jsonschema.validate(value, _Schema(_Command(words)))
    return value

  def test(self):
    config = testutils.ReadFile(os.path.join(testutils.SRCDIR, "doc",
                                             "examples", "cluster.json"))
    daemon = testutils.Daemon(config)
    self.addCleanup(daemon.Stop)
    daemon.Start()
    examples = _Examples()
    self.assertGreater(len(examples), 15)
    # Without an example
    for words in ["stats", "instance-disks db1", "node-instances node1",
                  "node-role nobody", "-a 127.0.3.9 -p 1 status", "config \"\"",
                  "list nodes -o nothing", "export ansible",
                  "export nftables nodes", "list instances", "list groups"]:
      self._Run(daemon, words)
    for (words, expected) in examples:
      if words in _NOT_HERE:
        continue
      with self.subTest(words):
        reply = self._Run(daemon, words)
        if words.startswith("--json"):
          # The one that is shown as a whole
          self.assertEqual(reply["answer"], expected["answer"])
          self.assertEqual(sorted(reply), sorted(expected))
          self.assertEqual(_Form(reply["candidates"]),
                           _Form(expected["candidates"]))
        elif words == "collectors":
          self.assertEqual({name: reply["answer"][name] for name in expected},
                           expected)
        elif words in _FORM_ONLY:
          form = _Form(reply["answer"])
          if words == "map":
            # The first instance there need not have a secondary node
            form["instances"][0]["snodes"] = [None]
          self.assertEqual(form, _Form(expected))
        else:
          self.assertEqual(reply["answer"], expected)


@unittest.skipIf(jsonschema is None,
                 "jsonschema is not installed (Debian: python3-jsonschema)")
class TestEvents(unittest.TestCase):
  """The output of "watch" is as the schema has it, too.

  """
  def testAll(self):
    config = json.loads(testutils.ReadFile(os.path.join(
      testutils.SRCDIR, "doc", "examples", "cluster.json")))
    daemon = testutils.Daemon(config)
    self.addCleanup(daemon.Stop)
    daemon.Start()
    procs = []
    for words in ([], ["list", "instances"], ["config", "/cluster/tags"],
                  ["node-role", "node1"]):
      proc = subprocess.Popen(
        clientcommand.Words(daemon, "watch", "--json", *words),
        encoding="utf-8", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)
      self.addCleanup(proc.wait)
      self.addCleanup(proc.stdout.close)
      self.addCleanup(proc.kill)
      procs.append(proc)
    (of_serial, of_list, *_) = procs
    self.assertIn("The serial is", of_serial.stdout.readline())
    for proc in procs[1:]:
      event = self._Event(proc)
      self.assertIsNone(event["old"])
      self.assertIn("now", event)
    config["serial_no"] += 1
    config["instances"].popitem()
    daemon.WriteConfig(config)
    self.assertNotIn("now", self._Event(of_serial))
    self.assertEqual(len(self._Event(of_list)["went"]), 1)

  @staticmethod
  def _Event(proc):
    event = json.loads(proc.stdout.readline())
    jsonschema.validate(event, _Schema("watch"))
    return event["answer"]


def _CommandLines():
  """Returns the command lines on the page that stand for themselves.

  @return: list of words, without the program

  """
  page = testutils.ReadFile(os.path.join(testutils.SRCDIR, "doc",
                                         "confd-client.rst")).decode("ascii")
  page = page.replace("\\\n", "")
  result = [shlex.split(words)
            for words in re.findall(r"^  confd-client (.*)$", page,
                                    re.MULTILINE)]
  return [words[:words.index("|")] if "|" in words else words
          for words in result]


class TestExamples(unittest.TestCase):
  """The example cluster, at addresses that this machine has.

  """
  #: Words of the examples that stand for the cluster, and their replacements
  _OTHERS = {
    "node1.example.com,node2.example.com": "127.0.2.1,127.0.2.2",
    "node1.example.com": "127.0.2.1",
    "node2.example.com": "127.0.2.2",
    }

  def setUp(self):
    config = testutils.ReadFile(os.path.join(testutils.SRCDIR, "doc",
                                             "examples", "cluster.json"))
    config = config.replace(b'"192.0.2.', b'"127.0.2.')
    self.port = testutils.FreePort("127.0.2.1")
    for address in ["127.0.2.1", "127.0.2.2"]:
      daemon = testutils.Daemon(config, address=address, port=self.port)
      self.addCleanup(daemon.Stop)
      daemon.Start()
    self.key_file = daemon.key_file
    self.home = tempfile.TemporaryDirectory()
    self.addCleanup(self.home.cleanup)
    os.mkdir(os.path.join(self.home.name, "ganeti"))
    testutils.WriteFile(
      os.path.join(self.home.name, "ganeti", "confd-client.conf"),
      "".join("[cluster %s]\naddresses = 127.0.2.%d\nport = %d\nkey_file = %s\n"
              % (name, number, self.port, self.key_file)
              for (name, number) in [("fsn", 1), ("dus", 2)]).encode("ascii"))

  def _Words(self, words):
    """Makes the command line that is run.

    """
    names = {**self._OTHERS, "/etc/confd.key": self.key_file}
    words = [names.get(word, word).replace("192.0.2.", "127.0.2.")
             for word in words]
    opts = parse.Parse(words)
    extra = ["--port=%d" % self.port]
    if hasattr(opts, "headers") and not {"--json", "--nagios"} & set(words):
      extra.append("--no-headers")
    return extra + words

  def testAll(self):
    """Each ends well, and prints something besides headers.

    """
    examples = _CommandLines()
    self.assertGreater(len(examples), 8)
    for words in examples:
      if (set(words) & set(_NOT_HERE) or
          # An administrator who makes keys has the cluster's, and gets a file
          not commandline.Find(parse.Parse(words).command).asks):
        continue
      with self.subTest(words):
        result = clientcommand.Run(
          *self._Words(words), env=clientcommand.Environment(
            XDG_CONFIG_HOME=self.home.name, CONFD_ADDRESS="127.0.2.1",
            CONFD_KEY_FILE=self.key_file))
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertTrue(result.stdout.strip())


if __name__ == "__main__":
  unittest.main()

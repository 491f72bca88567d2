#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of ganeti.confd.testing against a real daemon, and of its command"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import testutils

from ganeti import constants
from ganeti import errors
from ganeti.confd import client
from ganeti.confd import protocol
from ganeti.confd import testing
from ganeti.confd.clientlib import system
from ganeti.confd.protocol import keyfile
from ganeti.confd.protocol import readerkey


_EXAMPLE = os.path.join(testutils.SRCDIR, "doc", "examples", "cluster.json")

#: Values in an answer to STATS that differ between any two daemons
_OWN = ["age", "inode", "load_time", "memory", "mtime", "uptime", "workers"]


def _Configurations():
  """Yields configurations of several forms, each a dictionary.

  """
  yield testing.MakeConfig()
  yield json.loads(testutils.ReadFile(_EXAMPLE))
  yield testutils.MakeConfig(
    [testutils.MakeNode(1, master_candidate=True),
     testutils.MakeNode(2, drained=True), testutils.MakeNode(3, name="node3")],
    [testutils.MakeInstance(1, 1, disks=[1, 2], nics=["203.0.113.1",
                                                      ("203.0.113.2", "br7")]),
     testutils.MakeInstance(2, 2, nics=[None], osparams_private={"a": "b"})],
    [testutils.MakeDisk(1), testutils.MakeDrbd(2, 1, 2)])
  large = testing.MakeConfig()
  for node in large["nodes"].values():
    node["tags"] = ["tag%05d" % i for i in range(9000)]
  yield large


def _Questions(config):
  """Yields type and query of questions of all types.

  """
  names = ["nosuch", "", 7, None]
  for section in ("nodes", "instances"):
    for item in config[section].values():
      names += [item["name"], item["name"].partition(".")[0], item["uuid"]]
  ips = [nic.get("ip") for item in config["instances"].values()
         for nic in item["nics"]]
  for rtype in protocol.ALL_REQUESTS:
    if rtype in (protocol.REQ_STATS, protocol.REQ_WAIT):
      continue
    yield (rtype, None)
    for name in names:
      yield (rtype, name)
  for ip in [*ips, "203.0.113.254", 5]:
    yield (constants.CONFD_REQ_NODE_PIP_BY_INSTANCE_IP, {"ip": ip})
  yield (constants.CONFD_REQ_NODE_PIP_BY_INSTANCE_IP, {"iplist": ips})
  yield (constants.CONFD_REQ_INSTANCES_IPS_LIST, "br7")
  yield (constants.CONFD_REQ_CLUSTER_MASTER, {"fields": ["0", "1", "2"]})
  for path in ["", "/cluster", "/nodes", "/instances", "/disks", "/nosuch",
               "/serial_no", "no pointer"]:
    yield (constants.CONFD_REQ_CONFIG_QUERY, path)
  for what in protocol.KINDS:
    yield (protocol.REQ_QUERY, {"what": what})
    yield (protocol.REQ_QUERY, {"what": what, "fields": ["uuid", "tags"]})
    yield (protocol.REQ_QUERY, {"what": what, "fields": ["nosuch"]})
    yield (protocol.REQ_QUERY, {"what": what, "fields": ["name", "name"]})
    for name in names[:3]:
      yield (protocol.REQ_QUERY, {"what": what, "fields": ["uuid"],
                                  "names": [name]})
  yield (protocol.REQ_QUERY, {"what": "node", "names": ["node1"],
                              "fields": ["name", "role", "pinst_list", "pip"]})
  # A type that there is not
  yield (33, None)
  yield (protocol.REQ_WAIT, {"serial": -1, "seconds": 1})
  yield (protocol.REQ_WAIT, {"serial": -1, "seconds": "x"})


def _Answer(confd, rtype, query):
  """Asks a question.

  @return: serial and answer, or the class and data of the error

  """
  try:
    reply = confd.Query(rtype, query)
  except client.ErrorAnswer as err:
    return (type(err), err.status, err.code, err.reply.serial)
  except errors.GenericError as err:
    return (type(err), str(err))
  return (reply.serial, reply.answer)


def _Shape(value):
  """Returns a JSON value with the types of its numbers in place of them.

  """
  if isinstance(value, dict):
    return {key: None if key in _OWN else _Shape(item)
            for (key, item) in value.items()}
  return type(value)


class TestEqual(unittest.TestCase):
  """A fake answers what a daemon with the same configuration answers.

  """
  maxDiff = None

  def testAnswers(self):
    asked = 0
    for config in _Configurations():
      with testutils.Daemon(config) as daemon, testing.Fake(config):
        with client.Client() as unreal, _Real(daemon) as real:
          for (rtype, query) in _Questions(config):
            asked += 1
            self.assertEqual(_Answer(unreal, rtype, query),
                             _Answer(real, rtype, query), (rtype, query))
    self.assertGreater(asked, 500)

  def testReaders(self):
    """What a reader may not ask is the same, too.

    """
    config = testing.MakeConfig()
    with testutils.Daemon(config) as daemon:
      key = _ReaderKey(["list/nodes", "ping", "node-role"])
      with testing.Fake(config, may=["list/nodes", "ping", "node-role"]), \
           client.Client() as unreal, _Real(daemon, key) as real:
        for (rtype, query) in _Questions(config):
          self.assertEqual(_Answer(unreal, rtype, query),
                           _Answer(real, rtype, query), (rtype, query))

  def testStats(self):
    config = testing.MakeConfig()
    with testutils.Daemon(config) as daemon, testing.Fake(config), \
         client.Client() as unreal, _Real(daemon) as real:
      answers = [confd.Query(protocol.REQ_STATS).answer
                 for confd in (unreal, real)]
    # Whether the kernel tells is another question
    for answer in answers:
      answer["dropped"]["overflow"] = None
    self.assertEqual(_Shape(answers[0]), _Shape(answers[1]))
    for key in ["serial", "size", "digest", "warnings"]:
      self.assertEqual(answers[0]["config"][key], answers[1]["config"][key])


def _ReaderKey(may):
  """Makes a reader's key, in the form of a key file.

  """
  return keyfile.Format(testutils.KEY, readerkey.Make("testing", may, None))


def _Real(daemon, key=testutils.KEY):
  """Makes a client of a real daemon while there is a fake.

  """
  with mock.patch.object(system, "choosers", []):
    return client.Client(["127.0.0.1"], key=key, port=daemon.port, coverage=1)


class TestCommand(unittest.TestCase):
  """python3 -m ganeti.confd.testing.

  """
  def _Start(self, *args):
    """Starts the command, and waits until it serves.

    """
    proc = subprocess.Popen(
      [sys.executable, "-m", "ganeti.confd.testing"] + list(args),
      env=dict(os.environ, PYTHONPATH=testutils.MODULEDIR),
      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT, encoding="utf-8")
    self.addCleanup(proc.stdout.close)
    self.addCleanup(proc.wait)
    self.addCleanup(proc.kill)
    lines = []
    while not lines or not lines[-1].startswith("Ctrl-C"):
      line = proc.stdout.readline()
      self.assertTrue(line, lines)
      lines.append(line)
    values = {}
    for line in lines:
      for name in ("port", "key file", "configuration"):
        if line.startswith("  %s  " % name):
          values[name] = line[len(name) + 2:].split()[0]
    return (proc, "".join(lines), values)

  def testServes(self):
    (proc, text, values) = self._Start()
    port = int(values["port"])
    # The program and the command as they are printed
    program = "".join(line[2:] for line in
                      text.partition("In Python:\n\n")[2].splitlines(True)
                      if line.startswith("  "))
    output = testutils.Run(
      [sys.executable, "-c", program], check=True, stdout=subprocess.PIPE,
      env=dict(os.environ, PYTHONPATH=testutils.MODULEDIR),
      encoding="ascii", timeout=10 * testutils.PATIENCE).stdout
    self.assertEqual(output, "node1.example.com\n")
    (command, ) = [line.split() for line in text.splitlines()
                   if line.startswith("  confd-client ")]
    output = testutils.Run(
      [os.path.join(testutils.BUILDDIR, "tools", "confd-client")] + command[1:],
      check=True, stdout=subprocess.PIPE, encoding="ascii",
      timeout=10 * testutils.PATIENCE).stdout
    self.assertIn("web1.example.com", output)
    with client.Client(["127.0.0.1"], port=port, key_file=values["key file"]
                       ) as confd:
      self.assertEqual([i.name for i in confd.Status().candidates
                        if i.answers],
                       ["node1.example.com", "node2.example.com"])
      following = confd.Follow("nodes", ["name", "offline"])
      self.assertEqual(len(next(following).came), 3)
      with open(values["configuration"], encoding="ascii") as stream:
        config = json.load(stream)
      testing.Find(config, "nodes", "node3")["offline"] = True
      config["serial_no"] += 1
      testutils.WriteFile(values["configuration"],
                          json.dumps(config).encode("ascii"))
      self.assertEqual(list(next(following).changed), ["node3.example.com"])
    directory = os.path.dirname(values["key file"])
    self.assertTrue(os.path.isdir(directory))
    proc.send_signal(signal.SIGINT)
    rest = proc.stdout.read()
    self.assertEqual(testutils.WaitForExit(proc, "it"), 0)
    self.assertEqual(rest.strip(), "The configuration was read again: serial 2")
    self.assertFalse(os.path.exists(directory))

  def testOwnConfiguration(self):
    """Its candidates get addresses of the loopback device.

    """
    (proc, _, values) = self._Start(_EXAMPLE)
    self.assertEqual(values["configuration"], _EXAMPLE)
    with client.Client(["127.0.0.1"], port=int(values["port"]),
                       key_file=values["key file"]) as confd:
      self.assertEqual(confd.MasterCandidates().answer,
                       ["127.0.0.1", "127.0.0.2"])
      self.assertEqual(confd.Serial().answer, 1234)
    proc.send_signal(signal.SIGTERM)
    self.assertEqual(testutils.WaitForExit(proc, "it"), 0)

  def testErrors(self):
    with tempfile.NamedTemporaryFile() as bad:
      bad.write(b"{}")
      bad.flush()
      for (args, code, text) in [
          (["/nonexistent/config.data"], 1, "/nonexistent/config.data"),
          ([bad.name], 1, bad.name),
          (["--port", "x"], 2, "not a port: 'x'")]:
        result = testutils.Run(
          [sys.executable, "-m", "ganeti.confd.testing"] + args, check=False,
          env=dict(os.environ, PYTHONPATH=testutils.MODULEDIR),
          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
          stderr=subprocess.PIPE, encoding="utf-8",
          timeout=10 * testutils.PATIENCE)
        self.assertEqual((result.returncode, result.stdout), (code, ""))
        self.assertIn(text, result.stderr)
        self.assertNotIn("Traceback", result.stderr)


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Nothing that an answer holds ends a client, or makes it say nonsense.

A candidate with the right key changes what a real daemon answers, in any place
and any way (C{oddcandidate}). All commands, all calls of the library, followers
and confd-exporter are asked. The environment variable C{CONFD_EXAMPLES}=N has
each of them tried N times, with other changes each time.

"""

import asyncio
import contextlib
import importlib
import inspect
import json
import os
import random
import signal
import sys
import tempfile
import time
import unittest

import oddcandidate
import testutils
import webserver

from ganeti import errors
from ganeti.confd import client
from ganeti.confd.clientlib import questions
from ganeti.confd.command import cli
from ganeti.confd.command import commandline


#: How often each command and call is tried
_ROUNDS = int(os.environ.get("CONFD_EXAMPLES", "3"))

#: Given, the changes are others each time
_SEED = random.randrange(1 << 30) if "CONFD_EXAMPLES" in os.environ else 1

_ADDRESS = "127.0.21.1"

#: How the answers are changed, in turn
_WAYS = ["one", "answer", "several", "swap", "answer", "serial"]

_LISTS = ["instances", "nodes", "groups", "networks", "disks"]

_COMMANDS = [
  [], ["--requests=1"], ["ping"], ["master"], ["master-info"],
  ["node-role", "node1"], ["node-ips"], ["mc-ips"], ["instance-ips"],
  ["instance-ips", "br0"], ["instance-ips", "nosuchlink"],
  ["node-of-ip", "198.51.100.1"], ["node-of-ip", "198.51.100.1", "192.0.2.9"],
  ["node-instances", "node1"], ["node-drbd", "node1"],
  ["instance-disks", "inst1"], ["config", ""], ["config", "/cluster"],
  ["collectors"],
  *[["list", kind] for kind in _LISTS], *[["list-fields", i] for i in _LISTS],
  ["list", "instances", "-o", "name,tags,nic.ips,disk.sizes,be/maxmem,mtime"],
  ["list", "instances", "inst1", "inst2"],
  ["list", "instances", "-F", "be/maxmem > 100 or \"a\" in tags"],
  ["list", "nodes", "--csv"], ["list", "instances", "--json-lines"],
  ["who-has", "198.51.100.1"], ["who-has", "inst1"],
  ["who-has", "aa:00:00:00:01:00"], ["who-has", "192.0.2.100"],
  ["status"], ["status", "--nagios"], ["stats"], ["check"], ["map"],
  ["map", "--dot"], ["evacuate", "node1"], ["describe", "instance", "inst1"],
  ["describe", "node", "node1"], ["describe", "network", "net1"],
  *[["export", i] for i in ("hosts", "ansible", "ssh-config", "dnsmasq",
                            "prometheus-sd", "nftables")],
  ]

#: Words of commands that have no --json
_WITHOUT_JSON = ("--nagios", "--csv", "--json-lines", "--dot")


def _Config(serial=17, **kwargs):
  """Makes a configuration that has something of everything.

  """
  config = testutils.MakeConfig(
    nodes=[testutils.MakeNode(1, master_candidate=True, primary_ip=_ADDRESS),
           testutils.MakeNode(2, tags=["x"]), testutils.MakeNode(3)],
    instances=[
      testutils.MakeInstance(1, 1, disks=[1], nics=["198.51.100.1"],
                             tags=["a"], beparams={"maxmem": 512}),
      testutils.MakeInstance(2, 2, disks=[2], nics=["198.51.100.2"])],
    disks=[testutils.MakeDrbd(1, 1, 2), testutils.MakeDisk(2)],
    serial_no=serial, **kwargs)
  config["networks"] = {testutils.Uuid("9", 1): {
    "name": "net1", "uuid": testutils.Uuid("9", 1),
    "network": "198.51.100.0/24", "serial_no": 1, "tags": [],
    "reservations": "1" + "0" * 255, "ext_reservations": "0" * 256}}
  return config


class _Result:
  """The result of a command.

  """
  def __init__(self, code, output, problems):
    self.code = code
    self.output = output
    self.problems = problems


def _NoConstant(text):
  raise ValueError("%s is not JSON" % text)


class _TestCase(unittest.TestCase):
  def setUp(self):
    self.daemon = testutils.Daemon(_Config(), address=_ADDRESS)
    self.addCleanup(self.daemon.Kill)
    self.daemon.Start()
    self.odd = oddcandidate.OddCandidate(
      (_ADDRESS, self.daemon.port), "%s %s" % (_SEED, self.id()),
      address="127.0.21.2")
    self.addCleanup(self.odd.Stop)
    self.key = self.daemon.key_file

  def _Start(self, argv):  # pylint: disable=R1710
    """Starts the command, in a process of its own.

    @return: process id, and what it writes to

    """
    files = [tempfile.TemporaryFile() for _ in range(2)]
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
      return (pid, files)
    code = 99
    try:
      os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
      os.dup2(files[0].fileno(), 1)
      os.dup2(files[1].fileno(), 2)
      sys.stdout = open(1, "w", encoding="utf-8", closefd=False)
      sys.stderr = open(2, "w", encoding="utf-8", closefd=False)
      code = cli.Main(argv)
      sys.stdout.flush()
    except BaseException as err:  # pylint: disable=W0718
      os.write(2, ("ENDED by %r" % err).encode("ascii", "backslashreplace"))
    finally:
      os._exit(code)

  def _Read(self, files):
    texts = []
    for stream in files:
      stream.seek(0)
      texts.append(stream.read().decode("utf-8", "surrogateescape"))
    return texts

  def _Run(self, argv):
    (pid, files) = self._Start(argv)
    (_, status) = os.waitpid(pid, 0)
    (output, problems) = self._Read(files)
    for stream in files:
      stream.close()
    return _Result(os.waitstatus_to_exitcode(status), output, problems)

  def _CheckTexts(self, argv, output, problems):
    for word in ("Traceback", "programming error", "ENDED"):
      self.assertNotIn(word, problems, argv)
      if "config" not in argv:
        self.assertNotIn(word, output, argv)

  def _Options(self, *peers, timeout=1):
    return ["--address=" + ",".join(peers), "--hmac-file=" + self.key,
            "--timeout=%d" % timeout]


class TestCommands(_TestCase):
  @classmethod
  def setUpClass(cls):
    # Once, and not in each process
    for name in {entry.module for entry in commandline.COMMANDS.values()}:
      importlib.import_module("ganeti.confd.command." + name)
    for name in ("aio", "clusterstats", "clusterstatus", "download", "filters",
                 "tables"):
      importlib.import_module("ganeti.confd.clientlib." + name)

  def _Check(self, argv, peers, codes, **kwargs):
    argv = self._Options(*peers, **kwargs) + argv
    result = self._Run(argv)
    self.assertIn(result.code, codes, (argv, result.problems))
    self._CheckTexts(argv, result.output, result.problems)
    if "--json" in argv:
      # One document, whatever happens
      json.loads(result.output, parse_constant=_NoConstant)
    elif "--json-lines" in argv:
      for line in result.output.splitlines():
        json.loads(line, parse_constant=_NoConstant)
    return result

  def testAll(self):
    failed = 0
    ran = 0
    for number in range(_ROUNDS):
      self.odd.Be(0.5, _WAYS[number % len(_WAYS)])
      for words in _COMMANDS:
        codes = {0, 1, 3}
        if "check" in words or "--nagios" in words:
          codes = {0, 1, 2, 3}
        for more in ([], ["--json"]):
          if more and any(i in words for i in _WITHOUT_JSON):
            continue
          result = self._Check(words + more, [self.odd.peer], codes)
          failed += result.code != 0
          ran += 1
    print("%d of %d commands failed" % (failed, ran))
    # The test shows something only if some commands fail, and some do not
    self.assertGreater(failed, ran / 10)
    self.assertLess(failed, ran)

  def testGoodAgain(self):
    """The commands work as soon as the answers are as they should be.

    """
    self.odd.Be(0)
    for words in _COMMANDS:
      if words[:2] == ["instance-ips", "nosuchlink"]:
        continue
      result = self._Check(words, [self.odd.peer], {0, 1, 2},
                           timeout=testutils.PATIENCE)
      self.assertNotIn("alformed", result.problems)


class TestCalls(_TestCase):
  #: The arguments of the calls that take some
  _ARGUMENTS = {
    "Query": (8, "node1"),
    "Survey": (65, ),
    "NodeRole": ("node1", ),
    "NodeOfInstanceIp": ("198.51.100.1", ),
    "NodesOfInstanceIps": (["198.51.100.1", "192.0.2.9"], ),
    "NodeDrbd": ("node1", ),
    "NodeInstances": ("node1", ),
    "InstanceDisks": ("inst1", ),
    "Config": ("", ),
    "List": ("instance", ["name", "pnode", "snodes", "be/maxmem", "tags"]),
    "Tables": ({"nodes": ["name", "role"], "disks": ["size", "nodes"]}, ),
    "Fields": ("network", ),
    }

  def _Calls(self):
    for (name, function) in inspect.getmembers(questions.Questions,
                                               inspect.iscoroutinefunction):
      if not name.startswith("_"):
        arguments = self._ARGUMENTS.get(name, ())
        self.assertTrue(arguments or not [
          i for i in list(inspect.signature(function).parameters.values())[1:]
          if i.default is i.empty], name)
        yield (name, arguments)

  def testAll(self):
    async def _AskAsync(name, arguments):
      async with client.AsyncClient([self.odd.peer], key=testutils.KEY,
                                    timeout=1) as asker:
        return await getattr(asker, name)(*arguments)
    refused = 0
    for number in range(_ROUNDS):
      self.odd.Be(0.5, _WAYS[number % len(_WAYS)])
      for (name, arguments) in self._Calls():
        for _ in range(3):
          with client.Client([self.odd.peer], key=testutils.KEY,
                             timeout=1) as asker:
            try:
              getattr(asker, name)(*arguments)
            except errors.ConfdClientError:
              refused += 1
          with contextlib.suppress(errors.ConfdClientError):
            asyncio.run(_AskAsync(name, arguments))
    self.assertGreater(refused, 10)

  def testOneOfTwo(self):
    """An honest candidate is enough, however odd the other one is.

    """
    self.odd.Be(0)
    expected = {}
    honest = "%s:%d" % (_ADDRESS, self.daemon.port)
    with client.Client([honest], key=testutils.KEY) as asker:
      for (name, arguments) in self._Calls():
        expected[name] = getattr(asker, name)(*arguments)
    rng = random.Random(_SEED)
    for number in range(_ROUNDS):
      self.odd.Be(1, "one")
      for (name, arguments) in self._Calls():
        with client.Client(rng.sample([honest, self.odd.peer], 2),
                           key=testutils.KEY, timeout=10) as asker:
          try:
            result = getattr(asker, name)(*arguments)
          except client.ErrorAnswer as err:
            # A reply whose status is "error" is well-formed, and fresher
            self.assertIn(self.odd.peer, str(err), (name, number))
            continue
          except client.StaleAnswer:
            continue
        self.assertIs(type(result), type(expected[name]))


class TestFollowers(_TestCase):
  _SUBJECTS = [
    lambda asker, on_error: asker.Follow("instance", ["name", "pnode", "tags"],
                                         on_error=on_error),
    lambda asker, on_error: asker.Follow("disk", ["size", "nodes"], named=True,
                                         on_error=on_error),
    lambda asker, on_error: asker.FollowQuery(8, "node1", on_error),
    lambda asker, on_error: asker.FollowQuery(7, "node1", on_error),
    lambda asker, on_error: asker.FollowQuery(10, "", on_error),
    lambda asker, on_error: asker.FollowQuery(3, {"3": [0, 1]}, on_error),
    lambda asker, on_error: asker.FollowCall(
      lambda confd: confd.NodesOfInstanceIps(["198.51.100.1"]),
      on_error=on_error),
    lambda asker, on_error: asker.FollowCall(
      lambda confd: confd.Serial(), on_error=on_error),
    ]

  #: Seconds for which the answers are odd
  _SECONDS = 2.0 + _ROUNDS

  def _Change(self, serial):
    self.daemon.WriteConfig(_Config(serial, mtime=serial))
    self.daemon.WaitForSerial(serial)

  def _BeOdd(self):
    """Goes through all ways, while the configuration changes.

    """
    ends = time.monotonic() + self._SECONDS
    serial = 100
    for way in _WAYS[:-1] + ["wait"]:
      self.odd.Be(0.5, way)
      serial += 1
      self._Change(serial)
      time.sleep(self._SECONDS / len(_WAYS))
    while time.monotonic() < ends:
      time.sleep(0.1)
    self.odd.Be(0)

  def testLibrary(self):
    """Followers live, and tell what is there when the answers are good again.

    """
    ended = []
    seen = {}

    async def _Consume(number, subject):
      async with client.AsyncClient([self.odd.peer], key=testutils.KEY,
                                    timeout=1) as asker:
        try:
          async for change in subject(asker, lambda err: None):
            seen[number] = change.reply.serial
        except Exception as err:  # pylint: disable=W0718
          ended.append((number, err))

    async def _Main():
      tasks = [asyncio.ensure_future(_Consume(number, subject))
               for (number, subject) in enumerate(self._SUBJECTS)]
      loop = asyncio.get_running_loop()
      ends = time.monotonic() + testutils.PATIENCE
      while len(seen) < len(tasks) and time.monotonic() < ends:
        await asyncio.sleep(0.05)
      await loop.run_in_executor(None, self._BeOdd)
      self.daemon.WriteConfig(testutils.MakeConfig(
        nodes=[testutils.MakeNode(1, primary_ip=_ADDRESS, name="new.example",
                                  master_candidate=True)], serial_no=1 << 62))
      # A serial that was a lie is believed for ten seconds
      ends = time.monotonic() + testutils.Stretched(3 * testutils.PATIENCE)
      while (set(seen.values()) != {1 << 62} and not ended and
             time.monotonic() < ends):
        await asyncio.sleep(0.05)
      for task in tasks:
        task.cancel()
      await asyncio.gather(*tasks, return_exceptions=True)
    asyncio.run(_Main())
    self.assertEqual(ended, [])
    self.assertEqual(seen, {i: 1 << 62 for i in range(len(self._SUBJECTS))})

  def testWatch(self):
    """The same of the command.

    """
    commands = [["watch"], ["watch", "--json", "list", "instances"],
                ["watch", "node-instances", "node1"],
                ["watch", "--json", "config", ""],
                ["watch", "list", "disks", "-o", "uuid,size,nodes"],
                ["watch", "--json", "node-drbd", "node1"]]
    started = [self._Start(self._Options(self.odd.peer) + words)
               for words in commands]
    try:
      time.sleep(1)
      self._BeOdd()
      for (words, (pid, files)) in zip(commands, started):
        (ended, _) = os.waitpid(pid, os.WNOHANG)
        self.assertEqual(ended, 0, (words, self._Read(files)))
    finally:
      for (pid, _) in started:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
          os.kill(pid, signal.SIGTERM)
          os.waitpid(pid, 0)
    for (words, (_, files)) in zip(commands, started):
      self._CheckTexts(words, *self._Read(files))
      for stream in files:
        stream.close()

  def testDoesNotSpin(self):
    """Whatever WAIT says, nobody asks without end.

    """
    for way in ("wait", "serial"):
      self.odd.Be(0)
      self.odd.Be(1, way)
      self.assertLess(self._CountCalls(), 60, way)

  def _CountCalls(self):
    """Follows a call for three seconds.

    @return: how many times it was made

    """
    calls = []

    async def _Call(confd):
      calls.append(None)
      return await confd.NodeIps()

    async def _Consume():
      async with client.AsyncClient([self.odd.peer], key=testutils.KEY,
                                    timeout=1) as asker:
        async for _ in asker.FollowCall(_Call):
          pass
    with self.assertRaises(asyncio.TimeoutError):
      asyncio.run(asyncio.wait_for(_Consume(), 3))
    return len(calls)


class TestExporter(_TestCase):
  def testAll(self):
    """The exporter goes on, and knows the cluster when answers are good again.

    """
    settings = ("[cluster one]\naddresses = %s\nport = %d\nkey_file = %s\n"
                "timeout = 1\n" % (self.odd.address, self.odd.port, self.key))
    with webserver.Exporter(settings) as exporter:
      for number in range(_ROUNDS):
        self.odd.Be(0.1, _WAYS[number % (len(_WAYS) - 1)])
        for serial in range(200 + 10 * number, 203 + 10 * number):
          self.daemon.WriteConfig(_Config(serial))
          time.sleep(0.5)
          for path in ("/", "/one/", "/one/nodes", "/one/instances", "/one/map",
                       "/metrics", "/sd/instances"):
            self.assertIn(exporter.Ask(path).status, (200, 404, 503),
                          (path, exporter.Output()))
      self.odd.Be(0)
      self.daemon.WriteConfig(_Config(1 << 62))
      exporter.WaitForSerial("one", 1 << 62)
      log = exporter.Output()
      self.assertNotIn("Traceback", log)
      self.assertNotIn("rogramming error", log)


if __name__ == "__main__":
  unittest.main()

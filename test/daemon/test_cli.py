#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client, run as a user runs it, against the real daemon.

"""

import itertools
import json
import os
import re
import select
import signal
import subprocess
import tempfile
import threading
import time
import unittest
from unittest import mock

import clientcommand
from clientcommand import PROGRAM, Environment
import packaged
import testutils

from ganeti.confd import _version
from ganeti.confd import client


_ADDRESSES = ["127.0.3.1", "127.0.3.2", "127.0.3.3"]


def _Config(serial=17, **kwargs):
  nodes = [testutils.MakeNode(i + 1, master_candidate=True, primary_ip=address)
           for (i, address) in enumerate(_ADDRESSES)]
  nodes.append(testutils.MakeNode(4, offline=True))
  return testutils.MakeConfig(
    nodes=nodes, serial_no=serial,
    disks=[testutils.MakeDrbd(1, 1, 2, minor_a=4, minor_b=7)],
    instances=[testutils.MakeInstance(1, 1, disks=[1], nics=["192.0.2.51"]),
               testutils.MakeInstance(2, 2, nics=["192.0.2.52",
                                                  ("192.0.2.53", "br7"),
                                                  (None, "br8")])],
    **kwargs)


_Run = clientcommand.Outcome


class _Test(unittest.TestCase):
  """Tests with as many daemons as there are addresses, all on one port.

  """
  def _Start(self, *configs):
    self.daemons = []
    self.port = testutils.FreePort(_ADDRESSES[0])
    for (address, config) in zip(_ADDRESSES, configs):
      daemon = testutils.Daemon(config, address=address, port=self.port)
      self.daemons.append(daemon)
      self.addCleanup(self._Stop, daemon)
      daemon.Start()
    self.arguments = ["-p", str(self.port),
                      "--hmac-file", self.daemons[0].key_file]

  def _Stop(self, daemon):
    if daemon in self.daemons:
      self.daemons.remove(daemon)
      daemon.Stop()

  def _Ask(self, *args, **kwargs):
    return _Run(*(["-a", _ADDRESSES[0]] + self.arguments + list(args)),
                **kwargs)


class TestQuestions(_Test):
  def setUp(self):
    self._Start(_Config())

  def testAnswers(self):
    for (args, expected) in [
      ("ping", "configuration version 3.0 (3000000)"),
      ("master", "node1.example.com"),
      ("master-info", "Node              MasterIP    NodeIP\n"
       "node1.example.com 192.0.2.100 127.0.3.1"),
      ("node-role node1", "master"),
      ("node-role node2", "candidate"),
      ("node-role node4", "offline"),
      ("node-ips", "127.0.3.1\n127.0.3.2\n127.0.3.3\n192.0.2.4"),
      ("mc-ips", "127.0.3.1\n127.0.3.2\n127.0.3.3"),
      ("instance-ips", "192.0.2.51\n192.0.2.52"),
      ("instance-ips br7", "192.0.2.53"),
      ("node-of-ip 192.0.2.52", "127.0.3.2"),
      ("node-of-ip 192.0.2.52 192.0.2.99",
       "IP         Node\n192.0.2.52 127.0.3.2\n192.0.2.99 -"),
      ("node-instances node2",
       "Instance          Role      State OS\n"
       "inst2.example.com primary   up    debootstrap+default\n"
       "inst1.example.com secondary up    debootstrap+default"),
      ("node-drbd node2",
       "Node              Minor Instance          Disk   Role      PeerNode\n"
       "node2.example.com     7 inst1.example.com disk/0 secondary"
       " node1.example.com"),
      ("instance-disks inst1",
       "Disk Type Size Mode Name UUID\n"
       "   0 drbd 1024 rw   -    d0000000-0000-4000-8000-000000000001"),
      ("config /cluster/cluster_name", "cluster.example.com"),
      ("config /serial_no", "17"),
      ("config /nodes/%s/tags" % testutils.Uuid("a", 1), "[]"),
      ("who-has 192.0.2.53",
       "What     Name              IP         NIC NICName MAC              "
       " Mode    Link Network Disk Node              NodeIP    "
       "Secondary_Nodes\n"
       "instance inst2.example.com 192.0.2.53   1 -       aa:00:00:00:02:01"
       " bridged br7  -          - node2.example.com 127.0.3.2 -"),
      ("--no-headers --separator ; who-has inst2",
       "\n".join("instance;inst2.example.com;%s;%s;-;%s;bridged;%s;-;-;"
                 "node2.example.com;127.0.3.2;-" % nic for nic in [
                   ("192.0.2.52", 0, "aa:00:00:00:02:00", "br0"),
                   ("192.0.2.53", 1, "aa:00:00:00:02:01", "br7"),
                   ("-", 2, "aa:00:00:00:02:02", "br8")])),
      ("--no-headers --separator ; who-has node2",
       "\n".join("%s;node2.example.com;%s;-;-;-;-;-;-;-;node2.example.com;"
                 "127.0.3.2;-" % address for address in [
                   ("primary IP", "127.0.3.2"),
                   ("secondary IP", "10.0.0.2")])),
      ("--separator : --no-headers node-drbd node1",
       "node1.example.com:4:inst1.example.com:disk/0:primary:"
       "node2.example.com"),
      ]:
      with self.subTest(args=args):
        (code, output, problems) = self._Ask(*args.split())
        self.assertEqual((code, output, problems),
                         (0, expected + "\n", ""), args)

  def testLinkWithoutIps(self):
    """A link without addresses is something else than no link.

    """
    self.assertEqual(self._Ask("instance-ips", "br8"), (0, "", ""))
    (code, output, problems) = self._Ask("instance-ips", "nolink")
    self.assertEqual((code, output), (1, ""))
    self.assertIn("no instance has an IP on the link 'nolink'", problems)
    (code, output, problems) = self._Ask("instance-ips", "nolink", "--json")
    self.assertEqual((code, json.loads(output)["answer"]), (1, []))

  def testLinkWithoutIpsOfThePackagedDaemon(self):
    """The packaged daemon knows no tables, and is not asked for one.

    """
    def _Answer(rtype, _):
      return {0: (0, 3000000, 0), 6: (0, [], 8)}.get(rtype)
    with packaged.Confd(_Answer) as confd:
      (code, output, problems) = _Run("-a", confd.peer, *self.arguments[2:],
                                      "instance-ips", "nolink")
    self.assertEqual((code, output), (1, ""))
    self.assertIn("no instance has an IP on the link 'nolink'", problems)

  def testNoInstanceAtAll(self):
    """A cluster without instances is no error where no link is named.

    """
    config = testutils.MakeConfig(instances=[], disks=[])
    with testutils.Daemon(config) as daemon:
      self.assertEqual(_Run("-a", "127.0.0.1", "-p", str(daemon.port),
                            "--hmac-file", daemon.key_file, "instance-ips"),
                       (0, "", ""))

  def testCollectors(self):
    (code, output, _) = self._Ask("collectors")
    self.assertEqual(code, 0)
    self.assertIn("Collector        Active Seconds\n"
                  "cpu-avg-load     yes          5\n", output)

  def testJson(self):
    (code, output, _) = self._Ask("--json", "master")
    self.assertEqual(code, 0)
    reply = json.loads(output)
    self.assertEqual((reply["answer"], reply["serial"], reply["silent"]),
                     ("node1.example.com", 17, {}))
    (candidate, ) = reply["candidates"]
    self.assertEqual((candidate["address"], candidate["behind"]),
                     (_ADDRESSES[0], 0))

  def testErrorAnswers(self):
    for (args, text) in [
      ("node-role nonode", 'node-role "nonode": unknown entry'),
      ("node-of-ip 192.0.2.99", 'node-of-ip ["192.0.2.99"]: unknown entry'),
      ("config /nothing",
       'config "/nothing": the configuration has nothing at this JSON pointer'
       ' (127'),
      ("config nothing",
       'config "nothing": the configuration has nothing at this JSON pointer;'
       ' a JSON pointer begins with a slash, like /cluster/cluster_name (127'),
      ("config /", "; all of the configuration is config \"\""),
      ("watch config /", "; all of the configuration is config \"\""),
      ("list instances -o name,no_such", "query \"instance\": unknown field"
       " 'no_such'"),
      ("list instances -o name,be/vcpu", "; did you mean 'be/vcpus'?"),
      ("who-has 192.0.2.99",
       "no instance or node has the IP address '192.0.2.99'"),
      ("who-has AA-00-00-00-00-FF",
       "no instance or node has the MAC address 'aa:00:00:00:00:ff'"),
      ("who-has inst", "no object has the name, UUID, volume or tag 'inst'; did"
       " you mean 'inst"),
      ("who-has tag:nothing", "no object has the tag 'nothing'"),
      ("list-fields nodes pinst_count", "'pinst_count'; did you mean"
       " 'pinst_cnt'?"),
      ]:
      with self.subTest(args=args, text=text):
        (code, output, problems) = self._Ask(*args.split())
        self.assertEqual((code, output if "list-fields" not in args else ""),
                         (1, ""), args)
        self.assertIn(text, problems)

  def testErrorsInJson(self):
    for (args, code, text) in [
      ("node-role nonode", 1, 'node-role "nonode": unknown entry'),
      ("ping --hmac-file /nonexistent", 1, "/nonexistent"),
      ("ping -a 127.0.3.9 -t 0.2", 3, "nothing listens there"),
      ("node-role", 2, "NODE"),
      ]:
      result = self._Ask("--json", *args.split())
      self.assertEqual(result[0], code)
      error = json.loads(result[1])
      self.assertEqual(list(error), ["error"])
      self.assertIn(text, error["error"])

  def testNoAnswer(self):
    for (args, texts) in [
      (["-a", "127.0.3.9"], ["127.0.3.9", "nothing listens there"]),
      (["-a", "no-such-host.invalid"],
       ["no-such-host.invalid: cannot be resolved"]),
      (["-a", _ADDRESSES[0], "--hmac", "a key, but not the right one\n",
        "-t", "0.3"], [" seconds (", "another key",
                              "no usable configuration",
                              "\"confd-client status\" says how"]),
      ]:
      if "--hmac" not in args:
        args += self.arguments[2:]
      (code, output, problems) = _Run("-p", str(self.port), "ping", *args)
      self.assertEqual((code, output), (3, ""), problems)
      for text in texts:
        self.assertIn(text, problems)
      # If the cause is known, nothing else has to be asked
      self.assertEqual("confd-client status" in problems, "--hmac" in args[2:3])

  def testNewlineOfTheKey(self):
    key = testutils.KEY.decode("ascii").rstrip("\n")
    (code, output, problems) = _Run("-a", _ADDRESSES[0], "-p", str(self.port),
                                    "--hmac", key, "-t", "2", "master")
    self.assertEqual((code, output), (0, "node1.example.com\n"))
    self.assertIn("once more with a newline", problems)
    (code, _, problems) = _Run("-a", _ADDRESSES[0], "-p", str(self.port),
                               "--hmac", key + "\n", "master")
    self.assertEqual((code, problems), (0, ""))
    # Where nobody answers, the command says what it always says
    (code, output, problems) = _Run("-a", "127.0.3.9", "--hmac", key, "-t",
                                    "0.3", "status", "--nagios")
    self.assertEqual(code, 2, problems)
    self.assertTrue(output.startswith("CONFD CRITICAL - 0 of 1 "), output)
    # An error is an answer
    with packaged.Confd(lambda *_: (1, "no config", 0), key.encode()) as confd:
      (code, output, problems) = _Run("-a", confd.peer, "--hmac", key, "status")
      self.assertEqual((code, problems), (3, ""))
      self.assertIn("has no usable configuration", output)

  def testSelfTest(self):
    (code, output, problems) = self._Ask("-r", "3")
    self.assertEqual((code, problems), (0, ""))
    for line in [r"- Ping: OK", r"- Master: OK \(node1.example.com\)",
                 r"- Node role for master: OK", r"- Node primary ip query: OK",
                 r"  \* 192.0.2.51", r"- Timing tests",
                 r"  \* \d+\.\d{3}ms per ping request"]:
      with self.subTest(line=line):
        self.assertRegex(output, "(?m)^%s$" % line)

  def testSelfTestWithoutTimings(self):
    (code, output, _) = self._Ask("-r", "0")
    self.assertEqual(code, 0)
    self.assertNotIn("Timing", output)

  def testDefaults(self):
    """Key and candidates are found as on a node.

    """
    root = self.daemons[0].root
    testutils.WriteFile(os.path.join(self.daemons[0].datadir,
                                     "ssconf_master_candidates_ips"),
                        b"127.0.3.1\n")
    (code, output, problems) = _Run("-p", str(self.port), "master",
                                    env=Environment(
                                      **testutils.InRoot(root)))
    self.assertEqual((code, output, problems), (0, "node1.example.com\n", ""))

  def testNoTracebackEver(self):
    # A plugin has nothing to say it with, but its exit code
    for (args, code) in [(["config", "/nodes"], 1), (["--help"], 1),
                         (["status", "--nagios"], 3)]:
      with open("/dev/full", "w", encoding="ascii") as full:
        result = testutils.Run([PROGRAM, "-a", _ADDRESSES[0]] +
                               self.arguments + args, stdout=full,
                               stderr=subprocess.PIPE, timeout=60,
                               universal_newlines=True, env=Environment(),
                               check=False)
      self.assertEqual((result.returncode, result.stderr),
                       (code, "confd-client: No space left on device\n"))
    (reader, writer) = os.pipe()
    os.close(reader)
    result = testutils.Run([PROGRAM, "-a", _ADDRESSES[0]] + self.arguments +
                           ["master"], stdout=writer, stderr=subprocess.PIPE,
                           universal_newlines=True, timeout=60,
                           env=Environment(), check=False)
    os.close(writer)
    self.assertEqual((result.returncode, result.stderr), (141, ""))

  def testNonBlocking(self):
    """Nothing is lost where others have made the output non-blocking."""
    # More than a pipe holds
    self.daemons[0].WriteConfig(_Config(18, cluster={"tags": ["x" * 200000]}))
    self.daemons[0].WaitForSerial(18)
    for unbuffered in ("", "1"):
      (reader, writer) = os.pipe()
      os.set_blocking(writer, False)
      with subprocess.Popen([PROGRAM, "-a", _ADDRESSES[0]] + self.arguments +
                            ["config", "/cluster/tags"], stdout=writer,
                            env=Environment(PYTHONUNBUFFERED=unbuffered)
                            ) as proc:
        self.addCleanup(proc.kill)
        os.close(writer)
        with open(reader, encoding="ascii") as stream:
          select.select([stream], [], [])
          # Time to run into the end of the room
          time.sleep(0.5)
          self.assertEqual(json.load(stream), ["x" * 200000])
        self.assertEqual(testutils.WaitForExit(proc, "the program"), 0)

  def testInterruptedWhileNobodyReads(self):
    """The program ends without waiting for room in the pipe."""
    self.daemons[0].WriteConfig(testutils.MakeConfig(
      nodes=[testutils.MakeNode(1, master_candidate=True,
                                primary_ip=_ADDRESSES[0])], serial_no=18,
      instances=[testutils.MakeInstance(i, 1) for i in range(1, 2500)]))
    self.daemons[0].WaitForSerial(18)
    (reader, writer) = os.pipe()
    self.addCleanup(os.close, reader)
    self.addCleanup(os.close, writer)
    with subprocess.Popen([PROGRAM, "-a", _ADDRESSES[0]] + self.arguments +
                          ["list", "instances"], stdout=writer,
                          stderr=subprocess.PIPE, env=Environment()) as proc:
      select.select([reader], [], [])
      time.sleep(0.5)
      proc.send_signal(signal.SIGINT)
      try:
        self.assertEqual(testutils.Communicate(proc)[1], b"")
      finally:
        proc.kill()
      self.assertEqual(proc.returncode, 130)

  def testClosedStreams(self):
    for (closed, output) in [(">&-", ""), ("2>&-", "node1.example.com\n")]:
      command = " ".join([PROGRAM, "-a", _ADDRESSES[0]] + self.arguments +
                         ["master", closed])
      result = testutils.Run(["sh", "-c", command], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, timeout=60,
                             universal_newlines=True, env=Environment(),
                             check=False)
      self.assertEqual((result.returncode, result.stdout, result.stderr),
                       (0, output, ""))

  def testNoRoomForProblems(self):
    """A caller that cannot read the message still has the exit code.

    """
    for (code, args) in [(0, ["master"]),
                         (1, ["node-role", "node77"]),
                         (2, ["node-role"]),
                         (3, ["-a", "127.0.0.1:9", "-t", "0.1", "ping"])]:
      with open("/dev/full", "wb") as full:
        result = testutils.Run([PROGRAM, "-a", _ADDRESSES[0]] +
                               self.arguments + args, stderr=full,
                               stdout=subprocess.DEVNULL, timeout=60,
                               env=Environment(), check=False)
      self.assertEqual(result.returncode, code, args)

  def testInterrupted(self):
    with packaged.Confd(lambda *_: None) as silent:
      with subprocess.Popen([PROGRAM, "-a", silent.peer] + self.arguments[2:] +
                            ["ping"], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, universal_newlines=True,
                            env=Environment()) as proc:
        testutils.WaitFor(lambda: silent.requests, "a request")
        proc.send_signal(signal.SIGINT)
        self.assertEqual(testutils.Communicate(proc), ("", ""))
        self.assertEqual(proc.returncode, 130)

  def testArgumentsThatAreNoText(self):
    (code, _, problems) = self._Ask("node-role", b"\xff\xfe")
    self.assertEqual(code, 1)
    self.assertIn("unknown entry", problems)

  def testLocaleThatCannotWriteIt(self):
    (code, output, problems) = self._Ask(
      "config", "/cluster", env=dict(Environment(), LC_ALL="C",
                                     PYTHONIOENCODING="ascii"))
    self.assertEqual((code, problems), (0, ""), output)

  def testControlCharactersAreEscaped(self):
    with packaged.Confd(lambda rtype, query:
                        (0, ["\033[31mred", "a\nb"], 5)) as confd:
      (code, output, _) = _Run("-a", confd.peer, *self.arguments[2:],
                               "node-ips")
    self.assertEqual((code, output), (0, "\\x1b[31mred\na\\nb\n"))

  def testAnswersOfAnotherForm(self):
    with packaged.Confd(lambda rtype, query: (0, [5, "x"], 5)) as confd:
      for args in ["node-instances x", "node-drbd x", "instance-disks x",
                   "collectors", "node-of-ip 192.0.2.1 192.0.2.2"]:
        (code, _, problems) = _Run("-a", confd.peer, *self.arguments[2:],
                                   *args.split())
        self.assertEqual(code, 1, args)
        self.assertNotIn("Traceback", problems)
        self.assertIn("confd-client: ", problems)


class TestUsage(unittest.TestCase):
  def testErrors(self):
    for (args, text) in [
      ("nonsense", "no such command: 'nonsense'; "),
      ("statu", "no such command: 'statu'; did you mean 'status'?"),
      ("list instanzes", "did you mean 'instances'?"),
      ("ping --jso", "no such option: --jso; did you mean '--json'?"),
      ("--requests 5 ping", "ping has no option --requests, which belongs to"
       " confd-client without a command"),
      ("node-role", "node-role [OPTION...] NODE"),
      ("master extra", "usage: confd-client master [OPTION...]\n"),
      ("master extra", "too many arguments: 'extra'"),
      ("-p 0 ping", "not a port: '0'"),
      ("-p 70000 ping", "70000"),
      ("-p x ping", "'x'"),
      ("-t 0 ping", "not a number of seconds from 0.001 to 86400: '0'"),
      ("-t nan ping", "nan"),
      ("-t inf ping", "inf"),
      ("--coverage -2 ping", "-2"),
      ("-r -1", "-1"),
      ("-a node1:x ping", "'x' in 'node1:x'"),
      ("-a node1,,node2 ping", "''"),
      ("--hmac x --hmac-file y ping", "exclude"),
      ("list nodes --sort -name",
       "'-name'; for the reverse order use --sort=name --reverse"),
      ("status -w silent", "'silent'"),
      ("status -w silent=1,late=5", "'late=5'"),
      ("status -w silent=1", "--warning needs --nagios"),
      ("status -c behind=1", "--critical needs --nagios"),
      ("status --only", "--only needs --address"),
      ("--no-such-option", "--no-such-option"),
      ]:
      with self.subTest(args=args, text=text):
        (code, output, problems) = _Run(*args.split())
        self.assertEqual((code, output), (2, ""), args)
        self.assertIn(text, problems)
        self.assertEqual(problems.count("usage: "), 2, problems)

  def testKeys(self):
    for (args, text) in [
      (["--hmac", "short"], "5 bytes"),
      (["--hmac-file", "/nonexistent"], "/nonexistent"),
      (["--hmac-file", "/"], "/"),
      ]:
      (code, output, problems) = _Run("ping", *args)
      self.assertEqual((code, output), (1, ""), args)
      self.assertIn(text, problems)
      self.assertNotIn("Traceback", problems)

  def testNoSettings(self):
    """The settings to write are lines of their own.

    """
    with tempfile.TemporaryDirectory() as home:
      env = Environment(GANETI_ROOTDIR=home, XDG_CONFIG_HOME=home)
      (code, output, problems) = _Run("ping", env=env)
      self.assertEqual((code, output), (1, ""))
      (sentence, *lines) = problems.splitlines()
      self.assertIn("; this machine is no node. ", sentence)
      self.assertTrue(sentence.endswith("%s/ganeti/confd-client.conf:" % home))
      self.assertEqual(lines[:3], ["  [cluster NAME]",
                                   "  addresses = NODE, NODE",
                                   "  key_file = FILE"])
      (code, output, problems) = _Run("status", "--nagios", env=env)
      self.assertEqual((code, problems), (3, ""))
      self.assertEqual(output, "CONFD UNKNOWN - %s\n" %
                       sentence.partition(": ")[2])

  def testRootdir(self):
    (code, _, problems) = _Run("ping",
                               env=Environment(GANETI_ROOTDIR="relative"))
    self.assertEqual(code, 1)
    self.assertRegex(problems, "GANETI_ROOTDIR.*relative")

  def testHelpAndVersion(self):
    (code, output, _) = _Run("--help")
    self.assertEqual(code, 0)
    for text in ["--hmac-file", "node-of-ip IP...",
                 "watch [QUESTION|COMMAND...]"]:
      self.assertIn(text, output)
    (code, output, _) = _Run("list", "--help")
    self.assertEqual(code, 0)
    self.assertIn("usage: confd-client list [OPTION...] WHAT [NAME...]\n",
                  output)
    self.assertIn("--units", output)
    self.assertNotIn("--nagios", output)
    (code, output, _) = _Run("--version")
    self.assertEqual(code, 0)
    self.assertRegex(output, r"^confd-client \(ganeti-confd\) \d")


class TestStatus(_Test):
  def _Status(self, *args):
    return self._Ask("-t", "5", "status", *args)

  def testAllIsWell(self):
    self._Start(_Config(), _Config(), _Config())
    (code, output, problems) = self._Status()
    self.assertEqual((code, problems), (0, ""), output)
    lines = output.splitlines()
    self.assertEqual(lines[0].split(), [
      "Address", "Node", "Role", "Daemon", "Answers", "RTT", "Serial", "Behind",
      "Version", "Problem"])
    for (line, address) in zip(lines[1:], _ADDRESSES):
      self.assertRegex(line, r"^%s +node\d\.example\.com +(master|candidate) +"
                       r"%s +yes +[0-9.]+ms +17 +0 3\.0$" %
                       (address, re.escape(_version.VERSION)))
    (code, output, _) = self._Status("--nagios")
    self.assertEqual(code, 0)
    self.assertRegex(output, r"\ACONFD OK - 3 of 3 master candidates answer,"
                     r" serial 17 \| answering=3;;;0;3 silent=0;0;;0"
                     r" behind=0;0;;0 rtt=0\.\d+s;;;0\n\Z")

  def testBehindAndGone(self):
    self._Start(_Config(17), _Config(20))
    (code, output, _) = self._Status("--no-headers")
    self.assertEqual(code, 1)
    (first, second, third) = output.splitlines()
    self.assertRegex(first, r"^127\.0\.3\.2 .* yes +[0-9.]+ms +20 +0 3\.0$")
    self.assertRegex(second, r"^127\.0\.3\.1 .* yes +[0-9.]+ms +17 +3 3\.0 +its"
                     " configuration is 3 changes behind$")
    self.assertRegex(third, r"^127\.0\.3\.3 .* no .*nothing listens there$")
    (code, output, _) = self._Status("--nagios")
    self.assertEqual(code, 1)
    self.assertIn("CONFD WARNING - 2 of 3 master candidates answer, serial 20;"
                  " 127.0.3.1: its configuration is 3 changes behind;"
                  " 127.0.3.3: nothing listens there |", output)
    (code, output, _) = self._Status("--json")
    self.assertEqual([(row["address"], row["answers"], row["behind"])
                      for row in json.loads(output)["answer"]],
                     [("127.0.3.2", True, 0), ("127.0.3.1", True, 3),
                      ("127.0.3.3", False, None)])
    for (limits, expected) in [(["-w", "silent=1,behind=3"], 0),
                               (["--critical=behind=2"], 2)]:
      (code, output, _) = self._Status("--nagios", *limits)
      self.assertEqual(code, expected, output)
    self._Only()

  def _Only(self):
    """One candidate alone, judged by what the others know.

    """
    (code, output, _) = self._Status("--only", "--json")
    self.assertEqual(code, 1)
    reply = json.loads(output)
    self.assertEqual([(row["address"], row["behind"])
                      for row in reply["answer"]], [("127.0.3.1", 3)])
    self.assertEqual([row["address"] for row in reply["candidates"]],
                     ["127.0.3.1"])
    self.assertEqual(reply["silent"], {})
    result = _Run("-a", "127.0.3.2", "-t", "5", *self.arguments, "status",
                  "--only", "--nagios")
    self.assertEqual(result[0], 0, result)
    self.assertIn("1 of 1 master candidate answers, serial 20 |", result[1])

  def testAChangeThatIsJustArriving(self):
    """A candidate that has it a moment later is not behind.

    """
    self._Start(_Config(17), _Config(18), _Config(18))
    with client.Client(_ADDRESSES, port=self.port,
                       key=testutils.KEY) as asker:
      driver = asker._questions._driver
      real = driver.Pause

      async def _Pause(_):
        self.daemons[0].WriteConfig(_Config(18))
        self.daemons[0].WaitForSerial(18)
        await real(0)

      with mock.patch.object(driver, "Pause", _Pause):
        status = asker.Status()
    self.assertEqual([(row.serial, row.behind, row.problem)
                      for row in status.candidates], [(18, 0, None)] * 3)

  def testNobody(self):
    self._Start(_Config())
    (code, output, _) = _Run("-a", "127.0.3.9", *self.arguments, "status")
    self.assertEqual(code, 3)
    self.assertIn("nothing listens there", output)
    (code, output, _) = _Run("-a", "127.0.3.9", *self.arguments, "status",
                             "--nagios")
    self.assertEqual(code, 2)
    self.assertTrue(output.startswith("CONFD CRITICAL - 0 of 1 "), output)

  def testUnknown(self):
    for args in [("--nagios", "ping"), ("status", "--nagios", "-t", "x"),
                 ("status", "--nag", "--csv"),
                 ("status", "--nagios", "-w", "silent=x")]:
      (code, output, _) = _Run(*args)
      self.assertEqual(code, 3)
      self.assertTrue(output.startswith("CONFD UNKNOWN - wrong usage: "),
                      output)
    (code, output, problems) = _Run("status", "--nagios", "--hmac-file", "/x")
    self.assertEqual((code, problems), (3, ""))
    self.assertTrue(output.startswith("CONFD UNKNOWN - "), output)

  def testSplitBrain(self):
    """Two configurations with one serial are told apart by their digests.

    """
    self._Start(_Config(17), _Config(17, cluster={"cluster_name": "other"}),
                _Config(17))
    (code, output, _) = self._Status("--separator=|")
    self.assertEqual(code, 1)
    (headers, *rows) = [line.split("|") for line in output.splitlines()]
    index = headers.index("Configuration")
    digests = {row[0]: row[index] for row in rows}
    self.assertEqual(len(digests["127.0.3.1"]), 12)
    self.assertEqual(digests["127.0.3.1"], digests["127.0.3.3"])
    self.assertNotEqual(digests["127.0.3.1"], digests["127.0.3.2"])
    (code, output, _) = self._Status("--nagios")
    self.assertEqual(code, 2)
    self.assertIn("127.0.3.2: its configuration is another than that of",
                  output)

  def testNoCandidateAnyMore(self):
    """A node that was given, and is no candidate any more, is no problem.

    """
    self._Start(_Config(), _Config(), _Config())
    arguments = ["-a", "127.0.3.1,127.0.3.2,127.0.3.9", *self.arguments]
    (code, output, problems) = _Run(*arguments, "status", "--no-headers")
    self.assertEqual((code, problems), (0, ""), output)
    self.assertRegex(output, r"127\.0\.3\.9 +- +- +- +no .* is no master"
                     r" candidate\n\Z")
    (code, output, _) = _Run(*arguments, "status", "--nagios")
    self.assertEqual(code, 0)
    self.assertTrue(output.startswith("CONFD OK - 3 of 3 master candidates"))

  def testSilence(self):
    """The causes are below the table, and the daemon's counter tells which.

    """
    self._Start(_Config(), _Config())
    other = testutils.Daemon(_Config(), address=_ADDRESSES[2], port=self.port,
                             key=b"the key of another cluster\n")
    self.addCleanup(other.Stop)
    other.Start(wait=False)

    def _HmacErrors():
      (code, output, _) = _Run("-a", _ADDRESSES[2], "-p", str(self.port),
                               "--hmac-file", other.key_file, "stats", "--json")
      if code != 0:
        return -1
      (stats, ) = json.loads(output)["answer"].values()
      return stats["dropped"]["hmac"]

    testutils.WaitFor(lambda: _HmacErrors() == 0, "the other daemon serves")
    (code, output, problems) = self._Status()
    self.assertEqual((code, problems), (1, ""))
    self.assertGreater(_HmacErrors(), 0)
    lines = output.splitlines()
    self.assertRegex(lines[3], r"\A127\.0\.3\.3 +node3.* no .* silent\Z")
    self.assertEqual(lines[4], "127.0.3.3 is silent at UDP port %d. Others"
                     " answer, so the key and the clock of this machine are"
                     " right." % self.port)
    self.assertIn('- another key: "dropped hmac" grows', lines)

  def testPackagedDaemon(self):
    """The packaged daemon's serials tell nothing; the configuration's do.

    """
    def _Answer(rtype, query):
      if rtype == 0:
        return (0, 3000000, 0)
      if rtype == 5:
        return (0, ["127.0.0.1"], 8)
      if (rtype, query) == (10, "/serial_no"):
        return (0, 4711, 8)
      return None
    with packaged.Confd(_Answer) as confd:
      (code, output, _) = _Run("-a", "127.0.0.1", "-p", str(confd.port),
                               "--hmac", testutils.KEY.decode("ascii"),
                               "status", "--no-headers")
    self.assertEqual(code, 0, output)
    self.assertRegex(
      output,
      r"^127\.0\.0\.1 - +- +Ganeti's yes +[0-9.]+ms +4711 +0 3\.0\n$")

  def testNoConfiguration(self):
    text = "Cannot load configuration from /var/lib/ganeti/config.data: ..."
    with packaged.Confd(lambda *_: (1, text, 0)) as confd:
      (code, output, _) = _Run("-a", confd.peer, "--hmac",
                               testutils.KEY.decode("ascii"), "status")
    self.assertEqual(code, 3)
    self.assertIn("has no usable configuration", output)

  def testQuestionOfOurs(self):
    """A request that Ganeti's own daemon does not know is found out, and said.

    """
    def _Answer(rtype, _):
      return (0, 3000000, 0) if rtype == 0 else None
    with packaged.Confd(_Answer) as confd:
      (code, output, problems) = _Run(
        "-a", confd.peer, "--hmac", testutils.KEY.decode("ascii"), "list",
        "nodes", "-t", str(testutils.PATIENCE))
    self.assertEqual((code, output), (3, ""))
    self.assertIn("Ganeti's own daemon answers there, and does not have this"
                  " question", problems)


class TestWatch(_Test):
  def _Watch(self, *args):
    proc = subprocess.Popen(
      [PROGRAM, "-a", ",".join(_ADDRESSES[:len(self.daemons)]), "-t", "5"] +
      self.arguments + ["watch"] + list(args), env=Environment(),
      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
      universal_newlines=True, bufsize=1)
    # pylint: disable=W0201
    self.lines = []
    self.remarks = []
    threads = [threading.Thread(target=self._Collect, args=pair, daemon=True)
               for pair in [(proc.stdout, self.lines),
                            (proc.stderr, self.remarks)]]
    for thread in threads:
      thread.start()

    def _End():
      if proc.poll() is None:
        proc.kill()
      proc.wait()
      for thread in threads:
        thread.join()
      proc.stdout.close()
      proc.stderr.close()
    self.addCleanup(_End)
    testutils.WaitFor(lambda: self.remarks or self.lines, "watch has begun")
    return proc

  @staticmethod
  def _Collect(stream, lines):
    for line in stream:
      lines.append(line.rstrip("\n"))

  def _WriteAll(self, config):
    for daemon in self.daemons:
      daemon.WriteConfig(config)

  def testLines(self):
    self._Start(_Config(17))
    proc = self._Watch()
    self.assertEqual(self.remarks, ["confd-client: The serial is 17"])
    for serial in [18, 25]:
      self._WriteAll(_Config(serial))
      testutils.WaitFor(lambda: self.lines and "serial %d " % serial in
                        self.lines[-1], "serial %d" % serial)
    self.assertRegex(self.lines[0],
                     r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d serial 18 \(was 17\)$")
    self.assertEqual(len(self.lines), 2)
    proc.send_signal(signal.SIGINT)
    self.assertEqual(testutils.WaitForExit(proc, "watch"), 130)
    self.assertNotIn("Traceback", "\n".join(self.remarks))

  def testJson(self):
    self._Start(_Config(17))
    self._Watch("--json")
    self._WriteAll(_Config(18))
    testutils.WaitFor(lambda: self.lines, "a line")
    line = json.loads(self.lines[0])
    self.assertEqual((line["answer"]["old"], line["answer"]["serial"],
                      line["serial"]), (17, 18, 18))
    self.assertEqual([i["address"] for i in line["candidates"]],
                     _ADDRESSES[:1])

  def testCommand(self):
    self._Start(_Config(17))
    self._Watch("sh", "-c", 'echo "changed to $CONFD_SERIAL"; exit 3')
    self._WriteAll(_Config(18))
    testutils.WaitFor(lambda: self.lines, "the command's output")
    self.assertEqual(self.lines, ["changed to 18"])
    testutils.WaitFor(lambda: any("ended with exit code 3" in line
                                  for line in self.remarks), "the remark")

  def testQuestion(self):
    """A change elsewhere prints nothing.

    """
    self._Start(_Config(17))
    self._Watch("list", "instances", "-o", "name,pnode")
    moved = _Config(19)
    for instance in moved["instances"].values():
      instance["primary_node"] = testutils.Uuid("a", 3)
    gone = _Config(20)
    gone["instances"] = {key: value for (key, value) in
                         moved["instances"].items() if key.endswith("2")}
    for (config, count) in [(_Config(18), 3), (moved, 6), (gone, 8)]:
      self._WriteAll(config)
      self.daemons[0].WaitForSerial(config["serial_no"])
      testutils.WaitFor(lambda: len(self.lines) >= count, "the lines")
    lines = [line for line in self.lines if " serial " not in line]
    self.assertEqual(lines, [
      "Instance          Primary_node",
      "inst1.example.com node1.example.com",
      "inst2.example.com node2.example.com",
      "~ inst1.example.com Primary_node: node1.example.com ->"
      " node3.example.com",
      "~ inst2.example.com Primary_node: node2.example.com ->"
      " node3.example.com",
      "- inst1.example.com node3.example.com"])

  def testEventsForACommand(self):
    self._Start(_Config(17))
    proc = self._Watch("node-ips", "--initial", "--exec", "sh", "-c",
                       'cat; echo "$CONFD_OLD_SERIAL"')
    testutils.WaitFor(lambda: len(self.lines) == 2, "the start")
    event = json.loads(self.lines[0])["answer"]
    self.assertEqual((event["old"], event["serial"], event["now"]),
                     (None, 17, _ADDRESSES + ["192.0.2.4"]))
    self.assertEqual(self.lines[1], "")
    config = _Config(18)
    config["nodes"][testutils.Uuid("a", 4)]["primary_ip"] = "192.0.2.9"
    self._WriteAll(config)
    testutils.WaitFor(lambda: len(self.lines) == 4, "the event")
    event = json.loads(self.lines[2])["answer"]
    self.assertEqual((event["came"], event["went"], event["changed"]),
                     ({"192.0.2.9": "192.0.2.9"}, {"192.0.2.4": "192.0.2.4"},
                      {}))
    self.assertEqual(self.lines[3], "17")
    proc.terminate()
    self.assertEqual(testutils.WaitForExit(proc, "watch"), -signal.SIGTERM)

  def _WatchPid(self, script):
    """Watches, and runs a script that writes its process id at first.

    @return: the watching process, and the process id

    """
    self._Start(_Config(17))
    path = os.path.join(self.daemons[0].root, "pid")
    proc = subprocess.Popen(
      [PROGRAM, "-a", _ADDRESSES[0]] + self.arguments +
      ["watch", "node-ips", "--initial", "--exec", "sh", "-c",
       "echo $$ >%s.new; mv %s.new %s; %s" % (path, path, path, script)],
      env=Environment(), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    self.addCleanup(proc.wait)
    self.addCleanup(proc.kill)
    testutils.WaitFor(lambda: os.path.exists(path), "the command runs")
    pid = int(testutils.ReadFile(path))
    self.addCleanup(self._KillIfThere, pid)
    return (proc, pid)

  @staticmethod
  def _KillIfThere(pid):
    try:
      os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
      return False
    return True

  def _TestEnd(self, script, number, code):
    (proc, pid) = self._WatchPid(script)
    proc.send_signal(number)
    self.assertEqual(testutils.WaitForExit(proc, "watch"), code)
    self.assertFalse(self._KillIfThere(pid), "it is left behind")

  def testTerminated(self):
    self._TestEnd("exec sleep 1000", signal.SIGTERM, -signal.SIGTERM)

  def testHangup(self):
    self._TestEnd("exec sleep 1000", signal.SIGHUP, -signal.SIGHUP)

  def testImpatience(self):
    """Ctrl-C twice leaves nothing, neither does what ignores signals."""
    (proc, pid) = self._WatchPid("trap '' TERM INT HUP; while sleep 0.1; do :;"
                                 " done")

    def _IsEnded():
      # Pause, as SIGINT that is sent again before Python has handled the last
      # one is merged with that
      proc.send_signal(signal.SIGINT)
      time.sleep(0.3)
      return proc.poll() is not None

    testutils.WaitFor(_IsEnded, "watch ends")
    self.assertEqual(proc.returncode, 130)
    self.assertFalse(self._KillIfThere(pid), "it is left behind")

  def testHangupIgnored(self):
    """As nohup has it."""
    self.addCleanup(signal.signal, signal.SIGHUP,
                    signal.signal(signal.SIGHUP, signal.SIG_IGN))
    (proc, pid) = self._WatchPid("exec sleep 1000")
    proc.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    self.assertIsNone(proc.poll())
    self.assertTrue(self._KillIfThere(pid))

  def testLeftBehind(self):
    """A command may leave something behind that never reads the event."""
    def _Tags(serial):
      # More than a pipe holds
      return {"tags": ["x" * 200000, "%d" % serial]}

    def _Pids():
      return {words[0]: int(words[1]) for words in map(str.split, self.lines)}
    self._Start(_Config(17, cluster=_Tags(17)))
    self.addCleanup(lambda: [self._KillIfThere(i) for i in _Pids().values()])
    self._Watch("config", "/cluster/tags", "--initial", "--exec",
                "/usr/bin/python3", "-c",
                "import os\n"
                "pid = os.fork()\n"
                "if pid:\n"
                "  print(os.environ['CONFD_SERIAL'], pid)\n"
                "else:\n"
                "  os.closerange(1, 3)\n"
                "  os.execlp('sleep', 'sleep', '60')\n")
    for serial in (18, 19):
      self._WriteAll(_Config(serial, cluster=_Tags(serial)))
      testutils.WaitFor(lambda: "%d" % serial in _Pids(), "it is run again")

  def testNoRoomForRemarks(self):
    """A full disk does not end it.

    """
    self._Start(_Config(17))
    marker = os.path.join(self.daemons[0].root, "marker")
    command = 'confd="$1"; shift; exec "$confd" "$@" 2>/dev/full'
    with subprocess.Popen(
        ["sh", "-c", command, "sh", PROGRAM, "-a", _ADDRESSES[0]] +
        self.arguments + ["watch", "touch", marker], env=Environment(),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as proc:
      self.addCleanup(proc.wait)
      self.addCleanup(proc.kill)

      def _IsRun():
        self.assertIsNone(proc.poll())
        self._WriteAll(_Config(next(serials)))
        time.sleep(0.5)
        return os.path.exists(marker)
      serials = itertools.count(18)
      testutils.WaitFor(_IsRun, "the command is run")
      proc.kill()

  def testCommandThatIsNone(self):
    self._Start(_Config(17))
    (code, _, text) = _Run(*(self.arguments + ["watch", "/no/such/command"]))
    self.assertEqual((code, text),
                     (1, "confd-client: No such command: '/no/such/command'\n"))

  def testCommandThatGoes(self):
    """The command may be back at the next change.

    """
    self._Start(_Config(17))
    command = os.path.join(self.daemons[0].root, "command")
    testutils.WriteFile(command, b"#!/bin/sh\necho back\n", mode=0o755)
    self._Watch(command)
    os.rename(command, command + ".away")
    self._WriteAll(_Config(18))
    testutils.WaitFor(lambda: any("Cannot run" in line
                                  for line in self.remarks), "the remark")
    os.rename(command + ".away", command)
    self._WriteAll(_Config(19))
    testutils.WaitFor(lambda: self.lines, "the command's output")
    self.assertEqual(self.lines, ["back"])

  def testSurvivesRestartsAndFailovers(self):
    """One after the other goes, then all of them, then they come back.

    """
    self._Start(_Config(17), _Config(17))
    proc = self._Watch()
    (first, second) = self.daemons
    self._Stop(first)
    second.WriteConfig(_Config(18))
    testutils.WaitFor(lambda: len(self.lines) == 1, "serial 18")
    self._Stop(second)
    testutils.WaitFor(lambda: any("trying again" in line
                                  for line in self.remarks), "nobody answers")
    # An old one comes back first, and is not believed at once
    self.daemons.append(testutils.Daemon(_Config(17), address=_ADDRESSES[0],
                                         port=self.port))
    self.addCleanup(self._Stop, self.daemons[-1])
    self.daemons[-1].Start()
    time.sleep(1.5)
    self.assertEqual(len(self.lines), 1)
    self.daemons[-1].WriteConfig(_Config(19))
    testutils.WaitFor(lambda: len(self.lines) == 2, "serial 19")
    self.assertIn("serial 19 (was 18)", self.lines[1])
    self.assertIsNone(proc.poll())
    testutils.WaitFor(lambda: any("answers again" in line
                                  for line in self.remarks),
                      "there are answers again")

  def testRestoredConfiguration(self):
    self._Start(_Config(17))
    self._Watch()
    started = time.monotonic()
    self._WriteAll(_Config(9))
    testutils.WaitFor(lambda: self.lines, "serial 9", timeout=30)
    self.assertIn("serial 9 (was 17)", self.lines[0])
    self.assertGreater(time.monotonic() - started, 9)


if __name__ == "__main__":
  unittest.main()

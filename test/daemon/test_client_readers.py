#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Readers' keys in the hands of clients: what works, and what is said.

Against the real daemon.

"""

import asyncio
import datetime
import json
import os
import re
import stat
import subprocess
import unittest

from unittest import mock

import clientcommand
import packaged
import test_cli_options
import testutils

from ganeti.confd import client
from ganeti.confd import protocol
from ganeti.confd.command import cmd_make_key
from ganeti.confd.command import commandline
from ganeti.confd.command import parse
from ganeti.confd.command import rights
from ganeti.confd.protocol import keyfile
from ganeti.confd.protocol import readerkey


#: Without it, the daemon has nothing to refuse: candidates are not learned
_NOT_REFUSED = {("watch", "wait")}


class _TestCase(test_cli_options._TestCase):
  """Tests with readers' keys for one daemon.

  """
  def _KeyFile(self, *what, until=None, name="me"):
    """Makes the file of a reader's key.

    """
    label = readerkey.Make(name, what, until)
    path = os.path.join(self.daemon.root,
                        label.text.replace("/", "-") + ".key")
    testutils.WriteFile(path, keyfile.Format(testutils.KEY, label)
                        .encode("ascii"))
    return path

  def _Client(self, *what, make=client.Client, **kwargs):
    asker = make(["127.0.3.1:%d" % self.daemon.port],
                 timeout=testutils.PATIENCE,
                 key_file=self._KeyFile(*what, **kwargs))
    self.addCleanup(asker.Close)
    return asker

  def _NotPermitted(self):
    """Returns how many questions the daemon has refused.

    """
    (_, stats) = self.daemon.Answer(protocol.REQ_STATS)
    return stats["replies"]["not-permitted"]


class TestCommands(_TestCase):
  """Each command needs just what the table says.

  """
  def _Try(self, name, what):
    return self._Ask(name, "--hmac-file=" + self._KeyFile(*what))

  def _IsFine(self, name, result):
    return result.code == (130 if name == commandline.WATCH else 0)

  def _Commands(self):
    for name in [None, *commandline.COMMANDS]:
      entry = commandline.Find(name)
      if entry.asks and not entry.every_cluster:
        kind = None
        if name is not None:
          kind = getattr(parse.Parse(
            [name] + test_cli_options._ARGUMENTS.get(name, [])), "kind", None)
        yield (name, rights.Needed(name, kind))

  def testEnough(self):
    """And nothing is asked that the daemon has to refuse.

    """
    before = self._NotPermitted()
    for (name, needed) in self._Commands():
      with self.subTest(command=name):
        result = self._Try(name, needed)
        self.assertTrue(self._IsFine(name, result), result)
        self.assertEqual((result.problems, self._NotPermitted()), ("", before))

  def testTakenAway(self):
    """The error says which right is missing, and no request is sent.

    """
    count = 0
    for (name, needed) in self._Commands():
      for right in needed:
        count += 1
        what = [i for i in needed if i != right] or ["collectors"]
        if what == needed:
          what = ["ping"]
        with self.subTest(command=name, right=right):
          result = self._Try(name, what)
          # One of them is a plugin
          self.assertEqual(result.code, 3 if result.output else 1)
          self.assertRegex(
            result.output + result.problems,
            r"\A(confd-client:|CONFD UNKNOWN -) Not permitted: the key of the"
            r" reader 'me' may ask .* for ever; %s needs %s as well: .*--may"
            r" .*\n\Z" % ("the self test" if name is None else name, right))
          if (name, right) in _NOT_REFUSED:
            continue
          with mock.patch.object(rights, "Check", lambda *_: None):
            result = self._Try(name, what)
          self.assertFalse(self._IsFine(name, result) and
                           name != commandline.WATCH, result)
          self.assertIn("not permitted", result.output + result.problems)
    self.assertGreater(count, 20)

  def testPartly(self):
    """Without some rights, a command says what it leaves out.

    """
    before = self._NotPermitted()
    tables = ["list/disks", "list/groups", "list/networks", "list/nodes"]
    left_out = "%s, as the key does not permit %s."
    for (name, what, texts) in [
        ("status", ["ping"],
         ["Only the given candidates were asked, as the key does not permit"
          " mc-ips."]),
        ("describe", ["list/instances"],
         [left_out % ("Only properties are printed", ", ".join(
           ["config", *tables, "stats"])), "Primary node  "]),
        ("describe", ["list"],
         [left_out % ("Findings, effects of a failure and the cluster's"
                      " parameters are left out", "config, stats"),
          "Primary node  ", "\nDisks\n"]),
        ("describe", ["list", "config"],
         [left_out % ("Findings are left out", "stats"), "\nDisks\n"])]:
      with self.subTest(command=name, what=what):
        result = self._Try(name, what)
        self.assertEqual((result.code, result.problems), (0, ""))
        for text in texts:
          self.assertIn(text, result.output)
    result = test_cli_options._Run([
      "who-has", "192.0.2.100", "--address=127.0.3.1:%d" % self.daemon.port,
      "--hmac-file=" + self._KeyFile("list/instances", "list/nodes")])
    self.assertEqual(result.code, 1)
    self.assertIn("192.0.2.100'; the key does not permit master\n",
                  result.problems)
    # The optional right is not for MAC addresses
    result = test_cli_options._Run([
      "who-has", "02:00:00:00:00:01", "--address=127.0.3.1:%d" %
      self.daemon.port,
      "--hmac-file=" + self._KeyFile("list/instances", "list/nodes")])
    self.assertEqual(result.code, 1)
    self.assertIn("has the MAC address '02:00:00:00:00:01'\n", result.problems)
    path = self._KeyFile("ping")
    text = ("Only the given candidates were asked, as the key does not permit"
            " mc-ips.\n")
    result = self._Ask("status", "--nagios", "--hmac-file=" + path)
    self.assertEqual(result.code, 0)
    self.assertRegex(result.output, r"\ACONFD OK - 1 of 1 .*\n%s\Z" % text)
    for options in ([], ["--nagios"]):
      # With --only, nothing else is wanted
      result = self._Ask("status", "--only", "--hmac-file=" + path, *options)
      self.assertNotIn("does not permit", result.output)
    self.assertEqual(self._NotPermitted(), before)
    for name in ("status", "describe"):
      self.assertNotIn("does not permit", self._Try(name, ["all"]).output)

  def testNagios(self):
    """A plugin says it on its line.

    """
    result = self._Ask("status", "--nagios",
                       "--hmac-file=" + self._KeyFile("mc-ips", "ping"))
    self.assertEqual(result.code, 0)
    self.assertTrue(result.output.startswith("CONFD OK - 1 of 1 "))
    for (path, text) in [
      (self._KeyFile("mc-ips"), "; status needs ping as well: "),
      (self._KeyFile("all", until=datetime.date(2020, 2, 29)),
       "Not permitted: the key of the reader 'me' has ended: its last day was"
       " 2020-02-29 (UTC)"),
      ]:
      result = self._Ask("status", "--nagios", "--hmac-file=" + path)
      self.assertEqual((result.code, result.problems), (3, ""))
      self.assertTrue(result.output.startswith("CONFD UNKNOWN - Not permitted"))
      self.assertIn(text, result.output)

  def testKeyThatEndsSoon(self):
    """A plugin warns, and the table has a line below it.

    """
    def _DaysFromNow(days):
      return (datetime.datetime.now(datetime.timezone.utc).date() +
              datetime.timedelta(days))

    for (days, options, code) in [
      (20, [], 1), (20, ["-w", "key=10"], 0), (20, ["-c", "key=25"], 2),
      (20, ["-w", "key=0"], 0), (40, [], 0), (40, ["-w", "key=50"], 1)]:
      with self.subTest(days=days, options=options):
        day = _DaysFromNow(days)
        path = self._KeyFile("mc-ips", "ping", until=day)
        result = self._Ask("status", "--nagios", "--hmac-file=" + path,
                           *options)
        self.assertEqual(result.code, code, result.output)
        # Midnight may have passed
        text = r"the key of the reader 'me' ends in (%d|%d) days, after %s" % (
          days, days - 1, day)
        if code:
          self.assertRegex(result.output, "; %s .* key=" % text)
        else:
          self.assertNotRegex(result.output, text)
        result = self._Ask("status", "--hmac-file=" + path)
        self.assertRegex(result.output, r"\nT%s \(UTC\)\n\Z" % text[1:])
        self.assertEqual(result.code, 0)
        result = self._Ask("status", "--json", "--hmac-file=" + path)
        self.assertIn(json.loads(result.output)["key_days"], (days, days - 1))
        result = self._Ask("status", "--separator=|", "--hmac-file=" + path)
        self.assertNotIn("reader", result.output)
    for key_file in (self.daemon.key_file, self._KeyFile("all")):
      result = self._Ask("status", "--nagios", "--hmac-file=" + key_file)
      self.assertNotIn("key=", result.output)

  def testLinkWithoutIps(self):
    """Whether there is such a link is not found out where that takes more.

    """
    path = self._KeyFile("instance-ips")
    result = test_cli_options._Run(
      self._CommandLine("instance-ips", ["--hmac-file=" + path]) + ["nolink"])
    self.assertEqual((result.code, result.output), (1, ""))
    self.assertIn("no instance has an IP on the link 'nolink'", result.problems)

  def testKeyOnTheCommandLine(self):
    """The option takes what is in a file, of either kind.

    """
    contents = testutils.ReadFile(self._KeyFile("ping")).decode("ascii")
    for text in (contents, contents.rstrip("\n")):
      result = self._Ask("ping", "--hmac=" + text, "--timeout=20")
      self.assertEqual((result.code, result.problems), (0, ""))
    # Newlines are of no concern to it
    result = self._Ask("ping", "--hmac=" + text, "--address=127.0.3.9")
    self.assertEqual(result.code, 3)
    self.assertNotIn("newline", result.problems)

  def testClusters(self):
    """Each cluster has a key of its own.

    """
    path = os.path.join(os.environ["XDG_CONFIG_HOME"], "ganeti",
                        "confd-client.conf")
    text = testutils.ReadFile(path)
    self.addCleanup(testutils.WriteFile, path, text)
    testutils.WriteFile(path, text + (
      "[cluster two]\naddresses = 127.0.3.1:%d\nkey_file = %s\n" %
      (self.daemon.port, self._KeyFile("ping"))).encode("utf-8"))
    result = test_cli_options._Run(["clusters", "--json"])
    self.assertEqual({name: reply.get("answer") for (name, reply) in
                      json.loads(result.output)["clusters"].items()},
                     {"one": 17, "two": 17})
    result = test_cli_options._Run(["list", "nodes", "-o", "name",
                                    "--no-headers", "--cluster=one,two"])
    self.assertEqual(result.code, 1)
    self.assertEqual(result.output, "one     node1.example.com\n"
                     "one     node2.example.com\n".replace("     ", " "))
    self.assertIn("confd-client: two: Not permitted: ", result.problems)
    self.assertIn("; list needs list/nodes as well", result.problems)


class TestMakeKey(_TestCase):
  def _MakeKey(self, *args, **kwargs):
    return clientcommand.Outcome(
      "make-key", *args, "--hmac-file=" + self.daemon.key_file, **kwargs)

  def testFile(self):
    """The file is its owner's, is not written over, and works.

    """
    path = os.path.join(self.daemon.root, "made.key")
    args = ["me", path, "--may", "status", "--until", "2999-12-31"]
    self.assertEqual(self._MakeKey(*args, preexec_fn=lambda: os.umask(0)),
                     (0, "", ""))
    self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o400)
    contents = testutils.ReadFile(path)
    (code, output, problems) = self._MakeKey(*args)
    self.assertEqual((code, output), (1, ""))
    self.assertEqual(problems, "confd-client: Cannot write the key to %s: File"
                     " exists\n" % path)
    self.assertEqual(testutils.ReadFile(path), contents)
    (code, output, _) = self._MakeKey(*args[:1], *args[2:])
    self.assertEqual((code, output.encode("ascii")), (0, contents))
    self.assertEqual(
      clientcommand.Outcome("ping", "-a", "127.0.3.1", "-p",
                            str(self.daemon.port), "--hmac-file", path),
      (0, "configuration version 3.0 (3000000)\n", ""))

  def testNoRoom(self):
    """Half a key is no key.

    """
    target = os.path.join(self.daemon.root, "nowhere", "made.key")
    (code, _, problems) = self._MakeKey("me", target, "--may=ping",
                                        "--until=never")
    self.assertEqual(code, 1)
    self.assertIn("%s: No such file" % target, problems)
    path = os.path.join(self.daemon.root, "full.key")

    def _Full():
      # Bytes that a file may have
      import resource
      import signal
      signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
      resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
    (code, _, problems) = self._MakeKey("me", path, "--may=ping",
                                        "--until=never", preexec_fn=_Full)
    self.assertEqual(code, 1)
    self.assertIn("%s: File too large" % path, problems)
    self.assertFalse(os.path.exists(path))

  def testErrors(self):
    reader = self._KeyFile("all")
    for (args, code, text) in [
      (["--may=ping"], 2, "required: --until"),
      (["--until=never"], 2, "required: --may"),
      (["--may=ping", "--until=2027-1-1"], 2, "--until: neither a day such as"
       " 2027-12-31, nor a period such as 30d, 6m or 1y, nor never:"
       " '2027-1-1'"),
      (["--may=ping", "--until=30"], 2, "'30'"),
      (["--may=ping", "--until=1h"], 2, "'1h'"),
      (["--may=ping", "--until=9999y"], 2, "'9999y'"),
      (["--may=ping", "--until=2027-02-29"], 2, "'2027-02-29'"),
      (["--may=ping", "--until=20270228"], 2, "'20270228'"),
      (["--may=ping", "--until=2020-02-29"], 2, "this day is over"),
      (["--may=pings", "--until=never"], 2, "--may: neither a question nor a"
       " command: 'pings'; did you mean 'ping'?"),
      (["--may=", "--until=never"], 2, "''"),
      (["--may=show-key", "--until=never"], 2, "'show-key'"),
      (["--may=ping", "--until=never", "--hmac-file=" + reader], 1,
       "The cluster's key is needed, and in %s is a reader's" % reader),
      (["--may=ping", "--until=never", "--hmac-file=/nonexistent"], 1,
       "/nonexistent"),
      (["--may=ping", "--until=never", "-a", "x"], 2, "make-key has no option"
       " --address\n"),
      ]:
      result = test_cli_options._Run(["make-key", "me"] + args)
      self.assertEqual((result.code, result.output), (code, ""), args)
      self.assertIn(text, result.problems)
    for name in ["Me", "", "x" * 64, "a:b", "-x", "\u00e4", "a b"]:
      result = test_cli_options._Run(
        ["make-key", "--may=ping", "--until=never",
         "--hmac-file=" + self.daemon.key_file, "--", name])
      self.assertEqual((result.code, result.output), (2, ""), name)
      self.assertIn("NAME: ", result.problems)

  def testPeriods(self):
    """From today on; a shorter month ends earlier.

    """
    for (today, text, expected) in [
      ("2026-01-31", "1d", "2026-02-01"), ("2026-01-31", "+30d", "2026-03-02"),
      ("2026-12-25", "2w", "2027-01-08"), ("2026-01-31", "1m", "2026-02-28"),
      ("2028-01-31", "+1m", "2028-02-29"), ("2026-12-31", "6m", "2027-06-30"),
      ("2026-12-01", "1m", "2027-01-01"), ("2028-02-29", "1y", "2029-02-28"),
      ("2026-05-05", "0d", "2026-05-05")]:
      with self.subTest(today=today, text=text):
        found = cmd_make_key.ParseUntil(text,
                                        datetime.date.fromisoformat(today))
        self.assertEqual(found.isoformat(), expected)

  def testShowKey(self):
    path = self._KeyFile("list/nodes", "node-drbd")
    secret = testutils.ReadFile(path).split()[-1]
    for (path, code, lines) in [
      (path, 0,
       ["Reader:   me", "May ask:  list/nodes, node-drbd",
        "Until:    never ends",
        "Commands: node-drbd, list nodes, list-fields nodes, describe node,"
        " export nodes"]),
      (self._KeyFile("stats", until=datetime.date(2999, 12, 31)), 0,
       ["Reader:   me", "May ask:  stats",
        "Until:    2999-12-31 (UTC), NUMBER days left", "Commands: stats"]),
      (self._KeyFile("stats", until=datetime.date(2020, 12, 31)), 1,
       ["Reader:   me", "May ask:  stats",
        "Until:    2020-12-31 (UTC), has ended", "Commands: stats"]),
      (self.daemon.key_file, 0,
       ["Key:      the cluster's: permits everything, also to answer in any"
        " candidate's name"]),
      ]:
      result = test_cli_options._Run(["show-key", path])
      text = re.sub("[0-9]+(?= days left)", "NUMBER", result.output)
      self.assertEqual((result.code, text.splitlines(), result.problems),
                       (code, lines, ""))
      result = test_cli_options._Run(["show-key", path, "--json"])
      self.assertNotIn(secret.decode("ascii"), result.output)
      self.assertEqual((result.code, json.loads(result.output)["serial"]),
                       (code, None))
    result = test_cli_options._Run(["show-key", "--hmac-file",
                                    self._KeyFile("stats")])
    self.assertIn("May ask:  stats\n", result.output)
    result = test_cli_options._Run(["show-key", "--cluster=one"])
    self.assertIn("the cluster's", result.output)
    testutils.WriteFile(os.path.join(self.daemon.root, "bad"),
                        b"label: x\nkey: " + secret)
    result = test_cli_options._Run(["show-key",
                                    os.path.join(self.daemon.root, "bad")])
    self.assertEqual((result.code, result.output), (1, ""))
    self.assertIn("is damaged: its first line", result.problems)
    self.assertNotIn(secret.decode("ascii"), result.problems)


class TestDaemon(unittest.TestCase):
  """The daemon takes no reader's key for the cluster's.

  """
  def test(self):
    label = readerkey.Make("me", ["all"], None)
    contents = keyfile.Format(testutils.KEY, label).encode("ascii")
    refusal = "The cluster's key is needed, and in %s is a reader's"
    daemon = testutils.Daemon(testutils.MakeConfig())
    self.addCleanup(daemon.Stop)
    daemon.Start()
    testutils.WriteFile(daemon.key_file, contents)
    testutils.WaitFor(lambda: refusal % daemon.key_file in daemon.Log(),
                      "a word about the key")
    self.assertEqual(daemon.Answer(0), (0, 3000000))
    testutils.WriteFile(daemon.key_file, testutils.KEY)
    other = testutils.Daemon(testutils.MakeConfig(), key=contents)
    self.addCleanup(other.Stop)
    result = testutils.Run(other.CommandLine([]), env=other.Environment(),
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           stdin=subprocess.DEVNULL, encoding="utf-8",
                           timeout=60, check=False)
    self.assertEqual(result.returncode, 1)
    self.assertIn(refusal % other.key_file, result.stdout)


class TestExamples(_TestCase):
  """The commands in the examples of doc work with the key that they are for.

  """
  def _Example(self, name, pattern):
    """Takes texts out of an example.

    """
    text = testutils.ReadFile(os.path.join(testutils.SRCDIR, "doc", "examples",
                                           name)).decode("utf-8")
    found = re.findall(pattern, text)
    self.assertTrue(found, name)
    return found

  def _Words(self, *names):
    """Expands commands into rights, as make-key does.

    """
    return rights.Expand(",".join(names).split(","))

  def testNagios(self):
    (command, ) = self._Example(
      "confd-nagios.cfg", r"command_line +/usr/bin/confd-client (.*)")
    (what, ) = self._Example("confd-nagios.cfg", r"--may\n?#? ?(\w+)")
    command = command.replace("/etc/ganeti/nagios.key",
                              self._KeyFile(*self._Words(what)))
    command = command.replace("$ARG1$", "127.0.3.1")
    result = test_cli_options._Run(command.split() +
                                   ["--port=%d" % self.daemon.port])
    self.assertEqual((result.code, result.problems), (0, ""))
    self.assertTrue(result.output.startswith("CONFD OK - 1 of 1 "))

  def testPrometheus(self):
    name = "confd-stats.service"
    (command, ) = self._Example(name, "ExecStart=confd-client (.*)")
    (what, ) = self._Example(name, r"--may (\w+)")
    self._Example(name, "Environment=CONFD_KEY_FILE=%d/key")
    with mock.patch.dict(os.environ, CONFD_KEY_FILE=self._KeyFile(
        *self._Words(what)), CONFD_ADDRESS="127.0.3.1:%d" % self.daemon.port):
      result = test_cli_options._Run(command.split())
    self.assertEqual((result.code, result.problems), (0, ""))
    self.assertIn('ganeti_confd_up{candidate="127.0.3.1', result.output)

  def testAnsible(self):
    name = "readers-key.yml"
    variables = dict(self._Example(name, r'(confd_\w+): "?([^"\n]*)'))
    words = [re.sub(r"{{ (confd_\w+) }}", lambda i: variables[i.group(1)], i)
             for i in self._Example(name, "          - (.*)")]
    self.assertEqual(words.pop(0), "confd-client")
    words = [i.replace('"{{ inventory_hostname | lower }}"',
                       "mon1.example.com") for i in words]
    result = test_cli_options._Run(words + ["--hmac-file=" +
                                            self.daemon.key_file])
    self.assertEqual((result.code, result.problems), (0, ""))
    key = keyfile.Parse(result.output.encode("ascii"), "x")
    self.assertEqual(key.label.text,
                     "mon1.example.com:list,mc-ips,ping,stats:20991231")


class TestLibrary(_TestCase):
  def testAnswers(self):
    asker = self._Client("ping", "list/nodes")
    self.assertEqual(asker.reader.name, "me")
    self.assertEqual(asker.Ping().answer, 3000000)
    self.assertEqual(asker.List("nodes", ["name"]).answer[0],
                     ["node1.example.com"])
    reply = asker.Serial()
    self.assertEqual((reply.answer, reply.serial), (17, 17))
    self.assertEqual(self._Client("config").Serial().answer, 17)

  def testNotPermitted(self):
    asker = self._Client("list/nodes", "ping",
                         until=datetime.date(2999, 12, 31))
    for (ask, question) in [
      (lambda: asker.NodeRole("node1"), 'node-role "node1"'),
      (lambda: asker.List("disks", ["uuid"]), 'query "disk"'),
      (asker.Collectors, "collectors"),
      ]:
      with self.assertRaises(client.ErrorAnswer) as caught:
        ask()
      self.assertEqual(caught.exception.code, 4)
      self.assertEqual(
        str(caught.exception), "%s: not permitted (127.0.3.1:%d, serial 17);"
        " the key of the reader 'me' may ask list/nodes and ping until the end"
        " of 2999-12-31 (UTC)" % (question, self.daemon.port))
    with self.assertRaisesRegex(client.ErrorAnswer,
                                "ended: its last day was 2020-01-01"):
      self._Client("all", until=datetime.date(2020, 1, 1)).Ping()

  def testSilence(self):
    """The packaged daemon, or another key of the cluster.

    """
    with packaged.Confd(lambda *_: (0, 1, 1)) as confd, \
        client.Client([confd.peer], timeout=0.3,
                      key_file=self._KeyFile("ping")) as asker:
      with self.assertRaises(client.NoAnswer) as caught:
        asker.Ping()
      self.assertEqual(len(confd.requests), 0)
    self.assertRegex(str(caught.exception), r"silence at UDP port \d+ means"
                     r" .*another key, .* does not know readers' keys")
    with packaged.Confd(lambda *_: None) as confd, \
        client.Client([confd.peer], timeout=0.3, key=testutils.KEY) as asker:
      with self.assertRaises(client.NoAnswer) as caught:
        asker.Ping()
    self.assertNotIn("reader", str(caught.exception))
    with packaged.Confd(lambda *_: (0, 1, 1)) as confd:
      result = test_cli_options._Run([
        "status", "-a", confd.peer, "-t", "0.3",
        "--hmac-file", self._KeyFile("mc-ips", "ping"), "--nagios"])
    self.assertEqual(result.code, 2)
    # The causes are on further lines, which Nagios shows as long output
    (line, *lines) = result.output.splitlines()
    self.assertIn(": silent |", line)
    self.assertIn("- a reader's key that is older than the cluster's key:"
                  ' "dropped hmac" grows', lines)

  def testNewKey(self):
    """A program that runs on finds it when the one that it has is no good.

    """
    path = self._KeyFile("ping")
    old = keyfile.Format(b"another key of a cluster\n", readerkey.Make(
      "me", ["all"], None)).encode("ascii")
    with client.Client(["127.0.3.1:%d" % self.daemon.port], key_file=path,
                       timeout=5) as asker:
      self.assertRaises(client.ErrorAnswer, asker.MasterNode)
      testutils.WriteFile(path, testutils.ReadFile(self._KeyFile("master")))
      asker.MasterNode()
      testutils.WriteFile(path, old)
      self.assertRaises(client.ErrorAnswer, asker.Ping)
      self.assertRaises(client.NoAnswer, asker.Ping)
      testutils.WriteFile(path, testutils.ReadFile(
        self._KeyFile("ping", name="other")))
      self.assertEqual(asker.Ping().answer, 3000000)

  def testCandidatesAreLearnedWhereThatIsPermitted(self):
    before = self._NotPermitted()
    for (what, count) in [(["ping"], 1), (["ping", "mc-ips"], 2),
                          (["master", "mc-ips"], 2), (["all"], 2)]:
      asker = self._Client(*what)
      # Asked by another name than the one that is learned
      asker._questions._known._given = ["localhost3:%d" % self.daemon.port]
      with mock.patch("socket.getaddrinfo", lambda host, port, **_: [
          (2, 2, 17, "", ("127.0.3.1", int(port)))]):
        for _ in range(2):
          (asker.Ping if "ping" in what or "all" in what else
           asker.MasterNode)()
      self.assertEqual(len(asker._questions._known._learned), count - 1, what)
    self.assertEqual(self._NotPermitted(), before)

  def testOldAnswers(self):
    """Old answers are found out without the right to ping, too.

    """
    with testutils.Daemon(self.config, address="127.0.3.1") as daemon, \
        client.Client(["127.0.3.1:%d" % daemon.port], timeout=2,
                      key_file=self._KeyFile("master")) as asker:
      self.assertEqual(asker.MasterNode().serial, 17)
      config = json.loads(json.dumps(self.config))
      config["serial_no"] = 16
      daemon.WriteConfig(config)
      daemon.WaitForSerial(16)
      testutils.AwaitStale(asker.MasterNode)

  def testOthers(self):
    """AsyncClient, and Ganeti's interface.

    """
    async def _Ask():
      asker = self._Client("ping", make=client.AsyncClient)
      return await asyncio.gather(asker.Ping(), asker.Serial())
    self.assertEqual([reply.answer for reply in asyncio.run(_Ask())],
                     [3000000, 17])
    store = client.StoreResultCallback()
    confd = client.ConfdClient(client.ReadKey(self._KeyFile("ping")),
                               ["127.0.3.1"], store, port=self.daemon.port)
    self.addCleanup(confd._socket.close)
    for (rtype, expected) in [(0, (0, 3000000)), (3, (1, 4))]:
      request = client.ConfdClientRequest(type=rtype)
      confd.SendRequest(request)
      self.assertFalse(confd.WaitForReply(request.rsalt)[0])
      reply = store.GetResponse(request.rsalt)[1].server_reply
      self.assertEqual((reply.status, reply.answer), expected)


if __name__ == "__main__":
  unittest.main()

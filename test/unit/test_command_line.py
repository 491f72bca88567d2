#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The command line of confd-client, and the table that it is made from.

"""

import contextlib
import glob
import importlib
import io
import os
import re
import shlex
import subprocess
import sys
import unittest

import testutils

from ganeti.confd.command import argtypes
from ganeti.confd.command import cmd_question
from ganeti.confd.command import commandline
from ganeti.confd.command import parse
from ganeti.confd.schema import columns
from ganeti.confd.views import checks
from ganeti.confd.views import objects


def _Parse(*argv):
  return parse.Parse(argv)


class TestOrder(unittest.TestCase):
  """Options may stand anywhere.

  """
  def testBeforeAndAfter(self):
    for argv in [["--json", "-a", "x", "list", "nodes", "-p5", "n1", "n2"],
                 ["list", "nodes", "n1", "n2", "--json", "-ax", "--port=5"],
                 ["list", "--json", "nodes", "--address", "x", "n1", "-p", "5",
                  "n2"]]:
      opts = _Parse(*argv)
      self.assertEqual((opts.command, opts.kind, opts.names),
                       ("list", "node", ["n1", "n2"]), argv)
      self.assertEqual((opts.json, opts.addresses, opts.port),
                       (True, "x", 5), argv)

  def testRepeated(self):
    """An alias may name one candidate, and its user another one.

    """
    opts = _Parse("-a", "x,y", "-p5", "ping", "--address=z", "--port", "6")
    self.assertEqual((opts.addresses, opts.port), ("z", 6))

  def testCommandsOwnOptionsBefore(self):
    self.assertTrue(_Parse("--nagios", "status").nagios)
    self.assertEqual(_Parse("-o", "name", "list", "disks").output, "name")

  def testWhatIsExported(self):
    self.assertEqual(_Parse("export", "hosts").kind, "instance")
    self.assertEqual(_Parse("export", "hosts", "nodes").kind, "node")

  def testNoCommand(self):
    opts = _Parse("-r", "5")
    self.assertEqual((opts.command, opts.requests), (None, 5))

  def testValuesThatLookLikeOptions(self):
    opts = _Parse("list", "nodes", "--separator", "--", "-F", "-1 in x",
                  "--hmac", "-key", "-o", "-x")
    self.assertEqual((opts.separator, opts.filter, opts.hmac, opts.output),
                     ("--", "-1 in x", "-key", "-x"))
    self.assertEqual(_Parse("--hmac=", "stats").hmac, "")
    self.assertEqual(_Parse("--separator", "=b=", "stats").separator, "=b=")
    self.assertEqual(_Parse("ping", "--coverage", "-1").coverage, -1)

  def testSeparators(self):
    """A separator is refused if an escape may hold its first character.

    """
    for text in ["|", "\t", " and ", "--", "\u00e4", ";a", "\n"]:
      self.assertEqual(_Parse("stats", "--separator", text).separator, text)
    for text in ["", "a", "0", "x|", "\\", "\\t"]:
      with self.subTest(text=text):
        with self.assertRaisesRegex(parse.UsageError, "not a separator"):
          _Parse("stats", "--separator", text)

  def testArgumentsThatLookLikeOptions(self):
    self.assertEqual(_Parse("node-role", "--", "-x").node, "-x")
    self.assertEqual(_Parse("--json", "--", "node-role", "--json").node,
                     "--json")
    self.assertEqual(_Parse("config", "").path, "")
    self.assertEqual(_Parse("config", "-").path, "-")

  def testCommandOfWatch(self):
    """Words after the command's first word are left alone.

    """
    opts = _Parse("-p", "5", "watch", "-t", "3", "sh", "-c", "x", "--json",
                  "--", "-p", "7")
    self.assertEqual((opts.port, opts.timeout), (5, 3))
    self.assertEqual(opts.command_line,
                     ["sh", "-c", "x", "--json", "--", "-p", "7"])
    self.assertEqual(_Parse("watch", "--", "sh", "-c").command_line,
                     ["sh", "-c"])
    self.assertEqual(_Parse("watch").command_line, [])

  def testQuestionOfWatch(self):
    """A word that is a question is one; after --exec it is a program.

    """
    opts = _Parse("watch", "list", "nodes", "-o", "name", "node1", "--exec",
                  "sh", "-o", "--exec", "list")
    self.assertEqual((opts.command, opts.question, opts.kind, opts.names,
                      opts.output), ("watch", "list", "node", ["node1"],
                                     "name"))
    self.assertEqual(opts.command_line, ["sh", "-o", "--exec", "list"])
    for argv in (["watch", "--exec", "list", "x"], ["watch", "--", "list", "x"],
                 ["watch", "--exec=list", "x"]):
      opts = _Parse(*argv)
      self.assertEqual((opts.question, opts.command_line),
                       (None, ["list", "x"]))
    opts = _Parse("watch", "--initial", "-t", "3", "sh", "--initial")
    self.assertEqual((opts.initial, opts.timeout, opts.command_line),
                     (True, 3, ["sh", "--initial"]))

  def testSingularsAndPlurals(self):
    for (plural, singular) in zip(argtypes.KINDS, columns.KINDS):
      for text in (plural, singular):
        self.assertEqual(_Parse("list", text).kind, singular)
        self.assertEqual(_Parse("list-fields", text).kind, singular)


class TestErrors(unittest.TestCase):
  def testErrors(self):
    for (argv, text) in [
      (["ping", "-p"], "expected one argument"),
      (["ping", "--json=yes"], "--json"),
      (["ping", "--jso"], "no such option: --jso; did you mean '--json'?"),
      (["ping", "-x"], "no such option: -x"),
      (["list", "nodes", "--no-header"], "; did you mean '--no-headers'?"),
      # The command has no similar option
      (["ping", "--no-header"], "no such option: --no-header\n"),
      (["clusters", "-a", "x"], "clusters has no option --address\n"),
      (["--csv"], "confd-client without a command has no option --csv, which"
       " belongs to the command list\n"),
      (["ping", "x"], "too many arguments: 'x'"),
      (["ping", "--", "--json"], "too many arguments: '--json'"),
      (["list", "nodes", "--units", "k"], "invalid choice: 'k'"),
      (["watch", "--json", "sh"], "exclude each other"),
      (["watch", "--exec"], "--exec needs a command"),
      (["--exec=sh", "watch"], "--exec has to stand after watch"),
      (["watch", "--initial"], "--initial needs a command"),
      (["watch", "master", "x"], "too many arguments: 'x'"),
      (["watch", "list", "nodes", "--csv"], "has no option --csv"),
      (["watch", "list", "nodes", "--sort", "name"], "has no option --sort"),
      (["watch", "list", "nodes", "--reverse"], "has no option --reverse"),
      (["watch", "export", "hosts"], "watch export needs --output"),
      (["watch", "export", "hosts", "-o", "x", "--exec", "y"],
       "has no option --exec"),
      (["watch", "export", "hosts", "-o", "x", "--initial"],
       "has no option --initial"),
      (["watch", "export", "hosts", "-o", "x", "--json"], "exclude each other"),
      (["watch", "export", "hosts", "-o", "x", "--table", "y"],
       "--table belongs to the format nftables"),
      (["watch", "list", "cats"], "not one of instances"),
      (["list", "nodes", "--coverage", "x"],
       "not a coverage from -1 to 10000: 'x'"),
      (["export", "nftables", "--table", "a b"], "not the name of a table: 'a"
       " b'; such a name has letters, digits and underscores"),
      ([""], "no such command: ''"),
      (["instances"], "no such command: 'instances'; did you mean 'list"
       " instances'?"),
      (["node"], "no such command: 'node'; did you mean 'list node'?"),
      (["xyzzy"], "'xyzzy'; \"confd-client --help\" lists the commands"),
      (["--clutser", "fsn", "status"],
       "no such option: --clutser; did you mean '--cluster'?"),
      (["stauts"], "did you mean 'status'?"),
      (["help", "stauts"], "did you mean 'status'?"),
      (["evacuate"], "evacuate needs NODE or --all"),
      (["evacuate", "node1", "--all"], "NODE and --all exclude each other"),
      (["evacuate", "--all", "--primary-only"], "exclude each other"),
      (["watch", "status"], "watch cannot follow status, but ping, master,"),
      (["watch", "who-has", "x"], "watch --exec who-has"),
      (["export", "foo"], "not a format: 'foo'; there are ansible, dnsmasq,"),
      (["show-key", "x", "--hmac-file", "y"],
       "FILE and --hmac-file exclude each other"),
      (["--completion", "bash", "--requests", "3"],
       "--requests and --completion exclude each other"),
      (["-r3", "--completion=bash"], "--requests and --completion exclude"),
      (["--json", "--completion=zsh"],
       "--json and --completion exclude each other"),
      (["--completion", "bash", "-a", "192.0.2.1"],
       "--address and --completion exclude each other"),
      ]:
      with self.subTest(argv=argv, text=text):
        with self.assertRaises(parse.UsageError, msg=argv) as caught:
          _Parse(*argv)
        self.assertIn(text, str(caught.exception) + "\n")
        self.assertTrue(caught.exception.usage.startswith("confd-client "))


class TestTable(unittest.TestCase):
  def testDescribed(self):
    """The words for kinds are here, too, as "objects" takes long to import.

    """
    self.assertEqual(argtypes.DESCRIBED, objects.KINDS)

  def testEachCommandCanBeRun(self):
    for command in [commandline.NO_COMMAND, *commandline.COMMANDS.values()]:
      module = importlib.import_module("ganeti.confd.command." +
                                       command.module)
      if not command.asks:
        self.assertTrue(callable(module.RunAlone))
      elif not command.every_cluster:
        self.assertTrue(callable(module.Run))
      if command.multi_cluster or command.every_cluster:
        self.assertTrue(callable(module.RunMultiCluster))

  def testQuestions(self):
    self.assertEqual([name for (name, command) in commandline.COMMANDS.items()
                      if command.module == "cmd_question"],
                     list(cmd_question.QUESTIONS))

  def testModulesHaveTheNamesOfCommands(self):
    for (name, command) in commandline.COMMANDS.items():
      self.assertIn(command.module,
                    ["cmd_" + name.replace("-", "_"), "cmd_question"])

  def testEachOptionIsWhatItIsEverywhere(self):
    """Whether it takes a value is known before the command is.

    """
    # A file instead of fields; other numbers that have limits
    others = {("cmd_export", "--output"), ("cmd_status", "--warning"),
              ("cmd_status", "--critical")}
    known = commandline.AllOptions()
    for command in [commandline.NO_COMMAND, *commandline.COMMANDS.values()]:
      for option in command.Options():
        for flag in option.flags:
          self.assertEqual(known[flag].takes_value, option.takes_value)
          if (command.module, option.flags[-1]) not in others:
            self.assertIs(known[flag], option)
        self.assertTrue(option.flags[-1].startswith("--"))

  def testHelp(self):
    """Of each command, in the width of a terminal.

    """
    for name in [None, *commandline.COMMANDS]:
      text = parse.MakeParser(name).format_help()
      self.assertLessEqual(max(map(len, text.splitlines())), 80, text)
      for option in commandline.Find(name).Options():
        self.assertIn(option.flags[-1], text)


  def testWordsInHelp(self):
    """Formats, checks and questions are there, also by "help".

    """
    for (name, words) in [
      ("export", argtypes.FORMATS), ("check", checks.CHECKS),
      ("watch", commandline.WATCHED), ("ping", ["--hmac-file"])]:
      texts = []
      for argv in ([name, "--help"], ["help", name]):
        out = io.StringIO()
        with contextlib.redirect_stdout(out), \
            self.assertRaises(SystemExit):
          _Parse(*argv)
        texts.append(out.getvalue())
      self.assertEqual(texts[0], texts[1])
      self.assertLessEqual(max(map(len, texts[0].splitlines())), 80)
      for word in words:
        self.assertIn(word, texts[0])
    out = io.StringIO()
    with contextlib.redirect_stdout(out), self.assertRaises(SystemExit):
      _Parse("help")
    self.assertIn("node-of-ip IP...", out.getvalue())


class TestPages(unittest.TestCase):
  """Each command line that the pages show can be typed.

  """
  def test(self):
    found = 0
    for path in glob.glob(os.path.join(testutils.SRCDIR, "doc", "*.rst")):
      page = testutils.ReadFile(path).decode("utf-8").replace("\\\n", " ")
      # In prose and synopses the name is emphasized
      for text in re.findall(r"^  +(?:\S*[$#] )?(?:tools/)?confd-client"
                             r"( (?:'[^'\n]*'|[^|'\n])*)", page,
                             re.MULTILINE):
        found += 1
        with self.subTest(text, page=os.path.basename(path)):
          # The shell replaces this by a day
          _Parse(*shlex.split(re.sub(r"\$\([^)]*\)", "2099-12-31", text)))
    self.assertGreater(found, 30)


class TestImports(unittest.TestCase):
  """A small question is answered without all that others need.

  """
  def testPing(self):
    script = ("import sys\n"
              "from ganeti.confd.command import cli\n"
              "code = cli.Main(['ping', '-a', '127.0.0.1', '-p', '1',"
              " '-t', '0.01', '--hmac', '0123456789abcdef\\n'])\n"
              "assert code == 3, code\n"
              "print(*sys.modules)\n")
    modules = subprocess.run([sys.executable, "-c", script], check=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             encoding="ascii").stdout.split()
    room = [name.rpartition(".")[2] for name in modules
            if name.startswith("ganeti.confd.command.")]
    self.assertEqual(sorted(room), ["argtypes", "cli", "cmd_question",
                                    "commandline", "exitcodes", "output",
                                    "parse", "result", "table"])
    for name in ["asyncio", "configparser", "csv", "difflib", "logging",
                 "optparse", "ganeti.confd.clientlib.settings", "pyparsing",
                 "shutil", "subprocess"]:
      with self.subTest(name=name):
        self.assertNotIn(name, modules)


if __name__ == "__main__":
  unittest.main()

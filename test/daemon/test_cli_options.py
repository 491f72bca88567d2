#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Each option of confd-client works or is refused, with each command.

The cases are taken from the table that the parsers are made of. The program
runs in this process, since starting it some four hundred times takes long; the
daemon is the real one.

"""

import contextlib
import io
import itertools
import json
import os
import tempfile
import typing
import unittest

from unittest import mock

import testutils

from ganeti.confd.command import cli
from ganeti.confd.command import watched
from ganeti.confd.command import commandline


#: Arguments with which each command has something to print
_ARGUMENTS = {
  "node-role": ["node1"],
  "node-of-ip": ["192.0.2.51", "192.0.2.52"],
  "node-instances": ["node1"],
  "node-drbd": ["node1"],
  "instance-disks": ["inst1"],
  "config": ["/cluster"],
  "describe": ["instance", "inst1"],
  "evacuate": ["node1"],
  "export": ["ansible"],
  "list": ["instances"],
  "list-fields": ["nodes"],
  "make-key": ["me", "--may=ping", "--until=never"],
  "who-has": ["192.0.2.51"],
  }

#: A value for each option that takes one
_VALUES = {
  "--cluster": "one",
  "--address": "127.0.3.9",
  "--port": "1",
  "--hmac": "another key than the cluster's\n",
  "--hmac-file": "/nonexistent",
  "--timeout": "0.01",
  "--coverage": "99",
  "--separator": "|",
  "--ignore": "forthcoming",
  "--output": "name",
  "--filter": "name == \"inst2\"",
  "--sort": "pnode",
  "--units": "m",
  "--requests": "1",
  "--completion": "zsh",
  "--warning": "silent=0",
  "--critical": "silent=0",
  "--target-port": "9256",
  "--table": "filter",
  "--then": "true",
  "--may": "status",
  "--exec": "true",
  "--until": "2999-12-31",
  }

#: A number that has a limit, for each command with such numbers
_LIMITS = {
  "evacuate": "nowhere",
  "status": "silent",
  }

#: Options that only one format of "export" has
_FORMATS = {
  "--target-port": "prometheus-sd",
  "--table": "nftables",
  }


class _Streams:
  """Standard output and standard error of the program.

  """
  def __init__(self):
    self._bytes = (io.BytesIO(), io.BytesIO())
    self.streams = [io.TextIOWrapper(i, encoding="utf-8") for i in self._bytes]

  def Texts(self):
    for stream in self.streams:
      stream.flush()
    return [i.getvalue().decode("utf-8") for i in self._bytes]


class _Result(typing.NamedTuple):
  """The result of the program.

  """
  code: int
  output: str
  problems: str


def _Run(argv):
  """Runs the program.

  """
  streams = _Streams()
  with contextlib.redirect_stdout(streams.streams[0]), \
      contextlib.redirect_stderr(streams.streams[1]):
    code = cli.Main(argv)
  return _Result(code, *streams.Texts())


class _TestCase(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    cls.config = testutils.MakeConfig(
      nodes=[testutils.MakeNode(1, master_candidate=True,
                                primary_ip="127.0.3.1"),
             testutils.MakeNode(2)],
      disks=[testutils.MakeDrbd(1, 1, 2)],
      instances=[testutils.MakeInstance(1, 1, disks=[1], nics=["192.0.2.51"]),
                 testutils.MakeInstance(2, 2, nics=["192.0.2.52"],
                                        beparams={"maxmem": 2048}),
                 testutils.MakeInstance(3, 1)])
    cls.daemon = testutils.Daemon(cls.config, address="127.0.3.1")
    cls.addClassCleanup(cls.daemon.Stop)
    cls.daemon.Start()
    directory = tempfile.TemporaryDirectory()
    cls.addClassCleanup(directory.cleanup)
    cls.exported = os.path.join(directory.name, "exported")
    os.mkdir(os.path.join(directory.name, "ganeti"))
    testutils.WriteFile(
      os.path.join(directory.name, "ganeti", "confd-client.conf"),
      ("[cluster one]\naddresses = 127.0.3.1\nport = %d\nkey_file = %s\n" %
       (cls.daemon.port, cls.daemon.key_file)).encode("utf-8"))
    patcher = mock.patch.dict(os.environ, XDG_CONFIG_HOME=directory.name)
    patcher.start()
    cls.addClassCleanup(patcher.stop)

  def _CommandLine(self, name, options):
    """Makes a command line that can be answered, but for the options.

    """
    flags = {option.partition("=")[0] for option in options}
    arguments = [i for i in _ARGUMENTS.get(name, [])
                 if i.partition("=")[0] not in flags]
    if name == "show-key" and not flags & {"--cluster", "--hmac-file"}:
      arguments = [self.daemon.key_file]
    # There nobody answers
    is_aside = bool(flags & {"--address", "--port", "--hmac"})
    if "--cluster" in flags or name == "clusters":
      # The settings say everything
      flags.update(["--address", "--port", "--hmac"])
    if not commandline.Find(name).asks:
      is_aside = False
      flags.update(["--address", "--port"] +
                   (["--hmac"] if name == "show-key" else []))
    words = []
    if "--address" not in flags:
      words.append("--address=127.0.3.1")
    if "--port" not in flags:
      words.append("--port=%d" % self.daemon.port)
    if "--hmac" not in flags and "--hmac-file" not in flags:
      words.append("--hmac-file=" + self.daemon.key_file)
    if is_aside and "--timeout" not in flags:
      words.append("--timeout=0.1")
    if name is None:
      if "--requests" not in flags:
        words.append("--requests=0")
    else:
      words.extend([name] + arguments)
    self._Adapt(name, flags, words)
    # Before the command and after it
    return words[:1] + options[:1] + words[1:] + options[1:]

  def _Adapt(self, name, flags, words):
    """Adapts a command line where an option excludes or needs another word.

    """
    if name == "evacuate" and "--all" in flags:
      words.remove("node1")
    elif name == "evacuate" and "--nagios" in flags:
      words[words.index("node1")] = "--all"
    if name is None and "--completion" in flags:
      # The option excludes all others
      words.clear()
    if name == commandline.EXPORT:
      words[-1:] = [_FORMATS.get(flag, words[-1]) for flag in flags
                    if flag in _FORMATS] or words[-1:]
      if "--then" in flags:
        words.append("--output=" + self.exported)

  def _Ask(self, name, *options):
    with contextlib.ExitStack() as stack:
      if name == commandline.WATCH:
        self._Interrupt(stack)
      return _Run(self._CommandLine(name, list(options)))

  def _Interrupt(self, stack):
    """Has "watch" see one change, and then a user's C-c.

    """
    def _Follow(begin, _=""):
      (change, *_) = itertools.islice(begin(print), 1)
      yield change._replace(old_serial=change.reply.serial + 1)
      raise KeyboardInterrupt
    stack.enter_context(mock.patch.object(watched, "Follow", _Follow))


class TestEachOption(_TestCase):
  def testAll(self):
    flags = {option.flags[-1]: option
             for option in commandline.AllOptions().values()}
    self.assertEqual(set(flags), set(self._CHECKS))
    for (flag, option) in flags.items():
      for name in [None, *commandline.COMMANDS]:
        with self.subTest(option=flag, command=name):
          self._Check(name, flag, option)

  def _Check(self, name, flag, option):
    """Checks that an option has the effect that it is there for.

    """
    text = "%s=%s" % (flag, _VALUES[flag]) if option.takes_value else flag
    if flag in ("--warning", "--critical") and name in _LIMITS:
      text = "%s=%s=0" % (flag, _LIMITS[name])
    if name == commandline.EXPORT:
      # Files are what these are about
      text = {"--output": "--output=" + self.exported,
              "--then": "--then=echo $CONFD_SERIAL >%s.then" % self.exported,
              }.get(flag, text)
    result = self._Ask(name, text)
    if any(flag in i.flags for i in commandline.Find(name).Options()):
      self._CHECKS[flag](self, name, result)
      return
    is_plugin = flag == "--nagios" or (name == "check" and
                                       flag != "--json-lines")
    self.assertEqual(result.code, 3 if is_plugin else 2)
    self.assertIn("%s has no option %s" % (
      name or "confd-client without a command", flag),
                  result.output + result.problems)

  def _Usual(self, name):
    result = self._Ask(name)
    self.assertEqual(result.code, 130 if name == commandline.WATCH else 0)
    self.assertTrue(result.output)
    return result.output

  def _CheckHelp(self, name, result):
    self.assertEqual(result.code, 0)
    self.assertTrue(result.output.startswith("usage: confd-client %s" %
                                             ("[" if name is None else name)))

  def _CheckVersion(self, _, result):
    self.assertEqual(result.code, 0)
    self.assertTrue(result.output.startswith("confd-client (ganeti-confd) "))

  def _CheckCompletion(self, _, result):
    self.assertEqual((result.code, result.problems), (0, ""))
    self.assertTrue(result.output.startswith("#compdef confd-client\n"))

  def _CheckCluster(self, name, result):
    """Checks that it is asked without any other option.

    """
    self.assertEqual(result.code, 130 if name == commandline.WATCH else 0)
    self.assertTrue(result.output)
    self.assertEqual(result.problems, "")

  def _CheckNobody(self, _, result):
    """Checks that nobody is where the option says, or has the key.

    """
    self.assertEqual(result.code, 3)
    self.assertRegex(result.output + result.problems,
                     "[Nn]o answer|nothing listens there|silent")

  def _CheckKeyFile(self, name, result):
    if name == "check":
      self.assertEqual(result.code, 3)
      self.assertIn("/nonexistent", result.output)
      return
    self.assertEqual((result.code, result.output), (1, ""))
    self.assertIn("/nonexistent", result.problems)

  def _CheckTimeout(self, name, _):
    with mock.patch.object(cli.clientlib, "Client",
                           side_effect=KeyboardInterrupt) as made:
      self._Ask(name, "--timeout=0.01")
    self.assertEqual(made.call_args[1]["timeout"], 0.01)

  def _CheckCoverage(self, name, result):
    self.assertEqual(result.code, 3 if name == "check" else 1)
    self.assertIn("Coverage 99 is more", result.output + result.problems)

  def _CheckJson(self, name, result):
    self.assertEqual(result.code, 130 if name == commandline.WATCH else 0)
    reply = json.loads(result.output)
    if name == "clusters":
      self.assertEqual(list(reply), ["clusters"])
      reply = reply["clusters"]["one"]
    others = {"status": ["key_days"],
              "clusters": ["master", "nodes", "instances"]}
    self.assertEqual(sorted(reply), sorted(
      ["answer", "candidates", "serial", "silent"] + others.get(name, [])))
    if not commandline.Find(name).asks:
      self.assertEqual((reply["serial"], reply["candidates"]), (None, []))
      return
    self.assertEqual(reply["serial"], 17)
    self.assertEqual([i["address"] for i in reply["candidates"]], ["127.0.3.1"])
    self.assertEqual(reply["silent"], {})

  def _CheckJsonLines(self, name, result):
    self.assertEqual(result.code, 0)
    rows = [json.loads(line) for line in result.output.splitlines()]
    self.assertEqual(rows, json.loads(self._Ask(name, "--json").output)
                     ["answer"])

  def _CheckHeaders(self, name, result):
    self.assertEqual(result.code, 0)
    self.assertEqual(len(result.output.splitlines()),
                     len(self._Usual(name).splitlines()) - 1)

  def _CheckSeparator(self, name, result):
    self.assertEqual(result.code, 0)
    self.assertIn("|", result.output)
    self.assertNotIn("|", self._Usual(name))

  def _CheckOther(self, name, result):
    """Checks that something else is printed than without the option.

    """
    self.assertEqual(result.code, 0)
    self.assertNotEqual(result.output, self._Usual(name))

  def _CheckOutput(self, name, result):
    if name != commandline.EXPORT:
      self._CheckOther(name, result)
      return
    self.assertEqual((result.code, result.output), (0, ""))
    self.assertEqual(testutils.ReadFile(self.exported).decode("ascii"),
                     self._Usual(name))
    os.unlink(self.exported)

  def _CheckThen(self, _, result):
    self.assertEqual((result.code, result.output), (0, ""))
    self.assertEqual(testutils.ReadFile(self.exported + ".then"), b"17\n")
    os.unlink(self.exported)

  def _CheckFormat(self, name, result):
    self.assertEqual(result.code, 0)
    self.assertRegex(result.output, "9256|inet filter")
    self.assertEqual(name, commandline.EXPORT)

  def _CheckDot(self, _, result):
    self.assertEqual(result.code, 0)
    self.assertTrue(result.output.startswith("digraph "))

  def _CheckSvg(self, _, result):
    self.assertEqual(result.code, 0)
    self.assertTrue(result.output.startswith("<svg "))

  def _CheckNagios(self, _, result):
    self.assertEqual(result.code, 0)
    self.assertTrue(result.output.startswith("CONFD OK "))

  def _CheckOnly(self, _, result):
    self.assertEqual(result.code, 0)
    self.assertEqual(len(result.output.splitlines()), 2)

  def _CheckLimits(self, name, result):
    """Checks that it is for Nagios.

    """
    self.assertEqual(result.code, 2)
    self.assertIn(" needs --nagios", result.problems)
    limit = _LIMITS[name]
    result = self._Ask(name, "--nagios", "-w", limit + "=3", "-c", limit + "=4")
    self.assertEqual(result.code, 0)
    self.assertIn(" %s=0;3;4;0" % limit, result.output)

  def _CheckPrometheus(self, _, result):
    self.assertEqual(result.code, 0, result.problems)
    self.assertIn("ganeti_confd_up{", result.output)

  def _CheckIgnore(self, name, result):
    """Checks that it knows the check, and that it knows no other.

    """
    self.assertEqual(result.code, 0)
    self.assertEqual(self._Ask(name, "--ignore=nothing").code, 3)

  def _CheckPrimaryOnly(self, name, result):
    """Checks that mirrors are left out.

    """
    self.assertEqual(result.output, self._Usual(name))
    with mock.patch.dict(_ARGUMENTS, {name: ["node2"]}):
      self.assertIn("inst1", self._Ask(name).output)
      self.assertNotIn("inst1", self._Ask(name, "--primary-only").output)

  def _CheckExec(self, _, result):
    self.assertEqual(result.code, 2)
    self.assertIn("has to stand after watch", result.problems)

  def _CheckInitial(self, _, result):
    self.assertEqual(result.code, 2)
    self.assertIn("needs a command", result.problems)

  def _CheckRequests(self, _, result):
    self.assertEqual(result.code, 0)
    self.assertIn("ms per ping request", result.output)

  def _CheckEveryNode(self, _, result):
    self.assertEqual((result.code, result.problems), (0, ""))
    (headers, *rows, note) = result.output.splitlines()
    self.assertTrue(headers.startswith("Node "))
    # inst1 has a mirror, and the others have no disk
    self.assertEqual([row.split()[:3] for row in rows],
                     [["node1.example.com", "2", "0"],
                      ["node2.example.com", "1", "0"]])
    self.assertIn("is not in it", note)

  _CHECKS = {
    "--help": _CheckHelp,
    "--version": _CheckVersion,
    "--cluster": _CheckCluster,
    "--address": _CheckNobody,
    "--port": _CheckNobody,
    "--hmac": _CheckNobody,
    "--hmac-file": _CheckKeyFile,
    "--timeout": _CheckTimeout,
    "--coverage": _CheckCoverage,
    "--json": _CheckJson,
    "--json-lines": _CheckJsonLines,
    "--no-headers": _CheckHeaders,
    "--separator": _CheckSeparator,
    "--output": _CheckOutput,
    "--then": _CheckThen,
    "--target-port": _CheckFormat,
    "--table": _CheckFormat,
    "--filter": _CheckOther,
    "--sort": _CheckOther,
    "--reverse": _CheckOther,
    "--units": _CheckOther,
    "--csv": _CheckOther,
    "--dot": _CheckDot,
    "--svg": _CheckSvg,
    "--nagios": _CheckNagios,
    "--only": _CheckOnly,
    "--warning": _CheckLimits,
    "--critical": _CheckLimits,
    "--prometheus": _CheckPrometheus,
    "--ignore": _CheckIgnore,
    "--primary-only": _CheckPrimaryOnly,
    "--all": _CheckEveryNode,
    "--requests": _CheckRequests,
    "--completion": _CheckCompletion,
    "--exec": _CheckExec,
    "--initial": _CheckInitial,
    "--may": _CheckOther,
    "--until": _CheckOther,
    }


class TestOptionsTogether(_TestCase):
  """An option without effect beside another option is refused.

  """
  def test(self):
    forms = ["--json", "--json-lines", "--csv", "--dot", "--nagios",
             "--prometheus"]
    looks = ["--no-headers", "--separator=|", "--units=g"]
    fine = [("--csv", "--no-headers"), ("--csv", "--units=g")]
    count = 0
    for (name, command) in commandline.COMMANDS.items():
      has = {flag for option in command.Options() for flag in option.flags}
      for (form, other) in itertools.product(forms, forms + looks):
        if form == other or not {form, other.partition("=")[0]} <= has:
          continue
        count += 1
        with self.subTest(command=name, options=[form, other]):
          result = self._Ask(name, form, other)
          if (form, other) in fine:
            self.assertEqual(result.code, 0)
            continue
          self.assertEqual(result.code,
                           3 if "--nagios" in (form, other) else 2)
          self.assertIn("exclude each other", result.output + result.problems)
    self.assertGreater(count, 20)


if __name__ == "__main__":
  unittest.main()

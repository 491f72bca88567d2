#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The program has all that doc/compatibility.rst promises.

C{test/promised} has a line for each name and number. A line that is there, and
is not found in the program, is a promise broken; one that is found, and is not
there, is a promise that somebody has to give on purpose, by adding the line.
devel/release compares the lines with those of the release before.

"""

import argparse
import contextlib
import inspect
import json
import os
import re
import types
import typing
import unittest
from unittest import mock

import testutils

from ganeti import constants
from ganeti.confd import client
from ganeti.confd import protocol
from ganeti.confd import testing
from ganeti.confd.clientlib import settings
from ganeti.confd.command import commandline
from ganeti.confd.command import exitcodes
from ganeti.confd.daemon import optionparser
from ganeti.confd.protocol import keyfile
from ganeti.confd.protocol import readerkey
from ganeti.confd.protocol import wire
from ganeti.confd.schema import columns
from ganeti.confd.views import checks

try:
  from ganeti.confd.exporter import main as exporter
except ImportError:
  exporter = None


_PROMISED = os.path.join(testutils.SRCDIR, "test", "promised")

_DOC = os.path.join(testutils.SRCDIR, "doc")


#: As "confd-client make-key" has made it from C{testutils.KEY}
_KEY_FILE = b"""\
confd reader key 1
label: grafana:list,ping:never
key: aaac461605dcd2cfa6fb75e97748550afcc239025943ac6bfca33f3c422b6e18
"""


#: Classes whose objects a program gets from calls, and never makes itself
_MADE_BY_CALLS = frozenset(["AsyncFollowing", "Following"])


def _IsOurs(value):
  return str(getattr(value, "__module__", "")).startswith("ganeti.")


def _Callable(name, function):
  """Yields a line for a function, and one for each of its parameters.

  """
  yield name + "()"
  for parameter in inspect.signature(function).parameters.values():
    if parameter.name != "self":
      yield "%s() takes %s%s" % (
        name, {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(
          parameter.kind, ""), parameter.name)


def _Class(name, cls):
  """Yields lines for what a class has.

  """
  yield name
  members = {}
  for base in reversed(cls.__mro__):
    if _IsOurs(base):
      members.update(vars(base))
  for member in sorted(set(members) | set(getattr(cls, "_fields", ()))):
    if member.startswith("_") and (member != "__init__" or
                                   name in _MADE_BY_CALLS):
      continue
    value = getattr(cls, member)
    if inspect.isfunction(value) or inspect.ismethod(value):
      yield from _Callable("%s.%s" % (name, member), value)
    else:
      yield "%s.%s" % (name, member)


def _Python():
  """Yields what C{ganeti.confd.client} has.

  Of what asks, only the calls that its page names are for others.

  """
  page = testutils.ReadFile(os.path.join(_DOC, "client.rst")).decode("utf-8")
  for name in sorted({*vars(client), *client._ON_DEMAND}):
    value = getattr(client, name)
    if ((name.startswith("_") and name != "__version__") or
        isinstance(value, types.ModuleType) or hasattr(typing, name) or
        name == "annotations"):
      continue
    if isinstance(value, type):
      for line in _Class(name, value):
        member = re.match(r"(?:Async)?Client\.([A-Za-z]\w*)", line)
        if member is None or re.search(r"\b%s\b" % member.group(1), page):
          yield line
    elif inspect.isfunction(value):
      yield from _Callable(name, value)
    else:
      yield name


def _Testing():
  """Yields what C{ganeti.confd.testing} has for programs: what its page names.

  """
  page = testutils.ReadFile(os.path.join(_DOC, "testing.rst")).decode("utf-8")
  for name in testing.__all__:
    value = getattr(testing, name)
    if not isinstance(value, type):
      yield from _Callable(name, value)
      continue
    for line in _Class(name, value):
      member = re.match(r"\w+\.([A-Za-z]\w*)", line)
      if ((member is None or re.search(r"\b%s\b" % member.group(1), page)) and
          # Only fakes make candidates
          not line.startswith("Candidate.__init__")):
        yield line


def _Flags(parse):
  """Yields the options of a command line.

  @param parse: the function that makes a parser and calls it

  """
  parsers = []

  def _Keep(self, *_):
    parsers.append(self)
    raise SystemExit()

  with mock.patch.object(argparse.ArgumentParser, "parse_args", _Keep), \
       contextlib.suppress(SystemExit):
    parse([])
  (parser, ) = parsers
  for action in parser._actions:
    yield from action.option_strings


def _Commands():
  """Yields the commands of confd-client, with their arguments and options.

  """
  for (name, command) in [("", commandline.NO_COMMAND),
                          *commandline.COMMANDS.items()]:
    line = "confd-client " + name if name else "confd-client"
    yield line
    for argument in command.arguments:
      yield "%s %s" % (line, argument.Usage())
    # Options that most commands have stand with no command
    for option in command.options if name else command.Options():
      for flag in option.flags:
        yield "%s %s" % (line, flag)


def _Json(schema, path):
  """Yields what a schema says of values: their places and types.

  """
  if "$ref" in schema:
    yield "%s: a %s" % (path, schema["$ref"].rpartition("/")[2])
  for part in ("anyOf", "allOf", "oneOf"):
    for item in schema.get(part, ()):
      yield from _Json(item, path)
  kinds = schema.get("type", [])
  for kind in [kinds] if isinstance(kinds, str) else kinds:
    yield "%s: %s" % (path, kind)
  for value in schema.get("enum", ()):
    yield "%s: %s" % (path, json.dumps(value))
  for (name, item) in schema.get("properties", {}).items():
    yield from _Json(item, "%s.%s" % (path, name))
  for (key, name) in [("items", "[]"), ("additionalProperties", ".*")]:
    item = schema.get(key)
    for (index, part) in enumerate(item if isinstance(item, list) else [item]):
      if isinstance(part, dict):
        yield from _Json(part,
                         path + (name if item is part else "[%d]" % index))


def _Replies():
  """Yields what confd-client prints with --json.

  """
  schema = json.loads(testutils.ReadFile(
    os.path.join(_DOC, "confd-client.schema.json")))
  definitions = dict(schema["definitions"])
  for (name, item) in definitions.pop("commands").items():
    yield from _Json(item, name)
  for (name, item) in definitions.items():
    yield from _Json(item, "a " + name)


def _Metrics():
  """Yields the metrics, which test_exporter compares with this page.

  """
  for (name, labels) in testutils.MetricsPage().items():
    yield name
    for label in labels:
      yield "%s{%s}" % (name, label)


def _Exporter():
  """Yields options and pages of confd-exporter.

  """
  text = testutils.ReadFile(os.path.join(_DOC, "confd-exporter.rst")
                            ).decode("utf-8")
  for line in re.findall(r"^(?:--\w[\w-]*|/\w.*)", text, re.MULTILINE):
    yield from line.split(", ")


def _Settings():
  """Yields what may be in the settings, and in the environment.

  """
  for (section, options) in [
      (settings._GENERAL, settings._GENERAL_OPTIONS),
      (settings._CLUSTER_SECTION + "NAME", settings._CLUSTER_OPTIONS)]:
    for name in options:
      yield "[%s] %s" % (section, name)
  for name in (settings.CLUSTER_VARIABLE, settings.ADDRESS_VARIABLE,
               settings.KEY_VARIABLE):
    yield "$" + name


def _Errors():
  """Yields the protocol's errors.

  """
  for (name, number) in [*vars(constants).items(), *vars(protocol).items()]:
    match = re.match(r"(?:CONFD_)?(ERROR_\w+)", name)
    if match:
      yield "%d %s" % (number, match.group(1))


def _Fields():
  """Yields the fields of tables.

  """
  for (kind, table) in columns.TABLES.items():
    known = [param.prefix + key for param in table.params
             for key in param.known]
    for name in [*table.columns, *table.aliases, *known]:
      # There are as many as an instance may have disks and interfaces
      yield "%s %s: %s" % (kind, re.sub(r"/[0-9]+(?=/|$)", "/N", name),
                           columns.Describe(kind, name).kind)


def _Found():
  """Yields all lines that L{_PROMISED} should have.

  """
  for (topic, lines) in [
      ("python", _Python()),
      ("testing", _Testing()),
      ("command", _Commands()),
      ("daemon", _Flags(optionparser.Parse)),
      ("exporter", _Exporter()),
      ("exit", ("%d %s" % (code, name) for (name, code)
                in vars(exitcodes).items() if name.isupper())),
      ("json", _Replies()),
      ("metric", _Metrics()),
      ("setting", _Settings()),
      ("field", _Fields()),
      ("finding", checks.CHECKS),
      ("request", ("%d %s" % (number, name) for (name, number)
                   in protocol.REQUEST_TYPES.items())),
      ("error", _Errors()),
      ("role", ("%d %s" % item for item in protocol.NODE_ROLES.items())),
      ("right", readerkey.RIGHTS | {readerkey.ALL}),
      ]:
    for line in lines:
      yield "%s %s" % (topic, line)


class TestPromises(unittest.TestCase):
  def testAll(self):
    text = testutils.ReadFile(_PROMISED).decode("ascii")
    promised = [line for line in text.splitlines()
                if line and not line.startswith("#")]
    self.assertEqual(promised, sorted(set(promised)), "not in order")
    found = set(_Found())
    self.assertGreater(len(found), 800)
    self.assertEqual(sorted(set(promised) - found), [],
                     "promised, and gone or changed")
    self.assertEqual(sorted(found - set(promised)), [],
                     "new: with a line in test/promised they are promised")

  @unittest.skipIf(exporter is None, "aiohttp is not installed (Debian:"
                   " python3-aiohttp)")
  def testOptionsOfTheExporter(self):
    """The exporter's page has all its options.

    """
    self.assertEqual(
      set(_Flags(exporter._ParseArguments)) - {"-h", "--help"},
      {line for line in _Exporter() if line.startswith("--")})

  def testKeyFile(self):
    """A reader's file that version 1.0.0 has made is good for ever.

    """
    key = keyfile.Parse(_KEY_FILE, "key")
    self.assertIsInstance(key, wire.ReaderKey)
    label = readerkey.Make("grafana", ["list", "ping"], None)
    self.assertEqual(keyfile.LabelOf(key), label)
    self.assertEqual(keyfile.Format(testutils.KEY, label),
                     _KEY_FILE.decode("ascii"))



if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Help, completion, imports and api.rst show the public names, and no others.

"""

import importlib.util
import inspect
import json
import os
import pkgutil
import pydoc
import re
import rlcompleter
import subprocess
import sys
import tempfile
import unittest

import testutils

from ganeti.confd import client
from ganeti.confd import clientlib
from ganeti.confd import protocol
from ganeti.confd import testing


#: Completions by Jedi: code that ends with a dot, and some of the names that an
#: editor then has to propose
_COMPLETED = [
  ("client.", ["AsyncClient", "Change", "Client", "FilterError", "Label",
               "NoAnswer", "TableName"]),
  ("confd = client.Client()\nconfd.", ["Follow", "List", "NodeRole"]),
  ("with client.Client() as confd:\n  confd.MasterNode().",
   ["answer", "candidates", "serial", "silent"]),
  ("confd = client.Client()\nconfd.MasterNode().answer.", ["split"]),
  ("confd = client.Client()\nconfd.NodeDrbd('a').answer[0].",
   ["minor", "peer"]),
  ("confd = client.Client()\nconfd.Status().candidates[0].",
   ["behind", "problem"]),
  ("for change in client.Client().Follow('nodes', ['name']):\n  change.",
   ["came", "changed", "went"]),
  ("async def Main():\n"
   "  async with client.AsyncClient() as confd:\n"
   "    (await confd.MasterInfo()).answer.", ["master_ip", "node"]),
  ("async def Main():\n"
   "  async with client.AsyncClient() as confd:\n"
   "    async for change in confd.Follow('nodes', ['name']):\n"
   "      change.", ["came", "changed", "went"]),
  ("try:\n  pass\nexcept client.NoAnswer as err:\n  err.", ["asked", "silent"]),
  ]

#: Completes the texts of a list with Jedi. A process of its own: Jedi changes
#: the limit of recursion.
_COMPLETER = """
import json
import sys

import jedi

(modules, cache) = sys.argv[1:]
jedi.settings.cache_directory = cache
project = jedi.Project(modules)
names = []
for code in json.load(sys.stdin):
  script = jedi.Script("from ganeti.confd import client\\n" + code,
                       environment=jedi.InterpreterEnvironment(),
                       project=project)
  names.append([completion.name for completion in script.complete()])
json.dump(names, sys.stdout)
"""

#: The markup of docstrings
_MARKUP_RE = re.compile(r"\b[A-Z]\{")

#: A name of an internal module, also by an alias such as replylib
_INTERNAL_RE = re.compile(r"\b(?:replylib|%s)\.[A-Z]\w*[a-z]" % "|".join(
  module.name for package in (clientlib, protocol)
  for module in pkgutil.iter_modules(package.__path__)))


def _Public():
  """Returns the public classes and functions, by name.

  """
  names = {"client." + name: getattr(client, name) for name in client.__all__}
  names.update(("testing." + name, getattr(testing, name))
               for name in testing.__all__)
  return {name: value for (name, value) in names.items()
          if inspect.isclass(value) or inspect.isfunction(value)}


class TestNames(unittest.TestCase):
  def testAll(self):
    self.assertEqual(len(client.__all__), len(set(client.__all__)))
    self.assertEqual(set(client._ON_DEMAND) - set(client.__all__), set())
    for name in client.__all__:
      with self.subTest(name=name):
        self.assertTrue(hasattr(client, name))

  def testDir(self):
    self.assertEqual({i for i in dir(client) if not i.startswith("__")},
                     {i for i in client.__all__ if not i.startswith("__")})

  def testStar(self):
    names = {}
    # pylint: disable=W0122
    exec("from ganeti.confd.client import *", names)
    self.assertEqual(set(names) - {"__builtins__"}, set(client.__all__))


class TestCompletion(unittest.TestCase):
  def testInterpreter(self):
    completer = rlcompleter.Completer({"client": client})
    found = {i.rstrip("()") for i in completer.attr_matches("client.")}
    self.assertEqual(found, {"client." + i for i in client.__all__
                             if not i.startswith("_")})

  @unittest.skipUnless(importlib.util.find_spec("jedi"),
                       "no Jedi (Debian: python3-jedi)")
  def testJedi(self):
    with tempfile.TemporaryDirectory() as cache:
      output = testutils.Run(
        [sys.executable, "-c", _COMPLETER, testutils.MODULEDIR, cache],
        input=json.dumps([code for (code, _) in _COMPLETED]), check=True,
        stdout=subprocess.PIPE, encoding="ascii", timeout=600,
        env=dict(os.environ, PYTHONPATH=testutils.MODULEDIR)).stdout
    completed = json.loads(output)
    self.assertEqual(len(completed), len(_COMPLETED))
    for ((code, wanted), found) in zip(_COMPLETED, completed):
      with self.subTest(code):
        self.assertEqual(set(wanted) - set(found), set())


class TestHelp(unittest.TestCase):
  def testModule(self):
    text = pydoc.plain(pydoc.render_doc(client))
    for name in client.__all__:
      if inspect.isclass(getattr(client, name)):
        with self.subTest(name):
          self.assertIn(getattr(client, name).__name__, text)
    self.assertNotIn("class QuorumQuery", text)
    for module in (client, testing):
      self.assertNotRegex(module.__doc__, _MARKUP_RE)

  def testPublic(self):
    """No markup, and no name of an internal module.

    """
    for (name, value) in _Public().items():
      with self.subTest(name):
        text = pydoc.plain(pydoc.render_doc(value))
        self.assertNotRegex(text, _MARKUP_RE)
        # The modules of base classes are Python's own addition
        lines = [i for i in text.splitlines() if "ganeti.confd." not in i]
        if name.startswith("client."):
          self.assertEqual([i for i in lines if _INTERNAL_RE.search(i)], [])

  def testResultOfFollow(self):
    """The iterator is that of the client.

    """
    for name in ("Follow", "FollowCall", "FollowQuery"):
      with self.subTest(name):
        blocking = inspect.signature(getattr(client.Client, name))
        awaited = inspect.signature(getattr(client.AsyncClient, name))
        self.assertEqual(blocking.return_annotation, "client.Following")
        self.assertEqual(awaited.return_annotation, "client.AsyncFollowing")
        self.assertEqual(blocking.parameters, awaited.parameters)


class TestReference(unittest.TestCase):
  def testAll(self):
    """doc/api.rst has each public name.

    """
    page = testutils.ReadFile(os.path.join(testutils.SRCDIR, "doc",
                                           "api.rst")).decode("utf-8")
    found = re.findall(r"^\.\. (?:auto)?(?:class|exception|function|data):: "
                       r"(\w+)$", page, re.MULTILINE)
    self.assertEqual(sorted(found), sorted(client.__all__))


if __name__ == "__main__":
  unittest.main()

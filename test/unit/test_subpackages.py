#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests which subpackages of lib/confd import which"""

import ast
import os
import unittest

import testutils


_CONFD = os.path.join(testutils.SRCDIR, "lib", "confd")

#: The name here for the modules at the top that daemon and clients share
_SHARED = "shared"

#: The other modules at the top, with the subpackage that each belongs to
_AT_TOP = {
  "client": "client",
  "querylib": "serving",
  "server": "serving",
  }

#: The other subpackages that each may import from
_BASE = ["protocol", "schema", _SHARED]

#: Subpackage to those that its modules may import from, besides itself
_MAY_IMPORT = {
  "protocol": [],
  "schema": ["protocol"],
  _SHARED: ["protocol"],
  "config": _BASE,
  "serving": _BASE + ["config"],
  "daemon": _BASE + ["config", "serving"],
  "clientlib": _BASE,
  "client": _BASE + ["clientlib"],
  # A fake has the clients' code on one side, the daemon's on the other
  "testing": _BASE + ["config", "serving", "clientlib"],
  "findings": _BASE,
  "views": _BASE + ["findings"],
  "export": _BASE,
  "command": _BASE + ["clientlib", "client", "views", "export"],
  "exporter": _BASE + ["clientlib", "client", "views", "export"],
  }

#: The modules that each module may import; "" is the package itself
_EVERYWHERE = frozenset(["", "_version", "typed"])

#: Exceptions, each with its reason: a module, and another that it imports
_MORE = frozenset([
  # The watchdog asks the daemon as any client would, in a process of its own
  ("daemon.watchdog", "client"),
  ])

#: Imports for annotations alone, each with its reason: a module, and another
#: that it imports. At run time there is no such import, so a circle does no
#: harm.
_FOR_TYPES = frozenset([
  # The signatures of the calls have the names by which programs know the types
  ("clientlib.questions", "client"),
  ("clientlib.sync", "client"),
  ])

#: The modules of Ganeti's that may be used: each Ganeti 3.x has them
_SEAM = frozenset(["confd", "constants", "errors", "pathutils"])


#: Aliases in C{typing} of classes that are generic themselves, as C{dict}
_ALIASES = frozenset("typing." + name for name in (
  "Dict", "FrozenSet", "List", "Set", "Tuple", "Type"))


def _Modules():
  """Yields each module's name below C{ganeti.confd}, and its path.

  A subpackage's C{__init__.py} is a module of the subpackage's name.

  """
  for (directory, _, names) in os.walk(_CONFD):
    for name in names:
      if name.endswith(".py"):
        path = os.path.join(directory, name)
        module = os.path.relpath(path, _CONFD)[:-len(".py")]
        module = module.replace(os.sep, ".")
        yield (module.rpartition(".__init__")[0] or module, path)


def _Subpackage(module):
  (name, dot, _) = module.partition(".")
  if dot or os.path.isdir(os.path.join(_CONFD, name)):
    return name
  return _AT_TOP.get(module, _SHARED)


def _Parse(path):
  with open(path, encoding="utf-8") as source:
    return ast.parse(source.read())


def _WithoutTypes(tree):
  """Yields the statements of a module but those for type checkers.

  """
  for item in tree.body:
    if not (isinstance(item, ast.If) and isinstance(item.test, ast.Name) and
            item.test.id == "TYPE_CHECKING"):
      yield from ast.walk(item)


def _Imports(path):
  """Lists what a module imports, wherever in it.

  @return: full names, "ganeti.confd.client" for C{from ganeti.confd import
    client}

  """
  yield from _ImportsOf(ast.walk(_Parse(path)))


def _ImportsOf(items):
  for item in items:
    if isinstance(item, ast.Import):
      yield from (alias.name for alias in item.names)
    elif isinstance(item, ast.ImportFrom):
      assert item.level == 0, "relative import of %s" % item.module
      yield from ("%s.%s" % (item.module, alias.name) for alias in item.names)


def _Targets(modules, path):
  """Yields the modules below C{ganeti.confd} that a module imports.

  @param modules: all there are
  @return: tuples of (full name in the import, module)

  """
  for name in _Imports(path):
    if not name.startswith("ganeti.confd."):
      continue
    target = name[len("ganeti.confd."):]
    # The last part may be a name in a module
    if target not in modules:
      target = target.rpartition(".")[0]
    if target not in _EVERYWHERE:
      yield (name, target)


def _Circle(graph):
  """Finds modules that import each other.

  @param graph: dict; module to the modules that it imports
  @return: a list of modules, each of which imports the next, and the last one
    the first; None if there is no circle

  """
  done = set()

  def _Search(path):
    for target in sorted(graph[path[-1]]):
      if target in path:
        return path[path.index(target):]
      if target not in done:
        found = _Search(path + [target])
        if found:
          return found
    done.add(path[-1])
    return None
  for module in sorted(graph):
    found = None if module in done else _Search([module])
    if found:
      return found
  return None


class TestSubpackages(unittest.TestCase):
  def testNoCircles(self):
    """Also within a subpackage, and wherever in a module the import is.

    """
    modules = dict(_Modules())
    self.assertIsNone(_Circle({
      module: {target for (_, target) in _Targets(modules, path)
               if target != module and (module, target) not in _FOR_TYPES}
      for (module, path) in modules.items()}))

  def testForTypes(self):
    """Imports that are for annotations alone are made by type checkers alone.

    """
    modules = dict(_Modules())
    for (module, target) in _FOR_TYPES:
      name = "ganeti.confd." + target
      self.assertIn(name, _Imports(modules[module]))
      self.assertNotIn(name, _ImportsOf(_WithoutTypes(_Parse(
        modules[module]))))

  def testFindsCircles(self):
    self.assertIsNone(_Circle({"a": ["b", "c"], "b": ["c"], "c": []}))
    self.assertEqual(_Circle({"a": ["b"], "b": ["c"], "c": ["b"]}),
                     ["b", "c"])

  def testOneWay(self):
    modules = dict(_Modules())
    used = set()
    for (module, path) in modules.items():
      for name in _Imports(path):
        if name.startswith("ganeti."):
          self.assertIn(name.split(".")[1], _SEAM,
                        "%s imports %s" % (module, name))
      for (name, target) in _Targets(modules, path):
        self.assertIn(target, modules, "%s imports %s" % (module, name))
        allowed = [_Subpackage(module)] + _MAY_IMPORT[_Subpackage(module)]
        if _Subpackage(target) in allowed or (module, target) in _FOR_TYPES:
          continue
        self.assertIn((module, target), _MORE,
                      "%s (%s) imports %s (%s)" %
                      (module, _Subpackage(module), target,
                       _Subpackage(target)))
        used.add((module, target))
    self.assertEqual(used, _MORE, "an exception that is not needed")

  def testBuiltinGenerics(self):
    for (module, path) in _Modules():
      with self.subTest(module):
        self.assertFalse(_ALIASES.intersection(_Imports(path)))

  def testAllExist(self):
    names = {_Subpackage(module) for (module, _) in _Modules()}
    self.assertEqual(names, set(_MAY_IMPORT))


if __name__ == "__main__":
  unittest.main()

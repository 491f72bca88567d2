#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests that the rooms of lib/confd import one way only"""

import ast
import os
import unittest

import testutils


_CONFD = os.path.join(testutils.SRCDIR, "lib", "confd")

#: What daemon and clients share
_SHARED = "shared"

#: The modules at the top that are doors to other rooms
_DOORS = {
  "client": "client",
  "answers": "server",
  "querylib": "server",
  "responder": "server",
  "server": "server",
  "waiting": "server",
  }

#: What each room above these three may import from
_BASE = ["protocol", "schema", _SHARED]

#: Room to the rooms that its modules may import from, beside itself
_MAY_IMPORT = {
  "protocol": [],
  "schema": [],
  _SHARED: ["protocol"],
  "config": _BASE,
  "server": _BASE + ["config"],
  "daemon": _BASE + ["config", "server"],
  "clientlib": _BASE,
  "client": _BASE + ["clientlib"],
  "findings": _BASE,
  "views": _BASE + ["findings"],
  "export": _BASE,
  "command": _BASE + ["clientlib", "client", "views", "export"],
  "exporter": _BASE + ["clientlib", "client", "views", "export"],
  }

#: (module, what it imports beyond that): each with its reason
_MORE = frozenset([
  # The watchdog asks the daemon as any client would, in a process of its own
  ("daemon.watchdog", "client"),
  ])

#: What of the package "ganeti" may be used: each Ganeti 3.x has it
_SEAM = frozenset(["confd", "constants", "errors", "pathutils"])


def _Modules():
  """Yields each module's name below C{ganeti.confd}, and its path.

  A room with an C{__init__.py} is a module of the room's name.

  """
  for (directory, _, names) in os.walk(_CONFD):
    for name in names:
      if name.endswith(".py"):
        path = os.path.join(directory, name)
        module = os.path.relpath(path, _CONFD)[:-len(".py")]
        module = module.replace(os.sep, ".")
        yield (module.rpartition(".__init__")[0] or module, path)


def _Room(module):
  (room, dot, _) = module.partition(".")
  if dot or os.path.isdir(os.path.join(_CONFD, room)):
    return room
  return _DOORS.get(module, _SHARED)


def _Imports(path):
  """Lists what a module imports, wherever in it.

  @return: full names, "ganeti.confd.client" for "from ganeti.confd import client"

  """
  with open(path, encoding="utf-8") as source:
    tree = ast.parse(source.read())
  for item in ast.walk(tree):
    if isinstance(item, ast.Import):
      yield from (alias.name for alias in item.names)
    elif isinstance(item, ast.ImportFrom):
      assert item.level == 0, "%s: relative import" % path
      yield from ("%s.%s" % (item.module, alias.name) for alias in item.names)


class TestRooms(unittest.TestCase):
  def testOneWay(self):
    modules = dict(_Modules())
    used = set()
    for (module, path) in modules.items():
      for name in _Imports(path):
        if not name.startswith("ganeti."):
          continue
        parts = name.split(".")
        self.assertIn(parts[1], _SEAM, "%s imports %s" % (module, name))
        if parts[1] != "confd" or len(parts) == 2:
          continue
        target = ".".join(parts[2:])
        # The last part may be something in a module
        if target not in modules:
          target = target.rpartition(".")[0]
        if target in ("", "_version"):
          continue
        self.assertIn(target, modules, "%s imports %s" % (module, name))
        allowed = [_Room(module)] + _MAY_IMPORT[_Room(module)]
        if _Room(target) in allowed:
          continue
        self.assertIn((module, target), _MORE,
                      "%s (%s) imports %s (%s)" %
                      (module, _Room(module), target, _Room(target)))
        used.add((module, target))
    self.assertEqual(used, _MORE, "exceptions that nobody needs")

  def testEveryRoomIsThere(self):
    rooms = {_Room(module) for (module, _) in _Modules()}
    self.assertEqual(rooms, set(_MAY_IMPORT))


if __name__ == "__main__":
  unittest.main()

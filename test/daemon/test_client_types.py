#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""A user's program is checked by mypy --strict as ours is.

So are the programs of doc/client.rst and doc/testing.rst, whose functions have
no annotations.

"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

import testutils

try:
  import mypy
except ImportError:
  mypy = None


#: The calls' results, by the type that mypy has to see; it tells others
_PROGRAM = """
from typing import Any, Dict, Iterator, List, Optional

from ganeti import constants, errors
from ganeti.confd import client


def Failed(err: Optional[Exception]) -> None:
  if isinstance(err, client.ErrorAnswer):
    kind: Optional[str] = err.unknown
    print(kind, err.value, err.reply.serial, err.status, err.code)
  elif isinstance(err, client.StaleAnswer):
    behind: int = err.min_serial - err.serial
    print(behind)
  elif isinstance(err, client.NoAnswer):
    why: Dict[str, Optional[str]] = err.silent
    print(", ".join(err.asked), why, err.seconds)
  elif isinstance(err, errors.ConfdClientError):
    print(err)


def Follow(confd: client.Client, table: client.TableName) -> None:
  on_error: client.ErrorCallback = Failed
  following: client.Following = confd.Follow(table, ["name"], on_error=on_error)
  label: Optional[client.Label] = confd.reader
  for change in following:
    for (old, new) in change.changed.values():
      print(old, new, change.reply.serial, label and label.name)
  changes: Iterator[client.Change] = confd.FollowQuery(
    constants.CONFD_REQ_CLUSTER_MASTER)
  print(next(changes))
  changes = confd.FollowCall(Offline)


async def Offline(confd: client.AsyncClient) -> client.Reply[List[str]]:
  return await confd.OfflineNodes()


def Sync(confd: client.Client) -> None:
  version: int = confd.Ping().answer
  name: str = confd.MasterNode().answer
  master: client.MasterInfo = confd.MasterInfo().answer
  ips: List[str] = confd.NodeIps().answer
  where: Optional[str] = confd.NodesOfInstanceIps(ips).answer[0].node_ip
  minor: int = confd.NodeDrbd(name).answer[0].minor
  rows: List[List[Any]] = confd.List("nodes", ["name"]).answer
  named: List[Dict[str, Any]] = confd.List("nodes", ["name"],
                                           named=True).answer
  tables: Dict[str, List[Dict[str, Any]]] = confd.Tables({
    "node": ["name"], "instance": ["name", "pnode"]}).answer
  offline: List[str] = confd.OfflineNodes().answer
  primary: Dict[str, str] = confd.PrimaryNodes().answer
  behind: Optional[int] = confd.Status().candidates[0].behind
  memory: Optional[int] = confd.Stats().daemons[0].memory
  text: str = confd.Fields("disk").answer[0].text
  reply: client.Reply[int] = confd.Serial()
  print(tables, version, master.master_ip, where, minor, rows, named, offline,
        primary, behind, memory, text, reply.serial)


async def Async() -> Dict[str, Any]:
  async with client.AsyncClient(cluster="fsn") as confd:
    return (await confd.List("node", ["name"], named=True)).answer[0]
"""

#: A line that is wrong, and what mypy says
_WRONG = [
  ("client.Client().NodeRole(5)", "incompatible type"),
  ("x: str = client.Client().Serial().answer", "Incompatible types"),
  ("client.Client().List('node', ['name'], named=True).answer[0][1]",
   "Invalid index type"),
  ("client.Client().Status().candidates[0].nmae", "has no attribute"),
  ("client.Client().List('nodez', ['name'])", "No overload variant"),
  ("client.NoAnswer('x').sillent", "has no attribute"),
  ("constants.CONFD_REQ_PNG", "has no attribute"),
  ]

#: The pages, and how many programs each has at least
_PAGES = [("client.rst", 10), ("testing.rst", 6)]

_BLOCK_RE = re.compile(r"^\.\. code-block:: python\n\n((?:  .*\n|\n)+)",
                       re.MULTILINE)

#: The name of a program that others import, in the program's first line
_FILE_RE = re.compile(r"# (\w+\.py)\n")


def _Programs(page):
  """Returns the programs of a page by the name of the file.

  """
  text = testutils.ReadFile(os.path.join(testutils.SRCDIR, "doc", page))
  programs = {}
  for block in _BLOCK_RE.findall(text.decode("utf-8")):
    program = re.sub("^  ", "", block, flags=re.MULTILINE)
    name = _FILE_RE.match(program)
    programs[name.group(1) if name else "program%d.py" % len(programs)] = (
      program)
  return programs


@unittest.skipUnless(mypy, "mypy is not installed (Debian: mypy)")
class TestUsersProgram(unittest.TestCase):
  def _Mypy(self, tmpdir, *args):
    """Runs mypy, and returns the lines of errors.

    """
    result = testutils.Run(
      [sys.executable, "-m", "mypy", "--config-file",
       os.path.join(testutils.SRCDIR, "mypy.ini"), "--strict", "--no-pretty",
       "--cache-dir", os.path.join(tmpdir, "cache"), *args],
      cwd=tmpdir, env=dict(os.environ, MYPYPATH=testutils.MODULEDIR),
      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
      check=False, timeout=300)
    self.assertIn(result.returncode, (0, 1), result.stdout)
    return [line for line in result.stdout.splitlines() if ": error: " in line]

  def testPrograms(self):
    """Functions of the pages are not annotated: a page gains nothing by it.

    """
    for (page, count) in _PAGES:
      programs = _Programs(page)
      self.assertGreaterEqual(len(programs), count)
      with self.subTest(page), tempfile.TemporaryDirectory() as tmpdir:
        for (name, program) in programs.items():
          testutils.WriteFile(os.path.join(tmpdir, name),
                              program.encode("utf-8"))
        # Without the types of pytest, the decorator for a fixture has none
        self.assertEqual(
          self._Mypy(tmpdir, "--allow-untyped-defs", "--allow-untyped-calls",
                     "--allow-untyped-decorators", "--ignore-missing-imports",
                     *programs), [])

  def testStrict(self):
    program = _PROGRAM + "".join("\n%s" % line for (line, _) in _WRONG) + "\n"
    first = len(_PROGRAM.splitlines()) + 2
    with tempfile.TemporaryDirectory() as tmpdir:
      path = os.path.join(tmpdir, "program.py")
      testutils.WriteFile(path, program.encode("ascii"))
      found = self._Mypy(tmpdir, path)
    self.assertEqual(len(found), len(_WRONG), found)
    for (index, (line, text)) in enumerate(_WRONG):
      self.assertIn("program.py:%d: error:" % (first + index), found[index])
      self.assertIn(text, found[index], line)


if __name__ == "__main__":
  unittest.main()

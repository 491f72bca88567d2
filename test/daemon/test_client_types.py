#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""A user's program is checked by mypy --strict as ours is.

"""

import os
import subprocess
import sys
import tempfile
import unittest

import testutils

try:
  import mypy
except ImportError:
  mypy = None


#: What the calls return, by the type that mypy has to see; it tells others
_PROGRAM = """
from typing import Any, Dict, List, Optional

from ganeti.confd import client


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
  ]


@unittest.skipUnless(mypy, "mypy is not installed (Debian: mypy)")
class TestUsersProgram(unittest.TestCase):
  def testStrict(self):
    program = _PROGRAM + "".join("\n%s" % line for (line, _) in _WRONG) + "\n"
    first = len(_PROGRAM.splitlines()) + 2
    with tempfile.TemporaryDirectory() as tmpdir:
      path = os.path.join(tmpdir, "program.py")
      testutils.WriteFile(path, program.encode("ascii"))
      result = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file",
         os.path.join(testutils.SRCDIR, "mypy.ini"), "--strict", "--no-pretty",
         "--cache-dir", os.path.join(tmpdir, "cache"), path],
        cwd=tmpdir, env=dict(os.environ, MYPYPATH=testutils.MODULEDIR),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
        check=False, timeout=300)
    found = [line for line in result.stdout.splitlines() if ": error: " in line]
    self.assertEqual(len(found), len(_WRONG), result.stdout)
    for (index, (line, text)) in enumerate(_WRONG):
      self.assertIn("program.py:%d: error:" % (first + index), found[index])
      self.assertIn(text, found[index], line)


if __name__ == "__main__":
  unittest.main()

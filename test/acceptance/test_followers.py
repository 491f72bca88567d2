#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""A follower sees each change once and in order, whatever happens.

Three followers of different kinds, on different nodes, run through it all: the
instance moves, a candidate is cut off and back, the key is replaced.

"""

import json
import subprocess
import threading
import unittest

import testutils

from cluster import changing
from cluster import debian
from cluster import ours
from cluster.changing import INSTANCE

_FIELDS = ["name", "pnode"]

#: The code that both programs of the library have for a change
_PROGRAM = """\
import asyncio, json, sys
sys.path.insert(0, %r)
from ganeti.confd import client

def Show(change):
  print(json.dumps({"old": change.old_serial, "serial": change.reply.serial,
                    "now": dict(change.reply.answer),
                    "came": list(change.came), "went": list(change.went),
                    "changed": list(change.changed)}), flush=True)

""" % debian.PYTHON_DIR

_SYNC = _PROGRAM + """\
with client.Client() as confd:
  for change in confd.Follow("instances", %r):
    Show(change)
""" % _FIELDS

_ASYNC = _PROGRAM + """\
async def Main():
  async with client.AsyncClient() as confd:
    async for change in confd.Follow("instances", %r):
      Show(change)
asyncio.run(Main())
""" % _FIELDS

_SHELL = ["confd-client", "watch", "list", "instances", "-o",
          ",".join(_FIELDS), "--json"]


def _OfEvent(line):
  """Makes of a line of the shell's what the programs print.

  """
  event = json.loads(line)["answer"]
  return {
    "old": event["old"], "serial": event["serial"],
    "now": {row["name"]: row["pnode"] for row in event["now"]},
    "came": list(event["came"]), "went": list(event["went"]),
    "changed": list(event["changed"]),
    }


class _Follower(threading.Thread):
  """A program that follows on a node, and what it prints.

  """
  def __init__(self, node, argv, parse=json.loads):
    threading.Thread.__init__(self, daemon=True)
    self.node = node
    self.events = []
    self._parse = parse
    self._process = node.Popen(*argv, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, universal_newlines=True)
    self.start()

  def run(self):
    for line in self._process.stdout:
      self.events.append(self._parse(line))

  def Where(self):
    """Returns where it has seen the instance, from the start on.

    """
    return [event["now"][INSTANCE] for event in self.events]

  def End(self):
    """Ends it.

    @return: what it has said on standard error

    """
    self.node.Terminate(self._process)
    self.join()
    with self._process.stdout, self._process.stderr:
      return self._process.stderr.read()


class TestFollowers(changing.TestCase):
  def setUp(self):
    changing.TestCase.setUp(self)
    python = ["/usr/bin/python3", "-B", "-c"]
    self.followers = []
    self.addCleanup(self._End)
    for (node, argv, *parse) in [(self.node1, python + [_ASYNC]),
                                 (self.node2, _SHELL, _OfEvent),
                                 (self.node3, python + [_SYNC])]:
      self.followers.append(_Follower(node, argv, *parse))
    self.where = [self.node1.name]
    self._CheckSeen()

  def _End(self):
    said = [i.End() for i in self.followers]
    for text in said:
      self.assertNotIn("Traceback", text)

  def _GoHome(self):
    """Brings the instance to where other tests want it.

    """
    if self.where[-1] != self.node1.name:
      self._Move("migrate", self.node1)

  def _CheckSeen(self, followers=None):
    for follower in followers or self.followers:
      try:
        testutils.WaitFor(lambda: len(follower.events) >= len(self.where),
                          "it is seen")
      except AssertionError:
        pass
      self.assertEqual(follower.Where(), self.where, follower.node.name)

  def _Move(self, how, node):
    """Moves the instance to another node.

    """
    self.Gnt("gnt-instance", how, "-f", "-n", node.name, INSTANCE)
    self.where.append(node.name)

  def test(self):
    (node1, node2, node3) = self.nodes
    # One candidate is cut off
    self.cluster.SetCable(node3, False)
    self.addCleanup(self._GoHome)
    try:
      self._Move("failover", node2)
      self._CheckSeen(self.followers[:2])
      # The node is back before Ganeti's node daemon is, and its confd is behind
      ours.Util(node3, "stop", "ganeti-noded")
    finally:
      self.cluster.SetCable(node3, True)
    self._CheckSeen()
    ours.Util(node3, "start", "ganeti-noded")
    self.Gnt("gnt-cluster", "redist-conf")
    self.CheckFollow()

    old = changing.Key(self.master)
    self.Gnt("gnt-cluster", "renew-crypto", "-f", "--new-confd-hmac-key")
    self.assertNotEqual(changing.Key(self.master), old)
    self.CheckFollow()
    self.CheckOurs()
    for node in self.nodes:
      self.CheckSilent(node, key=old)
    self._Move("migrate", node1)
    self._CheckSeen()

    for follower in self.followers:
      (start, *rest) = follower.events
      self.assertEqual((start["old"], start["came"]), (None, [INSTANCE]))
      for (before, event) in zip(follower.events, rest):
        self.assertGreater(event["serial"], before["serial"])
        self.assertGreaterEqual(event["old"], before["serial"])
        self.assertEqual((event["came"], event["went"], event["changed"]),
                         ([], [], [INSTANCE]))
    # As often as all that, and not once more
    self._CheckSeen()


if __name__ == "__main__":
  unittest.main()

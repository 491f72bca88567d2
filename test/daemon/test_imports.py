#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests that daemon and command import no more than they need.

Each module that a daemon at rest has takes memory on every node, and each
module that a command imports takes time whenever a script asks something.

"""

import os
import re
import signal
import subprocess
import sys
import unittest

import processes
import testutils
from testutils import PING, MASTER, QUERY, STATS


#: Modules that a daemon at rest must not have, each with what has it instead
_NOT_IN_THE_DAEMON = {
  "_hashlib": "workers: protocol.digests",
  "argparse": "a child: daemon.optionparser",
  "datetime": "processes that get a key with a last day: protocol.readerkey",
  "ipaddress": "the process for large answers: config.fields",
  "pyinotify": "a child: daemon.inotify",
  "simplejson": "confd-client: command.output",
  "typing": "tools only: typed",
  }

#: Modules that "confd-client ping" must not import
_NOT_FOR_PING = frozenset(["_hashlib", "asyncio", "dataclasses", "datetime",
                           "inspect", "ipaddress", "logging", "random",
                           "subprocess", "tempfile", "typing",
                           "ganeti.confd.config"])

#: A line of what "python3 -X importtime" prints
_IMPORT_RE = re.compile(r"^import time: +\d+ \| +\d+ \| +(\S+)$", re.MULTILINE)

#: The label of a reader's key
_LABEL = "test:ping:never"

#: Runs the daemon's program so that SIGUSR2 has each process write the names of
#: its modules to a file of its own
_TELL = """
import os, signal, sys
def _Tell(_signum, _frame):
  path = os.path.join(%r, "modules.%%d" %% os.getpid())
  with open(path + ".new", "w") as stream:
    stream.write(" ".join(sys.modules))
  os.rename(path + ".new", path)
signal.signal(signal.SIGUSR2, _Tell)
del sys.argv[0]
with open(sys.argv[0], encoding="utf-8") as script:
  exec(compile(script.read(), sys.argv[0], "exec"))
"""


class _Daemon(testutils.Daemon):
  """A daemon whose processes tell what they have imported.

  """
  def CommandLine(self, args):
    return [sys.executable, "-c", _TELL % self.root] + \
      testutils.Daemon.CommandLine(self, args)

  def Modules(self, pids):
    """Returns the names of the modules that each of some processes has.

    @rtype: list of sets

    """
    paths = {pid: os.path.join(self.root, "modules.%d" % pid) for pid in pids}

    def _HaveTold():
      left = [pid for pid in pids if not os.path.exists(paths[pid])]
      # A signal that comes just before a process sleeps has to come again
      for pid in left:
        os.kill(pid, signal.SIGUSR2)
      return not left

    testutils.WaitFor(_HaveTold, "processes %s tell" % pids)
    return [set(testutils.ReadFile(path).decode("ascii").split())
            for path in paths.values()]


def _Bare():
  """Returns the modules that an interpreter has before it does anything.

  """
  return set(subprocess.run(
    [sys.executable, "-c", "import sys; print(*sys.modules)"],
    check=True, stdout=subprocess.PIPE, encoding="ascii").stdout.split())


class DaemonTest(unittest.TestCase):
  def setUp(self):
    self.bare = _Bare()
    self.daemon = _Daemon(testutils.MakeConfig(), args=["--workers=2"])
    self.addCleanup(self.daemon.Kill)
    self.daemon.Start()

  def _AskAll(self):
    """Asks questions of each kind.

    """
    for (rtype, query) in [(PING, None), (MASTER, None), (STATS, None),
                           (QUERY, {"what": "node", "fields": ["name"]})]:
      self.daemon.Ask(rtype, query)
    with self.daemon.Asker(label=_LABEL) as asker:
      asker.Ask(PING)

  def testAtRest(self):
    self._AskAll()
    found = processes.Find(self.daemon)
    for modules in self.daemon.Modules([found.supervisor, found.loader,
                                        *found.workers]):
      self.assertIn("ganeti.confd.daemon.main", modules)
      for name in modules - self.bare:
        with self.subTest(name):
          self.assertNotIn(name, _NOT_IN_THE_DAEMON)

  def testNothingOfOursLater(self):
    """The files of an upgrade are no part of the daemon that runs.

    """
    self._AskAll()
    found = processes.Find(self.daemon, 2)
    (first, *others) = [
      {name for name in modules if name.partition(".")[0] == "ganeti"}
      for modules in self.daemon.Modules([found.supervisor, found.loader,
                                          *found.workers, found.large])]
    for modules in others:
      self.assertEqual(modules - first, set())


class CommandTest(unittest.TestCase):
  def testPing(self):
    with testutils.Daemon(testutils.MakeConfig()) as daemon:
      result = subprocess.run(
        [sys.executable, "-X", "importtime",
         os.path.join(testutils.BUILDDIR, "tools", "confd-client"), "ping",
         "--address", daemon.address, "--port", str(daemon.port),
         "--hmac-file", daemon.key_file], env=daemon.Environment(), check=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
    imported = set(_IMPORT_RE.findall(result.stderr))
    self.assertIn("ganeti.confd.client", imported)
    for name in _NOT_FOR_PING - _Bare():
      with self.subTest(name):
        self.assertNotIn(name, imported)


if __name__ == "__main__":
  unittest.main()

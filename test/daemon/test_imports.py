#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests that daemon and command import no more than they need.

Each module that a daemon at rest has takes memory on every node, and each
module that a command imports takes time whenever a script asks something.

"""

import os
import signal
import subprocess
import sys
import unittest

import processes
import testutils


#: Modules that a daemon at rest must not have, each with what has it instead
_NOT_IN_THE_DAEMON = {
  "argparse": "a child: daemon.options",
  "pyinotify": "a child: daemon.inotify",
  "typing": "tools only: typed",
  }

#: Request types
PING = 0
MASTER = 3

#: Runs the daemon's program so that SIGUSR2 has each process write the names of
#: its modules to a file of its own
_TELL = """
import os, runpy, signal, sys
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

  def Modules(self, pid):
    """Returns the names of the modules that a process has.

    """
    path = os.path.join(self.root, "modules.%d" % pid)
    os.kill(pid, signal.SIGUSR2)
    testutils.WaitFor(lambda: os.path.exists(path), "process %d tells" % pid)
    return set(testutils.ReadFile(path).decode("ascii").split())


def _Bare():
  """Returns the modules that an interpreter has before it does anything.

  """
  return set(subprocess.run(
    [sys.executable, "-c", "import sys; print(*sys.modules)"],
    check=True, stdout=subprocess.PIPE, encoding="ascii").stdout.split())


class DaemonTest(unittest.TestCase):
  def test(self):
    bare = _Bare()
    with _Daemon(testutils.MakeConfig()) as daemon:
      for rtype in (PING, MASTER):
        daemon.Ask(rtype)
      found = processes.Find(daemon)
      for pid in [found.supervisor, found.loader, *found.workers]:
        modules = daemon.Modules(pid)
        self.assertIn("ganeti.confd.daemon.main", modules)
        for name in modules - bare:
          with self.subTest(name):
            self.assertNotIn(name, _NOT_IN_THE_DAEMON)

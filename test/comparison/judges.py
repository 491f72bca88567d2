#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Starts Ganeti's own programs as references, and asks them.

The programs are Ganeti's confd and a process with Ganeti's Python modules. Each
program loads one configuration after the other.

"""

import json
import os
import re
import subprocess
import sys

import testutils

from cluster import debian

_RUNNER = os.path.join(os.path.dirname(__file__), "ganeti_runner.py")


class Ganeti:
  """A process that has Ganeti's Python modules, see L{ganeti_runner}.

  Each function of L{ganeti_runner} is a method.

  """
  def __init__(self, env=None):
    self._process = subprocess.Popen(
      [sys.executable, _RUNNER],
      env=dict(os.environ if env is None else env,
               PYTHONPATH=debian.PYTHON_DIR),
      stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="ascii")

  def __getattr__(self, name):
    def _Call(*args):
      print(json.dumps([name, *args]), file=self._process.stdin, flush=True)
      line = self._process.stdout.readline()
      if not line:
        raise AssertionError("Ganeti's modules fail in %s%r" % (name, args))
      return json.loads(line)
    return _Call

  def Close(self):
    self._process.stdin.close()
    self._process.wait()
    self._process.stdout.close()


#: Lines about a configuration in the log of Ganeti's confd
_LOADED_RE = re.compile(r"(Loaded new config, serial)|(Failed to load config)")


class Confd(debian.Daemon):
  """Ganeti's confd.

  """
  def __init__(self, config):
    debian.Daemon.__init__(self, config)
    self._read = 0

  def Load(self, config):
    """Loads another configuration.

    @return: whether Ganeti's confd accepts the configuration; if not, Ganeti's
      confd has no configuration at all from then on

    """
    self._read = len(self.Log())
    self.WriteConfig(config)
    return testutils.WaitFor(self._Verdict, "Ganeti's confd has read"
                             " a configuration") == "accepted"

  def _Verdict(self):
    match = _LOADED_RE.search(self.Log(), self._read)
    if match is None:
      return None
    return "accepted" if match.group(1) else "refused"


def Accepted(config, cases):
  """Yields the configurations that Ganeti's confd accepts.

  @param config: a configuration that is known to be accepted
  @param cases: iterable of L{generator.Case}

  """
  with Confd(config) as confd:
    for case in cases:
      if confd.Load(case.config):
        yield case

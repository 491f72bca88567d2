#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Debian's Ganeti as the tests use it: the daemon, and the paths of its parts.

"""

import os

import testutils

CONFD = "/usr/sbin/ganeti-confd"

#: A link to the directory that holds the package "ganeti"
PYTHON_DIR = "/usr/share/ganeti/default"

CONFD_CLIENT = os.path.join(PYTHON_DIR, "confd-client")

MON_COLLECTOR = "/usr/lib/ganeti/mon-collector"


class Daemon(testutils.Daemon):
  """Debian's daemon, in a directory of its own.

  Debian's daemon takes all its paths from C{GANETI_ROOTDIR}, as ours does.

  """
  def __init__(self, config=None, key=testutils.KEY, **kwargs):
    testutils.Daemon.__init__(self, key=None, **kwargs)
    self.key = key
    statedir = os.path.join(self.root, "var")
    self.datadir = os.path.join(statedir, "lib", "ganeti")
    self.rundir = os.path.join(statedir, "run", "ganeti")
    self.logdir = os.path.join(statedir, "log", "ganeti")
    for path in [self.datadir, self.rundir, self.logdir]:
      os.makedirs(path, exist_ok=True)
    self.config_file = os.path.join(self.datadir, "config.data")
    self.key_file = os.path.join(self.datadir, "hmac.key")
    testutils.WriteFile(self.key_file, key)
    if config is not None:
      self.WriteConfig(config)

  def CommandLine(self, args):
    """Returns the command line to run the daemon's program with.

    """
    return [CONFD] + args

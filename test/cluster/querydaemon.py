#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Ganeti's query daemon on any configuration, in a directory of its own.

C{gnt-instance list} and similar commands ask the daemon as on a master. Queries
must not need data from nodes: the daemon is in a network namespace without any
link up, and would try for minutes to reach the nodes.

"""

import json
import os
import shutil
import subprocess
import tempfile

import testutils

#: The host on which C{gnt-instance} and similar commands believe to run
HOST = "node1.example.com"

_LUXID = "/usr/sbin/ganeti-luxid"


class QueryDaemon:
  """Ganeti's query daemon, and its commands.

  @ivar env: the environment in which Ganeti's modules find the daemon

  """
  def __init__(self, config):
    """@param config: bytes, or a JSON value

    """
    self._base = tempfile.mkdtemp(prefix="ganeti-confd-test.")
    # Ganeti requires that a virtual host's directory has the host's name
    root = os.path.join(self._base, HOST)
    for path in ["lib/ganeti/queue/archive", "log/ganeti",
                 "run/ganeti/livelocks", "run/ganeti/socket"]:
      os.makedirs(os.path.join(root, "var", path))
    datadir = os.path.join(root, "var/lib/ganeti")
    self._config_file = os.path.join(datadir, "config.data")
    self._WriteConfig(config)
    testutils.WriteFile(os.path.join(datadir, "ssconf_master_node"),
                        HOST.encode("ascii") + b"\n")
    self.env = {name: value for (name, value) in os.environ.items()
                if name != "PYTHONPATH"}
    self.env.update({"GANETI_ROOTDIR": root, "GANETI_HOSTNAME": HOST,
                     "TZ": "UTC"})
    self._socket = os.path.join(root, "var/run/ganeti/socket/ganeti-query")
    self._output = os.path.join(self._base, "output")
    self._log_file = os.path.join(root, "var/log/ganeti/luxi-daemon.log")
    self._process = None

  def Start(self):
    with open(self._output, "wb") as output:
      self._process = subprocess.Popen(
        ["unshare", "--uts", "--net", "sh", "-c", "hostname %s; exec %s -f"
         " --no-user-checks --no-voting --yes-do-it" % (HOST, _LUXID)],
        env=self.env, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    testutils.WaitFor(
      lambda: self.Run("gnt-node", "list", "-o", "name")[0] == 0,
      "Ganeti's query daemon answers")

  def Run(self, *argv):
    """Runs one of Ganeti's commands.

    @rtype: tuple of (int, string)
    @return: exit code and output

    """
    if not os.path.exists(self._socket):
      return (None, "")
    result = testutils.Run(argv, env=self.env, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           timeout=600, universal_newlines=True, check=False)
    return (result.returncode, result.stdout)

  def Load(self, config):
    """Replaces the configuration by another one that the daemon accepts.

    """
    read = os.path.getsize(self._log_file)
    self._WriteConfig(config)

    def _IsLoaded():
      with open(self._log_file, "rb") as log:
        log.seek(read)
        return b"Loaded new config" in log.read()
    testutils.WaitFor(_IsLoaded, "Ganeti's query daemon has read"
                      " a configuration")

  def _WriteConfig(self, config):
    if not isinstance(config, bytes):
      config = json.dumps(config).encode("ascii")
    testutils.WriteFile(self._config_file, config)

  def Stop(self):
    """Ends the daemon, and removes its directory.

    """
    if self._process is not None:
      self._process.kill()
      self._process.wait()
    shutil.rmtree(self._base, ignore_errors=True)

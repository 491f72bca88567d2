#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""This project's confd in place of the packaged one, on a test cluster's node.

The project is built once, as for an installation with Ganeti, and installed
into nodes with C{make install}.

"""

import atexit
import os
import shutil
import subprocess
import tempfile

import testutils

DAEMON_UTIL = "/usr/lib/ganeti/daemon-util"
NAME = "ganeti-confd"
PID_FILE = "/run/ganeti/ganeti-confd.pid"
LOG_FILE = "/var/log/ganeti/conf-daemon.log"
HOOK = "/etc/ganeti/hooks/cluster-verify-post.d/confd"

_build_dir = None


def Build():
  """Builds the project when first called; nodes have to share the directory.

  @rtype: string
  @return: the directory of the build

  """
  global _build_dir # pylint: disable=W0603
  if _build_dir is None:
    path = tempfile.mkdtemp(prefix="ganeti-confd-test.", dir="/var/tmp")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    # Other users on the nodes have to read the directory, too
    os.chmod(path, 0o755)
    for argv in ([os.path.join(testutils.SRCDIR, "configure"), "--prefix=/usr",
                  "--sysconfdir=/etc", "--localstatedir=/var",
                  "--with-ganeti"],
                 ["make", "-s"]):
      result = subprocess.run(argv, cwd=path, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              universal_newlines=True, check=False)
      if result.returncode != 0:
        raise AssertionError("%s: %s" % (argv[0], result.stdout))
    _build_dir = path
  return _build_dir


def Put(node):
  """Installs our daemon; a running daemon is not restarted.

  """
  node.Run("make", "-s", "-C", Build(), "install")


def TakeAway(node):
  """Uninstalls our daemon, which restores the packaged one.

  """
  node.Run("make", "-s", "-C", Build(), "uninstall")


def Util(node, action, *args, **kwargs):
  """Runs Ganeti's daemon-util.

  """
  return node.Run(DAEMON_UTIL, action, *args, **kwargs)


def Restart(node):
  """Makes daemon-util stop confd, and start the installed one.

  """
  Util(node, "stop", NAME)
  Util(node, "start", NAME)


def Processes(node):
  """Lists the processes of confd on a node.

  @rtype: list of strings
  @return: the process ids in the node's namespace

  """
  return node.Run("ps", "-o", "pid=", "-C", NAME, check=False).stdout.split()


def Executable(node):
  """Returns which program runs as confd on a node, Ganeti's or Python.

  @rtype: string
  @return: the path

  """
  pid = node.Read(PID_FILE).decode("ascii").strip()
  return node.Run("readlink", "/proc/%s/exe" % pid).stdout.strip()

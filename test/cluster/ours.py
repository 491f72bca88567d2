#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""This project's confd in place of the packaged one, on a test cluster's node.

The files go where an installation with Ganeti puts them; those of the package
are set aside, as a node may get them back.

"""

import testutils

from cluster import debian

DAEMON_UTIL = "/usr/lib/ganeti/daemon-util"
NAME = "ganeti-confd"
PID_FILE = "/run/ganeti/ganeti-confd.pid"
LOG_FILE = "/var/log/ganeti/conf-daemon.log"
HOOK = "/etc/ganeti/hooks/cluster-verify-post.d/confd"

#: As they are in the build tree, the scripts look for their modules there
_PUT = r"""
set -e
modules=$(readlink -f @PYTHON_DIR@)/ganeti/confd
script() {
  sed 's|@BUILDDIR@|@PYTHON_DIR@|g' @BUILDDIR@/$1 >$2.new
  chmod 755 $2.new
  mv $2.new $2
}
cp -R $modules /var/tmp/packaged-confd
cp -P @CONFD@ /var/tmp/packaged-ganeti-confd
cp -L @BUILDDIR@/ganeti/confd/*.py $modules
rm @CONFD@
script daemons/ganeti-confd @CONFD@
mkdir -p $(dirname @HOOK@)
script tools/hooks/confd @HOOK@
"""

_TAKE_AWAY = r"""
set -e
modules=$(readlink -f @PYTHON_DIR@)/ganeti/confd
rm -r $modules @CONFD@ @HOOK@
mv /var/tmp/packaged-confd $modules
mv /var/tmp/packaged-ganeti-confd @CONFD@
"""


def _Run(node, script):
  for (name, value) in [
    ("BUILDDIR", testutils.BUILDDIR),
    ("PYTHON_DIR", debian.PYTHON_DIR),
    ("CONFD", debian.CONFD),
    ("HOOK", HOOK),
    ]:
    script = script.replace("@%s@" % name, value)
  node.Run("sh", "-c", script)


def Put(node):
  """Puts ours in place; a daemon that runs already goes on running.

  """
  _Run(node, _PUT)


def TakeAway(node):
  """Puts the packaged one in place again.

  """
  _Run(node, _TAKE_AWAY)


def Util(node, action, *args, **kwargs):
  """Runs Ganeti's daemon-util.

  """
  return node.Run(DAEMON_UTIL, action, *args, **kwargs)


def Restart(node):
  """Has daemon-util stop confd and start what is in place.

  """
  Util(node, "stop", NAME)
  Util(node, "start", NAME)


def Processes(node):
  """Lists the processes of confd on a node.

  @rtype: list of strings
  @return: their numbers, as the node counts

  """
  return node.Run("ps", "-o", "pid=", "-C", NAME, check=False).stdout.split()

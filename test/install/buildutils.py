#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Builds and installs for the tests of this directory.

One tarball is made of the tree under test; everything is built from that, as
a user would.

"""

import functools
import os
import shlex
import shutil
import subprocess
import tempfile
import unittest

import packages


PYTHON = "/usr/bin/python3"

BUILDDIR = os.environ["CONFD_BUILDDIR"]
SRCDIR = os.environ["CONFD_SRCDIR"]
MODULEDIR = os.path.join(BUILDDIR, "modules")

#: All modules lay in confd/ itself
_LAST_FLAT = "28ff476"

#: Commands that make directories writable in a private mount namespace, and the
#: rest of the system stay as it is. Changes are written to /run/upper.
_OVERLAY = """
set -e
# "set -e" does not end the script for "! command"
fails() {
  ! "$@" || { echo "This did not fail: $*"; exit 1; }
}
mount --make-rprivate /
mount -t tmpfs tmpfs /run
for dir in %s; do
  mkdir -p /run/upper/$dir /run/work/$dir
  mount -t overlay overlay /$dir \
    -o lowerdir=/$dir,upperdir=/run/upper/$dir,workdir=/run/work/$dir
done
# The index of manual pages would take most of the processor time of dpkg
test ! -e /run/upper/var || rm -f /var/lib/man-db/auto-update
"""


def _Environment(env):
  """Makes an environment in which nothing of the test run's own is left.

  """
  result = {
    "HOME": "/nonexistent",
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }
  result.update(env or {})
  return result


def Try(args, cwd="/", env=None, **kwargs):
  """Runs a command.

  @rtype: tuple of (int, string)
  @return: exit code and output, errors included

  """
  result = subprocess.run(args, cwd=cwd, env=_Environment(env), check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, errors="replace", **kwargs)
  return (result.returncode, result.stdout)


def Run(args, cwd="/", env=None, **kwargs):
  """Runs a command that must succeed.

  @rtype: string
  @return: its output

  """
  (exit_code, output) = Try(args, cwd=cwd, env=env, **kwargs)
  if exit_code != 0:
    raise AssertionError("%s ended with %s:\n%s" %
                         (" ".join(args), exit_code, output))
  return output


def TryInPrivate(script, directories=("usr", "opt"), namespaces=("--mount", )):
  """Runs a shell script to which /usr and /opt are its own.

  @param directories: others instead of these
  @param namespaces: options of unshare
  @rtype: tuple of (int, string)
  @return: exit code and output

  """
  return Try(["unshare"] + list(namespaces) +
             ["bash", "-c", _OVERLAY % " ".join(directories) + script])


def RunInPrivate(script, **kwargs):
  """Likewise, for a script that must succeed.

  @rtype: string
  @return: its output

  """
  (exit_code, output) = TryInPrivate(script, **kwargs)
  if exit_code != 0:
    raise AssertionError("It ended with %s:\n%s\nThe script:\n%s" %
                         (exit_code, output, script))
  return output


class Workdir:
  """A temporary directory that other users may look into.

  """
  def __init__(self):
    self.path = tempfile.mkdtemp(prefix="ganeti-confd-install.",
                                 dir="/var/tmp")
    os.chmod(self.path, 0o755)

  def Path(self, *parts):
    """Returns a path below the directory.

    """
    return os.path.join(self.path, *parts)

  def Remove(self):
    """Removes the directory; distcheck makes parts of it read-only.

    """
    subprocess.run(["chmod", "-R", "u+w", self.path], check=False)
    shutil.rmtree(self.path)


@functools.lru_cache(maxsize=None)
def Version():
  """Returns the version that is under test.

  """
  return Run([PYTHON, "-c", "from ganeti.confd import _version as v;"
              " print(v.VERSION)"], env={"PYTHONPATH": MODULEDIR}).strip()


def MakeTarball(workdir):
  """Puts a tarball of the tree under test into a directory.

  Made once for all processes of tests.

  @rtype: string
  @return: its path

  """
  name = "ganeti-confd-%s.tar.gz" % Version()

  def _Make(directory):
    os.mkdir(directory)
    Run(["make", "-s", "dist"], cwd=BUILDDIR)
    shutil.move(os.path.join(BUILDDIR, name), directory)

  return shutil.copy(os.path.join(packages.Once("tarball", _Make), name),
                     workdir.path)


def Unpack(tarball, where):
  """Unpacks a tarball.

  @rtype: string
  @return: the directory that was in it

  """
  os.makedirs(where, exist_ok=True)
  Run(["tar", "-x", "--no-same-owner", "-f", tarball, "-C", where])
  (name, ) = os.listdir(where)
  return os.path.join(where, name)


def FlatTree(where):
  """Makes a source tree of the last version without sub-packages.

  @param where: the directory to make
  @rtype: string
  @return: that directory
  @raise unittest.SkipTest: git does not have it (tarball, shallow clone)

  """
  os.makedirs(where)
  git = subprocess.run(["git", "-c", "safe.directory=*", "archive",
                        _LAST_FLAT], cwd=SRCDIR, check=False,
                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
  if git.returncode:
    raise unittest.SkipTest("git does not have the commit %s" % _LAST_FLAT)
  subprocess.run(["tar", "-x", "-C", where], input=git.stdout, check=True)
  Run(["./autogen.sh"], cwd=where)
  return where


def Configure(srcdir, builddir, *args, **kwargs):
  """Configures and makes a build directory.

  """
  os.makedirs(builddir, exist_ok=True)
  Run([os.path.join(srcdir, "configure"), "-q"] + list(args), cwd=builddir,
      **kwargs)
  return Run(["make", "-s", "-j2"], cwd=builddir, **kwargs)


def Quote(path):
  """Quotes a path for a shell script.

  """
  return shlex.quote(path)

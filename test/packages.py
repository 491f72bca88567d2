#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Makes builds of the tree under test, which all tests' processes share.

The Debian packages are built with what this machine has installed, and checked
by C{lintian}.

"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import unittest

import testutils


def _TreeState():
  """Returns a digest of all source files.

  """
  digest = hashlib.sha256()
  for (directory, dirs, names) in os.walk(testutils.SRCDIR):
    dirs[:] = sorted(
      name for name in dirs
      if name not in (".git", "__pycache__", ".hypothesis") and
      os.path.join(directory, name) != testutils.BUILDDIR)
    for name in sorted(names):
      path = os.path.join(directory, name)
      status = os.lstat(path)
      digest.update(("%s %s %s\n" % (path, status.st_size,
                                     status.st_mtime_ns)).encode())
  return digest.hexdigest()[:16]


def Once(name, make):
  """Makes a directory, unless another process has done so from these sources.

  @param name: the beginning of the directory's name
  @type make: f(path)
  @param make: makes the directory
  @rtype: string
  @return: the directory's path

  """
  path = os.path.join(testutils.BUILDDIR, "dist",
                      "%s-%s" % (name, _TreeState()))
  os.makedirs(os.path.dirname(path), exist_ok=True)
  with open(os.path.join(os.path.dirname(path), name + ".lock"), "w",
            encoding="ascii") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not os.path.exists(path):
      # A failed build may have left this directory
      shutil.rmtree(path + ".new", ignore_errors=True)
      make(path + ".new")
      os.rename(path + ".new", path)
  return path


def _BuildDebs(directory):
  if os.getuid() != 0 and subprocess.call(["which", "lintian"]):
    raise unittest.SkipTest("lintian and debhelper are not installed")
  result = subprocess.run(
    [os.path.join(testutils.SRCDIR, "devel", "build-deb"), "here", directory],
    env=dict(os.environ, DEB_BUILD_OPTIONS="nocheck"), cwd="/",
    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    text=True, check=False)
  if result.returncode != 0:
    raise AssertionError(result.stdout)


def Build():
  """Builds Debian's packages.

  @rtype: dict
  @return: name of a package to the path of its file
  @raise unittest.SkipTest: the tools to build packages are missing
  @raise AssertionError: the build has failed, or lintian has found something

  """
  directory = Once("debs", _BuildDebs)
  return {name.partition("_")[0]: os.path.join(directory, name)
          for name in os.listdir(directory) if name.endswith(".deb")}

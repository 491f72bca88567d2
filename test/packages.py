#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Debian's packages of the tree under test, for the tests that install them.

They are built once, on this machine and as it is; C{lintian} has looked at
them then.

"""

import fcntl
import hashlib
import os
import subprocess
import unittest

import testutils


def _TreeState():
  """Tells one state of the sources from another.

  """
  digest = hashlib.sha256()
  for (directory, dirs, names) in os.walk(testutils.SRCDIR):
    dirs[:] = sorted(name for name in dirs
                     if name not in (".git", "__pycache__", ".hypothesis"))
    for name in sorted(names):
      path = os.path.join(directory, name)
      status = os.lstat(path)
      digest.update(("%s %s %s\n" % (path, status.st_size,
                                     status.st_mtime_ns)).encode())
  return digest.hexdigest()[:16]


def Build():
  """Builds them, unless another process has.

  @rtype: dict
  @return: name of a package to the path of its file
  @raise unittest.SkipTest: there is nothing to build them with
  @raise AssertionError: it cannot be built, or lintian has found something

  """
  directory = os.path.join(testutils.BUILDDIR, "dist", _TreeState())
  os.makedirs(os.path.dirname(directory), exist_ok=True)
  with open(directory + ".lock", "w", encoding="ascii") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not os.path.exists(directory):
      if os.getuid() != 0 and subprocess.call(["which", "lintian"]):
        raise unittest.SkipTest("lintian and debhelper are not installed")
      result = subprocess.run(
        [os.path.join(testutils.SRCDIR, "devel", "build-deb"), "here",
         directory + ".new"],
        env=dict(os.environ, DEB_BUILD_OPTIONS="nocheck"), cwd="/",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False)
      if result.returncode != 0:
        raise AssertionError(result.stdout)
      os.rename(directory + ".new", directory)
  return {name.partition("_")[0]: os.path.join(directory, name)
          for name in os.listdir(directory) if name.endswith(".deb")}

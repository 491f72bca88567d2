#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Debian's package "ganeti" with this project's C{ganeti.confd} in it.

"""

import os

import testutils

from cluster import debian


def Make(directory):
  """Fills a directory that can stand in PYTHONPATH.

  @type directory: string
  @param directory: an existing, empty directory

  """
  theirs = os.path.realpath(os.path.join(debian.PYTHON_DIR, "ganeti"))
  package = os.path.join(directory, "ganeti")
  os.mkdir(package)
  for name in os.listdir(theirs):
    if name not in ("confd", "__pycache__"):
      os.symlink(os.path.join(theirs, name), os.path.join(package, name))
  os.symlink(os.path.join(testutils.MODULEDIR, "ganeti", "confd"),
             os.path.join(package, "confd"))

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Whose files are they: what both scripts that install have to know.

"""

import glob
import os
import re
import site
import subprocess


#: What each of our files says. In a man page the hyphen has a backslash.
_OURS = re.compile(br"the ganeti\\?-confd authors")

#: Names Ganeti's directory to the interpreter
PTH_NAME = "ganeti-confd.pth"


def IsMarked(path):
  """Tells whether a file says that it is ours.

  """
  try:
    with open(path, "rb") as fd:
      return _OURS.search(fd.read()) is not None
  except OSError:
    return False


def CompiledModules(path, suffix=""):
  """Lists the files that interpreters made of a module.

  @param suffix: what their names end in after C{.pyc}, a pattern
  @rtype: list of strings

  """
  if not path.endswith(".py"):
    return []
  (directory, name) = os.path.split(path)
  return glob.glob(os.path.join(
    glob.escape(os.path.join(directory, "__pycache__", name[:-len("py")])) +
    "*.pyc" + suffix))


def RemoveIfEmpty(path):
  """Removes a directory, unless there is something in it.

  @rtype: bool
  @return: whether it is gone

  """
  try:
    os.rmdir(path)
  except FileNotFoundError:
    pass
  except OSError:
    return False
  return True


def AskDpkg(args):
  """Runs dpkg-query or dpkg-divert.

  @rtype: list of strings
  @return: the lines that it prints, none where there is no dpkg

  """
  try:
    result = subprocess.run(args, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            env=dict(os.environ, LC_ALL="C"), check=False)
  except FileNotFoundError:
    return []
  return os.fsdecode(result.stdout).splitlines()


def FindPth():
  """Looks for the link that an installation with Ganeti has.

  @return: path, or None

  """
  for path in site.getsitepackages():
    if os.path.exists(os.path.join(path, PTH_NAME)):
      return os.path.join(path, PTH_NAME)
  return None

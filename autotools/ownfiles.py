#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Recognises this project's files, for the scripts that install and remove.

"""

import glob
import os
import re
import site
import subprocess


#: Text that each of this project's files contains. In a man page the hyphen is
#: preceded by a backslash.
_OURS = re.compile(br"the ganeti\\?-confd authors")

#: The file that adds Ganeti's directory to the interpreter's path
PTH_NAME = "ganeti-confd.pth"


def IsMarked(path):
  """Tells whether a file contains this project's mark.

  """
  try:
    with open(path, "rb") as fd:
      return _OURS.search(fd.read()) is not None
  except OSError:
    return False


def CompiledModules(path, suffix=""):
  """Lists the compiled files of a module.

  @param suffix: a glob pattern for the end of the names, after C{.pyc}
  @rtype: list of strings

  """
  if not path.endswith(".py"):
    return []
  (directory, name) = os.path.split(path)
  return glob.glob(os.path.join(
    glob.escape(os.path.join(directory, "__pycache__", name[:-len("py")])) +
    "*.pyc" + suffix))


def RemoveIfEmpty(path):
  """Removes a directory if it is empty.

  @rtype: bool
  @return: whether the directory does not exist now

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
  @return: the lines of output; none if dpkg is not installed

  """
  try:
    result = subprocess.run(args, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            env=dict(os.environ, LC_ALL="C"), check=False)
  except FileNotFoundError:
    return []
  return os.fsdecode(result.stdout).splitlines()


def FindPth():
  """Looks for the C{.pth} file of an installation into Ganeti.

  @return: its path, or None

  """
  for path in site.getsitepackages():
    if os.path.exists(os.path.join(path, PTH_NAME)):
      return os.path.join(path, PTH_NAME)
  return None

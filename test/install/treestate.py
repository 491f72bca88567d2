#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Writes down what is in directories, and tells what is different later.

  treestate.py save FILE DIRECTORY...
  treestate.py compare FILE DIRECTORY...

Of everything: kind, mode, owner, group, and where links lead; of files also
size and time, and of those whose path has "ganeti" in it the contents, except
of Ganeti's other large programs. The diversions belong to it; the lists that
dpkg keeps of them do not, as their order may change.

"""

import hashlib
import json
import os
import stat
import subprocess
import sys


_LARGE = 1 << 20


def _State(path):
  """Describes a directory entry.

  """
  status = os.lstat(path)
  state = [oct(status.st_mode), status.st_uid, status.st_gid]
  if stat.S_ISLNK(status.st_mode):
    state.append(os.readlink(path))
  elif stat.S_ISREG(status.st_mode):
    state += [status.st_size, status.st_mtime_ns]
    if "ganeti" in path and (status.st_size < _LARGE or "confd" in path):
      with open(path, "rb") as fd:
        state.append(hashlib.sha256(fd.read()).hexdigest())
  return state


def _Read(directories):
  """Describes all that is in directories.

  @rtype: dict

  """
  result = {}
  for directory in directories:
    for (path, dirs, files) in os.walk(directory):
      for name in dirs + files:
        name = os.path.join(path, name)
        if not name.startswith("/var/lib/dpkg/diversions"):
          result[name] = _State(name)
  for line in subprocess.check_output(["dpkg-divert", "--list"],
                                      universal_newlines=True).splitlines():
    result[line] = True
  return result


def Main():
  """Main program.

  """
  (command, filename) = sys.argv[1:3]
  # As JSON has it
  state = json.loads(json.dumps(_Read(sys.argv[3:])))
  if command == "save":
    with open(filename, "w", encoding="ascii") as fd:
      json.dump(state, fd)
    return 0
  with open(filename, encoding="ascii") as fd:
    before = json.load(fd)
  different = [name for name in sorted(set(before) | set(state))
               if before.get(name) != state.get(name)]
  for name in different:
    print("%s: was %s, is %s" % (name, before.get(name), state.get(name)))
  return int(bool(different))


if __name__ == "__main__":
  sys.exit(Main())

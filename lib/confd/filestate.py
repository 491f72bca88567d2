#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Which contents a file has, and reading it whole.

"""

import collections
import errno
import os
import stat

from ganeti import errors


#: Differs when a file was replaced, written to or made accessible; times are
#: in nanoseconds
State = collections.namedtuple("State", ["device", "inode", "mtime_ns",
                                         "ctime_ns", "size"])


def FileState(path):
  """Tells which contents a file has, without reading them.

  @type path: string
  @return: None if there is no such file, else a L{State}; a tuple of the
    error's number if that cannot be told

  """
  try:
    return StateOf(os.stat(path))
  except OSError as err:
    if err.errno in (errno.ENOENT, errno.ENOTDIR):
      return None
    return (err.errno, )


def StateOf(status):
  """Makes a L{State} of the result of C{os.stat}.

  """
  return State(status.st_dev, status.st_ino, status.st_mtime_ns,
               status.st_ctime_ns, status.st_size)


def ReadFile(path):
  """Reads a regular file.

  @type path: string
  @rtype: tuple of (bytes, L{State})
  @raise errors.ConfigurationError: it cannot be read, or changed meanwhile

  """
  try:
    # A FIFO in the file's place would block
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as stream:
      status = os.fstat(fd)
      if not stat.S_ISREG(status.st_mode):
        raise errors.ConfigurationError("%s is no regular file" % path)
      contents = stream.read()
      # Not the time of the last change of its status: a new file that is
      # renamed over this one changes that, and no contents
      now = os.fstat(fd)
      if (now.st_size, now.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
        raise errors.ConfigurationError("%s changed while it was read" % path)
  except OSError as err:
    raise errors.ConfigurationError("Cannot read %s: %s" %
                                    (path, err.strerror))
  return (contents, StateOf(status))

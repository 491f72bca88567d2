#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The program confd-client as a user runs it, for tests.

"""

import contextlib
import os
import pty
import subprocess
import threading

import testutils


PROGRAM = os.path.join(testutils.BUILDDIR, "tools", "confd-client")

#: Variables of a test's own environment that a user does not have
_NOT_A_USERS = ("PYTHONPATH", "GANETI_ROOTDIR", "GANETI_HOSTNAME")


def Environment(**kwargs):
  """Makes the environment in which a user runs the program.

  @param kwargs: further variables

  """
  env = {name: value for (name, value) in os.environ.items()
         if name not in _NOT_A_USERS}
  env.update(LC_ALL="C.UTF-8", **kwargs)
  return env


class Terminal:
  """A terminal for the output of a program, within a "with" statement.

  A thread reads what is written, as one read() may return only a part, and a
  full terminal would stop the program.

  @ivar fd: the descriptor for the program
  @ivar shown: the bytes that were written, after the "with" statement

  """
  def __init__(self):
    self.shown = b""
    (self._read_fd, self.fd) = pty.openpty()
    self._reader = threading.Thread(target=self._Read)

  def __enter__(self):
    self._reader.start()
    return self

  def __exit__(self, *_):
    os.close(self.fd)
    self._reader.join()
    os.close(self._read_fd)

  def _Read(self):
    # The read fails when no process has the terminal open any more
    with contextlib.suppress(OSError):
      while True:
        self.shown += os.read(self._read_fd, 1 << 16)


def Words(daemon, *args):
  """Makes a command line that asks one daemon.

  @type daemon: L{testutils.Daemon}
  @param args: the words after the options for the daemon
  @rtype: list of strings

  """
  return [PROGRAM, "-a", daemon.address, "-p", str(daemon.port), "--hmac-file",
          daemon.key_file, *args]


def Run(*args, daemon=None, **kwargs):
  """Runs the program to its end.

  @param args: the program's arguments
  @param daemon: the daemon to ask; by default, the arguments say which one
  @param kwargs: arguments of L{testutils.Run} that override the usual ones
  @rtype: C{subprocess.CompletedProcess}
  @return: C{stdout} and C{stderr} are text

  """
  words = [PROGRAM, *args] if daemon is None else Words(daemon, *args)
  settings = {
    "stdin": subprocess.DEVNULL,
    "stdout": subprocess.PIPE,
    "stderr": subprocess.PIPE,
    "encoding": "utf-8",
    "timeout": 3 * testutils.PATIENCE,
    "cwd": "/",
    "env": Environment(),
    }
  settings.update(kwargs)
  return testutils.Run(words, **settings)


def Outcome(*args, **kwargs):
  """Runs the program to its end, with the arguments of L{Run}.

  @rtype: tuple of (int, string, string)
  @return: exit code, stdout, stderr

  """
  result = Run(*args, **kwargs)
  return (result.returncode, result.stdout, result.stderr)

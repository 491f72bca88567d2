#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""ganeti-confd's options, parsed in a child.

Rule: only a child imports argparse (L{optionparser}). The child sends the
options back through a pipe and exits, which frees the memory of argparse. The
daemon itself would keep that memory for as long as it runs.

"""

from __future__ import annotations

import json
import os

from ganeti import errors
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import NoReturn, Optional, Sequence


class Options(NamedTuple):
  """The values of the command line.

  @ivar port: UDP port; None for the default, see L{localnode.DefaultPort}
  @ivar bind: address to listen on; None for all addresses of the cluster's
    primary IP family
  @ivar to_file: whether to log to a file
  @ivar to_syslog: whether to log to syslog
  @ivar pid_file: absolute path; None for the default
  @ivar log_file: absolute path; None for the default
  @ivar check: the files to check; None to start the daemon

  """
  foreground: bool
  debug: bool
  port: Optional[int]
  bind: Optional[str]
  workers: int
  to_file: bool
  to_syslog: bool
  no_user_checks: bool
  pid_file: Optional[str]
  log_file: Optional[str]
  check: Optional[list[str]]


class Ended(Exception):
  """The command line was wrong, or asked for help or the version.

  The child has printed the error or the text already.

  @ivar code: the exit code

  """
  def __init__(self, code: int) -> None:
    Exception.__init__(self, code)
    self.code = code


def Read(argv: Sequence[str]) -> Options:
  """Parses the command line in a child.

  @param argv: arguments without the program's name
  @raise Ended: the daemon is not to be started; exit
  @raise errors.ConfigurationError: the child cannot be started, or was killed

  """
  (read_fd, write_fd) = os.pipe2(os.O_CLOEXEC)
  try:
    pid = os.fork()
  except OSError as err:
    raise errors.ConfigurationError("Cannot start a process that parses the"
                                    " command line: %s" % err.strerror)
  if not pid:
    os.close(read_fd)
    _Parse(argv, write_fd)
  os.close(write_fd)
  with open(read_fd, encoding="ascii") as pipe:
    text = pipe.read()
  (_, status) = os.waitpid(pid, 0)
  if text:
    return Options(**json.loads(text))
  code = os.waitstatus_to_exitcode(status)
  if code < 0:
    raise errors.ConfigurationError("The process that parses the command line"
                                    " was killed by signal %d" % -code)
  raise Ended(code)


def _Parse(argv: Sequence[str], write_fd: int) -> NoReturn:
  """Parses the command line, and ends the process; runs in the child.

  @param write_fd: descriptor to write the options to, as JSON
  @raise SystemExit: the command line is wrong, or asks for help or version

  """
  from ganeti.confd.daemon import optionparser
  options = optionparser.Parse(argv)
  with open(write_fd, "w", encoding="ascii") as pipe:
    json.dump(options, pipe)
  # Skip the exit handlers: they belong to the parent process, which runs them
  os._exit(os.EX_OK)

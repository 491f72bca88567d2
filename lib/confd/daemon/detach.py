#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Detaches the daemon from its terminal and its parent process.

"""

from __future__ import annotations

import os
import sys

from ganeti import constants
from ganeti.confd import printable
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Callable, Optional


_STARTED = "started"


def Complain(text: str) -> None:
  """Prints an error to standard error, for the user who starts the daemon.

  """
  if sys.stderr:
    sys.stderr.write(printable.Printable("%s: %s" % (constants.CONFD, text)) +
                     "\n")


def TakeStandardStreams() -> None:
  """Opens /dev/null at each of the descriptors 0 to 2 that is closed.

  Otherwise the next files to be opened would become standard streams.

  """
  fd = 0
  while fd <= 2:
    fd = os.open(os.devnull, os.O_RDWR)
  os.close(fd)


def Detach() -> Callable[[Optional[str]], None]:
  """Continues in a background process without a controlling terminal.

  @return: a function to be called once, with None when the daemon serves, or
    with an error message. The process that was started by the user waits for
    that call, and exits with 0, or prints the message and exits with 1.

  """
  (read_fd, write_fd) = os.pipe2(os.O_CLOEXEC)
  if os.fork():
    os.close(write_fd)
    with open(read_fd, encoding="utf-8", errors="replace") as report:
      text = report.read()
    # An empty report means that the daemon died
    if text != _STARTED:
      Complain(text or "The daemon died while it started; see its log")
      os._exit(constants.EXIT_FAILURE)
    os._exit(constants.EXIT_SUCCESS)
  os.close(read_fd)
  os.setsid()
  if os.fork():
    os._exit(constants.EXIT_SUCCESS)
  os.chdir("/")
  null_fd = os.open(os.devnull, os.O_RDWR)
  for fd in range(3):
    os.dup2(null_fd, fd)
  # Close the descriptors that the caller has left open. Otherwise the daemon
  # would keep the caller's pipes open, and its locks held, as long as it runs.
  for name in os.listdir("/proc/self/fd"):
    if int(name) not in (0, 1, 2, write_fd):
      try:
        os.close(int(name))
      except OSError:
        # listdir() had opened this descriptor itself, and has closed it
        pass

  def _Report(error: Optional[str]) -> None:
    try:
      with open(write_fd, "w", encoding="utf-8",
                errors="backslashreplace") as report:
        report.write(_STARTED if error is None else error)
    except BrokenPipeError:
      # The process that waits for the report was killed
      pass

  return _Report

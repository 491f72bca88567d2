#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Going on in the background.

"""

from __future__ import annotations

import os
import sys
from typing import Callable, Optional

from ganeti import constants
from ganeti.confd import printable


_STARTED = "started"


def Complain(text: str) -> None:
  """Tells who started the daemon what is wrong.

  """
  if sys.stderr:
    sys.stderr.write(printable.Printable("%s: %s" % (constants.CONFD, text)) +
                     "\n")


def TakeStandardStreams() -> None:
  """Opens those of the descriptors 0 to 2 that are closed.

  Else the next files would be opened there.

  """
  fd = 0
  while fd <= 2:
    fd = os.open(os.devnull, os.O_RDWR)
  os.close(fd)


def Detach() -> Callable[[Optional[str]], None]:
  """Goes on in a process without a terminal.

  @return: to be called once: with None when the daemon runs, or with the text
    of what is wrong. The process that was started exits accordingly.

  """
  (read_fd, write_fd) = os.pipe2(os.O_CLOEXEC)
  if os.fork():
    os.close(write_fd)
    with open(read_fd, encoding="utf-8", errors="replace") as report:
      text = report.read()
    # Without a word it died
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
  # Locks and pipes of who started this would live as long as the daemon
  for name in os.listdir("/proc/self/fd"):
    if int(name) not in (0, 1, 2, write_fd):
      try:
        os.close(int(name))
      except OSError:
        # That of the directory itself
        pass

  def _Report(error: Optional[str]) -> None:
    try:
      with open(write_fd, "w", encoding="utf-8",
                errors="backslashreplace") as report:
        report.write(_STARTED if error is None else error)
    except BrokenPipeError:
      # Who started this did not wait for it
      pass

  return _Report

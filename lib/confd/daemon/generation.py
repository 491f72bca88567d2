#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""A generation, as the supervisor sees it: a process group and two pipes.

A generation is a loader and its children, see L{loader}. All of them hold the
write end of the status pipe, so its end of file says that none is left; they
are one process group, so that they can be killed together.

"""

from __future__ import annotations

import os

from ganeti.confd.daemon import loader
from ganeti.confd.daemon import messages
from ganeti.confd.daemon import process
from ganeti.confd.daemon import setup as setuplib
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Iterable, List, Optional, Tuple


#: What is read from a status pipe at a time (bytes)
_READ_SIZE = 1 << 16


class Generation:
  """A generation's handle.

  @ivar pid: process id of the loader
  @ivar exit_code: how that ended, see L{process.Reap}; None while it is not
    known to have ended

  """
  def __init__(self, setup: setuplib.Setup, number: int,
               close_fds: Iterable[int], spare: bool = False) -> None:
    """Starts the loader.

    @param number: generations are numbered through
    @param close_fds: descriptors of the supervisor's own
    @param spare: whether the loader waits for the order to load
    @raise OSError: there are too many processes, or the like

    """
    self.number = number
    self.exit_code: Optional[int] = None
    self._buffer = b""
    fds: List[int] = []
    try:
      fds.extend(os.pipe2(os.O_CLOEXEC))
      fds.extend(os.pipe2(os.O_CLOEXEC))
      (control_read, self._control_fd, self._status_fd, status_write) = fds
      main = loader.Loader(setup, number, control_read, status_write)
      self.pid = process.Fork(
        main.RunSpare if spare else main.Run,
        [*close_fds, self._control_fd, self._status_fd], new_group=True)
    except OSError:
      for fd in fds:
        os.close(fd)
      raise
    os.close(control_read)
    os.close(status_write)
    os.set_blocking(self._status_fd, False)

  def fileno(self) -> int:
    return self._status_fd

  @property
  def finishing(self) -> bool:
    """Whether it was told to finish.

    """
    return self._control_fd < 0

  def OpenFds(self) -> List[int]:
    """Returns the descriptors that a new process must not inherit.

    """
    return [fd for fd in (self._control_fd, self._status_fd) if fd >= 0]

  def Read(self) -> Tuple[List[messages.Message], bool]:
    """Reads what the loader has said.

    @return: messages, and whether the generation is gone

    """
    try:
      data = os.read(self._status_fd, _READ_SIZE)
    except BlockingIOError:
      return ([], False)
    (found, self._buffer) = messages.Split(self._buffer + data)
    return (found, not data)

  def Order(self, order: bytes) -> None:
    """Tells the loader something.

    @param order: one of L{messages}' orders

    """
    try:
      os.write(self._control_fd, order)
    except BrokenPipeError:
      # It died; its end of file is on its way
      pass

  def Finish(self) -> None:
    """Lets the generation answer what it holds and go.

    """
    if self._control_fd >= 0:
      os.close(self._control_fd)
      self._control_fd = -1

  def Kill(self) -> None:
    """Kills all its processes; they may be gone already, but not its number.

    """
    self.Finish()
    # While nobody has read the end of file, a process of it may be there, or
    # has just ended; its number is not given away so soon
    process.KillGroup(self.pid)

  def Close(self) -> None:
    """To be called when the generation is gone, or is not waited for.

    """
    self.Finish()
    if self._status_fd >= 0:
      os.close(self._status_fd)
      self._status_fd = -1

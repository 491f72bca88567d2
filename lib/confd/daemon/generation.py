#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""A generation's handle in the supervisor: a process group and two pipes.

A generation is a loader and its children, see L{loader}. All these processes
hold the write end of the status pipe, so end of file means that none is left;
and all are in one process group, so that they can be killed together.

"""

from __future__ import annotations

import os

from ganeti.confd.daemon import loader
from ganeti.confd.daemon import messages
from ganeti.confd.daemon import process
from ganeti.confd.daemon import setup as setuplib
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Iterable, Optional


#: Maximum number of bytes that are read from a status pipe at a time
_READ_SIZE = 1 << 16


class Generation:
  """The supervisor's handle of a generation.

  @ivar pid: process id of the loader
  @ivar exit_code: how the loader ended, see L{process.Reap}; None as long as
    the end of the loader is not known

  """
  def __init__(self, setup: setuplib.Setup, number: int,
               close_fds: Iterable[int], spare: bool = False) -> None:
    """Starts the loader.

    @param number: the generation's number, one more than the last one's
    @param close_fds: descriptors of the supervisor, which the loader closes
    @param spare: whether the loader waits for the order to load
    @raise OSError: the system has too many processes, or the like

    """
    self.number = number
    self.exit_code: Optional[int] = None
    self._buffer = b""
    fds: list[int] = []
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
    """Whether the generation was told to finish.

    """
    return self._control_fd < 0

  def OpenFds(self) -> list[int]:
    """Returns the descriptors that a new process must not inherit.

    """
    return [fd for fd in (self._control_fd, self._status_fd) if fd >= 0]

  def Read(self) -> tuple[list[messages.Message], bool]:
    """Reads messages of the loader.

    @return: messages, and whether no process of the generation is left

    """
    try:
      data = os.read(self._status_fd, _READ_SIZE)
    except BlockingIOError:
      return ([], False)
    (found, self._buffer) = messages.Split(self._buffer + data)
    return (found, not data)

  def Order(self, order: bytes) -> None:
    """Sends an order to the loader.

    @param order: one of L{messages}' orders

    """
    try:
      os.write(self._control_fd, order)
    except BrokenPipeError:
      # The loader has died: drop the order. The supervisor learns of the death
      # from SIGCHLD, or from the end of file of the status pipe.
      pass

  def Finish(self) -> None:
    """Tells the generation to answer its pending requests and to end.

    """
    if self._control_fd >= 0:
      os.close(self._control_fd)
      self._control_fd = -1

  def Kill(self) -> None:
    """Kills all processes of the generation; some or all may have ended.

    To be called only before L{Read} has reported that the generation is gone.

    """
    self.Finish()
    # No other process group can have this id yet. Before L{Read} gets the end
    # of file, the generation has a process, or its last one has only just
    # ended; and the kernel does not reuse an id at once.
    process.KillGroup(self.pid)

  def Close(self) -> None:
    """Closes the pipes of a generation that is gone, or no longer waited for.

    """
    self.Finish()
    if self._status_fd >= 0:
      os.close(self._status_fd)
      self._status_fd = -1

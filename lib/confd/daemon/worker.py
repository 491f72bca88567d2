#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Taking datagrams off the shared socket, and sending the answers.

A L{Worker} does nothing else. A L{Reader} is for a process that has other
things to do as well: the first process of a generation, while there is no
worker.

Facts: several processes block in recvmsg on one socket; the kernel wakes one
of them per datagram, in turn. That is the fastest way to share much work, but
recvmsg waits for nothing else, and Python goes on with it after a signal. So
the socket has a receive time-out. It is everybody's, as all modes of the socket
are: a signal handler that shortens it ends the wait it has interrupted, if not
at once: the kernel counts in ticks of some milliseconds.

So a worker waits there only while there is much to do, and datagrams come soon.
Else it sleeps in epoll, where it hears of the end at once. With EPOLLEXCLUSIVE
one datagram wakes one of those that sleep, which is always the first of them
that does. The others stay asleep, and may go.

"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time

from ganeti.confd import answers
from ganeti.confd import server
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Iterable, Mapping, Optional, Set


#: Seconds that a worker with much to do waits in recvmsg
_RECEIVE_TIMEOUT = 0.05
#: The shortest one there is: 0 would mean no time-out
_NO_TIME = 0.000001

#: A process has much to do if it gets so many datagrams in so many seconds; it
#: could answer about fifteen times as many
_BUSY_COUNT = 256
_BUSY_SECONDS = 0.064

#: How many datagrams a L{Reader} answers before it looks around. Answers of a
#: worker's kind take less than 10 ms each.
_TURN = 16

#: Seconds without a datagram after which a worker that may go, goes
_IDLE = 60.0


def RestoreTimeout(sock: socket.socket) -> None:
  """Has all workers wait for as long as they should.

  """
  server.SetReceiveTimeout(sock, _RECEIVE_TIMEOUT)


class Reader:
  """Answers datagrams in a process that has other things to wait for.

  """
  def __init__(self, sock: socket.socket, serving: server.Server,
               elsewhere: Mapping[answers.Elsewhere, socket.socket]) -> None:
    """@param sock: from L{server.OpenSocket}
    @param elsewhere: where requests go that are others' to answer

    """
    self._serve = serving.ServeOne
    self._elsewhere = elsewhere
    self._sock_fd = sock.fileno()
    self._poller = select.epoll()
    self._registered: Set[int] = set()
    self._count = 0
    self._since = time.monotonic()

  def fileno(self) -> int:
    """Returns a descriptor that no child must hold.

    """
    return self._poller.fileno()

  def Close(self) -> None:
    self._poller.close()

  def Wait(self, sources: Iterable[int], timeout: Optional[float],
           reads: bool) -> Set[int]:
    """Waits for other things than datagrams, and answers those meanwhile.

    @param sources: the descriptors of those things
    @param timeout: seconds; None for any time
    @param reads: whether to answer datagrams
    @return: the descriptors that can be read, or have come to their end; that
      of the socket if there is so much to do that workers should do it

    """
    wanted = {self._sock_fd, *sources} if reads else set(sources)
    for fd in self._registered - wanted:
      self._poller.unregister(fd)
    for fd in wanted - self._registered:
      self._poller.register(fd, select.EPOLLIN)
    self._registered = wanted
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
      readable = {fd for (fd, _) in self._poller.poll(timeout)}
      if self._sock_fd in readable:
        readable.remove(self._sock_fd)
        if self._Serve():
          readable.add(self._sock_fd)
      if readable:
        return readable
      if deadline is not None:
        timeout = deadline - time.monotonic()
        if timeout <= 0:
          return readable

  def _Serve(self) -> bool:
    """Answers some datagrams.

    @return: whether there is much to do

    """
    if self._count == 0:
      self._since = time.monotonic()
    for _ in range(_TURN):
      if not self._serve(self._elsewhere, socket.MSG_DONTWAIT):
        break
      self._count += 1
      if self._count == _BUSY_COUNT:
        self._count = 0
        now = time.monotonic()
        before = self._since
        self._since = now
        if now - before < _BUSY_SECONDS:
          return True
    return False


class Worker:
  """Serves datagrams until it is told to finish.

  """
  def __init__(self, sock: socket.socket, serving: server.Server,
               elsewhere: Mapping[answers.Elsewhere, socket.socket],
               parent: int, alive_fd: int, help_fd: int, may_go: bool) -> None:
    """@param sock: from L{server.OpenSocket}
    @param elsewhere: where requests go that are others' to answer
    @param parent: the loader's process id
    @param alive_fd: read end of a pipe that ends when the loader is gone, or
      tells all workers to finish
    @param help_fd: written to when another worker would be of use
    @param may_go: whether to end after a quiet time

    """
    self._server = serving
    self._sock = sock
    self._elsewhere = elsewhere
    self._parent = parent
    self._alive_fd = alive_fd
    self._help_fd = help_fd
    self._may_go = may_go
    self._told = False
    #: Something to read in it ends the sleep
    self._told_pipe = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

  def Run(self) -> None:
    signal.signal(signal.SIGTERM, self._HandleTermination)
    RestoreTimeout(self._sock)
    sleeper = select.epoll()
    sleeper.register(self._sock, select.EPOLLIN | select.EPOLLEXCLUSIVE)
    sleeper.register(self._alive_fd, select.EPOLLIN)
    sleeper.register(self._told_pipe[0], select.EPOLLIN)
    serve = self._server.ServeOne
    elsewhere = self._elsewhere
    count = 0
    since = time.monotonic()
    flags: int = socket.MSG_DONTWAIT
    while not self._told and os.getppid() == self._parent:
      if serve(elsewhere, flags):
        count += 1
        if count == _BUSY_COUNT:
          now = time.monotonic()
          flags = socket.MSG_DONTWAIT
          if now - since < _BUSY_SECONDS:
            flags = 0
            self._AskForHelp()
          count = 0
          since = now
        continue
      if flags == 0:
        # Nothing came for as long as the time-out
        flags = socket.MSG_DONTWAIT
        count = 0
      events = sleeper.poll(_IDLE if self._may_go else None)
      if any(fd == self._alive_fd for (fd, _) in events):
        return
      if not events:
        break
      if count == 0:
        since = time.monotonic()
    # The next datagram wakes others. If one has woken this worker, it has woken
    # nobody else.
    sleeper.close()
    serve(elsewhere, socket.MSG_DONTWAIT)

  def _HandleTermination(self, _signum: int, _frame: object) -> None:
    """Ends the sleep, and the wait for a datagram.

    The latter in this process and all others. All workers finish together, and
    the next ones set the time-out again.

    """
    self._told = True
    # More than one is of no use
    with contextlib.suppress(BlockingIOError):
      os.write(self._told_pipe[1], b"t")
    server.SetReceiveTimeout(self._sock, _NO_TIME)

  def _AskForHelp(self) -> None:
    try:
      os.write(self._help_fd, b"h")
    except OSError:
      # It has been asked for often enough, or the loader has just died
      pass

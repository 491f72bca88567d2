#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Reading datagrams from the shared socket, and sending the answers.

A L{Worker} is a process that only answers datagrams. A L{Reader} is part of a
process that waits for other descriptors as well: a generation's loader, while
there is no worker.

Facts: if several processes block in recvmsg on one socket, the kernel wakes one
of them per datagram, in turn. Blocking is the fastest way to share a high load.
But recvmsg waits for no other descriptor, and Python repeats the call after a
signal. So the socket has a receive time-out, which all processes share, like
all properties of the socket. A signal handler that shortens the time-out ends
the recvmsg that the signal has interrupted, though not at once: the kernel
counts in ticks of some milliseconds.

Rule: a worker blocks in recvmsg only while the load is high, and datagrams come
soon. Otherwise the worker waits in epoll, which reports at once that the worker
is to finish. With EPOLLEXCLUSIVE, a datagram wakes only one of the processes
that wait in epoll: the first one, in a fixed order. The other processes stay
asleep, and may end after a quiet time.

"""

from __future__ import annotations

import os
import select
import signal
import socket
import time

from ganeti.confd import server
from ganeti.confd.daemon import process
from ganeti.confd.serving import answers
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Iterable, Mapping, Optional


#: Receive time-out of the socket, for workers that block in recvmsg (seconds)
_RECEIVE_TIMEOUT = 0.05
#: The shortest possible receive time-out (seconds); the kernel takes 0 as no
#: time-out
_SHORTEST_TIMEOUT = 0.000001

#: A process is busy if it gets _BUSY_COUNT datagrams within _BUSY_SECONDS:
#: about a fifteenth of the number that it could answer in that time
_BUSY_COUNT = 256
_BUSY_SECONDS = 0.064

#: Maximum number of datagrams that a L{Reader} answers before it polls its
#: other descriptors. Each answer takes less than 10 ms.
_TURN = 16

#: A worker that was started with C{ends_when_idle} ends after this time without
#: a datagram (seconds)
_IDLE = 60.0


def RestoreTimeout(sock: socket.socket) -> None:
  """Sets the normal receive time-out, which all workers share.

  """
  server.SetReceiveTimeout(sock, _RECEIVE_TIMEOUT)


class Reader:
  """Answers datagrams in a process that waits for other descriptors as well.

  """
  def __init__(self, sock: socket.socket, serving: server.Server,
               delegates: Mapping[answers.Delegate, socket.socket]) -> None:
    """@param sock: from L{server.OpenSocket}
    @param delegates: sockets for requests that other processes have to answer

    """
    self._serve = serving.ServeOne
    self._delegates = delegates
    self._sock_fd = sock.fileno()
    self._poller = select.epoll()
    self._registered: set[int] = set()
    self._count = 0
    self._since = time.monotonic()

  def fileno(self) -> int:
    """Returns the epoll descriptor, which a child has to close.

    """
    return self._poller.fileno()

  def Close(self) -> None:
    self._poller.close()

  def Wait(self, sources: Iterable[int], timeout: Optional[float],
           reads: bool) -> set[int]:
    """Waits for other descriptors than the socket; answers datagrams meanwhile.

    @param sources: the other descriptors
    @param timeout: seconds; None to wait for ever
    @param reads: whether to answer datagrams
    @return: the descriptors that are readable or at end of file; the socket's
      only if this process is busy, so that a worker should be started

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
    """Answers at most C{_TURN} datagrams.

    @return: whether this process is busy

    """
    if self._count == 0:
      self._since = time.monotonic()
    for _ in range(_TURN):
      if not self._serve(self._delegates, socket.MSG_DONTWAIT):
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
  """Answers datagrams until the worker is told to finish, or has been idle.

  """
  def __init__(self, sock: socket.socket, serving: server.Server,
               delegates: Mapping[answers.Delegate, socket.socket],
               parent: int, alive_fd: int, help_fd: int,
               ends_when_idle: bool) -> None:
    """@param sock: from L{server.OpenSocket}
    @param delegates: sockets for requests that other processes have to answer
    @param parent: the loader's process id
    @param alive_fd: read end of a pipe; end of file means that the loader has
      died, or that all workers have to finish
    @param help_fd: write end of a pipe on which to ask for another worker
    @param ends_when_idle: whether the worker ends after L{_IDLE} seconds
      without a datagram

    """
    self._server = serving
    self._sock = sock
    self._delegates = delegates
    self._parent = parent
    self._alive_fd = alive_fd
    self._help_fd = help_fd
    self._ends_when_idle = ends_when_idle
    self._terminated = False

  def Run(self) -> None:
    # Make signals wake epoll: each signal makes this queue readable. The
    # handler alone does not suffice: if a signal comes just before epoll waits,
    # Python calls the handler only after the wait.
    signals = process.SignalQueue([])
    signal.signal(signal.SIGTERM, self._HandleTermination)
    RestoreTimeout(self._sock)
    sleeper = select.epoll()
    sleeper.register(self._sock, select.EPOLLIN | select.EPOLLEXCLUSIVE)
    sleeper.register(self._alive_fd, select.EPOLLIN)
    sleeper.register(signals, select.EPOLLIN)
    serve = self._server.ServeOne
    delegates = self._delegates
    count = 0
    since = time.monotonic()
    flags: int = socket.MSG_DONTWAIT
    while not self._terminated and os.getppid() == self._parent:
      if serve(delegates, flags):
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
        # The receive time-out has passed without a datagram: wait in epoll
        # again
        flags = socket.MSG_DONTWAIT
        count = 0
      events = sleeper.poll(_IDLE if self._ends_when_idle else None)
      if any(fd == self._alive_fd for (fd, _) in events):
        return
      if not events:
        break
      if count == 0:
        since = time.monotonic()
    # Stop waiting in epoll, so that the next datagram wakes another worker. A
    # datagram that came just before may have woken only this worker: answer it.
    sleeper.close()
    serve(delegates, socket.MSG_DONTWAIT)

  def _HandleTermination(self, _signum: int, _frame: object) -> None:
    """Handles SIGTERM, and ends the wait in recvmsg.

    The shorter receive time-out affects all workers, which does no harm: all
    workers finish together, and the next ones restore the time-out.

    """
    self._terminated = True
    server.SetReceiveTimeout(self._sock, _SHORTEST_TIMEOUT)

  def _AskForHelp(self) -> None:
    try:
      os.write(self._help_fd, b"h")
    except OSError:
      # Ignore the error: the pipe is full of requests for another worker, or
      # the loader has just died
      pass

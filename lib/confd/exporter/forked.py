#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Processes that the server forks, without executing another program.

Rule 1: the server has one thread, and nothing in it starts another. A fork
copies one thread only: a lock that another thread holds stays locked in the
child for ever. Code that starts threads, such as the client library, runs in
processes that never fork: the collector (C{collector}), and those of L{Run}.

Rule 2: slow work is done in a forked process, see L{Run}. The server's thread
serves all clients, and a regular expression may take years, or gigabytes within
a second. A forked process shares the server's data (copy-on-write), writes its
result to a pipe, and is limited in time and memory, see L{Limits}.

"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import mmap
import os
import resource
import select
import signal
import socket
import struct
import time
import traceback

from typing import Callable, NamedTuple, NoReturn, Optional

from ganeti.confd import loglines


#: By default, the limit of the wall-clock time is the limit of the processor
#: time multiplied by this number, as the machine may be busy
_BUSY = 10

#: A result of at least this size (bytes) gets a memory mapping of its own
_MAPPED_SIZE = 1 << 17

#: The header of a process's result: the kind, such as L{_SUCCESS}, and the size
_HEADER = struct.Struct("=cQ")

#: The result of L{End} for a process that has used up its processor time
_CPU_TIME_SIGNAL = "signal %d" % signal.SIGPROF

#: Seconds to wait for the end of a killed process
_END_PATIENCE = 2.0

#: A killed process that has not ended after this time is said to hang
#: (seconds). The time is long, as on a busy machine even a killed process has
#: to wait for a processor before it ends.
_HANGING_TIME = 30.0

#: The ids of killed processes that have not ended yet, each with the time at
#: which L{End} stopped waiting for the process (monotonic clock)
_killed: dict[int, float] = {}

#: Kinds of results, sent before the result: success, a L{BadRequest}, not
#: enough memory, a programming error
(_SUCCESS, _BAD_REQUEST, _NO_MEMORY, _FAULT) = (b"=", b"!", b"+", b"?")


class Limits(NamedTuple):
  """The most that a process may use.

  """
  #: Processor time (seconds)
  cpu_time: float = 3.0
  #: Wall-clock time (seconds); None for L{_BUSY} times the processor time
  wall_time: Optional[float] = None
  #: Memory in addition to the server's (bytes)
  memory: int = 256 << 20
  #: Size of the result (bytes)
  size: int = 32 << 20


def _TooLong(limits: Limits) -> str:
  return "It takes too long: more than %d s of processor time" % limits.cpu_time


class BadRequest(Exception):
  """The client's request is wrong; the text says why.

  """


class Failed(Exception):
  """A process had no result: too much time or memory, or a programming error.

  """


def _Write(fd: int, data: bytes) -> None:
  view = memoryview(data)
  while view:
    view = view[os.write(fd, view):]


def _Isolate(fd: int) -> None:
  """Separates a forked process from the server.

  @param fd: the descriptor that stays open, beside the standard ones

  """
  # Python writes the number of each signal to a descriptor that this process
  # shares with the server. Forget the descriptor, or the server's event loop
  # would take this process's signals for its own.
  signal.set_wakeup_fd(-1)
  # Ignore the signals that systemd, or Ctrl-C in a terminal, may send to all
  # processes of the service: the server ends its processes by itself
  for signum in (signal.SIGTERM, signal.SIGINT):
    signal.signal(signum, signal.SIG_IGN)
  # Close the server's connections: a connection ends only when all processes
  # have closed it
  for name in os.listdir("/proc/self/fd"):
    if int(name) > 2 and int(name) != fd:
      with contextlib.suppress(OSError):
        os.close(int(name))
  # Exclude the server's objects from garbage collection, which writes to each
  # object and so would copy all pages (copy-on-write)
  gc.freeze()


def _SetLimits(limits: Limits) -> None:
  """Makes the kernel enforce the limits of this process.

  """
  signal.signal(signal.SIGPROF, signal.SIG_DFL)
  signal.setitimer(signal.ITIMER_PROF, limits.cpu_time)
  # If the system runs out of memory, the kernel kills this process first
  with contextlib.suppress(OSError), \
       open("/proc/self/oom_score_adj", "w", encoding="ascii") as stream:
    stream.write("1000")
  with open("/proc/self/statm", encoding="ascii") as stream:
    size = int(stream.read().split()[0]) * resource.getpagesize()
  (soft, hard) = resource.getrlimit(resource.RLIMIT_AS)
  resource.setrlimit(resource.RLIMIT_AS, (
    min(i for i in (size + limits.memory, soft, hard)
        if i != resource.RLIM_INFINITY), hard))


def _Perform(fd: int, function: Callable[[], bytes], limits: Limits
             ) -> NoReturn:
  """Calls a function in a forked process, and writes its result to a pipe.

  """
  try:
    try:
      _Isolate(fd)
      # Disable garbage collection: the process ends before there is much
      # garbage
      gc.disable()
      _SetLimits(limits)
      (kind, data) = (_SUCCESS, function())
    except BadRequest as err:
      (kind, data) = (_BAD_REQUEST, str(err).encode("utf-8",
                                                    "backslashreplace"))
    except MemoryError:
      (kind, data) = (_NO_MEMORY, b"")
    except Exception:  # pylint: disable=W0718
      (kind, data) = (_FAULT, traceback.format_exc().encode(
        "utf-8", "backslashreplace"))
    _Write(fd, _HEADER.pack(kind, len(data)))
    _Write(fd, data)
  finally:
    os._exit(0)  # pylint: disable=W0212


def _Allocate(size: int) -> memoryview:
  """Allocates memory that goes back to the kernel as soon as it is freed.

  glibc's malloc maps large blocks, too, but raises its threshold when the first
  mapped block is freed: later blocks of that size come from the heap.

  """
  if size < _MAPPED_SIZE:
    return memoryview(bytearray(size))
  return memoryview(mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))


async def _Fill(fd: int, buffer: memoryview) -> None:
  """Reads from a pipe until a buffer is full.

  @raise EOFError: the other end is closed before that

  """
  loop = asyncio.get_running_loop()
  end: asyncio.Future[None] = loop.create_future()
  left = buffer

  def _Readable() -> None:
    nonlocal left
    try:
      count = os.readv(fd, [left])
    except BlockingIOError:
      return
    left = left[count:]
    if end.done():
      return
    if not left:
      end.set_result(None)
    elif not count:
      end.set_exception(EOFError())

  if buffer:
    loop.add_reader(fd, _Readable)
    try:
      await end
    finally:
      loop.remove_reader(fd)


async def _Read(fd: int, size: int) -> tuple[bytes, memoryview]:
  """Reads the result of a process.

  @return: the kind of result, such as L{_SUCCESS}, and the result or the
    error's text
  @raise EOFError: the process has ended before it has written all
  @raise Failed: there are more than C{size} bytes

  """
  os.set_blocking(fd, False)
  head = memoryview(bytearray(_HEADER.size))
  await _Fill(fd, head)
  (kind, length) = _HEADER.unpack(head)
  if length > size:
    raise Failed("It is too large: more than %d MiB" % (size >> 20))
  data = _Allocate(length)
  await _Fill(fd, data)
  return (kind, data)


def _Fork() -> int:
  """Forks this process.

  @raise Failed: the system refuses

  """
  _Reap()
  try:
    return os.fork()
  except OSError as err:
    raise Failed("Cannot start a process: %s" % err.strerror) from err


async def _Result(source: int, pid: int, limits: Limits
                  ) -> tuple[bytes, memoryview]:
  """Reads the result of a process, and ends the process.

  @return: see L{_Read}
  @raise Failed: the result is incomplete

  """
  result = None
  try:
    result = await asyncio.wait_for(
      _Read(source, limits.size), _BUSY * limits.cpu_time
      if limits.wall_time is None else limits.wall_time)
  except EOFError:
    # The result is incomplete; the exit status, below, tells the reason
    pass
  except asyncio.TimeoutError:
    if limits.wall_time is None:
      raise Failed(_TooLong(limits)) from None
    raise Failed("It has not ended after %g s (check whether a disk, or the"
                 " whole host, is too slow)" % limits.wall_time) from None
  finally:
    end = End(pid)
  if result is None:
    raise Failed(_TooLong(limits) if end == _CPU_TIME_SIGNAL else
                 "The process for it was ended by %s" % end)
  return result


async def Run(function: Callable[[], bytes], limits: Limits = Limits()
              ) -> memoryview:
  """Calls a function in a process of its own.

  @param function: function without side effects, which may raise L{BadRequest}
  @return: the result
  @raise BadRequest: the function has raised it
  @raise Failed: there is no result

  """
  (source, sink) = os.pipe()
  try:
    try:
      pid = _Fork()
      if pid == 0:
        _Perform(sink, function, limits)
    finally:
      os.close(sink)
    (kind, data) = await _Result(source, pid, limits)
  finally:
    os.close(source)
  if kind == _BAD_REQUEST:
    raise BadRequest(str(data, "utf-8"))
  if kind == _NO_MEMORY:
    raise Failed("It takes too much memory: more than %d MiB" %
                 (limits.memory >> 20))
  if kind == _FAULT:
    loglines.LogTraceback(str(data, "utf-8"))
    raise Failed("It cannot be made")
  return data


def Start(main: Callable[[socket.socket], None]
          ) -> tuple[int, socket.socket]:
  """Starts a process that stays.

  @param main: called in the process, with a socket to the server; reading from
    the socket returns the end of the stream once the server is gone
  @return: process id, and the server's end of that socket
  @raise Failed: the system refuses

  """
  (ours, theirs) = socket.socketpair()
  try:
    pid = _Fork()
    if pid == 0:
      try:
        _Isolate(theirs.fileno())
        main(theirs)
      finally:
        os._exit(0)  # pylint: disable=W0212
  except Failed:
    ours.close()
    raise
  finally:
    theirs.close()
  return (pid, ours)


def _WaitForEnd(pid: int) -> bool:
  """Waits until a killed process has ended.

  @return: False if the process has not ended in time

  """
  try:
    fd = os.pidfd_open(pid)
  except OSError:
    # Linux before 5.3 has no pidfd_open: let the caller wait in waitpid
    return True
  try:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(1000 * _END_PATIENCE))
  finally:
    os.close(fd)


def _Reap() -> None:
  """Forgets killed processes that have ended meanwhile.

  """
  for pid in list(_killed):
    if os.waitpid(pid, os.WNOHANG)[0]:
      del _killed[pid]


def IsHanging() -> bool:
  """Tells whether a killed process hangs, probably as it waits for a disk.

  """
  _Reap()
  now = time.monotonic()
  return any(now - since >= _HANGING_TIME for since in _killed.values())


def End(pid: int) -> str:
  """Ends a process, unless it has ended by itself.

  @return: how the process has ended, e.g. "signal 9"

  """
  os.kill(pid, signal.SIGKILL)
  if not _WaitForEnd(pid):
    _killed[pid] = time.monotonic()
    return "nothing: it waits for the system, perhaps for a disk"
  (_, status) = os.waitpid(pid, 0)
  if os.WIFSIGNALED(status):
    return "signal %d" % os.WTERMSIG(status)
  return "itself, with exit code %d" % os.WEXITSTATUS(status)

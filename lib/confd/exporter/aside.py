#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Making an answer in a process of its own, which may take so much time and
memory, and no more.

The server has one thread: what takes a while would keep all others waiting, and
a regular expression can be written that takes years, and another one that
takes gigabytes within a second. A fork has all that is known at hand, returns
the bytes of an answer, and is ended by the system when its time is over.

"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import signal
import traceback

from typing import Callable, List, NoReturn

from ganeti.confd import loglines


#: Seconds of processor time to make something
_CPU_TIME = 3.0

#: How much longer it may take by the clock, on a machine that is busy
_BUSY = 10

#: Longest answer (bytes)
_MAX_SIZE = 32 << 20

#: How much more memory than the server a process may take (bytes)
_MEMORY = 256 << 20

#: The first byte from the process: an answer was made, the request is wrong,
#: there is not enough memory, programming error
(_MADE, _WRONG, _LARGE, _ERROR) = (b"=", b"!", b"+", b"?")


class BadRequest(Exception):
  """What was asked for is wrong; the text says why.

  """


class Failed(Exception):
  """Making an answer took too much time or memory, or did not work at all.

  """


def _Write(fd: int, data: bytes) -> None:
  view = memoryview(data)
  while view:
    view = view[os.write(fd, view):]


def _LimitMemory() -> None:
  """Limits what this process may take beside what it has.

  """
  with open("/proc/self/statm", encoding="ascii") as stream:
    size = int(stream.read().split()[0]) * resource.getpagesize() + _MEMORY
  (soft, hard) = resource.getrlimit(resource.RLIMIT_AS)
  resource.setrlimit(resource.RLIMIT_AS, (
    min((i for i in (size, soft, hard) if i != resource.RLIM_INFINITY)), hard))


def _Child(fd: int, make: Callable[[], bytes], cpu_time: float) -> NoReturn:
  """Makes the answer, in the new process.

  """
  try:
    # What these do in the server is none of this process' business
    signal.set_wakeup_fd(-1)
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGPROF):
      signal.signal(signum, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, cpu_time)
    # A connection ends when the server closes it
    for name in os.listdir("/proc/self/fd"):
      if int(name) > 2 and int(name) != fd:
        with contextlib.suppress(OSError):
          os.close(int(name))
    # It would write to each page of memory, and so take all of them twice
    gc.disable()
    _LimitMemory()
    try:
      data = _MADE + make()
    except BadRequest as err:
      data = _WRONG + str(err).encode("utf-8", "backslashreplace")
    except MemoryError:
      data = _LARGE
    except Exception:  # pylint: disable=W0718
      data = _ERROR + traceback.format_exc().encode("utf-8", "backslashreplace")
    _Write(fd, data)
  finally:
    os._exit(0)  # pylint: disable=W0212


async def _Read(fd: int, seconds: float) -> bytes:
  """Reads until the other end is closed.

  @raise asyncio.TimeoutError: it takes longer than C{seconds}

  """
  loop = asyncio.get_running_loop()
  end: asyncio.Future[None] = loop.create_future()
  parts: List[bytes] = []

  def _Readable() -> None:
    try:
      part = os.read(fd, 1 << 20)
    except BlockingIOError:
      return
    except OSError as err:
      if not end.done():
        end.set_exception(err)
      return
    parts.append(part)
    if not end.done() and (not part or sum(map(len, parts)) > _MAX_SIZE):
      end.set_result(None)

  os.set_blocking(fd, False)
  loop.add_reader(fd, _Readable)
  try:
    await asyncio.wait_for(end, seconds)
  finally:
    loop.remove_reader(fd)
  return b"".join(parts)


async def Make(make: Callable[[], bytes], cpu_time: float = _CPU_TIME) -> bytes:
  """Makes an answer.

  @param make: what makes it; it changes nothing, and may raise
    L{BadRequest}
  @param cpu_time: seconds of processor time that it may take
  @raise BadRequest: as C{make} did
  @raise Failed: there is none

  """
  (source, sink) = os.pipe()
  try:
    pid = os.fork()
  except OSError as err:
    os.close(source)
    os.close(sink)
    raise Failed("Cannot start a process: %s" % err.strerror) from err
  if pid == 0:
    _Child(sink, make, cpu_time)
  os.close(sink)
  try:
    data = await _Read(source, _BUSY * cpu_time)
  except (OSError, asyncio.TimeoutError):
    data = b""
  finally:
    os.close(source)
    # It has ended, or takes too long
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
  (kind, rest) = (data[:1], data[1:])
  if kind == _WRONG:
    raise BadRequest(rest.decode("utf-8"))
  if kind == _LARGE:
    raise Failed("It takes too much memory")
  if kind == _ERROR:
    loglines.LogTraceback(rest.decode("utf-8"))
  if kind != _MADE or len(data) > _MAX_SIZE:
    raise Failed("It takes too long" if not kind else "It cannot be made")
  return rest

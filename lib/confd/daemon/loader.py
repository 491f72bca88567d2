#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The processes of a generation: a loader and its children, with one snapshot.

The loader reads the configuration and the key, and builds the snapshot. Its
children are workers, and one process for large answers. The children share the
snapshot's memory (copy-on-write), since they are forked after it was built.

The loader answers requests about the daemon itself, and requests that wait for
a change (L{waiting}). When the generation finishes, the loader answers the
pending requests, since the next generation does not know them; clients then ask
the next generation.

Workers read the socket; while there is no worker, the loader reads it. No
worker exists while there is little to do, or just after the last one has died.
Workers are started when a reading process has much to do, and end after a quiet
time, as does the process for large answers. Where loading takes long, one
worker is started at once and is permanent: a request may kill the process that
reads it, and a worker is replaced at once, but a loader only by loading again.

A spare loader is started ahead of need, and waits for the order to load. First
it warms up: it loads the files once, if they are not large, and discards the
snapshot. So the memory pages that loading writes to have been copied before the
order comes (copy-on-write), and the ordered load takes less time.

Rule 1: each process notices the death of the others. A worker notices that its
parent process has changed, and reads end of file from a pipe of the loader's.
The process for large answers is killed through such a pipe. The loader reads
end of file from the supervisor's pipe. Every fork closes in the child the
descriptors that would keep such a pipe open.

Rule 2: a serving process reads no file but the key, whose size is limited. A
configuration is read by a loader that does not serve yet. Later, a child of the
loader checks the configuration for changes. If memory runs out, a loader that
does not serve yet and such a child are killed before the processes that serve.

"""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import time
import traceback

from ganeti import confd
from ganeti import constants
from ganeti import errors
from ganeti.confd import filestate
from ganeti.confd import localnode
from ganeti.confd import server
from ganeti.confd.config import snapshot
from ganeti.confd.daemon import backoff
from ganeti.confd.daemon import messages
from ganeti.confd.daemon import process
from ganeti.confd.daemon import setup as setuplib
from ganeti.confd.daemon import stats
from ganeti.confd.daemon import worker
from ganeti.confd.protocol import wire
from ganeti.confd.serving import answers
from ganeti.confd.serving import counters
from ganeti.confd.serving import responder
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any, Callable, Iterable, Mapping, MutableSequence, Optional


#: The delays before a child that died is replaced, as arguments of
#: L{backoff.Backoff} (seconds)
_RESPAWN_DELAY = (0.1, 10.0, 5.0)

#: When a generation finishes, workers that still run after this time are killed
#: (seconds)
_FINISH_TIME = 0.5
#: When a generation finishes, time limit for answering the requests that
#: workers have forwarded (seconds)
_FINISH_FORWARDED_TIME = 0.1

#: When a generation finishes, time limit for answering the pending WAIT
#: requests (seconds). The maximum number of such requests, 4,096, takes about
#: 0.02 s.
_ANSWER_PENDING_TIME = 0.2

#: Size of the send buffer for requests that workers forward to the loader
#: (bytes). The kernel reduces the size to the system's limit.
_LOADER_QUEUE = 4 << 20

#: Maximum number of forwarded requests that the loader handles in one turn of
#: its event loop
_BATCH = 64

#: Nice value of the process for large answers, relative to the daemon's
_LARGE_NICE = 10
#: The oom_score_adj of the process for large answers, relative to the daemon's:
#: if memory runs out, the kernel has to kill this process before the others
_LARGE_OOM_SCORE = 100
#: Seconds without a request after which the process for large answers ends
_LARGE_IDLE = 60.0

#: A load is regarded as long if it takes more CPU time than this (seconds)
_LONG_LOAD = 0.05

#: Largest configuration that a spare loader loads for its warm-up (bytes)
_WARM_UP_SIZE = 1 << 20
#: Key for the test request that a spare loader makes and answers in its warm-up
_NO_KEY = b"\0"

#: After its generation has stopped, a loader sleeps for this time before it
#: ends (seconds). The end of a loader keeps a processor busy for a millisecond
#: or more, as memory is freed, and the next generation needs the processor just
#: then.
_END_DELAY = 0.05

#: Maximum number of warnings about a configuration in the log, and maximum
#: length of each warning (characters)
_WARNINGS = 10
_WARNING_LENGTH = 200

#: Maximum number of bytes that are read at a time from the pipe on which
#: workers ask for another worker
_HELP_SIZE = 4096

#: Granularity of a file's time stamps (seconds): two changes within this time
#: may get the same time stamp. _COARSE_GRAIN is for file systems that store
#: whole seconds, or only even seconds. _FINE_GRAIN is for all others, whose
#: time stamps come from a kernel clock that ticks at least this often.
_COARSE_GRAIN = 2.1
_FINE_GRAIN = 0.05


def _ForwardingSockets() -> tuple[socket.socket, socket.socket]:
  """Makes a socket pair for requests that workers forward to another process.

  @return: the workers' end, and that of the other process

  """
  socks = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
  # Make the workers' end non-blocking: a full queue must not block a worker
  socks[0].setblocking(False)
  return socks


class _Links:
  """Sockets and pipes between the loader and its children while they serve.

  @ivar large: sockets for requests to the process for large answers
  @ivar loader: sockets for requests to the loader
  @ivar alive: a pipe whose write end only the loader holds; when that end is
    closed, workers finish
  @ivar large_alive: another such pipe; when its write end is closed, the
    process for large answers is killed
  @ivar help: a pipe to which workers write a byte to ask for another worker
  @ivar go: a pipe that holds a byte as soon as workers may serve

  """
  def __init__(self) -> None:
    self.large = _ForwardingSockets()
    self.loader = _ForwardingSockets()
    # Enlarge the queue to the loader: a thousand clients that wait for a change
    # are told at the same moment, and all send another WAIT request at once
    self.loader[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF,
                              _LOADER_QUEUE)
    self.alive = os.pipe2(os.O_CLOEXEC)
    self.large_alive = os.pipe2(os.O_CLOEXEC)
    self.help = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    self.go = os.pipe2(os.O_CLOEXEC)

  def LoadersFds(self) -> list[int]:
    """Returns the descriptors that a child has to close.

    """
    return [self.alive[1], self.large_alive[1], self.help[0]]


class _Child:
  """A slot for a child process of the loader.

  @ivar index: index of the child's row among its generation's counters
  @ivar pid: process id; None while the slot has no process
  @ivar wanted: whether the slot should have a process
  @ivar due: monotonic time before which no process may be started

  """
  def __init__(self, index: int) -> None:
    self.index = index
    self.pid: Optional[int] = None
    self.wanted = False
    self.due = 0.0
    self.backoff = backoff.Backoff(*_RESPAWN_DELAY)


def _Describe(err: Exception) -> str:
  """Returns one line: an exception, and the code that raised it.

  """
  frame = traceback.extract_tb(err.__traceback__)[-1]
  return "%r in %s, line %d" % (err, os.path.basename(frame.filename),
                                frame.lineno or 0)


def _RacySeconds(states: Iterable[filestate.State], now: float) -> float:
  """Returns how long a further change may not show in a file's state.

  Two changes within one tick of the clock for time stamps may result in the
  same state. A stamp without a fraction of a second is taken to be from a file
  system that stores no fractions.

  @param now: the time, in seconds since the epoch
  @return: seconds

  """
  racy = 0.0
  for state in states:
    grain = _FINE_GRAIN if state.ctime_ns % 10 ** 9 else _COARSE_GRAIN
    age = max(0.0, now - state.ctime_ns / 1e9)
    racy = max(racy, grain - age)
  return racy


class Loader:
  """A generation's first process.

  """
  # The attributes below are set in the loader's own process, after the fork
  _pid: int
  _signals: process.SignalQueue
  _links: _Links
  _own: server.Server
  _reader: worker.Reader

  def __init__(self, setup: setuplib.Setup, number: int, control_fd: int,
               status_fd: int) -> None:
    """@param number: number of the generation
    @param control_fd: read end of the pipe of the supervisor's orders
    @param status_fd: write end of the pipe of messages, see L{messages}

    """
    self._setup = setup
    rows = setuplib.RowsOfGeneration(setup.workers)
    self._first_row = 1 + (number % 2) * rows
    self._control_fd = control_fd
    self._status_fd = status_fd
    self._workers = [_Child(index) for index in range(setup.workers)]
    self._large = _Child(setup.workers)
    self._children = [*self._workers, self._large]
    # Process id of the child that checks the files; None while there is none
    self._check_pid: Optional[int] = None
    # Whether SIGTERM was received
    self._terminated = False
    # The attributes below get their values when the files have been loaded
    self._snapshot: Any = None
    self._key = b""
    self._digest = ""
    self._stats: Any = None
    self._source: Any = None
    #: Whether the generation has a worker at all times, even while idle
    self._has_permanent_worker = False

  def Run(self) -> None:
    """Loads the files and serves; returns when the generation has stopped.

    """
    # If memory runs out, the kernel has to kill this process first: a load can
    # be repeated
    process.SetOomScore(process.OOM_FIRST)
    self._pid = os.getpid()
    self._CountLost(self._OwnRow())
    self._signals = process.SignalQueue([signal.SIGTERM, signal.SIGCHLD])
    if not self._Load():
      return
    # Prepare to serve while the old generation may still be serving
    self._Prepare()
    if not self._AwaitOrder():
      return
    process.SetOomScore(self._setup.oom_score)
    while self._Serve() and not self._terminated:
      logging.info("The configuration is served with the new key")
      self._Prepare()
    self._Tell(messages.Stopped())
    time.sleep(_END_DELAY)

  def RunSpare(self) -> None:
    """Warms up and waits for the order to load, then goes on as L{Run}.

    """
    process.SetOomScore(process.OOM_FIRST)
    # Count lost log messages in the counters of this loader's generation
    self._CountLost(self._OwnRow())
    # Ignore SIGTERM: when the whole daemon gets this signal, the supervisor
    # kills the spare loader
    process.IgnoreTermination()
    process.DieWithWriter(self._control_fd)
    self._WarmUp()
    process.OutliveWriter(self._control_fd)
    # The supervisor sends the order to load only after it has got this message
    self._Tell(messages.Prepared())
    if os.read(self._control_fd, 1) == messages.LOAD:
      self._Tell(messages.Loading())
      self.Run()

  def _WarmUp(self) -> None:
    """Builds a snapshot, answers one request from it, and discards both.

    Afterwards the process has its own copies of the memory pages that it is
    going to write to when it loads the next configuration (copy-on-write).

    """
    now = time.time()
    try:
      with filestate.Open(self._setup.config_file) as config:
        if config.state.size > _WARM_UP_SIZE:
          return
        discarded = snapshot.Load(config)
      responder.Responder(
        answers.Quick(discarded), _NO_KEY, [0] * len(counters.NAMES),
        self._setup.replays).Respond(
          wire.PackRequest(_NO_KEY, now, constants.CONFD_REQ_PING, None,
                           "warm-up"), now)
    except Exception: # pylint: disable=W0718
      # Ignore errors of the warm-up: the next load reports them
      pass

  def _Tell(self, message: messages.Message) -> None:
    try:
      os.write(self._status_fd, messages.Encode(message))
    except BrokenPipeError:
      # The supervisor has died: drop the message. The pipe of the supervisor's
      # orders is at end of file, which makes this process end.
      pass

  def _Load(self) -> bool:
    """Reads the files, builds the snapshot, and reports to the supervisor.

    A process that serves must not call this method (rule 2): the configuration
    may be of any size.

    @return: whether loading succeeded

    """
    path = self._setup.config_file
    start = time.monotonic()
    cpu_before = time.process_time()
    files = messages.Files(filestate.FileState(path),
                           filestate.FileState(self._setup.key_file))
    # Let the kernel kill this process when the supervisor dies, even during a
    # long load: no process would use the result
    process.DieWithWriter(self._control_fd)
    # Disable garbage collection: a load may make millions of objects, none of
    # which becomes garbage
    gc.disable()
    try:
      (self._key, key_state) = localnode.ReadDaemonKey(self._setup.key_file)
      with filestate.Open(path) as config:
        state = config.state
        files = messages.Files(state, key_state)
        racy = _RacySeconds([state, key_state], time.time())
        self._snapshot = snapshot.Load(config)
        self._digest = config.Digest()
    except errors.ConfigurationError as err:
      reason = str(err)
    except MemoryError:
      reason = "%s: not enough memory" % path
    except Exception as err: # pylint: disable=W0718
      # Report a bug like any other failure. The supervisor logs the same
      # failure once, whereas an uncaught exception would be logged at each
      # retry.
      reason = "%s: programming error; %s: %s" % (path, confd.PLEASE_REPORT,
                                                  _Describe(err))
    else:
      reason = ""
    if reason:
      self._Tell(messages.Failed(reason, files, time.process_time()))
      return False
    self._stats = stats.Stats(self._setup, self._snapshot.serial,
                              len(self._snapshot.warnings), state,
                              self._digest, time.monotonic() - start,
                              lambda: self._own.pending)
    self._has_permanent_worker = time.process_time() - cpu_before > _LONG_LOAD
    # Create the source of answers before workers are forked, so that they
    # inherit its cache
    self._source = answers.Quick(self._snapshot)
    # Exempt the snapshot from garbage collection. A collection would write to
    # the memory pages that workers share with the loader, and the kernel would
    # copy each of these pages (copy-on-write).
    gc.freeze()
    gc.enable()
    # Escape and shorten the warnings, as names in them may be of any length and
    # hold any character
    warnings = [ascii(warning)[1:-1][:_WARNING_LENGTH]
                for warning in self._snapshot.warnings]
    # Undo DieWithWriter, with which any data in the pipe kill this process: the
    # supervisor sends orders through this pipe after the message Ready
    process.OutliveWriter(self._control_fd)
    self._Tell(messages.Ready(self._snapshot.serial, files, self._key.hex(),
                              time.process_time(), racy, warnings[:_WARNINGS],
                              len(warnings[_WARNINGS:])))
    return True

  def _AwaitOrder(self) -> bool:
    """Waits for the order to serve, or to finish.

    @return: whether the order is to serve; False after SIGTERM

    """
    while not self._terminated:
      readable = process.Wait([self._control_fd, self._signals.fileno()], None)
      if signal.SIGCHLD in self._ReadSignals():
        self._HandleEnds(process.Reap())
      if self._control_fd in readable and not self._terminated:
        order = os.read(self._control_fd, 1)
        if order != messages.RENEW_KEY:
          return order == messages.SERVE
        if self._RenewKey():
          # Replace the permanent worker, which was started with the old key
          self._Finish()
          self._Prepare()
    return False

  def _ReadSignals(self) -> set[int]:
    """Returns the numbers of the signals that have arrived since the last call.

    SIGTERM is also recorded: it may arrive while children are awaited, when all
    other signals are ignored.

    """
    signums = self._signals.Read()
    if signal.SIGTERM in signums:
      self._terminated = True
    return signums

  def _RenewKey(self) -> bool:
    """Reads the key again.

    An unusable key is ignored here, and reported by the next loader.

    @return: whether the key has changed

    """
    try:
      (key, _) = localnode.ReadDaemonKey(self._setup.key_file)
    except errors.ConfigurationError:
      return False
    changed = key != self._key
    self._key = key
    if changed:
      self._Tell(messages.KeyRenewed(key.hex()))
    return changed

  def _StartCheck(self) -> None:
    """Starts a child that checks whether the files have changed.

    The serving process must not read the files: by now they may be of any size,
    and take long to read.

    """
    try:
      self._check_pid = self._Fork(self._CheckMain)
    except OSError:
      self._Tell(messages.Checked(False))

  def _CheckMain(self) -> None:
    """Reports whether the files still have the contents that were loaded.

    """
    process.SetOomScore(process.OOM_FIRST)
    process.StepBack(_LARGE_NICE)
    for sock in (*self._links.large, *self._links.loader):
      sock.close()
    try:
      (key, _) = localnode.ReadDaemonKey(self._setup.key_file)
      digest = filestate.DigestFile(self._setup.config_file,
                                    self._snapshot.size)
    except errors.ConfigurationError:
      # Report a change: the supervisor then loads the files, and that load
      # reports the error
      same = False
    else:
      same = (key, digest) == (self._key, self._digest)
    self._Tell(messages.Checked(same))

  def _Prepare(self) -> None:
    """Prepares to serve; starts the permanent worker if there is to be one.

    The worker waits for L{_Serve} before it reads from the socket.

    """
    self._links = _Links()
    self._own = self._Server(
      answers.Loader(self._snapshot.serial, self._stats.Collect),
      self._OwnRow())
    self._reader = worker.Reader(
      self._setup.sock, self._Server(self._source, self._OwnRow()),
      self._Delegates())
    if self._has_permanent_worker:
      self._workers[0].wanted = True
      self._Start(self._workers[0], time.monotonic())

  def _Serve(self) -> bool:
    """Serves, alone or with children, until it is told to stop.

    @return: True to serve again, as the key has changed; False to end

    """
    os.write(self._links.go[1], b"g")
    order: Optional[bytes] = None
    while order is None:
      now = time.monotonic()
      for child in self._children:
        if child.wanted and child.pid is None and child.due <= now:
          self._Start(child, now)
      readable = self._reader.Wait(
        self._Sources(), self._Timeout(now),
        reads=not any(child.pid for child in self._workers))
      if signal.SIGCHLD in self._ReadSignals():
        self._HandleEnds(process.Reap())
      if self._links.help[0] in readable:
        os.read(self._links.help[0], _HELP_SIZE)
        self._AddWorker()
      elif self._setup.sock.fileno() in readable:
        self._AddWorker()
      if self._links.large[1].fileno() in readable:
        self._large.wanted = True
      if self._terminated:
        order = b""
      elif self._control_fd in readable:
        order = self._HandleOrder(os.read(self._control_fd, 1))
      elif self._links.loader[1].fileno() in readable:
        self._ServeForwarded()
      self._own.AnswerDue()
    # After a change of the key, leave the pending WAIT requests unanswered:
    # their replies were signed with the old key. Clients notice the change of
    # the key when they send their requests again.
    self._Finish(tell=order != messages.RENEW_KEY)
    return order == messages.RENEW_KEY

  def _ServeForwarded(self) -> None:
    """Handles requests that workers have forwarded to the loader.

    """
    for _ in range(_BATCH):
      if not self._own.ServeForwarded(self._links.loader[1],
                                      socket.MSG_DONTWAIT):
        return

  def _Sources(self) -> list[int]:
    """Returns the descriptors that the event loop waits for.

    """
    fds = [self._control_fd, self._signals.fileno(), self._links.help[0],
           self._links.loader[1].fileno()]
    if not self._large.wanted:
      fds.append(self._links.large[1].fileno())
    return fds

  def _Timeout(self, now: float) -> Optional[float]:
    """Returns the seconds until something is due; None if nothing is.

    """
    due = [child.due for child in self._children
           if child.wanted and child.pid is None]
    if self._own.next_due is not None:
      due.append(self._own.next_due)
    return max(0.0, min(due) - now) if due else None

  def _HandleOrder(self, order: bytes) -> Optional[bytes]:
    """Carries out orders that do not end serving.

    @return: None to go on serving, else the order

    """
    if order == messages.CHECK:
      self._StartCheck()
      return None
    if order == messages.RENEW_KEY and not self._RenewKey():
      return None
    return order

  def _AddWorker(self) -> None:
    """Plans the start of another worker, unless all slots are taken.

    """
    for child in self._workers:
      if not child.wanted:
        child.wanted = True
        return

  def _CountLost(self, row: MutableSequence[int]) -> None:
    self._setup.log.CountIn(row, counters.INDEX[counters.LOG_LOST])

  def _Row(self, index: int) -> MutableSequence[int]:
    return self._setup.counters.Row(self._first_row + index)

  def _OwnRow(self) -> MutableSequence[int]:
    return self._Row(self._large.index + 1)

  def _Fork(self, function: Callable[[], None]) -> int:
    """Runs a function in a child, without the descriptors of the loader.

    @return: process id
    @raise OSError: as for L{process.Fork}

    """
    return process.Fork(
      function, [self._control_fd, self._reader.fileno(),
                 *self._links.LoadersFds(), *self._signals.fds])

  def _Start(self, child: _Child, now: float) -> None:
    """Starts a child, or plans another try.

    """
    def _Main() -> None:
      row = self._Row(child.index)
      if child is self._large:
        self._LargeMain(row)
      else:
        self._WorkerMain(row, not self._IsPermanent(child))

    try:
      child.pid = self._Fork(_Main)
    except OSError as err:
      delay = child.backoff.Failed(now)
      child.due = now + delay
      logging.error("Cannot start a worker: %s; tried again in %.1f s",
                    err.strerror, delay)

  def _IsPermanent(self, child: _Child) -> bool:
    """Returns whether a child is a worker that does not end when it is idle.

    """
    return self._has_permanent_worker and child is self._workers[0]

  def _HandleEnds(self, ended: list[tuple[int, int]]) -> None:
    """Handles the end of children; plans the replacement of those that died.

    @param ended: process ids and exit codes, from L{process.Reap}

    """
    now = time.monotonic()
    for (pid, code) in ended:
      if pid == self._check_pid:
        self._check_pid = None
        if code != os.EX_OK:
          # The check has failed, so the files may have changed: report a
          # change, and the supervisor loads the files again
          self._Tell(messages.Checked(False))
      for child in self._children:
        if child.pid != pid:
          continue
        child.pid = None
        if code == os.EX_OK and not self._IsPermanent(child):
          # The child has ended as intended, when it was idle or got SIGTERM. A
          # worker that gets SIGTERM shortens the time-out of the socket, which
          # all workers share: restore the time-out.
          worker.RestoreTimeout(self._setup.sock)
          child.wanted = False
          continue
        delay = child.backoff.Failed(now)
        child.due = now + delay
        logging.error("Worker %d died (%s); replaced in %.1f s", pid,
                      process.DescribeEnd(code), delay)
        self._Tell(messages.WorkerDied(pid))

  def _Finish(self, tell: bool = True) -> None:
    """Tells the children to finish, and kills those that do not.

    @param tell: whether to answer the pending requests

    """
    # Tell the workers to finish, in two ways: the end of file of this pipe
    # wakes workers that wait in epoll; SIGTERM (below) wakes workers that wait
    # in recvmsg
    os.close(self._links.alive[1])
    if self._check_pid:
      # Kill the child that checks the files: its result is no longer needed,
      # and the check may take long
      os.kill(self._check_pid, signal.SIGKILL)
      self._check_pid = None
    for child in self._workers:
      if child.pid:
        os.kill(child.pid, signal.SIGTERM)
    self._AwaitEnd(self._workers, _FINISH_TIME)
    # Close the loader's ends of the queue to the process for large answers,
    # after the workers' ends. That process then reads end of file, and
    # finishes.
    for sock in self._links.large:
      sock.close()
    self._links.loader[0].close()
    deadline = time.monotonic() + _FINISH_FORWARDED_TIME
    while (self._own.ServeForwarded(self._links.loader[1]) and
           time.monotonic() < deadline):
      pass
    self._links.loader[1].close()
    if tell:
      # Answer the pending WAIT requests only after all workers have finished:
      # clients that then ask again get their answer from the next generation
      self._own.AnswerAll(_ANSWER_PENDING_TIME)
    self._AwaitEnd([self._large], _FINISH_FORWARDED_TIME)
    self._reader.Close()
    for fd in (self._links.alive[0], *self._links.large_alive,
               *self._links.help, *self._links.go):
      os.close(fd)
    for child in self._children:
      child.wanted = False

  def _AwaitEnd(self, children: list[_Child], seconds: float) -> None:
    """Waits for children to end, and kills the rest after C{seconds}.

    """
    deadline = time.monotonic() + seconds
    while True:
      self._ReadSignals()
      # Look at all children of the loader, and not only at those to be awaited
      # here: Reap returns any child that has ended, and returns it only once
      ended = {pid for (pid, _) in process.Reap()}
      for child in self._children:
        if child.pid in ended:
          child.pid = None
      left = [child.pid for child in children if child.pid]
      if not left:
        return
      now = time.monotonic()
      if now >= deadline:
        for pid in left:
          logging.info("Process %d did not finish in %.1f s and is killed",
                       pid, seconds)
          os.kill(pid, signal.SIGKILL)
        deadline = now + seconds
      process.Wait([self._signals], deadline - now)

  def _Server(self, source: responder.Source,
              row: MutableSequence[int]) -> server.Server:
    """Makes the server for one of the generation's processes.

    """
    return server.Server(self._setup.sock, source, self._key, row,
                         self._setup.replays)

  def _Delegates(self) -> Mapping[answers.Delegate, socket.socket]:
    """Returns the sockets on which readers forward requests, by delegate.

    """
    return {answers.Delegate.LARGE: self._links.large[0],
            answers.Delegate.LOADER: self._links.loader[0]}

  def _WorkerMain(self, row: MutableSequence[int],
                  ends_when_idle: bool) -> None:
    """Runs in a worker process.

    @param ends_when_idle: whether the worker ends after a quiet time

    """
    wire.UseOpenSsl()
    self._CountLost(row)
    # Set the daemon's OOM score: this process has inherited the loader's score
    process.SetOomScore(self._setup.oom_score)
    for sock in (self._links.large[1], self._links.loader[1]):
      sock.close()
    if self._links.go[0] not in process.Wait(
        [self._links.go[0], self._links.alive[0]], None):
      return
    worker.Worker(
      self._setup.sock, self._Server(self._source, row), self._Delegates(),
      self._pid, self._links.alive[0], self._links.help[1],
      ends_when_idle).Run()

  def _LargeMain(self, row: MutableSequence[int]) -> None:
    """Runs in the process for large answers.

    """
    wire.UseOpenSsl()
    self._CountLost(row)
    process.IgnoreTermination()
    if self._setup.oom_score is not None:
      # If memory runs out, the kernel has to kill this process first: it may
      # have grown large, and is more easily replaced than the generation's
      # others
      process.SetOomScore(min(process.OOM_FIRST,
                              self._setup.oom_score + _LARGE_OOM_SCORE))
    # Lower the priority of this process, so that workers get the processor
    # first
    process.StepBack(_LARGE_NICE)
    for sock in (self._links.large[0], *self._links.loader):
      sock.close()
    os.close(self._links.help[1])
    process.DieWithWriter(self._links.large_alive[0])
    forwarded = self._Server(answers.Large(self._snapshot), row)
    while (process.Wait([self._links.large[1]], _LARGE_IDLE) and
           forwarded.ServeForwarded(self._links.large[1])):
      pass

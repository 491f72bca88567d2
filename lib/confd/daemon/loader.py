#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""A generation, as its own processes see it: they live with one snapshot.

A generation is a loader, which reads the configuration and the key and builds
the snapshot, and its children: workers, and one process for the answers that
take long. They share the snapshot's memory, since they are forked after it was
built. The loader answers what is asked about the daemon itself, and keeps the
questions that wait for a change. It answers those when it finishes. The next
generation knows nothing of them; the clients ask it.

Workers read the socket; while there is none, the loader does. So it is when
there is little to do, and when the last worker has just died. Workers come when
a process that reads has much to do, and go after a quiet time; so does the
process for large answers. Where loading takes long, one worker is there from
the start, and stays: a process that reads may die of what it is asked, and a
worker is replaced at once, a loader only by loading again.

A spare loader is started ahead of need and waits for the order to load. It has
loaded the files once before, if they are not large, and thrown the outcome
away: so its memory is its own already, and loading in earnest takes less time.

Rule 1: whatever happens to one of them, the others notice. A worker sees its
parent change and reads end of file from a pipe of the loader's, the process
for large answers dies with the same pipe, the loader reads end of file where
the supervisor was. Whoever forks closes in the child what would keep such a
pipe open.

Rule 2: no process that serves reads anything larger than a key may be. A
configuration is read by a loader that does not serve yet, and looked at again
by a child of one that does; both die first when memory runs out.

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
from ganeti.confd import answers
from ganeti.confd import counters
from ganeti.confd import filestate
from ganeti.confd import localnode
from ganeti.confd import responder
from ganeti.confd import server
from ganeti.confd.config import snapshot
from ganeti.confd.daemon import backoff
from ganeti.confd.daemon import messages
from ganeti.confd.daemon import process
from ganeti.confd.daemon import setup as setuplib
from ganeti.confd.daemon import stats
from ganeti.confd.daemon import worker
from ganeti.confd.protocol import wire
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any, Callable, Iterable, List, Mapping, MutableSequence, \
    Optional, Tuple


#: Delays before a child that died is replaced, see L{backoff.Backoff}
_RESPAWN_DELAY = (0.1, 10.0, 5.0)

#: Seconds that the children have to finish
_FINISH_TIME = 0.5
#: Seconds for what workers have left to other processes, at the end
_FINISH_FORWARDED_TIME = 0.1

#: Seconds for answering the questions that are kept, at the end; 4,096 take a
#: tenth of it
_TELL_TIME = 0.2

#: The queue of requests to the loader, as far as the system allows (bytes)
_LOADER_QUEUE = 4 << 20

#: How many requests of workers the loader deals with before it looks around
_BATCH = 64

#: How much the process for large answers steps back
_LARGE_NICE = 10
#: How much more readily it is killed when memory runs out
_LARGE_OOM_SCORE = 100
#: Seconds without a question after which it goes
_LARGE_IDLE = 60.0

#: Loading takes long if it takes more than so many seconds of CPU time
_LONG_LOAD = 0.05

#: Largest configuration that a spare loader loads to be prepared (bytes)
_REHEARSED_SIZE = 1 << 20
#: The key with which it asks itself a question then
_NO_KEY = b"\0"

#: Seconds after which a generation's first process ends when all has stopped.
#: Taking its memory apart takes a processor for a millisecond or more; just
#: then, those that take over need it.
_END_DELAY = 0.05

#: How much of what is wrong with a configuration is logged
_WARNINGS = 10
_WARNING_LENGTH = 200

#: What is read of requests for another worker at a time (bytes)
_HELP_SIZE = 4096

#: How long two changes of a file may have the same time stamp (seconds): where
#: stamps have whole seconds (or two, on some file systems), and elsewhere,
#: where the kernel's clock for stamps ticks at least so often
_COARSE_GRAIN = 2.1
_FINE_GRAIN = 0.05


def _ForwardingSockets() -> Tuple[socket.socket, socket.socket]:
  """Makes a way for what workers leave to another process.

  @return: the workers' end and the other's

  """
  socks = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
  # Workers never wait for it
  socks[0].setblocking(False)
  return socks


class _Links:
  """What ties the loader and its children together while they serve.

  @ivar large: requests to the process for large answers
  @ivar loader: requests to the loader itself
  @ivar alive: a pipe whose write end is the loader's; when that is closed,
    workers finish
  @ivar large_alive: likewise; with it the process for large answers ends
  @ivar help: a pipe for bytes by which workers ask for another worker
  @ivar go: a pipe that has a byte in it as soon as workers may serve

  """
  def __init__(self) -> None:
    self.large = _ForwardingSockets()
    self.loader = _ForwardingSockets()
    # A thousand clients may be told at the same moment, and ask again
    self.loader[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF,
                              _LOADER_QUEUE)
    self.alive = os.pipe2(os.O_CLOEXEC)
    self.large_alive = os.pipe2(os.O_CLOEXEC)
    self.help = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    self.go = os.pipe2(os.O_CLOEXEC)

  def LoadersFds(self) -> List[int]:
    """Returns the descriptors that no child must hold.

    """
    return [self.alive[1], self.large_alive[1], self.help[0]]


class _Child:
  """A place for a child of the loader.

  @ivar index: which of the counters' rows of its generation it has
  @ivar pid: process id, None while there is no process
  @ivar wanted: whether there should be one
  @ivar due: monotonic time before which none may be started

  """
  def __init__(self, index: int) -> None:
    self.index = index
    self.pid: Optional[int] = None
    self.wanted = False
    self.due = 0.0
    self.backoff = backoff.Backoff(*_RESPAWN_DELAY)


def _Describe(err: Exception) -> str:
  """Says in one line what an exception is and where it was raised.

  """
  frame = traceback.extract_tb(err.__traceback__)[-1]
  return "%r in %s, line %d" % (err, os.path.basename(frame.filename),
                                frame.lineno or 0)


def _YoungFor(states: Iterable[filestate.State], now: float) -> float:
  """Tells how long the states of files may still hide a change.

  Two changes within a tick of the clock that stamps are taken from may leave
  the same state. A stamp of whole seconds is from a file system that knows no
  others.

  @param now: the time, in seconds since the epoch
  @return: seconds

  """
  young = 0.0
  for state in states:
    grain = _FINE_GRAIN if state.ctime_ns % 10 ** 9 else _COARSE_GRAIN
    age = max(0.0, now - state.ctime_ns / 1e9)
    young = max(young, grain - age)
  return young


class Loader:
  """A generation's first process.

  """
  # Made in that process
  _pid: int
  _signals: process.SignalQueue
  _links: _Links
  _own: server.Server
  _reader: worker.Reader

  def __init__(self, setup: setuplib.Setup, number: int, control_fd: int,
               status_fd: int) -> None:
    """@param number: of the generation
    @param control_fd: where the supervisor's orders come from
    @param status_fd: where messages go to, see L{messages}

    """
    self._setup = setup
    rows = setuplib.RowsOfGeneration(setup.workers)
    self._first_row = 1 + (number % 2) * rows
    self._control_fd = control_fd
    self._status_fd = status_fd
    self._workers = [_Child(index) for index in range(setup.workers)]
    self._large = _Child(setup.workers)
    self._children = [*self._workers, self._large]
    # The process that looks at the files again, while there is one
    self._check_pid: Optional[int] = None
    # Set when the files were loaded
    self._snapshot: Any = None
    self._key = b""
    self._digest = ""
    self._stats: Any = None
    self._source: Any = None
    #: Whether there is a worker at all times
    self._keeps_worker = False

  def Run(self) -> None:
    """Does all the loader does; returns when the generation is to end.

    """
    # Whatever else runs on the machine: loading can be tried again
    process.SetOomScore(process.OOM_FIRST)
    self._pid = os.getpid()
    self._CountLost(self._OwnRow())
    self._signals = process.SignalQueue([signal.SIGTERM, signal.SIGCHLD])
    if not self._Load():
      return
    # All is at hand when the old generation has stopped
    self._Prepare()
    if not self._AwaitOrder():
      return
    process.SetOomScore(self._setup.oom_score)
    while self._Serve():
      logging.info("The configuration is served with the new key")
      self._Prepare()
    self._Tell(messages.Stopped())
    time.sleep(_END_DELAY)

  def RunSpare(self) -> None:
    """Waits for the order to load, then does all the loader does.

    """
    process.SetOomScore(process.OOM_FIRST)
    # Lost messages are counted where this generation counts
    self._CountLost(self._OwnRow())
    # A group that is told to end has the supervisor in it, which ends this
    process.IgnoreTermination()
    process.DieWithWriter(self._control_fd)
    self._Rehearse()
    process.OutliveWriter(self._control_fd)
    # The order may come from now on, and not before
    self._Tell(messages.Prepared())
    if os.read(self._control_fd, 1) == messages.LOAD:
      self._Tell(messages.Loading())
      self.Run()

  def _Rehearse(self) -> None:
    """Builds a snapshot, and has it answer a question, for nothing.

    """
    now = time.time()
    try:
      (text, _) = filestate.ReadFile(self._setup.config_file, _REHEARSED_SIZE)
      responder.Responder(
        answers.Quick(snapshot.Snapshot(text)), _NO_KEY,
        [0] * len(counters.NAMES), self._setup.replays).Respond(
          wire.PackRequest(_NO_KEY, now, constants.CONFD_REQ_PING, None,
                           "rehearsal"), now)
    except Exception: # pylint: disable=W0718
      # Loading in earnest says what is wrong
      pass

  def _Tell(self, message: messages.Message) -> None:
    try:
      os.write(self._status_fd, messages.Encode(message))
    except BrokenPipeError:
      # The supervisor died; the end of file of the other pipe is there too
      pass

  def _ReadFiles(self) -> Tuple[bytes, filestate.State,
                                bytes, filestate.State]:
    """Reads both files, the configuration whatever its size is.

    Only to be called before this process serves.

    @return: the configuration and its state, the key and its state
    @raise errors.ConfigurationError: one of them cannot be read, or is no key

    """
    (key, key_state) = localnode.ReadDaemonKey(self._setup.key_file)
    (text, state) = filestate.ReadFile(self._setup.config_file)
    return (text, state, key, key_state)

  def _Load(self) -> bool:
    """Reads the files and builds the snapshot.

    @return: whether that succeeded; the supervisor was told

    """
    path = self._setup.config_file
    start = time.monotonic()
    cpu_before = time.process_time()
    files = messages.Files(filestate.FileState(path),
                           filestate.FileState(self._setup.key_file))
    # Loading may take long, and nobody may be waiting for it any more
    process.DieWithWriter(self._control_fd)
    # Millions of objects are about to be made, and none to become garbage
    gc.disable()
    try:
      (text, state, self._key, key_state) = self._ReadFiles()
      files = messages.Files(state, key_state)
      young = _YoungFor([state, key_state], time.time())
      try:
        self._snapshot = snapshot.Snapshot(text)
      except errors.ConfigurationError as err:
        raise errors.ConfigurationError("%s: %s" % (path, err))
      self._digest = filestate.Digest(text)
    except errors.ConfigurationError as err:
      reason = str(err)
    except MemoryError:
      reason = "%s: not enough memory" % path
    except Exception as err: # pylint: disable=W0718
      # Said like any other failure, hence not again at each try
      reason = "%s: programming error; %s: %s" % (path, confd.PLEASE_REPORT,
                                                  _Describe(err))
    else:
      reason = ""
      del text
    if reason:
      self._Tell(messages.Failed(reason, files, time.process_time()))
      return False
    self._stats = stats.Stats(self._setup, self._snapshot.serial,
                              len(self._snapshot.warnings), state,
                              self._digest, time.monotonic() - start,
                              lambda: self._own.kept)
    self._keeps_worker = time.process_time() - cpu_before > _LONG_LOAD
    # Workers inherit what it has kept
    self._source = answers.Quick(self._snapshot)
    # What was built stays as it is: the collector need not look at it, which
    # would also copy the pages that the workers share
    gc.freeze()
    gc.enable()
    # Names in them may be of any length, and hold anything
    warnings = [ascii(warning)[1:-1][:_WARNING_LENGTH]
                for warning in self._snapshot.warnings]
    # What is written to the pipe, after this, is for _AwaitOrder
    process.OutliveWriter(self._control_fd)
    self._Tell(messages.Ready(self._snapshot.serial, files, self._key.hex(),
                              time.process_time(), young, warnings[:_WARNINGS],
                              len(warnings[_WARNINGS:])))
    return True

  def _AwaitOrder(self) -> bool:
    """Waits until the generation may serve.

    @return: False if it shall not

    """
    while True:
      readable = process.Wait([self._control_fd, self._signals.fileno()], None)
      signums = self._signals.Read()
      if signal.SIGCHLD in signums:
        self._HandleEnds(process.Reap())
      if signal.SIGTERM in signums:
        return False
      if self._control_fd in readable:
        order = os.read(self._control_fd, 1)
        if order != messages.RENEW_KEY:
          return order == messages.SERVE
        if self._RenewKey():
          # The worker at hand has the old one
          self._Finish()
          self._Prepare()

  def _RenewKey(self) -> bool:
    """Reads the key again.

    One that is of no use is reported by the loader that is to replace this one.

    @return: whether there is another one

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
    """Has another process look at the files again.

    The files may be of any size now, and take long to read.

    """
    try:
      self._check_pid = self._Fork(self._CheckMain)
    except OSError:
      self._Tell(messages.Checked(False))

  def _CheckMain(self) -> None:
    """Tells whether the files still hold what was loaded from them.

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
      # Loading says what is wrong with them
      same = False
    else:
      same = (key, digest) == (self._key, self._digest)
    self._Tell(messages.Checked(same))

  def _Prepare(self) -> None:
    """Gets ready to serve; a worker that is there from the start waits for it.

    """
    self._links = _Links()
    self._own = self._Server(
      answers.Loader(self._snapshot.serial, self._stats.Collect),
      self._OwnRow())
    self._reader = worker.Reader(
      self._setup.sock, self._Server(self._source, self._OwnRow()),
      self._Elsewhere())
    if self._keeps_worker:
      self._workers[0].wanted = True
      self._Start(self._workers[0], time.monotonic())

  def _Serve(self) -> bool:
    """Serves, or has children serve, until the generation is told something.

    @return: whether to go on, with another key; False is to finish

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
      signums = self._signals.Read()
      if signal.SIGCHLD in signums:
        self._HandleEnds(process.Reap())
      if self._links.help[0] in readable:
        os.read(self._links.help[0], _HELP_SIZE)
        self._AddWorker()
      elif self._setup.sock.fileno() in readable:
        self._AddWorker()
      if self._links.large[1].fileno() in readable:
        self._large.wanted = True
      if signal.SIGTERM in signums:
        order = b""
      elif self._control_fd in readable:
        order = self._HandleOrder(os.read(self._control_fd, 1))
      elif self._links.loader[1].fileno() in readable:
        self._ServeForwarded()
      self._own.AnswerDue()
    # Nothing is signed with a key that is not used any more: clients find out
    # by asking again
    self._Finish(tell=order != messages.RENEW_KEY)
    return order == messages.RENEW_KEY

  def _ServeForwarded(self) -> None:
    """Answers, or keeps, what workers have left to this process.

    """
    for _ in range(_BATCH):
      if not self._own.ServeForwarded(self._links.loader[1],
                                      socket.MSG_DONTWAIT):
        return

  def _Sources(self) -> List[int]:
    """Returns the descriptors to wait for.

    """
    fds = [self._control_fd, self._signals.fileno(), self._links.help[0],
           self._links.loader[1].fileno()]
    if not self._large.wanted:
      fds.append(self._links.large[1].fileno())
    return fds

  def _Timeout(self, now: float) -> Optional[float]:
    """Returns how long nothing is due.

    """
    due = [child.due for child in self._children
           if child.wanted and child.pid is None]
    if self._own.next_due is not None:
      due.append(self._own.next_due)
    return max(0.0, min(due) - now) if due else None

  def _HandleOrder(self, order: bytes) -> Optional[bytes]:
    """Does what does not end serving.

    @return: None to go on, else the order

    """
    if order == messages.CHECK:
      self._StartCheck()
      return None
    if order == messages.RENEW_KEY and not self._RenewKey():
      return None
    return order

  def _AddWorker(self) -> None:
    """Has another worker started, if there may be more.

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
    """Runs a function in a child.

    @raise OSError: as L{process.Fork}

    """
    return process.Fork(
      function, [self._control_fd, self._reader.fileno(),
                 *self._links.LoadersFds(), *self._signals.fds])

  def _Start(self, child: _Child, now: float) -> None:
    """Starts a child.

    """
    def _Main() -> None:
      row = self._Row(child.index)
      if child is self._large:
        self._LargeMain(row)
      else:
        self._WorkerMain(row, not self._IsKept(child))

    try:
      child.pid = self._Fork(_Main)
    except OSError as err:
      delay = child.backoff.Failed(now)
      child.due = now + delay
      logging.error("Cannot start a worker: %s; tried again in %.1f s",
                    err.strerror, delay)

  def _IsKept(self, child: _Child) -> bool:
    """Tells whether a child stays when there is nothing to do.

    """
    return self._keeps_worker and child is self._workers[0]

  def _HandleEnds(self, ended: List[Tuple[int, int]]) -> None:
    """Plans the replacement of children that died.

    @param ended: from L{process.Reap}

    """
    now = time.monotonic()
    for (pid, code) in ended:
      if pid == self._check_pid:
        self._check_pid = None
        if code != os.EX_OK:
          # Files that could not be checked may hold anything: load them again
          self._Tell(messages.Checked(False))
      for child in self._children:
        if child.pid != pid:
          continue
        child.pid = None
        if code == os.EX_OK and not self._IsKept(child):
          # It had nothing to do, or somebody has ended it, which shortens the
          # others' wait
          worker.RestoreTimeout(self._setup.sock)
          child.wanted = False
          continue
        delay = child.backoff.Failed(now)
        child.due = now + delay
        logging.error("Worker %d died (%s); replaced in %.1f s", pid,
                      process.DescribeEnd(code), delay)
        self._Tell(messages.WorkerDied(pid))

  def _Finish(self, tell: bool = True) -> None:
    """Lets the children finish, and ends those that do not.

    @param tell: whether to answer the questions that are kept

    """
    # The one wakes up those that sleep, the other those that wait for a
    # datagram
    os.close(self._links.alive[1])
    if self._check_pid:
      # The check may take long, and nobody needs its result any more
      os.kill(self._check_pid, signal.SIGKILL)
      self._check_pid = None
    for child in self._workers:
      if child.pid:
        os.kill(child.pid, signal.SIGTERM)
    self._AwaitEnd(self._workers, _FINISH_TIME)
    # With the last writer gone it finishes by itself
    for sock in self._links.large:
      sock.close()
    self._links.loader[0].close()
    deadline = time.monotonic() + _FINISH_FORWARDED_TIME
    while (self._own.ServeForwarded(self._links.loader[1]) and
           time.monotonic() < deadline):
      pass
    self._links.loader[1].close()
    if tell:
      # Whoever asks again at once asks the next generation
      self._own.AnswerAll(_TELL_TIME)
    self._AwaitEnd([self._large], _FINISH_FORWARDED_TIME)
    self._reader.Close()
    for fd in (self._links.alive[0], *self._links.large_alive,
               *self._links.help, *self._links.go):
      os.close(fd)
    for child in self._children:
      child.wanted = False

  def _AwaitEnd(self, children: List[_Child], seconds: float) -> None:
    """Waits for children to end, and kills those left after a time.

    """
    deadline = time.monotonic() + seconds
    while True:
      self._signals.Read()
      # Any of them may have ended, not only those waited for
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
    """Makes what answers in one of the processes.

    """
    return server.Server(self._setup.sock, source, self._key, row,
                         self._setup.replays)

  def _Elsewhere(self) -> Mapping[answers.Elsewhere, socket.socket]:
    """Returns where what reads the socket leaves requests.

    """
    return {answers.Elsewhere.LARGE: self._links.large[0],
            answers.Elsewhere.LOADER: self._links.loader[0]}

  def _WorkerMain(self, row: MutableSequence[int], may_go: bool) -> None:
    """A worker's life.

    @param may_go: whether it goes after a quiet time

    """
    wire.UseOpenSsl()
    self._CountLost(row)
    # While loading, it was another
    process.SetOomScore(self._setup.oom_score)
    for sock in (self._links.large[1], self._links.loader[1]):
      sock.close()
    if self._links.go[0] not in process.Wait(
        [self._links.go[0], self._links.alive[0]], None):
      return
    worker.Worker(
      self._setup.sock, self._Server(self._source, row), self._Elsewhere(),
      self._pid, self._links.alive[0], self._links.help[1], may_go).Run()

  def _LargeMain(self, row: MutableSequence[int]) -> None:
    """The life of the process that makes large answers.

    """
    wire.UseOpenSsl()
    self._CountLost(row)
    process.IgnoreTermination()
    if self._setup.oom_score is not None:
      # It may have grown large, and is easily replaced
      process.SetOomScore(min(process.OOM_FIRST,
                              self._setup.oom_score + _LARGE_OOM_SCORE))
    # Workers go first
    process.StepBack(_LARGE_NICE)
    for sock in (self._links.large[0], *self._links.loader):
      sock.close()
    os.close(self._links.help[1])
    process.DieWithWriter(self._links.large_alive[0])
    forwarded = self._Server(answers.Large(self._snapshot), row)
    while (process.Wait([self._links.large[1]], _LARGE_IDLE) and
           forwarded.ServeForwarded(self._links.large[1])):
      pass

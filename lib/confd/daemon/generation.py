#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Generations: the processes that live with one snapshot.

A generation is a loader, which reads the configuration and the key and builds
the snapshot, and its children: the workers, which answer, and one process for
the answers that take long. They share the snapshot's memory, since they are
forked after it was built. The loader then has little to do, and answers what
is asked about the daemon itself.

The supervisor's end is L{Generation}. Two pipes tie them together::

  control   supervisor -> loader   b"g" (go); b"k" (read the key again); end of
                                   file: finish
  status    loader -> supervisor   one JSON object per line; end of file when
                                   the last process of the generation is gone

Rule: whatever happens to one of them, the others notice. A worker sees that
its parent changed, the process for large answers dies with a pipe of the
loader's, the loader reads end of file where the supervisor was. Whoever forks
closes in the child what would keep such a pipe open.

"""

import gc
import logging
import os
import select
import signal
import socket
import time
import traceback

import simplejson

from ganeti import errors
from ganeti.confd import answers
from ganeti.confd import filestate
from ganeti.confd import localnode
from ganeti.confd import replay
from ganeti.confd import server
from ganeti.confd.config import snapshot
from ganeti.confd.daemon import process
from ganeti.confd.daemon import stats


#: Seconds until a worker that died young is replaced: doubled each time
_RESPAWN_DELAY = (0.1, 10.0)
#: Seconds that a worker has to live to have its delay forgotten
_RESPAWN_FORGET = 5.0

#: Seconds that the children have to finish
_FINISH_TIME = 0.5
#: Seconds for what workers have left to other processes, at the end
_FINISH_FORWARDED_TIME = 0.1

#: See L{process.PreferForOomKill}; the supervisor stays at 0
_LOADER_OOM_SCORE = 300
_WORKER_OOM_SCORE = 500

#: How much the process for large answers steps back
_LARGE_NICE = 10

#: How much of what is wrong with a configuration is logged
_WARNINGS = 10
_WARNING_LENGTH = 200

_GO = b"g"
_RENEW_KEY = b"k"


class Setup:
  """What all generations of a daemon have in common.

  @ivar config_file: path of C{config.data}
  @ivar key_file: path of C{hmac.key}
  @ivar sock: from L{server.OpenSocket}
  @ivar workers: number of workers
  @ivar counters: L{counters.Counters} with L{RowsNeeded} rows
  @ivar replays: L{replay.ReplayTable}
  @ivar supervisor: process id of the supervisor
  @ivar started: monotonic time of the daemon's start

  """
  def __init__(self, config_file, key_file, sock, workers, shared):
    self.config_file = config_file
    self.key_file = key_file
    self.sock = sock
    self.workers = workers
    self.counters = shared
    self.replays = replay.ReplayTable()
    self.supervisor = os.getpid()
    self.started = time.monotonic()


def RowsNeeded(workers):
  """Returns how many rows of counters a daemon needs.

  The supervisor has the first; two generations may exist at a time.

  """
  return 1 + 2 * _RowsOfGeneration(workers)


def _RowsOfGeneration(workers):
  # The last two are those of the process for large answers and the loader
  return workers + 2


def _ForwardingSockets():
  """Makes a way for what workers leave to another process.

  @return: the workers' end and the other's

  """
  socks = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
  # Workers never wait for it
  socks[0].setblocking(False)
  return socks


class Generation:
  """A generation, as the supervisor sees it.

  @ivar pid: process id of the loader
  @ivar key_state: L{filestate.FileState} of the key that it serves with
  @ivar reaped: whether that process has ended and its id may be another's
  @ivar started: monotonic time of the start
  @ivar told_to_serve: monotonic time of that, None before
  @ivar told_to_finish: monotonic time of that, None before

  """
  def __init__(self, setup, number, close_fds):
    """Starts the loader.

    @type setup: L{Setup}
    @type number: int
    @param number: generations are numbered through
    @param close_fds: descriptors of the supervisor's own
    @raise OSError: there are too many processes, or the like

    """
    self.started = time.monotonic()
    self.told_to_serve = None
    self.told_to_finish = None
    self.key_state = None
    self.reaped = False
    self._killed = False
    self._buffer = b""
    fds = []
    try:
      fds.extend(os.pipe2(os.O_CLOEXEC))
      fds.extend(os.pipe2(os.O_CLOEXEC))
      (control_read, self._control_fd, self._status_fd, status_write) = fds
      loader = _Loader(setup, number, control_read, status_write)
      self.pid = process.Fork(loader.Run,
                              close_fds + [self._control_fd, self._status_fd])
    except OSError:
      for fd in fds:
        os.close(fd)
      raise
    os.close(control_read)
    os.close(status_write)
    os.set_blocking(self._status_fd, False)

  def fileno(self):
    return self._status_fd

  def OpenFds(self):
    """Returns the descriptors that a new process must not inherit.

    """
    return [fd for fd in (self._control_fd, self._status_fd) if fd >= 0]

  def Read(self):
    """Reads what the loader has said.

    @rtype: tuple of (list of dicts, bool)
    @return: messages, and whether the generation is gone

    """
    try:
      data = os.read(self._status_fd, 1 << 16)
    except BlockingIOError:
      return ([], False)
    (*lines, self._buffer) = (self._buffer + data).split(b"\n")
    return ([simplejson.loads(line) for line in lines], not data)

  def Go(self):
    """Lets the generation serve.

    """
    self.told_to_serve = time.monotonic()
    self._Tell(_GO)

  def RenewKey(self, state):
    """Lets a generation that serves go on with the key that is on disk.

    @param state: L{filestate.FileState} of that

    """
    self.key_state = state
    self._Tell(_RENEW_KEY)

  def _Tell(self, command):
    try:
      os.write(self._control_fd, command)
    except BrokenPipeError:
      # It died; its end of file is on its way
      pass

  def Finish(self):
    """Lets the generation answer what it holds and go.

    """
    if self._control_fd >= 0:
      self.told_to_finish = time.monotonic()
      os.close(self._control_fd)
      self._control_fd = -1

  def Kill(self):
    """Ends a loader that does not do as it was told; its children follow.

    @rtype: bool
    @return: False if there is nothing left to do

    """
    if self._killed or self.reaped:
      return False
    self._killed = True
    os.kill(self.pid, signal.SIGKILL)
    return True

  def Close(self):
    """To be called when the generation is gone.

    """
    self.Finish()
    os.close(self._status_fd)
    self._status_fd = -1


class _Child:
  """A child of the loader.

  @ivar index: which of the counters' rows of its generation it has
  @ivar pid: process id, None while it waits to be replaced
  @ivar delay: seconds it will wait to be replaced when it dies young
  @ivar due: monotonic time when it may be started

  """
  def __init__(self, index):
    self.index = index
    self.pid = None
    self.started = 0
    self.delay = 0
    self.due = 0


def _Describe(err):
  """Says in one line what an exception is and where it was raised.

  """
  frame = traceback.extract_tb(err.__traceback__)[-1]
  return "%r in %s, line %d" % (err, os.path.basename(frame.filename),
                                frame.lineno)


class _Loader:
  """A generation, as its first process sees it.

  """
  def __init__(self, setup, number, control_fd, status_fd):
    self._setup = setup
    self._first_row = 1 + (number % 2) * _RowsOfGeneration(setup.workers)
    self._control_fd = control_fd
    self._status_fd = status_fd
    self._pid = None
    self._children = [_Child(index) for index in range(setup.workers + 1)]
    self._snapshot = None
    self._key = None
    self._stats = None
    self._signals = None
    # See _ForwardingSockets: to the process for large answers, and to this one
    self._large_socks = None
    self._stats_socks = None
    # The process for large answers dies with the writer of this pipe
    self._large_pipe = None

  def Run(self):
    """Does all the loader does; returns when the generation is to end.

    """
    self._pid = os.getpid()
    process.PreferForOomKill(_LOADER_OOM_SCORE)
    self._signals = process.SignalQueue([signal.SIGTERM, signal.SIGCHLD])
    if self._Load() and self._AwaitGo():
      while self._Serve():
        logging.info("The last good configuration is served with the new key")

  def _Report(self, **message):
    text = simplejson.dumps(message, namedtuple_as_object=False)
    try:
      os.write(self._status_fd, text.encode("ascii") + b"\n")
    except BrokenPipeError:
      # The supervisor died; the end of file of the other pipe is there too
      pass

  def _Load(self):
    """Reads files and builds the snapshot.

    @rtype: bool
    @return: whether that succeeded; the supervisor was told

    """
    path = self._setup.config_file
    start = time.monotonic()
    state = [filestate.FileState(path),
             filestate.FileState(self._setup.key_file)]
    # Loading may take long, and nobody may be waiting for it any more
    process.DieWithWriter(self._control_fd)
    # Millions of objects are about to be made, and none to become garbage
    gc.disable()
    try:
      (key, state[1]) = filestate.ReadFile(self._setup.key_file)
      localnode.CheckKey(key, self._setup.key_file)
      (text, state[0]) = filestate.ReadFile(path)
      try:
        self._snapshot = snapshot.Snapshot(text)
      except errors.ConfigurationError as err:
        raise errors.ConfigurationError("%s: %s" % (path, err))
    except errors.ConfigurationError as err:
      self._Report(failed=str(err), state=state, cpu=time.process_time())
      return False
    except MemoryError:
      self._Report(failed="%s: not enough memory" % path, state=state,
                   cpu=time.process_time())
      return False
    except Exception as err: # pylint: disable=W0718
      # Said like any other failure, hence not again at each try
      self._Report(failed="%s: programming error, please report it: %s" %
                   (path, _Describe(err)), state=state, cpu=time.process_time())
      return False
    self._key = key
    self._stats = stats.Stats(self._setup, self._snapshot.serial, state[0],
                              filestate.Digest(text), time.monotonic() - start)
    # What was built stays as it is: the collector need not look at it, which
    # would also copy the pages that the workers share
    gc.freeze()
    gc.enable()
    # Names in them may be of any length, and hold anything
    warnings = [ascii(text)[1:-1][:_WARNING_LENGTH]
                for text in self._snapshot.warnings]
    # What is written to the pipe, after this, is for _AwaitGo
    process.OutliveWriter(self._control_fd)
    self._Report(ready=self._snapshot.serial, state=state,
                 warnings=warnings[:_WARNINGS],
                 more_warnings=len(warnings[_WARNINGS:]),
                 cpu=time.process_time())
    return True

  def _AwaitGo(self):
    """Waits until the generation may serve.

    @rtype: bool
    @return: False if it shall not

    """
    while True:
      (readable, _, _) = select.select([self._control_fd, self._signals], [],
                                       [])
      if signal.SIGTERM in self._signals.Read():
        return False
      if self._control_fd in readable:
        return os.read(self._control_fd, len(_GO)) == _GO

  def _RenewKey(self):
    """Reads the key again.

    One that is of no use has already been reported, by the loader that was to
    replace this one.

    @rtype: bool
    @return: whether there is another one

    """
    try:
      (key, _) = filestate.ReadFile(self._setup.key_file)
      localnode.CheckKey(key, self._setup.key_file)
    except errors.ConfigurationError:
      return False
    changed = key != self._key
    self._key = key
    return changed

  def _Serve(self):
    """Has children serve until the generation is told something.

    @rtype: bool
    @return: whether to go on, with another key; False is to finish

    """
    self._large_socks = _ForwardingSockets()
    self._stats_socks = _ForwardingSockets()
    self._large_pipe = os.pipe2(os.O_CLOEXEC)
    row = self._Row(len(self._children))
    about_itself = server.Server(
      self._setup.sock,
      answers.Statistics(self._snapshot.serial, self._stats.Collect), self._key,
      row, self._setup.replays)
    told = None
    while told is None:
      now = time.monotonic()
      for child in self._children:
        if child.pid is None and child.due <= now:
          self._Start(child, now)
      due = [child.due for child in self._children if child.pid is None]
      timeout = max(0, min(due) - now) if due else None
      (readable, _, _) = select.select([self._control_fd, self._signals,
                                        self._stats_socks[1]], [], [], timeout)
      signums = self._signals.Read()
      if signal.SIGCHLD in signums:
        self._Reaped(process.Reap())
      if signal.SIGTERM in signums:
        told = b""
      elif self._control_fd in readable:
        told = os.read(self._control_fd, len(_RENEW_KEY))
        if told == _RENEW_KEY and not self._RenewKey():
          told = None
      elif self._stats_socks[1] in readable:
        about_itself.ServeForwarded(self._stats_socks[1])
    self._Finish(about_itself)
    return told == _RENEW_KEY

  def _Row(self, index):
    return self._setup.counters.Row(self._first_row + index)

  def _Start(self, child, now):
    """Starts a child.

    """
    # The last one makes the large answers, the others serve
    if child is self._children[-1]:
      main = self._LargeMain
    else:
      main = self._WorkerMain
    close_fds = [self._control_fd] + self._signals.fds
    child.started = now
    row = self._Row(child.index)
    try:
      child.pid = process.Fork(lambda: main(row), close_fds)
    except OSError as err:
      child.delay = self._NextDelay(child)
      child.due = now + child.delay
      logging.error("Cannot start a worker: %s; tried again in %.1f s",
                    err.strerror, child.delay)

  @staticmethod
  def _NextDelay(child):
    (first, most) = _RESPAWN_DELAY
    return min(most, max(first, 2 * child.delay))

  def _Reaped(self, ended):
    """Plans the replacement of children that died.

    @param ended: from L{process.Reap}

    """
    now = time.monotonic()
    for (pid, code) in ended:
      for child in self._children:
        if child.pid == pid:
          child.pid = None
          if now - child.started > _RESPAWN_FORGET:
            child.delay = 0
          child.due = now + child.delay
          logging.error("Worker %d died (%s); replaced in %.1f s", pid,
                        process.DescribeEnd(code), child.delay)
          child.delay = self._NextDelay(child)
          self._Report(died=pid)

  def _Finish(self, about_itself):
    """Lets the children finish, and ends those that do not.

    @type about_itself: L{server.Server}
    @param about_itself: this process's own

    """
    (*workers, large) = self._children
    for child in workers:
      if child.pid:
        os.kill(child.pid, signal.SIGTERM)
    self._AwaitEnd(workers, _FINISH_TIME)
    # With the last writer gone it finishes by itself
    for sock in self._large_socks:
      sock.close()
    self._stats_socks[0].close()
    deadline = time.monotonic() + _FINISH_FORWARDED_TIME
    while (about_itself.ServeForwarded(self._stats_socks[1]) and
           time.monotonic() < deadline):
      pass
    self._stats_socks[1].close()
    self._AwaitEnd([large], _FINISH_FORWARDED_TIME)
    for fd in self._large_pipe:
      os.close(fd)

  def _AwaitEnd(self, children, seconds):
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
      left = [child for child in children if child.pid]
      if not left:
        return
      now = time.monotonic()
      if now >= deadline:
        for child in left:
          logging.info("Process %d did not finish in %.1f s and is killed",
                       child.pid, seconds)
          os.kill(child.pid, signal.SIGKILL)
        deadline = now + seconds
      select.select([self._signals], [], [], deadline - now)

  def _WorkerMain(self, row):
    """A worker's life.

    """
    process.PreferForOomKill(_WORKER_OOM_SCORE)
    told = []
    signal.signal(signal.SIGTERM, lambda _signum, _frame: told.append(True))
    for sock in (self._large_socks[1], self._stats_socks[1]):
      sock.close()
    for fd in self._large_pipe:
      os.close(fd)
    server.Server(self._setup.sock, answers.Quick(self._snapshot), self._key,
                  row, self._setup.replays).Serve(
      lambda: told or os.getppid() != self._pid, {
        answers.Elsewhere.LARGE: self._large_socks[0],
        answers.Elsewhere.STATS: self._stats_socks[0],
        })

  def _LargeMain(self, row):
    """The life of the process that makes large answers.

    """
    process.PreferForOomKill(_WORKER_OOM_SCORE)
    process.IgnoreTermination()
    # Workers go first
    process.StepBack(_LARGE_NICE)
    for sock in (self._large_socks[0], *self._stats_socks):
      sock.close()
    (alive_fd, writer_fd) = self._large_pipe
    os.close(writer_fd)
    process.DieWithWriter(alive_fd)
    forwarded = server.Server(self._setup.sock, answers.Large(self._snapshot),
                              self._key, row, self._setup.replays)
    while forwarded.ServeForwarded(self._large_socks[1]):
      pass

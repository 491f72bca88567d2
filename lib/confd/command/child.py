#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Runs a command, and ends it when this program ends.

Rule 1: this program writes to the command's standard input only while the
command lives. The command need not read all of it, and a background process
that the command has started may keep the pipe open for ever.

Rule 2: a signal that ends this program ends the command first. Further signals
do not interrupt that. A signal that comes while the command is being started is
delayed until the process ID of the command is known, since this program could
not end the command without it.

Rule 3: a signal ends this program even if the signal does not interrupt the
main thread's system call, or if the exception is lost, as in a destructor: a
thread sends the signal again until the exception has reached
L{EndingWithSignals}.

"""

from __future__ import annotations

import contextlib
import functools
import os
import select
import signal
import sys

from typing import TYPE_CHECKING, Any, Callable, Iterator, NoReturn, Optional

if TYPE_CHECKING:
  import subprocess
  import types


#: Seconds after SIGTERM until a command that has not ended gets SIGKILL
_PATIENCE = 2.0

#: While a command does not read its standard input: milliseconds between two
#: checks whether the command still runs
_CHECK_INTERVAL = 100

#: Milliseconds after which a signal is sent again
_REPEAT_INTERVAL = 100

#: The signals that end this program
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Ended(BaseException):
  """This program has received a signal that ends it.

  """
  def __init__(self, number: int) -> None:
    BaseException.__init__(self)
    self.number = number


class _Signals:
  """Raises an exception for the first signal, at once or delayed.

  """
  def __init__(self) -> None:
    self._is_held = False
    self._came: Optional[int] = None

  def Begin(self) -> None:
    self._is_held = False
    self._came = None

  def Handle(self, number: int, frame: Optional[types.FrameType]) -> None:
    """Handles the first signal, and those that L{_Repeater} repeats.

    """
    if self._came is None:
      self._came = number
    elif self._IsBeingHandled():
      return
    while frame is not None:
      if frame.f_code is _HandleUnraisable.__code__:
        # Do not raise an exception while sys.unraisablehook runs: Python would
        # print the exception, and go on
        return
      frame = frame.f_back
    if not self._is_held:
      self._Raise(self._came)

  @staticmethod
  def _IsBeingHandled() -> bool:
    """Tells whether "except", "finally" or "with" handles a signal's exception.

    A destructor, and the end of a generator that a "for" loop leaves behind, do
    not count: Python does not tell them of the exception that ends the function
    around them. So such a clean-up may be interrupted.

    """
    err = sys.exc_info()[1]
    while err is not None:
      if isinstance(err, (_Ended, KeyboardInterrupt)):
        return True
      err = err.__context__
    return False

  @property
  def is_ending(self) -> bool:
    """Whether a signal has come.

    """
    return self._came is not None

  @staticmethod
  def _Raise(number: int) -> NoReturn:
    if number == signal.SIGINT:
      raise KeyboardInterrupt
    raise _Ended(number)

  def Hold(self) -> None:
    """Delays the exception from now on.

    """
    self._is_held = True

  def Release(self) -> None:
    """Raises the exception if a signal has come, and delays none any longer.

    """
    self._is_held = False
    if self._came is not None:
      self._Raise(self._came)


_SIGNALS = _Signals()


class _Repeater:
  """Sends a signal to the main thread again and again, from another thread.

  """
  def __init__(self) -> None:
    import threading
    self._main = threading.get_ident()
    (self._read_fd, self._write_fd) = os.pipe2(os.O_CLOEXEC)
    # set_wakeup_fd() requires a non-blocking descriptor
    os.set_blocking(self._write_fd, False)
    self._thread = threading.Thread(target=self._Run, daemon=True)
    self._previous = -1

  def Start(self) -> None:
    self._thread.start()
    self._previous = signal.set_wakeup_fd(self._write_fd,
                                          warn_on_full_buffer=False)

  def Close(self) -> None:
    """Ends the thread. A signal may have interrupted L{Start}.

    """
    signal.set_wakeup_fd(self._previous)
    # End the thread: it reads end of file when the pipe is closed
    os.close(self._write_fd)
    if self._thread.is_alive():
      self._thread.join()
    os.close(self._read_fd)

  def _Run(self) -> None:
    repeated = None
    poller = select.poll()
    poller.register(self._read_fd, select.POLLIN)
    while True:
      if poller.poll(None if repeated is None else _REPEAT_INTERVAL):
        # Python writes the number of each signal that has a handler
        numbers = os.read(self._read_fd, 1)
        if not numbers:
          return
        if repeated is None and numbers[0] in _ENDING:
          repeated = numbers[0]
      elif repeated is not None:
        signal.pthread_kill(self._main, repeated)


def _HandleUnraisable(args: sys.UnraisableHookArgs,
                      otherwise: Callable[[sys.UnraisableHookArgs], Any]
                      ) -> None:
  """Hides that an exception of L{_SIGNALS} was lost: L{_Repeater} repeats it.

  @param otherwise: called for other exceptions

  """
  if not issubclass(args.exc_type, (_Ended, KeyboardInterrupt)):
    otherwise(args)


@contextlib.contextmanager
def _NothingLost() -> Iterator[None]:
  """Makes the exceptions of L{_SIGNALS} come soon, and not get lost (rule 3).

  """
  repeater = _Repeater()
  otherwise = sys.unraisablehook
  # A function that calls L{_HandleUnraisable} would have a frame of its own, in
  # which L{_Signals.Handle} raises
  sys.unraisablehook = functools.partial(_HandleUnraisable, otherwise=otherwise)
  try:
    repeater.Start()
    yield
  finally:
    sys.unraisablehook = otherwise
    repeater.Close()


@contextlib.contextmanager
def EndingWithSignals() -> Iterator[None]:
  """Makes signals end a running command, and then this program.

  Signals that are ignored, as under nohup(1), stay ignored.

  """
  before: dict[signal.Signals, Any] = {}
  _SIGNALS.Begin()
  try:
    # Set the handlers first: L{_Repeater} repeats only signals that they handle
    for number in _ENDING:
      if signal.getsignal(number) != signal.SIG_IGN:
        before[number] = signal.signal(number, _SIGNALS.Handle)
    try:
      with _NothingLost():
        yield
    finally:
      # The exception may have been lost, or replaced by that of a clean-up
      _SIGNALS.Release()
  except _Ended as err:
    # End this program by the signal that it has received, so that its exit
    # status shows the signal to the parent process
    signal.signal(err.number, signal.SIG_DFL)
    os.kill(os.getpid(), err.number)
  finally:
    for (caught, handler) in before.items():
      # If this program is about to exit, ignore Ctrl-C from here on: another
      # Ctrl-C must not interrupt the exit
      is_ignored = _SIGNALS.is_ending and caught == signal.SIGINT
      signal.signal(caught, signal.SIG_IGN if is_ignored else handler)


def _Feed(child: subprocess.Popen[bytes], text: str) -> None:
  """Writes a text to a command's standard input.

  """
  assert child.stdin is not None
  with child.stdin as pipe:
    os.set_blocking(pipe.fileno(), False)
    poller = select.poll()
    poller.register(pipe, select.POLLOUT)
    data = memoryview(text.encode("utf-8"))
    while data and child.poll() is None:
      if poller.poll(_CHECK_INTERVAL):
        try:
          data = data[pipe.write(data) or 0:]
        except BrokenPipeError:
          return


def _End(child: subprocess.Popen[bytes]) -> None:
  """Ends a command by SIGTERM, or by SIGKILL if SIGTERM does not end it.

  """
  import subprocess
  child.terminate()
  try:
    child.wait(_PATIENCE)
  except subprocess.TimeoutExpired:
    child.kill()
    # Give up after this time: even a killed command does not end while it waits
    # for a disk
    with contextlib.suppress(subprocess.TimeoutExpired):
      child.wait(_PATIENCE)


def Run(words: list[str], variables: dict[str, str],
        text: Optional[str] = None) -> int:
  """Runs a command.

  @param variables: additional environment variables
  @param text: the command's standard input; None for the one of this program
  @return: the command's exit code
  @raise OSError: the command cannot be run

  """
  import subprocess
  _SIGNALS.Hold()
  try:
    child = subprocess.Popen(words, bufsize=0, env={**os.environ, **variables},
                             stdin=None if text is None else subprocess.PIPE)
    try:
      _SIGNALS.Release()
      if text is not None:
        _Feed(child, text)
      return child.wait()
    except BaseException:
      _End(child)
      raise
  finally:
    _SIGNALS.Release()


def HowItEnded(code: int) -> str:
  """Returns the end of a sentence that says how a command ended.

  @param code: the return value of L{Run}

  """
  if code < 0:
    return "was ended by signal %d" % -code
  return "ended with exit code %d" % code

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Running a command that ends with this program.

Rule 1: what the command can read is written as long as it lives, and no longer.
It need not read it, and what it has started and left behind may hold the other
end for ever.

Rule 2: a signal that ends this program ends the command first. Only the first
one counts, and it waits while the command is being started: else there would be
a command that nobody knows of, and nobody ends.

"""

from __future__ import annotations

import contextlib
import os
import select
import signal

from typing import TYPE_CHECKING, Any, Dict, Iterator, List, NoReturn, Optional

if TYPE_CHECKING:
  import subprocess


#: Seconds that a command gets to end when this program ends
_PATIENCE = 2.0

#: Milliseconds after which to look whether a command that does not read still
#: lives
_LOOK = 100

#: What ends this program
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Ended(BaseException):
  """A signal has come that ends this program.

  """
  def __init__(self, number: int) -> None:
    BaseException.__init__(self)
    self.number = number


class _Signals:
  """Makes exceptions of signals.

  """
  def __init__(self) -> None:
    self._is_held = False
    self._came: Optional[int] = None

  def Begin(self) -> None:
    self._is_held = False
    self._came = None

  def Handle(self, number: int, _: Any) -> None:
    if self._came is None:
      self._came = number
      if not self._is_held:
        self._Raise(number)

  @staticmethod
  def _Raise(number: int) -> NoReturn:
    if number == signal.SIGINT:
      raise KeyboardInterrupt
    raise _Ended(number)

  def Hold(self) -> None:
    """Has signals wait.

    """
    self._is_held = True

  def Release(self) -> None:
    """Raises what has come meanwhile, and what comes from now on.

    """
    self._is_held = False
    if self._came is not None:
      self._Raise(self._came)


_SIGNALS = _Signals()


@contextlib.contextmanager
def EndingWithSignals() -> Iterator[None]:
  """Has signals end this program, but a command that is running first.

  Those that are ignored, as by nohup(1), stay so.

  """
  before: Dict[signal.Signals, Any] = {}
  _SIGNALS.Begin()
  try:
    for number in _ENDING:
      if signal.getsignal(number) != signal.SIG_IGN:
        before[number] = signal.signal(number, _SIGNALS.Handle)
    yield
  except _Ended as err:
    # As if it had not been caught
    signal.signal(err.number, signal.SIG_DFL)
    os.kill(os.getpid(), err.number)
  finally:
    for (caught, handler) in before.items():
      signal.signal(caught, handler)


def _Feed(child: subprocess.Popen[bytes], text: str) -> None:
  """Writes what a command can read.

  """
  assert child.stdin is not None
  with child.stdin as pipe:
    os.set_blocking(pipe.fileno(), False)
    poller = select.poll()
    poller.register(pipe, select.POLLOUT)
    data = memoryview(text.encode("utf-8"))
    while data and child.poll() is None:
      if poller.poll(_LOOK):
        try:
          data = data[pipe.write(data) or 0:]
        except BrokenPipeError:
          return


def _End(child: subprocess.Popen[bytes]) -> None:
  """Ends a command.

  """
  import subprocess
  child.terminate()
  try:
    child.wait(_PATIENCE)
  except subprocess.TimeoutExpired:
    child.kill()
    child.wait()


def Run(words: List[str], variables: Dict[str, str],
        text: Optional[str] = None) -> int:
  """Runs a command.

  @param variables: what is added to its environment
  @param text: what it can read; None for what this program could read
  @return: its exit code
  @raise OSError: it cannot be run

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
  """Makes the end of a sentence about a command.

  @param code: from L{Run}

  """
  if code < 0:
    return "was ended by signal %d" % -code
  return "ended with exit code %d" % code

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Runs one target under atheris; the fuzzing program starts this one.

  one.py TARGET [OPTION OF LIBFUZZER...] [DIRECTORY...]

"""

import contextlib
import hashlib
import os
import shlex
import signal
import sys

import atheris

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

with atheris.instrument_imports(include=["ganeti", "pyparsing"]):
  from fuzz import targets


#: CPU time that one input may take (seconds). libFuzzer's own limit is of wall
#: clock time, which a busy machine exceeds with any input.
_CPU_LIMIT = 10.0


class TookTooLong(BaseException):
  """An input took more than the limit of CPU time.

  The base class is not Exception, which the code under test may catch.

  """


def _Interrupt(*_):
  raise TookTooLong("more than %d s of CPU time" % _CPU_LIMIT)


@contextlib.contextmanager
def _Limited():
  signal.setitimer(signal.ITIMER_PROF, _CPU_LIMIT)
  try:
    yield
  finally:
    signal.setitimer(signal.ITIMER_PROF, 0)


def _Keeping(function):
  """Makes a function that saves the input if the target raises.

  The fuzzer itself saves an input that takes too long or too much memory.

  """
  def _Function(data):
    try:
      with _Limited():
        function(data)
    except BaseException:
      name = "crash-" + hashlib.sha1(data).hexdigest()
      with open(name, "wb") as stream:
        stream.write(data)
      raise
  return _Function


def Main():
  signal.signal(signal.SIGPROF, _Interrupt)
  function = _Keeping(targets.TARGETS[sys.argv[1]])
  # Run the seeds first, so that objects which a target caches are made before
  # memory is watched
  for data in targets.Seeds(sys.argv[1]):
    function(data)
  # The command by which the fuzzer starts itself again to merge inputs
  command = " ".join(map(shlex.quote, [sys.executable] + sys.argv[:2]))
  atheris.Setup([command] + sys.argv[2:], function)
  atheris.Fuzz()


if __name__ == "__main__":
  Main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""One target under atheris; what L{run} starts.

  one.py TARGET [OPTION OF LIBFUZZER...] [DIRECTORY...]

"""

import hashlib
import os
import shlex
import sys

import atheris

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

with atheris.instrument_imports(include=["ganeti", "pyparsing"]):
  from fuzz import targets


def _Keeping(function):
  """Makes a function that keeps the input over which it raises.

  The fuzzer does so itself where an input takes too long or too much.

  """
  def _Function(data):
    try:
      function(data)
    except BaseException:
      name = "crash-" + hashlib.sha1(data).hexdigest()
      with open(name, "wb") as stream:
        stream.write(data)
      raise
  return _Function


def Main():
  function = _Keeping(targets.TARGETS[sys.argv[1]])
  # What a target keeps is made before memory is watched
  for data in targets.Seeds(sys.argv[1]):
    function(data)
  # By this the fuzzer starts itself when it merges
  command = " ".join(map(shlex.quote, [sys.executable] + sys.argv[:2]))
  atheris.Setup([command] + sys.argv[2:], function)
  atheris.Fuzz()


if __name__ == "__main__":
  Main()

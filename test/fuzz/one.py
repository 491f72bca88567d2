#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""One target under atheris; what L{run} starts.

  one.py TARGET [OPTION OF LIBFUZZER...] [DIRECTORY...]

"""

import os
import sys

import atheris

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

with atheris.instrument_imports(include=["ganeti", "pyparsing"]):
  from fuzz import targets


def Main():
  function = targets.TARGETS[sys.argv[1]]
  # What a target keeps is made before memory is watched
  for data in targets.Seeds(sys.argv[1]):
    function(data)
  atheris.Setup(sys.argv[:1] + sys.argv[2:], function)
  atheris.Fuzz()


if __name__ == "__main__":
  Main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The order of names: node2 comes before node10.

"""

import re


# Bounded, since converting a very long number fails
_DIGITS_RE = re.compile("([0-9]{1,18})")


def NaturalKey(name):
  """Returns what to sort names by, so that node2 comes before node10.

  @type name: string
  @rtype: list

  """
  parts = _DIGITS_RE.split(name)
  parts[1::2] = map(int, parts[1::2])
  return parts

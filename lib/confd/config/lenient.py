#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Values of a configuration, whatever is stored in their place.

The configuration is another program's, and may be damaged or newer: what has
another type than it should counts as missing.

"""


def Dict(value):
  return value if isinstance(value, dict) else {}


def List(value):
  return value if isinstance(value, list) else []


def Typed(kind):
  """Returns a function that passes on values of one type only.

  """
  def _Check(value, default=None):
    if isinstance(value, kind) and (kind is bool or
                                    not isinstance(value, bool)):
      return value
    return default
  return _Check


Text = Typed(str)
Bool = Typed(bool)
Number = Typed((int, float))

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The table of checks, and what a finding is.

Each check has a name that stays the same, since users switch it off by that.
The modules of findings enter their checks here, in the order in which they are
imported by L{ganeti.confd.views.checks}.

"""

from __future__ import annotations

from typing import Callable, Dict, Iterator, NamedTuple, Tuple

from ganeti.confd.findings import facts


WARNING = "warning"
CRITICAL = "critical"

#: What a check yields: pairs of subject and text
Found = Iterator[Tuple[str, str]]

_Find = Callable[[facts.Facts], Found]


class Finding(NamedTuple):
  """Something that is wrong or risky.

  """
  #: Which check has found it, one of L{CHECKS}
  check: str
  #: L{WARNING} or L{CRITICAL}
  severity: str
  #: What it is about, e.g. the name of an instance
  subject: str
  text: str
  #: What to do
  advice: str


class Check(NamedTuple):
  """Something to look for.

  """
  severity: str
  #: What it looks for, for documents and help
  text: str
  advice: str
  find: _Find


CHECKS: Dict[str, Check] = {}


def Enter(name: str, severity: str, text: str, advice: str
          ) -> Callable[[_Find], _Find]:
  """Enters a function in L{CHECKS}.

  """
  def _Decorate(find: _Find) -> _Find:
    assert name not in CHECKS, name
    CHECKS[name] = Check(severity, text, advice, find)
    return find
  return _Decorate

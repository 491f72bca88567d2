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

#: Advice where no single command mends the finding
BY_HAND = "gnt-cluster verify says more; the configuration was changed by hand"
BY_HAND_OR_JOB = BY_HAND + ", or a job was broken off"


class Finding(NamedTuple):
  """Something that is wrong or risky.

  """
  #: Which check has found it, one of L{CHECKS}
  check: str
  #: L{WARNING} or L{CRITICAL}
  severity: str
  #: The thing that is wrong, e.g. the name of an instance
  subject: str
  text: str
  #: What to do
  advice: str


class Check(NamedTuple):
  """Something to look for.

  """
  severity: str
  #: A sentence on what is found, for documents and help
  text: str
  advice: str
  find: _Find


CHECKS: Dict[str, Check] = {}


def Register(name: str, severity: str, text: str, advice: str
             ) -> Callable[[_Find], _Find]:
  """Enters a function in L{CHECKS}.

  """
  def _Decorate(find: _Find) -> _Find:
    assert name not in CHECKS, name
    CHECKS[name] = Check(severity, text, advice, find)
    return find
  return _Decorate

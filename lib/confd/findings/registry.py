#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The table of checks, and the types of checks and findings.

Rule: the name of a check never changes, since users switch checks off by name.

The modules of checks register their functions here. The order of the table is
the order in which L{ganeti.confd.views.checks} imports those modules.

"""

from __future__ import annotations

from typing import Callable, Iterator, NamedTuple

from ganeti.confd.findings import data


WARNING = "warning"
CRITICAL = "critical"

#: The result of a check: for each fault, the name of the object with the fault,
#: and a text
Found = Iterator[tuple[str, str]]

_Find = Callable[[data.ConfigData], Found]

#: Advice for faults that no single command repairs
BY_HAND = "gnt-cluster verify says more; the configuration was changed by hand"
BY_HAND_OR_JOB = BY_HAND + ", or a job was interrupted"


class Finding(NamedTuple):
  """A fault or risk in the configuration.

  """
  #: The name of the check that found the fault, one of L{CHECKS}
  check: str
  #: L{WARNING} or L{CRITICAL}
  severity: str
  #: The object with the fault, e.g. the name of an instance
  subject: str
  text: str
  #: How to repair the fault
  advice: str


class Check(NamedTuple):
  """A check.

  """
  severity: str
  #: A sentence about the fault, for documents and help
  text: str
  advice: str
  find: _Find


CHECKS: dict[str, Check] = {}


def Register(name: str, severity: str, text: str, advice: str
             ) -> Callable[[_Find], _Find]:
  """Registers a function as a check, in L{CHECKS}.

  """
  def _Decorate(find: _Find) -> _Find:
    assert name not in CHECKS, name
    CHECKS[name] = Check(severity, text, advice, find)
    return find
  return _Decorate

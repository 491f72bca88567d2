#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Groups findings by their cause.

Findings of one check with the same text have the same cause: "its primary node
node7 is offline" is found for each instance of that node. Findings whose texts
differ are grouped by the check.

"""

from __future__ import annotations

from typing import Mapping, NamedTuple, Optional, Sequence

from ganeti.confd.exporter import rowstore
from ganeti.confd.views import advice
from ganeti.confd.views import checks


class Subject(NamedTuple):
  """The subject of a finding.

  """
  #: The finding's own text for its subject, e.g. "web1, disk/0"
  text: str
  #: The kind and the name of the object that C{text} names; both are None if
  #: the tables have no such object
  kind: Optional[str]
  name: Optional[str]
  #: The text of the finding; None if the text is the title of the cause
  finding: Optional[str]


class Cause(NamedTuple):
  """A cause of findings.

  """
  #: The name of the check that has made these findings
  check: str
  severity: str
  title: str
  #: How to repair the fault, with placeholders that C{advice.FillIn} replaces
  advice: str
  subjects: list[Subject]


def _Kinds(tables: Mapping[str, rowstore.Table]) -> dict[str, str]:
  """Maps the names of objects to their kinds.

  """
  kinds: dict[str, str] = {}
  for kind in advice.PLACEHOLDERS:
    for (name, ) in tables[kind].Values(["name"]):
      if isinstance(name, str):
        kinds.setdefault(name, kind)
  return kinds


def _Subject(finding: checks.Finding, kinds: Mapping[str, str],
             text: Optional[str]) -> Subject:
  for name in (finding.subject, advice.ObjectName(finding.subject)):
    if name in kinds:
      return Subject(finding.subject, kinds[name], name, text)
  return Subject(finding.subject, None, None, text)


def Group(findings: Sequence[checks.Finding],
          tables: Mapping[str, rowstore.Table]) -> list[Cause]:
  """Groups findings by their cause.

  @return: causes, in the order of their first findings

  """
  kinds = _Kinds(tables) if findings else {}
  same: dict[tuple[str, str], int] = {}
  for finding in findings:
    key = (finding.check, finding.text)
    same[key] = same.get(key, 0) + 1
  groups: dict[tuple[str, Optional[str]], list[checks.Finding]] = {}
  for finding in findings:
    key = (finding.check, finding.text)
    groups.setdefault(key if same[key] > 1 else (finding.check, None),
                      []).append(finding)
  return [_Cause(members, members[0].text if len(members) == 1 else text, kinds)
          for ((_, text), members) in groups.items()]


def _Cause(members: Sequence[checks.Finding], text: Optional[str],
           kinds: Mapping[str, str]) -> Cause:
  """Makes the cause of some findings of one check.

  @param text: the text that all findings have; None if their texts differ

  """
  first = members[0]
  title = text
  if title is None:
    known = checks.CHECKS.get(first.check)
    title = known.text if known is not None else first.check
  subjects = [_Subject(member, kinds, member.text if text is None else None)
              for member in members]
  return Cause(first.check, first.severity, title, first.advice, subjects)

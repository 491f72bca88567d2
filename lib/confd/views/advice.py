#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The findings about one object, and their advice with the object's name.

"""

from __future__ import annotations

import re

from typing import Any, Container, Iterable, Optional

from ganeti.confd.schema import columns
from ganeti.confd.views import checks
from ganeti.confd.views import shellwords


#: The suffix of a finding's subject, such as ", disk/0", that names a part of
#: the object
_PART_RE = re.compile(r", (?:disk|nic)/[^,]*\Z")

#: Maximum length of a quoted name in advice (characters). DNS names have at
#: most 255; pages would have to cut a command with a longer name.
_LONGEST = 255

#: Kinds of objects that findings are about, each with its placeholder in
#: advice. If objects of several kinds have the same name, the kind that comes
#: first here takes precedence.
PLACEHOLDERS = {
  columns.INSTANCE: "INSTANCE",
  columns.NODE: "NODE",
  columns.GROUP: "GROUP",
  columns.NETWORK: "NETWORK",
  }


def ObjectName(subject: str) -> str:
  """Returns the name of the object in the subject of a finding.

  """
  return _PART_RE.sub("", subject)


def FillIn(advice: str, kind: Optional[str], name: Any) -> str:
  """Puts the name of an object into advice.

  Rule: advice is filled in once, and not cut afterwards. A name may contain the
  placeholder of its kind: a second replacement would be within the quotes of
  the first, and end them.

  @param advice: advice with placeholders, as a check has it
  @return: the unchanged advice if the name cannot stand in a command line, or
    is longer than any name of Ganeti's

  """
  if kind is None or not isinstance(name, str):
    return advice
  word = shellwords.Line([], [name])
  if word is None or len(word) > _LONGEST:
    return advice
  return re.sub(r"\b%s\b" % PLACEHOLDERS[kind], lambda _: str(word), advice)


def About(findings: Iterable[checks.Finding], name: Any,
          names: Container[Any]) -> list[checks.Finding]:
  """Returns the findings about an object or a part of it.

  A name may look like a part of another object: an instance may have the name
  "web1, disk/x". Findings about this instance are no findings about web1:
  otherwise, the commands in their advice would have the name web1.

  @param name: the object's name
  @param names: the names of all objects of this kind

  """
  return [finding for finding in findings
          if name == (finding.subject if finding.subject in names
                      else ObjectName(finding.subject))]

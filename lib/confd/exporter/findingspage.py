#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The findings of a cluster: by cause for the overview, and all on a page.

Fact: the text of a finding may name all disks or instances of a cluster. Pages
cut long texts; the answers in JSON have all of each text.

"""

from __future__ import annotations

import collections
import zlib

from typing import Any

from ganeti.confd import humanize
from ganeti.confd.export import sanitize
from ganeti.confd.exporter import causes
from ganeti.confd.exporter import clusterstate
from ganeti.confd.exporter import layout
from ganeti.confd.exporter import markup
from ganeti.confd.exporter import paging
from ganeti.confd.exporter import rowfilter
from ganeti.confd.views import advice
from ganeti.confd.views import checks


E = markup.E

#: The page's name in paths
NAME = "findings"

#: The names of the page's parameters
CHECK = "check"
PAGE = "page"

#: Maximum length of the title of a cause, and of a text in a table
#: (characters); longer ones are cut
_TITLE = 160
_TEXT = 300

#: The overview shows at most this many causes, and at most this many subjects
#: of a cause
_CAUSES = 60
_SUBJECTS = 20


def Severity(severity: str) -> markup.Markup:
  return E("strong", severity.upper(), class_="state " + severity)


def Text(text: str) -> str:
  """Cuts the text of a finding for a table.

  """
  return layout.Shorten(text, _TEXT)


def _Advice(cause: causes.Cause, subject: causes.Subject) -> str:
  """Returns the advice of a cause for a subject, with the subject's name.

  The words are cut before the name is filled in: a cut command could end within
  the quotes of the name.

  """
  return advice.FillIn(Text(cause.advice), subject.kind, subject.name)


def Count(config: clusterstate.ClusterConfig) -> str:
  """Says how many findings there are, by severity.

  """
  if config.lacking:
    return "not checked"
  counts = collections.Counter(i.severity for i in config.findings)
  return " and ".join(
    humanize.Count(counts[severity], text) for (severity, text) in [
      (checks.CRITICAL, "critical finding"), (checks.WARNING, "warning")]
    if counts[severity]) or "no findings"


def _Subject(cluster: str, subject: causes.Subject) -> markup.Content:
  """Makes a link for the object's name, and adds the rest of the subject.

  """
  if subject.kind is None or subject.name is None:
    return Text(subject.text)
  return [layout.Link(cluster, subject.kind, subject.name),
          subject.text[len(subject.name):]]


def _Cause(cluster: str, cause: causes.Cause) -> markup.Markup:
  """Shows a cause; its subjects are visible when it is unfolded.

  """
  subjects = cause.subjects
  more = len(subjects) - _SUBJECTS
  (title, count) = (cause.title, " (%d findings)" % len(subjects))
  words = Text(cause.advice)
  if len(subjects) == 1:
    words = _Advice(cause, subjects[0])
    (title, count) = ("%s: %s" % (subjects[0].text, title), "")
  short = layout.Shorten(title, _TITLE)
  rest = None
  if more > 0 or short != title:
    rest = E("p", E("a", "All %d" % len(subjects) if more > 0
                    else "The whole text", href=layout.ClusterPath(
                      cluster, NAME, check=cause.check)))
  return E(
    "details",
    E("summary", Severity(cause.severity), " ", short,
      E("span", count, class_="count") if count else None),
    E("ul", [
      E("li", _Subject(cluster, subject),
        None if subject.finding is None else ": " + Text(subject.finding))
      for subject in subjects[:_SUBJECTS]]),
    rest, E("p", "What to do: ", words), class_="cause",
    # Make an id that does not depend on other causes: C{update.js} finds
    # unfolded elements again by their ids
    id="cause-%08x" % zlib.crc32(cause.title.encode("utf-8", "surrogatepass")))


def _NotChecked() -> markup.Markup:
  return E("p", "Not checked: the key lacks rights, see above.")


def Causes(cluster: str, config: clusterstate.ClusterConfig) -> markup.Content:
  """Shows the findings by cause.

  """
  if config.lacking:
    return _NotChecked()
  if not config.findings:
    return E("p", "The checks of the configuration have found nothing.")
  more = len(config.causes) - _CAUSES
  return [
    [_Cause(cluster, cause) for cause in config.causes[:_CAUSES]],
    E("p", "%s more. " % humanize.Count(more, "cause") if more > 0 else None,
      E("a", "All findings as a table",
        href=layout.ClusterPath(cluster, NAME)),
      ". The pages of nodes, instances, groups and networks have the findings"
      " about them.")]


def Findings(state: layout.State, check: str, rows: markup.Content) -> str:
  """Makes the page with all findings.

  @param check: the only check whose findings are shown; empty for all
  @param rows: from L{Rows}, or why there are none

  """
  title = "Findings of %s" % state.cluster
  return layout.Page(
    "%s, check %s" % (title, check) if check in checks.CHECKS else title,
    state, NAME, layout.Summary(state),
    [layout.ShowProblems(state), rows if state.config is not None else None])


def _RequireCheck(check: str) -> None:
  """Refuses the name of a check that does not exist.

  @param check: as in L{Findings}
  @raise rowfilter.BadRequest: there is no such check

  """
  if check and check not in checks.CHECKS:
    raise rowfilter.BadRequest("There is no check %s; \"confd-client check"
                               " --help\" lists them" % sanitize.Show(check))


def Rows(config: clusterstate.ClusterConfig, cluster: str, check: str,
         number: str) -> markup.Markup:
  """Makes a page of the table of findings.

  @param check: as in L{Findings}
  @param number: the number of the page, from 1; empty for the first
  @raise rowfilter.BadRequest: there is no such check or page

  """
  _RequireCheck(check)
  if config.lacking:
    return _NotChecked()
  found = [(cause, subject) for cause in config.causes
           if check in ("", cause.check) for subject in cause.subjects]
  part = paging.Find(len(found), number)
  turn = paging.Turn(part, lambda other: layout.ClusterPath(
    cluster, NAME, check=check, page=other))
  return markup.Join(
    E("p", "%d of %d. " % (len(found), len(config.findings)),
      E("a", "As JSON, with the whole texts", href=layout.ClusterPath(
        cluster, NAME + ".json", check=check)),
      [". ", E("a", "All findings", href=layout.ClusterPath(cluster, NAME))]
      if check else None),
    turn, layout.TableElement(
      "Findings", layout.Headers("What", "Severity", "Finding", "What to do"),
      [[_Subject(cluster, subject), Severity(cause.severity),
        Text(cause.title if subject.finding is None else subject.finding),
        _Advice(cause, subject)]
       for (cause, subject) in found[part.rows]]), turn)


def Json(config: clusterstate.ClusterConfig, check: str
         ) -> list[dict[str, Any]]:
  """Returns the findings as "confd-client check --json" has them.

  @param check: as in L{Findings}
  @raise rowfilter.BadRequest: there is no such check

  """
  _RequireCheck(check)
  return [finding._asdict() for finding in config.findings
          if check in ("", finding.check)]

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The parts that all pages have: the frame, links, tables, and the state.

"""

from __future__ import annotations

import time
import urllib.parse

from typing import Any, Iterable, NamedTuple, Optional, Sequence

from ganeti.confd import humanize
from ganeti.confd.clientlib import clusterstatus
from ganeti.confd.clientlib import keyrights
from ganeti.confd.exporter import clusterstate
from ganeti.confd.exporter import markup
from ganeti.confd.exporter import search
from ganeti.confd.exporter import static
from ganeti.confd.schema import columns
from ganeti.confd.views import objects


E = markup.E

#: Placeholder, in a page, for the part that is cached; the rest of the page is
#: not cached. No name can be mistaken for the placeholder, as C{<} is escaped.
PLACEHOLDER = markup.Markup("<!--here-->")

State = clusterstate.ClusterState

#: The path of the search page, and the parameter with the words to search for
SEARCH = "/search"
_WORDS = "q"

#: The name, in paths, of the page with the recorded changes of a cluster
HISTORY = "history"

#: The name of each page with a table, and the kind of objects in the table.
#: Each object in these tables has a page of its own, too.
TABLES = {
  "nodes": columns.NODE,
  "instances": columns.INSTANCE,
  "groups": columns.GROUP,
  "networks": columns.NETWORK,
  }


def _Quote(segment: str) -> str:
  # JSON strings may have lone surrogates, which strict UTF-8 cannot encode
  return urllib.parse.quote(segment, safe="", errors="surrogatepass")


def ClusterPath(cluster: str, rest: str = "", **query: str) -> str:
  """Returns the path of a page about a cluster.

  @param rest: the path after the cluster's name
  @param query: the parameters; empty ones are left out

  """
  path = "/%s/%s" % (_Quote(cluster), rest)
  text = urllib.parse.urlencode(
    {name: value for (name, value) in query.items() if value},
    errors="surrogatepass")
  return path + ("?" + text if text else "")


def ObjectPath(cluster: str, kind: str, name: Any) -> Optional[str]:
  """Returns the path of the page about an object.

  @param name: the object's name, or its UUID
  @return: None if the name cannot stand in a path

  """
  if not isinstance(name, str) or name in ("", ".", ".."):
    return None
  return ClusterPath(cluster, "%s/%s" % (kind, _Quote(name)))


def Link(cluster: str, kind: str, name: Any) -> markup.Content:
  """Makes a link to the page about an object.

  @param name: the object's name; shown as text if it cannot stand in a path

  """
  path = ObjectPath(cluster, kind, name)
  if path is None:
    return None if name is None else str(name)
  return E("a", name, href=path)


def Links(cluster: str, kind: str, names: Any) -> list[markup.Content]:
  """Makes links to several objects, with commas between them.

  """
  content: list[markup.Content] = []
  for name in objects.Items(names):
    content += [", " if content else None, Link(cluster, kind, name)]
  return content


def TagLinks(tags: Any) -> list[markup.Content]:
  """Makes links to the searches for tags, with commas between them.

  """
  content: list[markup.Content] = []
  for tag in objects.Items(tags):
    is_word = isinstance(tag, str) and IsWord(search.TagSearch(tag))
    content += [", " if content else None,
                E("a", tag, href=SearchPath(search.TagSearch(tag)))
                if is_word else str(tag)]
  return content


def IsWord(text: str) -> bool:
  """Tells whether a text can be searched for: spaces separate words.

  """
  return len(text.split()) == 1 and len(text) <= search.MAX_LENGTH


def SearchPath(text: str) -> str:
  return SEARCH + "?" + urllib.parse.urlencode({_WORDS: text},
                                               errors="surrogatepass")


def FormatValue(value: Any) -> Optional[str]:
  if isinstance(value, list):
    return ", ".join(str(item) for item in value if item is not None)
  return None if value is None else str(value)


def FormatTime(seconds: Any) -> Optional[str]:
  """Formats a time, in seconds since the epoch.

  """
  if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
    return FormatValue(seconds)
  try:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
  except (OverflowError, OSError, ValueError):
    return str(seconds)


def Shorten(text: str, length: int) -> str:
  """Cuts a long text; an ellipsis stands for the rest.

  """
  return text if len(text) <= length else text[:length - 1] + "\u2026"


def Definitions(*items: tuple[str, markup.Content]) -> markup.Markup:
  """Makes a list of properties; properties without a value are left out.

  """
  return E("dl", [E("div", E("dt", title), E("dd", value))
                  for (title, value) in items if value not in (None, "", [])],
           class_="facts")


def _SearchForm(text: str) -> markup.Markup:
  return E("form",
           E("input", type="search", name=_WORDS, value=text,
             maxlength=search.MAX_LENGTH, autocapitalize="none",
             spellcheck="false", aria_label="Search",
             placeholder="name, IP, MAC, tag, UUID"), " ",
           E("input", type="submit", value="Search"), method="get",
           action=SEARCH, role="search")


def Page(title: str, state: Optional[State], page: str, summary: str,
         live: markup.Content, form: markup.Content = None, words: str = ""
         ) -> str:
  """Makes a whole page.

  @param state: the state of the cluster that the page is about; None for all
    clusters
  @param page: the page's name in paths
  @param summary: the state in few words, which screen readers read out when it
    has changed
  @param live: the part that C{update.js} replaces
  @param form: the part that C{update.js} leaves alone, so that typed text stays
  @param words: the text in the field for searches

  """
  events = "/events"
  where: list[markup.Content] = [
    E("a", "Clusters", href="/",
      aria_current="page" if state is None and not page else None)]
  links: list[markup.Content] = []
  if state is not None:
    cluster = state.cluster
    events = ClusterPath(cluster, "events")
    where += [E("a", cluster, href=ClusterPath(cluster)), Badge(state, "state")]
    links = [E("a", text, href=ClusterPath(cluster, name),
               aria_current="page" if name == page else None)
             for (text, name) in [
                 ("Overview", ""), ("Findings", "findings"),
                 *((i.capitalize(), i) for i in TABLES), ("Map", "map"),
                 *([] if state.history is None else [("History", HISTORY)])]]
  return "<!DOCTYPE html>\n" + E(
    "html",
    E("head", E("meta", charset="utf-8"),
      E("meta", name="viewport", content="width=device-width"),
      E("title", title), E("link", rel="icon", href=static.ICON),
      E("link", rel="stylesheet", href=static.STYLE),
      E("script", src=static.SCRIPT, defer=True)),
    E("body", E("header", E("p", where, class_="where"), _SearchForm(words),
                E("nav", links, aria_label="Pages") if links else None),
      E("main", E("h1", title), E("p", id="news", role="status"), form,
        E("div", live, id="live", data_events=events, data_summary=summary))),
    lang="en")


def _FormatAge(seconds: float) -> str:
  for (unit, size) in [("day", 86400), ("hour", 3600), ("minute", 60)]:
    if seconds >= 2 * size:
      return humanize.Count(int(seconds // size), unit)
  return humanize.Count(int(seconds), "second")


#: Pages warn if the reader's key ends in fewer days than this; "confd-client
#: status" does so, too
_KEY_DAYS = 30

#: The text of a problem names at most this many candidates
_NAMED = 5


def KeyProblem(state: State) -> Optional[str]:
  """Says that the reader's key ends soon, or has ended; None if neither.

  """
  label = state.reader
  now = time.time()
  days = None if label is None else label.DaysLeft(now)
  if label is None or days is None or days >= _KEY_DAYS:
    return None
  text = keyrights.HowLong(label, now)
  return ("%s. Then this page knows nothing any more: \"confd-client make-key\""
          " on the cluster makes a new key." % (text[:1].upper() + text[1:]))


def _RightsProblem(state: State) -> Optional[str]:
  """Says which rights the reader's key lacks; None if it lacks none.

  """
  label = state.reader
  if label is None or state.config is None or not state.config.lacking:
    return None
  text = keyrights.Describe(label, time.time())
  return ("%s. Without %s, these pages lack something, and no findings are"
          " looked for." % (text[:1].upper() + text[1:],
                            ", ".join(state.config.lacking)))


class Problem(NamedTuple):
  """A reason to distrust what pages show.

  """
  #: A class of the style sheet: "critical" or "warning"
  severity: str
  text: str


def _Which(candidates: Iterable[clusterstatus.CandidateStatus]) -> str:
  """Names some candidates; a few of them if there are many.

  """
  names = [i.name or i.address for i in candidates]
  more = len(names) - _NAMED
  return ", ".join(names[:_NAMED]) + (
    " and %d more" % more if more > 0 else "")


def Problems(state: State) -> list[Problem]:
  """Lists the reasons to distrust what pages show; each page shows them.

  """
  found = []
  if state.problem is not None:
    text = "Nothing is known now: %s." % state.problem.rstrip(".")
    if state.age is not None:
      text += " What follows is what was known %s ago." % _FormatAge(state.age)
    found.append(Problem("critical", text))
  diverging = [i for i in Candidates(state) if i.diverges]
  if diverging:
    found.append(Problem("critical", (
      "Master candidates have different configurations with the same serial"
      " number: %s. Perhaps there are two masters. \"confd-client status\" says"
      " which master each candidate names.") % _Which(diverging)))
  stale = [i for i in Candidates(state) if i.stale]
  if stale:
    found.append(Problem("warning", (
      "Master candidates could not load the newest configuration, and serve an"
      " older one: %s. The log of ganeti-confd there says why.") %
                         _Which(stale)))
  for warning in (KeyProblem(state), _RightsProblem(state)):
    if warning and state.problem is None:
      found.append(Problem("warning", warning))
  if state.history is not None and state.history.problem is not None:
    found.append(Problem("warning", state.history.problem))
  return found


def ShowProblems(state: State) -> markup.Content:
  return [E("p", i.text, class_="problem " + i.severity)
          for i in Problems(state)]


def Candidates(state: State) -> list[clusterstatus.CandidateStatus]:
  return [] if state.candidates is None else state.candidates.status.candidates


def CandidateProblems(state: State) -> Optional[str]:
  """Says how many candidates have a problem.

  An address of the settings that is no master candidate is not counted.

  @return: None if no candidate has a problem

  """
  candidates = [i for i in Candidates(state) if i.listed]
  bad = sum(bool(i.problem) for i in candidates)
  if not bad:
    return None
  return "%d of %s with a problem" % (
    bad, humanize.Count(len(candidates), "master candidate"))


def Judge(state: State) -> tuple[str, str]:
  """Sums up the state of a cluster.

  @return: a class of the style sheet, and the word to show

  """
  if state.problem is not None:
    has_ended = (state.reader is not None and
                 state.reader.HasEnded(time.time()))
    return ("critical", "KEY ENDED" if has_ended else "NO ANSWER")
  severities = {i.severity for i in Problems(state)}
  if state.config is not None:
    severities.update(i.severity for i in state.config.findings)
  if "critical" in severities:
    return ("critical", "CRITICAL")
  if severities or CandidateProblems(state):
    return ("warning", "WARNING")
  return ("ok", "OK")


def Badge(state: State, name: Optional[str] = None) -> markup.Markup:
  """Makes the element that shows the state of a cluster.

  @param name: the element's id

  """
  (looks, text) = Judge(state)
  return E("span", text, class_="state " + looks, id=name)


def Summary(state: State, with_serial: bool = True) -> str:
  """Describes the state of a cluster in few words.

  """
  config = state.config
  words = ["%s: %s" % (state.cluster, Judge(state)[1])]
  if config is not None and with_serial:
    words += ["serial %d" % config.serial,
              "not checked" if config.lacking
              else humanize.Count(len(config.findings), "finding")]
  words += [text for text in [CandidateProblems(state)] if text]
  return ", ".join(words)


class Header(NamedTuple):
  """A column's header.

  """
  title: str
  is_number: bool = False
  #: The target of the link in the column's header; None for no link
  href: Optional[str] = None
  #: "ascending" or "descending" if the table is sorted by this column
  order: Optional[str] = None


def Headers(*titles: str, numbers: Sequence[str] = ()) -> list[Header]:
  """Makes headers without links.

  @param numbers: the titles of columns with numbers

  """
  return [Header(title, title in numbers) for title in titles]


def _Head(header: Header) -> markup.Markup:
  content: markup.Content = header.title
  if header.href is not None:
    content = E("a", header.title, href=header.href)
  arrow = {"ascending": " \u25b2", "descending": " \u25bc"}.get(
    str(header.order))
  return E("th", content, E("span", arrow, aria_hidden="true") if arrow else "",
           scope="col", role="columnheader", aria_sort=header.order,
           class_="number" if header.is_number else None)


def TableElement(label: str, headers: Sequence[Header],
                  rows: Sequence[Sequence[markup.Content]]) -> markup.Markup:
  """Makes a table, which a narrow window shows as a list of cards.

  The roles are explicit, although the elements have them by default: some
  browsers drop the default roles if the style sheet changes how elements are
  displayed.

  @param label: the table's name for screen readers

  """
  def _Row(cells: Sequence[markup.Content]) -> markup.Markup:
    (first, *rest) = cells
    return E("tr", E("th", first, scope="row", role="rowheader"),
             [E("td", cell, role="cell", data_title=header.title,
                class_="number" if header.is_number else None)
              for (header, cell) in zip(headers[1:], rest)], role="row")
  is_sorted = any(header.href for header in headers)
  return E("div", E(
    "table",
    E("thead", E("tr", [_Head(header) for header in headers], role="row"),
      role="rowgroup"),
    E("tbody", [_Row(row) for row in rows], role="rowgroup"),
    class_="sorted" if is_sorted else None, role="table", aria_label=label),
           class_="wide")

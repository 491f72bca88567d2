#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The pages that people look at, as HTML.

They need no script; one (L{SCRIPT}) puts in what has changed, so that nobody
has to reload. Nothing is said by colours alone.

Rule: pure functions. Names may hold anything: C{markup} escapes them.

"""

from __future__ import annotations

import urllib.parse

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, \
  Tuple

from ganeti.confd.config import columns
from ganeti.confd.exporter import facts as factslib
from ganeti.confd.exporter import listing
from ganeti.confd.exporter import markup
from ganeti.confd.exporter import metrics
from ganeti.confd.views import placement
from ganeti.confd.views import svg


E = markup.E

#: Most rows of a table on a page
MAX_ROWS = 500

#: Stands where L{Rows} or L{Drawing} come, which are made by themselves. It is
#: in no name: what begins an element is escaped in them.
PLACE = markup.Markup("<!--here-->")

#: Where style and script are
STYLE_PATH = "/style.css"
SCRIPT_PATH = "/update.js"

#: Fetches the page again when the server says that something has changed
SCRIPT = """\
"use strict";
const main = document.querySelector("main");
const source = new EventSource(main.dataset.events);
source.onmessage = async () => {
  const reply = await fetch(location.href);
  if (!reply.ok) return;
  const page = new DOMParser().parseFromString(await reply.text(), "text/html");
  const focus = document.activeElement;
  if (focus && main.contains(focus) && focus.tagName === "INPUT") return;
  main.replaceChildren(...page.querySelector("main").childNodes);
};
"""

STYLE = """\
:root { color-scheme: light dark; }
body { font: 16px/1.5 sans-serif; margin: 0 auto; padding: 0 1rem 2rem;
  max-width: 80rem; }
nav a { margin-right: 1rem; }
h1 { font-size: 1.4rem; margin: 0.8rem 0; }
h2 { font-size: 1.1rem; margin: 1.5rem 0 0.5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: 0.2rem 0.8rem 0.2rem 0;
  border-bottom: 1px solid #8886; vertical-align: top; }
td.number, th.number { text-align: right; }
.state { font-weight: bold; padding: 0.1rem 0.5rem; border: 2px solid; }
.ok { border-style: solid; }
.warning { border-style: dashed; }
.critical { border-style: double; border-width: 4px; }
dl { display: grid; grid-template-columns: max-content auto; gap: 0 1rem; }
dd { margin: 0; }
input[type=text] { width: min(40rem, 90%); font: inherit; }
.problem { border-left: 4px solid; padding-left: 0.8rem; }
""" + svg.STYLE


class Column(NamedTuple):
  """A column of a table.

  """
  field: str
  title: str
  is_number: bool = False
  format: Callable[[Any], Optional[str]] = lambda value: (
    None if value is None else ", ".join(map(str, value))
    if isinstance(value, list) else str(value))


def _Role(value: Any) -> str:
  return placement.ROLES.get(value, str(value))


COLUMNS: Dict[str, List[Column]] = {
  columns.NODE: [
    Column("name", "Node"), Column("role", "Role", format=_Role),
    Column("group", "Group"), Column("pip", "Primary IP"),
    Column("pinst_cnt", "Primary instances", True),
    Column("sinst_cnt", "Secondary instances", True), Column("tags", "Tags")],
  columns.INSTANCE: [
    Column("name", "Instance"), Column("pnode", "Primary node"),
    Column("snodes", "Secondary nodes"), Column("admin_state", "State wanted"),
    Column("be/maxmem", "Memory", True, listing.FormatMebibytes),
    Column("be/vcpus", "vCPUs", True),
    Column("disk_usage", "Disks", True, listing.FormatMebibytes),
    Column("os", "OS"), Column("nic.ips", "IPs"), Column("tags", "Tags")],
  }

#: What the pages of tables are called
_TITLES = {
  columns.NODE: "Nodes",
  columns.INSTANCE: "Instances",
  }


class Known(NamedTuple):
  """What there is to show of a cluster.

  """
  state: metrics.State
  #: Seconds since the facts were known to hold; None if there are none
  age: Optional[float]
  #: Why nothing is known now; None if all is well
  problem: Optional[str]


def ClusterPath(cluster: str, page: str = "", **query: str) -> str:
  path = "/%s/%s" % (urllib.parse.quote(cluster, safe=""), page)
  text = urllib.parse.urlencode(
    {name: value for (name, value) in query.items() if value})
  return path + ("?" + text if text else "")


def _Page(title: str, cluster: Optional[str], *content: markup.Content) -> str:
  """Makes a whole page.

  @param cluster: the one that it is about; None for all

  """
  links = [E("a", "Clusters", href="/")]
  events = "/events"
  if cluster is not None:
    events = ClusterPath(cluster, "events")
    links += [E("a", text, href=ClusterPath(cluster, page))
              for (text, page) in [("Overview", ""), ("Nodes", "nodes"),
                                   ("Instances", "instances"),
                                   ("Map", "map")]]
  return "<!DOCTYPE html>\n" + E(
    "html",
    E("head", E("meta", charset="utf-8"),
      E("meta", name="viewport", content="width=device-width"),
      E("title", title), E("link", rel="stylesheet", href=STYLE_PATH),
      E("script", src=SCRIPT_PATH, defer=True)),
    E("body", E("nav", links), E("main", E("h1", title), content,
                                 data_events=events)),
    lang="en")


def _FormatAge(seconds: float) -> str:
  for (unit, size) in [("days", 86400), ("hours", 3600), ("minutes", 60)]:
    if seconds >= 2 * size:
      return "%d %s" % (seconds // size, unit)
  return "%d seconds" % seconds


def _Problem(known: Known) -> markup.Content:
  """Says that what is shown is not certain.

  """
  if known.problem is None:
    return None
  text = "Nobody answers now: %s." % known.problem.rstrip(".")
  if known.age is not None:
    text += " What follows is what was known %s ago." % _FormatAge(known.age)
  return E("p", text, class_="problem", role="alert")


def _State(known: Known) -> Tuple[str, str]:
  """Sums up how a cluster is.

  @return: a class of the style sheet, and the word

  """
  if known.problem is not None:
    return ("critical", "NO ANSWER")
  facts = known.state.facts
  severities = {i.severity for i in facts.findings} if facts else set()
  if "critical" in severities:
    return ("critical", "CRITICAL")
  confd = known.state.confd
  if severities or (confd and any(i.problem for i in confd.status.candidates)):
    return ("warning", "WARNING")
  return ("ok", "OK")


def _Badge(known: Known) -> markup.Markup:
  (looks, text) = _State(known)
  return E("span", text, class_="state " + looks)


def _Table(headers: Sequence[markup.Content],
           rows: Sequence[Sequence[markup.Content]],
           numbers: Sequence[int] = (), caption: Optional[str] = None
           ) -> markup.Markup:
  def _Looks(index: int) -> Optional[str]:
    return "number" if index in numbers else None
  return E("div", E(
    "table", E("caption", caption) if caption else None,
    E("thead", E("tr", [E("th", text, scope="col", class_=_Looks(i))
                        for (i, text) in enumerate(headers)])),
    E("tbody", [E("tr", [E("td", cell, class_=_Looks(i))
                         for (i, cell) in enumerate(row)])
                for row in rows])), class_="wide")


def Clusters(clusters: Sequence[Known]) -> str:
  """All clusters at a glance.

  """
  rows = []
  for known in clusters:
    facts = known.state.facts
    name = known.state.cluster
    numbers: List[markup.Content] = ["-"] * 4
    if facts is not None:
      numbers = [len(facts.tables[columns.NODE]),
                 len(facts.tables[columns.INSTANCE]), len(facts.findings),
                 facts.serial]
    rows.append([E("a", name, href=ClusterPath(name)), _Badge(known), *numbers,
                 known.problem or ""])
  return _Page("Clusters", None, _Table(
    ["Cluster", "State", "Nodes", "Instances", "Findings", "Serial", "Problem"],
    rows, (2, 3, 4, 5)))


def _Findings(facts: factslib.Facts) -> markup.Content:
  if not facts.findings:
    return E("p", "Nothing is wrong by the configuration.")
  return _Table(
    ["Severity", "What", "Finding", "What to do"],
    [[i.severity.upper(), i.subject, i.text, i.advice]
     for i in facts.findings[:MAX_ROWS]])


def _Candidates(known: Known) -> markup.Content:
  if known.state.confd is None:
    return E("p", "They have not been asked yet.")
  return _Table(
    ["Address", "Node", "Answers", "Round trip", "Serial", "Behind", "Problem"],
    [[i.address, i.name, "yes" if i.answers else "no",
      None if i.round_trip is None else "%.1f ms" % (1000 * i.round_trip),
      i.serial, i.behind, i.problem]
     for i in known.state.confd.status.candidates], (3, 4, 5))


def Overview(known: Known) -> str:
  """How a cluster is.

  """
  facts = known.state.facts
  content: List[markup.Content] = [E("p", _Badge(known)), _Problem(known)]
  if facts is not None:
    summary: List[Tuple[str, markup.Content]] = [
      ("Name", facts.name), ("Serial", facts.serial),
      ("Nodes", len(facts.tables[columns.NODE])),
      ("Instances", len(facts.tables[columns.INSTANCE]))]
    content += [
      E("dl", [(E("dt", title), E("dd", value)) for (title, value) in summary]),
      E("h2", "Findings"), _Findings(facts)]
  content += [E("h2", "Master candidates"), _Candidates(known)]
  return _Page(known.state.cluster, known.state.cluster, content)


def Map(known: Known, drawing: markup.Markup) -> str:
  """Nodes and instances as a drawing.

  @param drawing: from L{Drawing}

  """
  content: markup.Content = None
  if known.state.facts is not None:
    content = E("div", drawing, class_="wide")
  return _Page("Map of %s" % known.state.cluster, known.state.cluster,
               _Problem(known), content)


def Drawing(facts: factslib.Facts, cluster: str, with_style: bool
            ) -> markup.Markup:
  """Draws a cluster, as SVG.

  """
  def _Rows(kind: str) -> List[List[Any]]:
    return [[row[field] for field in placement.FIELDS[kind]]
            for row in facts.tables[kind]]
  return markup.Markup(svg.Draw(
    [placement.Node(*row) for row in _Rows(columns.NODE)],
    [placement.Instance(*row) for row in _Rows(columns.INSTANCE)],
    "%s, serial %d" % (cluster, facts.serial), with_style))


def _FilterForm(kind: str, condition: str, order: str) -> markup.Markup:
  example = {
    columns.NODE: 'not offline and group == "default"',
    columns.INSTANCE: 'be/maxmem > 4096 and "x" in tags',
    }[kind]
  return E("form",
           E("label", "Filter, in Ganeti's language (as %s)" % example,
             for_="filter"), " ",
           E("input", type="text", id="filter", name="filter", value=condition,
             maxlength=listing.MAX_FILTER),
           E("input", type="hidden", name="sort", value=order), " ",
           E("input", type="submit", value="Show"), method="get")


def Table(known: Known, kind: str, condition: str, order: str,
          rows: markup.Content) -> str:
  """Some rows of a table.

  @param condition: a filter
  @param order: what to sort by, as in C{listing.Choose}
  @param rows: from L{Rows} or L{Wrong}

  """
  cluster = known.state.cluster
  return _Page("%s of %s" % (_TITLES[kind], cluster), cluster, _Problem(known),
               _FilterForm(kind, condition, order),
               rows if known.state.facts is not None else None)


def Wrong(text: str) -> markup.Markup:
  """Says why there are no rows.

  """
  return E("p", text, class_="problem", role="alert")


def Rows(facts: factslib.Facts, kind: str, cluster: str, condition: str,
         order: str) -> markup.Markup:
  """Makes what is in a page of a table.

  @raise listing.BadRequest: filter or order are wrong

  """
  chosen = listing.Choose(facts, kind, condition, order)
  page = _TITLES[kind].lower()
  shown = chosen.rows[:MAX_ROWS]
  text = "%d of %d" % (len(chosen.rows), chosen.total)
  if len(shown) < len(chosen.rows):
    text += ", of which the first %d are shown; a filter shows others" % (
      len(shown))
  cells = COLUMNS[kind]
  headers = [E("a", column.title, href=ClusterPath(
    cluster, page, filter=condition,
    sort="-" + column.field if order == column.field else column.field))
             for column in cells]
  return markup.Join(
    E("p", text, ". ", E("a", "As JSON", href=ClusterPath(
      cluster, page + ".json", filter=condition, sort=order))),
    _Table(headers, [[column.format(row[column.field]) for column in cells]
                     for row in shown],
           [i for (i, column) in enumerate(cells) if column.is_number]))

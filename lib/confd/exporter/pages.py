#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The pages that people look at, as HTML.

Pages work without scripts; C{update.js} updates them in place. No information is
given by colour alone.

Rule: pure functions. Names may hold anything: C{markup} escapes them.

"""

from __future__ import annotations

import collections
import urllib.parse

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, \
  Tuple

from ganeti.confd import humanize
from ganeti.confd.exporter import facts as factslib
from ganeti.confd.exporter import listing
from ganeti.confd.exporter import markup
from ganeti.confd.exporter import metrics
from ganeti.confd.exporter import static
from ganeti.confd.schema import columns
from ganeti.confd.views import placement
from ganeti.confd.views import svg


E = markup.E

#: Most rows of a table on a page
MAX_ROWS = 500

#: Stands where L{Rows} or L{Drawing} come, which are made by themselves. It is
#: in no name: what begins an element is escaped in them.
PLACE = markup.Markup("<!--here-->")

#: The id of what says why there are no rows
_WRONG = "wrong"

def _FormatValue(value: Any) -> Optional[str]:
  if isinstance(value, list):
    return ", ".join(str(item) for item in value if item is not None)
  return None if value is None else str(value)


class Column(NamedTuple):
  """A column of a table.

  """
  field: str
  title: str
  is_number: bool = False
  format: Callable[[Any], Optional[str]] = _FormatValue


def _Role(value: Any) -> str:
  return columns.ROLES.get(value, str(value))


COLUMNS: Dict[str, List[Column]] = {
  columns.NODE: [
    Column("name", "Node"), Column("role", "Role", format=_Role),
    Column("group", "Group"), Column("pip", "Primary IP"),
    Column("pinst_cnt", "Primary instances", True),
    Column("sinst_cnt", "Secondary instances", True), Column("tags", "Tags")],
  columns.INSTANCE: [
    Column("name", "Instance"), Column("pnode", "Primary node"),
    Column("snodes", "Secondary nodes"), Column("admin_state", "State wanted"),
    Column("be/maxmem", "Memory", True, humanize.FormatMebibytes),
    Column("be/vcpus", "vCPUs", True),
    Column("disk_usage", "Disks", True, humanize.FormatMebibytes),
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


def _Page(title: str, known: Optional[Known], page: str, summary: str,
          live: markup.Content, form: markup.Content = None) -> str:
  """Makes a whole page.

  @param known: the cluster that it is about; None for all
  @param page: its name, in paths
  @param summary: the state in few words, told when it has changed
  @param live: the part that C{update.js} replaces
  @param form: stays as it is, with the text that is typed into it

  """
  links = [E("a", "Clusters", href="/",
             aria_current="page" if known is None else None)]
  events = "/events"
  if known is not None:
    cluster = known.state.cluster
    events = ClusterPath(cluster, "events")
    links += [E("a", text, href=ClusterPath(cluster, name),
                aria_current="page" if name == page else None)
              for (text, name) in [("Overview", ""), ("Nodes", "nodes"),
                                   ("Instances", "instances"),
                                   ("Map", "map")]]
  return "<!DOCTYPE html>\n" + E(
    "html",
    E("head", E("meta", charset="utf-8"),
      E("meta", name="viewport", content="width=device-width"),
      E("title", title), E("link", rel="icon", href=static.ICON),
      E("link", rel="stylesheet", href=static.STYLE),
      E("script", src=static.SCRIPT, defer=True)),
    E("body", E("nav", links, aria_label="Pages"),
      E("main", E("h1", title), E("p", id="news", role="status"), form,
        E("div", live, id="live", data_events=events, data_summary=summary))),
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
  text = "Nothing is known now: %s." % known.problem.rstrip(".")
  if known.age is not None:
    text += " What follows is what was known %s ago." % _FormatAge(known.age)
  return E("p", text, class_="problem")


def _Doubts(known: Known) -> Optional[str]:
  """Says how many candidates are not as they should be.

  """
  confd = known.state.confd
  candidates = confd.status.candidates if confd else []
  bad = sum(bool(i.problem) for i in candidates)
  if not bad:
    return None
  return "%d of %s with a problem" % (
    bad, humanize.Count(len(candidates), "master candidate"))


def _State(known: Known) -> Tuple[str, str]:
  """Sums up how a cluster is.

  @return: a class of the style sheet, and the word

  """
  if known.problem is not None:
    return ("critical", "NO ANSWER")
  facts = known.state.facts
  severities = {i.severity for i in facts.findings} if facts else set()
  confd = known.state.confd
  if "critical" in severities or any(
      i.diverges for i in (confd.status.candidates if confd else [])):
    return ("critical", "CRITICAL")
  if severities or _Doubts(known):
    return ("warning", "WARNING")
  return ("ok", "OK")


def _Badge(known: Known) -> markup.Markup:
  (looks, text) = _State(known)
  return E("span", text, class_="state " + looks)


def _Summary(known: Known, with_serial: bool = True) -> str:
  """Says in few words how a cluster is.

  """
  facts = known.state.facts
  words = ["%s: %s" % (known.state.cluster, _State(known)[1])]
  if facts is not None and with_serial:
    words += ["serial %d" % facts.serial,
              humanize.Count(len(facts.findings), "finding")]
  words += [text for text in [_Doubts(known)] if text]
  return ", ".join(words)


class _Header(NamedTuple):
  """The top of a column.

  """
  title: str
  is_number: bool = False
  #: Where it leads; None for nowhere
  href: Optional[str] = None
  #: "ascending" or "descending" if the table is sorted by it
  order: Optional[str] = None


def _Head(header: _Header) -> markup.Markup:
  content: markup.Content = header.title
  if header.href is not None:
    content = E("a", header.title, href=header.href)
  arrow = {"ascending": " \u25b2", "descending": " \u25bc"}.get(
    str(header.order))
  return E("th", content, E("span", arrow, aria_hidden="true") if arrow else "",
           scope="col", role="columnheader", aria_sort=header.order,
           class_="number" if header.is_number else None)


def _Table(label: str, headers: Sequence[_Header],
           rows: Sequence[Sequence[markup.Content]]) -> markup.Markup:
  """Makes a table, which a narrow window shows as a list of cards.

  The roles are those that its elements have anyway; to some browsers they have
  none once they look different.

  @param label: what it is called by screen readers

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
                 known.problem or _Doubts(known)])
  return _Page(
    "Clusters", None, "", "; ".join(_Summary(i, False) for i in clusters),
    _Table("Clusters", [
      _Header("Cluster"), _Header("State"), _Header("Nodes", True),
      _Header("Instances", True), _Header("Findings", True),
      _Header("Serial", True), _Header("Problem")], rows))


def _Findings(facts: factslib.Facts) -> markup.Content:
  if not facts.findings:
    return E("p", "Nothing is wrong by the configuration.")
  counts = collections.Counter(i.severity for i in facts.findings)
  text = ", ".join("%d %s" % (counts[severity], severity)
                   for severity in sorted(counts))
  shown = facts.findings[:MAX_ROWS]
  if len(shown) < len(facts.findings):
    text += ", of which the first %d are shown" % len(shown)
  return [
    E("p", text),
    _Table("Findings",
           [_Header("What"), _Header("Severity"), _Header("Finding"),
            _Header("What to do")],
           [[i.subject, E("strong", i.severity.upper(), class_="severe" if
                          i.severity == "critical" else None),
             i.text, i.advice] for i in shown])]


def _Candidates(known: Known) -> markup.Content:
  if known.state.confd is None:
    return E("p", "They have not been asked yet.")
  return _Table(
    "Master candidates",
    [_Header("Address"), _Header("Node"), _Header("Answers"),
     _Header("Round trip", True), _Header("Serial", True),
     _Header("Behind", True), _Header("Problem")],
    [[i.address, i.name, "yes" if i.answers else "no",
      None if i.round_trip is None else "%.1f ms" % (1000 * i.round_trip),
      i.serial, i.behind, i.problem]
     for i in known.state.confd.status.candidates])


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
      E("dl", [(E("dt", title), E("dd", value)) for (title, value) in summary])]
  content += [E("h2", "Master candidates"), _Candidates(known)]
  if facts is not None:
    content += [E("h2", "Findings"), _Findings(facts)]
  return _Page("Cluster %s" % known.state.cluster, known, "", _Summary(known),
               content)


def Map(known: Known, drawing: markup.Markup) -> str:
  """Nodes and instances as a drawing.

  @param drawing: from L{Drawing}

  """
  cluster = known.state.cluster
  content: List[markup.Content] = []
  if known.state.facts is not None:
    # Those who have no pointer scroll it by keys, and so need a focus
    content = [
      E("p", "The same in words: ",
        E("a", "nodes", href=ClusterPath(cluster, "nodes")), ", ",
        E("a", "instances", href=ClusterPath(cluster, "instances")), ". ",
        E("a", "The drawing alone", href=ClusterPath(cluster, "map.svg"))),
      E("div", drawing, class_="wide", tabindex=0, role="region",
        aria_label="Drawing")]
  return _Page("Map of %s" % cluster, known, "map", _Summary(known),
               [_Problem(known), content])


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
             for_="filter"),
           E("input", type="text", id="filter", name="filter", value=condition,
             maxlength=listing.MAX_FILTER, autocapitalize="none",
             spellcheck="false", aria_describedby=_WRONG),
           E("input", type="hidden", name="sort", value=order), " ",
           E("input", type="submit", value="Show"), method="get")


def Table(known: Known, kind: str, condition: str, order: str,
          rows: markup.Content) -> str:
  """Some rows of a table.

  @param condition: a filter
  @param order: what to sort by, as in C{listing.Choose}
  @param rows: from L{Rows} or L{Wrong}

  """
  return _Page("%s of %s" % (_TITLES[kind], known.state.cluster), known,
               _TITLES[kind].lower(), _Summary(known),
               [_Problem(known),
                rows if known.state.facts is not None else None],
               _FilterForm(kind, condition, order))


def Wrong(text: str) -> markup.Markup:
  """Says why there are no rows.

  """
  return E("p", text, class_="problem", id=_WRONG, role="alert")


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
  # Without a wish they have the order of names
  orders = {order or "name": "ascending"}
  if order.startswith("-"):
    orders = {order[1:]: "descending"}
  headers = [
    _Header(column.title, column.is_number, ClusterPath(
      cluster, page, filter=condition,
      sort="-" + column.field if orders.get(column.field) == "ascending"
      else column.field), orders.get(column.field))
    for column in cells]
  return markup.Join(
    E("p", text, ". ", E("a", "As JSON", href=ClusterPath(
      cluster, page + ".json", filter=condition, sort=order))),
    _Table(_TITLES[kind], headers,
           [[column.format(row[column.field]) for column in cells]
            for row in shown]))

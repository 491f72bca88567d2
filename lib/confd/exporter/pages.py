#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The pages for people, as HTML.

Pages work without scripts; C{update.js} updates them in place. No information
is given by colour alone.

Rule: functions here do no I/O. Names may hold anything; C{markup} escapes them.

"""

from __future__ import annotations

import collections
import urllib.parse

from typing import Any, Callable, NamedTuple, Optional, Sequence

from ganeti.confd import humanize
from ganeti.confd.clientlib import clusterstatus
from ganeti.confd.exporter import clusterstate
from ganeti.confd.exporter import markup
from ganeti.confd.exporter import rowfilter
from ganeti.confd.exporter import static
from ganeti.confd.schema import columns
from ganeti.confd.views import placement
from ganeti.confd.views import svg


E = markup.E

#: Most rows of a table on a page
MAX_ROWS = 500

#: Placeholder for the result of L{Rows} or L{Drawing}, which the cache keeps
#: without the page around it. No name can be taken for it, as C{<} is escaped.
PLACEHOLDER = markup.Markup("<!--here-->")

#: The id of the text that says why there are no rows
_ERROR = "wrong"

_State = clusterstate.ClusterState


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


COLUMNS: dict[str, list[Column]] = {
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

#: Titles of the pages with tables
_TITLES = {
  columns.NODE: "Nodes",
  columns.INSTANCE: "Instances",
  }


def ClusterPath(cluster: str, page: str = "", **query: str) -> str:
  path = "/%s/%s" % (urllib.parse.quote(cluster, safe=""), page)
  text = urllib.parse.urlencode(
    {name: value for (name, value) in query.items() if value})
  return path + ("?" + text if text else "")


def _Page(title: str, state: Optional[_State], page: str, summary: str,
          live: markup.Content, form: markup.Content = None) -> str:
  """Makes a whole page.

  @param state: of the cluster that the page is about; None for all clusters
  @param page: its name, in paths
  @param summary: the state in few words, which screen readers read out when it
    has changed
  @param live: the part that C{update.js} replaces
  @param form: stays as it is, with the text that is typed into it

  """
  links = [E("a", "Clusters", href="/",
             aria_current="page" if state is None else None)]
  events = "/events"
  if state is not None:
    cluster = state.cluster
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


def _Problem(state: _State) -> markup.Content:
  """Says that the page may be out of date, and why.

  """
  if state.problem is None:
    return None
  text = "Nothing is known now: %s." % state.problem.rstrip(".")
  if state.age is not None:
    text += " What follows is what was known %s ago." % _FormatAge(state.age)
  return E("p", text, class_="problem")


def _Candidates(state: _State) -> list[clusterstatus.CandidateStatus]:
  return [] if state.candidates is None else state.candidates.status.candidates


def _CandidateProblems(state: _State) -> Optional[str]:
  """Says how many candidates have a problem.

  @return: None if none has

  """
  candidates = _Candidates(state)
  bad = sum(bool(i.problem) for i in candidates)
  if not bad:
    return None
  return "%d of %s with a problem" % (
    bad, humanize.Count(len(candidates), "master candidate"))


def _Judge(state: _State) -> tuple[str, str]:
  """Sums up the state of a cluster.

  @return: a class of the style sheet, and the word to show

  """
  if state.problem is not None:
    return ("critical", "NO ANSWER")
  config = state.config
  severities = {i.severity for i in config.findings} if config else set()
  if "critical" in severities or any(i.diverges for i in _Candidates(state)):
    return ("critical", "CRITICAL")
  if severities or _CandidateProblems(state):
    return ("warning", "WARNING")
  return ("ok", "OK")


def _Badge(state: _State) -> markup.Markup:
  (looks, text) = _Judge(state)
  return E("span", text, class_="state " + looks)


def _Summary(state: _State, with_serial: bool = True) -> str:
  """Describes the state of a cluster in few words.

  """
  config = state.config
  words = ["%s: %s" % (state.cluster, _Judge(state)[1])]
  if config is not None and with_serial:
    words += ["serial %d" % config.serial,
              humanize.Count(len(config.findings), "finding")]
  words += [text for text in [_CandidateProblems(state)] if text]
  return ", ".join(words)


class _Header(NamedTuple):
  """A column's header.

  """
  title: str
  is_number: bool = False
  #: Target of its link; None for no link
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


def _TableElement(label: str, headers: Sequence[_Header],
                  rows: Sequence[Sequence[markup.Content]]) -> markup.Markup:
  """Makes a table, which a narrow window shows as a list of cards.

  The elements have these roles by default, but some browsers drop the defaults
  where the style sheet changes how the elements are displayed.

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


def Clusters(clusters: Sequence[_State]) -> str:
  """Makes the page that lists all clusters.

  """
  rows = []
  for state in clusters:
    config = state.config
    name = state.cluster
    numbers: list[markup.Content] = ["-"] * 4
    if config is not None:
      numbers = [len(config.tables[columns.NODE]),
                 len(config.tables[columns.INSTANCE]), len(config.findings),
                 config.serial]
    rows.append([E("a", name, href=ClusterPath(name)), _Badge(state), *numbers,
                 state.problem or _CandidateProblems(state)])
  return _Page(
    "Clusters", None, "", "; ".join(_Summary(i, False) for i in clusters),
    _TableElement("Clusters", [
      _Header("Cluster"), _Header("State"), _Header("Nodes", True),
      _Header("Instances", True), _Header("Findings", True),
      _Header("Serial", True), _Header("Problem")], rows))


def _Findings(config: clusterstate.ClusterConfig) -> markup.Content:
  if not config.findings:
    return E("p", "The checks of the configuration have found nothing.")
  counts = collections.Counter(i.severity for i in config.findings)
  text = ", ".join("%d %s" % (counts[severity], severity)
                   for severity in sorted(counts))
  shown = config.findings[:MAX_ROWS]
  if len(shown) < len(config.findings):
    text += ", of which the first %d are shown" % len(shown)
  return [
    E("p", text),
    _TableElement(
      "Findings", [_Header("What"), _Header("Severity"), _Header("Finding"),
                   _Header("What to do")],
      [[i.subject, E("strong", i.severity.upper(), class_="severe" if
                     i.severity == "critical" else None), i.text, i.advice]
       for i in shown])]


def _CandidatesTable(state: _State) -> markup.Content:
  if state.candidates is None:
    return E("p", "The candidates have not been asked yet.")
  return _TableElement(
    "Master candidates",
    [_Header("Address"), _Header("Node"), _Header("Answers"),
     _Header("Round trip", True), _Header("Serial", True),
     _Header("Behind", True), _Header("Problem")],
    [[i.address, i.name, "yes" if i.answers else "no",
      None if i.round_trip is None else "%.1f ms" % (1000 * i.round_trip),
      i.serial, i.behind, i.problem]
     for i in _Candidates(state)])


def Overview(state: _State) -> str:
  """Makes the page about the state of a cluster.

  """
  config = state.config
  content: list[markup.Content] = [E("p", _Badge(state)), _Problem(state)]
  if config is not None:
    summary: list[tuple[str, markup.Content]] = [
      ("Name", config.name), ("Serial", config.serial),
      ("Nodes", len(config.tables[columns.NODE])),
      ("Instances", len(config.tables[columns.INSTANCE]))]
    content += [
      E("dl", [(E("dt", title), E("dd", value)) for (title, value) in summary])]
  content += [E("h2", "Master candidates"),
              _CandidatesTable(state)]
  if config is not None:
    content += [E("h2", "Findings"), _Findings(config)]
  return _Page("Cluster %s" % state.cluster, state, "", _Summary(state),
               content)


def Map(state: _State, drawing: markup.Markup) -> str:
  """Makes the page with the drawing of nodes and instances.

  @param drawing: from L{Drawing}

  """
  cluster = state.cluster
  content: list[markup.Content] = []
  if state.config is not None:
    # An element can be scrolled by keys only while it has the focus
    content = [
      E("p", "The same as tables: ",
        E("a", "nodes", href=ClusterPath(cluster, "nodes")), ", ",
        E("a", "instances", href=ClusterPath(cluster, "instances")), ". ",
        E("a", "The drawing alone", href=ClusterPath(cluster, "map.svg"))),
      E("div", drawing, class_="wide", tabindex=0, role="region",
        aria_label="Drawing")]
  return _Page("Map of %s" % cluster, state, "map", _Summary(state),
               [_Problem(state), content])


def Drawing(config: clusterstate.ClusterConfig, cluster: str, with_style: bool
            ) -> markup.Markup:
  """Draws a cluster, as SVG.

  """
  def _Rows(kind: str) -> list[list[Any]]:
    return [[row[field] for field in placement.FIELDS[kind]]
            for row in config.tables[kind]]
  return markup.Markup(svg.Draw(
    [placement.NodeSummary(*row) for row in _Rows(columns.NODE)],
    [placement.InstanceSummary(*row) for row in _Rows(columns.INSTANCE)],
    "%s, serial %d" % (cluster, config.serial), with_style))


def _FilterForm(kind: str, condition: str, order: str) -> markup.Markup:
  example = {
    columns.NODE: 'not offline and group == "default"',
    columns.INSTANCE: 'be/maxmem > 4096 and "x" in tags',
    }[kind]
  return E("form",
           E("label", "Filter, in Ganeti's language (as %s)" % example,
             for_="filter"),
           E("input", type="text", id="filter", name="filter", value=condition,
             maxlength=rowfilter.MAX_FILTER, autocapitalize="none",
             spellcheck="false", aria_describedby=_ERROR),
           E("input", type="hidden", name="sort", value=order), " ",
           E("input", type="submit", value="Show"), method="get")


def Table(state: _State, kind: str, condition: str, order: str,
          rows: markup.Content) -> str:
  """Makes the page with rows of a table.

  @param condition: a filter
  @param order: what to sort by, as in C{rowfilter.Select}
  @param rows: from L{Rows} or L{Error}

  """
  return _Page("%s of %s" % (_TITLES[kind], state.cluster), state,
               _TITLES[kind].lower(), _Summary(state),
               [_Problem(state),
                rows if state.config is not None else None],
               _FilterForm(kind, condition, order))


def Error(text: str) -> markup.Markup:
  """Makes the paragraph that says why there are no rows.

  """
  return E("p", text, class_="problem", id=_ERROR, role="alert")


def Rows(config: clusterstate.ClusterConfig, kind: str, cluster: str,
         condition: str, order: str) -> markup.Markup:
  """Makes the rows, and the paragraph above them, for L{Table}.

  @raise rowfilter.BadRequest: filter or order are wrong

  """
  selected = rowfilter.Select(config, kind, condition, order)
  page = _TITLES[kind].lower()
  shown = selected.rows[:MAX_ROWS]
  text = "%d of %d" % (len(selected.rows), selected.total)
  if len(shown) < len(selected.rows):
    text += ", of which the first %d are shown; a filter shows others" % (
      len(shown))
  cells = COLUMNS[kind]
  # By default rows are sorted by name
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
    _TableElement(_TITLES[kind], headers,
                  [[column.format(row[column.field]) for column in cells]
                   for row in shown]))

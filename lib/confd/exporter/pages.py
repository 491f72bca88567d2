#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The pages for people, as HTML.

Pages work without scripts; C{update.js} updates them in place. No information
is given by colour alone.

Rule: functions here do no I/O. Names may hold anything; C{markup} escapes them.

"""

from __future__ import annotations

import json

from typing import Any, Callable, Optional, Sequence

from ganeti.confd import humanize
from ganeti.confd.clientlib import clusterstatus
from ganeti.confd.exporter import clusterstate
from ganeti.confd.exporter import derivedfields
from ganeti.confd.exporter import findingspage
from ganeti.confd.exporter import layout
from ganeti.confd.exporter import markup
from ganeti.confd.exporter import paging
from ganeti.confd.exporter import rowfilter
from ganeti.confd.schema import columns
from ganeti.confd.views import objects


E = markup.E

#: The HTML id of the text that says why there are no rows
_ERROR = "wrong"


#: Maximum number of objects in one cell; maximum length of a text in one cell
#: (characters)
_LISTED = 10
_LONGEST = 1000

#: Maximum number of tags that are shown: in one cell of a table, and on the
#: page of an object
_FEW_TAGS = 5
ALL_TAGS = 200


def _Names(cluster: str, kind: str, value: Any) -> markup.Content:
  """Makes links to objects, the first few of many.

  """
  if not isinstance(value, list):
    return layout.Link(cluster, kind, value)
  return _AndMore(lambda names: layout.Links(cluster, kind, names), value,
                  _LISTED)


def _AndMore(make: Callable[[list[Any]], list[markup.Content]],
             values: list[Any], most: int) -> list[markup.Content]:
  """Shows the first few of many values, and the number of the others.

  @param make: makes the content of some values; without any, it is empty, so
    that a list of properties leaves the property out
  @return: empty if there is no content

  """
  more = len(values) - most
  return make(values[:most]) + (
    [" and %d more" % more] if more > 0 else [])


def Tags(value: Any, most: int = _FEW_TAGS) -> markup.Content:
  """Makes links for tags, the first few of many.

  """
  return _AndMore(layout.TagLinks,
                  value if isinstance(value, list) else [value], most)


def _Parameter(value: Any) -> str:
  return layout.Shorten(value if isinstance(value, str)
                        else json.dumps(value, sort_keys=True), _LONGEST)


def _Text(value: Any) -> Optional[str]:
  text = layout.FormatValue(value)
  return None if text is None else layout.Shorten(text, _LONGEST)


#: The functions that format values, by the form of their column
_FORMATS: dict[str, Callable[[Any], markup.Content]] = {
  objects.TEXT: _Text,
  objects.NUMBER: layout.FormatValue,
  objects.SIZE: humanize.FormatMebibytes,
  objects.TIME: layout.FormatTime,
  objects.YES_NO: layout.FormatValue,
  objects.FLAG: layout.FormatValue,
  objects.ROLE: layout.FormatValue,
  objects.TAGS: Tags,
  objects.SEVERITY: findingspage.Severity,
  objects.PARAMETER: _Parameter,
  }


def Cell(column: objects.Column, cluster: str, value: Any) -> markup.Content:
  """Formats a value for a column.

  """
  if column.form in objects.KINDS:
    return _Names(cluster, column.form, value)
  return _FORMATS[column.form](column.Word(value))


def _Total(config: clusterstate.ClusterConfig, kind: str) -> Optional[int]:
  """Returns the number of objects; None if the key does not permit to ask.

  """
  return config.tables[kind].count if config.Knows(kind) else None


def Clusters(clusters: Sequence[layout.State]) -> str:
  """Makes the page that lists all clusters.

  """
  rows = []
  for state in clusters:
    config = state.config
    name = state.cluster
    numbers: list[markup.Content] = ["-"] * 4
    if config is not None:
      numbers = [_Total(config, columns.NODE), _Total(config, columns.INSTANCE),
                 None if config.lacking else len(config.findings),
                 config.serial]
    rows.append([E("a", name, href=layout.ClusterPath(name)),
                 layout.Badge(state), *numbers,
                 state.problem or
                 next((i.text for i in layout.Problems(state)),
                      layout.CandidateProblems(state))])
  return layout.Page(
    "Clusters", None, "", "; ".join(layout.Summary(i, False) for i in clusters),
    layout.TableElement("Clusters", layout.Headers(
      "Cluster", "State", "Nodes", "Instances", "Findings", "Serial", "Problem",
      numbers=["Nodes", "Instances", "Findings", "Serial"]), rows))


def _Groups(cluster: str, groups: Sequence[clusterstate.GroupSummary]
            ) -> markup.Markup:
  """Shows the groups with their sums.

  """
  return layout.TableElement(
    "Groups", layout.Headers(
      "Group", "Nodes", "Instances", "Memory", "vCPUs", "Disks",
      numbers=["Nodes", "Instances", "Memory", "vCPUs", "Disks"]),
    [[layout.Link(cluster, columns.GROUP, i.name), layout.FormatValue(i.nodes),
      i.instances, humanize.FormatMebibytes(i.memory), i.vcpus,
      humanize.FormatMebibytes(i.disk)] for i in groups[:paging.MAX_ROWS]])


def _Daemon(candidate: clusterstatus.CandidateStatus) -> Optional[str]:
  """Names the daemon of a candidate.

  """
  if candidate.daemon is not None:
    return "ganeti-confd %s" % candidate.daemon
  return "Ganeti's" if candidate.packaged else None


def _CandidatesTable(state: layout.State) -> markup.Content:
  if state.candidates is None:
    return E("p", "The candidates have not been asked yet.")
  cluster = state.cluster
  hints = state.candidates.status.hints
  return [layout.TableElement(
    "Master candidates",
    layout.Headers("Address", "Node", "Role", "Daemon", "Answers", "Round trip",
                   "Serial", "Behind", "Problem",
                   numbers=["Round trip", "Serial", "Behind"]),
    [[i.address, layout.Link(cluster, columns.NODE, i.name), i.role, _Daemon(i),
      "yes" if i.answers else "no",
      None if i.round_trip is None else "%.1f ms" % (1000 * i.round_trip),
      i.serial, i.behind, i.problem]
     for i in layout.Candidates(state)]),
          [E("div", line) for line in hints]]


def Overview(state: layout.State, history: markup.Content = None) -> str:
  """Makes the page about the state of a cluster.

  @param history: from C{historypage.Section}

  """
  config = state.config
  cluster = state.cluster
  words = [layout.CandidateProblems(state)]
  if config is not None:
    words.insert(0, findingspage.Count(config))
  content: list[markup.Content] = [
    E("p", layout.Badge(state), E("span", "; ".join(filter(None, words))),
      class_="now"),
    layout.ShowProblems(state)]
  findings: markup.Content = None
  groups: markup.Content = None
  if config is not None:
    content.append(layout.Definitions(
      ("Name", config.name),
      ("Master", layout.Links(cluster, columns.NODE, list(config.masters))),
      ("Master IP", layout.FormatValue(config.cluster.get("master_ip"))),
      ("Nodes", _Total(config, columns.NODE)),
      ("Instances", _Total(config, columns.INSTANCE)),
      ("Last change", layout.FormatTime(config.mtime)),
      ("Serial", config.serial),
      ("Tags", Tags(config.cluster.get("tags"), ALL_TAGS))))
    findings = E("section", E("h2", "Findings"),
                 findingspage.Causes(cluster, config))
    if not config.Unknown(columns.GROUP, columns.INSTANCE):
      groups = [E("h2", "Groups"), _Groups(cluster, config.groups)]
  content.append(E(
    "div", findings, E("section", E("h2", "Master candidates"),
                       _CandidatesTable(state), groups), class_="columns"))
  content.append(history)
  return layout.Page("Cluster %s" % cluster, state, "", layout.Summary(state),
                     content)


def NotFound(state: Optional[layout.State], text: str, word: str = "",
             section: markup.Content = None) -> str:
  """Makes the error page for a path that does not exist.

  @param state: the state of the cluster in the path; None if there is no such
    cluster
  @param word: the name in the path, to search for; empty for none
  @param section: the section with the history of this name; None for none

  """
  content: list[markup.Content] = [E("p", text, class_="problem")]
  if state is not None:
    content.append(E("p", E("a", "Cluster %s" % state.cluster,
                            href=layout.ClusterPath(state.cluster))))
  if word and layout.IsWord(word):
    content.append(E("p", E("a", "Search all clusters for %s" % word,
                            href=layout.SearchPath(word))))
  content += [E("p", E("a", "All clusters", href="/")), section]
  return layout.Page("Not found", state, "nowhere",
                     "" if state is None else layout.Summary(state), content)


def _TableName(kind: str) -> str:
  """Returns the name of a kind's table in paths.

  """
  return kind + "s"


def _Title(kind: str) -> str:
  return _TableName(kind).capitalize()


#: For each kind, an example of a filter that users can apply unchanged
EXAMPLES = {
  columns.NODE: 'not offline and group == "default"',
  columns.INSTANCE: 'be/maxmem > 4096 and "web" in tags',
  columns.GROUP: 'node_cnt > 10',
  columns.NETWORK: 'free_count < 10',
  }


def _FieldList(kind: str) -> markup.Markup:
  """Lists the fields that a filter may name.

  """
  names = derivedfields.Names(kind)
  more = None
  if any(name.endswith("/0") for name in names):
    more = E("p", "Fields with /0 at the end also exist with /1 and so on.")
  return E("details", E("summary", "Fields"), E("dl", [
    (E("dt", E("code", name)), E("dd", columns.Describe(kind, name).text))
    for name in names]), more)


def _FilterForm(cluster: str, kind: str, condition: str, order: str
                ) -> markup.Markup:
  example = EXAMPLES[kind]
  return E("details", E("summary", "Filter"),
           E("form",
             E("label", "Filter, in Ganeti's language", for_="filter"),
             E("input", type="text", id="filter", name="filter",
               value=condition, maxlength=rowfilter.MAX_FILTER,
               autocapitalize="none", spellcheck="false",
               aria_describedby=_ERROR),
             E("input", type="hidden", name="sort", value=order), " ",
             E("input", type="submit", value="Show"), method="get"),
           E("p", "For example: ", E("a", E("code", example),
                                     href=layout.ClusterPath(
                                       cluster, _TableName(kind),
                                       filter=example)),
             ". For names, addresses and tags, the search is simpler."),
           _FieldList(kind), open=bool(condition))


def Table(state: layout.State, kind: str, condition: str, order: str,
          rows: markup.Content) -> str:
  """Makes the page with rows of a table.

  @param condition: a filter
  @param order: the field to sort by, as in C{rowfilter.Select}
  @param rows: from L{Rows} or L{Error}

  """
  return layout.Page("%s of %s" % (_Title(kind), state.cluster), state,
               _TableName(kind), layout.Summary(state),
               [layout.ShowProblems(state),
                rows if state.config is not None else None],
               _FilterForm(state.cluster, kind, condition, order))


def Error(text: str) -> markup.Markup:
  """Makes the paragraph that says why there are no rows.

  """
  return E("p", text, class_="problem", id=_ERROR, role="alert")


def Rows(config: clusterstate.ClusterConfig, kind: str, cluster: str,
         condition: str, order: str, number: str = "") -> markup.Markup:
  """Makes a page of rows, and the paragraphs around them, for L{Table}.

  @param number: the number of the page, from 1; empty for the first
  @raise rowfilter.BadRequest: filter, order or number are wrong, or the key
    does not permit to ask for the table

  """
  rowfilter.Require(config, kind)
  cells = objects.COLUMNS[kind]
  selected = rowfilter.Select(config, kind, condition, order,
                              [column.field for column in cells])
  table = _TableName(kind)
  part = paging.Find(len(selected.rows), number)
  # By default rows are sorted by name
  orders = {order or "name": "ascending"}
  if order.startswith("-"):
    orders = {order[1:]: "descending"}
  headers = [
    layout.Header(column.title, column.is_number, layout.ClusterPath(
      cluster, table, filter=condition,
      sort="-" + column.field if orders.get(column.field) == "ascending"
      else column.field), orders.get(column.field))
    for column in cells]
  turn = paging.Turn(part, lambda other: layout.ClusterPath(
    cluster, table, filter=condition, sort=order, page=other))
  return markup.Join(
    E("p", "%d of %d. " % (len(selected.rows), selected.total),
      E("a", "As JSON", href=layout.ClusterPath(
        cluster, table + ".json", filter=condition, sort=order))),
    turn,
    layout.TableElement(
      _Title(kind), headers,
      [[Cell(column, cluster, row[column.field]) for column in cells]
       for row in selected.rows[part.rows]]), turn)

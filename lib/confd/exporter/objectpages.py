#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The pages about one node, instance, group or network.

Rule: each name of an object that has a page is a link to the page.

"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Sequence

from ganeti.confd.exporter import clusterstate
from ganeti.confd.exporter import findingspage
from ganeti.confd.exporter import layout
from ganeti.confd.exporter import markup
from ganeti.confd.exporter import pages
from ganeti.confd.exporter import rowstore
from ganeti.confd.schema import columns
from ganeti.confd.views import evacuation
from ganeti.confd.views import objects
from ganeti.confd.views import shellwords


E = markup.E

#: Maximum number of other objects of the same name that an object's page lists
_LISTED = 10

#: Maximum number of rows of a table. A node's page has three tables of
#: instances; with this limit the three tables take less than 200 kB.
_ROWS = 100


class _AllRows(NamedTuple):
  """The page with all rows of a section.

  """
  #: The page's name in paths
  table: str
  #: The filter of the page's rows, with "%s" for the name of the object that
  #: has the section
  condition: str


#: Sections that may have more than L{_ROWS} rows: maps the kind of the object
#: and the section's name to the page with all rows
_ALL_ROWS = {
  (columns.NODE, "primary_instances"): _AllRows("instances", "pnode == %s"),
  (columns.NODE, "secondary_instances"): _AllRows("instances", "%s in snodes"),
  (columns.GROUP, "nodes"): _AllRows("nodes", "group == %s"),
  (columns.NETWORK, "nics"): _AllRows("instances", "%s in nic.networks.names"),
  }


def Title(kind: str, name: str) -> str:
  return "%s %s" % (kind.capitalize(), name)


def Object(state: layout.State, kind: str, name: str,
           content: markup.Content) -> str:
  """Makes the page about an object.

  @param content: from L{Content}, and perhaps from C{historypage.Section}

  """
  return layout.Page(Title(kind, name), state, kind, layout.Summary(state),
                     [layout.ShowProblems(state), content])


def _Filter(template: str, name: Any) -> str:
  """Makes a filter that compares with a name.

  @param template: the filter, with "%s" for the name in quotes
  @return: empty if no filter can have the name: within quotes, a filter has no
    escape for every character

  """
  if isinstance(name, str) and not set(name) & set("\\\r\n"):
    for quote in ('"', "'"):
      if quote not in name:
        return template % (quote + name + quote)
  return ""


def _Properties(cluster: str, found: objects.Description) -> markup.Markup:
  """Shows the properties of an object.

  """
  def _Value(column: objects.Column, value: Any) -> markup.Content:
    if column.form == objects.TAGS:
      return pages.Tags(value, pages.ALL_TAGS)
    cell = pages.Cell(column, cluster, value)
    condition = ""
    if (found.kind, column.field) == (columns.GROUP, "pinst_cnt"):
      condition = _Filter("pnode.group == %s", found.name)
    return E("a", cell, href=layout.ClusterPath(
      cluster, "instances", filter=condition)) if condition else cell

  return layout.Definitions(*((column.title, _Value(column, value))
                              for (column, value) in found.properties))


def _Command(*words: str, name: Any) -> markup.Content:
  """Says which command prints all rows of a section.

  @param words: the command, without the name of the object

  """
  line = shellwords.Line(words, [str(name)])
  return None if line is None else [E("code", line), " prints all."]


def _Rest(cluster: str, found: objects.Description, section: objects.Section
          ) -> markup.Content:
  """Says where all rows of a section are.

  """
  if section.name == objects.FINDINGS:
    return E("a", "All findings of the cluster", href=layout.ClusterPath(
      cluster, findingspage.NAME))
  target = _ALL_ROWS.get((found.kind, section.name))
  condition = "" if target is None else _Filter(target.condition, found.name)
  if target is None or not condition:
    return _Command("confd-client", "describe", found.kind, name=found.name)
  return E("a", "All", href=layout.ClusterPath(cluster, target.table,
                                               filter=condition))


def _Table(title: str, headers: Sequence[layout.Header],
           rows: Sequence[Sequence[markup.Content]], text: str = "",
           count: Optional[int] = None, rest: markup.Content = None
           ) -> markup.Content:
  """Makes a table with a heading, and a sentence before the table.

  @param rows: the first rows, L{_ROWS} at most
  @param count: the number of all rows, to be shown; None not to show it
  @param rest: where all rows are

  """
  content: list[markup.Content] = [
    E("h2", title if count is None else "%s (%d)" % (title, count))]
  if text:
    content.append(E("p", text))
  if count is not None and count > len(rows):
    content.append(E("p", "The first %d of %d. " % (len(rows), count), rest))
  if rows:
    content.append(layout.TableElement(title, headers, rows))
  elif not text:
    content.append(E("p", "None."))
  return content


def _Section(cluster: str, found: objects.Description,
             section: objects.Section) -> markup.Content:
  """Shows a section of an object's description.

  """
  count = len(section.rows)
  return _Table(
    section.title, [layout.Header(column.title, column.is_number)
                    for column in section.columns],
    [[pages.Cell(column, cluster, value)
      for (column, value) in zip(section.columns, row)]
     for row in section.rows[:_ROWS]], section.text,
    count if section.is_counted or count > _ROWS else None,
    _Rest(cluster, found, section))


def _Evacuation(config: clusterstate.ClusterConfig, cluster: str, name: Any
                ) -> markup.Content:
  """Shows how all instances and mirrors leave a node.

  """
  tables = {kind: config.tables[kind].Rows(fields)
            for (kind, fields) in evacuation.FIELDS.items()}
  plan = evacuation.Make(name, tables, config.cluster.get("tags"))
  steps = [] if plan is None else plan.steps
  text = "No instance is on this node."
  if steps:
    text = ("Commands that move every instance and mirror to another node, as"
            " \"confd-client evacuate\" prints them.")
  return _Table(
    "Evacuation", layout.Headers("Instance", "Target", "Command", "Problem"),
    [[layout.Link(cluster, columns.INSTANCE, step.instance),
      layout.Link(cluster, columns.NODE, step.target),
      E("code", command) if command else None, step.problem]
     for (step, command) in ((i, evacuation.Command(i))
                             for i in steps[:_ROWS])], text,
    len(steps) if len(steps) > _ROWS else None,
    _Command("confd-client", "evacuate", name=name))


def _SameName(config: clusterstate.ClusterConfig, cluster: str, kind: str,
              row: rowstore.Row) -> markup.Content:
  """Shows links to other objects of the same name.

  A broken configuration may have two objects of one name.

  """
  others = [uuid for (name, uuid) in config.tables[kind].Values(
    ["name", "uuid"]) if name == row["name"] and uuid != row["uuid"]]
  if not others:
    return None
  return E("p", "There are others of this name: ",
           layout.Links(cluster, kind, others[:_LISTED]), class_="problem")


def Content(config: clusterstate.ClusterConfig, cluster: str, kind: str,
            index: int) -> markup.Markup:
  """Makes the content of the page about an object.

  @param index: the index of the object's row in its table

  """
  row = config.tables[kind].Row(index)
  found = objects.Describe(objects.Config(
    lambda kind, fields: config.tables[kind].Rows(fields),
    config.cluster if config.knows_cluster else None,
    config.findings), kind, row)
  content: list[markup.Content] = []
  if config.Unknown(*columns.KINDS):
    # Do not make the sections: the tables that the key does not permit are
    # empty, so a section might say that there are no objects
    content.append(E("p", "What belongs to the %s is not known: the key lacks"
                     " rights, see above." % kind))
  else:
    content += [_Section(cluster, found, section) for section in found.sections]
    if kind == columns.NODE:
      content.append(_Evacuation(config, cluster, row["name"])
                     if config.knows_cluster else E(
                       "p", "Where the instances can go is not known: the key"
                       " lacks the right to ask for the cluster's tags, see"
                       " above."))
  return markup.Join(_SameName(config, cluster, kind, row),
                     E("div", _Properties(cluster, found), E("div", content),
                       class_="object"))

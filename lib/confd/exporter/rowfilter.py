#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Selects rows of a table by a filter, and sorts them.

Filters are Ganeti's (ganeti(7), "Query filters"). The server applies filters to
the rows that it has, and asks no daemon.

"""

from __future__ import annotations

from typing import Any, Iterator, NamedTuple, Sequence

from ganeti.confd.clientlib import filters
from ganeti.confd.exporter import clusterstate
from ganeti.confd.exporter import derivedfields
from ganeti.confd.exporter import forked
from ganeti.confd.exporter import rowstore
from ganeti.confd.schema import columns
from ganeti.confd.schema import naturalorder


#: Maximum length of a filter (characters)
MAX_FILTER = 1000


BadRequest = forked.BadRequest


class Selection(NamedTuple):
  """Some rows of a table.

  """
  rows: list[rowstore.Row]
  #: The number of all rows in the table
  total: int


def Select(config: clusterstate.ClusterConfig, kind: str, condition: str,
           order: str, fields: Sequence[str]) -> Selection:
  """Selects rows.

  @param kind: one of C{columns.KINDS}
  @param condition: a filter; empty for all rows
  @param order: the field to sort by, with a "-" before it for descending order;
    empty to sort by name
  @param fields: the fields of the result
  @raise BadRequest: filter or order are wrong

  """
  table = config.tables[kind]
  parsed = None
  if condition.strip():
    parsed = _Parse(kind, condition)
  (key, is_reverse) = (order.lstrip("-"), order.startswith("-"))
  if key:
    _CheckField(kind, key)
  needed = list(dict.fromkeys([*fields, *([key] if key else []),
                               *(parsed.fields if parsed else [])]))
  values = list(_Values(table, kind, needed))
  if parsed is not None:
    try:
      values = parsed.Select(needed, values)
    except filters.FilterError as err:
      raise BadRequest(str(err)) from err
  if key:
    column = needed.index(key)
    values.sort(key=lambda row: naturalorder.AnyKey(row[column]),
                reverse=is_reverse)
  return Selection([dict(zip(fields, row)) for row in values], table.count)


def _Values(table: rowstore.Table, kind: str, names: Sequence[str]
            ) -> Iterator[list[Any]]:
  """Yields the values of some fields of each row, stored or derived.

  """
  derived = derivedfields.TABLES[kind]
  if derived.keys().isdisjoint(names):
    yield from table.Values(names)
    return
  sources = list(dict.fromkeys(
    source for name in names
    for source in (derived[name].sources if name in derived else [name])))
  getters = [derived.get(name) for name in names]
  for values in table.Values(sources):
    row = dict(zip(sources, values))
    yield [row[name] if getter is None else
           getter.get(*[row[source] for source in getter.sources])
           for (name, getter) in zip(names, getters)]


def Require(config: clusterstate.ClusterConfig, *kinds: str) -> None:
  """Refuses to show tables that the key does not permit to ask for.

  These tables are empty: pages would say that there are no such objects.

  @param kinds: some of C{columns.KINDS}
  @raise BadRequest: the key does not permit to ask for one of the tables

  """
  lacking = config.Unknown(*kinds)
  if lacking:
    raise BadRequest("Not known: the key does not permit to list %s" %
                     " and ".join(lacking))


def _Parse(kind: str, condition: str) -> filters.Filter:
  if len(condition) > MAX_FILTER:
    raise BadRequest("The filter has more than %d characters" % MAX_FILTER)
  try:
    parsed = filters.Parse(condition, columns.HOSTNAMES[kind])
  except filters.FilterError as err:
    raise BadRequest(str(err)) from err
  for field in parsed.fields:
    _CheckField(kind, field)
  return parsed


def Prepare() -> None:
  """Makes the parsers, which takes a while, before any process is forked.

  """
  for kind in columns.HOSTNAMES:
    _Parse(kind, "%s == \"\"" % filters.NAME)


def _CheckField(kind: str, name: str) -> None:
  """Refuses a field that is neither stored nor derived.

  @raise BadRequest: there is no such field

  """
  if name not in (*clusterstate.Fields(kind), *derivedfields.TABLES[kind]):
    raise BadRequest("There is no field \"%s\" here; there are %s" % (
      name, ", ".join(derivedfields.Names(kind))))

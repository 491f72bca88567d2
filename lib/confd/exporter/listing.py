#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Choosing rows of a table by a filter, and their order.

Filters are Ganeti's (ganeti(7), "Query filters"), and are applied here: nobody
is asked for what is known already.

"""

from __future__ import annotations

from typing import List, NamedTuple, Sequence

from ganeti.confd.clientlib import filters
from ganeti.confd.exporter import aside
from ganeti.confd.exporter import facts as factslib
from ganeti.confd.schema import columns
from ganeti.confd.schema import naturalorder


#: Longest filter (characters)
MAX_FILTER = 1000


BadRequest = aside.BadRequest


class Chosen(NamedTuple):
  """Some rows of a table.

  """
  rows: List[factslib.Row]
  #: How many rows the table has
  total: int


def Choose(facts: factslib.Facts, kind: str, condition: str, order: str
           ) -> Chosen:
  """Chooses rows.

  @param kind: one of C{columns.KINDS}
  @param condition: a filter; empty for all rows
  @param order: the field to sort by, after a "-" the other way round; empty for
    the order of names
  @raise BadRequest: one of them is wrong

  """
  rows = facts.tables[kind]
  fields = factslib.Fields(kind)
  chosen = list(rows)
  if condition.strip():
    parsed = _Parse(kind, condition, fields)
    values = [[row[field] for field in fields] + [i]
              for (i, row) in enumerate(rows)]
    try:
      chosen = [rows[found[-1]]
                for found in parsed.Select(fields, values)]
    except filters.FilterError as err:
      raise BadRequest(str(err)) from err
  if order:
    (field, is_reverse) = (order.lstrip("-"), order.startswith("-"))
    if field not in fields:
      raise BadRequest(_UnknownField(field, fields))
    chosen.sort(key=lambda row: naturalorder.AnyKey(row[field]),
                reverse=is_reverse)
  return Chosen(chosen, len(rows))


def _Parse(kind: str, condition: str, fields: Sequence[str]) -> filters.Filter:
  if len(condition) > MAX_FILTER:
    raise BadRequest("The filter has more than %d characters" % MAX_FILTER)
  try:
    parsed = filters.Parse(condition, columns.HOSTNAMES[kind])
  except filters.FilterError as err:
    raise BadRequest(str(err)) from err
  for field in parsed.fields:
    if field not in fields:
      raise BadRequest(_UnknownField(field, fields))
  return parsed


def Prepare() -> None:
  """Does what the first filter would take a while for.

  """
  for kind in columns.HOSTNAMES:
    _Parse(kind, "%s == \"\"" % filters.NAME, [filters.NAME])


def _UnknownField(field: str, fields: Sequence[str]) -> str:
  return "There is no field \"%s\" here; there are %s" % (
    field, ", ".join(sorted(fields)))

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tables: what is asked for them, and what is made of what comes.

The daemon knows kinds, fields and names (C{config.inventory}). Filters are
applied here, and each row is cut to the fields that were wanted.

"""

from __future__ import annotations

import functools
from typing import Any, Awaitable, Callable, Dict, List, Optional, Sequence, \
  Union

from ganeti.confd import protocol
from ganeti.confd.clientlib import arguments
from ganeti.confd.clientlib import dialogue
from ganeti.confd.clientlib import exchange
from ganeti.confd.clientlib import filters
from ganeti.confd.clientlib import records
from ganeti.confd.schema import columns


#: Kinds by other words for them
_PLURALS = {kind + "s": kind for kind in columns.KINDS}

#: The field by which objects are known, where it is not the name
_KEY_FIELDS = {
  columns.DISK: "uuid",
  }

#: Asks a question
_Ask = Callable[[int, Any], Awaitable[exchange.Reply[Any]]]

#: Calls what may take long
_Call = Callable[[Callable[[], List[List[Any]]]], Awaitable[List[List[Any]]]]


def Kind(what: Any) -> str:
  """Names a table as it goes over the wire.

  @param what: singular or plural
  @raise errors.ProgrammerError: it is no text

  """
  text = arguments.Text("what", what)
  return _PLURALS.get(text, text)


def Filter(condition: Any) -> Union[str, filters.Filter, None]:
  """Takes a filter.

  @raise errors.ProgrammerError: it is something else

  """
  if condition is None or isinstance(condition, (str, filters.Filter)):
    return condition
  raise arguments.Refuse("filter", "a text", condition)


def ParsedFilter(what: str, condition: Any) -> Optional[filters.Filter]:
  """Parses a filter, if it is not parsed yet.

  @param what: from L{Kind}
  @raise client.FilterError: it cannot be parsed
  @raise errors.ProgrammerError: it is something else

  """
  taken = Filter(condition)
  if isinstance(taken, str):
    return filters.Parse(taken, columns.HOSTNAMES.get(what, frozenset()))
  return taken


def KeyField(what: str) -> str:
  """Returns the field by which the objects of a table are known.

  """
  return _KEY_FIELDS.get(what, filters.NAME)


def Named(rows: Sequence[Sequence[Any]], fields: Sequence[str]
          ) -> List[Dict[str, Any]]:
  """Makes dictionaries of rows.

  """
  return [dict(zip(fields, row)) for row in rows]


async def Ask(ask: _Ask, call: _Call, what: str, fields: List[str],
              condition: Union[str, filters.Filter, None] = None,
              names: Optional[List[str]] = None
              ) -> exchange.Reply[List[List[Any]]]:
  """Asks for a table.

  @param what: from L{Kind}

  """
  condition = ParsedFilter(what, condition)
  if (condition is not None and names is None and
      # Several disks may have a name
      what != columns.DISK):
    names = condition.Names()
    if names is not None:
      condition = None
  # Nothing may stand twice in a query
  asked = list(dict.fromkeys(
    fields + (condition.fields if condition is not None else [])))
  asked_names = None if names is None else list(dict.fromkeys(names))
  replies = []
  for query in dialogue.Portions(protocol.REQ_QUERY,
                                 {"what": what, "fields": asked}, "names",
                                 asked_names):
    reply = await ask(protocol.REQ_QUERY, query)
    replies.append(reply.With(reply.answer["rows"]))
  joined = dialogue.Joined(replies)
  rows: List[List[Any]] = joined.answer
  if names is not None and asked_names is not None and asked_names != names:
    by_name = dict(zip(asked_names, rows))
    rows = [by_name[name] for name in names]
  if condition is not None:
    # It may take long, and asyncio has others to serve
    rows = await call(functools.partial(condition.Select, asked, rows))
  if asked != fields:
    indexes = [asked.index(field) for field in fields]
    rows = [[row[index] for index in indexes] for row in rows]
  return joined.With(rows)


async def Fields(ask: _Ask, what: str) -> exchange.Reply[List[records.Field]]:
  """Asks which fields a table has.

  """
  reply = await ask(protocol.REQ_QUERY, {"what": what})
  return reply.With(records.Table(reply.answer["fields"], records.Field))

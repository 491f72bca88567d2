#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Questions for tables: queries, filters, and rows.

The daemon selects by kind, fields and names (C{config.inventory}). Filters are
applied by the client, which then reduces each row to the fields of the call.

"""

from __future__ import annotations

import functools
from typing import Any, Awaitable, Callable, Optional, Sequence, Union

from ganeti.confd import protocol
from ganeti.confd.clientlib import arguments
from ganeti.confd.clientlib import filters
from ganeti.confd.clientlib import replies
from ganeti.confd.clientlib import results
from ganeti.confd.clientlib import session
from ganeti.confd.schema import columns


#: Maps the plural of each kind to the kind, such as "nodes" to "node"
_PLURALS = {kind + "s": kind for kind in columns.KINDS}

#: Maps kinds of objects whose names are not unique to the field that identifies
#: an object
_KEY_FIELDS = {
  columns.DISK: "uuid",
  }

_AskFunction = Callable[[int, Any], Awaitable[replies.Reply[Any]]]

#: A function that calls its argument, which may take long, and returns the
#: result; the asyncio client calls the argument in a thread
_CallFunction = Callable[[Callable[[], list[list[Any]]]],
                         Awaitable[list[list[Any]]]]


def Kind(what: Any) -> str:
  """Returns the name of a kind of tables on the wire.

  @param what: singular or plural
  @raise errors.ProgrammerError: the argument is no text

  """
  text = arguments.Text("what", what)
  return _PLURALS.get(text, text)


def Filter(condition: Any) -> Union[str, filters.Filter, None]:
  """Checks the type of a filter.

  @raise errors.ProgrammerError: the argument is neither a text nor a filter

  """
  if condition is None or isinstance(condition, (str, filters.Filter)):
    return condition
  raise arguments.Refuse("filter", "a text", condition)


def ParsedFilter(what: str, condition: Any) -> Optional[filters.Filter]:
  """Parses a filter, if it is not parsed yet.

  @param what: from L{Kind}
  @raise client.FilterError: the text cannot be parsed
  @raise errors.ProgrammerError: the argument is neither a text nor a filter

  """
  checked = Filter(condition)
  if isinstance(checked, str):
    return filters.Parse(checked, columns.HOSTNAMES.get(what, frozenset()))
  return checked


def KeyField(what: str) -> str:
  """Returns the field that identifies the objects of a table.

  """
  return _KEY_FIELDS.get(what, filters.NAME)


def Named(rows: Sequence[Sequence[Any]], fields: Sequence[str]
          ) -> list[dict[str, Any]]:
  """Converts rows to dictionaries.

  """
  return [dict(zip(fields, row)) for row in rows]


async def Query(ask: _AskFunction, call: _CallFunction, what: str,
                fields: list[str],
                condition: Union[str, filters.Filter, None] = None,
                names: Optional[list[str]] = None
                ) -> replies.Reply[list[list[Any]]]:
  """Asks for a table.

  @param what: from L{Kind}

  """
  condition = ParsedFilter(what, condition)
  if (condition is not None and names is None and
      # Do not look disks up by name: their names are not unique
      what != columns.DISK):
    names = condition.Names()
    if names is not None:
      condition = None
  # Ask for each field and name once: the daemon refuses duplicates
  asked = list(dict.fromkeys(
    fields + (condition.fields if condition is not None else [])))
  asked_names = None if names is None else list(dict.fromkeys(names))
  answered = []
  for query in session.SplitQuery(protocol.REQ_QUERY,
                                 {"what": what, "fields": asked}, "names",
                                 asked_names):
    reply = await ask(protocol.REQ_QUERY, query)
    answered.append(reply.With(reply.answer["rows"]))
  joined = session.JoinReplies(answered)
  rows: list[list[Any]] = joined.answer
  if names is not None and asked_names is not None and asked_names != names:
    by_name = dict(zip(asked_names, rows))
    rows = [by_name[name] for name in names]
  if condition is not None:
    # C{call} runs the filter in a thread if the client is an asyncio client: a
    # filter that takes long would block the event loop
    rows = await call(functools.partial(condition.Select, asked, rows))
  if asked != fields:
    indexes = [asked.index(field) for field in fields]
    rows = [[row[index] for index in indexes] for row in rows]
  return joined.With(rows)


async def Fields(ask: _AskFunction, what: str
                 ) -> replies.Reply[list[results.Field]]:
  """Asks which fields a table has.

  """
  reply = await ask(protocol.REQ_QUERY, {"what": what})
  return reply.With(results.FromRows(reply.answer["fields"], results.Field))

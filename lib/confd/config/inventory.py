#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tables of instances, nodes, groups, networks and disks: request QUERY.

A query is C{{"what": W, "fields": [NAME, ...], "names": [NAME, ...]}}, where W
is one of L{columns.KINDS}. The answer is C{{"fields": [NAME, ...], "rows":
[[VALUE, ...], ...]}}. The table has one row per name, in the order of the
query; without C{names}, one row for each object, sorted by name. A value that
an object does not have is null.

For a query without C{fields}, the answer is C{{"fields": [[NAME, TITLE, TYPE,
TEXT], ...]}}, the list of all fields.

A query with an unknown word is answered with status 1 and C{{"error": E,
"unknown": "what", "field" or "name", "value": WORD}}, where E is
C{constants.CONFD_ERROR_UNKNOWN_ENTRY} for the name of an object and
C{constants.CONFD_ERROR_ARGUMENT} for any other word. A field or name that
occurs twice is answered in the same way, with C{"duplicate"} instead of
C{"unknown"} and C{constants.CONFD_ERROR_ARGUMENT}. The answer to any other
malformed query is C{constants.CONFD_ERROR_ARGUMENT} alone, as with all request
types.

Rule: an error in one cell makes that cell null, and changes no other cell.

"""

from __future__ import annotations

import logging

from ganeti import confd
from ganeti import constants
from ganeti.confd import protocol
from ganeti.confd.config import fields as fieldslib
from ganeti.confd.config import lenient
from ganeti.confd.config import snapshot as snapshotlib
from ganeti.confd.protocol import wire
from ganeti.confd.schema import columns
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Any, Iterator, Optional, Union


#: If a query asks for more cells than this (names times fields), the answer
#: takes long to make, see L{TakesLong}
_MANY_CELLS = 1000

#: Maximum number of cells in a table; a query for more gets an error. All
#: fields of 100,000 instances have less than half as many cells.
_MAX_CELLS = 1 << 26


#: Number of rows that are encoded in one call: each call makes an encoder,
#: which takes as long as encoding a short row
_ROWS = 32


#: Names of the fields for which a programming error has been logged, so that
#: each field's error is logged once
_failed: set[str] = set()


def _WordError(code: int, how: str, what: str,
               word: str) -> tuple[int, dict[str, Any]]:
  """Makes the error about one word of a query.

  @param code: C{constants.CONFD_ERROR_*}
  @param how: "unknown" or "duplicate"
  @param what: "what", "field" or "name"

  """
  return (constants.CONFD_REPL_STATUS_ERROR,
          {"error": code, how: what, "value": word})


def _IsTexts(value: Any) -> bool:
  return isinstance(value, list) and all(isinstance(i, str) for i in value)


def _FindDuplicate(fields: list[str], names: Optional[list[str]]
                   ) -> Optional[tuple[int, dict[str, Any]]]:
  """Returns the error about the first word that occurs twice, or None.

  """
  for (what, words) in [("field", fields), ("name", names or [])]:
    seen = set()
    for word in words:
      if word in seen:
        return _WordError(constants.CONFD_ERROR_ARGUMENT, "duplicate", what,
                          word)
      seen.add(word)
  return None


class Table(NamedTuple):
  """A table for a valid query; its cells are made by L{Rows} or L{Texts}.

  """
  snapshot: snapshotlib.Snapshot
  fields: list[str]
  getters: list[fieldslib.Getter]
  #: The objects of the snapshot that have a row in the table
  items: list[Any]

  def Rows(self) -> Iterator[list[Any]]:
    """Yields the rows, each one a list of JSON values.

    """
    (snapshot, gets) = (self.snapshot, [i.get for i in self.getters])
    for item in self.items:
      try:
        row = [get(snapshot, item) for get in gets]
      except Exception: # pylint: disable=W0718
        row = self._RowByCell(item)
      yield row

  def _RowByCell(self, item: Any) -> list[Any]:
    """Makes a row with null for each cell that cannot be made or encoded.

    """
    return [self._Cell(field, getter, item)
            for (field, getter) in zip(self.fields, self.getters)]

  def _Cell(self, field: str, getter: fieldslib.Getter, item: Any) -> Any:
    try:
      value = getter.get(self.snapshot, item)
      wire.EncodeJson(value)
    except MemoryError:
      # A lack of memory is no programming error in the getter of this field:
      # let the caller handle it
      raise
    except Exception: # pylint: disable=W0718
      if field not in _failed:
        _failed.add(field)
        logging.exception("Cannot make the field %s of an object because of a"
                          " programming error, left out; %s", ascii(field),
                          confd.PLEASE_REPORT)
      return None
    return value

  def Texts(self) -> Iterator[str]:
    """Yields the JSON text of the answer in pieces, each of some rows.

    """
    yield "{\"fields\":%s,\"rows\":[" % wire.EncodeJson(self.fields)
    (snapshot, gets) = (self.snapshot, [i.get for i in self.getters])
    separator = ""
    for start in range(0, len(self.items), _ROWS):
      items = self.items[start:start + _ROWS]
      try:
        text = wire.EncodeJson([[get(snapshot, item) for get in gets]
                                for item in items])
      except Exception: # pylint: disable=W0718
        text = wire.EncodeJson([self._RowByCell(item) for item in items])
      yield separator + text[1:-1]
      separator = ","
    yield "]}"


def TakesLong(query: Any) -> bool:
  """Tells whether the answer to a query takes long to make.

  @param query: any JSON value

  """
  query = lenient.Dict(query)
  fields = query.get("fields")
  if fields is None:
    return False
  names = query.get("names")
  if names is None:
    return True
  fields = lenient.List(fields)
  if len(lenient.List(names)) * len(fields) > _MANY_CELLS:
    return True
  wide = fieldslib.WIDE.get(lenient.Text(query.get("what"), ""), frozenset())
  return any(isinstance(field, str) and field in wide for field in fields)


def Select(snapshot: snapshotlib.Snapshot,
           query: Any) -> Union[Table, tuple[int, Any]]:
  """Makes the table for a query.

  @param query: any JSON value
  @return: a table; or status and answer, for an error or a list of fields

  """
  if not isinstance(query, dict):
    return protocol.BAD_ARGUMENT
  (what, names, fields) = (query.get("what"), query.get("names"),
                           query.get("fields"))
  if not (isinstance(what, str) and (names is None or _IsTexts(names)) and
          (fields is None or _IsTexts(fields))):
    return protocol.BAD_ARGUMENT
  if what not in columns.KINDS:
    return _WordError(constants.CONFD_ERROR_ARGUMENT, "unknown", "what", what)
  if fields is None:
    return (constants.CONFD_REPL_STATUS_OK,
            {"fields": fieldslib.All(snapshot, what)})
  duplicate = _FindDuplicate(fields, names)
  if duplicate is not None:
    return duplicate

  getters = []
  for name in fields:
    getter = fieldslib.Find(snapshot, what, name)
    if getter is None:
      return _WordError(constants.CONFD_ERROR_ARGUMENT, "unknown", "field",
                        name)
    getters.append(getter)

  directory = fieldslib.Objects(snapshot, what)
  if names is None:
    items = directory.items
  else:
    items = []
    for name in names:
      item = directory.Find(name)
      if item is None or not item.in_table:
        return _WordError(constants.CONFD_ERROR_UNKNOWN_ENTRY, "unknown",
                          "name", name)
      items.append(item)
  if len(items) * len(getters) > _MAX_CELLS:
    return protocol.TOO_LARGE
  return Table(snapshot, fields, getters, items)


def Answer(snapshot: snapshotlib.Snapshot, query: Any) -> tuple[int, Any]:
  """Answers a query.

  @param query: any JSON value
  @return: status and answer, see the head of this module

  """
  table = Select(snapshot, query)
  if not isinstance(table, Table):
    return table
  return (constants.CONFD_REPL_STATUS_OK,
          {"fields": table.fields, "rows": list(table.Rows())})

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Keeps the rows of tables in little memory: compressed, by column.

The server keeps the rows for a long time and reads none of them; the processes
that the server forks read a few columns each, or one row. So the values of a
column are stored together, which compresses well. Columns are divided into
blocks, so that reading one row unpacks a small part of each column only.

"""

from __future__ import annotations

import json
import zlib

from typing import Any, Iterable, Iterator, Mapping, Sequence


#: The number of rows in a block
_BLOCK = 1024

Row = Mapping[str, Any]


class Table:
  """The rows of a table.

  Rows are not changed; a new configuration has new tables.

  @ivar count: the number of rows

  """
  __slots__ = ("count", "_columns")

  def __init__(self, rows: Sequence[Row], fields: Iterable[str]) -> None:
    """@param rows: rows with these fields; further fields are dropped

    """
    self.count = len(rows)
    self._columns: dict[str, list[bytes]] = {
      field: [_Pack([row[field] for row in rows[start:start + _BLOCK]])
              for start in range(0, len(rows), _BLOCK)]
      for field in fields}

  def Rows(self, fields: Sequence[str]) -> list[dict[str, Any]]:
    """Returns all rows, with some of the fields.

    @raise KeyError: there is no such field

    """
    return [dict(zip(fields, values)) for values in self.Values(fields)]

  def Values(self, fields: Sequence[str]) -> Iterator[list[Any]]:
    """Yields the values of some fields of each row.

    @raise KeyError: there is no such field

    """
    # If C{fields} is empty, yield nothing instead of an empty list for each row
    for blocks in zip(*[self._columns[field] for field in fields]):
      yield from map(list, zip(*map(_Unpack, blocks)))

  def Row(self, index: int) -> dict[str, Any]:
    """Returns one row, with all fields.

    """
    (block, offset) = divmod(index, _BLOCK)
    return {field: _Unpack(blocks[block])[offset]
            for (field, blocks) in self._columns.items()}


def _Pack(values: list[Any]) -> bytes:
  return zlib.compress(json.dumps(values).encode("ascii"))


def _Unpack(data: bytes) -> list[Any]:
  values: list[Any] = json.loads(zlib.decompress(data))
  return values

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Several tables, of one moment, for the commands that need more than one.

"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence, Tuple

from ganeti.confd import client as clientlib


#: How often to ask for tables that are to be of one serial
_TRIES = 3

#: Rows by table, each a mapping from the names of fields to values
Tables = Dict[str, List[Dict[str, Any]]]


def Ask(asker: clientlib.Client, fields: Mapping[str, Sequence[str]]
        ) -> Tuple[Tables, clientlib.Reply[Any]]:
  """Asks for tables.

  While the configuration changes, they may be of several moments, and seem to
  contradict each other: then they are asked for again, if not without end.

  @param fields: the fields that are needed, by table
  @return: the rows; the last reply, with the smallest serial of all

  """
  result: Tables = {}
  for _ in range(_TRIES):
    serials = set()
    for (kind, names) in fields.items():
      reply = asker.List(kind, names, named=True)
      serials.add(reply.serial)
      result[kind] = reply.answer
    if len(serials) == 1:
      break
  return (result, reply._replace(serial=min(serials)))

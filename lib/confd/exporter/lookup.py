#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Finds objects by name, UUID or short name, as Ganeti's commands do.

"""

from __future__ import annotations

from typing import Any, NamedTuple, Sequence

from ganeti.confd.exporter import clusterstate
from ganeti.confd.schema import columns


#: The kinds of objects that have pages
KINDS = (columns.NODE, columns.INSTANCE, columns.GROUP, columns.NETWORK)


class Found(NamedTuple):
  """An object.

  """
  kind: str
  #: The index of the object's row in its table, from 0
  row: int
  name: Any
  uuid: Any


def _IsShortName(word: str, kind: str, name: Any) -> bool:
  return (bool(columns.HOSTNAMES[kind]) and isinstance(name, str) and
          name.lower().startswith(word.lower() + "."))


def FindObjects(config: clusterstate.ClusterConfig, kinds: Sequence[str],
                word: str) -> list[Found]:
  """Finds the objects with a name or UUID.

  @param kinds: some of L{KINDS}
  @param word: the user's input
  @return: the objects with this name; if there are none, those with this UUID;
    if there are none either, those whose host name begins with this label

  """
  objects = [Found(kind, row, *values) for kind in kinds
             for (row, values) in enumerate(
               config.tables[kind].Values(["name", "uuid"]))]
  return ([found for found in objects if found.name == word] or
          [found for found in objects if found.uuid == word] or
          [found for found in objects
           if _IsShortName(word, found.kind, found.name)])

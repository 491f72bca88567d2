#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Fields that are computed from stored fields, for filters and for sorting.

The names are those of C{schema.columns}. A unit test compares the values with
those that the daemon computes (C{config.fields}).

"""

from __future__ import annotations

from typing import Any, Callable, Mapping, NamedTuple, Optional, Sequence

from ganeti.confd.exporter import clusterstate
from ganeti.confd.schema import columns


class Derived(NamedTuple):
  """A field that is computed.

  """
  #: The stored fields from which the value is computed; at least one
  sources: tuple[str, ...]
  #: A function that computes the value from the values of the stored fields
  get: Callable[..., Any]


def _Same(value: Any) -> Any:
  return value


def _Count(items: Optional[Sequence[Any]]) -> Optional[int]:
  return None if items is None else len(items)


def _At(index: int) -> Callable[[Optional[Sequence[Any]]], Any]:
  """Makes a function that returns an item of a list; None if there is none.

  """
  return lambda items: (items[index] if items and index < len(items)
                        else None)


def _IsUp(state: Any) -> Optional[bool]:
  return None if state is None else state == "up"


def _Bridge(mode: Any, link: Any) -> Any:
  return link if mode == "bridged" else None


def _Bridges(modes: Optional[Sequence[Any]], links: Optional[Sequence[Any]]
             ) -> Optional[list[Any]]:
  return [_Bridge(*pair) for pair in zip(modes or [], links or [])]


def _Numbered(stored: Sequence[str], fields: Sequence[columns.Numbered],
              count: int) -> dict[str, Derived]:
  """Lists the fields of single interfaces or disks.

  @param stored: the names of the stored fields
  @param fields: the descriptions of the fields
  @param count: the number of interfaces or disks that have fields

  """
  return {"%s/%d" % (field.name, i): Derived((field.names, ), _At(i))
          for field in fields if field.names in stored for i in range(count)}


def _Instance(stored: Sequence[str]) -> dict[str, Derived]:
  modes = ("nic.modes", "nic.links")
  bridges = {
    "nic.bridge/%d" % i: Derived(modes, lambda modes, links, get=_At(i):
                                 _Bridge(get(modes), get(links)))
    for i in range(columns.MAX_NICS)}
  return {
    "admin_up": Derived(("admin_state", ), _IsUp),
    "nic.count": Derived(("nic.macs", ), _Count),
    "nic.bridges": Derived(modes, _Bridges),
    **bridges,
    **_Numbered(stored, columns.NICS, columns.MAX_NICS),
    **_Numbered(stored, columns.DISKS, columns.MAX_DISKS),
    }


def _Make(kind: str) -> dict[str, Derived]:
  """Lists the derived fields of a table.

  """
  stored = clusterstate.Fields(kind)
  result: dict[str, Derived] = {}
  if kind == columns.INSTANCE:
    result = _Instance(stored)
  elif kind == columns.NETWORK:
    result = {"group_cnt": Derived(("group_list", ), _Count)}
  for (alias, name) in columns.TABLES[kind].aliases.items():
    if name in stored:
      result[alias] = Derived((name, ), _Same)
    elif name in result:
      result[alias] = result[name]
  return result


#: Maps each kind of object to its derived fields, by name
TABLES: Mapping[str, Mapping[str, Derived]] = {
  kind: _Make(kind) for kind in columns.KINDS}


def Names(kind: str) -> list[str]:
  """Lists the fields that filters may name, in order.

  Of the numbered fields, only the first ones are listed, such as "nic.ip/0".

  """
  return sorted(name for name in {*clusterstate.Fields(kind), *TABLES[kind]}
                if name.endswith("/0") or
                not name.rpartition("/")[2].isdigit())

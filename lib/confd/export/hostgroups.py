#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Groups of hosts, by what hosts have in common, and names for them.

A name is that of a kind of groups, and what the hosts have in common, with an
underscore in place of what identifiers may not have (L{sanitize.Identifiers}).

Fact: no kind of groups has a name that another one begins with. So it suffices
that names of one kind differ.

"""

from __future__ import annotations

from typing import Callable, Dict, Iterable, List, Optional, Sequence, Tuple

from ganeti.confd.export import hostlist
from ganeti.confd.export import sanitize
from ganeti.confd.schema import columns


_Values = Callable[[hostlist.Host], Sequence[Optional[str]]]

#: By what may be exported: the group of all, and the other kinds of groups with
#: the values of a host that put it into one
_KINDS: Dict[str, Tuple[str, Dict[str, _Values]]] = {
  columns.INSTANCE: ("instances", {
    "group_": lambda host: [host.group],
    "node_": lambda host: [host.node],
    "os_": lambda host: [host.os],
    "state_": lambda host: [host.state],
    "tag_": lambda host: host.tags,
    }),
  columns.NODE: ("nodes", {
    "nodes_group_": lambda host: [host.group],
    "nodes_role_": lambda host: [host.state],
    "nodes_tag_": lambda host: host.tags,
    }),
  }


def _ByValue(hosts: Iterable[hostlist.Host], values: _Values
             ) -> Dict[str, List[hostlist.Host]]:
  result: Dict[str, List[hostlist.Host]] = {}
  for host in hosts:
    for value in values(host):
      if value is not None:
        result.setdefault(value, []).append(host)
  return result


def Groups(kind: str, hosts: Sequence[hostlist.Host], say: hostlist.Say
           ) -> Dict[str, List[hostlist.Host]]:
  """Makes the groups.

  @return: by name, in the order of names; the one with all hosts is always
    there

  """
  (everything, kinds) = _KINDS[kind]
  result = {everything: list(hosts)}
  for (prefix, values) in kinds.items():
    members = _ByValue(hosts, values)
    for (value, identifier) in sanitize.Identifiers(sorted(members)).items():
      name = prefix + identifier
      if not sanitize.IsPlain(value, identifier):
        say("%s: group %s, as others would have the same name" %
            (sanitize.Show(value), name))
      result[name] = members[value]
  return dict(sorted(result.items()))

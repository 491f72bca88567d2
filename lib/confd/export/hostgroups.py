#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Groups of hosts with a property in common, and the names of the groups.

A group's name is a prefix for the property, such as C{os_}, and an identifier
made of the property's value (L{sanitize.Identifiers}).

Fact: no prefix in L{_KINDS} is the beginning of another one. So two groups of
L{Groups} with different prefixes cannot have the same name. A caller of
L{ByValue} with another prefix compares the names itself.

"""

from __future__ import annotations

from typing import Callable, Iterable, Optional, Sequence

from ganeti.confd.export import hostlist
from ganeti.confd.export import sanitize
from ganeti.confd.schema import columns


#: A function that returns the values that a host has for one property, e.g. the
#: name of the host's node
Values = Callable[[hostlist.Host], Sequence[Optional[str]]]

#: Maps each table to the name of the group of all hosts, and to the prefixes of
#: other groups. Each prefix has a function: a host is in one group for each
#: value that the function returns.
_KINDS: dict[str, tuple[str, dict[str, Values]]] = {
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


def ByValue(hosts: Iterable[hostlist.Host], values: Values, prefix: str,
            say: hostlist.Say) -> dict[str, list[hostlist.Host]]:
  """Puts hosts into a group for each value of a property.

  @return: from the names of groups to their hosts

  """
  members: dict[str, list[hostlist.Host]] = {}
  for host in hosts:
    for value in values(host):
      if value is not None:
        members.setdefault(value, []).append(host)
  result = {}
  for (value, identifier) in sanitize.Identifiers(sorted(members)).items():
    name = prefix + identifier
    if not sanitize.IsPlain(value, identifier):
      say("%s: the group is named %s, as another group would have the same"
          " name" % (sanitize.Show(value), name))
    result[name] = members[value]
  return result


def Groups(kind: str, hosts: Sequence[hostlist.Host], say: hostlist.Say
           ) -> dict[str, list[hostlist.Host]]:
  """Puts hosts into groups.

  @return: from the names of groups, sorted, to their hosts; the group of all
    hosts exists even if it is empty

  """
  (everything, kinds) = _KINDS[kind]
  result = {everything: list(hosts)}
  for (prefix, values) in kinds.items():
    result.update(ByValue(hosts, values, prefix, say))
  return dict(sorted(result.items()))

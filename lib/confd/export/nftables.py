#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Export "nftables": sets of addresses, for nft -f.

The file has a set for each group of hosts (C{hostgroups}) and version of IP.
nft empties and fills all sets in one transaction. Rules that use the sets have
to be in the same table.

A set of the previous file stays in the new one; if its group is gone, the set
is empty. If the set were left out instead, the kernel would keep its old
addresses, and after a reboot rules that use the set could not be loaded.

"""

from __future__ import annotations

import re

from typing import Iterator

from ganeti.confd.export import hostgroups
from ganeti.confd.export import hostlist
from ganeti.confd.export import sanitize
from ganeti.confd.schema import columns
from ganeti.confd.schema import naturalorder


COMMENT = "#"

FIELDS = {
  columns.INSTANCE: ["name", "nic.ips", "pnode", "pnode.group", "os",
                     "admin_state", "tags"],
  columns.NODE: ["name", "pip", "group", "role", "tags"],
  }

_FAMILY = "inet"

_TYPES = {
  4: "ipv4_addr",
  6: "ipv6_addr",
  }


_SET_RE = re.compile(r"^\tset ([a-zA-Z0-9_]+)_v[46] {$", re.MULTILINE)


def _Set(name: str, kind: str, addresses: list[str]) -> Iterator[str]:
  yield "\tset %s {" % name
  yield "\t\ttype %s" % kind
  if addresses:
    yield "\t\telements = {"
    for address in addresses:
      yield "\t\t\t%s," % address
    yield "\t\t}"
  yield "\t}"


def Format(contents: hostlist.Contents, say: hostlist.Say) -> str:
  """Formats the sets.

  """
  hostlist.WithAddress(contents, say)
  members = hostgroups.Groups(contents.kind, contents.hosts, say)
  names = {*members, *_SET_RE.findall(contents.previous or "")}
  sets: dict[str, list[str]] = {}
  for name in sorted(names):
    for version in _TYPES:
      found = {address for host in members.get(name, ())
               for address in host.addresses
               if sanitize.Version(address) == version}
      sets["%s_v%d" % (name, version)] = sorted(found,
                                                key=naturalorder.NaturalKey)
  table = "%s %s" % (_FAMILY, contents.table)
  lines = ["table %s {" % table]
  for name in sets:
    lines.extend(_Set(name, _TYPES[int(name[-1])], []))
  lines.append("}")
  lines.extend("flush set %s %s" % (table, name) for name in sets)
  lines.append("table %s {" % table)
  for (name, addresses) in sets.items():
    lines.extend(_Set(name, _TYPES[int(name[-1])], addresses))
  lines.append("}")
  return "\n".join(lines) + "\n"

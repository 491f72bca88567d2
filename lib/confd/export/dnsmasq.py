#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Export "dnsmasq": settings for DHCP and DNS.

The file has a C{dhcp-host} line for each network interface with a MAC address.
The line has the interface's IP address, if any, and for a host's first
interface the host's name. The file has a C{host-record} line for each IP
address.

Facts:
  - dnsmasq refuses the whole file if it does not understand one line, or if
    two C{dhcp-host} lines have the same IP address.
  - In a C{dhcp-host} line, dnsmasq reads a name of the form 45m as a lease
    time, and the names "ignore" and "infinite" as keywords.

"""

from __future__ import annotations

import re

from typing import Iterable, Iterator

from ganeti.confd.export import hostlist
from ganeti.confd.export import sanitize
from ganeti.confd.schema import columns


COMMENT = "#"

FIELDS = {
  columns.INSTANCE: ["name", "nic.ips", "nic.macs"],
  columns.NODE: ["name", "pip"],
  }

#: In a C{dhcp-host} line, dnsmasq takes these names for a lease time or a
#: keyword
_KEYWORD_RE = re.compile("[0-9]+[smhdw]|ignore|infinite")


def _Bracket(address: str) -> str:
  return "[%s]" % address if sanitize.Version(address) == 6 else address


def _DhcpHosts(hosts: Iterable[hostlist.Host], say: hostlist.Say
               ) -> Iterator[list[str]]:
  """Yields the comma-separated values of each C{dhcp-host} line.

  """
  taken: set[str] = set()
  for host in hosts:
    name = [host.name]
    if _KEYWORD_RE.fullmatch(host.name):
      say("%s: the name left out of dhcp-host, where dnsmasq has another"
          " meaning for it" % sanitize.Show(host.name))
      name = []
    for (index, interface) in enumerate(host.interfaces):
      if interface.mac is None:
        continue
      address = []
      if interface.ip in taken:
        say("%s: address %s left out of dhcp-host, as another interface has it"
            " already" % (sanitize.Show(host.name), interface.ip))
      elif interface.ip is not None:
        taken.add(interface.ip)
        address = [_Bracket(interface.ip)]
      line = address + (name if index == 0 else [])
      if line:
        yield [interface.mac] + line


def Format(contents: hostlist.Contents, say: hostlist.Say) -> str:
  """Formats the settings.

  """
  lines = ["dhcp-host=%s\n" % ",".join(line)
           for line in _DhcpHosts(contents.hosts, say)]
  lines.extend("host-record=%s,%s\n" % (host.name, address)
               for host in hostlist.WithAddress(contents, say)
               for address in host.addresses)
  return "".join(lines)

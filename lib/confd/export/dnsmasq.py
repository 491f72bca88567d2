#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Export "dnsmasq": a file of settings for DHCP and DNS.

For each network interface with a MAC address there is a C{dhcp-host}, with the
IP address if it has one; the first interface has the host's name there. For
each IP address there is a C{host-record}.

Facts:
  - dnsmasq refuses the whole file for one line that it does not understand, or
    if two C{dhcp-host} have the same IP address.
  - In a C{dhcp-host}, a name is a time or a word of its own if it has the form.

"""

from __future__ import annotations

import re

from typing import Iterable, Iterator, List, Set

from ganeti.confd.export import hostlist
from ganeti.confd.export import sanitize
from ganeti.confd.schema import columns


COMMENT = "#"

FIELDS = {
  columns.INSTANCE: ["name", "nic.ips", "nic.macs"],
  columns.NODE: ["name", "pip"],
  }

_NO_NAME_RE = re.compile("[0-9]+[smhdw]|ignore|infinite")


def _Bracket(address: str) -> str:
  return "[%s]" % address if sanitize.Version(address) == 6 else address


def _DhcpHosts(hosts: Iterable[hostlist.Host], say: hostlist.Say
               ) -> Iterator[List[str]]:
  """Makes the values of C{dhcp-host} lines.

  """
  taken: Set[str] = set()
  for host in hosts:
    name = [host.name]
    if _NO_NAME_RE.fullmatch(host.name):
      say("%s: the name means something else to dnsmasq, and is left out of"
          " dhcp-host" % sanitize.Show(host.name))
      name = []
    for (index, interface) in enumerate(host.interfaces):
      if interface.mac is None:
        continue
      address = []
      if interface.ip in taken:
        say("%s: address %s has another interface already, and is left out of"
            " dhcp-host" % (sanitize.Show(host.name), interface.ip))
      elif interface.ip is not None:
        taken.add(interface.ip)
        address = [_Bracket(interface.ip)]
      line = address + (name if index == 0 else [])
      if line:
        yield [interface.mac] + line


def Format(source: hostlist.Source, say: hostlist.Say) -> str:
  """Writes settings.

  """
  lines = ["dhcp-host=%s\n" % ",".join(line)
           for line in _DhcpHosts(source.hosts, say)]
  lines.extend("host-record=%s,%s\n" % (host.name, address)
               for host in hostlist.WithAddress(source, say)
               for address in host.addresses)
  return "".join(lines)

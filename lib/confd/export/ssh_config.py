#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Export "ssh-config": a C{Host} section for each host, see ssh_config(5).

C{HostName} is a host's first address. C{HostKeyAlias} makes ssh look up the
host key by name: ssh does not complain if another host had the address before.

"""

from __future__ import annotations

from typing import Iterator

from ganeti.confd.export import hostlist
from ganeti.confd.schema import columns


COMMENT = "#"

FIELDS = {
  columns.INSTANCE: ["name", "nic.ips"],
  columns.NODE: ["name", "pip", "ndparams"],
  }


def _Lines(host: hostlist.Host) -> Iterator[str]:
  yield "Host %s" % host.name
  yield "  HostName %s" % host.address
  yield "  HostKeyAlias %s" % host.name
  if host.ssh_port != hostlist.SSH_PORT:
    yield "  Port %d" % host.ssh_port


def Format(contents: hostlist.Contents, say: hostlist.Say) -> str:
  """Formats the sections.

  """
  return "".join(line + "\n" for host in hostlist.WithAddress(contents, say)
                 for line in _Lines(host))

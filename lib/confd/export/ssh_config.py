#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Export "ssh-config": a C{Host} for each, as in ssh_config(5).

Of a host's addresses the first is used. C{HostKeyAlias} has the host key looked
up by name, so that an address that another host had before is no concern.

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


def Format(source: hostlist.Source, say: hostlist.Say) -> str:
  """Writes settings.

  """
  return "".join(line + "\n" for host in hostlist.WithAddress(source, say)
                 for line in _Lines(host))

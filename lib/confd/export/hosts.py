#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Export "hosts": lines as in hosts(5).

"""

from __future__ import annotations

from ganeti.confd.export import hostlist
from ganeti.confd.schema import columns


COMMENT = "#"

FIELDS = {
  columns.INSTANCE: ["name", "nic.ips"],
  columns.NODE: ["name", "pip"],
  }


def Format(source: hostlist.Source, say: hostlist.Say) -> str:
  """Writes a line for each address.

  """
  return "".join("%s\t%s\n" % (address, host.name)
                 for host in hostlist.WithAddress(source, say)
                 for address in host.addresses)

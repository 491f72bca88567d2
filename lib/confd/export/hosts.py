#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Export "hosts": lines as in hosts(5).

"""

from __future__ import annotations

from ganeti.confd.export import entries
from ganeti.confd.schema import columns


COMMENT = "#"

FIELDS = {
  columns.INSTANCE: ["name", "nic.ips"],
  columns.NODE: ["name", "pip"],
  }


def Format(source: entries.Source, say: entries.Say) -> str:
  """Writes a line for each address.

  """
  return "".join("%s\t%s\n" % (address, host.name)
                 for host in entries.WithAddress(source, say)
                 for address in host.addresses)

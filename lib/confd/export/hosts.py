#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Export "hosts": lines in the form of hosts(5).

"""

from __future__ import annotations

from ganeti.confd.export import hostlist
from ganeti.confd.schema import columns


COMMENT = "#"

FIELDS = {
  columns.INSTANCE: ["name", "nic.ips"],
  columns.NODE: ["name", "pip"],
  }


def Format(contents: hostlist.Contents, say: hostlist.Say) -> str:
  """Formats a line for each address.

  """
  return "".join("%s\t%s\n" % (address, host.name)
                 for host in hostlist.WithAddress(contents, say)
                 for address in host.addresses)

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Export "prometheus-sd": targets for Prometheus, in JSON (file_sd_config).

Each host is a target with its first address, or with its name if it has no
address. A host's other properties are labels whose names begin with
C{__meta_ganeti_}; Prometheus drops such labels unless relabeling uses them.
Tags are joined by commas, with another comma before the first tag and after the
last, so that the expression C{.*,tag,.*} finds a tag. Prometheus' own service
discoveries do the same.

"""

from __future__ import annotations

import json

from typing import Any, Optional

from ganeti.confd.export import hostlist
from ganeti.confd.export import sanitize
from ganeti.confd.schema import columns


#: The characters that begin a comment; None, as JSON has no comments
COMMENT = None

FIELDS = {
  columns.INSTANCE: ["name", "nic.ips", "pnode", "pnode.group", "os",
                     "hypervisor", "admin_state", "tags"],
  columns.NODE: ["name", "pip", "group", "role", "tags"],
  }

_PREFIX = "__meta_ganeti_"


def _Labels(contents: hostlist.Contents, host: hostlist.Host) -> dict[str, str]:
  values: dict[str, Optional[str]] = {
    "cluster": contents.ClusterOf(host),
    "group": host.group,
    "tags": ",%s," % ",".join(host.tags) if host.tags else None,
    }
  if contents.kind == columns.NODE:
    values.update(node=host.name, role=host.state)
  else:
    values.update(instance=host.name, hypervisor=host.hypervisor,
                  node=host.node, os=host.os, state=host.state)
  return {_PREFIX + name: value for (name, value) in values.items()
          if value is not None}


def _Target(host: hostlist.Host, port: int) -> str:
  address = host.address or host.name
  if sanitize.Version(address) == 6:
    address = "[%s]" % address
  return "%s:%d" % (address, port)


def Targets(contents: hostlist.Contents) -> list[dict[str, Any]]:
  """Returns target groups, one for each host.

  """
  return [{"targets": [_Target(host, contents.target_port)],
           "labels": _Labels(contents, host)}
          for host in contents.hosts]


def Format(contents: hostlist.Contents, _: hostlist.Say) -> str:
  """Formats the targets.

  """
  return json.dumps(Targets(contents), indent=2, sort_keys=True) + "\n"

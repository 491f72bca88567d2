#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Export "prometheus-sd": targets for Prometheus, in JSON (file_sd_config).

Each host is a target by its first address, or by its name if it has none. What
else is known are labels with names that begin with C{__meta_ganeti_}, which
Prometheus drops if no relabeling uses them. Tags are joined by commas, with one
before the first and one after the last, so that C{.*,tag,.*} finds a tag; this
is how Prometheus joins them elsewhere.

"""

from __future__ import annotations

import json

from typing import Any, Dict, List, Optional

from ganeti.confd.export import hostlist
from ganeti.confd.export import sanitize
from ganeti.confd.schema import columns


#: JSON has none
COMMENT = None

FIELDS = {
  columns.INSTANCE: ["name", "nic.ips", "pnode", "pnode.group", "os",
                     "hypervisor", "admin_state", "tags"],
  columns.NODE: ["name", "pip", "group", "role", "tags"],
  }

_PREFIX = "__meta_ganeti_"


def _Labels(source: hostlist.Source, host: hostlist.Host) -> Dict[str, str]:
  values: Dict[str, Optional[str]] = {
    "cluster": source.cluster,
    "group": host.group,
    "tags": ",%s," % ",".join(host.tags) if host.tags else None,
    }
  if source.kind == columns.NODE:
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


def Targets(source: hostlist.Source) -> List[Dict[str, Any]]:
  """Makes target groups, one for each host.

  """
  return [{"targets": [_Target(host, source.target_port)],
           "labels": _Labels(source, host)}
          for host in source.hosts]


def Format(source: hostlist.Source, _: hostlist.Say) -> str:
  """Writes targets.

  """
  return json.dumps(Targets(source), indent=2, sort_keys=True) + "\n"

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Export "ansible": an inventory, as an inventory script prints it.

Facts:
  - An object of groups, each C{{"hosts": [NAME, ...]}}; with the variables of
    all hosts in C{_meta} Ansible does not ask for each host.
  - Ansible evaluates "{{" in a variable. No word has braces (C{sanitize}).
  - "all" and "ungrouped" are groups. Who has named a host like another group
    gets both.

"""

from __future__ import annotations

import json

from typing import Any, Dict

from ganeti.confd.export import hostgroups
from ganeti.confd.export import hostlist
from ganeti.confd.export import sanitize
from ganeti.confd.schema import columns


#: JSON has none
COMMENT = None

FIELDS = hostlist.ALL_FIELDS

_PREFIX = "ganeti_"

_NO_HOSTS = frozenset(["all", "ungrouped"])


def _Variables(source: hostlist.Source, host: hostlist.Host) -> Dict[str, Any]:
  """Returns the variables of a host, less those that it has no value for.

  """
  values: Dict[str, Any] = {
    "ansible_host": host.address,
    "ganeti_cluster": source.cluster,
    "ganeti_group": host.group,
    "ganeti_tags": host.tags,
    }
  if source.kind == columns.NODE:
    values["ganeti_role"] = host.state
    values["ganeti_secondary_ip"] = host.secondary_ip
    if host.ssh_port != hostlist.SSH_PORT:
      values["ansible_port"] = host.ssh_port
  else:
    values.update({
      "ganeti_hypervisor": host.hypervisor,
      "ganeti_memory": host.memory,
      "ganeti_nics": [i._asdict() for i in host.interfaces],
      "ganeti_node": host.node,
      "ganeti_os": host.os,
      "ganeti_secondary_nodes": list(host.secondaries),
      "ganeti_state": host.state,
      "ganeti_vcpus": host.vcpus,
      })
  return {name: value for (name, value) in values.items() if value is not None}


def Format(source: hostlist.Source, say: hostlist.Say) -> str:
  """Writes an inventory.

  """
  hosts = []
  for host in source.hosts:
    if host.name in _NO_HOSTS or host.name.startswith(_PREFIX):
      say("%s left out: the name means something else to Ansible" %
          sanitize.Show(host.name))
    else:
      hosts.append(host)
  inventory: Dict[str, Any] = {
    _PREFIX + name: {"hosts": [host.name for host in members]}
    for (name, members) in hostgroups.Groups(source.kind, hosts, say).items()}
  inventory["_meta"] = {
    "hostvars": {host.name: _Variables(source, host) for host in hosts},
    }
  return json.dumps(inventory, indent=2, sort_keys=True) + "\n"

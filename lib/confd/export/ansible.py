#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Export "ansible": an inventory in the JSON form of inventory scripts.

Facts:
  - The inventory is an object of groups, each C{{"hosts": [NAME, ...]}}. If
    C{_meta} has the variables of all hosts, Ansible does not run the script
    once more for each host.
  - Ansible evaluates "{{" in a variable. A sanitized word has no braces.
  - Ansible itself defines the groups "all" and "ungrouped". If a host has the
    name of a group, that name is ambiguous.
  - Ansible's plugin "constructed" makes the group C{service_web} of the tag
    C{service:web} by C{keyed_groups}. No group's name may begin with a digit.

"""

from __future__ import annotations

import json
import re

from typing import Any

from ganeti.confd.export import hostgroups
from ganeti.confd.export import hostlist
from ganeti.confd.export import sanitize
from ganeti.confd.schema import columns


#: The characters that begin a comment; None, as JSON has no comments
COMMENT = None

FIELDS = hostlist.ALL_FIELDS

_PREFIX = "ganeti_"

#: A tag of the form KEY:VALUE
_KEYED_RE = re.compile("[A-Za-z_][^:]*:.")

#: Maps each table to the prefix of groups that are named after a cluster or a
#: tag. Nodes have a prefix of their own, so that no group has both nodes and
#: instances if an inventory has both tables.
_OF_NODES = "nodes_"
_PREFIXES = {
  columns.INSTANCE: "",
  columns.NODE: _OF_NODES,
  }

#: Groups that Ansible itself defines. A host must not have the name of such a
#: group.
_RESERVED_NAMES = frozenset(["all", "ungrouped"])


def _Variables(contents: hostlist.Contents, host: hostlist.Host
               ) -> dict[str, Any]:
  """Returns a host's variables, without those that have no value.

  """
  values: dict[str, Any] = {
    "ansible_host": host.address,
    "ganeti_cluster": contents.ClusterOf(host),
    "ganeti_group": host.group,
    "ganeti_tags": host.tags,
    }
  if contents.kind == columns.NODE:
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


def _ClusterGroups(contents: hostlist.Contents, hosts: list[hostlist.Host],
                   say: hostlist.Say) -> dict[str, list[hostlist.Host]]:
  """Makes a group of each cluster whose name is known.

  """
  return hostgroups.ByValue(
    hosts, lambda host: [contents.ClusterOf(host)],
    _PREFIX + _PREFIXES[contents.kind] + "cluster_", say)


def _KeyedGroups(contents: hostlist.Contents, hosts: list[hostlist.Host],
                 say: hostlist.Say) -> dict[str, list[hostlist.Host]]:
  """Makes a group C{KEY_VALUE} of each tag C{KEY:VALUE}.

  """
  prefix = _PREFIXES[contents.kind]
  groups = hostgroups.ByValue(
    hosts, lambda host: [tag for tag in host.tags if _KEYED_RE.match(tag)],
    prefix, say)
  taken = (_PREFIX, ) if prefix else (_PREFIX, _OF_NODES)
  names = {host.name for host in hosts}
  for name in list(groups):
    if name.lower().startswith(taken) or name.lower() in names:
      say("the group %s of a tag left out: its name has another meaning" % name)
      del groups[name]
  return groups


def Format(contents: hostlist.Contents, say: hostlist.Say) -> str:
  """Formats the inventory.

  """
  hosts = []
  for host in contents.hosts:
    if host.name in _RESERVED_NAMES or host.name.startswith(_PREFIX):
      say("%s left out: Ansible has a group of this name" %
          sanitize.Show(host.name))
    else:
      hosts.append(host)
  groups = {_PREFIX + name: members for (name, members)
            in hostgroups.Groups(contents.kind, hosts, say).items()}
  groups.update(_ClusterGroups(contents, hosts, say))
  groups.update(_KeyedGroups(contents, hosts, say))
  inventory: dict[str, Any] = {
    name: {"hosts": [host.name for host in members]}
    for (name, members) in groups.items()}
  inventory["_meta"] = {
    "hostvars": {host.name: _Variables(contents, host) for host in hosts},
    }
  return json.dumps(inventory, indent=2, sort_keys=True) + "\n"

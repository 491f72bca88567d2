#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Checks of references between objects.

"""

from __future__ import annotations


from ganeti.confd import humanize
from ganeti.confd.findings import data
from ganeti.confd.findings import nics
from ganeti.confd.findings import registry
from ganeti.confd.schema import columns


#: The fields that the check needs in addition to those of L{nics}, see
#: L{data}
FIELDS: dict[str, list[str]] = {
  columns.NODE: ["name", "group"],
  columns.GROUP: ["name", "networks"],
  columns.NETWORK: ["uuid"],
  }
POINTERS: list[str] = []


@registry.Register(
  "missing-reference", registry.CRITICAL,
  "An object refers to an object that does not exist",
  "gnt-cluster verify says more, and ganeti-confd --check on a node; the"
  " configuration was changed by hand, or a job was interrupted")
def _MissingReference(config: data.ConfigData) -> registry.Found:
  if config.warnings:
    yield ("configuration", "%s left out: malformed, or referring to missing"
           " objects" % humanize.Count(config.warnings, "object"))
  for node in config.nodes:
    if node["group"] is None and any(i["group"] is not None
                                     for i in config.nodes):
      yield (node["name"], "its group does not exist")
  networks = {network["uuid"] for network in config.networks}
  for group in config.groups:
    for uuid in group["networks"]:
      if uuid not in networks:
        yield ("group %s" % group["name"], "is connected to network %s, which"
               " does not exist" % uuid)
  for nic in nics.Nics(config):
    if nic.network is not None and nic.network_name is None:
      yield (nic.owner, "its network %s does not exist" % nic.network)

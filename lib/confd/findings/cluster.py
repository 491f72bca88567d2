#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Checks of the cluster's own settings.

"""

from __future__ import annotations


from ganeti.confd.findings import data
from ganeti.confd.findings import registry


#: The fields and JSON pointers that the checks need, see L{data}
FIELDS: dict[str, list[str]] = {}
POINTERS = [data.CLUSTER]


@registry.Register(
  "nothing-enabled", registry.CRITICAL,
  "No hypervisor or no disk template is enabled, or an enabled hypervisor has"
  " no parameters",
  "gnt-cluster modify --enabled-hypervisors=... or"
  " --enabled-disk-templates=...")
def _NothingEnabled(config: data.ConfigData) -> registry.Found:
  for (key, what) in [("enabled_hypervisors", "hypervisor"),
                      ("enabled_disk_templates", "disk template")]:
    if config.cluster.get(key) == []:
      yield ("cluster", "no %s is enabled" % what)
  enabled = config.cluster.get("enabled_hypervisors")
  hvparams = config.cluster.get("hvparams")
  if isinstance(enabled, list) and isinstance(hvparams, dict):
    for name in enabled:
      if not data.IsIn(name, hvparams):
        yield ("cluster", "hypervisor %s has no parameters" %
               data.Quote(name))

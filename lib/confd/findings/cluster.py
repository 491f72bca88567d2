#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Checks of the cluster's own settings.

"""

from __future__ import annotations


from ganeti.confd.findings import facts
from ganeti.confd.findings import registry


#: The fields and places that the checks need, see L{facts}
FIELDS: dict[str, list[str]] = {}
PLACES = [facts.CLUSTER]


@registry.Register(
  "nothing-enabled", registry.CRITICAL,
  "No hypervisor or no disk template is enabled, or an enabled hypervisor has"
  " no parameters",
  "gnt-cluster modify --enabled-hypervisors=... or"
  " --enabled-disk-templates=...")
def _NothingEnabled(known: facts.Facts) -> registry.Found:
  for (key, what) in [("enabled_hypervisors", "hypervisor"),
                      ("enabled_disk_templates", "disk template")]:
    if known.cluster.get(key) == []:
      yield ("cluster", "no %s is enabled" % what)
  enabled = known.cluster.get("enabled_hypervisors")
  hvparams = known.cluster.get("hvparams")
  if isinstance(enabled, list) and isinstance(hvparams, dict):
    for name in enabled:
      if not facts.IsIn(name, hvparams):
        yield ("cluster", "hypervisor %s has no parameters" %
               facts.Quote(name))

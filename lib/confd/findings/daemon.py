#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Checks of the daemon that answered.

"""

from __future__ import annotations


from ganeti.confd.findings import data
from ganeti.confd.findings import registry


#: The check needs no fields and no JSON pointers, see L{data}
FIELDS: dict[str, list[str]] = {}
POINTERS: list[str] = []


@registry.Register(
  "configuration-stale", registry.WARNING,
  "The daemon serves an old configuration, as it could not load a newer one",
  "ganeti-confd --check on that node says why")
def _ConfigurationStale(config: data.ConfigData) -> registry.Found:
  if config.stale:
    yield ("configuration", "the newest one could not be loaded; all findings"
           " are about an older one")

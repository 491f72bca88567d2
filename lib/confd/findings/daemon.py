#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Findings about the daemon that has answered.

"""

from __future__ import annotations

from typing import Dict, List

from ganeti.confd.findings import facts
from ganeti.confd.findings import registry


#: These findings need no field and no place of the configuration, see L{facts}
FIELDS: Dict[str, List[str]] = {}
PLACES: List[str] = []


@registry.Register(
  "configuration-stale", registry.WARNING,
  "A newer configuration could not be loaded, and an older one is served",
  "ganeti-confd --check on that node says why")
def _ConfigurationStale(known: facts.Facts) -> registry.Found:
  if known.stale:
    yield ("configuration", "the newest one could not be loaded; all that is"
           " said here is of an older one")

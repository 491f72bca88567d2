#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Finds faults and risks in a configuration.

The checks themselves are in C{ganeti.confd.findings}, with one module for each
subject.

"""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Sequence

from ganeti.confd.findings import cluster
from ganeti.confd.findings import daemon
from ganeti.confd.findings import disks
from ganeti.confd.findings import data
from ganeti.confd.findings import instances
from ganeti.confd.findings import names
from ganeti.confd.findings import networks
from ganeti.confd.findings import nics
from ganeti.confd.findings import nodes
from ganeti.confd.findings import parameters
from ganeti.confd.findings import policy
from ganeti.confd.findings import ports
from ganeti.confd.findings import references
from ganeti.confd.findings import registry


WARNING = registry.WARNING
CRITICAL = registry.CRITICAL
CHECKS = registry.CHECKS

ConfigData = data.ConfigData
Finding = registry.Finding

_SUBJECTS = [cluster, daemon, disks, instances, names, networks, nics, nodes,
             parameters, policy, ports, references]


def _Fields() -> dict[str, list[str]]:
  """Merges the fields that the modules of checks need.

  """
  result: dict[str, list[str]] = {}
  for subject in _SUBJECTS:
    for (kind, names) in subject.FIELDS.items():
      known = result.setdefault(kind, [])
      known.extend(name for name in names if name not in known)
  return result


#: The fields that the checks need, by table
FIELDS: dict[str, list[str]] = _Fields()

#: The JSON pointers of the values that the checks need in addition to tables
POINTERS: list[str] = list(dict.fromkeys(
  pointer for subject in _SUBJECTS for pointer in subject.POINTERS))


def Read(tables: Mapping[str, Sequence[data.Row]], values: Mapping[str, Any],
         statistics: Mapping[str, Any], now: float) -> ConfigData:
  """Makes the data to check from answers of a daemon.

  @param tables: rows with L{FIELDS}, by table
  @param values: the value at each of L{POINTERS}, None if there is none
  @param statistics: an answer to STATS
  @param now: the time, in seconds since the epoch
  @raise LookupError: a table or value is missing

  """
  return ConfigData({kind: tables[kind] for kind in FIELDS},
                    {pointer: values[pointer] for pointer in POINTERS},
                    # Older daemons report neither "warnings" nor "stale"
                    statistics["config"].get("warnings", 0),
                    statistics["config"].get("stale") is True, now)


def Check(config: ConfigData, ignore: Iterable[str] = ()) -> list[Finding]:
  """Runs the checks.

  @param ignore: the names of checks to leave out
  @return: critical findings first, then in the order of L{CHECKS}
  @raise LookupError: rows lack fields of L{FIELDS}
  @raise TypeError: a value is not of its field's type

  """
  ignored = set(ignore)
  found = [Finding(name, check.severity, subject, text, check.advice)
           for (name, check) in CHECKS.items() if name not in ignored
           for (subject, text) in check.find(config)]
  return sorted(found, key=lambda finding: finding.severity != CRITICAL)

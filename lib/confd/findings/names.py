#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Checks of names and UUIDs.

"""

from __future__ import annotations

import re


from ganeti.confd.findings import data
from ganeti.confd.findings import registry
from ganeti.confd.schema import columns


#: The fields that the checks need, see L{data}
FIELDS: dict[str, list[str]] = {
  columns.INSTANCE: ["name", "indexed"],
  columns.NODE: ["name", "indexed"],
  columns.GROUP: ["name", "indexed"],
  columns.NETWORK: ["name", "indexed"],
  columns.DISK: ["instance", "index", "indexed"],
  }
POINTERS: list[str] = []

#: The objects that Ganeti looks up by name. Networks may share a name, as
#: Ganeti looks them up by UUID.
_NAMED = [columns.NODE, columns.GROUP, columns.INSTANCE]

_UUID_RE = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


@registry.Register(
  "duplicate-name", registry.CRITICAL,
  "Two nodes, groups or instances have the same name",
  registry.BY_HAND)
def _DuplicateName(config: data.ConfigData) -> registry.Found:
  for kind in _NAMED:
    names = [(row["name"], "") for row in config.tables[kind]]
    for (name, owners) in data.FindTwice(names):
      yield (name, "is the name of %d %ss" % (len(owners), kind))


@registry.Register(
  "group-name", registry.WARNING,
  "A group's name looks like a UUID",
  "gnt-group rename GROUP NAME")
def _GroupName(config: data.ConfigData) -> registry.Found:
  for group in config.groups:
    if _UUID_RE.match(group["name"].lower()):
      yield ("group %s" % group["name"], "is named like a UUID")


@registry.Register(
  "wrong-uuid", registry.CRITICAL,
  "An object is stored under a UUID that is not its own",
  registry.BY_HAND)
def _WrongUuid(config: data.ConfigData) -> registry.Found:
  for kind in (columns.NODE, columns.GROUP, columns.INSTANCE, columns.NETWORK,
               columns.DISK):
    for row in config.tables[kind]:
      if not row["indexed"]:
        subject = (data.DiskSubject(row) if kind == columns.DISK else
                   "%s %s" % (kind, row["name"]))
        yield (subject, "is stored under a UUID that is not its own")

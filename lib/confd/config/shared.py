#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Volumes and DRBD minors that several disks have, and only one should.

A disk that is attached twice is one disk all the same.

"""

from __future__ import annotations

import collections
import functools

from ganeti.confd.config import lenient
from ganeti.confd.config import redaction
from ganeti.confd.config import snapshot as snapshotlib
from ganeti.confd.config import volumes
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Any, Hashable, Iterable, Iterator, TypeVar

  #: A node's UUID, and a minor there
  _Minor = tuple[str, int]

  _Item = TypeVar("_Item", bound=Hashable)


class _Found(NamedTuple):
  volumes: frozenset[volumes.Place]
  minors: frozenset[_Minor]


def _Minors(disk: snapshotlib.Disk) -> Iterator[_Minor]:
  """Yields the minors of a DRBD disk.

  """
  stored = disk.stored
  if stored.get("dev_type") in redaction.DRBD_TYPES:
    items: list[Any] = lenient.List(stored.get("logical_id"))
    for (node, minor) in zip(items[redaction.DRBD_NODES],
                             items[redaction.DRBD_MINORS]):
      if isinstance(node, str) and isinstance(minor, int):
        yield (node, minor)


def _Several(items: Iterable[_Item]) -> frozenset[_Item]:
  """Finds the items that come more than once.

  """
  counts = collections.Counter(items)
  return frozenset(item for (item, count) in counts.items() if count > 1)


@functools.lru_cache(maxsize=1)
def _Find(snapshot: snapshotlib.Snapshot) -> _Found:
  """Finds what disks share; most snapshots are never asked for that.

  """
  # A disk that is attached twice has two rows, and one key
  disks = {id(disk) if disk.key is None else disk.key: disk
           for disk in snapshot.disks.items}.values()
  names = _Several(name for disk in disks
                   for name in volumes.Volumes(disk.stored))
  # Only these can share a volume, so only their places are looked at
  suspects = [disk for disk in disks
              if names and not names.isdisjoint(volumes.Volumes(disk.stored))]
  return _Found(
    _Several(place for disk in suspects for place in set(volumes.Places(disk))),
    _Several(minor for disk in disks for minor in set(_Minors(disk))))


def Volumes(snapshot: snapshotlib.Snapshot, disk: snapshotlib.Disk
            ) -> list[str]:
  """Lists the volumes of a disk that another disk has, too.

  """
  shared = _Find(snapshot).volumes
  if not shared:
    return []
  return sorted({name for (_, name) in shared.intersection(
    volumes.Places(disk))})


def Minors(snapshot: snapshotlib.Snapshot, disk: snapshotlib.Disk
           ) -> list[list[Any]]:
  """Lists the minors of a disk that another disk has on the same node.

  @return: each as [name of the node, minor]

  """
  shared = _Find(snapshot).minors
  result: list[list[Any]] = []
  if shared:
    for (key, minor) in _Minors(disk):
      node = snapshot.nodes.Resolve(key)
      if (key, minor) in shared and node is not None:
        result.append([node.name, minor])
  return result

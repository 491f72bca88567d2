#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Finds volumes and DRBD minors that several disks share by mistake.

A disk that is attached to two instances counts as one disk.

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

  #: A node's UUID, and a DRBD minor on that node
  _Minor = tuple[str, int]

  _Item = TypeVar("_Item", bound=Hashable)


class _Found(NamedTuple):
  """The volumes and minors that more than one disk of a snapshot has.

  """
  volumes: frozenset[volumes.Location]
  minors: frozenset[_Minor]


def _Minors(disk: snapshotlib.Disk) -> Iterator[_Minor]:
  """Yields the minors of a DRBD disk, and none for a disk of another type.

  """
  stored = disk.stored
  if stored.get("dev_type") in redaction.DRBD_TYPES:
    items: list[Any] = lenient.List(stored.get("logical_id"))
    for (node, minor) in zip(items[redaction.DRBD_NODES],
                             items[redaction.DRBD_MINORS]):
      if isinstance(node, str) and isinstance(minor, int):
        yield (node, minor)


def _Repeated(items: Iterable[_Item]) -> frozenset[_Item]:
  """Returns the items that occur more than once.

  """
  counts = collections.Counter(items)
  return frozenset(item for (item, count) in counts.items() if count > 1)


@functools.lru_cache(maxsize=1)
def _Find(snapshot: snapshotlib.Snapshot) -> _Found:
  """Finds shared volumes and minors, at the first query for them.

  """
  # Take each disk once: a disk that is attached to two instances has two rows,
  # with the same key
  disks = {id(disk) if disk.key is None else disk.key: disk
           for disk in snapshot.disks.items}.values()
  names = _Repeated(name for disk in disks
                   for name in volumes.Volumes(disk.stored))
  # To save time, look up the locations of only those disks that have a volume
  # name in common with another disk
  suspects = [disk for disk in disks
              if names and not names.isdisjoint(volumes.Volumes(disk.stored))]
  return _Found(
    _Repeated(location for disk in suspects
              for location in set(volumes.Locations(disk))),
    _Repeated(minor for disk in disks for minor in set(_Minors(disk))))


def Volumes(snapshot: snapshotlib.Snapshot, disk: snapshotlib.Disk
            ) -> list[str]:
  """Lists the volumes of a disk that another disk has as well.

  """
  shared = _Find(snapshot).volumes
  if not shared:
    return []
  return sorted({name for (_, name) in shared.intersection(
    volumes.Locations(disk))})


def Minors(snapshot: snapshotlib.Snapshot, disk: snapshotlib.Disk
           ) -> list[list[Any]]:
  """Lists the minors of a disk that another disk has on the same node.

  @return: rows [name of the node, minor]

  """
  shared = _Find(snapshot).minors
  result: list[list[Any]] = []
  if shared:
    for (key, minor) in _Minors(disk):
      node = snapshot.nodes.Resolve(key)
      if (key, minor) in shared and node is not None:
        result.append([node.name, minor])
  return result

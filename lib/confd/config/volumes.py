#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Finds the volumes that store a disk: logical volumes, files or images.

Facts: a disk's C{logical_id} is [volume group, volume] for the type plain,
[driver, path] for the types of files and for blockdev, [pool, image] for rbd,
and [provider, name] for ext. Data and metadata of a DRBD disk are stored in its
children, which are of the type plain, on both nodes. Names of local volumes and
files are unique on each node only; names in storage that all nodes share are
unique in the cluster.

"""

from __future__ import annotations

from ganeti.confd.config import lenient
from ganeti.confd.config import redaction
from ganeti.confd.config import snapshot as snapshotlib
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Iterator, Optional


#: Disk types whose storage is local to a node. The type "plain" is named "lvm"
#: before Ganeti 2.12.
_LOCAL = frozenset(["file", "lvm", "plain"])

#: Disk types by the first item of their logical_id: a volume group (LVM), a
#: pool (RBD), or a provider (EXT)
LVM = frozenset(["lvm", "plain"])
RBD = frozenset(["rbd"])
EXT = frozenset(["ext"])

#: Disk types whose logical_id is [driver, path], and whose volume's name is the
#: path alone
_PATHS = frozenset(["blockdev", "file", "gluster", "sharedfile"])

#: The location and the name of a volume. The location is the UUID of the node
#: that stores the volume, or the disk's type if all nodes share the storage.
Location = tuple[str, str]


def _Kind(stored: lenient.Stored) -> str:
  return lenient.Text(stored.get("dev_type"), "")


def _Name(stored: lenient.Stored) -> str:
  """Returns the name of a disk's volume, or "" if its logical_id has no name.

  """
  words = [item for item in lenient.List(stored.get("logical_id"))
           if isinstance(item, str)]
  if len(words) != 2:
    return ""
  return words[1] if _Kind(stored) in _PATHS else "/".join(words)


def Container(stored: lenient.Stored, kinds: frozenset[str]) -> Optional[str]:
  """Returns the volume group, the pool or the provider of a disk's volume.

  @param stored: the disk as stored
  @param kinds: the disk types that have such a container; a DRBD disk has the
    type of its first child
  @return: None if the disk is of another type

  """
  if _Kind(stored) in redaction.DRBD_TYPES:
    (stored, *_) = [*map(lenient.Dict, lenient.List(stored.get("children"))),
                    {}]
  if _Kind(stored) not in kinds:
    return None
  return lenient.Text(next(iter(lenient.List(stored.get("logical_id"))), None))


def Volumes(stored: lenient.Stored) -> list[str]:
  """Lists the names of the volumes that store a disk.

  @param stored: the disk as stored

  """
  if _Kind(stored) in redaction.DRBD_TYPES:
    names = [_Name(lenient.Dict(child))
             for child in lenient.List(stored.get("children"))]
  else:
    names = [_Name(stored)]
  return [name for name in names if name]


def Locations(disk: snapshotlib.Disk) -> Iterator[Location]:
  """Yields each volume of a disk with each of its nodes or its shared storage.

  """
  stored = disk.stored
  kind = _Kind(stored)
  if kind in redaction.DRBD_TYPES:
    storages = lenient.List(stored.get("logical_id"))[redaction.DRBD_NODES]
  elif kind in _LOCAL:
    storages = lenient.List(stored.get("nodes"))
    if (not storages and disk.instance is not None and
        disk.instance.primary is not None):
      storages = [disk.instance.primary.uuid]
  else:
    storages = [kind]
  for name in Volumes(stored):
    for storage in storages:
      yield (str(storage), name)

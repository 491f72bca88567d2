#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Where the data of disks are: logical volumes, files, images.

Facts: a disk's logical_id is [volume group, volume] with type plain, [driver,
path] with those of files and with blockdev, [pool, image] with rbd, [provider,
name] with ext. Data and metadata of a DRBD disk are on its children, which are
of type plain, on both nodes. Two nodes may each have a volume or a file of one
name; storage that all nodes reach has each name once.

"""

from __future__ import annotations

from ganeti.confd.config import lenient
from ganeti.confd.config import redaction
from ganeti.confd.config import snapshot as snapshotlib
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Iterator


#: Types whose data are on single nodes; "lvm" before Ganeti 2.12
_LOCAL = frozenset(["file", "lvm", "plain"])

#: Types whose logical_id begins with a word that is no part of the name
_PATHS = frozenset(["blockdev", "file", "gluster", "sharedfile"])

#: A node's UUID, or the type of a disk that all nodes reach; and a volume
Place = tuple[str, str]


def _Kind(stored: lenient.Stored) -> str:
  return lenient.Text(stored.get("dev_type"), "")


def _Name(stored: lenient.Stored) -> str:
  """Returns the name of a disk's volume, empty if it has none.

  """
  words = [item for item in lenient.List(stored.get("logical_id"))
           if isinstance(item, str)]
  if len(words) != 2:
    return ""
  return words[1] if _Kind(stored) in _PATHS else "/".join(words)


def Volumes(stored: lenient.Stored) -> list[str]:
  """Lists the volumes that hold a disk.

  @param stored: the disk as stored

  """
  if _Kind(stored) in redaction.DRBD_TYPES:
    names = [_Name(lenient.Dict(child))
             for child in lenient.List(stored.get("children"))]
  else:
    names = [_Name(stored)]
  return [name for name in names if name]


def Places(disk: snapshotlib.Disk) -> Iterator[Place]:
  """Yields each volume of a disk, with where it is.

  """
  stored = disk.stored
  kind = _Kind(stored)
  if kind in redaction.DRBD_TYPES:
    where = lenient.List(stored.get("logical_id"))[redaction.DRBD_NODES]
  elif kind in _LOCAL:
    where = lenient.List(stored.get("nodes"))
    if (not where and disk.instance is not None and
        disk.instance.primary is not None):
      where = [disk.instance.primary.uuid]
  else:
    where = [kind]
  for name in Volumes(stored):
    for place in where:
      yield (str(place), name)

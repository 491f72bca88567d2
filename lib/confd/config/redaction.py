#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Takes the secrets out of a configuration.

Facts, of what Ganeti writes: private OS parameters stand in an instance, by
name, and in the cluster, by OS, then name. The shared secret of a DRBD disk is
the sixth item of its C{logical_id} (two nodes, port, two minors, secret), and
of C{physical_id}, which files of before 2.9 may have beside it (address, port,
address, port, minor, secret). Before Ganeti 2.0 a DRBD disk has neither minors
nor a secret. Disks of other types have two texts there. A disk's children are
disks. An instance has disks, or their UUIDs.

Rule 1: a secret is found by the key that it stands under, wherever that key
stands. L{Object} is called with each JSON object as soon as it is parsed, the
inner ones first, so that no object is ever at hand that was not redacted.

Rule 2: a well-formed value keeps its form, and only the secret is replaced. A
value of another form, where a secret could stand, is replaced as a whole, since
nothing tells where in it the secret is. So is a value that is no object where
Ganeti has a disk or an instance: L{Item} does that, and L{SectionItem} for an
item of a section.

"""

from __future__ import annotations

from ganeti.confd import protocol
from ganeti.confd.config import lenient
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any


#: Names of DRBD's disk type before and since Ganeti 2.12
DRBD_TYPES = ("drbd8", "drbd")

#: Longest reference to a disk (characters)
_UUID_SIZE = 36

#: Places of the items of a DRBD disk's C{logical_id}
DRBD_NODES = slice(0, 2)
DRBD_PORT = slice(2, 3)
DRBD_MINORS = slice(3, 5)
_SECRET = 5

if TYPE_CHECKING:
  #: The ids of DRBD disks as stored, each with the secret that was in it, by
  #: the C{id()} of the list. L{Object} fills this; its caller forgets it as
  #: soon as the configuration is parsed.
  Secrets = dict[int, tuple[list[Any], str]]

#: The types of the items before the secret in C{logical_id} and C{physical_id}
_BEFORE_SECRET = frozenset([(str, str, int, int, int),
                            (str, int, str, int, int)])

#: The types of the items of a DRBD disk's id that has no secret
_WITHOUT_SECRET = [str, str, int]


def _Whole(value: Any) -> Any:
  """Replaces a value as a whole, unless it is empty: that hides nothing.

  """
  return protocol.REDACTED if value else value


def _Params(value: Any) -> Any:
  """Redacts private parameters by name.

  """
  if type(value) is dict:
    return dict.fromkeys(value, protocol.REDACTED)
  return _Whole(value)


def _ParamsByOs(value: Any) -> Any:
  """Redacts private parameters by OS, then name.

  """
  if type(value) is dict:
    return {name: (_Params(params) if type(params) is dict else
                   protocol.REDACTED)
            for (name, params) in value.items()}
  return _Whole(value)


def _Id(value: Any, kind: Any, secrets: Secrets) -> Any:
  """Redacts a disk's C{logical_id} or C{physical_id}.

  @param kind: the type of the disk, which counts as DRBD's if it is no text
  @param secrets: the value is added here

  """
  if type(value) is list:
    size = len(value)
    if size == 2:
      (one, two) = value
      if (type(one) is str and type(two) is str and type(kind) is str and
          kind not in DRBD_TYPES):
        return value
    elif size == _SECRET + 1:
      # The disk's type is not looked at: better to hide once too often
      (one, two, three, four, five, secret) = value
      if (type(one), type(two), type(three), type(four),
          type(five)) in _BEFORE_SECRET:
        if type(secret) is str and secret:
          secrets[id(value)] = (value, secret)
        value[_SECRET] = protocol.REDACTED
        return value
    elif list(map(type, value)) == _WITHOUT_SECRET:
      return value
  return _Whole(value)


def Item(value: Any) -> Any:
  """Redacts the value in the place of a disk, an instance or a section of them,
  after L{Object}.

  """
  return value if type(value) is dict else _Whole(value)


def _Children(value: Any, of_disk: bool) -> Any:
  """Redacts the value of a key "children".

  @param of_disk: whether the key is certainly a disk's: a parameter of an OS,
    which is a text, may have that name, too

  """
  if type(value) is list:
    return [Item(item) for item in value]
  return _Whole(value) if of_disk or type(value) is dict else value


def _Disks(value: Any, of_instance: bool) -> Any:
  """Redacts the value of a key "disks", of a configuration or an instance.

  @param of_instance: as with L{_Children}

  """
  if type(value) is list:
    return [item if type(item) is str and len(item) <= _UUID_SIZE else
            Item(item) for item in value]
  if type(value) is dict:
    return {key: Item(item) for (key, item) in value.items()}
  return _Whole(value) if of_instance else value


def Object(secrets: Secrets, stored: lenient.Stored) -> lenient.Stored:
  """Redacts any JSON object, in which all objects are redacted already.

  @param secrets: gets the id of the object, if it is a DRBD disk
  @return: the same object

  """
  # A configuration has ten objects or more for each instance, and half of them
  # are empty; in the others a look-up for each key takes less than a loop
  if not stored:
    return stored
  if "logical_id" in stored:
    stored["logical_id"] = _Id(stored["logical_id"], stored.get("dev_type"),
                               secrets)
  if "physical_id" in stored:
    # Its secret is that of the other id
    stored["physical_id"] = _Id(stored["physical_id"], stored.get("dev_type"),
                                {})
  # Most disks have no children
  if "children" in stored and stored["children"]:
    stored["children"] = _Children(stored["children"], "dev_type" in stored)
  if "disks" in stored:
    stored["disks"] = _Disks(stored["disks"], "primary_node" in stored)
  if "osparams_private" in stored:
    stored["osparams_private"] = _Params(stored["osparams_private"])
  if "osparams_private_cluster" in stored:
    stored["osparams_private_cluster"] = \
      _ParamsByOs(stored["osparams_private_cluster"])
  return stored


#: The keys that L{Object} looks for
KEYS = frozenset(["logical_id", "physical_id", "dev_type", "children", "disks",
                  "primary_node", "osparams_private",
                  "osparams_private_cluster"])

#: The sections whose items are objects with secrets
SECTIONS = ["instances", "disks"]


def SectionItem(value: Any) -> Any:
  """Redacts an item of one of L{SECTIONS} in place, after L{Object}.

  """
  if type(value) is not dict:
    return _Whole(value)
  # L{Object} leaves a text there if nothing else tells that this is a disk or
  # an instance
  for inner in ("children", "disks"):
    if type(value.get(inner)) is str:
      value[inner] = _Whole(value[inner])
  return value

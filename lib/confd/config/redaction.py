#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Replaces the secrets in a configuration.

Facts about files that Ganeti writes: private OS parameters are stored in an
instance, by name, and in the cluster, by OS, then name. The shared secret of a
DRBD disk is the sixth item of its C{logical_id} (two nodes, port, two minors,
secret). The secret is also the sixth item of C{physical_id}, which a disk in a
file of Ganeti before 2.9 may have as well (address, port, address, port, minor,
secret). Before Ganeti 2.0 a DRBD disk has neither minors nor a secret. The
C{logical_id} of a disk of another type has two items, both texts. A disk's
children are disks. An instance contains its disks, or their UUIDs.

Rule 1: a secret is found by its key, in any object of the configuration.
L{Object} is called with each JSON object as soon as it is parsed, inner objects
first, so that other code never gets an object that was not redacted.

Rule 2: a well-formed value keeps its form, and only the secret is replaced. A
malformed value that could contain a secret is replaced as a whole, since the
position of the secret in it is unknown. A value that is stored as a disk or an
instance, but is no object, is also replaced as a whole: by L{SectionItem} if it
is an item of a section, else by L{Item}.

"""

from __future__ import annotations

from ganeti.confd import protocol
from ganeti.confd.config import lenient
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any


#: The names of the disk type of DRBD: before Ganeti 2.12, and since then
DRBD_TYPES = ("drbd8", "drbd")

#: Maximum length of a reference to a disk, which is a UUID (characters)
_UUID_SIZE = 36

#: Indexes in the list C{logical_id} of a DRBD disk
DRBD_NODES = slice(0, 2)
DRBD_PORT = slice(2, 3)
DRBD_MINORS = slice(3, 5)
_SECRET = 5

if TYPE_CHECKING:
  #: The secrets of DRBD disks. Maps the C{id()} of each C{logical_id} list to
  #: the list and to the secret that was in it. L{Object} fills the dict, and
  #: its caller deletes the dict when the configuration is parsed.
  Secrets = dict[int, tuple[list[Any], str]]

#: The types of the items that precede the secret in a DRBD disk's C{logical_id}
#: or C{physical_id}
_BEFORE_SECRET = frozenset([(str, str, int, int, int),
                            (str, int, str, int, int)])

#: The types of the items in the C{logical_id} of a DRBD disk without a secret,
#: as stored before Ganeti 2.0
_WITHOUT_SECRET = [str, str, int]


def _RedactWhole(value: Any) -> Any:
  """Replaces a whole value, unless it is empty and so contains no secret.

  """
  return protocol.REDACTED if value else value


def _Params(value: Any) -> Any:
  """Redacts the private parameters of an instance, a dict by name.

  """
  if type(value) is dict:
    return dict.fromkeys(value, protocol.REDACTED)
  return _RedactWhole(value)


def _ParamsByOs(value: Any) -> Any:
  """Redacts the private parameters of the cluster, a dict by OS, then name.

  """
  if type(value) is dict:
    return {name: (_Params(params) if type(params) is dict else
                   protocol.REDACTED)
            for (name, params) in value.items()}
  return _RedactWhole(value)


def _Id(value: Any, kind: Any, secrets: Secrets) -> Any:
  """Redacts a disk's C{logical_id} or C{physical_id}.

  @param kind: the type of the disk; anything but a text counts as DRBD
  @param secrets: the value and its secret are added here

  """
  if type(value) is list:
    size = len(value)
    if size == 2:
      (one, two) = value
      if (type(one) is str and type(two) is str and type(kind) is str and
          kind not in DRBD_TYPES):
        return value
    elif size == _SECRET + 1:
      # Redact disks of all types, and not only DRBD: to hide a harmless text
      # does less harm than to show a secret
      (one, two, three, four, five, secret) = value
      if (type(one), type(two), type(three), type(four),
          type(five)) in _BEFORE_SECRET:
        if type(secret) is str and secret:
          secrets[id(value)] = (value, secret)
        value[_SECRET] = protocol.REDACTED
        return value
    elif list(map(type, value)) == _WITHOUT_SECRET:
      return value
  return _RedactWhole(value)


def Item(value: Any) -> Any:
  """Redacts a value that is stored as a disk, an instance or a section of them.

  L{Object} was called for all objects in the value.

  """
  return value if type(value) is dict else _RedactWhole(value)


def _Children(value: Any, of_disk: bool) -> Any:
  """Redacts the value of a key "children".

  @param of_disk: whether the object is certainly a disk. In other objects a
    text is left alone: an OS parameter may have that name, too.

  """
  if type(value) is list:
    return [Item(item) for item in value]
  return _RedactWhole(value) if of_disk or type(value) is dict else value


def _Disks(value: Any, of_instance: bool) -> Any:
  """Redacts the value of a key "disks", of a configuration or an instance.

  @param of_instance: whether the object is certainly an instance, see
    L{_Children}

  """
  if type(value) is list:
    return [item if type(item) is str and len(item) <= _UUID_SIZE else
            Item(item) for item in value]
  if type(value) is dict:
    return {key: Item(item) for (key, item) in value.items()}
  return _RedactWhole(value) if of_instance else value


def Object(secrets: Secrets, stored: lenient.Stored) -> lenient.Stored:
  """Redacts any JSON object, after all objects inside it were redacted.

  @param secrets: if the object is a DRBD disk, its secret is added here
  @return: the same object

  """
  # A configuration has ten objects or more for each instance, so this function
  # has to be fast. Half of all objects are empty: return early. In the others,
  # look up each key of L{KEYS}, which is faster than a loop over the object's
  # keys.
  if not stored:
    return stored
  if "logical_id" in stored:
    stored["logical_id"] = _Id(stored["logical_id"], stored.get("dev_type"),
                               secrets)
  if "physical_id" in stored:
    # Pass {}, so that the secret is not recorded a second time: the disk has
    # the same secret in its logical_id
    stored["physical_id"] = _Id(stored["physical_id"], stored.get("dev_type"),
                                {})
  # To save time, do not call _Children for an empty list, which most disks have
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


#: The keys that L{Object} looks up
KEYS = frozenset(["logical_id", "physical_id", "dev_type", "children", "disks",
                  "primary_node", "osparams_private",
                  "osparams_private_cluster"])

#: The sections of the configuration whose items contain secrets
SECTIONS = ["instances", "disks"]


def SectionItem(value: Any) -> Any:
  """Redacts an item of one of L{SECTIONS} in place, after L{Object}.

  """
  if type(value) is not dict:
    return _RedactWhole(value)
  # The item is a disk or an instance, so a text under one of these keys may be
  # a secret. L{Object} leaves such a text alone, as it does not know the type
  # of the object.
  if type(value.get("children")) is str:
    value["children"] = _RedactWhole(value["children"])
  if type(value.get("disks")) is str:
    value["disks"] = _RedactWhole(value["disks"])
  return value

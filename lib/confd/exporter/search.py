#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Searches all clusters for what people type: names, addresses, tags, UUIDs.

A search is a list of words. An object is found if each word matches one of its
values, or its kind or cluster. No word is a regular expression, so the time for
a search is proportional to the size of the clusters.

"""

from __future__ import annotations

import fnmatch
import ipaddress
import itertools
import re

from typing import Any, Callable, Iterable, Iterator, Mapping, NamedTuple, \
  Optional, Union

from ganeti.confd.exporter import clusterstate
from ganeti.confd.exporter import forked
from ganeti.confd.schema import columns
from ganeti.confd.schema import naturalorder
from ganeti.confd.views import whohas


#: Maximum length of a search (characters)
MAX_LENGTH = 200

#: The kind of hits that are clusters
CLUSTER = "cluster"

#: Ranks of matches, best first: the word identifies the object; a value only
#: contains the word
(_EXACT, _PART) = (0, 1)

_NAME = "name"
_TAGS = "tag"

#: Maps each kind of object to the fields that are searched, each with the text
#: that hits show for the field
_FIELDS: dict[str, dict[str, str]] = {
  columns.NODE: {"name": _NAME, "uuid": "UUID", "pip": "primary IP",
                 "sip": "secondary IP", "role": "role", "tags": _TAGS},
  columns.INSTANCE: {"name": _NAME, "uuid": "UUID", "nic.ips": "IP",
                     "nic.macs": "MAC", "nic.names": "NIC",
                     "nic.uuids": "UUID of a NIC", "os": "OS",
                     "hypervisor": "hypervisor", "admin_state": "state",
                     "disk_template": "disk template", "tags": _TAGS},
  columns.GROUP: {"name": _NAME, "uuid": "UUID", "tags": _TAGS},
  columns.NETWORK: {"name": _NAME, "uuid": "UUID", "network": "subnet",
                    "gateway": "gateway", "network6": "IPv6 subnet",
                    "gateway6": "IPv6 gateway", "tags": _TAGS},
  }

#: The fields of disks that are searched, each with the text that hits show for
#: the field. The hit is the instance that has the disk.
_DISK_FIELDS = {"uuid": "UUID of a disk", "name": "disk", "volumes": "volume"}

#: The fields whose values identify an object
_IDENTIFYING = frozenset(["name", "uuid", "pip", "sip", "nic.ips", "nic.macs",
                          "nic.uuids", "volumes", "network", "gateway",
                          "network6", "gateway6"])

#: Maps each kind of address to the fields with addresses of that kind
_ADDRESS_FIELDS = {
  whohas.IP: frozenset(["nic.ips", "pip", "sip", "gateway", "gateway6"]),
  whohas.MAC: frozenset(["nic.macs"]),
  }

_SUBNET_FIELDS = frozenset(["network", "network6"])

#: Words that find all objects of a kind
_KIND_WORDS = {
  "vm": columns.INSTANCE,
  "vms": columns.INSTANCE,
  CLUSTER: CLUSTER,
  CLUSTER + "s": CLUSTER,
  **{kind + plural: kind for kind in _FIELDS for plural in ("", "s")},
  }

#: Words that find objects in a state
_STATE_WORDS = frozenset([*columns.ROLES.values(), "up", "down"])

#: A part of a MAC address, at least two bytes
_MAC_PART_RE = re.compile("[0-9a-f]{2}(?:[:-][0-9a-f]{2})+[:-]?")

_Subnet = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
_Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

#: A function that gets a field and a value, and returns the rank of the match;
#: None for no match
_Match = Callable[[str, str], Optional[int]]


class Hit(NamedTuple):
  """An object that was found.

  """
  cluster: str
  #: L{CLUSTER}, or one of C{columns.KINDS}
  kind: str
  name: Any
  uuid: Any
  #: L{_EXACT} or L{_PART}
  rank: int
  #: Where each word was found: the text for the field, and the value
  places: list[tuple[str, str]]


class _Object(NamedTuple):
  """An object, with all values that are searched.

  """
  kind: str
  name: Any
  uuid: Any
  #: A tuple for each value: the field, the text for the field, and the value
  values: list[tuple[str, str, str]]


def _Texts(value: Any) -> Iterator[str]:
  """Yields the texts in a field.

  """
  for item in value if isinstance(value, list) else [value]:
    if isinstance(item, str) and item:
      yield item


def _Values(row: Mapping[str, Any], fields: Mapping[str, str]
            ) -> Iterator[tuple[str, str, str]]:
  for (field, text) in fields.items():
    for value in _Texts(row[field]):
      if field == "role":
        value = columns.ROLES.get(value, value)
      yield (field, text, value)


def _Objects(config: clusterstate.ClusterConfig) -> Iterator[_Object]:
  """Yields all objects of a cluster.

  Only one object at a time has its values prepared for the search: those of all
  objects of a large cluster would exceed the limit on the process's memory.

  """
  disks: dict[Any, list[list[Any]]] = {}
  for (instance, *disk) in config.tables[columns.DISK].Values(
      ["instance", *_DISK_FIELDS]):
    disks.setdefault(instance, []).append(disk)
  for (kind, fields) in _FIELDS.items():
    for values in config.tables[kind].Values(list(fields)):
      row = dict(zip(fields, values))
      searched = list(_Values(row, fields))
      if kind == columns.INSTANCE:
        for disk in disks.get(row["name"], ()):
          searched += _Values(dict(zip(_DISK_FIELDS, disk)), _DISK_FIELDS)
      yield _Object(kind, row["name"], row["uuid"], searched)


def _ParseSubnet(text: str) -> Optional[_Subnet]:
  try:
    return ipaddress.ip_network(text, strict=False)
  except ValueError:
    return None


def _ParseAddress(text: str) -> Optional[_Address]:
  try:
    return ipaddress.ip_address(text)
  except ValueError:
    return None


def _MatchAddress(kind: str, address: str) -> _Match:
  """Makes a function that looks for an address in any notation.

  For an IP address, the subnet that contains it matches, too.

  """
  parsed = _ParseAddress(address)

  def _Find(field: str, value: str) -> Optional[int]:
    if parsed is not None and field in _SUBNET_FIELDS:
      subnet = _ParseSubnet(value)
      return _PART if subnet is not None and parsed in subnet else None
    if (field in _ADDRESS_FIELDS[kind] and
        whohas.Parse(value) == (kind, address)):
      return _EXACT
    return None
  return _Find


def _MatchSubnet(subnet: _Subnet) -> _Match:
  """Makes a function that looks for a subnet, and for addresses in it.

  """
  def _Find(field: str, value: str) -> Optional[int]:
    if field in _SUBNET_FIELDS:
      return _EXACT if _ParseSubnet(value) == subnet else None
    if field not in _ADDRESS_FIELDS[whohas.IP]:
      return None
    address = _ParseAddress(value)
    return _PART if address is not None and address in subnet else None
  return _Find


def _MatchTag(tag: str) -> _Match:
  """Makes a function that looks for a whole tag.

  """
  return lambda field, value: _PART if (
    field == "tags" and value.lower() == tag) else None


def _MatchPattern(pattern: str) -> _Match:
  """Makes a function that matches a pattern with a shell's wildcards.

  """
  regexp = re.compile(fnmatch.translate(pattern))
  return lambda field, value: _PART if regexp.match(value.lower()) else None


def _MatchText(text: str) -> _Match:
  """Makes a function that looks for a text, which may be part of a value.

  """
  def _Find(field: str, value: str) -> Optional[int]:
    if text not in value.lower():
      return None
    if field in _IDENTIFYING and whohas.IsMeant(field, value, text):
      return _EXACT
    return _PART
  return _Find


def _ParseWord(word: str) -> _Match:
  """Makes the function that looks for a word.

  """
  text = word.lower()
  sought = whohas.Parse(text)
  if sought.kind == whohas.TAG:
    return _MatchTag(sought.value)
  if sought.kind != whohas.NAME:
    return _MatchAddress(sought.kind, sought.value)
  subnet = _ParseSubnet(text) if "/" in text else None
  if subnet is not None:
    return _MatchSubnet(subnet)
  if "*" in text or "?" in text:
    return _MatchPattern(text)
  if _MAC_PART_RE.fullmatch(text):
    return _MatchText(text.replace("-", ":"))
  # Drop the dot at the end of a fully qualified name, as DNS tools print it
  return _MatchText(text[:-1] if text.endswith(".") and len(text) > 1 else text)


class _Word(NamedTuple):
  """A word of a search.

  """
  text: str
  match: _Match

  def Find(self, cluster: str, found: _Object
           ) -> Optional[tuple[int, Optional[tuple[str, str]]]]:
    """Looks for the word in an object.

    @return: how well it matches, and the text for the field and the value; None
      if it does not match

    """
    ranks = [(self.match(field, value), text, value)
             for (field, text, value) in found.values]
    matches = [(rank, (text, value)) for (rank, text, value) in ranks
               if rank is not None]
    if matches:
      return min(matches, key=lambda match: match[0])
    word = self.text.lower()
    if word == cluster.lower() or _KIND_WORDS.get(word) == found.kind:
      return (_PART, None)
    return None


def IsForTag(text: str) -> bool:
  """Tells whether a search is for a whole tag.

  """
  return text.lower().startswith(whohas.TAG_PREFIX)


def MayBeName(word: str) -> bool:
  """Tells whether a word may be an object's name, rather than a description.

  """
  word = word.lower()
  return not (whohas.Parse(word).kind != whohas.NAME or set("*?/:") & set(word)
              or word in _KIND_WORDS or word in _STATE_WORDS)


def TagSearch(tag: str) -> str:
  """Returns the search for all objects with a tag.

  """
  return whohas.TAG_PREFIX + tag


def _FindObject(words: Iterable[_Word], cluster: str, found: _Object
                ) -> Optional[Hit]:
  """Looks for all words in an object.

  """
  ranks = []
  places = []
  for word in words:
    match = word.Find(cluster, found)
    if match is None:
      return None
    (rank, place) = match
    ranks.append(rank)
    if place is not None and place not in places:
      places.append(place)
  return Hit(cluster, found.kind, found.name, found.uuid, min(ranks), places)


def _Cluster(cluster: str, config: clusterstate.ClusterConfig) -> _Object:
  values = [("name", _NAME, cluster)]
  values += [("name", _NAME, text) for text in _Texts(config.name)
             if text != cluster]
  values += [("pip", "master IP", text)
             for text in _Texts(config.cluster.get("master_ip"))]
  values += [("tags", _TAGS, text)
             for text in _Texts(config.cluster.get("tags"))]
  return _Object(CLUSTER, cluster, None, values)


def Search(clusters: Mapping[str, clusterstate.ClusterConfig], text: str
           ) -> list[Hit]:
  """Searches clusters.

  @param clusters: configurations, by the cluster's name in the settings
  @param text: the words
  @return: the best hits first, then by kind and name
  @raise forked.BadRequest: the text is too long

  """
  if len(text) > MAX_LENGTH:
    raise forked.BadRequest("The search has more than %d characters." %
                            MAX_LENGTH)
  words = [_Word(word, _ParseWord(word)) for word in dict.fromkeys(
    text.split())]
  if not words:
    return []
  hits = []
  for (cluster, config) in clusters.items():
    for found in itertools.chain([_Cluster(cluster, config)], _Objects(config)):
      hit = _FindObject(words, cluster, found)
      if hit is not None:
        hits.append(hit)
  order = [CLUSTER, *_FIELDS]
  hits.sort(key=lambda hit: (hit.rank, order.index(hit.kind),
                             naturalorder.AnyKey(hit.name)))
  return hits


def Single(hits: list[Hit]) -> Optional[Hit]:
  """Returns the only exact hit, or else the only hit; None if neither exists.

  """
  exact = [hit for hit in hits if hit.rank == _EXACT]
  for candidates in (exact, hits):
    if len(candidates) == 1:
      return candidates[0]
  return None

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Looks up which object has an address, a name, a UUID, a volume or a tag.

L{Parse} tells what a word is. L{InstancesWith} and L{Find} look an address or
the name of an instance or a node up in tables, L{FindOther} anything else. The
same address may be used several times, in different networks or on different
links; each use is a match of its own.

"""

from __future__ import annotations

import ipaddress
import re

from typing import Any, Callable, Iterator, Mapping, NamedTuple, Optional, \
  Sequence

from ganeti.confd.schema import columns


#: The kinds of words that can be looked up
IP = "IP address"
MAC = "MAC address"
TAG = "tag"
#: Any word of no other kind: a name, a UUID, a volume, or a tag
NAME = "name"

#: The prefix of a word that means a tag and nothing else
TAG_PREFIX = "tag:"

#: Maps each kind of address to the field of instances with addresses of that
#: kind
ADDRESS_FIELDS = {
  IP: "nic.ips",
  MAC: "nic.macs",
  }

#: The fields of instances and nodes that L{Find} needs
_NIC_FIELDS = ("nic.names", "nic.ips", "nic.macs", "nic.modes", "nic.links",
               "nic.networks.names")
INSTANCE_FIELDS = ("name", "pnode", "snodes") + _NIC_FIELDS
NODE_FIELDS = ("name", "pip", "sip")

#: The fields that L{FindOther} needs, by table
OTHER_FIELDS: dict[str, list[str]] = {
  columns.INSTANCE: [*INSTANCE_FIELDS, "nic.uuids", "tags"],
  columns.NODE: [*NODE_FIELDS, "tags"],
  columns.GROUP: ["name", "uuid", "tags"],
  columns.NETWORK: ["name", "uuid", "tags"],
  columns.DISK: ["uuid", "name", "volumes", "instance", "index"],
  }

#: The kind of a match is one of these, or one of C{columns.KINDS}
INSTANCE = columns.INSTANCE
PRIMARY_IP = "primary IP"
SECONDARY_IP = "secondary IP"
MASTER_IP = "master IP"

#: Two notations of MAC addresses: that of ip(8) and most other programs, and
#: that of Cisco's devices
_MAC_RE = re.compile(r"[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}"
                     r"|[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}")

_Row = Mapping[str, Any]


class Sought(NamedTuple):
  """The word to look up.

  """
  #: L{IP}, L{MAC}, L{TAG} or L{NAME}
  kind: str
  #: An address in canonical form; a word of any other kind as it was typed
  value: str


class NodeIps(NamedTuple):
  """A node and its addresses, which are None if the node is not in the table.

  """
  name: str
  primary_ip: Optional[str]
  secondary_ip: Optional[str]


class Nic(NamedTuple):
  """A network interface of an instance.

  """
  number: int
  name: Optional[str]
  mac: Optional[str]
  mode: Optional[str]
  link: Optional[str]
  #: The network's name
  network: Optional[str]


class Disk(NamedTuple):
  """A disk of an instance.

  """
  #: The index of the disk; None if the disk is not attached to an instance
  number: Optional[int]
  name: Optional[str]
  uuid: Optional[str]
  volumes: list[Any]


class Match(NamedTuple):
  """An object with the address, name, UUID, volume or tag that was looked up.

  """
  #: One of C{columns.KINDS}, or L{PRIMARY_IP}, L{SECONDARY_IP} or L{MASTER_IP}
  what: str
  #: The object's name; for a disk without an instance, its UUID
  name: str
  ip: Optional[str]
  #: The network interface of the instance that this match shows, such as the
  #: one with the address that was looked up; None if the match shows none
  nic: Optional[Nic]
  #: The primary node of the instance that was found, or the node that was found
  node: Optional[NodeIps]
  secondaries: list[NodeIps]
  #: The disk that was looked up; None if no disk was looked up
  disk: Optional[Disk] = None


def AsDict(match: Match) -> dict[str, Any]:
  """Converts a match to a JSON object.

  """
  (nic, node, disk) = (match.nic, match.node, match.disk)
  return dict(match._asdict(),
              nic=None if nic is None else nic._asdict(),
              disk=None if disk is None else disk._asdict(),
              node=None if node is None else node._asdict(),
              secondaries=[mirror._asdict() for mirror in match.secondaries])


def _SpellIp(text: Any) -> Optional[str]:
  """Returns an IP address in canonical form; None for anything else.

  """
  if not isinstance(text, str):
    return None
  try:
    address = ipaddress.ip_address(text)
  except ValueError:
    return None
  # Return the IPv4 address in place of an IPv4-mapped IPv6 address such as
  # ::ffff:192.0.2.1: programs with an IPv6 socket show IPv4 addresses in this
  # form
  return str(getattr(address, "ipv4_mapped", None) or address)


def _SpellMac(text: Any) -> Optional[str]:
  """Returns a MAC address in canonical form; None for anything else.

  """
  if not (isinstance(text, str) and _MAC_RE.fullmatch(text.lower())):
    return None
  digits = re.sub("[^0-9a-f]", "", text.lower())
  return ":".join(digits[i:i + 2] for i in range(0, len(digits), 2))


_SPELL: dict[str, Callable[[Any], Optional[str]]] = {
  IP: _SpellIp,
  MAC: _SpellMac,
  }


def Parse(word: str) -> Sought:
  """Parses a word.

  """
  if word.lower().startswith(TAG_PREFIX) and len(word) > len(TAG_PREFIX):
    return Sought(TAG, word[len(TAG_PREFIX):])
  for (kind, spell) in _SPELL.items():
    value = spell(word)
    if value is not None:
      return Sought(kind, value)
  return Sought(NAME, word)


def IsMeant(field: str, value: str, text: str) -> bool:
  """Tells whether a text means the value of a field.

  Upper and lower case are the same. A host name may be shortened to its first
  label, and a logical volume may be named without its volume group.

  @param field: "name", "volumes", or any other field

  """
  (value, text) = (value.lower(), text.lower())
  if not text:
    return False
  return (value == text or
          field == "name" and value.startswith(text + ".") or
          field == "volumes" and value.partition("/")[2] == text)


def InstancesWith(sought: Sought, rows: Sequence[_Row]) -> list[str]:
  """Returns the names of the instances that have an address.

  @param sought: an IP or MAC address
  @param rows: instances, with the name and the field of L{ADDRESS_FIELDS}

  """
  spell = _SPELL[sought.kind]
  field = ADDRESS_FIELDS[sought.kind]
  return [row["name"] for row in rows
          if any(spell(address) == sought.value for address in row[field])]


class _Nodes:
  """The addresses of all nodes.

  """
  def __init__(self, rows: Sequence[_Row]) -> None:
    self.known = {row["name"]: NodeIps(*[row[field] for field in NODE_FIELDS])
                  for row in rows}

  def Find(self, name: str) -> NodeIps:
    return self.known.get(name, NodeIps(name, None, None))


def _MatchInstance(row: _Row, nodes: _Nodes, nic: Optional[Nic] = None,
                   ip: Optional[str] = None, disk: Optional[Disk] = None
                   ) -> Match:
  return Match(INSTANCE, row["name"], ip, nic,
               None if row["pnode"] is None else nodes.Find(row["pnode"]),
               [nodes.Find(i) for i in row["snodes"]], disk)


def _Nics(row: _Row) -> Iterator[tuple[Nic, Optional[str]]]:
  """Yields an instance's network interfaces, each with its IP address.

  """
  for (number, (name, ip, mac, mode, link, network)) in \
      enumerate(zip(*[row[field] for field in _NIC_FIELDS])):
    yield (Nic(number, name, mac, mode, link, network), ip)


def _OfInstance(sought: Sought, row: _Row, nodes: _Nodes) -> list[Match]:
  matches = []
  for (nic, ip) in _Nics(row):
    address = nic.mac if sought.kind == MAC else ip
    if sought.kind == NAME or _SPELL[sought.kind](address) == sought.value:
      matches.append(_MatchInstance(row, nodes, nic, ip))
  if sought.kind == NAME and not matches:
    matches.append(_MatchInstance(row, nodes))
  return matches


def _OfNode(sought: Sought, node: NodeIps) -> list[Match]:
  addresses = [(PRIMARY_IP, node.primary_ip)]
  if node.secondary_ip != node.primary_ip:
    addresses.append((SECONDARY_IP, node.secondary_ip))
  return [Match(what, node.name, ip, None, node, [])
          for (what, ip) in addresses
          if sought.kind == NAME or _SpellIp(ip) == sought.value]


def Find(sought: Sought, instances: Sequence[_Row], nodes: Sequence[_Row],
         named: Optional[str] = None,
         master: Optional[Sequence[str]] = None) -> list[Match]:
  """Returns the objects that have an address or name.

  @param instances: the instances that have the address or name, with
    L{INSTANCE_FIELDS}
  @param nodes: all nodes, with L{NODE_FIELDS}
  @param named: the full name of the node that has the sought name; None if no
    node has it
  @param master: the name of the master node, and the master IP

  """
  of_nodes = _Nodes(nodes)
  matches = [match for row in instances
             for match in _OfInstance(sought, row, of_nodes)]
  for node in of_nodes.known.values():
    if sought.kind == IP or (sought.kind == NAME and node.name == named):
      matches.extend(_OfNode(sought, node))
  if master is not None and sought.kind == IP:
    (name, ip) = master
    if _SpellIp(ip) == sought.value:
      matches.append(Match(MASTER_IP, name, ip, None, of_nodes.Find(name), []))
  return matches


def _Has(sought: Sought, row: _Row, *fields: str) -> bool:
  """Tells whether one of an object's fields has the word.

  @param fields: fields whose values are texts, or lists of texts

  """
  for field in fields:
    if sought.kind == TAG and field != "tags":
      continue
    value = row[field]
    for item in value if isinstance(value, list) else [value]:
      if isinstance(item, str) and IsMeant(field, item, sought.value):
        return True
  return False


def _OtherInstances(sought: Sought, rows: Sequence[_Row], nodes: _Nodes
                    ) -> Iterator[Match]:
  for row in rows:
    uuids = row["nic.uuids"]
    nics = [] if sought.kind == TAG else [
      (nic, ip) for ((nic, ip), uuid) in zip(_Nics(row), uuids)
      if isinstance(uuid, str) and IsMeant("uuid", uuid, sought.value)]
    if nics:
      for (nic, ip) in nics:
        yield _MatchInstance(row, nodes, nic, ip)
    elif _Has(sought, row, "name", "tags"):
      yield _MatchInstance(row, nodes)


def _OtherDisks(sought: Sought, rows: Sequence[_Row],
                instances: Mapping[str, _Row], nodes: _Nodes
                ) -> Iterator[Match]:
  for row in rows:
    if sought.kind == TAG or not _Has(sought, row, "uuid", "name", "volumes"):
      continue
    disk = Disk(row["index"], row["name"], row["uuid"], row["volumes"])
    instance = instances.get(row["instance"])
    yield (Match(columns.DISK, row["uuid"], None, None, None, [], disk)
           if instance is None else
           _MatchInstance(instance, nodes, disk=disk))


def FindOther(sought: Sought, tables: Mapping[str, Sequence[_Row]]
              ) -> list[Match]:
  """Returns the objects that have a name, a UUID, a volume or a tag.

  @param sought: a L{NAME} or a L{TAG}
  @param tables: all rows with L{OTHER_FIELDS}, by table; tables other than
    those of instances and nodes may be missing

  """
  nodes = _Nodes(tables[columns.NODE])
  instances = tables[columns.INSTANCE]
  matches = list(_OtherInstances(sought, instances, nodes))
  matches.extend(_OtherDisks(sought, tables.get(columns.DISK, []),
                             {row["name"]: row for row in instances}, nodes))
  for row in tables[columns.NODE]:
    if _Has(sought, row, "name", "tags"):
      matches.append(Match(columns.NODE, row["name"], row["pip"], None,
                           nodes.Find(row["name"]), []))
  for kind in (columns.GROUP, columns.NETWORK):
    matches.extend(Match(kind, row["name"], None, None, None, [])
                   for row in tables.get(kind, [])
                   if _Has(sought, row, "name", "uuid", "tags"))
  return matches

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Looks up which object has an IP address, a MAC address or a name.

L{Parse} tells which of the three a word is; L{InstancesWith} and L{Find} look
it up in tables. The same address may be used several times, in different
networks or on different links; each use is a match of its own.

"""

from __future__ import annotations

import ipaddress
import re

from typing import Any, Callable, Mapping, NamedTuple, Optional, Sequence


#: Kinds of words
IP = "IP address"
MAC = "MAC address"
NAME = "name"

#: Maps the kinds of addresses to the instances' field with such addresses
ADDRESS_FIELDS = {
  IP: "nic.ips",
  MAC: "nic.macs",
  }

#: The fields of instances and nodes that L{Find} needs
_NIC_FIELDS = ("nic.names", "nic.ips", "nic.macs", "nic.modes", "nic.links",
               "nic.networks.names")
INSTANCE_FIELDS = ("name", "pnode", "snodes") + _NIC_FIELDS
NODE_FIELDS = ("name", "pip", "sip")

#: Kinds of matches
INSTANCE = "instance"
PRIMARY_IP = "primary IP"
SECONDARY_IP = "secondary IP"
MASTER_IP = "master IP"

#: Two notations of MAC addresses: that of ip(8) and most other programs, and
#: that of Cisco's devices
_MAC_RE = re.compile(r"[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}"
                     r"|[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}")

_Row = Mapping[str, Any]


class Sought(NamedTuple):
  """The address or name to look up.

  """
  #: L{IP}, L{MAC} or L{NAME}
  kind: str
  #: An address in canonical form, or a name as it was typed
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


class Match(NamedTuple):
  """An object that has the address or name.

  """
  #: L{INSTANCE}, L{PRIMARY_IP}, L{SECONDARY_IP} or L{MASTER_IP}
  what: str
  #: The name of the instance or node
  name: str
  ip: Optional[str]
  #: The instance's network interface; None for nodes
  nic: Optional[Nic]
  #: The instance's primary node, or the node itself
  node: Optional[NodeIps]
  secondaries: list[NodeIps]


def AsDict(match: Match) -> dict[str, Any]:
  """Converts a match to a JSON object.

  """
  (nic, node) = (match.nic, match.node)
  return dict(match._asdict(),
              nic=None if nic is None else nic._asdict(),
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
  # Programs with an IPv6 socket see the IPv4 address 192.0.2.1 as
  # ::ffff:192.0.2.1
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
  """Parses a word; a word that is no address is a name.

  """
  for (kind, spell) in _SPELL.items():
    value = spell(word)
    if value is not None:
      return Sought(kind, value)
  return Sought(NAME, word)


def InstancesWith(sought: Sought, rows: Sequence[_Row]) -> list[str]:
  """Returns the names of the instances that have an address.

  @param sought: an IP or MAC address
  @param rows: instances, with the name and the field of L{ADDRESS_FIELDS}

  """
  spell = _SPELL[sought.kind]
  field = ADDRESS_FIELDS[sought.kind]
  return [row["name"] for row in rows
          if any(spell(address) == sought.value for address in row[field])]


def _OfInstance(sought: Sought, row: _Row, find: Callable[[str], NodeIps]
                ) -> list[Match]:
  name = row["name"]
  node = None if row["pnode"] is None else find(row["pnode"])
  mirrors = [find(i) for i in row["snodes"]]
  matches = []
  for (number, (nic_name, ip, mac, mode, link, network)) in \
      enumerate(zip(*[row[field] for field in _NIC_FIELDS])):
    address = mac if sought.kind == MAC else ip
    if sought.kind == NAME or _SPELL[sought.kind](address) == sought.value:
      matches.append(Match(INSTANCE, name, ip,
                            Nic(number, nic_name, mac, mode, link, network),
                            node, mirrors))
  if sought.kind == NAME and not matches:
    matches.append(Match(INSTANCE, name, None, None, node, mirrors))
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
  known = {row["name"]: NodeIps(*[row[field] for field in NODE_FIELDS])
           for row in nodes}

  def _Node(name: str) -> NodeIps:
    return known.get(name, NodeIps(name, None, None))

  matches = [match for row in instances
              for match in _OfInstance(sought, row, _Node)]
  for node in known.values():
    if sought.kind == IP or (sought.kind == NAME and node.name == named):
      matches.extend(_OfNode(sought, node))
  if master is not None and sought.kind == IP:
    (name, ip) = master
    if _SpellIp(ip) == sought.value:
      matches.append(Match(MASTER_IP, name, ip, None, _Node(name), []))
  return matches

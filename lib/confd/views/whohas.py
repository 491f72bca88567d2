#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Who has an IP address, a MAC address or a name.

L{Parse} tells what a word is; L{InstancesWith} and L{Find} look for it in
tables. An address may be there more than once, in several networks or on
several links; each place is a finding of its own.

"""

from __future__ import annotations

import ipaddress
import re

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, \
  Sequence


#: What a word is
IP = "IP address"
MAC = "MAC address"
NAME = "name"

#: The field of instances in which each kind of address is looked for
ADDRESS_FIELDS = {
  IP: "nic.ips",
  MAC: "nic.macs",
  }

#: The fields that L{Find} wants to have of instances and of nodes
_NIC_FIELDS = ("nic.names", "nic.ips", "nic.macs", "nic.modes", "nic.links",
               "nic.networks.names")
INSTANCE_FIELDS = ("name", "pnode", "snodes") + _NIC_FIELDS
NODE_FIELDS = ("name", "pip", "sip")

#: What a finding is
INSTANCE = "instance"
PRIMARY_IP = "primary IP"
SECONDARY_IP = "secondary IP"
MASTER_IP = "master IP"

#: As ip(8) and most others write it, and as Cisco's devices do
_MAC_RE = re.compile(r"[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}"
                     r"|[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}")

_Row = Mapping[str, Any]


class Sought(NamedTuple):
  """What is looked for.

  """
  #: L{IP}, L{MAC} or L{NAME}
  kind: str
  #: The one spelling of an address; a name as it was typed
  value: str


class Node(NamedTuple):
  """A node; the addresses are None where it is not in the table of nodes.

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


class Finding(NamedTuple):
  """One place where it is.

  """
  what: str
  #: The instance's or node's
  name: str
  ip: Optional[str]
  #: Only instances have one, if any
  nic: Optional[Nic]
  #: The instance's primary node, else the node itself
  node: Optional[Node]
  secondaries: List[Node]


def AsDict(finding: Finding) -> Dict[str, Any]:
  """Makes of a finding what JSON can tell.

  """
  (nic, node) = (finding.nic, finding.node)
  return dict(finding._asdict(),
              nic=None if nic is None else nic._asdict(),
              node=None if node is None else node._asdict(),
              secondaries=[mirror._asdict() for mirror in finding.secondaries])


def _SpellIp(text: Any) -> Optional[str]:
  """Returns the one spelling of an IP address; None for anything else.

  """
  if not isinstance(text, str):
    return None
  try:
    address = ipaddress.ip_address(text)
  except ValueError:
    return None
  # ::ffff:192.0.2.1 is how programs see IPv4 on an IPv6 socket
  return str(getattr(address, "ipv4_mapped", None) or address)


def _SpellMac(text: Any) -> Optional[str]:
  """Returns the one spelling of a MAC address; None for anything else.

  """
  if not (isinstance(text, str) and _MAC_RE.fullmatch(text.lower())):
    return None
  digits = re.sub("[^0-9a-f]", "", text.lower())
  return ":".join(digits[i:i + 2] for i in range(0, len(digits), 2))


_SPELL: Dict[str, Callable[[Any], Optional[str]]] = {
  IP: _SpellIp,
  MAC: _SpellMac,
  }


def Parse(word: str) -> Sought:
  """Tells what a word is; what is no address is a name.

  """
  for (kind, spell) in _SPELL.items():
    value = spell(word)
    if value is not None:
      return Sought(kind, value)
  return Sought(NAME, word)


def InstancesWith(sought: Sought, rows: Sequence[_Row]) -> List[str]:
  """Lists the instances that have an address.

  @param sought: not a name
  @param rows: with name and the field of L{ADDRESS_FIELDS}
  @return: names

  """
  spell = _SPELL[sought.kind]
  field = ADDRESS_FIELDS[sought.kind]
  return [row["name"] for row in rows
          if any(spell(address) == sought.value for address in row[field])]


def _OfInstance(sought: Sought, row: _Row, find: Callable[[str], Node]
                ) -> List[Finding]:
  name = row["name"]
  node = None if row["pnode"] is None else find(row["pnode"])
  mirrors = [find(i) for i in row["snodes"]]
  findings = []
  for (number, (nic_name, ip, mac, mode, link, network)) in \
      enumerate(zip(*[row[field] for field in _NIC_FIELDS])):
    address = mac if sought.kind == MAC else ip
    if sought.kind == NAME or _SPELL[sought.kind](address) == sought.value:
      findings.append(Finding(INSTANCE, name, ip,
                              Nic(number, nic_name, mac, mode, link, network),
                              node, mirrors))
  if sought.kind == NAME and not findings:
    findings.append(Finding(INSTANCE, name, None, None, node, mirrors))
  return findings


def _OfNode(sought: Sought, node: Node) -> List[Finding]:
  addresses = [(PRIMARY_IP, node.primary_ip)]
  if node.secondary_ip != node.primary_ip:
    addresses.append((SECONDARY_IP, node.secondary_ip))
  return [Finding(what, node.name, ip, None, node, [])
          for (what, ip) in addresses
          if sought.kind == NAME or _SpellIp(ip) == sought.value]


def Find(sought: Sought, instances: Sequence[_Row], nodes: Sequence[_Row],
         named: Optional[str] = None,
         master: Optional[Sequence[str]] = None) -> List[Finding]:
  """Finds out who has it.

  @param instances: with L{INSTANCE_FIELDS}, those that have it
  @param nodes: with L{NODE_FIELDS}, all
  @param named: the node that has this name
  @param master: name of the master node, and the master IP

  """
  known = {row["name"]: Node(*[row[field] for field in NODE_FIELDS])
           for row in nodes}

  def _Node(name: str) -> Node:
    return known.get(name, Node(name, None, None))

  findings = [finding for row in instances
              for finding in _OfInstance(sought, row, _Node)]
  for node in known.values():
    if sought.kind == IP or (sought.kind == NAME and node.name == named):
      findings.extend(_OfNode(sought, node))
  if master is not None and sought.kind == IP:
    (name, ip) = master
    if _SpellIp(ip) == sought.value:
      findings.append(Finding(MASTER_IP, name, ip, None, _Node(name), []))
  return findings

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Findings about network interfaces and their addresses.

Facts: Ganeti wants a MAC address once in a cluster, an IP address once in a
network or, without one, on a link.

"""

from __future__ import annotations

import functools
import ipaddress

from typing import Dict, Iterator, List, NamedTuple, Optional, Union

from ganeti.confd.config import columns
from ganeti.confd.findings import facts
from ganeti.confd.findings import table


#: The fields that are needed, see L{facts}
FIELDS: Dict[str, List[str]] = {
  columns.INSTANCE: ["name", "nic.ips", "nic.macs", "nic.modes", "nic.links",
                     "nic.networks", "nic.networks.names"],
  columns.NETWORK: ["name", "network", "network6"],
  }
PLACES: List[str] = []


class Nic(NamedTuple):
  """A network interface of an instance.

  """
  #: The instance and the index
  owner: str
  ip: Optional[str]
  mac: Optional[str]
  mode: str
  link: str
  network: Optional[str]
  network_name: Optional[str]

  @property
  def where(self) -> str:
    """In what its address has to be the only one.

    """
    if self.network_name is not None:
      return "network %s" % self.network_name
    return "link %s" % self.link


def Nics(known: facts.Facts) -> Iterator[Nic]:
  """Yields the network interfaces of all instances.

  """
  for instance in known.instances:
    parts = zip(*(instance[name] for name in (
      "nic.ips", "nic.macs", "nic.modes", "nic.links", "nic.networks",
      "nic.networks.names")))
    for (index, nic) in enumerate(parts):
      yield Nic("%s, nic/%d" % (instance["name"], index), *nic)


# Many have the same
@functools.lru_cache(maxsize=None)
def _Network(text: Optional[str]
             ) -> Union[ipaddress.IPv4Network, ipaddress.IPv6Network, None]:
  try:
    return ipaddress.ip_network(text or "")
  except ValueError:
    return None


def _Address(text: Optional[str]
             ) -> Union[ipaddress.IPv4Address, ipaddress.IPv6Address, None]:
  try:
    return ipaddress.ip_address(text or "")
  except ValueError:
    return None


@table.Enter(
  "duplicate-ip", table.CRITICAL,
  "An IP address is used twice in a network or on a link",
  "gnt-instance modify --net N:ip=ADDRESS INSTANCE for one of them")
def _DuplicateIp(known: facts.Facts) -> table.Found:
  used = [((nic.where, _Address(nic.ip) or nic.ip), nic.owner)
          for nic in Nics(known) if nic.ip]
  for ((where, address), owners) in facts.FindTwice(used):
    yield (str(address), "is used in %s by %s" % (where, "; ".join(owners)))


@table.Enter(
  "duplicate-mac", table.CRITICAL,
  "A MAC address is used twice",
  "gnt-instance modify --net N:mac=generate INSTANCE for one of them")
def _DuplicateMac(known: facts.Facts) -> table.Found:
  used = [(nic.mac.lower(), nic.owner) for nic in Nics(known) if nic.mac]
  for (address, owners) in facts.FindTwice(used):
    yield (address, "is used by %s" % "; ".join(owners))


@table.Enter(
  "address-outside-network", table.WARNING,
  "A network interface's address is not of its network",
  "gnt-instance modify --net N:ip=pool INSTANCE, or another network")
def _AddressOutside(known: facts.Facts) -> table.Found:
  networks = {network["name"]: network for network in known.networks}
  for nic in Nics(known):
    network = networks.get(nic.network_name)
    address = _Address(nic.ip)
    if network is None or address is None:
      continue
    text = network["network" if address.version == 4 else "network6"]
    subnet = _Network(text)
    # Where the network is not of that kind at all, nobody looks at it
    if subnet is not None and address not in subnet:
      yield (nic.owner, "its address %s is not in network %s, %s" %
             (nic.ip, nic.network_name, text))

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Checks of networks and their address pools.

Facts:
  - A network has two bits for each of its IPv4 addresses: the first is set if
    the address is reserved for an instance, the second if the address is
    reserved for something else. Ganeti assigns an address with neither bit set
    to the next instance that requests an address.
  - C{gnt-network add} reserves the addresses of the nodes and the master IP.
    C{gnt-node add} does not reserve the address of a new node.
  - Two networks may have the same addresses if they are on different links.

"""

from __future__ import annotations

import itertools

from typing import Iterator

from ganeti.confd.findings import addresses
from ganeti.confd.findings import data
from ganeti.confd.findings import registry
from ganeti.confd.schema import columns


#: The fields and JSON pointers that the checks need, see L{data}
FIELDS: dict[str, list[str]] = {
  columns.NODE: ["name", "pip", "sip"],
  columns.NETWORK: ["name", "uuid", "network", "network6", "free_count",
                    "usable_count", "group_list", "instance_reservations",
                    "external_reservations", "ip_list"],
  }
POINTERS = [data.CLUSTER]

#: A network is "nearly full" if less than this fraction of its addresses is
#: free
_FEW_FREE = 0.1

#: Larger numbers of addresses than this are not plausible
_MANY = 1 << 128


def _ForInstances(config: data.ConfigData) -> Iterator[tuple[str, data.Row]]:
  """Yields the networks that have addresses for instances, with their names.

  A network with implausible numbers of addresses is left out.

  """
  names = addresses.NetworkNames(config)
  for network in config.networks:
    counts = (network["usable_count"], network["free_count"])
    if counts[0] and all(isinstance(count, int) and 0 <= count <= _MANY
                         for count in counts):
      yield (names[network["uuid"]], network)


@registry.Register(
  "network-full", registry.CRITICAL,
  "A network has no free address for an instance",
  "gnt-network add a further one, or gnt-network modify --remove-reserved-ips")
def _NetworkFull(config: data.ConfigData) -> registry.Found:
  for (name, network) in _ForInstances(config):
    if not network["free_count"]:
      yield (name, "all addresses for instances (%d) are taken" %
             network["usable_count"])


@registry.Register(
  "network-nearly-full", registry.WARNING,
  "Less than a tenth of a network's addresses for instances is free",
  "gnt-network add a further one in time")
def _NetworkNearlyFull(config: data.ConfigData) -> registry.Found:
  for (name, network) in _ForInstances(config):
    (free, usable) = (network["free_count"], network["usable_count"])
    if 0 < free < _FEW_FREE * usable:
      yield (name, "%d of the %d addresses for instances %s free" %
             (free, usable, "is" if free == 1 else "are"))


@registry.Register(
  "reserved-without-nic", registry.WARNING,
  "A network reserves an address for an instance, and no instance has it",
  "no command frees the address; the configuration was changed by hand, or a"
  " job was interrupted")
def _ReservedWithoutNic(config: data.ConfigData) -> registry.Found:
  names = addresses.NetworkNames(config)
  for network in config.networks:
    used = {str(addresses.ParseAddress(ip)) for ip in network["ip_list"]}
    lost = [ip for ip in addresses.Reservations(network,
                                                "instance_reservations")
            if ip not in used]
    if lost:
      yield (names[network["uuid"]], "reserves %s, which no instance has" %
             data.JoinSome(lost))


@registry.Register(
  "unreserved-address", registry.WARNING,
  "A network does not reserve the address of a node, or the master IP, and may"
  " give it to an instance",
  "gnt-network modify --add-reserved-ips=ADDRESS NETWORK")
def _UnreservedAddress(config: data.ConfigData) -> registry.Found:
  taken = [(address, owner) for (address, owner) in (
    (addresses.ParseAddress(ip), owner) for (ip, owner)
    in addresses.NodeAddresses(config)) if address is not None]
  for (name, network) in _ForInstances(config):
    subnet = addresses.ParseSubnet(network["network"])
    inside = [(str(address), owner) for (address, owner) in taken
              if subnet is not None and address in subnet]
    if not inside:
      continue
    reserved = addresses.Reserved(network)
    for (ip, owner) in inside:
      if ip not in reserved:
        yield (name, "does not reserve %s, the address of %s" % (ip, owner))


def _AreApart(one: data.Row, other: data.Row) -> bool:
  """Tells whether two networks have different links in all groups.

  """
  ways: list[dict[str, set[tuple[str, ...]]]] = []
  for network in (one, other):
    links: dict[str, set[tuple[str, ...]]] = {}
    for (group, *link) in network["group_list"]:
      links.setdefault(group, set()).add(tuple(link))
    ways.append(links)
  if not all(ways):
    # The two networks may get the same link later if one of them is connected
    # to no group yet
    return False
  return all(ways[0][group].isdisjoint(ways[1][group])
             for group in ways[0].keys() & ways[1].keys())


def _Overlapping(config: data.ConfigData, field: str
                 ) -> Iterator[tuple[data.Row, data.Row]]:
  """Yields pairs of networks that have addresses in common.

  @param field: the field with the networks' addresses

  """
  ranges = sorted(
    (subnet.version, int(subnet.network_address),
     int(subnet.broadcast_address), number)
    for (number, subnet) in (
      (number, addresses.ParseSubnet(network[field]))
      for (number, network) in enumerate(config.networks))
    if subnet is not None)
  for (index, (version, _, last, number)) in enumerate(ranges):
    for (other_version, first, _, other) in itertools.islice(ranges, index + 1,
                                                             None):
      if (other_version, first) > (version, last):
        break
      yield (config.networks[number], config.networks[other])


@registry.Register(
  "network-overlap", registry.WARNING,
  "Two networks have addresses in common, and may have the same link",
  "gnt-network disconnect one of them, or gnt-network connect it with another"
  " link")
def _NetworkOverlap(config: data.ConfigData) -> registry.Found:
  names = addresses.NetworkNames(config)
  for field in ("network", "network6"):
    for (one, other) in _Overlapping(config, field):
      if not _AreApart(one, other):
        yield (names[one["uuid"]], "its addresses %s overlap with %s of network"
               " %s" % (one[field], other[field], names[other["uuid"]]))

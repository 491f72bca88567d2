#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Findings about networks, their pools of addresses, and who is on them.

Facts: a network has two bits for each of its IPv4 addresses: one is set if the
address is reserved for an instance, the other if somebody else has it. An
address with neither goes to the next instance that wants one. C{gnt-network
add} reserves the addresses of nodes and the master IP; a node that is added
later is not looked at. Networks with the same addresses are all right where
their links are not the same.

"""

from __future__ import annotations

import itertools

from typing import Dict, Iterator, List, Set, Tuple

from ganeti.confd.findings import addresses
from ganeti.confd.findings import facts
from ganeti.confd.findings import registry
from ganeti.confd.schema import columns


#: The fields and places that are needed, see L{facts}
FIELDS: Dict[str, List[str]] = {
  columns.NODE: ["name", "pip", "sip"],
  columns.NETWORK: ["name", "uuid", "network", "network6", "free_count",
                    "usable_count", "group_list", "instance_reservations",
                    "external_reservations", "ip_list"],
  }
PLACES = [facts.CLUSTER]

#: Less than this part of a network's usable addresses is "nearly full"
_FEW_FREE = 0.1

#: More addresses than any network has
_MANY = 1 << 128


def _ForInstances(known: facts.Facts) -> Iterator[Tuple[str, facts.Row]]:
  """Yields the networks that have addresses for instances, by name.

  A network with impossible numbers is left out: a daemon may tell anything.

  """
  names = addresses.NetworkNames(known)
  for network in known.networks:
    counts = (network["usable_count"], network["free_count"])
    if counts[0] and all(isinstance(count, int) and 0 <= count <= _MANY
                         for count in counts):
      yield (names[network["uuid"]], network)


@registry.Register(
  "network-full", registry.CRITICAL,
  "A network has no free address for an instance",
  "gnt-network add a further one, or gnt-network modify --remove-reserved-ips")
def _NetworkFull(known: facts.Facts) -> registry.Found:
  for (name, network) in _ForInstances(known):
    if not network["free_count"]:
      yield (name, "all addresses that instances can get (%d) are taken" %
             network["usable_count"])


@registry.Register(
  "network-nearly-full", registry.WARNING,
  "Less than a tenth of the addresses that instances can get is free",
  "gnt-network add a further one in time")
def _NetworkNearlyFull(known: facts.Facts) -> registry.Found:
  for (name, network) in _ForInstances(known):
    (free, usable) = (network["free_count"], network["usable_count"])
    if 0 < free < _FEW_FREE * usable:
      yield (name, "%d of the %d addresses that instances can get %s free" %
             (free, usable, "is" if free == 1 else "are"))



@registry.Register(
  "reserved-without-nic", registry.WARNING,
  "A network reserves an address for an instance that is not there",
  "no command frees it; the configuration was changed by hand, or a job was"
  " broken off")
def _ReservedWithoutNic(known: facts.Facts) -> registry.Found:
  names = addresses.NetworkNames(known)
  for network in known.networks:
    used = {str(addresses.ParseAddress(ip)) for ip in network["ip_list"]}
    lost = [ip for ip in addresses.Reservations(network,
                                                "instance_reservations")
            if ip not in used]
    if lost:
      yield (names[network["uuid"]], "reserves %s, which no instance has" %
             facts.JoinSome(lost))



@registry.Register(
  "unreserved-address", registry.WARNING,
  "A network may give the address of a node, or the master IP, to an instance",
  "gnt-network modify --add-reserved-ips=ADDRESS NETWORK")
def _UnreservedAddress(known: facts.Facts) -> registry.Found:
  taken = [(address, owner) for (address, owner) in (
    (addresses.ParseAddress(ip), owner) for (ip, owner)
    in addresses.NodeAddresses(known)) if address is not None]
  for (name, network) in _ForInstances(known):
    subnet = addresses.ParseSubnet(network["network"])
    inside = [(str(address), owner) for (address, owner) in taken
              if subnet is not None and address in subnet]
    if not inside:
      continue
    reserved = addresses.Reserved(network)
    for (ip, owner) in inside:
      if ip not in reserved:
        yield (name, "does not reserve %s, the address of %s" % (ip, owner))


def _AreApart(one: facts.Row, other: facts.Row) -> bool:
  """Tells whether different links keep two networks apart.

  """
  ways: List[Dict[str, Set[Tuple[str, ...]]]] = []
  for network in (one, other):
    links: Dict[str, Set[Tuple[str, ...]]] = {}
    for (group, *link) in network["group_list"]:
      links.setdefault(group, set()).add(tuple(link))
    ways.append(links)
  if not all(ways):
    # The one that no group is connected to may get any link
    return False
  return all(ways[0][group].isdisjoint(ways[1][group])
             for group in ways[0].keys() & ways[1].keys())


def _Overlapping(known: facts.Facts, field: str
                 ) -> Iterator[Tuple[facts.Row, facts.Row]]:
  """Yields pairs of networks that have addresses in common.

  @param field: what holds their addresses

  """
  ranges = sorted(
    (subnet.version, int(subnet.network_address),
     int(subnet.broadcast_address), number)
    for (number, subnet) in (
      (number, addresses.ParseSubnet(network[field]))
      for (number, network) in enumerate(known.networks))
    if subnet is not None)
  for (index, (version, _, last, number)) in enumerate(ranges):
    for (other_version, first, _, other) in itertools.islice(ranges, index + 1,
                                                             None):
      if (other_version, first) > (version, last):
        break
      yield (known.networks[number], known.networks[other])


@registry.Register(
  "network-overlap", registry.WARNING,
  "Two networks have addresses in common, and no link of their own",
  "gnt-network disconnect one of them, or gnt-network connect it with another"
  " link")
def _NetworkOverlap(known: facts.Facts) -> registry.Found:
  names = addresses.NetworkNames(known)
  for field in ("network", "network6"):
    for (one, other) in _Overlapping(known, field):
      if not _AreApart(one, other):
        yield (names[one["uuid"]], "its addresses %s overlap with %s of network"
               " %s" % (one[field], other[field], names[other["uuid"]]))

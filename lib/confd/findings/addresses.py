#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Parses IP addresses and networks for the checks that compare them.

"""

from __future__ import annotations

import collections
import functools
import ipaddress

from typing import Iterator, Optional, Union

from ganeti.confd.findings import data


Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Subnet = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


def ParseAddress(text: Optional[str]) -> Optional[Address]:
  """Parses an IP address.

  @return: None if the text is no address

  """
  try:
    return ipaddress.ip_address(text or "")
  except ValueError:
    return None


# Cache the results, as many network interfaces are on the same network
@functools.lru_cache(maxsize=1024)
def ParseSubnet(text: Optional[str]) -> Optional[Subnet]:
  """Parses a network as Ganeti does, which ignores the bits after the prefix.

  @return: None if the text is no network

  """
  try:
    return ipaddress.ip_network(text or "", strict=False)
  except ValueError:
    return None


def NetworkNames(config: data.ConfigData) -> dict[str, str]:
  """Returns the names of networks for findings, by UUID.

  If several networks have the same name, the name is followed by the UUID.

  """
  counts = collections.Counter(network["name"] for network in config.networks)
  return {network["uuid"]: (network["name"] if counts[network["name"]] == 1 else
                            "%(name)s (%(uuid)s)" % network)
          for network in config.networks}


def NodeAddresses(config: data.ConfigData) -> Iterator[tuple[str, str]]:
  """Yields each address of the nodes and of the cluster, and its owner.

  @param config: with the nodes' fields pip and sip, and L{data.CLUSTER}

  """
  for node in config.nodes:
    for address in dict.fromkeys([node["pip"], node["sip"]]):
      if address is not None:
        yield (address, "node %s" % node["name"])
  master_ip = config.cluster.get("master_ip")
  if isinstance(master_ip, str):
    yield (master_ip, "the cluster")


def Reservations(network: data.Row, field: str) -> list[str]:
  """Parses the list of a network's reserved addresses.

  @param field: instance_reservations or external_reservations

  """
  text: Optional[str] = network[field]
  return text.split(", ") if text else []


def Reserved(network: data.Row) -> set[str]:
  """Returns all reserved addresses of a network.

  """
  return {ip for field in ("instance_reservations", "external_reservations")
          for ip in Reservations(network, field)}

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Checks of network interfaces and their addresses.

Facts: In Ganeti a MAC address is unique in a cluster. An IP address is unique
in a network. The IP address of an interface without a network is unique among
the interfaces with the same mode and link.

"""

from __future__ import annotations

from typing import Iterator, NamedTuple, Optional

from ganeti.confd.findings import addresses
from ganeti.confd.findings import data
from ganeti.confd.findings import registry
from ganeti.confd.schema import columns


_NIC_FIELDS = ("nic.ips", "nic.macs", "nic.modes", "nic.links", "nic.networks",
               "nic.networks.names")

#: The fields that the checks need, see L{data}
FIELDS: dict[str, list[str]] = {
  columns.INSTANCE: ["name", "pnode.group", "pnode.group.uuid", *_NIC_FIELDS],
  columns.GROUP: ["uuid", "networks"],
  columns.NETWORK: ["name", "uuid", "network", "network6",
                    "instance_reservations", "external_reservations"],
  }
POINTERS: list[str] = []


class Nic(NamedTuple):
  """A network interface of an instance.

  """
  #: The subject of findings: the instance's name and the interface's index
  owner: str
  #: The instance's row
  instance: data.Row
  ip: Optional[str]
  mac: Optional[str]
  mode: str
  link: str
  #: The UUID of the interface's network, as the configuration has it
  network: Optional[str]
  #: The name of the network with this UUID; None if there is no such network
  network_name: Optional[str]

  @property
  def where(self) -> tuple[str, ...]:
    """The scope in which the IP address has to be unique.

    """
    if self.network is not None:
      return (self.network, )
    return (self.mode, self.link)


def Nics(config: data.ConfigData) -> Iterator[Nic]:
  """Yields the network interfaces of all instances.

  """
  for instance in config.instances:
    interfaces = zip(*(instance[name] for name in _NIC_FIELDS))
    for (index, nic) in enumerate(interfaces):
      yield Nic("%s, nic/%d" % (instance["name"], index), instance, *nic)


def _OnNetworks(config: data.ConfigData) -> Iterator[tuple[Nic, data.Row]]:
  """Yields each interface that has a network, and the network.

  """
  networks = {network["uuid"]: network for network in config.networks}
  for nic in Nics(config):
    network = networks.get(nic.network)
    if network is not None:
      yield (nic, network)


@registry.Register(
  "duplicate-ip", registry.CRITICAL,
  "An IP address is used twice in a network or on a link",
  "gnt-instance modify --net N:ip=ADDRESS INSTANCE for one of them")
def _DuplicateIp(config: data.ConfigData) -> registry.Found:
  names = addresses.NetworkNames(config)
  used = [((nic.where, addresses.ParseAddress(nic.ip) or nic.ip), nic.owner)
          for nic in Nics(config) if nic.ip]
  for ((where, address), owners) in data.FindTwice(used):
    place = ("network %s" % names.get(where[0], where[0]) if len(where) == 1
             else "link \"%s\", mode %s," % (where[1], where[0]))
    yield (str(address), "is used on %s by %s" % (place, "; ".join(owners)))


@registry.Register(
  "duplicate-mac", registry.CRITICAL,
  "A MAC address is used twice",
  "gnt-instance modify --net N:mac=generate INSTANCE for one of them")
def _DuplicateMac(config: data.ConfigData) -> registry.Found:
  used = [(nic.mac.lower(), nic.owner) for nic in Nics(config) if nic.mac]
  for (address, owners) in data.FindTwice(used):
    yield (address, "is used by %s" % "; ".join(owners))


@registry.Register(
  "address-outside-network", registry.WARNING,
  "A network interface's address is outside of its network",
  "gnt-instance modify --net N:ip=pool INSTANCE, or another network")
def _AddressOutside(config: data.ConfigData) -> registry.Found:
  names = addresses.NetworkNames(config)
  for (nic, network) in _OnNetworks(config):
    address = addresses.ParseAddress(nic.ip)
    if address is None:
      continue
    text = network["network" if address.version == 4 else "network6"]
    subnet = addresses.ParseSubnet(text)
    # A network may have no subnet of the address's IP version
    if subnet is not None and address not in subnet:
      yield (nic.owner, "its address %s is not in network %s, %s" %
             (nic.ip, names[network["uuid"]], text))


@registry.Register(
  "nic-not-reserved", registry.WARNING,
  "A network does not reserve the address of one of its interfaces, and may"
  " give it to another instance",
  "gnt-network modify --add-reserved-ips=ADDRESS NETWORK")
def _NicNotReserved(config: data.ConfigData) -> registry.Found:
  names = addresses.NetworkNames(config)
  reserved = {network["uuid"]: addresses.Reserved(network)
              for network in config.networks}
  for (nic, network) in _OnNetworks(config):
    address = addresses.ParseAddress(nic.ip)
    subnet = addresses.ParseSubnet(network["network"])
    if (address is not None and subnet is not None and address in subnet and
        str(address) not in reserved[network["uuid"]]):
      yield (nic.owner, "network %s does not reserve its address %s" %
             (names[network["uuid"]], nic.ip))


@registry.Register(
  "network-not-connected", registry.WARNING,
  "A network interface's network is not connected to its node's group",
  "gnt-network connect NETWORK GROUP, or another network for the interface")
def _NetworkNotConnected(config: data.ConfigData) -> registry.Found:
  names = addresses.NetworkNames(config)
  connected = {(group["uuid"], network) for group in config.groups
               for network in group["networks"]}
  for (nic, network) in _OnNetworks(config):
    group = nic.instance["pnode.group.uuid"]
    if group is not None and (group, nic.network) not in connected:
      yield (nic.owner, "network %s is not connected to group %s" %
             (names[network["uuid"]], nic.instance["pnode.group"]))

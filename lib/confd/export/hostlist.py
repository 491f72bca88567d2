#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Rows of a table as hosts, with each value sanitized.

"""

from __future__ import annotations

import itertools

from typing import Any, Callable, Mapping, NamedTuple, Optional, Sequence

from ganeti.confd import humanize
from ganeti.confd.export import sanitize
from ganeti.confd.schema import columns
from ganeti.confd.schema import naturalorder


#: A function to be called with a sentence about each value that is left out
Say = Callable[[str], None]

#: Maps tables (see L{columns.TABLES}) to the fields that are asked for
Fields = dict[str, list[str]]

#: All fields that L{Hosts} can use. A format asks only for the fields that it
#: needs, so bad values in other fields are not reported.
ALL_FIELDS: Fields = {
  columns.INSTANCE: ["name", "nic.ips", "nic.macs", "nic.links",
                     "nic.networks.names", "nic.networks.subnets",
                     "nic.networks.gateways", "pnode", "snodes", "pnode.group",
                     "os", "hypervisor", "admin_state", "be/maxmem", "be/vcpus",
                     "tags"],
  columns.NODE: ["name", "pip", "sip", "group", "role", "ndparams", "tags"],
  }

#: The default port of sshd
SSH_PORT = 22


class Interface(NamedTuple):
  """A network interface.

  """
  ip: Optional[str]
  mac: Optional[str] = None
  link: Optional[str] = None
  network: Optional[str] = None
  #: The prefix length of the network's subnet, e.g. 24
  prefix: Optional[int] = None
  gateway: Optional[str] = None


class Host(NamedTuple):
  """An instance or a node.

  @ivar node: an instance's primary node
  @ivar secondaries: an instance's other nodes
  @ivar state: an instance's admin_state (up, down, offline), or a node's role
  @ivar memory: an instance's memory, in MiB
  @ivar secondary_ip: a node's secondary IP address
  @ivar cluster: the cluster's name, if there are hosts of several clusters

  """
  name: str
  interfaces: list[Interface]
  group: Optional[str]
  state: Optional[str]
  tags: list[str]
  node: Optional[str] = None
  secondaries: Sequence[str] = ()
  os: Optional[str] = None
  hypervisor: Optional[str] = None
  memory: Optional[int] = None
  vcpus: Optional[int] = None
  secondary_ip: Optional[str] = None
  ssh_port: int = SSH_PORT
  cluster: Optional[str] = None

  @property
  def addresses(self) -> list[str]:
    """The IP addresses, without duplicates.

    """
    return list(dict.fromkeys(i.ip for i in self.interfaces
                              if i.ip is not None))

  @property
  def address(self) -> Optional[str]:
    """The first IP address, or None.

    """
    return next(iter(self.addresses), None)


class Contents(NamedTuple):
  """The contents of a file, which a format's module turns into text.

  @ivar cluster: the name of the cluster of all hosts; None if the key does not
    permit asking for it, if the name is no host name, or if there are several
    clusters
  @ivar kind: C{columns.INSTANCE} or C{columns.NODE}
  @ivar hosts: sorted by name, each name once
  @ivar target_port: TCP port of Prometheus targets
  @ivar table: the name of the nftables table
  @ivar previous: the text of the file to be replaced; None if there is no file

  """
  cluster: Optional[str]
  kind: str
  hosts: list[Host]
  target_port: int = 9100
  table: str = "ganeti"
  previous: Optional[str] = None

  def ClusterOf(self, host: Host) -> Optional[str]:
    """Returns the name of a host's cluster, if it is known.

    """
    return self.cluster if host.cluster is None else host.cluster

class _Reader:
  """Reads the values of a row, and reports the bad ones.

  """
  def __init__(self, title: str, row: dict[str, Any], say: Say) -> None:
    self._title = title
    self._row = row
    self._say = say

  def Check(self, rule: Callable[[Any], Any], what: str, value: Any) -> Any:
    """Returns a value sanitized by a rule; None if it is missing or bad.

    """
    if value is None:
      return None
    result = rule(value)
    if result is None:
      self._say("%s: %s %s left out" %
                (self._title, what, sanitize.Show(value)))
    return result

  def Get(self, rule: Callable[[Any], Any], what: str, field: str) -> Any:
    return self.Check(rule, what, self._row[field])

  def GetAll(self, rule: Callable[[Any], Any], what: str, field: str
             ) -> list[Any]:
    """Returns the sanitized values of a list, without missing and bad ones.

    """
    checked = [self.Check(rule, what, value) for value in self.Items(field)]
    return [value for value in checked if value is not None]

  def Items(self, field: str) -> list[Any]:
    value = self._row[field]
    return value if isinstance(value, list) else []


def _Interfaces(reader: _Reader) -> list[Interface]:
  lists = [reader.Items(field) for field in
           ["nic.ips", "nic.macs", "nic.links", "nic.networks.names",
            "nic.networks.subnets", "nic.networks.gateways"]]
  return [Interface(reader.Check(sanitize.Address, "address", ip),
                    reader.Check(sanitize.Mac, "MAC address", mac),
                    reader.Check(sanitize.Link, "link", link),
                    reader.Check(sanitize.Word, "network", network),
                    reader.Check(sanitize.PrefixLength, "subnet", subnet),
                    reader.Check(sanitize.Address, "gateway", gateway))
          for (ip, mac, link, network, subnet, gateway)
          in itertools.zip_longest(*lists)]


def _Tags(reader: _Reader) -> list[str]:
  return sorted(set(reader.GetAll(sanitize.Word, "tag", "tags")))


def _Instance(name: str, reader: _Reader) -> Host:
  return Host(
    name, _Interfaces(reader),
    group=reader.Get(sanitize.Word, "group", "pnode.group"),
    state=reader.Get(sanitize.Word, "state", "admin_state"),
    tags=_Tags(reader),
    node=reader.Get(sanitize.HostName, "node", "pnode"),
    secondaries=reader.GetAll(sanitize.HostName, "node", "snodes"),
    os=reader.Get(sanitize.Word, "operating system", "os"),
    hypervisor=reader.Get(sanitize.Word, "hypervisor", "hypervisor"),
    memory=reader.Get(sanitize.Number, "memory", "be/maxmem"),
    vcpus=reader.Get(sanitize.Number, "number of processors", "be/vcpus"))


def _SshPort(ndparams: Any) -> Optional[int]:
  """Returns the port of sshd from a node's parameters.

  """
  # Ganeti before 2.12 has no parameter C{ssh_port}, and uses the default port
  value = (ndparams.get("ssh_port", SSH_PORT) if isinstance(ndparams, dict)
           else None)
  port = sanitize.Number(value)
  return port if port is not None and 0 < port < 65536 else None


def _Node(name: str, reader: _Reader) -> Host:
  role = reader.Get(sanitize.Word, "role", "role")
  return Host(
    name, [Interface(reader.Get(sanitize.Address, "address", "pip"))],
    group=reader.Get(sanitize.Word, "group", "group"),
    state=columns.ROLES.get(role, role),
    tags=_Tags(reader),
    secondary_ip=reader.Get(sanitize.Address, "address", "sip"),
    ssh_port=reader.Get(_SshPort, "parameters", "ndparams") or SSH_PORT)


def Hosts(kind: str, fields: list[str], rows: Sequence[Sequence[Any]], say: Say
          ) -> list[Host]:
  """Turns the rows of a table into hosts.

  @param fields: the fields of the rows: "name", and others of L{ALL_FIELDS}

  """
  missing: dict[str, Any] = dict.fromkeys(ALL_FIELDS[kind])
  hosts = []
  names: set[str] = set()
  for row in rows:
    named = dict(missing, **dict(zip(fields, row)))
    title = "%s %s" % (kind, sanitize.Show(named["name"]))
    name = sanitize.HostName(named["name"])
    if name is None:
      say("%s left out: not a valid host name" % title)
    elif name in names:
      say("%s left out: another %s has this name" % (title, kind))
    else:
      names.add(name)
      make = _Instance if kind == columns.INSTANCE else _Node
      hosts.append(make(name, _Reader(title, named, say)))
  return sorted(hosts, key=lambda host: naturalorder.NaturalKey(host.name))


def Merge(kind: str, clusters: Mapping[str, tuple[Optional[str], list[Host]]],
          say: Say) -> list[Host]:
  """Merges the hosts of several clusters.

  @param clusters: by the name of each cluster in the settings: the name in the
    cluster's configuration, or None if it is not known; and the hosts

  """
  owners: dict[str, str] = {}
  result = []
  for (title, (name, hosts)) in clusters.items():
    for host in hosts:
      owner = owners.setdefault(host.name, title)
      if owner == title:
        result.append(host._replace(cluster=name or title))
      else:
        say("%s %s of the cluster %s left out: one of the cluster %s has this"
            " name" % (kind, host.name, title, owner))
  return sorted(result, key=lambda host: naturalorder.NaturalKey(host.name))


def WithAddress(contents: Contents, say: Say) -> list[Host]:
  """Returns the hosts that have an address, and reports how many have none.

  """
  hosts = [host for host in contents.hosts if host.addresses]
  missing = len(contents.hosts) - len(hosts)
  if missing:
    say("%s without an address left out" %
        humanize.Count(missing, contents.kind))
  return hosts

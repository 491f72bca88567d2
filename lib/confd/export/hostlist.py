#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What is exported: rows of a table as hosts, each value checked.

"""

from __future__ import annotations

import itertools

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, \
  Set

from ganeti.confd import humanize
from ganeti.confd.export import sanitize
from ganeti.confd.schema import columns
from ganeti.confd.schema import naturalorder


#: Is told what is left out
Say = Callable[[str], None]

#: The fields of a table by what is exported, see L{columns.TABLES}
Fields = Dict[str, List[str]]

#: All those that hosts can be made of. A format asks for those that it has a
#: use for, and only about their values there is something to say.
ALL_FIELDS: Fields = {
  columns.INSTANCE: ["name", "nic.ips", "nic.macs", "nic.links",
                     "nic.networks.names", "pnode", "snodes", "pnode.group",
                     "os", "hypervisor", "admin_state", "be/maxmem", "be/vcpus",
                     "tags"],
  columns.NODE: ["name", "pip", "sip", "group", "role", "ndparams", "tags"],
  }

#: Where sshd listens if nothing else is said
SSH_PORT = 22


class Interface(NamedTuple):
  """A network interface.

  """
  ip: Optional[str]
  mac: Optional[str] = None
  link: Optional[str] = None
  network: Optional[str] = None


class Host(NamedTuple):
  """An instance or a node.

  @ivar node: an instance's primary node
  @ivar secondaries: an instance's other nodes
  @ivar state: what an instance shall be (up, down, offline), or a node's role
  @ivar memory: in MiB
  @ivar secondary_ip: a node's

  """
  name: str
  interfaces: List[Interface]
  group: Optional[str]
  state: Optional[str]
  tags: List[str]
  node: Optional[str] = None
  secondaries: Sequence[str] = ()
  os: Optional[str] = None
  hypervisor: Optional[str] = None
  memory: Optional[int] = None
  vcpus: Optional[int] = None
  secondary_ip: Optional[str] = None
  ssh_port: int = SSH_PORT

  @property
  def addresses(self) -> List[str]:
    """The IP addresses, without repetition.

    """
    return list(dict.fromkeys(i.ip for i in self.interfaces
                              if i.ip is not None))

  @property
  def address(self) -> Optional[str]:
    """The first one.

    """
    return next(iter(self.addresses), None)


class Source(NamedTuple):
  """All that a format is made from.

  @ivar cluster: its name; None if it must not or cannot be told
  @ivar kind: C{columns.INSTANCE} or C{columns.NODE}
  @ivar hosts: by name, no name twice
  @ivar target_port: TCP port of the targets of Prometheus
  @ivar table: the table of nftables
  @ivar before: what the file has that is to be replaced; None if there is none

  """
  cluster: Optional[str]
  kind: str
  hosts: List[Host]
  target_port: int = 9100
  table: str = "ganeti"
  before: Optional[str] = None


class _Reader:
  """Reads the values of a row.

  """
  def __init__(self, title: str, row: Dict[str, Any], say: Say) -> None:
    self._title = title
    self._row = row
    self._say = say

  def Check(self, rule: Callable[[Any], Any], what: str, value: Any) -> Any:
    """Returns a value as a rule has it; None if there is none, or a bad one.

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
             ) -> List[Any]:
    """Returns the values of a list, less those that are missing or bad.

    """
    checked = [self.Check(rule, what, value) for value in self.Items(field)]
    return [value for value in checked if value is not None]

  def Items(self, field: str) -> List[Any]:
    value = self._row[field]
    return value if isinstance(value, list) else []


def _Interfaces(reader: _Reader) -> List[Interface]:
  parts = [reader.Items(field) for field in
           ["nic.ips", "nic.macs", "nic.links", "nic.networks.names"]]
  return [Interface(reader.Check(sanitize.Address, "address", ip),
                    reader.Check(sanitize.Mac, "MAC address", mac),
                    reader.Check(sanitize.Link, "link", link),
                    reader.Check(sanitize.Word, "network", network))
          for (ip, mac, link, network) in itertools.zip_longest(*parts)]


def _Tags(reader: _Reader) -> List[str]:
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
  """Finds the port of sshd among a node's parameters.

  """
  # Before Ganeti 2.12 there is no such parameter
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


def Hosts(kind: str, fields: List[str], rows: Sequence[Sequence[Any]], say: Say
          ) -> List[Host]:
  """Makes hosts of the rows of a table.

  @param fields: some of L{ALL_FIELDS}, the name at least

  """
  missing: Dict[str, Any] = dict.fromkeys(ALL_FIELDS[kind])
  hosts = []
  names: Set[str] = set()
  for row in rows:
    named = dict(missing, **dict(zip(fields, row)))
    title = "%s %s" % (kind, sanitize.Show(named["name"]))
    name = sanitize.HostName(named["name"])
    if name is None:
      say("%s left out: not a name that a host may have" % title)
    elif name in names:
      say("%s left out: this name is there already" % title)
    else:
      names.add(name)
      make = _Instance if kind == columns.INSTANCE else _Node
      hosts.append(make(name, _Reader(title, named, say)))
  return sorted(hosts, key=lambda host: naturalorder.NaturalKey(host.name))


def WithAddress(source: Source, say: Say) -> List[Host]:
  """Returns the hosts that have an address.

  """
  hosts = [host for host in source.hosts if host.addresses]
  missing = len(source.hosts) - len(hosts)
  if missing:
    say("%s without an address left out" %
        humanize.Count(missing, source.kind))
  return hosts

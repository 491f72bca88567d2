#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "who-has": looks up the owner of an address or name.

The daemon cannot search for the address of a network interface. So the command
first asks for the addresses of all instances, and then for the other fields of
the instances that match. For a word that is neither an address nor the name of
an instance or a node, the command asks for all tables that the key permits.

"""

from __future__ import annotations

import argparse

from typing import Any, NamedTuple, Optional

from ganeti.confd import client as clientlib
from ganeti.confd.clientlib import keyrights
from ganeti.confd.command import argtypes
from ganeti.confd.command import multicluster
from ganeti.confd.command import output
from ganeti.confd.command import proposals
from ganeti.confd.command import result
from ganeti.confd.command import rights
from ganeti.confd.command import table
from ganeti.confd.protocol import readerkey
from ganeti.confd.views import whohas


_HEADERS = ["What", "Name", "IP", "NIC", "NICName", "MAC", "Mode", "Link",
            "Network", "Disk", "Node", "NodeIP", "Secondary_Nodes"]
_NUMERIC = (3, 9)


class _Lookups:
  """Asks several questions, and combines the replies into one.

  @ivar replies: in the order of the questions

  """
  def __init__(self, client: clientlib.Client) -> None:
    self._client = client
    self.replies: list[clientlib.Reply[Any]] = []

  def _Keep(self, reply: clientlib.Reply[Any]) -> Any:
    self.replies.append(reply)
    return reply.answer

  def Rows(self, what: clientlib.TableName, fields: list[str],
           names: Optional[list[str]] = None) -> list[dict[str, Any]]:
    rows = self._Keep(self._client.List(what, fields, names=names))
    return [dict(zip(fields, row)) for row in rows]

  def Named(self, what: clientlib.TableName, fields: list[str], name: str
            ) -> list[dict[str, Any]]:
    """Asks for the object with a given name.

    @return: one row, or none

    """
    try:
      return self.Rows(what, fields, [name])
    except clientlib.ErrorAnswer as err:
      if isinstance(err.code, dict) and err.code.get("unknown") == "name":
        return []
      raise

  def Master(self) -> list[str]:
    """Asks for the name of the master node, and the master IP.

    """
    (name, ip) = self._Keep(self._client.MasterInfo())[:2]
    return [name, ip]

  def Reply(self, answer: Any) -> clientlib.Reply[Any]:
    return self.replies[-1]._replace(
      answer=answer, serial=min(reply.serial for reply in self.replies))


class _Other(NamedTuple):
  """The result of a search in all tables.

  """
  matches: list[whohas.Match]
  #: The names of all objects in the tables that were searched
  names: list[str]
  #: The rights that the key lacks
  missing: list[str]


def _SearchOther(client: clientlib.Client, lookups: _Lookups,
                 sought: whohas.Sought) -> _Other:
  """Looks a word up in all tables that the key permits.

  """
  tables: dict[str, list[dict[str, Any]]] = {}
  missing = []
  for (kind, fields) in whohas.OTHER_FIELDS.items():
    right = "%s/%ss" % (readerkey.LIST, kind)
    if client.reader is None or keyrights.May(client.reader, right):
      # The annotation is Any, as Rows() takes a Literal, and type checkers know
      # only that the kind is a str
      what: Any = kind
      tables[kind] = lookups.Rows(what, fields)
    else:
      missing.append(right)
  return _Other(whohas.FindOther(sought, tables),
                [row["name"] for rows in tables.values() for row in rows
                 if isinstance(row["name"], str)], missing)


def _Search(lookups: _Lookups, sought: whohas.Sought, with_master: bool
            ) -> list[whohas.Match]:
  """Returns the objects that have an address, and instances or nodes of a name.

  @param with_master: whether to ask for the master IP

  """
  fields = list(whohas.INSTANCE_FIELDS)
  named = None
  master = None
  if sought.kind == whohas.NAME:
    instances = lookups.Named("instance", fields, sought.value)
    for row in lookups.Named("node", ["name"], sought.value):
      named = row["name"]
  else:
    addresses = lookups.Rows(
      "instance", ["name", whohas.ADDRESS_FIELDS[sought.kind]])
    names = whohas.InstancesWith(sought, addresses)
    instances = (lookups.Rows("instance", fields, names) if names
                 else [])
  if sought.kind == whohas.IP and with_master:
    master = lookups.Master()
  nodes = lookups.Rows("node", list(whohas.NODE_FIELDS))
  return whohas.Find(sought, instances, nodes, named, master)


def _Cells(match: whohas.Match) -> list[Any]:
  (nic, node, disk) = (match.nic, match.node, match.disk)
  cells: list[Any] = [match.what, match.name, match.ip]
  cells += ([None] * len(whohas.Nic._fields) if nic is None else
            [nic.number, nic.name, nic.mac, nic.mode, nic.link, nic.network])
  cells.append(None if disk is None else disk.number)
  cells += [None, None] if node is None else [node.name, node.primary_ip]
  return cells + [",".join(i.name for i in match.secondaries) or None]


def _Ask(client: clientlib.Client, opts: argparse.Namespace) -> result.Result:
  """Looks up the objects that have an address, a name or anything else.

  @raise result.NotFound: there is no such object

  """
  sought = whohas.Parse(opts.sought)
  lookups = _Lookups(client)
  # The optional right is for the master IP
  lacking = (rights.LeftOut(client.reader, opts.command)
             if sought.kind == whohas.IP else [])
  matches = ([] if sought.kind == whohas.TAG else
             _Search(lookups, sought, not lacking))
  text = "no instance or node has the %s '%s'" % (sought.kind, sought.value)
  if not matches and sought.kind in (whohas.NAME, whohas.TAG):
    other = _SearchOther(client, lookups, sought)
    matches = other.matches
    if sought.kind == whohas.NAME:
      text = ("no object has the name, UUID, volume or tag '%s'%s" %
              (sought.value, argtypes.Proposal(
                proposals.Name(sought.value, other.names))))
    else:
      text = "no object has the tag '%s'" % sought.value
    lacking = other.missing
  if not matches:
    if lacking:
      text += "; the key does not permit %s" % ", ".join(lacking)
    raise result.NotFound(text)
  return result.Result(
    output.FormatReply(lookups.Reply([whohas.AsDict(i) for i in matches])),
    table.Table(_HEADERS, [_Cells(i) for i in matches], _NUMERIC))


def RunMultiCluster(factories: multicluster.ClientFactories,
                    opts: argparse.Namespace) -> int:
  """Prints the objects of all clusters that have an address or name.

  """
  return multicluster.Run(factories, opts, _Ask)


def Run(client: clientlib.Client, opts: argparse.Namespace) -> int:
  """Prints the objects that have an address or name.

  """
  return result.Run(client, opts, _Ask)

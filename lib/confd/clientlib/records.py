#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Answers of a fixed form, whose items have names.

Each is a tuple: what is written for the list that goes over the wire, by index
or by taking it apart, works with it.

"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, NoReturn, \
  Optional, Type, TypeVar

from ganeti import constants
from ganeti import errors

if TYPE_CHECKING:
  from ganeti.confd.clientlib import exchange


class MasterInfo(NamedTuple):
  """The master.

  """
  #: name
  node: str
  #: the one that moves with the role
  master_ip: str
  #: the node's own
  node_ip: str


class NodeOfIp(NamedTuple):
  """Where an instance's IP is.

  """
  #: C{constants.CONFD_REPL_STATUS_*}: 0 for an IP that is known
  status: int
  #: the node's primary IP, or an error's number
  answer: Any

  @property
  def node_ip(self) -> Optional[str]:
    """The node's primary IP; None where there is an error.

    """
    return (str(self.answer)
            if self.status == int(constants.CONFD_REPL_STATUS_OK) else None)


class DrbdMinor(NamedTuple):
  """One of a node's DRBD minors.

  """
  node: str
  minor: int
  instance: str
  #: e.g. "disk/0"
  disk: str
  #: "primary" or "secondary"
  role: str
  #: the other node
  peer: str


class NodeInstances(NamedTuple):
  """A node's instances, as the configuration has them.

  """
  primary: List[Dict[str, Any]]
  secondary: List[Dict[str, Any]]


class Field(NamedTuple):
  """A field of a table.

  """
  name: str
  title: str
  #: Ganeti's word for the type of its values: "text", "number", "unit" ...
  type: str
  text: str


_Record = TypeVar("_Record", MasterInfo, DrbdMinor, NodeInstances, Field)


def _Refuse(reply: exchange.Reply[Any], what: str) -> NoReturn:
  raise errors.ConfdClientError("%s answered with something else than %s" %
                                (reply.candidates[0].address, what))


def Rows(reply: exchange.Reply[Any], rows: Any, width: int) -> List[List[Any]]:
  """Returns the rows of an answer.

  @param rows: what should be them
  @raise errors.ConfdClientError: it is something else

  """
  if not (isinstance(rows, list) and
          all(isinstance(row, list) and len(row) == width for row in rows)):
    _Refuse(reply, "a table of %d columns" % width)
  return rows


def Table(reply: exchange.Reply[Any], rows: Any, kind: Type[_Record]
          ) -> exchange.Reply[List[_Record]]:
  """Names the items of each row.

  @param rows: the answer, or a part of it
  @raise errors.ConfdClientError: it is no table

  """
  # pylint: disable=W0212
  return reply.With([kind._make(row)
                     for row in Rows(reply, rows, len(kind._fields))])


def Single(reply: exchange.Reply[Any], kind: Type[_Record]
           ) -> exchange.Reply[_Record]:
  """Names the items of an answer.

  @raise errors.ConfdClientError: they are not so many

  """
  # pylint: disable=W0212
  (row, ) = Rows(reply, [reply.answer], len(kind._fields))
  return reply.With(kind._make(row))


def NodesOfIps(reply: exchange.Reply[Any], count: int) -> List[NodeOfIp]:
  """Reads the answer to a list of IPs.

  @param count: how many they were
  @raise errors.ConfdClientError: it is something else

  """
  rows = reply.answer
  if not (isinstance(rows, list) and len(rows) == count and
          all(isinstance(row, list) and len(row) >= 2 for row in rows)):
    _Refuse(reply, "%d pairs for %d IPs" % (count, count))
  # The packaged daemon adds a third item, a serial
  return [NodeOfIp(row[0], row[1]) for row in rows]

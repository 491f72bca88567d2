#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Result types: named tuples for answers that are lists on the wire.

A program that takes the list by index, or unpacks it, works with the tuple as
well. L{forms} has checked the lengths and types of the lists.

"""

from __future__ import annotations

from typing import Any, Iterable, NamedTuple, Optional, TypeVar

from ganeti import constants


class MasterInfo(NamedTuple):
  """The master.

  """
  #: name of the master node
  node: str
  #: the cluster's address, which moves to each new master
  master_ip: str
  #: the primary IP of the master node
  node_ip: str


class NodeOfIp(NamedTuple):
  """The node of an instance's IP.

  """
  #: C{constants.CONFD_REPL_STATUS_*}: 0 if the IP is known
  status: int
  #: the primary IP of the instance's node, or the code of an error
  answer: Any

  @property
  def node_ip(self) -> Optional[str]:
    """The node's primary IP; None in place of an error.

    """
    return (str(self.answer)
            if self.status == int(constants.CONFD_REPL_STATUS_OK) else None)


class DrbdMinor(NamedTuple):
  """One of a node's DRBD minors.

  """
  #: name of the node
  node: str
  #: number of the minor on that node
  minor: int
  #: name of the instance
  instance: str
  #: the instance's disk, e.g. "disk/0"
  disk: str
  #: the node's role for the disk: "primary" or "secondary"
  role: str
  #: name of the other node with the disk
  peer: str


class NodeInstances(NamedTuple):
  """A node's instances, as the configuration has them.

  """
  #: the instances whose primary node is this node
  primary: list[dict[str, Any]]
  #: the instances whose secondary node is this node
  secondary: list[dict[str, Any]]


class Field(NamedTuple):
  """A field of a table.

  """
  #: the field's name, for use in questions
  name: str
  #: heading of the column
  title: str
  #: Ganeti's word for the type of the field's values, such as "text" or "unit"
  type: str
  #: explanation of the field
  text: str


_Row = TypeVar("_Row", DrbdMinor, Field)


def FromRows(rows: Iterable[list[Any]], kind: type[_Row]) -> list[_Row]:
  """Converts each row of an answer.

  """
  # pylint: disable=W0212
  return [kind._make(row) for row in rows]


def NodesOfIps(rows: Iterable[list[Any]]) -> list[NodeOfIp]:
  """Converts the answer to a list of IPs.

  """
  # Leave out the third item of a row, a serial: only Ganeti's own daemon sends
  # it
  return [NodeOfIp(row[0], row[1]) for row in rows]

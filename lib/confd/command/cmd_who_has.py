#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "who-has": whose an address or a name is.

The daemon cannot look for the address of a network interface. So all instances
are asked for that alone, and only those who have it for more.

"""

from __future__ import annotations

import argparse

from typing import Any, Dict, List, Optional

from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd.command import exitcodes
from ganeti.confd.command import output
from ganeti.confd.schema import columns
from ganeti.confd.views import whohas


_HEADERS = ["What", "Name", "IP", "NIC", "NICName", "MAC", "Mode", "Link",
            "Network", "Node", "NodeIP", "Secondary_Nodes"]
_NUMERIC = (3, )


class _Questions:
  """Asks, and keeps what the answers have to do with each other.

  @ivar replies: in the order of the questions

  """
  def __init__(self, asker: clientlib.Client) -> None:
    self._asker = asker
    self.replies: List[clientlib.Reply[Any]] = []

  def _Keep(self, reply: clientlib.Reply[Any]) -> Any:
    self.replies.append(reply)
    return reply.answer

  def Table(self, what: str, fields: List[str],
            names: Optional[List[str]] = None) -> List[Dict[str, Any]]:
    rows = self._Keep(self._asker.List(what, fields, names=names))
    return [dict(zip(fields, row)) for row in rows]

  def Named(self, what: str, fields: List[str], name: str
            ) -> List[Dict[str, Any]]:
    """Asks for what has a name.

    @return: one row, or none

    """
    try:
      return self.Table(what, fields, [name])
    except clientlib.ErrorAnswer as err:
      if isinstance(err.code, dict) and err.code.get("unknown") == "name":
        return []
      raise

  def Master(self) -> List[str]:
    """Asks for the name of the master node, and the master IP.

    """
    (name, ip) = self._Keep(self._asker.MasterInfo())[:2]
    return [name, ip]

  def Reply(self, answer: Any) -> clientlib.Reply[Any]:
    return self.replies[-1]._replace(
      answer=answer, serial=min(reply.serial for reply in self.replies))


def _Ask(questions: _Questions, sought: whohas.Sought) -> List[whohas.Finding]:
  """Finds out who has it.

  """
  fields = list(whohas.INSTANCE_FIELDS)
  named = None
  master = None
  if sought.kind == whohas.NAME:
    instances = questions.Named(columns.INSTANCE, fields, sought.value)
    for row in questions.Named(columns.NODE, ["name"], sought.value):
      named = row["name"]
  else:
    addresses = questions.Table(
      columns.INSTANCE, ["name", whohas.ADDRESS_FIELDS[sought.kind]])
    names = whohas.InstancesWith(sought, addresses)
    instances = (questions.Table(columns.INSTANCE, fields, names) if names
                 else [])
  if sought.kind == whohas.IP:
    master = questions.Master()
  nodes = questions.Table(columns.NODE, list(whohas.NODE_FIELDS))
  return whohas.Find(sought, instances, nodes, named, master)


def _Cells(finding: whohas.Finding) -> List[Any]:
  (nic, node) = (finding.nic, finding.node)
  cells: List[Any] = [finding.what, finding.name, finding.ip]
  cells += ([None] * len(whohas.Nic._fields) if nic is None else
            [nic.number, nic.name, nic.mac, nic.mode, nic.link, nic.network])
  cells += [None, None] if node is None else [node.name, node.primary_ip]
  return cells + [",".join(i.name for i in finding.secondaries) or None]


def Run(asker: clientlib.Client, opts: argparse.Namespace) -> int:
  """Shows who has an address or a name.

  """
  sought = whohas.Parse(opts.sought)
  questions = _Questions(asker)
  with output.Progress(asker):
    findings = _Ask(questions, sought)
  if not findings:
    raise errors.ConfdClientError("nobody has the %s '%s'" %
                                  (sought.kind, sought.value))
  if opts.json:
    output.PrintReply(questions.Reply([whohas.AsDict(i) for i in findings]))
  else:
    output.Printer(opts).Print(_HEADERS, [_Cells(i) for i in findings],
                               _NUMERIC)
  return exitcodes.SUCCESS

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "evacuate": plans the evacuation of a node.

This module asks for the tables, and L{evacuation} makes the plan.

"""

from __future__ import annotations

import argparse

from typing import Any, Optional

from ganeti.confd import client as clientlib
from ganeti.confd.command import cellformat
from ganeti.confd.command import exitcodes
from ganeti.confd.command import multicluster
from ganeti.confd.command import output
from ganeti.confd.command import result
from ganeti.confd.command import table
from ganeti.confd.views import evacuation


_HEADERS = ["Instance", "Disks", "Memory", "Targets", "Command", "Problem"]
_MEMORY = 2

#: A table does not list all target nodes if there are more
_MANY = 3


def _FormatMemory(size: Any) -> str:
  return cellformat.FormatUnit(size, "h") if size else ""


def _Targets(names: list[str]) -> str:
  """Joins the names of nodes, or the first few of many.

  """
  if len(names) <= _MANY:
    return ",".join(names)
  return "%s,... (%d nodes)" % (",".join(names[:_MANY - 1]), len(names))


def _Cells(step: evacuation.Step, separator: Optional[str]
           ) -> list[Optional[str]]:
  """Formats the cells of a row.

  A command is left out if a character of it would be escaped in the table, as
  it would be a different command then, perhaps with other quotes.

  """
  command = evacuation.Command(step)
  problem = step.problem
  if command is not None and not table.CanHold(command, separator):
    command = None
    problem = problem or "its command contains the separator; see --json"
  return [step.instance, step.disk_template,
          cellformat.Leniently(_FormatMemory)(step.memory),
          _Targets(step.targets), command, problem or ""]


def _Json(plan: evacuation.Plan) -> dict[str, Any]:
  steps = [dict(step._asdict(), command=evacuation.Command(step))
           for step in plan.steps]
  return dict(plan._asdict(), steps=steps)


def _Ask(client: clientlib.Client, opts: argparse.Namespace) -> result.Result:
  """Asks for the tables, and makes the plan.

  """
  node = client.List("node", ["name"], names=[opts.node]).answer[0][0]
  reply = client.Tables(evacuation.FIELDS)
  tags = client.Config(evacuation.CLUSTER_TAGS, optional=True).answer
  plan = evacuation.Make(node, reply.answer, tags, opts.primary_only)
  # There is no plan if the node was removed since the first answer
  steps = plan.steps if plan is not None else []
  remarks = []
  if not (steps or opts.json or opts.separator):
    remarks.append("No instance is on %s" % node)
  view = table.Table(_HEADERS, [_Cells(step, opts.separator) for step in steps],
                     [_MEMORY], [None if step.possible else "red"
                                 for step in steps])
  return result.Result(
    output.FormatReply(reply._replace(answer=plan and _Json(plan))),
    view if steps else None, remarks=remarks,
    code=exitcodes.SUCCESS if all(step.possible for step in steps)
    else exitcodes.FAILURE)


def RunMultiCluster(factories: multicluster.ClientFactories,
                    opts: argparse.Namespace) -> int:
  """Prints the plan for the cluster that has the node.

  """
  return multicluster.Run(factories, opts, _Ask)


def Run(client: clientlib.Client, opts: argparse.Namespace) -> int:
  """Prints the plan.

  @return: exit code

  """
  with output.Progress(client):
    plan = _Ask(client, opts)
  return result.Print(plan, opts)

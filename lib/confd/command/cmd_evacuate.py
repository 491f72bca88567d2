#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "evacuate": plans the evacuation of a node.

This module asks for the tables, and L{evacuation} makes the plan.

"""

from __future__ import annotations

import argparse

from typing import Any, Optional, Sequence

from ganeti.confd import client as clientlib
from ganeti.confd.command import cellformat
from ganeti.confd.command import exitcodes
from ganeti.confd.command import multicluster
from ganeti.confd.command import output
from ganeti.confd.command import plugin
from ganeti.confd.command import proposals
from ganeti.confd.command import result
from ganeti.confd.command import table
from ganeti.confd.views import evacuation


_HEADERS = ["Instance", "Disks", "Memory", "Targets", "Command", "Problem"]
_MEMORY = 2

#: If there are more names than this, a cell lists only the first ones
_MANY = 3

_FAILURE_HEADERS = ["Node", "Instances", "Nowhere", "Memory", "Targets",
                    "MostOn", "MostMemory", "NowhereToGo"]
_FAILURE_NUMERIC = (1, 2, 3, 4, 6)

#: The default limits of --nagios, by the names in C{argtypes.EVACUATE_LIMITS}
_LIMITS = plugin.Limits({"nowhere": 0}, {})

_FAILURE_NOTE = ("From the configuration alone: whether the nodes have that"
                 " much memory free is not in it.")


def _FormatMemory(size: Any) -> str:
  return cellformat.FormatUnit(size, "h") if size else ""


def _Some(names: list[str], what: str = "nodes") -> str:
  """Joins names, or the first few of many.

  @param what: the plural of the things that have the names

  """
  if len(names) <= _MANY:
    return ",".join(names)
  return "%s,... (%d %s)" % (",".join(names[:_MANY - 1]), len(names), what)


def _Cells(step: evacuation.Step, separator: Optional[str]
           ) -> list[Optional[str]]:
  """Formats the cells of a row.

  A command is left out if the table would escape one of its characters, since
  the escaped text would be a different command, perhaps with other quotes.

  """
  command = evacuation.Command(step)
  problem = step.problem
  if command is not None and not table.CanHold(command, separator):
    command = None
    problem = problem or "its command contains the separator; see --json"
  return [step.instance, step.disk_template,
          cellformat.Leniently(_FormatMemory)(step.memory),
          _Some(step.targets), command, problem or ""]


def _Json(plan: evacuation.Plan) -> dict[str, Any]:
  steps = [dict(step._asdict(), command=evacuation.Command(step))
           for step in plan.steps]
  return dict(plan._asdict(), steps=steps)


def _Nowhere(plan: evacuation.Plan) -> list[str]:
  """Returns the instances of a failed node that have nowhere to go.

  """
  return [step.instance for step in plan.nowhere]


def _FailureCells(plan: evacuation.Plan) -> list[Any]:
  """Formats the row of a node that fails.

  """
  nowhere = _Nowhere(plan)
  (most, size) = max(plan.memory.items(), key=lambda item: item[1],
                     default=(None, 0))
  return [plan.node, len(plan.steps), len(nowhere),
          _FormatMemory(sum(plan.memory.values())), len(plan.memory), most,
          _FormatMemory(size), _Some(nowhere, "instances")]


def Report(plans: Sequence[evacuation.Plan], limits: plugin.Limits = _LIMITS
           ) -> plugin.Report:
  """Makes the report of a Nagios plugin on the failures of nodes.

  @param plans: as L{evacuation.MakeFailures} returns them

  """
  nowhere = {plan.node: _Nowhere(plan) for plan in plans}
  # The two sums count no instance twice, as each instance has one primary node
  number = sum(map(len, nowhere.values()))
  count = sum(len(plan.steps) for plan in plans)
  return plugin.Report(
    limits.StateOf({"nowhere": number}),
    "%d of %d instances %s nowhere to go if %s primary node fails" %
    (number, count, *(("has", "its") if number == 1 else ("have", "their"))),
    [limits.Datum("nowhere", number, count)],
    ["%s: %s" % (node, _Some(names, "instances"))
     for (node, names) in nowhere.items() if names])


def _AskAll(client: clientlib.Client, opts: argparse.Namespace
            ) -> result.Result:
  """Asks for the tables, and plans for the failure of each node.

  """
  reply = client.Tables(evacuation.FIELDS)
  tags = client.Config(evacuation.CLUSTER_TAGS, optional=True).answer
  plans = list(evacuation.MakeFailures(reply.answer, tags))
  document = [{"node": plan.node, "instances": len(plan.steps),
               "nowhere": _Nowhere(plan), "memory": plan.memory}
              for plan in plans]
  formatted = output.FormatReply(reply._replace(answer=document))
  if opts.nagios:
    report = Report(plans, _LIMITS.With(opts))
    return result.Result(formatted, report=report, code=report.code)
  return result.Result(
    formatted,
    table.Table(_FAILURE_HEADERS, [_FailureCells(plan) for plan in plans],
                _FAILURE_NUMERIC, ["red" if _Nowhere(plan) else None
                                   for plan in plans]),
    below=[(_FAILURE_NOTE, None)],
    code=exitcodes.FAILURE if any(map(_Nowhere, plans)) else exitcodes.SUCCESS)


def _Ask(client: clientlib.Client, opts: argparse.Namespace) -> result.Result:
  """Asks for the tables, and makes the plan.

  """
  if opts.every_node:
    return _AskAll(client, opts)
  try:
    node = client.List("node", ["name"], names=[opts.node]).answer[0][0]
  except clientlib.ErrorAnswer as err:
    raise proposals.ForName(client, "node", err) from err
  reply = client.Tables(evacuation.FIELDS)
  tags = client.Config(evacuation.CLUSTER_TAGS, optional=True).answer
  plan = evacuation.Make(node, reply.answer, tags, opts.primary_only)
  # There is no plan if the node was removed after the question for its name,
  # and before the question for the tables
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
  return multicluster.Run(factories, opts, _Ask, is_plugin=opts.nagios)


def Run(client: clientlib.Client, opts: argparse.Namespace) -> int:
  """Prints the plan.

  @return: exit code

  """
  return result.Run(client, opts, _Ask)

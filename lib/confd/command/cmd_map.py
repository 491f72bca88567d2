#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "map": draws the cluster.

  - As text: the nodes of each group, each with its role, a bar for the number
    of its primary instances and a bar for their memory. All bars for the same
    quantity have the same scale.
  - For Graphviz: the groups with their nodes, and an edge from each instance to
    each of its nodes.
  - As SVG, by C{views.svg}.

"""

from __future__ import annotations

import argparse

from typing import Any, NamedTuple, Optional

from ganeti.confd import client as clientlib
from ganeti.confd import humanize
from ganeti.confd.command import cellformat
from ganeti.confd.command import exitcodes
from ganeti.confd.command import multicluster
from ganeti.confd.command import output
from ganeti.confd.command import result
from ganeti.confd.command import table
from ganeti.confd.schema import columns
from ganeti.confd.views import placement


#: Length of the longest bar, in characters
_BAR = 20

#: Maps each role of a node to the node's colour in a drawing by Graphviz
_COLOURS = {
  "M": "gold",
  "C": "palegreen",
  "R": "white",
  "D": "orange",
  "O": "grey",
  }

#: Maps roles of a node to the colour of the node's line on a terminal
_LINE_COLOURS = {
  "D": "yellow",
  "O": "red",
  }


class Line(NamedTuple):
  """A line of the drawing.

  """
  text: str
  #: Key of C{table.COLOURS}; None for the terminal's own colour
  colour: Optional[str] = None


class Placement(NamedTuple):
  """The objects that are drawn.

  """
  nodes: list[placement.NodeSummary]
  instances: list[placement.InstanceSummary]
  #: The reply that --json prints, with the drawn objects as its answer
  reply: clientlib.Reply[Any]


def Fetch(client: clientlib.Client) -> Placement:
  """Asks for nodes and instances.

  """
  reply = client.Tables(placement.FIELDS)
  (nodes, instances) = (reply.answer[columns.NODE],
                        reply.answer[columns.INSTANCE])
  answer = {"nodes": nodes, "instances": instances}
  return Placement([placement.NodeSummary(*row.values()) for row in nodes],
                   [placement.InstanceSummary(*row.values())
                    for row in instances],
                   reply.With(answer))


def _FormatMemory(size: Any) -> str:
  return cellformat.FormatUnit(size, "h")


def _Bar(value: int, most: int) -> str:
  """Draws a bar, with at least one full character for any value above 0.

  """
  length = 0
  if most > 0:
    # Round up, so that even a small value has a bar
    length = (value * _BAR + most - 1) // most
  return "#" * length + "." * (_BAR - length)


def Text(nodes: list[placement.NodeSummary],
         instances: list[placement.InstanceSummary]) -> list[Line]:
  """Draws the cluster as text.

  """
  (counts, memory) = placement.Sum(instances)
  most_instances = max(counts.values(), default=0)
  most_memory = max(memory.values(), default=0)

  cells = {}
  for node in nodes:
    count = counts[node.name]
    size = memory[node.name]
    cells[node.name] = [node.name, columns.ROLES.get(node.role, node.role),
                        str(count), "+%s" % node.secondary,
                        _Bar(count, most_instances),
                        cellformat.Leniently(_FormatMemory)(size),
                        _Bar(size, most_memory)]
  widths = [max(len(cell) for cell in column)
            for column in zip(*cells.values())]

  lines = []
  for (group, members) in placement.ByGroup(nodes):
    count = sum(counts[node.name] for node in members)
    lines.append(Line("%s: %s, %s" % (
      group, humanize.Count(len(members), "node"),
      humanize.Count(count, "instance"))))
    for node in members:
      (name, role, number, secondary, bar, text, size_bar) = cells[node.name]
      lines.append(Line("  %s %s %s%s [%s] %s [%s]" %
                        (name.ljust(widths[0]), role.ljust(widths[1]),
                         number.rjust(widths[2]), secondary.ljust(widths[3]),
                         bar, text.rjust(widths[5]), size_bar),
                        _LINE_COLOURS.get(node.role)))
  lines.append(Line("Per node: role, primary+secondary instances, configured"
                    " memory of the primary ones."))
  if most_instances:
    lines.append(Line("A full bar is the maximum of all nodes: %s, %s" % (
      humanize.Count(most_instances, "instance"),
      cellformat.Leniently(_FormatMemory)(most_memory))))
  return lines


def _Quote(text: str) -> str:
  return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')


def Dot(nodes: list[placement.NodeSummary],
        instances: list[placement.InstanceSummary]) -> list[Line]:
  """Formats the cluster for Graphviz.

  """
  lines = ["digraph cluster {", "  rankdir=LR;", "  node [style=filled];"]
  for (number, (group, members)) in enumerate(placement.ByGroup(nodes)):
    lines.append("  subgraph cluster_%d {" % number)
    lines.append("    label=%s;" % _Quote(group))
    for node in members:
      lines.append("    %s [label=%s, shape=box, fillcolor=%s];" %
                   (_Quote("node " + node.name), _Quote(node.name),
                    _COLOURS.get(node.role, "white")))
    lines.append("  }")
  for instance in instances:
    # The prefixes keep a node and an instance of the same name apart
    me = _Quote("instance " + instance.name)
    lines.append("  %s [label=%s, fillcolor=%s];" %
                 (me, _Quote(instance.name),
                  "lightblue" if instance.state == "up" else "white"))
    lines.append("  %s -> %s;" % (me, _Quote("node " + instance.primary)))
    lines.extend("  %s -> %s [style=dashed];" % (me, _Quote("node " + node))
                 for node in instance.secondaries)
  return [Line(line) for line in lines + ["}"]]


def _Ask(client: clientlib.Client, opts: argparse.Namespace) -> result.Result:
  """Draws the cluster as text or for Graphviz.

  """
  (nodes, instances, reply) = Fetch(client)
  document = output.FormatReply(reply)
  if opts.json:
    return result.Result(document)
  lines = (Dot if opts.dot else Text)(nodes, instances)
  return result.Result(document, table.Table(
    None, [[line.text] for line in lines],
    colours=[line.colour for line in lines], is_drawing=True))


def RunMultiCluster(factories: multicluster.ClientFactories,
                    opts: argparse.Namespace) -> int:
  """Draws several clusters, one below the other.

  """
  return multicluster.Run(factories, opts, _Ask)


def Run(client: clientlib.Client, opts: argparse.Namespace) -> int:
  """Draws the cluster.

  """
  with output.Progress(client):
    if not opts.svg:
      drawn = _Ask(client, opts)
    else:
      (nodes, instances, reply) = Fetch(client)
  if not opts.svg:
    return result.Print(drawn, opts)
  from ganeti.confd.views import svg
  print(svg.Draw(nodes, instances, "Cluster, serial %d" % reply.serial))
  return exitcodes.SUCCESS

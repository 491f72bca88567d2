#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "map": the cluster to look at.

As text: the nodes by group, what each is, and a bar each for how many
instances and how much memory it carries; bars of one kind have one scale. For
Graphviz: groups with their nodes, an edge from each instance to its nodes. As
SVG: what C{views.svg} draws.

"""

from __future__ import annotations

import argparse

from typing import Any, List, NamedTuple, Optional

from ganeti.confd import client as clientlib
from ganeti.confd import humanize
from ganeti.confd.command import cellformat
from ganeti.confd.command import exitcodes
from ganeti.confd.command import output
from ganeti.confd.schema import columns
from ganeti.confd.views import placement


#: Characters of the longest bar
_BAR = 20

_COLOURS = {
  "M": "gold",
  "C": "palegreen",
  "R": "white",
  "D": "orange",
  "O": "grey",
  }

#: On a terminal, as "status" has them: what is of no use, and what is less than
#: it could be
_LINE_COLOURS = {
  "D": "yellow",
  "O": "red",
  }


class Line(NamedTuple):
  """A line of the drawing.

  """
  text: str
  #: One of C{table.COLOURS}; None for none
  colour: Optional[str] = None


class Drawn(NamedTuple):
  """What is drawn.

  """
  nodes: List[placement.Node]
  instances: List[placement.Instance]
  #: Its answer is for --json
  reply: clientlib.Reply[Any]


def Ask(asker: clientlib.Client) -> Drawn:
  """Asks for all that is drawn.

  """
  reply = asker.Tables(placement.FIELDS)
  (nodes, instances) = (reply.answer[columns.NODE],
                        reply.answer[columns.INSTANCE])
  answer = {"nodes": nodes, "instances": instances}
  return Drawn([placement.Node(*row.values()) for row in nodes],
               [placement.Instance(*row.values()) for row in instances],
               reply.With(answer))


def _FormatMemory(size: Any) -> str:
  return cellformat.FormatUnit(size, "h")


def _Bar(value: int, most: int) -> str:
  """Draws a bar; what is not nothing can be seen.

  """
  length = 0
  if most > 0:
    # Rounded up
    length = (value * _BAR + most - 1) // most
  return "#" * length + "." * (_BAR - length)


def Text(nodes: List[placement.Node], instances: List[placement.Instance]
         ) -> List[Line]:
  """Draws the cluster.

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
    lines.append(Line("A full bar is the most of any node: %s, %s" % (
      humanize.Count(most_instances, "instance"),
      cellformat.Leniently(_FormatMemory)(most_memory))))
  return lines


def _Quote(text: str) -> str:
  return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')


def Dot(nodes: List[placement.Node], instances: List[placement.Instance]
        ) -> List[Line]:
  """Writes the cluster for Graphviz.

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
    # A node and an instance may have the same name
    me = _Quote("instance " + instance.name)
    lines.append("  %s [label=%s, fillcolor=%s];" %
                 (me, _Quote(instance.name),
                  "lightblue" if instance.state == "up" else "white"))
    lines.append("  %s -> %s;" % (me, _Quote("node " + instance.primary)))
    lines.extend("  %s -> %s [style=dashed];" % (me, _Quote("node " + node))
                 for node in instance.secondaries)
  return [Line(line) for line in lines + ["}"]]


def Run(asker: clientlib.Client, opts: argparse.Namespace) -> int:
  """Draws the cluster.

  """
  with output.Progress(asker):
    (nodes, instances, reply) = Ask(asker)
  if opts.json:
    output.PrintReply(reply)
    return exitcodes.SUCCESS
  if opts.svg:
    from ganeti.confd.views import svg
    print(svg.Draw(nodes, instances, "Cluster, serial %d" % reply.serial))
  else:
    lines = (Dot if opts.dot else Text)(nodes, instances)
    output.Printer(opts).Print(None, [[line.text] for line in lines],
                               colours=[line.colour for line in lines])
  return exitcodes.SUCCESS

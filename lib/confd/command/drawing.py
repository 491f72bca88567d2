#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "map": the cluster to look at.

As text: the nodes by group, what each is, and a bar each for how many
instances and how much memory it carries; bars of one kind have one scale. For
Graphviz: groups with their nodes, an edge from each instance to its nodes.

"""

import collections

from ganeti.confd.command import listing
from ganeti.confd.config import naturalorder


#: Characters of the longest bar
_BAR = 20

_ROLES = {
  "M": "master",
  "C": "candidate",
  "R": "regular",
  "D": "drained",
  "O": "offline",
  }

_COLOURS = {
  "M": "gold",
  "C": "palegreen",
  "R": "white",
  "D": "orange",
  "O": "grey",
  }

_NODE_FIELDS = ["name", "role", "group", "sinst_cnt"]
_INSTANCE_FIELDS = ["name", "pnode", "snodes", "admin_state", "be/maxmem"]

Node = collections.namedtuple("Node", ["name", "role", "group", "secondary"])
Instance = collections.namedtuple("Instance", ["name", "primary",
                                               "secondaries", "state",
                                               "memory"])


def Ask(asker):
  """Asks for all that is drawn.

  @type asker: L{sync.Client}
  @rtype: tuple of (list of L{Node}, list of L{Instance})

  """
  nodes = [Node(*row) for row in asker.List("node", _NODE_FIELDS).answer]
  instances = [Instance(*row)
               for row in asker.List("instance", _INSTANCE_FIELDS).answer]
  return (nodes, instances)


def _ByGroup(nodes):
  """Sorts nodes by group; those without one come under "-".

  @rtype: list of (string, list of L{Node})

  """
  groups = {}
  for node in nodes:
    groups.setdefault(node.group or "-", []).append(node)
  return sorted(groups.items(),
                key=lambda item: naturalorder.NaturalKey(item[0]))


_FormatMemory = listing.Leniently(lambda size: listing.FormatUnit(size, "h"))


def _Bar(value, most):
  """Draws a bar; what is not nothing can be seen.

  """
  length = 0 if not most else -(-value * _BAR // most)
  return "#" * length + "." * (_BAR - length)


def Text(nodes, instances):
  """Draws the cluster.

  @rtype: list of strings

  """
  counts = collections.Counter(i.primary for i in instances)
  memory = collections.Counter()
  for instance in instances:
    if instance.state != "offline" and isinstance(instance.memory, int):
      memory[instance.primary] += instance.memory
  most_instances = max(counts.values(), default=0)
  most_memory = max(memory.values(), default=0)

  rows = []
  for (group, members) in _ByGroup(nodes):
    for node in members:
      rows.append([node.name, _ROLES.get(node.role, node.role),
                   str(counts[node.name]), "+%s" % node.secondary,
                   _Bar(counts[node.name], most_instances),
                   _FormatMemory(memory[node.name]),
                   _Bar(memory[node.name], most_memory)])
  widths = [max((len(row[i]) for row in rows), default=0) for i in range(7)]
  lines = []
  rows.reverse()
  for (group, members) in _ByGroup(nodes):
    count = sum(counts[node.name] for node in members)
    lines.append("%s: %d node%s, %d instance%s" %
                 (group, len(members), "s"[len(members) == 1:], count,
                  "s"[count == 1:]))
    for _ in members:
      (name, role, number, secondary, bar, size, size_bar) = rows.pop()
      lines.append("  %s %s %s%s [%s] %s [%s]" %
                   (name.ljust(widths[0]), role.ljust(widths[1]),
                    number.rjust(widths[2]), secondary.ljust(widths[3]), bar,
                    size.rjust(widths[5]), size_bar))
  lines.append("Per node: role, primary+secondary instances, their configured"
               " memory")
  return lines


def _Quote(text):
  return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')


def Dot(nodes, instances):
  """Writes the cluster for Graphviz.

  @rtype: list of strings

  """
  lines = ["digraph cluster {", "  rankdir=LR;", "  node [style=filled];"]
  for (number, (group, members)) in enumerate(_ByGroup(nodes)):
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
  return lines + ["}"]

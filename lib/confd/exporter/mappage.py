#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The map of a cluster: a box for each node, with its instances and mirrors.

The boxes flow, so the page fits a screen of any width. The drawing of
C{views.svg} has all instances and mirrors of any number of nodes, but takes
megabytes for a large cluster.

"""

from __future__ import annotations

import collections
import itertools

from typing import Any, Counter, Iterator, NamedTuple, Sequence

from ganeti.confd import humanize
from ganeti.confd.export import sanitize
from ganeti.confd.exporter import clusterstate
from ganeti.confd.exporter import layout
from ganeti.confd.exporter import markup
from ganeti.confd.exporter import paging
from ganeti.confd.exporter import rowfilter
from ganeti.confd.schema import columns
from ganeti.confd.views import placement
from ganeti.confd.views import svg


E = markup.E

#: The page's name in paths
NAME = "map"

#: The names of the page's parameters
GROUP = "group"
PAGE = "page"

#: The boxes of nodes name the instances if a page has at most this many
#: instances
_NAMED = 300

#: The box of a node lists at most this many other nodes that have mirrors of
#: its instances
_TARGETS = 3


class _Cluster(NamedTuple):
  """The nodes and instances to show.

  """
  nodes: list[placement.NodeSummary]
  instances: list[placement.InstanceSummary]


def _Read(config: clusterstate.ClusterConfig, group: str) -> _Cluster:
  """Reads nodes and instances.

  @param group: the only group to show; empty for all
  @raise rowfilter.BadRequest: there is no such group, or the key does not
    permit to ask for all that is shown

  """
  rowfilter.Require(config, columns.NODE, columns.INSTANCE,
                    *([columns.GROUP] if group else []))

  def _Values(kind: str) -> Iterator[list[Any]]:
    return config.tables[kind].Values(placement.FIELDS[kind])

  if group and group not in (i.name for i in config.groups):
    raise rowfilter.BadRequest("There is no group %s" % sanitize.Show(group))
  nodes = [node for node in (placement.NodeSummary(*row)
                             for row in _Values(columns.NODE))
           if not group or node.group == group]
  names = {node.name for node in nodes}
  return _Cluster(nodes, [i for i in (placement.InstanceSummary(*row)
                                      for row in _Values(columns.INSTANCE))
                          if not group or i.primary in names])


def Drawing(config: clusterstate.ClusterConfig, cluster: str, group: str
            ) -> markup.Markup:
  """Draws a cluster, as SVG.

  @param group: as in L{_Read}
  @raise rowfilter.BadRequest: there is no such group

  """
  found = _Read(config, group)
  title = "%s, group %s" % (cluster, group) if group else cluster
  return markup.Markup(svg.Draw(
    found.nodes, found.instances, "%s, serial %d" % (title, config.serial),
    lambda kind, name: layout.ObjectPath(cluster, kind, name)))


def _GroupLinks(cluster: str, config: clusterstate.ClusterConfig, current: str
                ) -> markup.Content:
  """Makes links to the maps of single groups, if there are several.

  """
  if len(config.groups) < 2:
    return None
  links = [("All groups", ""), *((i.name, i.name) for i in config.groups)]
  return E("p", [
    [E("a", text, href=layout.ClusterPath(cluster, NAME, group=name),
       aria_current="true" if name == current else None), " "]
    for (text, name) in links[:paging.MAX_ROWS]], class_="turn")


def Map(state: layout.State, group: str, boxes: markup.Content) -> str:
  """Makes the page.

  @param group: as in L{_Read}
  @param boxes: from L{Boxes}, or why there are none

  """
  cluster = state.cluster
  content: list[markup.Content] = [layout.ShowProblems(state)]
  if state.config is not None:
    content += [
      E("p", "A box is a node, with the instances that have it as primary node"
        " and the number of mirrors on it. The bar is the memory configured for"
        " those instances, relative to the node with the most. ",
        E("a", "As a drawing", href=layout.ClusterPath(
          cluster, NAME + ".svg", group=group))),
      _GroupLinks(cluster, state.config, group), boxes]
  return layout.Page("Map of %s" % cluster, state, NAME, layout.Summary(state),
                     content)


class _Boxes:
  """Makes the boxes of nodes.

  """
  def __init__(self, cluster: str, found: _Cluster) -> None:
    self._cluster = cluster
    self._load = placement.Sum(found.instances)
    self._most = max(self._load.memory.values(), default=0)
    self._node_names = placement.ShortNames(i.name for i in found.nodes)
    self._names = placement.ShortNames(i.name for i in found.instances)
    self._on: dict[str, list[placement.InstanceSummary]] = {}
    for instance in found.instances:
      self._on.setdefault(instance.primary, []).append(instance)

  def Count(self, nodes: Sequence[placement.NodeSummary]) -> int:
    """Returns the number of primary instances of some nodes.

    """
    return sum(len(self._on.get(node.name, [])) for node in nodes)

  def Box(self, node: placement.NodeSummary, is_named: bool) -> markup.Markup:
    """Makes the box of a node.

    @param is_named: whether to name the instances

    """
    role = columns.ROLES.get(node.role, node.role)
    instances = self._on.get(node.name, [])
    memory = self._load.memory[node.name]
    part = 100 * memory / self._most if self._most else 0
    return E(
      "li", E("p", self._Link(columns.NODE, node.name, self._node_names),
              E("span", role, class_="count")),
      E("svg", E("rect", width="%.0f" % part, height=1), class_="bar",
        viewBox="0 0 100 1", preserveAspectRatio="none", aria_hidden="true"),
      E("p", "%s, %s" % (self._States(instances),
                         humanize.FormatMebibytes(memory))),
      E("ul", [self._Instance(i) for i in instances])
      if is_named and instances else None,
      self._Mirrors(instances),
      E("p", "%s here" % humanize.Count(node.secondary, "mirror"))
      if isinstance(node.secondary, int) and node.secondary else None,
      class_="box " + columns.ROLES.get(node.role, "regular"))

  def _Link(self, kind: str, name: str, names: placement.ShortNames,
            title: str = "") -> markup.Content:
    """Makes a link to an object, with its short name.

    """
    path = layout.ObjectPath(self._cluster, kind, name)
    short = names.Short(name)
    if path is None:
      return short
    return E("a", short, href=path, title=title or None)

  @staticmethod
  def _States(instances: Sequence[placement.InstanceSummary]) -> str:
    """Says how many instances shall be in which state.

    """
    states = collections.Counter(str(i.state) for i in instances)
    return ", ".join("%d %s" % (count, state) for (state, count)
                     in sorted(states.items(), key=lambda i: -i[1])
                     ) or "no instances"

  def _Instance(self, instance: placement.InstanceSummary) -> markup.Markup:
    link = self._Link(columns.INSTANCE, instance.name, self._names,
                      svg.Tip(instance))
    return E("li", link, None if instance.state == "up"
             else E("span", " (%s)" % instance.state, class_="count"))

  def _Mirrors(self, instances: Sequence[placement.InstanceSummary]
               ) -> markup.Content:
    """Says on which other nodes the mirrors of some instances are.

    """
    targets: Counter[str] = collections.Counter(
      name for i in instances for name in i.secondaries or [])
    more = len(targets) - _TARGETS
    content: list[markup.Content] = []
    for (name, count) in targets.most_common(_TARGETS):
      content += [", " if content else "Mirrors on ",
                  self._Link(columns.NODE, name, self._node_names),
                  " (%d)" % count]
    if more > 0:
      content.append(" and %s" % humanize.Count(more, "other node"))
    if len(targets) == 1 and sum(targets.values()) >= svg.EVERYTHING:
      content.append(": all on one node")
    return E("p", content) if content else None


def Boxes(config: clusterstate.ClusterConfig, cluster: str, group: str,
          number: str) -> markup.Markup:
  """Makes the boxes of all nodes, by group, and the links to other pages.

  @param group: as in L{_Read}
  @param number: the number of the page, from 1; empty for the first
  @raise rowfilter.BadRequest: there is no such group or page

  """
  found = _Read(config, group)
  boxes = _Boxes(cluster, found)
  groups = dict(placement.ByGroup(found.nodes))
  everything = [(name, node) for (name, nodes) in groups.items()
                for node in nodes]
  part = paging.Find(len(everything), number)
  shown = everything[part.rows]
  is_named = boxes.Count([node for (_, node) in shown]) <= _NAMED
  turn = paging.Turn(part, lambda other: layout.ClusterPath(
    cluster, NAME, group=group, page=other))
  content: list[markup.Content] = [turn]
  for (name, members) in itertools.groupby(shown, lambda item: item[0]):
    nodes = groups[name]
    content += [
      E("h2", layout.Link(cluster, columns.GROUP, name), ": %s, %s" % (
        humanize.Count(len(nodes), "node"),
        humanize.Count(boxes.Count(nodes), "instance"))),
      E("ul", [boxes.Box(node, is_named) for (_, node) in members],
        class_="cards")]
  return markup.Join(content, turn)

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Draws a cluster as SVG: the nodes with their instances, and the mirrors.

The drawing needs no font, script or other file. Roles and states are shown by
words and kinds of lines as well as by colours. If no node has many instances,
instances are drawn with their names, else as squares only. Each square has a
tooltip.

Rule: the text is well-formed XML with any names, and no name becomes markup.

"""

from __future__ import annotations

import collections
import contextlib

from typing import Callable, Counter, Iterator, NamedTuple, Optional, Sequence
from xml.sax import saxutils

from ganeti.confd import humanize
from ganeti.confd.schema import columns
from ganeti.confd.views import placement
from ganeti.confd.views import xmltext


#: The drawing's style sheet
STYLE = """\
.map { font-family: sans-serif; font-size: 12px; fill: #222; }
.map .ground { fill: #fff; }
.map .title { font-size: 16px; font-weight: bold; }
.map .heading { font-size: 14px; font-weight: bold; }
.map .small { font-size: 10px; }
.map .tiny { font-size: 8px; }
.map .right { text-anchor: end; }
.map .middle { text-anchor: middle; }
.map .box { fill: none; stroke: #555; }
.map .paper { fill: #f4f4f4; }
.map .full { fill: #a8cdf0; }
.map .master { stroke: #222; stroke-width: 3; }
.map .candidate { stroke-width: 2; }
.map .drained { stroke: #b35900; stroke-width: 2; stroke-dasharray: 6 3; }
.map .offline { stroke: #888; stroke-dasharray: 2 3; }
.map .cross { stroke: #888; stroke-opacity: 0.5; }
.map .up { fill: #1f6f43; stroke: #1f6f43; }
.map .down { fill: #fff; stroke: #1f6f43; }
.map .other { fill: #ccc; stroke: #888; stroke-dasharray: 2 1; }
.map .cell { stroke: #ddd; stroke-width: 0.5; fill: none; }
.map .pair { fill: #b3541e; }
.map .number { paint-order: stroke; stroke: #fff; stroke-width: 2.5; }
.map .all { fill: none; stroke: #222; stroke-width: 2; }
@media screen and (prefers-color-scheme: dark) {
.map { fill: #ddd; }
.map .ground { fill: #181818; }
.map .box { stroke: #aaa; }
.map .paper { fill: #262626; }
.map .full { fill: #24527a; }
.map .master { stroke: #fff; }
.map .drained { stroke: #ffa64d; }
.map .up { fill: #5fbf8a; stroke: #5fbf8a; }
.map .down { fill: #181818; stroke: #5fbf8a; }
.map .other { fill: #444; stroke: #999; }
.map .cell { stroke: #444; }
.map .pair { fill: #f0975a; }
.map .number { stroke: #181818; }
.map .all { stroke: #fff; }
}
"""

# Sizes in pixels. _LEAST_WIDTH is wide enough for the longest line of text.
_WIDTH = 1200
_LEAST_WIDTH = 606
_MARGIN = 20
_GAP = 10
_LINE = 16
_BOX = 182
_PAD = 6
_SQUARE = 9
_SQUARE_STEP = 12
_CELLS = (9, 30)
_LABEL_CHARACTER = 6.5

#: Instances are drawn with names if no node has more instances than this
_NAMED = 8
#: Maximum length of a node's name, which shares a line with the node's role,
#: and of an instance's name, which has a line of its own (characters)
_BESIDE_ROLE = 17
_ALONE = 27
#: Maximum length of a name beside the matrix (characters)
_BESIDE_MATRIX = 20

#: A node that has all its mirrors on one other node is reported if it has at
#: least this many mirrored instances
EVERYTHING = 2
#: Of the nodes that have all their mirrors on one other node, at most this many
#: are listed
_LISTED = 10

_STATES = {
  "up": "up",
  "down": "down",
  }


#: A function that returns the address of the page about an object, given the
#: object's kind (one of C{columns.KINDS}) and name; None if there is no such
#: page
FindPage = Callable[[str, str], Optional[str]]


def _FindNoPage(_kind: str, _name: str) -> Optional[str]:
  return None


class _Pen:
  """Formats SVG elements.

  """
  def __init__(self, find_page: FindPage) -> None:
    self.lines: list[str] = []
    self._find_page = find_page

  @contextlib.contextmanager
  def Link(self, kind: str, name: str) -> Iterator[None]:
    """Makes everything drawn in this context a link to an object's page.

    """
    page = self._find_page(kind, name)
    if page is not None:
      self.lines.append("<a href=%s>" % saxutils.quoteattr(page))
    yield
    if page is not None:
      self.lines.append("</a>")

  def Text(self, x: float, y: float, text: str, looks: str = "",
           turn: int = 0) -> None:
    attributes = " class=%s" % saxutils.quoteattr(looks) if looks else ""
    if turn:
      attributes += ' transform="rotate(%d %g %g)"' % (turn, x, y)
    self.lines.append('<text x="%g" y="%g"%s>%s</text>' %
                      (x, y, attributes, xmltext.Escape(text)))

  def Rectangle(self, x: float, y: float, width: float, height: float,
                looks: str, tip: str = "", more: str = "") -> None:
    head = '<rect x="%g" y="%g" width="%g" height="%g" class=%s%s' % (
      x, y, width, height, saxutils.quoteattr(looks), more)
    self.lines.append(head + ("><title>%s</title></rect>" % xmltext.Escape(tip)
                              if tip else "/>"))

  def Line(self, x1: float, y1: float, x2: float, y2: float,
           looks: str) -> None:
    self.lines.append('<line x1="%g" y1="%g" x2="%g" y2="%g" class=%s/>' %
                      (x1, y1, x2, y2, saxutils.quoteattr(looks)))



def _Shorten(text: str, length: int) -> str:
  return text if len(text) <= length else text[:length - 1] + "\u2026"


def Tip(instance: placement.InstanceSummary) -> str:
  """Returns an instance's tooltip.

  """
  parts = [instance.name, str(instance.state)]
  memory = humanize.FormatMebibytes(humanize.Mebibytes(instance.memory))
  if memory is not None:
    parts.append(memory)
  if instance.secondaries:
    parts.append("mirrored to %s" % ", ".join(instance.secondaries))
  return ", ".join(parts)


class _Drawing:
  """Draws the nodes as boxes.

  """
  def __init__(self, nodes: Sequence[placement.NodeSummary],
               instances: Sequence[placement.InstanceSummary]) -> None:
    self._load = placement.Sum(instances)
    self._most = max(self._load.memory.values(), default=0)
    self._named = max(self._load.instances.values(), default=0) <= _NAMED
    self._groups = placement.ByGroup(nodes)
    self._node_names = placement.ShortNames(node.name for node in nodes)
    self._instance_names = placement.ShortNames(i.name for i in instances)
    self._on = collections.defaultdict(list)
    for instance in instances:
      self._on[instance.primary].append(instance)

  def _Height(self, node: placement.NodeSummary) -> float:
    count = len(self._on[node.name])
    if self._named:
      body = count * _LINE
    else:
      a_row = (_BOX - 2 * _PAD) // _SQUARE_STEP
      body = -(-count // a_row) * _SQUARE_STEP
    return 2 * _LINE + _PAD + body + _PAD

  @property
  def _a_row(self) -> int:
    """The number of boxes in a row.

    """
    most = (_WIDTH - 2 * _MARGIN + _GAP) // (_BOX + _GAP)
    return min(most, max((len(members) for (_, members) in self._groups),
                         default=0))

  @property
  def width(self) -> float:
    return 2 * _MARGIN + self._a_row * (_BOX + _GAP) - _GAP

  def Describe(self) -> list[str]:
    """Returns sentences about the groups, for users of screen readers.

    """
    return ["%s: %s, %s" % (
      group, humanize.Count(len(members), "node"),
      humanize.Count(sum(self._load.instances[node.name] for node in members),
                     "instance")) for (group, members) in self._groups]

  def Draw(self, pen: _Pen, y: float) -> float:
    """Draws all groups.

    @return: the y coordinate below the groups

    """
    a_row = self._a_row
    for (text, (_, members)) in zip(self.Describe(), self._groups):
      y += _LINE
      pen.Text(_MARGIN, y, text, "heading")
      y += _GAP
      for first in range(0, len(members), a_row):
        row = members[first:first + a_row]
        height = max(self._Height(node) for node in row)
        for (column, node) in enumerate(row):
          self._DrawNode(pen, _MARGIN + column * (_BOX + _GAP), y, height, node)
        y += height + _GAP
      y += _GAP
    return y

  def _DrawNode(self, pen: _Pen, x: float, y: float, height: float,
                node: placement.NodeSummary) -> None:
    role = columns.ROLES.get(node.role, node.role)
    memory = self._load.memory[node.name]
    part = memory / self._most if self._most else 0
    pen.Rectangle(x, y, _BOX, height, "paper")
    pen.Rectangle(x, y, _BOX * part, height, "full")
    pen.Rectangle(x, y, _BOX, height,
                  "box " + columns.ROLES.get(node.role, "regular"))
    if role == "offline":
      pen.Line(x, y, x + _BOX, y + height, "cross")
      pen.Line(x, y + height, x + _BOX, y, "cross")
    text_y = y + _LINE - 3
    with pen.Link(columns.NODE, node.name):
      pen.Text(x + _PAD, text_y,
               _Shorten(self._node_names.Short(node.name), _BESIDE_ROLE))
    pen.Text(x + _BOX - _PAD, text_y, role, "small right")
    text_y += _LINE
    pen.Text(x + _PAD, text_y, "%d+%s instances" % (
      self._load.instances[node.name], node.secondary), "small")
    pen.Text(x + _BOX - _PAD, text_y, humanize.FormatMebibytes(memory) or "",
             "small right")
    self._DrawInstances(pen, x + _PAD, text_y + _PAD, node)

  def _DrawInstances(self, pen: _Pen, x: float, y: float,
                     node: placement.NodeSummary) -> None:
    for (i, instance) in enumerate(self._on[node.name]):
      with pen.Link(columns.INSTANCE, instance.name):
        self._DrawInstance(pen, x, y, i, instance)

  def _DrawInstance(self, pen: _Pen, x: float, y: float, index: int,
                    instance: placement.InstanceSummary) -> None:
    """Draws an instance.

    @param x: the left edge of all instances in the same box
    @param y: the upper edge of all instances in the same box
    @param index: the instance's position among the instances in the box

    """
    looks = _STATES.get(instance.state, "other")
    tip = Tip(instance)
    if self._named:
      pen.Rectangle(x, y + index * _LINE + 3, _SQUARE, _SQUARE, looks, tip)
      pen.Text(x + _SQUARE_STEP + 3, y + index * _LINE + _SQUARE + 3,
               _Shorten(self._instance_names.Short(instance.name), _ALONE),
               "small")
    else:
      a_row = (_BOX - 2 * _PAD) // _SQUARE_STEP
      pen.Rectangle(x + index % a_row * _SQUARE_STEP,
                    y + index // a_row * _SQUARE_STEP + 2, _SQUARE, _SQUARE,
                    looks, tip)


class _Pair(NamedTuple):
  primary: str
  secondary: str


class _Matrix:
  """Draws the matrix of mirrors: a row for each primary node.

  """
  def __init__(self, nodes: Sequence[placement.NodeSummary],
               instances: Sequence[placement.InstanceSummary]) -> None:
    self._pairs: Counter[_Pair] = collections.Counter(
      _Pair(instance.primary, name) for instance in instances
      for name in instance.secondaries)
    used = {name for pair in self._pairs for name in pair}
    self._names = [node.name for node in nodes if node.name in used]
    short = placement.ShortNames(self._names)
    self._labels = [_Shorten(short.Short(name), _BESIDE_MATRIX)
                    for name in self._names]
    self._margin = _GAP + _LABEL_CHARACTER * max(map(len, self._labels),
                                                 default=0)
    (least, most) = _CELLS
    self._cell = max(least, min(
      most, (_WIDTH - 2 * _MARGIN - self._margin) // max(1, len(self._names))))

  @property
  def width(self) -> float:
    return 2 * _MARGIN + self._margin + self._cell * len(self._names)

  def _Everything(self) -> list[tuple[_Pair, int]]:
    """Returns the pairs in which one node has all mirrors of another node.

    """
    peers = collections.Counter(pair.primary for pair in self._pairs)
    found = [(pair, count) for (pair, count) in self._pairs.items()
             if peers[pair.primary] == 1 and count >= EVERYTHING]
    return sorted(found, key=lambda item: -item[1])

  def Describe(self) -> list[str]:
    """Returns a sentence about each node with all mirrors on one other node.

    """
    return ["%s: all of its %d to %s" % (pair.primary, count, pair.secondary)
            for (pair, count) in self._Everything()]

  def Draw(self, pen: _Pen, y: float) -> float:
    """Draws the matrix, if there are mirrors.

    @return: the y coordinate below the matrix

    """
    y += _LINE
    if not self._names:
      pen.Text(_MARGIN, y, "No instance is mirrored to a second node.")
      return y + _LINE
    pen.Text(_MARGIN, y, "Instances by primary node (rows) and the node that"
             " has their mirror (columns)", "heading")
    y += self._margin
    left = _MARGIN + self._margin
    looks = "small" if self._cell > 12 else "tiny"
    baseline = self._cell / 2 + 3
    for (i, text) in enumerate(self._labels):
      pen.Text(left + i * self._cell + baseline, y - 4, text, looks, -90)
      pen.Text(left - 4, y + i * self._cell + baseline, text, looks + " right")
    size = self._cell * len(self._names)
    for i in range(len(self._names) + 1):
      offset = i * self._cell
      pen.Line(left, y + offset, left + size, y + offset, "cell")
      pen.Line(left + offset, y, left + offset, y + size, "cell")
    self._DrawPairs(pen, left, y)
    return self._Tell(pen, y + size + _LINE)

  def _DrawPairs(self, pen: _Pen, left: float, top: float) -> None:
    place = {name: i for (i, name) in enumerate(self._names)}
    most = max(self._pairs.values())
    everything = {pair for (pair, _) in self._Everything()}
    for (pair, count) in self._pairs.items():
      if pair.primary not in place or pair.secondary not in place:
        continue
      x = left + place[pair.secondary] * self._cell
      y = top + place[pair.primary] * self._cell
      pen.Rectangle(x, y, self._cell, self._cell, "pair", "%s to %s: %s" % (
        pair.primary, pair.secondary, humanize.Count(count, "instance")),
                    ' fill-opacity="%.2f"' % (0.2 + 0.8 * count / most))
      if pair in everything:
        pen.Rectangle(x, y, self._cell, self._cell, "all")
      if self._cell >= 16:
        pen.Text(x + self._cell / 2, y + self._cell / 2 + 4, str(count),
                 "small middle number")

  def _Tell(self, pen: _Pen, y: float) -> float:
    found = self._Everything()
    if not found:
      pen.Text(_MARGIN, y, "No node has all its mirrors (%d or more) on one"
               " other node." % EVERYTHING)
      return y + _LINE
    for text in ["Framed: one node has all mirrors of another node, and would"
                 " get all of", "its instances if that other node failed."]:
      pen.Text(_MARGIN, y, text)
      y += _LINE
    for text in self.Describe()[:_LISTED]:
      pen.Text(_MARGIN, y, text)
      y += _LINE
    if len(found) > _LISTED:
      pen.Text(_MARGIN, y, "and %s more" %
               humanize.Count(len(found) - _LISTED, "node"))
      y += _LINE
    return y


def _Legend(pen: _Pen, y: float) -> float:
  """Draws the legend of boxes and squares.

  """
  for text in ["A box is a node: its primary+secondary instances, and the"
               " memory configured for the primary",
               "ones. The box is filled by that memory, relative to the node"
               " with the most memory."]:
    pen.Text(_MARGIN, y, text, "small")
    y += _LINE
  x = float(_MARGIN)
  for (looks, text) in [("up", "an instance set to be up"),
                        ("down", "an instance set to be down"),
                        ("other", "an offline instance")]:
    pen.Rectangle(x, y - _SQUARE, _SQUARE, _SQUARE, looks)
    pen.Text(x + _SQUARE_STEP + 3, y, text, "small")
    x += 180
  return y + _GAP


def Draw(nodes: Sequence[placement.NodeSummary],
         instances: Sequence[placement.InstanceSummary], title: str,
         find_page: FindPage = _FindNoPage) -> str:
  """Draws a cluster.

  @param title: the heading above the drawing
  @param find_page: for links to the pages about nodes and instances
  @return: an svg element

  """
  pen = _Pen(find_page)
  y = float(_MARGIN + _LINE)
  pen.Text(_MARGIN, y, title, "title")
  y = _Legend(pen, y + _LINE + 4)
  matrix = _Matrix(nodes, instances)
  drawing = _Drawing(nodes, instances)
  width = max(_LEAST_WIDTH, drawing.width, matrix.width)
  y = drawing.Draw(pen, y)
  y = matrix.Draw(pen, y)
  head = ['<svg xmlns="http://www.w3.org/2000/svg" class="map" width="%g"'
          ' height="%g" viewBox="0 0 %g %g" role="img">' % (width, y, width, y),
          "<title>%s</title>" % xmltext.Escape(title),
          "<desc>%s.</desc>" % xmltext.Escape(". ".join(
            drawing.Describe() + matrix.Describe()[:_LISTED])),
          "<style>\n%s</style>" % STYLE]
  ground = '<rect width="%g" height="%g" class="ground"/>' % (width, y)
  return "\n".join(head + [ground] + pen.lines + ["</svg>"])

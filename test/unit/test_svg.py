#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of ganeti.confd.views.svg"""

import unittest
import xml.etree.ElementTree

import inputs
import testutils # pylint: disable=W0611
from inputs import TEXTS, hypothesis, needs_hypothesis, st

from ganeti.confd.schema import columns
from ganeti.confd.views import placement
from ganeti.confd.views import svg


_SVG = "{http://www.w3.org/2000/svg}"

_SETTINGS = inputs.Settings(100)


def _Node(index, role="R", group="default", **kwargs):
  return placement.NodeSummary(
    kwargs.pop("name", "node%d.example.com" % index), role, group, 1)


def _Instance(index, primary, *secondaries, **kwargs):
  return placement.InstanceSummary(
    kwargs.get("name", "inst%d.example.com" % index),
    "node%d.example.com" % primary,
    ["node%d.example.com" % i for i in secondaries],
    kwargs.get("state", "up"), kwargs.get("memory", 1024))


class _Drawn:
  """A drawing, taken apart.

  """
  def __init__(self, nodes, instances, title="Title"):
    self.root = xml.etree.ElementTree.fromstring(
      svg.Draw(nodes, instances, title))
    self.texts = [i.text for i in self.root.iter(_SVG + "text")]
    self.tips = [i.text for rect in self.root.iter(_SVG + "rect")
                 for i in rect.iter(_SVG + "title")]

  def Widths(self, looks):
    return [float(i.get("width")) for i in self.root.iter(_SVG + "rect")
            if i.get("class") == looks]


class TestDraw(unittest.TestCase):
  def testRoles(self):
    """Each role is there as a word.

    """
    drawn = _Drawn([_Node(i, role) for (i, role) in enumerate("MCRDO")], [])
    for role in columns.ROLES.values():
      self.assertIn(role, drawn.texts)
    # The box of an offline node is crossed out
    crosses = [i for i in drawn.root.iter(_SVG + "line")
               if i.get("class") == "cross"]
    self.assertEqual(len(crosses), 2)
    self.assertIn("default: 5 nodes, 0 instances", drawn.texts)

  def testNamesWithFew(self):
    drawn = _Drawn([_Node(1), _Node(2)],
                   [_Instance(i, 1, 2) for i in range(8)])
    self.assertIn("inst7", drawn.texts)
    self.assertIn("inst7.example.com, up, 1.0 GiB, mirrored to"
                  " node2.example.com", drawn.tips)

  def testSquaresWithMany(self):
    drawn = _Drawn([_Node(1), _Node(2)],
                   [_Instance(i, 1, 2) for i in range(9)])
    self.assertNotIn("inst7", drawn.texts)
    self.assertEqual(sum("inst" in tip and "mirrored" in tip
                         for tip in drawn.tips), 9)

  def testStates(self):
    drawn = _Drawn([_Node(1)], [_Instance(1, 1), _Instance(2, 1, state="down"),
                                _Instance(3, 1, state="offline"),
                                _Instance(4, 1, state=None)])
    # One of each is the legend's
    self.assertEqual(len(drawn.Widths("up")), 2)
    self.assertEqual(len(drawn.Widths("down")), 2)
    self.assertEqual(len(drawn.Widths("other")), 3)

  def testFilled(self):
    """Boxes are filled in proportion to the node that has most.

    """
    drawn = _Drawn([_Node(1), _Node(2), _Node(3)], [
      _Instance(1, 1, memory=512), _Instance(2, 2, memory=1536),
      _Instance(3, 2, memory=512), _Instance(4, 3, state="offline"),
      _Instance(5, 3, memory="much")])
    (first, second, third) = drawn.Widths("full")
    self.assertEqual((second / first, third), (4, 0))
    self.assertIn("2.0 GiB", drawn.texts)

  def testMirrors(self):
    """The node that mirrors all of another one is named.

    """
    nodes = [_Node(i) for i in range(1, 5)]
    instances = [_Instance(1, 1, 2), _Instance(2, 1, 2), _Instance(3, 1, 2),
                 _Instance(4, 2, 1), _Instance(5, 2, 3), _Instance(6, 3, 1)]
    drawn = _Drawn(nodes, instances)
    self.assertIn("node1.example.com to node2.example.com: 3 instances",
                  drawn.tips)
    self.assertIn("node1.example.com: all of its 3 to node2.example.com",
                  drawn.texts)
    # One mirrored instance does not count, and node2's are on two others
    self.assertEqual(sum(str(text).count("all of its")
                         for text in drawn.texts), 1)
    # No row for a node without mirrors
    self.assertEqual(drawn.texts.count("node4"), 1)
    self.assertEqual(drawn.texts.count("node3"), 3)

  def testInWords(self):
    """A reader who does not see the drawing is told what there is.

    """
    drawn = _Drawn([_Node(i) for i in range(1, 4)],
                   [_Instance(1, 1, 2), _Instance(2, 1, 2)])
    self.assertEqual(drawn.root.findtext(_SVG + "desc"),
                     "default: 3 nodes, 2 instances. node1.example.com: all of"
                     " its 2 to node2.example.com.")

  def testWidth(self):
    """The drawing is as wide as it has to be; only the matrix can be very wide.

    """
    few = _Drawn([_Node(1), _Node(2)], [_Instance(1, 1, 2)])
    self.assertLess(float(few.root.get("width")), 700)
    many = _Drawn([_Node(i) for i in range(200)],
                  [_Instance(i, i, i - 1) for i in range(1, 200)])
    self.assertGreater(float(many.root.get("width")), 1200)
    boxes = [float(i.get("x")) for i in many.root.iter(_SVG + "rect")
             if i.get("class") == "paper"]
    self.assertLess(max(boxes), 1200)

  def testNothing(self):
    drawn = _Drawn([], [])
    self.assertIn("No instance is mirrored to a second node.", drawn.texts)
    _Drawn([], [_Instance(1, 1, 2)])

  def testLook(self):
    self.assertIn("<style>", svg.Draw([_Node(1)], [], "x"))

  def testShortNames(self):
    """The domain that most names have is left out, and no two names are alike.

    """
    for (names, expected) in [
        (["a.x.org", "b.x.org"], ["a", "b"]),
        (["a.x.org", "b.x.org", "c.y.org"], ["a", "b", "c.y.org"]),
        (["a.x.org", "a", "b.x.org"], ["a.x.org", "a", "b"]),
        (["a", "b"], ["a", "b"]), ([".x.org", "b.x.org"], [".x.org", "b"]),
        ([None, ""], ["None", ""]), ([], [])]:
      short = placement.ShortNames(names)
      self.assertEqual([short.Short(name) for name in names], expected)

  @needs_hypothesis
  @_SETTINGS
  @hypothesis.given(st.lists(TEXTS, min_size=6, max_size=6))
  def testAnyNames(self, texts):
    """Names never become markup, whatever they hold.

    """
    (name, other, group, role, instance, state) = texts
    nodes = [placement.NodeSummary(name, role, group, 0),
             placement.NodeSummary(other, "M", group, 0)]
    instances = [
      placement.InstanceSummary(instance, name, [other], state, 5)] * 9
    drawn = _Drawn(nodes, instances, title=name)
    names = {i.tag for i in drawn.root.iter()}
    self.assertEqual(names, {_SVG + i for i in (
      "svg", "title", "desc", "style", "rect", "text", "line")})
    usual = _Drawn([_Node(1), _Node(2, "M")], [_Instance(1, 1, 2)] * 9)
    if name != other and role not in columns.ROLES.values():
      self.assertLessEqual(abs(len(drawn.texts) - len(usual.texts)), 4)


if __name__ == "__main__":
  unittest.main()

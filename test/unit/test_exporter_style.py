#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of the colours of confd-exporter's style sheet

The limits are those of WCAG 2.1, level AA: 4.5 for text, and 3 for the edges of
fields.
"""

import os
import re
import unittest

import testutils

from ganeti.confd.views import svg


_STYLE = os.path.join(testutils.SRCDIR, "lib", "confd", "exporter", "style.css")

#: Variables for text, for what is behind text anywhere, and for edges of fields
_TEXT = ["text", "muted", "link", "bad", "doubt", "good"]
_GROUNDS = ["page", "surface", "marked"]
_EDGE = "edge"

#: Variables for lines without a meaning, which need no contrast
_DECORATION = {"line"}

#: In drawings: the classes of text and of what may be behind the text
_DRAWN_TEXT = ["", ".number"]
_DRAWN_GROUNDS = [".ground", ".paper", ".full"]


def _Luminance(colour):
  """Returns the relative luminance of a colour.

  @param colour: as in a style sheet: C{#} and three or six hexadecimal digits

  """
  digits = colour[1:]
  if len(digits) == 3:
    digits = "".join(2 * digit for digit in digits)
  parts = []
  for i in (0, 2, 4):
    part = int(digits[i:i + 2], 16) / 255
    parts.append(part / 12.92 if part <= 0.04045
                 else ((part + 0.055) / 1.055) ** 2.4)
  return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def _Contrast(one, other):
  (dark, light) = sorted([_Luminance(one), _Luminance(other)])
  return (light + 0.05) / (dark + 0.05)


def _Rules(style):
  """Yields the selector and the declarations of each rule.

  """
  style = re.sub(r"/\*.*?\*/", "", style, flags=re.S)
  style = re.sub(r"@media [^{]*\{", "", style)
  for (selector, text) in re.findall(r"([^{}]*)\{([^{}]*)\}", style):
    yield (selector.strip(" \n}"), dict(
      tuple(map(str.strip, i.split(":", 1))) for i in text.split(";")
      if i.strip()))


def _Variables(style):
  """Returns the variables on light and on dark screens.

  """
  found = [{name[2:]: value for (name, value) in declared.items()
            if name.startswith("--")}
           for (selector, declared) in _Rules(style) if selector == ":root"]
  light = found[0]
  return {"light": light, "dark": {**light, **found[1]},
          "paper": {**light, **found[2]}}


class TestColours(unittest.TestCase):
  def setUp(self):
    self.style = testutils.ReadFile(_STYLE).decode("ascii")

  def testFormula(self):
    """The contrasts of known pairs.

    """
    for (one, other, expected) in [("#fff", "#000000", 21), ("#777", "#fff",
                                                             4.48),
                                   ("#0000ff", "#ffffff", 8.59)]:
      self.assertAlmostEqual(_Contrast(one, other), expected, 2)

  def _Pairs(self):
    """Lists the pairs of text and ground.

    """
    pairs = {(text, ground) for text in _TEXT for ground in _GROUNDS}
    for (_, declared) in _Rules(self.style):
      (text, ground) = (
        re.fullmatch(r"var\(--(.*)\)", declared.get(name, ""))
        for name in ("color", "background"))
      if text and ground:
        pairs.add((text.group(1), ground.group(1)))
    return pairs

  def testContrast(self):
    pairs = self._Pairs()
    self.assertIn(("bad", "bad-ground"), pairs)
    for (screen, colours) in _Variables(self.style).items():
      for (text, ground) in pairs:
        with self.subTest(screen, text=text, ground=ground):
          self.assertGreaterEqual(_Contrast(colours[text], colours[ground]),
                                  4.5)
      for ground in _GROUNDS:
        with self.subTest(screen, edge=ground):
          self.assertGreaterEqual(_Contrast(colours[_EDGE], colours[ground]), 3)

  def testAllVariables(self):
    """No colour escapes testContrast.

    """
    (light, dark, _) = _Variables(self.style).values()
    used = {name for pair in self._Pairs() for name in pair}
    self.assertEqual(set(light) - used - _DECORATION, {_EDGE})
    self.assertEqual(set(light), set(dark))
    for (selector, declared) in _Rules(self.style):
      if selector != ":root":
        for value in declared.values():
          self.assertNotRegex(value, r"#[0-9a-f]{3}|rgb|hsl", selector)

  def testDrawing(self):
    (light, dark) = ({}, {})
    (usual, _, rest) = svg.STYLE.partition("@media")
    for (colours, text) in [(light, usual), (dark, "@media" + rest)]:
      for (selector, declared) in _Rules(text):
        if "fill" in declared:
          colours[selector.replace(".map", "").strip()] = declared["fill"]
    for colours in (light, {**light, **dark}):
      for text in _DRAWN_TEXT:
        for ground in _DRAWN_GROUNDS:
          with self.subTest(text=text, ground=ground):
            self.assertGreaterEqual(
              _Contrast(colours.get(text, colours[""]), colours[ground]), 4.5)


if __name__ == "__main__":
  unittest.main()

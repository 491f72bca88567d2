#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of ganeti.confd.views.shellwords, with real shells"""

import optparse # pylint: disable=W4901
import shutil
import subprocess
import unittest

import inputs
from inputs import hypothesis, needs_hypothesis, st

from ganeti.confd.views import shellwords


#: Characters that mean something to one shell or the other, at the start of a
#: word or anywhere
_SPECIAL = "$`\\\"'!#&()*;<>?[]{}|~^=% -+@:,./"

_WORDS = [
  "", "web1", "$(id)", "`id`", "a;id", "a b", "a|b", "'", "\"", "\\", "a\\",
  "*", "~", "~root", "#a", "=ls", "-rf", "--", "--node=x", "!!", "{a,b}",
  "^a^b", "%1", "a=b", "\u00fc", "\u732b", "[a]", "<(id)", "$HOME", "&", "=a'b",
  ]

_SHELLS = [name for name in ("bash", "dash", "zsh") if shutil.which(name)]


def _Read(shell, lines):
  """Returns the words that a shell makes of each line.

  """
  script = "".join("printf '%%s\\0' %s; printf '\\1\\0'\n" % line
                   for line in lines)
  out = subprocess.run([shell], input=script.encode("utf-8"), check=True,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
  assert out.stderr == b"", out.stderr
  rows = out.stdout.decode("utf-8").split("\1\0")
  assert rows.pop() == ""
  return [row.split("\0")[:-1] for row in rows]


class TestLine(unittest.TestCase):
  def _Check(self, rows):
    lines = [shellwords.Line(row) for row in rows]
    for shell in _SHELLS:
      self.assertEqual(_Read(shell, lines), rows, shell)

  def testPlain(self):
    self.assertEqual(shellwords.Line(["gnt-instance", "migrate"], ["web1"]),
                     "gnt-instance migrate web1")

  def testWords(self):
    self.assertIn("bash", _SHELLS)
    self._Check([[word] for word in _WORDS if not word.startswith("-")])
    self._Check([["x", *_WORDS]])

  @needs_hypothesis
  @inputs.Settings(30)
  @hypothesis.given(st.lists(
    st.lists(st.text(_SPECIAL + "ab\u00fc"), min_size=1)
    .map(lambda row: ["x", *row]), min_size=1))
  def testAny(self, rows):
    self._Check(rows)

  def testOperandsWithADash(self):
    """No operand is an option to a program of Ganeti's.

    """
    parser = optparse.OptionParser()
    parser.add_option("-n", dest="node")
    for name in _WORDS:
      line = shellwords.Line(["prog", "-n", "-x"], [name, "web"])
      [words] = _Read("bash", [line.replace("prog", "x", 1)])
      (options, operands) = parser.parse_args(words[1:])
      self.assertEqual((options.node, operands), ("-x", [name, "web"]))

  def testNoLine(self):
    for text in ["a\nb", "\t", "\x1b[2J", "\x7f", "\x9b", "\ud800",
                 "\u202e", "\u200b", "\u2028", "\0"]:
      with self.subTest(text=text):
        self.assertIsNone(shellwords.Line(["x"], [text]), ascii(text))
        self.assertIsNone(shellwords.Line(["x", text]), ascii(text))


if __name__ == "__main__":
  unittest.main()

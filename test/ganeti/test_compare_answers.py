#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Ganeti's confd and ours answer alike, whatever the configuration.

But for the differences that the protocol's description has: what is not in its
table is a fault, and what is in it has to be met.

"""

import os
import re
import unittest

import comparing
import testutils

from comparison import answers

#: Rows of the table that no question of a proper form to a proper
#: configuration meets: test_peer_daemon has a test of each
_ELSEWHERE = [
  "``serial``", "No usable configuration", "Answer too large",
  "Requests over 4,096 bytes", "``protocol``", "Empty ``rsalt``",
  "2, 6, no ``nicparams``", "11, other collectors",
  "``part``, 64, 65, 66", "``key`` in the envelope", "Address of the reply",
  ]

#: Rows that stand for what others do in the comparison
_IMPLIED = ["1, a query that names no node", "Private parameters, secrets"]

#: As many configurations as take half a minute
_COUNT = 90


def setUpModule():
  comparing.Require()


def _Rows():
  """Reads the first column of the table of differences.

  """
  text = testutils.ReadFile(os.path.join(
    testutils.SRCDIR, "doc", "protocol.rst")).decode("utf-8")
  (_, _, text) = text.partition("\nDifferences from Ganeti's daemon\n")
  match = re.search(r"^(=+) =+\nWhat .*?\n=+ =+\n(.*?)\n=+ =+$", text,
                    re.MULTILINE | re.DOTALL)
  width = len(match.group(1))
  firsts = [line[:width].rstrip() for line in match.group(2).splitlines()]
  return [first for first in firsts if first]


class TestTable(unittest.TestCase):
  def testSame(self):
    """The table has the differences that the comparison knows, and no others.

    """
    self.assertEqual(sorted(_Rows()),
                     sorted(answers.ROWS + _ELSEWHERE + _IMPLIED))


class TestAnswers(comparing.TestCase):
  def testSame(self):
    result = self.Compare(answers.Comparison, _COUNT, configurations=60,
                          questions=20000)
    # Nothing is excused that does not happen
    self.assertEqual(sorted(set(answers.ROWS).difference(result.used)), [])


if __name__ == "__main__":
  unittest.main()

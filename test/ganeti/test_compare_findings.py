#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client check finds what Ganeti's verification tells, and the reverse.

"""

import unittest

import comparing

from comparison import findings

#: As many configurations as take about half a minute
_COUNT = 150


def setUpModule():
  comparing.Require()


class TestFindings(comparing.TestCase):
  def testSame(self):
    result = self.Compare(findings.Comparison, _COUNT, configurations=80,
                          messages=500)
    # All that Ganeti can tell was told, but for one thing: its daemon accepts
    # no disk with another mode
    told = {name for name in findings.TOLD
            if findings.TELLS % name in result.used}
    self.assertEqual(findings.TOLD - told, {"disk-mode"})


if __name__ == "__main__":
  unittest.main()

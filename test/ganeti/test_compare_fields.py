#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Our tables have what Ganeti's query daemon has, whatever the configuration.

As values and as C{gnt-instance list} and its like print them.

"""

import unittest

import comparing

from comparison import fields

#: As many configurations as take about half a minute
_COUNT = 70


def setUpModule():
  comparing.Require()


class TestFields(comparing.TestCase):
  def testSame(self):
    self.Compare(fields.Comparison, _COUNT, configurations=30, values=100000,
                 lines=50)


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Filters are to ours what they are to Ganeti, and select the same.

"""

import unittest

import comparing

from comparison import filtering

#: As many configurations as take about half a minute
_COUNT = 12


def setUpModule():
  comparing.Require()


class TestFilters(comparing.TestCase):
  def testSame(self):
    self.Compare(filtering.Comparison, _COUNT, configurations=6, filters=500)


if __name__ == "__main__":
  unittest.main()

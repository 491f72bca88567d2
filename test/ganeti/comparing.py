#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The common part of the tests that compare generated configurations.

"""

import unittest

from cluster import cluster
from comparison import running


def Require():
  """Skips the calling module where Ganeti cannot run.

  @raise unittest.SkipTest: with the reason

  """
  reason = cluster.WhyNot()
  if reason is not None:
    raise unittest.SkipTest(reason)


class TestCase(unittest.TestCase):
  """A comparison.

  """
  #: How many of the failures are shown
  _SHOWN = 20

  def Compare(self, comparison_class, count, **least):
    """Compares, and checks that nothing differs but what is meant to.

    @param comparison_class: see L{running.Run}
    @param count: of configurations
    @param least: the smallest numbers of what has to be compared, by name
    @return: L{running.Result}

    """
    result = running.Run(comparison_class, count=count)
    summary = "Seed %d: %s" % (running.SEED, running.Describe(result))
    print(summary)
    if result.failures:
      self.fail("%s\n%s" % (summary,
                            "\n".join(result.failures[:self._SHOWN])))
    for (name, number) in least.items():
      self.assertGreater(result.counts[name], number, summary)
    return result

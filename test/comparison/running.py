#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Runs comparisons on generated configurations.

"""

import random
import time
import typing

from comparison import base
from comparison import generator
from comparison import judges
from comparison import ours

#: Seed of the tests; other seeds are for runs by hand
SEED = 1

#: Out of this number of configurations, one is odd
_ODD = 3


class Result(typing.NamedTuple):
  """The result of a comparison.

  """
  #: Numbers of compared items, by name
  counts: typing.Mapping[str, int]
  #: How often each of the intended differences was met, by its name
  used: typing.Mapping[str, int]
  #: All other differences, as texts
  failures: typing.Sequence[str]


def Cases(config, rng, count):
  """Makes configurations.

  @param config: the base of all configurations
  @type rng: C{random.Random}
  @return: yields L{generator.Case}, with a serial number each

  """
  odd = count // _ODD
  serial = config["serial_no"]
  yield generator.Case("the base", config)
  for cases in (generator.Certain(config),
                generator.Mutations(config, rng, count - odd),
                generator.Odd(config, rng, odd)):
    for case in cases:
      serial += 1
      case.config["serial_no"] = serial
      yield case


def Run(comparison_class, seed=SEED, count=100, progress=None):
  """Runs a comparison on generated configurations.

  @param comparison_class: a subclass of L{comparer.Comparer}
  @param count: the number of configurations, some of which Ganeti may reject
  @param progress: file to which progress is written now and then

  """
  rng = random.Random(seed)
  ganeti = judges.Ganeti()
  try:
    config = base.Make(ganeti)
  finally:
    ganeti.Close()
  comparison_class.Adapt(config)
  comparison = comparison_class(config)
  told = time.monotonic()
  failures = 0
  try:
    with ours.Daemons(config) as daemons:
      cases = judges.Accepted(config, Cases(config, rng, count))
      for (case, daemon) in daemons.Serve(cases):
        try:
          comparison.Compare(case, daemon, rng)
        except Exception as err:
          raise AssertionError("Seed %s, %s: %r" % (seed, case.name, err)) \
            from err
        if progress is not None and time.monotonic() > told + 2:
          told = time.monotonic()
          for failure in comparison.failures[failures:]:
            print(failure, file=progress)
          failures = len(comparison.failures)
          print(Describe(comparison), file=progress, flush=True)
  finally:
    comparison.Close()
  return Result(comparison.counts, comparison.used, comparison.failures)


def Describe(result):
  """Sums up the result of a comparison so far.

  """
  return ", ".join("%d %s" % (number, name)
                   for (name, number) in sorted(result.counts.items())) + \
    ", %d meant differences, %d failures" % (sum(result.used.values()),
                                            len(result.failures))

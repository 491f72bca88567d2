#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Strategies by which hypothesis generates inputs for tests.

The inputs are the same in each run, so that a new failure is due to a change.
With the environment variable C{CONFD_EXAMPLES}=N, a test tries N random inputs
instead.

If hypothesis is not installed, a stand-in lets the test classes be defined all
the same; their tests are skipped.

"""

import os
import unittest
from unittest import mock

import labels
from testutils import Uuid

try:
  import hypothesis
  from hypothesis import strategies as st
  HAVE_HYPOTHESIS = True
except ImportError:
  HAVE_HYPOTHESIS = False
  hypothesis = st = mock.MagicMock()
  hypothesis.given = lambda *_: lambda function: function

needs_hypothesis = unittest.skipUnless(
  HAVE_HYPOTHESIS, "hypothesis is not installed (Debian: python3-hypothesis)")

_EXAMPLES = os.environ.get("CONFD_EXAMPLES")


def Settings(examples):
  """Returns hypothesis' settings, as a decorator of tests.

  @param examples: how many inputs to try

  """
  if not HAVE_HYPOTHESIS:
    return lambda function: function
  return hypothesis.settings(
    deadline=None, database=None, derandomize=_EXAMPLES is None,
    max_examples=int(_EXAMPLES or examples),
    suppress_health_check=list(hypothesis.HealthCheck))


def Use(examples):
  """Makes L{Settings} the default for all tests that are defined from now on.

  """
  if HAVE_HYPOTHESIS:
    hypothesis.settings.register_profile("ganeti-confd", Settings(examples))
    hypothesis.settings.load_profile("ganeti-confd")


# The default for tests without settings of their own; as machines may be busy,
# such tests have no deadline
Use(100)


# Texts include lone surrogates, which JSON can have
TEXTS = st.text(st.characters(blacklist_categories=()), max_size=20)
LEAVES = (st.none() | st.booleans() | st.integers() | st.floats() | TEXTS |
           st.sampled_from(["node1", "inst1", "br0", "198.51.100.1", 10 ** 400,
                            Uuid("a", 1), "0", "", "/cluster"]))
JSON = st.recursive(
  LEAVES, lambda items: (st.lists(items, max_size=4) |
                          st.dictionaries(TEXTS | st.sampled_from("0123"),
                                          items, max_size=4)),
  max_leaves=8)

# Valid labels, texts that are nearly labels, and other texts
LABELS = st.sampled_from(labels.SOME) | TEXTS | st.lists(
  st.sampled_from(labels.PIECES), max_size=12).map("".join) | st.builds(
    lambda name, what, until: "%s:%s:%s" % (name, ",".join(what), until),
    st.sampled_from(["a", "a.b", "-", "x" * 63, "x" * 64]),
    st.lists(st.sampled_from(labels.PIECES), max_size=5),
    st.sampled_from(["never", "20991231", "20000230", "19991231"]))

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Base classes of the comparisons with Ganeti.

"""

import abc
import collections

from cluster import querydaemon
from comparison import judges


class Comparer(abc.ABC):
  """Compares both sides for one configuration after the other.

  @ivar counts: numbers of compared items, by name
  @ivar used: how often each of the intended differences was met, by name
  @ivar failures: all other differences, as texts

  """
  def __init__(self):
    self.counts = collections.Counter()
    self.used = collections.Counter()
    self.failures = []

  @staticmethod
  def Adapt(_):
    """Changes the base of all configurations; by default nothing is changed.

    """

  @abc.abstractmethod
  def Close(self):
    """Ends Ganeti's processes.

    """

  @abc.abstractmethod
  def Compare(self, case, daemon, rng):
    """Compares both sides for a configuration.

    @type case: L{generator.Case}
    @param daemon: a daemon of ours that has loaded the configuration
    @type rng: C{random.Random}

    """


class QueryComparer(Comparer):
  """Compares with Ganeti's query daemon.

  """
  def __init__(self, config):
    """Starts Ganeti's query daemon.

    @param config: a configuration that the query daemon accepts

    """
    Comparer.__init__(self)
    self._daemon = querydaemon.QueryDaemon(config)
    self._daemon.Start()
    self._ganeti = judges.Ganeti(self._daemon.env)

  def Close(self):
    self._ganeti.Close()
    self._daemon.Stop()

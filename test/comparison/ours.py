#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Our daemon, which loads one configuration after the other.

Several daemons take turns: while one is asked, the others load. A single daemon
would be slow, since it delays loading a configuration that comes soon after
another, to spare the node's processors.

"""

import collections

import testutils

_COUNT = 4


class Daemons:
  """Some daemons of ours. Use as a context manager.

  """
  def __init__(self, config):
    self._daemons = [testutils.Daemon(config) for _ in range(_COUNT)]

  def __enter__(self):
    try:
      for daemon in self._daemons:
        daemon.Start()
    except BaseException:
      self.__exit__()
      raise
    return self

  def __exit__(self, *_):
    for daemon in self._daemons:
      daemon.Kill()

  def Serve(self, cases):
    """Gives configurations to the daemons.

    @param cases: iterable of L{generator.Case} whose serial numbers differ
    @return: yields each case, with a daemon that answers from its configuration

    """
    waiting = collections.deque()
    free = list(self._daemons)
    for case in cases:
      daemon = free.pop()
      daemon.WriteConfig(case.config)
      waiting.append((case, daemon))
      if not free:
        yield from self._First(waiting, free)
    while waiting:
      yield from self._First(waiting, free)

  @staticmethod
  def _First(waiting, free):
    (case, daemon) = waiting.popleft()
    daemon.WaitForSerial(case.config["serial_no"])
    yield (case, daemon)
    free.append(daemon)

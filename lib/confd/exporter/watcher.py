#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The last known state of a cluster, and listeners for its changes.

Rule: after any error, the last known state stays, with its age and with the
reason why it may be out of date.

"""

from __future__ import annotations

import asyncio
import contextlib
import time

from typing import Callable, Optional

from ganeti.confd.exporter import clusterstate
from ganeti.confd.protocol import readerkey


class Watcher:
  """Keeps the last known state of a cluster.

  @ivar cluster: the cluster's name in the settings
  @ivar version: the number of configurations so far
  @ivar listeners: functions that are called after each new configuration

  """
  def __init__(self, cluster: str) -> None:
    self.cluster = cluster
    self.version = 0
    self.listeners: list[Callable[[], None]] = []
    self._problem: Optional[str] = "not asked yet"
    self._config: Optional[clusterstate.ClusterConfig] = None
    self._candidates: Optional[clusterstate.Candidates] = None
    self._reader: Optional[readerkey.Label] = None
    self._history: Optional[clusterstate.HistoryState] = None
    #: When the cluster answered last; None while the cluster answers, and
    #: before its first answer
    self._lost: Optional[float] = None
    self._waiting: list[asyncio.Future[None]] = []

  @property
  def state(self) -> clusterstate.ClusterState:
    return clusterstate.ClusterState(self.cluster, self._config,
                                     self._candidates, self._problem,
                                     self._Age(), self._reader, self._history)

  def _Age(self) -> Optional[float]:
    if self._lost is not None:
      return time.monotonic() - self._lost
    return None if self._config is None else 0

  async def Changed(self) -> None:
    """Waits until the state has changed.

    """
    waiter = asyncio.get_running_loop().create_future()
    self._waiting.append(waiter)
    try:
      await waiter
    finally:
      with contextlib.suppress(ValueError):
        self._waiting.remove(waiter)

  def _Notify(self) -> None:
    (waiting, self._waiting) = (self._waiting, [])
    for waiter in waiting:
      if not waiter.done():
        waiter.set_result(None)

  def SetConfig(self, config: clusterstate.ClusterConfig) -> None:
    """Takes a configuration; the cluster has answered just now.

    """
    self._config = config
    self.version += 1
    for listener in self.listeners:
      listener()
    self.SetProblem(None)
    self._Notify()

  def SetCandidates(self, candidates: clusterstate.Candidates) -> None:
    self._candidates = candidates
    self._Notify()

  def SetReader(self, label: Optional[readerkey.Label]) -> None:
    """Takes the label of the key; None for the cluster's own key.

    """
    if label != self._reader:
      self._reader = label
      self._Notify()

  def SetHistory(self, history: clusterstate.HistoryState) -> None:
    """Takes the state of the recorded history.

    """
    if history != self._history:
      self._history = history
      self._Notify()

  def SetProblem(self, problem: Optional[str]) -> None:
    """Notes why the cluster does not answer.

    @param problem: None if the cluster answers

    """
    if problem == self._problem:
      return
    if problem is None:
      self._lost = None
    elif self._problem is None:
      self._lost = time.monotonic()
    self._problem = problem
    self._Notify()

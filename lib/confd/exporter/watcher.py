#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Keeps the state of clusters up to date, by what the collector sends.

Rule: whatever goes wrong, the last state that was known stays, with its age and
with the reason why it may be out of date.

"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import pickle
import time

from typing import Any, Awaitable, Callable, Dict, List, Mapping, Optional, \
  Sequence

from ganeti.confd.exporter import clusterstate
from ganeti.confd.exporter import collector
from ganeti.confd.exporter import forked


class Watcher:
  """A cluster as it was known last.

  @ivar cluster: its name in the settings
  @ivar version: counts the configurations that there were
  @ivar listeners: are called when there is another configuration

  """
  def __init__(self, cluster: str) -> None:
    self.cluster = cluster
    self.version = 0
    self.listeners: List[Callable[[], None]] = []
    self._problem: Optional[str] = "not asked yet"
    self._config: Optional[clusterstate.ClusterConfig] = None
    self._candidates: Optional[clusterstate.Candidates] = None
    #: When the cluster answered last; None while it does, or before
    self._lost: Optional[float] = None
    self._waiting: List[asyncio.Future[None]] = []

  @property
  def state(self) -> clusterstate.ClusterState:
    return clusterstate.ClusterState(self.cluster, self._config,
                                     self._candidates, self._problem,
                                     self._Age())

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
    """Takes a configuration, which the cluster has just told.

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

  def SetProblem(self, problem: Optional[str]) -> None:
    """Notes why the cluster does not answer.

    @param problem: None if it answers

    """
    if problem == self._problem:
      return
    if problem is None:
      self._lost = None
    elif self._problem is None:
      self._lost = time.monotonic()
    self._problem = problem
    self._Notify()


def _Unpickle(data: memoryview) -> Any:
  # Many objects are made, and none is garbage
  gc.disable()
  try:
    return pickle.loads(data)
  finally:
    gc.enable()


class Collector:
  """Runs the collector process, and another one whenever it has ended.

  """
  def __init__(self, watchers: Sequence[Watcher],
               clients: Mapping[str, collector.MakeClient]) -> None:
    """@param clients: make clients, by the cluster's name in the settings

    """
    self._watchers = {watcher.cluster: watcher for watcher in watchers}
    self._clients = clients
    self._handlers: Dict[Any, Callable[[Any, asyncio.StreamWriter],
                                       Optional[Awaitable[None]]]] = {
      collector.ConfigAnswers: self._HandleConfig,
      collector.CandidatesAnswers: self._HandleCandidates,
      collector.Problem: self._HandleProblem,
      }

  async def Run(self) -> None:
    """Goes on until it is cancelled.

    """
    (delay, most) = collector.RETRY
    while True:
      started = time.monotonic()
      try:
        problem = await self._RunOnce()
      except forked.Failed as err:
        problem = str(err)
      logging.warning("No cluster is asked: %s; another one will be started",
                      problem)
      for watcher in self._watchers.values():
        watcher.SetProblem("the cluster is not asked: %s" % problem)
      if time.monotonic() - started > most:
        delay = collector.RETRY[0]
      await asyncio.sleep(delay)
      delay = min(2 * delay, most)

  async def _RunOnce(self) -> str:
    """Runs a collector process until it ends.

    @return: how it has ended
    @raise forked.Failed: it cannot be started

    """
    (pid, sock) = forked.Start(functools.partial(collector.Main, self._clients))
    writer = None
    tasks: List[asyncio.Future[None]] = []
    try:
      (reader, writer) = await asyncio.open_connection(sock=sock)
      with contextlib.suppress(EOFError, OSError):
        while True:
          message = await collector.Receive(reader)
          handling = self._handlers[type(message)](message, writer)
          if handling is not None:
            tasks = [i for i in tasks if not i.done()]
            tasks.append(asyncio.ensure_future(handling))
    finally:
      for task in tasks:
        task.cancel()
      if writer is None:
        sock.close()
      else:
        writer.close()
      end = forked.End(pid)
    return "the collector, a process of this program, was ended by %s" % end

  async def _HandleConfig(self, message: collector.ConfigAnswers,
                          writer: asyncio.StreamWriter) -> None:
    error: Optional[str] = None
    try:
      data = await forked.Run(
        functools.partial(clusterstate.Digest, message.data),
        clusterstate.DigestLimits(message.data))
    except forked.Failed as err:
      error = str(err)
    else:
      self._watchers[message.cluster].SetConfig(_Unpickle(data))
    collector.Send(writer, collector.Taken(message.cluster, error))

  def _HandleCandidates(self, message: collector.CandidatesAnswers,
                        _: asyncio.StreamWriter) -> None:
    self._watchers[message.cluster].SetCandidates(message.candidates)

  def _HandleProblem(self, message: collector.Problem, _: asyncio.StreamWriter
                     ) -> None:
    self._watchers[message.cluster].SetProblem(message.text)

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Keeps what is known of a cluster up to date.

Two things go on: the configuration is followed, so that changes are told at
once, and how the candidates are is asked for now and then. Whatever goes wrong,
what was known last is kept, and L{Watcher.state} says that it is not certain
any more.

"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

from typing import Awaitable, Callable, List, Optional

from ganeti import confd
from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd.exporter import facts as factslib
from ganeti.confd.exporter import metrics


#: Seconds between questions how the candidates are
_CONFD_INTERVAL = 15.0

#: Seconds before a question that failed is asked again: at first, at most
_RETRY = (1.0, 15.0)

#: Errors of a cluster; any other exception is a fault of this program
_EXPECTED = (errors.GenericError, OSError)


class Watcher:
  """Knows a cluster.

  @ivar cluster: its name in the settings
  @ivar problem: in words, why nothing is known now; None if all is well
  @ivar version: how many facts there were; others have another one
  @ivar listeners: called when there are others

  """
  def __init__(self, cluster: str,
               make_client: Callable[[], clientlib.AsyncClient]) -> None:
    self.cluster = cluster
    self.problem: Optional[str] = "not asked yet"
    self.version = 0
    self.listeners: List[Callable[[], None]] = []
    self._make_client = make_client
    self._facts: Optional[factslib.Facts] = None
    self._confd: Optional[factslib.Confd] = None
    #: When somebody answered last; None while somebody does, or before
    self._lost: Optional[float] = None
    self._waiting: List[asyncio.Future[None]] = []

  @property
  def state(self) -> metrics.State:
    return metrics.State(self.cluster, self._facts, self.problem is None,
                         self._confd, self._Age())

  def _Age(self) -> Optional[float]:
    if self._lost is not None:
      return time.monotonic() - self._lost
    return None if self._facts is None else 0

  async def Changed(self) -> None:
    """Waits until something is another than before.

    """
    waiter = asyncio.get_running_loop().create_future()
    self._waiting.append(waiter)
    try:
      await waiter
    finally:
      with contextlib.suppress(ValueError):
        self._waiting.remove(waiter)

  def _Tell(self) -> None:
    (waiting, self._waiting) = (self._waiting, [])
    for waiter in waiting:
      if not waiter.done():
        waiter.set_result(None)

  def _Trouble(self, err: Optional[Exception]) -> None:
    """Notes that nobody answers, or that somebody does again.

    @param err: None for the latter

    """
    problem = None
    fault: Optional[Exception] = None
    if isinstance(err, _EXPECTED):
      problem = str(err)
    elif err is not None:
      fault = err
      problem = ("no answer can be used, because of a programming error (%s);"
                 " %s" % (type(err).__name__, confd.PLEASE_REPORT))
    if problem == self.problem:
      return
    if problem is None:
      self._lost = None
      logging.info("Cluster %s: answers", self.cluster)
    elif self.problem is None or self._facts is None:
      # Others that follow say the same in other words
      logging.warning("Cluster %s: %s", self.cluster, problem, exc_info=fault)
    if self.problem is None:
      self._lost = time.monotonic()
    self.problem = problem
    self._Tell()

  async def Run(self) -> None:
    """Goes on until it is cancelled.

    """
    await asyncio.gather(
      self._Repeat(self._FollowFacts, self._Trouble),
      # How they are is told by what they say, if anything
      self._Repeat(self._FollowConfd, lambda err: None))

  async def _Repeat(self, follow: Callable[[clientlib.AsyncClient],
                                           Awaitable[None]],
                    trouble: Callable[[Optional[Exception]], None]) -> None:
    """Asks again and again, whatever happens.

    """
    (delay, most) = _RETRY
    while True:
      started = time.monotonic()
      try:
        async with self._make_client() as asker:
          await follow(asker)
      except Exception as err: # pylint: disable=W0718
        trouble(err)
      if time.monotonic() - started > most:
        delay = _RETRY[0]
      await asyncio.sleep(delay)
      delay = min(2 * delay, most)

  async def _FollowFacts(self, asker: clientlib.AsyncClient) -> None:
    """Asks for the facts, at first and after each change.

    """
    async for change in asker.FollowCall(
        factslib.Ask, lambda facts: {"serial": facts.serial}, self._Trouble):
      self._Take(change.reply.answer)

  def _Take(self, facts: factslib.Facts) -> None:
    self._facts = facts
    self.version += 1
    for listener in self.listeners:
      listener()
    self._Trouble(None)
    self._Tell()

  async def _FollowConfd(self, asker: clientlib.AsyncClient) -> None:
    """Asks how the candidates are, now and then.

    """
    while True:
      self._confd = await factslib.AskConfd(asker)
      self._Tell()
      await asyncio.sleep(_CONFD_INTERVAL)

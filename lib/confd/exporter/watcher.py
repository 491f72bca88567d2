#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Keeps what is known of a cluster up to date.

Two things go on: the configuration is asked for whenever it has changed, and
how the candidates are is asked for now and then. Whatever goes wrong, what was
known last is kept, and L{Watcher.state} says that it is not certain any more.

"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

from typing import Any, AsyncIterator, Awaitable, Callable, List, Optional

from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd.exporter import facts as factslib
from ganeti.confd.exporter import metrics


#: Seconds between questions how the candidates are
_CONFD_INTERVAL = 15.0

#: Seconds before a question that failed is asked again: at first, at most
_RETRY = (1.0, 15.0)

#: What an answer in another form than all have brings about
_OTHER_FORMS = (ArithmeticError, AttributeError, LookupError, TypeError,
                ValueError)


class Watcher:
  """Knows a cluster.

  @ivar cluster: its name in the settings
  @ivar problem: in words, why nothing is known now; None if all is well

  """
  def __init__(self, cluster: str,
               make_client: Callable[[], clientlib.AsyncClient]) -> None:
    self.cluster = cluster
    self.problem: Optional[str] = "not asked yet"
    self._make_client = make_client
    self._facts: Optional[factslib.Facts] = None
    self._confd: Optional[factslib.Confd] = None
    self._seen: Optional[float] = None
    self._waiting: List[asyncio.Future[None]] = []

  @property
  def state(self) -> metrics.State:
    return metrics.State(self.cluster, self._facts, self.problem is None,
                         self._confd)

  @property
  def age(self) -> Optional[float]:
    """Seconds since somebody said that the facts hold; None if nobody did.

    """
    return None if self._seen is None else time.monotonic() - self._seen

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

  def _Fail(self, err: Exception) -> None:
    """Notes that nothing is known now.

    """
    if isinstance(err, _OTHER_FORMS):
      text = "an answer does not have the form that was expected"
    else:
      text = str(err)
    if self.problem is None or self._facts is None and self.problem != text:
      logging.warning("Cluster %s: %s", self.cluster, text)
    news = self.problem != text
    self.problem = text
    if news:
      self._Tell()

  def _Succeed(self) -> None:
    self._seen = time.monotonic()
    if self.problem is not None:
      if self._facts is not None:
        logging.info("Cluster %s: answers, serial %d", self.cluster,
                     self._facts.serial)
      self.problem = None
      self._Tell()

  async def Run(self) -> None:
    """Goes on until it is cancelled.

    """
    await asyncio.gather(self._Repeat(self._FollowFacts),
                         self._Repeat(self._FollowConfd))

  async def _Repeat(self, follow: Callable[[clientlib.AsyncClient],
                                           Awaitable[None]]) -> None:
    """Asks again and again, whatever happens.

    """
    (delay, most) = _RETRY
    while True:
      before = self._seen
      try:
        async with self._make_client() as asker:
          await follow(asker)
      except (errors.GenericError, OSError) as err:
        self._Fail(err)
      except _OTHER_FORMS as err:
        self._Fail(err)
      if self._seen != before:
        delay = _RETRY[0]
      await asyncio.sleep(delay)
      delay = min(2 * delay, most)

  async def _FollowFacts(self, asker: clientlib.AsyncClient) -> None:
    """Asks for the facts, at first and after each change.

    """
    async for _ in _Serials(asker, self._Succeed):
      facts = await factslib.Ask(asker)
      self._facts = facts
      self._Succeed()
      self._Tell()

  async def _FollowConfd(self, asker: clientlib.AsyncClient) -> None:
    """Asks how the candidates are, now and then.

    """
    while True:
      self._confd = await factslib.AskConfd(asker)
      self._Tell()
      await asyncio.sleep(_CONFD_INTERVAL)


async def _Serials(asker: clientlib.AsyncClient, confirm: Callable[[], None]
                   ) -> AsyncIterator[int]:
  """Yields the configuration's serial, at first and when it is another one.

  @param confirm: called whenever it is known to be the same

  """
  last: Any = None
  while True:
    serial = (await asker.Serial()).answer
    if serial != last:
      last = serial
      yield serial
    else:
      confirm()
    await asyncio.sleep(1)

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The server's side of the collector: runs it, and takes its messages.

When a message tells of a change, the server forks a process that asks for the
cluster's configuration.

"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import pickle
import time

from typing import Any, Mapping, Optional, Sequence

from ganeti import confd
from ganeti.confd import client as clientlib
from ganeti.confd.exporter import clusterstate
from ganeti.confd.exporter import collector
from ganeti.confd.exporter import forked
from ganeti.confd.exporter import watcher as watcherlib


#: Limits of the process that fetches a configuration. The largest
#: configurations take gigabytes of memory for a moment.
_CONFIG_LIMITS = forked.Limits(cpu_time=60.0, memory=8 << 30, size=1 << 30)


def _AskConfig(settings: collector.Settings, serial: int) -> bytes:
  """Asks for a configuration.

  @return: a pickled C{clusterstate.ClusterConfig}
  @raise forked.BadRequest: there is no configuration; the text says why

  """
  try:
    with clientlib.Client(**settings) as asker:
      config = clusterstate.AskConfig(asker, serial)
    return pickle.dumps(config, pickle.HIGHEST_PROTOCOL)
  except collector.EXPECTED as err:
    raise forked.BadRequest(str(err)) from err
  except RecursionError as err:
    raise forked.BadRequest("An answer is nested too deeply") from err


def _Unpickle(data: memoryview) -> Any:
  # Disable garbage collection, which would visit all of the many new objects,
  # and free none
  gc.disable()
  try:
    return pickle.loads(data)
  finally:
    gc.enable()


class Collector:
  """Runs a collector process, and starts a new one whenever it has ended.

  """
  def __init__(self, watchers: Sequence[watcherlib.Watcher],
               settings: Mapping[str, collector.Settings]) -> None:
    """@param settings: arguments of clients, by the cluster's name in the
      settings

    """
    self._watchers = {watcher.cluster: watcher for watcher in watchers}
    self._settings = settings

  async def Run(self) -> None:
    """Runs collector processes until this task is cancelled.

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

    @return: how the process has ended
    @raise forked.Failed: the process cannot be started

    """
    (pid, sock) = forked.Start(
      functools.partial(collector.Main, self._settings))
    writer = None
    # Running calls of L{_TakeChange}, by cluster
    tasks: dict[str, asyncio.Future[None]] = {}
    try:
      (reader, writer) = await asyncio.open_connection(sock=sock)
      with contextlib.suppress(EOFError, OSError):
        while True:
          message = await collector.Receive(reader)
          if isinstance(message, collector.Change):
            tasks[message.cluster] = asyncio.ensure_future(
              self._TakeChange(message, writer))
          else:
            self._Take(message)
    finally:
      for task in tasks.values():
        task.cancel()
      if writer is None:
        sock.close()
      else:
        writer.close()
      end = forked.End(pid)
    return "the collector, a process of this program, was ended by %s" % end

  async def _TakeChange(self, message: collector.Change,
                        writer: asyncio.StreamWriter) -> None:
    """Asks for a new configuration, in a process of its own.

    """
    error: Optional[str] = None
    try:
      data = await forked.Run(
        functools.partial(_AskConfig, self._settings[message.cluster],
                          message.serial), _CONFIG_LIMITS)
      self._watchers[message.cluster].SetConfig(_Unpickle(data))
    except forked.BadRequest as err:
      error = str(err)
    except forked.Failed as err:
      error = "The configuration: %s" % err
    except Exception:  # pylint: disable=W0718
      logging.exception("Programming error")
      error = "a programming error; %s" % confd.PLEASE_REPORT
    # Send the message also after an error: until it comes, the collector
    # reports no further change of this cluster
    collector.Send(writer, collector.Taken(message.cluster, error))

  def _Take(self, message: Any) -> None:
    """Handles any message except C{collector.Change}.

    """
    watcher = self._watchers[message.cluster]
    if isinstance(message, collector.CandidatesState):
      watcher.SetCandidates(message.candidates)
    elif isinstance(message, collector.Reader):
      watcher.SetReader(message.label)
    elif isinstance(message, collector.Problem):
      watcher.SetProblem(message.text)

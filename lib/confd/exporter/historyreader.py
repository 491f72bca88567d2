#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Answers that are made of the recorded history.

Rule: these answers are made in a queue of their own, for which no other
answer waits, as the file may be locked, slow or damaged. If the section of
another page cannot be made within a second, a section that says so takes its
place.

"""

from __future__ import annotations

import asyncio
import time

from typing import Callable, Mapping, Optional

from ganeti.confd.exporter import cache
from ganeti.confd.exporter import clusterstate
from ganeti.confd.exporter import compress
from ganeti.confd.exporter import forked
from ganeti.confd.exporter import history
from ganeti.confd.exporter import historypage
from ganeti.confd.exporter import layout
from ganeti.confd.exporter import markup
from ganeti.confd.exporter import pages
from ganeti.confd.exporter import recorder
from ganeti.confd.exporter import watcher


#: Limits of the cache of answers about the history
_LIMITS = cache.Limits(kept=8 << 20, held=24 << 20, waiting=10)

#: Seconds that a page, such as the overview, waits for its section about the
#: history; after a failure, seconds during which no page asks for this section
_SECTION_PATIENCE = 1.0
_SECTION_PAUSE = 10.0

#: The name of the history in a C{cache.Version}, beside the names of clusters;
#: no cluster has this name
_HISTORY = "/"


class Reader:
  """Makes answers of the history, and keeps them until it changes.

  """
  def __init__(self, recording: recorder.Recorder, cut: cache.Cut) -> None:
    self._recording = recording
    self._answers = cache.Cache(_LIMITS, cut)
    #: After a failure: when a page may ask for its section again (monotonic
    #: clock)
    self._next_section = 0.0

  def DropOld(self, current: Mapping[str, int]) -> None:
    """Evicts answers that are out of date.

    @param current: each cluster's current version

    """
    self._answers.DropOld({**current, _HISTORY: self._recording.version})

  async def _Get(self, found: watcher.Watcher, wanted: history.Selection,
                 form: str, write: Callable[[history.Found], bytes]
                 ) -> cache.Body:
    """Reads changes, and makes an answer of them, in a process of its own.

    @param form: tells this answer from others that are made of the same changes
    @param write: makes the answer
    @raise forked.BadRequest: the history cannot be read; the text says why
    @raise forked.Failed: likewise

    """
    path = self._recording.options.path
    config = found.state.config
    recorder.CheckDisk(path)
    try:
      return await self._answers.Get(
        (form, found.cluster, *map(str, wanted)),
        ((_HISTORY, self._recording.version), (found.cluster, found.version)),
        lambda: write(history.Read(path, found.cluster, historypage.Identify(
          wanted, config))))
    except forked.BadRequest:
      # Change the history's version: the cache keeps this error for the old
      # version, but the next attempt may succeed
      self._recording.version += 1
      raise

  async def Section(self, found: watcher.Watcher,
                    config: clusterstate.ClusterConfig,
                    wanted: history.Selection, if_empty: str
                    ) -> markup.Markup:
    """Returns the section of a page, or a section that says why there is none.

    @param if_empty: see C{historypage.Section}

    """
    if time.monotonic() < self._next_section:
      return historypage.Unread(found.cluster,
                                "The history could not be read a moment ago.")
    try:
      body = await asyncio.wait_for(self._Get(
        found, wanted, "section" + if_empty,
        lambda changes: historypage.Section(
          changes, found.cluster, config, wanted, if_empty).encode("utf-8")),
                                    _SECTION_PATIENCE)
      return markup.Markup(str(body.data, "utf-8"))
    except (forked.BadRequest, forked.Failed) as err:
      problem = str(err)
    except (asyncio.TimeoutError, cache.Busy):
      problem = "The history could not be read in time."
    self._next_section = time.monotonic() + _SECTION_PAUSE
    return historypage.Unread(found.cluster, problem)

  async def Page(self, found: watcher.Watcher,
                 config: Optional[clusterstate.ClusterConfig],
                 query: Mapping[str, str]) -> tuple[str, cache.Body]:
    """Makes the page with all changes.

    @return: the page with the placeholder, and the content

    """
    wanted = history.Selection(0)
    try:
      wanted = historypage.Parse(query, False)
      body = await self._Get(
        found, wanted, "page", lambda changes: compress.Pack(
          historypage.Content(changes, found.cluster, config, wanted).encode(
            "utf-8")))
    except (forked.BadRequest, forked.Failed) as err:
      body = cache.Body(compress.Pack(pages.Error(str(err)).encode("utf-8")))
    return (historypage.Page(found.state, wanted, layout.PLACEHOLDER), body)

  async def Json(self, found: watcher.Watcher, wanted: history.Selection
                 ) -> cache.Body:
    """Makes the members of the answer as JSON.

    @raise forked.BadRequest: see L{_Get}
    @raise forked.Failed: likewise

    """
    return await self._Get(
      found, wanted, "json", lambda changes: compress.Pack(
        historypage.Json(changes, found.cluster, wanted)))

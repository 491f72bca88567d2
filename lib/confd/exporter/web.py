#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The web server: what is asked for, and by which limits.

Rule: reading only, GET and HEAD. No request has confd asked; all answers are
made of what C{watcher} knows.

"""

from __future__ import annotations

import asyncio
import functools

from typing import Any, Awaitable, Callable, Dict, List, Optional, Tuple

import prometheus_client

from aiohttp import web

from ganeti.confd.config import columns
from ganeti.confd.exporter import discovery
from ganeti.confd.exporter import listing
from ganeti.confd.exporter import metrics
from ganeti.confd.exporter import pages
from ganeti.confd.exporter import watcher


#: Most connections that wait for events, all together
_MAX_EVENTS = 200

#: Seconds between signs of life on them
_ALIVE_INTERVAL = 15.0

_HEADERS = {
  "Content-Security-Policy":
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cache-Control": "no-cache",
  }

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_TABLES = {
  "nodes": columns.NODE,
  "instances": columns.INSTANCE,
  }

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Collector:
  """All metrics, as the library wants them.

  """
  def __init__(self, states: List[metrics.State], per_instance: bool) -> None:
    self._states = states
    self._per_instance = per_instance

  # The name is the library's
  def collect(self) -> Any:
    return metrics.Families(self._states, self._per_instance)


def _WriteMetrics(states: List[metrics.State], per_instance: bool) -> bytes:
  registry = prometheus_client.CollectorRegistry()
  collector: Any = _Collector(states, per_instance)
  registry.register(collector)
  text: bytes = prometheus_client.generate_latest(registry)
  return text


class Server:
  """Answers for some clusters.

  """
  def __init__(self, watchers: List[watcher.Watcher], per_instance: bool
               ) -> None:
    """@param per_instance: whether there are metrics for each instance

    """
    self._watchers = {i.cluster: i for i in watchers}
    self._per_instance = per_instance
    self._events = 0
    #: What metrics were made of, and their text
    self._metrics: Optional[Tuple[List[metrics.State], bytes]] = None
    self._metrics_lock = asyncio.Lock()

  def Application(self) -> web.Application:
    """Makes what aiohttp runs.

    """
    app = web.Application(middlewares=[self._Guard], client_max_size=0)
    app.router.add_get("/", self._Clusters)
    app.router.add_get("/healthz", self._Healthz)
    app.router.add_get("/metrics", self._Metrics)
    app.router.add_get(pages.STYLE_PATH, self._Style)
    app.router.add_get(pages.SCRIPT_PATH, self._Script)
    app.router.add_get("/events", self._Events)
    for (name, kind) in _TABLES.items():
      app.router.add_get("/sd/%s" % name,
                         functools.partial(self._Discovery, kind))
      app.router.add_get("/{cluster}/%s" % name,
                         functools.partial(self._Table, kind))
      app.router.add_get("/{cluster}/%s.json" % name,
                         functools.partial(self._TableJson, kind))
    app.router.add_get("/{cluster}/", self._Overview)
    app.router.add_get("/{cluster}/map", self._Map)
    app.router.add_get("/{cluster}/map.svg", self._Drawing)
    app.router.add_get("/{cluster}/events", self._Events)
    return app

  @web.middleware
  async def _Guard(self, request: web.Request, handler: _Handler
                   ) -> web.StreamResponse:
    """Adds what all answers have, and makes errors short texts.

    """
    try:
      response = await handler(request)
    except web.HTTPException as err:
      response = web.Response(status=err.status, text="%d %s\n" %
                              (err.status, err.reason))
      for name in ("Allow", "Location"):
        if name in err.headers:
          response.headers[name] = err.headers[name]
    if not response.prepared:
      response.headers.update(_HEADERS)
    return response

  def _Find(self, request: web.Request) -> watcher.Watcher:
    found = self._watchers.get(request.match_info["cluster"])
    if found is None:
      raise web.HTTPNotFound()
    return found

  @staticmethod
  def _Known(found: watcher.Watcher) -> pages.Known:
    return pages.Known(found.state, found.age, found.problem)

  @staticmethod
  def _Html(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html")

  async def _Clusters(self, _: web.Request) -> web.StreamResponse:
    return self._Html(pages.Clusters([self._Known(i)
                                      for i in self._watchers.values()]))

  async def _Overview(self, request: web.Request) -> web.StreamResponse:
    return self._Html(pages.Overview(self._Known(self._Find(request))))

  async def _Map(self, request: web.Request) -> web.StreamResponse:
    return self._Html(pages.Map(self._Known(self._Find(request))))

  async def _Drawing(self, request: web.Request) -> web.StreamResponse:
    facts = self._Find(request).state.facts
    if facts is None:
      raise web.HTTPServiceUnavailable()
    return web.Response(
      text=pages.Drawing(facts, request.match_info["cluster"], True),
      content_type="image/svg+xml",
      headers={"Content-Security-Policy":
               "default-src 'none'; style-src 'unsafe-inline'"})

  async def _Table(self, kind: str, request: web.Request) -> web.StreamResponse:
    return self._Html(pages.Table(
      self._Known(self._Find(request)), kind, request.query.get("filter", ""),
      request.query.get("sort", "")))

  async def _TableJson(self, kind: str, request: web.Request
                       ) -> web.StreamResponse:
    found = self._Find(request)
    facts = found.state.facts
    if facts is None:
      raise web.HTTPServiceUnavailable()
    try:
      chosen = listing.Choose(facts, kind, request.query.get("filter", ""),
                              request.query.get("sort", ""))
    except listing.BadRequest as err:
      return web.json_response({"error": str(err)}, status=400)
    return web.json_response({"serial": facts.serial, "age": found.age,
                              "answer": chosen.rows})

  async def _Discovery(self, kind: str, request: web.Request
                       ) -> web.StreamResponse:
    """Answers with targets for Prometheus, which keeps those that it has when
    it gets an error.

    """
    names = list(self._watchers)
    wanted = request.query.get(discovery.CLUSTER)
    if wanted is not None:
      if wanted not in names:
        raise web.HTTPNotFound()
      names = [wanted]
    clusters = {}
    for name in names:
      facts = self._watchers[name].state.facts
      if facts is None:
        # Less than a whole answer would take targets away
        raise web.HTTPServiceUnavailable()
      clusters[name] = facts
    try:
      return web.json_response(discovery.Targets(clusters, kind, request.query))
    except listing.BadRequest as err:
      return web.json_response({"error": str(err)}, status=400)

  async def _Healthz(self, _: web.Request) -> web.StreamResponse:
    return web.Response(text="ok\n")

  async def _Style(self, _: web.Request) -> web.StreamResponse:
    return web.Response(text=pages.STYLE, content_type="text/css")

  async def _Script(self, _: web.Request) -> web.StreamResponse:
    return web.Response(text=pages.SCRIPT, content_type="text/javascript")

  async def _Metrics(self, _: web.Request) -> web.StreamResponse:
    """Answers with the metrics, made once for each change.

    """
    states = [i.state for i in self._watchers.values()]
    # Many may ask at once
    async with self._metrics_lock:
      if self._metrics is None or self._metrics[0] != states:
        loop = asyncio.get_running_loop()
        self._metrics = (states, await loop.run_in_executor(
          None, _WriteMetrics, states, self._per_instance))
      text = self._metrics[1]
    ages = ["# HELP ganeti_facts_age_seconds Time since somebody answered last,"
            " 0 while somebody does",
            "# TYPE ganeti_facts_age_seconds gauge"]
    ages += ['ganeti_facts_age_seconds{cluster="%s"} %.3f' % (name, found.age)
             for (name, found) in self._watchers.items()
             if found.age is not None]
    return web.Response(body=text + "\n".join(ages + [""]).encode("utf-8"),
                        headers={"Content-Type": _METRICS_TYPE})

  async def _Events(self, request: web.Request) -> web.StreamResponse:
    """Tells a browser whenever something has changed (server-sent events).

    """
    watchers = list(self._watchers.values())
    if "cluster" in request.match_info:
      watchers = [self._Find(request)]
    if self._events >= _MAX_EVENTS:
      raise web.HTTPServiceUnavailable()
    self._events += 1
    waiting: Dict[asyncio.Task[None], watcher.Watcher] = {}
    response = web.StreamResponse(
      headers=dict(_HEADERS, **{"Content-Type": "text/event-stream"}))
    try:
      await response.prepare(request)
      waiting = {asyncio.ensure_future(i.Changed()): i for i in watchers}
      while True:
        (done, _) = await asyncio.wait(
          list(waiting), timeout=_ALIVE_INTERVAL,
          return_when=asyncio.FIRST_COMPLETED)
        for task in done:
          found = waiting.pop(task)
          waiting[asyncio.ensure_future(found.Changed())] = found
        await response.write(b"data: changed\n\n" if done else b": alive\n\n")
    except ConnectionResetError:
      # The browser has gone
      return response
    finally:
      self._events -= 1
      for task in waiting:
        task.cancel()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The web server: what is asked for, and by whom.

Rule 1: reading only, GET and HEAD. No request has confd asked; all answers are
made of what C{watcher} knows.

Rule 2: what may take long is made in a process of its own (C{aside}), once for
each change of the configuration (C{cache}). What one asks for by a filter of
his own choice does not keep anybody waiting who asks for something else.

Rule 3: who asks by a name is refused, unless it is C{localhost}. A browser
sends the name that it has got the address by; so a page of anybody's whose name
leads here is not served to him, though the browser takes both for one server
(DNS rebinding). A proxy that is configured with an address sends that.

"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import json
import logging

from typing import Any, Awaitable, Callable, Dict, List, Tuple

import prometheus_client

from aiohttp import web

from ganeti import errors
from ganeti.confd.config import columns
from ganeti.confd.exporter import aside
from ganeti.confd.exporter import cache
from ganeti.confd.exporter import connections
from ganeti.confd.exporter import discovery
from ganeti.confd.exporter import facts as factslib
from ganeti.confd.exporter import listing
from ganeti.confd.exporter import metrics
from ganeti.confd.exporter import pages
from ganeti.confd.exporter import watcher


#: Most connections that wait for events, all together
_MAX_EVENTS = 200

#: Seconds between signs of life on them
_ALIVE_INTERVAL = 15.0

#: What is written at once (bytes), so that a slow client does not need a copy
#: of the whole answer
_CHUNK = 1 << 16

#: Paths that a cluster would be in the way of
_NO_NAMES = frozenset(["sd", ".", ".."])

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_HTML_TYPE = "text/html; charset=utf-8"
_JSON_TYPE = "application/json; charset=utf-8"

#: A drawing has its style in it
_DRAWING_POLICY = "default-src 'none'; style-src 'unsafe-inline'"

_TABLES = {
  "nodes": columns.NODE,
  "instances": columns.INSTANCE,
  }

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Collector:
  """Families of metrics, as the library wants them.

  """
  def __init__(self, families: List[Any]) -> None:
    self._families = families

  # The name is the library's
  def collect(self) -> List[Any]:
    return self._families


def _WriteMetrics(families: List[Any]) -> bytes:
  registry = prometheus_client.CollectorRegistry()
  collector: Any = _Collector(families)
  registry.register(collector)
  text: bytes = prometheus_client.generate_latest(registry)
  return text


def _HasAddress(host: str) -> bool:
  """Tells whether somebody has asked by address, and not by name.

  @param host: the header C{Host}: an address or a name, and a port behind a
    colon if it has one

  """
  (name, colon, port) = host.rpartition(":")
  if not (colon and port.isascii() and (port.isdigit() or not port)):
    name = host
  if name.lower() == "localhost":
    return True
  if name.startswith("[") and name.endswith("]"):
    name = name[1:-1]
  try:
    ipaddress.ip_address(name)
  except ValueError:
    return False
  return True


def _Json(value: Any) -> bytes:
  return json.dumps(value).encode("ascii")


class Server:
  """Answers for some clusters.

  """
  def __init__(self, watchers: List[watcher.Watcher], per_instance: bool
               ) -> None:
    """@param per_instance: whether there are metrics for each instance
    @raise errors.ConfigurationError: a cluster's name cannot be in a path

    """
    for found in watchers:
      if found.cluster in _NO_NAMES:
        raise errors.ConfigurationError(
          "A cluster that is called '%s' cannot be served: its pages would be"
          " where others are" % found.cluster)
    # Processes that are forked find it done
    listing.Prepare()
    self._watchers = {i.cluster: i for i in watchers}
    self._per_instance = per_instance
    self._events = 0
    #: What all get, and what is chosen by filters
    self._usual = cache.Cache()
    self._chosen = cache.Cache()

  def Application(self) -> web.Application:
    """Makes what aiohttp runs.

    """
    app = web.Application(middlewares=[self._Guard], client_max_size=0)
    app.router.add_get("/", self._Clusters)
    app.router.add_get("/healthz", self._Healthz)
    app.router.add_get("/metrics", self._Metrics)
    app.router.add_get(pages.STYLE_PATH, self._Style)
    app.router.add_get(pages.SCRIPT_PATH, self._Script)
    app.router.add_get(pages.ICON_PATH, self._Icon)
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
    """Decides whether to answer, and makes errors short texts.

    """
    connection: Any = request.protocol
    connection.Begin(asyncio.current_task())
    response = await self._Answer(request, handler)
    connection.Expect(connections.ANSWER_TIME)
    if not response.prepared:
      response.headers.update(connections.HEADERS)
      response.force_close()
    return response

  async def _Answer(self, request: web.Request, handler: _Handler
                    ) -> web.StreamResponse:
    try:
      for host in request.headers.getall("Host", []):
        if not _HasAddress(host):
          return web.Response(
            status=421, text="421 Misdirected Request: this server is asked by"
            " its address, not by a name; see confd-exporter(8)\n")
      return await handler(request)
    except web.HTTPException as err:
      response = connections.Error(err.status, err.reason)
      if "Allow" in err.headers:
        response.headers["Allow"] = err.headers["Allow"]
      return response
    except cache.Busy:
      response = connections.Error(503, "Too Busy")
      response.headers["Retry-After"] = "5"
      return response
    except aside.Failed as err:
      return connections.Error(503, str(err))
    except ConnectionError:
      # The client has gone
      raise
    except Exception:  # pylint: disable=W0718
      logging.exception("Programming error")
      return connections.Error(500, "Internal Server Error")

  async def _Send(self, request: web.Request, content_type: str,
                  *parts: bytes, **headers: str) -> web.StreamResponse:
    """Sends an answer, bit by bit.

    @param parts: what it consists of
    @param headers: others than usual, with underscores for dashes

    """
    response = web.StreamResponse(headers=dict(
      connections.HEADERS, **{"Content-Type": content_type}))
    response.headers.update({name.replace("_", "-"): value
                             for (name, value) in headers.items()})
    response.content_length = sum(map(len, parts))
    response.force_close()
    connection: Any = request.protocol
    connection.Expect(connections.ANSWER_TIME)
    await response.prepare(request)
    if request.method != "HEAD":
      for part in parts:
        view = memoryview(part)
        for start in range(0, len(view), _CHUNK):
          await response.write(bytes(view[start:start + _CHUNK]))
    await response.write_eof()
    return response

  def _Find(self, request: web.Request) -> watcher.Watcher:
    found = self._watchers.get(request.match_info["cluster"])
    if found is None:
      raise web.HTTPNotFound()
    return found

  @staticmethod
  def _Facts(found: watcher.Watcher) -> factslib.Facts:
    facts = found.state.facts
    if facts is None:
      raise web.HTTPServiceUnavailable()
    return facts

  @staticmethod
  def _Known(found: watcher.Watcher) -> pages.Known:
    state = found.state
    return pages.Known(state, state.age, found.problem)

  async def _Html(self, request: web.Request, text: str, content: bytes = b""
                  ) -> web.StreamResponse:
    """Sends a page.

    @param content: what comes to L{pages.PLACE}

    """
    (head, _, tail) = text.partition(pages.PLACE)
    return await self._Send(request, _HTML_TYPE, head.encode("utf-8"), content,
                            tail.encode("utf-8"))

  async def _Clusters(self, request: web.Request) -> web.StreamResponse:
    return await self._Html(request, pages.Clusters(
      [self._Known(i) for i in self._watchers.values()]))

  async def _Overview(self, request: web.Request) -> web.StreamResponse:
    return await self._Html(request,
                            pages.Overview(self._Known(self._Find(request))))

  async def _Draw(self, found: watcher.Watcher, with_style: bool) -> cache.Body:
    facts = self._Facts(found)
    return await self._usual.Get(
      ("map", found.cluster, with_style), found.version,
      lambda: pages.Drawing(facts, found.cluster, with_style).encode("utf-8"))

  async def _Map(self, request: web.Request) -> web.StreamResponse:
    found = self._Find(request)
    drawing = cache.Body(b"")
    if found.state.facts is not None:
      drawing = await self._Draw(found, False)
    return await self._Html(request, pages.Map(self._Known(found), pages.PLACE),
                            drawing.data)

  async def _Drawing(self, request: web.Request) -> web.StreamResponse:
    drawing = await self._Draw(self._Find(request), True)
    return await self._Send(request, "image/svg+xml", drawing.data,
                            Content_Security_Policy=_DRAWING_POLICY)

  async def _Table(self, kind: str, request: web.Request) -> web.StreamResponse:
    found = self._Find(request)
    facts = found.state.facts
    (condition, order) = (request.query.get("filter", ""),
                          request.query.get("sort", ""))
    rows = cache.Body(b"")
    if facts is not None:
      known = facts
      try:
        rows = await self._chosen.Get(
          ("page", found.cluster, kind, condition, order), found.version,
          lambda: pages.Rows(known, kind, found.cluster, condition,
                             order).encode("utf-8"))
      except (listing.BadRequest, aside.Failed) as err:
        rows = cache.Body(pages.Wrong(str(err)).encode("utf-8"))
    return await self._Html(
      request, pages.Table(self._Known(found), kind, condition, order,
                           pages.PLACE), rows.data)

  async def _TableJson(self, kind: str, request: web.Request
                       ) -> web.StreamResponse:
    found = self._Find(request)
    facts = self._Facts(found)
    (condition, order) = (request.query.get("filter", ""),
                          request.query.get("sort", ""))
    try:
      rows = await self._chosen.Get(
        ("json", found.cluster, kind, condition, order), found.version,
        lambda: _Json(listing.Choose(facts, kind, condition, order).rows))
    except listing.BadRequest as err:
      return self._Wrong(err)
    head = _Json({"serial": facts.serial, "age": found.state.age})
    return await self._Send(request, _JSON_TYPE, head[:-1] + b', "answer": ',
                            rows.data, b"}")

  @staticmethod
  def _Wrong(err: listing.BadRequest) -> web.Response:
    return web.Response(status=400, body=_Json({"error": str(err)}),
                        headers={"Content-Type": _JSON_TYPE})

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
    # Less than a whole answer would take targets away
    clusters = {name: self._Facts(self._watchers[name]) for name in names}
    query = dict(request.query)
    try:
      targets = await self._chosen.Get(
        ("sd", kind, tuple(sorted(query.items()))), self._Versions(names),
        lambda: _Json(discovery.Targets(clusters, kind, query)))
    except listing.BadRequest as err:
      return self._Wrong(err)
    return await self._Send(request, _JSON_TYPE, targets.data)

  def _Versions(self, names: List[str]) -> Tuple[int, ...]:
    return tuple(self._watchers[name].version for name in names)

  async def _Healthz(self, request: web.Request) -> web.StreamResponse:
    return await self._Send(request, "text/plain; charset=utf-8", b"ok\n")

  async def _Style(self, request: web.Request) -> web.StreamResponse:
    return await self._Send(request, "text/css; charset=utf-8",
                            pages.STYLE.encode("utf-8"))

  async def _Script(self, request: web.Request) -> web.StreamResponse:
    return await self._Send(request, "text/javascript; charset=utf-8",
                            pages.SCRIPT.encode("utf-8"))

  async def _Icon(self, request: web.Request) -> web.StreamResponse:
    return await self._Send(request, "image/svg+xml; charset=utf-8",
                            pages.ICON.encode("utf-8"))

  async def _Metrics(self, request: web.Request) -> web.StreamResponse:
    """Answers with the metrics.

    """
    states = [i.state for i in self._watchers.values()]
    body = await self._usual.Get(
      "metrics", self._Versions(list(self._watchers)),
      lambda: _WriteMetrics(list(metrics.FactsFamilies(states,
                                                       self._per_instance))))
    return await self._Send(
      request, _METRICS_TYPE, body.data,
      _WriteMetrics(list(metrics.MomentFamilies(states))))

  async def _Events(self, request: web.Request) -> web.StreamResponse:
    """Tells a browser whenever something has changed (server-sent events).

    """
    watchers = list(self._watchers.values())
    if "cluster" in request.match_info:
      watchers = [self._Find(request)]
    if self._events >= _MAX_EVENTS:
      raise web.HTTPServiceUnavailable()
    response = web.StreamResponse(headers=dict(
      connections.HEADERS, **{"Content-Type": "text/event-stream"}))
    response.force_close()
    connection: Any = request.protocol
    waiting: Dict[asyncio.Task[None], watcher.Watcher] = {}
    self._events += 1
    try:
      await response.prepare(request)
      if request.method == "HEAD":
        return response
      waiting = {asyncio.ensure_future(i.Changed()): i for i in watchers}
      while True:
        (done, _) = await asyncio.wait(
          list(waiting), timeout=_ALIVE_INTERVAL,
          return_when=asyncio.FIRST_COMPLETED)
        for task in done:
          found = waiting.pop(task)
          waiting[asyncio.ensure_future(found.Changed())] = found
        # Who does not take it is cut off
        connection.Expect(connections.ANSWER_TIME)
        await response.write(b"data: changed\n\n" if done else b": alive\n\n")
    except ConnectionError:
      # The browser has gone
      return response
    finally:
      self._events -= 1
      for task in waiting:
        task.cancel()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The web server: what is asked for, and by whom.

Rule 1: reading only. No request has confd asked; all answers are made of what
C{watcher} knows.

Rule 2: what may take long is made in a process of its own (C{aside}), once for
each change of the configuration (C{cache}). There are three queues: for what
everybody gets, for what has parameters, and for what is chosen by a filter.
Nobody waits for what stands in another queue.

Rule 3: a request that names a host is refused, unless that is an address or
C{localhost}. A browser sends the name that it has got the address by; so a page
of anybody's whose name leads here is not served to him, though the browser
takes both for one server (DNS rebinding). A proxy that is configured with an
address sends that.

Rule 4: browsers say when a page of another site makes them ask
(C{Sec-Fetch-Site}). Such a request is refused, unless it opens a page in a
window of its own; and if it has parameters, the user must have followed a link.
So is a request with C{Origin} and without that header, which Chromium sends for
a WebSocket: no page of this server opens one.

"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging

from typing import Any, AsyncGenerator, Awaitable, Callable, Dict, Iterable, \
  List, Tuple

import prometheus_client

from ganeti import errors
from ganeti.confd.exporter import aside
from ganeti.confd.exporter import cache
from ganeti.confd.exporter import discovery
from ganeti.confd.exporter import facts as factslib
from ganeti.confd.exporter import http1
from ganeti.confd.exporter import listing
from ganeti.confd.exporter import metrics
from ganeti.confd.exporter import pages
from ganeti.confd.exporter import static
from ganeti.confd.exporter import watcher
from ganeti.confd.schema import columns


#: Most connections that wait for events, all together
_MAX_EVENTS = 200

#: Seconds between signs of life on them
_ALIVE_INTERVAL = 15.0

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

#: Bytes that each queue's cache keeps, and with which nothing more is made
_USUAL = cache.Limits(kept=32 << 20, held=64 << 20, waiting=100)
_OTHERS = cache.Limits(kept=8 << 20, held=24 << 20, waiting=10)

_Handler = Callable[[http1.Request], Awaitable[http1.Response]]
_ClusterHandler = Callable[[http1.Request, watcher.Watcher],
                           Awaitable[http1.Response]]


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


def _IsForeign(request: http1.Request) -> bool:
  """Tells whether a page of another site has made a browser ask, see rule 4.

  Other programs than browsers do not send these headers.

  """
  (site, mode, purpose, user) = (
    request.headers.get("sec-fetch-" + name)
    for name in ("site", "mode", "dest", "user"))
  if site is None:
    return "origin" in request.headers
  if site in ("same-origin", "none"):
    return False
  is_link = mode == "navigate" and purpose == "document"
  return not is_link or bool(request.query) and user != "?1"


def _Wrong(err: listing.BadRequest) -> http1.Response:
  return http1.Response(400, _JSON_TYPE, [_Json({"error": str(err)})])


def _Fixed(content_type: str, data: bytes) -> _Handler:
  """Makes the handler of what is always the same.

  """
  response = http1.Response(200, content_type, [data])

  async def _Get(_: http1.Request) -> http1.Response:
    return response
  return _Get


class Server:
  """Answers for some clusters.

  @ivar cut: cuts off a client that is slow to take an answer

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
    # Rule 2
    self.cut: cache.Cut = lambda _: False
    (self._usual, self._varied, self._filtered) = (
      cache.Cache(limits, self._Cut)
      for limits in (_USUAL, _OTHERS, _OTHERS))
    for found in watchers:
      found.listeners.append(self._ForgetOld)
    self._handlers: Dict[Tuple[str, ...], _Handler] = {
      ("", ""): self._Clusters,
      ("", "healthz"): _Fixed(http1.TEXT_TYPE, b"ok\n"),
      ("", "metrics"): self._Metrics,
      **{tuple(path.split("/")): _Fixed(*file)
         for (path, file) in static.Files().items()},
      ("", "events"): self._AllEvents,
      ("", "sd", "nodes"): self._Discovery,
      ("", "sd", "instances"): self._Discovery,
      }
    #: By the last part of the path
    self._cluster_handlers: Dict[str, _ClusterHandler] = {
      "": self._Overview,
      "nodes": self._Table,
      "instances": self._Table,
      "nodes.json": self._TableJson,
      "instances.json": self._TableJson,
      "map": self._Map,
      "map.svg": self._Drawing,
      "events": self._Events,
      }

  def _Cut(self, is_meant: Callable[[Any], bool]) -> bool:
    return self.cut(is_meant)

  async def Answer(self, request: http1.Request) -> http1.Response:
    """Answers a request, whatever comes of it.

    """
    try:
      return await self._Choose(request)
    except http1.Refused as err:
      return err.response
    except cache.Busy:
      return http1.Refused(503, "Too Busy", Retry_After="5").response
    except aside.Failed as err:
      return http1.Refused(503, str(err)).response
    except Exception:  # pylint: disable=W0718
      logging.exception("Programming error")
      return http1.Refused(500).response

  async def _Choose(self, request: http1.Request) -> http1.Response:
    """Decides who answers.

    """
    host = request.headers.get("host")
    if host is not None and not _HasAddress(host):
      raise http1.Refused(421, "Misdirected Request: this server is asked by"
                          " its address, not by a name; see confd-exporter(8)")
    if _IsForeign(request):
      raise http1.Refused(403, "Forbidden: a page of another site has asked for"
                          " this; see confd-exporter(8)")
    handler = self._handlers.get(request.path)
    if handler is not None:
      return await handler(request)
    if len(request.path) == 3:
      (_, cluster, page) = request.path
      found = self._watchers.get(cluster)
      for_cluster = self._cluster_handlers.get(page)
      if found is not None and for_cluster is not None:
        return await for_cluster(request, found)
    raise http1.Refused(404)

  @staticmethod
  def _Facts(found: watcher.Watcher) -> factslib.Facts:
    facts = found.state.facts
    if facts is None:
      raise http1.Refused(503)
    return facts

  @staticmethod
  def _Known(found: watcher.Watcher) -> pages.Known:
    state = found.state
    return pages.Known(state, state.age, found.problem)

  def _Version(self, names: Iterable[str]) -> cache.Version:
    return tuple((name, self._watchers[name].version) for name in names)

  def _ForgetOld(self) -> None:
    """Forgets answers that were made of what does not hold any more.

    """
    current = dict(self._Version(self._watchers))
    for answers in (self._usual, self._varied, self._filtered):
      answers.ForgetOld(current)

  def _Queue(self, condition: str, has_more: bool) -> cache.Cache:
    """Returns where an answer is made and kept.

    @param condition: the filter; may be empty
    @param has_more: whether there are other parameters

    """
    if condition:
      return self._filtered
    return self._varied if has_more else self._usual

  @staticmethod
  def _Html(text: str, content: cache.Body = cache.EMPTY) -> http1.Response:
    """Makes the answer that is a page.

    @param content: what comes to L{pages.PLACE}

    """
    (head, _, tail) = text.partition(pages.PLACE)
    return http1.Response(
      200, _HTML_TYPE, [head.encode("utf-8"), content.data,
                        tail.encode("utf-8")], owner=content)

  async def _Clusters(self, _: http1.Request) -> http1.Response:
    return self._Html(pages.Clusters(
      [self._Known(i) for i in self._watchers.values()]))

  async def _Overview(self, _: http1.Request, found: watcher.Watcher
                      ) -> http1.Response:
    return self._Html(pages.Overview(self._Known(found)))

  async def _Draw(self, found: watcher.Watcher, with_style: bool) -> cache.Body:
    facts = self._Facts(found)
    return await self._usual.Get(
      ("map", found.cluster, str(with_style)), self._Version([found.cluster]),
      lambda: pages.Drawing(facts, found.cluster, with_style).encode("utf-8"))

  async def _Map(self, _: http1.Request, found: watcher.Watcher
                 ) -> http1.Response:
    drawing = cache.EMPTY
    if found.state.facts is not None:
      drawing = await self._Draw(found, False)
    return self._Html(pages.Map(self._Known(found), pages.PLACE), drawing)

  async def _Drawing(self, _: http1.Request, found: watcher.Watcher
                     ) -> http1.Response:
    drawing = await self._Draw(found, True)
    return http1.Response(200, "image/svg+xml", [drawing.data],
                          {"Content-Security-Policy": _DRAWING_POLICY},
                          owner=drawing)

  @staticmethod
  def _Choice(request: http1.Request) -> Tuple[str, str, str]:
    """Returns which rows of which table are asked for.

    @return: kind, filter, order

    """
    (name, _, _) = request.path[-1].partition(".")
    return (_TABLES[name], request.query.get("filter", "").strip(),
            request.query.get("sort", ""))

  async def _Table(self, request: http1.Request, found: watcher.Watcher
                   ) -> http1.Response:
    (kind, condition, order) = self._Choice(request)
    facts = found.state.facts
    rows = cache.EMPTY
    if facts is not None:
      known = facts
      try:
        rows = await self._Queue(condition, bool(order)).Get(
          ("page", found.cluster, kind, condition, order),
          self._Version([found.cluster]),
          lambda: pages.Rows(known, kind, found.cluster, condition,
                             order).encode("utf-8"))
      except (listing.BadRequest, aside.Failed) as err:
        rows = cache.Body(pages.Wrong(str(err)).encode("utf-8"))
    return self._Html(pages.Table(self._Known(found), kind, condition, order,
                                  pages.PLACE), rows)

  async def _TableJson(self, request: http1.Request, found: watcher.Watcher
                       ) -> http1.Response:
    (kind, condition, order) = self._Choice(request)
    facts = self._Facts(found)
    try:
      rows = await self._Queue(condition, bool(order)).Get(
        ("json", found.cluster, kind, condition, order),
        self._Version([found.cluster]),
        lambda: _Json(listing.Choose(facts, kind, condition, order).rows))
    except listing.BadRequest as err:
      return _Wrong(err)
    head = _Json({"serial": facts.serial, "age": found.state.age})
    return http1.Response(200, _JSON_TYPE, [
      head[:-1] + b', "answer": ', rows.data, b"}"], owner=rows)

  async def _Discovery(self, request: http1.Request) -> http1.Response:
    """Answers with targets for Prometheus, which keeps those that it has when
    it gets an error.

    """
    kind = _TABLES[request.path[-1]]
    names = list(self._watchers)
    query = dict(request.query)
    wanted = query.pop(discovery.CLUSTER, None)
    if wanted is not None:
      if wanted not in names:
        raise http1.Refused(404)
      names = [wanted]
    # Less than a whole answer would take targets away
    clusters = {name: self._Facts(self._watchers[name]) for name in names}
    queue = self._Queue(query.get(discovery.FILTER, "").strip(), bool(query))
    try:
      targets = await queue.Get(
        ("sd", kind, *names, *(i for item in sorted(query.items())
                               for i in item)),
        self._Version(names),
        lambda: _Json(discovery.Targets(clusters, kind, query)))
    except listing.BadRequest as err:
      return _Wrong(err)
    return http1.Response(200, _JSON_TYPE, [targets.data], owner=targets)

  async def _Metrics(self, _: http1.Request) -> http1.Response:
    """Answers with the metrics.

    """
    states = [i.state for i in self._watchers.values()]
    body = await self._usual.Get(
      ("metrics", ), self._Version(self._watchers),
      lambda: _WriteMetrics(list(metrics.FactsFamilies(states,
                                                       self._per_instance))))
    return http1.Response(200, _METRICS_TYPE, [
      body.data, _WriteMetrics(list(metrics.MomentFamilies(states)))],
                          owner=body)

  async def _AllEvents(self, request: http1.Request) -> http1.Response:
    return await self._Tell(request, list(self._watchers.values()))

  async def _Events(self, request: http1.Request, found: watcher.Watcher
                    ) -> http1.Response:
    return await self._Tell(request, [found])

  async def _Tell(self, request: http1.Request, watchers: List[watcher.Watcher]
                  ) -> http1.Response:
    """Tells a browser whenever something has changed (server-sent events).

    """
    if self._events >= _MAX_EVENTS:
      raise http1.Refused(503)
    stream = None
    if request.method != "HEAD":
      stream = self._Changes(watchers)
      # From here on the stream is counted, until it is closed
      await stream.__anext__()
    return http1.Response(200, "text/event-stream", stream=stream)

  async def _Changes(self, watchers: List[watcher.Watcher]
                     ) -> AsyncGenerator[bytes, None]:
    """Yields what is sent, at first nothing.

    """
    waiting: Dict[asyncio.Task[None], watcher.Watcher] = {}
    self._events += 1
    try:
      waiting = {asyncio.ensure_future(i.Changed()): i for i in watchers}
      yield b""
      while True:
        (done, _) = await asyncio.wait(
          list(waiting), timeout=_ALIVE_INTERVAL,
          return_when=asyncio.FIRST_COMPLETED)
        for task in done:
          found = waiting.pop(task)
          waiting[asyncio.ensure_future(found.Changed())] = found
        yield b"data: changed\n\n" if done else b": alive\n\n"
    finally:
      self._events -= 1
      for task in waiting:
        task.cancel()

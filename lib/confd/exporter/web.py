#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The web server's routes, and the requests that it refuses.

Rule 1: requests only read, and no request makes the server ask a daemon. All
answers are made from the states that C{watcher} keeps.

Rule 2: slow answers are made in a forked process (C{forked}), once for each
change of the configuration (C{cache}). There are three queues: answers without
parameters, answers with parameters, and answers with a filter. An answer never
waits for one in another queue. Answers about the history have a queue of their
own, see C{historyreader}.

Rule 3: a C{Host} header must be an address or C{localhost}. The rule prevents
DNS rebinding: if the host name of an attacker's page resolves to this server's
address, then page and server have the same origin for the browser, and the page
could read all answers. The browser sends that host name as C{Host}. A reverse
proxy sends an address if its configuration names this server by an address.

Rule 4: a request that a page of another site causes is refused, as the header
C{Sec-Fetch-Site} tells, with one exception: links. A link opens a page at the
top level of a window; if it has parameters, the user must have clicked it.
To open a WebSocket, Chromium sends C{Origin} instead of that header. No page of
this server opens a WebSocket, so such a request is refused, too.

"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging

from typing import Any, AsyncGenerator, Awaitable, Callable, Iterable, \
  Mapping, Optional, Sequence

import prometheus_client

from ganeti import errors
from ganeti.confd.export import sanitize
from ganeti.confd.exporter import cache
from ganeti.confd.exporter import clusterstate
from ganeti.confd.exporter import compress
from ganeti.confd.exporter import discovery
from ganeti.confd.exporter import findingspage
from ganeti.confd.exporter import forked
from ganeti.confd.exporter import history
from ganeti.confd.exporter import historypage
from ganeti.confd.exporter import historyreader
from ganeti.confd.exporter import http1
from ganeti.confd.exporter import layout
from ganeti.confd.exporter import lookup
from ganeti.confd.exporter import mappage
from ganeti.confd.exporter import markup
from ganeti.confd.exporter import metrics
from ganeti.confd.exporter import objectpages
from ganeti.confd.exporter import pages
from ganeti.confd.exporter import recorder
from ganeti.confd.exporter import rowfilter
from ganeti.confd.exporter import search
from ganeti.confd.exporter import searchpage
from ganeti.confd.exporter import static
from ganeti.confd.exporter import watcher
from ganeti.confd.schema import columns


#: Maximum number of event streams (server-sent events)
_MAX_EVENT_STREAMS = 200

#: Seconds between comments that keep an event stream alive
_ALIVE_INTERVAL = 15.0

#: Names that no cluster may have: the pages of such a cluster would have the
#: paths of other pages
_RESERVED_NAMES = frozenset(["sd", ".", ".."])

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_HTML_TYPE = "text/html; charset=utf-8"
_JSON_TYPE = "application/json; charset=utf-8"

#: The content security policy of a drawing, which contains its style
_DRAWING_POLICY = "default-src 'none'; style-src 'unsafe-inline'"

#: Maximum number of objects that the text of an error names
_LISTED = 10

#: The body that stands for an empty part of a page
_NOTHING = cache.Body(compress.Pack(b""))

#: Limits of the three caches: answers without parameters, with parameters, and
#: with a filter. Each cluster has only a few answers without parameters,
#: whatever clients ask for, and their size depends on the cluster alone: 10,000
#: instances have 5.5 MB of metrics. Two answers with a filter are made at a
#: time, so that one slow filter does not delay all others; each further process
#: would take 10 MB and more.
_PLAIN = cache.Limits(
  kept=96 << 20, held=64 << 20, waiting=100,
  process=forked.Limits(cpu_time=60.0, memory=2 << 30, size=96 << 20))
_VARIED = cache.Limits(kept=8 << 20, held=24 << 20, waiting=10)
_FILTERED = cache.Limits(kept=8 << 20, held=24 << 20, waiting=10, parallel=2)

_Handler = Callable[[http1.Request], Awaitable[http1.Response]]
_ClusterHandler = Callable[[http1.Request, watcher.Watcher],
                           Awaitable[http1.Response]]


class _Families:
  """Gives some families of metrics the interface of the library's collectors.

  """
  def __init__(self, families: list[Any]) -> None:
    self._families = families

  # The library C{prometheus_client} prescribes the name
  def collect(self) -> list[Any]:
    return self._families


def _WriteMetrics(families: list[Any]) -> bytes:
  registry = prometheus_client.CollectorRegistry()
  collector: Any = _Families(families)
  registry.register(collector)
  text: bytes = prometheus_client.generate_latest(registry)
  return text


def _HasAddress(host: str) -> bool:
  """Tells whether the host is an IP address or C{localhost}, see rule 3.

  @param host: the header C{Host}: an address or a name, and perhaps a port
    after a colon

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
  """Tells whether a page of another site has caused a request, see rule 4.

  Only browsers send the headers that this function reads.

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


def _BadRequest(err: rowfilter.BadRequest) -> http1.Response:
  return http1.Response(400, _JSON_TYPE, [_Json({"error": str(err)})])


def _Encode(request: http1.Request, response: http1.Response
            ) -> http1.Response:
  """Compresses the body of a response if the client accepts that.

  """
  if response.packed is None:
    return response
  headers = {**response.headers, "Vary": "Accept-Encoding"}
  if not compress.IsAccepted(request.headers.get("accept-encoding", "")):
    return response._replace(parts=compress.Raw(response.packed),
                             headers=headers)
  return response._replace(parts=compress.Gzip(response.packed), headers={
    **headers, "Content-Encoding": "gzip"})


def _NotFound(text: str, state: Optional[clusterstate.ClusterState] = None,
              word: str = "", section: markup.Content = None
              ) -> http1.Response:
  return http1.Response(404, _HTML_TYPE, [
    pages.NotFound(state, text, word, section).encode("utf-8")])


def _FindObject(config: clusterstate.ClusterConfig, cluster: str,
                kinds: Sequence[str], word: str) -> bytes:
  """Makes the answer about an object.

  @param kinds: the kind in the path; all kinds if the path has none
  @param word: the object's name, short name or UUID
  @return: the page's content, packed, or the path of another page
  @raise forked.BadRequest: there is no such object, or there are several

  """
  found = lookup.FindObjects(config, kinds, word)
  if not found:
    lacking = config.Unknown(*kinds)
    raise forked.BadRequest("Cluster %s has no %s of the name %s%s." % (
      cluster, " or ".join(kinds), sanitize.Show(word),
      ", or the key does not permit to ask: it may not list %s" %
      " and ".join(lacking) if lacking else ""))
  first = found[0]
  # If several objects have the name, the page of the first links to the others
  if len(kinds) == 1 and word in (first.name, first.uuid):
    return compress.Pack(objectpages.Content(
      config, cluster, first.kind, first.row).encode("utf-8"))
  if len(found) > 1:
    raise forked.BadRequest("%s may be any of these: %s." % (
      sanitize.Show(word),
      ", ".join("%s %s" % (i.kind, i.name) for i in found[:_LISTED])))
  target = (layout.ObjectPath(cluster, first.kind, first.name) or
            layout.ObjectPath(cluster, first.kind, first.uuid))
  if target is None:
    raise forked.BadRequest("No path can have the name of this object.")
  return target.encode("ascii")


def _Search(clusters: Mapping[str, clusterstate.ClusterConfig], words: str
            ) -> bytes:
  """Makes the answer to a search.

  @return: as L{_FindObject}
  @raise forked.BadRequest: the search is wrong

  """
  hits = search.Search(clusters, words)
  target = searchpage.Target(hits, words)
  if target:
    return target.encode("ascii")
  return compress.Pack(searchpage.Content(hits).encode("utf-8"))


def _Static(content_type: str, data: bytes) -> _Handler:
  """Makes a handler that always returns the same response.

  """
  response = http1.Response(200, content_type, [data])

  async def _Get(_: http1.Request) -> http1.Response:
    return response
  return _Get


class Server:
  """Answers requests about some clusters.

  @ivar cut: cuts off a client that takes an answer slowly

  """
  def __init__(self, watchers: list[watcher.Watcher], per_instance: bool,
               recording: Optional[recorder.Recorder] = None) -> None:
    """@param per_instance: whether there are metrics for each instance
    @param recording: records the history; None if none is recorded
    @raise errors.ConfigurationError: a cluster's name cannot be in a path

    """
    for found in watchers:
      if found.cluster in _RESERVED_NAMES:
        raise errors.ConfigurationError(
          "A cluster of the name '%s' cannot be served: its pages would have"
          " the paths of others" % found.cluster)
    rowfilter.Prepare()
    self._watchers = {i.cluster: i for i in watchers}
    self._per_instance = per_instance
    self._event_streams = 0
    #: The paths whose failure has been logged, see L{_Failed}
    self._failed: set[tuple[str, ...]] = set()
    self.cut: cache.Cut = lambda _: False
    # A cache for each of the three queues of the module's rule 2: for requests
    # without parameters, with parameters, and with a filter
    (self._plain, self._varied, self._filtered) = (
      cache.Cache(limits, self._Cut)
      for limits in (_PLAIN, _VARIED, _FILTERED))
    self._history = None if recording is None else historyreader.Reader(
      recording, self._Cut)
    for found in watchers:
      found.listeners.append(self._DropOld)
    self._handlers: dict[tuple[str, ...], _Handler] = {
      ("", ""): self._Clusters,
      ("", "healthz"): _Static(http1.TEXT_TYPE, b"ok\n"),
      ("", "metrics"): self._Metrics,
      ("", layout.SEARCH[1:]): self._Search,
      **{tuple(path.split("/")): _Static(*file)
         for (path, file) in static.Files().items()},
      ("", "events"): self._AllEvents,
      ("", "sd", "nodes"): self._Discovery,
      ("", "sd", "instances"): self._Discovery,
      }
    #: Handlers for the pages of a cluster, by the last part of the path
    self._cluster_handlers: dict[str, _ClusterHandler] = {
      "": self._Overview,
      **dict.fromkeys(layout.TABLES, self._Table),
      **{name + ".json": self._TableJson for name in layout.TABLES},
      findingspage.NAME: self._Findings,
      findingspage.NAME + ".json": self._FindingsJson,
      mappage.NAME: self._Map,
      mappage.NAME + ".svg": self._Drawing,
      "events": self._ClusterEvents,
      layout.HISTORY: self._History,
      layout.HISTORY + ".json": self._HistoryJson,
      }

  def _Cut(self, is_meant: Callable[[Any], bool]) -> bool:
    return self.cut(is_meant)

  async def Answer(self, request: http1.Request) -> http1.Response:
    """Answers a request; an error becomes a response.

    """
    try:
      return _Encode(request, await self._Route(request))
    except http1.Refused as err:
      return err.response
    except cache.Busy:
      return http1.Refused(503, "Too Busy", Retry_After="5").response
    except forked.Failed as err:
      return self._Failed(request, str(err))
    except Exception:  # pylint: disable=W0718
      logging.exception("Programming error")
      return http1.Refused(500).response

  def _Failed(self, request: http1.Request, problem: str) -> http1.Response:
    """Says which limit an answer exceeds, and logs the failure.

    Each path is logged once for each configuration. An answer with parameters
    is not logged, as clients may choose any parameters.

    """
    if request.path == ("", "metrics") and self._per_instance:
      problem += ("; confd-exporter --no-instances leaves out the metrics of"
                  " single instances")
    if not request.query and request.path not in self._failed:
      self._failed.add(request.path)
      logging.warning("%s cannot be answered: %s",
                      sanitize.Show("/".join(request.path)), problem)
    return http1.Refused(503, problem).response

  async def _Route(self, request: http1.Request) -> http1.Response:
    """Finds the handler for a request, and calls it.

    """
    host = request.headers.get("host")
    if host is not None and not _HasAddress(host):
      raise http1.Refused(421, "Misdirected Request: use the server's address"
                          " instead of a name; see confd-exporter(8)")
    if _IsForeign(request):
      raise http1.Refused(403, "Forbidden: a page of another site has asked for"
                          " this; see confd-exporter(8)")
    handler = self._handlers.get(request.path)
    if handler is not None:
      return await handler(request)
    (_, cluster, *rest) = request.path
    found = self._watchers.get(cluster)
    if found is None or not rest:
      return _NotFound("There is no such page.")
    if len(rest) == 1:
      for_cluster = self._cluster_handlers.get(rest[0])
      if for_cluster is not None:
        return await for_cluster(request, found)
      return await self._Object(found, lookup.KINDS, rest[0])
    if len(rest) == 2 and rest[0] in lookup.KINDS:
      return await self._Object(found, rest[:1], rest[1])
    return _NotFound("There is no such page.", found.state)

  async def _Object(self, found: watcher.Watcher, kinds: Sequence[str],
                    word: str) -> http1.Response:
    """Answers with the page about an object, or with the path of that page.

    @param kinds: the kind in the path; all kinds if the path has none

    """
    config = self._Config(found)
    try:
      body = await self._varied.Get(
        ("object", found.cluster, *kinds, word),
        self._Version([found.cluster]),
        lambda: _FindObject(config, found.cluster, kinds, word))
    except forked.BadRequest as err:
      # Without a word, the section would have the changes of all objects
      former = await self._Section(
        found, historypage.Former(kinds, word), "") if word else None
      return _NotFound(str(err), found.state, word, former)
    section: markup.Content = None
    if compress.IsPacked(body.data):
      section = await self._Section(found, historypage.About(kinds[0], word))
    return self._PageOrTarget(body, objectpages.Object(
      found.state, kinds[0], word, [layout.PLACEHOLDER, section]))

  def _PageOrTarget(self, body: cache.Body, page: str) -> http1.Response:
    """Makes a response from an answer: a page, or a redirect if it is a path.

    @param page: the page, with the placeholder for the answer

    """
    if not compress.IsPacked(body.data):
      return http1.Response(302, http1.TEXT_TYPE, headers={
        "Location": str(body.data, "ascii")})
    return self._Html(page, body)

  async def _Search(self, request: http1.Request) -> http1.Response:
    words = request.query.get("q", "").strip()
    states = [i.state for i in self._watchers.values()]
    clusters = {state.cluster: state.config for state in states
                if state.config is not None}
    if not words:
      return self._Html(searchpage.Search(states, words, searchpage.Help()))
    page = searchpage.Search(states, words, layout.PLACEHOLDER)
    try:
      body = await self._varied.Get(
        ("search", words), self._Version(self._watchers),
        lambda: _Search(clusters, words))
    except (forked.BadRequest, forked.Failed) as err:
      return self._Html(searchpage.Search(states, words, pages.Error(str(err))))
    return self._PageOrTarget(body, page)

  @staticmethod
  def _Config(found: watcher.Watcher) -> clusterstate.ClusterConfig:
    config = found.state.config
    if config is None:
      raise http1.Refused(503)
    return config

  @staticmethod
  def _Require(is_known: bool) -> None:
    """Refuses to answer in place of a client that cannot see what is missing.

    @param is_known: whether the key permits to ask for the whole answer

    """
    if not is_known:
      raise http1.Refused(503, "The key does not permit to ask for this; the"
                          " cluster's pages say what it permits")

  def _Version(self, names: Iterable[str]) -> cache.Version:
    return tuple((name, self._watchers[name].version) for name in names)

  def _DropOld(self) -> None:
    """Drops answers that were made of old configurations.

    """
    self._failed.clear()
    current = dict(self._Version(self._watchers))
    for answers in (self._plain, self._varied, self._filtered, self._history):
      if answers is not None:
        answers.DropOld(current)

  def _Queue(self, condition: str, has_more: bool) -> cache.Cache:
    """Returns the queue for an answer, see rule 2.

    @param condition: the filter; may be empty
    @param has_more: whether there are other parameters

    """
    if condition:
      return self._filtered
    return self._varied if has_more else self._plain

  @staticmethod
  def _Html(text: str, content: cache.Body = _NOTHING) -> http1.Response:
    """Makes a response of a page.

    @param content: comes in place of L{layout.PLACEHOLDER}

    """
    (head, _, tail) = text.partition(layout.PLACEHOLDER)
    return http1.Response(200, _HTML_TYPE, packed=[
      head.encode("utf-8"), compress.Unpack(content.data),
      tail.encode("utf-8")], owner=content)

  async def _Clusters(self, _: http1.Request) -> http1.Response:
    return self._Html(pages.Clusters(
      [i.state for i in self._watchers.values()]))

  async def _Overview(self, _: http1.Request, found: watcher.Watcher
                      ) -> http1.Response:
    section = await self._Section(found, historypage.Latest())
    return self._Html(pages.Overview(found.state, section))

  async def _Section(self, found: watcher.Watcher, wanted: history.Selection,
                     if_empty: str = historypage.NO_CHANGE) -> markup.Content:
    """Returns the section of a page with recorded changes.

    @param if_empty: see C{historypage.Section}
    @return: None if no history is recorded

    """
    config = found.state.config
    if self._history is None or config is None:
      return None
    return await self._history.Section(found, config, wanted, if_empty)

  async def _History(self, request: http1.Request, found: watcher.Watcher
                     ) -> http1.Response:
    if self._history is None:
      return _NotFound("No history is recorded: confd-exporter runs without the"
                       " option --history.", found.state)
    return self._Html(*await self._history.Page(found, found.state.config,
                                                request.query))

  async def _HistoryJson(self, request: http1.Request, found: watcher.Watcher
                         ) -> http1.Response:
    if self._history is None:
      raise http1.Refused(404)
    try:
      wanted = historypage.Parse(request.query, True)
    except forked.BadRequest as err:
      return _BadRequest(err)
    try:
      body = await self._history.Json(found, wanted)
    except (forked.BadRequest, forked.Failed) as err:
      return http1.Response(503, _JSON_TYPE, [_Json({"error": str(err)})])
    state = found.state.history
    head = _Json({"problem": None if state is None else state.problem})
    return http1.Response(200, _JSON_TYPE, owner=body, packed=[
      head[:-1] + b", ", compress.Unpack(body.data), b"}"])

  async def _Content(self, queue: cache.Cache, found: watcher.Watcher,
                     key: Sequence[str],
                     make: Callable[[clusterstate.ClusterConfig], str]
                     ) -> cache.Body:
    """Makes the content of a page in a forked process.

    @param key: everything that the content depends on, except the cluster
    @param make: makes the content from the configuration
    @return: the content; an error message in its place if a parameter is wrong
      or a limit is reached

    """
    config = found.state.config
    if config is None:
      return _NOTHING
    known = config
    try:
      return await queue.Get(
        ("content", found.cluster, *key), self._Version([found.cluster]),
        lambda: compress.Pack(make(known).encode("utf-8")))
    except (rowfilter.BadRequest, forked.Failed) as err:
      return cache.Body(compress.Pack(pages.Error(str(err)).encode("utf-8")))

  async def _Findings(self, request: http1.Request, found: watcher.Watcher
                      ) -> http1.Response:
    (check, number) = (request.query.get(name, "") for name in
                       (findingspage.CHECK, findingspage.PAGE))
    rows = await self._Content(
      self._Queue("", bool(check or number)), found,
      ("findings", check, number), lambda config: findingspage.Rows(
        config, found.cluster, check, number))
    return self._Html(findingspage.Findings(found.state, check,
                                            layout.PLACEHOLDER), rows)

  async def _FindingsJson(self, request: http1.Request, found: watcher.Watcher
                          ) -> http1.Response:
    config = self._Config(found)
    self._Require(not config.lacking)
    check = request.query.get(findingspage.CHECK, "")
    try:
      body = await self._Queue("", bool(check)).Get(
        ("findings.json", found.cluster, check), self._Version([found.cluster]),
        lambda: compress.Pack(_Json(findingspage.Json(config, check))))
    except rowfilter.BadRequest as err:
      return _BadRequest(err)
    return self._JsonOf(found.state, config, body)

  async def _Map(self, request: http1.Request, found: watcher.Watcher
                 ) -> http1.Response:
    (group, number) = (request.query.get(name, "") for name in
                       (mappage.GROUP, mappage.PAGE))
    boxes = await self._Content(
      self._Queue("", bool(group or number)), found, ("map", group, number),
      lambda config: mappage.Boxes(config, found.cluster, group, number))
    return self._Html(mappage.Map(found.state, group, layout.PLACEHOLDER),
                      boxes)

  async def _Drawing(self, request: http1.Request, found: watcher.Watcher
                     ) -> http1.Response:
    config = self._Config(found)
    self._Require(not config.Unknown(columns.NODE, columns.INSTANCE))
    group = request.query.get(mappage.GROUP, "")
    try:
      drawing = await self._Queue("", bool(group)).Get(
        ("map.svg", found.cluster, group), self._Version([found.cluster]),
        lambda: compress.Pack(mappage.Drawing(
          config, found.cluster, group).encode("utf-8")))
    except rowfilter.BadRequest as err:
      return _BadRequest(err)
    return http1.Response(
      200, "image/svg+xml", packed=[compress.Unpack(drawing.data)],
      headers={"Content-Security-Policy": _DRAWING_POLICY}, owner=drawing)

  @staticmethod
  def _ParseTable(request: http1.Request) -> tuple[str, str, str]:
    """Parses a request for a table.

    @return: kind, filter, order

    """
    (name, _, _) = request.path[-1].partition(".")
    return (layout.TABLES[name], request.query.get("filter", "").strip(),
            request.query.get("sort", ""))

  async def _Table(self, request: http1.Request, found: watcher.Watcher
                   ) -> http1.Response:
    (kind, condition, order) = self._ParseTable(request)
    number = request.query.get("page", "")
    rows = await self._Content(
      self._Queue(condition, bool(order or number)), found,
      ("page", kind, condition, order, number), lambda config: pages.Rows(
        config, kind, found.cluster, condition, order, number))
    return self._Html(pages.Table(found.state, kind, condition, order,
                                  layout.PLACEHOLDER), rows)

  async def _TableJson(self, request: http1.Request, found: watcher.Watcher
                       ) -> http1.Response:
    (kind, condition, order) = self._ParseTable(request)
    config = self._Config(found)
    self._Require(config.Knows(kind))
    try:
      rows = await self._Queue(condition, bool(order)).Get(
        ("json", found.cluster, kind, condition, order),
        self._Version([found.cluster]),
        lambda: compress.Pack(_Json(rowfilter.Select(
          config, kind, condition, order,
          clusterstate.JsonFields(kind)).rows)))
    except rowfilter.BadRequest as err:
      return _BadRequest(err)
    return self._JsonOf(found.state, config, rows)

  @staticmethod
  def _JsonOf(state: clusterstate.ClusterState,
              config: clusterstate.ClusterConfig, body: cache.Body
              ) -> http1.Response:
    """Makes a response of an answer in JSON, with serial and age.

    """
    head = _Json({"serial": config.serial, "age": state.age})
    return http1.Response(200, _JSON_TYPE, packed=[
      head[:-1] + b', "answer": ', compress.Unpack(body.data), b"}"],
                          owner=body)

  async def _Discovery(self, request: http1.Request) -> http1.Response:
    """Answers with targets for Prometheus, which keeps its targets when it gets
    an error.

    """
    kind = layout.TABLES[request.path[-1]]
    names = list(self._watchers)
    query = dict(request.query)
    wanted = query.pop(discovery.CLUSTER, None)
    if wanted is not None:
      if wanted not in names:
        raise http1.Refused(404)
      names = [wanted]
    # Refuse the request if any configuration is missing: Prometheus would drop
    # the targets that an incomplete answer lacks
    clusters = {name: self._Config(self._watchers[name]) for name in names}
    self._Require(all(config.Knows(kind) for config in clusters.values()))
    queue = self._Queue(query.get(discovery.FILTER, "").strip(), bool(query))
    try:
      targets = await queue.Get(
        ("sd", kind, *names, *(i for item in sorted(query.items())
                               for i in item)),
        self._Version(names),
        lambda: compress.Pack(_Json(
          discovery.Targets(clusters, kind, query))))
    except rowfilter.BadRequest as err:
      return _BadRequest(err)
    return http1.Response(200, _JSON_TYPE, owner=targets,
                          packed=[compress.Unpack(targets.data)])

  async def _Metrics(self, _: http1.Request) -> http1.Response:
    """Answers with the metrics.

    """
    states = [i.state for i in self._watchers.values()]
    body = await self._plain.Get(
      ("metrics", ), self._Version(self._watchers),
      lambda: compress.Pack(_WriteMetrics(list(
        metrics.ConfigFamilies(states, self._per_instance)))))
    return http1.Response(200, _METRICS_TYPE, packed=[
      compress.Unpack(body.data),
      _WriteMetrics(list(metrics.LiveFamilies(states)))],
                          owner=body)

  async def _AllEvents(self, request: http1.Request) -> http1.Response:
    return await self._EventStream(request, list(self._watchers.values()))

  async def _ClusterEvents(self, request: http1.Request, found: watcher.Watcher
                    ) -> http1.Response:
    return await self._EventStream(request, [found])

  async def _EventStream(self, request: http1.Request,
                         watchers: list[watcher.Watcher]) -> http1.Response:
    """Sends an event for each change (server-sent events).

    """
    if self._event_streams >= _MAX_EVENT_STREAMS:
      raise http1.Refused(503)
    stream = None
    if request.method != "HEAD":
      stream = self._Events(watchers)
      # Take the first item, which is empty, so that from now on the stream
      # counts as open
      await stream.__anext__()
    return http1.Response(200, "text/event-stream", stream=stream)

  async def _Events(self, watchers: list[watcher.Watcher]
                    ) -> AsyncGenerator[bytes, None]:
    """Yields the parts of an event stream; the first is empty.

    """
    waiting: dict[asyncio.Task[None], watcher.Watcher] = {}
    self._event_streams += 1
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
      self._event_streams -= 1
      for task in waiting:
        task.cancel()

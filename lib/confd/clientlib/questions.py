#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The calls of both clients: a coroutine for each question.

C{aio.AsyncClient} has the coroutines as they are; C{sync.Client} runs each one
to its end. A call may take several questions of the protocol.

Rule 1: a module that only a few calls need is imported within these calls: a
script that is started for each question must start fast.

Rule 2: annotations have the names of the public module C{client}, and the
docstrings of public classes and functions, in all modules, have no markup but
fields such as C{@param}. C{help} and editors show both to the authors of
programs as they are.

"""

from __future__ import annotations

import functools
import time

from ganeti import constants
from ganeti import errors
from ganeti.confd import protocol
from ganeti.confd.clientlib import arguments
from ganeti.confd.clientlib import replies
from ganeti.confd.clientlib import session
from ganeti.confd.typed import TYPE_CHECKING, cast, overload

if TYPE_CHECKING:
  from typing import Any, Awaitable, Callable, Iterable, Literal, Mapping, \
    Optional, Union
  from ganeti.confd import client
  from ganeti.confd.clientlib import clusterstats
  from ganeti.confd.clientlib import follow


#: Maximum number of attempts to get several tables with the same serial
_TRIES = 3

#: Seconds until a candidate that is behind or diverges is asked again, since a
#: change takes a moment to reach all candidates
_SETTLE = 1.0

#: The query that asks for the master's name and addresses
_MASTER_FIELDS = {
  constants.CONFD_REQQ_FIELDS: [constants.CONFD_REQFIELD_NAME,
                                constants.CONFD_REQFIELD_IP,
                                constants.CONFD_REQFIELD_MNODE_PIP],
  }


def _IpQuery(key: str, value: Any, link: Optional[str]) -> dict[str, Any]:
  query = {key: value}
  if link is not None:
    query[constants.CONFD_REQQ_LINK] = link
  return query


class Questions(session.Session):
  """The calls of both clients.

  All calls may raise, beside the exceptions that each documents:
    - errors.ProgrammerError: an argument has the wrong type, or the client is
      closed; nothing was sent
    - NoAnswer: no candidate answered in time
    - StaleAnswer, a NoAnswer: all answers are older than one that was seen
      before
    - ErrorAnswer: the freshest answer is an error
    - MalformedAnswer: all answers are malformed
    - errors.ConfdClientError, the base of these four: the question is too
      large, the answer is too large, or there is no candidate
    - errors.ConfigurationError: a file of the node is unusable

  """
  # Arguments may be called "filter", as in the documentation of Ganeti
  # pylint: disable=W0622

  async def Query(self, rtype: int, query: Any = None) -> client.Reply[Any]:
    """Asks a question by the number of its type.

    @param rtype: constants.CONFD_REQ_*
    @param query: its argument, any JSON value
    @return: the answer as doc/protocol.rst describes it for the type
    @raise client.NoAnswer: no candidate answered in time
    @raise client.ErrorAnswer: the freshest answer is an error
    @raise errors.ConfdClientError: the question cannot be asked, or the answer
      is too large
    @raise errors.ConfigurationError: a file of the node is unusable
    @raise errors.ProgrammerError: wrong arguments, or the client is closed

    """
    return await self._Ask(arguments.Integer("rtype", rtype, 0),
                           arguments.Json("query", query))

  async def Learn(self) -> None:
    """Asks for the list of candidates, as other calls do now and then.

    @return: nothing; without an answer the list stays as it is
    @raise errors.ConfdClientError: there is no candidate

    """
    self._transport.CheckOpen()
    await self._LearnCandidates(self._driver.Now() + self._timeout)

  async def Survey(self, rtype: int, query: Any = None,
                   only: Optional[Iterable[str]] = None
                   ) -> tuple[list[client.CandidateReply],
                              dict[str, Optional[str]]]:
    """Asks all candidates, and waits for each of them.

    @param rtype: constants.CONFD_REQ_*
    @param query: its argument, any JSON value
    @param only: the candidates to ask, each by the "address" of its replies;
      None for all
    @return: all replies, errors too, the freshest first; and the candidates
      without a well-formed reply, with the reason or None
    @raise errors.ConfdClientError: the question cannot be asked

    """
    return await self._AskAll(arguments.Integer("rtype", rtype, 0),
                              arguments.Json("query", query),
                              arguments.OptionalTexts("only", only))

  async def Status(self) -> client.ClusterStatus:
    """Asks for the state of all candidates, those that the cluster lists and
    those that were given.

    If a candidate is behind, all are asked again a second later: a change takes
    a moment to reach them.

    @return: the state of each candidate, the freshest first, and those without
      an answer last
    @raise errors.ConfdClientError: there is no candidate

    """
    from ganeti.confd.clientlib import clusterstatus
    from ganeti.confd.clientlib import silence
    self._transport.CheckOpen()
    await self._LearnCandidates(self._driver.Now() + self._timeout,
                                with_ping=False)
    (pings, silent) = await self.Survey(constants.CONFD_REQ_PING)
    answering = [i.address for i in pings]
    (serials, _) = await self.Survey(*self.serial_question, only=answering)
    rows = clusterstatus.FromReplies(pings, serials, silent, reader=self.reader,
                                     now=time.time())
    if any(row.behind for row in rows):
      await self._driver.Pause(_SETTLE)
      # Compare with the highest serial from before the pause: a candidate that
      # lacks only changes made during the pause is not behind
      expected = max(row.serial for row in rows if row.serial is not None)
      (serials, _) = await self.Survey(*self.serial_question, only=answering)
      rows = clusterstatus.FromReplies(pings, serials, silent, expected,
                                       self.reader, time.time())
    # Do not ask Ganeti's own daemon, which has neither tables nor statistics:
    # waiting in vain for its replies would take long. Serial 0 in a reply to a
    # ping identifies Ganeti's own daemon.
    ours = [i.address for i in pings if clusterstatus.IsAnswer(i) and i.serial]
    rows = clusterstatus.AddNames(
      rows, {i.address: i.server for i in pings},
      await self._NodesForStatus(ours, [row.address for row in rows
                                        if row.serial is not None]))
    if ours and self.MayAsk(protocol.REQ_STATS):
      are_behind = any(row.behind for row in rows)
      (daemons, masters) = await self._StatsForStatus(ours, are_behind)
      rows = clusterstatus.AddStats(rows, daemons, masters)
    rows = [row._replace(given=self._known.IsGiven(row.address))
            for row in rows]
    rows = clusterstatus.MarkUnlisted(
      rows, [name for (name, why) in silent.items() if why == silence.UNLISTED])
    return clusterstatus.ClusterStatus(
      rows[0].serial if rows else None, rows, serials, silent,
      clusterstatus.Hints(rows, self._known.port, self.reader))

  async def _NodesForStatus(self, ours: list[str], good: list[str]
                            ) -> list[list[Any]]:
    """Asks for the names and roles of nodes.

    @param ours: the candidates with this project's daemon, which knows all
      nodes; Ganeti's own daemon tells the master only
    @param good: the candidates that have a configuration
    @return: rows with C{clusterstatus.NODE_FIELDS}; no rows if the key does not
      permit the question

    """
    from ganeti.confd.clientlib import clusterstatus
    try:
      if ours:
        if self.MayAsk(protocol.REQ_QUERY, {"what": "node"}):
          return (await self.List("node", clusterstatus.NODE_FIELDS)).answer
      elif good and self.MayAsk(constants.CONFD_REQ_CLUSTER_MASTER):
        # Use Survey, although one answer is enough: Survey waits less long for
        # candidates that do not answer this question
        (found, _) = await self.Survey(constants.CONFD_REQ_CLUSTER_MASTER,
                                       _MASTER_FIELDS, only=good)
        return [[i.answer[0], i.answer[2], "M"] for i in found[:1]
                if clusterstatus.IsAnswer(i)]
    except errors.ConfdClientError:
      # The state of the candidates is useful without the names of their nodes,
      # too
      pass
    return []

  async def _StatsForStatus(self, addresses: list[str], are_behind: bool
                            ) -> tuple[list[clusterstats.DaemonStats],
                                       dict[str, str]]:
    """Asks daemons for their statistics, and for the master if in doubt.

    @param are_behind: whether some of the candidates are behind
    @return: the statistics, and the master by address

    """
    from ganeti.confd.clientlib import clusterstats
    from ganeti.confd.clientlib import clusterstatus

    async def _Stats() -> list[clusterstats.DaemonStats]:
      return clusterstats.Gather(*await self.Survey(protocol.REQ_STATS,
                                                    only=addresses)).daemons

    daemons = await _Stats()
    if clusterstatus.FindDivergence(daemons):
      await self._driver.Pause(_SETTLE)
      daemons = await _Stats()
    masters = {}
    if ((are_behind or clusterstatus.FindDivergence(daemons)) and
        self.MayAsk(constants.CONFD_REQ_CLUSTER_MASTER)):
      (answered, _) = await self.Survey(constants.CONFD_REQ_CLUSTER_MASTER,
                                        only=addresses)
      masters = {i.address: i.answer for i in answered
                 if clusterstatus.IsAnswer(i) and isinstance(i.answer, str)}
    return (daemons, masters)

  async def Stats(self) -> client.ClusterStats:
    """Asks all candidates' daemons for their statistics; only this project's
    daemon has them.

    @return: counters and times of each daemon that has them, and the
      candidates without any
    @raise errors.ConfdClientError: there is no candidate

    """
    from ganeti.confd.clientlib import clusterstats
    return clusterstats.Gather(*await self.Survey(protocol.REQ_STATS))

  async def Serial(self) -> client.Reply[int]:
    """Asks for the serial number of the configuration.

    @return: the answer is the number, which is the reply's serial, too
    @raise client.NoAnswer: no candidate answered in time

    """
    return await self._AskSerial()

  async def Ping(self) -> client.Reply[int]:
    """Asks for the version of the configuration.

    @return: the answer is a number, e.g. 3000000
    @raise client.NoAnswer: no candidate answered in time

    """
    return await self._Ask(constants.CONFD_REQ_PING, None)

  async def NodeRole(self, name: str) -> client.Reply[int]:
    """Asks for a node's role.

    @param name: as for all questions about nodes and instances: its UUID, its
      name, or the first part of that up to a dot
    @return: the answer is one of the keys of client.NODE_ROLES
    @raise client.ErrorAnswer: there is no such node
    @raise client.NoAnswer: no candidate answered in time

    """
    return await self._Ask(constants.CONFD_REQ_NODE_ROLE_BYNAME,
                           arguments.Text("name", name))

  async def MasterNode(self) -> client.Reply[str]:
    """Asks for the master node.

    @return: the answer is its name
    @raise client.NoAnswer: no candidate answered in time

    """
    return await self._Ask(constants.CONFD_REQ_CLUSTER_MASTER, None)

  async def MasterInfo(self) -> client.Reply[client.MasterInfo]:
    """Asks for the master's name and addresses.

    @return: the answer is a MasterInfo
    @raise client.NoAnswer: no candidate answered in time

    """
    from ganeti.confd.clientlib import results
    reply = await self._Ask(constants.CONFD_REQ_CLUSTER_MASTER, _MASTER_FIELDS)
    return reply.With(results.MasterInfo(*reply.answer))

  async def NodeIps(self) -> client.Reply[list[str]]:
    """Asks for the primary IPs of all nodes.

    @return: the answer is a list of them, in the order of the nodes' names
    @raise client.NoAnswer: no candidate answered in time

    """
    return await self._Ask(constants.CONFD_REQ_NODE_PIP_LIST, None)

  async def MasterCandidates(self) -> client.Reply[list[str]]:
    """Asks for the primary IPs of the master candidates.

    @return: the answer is a list of them, in the order of the nodes' names
    @raise client.NoAnswer: no candidate answered in time

    """
    return await self._Ask(constants.CONFD_REQ_MC_PIP_LIST, None)

  async def InstanceIps(self, link: Optional[str] = None
                       ) -> client.Reply[list[str]]:
    """Asks for the IPs of all instances on a link.

    @param link: None for the cluster's default link
    @return: the answer is a list of them, in the order of the instances' names
    @raise client.NoAnswer: no candidate answered in time

    """
    return await self._Ask(constants.CONFD_REQ_INSTANCES_IPS_LIST,
                           arguments.OptionalText("link", link))

  async def NodeOfInstanceIp(self, ip: str, link: Optional[str] = None
                             ) -> client.Reply[str]:
    """Asks for the node that an instance's IP is on.

    @param link: None for the cluster's default link
    @return: the answer is the node's primary IP
    @raise client.ErrorAnswer: there is no such IP on this link
    @raise client.NoAnswer: no candidate answered in time

    """
    return await self._Ask(
      constants.CONFD_REQ_NODE_PIP_BY_INSTANCE_IP,
      _IpQuery(constants.CONFD_REQQ_IP, arguments.Text("ip", ip),
               arguments.OptionalText("link", link)))

  async def NodesOfInstanceIps(self, ips: Iterable[str],
                               link: Optional[str] = None
                              ) -> client.Reply[list[client.NodeOfIp]]:
    """Asks for the nodes of any number of IPs.

    @param link: None for the cluster's default link
    @return: the answer is a list of NodeOfIp in the order of the IPs. The list
      is at least as fresh as the reply's serial.
    @raise client.NoAnswer: no candidate answered in time

    """
    from ganeti.confd.clientlib import results
    addresses = arguments.Texts("ips", ips)
    arguments.OptionalText("link", link)
    key = constants.CONFD_REQQ_IPLIST
    answered = []
    for query in session.SplitQuery(constants.CONFD_REQ_NODE_PIP_BY_INSTANCE_IP,
                                   _IpQuery(key, [], link), key, addresses):
      reply = await self._Ask(constants.CONFD_REQ_NODE_PIP_BY_INSTANCE_IP,
                              query)
      answered.append(reply.With(results.NodesOfIps(reply.answer)))
    return session.JoinReplies(answered)

  async def NodeDrbd(self, name: str
                    ) -> client.Reply[list[client.DrbdMinor]]:
    """Asks for a node's DRBD minors.

    @return: the answer is a list of DrbdMinor
    @raise client.ErrorAnswer: there is no such node
    @raise client.NoAnswer: no candidate answered in time

    """
    from ganeti.confd.clientlib import results
    reply = await self._Ask(constants.CONFD_REQ_NODE_DRBD,
                            arguments.Text("name", name))
    return reply.With(results.FromRows(reply.answer, results.DrbdMinor))

  async def NodeInstances(self, name: str
                         ) -> client.Reply[client.NodeInstances]:
    """Asks for a node's instances.

    @return: the answer is a NodeInstances
    @raise client.ErrorAnswer: there is no such node
    @raise client.NoAnswer: no candidate answered in time

    """
    from ganeti.confd.clientlib import results
    reply = await self._Ask(constants.CONFD_REQ_NODE_INSTANCES,
                            arguments.Text("name", name))
    return reply.With(results.NodeInstances(*reply.answer))

  async def InstanceDisks(self, name: str
                         ) -> client.Reply[list[dict[str, Any]]]:
    """Asks for an instance's disks.

    @return: the answer is a list of disks as they are in the configuration
    @raise client.ErrorAnswer: there is no such instance
    @raise client.NoAnswer: no candidate answered in time

    """
    return await self._Ask(constants.CONFD_REQ_INSTANCE_DISKS,
                           arguments.Text("name", name))

  async def Config(self, path: str, optional: bool = False
                   ) -> client.Reply[Any]:
    """Asks for any part of the configuration.

    @param path: a JSON pointer (RFC 6901), e.g. "/cluster/cluster_name"
    @param optional: whether the answer for a place that does not exist is
      None; otherwise that is an error
    @return: the answer is the value at that place
    @raise client.ErrorAnswer: there is nothing at this JSON pointer
    @raise client.NoAnswer: no candidate answered in time

    """
    arguments.Boolean("optional", optional)
    try:
      return await self._Ask(constants.CONFD_REQ_CONFIG_QUERY,
                             arguments.Text("path", path))
    except replies.ErrorAnswer as err:
      if not optional or err.code != constants.CONFD_ERROR_ARGUMENT:
        raise
      return err.reply.With(None)

  async def Collectors(self) -> client.Reply[dict[str, dict[str, Any]]]:
    """Asks which data collectors are active, and how often.

    @return: the answer is a dictionary of collectors by name, each
      {"active": bool, "interval": microseconds}
    @raise client.NoAnswer: no candidate answered in time

    """
    return await self._Ask(constants.CONFD_REQ_DATA_COLLECTORS, None)

  @overload
  async def List(self, what: client.TableName, fields: Iterable[str],
                 filter: Optional[str] = None,
                 names: Optional[Iterable[str]] = None,
                 named: Literal[False] = False
                 ) -> client.Reply[list[list[Any]]]: ...

  @overload
  async def List(self, what: client.TableName, fields: Iterable[str],
                 filter: Optional[str] = None,
                 names: Optional[Iterable[str]] = None, *,
                 named: Literal[True]
                 ) -> client.Reply[list[dict[str, Any]]]: ...

  async def List(self, what: client.TableName, fields: Iterable[str],
                 filter: Optional[str] = None,
                 names: Optional[Iterable[str]] = None,
                 named: bool = False) -> client.Reply[Any]:
    """Asks for a table; only this project's daemon has tables.

    @param what: "instance", "node", "group", "network" or "disk", or the
      plural of it
    @param fields: names as in "gnt-instance list-fields" and its like
    @param filter: which rows to return (ganeti(7), "Query filters")
    @param names: UUIDs, names or short names of objects, in the order of the
      answer; None for all objects, by name
    @param named: whether a row is a dictionary, from field to value
    @return: the answer is a list of rows, each a list of values in the order
      of the fields, or a dictionary; a value that does not exist is None
    @raise client.FilterError: the filter cannot be parsed or applied
    @raise client.ErrorAnswer: there is no such table, field or name
    @raise client.NoAnswer: no candidate answered in time

    """
    from ganeti.confd.clientlib import tables
    wanted = arguments.Texts("fields", fields)
    arguments.Boolean("named", named)
    reply = await tables.Query(self._Ask, self._driver.Call, tables.Kind(what),
                             wanted, tables.Filter(filter),
                             arguments.OptionalTexts("names", names))
    if named:
      return reply.With(tables.Named(reply.answer, wanted))
    return reply

  async def Tables(self, fields: Mapping[str, Iterable[str]]
                   ) -> client.Reply[dict[str, list[dict[str, Any]]]]:
    """Asks for several tables of one configuration.

    If the configuration changes between two tables, all tables are asked for
    again, a few times at most: tables of different serials may contradict each
    other.

    @param fields: the names of the fields by table, each as in List()
    @return: the answer is a dictionary from table to its rows, which are
      dictionaries from field to value; the serial is the lowest of all tables
    @raise client.ErrorAnswer: there is no such table or field
    @raise client.NoAnswer: no candidate answered in time

    """
    # The type of the keys is Any: List takes a TableName, and a caller's keys
    # may have the wider type str
    wanted: dict[Any, list[str]] = arguments.Lists("fields", fields)
    for _ in range(_TRIES):
      answered = {what: await self.List(what, names, named=True)
                  for (what, names) in wanted.items()}
      serials = {reply.serial for reply in answered.values()}
      if len(serials) == 1:
        break
    # pylint: disable=W0631
    *_, last = answered.values()
    return last._replace(serial=min(serials)).With(
      {what: reply.answer for (what, reply) in answered.items()})

  async def Fields(self, what: client.TableName
                  ) -> client.Reply[list[client.Field]]:
    """Asks for the fields of a table.

    @param what: as in List()
    @return: the answer is a list of Field
    @raise client.ErrorAnswer: there is no such table
    @raise client.NoAnswer: no candidate answered in time

    """
    from ganeti.confd.clientlib import tables
    return await tables.Fields(self._Ask, tables.Kind(what))

  async def OfflineNodes(self) -> client.Reply[list[str]]:
    """Asks for the nodes that are offline.

    @return: the answer is a list of their names
    @raise client.NoAnswer: no candidate answered in time

    """
    reply = await self.List("node", ["name"], "offline")
    return reply.With([name for (name, ) in reply.answer])

  async def Instances(self) -> client.Reply[list[str]]:
    """Asks for all instances.

    @return: the answer is a list of their names
    @raise client.NoAnswer: no candidate answered in time

    """
    reply = await self.List("instance", ["name"])
    return reply.With([name for (name, ) in reply.answer])

  async def PrimaryNodes(self) -> client.Reply[dict[str, str]]:
    """Asks for the primary node of each instance.

    @return: the answer is a dictionary from instance name to node name
    @raise client.NoAnswer: no candidate answered in time

    """
    reply = await self.List("instance", ["name", "pnode"])
    return reply.With(dict(reply.answer))

  def Follow(self, what: client.TableName, fields: Iterable[str],
             filter: Optional[str] = None,
             names: Optional[Iterable[str]] = None, named: bool = False,
             on_error: Optional[client.ErrorCallback] = None
             ) -> client.AsyncFollowing:
    """Follows a table: an iterator over its changes.

    The first change comes at once, with all rows. Each later one comes when a
    row is added, removed or changed; other changes of the configuration do not
    count. The iteration ends when the client is closed. While the iterator of
    an AsyncClient waits for the next change, other coroutines may use the
    client. While the iterator of a Client waits, other threads cannot ask: each
    thread needs a client of its own.

    The first step raises the errors of List(). After that, lost candidates are
    no error, and an object that is unknown by now counts as removed.

    @param named: whether a row is a dictionary, from field to value
    @param on_error: None, or a function that is called with the error when
      there are no answers any more, and with None when there are answers again
    @return: an iterator; each item is a Change. Rows are those of List(), keys
      are names (for disks, UUIDs).

    """
    from ganeti.confd.clientlib import follow
    from ganeti.confd.clientlib import tables
    kind = tables.Kind(what)
    arguments.Boolean("named", named)
    table = follow.TableSubject(
      functools.partial(tables.Query, self._Ask, self._driver.Call, kind),
      arguments.Texts("fields", fields), tables.KeyField(kind),
      tables.ParsedFilter(kind, filter),
      arguments.OptionalTexts("names", names), named)
    return self._Follow(table, on_error)

  def FollowQuery(self, rtype: int, query: Any = None,
                  on_error: Optional[client.ErrorCallback] = None
                  ) -> client.AsyncFollowing:
    """Follows the answer to any question, as Follow() follows a table.

    @param rtype: constants.CONFD_REQ_*
    @param query: its argument, any JSON value
    @param on_error: see Follow()
    @return: an iterator; each item is a Change. When the object of
      the question has gone, the answer is None.

    """
    from ganeti.confd.clientlib import changes
    arguments.Integer("rtype", rtype, 0)
    arguments.Json("query", query)
    return self.FollowCall(lambda asker: asker.Query(rtype, query),
                           functools.partial(changes.OfQuestion, rtype, query),
                           on_error)

  def FollowCall(self, call: Callable[[client.AsyncClient],
                                      Awaitable[client.Reply[Any]]],
                 items: Optional[Callable[[Any], dict[Any, Any]]] = None,
                 on_error: Optional[client.ErrorCallback] = None
                 ) -> client.AsyncFollowing:
    """Follows the answer that a function gets, as Follow() follows a table.

    @param call: a function that asks, such as "lambda confd: confd.NodeIps()".
      The function gets an object that has the calls of AsyncClient (also if a
      Client follows the answer), and returns the awaitable of a call.
    @param items: converts the answer to a dictionary, whose keys identify the
      items in the next answer. By default, the keys are those of a dictionary,
      or the UUID or name of each object of a list, or else the item itself.
    @param on_error: see Follow()
    @return: an iterator; each item is a Change

    """
    from ganeti.confd.clientlib import changes
    from ganeti.confd.clientlib import follow
    arguments.Function("call", call)
    arguments.OptionalFunction("items", items)
    take = changes.ByNaturalKeys if items is None else items
    # In a blocking Client, self is not an AsyncClient, but has the same
    # coroutines
    asker = cast("client.AsyncClient", self)

    async def _See() -> follow.Seen:
      reply = await call(asker)
      return follow.Seen(reply, take(reply.answer))
    return self._Follow(_See, on_error)

  def _Follow(self, subject: follow.Subject,
              on_error: Optional[client.ErrorCallback]
              ) -> follow.AsyncFollowing:
    from ganeti.confd.clientlib import follow
    arguments.OptionalFunction("on_error", on_error)
    return follow.AsyncFollowing(
      follow.FollowedClient(
        self._SerialToFollow, lambda: self.serial_question, self._PrepareSoon,
        self._driver, self._known, self._freshness,
        lambda: self._transport.closed, self._coverage),
      subject, on_error)

  async def _SerialToFollow(self) -> replies.Reply[int]:
    """Asks for the serial, by a question that the key has the right for.

    """
    if self.MayAsk(*self.serial_question):
      return await self.Serial()
    # Send a WAIT instead, which is answered at once, since no configuration has
    # the serial -1. Without the right for WAIT, the error names that right.
    return await self._Ask(protocol.REQ_WAIT, {"serial": -1, "seconds": 1})

  async def _PrepareSoon(self) -> None:
    await self._Prepare(self._driver.Now() + self._timeout)

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The questions of the protocol by name, and those that take several.

Each is written once, as a coroutine. C{aio.AsyncClient} has them as they are;
C{sync.Client} has the same ones, each run to its end.

Rule: what only some questions need is imported when one of them is asked, since
scripts ask many small ones.

"""

from __future__ import annotations

import functools
import time
import typing
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Dict, Iterable, \
  Literal, Mapping, Optional, Tuple, Union, overload

from ganeti import constants
from ganeti.confd import protocol
from ganeti.confd.clientlib import arguments
from ganeti.confd.clientlib import dialogue
from ganeti.confd.clientlib import exchange

if TYPE_CHECKING:
  from ganeti.confd.clientlib import filters
  from ganeti.confd.clientlib import follow
  from ganeti.confd.clientlib import records as recordlib
  from ganeti.confd.clientlib import stats as statslib
  from ganeti.confd.clientlib import status as statuslib


# The questions have one called List
_List = typing.List

#: How often to ask for tables that are to be of one serial
_TRIES = 3

def _IpQuery(key: str, value: Any, link: Optional[str]) -> Dict[str, Any]:
  query = {key: value}
  if link is not None:
    query[constants.CONFD_REQQ_LINK] = link
  return query


class Questions(dialogue.Dialogue):
  """The questions of the protocol, by name.

  Whatever is asked may raise, beside what stands with each question:
    - C{errors.ProgrammerError}: an argument has the wrong type, or the client
      is closed; nothing was sent
    - L{exchange.NoAnswer}: nobody answered in time
    - L{exchange.StaleAnswer}, which is a C{NoAnswer}: all answers are older
      than one that was seen before
    - L{exchange.ErrorAnswer}: the freshest answer is an error
    - L{exchange.MalformedAnswer}: all answers have another form than they
      should have
    - C{errors.ConfdClientError}, which these four are, too: the question is too
      large, the answer is too large, there is nobody to ask
    - C{errors.ConfigurationError}: a file of the node is unusable

  """
  # "filter" is the word for it
  # pylint: disable=W0622

  async def Query(self, rtype: int, query: Any = None) -> exchange.Reply[Any]:
    """Asks a question by the number of its type.

    @param rtype: C{constants.CONFD_REQ_*}
    @param query: its argument, any JSON value
    @return: the answer has the form that the protocol gives the type
    @raise exchange.NoAnswer: nobody answered in time
    @raise exchange.ErrorAnswer: the freshest answer is an error
    @raise errors.ConfdClientError: the question cannot be asked, or the answer
      is too large
    @raise errors.ConfigurationError: a file of the node is unusable
    @raise errors.ProgrammerError: wrong arguments, or the client is closed

    """
    return await self._Ask(arguments.Integer("rtype", rtype, 0),
                           arguments.Json("query", query))

  async def Learn(self) -> None:
    """Learns who the candidates are, which other calls do now and then.

    @return: nothing; what cannot be learned stays as it is
    @raise errors.ConfdClientError: there is nobody to ask

    """
    self._post.channel.CheckOpen()
    await self._LearnCandidates(time.monotonic() + self._timeout)

  async def Survey(self, rtype: int, query: Any = None,
                   only: Optional[Iterable[str]] = None
                   ) -> Tuple[_List[exchange.CandidateReply],
                              Dict[str, Optional[str]]]:
    """Asks all candidates, and waits for each of them.

    @param rtype: C{constants.CONFD_REQ_*}
    @param query: its argument, any JSON value
    @param only: to ask no others; as in C{address} of a reply
    @return: all replies, errors too, the freshest first; who was silent, or
      gave a malformed answer, with the reason or None
    @raise errors.ConfdClientError: the question cannot be asked

    """
    return await self._AskAll(arguments.Integer("rtype", rtype, 0),
                              arguments.Json("query", query),
                              arguments.OptionalTexts("only", only))

  async def Status(self) -> statuslib.ClusterStatus:
    """Asks all candidates how they are, those that the cluster lists and those
    that were given.

    One that is behind is asked again a second later: a change takes a moment
    to reach all.

    @return: for each candidate whether it answers, and what; the freshest
      first. Those that do not answer are there, too, and say why.
    @raise errors.ConfdClientError: there is nobody to ask

    """
    from ganeti.confd.clientlib import status
    return await status.Ask(self, self._driver.Pause, self._known.IsGiven)

  async def Stats(self) -> statslib.ClusterStats:
    """Asks all candidates' daemons what they have done, and with what; only
    this project's daemon tells that.

    @return: for each daemon that tells it, counters and times; who does not is
      there, too
    @raise errors.ConfdClientError: there is nobody to ask

    """
    from ganeti.confd.clientlib import stats
    return await stats.Ask(self)

  async def Serial(self) -> exchange.Reply[int]:
    """Asks for the serial number of the configuration.

    @return: the answer is the number, as C{serial} is
    @raise exchange.NoAnswer: nobody answered in time

    """
    reply = await self._Ask(*self.serial_question)
    return reply._replace(answer=reply.serial)

  async def Ping(self) -> exchange.Reply[int]:
    """Asks for the version of the configuration.

    @return: the answer is a number, e.g. 3000000
    @raise exchange.NoAnswer: nobody answered in time

    """
    return await self._Ask(constants.CONFD_REQ_PING, None)

  async def NodeRole(self, name: str) -> exchange.Reply[int]:
    """Asks for a node's role.

    @param name: as for all questions about nodes and instances: its UUID, its
      name, or the first part of that up to a dot
    @return: the answer is one of C{client.NODE_ROLES}
    @raise exchange.ErrorAnswer: there is no such node
    @raise exchange.NoAnswer: nobody answered in time

    """
    return await self._Ask(constants.CONFD_REQ_NODE_ROLE_BYNAME,
                           arguments.Text("name", name))

  async def MasterNode(self) -> exchange.Reply[str]:
    """Asks for the master node.

    @return: the answer is its name
    @raise exchange.NoAnswer: nobody answered in time

    """
    return await self._Ask(constants.CONFD_REQ_CLUSTER_MASTER, None)

  async def MasterInfo(self) -> exchange.Reply[recordlib.MasterInfo]:
    """Asks for all about the master.

    @return: the answer is a L{records.MasterInfo}
    @raise exchange.NoAnswer: nobody answered in time

    """
    from ganeti.confd.clientlib import records
    reply = await self._Ask(constants.CONFD_REQ_CLUSTER_MASTER, {
      constants.CONFD_REQQ_FIELDS: [constants.CONFD_REQFIELD_NAME,
                                    constants.CONFD_REQFIELD_IP,
                                    constants.CONFD_REQFIELD_MNODE_PIP]})
    return reply.With(records.MasterInfo(*reply.answer))

  async def NodeIps(self) -> exchange.Reply[_List[str]]:
    """Asks for the primary IPs of all nodes.

    @return: the answer is a list of them, in the order of the nodes' names
    @raise exchange.NoAnswer: nobody answered in time

    """
    return await self._Ask(constants.CONFD_REQ_NODE_PIP_LIST, None)

  async def MasterCandidates(self) -> exchange.Reply[_List[str]]:
    """Asks for the primary IPs of the master candidates.

    @return: the answer is a list of them, in the order of the nodes' names
    @raise exchange.NoAnswer: nobody answered in time

    """
    return await self._Ask(constants.CONFD_REQ_MC_PIP_LIST, None)

  async def InstanceIps(self, link: Optional[str] = None
                       ) -> exchange.Reply[_List[str]]:
    """Asks for the IPs of all instances on a link.

    @param link: None for the cluster's default link
    @return: the answer is a list of them, in the order of the instances' names
    @raise exchange.NoAnswer: nobody answered in time

    """
    return await self._Ask(constants.CONFD_REQ_INSTANCES_IPS_LIST,
                           arguments.OptionalText("link", link))

  async def NodeOfInstanceIp(self, ip: str, link: Optional[str] = None
                             ) -> exchange.Reply[str]:
    """Asks for the node that an instance's IP is on.

    @param link: None for the cluster's default link
    @return: the answer is the node's primary IP
    @raise exchange.ErrorAnswer: there is no such IP on this link
    @raise exchange.NoAnswer: nobody answered in time

    """
    return await self._Ask(
      constants.CONFD_REQ_NODE_PIP_BY_INSTANCE_IP,
      _IpQuery(constants.CONFD_REQQ_IP, arguments.Text("ip", ip),
               arguments.OptionalText("link", link)))

  async def NodesOfInstanceIps(self, ips: Iterable[str],
                               link: Optional[str] = None
                              ) -> exchange.Reply[_List[recordlib.NodeOfIp]]:
    """Asks for the nodes of many IPs, any number of them.

    @param link: None for the cluster's default link
    @return: the answer is a list of L{records.NodeOfIp} in the order of the
      IPs. It is at least as fresh as the reply's serial.
    @raise exchange.NoAnswer: nobody answered in time

    """
    from ganeti.confd.clientlib import records
    addresses = arguments.Texts("ips", ips)
    arguments.OptionalText("link", link)
    key = constants.CONFD_REQQ_IPLIST
    replies = []
    for query in dialogue.Portions(constants.CONFD_REQ_NODE_PIP_BY_INSTANCE_IP,
                                   _IpQuery(key, [], link), key, addresses):
      reply = await self._Ask(constants.CONFD_REQ_NODE_PIP_BY_INSTANCE_IP,
                              query)
      replies.append(reply.With(records.NodesOfIps(reply.answer)))
    return dialogue.Joined(replies)

  async def NodeDrbd(self, name: str
                    ) -> exchange.Reply[_List[recordlib.DrbdMinor]]:
    """Asks for a node's DRBD minors.

    @return: the answer is a list of L{records.DrbdMinor}
    @raise exchange.ErrorAnswer: there is no such node
    @raise exchange.NoAnswer: nobody answered in time

    """
    from ganeti.confd.clientlib import records
    reply = await self._Ask(constants.CONFD_REQ_NODE_DRBD,
                            arguments.Text("name", name))
    return reply.With(records.Table(reply.answer, records.DrbdMinor))

  async def NodeInstances(self, name: str
                         ) -> exchange.Reply[recordlib.NodeInstances]:
    """Asks for a node's instances.

    @return: the answer is L{records.NodeInstances}
    @raise exchange.ErrorAnswer: there is no such node
    @raise exchange.NoAnswer: nobody answered in time

    """
    from ganeti.confd.clientlib import records
    reply = await self._Ask(constants.CONFD_REQ_NODE_INSTANCES,
                            arguments.Text("name", name))
    return reply.With(records.NodeInstances(*reply.answer))

  async def InstanceDisks(self, name: str
                         ) -> exchange.Reply[_List[Dict[str, Any]]]:
    """Asks for an instance's disks.

    @return: the answer is a list of disks as the configuration has them
    @raise exchange.ErrorAnswer: there is no such instance
    @raise exchange.NoAnswer: nobody answered in time

    """
    return await self._Ask(constants.CONFD_REQ_INSTANCE_DISKS,
                           arguments.Text("name", name))

  async def Config(self, path: str, optional: bool = False
                   ) -> exchange.Reply[Any]:
    """Asks for any part of the configuration.

    @param path: a JSON pointer (RFC 6901), e.g. "/cluster/cluster_name"
    @param optional: whether the answer is None where there is no such place;
      else that is an error
    @return: the answer is what stands there
    @raise exchange.ErrorAnswer: there is no such place
    @raise exchange.NoAnswer: nobody answered in time

    """
    arguments.Boolean("optional", optional)
    try:
      return await self._Ask(constants.CONFD_REQ_CONFIG_QUERY,
                             arguments.Text("path", path))
    except exchange.ErrorAnswer as err:
      if not optional or err.code != constants.CONFD_ERROR_ARGUMENT:
        raise
      return err.reply.With(None)

  async def Collectors(self) -> exchange.Reply[Dict[str, Dict[str, Any]]]:
    """Asks which data collectors are active, and how often.

    @return: the answer is a dictionary of collectors by name, each
      {"active": bool, "interval": microseconds}
    @raise exchange.NoAnswer: nobody answered in time

    """
    return await self._Ask(constants.CONFD_REQ_DATA_COLLECTORS, None)

  @overload
  async def List(self, what: str, fields: Iterable[str],
                 filter: Union[str, filters.Filter, None] = None,
                 names: Optional[Iterable[str]] = None,
                 named: Literal[False] = False
                 ) -> exchange.Reply[_List[_List[Any]]]: ...

  @overload
  async def List(self, what: str, fields: Iterable[str],
                 filter: Union[str, filters.Filter, None] = None,
                 names: Optional[Iterable[str]] = None, *,
                 named: Literal[True]
                 ) -> exchange.Reply[_List[Dict[str, Any]]]: ...

  async def List(self, what: str, fields: Iterable[str],
                 filter: Union[str, filters.Filter, None] = None,
                 names: Optional[Iterable[str]] = None,
                 named: bool = False) -> exchange.Reply[Any]:
    """Asks for a table; only this project's daemon has them.

    @param what: "instance", "node", "group", "network" or "disk", or the
      plural of it
    @param fields: names as in C{gnt-instance list-fields} and its like
    @param filter: which rows to return (ganeti(7), "Query filters")
    @param names: of which objects, in this order: UUIDs, names or short
      names; None for all of them, by name
    @param named: whether a row is a dictionary, from field to value
    @return: the answer is a list of rows, each a list of values in the order
      of the fields, or a dictionary; a value is None where there is none
    @raise client.FilterError: the filter cannot be parsed or applied
    @raise exchange.ErrorAnswer: there is no such table, field or name
    @raise exchange.NoAnswer: nobody answered in time

    """
    from ganeti.confd.clientlib import tables
    wanted = arguments.Texts("fields", fields)
    arguments.Boolean("named", named)
    reply = await tables.Ask(self._Ask, self._driver.Call, tables.Kind(what),
                             wanted, tables.Filter(filter),
                             arguments.OptionalTexts("names", names))
    if named:
      return reply.With(tables.Named(reply.answer, wanted))
    return reply

  async def Tables(self, fields: Mapping[str, Iterable[str]]
                   ) -> exchange.Reply[Dict[str, _List[Dict[str, Any]]]]:
    """Asks for several tables, of one moment.

    While the configuration changes, they may be of several, and seem to
    contradict each other: then they are asked for again, if not without end.

    @param fields: the names of the fields by table, each as in L{List}
    @return: the answer is a dictionary from table to its rows, which are
      dictionaries from field to value; the serial is the lowest of all tables
    @raise exchange.ErrorAnswer: there is no such table or field
    @raise exchange.NoAnswer: nobody answered in time

    """
    wanted = arguments.Lists("fields", fields)
    for _ in range(_TRIES):
      replies = {what: await self.List(what, names, named=True)
                 for (what, names) in wanted.items()}
      serials = {reply.serial for reply in replies.values()}
      if len(serials) == 1:
        break
    # pylint: disable=W0631
    *_, last = replies.values()
    return last._replace(serial=min(serials)).With(
      {what: reply.answer for (what, reply) in replies.items()})

  async def Fields(self, what: str) -> exchange.Reply[_List[recordlib.Field]]:
    """Asks which fields a table has.

    @param what: as in L{List}
    @return: the answer is a list of L{records.Field}
    @raise exchange.ErrorAnswer: there is no such table
    @raise exchange.NoAnswer: nobody answered in time

    """
    from ganeti.confd.clientlib import tables
    return await tables.Fields(self._Ask, tables.Kind(what))

  async def OfflineNodes(self) -> exchange.Reply[_List[str]]:
    """Asks for the nodes that are offline.

    @return: the answer is a list of their names
    @raise exchange.NoAnswer: nobody answered in time

    """
    reply = await self.List("node", ["name"], "offline")
    return reply.With([name for (name, ) in reply.answer])

  async def Instances(self) -> exchange.Reply[_List[str]]:
    """Asks for all instances.

    @return: the answer is a list of their names
    @raise exchange.NoAnswer: nobody answered in time

    """
    reply = await self.List("instance", ["name"])
    return reply.With([name for (name, ) in reply.answer])

  async def PrimaryNodes(self) -> exchange.Reply[Dict[str, str]]:
    """Asks for the primary node of each instance.

    @return: the answer is a dictionary from instance name to node name
    @raise exchange.NoAnswer: nobody answered in time

    """
    reply = await self.List("instance", ["name", "pnode"])
    return reply.With(dict(reply.answer))

  def Follow(self, what: str, fields: Iterable[str],
             filter: Union[str, filters.Filter, None] = None,
             names: Optional[Iterable[str]] = None, named: bool = False,
             trouble: Optional[follow.Trouble] = None
             ) -> follow.AsyncFollowing:
    """Follows a table: an iterator over its changes.

    The first one comes at once, and has all rows; then one each time that a row
    comes, goes or changes. What else changes in the configuration is none. It
    ends when the client is closed. Others may ask while it is waited for the
    next change, but in threads: there each needs a client of its own.

    At the start it raises what L{List} raises. From then on nobody's loss is an
    error, and an object that is unknown by now is gone.

    @param named: whether a row is a dictionary, from field to value
    @param trouble: None, or a function that is called with the error when there
      are no answers any more, and with None when there are again
    @return: an iterator; each item is a L{changes.Change}. Rows are as L{List}
      has them, keys are names (of disks, UUIDs).

    """
    from ganeti.confd.clientlib import follow
    from ganeti.confd.clientlib import tables
    kind = tables.Kind(what)
    arguments.Boolean("named", named)
    table = follow.Table(
      functools.partial(tables.Ask, self._Ask, self._driver.Call, kind),
      arguments.Texts("fields", fields), tables.KeyField(kind),
      tables.ParsedFilter(kind, filter),
      arguments.OptionalTexts("names", names), named)
    return self._Follow(table, trouble)

  def FollowQuery(self, rtype: int, query: Any = None,
                  trouble: Optional[follow.Trouble] = None
                  ) -> follow.AsyncFollowing:
    """Follows the answer to any question, as L{Follow} follows a table.

    @param rtype: C{constants.CONFD_REQ_*}
    @param query: its argument, any JSON value
    @param trouble: see L{Follow}
    @return: an iterator; each item is a L{changes.Change}. Where the question
      is about something that is unknown by now, the answer is None.

    """
    from ganeti.confd.clientlib import changes
    arguments.Integer("rtype", rtype, 0)
    arguments.Json("query", query)
    return self.FollowCall(lambda asker: asker.Query(rtype, query),
                           functools.partial(changes.OfQuestion, rtype, query),
                           trouble)

  def FollowCall(self, call: Callable[[Questions],
                                      Awaitable[exchange.Reply[Any]]],
                 items: Optional[Callable[[Any], Dict[Any, Any]]] = None,
                 trouble: Optional[follow.Trouble] = None
                 ) -> follow.AsyncFollowing:
    """Follows what a function asks, as L{Follow} follows a table.

    @param call: is called with an C{AsyncClient} or its like, to be awaited:
      C{lambda confd: confd.NodesOfInstanceIps(ips)}
    @param items: makes a dictionary of the answer, by whose keys items are
      found again in the next one; None for what L{changes} makes of any
    @param trouble: see L{Follow}
    @return: an iterator; each item is a L{changes.Change}

    """
    from ganeti.confd.clientlib import changes
    from ganeti.confd.clientlib import follow
    arguments.Function("call", call)
    arguments.OptionalFunction("items", items)
    take = changes.ByNaturalKeys if items is None else items

    async def _See() -> follow.Seen:
      reply = await call(self)
      return follow.Seen(reply, take(reply.answer))
    return self._Follow(_See, trouble)

  def _Follow(self, subject: follow.Subject,
              trouble: Optional[follow.Trouble]) -> follow.AsyncFollowing:
    from ganeti.confd.clientlib import follow
    arguments.OptionalFunction("trouble", trouble)
    channel = self._post.channel
    return follow.AsyncFollowing(
      follow.Asker(self._SerialToFollow, lambda: self.serial_question,
                   self._PrepareSoon, self._driver, self._known,
                   self._freshness, lambda: channel.closed, self._coverage),
      subject, trouble)

  async def _SerialToFollow(self) -> exchange.Reply[int]:
    """Asks for the serial, as far as the key allows.

    """
    if self.MayAsk(*self.serial_question):
      return await self.Serial()
    # Any serial is another one, so it is answered at once. Who may not ask that
    # either is told so: it is the right that following takes.
    return await self._Ask(protocol.REQ_WAIT, {"serial": -1, "seconds": 1})

  async def _PrepareSoon(self) -> None:
    await self._Prepare(time.monotonic() + self._timeout)

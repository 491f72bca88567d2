#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The questions of the protocol by name, and how one comes to its answer.

What a question takes (reading files and resolving names, one exchange or
several, pauses) is written once, as generators that yield one step after the
other: an L{exchange.Exchange} or L{fetch.Fetch} to run, a callable that may
block to call, or a number of seconds to let pass. C{sync} takes the steps for
synchronous callers and C{aio} for asyncio.

Facts about serials: this project's daemon puts the configuration's serial into
each reply. The packaged daemon puts those of single objects there, and 0 into
the reply to a ping, by which it is known; whether a reply of it is old cannot
be told.

Rule 1: a serial that goes back is ignored, unless all candidates that answer
say so for L{RESTORED_AFTER} seconds (a configuration was restored).

Rule 2: from the second question on, the candidates are learned from their own
lists, again when the serial has moved. Learned ones come first; those that
were given stay, since the learned addresses may be out of reach from here.

"""

import collections
import ipaddress
import random
import time

from ganeti import constants
from ganeti import errors
from ganeti.confd import localnode
from ganeti.confd import protocol
from ganeti.confd import wire
from ganeti.confd.clientlib import exchange
from ganeti.confd.clientlib import fetch
from ganeti.confd.clientlib import filters
from ganeti.confd.clientlib import peers as peerslib
from ganeti.confd.config import columns as columnlib


#: Seconds after which all candidates' word is taken for a lower serial
RESTORED_AFTER = 10.0

#: Seconds until the candidates are learned again, at least and at most
_LEARN_MIN = 1.0
_LEARN_MAX = 30.0

#: How much of the time for an answer each question of it may take on top
_LEARN_SHARE = 0.25

#: Seconds that silent candidates get where each one's answer matters
_SURVEY_PATIENCE = 3.0

#: Seconds between asking candidates that are stale again, growing to a limit
_STALE_PAUSE_FIRST = 0.1
_STALE_PAUSE_MAX = 1.0

#: How many candidates an answer in parts is fetched from until one of them
#: does not fall silent meanwhile
_MAX_SOURCES = 5

_TOO_LARGE = (constants.CONFD_REPL_STATUS_ERROR, protocol.ERROR_TOO_LARGE)

#: How many salts of past questions are kept: a late reply shows that its
#: candidate lives
_MAX_SALTS = 1024


class Questions:
  """The questions of the protocol, by name.

  Each returns what C{_Perform} makes of the steps: a L{exchange.Reply} for
  synchronous callers, an awaitable of one for asyncio. What each raises is in
  L{Dialogue.Query}.

  """
  def _Perform(self, steps):
    """Takes the steps of a question.

    @type steps: generator

    """
    raise NotImplementedError

  def Query(self, rtype, query=None):
    raise NotImplementedError

  def Serial(self):
    """Asks for the serial number of the configuration.

    """
    return self.Query(*exchange.SERIAL_QUESTION)

  def Ping(self):
    """Asks for the version of the configuration, e.g. 3000000.

    """
    return self.Query(constants.CONFD_REQ_PING)

  def NodeRole(self, name):
    """Asks for a node's role, C{constants.CONFD_NODE_ROLE_*}.

    """
    return self.Query(constants.CONFD_REQ_NODE_ROLE_BYNAME, name)

  def MasterNode(self):
    """Asks for the name of the master node.

    """
    return self.Query(constants.CONFD_REQ_CLUSTER_MASTER)

  def MasterInfo(self):
    """Asks for the master: [node name, master IP, the node's primary IP].

    """
    return self.Query(constants.CONFD_REQ_CLUSTER_MASTER, {
      constants.CONFD_REQQ_FIELDS: [constants.CONFD_REQFIELD_NAME,
                                    constants.CONFD_REQFIELD_IP,
                                    constants.CONFD_REQFIELD_MNODE_PIP]})

  def NodeIps(self):
    """Asks for the primary IPs of all nodes.

    """
    return self.Query(constants.CONFD_REQ_NODE_PIP_LIST)

  def MasterCandidates(self):
    """Asks for the primary IPs of the master candidates.

    """
    return self.Query(constants.CONFD_REQ_MC_PIP_LIST)

  def InstanceIps(self, link=None):
    """Asks for the IPs of all instances on a link.

    @param link: None for the cluster's default link

    """
    return self.Query(constants.CONFD_REQ_INSTANCES_IPS_LIST, link)

  def NodeOfInstanceIp(self, ip, link=None):
    """Asks for the primary IP of the node that an instance's IP is on.

    @param link: None for the cluster's default link

    """
    return self.Query(constants.CONFD_REQ_NODE_PIP_BY_INSTANCE_IP,
                      _IpQuery(constants.CONFD_REQQ_IP, ip, link))

  def NodesOfInstanceIps(self, ips, link=None):
    """Asks the same of many IPs; any number of them.

    The answer is a list of [status, answer] in the order of the IPs; it is at
    least as fresh as the reply's serial.

    @type ips: list of strings
    @param link: None for the cluster's default link

    """
    return self._Perform(self._AskIps(list(ips), link))

  def _AskIps(self, ips, link):
    raise NotImplementedError

  def NodeDrbd(self, name):
    """Asks for a node's DRBD minors.

    The rows are those of L{ganeti.confd.HTNodeDrbd}.

    """
    return self.Query(constants.CONFD_REQ_NODE_DRBD, name)

  def NodeInstances(self, name):
    """Asks for a node's instances: [primary ones, secondary ones].

    """
    return self.Query(constants.CONFD_REQ_NODE_INSTANCES, name)

  def InstanceDisks(self, name):
    """Asks for an instance's disks.

    """
    return self.Query(constants.CONFD_REQ_INSTANCE_DISKS, name)

  def Config(self, path):
    """Asks for any part of the configuration.

    @param path: a JSON pointer (RFC 6901), e.g. "/cluster/cluster_name"

    """
    return self.Query(constants.CONFD_REQ_CONFIG_QUERY, path)

  def Collectors(self):
    """Asks which data collectors are active, and how often.

    """
    return self.Query(constants.CONFD_REQ_DATA_COLLECTORS)

  def List(self, what, fields, filter=None, names=None):
    """Asks for a table; only this project's daemon has them.

    The answer is a list of rows, each a list of values in the order of the
    fields, None where there is none.

    @type what: string
    @param what: one of L{columns.KINDS}
    @type fields: list of strings
    @param fields: names as in C{gnt-instance list-fields} and its like
    @type filter: string, L{filters.Filter}, or None
    @param filter: which rows to return (ganeti(7), "Query filters")
    @type names: list of strings or None
    @param names: of which objects, in this order: UUIDs, names or short
      names; None for all of them, by name
    @raise filters.FilterError: the filter cannot be parsed or applied

    """
    # pylint: disable=W0622
    return self._Perform(self._AskList(what, list(fields), filter, names))

  def _AskList(self, what, fields, condition, names):
    raise NotImplementedError

  def Fields(self, what):
    """Asks which fields a table has: rows of [name, title, type, text].

    """
    return self._Perform(self._AskFields(what))

  def _AskFields(self, what):
    raise NotImplementedError

  def OfflineNodes(self):
    """Asks for the names of the nodes that are offline.

    """
    return self._Perform(self._AskColumn("node", "offline"))

  def Instances(self):
    """Asks for the names of all instances.

    """
    return self._Perform(self._AskColumn("instance", None))

  def _AskColumn(self, what, condition):
    raise NotImplementedError

  def PrimaryNodes(self):
    """Asks for the primary nodes: a dict from instance name to node name.

    """
    return self._Perform(self._AskPrimaryNodes())

  def _AskPrimaryNodes(self):
    raise NotImplementedError


def _IpQuery(key, value, link):
  query = {key: value}
  if link is not None:
    query[constants.CONFD_REQQ_LINK] = link
  return query


def _MaxRequest(rtype):
  """Returns the size of the largest request that a daemon takes.

  One that knows this project's own requests takes larger ones, too.

  """
  if rtype == protocol.REQ_QUERY:
    return constants.MAX_UDP_DATA_SIZE
  return protocol.MAX_PORTABLE_REQUEST


def _Joined(reply, answers):
  """Makes one reply of the answers to parts of a question.

  @param reply: the last one
  @param answers: list of (serial, list)

  """
  return reply._replace(serial=min(serial for (serial, _) in answers),
                        answer=[row for (_, rows) in answers for row in rows])


class Dialogue(Questions):
  """A client: whom it asks, with which key, and what it knows by now.

  @ivar progress: None, or a function that is called now and then while an
    answer comes in parts, with how many have come and of how many (None while
    that is not known)

  """
  def __init__(self, peers=None, key=None, key_file=None, port=None,
               timeout=constants.CONFD_CLIENT_EXPIRE_TIMEOUT, coverage=0):
    """Initializes this class.

    @type peers: list of strings or None
    @param peers: names or addresses of the master candidates, with or without
      a port; None for those that this node knows
    @type key: bytes, string or None
    @param key: the cluster's HMAC key
    @type key_file: string or None
    @param key_file: where the key is if it is not given; None for where a node
      has it
    @type port: int or None
    @param port: where C{peers} do not say; None for the default
    @type timeout: float
    @param timeout: how long to wait for an answer, in seconds
    @type coverage: int
    @param coverage: how many candidates to ask; 0 for
      C{constants.CONFD_DEFAULT_REQ_COVERAGE} or all if they are fewer, -1 for
      all
    @raise errors.ConfigurationError: there is no usable key

    """
    if peers is not None and not isinstance(peers, (list, tuple)):
      raise errors.ProgrammerError("peers must be a list, not %r" % (peers, ))
    if coverage < -1:
      raise errors.ProgrammerError("Not a coverage: %r" % (coverage, ))
    self.progress = None
    self._given = peers
    self._port = localnode.DefaultPort() if port is None else port
    self._timeout = timeout
    self._coverage = coverage
    self._key_file = None
    if key is None:
      self._key_file = key_file or localnode.HmacKeyFile()
      self._key = localnode.ReadKey(self._key_file)
    else:
      self._key = key.encode("utf-8") if isinstance(key, str) else key
      localnode.CheckKey(self._key, "the argument")
    self._configured = []
    self._learned = []
    self._refresh = True
    self._learned_at = None
    self._learned_serial = None
    self._serial = None
    self._floor = None
    self._low_since = None
    self._salts = collections.OrderedDict()
    self._running = []

  def Query(self, rtype, query=None):
    """Asks a question.

    @type rtype: int
    @param rtype: C{constants.CONFD_REQ_*}
    @param query: its argument
    @rtype: L{exchange.Reply}
    @raise exchange.NoAnswer: nobody answered in time
    @raise exchange.ErrorAnswer: the freshest answer is an error
    @raise errors.ConfdClientError: the question cannot be asked
    @raise errors.ConfigurationError: a file of the node is unusable

    """
    return self._Perform(self._Ask(rtype, query))

  def Learn(self):
    """Learns who the candidates are, which other calls do now and then.

    """
    return self._Perform(self._Learn())

  def Survey(self, rtype, query=None, only=None):
    """Asks all candidates, and waits for each of them.

    @type only: list of strings or None
    @param only: to ask no others; as in C{address} of a reply
    @rtype: tuple of (list of L{exchange.CandidateReply}, dict)
    @return: all replies, errors too, the freshest first; who was silent, with
      the reason or None

    """
    return self._Perform(self._Survey(rtype, query, only))

  def _Ask(self, rtype, query):
    """The steps to one answer, however long.

    """
    self._CheckSize(rtype, query)
    yield from self._Prepare()
    for tries in range(1, _MAX_SOURCES + 1):
      current = yield from self._AskFresh(rtype, query)
      now = time.monotonic()
      try:
        return current.Result(now)
      except exchange.NoAnswer:
        self._refresh = True
        raise
      except exchange.ErrorAnswer as err:
        if (err.status, err.code) != _TOO_LARGE:
          raise
        reply = err.reply
      source = current.Source()
      parts = fetch.Fetch(rtype, query, source, reply.serial, now,
                          self._timeout)
      yield parts
      yield parts.Unpack
      try:
        return parts.Result(reply)
      except exchange.NoAnswer:
        # It fell silent in the middle; whoever is left begins again
        (candidate, _) = source
        candidate.silent = True
        if tries == _MAX_SOURCES or all(i.silent for i in self._Everyone()):
          self._refresh = True
          raise

  def _AskFresh(self, rtype, query):
    """The steps to answers of which one is not stale, if there is time.

    @return: the exchange

    """
    deadline = time.monotonic() + self._timeout
    pause = _STALE_PAUSE_FIRST
    while True:
      (asked, reserve) = self._Pick()
      current = exchange.Exchange(rtype, query, asked, reserve,
                                  time.monotonic(), deadline, self._floor)
      yield current
      now = time.monotonic()
      if (self._Judge(current, now) or not current.AllStale() or
          now + pause >= deadline):
        return current
      yield pause
      pause = min(pause * 2, _STALE_PAUSE_MAX)

  def _AskIps(self, ips, link):
    """The steps to the nodes of any number of IPs.

    """
    answers = []
    reply = None
    key = constants.CONFD_REQQ_IPLIST
    for query in self._Portions(constants.CONFD_REQ_NODE_PIP_BY_INSTANCE_IP,
                                _IpQuery(key, [], link), key, ips):
      portion = query[key]
      reply = yield from self._Ask(constants.CONFD_REQ_NODE_PIP_BY_INSTANCE_IP,
                                   query)
      try:
        # The packaged daemon adds a third item, a serial
        rows = [[row[0], row[1]] for row in reply.answer]
      except (IndexError, KeyError, TypeError):
        rows = []
      if len(rows) != len(portion):
        raise errors.ConfdClientError("%s answered %d IPs with something else"
                                      " than %d pairs" %
                                      (reply.candidates[0].address,
                                       len(portion), len(portion)))
      answers.append((reply.serial, rows))
    return _Joined(reply, answers)

  def _AskList(self, what, fields, condition, names):
    """The steps to a table.

    """
    wanted = len(fields)
    if condition is not None:
      if isinstance(condition, str):
        condition = filters.Parse(condition,
                                  columnlib.HOSTNAMES.get(what, frozenset()))
      if names is None and what != columnlib.DISK:
        # Several disks may have a name
        names = condition.Names()
        if names is not None:
          condition = None
    if condition is not None:
      fields = fields + [i for i in condition.fields if i not in fields]
    query = {"what": what, "fields": fields}
    answers = []
    for portion in self._Portions(protocol.REQ_QUERY, query, "names", names):
      reply = yield from self._Ask(protocol.REQ_QUERY, portion)
      answers.append((reply.serial, self._Rows(reply, "rows", len(fields))))
    reply = _Joined(reply, answers)
    if condition is not None:
      # It may take long, and asyncio has others to serve
      selected = []
      yield lambda: selected.extend(
        row[:wanted] for row in condition.Select(fields, reply.answer))
      reply = reply._replace(answer=selected)
    return reply

  def _AskFields(self, what):
    """The steps to the list of a table's fields.

    """
    reply = yield from self._Ask(protocol.REQ_QUERY, {"what": what})
    return reply._replace(answer=self._Rows(reply, "fields", 4))

  def _AskColumn(self, what, condition):
    """The steps to the names of a table's objects.

    """
    reply = yield from self._AskList(what, ["name"], condition, None)
    return reply._replace(answer=[name for (name, ) in reply.answer])

  def _AskPrimaryNodes(self):
    """The steps to the primary node of each instance.

    """
    reply = yield from self._AskList("instance", ["name", "pnode"], None, None)
    return reply._replace(answer=dict(reply.answer))

  @staticmethod
  def _Rows(reply, key, width):
    """Takes the rows out of an answer.

    """
    rows = reply.answer.get(key) if isinstance(reply.answer, dict) else None
    if not (isinstance(rows, list) and
            all(isinstance(row, list) and len(row) == width for row in rows)):
      raise errors.ConfdClientError("%s answered with something else than a"
                                    " table" % reply.candidates[0].address)
    return rows

  def _Portions(self, rtype, query, key, items):
    """Cuts a list of arguments into such that each fits a request.

    @type items: list or None
    @param items: to go under C{key} into the query; None for not at all
    @return: list of queries

    """
    if items is None:
      return [query]
    whole = dict(query, **{key: items})
    if len(items) < 2 or self._Size(rtype, whole) <= _MaxRequest(rtype):
      return [whole]
    middle = len(items) // 2
    return (self._Portions(rtype, query, key, items[:middle]) +
            self._Portions(rtype, query, key, items[middle:]))

  def _Survey(self, rtype, query, only):
    """The steps to all candidates' replies.

    """
    yield from self._Prepare()
    now = time.monotonic()
    asked = [i for i in self._Everyone() if only is None or i.name in only]
    current = exchange.Exchange(rtype, query, asked, [], now,
                                now + self._timeout, everybody=True,
                                patience=_SURVEY_PATIENCE)
    yield current
    return (current.AllReplies(), current.Silent())

  def _Prepare(self):
    """The steps before a question.

    """
    if self._refresh:
      yield self._Refresh
    if self._LearnDue():
      yield from self._Learn()

  def _Size(self, rtype, query):
    return len(wire.PackRequest(b"", time.time(), rtype, query, "-" * 36))

  def _CheckSize(self, rtype, query):
    size = self._Size(rtype, query)
    if size > _MaxRequest(rtype):
      raise errors.ConfdClientError("The request %s has %d bytes, more than %d"
                                    % (exchange.DescribeRequest(rtype, query),
                                       size, _MaxRequest(rtype)))

  def _Refresh(self):
    """Reads what may have changed: files on a node, and names' addresses.

    Does nothing if somebody else has done it meanwhile.

    """
    if not self._refresh:
      return
    peers = self._given
    if peers is None:
      peers = localnode.MasterCandidates()
    if not peers:
      raise errors.ConfdClientError("Nobody to ask: the list is empty")
    self._configured = self._Reuse(peerslib.ResolveAll(peers, self._port))
    if self._key_file is not None:
      try:
        self._key = localnode.ReadKey(self._key_file)
      except errors.ConfigurationError:
        # It is being replaced at this moment; the old one may still do
        pass
    self._refresh = False

  def _Reuse(self, candidates):
    """Keeps what is known of candidates that are still the same.

    """
    known = dict((tuple(i.addresses), i)
                 for i in self._learned + self._configured if i.addresses)
    return [known.get(tuple(i.addresses), i) for i in candidates]

  def _Everyone(self):
    """Returns all candidates there are, those to prefer first.

    """
    result = list(self._learned)
    known = set(address for i in result for address in i.addresses)
    result.extend(i for i in self._configured
                  if not i.addresses or known.isdisjoint(i.addresses))
    random.shuffle(result)
    result.sort(key=lambda i: (i.silent, i not in self._learned))
    return result

  def _Pick(self):
    """Chooses whom to ask.

    @rtype: tuple of (list, list)
    @return: those to ask, and the others

    """
    everyone = self._Everyone()
    count = exchange.CountToAsk(self._coverage, len(everyone), "candidates")
    return (everyone[:count], everyone[count:])

  def _Judge(self, current, now):
    """Weighs the outcome of an exchange against what is known.

    @rtype: bool
    @return: whether its result may be used

    """
    if current.AllStale():
      if self._low_since is None:
        self._low_since = now
      if now - self._low_since < RESTORED_AFTER:
        return False
      self._floor = current.floor = None
      self._low_since = None
    best = current.Best()
    if best is None:
      return False
    (serial, counts) = best
    if counts or self._serial is None:
      self._serial = serial
    if counts:
      self._floor = max(serial, self._floor or 0)
      self._low_since = None
    return True

  def _LearnDue(self):
    """Tells whether it is time to learn the candidates.

    """
    if self._serial is None:
      return False
    if self._learned_at is None:
      return True
    age = time.monotonic() - self._learned_at
    return (age >= _LEARN_MAX or
            (age >= _LEARN_MIN and self._serial != self._learned_serial))

  def _Learn(self):
    """The steps to learn who the candidates are.

    """
    self._learned_at = time.monotonic()
    self._learned_serial = self._serial
    self._refresh = True
    yield self._Refresh
    listing = yield from self._AskEveryone(constants.CONFD_REQ_MC_PIP_LIST)
    self._TakeList(listing)
    if listing.AllReplies():
      yield from self._AskEveryone(constants.CONFD_REQ_PING)

  def _AskEveryone(self, rtype):
    """The steps to as many answers as come quickly.

    """
    now = time.monotonic()
    seconds = min(exchange.PATIENCE, self._timeout * _LEARN_SHARE)
    current = exchange.Exchange(rtype, None, self._Everyone(), [], now,
                                now + seconds, self._floor)
    yield current
    self._Judge(current, time.monotonic())
    return current

  def _TakeList(self, current):
    """Takes over a list of master candidates.

    """
    try:
      answer = current.Result(time.monotonic()).answer
      ips = [str(ipaddress.ip_address(ip)) for ip in answer]
    except (errors.ConfdClientError, TypeError, ValueError):
      return
    learned = peerslib.ResolveAll(ips, self._port)
    for candidate in learned:
      # Nobody waits for it before it has answered for the first time
      candidate.silent = True
    self._learned = self._Reuse(learned)

  # What follows is for those that take the steps

  def _Outgoing(self, current):
    """Returns what an exchange wants to send now.

    """
    if self.progress is not None and isinstance(current, fetch.Fetch):
      self.progress(*current.Progress())
    datagrams = current.Outgoing(self._key, time.monotonic(), time.time())
    for (salt, asked) in current.Salts().items():
      self._salts[salt] = (current, asked)
    while len(self._salts) > _MAX_SALTS:
      self._salts.popitem(last=False)
    return datagrams

  def _Incoming(self, received, undelivered):
    """Hands in what came from a socket.

    @rtype: set
    @return: the exchanges that something has come for

    """
    concerned = set()
    for (datagram, address) in received:
      try:
        reply = wire.ParseReply(datagram, self._key)
      except wire.Rejected:
        for current in self._running:
          current.forged += 1
        continue
      (current, asked) = self._salts.get(reply.salt, (None, None))
      if current is not None:
        current.Receive(asked, reply, address[0], time.monotonic())
        concerned.add(current)
    for (family, address, reason) in undelivered:
      self._Undelivered(family, address, reason)
      concerned.update(self._running)
    return concerned

  def _Undelivered(self, family, address, reason):
    for current in self._running:
      current.Undelivered(family, address, reason)

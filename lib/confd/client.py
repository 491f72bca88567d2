#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The client library: the module for programs to import.

There are two interfaces. Client and AsyncClient (for asyncio) ask the master
candidates, retransmit lost datagrams, and return the freshest answer or an
error::

  from ganeti.confd import client

  with client.Client() as confd:
    print(confd.MasterNode().answer)

ConfdClient is Ganeti's own interface, name for name, for code that was written
for Ganeti's module: datagrams are sent once, and each reply and each expiry is
passed to a callback. This implementation needs nothing but a socket, whose
fileno() can be added to any event loop.

Facts about Ganeti's interface: a request expires by time.time(); all peers are
IP addresses of one family; the argument "async_" has no effect, since sending
never blocks; every authentic and well-formed reply counts, from any address.
The key may be of any length.

"""

from __future__ import annotations

import collections
import importlib
import os
import select
import socket
import time
# Import monotonic() under a name of its own: Ganeti's unit tests replace "time"
# in this module with an object that has no monotonic()
from time import monotonic as _Monotonic

from ganeti import constants
from ganeti import errors
from ganeti.confd import _version
from ganeti.confd import localnode
from ganeti.confd import protocol
from ganeti.confd.clientlib import arguments
from ganeti.confd.clientlib import candidates
from ganeti.confd.clientlib import forms
from ganeti.confd.clientlib import quorum
from ganeti.confd.protocol import keyfile
from ganeti.confd.protocol import wire

# Public names that are not defined in this module
# pylint: disable=W0611
from ganeti.confd.clientlib.replies import CandidateReply as CandidateReply, \
  ErrorAnswer as ErrorAnswer, MalformedAnswer as MalformedAnswer, \
  NoAnswer as NoAnswer, NotPermitted as NotPermitted, Reply as Reply, \
  RequestTooLarge as RequestTooLarge, StaleAnswer as StaleAnswer
from ganeti.confd.clientlib.sync import Client as Client
from ganeti.confd.protocol import NODE_ROLES as NODE_ROLES
from ganeti.confd.protocol.parts import AnswerTooLarge as AnswerTooLarge
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any, Callable, Deque, Iterable, Optional, Union
  from ganeti.confd.clientlib.aio import AsyncClient as AsyncClient
  from ganeti.confd.clientlib.changes import Change as Change, \
    Changed as Changed
  from ganeti.confd.clientlib.clusterstats import ClusterStats as \
    ClusterStats, DaemonStats as DaemonStats
  from ganeti.confd.clientlib.clusterstatus import CandidateStatus as \
    CandidateStatus, ClusterStatus as ClusterStatus
  from ganeti.confd.clientlib.filters import FilterError as FilterError
  from ganeti.confd.clientlib.results import DrbdMinor as DrbdMinor, \
    Field as Field, MasterInfo as MasterInfo, NodeInstances as NodeInstances, \
    NodeOfIp as NodeOfIp
  from ganeti.confd.clientlib.follow import AsyncFollowing as AsyncFollowing, \
    Following as Following
  from ganeti.confd.clientlib.typenames import ErrorCallback as \
    ErrorCallback, ProgressCallback as ProgressCallback, TableName as TableName
  from ganeti.confd.protocol.readerkey import Label as Label


#: The public names: clients, results, types for annotations, exceptions, and
#: Ganeti's own interface
__all__ = [
  "AsyncClient", "Client", "NODE_ROLES", "ReadKey", "__version__",
  "CandidateReply", "CandidateStatus", "Change", "Changed", "ClusterStats",
  "ClusterStatus", "DaemonStats", "DrbdMinor", "Field", "MasterInfo",
  "NodeInstances", "NodeOfIp", "Reply",
  "AsyncFollowing", "ErrorCallback", "Following", "Label", "ProgressCallback",
  "TableName",
  "AnswerTooLarge", "ConfdClientError", "ErrorAnswer", "FilterError",
  "MalformedAnswer", "NoAnswer", "NotPermitted", "RequestTooLarge",
  "StaleAnswer",
  "CONFD_UPCALL_TYPES", "ConfdAsyncUDPClient", "ConfdClient",
  "ConfdClientRequest", "ConfdCountingCallback", "ConfdFilterCallback",
  "ConfdUpcallPayload", "GetConfdClient", "StoreResultCallback", "UDPClient",
  "UPCALL_EXPIRE", "UPCALL_REPLY",
  ]

__version__ = _version.VERSION

#: The base class of all exceptions of this module except L{FilterError}
ConfdClientError = errors.ConfdClientError

#: A reply has arrived: all attributes of L{ConfdUpcallPayload} are set
UPCALL_REPLY = 1
#: A request has expired: the payload's attributes C{server_*} are not set
UPCALL_EXPIRE = 2
CONFD_UPCALL_TYPES = frozenset([
  UPCALL_REPLY,
  UPCALL_EXPIRE,
  ])

_FAMILIES = {
  4: socket.AF_INET,
  6: socket.AF_INET6,
  }

#: Maximum time-out of one poll() (seconds): poll() refuses very large numbers
_MAX_WAIT = 3600.0

_REQUEST_TYPES: frozenset[int] = constants.CONFD_REQS | protocol.ALL_REQUESTS


#: Maps public names that few programs need to their modules in C{ganeti.confd},
#: which are imported on first use
_ON_DEMAND = {
  "AsyncClient": "clientlib.aio",
  "AsyncFollowing": "clientlib.follow",
  "CandidateStatus": "clientlib.clusterstatus",
  "Change": "clientlib.changes",
  "Changed": "clientlib.changes",
  "ClusterStatus": "clientlib.clusterstatus",
  "ClusterStats": "clientlib.clusterstats",
  "DaemonStats": "clientlib.clusterstats",
  "DrbdMinor": "clientlib.results",
  "ErrorCallback": "clientlib.typenames",
  "Field": "clientlib.results",
  "FilterError": "clientlib.filters",
  "Following": "clientlib.follow",
  "Label": "protocol.readerkey",
  "MasterInfo": "clientlib.results",
  "NodeInstances": "clientlib.results",
  "NodeOfIp": "clientlib.results",
  "ProgressCallback": "clientlib.typenames",
  "TableName": "clientlib.typenames",
  }


def __getattr__(name: str) -> Any:
  """Imports a name of L{_ON_DEMAND} when it is used (PEP 562).

  """
  if name not in _ON_DEMAND:
    raise AttributeError("module %r has no attribute %r" % (__name__, name))
  module = importlib.import_module("ganeti.confd." + _ON_DEMAND[name])
  return getattr(module, name)


def __dir__() -> list[str]:
  """Lists the names for C{help}, C{dir} and completion: the public ones.

  """
  return sorted({*__all__, *(name for name in globals()
                             if name.startswith("__"))})


class UDPClient:
  """The socket of a ConfdClient, as Ganeti's main branch has it: datagrams
  wait in a queue until they are flushed.

  """
  def __init__(self, client: ConfdClient, family: int) -> None:
    """Opens a socket.

    @param client: its HandleResponse() is called with each datagram
    @param family: socket.AF_INET or socket.AF_INET6

    """
    self.client = client
    self.socket = socket.socket(family, socket.SOCK_DGRAM)
    self._queue: Deque[tuple[str, int, bytes]] = collections.deque()

  def fileno(self) -> int:
    return self.socket.fileno()

  def close(self) -> None:
    self._queue.clear()
    self.socket.close()

  def enqueue_send(self, address: str, port: int, payload: Union[str, bytes]
                   ) -> None:
    """Puts a datagram into the queue.

    @param payload: text is sent as UTF-8
    @raise errors.UdpDataSizeError: the datagram is too large

    """
    data = payload.encode("utf-8") if isinstance(payload, str) else payload
    if len(data) > constants.MAX_UDP_DATA_SIZE:
      raise errors.UdpDataSizeError("Datagram of %d bytes, more than %d" %
                                    (len(data), constants.MAX_UDP_DATA_SIZE))
    self._queue.append((address, port, data))

  def writable(self) -> bool:
    """Tells whether the queue has a datagram.

    """
    return bool(self._queue)

  def handle_write(self) -> None:
    """Sends one datagram of the queue, which must not be empty.

    """
    (address, port, data) = self._queue.popleft()
    try:
      self.socket.sendto(data, (address, port))
    except OSError:
      # Ignore the error: a datagram that cannot be sent counts as lost by the
      # network
      pass

  def flush_send_queue(self) -> None:
    """Sends all datagrams of the queue.

    """
    while self.writable():
      self.handle_write()

  def handle_read(self) -> None:
    """Reads one datagram from the socket, which must be readable.

    """
    try:
      (payload, address) = self.socket.recvfrom(constants.MAX_UDP_DATA_SIZE,
                                                socket.MSG_DONTWAIT)
    except OSError:
      # There is no datagram any more: the kernel checks the checksum when a
      # datagram is read, and drops the datagram if the checksum is wrong
      return
    self.handle_datagram(payload, address[0], address[1])

  def handle_datagram(self, payload: bytes, ip: str, port: int) -> None:
    self.client.HandleResponse(payload, ip, port)

  def process_next_packet(self, timeout: float = 0) -> bool:
    """Waits for a datagram, and handles it.

    @param timeout: seconds
    @return: whether there was one in time

    """
    poller = select.poll()
    poller.register(self.socket, select.POLLIN)
    if not poller.poll(min(max(0.0, timeout), _MAX_WAIT) * 1000):
      return False
    self.handle_read()
    return True


class ConfdAsyncUDPClient(UDPClient):
  """The socket of a ConfdClient under its name up to Ganeti 3.1.

  A datagram is sent at once, so a program has to wait only until the socket is
  readable.

  """
  def enqueue_send(self, address: str, port: int, payload: Union[str, bytes]
                   ) -> None:
    """Sends a datagram.

    @raise errors.UdpDataSizeError: the datagram is too large

    """
    UDPClient.enqueue_send(self, address, port, payload)
    self.flush_send_queue()


_OwnUDPClient = UDPClient


def _SocketClass() -> type[UDPClient]:
  """Returns the class of a L{ConfdClient}'s socket.

  Ganeti's own unit tests replace one of the two classes in this module; which
  one depends on the release.

  """
  return ConfdAsyncUDPClient if UDPClient is _OwnUDPClient else UDPClient


class _Request:
  """A request that has been sent.

  @ivar expiry: when the request expires, by C{time.time()}
  @ivar sent: the addresses that the request was sent to
  @ivar rcvd: the addresses that replied

  """
  def __init__(self, request: ConfdClientRequest, args: Any, expiry: float,
               sent: Iterable[str]) -> None:
    self.request = request
    self.args = args
    self.expiry = expiry
    self.sent: frozenset[str] = frozenset(sent)
    self.rcvd: set[str] = set()


class ConfdClient:
  """Sends requests to master candidates, and passes replies to a callback.

  """
  def __init__(self, hmac_key: Union[str, bytes], peers: list[str],
               callback: Callable[[ConfdUpcallPayload], Any],
               port: Optional[int] = None, logger: Any = None) -> None:
    """Makes a client; nothing is sent yet.

    @param hmac_key: the contents of a key file, see ReadKey()
    @param peers: IP addresses of master candidates, all of one family
    @param port: None for the default
    @param logger: None, or an object with the method debug() of
      logging.Logger
    @raise errors.ConfdClientError: there are no peers, or peers that are not
      addresses of one family
    @raise errors.ConfigurationError: a reader's key is damaged
    @raise errors.ProgrammerError: an argument has the wrong type

    """
    _CheckCallback(callback)
    self._peers: list[str] = []
    self._family = 0
    self.UpdatePeerList(peers)
    self._SetPeersAddressFamily()
    self._hmac_key: wire.Key = arguments.Key("hmac_key", hmac_key)
    if keyfile.IsReaders(self._hmac_key):
      self._hmac_key = keyfile.Parse(self._hmac_key, "hmac_key")
    self._confd_port = (localnode.DefaultPort() if port is None else
                        arguments.Port("port", port))
    self._socket = _SocketClass()(self, self._family)
    self._callback = callback
    self._logger = logger
    self._requests: dict[str, _Request] = {}

  def fileno(self) -> int:
    """Returns the socket's file descriptor.

    The program calls ReceiveReply() when the descriptor is readable.

    """
    return self._socket.fileno()

  def _Debug(self, *args: Any) -> None:
    if self._logger:
      self._logger.debug(*args)

  def UpdatePeerList(self, peers: list[str]) -> None:
    """Replaces the list of peers.

    @raise errors.ProgrammerError: the argument is no list of texts

    """
    if not isinstance(peers, list):
      raise arguments.Refuse("peers", "a list", peers)
    self._peers = arguments.Texts("peers", peers)

  def _SetPeersAddressFamily(self) -> None:
    """Finds the family of the peers' addresses.

    @raise errors.ConfdClientError: there are no peers, or peers that are not
      addresses of one family

    """
    # Imported here: only ConfdClient, Ganeti's own interface, needs the module
    import ipaddress
    families: set[int] = set()
    for peer in self._peers:
      try:
        families.add(_FAMILIES[ipaddress.ip_address(peer).version])
      except ValueError:
        raise errors.ConfdClientError("Not an IP address: %s" % (peer, ))
    if not families:
      raise errors.ConfdClientError("The list of peers is empty")
    if len(families) > 1:
      raise errors.ConfdClientError("Addresses of both families: %s" %
                                    ", ".join(self._peers))
    (self._family, ) = families

  def ExpireRequests(self) -> None:
    """Removes expired requests, and calls the callback for each.

    """
    now = time.time()
    for (salt, sent) in list(self._requests.items()):
      if now >= sent.expiry:
        del self._requests[salt]
        self._callback(ConfdUpcallPayload(salt=salt, type=UPCALL_EXPIRE,
                                          orig_request=sent.request,
                                          extra_args=sent.args, client=self))

  def SendRequest(self, request: ConfdClientRequest, args: Any = None,
                  coverage: int = 0, async_: Any = True) -> None:
    """Sends a request to peers chosen at random.

    @param args: passed to the callback
    @param coverage: to how many peers; 0 for
      constants.CONFD_DEFAULT_REQ_COVERAGE or all if they are fewer, -1 for
      all
    @param async_: has no effect
    @raise errors.ConfdClientError: the request cannot be sent
    @raise errors.ProgrammerError: an argument has the wrong type

    """
    # pylint: disable=W0613
    if not isinstance(request, ConfdClientRequest):
      raise arguments.Refuse("request", "a ConfdClientRequest", request)
    arguments.Json("query", request.query)
    arguments.Integer("coverage", coverage, -1)
    _CheckType(request.type)
    chosen = self._Choose(coverage)
    self.ExpireRequests()
    salt = request.rsalt
    if not salt:
      raise errors.ConfdClientError("The request has no rsalt")
    arguments.Text("rsalt", salt)
    if salt in self._requests:
      raise errors.ConfdClientError("A request with rsalt %s is under way" %
                                    salt)

    now = time.time()
    datagram = wire.PackRequest(self._hmac_key, now, request.type,
                                request.query, salt)
    for address in chosen:
      try:
        self._socket.enqueue_send(address, self._confd_port, datagram)
      except errors.UdpDataSizeError as err:
        raise errors.ConfdClientError("Request too big: %s" % err)
    expiry = now + constants.CONFD_CLIENT_EXPIRE_TIMEOUT
    self._requests[salt] = _Request(request, args, expiry, chosen)

  def _Choose(self, coverage: int) -> list[str]:
    """Chooses peers at random.

    @param coverage: see L{SendRequest}

    """
    count = candidates.CountToAsk(coverage, len(self._peers), "peers")
    # Imported here: only ConfdClient, Ganeti's own interface, needs the module
    import random
    return random.sample(self._peers, count)

  def HandleResponse(self, payload: bytes, ip: str, port: int) -> None:
    """Handles a datagram.

    """
    if not isinstance(payload, bytes):
      raise arguments.Refuse("payload", "bytes", payload)
    arguments.Text("ip", ip)
    arguments.Integer("port", port, 0)
    try:
      reply = wire.ParseReply(payload, self._hmac_key)
    except wire.Rejected as err:
      self._Debug("Datagram from %s not taken: %s", ip, err)
    else:
      self._Deliver(reply, ip, port)
    self.ExpireRequests()

  def _Deliver(self, reply: wire.ParsedReply, ip: str, port: int) -> None:
    """Passes a reply to the callback, if its request is pending.

    """
    sent = self._requests.get(reply.salt)
    if sent is None:
      self._Debug("No pending request for the reply from %s with salt %s", ip,
                  reply.salt)
      return
    fault = forms.Fault(forms.Question(sent.request.type, sent.request.query),
                        reply)
    if fault is not None:
      self._Debug("Reply from %s not taken: malformed: %s", ip, fault)
      return
    sent.rcvd.add(ip)
    self._callback(ConfdUpcallPayload(
      type=UPCALL_REPLY, client=self, salt=reply.salt,
      orig_request=sent.request, extra_args=sent.args,
      server_reply=reply, server_ip=ip, server_port=port))

  def FlushSendQueue(self) -> None:
    """Has no effect: requests are sent at once.

    """

  def ReceiveReply(self, timeout: float = 1) -> bool:
    """Waits for a datagram, and handles it.

    @param timeout: seconds
    @return: whether a datagram came in time; it may be none of the replies

    """
    return self._socket.process_next_packet(
      timeout=arguments.Seconds("timeout", timeout))

  _NeededReplies = staticmethod(quorum.NeededReplies)

  def WaitForReply(self, salt: str,
                   timeout: float = constants.CONFD_CLIENT_EXPIRE_TIMEOUT
                   ) -> tuple[bool, int, int]:
    """Waits until enough peers have replied to a request.

    @param salt: the request's rsalt
    @param timeout: seconds, by which the request also expires later
    @return: whether the time was over first; the number of peers asked; the
      number of peers that replied. (True, 0, 0) for an unknown request

    """
    arguments.Text("salt", salt)
    arguments.Seconds("timeout", timeout)
    if salt not in self._requests:
      return (True, 0, 0)
    self._requests[salt].expiry += timeout
    deadline = _Monotonic() + timeout
    while salt in self._requests:
      sent = self._requests[salt]
      enough = len(sent.rcvd) >= self._NeededReplies(len(sent.sent))
      left = deadline - _Monotonic()
      if enough or left <= 0:
        return (not enough, len(sent.sent), len(sent.rcvd))
      self.ReceiveReply(min(left, 1))
    return (True, 0, 0)


class _Record:
  """An object with the attributes of C{__slots__}, which default to None.

  """
  __slots__: list[str] = []

  def __init__(self, **kwargs: Any) -> None:
    for name in self.__slots__:
      setattr(self, name, kwargs.pop(name, None))
    if kwargs:
      raise errors.ProgrammerError("%s has no %s" % (self.__class__.__name__,
                                                     ", ".join(sorted(kwargs))))

  def ToDict(self) -> dict[str, Any]:
    """Returns the attributes that are not None.

    """
    return dict((name, getattr(self, name)) for name in self.__slots__
                if getattr(self, name) is not None)

  def __repr__(self) -> str:
    return "%s(%s)" % (self.__class__.__name__,
                       ", ".join("%s=%r" % item
                                 for item in self.ToDict().items()))


class ConfdUpcallPayload(_Record):
  """The argument of a callback.

  @ivar salt: the request's rsalt
  @ivar type: one of CONFD_UPCALL_TYPES
  @ivar orig_request: the ConfdClientRequest
  @ivar server_reply: the reply, with the attributes "protocol", "status",
    "answer" and "serial"
  @ivar server_ip: the sender of the reply
  @ivar server_port: the sender's port
  @ivar extra_args: the argument "args" of ConfdClient.SendRequest()
  @ivar client: the ConfdClient

  """
  __slots__ = ["salt", "type", "orig_request", "server_reply", "server_ip",
               "server_port", "extra_args", "client"]

  salt: Any
  type: Any
  orig_request: Any
  server_reply: Any
  server_ip: Any
  server_port: Any
  extra_args: Any
  client: Any


class ConfdClientRequest(_Record):
  """A request.

  @ivar protocol: the protocol's version; the current one by default
  @ivar type: constants.CONFD_REQ_*
  @ivar query: its argument
  @ivar rsalt: the salt that replies shall have; a random one by default

  """
  __slots__ = ["protocol", "type", "query", "rsalt"]

  protocol: Any
  type: Any
  query: Any
  rsalt: Any

  def __init__(self, **kwargs: Any) -> None:
    """Makes a request with the given attributes.

    @raise errors.ConfdClientError: there is no such type
    @raise errors.ProgrammerError: an attribute has the wrong type

    """
    _Record.__init__(self, **kwargs)
    self.protocol = self.protocol or constants.CONFD_PROTOCOL_VERSION
    self.rsalt = self.rsalt or os.urandom(16).hex()
    _CheckType(self.type)
    arguments.Text("rsalt", self.rsalt)
    arguments.Json("query", self.query)


def _CheckType(rtype: Any) -> None:
  if not wire.IsPlainInt(rtype) or rtype not in _REQUEST_TYPES:
    raise errors.ConfdClientError("No such request type: %r" % (rtype, ))


def _CheckCallback(callback: Any) -> None:
  if not callable(callback):
    raise errors.ProgrammerError("Not callable: %r" % (callback, ))


class ConfdFilterCallback:
  """Passes on the first reply to a request, and newer replies that differ.

  @ivar consistent: dictionary of salt to bool; False if two replies had the
    same serial and different answers

  """
  def __init__(self, callback: Callable[[ConfdUpcallPayload], Any],
               logger: Any = None) -> None:
    """Makes a callback.

    @param callback: called with the replies that pass, and with expiries
    @param logger: None, or an object with the method warning() of
      logging.Logger

    """
    _CheckCallback(callback)
    self._callback = callback
    self._logger = logger
    self._answers: dict[str, Any] = {}
    self.consistent: dict[str, bool] = {}

  def _Passes(self, up: ConfdUpcallPayload) -> bool:
    """Tells whether to pass a reply on, and stores the newest reply.

    """
    new = up.server_reply
    old = self._answers.get(up.salt)
    self.consistent.setdefault(up.salt, True)
    if old is None:
      self._answers[up.salt] = new
      return True
    same: bool = new.answer == old.answer
    if new.serial > old.serial:
      self._answers[up.salt] = new
      return not same
    if new.serial == old.serial and not same:
      self.consistent[up.salt] = False
      if self._logger:
        self._logger.warning("Different answers to request %s with the same"
                             " serial %s", up.salt, new.serial)
    return False

  def __call__(self, up: ConfdUpcallPayload) -> None:
    if up.type == UPCALL_REPLY and not self._Passes(up):
      return
    if up.type == UPCALL_EXPIRE:
      self._answers.pop(up.salt, None)
      self.consistent.pop(up.salt, None)
    self._callback(up)


class ConfdCountingCallback:
  """Passes each payload on, and counts the replies to each request.

  """
  def __init__(self, callback: Callable[[ConfdUpcallPayload], Any],
               logger: Any = None) -> None:
    """Makes a callback.

    @param callback: called with each payload
    @param logger: not used

    """
    _CheckCallback(callback)
    self._callback = callback
    self._logger = logger
    self._answers: dict[str, int] = {}

  def RegisterQuery(self, salt: str) -> None:
    """Starts counting the replies to a request.

    @param salt: its rsalt
    @raise errors.ProgrammerError: the request is counted already

    """
    arguments.Text("salt", salt)
    if salt in self._answers:
      raise errors.ProgrammerError("Request %s is registered already" % salt)
    self._answers[salt] = 0

  def AllAnswered(self) -> bool:
    """Tells whether each request that has not expired has a reply.

    """
    return all(self._answers.values())

  def __call__(self, up: ConfdUpcallPayload) -> None:
    if up.type == UPCALL_REPLY and up.salt in self._answers:
      self._answers[up.salt] += 1
    elif up.type == UPCALL_EXPIRE:
      self._answers.pop(up.salt, None)
    self._callback(up)


class StoreResultCallback:
  """Stores the latest reply to each request.

  """
  _NO_KEY = (False, None)

  def __init__(self) -> None:
    self._answers: dict[str, tuple[bool, Optional[ConfdUpcallPayload]]] = {}

  def GetResponse(self, salt: str) -> tuple[bool, Optional[ConfdUpcallPayload]]:
    """Returns the latest reply to a request.

    @return: whether there is a reply, and the reply

    """
    arguments.Text("salt", salt)
    return self._answers.get(salt, self._NO_KEY)

  def __call__(self, up: ConfdUpcallPayload) -> None:
    if up.type == UPCALL_REPLY:
      self._answers[up.salt] = (True, up)


def ReadKey(path: str) -> bytes:
  """Reads a file with a key, the cluster's or a reader's.

  @return: the file's bytes; a newline at the end is part of a cluster's key
  @raise errors.ConfigurationError: the file cannot be read, or has no key
  @raise errors.ProgrammerError: the path is no text

  """
  checked = arguments.OptionalPath("path", path)
  if checked is None:
    raise arguments.Refuse("path", "a path", path)
  contents = localnode.ReadKeyFile(checked)
  keyfile.Parse(contents, checked)
  return contents


def GetConfdClient(callback: Callable[[ConfdUpcallPayload], Any]
                   ) -> ConfdClient:
  """Returns a client for the cluster of this node.

  @raise errors.ConfigurationError: the key cannot be read
  @raise errors.ConfdClientError: there is no list of master candidates

  """
  _CheckCallback(callback)
  return ConfdClient(ReadKey(localnode.HmacKeyFile()),
                     localnode.ReadSsconf(constants.SS_MASTER_CANDIDATES_IPS),
                     callback)

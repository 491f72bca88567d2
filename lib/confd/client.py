#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What scripts import: confd's client library.

Two ways to ask. L{Client} and L{AsyncClient} (for asyncio) ask the master
candidates, send again what is lost, and return the freshest answer or raise::

  from ganeti.confd import client

  with client.Client() as confd:
    print(confd.MasterNode().answer)

L{ConfdClient} is Ganeti's own interface, name for name: datagrams go out once,
and each reply and each expiry is handed to a callback. It is meant for code
that was written for it. Here it rests on nothing but a socket, whose
C{fileno()} lets it live in any event loop.

Facts of that interface: a request expires by C{time.time()}; all peers are IP
addresses of one family; C{async_} changes nothing, since sending never waits.
The key may be of any length.

"""

import ipaddress
import random
import select
import socket
import time
import uuid

from ganeti import constants
from ganeti import errors
from ganeti.confd import localnode
from ganeti.confd import protocol
from ganeti.confd import wire
from ganeti.confd.clientlib import exchange

# The rest of the public interface
# pylint: disable=W0611
from ganeti.confd.clientlib.exchange import CandidateReply, ErrorAnswer, \
  NoAnswer, Reply, StaleAnswer
from ganeti.confd.clientlib.filters import FilterError
from ganeti.confd.clientlib.sync import Client
from ganeti.confd.localnode import ReadKey
from ganeti.confd.protocol import NODE_ROLES


#: A reply has come: all attributes of L{ConfdUpcallPayload} are set
UPCALL_REPLY = 1
#: A request has expired: no attribute about a server is set
UPCALL_EXPIRE = 2
CONFD_UPCALL_TYPES = frozenset([
  UPCALL_REPLY,
  UPCALL_EXPIRE,
  ])

_FAMILIES = {
  4: socket.AF_INET,
  6: socket.AF_INET6,
  }

_REQUEST_TYPES = constants.CONFD_REQS | protocol.ALL_REQUESTS


def __getattr__(name):
  """Imports what needs asyncio not before it is used (PEP 562).

  """
  if name == "AsyncClient":
    # pylint: disable=C0415
    from ganeti.confd.clientlib import aio
    return aio.AsyncClient
  raise AttributeError("module %r has no attribute %r" % (__name__, name))


class ConfdAsyncUDPClient:
  """The socket of a L{ConfdClient}.

  """
  def __init__(self, client, family):
    """Initializes this class.

    @type client: L{ConfdClient}
    @param client: whom to hand what comes in to
    @param family: C{socket.AF_INET} or C{socket.AF_INET6}

    """
    self.client = client
    self.socket = socket.socket(family, socket.SOCK_DGRAM)

  def fileno(self):
    return self.socket.fileno()

  def close(self):
    self.socket.close()

  def enqueue_send(self, address, port, payload):
    """Sends a datagram.

    @raise errors.UdpDataSizeError: it is too large

    """
    if len(payload) > constants.MAX_UDP_DATA_SIZE:
      raise errors.UdpDataSizeError("Datagram of %d bytes, more than %d" %
                                    (len(payload),
                                     constants.MAX_UDP_DATA_SIZE))
    try:
      self.socket.sendto(payload, (address, port))
    except OSError:
      # As good as lost on the way, which the protocol reckons with
      pass

  def handle_read(self):
    """Takes one datagram from the socket, which must have one.

    """
    try:
      (payload, address) = self.socket.recvfrom(constants.MAX_UDP_DATA_SIZE,
                                                socket.MSG_DONTWAIT)
    except OSError:
      # The kernel has dropped it (wrong checksum)
      return
    self.handle_datagram(payload, address[0], address[1])

  def handle_datagram(self, payload, ip, port):
    self.client.HandleResponse(payload, ip, port)

  def process_next_packet(self, timeout=0):
    """Waits for a datagram, and handles it.

    @type timeout: float
    @param timeout: seconds
    @rtype: bool
    @return: whether one came

    """
    poller = select.poll()
    poller.register(self.socket, select.POLLIN)
    if not poller.poll(max(0, timeout) * 1000):
      return False
    self.handle_read()
    return True


class _Request:
  """A request that has been sent.

  @ivar expiry: when it expires, by C{time.time()}
  @ivar sent: the addresses it was sent to
  @ivar rcvd: the addresses that replied

  """
  def __init__(self, request, args, expiry, sent):
    self.request = request
    self.args = args
    self.expiry = expiry
    self.sent = frozenset(sent)
    self.rcvd = set()


class ConfdClient:
  """Sends requests to master candidates, and hands replies to a callback.

  """
  def __init__(self, hmac_key, peers, callback, port=None, logger=None):
    """Initializes this class.

    @type hmac_key: string or bytes
    @type peers: list of strings
    @param peers: IP addresses of master candidates, all of one family
    @type callback: f(L{ConfdUpcallPayload})
    @type port: int or None
    @param port: None for the default
    @type logger: logging.Logger or None
    @raise errors.ConfdClientError: no peer, or not addresses of one family

    """
    _CheckCallback(callback)
    self.UpdatePeerList(peers)
    self._SetPeersAddressFamily()
    if isinstance(hmac_key, str):
      hmac_key = hmac_key.encode("utf-8")
    self._hmac_key = hmac_key
    self._socket = ConfdAsyncUDPClient(self, self._family)
    self._callback = callback
    self._confd_port = localnode.DefaultPort() if port is None else port
    self._logger = logger
    self._requests = {}

  def fileno(self):
    """Returns the socket's descriptor.

    When it is readable, L{ReceiveReply} has something to do.

    """
    return self._socket.fileno()

  def _Debug(self, *args):
    if self._logger:
      self._logger.debug(*args)

  def UpdatePeerList(self, peers):
    """Replaces the list of peers.

    @type peers: list of strings

    """
    if not isinstance(peers, list):
      raise errors.ProgrammerError("peers must be a list, not %r" % (peers, ))
    self._peers = list(peers)

  def _SetPeersAddressFamily(self):
    """Finds the family of the peers' addresses.

    @raise errors.ConfdClientError: no peer, or not addresses of one family

    """
    families = set()
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

  def ExpireRequests(self):
    """Forgets the requests whose time is over, and tells the callback.

    """
    now = time.time()
    for (salt, sent) in list(self._requests.items()):
      if now >= sent.expiry:
        del self._requests[salt]
        self._callback(ConfdUpcallPayload(salt=salt, type=UPCALL_EXPIRE,
                                          orig_request=sent.request,
                                          extra_args=sent.args, client=self))

  def SendRequest(self, request, args=None, coverage=0, async_=True):
    """Sends a request to peers chosen at random.

    @type request: L{ConfdClientRequest}
    @param args: handed to the callback
    @type coverage: int
    @param coverage: to how many peers; 0 for
      C{constants.CONFD_DEFAULT_REQ_COVERAGE} or all if they are fewer, -1 for
      all
    @param async_: changes nothing
    @raise errors.ConfdClientError: the request cannot be sent

    """
    _CheckType(request.type)
    chosen = self._Choose(coverage)
    self.ExpireRequests()
    salt = request.rsalt
    if not salt:
      raise errors.ConfdClientError("The request has no rsalt")
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

  def _Choose(self, coverage):
    """Chooses peers at random.

    @param coverage: see L{SendRequest}
    @rtype: list of strings

    """
    count = exchange.CountToAsk(coverage, len(self._peers), "peers")
    return random.sample(self._peers, count)

  def HandleResponse(self, payload, ip, port):
    """Handles a datagram that came in.

    @type payload: bytes

    """
    try:
      reply = wire.ParseReply(payload, self._hmac_key)
    except wire.Rejected as err:
      self._Debug("Datagram from %s not taken: %s", ip, err)
    else:
      self._Deliver(reply, ip, port)
    self.ExpireRequests()

  def _Deliver(self, reply, ip, port):
    """Hands a reply to the callback, if somebody waits for it.

    """
    sent = self._requests.get(reply.salt)
    if sent is None:
      self._Debug("Nobody waits, or waits still, for the reply from %s with"
                  " salt %s", ip, reply.salt)
      return
    sent.rcvd.add(ip)
    self._callback(ConfdUpcallPayload(
      type=UPCALL_REPLY, client=self, salt=reply.salt,
      orig_request=sent.request, extra_args=sent.args,
      server_reply=reply, server_ip=ip, server_port=port))

  def FlushSendQueue(self):
    """Sends what waits to be sent; nothing ever does.

    """

  def ReceiveReply(self, timeout=1):
    """Waits for a datagram, and handles it.

    @type timeout: float
    @param timeout: seconds
    @rtype: bool
    @return: whether one came, be it a reply or not

    """
    return self._socket.process_next_packet(timeout=timeout)

  _NeededReplies = staticmethod(exchange.NeededReplies)

  def WaitForReply(self, salt, timeout=constants.CONFD_CLIENT_EXPIRE_TIMEOUT):
    """Waits until enough peers have replied to a request.

    @type salt: string
    @param salt: the request's C{rsalt}
    @type timeout: float
    @param timeout: seconds; the request will expire later by so many
    @rtype: tuple of (bool, int, int)
    @return: whether the time was over first; to how many peers it was sent;
      how many replied. (True, 0, 0) for an unknown request

    """
    if salt not in self._requests:
      return (True, 0, 0)
    self._requests[salt].expiry += timeout
    deadline = time.time() + timeout
    while salt in self._requests:
      sent = self._requests[salt]
      enough = len(sent.rcvd) >= self._NeededReplies(len(sent.sent))
      left = deadline - time.time()
      if enough or left <= 0:
        return (not enough, len(sent.sent), len(sent.rcvd))
      self.ReceiveReply(min(left, 1))
    return (True, 0, 0)


class _Record:
  """An object with the attributes that are named, None if they are not given.

  """
  __slots__ = []

  def __init__(self, **kwargs):
    for name in self.__slots__:
      setattr(self, name, kwargs.pop(name, None))
    if kwargs:
      raise errors.ProgrammerError("%s has no %s" % (self.__class__.__name__,
                                                     ", ".join(sorted(kwargs))))

  def ToDict(self):
    """Returns the attributes that are set.

    @rtype: dict

    """
    return dict((name, getattr(self, name)) for name in self.__slots__
                if getattr(self, name) is not None)

  def __repr__(self):
    return "%s(%s)" % (self.__class__.__name__,
                       ", ".join("%s=%r" % item
                                 for item in self.ToDict().items()))


class ConfdUpcallPayload(_Record):
  """What a callback is called with.

  @ivar salt: the request's C{rsalt}
  @ivar type: one of L{CONFD_UPCALL_TYPES}
  @ivar orig_request: the L{ConfdClientRequest}
  @ivar server_reply: the reply; has C{protocol}, C{status}, C{answer} and
    C{serial}
  @ivar server_ip: where it is from
  @ivar server_port: likewise
  @ivar extra_args: C{args} of L{ConfdClient.SendRequest}
  @ivar client: the L{ConfdClient}

  """
  __slots__ = ["salt", "type", "orig_request", "server_reply", "server_ip",
               "server_port", "extra_args", "client"]


class ConfdClientRequest(_Record):
  """A request.

  @ivar protocol: the protocol's version; may be left to this class
  @ivar type: C{constants.CONFD_REQ_*}
  @ivar query: its argument
  @ivar rsalt: the salt that replies shall have; may be left to this class

  """
  __slots__ = ["protocol", "type", "query", "rsalt"]

  def __init__(self, **kwargs):
    """Initializes this class.

    @raise errors.ConfdClientError: there is no such type

    """
    _Record.__init__(self, **kwargs)
    self.protocol = self.protocol or constants.CONFD_PROTOCOL_VERSION
    self.rsalt = self.rsalt or str(uuid.uuid4())
    _CheckType(self.type)


def _CheckType(rtype):
  if rtype not in _REQUEST_TYPES:
    raise errors.ConfdClientError("No such request type: %r" % (rtype, ))


def _CheckCallback(callback):
  if not callable(callback):
    raise errors.ProgrammerError("Not callable: %r" % (callback, ))


class ConfdFilterCallback:
  """Passes on the first reply to a request, and newer ones that differ.

  @ivar consistent: dictionary of salt to bool; False if two replies had the
    same serial and different answers

  """
  def __init__(self, callback, logger=None):
    """Initializes this class.

    @type callback: f(L{ConfdUpcallPayload})
    @param callback: called with what passes
    @type logger: logging.Logger or None

    """
    _CheckCallback(callback)
    self._callback = callback
    self._logger = logger
    self._answers = {}
    self.consistent = {}

  def _Passes(self, up):
    """Tells whether a reply is to be passed on, and remembers it.

    """
    new = up.server_reply
    old = self._answers.get(up.salt)
    self.consistent.setdefault(up.salt, True)
    if old is None:
      self._answers[up.salt] = new
      return True
    same = new.answer == old.answer
    if new.serial > old.serial:
      self._answers[up.salt] = new
      return not same
    if new.serial == old.serial and not same:
      self.consistent[up.salt] = False
      if self._logger:
        self._logger.warning("Different answers to request %s with the same"
                             " serial %s", up.salt, new.serial)
    return False

  def __call__(self, up):
    if up.type == UPCALL_REPLY and not self._Passes(up):
      return
    if up.type == UPCALL_EXPIRE:
      self._answers.pop(up.salt, None)
      self.consistent.pop(up.salt, None)
    self._callback(up)


class ConfdCountingCallback:
  """Passes everything on, and knows whether all requests were answered.

  """
  def __init__(self, callback, logger=None):
    """Initializes this class.

    @type callback: f(L{ConfdUpcallPayload})
    @param callback: called with everything
    @param logger: not used

    """
    _CheckCallback(callback)
    self._callback = callback
    self._logger = logger
    self._answers = {}

  def RegisterQuery(self, salt):
    """Starts counting the replies to a request.

    @type salt: string
    @param salt: its C{rsalt}

    """
    if salt in self._answers:
      raise errors.ProgrammerError("Request %s is registered already" % salt)
    self._answers[salt] = 0

  def AllAnswered(self):
    """Tells whether there is a reply to each request that has not expired.

    """
    return all(self._answers.values())

  def __call__(self, up):
    if up.type == UPCALL_REPLY and up.salt in self._answers:
      self._answers[up.salt] += 1
    elif up.type == UPCALL_EXPIRE:
      self._answers.pop(up.salt, None)
    self._callback(up)


class StoreResultCallback:
  """Keeps the latest reply to each request.

  """
  _NO_KEY = (False, None)

  def __init__(self):
    self._answers = {}

  def GetResponse(self, salt):
    """Returns the latest reply to a request.

    @rtype: tuple of (bool, L{ConfdUpcallPayload})
    @return: (False, None) if there is none

    """
    return self._answers.get(salt, self._NO_KEY)

  def __call__(self, up):
    if up.type == UPCALL_REPLY:
      self._answers[up.salt] = (True, up)


def GetConfdClient(callback):
  """Returns a client for the cluster that this machine is a node of.

  @type callback: f(L{ConfdUpcallPayload})
  @rtype: L{ConfdClient}
  @raise errors.ConfigurationError: the key cannot be read
  @raise errors.ConfdClientError: there is no list of master candidates

  """
  return ConfdClient(localnode.ReadKey(localnode.HmacKeyFile()),
                     localnode.ReadSsconf(constants.SS_MASTER_CANDIDATES_IPS),
                     callback)

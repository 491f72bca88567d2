#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The client's sockets, one for each address family in use.

Facts: the sockets are not connected, since a reply from another address of the
machine that was asked is as good as one from the address asked. A socket that
is not connected hears that nothing listens at a port only through its error
queue (ip(7), IP_RECVERR), which returns the address the datagram was sent to.

"""

import errno
import os
import select
import socket
import sys

# Linux's numbers; Python's socket module lacks them before 3.14
_IP_RECVERR = 11
_IPV6_RECVERR = 25

_RECVERR = {
  socket.AF_INET: (socket.IPPROTO_IP, _IP_RECVERR),
  socket.AF_INET6: (socket.IPPROTO_IPV6, _IPV6_RECVERR),
  }

_MAX_DATAGRAM = 65536

_REFUSED = "nothing listens there"


def _Describe(number):
  if number == errno.ECONNREFUSED:
    return _REFUSED
  return os.strerror(number)


class Channel:
  """Sends to and receives from addresses of any family; never blocks.

  """
  def __init__(self, on_socket=None):
    """Initializes this class.

    @type on_socket: f(socket)
    @param on_socket: called with each socket that is opened

    """
    self._sockets = {}
    self._on_socket = on_socket

  def Sockets(self):
    """Returns the sockets that are open.

    """
    return list(self._sockets.values())

  def _Socket(self, family):
    sock = self._sockets.get(family)
    if sock is None:
      sock = socket.socket(family, socket.SOCK_DGRAM)
      sock.setblocking(False)
      (level, option) = _RECVERR[family]
      sock.setsockopt(level, option, 1)
      self._sockets[family] = sock
      if self._on_socket:
        self._on_socket(sock)
    return sock

  def Send(self, family, address, datagram):
    """Sends a datagram.

    @rtype: string or None
    @return: why it cannot be sent there; a datagram that is lost for another
      reason is no error, it will be sent again

    """
    try:
      sock = self._Socket(family)
    except OSError as err:
      return err.strerror
    # The first error may be that of a datagram sent before
    for last in (False, True):
      try:
        sock.sendto(datagram, address)
      except (BlockingIOError, InterruptedError):
        pass
      except OSError as err:
        if last:
          return _Describe(err.errno)
        continue
      return None

  def Receive(self, sock):
    """Takes what has come in from a socket.

    @rtype: tuple of (list, list)
    @return: the replies as (datagram, socket address); the datagrams that
      were not delivered as (family, socket address, reason)

    """
    received = []
    while True:
      try:
        received.append(sock.recvfrom(_MAX_DATAGRAM))
      except OSError:
        # Nothing more, or the error of a datagram sent before, which is in
        # the error queue too
        break
    undelivered = []
    while True:
      try:
        (_, control, _, address) = sock.recvmsg(0, 512, socket.MSG_ERRQUEUE)
      except OSError:
        break
      for (_, _, data) in control:
        number = int.from_bytes(data[:4], sys.byteorder)
        undelivered.append((sock.family, address, _Describe(number)))
    return (received, undelivered)

  def Wait(self, timeout):
    """Waits until something comes in.

    @type timeout: float
    @param timeout: seconds
    @rtype: list of sockets

    """
    poller = select.poll()
    sockets = dict((sock.fileno(), sock) for sock in self.Sockets())
    for fd in sockets:
      poller.register(fd, select.POLLIN)
    return [sockets[fd] for (fd, _) in poller.poll(max(0, timeout) * 1000)]

  def Close(self):
    """Closes all sockets.

    """
    for sock in self.Sockets():
      sock.close()
    self._sockets.clear()

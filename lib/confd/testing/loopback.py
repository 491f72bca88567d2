#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Serves a configuration on the loopback device, as master candidates do.

Each master candidate of the configuration gets an address of the loopback
device, and all listen at the same port. These addresses replace those in the
configuration, which clients would learn, and would then ask real hosts.

"""

from __future__ import annotations

import json
import os
import selectors
import socket
import time

from ganeti import errors
from ganeti.confd.clientlib import endpoint
from ganeti.confd.config import snapshot as snapshotlib
from ganeti.confd.serving import replay
from ganeti.confd.serving import waiting
from ganeti.confd.testing import candidate as candidatelib
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Any, Callable, Iterator, Optional


#: Seconds between two checks whether the configuration file has changed
_LOOK = 0.25

#: Limit on the number of candidates that are served
_MAX_CANDIDATES = 200

#: Maximum number of ports to try until a port is free at all addresses
_TRIES = 100

_MAX_DATAGRAM = 65536


def ToLoopback(text: bytes, addresses: Iterator[str]) -> bytes:
  """Gives the master candidates of a configuration other addresses.

  @param text: contents of C{config.data}
  @param addresses: the new addresses, the master's first; a candidate for which
    none is left becomes an ordinary node
  @raise errors.ConfigurationError: the configuration is unusable, or has no
    master

  """
  master = snapshotlib.Snapshot(text).master
  if master is None:
    raise errors.ConfigurationError("The configuration has no master node")
  config = json.loads(text)
  nodes: dict[str, dict[str, Any]] = config["nodes"]
  nodes[master.key]["primary_ip"] = next(addresses)
  for (key, node) in nodes.items():
    if key != master.key and node.get("master_candidate") is True:
      node["primary_ip"] = next(addresses, None)
      node["master_candidate"] = node["primary_ip"] is not None
  return json.dumps(config).encode("ascii")


def _Bind(address: str, port: int) -> Optional[socket.socket]:
  """Opens a socket.

  @return: None if that is not possible

  """
  sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
  try:
    sock.bind((address, port))
  except OSError:
    sock.close()
    return None
  sock.setblocking(False)
  return sock


def _OpenSockets(count: int, port: int) -> list[socket.socket]:
  """Opens sockets at the same port of 127.0.0.1, 127.0.0.2, and so on.

  Other systems than Linux may have the first of these addresses only.

  @param port: 0 for any free one
  @raise OSError: the port is in use

  """
  for _ in range(_TRIES):
    first = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
      first.bind(("127.0.0.1", port))
    except OSError:
      first.close()
      raise
    first.setblocking(False)
    socks = [first]
    for index in range(1, count):
      sock = _Bind("127.0.0.%d" % (index + 1), first.getsockname()[1])
      if sock is None:
        break
      socks.append(sock)
    # Accept fewer sockets if another port would give no more: this system may
    # have only the first address, or the caller has chosen the port
    if len(socks) in (1, count) or port:
      return socks
    for sock in socks:
      sock.close()
  raise OSError("No port is free at all addresses")


class _Served(NamedTuple):
  """A candidate that is served, with its WAITs.

  """
  candidate: candidatelib.Candidate
  sock: socket.socket
  waiting: waiting.Waiting


class Server:
  """Answers on the loopback device, and reads the configuration again when its
  file changes.

  @ivar port: the UDP port
  @ivar cluster: the name of the cluster

  """
  def __init__(self, path: str, key: bytes, port: int = 0) -> None:
    """Opens the sockets.

    @param path: a C{config.data}
    @param key: the cluster's key
    @param port: 0 for any free one
    @raise errors.ConfigurationError: the configuration is unusable, or has no
      master
    @raise OSError: the file cannot be read, or the port is in use

    """
    self._path = path
    self._state = _FileState(path)
    text = self._Read()
    snapshot = snapshotlib.Snapshot(text)
    count = sum(1 for node in snapshot.nodes.items if node.candidate)
    socks = _OpenSockets(min(max(1, count), _MAX_CANDIDATES), port)
    try:
      self._addresses = [sock.getsockname()[0] for sock in socks]
      self.port: int = socks[0].getsockname()[1]
      state = self._Convert(text)
      self.cluster = str(state.snapshot.document["cluster"].get("cluster_name"))
      replays = replay.ReplayTable()
      names = {node.primary_ip: node.name
               for node in state.snapshot.nodes.items}
      self._served = [
        _Served(candidatelib.Candidate(names.get(address, address), address,
                                       key, state, replays), sock,
                waiting.Waiting())
        for (address, sock) in zip(self._addresses, socks)]
    except BaseException:
      for sock in socks:
        sock.close()
      raise
    for served in self._served:
      served.candidate.on_change = self._OnChange(served)

  @property
  def candidates(self) -> list[candidatelib.Candidate]:
    """The candidates that are served, the master first.

    """
    return [served.candidate for served in self._served]

  def Close(self) -> None:
    for served in self._served:
      served.sock.close()

  def _Read(self) -> bytes:
    with open(self._path, "rb") as stream:
      return stream.read()

  def _Convert(self, text: bytes) -> candidatelib.State:
    return candidatelib.State(ToLoopback(text, iter(self._addresses)))

  def _OnChange(self, served: _Served
                ) -> Callable[[candidatelib.Candidate, bool], None]:
    def _Answer(candidate: candidatelib.Candidate, _: bool) -> None:
      for (reply, client) in list(served.waiting.TakeAll()):
        candidate.CountAnswered()
        _Send(served.sock, reply, client[1])
    return _Answer

  def Run(self, report: Callable[[str], None]) -> None:
    """Answers until an exception is raised, such as C{KeyboardInterrupt}.

    @param report: called with a line of text when the configuration was read
      again

    """
    with selectors.DefaultSelector() as selector:
      for served in self._served:
        selector.register(served.sock, selectors.EVENT_READ, served)
      looked = time.monotonic()
      while True:
        for (key, _) in selector.select(_LOOK):
          self._Serve(key.data)
        now = time.monotonic()
        for served in self._served:
          for (reply, client) in list(served.waiting.TakeDue(now)):
            served.candidate.CountAnswered()
            _Send(served.sock, reply, client[1])
        if now >= looked + _LOOK:
          looked = now
          self._Look(report)

  def _Serve(self, served: _Served) -> None:
    """Answers one datagram.

    """
    try:
      (datagram, address) = served.sock.recvfrom(_MAX_DATAGRAM)
    except OSError:
      # There is no datagram, or the socket reports the error of an earlier
      # reply
      return
    outcome = served.candidate.Receive(datagram)
    reply = outcome.reply
    if outcome.deferred is not None:
      verdict = served.waiting.Add(outcome.deferred, ([], address),
                                   time.monotonic())
      if verdict is waiting.Verdict.REFUSED:
        reply = served.candidate.Refused(outcome.deferred.request)
    if reply is not None:
      _Send(served.sock, reply, address)

  def _Look(self, report: Callable[[str], None]) -> None:
    """Reads the configuration again if its file has changed.

    """
    state = _FileState(self._path)
    if state == self._state:
      return
    self._state = state
    try:
      loaded = self._Convert(self._Read())
    except (OSError, errors.ConfigurationError) as err:
      report("Cannot read the configuration again, the old one stays: %s" % err)
      return
    for served in self._served:
      served.candidate.Load(loaded)
    report("The configuration was read again: serial %d" % loaded.serial)


def _FileState(path: str) -> Optional[tuple[int, ...]]:
  """Returns a value that changes with a file; None if there is no file.

  """
  try:
    state = os.stat(path)
  except OSError:
    return None
  return (state.st_mtime_ns, state.st_size, state.st_ino)


def _Send(sock: socket.socket, reply: bytes, address: endpoint.SocketAddress
          ) -> None:
  try:
    sock.sendto(reply, address)
  except OSError:
    # Ignore the error: the client is gone, or retransmits its request
    pass

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Whom to ask: from "node2.example.com:1815" to socket addresses.

A candidate is given as a name or an address of either family, with or without
a port: C{HOST}, C{HOST:PORT}, C{[V6ADDRESS]:PORT}, C{[V6ADDRESS]}. A name
stands for all its addresses; they are those of one machine, and all are tried.

"""

import socket

from ganeti import errors
from ganeti.confd.clientlib import exchange


def _ParsePort(text, peer):
  if not (text.isascii() and text.isdigit() and len(text) < 10 and
          0 < int(text) < 65536):
    raise errors.ConfdClientError("Not a port: '%s' in '%s'" % (text, peer))
  return int(text)


def Parse(peer, port):
  """Takes a candidate's text apart.

  @type peer: string
  @type port: int
  @param port: where the text has none
  @rtype: tuple of (string, int)
  @raise errors.ConfdClientError: it does not have one of the forms

  """
  peer = peer.strip()
  (host, colon, rest) = peer.rpartition(":")
  if peer.startswith("["):
    (host, bracket, rest) = peer[1:].partition("]")
    if not bracket or (rest and not rest.startswith(":")):
      raise errors.ConfdClientError("Not an address: '%s'" % peer)
    if rest:
      port = _ParsePort(rest[1:], peer)
  elif colon and ":" not in host:
    port = _ParsePort(rest, peer)
  else:
    host = peer
  if not host:
    raise errors.ConfdClientError("Not an address: '%s'" % peer)
  return (host, port)


def Resolve(peer, port):
  """Finds a candidate's addresses.

  @type peer: string
  @type port: int
  @param port: where the text has none
  @rtype: L{exchange.Candidate}
  @return: without addresses, and with a reason, if the name does not resolve
  @raise errors.ConfdClientError: malformed text

  """
  (host, port) = Parse(peer, port)
  try:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
  except (OSError, UnicodeError) as err:
    reason = getattr(err, "strerror", None) or str(err)
    return exchange.Candidate(peer, [], "cannot be resolved: %s" % reason)
  addresses = [(family, address) for (family, _, _, _, address) in found
               if family in (socket.AF_INET, socket.AF_INET6)]
  return exchange.Candidate(peer, list(dict.fromkeys(addresses)))


def ResolveAll(peers, port):
  """Finds the addresses of several candidates.

  @type peers: list of strings
  @rtype: list of L{exchange.Candidate}
  @return: in the order given; a machine that was given twice is there once

  """
  result = []
  known = set()
  for peer in peers:
    candidate = Resolve(peer, port)
    if candidate.addresses and known.issuperset(candidate.addresses):
      continue
    known.update(candidate.addresses)
    result.append(candidate)
  return result

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The addresses of candidates: parses and compares them.

A candidate is given as a name or an address of either family, with or without
a port: C{HOST}, C{HOST:PORT}, C{[V6ADDRESS]:PORT}, C{[V6ADDRESS]}.

"""

from __future__ import annotations

from ganeti import errors
from ganeti.confd import numerals
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Any, Optional

  #: A socket's address as Python represents it: (host, port), or (host, port,
  #: flow information, scope id) with IPv6
  SocketAddress = tuple[Any, ...]


#: Replacements for wildcard addresses: a request to a wildcard address reaches
#: this machine, and the reply comes from the loopback address
_LOOPBACK = {
  "0.0.0.0": "127.0.0.1",
  "::": "::1",
  }


class Address(NamedTuple):
  """A socket's address with its family.

  """
  #: C{socket.AF_INET} or C{socket.AF_INET6}
  family: int
  address: SocketAddress


class Endpoint(NamedTuple):
  """The parts of a socket's address that are compared.

  """
  #: the IP address as text; the IPv4 address in place of an IPv4-mapped IPv6
  #: address (::ffff:192.0.2.1)
  ip: str
  port: int
  #: the number of the network interface of a link-local address, which is
  #: unique only among the hosts on one link; 0 for all other addresses
  scope: int


def Of(address: SocketAddress) -> Endpoint:
  """Reduces a socket's address to the parts that are compared.

  """
  (host, port) = address[:2]
  if len(address) == 2:
    return Endpoint(host, port, 0)
  # Imported here: IPv4 does not need the module
  import ipaddress
  ip = ipaddress.IPv6Address(host.partition("%")[0])
  if ip.ipv4_mapped is not None:
    return Endpoint(str(ip.ipv4_mapped), port, 0)
  return Endpoint(str(ip), port, address[3] if ip.is_link_local else 0)


def Ips(answer: Any) -> Optional[list[str]]:
  """Reads the answer to the question for the candidates, a list of IPs.

  @param answer: any JSON value
  @return: the addresses, each once, as L{Endpoint} has them; None if the answer
    is no such list

  """
  # Imported here: a client that asks a single question does not need the module
  import ipaddress
  try:
    return list(dict.fromkeys(str(ipaddress.ip_address(ip)) for ip in answer))
  except (TypeError, ValueError):
    return None


def _ParsePort(text: str, peer: str) -> int:
  try:
    return numerals.Port(text)
  except ValueError:
    raise errors.ConfdClientError("Not a port: '%s' in '%s'" %
                                  (text, peer)) from None


def Parse(peer: str, port: int) -> tuple[str, int]:
  """Splits a candidate's text into host and port.

  @param port: the port of a text without one
  @raise errors.ConfdClientError: the text has none of the four forms

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
  if not host or "\0" in host:
    raise errors.ConfdClientError("Not an address: %r" % peer)
  return (_LOOPBACK.get(host, host), port)

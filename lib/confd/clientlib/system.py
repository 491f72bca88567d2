#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The machine that a client runs on: its files, names, sockets and time.

L{ganeti.confd.testing} replaces the L{System}, so that a program can be tested
without a daemon, a network, or a pause.

"""

from __future__ import annotations

from ganeti.confd import localnode
from ganeti.confd.clientlib import candidates
from ganeti.confd.clientlib import transport as transportlib
from ganeti.confd.protocol import keyfile
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Callable, Optional, TypeVar
  from ganeti.confd.clientlib import settings
  from ganeti.confd.protocol import wire

  _Driver = TypeVar("_Driver")


class System:
  """The machine that a client runs on.

  """
  def Settings(self, cluster: str, is_complete: bool) -> settings.Cluster:
    """Reads the settings of a cluster, see L{settings.Choose}.

    @param is_complete: whether the caller has passed candidates and a key

    """
    # Imported here: most clients use no file of settings
    from ganeti.confd.clientlib import settings
    return settings.Choose(cluster, is_complete)

  def Key(self, key: Optional[bytes], path: Optional[str]) -> wire.Key:
    """Returns the key to sign requests with.

    @param key: the contents of a key file; None to read a file
    @param path: the path of the key file; None for the key of this node
    @raise errors.ConfigurationError: the file cannot be read, or there is no
      key in it

    """
    if key is not None:
      return keyfile.Parse(key, "the argument")
    if path is not None:
      return localnode.ReadAnyKey(path)
    return localnode.ReadNodeKey()

  def Candidates(self, given: Optional[list[str]], port: int
                 ) -> candidates.Candidates:
    return candidates.Candidates(given, port)

  def Transport(self, known: candidates.Candidates, key: wire.Key
                ) -> transportlib.Transport:
    return transportlib.Transport(known, key)

  def Driver(self, make: Callable[[transportlib.Transport], _Driver],
             transport: transportlib.Transport) -> _Driver:
    """Makes the driver of a client.

    @param make: the class of the client's driver

    """
    return make(transport)


#: Functions that L{Choose} calls for each new client, the last one first, until
#: one of them returns a L{System}
choosers: list[Callable[[Optional[str]], Optional[System]]] = []


def Choose(cluster: Optional[str]) -> System:
  """Returns the system for a new client.

  @param cluster: the cluster that the caller named, or None

  """
  for choose in reversed(choosers):
    system = choose(cluster)
    if system is not None:
      return system
  return System()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The daemon's cache of readers' keys, in each of its processes.

"""

from __future__ import annotations

from ganeti.confd.protocol import readerkey
from ganeti.confd.protocol import wire


#: Maximum number of readers' keys that each process of the daemon caches
_MAX_READERS = 1024


class Readers:
  """The cache of readers' keys that have signed requests to the daemon.

  A key is cached only after a valid signature with it: otherwise anybody could
  fill the cache with labels.

  """
  def __init__(self, key: bytes) -> None:
    """@param key: the cluster's key

    """
    self._key = key
    self._cached: dict[str, wire.ReaderKey] = {}

  def Find(self, label: wire.Json) -> wire.ReaderKey:
    """Returns the key for a label, from the cache or derived.

    @param label: the value of C{key} in a datagram
    @raise wire.Rejected: the value is no label

    """
    # Check the length before the look-up in the cache, since hashing a long
    # text takes long
    if not (isinstance(label, str) and len(label) <= readerkey.MAX_LABEL):
      raise wire.Rejected(wire.BAD_HMAC, "key is no label")
    cached = self._cached.get(label)
    if cached is not None:
      return cached
    try:
      parsed = readerkey.Parse(label)
    except ValueError as err:
      raise wire.Rejected(wire.BAD_HMAC, "key is no label: %s" % err)
    return wire.ReaderKey(parsed, readerkey.Derive(self._key, parsed))

  def Add(self, key: wire.ReaderKey) -> None:
    """Adds a key to the cache.

    """
    text = key.label.text
    if text not in self._cached:
      if len(self._cached) >= _MAX_READERS:
        self._cached.clear()
      self._cached[text] = key

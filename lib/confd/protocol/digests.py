#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The hash functions of the protocol, with and without OpenSSL.

Facts: C{hashlib} and C{hmac} load OpenSSL, which takes more than 2 MB of memory
and some milliseconds. The interpreter has built-in implementations of the same
hash functions, for systems without OpenSSL. The built-in ones take two to six
times as long for a datagram. (C{hashlib} itself uses the built-in BLAKE2.)

Rule: a process with little to hash does not load OpenSSL. A process with much
to hash, such as a worker of the daemon, calls L{UseOpenSsl} first.

"""

from __future__ import annotations

import sys

from ganeti.confd.typed import TYPE_CHECKING

# pylint: disable=C0103,C0412
if TYPE_CHECKING:
  from hashlib import blake2b as blake2b, sha1 as sha1, sha256 as sha256
  from hmac import compare_digest as compare_digest
  from typing import Callable, Protocol

  class Hash(Protocol):
    """The hash objects that the functions below return."""

    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...
    def hexdigest(self) -> str: ...
    def copy(self) -> Hash: ...
else:
  # These modules and names are private to CPython: if an interpreter lacks one,
  # take the same functions from C{hashlib} and C{hmac}
  try:
    from _blake2 import blake2b
    from _operator import _compare_digest as compare_digest
    from _sha1 import sha1
    if sys.version_info >= (3, 12):
      from _sha2 import sha256
    else:
      from _sha256 import sha256
  except ImportError:
    from hashlib import blake2b, sha1, sha256
    from hmac import compare_digest


#: Block size of both SHA-1 and SHA-256 (bytes)
_BLOCK = 64

_INNER_PAD = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD = bytes(byte ^ 0x5c for byte in range(256))


def UseOpenSsl() -> None:
  """Replaces the built-in implementations by those of OpenSSL.

  """
  global sha1, sha256 # pylint: disable=W0603
  import hashlib
  sha1 = hashlib.sha1
  sha256 = hashlib.sha256


def Hmac(key: bytes, function: Callable[[bytes], Hash]
         ) -> tuple[Hash, Hash]:
  """Prepares a key for HMAC (RFC 2104).

  @param function: L{sha1} or L{sha256}
  @return: the inner and the outer hash, with the key in them

  """
  if len(key) > _BLOCK:
    key = function(key).digest()
  key = key.ljust(_BLOCK, b"\0")
  return (function(key.translate(_INNER_PAD)),
          function(key.translate(_OUTER_PAD)))

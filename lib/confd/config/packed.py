#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Packs JSON values: stores them as JSON text.

JSON text takes a fifth of the memory of the Python objects, and is copied into
an answer without being parsed (L{wire.EncodeJson}).

Rule: unpacking a packed value gives an equal value. A value that cannot be
serialised is kept as Python objects: one with an infinite number in it (as read
from 1e999), or one that is nested too deeply for the encoder.

"""

from __future__ import annotations

import functools
import json

from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any, Callable, Union
  from ganeti.confd.protocol import wire

  #: A packed JSON value: either JSON text, as bytes; or the value itself, of
  #: another type
  Packed = Union[bytes, wire.Json]


#: Number of unpacked values that are cached: the getters of one row of a table
#: unpack the same instance, and its disks, many times
_CACHE_SIZE = 32

_Scan: Callable[[str, int], tuple[wire.Json, int]] = getattr(
  json.JSONDecoder(), "scan_once")


def _MakeEncoder() -> Callable[[wire.Json], str]:
  """Makes a function that serialises a JSON value as ASCII text.

  """
  make = getattr(json.encoder, "c_make_encoder", None)
  if make is None:
    # Do not check for cycles: a value that was parsed cannot contain itself
    return json.JSONEncoder(allow_nan=False, check_circular=False,
                            separators=(",", ":")).encode
  # Make one C encoder for all values, which takes a sixth less time:
  # JSONEncoder.encode would make a new one for each value
  quote = getattr(json.encoder, "encode_basestring_ascii")
  encode = make(None, None, quote, None, ":", ",", False, False, False)
  return lambda value: "".join(encode(value, 0))


_Encode = _MakeEncoder()


def Pack(value: wire.Json) -> Packed:
  """Packs a value.

  """
  try:
    return _Encode(value).encode("ascii")
  except (ValueError, RecursionError):
    return value


def Parse(packed: Packed) -> wire.Json:
  """Unpacks a value to new objects, which the caller may change.

  """
  if type(packed) is bytes:
    return _Scan(packed.decode("ascii"), 0)[0]
  return packed


_ParseOnce: Callable[[bytes], Any] = functools.lru_cache(
  maxsize=_CACHE_SIZE)(Parse)


def Unpack(packed: Packed) -> wire.Json:
  """Unpacks a value to cached objects, which the caller must not change.

  """
  return _ParseOnce(packed) if type(packed) is bytes else packed

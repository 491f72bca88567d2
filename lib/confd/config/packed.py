#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""JSON values that are kept as their text.

A text takes a fifth of the memory of the objects that it stands for, and is put
into an answer as it is (L{wire.EncodeJson}).

Rule: to unpack what was packed gives the same value. A value that no text can
stand for is kept as it is: one with an infinite number in it (1e999, say), or
one that is nested so deeply that it can just be read.

"""

from __future__ import annotations

import functools
import json

from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any, Callable, Union
  from ganeti.confd.protocol import wire

  #: A JSON value: bytes are its text, anything else is the value itself
  Kept = Union[bytes, wire.Json]


#: How many values are kept unpacked: the fields of one row of a table need the
#: same instance, and its disks, again and again
_RECENT = 32

_Scan: Callable[[str, int], tuple[wire.Json, int]] = getattr(
  json.JSONDecoder(), "scan_once")

def _MakeEncoder() -> Callable[[wire.Json], str]:
  """Makes a function that serialises a value.

  """
  make = getattr(json.encoder, "c_make_encoder", None)
  if make is None:
    # What comes from a parser has no cycles
    return json.JSONEncoder(allow_nan=False, check_circular=False,
                            separators=(",", ":")).encode
  # The same, made once and not for each value: a sixth less time
  quote = getattr(json.encoder, "encode_basestring_ascii")
  encode = make(None, None, quote, None, ":", ",", False, False, False)
  return lambda value: "".join(encode(value, 0))


_Encode = _MakeEncoder()


def Pack(value: wire.Json) -> Kept:
  """Makes what is kept of a value.

  """
  try:
    return _Encode(value).encode("ascii")
  except (ValueError, RecursionError):
    return value


def Parse(kept: Kept) -> wire.Json:
  """Returns a value that is kept, as objects of its own.

  """
  return _Scan(kept.decode("ascii"), 0)[0] if type(kept) is bytes else kept


_ParseOnce: Callable[[bytes], Any] = functools.lru_cache(maxsize=_RECENT)(Parse)


def Unpack(kept: Kept) -> wire.Json:
  """Returns a value that is kept; for looking at, not for changing.

  """
  return _ParseOnce(kept) if type(kept) is bytes else kept

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Answers of any size: split into parts by the daemon, joined by the client.

An answer's JSON text is compressed (zlib) and split. Each part is in a reply of
its own, with the number of parts and the hash of the whole; the reply is small
enough not to be fragmented in any network.

Rule: no I/O, no clock.

"""

from __future__ import annotations

import base64
import zlib

from ganeti import errors
from ganeti.confd import protocol
from ganeti.confd.protocol import digests
from ganeti.confd.protocol import wire
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Iterable, Union


#: Number of bytes of compressed text in a part. With a salt of up to 48
#: characters, a datagram then has at most 1,232 bytes, which is the minimum MTU
#: of IPv6 less the headers.
PART_SIZE = 675

#: Compression level of zlib: 1 is the fastest, as the daemon's CPU time is
#: scarcer than bandwidth
_LEVEL = 1

#: Default limit on the memory that the Python objects of an answer take in a
#: client (bytes). The table of 100,000 instances takes 1.1 GB.
MAX_MEMORY = 3 << 29

#: Maps characters of JSON text to the memory that Python needs at most for each
#: occurrence (bytes, Python 3.9 to 3.13). A bracket or a brace stands for an
#: empty list or dictionary; a comma stands for a value and the reference to it.
_WEIGHTS = {
  b",": 72,
  b"[": 104,
  b"{": 208,
  }

#: Number of bytes that are decompressed between two checks of the memory limit
_CHUNK = 1 << 20


class TooLarge(Exception):
  """An answer that is longer than L{protocol.MAX_ANSWER}.

  """


class AnswerTooLarge(errors.ConfdClientError):
  """An answer that would take more memory than the client permits.

  @ivar needed: the memory that the answer takes, as far as it is known (bytes)
  @ivar limit: how much the client permits (bytes)

  """
  def __init__(self, text: str = "", needed: int = 0, limit: int = 0) -> None:
    errors.ConfdClientError.__init__(self, text)
    self.needed = needed
    self.limit = limit


class Broken(errors.ConfdClientError):
  """A text that is no part of an answer, or parts that do not fit together.

  """


class Parts:
  """An answer, split into parts.

  @ivar sha256: hash of the compressed text, in hex
  @ivar size: length of the compressed text, in bytes
  @ivar text_size: length of the text, in bytes

  """
  def __init__(self, text: Union[str, Iterable[str]]) -> None:
    """@param text: the answer's JSON text, whole or in pieces
    @raise TooLarge: the text is longer than L{protocol.MAX_ANSWER}

    """
    if isinstance(text, str):
      text = [text]
    packer = zlib.compressobj(_LEVEL)
    packed = []
    self.text_size = 0
    for piece in text:
      self.text_size += len(piece)
      if self.text_size > protocol.MAX_ANSWER:
        raise TooLarge()
      packed.append(packer.compress(piece.encode("ascii")))
    packed.append(packer.flush())
    self._data = b"".join(packed)
    self.sha256 = digests.sha256(self._data).hexdigest()
    self.size = len(self._data)

  def __len__(self) -> int:
    return (self.size + PART_SIZE - 1) // PART_SIZE

  def Text(self) -> str:
    """Returns the whole text.

    """
    return zlib.decompress(self._data).decode("ascii")

  def Get(self, number: int) -> str:
    """Returns one part, encoded for a reply.

    @param number: from 0 to the number of parts, less one

    """
    data = self._data[number * PART_SIZE:(number + 1) * PART_SIZE]
    return base64.b64encode(data).decode("ascii")


class Assembly:
  """An answer, joined from parts.

  @ivar count: number of parts
  @ivar sha256: hash of the compressed text, in hex

  """
  def __init__(self, count: int, sha256: str, max_memory: int = MAX_MEMORY
               ) -> None:
    """Makes an answer that has no parts yet.

    @param max_memory: how much memory the answer may take (bytes, about)
    @raise AnswerTooLarge: the answer would take more

    """
    self.count = count
    self.sha256 = sha256
    self._max_memory = max_memory
    self._data: dict[int, bytes] = {}
    self._CheckMemory(count * PART_SIZE, "has %d parts" % count)

  def _CheckMemory(self, needed: int, what: str) -> None:
    if needed > self._max_memory:
      raise AnswerTooLarge(
        "The answer is too large: it %s, and would take %d MB of memory or"
        " more, where the limit is %d MB (Client's argument max_memory, in"
        " bytes)" % (what, needed // 1000000, self._max_memory // 1000000),
        needed, self._max_memory)

  def Add(self, number: int, text: wire.Json) -> None:
    """Adds a part.

    @param text: from L{Parts.Get}
    @raise Broken: the text is no part of this answer

    """
    try:
      data = base64.b64decode(text, validate=True)
    except (TypeError, ValueError):
      raise Broken("part %s is no base64" % number)
    if len(data) > PART_SIZE:
      raise Broken("part %s has %d bytes, more than %d" %
                   (number, len(data), PART_SIZE))
    self._data[number] = data

  def __len__(self) -> int:
    return len(self._data)

  def Has(self, number: int) -> bool:
    return number in self._data

  def Answer(self) -> wire.Json:
    """Returns the answer, after all parts were added.

    @raise Broken: the parts do not have the hash, or are no JSON text
    @raise AnswerTooLarge: the answer takes more memory than is permitted

    """
    data = b"".join(self._data[number] for number in range(self.count))
    if digests.sha256(data).hexdigest() != self.sha256:
      raise Broken("the parts do not have the promised hash")
    try:
      return wire.DecodeAnswer(self._Unpack(data))
    except zlib.error as err:
      raise Broken("the parts cannot be unpacked: %s" % err)
    except (ValueError, RecursionError) as err:
      raise Broken("the parts are not JSON: %s" % err)

  def _Unpack(self, data: bytes) -> bytes:
    """Decompresses the text, within the limit for memory.

    The bytes and the values of the text are counted while it grows: a few bytes
    may decompress to a very long text, and a short text may have a great many
    values.

    """
    unpacker = zlib.decompressobj()
    chunks = []
    size = 0
    values = 0
    while not unpacker.eof:
      chunk = unpacker.decompress(data, _CHUNK)
      data = unpacker.unconsumed_tail
      if not (chunk or data):
        break
      chunks.append(chunk)
      size += len(chunk)
      values += sum(chunk.count(char) * weight
                    for (char, weight) in _WEIGHTS.items())
      # Count the text twice, since joining the chunks at the end makes a copy
      self._CheckMemory(2 * size + values,
                        "has more than %d bytes of JSON" % size)
    if not unpacker.eof or unpacker.unused_data:
      raise Broken("the parts cannot be unpacked: the end is not where it"
                   " should be")
    return b"".join(chunks)

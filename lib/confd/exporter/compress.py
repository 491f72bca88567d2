#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Answers as gzip streams that are put together from compressed parts.

A process that makes an answer compresses it, too (L{Pack}). The server puts the
frame of a page around the answer without compressing the answer again
(L{Gzip}).

Facts:
  - A deflate stream (RFC 1951) is a sequence of blocks. Streams that end with a
    flush in place of a final block can be joined.
  - Browsers read the first member of a gzip file only (RFC 1952), so the whole
    answer has to be one member, with the CRC of all data at the end.
  - The CRC of joined data can be computed from the CRCs of the parts: appending
    zeros is a linear function of the CRC's bits.

"""

from __future__ import annotations

import struct
import zlib

from typing import NamedTuple, Sequence, Union


#: The level of zlib that makes HTML and metrics eight times smaller, in a fifth
#: of the time that zlib's default level takes
_LEVEL = 1

#: The header of L{Pack}'s result: a mark, the CRC of the data, and the size of
#: the compressed data
_HEADER = struct.Struct("=cIQ")
_MARK = b"="

#: The header of a gzip file, without a file name and a time, and with "unknown"
#: for the operating system
_GZIP_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"

#: The trailer of a gzip file: the CRC of the data, and their size modulo 2^32
_GZIP_TAIL = struct.Struct("<II")

#: An empty deflate block, marked as the final one
_FINAL = b"\x03\0"

#: L{CombineCrc} can append a part of fewer than 2^_SIZE_BITS bits
_SIZE_BITS = 40

#: The polynomial of CRC-32, with its bits reversed
_POLYNOMIAL = 0xedb88320


class Packed(NamedTuple):
  """A part of an answer, uncompressed and compressed.

  """
  data: memoryview
  deflated: Union[bytes, memoryview]
  crc: int


Part = Union[bytes, memoryview, Packed]


def _Deflate(data: Union[bytes, memoryview]) -> bytes:
  """Compresses data so that other compressed data can follow.

  """
  compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
  return compressor.compress(data) + compressor.flush(zlib.Z_FULL_FLUSH)


def Pack(data: bytes) -> bytes:
  """Compresses an answer.

  @return: the compressed and the original data, for L{Unpack}

  """
  deflated = _Deflate(data)
  return _HEADER.pack(_MARK, zlib.crc32(data), len(deflated)) + deflated + data


def Unpack(packed: Union[bytes, memoryview]) -> Packed:
  """Takes the result of L{Pack} apart, without a copy.

  """
  (_, crc, size) = _HEADER.unpack_from(packed)
  view = memoryview(packed)
  end = _HEADER.size + size
  return Packed(view[end:], view[_HEADER.size:end], crc)


def Raw(parts: Sequence[Part]) -> list[Union[bytes, memoryview]]:
  """Returns the uncompressed data of parts.

  """
  return [part.data if isinstance(part, Packed) else part for part in parts]


def Gzip(parts: Sequence[Part]) -> list[Union[bytes, memoryview]]:
  """Returns parts as one gzip stream.

  """
  stream: list[Union[bytes, memoryview]] = [_GZIP_HEAD]
  (crc, size) = (0, 0)
  for part in parts:
    if isinstance(part, Packed):
      stream.append(part.deflated)
      crc = CombineCrc(crc, part.crc, len(part.data))
      size += len(part.data)
    else:
      stream.append(_Deflate(part))
      crc = zlib.crc32(part, crc)
      size += len(part)
  stream += [_FINAL, _GZIP_TAIL.pack(crc, size & 0xffffffff)]
  return stream


def IsPacked(data: Union[bytes, memoryview]) -> bool:
  """Tells whether data are a result of L{Pack}, by the first byte.

  """
  return data[:1] == _MARK


def _Times(matrix: Sequence[int], vector: int) -> int:
  """Multiplies a matrix over GF(2), given by its columns, by a vector.

  """
  result = 0
  for (bit, column) in enumerate(matrix):
    if vector >> bit & 1:
      result ^= column
  return result


def _Powers() -> list[list[int]]:
  """Returns the matrices that append 1, 2, 4 ... zero bits to a CRC's data.

  """
  matrix = [_POLYNOMIAL] + [1 << bit for bit in range(31)]
  powers = []
  for _ in range(_SIZE_BITS):
    powers.append(matrix)
    matrix = [_Times(matrix, column) for column in matrix]
  return powers


_POWERS = _Powers()


def CombineCrc(first: int, second: int, size: int) -> int:
  """Returns the CRC-32 of joined data.

  @param first: the CRC of the first part
  @param second: the CRC of the second part
  @param size: the number of bytes of the second part

  """
  for (bit, matrix) in enumerate(_POWERS):
    if 8 * size >> bit & 1:
      first = _Times(matrix, first)
  return first ^ second


def IsAccepted(header: str) -> bool:
  """Tells whether a client accepts gzip streams.

  @param header: the header Accept-Encoding (RFC 9110, 12.5.3)

  """
  for item in header.lower().split(","):
    (coding, _, weight) = item.partition(";")
    if coding.strip() == "gzip":
      (_, _, value) = weight.partition("=")
      return not value or value.strip(" 0.") != ""
  return False

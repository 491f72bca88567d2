#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What is in a file with a key: the cluster's, or a reader's.

The cluster's key is all bytes of its file. A reader's file is text, three lines
of ASCII::

  confd reader key 1
  label: NAME:WHAT:UNTIL
  key: 64 lower case hex digits

Rule: neither is ever taken for the other. A file that looks like a reader's in
any of its lines is a reader's, or damaged, and never a key of a cluster; also
where a mail or an editor has left its marks, or UTF-16. (The 64 digits alone
look like nothing: no daemon answers to them.)

"""

from __future__ import annotations

import re

from ganeti import errors
from ganeti.confd import protocol
from ganeti.confd.protocol import wire
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Optional
  from ganeti.confd.protocol import readerkey


#: No file with a key is longer: /dev/zero has no end (bytes)
MAX_SIZE = 1 << 20

#: What a reader's file begins with; the number is that of the format
_FIRST_LINE = "confd reader key 1"

#: A line of a reader's file, be it damaged
_TRACE_RE = re.compile(rb"^[^\w\n]*(?:confd reader key|label:|key:)",
                       re.MULTILINE)

_LABEL = "label: "
_KEY = "key: "
_KEY_RE = re.compile("[0-9a-f]{64}")


def IsReaders(contents: bytes) -> bool:
  """Tells whether the contents of a file are a reader's, be they damaged.

  """
  # Half the bytes of UTF-16
  return _TRACE_RE.search(contents.replace(b"\0", b"")) is not None


def _ParseReaders(contents: bytes) -> wire.ReaderKey:
  """Takes a reader's file apart.

  @raise ValueError: it is damaged; says how

  """
  try:
    lines = contents.decode("ascii").strip().splitlines()
  except UnicodeDecodeError:
    raise ValueError("it is no ASCII text") from None
  if lines[0] != _FIRST_LINE:
    raise ValueError("its first line is not '%s'" % _FIRST_LINE)
  if (len(lines) != 3 or not lines[1].startswith(_LABEL) or
      not lines[2].startswith(_KEY)):
    raise ValueError("after the first line there have to be '%s...' and"
                     " '%s...', and nothing else" % (_LABEL, _KEY))
  # Whoever has the cluster's key does without it
  from ganeti.confd.protocol import readerkey
  label = readerkey.Parse(lines[1][len(_LABEL):])
  secret = lines[2][len(_KEY):]
  if not _KEY_RE.fullmatch(secret):
    # What it is instead may be most of a key, and is not for the screen
    raise ValueError("its key is not 64 hex digits")
  return wire.ReaderKey(label, secret.encode("ascii"))


def Parse(contents: bytes, origin: str) -> wire.Key:
  """Makes a key of what is in a file.

  @param origin: the file, for the message
  @raise errors.ConfigurationError: it is no usable key

  """
  if not IsReaders(contents):
    CheckCluster(contents, origin)
    return contents
  try:
    return _ParseReaders(contents)
  except ValueError as err:
    raise errors.ConfigurationError("The reader's key in %s is damaged: %s" %
                                    (origin, err)) from None


def CheckCluster(contents: bytes, origin: str) -> None:
  """Refuses what cannot be the key of a cluster.

  @param origin: where it is from, for the message
  @raise errors.ConfigurationError: it is a reader's, or too short

  """
  if IsReaders(contents):
    raise errors.ConfigurationError("The cluster's key is needed, and in %s is"
                                    " a reader's" % origin)
  if len(contents) < protocol.MIN_KEY_SIZE:
    raise errors.ConfigurationError("The HMAC key in %s has %d bytes, at least"
                                    " %d are needed" %
                                    (origin, len(contents),
                                     protocol.MIN_KEY_SIZE))


def LabelOf(key: wire.Key) -> Optional[readerkey.Label]:
  """Returns the label of a reader's key; None for a cluster's.

  """
  return key.label if isinstance(key, wire.ReaderKey) else None


def Format(cluster_key: bytes, label: readerkey.Label) -> str:
  """Makes a reader's file.

  @param cluster_key: which the reader's is derived from

  """
  from ganeti.confd.protocol import readerkey
  secret = readerkey.Derive(cluster_key, label).decode("ascii")
  return "%s\n%s%s\n%s%s\n" % (_FIRST_LINE, _LABEL, label.text, _KEY, secret)

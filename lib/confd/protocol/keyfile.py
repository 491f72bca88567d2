#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The contents of key files, the cluster's and readers'.

The cluster's key is all bytes of its file. The file of a reader's key has three
lines of ASCII text::

  confd reader key 1
  label: NAME:WHAT:UNTIL
  key: 64 lower case hex digits

Rule: the file of a reader's key is never used as a cluster's key. A file that
has any of these lines is regarded as the file of a reader's key, perhaps a
damaged one, even if a mail program or an editor has added characters before the
line, or has converted the file to UTF-16. (A file with the 64 digits alone
cannot be recognised; no daemon replies to requests that are signed with it.)

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


#: Maximum size of a key file (bytes): without a limit, reading /dev/zero by
#: mistake would fill the memory
MAX_SIZE = 1 << 20

#: The first line of a reader's key file; 1 is the version of the format
_FIRST_LINE = "confd reader key 1"

#: Matches the start of any line of a reader's key file. A file with such a line
#: is recognised as a reader's even if it is damaged.
_TRACE_RE = re.compile(rb"^[^\w\n]*(?:confd reader key|label:|key:)",
                       re.MULTILINE)

_LABEL = "label: "
_KEY = "key: "
_KEY_RE = re.compile("[0-9a-f]{64}")


def IsReaders(contents: bytes) -> bool:
  """Tells whether a file holds a reader's key, even if the file is damaged.

  """
  # Remove zero bytes: an editor may have saved the file as UTF-16, in which
  # every second byte of ASCII text is zero
  return _TRACE_RE.search(contents.replace(b"\0", b"")) is not None


def _ParseReaders(contents: bytes) -> wire.ReaderKey:
  """Parses the file of a reader's key.

  @raise ValueError: the file is damaged; the message says how

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
  # Imported here, as this module is not needed for a cluster's key
  from ganeti.confd.protocol import readerkey
  label = readerkey.Parse(lines[1][len(_LABEL):])
  secret = lines[2][len(_KEY):]
  if not _KEY_RE.fullmatch(secret):
    # Do not quote the line in the message: it may contain most of a key
    raise ValueError("its key is not 64 hex digits")
  return wire.ReaderKey(label, secret.encode("ascii"))


def Parse(contents: bytes, origin: str) -> wire.Key:
  """Parses the contents of a key file.

  @param origin: the file, for the message
  @raise errors.ConfigurationError: the contents are no usable key

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
  """Checks that the contents of a file may be a cluster's key.

  @param origin: the file, for the message
  @raise errors.ConfigurationError: the key is a reader's, or too short

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
  """Returns the label of a reader's key; None for a cluster's key.

  """
  return key.label if isinstance(key, wire.ReaderKey) else None


def Format(cluster_key: bytes, label: readerkey.Label) -> str:
  """Makes the contents of the file of a reader's key.

  @param cluster_key: the key that the reader's key is derived from

  """
  from ganeti.confd.protocol import readerkey
  secret = readerkey.Derive(cluster_key, label).decode("ascii")
  return "%s\n%s%s\n%s%s\n" % (_FIRST_LINE, _LABEL, label.text, _KEY, secret)

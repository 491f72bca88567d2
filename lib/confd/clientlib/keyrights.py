#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The rights of a reader's key, in words.

Fact: Ganeti's own daemon knows no readers' keys, and is silent to them.

"""

from __future__ import annotations

from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from ganeti.confd.protocol import readerkey


#: Further causes of silence if the key is a reader's
SILENCE = (", or the cluster's key was renewed since this reader's key was"
           " made, or the daemon does not know readers' keys, as the one that"
           " comes with Ganeti")


def May(label: readerkey.Label, right: str) -> bool:
  """Tells whether a key has a right.

  @param right: one of C{readerkey.RIGHTS}

  """
  from ganeti.confd.protocol import readerkey
  (whole, _, _) = right.partition("/")
  return not label.what.isdisjoint([right, whole, readerkey.ALL])


def Until(label: readerkey.Label) -> str:
  """Describes how long a key is valid.

  """
  if label.last_day is None:
    return "for ever"
  return "until the end of %s (UTC)" % label.last_day.isoformat()


def Describe(label: readerkey.Label) -> str:
  """Describes the rights of a key.

  """
  from ganeti.confd.protocol import readerkey
  what = "everything"
  if readerkey.ALL not in label.what:
    (*others, last) = sorted(label.what)
    what = " and ".join([", ".join(others), last] if others else [last])
  return ("the key of the reader '%s' may ask %s %s" %
          (label.name, what, Until(label)))

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The rights and the end of a reader's key, in words.

"""

from __future__ import annotations

from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from ganeti.confd.protocol import readerkey


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


def HowLong(label: readerkey.Label, now: float) -> str:
  """Describes when a key ends or has ended.

  @param now: the time, in seconds since the epoch

  """
  # Imported here: few commands print how long a key is valid
  from ganeti.confd import humanize
  text = "the key of the reader '%s' " % label.name
  days = label.DaysLeft(now)
  if label.last_day is None or days is None:
    return text + "does not end"
  day = label.last_day.isoformat()
  if label.HasEnded(now):
    return text + "has ended: its last day was %s (UTC)" % day
  if days == 0:
    return text + "ends today, at midnight UTC"
  return text + ("ends in %s, after %s (UTC)" %
                 (humanize.Count(days, "day"), day))


def Describe(label: readerkey.Label, now: float) -> str:
  """Describes the rights of a key, or that the key has ended.

  @param now: the time, in seconds since the epoch

  """
  if label.HasEnded(now):
    return ("%s; ask the cluster's administrator for a new one, made with"
            " confd-client make-key %s --may %s --until DAY" %
            (HowLong(label, now), label.name, ",".join(sorted(label.what))))
  from ganeti.confd.protocol import readerkey
  what = "everything"
  if readerkey.ALL not in label.what:
    (*others, last) = sorted(label.what)
    what = " and ".join([", ".join(others), last] if others else [last])
  return ("the key of the reader '%s' may ask %s %s" %
          (label.name, what, Until(label)))

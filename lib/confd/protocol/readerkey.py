#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Readers' keys: labels with a name, rights and a last day.

A label is C{NAME:WHAT:UNTIL}. The key of a label is derived from the cluster's
key and the label. So the daemon, which has the cluster's key, needs no list of
readers; and with a changed label, a reader's key is not valid.

Rule: a label is canonical. A text with the same meaning in another form
(another order, a name twice, "list" beside "list/nodes") is no label: otherwise
one reader would have several keys.

"""

from __future__ import annotations

import re

from ganeti.confd import protocol
from ganeti.confd.protocol import digests
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  import datetime
  from typing import Any, Iterable, Optional


#: A label is NAME:WHAT:UNTIL. This value of WHAT permits all questions, even
#: those of future versions.
ALL = "all"

#: The value of a label's field UNTIL if the key does not expire
NEVER = "never"

#: Maximum length of a label (bytes)
MAX_LABEL = 255

#: The right to ask for any table, by requests of type QUERY. Clients name these
#: questions "list".
LIST = "list"

#: Maps each kind of table to the right to ask for tables of this kind only
_RIGHT_OF_KIND = {kind: "%s/%ss" % (LIST, kind) for kind in protocol.KINDS}

#: Maps each type of request to the right to send such requests
_RIGHT_OF_TYPE: dict[Optional[int], str] = {
  number: LIST if number == protocol.REQ_QUERY else name
  for (name, number) in protocol.REQUEST_TYPES.items()}

#: All rights that a label's field WHAT can have, except for L{ALL}
RIGHTS = frozenset([*_RIGHT_OF_TYPE.values(), *_RIGHT_OF_KIND.values()])

_NAME_RE = re.compile("[a-z0-9][a-z0-9._-]{0,62}")
_DAY_RE = re.compile("([0-9]{4})([0-9]{2})([0-9]{2})")

#: Number of the day 1970-01-01, as C{datetime.date.toordinal} counts days
_EPOCH = 719163
_DAY = 24 * 60 * 60

#: Prefix of the text from which a reader's key is derived. With this prefix, no
#: other use of the cluster's key hashes the same text.
_PURPOSE = b"confd reader 1\0"


class Label(NamedTuple):
  """A parsed label.

  @ivar text: the label itself, ASCII
  @ivar name: the reader's name
  @ivar what: the names of the rights, or "all" alone
  @ivar last_day: the last day on which the key is valid, None for ever

  """
  text: str
  name: str
  what: frozenset[str]
  last_day: Optional[datetime.date]
  #: when the key expires: the end of C{last_day}, in seconds since the epoch
  end: float

  def May(self, rtype: Optional[int], query: Any) -> bool:
    """Tells whether the key has the right for a question.

    @param rtype: type of request; None for a request without a valid type
    @param query: any JSON value

    """
    what = self.what
    return (_RIGHT_OF_TYPE.get(rtype, ALL) in what or ALL in what or
            rtype == protocol.REQ_QUERY and _KindRight(query) in what)

  def HasEnded(self, now: float) -> bool:
    """Tells whether the key's last day is over.

    @param now: the time, in seconds since the epoch

    """
    return now >= self.end

  def DaysLeft(self, now: float) -> Optional[int]:
    """Returns for how many days after today the key is valid.

    @param now: the time, in seconds since the epoch
    @return: 0 on the last day, and after it; None if the key does not expire

    """
    if self.last_day is None:
      return None
    # Round up to whole days, so that the rest of today counts as one day; then
    # subtract today
    return max(0, -int((now - self.end) // _DAY) - 1)


def _KindRight(query: Any) -> str:
  """Returns the narrowest right that permits a query for a table.

  @return: L{LIST} for an unknown kind of table

  """
  if isinstance(query, dict):
    kind = query.get("what")
    if isinstance(kind, str):
      return _RIGHT_OF_KIND.get(kind, LIST)
  return LIST


def Parse(text: str) -> Label:
  """Parses a label.

  @raise ValueError: the text is no label; the message says which part is wrong

  """
  if len(text) > MAX_LABEL:
    raise ValueError("label of more than %d characters" % MAX_LABEL)
  parts = text.split(":")
  if len(parts) != 3:
    raise ValueError("not NAME:WHAT:UNTIL: %s" % ascii(text))
  (name, what, until) = parts
  if not _NAME_RE.fullmatch(name):
    raise ValueError("the name has to be of a-z, 0-9, '.', '_' and '-', with a"
                     " letter or a digit first, and of at most 63 characters:"
                     " %s" % ascii(name))
  last_day = _ParseUntil(until)
  end = float("inf")
  if last_day is not None:
    end = (last_day.toordinal() + 1 - _EPOCH) * _DAY
  return Label(text, name, _ParseWhat(what), last_day, end)


def _ParseWhat(text: str) -> frozenset[str]:
  if text == ALL:
    return frozenset([ALL])
  names = text.split(",")
  for name in names:
    if name not in RIGHTS:
      raise ValueError("no such question: %s" % ascii(name))
  if names != sorted(set(names)):
    raise ValueError("questions not in the order of their names, or twice: %s" %
                     ascii(text))
  for name in _RIGHT_OF_KIND.values():
    if LIST in names and name in names:
      raise ValueError("%s is part of %s" % (name, LIST))
  return frozenset(names)


def _ParseUntil(text: str) -> Optional[datetime.date]:
  if text == NEVER:
    return None
  # Imported here, as this module is not needed for a key without a last day
  import datetime
  match = _DAY_RE.fullmatch(text)
  if match:
    (year, month, day) = match.groups()
    try:
      return datetime.date(int(year), int(month), int(day))
    except ValueError:
      pass
  raise ValueError("no such day: %s" % ascii(text))


def Make(name: str, what: Iterable[str],
         last_day: Optional[datetime.date]) -> Label:
  """Makes a label.

  @param what: some of L{RIGHTS}, in any order, or L{ALL} alone
  @param last_day: the last day on which the key is valid, None for ever
  @raise ValueError: there is no such label; the message says why

  """
  until = NEVER
  if last_day is not None:
    # Do not use strftime, which does not pad the year to four digits
    until = "%04d%02d%02d" % (last_day.year, last_day.month, last_day.day)
  return Parse("%s:%s:%s" % (name, ",".join(sorted(set(what))), until))


def Derive(key: bytes, label: Label) -> bytes:
  """Derives the key of a label.

  @param key: the cluster's key
  @return: 64 lower case hex digits

  """
  (inner, outer) = digests.Hmac(key, digests.sha256)
  inner.update(_PURPOSE + label.text.encode("ascii"))
  outer.update(inner.digest())
  return outer.hexdigest().encode("ascii")

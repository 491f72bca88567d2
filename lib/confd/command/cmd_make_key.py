#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "make-key": makes a key for a reader.

The key is derived from the cluster's key and a label. The daemons derive it in
the same way, so this command sends no request.

"""

from __future__ import annotations

import argparse
import calendar
import datetime
import os
import re

from typing import Optional

from ganeti import errors
from ganeti.confd import localnode
from ganeti.confd.command import exitcodes
from ganeti.confd.command import parse
from ganeti.confd.command import rights
from ganeti.confd.protocol import keyfile
from ganeti.confd.protocol import readerkey


#: The permissions of the file with the key: only the owner may read it
_MODE = 0o400

_DAY_RE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_PERIOD_RE = re.compile(r"\+?(\d{1,4})([dwmy])", re.ASCII)


def _After(day: datetime.date, count: int, unit: str) -> datetime.date:
  """Returns the day that is a number of days, weeks, months or years later.

  @raise ValueError: there is no such day in the calendar of Python

  """
  try:
    if unit in "dw":
      return day + datetime.timedelta(count * (7 if unit == "w" else 1))
  except OverflowError as err:
    raise ValueError(str(err)) from None
  months = day.month - 1 + count * (12 if unit == "y" else 1)
  (year, month) = (day.year + months // 12, months % 12 + 1)
  # If the month has no such day, e.g. February 30, take the month's last day
  return day.replace(year, month, min(day.day,
                                      calendar.monthrange(year, month)[1]))


def ParseUntil(text: str, today: datetime.date) -> Optional[datetime.date]:
  """Parses the value of the option --until.

  @return: the last day; None for "never"
  @raise ValueError: the text is neither a day nor a period, or the day is past

  """
  if text == readerkey.NEVER:
    return None
  period = _PERIOD_RE.fullmatch(text)
  try:
    if period:
      return _After(today, int(period[1]), period[2])
    if not _DAY_RE.fullmatch(text):
      raise ValueError
    day = datetime.date.fromisoformat(text)
  except ValueError:
    raise ValueError("neither a day such as 2027-12-31, nor a period such as"
                     " 30d, 6m or 1y, nor %s: '%s'" %
                     (readerkey.NEVER, text)) from None
  if day < today:
    raise ValueError("this day is over: '%s'" % text)
  return day


def MakeLabel(opts: argparse.Namespace) -> readerkey.Label:
  """Makes the label that the options describe.

  @raise parse.UsageError: an option's value is wrong

  """
  today = datetime.datetime.now(datetime.timezone.utc).date()
  name = "--until"
  try:
    last_day = ParseUntil(opts.until, today)
    name = "--may"
    what = rights.Expand([word.strip() for word in opts.may.split(",")])
    name = "NAME"
    return readerkey.Make(opts.name, what, last_day)
  except ValueError as err:
    raise parse.UsageError(
      "%s: %s" % (name, err), opts.command) from None


def _Write(path: str, text: str) -> None:
  """Writes a new file that only its owner can read.

  @raise errors.ConfdClientError: the file exists, or cannot be written

  """
  try:
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    try:
      with open(number, "w", encoding="ascii") as stream:
        stream.write(text)
    except OSError:
      # Remove the file, which may hold only a part of the key
      os.unlink(path)
      raise
  except OSError as err:
    raise errors.ConfdClientError("Cannot write the key to %s: %s" %
                                  (path, err.strerror)) from None


def RunAlone(opts: argparse.Namespace, key_file: str) -> int:
  """Makes a key, and prints it or writes it to a file.

  """
  label = MakeLabel(opts)
  text = keyfile.Format(localnode.ReadKey(key_file), label)
  if opts.file is None:
    print(text, end="")
  else:
    _Write(opts.file, text)
  return exitcodes.SUCCESS

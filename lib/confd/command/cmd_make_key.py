#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "make-key": a key for a reader.

It is made of the cluster's key alone: no daemon is asked, and none is told.

"""

from __future__ import annotations

import argparse
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


#: The mode of a file that is made here
_MODE = 0o400

_DAY_RE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _ParseUntil(text: str) -> Optional[datetime.date]:
  """Takes the option --until apart.

  @return: the last day, None for ever
  @raise ValueError: it is no day to come

  """
  if text == readerkey.NEVER:
    return None
  try:
    if not _DAY_RE.fullmatch(text):
      raise ValueError
    day = datetime.date.fromisoformat(text)
  except ValueError:
    raise ValueError("neither a day such as 2027-12-31 nor %s: '%s'" %
                     (readerkey.NEVER, text)) from None
  if day < datetime.datetime.now(datetime.timezone.utc).date():
    raise ValueError("this day is over: '%s'" % text)
  return day


def MakeLabel(opts: argparse.Namespace) -> readerkey.Label:
  """Makes the label that the options ask for.

  @raise parse.UsageError: there can be no such label

  """
  name = "--until"
  try:
    last_day = _ParseUntil(opts.until)
    name = "--may"
    what = rights.Expand([word.strip() for word in opts.may.split(",")])
    name = "NAME"
    return readerkey.Make(opts.name, what, last_day)
  except ValueError as err:
    raise parse.UsageError(
      "%s: %s" % (name, err), opts.command) from None


def _Write(path: str, text: str) -> None:
  """Writes a file that was not there before, and that only its owner reads.

  @raise errors.ConfdClientError: it is there, or cannot be written

  """
  try:
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    try:
      with open(number, "w", encoding="ascii") as stream:
        stream.write(text)
    except OSError:
      # Half a key is none
      os.unlink(path)
      raise
  except OSError as err:
    raise errors.ConfdClientError("Cannot write the key to %s: %s" %
                                  (path, err.strerror)) from None


def RunAlone(opts: argparse.Namespace, key_file: str) -> int:
  """Makes a key.

  """
  label = MakeLabel(opts)
  text = keyfile.Format(localnode.ReadKey(key_file), label)
  if opts.file is None:
    print(text, end="")
  else:
    _Write(opts.file, text)
  return exitcodes.SUCCESS

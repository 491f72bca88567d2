#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What confd-client prints, and where.

Answers go to standard output, all else to standard error.

Rule 1: text for people goes through C{printable}, here or in C{table}; CSV
through C{cellformat}; JSON through L{FormatJson}; text for Nagios through
L{NagiosText}. The result never holds a control sequence of a terminal.

With --json each command prints one object, and L{FormatReply} is its form: the
answer, the serial of the configuration that it is from, who has answered, and
who has not. An error is C{{"error": TEXT}}, see L{cli}. Of several clusters it
is C{{"clusters": {NAME: ...}}} with either of the two for each, see
L{multicluster}.

Rule 2: whatever goes wrong, there is no second object behind the first one
(L{PrintDocument}).

"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time

from typing import Any, Dict, Iterable, Mapping, Optional, TextIO

from ganeti import confd
from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd import printable
from ganeti.confd.command import commandline
from ganeti.confd.command import table
from ganeti.confd.protocol import wire


#: Seconds after which it is shown how far an answer in parts is, and how often
_PROGRESS_AFTER = 2.0
_PROGRESS_INTERVAL = 0.2


class _Document:
  """The object of --json.

  """
  #: Whether it has been printed, perhaps not to its end
  is_printed = False


def WriteError(line: str) -> None:
  """Writes a line to standard error, if that takes it.

  Where it does not, the exit code still tells, and a watch goes on.

  """
  with contextlib.suppress(OSError):
    print(printable.Printable(line), file=sys.stderr, flush=True)


def WriteLine(line: str) -> None:
  """Writes a line to standard output.

  """
  print(printable.Printable(line))


def Say(text: str) -> None:
  """Tells the user something that is no answer.

  """
  WriteError("%s: %s" % (commandline.PROGRAM, text))


def SayWithPlace(text: str) -> None:
  """Tells the user what is wrong with something that he has typed.

  @param text: a sentence, and in further lines the place

  """
  (sentence, *place) = text.split("\n")
  Say(sentence)
  for line in place:
    WriteError(line)


def Describe(err: Exception) -> str:
  """Makes the sentence about an error that a user reads.

  """
  if isinstance(err, OSError):
    return ": ".join(str(i) for i in (err.filename, err.strerror) if i)
  if isinstance(err, errors.GenericError):
    return str(err)
  # All that a report needs, without the traceback
  place = err.__traceback__
  while place is not None and place.tb_next is not None:
    place = place.tb_next
  where = ("" if place is None else " (%s, line %d)" %
           (os.path.basename(place.tb_frame.f_code.co_filename),
            place.tb_lineno))
  return ("programming error: %s: %s%s; %s" %
          (err.__class__.__name__, err, where, confd.PLEASE_REPORT))


def FormatJson(value: Any, indent: Optional[int] = 2) -> str:
  # Most commands do without
  import json
  try:
    return json.dumps(value, indent=indent, sort_keys=True, allow_nan=False)
  except ValueError:
    # JSON has neither infinity nor NaN; they become null, as in replies
    return json.dumps(wire.Finite(value), indent=indent, sort_keys=True)


def NagiosText(text: str) -> str:
  """Makes a text for Nagios, which takes what follows a bar for numbers.

  """
  return printable.Printable(text).replace("|", "/")


def FormatReply(reply: clientlib.Reply[Any]) -> Dict[str, Any]:
  """Makes what is printed of a reply with --json.

  The answers of the single candidates are left out.

  """
  candidates = []
  for candidate in reply.candidates:
    row = candidate._asdict()
    del row["answer"]
    candidates.append(row)
  return {
    "answer": reply.answer,
    "serial": reply.serial,
    "candidates": candidates,
    "silent": reply.silent,
    }


def Begin() -> None:
  """Begins anew: nothing has been printed.

  """
  _Document.is_printed = False


def PrintDocument(value: Any, indent: Optional[int] = 2) -> bool:
  """Prints the object that a command prints with --json.

  @return: False if another one has been printed before, and this one was not

  """
  if _Document.is_printed:
    return False
  text = FormatJson(value, indent)
  # If printing fails, a part of the text may be out all the same
  _Document.is_printed = True
  print(text, flush=True)
  return True


def PrintReply(reply: clientlib.Reply[Any]) -> None:
  """Prints a reply with --json.

  """
  PrintDocument(FormatReply(reply))


def PrintLines(rows: Iterable[Mapping[str, Any]]) -> None:
  """Prints rows with --json-lines, one on a line.

  """
  for row in rows:
    print(FormatJson(row, indent=None))


def Printer(opts: argparse.Namespace) -> table.Printer:
  """Makes a printer of tables as the options have it.

  """
  return table.Printer(sys.stdout, getattr(opts, "headers", True),
                       getattr(opts, "separator", None))


class Progress:
  """A line on the terminal about an answer that is long in coming.

  """
  def __init__(self, asker: clientlib.Client,
               stream: Optional[TextIO] = None) -> None:
    self._asker = asker
    self._stream = sys.stderr if stream is None else stream
    self._show_at = 0.0
    self._is_shown = False

  def __enter__(self) -> Progress:
    if self._stream.isatty():
      self._show_at = time.monotonic() + _PROGRESS_AFTER
      self._asker.progress = self._Show
    return self

  def __exit__(self, *_: object) -> None:
    self._asker.progress = None
    if self._is_shown:
      self._Write("")

  def _Show(self, have: int, count: Optional[int]) -> None:
    now = time.monotonic()
    if now < self._show_at:
      return
    self._show_at = now + _PROGRESS_INTERVAL
    self._is_shown = True
    if count is None:
      self._Write("The answer is long; waiting for it")
    else:
      self._Write("The answer is long: part %d of %d" % (have, count))

  def _Write(self, text: str) -> None:
    # Back to the first column, and away with what is there
    self._stream.write("\r%s\033[K" % text)
    self._stream.flush()

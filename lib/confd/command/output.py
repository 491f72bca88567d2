#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Everything that confd-client prints.

Answers go to standard output, and messages to standard error.

Rule 1: no output contains a control sequence for terminals. Text goes through
C{printable}, here or in C{table}; CSV through C{cellformat}; JSON through
L{FormatJson}; text for Nagios through L{NagiosText}.

Rule 2: with --json a command prints exactly one object, even if an error comes
after it (L{PrintDocument}). The object has one of three forms:

  - L{FormatReply} makes the object of a reply: the answer, the serial of its
    configuration, the candidates that have answered and the silent ones.
  - An error is C{{"error": TEXT}}, see L{cli}.
  - For several clusters the object is C{{"clusters": {NAME: ...}}}, with one of
    the other two forms for each cluster, see L{multicluster}.

"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time

from ganeti import confd
from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd import printable
from ganeti.confd.command import commandline
from ganeti.confd.command import table
from ganeti.confd.typed import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any, Iterable, Mapping, Optional, TextIO


#: Seconds until the progress of an answer in several parts is shown, and
#: seconds between two updates of the progress
_PROGRESS_AFTER = 2.0
_PROGRESS_INTERVAL = 0.2

#: Where to read more about silent candidates
SEE_STATUS = ("\"%s status\" says how to find the cause" %
              commandline.PROGRAM)


class _Document:
  """The state of the object that --json prints.

  """
  #: Whether the JSON object of --json has been printed, perhaps only in part
  is_printed = False


def WriteError(line: str) -> None:
  """Writes a line to standard error.

  A failure of the write is ignored: the exit code still reports the error, and
  a watch goes on.

  """
  with contextlib.suppress(OSError):
    print(printable.Printable(line), file=sys.stderr, flush=True)


def WriteLine(line: str) -> None:
  """Writes a line to standard output.

  """
  print(printable.Printable(line))


def Say(text: str) -> None:
  """Prints a message to the user on standard error.

  """
  WriteError("%s: %s" % (commandline.PROGRAM, text))


def SayLines(text: str) -> None:
  """Prints a message of several lines.

  @param text: a sentence, and lines with an example or the place of a mistake

  """
  (sentence, *others) = text.split("\n")
  Say(sentence)
  for line in others:
    WriteError(line)


def Describe(err: Exception) -> str:
  """Returns a sentence about an error for the user.

  """
  if isinstance(err, OSError):
    return ": ".join(str(i) for i in (err.filename, err.strerror) if i)
  if isinstance(err, errors.GenericError):
    text = str(err)
    if None in getattr(err, "silent", {}).values():
      text += "; " + SEE_STATUS
    return text
  # Find the line that raised the exception, as the user is asked to report this
  # fault
  place = err.__traceback__
  while place is not None and place.tb_next is not None:
    place = place.tb_next
  where = ("" if place is None else " (%s, line %d)" %
           (os.path.basename(place.tb_frame.f_code.co_filename),
            place.tb_lineno))
  return ("programming error: %s: %s%s; %s" %
          (err.__class__.__name__, err, where, confd.PLEASE_REPORT))


def FormatJson(value: Any, indent: Optional[int] = 2) -> str:
  """Formats a value as JSON.

  Infinity and NaN, which JSON does not have, become null as in the daemon's
  answers. Python's own json has no option for that, but simplejson has one.

  """
  # Import simplejson only here, as most commands do not need it
  import simplejson
  text: str = simplejson.dumps(value, indent=indent, sort_keys=True,
                               ignore_nan=True, namedtuple_as_object=False)
  return text


def FormatReply(reply: clientlib.Reply[Any]) -> dict[str, Any]:
  """Converts a reply to the object that is printed with --json.

  The answers of single candidates are left out.

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
  """Resets the state: nothing has been printed.

  """
  _Document.is_printed = False


def PrintDocument(value: Any, indent: Optional[int] = 2) -> bool:
  """Prints the object of --json, unless one has been printed before.

  @return: whether the object was printed

  """
  if _Document.is_printed:
    return False
  text = FormatJson(value, indent)
  # Set the flag before the write, which may print a part of the text and then
  # fail: a second object must not follow
  _Document.is_printed = True
  print(text, flush=True)
  return True


def PrintReply(reply: clientlib.Reply[Any]) -> None:
  """Prints a reply with --json.

  """
  PrintDocument(FormatReply(reply))


def PrintLines(rows: Iterable[Mapping[str, Any]]) -> None:
  """Prints the rows of --json-lines, one per line.

  """
  for row in rows:
    print(FormatJson(row, indent=None))


def Printer(opts: argparse.Namespace) -> table.Printer:
  """Makes a printer of tables by the options.

  """
  return table.Printer(sys.stdout, getattr(opts, "headers", True),
                       getattr(opts, "separator", None))


class Progress:
  """Shows the progress of a long answer on the terminal.

  """
  def __init__(self, client: clientlib.Client,
               stream: Optional[TextIO] = None) -> None:
    self._client = client
    self._stream = sys.stderr if stream is None else stream
    self._show_at = 0.0
    self._is_shown = False

  def __enter__(self) -> Progress:
    if self._stream.isatty():
      self._show_at = time.monotonic() + _PROGRESS_AFTER
      self._client.progress = self._Show
    return self

  def __exit__(self, *_: object) -> None:
    self._client.progress = None
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
    # Overwrite the line: go to its start, and erase the rest (ECMA-48, EL)
    self._stream.write("\r%s\033[K" % text)
    self._stream.flush()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The type of the questions that "watch" follows, and the start of a watch.

The modules of the commands that can be watched make L{Watched}s. This module
does not import the modules of commands, so that only the module of the watched
command is loaded.

"""

from __future__ import annotations

import time

from typing import Any, Callable, Iterator, NamedTuple, Optional, Sequence

from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd.command import output


#: Seconds between two attempts to get the first answer
INTERVAL = 1.0

#: A function to be called with each error while following, and with None when
#: answers arrive again
ReportError = Callable[[Optional[Exception]], None]

#: A function that starts to follow a question, and returns the changes of the
#: answer
Start = Callable[[ReportError], Iterator[clientlib.Change]]


class Row(NamedTuple):
  """An item of an answer as a row of a table.

  """
  #: The titles of the cells; None for a row with a single cell
  titles: Optional[Sequence[str]]
  cells: Sequence[Any]


class Watched(NamedTuple):
  """A question to watch, and the functions that format its answers.

  """
  start: Start
  #: Prints an answer as text
  show: Callable[[Any], None]
  #: Converts an item of an answer to a row of a table
  row: Callable[[Any], Row]
  #: Converts an answer to the JSON value that --json prints; the argument is
  #: None if there is no answer
  to_json: Callable[[Any], Any]
  #: Converts an item of an answer to the JSON value that --json prints
  item_to_json: Callable[[Any], Any]


def Follow(start: Start, prefix: str = "") -> Iterator[clientlib.Change]:
  """Follows a question, and keeps trying until it has a first answer.

  @param prefix: the text before each message
  @return: changes; the first one has the whole answer
  @raise clientlib.ErrorAnswer: the first answer is an error

  """
  def _ReportError(err: Optional[Exception]) -> None:
    output.Say(prefix + ("There are answers again" if err is None
                         else "%s; trying again" % output.Describe(err)))

  has_failed = False
  while True:
    following = start(_ReportError)
    try:
      first = next(following, None)
    except clientlib.ErrorAnswer:
      raise
    except (errors.ConfdClientError, errors.ConfigurationError) as err:
      if not has_failed:
        _ReportError(err)
      has_failed = True
      time.sleep(INTERVAL)
      continue
    if has_failed:
      _ReportError(None)
    if first is not None:
      yield first
    yield from following
    return

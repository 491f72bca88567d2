#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "watch": being told of changes.

Of any change of the configuration, or of an answer: that of C{list} or of one
of the questions. When there is something new, whose word counts, and what
becomes of a serial that goes back is the client library's to know; candidates
that are down, all of them even, only make a change show later.

With C{--exec} a command is run at each change. While it runs nothing else
happens: what changes meanwhile makes it run once more. It ends with this
program.

"""

from __future__ import annotations

import argparse
import functools
import sys
import time

from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional

from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd.command import child
from ganeti.confd.command import commandline
from ganeti.confd.command import exitcodes
from ganeti.confd.command import output
from ganeti.confd.command import table


#: Seconds between two questions where nobody has answered yet
INTERVAL = 1.0

#: Where a command that is run finds the new serial and the old one
_SERIAL_VARIABLE = "CONFD_SERIAL"
_OLD_SERIAL_VARIABLE = "CONFD_OLD_SERIAL"

#: Seconds until a file that could not be exported is tried again
_EXPORT_AGAIN = 5.0


#: Begins to follow; is called with what is to be told of trouble
Begin = Callable[[Callable[[Optional[Exception]], None]],
                 Iterator[clientlib.Change]]


class Watched(NamedTuple):
  """What is watched.

  """
  #: Begins to follow it
  follow: Begin
  #: Prints an answer for people
  show: Callable[[Any], None]
  #: Returns the titles of an item's cells; None for one that has only one cell
  titles: Callable[[Any], Any]
  #: Makes the cells of an item
  cells: Callable[[Any], Any]
  #: Makes what is printed of an answer with --json, and of an item
  tell: Callable[[Any], Any]
  tell_item: Callable[[Any], Any]


def _SayTrouble(err: Optional[Exception]) -> None:
  output.Say("There are answers again" if err is None
             else "%s; trying on" % output.Describe(err))


def Follow(begin: Begin) -> Iterator[clientlib.Change]:
  """Returns the changes, the first of which is the answer as it is.

  @raise clientlib.ErrorAnswer: it is an error from the start on

  """
  is_lost = False
  while True:
    following = begin(_SayTrouble)
    try:
      first = next(following, None)
    except clientlib.ErrorAnswer:
      raise
    except (errors.ConfdClientError, errors.ConfigurationError) as err:
      if not is_lost:
        _SayTrouble(err)
      is_lost = True
      time.sleep(INTERVAL)
      continue
    if is_lost:
      _SayTrouble(None)
    if first is not None:
      yield first
    yield from following
    return


def _IsStart(change: clientlib.Change) -> bool:
  return change.old_serial is None


def _Key(key: Any) -> str:
  """Writes a key.

  """
  if key is None:
    return ""
  return " ".join(str(i) for i in key) if isinstance(key, tuple) else str(key)


def _Lines(change: clientlib.Change, watched: Watched,
           separator: Optional[str]) -> List[str]:
  """Makes the lines about what came, went and changed.

  """
  lines: List[str] = []
  for (sign, items) in (("-", change.went), ("+", change.came)):
    rows = [watched.cells(item) for item in items.values()]
    if rows:
      lines.extend("%s %s" % (sign, line)
                   for line in table.Format(None, rows, separator))
  for (key, (old, new)) in change.changed.items():
    cells = [[table.Format(None, [[i]])[0] for i in pair]
             for pair in zip(watched.cells(old), watched.cells(new))]
    titles = watched.titles(new)
    if titles is None:
      different = ["%s -> %s" % (a, b) for (a, b) in cells if a != b]
    else:
      different = ["%s: %s -> %s" % (title, a, b)
                   for (title, (a, b)) in zip(titles, cells) if a != b]
    name = "%s " % table.Format(None, [[_Key(key)]])[0] if key is not None \
      else ""
    if different:
      lines.append("~ %s%s" % (name, ", ".join(different)))
  return lines


def _Print(change: clientlib.Change, watched: Watched,
           opts: argparse.Namespace) -> None:
  """Prints a change for people.

  """
  if _IsStart(change):
    watched.show(change.reply.answer)
    return
  lines = _Lines(change, watched, getattr(opts, "separator", None))
  if lines:
    _PrintSerials(change)
    for line in lines:
      output.WriteLine(line)


def _PrintSerials(change: clientlib.Change) -> None:
  print("%s serial %d (was %d)" % (time.strftime("%Y-%m-%d %H:%M:%S"),
                                   change.reply.serial, change.old_serial or 0))


def _Event(change: clientlib.Change, watched: Optional[Watched]) -> str:
  """Makes a line of JSON of a change.

  @param watched: None for the serial alone

  """
  event: Dict[str, Any] = {
    "time": int(time.time()),
    "old": change.old_serial,
    "serial": change.reply.serial,
    }
  if watched is not None:
    tell = watched.tell_item
    event.update(
      now=watched.tell(change.reply.answer),
      came={_Key(key): tell(item) for (key, item) in change.came.items()},
      went={_Key(key): tell(item) for (key, item) in change.went.items()},
      changed={_Key(key): {"old": tell(old), "new": tell(new)}
               for (key, (old, new)) in change.changed.items()})
  return output.FormatJson(output.FormatReply(change.reply.With(event)),
                           indent=None)


def _RunCommand(words: List[str], change: clientlib.Change,
                event: Optional[str]) -> None:
  """Runs a command.

  @param event: what it can read, None for nothing

  """
  variables = {
    _SERIAL_VARIABLE: str(change.reply.serial),
    _OLD_SERIAL_VARIABLE: str("" if _IsStart(change) else change.old_serial),
    }
  try:
    code = child.Run(words, variables, None if event is None else event + "\n")
  except OSError as err:
    # It may be there again at the next change
    output.Say("Cannot run '%s': %s" % (words[0], err.strerror))
    return
  if code != 0:
    output.Say("'%s' %s" % (" ".join(words), child.HowItEnded(code)))


def _Watch(asker: clientlib.Client, opts: argparse.Namespace) -> None:
  """Acts on each change, for good.

  """
  watched: Optional[Watched] = None
  serial = Watched(
    lambda trouble: asker.FollowCall(lambda confd: confd.Serial(),
                                     trouble=trouble),
    lambda _: None, lambda _: None, lambda item: [item], lambda answer: answer,
    lambda item: item)
  if opts.question is not None:
    watched = _Subject(asker, opts)
  words = opts.command_line
  for change in Follow((watched or serial).follow):
    if _IsStart(change) and watched is None:
      output.Say("The serial is %d" % change.reply.serial)
    if _IsStart(change) and not opts.initial and (words or watched is None):
      continue
    try:
      if words:
        _RunCommand(words, change,
                    None if watched is None else _Event(change, watched))
      elif opts.json:
        print(_Event(change, watched), flush=True)
      elif watched is not None:
        _Print(change, watched, opts)
      else:
        _PrintSerials(change)
      # Flush each change, so that a pipe's reader has it at once, too
      sys.stdout.flush()
    except OSError:
      raise
    except Exception as err: # pylint: disable=W0718
      # No value of a configuration ends a watch
      output.Say("%s; trying on" % output.Describe(err))


async def _Ask(ask: Any, opts: argparse.Namespace, confd: Any
               ) -> clientlib.Reply[Any]:
  reply: clientlib.Reply[Any] = await ask(confd, opts)
  return reply


def _Subject(asker: clientlib.Client, opts: argparse.Namespace) -> Watched:
  """Makes what there is to know about a question that is watched.

  """
  if opts.question == "list":
    from ganeti.confd.command import cmd_list
    (follow, show, titles, cells, tell_item) = cmd_list.Watch(asker, opts)
    return Watched(follow, show, lambda _: titles, cells,
                   lambda rows: rows and [tell_item(row) for row in rows],
                   tell_item)
  from ganeti.confd.command import cmd_question
  question = cmd_question.QUESTIONS[opts.question]
  is_told = opts.json or bool(opts.command_line)
  # With the library's own asker, it returns what can be awaited
  ask: Any = question.ask
  return Watched(
    lambda trouble: asker.FollowCall(
      functools.partial(_Ask, ask, opts),
      lambda answer: cmd_question.Items(question, answer, opts, is_told),
      trouble),
    lambda answer: cmd_question.Show(question, answer, opts),
    lambda item: item.titles, lambda item: item.cells,
    lambda answer: cmd_question.Tell(question, answer, opts),
    lambda item: item.value)


def _Export(asker: clientlib.Client, opts: argparse.Namespace) -> None:
  """Keeps a file up to date, for good.

  """
  from ganeti.confd.command import cmd_export
  (begin, update) = cmd_export.Watch(asker, opts)
  # What was said of it last, while it does not work
  said = ""
  while True:
    # After an error there may be other things to write than before
    for change in Follow(begin):
      try:
        if update(change.reply) != exitcodes.SUCCESS:
          break
      except Exception as err: # pylint: disable=W0718
        text = output.Describe(err)
        if text != said:
          output.Say("%s; trying on" % text)
        said = text
        break
      said = ""
    time.sleep(_EXPORT_AGAIN)


def Run(asker: clientlib.Client, opts: argparse.Namespace) -> int:
  """Prints something, or runs a command, at each change.

  """
  if opts.command_line:
    import shutil
    if shutil.which(opts.command_line[0]) is None:
      raise errors.ConfdClientError("No such command: '%s'" %
                                    opts.command_line[0])
  with child.EndingWithSignals():
    if opts.question == commandline.EXPORT:
      _Export(asker, opts)
    else:
      _Watch(asker, opts)
  return exitcodes.SUCCESS

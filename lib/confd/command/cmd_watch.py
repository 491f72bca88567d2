#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "watch": prints changes, or runs a command at each.

The command follows the configuration's serial, the answer to C{list}, or the
answer to a question of the protocol. The client library notices changes, and
ignores a serial that goes back. While no candidate answers, changes are only
noticed later.

With C{--exec} a command is run at each change. While the command runs, this
program does nothing else. For all changes in the meantime together, the command
runs once more. When this program is ended, it ends the command first
(L{child}).

"""

from __future__ import annotations

import argparse
import functools
import sys
import time

from typing import Any, Callable, Iterator, Optional

from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd import localnode
from ganeti.confd.command import child
from ganeti.confd.command import commandline
from ganeti.confd.command import exitcodes
from ganeti.confd.command import multicluster
from ganeti.confd.command import output
from ganeti.confd.command import table
from ganeti.confd.command import watched


#: The environment variables that pass the new and the old serial to the command
_SERIAL_VARIABLE = "CONFD_SERIAL"
_OLD_SERIAL_VARIABLE = "CONFD_OLD_SERIAL"

#: The environment variable that passes the name of the cluster to the command,
#: if several clusters are watched
(_CLUSTER_VARIABLE, *_) = localnode.CLIENT_VARIABLES


def _IsStart(change: clientlib.Change) -> bool:
  return change.old_serial is None


def _FormatKey(key: Any) -> str:
  """Formats the key of an item.

  """
  if key is None:
    return ""
  return " ".join(str(i) for i in key) if isinstance(key, tuple) else str(key)


def _Line(key: Any, old: watched.Row, new: watched.Row) -> Optional[str]:
  """Formats the difference between two rows; None if their texts are equal.

  """
  pairs = [[table.Format(None, [[cell]])[0] for cell in pair]
           for pair in zip(old.cells, new.cells)]
  if new.titles is None:
    different = ["%s -> %s" % (a, b) for (a, b) in pairs if a != b]
  else:
    different = ["%s: %s -> %s" % (title, a, b)
                 for (title, (a, b)) in zip(new.titles, pairs) if a != b]
  if not different:
    return None
  name = ("" if key is None else
          "%s " % table.Format(None, [[_FormatKey(key)]])[0])
  return "~ %s%s" % (name, ", ".join(different))


def _Lines(change: clientlib.Change, subject: watched.Watched,
           separator: Optional[str]) -> list[str]:
  """Formats the items that were removed, added and changed.

  """
  lines: list[str] = []
  for (sign, items) in (("-", change.went), ("+", change.came)):
    rows = [subject.row(item).cells for item in items.values()]
    if rows:
      lines.extend("%s %s" % (sign, line)
                   for line in table.Format(None, rows, separator))
  for (key, (old, new)) in change.changed.items():
    line = _Line(key, subject.row(old), subject.row(new))
    if line is not None:
      lines.append(line)
  return lines


def _PrintSerials(change: clientlib.Change, cluster: Optional[str]) -> None:
  print("%s %sserial %d (was %d)" % (time.strftime("%Y-%m-%d %H:%M:%S"),
                                     "" if cluster is None else cluster + " ",
                                     change.reply.serial,
                                     change.old_serial or 0))


def _Print(change: clientlib.Change, subject: watched.Watched,
           opts: argparse.Namespace, cluster: Optional[str]) -> None:
  """Prints a change as text.

  """
  if _IsStart(change):
    if cluster is not None:
      output.WriteLine("%s:" % cluster)
    subject.show(change.reply.answer)
    return
  lines = _Lines(change, subject, getattr(opts, "separator", None))
  if lines:
    _PrintSerials(change, cluster)
    for line in lines:
      output.WriteLine(line)


def _Event(change: clientlib.Change, subject: Optional[watched.Watched],
           cluster: Optional[str]) -> str:
  """Formats a change as a line of JSON.

  @param subject: None if only the serial is watched
  @param cluster: see L{_Handle}

  """
  event: dict[str, Any] = {
    "time": int(time.time()),
    "old": change.old_serial,
    "serial": change.reply.serial,
    }
  if cluster is not None:
    event["cluster"] = cluster
  if subject is not None:
    convert = subject.item_to_json
    event.update(
      now=subject.to_json(change.reply.answer),
      came={_FormatKey(key): convert(item)
            for (key, item) in change.came.items()},
      went={_FormatKey(key): convert(item)
            for (key, item) in change.went.items()},
      changed={_FormatKey(key): {"old": convert(old), "new": convert(new)}
               for (key, (old, new)) in change.changed.items()})
  return output.FormatJson(output.FormatReply(change.reply.With(event)),
                           indent=None)


def _RunCommand(words: list[str], change: clientlib.Change,
                event: Optional[str], cluster: Optional[str]) -> None:
  """Runs a command.

  @param event: the command's standard input; None for the one of this program
  @param cluster: see L{_Handle}

  """
  variables = {
    _SERIAL_VARIABLE: str(change.reply.serial),
    _OLD_SERIAL_VARIABLE: str("" if _IsStart(change) else change.old_serial),
    }
  if cluster is not None:
    # If the command runs confd-client, let it ask the same cluster
    variables[_CLUSTER_VARIABLE] = cluster
  try:
    code = child.Run(words, variables, None if event is None else event + "\n")
  except OSError as err:
    # Do not end "watch": the program may be installed again before the next
    # change
    output.Say("Cannot run '%s': %s" % (words[0], err.strerror))
    return
  if code != 0:
    output.Say("'%s' %s" % (" ".join(words), child.HowItEnded(code)))


def _Handle(change: clientlib.Change, subject: Optional[watched.Watched],
            opts: argparse.Namespace, cluster: Optional[str] = None) -> None:
  """Prints a change, or runs the command.

  @param cluster: the name of the cluster; None if only one is watched

  """
  words = opts.command_line
  if _IsStart(change):
    if subject is None:
      output.Say("%sThe serial is %d" % ("" if cluster is None else
                                         "%s: " % cluster, change.reply.serial))
    if not opts.initial and (words or subject is None):
      return
  if words:
    _RunCommand(words, change, None if subject is None else
                _Event(change, subject, cluster), cluster)
  elif opts.json:
    print(_Event(change, subject, cluster), flush=True)
  elif subject is not None:
    _Print(change, subject, opts, cluster)
  else:
    _PrintSerials(change, cluster)
  # Show each change at once, even if standard output is a pipe
  sys.stdout.flush()


def _Subject(client: clientlib.Client, opts: argparse.Namespace
             ) -> Optional[watched.Watched]:
  """Returns the question to watch; None for the serial alone.

  """
  if opts.question is None:
    return None
  if opts.question == "list":
    from ganeti.confd.command import cmd_list
    return cmd_list.Watch(client, opts)
  from ganeti.confd.command import cmd_question
  return cmd_question.Watch(client, opts)


def _Follow(client: clientlib.Client, subject: Optional[watched.Watched],
            prefix: str = "") -> Iterator[clientlib.Change]:
  """Yields each change, for ever.

  @param subject: None for the serial alone
  @param prefix: the text before each message

  """
  def _StartSerial(report_error: watched.ReportError
                   ) -> Iterator[clientlib.Change]:
    return client.FollowCall(lambda confd: confd.Serial(),
                             on_error=report_error)

  return watched.Follow(_StartSerial if subject is None else subject.start,
                        prefix)


def _HandleSafely(change: clientlib.Change, subject: Optional[watched.Watched],
                  opts: argparse.Namespace, cluster: Optional[str] = None
                  ) -> None:
  """Handles a change; a value that causes an error does not end the watch.

  """
  try:
    _Handle(change, subject, opts, cluster)
  except OSError:
    raise
  except Exception as err: # pylint: disable=W0718
    output.Say("%s; trying again" % output.Describe(err))


def _Watch(client: clientlib.Client, opts: argparse.Namespace) -> None:
  """Handles each change, and never returns.

  """
  subject = _Subject(client, opts)
  for change in _Follow(client, subject):
    _HandleSafely(change, subject, opts)


def RunMultiCluster(factories: multicluster.ClientFactories,
                    opts: argparse.Namespace) -> int:
  """Watches several clusters.

  @return: exit code, if no cluster can be watched

  """
  def _Each(client: clientlib.Client, name: str
            ) -> Iterator[Callable[[], None]]:
    subject = _Subject(client, opts)
    for change in _Follow(client, subject, "%s: " % name):
      yield functools.partial(_HandleSafely, change, subject, opts, name)

  _CheckCommand(opts)
  with child.EndingWithSignals():
    return multicluster.RunSteps(factories, _Each)


def _CheckCommand(opts: argparse.Namespace) -> None:
  """@raise errors.ConfdClientError: there is no such command to run

  """
  if opts.command_line:
    import shutil
    if shutil.which(opts.command_line[0]) is None:
      raise errors.ConfdClientError("No such command: '%s'" %
                                    opts.command_line[0])


def Run(client: clientlib.Client, opts: argparse.Namespace) -> int:
  """Prints each change, or runs a command at each change.

  """
  _CheckCommand(opts)
  with child.EndingWithSignals():
    if opts.question == commandline.EXPORT:
      from ganeti.confd.command import cmd_export
      cmd_export.Watch(client, opts)
    else:
      _Watch(client, opts)
  return exitcodes.SUCCESS

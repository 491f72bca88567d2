#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What the commands of confd-client do: ask, and print.

Answers go to stdout, all else to stderr. Options are those of L{cli}.

"""

import collections
import contextlib
import os
import shutil
import subprocess
import sys
import time

import simplejson

from ganeti import constants
from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd import protocol
from ganeti.confd.clientlib import exchange
from ganeti.confd.command import commands
from ganeti.confd.command import drawing
from ganeti.confd.command import follow
from ganeti.confd.command import listing
from ganeti.confd.command import metrics
from ganeti.confd.command import selftest
from ganeti.confd.command import status
from ganeti.confd.command import table


#: Exit code of a question that nobody has answered
EXIT_NO_ANSWER = 3

_STATE_CODES = {
  status.OK: constants.EXIT_SUCCESS,
  status.WARNING: constants.EXIT_FAILURE,
  status.CRITICAL: EXIT_NO_ANSWER,
  }

#: Seconds after which it is shown how far an answer in parts is, and how often
_PROGRESS_AFTER = 2.0
_PROGRESS_INTERVAL = 0.2

#: Where a command that C{watch} runs finds the new serial
_SERIAL_VARIABLE = "CONFD_SERIAL"


def Say(text):
  print("confd-client: %s" % text, file=sys.stderr, flush=True)


class _Progress:
  """A line on the terminal about an answer that is long in coming.

  """
  def __init__(self, asker, stream):
    self._asker = asker
    self._stream = stream
    self._show_at = None
    self._shown = False

  def __enter__(self):
    if self._stream.isatty():
      self._show_at = time.monotonic() + _PROGRESS_AFTER
      self._asker.progress = self._Show
    return self

  def __exit__(self, *_):
    self._asker.progress = None
    if self._shown:
      self._Write("")

  def _Show(self, have, count):
    now = time.monotonic()
    if now < self._show_at:
      return
    self._show_at = now + _PROGRESS_INTERVAL
    self._shown = True
    if count is None:
      self._Write("The answer is long; waiting for it")
    else:
      self._Write("The answer is long: part %d of %d" % (have, count))

  def _Write(self, text):
    # Back to the first column, and away with what is there
    self._stream.write("\r%s\033[K" % text)
    self._stream.flush()


def _PrintJson(value):
  print(simplejson.dumps(value, indent=2, sort_keys=True))


def _ReplyToDict(reply):
  return {
    "answer": reply.answer,
    "serial": reply.serial,
    "candidates": [dict((name, value) for (name, value) in i._asdict().items()
                        if name != "answer") for i in reply.candidates],
    "silent": reply.silent,
    }


def _Printer(opts):
  return table.Printer(sys.stdout, opts.headers, opts.separator)


@contextlib.contextmanager
def _Expecting(whose):
  """Makes a clear error of an answer with another form than all have.

  """
  try:
    yield
  except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
    raise errors.ConfdClientError("The answer of %s does not have the form that"
                                  " was expected; --json shows it" % whose)


def RunQuestion(asker, opts, name, args):
  """Asks one of the questions of the protocol.

  """
  command = commands.COMMANDS[name]
  with _Progress(asker, sys.stderr):
    reply = command.ask(asker, *args)
  if opts.json:
    _PrintJson(_ReplyToDict(reply))
  else:
    with _Expecting(reply.candidates[0].address):
      view = command.show(reply.answer, args)
      _Printer(opts).Print(view.headers, view.rows, view.numeric)
  return constants.EXIT_SUCCESS


def _RunStatus(asker, opts, _name, _args):
  """Shows how the master candidates are.

  """
  rows = status.Ask(asker)
  state = status.State(rows)
  if opts.nagios:
    print(status.NagiosLine(rows))
    return status.NAGIOS_CODES[state]
  if opts.json:
    _PrintJson([row._asdict() for row in rows])
  else:
    colours = ["red" if row.serial is None else
               "yellow" if row.problem else None for row in rows]
    _Printer(opts).Print(status.HEADERS, [status.Cells(row) for row in rows],
                         status.NUMERIC, colours)
  return _STATE_CODES[state]


def _RunStats(asker, opts, _name, _args):
  """Shows what the daemons tell about themselves.

  """
  (replies, silent) = asker.Survey(protocol.REQ_STATS)
  answers = {}
  for reply in sorted(replies, key=lambda i: i.address):
    if (reply.status == constants.CONFD_REPL_STATUS_OK and
        isinstance(reply.answer, dict)):
      answers[reply.address] = reply.answer
    else:
      Say(exchange.DescribeError(protocol.REQ_STATS, None, reply))
  for (address, reason) in sorted(silent.items()):
    Say("%s: %s" % (address, reason or "no answer: as from a daemon without"
                    " these counters, or see the command status"))
  if not answers:
    raise clientlib.NoAnswer("No answer to stats from anybody")
  if opts.json:
    _PrintJson(answers)
  else:
    with _Expecting(", ".join(answers)):
      if opts.prometheus:
        sys.stdout.write(metrics.Prometheus(answers))
      else:
        (headers, rows) = metrics.Table(answers)
        _Printer(opts).Print(headers, rows, range(1, len(headers)))
  return constants.EXIT_FAILURE if silent else constants.EXIT_SUCCESS


def _RunWatch(asker, opts, _name, args):
  """Prints a line, or runs a command, each time the configuration changes.

  """
  if args and shutil.which(args[0]) is None:
    raise errors.ConfdClientError("No such command: '%s'" % args[0])

  def _Moved(old, new):
    if args:
      try:
        code = subprocess.call(args, env=dict(os.environ,
                                              **{_SERIAL_VARIABLE: str(new)}))
      except OSError as err:
        # It may be there again at the next change
        Say("Cannot run '%s': %s" % (args[0], err.strerror))
        return
      if code != 0:
        Say("'%s' ended with exit code %d" % (" ".join(args), code))
    elif opts.json:
      print(simplejson.dumps({"time": int(time.time()), "old": old,
                              "serial": new}), flush=True)
    else:
      print("%s serial %d (was %d)" %
            (time.strftime("%Y-%m-%d %H:%M:%S"), new, old), flush=True)
  follow.Follow(asker, _Moved, Say)


def _RunList(asker, opts, _name, args):
  """Lists objects.

  """
  what = listing.KINDS[args[0]]
  fields = listing.ParseFields(opts.output, what)
  with _Progress(asker, sys.stderr):
    reply = listing.Ask(asker, what, fields, args[1:], opts.filter, opts.sort)
  found = reply.answer
  unit = opts.units or ("h" if opts.separator is None and not opts.csv else "m")
  if opts.json:
    _PrintJson(_ReplyToDict(reply._replace(answer=found.ToDicts())))
  elif opts.csv:
    found.PrintCsv(sys.stdout, opts.headers, unit)
  else:
    found.Print(_Printer(opts), unit)
  return constants.EXIT_SUCCESS


def _RunListFields(asker, opts, _name, args):
  """Lists the fields that objects have.

  """
  reply = asker.Fields(listing.KINDS[args[0]])
  (shown, unknown) = listing.SelectFields(reply.answer, args[1:])
  if opts.json:
    _PrintJson(_ReplyToDict(reply._replace(answer=shown)))
  else:
    listing.PrintFields(_Printer(opts), shown)
  if unknown:
    Say("no such field: %s" % ", ".join(unknown))
    return constants.EXIT_FAILURE
  return constants.EXIT_SUCCESS


def _RunMap(asker, opts, _name, _args):
  """Draws the cluster.

  """
  with _Progress(asker, sys.stderr):
    found = drawing.Ask(asker)
  lines = (drawing.Dot if opts.dot else drawing.Text)(*found)
  _Printer(opts).Print(None, [[line] for line in lines])
  return constants.EXIT_SUCCESS


def _RunSelfTest(asker, opts, _name, _args):
  """Does what Ganeti's command of this name does.

  """
  selftest.Check(asker)
  selftest.Time(asker, opts.requests)
  return constants.EXIT_SUCCESS


#: A command that is no question of the protocol; C{run} called with the
#: client, options, name and arguments, returns the exit code; C{coverage} as
#: L{sync.Client}'s
_Special = collections.namedtuple("_Special", ["arguments", "minimum",
                                               "maximum", "run", "coverage",
                                               "text"])

SPECIAL = {
  "list": _Special("WHAT [NAME...]", 1, None, _RunList, 0,
                   "instances, nodes, groups, networks or disks"),
  "list-fields": _Special("WHAT [FIELD...]", 1, None, _RunListFields, 0,
                          "fields that they have"),
  "map": _Special("", 0, 0, _RunMap, 0, "the cluster as a drawing"),
  "status": _Special("", 0, 0, _RunStatus, -1,
                     "how the master candidates are"),
  "stats": _Special("", 0, 0, _RunStats, -1,
                    "what the daemons have done, and with what"),
  "watch": _Special("[COMMAND...]", 0, None, _RunWatch, -1,
                    "print a line, or run a command, at each change"),
  }

#: Without a command
SELF_TEST = _Special("", 0, 0, _RunSelfTest, 0, "")

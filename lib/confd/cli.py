#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The command confd-client.

Exit codes: 0, else those of L{_EXIT_CODES}; 2 also for wrong usage. Whatever
happens, the user reads a sentence and no traceback.

"""

import optparse
import os
import sys

import simplejson

from ganeti import constants
from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd import commands
from ganeti.confd import peers
from ganeti.confd import table


EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_NO_ANSWER = 3

#: The first class that fits counts
_EXIT_CODES = [
  (clientlib.NoAnswer, EXIT_NO_ANSWER),
  (errors.GenericError, EXIT_ERROR),
  ]

#: What a shell makes of a program that a signal has ended
_EXIT_INTERRUPTED = 130
_EXIT_BROKEN_PIPE = 141


class _Parser(optparse.OptionParser):
  """An option parser that lists the commands, too.

  """
  def format_epilog(self, formatter):
    usages = [("%s %s" % (name, command.arguments)).strip()
              for (name, command) in commands.COMMANDS.items()]
    rows = [["  " + usage, command.text] for (usage, command) in
            zip(usages, commands.COMMANDS.values())]
    return "\nCommands:\n%s\n" % "\n".join(table.Format(None, rows))


def _BuildParser():
  parser = _Parser(prog="confd-client",
                   usage="%prog [OPTION...] COMMAND [ARGUMENT...]",
                   version="%%prog (ganeti-confd) %s" %
                   constants.RELEASE_VERSION)
  parser.add_option("-a", "--address", dest="addresses",
                    metavar="ADDRESS[,ADDRESS...]",
                    help="whom to ask: names or addresses, each with :PORT or"
                    " without (default: the master candidates that this node"
                    " knows, else 127.0.0.1)")
  parser.add_option("-p", "--port", dest="port", type="int", metavar="PORT",
                    help="UDP port (default: the services database's, else %d)"
                    % constants.DEFAULT_CONFD_PORT)
  parser.add_option("--hmac-file", dest="hmac_file", metavar="FILE",
                    help="file with the cluster's HMAC key (default: this"
                    " node's)")
  parser.add_option("--json", dest="json", action="store_true", default=False,
                    help="print JSON")
  return parser


def _CheckOptions(parser, opts):
  """Refuses values that make no sense.

  """
  if opts.port is not None and not 0 < opts.port < 65536:
    parser.error("not a port: %d" % opts.port)
  if opts.addresses is None:
    opts.peers = None
    return
  opts.peers = [text.strip() for text in opts.addresses.split(",")]
  for peer in opts.peers:
    try:
      peers.Parse(peer, 0)
    except errors.ConfdClientError as err:
      parser.error(str(err))


def _ParseArguments(parser, argv):
  """Takes the command line apart; options may stand anywhere.

  @rtype: tuple of (options, string, list)
  @return: options, command and its arguments

  """
  (opts, args) = parser.parse_args(argv)
  _CheckOptions(parser, opts)
  if not args:
    parser.error("no command")
  (name, args) = (args[0], args[1:])
  command = commands.COMMANDS.get(name)
  if command is None:
    parser.error("no such command: %s" % name)
  if len(args) < command.minimum or (command.maximum is not None and
                                     len(args) > command.maximum):
    parser.error("usage: %s" % ("%s %s" % (name, command.arguments)).strip())
  return (opts, name, args)


def ReplyToDict(reply):
  """Makes a reply fit for JSON.

  """
  return {
    "answer": reply.answer,
    "serial": reply.serial,
    "candidates": [dict((name, value) for (name, value) in i._asdict().items()
                        if name != "answer") for i in reply.candidates],
    "silent": reply.silent,
    }


def _Ask(opts, name, args):
  """Asks a question and prints the answer.

  @rtype: int
  @return: exit code

  """
  command = commands.COMMANDS[name]
  with clientlib.Client(peers=opts.peers, key_file=opts.hmac_file,
                        port=opts.port) as asker:
    reply = command.ask(asker, *args)
  view = command.show(reply.answer, args)
  if opts.json:
    print(simplejson.dumps(ReplyToDict(reply), indent=2, sort_keys=True))
  else:
    for line in table.Format(view.headers, view.rows, numeric=view.numeric):
      print(line)
  return EXIT_ERROR if view.failed else constants.EXIT_SUCCESS


def _Say(text):
  print("confd-client: %s" % text, file=sys.stderr)


def Main(argv=None):
  """Runs the command.

  @type argv: list of strings or None
  @param argv: the arguments; None for those of the process
  @rtype: int
  @return: exit code

  """
  for stream in (sys.stdout, sys.stderr):
    stream.reconfigure(errors="backslashreplace")
  try:
    (opts, name, args) = _ParseArguments(_BuildParser(), argv)
    result = _Ask(opts, name, args)
    sys.stdout.flush()
    return result
  except SystemExit as err:
    return err.code
  except KeyboardInterrupt:
    return _EXIT_INTERRUPTED
  except BrokenPipeError:
    # Python would try once more when it ends
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return _EXIT_BROKEN_PIPE
  except errors.GenericError as err:
    _Say(err)
    return next(code for (kind, code) in _EXIT_CODES if isinstance(err, kind))

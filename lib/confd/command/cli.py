#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The command confd-client: options, the key, exit codes.

Rule: whatever happens, the user reads a sentence that names what is wrong, and
no traceback.

"""

import optparse
import os
import sys

from ganeti import constants
from ganeti import errors
from ganeti.confd import _version
from ganeti.confd import client as clientlib
from ganeti.confd import localnode
from ganeti.confd.clientlib import candidates
from ganeti.confd.command import actions
from ganeti.confd.command import commands
from ganeti.confd.command import listing
from ganeti.confd.command import status
from ganeti.confd.command import table


#: What a shell makes of a program that a signal has ended
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141

#: Which error ends in which exit code; the first class that fits counts
_EXIT_CODES = [
  (clientlib.NoAnswer, actions.EXIT_NO_ANSWER),
  (errors.GenericError, constants.EXIT_FAILURE),
  (OSError, constants.EXIT_FAILURE),
  ]

#: Longest time to wait for an answer, in seconds
_MAX_TIMEOUT = 86400

#: Seconds to find out whether a key is the right one
_KEY_TIMEOUT = 3.0

#: The command that options of its own may follow
_WATCH = "watch"


class _Parser(optparse.OptionParser):
  """An option parser that lists the commands, too.

  """
  def format_epilog(self, formatter):
    rows = [["  %s %s" % (name, command.arguments), command.text]
            for all_commands in (commands.COMMANDS, actions.SPECIAL)
            for (name, command) in all_commands.items()]
    return ("\nCommands (none: a self test, then timings):\n%s\n" %
            "\n".join(table.Format(None, rows)))


def _BuildParser():
  parser = _Parser(prog="confd-client",
                   usage="%prog [OPTION...] [COMMAND [ARGUMENT...]]",
                   version="%%prog (ganeti-confd) %s" % _version.VERSION)
  parser.add_option("-a", "--address", dest="addresses",
                    metavar="ADDRESS[,ADDRESS...]",
                    help="whom to ask: names or addresses, each with :PORT or"
                    " without (default: the master candidates that this node"
                    " knows, else 127.0.0.1)")
  parser.add_option("-p", "--port", dest="port", type="int", metavar="PORT",
                    help="UDP port (default: the services database's, else %d)"
                    % constants.DEFAULT_CONFD_PORT)
  parser.add_option("--hmac", dest="hmac", metavar="KEY",
                    help="the cluster's HMAC key; others may see it in the"
                    " list of processes")
  parser.add_option("--hmac-file", dest="hmac_file", metavar="FILE",
                    help="file with the cluster's HMAC key (default: this"
                    " node's)")
  parser.add_option("-t", "--timeout", dest="timeout", type="float",
                    default=float(constants.CONFD_CLIENT_EXPIRE_TIMEOUT),
                    metavar="SECONDS",
                    help="how long to wait for an answer (default: %default)")
  parser.add_option("--coverage", dest="coverage", type="int",
                    metavar="NUMBER",
                    help="how many candidates to ask, -1 for all (default:"
                    " %d, or all if they are fewer)" %
                    constants.CONFD_DEFAULT_REQ_COVERAGE)
  parser.add_option("--json", dest="json", action="store_true", default=False,
                    help="print JSON")
  parser.add_option("--no-headers", dest="headers", action="store_false",
                    default=True, help="print tables without headers")
  parser.add_option("--separator", dest="separator", metavar="TEXT",
                    help="print this between columns, and do not align them")
  parser.add_option("-o", "--output", dest="output",
                    metavar="[+]FIELD[,FIELD...]",
                    help="list: print these fields, with + beside the usual"
                    " ones")
  parser.add_option("-F", "--filter", dest="filter", metavar="FILTER",
                    help="list: only what meets this condition; see ganeti(7),"
                    " \"Query filters\"")
  parser.add_option("--sort", dest="sort", metavar="FIELD",
                    help="list: sort by this field")
  parser.add_option("--units", dest="units", type="choice",
                    choices=listing.UNITS, metavar="UNIT",
                    help="list: print sizes in MiB (m), GiB (g), TiB (t), or"
                    " what fits (h, the default without a separator)")
  parser.add_option("--csv", dest="csv", action="store_true", default=False,
                    help="list: print comma-separated values")
  parser.add_option("--dot", dest="dot", action="store_true", default=False,
                    help="map: print a graph for Graphviz")
  parser.add_option("--nagios", dest="nagios", action="store_true",
                    default=False,
                    help="status: print one line, and end as a Nagios plugin")
  parser.add_option("--prometheus", dest="prometheus", action="store_true",
                    default=False,
                    help="stats: print it for Prometheus, as for node_exporter"
                    " to collect from a text file")
  parser.add_option("-r", "--requests", dest="requests", type="int",
                    default=100, metavar="NUMBER",
                    help="without a command: how many requests to time"
                    " (default: %default)")
  return parser


#: Options with numbers: what they are, from where to where
_RANGES = [
  ("port", "a port", 1, 65535),
  ("timeout", "a number of seconds", 0.001, _MAX_TIMEOUT),
  ("coverage", "a coverage", -1, 10000),
  ("requests", "a number of requests", 0, 10 ** 9),
  ]


#: Options that belong to one command, as the user writes them
_OF_COMMAND = [
  ("nagios", "--nagios", "status"),
  ("prometheus", "--prometheus", "stats"),
  ("output", "--output", "list"),
  ("filter", "--filter", "list"),
  ("sort", "--sort", "list"),
  ("units", "--units", "list"),
  ("csv", "--csv", "list"),
  ("dot", "--dot", "map"),
  ]


def _CheckOptions(parser, opts, name):
  """Refuses values that make no sense.

  """
  for (option, text, command) in _OF_COMMAND:
    if getattr(opts, option) not in (None, False) and name != command:
      parser.error("%s belongs to the command %s" % (text, command))
  if opts.json + opts.csv + opts.dot + opts.prometheus + opts.nagios > 1:
    parser.error("--json, --csv, --dot, --prometheus and --nagios exclude each"
                 " other")
  for (option, what, least, most) in _RANGES:
    value = getattr(opts, option)
    if value is not None and not least <= value <= most:
      parser.error("not %s: %s" % (what, value))
  if opts.hmac is not None and opts.hmac_file is not None:
    parser.error("--hmac and --hmac-file exclude each other")
  opts.peers = None
  if opts.addresses is not None:
    opts.peers = [text.strip() for text in opts.addresses.split(",")]
    for peer in opts.peers:
      try:
        candidates.Parse(peer, 0)
      except errors.ConfdClientError as err:
        parser.error(str(err))


def _ParseArguments(parser, argv):
  """Takes the command line apart.

  Options may stand before and after the command, but what follows the first
  word after C{watch} is that command's.

  @rtype: tuple of (options, string or None, list)
  @return: options, command and its arguments

  """
  parser.disable_interspersed_args()
  (opts, args) = parser.parse_args(argv)
  name = args[0] if args else None
  if name != _WATCH:
    parser.enable_interspersed_args()
  (opts, args) = parser.parse_args(args[1:], values=opts)
  _CheckOptions(parser, opts, name)
  if name is None:
    return (opts, name, args)
  command = commands.COMMANDS.get(name) or actions.SPECIAL.get(name)
  if command is None:
    parser.error("no such command: %s" % name)
  if len(args) < command.minimum or (command.maximum is not None and
                                     len(args) > command.maximum):
    parser.error("usage: confd-client %s %s" % (name, command.arguments))
  if name in ("list", "list-fields") and args[0] not in listing.KINDS:
    parser.error("not one of %s: %s" % (", ".join(listing.KINDS), args[0]))
  return (opts, name, args)


def _Client(opts, coverage, key, timeout):
  return clientlib.Client(peers=opts.peers, key=key, key_file=opts.hmac_file,
                          port=opts.port, timeout=timeout, coverage=coverage)


def _IsAnswered(opts, key):
  """Tells whether there is an answer with a key.

  """
  with _Client(opts, 0, key, min(opts.timeout, _KEY_TIMEOUT)) as asker:
    try:
      asker.Ping()
    except clientlib.NoAnswer:
      return False
    except clientlib.ErrorAnswer:
      # That is one
      pass
  return True


def _FindKey(opts):
  """Finds out what key the user means with --hmac.

  Keys end in a newline, which "$(cat hmac.key)" takes away.

  @rtype: bytes or None
  @return: None for that of a file

  """
  if opts.hmac is None:
    return None
  key = os.fsencode(opts.hmac)
  localnode.CheckKey(key, "--hmac")
  if key.endswith(b"\n") or _IsAnswered(opts, key):
    return key
  actions.Say("No answer with the key as it was given; trying once more with a"
              " newline at its end")
  if _IsAnswered(opts, key + b"\n"):
    return key + b"\n"
  # What that means is the command's to say
  return key


def _Run(opts, name, args):
  """Runs a command.

  @rtype: int
  @return: exit code

  """
  if name in commands.COMMANDS:
    (run, coverage) = (actions.RunQuestion, 0)
  else:
    special = actions.SPECIAL.get(name, actions.SELF_TEST)
    (run, coverage) = (special.run, special.coverage)
  if opts.coverage is not None:
    coverage = opts.coverage
  with _Client(opts, coverage, _FindKey(opts), opts.timeout) as asker:
    return run(asker, opts, name, args)


def _OpenStreams():
  """Makes sure that there is something to write to, and that it takes any text.

  Whoever closes a stream does not want to know.

  """
  for name in ("stdout", "stderr"):
    if getattr(sys, name) is None:
      setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
    getattr(sys, name).reconfigure(errors="backslashreplace")


def _CloseOutput():
  """Has nothing more written to standard output.

  Python would try once more when it ends, where that has failed.

  """
  os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _FailAsPlugin(text):
  """Says what is wrong as a Nagios plugin does.

  @rtype: int
  @return: exit code

  """
  try:
    print("CONFD %s - %s" % (status.UNKNOWN, text), flush=True)
  except OSError:
    _CloseOutput()
    actions.Say(text)
  return status.NAGIOS_CODES[status.UNKNOWN]


def _IsPlugin(argv):
  """Tells whether to act as a Nagios plugin, where options cannot be parsed.

  """
  # It may be abbreviated
  return any(len(arg) > len("--n") and
             "--nagios".startswith(arg.partition("=")[0]) for arg in argv)


def Main(argv=None):
  """Runs the program.

  @type argv: list of strings or None
  @param argv: the arguments; None for those of the process
  @rtype: int
  @return: exit code

  """
  if argv is None:
    argv = sys.argv[1:]
  opts = None
  _OpenStreams()
  try:
    (opts, name, args) = _ParseArguments(_BuildParser(), argv)
    result = _Run(opts, name, args)
    sys.stdout.flush()
    return result
  except SystemExit as err:
    # optparse has said what there is to say
    if err.code and _IsPlugin(argv):
      return _FailAsPlugin("wrong usage")
    return err.code
  except KeyboardInterrupt:
    return EXIT_INTERRUPTED
  except BrokenPipeError:
    _CloseOutput()
    return EXIT_BROKEN_PIPE
  except tuple(kind for (kind, _) in _EXIT_CODES) as err:
    text = str(err)
    if isinstance(err, OSError):
      text = ": ".join(i for i in (err.filename, err.strerror) if i)
    if opts is not None and opts.nagios:
      return _FailAsPlugin(text)
    actions.Say(text)
    return next(code for (kind, code) in _EXIT_CODES if isinstance(err, kind))

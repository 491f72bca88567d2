#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The command line of confd-client: which commands and options there are.

L{COMMANDS} is the table: a new command or option goes in there, and is known to
the parser, to --help and to the completion of the shell.

Options may stand before and after the command. After C{watch} there may be
another command, one of L{WATCHED}, with its own arguments and options; any
other word is a program, and all that follows is that program's. So is all that
follows C{--exec}, by which a program is run that is called like a question. So
the words are sorted first, and a parser is made of the one command that is
asked for.

"""

from __future__ import annotations

import argparse
import functools
import re

from typing import Any, Callable, Dict, List, NamedTuple, NoReturn, Optional, \
  Sequence, Tuple

from ganeti import constants
from ganeti.confd import _version


PROGRAM = "confd-client"

#: The command whose arguments are a command line, or a question
WATCH = "watch"

#: The option after which all is a command line
_EXEC_FLAG = "--exec"

#: The command that is a Nagios plugin without an option for that
CHECK = "check"

#: The command whose formats have options of their own
EXPORT = "export"

#: Stands for the names of all clusters
ALL_CLUSTERS = "all"

#: The module that serves where there is no command
SELF_TEST = "selftest"

#: What "list" and "list-fields" know; the singular does, too
KINDS = ("instances", "nodes", "groups", "networks", "disks")

#: What there are limits of, before it is a warning or critical
LIMITS = ("silent", "behind")

#: What can be exported, and into which formats
EXPORTED = ("instances", "nodes")
FORMATS = ("ansible", "dnsmasq", "hosts", "nftables", "prometheus-sd",
           "ssh-config")

#: Units of sizes: what fits, MiB, GiB, TiB
UNITS = ("h", "m", "g", "t")

#: Longest time to wait for an answer, in seconds
_MAX_TIMEOUT = 86400


class UsageError(Exception):
  """The command line is wrong.

  @ivar usage: how it should look

  """
  def __init__(self, text: str, usage: str) -> None:
    Exception.__init__(self, text)
    self.usage = usage


class Argument(NamedTuple):
  """An argument of a command.

  """
  #: Its name among the options
  name: str
  #: How the usage shows it
  shown: str
  #: How often it may stand there, as argparse says it: None for once
  repeats: Optional[str] = None
  #: What completes it, one of the words of tools/completion.bash.in
  completion: Optional[str] = None
  #: Makes the value of the word
  convert: Callable[[str], str] = str
  #: The word that stands for one that is left out
  default: Optional[str] = None

  def Usage(self) -> str:
    form = {
      None: "%s",
      "?": "[%s]",
      "+": "%s...",
      "*": "[%s...]",
      }[self.repeats]
    return form % self.shown


class Option(NamedTuple):
  """An option.

  """
  #: The long form last
  flags: Tuple[str, ...]
  #: For argparse
  settings: Dict[str, Any]
  #: What completes its value, as of L{Argument}
  completion: Optional[str] = None

  @property
  def takes_value(self) -> bool:
    return "action" not in self.settings


class Command(NamedTuple):
  """A command.

  """
  #: Which module of this room runs it
  module: str
  #: One line about it
  text: str
  arguments: Tuple[Argument, ...] = ()
  #: Beside those that all have
  options: Tuple[Option, ...] = ()
  #: How many candidates to ask, as C{client.Client} takes it; None if all are
  #: asked in any case
  coverage: Optional[int] = 0
  #: Whether it can ask several clusters; the module has C{RunSeveral} then
  several: bool = False
  #: Whether it asks all clusters that have a name, and not those that options
  #: name
  every_cluster: bool = False
  #: Whether it asks daemons; if not, the module has C{RunAlone}, which gets the
  #: path of a file with a key
  asks: bool = True

  def Options(self) -> Tuple[Option, ...]:
    """Returns all options that the command has.

    """
    if not self.asks:
      return (_HELP, _VERSION, _CLUSTER) + self.options
    coverage = (_COVERAGE, ) if self.coverage is not None else ()
    whom = () if self.every_cluster else WHOM
    return (_HELP, _VERSION) + whom + (_TIMEOUT, _JSON) + coverage + \
      self.options

  def Usage(self, name: Optional[str]) -> str:
    if name is None:
      return PROGRAM + " [OPTION...] [COMMAND [ARGUMENT...]]"
    return " ".join([PROGRAM, name, "[OPTION...]"] +
                    [i.Usage() for i in self.arguments])


def _Number(what: str, make: Callable[[str], float], least: float,
            most: float) -> Callable[[str], float]:
  """Makes a function that reads a number within limits.

  """
  def _Read(text: str) -> float:
    try:
      value = make(text)
    except ValueError:
      value = None
    # Nothing is within limits for what is no number
    if value is None or not least <= value <= most:
      raise argparse.ArgumentTypeError("not %s: '%s'" % (what, text))
    return value
  return _Read


def DidYouMean(word: str, known: Sequence[str]) -> str:
  """Proposes a word that is there for one that is not.

  @return: the end of a sentence; empty where nothing is like it

  """
  # Who types well need not wait for it
  import difflib
  found = difflib.get_close_matches(word, known, 1)
  return "; did you mean '%s'?" % found[0] if found else ""


def _Singular(text: str, known: Sequence[str]) -> str:
  """Returns the singular of a plural that is known; the singular will do, too.

  """
  for kind in known:
    singular = kind[:-1]
    if text in (kind, singular):
      return singular
  raise argparse.ArgumentTypeError("not one of %s: '%s'%s" %
                                   (", ".join(known), text,
                                    DidYouMean(text, known)))


def _Kind(text: str) -> str:
  """Makes a word of C{columns.KINDS} of one of L{KINDS}.

  """
  return _Singular(text, KINDS)


def _Exported(text: str) -> str:
  """Makes a word of C{columns.KINDS} of one of L{EXPORTED}.

  """
  return _Singular(text, EXPORTED)


def _Format(text: str) -> str:
  if text not in FORMATS:
    raise argparse.ArgumentTypeError("not a format: '%s'%s" %
                                     (text, DidYouMean(text, FORMATS)))
  return text


def ExportModule(name: str) -> str:
  """Returns the module of a format, by its name in C{ganeti.confd.export}.

  """
  return name.replace("-", "_")


def _Table(text: str) -> str:
  if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]{0,99}", text):
    raise argparse.ArgumentTypeError("not the name of a table: '%s'" % text)
  return text


def _SortField(text: str) -> str:
  """Refuses what other commands understand as the other way round.

  """
  if text.startswith("-"):
    raise argparse.ArgumentTypeError("not a field: '%s'; the last one first is"
                                     " --sort=%s --reverse" %
                                     (text, text.lstrip("-")))
  return text


def _ClusterNames(text: str) -> List[str]:
  names = [name.strip() for name in text.split(",")]
  if not all(names):
    raise argparse.ArgumentTypeError("not names of clusters: '%s'" % text)
  return names


def _Limits(text: str) -> Dict[str, int]:
  """Reads limits such as "silent=1,behind=5".

  """
  limits = {}
  for part in text.split(","):
    (what, _, number) = part.partition("=")
    # int() reads more than digits
    if what not in LIMITS or not re.fullmatch("[0-9]{1,9}", number):
      raise argparse.ArgumentTypeError(
        "not %s: '%s'" % (" or ".join("%s=NUMBER" % i for i in LIMITS), part))
    limits[what] = int(number)
  return limits


_ADDRESS = Option(
  ("-a", "--address"),
  {"dest": "addresses", "metavar": "ADDRESS[,ADDRESS...]",
   "help": "whom to ask: names or addresses, each with :PORT or without"
           " (default: the cluster's, else the master candidates that this node"
           " knows, else 127.0.0.1)"},
  "candidates")
_PORT = Option(
  ("-p", "--port"),
  {"metavar": "PORT", "type": _Number("a port", int, 1, 65535),
   "help": "UDP port (default: the cluster's, else the services database's,"
           " else %d)" % constants.DEFAULT_CONFD_PORT})
_HMAC = Option(
  ("--hmac", ),
  {"metavar": "KEY",
   "help": "the cluster's HMAC key; others may see it in the list of"
           " processes"})
_HMAC_FILE = Option(
  ("--hmac-file", ),
  {"metavar": "FILE",
   "help": "file with the cluster's HMAC key or a reader's (default: as the"
           " settings say, else this node's)"},
  "files")
_CLUSTER = Option(
  ("--cluster", ),
  {"dest": "clusters", "metavar": "NAME[,NAME...]", "type": _ClusterNames,
   "help": "which of the clusters in the settings to ask; several, or all, with"
           " the commands list and status"},
  "clusters")
_TIMEOUT = Option(
  ("-t", "--timeout"),
  {"metavar": "SECONDS",
   "type": _Number("a number of seconds", float, 0.001, _MAX_TIMEOUT),
   "help": "how long to wait for an answer (default: the cluster's, else %d)" %
           constants.CONFD_CLIENT_EXPIRE_TIMEOUT})
_JSON = Option(
  ("--json", ),
  {"action": "store_true", "help": "print JSON"})
_JSON_LINES = Option(
  ("--json-lines", ),
  {"action": "store_true", "help": "print JSON, one object on a line"})
_VERSION = Option(
  ("--version", ),
  {"action": "version", "help": "print the version",
   "version": "%s (ganeti-confd) %s" % (PROGRAM, _version.VERSION)})
_HELP = Option(
  ("-h", "--help"),
  {"action": "help", "help": "print this"})

_COVERAGE = Option(
  ("--coverage", ),
  {"metavar": "NUMBER", "type": _Number("a coverage", int, -1, 10000),
   "help": "how many candidates to ask, -1 for all"})

_NO_HEADERS = Option(
  ("--no-headers", ),
  {"dest": "headers", "action": "store_false", "default": True,
   "help": "print tables without headers"})
_SEPARATOR = Option(
  ("--separator", ),
  {"metavar": "TEXT",
   "help": "print this between columns, and do not align them"})

_OUTPUT = Option(
  ("-o", "--output"),
  {"metavar": "[+]FIELD[,FIELD...]",
   "help": "print these fields, with + beside the usual ones"},
  "fields")
_FILTER = Option(
  ("-F", "--filter"),
  {"metavar": "FILTER",
   "help": "only what meets this condition; see ganeti(7), \"Query filters\""})
_SORT = Option(
  ("--sort", ),
  {"metavar": "FIELD", "type": _SortField, "help": "sort by this field"},
  "fields")
_REVERSE = Option(
  ("--reverse", ),
  {"action": "store_true", "help": "the last one first"})
_UNITS = Option(
  ("--units", ),
  {"metavar": "UNIT", "choices": UNITS,
   "help": "print sizes in MiB (m), GiB (g), TiB (t), or what fits (h, the"
           " default without --separator or --csv)"},
  "units")
_CSV = Option(
  ("--csv", ),
  {"action": "store_true", "help": "print comma-separated values"})
_DOT = Option(
  ("--dot", ),
  {"action": "store_true", "help": "print a graph for Graphviz"})
_SVG = Option(
  ("--svg", ),
  {"action": "store_true", "help": "print a drawing for a browser"})
_NAGIOS = Option(
  ("--nagios", ),
  {"action": "store_true",
   "help": "print one line, and end as a Nagios plugin"})
_WARNING = Option(
  ("-w", "--warning"),
  {"metavar": "WHAT=NUMBER[,...]", "type": _Limits,
   "help": "with --nagios: how many candidates may be silent, and how many"
           " changes any may be behind, before it is a warning (default:"
           " silent=0,behind=0)"})
_CRITICAL = Option(
  ("-c", "--critical"),
  {"metavar": "WHAT=NUMBER[,...]", "type": _Limits,
   "help": "likewise, before it is critical (default: when nobody answers)"})
_ONLY = Option(
  ("--only", ),
  {"action": "store_true",
   "help": "tell of those only that --address names"})
_PROMETHEUS = Option(
  ("--prometheus", ),
  {"action": "store_true",
   "help": "print it for Prometheus, as node_exporter collects it from a text"
           " file"})
_IGNORE = Option(
  ("--ignore", ),
  {"metavar": "CHECK[,CHECK...]", "default": "",
   "help": "leave these checks out"},
  "checks")
_PRIMARY_ONLY = Option(
  ("--primary-only", ),
  {"action": "store_true",
   "help": "only the instances that run there: mirrors may stay"})
_EXPORT_OUTPUT = Option(
  ("-o", "--output"),
  {"metavar": "FILE",
   "help": "replace this file, as a whole and if it changes, and print"
           " nothing"},
  "files")
_THEN = Option(
  ("--then", ),
  {"metavar": "COMMAND",
   "help": "run this command line by the shell if the file has changed"},
  "commands")
_TARGET_PORT = Option(
  ("--target-port", ),
  {"metavar": "PORT", "type": _Number("a port", int, 1, 65535),
   "help": "with prometheus-sd: TCP port of the targets (default: 9100)"})
_TABLE_NAME = Option(
  ("--table", ),
  {"metavar": "NAME", "type": _Table,
   "help": "with nftables: table of the family inet for the sets (default:"
           " ganeti)"})
_INITIAL = Option(
  ("--initial", ),
  {"action": "store_true", "help": "run the command at the start, too"})
_EXEC = Option(
  (_EXEC_FLAG, ),
  {"metavar": "COMMAND...",
   "help": "run this command at each change; all that follows is part of it"},
  "commands")
_REQUESTS = Option(
  ("-r", "--requests"),
  {"metavar": "NUMBER", "default": 100,
   "type": _Number("a number of requests", int, 0, 10 ** 9),
   "help": "how many requests to time (default: %(default)s)"})

_MAY = Option(
  ("--may", ),
  {"metavar": "WHAT[,WHAT...]", "required": True,
   "help": "what the key is for: questions, commands, or all"},
  "rights")
_UNTIL = Option(
  ("--until", ),
  {"metavar": "DAY", "required": True,
   "help": "the last day that the key is good for, as 2027-12-31, or never"})

#: Options that say whom to ask
WHOM = (_CLUSTER, _ADDRESS, _PORT, _HMAC, _HMAC_FILE)

#: Options of the commands that print a table
_TABLE = (_NO_HEADERS, _SEPARATOR)

#: Forms of output, of which there is one at a time
_FORMS = ("json", "json_lines", "csv", "dot", "svg", "nagios", "prometheus")

#: Options about the looks of a table (name, as it is typed, and value that it
#: has by itself), and the forms other than a table that they hold for
_LOOKS: Tuple[Tuple[str, str, Any, Tuple[str, ...]], ...] = (
  ("headers", "--no-headers", True, ("csv", )),
  ("separator", "--separator", None, ()),
  ("units", "--units", None, ("csv", )),
  )

_NODE = Argument("node", "NODE", completion="nodes")
_KIND = Argument("kind", "WHAT", completion="kinds", convert=_Kind)


def _Question(text: str, *arguments: Argument,
              options: Tuple[Option, ...] = ()) -> Command:
  return Command("questions", text, arguments, options)


COMMANDS: Dict[str, Command] = {
  "ping": _Question("see whether anybody answers"),
  "master": _Question("name of the master node"),
  "master-info": _Question(
    "the master: node name, master IP, node's own IP",
    options=_TABLE),
  "node-role": _Question("role of a node", _NODE),
  "node-ips": _Question("primary IPs of all nodes"),
  "mc-ips": _Question("primary IPs of the master candidates"),
  "instance-ips": _Question("IPs of the instances on a link",
                            Argument("link", "LINK", "?")),
  "node-of-ip": _Question("IPs of the nodes that instances' IPs are on",
                          Argument("ips", "IP", "+"), options=_TABLE),
  "node-instances": _Question("instances of a node", _NODE, options=_TABLE),
  "node-drbd": _Question("DRBD minors of a node", _NODE, options=_TABLE),
  "instance-disks": _Question(
    "disks of an instance",
    Argument("instance", "INSTANCE", completion="instances"), options=_TABLE),
  "config": _Question(
    "a value of the configuration by its JSON pointer",
    Argument("path", "PATH")),
  "collectors": _Question("data collectors", options=_TABLE),
  "list": Command(
    "list", "instances, nodes, groups, networks or disks",
    (_KIND, Argument("names", "NAME", "*", "names")),
    (_JSON_LINES, _OUTPUT, _FILTER, _SORT, _REVERSE, _UNITS, _CSV) + _TABLE,
    several=True),
  "list-fields": Command(
    "list_fields", "fields that they have",
    (_KIND, Argument("fields", "FIELD", "*", "fields")),
    (_JSON_LINES, ) + _TABLE),
  "who-has": Command(
    "who_has", "whose an IP, a MAC address or a name is",
    (Argument("sought", "IP|MAC|NAME", completion="anybody"), ), _TABLE),
  EXPORT: Command(
    "export", "instances or nodes as a file for another program",
    (Argument("format", "FORMAT", completion=" ".join(FORMATS),
              convert=_Format),
     Argument("kind", "WHAT", "?", " ".join(EXPORTED), _Exported,
              EXPORTED[0])),
    (_FILTER, _EXPORT_OUTPUT, _THEN, _TARGET_PORT, _TABLE_NAME)),
  "map": Command("map", "the cluster as a drawing", options=(_DOT, _SVG)),
  CHECK: Command(
    "check", "what is wrong or risky in the configuration",
    options=(_IGNORE, )),
  "evacuate": Command(
    "evacuate", "what has to move before a node can go, and where",
    (_NODE, ), (_PRIMARY_ONLY, ) + _TABLE),
  "status": Command("status", "how the master candidates are",
                    options=(_ONLY, _NAGIOS, _WARNING, _CRITICAL) + _TABLE,
                    coverage=None,
                    several=True),
  "stats": Command("stats", "what the daemons have done, and with what",
                   options=(_PROMETHEUS, ) + _TABLE, coverage=None),
  "clusters": Command("clusters", "clusters that have a name, and if they"
                      " answer", options=_TABLE, coverage=None,
                      every_cluster=True),
  "make-key": Command(
    "make_key", "a key for somebody who only asks",
    (Argument("name", "NAME"),
     Argument("file", "FILE", "?", "files")),
    (_HMAC_FILE, _MAY, _UNTIL), coverage=None, asks=False),
  "show-key": Command(
    "show_key", "what a key is for",
    # In place of the option
    (Argument("hmac_file", "FILE", "?", "files"), ), (_JSON, ), coverage=None,
    asks=False),
  WATCH: Command(
    "watch", "print changes, or run a command at each",
    (Argument("command_line", "QUESTION|COMMAND", "*", "commands"), ),
    (_INITIAL, _EXEC), coverage=-1),
  }

#: What may stand after "watch"
WATCHED = tuple(name for (name, command) in COMMANDS.items()
                if command.module in ("questions", "list"))

#: Options that are about a table as a whole
_NOT_WATCHED = (_JSON_LINES, _CSV, _SORT, _REVERSE)

#: What there is without a command
NO_COMMAND = Command(SELF_TEST, "a self test, then timings",
                     options=(_REQUESTS, ))


def Find(name: Optional[str]) -> Command:
  """Returns a command, or what there is without one.

  @param name: may be "watch list", too, and all that can be watched

  """
  if name is None:
    return NO_COMMAND
  (first, _, question) = name.partition(" ")
  command = COMMANDS[first]
  if not question:
    return command
  watched = COMMANDS[question]
  return command._replace(
    arguments=watched.arguments,
    options=command.options + tuple(i for i in watched.options
                                    if i not in _NOT_WATCHED))


def AllOptions() -> Dict[str, Option]:
  """Returns all options that there are, by each form that they have.

  Where two commands mean something else by one, it is the first one's.

  """
  result: Dict[str, Option] = {}
  for command in (NO_COMMAND, *COMMANDS.values()):
    for option in command.Options():
      for flag in option.flags:
        result.setdefault(flag, option)
  return result


def _Sort(argv: Sequence[str]) -> Tuple[List[str], List[str], List[str]]:
  """Sorts the words of a command line.

  A value is joined to its option, so that it may begin with a dash.

  @return: options, the other words in their order, and the command line to
    run, which is empty where there is none

  """
  to_run: List[str] = []
  known = AllOptions()
  options: List[str] = []
  words: List[str] = []
  rest = list(argv)
  while rest:
    word = rest.pop(0)
    if words[:1] == [WATCH] and word.partition("=")[0] == _EXEC_FLAG:
      options.append(_EXEC_FLAG + "=")
      (_, equals, first) = word.partition("=")
      to_run = [first, *rest] if equals else rest
      break
    if words == [WATCH] and (word == "--" or not (word.startswith("-") or
                                                  word in WATCHED)):
      to_run = rest if word == "--" else [word] + rest
      break
    if word == "--":
      words.extend(rest)
      break
    if not word.startswith("-") or word == "-":
      words.append(word)
      continue
    (flag, value) = (word, None)
    if word.startswith("--"):
      (flag, equals, text) = word.partition("=")
      value = text if equals else None
    elif len(word) > 2:
      # -p1814
      (flag, value) = (word[:2], word[2:])
    option = known.get(flag)
    if option is None or not option.takes_value:
      options.append(word)
      continue
    if value is None and rest:
      value = rest.pop(0)
    options.append(flag if value is None else
                   "%s=%s" % (option.flags[-1], value))
  return (options, words, to_run)


class _Parser(argparse.ArgumentParser):
  """A parser that raises an exception of our own.

  """
  def error(self, message: str) -> NoReturn:
    raise UsageError(message, str(self.usage))


def _CommandList() -> str:
  from ganeti.confd.command import table
  rows = [["  " + " ".join([name] + [i.Usage() for i in command.arguments]),
           command.text] for (name, command) in COMMANDS.items()]
  return ("Commands (none: %s):\n%s\n\n\"%s COMMAND --help\" tells more about"
          " one." % (NO_COMMAND.text, "\n".join(table.Format(None, rows)),
                    PROGRAM))


def MakeParser(name: Optional[str]) -> argparse.ArgumentParser:
  """Makes the parser of one command.

  @param name: None for where there is no command

  """
  command = Find(name)
  # With a width argparse need not look for one, which takes a while
  parser = _Parser(prog=PROGRAM, usage=command.Usage(name), add_help=False,
                   allow_abbrev=False,
                   formatter_class=functools.partial(
                     argparse.RawDescriptionHelpFormatter, width=79))
  if name is None:
    parser.epilog = _CommandList()
  else:
    parser.description = command.text[0].upper() + command.text[1:] + "."
  for option in command.Options():
    parser.add_argument(*option.flags, **option.settings)
  for argument in command.arguments:
    settings: Dict[str, Any] = {}
    if argument.repeats is not None:
      settings["nargs"] = argument.repeats
    if argument.repeats == "*":
      settings["default"] = []
    elif argument.repeats == "?":
      settings["default"] = argument.default
    parser.add_argument(argument.name, metavar=argument.shown,
                        type=argument.convert, help=argparse.SUPPRESS,
                        **settings)
  return parser


def _HasOption(command: Command, flag: str) -> bool:
  return any(flag in option.flags for option in command.Options())


def _RefuseOption(parser: argparse.ArgumentParser, flag: str) -> NoReturn:
  """Says what is wrong with an option that a command does not have.

  """
  known = AllOptions()
  if flag not in known:
    parser.error("no such option: %s%s" %
                 (flag, DidYouMean(flag, list(known))))
  where = ["the command " + i for (i, command) in COMMANDS.items()
           if _HasOption(command, flag)]
  if _HasOption(NO_COMMAND, flag):
    where.append("%s without a command" % PROGRAM)
  parser.error("%s belongs to %s" % (flag, ", ".join(where)))


def _CheckForms(parser: argparse.ArgumentParser,
                opts: argparse.Namespace) -> None:
  """Refuses options that would be without effect beside others.

  """
  forms = [i for i in _FORMS if getattr(opts, i, False)]
  if len(forms) > 1:
    parser.error("--%s and --%s exclude each other" %
                 (forms[0].replace("_", "-"), forms[1].replace("_", "-")))
  for (name, text, default, suitable) in _LOOKS:
    if getattr(opts, name, default) == default:
      continue
    for form in forms:
      if form not in suitable:
        parser.error("%s and --%s exclude each other" %
                     (text, form.replace("_", "-")))
  for (name, flag) in [("warning", "--warning"), ("critical", "--critical")]:
    if getattr(opts, name, None) and not opts.nagios:
      parser.error("%s belongs to --nagios" % flag)
  if getattr(opts, "only", False) and opts.addresses is None:
    parser.error("--only belongs to --address")
  if getattr(opts, "hmac", None) is not None and opts.hmac_file is not None:
    parser.error("--hmac and --hmac-file exclude each other")


def _CheckWatch(parser: argparse.ArgumentParser, opts: argparse.Namespace,
                has_exec: bool) -> None:
  """Refuses options of "watch" that would be without effect.

  """
  if opts.exec:
    parser.error("%s has to stand after %s" % (_EXEC_FLAG, WATCH))
  if has_exec and not opts.command_line:
    parser.error("%s needs a command" % _EXEC_FLAG)
  if opts.json and opts.command_line:
    parser.error("--json and a command to run exclude each other")
  if opts.initial and not opts.command_line:
    parser.error("--initial needs a command to run")


def _CheckExport(parser: argparse.ArgumentParser, opts: argparse.Namespace
                 ) -> None:
  """Refuses options of "export" that would be without effect.

  """
  for (name, form) in [("target_port", "prometheus-sd"), ("table", "nftables")]:
    if getattr(opts, name) is not None and opts.format != form:
      parser.error("--%s belongs to the format %s" %
                   (name.replace("_", "-"), form))
  if opts.json and opts.output is not None:
    parser.error("--json and --output exclude each other")
  if opts.then is not None and opts.output is None:
    parser.error("--then needs --output")


def IsSeveral(opts: argparse.Namespace) -> bool:
  """Tells whether several clusters are asked for, be they one in the end.

  """
  names = getattr(opts, "clusters", None)
  return names is not None and (len(names) > 1 or names == [ALL_CLUSTERS])


def _CheckSeveral(parser: argparse.ArgumentParser, opts: argparse.Namespace
                  ) -> None:
  """Refuses what does not go with several clusters.

  """
  if not Find(opts.command).several:
    parser.error("several clusters belong to the command %s" % ", ".join(
      name for (name, command) in COMMANDS.items() if command.several))
  for (name, text) in [("addresses", "--address"), ("hmac", "--hmac"),
                       ("hmac_file", "--hmac-file"), ("nagios", "--nagios")]:
    if getattr(opts, name, None):
      parser.error("%s and several clusters exclude each other" % text)


def Name(argv: Sequence[str]) -> Optional[str]:
  """Returns the first word of a command line that is no option.

  """
  (_, words, _) = _Sort(argv)
  return words[0] if words else None


def Parse(argv: Sequence[str]) -> argparse.Namespace:
  """Takes a command line apart.

  @return: the options and arguments of L{COMMANDS}, those of the command
    asked for; and C{command}, its name or None
  @raise UsageError: it is wrong
  @raise SystemExit: help or version was asked for, and is printed

  """
  (options, words, to_run) = _Sort(argv)
  name = words[0] if words else None
  if name is not None and name not in COMMANDS:
    MakeParser(None).error("no such command: '%s'%s" %
                           (name, DidYouMean(name, list(COMMANDS))))
  question = None
  if name == WATCH and len(words) > 1:
    question = words.pop(1)
    name = "%s %s" % (WATCH, question)
  parser = MakeParser(name)
  known = {flag for option in Find(name).Options() for flag in option.flags}
  for text in options:
    # argparse would take it for an argument where there is a blank in its value
    flag = text.partition("=")[0]
    if flag not in known:
      _RefuseOption(parser, flag)
  (opts, unknown) = parser.parse_known_args(options + ["--"] + words[1:])
  for word in unknown:
    # Where no arguments are expected, argparse leaves its "--"
    if word != "--":
      parser.error("too many arguments: '%s'" % word)
  arguments = [i.name for i in Find(name).arguments]
  for (option, value) in vars(opts).items():
    # Before Python 3.13 argparse takes a "--" away even where it is a value
    if value == [] and option not in arguments:
      setattr(opts, option, "--")
  opts.command = words[0] if words else None
  if opts.command == WATCH:
    opts.question = question
    opts.command_line = to_run
    _CheckWatch(parser, opts, _EXEC_FLAG + "=" in options)
  _CheckForms(parser, opts)
  if name == EXPORT:
    _CheckExport(parser, opts)
  if IsSeveral(opts):
    _CheckSeveral(parser, opts)
  return opts

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The command line of confd-client: which commands and options there are.

L{COMMANDS} is the table: a new command or option goes in there, and is known to
the parser, to --help and to the completion of the shell.

C{parse} takes apart what has been typed.

"""

from __future__ import annotations

from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple

from ganeti import constants
from ganeti.confd import _version
from ganeti.confd.command import argtypes


PROGRAM = "confd-client"

#: The command whose arguments are a command line, or a question
WATCH = "watch"

#: The option after which all is a command line
EXEC_FLAG = "--exec"

#: The command that is a Nagios plugin without an option for that
CHECK = "check"

#: The command whose formats have options of their own
EXPORT = "export"

#: Stands for the names of all clusters
ALL_CLUSTERS = "all"

#: The module that serves where there is no command
SELF_TEST = "cmd_selftest"

#: Longest time to wait for an answer, in seconds
_MAX_TIMEOUT = 86400


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
  #: Makes the value of the word, as those of C{argtypes} do
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
  #: Whether it can ask several clusters; the module has C{RunMultiCluster} then
  multi_cluster: bool = False
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


_ADDRESS = Option(
  ("-a", "--address"),
  {"dest": "addresses", "metavar": "ADDRESS[,ADDRESS...]",
   "help": "whom to ask: names or addresses, each with :PORT or without"
           " (default: the cluster's, else the master candidates that this node"
           " knows, else 127.0.0.1)"},
  "candidates")
_PORT = Option(
  ("-p", "--port"),
  {"metavar": "PORT", "type": argtypes.Port,
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
  {"dest": "clusters", "metavar": "NAME[,NAME...]",
   "type": argtypes.ClusterNames,
   "help": "which of the clusters in the settings to ask; several, or all, with"
           " the commands list and status"},
  "clusters")
_TIMEOUT = Option(
  ("-t", "--timeout"),
  {"metavar": "SECONDS",
   "type": argtypes.Number("a number of seconds", float, 0.001,
                           _MAX_TIMEOUT),
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
  {"metavar": "NUMBER",
   "type": argtypes.Number("a coverage", int, -1, 10000),
   "help": "how many candidates to ask, -1 for all"})

_NO_HEADERS = Option(
  ("--no-headers", ),
  {"dest": "headers", "action": "store_false", "default": True,
   "help": "print tables without headers"})
_SEPARATOR = Option(
  ("--separator", ),
  {"metavar": "TEXT", "type": argtypes.Separator,
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
  {"metavar": "FIELD", "type": argtypes.SortField,
   "help": "sort by this field"},
  "fields")
_REVERSE = Option(
  ("--reverse", ),
  {"action": "store_true", "help": "the last one first"})
_UNITS = Option(
  ("--units", ),
  {"metavar": "UNIT", "choices": argtypes.UNITS,
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
  {"metavar": "WHAT=NUMBER[,...]", "type": argtypes.Limits,
   "help": "with --nagios: how many candidates may be silent, and how many"
           " changes any may be behind, before it is a warning (default:"
           " silent=0,behind=0)"})
_CRITICAL = Option(
  ("-c", "--critical"),
  {"metavar": "WHAT=NUMBER[,...]", "type": argtypes.Limits,
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
  {"metavar": "PORT", "type": argtypes.Port,
   "help": "with prometheus-sd: TCP port of the targets (default: 9100)"})
_TABLE_NAME = Option(
  ("--table", ),
  {"metavar": "NAME", "type": argtypes.Table,
   "help": "with nftables: table of the family inet for the sets (default:"
           " ganeti)"})
_INITIAL = Option(
  ("--initial", ),
  {"action": "store_true", "help": "run the command at the start, too"})
_EXEC = Option(
  (EXEC_FLAG, ),
  {"metavar": "COMMAND...",
   "help": "run this command at each change; all that follows is part of it"},
  "commands")
_REQUESTS = Option(
  ("-r", "--requests"),
  {"metavar": "NUMBER", "default": 100,
   "type": argtypes.Number("a number of requests", int, 0, 10 ** 9),
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

_NODE = Argument("node", "NODE", completion="nodes")
_KIND = Argument("kind", "WHAT", completion="kinds", convert=argtypes.Kind)


def _Question(text: str, *arguments: Argument,
              options: Tuple[Option, ...] = ()) -> Command:
  return Command("cmd_question", text, arguments, options)


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
    "cmd_list", "instances, nodes, groups, networks or disks",
    (_KIND, Argument("names", "NAME", "*", "names")),
    (_JSON_LINES, _OUTPUT, _FILTER, _SORT, _REVERSE, _UNITS, _CSV) + _TABLE,
    multi_cluster=True),
  "list-fields": Command(
    "cmd_list_fields", "fields that they have",
    (_KIND, Argument("fields", "FIELD", "*", "fields")),
    (_JSON_LINES, ) + _TABLE),
  "who-has": Command(
    "cmd_who_has", "whose an IP, a MAC address or a name is",
    (Argument("sought", "IP|MAC|NAME", completion="anybody"), ), _TABLE),
  EXPORT: Command(
    "cmd_export", "instances or nodes as a file for another program",
    (Argument("format", "FORMAT", completion=" ".join(argtypes.FORMATS),
              convert=argtypes.Format),
     Argument("kind", "WHAT", "?", " ".join(argtypes.EXPORTED),
              argtypes.Exported, argtypes.EXPORTED[0])),
    (_FILTER, _EXPORT_OUTPUT, _THEN, _TARGET_PORT, _TABLE_NAME)),
  "map": Command("cmd_map", "the cluster as a drawing", options=(_DOT, _SVG)),
  CHECK: Command(
    "cmd_check", "what is wrong or risky in the configuration",
    options=(_IGNORE, )),
  "evacuate": Command(
    "cmd_evacuate", "what has to move before a node can go, and where",
    (_NODE, ), (_PRIMARY_ONLY, ) + _TABLE),
  "status": Command("cmd_status", "how the master candidates are",
                    options=(_ONLY, _NAGIOS, _WARNING, _CRITICAL) + _TABLE,
                    coverage=None,
                    multi_cluster=True),
  "stats": Command("cmd_stats", "what the daemons have done, and with what",
                   options=(_PROMETHEUS, ) + _TABLE, coverage=None),
  "clusters": Command("cmd_clusters", "clusters that have a name, and if they"
                      " answer", options=_TABLE, coverage=None,
                      every_cluster=True),
  "make-key": Command(
    "cmd_make_key", "a key for somebody who only asks",
    (Argument("name", "NAME"),
     Argument("file", "FILE", "?", "files")),
    (_HMAC_FILE, _MAY, _UNTIL), coverage=None, asks=False),
  "show-key": Command(
    "cmd_show_key", "what a key is for",
    # In place of the option
    (Argument("hmac_file", "FILE", "?", "files"), ), (_JSON, ), coverage=None,
    asks=False),
  WATCH: Command(
    "cmd_watch", "print changes, or run a command at each",
    (Argument("command_line", "QUESTION|COMMAND", "*", "commands"), ),
    (_INITIAL, _EXEC), coverage=-1),
  }

#: What may stand after "watch"
WATCHED = tuple(name for (name, command) in COMMANDS.items()
                if command.module in ("cmd_question", "cmd_list", "cmd_export"))

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
  # Whoever exports has --then
  own = () if question == EXPORT else command.options
  return command._replace(
    arguments=watched.arguments,
    options=own + tuple(i for i in watched.options if i not in _NOT_WATCHED))


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

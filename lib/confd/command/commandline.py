#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The table of confd-client's commands and options.

L{COMMANDS} is the table. The parser (C{parse}), --help and the completions for
shells are made from it, so a new command or option is added there only.

"""

from __future__ import annotations

from ganeti import constants
from ganeti.confd import _version
from ganeti.confd.command import argtypes
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Any, Callable, Optional


PROGRAM = "confd-client"

#: The command that takes another command, or the command line of a program
WATCH = "watch"

#: The command that prints the same help as the option "--help"
HELP = "help"

#: The command that takes --all instead of its argument
EVACUATE = "evacuate"

#: The command whose argument is the kind of an object
DESCRIBE = "describe"

#: The command that takes --hmac-file instead of its argument
SHOW_KEY = "show-key"

#: The option whose value is the whole rest of the command line
EXEC_FLAG = "--exec"

#: The option that must be the only one on the command line
COMPLETION_FLAG = "--completion"

#: The command that is a Nagios plugin even without --nagios
CHECK = "check"

#: The command with options that are valid for one format only; C{parse} checks
#: those options
EXPORT = "export"

#: The value of --cluster that means all clusters of the settings
ALL_CLUSTERS = "all"

#: The module that runs if no command is given
SELF_TEST = "cmd_selftest"

#: Upper limit for --timeout, in seconds
_MAX_TIMEOUT = 86400


class Argument(NamedTuple):
  """An argument of a command.

  """
  #: The attribute of the parsed options that holds the argument's value
  name: str
  #: The argument's name in the usage line
  shown: str
  #: The number of values that the argument may have: "?", "*" or "+" as in
  #: argparse's C{nargs}, or None for one value
  repeats: Optional[str] = None
  #: The completion of the argument: a word that completion.bash defines, such
  #: as "nodes", or the list of all values
  completion: Optional[str] = None
  #: Converts the typed text to the value, see C{argtypes}
  convert: Callable[[str], str] = str
  #: The text that is used if the argument is not given
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
  #: The option's forms, the long one last
  flags: tuple[str, ...]
  #: Keyword arguments for argparse's method add_argument
  settings: dict[str, Any]
  #: The completion of the option's value, as for L{Argument}
  completion: Optional[str] = None

  @property
  def takes_value(self) -> bool:
    return "action" not in self.settings


class Command(NamedTuple):
  """A command.

  """
  #: The module of this package that runs the command
  module: str
  #: A line about the command, for --help
  text: str
  arguments: tuple[Argument, ...] = ()
  #: The options that only some commands have
  options: tuple[Option, ...] = ()
  #: The default of --coverage, as for C{client.Client}; None if the command
  #: asks all candidates in any case
  coverage: Optional[int] = 0
  #: Whether the command can ask several clusters, by C{RunMultiCluster} of its
  #: module
  multi_cluster: bool = True
  #: Whether the command always asks all clusters of the settings
  every_cluster: bool = False
  #: Whether the command sends requests; if not, C{RunAlone} of its module gets
  #: the path of a file with a key
  asks: bool = True

  def Options(self) -> tuple[Option, ...]:
    """Returns all options of the command.

    """
    if not self.asks:
      return (_HELP, _VERSION, _CLUSTER) + self.options
    coverage = (_COVERAGE, ) if self.coverage is not None else ()
    target = () if self.every_cluster else TARGET
    return (_HELP, _VERSION) + target + (_TIMEOUT, _JSON) + coverage + \
      self.options

  def Usage(self, name: Optional[str]) -> str:
    if name is None:
      return PROGRAM + " [OPTION...] [COMMAND [ARGUMENT...]]"
    return " ".join([PROGRAM, name, "[OPTION...]"] +
                    [i.Usage() for i in self.arguments])


_ADDRESS = Option(
  ("-a", "--address"),
  {"dest": "addresses", "metavar": "ADDRESS[,ADDRESS...]",
   "help": "names or addresses of the master candidates to ask, each with or"
           " without :PORT (default: the cluster's, else those that this node"
           " knows, else 127.0.0.1)"},
  "candidates")
_PORT = Option(
  ("-p", "--port"),
  {"metavar": "PORT", "type": argtypes.Port,
   "help": "UDP port (default: the cluster's, else that of the services"
           " database, else %d)" % constants.DEFAULT_CONFD_PORT})
_HMAC = Option(
  ("--hmac", ),
  {"metavar": "KEY",
   "help": "the cluster's HMAC key; other users can see it in the list of"
           " processes"})
_HMAC_FILE = Option(
  ("--hmac-file", ),
  {"metavar": "FILE",
   "help": "file with the cluster's HMAC key or a reader's key (default: that"
           " of the settings, else this node's)"},
  "files")
_CLUSTER = Option(
  ("--cluster", ),
  {"dest": "clusters", "metavar": "NAME[,NAME...]",
   "type": argtypes.ClusterNames,
   "help": "the clusters of the settings to ask, or all of them (default: that"
           " of the settings, else this node's)"},
  "clusters")
_TIMEOUT = Option(
  ("-t", "--timeout"),
  {"metavar": "SECONDS",
   "type": argtypes.Number("a number of seconds", float, 0.001,
                           _MAX_TIMEOUT),
   "help": "seconds to wait for an answer (default: the cluster's, else %d)" %
           constants.CONFD_CLIENT_EXPIRE_TIMEOUT})
_JSON = Option(
  ("--json", ),
  {"action": "store_true", "help": "print JSON"})
_JSON_LINES = Option(
  ("--json-lines", ),
  {"action": "store_true", "help": "print JSON, one object per line"})
_VERSION = Option(
  ("--version", ),
  {"action": "version", "help": "print the version",
   "version": "%s (ganeti-confd) %s" % (PROGRAM, _version.VERSION)})
_HELP = Option(
  ("-h", "--help"),
  {"action": "help", "help": "print this help"})

_COVERAGE = Option(
  ("--coverage", ),
  {"metavar": "NUMBER",
   "type": argtypes.Number("a coverage", int, -1, 10000),
   "help": "number of candidates to ask, -1 for all"})

_NO_HEADERS = Option(
  ("--no-headers", ),
  {"dest": "headers", "action": "store_false", "default": True,
   "help": "print tables without headers"})
_SEPARATOR = Option(
  ("--separator", ),
  {"metavar": "TEXT", "type": argtypes.Separator,
   "help": "print this text between columns, and do not align them"})

_OUTPUT = Option(
  ("-o", "--output"),
  {"metavar": "[+]FIELD[,FIELD...]",
   "help": "print these fields; with + print them after the default ones; wide"
           " stands for the default ones and more"},
  "fields")
_FILTER = Option(
  ("-F", "--filter"),
  {"metavar": "FILTER",
   "help": "select by this filter; see ganeti(7), \"Query filters\""})
_SORT = Option(
  ("--sort", ),
  {"metavar": "FIELD", "type": argtypes.SortField,
   "help": "sort by this field"},
  "fields")
_REVERSE = Option(
  ("--reverse", ),
  {"action": "store_true", "help": "reverse the order"})
_UNITS = Option(
  ("--units", ),
  {"metavar": "UNIT", "choices": argtypes.UNITS,
   "help": "print sizes in MiB (m), GiB (g), TiB (t), or the unit that fits (h,"
           " the default without --separator or --csv)"},
  "units")
_CSV = Option(
  ("--csv", ),
  {"action": "store_true", "help": "print comma-separated values"})
_DOT = Option(
  ("--dot", ),
  {"action": "store_true", "help": "print a graph for Graphviz"})
_SVG = Option(
  ("--svg", ),
  {"action": "store_true", "help": "print an SVG drawing"})
_NAGIOS = Option(
  ("--nagios", ),
  {"action": "store_true",
   "help": "print one line and exit like a Nagios plugin"})
_WARNING = Option(
  ("-w", "--warning"),
  {"metavar": "WHAT=NUMBER[,...]",
   "type": argtypes.Limits(argtypes.STATUS_LIMITS),
   "help": "with --nagios: warn if more candidates are silent, if one is behind"
           " by more changes, or if a reader's key ends in fewer days (default:"
           " silent=0,behind=0,key=30)"})
_CRITICAL = Option(
  ("-c", "--critical"),
  {"metavar": "WHAT=NUMBER[,...]",
   "type": argtypes.Limits(argtypes.STATUS_LIMITS),
   "help": "likewise for the state critical (default: if no candidate"
           " answers)"})
_NOWHERE_WARNING = Option(
  ("-w", "--warning"),
  {"metavar": "nowhere=NUMBER",
   "type": argtypes.Limits(argtypes.EVACUATE_LIMITS),
   "help": "with --nagios: warn if more instances have nowhere to go (default:"
           " nowhere=0)"})
_NOWHERE_CRITICAL = Option(
  ("-c", "--critical"),
  {"metavar": "nowhere=NUMBER",
   "type": argtypes.Limits(argtypes.EVACUATE_LIMITS),
   "help": "likewise for the state critical (default: none)"})
_ONLY = Option(
  ("--only", ),
  {"action": "store_true",
   "help": "print only the candidates that --address names"})
_PROMETHEUS = Option(
  ("--prometheus", ),
  {"action": "store_true",
   "help": "print metrics in Prometheus' text format, for node_exporter's text"
           " files"})
_IGNORE = Option(
  ("--ignore", ),
  {"metavar": "CHECK[,CHECK...]", "default": "",
   "help": "skip these checks"},
  "checks")
_PRIMARY_ONLY = Option(
  ("--primary-only", ),
  {"action": "store_true",
   "help": "plan for primary instances only, and leave mirrors on the node"})
_EVERY_NODE = Option(
  ("--all", ),
  {"dest": "every_node", "action": "store_true",
   "help": "for each node, where its instances go if the node fails"})
_EXPORT_OUTPUT = Option(
  ("-o", "--output"),
  {"metavar": "FILE",
   "help": "write to this file instead, and replace it atomically if it"
           " changes"},
  "files")
_THEN = Option(
  ("--then", ),
  {"metavar": "COMMAND",
   "help": "run this shell command line if the file has changed"},
  "commands")
_TARGET_PORT = Option(
  ("--target-port", ),
  {"metavar": "PORT", "type": argtypes.Port,
   "help": "for prometheus-sd: TCP port of the targets (default: 9100)"})
_TABLE_NAME = Option(
  ("--table", ),
  {"metavar": "NAME", "type": argtypes.TableName,
   "help": "for nftables: name of the inet table with the sets (default:"
           " ganeti)"})
_INITIAL = Option(
  ("--initial", ),
  {"action": "store_true", "help": "also run the command at the start"})
_EXEC = Option(
  (EXEC_FLAG, ),
  {"metavar": "COMMAND...",
   "help": "run this command at each change; the rest of the command line is"
           " its arguments"},
  "commands")
_REQUESTS = Option(
  ("-r", "--requests"),
  {"metavar": "NUMBER", "default": 100,
   "type": argtypes.Number("a number of requests", int, 0, 10 ** 9),
   "help": "number of requests to time (default: %(default)s)"})

_COMPLETION = Option(
  (COMPLETION_FLAG, ),
  {"metavar": "SHELL", "choices": argtypes.SHELLS,
   "help": "print the completion script for this shell: %s" %
           " or ".join(argtypes.SHELLS)})
_MAY = Option(
  ("--may", ),
  {"metavar": "WHAT[,WHAT...]", "required": True,
   "help": "what the key permits: questions, commands, or all"},
  "rights")
_UNTIL = Option(
  ("--until", ),
  {"metavar": "DAY", "required": True,
   "help": "the key's last day, such as 2027-12-31; or how long it is valid,"
           " such as 30d, 6m or 1y; or never"})

#: The options that select the cluster, the candidates and the key
TARGET = (_CLUSTER, _ADDRESS, _PORT, _HMAC, _HMAC_FILE)

#: The options of commands that print a table
_TABLE = (_NO_HEADERS, _SEPARATOR)

_NODE = Argument("node", "NODE", completion="nodes")
_KIND = Argument("kind", "WHAT", completion="kinds", convert=argtypes.Kind)


def _Question(text: str, *arguments: Argument,
              options: tuple[Option, ...] = ()) -> Command:
  return Command("cmd_question", text, arguments, options)


COMMANDS: dict[str, Command] = {
  "ping": _Question("test whether a daemon answers"),
  "master": _Question("name of the master node"),
  "master-info": _Question(
    "master's node name, master IP, node's primary IP",
    options=_TABLE),
  "node-role": _Question("role of a node", _NODE),
  "node-ips": _Question("primary IPs of all nodes"),
  "mc-ips": _Question("primary IPs of the master candidates"),
  "instance-ips": _Question("IPs of the instances on a link",
                            Argument("link", "LINK", "?")),
  "node-of-ip": _Question("primary IPs of the nodes of instances, by IP",
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
    (_JSON_LINES, _OUTPUT, _FILTER, _SORT, _REVERSE, _UNITS, _CSV) + _TABLE),
  "list-fields": Command(
    "cmd_list_fields", "fields of these objects",
    (_KIND, Argument("fields", "FIELD", "*", "fields")),
    (_JSON_LINES, ) + _TABLE, multi_cluster=False),
  DESCRIBE: Command(
    "cmd_describe", "everything about one object",
    (Argument("kind", "WHAT", completion=" ".join(argtypes.DESCRIBED),
              convert=argtypes.Described),
     Argument("name", "NAME", completion="names"))),
  "who-has": Command(
    "cmd_who_has", "owner of an address, a name, a UUID, a volume or a tag",
    (Argument("sought", "WORD", completion="anybody"), ), _TABLE),
  EXPORT: Command(
    "cmd_export", "instances or nodes as a file for another program",
    (Argument("format", "FORMAT", completion=" ".join(argtypes.FORMATS),
              convert=argtypes.Format),
     Argument("kind", "WHAT", "?", " ".join(argtypes.EXPORTED),
              argtypes.Exported, argtypes.EXPORTED[0])),
    (_FILTER, _EXPORT_OUTPUT, _THEN, _TARGET_PORT, _TABLE_NAME)),
  "map": Command("cmd_map", "drawing of the cluster", options=(_DOT, _SVG)),
  CHECK: Command(
    "cmd_check", "faults and risks in the configuration",
    options=(_IGNORE, )),
  EVACUATE: Command(
    "cmd_evacuate", "plan for moving all instances off a node",
    (_NODE._replace(repeats="?"), ),
    (_PRIMARY_ONLY, _EVERY_NODE, _NAGIOS, _NOWHERE_WARNING,
     _NOWHERE_CRITICAL) + _TABLE),
  "status": Command("cmd_status", "state of the master candidates",
                    options=(_ONLY, _NAGIOS, _WARNING, _CRITICAL) + _TABLE,
                    coverage=None),
  "stats": Command("cmd_stats", "statistics of the daemons",
                   options=(_PROMETHEUS, ) + _TABLE, coverage=None),
  "clusters": Command("cmd_clusters", "clusters of the settings",
                      options=_TABLE, coverage=None, every_cluster=True),
  "make-key": Command(
    "cmd_make_key", "make a key for a reader",
    (Argument("name", "NAME"),
     Argument("file", "FILE", "?", "files")),
    (_HMAC_FILE, _MAY, _UNTIL), coverage=None, multi_cluster=False,
    asks=False),
  SHOW_KEY: Command(
    "cmd_show_key", "reader, rights and last day of a key",
    (Argument("file", "FILE", "?", "files"), ), (_HMAC_FILE, _JSON),
    coverage=None, multi_cluster=False, asks=False),
  WATCH: Command(
    "cmd_watch", "print each change, or run a command at each",
    (Argument("command_line", "QUESTION|COMMAND", "*", "commands"), ),
    (_INITIAL, _EXEC), coverage=-1),
  }

#: The commands that may stand after "watch"
WATCHED = tuple(name for (name, command) in COMMANDS.items()
                if command.module in ("cmd_question", "cmd_list", "cmd_export"))

#: Options for whole tables, which "watch" does not have, as it prints single
#: changes
_NOT_WATCHED = (_JSON_LINES, _CSV, _SORT, _REVERSE)

#: The entry for a command line without a command
NO_COMMAND = Command(SELF_TEST, "a self test, then timings",
                     options=(_REQUESTS, _COMPLETION), multi_cluster=False)


def Find(name: Optional[str]) -> Command:
  """Returns the entry of a command.

  @param name: a command, "watch" with one of L{WATCHED} such as "watch list",
    or None for no command

  """
  if name is None:
    return NO_COMMAND
  (first, _, question) = name.partition(" ")
  command = COMMANDS[first]
  if not question:
    return command
  watched = COMMANDS[question]
  # "watch export" has --then in place of the options of "watch"
  own = () if question == EXPORT else command.options
  return command._replace(
    arguments=watched.arguments,
    options=own + tuple(i for i in watched.options if i not in _NOT_WATCHED))


def AllOptions() -> dict[str, Option]:
  """Returns the options of all commands, by each of their forms.

  If two commands have different options of the same form, the option of the
  first command is returned.

  """
  result: dict[str, Option] = {}
  for command in (NO_COMMAND, *COMMANDS.values()):
    for option in command.Options():
      for flag in option.flags:
        result.setdefault(flag, option)
  return result

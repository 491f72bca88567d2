#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Parses the command line of confd-client.

Options may stand before the command as well as after it, since aliases and
wrapper scripts put options such as --cluster before everything that the user
types. Subparsers of argparse do not support that: their defaults overwrite the
values of options before the command, and each run would have to make the
parsers of all commands. So L{_Split} first separates the options from the other
words, the first of which is the command. Then the parser of that command
(L{MakeParser}) parses the options.

After C{watch} there may be one of the commands C{commandline.WATCHED}, with its
arguments and options. Any other word is a program, and all words after it
belong to the program. The option C{--exec} also begins a program's command
line, in case the program has the name of such a command.

"""

from __future__ import annotations

import argparse
import functools

from ganeti.confd.command import argtypes
from ganeti.confd.command import commandline
from ganeti.confd.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
  from typing import Any, Iterable, NoReturn, Optional, Sequence


class UsageError(Exception):
  """The command line is wrong.

  @ivar usage: the usage line of the command

  """
  def __init__(self, text: str, name: Optional[str]) -> None:
    """Initializes this class.

    @param name: the name of the command for L{commandline.Find}

    """
    Exception.__init__(self, text)
    self.usage = commandline.Find(name).Usage(name)


#: The output formats, which exclude each other
_FORMATS = ("json", "json_lines", "csv", "dot", "svg", "nagios", "prometheus")

#: Options for the layout of a table: attribute, flag, default, and the further
#: output formats to which the option applies
_LAYOUT: tuple[tuple[str, str, Any, tuple[str, ...]], ...] = (
  ("headers", "--no-headers", True, ("csv", )),
  ("separator", "--separator", None, ()),
  ("units", "--units", None, ("csv", )),
  )


#: The error about an option names the commands that have this option, if there
#: are at most this many
_FEW = 2


class _Words(NamedTuple):
  """The words of a command line.

  """
  #: Options, each with its value in the same word
  options: list[str]
  #: The command and its arguments
  arguments: list[str]
  #: The command line that "watch" runs; empty if there is none
  to_run: list[str]


def _TakeOption(word: str, rest: list[str],
                known: dict[str, commandline.Option]) -> str:
  """Joins an option and its value, which may begin with a dash, to one word.

  @param rest: the words after the option; a value is removed from them
  @param known: the options of all commands by their forms

  """
  (flag, value) = (word, None)
  if word.startswith("--"):
    (flag, equals, text) = word.partition("=")
    value = text if equals else None
  elif len(word) > 2:
    # A short option and its value in one word, such as -p1814
    (flag, value) = (word[:2], word[2:])
  option = known.get(flag)
  if option is None or not option.takes_value:
    return word
  if value is None and rest:
    value = rest.pop(0)
  return flag if value is None else "%s=%s" % (option.flags[-1], value)


def _Split(argv: Sequence[str]) -> _Words:
  """Separates the options of a command line from the other words.

  """
  (options, words, to_run) = found = _Words([], [], [])
  known = commandline.AllOptions()
  rest = list(argv)
  while rest:
    word = rest.pop(0)
    (flag, equals, first) = word.partition("=")
    if words[:1] == [commandline.WATCH] and flag == commandline.EXEC_FLAG:
      options.append(flag + "=")
      to_run.extend([first, *rest] if equals else rest)
      break
    if words == [commandline.WATCH] and (
        word == "--" or
        not (word.startswith("-") or word in commandline.WATCHED)):
      if word == "--" and rest:
        # After a "--" the next word is a program, as after --exec
        options.append(commandline.EXEC_FLAG + "=")
      to_run.extend(rest if word == "--" else [word] + rest)
      break
    if word == "--":
      words.extend(rest)
      break
    if word.startswith("-") and word != "-":
      options.append(_TakeOption(word, rest, known))
    else:
      words.append(word)
  return found


class _Parser(argparse.ArgumentParser):
  """A parser that raises L{UsageError}.

  """
  def __init__(self, name: Optional[str]) -> None:
    self.name = name
    # Without a width argparse would import shutil, which takes a while
    argparse.ArgumentParser.__init__(
      self, prog=commandline.PROGRAM,
      usage=commandline.Find(name).Usage(name), add_help=False,
      allow_abbrev=False,
      formatter_class=functools.partial(argparse.RawDescriptionHelpFormatter,
                                        width=79))

  def error(self, message: str) -> NoReturn:
    raise UsageError(message, self.name)


def _CommandList() -> str:
  from ganeti.confd.command import table
  rows = [["  " + " ".join([name] + [i.Usage() for i in command.arguments]),
           command.text] for (name, command) in commandline.COMMANDS.items()]
  return ("Commands (without one: %s):\n%s\n\n\"%s COMMAND --help\" describes"
          " a command." % (commandline.NO_COMMAND.text,
                    "\n".join(table.Format(None, rows)),
                    commandline.PROGRAM))


def _Epilog(name: Optional[str]) -> Optional[str]:
  """Returns the end of the help: the words that arguments and options take.

  """
  if name is None:
    return _CommandList()
  if name.endswith(commandline.EXPORT):
    return _Fill("Formats", argtypes.FORMATS)
  if name == commandline.CHECK:
    # Only this help needs the module, which takes a while to import
    from ganeti.confd.views import checks
    return _Fill("Checks", list(checks.CHECKS))
  if name == commandline.WATCH:
    return _Fill("Questions", commandline.WATCHED)
  return None


def _Fill(title: str, words: Sequence[str]) -> str:
  import textwrap
  return "%s:\n%s" % (title, textwrap.fill(
    ", ".join(words), 79, initial_indent="  ", subsequent_indent="  ",
    break_on_hyphens=False))


def MakeParser(name: Optional[str]) -> _Parser:
  """Makes the parser of one command.

  @param name: None for no command

  """
  command = commandline.Find(name)
  parser = _Parser(name)
  if name is not None:
    parser.description = command.text[0].upper() + command.text[1:] + "."
  for option in command.Options():
    parser.add_argument(*option.flags, **option.settings)
  for argument in command.arguments:
    settings: dict[str, Any] = {}
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


def _HasOption(command: commandline.Command, flag: str) -> bool:
  return any(flag in option.flags for option in command.Options())


def _RefuseOption(parser: _Parser, flag: str, known: Iterable[str]
                  ) -> NoReturn:
  """Raises the error about an option that a command does not have.

  @param known: the options to propose one of

  """
  if flag not in commandline.AllOptions():
    parser.error("no such option: %s%s" %
                 (flag, argtypes.DidYouMean(flag, known)))
  where = ["the command " + i for (i, command) in commandline.COMMANDS.items()
           if _HasOption(command, flag)]
  if _HasOption(commandline.NO_COMMAND, flag):
    where.append("%s without a command" % commandline.PROGRAM)
  text = "%s has no option %s" % (
    parser.name or "%s without a command" % commandline.PROGRAM, flag)
  if len(where) <= _FEW:
    text += ", which belongs to %s" % " and ".join(where)
  parser.error(text)


def _CheckOptions(parser: argparse.ArgumentParser,
                  opts: argparse.Namespace) -> None:
  """Refuses options that have no effect beside other given options.

  """
  formats = [i for i in _FORMATS if getattr(opts, i, False)]
  if len(formats) > 1:
    parser.error("--%s and --%s exclude each other" %
                 (formats[0].replace("_", "-"), formats[1].replace("_", "-")))
  for (name, flag, default, suitable) in _LAYOUT:
    if getattr(opts, name, default) == default:
      continue
    for form in formats:
      if form not in suitable:
        parser.error("%s and --%s exclude each other" %
                     (flag, form.replace("_", "-")))
  for (name, flag) in [("warning", "--warning"), ("critical", "--critical")]:
    if getattr(opts, name, None) and not opts.nagios:
      parser.error("%s needs --nagios" % flag)
  if getattr(opts, "only", False) and opts.addresses is None:
    parser.error("--only needs --address")
  if getattr(opts, "hmac", None) is not None and opts.hmac_file is not None:
    parser.error("--hmac and --hmac-file exclude each other")
  _CheckArguments(parser, opts)


def _CheckCompletion(parser: argparse.ArgumentParser, opts: argparse.Namespace,
                     options: Sequence[str]) -> None:
  """Refuses all options beside the one that prints a completion script.

  @param options: the options of the command line, with their values

  """
  if getattr(opts, "completion", None) is not None:
    for text in options:
      flag = text.partition("=")[0]
      if flag != commandline.COMPLETION_FLAG:
        parser.error("%s and %s exclude each other" %
                     (flag, commandline.COMPLETION_FLAG))


def _CheckArguments(parser: argparse.ArgumentParser, opts: argparse.Namespace
                    ) -> None:
  """Checks the arguments that an option can replace.

  """
  if opts.command == commandline.EVACUATE:
    if opts.every_node and opts.node is not None:
      parser.error("NODE and --all exclude each other")
    if not opts.every_node and opts.node is None:
      parser.error("evacuate needs NODE or --all")
    if opts.nagios and not opts.every_node:
      parser.error("--nagios needs --all")
    if opts.every_node and opts.primary_only:
      parser.error("--primary-only and --all exclude each other")
  if (opts.command == commandline.SHOW_KEY and opts.file is not None and
      opts.hmac_file is not None):
    parser.error("FILE and --hmac-file exclude each other")


def _CheckWatch(parser: argparse.ArgumentParser, opts: argparse.Namespace,
                has_exec: bool) -> None:
  """Refuses options of "watch" that have no effect.

  """
  if opts.question == commandline.EXPORT:
    if opts.output is None:
      parser.error("watch export needs --output")
    return
  if opts.exec:
    parser.error("%s has to stand after %s" %
                 (commandline.EXEC_FLAG, commandline.WATCH))
  if (opts.command_line and not has_exec and
      opts.command_line[0] in commandline.COMMANDS):
    parser.error("watch cannot follow %s, but %s; for a program of that name:"
                 " watch %s %s" % (
                   opts.command_line[0], ", ".join(commandline.WATCHED),
                   commandline.EXEC_FLAG, opts.command_line[0]))
  if has_exec and not opts.command_line:
    parser.error("%s needs a command" % commandline.EXEC_FLAG)
  if opts.json and opts.command_line:
    parser.error("--json and a command to run exclude each other")
  if opts.initial and not opts.command_line:
    parser.error("--initial needs a command to run")


def _CheckExport(parser: argparse.ArgumentParser, opts: argparse.Namespace
                 ) -> None:
  """Refuses options of "export" that have no effect.

  """
  for (name, form) in [("target_port", "prometheus-sd"), ("table", "nftables")]:
    if getattr(opts, name) is not None and opts.format != form:
      parser.error("--%s belongs to the format %s" %
                   (name.replace("_", "-"), form))
  if opts.json and opts.output is not None:
    parser.error("--json and --output exclude each other")
  if opts.then is not None and opts.output is None:
    parser.error("--then needs --output")


def IsMultiCluster(opts: argparse.Namespace) -> bool:
  """Tells whether the output has the form for several clusters.

  With "--cluster all" the output has that form even if there is one cluster.

  """
  names = getattr(opts, "clusters", None)
  return names is not None and (len(names) > 1 or
                                names == [commandline.ALL_CLUSTERS])


def _WhatIsForOne(opts: argparse.Namespace) -> Optional[str]:
  """Returns the command or option that is for one cluster only, if any.

  """
  if opts.command is None:
    return "the self test"
  if not commandline.Find(opts.command).multi_cluster:
    return str(opts.command)
  if getattr(opts, "question", None) == commandline.EXPORT:
    return "watch export"
  if opts.command == commandline.EXPORT and opts.json:
    return "export --json"
  for (name, text) in [("dot", "map --dot"), ("svg", "map --svg")]:
    if getattr(opts, name, False):
      return text
  return None


def _CheckMultiCluster(parser: argparse.ArgumentParser, opts: argparse.Namespace
                       ) -> None:
  """Refuses commands and options that are for one cluster only.

  """
  what = _WhatIsForOne(opts)
  if what is not None:
    parser.error("%s is for one cluster: name one with --cluster" % what)
  for (name, text) in [("addresses", "--address"), ("hmac", "--hmac"),
                       ("hmac_file", "--hmac-file")]:
    if getattr(opts, name, None):
      parser.error("%s and several clusters exclude each other" % text)


def _HelpOrRefuse(words: Sequence[str], options: Sequence[str]) -> NoReturn:
  """Prints the help, or raises the error about an unknown command.

  @param words: the command line without options
  @param options: the options of the command line

  """
  (name, *others) = words
  if name == commandline.HELP:
    if not others:
      _PrintHelp(None)
    name = others[0]
    if name in commandline.COMMANDS:
      _PrintHelp(name)
  parser = MakeParser(None)
  for text in options:
    # Report a mistyped option first: the word that seems to be the command may
    # be the option's value
    flag = text.partition("=")[0]
    known = commandline.AllOptions()
    if flag not in known:
      _RefuseOption(parser, flag, known)
  hint = argtypes.DidYouMean(name, list(commandline.COMMANDS))
  if name in argtypes.KINDS or name + "s" in argtypes.KINDS:
    hint = "; did you mean 'list %s'?" % name
  parser.error("no such command: '%s'%s" %
               (name, hint or "; \"%s --help\" lists the commands" %
                commandline.PROGRAM))


def _PrintHelp(name: Optional[str]) -> NoReturn:
  """Prints the help of a command, and ends.

  """
  parser = MakeParser(name)
  parser.epilog = _Epilog(name)
  parser.parse_args(["--help"])
  raise AssertionError("--help has not ended the program")


def Name(argv: Sequence[str]) -> Optional[str]:
  """Returns the name of the command in a command line, or None.

  """
  words = _Split(argv).arguments
  return words[0] if words else None


def Parse(argv: Sequence[str]) -> argparse.Namespace:
  """Parses a command line.

  @return: the values of the command's options and arguments, and its name or
    None as C{command}
  @raise UsageError: the command line is wrong
  @raise SystemExit: help or version was printed

  """
  (options, words, to_run) = _Split(argv)
  name = words[0] if words else None
  if name is not None and name not in commandline.COMMANDS:
    _HelpOrRefuse(words, options)
  question = None
  if name == commandline.WATCH and len(words) > 1:
    question = words.pop(1)
    name = "%s %s" % (commandline.WATCH, question)
  parser = MakeParser(name)
  command = commandline.Find(name)
  if not {"-h", "--help"}.isdisjoint(options):
    parser.epilog = _Epilog(name)
  known = {flag for option in command.Options() for flag in option.flags}
  for text in options:
    # Refuse unknown options here: argparse would treat "--unknown=a b", with a
    # blank in the value, as an argument instead of an option
    flag = text.partition("=")[0]
    if flag not in known:
      _RefuseOption(parser, flag, known)
  (opts, unknown) = parser.parse_known_args(options + ["--"] + words[1:])
  for word in unknown:
    # Ignore "--", which argparse returns if the command has no arguments
    if word != "--":
      parser.error("too many arguments: '%s'" % word)
  arguments = [i.name for i in command.arguments]
  for (option, value) in vars(opts).items():
    # Put back a "--" that is an option's value: argparse removes it before
    # Python 3.13
    if value == [] and option not in arguments:
      setattr(opts, option, "--")
  opts.command = words[0] if words else None
  if opts.command == commandline.WATCH:
    opts.question = question
    opts.command_line = to_run
    _CheckWatch(parser, opts, commandline.EXEC_FLAG + "=" in options)
  _CheckOptions(parser, opts)
  _CheckCompletion(parser, opts, options)
  if commandline.EXPORT in (name, question):
    _CheckExport(parser, opts)
  if IsMultiCluster(opts):
    _CheckMultiCluster(parser, opts)
  return opts

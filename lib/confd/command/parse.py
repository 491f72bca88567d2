#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Takes a command line of confd-client apart.

Options may stand before and after the command. After C{watch} there may be
another command, one of C{commandline.WATCHED}, with its own arguments and
options; any other word is a program, and all that follows is that program's. So
is all that follows C{--exec}, by which a program is run that is called like a
question. So the words are sorted first, and a parser is made of the one command
that is asked for.

"""

from __future__ import annotations

import argparse
import functools

from typing import Any, Dict, List, NoReturn, Optional, Sequence, Tuple

from ganeti.confd.command import argtypes
from ganeti.confd.command import commandline


class UsageError(Exception):
  """The command line is wrong.

  @ivar usage: how it should look

  """
  def __init__(self, text: str, name: Optional[str]) -> None:
    """Initializes this class.

    @param name: of the command, as L{commandline.Find} takes it

    """
    Exception.__init__(self, text)
    self.usage = commandline.Find(name).Usage(name)


#: Forms of output, of which there is one at a time
_FORMS = ("json", "json_lines", "csv", "dot", "svg", "nagios", "prometheus")

#: Options about the looks of a table (name, as it is typed, and value that it
#: has by itself), and the forms other than a table that they hold for
_LOOKS: Tuple[Tuple[str, str, Any, Tuple[str, ...]], ...] = (
  ("headers", "--no-headers", True, ("csv", )),
  ("separator", "--separator", None, ()),
  ("units", "--units", None, ("csv", )),
  )


def _Sort(argv: Sequence[str]) -> Tuple[List[str], List[str], List[str]]:
  """Sorts the words of a command line.

  A value is joined to its option, so that it may begin with a dash.

  @return: options, the other words in their order, and the command line to
    run, which is empty where there is none

  """
  to_run: List[str] = []
  known = commandline.AllOptions()
  options: List[str] = []
  words: List[str] = []
  rest = list(argv)
  while rest:
    word = rest.pop(0)
    (flag, equals, first) = word.partition("=")
    if words[:1] == [commandline.WATCH] and flag == commandline.EXEC_FLAG:
      options.append(flag + "=")
      to_run = [first, *rest] if equals else rest
      break
    if words == [commandline.WATCH] and (
        word == "--" or
        not (word.startswith("-") or word in commandline.WATCHED)):
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
  def __init__(self, name: Optional[str]) -> None:
    self.name = name
    # With a width argparse need not look for one, which takes a while
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
  return ("Commands (none: %s):\n%s\n\n\"%s COMMAND --help\" tells more about"
          " one." % (commandline.NO_COMMAND.text,
                    "\n".join(table.Format(None, rows)),
                    commandline.PROGRAM))


def MakeParser(name: Optional[str]) -> argparse.ArgumentParser:
  """Makes the parser of one command.

  @param name: None for where there is no command

  """
  command = commandline.Find(name)
  parser = _Parser(name)
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


def _HasOption(command: commandline.Command, flag: str) -> bool:
  return any(flag in option.flags for option in command.Options())


def _RefuseOption(parser: argparse.ArgumentParser, flag: str) -> NoReturn:
  """Says what is wrong with an option that a command does not have.

  """
  known = commandline.AllOptions()
  if flag not in known:
    parser.error("no such option: %s%s" %
                 (flag, argtypes.DidYouMean(flag, list(known))))
  where = ["the command " + i for (i, command) in commandline.COMMANDS.items()
           if _HasOption(command, flag)]
  if _HasOption(commandline.NO_COMMAND, flag):
    where.append("%s without a command" % commandline.PROGRAM)
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
  if opts.question == commandline.EXPORT:
    if opts.output is None:
      parser.error("watch export needs --output")
    return
  if opts.exec:
    parser.error("%s has to stand after %s" %
                 (commandline.EXEC_FLAG, commandline.WATCH))
  if has_exec and not opts.command_line:
    parser.error("%s needs a command" % commandline.EXEC_FLAG)
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


def IsMultiCluster(opts: argparse.Namespace) -> bool:
  """Tells whether several clusters are asked for, be they one in the end.

  """
  names = getattr(opts, "clusters", None)
  return names is not None and (len(names) > 1 or
                                names == [commandline.ALL_CLUSTERS])


def _CheckMultiCluster(parser: argparse.ArgumentParser, opts: argparse.Namespace
                       ) -> None:
  """Refuses what does not go with several clusters.

  """
  if not commandline.Find(opts.command).multi_cluster:
    parser.error("several clusters belong to the command %s" % ", ".join(
      name for (name, command) in commandline.COMMANDS.items()
      if command.multi_cluster))
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
  if name is not None and name not in commandline.COMMANDS:
    MakeParser(None).error("no such command: '%s'%s" %
                           (name, argtypes.DidYouMean(
                             name, list(commandline.COMMANDS))))
  question = None
  if name == commandline.WATCH and len(words) > 1:
    question = words.pop(1)
    name = "%s %s" % (commandline.WATCH, question)
  parser = MakeParser(name)
  command = commandline.Find(name)
  known = {flag for option in command.Options() for flag in option.flags}
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
  arguments = [i.name for i in command.arguments]
  for (option, value) in vars(opts).items():
    # Before Python 3.13 argparse takes a "--" away even where it is a value
    if value == [] and option not in arguments:
      setattr(opts, option, "--")
  opts.command = words[0] if words else None
  if opts.command == commandline.WATCH:
    opts.question = question
    opts.command_line = to_run
    _CheckWatch(parser, opts, commandline.EXEC_FLAG + "=" in options)
  _CheckForms(parser, opts)
  if commandline.EXPORT in (name, question):
    _CheckExport(parser, opts)
  if IsMultiCluster(opts):
    _CheckMultiCluster(parser, opts)
  return opts

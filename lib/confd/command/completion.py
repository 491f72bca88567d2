#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Shell completion for confd-client, generated from its argument parsers.

The files C{completion.bash} and C{completion.zsh} beside this module are
templates. The line "@TABLES@" of a template is replaced by four associative
arrays:
  - command_options: the options of each command
  - option_values: the completion of each option's value
  - arguments: the completion of each command's arguments, by position; the
    position "*" means all further positions
  - fields: the fields of each kind of table, without names that end in a number
A completion is a word that the template defines, or a list of words. The line
"@TEXTS@" is replaced by two arrays, the descriptions of commands and those of
options. The syntax of the arrays is common to bash and zsh.

"""

from __future__ import annotations

import os
import shlex

from typing import Iterable, Iterator

from ganeti import pathutils
from ganeti.confd import localnode
from ganeti.confd.command import argtypes
from ganeti.confd.command import commandline
from ganeti.confd.command import rights
from ganeti.confd.schema import columns
from ganeti.confd.views import checks


#: A key and its value in an associative array of the shell
_Entry = tuple[str, str]

#: The completion of a value for which nothing can be proposed
_NOTHING = "nothing"


def _Array(name: str, entries: Iterable[_Entry]) -> list[str]:
  """Declares an associative array.

  """
  lines = ["  local -A %s=(" % name]
  lines.extend("    ['%s']='%s'" % (key, value.replace("'", "'\\''"))
               for (key, value) in entries)
  return lines + ["  )"]


def _OptionsByCommand() -> Iterator[_Entry]:
  for (name, command) in commandline.COMMANDS.items():
    yield (name, " ".join(flag for option in command.Options()
                          for flag in option.flags))


def _ValuesOfOptions() -> Iterator[_Entry]:
  for (flag, option) in commandline.AllOptions().items():
    if option.takes_value:
      choices = " ".join(option.settings.get("choices", []))
      yield (flag, choices or option.completion or _NOTHING)


def _Arguments() -> Iterator[_Entry]:
  yield (commandline.HELP + " 1", " ".join(commandline.COMMANDS))
  for (name, command) in commandline.COMMANDS.items():
    for (place, argument) in enumerate(command.arguments, 1):
      completion = argument.completion or _NOTHING
      if completion == "kinds":
        completion = " ".join(argtypes.KINDS)
      position = "*" if argument.repeats in ("*", "+") else str(place)
      yield ("%s %s" % (name, position), completion)


def _Fields() -> Iterator[_Entry]:
  for kind in argtypes.KINDS:
    table = columns.TABLES[kind[:-1]]
    names = " ".join([name for name in table.columns
                      if not name[-1].isdigit()] +
                     [params.prefix + key for params in table.params
                      for key in params.known])
    yield (kind, names)
    yield (kind[:-1], names)
  # Lists of rights and lists of checks are completed like lists of fields: one
  # word after the other, with commas between the words
  yield ("rights", " ".join(rights.Words()))
  yield ("checks", " ".join(checks.CHECKS))


def _TextsOfOptions() -> Iterator[_Entry]:
  for (flag, option) in commandline.AllOptions().items():
    yield (flag, option.settings["help"] % option.settings)


def Script(shell: str) -> str:
  """Returns the completion script for a shell.

  @param shell: one of C{argtypes.SHELLS}

  """
  whom = [flag for option in commandline.TARGET for flag in option.flags]
  tables = (_Array("command_options", _OptionsByCommand()) +
            _Array("option_values", _ValuesOfOptions()) +
            _Array("arguments", _Arguments()) +
            _Array("fields", _Fields()) +
            ["  local every_option='%s'" % " ".join(commandline.AllOptions()),
             "  local whom_options='%s'" % " ".join(whom)])
  texts = (_Array("command_texts", ((name, command.text) for (name, command)
                                    in commandline.COMMANDS.items())) +
           _Array("option_texts", _TextsOfOptions()))
  (settings, _) = localnode.PossibleClientSettings()
  replacements = {
    "@TABLES@": "\n".join(tables),
    "@TEXTS@": "\n".join(texts),
    "@DATA@": shlex.quote(pathutils.DATA_DIR),
    "@SETTINGS@": shlex.quote(settings),
    }
  path = os.path.join(os.path.dirname(__file__), "completion." + shell)
  with open(path, encoding="ascii") as template:
    text = template.read()
  for (mark, replacement) in replacements.items():
    text = text.replace(mark, replacement)
  return text

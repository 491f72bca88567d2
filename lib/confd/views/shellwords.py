#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Command lines for a shell, whatever the names in them hold.

Facts: C{shlex.quote} leaves a word alone whose characters mean nothing to a
POSIX shell; zsh reads a word that begins with an equals sign as the path of a
program. No form of quoting that all POSIX shells know makes a line of text of a
control character. Programs of Ganeti's take what stands after "--" for operands
(optparse).

Rule: each command line that is shown or written is made here.

"""

from __future__ import annotations

import shlex

from typing import Optional, Sequence


def _Word(text: str) -> str:
  if text.startswith("="):
    return "'%s'" % text.replace("'", "'\"'\"'")
  return shlex.quote(text)


def Line(command: Sequence[str], operands: Sequence[str] = ()
         ) -> Optional[str]:
  """Writes a command line, for bash, zsh and every POSIX shell.

  @param command: the program and its options, each word as the program gets it
  @param operands: what stands after the options; "--" goes before them if one
    begins with a dash
  @return: None if a word has a character that cannot stand in a line of text,
    such as a newline: no command line is right then

  """
  words = list(command)
  if any(operand.startswith("-") for operand in operands):
    words.append("--")
  words.extend(operands)
  if not all(word.isprintable() for word in words):
    return None
  return " ".join(map(_Word, words))

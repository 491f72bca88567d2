#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Command lines for a shell, with any names in them.

Rule: each command line that a program of this package prints is made here.

Facts:
  - C{shlex.quote} does not quote a word whose characters mean nothing to a
    POSIX shell. But zsh replaces a word that begins with an equals sign by the
    path of a program.
  - POSIX shells have no common form of quoting that keeps a control character
    out of a line of text.
  - Ganeti's programs take all words after "--" as operands (optparse).

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
  """Formats a command line for bash, zsh and every POSIX shell.

  @param command: the program and its options, not quoted
  @param operands: the words after the options, not quoted; if an operand begins
    with a dash, "--" is put before the operands
  @return: None if a word has a character that cannot stand in a line of text,
    such as a newline

  """
  words = list(command)
  if any(operand.startswith("-") for operand in operands):
    words.append("--")
  words.extend(operands)
  if not all(word.isprintable() for word in words):
    return None
  return " ".join(map(_Word, words))

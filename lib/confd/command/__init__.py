#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The command confd-client, and the hook of gnt-cluster verify.

C{commandline} knows which commands and options there are, C{cli} finds the key
and runs a command. Each command is a module of its name: its C{Run} gets a
client and the command line, and returns the exit code. The commands that are
one question of the protocol are together in C{questions}. C{output} and
C{table} print.

The hook is C{verifyhook}.

"""

from __future__ import annotations

#: There is an answer
EXIT_SUCCESS = 0

#: The answer is an error, or a file cannot be read
EXIT_FAILURE = 1

#: The command line is wrong
EXIT_USAGE = 2

#: Nobody has answered
EXIT_NO_ANSWER = 3

#: What a shell makes of a program that a signal has ended
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


def Main() -> int:
  """Runs confd-client: what its script does, whoever made that.

  @return: exit code

  """
  try:
    # Takes a while, in which somebody may press Ctrl-C
    from ganeti.confd.command import cli
  except KeyboardInterrupt:
    return EXIT_INTERRUPTED
  return cli.Main()

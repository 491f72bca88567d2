#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The command confd-client, and the hook of gnt-cluster verify.

C{commandline} knows which commands and options there are, C{parse} takes apart
what has been typed, C{cli} finds the key and runs a command. Each command is a
module of its name: its C{Run} gets a client and the command line, and returns
the exit code. The commands that are one question of the protocol are together
in C{cmd_question}. C{output} and C{table} print.

The hook is C{verifyhook}.

"""

from __future__ import annotations

from ganeti.confd.command import exitcodes


def Main() -> int:
  """Runs confd-client: what its script does, whoever made that.

  @return: exit code

  """
  try:
    # Takes a while, in which somebody may press Ctrl-C
    from ganeti.confd.command import cli
  except KeyboardInterrupt:
    return exitcodes.INTERRUPTED
  return cli.Main()

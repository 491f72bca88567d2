#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The command confd-client, and the hook of gnt-cluster verify.

C{commandline} has the table of commands and options, C{parse} parses the
command line, and C{cli} finds the key and runs a command. Each command has a
module C{cmd_NAME}, whose function C{Run} gets a client and the options, and
returns the exit code. C{cmd_question} has all commands that ask one question of
the protocol. C{output} and C{table} print.

The hook is C{verifyhook}.

"""

from __future__ import annotations

from ganeti.confd.command import exitcodes


def Main() -> int:
  """Runs confd-client, for tools/confd-client and for the script made by pip.

  @return: exit code

  """
  try:
    # Import inside "try": the import takes so long that Ctrl-C may interrupt it
    from ganeti.confd.command import cli
  except KeyboardInterrupt:
    return exitcodes.INTERRUPTED
  return cli.Main()

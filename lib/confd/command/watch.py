#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "watch": seeing the configuration change.

The serial is asked for again and again. Whose word counts, and what becomes of
a serial that goes back, is the client library's to know; candidates that are
down, all of them even, only make a change show later.

"""

from __future__ import annotations

import argparse
import os
import time

from typing import Any, Callable, List, NoReturn

from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd.command import output


#: Seconds between two questions
INTERVAL = 1.0

#: Where a command that is run finds the new serial
_SERIAL_VARIABLE = "CONFD_SERIAL"


def Follow(asker: clientlib.Client,
           moved: Callable[[int, clientlib.Reply[Any]], None]) -> NoReturn:
  """Watches the serial.

  @param moved: called with the old serial and the reply with the new one, each
    time it has moved; what happens meanwhile is one move more at most

  """
  serial = None
  is_lost = False
  while True:
    try:
      reply = asker.Serial()
    except (errors.ConfdClientError, errors.ConfigurationError) as err:
      if not is_lost:
        output.Say("%s; trying on" % err)
      is_lost = True
    else:
      if serial is None:
        output.Say("The serial is %d" % reply.serial)
      elif is_lost:
        output.Say("There are answers again")
      is_lost = False
      if serial is not None and serial != reply.serial:
        moved(serial, reply)
      serial = reply.serial
    time.sleep(INTERVAL)


def _RunCommand(words: List[str], serial: int) -> None:
  import subprocess
  try:
    code = subprocess.call(words, env=dict(os.environ,
                                           **{_SERIAL_VARIABLE: str(serial)}))
  except OSError as err:
    # It may be there again at the next change
    output.Say("Cannot run '%s': %s" % (words[0], err.strerror))
    return
  if code != 0:
    output.Say("'%s' ended with exit code %d" % (" ".join(words), code))


def Run(asker: clientlib.Client, opts: argparse.Namespace) -> int:
  """Prints a line, or runs a command, each time the configuration changes.

  """
  words = opts.command_line
  if words:
    import shutil
    if shutil.which(words[0]) is None:
      raise errors.ConfdClientError("No such command: '%s'" % words[0])

  def _Moved(old: int, reply: clientlib.Reply[Any]) -> None:
    if words:
      _RunCommand(words, reply.serial)
    elif opts.json:
      answer = {"time": int(time.time()), "old": old, "serial": reply.serial}
      shown = output.FormatReply(reply._replace(answer=answer))
      print(output.FormatJson(shown, indent=None), flush=True)
    else:
      print("%s serial %d (was %d)" %
            (time.strftime("%Y-%m-%d %H:%M:%S"), reply.serial, old),
            flush=True)
  Follow(asker, _Moved)

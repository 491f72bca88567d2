#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "show-key": what a key is for, and never the key.

Whether daemons accept it is not asked: it may be of another cluster, or of one
whose key was renewed.

"""

from __future__ import annotations

import argparse
import time

from typing import Any, Dict

from ganeti.confd import client as clientlib
from ganeti.confd import localnode
from ganeti.confd.command import exitcodes
from ganeti.confd.command import output
from ganeti.confd.command import rights
from ganeti.confd.protocol import keyfile
from ganeti.confd.protocol import readerkey
from ganeti.confd.protocol import wire


def Tell(key: wire.Key, now: float) -> Dict[str, Any]:
  """Says what a key is for, for --json.

  @param now: the time, in seconds since the epoch

  """
  label = keyfile.LabelOf(key)
  return {
    "reader": None if label is None else label.name,
    "may": [readerkey.ALL] if label is None else sorted(label.what),
    "until": (None if label is None or label.last_day is None else
              label.last_day.isoformat()),
    "ended": label is not None and label.HasEnded(now),
    "commands": rights.Commands(label),
    }


def RunAlone(opts: argparse.Namespace, key_file: str) -> int:
  """Shows what a key is for.

  """
  answer = Tell(localnode.ReadAnyKey(key_file), time.time())
  code = exitcodes.FAILURE if answer["ended"] else exitcodes.SUCCESS
  if opts.json:
    # Nobody was asked
    serial: Any = None
    output.PrintReply(clientlib.Reply(answer, serial, [], {}))
    return code
  if answer["reader"] is None:
    lines = ["Key:      the cluster's: for everything, also to answer in any"
             " candidate's name"]
  else:
    until = "never ends"
    if answer["until"] is not None:
      until = "%s (UTC)%s" % (answer["until"],
                              ", has ended" if answer["ended"] else "")
    lines = ["Reader:   %s" % answer["reader"],
             "May ask:  %s" % ", ".join(answer["may"]),
             "Until:    %s" % until,
             "Commands: %s" % ", ".join(answer["commands"])]
  output.Printer(opts).Print(None, [[line] for line in lines])
  return code

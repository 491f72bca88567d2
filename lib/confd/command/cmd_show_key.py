#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "show-key": shows a key's label, but not the key.

The command sends no request, so it cannot tell whether daemons accept the key.

"""

from __future__ import annotations

import argparse
import time

from typing import Any

from ganeti.confd import client as clientlib
from ganeti.confd import humanize
from ganeti.confd import localnode
from ganeti.confd.command import exitcodes
from ganeti.confd.command import output
from ganeti.confd.command import rights
from ganeti.confd.protocol import keyfile
from ganeti.confd.protocol import readerkey
from ganeti.confd.protocol import wire


def ToJson(key: wire.Key, now: float) -> dict[str, Any]:
  """Describes a key for --json.

  @param now: the time, in seconds since the epoch

  """
  label = keyfile.LabelOf(key)
  return {
    "reader": None if label is None else label.name,
    "may": [readerkey.ALL] if label is None else sorted(label.what),
    "until": (None if label is None or label.last_day is None else
              label.last_day.isoformat()),
    "ended": label is not None and label.HasEnded(now),
    "days_left": None if label is None else label.DaysLeft(now),
    "commands": rights.Commands(label),
    }


def RunAlone(opts: argparse.Namespace, key_file: str) -> int:
  """Shows a key's reader, rights and last day.

  """
  answer = ToJson(localnode.ReadAnyKey(key_file), time.time())
  code = exitcodes.FAILURE if answer["ended"] else exitcodes.SUCCESS
  if opts.json:
    # No request was sent, so there is no serial
    serial: Any = None
    output.PrintReply(clientlib.Reply(answer, serial, [], {}))
    return code
  if answer["reader"] is None:
    lines = ["Key:      the cluster's: permits everything, also to answer in"
             " any candidate's name"]
  else:
    until = "never ends"
    if answer["until"] is not None:
      until = "%s (UTC), %s" % (
        answer["until"], "has ended" if answer["ended"] else "%s left" %
        humanize.Count(answer["days_left"], "day"))
    lines = ["Reader:   %s" % answer["reader"],
             "May ask:  %s" % ", ".join(answer["may"]),
             "Until:    %s" % until,
             "Commands: %s" % ", ".join(answer["commands"])]
  output.Printer(opts).Print(None, [[line] for line in lines])
  return code

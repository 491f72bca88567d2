#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The self test, which confd-client runs without a command.

The questions and the printed lines are the same as in Ganeti's confd-client, as
scripts may parse the output.

"""

from __future__ import annotations

import argparse
import sys
import time

from typing import Any, Callable, Sequence

from ganeti import constants
from ganeti import errors
from ganeti.confd import client as clientlib
from ganeti.confd.command import cmd_question
from ganeti.confd.command import exitcodes
from ganeti.confd.command import output


#: The self test prints at most this many items of a list
_MAX_ITEMS = 5


class _Report:
  """Prints the results of the self test, and keeps them for --json.

  @ivar found: the results by their names in JSON

  """
  def __init__(self, is_quiet: bool) -> None:
    self._is_quiet = is_quiet
    self.found: dict[str, Any] = {}

  def _Print(self, text: str) -> None:
    if not self._is_quiet:
      output.WriteLine(text)
      # Show each line at once
      sys.stdout.flush()

  def Heading(self, text: str) -> None:
    self._Print("- %s" % text)

  def Items(self, items: Sequence[Any]) -> None:
    for item in items[:_MAX_ITEMS]:
      self._Print("  * %s" % (item, ))
    if len(items) > _MAX_ITEMS:
      self._Print("  * ...")


def Check(client: clientlib.Client, report: _Report) -> clientlib.Reply[Any]:
  """Asks the questions that every cluster can answer.

  @return: the last reply
  @raise errors.ConfdClientError: a question gets no answer, or a wrong one

  """
  found = report.found
  report.Heading("Checking confd results")
  found["version"] = client.Ping().answer
  report.Heading("Ping: OK")
  master = found["master"] = client.MasterNode().answer
  report.Heading("Master: OK (%s)" % (master, ))
  found["master_info"] = client.MasterInfo().answer
  report.Heading("Master: OK (%s)" % (found["master_info"], ))
  role = client.NodeRole(master).answer
  if role != constants.CONFD_NODE_ROLE_MASTER:
    raise errors.ConfdClientError("Node role for master: wrong: %s" % (role, ))
  report.Heading("Node role for master: OK")
  found["node_ips"] = client.NodeIps().answer
  report.Heading("Node primary ip query: OK")
  report.Items(found["node_ips"])
  found["mc_ips"] = client.MasterCandidates().answer
  report.Heading("Master candidates primary IP query: OK")
  report.Items(found["mc_ips"])
  ips = found["instance_ips"] = client.InstanceIps().answer
  report.Heading("Instance primary IP query: OK")
  report.Items(ips or ["no IPs received"])
  reply = client.NodesOfInstanceIps(ips)
  found["nodes_of_ips"] = reply.answer
  report.Heading("Instance IP to node IP query: OK")
  report.Items([list(row) for row in reply.answer] or ["no mapping received"])
  return reply


def Time(client: clientlib.Client, requests: int, report: _Report) -> None:
  """Measures how long answers take.

  @param requests: the number of requests of each type; 0 for no measurement

  """
  if not requests:
    return
  report.Heading("Timing tests")
  questions: list[tuple[str, Callable[[], Any]]] = [
    ("ping", client.Ping),
    ("instance ips", client.InstanceIps),
    ]
  milliseconds = report.found["milliseconds"] = {}
  for (name, ask) in questions:
    started = time.monotonic()
    for _ in range(requests):
      ask()
    each = 1000 * (time.monotonic() - started) / requests
    milliseconds[name] = each
    report.Items(["%.3fms per %s request" % (each, name)])


def _ToJson(found: dict[str, Any]) -> dict[str, Any]:
  """Converts the results to their form with --json.

  """
  return dict(found,
              master_info=cmd_question.MasterInfoToJson(found["master_info"]),
              nodes_of_ips=cmd_question.NodesOfIpsToJson(found["instance_ips"],
                                                         found["nodes_of_ips"]))


def Run(client: clientlib.Client, opts: argparse.Namespace) -> int:
  """Runs the self test.

  """
  report = _Report(opts.json)
  reply = Check(client, report)
  Time(client, opts.requests, report)
  if opts.json:
    output.PrintReply(reply.With(_ToJson(report.found)))
  return exitcodes.SUCCESS

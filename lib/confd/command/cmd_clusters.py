#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "clusters": lists the clusters of the settings.

"""

from __future__ import annotations

import argparse
import os

from typing import Any, NamedTuple, Optional

from ganeti.confd import client as clientlib
from ganeti.confd.clientlib import keyrights
from ganeti.confd.clientlib import settings as settingslib
from ganeti.confd.command import multicluster
from ganeti.confd.command import output


class _Summary(NamedTuple):
  """A cluster's serial, master and sizes.

  A value that the key does not permit is None.

  """
  reply: clientlib.Reply[int]
  master: Optional[str]
  nodes: Optional[int]
  instances: Optional[int]

  def ToJson(self) -> dict[str, Any]:
    return dict(output.FormatReply(self.reply), master=self.master,
                nodes=self.nodes, instances=self.instances)


def _Ask(client: clientlib.Client) -> _Summary:
  """Asks for the serial, and for those other values that the key permits.

  """
  def _May(right: str) -> bool:
    return client.reader is None or keyrights.May(client.reader, right)

  reply = client.Serial()
  master = client.MasterNode().answer if _May("master") else None
  nodes = len(client.NodeIps().answer) if _May("node-ips") else None
  # Only this project's daemon has tables. Ganeti's own daemon replies to a ping
  # with serial 0, and does not answer requests with a reader's key.
  is_ours = client.reader is not None or client.Ping().serial != 0
  instances = (len(client.Instances().answer)
               if is_ours and _May("list/instances") else None)
  return _Summary(reply, master, nodes, instances)


def RunMultiCluster(factories: multicluster.ClientFactories,
                    opts: argparse.Namespace) -> int:
  """Lists the clusters, and tells which of them answer.

  @param factories: the client factories of all clusters

  """
  answers = multicluster.AskAll(factories, _Ask)
  if opts.json:
    answers.PrintJson(_Summary.ToJson)
    return answers.code
  settings = settingslib.Read()
  default = (os.environ.get(settingslib.CLUSTER_VARIABLE) or
             settings.Default())
  rows = []
  for name in factories:
    found = answers.values.get(name)
    failure = answers.failures.get(name)
    cells: list[Any] = [None] * 4
    if found is not None:
      cells = [found.reply.serial, found.master, found.nodes, found.instances]
    rows.append([name, "yes" if name == default else "no",
                 "yes" if found is not None else "no", *cells,
                 ",".join(settings.clusters[name].addresses or []),
                 "" if failure is None else output.Describe(failure)])
  output.Printer(opts).Print(["Cluster", "Default", "Answers", "Serial",
                              "Master", "Nodes", "Instances", "Addresses",
                              "Problem"], rows, [3, 5, 6])
  return answers.code

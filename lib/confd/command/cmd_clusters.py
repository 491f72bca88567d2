#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "clusters": lists the clusters of the settings.

"""

from __future__ import annotations

import argparse
import os

from ganeti.confd import client as clientlib
from ganeti.confd.clientlib import settings as settingslib
from ganeti.confd.command import multicluster
from ganeti.confd.command import output


def RunMultiCluster(factories: multicluster.ClientFactories,
                    opts: argparse.Namespace) -> int:
  """Lists the clusters, and tells which of them answer.

  @param factories: those of all clusters

  """
  answers = multicluster.AskAll(factories, clientlib.Client.Serial)
  if opts.json:
    answers.PrintJson(output.FormatReply)
    return answers.code
  settings = settingslib.Read()
  default = (os.environ.get(settingslib.CLUSTER_VARIABLE) or
             settings.Default())
  rows = []
  for name in factories:
    reply = answers.values.get(name)
    failure = answers.failures.get(name)
    rows.append([name, "yes" if name == default else "no",
                 "yes" if reply is not None else "no",
                 None if reply is None else reply.serial,
                 ",".join(settings.clusters[name].addresses or []),
                 "" if failure is None else output.Describe(failure)])
  output.Printer(opts).Print(["Cluster", "Default", "Answers", "Serial",
                              "Addresses", "Problem"], rows, [3])
  return answers.code

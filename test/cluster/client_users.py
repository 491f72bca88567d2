#!/usr/bin/python3
#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Runs code of Debian's Ganeti that uses the confd client.

The program is run with C{overlay.Make}'s directory in PYTHONPATH, so that the
client is this project's. GANETI_ROOTDIR and GANETI_HOSTNAME select the cluster;
standard input is a JSON object::

  {"port": PORT, "drbd_node": NAME, "hostname": NAME, "master": NAME,
   "no_headers": BOOL}

Standard output is the output of Ganeti's code, then a line with "RESULT " and a
JSON object.

"""

import json
import logging
import sys

# pylint cannot import Ganeti's own modules, which this program is run with
# pylint: disable=C0413,E0401,E0611,I1101
import ganeti.confd.localnode
from ganeti import netutils
from ganeti.client import gnt_node
from ganeti.tools import burnin
from ganeti.watcher import nodemaint


class _Options:
  def __init__(self, no_headers):
    self.no_headers = no_headers
    self.separator = "|"
    self.units = None


def _ListDrbd(spec):
  """Runs C{gnt-node list-drbd}.

  """
  return gnt_node.ListDrbd(_Options(spec["no_headers"]), [spec["drbd_node"]])


def _NodeMaintenance(spec):
  """Runs the watcher's node maintenance, without its actions on the node.

  @return: the roles for which the watcher would have acted

  """
  roles = []
  maintenance = nodemaint.NodeMaintenance()
  maintenance.DoMaintenance = roles.append
  netutils.Hostname.GetSysName = staticmethod(lambda: spec["hostname"])
  maintenance.Exec()
  return roles


def _Burnin(spec):
  """Runs burnin's checks of confd, which exit on any problem.

  """
  burner = burnin.Burner.__new__(burnin.Burner)
  burner.cluster_info = {"master": spec["master"]}
  burner.BurnConfd()
  return True


def Main():
  """Main program.

  """
  logging.basicConfig(stream=sys.stdout, level=logging.INFO)
  spec = json.load(sys.stdin)
  # Replace the default port: Debian's code cannot pass another one
  ganeti.confd.localnode.DefaultPort = lambda: spec["port"]
  result = {
    "list_drbd": _ListDrbd(spec),
    "roles": _NodeMaintenance(spec),
    "burnin": _Burnin(spec),
    }
  print("RESULT " + json.dumps(result))


if __name__ == "__main__":
  Main()

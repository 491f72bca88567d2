#!/usr/bin/python3
#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Runs code of Debian's Ganeti that uses the confd client.

To be run with C{overlay.Make}'s directory in PYTHONPATH, so that the client is
this project's. GANETI_ROOTDIR and GANETI_HOSTNAME say which cluster; standard
input is a JSON object::

  {"port": PORT, "drbd_node": NAME, "hostname": NAME, "master": NAME,
   "no_headers": BOOL}

Standard output is whatever that code prints, then a line "RESULT " and a JSON
object.

"""

import json
import logging
import sys

# Ganeti's own modules are there where it runs
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
  """gnt-node list-drbd.

  """
  return gnt_node.ListDrbd(_Options(spec["no_headers"]), [spec["drbd_node"]])


def _NodeMaintenance(spec):
  """The watcher's node maintenance, but for what it does to the node.

  @return: the roles it acted on

  """
  roles = []
  maintenance = nodemaint.NodeMaintenance()
  maintenance.DoMaintenance = roles.append
  netutils.Hostname.GetSysName = staticmethod(lambda: spec["hostname"])
  maintenance.Exec()
  return roles


def _Burnin(spec):
  """The confd checks of burnin, which exit if anything is wrong.

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
  # Debian's code has no way to ask at another port
  ganeti.confd.localnode.DefaultPort = lambda: spec["port"]
  result = {
    "list_drbd": _ListDrbd(spec),
    "roles": _NodeMaintenance(spec),
    "burnin": _Burnin(spec),
    }
  print("RESULT " + json.dumps(result))


if __name__ == "__main__":
  Main()

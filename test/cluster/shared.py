#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""A cluster with some instances, for all tests of a process that only read.

The cluster is built once, since that takes some 20 seconds. The cluster ends
with the process at the latest; see L{cluster}.

"""

import json
import unittest

import testutils

from cluster import cluster

#: Links of the instances' nics, beside the cluster's default link
LINKS = ["200", "300"]

_DATA_DIR = "/var/lib/ganeti"


def Require():
  """Skips the calling test or module if no cluster can be built.

  @raise unittest.SkipTest: with the reason

  """
  reason = cluster.WhyNot()
  if reason is not None:
    raise unittest.SkipTest(reason)


def _Build(clu):
  """Builds the cluster and its instances.

  """
  clu.Start()
  clu.Init()
  (node1, node2, node3) = clu.nodes
  clu.master.Run("gnt-network", "add", "--network=192.0.2.0/24",
                 "--gateway=192.0.2.1", "net1")
  clu.master.Run("gnt-network", "connect", "--nic-parameters",
                 "mode=routed,link=200", "net1", "default")
  # The orders of names, of addresses and of nodes all differ
  clu.AddInstance("inst12.example.com", node1,
                  ["ip=10.77.1.12,mode=routed,link=100",
                   "ip=10.77.2.12,mode=routed,link=300"])
  clu.AddInstance("inst9.example.com", node3,
                  ["ip=10.77.1.39", "ip=10.77.2.9,mode=routed,link=300"])
  clu.AddInstance("inst10.example.com", node2,
                  ["ip=10.77.1.10,mode=routed,link=200"],
                  "--disk=0:size=1,name=root", "--disk=1:size=2",
                  template="file")
  clu.AddInstance("inst11.example.com", node2, ["ip=192.0.2.11,network=net1"])


_ONCE = cluster.Once(_Build, lambda: [testutils.BUILDDIR, testutils.SRCDIR])


def Get():
  """Returns the cluster.

  Tests may restart the cluster's daemons, but not change its configuration.

  @rtype: L{cluster.Cluster}

  """
  return _ONCE.Get()


def Configuration():
  """Reads the cluster's configuration and key.

  @rtype: tuple; (dict, bytes)

  """
  master = Get().master
  return (json.loads(master.Read(_DATA_DIR + "/config.data").decode("utf-8")),
          master.Read(_DATA_DIR + "/hmac.key"))

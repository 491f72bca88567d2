#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""What of Ganeti asks confd goes on working, with our daemon and our library.

On the nodes C{ganeti.confd} is ours, for all of Ganeti's programs. That each
question has the right answer is tested in test/ganeti.

"""

import json
import unittest

from cluster import changing
from cluster import debian
from cluster.changing import INSTANCE

#: Its instances are files there
_FAKE_HYPERVISOR = "/run/ganeti/fake-hypervisor"

_BURNIN = "/usr/lib/ganeti/tools/burnin"

#: All that takes time
_BURNIN_OPTIONS = [
  "--no-name-check", "--no-ip-check", "--no-nics", "--no-replace1",
  "--no-replace2", "--no-reboot", "--no-importexport", "--no-add-disks",
  "--no-activate-disks", "--no-startstop", "--no-reinstall", "--no-failover",
  "--no-migrate", "--no-renamesame",
  ]

#: Xen's command, where no instance runs
_XM = b"""\
#!/bin/sh
case $1 in
  list)
    echo "(domain (domid 0) (name Domain-0) (cpu_time 1.0) (state r-----)"
    echo "  (on_xend_stop ignore))"
    ;;
  uptime)
    echo "Name                                ID Uptime"
    echo "Domain-0                             0 98 days,  2:27:44"
    ;;
esac
"""

_DRBD_STATUS = b"""\
version: 8.3.11 (api:88/proto:86-96)
srcversion: 0123456789ABCDEF01234567\x20
 0: cs:Connected ro:Secondary/Primary ds:UpToDate/UpToDate C r-----
    ns:0 nr:0 dw:0 dr:0 al:0 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:b oos:0
"""


class TestUsers(changing.TestCase):
  def testListDrbd(self):
    result = self.Gnt("gnt-node", "list-drbd", self.node2.name)
    self.assertEqual(result.stdout.split(),
                     ["Node", "Minor", "Instance", "Disk", "Role", "PeerNode"])
    result = self.Gnt("gnt-node", "list-drbd", "nope", check=False)
    self.assertEqual(result.returncode, 1)

  def testConfdClient(self):
    """Debian's own, which has the client library from our hands too.

    """
    output = self.Gnt(debian.CONFD_CLIENT, "-r", "5",
                      "-a", self.node2.address).stdout
    for name in ["Ping", "Node role for master", "Node primary ip query",
                 "Master candidates primary IP query",
                 "Instance primary IP query", "Instance IP to node IP query"]:
      self.assertIn("%s: OK" % name, output)
    self.assertIn("Master: OK (%s)" % self.node1.name, output)
    self.assertNotIn("non-ok", output)

  def testCollectors(self):
    """mon-collector, in Haskell, reads instances strictly.

    """
    node = self.node1
    # Ganeti 3.1 has another name for it
    for name in ("/usr/sbin/xm", "/usr/sbin/xl"):
      node.Write(name, _XM)
      node.Run("chmod", "+x", name)
    node.Write("/tmp/proc-drbd", _DRBD_STATUS)
    report = json.loads(node.Run(debian.MON_COLLECTOR,
                                 "inst-status-xen").stdout)
    self.assertEqual([(inst["name"], inst["adminState"])
                      for inst in report["data"]["instances"]],
                     [(INSTANCE, "up")])
    report = json.loads(node.Run(debian.MON_COLLECTOR, "drbd", "-s",
                                 "/tmp/proc-drbd").stdout)
    self.assertEqual([device["minor"]
                      for device in report["data"]["deviceInfos"]], [0])

  def testNodeMaintenance(self):
    """A node that has been set offline shuts its instances down.

    It has not been told: its own daemon says that it is a candidate still, the
    others, with a higher serial, that it is offline.

    """
    orphan = _FAKE_HYPERVISOR + "/orphan.example.com"
    exists = ["test", "-e", orphan]
    self.Gnt("gnt-cluster", "modify", "--maintain-node-health=yes")
    try:
      self.node3.Run("mkdir", "-p", _FAKE_HYPERVISOR)
      self.node3.Run("touch", orphan)
      self.node3.Run("ganeti-watcher")
      self.node3.Run(*exists)
      self.Gnt("gnt-node", "modify", "--offline=yes", self.node3.name)
      try:
        # It fails in the end, as there is no DRBD
        self.node3.Run("ganeti-watcher", check=False)
        self.assertEqual(self.node3.Run(*exists, check=False).returncode, 1)
      finally:
        self.Gnt("gnt-node", "modify", "--force", "--offline=no",
                 self.node3.name)
    finally:
      self.Gnt("gnt-cluster", "modify", "--maintain-node-health=no")

  def testBurnin(self):
    known = self.Gnt(_BURNIN, "--help").stdout
    # Ganeti 3.1 leaves some of these out, as it does not do so anyway
    options = [i for i in _BURNIN_OPTIONS if i in known]
    output = self.Gnt(_BURNIN, "-o", "noop", "-t", "diskless",
                      "-n", self.node2.name, *options,
                      "burnin.example.com").stdout
    for line in ["Ping: OK", "Master: OK", "Node role for master: OK"]:
      self.assertIn("  * " + line, output)


if __name__ == "__main__":
  unittest.main()

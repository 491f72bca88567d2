#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Ganeti's programs that ask confd work with our daemon and library.

On the nodes C{ganeti.confd} is ours, for all of Ganeti's programs. Tests of
test/ganeti check that each question has the right answer.

"""

import json
import socket
import threading
import unittest

import testutils

from cluster import changing
from cluster import debian
from cluster import ours
from cluster.changing import INSTANCE

from ganeti.confd.protocol import keyfile
from ganeti.confd.protocol import readerkey

#: The fake hypervisor's instances are files there
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


class _Forger:
  """Answers in a candidate's name whatever it is asked: node role offline.

  The serial is higher than any true one.

  """
  def __init__(self, node, pack):
    """@param pack: makes the datagrams to send of a salt and a message

    """
    self._socket = changing.BoundSocket(node)
    self._pack = pack
    # Seconds between two looks whether to stop
    self._socket.settimeout(0.2)
    self._stop = threading.Event()
    self._thread = threading.Thread(target=self._Run)
    self.asked = 0

  def __enter__(self):
    self._thread.start()
    return self

  def __exit__(self, *_):
    self._stop.set()
    self._thread.join()
    self._socket.close()

  def _Run(self):
    while not self._stop.is_set():
      try:
        (datagram, address) = self._socket.recvfrom(65536)
      except socket.timeout:
        continue
      request = json.loads(json.loads(datagram[4:])["msg"])
      if request["type"] == testutils.NODE_ROLE:
        self.asked += 1
      msg = json.dumps({"protocol": 1, "status": 0, "serial": 10 ** 9,
                        "answer": changing.ROLE_OFFLINE})
      for reply in self._pack(request["rsalt"], msg):
        self._socket.sendto(reply, address)


def _PackWithCluster(key):
  return lambda salt, msg: [testutils.PackText(key, salt, msg)]


def _PackWithReaders(key):
  """Makes what the holders of readers' keys can try.

  """
  def _Pack(salt, msg):
    for label in [readerkey.Make("x", ["all"], None),
                  readerkey.Make("x", ["node-role"], None)]:
      secret = readerkey.Derive(key, label)
      contents = keyfile.Format(key, label).encode("ascii")
      # As it is right for a reader
      envelope = {"msg": msg, "salt": salt, "key": label.text,
                  "hmac": testutils.Sign(secret,
                                         label.text + "\0" + salt + msg)}
      yield testutils.PackEnvelope(envelope)
      del envelope["key"]
      yield testutils.PackEnvelope(envelope)
      # As it is right with the cluster's key
      for other in (secret, bytes.fromhex(secret.decode("ascii")), contents):
        yield testutils.PackText(other, salt, msg)
        yield testutils.PackEnvelope({"msg": msg, "salt": salt,
                                      "key": label.text, "hmac":
                                      testutils.Sign(other, salt + msg)})
  return _Pack


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

    The node has not been told: its own daemon says that it is a candidate
    still, the others, with a higher serial, that it is offline.

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
        # The command fails in the end, as there is no DRBD
        self.node3.Run("ganeti-watcher", check=False)
        self.assertEqual(self.node3.Run(*exists, check=False).returncode, 1)
      finally:
        self.Gnt("gnt-node", "modify", "--force", "--offline=no",
                 self.node3.name)
    finally:
      self.Gnt("gnt-cluster", "modify", "--maintain-node-health=no")

  def testForgedNodeMaintenance(self):
    """With the cluster's key, anybody can have a node's instances stopped.
    With a reader's key, for everything even, nobody can.

    One of the other candidates is silent, so that the forger in the place of
    the third one is not outvoted.

    """
    orphan = _FAKE_HYPERVISOR + "/orphan.example.com"
    exists = ["test", "-e", orphan]
    key = changing.Key(self.node3)
    self.addCleanup(self.Gnt, "gnt-cluster", "modify",
                    "--maintain-node-health=no")
    self.Gnt("gnt-cluster", "modify", "--maintain-node-health=yes")
    for node in (self.node1, self.node2):
      self.addCleanup(ours.Restart, node)
      ours.Util(node, "stop", ours.NAME)
    self.node3.Run("mkdir", "-p", _FAKE_HYPERVISOR)
    self.node3.Run("touch", orphan)
    for (pack, code) in [(_PackWithReaders, 0), (_PackWithCluster, 1)]:
      with self.subTest(pack), _Forger(self.node2, pack(key)) as forger:
        # The command fails in the end, as there is no DRBD
        self.node3.Run("ganeti-watcher", check=False)
        self.assertGreater(forger.asked, 0)
        self.assertEqual(self.node3.Run(*exists, check=False).returncode, code)

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

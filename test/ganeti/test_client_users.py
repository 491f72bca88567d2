#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Code of Ganeti that uses the confd client runs with ours in its place.

The programs are C{gnt-node list-drbd}, the watcher's node maintenance and
burnin, each of Debian's package, all of C{ganeti} but C{ganeti.confd} being
Debian's.

"""

import json
import os
import subprocess
import tempfile
import unittest

import testutils

from cluster import debian
from cluster import overlay

_SCRIPT = os.path.join(testutils.SRCDIR, "test", "cluster", "client_users.py")

_HOSTNAME = "node1.example.com"

_CONFIG = testutils.MakeConfig(
  nodes=[testutils.MakeNode(1, master_candidate=True),
         testutils.MakeNode(2, offline=True),
         testutils.MakeNode(3)],
  disks=[testutils.MakeDrbd(1, 1, 3, minor_a=4, minor_b=7)],
  instances=[testutils.MakeInstance(1, 1, disks=[1])])


@unittest.skipUnless(os.path.exists(debian.PYTHON_DIR), "ganeti is missing")
class TestUsers(unittest.TestCase):
  """All questions are answered by this project's daemon.

  """
  def setUp(self):
    tmpdir = tempfile.TemporaryDirectory()
    self.addCleanup(tmpdir.cleanup)
    self.package_dir = os.path.join(tmpdir.name, "overlay")
    os.mkdir(self.package_dir)
    overlay.Make(self.package_dir)
    # Ganeti insists on the host's name there
    self.root = os.path.join(tmpdir.name, _HOSTNAME)
    self.data_dir = os.path.join(self.root, "var", "lib", "ganeti")
    os.makedirs(self.data_dir)
    self.daemon = testutils.Daemon(_CONFIG)
    self.addCleanup(self.daemon.Stop)
    self.daemon.Start()
    self._Write("hmac.key", testutils.KEY)
    self._Write("ssconf_master_candidates_ips", b"127.0.0.1\n")

  def _Write(self, name, data):
    testutils.WriteFile(os.path.join(self.data_dir, name), data)

  def _Run(self, **kwargs):
    """Runs Ganeti's code.

    @param kwargs: other values of what it is told
    @rtype: tuple of (string, dict)
    @return: what it printed, and what it returned

    """
    spec = {"port": self.daemon.port, "drbd_node": "node1",
            "hostname": "node2.example.com", "master": "node1.example.com",
            "no_headers": False}
    spec.update(kwargs)
    env = dict(os.environ, PYTHONPATH=self.package_dir,
               GANETI_ROOTDIR=self.root, GANETI_HOSTNAME=_HOSTNAME)
    result = testutils.Run(["/usr/bin/python3", _SCRIPT], env=env, cwd="/",
                           input=json.dumps(spec), timeout=120,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           universal_newlines=True, check=False)
    (output, _, result_text) = result.stdout.rpartition("RESULT ")
    self.assertEqual(result.returncode, 0, result.stdout)
    return (output, json.loads(result_text))

  def testListDrbd(self):
    (output, result) = self._Run()
    self.assertEqual(result["list_drbd"], 0)
    self.assertIn("Node|Minor|Instance|Disk|Role|PeerNode\n"
                  "node1.example.com|4|inst1.example.com|disk/0|primary|"
                  "node3.example.com\n", output)

  def testListDrbdOfUnknownNode(self):
    (output, result) = self._Run(drbd_node="node77")
    self.assertEqual(result["list_drbd"], 1)
    self.assertIn("Query gave non-ok status '1': 0", output)

  def testNodeMaintenance(self):
    for (name, role) in [("node1.example.com", 0), ("node2.example.com", 2),
                         ("node3.example.com", 4)]:
      (_, result) = self._Run(hostname=name)
      self.assertEqual(result["roles"], [role], name)

  def testBurnin(self):
    (output, result) = self._Run()
    self.assertTrue(result["burnin"])
    for line in ["Ping: OK", "Master: OK", "Node role for master: OK"]:
      self.assertIn(line, output)

  def testOurCommandOverTheirModules(self):
    """As on a node, where no module of ours but C{ganeti.confd} is.

    """
    for (root, args, code, output, problem) in [
      (self.root, ["master"], 0, "node1.example.com\n", r"\A\Z"),
      (self.root, ["node-role", "node2"], 0, "offline\n", r"\A\Z"),
      ("relative", ["master"], 1, "", "confd-client: .*relative"),
      ]:
      # The command looks for its modules there only if nobody has said where
      env = dict(os.environ, GANETI_ROOTDIR=root, GANETI_HOSTNAME=_HOSTNAME,
                 PYTHONPATH=os.pathsep.join([self.package_dir,
                                             testutils.MODULEDIR]))
      result = testutils.Run(
        [os.path.join(testutils.BUILDDIR, "tools", "confd-client"), "-p",
         str(self.daemon.port)] + args, env=env, cwd="/", timeout=60,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        universal_newlines=True, check=False)
      self.assertEqual((result.returncode, result.stdout), (code, output))
      self.assertNotIn("Traceback", result.stderr)
      self.assertRegex(result.stderr, problem)


if __name__ == "__main__":
  unittest.main()

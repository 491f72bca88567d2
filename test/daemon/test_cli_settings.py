#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client on a machine with several clusters, which have names.

Real daemons on two addresses and two configurations; a third cluster is dead.

"""

import json
import os
import tempfile
import unittest

import clientcommand
import testutils


def _Config(name, serial):
  return testutils.MakeConfig(
    nodes=[testutils.MakeNode(1, name=name, master_candidate=True,
                              primary_ip="127.0.3.1")],
    disks=[], instances=[], serial_no=serial)


class TestClusters(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    cls.daemons = []
    for (i, name) in enumerate(["fsn", "dus"]):
      daemon = testutils.Daemon(_Config("node.%s.example.com" % name, 20 + i),
                                address="127.0.3.1")
      cls.addClassCleanup(daemon.Stop)
      daemon.Start()
      cls.daemons.append(daemon)
    directory = tempfile.TemporaryDirectory()
    cls.addClassCleanup(directory.cleanup)
    cls.home = directory.name
    os.mkdir(os.path.join(cls.home, "ganeti"))
    cls.text = "[confd-client]\ncluster = fsn\n"
    for (name, port) in [("fsn", cls.daemons[0].port),
                         ("dus", cls.daemons[1].port),
                         ("ber", testutils.FreePort("127.0.3.1"))]:
      cls.text += ("[cluster %s]\naddresses = 127.0.3.1\nport = %d\n"
                   "key_file = %s\ntimeout = %s\n" %
                   (name, port, cls.daemons[0].key_file,
                    0.5 if name == "ber" else 20))

  def setUp(self):
    self._Write(self.text)

  def _Write(self, text):
    testutils.WriteFile(os.path.join(self.home, "ganeti", "confd-client.conf"),
                        text.encode("utf-8"))

  def _Run(self, *args, **kwargs):
    """Runs confd-client.

    @return: exit code, stdout, stderr

    """
    result = clientcommand.Run(*args, env=clientcommand.Environment(
      XDG_CONFIG_HOME=self.home, **kwargs))
    return (result.returncode, result.stdout, result.stderr)

  def testOneOfThem(self):
    (fsn, dus) = ["node.%s.example.com\n" % name for name in ("fsn", "dus")]
    for (args, variables, expected) in [
      ([], {}, fsn),
      (["--cluster", "dus"], {}, dus),
      ([], {"CONFD_CLUSTER": "dus"}, dus),
      (["--cluster=fsn"], {"CONFD_CLUSTER": "dus"}, fsn),
      ([], {"CONFD_ADDRESS": "127.0.3.1:%d" % self.daemons[1].port}, dus),
      (["--cluster=fsn"],
       {"CONFD_ADDRESS": "127.0.3.1:%d" % self.daemons[1].port}, fsn),
      (["-a", "127.0.3.1:%d" % self.daemons[1].port], {}, dus),
      (["-p", str(self.daemons[1].port)], {}, dus),
      (["--hmac-file", self.daemons[1].key_file],
       {"CONFD_KEY_FILE": "/nonexistent"}, fsn),
      ]:
      with self.subTest(args=args, **variables):
        self.assertEqual(self._Run("master", *args, **variables),
                         (0, expected, ""))
    (code, output, problems) = self._Run("master",
                                         CONFD_KEY_FILE="/nonexistent")
    self.assertEqual((code, output), (1, ""))
    self.assertIn("/nonexistent", problems)

  def testErrors(self):
    for (args, code, text) in [
      (["ping", "--cluster", "dux"], 1, "did you mean 'dus'?"),
      (["ping", "--cluster", "fsn,dus"], 2, "several clusters belong to"),
      (["ping", "--cluster", "all"], 2, "several clusters belong to"),
      (["list", "nodes", "--cluster", "all", "-a", "x"], 2,
       "--address and several clusters exclude each other"),
      (["list", "nodes", "--cluster", "fsn,"], 2, "not names of clusters"),
      (["clusters", "-a", "x"], 2, "--address belongs to"),
      ]:
      (result, output, problems) = self._Run(*args)
      self.assertEqual((result, output), (code, ""), args)
      self.assertIn(text, problems)
    self._Write("[cluster x]\nport = no\n")
    (code, output, problems) = self._Run("ping")
    self.assertEqual((code, output), (1, ""))
    self.assertRegex(problems, r"\Aconfd-client: /.*/ganeti/confd-client.conf:"
                     r" section \[cluster x\], option port: not a port: 'no'\n"
                     r"\Z")

  def testClusters(self):
    (code, output, problems) = self._Run("clusters", "--separator=|")
    self.assertEqual((code, problems), (3, ""))
    lines = output.splitlines()
    self.assertEqual(lines[:3],
                     ["Cluster|Default|Answers|Serial|Addresses|Problem",
                      "fsn|yes|yes|20|127.0.3.1|",
                      "dus|no|yes|21|127.0.3.1|"])
    self.assertIn("ber|no|no|-|127.0.3.1|No answer", lines[3])
    (code, output, _) = self._Run("clusters", "--json")
    found = json.loads(output)["clusters"]
    self.assertEqual((code, list(found)), (3, ["ber", "dus", "fsn"]))
    self.assertEqual(found["dus"]["serial"], 21)
    self.assertEqual(list(found["ber"]), ["error"])
    self._Write("")
    (code, output, problems) = self._Run("clusters")
    self.assertEqual((code, output), (1, ""))
    self.assertIn("No cluster is named in /", problems)

  def testList(self):
    for (args, expected) in [
      (["--separator=|"], "Cluster|Node|PrimaryIP\n"
       "fsn|node.fsn.example.com|127.0.3.1\n"
       "dus|node.dus.example.com|127.0.3.1\n"),
      (["--csv"], "cluster,name,pip\nfsn,node.fsn.example.com,127.0.3.1\n"
       "dus,node.dus.example.com,127.0.3.1\n"),
      ]:
      self.assertEqual(self._Run("list", "nodes", "-o", "name,pip", "--cluster",
                                 "fsn,dus", *args), (0, expected, ""))
    (code, output, problems) = self._Run("list", "nodes", "-o", "name",
                                         "--cluster=all", "--no-headers")
    self.assertEqual((code, output), (3, "fsn     node.fsn.example.com\n"
                                      "dus     node.dus.example.com\n"
                                      .replace("     ", " ")))
    self.assertIn("confd-client: ber: No answer", problems)
    (code, output, problems) = self._Run("list", "nodes", "-o", "name",
                                         "--cluster=all", "--json")
    found = json.loads(output)["clusters"]
    self.assertEqual((code, problems), (3, ""))
    self.assertEqual(found["dus"]["answer"], [{"name": "node.dus.example.com"}])
    self.assertEqual(list(found["ber"]), ["error"])

  def testStatus(self):
    (code, output, problems) = self._Run("status", "--cluster", "fsn,dus",
                                         "--separator=|")
    self.assertEqual((code, problems), (0, ""))
    lines = output.splitlines()
    self.assertTrue(lines[0].startswith("Cluster|Address|Answers|"))
    self.assertEqual([line.split("|")[:3] for line in lines[1:]],
                     [["fsn", "127.0.3.1", "yes"], ["dus", "127.0.3.1", "yes"]])
    (code, output, _) = self._Run("status", "--cluster", "fsn,ber", "--json")
    found = json.loads(output)["clusters"]
    self.assertEqual(code, 3)
    self.assertEqual([found[name]["answer"][0]["answers"]
                      for name in ("fsn", "ber")], [True, False])


if __name__ == "__main__":
  unittest.main()

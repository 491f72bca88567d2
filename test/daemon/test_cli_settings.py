#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client on a machine with several clusters, which have names.

Real daemons on two addresses and two configurations; a third cluster is dead.

"""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import tempfile
import unittest
from unittest import mock

import clientcommand
import testutils


def _Config(name, serial):
  """Makes a configuration with an instance of its own, and a common one.

  """
  return testutils.MakeConfig(
    nodes=[testutils.MakeNode(1, name="node.%s.example.com" % name,
                              master_candidate=True, primary_ip="127.0.3.1")],
    disks=[], serial_no=serial, cluster={
      "cluster_name": "%s.example.com" % name, "candidate_pool_size": 1},
    instances=[testutils.MakeInstance(1, 1, name="%s1.example.com" % name,
                                      nics=["192.0.2.%d" % serial]),
               testutils.MakeInstance(2, 1, name="common", nics=[])])


class TestClusters(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    cls.daemons = []
    for (i, name) in enumerate(["fsn", "dus"]):
      daemon = testutils.Daemon(_Config(name, 20 + i), address="127.0.3.1")
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
    return clientcommand.Outcome(*args, env=clientcommand.Environment(
      XDG_CONFIG_HOME=self.home, **kwargs))

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
      (["list-fields", "nodes", "--cluster", "fsn,dus"], 2,
       "list-fields is for one cluster: name one with --cluster"),
      (["--cluster", "all"], 2, "the self test is for one cluster"),
      (["map", "--svg", "--cluster", "all"], 2, "map --svg is for one"),
      (["watch", "export", "hosts", "-o", "x", "--cluster", "all"], 2,
       "watch export is for one"),
      (["list", "nodes", "--cluster", "all", "-a", "x"], 2,
       "--address and several clusters exclude each other"),
      (["list", "nodes", "--cluster", "fsn,"], 2, "not names of clusters"),
      (["clusters", "-a", "x"], 2, "clusters has no option --address\n"),
      ]:
      (result, output, problems) = self._Run(*args)
      self.assertEqual((result, output), (code, ""), args)
      self.assertIn(text, problems)
    self.assertEqual(self._Run("export", "hosts", "--json", "--cluster=all"),
                     (2, '{"error": "wrong usage: export --json is for one'
                      ' cluster: name one with --cluster"}\n', mock.ANY))
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
                     ["Cluster|Default|Answers|Serial|Master|Nodes|Instances|"
                      "Addresses|Problem",
                      "fsn|yes|yes|20|node.fsn.example.com|1|2|127.0.3.1|",
                      "dus|no|yes|21|node.dus.example.com|1|2|127.0.3.1|"])
    self.assertIn("ber|no|no|-|-|-|-|127.0.3.1|No answer", lines[3])
    (code, output, _) = self._Run("clusters", "--json")
    found = json.loads(output)["clusters"]
    self.assertEqual((code, list(found)), (3, ["ber", "dus", "fsn"]))
    self.assertEqual([found["dus"][key] for key in
                      ("serial", "answer", "master", "nodes", "instances")],
                     [21, 21, "node.dus.example.com", 1, 2])
    self.assertEqual(list(found["ber"]), ["error"])
    self._Write("")
    (code, output, problems) = self._Run("clusters")
    self.assertEqual((code, output), (1, ""))
    self.assertIn("No cluster is named in /", problems)
    self.assertIn("; a section [cluster NAME] names one\n", problems)

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
    self.assertTrue(lines[0].startswith("Cluster|Address|Node|Role|"))
    self.assertEqual([line.split("|")[:3] for line in lines[1:]],
                     [["fsn", "127.0.3.1", "node.fsn.example.com"],
                      ["dus", "127.0.3.1", "node.dus.example.com"]])
    (code, output, _) = self._Run("status", "--cluster", "fsn,ber", "--json")
    found = json.loads(output)["clusters"]
    self.assertEqual(code, 3)
    self.assertEqual([found[name]["answer"][0]["answers"]
                      for name in ("fsn", "ber")], [True, False])

  def testStatusOfAPlugin(self):
    (code, output, problems) = self._Run("status", "--nagios", "--cluster",
                                         "fsn,dus")
    self.assertEqual((code, problems), (0, ""), output)
    self.assertRegex(
      output,
      r"\ACONFD OK - fsn OK: 1 of 1 master candidate answers, serial 20;"
      r" dus OK: 1 of 1 master candidate answers, serial 21 \|"
      r" fsn_answering=1;;;0;1 .* dus_silent=0;0;;0 [^\n]*\n\Z")
    (code, output, problems) = self._Run("status", "--nagios", "--cluster",
                                         "ber,dus")
    self.assertEqual((code, problems), (2, ""), output)
    self.assertIn("CONFD CRITICAL - ber CRITICAL: 0 of 1", output)

  def testCheck(self):
    (code, output, problems) = self._Run("check", "--cluster", "fsn,dus")
    self.assertEqual((code, problems), (0, ""), output)
    self.assertEqual(output, "CONFD OK - fsn OK: 0 findings in 2 instances on 1"
                     " node, serial 20; dus OK: 0 findings in 2 instances on 1"
                     " node, serial 21 | fsn_findings=0;;;0 fsn_critical=0;;;0"
                     " dus_findings=0;;;0 dus_critical=0;;;0\n")
    (code, output, problems) = self._Run("check", "--cluster", "all", "--json")
    found = json.loads(output)["clusters"]
    self.assertEqual((code, problems), (3, ""))
    self.assertEqual([found["dus"]["answer"]["state"], list(found["ber"])],
                     ["OK", ["error"]])

  def testUnknownInOne(self):
    """A name that another cluster has is no error.

    """
    table = ["--separator=|", "--no-headers", "--cluster", "fsn,dus"]
    for (args, expected) in [
      (["who-has", "192.0.2.21"],
       "dus|instance|dus1.example.com|192.0.2.21|0|"),
      (["who-has", "dus1"], "dus|instance|dus1.example.com|192.0.2.21|0|"),
      (["node-instances", "node.fsn"], "fsn|common|primary|"),
      (["list", "instances", "fsn1", "-o", "name"], "fsn|fsn1.example.com\n"),
      ]:
      (code, output, problems) = self._Run(*args, *table)
      self.assertEqual((code, problems), (0, ""), args)
      self.assertIn(expected, output)
      self.assertNotIn("dus|" if expected.startswith("fsn") else "fsn|", output)
    (code, output, problems) = self._Run("evacuate", "node.dus", *table)
    self.assertEqual((code, problems), (1, ""))
    self.assertEqual([line.split("|")[:2] for line in output.splitlines()],
                     [["dus", "common"], ["dus", "dus1.example.com"]])
    (code, output, problems) = self._Run("describe", "instance", "dus1",
                                         "--cluster", "fsn,dus")
    self.assertEqual((code, problems), (0, ""))
    self.assertTrue(output.startswith("dus:\ninstance dus1.example.com\n"),
                    output)
    # In neither of them
    for (args, text) in [(["who-has", "192.0.2.99"], "no instance or node has"),
                         (["describe", "node", "x"], "no node has the name"),
                         (["node-role", "x"], "unknown entry")]:
      (code, output, problems) = self._Run(*args, "--cluster", "fsn,dus")
      self.assertEqual((code, output), (1, ""))
      self.assertRegex(problems, r"\Aconfd-client: fsn: .*%s.*\n"
                       r"confd-client: dus: .*%s.*\n\Z" % (text, text))
    # A cluster that does not answer may have it
    (code, output, problems) = self._Run("node-role", "node.fsn", "--cluster",
                                         "all", "-t", "3")
    self.assertEqual((code, output), (3, "fsn master\n"))
    self.assertRegex(problems, r"\Aconfd-client: ber: No answer[^\n]*\n\Z")

  def testQuestions(self):
    for (args, expected) in [
      (["master"], "fsn node.fsn.example.com\ndus node.dus.example.com\n"),
      (["config", "/serial_no"], "fsn:\n20\ndus:\n21\n"),
      (["config", "/cluster/cluster_name"],
       "fsn fsn.example.com\ndus dus.example.com\n"),
      ]:
      self.assertEqual(self._Run(*args, "--cluster", "fsn,dus"),
                       (0, expected, ""))
    (code, output, problems) = self._Run("map", "--cluster", "fsn,dus")
    self.assertEqual((code, problems), (0, ""))
    self.assertRegex(output, r"\Afsn:\ndefault: 1 node, 2 instances\n"
                     r"  node\.fsn(.*\n)+dus:\ndefault: 1 node(.*\n)+\Z")

  def testStats(self):
    (code, output, problems) = self._Run("stats", "--cluster", "fsn,dus",
                                         "--separator=|")
    self.assertEqual((code, problems), (0, ""))
    self.assertTrue(output.startswith("Value|fsn:127.0.3.1|dus:127.0.3.1\n"))
    self.assertIn("\nconfig serial|20|21\n", output)
    (code, output, problems) = self._Run("stats", "--cluster", "fsn,dus",
                                         "--prometheus")
    self.assertEqual((code, problems), (0, ""))
    self.assertIn('ganeti_confd_config_serial{candidate="127.0.3.1",'
                  'cluster="dus"} 21.0', output)

  def testExport(self):
    """One file; of two hosts with one name it is said.

    """
    left_out = ("confd-client: instance common of the cluster dus left out: one"
                " of the cluster fsn has this name\n")
    (code, output, problems) = self._Run("export", "ansible", "--cluster",
                                         "fsn,dus")
    self.assertEqual((code, problems), (0, left_out))
    groups = json.loads(output)
    self.assertEqual(groups["ganeti_cluster_dus_example_com"],
                     {"hosts": ["dus1.example.com"]})
    found = groups["_meta"]["hostvars"]
    self.assertEqual({name: host["ganeti_cluster"]
                      for (name, host) in found.items()},
                     {"common": "fsn.example.com",
                      "dus1.example.com": "dus.example.com",
                      "fsn1.example.com": "fsn.example.com"})
    path = os.path.join(self.home, "hosts")
    self.addCleanup(os.unlink, path)
    args = ["export", "hosts", "--output", path]
    (code, _, _) = self._Run(*args, "--cluster", "fsn,dus",
                             "--then", "echo $CONFD_SERIAL >%s.serials" % path)
    self.assertEqual(code, 0)
    expected = (b"# confd-client export hosts: clusters fsn.example.com,"
                b" dus.example.com, serials 20, 21\n"
                b"192.0.2.21\tdus1.example.com\n"
                b"192.0.2.20\tfsn1.example.com\n")
    self.assertEqual(testutils.ReadFile(path), expected)
    self.assertEqual(testutils.ReadFile(path + ".serials"), b"20,21\n")
    # A cluster that does not answer keeps its hosts in the file
    (code, output, problems) = self._Run(*args, "--cluster", "all")
    self.assertEqual((code, output), (3, ""))
    self.assertIn("ber: No answer", problems)
    self.assertTrue(problems.endswith(
      "%s is not written: the hosts of ber would be missing\n" % path))
    self.assertEqual(testutils.ReadFile(path), expected)

  def testWatch(self):
    """Changes have the cluster's name; a command asks that cluster.

    """
    daemon = self.daemons[1]
    self.addCleanup(daemon.WriteConfig, _Config("dus", 21))
    env = clientcommand.Environment(XDG_CONFIG_HOME=self.home)
    for (args, pattern) in [
      ([], r"[-0-9]+ [:0-9]+ dus serial 22 \(was 21\)\n"),
      (["config", "/serial_no"], r"[-0-9]+ [:0-9]+ dus serial 22 \(was 21\)\n"
       r"~ 21 -> 22\n"),
      (["--json"], r'{.*"cluster": "dus".*}\n'),
      (["sh", "-c", "echo $CONFD_CLUSTER $CONFD_SERIAL"], r"dus 22\n"),
      ]:
      with self.subTest(args):
        daemon.WriteConfig(_Config("dus", 21))
        testutils.WaitFor(lambda: self._Run("config", "/serial_no", "--cluster",
                                            "dus")[1] == "21\n", "it is back")
        with contextlib.ExitStack() as stack:
          proc = stack.enter_context(subprocess.Popen(
            [clientcommand.PROGRAM, "--cluster=fsn,dus", "watch", *args],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            encoding="utf-8"))
          stack.callback(proc.kill)
          # Both clusters are watched from now on
          if args[:1] == ["config"]:
            lines = sorted(proc.stdout.readline() for _ in range(4))
            self.assertEqual(lines, ["20\n", "21\n", "dus:\n", "fsn:\n"])
          else:
            lines = sorted(proc.stderr.readline() for _ in range(2))
            self.assertEqual(lines, ["confd-client: dus: The serial is 21\n",
                                     "confd-client: fsn: The serial is 20\n"])
          daemon.WriteConfig(_Config("dus", 22))
          text = "".join(proc.stdout.readline()
                         for _ in range(pattern.count("\\n")))
          self.assertRegex(text, r"\A%s\Z" % pattern)
          proc.send_signal(signal.SIGINT)
          self.assertEqual(testutils.WaitForExit(proc, "watch"), 130)

  def testInterruptWithoutWakeUp(self):
    """A signal that does not wake up the main thread ends the program, too.

    The kernel may deliver it just before the main thread waits. Here, another
    thread gets it, which has the same effect.

    """
    env = clientcommand.Environment(XDG_CONFIG_HOME=self.home)
    with contextlib.ExitStack() as stack:
      proc = stack.enter_context(subprocess.Popen(
        [clientcommand.PROGRAM, "--cluster=fsn,dus", "watch"], env=env,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8"))
      stack.callback(proc.kill)
      for _ in range(2):
        proc.stderr.readline()
      (other, *_) = [int(name) for name in
                     os.listdir("/proc/%d/task" % proc.pid)
                     if int(name) != proc.pid]
      self.assertEqual(
        ctypes.CDLL(None).tgkill(proc.pid, other, signal.SIGINT), 0)
      self.assertEqual(testutils.WaitForExit(proc, "watch"), 130)


if __name__ == "__main__":
  unittest.main()

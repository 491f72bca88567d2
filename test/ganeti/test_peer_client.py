#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Debian's own clients, asking our daemon.

Here are its Python client, which scripts on nodes use, its command
confd-client, and what else of Debian's Ganeti asks confd: "gnt-node list-drbd"
and the monitoring data collectors. All of them run unchanged.

"""

import json
import os
import subprocess
import unittest

import testutils

from cluster import debian
from cluster import grow
from cluster import shared

(PING, NODE_ROLE, NODE_OF_IP, MASTER, NODE_IPS, MC_IPS, INSTANCE_IPS,
 NODE_DRBD, NODE_INSTANCES, INSTANCE_DISKS, CONFIG, COLLECTORS) = range(12)

OK = 0

#: Questions of each type of request, in Ganeti's own ways
REQUESTS = [
  (PING, None),
  (NODE_ROLE, "node1.example.com"),
  (NODE_ROLE, "node4.example.com"),
  (NODE_ROLE, "nope"),
  (NODE_OF_IP, {"1": "10.77.1.61"}),
  (NODE_OF_IP, {"1": "10.77.1.61", "0": "300"}),
  (NODE_OF_IP, {"2": ["10.77.1.61", "10.77.1.62"], "0": "300"}),
  (NODE_OF_IP, {"2": None}),
  (MASTER, None),
  (MASTER, ""),
  (MASTER, {"3": [0, 1, 2]}),
  (MASTER, {"3": ["0", "1", "2"]}),
  (NODE_IPS, None),
  (MC_IPS, None),
  (INSTANCE_IPS, None),
  (INSTANCE_IPS, "300"),
  (NODE_DRBD, "node1.example.com"),
  (INSTANCE_DISKS, "mirror1.example.com"),
  (CONFIG, "/cluster/cluster_name"),
  (CONFIG, "/nope"),
  (COLLECTORS, None),
  ]

#: Seconds for any one of the clients
TIMEOUT = 30

#: Below it, on each node, is the grown configuration
ROOT = "/tmp/grown"

DRBD_STATUS = "/tmp/proc-drbd"

#: The output of DRBD 8.3 on node 1
DRBD_STATUS_TEXT = b"""\
version: 8.3.11 (api:88/proto:86-96)
srcversion: 0123456789ABCDEF01234567\x20
 0: cs:Connected ro:Secondary/Primary ds:UpToDate/UpToDate C r-----
    ns:0 nr:0 dw:0 dr:0 al:0 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:b oos:0
 1: cs:Connected ro:Secondary/Primary ds:UpToDate/UpToDate C r-----
    ns:0 nr:0 dw:0 dr:0 al:0 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:b oos:0
 4: cs:Connected ro:Secondary/Primary ds:UpToDate/UpToDate C r-----
    ns:0 nr:0 dw:0 dr:0 al:0 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:b oos:0
"""

#: Xen's command, where one instance runs
XM = b"""\
#!/bin/sh
case $1 in
  list)
    echo "(domain (domid 0) (name Domain-0) (cpu_time 1.0) (state r-----)"
    echo "  (on_xend_stop ignore))"
    # Without progress it would count as hung
    echo "(domain (domid 1) (name web) (cpu_time $(date +%s.%N)) (state r-----)"
    echo "  (on_xend_stop ignore))"
    ;;
  uptime)
    echo "Name                                ID Uptime"
    echo "Domain-0                             0 98 days,  2:27:44"
    echo "web                                  1  1 days,  2:27:44"
    ;;
esac
"""

#: Made by L{setUpModule}
CONFIG_DATA = KEY = None


def setUpModule():
  """Reads the configuration of a real cluster.

  """
  global CONFIG_DATA, KEY # pylint: disable=W0603
  shared.Require()
  (real, KEY) = shared.Configuration()
  CONFIG_DATA = grow.Grow(real, link=shared.LINKS[1])


def _ClientScript():
  return os.path.join(testutils.SRCDIR, "test", "cluster", "debian_client.py")


class TestPythonClient(unittest.TestCase):
  """Debian's C{ganeti.confd.client}.

  """
  maxDiff = None

  PEERS = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]

  def _Ask(self, daemon, requests):
    """Asks with Debian's client.

    @rtype: list of dicts
    @return: what came back; see the script

    """
    spec = {
      "peers": self.PEERS,
      "port": daemon.port,
      "key": daemon.key_file,
      "requests": requests,
      }
    # Nothing of ours is where this interpreter looks for modules
    result = testutils.Run(["/usr/bin/python3", "-B", _ClientScript()],
                           input=json.dumps(spec), cwd="/",
                           env={"PATH": "/usr/bin:/bin"},
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           universal_newlines=True, timeout=TIMEOUT,
                           check=False)
    self.assertEqual((result.returncode, result.stderr), (0, ""))
    return json.loads(result.stdout)

  def testEveryRequest(self):
    """Each request, of three addresses of one daemon.

    All three answer, each from the address asked; the client takes one answer
    and finds the others to agree.

    """
    with testutils.Daemon(CONFIG_DATA, key=KEY, address="0.0.0.0") as daemon:
      results = self._Ask(daemon, REQUESTS)
      self.assertEqual(len(results), len(REQUESTS))
      for ((req_type, query), result) in zip(REQUESTS, results):
        (status, answer) = daemon.Answer(req_type, query)
        self.assertEqual(result, {
          "timed_out": False,
          "sent": len(self.PEERS),
          "servers": self.PEERS,
          "ports": [daemon.port],
          "extra": True,
          "passed": 1,
          "consistent": True,
          "all_answered": True,
          "found": True,
          "reply": {
            "protocol": 1,
            "status": status,
            "answer": answer,
            "serial": CONFIG_DATA["serial_no"],
            },
          }, "Request type %s, query %r" % (req_type, query))

  def testAnswers(self):
    """Some answers in words, lest all be wrong in the same way.

    """
    with testutils.Daemon(CONFIG_DATA, key=KEY, address="0.0.0.0") as daemon:
      results = self._Ask(daemon, [
        (MASTER, {"3": ["0", "1", "2"]}),
        (NODE_OF_IP, {"2": ["10.77.1.61", "192.0.2.250"]}),
        (NODE_ROLE, "node5.example.com"),
        ])
    self.assertEqual([result["reply"]["answer"] for result in results], [
      ["node1.example.com", "10.77.0.100", "10.77.0.1"],
      [[0, "10.77.0.2"], [1, 0]],
      3,
      ])

  def testNodeInstances(self):
    """The client itself does not know this type of request.

    """
    with testutils.Daemon(CONFIG_DATA, key=KEY, address="0.0.0.0") as daemon:
      self.assertEqual(self._Ask(daemon, [(NODE_INSTANCES, "node1")]),
                       [{"refused": "Invalid request type"}])


class TestOnNodes(unittest.TestCase):
  """Commands on a cluster's nodes, with our daemon in place of Debian's.

  The commands run twice, before our daemon and before Debian's. The daemon of
  each node serves the grown configuration.

  """
  maxDiff = None

  @classmethod
  def setUpClass(cls):
    """Prepares the nodes, and runs all commands with either daemon.

    """
    cls.nodes = shared.Get().nodes
    config = json.dumps(CONFIG_DATA).encode("ascii")
    for node in cls.nodes:
      node.Run("/usr/lib/ganeti/daemon-util", "stop", "ganeti-confd")
      for statedir in set(["/var", testutils.LocalStateDir()]):
        node.Run("mkdir", "-p", *[ROOT + statedir + i for i in
                                  ("/lib/ganeti", "/run/ganeti",
                                   "/log/ganeti")])
        datadir = ROOT + statedir + "/lib/ganeti"
        node.Write(datadir + "/hmac.key", KEY)
        node.Write(datadir + "/config.data", config)
    master = cls.nodes[0]
    master.Write(DRBD_STATUS, DRBD_STATUS_TEXT)
    master.Write("/usr/sbin/xm", XM)
    master.Run("chmod", "+x", "/usr/sbin/xm")

    cls.results = {}
    for (name, executable) in [
      ("ours", os.path.join(testutils.BUILDDIR, "daemons", "ganeti-confd")),
      ("debian", debian.CONFD),
      ]:
      daemons = [cls._Serve(node, executable) for node in cls.nodes]
      try:
        for node in cls.nodes:
          cls._WaitUntilUp(node)
        cls.results[name] = cls._RunClients(master)
        if name == "ours":
          # Debian's leaves it waiting, as it does not answer all of this
          cls.results[name]["client"] = cls._AskThere(master,
                                                      requests=REQUESTS)
      finally:
        for (node, daemon) in zip(cls.nodes, daemons):
          node.Terminate(daemon)

  @staticmethod
  def _Serve(node, executable):
    """Starts a daemon on a node, on the usual port.

    """
    return node.Popen(executable, "-f", "--no-user-checks",
                      env=testutils.InRoot(ROOT),
                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

  @staticmethod
  def _AskThere(node, *argv, **spec):
    """Runs the script with Debian's Python client on a node.

    """
    result = node.Run("/usr/bin/python3", "-B", _ClientScript(), *argv,
                      stdin=json.dumps(spec), timeout=TIMEOUT)
    return json.loads(result.stdout)

  @classmethod
  def _WaitUntilUp(cls, node):
    """Waits until a node's daemon answers.

    """
    testutils.WaitFor(lambda: cls._AskThere(
      node, peers=["127.0.0.1"], port=1814, key="/var/lib/ganeti/hmac.key",
      requests=[[PING, None]])[0]["found"],
      "the daemon of %s is up" % node.name)

  @classmethod
  def _RunClients(cls, node):
    """Runs all commands.

    @rtype: dict
    @return: results by a name of the command

    """
    def _Run(*argv):
      return node.Run(*argv, check=False, timeout=TIMEOUT)

    results = {
      "confd-client": _Run(debian.CONFD_CLIENT, "-a", "127.0.0.1", "-r", "5"),
      "collector drbd": _Run(debian.MON_COLLECTOR, "drbd", "-s", DRBD_STATUS),
      "collector xen": _Run(debian.MON_COLLECTOR, "inst-status-xen"),
      "collector xen with address": _Run(debian.MON_COLLECTOR,
                                         "inst-status-xen", "-a", "127.0.0.1",
                                         "-p", "1814"),
      }
    for name in ("node1", "node1.example.com", "node2", "node3.example.com",
                 "node4", "node6", "node10.example.com", "nope"):
      results["list-drbd %s" % name] = _Run("gnt-node", "list-drbd", name)
    return results

  def _Result(self, command, who="ours", exit_code=0):
    """Returns a command's output.

    """
    result = self.results[who][command]
    self.assertEqual(result.returncode, exit_code, result)
    return result.stdout

  def testConfdClient(self):
    """confd-client completes, and each of its checks is fine.

    """
    lines = self._Result("confd-client").splitlines()
    self.assertEqual([line for line in lines if "non-ok" in line], [])
    for line in ["- Ping: OK",
                 "- Master: OK (node1.example.com)",
                 "- Master: OK (['node1.example.com', '10.77.0.100',"
                 " '10.77.0.1'])",
                 "- Node role for master: OK",
                 "- Node primary ip query: OK",
                 "- Master candidates primary IP query: OK",
                 "- Instance primary IP query: OK",
                 "- Instance IP to node IP query: OK",
                 "- Timing tests"]:
      with self.subTest(line=line):
        self.assertIn(line, lines)

  def testDiffersConfdClientWithDebian(self):
    """With Debian's daemon it gives up: no reply about the master.

    """
    result = self.results["debian"]["confd-client"]
    self.assertEqual(result.returncode, 1)
    self.assertIn("Did not receive all expected confd replies", result.stderr)

  def testListDrbd(self):
    """"gnt-node list-drbd" prints the same with either daemon.

    """
    rows = 0
    for command in self.results["ours"]:
      if command.startswith("list-drbd"):
        known = command.split()[1] not in ("nope", "node6")
        exit_code = 0 if known else 1
        output = self._Result(command, exit_code=exit_code)
        self.assertEqual(output, self._Result(command, who="debian",
                                              exit_code=exit_code))
        rows += max(0, len(output.splitlines()) - 1)
    self.assertGreater(rows, 8)
    lines = self._Result("list-drbd node2").splitlines()
    self.assertEqual([line.split() for line in lines[1:]], [
      ["node2.example.com", str(minor), name, disk, role, peer]
      for (minor, name, disk, role, peer) in [
        (0, "mirror1.example.com", "disk/0", "primary", "node1.example.com"),
        (1, "mirror1.example.com", "disk/1", "primary", "node1.example.com"),
        (2, "mirror2.example.com", "disk/0", "secondary",
         "node3.example.com"),
        ]])

  def _Report(self, command, who="ours"):
    """Returns a monitoring report without its time.

    """
    report = json.loads(self._Result(command, who=who))
    del report["timestamp"]
    return report

  def testDrbdCollector(self):
    """The collector of DRBD's status learns whose disks they are.

    The collector is written in Haskell, and asks for NODE_DRBD.

    """
    ours = self._Report("collector drbd")
    self.assertEqual(ours, self._Report("collector drbd", who="debian"))
    self.assertEqual([(dev["minor"], dev["instance"])
                      for dev in ours["data"]["deviceInfos"]],
                     [(0, "mirror1.example.com"), (1, "mirror1.example.com"),
                      (4, "nested.example.com")])

  def testXenCollector(self):
    """The collector of instances' status learns which ones should run.

    The collector is written in Haskell too, asks for NODE_INSTANCES, and reads
    whole instances strictly. With the address given, and without.

    """
    for command in ("collector xen", "collector xen with address"):
      (ours, debians) = [self._Report(command, who=who)
                         for who in ("ours", "debian")]
      instances = ours["data"]["instances"]
      self.assertEqual([(inst["name"], inst["adminState"], inst["actualState"])
                        for inst in instances],
                       [("inst12.example.com", "up", "unknown"),
                        ("mirror1.example.org", "up", "unknown"),
                        ("web", "up", "running")])
      self.assertEqual(sorted(debians["data"]["instances"],
                              key=lambda inst: inst["name"]), instances)

  def testPythonClient(self):
    """Debian's Python client finds all candidates by itself, and they agree.

    Candidates of the real cluster, as the client reads its files.

    """
    for ((req_type, query), result) in zip(REQUESTS,
                                           self.results["ours"]["client"]):
      self.assertEqual(result["servers"],
                       [node.address for node in self.nodes])
      self.assertEqual((result["timed_out"], result["passed"],
                        result["consistent"], result["ports"]),
                       (False, 1, True, [1814]),
                       "Request type %s, query %r" % (req_type, query))
      self.assertEqual(result["reply"]["serial"], CONFIG_DATA["serial_no"])


if __name__ == "__main__":
  unittest.main()

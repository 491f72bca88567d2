#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The commands check and evacuate, and ganeti-confd --check.

A configuration has each fault once: each is found, and nothing else. Sound
configurations of all versions of Ganeti have none.

"""

import json
import os
import re
import subprocess
import time
import unittest

import configfaults
import nextconfig
import oldconfigs
import clientcommand
import testutils

from ganeti.confd.views import checks


def _Run(daemon, *args):
  """Runs confd-client.

  @return: exit code, lines on standard output, standard error

  """
  result = clientcommand.Run(*args, daemon=daemon)
  return (result.returncode, result.stdout.splitlines(), result.stderr)


def _Bits(numbers):
  return "".join("1" if number in numbers else "0" for number in range(16))


def _Network(index, name, network, used=(), others=(), **kwargs):
  """Makes a network of 16 addresses.

  @param used: numbers of the addresses that are reserved for instances
  @param others: numbers of those that others have, beside the first and last

  """
  return dict({"name": name, "uuid": testutils.Uuid("9", index),
               "network": network, "reservations": _Bits(used),
               "ext_reservations": _Bits([0, 15, *others]), "serial_no": 1,
               "ctime": 1.5, "mtime": 1.5, "tags": []}, **kwargs)


def _Connect(config, *networks, group=1, **nicparams):
  """Connects networks to a group.

  """
  connections = config["nodegroups"][testutils.Uuid("c", group)].setdefault(
    "networks", {})
  for index in networks:
    connections[testutils.Uuid("9", index)] = dict(
      {"mode": "bridged", "link": "br0"}, **nicparams)


def _OnNetwork(instance, index):
  for nic in instance["nics"]:
    nic["network"] = testutils.Uuid("9", index)
  return instance


def _Sound():
  """Makes a configuration without a fault, with much that could have one.

  """
  nodes = [testutils.MakeNode(i, master_candidate=i < 4) for i in range(1, 5)]
  # Nothing says that it has to stop being a candidate
  nodes[2]["master_capable"] = False
  instances = [
    testutils.MakeInstance(1, 1, disks=[1], nics=["198.51.100.1"],
                           tags=["service:dns"]),
    testutils.MakeInstance(2, 2, nics=["198.51.100.1"], tags=["service:dns"]),
    testutils.MakeInstance(3, 2, nics=[("198.51.100.1", "br7")]),
    testutils.MakeInstance(4, 4, admin_state="down", nics=["203.0.113.2"],
                           tags=["other:dns"]),
    # The same address on another mode, and on the empty link
    testutils.MakeInstance(5, 4, tags=["other:dns"],
                           nics=[("198.51.100.1", "br7"),
                                 ("198.51.100.1", "")]),
    # An instance planned just now
    testutils.MakeInstance(6, 4, forthcoming=True, mtime=time.time()),
    ]
  instances[4]["nics"][0]["nicparams"]["mode"] = "routed"
  # Bridged, it would need a link
  instances[4]["nics"][1]["nicparams"]["mode"] = "openvswitch"
  _OnNetwork(instances[1], 1)
  # A planned one without a node has its address, too
  planned = testutils.MakeInstance(7, 1, forthcoming=True, mtime=time.time(),
                                   nics=["203.0.113.5"])
  del planned["primary_node"]
  _OnNetwork(planned, 2)
  networks = [
    _Network(1, "net1", "198.51.100.0/28", used=[1]),
    # Others have half of it
    _Network(2, "net2", "203.0.113.0/28", used=[5], others=range(8, 15)),
    # Others have all of it
    _Network(3, "net3", "203.0.113.16/28", others=range(15)),
    # The nodes are on it, and their addresses are reserved
    _Network(4, "net4", "192.0.2.0/28", others=range(1, 5)),
    # The same addresses as those of net1, on another link
    _Network(5, "net5", "198.51.100.0/28")]
  config = testutils.MakeConfig(
    nodes=nodes, instances=instances + [planned],
    disks=[testutils.MakeDrbd(1, 1, 3)],
    networks={network["uuid"]: network for network in networks},
    cluster={"candidate_pool_size": 3, "tags": ["htools:iextags:service"]})
  _Connect(config, 1, 2, 3, 4)
  _Connect(config, 5, link="br5")
  return config


def _Node(config, index):
  return config["nodes"][testutils.Uuid("a", index)]


def _Instance(config, index):
  return config["instances"][testutils.Uuid("b", index)]


def _Net(config, index):
  return config["networks"][testutils.Uuid("9", index)]


# Each puts one fault into a sound configuration. By the name of its check: the
# function, and whom the finding is about.

def _OfflineNode(config):
  _Node(config, 4)["offline"] = True


def _DrainedNode(config):
  _Node(config, 4)["drained"] = True
  config["instances"].pop(testutils.Uuid("b", 4))
  config["instances"].pop(testutils.Uuid("b", 6))


def _MirrorOffline(config):
  _Node(config, 3).update(offline=True, master_candidate=False)
  # Otherwise a candidate would be missing
  _Node(config, 4)["master_candidate"] = True


def _MirrorMissing(config):
  config["disks"][testutils.Uuid("d", 1)]["logical_id"][1] = "gone"


def _PrimaryIsSecondary(config):
  disk = config["disks"][testutils.Uuid("d", 1)]
  disk["logical_id"][1] = disk["logical_id"][0]


def _ExclusionTag(config):
  _Instance(config, 2)["primary_node"] = testutils.Uuid("a", 1)


def _NetworkFull(config):
  # Addresses that are free now go to others
  _Net(config, 2)["ext_reservations"] = _Bits([i for i in range(16) if i != 5])


def _Reserve(config, index, numbers):
  """Makes an instance for each of a network's addresses.

  """
  _Net(config, index)["reservations"] = _Bits(numbers)
  prefix = _Net(config, index)["network"].rpartition(".")[0]
  for number in numbers:
    instance = testutils.MakeInstance(100 + number, 4,
                                      nics=["%s.%d" % (prefix, number)])
    config["instances"][instance["uuid"]] = _OnNetwork(instance, index)


def _NetworkNearlyFull(config):
  # 13 of 14: net1 has one already
  _Reserve(config, 1, range(2, 14))
  _Net(config, 1)["reservations"] = _Bits(range(1, 14))


def _ReservedWithoutNic(config):
  _Net(config, 2)["reservations"] = _Bits([3, 5])


def _UnreservedNode(config):
  _Net(config, 4)["ext_reservations"] = _Bits([0, 1, 2, 4, 15])


def _UnreservedMaster(config):
  config["cluster"]["master_ip"] = "192.0.2.9"


def _Overlap(config):
  _Connect(config, 5)


def _OverlapIpv6(config):
  _Net(config, 1)["network6"] = "2001:db8::/64"
  _Net(config, 2)["network6"] = "2001:db8::/56"


def _OverlapNowhere(config):
  # The link of the interface is unknown
  del config["nodegroups"][testutils.Uuid("c", 1)]["networks"][
    testutils.Uuid("9", 5)]


def _NicNotReserved(config):
  _Net(config, 1)["reservations"] = _Bits([])


def _NotConnected(config):
  config["nodegroups"][testutils.Uuid("c", 1)]["networks"].pop(
    testutils.Uuid("9", 1))


def _MissingConnected(config):
  _Connect(config, 9)


def _DuplicateIp(config):
  _Instance(config, 3)["nics"][0]["nicparams"] = {}


def _DuplicateIpOfNetwork(config):
  _OnNetwork(_Instance(config, 1), 1)


def _DuplicateIpOfEmptyLink(config):
  _Instance(config, 3)["nics"][0]["nicparams"] = {"mode": "openvswitch",
                                                  "link": ""}


def _DuplicateMac(config):
  # In another spelling
  _Instance(config, 3)["nics"][0]["mac"] = (
    _Instance(config, 1)["nics"][0]["mac"].upper())


def _AddressOutside(config):
  _OnNetwork(_Instance(config, 4), 1)


def _FewCandidates(config):
  _Node(config, 3)["master_candidate"] = False


def _MissingGroup(config):
  _Node(config, 4)["group"] = "gone"


def _MissingNetwork(config):
  _OnNetwork(_Instance(config, 4), 9)


def _MissingNode(config):
  _Instance(config, 4)["primary_node"] = "gone"


def _MissingDisk(config):
  _Instance(config, 4)["disks"] = ["gone"]


def _Forthcoming(config):
  _Instance(config, 6)["mtime"] = time.time() - 90000


_FAULTS = [
  ("instance-on-offline-node", _OfflineNode,
   ["inst5.example.com", "inst6.example.com"]),
  ("instance-on-drained-node", _DrainedNode, ["inst5.example.com"]),
  ("mirror-offline", _MirrorOffline, ["inst1.example.com"]),
  ("mirror-missing", _MirrorMissing, ["inst1.example.com, disk/0"]),
  ("primary-is-secondary", _PrimaryIsSecondary, ["inst1.example.com, disk/0"]),
  ("exclusion-tag", _ExclusionTag, ["node1.example.com"]),
  ("network-full", _NetworkFull, ["net2"]),
  ("network-nearly-full", _NetworkNearlyFull, ["net1"]),
  ("reserved-without-nic", _ReservedWithoutNic, ["net2"]),
  ("unreserved-address", _UnreservedNode, ["net4"]),
  ("unreserved-address", _UnreservedMaster, ["net4"]),
  ("network-overlap", _Overlap, ["net1"]),
  ("network-overlap", _OverlapIpv6, ["net1"]),
  ("network-overlap", _OverlapNowhere, ["net1"]),
  ("nic-not-reserved", _NicNotReserved, ["inst2.example.com, nic/0"]),
  ("network-not-connected", _NotConnected, ["inst2.example.com, nic/0"]),
  ("duplicate-ip", _DuplicateIp, ["198.51.100.1"]),
  ("duplicate-ip", _DuplicateIpOfNetwork, ["198.51.100.1"]),
  ("duplicate-ip", _DuplicateIpOfEmptyLink, ["198.51.100.1"]),
  ("duplicate-mac", _DuplicateMac, ["aa:00:00:00:01:00"]),
  ("address-outside-network", _AddressOutside, ["inst4.example.com, nic/0"]),
  ("few-candidates", _FewCandidates, ["cluster"]),
  ("missing-reference", _MissingGroup, ["node4.example.com"]),
  ("missing-reference", _MissingNetwork, ["inst4.example.com, nic/0"]),
  ("missing-reference", _MissingConnected, ["group default"]),
  ("missing-reference", _MissingNode, ["configuration"]),
  ("missing-reference", _MissingDisk, ["configuration"]),
  ("forthcoming", _Forthcoming, ["inst6.example.com"]),
  *configfaults.FAULTS,
  ]

#: Faults that bring about others
_MORE = {
  _MirrorMissing: {"missing-reference"},
  # A network that is on no group is kept apart from no other
  _NotConnected: {"network-overlap"},
  **configfaults.MORE,
  }


class CheckTest(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    cls.daemon = testutils.Daemon(_Sound())
    cls.daemon.Start()
    cls.serial = 17

  @classmethod
  def tearDownClass(cls):
    cls.daemon.Stop()

  def _Load(self, config):
    type(self).serial += 1
    self.daemon.WriteConfig(dict(config, serial_no=self.serial))
    self.daemon.WaitForSerial(self.serial)

  def _Check(self, *args):
    """Runs the command for its JSON.

    @return: exit code, state, findings

    """
    (code, lines, stderr) = _Run(self.daemon, "check", "--json", *args)
    self.assertEqual(stderr, "")
    reply = json.loads("\n".join(lines))
    self.assertEqual(reply.get("serial"), self.serial, reply)
    return (code, reply["answer"]["state"], reply["answer"]["findings"])

  def testFaults(self):
    """Each fault is found, by its name, and nothing else is.

    """
    for (name, function, subjects) in _FAULTS:
      with self.subTest(name=name, fault=function.__name__):
        config = _Sound()
        function(config)
        self._Load(config)
        (code, state, findings) = self._Check()
        self.assertEqual({i["check"] for i in findings},
                         {name} | _MORE.get(function, set()))
        mine = [i for i in findings if i["check"] == name]
        self.assertEqual([i["subject"] for i in mine], subjects)
        worst = max(i["severity"] == "critical" for i in findings)
        self.assertEqual((code, state),
                         (2, "CRITICAL") if worst else (1, "WARNING"))
        for finding in mine:
          self.assertTrue(finding["text"] and finding["advice"])

  def testSound(self):
    """Nothing is found where nothing is wrong.

    """
    self._Load(_Sound())
    self.assertEqual(self._Check(), (0, "OK", []))
    (code, lines, stderr) = _Run(self.daemon, "check")
    self.assertEqual(
      (code, lines, stderr),
      (0, ["CONFD OK - 0 findings in 6 instances on 4 nodes, serial %d |"
           " findings=0;;;0 critical=0;;;0" % self.serial], ""))

  def testNetworksOfOneName(self):
    """Networks are told apart by their UUIDs.

    """
    config = _Sound()
    for network in config["networks"].values():
      network["name"] = "same"
    self._Load(config)
    self.assertEqual(self._Check(), (0, "OK", []))
    _AddressOutside(config)
    self._Load(config)
    (_, _, (finding, )) = self._Check()
    self.assertEqual(
      (finding["check"], finding["subject"], finding["text"]),
      ("address-outside-network", "inst4.example.com, nic/0", "its address"
       " 203.0.113.2 is not in network same (%s), 198.51.100.0/28" %
       testutils.Uuid("9", 1)))

  def testText(self):
    """The output for people: findings by check, advice, and a single bar.

    """
    config = _Sound()
    _DrainedNode(config)
    _NetworkFull(config)
    _Net(config, 2)["name"] = "a|b\nc"
    self._Load(config)
    (code, lines, stderr) = _Run(self.daemon, "check")
    self.assertEqual((code, stderr), (2, ""))
    self.assertTrue(lines[0].startswith("CONFD CRITICAL - 2 findings in 4"))
    self.assertTrue(lines[0].endswith("| findings=2;;;0 critical=1;;;0"))
    self.assertEqual(lines[1], "CRITICAL network-full: A network has no free"
                     " address for an instance")
    self.assertEqual(lines[2], "  a/b\\nc: all addresses for instances (1) are"
                     " taken")
    self.assertTrue(lines[3].startswith("  What to do: gnt-network "))
    self.assertEqual(lines[5], "  inst5.example.com: its primary node"
                     " node4.example.com is drained")
    self.assertEqual(sum(line.count("|") for line in lines), 1)

  def testIgnore(self):
    """Checks are switched off by name.

    """
    config = _Sound()
    _DrainedNode(config)
    _NetworkFull(config)
    self._Load(config)
    (code, _, findings) = self._Check("--ignore", "network-full")
    self.assertEqual((code, [i["check"] for i in findings]),
                     (1, ["instance-on-drained-node"]))
    (code, state, _) = self._Check(
      "--ignore", "network-full, instance-on-drained-node")
    self.assertEqual((code, state), (0, "OK"))
    (code, lines, stderr) = _Run(self.daemon, "check", "--ignore",
                                 "network-ful")
    self.assertEqual((code, lines), (
      3, ["CONFD UNKNOWN - wrong usage: no such check: 'network-ful'; did you"
          " mean 'network-full'?"]))
    self.assertIn("usage: confd-client check", stderr)

  def testUnknown(self):
    """A plugin's "unknown" is what it is where there is no answer.

    """
    nobody = testutils.FreePort()
    (code, lines, _) = _Run(self.daemon, "check", "-t", "0.3", "-p",
                            str(nobody))
    self.assertEqual(code, 3)
    self.assertTrue(lines[0].startswith("CONFD UNKNOWN - No answer"), lines)
    (code, lines, _) = _Run(self.daemon, "check", "--no-such-option")
    self.assertEqual(code, 3)
    self.assertTrue(lines[0].startswith("CONFD UNKNOWN - wrong usage"), lines)
    (code, lines, stderr) = _Run(self.daemon, "check", "-t", "0.3", "-p",
                                 str(nobody), "--json")
    self.assertIn("No answer", json.loads("".join(lines))["error"])
    self.assertEqual(stderr, "")

  def testOldConfigurations(self):
    """Configurations older than Ganeti 2.7 have the faults put into them.

    """
    for release in oldconfigs.RELEASES:
      with self.subTest(release=release):
        self._Load(oldconfigs.Make(release))
        (_, _, findings) = self._Check()
        # Node3 of the sample is offline, and has a mirror; another disk has its
        # own elsewhere
        self.assertEqual({(i["check"], i["subject"]) for i in findings},
                         {("mirror-offline", "mail.example.com"),
                          ("several-mirrors", "mail.example.com")})

  def testMainBranch(self):
    """A configuration of Ganeti's main branch is sound, and said to be of 3.2.

    """
    self._Load(nextconfig.Make())
    self.assertEqual(self._Check(), (0, "OK", []))
    (code, lines, _) = _Run(self.daemon, "ping")
    self.assertEqual((code, lines),
                     (0, ["configuration version 3.2 (3020000)"]))
    (code, lines, _) = _Run(self.daemon, "instance-ips", "")
    self.assertEqual((code, lines), (0, nextconfig.LINKS[""]))
    (code, lines, _) = _Run(self.daemon, "list", "instances", "--no-headers",
                            "--separator=|", "-o", "name,nic.modes,nic.links")
    self.assertEqual((code, lines), (0, [
      "inst1.example.com|ext,routed|,", "inst2.example.com|bridged,ext|br0,"]))

  @unittest.skipUnless(testutils.Samples(), "no ganeti-testsuite")
  def testSamples(self):
    """The samples of Ganeti's own tests are sound.

    """
    for (version, path) in testutils.Samples():
      with self.subTest(version=version):
        self._Load(json.loads(testutils.ReadFile(path)))
        self.assertEqual(self._Check(), (0, "OK", []))

  def testPage(self):
    """The manual page has the table of the checks.

    """
    page = testutils.ReadFile(os.path.join(
      testutils.SRCDIR, "doc", "confd-client.rst")).decode("utf-8")
    table = page.partition("\nCHECKS\n")[2].partition("\nSETTINGS\n")[0]
    rows = re.findall(r"^([a-z-]+) +(warning|critical) ", table, re.MULTILINE)
    self.assertEqual(rows, [(name, check.severity)
                            for (name, check) in checks.CHECKS.items()])
    # No configuration has that one, see test_divergence
    self.assertEqual({name for (name, _, _) in _FAULTS},
                     set(checks.CHECKS) - {"configuration-stale"})

  def testEvacuate(self):
    """The output lists what has to move, where it can go, and what cannot move.

    """
    config = _Sound()
    instances = [
      # The mirror is on node 3
      _Instance(config, 1),
      testutils.MakeInstance(11, 1, disks=[11], admin_state="down"),
      testutils.MakeInstance(12, 1, disks=[12], beparams={"maxmem": 512}),
      # The mirror is on node 1
      testutils.MakeInstance(13, 2, disks=[13]),
      # The mirror is on a node that can take nothing
      testutils.MakeInstance(14, 1, disks=[14]),
      testutils.MakeInstance(15, 3, disks=[15])]
    instances[0]["beparams"] = {"maxmem": 1024}
    config["instances"] = {item["uuid"]: item for item in instances}
    config["disks"].update((disk["uuid"], disk) for disk in [
      testutils.MakeDisk(11), testutils.MakeDisk(12, dev_type="rbd"),
      testutils.MakeDrbd(13, 2, 1), testutils.MakeDrbd(14, 1, 4),
      testutils.MakeDisk(15)])
    _Node(config, 4)["drained"] = True
    self._Load(config)
    (code, lines, stderr) = _Run(self.daemon, "evacuate", "node1", "--json")
    self.assertEqual((code, stderr), (1, ""))
    plan = json.loads("\n".join(lines))["answer"]
    self.assertEqual(plan["node"], "node1.example.com")
    self.assertEqual(plan["memory"], {"node2.example.com": 512,
                                      "node3.example.com": 1024})
    self.assertEqual(
      [(i["instance"], i["possible"], i["targets"], i["command"],
        i["problem"]) for i in plan["steps"]],
      [("inst1.example.com", True, ["node3.example.com"],
        "gnt-instance migrate -f inst1.example.com", None),
       ("inst11.example.com", False,
        ["node2.example.com", "node3.example.com"],
        "gnt-instance move -f -n node2.example.com inst11.example.com",
        "its disks (plain) are on this node only"),
       ("inst12.example.com", True,
        ["node2.example.com", "node3.example.com"],
        "gnt-instance migrate -f -n node2.example.com inst12.example.com",
        None),
       ("inst14.example.com", False, [], None,
        "its secondary node node4.example.com is drained"),
       ("inst13.example.com", True, ["node3.example.com"],
        "gnt-instance replace-disks -n node3.example.com inst13.example.com",
        None)])
    (code, lines, stderr) = _Run(self.daemon, "evacuate", "node1")
    self.assertEqual((code, stderr), (1, ""))
    self.assertEqual(lines[0].split(), ["Instance", "Disks", "Memory",
                                        "Targets", "Command", "Problem"])
    self.assertEqual(lines[1].split()[:4], [
      "inst1.example.com", "drbd", "1.0G", "node3.example.com"])
    # Mirrors may stay through a reboot
    (_, lines, _) = _Run(self.daemon, "evacuate", "node1", "--primary-only",
                         "--no-headers", "--separator=,")
    self.assertEqual([line.partition(",")[0] for line in lines],
                     ["inst1.example.com", "inst11.example.com",
                      "inst12.example.com", "inst14.example.com"])
    # All that is on it can go
    (code, lines, stderr) = _Run(self.daemon, "evacuate", "node2")
    self.assertEqual((code, len(lines), stderr), (0, 2, ""))
    (code, lines, stderr) = _Run(self.daemon, "evacuate", "node9")
    self.assertEqual((code, lines), (1, []))
    self.assertIn("node9", stderr)
    self._CheckFailures()
    # No instance runs there any more, so nothing can be migrated
    _Node(config, 1)["offline"] = True
    self._Load(config)
    (code, lines, stderr) = _Run(self.daemon, "evacuate", "node1")
    self.assertIn("gnt-instance failover -f inst1.example.com",
                  " ".join(lines[1].split()))

  def _CheckFailures(self):
    """Checks the plans for the failure of each node, as a plugin prints them.

    The mirror of inst14 is on a drained node; inst11 and inst15 have no mirror.

    """
    text = "3 of 6 instances have nowhere to go if their primary node fails"
    for (limits, expected) in [
        ([], (1, "WARNING", "0", "")),
        (["-w", "nowhere=3"], (0, "OK", "3", "")),
        (["--warning=nowhere=2"], (1, "WARNING", "2", "")),
        (["-w", "nowhere=9", "-c", "nowhere=2"], (2, "CRITICAL", "9", "2"))]:
      with self.subTest(limits=limits):
        (code, lines, stderr) = _Run(self.daemon, "evacuate", "--all",
                                     "--nagios", *limits)
        self.assertEqual((code, lines, stderr), (expected[0], [
          "CONFD %s - %s | nowhere=3;%s;%s;0;6" % (expected[1], text,
                                                   *expected[2:]),
          "node1.example.com: inst11.example.com,inst14.example.com",
          "node3.example.com: inst15.example.com"], ""))
    for (words, error) in [
        (["node1", "--nagios"], "--nagios needs --all"),
        (["--all", "-w", "nowhere=1"], "--warning needs --nagios"),
        (["--all", "--nagios", "-w", "silent=1"],
         "not nowhere=NUMBER: 'silent=1'")]:
      (code, lines, stderr) = _Run(self.daemon, "evacuate", *words)
      self.assertEqual(code, 3 if "--nagios" in words else 2)
      self.assertIn(error, "\n".join([*lines, stderr]))

  def testLoadable(self):
    """ganeti-confd --check says what the daemon would make of its files.

    """
    def _Check(*args):
      result = testutils.Run(
        self.daemon.CommandLine(["--check"] + list(args)),
        env=self.daemon.Environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
        universal_newlines=True, check=False)
      return (result.returncode, result.stdout, result.stderr)

    config = _Sound()
    _MissingDisk(config)
    self._Load(config)
    (path, key) = (self.daemon.config_file, self.daemon.key_file)
    text = ("%s: serial %d, version 3000000, 4 nodes, 1 group, 6 instances,"
            " 1 disk, 5 networks\n"
            "Warning: Instance inst4.example.com: disk/0 is not there, left"
            " out\n" % (path, self.serial))
    self.assertEqual(_Check(path), (0, text, ""))
    text += "%s: a key of %d bytes\n" % (key, len(testutils.KEY))
    (code, stdout, stderr) = _Check()
    self.assertEqual((code, stderr), (0, ""))
    self.assertTrue(stdout.startswith(text), stdout)
    self.assertEqual(_Check(path, key)[1], stdout)

    bad = os.path.join(self.daemon.root, "bad")
    for (contents, problem) in [(b"{", "not JSON"), (b"[]", "no JSON object"),
                                (b"\xff", "not UTF-8"),
                                (b"[" * 100000, "nested too deeply")]:
      testutils.WriteFile(bad, contents)
      (code, stdout, stderr) = _Check(bad)
      self.assertEqual((code, stdout), (1, ""))
      self.assertIn("%s: %s" % (bad, problem), stderr)
      self.assertEqual(stderr.count("\n"), 1)
    (code, _, stderr) = _Check(path, bad + "no")
    self.assertEqual(code, 1)
    self.assertIn(bad + "no", stderr)
    (code, _, stderr) = _Check(path, key, "more")
    self.assertEqual(code, 2)
    self.assertIn("'more'", stderr)


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client list prints what Ganeti's own commands print.

The configuration is a real cluster's, grown by instances, groups and networks
of many kinds. The output of C{gnt-instance list} comes from Ganeti's query
daemon on the same configuration, and once from the cluster itself. Every field,
and filters of all kinds, are compared in test_compare_fields and in
test_compare_filters.

"""

import os
import subprocess
import unittest

import clientcommand
import testutils

from cluster import querydaemon
from cluster import shared
from cluster import variety

from ganeti.confd.schema import columns


_COMMANDS = {
  "instances": "gnt-instance",
  "nodes": "gnt-node",
  "groups": "gnt-group",
  "networks": "gnt-network",
  }

#: Fields of Ganeti's that need the nodes, or never have a value
_NOT_OFFERED = {
  "instances": ["console", "oper_ram", "oper_state", "oper_vcpus", "status"],
  "nodes": ["bootid", "cnodes", "cnos", "csockets", "ctotal", "dfree",
            "disk_state", "dtotal", "hv_state", "mfree", "mnode", "mtotal",
            "spfree", "sptotal"],
  "groups": [],
  "networks": [],
  }

#: Fields of ours, for findings
_SUMS = ["%s_%s" % (prefix, name) for prefix in ("pinst", "sinst")
         for name in ("maxmem", "vcpus", "disk")]
_NICS = ["nic.network%s" % rest for what in ("subnet", "gateway")
         for rest in ["s.%ss" % what] + [".%s/%d" % (what, i) for i
                                         in range(columns.MAX_NICS)]]
_OURS_ONLY = frozenset([
  *_SUMS, *_NICS, "external_count", "indexed", "instance_reservations",
  "ip_list", "networks", "usable_count", "used_count"])

#: Made by L{setUpModule}
LISTS = OURS = None


def setUpModule():
  """Starts both daemons on one configuration.

  """
  global LISTS, OURS # pylint: disable=W0603
  shared.Require()
  (real, _) = shared.Configuration()
  config = variety.Vary(real)
  try:
    LISTS = querydaemon.QueryDaemon(config)
    LISTS.Start()
    OURS = testutils.Daemon(config)
    OURS.Start()
  except BaseException:
    tearDownModule()
    raise


def tearDownModule():
  """Ends what was started.

  """
  if OURS is not None:
    OURS.Kill()
  if LISTS is not None:
    LISTS.Stop()


def _Ours(*args, check=0):
  """Runs confd-client.

  @return: what it prints

  """
  result = clientcommand.Run(*args, daemon=OURS,
                             env=clientcommand.Environment(TZ="UTC"))
  if result.returncode != check:
    raise AssertionError("confd-client %s: %s" % (args, result.stderr))
  return result.stdout


def _Theirs(kind, *args):
  (code, output) = LISTS.Run(_COMMANDS[kind], "list", *args)
  if code != 0:
    raise AssertionError("%s list %s: %s" % (_COMMANDS[kind], args, code))
  return output


def _Fields(kind):
  """Returns the fields of one kind that we offer.

  """
  lines = _Ours("list-fields", kind, "--no-headers", "--separator",
                "|").splitlines()
  return [line for line in lines if line.split("|")[0] not in _OURS_ONLY]


class TestFields(unittest.TestCase):
  maxDiff = None

  def testOffered(self):
    """All fields of Ganeti's that need no node, with its titles and types.

    """
    for (kind, command) in _COMMANDS.items():
      (code, output) = LISTS.Run(command, "list-fields", "--no-headers",
                                 "--separator", "|")
      self.assertEqual(code, 0)
      theirs = [tuple(line.split("|")[:3]) for line in output.splitlines()]
      self.assertGreater(len(theirs), 15)
      self.assertEqual([tuple(line.split("|")[:3]) for line in _Fields(kind)],
                       sorted(row for row in theirs
                              if row[0] not in _NOT_OFFERED[kind]))

  def testConfigured(self):
    """The sums are those of the lists and values that Ganeti has.

    """
    def _Rows(kind, fields):
      return [line.split("|") for line in _Theirs(
        kind, "-o", fields, "--no-headers", "--units=m",
        "--separator=|").splitlines()]

    values = {}
    for (name, state, *numbers) in _Rows(
        "instances", "name,admin_state,be/maxmem,be/vcpus,disk_usage"):
      numbers = list(map(int, numbers))
      values[name] = ([0, 0] if state == "offline" else numbers[:2]) + \
        numbers[2:]
    groups = {}
    for (name, group, *lists) in _Rows("nodes",
                                       "name,group,pinst_list,sinst_list"):
      expected = []
      for names in lists:
        rows = [values[i] for i in names.split(",") if i]
        expected += [sum(row[i] for row in rows) for i in range(3)]
      groups[group] = [a + b for (a, b) in zip(groups.get(group, [0] * 6),
                                               expected)]
      with self.subTest(name=name):
        self.assertEqual(self._Sums("nodes", name), expected)
    self.assertGreater(sum(map(sum, groups.values())), 1000)
    for (group, expected) in groups.items():
      with self.subTest(group=group):
        self.assertEqual(self._Sums("groups", group), expected)

  @staticmethod
  def _Sums(kind, name):
    (line, ) = _Ours("list", kind, name, "-o", ",".join(_SUMS), "--no-headers",
                     "--separator=|").splitlines()
    return list(map(int, line.split("|")))

  def testPrinted(self):
    """The same to the last blank, but for those at the end of a line.

    """
    for (kind, args) in [
        ("instances", ["-o", "name,be/maxmem,disk.sizes,disk.size/1,os,tags"]),
        ("instances", ["-o", "name,disk_usage,ctime", "--units", "g"]),
        ("instances", ["-o", "name,disk_usage", "--units", "m"]),
        ("instances", ["-o", "name,disk_usage", "--units", "t"]),
        ("instances", ["-o", "be/maxmem,disk.size/1", "--separator", ":"]),
        ("instances", ["-o", "be/maxmem,disk.size/1", "--no-headers",
                       "--separator", ":", "--units", "h"]),
        ("instances", ["-o", "name,pnode", "web", "nested", "web"]),
        ("instances", ["-o", "name,pnode", "web*", "nested", "m?rror1*"]),
        ("instances", ["-o", "name,pnode", "-F", "not admin_up"]),
        ("instances", ["-o", "name,pnode", "not admin_up"]),
        ("nodes", ["-o", "name,role,group,pinst_cnt,sinst_cnt"]),
        ("nodes", ["-o", "name,role,pinst_cnt", "node10", "node3"]),
        ("groups", []), ("groups", ["-o", "+tags,ndp/ssh_port"]),
        ("networks", []), ("networks", ["-o", "name,map", "wide"])]:
      with self.subTest(kind=kind, args=args):
        theirs = [line.rstrip() for line in _Theirs(kind, *args).splitlines()]
        self.assertEqual(_Ours("list", kind, *args).splitlines(), theirs)


class TestCluster(unittest.TestCase):
  """On the cluster itself.

  """
  _PORT = "1815"

  def setUp(self):
    self.clu = shared.Get()
    (self.node1, self.node2, self.node3) = self.clu.nodes
    root = "/tmp/inventory"
    self.node2.Run("sh", "-c", "mkdir -p $0/var/lib $0/var/run/ganeti"
                   " $0/var/log/ganeti; ln -sfn /var/lib/ganeti $0/var/lib/",
                   root)
    process = self.node2.Popen(
      os.path.join(testutils.BUILDDIR, "daemons", "ganeti-confd"), "-f",
      "--no-user-checks", "-p", self._PORT, env={"GANETI_ROOTDIR": root},
      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    self.addCleanup(self.node2.Terminate, process)
    testutils.WaitFor(lambda: self._Ours("list", "nodes").returncode == 0,
                      "the daemon on the second node answers")

  def _Ours(self, *args):
    """Asks the second node from the third.

    """
    return self.node3.Run(
      clientcommand.PROGRAM, "-a",
      "%s:%s" % (self.node2.address, self._PORT), "-t", "5", *args, check=False)

  def testMasterDown(self):
    """The lists are there while the master is not.

    """
    expected = {}
    for (kind, fields) in [("instances", "name,pnode,nic.ips,be/maxmem,tags"),
                           ("nodes", "name,role,pinst_list,group"),
                           ("groups", "name,node_cnt"),
                           ("networks", "name,network,map,inst_list")]:
      result = self.node1.Run(_COMMANDS[kind], "list", "-o", fields)
      self.assertGreater(len(result.stdout.splitlines()), 1)
      expected[kind] = (fields, result.stdout)
    self.node1.Run("/usr/lib/ganeti/daemon-util", "stop-all", check=False)
    self.addCleanup(self.clu.StartDaemons)
    # The client would try for half a minute
    self.assertNotEqual(self.node1.Run("timeout", "2", "gnt-instance", "list",
                                       check=False).returncode, 0)
    for (kind, (fields, theirs)) in expected.items():
      ours = self._Ours("list", kind, "-o", fields)
      self.assertEqual(ours.returncode, 0, ours.stderr)
      self.assertEqual(ours.stdout.splitlines(),
                       [line.rstrip() for line in theirs.splitlines()])
    drawing = self._Ours("map")
    self.assertIn("default: 3 nodes, 4 instances", drawing.stdout)


if __name__ == "__main__":
  unittest.main()

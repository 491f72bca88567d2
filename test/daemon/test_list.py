#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tables of the inventory: the client's calls, and confd-client's commands.

"""

import asyncio
import csv
import io
import json
import os
import unittest

import clientcommand
import testutils

from testutils import MakeConfig, MakeDisk, MakeDrbd, MakeInstance, MakeNode
from testutils import Uuid

from ganeti.confd import client
from ganeti.confd.clientlib import filters
from ganeti.confd.schema import columns


def _Config(instances=12):
  nodes = [MakeNode(1, master_candidate=True), MakeNode(2, offline=True),
           MakeNode(10, group=Uuid("c", 2))]
  made = [MakeInstance(i, (1, 10)[i % 2], beparams={"maxmem": 512 * i},
                       tags=["odd"] if i % 2 else [],
                       nics=["198.51.100.%d" % (i % 250)])
          for i in range(1, instances + 1)]
  made[0]["disks"] = [Uuid("d", 1), Uuid("d", 2)]
  config = MakeConfig(nodes, made, [MakeDrbd(1, 10, 2), MakeDisk(2)])
  config["nodegroups"][Uuid("c", 2)] = {"name": "rack \"2\"",
                                        "uuid": Uuid("c", 2)}
  return config


def _Name(index):
  return "inst%d.example.com" % index


class _TestCase(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    cls.daemon = testutils.Daemon(_Config())
    try:
      cls.daemon.Start()
    except BaseException:
      cls.daemon.Kill()
      raise
    cls.peers = ["127.0.0.1:%d" % cls.daemon.port]

  @classmethod
  def tearDownClass(cls):
    cls.daemon.Stop()


class TestCalls(_TestCase):
  def setUp(self):
    self.asker = client.Client(self.peers, key=testutils.KEY)
    self.addCleanup(self.asker.Close)

  def testList(self):
    reply = self.asker.List("instance", ["name", "be/maxmem"],
                            names=["inst10", "inst2"])
    self.assertEqual(reply.answer, [[_Name(10), 5120], [_Name(2), 1024]])
    self.assertEqual(reply.serial, 17)
    rows = self.asker.List("instance", ["name"]).answer
    self.assertEqual(rows, [[_Name(i)] for i in range(1, 13)])

  def testTwice(self):
    """A name that is given twice is answered twice, though not by the daemon.

    """
    rows = self.asker.List("instance", ["be/maxmem", "name", "name"],
                           names=["inst2", "inst1", "inst2"]).answer
    (one, two) = ([512 * i, _Name(i), _Name(i)] for i in (1, 2))
    self.assertEqual(rows, [two, one, two])
    rows = self.asker.List("instance", ["name", "name"],
                           names=["inst1", "inst1"],
                           filter="be/maxmem == 512").answer
    self.assertEqual(rows, 2 * [[_Name(1), _Name(1)]])
    rows = self.asker.List("instance", ["name", "name"],
                           filter="be/maxmem < 1024").answer
    self.assertEqual(rows, [[_Name(1), _Name(1)]])

  def testFilter(self):
    """Fields that only the filter needs are fetched, and not returned.

    """
    rows = self.asker.List("instance", ["name"],
                           filter="be/maxmem > 5000 and \"odd\" in tags").answer
    self.assertEqual(rows, [[_Name(11)]])
    rows = self.asker.List("instance", ["uuid"], filter="name == \"inst3\" or"
                           " name == \"inst1\"").answer
    self.assertEqual(rows, [[Uuid("b", 3)], [Uuid("b", 1)]])
    rows = self.asker.List("instance", ["name"], names=["inst2", "inst1"],
                           filter="not \"odd\" in tags").answer
    self.assertEqual(rows, [[_Name(2)]])
    rows = self.asker.List("disk", ["index"], filter="instance == \"inst1\" and"
                           " dev_type == \"drbd\"").answer
    self.assertEqual(rows, [[0]])
    parsed = filters.Parse("be/maxmem == 512")
    self.assertEqual(self.asker.List("instance", ["name"],
                                     filter=parsed).answer, [[_Name(1)]])

  def testErrors(self):
    for (args, kwargs, text) in [
        (("people", []), {}, "unknown table 'people'"),
        (("instance", ["nosuch"]), {}, "unknown field 'nosuch'"),
        (("instance", ["name"]), {"filter": "nosuch"},
         "unknown field 'nosuch'"),
        (("instance", ["name"]), {"names": ["inst1", "nosuch"]},
         "unknown name 'nosuch'"),
        (("instance", ["name"]), {"filter": "name == \"nosuch\""},
         "unknown name 'nosuch'")]:
      with self.assertRaises(client.ErrorAnswer) as caught:
        self.asker.List(*args, **kwargs)
      self.assertIn(text, str(caught.exception))
    for text in ["name ==", "name", "be/maxmem == \"1\""]:
      self.assertRaises(filters.FilterError, self.asker.List, "instance",
                        ["name"], filter=text)

  def testPlurals(self):
    for kind in ["instance", "node", "group", "network", "disk"]:
      with self.subTest(kind=kind):
        self.assertEqual(self.asker.List(kind + "s", ["name"]).answer,
                         self.asker.List(kind, ["name"]).answer)
        self.assertEqual(self.asker.Fields(kind + "s").answer,
                         self.asker.Fields(kind).answer)

  def testHelpers(self):
    self.assertEqual(self.asker.OfflineNodes().answer, ["node2.example.com"])
    self.assertEqual(self.asker.Instances().answer,
                     [_Name(i) for i in range(1, 13)])
    self.assertEqual(self.asker.PrimaryNodes().answer[_Name(1)],
                     "node10.example.com")
    self.assertIn(("uuid", "UUID", "text", "UUID of the node"),
                  self.asker.Fields("node").answer)

  def testTables(self):
    reply = self.asker.Tables({"nodes": ["name", "role"], "instance": ["name"]})
    self.assertEqual(reply.answer["nodes"],
                     self.asker.List("node", ["name", "role"],
                                     named=True).answer)
    self.assertEqual([row["name"] for row in reply.answer["instance"]],
                     [_Name(i) for i in range(1, 13)])
    self.assertEqual(list(reply.answer), ["nodes", "instance"])
    with self.assertRaises(client.ErrorAnswer):
      self.asker.Tables({"node": ["name"], "instance": ["nonsense"]})

  def testOptionalPlace(self):
    for path in ["/nowhere", "/version/1"]:
      self.assertIsNone(self.asker.Config(path, optional=True).answer)
      with self.assertRaises(client.ErrorAnswer):
        self.asker.Config(path)
    reply = self.asker.Config("/serial_no", optional=True)
    self.assertEqual(reply.answer, reply.serial)

  def testManyNames(self):
    """The names do not fit one request, nor their rows one reply.

    """
    names = [_Name(i % 12 + 1) for i in range(5000)]
    rows = self.asker.List("instance", ["name"], names=names).answer
    self.assertEqual(rows, [[name] for name in names])

  def testAsyncio(self):
    async def _Ask():
      async with client.AsyncClient(self.peers, key=testutils.KEY) as asker:
        return await asyncio.gather(
          asker.List("node", ["name", "role"], filter="role != \"M\""),
          asker.List("instance", ["name"], names=["inst5"]),
          asker.PrimaryNodes(), asker.OfflineNodes())
    (nodes, named, primary, offline) = asyncio.run(_Ask())
    self.assertEqual(nodes.answer, [["node2.example.com", "O"],
                                    ["node10.example.com", "R"]])
    self.assertEqual(named.answer, [[_Name(5)]])
    self.assertEqual(len(primary.answer), 12)
    self.assertEqual(offline.answer, ["node2.example.com"])


class TestLarge(unittest.TestCase):
  def testLarge(self):
    """A table in parts.

    """
    with testutils.Daemon(_Config(3000)) as daemon:
      with client.Client(["127.0.0.1:%d" % daemon.port],
                         key=testutils.KEY) as asker:
        rows = asker.List("instance", ["name", "uuid", "be/maxmem"]).answer
        self.assertEqual(rows, [[_Name(i), Uuid("b", i), 512 * i]
                                for i in range(1, 3001)])
        rows = asker.List("instance", ["name"],
                          filter="be/maxmem > 1535000").answer
        self.assertEqual(rows, [[_Name(2999)], [_Name(3000)]])


class TestBroken(unittest.TestCase):
  """Stored values need not make sense to be shown.

  """
  def testFormats(self):
    config = _Config(2)
    (inst1, inst2) = config["instances"].values()
    inst1.update(beparams={"maxmem": "much"}, nics=[{"ip": 5}], tags=[1, "a"],
                 ctime=10 ** 20)
    inst2.update(beparams={"maxmem": [10 ** 400]}, nics="none", tags={},
                 ctime="now", os=["\n"])
    config["nodegroups"][Uuid("c", 2)].update(ndparams=5, networks=[1])
    config["cluster"]["beparams"] = {"default": {"maxmem": 10 ** 400}}
    with testutils.Daemon(config) as daemon:
      for args in [["list", "instances", "-o", "+nic.ips,tags,ctime,mtime"],
                   ["list", "instances", "--sort", "be/maxmem"],
                   ["list", "instances", "--csv"],
                   ["list", "groups"], ["list", "disks"], ["map"],
                   ["map", "--dot"], ["who-has", "inst1"],
                   ["who-has", "node1"], ["describe", "instance", "inst1"],
                   ["describe", "instance", "inst2"],
                   ["describe", "node", "node1"],
                   ["describe", "group", Uuid("c", 2)]]:
        result = clientcommand.Run(*args, daemon=daemon)
        self.assertEqual((result.returncode, result.stderr), (0, ""), args)
        self.assertGreater(len(result.stdout.splitlines()), 1)


class TestValuesInCsv(unittest.TestCase):
  """Values in CSV are for programs, in whatever language.

  """
  def test(self):
    fields = ["nic.ips", "nic.names", "admin_up", "osparams", "nic.networks",
              "os", "network_port"]
    config = MakeConfig(instances=[
      MakeInstance(1, 1, nics=["192.0.2.1", None], osparams={"a": 1, "b": None},
                   os=None)])
    with testutils.Daemon(config) as daemon:
      output = clientcommand.Run(
        "list", "instances", "--csv", "-o", ",".join(fields), daemon=daemon,
        check=True).stdout
    (headers, row) = csv.reader(io.StringIO(output))
    self.assertEqual(headers, fields)
    values = dict(zip(headers, row))
    self.assertEqual(json.loads(values.pop("osparams")), {"a": 1, "b": None})
    self.assertEqual(values, {
      "nic.ips": "192.0.2.1,", "nic.names": ",", "admin_up": "true",
      "nic.networks": ",", "os": "", "network_port": ""})


class TestDisksOfOneName(unittest.TestCase):
  """Ganeti has nothing against them.

  """
  def test(self):
    names = ["data", "data", "data.1", None]
    config = testutils.MakeConfig(
      disks=[testutils.MakeDisk(index, name=name)
             for (index, name) in enumerate(names, 1)],
      instances=[testutils.MakeInstance(index, 1, disks=[index])
                 for index in range(1, 5)])
    with testutils.Daemon(config) as daemon:
      with client.Client(["127.0.0.1:%d" % daemon.port],
                         key=testutils.KEY) as asker:
        def _List(**kwargs):
          return [uuid for (uuid, ) in
                  asker.List("disk", ["uuid"], **kwargs).answer]
        # Without name, there is nothing to compare: the condition holds
        self.assertEqual(_List(filter="name == \"data\""),
                         [Uuid("d", 1), Uuid("d", 2), Uuid("d", 4)])
        self.assertEqual(_List(names=["data.1", Uuid("d", 2)]),
                         [Uuid("d", 3), Uuid("d", 2)])
        with self.assertRaisesRegex(client.ErrorAnswer, "unknown name 'data'"):
          _List(names=["data"])


class TestCommands(_TestCase):
  def _Run(self, *args, code=0):
    result = clientcommand.Run(*args, daemon=self.daemon,
                               env=clientcommand.Environment(TZ="UTC"))
    self.assertEqual(result.returncode, code, result.stderr)
    self.assertNotIn("Traceback", result.stderr)
    return result.stdout + result.stderr if code else result.stdout

  def testDefaults(self):
    for (what, first) in [
        ("instances", "Instance Hypervisor OS Primary_node InstanceState"
         " ConfigMaxMem"),
        ("nodes", "Node Role Group Pinst Sinst"),
        ("groups", "Group Nodes Instances AllocPolicy NDParams"),
        ("networks", "Network Subnet Gateway MacPrefix GroupList Tags"),
        ("disks", "UUID Instance Type Size Nodes")]:
      with self.subTest(what=what, first=first):
        self.assertEqual(self._Run("list", what).split("\n")[0].split(),
                         first.split())
        wide = self._Run("list", what, "-o", "wide").split("\n")[0].split()
        count = len(first.split())
        self.assertEqual(wide[:count], first.split())
        self.assertGreater(len(wide), count + 3)
    self.assertEqual(self._Run("list", "nodes").splitlines()[1:], [
      "node1.example.com  M    default      6     0",
      "node2.example.com  O    default      0     1",
      "node10.example.com R    rack \"2\"     6     0"])
    self.assertEqual(self._Run("list", "nodes", "-o", "+serial_no", "node1",
                               "--no-headers", "--separator", ","),
                     "node1.example.com,M,default,6,0,1\n")
    self.assertEqual(self._Run("list", "networks", "--no-headers"), "")

  def testSort(self):
    lines = self._Run("list", "instances", "-o", "name", "--sort", "be/maxmem",
                      "--no-headers", "-F", "be/maxmem > 4000").splitlines()
    self.assertEqual(lines, [_Name(i) for i in range(8, 13)])
    lines = self._Run("list", "instances", "-o", "name", "--sort", "be/maxmem",
                      "--no-headers", "--reverse", "inst1*").splitlines()
    self.assertEqual(lines, [_Name(i) for i in (12, 11, 10, 1)])
    lines = self._Run("list", "instances", "-o", "name", "--reverse",
                      "--no-headers", "inst2", "inst1").splitlines()
    self.assertEqual(lines, [_Name(1), _Name(2)])
    lines = self._Run("list", "nodes", "-o", "name", "--sort", "group", "node*",
                      "--no-headers").splitlines()
    self.assertEqual(lines, ["node1.example.com", "node2.example.com",
                             "node10.example.com"])
    lines = self._Run("list", "disks", "-o", "dev_type,index", "--sort", "name",
                      "--no-headers", "--separator", "|").splitlines()
    self.assertEqual(lines, ["drbd|0", "plain|1"])

  def testPatterns(self):
    for (args, expected) in [
        (["inst1*"], [1, 10, 11, 12]), (["inst?"], list(range(1, 10))),
        (["inst1?", "inst3"], [3, 10, 11, 12]),
        (["inst12", "inst3"], [12, 3]),
        (["be/maxmem<1000"], [1]),
        (["inst1*", "-F", "be/maxmem<1000"], [1])]:
      lines = self._Run("list", "instances", "-o", "name", "--no-headers",
                        *args).splitlines()
      self.assertEqual(lines, [_Name(i) for i in expected], args)
    lines = self._Run("list", "disks", "-o", "uuid", "--no-headers",
                      Uuid("d", 1)[:20] + "*1").splitlines()
    self.assertEqual(lines, [Uuid("d", 1)])

  def testUnits(self):
    args = ["list", "instances", "-o", "be/maxmem", "--no-headers", "inst3"]
    for (more, expected) in [
        ([], "1.5G"), (["--units", "m"], "1536"), (["--units", "g"], "1.5"),
        (["--units", "t"], "0.0"), (["--separator", ","], "1536"),
        (["--separator", ",", "--units", "h"], "1.5G"), (["--csv"], "1536")]:
      with self.subTest(more=more):
        self.assertEqual(self._Run(*(args + more)).strip(), expected)

  def testCsv(self):
    output = self._Run("list", "groups", "-o", "name,node_list,alloc_policy",
                       "--csv")
    self.assertEqual(list(csv.reader(io.StringIO(output))), [
      ["name", "node_list", "alloc_policy"],
      ["default", "node1.example.com,node2.example.com", "preferred"],
      ["rack \"2\"", "node10.example.com", ""]])
    self.assertEqual(self._Run("list", "nodes", "-o", "role", "--csv",
                               "--no-headers"), "M\nO\nR\n")

  def testJson(self):
    reply = json.loads(self._Run("list", "instances", "-o", "name,tags,nic.ips",
                                 "--json", "inst1"))
    self.assertEqual(reply["answer"], [
      {"name": _Name(1), "tags": ["odd"], "nic.ips": ["198.51.100.1"]}])
    self.assertEqual(reply["serial"], 17)

  def testLists(self):
    """Lists are joined, where people read them.

    """
    lines = self._Run("list", "disks", "--no-headers", "--separator=|", "-o",
                      "dev_type,nodes,minors,volumes,minors.shared"
                      ).splitlines()
    self.assertEqual(sorted(lines), [
      "drbd|node10.example.com,node2.example.com|0,0||",
      "plain|node10.example.com||xenvg/disk2|"])

  def testListFields(self):
    lines = self._Run("list-fields", "disks").splitlines()
    self.assertEqual(lines[0].split(), ["Name", "Type", "Title",
                                        "Description"])
    self.assertEqual(len(lines), 1 + len(columns.TABLES[columns.DISK].columns))
    self.assertEqual(self._Run("list-fields", "nodes", "role", "--separator",
                               "|", "--no-headers").split("|")[:3],
                     ["role", "Text", "Role"])
    lines = self._Run("list-fields", "nodes", "p*_cnt", "s?nst_cnt", "pinst_l*",
                      "--no-headers").splitlines()
    self.assertEqual([line.split()[0] for line in lines],
                     ["pinst_cnt", "sinst_cnt", "pinst_list"])
    self.assertIn("no such field: 'x*'", self._Run("list-fields", "nodes", "x*",
                                                 code=1))
    self.assertIn("no such field: 'x'", self._Run("list-fields", "nodes", "x",
                                                code=1))

  def testErrors(self):
    for (code, args, text) in [
        (2, ["list"], "usage: confd-client list"),
        (2, ["list", "things"], "not one of instances"),
        (2, ["list-fields", "thing"], "not one of instances"),
        (2, ["ping", "-o", "name"], "--output, which belongs to"),
        (2, ["list", "nodes", "--dot"], "--dot, which belongs to the"
         " command map"),
        (2, ["list", "nodes", "--csv", "--json"], "exclude each other"),
        (2, ["list", "nodes", "--units", "k"], "invalid choice"),
        (1, ["list", "nodes", "-o", "nosuch"], "unknown field 'nosuch'"),
        (1, ["list", "nodes", "--sort", "nosuch"], "unknown field 'nosuch'"),
        (1, ["list", "nodes", "nosuch"],
         "no node has the name or UUID 'nosuch'; \"confd-client list nodes\""),
        (1, ["list", "instances", "-o", "oper_ram"], "; only the nodes know"
         " that, and \"gnt-instance list -o oper_ram\" asks them"),
        (1, ["list", "nodes", "--sort", "mfree"], "\"gnt-node list -o mfree\""),
        (1, ["list", "instances", "-F", "tags == \"odd\""],
         "not a text; whether it has an item is asked with '\"odd\" in tags'"),
        (1, ["list", "nodes", "-F", "name =="],
         "at column 8\nname ==\n       ^\n")]:
      with self.subTest(code=code, args=args):
        self.assertIn(text, self._Run(*args, code=code), args)

  def testMap(self):
    lines = self._Run("map").splitlines()
    self.assertEqual(lines[:5], [
      "default: 2 nodes, 6 instances",
      "  node1.example.com  master  6+0 [####################] 21.0G"
      " [####################]",
      "  node2.example.com  offline 0+1 [....................]    0M"
      " [....................]",
      "rack \"2\": 1 node, 6 instances",
      "  node10.example.com regular 6+0 [####################] 18.0G"
      " [##################..]"])

  def _RunOnTerminal(self, command, **kwargs):
    """Runs the program with a terminal as its standard output.

    @return: what a terminal shows

    """
    with clientcommand.Terminal() as terminal:
      clientcommand.Run(command, daemon=self.daemon, stdout=terminal.fd,
                        env=dict(os.environ, **kwargs), check=True)
    return terminal.shown.decode("ascii").replace("\r\n", "\n")

  def testColours(self):
    """On a terminal, for who wants them; and they are all that differs.

    """
    plain = self._Run("map")
    coloured = self._RunOnTerminal("map", NO_COLOR="")
    (offline, ) = [line for line in plain.splitlines() if "node2." in line]
    self.assertEqual(coloured,
                     plain.replace(offline, "\033[31m%s\033[0m" % offline))
    self.assertEqual(self._RunOnTerminal("map", NO_COLOR="1"), plain)

  def testDot(self):
    output = self._Run("map", "--dot")
    self.assertTrue(output.startswith("digraph cluster {\n"))
    self.assertTrue(output.endswith("\n}\n"))
    self.assertIn("    label=\"rack \\\"2\\\"\";\n", output)
    self.assertIn("  \"instance inst1.example.com\" ->"
                  " \"node node10.example.com\";\n", output)
    self.assertIn("  \"instance inst1.example.com\" ->"
                  " \"node node2.example.com\" [style=dashed];\n", output)
    self.assertEqual(output.count("{"), output.count("}"))


if __name__ == "__main__":
  unittest.main()

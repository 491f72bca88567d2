#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client list prints what Ganeti's own commands print.

The configuration is a real cluster's, grown by instances, groups and networks
of many kinds; every field of every object is compared. What C{gnt-instance
list} says comes from Ganeti's query daemon on the same configuration, and once
from the cluster itself.

"""

import json
import os
import subprocess
import unittest

import testutils

from cluster import shared
from cluster import variety

from ganeti.confd import client
from ganeti.confd.clientlib import filters

_PROGRAM = os.path.join(testutils.BUILDDIR, "tools", "confd-client")

#: Stands in no value
_SEPARATOR = "\x1f"

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
_OURS_ONLY = frozenset(["external_count", "indexed", "instance_reservations",
                        "ip_list", "networks", "usable_count", "used_count"])

#: Ganeti prints these in the order of UUIDs, we by name
_UNORDERED = ["node_list"]

#: Filters for instances
_INSTANCE_FILTERS = r'''
name == "web"
name == "nested" or name == "web.example.com" or name == "nested.example.com"
name == "web" and admin_up
(name == "web")
not (name == "web") and name =* "w*"
name == "web" or pnode == "node6"
name == "mirror1" and admin_up
name == "WEB" and admin_up
name != "web"
name < "b"
name =* "web"
name =* "web*"
name =* "web.*"
name =* "*"
name =* "w?b"
name =* "w.b"
name =* "*.example"
name !* "crowd*"
name =~ m/web/
name =~ m/^WEB/i
name =~ m#^web$#
name =~ m|web|si
name =~ m^web^is
name =~ /web/
name=~/xen/i
name =~ m/web\.example/
name =~ m/mirror\d\./
name =~ m/mirror1\\d/
name =~ m/mirror[0-9]\./
name =~ m/^(web|xen).*$/
(name !~ m/crowd/) and not admin_up
nic.ip/1 != "10.9"
nic.ip/1 !~ m/x/
nic.ip/1 !* "x"
uuid =~ m/^b/
pnode == "node6"
pnode == "node"
pnode == "node6.example.com"
pnode != "node6" and name =* "n*"
pnode < "node6" and name =* "n*"
pnode <= "node6" and name =* "n*"
pnode =* "node1*"
pnode.group == "rack1"
pnode.group == "rack"
nic.ip/1 == "10.9"
not nic.ip/1 == "10.9"
nic.ip/1 != "10.9" and name == "web"
nic.count > 1
be/vcpus == 4
be/vcpus=2
be/vcpus = 2
be/vcpus > 1
be/vcpus != 1
be/vcpus >= +2
be/vcpus > -1
be/vcpus == 99999999999999999999999
"a" in tags
'a' not in tags and name =* "n*"
"a" notin tags and name =* "n*"
"a" intags
"zz top" in tags
"node3.example.com" in snodes
"node3" in snodes
1536 in disk.sizes
1 in disk.sizes
disk.size/0 == 1536
disk_template == "mixed"
not admin_up
not not admin_up and name =* "w*"
not (admin_up or name == "web")
not(admin_up) and name =* "n*"
admin_up and not name =~ m/crowd/
admin_state == "down" or admin_state == "offline"
be/vcpus == 1 or be/vcpus == 4 and admin_up
(be/vcpus == 2 or be/vcpus == 4) and not admin_up
hv/acpi
not hv/acpi
hv/vga == "" and name =* "n*"
hv/kernel_path =* "/os*"
hv/kernel_path =~ m#/os#
network_port > 11000 and name =* "n*"
ctime == 0
ctime > 5 and name =* "x*"
mtime == 1234567890
mtime > 1234567890
serial_no >= 12
os == "debootstrap"
os =* "debootstrap*"
forthcoming
name=="web"and admin_up
'''.strip().split("\n")

#: Filters that neither of us can parse or apply
_WRONG_FILTERS = r'''
name == "nosuch"
name == "mirror1"
name
be/vcpus
tags
be/vcpus == "4"
be/vcpus > "a"
be/vcpus =~ m/1/
be/vcpus =* "1"
tags == "a"
tags =~ m/a/
"a" in name
"1536" in disk.sizes
"vcpus" in beparams
nosuch == 1
hv/acpi == "x"
hv/acpi == 1
be/vcpus == 2.5
name == web
name ==
== "web"
(name == "web"
name == "web")
NOT admin_up
admin_up AND admin_up
1 == be/vcpus
disk.count in disk.sizes
name =~ m/(/
name =~ m|web|x
name =~ "web"
name == "a" == "b"
in in in
not == "x"
and
'''.strip().split("\n")

_NODE_FILTERS = r'''
role == "C"
not master_candidate
pinst_cnt != 0
name == "node1" or group == "rack1"
name == "node3" or name == "node10"
name == "node3" and not offline
"a" in tags
powered
not powered
ndp/spindle_count == 3
group =* "rack*"
"mirror2.example.com" in pinst_list
'''.strip().split("\n")

#: Made by L{setUpModule}
LISTS = OURS = ASKER = None


def setUpModule():
  """Starts both daemons on one configuration.

  """
  global LISTS, OURS, ASKER # pylint: disable=W0603
  shared.Require()
  (real, _) = shared.Configuration()
  data = json.dumps(variety.Vary(real)).encode("ascii")
  try:
    LISTS = variety.Lists(data)
    LISTS.Start()
    OURS = testutils.Daemon(data)
    OURS.Start()
    ASKER = client.Client(["%s:%d" % (OURS.address, OURS.port)],
                          key=testutils.KEY)
  except BaseException:
    tearDownModule()
    raise


def tearDownModule():
  """Ends what was started.

  """
  if ASKER is not None:
    ASKER.Close()
  if OURS is not None:
    OURS.Kill()
  if LISTS is not None:
    LISTS.Stop()


def _Ours(*args, check=0):
  """Runs confd-client.

  @return: what it prints

  """
  env = {name: value for (name, value) in os.environ.items()
         if name != "PYTHONPATH"}
  env["TZ"] = "UTC"
  result = subprocess.run(
    [_PROGRAM, "-a", "%s:%d" % (OURS.address, OURS.port),
     "--hmac-file", OURS.key_file] + list(args), env=env,
    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    timeout=60, universal_newlines=True, check=False)
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

  def testValues(self):
    """Every field of every object.

    """
    for kind in _COMMANDS:
      names = [line.split("|")[0] for line in _Fields(kind)]
      args = ["-o", ",".join(names), "--no-headers", "--separator", _SEPARATOR]
      ours = _Ours("list", kind, *args).splitlines()
      theirs = _Theirs(kind, *args).splitlines()
      self.assertGreater(len(theirs), 1)
      self.assertEqual(len(ours), len(theirs))
      for (our_line, their_line) in zip(ours, theirs):
        our_row = dict(zip(names, our_line.split(_SEPARATOR)))
        their_row = dict(zip(names, their_line.split(_SEPARATOR)))
        for row in (our_row, their_row):
          for name in _UNORDERED:
            if name in row:
              row[name] = sorted(row[name].split(","))
        self.assertEqual(our_row, their_row)

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


class TestFilters(unittest.TestCase):
  def _Check(self, what, texts):
    for (text, theirs) in zip(texts, LISTS.Filter(what, texts)):
      with self.subTest(text):
        self.assertIsNotNone(theirs)
        reply = ASKER.List(what, ["name"], filter=text)
        self.assertEqual([name for (name, ) in reply.answer], theirs)

  def testInstances(self):
    self._Check("instance", _INSTANCE_FILTERS)

  def testNodes(self):
    self._Check("node", _NODE_FILTERS)

  def testWrong(self):
    for (text, theirs) in zip(_WRONG_FILTERS,
                              LISTS.Filter("instance", _WRONG_FILTERS)):
      with self.subTest(text):
        self.assertIsNone(theirs)
        self.assertRaises((filters.FilterError, client.ErrorAnswer),
                          ASKER.List, "instance", ["name"], filter=text)

  def testCommand(self):
    """A few with the commands themselves.

    """
    for text in _INSTANCE_FILTERS[::12]:
      args = ["-o", "name,pnode", "-F", text]
      with self.subTest(text):
        self.assertEqual(_Ours("list", "instances", *args),
                         _Theirs("instances", *args))


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
      _PROGRAM, "-a", "%s:%s" % (self.node2.address, self._PORT), "-t", "5",
      *args, check=False)

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
    # It would try for half a minute
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

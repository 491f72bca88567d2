#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Ganeti accepts what "confd-client evacuate" proposes, and nothing else.

Instances with disks of all types are written into the configuration by hand,
since the nodes have nothing to make such disks of: there Ganeti is asked with
--dry-run, which ends when all prerequisites have been checked. File, shared
file and no disk are there for real, and really move.

"""

import copy
import json
import os
import unittest

import testutils
from testutils import PING

from cluster import changing
from cluster import cluster
from cluster import debian
from cluster import grow
from cluster import ours

_CONFIG = changing.DATA_DIR + "/config.data"
_FILES = "/srv/ganeti/file-storage"
_SHARED_FILES = "/srv/ganeti/shared-file-storage"

#: Lists the directories that may have such files
_ALLOWED = "/etc/ganeti/file-storage-paths"

#: Where the fake hypervisor keeps the instances that run, and what of each
_RUNNING = "/run/ganeti/fake-hypervisor/"
_STATE = b"0\n1\n1\n"

#: Ganeti 3.1's "gnt-instance move" fails with this text where socat is 1.8 or
#: newer, as in Debian 13 (Ganeti's issue 1839)
_SOCAT_FAULT = "certificate is valid but its commonName does not match hostname"

_TEMPLATES = ["blockdev", "diskless", "drbd", "ext", "file", "gluster", "plain",
              "rbd", "sharedfile"]

#: Runs commands of gnt-instance in one process, each with --dry-run; prints
#: what Ganeti says against each, null if nothing
_DRY_RUN = r"""
import contextlib, io, json, sys, time
from ganeti import cli, constants
from ganeti.client import gnt_instance
def Submit(words):
  sys.argv = words[:2] + ["--submit", "--dry-run"] + words[2:]
  text = io.StringIO()
  with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
    try:
      code = gnt_instance.Main()
    except SystemExit as err:
      code = err.code
  return text.getvalue(), code
def Wait(client, job):
  while True:
    ((status, results), ) = client.QueryJobs([job], ["status", "opresult"])
    if status in constants.JOBS_FINALIZED:
      return None if status == "success" else str(results)
    time.sleep(0.05)
submitted = [Submit(words) for words in json.load(sys.stdin)]
client = cli.GetClient()
print(json.dumps([text if code else Wait(client, int(text.split()[-1]))
                  for (text, code) in submitted]))
"""


class _Builder:
  """Adds instances to a copy of a configuration.

  """
  def __init__(self, config):
    self.config = copy.deepcopy(config)
    self._nodes = {node["name"].split(".")[0]: node
                   for node in config["nodes"].values()}
    self._drbd = 0
    cluster = self.config["cluster"]
    cluster["enabled_disk_templates"] = _TEMPLATES
    cluster["ipolicy"]["disk-templates"] = _TEMPLATES
    cluster["volume_group_name"] = "xenvg"
    cluster["shared_file_storage_dir"] = _SHARED_FILES
    cluster["highest_used_port"] = 13000

  def Node(self, name):
    return self.config["nodes"][self._nodes[name]["uuid"]]

  @staticmethod
  def _Object(seed, **kwargs):
    return dict({"uuid": grow.Uuid("evacuate " + seed), "serial_no": 1,
                 "ctime": 1700000000.5, "mtime": 1700000000.5}, **kwargs)

  def _Volume(self, name, nodes):
    return self._Object(name, dev_type="plain", logical_id=["xenvg", name],
                        children=[], nodes=nodes, size=4, params={},
                        mode="rw", iv_name="")

  def _Disk(self, name, kind, index, nodes):
    disk = self._Object(
      "%s disk %d" % (name, index), dev_type=kind, iv_name="disk/%d" % index,
      size=4, mode="rw", params={}, children=[], nodes=[])
    file_name = "/%s/%d" % (name, index)
    disk["logical_id"] = {
      "file": ["loop", _FILES + file_name],
      "sharedfile": ["loop", _SHARED_FILES + file_name],
      "gluster": ["loop", "ganeti" + file_name],
      "plain": ["xenvg", disk["uuid"]],
      "rbd": ["rbd", disk["uuid"]],
      "ext": ["provider", disk["uuid"]],
      "blockdev": ["manual", "/dev/disk/by-id/" + disk["uuid"]],
      "drbd": None,
      }[kind]
    if kind in ("plain", "file"):
      disk["nodes"] = nodes[:1]
    elif kind == "drbd":
      self._drbd += 1
      disk.update(
        nodes=nodes,
        children=[self._Volume("%s %d %s" % (name, index, part), nodes)
                  for part in ("data", "meta")],
        logical_id=nodes + [12000 + self._drbd, self._drbd, self._drbd,
                            "%040d" % self._drbd])
    return disk

  def Add(self, name, kinds, nodes, **kwargs):
    """Adds an instance.

    @param kinds: types of its disks
    @param nodes: its primary node, and where its mirrors are

    """
    uuids = [self._nodes[node]["uuid"] for node in nodes]
    name += ".example.com"
    disks = [self._Disk(name, kind, index, uuids)
             for (index, kind) in enumerate(kinds)]
    instance = self._Object(
      name, name=name, primary_node=uuids[0], os="noop", hypervisor="fake",
      hvparams={}, beparams={}, osparams={}, osparams_private={},
      admin_state="up", admin_state_source="admin", nics=[],
      disks=[disk["uuid"] for disk in disks], disks_active=True, tags=[])
    instance.update(kwargs)
    if instance.get("forthcoming"):
      for disk in disks:
        disk["forthcoming"] = True
    self.config["instances"][instance["uuid"]] = instance
    self.config["disks"].update((disk["uuid"], disk) for disk in disks)
    return name


class TestEvacuate(changing.TestCase):
  def setUp(self):
    super().setUp()
    for node in self.nodes:
      node.Run("mkdir", "-p", _RUNNING)
    self._before = changing.Config(self.master)
    self.addCleanup(self._Restore)

  def _Restore(self):
    self._Replace(self._before)
    for node in self.nodes:
      node.Run("find", _RUNNING, "-type", "f", "!", "-name", changing.INSTANCE,
               "-delete")
      node.Run("rm", "-rf", _SHARED_FILES)
    self.CheckFollow()

  def _Replace(self, config):
    """Writes a configuration by hand, while no daemon of the master's has one.

    """
    for name in ("ganeti-luxid", "ganeti-wconfd"):
      ours.Util(self.master, "stop", name)
    config = dict(config,
                  serial_no=changing.Config(self.master)["serial_no"] + 1)
    for node in self.nodes:
      node.Write(_CONFIG, json.dumps(config).encode("ascii"))
    for name in ("ganeti-wconfd", "ganeti-luxid"):
      ours.Util(self.master, "start", name)
    testutils.WaitFor(
      lambda: ((changing.Ask(self.master, PING) or {}).get("serial") ==
               config["serial_no"]), "the new configuration is served")

  def _Evacuate(self, node, *args, **kwargs):
    return self.master.Run("confd-client", "evacuate", node.name, *args,
                           **kwargs).stdout

  def _Steps(self, node):
    text = self._Evacuate(node, "--json", check=False)
    return json.loads(text)["answer"]["steps"]

  def _DryRun(self, commands):
    """Asks Ganeti what it has against commands.

    @param commands: as lines for a shell, without quotes

    """
    result = self.master.Run(
      "/usr/bin/python3", "-c", _DRY_RUN,
      env={"PYTHONPATH": debian.PYTHON_DIR},
      stdin=json.dumps([line.split() for line in commands]))
    return json.loads(result.stdout)

  def _Candidates(self, name):
    """Lists the commands that might move an instance.

    """
    # With DRBD they go to the secondary node only; else, without a node, Ganeti
    # asks an allocator, which is as good
    option = "" if "drbd" in name else "-n %s " % self.master.name
    return ["gnt-instance migrate -f %s%s" % (option, name),
            "gnt-instance failover -f %s%s" % (option, name),
            "gnt-instance move -f -n %s %s" % (self.master.name, name),
            "gnt-instance replace-disks -n %s %s" % (self.master.name, name)]

  def testPrerequisites(self):
    """Each proposed command is accepted; where there is none, all are refused.

    Of instances on one node, by the types of their disks; the third node is
    offline.

    """
    builder = _Builder(self._before)
    builder.Node("node3").update(offline=True, master_candidate=False)
    (here, away, gone) = (["node2", "node1"], ["node1", "node2"],
                          ["node3", "node2"])
    down = {"admin_state": "down", "disks_active": False}
    running = []
    for kinds in [("blockdev", ), ("ext", "rbd"), ("gluster", ), ("drbd", ),
                  ("file", "plain")]:
      running.append(builder.Add("can-" + "-".join(kinds), kinds, here))
    builder.Add("down", ("rbd", ), here, **down)
    builder.Add("forthcoming", ("drbd", ), here, forthcoming=True, **down)
    # The mirror would be copied from the third node
    builder.Add("no-source", ("drbd", ), gone)
    no_command = [
      builder.Add("no-" + "-".join(kinds), kinds, here, **down)
      for kinds in [("rbd", "plain"), ("drbd", "plain"), ("drbd", "ext"),
                    ("file", "sharedfile")]]
    no_command.append(builder.Add("no-forthcoming", ("plain", ), here,
                                  forthcoming=True, **down))
    # There is no other node for a mirror
    no_target = [builder.Add("no-target", ("drbd", ), away),
                 builder.Add("mirror-gone", ("drbd", ), ["node2", "node3"])]
    self._Replace(builder.config)
    for name in running:
      self.node2.Write(_RUNNING + name, _STATE)

    steps = self._Steps(self.node2)
    self.assertEqual(len(steps), 15)
    accepted = {step["instance"]: step["command"] for step in steps
                if step["command"] is not None}
    self.assertEqual({step["instance"] for step in steps} - set(accepted),
                     {"no-source.example.com", *no_command, *no_target})
    self.assertEqual({step["action"] for step in steps},
                     {"migrate", "failover", "move", "replace-disks", None})
    of_third = {step["instance"]: step["command"]
                for step in self._Steps(self.node3)}
    self.assertEqual(set(of_third), {"no-source.example.com",
                                     "mirror-gone.example.com"})
    accepted.update(of_third)
    refused = [line for name in no_command for line in self._Candidates(name)]
    refused.append("gnt-instance replace-disks -n node1.example.com"
                   " no-source.example.com")
    # Commands that an earlier version proposed, and that Ganeti refuses
    refused.append("gnt-instance replace-disks -n node1.example.com"
                   " can-blockdev.example.com")
    answers = self._DryRun(list(accepted.values()) + refused)
    self.assertEqual(
      {line: answer for (line, answer) in zip(accepted.values(), answers)
       if answer is not None}, {})
    self.assertEqual([line for (line, answer) in
                      zip(refused, answers[len(accepted):]) if answer is None],
                     [])

  def testMove(self):
    """The printed commands empty a node.

    """
    builder = _Builder(self._before)
    names = [builder.Add("none", (), ["node2"]),
             builder.Add("file", ("file", ), ["node2"]),
             builder.Add("shared", ("sharedfile", ), ["node2"]),
             builder.Add("planned", (), ["node2"], forthcoming=True,
                         admin_state="down", disks_active=False)]
    self._Replace(builder.config)
    for name in names[:3]:
      self.node2.Write(_RUNNING + name, _STATE)
    allowed = self.node2.Read(_ALLOWED)
    for node in self.nodes:
      self.addCleanup(node.Write, _ALLOWED, allowed)
      node.Write(_ALLOWED, allowed + _SHARED_FILES.encode("ascii") + b"\n")
      for (directory, name) in [(_FILES, names[1]), (_SHARED_FILES, names[2])]:
        if directory == _FILES and node is not self.node2:
          continue
        node.Run("mkdir", "-p", os.path.join(directory, name))
        node.Write(os.path.join(directory, name, "0"), bytes(4 << 20))
    lines = self._Evacuate(self.node2, "--no-headers", "--separator=|",
                           check=False).splitlines()
    self.assertEqual(len(lines), 4)
    commands = [line.split("|")[4] for line in lines]
    left = set()
    for command in commands:
      try:
        self.master.Run("sh", "-e", stdin=command + "\n")
      except cluster.ClusterError as err:
        if _SOCAT_FAULT not in str(err):
          raise
        left.add(names[1])
    testutils.WaitFor(lambda: left == {step["instance"] for step in
                                       self._Steps(self.node2)},
                      "the node is empty")
    # And they run elsewhere
    running = [name for node in (self.node1, self.node3)
               for name in node.Run("ls", _RUNNING).stdout.split()]
    self.assertEqual(set(names[:3]) - set(running), left)


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "describe", and proposals for unknown names.

"""

import json
import unittest

import clientcommand
import testutils

from ganeti.confd import client
from ganeti.confd.views import objects


_NETWORK = testutils.Uuid("9", 1)

#: Values that no answer may have
_SECRETS = ["drbdsecret1", "osprivate1"]


def _Config():
  drbd = testutils.MakeDrbd(1, 1, 2)
  drbd["logical_id"][5] = _SECRETS[0]
  nic = {"mac": "aa:00:00:00:00:01", "ip": "198.18.0.7", "network": _NETWORK,
         "nicparams": {}, "uuid": testutils.Uuid("8", 1)}
  return testutils.MakeConfig(
    nodes=[testutils.MakeNode(1, master_candidate=True,
                              ndparams={"ssh_port": 2222}),
           testutils.MakeNode(2), testutils.MakeNode(3, offline=True)],
    disks=[drbd, testutils.MakeDisk(2)],
    instances=[
      testutils.MakeInstance(1, 1, disks=[1], tags=["web"],
                             beparams={"vcpus": 4},
                             osparams_private={"password": _SECRETS[1]}),
      dict(testutils.MakeInstance(2, 3, disks=[2], tags=["web"]), nics=[nic]),
      *(testutils.MakeInstance(i, 2, tags=["many"]) for i in range(3, 16))],
    networks={_NETWORK: {
      "name": "lan", "uuid": _NETWORK, "network": "198.18.0.0/24",
      "serial_no": 1, "tags": [], "reservations": "0" * 256,
      "ext_reservations": "1" + "0" * 255}})


class _TestCase(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    cls.daemon = testutils.Daemon(_Config())
    cls.addClassCleanup(cls.daemon.Stop)
    cls.daemon.Start()

  def _Run(self, *args):
    return clientcommand.Outcome(*args, daemon=self.daemon)


class TestDescribe(_TestCase):
  def testText(self):
    for (words, lines) in [
        (["instance", "inst1"],
         ["instance inst1.example.com",
          "  Primary node              node1.example.com",
          "Network interfaces", "  none",
          "  web inst2.example.com", "  vcpus     4     instance"]),
        (["instances", "inst2.example.com"],
         ["Findings", "  CRITICAL: inst2.example.com: is configured to be up,"
          " but its primary node node3.example.com is offline",
          "    What to do: gnt-network modify --add-reserved-ips=ADDRESS"
          " NETWORK", "Disks"]),
        (["node", "node1"],
         ["node node1.example.com", "  Role                          master",
          "Primary instances (1)", "Secondary instances (0)", "  none",
          "  1 instance can fail over, by configuration only: no free memory of"
          " a node is known here."]),
        (["node", "node3"],
         ["Nowhere to go", "  1 instance would have nowhere to go."]),
        (["group", "default"],
         ["group default", "Nodes (3)", "Networks", "  none"]),
        (["network", _NETWORK],
         ["network lan", "  Subnet                    198.18.0.0/24",
          "Interfaces of instances (1)"])]:
      with self.subTest(words):
        (code, text, problems) = self._Run("describe", *words)
        self.assertEqual((code, problems), (0, ""))
        # In this order
        found = iter(text.splitlines())
        for line in lines:
          self.assertIn(line, found)

  def testManyNames(self):
    """A cell has the first names of many, and JSON has all.

    """
    (_, text, _) = self._Run("describe", "instance", "inst3")
    self.assertIn("inst13.example.com, ... (12)\n", text)
    (_, text, _) = self._Run("describe", "instance", "inst3", "--json")
    (row, ) = json.loads(text)["answer"]["sections"]["same_tags"]
    self.assertEqual((row["tag"], len(row["instances"])), ("many", 12))

  def testProperties(self):
    """The properties are the values of the object's fields.

    """
    with client.Client([self.daemon.address], port=self.daemon.port,
                       key=testutils.KEY) as asker:
      for kind in objects.KINDS:
        name = asker.List(kind, ["name"]).answer[0][0]
        (code, text, _) = self._Run("describe", kind, name, "--json")
        self.assertEqual(code, 0)
        answer = json.loads(text)["answer"]
        (row, ) = asker.List(kind, list(answer["properties"]), names=[name],
                             named=True).answer
        self.assertEqual((answer["kind"], answer["name"]), (kind, name))
        self.assertEqual(answer["properties"], row)

  def testAdvice(self):
    """The findings are those of "check" about the object, with its name.

    """
    (_, text, _) = self._Run("check", "--json")
    expected = [i for i in json.loads(text)["answer"]["findings"]
                if i["subject"].partition(",")[0] == "inst2.example.com"]
    self.assertTrue(expected)
    (_, text, _) = self._Run("describe", "instance", "inst2", "--json")
    found = json.loads(text)["answer"]["sections"]["findings"]
    self.assertEqual([(i["subject"], i["text"]) for i in found],
                     [(i["subject"], i["text"]) for i in expected])
    self.assertIn("gnt-instance stop --ignore-offline inst2.example.com",
                  "\n".join(i["advice"] for i in found))

  def testSecrets(self):
    for words in [["node", "node1"], ["instance", "inst1"],
                  ["group", "default"], ["network", "lan"]]:
      for form in ([], ["--json"]):
        (code, text, problems) = self._Run("describe", *words, *form)
        self.assertEqual(code, 0)
        for secret in _SECRETS:
          self.assertNotIn(secret, text + problems)


class TestUnknown(_TestCase):
  def testProposals(self):
    """An unknown name is repeated in the error, with a similar one.

    """
    for (words, text) in [
        (["describe", "instance", "ints12"],
         "no instance has the name or UUID 'ints12'; did you mean"
         " 'inst12.example.com'?"),
        (["describe", "network", "LANN"], "; did you mean 'lan'?"),
        (["describe", "group", "x"], "'x'; \"confd-client list groups\" lists"),
        (["list", "nodes", "node1", "nod3"], "did you mean 'node3.exam"),
        (["list", "disks", testutils.Uuid("d", 3)],
         "did you mean '%s'?" % testutils.Uuid("d", 2)),
        (["evacuate", "node3.exmaple.com"], "did you mean 'node3.exam")]:
      with self.subTest(words):
        (code, output, problems) = self._Run(*words)
        self.assertEqual((code, output), (1, ""))
        self.assertIn(text, problems)

  def testUsage(self):
    for (words, text) in [
        (["describe", "disk", "x"],
         "not one of instance, node, group, network: 'disk'"),
        (["describe", "node"], "required: NAME"),
        (["describe", "nodee", "x"], "did you mean 'node'?")]:
      (code, output, problems) = self._Run(*words)
      self.assertEqual((code, output), (2, ""))
      self.assertIn(text, problems)


if __name__ == "__main__":
  unittest.main()

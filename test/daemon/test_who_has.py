#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-client's command "who-has" for words that are neither address nor name.

Addresses and names are in test_cli.py.

"""

import json
import os
import tempfile
import unittest

import clientcommand
import testutils


def _Config():
  instance = testutils.MakeInstance(1, 1, disks=[1, 2], nics=["192.0.2.51"],
                                    tags=["service:web", "both"])
  instance["nics"][0]["uuid"] = testutils.Uuid("8", 1)
  return testutils.MakeConfig(
    nodes=[testutils.MakeNode(1, master_candidate=True, tags=["both"]),
           testutils.MakeNode(2)],
    disks=[testutils.MakeDisk(1), testutils.MakeDisk(2, name="data"),
           testutils.MakeDisk(3)],
    instances=[instance, testutils.MakeInstance(2, 2, name="disk3")])


class TestWhoHas(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    cls.daemon = testutils.Daemon(_Config())
    cls.addClassCleanup(cls.daemon.Stop)
    cls.daemon.Start()

  def _Run(self, *args):
    return clientcommand.Outcome(*args, daemon=self.daemon)

  def _Rows(self, word):
    """Returns kind, name, NIC and disk of each row.

    """
    (code, text, problems) = self._Run("who-has", word, "--no-headers",
                                       "--separator=|")
    self.assertEqual((code, problems), (0, ""), word)
    rows = [line.split("|") for line in text.splitlines()]
    return [(row[0], row[1], row[3], row[9]) for row in rows]

  def testWords(self):
    name = "inst1.example.com"
    for (word, expected) in [
        ("xenvg/disk1", [("instance", name, "-", "0")]),
        ("disk1", [("instance", name, "-", "0")]),
        ("data", [("instance", name, "-", "1")]),
        (testutils.Uuid("d", 2).upper(), [("instance", name, "-", "1")]),
        (testutils.Uuid("8", 1), [("instance", name, "0", "-")]),
        ("service:web", [("instance", name, "-", "-")]),
        ("tag:both", [("instance", name, "-", "-"),
                      ("node", "node1.example.com", "-", "-")]),
        (testutils.Uuid("c", 1), [("group", "default", "-", "-")]),
        # A disk that is not attached
        ("xenvg/disk3", [("disk", testutils.Uuid("d", 3), "-", "-")]),
        # The name of an instance comes before a volume without its group
        ("disk3", [("instance", "disk3", "-", "-")])]:
      with self.subTest(word):
        self.assertEqual(self._Rows(word), expected)

  def testJson(self):
    (_, text, _) = self._Run("who-has", "xenvg/disk1", "--json")
    (match, ) = json.loads(text)["answer"]
    self.assertEqual(
      (match["what"], match["name"], match["node"]["name"], match["disk"]),
      ("instance", "inst1.example.com", "node1.example.com",
       {"number": 0, "name": None, "uuid": testutils.Uuid("d", 1),
        "volumes": ["xenvg/disk1"]}))

  def testUnknown(self):
    for (word, text) in [
        ("ints1", "'ints1'; did you mean 'inst1.example.com'?\n"),
        ("xenvg/nothing", "no object has the name, UUID, volume or tag"),
        ("tag:inst1", "no object has the tag 'inst1'\n")]:
      (code, output, problems) = self._Run("who-has", word)
      self.assertEqual((code, output), (1, ""))
      self.assertIn(text, problems)

  def testRights(self):
    """Only the tables that the key permits are searched, and the error says so.

    """
    with tempfile.TemporaryDirectory() as directory:
      path = os.path.join(directory, "reader.key")
      clientcommand.Run("make-key", "me", path, "--may=who-has",
                        "--until=never", "--hmac-file", self.daemon.key_file,
                        check=True)
      asked = ["-a", self.daemon.address, "-p", str(self.daemon.port),
               "--hmac-file", path]
      result = clientcommand.Run("who-has", "service:web", *asked)
      self.assertEqual(result.returncode, 0, result.stderr)
      self.assertIn("inst1.example.com", result.stdout)
      result = clientcommand.Run("who-has", "disk1", *asked)
      self.assertEqual(result.returncode, 1)
      self.assertIn("the key does not permit list/groups, list/networks,"
                    " list/disks", result.stderr)


if __name__ == "__main__":
  unittest.main()

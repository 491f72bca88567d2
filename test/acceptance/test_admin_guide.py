#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Each command line in doc/admin.rst runs as it stands there, one by one.

From a cluster with the packaged daemon to one with it again.

"""

import os
import re
import unittest

import packages
import testutils
import test_apt

from cluster import changing

_GUIDE = os.path.join(testutils.SRCDIR, "doc", "admin.rst")
_SOURCES = "/root/ganeti-confd"

_COMMAND_RE = re.compile(r" +(master|node2)# (.*)")


def _Commands():
  """Reads the guide.

  @rtype: list of (string, list)
  @return: blocks of commands: where they run, and of each (command, lines of
    output)

  """
  blocks = []
  in_block = False
  for line in testutils.ReadFile(_GUIDE).decode("utf-8").splitlines():
    match = _COMMAND_RE.match(line)
    if match:
      (where, command) = match.groups()
      if not in_block or blocks[-1][0] != where:
        blocks.append((where, []))
      blocks[-1][1].append((command, []))
      in_block = True
    elif in_block and line.startswith("  "):
      blocks[-1][1][-1][1].append(line.strip())
    else:
      in_block = False
  return blocks


class TestGuide(changing.PackagedTestCase):
  def setUp(self):
    changing.PackagedTestCase.setUp(self)
    debs = packages.Build()
    test_apt.Put(self.master, [debs["ganeti-confd-python"],
                               debs["ganeti-confd-client"]])
    self.master.Run("cp", "-R", testutils.SRCDIR, _SOURCES)
    # On a real node the user comes with the program that runs plugins
    self.node2.Run("useradd", "--system", "nagios")

  def _Run(self, node, block):
    """Runs commands as one types them, in one shell.

    """
    directory = "/root"
    for (command, output) in block:
      if command.startswith("cd "):
        directory = command[3:]
        continue
      result = node.Run("bash", "-c", "cd %s && %s" % (directory, command),
                        check=False, timeout=1800)
      what = "%s: %s" % (command, result)
      if command == "gnt-cluster verify":
        # In namespaces it has other complaints
        self.assertNotIn("ganeti-confd", result.stdout, what)
        continue
      self.assertEqual(result.returncode, 0, what)
      if command.startswith("gnt-cluster command"):
        self.assertEqual(result.stdout.count("return code = 0"),
                         len(self.nodes), what)
      for line in output:
        self.assertIn(line, result.stdout.splitlines(), what)

  def testCommands(self):
    blocks = _Commands()
    self.assertGreater(len(blocks), 20)
    defaults = self.node2.Read("/etc/default/ganeti")
    self.addCleanup(self.node2.Write, "/etc/default/ganeti", defaults)
    before = self._Executables()
    with_verify = [block for (_, block) in blocks
                   if "gnt-cluster verify" in [item[0] for item in block]]
    for (where, block) in blocks:
      node = self.master if where == "master" else self.node2
      self._Run(node, block)
      if ("make", []) in block:
        self.assertEqual(self._Executables(), before)
      if block in with_verify:
        # Ours in the middle of the guide, the packaged one at its end
        expected = 0 if block is with_verify[-1] else 1
        for i in self.nodes:
          reply = testutils.WaitFor(lambda: changing.Ask(i, 0),
                                    "%s answers" % i.name)
          self.assertEqual(int(reply["serial"] != 0), expected)
    self.assertEqual(self._Executables(), before)

  def _Executables(self):
    return [node.Run("sha1sum", "/usr/sbin/ganeti-confd").stdout
            for node in self.nodes]


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Three nodes from Debian's daemon to ours and back, with apt alone.

A client asks ten times a second meanwhile; what it and each node have missed is
printed.

"""

import json
import os
import tempfile
import time
import unittest

import packages
import testutils

from cluster import changing

#: On nodes
_DIRECTORY = "/root"

#: Asks all candidates as any program would, and each of them alone. A line for
#: each answer, and for each that did not come: time, whom ("all" or an address)
#: and error.
_ASKING = """
import sys, threading, time
from ganeti import errors
from ganeti.confd import client

def Ask(whom, ask):
  while True:
    started = time.monotonic()
    try:
      ask()
      error = ""
    except errors.GenericError as err:
      error = str(err)
    print("%.3f\\t%s\\t%s" % (time.monotonic(), whom, error), flush=True)
    time.sleep(max(0, started + 0.1 - time.monotonic()))

def Alone(address):
  # A new one each time: after its first answer it knows the others
  with client.Client([address], timeout=0.2) as confd:
    confd.Ping()

for address in sys.argv[1:]:
  threading.Thread(target=Ask, args=(address, lambda address=address:
                                     Alone(address)), daemon=True).start()
with client.Client(timeout=60) as confd:
  Ask("all", confd.MasterNode)
"""


def Put(node, paths, directory=_DIRECTORY):
  """Copies packages to a node.

  @rtype: list of strings
  @return: their paths there

  """
  result = []
  for path in paths:
    result.append(os.path.join(directory, os.path.basename(path)))
    with open(path, "rb") as fd:
      node.Write(result[-1], fd.read())
  return result


class _Listener:
  """Reads what the asking program prints.

  """
  def __init__(self, node, addresses):
    self._node = node
    # A pipe that nobody reads would be full before the end
    self._printed = tempfile.TemporaryFile("w+")
    self._process = node.Popen(
      "/usr/bin/python3", "-c", _ASKING, *addresses, timeout=1200,
      env={"PYTHONPATH": testutils.MODULEDIR},
      stdout=self._printed)

  def Stop(self):
    """Returns for whom the longest time without an answer, and the errors.

    @rtype: dict
    @return: "all" or an address to (number of answers, seconds, errors)

    """
    ended = time.monotonic()
    self._node.Terminate(self._process)
    result = {}
    last = {}
    self._printed.seek(0)
    for line in self._printed.read().splitlines():
      (now, whom, error) = line.split("\t")
      (count, longest, errors) = result.get(whom, (0, 0.0, []))
      if error:
        result[whom] = (count, longest, errors + [error])
      else:
        gap = float(now) - last.get(whom, float(now))
        last[whom] = float(now)
        result[whom] = (count + 1, max(longest, gap), errors)
    self._printed.close()
    # The clock is that of the whole machine
    return {whom: (count, max(longest, ended - last[whom]), errors)
            for (whom, (count, longest, errors)) in result.items()}


class TestApt(changing.PackagedTestCase):
  def setUp(self):
    changing.PackagedTestCase.setUp(self)
    debs = packages.Build()
    for node in self.nodes:
      self.paths = Put(node, [debs["ganeti-confd-python"],
                              debs["ganeti-confd-client"]])

  def _Apt(self, node, *args):
    started = time.monotonic()
    node.Run("apt-get", *args, timeout=900,
             env={"DEBIAN_FRONTEND": "noninteractive"})
    took = time.monotonic() - started
    print("%s# apt-get %s    (%.1f s)" % (node.name.partition(".")[0],
                                         " ".join(args), took))
    return took

  def _Verify(self):
    result = self.master.Run("gnt-cluster", "verify",
                             *changing.VERIFY_IGNORES, check=False,
                             timeout=600)
    self.assertNotIn("ganeti-confd", result.stdout)
    self.assertEqual(result.returncode, 0, result)
    print("node1# gnt-cluster verify    (clean)")

  def test(self):
    listener = _Listener(self.node3, [node.address for node in self.nodes])
    try:
      took = {}
      for node in self.nodes:
        took[node] = self._Apt(node, "install", "-y", *self.paths)
        self.CheckOurs([node])
      self._Verify()
      self.CheckFollow()
      status = json.loads(self.master.Run("confd-client", "--json",
                                          "status").stdout)
      self.assertNotIn("error", status)
      for node in reversed(self.nodes):
        took[node] = max(took[node], self._Apt(
          node, "purge", "-y", "ganeti-confd-python", "ganeti-confd-client"))
        self.CheckPackaged([node])
      self._Verify()
    finally:
      result = listener.Stop()
    for (whom, (count, longest, errors)) in sorted(result.items()):
      print("%s: %d answers, the longest time without one %.2f s; %d missed" %
            (whom, count, longest, len(errors)))
    # A client that asks all candidates hardly notices, even on a machine as
    # busy as this one
    self.assertEqual(result["all"][2], [])
    self.assertLess(result["all"][1], 3 * max(
      longest for (whom, (_, longest, _)) in result.items() if whom != "all"))
    # None is left without a daemon, to the end
    for node in self.nodes:
      self.assertLess(result[node.address][1], took[node])

  def testAnsible(self):
    directory = "/root/packages"
    self.master.Run("mkdir", directory)
    Put(self.master, packages.Build().values(), directory)
    self.master.Write("/root/inventory", ("[ganeti]\n" + "".join(
      "%s\n" % node.name for node in self.nodes)).encode("ascii"))
    playbook = testutils.ReadFile(os.path.join(
      testutils.SRCDIR, "doc/examples/ganeti-confd-playbook.yml"))
    self.master.Write("/root/playbook.yml", playbook)
    for changed in [True, False]:
      result = self.master.Run(
        "ansible-playbook", "-i", "/root/inventory", "-e",
        "packages=" + directory, "/root/playbook.yml", check=False,
        timeout=1200,
        # No connection that outlives it
        env={"ANSIBLE_SSH_ARGS": "-o ControlMaster=no"})
      self.assertEqual(result.returncode, 0, result)
      for node in self.nodes:
        self.assertRegex(result.stdout, r"\n%s +: ok=[0-9]+ +changed=%s " %
                         (node.name, "[1-9]" if changed else "0"))
      self.CheckOurs()


if __name__ == "__main__":
  unittest.main()

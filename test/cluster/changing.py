#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Clusters for all tests of a process that change something on them.

Each test finds its cluster as L{_Build} or L{_BuildPackaged} left it, and
leaves it so: three master candidates, the first of them the master, and one
instance on it. confd runs on all nodes, started by Ganeti: this project's for a
L{TestCase}, Debian's for a L{PackagedTestCase}. Building a cluster and putting
ours on a node take seconds of processor time: tests that begin with Debian's
daemon have a cluster and a process of their own.

"""

import ctypes
import json
import socket
import threading
import unittest

import testutils
from testutils import PING, MC_IPS

from cluster import cluster
from cluster import debian
from cluster import ours

DATA_DIR = "/var/lib/ganeti"

PORT = 1814


(ROLE_MASTER, ROLE_CANDIDATE, ROLE_OFFLINE, ROLE_DRAINED,
 ROLE_REGULAR) = range(5)

#: The instance
INSTANCE = "inst1.example.com"
INSTANCE_IP = "10.77.1.1"

#: Copies of the package's program and modules, made before ours took their
#: place
PACKAGED_DIR = "/var/tmp/packaged"

#: Options of "gnt-cluster verify" in namespaces: the command misses files in
#: their /proc
VERIFY_IGNORES = ["--ignore-errors=ENODESETUP", "--ignore-errors=ENODENET"]

#: From linux/sched.h
_CLONE_NEWNET = 0x40000000

#: Seconds until a daemon that does not answer counts as silent
_SILENCE = 0.5


def _Build(clu):
  """Builds the cluster.

  """
  clu.Start()
  for node in clu.nodes:
    node.Run("mkdir", PACKAGED_DIR)
    node.Run("cp", "-L", debian.CONFD, PACKAGED_DIR)
    node.Run("cp", "-R", debian.PYTHON_DIR + "/ganeti/confd", PACKAGED_DIR)
    ours.Put(node)
  clu.Init()
  clu.StartDaemons()
  clu.AddInstance(INSTANCE, clu.master, ["ip=" + INSTANCE_IP])


def _BuildPackaged(clu):
  """Builds a cluster with Debian's daemon.

  """
  clu.Start()
  for node in clu.nodes:
    # The machine may forbid packages to start anything; and where there is no
    # init, packages start something only if this allows it
    node.Run("rm", "-f", "/usr/sbin/policy-rc.d")
    node.Write("/usr/sbin/policy-rc.d", b"#!/bin/sh\nexit 0\n")
    node.Run("chmod", "+x", "/usr/sbin/policy-rc.d")
  clu.Init()
  clu.StartDaemons()
  clu.AddInstance(INSTANCE, clu.master, ["ip=" + INSTANCE_IP])


def _InNetwork(node, function):
  """Calls a function in a node's network; sockets made there stay there.

  """
  result = []

  def _Run():
    # A thread may change to a network by itself
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/%d/ns/net" % node.pid, "rb") as namespace:
      if libc.setns(namespace.fileno(), _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
    result.append(function())

  thread = threading.Thread(target=_Run)
  thread.start()
  thread.join()
  return result[0]


def BoundSocket(node, port=PORT):
  """Makes a socket of a node, in place of its daemon, which must not run.

  """
  def _Bind():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((node.address, port))
    return sock
  return _InNetwork(node, _Bind)


def Key(node):
  return node.Read(DATA_DIR + "/hmac.key")


def Config(node):
  """Reads a node's copy of the configuration.

  """
  return json.loads(node.Read(DATA_DIR + "/config.data").decode("utf-8"))


def Ask(node, rtype, query=None, source=None, key=None, port=PORT,
        timeout=_SILENCE):
  """Asks a node's daemon.

  @param source: the node to ask from; by default itself
  @type key: bytes or None
  @param key: by default the node's own
  @rtype: dict or None
  @return: the reply's message; None if there is none

  """
  asker = _InNetwork(source or node, lambda: testutils.Asker(
    Key(node) if key is None else key, node.address, port))
  with asker:
    try:
      return asker.Ask(rtype, query, timeout=timeout)
    except (testutils.NoReply, OSError):
      return None


class _TestCase(unittest.TestCase):
  """A test on a cluster.

  """
  #: The cluster, for all tests of the process
  _ONCE: cluster.Once

  def setUp(self):
    self.cluster = self._ONCE.Get()
    self.nodes = self.cluster.nodes
    (self.node1, self.node2, self.node3) = self.nodes
    self.master = self.node1

  def Gnt(self, command, *args, **kwargs):
    """Runs one of Ganeti's commands on the master.

    """
    return self.master.Run(command, *args, **kwargs)

  def CheckAnswer(self, answer, rtype, query=None, nodes=None):
    """Checks that nodes give an answer, from the newest configuration.

    Soon; and asked from another machine.

    @param answer: what they are to answer
    @param nodes: by default all

    """
    for node in nodes or self.nodes:
      source = self.node2 if node is self.node1 else self.node1

      def _Expected():
        serial = Config(self.master)["serial_no"]
        reply = Ask(node, rtype, query, source=source)
        return reply is not None and (reply["status"], reply["answer"],
                                      reply["serial"]) == (0, answer, serial)

      try:
        testutils.WaitFor(_Expected, "the answer of %s" % node.name)
      except AssertionError as err:
        self.fail("%s; %r of %r is %r, expected %r and serial %s" %
                  (err, rtype, query, Ask(node, rtype, query), answer,
                   Config(self.master)["serial_no"]))

  def CheckFollow(self, nodes=None):
    """Checks that nodes answer from the newest configuration.

    @param nodes: the master candidates; by default all nodes

    """
    candidates = nodes or self.nodes
    self.CheckAnswer([node.address for node in candidates], MC_IPS,
                     nodes=candidates)
    # And with the key that is in the others' files
    self.assertEqual(len(set(Key(node) for node in candidates)), 1)

  def CheckSilent(self, node, **kwargs):
    """Checks that a node's daemon runs, and falls silent.

    """
    testutils.WaitFor(lambda: Ask(node, PING, **kwargs) is None,
                      "%s is silent" % node.name)
    ours.Util(node, "check", ours.NAME)

  def CheckOurs(self, nodes=None):
    """Checks that it is ours that answers.

    """
    for node in nodes or self.nodes:
      reply = testutils.WaitFor(lambda: Ask(node, 65),
                                "%s has statistics" % node.name)
      self.assertIn("version", reply["answer"])

  def CheckPackaged(self, nodes=None):
    """Checks that it is Debian's daemon that answers.

    """
    for node in nodes or self.nodes:
      reply = testutils.WaitFor(lambda node=node: Ask(node, PING),
                                "%s answers" % node.name)
      # The packaged daemon has no serial to tell with a ping
      self.assertEqual(reply["serial"], 0, node.name)


class TestCase(_TestCase):
  """A test on the cluster with this project's daemon.

  """
  _ONCE = cluster.Once(_Build, lambda: [ours.Build(), testutils.SRCDIR])

  def setUp(self):
    _TestCase.setUp(self)
    self.CheckFollow()


class PackagedTestCase(_TestCase):
  """A test on the cluster with Debian's daemon; it may install our packages.

  """
  _ONCE = cluster.Once(_BuildPackaged,
                       lambda: [testutils.BUILDDIR, testutils.SRCDIR])

  def setUp(self):
    _TestCase.setUp(self)
    self.CheckPackaged()
    self.addCleanup(self.CheckPackaged)
    for node in self.nodes:
      self.addCleanup(node.Run, "dpkg", "--purge", "ganeti-confd-python",
                      "ganeti-confd-client", check=False, timeout=300)

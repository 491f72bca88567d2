#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Clusters that all tests of a process share and may change.

Each test finds its cluster as L{_Build} or L{_BuildPackaged} left it, and
restores that state: three master candidates, the first of them the master, and
one instance on it. Ganeti has started confd on all nodes: this project's for a
L{TestCase}, Debian's for a L{PackagedTestCase}. Tests that begin with Debian's
daemon have a cluster and a process of their own, since building a cluster and
installing our daemon on a node take seconds of processor time.

"""

import contextlib
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

#: The name of the cluster's instance
INSTANCE = "inst1.example.com"
INSTANCE_IP = "10.77.1.1"

#: Copies of the packaged program and modules, made before ours replaced them
PACKAGED_DIR = "/var/tmp/packaged"

#: Options of "gnt-cluster verify" for nodes in namespaces, whose /proc lacks
#: files that the command reads
VERIFY_IGNORES = ["--ignore-errors=ENODESETUP", "--ignore-errors=ENODENET"]

#: From linux/sched.h
_CLONE_NEWNET = 0x40000000

#: Seconds until a daemon that does not answer counts as silent
_SILENCE = 0.5


def _Build(clu):
  """Builds a cluster with this project's daemon.

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
    # Allow packages to start services: the machine's policy may forbid that,
    # and without an init, packages need a policy that permits it
    node.Run("rm", "-f", "/usr/sbin/policy-rc.d")
    node.Write("/usr/sbin/policy-rc.d", b"#!/bin/sh\nexit 0\n")
    node.Run("chmod", "+x", "/usr/sbin/policy-rc.d")
  clu.Init()
  clu.StartDaemons()
  clu.AddInstance(INSTANCE, clu.master, ["ip=" + INSTANCE_IP])


def _InNetwork(node, function):
  """Calls a function in a node's network, to which its new sockets belong.

  """
  result = []

  def _Run():
    # A thread can enter a network namespace without the rest of the process
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
  """Binds a socket to the daemon's port on a node; no daemon may run there.

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

  @param source: the node to ask from; by default the asked node itself
  @type key: bytes or None
  @param key: the key to sign with; by default the one on the node
  @rtype: dict or None
  @return: the reply's message; None if no reply came

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

  @contextlib.contextmanager
  def _OrAnother(self):
    """Has the next test get another cluster if the body fails.

    After an operation that failed half-way, every other test would fail, and
    wait for minutes before.

    """
    try:
      yield
    except (AssertionError, cluster.ClusterError):
      self._ONCE.Discard()
      raise

  def Gnt(self, command, *args, node=None, **kwargs):
    """Runs one of Ganeti's commands.

    @param node: where; by default on the master

    """
    with self._OrAnother():
      return (node or self.master).Run(command, *args, **kwargs)

  def CheckAnswer(self, answer, rtype, query=None, nodes=None):
    """Checks that nodes soon give an answer from the newest configuration.

    Each node is asked from another node.

    @param answer: the expected answer
    @param nodes: the nodes to ask; by default all nodes

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
    # All candidates have the same key in their files
    self.assertEqual(len(set(Key(node) for node in candidates)), 1)

  def CheckSilent(self, node, **kwargs):
    """Checks that a node's daemon stops answering, but still runs.

    """
    testutils.WaitFor(lambda: Ask(node, PING, **kwargs) is None,
                      "%s is silent" % node.name)
    ours.Util(node, "check", ours.NAME)

  def CheckOurs(self, nodes=None):
    """Checks that this project's daemon answers.

    """
    for node in nodes or self.nodes:
      reply = testutils.WaitFor(lambda: Ask(node, 65),
                                "%s has statistics" % node.name)
      self.assertIn("version", reply["answer"])

  def CheckPackaged(self, nodes=None):
    """Checks that Debian's daemon answers.

    """
    for node in nodes or self.nodes:
      reply = testutils.WaitFor(lambda node=node: Ask(node, PING),
                                "%s answers" % node.name)
      # The packaged daemon's reply to a ping has 0 as the serial
      self.assertEqual(reply["serial"], 0, node.name)


class TestCase(_TestCase):
  """A test on the cluster with this project's daemon.

  """
  _ONCE = cluster.Once(_Build, lambda: [ours.Build(), testutils.SRCDIR])

  def setUp(self):
    _TestCase.setUp(self)
    with self._OrAnother():
      self.CheckFollow()


class PackagedTestCase(_TestCase):
  """A test on the cluster with Debian's daemon; may install our packages.

  """
  _ONCE = cluster.Once(_BuildPackaged,
                       lambda: [testutils.BUILDDIR, testutils.SRCDIR])

  def setUp(self):
    _TestCase.setUp(self)
    with self._OrAnother():
      self.CheckPackaged()
    self.addCleanup(self.CheckPackaged)
    for node in self.nodes:
      self.addCleanup(node.Run, "dpkg", "--purge", "ganeti-confd-python",
                      "ganeti-confd-client", check=False)

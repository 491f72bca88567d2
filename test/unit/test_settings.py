#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for ganeti.confd.clientlib.settings"""

import errno
import os
import shutil
import tempfile
import unittest
from unittest import mock

import testutils

from ganeti import errors
from ganeti.confd import client
from ganeti.confd import localnode
from ganeti.confd.clientlib import settings


class _Test(unittest.TestCase):
  """Tests with an /etc and a home of their own.

  """
  def setUp(self):
    self.directory = tempfile.mkdtemp()
    self.addCleanup(shutil.rmtree, self.directory)
    self.system = os.path.join(self.directory, "system.conf")
    self.user = os.path.join(self.directory, "user.conf")
    patcher = mock.patch.object(localnode, "PossibleClientSettings",
                                lambda: [self.system, self.user])
    patcher.start()
    self.addCleanup(patcher.stop)

  @staticmethod
  def _Write(path, text):
    testutils.WriteFile(path, text.encode("utf-8"))

  @staticmethod
  def _Environment(**kwargs):
    return mock.patch.dict(os.environ, kwargs)


class TestRead(_Test):
  def testNothing(self):
    self.assertEqual(settings.Read(), settings.Settings(None, {}))
    self.assertEqual(settings.Choose(), settings.Cluster())
    self.assertFalse(localnode.HasClientSettings())

  def testExample(self):
    shutil.copy(os.path.join(testutils.SRCDIR, "doc", "examples",
                             "confd-client.conf"), self.system)
    with self._Environment(HOME="/home/me"):
      found = settings.Read()
    self.assertEqual(found.default, "fsn")
    self.assertEqual(found.clusters, {
      "fsn": settings.Cluster(["node1.fsn.example.com",
                               "node2.fsn.example.com"], None,
                              "/etc/ganeti/fsn.key", None),
      "dus": settings.Cluster(["192.0.2.1:1815", "[2001:db8::1]"], 1814,
                              "/home/me/keys/dus.key", 3.0),
      })

  def testTheUsersFileIsStronger(self):
    self._Write(self.system, "[confd-client]\ncluster = a\n[cluster a]\n"
                "addresses = n1 n2\n  n3\nport = 5\n[cluster b]\n"
                "addresses = m1\n")
    self._Write(self.user, "[confd-client]\ncluster = b\n[cluster a]\n"
                "port = 6\ntimeout = 0.5\n[cluster c]\naddresses = c1\n")
    found = settings.Read()
    self.assertEqual(found.default, "b")
    self.assertEqual(found.clusters, {
      "a": settings.Cluster(["n1", "n2", "n3"], 6, None, 0.5),
      "b": settings.Cluster(["m1"]),
      "c": settings.Cluster(["c1"]),
      })

  def testErrors(self):
    for (text, expected) in [
      ("addresses = n1\n", ["no section headers", "user.conf", "line: 1"]),
      ("[cluster a]\nnonsense\n", ["user.conf", "nonsense"]),
      ("[cluster a]\naddresses = x\n[cluster a]\n", ["user.conf", "already"]),
      ("[a]\naddresses = x\n", ["user.conf: section [a]: no such section"]),
      ("[DEFAULT]\nport = 5\n", ["section [DEFAULT]: no such section"]),
      ("[confd-client]\nport = 5\n",
       ["user.conf: section [confd-client]: no such option: 'port = 5'"]),
      ("[confd-client]\ncluster = b\n",
       ["user.conf: section [confd-client], option cluster: no such cluster:"
        " 'b'"]),
      ("[cluster a]\naddresses = x\nadress = y\n",
       ["user.conf: section [cluster a]: no such option: 'adress = y'"]),
      ("[cluster a]\nport = 5\n",
       ["user.conf: section [cluster a]: the option addresses is missing"]),
      ("[cluster a]\naddresses =\n", ["option addresses: no addresses"]),
      ("[cluster a]\naddresses = n1:x\n", ["option addresses: Not a port: 'x'",
                                           ": 'n1:x'"]),
      ("[cluster a]\nport = 0\n", ["option port: not a port: '0'"]),
      ("[cluster a]\nport = %(x)s\n", ["option port: not a port: '%(x)s'"]),
      ("[cluster a]\ntimeout = nan\n",
       ["option timeout: not a number of seconds: 'nan'"]),
      ("[cluster a]\ntimeout = 1h\n", ["option timeout: not a number of"]),
      ("[cluster a]\nkey_file = x\n", ["option key_file: not a path", "'x'"]),
      ("[cluster all]\n", ["not a name for a cluster: 'all'"]),
      ("[cluster a,b]\n", ["not a name for a cluster: 'a,b'"]),
      ]:
      with self.subTest(text):
        self._Write(self.user, text)
        with self.assertRaises(errors.ConfigurationError) as caught:
          settings.Read()
        for part in expected:
          self.assertIn(part, str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))

  def testWhatCannotBeRead(self):
    testutils.WriteFile(self.user, b"[cluster \xff]\n")
    with self.assertRaisesRegex(errors.ConfigurationError, "user.conf is no"):
      settings.Read()
    os.unlink(self.user)
    os.mkdir(self.user)
    with self.assertRaisesRegex(errors.ConfigurationError,
                                "Cannot read .*user.conf: Is a directory"):
      settings.Read()


class TestChoose(_Test):
  def setUp(self):
    _Test.setUp(self)
    self._Write(self.system, "[confd-client]\ncluster = a\n[cluster a]\n"
                "addresses = n1\nport = 5\nkey_file = /a\n[cluster beta]\n"
                "addresses = m1\n")
    self.first = settings.Cluster(["n1"], 5, "/a")
    self.second = settings.Cluster(["m1"])

  def test(self):
    self.assertEqual(settings.Choose(), self.first)
    self.assertEqual(settings.Choose("beta"), self.second)

  def testEnvironment(self):
    with self._Environment(CONFD_CLUSTER="beta"):
      self.assertEqual(settings.Choose(), self.second)
      self.assertEqual(settings.Choose("a"), self.first)
    with self._Environment(CONFD_ADDRESS="x:7,y", CONFD_KEY_FILE="/k"):
      self.assertTrue(localnode.HasClientSettings())
      self.assertEqual(settings.Choose(),
                       settings.Cluster(["x:7", "y"], 5, "/k"))
      # Whom the caller names is not made somebody else
      self.assertEqual(settings.Choose("a"), self.first)
    with self._Environment(CONFD_CLUSTER="", CONFD_ADDRESS=""):
      self.assertEqual(settings.Choose(), self.first)

  def testErrors(self):
    for (name, variables, text) in [
      ("bta", {}, "No such cluster: 'bta'; did you mean 'beta'?"),
      ("xyz", {}, "No such cluster: 'xyz'; there are a, beta"),
      ("", {"CONFD_CLUSTER": "xyz"}, "CONFD_CLUSTER: no such cluster: 'xyz'"),
      ("", {"CONFD_ADDRESS": "x:y"}, "CONFD_ADDRESS: Not a port: 'y'"),
      ]:
      with self.subTest(name, **variables), self._Environment(**variables):
        with self.assertRaises(errors.ConfigurationError) as caught:
          settings.Choose(name)
        self.assertIn(text, str(caught.exception))
    os.unlink(self.system)
    with self.assertRaisesRegex(errors.ConfigurationError,
                                "none is named in .*system.conf or .*user.con"):
      settings.Choose("a")


class TestDefault(_Test):
  """Without a default in the files.

  """
  def _IsNode(self, value):
    return mock.patch.object(localnode, "IsNode", lambda: value)

  def testSingle(self):
    self._Write(self.user, "[cluster a]\naddresses = n1\n")
    for (is_node, expected) in [(False, settings.Cluster(["n1"])),
                                (True, settings.Cluster())]:
      with self._IsNode(is_node):
        self.assertEqual(settings.Choose(), expected)

  def testSeveral(self):
    self._Write(self.user, "[cluster a]\naddresses = n1\n[cluster b]\n"
                "addresses = n2\n")
    with self._IsNode(True):
      self.assertEqual(settings.Choose(), settings.Cluster())
    with self._IsNode(False):
      with self.assertRaises(errors.ConfigurationError) as caught:
        settings.Choose()
      self.assertEqual(
        str(caught.exception), "No cluster is chosen; there are a, b: name one"
        " by --cluster or CONFD_CLUSTER, or write \"cluster = a\" below"
        " [confd-client] in %s" % self.user)
      # A caller with addresses and a key needs no cluster
      self.assertEqual(settings.Choose(is_complete=True), settings.Cluster())
      with self._Environment(CONFD_ADDRESS="x", CONFD_KEY_FILE="/k"):
        self.assertEqual(settings.Choose(), settings.Cluster(["x"], None, "/k"))
      self.assertEqual(settings.Choose("b"), settings.Cluster(["n2"]))


class TestNodeKey(_Test):
  """A client that was given no key.

  """
  def _Read(self, error, ssconf):
    with mock.patch.object(localnode, "ReadSsconf", ssconf.get), \
        mock.patch("builtins.open", side_effect=error):
      with self.assertRaises(errors.ConfigurationError) as caught:
        localnode.ReadNodeKey()
    return caught.exception

  def testNoNode(self):
    err = self._Read(FileNotFoundError(errno.ENOENT, "No such file"), {})
    self.assertIsInstance(err, localnode.NoKey)
    self.assertRegex(
      str(err), r"\ACannot read the HMAC key .*/hmac\.key: No such file; this"
      r" machine is no node\. .* write to .*/user\.conf:\n  \[cluster NAME\]\n"
      r"  addresses = NODE, NODE\n  key_file = FILE\n.*make-key .*\Z")

  def testNotPermitted(self):
    """The settings have what the node knows.

    """
    err = self._Read(PermissionError(errno.EACCES, "Permission denied"),
                     {"cluster_name": ["c.example.com"],
                      "master_candidates_ips": ["192.0.2.1", "192.0.2.2"]})
    self.assertIsInstance(err, localnode.NoKey)
    self.assertRegex(
      str(err), r"Permission denied; only root .* may read it\. Ask for .*\n"
      r"  \[cluster c\.example\.com\]\n  addresses = 192\.0\.2\.1,"
      r" 192\.0\.2\.2\n  key_file = FILE\n")

  def testOthers(self):
    """A node without a key, and errors of the disk, need no settings.

    """
    node = {"master_candidates_ips": ["192.0.2.1"]}
    for error in (FileNotFoundError(errno.ENOENT, "No such file"),
                  OSError(errno.EIO, "Input/output error")):
      err = self._Read(error, node)
      self.assertNotIsInstance(err, localnode.NoKey)
      self.assertNotIn("\n", str(err))


class TestPlaces(unittest.TestCase):
  def test(self):
    for (variables, expected) in [
      ({"XDG_CONFIG_HOME": "/x"}, "/x/ganeti/confd-client.conf"),
      ({"XDG_CONFIG_HOME": ""}, "/home/me/.config/ganeti/confd-client.conf"),
      ({"XDG_CONFIG_HOME": "relative"},
       "/home/me/.config/ganeti/confd-client.conf"),
      ]:
      with mock.patch.dict(os.environ, variables, HOME="/home/me"):
        (system, user) = localnode.PossibleClientSettings()
      self.assertTrue(system.endswith("/ganeti/confd-client.conf"))
      self.assertEqual(user, expected)


class TestClient(_Test):
  """Arguments take precedence; and without a name nothing is read.

  """
  def setUp(self):
    _Test.setUp(self)
    self.key_file = os.path.join(self.directory, "key")
    testutils.WriteFile(self.key_file, testutils.KEY)
    self._Write(self.user, "[cluster a]\naddresses = 127.0.0.1:9\n"
                "timeout = 0.3\nkey_file = %s\n" % self.key_file)

  def _NoAnswer(self, **kwargs):
    with client.Client(**kwargs) as asker:
      with self.assertRaises(client.NoAnswer) as caught:
        asker.Ping()
    return caught.exception

  def test(self):
    err = self._NoAnswer(cluster="a")
    self.assertEqual(err.asked, ["127.0.0.1:9"])
    # A client's own time-out is 10 seconds
    self.assertLess(err.seconds, 9)
    err = self._NoAnswer(cluster="a", peers=["127.0.0.1:11"], timeout=2)
    self.assertEqual(err.asked, ["127.0.0.1:11"])
    self.assertGreaterEqual(err.seconds, 1)
    self.assertLess(err.seconds, 9)
    with self.assertRaisesRegex(errors.ConfigurationError, "/none"):
      client.Client(cluster="a", key_file="/none")
    with self.assertRaises(errors.ConfigurationError):
      client.AsyncClient(cluster="b")
    client.AsyncClient(cluster="a").Close()

  def testNothingIsRead(self):
    self._Write(self.user, "nonsense")
    client.Client(key=testutils.KEY).Close()
    with self.assertRaises(errors.ConfigurationError):
      client.Client(key=testutils.KEY, cluster="")


if __name__ == "__main__":
  unittest.main()

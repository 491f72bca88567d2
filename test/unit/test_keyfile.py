#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for ganeti.confd.protocol.keyfile, and who reads key files"""

import datetime
import os
import tempfile
import unittest

import testutils

from ganeti import errors
from ganeti.confd import client
from ganeti.confd import localnode
from ganeti.confd.protocol import keyfile
from ganeti.confd.protocol import readerkey
from ganeti.confd.protocol import wire


_LABEL = readerkey.Make("grafana", ["ping", "list/nodes"],
                        datetime.date(2027, 12, 31))


def _Contents():
  return keyfile.Format(testutils.KEY, _LABEL).encode("ascii")


class TestParse(unittest.TestCase):
  def testReaders(self):
    contents = _Contents()
    self.assertEqual(contents.count(b"\n"), 3)
    for text in [contents, contents.rstrip(), b"\n" + contents + b"\n",
                 contents.replace(b"\n", b"\r\n")]:
      key = keyfile.Parse(text, "x")
      self.assertEqual(keyfile.LabelOf(key), _LABEL)
      self.assertEqual(
        wire.PackRequest(key, 5, 0, None, "x"),
        wire.PackRequest(wire.ReaderKey(
          _LABEL, readerkey.Derive(testutils.KEY, _LABEL)), 5, 0, None, "x"))

  def testClusters(self):
    """All bytes of the file count.

    """
    for key in [testutils.KEY, b"0123456789abcdef", b"\xff" * 16,
                b"a key: 0123456789abcdef\n", b"\n label 0123456789abcdef"]:
      with self.subTest(key=key):
        self.assertEqual(keyfile.Parse(key, "x"), key)
        self.assertIsNone(keyfile.LabelOf(key))
    with self.assertRaisesRegex(errors.ConfigurationError,
                                "in /x has 15 bytes, at least 16"):
      keyfile.Parse(b"0123456789abcde", "/x")

  def testDamaged(self):
    """A truncated reader's file is no cluster's key, and no reader's.

    """
    contents = _Contents()
    (first, label, key) = contents.splitlines(keepends=True)
    secret = key[len(b"key: "):].strip()
    for (text, problem) in [
      (label + key, "first line"),
      (first + key, "nothing else"),
      (first + label, "nothing else"),
      (first, "nothing else"),
      (key, "first line"),
      (first + key + label, "nothing else"),
      (first + label + key + key, "nothing else"),
      (first + label + key[:-2], "64 hex digits"),
      (first + label + key.upper().replace(b"KEY", b"key"), "64 hex digits"),
      (contents.replace(b"key 1", b"key 2"), "first line"),
      (contents.replace(b"list/nodes,ping", b"ping,list/nodes"), "order"),
      (contents.replace(b"grafana", b"Grafana"), "name"),
      (contents.replace(b"grafana", b"graf\xe4na"), "no ASCII"),
      (contents.replace(b"20271231", b"20271232"), "no such day"),
      (contents.replace(b"ping", b"pong"), "no such question: 'pong'"),
      (b"\xef\xbb\xbf" + contents, "no ASCII"),
      (b"# mine\n" + contents, "first line"),
      (contents.decode("ascii").encode("utf-16"), "no ASCII"),
      (contents.decode("ascii").encode("utf-16-le"), "first line"),
      (b"> " + contents.replace(b"\n", b"\n> "), "first line"),
      (b"- " + key, "first line"),
      ]:
      with self.subTest(text):
        with self.assertRaises(errors.ConfigurationError) as caught:
          keyfile.Parse(text, "/etc/x.key")
        self.assertIn("The reader's key in /etc/x.key is damaged: ",
                      str(caught.exception))
        self.assertIn(problem, str(caught.exception))
        self.assertNotIn(secret.decode("ascii")[:8].lower(),
                         str(caught.exception).lower())

  def testNotTheClusters(self):
    for text in [_Contents(), _Contents()[5:]]:
      with self.assertRaisesRegex(errors.ConfigurationError,
                                  "in /x is a reader's"):
        keyfile.CheckCluster(text, "/x")

  def testBlanksAreNoTrap(self):
    """A file of blanks is looked at once.

    """
    for char in (b"\n", b" ", b" \n", b"\0"):
      self.assertFalse(keyfile.IsReaders(char * 1000000))


class TestFiles(unittest.TestCase):
  def setUp(self):
    directory = tempfile.TemporaryDirectory()
    self.addCleanup(directory.cleanup)
    self.path = os.path.join(directory.name, "key")
    testutils.WriteFile(self.path, _Contents())

  def testWhoTakesIt(self):
    peers = ["192.0.2.1"]
    for key in [{"key_file": self.path}, {"key": _Contents()},
                {"key": _Contents().decode("ascii")}]:
      for make in (client.Client, client.AsyncClient):
        asker = make(peers, **key)
        self.assertEqual(asker.reader, _LABEL)
        asker.Close()
    contents = client.ReadKey(self.path)
    self.assertEqual(contents, _Contents())
    sent = []
    confd = client.ConfdClient(contents, peers, lambda _: None)
    self.addCleanup(confd._socket.close)
    confd._socket.enqueue_send = lambda *args: sent.append(args[2])
    confd.SendRequest(client.ConfdClientRequest(type=0))
    key = keyfile.Parse(contents, "x")
    self.assertEqual(len(sent), 1)
    self.assertIn(_LABEL.text.encode("ascii"), sent[0])
    # A reply that is signed with the cluster's key is not for this client
    self.assertRaises(wire.Rejected, wire.ParseReply, wire.PackReply(
      testutils.KEY, "x", wire.Prepare(wire.EncodeReply(0, 1, 2))), key)

  def testNoEnd(self):
    for function in [client.ReadKey, localnode.ReadAnyKey, localnode.ReadKey]:
      with self.assertRaisesRegex(errors.ConfigurationError,
                                  "no HMAC key in /dev/zero: it has more than"):
        function("/dev/zero")

  def testWhoDoesNot(self):
    """The daemon; and nobody takes a damaged one.

    """
    with self.assertRaisesRegex(errors.ConfigurationError, "is a reader's"):
      localnode.ReadKey(self.path)
    testutils.WriteFile(self.path, _Contents()[:-10])
    for function in [client.ReadKey, localnode.ReadAnyKey,
                     lambda path: client.Client(key_file=path)]:
      with self.assertRaisesRegex(errors.ConfigurationError,
                                  "%s is damaged" % self.path):
        function(self.path)
    with self.assertRaisesRegex(errors.ConfigurationError, "is damaged"):
      client.ConfdClient(_Contents()[:-10], ["192.0.2.1"], lambda _: None)


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""How a candidate may be written, and what addresses that is.

"""

import socket
import unittest
from unittest import mock

from ganeti import errors
from ganeti.confd.clientlib import peers


class TestParse(unittest.TestCase):
  def testForms(self):
    for (text, expected) in [
      ("192.0.2.1", ("192.0.2.1", 1814)),
      ("192.0.2.1:99", ("192.0.2.1", 99)),
      ("node1.example.com", ("node1.example.com", 1814)),
      ("node1:65535", ("node1", 65535)),
      ("::1", ("::1", 1814)),
      ("2001:db8::1:99", ("2001:db8::1:99", 1814)),
      ("[::1]", ("::1", 1814)),
      ("[2001:db8::1]:99", ("2001:db8::1", 99)),
      ("fe80::1%eth0", ("fe80::1%eth0", 1814)),
      (" node1 ", ("node1", 1814)),
      ]:
      self.assertEqual(peers.Parse(text, 1814), expected, text)

  def testMalformed(self):
    for text in ["", " ", ":", ":99", "node1:", "node1:x", "node1:0",
                 "node1:65536", "node1:-1", "node1:9999999999", "[::1",
                 "[::1]99", "[::1]:", "[]:99", "node1: 99", "node1:\u0663"]:
      with self.assertRaises(errors.ConfdClientError, msg=text):
        peers.Parse(text, 1814)

  def testErrorNamesTheValue(self):
    with self.assertRaisesRegex(errors.ConfdClientError, "'x' in 'node1:x'"):
      peers.Parse("node1:x", 1814)


class TestResolve(unittest.TestCase):
  def testAddresses(self):
    self.assertEqual(peers.Resolve("192.0.2.1:99", 1814).addresses,
                     [(socket.AF_INET, ("192.0.2.1", 99))])
    self.assertEqual(peers.Resolve("2001:db8::1", 1814).addresses,
                     [(socket.AF_INET6, ("2001:db8::1", 1814, 0, 0))])

  def testNameStandsForAllItsAddresses(self):
    found = [(socket.AF_INET6, 2, 17, "", ("2001:db8::1", 1814, 0, 0)),
             (socket.AF_INET, 2, 17, "", ("192.0.2.1", 1814)),
             (socket.AF_INET, 2, 17, "", ("192.0.2.1", 1814))]
    with mock.patch.object(socket, "getaddrinfo", return_value=found):
      candidate = peers.Resolve("node1", 1814)
    self.assertEqual(candidate.name, "node1")
    self.assertEqual(candidate.addresses, [
      (socket.AF_INET6, ("2001:db8::1", 1814, 0, 0)),
      (socket.AF_INET, ("192.0.2.1", 1814))])

  def testLocalhost(self):
    hosts = [host for (_, (host, *_)) in
             peers.Resolve("localhost", 1814).addresses]
    self.assertTrue(set(hosts) <= {"127.0.0.1", "::1"}, hosts)
    self.assertIn("127.0.0.1", hosts)

  def testUnknownName(self):
    candidate = peers.Resolve("no-such-host.invalid", 1814)
    self.assertEqual(candidate.addresses, [])
    self.assertIn("cannot be resolved", candidate.trouble)

  def testNotEvenAName(self):
    for text in ["x" * 300, "a..b", "\udc80"]:
      self.assertEqual(peers.Resolve(text, 1814).addresses, [], text)

  def testEachMachineOnce(self):
    candidates = peers.ResolveAll(["192.0.2.1", "192.0.2.2", "192.0.2.1:1814",
                                   "192.0.2.1:1815"], 1814)
    self.assertEqual([i.name for i in candidates],
                     ["192.0.2.1", "192.0.2.2", "192.0.2.1:1815"])


if __name__ == "__main__":
  unittest.main()

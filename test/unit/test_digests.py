#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests that hashes are right, with OpenSSL and without"""

import hashlib
import hmac
import subprocess
import sys
import unittest

import testutils

from ganeti.confd.protocol import digests
from ganeti.confd.protocol import wire


_KEYS = [b"", b"k", b"k" * 63, b"k" * 64, b"k" * 65, b"k" * 1000]
_TEXTS = [b"", b"text", b"\0" * 100, bytes(range(256)) * 300]

#: Says whether OpenSSL is loaded before and after, and what is signed
_SCRIPT = """
import sys
for name in %r:
  sys.modules[name] = None
sys.path.insert(0, %r)
from ganeti.confd.protocol import wire
first = wire.PackRequest(%r, 1, 0, None, "salt")
print("_hashlib" in sys.modules)
wire.UseOpenSsl()
print("_hashlib" in sys.modules)
print(first == wire.PackRequest(%r, 1, 0, None, "salt"))
"""


def _Run(missing=()):
  """Returns what L{_SCRIPT} prints.

  @param missing: modules that the interpreter is without

  """
  # Without site, which imports what it likes
  return subprocess.run(
    [sys.executable, "-S", "-c", _SCRIPT % (missing, testutils.MODULEDIR,
                                            testutils.KEY, testutils.KEY)],
    check=True, stdout=subprocess.PIPE, encoding="ascii").stdout.split()


class TestHashes(unittest.TestCase):
  def _Check(self):
    for text in _TEXTS:
      self.assertEqual(digests.sha1(text).digest(), hashlib.sha1(text).digest())
      self.assertEqual(digests.sha256(text).digest(),
                       hashlib.sha256(text).digest())
      self.assertEqual(digests.blake2b(text, digest_size=16).digest(),
                       hashlib.blake2b(text, digest_size=16).digest())
      for key in _KEYS:
        for name in ("sha1", "sha256"):
          (inner, outer) = digests.Hmac(key, getattr(digests, name))
          inner.update(text)
          outer.update(inner.digest())
          self.assertEqual(outer.digest(), hmac.digest(key, text, name))

  def testBuiltIn(self):
    self._Check()

  def testOpenSsl(self):
    before = (digests.sha1, digests.sha256)
    try:
      wire.UseOpenSsl()
      self._Check()
      self.assertIs(digests.sha1, hashlib.sha1)
    finally:
      (digests.sha1, digests.sha256) = before

  def testCompare(self):
    self.assertTrue(digests.compare_digest("abc", "abc"))
    self.assertFalse(digests.compare_digest("abc", "abd"))


class TestImports(unittest.TestCase):
  def testNotBefore(self):
    self.assertEqual(_Run(), ["False", "True", "True"])

  def testInterpreterWithout(self):
    for name in ("_sha1", "_sha256", "_sha2"):
      with self.subTest(name):
        self.assertEqual(_Run([name])[1:], ["True", "True"])


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for ganeti.confd.filestate, and of all that reads files"""

import ast
import glob
import os
import resource
import shutil
import tempfile
import threading
import unittest
from unittest import mock

import testutils

from ganeti import errors
from ganeti.confd import filestate
from ganeti.confd import localnode
from ganeti.confd.clientlib import settings
from ganeti.confd.command import replacefile

#: A size that nobody can read, for want of memory or of time
_HUGE = 1 << 40

#: Modules and functions that read something to its end, and why they may
_READ_ALL = {
  ("command/completion.py", "Script"): "a template of this package",
  ("daemon/detach.py", "Detach"): "a pipe that this program writes to",
  ("daemon/options.py", "Read"): "a pipe that a child of it writes to",
  ("daemon/process.py", "ReadOomScore"): "the kernel's number",
  ("daemon/stats.py", "_Descendants"): "the kernel's list of processes",
  ("exporter/forked.py", "_SetLimits"): "the kernel's figures of this process",
  ("testing/configuration.py", "Text"): "the configuration of a test",
  ("testing/loopback.py", "_Read"): "the configuration of a test",
  }


def _ReadFile(path):
  return filestate.ReadFile(path, _HUGE)


class FileStateTest(unittest.TestCase):
  def setUp(self):
    self.directory = tempfile.mkdtemp(prefix="ganeti-confd-test.")
    self.addCleanup(shutil.rmtree, self.directory)
    self.path = os.path.join(self.directory, "file")

  def testReadAndDigest(self):
    for contents in [b"", b"x" * 100, os.urandom(3 << 20), bytes(1 << 20)]:
      testutils.WriteFile(self.path, contents)
      (found, state) = filestate.ReadFile(self.path, len(contents))
      self.assertEqual(found, contents)
      self.assertEqual(state, filestate.FileState(self.path))
      with filestate.Open(self.path) as opened:
        # The second time after an unfinished first one
        next(opened.Chunks(), None)
        for _ in range(2):
          self.assertEqual(b"".join(opened.Chunks()), contents)
          self.assertEqual(opened.Digest(), filestate.Digest(contents))
      for size in [None, len(contents)]:
        self.assertEqual(filestate.DigestFile(self.path, size),
                         filestate.Digest(contents))
      self.assertIsNone(filestate.DigestFile(self.path, len(contents) + 1))

  def testLimit(self):
    testutils.WriteFile(self.path, b"x" * 100)
    with self.assertRaisesRegex(errors.ConfigurationError,
                                "%s has 100 bytes, and may have 99 at most" %
                                self.path):
      filestate.ReadFile(self.path, 99)

  def testChanges(self):
    """A file that becomes longer or shorter while it is read."""
    real = os.fstat

    def _ChangeOnce(fd):
      # As if both changes were within a tick of the clock
      status = real(fd)
      os.truncate(self.path, size)
      os.utime(self.path, ns=(status.st_atime_ns, status.st_mtime_ns))
      patched.side_effect = real
      return status

    for size in [0, 99, 101, 1 << 24]:
      for read in [_ReadFile, filestate.DigestFile]:
        testutils.WriteFile(self.path, b"x" * 100)
        with mock.patch.object(os, "fstat") as patched:
          patched.side_effect = _ChangeOnce
          with self.assertRaisesRegex(errors.ConfigurationError,
                                      "changed while it was read"):
            read(self.path)

  def testEndlessGrowth(self):
    """A file that grows all the time is given up, and not read for ever."""
    testutils.WriteFile(self.path, b"x" * (1 << 20))
    stop = threading.Event()

    def _Grow():
      with open(self.path, "ab") as stream:
        while not stop.is_set() and stream.tell() < 1 << 28:
          stream.write(b"x" * (1 << 20))
          stream.flush()

    size = os.path.getsize(self.path)
    writer = threading.Thread(target=_Grow)
    writer.start()
    try:
      testutils.WaitFor(lambda: os.path.getsize(self.path) > size, "it grows")
      for read in [_ReadFile, filestate.DigestFile]:
        try:
          read(self.path)
        except errors.ConfigurationError as err:
          self.assertIn("changed while it was read", str(err))
    finally:
      stop.set()
      writer.join()


class ReadersTest(unittest.TestCase):
  """Whatever stands in a file's place: an error, and none of it is read."""

  def setUp(self):
    self.directory = tempfile.mkdtemp(prefix="ganeti-confd-test.")
    self.addCleanup(shutil.rmtree, self.directory)
    self.path = os.path.join(self.directory, "file")

  def _Ssconf(self):
    with mock.patch.object(localnode, "_Paths") as paths:
      paths.return_value.DATA_DIR = self.directory
      os.rename(self.path, os.path.join(self.directory, "ssconf_file"))
      return localnode.ReadSsconf("file")

  def _Settings(self):
    with mock.patch.object(localnode, "ClientSettings",
                           return_value=[self.path]):
      return settings.Read()

  def _Odd(self):
    """Yields what may stand in the file's place.

    """
    def _Huge():
      with open(self.path, "wb") as stream:
        stream.truncate(_HUGE)

    yield _Huge
    yield lambda: os.mkfifo(self.path)
    yield lambda: os.symlink("/dev/zero", self.path)
    yield lambda: os.mkdir(self.path)

  def testOddFiles(self):
    limits = resource.getrlimit(resource.RLIMIT_AS)
    self.addCleanup(resource.setrlimit, resource.RLIMIT_AS, limits)
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, limits[1]))
    for (name, read) in [
        ("the daemon's key", lambda: localnode.ReadDaemonKey(self.path)),
        ("ssconf", self._Ssconf),
        ("settings", self._Settings),
        ("a file that is exported",
         lambda: replacefile.Replace(self.path, lambda old: old)),
        ("the files again", lambda: filestate.DigestFile(self.path, 100) or
         self._Fail())]:
      for make in self._Odd():
        with self.subTest(name=name):
          make()
          with self.assertRaises((errors.ConfigurationError,
                                  errors.ConfdClientError)):
            read()
          for path in glob.glob(os.path.join(self.directory, "*")):
            if os.path.isdir(path):
              os.rmdir(path)
            else:
              os.unlink(path)

  def _Fail(self):
    raise errors.ConfigurationError("another size")

  def testSsconf(self):
    testutils.WriteFile(self.path, " a\x0cb \r\n\n c\u2028\n".encode("utf-8"))
    self.assertEqual(self._Ssconf(), ["a\x0cb", "c"])
    with mock.patch.object(localnode, "_Paths") as paths:
      paths.return_value.DATA_DIR = self.directory
      self.assertEqual(localnode.ReadSsconf("other"), [])

  def testAllElse(self):
    """No other module reads anything to an end that somebody else chooses."""
    top = os.path.join(testutils.SRCDIR, "lib", "confd")
    found = set()
    for path in glob.glob(os.path.join(top, "**", "*.py"), recursive=True):
      with open(path, encoding="utf-8") as stream:
        tree = ast.parse(stream.read())
      for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
          for node in ast.walk(function):
            if (isinstance(node, ast.Call) and
                isinstance(node.func, ast.Attribute) and
                (node.func.attr == "read" and not node.args or
                 node.func.attr in ("readline", "readlines", "readall",
                                    "read_text", "read_bytes"))):
              found.add((os.path.relpath(path, top), function.name))
    self.assertEqual(found, set(_READ_ALL))


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Ganeti's own unit tests of the confd client pass with ours.

The tests are part of Debian's package ganeti-testsuite. All of C{ganeti} is
Debian's there, but C{ganeti.confd} is this project's.

"""

import os
import re
import subprocess
import tempfile
import unittest

import testutils

from cluster import debian
from cluster import overlay

_TEST_NAME = "ganeti.confd.client_unittest.py"

#: Where packages of Ganeti 3.0 and of 3.1 have it
_TEST_DIRS = ["/usr/share/ganeti/testsuite/test/py",
              "/usr/share/ganeti/testsuite/test/py/legacy"]
_TEST_DIR = next((i for i in _TEST_DIRS
                  if os.path.exists(os.path.join(i, _TEST_NAME))),
                 _TEST_DIRS[0])
_TEST = os.path.join(_TEST_DIR, _TEST_NAME)

#: How many tests Ganeti 3.0 has there
_AT_LEAST = 12


@unittest.skipUnless(os.path.exists(_TEST), "ganeti-testsuite is missing")
@unittest.skipUnless(os.path.exists(debian.PYTHON_DIR), "ganeti is missing")
class TestGanetisTests(unittest.TestCase):
  def setUp(self):
    tmpdir = tempfile.TemporaryDirectory()
    self.addCleanup(tmpdir.cleanup)
    overlay.Make(tmpdir.name)
    self.env = dict(os.environ,
                    PYTHONPATH=os.pathsep.join([tmpdir.name, _TEST_DIR]))

  def _Run(self, *args):
    return testutils.Run(["/usr/bin/python3"] + list(args), env=self.env,
                         cwd="/", timeout=120, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, universal_newlines=True,
                         check=False)

  def testOursIsTested(self):
    result = self._Run("-c", "from ganeti.confd import client; import os;"
                       "from ganeti import utils;"
                       "print(os.path.realpath(client.__file__))")
    self.assertEqual(result.stdout.strip(),
                     os.path.realpath(os.path.join(testutils.MODULEDIR,
                                                   "ganeti", "confd",
                                                   "client.py")))

  def testTheirTestsPass(self):
    result = self._Run(_TEST, "-v")
    self.assertEqual(result.returncode, 0, result.stdout)
    ran = re.search(r"^Ran (\d+) tests", result.stdout, re.MULTILINE)
    self.assertTrue(ran, result.stdout)
    self.assertGreaterEqual(int(ran.group(1)), _AT_LEAST, result.stdout)
    self.assertNotIn("skipped", result.stdout)


if __name__ == "__main__":
  unittest.main()

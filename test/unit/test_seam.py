#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests for what stands in for Ganeti's own modules

Ganeti's constants, errors and paths are compared with those of an installed
Ganeti, in an interpreter of its own: both packages have the same name.

"""

import glob
import json
import os
import subprocess
import sys
import tempfile
import unittest

import testutils


#: Where packages of Ganeti put its Python modules
_GANETI_DIRS = ["/usr/share/ganeti/[0-9]*", "/usr/share/ganeti/default",
                "/usr/local/share/ganeti/[0-9]*"]

#: The program prints a module's public names with values that JSON can carry,
#: and of exceptions the names of the classes they are
_DUMP = """
import json, sys
from ganeti import %(module)s as module

def _Plain(value):
  if isinstance(value, (set, frozenset)):
    return sorted(_Plain(i) for i in value)
  if isinstance(value, bytes):
    return ["bytes", value.decode("latin-1")]
  if isinstance(value, (list, tuple)):
    return [_Plain(i) for i in value]
  if isinstance(value, dict):
    return dict((str(k), _Plain(v)) for (k, v) in value.items())
  if isinstance(value, type) and issubclass(value, Exception):
    return [i.__name__ for i in value.__mro__]
  if value is None or isinstance(value, (bool, int, float, str)):
    return value
  return repr(type(value))

names = dict((name, _Plain(value)) for (name, value) in vars(module).items()
             if not name.startswith("_") and name != "ganeti")
names = dict((name, value) for (name, value) in names.items()
             if value != "<class 'module'>")
json.dump([module.__file__, names], sys.stdout)
"""


def Run(program, path, **kwargs):
  """Runs a program.

  @param path: where to look for modules
  @param kwargs: environment variables
  @return: C{subprocess.CompletedProcess}

  """
  env = {name: value for (name, value) in os.environ.items()
         if not name.startswith("GANETI_")}
  env.update(kwargs, PYTHONPATH=path)
  # Python looks in the current directory first. Another Python than Debian's
  # would leave compiled modules in the package's directory.
  return testutils.Run([sys.executable, "-B", "-c", program], env=env, cwd="/",
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       text=True, timeout=60, check=False)


def Dump(module, path, **kwargs):
  """Returns the public names of one of Ganeti's modules, or of ours.

  @rtype: dict

  """
  result = Run(_DUMP % {"module": module}, path, **kwargs)
  if result.returncode:
    raise AssertionError(result.stderr)
  (filename, names) = json.loads(result.stdout)
  assert os.path.dirname(os.path.dirname(filename)) == path, filename
  return names


def FindGaneti():
  """Finds an installed Ganeti.

  @return: where its package is, or None

  """
  for pattern in _GANETI_DIRS:
    for path in sorted(glob.glob(pattern), reverse=True):
      if (os.path.exists(os.path.join(path, "ganeti", "_constants.py")) and
          Run("import ganeti.constants, ganeti.pathutils", path).returncode ==
          0):
        return path
  return None


_NO_SEAM = "built --with-ganeti: Ganeti's own modules are in its place"


@unittest.skipUnless(testutils.HasSeam(), _NO_SEAM)
class TestAgainstGaneti(unittest.TestCase):
  """Names and values are those of Ganeti."""

  @classmethod
  def setUpClass(cls):
    cls.path = FindGaneti()
    if cls.path is None:
      raise unittest.SkipTest("Ganeti is not installed (Debian:"
                              " ganeti-3.0 or later)")

  def testConstants(self):
    ours = Dump("constants", testutils.MODULEDIR)
    theirs = Dump("constants", self.path)
    # These constants say how each was configured
    configured = ["CONFD_USER", "CONFD_GROUP"]
    for (name, value) in ours.items():
      with self.subTest(name=name):
        self.assertIn(name, theirs)
        if name == "DAEMONS_LOGBASE":
          self.assertEqual(value["ganeti-confd"],
                           theirs[name]["ganeti-confd"])
        elif name in configured:
          self.assertIs(type(value), type(theirs[name]))
        elif name == "DATA_COLLECTOR_NAMES":
          # Later releases have more
          self.assertLessEqual(set(value), set(theirs[name]))
        else:
          self.assertEqual(value, theirs[name])

  def testErrors(self):
    ours = Dump("errors", testutils.MODULEDIR)
    theirs = Dump("errors", self.path)
    for (name, value) in ours.items():
      with self.subTest(name=name):
        # The class and those it is derived from
        self.assertEqual(value, theirs.get(name))

  def testPathutils(self):
    ours = Dump("pathutils", testutils.MODULEDIR)
    theirs = Dump("pathutils", self.path)
    ours.pop("os", None)
    statedir = ours["DATA_DIR"][:-len("/lib/ganeti")]
    for (name, value) in ours.items():
      with self.subTest(name=name):
        self.assertIn(name, theirs)
        if name != "CONF_DIR":
          # This path is not below /var
          self.assertEqual(value, statedir + theirs[name][len("/var"):])

  def testPathutilsInAnotherRoot(self):
    rootdir = "/srv/node1.example.com"
    theirs = Dump("pathutils", self.path, GANETI_ROOTDIR=rootdir,
                  GANETI_HOSTNAME="node1.example.com")
    ours = Dump("pathutils", testutils.MODULEDIR, GANETI_ROOTDIR=rootdir)
    plain = Dump("pathutils", testutils.MODULEDIR)
    statedir = plain["DATA_DIR"][:-len("/lib/ganeti")]
    for name in ["DATA_DIR", "RUN_DIR", "LOG_DIR", "CLUSTER_CONF_FILE",
                 "CONFD_HMAC_KEY"]:
      with self.subTest(name=name):
        suffix = theirs[name][len(rootdir + "/var"):]
        self.assertEqual(theirs[name], rootdir + "/var" + suffix)
        self.assertEqual(ours[name], rootdir + statedir + suffix)


class TestRun(unittest.TestCase):
  def testLeavesNothing(self):
    with tempfile.TemporaryDirectory() as directory:
      testutils.WriteFile(os.path.join(directory, "some.py"), b"")
      self.assertEqual(Run("import some", directory).returncode, 0)
      self.assertEqual(os.listdir(directory), ["some.py"])


@unittest.skipUnless(testutils.HasSeam(), _NO_SEAM)
class TestPathutils(unittest.TestCase):
  """Paths, and the directory that stands before them."""

  def _Paths(self, **kwargs):
    return Dump("pathutils", testutils.MODULEDIR, **kwargs)

  def testNames(self):
    paths = self._Paths()
    statedir = paths["DATA_DIR"][:-len("/lib/ganeti")]
    self.assertTrue(os.path.isabs(statedir))
    for (name, suffix) in [
      ("DATA_DIR", "/lib/ganeti"), ("RUN_DIR", "/run/ganeti"),
      ("LOG_DIR", "/log/ganeti"),
      ("CLUSTER_CONF_FILE", "/lib/ganeti/config.data"),
      ("CONFD_HMAC_KEY", "/lib/ganeti/hmac.key")]:
      with self.subTest(name=name, suffix=suffix):
        self.assertEqual(paths[name], statedir + suffix)

  def testRootDir(self):
    plain = self._Paths()
    for (rootdir, prefix) in [
      ("", ""), ("/", ""), ("//", None), ("/srv/x", "/srv/x"),
      ("/srv/x/", "/srv/x"), ("/srv/../srv/x//", "/srv/x"),
      ("/a b/\xe9", "/a b/\xe9")]:
      with self.subTest(rootdir=rootdir):
        paths = self._Paths(GANETI_ROOTDIR=rootdir)
        for name in ["DATA_DIR", "CLUSTER_CONF_FILE", "CONFD_HMAC_KEY",
                     "LOG_DIR", "RUN_DIR"]:
          if prefix is None:
            self.assertEqual(os.path.normpath(paths[name]).lstrip("/"),
                             plain[name].lstrip("/"))
          else:
            self.assertEqual(paths[name], prefix + plain[name])

  def testRelativeRootDir(self):
    for rootdir in ["x", "./x", "..", " ", " /srv"]:
      for module in ["pathutils", "confd.node"]:
        with self.subTest(rootdir=rootdir, module=module):
          program = ("try:\n"
                     "  from ganeti import pathutils\n"
                     "except RuntimeError as err:\n"
                     "  print('refused: %s' % err)\n")
          if module == "confd.node":
            program = ("from ganeti import errors\n"
                       "from ganeti.confd import localnode\n"
                       "try:\n"
                       "  print(localnode.ConfigFile())\n"
                       "except errors.ConfigurationError as err:\n"
                       "  print('refused: %s' % err)\n")
          result = Run(program, testutils.MODULEDIR, GANETI_ROOTDIR=rootdir)
          self.assertEqual(result.returncode, 0, result.stderr)
          self.assertTrue(result.stdout.startswith("refused: "), result.stdout)
          self.assertIn("GANETI_ROOTDIR", result.stdout)


if __name__ == "__main__":
  unittest.main()

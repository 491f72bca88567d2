#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of what configure finds, and of what it is told.

"""

import os
import sys
import unittest

import buildutils


class TestConfigure(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    cls.tardir = buildutils.Workdir()
    cls.addClassCleanup(cls.tardir.Remove)
    cls.srcdir = buildutils.Unpack(buildutils.MakeTarball(cls.tardir),
                                   cls.tardir.Path("src"))

  def setUp(self):
    self.workdir = buildutils.Workdir()
    self.addCleanup(self.workdir.Remove)

  def _Configure(self, *args, **env):
    """Runs configure only.

    """
    return buildutils.Try([os.path.join(self.srcdir, "configure")] +
                          list(args), cwd=self.workdir.path, env=env)

  def _Autoconf(self, *args):
    """Builds, and returns the values that the code will see.

    """
    buildutils.Configure(self.srcdir, self.workdir.path, *args)
    values = {}
    with open(self.workdir.Path("modules/ganeti/_autoconf.py"),
              encoding="utf-8") as fd:
      exec(fd.read(), values) # pylint: disable=W0122
    return {name: value for (name, value) in values.items()
            if not name.startswith("__")}

  def _HideModules(self, *names):
    """Makes modules fail to import.

    @return: a value for PYTHONPATH

    """
    for name in names:
      with open(self.workdir.Path(name + ".py"), "w",
                encoding="utf-8") as fd:
        fd.write("raise ImportError\n")
    return self.workdir.path

  def testDefaults(self):
    values = self._Autoconf()
    self.assertEqual(values["LOCALSTATEDIR"], "/usr/local/var")
    self.assertEqual(values["SYSCONFDIR"], "/usr/local/etc")
    self.assertEqual(values["CONFD_USER"], "root")
    self.assertEqual(values["CONFD_GROUP"], "root")

  def testNoDefaultIsLeft(self):
    """Each value that a checkout has by default is replaced.

    """
    values = self._Autoconf("--localstatedir=/srv/var", "--sysconfdir=/srv/etc",
                            "--with-user-prefix=u-", "--with-group-prefix=g-")
    self.assertEqual(values, {
      "LOCALSTATEDIR": "/srv/var", "SYSCONFDIR": "/srv/etc",
      "CONFD_USER": "u-confd", "CONFD_GROUP": "g-confd"})

  def testAsInDebian(self):
    values = self._Autoconf("--prefix=/usr", "--localstatedir=/var",
                            "--sysconfdir=/etc", "--with-user-prefix=gnt-",
                            "--with-group-prefix=gnt-")
    self.assertEqual(values["LOCALSTATEDIR"], "/var")
    self.assertEqual(values["SYSCONFDIR"], "/etc")
    self.assertEqual(values["CONFD_USER"], "gnt-confd")
    self.assertEqual(values["CONFD_GROUP"], "gnt-confd")

  def testWithoutUserPrefix(self):
    values = self._Autoconf("--without-user-prefix", "--with-group-prefix=g-")
    self.assertEqual(values["CONFD_USER"], "root")
    self.assertEqual(values["CONFD_GROUP"], "g-confd")

  def testUserPrefixNeedsValue(self):
    (exit_code, output) = self._Configure("--with-user-prefix")
    self.assertNotEqual(exit_code, 0)
    self.assertIn("--with-user-prefix needs a value", output)

  def testMissingModules(self):
    path = self._HideModules("simplejson", "pyinotify")
    (exit_code, output) = self._Configure(PYTHONPATH=path)
    self.assertNotEqual(exit_code, 0)
    self.assertIn("apt-get install python3-simplejson python3-pyinotify\n",
                  output)

  def testMissingTestModules(self):
    path = self._HideModules("mock", "nose2")
    (exit_code, output) = self._Configure(PYTHONPATH=path)
    self.assertEqual(exit_code, 0)
    self.assertIn("apt-get install python3-nose2", output)

  def testOldPython(self):
    # An interpreter that says it is of another time
    path = self.workdir.Path("oldpython")
    with open(path, "w", encoding="utf-8") as fd:
      fd.write("#!/bin/sh\nexport PYTHONPATH=%s\nexec %s \"$@\"\n" %
               (self.workdir.path, buildutils.PYTHON))
    os.chmod(path, 0o755)
    with open(self.workdir.Path("sitecustomize.py"), "w",
              encoding="utf-8") as fd:
      fd.write("import sys\nsys.hexversion = 0x03080000\n"
               "sys.executable = %r\n" % path)
    (exit_code, output) = self._Configure("PYTHON=%s" % path)
    self.assertNotEqual(exit_code, 0)
    self.assertIn("too old", output)

  def testNoPython(self):
    (exit_code, output) = self._Configure("PYTHON=/nonexistent/python3")
    self.assertNotEqual(exit_code, 0)
    self.assertIn("apt-get install python3", output)

  def testNeedsRst2man(self):
    # A checkout has no ready-made man pages
    srcdir = buildutils.Unpack(
      buildutils.MakeTarball(self.workdir), self.workdir.Path("src"))
    os.remove(os.path.join(srcdir, "doc/ganeti-confd.8"))
    (exit_code, output) = buildutils.Try(
      ["./configure", "ac_cv_path_RST2MAN="], cwd=srcdir)
    self.assertNotEqual(exit_code, 0)
    self.assertIn("apt-get install python3-docutils", output)

  def testOtherInterpreter(self):
    # The name that a link was asked for by is what scripts are to name
    path = self.workdir.Path("python")
    os.symlink(os.path.realpath(sys.executable), path)
    buildutils.Configure(self.srcdir, self.workdir.Path("b"),
                         "PYTHON=" + path)
    with open(self.workdir.Path("b/daemons/ganeti-confd"),
              encoding="utf-8") as fd:
      self.assertEqual(fd.readline(), "#!%s\n" % path)

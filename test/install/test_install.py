#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of C{make install} and C{make uninstall}.

Tests without DESTDIR run in a mount namespace of their own, with an overlay
over /usr and /opt.

"""

import os
import re
import unittest

import buildutils


#: Prints where a module comes from; run from the root directory
_WHERE = ("cd / && /usr/bin/python3 -c 'import ganeti.confd.client as client;"
          " print(client.__file__)'")

#: Fails if anything named like our package can be imported, or its files are
#: still there
_GONE = """
cd /
if /usr/bin/python3 -c 'import ganeti' 2>/dev/null; then exit 1; fi
if find /run/upper -type f | grep -E 'ganeti|confd'; then exit 1; fi
for dir in $(find /run/upper/ -type d -path '*ganeti*' | cut -c 11-); do
  test ! -d $dir -o -n "$(ls -A $dir)" || { echo $dir is empty; exit 1; }
done
"""


class TestDestdir(unittest.TestCase):
  """Into a packager's directory.

  """
  def setUp(self):
    self.workdir = buildutils.Workdir()
    self.addCleanup(self.workdir.Remove)
    srcdir = buildutils.Unpack(buildutils.MakeTarball(self.workdir),
                               self.workdir.Path("src"))
    self.builddir = self.workdir.Path("b")
    # Where Debian's Ganeti has files of the same names
    buildutils.Configure(srcdir, self.builddir, "--prefix=/usr")
    self.destdir = self.workdir.Path("dest")

  def _Files(self):
    """Lists the files in the directory, without compiled modules.

    """
    result = []
    for (path, _, files) in os.walk(self.destdir):
      if not path.endswith("__pycache__"):
        result.extend(os.path.join(path, name)[len(self.destdir):]
                      for name in files)
    return sorted(result)

  def testInstallAndUninstall(self):
    buildutils.Run(["make", "-s", "-j2", "install",
                    "DESTDIR=" + self.destdir], cwd=self.builddir)
    files = self._Files()
    others = [name for name in files
              if not name.startswith("/usr/lib/python3/dist-packages/ganeti/")]
    self.assertEqual(sorted(others), sorted(
      ["/usr/bin/confd-client", "/usr/sbin/confd-exporter",
       "/usr/sbin/ganeti-confd",
       "/usr/share/bash-completion/completions/confd-client",
       "/usr/share/zsh/vendor-completions/_confd-client",
       "/usr/share/man/man1/confd-client.1",
       "/usr/share/man/man8/confd-exporter.8",
       "/usr/share/man/man8/ganeti-confd.8"] +
      ["/usr/share/doc/ganeti-confd/examples/" + name for name in [
        "cluster.json",
        "confd-ask.c",
        "confd-client.conf",
        "confd-export.service",
        "confd-exporter.nginx",
        "confd-exporter.service",
        "confd-nagios.cfg",
        "confd-rules.yml",
        "confd-stats.service",
        "confd-stats.timer",
        "ganeti-confd-playbook.yml",
        "ganeti-confd.service",
        "ganeti-inventory",
        "grafana-dashboard.json",
        "prometheus.yml",
        "readers-key.yml",
        ]]))
    for name in ["__init__.py", "_autoconf.py", "py.typed",
                 "confd/_version.py",
                 "confd/client.py", "confd/server.py", "confd/py.typed",
                 "confd/exporter/style.css", "confd/exporter/update.js",
                 "confd/exporter/icon.svg"]:
      self.assertIn("/usr/lib/python3/dist-packages/ganeti/" + name, files)
    for name in files:
      with open(self.destdir + name, encoding="utf-8") as fd:
        self.assertNotIn(self.workdir.path, fd.read(), name)

    buildutils.Run(["make", "-s", "uninstall", "DESTDIR=" + self.destdir],
                   cwd=self.builddir)
    self.assertEqual(self._Files(), [])
    self.assertFalse(os.path.exists(
      self.destdir + "/usr/lib/python3/dist-packages/ganeti"))

  def testUninstallKeepsOthers(self):
    buildutils.Run(["make", "-s", "install", "DESTDIR=" + self.destdir],
                   cwd=self.builddir)
    top = self.destdir + "/usr/lib/python3/dist-packages/ganeti/"
    for name in ["confd/other.py", "__pycache__/other.cpython-311.pyc"]:
      with open(top + name, "w", encoding="utf-8"):
        pass
    buildutils.Run(["make", "-s", "uninstall", "DESTDIR=" + self.destdir],
                   cwd=self.builddir)
    left = []
    for (path, _, files) in os.walk(self.destdir):
      left.extend(os.path.join(path, name) for name in files)
    self.assertEqual(sorted(left), [top + "__pycache__/other.cpython-311.pyc",
                                    top + "confd/other.py"])


@unittest.skipIf(os.getuid() != 0, "mounting needs root")
class TestInstall(unittest.TestCase):
  """Into the system.

  """
  @classmethod
  def setUpClass(cls):
    cls.workdir = buildutils.Workdir()
    cls.addClassCleanup(cls.workdir.Remove)
    cls.srcdir = buildutils.Unpack(buildutils.MakeTarball(cls.workdir),
                                   cls.workdir.Path("src"))

  def _Build(self, name, *args):
    """Builds for a prefix.

    @return: a directory, as a word for the shell

    """
    builddir = self.workdir.Path(name)
    buildutils.Configure(self.srcdir, builddir, *args)
    return buildutils.Quote(builddir)

  def testDefaultPrefix(self):
    builddir = self._Build("default")
    output = buildutils.RunInPrivate("""
      make -s -C %(builddir)s install >/dev/null
      %(where)s
      /usr/local/sbin/ganeti-confd --version
      /usr/local/bin/confd-client --help >/dev/null
      # Once more, over our own files
      make -s -C %(builddir)s install >/dev/null
      make -s -C %(builddir)s uninstall >/dev/null
      %(gone)s
      """ % {"builddir": builddir, "where": _WHERE, "gone": _GONE})
    lines = output.splitlines()
    self.assertRegex(lines[0], "^/usr/local/lib/python3[^/]*/dist-packages/"
                     "ganeti/confd/client.py$")
    self.assertIn(buildutils.Version(), lines[1])

  def testUsrPrefix(self):
    # As on a machine without Ganeti
    builddir = self._Build("usr", "--prefix=/usr")
    output = buildutils.RunInPrivate("""
      mount -t tmpfs tmpfs /var/lib/dpkg
      mkdir /var/lib/dpkg/info
      touch /var/lib/dpkg/status
      rm -f /usr/sbin/ganeti-confd
      make -s -C %(builddir)s install >/dev/null
      %(where)s
      /usr/sbin/ganeti-confd --version
      /usr/bin/confd-client --help >/dev/null
      make -s -C %(builddir)s install >/dev/null
      make -s -C %(builddir)s uninstall >/dev/null
      %(gone)s
      """ % {"builddir": builddir, "where": _WHERE, "gone": _GONE})
    lines = output.splitlines()
    self.assertEqual(lines[0],
                     "/usr/lib/python3/dist-packages/ganeti/confd/client.py")
    self.assertIn(buildutils.Version(), lines[1])

  def testOtherPrefix(self):
    # Debian's interpreter does not look for modules there
    builddir = self._Build("opt", "--prefix=/opt/x")
    output = buildutils.RunInPrivate("""
      make -s -C %(builddir)s install >/dev/null
      cd /
      /opt/x/sbin/ganeti-confd --version
      /opt/x/bin/confd-client --help >/dev/null
      make -s -C %(builddir)s uninstall >/dev/null
      %(gone)s
      """ % {"builddir": builddir, "gone": _GONE})
    self.assertIn(buildutils.Version(), output)

  def testRefusesDebiansFiles(self):
    builddir = self._Build("refuse", "--prefix=/usr")
    for target in ["install", "-j4 install", "uninstall", "-j4 uninstall"]:
      with self.subTest(target=target):
        (exit_code, output) = buildutils.TryInPrivate("""
          rc=0
          make -C %s %s || rc=$?
          find /run/upper -mindepth 2
          ls -l /usr/sbin/ganeti-confd
          exit $rc
          """ % (builddir, target))
        self.assertNotEqual(exit_code, 0)
        self.assertIn("/usr/sbin/ganeti-confd belongs to: ganeti\n", output)
        if "uninstall" in target:
          self.assertIn("Nothing was removed", output)
        else:
          self.assertIn("Nothing was installed. Choose another prefix", output)
        self.assertNotIn("/run/upper", output)

  def testRefusesByAnyTarget(self):
    # Automake has a target for each kind of file
    builddir = self._Build("targets", "--prefix=/usr")
    with open(self.workdir.Path("targets/Makefile"), encoding="utf-8") as fd:
      targets = re.findall("^((?:un)?install-[^:= ]+):", fd.read(),
                           re.MULTILINE)
    self.assertIn("install-man8", targets)
    self.assertIn("uninstall-nodist_sbinSCRIPTS", targets)
    output = buildutils.RunInPrivate("""
      for target in %s; do
        make -s -C %s $target 2>/dev/null || :
        find /run/upper -mindepth 2 -printf "$target wrote %%p\\n" -quit
      done
      """ % (" ".join(targets), builddir))
    self.assertNotIn("wrote", output)

  def testRefusesUnpackagedFiles(self):
    # A Ganeti that was built from source
    builddir = self._Build("unpackaged", "--prefix=/opt/y")
    for path in ["sbin/ganeti-confd",
                 "lib/python3.%d/site-packages/ganeti/errors.py" %
                 _PythonMinor()]:
      with self.subTest(path=path):
        (exit_code, output) = buildutils.TryInPrivate("""
          mkdir -p $(dirname /opt/y/%(path)s)
          echo theirs > /opt/y/%(path)s
          rc=0
          make -C %(builddir)s install || rc=$?
          find /opt/y -type f | xargs grep -c .
          exit $rc
          """ % {"builddir": builddir, "path": path})
        self.assertNotEqual(exit_code, 0)
        self.assertIn("/opt/y/%s belongs to: no package" % path, output)
        self.assertTrue(output.endswith("\n1\n"), output)

  def testDivertedFile(self):
    # The administrator has made room for us
    builddir = self._Build("diverted", "--prefix=/usr")
    buildutils.RunInPrivate("""
      mkdir /run/dpkg /run/dpkg-work
      mount -t overlay overlay /var/lib/dpkg \\
        -o lowerdir=/var/lib/dpkg,upperdir=/run/dpkg,workdir=/run/dpkg-work
      dpkg-divert --local --rename --add /usr/sbin/ganeti-confd
      make -s -C %s install
      /usr/sbin/ganeti-confd --version | grep -F %s
      """ % (builddir, buildutils.Version()))


@unittest.skipIf(os.getuid() != 0, "mounting needs root")
class TestOverFlat(unittest.TestCase):
  """Over a version without sub-packages.

  """
  @classmethod
  def setUpClass(cls):
    cls.workdir = buildutils.Workdir()
    cls.addClassCleanup(cls.workdir.Remove)
    cls.flat = cls.workdir.Path("flat-build")
    buildutils.Configure(buildutils.FlatTree(cls.workdir.Path("flat")),
                         cls.flat)
    cls.builddir = cls.workdir.Path("b")
    buildutils.Configure(
      buildutils.Unpack(buildutils.MakeTarball(cls.workdir),
                        cls.workdir.Path("src")), cls.builddir)

  def _Run(self, script):
    return buildutils.RunInPrivate("""
      confd=$(/usr/bin/python3 -c 'import site
      print(site.getsitepackages()[0])')/ganeti/confd
      # In the real directory, not in an overlay of it
      make -s -C %s install >/dev/null
      test -e $confd/daemon.py
      # As another interpreter or option may have
      touch $confd/__pycache__/daemon.cpython-399.pyc
      """.replace("\n      print", "\nprint") % self.flat +
      script.replace("@MAKE@", "make -s -C %s" % self.builddir))

  def testInstalled(self):
    self._Run("""
      # Somebody else's in the package stays
      echo '# theirs' >$confd/theirs.py
      @MAKE@ install >/dev/null
      (cd $confd; find . -name '*.py') | sort >/run/is
      (cd %s/modules/ganeti/confd; find . -name '*.py'; echo ./theirs.py) |
        sort >/run/wanted
      diff /run/is /run/wanted
      find $confd/__pycache__ -name 'daemon.*' | fails grep .
      /usr/local/sbin/ganeti-confd --version
      rm $confd/theirs.py
      @MAKE@ uninstall >/dev/null
      %s
      """ % (self.builddir, _GONE))

  def testUninstalled(self):
    # By this version, which was never installed
    self._Run("""
      @MAKE@ uninstall >/dev/null
      %s
      """ % _GONE)


def _PythonMinor():
  """Returns the second number of the version of Debian's Python.

  """
  return int(buildutils.Run([buildutils.PYTHON, "-c",
                             "import sys; print(sys.version_info[1])"]))

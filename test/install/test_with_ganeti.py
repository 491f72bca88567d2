#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of an installation into Debian's Ganeti: C{configure --with-ganeti}.

In mount namespaces of their own, with overlays over all that Debian's packages
have, so that nothing of it is there afterwards.

"""

import os
import shutil
import unittest

import buildutils


GANETI_LINK = "/usr/share/ganeti/default"
GANETI_DIR = os.path.realpath(GANETI_LINK)

#: The program that daemon-util runs, and the file behind that link
SBIN_CONFD = "/usr/sbin/ganeti-confd"
CONFD = os.path.realpath(SBIN_CONFD)

HOOK = "/etc/ganeti/hooks/cluster-verify-post.d/confd"

_HERE = os.path.dirname(os.path.realpath(__file__))

#: Programs of Ganeti's import it so
_IMPORT = """
import sys
sys.path.insert(0, "%s")
import ganeti.client.gnt_node
import ganeti.tools.burnin
import ganeti.watcher.nodemaint
for module in [ganeti.client.gnt_node, ganeti.tools.burnin]:
  print(module.confd_client.__file__, module.confd_client.ConfdClient,
        hasattr(module.confd_client, "Client"))
print(ganeti.confd.__file__, ganeti.watcher.nodemaint.confd.client.__file__)
print(ganeti.client.gnt_node.confd.HTNodeDrbd([]))
""" % GANETI_DIR

#: As in README
_SCRIPT = """
from ganeti.confd import client

with client.Client() as confd:
  print(confd.MasterNode().answer)
"""

#: The modules of a small build. An installation copies and compiles each, and
#: calls dpkg-divert for those directly in confd.
_FEW_MODULES = " ".join("lib/confd/%s.py" % name for name in (
  "__init__", "client", "server", "protocol/__init__", "protocol/wire"))

#: For all scripts here
_FUNCTIONS = """
tree() {
  /usr/bin/python3 %(here)s/treestate.py $1 /run/tree ${@:2}
}
all="/usr /etc /opt /var/lib"
site=$(/usr/bin/python3 -c 'import site; print(site.getsitepackages()[0])')
ganetis="/usr/share/ganeti /usr/lib/ganeti /etc/ganeti $site /usr/local/bin
  /opt"
cd /
""" % {"here": _HERE}


def setUpModule():
  """Builds for Debian's Ganeti once, for all tests.

  """
  if os.getuid() != 0:
    raise unittest.SkipTest("mounting needs root")
  if not os.path.exists(os.path.join(GANETI_DIR, "ganeti/constants.py")):
    raise unittest.SkipTest("Ganeti is not installed; on Debian: apt-get"
                            " install ganeti")
  _Test.workdir = buildutils.Workdir()
  _Test.srcdir = buildutils.Unpack(buildutils.MakeTarball(_Test.workdir),
                                   _Test.workdir.Path("src"))
  _Test.builddir = _Test._Build("b", "--with-ganeti")
  _Test.small = _Test.workdir.Path("small")
  shutil.copytree(_Test.builddir, _Test.small, symlinks=True)


def tearDownModule():
  _Test.workdir.Remove()


class _Test(unittest.TestCase):
  """Tests with what is built once.

  """
  workdir = None
  srcdir = None
  #: Build trees: of all modules, and of a few
  builddir = None
  small = None

  @classmethod
  def _Build(cls, name, *args):
    builddir = cls.workdir.Path(name)
    buildutils.Configure(cls.srcdir, builddir, *args)
    return builddir

  def _Run(self, script, **kwargs):
    """Runs a script that may change the system.

    @param script: "@MAKE@" is make, in the build directory; and "@SMALL@", for
      tests that run no program of ours, in that of a few modules

    """
    make = "make -s -C %s" % buildutils.Quote(self.builddir)
    small = "make -s -C %s confd_data= confd_modules='%s'" % (
      buildutils.Quote(self.small), _FEW_MODULES)
    return buildutils.RunInPrivate(
      _FUNCTIONS + script.replace("@MAKE@", make).replace("@SMALL@", small),
      directories=("usr", "etc", "opt", "var"), **kwargs)


class TestConfigure(_Test):
  def setUp(self):
    self.tmpdir = buildutils.Workdir()
    self.addCleanup(self.tmpdir.Remove)

  def _Configure(self, *args):
    (exit_code, output) = buildutils.Try(
      [os.path.join(self.srcdir, "configure")] + list(args),
      cwd=self.tmpdir.path)
    self.assertIn(exit_code, (0, 1))
    return (exit_code == 0, output)

  def _MakeGaneti(self, **modules):
    """Makes something that looks like Ganeti.

    @return: an option of configure

    """
    os.makedirs(self.tmpdir.Path("ganeti/confd"))
    for name in ["__init__", "constants", "_constants", "pathutils"]:
      with open(self.tmpdir.Path("ganeti", name + ".py"), "w",
                encoding="ascii") as fd:
        fd.write(modules.get(name, ""))
    return "--with-ganeti=" + self.tmpdir.path

  def testFindsGaneti(self):
    for args in [["--with-ganeti", "--sysconfdir=/etc"],
                 ["--with-ganeti=" + GANETI_LINK, "--localstatedir=/var"]]:
      (success, output) = self._Configure(*args)
      self.assertTrue(success, output)
      self.assertRegex(output, r"for Ganeti\.\.\. 3\.[0-9.]+ in %s\n" %
                       GANETI_DIR)

  def testTakesFromGaneti(self):
    with open(os.path.join(self.builddir,
                           "doc/examples/ganeti-confd.service"),
              encoding="ascii") as fd:
      lines = fd.read().splitlines()
    self.assertIn("User=gnt-confd", lines)
    self.assertIn("Group=gnt-confd", lines)
    self.assertTrue([line for line in lines
                     if line.startswith("ExecStart=%s " % SBIN_CONFD)])
    with open(os.path.join(self.builddir, "completion/confd-client"),
              encoding="ascii") as fd:
      self.assertIn("data=/var/lib/ganeti\n", fd.read())

  def testRefusesOthers(self):
    plain = self.tmpdir.Path("plain")
    os.makedirs(os.path.join(plain, "ganeti"))
    for name in ["__init__", "constants"]:
      with open(os.path.join(plain, "ganeti", name + ".py"), "w",
                encoding="ascii"):
        pass
    for (args, text) in [
      (["--with-ganeti=/nonexistent"],
       "/nonexistent has no package \"ganeti\""),
      (["--with-ganeti=" + plain], "not Ganeti's, or not whole"),
      (["--with-ganeti="], "has no directory"),
      (["--with-ganeti", "--with-user-prefix=gnt-"], "exclude each other"),
      (["--with-ganeti", "--localstatedir=/srv"],
       "this Ganeti has --localstatedir=/var"),
      (["--with-ganeti", "--sysconfdir=/srv"],
       "this Ganeti has --sysconfdir=/etc"),
      ]:
      with self.subTest(args=args, text=text):
        (success, output) = self._Configure(*args)
        self.assertFalse(success, args)
        self.assertIn(text, output)
        self.assertNotIn("Traceback", output)

  def testOldGaneti(self):
    option = self._MakeGaneti(constants="VERSION_MAJOR = 2\n"
                              "RELEASE_VERSION = '2.16.2'\n")
    (success, output) = self._Configure(option)
    self.assertFalse(success)
    self.assertIn("is 2.16.2; 3.0 or later is needed", output)

  def testOtherPython(self):
    option = self._MakeGaneti(constants="print 'for Python 2'\n")
    (success, output) = self._Configure(option)
    self.assertFalse(success)
    self.assertIn("/python3 cannot import the Ganeti in %s: SyntaxError" %
                  self.tmpdir.path, output)


class TestBuildTree(_Test):
  def testRunsInPlace(self):
    for (module, where) in [("constants", GANETI_DIR), ("utils", GANETI_DIR),
                            ("confd", self.srcdir)]:
      output = buildutils.Run(
        [buildutils.PYTHON, "-c", "import os; from ganeti import %s as module;"
         " print(module.__file__, os.path.realpath(module.__file__))" % module],
        env={"PYTHONPATH": self.builddir + "/modules"})
      (path, real_path) = output.split()
      self.assertTrue(path.startswith(self.builddir + "/modules/"), path)
      real_path = real_path.replace("/lib/confd/", "/ganeti/confd/")
      self.assertTrue(real_path.startswith(where + "/ganeti/" + module),
                      real_path)
    for name in ["daemons/ganeti-confd", "tools/confd-client"]:
      output = buildutils.Run([os.path.join(self.builddir, name),
                               "--version"])
      self.assertIn(buildutils.Version(), output)
    # Ganeti's own user
    (exit_code, output) = buildutils.Try(
      [os.path.join(self.builddir, "daemons/ganeti-confd"), "-f"])
    self.assertEqual(exit_code, 1)
    self.assertIn("has to run as user gnt-confd", output)

  def testFollowsConfigure(self):
    # In one build tree, first without Ganeti
    builddir = self._Build("again")
    self.assertTrue(os.path.exists(builddir + "/modules/ganeti/_autoconf.py"))
    buildutils.Configure(self.srcdir, builddir, "--with-ganeti")
    self.assertFalse(os.path.lexists(builddir + "/modules/ganeti/_autoconf.py"))
    self.assertTrue(os.path.exists(builddir + "/modules/ganeti/_constants.py"))
    buildutils.Configure(self.srcdir, builddir)
    self.assertFalse(os.path.lexists(builddir +
                                     "/modules/ganeti/_constants.py"))
    self.assertEqual(os.path.realpath(builddir + "/modules/ganeti/errors.py"),
                     self.srcdir + "/lib/errors.py")

  def testSuites(self):
    # All tests can run so; these are about Ganeti's modules. In a network of
    # its own all ports are free.
    output = buildutils.Run(
      ["unshare", "--net", "sh", "-c", "ip link set lo up; exec make -s check"
       " SUITES='test_client_callback test_client_quorum"
       " test_client_candidates test_confd test_seam test_wire test_client_doc"
       " test_start.ErrorTest'"],
      cwd=self.builddir)
    self.assertRegex(output, r"\n[1-9][0-9]+ passed, 0 failed, ")
    # The stand-ins are not there
    self.assertIn("test_seam.TestPathutils.testNames: built --with-ganeti",
                  output)


class TestDestdir(_Test):
  def testInstallAndUninstall(self):
    self._Run("""
      dest=/opt/dest
      tree save $ganetis
      @MAKE@ install DESTDIR=$dest
      test -x $dest%(confd)s
      test -f $dest%(dir)s/ganeti/confd/client.py
      test -f $dest%(dir)s/ganeti/confd/py.typed
      test ! -e $dest%(dir)s/ganeti/constants.py
      test ! -e $dest%(dir)s/ganeti/py.typed
      test -x $dest%(hook)s
      test -f $dest$site/ganeti-confd.pth
      test -x $dest/usr/local/bin/confd-client
      fails grep -r %(workdir)s $dest
      @MAKE@ uninstall DESTDIR=$dest
      rmdir $dest
      tree compare $ganetis
      """ % {"confd": CONFD, "dir": GANETI_DIR, "hook": HOOK,
             "workdir": self.workdir.path})


class TestInstall(_Test):
  def testInstallAndUninstall(self):
    output = self._Run("""
      echo '%(import)s' >/opt/import
      tree save $all
      @MAKE@ install
      %(confd)s --version
      /usr/bin/python3 -B /opt/import
      cat $site/ganeti-confd.pth
      # Debian's files beside it
      test -L %(confd)s
      dpkg --verify ganeti ganeti-3.0 ganeti-haskell-3.0
      fails grep -r %(workdir)s $(sed -n 's/^file //p' \
        %(dir)s/ganeti/confd/ganeti-confd.installed)
      # Once more, over our own files
      @MAKE@ install
      @MAKE@ uninstall
      tree compare $all
      /usr/bin/python3 -B /opt/import
      """ % {"import": _IMPORT, "confd": SBIN_CONFD, "dir": GANETI_DIR,
             "workdir": self.workdir.path})
    (ours, pth, theirs) = output.partition(GANETI_LINK + "\n")
    self.assertTrue(pth, output)
    self.assertIn("ganeti-confd %s\n" % buildutils.Version(), ours)
    path = GANETI_DIR + "/ganeti/confd/"
    for (text, is_ours) in [(ours, True), (theirs, False)]:
      self.assertIn(
        2 * ("%sclient.py <class 'ganeti.confd.client.ConfdClient'> %s\n" %
             (path, is_ours)) +
        "%s__init__.py %sclient.py\nTrue\n" % (path, path), text)

  def testDaemon(self):
    output = self._Run("""
      @MAKE@ install >/dev/null
      echo '%(script)s' >/opt/script.py
      data=/var/lib/ganeti
      mkdir -p $data
      cp %(srcdir)s/doc/examples/cluster.json $data/config.data
      od -A n -t x1 -N 20 /dev/urandom >$data/hmac.key
      chown gnt-masterd:gnt-confd $data/config.data
      chown gnt-confd:gnt-masterd $data/hmac.key
      chmod 640 $data/config.data
      chmod 440 $data/hmac.key
      ip link set lo up
      util=/usr/lib/ganeti/daemon-util
      $util start ganeti-confd
      $util check ganeti-confd
      confd-client -a 127.0.0.1 ping
      cd /tmp
      /usr/bin/python3 /opt/script.py
      ps -C ganeti-confd -o user:20=,args= | sort -u
      cat /run/ganeti/ganeti-confd.pid
      $util stop ganeti-confd
      fails $util check ganeti-confd
      fails ps -C ganeti-confd -o args=
      """ % {"script": _SCRIPT, "srcdir": self.srcdir},
      namespaces=("--mount", "--net", "--pid", "--fork", "--kill-child",
                  "--mount-proc"))
    lines = output.splitlines()
    self.assertIn("configuration version", lines[0])
    self.assertIn("node1", lines[1])
    self.assertRegex(lines[2], "^gnt-confd +/usr/bin/python3 %s" % SBIN_CONFD)
    self.assertRegex(lines[3], "^[0-9]+$")
    self.assertEqual(len(lines), 4, output)

  def testScriptAnywhere(self):
    # Also as a user, and for a link that leads elsewhere one day
    output = self._Run("""
      script='from ganeti import constants
      from ganeti.confd import client
      print(client.__file__, constants.CONFD_USER)'
      script=$(echo "$script" | sed 's/^ *//')
      fails /usr/bin/python3 -c "$script" 2>/dev/null
      @MAKE@ install >/dev/null
      for dir in / /tmp /usr/share/ganeti; do
        (cd $dir; setpriv --reuid nobody --clear-groups \
          /usr/bin/python3 -c "$script")
      done
      @MAKE@ uninstall
      fails /usr/bin/python3 -c "$script" 2>/dev/null
      """)
    self.assertEqual(output, ("%s/ganeti/confd/client.py gnt-confd\n" %
                              GANETI_LINK) * 3)

  def testReinstalledPackage(self):
    output = self._Run("""
      printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d
      chmod +x /usr/sbin/policy-rc.d
      tree save $ganetis
      @MAKE@ install >/dev/null
      packages="ganeti ganeti-3.0 ganeti-haskell-3.0"
      apt() {
        DEBIAN_FRONTEND=noninteractive apt-get "$@" </dev/null >/run/apt 2>&1
      }
      reinstall() {
        apt install --reinstall -y -q -o Dpkg::Options::=--force-unsafe-io \
          $packages
      }
      reinstall || { cp /run/apt /run/apt1; apt update; reinstall; } || {
        cat /run/apt1 /run/apt
        grep -qE 'Could not (connect|resolve)|Unable to fetch|Temporary fail' \
          /run/apt* && echo NO NETWORK
        exit 1
      }
      grep -c '^Unpacking ganeti' /run/apt
      %(confd)s --version
      dpkg --verify $packages
      touch -r %(dir)s/ganeti/constants.py /run/packaged
      find %(dir)s/ganeti/confd -name '*.py' ! -newer /run/packaged
      @MAKE@ uninstall
      # Unpacked again, so these are newer; all the rest as before
      tree compare $ganetis | grep -v -e '\\.pyc: was \\[.*\\], is \\[' || :
      find %(dir)s/ganeti/confd ! -type d
      """ % {"confd": SBIN_CONFD, "dir": GANETI_DIR})
    self.assertEqual(
      output.splitlines()[:2],
      ["3", "ganeti-confd %s" % buildutils.Version()], output)
    self.assertEqual(
      sorted(name.rpartition("/")[2] for name in output.splitlines()[2:]),
      sorted(["__init__.py", "client.py"] +
             os.listdir(GANETI_DIR + "/ganeti/confd/__pycache__")),
      output)


class TestCare(_Test):
  """Possible failures."""

  def testBrokenOff(self):
    # The n-th diversion fails, or breaks off between its two halves
    self._Run("""
      mkdir /run/bin
      cat >/run/bin/dpkg-divert <<'SHIM'
#!/bin/bash
for arg; do
  if [ "$arg" = --rename ]; then
    echo >>/run/count
    if [ $(wc -l </run/count) = "$FAIL" ]; then
      [ "$HALF" ] || exit 1
      /usr/bin/dpkg-divert ${@/--rename/--no-rename}
      exit 1
    fi
  fi
done
exec /usr/bin/dpkg-divert "$@"
SHIM
      chmod +x /run/bin/dpkg-divert
      failing() {
        rm -f /run/count
        PATH=/run/bin:$PATH fails @SMALL@ "$@" >/run/output 2>&1
        grep -q 'This can be repeated, or undone' /run/output
      }
      count=%(count)d
      tree save $ganetis
      export FAIL HALF
      Check() {
        HALF=$1
        FAIL=$2
        failing install
        @SMALL@ uninstall
        tree compare $ganetis
        failing install
        @SMALL@ install >/dev/null
        for module in %(modules)s; do
          cmp %(src)s/$module %(dir)s/ganeti/${module#lib/}
        done
        failing uninstall
        @SMALL@ uninstall
        tree compare $ganetis
      }
      # Of a new module; and at the end, of Ganeti's client and program
      Check "" 1
      Check 1 $count
      Check 1 $((count + 1))
      """ % {"modules": _FEW_MODULES,
             # Only modules directly in confd are diverted
             "count": sum(name.count("/") == 2
                          for name in _FEW_MODULES.split()),
             "src": self.srcdir, "dir": GANETI_DIR})

  def testForeignFiles(self):
    output = self._Run("""
      for path in %(hook)s $site/ganeti-confd.pth /usr/local/bin/confd-client \
          %(dir)s/ganeti/confd/client.py.distrib; do
        mkdir -p $(dirname $path)
        echo theirs >$path
        tree save $ganetis
        fails @SMALL@ install 2>&1
        @SMALL@ uninstall 2>/dev/null || :
        tree compare $ganetis
        rm $path
      done
      """ % {"hook": HOOK, "dir": GANETI_DIR})
    for text in [HOOK + " is neither Ganeti's nor ganeti-confd's",
                 "ganeti-confd.pth is neither Ganeti's nor ganeti-confd's",
                 "/usr/local/bin/confd-client belongs to: no package",
                 "/confd/client.py is neither Ganeti's nor ganeti-confd's"]:
      self.assertIn(text, output)

  def testAnotherDiversion(self):
    output = self._Run("""
      dpkg-divert --quiet --local --rename --divert %(confd)s.mine \
        --add %(confd)s
      tree save $ganetis
      fails @SMALL@ install 2>&1
      @SMALL@ uninstall
      tree compare $ganetis
      """ % {"confd": CONFD})
    self.assertIn("%s is diverted already" % CONFD, output)

  def testAddedModule(self):
    # A file that somebody else has put there comes back too
    self._Run("""
      echo '# theirs' >%(dir)s/ganeti/confd/server.py
      mkdir -p /etc/ganeti/hooks
      chmod 700 /etc/ganeti/hooks
      tree save $ganetis
      @SMALL@ install >/dev/null
      test -e %(dir)s/ganeti/confd/server.py.distrib
      @SMALL@ uninstall
      rm -f %(dir)s/ganeti/confd/__pycache__/server.*
      tree compare $ganetis
      @SMALL@ uninstall
      tree compare $ganetis
      """ % {"dir": GANETI_DIR})

  def testLostRecord(self):
    self._Run("""
      tree save /usr/share/ganeti /usr/lib/ganeti
      @SMALL@ install >/dev/null
      rm %(record)s
      @SMALL@ uninstall
      tree compare /usr/share/ganeti /usr/lib/ganeti
      @SMALL@ install >/dev/null
      rm %(record)s
      @SMALL@ install >/dev/null
      @SMALL@ uninstall
      tree compare /usr/share/ganeti /usr/lib/ganeti
      """ % {"record": GANETI_DIR + "/ganeti/confd/ganeti-confd.installed"})

  def testWithoutPackage(self):
    # As after Ganeti's own "make install": files are renamed
    output = self._Run("""
      mount -t tmpfs tmpfs /var/lib/dpkg
      mkdir /var/lib/dpkg/info
      touch /var/lib/dpkg/status
      tree save $ganetis
      @MAKE@ install >/dev/null
      %(confd)s --version
      dpkg-divert --list
      @MAKE@ install >/dev/null
      @MAKE@ uninstall
      tree compare $ganetis
      """ % {"confd": SBIN_CONFD})
    self.assertEqual(output, "ganeti-confd %s\n" % buildutils.Version())

  def testRemovedPackage(self):
    # dpkg leaves directories behind that have files of ours
    self._Run("""
      @MAKE@ install >/dev/null
      mv /var/lib/dpkg /run/dpkg-before
      mkdir -p /var/lib/dpkg/info
      cp /run/dpkg-before/diversions /var/lib/dpkg
      touch /var/lib/dpkg/status
      find %(dir)s %(libdir)s ! -type d ! -path '*/confd/*' \
        ! -name ganeti-confd -delete
      rm %(dir)s/ganeti/confd/*.distrib
      find %(dir)s %(libdir)s -type d -empty -delete
      @MAKE@ uninstall
      test ! -e %(dir)s
      test ! -e %(libdir)s
      """ % {"dir": GANETI_DIR,
             "libdir": GANETI_DIR.replace("/share/", "/lib/")})

  def testOtherVersion(self):
    # With a module that this one has not, and for another prefix; and one that
    # diverts the modules of subpackages, too
    self._Run("""
      cp -a %(src)s /run/src
      cp -a %(build)s /run/older
      cp /run/src/lib/confd/localnode.py /run/src/lib/confd/older.py
      sed -i 's/os.path.dirname(path) == self._confd/self._IsInGaneti(path)/' \
        /run/src/autotools/install-with-ganeti
      tree save $ganetis
      modules=$(cd /run/src; echo lib/confd/*.py lib/confd/*/*.py)
      make -s -C /run/older install bindir=/opt/bin srcdir=/run/src \
        abs_srcdir=/run/src confd_modules="$modules" >/dev/null
      test -e %(dir)s/ganeti/confd/older.py
      test -e /opt/bin/confd-client
      dpkg-divert --list | grep -q confd/schema/
      @MAKE@ install >/dev/null
      test ! -e %(dir)s/ganeti/confd/older.py
      dpkg-divert --list | fails grep older
      test ! -e /opt/bin/confd-client
      @MAKE@ uninstall
      tree compare $ganetis
      """ % {"build": self.builddir, "src": self.srcdir, "dir": GANETI_DIR})

  def testOverFlat(self):
    # A version without sub-packages, then this one, and without it
    flat = self.workdir.Path("flat")
    buildutils.Configure(buildutils.FlatTree(flat), flat, "--with-ganeti")
    self._Run("""
      tree save $ganetis
      make -s -C %(flat)s install >/dev/null
      test -e %(confd)s/daemon.py
      @MAKE@ install >/dev/null
      %(sbin)s --version >/dev/null
      (cd %(confd)s; find . -name '*.py') | sort >/run/is
      (cd %(build)s/modules/ganeti/confd; find . -name '*.py') |
        sort >/run/wanted
      diff /run/is /run/wanted
      # Nothing compiled, diverted or recorded either
      for name in daemon verify watch; do
        find %(confd)s/__pycache__ -name "$name.*" | fails grep .
        dpkg-divert --list | fails grep confd/$name.py
        fails grep confd/$name.py %(confd)s/ganeti-confd.installed
      done
      @MAKE@ uninstall
      tree compare $ganetis
      make -s -C %(flat)s install >/dev/null
      @MAKE@ uninstall
      tree compare $ganetis
      """ % {"flat": flat, "build": self.builddir, "sbin": SBIN_CONFD,
             "confd": GANETI_DIR + "/ganeti/confd"})

  def testBesidePlain(self):
    # Whichever comes second: it would hide the other from scripts
    plain = self._Build("plain")
    output = self._Run("""
      make -s -C %(plain)s install >/dev/null
      tree save $ganetis
      fails @MAKE@ install 2>&1
      tree compare $ganetis
      make -s -C %(plain)s uninstall
      @MAKE@ install >/dev/null
      tree save $ganetis
      fails make -s -C %(plain)s install 2>&1
      tree compare $ganetis
      """ % {"plain": plain})
    self.assertIn("/ganeti instead of Ganeti's", output)
    self.assertIn("ganeti-confd.pth, programs use the ganeti-confd", output)

  def testOtherPrefix(self):
    # Where the interpreter looks for no modules
    builddir = self._Build("opt", "--with-ganeti", "--prefix=/opt/x")
    self._Run("""
      tree save $ganetis
      make -s -C %(build)s install >/dev/null
      test -e $site/ganeti-confd.pth
      /opt/x/bin/confd-client --version
      %(confd)s --version
      make -s -C %(build)s uninstall
      tree compare $ganetis
      """ % {"build": builddir, "confd": SBIN_CONFD})

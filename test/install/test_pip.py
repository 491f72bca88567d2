#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Tests of the client for machines without Ganeti: "pip install".

Nothing comes from a network: what builds it is Debian's, and what it needs is
there. C{devel/check-pythons} does it with each release of Python, from the
package index.

"""

import ast
import os
import shutil
import unittest
import zipfile

import buildutils
import testutils


_GANETI = "/usr/share/ganeti/default"

#: Imports each module of the installed package
_IMPORT_ALL = """
import importlib, os, pkgutil
import ganeti
names = [i.name for i in pkgutil.walk_packages(ganeti.__path__, "ganeti.")]
for name in names:
  importlib.import_module(name)
print(len(names), os.path.dirname(ganeti.__file__))
"""

#: As Ganeti's programs look for their modules
_GANETIS = """
import sys
sys.path.insert(0, "%s")
from ganeti import utils
from ganeti.confd import client
print(utils.__file__, client.__file__)
""" % _GANETI


#: Runs confd-client as where Python has what it has on all systems only
_ELSEWHERE = """
import os, select, signal, socket, sys
import asyncio, logging, subprocess, tempfile

for name in ("fcntl", "grp", "posix", "pwd", "resource", "syslog", "termios"):
  sys.modules[name] = None
for (module, names) in [
    (os, "O_CLOEXEC O_DIRECTORY O_NONBLOCK fchmod fchown fork getuid geteuid"
         " killpg uname sysconf"),
    (select, "epoll poll"),
    (signal, "SIGALRM SIGCHLD SIGHUP SIGKILL SIGPIPE SIGUSR1 SIGUSR2"
             " pthread_sigmask setitimer"),
    (socket, "AF_UNIX MSG_DONTWAIT MSG_ERRQUEUE")]:
  for name in names.split():
    if hasattr(module, name):
      delattr(module, name)

def Fails(*_):
  raise OSError("There is no such option here")
socket.socket.recvmsg = Fails
set_option = socket.socket.setsockopt
socket.socket.setsockopt = lambda self, level, *args: (
  set_option if level == socket.SOL_SOCKET else Fails)(self, level, *args)

from ganeti.confd import command
sys.exit(command.Main())
"""


#: A program with the modules that doc/client.rst imports
_TYPED_PROGRAM = b"""\
from ganeti import constants, errors
from ganeti.confd import client

try:
  with client.Client() as confd:
    role: int = confd.NodeRole("node1").answer
    print(role == constants.CONFD_NODE_ROLE_MASTER)
except errors.ConfdClientError as err:
  print(err)
"""


def _Imports(path):
  """Lists what a module imports of C{ganeti.confd}, wherever in it.

  """
  with open(path, encoding="utf-8") as source:
    tree = ast.parse(source.read())
  for item in ast.walk(tree):
    if isinstance(item, ast.ImportFrom) and item.module.startswith("ganeti"):
      for alias in item.names:
        yield "%s.%s" % (item.module, alias.name)
        yield item.module
    elif isinstance(item, ast.Import):
      yield from (alias.name for alias in item.names)


def _Needed(names):
  """Lists all modules that some modules need, themselves among them.

  @param names: dict; module to its file, of all that there are

  """
  todo = [name for name in names if name.count(".") > 1 and
          # Commands and formats are imported by their names
          name.split(".")[2] in ("client", "command", "export",
                                 "exporter", "testing")]
  result = set()
  while todo:
    name = todo.pop()
    if name in names and name not in result:
      result.add(name)
      todo += list(_Imports(names[name]))
      # With the packages that it is in
      todo.append(name.rpartition(".")[0])
  return result


class TestPip(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    cls.workdir = buildutils.Workdir()
    cls.addClassCleanup(cls.workdir.Remove)
    # A tarball has all that a checkout has
    cls.srcdir = buildutils.Unpack(buildutils.MakeTarball(cls.workdir),
                                   cls.workdir.Path("src"))
    cls.sdist = cls.workdir.Path("ganeti_confd_client.tar.gz")
    buildutils.Run([buildutils.PYTHON, "-c", "from setuptools import build_meta"
                    " as b; import os, sys; (d, t) = sys.argv[1:]; os.rename("
                    "os.path.join(d, b.build_sdist(d)), t)",
                    cls.workdir.path, cls.sdist], cwd=cls.srcdir)
    cls.venv = cls.workdir.Path("venv")
    # Debian's pip does as well; another one would take seconds to install
    buildutils.Run([buildutils.PYTHON, "-m", "venv", "--system-site-packages",
                    "--without-pip", cls.venv])
    cls.output = cls._Pip("install", cls.sdist)

  @classmethod
  def _Pip(cls, *args, venv=None, cwd="/"):
    return buildutils.Run(
      [os.path.join(venv or cls.venv, "bin/python"), "-m", "pip", args[0],
       "--disable-pip-version-check", "--no-index", "--no-build-isolation"] +
      list(args[1:]), cwd=cwd, env={"HOME": cls.workdir.path})

  def _Python(self, script, **kwargs):
    return buildutils.Run([os.path.join(self.venv, "bin/python"), "-c", script],
                          **kwargs)

  def testInstalled(self):
    # The name of an old setuptools has hyphens in it
    self.assertRegex(self.output, "Successfully installed"
                     " ganeti[-_]confd[-_]client-%s" % buildutils.Version())
    output = buildutils.Run([os.path.join(self.venv, "bin/confd-client"),
                             "--version"])
    self.assertIn("(ganeti-confd) %s" % buildutils.Version(), output)
    (count, where) = self._Python(_IMPORT_ALL).split()
    self.assertGreater(int(count), 40)
    self.assertTrue(where.startswith(self.venv), where)
    # Where Debian's Ganeti, and all others on Linux, have their files
    self.assertEqual(
      self._Python("from ganeti import pathutils as p;"
                   " print(p.CONFD_HMAC_KEY, p.CONF_DIR)").split(),
      ["/var/lib/ganeti/hmac.key", "/etc/ganeti"])

  def testCompletion(self):
    """The wheel has the scripts that a build would install.

    """
    for (shell, text) in [("bash", "complete -F _confd_client confd-client\n"),
                          ("zsh", "#compdef confd-client\n")]:
      output = buildutils.Run([os.path.join(self.venv, "bin/confd-client"),
                               "--completion", shell])
      self.assertIn(text, output)
      self.assertIn("local data=/var/lib/ganeti\n", output)
      self.assertNotRegex(output, "(?m)@[A-Z]+@")

  def testBesideRapi(self):
    """Another part of C{ganeti}, where Debian has it, can be imported.

    """
    os.makedirs(self.workdir.Path("theirs/ganeti/rapi"))
    for name in ["__init__.py", "rapi/__init__.py"]:
      with open(self.workdir.Path("theirs/ganeti", name), "w",
                encoding="ascii"):
        pass
    self._Python("import sys; sys.path.append(%r);"
                 " import ganeti.confd.client, ganeti.rapi" %
                 self.workdir.Path("theirs"))

  def testUsage(self):
    # From where nothing answers: no key, and no traceback
    (exit_code, output) = buildutils.Try(
      [os.path.join(self.venv, "bin/confd-client"), "-a", "127.0.0.1",
       "--hmac-file=/nonexistent", "ping"])
    self.assertEqual(exit_code, 1, output)
    self.assertIn("/nonexistent", output)
    self.assertNotIn("Traceback", output)

  def testAnySystem(self):
    """Without what only Linux has, or only Unix.

    """
    path = self.workdir.Path("exported")
    testutils.WriteFile(path, b"old\n")
    with testutils.Daemon(testutils.MakeConfig(
        [testutils.MakeNode(1, master_candidate=True,
                            primary_ip="127.0.0.1")])) as daemon:
      for args in [["ping"], ["status"], ["list", "nodes"], ["check"],
                   ["export", "hosts", "nodes", "-o", path], ["stats"]]:
        output = buildutils.Run(
          [os.path.join(self.venv, "bin/python"), "-c", _ELSEWHERE,
           "-a", "127.0.0.1", "-p", str(daemon.port),
           "--hmac-file", daemon.key_file] + args)
        self.assertNotIn("Traceback", output)
    with open(path, encoding="ascii") as exported:
      self.assertIn("cluster.example.com", exported.read())

  def testTesting(self):
    """A fake cluster needs nothing but Python, nor does the one that serves.

    """
    program = """if True:
      import sys
      for name in ("simplejson", "pyinotify", "pyparsing"):
        sys.modules[name] = None
      from ganeti.confd import client, testing
      from ganeti.confd.testing import __main__
      with testing.Fake(), client.Client() as confd:
        print(confd.MasterNode().answer)
      sys.exit(__main__.Main(["/nonexistent/config.data"]))
      """
    (exit_code, output) = buildutils.Try(
      [os.path.join(self.venv, "bin/python"), "-c", program])
    self.assertEqual(exit_code, 1, output)
    self.assertIn("node1.example.com\n", output)
    self.assertIn("cannot serve /nonexistent/config.data", output)
    self.assertNotIn("Traceback", output)

  def testWheel(self):
    """The client's modules, and no other.

    """
    self._Pip("wheel", "--no-deps", "-w", self.workdir.path, self.srcdir)
    (wheel, ) = [name for name in os.listdir(self.workdir.path)
                 if name.endswith(".whl")]
    self.assertEqual(wheel, "ganeti_confd_client-%s-py3-none-any.whl" %
                     buildutils.Version())
    with zipfile.ZipFile(self.workdir.Path(wheel)) as archive:
      files = archive.namelist()
    package = os.path.join(buildutils.MODULEDIR, "ganeti")
    names = {}
    for (directory, _, found) in os.walk(package + "/confd"):
      for name in found:
        if name.endswith(".py"):
          path = os.path.join(directory, name)
          module = os.path.relpath(path, package)[:-len(".py")]
          module = "ganeti." + module.replace(os.sep, ".")
          names[module.rpartition(".__init__")[0] or module] = path
    needed = _Needed(names)
    self.assertIn("ganeti.confd.protocol.wire", needed)
    self.assertNotIn("ganeti.confd.server", needed)
    packed = {name[:-len(".py")].replace("/", ".") for name in files
              if name.startswith("ganeti/confd/") and name.endswith(".py")}
    packed = {name.rpartition(".__init__")[0] or name for name in packed}
    self.assertEqual(packed, needed, "see setup.py")
    # Files beside the modules in a build tree are in the wheel, too
    self.assertEqual(
      {name for name in files
       if name.startswith("ganeti/") and not name.endswith(".py")},
      {os.path.join("ganeti", os.path.relpath(os.path.join(directory, name),
                                              package))
       for (directory, _, found) in os.walk(package)
       for name in found if not name.endswith((".py", ".pyc"))})
    self.assertIn("ganeti/py.typed", files)
    self.assertIn("ganeti/confd/py.typed", files)
    self.assertEqual([name for name in files if name.endswith(".in")], [])

  def testTypes(self):
    """mypy --strict finds the annotations of all that programs import.

    """
    program = self.workdir.Path("program.py")
    testutils.WriteFile(program, _TYPED_PROGRAM)
    (exit_code, output) = buildutils.Try(
      [buildutils.PYTHON, "-m", "mypy", "--strict", "--cache-dir",
       self.workdir.Path("cache"), "--python-executable",
       os.path.join(self.venv, "bin/python"), program], cwd=self.workdir.path)
    self.assertEqual(exit_code, 0, output)

  def testOutOfGanetisWay(self):
    if not os.path.exists(_GANETI):
      self.skipTest("Ganeti is not installed; on Debian: apt-get install"
                    " ganeti")
    ganeti = os.path.realpath(_GANETI)
    output = self._Python(_GANETIS)
    self.assertEqual([os.path.realpath(name) for name in output.split()],
                     [ganeti + "/ganeti/utils/__init__.py",
                      ganeti + "/ganeti/confd/client.py"])
    # The wheel's programs, started from where that Python comes first
    output = buildutils.Run(
      ["gnt-cluster", "--version"],
      env={"PATH": "%s/bin:/usr/sbin:/usr/bin:/sbin:/bin" % self.venv})
    self.assertIn("ganeti", output)
    if os.getuid() == 0:
      # For all users, and against Debian's advice
      output = buildutils.RunInPrivate("""
        cd /
        /usr/bin/python3 -m pip install -q --no-index --no-build-isolation \
          --root-user-action=ignore --break-system-packages %s
        /usr/local/bin/confd-client --version
        /usr/bin/python3 -c 'import ganeti; print(ganeti.__file__)'
        gnt-cluster --version
        /usr/bin/python3 -c '%s'
        """ % (buildutils.Quote(self.sdist), _GANETIS))
      self.assertIn("/usr/local/lib/", output)
      self.assertIn(_GANETI + "/ganeti/utils/__init__.py %s/ganeti/confd/"
                    "client.py" % _GANETI, output)

  def testEditable(self):
    """In a checkout where nothing has been built; changes are seen at once.

    """
    checkout = self.workdir.Path("checkout")
    shutil.copytree(self.srcdir, checkout)
    os.symlink("lib", os.path.join(checkout, "ganeti"))
    venv = self.workdir.Path("editable")
    buildutils.Run([buildutils.PYTHON, "-m", "venv", "--system-site-packages",
                    "--without-pip", venv])
    self._Pip("install", "-e", ".", venv=venv, cwd=checkout)
    client = os.path.join(venv, "bin/confd-client")
    self.assertIn("(ganeti-confd) %s" % buildutils.Version(),
                  buildutils.Run([client, "--version"]))
    config = testutils.MakeConfig([testutils.MakeNode(
      1, master_candidate=True, primary_ip="127.0.0.1")])
    with testutils.Daemon(config) as daemon:
      self.assertIn("node1.example.com", buildutils.Run(
        [client, "-a", "127.0.0.1", "-p", str(daemon.port), "--hmac-file",
         daemon.key_file, "master"]))
    with open(os.path.join(checkout, "lib/confd/_version.py"), "a",
              encoding="ascii") as module:
      module.write("VERSION = \"1.0.0+changed\"\n")
    self.assertIn("1.0.0+changed", buildutils.Run([client, "--version"]))


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Installing into a Ganeti, broken off at each step, also by an upgrade of it.

On a small Ganeti in a directory of its own, with a database of dpkg's of its
own. A process is killed before the n-th thing that it does to files, for every
n; then the package may be upgraded, as dpkg does it: with the diversions
heeded, or not, if dpkg had read them before. After "uninstall" all is as
before, or as the upgrade alone would have it.

"""

import contextlib
import hashlib
import importlib.machinery
import importlib.util
import io
import os
import py_compile
import select
import shutil
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import buildutils


_AUTOTOOLS = os.path.join(buildutils.SRCDIR, "autotools")

#: Events that Python reports to an audit hook before it changes files or has
#: others do so
_STEPS = frozenset(["os.mkdir", "os.remove", "os.rename", "os.rmdir",
                    "subprocess.Popen"])

_KILLED = 137

#: Undone, and repeated
_REPAIRS = (["uninstall"], ["install", "uninstall"])


def _LoadInstaller():
  """Imports the script.

  """
  path = os.path.join(_AUTOTOOLS, "install-with-ganeti")
  loader = importlib.machinery.SourceFileLoader("install_with_ganeti", path)
  with mock.patch.object(sys, "path", [_AUTOTOOLS] + sys.path), \
       mock.patch.object(sys, "dont_write_bytecode", True):
    module = importlib.util.module_from_spec(
      importlib.util.spec_from_loader("install_with_ganeti", loader))
    loader.exec_module(module)
  return module


def _IsStep(event, args):
  if event == "open":
    return bool(args[2] & (os.O_WRONLY | os.O_RDWR))
  return event in _STEPS


def _Write(path, text):
  os.makedirs(os.path.dirname(path), exist_ok=True)
  with open(path, "w", encoding="ascii") as stream:
    stream.write(text)


class _Ganeti:
  """A packaged Ganeti, and sources to install into it.

  """
  def __init__(self, root):
    self.root = root
    self._admindir = os.path.join(root, "dpkg")
    self._sources = os.path.join(root, "sources")
    self._site = os.path.join(root, "site/ganeti-confd.pth")
    self.package = os.path.join(root, "share/ganeti")
    self.confd = os.path.join(self.package, "confd")
    self.program = os.path.join(root, "sbin/ganeti-confd")
    self.client = os.path.join(self.confd, "client.py")
    self._packaged = [self.client, self.program,
                      os.path.join(self.package, "constants.py")]
    _Write(os.path.join(self._admindir, "status"), """\
Package: fake
Status: install ok installed
Maintainer: Nobody <nobody@example.com>
Architecture: all
Version: 1
Description: no Ganeti
""")
    os.makedirs(os.path.join(self._admindir, "updates"))
    _Write(os.path.join(self._admindir, "info/format"), "1\n")
    _Write(os.path.join(self._admindir, "info/fake.list"),
           "".join(path + "\n" for path in self._packaged))
    self.Unpack("1", heed=True)
    os.makedirs(os.path.join(root, "etc"))
    os.makedirs(os.path.dirname(self._site))
    self._files = []
    for (name, path) in [
      ("client.py", self.client),
      ("added.py", os.path.join(self.confd, "added.py")),
      ("room.py", os.path.join(self.confd, "room/__init__.py")),
      ("program", self.program),
      ("hook", os.path.join(root, "etc/hooks/verify/confd")),
      ]:
      source = os.path.join(self._sources, name)
      _Write(source, "# the ganeti-confd authors: %s\n" % name)
      self._files.append("%s:%s" % (source, path))

  def Diversions(self):
    return subprocess.check_output(["dpkg-divert", "--list"], text=True,
                                   env=self._Environment()).splitlines()

  def _Environment(self):
    return dict(os.environ, DPKG_ADMINDIR=self._admindir, LC_ALL="C")

  def Unpack(self, version, heed):
    """Unpacks a version of the package.

    @param heed: whether dpkg knows the diversions that there are

    """
    diversions = self.Diversions() if heed else []
    sums = []
    for path in self._packaged:
      text = "# Ganeti %s: %s\n" % (version, os.path.basename(path))
      sums.append("%s  %s\n" % (hashlib.md5(text.encode("ascii")).hexdigest(),
                                path[1:]))
      if any(" of %s to " % path in line for line in diversions):
        path += ".distrib"
      _Write(path + ".dpkg-new", text)
      os.rename(path + ".dpkg-new", path)
      if path.endswith(".py"):
        py_compile.compile(path, doraise=True)
    _Write(os.path.join(self._admindir, "info/fake.md5sums"), "".join(sums))

  def Run(self, installer, command, steps=None):
    """Runs the script in a process of its own.

    @param steps: at which step it is killed
    @rtype: tuple of (int, string)
    @return: its exit code and output

    """
    args = ["install-with-ganeti", "--srcdir=/nonexistent", "--destdir=",
            "--docdir=" + os.path.join(self.root, "doc"),
            "--ganeti-dir=" + os.path.dirname(self.package),
            "--program=" + self.program, "--pth=%s:%s" %
            (self._site, os.path.dirname(self.package)), command] + self._files
    with tempfile.TemporaryFile() as output:
      pid = os.fork()
      if pid == 0:
        with contextlib.suppress(BaseException):
          os.environ.update(self._Environment())
          for fd in (1, 2):
            os.dup2(output.fileno(), fd)
          sys.stdout = io.TextIOWrapper(open(1, "wb", 0, closefd=False),
                                        write_through=True)
          sys.stderr = sys.stdout
          sys.argv = args
          left = steps

          def _Audit(event, event_args):
            nonlocal left
            if _IsStep(event, event_args):
              left -= 1
              if left == 0:
                os._exit(_KILLED)

          if steps is not None:
            sys.addaudithook(_Audit)
          os._exit(installer.Main())
        os._exit(70)
      (_, status) = os.waitpid(pid, 0)
      output.seek(0)
      return (os.waitstatus_to_exitcode(status), output.read().decode())

  def State(self):
    """Describes all that is there.

    """
    state = {"diversions": sorted(self.Diversions())}
    for (directory, names, files) in os.walk(self.root):
      if directory == self.root:
        names[:] = [i for i in names if i not in ("dpkg", "sources")]
      for name in names:
        state[os.path.join(directory, name)] = None
      for name in files:
        path = os.path.join(directory, name)
        with open(path, "rb") as stream:
          # The first bytes of compiled modules have the time
          state[path] = stream.read()[16 if name.endswith(".pyc") else 0:]
    return state


@unittest.skipIf(shutil.which("dpkg-divert") is None, "there is no dpkg here")
class _Test(unittest.TestCase):
  def setUp(self):
    self.workdir = buildutils.Workdir()
    self.addCleanup(self.workdir.Remove)
    self.installer = _LoadInstaller()

  def _Succeed(self, ganeti, command, where):
    (code, output) = ganeti.Run(self.installer, command)
    self.assertEqual(code, 0, "%s: %s: %s" % (where, command, output))

  def _CheckEqual(self, is_now, wanted, where):
    pairs = {path: (wanted.get(path, "missing"), is_now.get(path, "missing"))
             for path in set(is_now) | set(wanted)}
    different = {path: pair for (path, pair) in pairs.items()
                 if pair[0] != pair[1]}
    self.assertEqual(different, {}, where)


class TestEachStep(_Test):
  def _Break(self, command, upgrade, repairs=_REPAIRS):
    """Breaks a command off at each step.

    @param upgrade: what to do to the Ganeti then
    @param repairs: what is run after that; each is tried

    """
    ganeti = _Ganeti(os.path.join(self.workdir.path, "ganeti"))
    upgrade(ganeti)
    wanted = ganeti.State()
    shutil.rmtree(ganeti.root)
    steps = 0
    code = _KILLED
    while code == _KILLED:
      steps += 1
      for repair in repairs:
        where = "%s broken off at step %d, then %s" % (command, steps, repair)
        ganeti = _Ganeti(ganeti.root)
        if command == "uninstall":
          self._Succeed(ganeti, "install", where)
        (code, output) = ganeti.Run(self.installer, command, steps)
        self.assertIn(code, (0, _KILLED), "%s: %s" % (where, output))
        upgrade(ganeti)
        for next_command in repair:
          self._Succeed(ganeti, next_command, where)
          if next_command == "install":
            for path in (ganeti.client, ganeti.program):
              with open(path, encoding="ascii") as stream:
                self.assertIn("ganeti-confd authors", stream.read(), where)
        self._CheckEqual(ganeti.State(), wanted, where)
        shutil.rmtree(ganeti.root)
    # Otherwise the run tested something else
    self.assertGreater(steps, 20)

  def testInstall(self):
    self._Break("install", lambda ganeti: None)

  def testUninstall(self):
    self._Break("uninstall", lambda ganeti: None)

  def testUpgradeDuringInstall(self):
    self._Break("install", lambda ganeti: ganeti.Unpack("2", heed=True),
                _REPAIRS[:1])

  def testUpgradeDuringUninstall(self):
    self._Break("uninstall", lambda ganeti: ganeti.Unpack("2", heed=True),
                _REPAIRS[:1])

  def testHeedlessUpgradeDuringInstall(self):
    self._Break("install", lambda ganeti: ganeti.Unpack("2", heed=False))

  def testHeedlessUpgradeDuringUninstall(self):
    self._Break("uninstall", lambda ganeti: ganeti.Unpack("2", heed=False))


class TestCare(_Test):
  def setUp(self):
    _Test.setUp(self)
    self.ganeti = _Ganeti(os.path.join(self.workdir.path, "ganeti"))

  def testUnknownFile(self):
    """Put over ours, and not by dpkg: nothing is lost.

    """
    self._Succeed(self.ganeti, "install", "")
    _Write(self.ganeti.client, "# theirs\n")
    before = self.ganeti.State()
    for command in ("install", "uninstall"):
      (code, output) = self.ganeti.Run(self.installer, command)
      self.assertEqual(code, 1)
      self.assertIn("client.py is neither ganeti-confd's nor what Debian's"
                    " package has there.", output)
      self.assertIn("Nothing was changed.", output)
      self._CheckEqual(self.ganeti.State(), before, command)

  def _Lock(self, name):
    """Locks as a package manager does.

    @return: a process, which ends with its standard input

    """
    process = subprocess.Popen(
      [sys.executable, "-c", "import fcntl, sys\n"
       "fd = open(sys.argv[1], 'w')\nfcntl.lockf(fd, fcntl.LOCK_EX)\n"
       "print('locked', flush=True)\nsys.stdin.read()",
       os.path.join(self.ganeti.root, "dpkg", name)],
      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    self.addCleanup(process.stdout.close)
    self.addCleanup(process.wait)
    self.addCleanup(process.stdin.close)
    self.assertEqual(process.stdout.readline(), b"locked\n")
    return process

  def testPackageManagerRuns(self):
    """The lock is waited for, but not for ever.

    """
    before = self.ganeti.State()
    for name in ("lock-frontend", "lock"):
      process = self._Lock(name)
      with mock.patch.object(self.installer, "_LOCK_LIMIT", 1.5), \
           mock.patch.object(self.installer, "_LOCK_QUIET", 0.5):
        (code, output) = self.ganeti.Run(self.installer, "install")
      self.assertEqual(code, 1)
      self.assertRegex(output, r"\AWaiting until the package manager that runs"
                       r" is done \(it has locked \S+/dpkg/%s\): 0 of at most"
                       r" 1 seconds\nA package manager still runs \(it has"
                       r" locked \S+\)\.\nNothing was changed\.\n\Z" % name)
      self._CheckEqual(self.ganeti.State(), before, name)
      process.stdin.close()
      process.wait()
    self._Succeed(self.ganeti, "install", "")

  def testWaits(self):
    process = self._Lock("lock")
    # The first message comes, and dpkg is done
    (read_fd, write_fd) = os.pipe()
    self.addCleanup(os.close, read_fd)
    self.addCleanup(os.close, write_fd)

    def _Print(*args, **kwargs):
      print(*args, **kwargs)
      os.write(write_fd, b"x")

    pid = os.fork()
    if pid == 0:
      select.select([read_fd], [], [], 60)
      os.kill(process.pid, 15)
      os._exit(0)
    with mock.patch.object(self.installer, "_LOCK_QUIET", 0.2), \
         mock.patch.object(self.installer, "print", _Print, create=True):
      (code, output) = self.ganeti.Run(self.installer, "install")
    os.waitpid(pid, 0)
    self.assertEqual(code, 0, output)
    self.assertIn("Waiting until the package manager", output)
    self.assertIn("Installed into Ganeti", output)

  def testKeepsPackageManagersOut(self):
    """Whenever it has something changed, both locks are held.

    """
    held = os.path.join(self.workdir.path, "held")
    real = self.installer._Installer._RunDivert

    def _RunDivert(*args):
      for name in ("lock-frontend", "lock"):
        # In another process, as a process does not lock itself out
        code = subprocess.call(
          [sys.executable, "-c", "import fcntl, sys\n"
           "fd = open(sys.argv[1], 'a')\n"
           "fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)",
           os.path.join(self.ganeti.root, "dpkg", name)],
          stderr=subprocess.DEVNULL)
        with open(held, "a", encoding="ascii") as stream:
          stream.write("held\n" if code else "free\n")
      real(*args)

    for command in ("install", "uninstall"):
      with mock.patch.object(self.installer._Installer, "_RunDivert",
                             staticmethod(_RunDivert)):
        self._Succeed(self.ganeti, command, "")
      with open(held, encoding="ascii") as stream:
        self.assertEqual(set(stream), {"held\n"})
      os.unlink(held)


if __name__ == "__main__":
  unittest.main()

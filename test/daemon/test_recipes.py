#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Each command in doc/recipes.rst runs as it stands there, one by one.

The commands write to /etc, ask the resolver and change the packet filter. So
they run in namespaces: with a copy of /etc, a network of their own and their
own daemons, ganeti-confd and dnsmasq. L{Inside} is what runs there. The one
program that is not the real one is systemctl, since there is no systemd: it
restarts dnsmasq, and writes down what it was told.

"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest

import testutils


_PAGE = os.path.join(testutils.SRCDIR, "doc", "recipes.rst")
_EXAMPLES = os.path.join(testutils.SRCDIR, "doc", "examples")
_INSTALLED = "/usr/share/doc/ganeti-confd-client/examples"

_COMMAND_RE = re.compile(r"  [#$] (.*)")

#: The programs that are needed, and their Debian packages
_NEEDED = {
  "ansible-inventory": "ansible-core",
  "dnsmasq": "dnsmasq-base",
  "ip": "iproute2",
  "nft": "nftables",
  "promtool": "prometheus",
  "ssh": "openssh-client",
  }

_NAMESPACES = ["unshare", "--user", "--map-root-user", "--mount", "--net",
               "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]

_SYSTEMCTL = """\
#!/bin/sh
case $1 in
  restart|try-restart) kill $(cat %(pid)s);;
  reload) kill -HUP $(cat %(pid)s);;
esac
# A program that waits for this line may end this script
echo "$*" >>%(log)s
"""


def _Blocks():
  """Reads the page.

  @return: list of (None, commands) and (path, contents of that file); a command
    is a pair of itself and the lines of output below it

  """
  blocks = []
  text = testutils.ReadFile(_PAGE).decode("ascii")
  for (before, block) in re.findall(r"((?:^.*\S\n)+)\n((?:^  .*\n|\n)+)", text,
                                    re.MULTILINE):
    if not before.rstrip().endswith("::"):
      continue
    if not _COMMAND_RE.match(block):
      (path, ) = re.findall(r"\*(/[\w./-]+)\*::", before.replace("\n", " "))
      blocks.append((path, textwrap.dedent(block)))
      continue
    commands = []
    for line in block.splitlines():
      match = _COMMAND_RE.match(line)
      if match:
        commands.append((match.group(1), []))
      elif line.strip():
        commands[-1][1].append(line.strip())
    blocks.append((None, commands))
  return blocks


def _Unit():
  """Returns the command line that the example of a unit runs.

  """
  text = testutils.ReadFile(os.path.join(_EXAMPLES, "confd-export.service"))
  lines = text.decode("ascii").replace("\\\n", " ").splitlines()
  (start, ) = [line for line in lines if line.startswith("ExecStart=")]
  return shlex.split(start.partition("=")[2])


class _Sandbox:
  """The world in the namespaces.

  """
  def __init__(self, directory, daemon):
    self.log = os.path.join(directory, "systemctl.log")
    self._pid = os.path.join(directory, "dnsmasq.pid")
    self._bin = os.path.join(directory, "bin")
    self._home = directory
    os.mkdir(self._bin)
    os.symlink(os.path.join(testutils.BUILDDIR, "tools", "confd-client"),
               os.path.join(self._bin, "confd-client"))
    testutils.WriteFile(
      os.path.join(self._bin, "systemctl"),
      (_SYSTEMCTL % {"log": self.log, "pid": self._pid}).encode("ascii"), 0o755)
    os.makedirs("/etc/ganeti", exist_ok=True)
    for path in ["/etc/dnsmasq.d", "/etc/ssh/ssh_config.d",
                 "/etc/systemd/system"]:
      os.makedirs(path, exist_ok=True)
    testutils.WriteFile("/etc/ganeti/confd-client.conf", (
      "[confd-client]\ncluster = example\n[cluster example]\n"
      "addresses = 127.0.0.1:%d\nkey_file = %s\n" %
      (daemon.port, daemon.key_file)).encode("ascii"))
    testutils.WriteFile("/etc/resolv.conf", b"nameserver 127.0.0.1\n")
    testutils.WriteFile("/etc/nsswitch.conf", b"hosts: files dns\n")

  def Environment(self):
    return dict(os.environ, HOME=self._home,
                PATH=":".join([self._bin, os.environ["PATH"], "/usr/sbin",
                               "/sbin"]))

  def Run(self, command):
    """Runs a command line as somebody types it.

    """
    return testutils.Run(
      ["sh", "-c", command.replace(_INSTALLED, _EXAMPLES)],
      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
      encoding="utf-8", env=self.Environment(), cwd=self._home,
      timeout=6 * testutils.PATIENCE)

  def ServeNames(self):
    """Runs dnsmasq as a service, which is started again when it has ended.

    """
    # The program stays root, as this namespace has no other user
    line = ("while :; do dnsmasq --no-daemon --conf-dir=/etc/dnsmasq.d"
            " --no-resolv --log-facility=/dev/null & echo $! >%s; wait;"
            " sleep 0.1; done" % self._pid)
    subprocess.Popen(["sh", "-c", line], env=self.Environment(),
                     stdin=subprocess.DEVNULL)
    testutils.WaitFor(self._IsServing, "dnsmasq serves")

  @staticmethod
  def _IsServing():
    with socket.socket() as sock:
      return sock.connect_ex(("127.0.0.1", 53)) == 0


def _Check(sandbox, command, output):
  """Runs a command of the page, and looks at its output.

  """
  def _Try():
    results.append(sandbox.Run(command))
    shown = [line.strip() for line in results[-1].stdout.splitlines()]
    return results[-1].returncode == 0 and all(
      # In columns
      any(" ".join(line.split()) in " ".join(i.split()) for i in shown)
      for line in output)
  results = []
  print("%.1f s: %s" % (time.monotonic(), command), flush=True)
  try:
    # The answering process may have to read a file first
    testutils.WaitFor(_Try, command)
  except AssertionError as err:
    raise AssertionError("%s: %s, expected %s; %s" %
                         (command, results[-1:], output, err)) from None


def _CheckUnit(sandbox, daemon):
  """Has the unit's command line see a change, and bring it to dnsmasq.

  """
  path = "/etc/dnsmasq.d/ganeti.conf"
  started = testutils.ReadFile(sandbox.log)
  directory = os.path.dirname(path)
  away = directory + ".away"
  os.rename(directory, away)
  said = os.path.join(sandbox.Environment()["HOME"], "said")
  with open(said, "wb") as output:
    process = subprocess.Popen(_Unit(), env=sandbox.Environment(),
                               stdin=subprocess.DEVNULL, stderr=output)
  try:
    config = testutils.ReadFile(daemon.config_file)
    changed = config.replace(b"203.0.113.12", b"203.0.113.77")
    assert changed != config
    changed = changed.replace(b'"serial_no": 1234', b'"serial_no": 1235')
    daemon.WriteConfig(changed)
    # At first it cannot be written
    testutils.WaitFor(
      lambda: b"%s: No such file" % os.fsencode(path) in
      testutils.ReadFile(said), "the directory is missed")
    os.rename(away, directory)
    testutils.WaitFor(lambda: b",203.0.113.77" in testutils.ReadFile(path),
                      "the file is replaced")
    testutils.WaitFor(
      lambda: testutils.ReadFile(sandbox.log) != started, "dnsmasq is told")
  except BaseException:
    process.kill()
    raise
  process.terminate()
  code = testutils.WaitForExit(process, "watch export")
  assert code == -signal.SIGTERM, code
  _Check(sandbox, "getent hosts web2.example.com", ["203.0.113.77"])


def Inside():
  """Carries out the page, in namespaces where all is its own.

  """
  subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
  directory = tempfile.mkdtemp(prefix="ganeti-confd-test.")
  etc = os.path.join(directory, "etc")
  # Not all of it may be read by everybody
  subprocess.run(["cp", "-R", "--preserve=mode,links", "/etc", etc],
                 check=False, stderr=subprocess.DEVNULL)
  subprocess.run(["mount", "--bind", etc, "/etc"], check=True)
  config = testutils.ReadFile(os.path.join(_EXAMPLES, "cluster.json"))
  try:
    with testutils.Daemon(config) as daemon:
      sandbox = _Sandbox(directory, daemon)
      blocks = _Blocks()
      for (path, text) in blocks:
        if path is not None:
          os.makedirs(os.path.dirname(path), exist_ok=True)
          testutils.WriteFile(path, text.encode("ascii"), 0o644)
      sandbox.ServeNames()
      count = 0
      for (path, commands) in blocks:
        for (command, output) in commands if path is None else ():
          _Check(sandbox, command, output)
          count += 1
      with open(sandbox.log, encoding="ascii") as log:
        told = log.read().splitlines()
      assert told == ["restart dnsmasq", "daemon-reload",
                      "enable --now confd-export", "reload dnsmasq"], told
      # dnsmasq has been told of two files that the page writes one after the
      # other
      sandbox.Run("confd-client export dnsmasq -o /etc/dnsmasq.d/ganeti.conf")
      _CheckUnit(sandbox, daemon)
      print(count)
  finally:
    subprocess.run(["umount", "/etc"], check=False)
    shutil.rmtree(directory, ignore_errors=True)


class TestRecipes(unittest.TestCase):
  def test(self):
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    for (program, package) in _NEEDED.items():
      if shutil.which(program, path=path) is None:
        self.skipTest("there is no %s (Debian package %s)" % (program, package))
    if subprocess.run(_NAMESPACES + ["true"], check=False,
                      stderr=subprocess.DEVNULL).returncode:
      self.skipTest("user namespaces are not permitted")
    modules = [os.path.dirname(__file__), os.path.dirname(testutils.__file__),
               testutils.MODULEDIR]
    result = testutils.Run(
      _NAMESPACES + [sys.executable, "-c",
                     "import test_recipes; test_recipes.Inside()"],
      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
      timeout=30 * testutils.PATIENCE,
      env=dict(os.environ, PATH=path, PYTHONPATH=os.pathsep.join(modules)))
    self.assertEqual(result.returncode, 0, result.stdout)
    self.assertGreater(int(result.stdout.splitlines()[-1]), 20)


if __name__ == "__main__":
  unittest.main()

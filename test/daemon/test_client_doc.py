#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Each program in doc/client.rst runs as it stands there.

The programs run where names, addresses and the default port lead to a real
daemon on the example configuration, and have to print what the page says.

"""

import datetime
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
import uuid

import testutils

from ganeti.confd.protocol import keyfile
from ganeti.confd.protocol import readerkey


_PAGE = os.path.join(testutils.SRCDIR, "doc", "client.rst")
_CONFIG = os.path.join(testutils.SRCDIR, "doc", "examples", "cluster.json")

_BLOCK_RE = re.compile(r"^\.\. code-block:: (\w+)\n\n((?:  .*\n|\n)+)",
                       re.MULTILINE)

#: Runs a program in a small world: all hosts are this one, and the key is
#: where the page has it
_RUNNER = """
import builtins
import socket
import sys

(path, port, *key_files) = sys.argv[1:]
keys = dict(zip(["/etc/confd.key", "/etc/grafana.key"], key_files))
real = socket.getaddrinfo
_HOSTS = {
  "node1.example.com": "127.0.0.1",
  "192.0.2.1": "127.0.0.1",
  "192.0.2.2": "127.0.0.2",
  # The same port, but TCP
  "chat.example.com": "127.0.15.7",
  }

def _Lookup(host, asked, *args, **kwargs):
  if isinstance(host, bytes):
    host = host.decode("ascii")
  if host in _HOSTS:
    (host, asked) = (_HOSTS[host], port)
  return real(host, asked, *args, **kwargs)

real_open = builtins.open

def _Open(path, *args, **kwargs):
  return real_open(keys.get(path, path), *args, **kwargs)

real_socket = socket.socket

class _Socket(real_socket):
  def sendto(self, data, address):
    if address[0] in _HOSTS:
      address = (_HOSTS[address[0]], int(port))
    return real_socket.sendto(self, data, address)

socket.getaddrinfo = _Lookup
socket.socket = _Socket
builtins.open = _Open
with real_open(path) as source:
  exec(compile(source.read(), path, "exec"), {"__name__": "__main__"})
"""


def _Dedent(text):
  return "\n".join(line[2:] for line in text.strip("\n").splitlines()) + "\n"


def _Programs():
  """Reads the page.

  @rtype: pair of lists, of (string, string) and of strings
  @return: programs and what they print, and programs that do not end

  """
  with open(_PAGE, encoding="utf-8") as page:
    blocks = [(kind, _Dedent(text))
              for (kind, text) in _BLOCK_RE.findall(page.read())]
  programs = []
  endless = []
  for ((kind, text), (after, output)) in zip(blocks, blocks[1:] + [("", "")]):
    if kind == "python" and after == "text":
      programs.append((text, output))
    elif kind == "python":
      endless.append(text)
  return (programs, endless)


class _Chat(http.server.BaseHTTPRequestHandler):
  """Takes messages for a chat, but refuses the first time.

  """
  def do_POST(self): # pylint: disable=C0103
    data = self.rfile.read(int(self.headers["Content-Length"]))
    self.server.requests.append(json.loads(data)["text"])
    self.send_response(200 if len(self.server.requests) > 1 else 503)
    self.end_headers()

  def log_message(self, format, *args): # pylint: disable=W0622
    pass


class TestPage(unittest.TestCase):
  maxDiff = None

  def setUp(self):
    (self.programs, self.endless) = _Programs()
    directory = tempfile.TemporaryDirectory()
    self.addCleanup(directory.cleanup)
    self.tmpdir = directory.name
    self.daemon = testutils.Daemon(testutils.ReadFile(_CONFIG),
                                   address="0.0.0.0")
    self.addCleanup(self.daemon.Stop)
    self.daemon.Start()
    testutils.WriteFile(os.path.join(self.daemon.datadir,
                                     "ssconf_master_candidates_ips"),
                        b"192.0.2.1\n192.0.2.2\n")
    os.mkdir(os.path.join(self.tmpdir, "ganeti"))
    testutils.WriteFile(os.path.join(self.tmpdir, "ganeti",
                                     "confd-client.conf"),
                        b"[cluster fsn]\nkey_file = /etc/confd.key\n"
                        b"addresses = node1.example.com\n")
    self.reader = os.path.join(self.tmpdir, "grafana.key")
    label = readerkey.Make("grafana", ["list", "ping"],
                           datetime.date(2099, 12, 31))
    testutils.WriteFile(self.reader, keyfile.Format(testutils.KEY, label)
                        .encode("ascii"))
    self.runner = os.path.join(self.tmpdir, "runner")
    testutils.WriteFile(self.runner, _RUNNER.encode("ascii"))

  def _Popen(self, program, **kwargs):
    """Runs a program of the page.

    """
    path = os.path.join(self.tmpdir, "program%s" % uuid.uuid4())
    testutils.WriteFile(path, program.encode("utf-8"))
    env = dict(os.environ, XDG_CONFIG_HOME=self.tmpdir,
               **testutils.InRoot(self.daemon.root))
    env["PATH"] = "%s:%s" % (self.tmpdir, env["PATH"])
    return subprocess.Popen(
      [sys.executable, self.runner, path, str(self.daemon.port),
       self.daemon.key_file, self.reader], stdin=subprocess.DEVNULL, env=env,
      stderr=subprocess.PIPE, universal_newlines=True, **kwargs)

  def testPrograms(self):
    self.assertGreater(len(self.programs), 6)
    for (program, expected) in self.programs:
      with self._Popen(program, stdout=subprocess.PIPE) as proc, \
          self.subTest(program=program):
        self.assertEqual(testutils.Communicate(proc), (expected, ""))

  def _Change(self, **changes):
    """Changes the configuration.

    @param changes: what stands for what, as texts

    """
    data = testutils.ReadFile(self.daemon.config_file)
    serial = json.loads(data)["serial_no"]
    for (old, new) in changes.items():
      self.assertIn(old.encode("ascii"), data)
      data = data.replace(old.encode("ascii"), new.encode("ascii"))
    self.daemon.WriteConfig(data.replace(
      b'"serial_no": %d' % serial, b'"serial_no": %d' % (serial + 1)))

  def _End(self, proc):
    proc.kill()
    self.assertEqual(proc.communicate()[1], "")

  def testFirewall(self):
    """In a network of its own.

    """
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    nft = shutil.which("nft", path=path)
    unshare = ["unshare", "--user", "--map-root-user", "--net"]
    if nft is None or subprocess.run(unshare + ["true"], check=False,
                                     stderr=subprocess.DEVNULL).returncode:
      self.skipTest("there is no nft, or namespaces are not permitted")
    (program, ) = [i for i in self.endless if '"nft"' in i]
    # The shell prints a line when it is there, and ends when its standard input
    # does
    with subprocess.Popen(unshare + ["sh", "-c", "echo; read -r nothing"],
                          stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as holder:
      holder.stdout.readline()
      inside = os.path.join(self.tmpdir, "nft")
      testutils.WriteFile(inside, (
        "#!/bin/sh\nexec nsenter --target=%d --user --net"
        " --preserve-credentials %s \"$@\"\n" % (holder.pid, nft))
        .encode("ascii"), 0o755)

      def _Addresses():
        result = subprocess.run(
          [inside, "list", "set", "inet", "ganeti", "web"], check=False,
          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="ascii")
        return re.findall(r"[0-9.]+\.[0-9.]+", result.stdout)
      with self._Popen(program) as proc:
        try:
          testutils.WaitFor(lambda: _Addresses() == ["203.0.113.11",
                                                     "203.0.113.12"], "the set")
          self._Change(**{"203.0.113.12": "203.0.113.77"})
          testutils.WaitFor(lambda: _Addresses() == ["203.0.113.11",
                                                     "203.0.113.77"], "a move")
          self._Change(**{"203.0.113.11": "2001:db8::1",
                          "203.0.113.77": "}; flush ruleset"})
          testutils.WaitFor(lambda: not _Addresses(), "no address")
          self.assertIsNone(proc.poll())
        finally:
          self._End(proc)

  def testChat(self):
    (program, ) = [i for i in self.endless if "chat.example.com" in i]
    server = http.server.HTTPServer(("127.0.15.7", self.daemon.port), _Chat)
    server.requests = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    self.addCleanup(thread.join)
    self.addCleanup(server.server_close)
    self.addCleanup(server.shutdown)
    with self._Popen(program) as proc:
      try:
        testutils.WaitFor(
          lambda: self.daemon.Ask(65)["answer"]["waiting"]["now"] > 0,
          "it waits")
        self._Change(**{'"test1.example.com"': '"test2.example.com"'})
        testutils.WaitFor(lambda: len(server.requests) == 2, "the message")
        self._Change(**{"203.0.113.12": "203.0.113.77"})
        self._Change(**{'"test2.example.com"': '"test1.example.com"'})
        testutils.WaitFor(lambda: len(server.requests) == 3, "the next one")
        self.assertIsNone(proc.poll())
      finally:
        self._End(proc)
    there = "test2.example.com is new, on node10.example.com"
    self.assertEqual(server.requests, [
      "test1.example.com is gone\n" + there] * 2 + [
      "test2.example.com is gone\n" + there.replace("test2", "test1")])


if __name__ == "__main__":
  unittest.main()

#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Each program in doc/client.rst runs as it stands there.

They run where names, addresses and the default port lead to a real daemon on
the example configuration, and have to print what the page says.

"""

import datetime
import os
import re
import subprocess
import sys
import tempfile
import unittest

import testutils

from ganeti.confd import keyfile
from ganeti.confd import readerkey


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

  @rtype: list of (string, string)
  @return: programs and what they print

  """
  with open(_PAGE, encoding="utf-8") as page:
    blocks = [(kind, _Dedent(text))
              for (kind, text) in _BLOCK_RE.findall(page.read())]
  return list(zip([text for (kind, text) in blocks if kind == "python"],
                  [text for (kind, text) in blocks if kind == "text"]))


class TestPage(unittest.TestCase):
  maxDiff = None

  def testPrograms(self):
    programs = _Programs()
    self.assertGreater(len(programs), 6)
    with testutils.Daemon(testutils.ReadFile(_CONFIG),
                          address="0.0.0.0") as daemon, \
        tempfile.TemporaryDirectory() as tmpdir:
      testutils.WriteFile(os.path.join(daemon.datadir,
                                       "ssconf_master_candidates_ips"),
                          b"192.0.2.1\n192.0.2.2\n")
      os.mkdir(os.path.join(tmpdir, "ganeti"))
      testutils.WriteFile(os.path.join(tmpdir, "ganeti", "confd-client.conf"),
                          b"[cluster fsn]\nkey_file = /etc/confd.key\n"
                          b"addresses = node1.example.com\n")
      reader = os.path.join(tmpdir, "grafana.key")
      label = readerkey.Make("grafana", ["list", "ping"],
                             datetime.date(2099, 12, 31))
      testutils.WriteFile(reader, keyfile.Format(testutils.KEY, label)
                          .encode("ascii"))
      runner = os.path.join(tmpdir, "runner")
      testutils.WriteFile(runner, _RUNNER.encode("ascii"))
      for (index, (program, expected)) in enumerate(programs):
        path = os.path.join(tmpdir, "program%d" % index)
        testutils.WriteFile(path, program.encode("utf-8"))
        result = subprocess.run(
          [sys.executable, runner, path, str(daemon.port), daemon.key_file,
           reader],
          env=dict(os.environ, XDG_CONFIG_HOME=tmpdir,
                   **testutils.InRoot(daemon.root)), timeout=60,
          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
          universal_newlines=True, check=False)
        with self.subTest(program=program):
          self.assertEqual((result.stdout, result.stderr), (expected, ""))


if __name__ == "__main__":
  unittest.main()

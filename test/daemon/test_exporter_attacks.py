# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-exporter under attack by clients that want to keep all others out.

No test here fails for a time alone: an honest client's waiting time is compared
with that at another exporter, on the same machine at the same time.

"""

import contextlib
import http.client
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

import attacker
import processes
import testutils
import webserver


#: As many as there may be
_CONNECTIONS = 400

#: Most memory during an attack (MB)
_MEMORY = 128

#: Most memory that an attack leaves behind (MB): 8 MB of answers that are kept,
#: and memory that malloc keeps for the next attack: that of 400 copies for slow
#: readers (32 kB each), and of the objects of 400 connections
_LEFT = 32

#: Seconds that an attack takes, one of them before all connections are there
_SECONDS = 2

#: How many seconds longer, and how many times as long, honest clients may wait
#: as without an attack. Without limits they would wait half a minute. The
#: attacker and other tests use most of the machine.
_LONGER = 10
_TIMES = 20

_PAGES = ["/healthz", "/c/", "/c/nodes", "/c/instances"]

#: A regular expression that takes longer than the universe will last
_ENDLESS = "name =~ m/(i|n|s|t|.)*(.|.)*!$/ and pnode != \"%d\""

_REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def _Config(serial=17):
  return testutils.MakeConfig(
    nodes=[testutils.MakeNode(1, master_candidate=True,
                              primary_ip="127.0.3.1"), testutils.MakeNode(2)],
    instances=[testutils.MakeInstance(
      index, 1, nics=["198.18.%d.%d" % (index >> 8, index & 255)])
               for index in range(1, 1001)], serial_no=serial)


def _Memory(pid):
  """Returns the memory of a process and its children (MB).

  """
  return processes.TreeMemory(pid) / 1e6


class _Attack:
  """A process that attacks, as a context manager.

  """
  def __init__(self, kind, port):
    self._proc = subprocess.Popen(
      [sys.executable, attacker.__file__, kind, str(port), str(_CONNECTIONS),
       str(_SECONDS)], stdout=subprocess.PIPE, encoding="ascii")

  def __enter__(self):
    assert self._proc.stdout.readline() == "ready\n"
    return self

  def __exit__(self, *_):
    self._proc.kill()
    self._proc.communicate()

  def IsOver(self):
    return self._proc.poll() is not None


class _TestCase(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    cls.daemon = testutils.Daemon(_Config(), address="127.0.3.1")
    cls.addClassCleanup(cls.daemon.Kill)
    cls.daemon.Start()

  def _Start(self):
    """Starts an exporter with a history.

    """
    directory = tempfile.mkdtemp(prefix="ganeti-confd-test.")
    self.addCleanup(shutil.rmtree, directory)
    exporter = webserver.Exporter({"c": self.daemon}, [
      "--history", os.path.join(directory, "history")])
    self.addCleanup(exporter.Kill)
    exporter.Start()
    exporter.WaitForSerial("c", 17)
    testutils.WaitFor(lambda: exporter.Metric("ganeti_history_changes_total",
                                              cluster="c") is not None,
                      "the first state; %s" % exporter.Output())
    for path in [*_PAGES, "/metrics"]:
      self.assertEqual(exporter.Ask(path).status, 200)
    return exporter

  def _Time(self, exporter, path):
    start = time.monotonic()
    answer = exporter.Ask(path)
    self.assertEqual(answer.status, 200)
    return time.monotonic() - start


class TestConnections(_TestCase):
  """Connections that pipeline, drip, never end or never read.

  """
  def _Attack(self, kind, exporter, other):
    """Attacks one of two exporters.

    @return: what it takes in memory at most (MB), and how long honest clients
      wait, for it and the other one (s)

    """
    memory = [_Memory(exporter.proc.pid)]
    waits = ([], [])
    done = threading.Event()

    def _Watch():
      while not done.wait(0.05):
        memory.append(_Memory(exporter.proc.pid))
    thread = threading.Thread(target=_Watch)
    thread.start()
    try:
      with _Attack(kind, exporter.port) as attack:
        is_over = False
        while not is_over:
          for path in _PAGES:
            for (server, times) in zip((exporter, other), waits):
              times.append(self._Time(server, path))
          self.assertLess(memory[-1], 2 * _MEMORY)
          # On a slow machine, the attack may be over after the first turn
          is_over = attack.IsOver()
    finally:
      done.set()
      thread.join()
    return (max(memory), *map(statistics.median, waits))

  def testAll(self):
    exporter = self._Start()
    other = self._Start()
    before = _Memory(exporter.proc.pid)
    output = exporter.OwnLines()
    for kind in attacker.KINDS:
      with self.subTest(kind):
        (memory, wait, usual) = self._Attack(kind, exporter, other)
        self.assertLess(memory, _MEMORY)
        self.assertLess(wait, _LONGER + _TIMES * usual)
        testutils.WaitFor(
          lambda: _Memory(exporter.proc.pid) - before < _LEFT,
          "memory is given back, %d MB of %d" % (
            _Memory(exporter.proc.pid) - before, memory))
    self.assertEqual(exporter.OwnLines(), output)

  def _Sent(self, sock, data):
    """Sends until the server takes no more.

    @return: how many bytes that are

    """
    sent = 0
    sock.settimeout(1)
    with contextlib.suppress(OSError):
      while sent < 10000000:
        sent += sock.send(data)
    return sent

  def testSystem(self):
    """The kernel's buffers for a connection are limited, too.

    """
    exporter = self._Start()
    with exporter.Connect() as sock:
      sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
      sock.sendall(_REQUEST.replace(b"/healthz", b"/c/events"))
      self.assertLess(self._Sent(sock, bytes(1000)), 400000)
    with socket.socket() as sock:
      sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
      sock.connect(("127.0.0.1", exporter.port))
      address = "%08X:%04X" % (0x0100007f, exporter.port)
      sock.sendall(_REQUEST.replace(b"/healthz", b"/metrics"))

      def _Queues():
        """Returns how many bytes this process has not read yet.

        """
        lines = testutils.ReadFile("/proc/net/tcp").decode("ascii").splitlines()
        return [int(fields[4].partition(":")[0], 16)
                for fields in (line.split() for line in lines[1:])
                if fields[1] == address and fields[3] == "01"]
      testutils.WaitFor(lambda: max(_Queues(), default=0) > 1000, "it is full")
      self.assertLess(max(_Queues(), default=0), 400000)

  def testOrder(self):
    """The newest connection is always served.

    """
    exporter = self._Start()
    with contextlib.ExitStack() as stack:
      socks = []
      for number in range(2 * _CONNECTIONS):
        sock = stack.enter_context(socket.socket())
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", exporter.port))
        # Complete and incomplete requests by turns
        sock.sendall(_REQUEST.replace(b"/healthz", b"/metrics") if number % 2
                     else _REQUEST[:-2])
        socks.append(sock)
        if number % 100 == 99:
          self.assertEqual(exporter.Ask("/healthz").status, 200)
      # Connections that made progress last are kept
      self.assertTrue(socks[-1].recv(100).startswith(b"HTTP/1.1 200 "))
      socks[-2].sendall(b"\r\n")
      self.assertTrue(socks[-2].recv(100).startswith(b"HTTP/1.1 200 "))
      testutils.WaitFor(lambda: _IsCut(socks[0]), "the oldest one is cut")

  def testErrorsArrive(self):
    """A client that sends too much gets an answer before it is cut off.

    """
    exporter = self._Start()
    for (status, data) in [
        (b"414", b"GET /" + b"a" * 30000),
        (b"431", _REQUEST[:-2] + b"x: " + b"a" * 30000),
        (b"413", _REQUEST[:-2] + b"Content-Length: 30000\r\n\r\n" +
         bytes(30000)), (b"200", _REQUEST * 20)]:
      for _ in range(5):
        with exporter.Connect() as sock:
          sock.sendall(data)
          with sock.makefile("rb") as stream:
            answer = stream.read()
        self.assertTrue(answer.startswith(b"HTTP/1.1 %s " % status), answer)
        self.assertEqual(answer.count(b"HTTP/1.1 "), 1)


def _IsCut(sock):
  sock.settimeout(0.1)
  try:
    return not sock.recv(1000)
  except ConnectionError:
    return True
  except OSError:
    return False


class TestFilters(_TestCase):
  def testOthersDoNotWait(self):
    """Requests without a filter do not wait for slow filters.

    """
    exporter = self._Start()
    other = self._Start()
    over = threading.Event()
    statuses = set()

    def _Attack(number):
      # The exporter is stopped in the end
      with contextlib.suppress(OSError, http.client.HTTPException):
        while not over.is_set():
          statuses.add(exporter.Ask(
            "/c/instances.json?" + urllib.parse.urlencode(
              {"filter": _ENDLESS % number})).status)

    threads = [threading.Thread(target=_Attack, args=(number, ))
               for number in range(12)]
    for thread in threads:
      thread.start()
    try:
      # Some filters are turned away when the queue is full
      testutils.WaitFor(lambda: 503 in statuses, "a full queue")
      for serial in (18, 19):
        self.daemon.WriteConfig(_Config(serial))
        other.WaitForSerial("c", serial)
        exporter.WaitForSerial("c", serial)
        for path in ["/sd/instances", "/c/nodes", "/c/instances", "/metrics",
                     "/c/map", "/c/instances.json", "/c/instances?sort=-name",
                     "/c/node/node1.example.com", "/search?q=inst",
                     "/c/history", "/c/history.json?kind=node",
                     "/sd/instances?label.a=b&port=80"]:
          with self.subTest(path):
            # A request in the queue of filters would be refused, as that queue
            # is full: the status would be 503. The time is measured again if it
            # is long, as any single request may take long on a busy machine.
            testutils.WaitFor(
              lambda path=path: (self._Time(exporter, path) <
                                 2 + _TIMES * self._Time(other, path)),
              "%s is answered beside slow filters" % path)
    finally:
      over.set()
      exporter.Stop()
      for thread in threads:
        thread.join()


class TestOtherSites(_TestCase):
  """Requests that a browser sends because of a page of another site.

  """
  def test(self):
    exporter = self._Start()
    a_filter = "/c/nodes?filter=name%20!=%20%22%22"
    link = {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    for site in ("cross-site", "same-site", "what comes next"):
      for (path, headers, status) in [
          ("/metrics", {}, 403), ("/c/events", {}, 403),
          ("/c/map.svg", {"Sec_Fetch_Mode": "no-cors",
                          "Sec_Fetch_Dest": "image"}, 403),
          ("/c/", dict(link, Sec_Fetch_Dest="iframe"), 403),
          ("/c/", link, 200), ("/c/node/node1.example.com", link, 200),
          ("/c/node1", link, 302), (a_filter, link, 403),
          (a_filter, dict(link, Sec_Fetch_User="?1"), 200)]:
        answer = exporter.Ask(path, Sec_Fetch_Site=site, **headers)
        self.assertEqual(answer.status, status, (site, path, headers))
    for site in ("same-origin", "none"):
      for path in ("/metrics", "/c/map.svg", a_filter):
        self.assertEqual(exporter.Ask(path, Sec_Fetch_Site=site).status, 200)
    # A WebSocket
    self.assertEqual(exporter.Ask(
      a_filter, Origin="http://192.0.2.1", Upgrade="websocket",
      Connection="Upgrade").status, 403)


if __name__ == "__main__":
  unittest.main()

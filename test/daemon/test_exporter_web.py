#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""The web server confd-exporter, against real daemons.

"""

import contextlib
import datetime
import gzip
import json
import os
import re
import select
import signal
import socket
import subprocess
import tempfile
import threading
import unittest
import urllib.parse
from unittest import mock

from prometheus_client import parser as promparser

import processes
import testutils
import webserver

from ganeti.confd import printable
from ganeti.confd import protocol
from ganeti.confd.protocol import keyfile
from ganeti.confd.protocol import readerkey


#: What the manual page says that a key needs
_RIGHTS = ["config", "list", "mc-ips", "ping", "stats", "wait"]

#: A regular expression that takes longer than the universe will last
_ENDLESS = "name =~ m/(i|n|s|t|.)*(.|.)*!$/"

#: Regular expressions that take memory for each of billions of steps
_LARGE = ["m/(?:a?){4294967294}!/", "m/(?:(?:(?:){65535}){65535}){65535}!/"]


def _Path(path, **query):
  return "%s?%s" % (path, urllib.parse.urlencode(query))


def _Config(serial=17, address="127.0.3.1", count=3, **kwargs):
  return testutils.MakeConfig(
    nodes=[testutils.MakeNode(1, master_candidate=True, primary_ip=address),
           testutils.MakeNode(2)],
    disks=[testutils.MakeDrbd(1, 1, 2)],
    instances=[testutils.MakeInstance(
      index, 1, disks=[1] if index == 1 else [],
      nics=["198.18.%d.%d" % (index >> 8, index & 255)],
      tags=["tag"], beparams={"maxmem": 512, "vcpus": 2})
               for index in range(1, count + 1)],
    serial_no=serial, **kwargs)


def _Run(*args, **env):
  """Runs the program, which shall end by itself.

  @return: exit code and what it has printed

  """
  environment = {name: value for (name, value) in os.environ.items()
                 if name != "PYTHONPATH"}
  result = testutils.Run(
    [webserver.PROGRAM, *args], env=dict(environment, **env), check=False,
    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    encoding="utf-8", timeout=3 * testutils.PATIENCE)
  return (result.returncode, result.stdout)


def _ReadAll(sock):
  """Reads until the other end closes, or cuts, the connection.

  """
  data = b""
  with contextlib.suppress(ConnectionError):
    while True:
      part = sock.recv(1 << 16)
      if not part:
        break
      data += part
  return data


def _ReadUntil(sock, text):
  """Reads until a text has come.

  """
  data = b""
  while text not in data:
    part = sock.recv(1000)
    assert part, data
    data += part


class _TestCase(webserver.TwoClusters):
  @staticmethod
  def MakeConfig():
    return _Config(count=2000)

  def _CheckHeaders(self, answer):
    for (name, text) in [("content-security-policy", "default-src 'none'"),
                         ("x-content-type-options", "nosniff"),
                         ("referrer-policy", "no-referrer"),
                         ("cross-origin-resource-policy", "same-origin"),
                         ("cache-control", "no-cache"),
                         ("connection", "close")]:
      self.assertIn(text, answer.headers.get(name, ""), answer)
    self.assertNotIn("access-control-allow-origin", answer.headers)


class TestWebRoutes(_TestCase):
  """Paths, methods and headers of requests.

  """
  def testAll(self):
    for (path, content_type, text) in [
        ("/", "text/html; charset=utf-8", "href=\"/plain/\""),
        ("/healthz", "text/plain; charset=utf-8", "ok\n"),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8",
         "ganeti_instance_vcpus{cluster=\"plain\",instance=\"inst7.example.com"
         "\"} 2.0"),
        ("/style.css", "text/css; charset=utf-8", "color-scheme"),
        ("/update.js", "text/javascript; charset=utf-8", "EventSource"),
        ("/sd/instances?cluster=plain", "application/json; charset=utf-8",
         "\"198.18.0.7:9100\""),
        ("/sd/nodes?cluster=plain", "application/json; charset=utf-8",
         "\"192.0.2.2:9100\""),
        ("/plain/", "text/html; charset=utf-8", "cluster.example.com"),
        ("/plain/nodes", "text/html; charset=utf-8", "node2.example.com"),
        ("/plain/nodes.json", "application/json; charset=utf-8",
         "\"node2.example.com\""),
        ("/plain/instances", "text/html; charset=utf-8", "inst7.example.com"),
        ("/plain/instances.json", "application/json; charset=utf-8",
         "\"inst7.example.com\""),
        ("/plain/groups", "text/html; charset=utf-8", "default"),
        ("/plain/networks", "text/html; charset=utf-8", "0 of 0"),
        ("/plain/groups.json", "application/json; charset=utf-8", "default"),
        ("/plain/networks.json", "application/json; charset=utf-8", "[]"),
        ("/plain/node/node2.example.com", "text/html; charset=utf-8",
         "Secondary IP"),
        ("/plain/findings", "text/html; charset=utf-8", "0 of 0"),
        ("/plain/findings?check=few-candidates", "text/html; charset=utf-8",
         "All findings"),
        ("/plain/findings?check=%3Cb%3E", "text/html; charset=utf-8",
         "no check &quot;&lt;b&gt;&quot;"),
        ("/plain/findings.json", "application/json; charset=utf-8",
         "\"answer\": []"),
        ("/plain/map", "text/html; charset=utf-8", "2 nodes, 2000 instances"),
        ("/plain/instances?page=10", "text/html; charset=utf-8",
         "Page 10 of 10"),
        ("/plain/instances?page=11", "text/html; charset=utf-8",
         "the pages are 1 to 10"),
        ("/plain/map?group=default", "text/html; charset=utf-8",
         "2 nodes, 2000 instances"),
        ("/plain/map?page=2", "text/html; charset=utf-8",
         "the pages are 1 to 1"),
        ("/plain/map.svg?group=default", "image/svg+xml",
         "plain, group default, serial 17"),
        ("/plain/map?group=%3Cb%3E", "text/html; charset=utf-8",
         "no group &quot;&lt;b&gt;&quot;"),
        ("/plain/map.svg", "image/svg+xml", "<svg")]:
      with self.subTest(path):
        answer = self.exporter.Ask(path)
        self.assertEqual((answer.status, answer.headers["content-type"]),
                         (200, content_type))
        self.assertIn(text, answer.text)
        if answer.headers["content-type"].startswith("text/html"):
          self.assertNotIn("here-->", answer.text)
        self._CheckHeaders(answer)
        self.assertEqual(int(answer.headers["content-length"]),
                         len(answer.body))
        packed = self.exporter.Ask(path, Accept_Encoding="br, gzip")
        if "content-encoding" in packed.headers:
          self.assertEqual(packed.headers["vary"], "Accept-Encoding")
          self.assertEqual(answer.headers["vary"], "Accept-Encoding")
          self.assertLess(len(packed.body), len(answer.body) + 100)
          body = gzip.decompress(packed.body)
          # Some metrics change with each request
          self.assertEqual(body[:len(body) // 2],
                           answer.body[:len(body) // 2])
          self._CheckHeaders(packed)
        else:
          self.assertEqual(packed.body, answer.body)
        head = self.exporter.Ask(path, "HEAD")
        self.assertEqual((head.status, head.body), (200, b""))
        for name in ("content-length", "content-type"):
          self.assertEqual(head.headers[name], answer.headers[name])
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"):
          other = self.exporter.Ask(path, method)
          self.assertEqual((other.status, other.headers.get("allow")),
                           (405, "GET, HEAD"))
          self._CheckHeaders(other)
    answer = json.loads(self.exporter.Ask("/plain/nodes.json").body)
    self.assertEqual((answer["serial"], answer["age"], len(answer["answer"])),
                     (17, 0, 2))

  def testNotThere(self):
    for path in ["/x", "/x/", "/x/nodes", "/x/events", "/plain", "/plain/x",
                 "/plain/nodes/", "/plain/node/", "/plain/node/x",
                 "/plain/node/x/y", "/sd/", "/sd/networks", "//",
                 "/../etc/passwd", "/plain/..%2f..%2fetc/passwd",
                 "/sd/nodes?cluster=x",
                 "/%ff%fe/", "/%00/", "/%ED%A0%80/"]:
      answer = self.exporter.Ask(path)
      self.assertEqual(answer.status, 404, path)
      self._CheckHeaders(answer)

  def testWrong(self):
    for path in [_Path("/plain/nodes.json", filter="nothing == 1"),
                 _Path("/plain/nodes.json", filter="name =="),
                 _Path("/plain/nodes.json", filter="x" * 1001),
                 _Path("/plain/nodes.json", sort="nothing"),
                 "/plain/nodes.json?filter=%ED%A0%80%00",
                 _Path("/sd/nodes", port="http"),
                 _Path("/sd/nodes", filter="nothing"),
                 _Path("/plain/findings.json", check="nothing"),
                 _Path("/plain/map.svg", group="nothing")]:
      answer = self.exporter.Ask(path)
      self.assertEqual(answer.status, 400, path)
      self.assertTrue(json.loads(answer.body)["error"])
      self._CheckHeaders(answer)
    page = self.exporter.Ask(_Path("/plain/nodes", filter="no <b> == 1"))
    self.assertIn("cannot be understood", page.text)
    self.assertNotIn("<b>", page.text)

  def testByName(self):
    """Requests by a name of an attacker's are refused (DNS rebinding).

    """
    port = self.exporter.port
    for host in ["127.0.0.1", "127.0.0.1:%d" % port, "[::1]:%d" % port,
                 "localhost", "LOCALHOST:80", "192.0.2.7", "[2001:db8::1]"]:
      self.assertEqual(self.exporter.Ask("/plain/", Host=host).status, 200)
    for host in ["evil.example.com", "evil.example.com:%d" % port, "",
                 "localhost.evil.example.com", "127.0.0.1.evil.example.com",
                 "evil.localhost", "localhost.", "127.1", "0x7f.1", "[::1",
                 "127.0.0.1@evil.example.com", "evil.example.com:127.0.0.1"]:
      for path in ("/", "/metrics", "/plain/events", "/nothing"):
        answer = self.exporter.Ask(path, Host=host)
        self.assertEqual(answer.status, 421, host)
        self._CheckHeaders(answer)
    # One of two is enough
    with self.exporter.Connect() as sock:
      sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n"
                   b"Host: evil.example.com\r\n\r\n")
      self.assertRegex(_ReadAll(sock), rb"\AHTTP/1\.[01] 4[0-9][0-9] ")

  def testNotHttp(self):
    """Other data get a short error, or no answer, and nothing is logged.

    """
    before = self.exporter.OwnLines()
    for data in [
        b"\n" * 100, b"\r\n\r\n", b"\0" * 5000, os.urandom(5000) + b"\r\n\r\n",
        b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET  / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(600),
        b"GET / HTTP/1.1\r\nHost: localhost\r\nx\r\n\r\n",
        b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n\r\n",
        b"GET /?" + b"a=b&" * 20000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nx: " + b"a" * 20000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 200000 + b"\r\n",
        b"CONNECT localhost:22 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://evil.example.com/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\n\r\n" + b"x" * 1000000,
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n"
        b"Content-Encoding: deflate\r\n\r\n" + b"x" * 1000000,
        # Only the first of them is answered
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 10000]:
      with self.subTest(data[:40]):
        with self.exporter.Connect() as sock:
          # The server may close the connection at any time; then even ENOTCONN
          # is possible, which is no ConnectionError
          with contextlib.suppress(OSError):
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
          answer = _ReadAll(sock)
        self.assertLess(len(answer), 3000)
        self.assertLessEqual(answer.count(b"HTTP/1."), 1)
        self.assertNotIn(b"Traceback", answer)
        if answer:
          self.assertIn(b"Content-Security-Policy: default-src 'none'", answer)
    self.assertEqual(self.exporter.Ask("/healthz").status, 200)
    self.assertEqual(self.exporter.OwnLines(), before)


class TestWebHostile(_TestCase):
  """Any names and values in a configuration.

  """
  def testMetrics(self):
    text = self.exporter.Ask("/metrics").text
    names = []
    seen = set()
    for family in promparser.text_string_to_metric_families(text):
      for sample in family.samples:
        key = (sample.name, tuple(sorted(sample.labels.items())))
        self.assertNotIn(key, seen)
        seen.add(key)
        if (sample.name == "ganeti_instance_info" and
            sample.labels["cluster"] == "hostile"):
          names.append(sample.labels["instance"])
    for name in webserver.HOSTILE:
      # Clients put that in place of half a pair
      self.assertIn(printable.Printable(name.replace("\ud800", "\ufffd")),
                    names)
    self.assertEqual(self.exporter.Metric(
      "ganeti_instance_vcpus", cluster="plain", instance="inst1.example.com"),
                     2)

  def testPromtool(self):
    text = self.exporter.Ask("/metrics").body
    try:
      result = testutils.Run(["promtool", "check", "metrics"], input=text,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             check=False, timeout=6 * testutils.PATIENCE)
    except FileNotFoundError:
      self.skipTest("no promtool (Debian package prometheus)")
    self.assertEqual((result.returncode, result.stdout), (0, b""))

  def testPages(self):
    for page in ["", "findings", "nodes", "instances", "groups", "networks",
                 "map"]:
      (usual, hostile) = (
        webserver.Elements(self.exporter.Ask("/%s/%s" % (name, page)).text)
        for name in ("plain", "hostile"))
      # The hostile cluster has findings, too
      self.assertEqual(hostile.tags - usual.tags -
                       {"table", "thead", "th", "tbody", "td", "tr", "strong",
                        "details", "summary", "ul", "li"},
                       set())
      self.assertEqual(hostile.attributes - usual.attributes -
                       {"scope", "role", "data-title", "title"}, set())
      self.assertEqual(hostile.comments, [])
      self.assertNotIn("onerror", hostile.attributes)
    page = webserver.Elements(self.exporter.Ask("/hostile/instances").text)
    for name in webserver.HOSTILE:
      if name.isprintable():
        self.assertIn(name, page.texts)

  def testJson(self):
    for path in ("/hostile/instances.json", "/hostile/nodes.json"):
      rows = json.loads(self.exporter.Ask(path).body)["answer"]
      self.assertIn(webserver.HOSTILE[0], [row["name"] for row in rows])
    targets = self.exporter.Ask("/sd/instances?cluster=hostile")
    self.assertEqual(targets.status, 200)
    json.loads(targets.body)


class TestWebLimits(_TestCase):
  """Limits of what a client can cost.

  """
  def _Filters(self, count):
    """Waits until the server tries a number of filters at a time.

    @return: their process ids

    """
    def _Find():
      found = processes.Children(self.exporter.proc.pid)
      # The oldest child is the collector
      return found[1:] if len(found) == 1 + count else None

    return testutils.WaitFor(_Find, "%d filters are tried" % count)

  def testEndlessFilter(self):
    """An endless filter is given up, and no other request waits for it.

    """
    answers = {}
    before = testutils.ProcessTree(self.exporter.proc.pid)

    def _Ask(path):
      answers[path] = self.exporter.Ask(_Path(path, filter=_ENDLESS))

    paths = ["/plain/instances", "/plain/instances.json"]
    threads = [threading.Thread(target=_Ask, args=(path, )) for path in paths]
    for thread in threads:
      thread.start()
    # However slow the machine is, both filters are still tried meanwhile
    with processes.Paused(*self._Filters(2)):
      for path in ("/healthz", "/metrics", "/plain/", "/plain/map"):
        self.assertEqual(self.exporter.Ask(path).status, 200)
      self.assertEqual(answers, {})
    for thread in threads:
      thread.join()
    self.assertEqual([answers[path].status for path in paths], [200, 503])
    for path in paths:
      self.assertIn("takes too long", answers[path].text)
      self._CheckHeaders(answers[path])
    testutils.WaitFor(lambda: testutils.ProcessTree(self.exporter.proc.pid) ==
                      before, "nothing is left")

  def testLargeFilter(self):
    """A filter that wants gigabytes at once is given up before it has them.

    """
    for pattern in _LARGE:
      for (path, status) in (("/plain/nodes", 200), ("/plain/nodes.json", 503)):
        with self.subTest(pattern, path=path):
          answer = self.exporter.Ask(_Path(path, filter="name =~ %s" % pattern))
          self.assertEqual(answer.status, status)
          self.assertIn("takes too much memory", answer.text)
    self.assertNotIn("Traceback", self.exporter.Output())

  def testTooManyFilters(self):
    """Where too many filters wait, others are refused at once.

    """
    def _ThisPath(number):
      return _Path("/plain/instances.json",
                   filter="%s and pnode != \"%d\"" % (_ENDLESS, number))

    with contextlib.ExitStack() as stack:
      for number in range(25):
        sock = stack.enter_context(self.exporter.Connect())
        sock.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" %
                     _ThisPath(number).encode("ascii"))
      # None of them is given up meanwhile
      with processes.Paused(*self._Filters(2)):
        answer = self.exporter.Ask(_ThisPath(25))
      self.assertEqual(answer.status, 503)
      self.assertNotIn("takes too long", answer.text)

  def testSlowFilters(self):
    """Other filters do not wait until slow ones are given up.

    """
    self.exporter.Ask(_Path("/plain/nodes.json", filter="name != \"x\""))
    with self.exporter.Connect() as sock:
      sock.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" %
                   _Path("/plain/instances.json",
                         filter=_ENDLESS).encode("ascii"))
      with processes.Paused(*self._Filters(1)):
        for number in range(3):
          answer = self.exporter.Ask(_Path("/plain/nodes.json",
                                           filter="name != \"%d\"" % number))
          self.assertEqual(answer.status, 200)
      self.assertEqual(select.select([sock], [], [], 0)[0], [])

  def testSlowRequests(self):
    """Headers that never end, on more connections than there may be.

    """
    sockets = []
    try:
      for _ in range(450):
        sock = self.exporter.Connect()
        sockets.append(sock)
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nx: ")
        if len(sockets) % 90 == 0:
          self.assertEqual(self.exporter.Ask("/healthz").status, 200)
      # The oldest had to go; in the end, so does the last
      for sock in (sockets[0], sockets[-1]):
        self.assertEqual(_ReadAll(sock), b"")
    finally:
      for sock in sockets:
        sock.close()

  def _OwnMemory(self):
    return processes.Memory(self.exporter.proc.pid, "Private_Dirty")

  def testSlowReaders(self):
    """Slow readers do not cost a copy of the answer each.

    """
    size = len(self.exporter.Ask("/metrics").body)
    self.assertGreater(size, 1000000)
    before = self._OwnMemory()
    sockets = []
    try:
      for _ in range(100):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", self.exporter.port))
        sockets.append(sock)
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
      for sock in sockets:
        self.assertTrue(sock.recv(100).startswith(b"HTTP/1.1 200 OK\r\n"))
      self.assertEqual(self.exporter.Ask("/healthz").status, 200)
      self.assertLess(self._OwnMemory() - before, 40 << 20)
    finally:
      for sock in sockets:
        sock.close()

  def testManyScrapers(self):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(
      self.exporter.Ask("/metrics"))) for _ in range(100)]
    for thread in threads:
      thread.start()
    for thread in threads:
      thread.join()
    self.assertEqual([answer.status for answer in answers], [200] * 100)
    # Metrics of confd itself may have changed meanwhile
    self.assertEqual(len({
      tuple(line for line in answer.body.splitlines()
            if not line.startswith((b"ganeti_confd_", b"ganeti_facts_age_")))
      for answer in answers}), 1)


class TestWebWatching(unittest.TestCase):
  """Daemons that come and go.

  """
  def setUp(self):
    self.daemon = testutils.Daemon(_Config(), address="127.0.3.1")
    self.addCleanup(self.daemon.Kill)

  @staticmethod
  def _WaitUp(exporter, value):
    testutils.WaitFor(
      lambda: exporter.Metric("ganeti_up", cluster="c") == value,
      "ganeti_up is %s" % value, 60)

  def testAll(self):
    self.daemon.port = testutils.FreePort("127.0.3.1")
    with webserver.Exporter(webserver.Settings("c", [self.daemon]),
                            ["--no-instances"]) as exporter:
      # No daemon answers yet
      self.assertEqual(exporter.Metric("ganeti_up", cluster="c"), 0)
      self.assertIsNone(exporter.Metric("ganeti_facts_age_seconds",
                                        cluster="c"))
      testutils.WaitFor(lambda: "No answer" in exporter.Ask("/c/").text,
                        "it says so")
      for path in ("/", "/c/nodes", "/c/instances", "/c/map", "/healthz"):
        self.assertEqual(exporter.Ask(path).status, 200, path)
      for path in ("/c/nodes.json", "/c/map.svg", "/sd/nodes"):
        self.assertEqual(exporter.Ask(path).status, 503, path)

      self.daemon.Start()
      self._WaitUp(exporter, 1)
      exporter.WaitForSerial("c", 17)
      self.assertEqual(exporter.Metric("ganeti_facts_age_seconds", cluster="c"),
                       0)
      self.assertNotIn("ganeti_instance_", exporter.Ask("/metrics").text)

      # All streams get the event, slow ones, too
      streams = []
      for path in ["/events", "/c/events"] * 100:
        sock = exporter.Connect()
        self.addCleanup(sock.close)
        sock.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" %
                     path.encode())
        self.assertIn(b"text/event-stream", sock.recv(1000))
        streams.append(sock)
      self.assertEqual(exporter.Ask("/c/events").status, 503)
      self.assertEqual(exporter.Ask("/c/nodes").status, 200)
      self.daemon.WriteConfig(_Config(18))
      for sock in streams[:2]:
        _ReadUntil(sock, b"data: changed\n\n")
      exporter.WaitForSerial("c", 18)
      # A stream that is closed makes room for another
      streams.pop().close()
      testutils.WaitFor(lambda: exporter.Ask("/c/events", "HEAD").status == 200,
                        "there is room")

      # All daemons are down: the last known state is served, with its age
      root = tempfile.mkdtemp(dir=self.daemon.root)
      self.daemon.proc.kill()
      self.daemon.proc.wait()
      self._WaitUp(exporter, 0)
      self.assertGreater(exporter.Metric("ganeti_facts_age_seconds",
                                         cluster="c"), 0)
      self.assertEqual(exporter.Metric("ganeti_cluster_config_serial",
                                       cluster="c"), 18)
      for path in ("/c/", "/c/nodes", "/c/map"):
        self.assertIn("what was known", exporter.Ask(path).text)
      self.assertGreater(json.loads(exporter.Ask("/c/nodes.json").body)["age"],
                         0)
      self.assertEqual(exporter.Ask("/sd/nodes").status, 200)
      os.rmdir(root)

      # And back
      self.daemon.WriteConfig(_Config(19))
      self.daemon.Start()
      self._WaitUp(exporter, 1)
      exporter.WaitForSerial("c", 19)
      self.assertNotIn("what was known", exporter.Ask("/c/").text)

      # Another key: its file is read again
      self.daemon.key = b"another key of this cluster's\n"
      testutils.WriteFile(self.daemon.key_file, self.daemon.key)
      self.daemon.proc.send_signal(signal.SIGHUP)
      self.daemon.WriteConfig(_Config(20))
      self.daemon.WaitForSerial(20)
      exporter.WaitForSerial("c", 20)

      # Open streams do not keep it
      self.assertEqual(exporter.Stop(), 0)
      self.assertNotIn("Traceback", exporter.Output())

  def testOneOfTwo(self):
    """One candidate is down: its metrics say so, and nothing else does.

    """
    config = testutils.MakeConfig(nodes=[
      testutils.MakeNode(index, master_candidate=True,
                         primary_ip="127.0.3.%d" % index)
      for index in (1, 2)])
    self.daemon.WriteConfig(config)
    self.daemon.Start()
    other = testutils.Daemon(config, address="127.0.3.2", port=self.daemon.port)
    self.addCleanup(other.Kill)
    other.Start()
    with webserver.Exporter(webserver.Settings("c", [self.daemon, other])
                            ) as exporter:
      for address in ("127.0.3.1", "127.0.3.2"):
        testutils.WaitFor(
          lambda address=address: exporter.Metric(
            "ganeti_confd_up", cluster="c", candidate=address) == 1,
          "both are up")
      self.daemon.proc.kill()
      self.daemon.proc.wait()
      testutils.WaitFor(
        lambda: exporter.Metric("ganeti_confd_up", cluster="c",
                                candidate="127.0.3.1") == 0,
        "one is down", 60)
      self._WaitUp(exporter, 1)
      other.WriteConfig(dict(config, serial_no=18))
      exporter.WaitForSerial("c", 18)


class TestWebProcesses(unittest.TestCase):
  """The server and the collector, the process that asks.

  """
  def setUp(self):
    self.daemon = testutils.Daemon(_Config(address="127.0.0.1"))
    self.addCleanup(self.daemon.Kill)
    self.daemon.Start()
    settings = webserver.Settings("c", [self.daemon])
    # The client library resolves a name in a thread
    self.assertIn("addresses = 127.0.0.1\n", settings)
    self.exporter = webserver.Exporter(settings.replace("127.0.0.1",
                                                        "localhost"))
    self.addCleanup(self.exporter.Kill)
    self.exporter.Start()
    self.exporter.WaitForSerial("c", 17)
    self.server = self.exporter.proc.pid
    testutils.WaitFor(lambda: self._Metric("ganeti_up") == 1, "it is up")

  def _Metric(self, name):
    return self.exporter.Metric(name, cluster="c")

  def _Collector(self):
    """Waits until the server has no other child than the collector.

    @return: the collector's process id

    """
    def _Find():
      children = processes.Children(self.server)
      return children if len(children) == 1 else None

    return testutils.WaitFor(_Find, "the collector alone")[0]

  def _Threads(self, pid):
    return int(processes.Status(pid, "Threads"))

  def testThreads(self):
    """The server forks, and so has one thread.

    """
    for path in ("/c/nodes", "/c/instances", "/metrics"):
      self.assertEqual(self.exporter.Ask(path).status, 200)
    self.daemon.WriteConfig(_Config(18, "127.0.0.1"))
    self.exporter.WaitForSerial("c", 18)
    self.assertEqual(self._Threads(self.server), 1)
    # Threads are the reason for the collector
    self.assertGreater(self._Threads(self._Collector()), 1)

  def testCollectorKilled(self):
    """The server starts another collector, and serves the last state meanwhile.

    """
    collectors = set()
    before = len(processes.OpenFiles(self.server))
    for serial in (18, 19, 20):
      collectors.add(self._Collector())
      # The next collector gets no answer until the test has looked
      with processes.Paused(*processes.Find(self.daemon).All()):
        os.kill(self._Collector(), signal.SIGKILL)
        testutils.WaitFor(lambda: self._Metric("ganeti_up") == 0, "it is gone")
        self.assertRegex(self.exporter.Ask("/c/").text,
                         "was ended by signal 9|No answer")
        self.assertEqual(self._Metric("ganeti_cluster_config_serial"),
                         serial - 1)
      self.daemon.WriteConfig(_Config(serial, "127.0.0.1"))
      self.exporter.WaitForSerial("c", serial)
      testutils.WaitFor(lambda: self._Metric("ganeti_up") == 1, "it is up")
    self.assertEqual(len(collectors), 3)
    # No socket is left of the collectors before
    testutils.WaitFor(lambda: len(processes.OpenFiles(self.server)) <= before,
                      "no descriptors are left")
    self.assertEqual(self.exporter.Output().count("No cluster is asked"),
                     3)
    self.assertNotIn("Traceback", self.exporter.Output())

  def testServerKilled(self):
    """The collector ends with the server.

    """
    collector = self._Collector()
    self.exporter.proc.kill()
    self.exporter.proc.wait()
    processes.WaitForEnd([collector])

  def testTerminated(self):
    """The collector leaves it to the server to stop on a signal.

    """
    output = self.exporter.Output()
    collector = self._Collector()
    os.kill(collector, signal.SIGTERM)
    os.kill(collector, signal.SIGINT)
    self.assertEqual(self._Collector(), collector)
    self.assertEqual(self.exporter.Stop(), 0)
    processes.WaitForEnd([collector])
    self.assertEqual(self.exporter.Output(), output)


class TestWebReadersKey(unittest.TestCase):
  """A reader's key with the rights that the manual page names.

  """
  def setUp(self):
    self.daemon = testutils.Daemon(_Config(), address="127.0.3.1")
    self.addCleanup(self.daemon.Stop)
    self.daemon.Start()

  def _Settings(self, rights, name=None, last_day=None):
    name = name or "-".join(rights)
    path = os.path.join(self.daemon.root, name + ".key")
    testutils.WriteFile(path, keyfile.Format(
      testutils.KEY, readerkey.Make("web", rights, last_day)).encode("ascii"))
    return webserver.Settings(name, [self.daemon], path)

  def testEnd(self):
    """The end of a key is a metric, and a warning from 30 days before on.

    """
    today = datetime.datetime.now(datetime.timezone.utc).date()
    days = {"soon": 3, "late": 400, "over": -3}
    settings = "".join(
      self._Settings(_RIGHTS, name, today + datetime.timedelta(number))
      for (name, number) in days.items())
    with webserver.Exporter(settings + self._Settings(_RIGHTS, "never")
                            ) as exporter:
      for name in ("soon", "late", "never"):
        exporter.WaitForSerial(name, 17)
      epoch = datetime.date(1970, 1, 1)
      for (name, number) in days.items():
        # The key is valid until the end of its last day
        end = (today - epoch).days + number + 1
        testutils.WaitFor(
          lambda name=name, end=end: exporter.Metric(
            "ganeti_reader_key_end_seconds", cluster=name) == 86400 * end,
          "the end of the key is known")
      self.assertIsNone(exporter.Metric("ganeti_reader_key_end_seconds",
                                        cluster="never"))
      for (name, text) in [("soon", "The key of the reader &#x27;web&#x27; ends"
                            " in "), ("over", "has ended")]:
        for path in ("/%s/" % name, "/"):
          testutils.WaitFor(
            lambda path=path, text=text: text in exporter.Ask(path).text,
            "%s says so" % path)
      for name in ("late", "never"):
        self.assertNotIn("The key of", exporter.Ask("/%s/" % name).text)

  def test(self):
    page = testutils.ReadFile(os.path.join(
      testutils.SRCDIR, "doc", "confd-exporter.rst")).decode("utf-8")
    self.assertIn("--may %s" % ",".join(_RIGHTS), page)
    with webserver.Exporter(self._Settings(_RIGHTS)) as exporter:
      name = "-".join(_RIGHTS)
      exporter.WaitForSerial(name, 17)
      testutils.WaitFor(
        lambda: exporter.Metric("ganeti_confd_up", cluster=name,
                                candidate="127.0.3.1") == 1, "it is up")
      self.daemon.WriteConfig(_Config(18))
      exporter.WaitForSerial(name, 18)
      # The key never shows
      key = testutils.ReadFile(os.path.join(self.daemon.root,
                                            name + ".key")).split()[-1]
      self.assertEqual(len(key), 64)
      for path in ("/metrics", "/", "/%s/" % name):
        self.assertNotIn(key, exporter.Ask(path).body)
      self.assertNotIn(key.decode(), exporter.Output())
    (_, statistics) = self.daemon.Answer(protocol.REQ_STATS)
    self.assertEqual(statistics["replies"]["not-permitted"], 0)

  def testServiceKey(self):
    """A key that systemd passes comes before that of the settings.

    """
    os.mkdir(os.path.join(self.daemon.root, "keys"))
    testutils.WriteFile(os.path.join(self.daemon.root, "keys", "keys_c.key"),
                        testutils.KEY)
    with mock.patch.dict(os.environ, CREDENTIALS_DIRECTORY=os.path.join(
        self.daemon.root, "keys")), \
        webserver.Exporter(webserver.Settings("c", [self.daemon],
                                              "/nonexistent") +
                           webserver.Settings("d", [self.daemon])) as exporter:
      exporter.WaitForSerial("c", 17)
      # No key of the service has this name
      exporter.WaitForSerial("d", 17)

  def testKeyFileGone(self):
    """The library's warning is in the log, and what is known stays.

    """
    with webserver.Exporter(self._Settings(_RIGHTS, "c")) as exporter:
      exporter.WaitForSerial("c", 17)
      os.unlink(os.path.join(self.daemon.root, "c.key"))
      # The candidates are asked every 15 seconds
      testutils.WaitFor(
        lambda: "WARNING The old key remains in use: Cannot read the HMAC key"
        in exporter.Output(), "the log says so", 3 * testutils.PATIENCE)
      self.assertIn("node1.example.com", exporter.Ask("/c/").text)

  def testNoPing(self):
    """Without the right to ping, nothing is known, and the pages say why.

    """
    rights = [i for i in _RIGHTS if i != "ping"]
    with webserver.Exporter(self._Settings(rights, "c")) as exporter:
      def _Says():
        texts = webserver.Elements(exporter.Ask("/c/").text).texts
        return re.search("Nothing is known now: .*: not permitted .*the key of"
                         " the reader 'web' may ask config", " ".join(texts))
      testutils.WaitFor(_Says, "there is a problem")

  def testFewRights(self):
    """What the key permits is shown, and which rights are missing.

    """
    cases = {
      "few": ["list", "ping"],
      "nodes": ["config", "list/nodes", "ping", "stats"],
      "pings": ["ping"],
      }
    with webserver.Exporter("".join(
        self._Settings(rights, name)
        for (name, rights) in cases.items())) as exporter:
      for name in cases:
        testutils.WaitFor(
          lambda name=name: exporter.Metric("ganeti_cluster_config_serial",
                                            cluster=name) == 17,
          "%s is known" % name)
        testutils.WaitFor(
          lambda name=name: "Without " in exporter.Ask("/%s/" % name).text,
          "the rights are known")
      (few, nodes, pings) = (
        " ".join(webserver.Elements(exporter.Ask("/%s/" % name).text).texts)
        for name in cases)
      for (page, text) in [
          (few, "may ask list and ping for ever. Without config, stats, these"),
          (few, "not checked"), (few, "node1.example.com"),
          (nodes, "Without list/instances, list/groups, list/networks,"
           " list/disks, these"), (nodes, "cluster.example.com"),
          (pings, "Without config, stats, list, these")]:
        self.assertIn(text, page)
      for (page, title) in [(few, "Name"), (nodes, "Instances 0"),
                            (pings, "Nodes 0")]:
        self.assertNotIn(title + " ", page.partition("Master cand")[0])
      for (path, status) in [
          ("/few/nodes.json", 200), ("/few/findings.json", 503),
          ("/few/instances", 200), ("/few/node/node1.example.com", 200),
          ("/nodes/nodes.json", 200), ("/nodes/instances.json", 503),
          ("/nodes/instances", 200), ("/nodes/map", 200),
          ("/nodes/map.svg", 503), ("/few/map.svg", 200),
          ("/nodes/node/node1.example.com", 200), ("/pings/nodes.json", 503),
          ("/pings/map", 200), ("/pings/groups", 200),
          ("/sd/nodes?cluster=nodes", 200), ("/sd/nodes", 503),
          ("/sd/instances?cluster=nodes", 503), ("/", 200)]:
        answer = exporter.Ask(path)
        self.assertEqual(answer.status, status, path)
        if status == 503:
          self.assertIn("does not permit", answer.text)
      # No page says that there is nothing if the key may not ask for it
      for (path, has, texts) in [
          ("/nodes/instances", False, ["0 of 0"]),
          ("/nodes/instances", True, [
            "Not known: the key does not permit to list instances"]),
          ("/nodes/nodes", True, ["node1.example.com"]),
          ("/nodes/map", False, ["0 instances", "no instances", "0 MiB"]),
          ("/nodes/map", True, ["does not permit to list instances"]),
          ("/nodes/map?group=x", False, ["no group"]),
          ("/nodes/node/node1.example.com", False, [
            "instances (0)", "If this node fails", "Evacuation", "None."]),
          ("/nodes/node/node1.example.com", True, [
            "Primary IP", "What belongs to the node is not known"]),
          ("/few/node/node1.example.com", False, [
            "If this node fails", "Evacuation"]),
          ("/few/node/node1.example.com", True, [
            "Primary instances (", "Where the instances can go is not known"]),
          ("/nodes/instance/x", True, ["it may not list instances"]),
          ("/few/instance/x", False, ["may not list"]),
          ("/search?q=nothing", True, [
            "Cluster nodes: the key does not permit to list"
            " instances and groups", "Cluster pings: the key does not"]),
          ("/search?q=nothing", False, ["Cluster few:"]),
          ("/nodes/findings", True, ["Not checked: the key lacks rights"]),
          ("/nodes/findings", False, ["0 of 0"]),
          ("/few/", False, ["0 findings"])]:
        answer = exporter.Ask(path).text
        for text in texts:
          self.assertEqual(text in answer, has, (path, text))
      metrics = exporter.Get("/metrics")
      for (name, cluster, has) in [
          ("ganeti_cluster_findings", "few", False),
          ("ganeti_cluster_findings", "nodes", False),
          ("ganeti_cluster_nodes", "nodes", True),
          ("ganeti_cluster_nodes", "pings", False),
          ("ganeti_cluster_instances", "few", True),
          ("ganeti_cluster_instances", "nodes", False),
          ("ganeti_node_role", "nodes", True),
          ("ganeti_node_instances_memory_bytes", "few", True),
          # The rules of the cluster's tags are not known
          ("ganeti_node_instances_without_failover", "few", False),
          ("ganeti_node_instances_memory_bytes", "nodes", False)]:
        self.assertEqual(bool(re.search(
          r"\n%s\{[^}]*cluster=\"%s\"" % (name, cluster), metrics)), has,
                         (name, cluster))
      self.assertNotIn("Programming error", exporter.Output())


class TestWebStart(unittest.TestCase):
  """Errors at the start are told in one line.

  """
  def _Settings(self, text):
    directory = tempfile.TemporaryDirectory()
    self.addCleanup(directory.cleanup)
    os.mkdir(os.path.join(directory.name, "ganeti"))
    path = os.path.join(directory.name, "ganeti", "confd-client.conf")
    testutils.WriteFile(path, text.encode("utf-8"))
    return directory.name

  def testWrong(self):
    good = "[cluster c]\naddresses = 127.0.3.1\nkey_file = /nonexistent\n"
    with socket.socket() as taken:
      taken.bind(("127.0.0.1", 0))
      taken.listen()
      port = taken.getsockname()[1]
      for (settings, args, text) in [
          (good, ["--listen=127.0.0.1:%d" % port], "Cannot listen on 127.0.0.1,"
           " port %d: " % port),
          (good, ["--listen=192.0.2.1:%d" % port], "Cannot listen on"),
          (good, ["--listen=no.such.host.invalid:%d" % port], "Cannot listen"),
          (good, ["--cluster=x"], "No such cluster: 'x'"),
          ("[cluster c]\nadresses = x\n", [], "adresses"),
          ("[cluster sd]\naddresses = 127.0.3.1\nkey_file = /nonexistent\n", [],
           "'sd'"),
          ("rubbish", [], "rubbish")]:
        with self.subTest(text):
          (code, output) = _Run(*args, XDG_CONFIG_HOME=self._Settings(settings))
          # An address may be there the next time
          self.assertEqual(code, 1 if "listen" in text else 2, output)
          self.assertRegex(output, r"\Aconfd-exporter: [^\n]+\n\Z")
          self.assertIn(text, output)
    for args in [["--listen=x"], ["--listen=127.0.0.1:99999"], ["--nothing"],
                 ["x"]]:
      self.assertEqual(_Run(*args)[0], 2)

  def testMissingModules(self):
    """The script itself says so.

    """
    for module in ("h11", "prometheus_client"):
      with tempfile.TemporaryDirectory() as directory:
        testutils.WriteFile(
          os.path.join(directory, module + ".py"),
          b"raise ImportError('No module named x', name='%s')" %
          module.encode())
        (code, output) = _Run(PYTHONPATH=directory)
        self.assertEqual(code, 2, output)
        self.assertRegex(output, r"\Aconfd-exporter: [^\n]*python3-h11"
                         r"[^\n]*\n\Z")

  def testWrongEnvironment(self):
    (code, output) = _Run(GANETI_ROOTDIR="relative")
    self.assertEqual(code, 2, output)
    self.assertRegex(output, r"\Aconfd-exporter: [^\n]*relative[^\n]*\n\Z")

  def testNoKey(self):
    """A missing key is a problem of the cluster, as it may come later.

    """
    with webserver.Exporter("[cluster c]\naddresses = 127.0.3.1\n"
                            "key_file = /nonexistent\n") as exporter:
      testutils.WaitFor(lambda: "/nonexistent" in exporter.Ask("/c/").text,
                        "it says so")


if __name__ == "__main__":
  unittest.main()

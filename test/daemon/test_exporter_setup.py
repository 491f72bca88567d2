#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-exporter as it is set up: its unit, and nginx in front of it.

"""

import base64
import http.client
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import unittest

import test_unit
import testutils
import webserver


EXAMPLES = os.path.join(testutils.SRCDIR, "doc", "examples")
UNIT = os.path.join(EXAMPLES, "confd-exporter.service")

#: doc/security.rst has what systemd-analyze says: this, divided by ten
_EXPOSURE = 12


class _Daemon(unittest.TestCase):
  def setUp(self):
    self.directory = tempfile.mkdtemp(prefix="ganeti-confd-test.")
    self.addCleanup(shutil.rmtree, self.directory)
    self.daemon = testutils.Daemon(testutils.MakeConfig(nodes=[
      testutils.MakeNode(1, master_candidate=True, primary_ip="127.0.3.1")]),
                                   address="127.0.3.1")
    self.addCleanup(self.daemon.Kill)
    self.daemon.Start()

  def _Write(self, name, text):
    path = os.path.join(self.directory, name)
    testutils.WriteFile(path, text.encode("utf-8"))
    return path


@unittest.skipUnless(shutil.which("systemd-analyze"),
                     "no systemd-analyze (Debian package systemd)")
class TestUnit(_Daemon):
  def setUp(self):
    _Daemon.setUp(self)
    self.unit = testutils.ReadFile(UNIT).decode("utf-8")

  def _Analyze(self, *args):
    path = self._Write("confd-exporter.service", self.unit.replace(
      "ExecStart=confd-exporter", "ExecStart=" + webserver.PROGRAM))
    return testutils.Run(["systemd-analyze", *args, path],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         encoding="utf-8", check=False,
                         timeout=10 * testutils.PATIENCE)

  def testVerify(self):
    result = self._Analyze("verify", "--man=no")
    self.assertEqual([line for line in result.stdout.splitlines()
                      if "confd" in line], [])

  def testMemory(self):
    """If the kernel kills a forked process, systemd leaves the server alone.

    """
    lines = self.unit.splitlines()
    self.assertTrue([i for i in lines if i.startswith("MemoryMax=")])
    self.assertIn("OOMPolicy=continue", lines)

  def testSecurity(self):
    result = self._Analyze("security", "--offline=yes",
                           "--threshold=%d" % _EXPOSURE)
    self.assertEqual(result.returncode, 0, result.stdout[-2000:])
    page = testutils.ReadFile(os.path.join(testutils.SRCDIR, "doc",
                                           "security.rst")).decode("utf-8")
    self.assertIn("``systemd-analyze security`` rates it %.1f" %
                  (_EXPOSURE / 10), " ".join(page.split()))

  def testSystemCalls(self):
    """The unit permits all system calls that the program needs.

    """
    # pylint: disable=W0212
    allowed = test_unit._Allowed(test_unit._Lists(), self.unit)
    for name in ("mount", "setuid", "setpriority", "ptrace"):
      self.assertNotIn(name, allowed)
    path = self._Write("calls", "\n".join(allowed))

    class _Filtered(webserver.Exporter):
      """The program behind the filter.

      """
      def CommandLine(self, args):
        return [sys.executable, "-c", test_unit._FILTERED, path, *args]

    history = os.path.join(self.directory, "history")
    with _Filtered({"c": self.daemon}, ["--history", history]) as exporter:
      exporter.WaitForSerial("c", 17)
      testutils.WaitFor(lambda: exporter.Metric(
        "ganeti_history_up", cluster="c") and exporter.Metric(
          "ganeti_history_changes_total", cluster="c") is not None,
                        "the history; %s" % exporter.Output())
      for page in ("/metrics", "/", "/c/", "/c/nodes", "/c/map.svg",
                   "/sd/nodes?filter=name%20%3D*%20%22*%22"):
        self.assertEqual(exporter.Ask(page).status, 200, exporter.Output())
      self.daemon.WriteConfig(testutils.MakeConfig(
        nodes=[testutils.MakeNode(1, master_candidate=True,
                                  primary_ip="127.0.3.1")],
        instances=[testutils.MakeInstance(1, 1)], serial_no=18))
      exporter.WaitForSerial("c", 18)
      testutils.WaitFor(lambda: "added on" in exporter.Ask("/c/history").text,
                        "a change; %s" % exporter.Output())
      self.assertEqual(exporter.Stop(), 0)
      self.assertNotIn("Traceback", exporter.Output())


@unittest.skipUnless(shutil.which("nginx") or os.path.exists("/usr/sbin/nginx"),
                     "no nginx (Debian package nginx-light)")
class TestNginx(_Daemon):
  """The example, with other ports and files.

  """
  def _Certificate(self):
    names = [os.path.join(self.directory, name) for name in ("pem", "key")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                    "-subj", "/CN=confd.example.com", "-days", "2", "-out",
                    names[0], "-keyout", names[1]], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return names

  def _Nginx(self, *args):
    return ["nginx", "-p", self.directory, "-e", "stderr", "-c",
            os.path.join(self.directory, "nginx.conf"), *args]

  def testAll(self):
    exporter = webserver.Exporter({"c": self.daemon})
    self.addCleanup(exporter.Kill)
    exporter.Start()
    exporter.WaitForSerial("c", 17)
    port = testutils.FreePort()
    (certificate, key) = self._Certificate()
    password = subprocess.run(["openssl", "passwd", "-apr1", "secret"],
                              stdout=subprocess.PIPE, check=True).stdout
    example = testutils.ReadFile(os.path.join(
      EXAMPLES, "confd-exporter.nginx")).decode("utf-8")
    for (old, new) in [
        ("  listen [::]:443 ssl;\n", ""),
        ("listen 443 ssl", "listen 127.0.0.1:%d ssl" % port),
        ("/etc/ssl/certs/confd.example.com.pem", certificate),
        ("/etc/ssl/private/confd.example.com.key", key),
        ("/etc/nginx/confd-exporter.passwd",
         self._Write("passwd", "me:%s" % password.decode("ascii"))),
        ("http://127.0.0.1:9814", exporter.url)]:
      self.assertIn(old, example)
      example = example.replace(old, new)
    os.chmod(self.directory, 0o755)
    os.chmod(os.path.join(self.directory, "passwd"), 0o644)
    temporary = "".join("%s_temp_path %s/%s;\n" % (i, self.directory, i)
                        for i in ("client_body", "proxy", "fastcgi", "uwsgi",
                                  "scgi"))
    self._Write("nginx.conf", "daemon off;\npid %s/pid;\nerror_log stderr;\n"
                "events {}\nhttp {\naccess_log off;\n%s%s}\n" %
                (self.directory, temporary, example))
    env = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin")
    result = subprocess.run(self._Nginx("-t"), env=env, stderr=subprocess.PIPE,
                            encoding="utf-8", check=False)
    self.assertEqual(result.returncode, 0, result.stderr)
    self.assertNotIn("warn", result.stderr)
    with open(os.path.join(self.directory, "log"), "wb") as log:
      nginx = subprocess.Popen(self._Nginx(), env=env, stderr=log)
    try:
      context = ssl.create_default_context(cafile=certificate)
      context.check_hostname = False

      def _Ask(path, password=None, method="GET"):
        connection = http.client.HTTPSConnection(
          "127.0.0.1", port, context=context, timeout=testutils.PATIENCE)
        self.addCleanup(connection.close)
        headers = {"Host": "confd.example.com"}
        if password:
          headers["Authorization"] = "Basic " + base64.b64encode(
            b"me:" + password).decode("ascii")
        try:
          connection.request(method, path, headers=headers)
        except ConnectionRefusedError:
          return None
        return connection.getresponse()

      self.assertEqual(testutils.WaitFor(lambda: _Ask("/"), "nginx").status,
                       401)
      self.assertEqual(_Ask("/c/events", b"wrong").status, 401)
      for path in ("/", "/c/", "/c/map", "/metrics"):
        answer = _Ask(path, b"secret")
        self.assertEqual(answer.status, 200)
        self.assertIn("default-src", answer.headers["Content-Security-Policy"])
        self.assertTrue(answer.headers["Strict-Transport-Security"])
      self.assertIn(_Ask("/", b"secret", "POST").status, (403, 405))
      events = _Ask("/c/events", b"secret")
      self.assertEqual(events.status, 200)
      self.daemon.WriteConfig(testutils.MakeConfig(serial_no=18))
      self.assertTrue(re.match(b"data: changed|: alive", events.readline()))
    finally:
      nginx.terminate()
      testutils.WaitForExit(nginx, "nginx")


if __name__ == "__main__":
  unittest.main()
